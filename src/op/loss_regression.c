/* Losses of numbers, each over d = x - target or the pair itself. PyTorch's formulas; log_cosh, mape and msle Keras 3's; quantile
   as scikit-learn's pinball loss (Koenker and Bassett, 1978), expectile after Newey and Powell (1987). */
#include "op/loss.h"
#include <math.h>

#define PAIR(lo, hi, ...) .n_in = 2, .in = {BP__F(lo, hi, __VA_ARGS__), BP__F(lo, hi, __VA_ARGS__)}
#define SAMPLES(name, lo, hi, ...) /* the three reductions; further samples follow */          \
    static const struct bp__##name##_attrs name##_sum = {.reduction = "sum", __VA_ARGS__},     \
                                           name##_none = {.reduction = "none", __VA_ARGS__};   \
    static const bp__sample name##_samples[] = {{PAIR(lo, hi, 2, {3, 5})},                     \
                                                {.attrs = &name##_sum, PAIR(lo, hi, 1, {33})}, \
                                                {.attrs = &name##_none, PAIR(lo, hi, 2, {3, 1})}};

static bp_value mse_each(const struct bp__mse_attrs *a, const bp_value *in) {
    (void)a;
    bp_value d = bp_sub(in[0], in[1]);
    return bp_mul(d, d);
}
SAMPLES(mse, -2, 2, )
BP__LOSS(mse, "(x - target)^2, reduced", bp__loss_infer_pair)

static bp_value l1_each(const struct bp__l1_attrs *a, const bp_value *in) {
    (void)a;
    return bp_abs(bp_sub(in[0], in[1]));
}
SAMPLES(l1, -2, 2, )
BP__LOSS(l1, "|x - target|, reduced", bp__loss_infer_pair)

/* Huber, "Robust estimation of a location parameter", 1964. */
static bp_value huber_each(const struct bp__huber_attrs *a, const bp_value *in) {
    bp_value d = bp_sub(in[0], in[1]), size = bp_abs(d), half = bp__k_like(d, 0.5), delta = bp__k_like(d, a->delta);
    bp_value square = bp_mul(half, bp_mul(d, d)), line = bp_mul(delta, bp_sub(size, bp_mul(half, delta)));
    return bp_where(bp_lt(size, delta), square, line);
}
static bp_status huber_infer(bp__infer *c) {
    const struct bp__huber_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "delta", a->delta, 0, false, HUGE_VAL));
    return bp__loss_infer_pair(c);
}
static const struct bp__huber_attrs huber_wide = {.reduction = "mean", .delta = 10},
                                    huber_narrow = {.reduction = "sum", .delta = 0.25},
                                    huber_none = {.reduction = "none", .delta = 1};
static const bp__sample huber_samples[] = {{PAIR(-2, 2, 2, {3, 5})},
                                           {.attrs = &huber_wide, PAIR(-2, 2, 1, {33})},
                                           {.attrs = &huber_narrow, .n_in = 2, .in = {BP__F(1, 2, 1, {9}), BP__F(-2, 0, 1, {9})}},
                                           {.attrs = &huber_none, PAIR(-2, 2, 2, {3, 1})}};
BP__LOSS(huber, "d = x - target; |d| < delta ? d^2 / 2 : delta (|d| - delta / 2), reduced", huber_infer)

static bp_value smooth_l1_each(const struct bp__smooth_l1_attrs *a, const bp_value *in) {
    bp_value d = bp_sub(in[0], in[1]), size = bp_abs(d);
    if (a->beta == 0) return size;
    bp_value square = bp__mul_k(bp_mul(d, d), 0.5 / a->beta);
    return bp_where(bp_lt(size, bp__k_like(d, a->beta)), square, bp__add_k(size, -0.5 * a->beta));
}
static bp_status smooth_l1_infer(bp__infer *c) {
    const struct bp__smooth_l1_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "beta", a->beta, 0, true, HUGE_VAL));
    return bp__loss_infer_pair(c);
}
static const struct bp__smooth_l1_attrs smooth_l1_zero = {.reduction = "sum", .beta = 0},
                                        smooth_l1_none = {.reduction = "none", .beta = 0.3};
