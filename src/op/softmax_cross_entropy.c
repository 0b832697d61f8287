/* loss[n] = -log_softmax(x[n])[label[n]]; a label outside [0, classes) gives 0, and no gradient.
   softmax_cross_entropy_grad: d_x[n, c] = d_y[n] (softmax(x[n])[c] - (c == label[n])). */
#include "op/make.h"

static bp_status check(bp__infer *c, int n_row_inputs) {
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_need_i64(c, 1, "label"));
    bool fits = x->n == 2;
    for (int i = 1; fits && i <= n_row_inputs; i++)
        fits = c->in[i]->dims.n == 1 && bp__infer_equal(c, c->in[i]->dims.dim[0], x->dim[0]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "x must be [n, classes] and label [n], not %s and %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (n_row_inputs > 1 && c->in[2]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "d_y is %s where x is %s", bp_dtype_name(c->in[2]->dtype),
                              bp_dtype_name(c->in[0]->dtype));
    return BP_OK;
}

static bp_status infer(bp__infer *c) {
    BP_TRY(check(c, 1));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = c->in[1]->dims};
    return BP_OK;
}

static void forward(const bp__call *c) { bp__softmax_xent(c->env, &c->out[0], NULL, &c->in[0], &c->in[1], NULL); }

/* 0 - Σ, so that a row without a label gives +0 as the kernel does. */
static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs;
    (void)n_in;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value zero = bp__k(g, dtype, 0), hot = bp__one_hot_as(in[1], bp_value_dims(in[0]).dim[1], BP_U8);
    return bp_sub(zero, bp__sum_axis(bp_where(hot, bp_log_softmax(in[0], 1), zero), 1, false));
}

static void gradient(bp__grad *c) {
    if (c->wanted[0]) c->d_in[0] = bp_softmax_cross_entropy_grad(c->in[0], c->in[1], c->d_out[0]);
}

static bp_status grad_infer(bp__infer *c) {
    BP_TRY(check(c, 2));
    return bp__infer_same(c);
}

static void grad_forward(const bp__call *c) { bp__softmax_xent(c->env, NULL, &c->out[0], &c->in[0], &c->in[1], &c->in[2]); }

static bp_value column(bp_value rows) {
    bp_dims d = {.n = 2, .dim = {bp_value_dims(rows).dim[0], 1}};
    return bp_reshape(rows, d);
}

static bp_value grad_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs;
    (void)n_in;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value hot = bp__one_hot_as(in[1], bp_value_dims(in[0]).dim[1], dtype), labelled = bp__sum_axis(hot, 1, true);
    bp_value d = bp_mul(column(in[2]), bp_sub(bp_softmax(in[0], 1), hot));
    return bp_where(labelled, d, bp__k(g, dtype, 0));
}

/* With s = softmax(x), h = one_hot(label), D the cotangent: d_d_y = Σ_c D (s - h); d_x = s (v - Σ_c v s), v = D d_y. */
static void grad_gradient(bp__grad *c) {
    bp_value x = c->in[0], label = c->in[1], d_y = column(c->in[2]), d = c->d_out[0];
    bp_dtype dtype = bp_value_dtype(x);
    bp_value zero = bp__k(c->g, dtype, 0), s = bp_softmax(x, 1);
    bp_value hot = bp__one_hot_as(label, bp_value_dims(x).dim[1], dtype), labelled = bp__sum_axis(hot, 1, true);
    if (c->wanted[0]) {
        bp_value v = bp_where(labelled, bp_mul(d, d_y), zero);
        c->d_in[0] = bp_mul(s, bp_sub(v, bp__sum_axis(bp_mul(v, s), 1, true)));
    }
    if (c->wanted[2]) c->d_in[2] = bp__sum_axis(bp_where(labelled, bp_mul(d, bp_sub(s, hot)), zero), 1, false);
}

static double flops(const bp__call *c) { return 5.0 * (double)bp__tensor_count(&c->in[0]); }

static const bp__sample samples[] = {{.n_in = 2, .in = {BP__F(-2, 2, 2, {5, 10}), BP__I(0, 10, 1, {5})}},
                                     {.n_in = 2, .in = {BP__F(-9, 9, 2, {7, 3}), BP__I(-1, 4, 1, {7})}},
                                     {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 33}), BP__I(0, 33, 1, {3})}}};
static const bp__sample grad_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {5, 10}), BP__I(0, 10, 1, {5}), BP__F(-2, 2, 1, {5})}},
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {9, 3}), BP__I(-1, 4, 1, {9}), BP__F(-2, 2, 1, {9})}},
};

const bp__op_def bp__def_softmax_cross_entropy = {BP__SIGNATURE(softmax_cross_entropy),
                                                  .family = "losses",
                                                  .formula = "y[n] = -log_softmax(x[n])[label[n]]",
                                                  .infer = infer,
                                                  .forward = forward,
                                                  .decompose = decompose,
                                                  .gradient = gradient,
                                                  .samples = samples,
                                                  .n_samples = BP__COUNT(samples),
                                                  .flops = flops};
const bp__op_def bp__def_softmax_cross_entropy_grad = {BP__SIGNATURE(softmax_cross_entropy_grad),
                                                       .family = "losses",
                                                       .formula = "d_x[n, c] = d_y[n] (softmax(x[n])[c] - (c == label[n]))",
                                                       .infer = grad_infer,
                                                       .forward = grad_forward,
                                                       .decompose = grad_decompose,
                                                       .gradient = grad_gradient,
                                                       .samples = grad_samples,
                                                       .n_samples = BP__COUNT(grad_samples),
                                                       .flops = flops};
