/* y[…, o] = Σ_ij x1[…, i] weight[o, i, j] x2[…, j] + bias[o] (PyTorch's nn.functional.bilinear). */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const bp_dims *a = &c->in[0]->dims, *b = &c->in[1]->dims, *w = &c->in[2]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "x1 is %s where another input is %s: use cast", bp_dtype_name(c->in[0]->dtype),
                                  bp_dtype_name(c->in[i]->dtype));
    bool fits = a->n >= 1 && a->n == b->n && w->n == 3;
    for (int64_t i = 0; fits && i + 1 < a->n; i++) fits = bp__infer_equal(c, a->dim[i], b->dim[i]);
    if (!fits || !bp__infer_equal(c, a->dim[a->n - 1], w->dim[1]) || !bp__infer_equal(c, b->dim[b->n - 1], w->dim[2]))
        return bp__infer_fail(c, BP_SHAPE, "x1 must be [..., in1], x2 [..., in2] and weight [out, in1, in2], not %s, %s and %s",
                              bp__infer_shape(c, 0), bp__infer_shape(c, 1), bp__infer_shape(c, 2));
    if (c->n_in > 3 && c->in[3] && (c->in[3]->dims.n != 1 || !bp__infer_equal(c, c->in[3]->dims.dim[0], w->dim[0])))
        return bp__infer_fail(c, BP_SHAPE, "the bias must be [out] of weight %s, not %s", bp__infer_shape(c, 2),
                              bp__infer_shape(c, 3));
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[a->n - 1] = w->dim[0];
    return BP_OK;
}

/* One product with the weight as [in1, out * in2], then a sum over in2. */
static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs;
    bp_dims d = bp_value_dims(in[0]), w = bp_value_dims(in[2]);
    int64_t rows = 1, out = w.dim[0];
    for (int64_t i = 0; i + 1 < d.n; i++) rows = bp__dim_mul(g->dims, rows, d.dim[i]);
    bp_value weight =
        bp_reshape(bp_permute(in[2], bp_shape(3, 1, 0, 2)), bp_shape(2, w.dim[1], bp__dim_mul(g->dims, out, w.dim[2])));
    bp_value t = bp_reshape(bp_matmul(bp_reshape(in[0], bp_shape(2, rows, w.dim[1])), weight), bp_shape(3, rows, out, w.dim[2]));
    bp_value y = bp__sum_axis(bp_mul(t, bp_reshape(in[1], bp_shape(3, rows, 1, w.dim[2]))), 2, false);
    if (n_in > 3 && in[3].graph) y = bp_add(y, in[3]);
    d.dim[d.n - 1] = out;
    return bp_reshape(y, d);
}

static const bp__sample samples[] = {
    {.n_in = 4, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {3, 5}), BP__F(-1, 1, 3, {2, 4, 5}), BP__F(-2, 2, 1, {2})}},
    {.n_in = 4, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 3, {2, 3, 2}), BP__F(-1, 1, 3, {3, 4, 2}), BP__ABSENT}},
    {.n_in = 4, .in = {BP__F(-2, 2, 1, {4}), BP__F(-2, 2, 1, {3}), BP__F(-1, 1, 3, {1, 4, 3}), BP__F(-2, 2, 1, {1})}},
};

const bp__op_def bp__def_bilinear = {BP__SIGNATURE(bilinear),
                                     .family = "products",
                                     .formula = "y[o] = sum_ij x1[i] * weight[o, i, j] * x2[j] + bias[o]",
                                     .infer = infer,
                                     .decompose = decompose,
                                     .samples = samples,
                                     .n_samples = BP__COUNT(samples)};
