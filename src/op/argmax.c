/* y = the first index of the largest (argmin: smallest) element along `axis`, i64; NaN counts as the largest (smallest). No
   gradient: indices are steps. */
#include "op/make.h"

static bp_status infer(bp__infer *c, int64_t *axis, bool keepdim) {
    bp_dims axes = {.n = 1, .dim = {*axis}};
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dims.n == 0) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    BP_TRY(bp__infer_reduction(c, &axes, keepdim));
    *axis = axes.dim[0];
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

static bp_status argmax_infer(bp__infer *c) {
    struct bp__argmax_attrs *a = c->attrs;
    return infer(c, &a->axis, a->keepdim != 0);
}
static bp_status argmin_infer(bp__infer *c) {
    struct bp__argmin_attrs *a = c->attrs;
    return infer(c, &a->axis, a->keepdim != 0);
}
static void argmax_forward(const bp__call *c) { forward(c, true, ((const struct bp__argmax_attrs *)c->attrs)->axis); }
static void argmin_forward(const bp__call *c) { forward(c, false, ((const struct bp__argmin_attrs *)c->attrs)->axis); }

static const struct bp__argmax_attrs last = {.axis = -1}, first_kept = {.axis = 0, .keepdim = 1};
static const bp__sample argmax_samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                            {.attrs = &first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                            {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 1, {33})}}};
static const struct bp__argmin_attrs min_last = {.axis = -1}, min_first_kept = {.axis = 0, .keepdim = 1};
static const bp__sample argmin_samples[] = {{.attrs = &min_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                            {.attrs = &min_first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                            {.attrs = &min_last, .n_in = 1, .in = {BP__F(-2, 2, 1, {33})}}};

const bp__op_def bp__def_argmax = {BP__SIGNATURE(argmax),
                                   .family = "reductions",
                                   .formula = "y = first index of the largest element along `axis`",
                                   .flags = BP__OP_NO_GRADIENT,
                                   .infer = argmax_infer,
                                   .forward = argmax_forward,
                                   .samples = argmax_samples,
                                   .n_samples = BP__COUNT(argmax_samples)};
const bp__op_def bp__def_argmin = {BP__SIGNATURE(argmin),
                                   .family = "reductions",
                                   .formula = "y = first index of the smallest element along `axis`",
                                   .flags = BP__OP_NO_GRADIENT,
                                   .infer = argmin_infer,
                                   .forward = argmin_forward,
                                   .samples = argmin_samples,
                                   .n_samples = BP__COUNT(argmin_samples)};
