/* y = the first index of the largest element along `axis`, i64; NaN counts as the largest. No gradient: indices are steps. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__argmax_attrs *a = c->attrs;
    bp_dims axes = {.n = 1, .dim = {a->axis}};
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dims.n == 0) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    BP_TRY(bp__infer_axes(c, &axes));
    a->axis = axes.dim[0];
    if (c->in[0]->dims.dim[a->axis] == 0)
        return bp__infer_fail(c, BP_SHAPE, "nothing is the largest of no elements: x is %s", bp__infer_shape(c, 0));
    c->out[0].dtype = BP_I64;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, &axes, a->keepdim != 0);
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__argmax_attrs *a = c->attrs;
    bp__tensor y = c->in[0];
    y.data = c->out[0].data;
    y.dtype = BP_I64;
    y.dim[a->axis] = 1;
    bp__tensor_make_dense(&y);
    bp__arg_reduce(c->env, true, (int)a->axis, &y, &c->in[0]);
}

static const struct bp__argmax_attrs last = {.axis = -1}, first_kept = {.axis = 0, .keepdim = 1};
static const bp__sample samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                     {.attrs = &first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                     {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 1, {33})}}};

const bp__op_def bp__def_argmax = {BP__SIGNATURE(argmax),
                                   .family = "reductions",
                                   .formula = "y = first index of the largest element along `axis`",
                                   .flags = BP__OP_NO_GRADIENT,
                                   .infer = infer,
                                   .forward = forward,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