static const bp__sample smooth_l1_samples[] = {
    {PAIR(-2, 2, 2, {3, 5})}, {.attrs = &smooth_l1_zero, PAIR(-2, 2, 1, {9})}, {.attrs = &smooth_l1_none, PAIR(-1, 1, 1, {33})}};
BP__LOSS(smooth_l1, "d = x - target; |d| < beta ? d^2 / (2 beta) : |d| - beta / 2, reduced", smooth_l1_infer)

/* d + softplus(-2 d) - log 2; softplus(-z) = -log_sigmoid(z). */
static bp_value log_cosh_each(const struct bp__log_cosh_attrs *a, const bp_value *in) {
    (void)a;
    bp_value d = bp_sub(in[0], in[1]);
    return bp__add_k(bp_sub(d, bp_log_sigmoid(bp__mul_k(d, 2))), -0.693147180559945309417);
}
SAMPLES(log_cosh, -2, 2, )
BP__LOSS(log_cosh, "log(cosh(x - target)), reduced", bp__loss_infer_pair)

static bp_value quantile_loss_each(const struct bp__quantile_loss_attrs *a, const bp_value *in) {
    bp_value e = bp_sub(in[1], in[0]);
    return bp_where(bp_ge(e, bp__k_like(e, 0)), bp__mul_k(e, a->q), bp__mul_k(e, a->q - 1));
}
static bp_status quantile_loss_infer(bp__infer *c) {
    const struct bp__quantile_loss_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "q", a->q, 0, true, 1));
    return bp__loss_infer_pair(c);
}
SAMPLES(quantile_loss, -2, 2, .q = 0.9)
BP__LOSS(quantile_loss, "e = target - x; e >= 0 ? q e : (q - 1) e, reduced", quantile_loss_infer)

static bp_value expectile_each(const struct bp__expectile_attrs *a, const bp_value *in) {
    bp_value e = bp_sub(in[1], in[0]), square = bp_mul(e, e);
    return bp_where(bp_ge(e, bp__k_like(e, 0)), bp__mul_k(square, a->tau), bp__mul_k(square, 1 - a->tau));
}
static bp_status expectile_infer(bp__infer *c) {
    const struct bp__expectile_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "tau", a->tau, 0, true, 1));
    return bp__loss_infer_pair(c);
}
SAMPLES(expectile, -2, 2, .tau = 0.9)
BP__LOSS(expectile, "e = target - x; (e >= 0 ? tau : 1 - tau) e^2, reduced", expectile_infer)

static bp_value mape_each(const struct bp__mape_attrs *a, const bp_value *in) {
    bp_value size = bp_maximum(bp_abs(in[1]), bp__k_like(in[1], a->eps));
    return bp__mul_k(bp_abs(bp_div(bp_sub(in[1], in[0]), size)), 100);
}
static bp_status mape_infer(bp__infer *c) {
    const struct bp__mape_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "eps", a->eps, 0, true, HUGE_VAL));
    return bp__loss_infer_pair(c);
}
SAMPLES(mape, 0.5, 2, .eps = 0.8)
BP__LOSS(mape, "100 |target - x| / max(|target|, eps), reduced", mape_infer)

static bp_value log_above(bp_value x, double least) { return bp_log1p(bp_maximum(x, bp__k_like(x, least))); }
static bp_value msle_each(const struct bp__msle_attrs *a, const bp_value *in) {
    bp_value d = bp_sub(log_above(in[0], a->eps), log_above(in[1], a->eps));
    return bp_mul(d, d);
}
static bp_status msle_infer(bp__infer *c) {
    const struct bp__msle_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "eps", a->eps, -1, false, HUGE_VAL));
    return bp__loss_infer_pair(c);
}
SAMPLES(msle, 0.3, 2, .eps = 0.8)
BP__LOSS(msle, "(log(1 + max(x, eps)) - log(1 + max(target, eps)))^2, reduced", msle_infer)

