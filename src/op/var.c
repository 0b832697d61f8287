/* var: y = Σ (x - mean)² / max(0, n - correction) over `axes` (default: all).
   std: its square root; its gradient is 0 where it is 0, as in PyTorch. */
#include "op/make.h"

static bp_status infer(bp__infer *c, bp_dims *axes, bool keepdim) {
    BP_TRY(bp__infer_need_float(c, 0));
    return bp__infer_reduction(c, axes, keepdim);
}

static bp_value variance(bp_graph *g, bp_value x, const bp_dims *axes, bool keepdim, double correction) {
    bp_dtype dtype = bp_value_dtype(x);
    bp_value n = bp__count_value(x, axes, dtype), zero = bp__k(g, dtype, 0);
    bp_value d = bp_sub(x, bp_div(bp__sum_axes(x, *axes, true), n));
    bp_value divisor = bp_maximum(bp_sub(n, bp__k(g, dtype, correction)), zero);
    return bp_div(bp__sum_axes(bp_mul(d, d), *axes, keepdim), divisor);
}

static bp_status var_infer(bp__infer *c) {
    struct bp__var_attrs *a = c->attrs;
    return infer(c, &a->axes, a->keepdim != 0);
}
static bp_status std_infer(bp__infer *c) {
    struct bp__std_attrs *a = c->attrs;
    return infer(c, &a->axes, a->keepdim != 0);
}
static bp_value var_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__var_attrs *a = attrs;
    return variance(g, in[0], &a->axes, a->keepdim != 0, a->correction);
}
static bp_value std_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__std_attrs *a = attrs;
    return bp__sqrt0(variance(g, in[0], &a->axes, a->keepdim != 0, a->correction));
}

static const struct bp__var_attrs v_all = {.axes = {.n = -1}, .correction = 1}, v_first = {.axes = {1, {0}}, .correction = 0},
                                  v_kept = {.axes = {2, {-1, 0}}, .keepdim = 1, .correction = 1.5};
static const bp__sample var_samples[] = {{.attrs = &v_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                         {.attrs = &v_first, .n_in = 1, .in = {BP__F(-2, 2, 2, {7, 3})}},
                                         {.attrs = &v_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}}};
static const struct bp__std_attrs s_all = {.axes = {.n = -1}, .correction = 1}, s_first = {.axes = {1, {0}}, .correction = 0},
                                  s_kept = {.axes = {2, {-1, 0}}, .keepdim = 1, .correction = 1.5};
static const bp__sample std_samples[] = {{.attrs = &s_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                         {.attrs = &s_first, .n_in = 1, .in = {BP__F(-2, 2, 2, {7, 3})}},
                                         {.attrs = &s_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}}};

const bp__op_def bp__def_var = {BP__SIGNATURE(var),
                                .family = "reductions",
                                .formula = "y = sum((x - mean)^2) / max(0, n - correction) over `axes`",
                                .infer = var_infer,
                                .decompose = var_decompose,
                                .samples = var_samples,
                                .n_samples = BP__COUNT(var_samples)};
const bp__op_def bp__def_std = {BP__SIGNATURE(std),
                                .family = "reductions",
                                .formula = "y = sqrt(sum((x - mean)^2) / max(0, n - correction)) over `axes`",
                                .infer = std_infer,
                                .decompose = std_decompose,
                                .samples = std_samples,
                                .n_samples = BP__COUNT(std_samples)};
