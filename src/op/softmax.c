/* softmax:     y = exp(x - m) / Σ exp(x - m) along `axis`, m the largest of x.
   log_softmax: y = (x - m) - log Σ exp(x - m).
   softmin:     softmax of -x. */
#include "op/make.h"

/* Both operations have the one attribute `axis`. */
static bp_status infer_axis(bp__infer *c, int64_t *axis) {
    bp_dims axes = {.n = 1, .dim = {*axis}};
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dims.n == 0) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    BP_TRY(bp__infer_axes(c, &axes));
    *axis = axes.dim[0];
    return bp__infer_same(c);
}
static bp_status softmax_infer(bp__infer *c) { return infer_axis(c, &((struct bp__softmax_attrs *)c->attrs)->axis); }
static bp_status log_softmax_infer(bp__infer *c) { return infer_axis(c, &((struct bp__log_softmax_attrs *)c->attrs)->axis); }

/* The kernel works on rows of the last axis; another axis is brought there through the scratch. */
static size_t scratch_axis(const bp__call *c, int64_t axis) {
    if (axis == c->in[0].n_dims - 1) return 0;
    return (size_t)bp__tensor_count(&c->in[0]) * bp_dtype_size((bp_dtype)c->in[0].dtype);
}
static size_t softmax_scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    return scratch_axis(c, ((const struct bp__softmax_attrs *)c->attrs)->axis);
}
static size_t log_softmax_scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    return scratch_axis(c, ((const struct bp__log_softmax_attrs *)c->attrs)->axis);
}

static void forward_axis(const bp__call *c, int64_t axis, bool log_softmax) {
    int n = c->in[0].n_dims;
    if (axis == n - 1) {
        bp__softmax(c->env, log_softmax, &c->out[0], &c->in[0]);
        return;
    }
    int64_t axes[BP__MAX_DIMS];
    for (int i = 0; i < n; i++) axes[i] = i;
    axes[axis] = n - 1;
    axes[n - 1] = axis;
    bp__tensor x = bp__tensor_permuted(&c->in[0], axes), y = bp__tensor_permuted(&c->out[0], axes), s = x;
    s.data = c->env->scratch;
    bp__tensor_make_dense(&s);
    bp__softmax(c->env, log_softmax, &s, &x);
    bp__copy(c->env, &y, &s);
}
static void softmax_forward(const bp__call *c) { forward_axis(c, ((const struct bp__softmax_attrs *)c->attrs)->axis, false); }
static void log_softmax_forward(const bp__call *c) {
    forward_axis(c, ((const struct bp__log_softmax_attrs *)c->attrs)->axis, true);
}
static bp_status softmin_infer(bp__infer *c) { return infer_axis(c, &((struct bp__softmin_attrs *)c->attrs)->axis); }

static bp_value softmin_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    return bp_softmax(bp_neg(in[0]), ((const struct bp__softmin_attrs *)attrs)->axis);
}
static bp_value softmax_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    int64_t axis = ((const struct bp__softmax_attrs *)attrs)->axis;
    bp_value e = bp_exp(bp_sub(in[0], bp_stop_gradient(bp__max_axis(in[0], axis, true))));
    return bp_div(e, bp__sum_axis(e, axis, true));
}
static bp_value log_softmax_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    int64_t axis = ((const struct bp__log_softmax_attrs *)attrs)->axis;
    bp_value z = bp_sub(in[0], bp_stop_gradient(bp__max_axis(in[0], axis, true)));
    return bp_sub(z, bp_log(bp__sum_axis(bp_exp(z), axis, true)));
}

/* d_x = y (d_y - Σ d_y y) */
static void softmax_gradient(bp__grad *c) {
    int64_t axis = ((const struct bp__softmax_attrs *)c->attrs)->axis;
    bp_value y = c->out[0], d_y = c->d_out[0];
    c->d_in[0] = bp_mul(y, bp_sub(d_y, bp__sum_axis(bp_mul(d_y, y), axis, true)));
}
/* d_x = d_y - exp(y) Σ d_y */
static void log_softmax_gradient(bp__grad *c) {
    int64_t axis = ((const struct bp__log_softmax_attrs *)c->attrs)->axis;
    bp_value y = c->out[0], d_y = c->d_out[0];
    c->d_in[0] = bp_sub(d_y, bp_mul(bp_exp(y), bp__sum_axis(d_y, axis, true)));
}

static double flops(const bp__call *c) { return 5.0 * (double)bp__tensor_count(&c->in[0]); }

static const struct bp__softmax_attrs s_last = {.axis = -1}, s_first = {.axis = 0};
static const bp__sample softmax_samples[] = {{.attrs = &s_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                             {.attrs = &s_first, .n_in = 1, .in = {BP__F(-2, 2, 3, {5, 3, 2})}},
                                             {.attrs = &s_last, .n_in = 1, .in = {BP__F(-2, 2, 1, {37})}}};
static const struct bp__log_softmax_attrs l_last = {.axis = -1}, l_first = {.axis = 0};
static const bp__sample log_softmax_samples[] = {{.attrs = &l_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                                 {.attrs = &l_first, .n_in = 1, .in = {BP__F(-2, 2, 3, {5, 3, 2})}},
                                                 {.attrs = &l_last, .n_in = 1, .in = {BP__F(-20, 20, 1, {37})}}};
static const struct bp__softmin_attrs m_last = {.axis = -1}, m_first = {.axis = 0};
static const bp__sample softmin_samples[] = {{.attrs = &m_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                             {.attrs = &m_first, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 2})}}};

const bp__op_def bp__def_softmax = {BP__SIGNATURE(softmax),
                                    .family = "reductions",
                                    .formula = "y = exp(x) / sum(exp(x)) along `axis`",
                                    .infer = softmax_infer,
                                    .forward = softmax_forward,
                                    .scratch = softmax_scratch,
                                    .decompose = softmax_decompose,
                                    .gradient = softmax_gradient,
                                    .samples = softmax_samples,
                                    .n_samples = BP__COUNT(softmax_samples),
                                    .flops = flops};
const bp__op_def bp__def_log_softmax = {BP__SIGNATURE(log_softmax),
                                        .family = "reductions",
                                        .formula = "y = x - log(sum(exp(x))) along `axis`",
                                        .infer = log_softmax_infer,
                                        .forward = log_softmax_forward,
                                        .scratch = log_softmax_scratch,
                                        .decompose = log_softmax_decompose,
                                        .gradient = log_softmax_gradient,
                                        .samples = log_softmax_samples,
                                        .n_samples = BP__COUNT(log_softmax_samples),
                                        .flops = flops};
const bp__op_def bp__def_softmin = {BP__SIGNATURE(softmin),
                                    .family = "reductions",
                                    .formula = "y = exp(-x) / sum(exp(-x)) along `axis`",
                                    .infer = softmin_infer,
                                    .decompose = softmin_decompose,
                                    .samples = softmin_samples,
                                    .n_samples = BP__COUNT(softmin_samples)};
