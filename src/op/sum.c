/* y = Σ x over `axes` (default: all). Integers add up in i64, as in PyTorch. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__sum_attrs *a = c->attrs;
    BP_TRY(bp__infer_axes(c, &a->axes));
    c->out[0].dtype = bp__dtype_is_float(c->in[0]->dtype) ? c->in[0]->dtype : BP_I64;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, &a->axes, a->keepdim != 0);
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__sum_attrs *a = c->attrs;
    bp__tensor y = c->in[0];
    uint32_t mask = 0;
    for (int64_t i = 0; i < a->axes.n; i++) {
        mask |= 1u << a->axes.dim[i];
        y.dim[a->axes.dim[i]] = 1;
    }
    y.data = c->out[0].data;
    y.dtype = c->out[0].dtype;
    bp__tensor_make_dense(&y);
    bp__reduce(c->env, BP__SUM, mask, &y, &c->in[0]);
}

static void gradient(bp__grad *c) {
    const struct bp__sum_attrs *a = c->attrs;
    bp_dims x = bp_value_dims(c->in[0]), kept;
    if (!bp__dtype_is_float(bp_value_dtype(c->in[0]))) {
        c->d_in[0] = BP_NONE;
        return;
    }
    bp__reduced_dims(&kept, &x, &a->axes, true);
    bp_value d_y = a->keepdim ? c->d_out[0] : bp_reshape(c->d_out[0], kept);
    c->d_in[0] = bp_broadcast_to(d_y, x);
}

static double flops(const bp__call *c) { return (double)bp__tensor_count(&c->in[0]); }

static const struct bp__sum_attrs all = {.axes = {.n = -1}}, first = {.axes = {1, {0}}},
                                  last_kept = {.axes = {1, {-1}}, .keepdim = 1}, two = {.axes = {2, {2, 0}}};
static const bp__sample samples[] = {
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
    {.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {7, 3})}},
    {.attrs = &last_kept, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 37})}},
    {.attrs = &two, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 3, 4, 2})}},
    {.attrs = &first, .n_in = 1, .in = {BP__I(-9, 9, 2, {7, 3})}},
};

const bp__op_def bp__def_sum = {
    BP__SIGNATURE(sum),   .family = "reductions", .formula = "y = sum of x over `axes`", .infer = infer, .forward = forward,
    .gradient = gradient, .samples = samples,     .n_samples = BP__COUNT(samples),       .flops = flops};
