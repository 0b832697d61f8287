/* y = the first index of the largest (argmin: smallest) element along `axis`, i64; NaN counts as the largest (smallest). No
   axis: of all elements, counted in row-major order, as in PyTorch. No gradient: indices are steps. */
#include "op/make.h"

/* The axis is made plain; none stays none, and a scalar has none. */
static bp_status infer(bp__infer *c, int64_t *axis, bool keepdim) {
    bp_dims axes = {.n = *axis == BP_UNSET ? -1 : 1, .dim = {*axis}};
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_reduction(c, &axes, keepdim));
    *axis = *axis == BP_UNSET || axes.n == 0 ? BP_UNSET : axes.dim[0];
    c->out[0].dtype = BP_I64;
    return bp__infer_not_empty(c, &axes, "largest or smallest");
}

static void forward(const bp__call *c, bool largest, int64_t axis) {
    bp__tensor y = c->in[0];
    y.data = c->out[0].data;
    y.dtype = BP_I64;
    y.dim[axis] = 1;
    bp__tensor_make_dense(&y);
    bp__arg_reduce(c->env, largest, (int)axis, &y, &c->in[0]);
}

static bp_value result_of(bp_value y, bp_value x, bool keepdim) {
    bp_dims dims = bp_value_dims(x), all = bp__every_axis(dims.n);
    return bp__as_reduced(y, dims, &all, keepdim);
}

static bp_status argmax_infer(bp__infer *c) {
    struct bp__argmax_attrs *a = c->attrs;
    return infer(c, &a->axis, a->keepdim != 0);
}
static bp_status argmin_infer(bp__infer *c) {
    struct bp__argmin_attrs *a = c->attrs;
    return infer(c, &a->axis, a->keepdim != 0);
}
static bool argmax_expands(const bp__infer *c) { return ((const struct bp__argmax_attrs *)c->attrs)->axis == BP_UNSET; }
static bool argmin_expands(const bp__infer *c) { return ((const struct bp__argmin_attrs *)c->attrs)->axis == BP_UNSET; }
static bp_value argmax_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    bp_argmax_options first = {sizeof first, 0, 0};
    return result_of(bp_argmax(bp__as_vector(in[0]), &first), in[0], ((const struct bp__argmax_attrs *)attrs)->keepdim != 0);
}
static bp_value argmin_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    bp_argmin_options first = {sizeof first, 0, 0};
    return result_of(bp_argmin(bp__as_vector(in[0]), &first), in[0], ((const struct bp__argmin_attrs *)attrs)->keepdim != 0);
}
static void argmax_forward(const bp__call *c) { forward(c, true, ((const struct bp__argmax_attrs *)c->attrs)->axis); }
static void argmin_forward(const bp__call *c) { forward(c, false, ((const struct bp__argmin_attrs *)c->attrs)->axis); }

static const struct bp__argmax_attrs last = {.axis = -1}, first_kept = {.axis = 0, .keepdim = 1}, of_all = {.axis = BP_UNSET},
                                     of_all_kept = {.axis = BP_UNSET, .keepdim = 1};
static const bp__sample argmax_samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                            {.attrs = &first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                            {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 1, {33})}},
                                            {.attrs = &of_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                            {.attrs = &of_all_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                            {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};
static const struct bp__argmin_attrs min_last = {.axis = -1}, min_first_kept = {.axis = 0, .keepdim = 1},
                                     min_of_all = {.axis = BP_UNSET}, min_of_all_kept = {.axis = BP_UNSET, .keepdim = 1};
static const bp__sample argmin_samples[] = {{.attrs = &min_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                            {.attrs = &min_first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                            {.attrs = &min_last, .n_in = 1, .in = {BP__F(-2, 2, 1, {33})}},
                                            {.attrs = &min_of_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                            {.attrs = &min_of_all_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                            {.attrs = &min_last, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_argmax = {BP__SIGNATURE(argmax),
                                   .family = "reductions",
                                   .formula =
                                       "y = first index of the largest element along `axis`; no axis: of all, counted in order",
                                   .flags = BP__OP_NO_GRADIENT,
                                   .infer = argmax_infer,
                                   .forward = argmax_forward,
                                   .decompose = argmax_decompose,
                                   .expands = argmax_expands,
                                   .samples = argmax_samples,
                                   .n_samples = BP__COUNT(argmax_samples)};
const bp__op_def bp__def_argmin = {BP__SIGNATURE(argmin),
                                   .family = "reductions",
                                   .formula =
                                       "y = first index of the smallest element along `axis`; no axis: of all, counted in order",
                                   .flags = BP__OP_NO_GRADIENT,
                                   .infer = argmin_infer,
                                   .forward = argmin_forward,
                                   .decompose = argmin_decompose,
                                   .expands = argmin_expands,
                                   .samples = argmin_samples,
                                   .n_samples = BP__COUNT(argmin_samples)};
