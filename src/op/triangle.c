/* tril: y[…, i, j] = x[…, i, j] where j - i <= diagonal, else 0.
   triu: where j - i >= diagonal. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    if (c->in[0]->dims.n < 2) return bp__infer_fail(c, BP_SHAPE, "x must have at least two axes, not %s", bp__infer_shape(c, 0));
    if (c->in[0]->dtype == BP_U8 || c->in[0]->dtype == BP_I32)
        return bp__infer_fail(c, BP_TYPE, "x must be f32, f64 or i64, not %s: use cast", bp_dtype_name(c->in[0]->dtype));
    return bp__infer_same(c);
}

/* The condition compares j with i + diagonal. */
static bp_value part(bp_value x, int64_t diagonal, bool lower) {
    bp_dims d = bp_value_dims(x);
    bp_value i = bp_reshape(bp__count_from(x, diagonal, d.dim[d.n - 2]), bp_shape(2, d.dim[d.n - 2], 1));
    bp_value j = bp__count_from(x, 0, d.dim[d.n - 1]);
    return bp_where(lower ? bp_le(j, i) : bp_ge(j, i), x, bp__k_like(x, 0));
}
static bp_value tril_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    return part(in[0], ((const struct bp__tril_attrs *)attrs)->diagonal, true);
}
static bp_value triu_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    return part(in[0], ((const struct bp__triu_attrs *)attrs)->diagonal, false);
}

static const struct bp__tril_attrs l_main = {.diagonal = 0}, l_above = {.diagonal = 1}, l_below = {.diagonal = -2};
static const bp__sample tril_samples[] = {{.attrs = &l_main, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 4})}},
                                          {.attrs = &l_above, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                          {.attrs = &l_below, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 2})}}};
static const struct bp__triu_attrs u_main = {.diagonal = 0}, u_above = {.diagonal = 1}, u_below = {.diagonal = -2};
static const bp__sample triu_samples[] = {{.attrs = &u_main, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 4})}},
                                          {.attrs = &u_above, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                          {.attrs = &u_below, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 2})}}};

const bp__op_def bp__def_tril = {BP__SIGNATURE(tril),
                                 .family = "structure",
                                 .formula = "y[i, j] = j - i <= diagonal ? x[i, j] : 0",
                                 .infer = infer,
                                 .decompose = tril_decompose,
                                 .samples = tril_samples,
                                 .n_samples = BP__COUNT(tril_samples)};
const bp__op_def bp__def_triu = {BP__SIGNATURE(triu),
                                 .family = "structure",
                                 .formula = "y[i, j] = j - i >= diagonal ? x[i, j] : 0",
                                 .infer = infer,
                                 .decompose = triu_decompose,
                                 .samples = triu_samples,
                                 .n_samples = BP__COUNT(triu_samples)};
