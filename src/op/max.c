/* amax, amin: the largest and smallest of x over `axes` (default: all); NaN if there is one. Among equal ones the gradient is
               shared equally.
   max, min:   the same numbers. Over one axis the whole gradient goes to the first of them, the one that argmax and argmin name,
               as it does in PyTorch's max(x, dim); over several axes, or all (none named), it is shared. */
#include "op/make.h"

/* Axes that were named are made plain; none stays none, as a vector's only axis is not the same as all. */
static bp_status infer(bp__infer *c, bp_dims *named, bool keepdim) {
    bp_dtype dtype = c->in[0]->dtype;
    bp_dims axes = *named;
    if (!bp__dtype_is_float(dtype) && dtype != BP_I64)
        return bp__infer_fail(c, BP_TYPE, "x must be f32, f64 or i64, not %s: use cast", bp_dtype_name(dtype));
    BP_TRY(bp__infer_reduction(c, &axes, keepdim));
    if (named->n > 0) *named = axes;
    return bp__infer_not_empty(c, &axes, "largest or smallest");
}

static bp_dims axes_of(const bp_dims *named, int64_t n) {
    bp_dims all = {.n = n};
    for (int64_t i = 0; i < n; i++) all.dim[i] = i;
    return named->n > 0 ? *named : all;
}

static void forward(const bp__call *c, bp__reduce_op op, const bp_dims *named) {
    bp__tensor y = c->in[0];
    uint32_t mask = 0;
    bp_dims axes = axes_of(named, y.n_dims);
    for (int64_t i = 0; i < axes.n; i++) {
        mask |= 1u << axes.dim[i];
        y.dim[axes.dim[i]] = 1;
    }
    y.data = c->out[0].data;
    bp__tensor_make_dense(&y);
    bp__reduce(c->env, op, mask, &y, &c->in[0]);
}

static void shared(bp__grad *c, const bp_dims *named) {
    bp_value x = c->in[0];
    bp_dtype dtype = bp_value_dtype(x);
    bp_dims dims = bp_value_dims(x), axes = axes_of(named, dims.n);
    c->d_in[0] = BP_NONE;
    if (!bp__dtype_is_float(dtype)) return;
    bp_value y = bp__as_reduced(c->out[0], dims, &axes, true), d_y = bp__as_reduced(c->d_out[0], dims, &axes, true);
    bp_value equal = bp_eq(x, y), shares = bp__sum_axes(bp_cast(equal, dtype), axes, true);
    c->d_in[0] = bp_div(bp_where(equal, d_y, bp__k(c->g, dtype, 0)), shares);
}

static void to_first(bp__grad *c, bool largest, const bp_dims *named) {
    bp_value x = c->in[0];
    bp_dims dims = bp_value_dims(x);
    if (named->n != 1 || !bp__dtype_is_float(bp_value_dtype(x))) {
        shared(c, named);
        return;
    }
    int64_t axis = named->dim[0];
    bp_argmax_options most = bp_argmax_defaults();
    bp_argmin_options least = bp_argmin_defaults();
    most.axis = least.axis = axis;
    most.keepdim = least.keepdim = 1;
    bp_value first = largest ? bp_argmax(x, &most) : bp_argmin(x, &least);
    c->d_in[0] = bp_scatter_add(bp__as_reduced(c->d_out[0], dims, named, true), first, axis, dims.dim[axis]);
}

static double flops(const bp__call *c) { return (double)bp__tensor_count(&c->in[0]); }

#define EXTREME(name, kernel, gradient_rule)                                                                                    \
    static bp_status name##_infer(bp__infer *c) {                                                                               \
        struct bp__##name##_attrs *a = c->attrs;                                                                                \
        return infer(c, &a->axes, a->keepdim != 0);                                                                             \
    }                                                                                                                           \
    static void name##_forward(const bp__call *c) { forward(c, kernel, &((const struct bp__##name##_attrs *)c->attrs)->axes); } \
    static void name##_gradient(bp__grad *c) {                                                                                  \
        const bp_dims *axes = &((const struct bp__##name##_attrs *)c->attrs)->axes;                                             \
        gradient_rule;                                                                                                          \
    }                                                                                                                           \
    static const struct bp__##name##_attrs name##_all = {.axes = {.n = -1}}, name##_first = {.axes = {1, {0}}},                 \
                                           name##_kept = {.axes = {1, {-1}}, .keepdim = 1}, name##_two = {.axes = {2, {2, 0}}}, \
                                           name##_kept_two = {.axes = {2, {0, 1}}, .keepdim = 1};                               \
    static const bp__sample name##_samples[] = {                                                                                \
        {.attrs = &name##_all, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 5})}},                                               \
        {.attrs = &name##_all, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},                                                        \
        {.attrs = &name##_first, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {7, 3})}},                                             \
        {.attrs = &name##_kept, .n_in = 1, .in = {BP__D(0.01, -2, 2, 2, {3, 19})}},                                             \
        {.attrs = &name##_kept_two, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 5})}},                                          \
        {.attrs = &name##_two, .n_in = 1, .in = {BP__D(0.01, -2, 2, 4, {2, 3, 4, 2})}},                                         \
        {.attrs = &name##_first, .n_in = 1, .in = {BP__I(-9, 9, 2, {7, 3})}},                                                   \
    };

EXTREME(max, BP__MAX, to_first(c, true, axes))
EXTREME(min, BP__MIN, to_first(c, false, axes))
EXTREME(amax, BP__MAX, shared(c, axes))
EXTREME(amin, BP__MIN, shared(c, axes))

const bp__op_def bp__def_max = {BP__SIGNATURE(max),
                                .family = "reductions",
                                .formula = "y = largest of x over `axes`; its gradient over one axis goes to the first",
                                .infer = max_infer,
                                .forward = max_forward,
                                .gradient = max_gradient,
                                .samples = max_samples,
                                .n_samples = BP__COUNT(max_samples),
                                .flops = flops};
const bp__op_def bp__def_min = {BP__SIGNATURE(min),
                                .family = "reductions",
                                .formula = "y = smallest of x over `axes`; its gradient over one axis goes to the first",
                                .infer = min_infer,
                                .forward = min_forward,
                                .gradient = min_gradient,
                                .samples = min_samples,
                                .n_samples = BP__COUNT(min_samples),
                                .flops = flops};
const bp__op_def bp__def_amax = {BP__SIGNATURE(amax),
                                 .family = "reductions",
                                 .formula = "y = largest of x over `axes`; its gradient is shared among equal ones",
                                 .infer = amax_infer,
                                 .forward = amax_forward,
                                 .gradient = amax_gradient,
                                 .samples = amax_samples,
                                 .n_samples = BP__COUNT(amax_samples),
                                 .flops = flops};
const bp__op_def bp__def_amin = {BP__SIGNATURE(amin),
                                 .family = "reductions",
                                 .formula = "y = smallest of x over `axes`; its gradient is shared among equal ones",
                                 .infer = amin_infer,
                                 .forward = amin_forward,
                                 .gradient = amin_gradient,
                                 .samples = amin_samples,
                                 .n_samples = BP__COUNT(amin_samples),
                                 .flops = flops};
