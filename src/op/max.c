/* y = the largest of x over `axes` (default: all); NaN if there is one. Among equal largest elements the gradient is shared
   equally, as PyTorch's amax does. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__max_attrs *a = c->attrs;
    bp_dtype dtype = c->in[0]->dtype;
    if (!bp__dtype_is_float(dtype) && dtype != BP_I64)
        return bp__infer_fail(c, BP_TYPE, "x must be f32, f64 or i64, not %s: use cast", bp_dtype_name(dtype));
    BP_TRY(bp__infer_axes(c, &a->axes));
    for (int64_t i = 0; i < a->axes.n; i++)
        if (c->in[0]->dims.dim[a->axes.dim[i]] == 0)
            return bp__infer_fail(c, BP_SHAPE, "nothing is the largest of no elements: x is %s", bp__infer_shape(c, 0));
    c->out[0].dtype = dtype;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, &a->axes, a->keepdim != 0);
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__max_attrs *a = c->attrs;
    bp__tensor y = c->in[0];
    uint32_t mask = 0;
    for (int64_t i = 0; i < a->axes.n; i++) {
        mask |= 1u << a->axes.dim[i];
        y.dim[a->axes.dim[i]] = 1;
    }
    y.data = c->out[0].data;
    bp__tensor_make_dense(&y);
    bp__reduce(c->env, BP__MAX, mask, &y, &c->in[0]);
}

static void gradient(bp__grad *c) {
    const struct bp__max_attrs *a = c->attrs;
    bp_value x = c->in[0], y = c->out[0], d_y = c->d_out[0];
    bp_dtype dtype = bp_value_dtype(x);
    bp_dims kept, dims = bp_value_dims(x);
    c->d_in[0] = BP_NONE;
    if (!bp__dtype_is_float(dtype)) return;
    bp__reduced_dims(&kept, &dims, &a->axes, true);
    if (!a->keepdim) {
        y = bp_reshape(y, kept);
        d_y = bp_reshape(d_y, kept);
    }
    bp_value largest = bp_eq(x, y);
    bp_value shares = bp__sum_axes(bp_cast(largest, dtype), a->axes, true);
    c->d_in[0] = bp_div(bp_where(largest, d_y, bp__k(c->g, dtype, 0)), shares);
}

static double flops(const bp__call *c) { return (double)bp__tensor_count(&c->in[0]); }

static const struct bp__max_attrs all = {.axes = {.n = -1}}, first = {.axes = {1, {0}}},
                                  last_kept = {.axes = {1, {-1}}, .keepdim = 1}, two = {.axes = {2, {2, 0}}};
static const bp__sample samples[] = {
    {.attrs = &all, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 5})}},
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
    {.attrs = &first, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {7, 3})}},
    {.attrs = &last_kept, .n_in = 1, .in = {BP__D(0.01, -2, 2, 2, {3, 19})}},
    {.attrs = &two, .n_in = 1, .in = {BP__D(0.01, -2, 2, 4, {2, 3, 4, 2})}},
    {.attrs = &first, .n_in = 1, .in = {BP__I(-9, 9, 2, {7, 3})}},
};

const bp__op_def bp__def_max = {
    BP__SIGNATURE(max),   .family = "reductions", .formula = "y = largest of x over `axes`", .infer = infer, .forward = forward,
    .gradient = gradient, .samples = samples,     .n_samples = BP__COUNT(samples),           .flops = flops};
