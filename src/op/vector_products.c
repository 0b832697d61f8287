/* dot:   y = Σ_i a[i] b[i].
   outer: y[i, j] = a[i] b[j].  Both of vectors, as in PyTorch. */
#include "op/make.h"

static bp_status vectors(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dtype != c->in[1]->dtype)
        return bp__infer_fail(c, BP_TYPE, "a is %s but b is %s: use cast", bp_dtype_name(c->in[0]->dtype),
                              bp_dtype_name(c->in[1]->dtype));
    if (c->in[0]->dims.n != 1 || c->in[1]->dims.n != 1)
        return bp__infer_fail(c, BP_SHAPE, "a and b must be vectors, not %s and %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    return BP_OK;
}

static bp_status dot_infer(bp__infer *c) {
    BP_TRY(vectors(c));
    if (!bp__infer_equal(c, c->in[0]->dims.dim[0], c->in[1]->dims.dim[0]))
        return bp__infer_fail(c, BP_SHAPE, "the sizes differ: %s and %s", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = 0}};
    return BP_OK;
}

static bp_value dot_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)attrs, (void)n_in;
    return bp__sum_all(bp_mul(in[0], in[1]));
}

static bp_status outer_infer(bp__infer *c) {
    BP_TRY(vectors(c));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {2, {c->in[0]->dims.dim[0], c->in[1]->dims.dim[0]}}};
    return BP_OK;
}

static bp_value outer_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)attrs, (void)n_in;
    return bp_mul(bp__unsqueeze(in[0], 1), in[1]);
}

static const bp__sample dot_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {5}), BP__F(-2, 2, 1, {5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {1}), BP__F(-2, 2, 1, {1})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {0}), BP__F(-2, 2, 1, {0})}},
};
static const bp__sample outer_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {3}), BP__F(-2, 2, 1, {5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {1}), BP__F(-2, 2, 1, {17})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {0}), BP__F(-2, 2, 1, {2})}},
};

const bp__op_def bp__def_dot = {BP__SIGNATURE(dot),
                                .family = "products",
                                .formula = "y = sum_i a[i] * b[i], of two vectors",
                                .infer = dot_infer,
                                .decompose = dot_decompose,
                                .samples = dot_samples,
                                .n_samples = BP__COUNT(dot_samples)};
const bp__op_def bp__def_outer = {BP__SIGNATURE(outer),
                                  .family = "products",
                                  .formula = "y[i, j] = a[i] * b[j], of two vectors",
                                  .infer = outer_infer,
                                  .decompose = outer_decompose,
                                  .samples = outer_samples,
                                  .n_samples = BP__COUNT(outer_samples)};
