/* y = x Wᵀ + b, weight [out, in] as in PyTorch, x [..., in]. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const bp_dims *x = &c->in[0]->dims, *w = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "x is %s where the %s is %s: use cast", bp_dtype_name(c->in[0]->dtype),
                                  i == 1 ? "weight" : "bias", bp_dtype_name(c->in[i]->dtype));
    if (x->n < 1 || w->n != 2)
        return bp__infer_fail(c, BP_SHAPE, "x must be [..., in] and weight [out, in], not %s and %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (!bp__infer_equal(c, x->dim[x->n - 1], w->dim[1]))
        return bp__infer_fail(c, BP_SHAPE, "inner sizes differ: x %s, weight %s", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    if (c->n_in > 2 && c->in[2] && (c->in[2]->dims.n != 1 || !bp__infer_equal(c, c->in[2]->dims.dim[0], w->dim[0])))
        return bp__infer_fail(c, BP_SHAPE, "the bias must be [out] of weight %s, not %s", bp__infer_shape(c, 1),
                              bp__infer_shape(c, 2));
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[x->n - 1] = w->dim[0];
    return BP_OK;
}

/* One product of matrices, whatever the leading axes: reshape and permute are views. */
static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs;
    bp_value x = in[0];
    bp_dims d = bp_value_dims(x), w = bp_value_dims(in[1]);
    if (d.n != 2) {
        bp_dims two = {.n = 2, .dim = {1, d.dim[d.n - 1]}};
        for (int64_t i = 0; i + 1 < d.n; i++) two.dim[0] = bp__dim_mul(g->dims, two.dim[0], d.dim[i]);
        x = bp_reshape(x, two);
    }
    bp_value y = bp_matmul(x, bp__transpose(in[1]));
    if (n_in > 2 && in[2].node >= 0) y = bp_add(y, in[2]);
    if (d.n == 2) return y;
    d.dim[d.n - 1] = w.dim[0];
    return bp_reshape(y, d);
}

static const bp__sample samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {5, 4}), BP__F(-2, 2, 1, {5})}},
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {5, 4}), BP__ABSENT}},
    {.n_in = 3, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 2, {1, 4}), BP__F(-2, 2, 1, {1})}},
    {.n_in = 3, .in = {BP__F(-2, 2, 1, {33}), BP__F(-2, 2, 2, {34, 33}), BP__F(-2, 2, 1, {34})}},
};

const bp__op_def bp__def_linear = {BP__SIGNATURE(linear),
                                   .family = "products",
                                   .formula = "y = x W^T + b, weight [out, in]",
                                   .infer = infer,
                                   .decompose = decompose,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