/* With `full`, Stirling's formula for log(target!) where target > 1. */
static bp_value poisson_nll_each(const struct bp__poisson_nll_attrs *a, const bp_value *in) {
    bp_value x = in[0], t = bp__loss_target(x, in[1]), one = bp__k_like(x, 1);
    bp_value each = a->log_input ? bp_sub(bp_exp(x), bp_mul(t, x)) : bp_sub(x, bp_mul(t, bp_log(bp__add_k(x, a->eps))));
    if (!a->full) return each;
    bp_value large = bp_gt(t, one), u = bp_where(large, t, one);
    bp_value stirling = bp_add(bp_sub(bp_mul(u, bp_log(u)), u), bp__mul_k(bp_log(bp__mul_k(u, 6.28318530717958647693)), 0.5));
    return bp_add(each, bp_where(large, stirling, bp__k_like(x, 0)));
}
static const struct bp__poisson_nll_attrs poisson_nll_plain = {.reduction = "sum", .log_input = 0, .full = 0, .eps = 0.25},
                                          poisson_nll_full = {.reduction = "none", .log_input = 1, .full = 1, .eps = 1e-8};
static const bp__sample poisson_nll_samples[] = {{PAIR(-2, 2, 2, {3, 5})},
                                                 {.attrs = &poisson_nll_plain, PAIR(0.5, 2, 1, {33})},
                                                 {.attrs = &poisson_nll_full, PAIR(0, 3, 2, {3, 5})},
                                                 {.n_in = 2, .in = {BP__F(-1, 1, 1, {5}), BP__I(0, 9, 1, {5})}}};
BP__LOSS(poisson_nll, "log_input ? e^x - target x : x - target log(x + eps), with `full` plus log(target!) by Stirling, reduced",
         bp__loss_infer_signs)

/* A variance below eps counts as eps, and its gradient passes as if it did not. */
static bp_value gaussian_nll_each(const struct bp__gaussian_nll_attrs *a, const bp_value *in) {
    bp_value v = in[2], d = bp_sub(in[0], in[1]), least = bp__k_like(v, a->eps);
    v = bp_where(bp_ge(v, least), v, bp_add(least, bp_sub(v, bp_stop_gradient(v))));
    bp_value each = bp__mul_k(bp_add(bp_log(v), bp_div(bp_mul(d, d), v)), 0.5);
    return a->full ? bp__add_k(each, 0.918938533204672741780) : each;
}
static bp_status gaussian_nll_infer(bp__infer *c) {
    const struct bp__gaussian_nll_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "eps", a->eps, 0, false, HUGE_VAL));
    BP_TRY(bp__loss_infer_factor(c, 2));
    return bp__loss_infer_pair(c);
}
static const struct bp__gaussian_nll_attrs gaussian_nll_full = {.reduction = "sum", .full = 1, .eps = 1e-6},
                                           gaussian_nll_none = {.reduction = "none", .full = 0, .eps = 1e-6};
static const bp__sample gaussian_nll_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5}), BP__F(0.5, 2, 2, {3, 5})}},
    {.attrs = &gaussian_nll_full, .n_in = 3, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5}), BP__F(0.5, 2, 2, {3, 1})}},
    {.attrs = &gaussian_nll_none, .n_in = 3, .in = {BP__F(-2, 2, 1, {9}), BP__F(-2, 2, 1, {9}), BP__F(0.5, 2, 0, {0})}}};
BP__LOSS(gaussian_nll, "v = max(var, eps); (log(v) + (x - target)^2 / v) / 2, with `full` plus log(2 pi) / 2, reduced",
         gaussian_nll_infer)
