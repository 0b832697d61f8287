/* Losses of probabilities, labels and ranks. bce and kl_div as PyTorch's, focal as torchvision's sigmoid_focal_loss (Lin et al.,
   2017) and its form for classes, dice as Keras 3's, tversky after Salehi et al., 2017 (alpha on false positives; Keras 3
   exchanges the two), corn after Shi, Cao and Raschka, 2021. */
#include "op/loss.h"
#include <math.h>
#include <string.h>

/* ---- bce ---- */

/* max(log x, -100), and no infinity on the way back. */
static bp_value log_bounded(bp_value x, bool of_the_rest) {
    bp_value one = bp__k_like(x, 1), zero = bp__k_like(x, 0), least = bp__k_like(x, -100);
    bp_value inside = of_the_rest ? bp_lt(x, one) : bp_gt(x, zero);
    bp_value l = of_the_rest ? bp_log1p(bp_neg(bp_where(inside, x, zero))) : bp_log(bp_where(inside, x, one));
    return bp_where(inside, bp_maximum(l, least), least);
}
static bp_value bce_each(const struct bp__bce_attrs *a, const bp_value *in) {
    (void)a;
    bp_value t = in[1], yes = bp_mul(t, log_bounded(in[0], false)), no = bp_mul(bp__k_minus(1, t), log_bounded(in[0], true));
    bp_value each = bp_neg(bp_add(yes, no));
    return in[2].graph ? bp_mul(each, in[2]) : each;
}
static bp_status bce_infer(bp__infer *c) {
    BP_TRY(bp__loss_infer_factor(c, 2));
    return bp__loss_infer_pair(c);
}
static const struct bp__bce_attrs bce_sum = {.reduction = "sum"}, bce_none = {.reduction = "none"};
static const bp__sample bce_samples[] = {
    {.n_in = 3, .in = {BP__F(0.1, 0.9, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT}},
    {.attrs = &bce_sum, .n_in = 3, .in = {BP__F(0.1, 0.9, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__F(0.5, 2, 2, {3, 1})}},
    {.attrs = &bce_none, .n_in = 3, .in = {BP__F(0.1, 0.9, 1, {17}), BP__F(0, 1, 1, {17}), BP__F(0.5, 2, 1, {17})}}};
BP__LOSS(bce, "-weight (target log(x) + (1 - target) log(1 - x)), logarithms at least -100, reduced", bce_infer)

/* ---- kl_div ---- */

static bp_value kl_div_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    const struct bp__kl_div_attrs *a = attrs;
    bp_value x = in[0], t = in[1], zero = bp__k_like(t, 0), none = bp_eq(t, zero);
    bp_value entropy = bp_where(none, zero, bp_mul(t, bp_log(bp_where(none, bp__k_like(t, 1), t))));
    bp_value each = a->log_target ? bp_mul(bp_exp(t), bp_sub(t, x)) : bp_sub(entropy, bp_mul(t, x));
    if (strcmp(a->reduction, "batchmean") != 0) return bp__loss_reduce(each, a->reduction);
    return bp_div(bp__sum_all(each), bp__dim_value(x, 0, bp_value_dtype(x)));
}
static bp_status kl_div_infer(bp__infer *c) {
    struct bp__kl_div_attrs *a = c->attrs;
    if (!a->reduction || strcmp(a->reduction, "batchmean") != 0) return bp__loss_infer_pair(c);
    a->reduction = "sum"; /* the same shape */
    bp_status status = bp__loss_infer_pair(c);
    a->reduction = "batchmean";
    if (status == BP_OK && c->in[0]->dims.n == 0) return bp__infer_fail(c, BP_SHAPE, "batchmean needs an axis 0 of rows");
    return status;
}
static const struct bp__kl_div_attrs kl_div_sum = {.reduction = "sum", .log_target = 1}, kl_div_none = {.reduction = "none"},
                                     kl_div_batch = {.reduction = "batchmean"};
static const bp__sample kl_div_samples[] = {
    {.n_in = 2, .in = {BP__F(-3, 0, 2, {3, 5}), BP__F(0.1, 1, 2, {3, 5})}},
    {.attrs = &kl_div_sum, .n_in = 2, .in = {BP__F(-3, 0, 2, {3, 5}), BP__F(-3, 0, 2, {3, 5})}},
    {.attrs = &kl_div_none, .n_in = 2, .in = {BP__F(-3, 0, 1, {9}), BP__F(0.1, 1, 1, {9})}},
    {.attrs = &kl_div_batch, .n_in = 2, .in = {BP__F(-3, 0, 2, {7, 2}), BP__F(0.1, 1, 2, {7, 2})}}};
BP__LOSS_REDUCED(kl_div, "target (log(target) - x), with `log_target` e^target (target - x); reduced, \"batchmean\" too",
                 kl_div_infer)

/* ---- focal ---- */

static bp_value focal_each(const struct bp__focal_attrs *a, const bp_value *in) {
    bp_value x = in[0], t = in[1], gamma = bp__k_like(x, a->gamma);
    if (bp_value_dtype(t) == BP_I64) {
        bp_value log_p = bp__loss_picked(bp_log_softmax(x, 1), bp__loss_hot(x, t, BP_U8));
        bp_value each = bp_mul(bp_pow(bp_neg(bp_expm1(log_p)), gamma), bp_neg(log_p));
        return a->alpha < 0 ? each : bp__mul_k(each, a->alpha);
    }
    bp_value rest = bp__k_minus(1, t), p = bp_sigmoid(x), wrong = bp_add(bp_mul(p, rest), bp_mul(bp__k_minus(1, p), t));
    bp_value each = bp_mul(bp_pow(wrong, gamma), bp_sub(bp_mul(rest, x), bp_log_sigmoid(x)));
    if (a->alpha < 0) return each;
    return bp_mul(each, bp_add(bp__mul_k(t, a->alpha), bp__mul_k(rest, 1 - a->alpha)));
}
static bp_status focal_infer(bp__infer *c) {
    const struct bp__focal_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "alpha", a->alpha, -HUGE_VAL, true, 1));
    BP_TRY(bp__loss_infer_number(c, "gamma", a->gamma, 0, true, HUGE_VAL));
    return c->in[1]->dtype == BP_I64 ? bp__loss_infer_labels(c) : bp__loss_infer_pair(c);
}
static const struct bp__focal_attrs focal_sum = {.reduction = "sum", .alpha = -1, .gamma = 1.5},
                                    focal_none = {.reduction = "none", .alpha = 0.6, .gamma = 3},
                                    focal_plain = {.reduction = "sum", .alpha = -1, .gamma = 0};
static const bp__sample focal_samples[] = {
    {.n_in = 2, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5})}},
    {.attrs = &focal_sum, .n_in = 2, .in = {BP__F(-3, 3, 1, {17}), BP__F(0, 1, 1, {17})}},
    {.attrs = &focal_none, .n_in = 2, .in = {BP__F(-2, 2, 2, {5, 4}), BP__I(0, 4, 1, {5})}},
    {.attrs = &focal_plain, .n_in = 2, .in = {BP__F(-2, 2, 2, {7, 3}), BP__I(0, 3, 1, {7})}}};
BP__LOSS(focal,
         "-alpha_t (1 - p_t)^gamma log(p_t), p_t the probability of the truth: by sigmoid(x) for targets of x's shape, by "
         "softmax(x) for "
         "labels; alpha < 0: none; reduced",
         focal_infer)

/* ---- dice, tversky ---- */

static bp_status infer_overlap(bp__infer *c, bp_dims *axes) {
    BP_TRY(bp__loss_infer_pair(c));
    BP_TRY(bp__infer_axes(c, axes));
    bp_dims each;
    bp__reduced_dims(&each, &c->in[0]->dims, axes, false);
    return bp__loss_infer_out(c, each);
}
static bp_value dice_each(const struct bp__dice_attrs *a, const bp_value *in) {
    bp_value both = bp__sum_axes(bp_mul(in[0], in[1]), a->axes, false), all = bp__sum_axes(bp_add(in[0], in[1]), a->axes, false);
    return bp__k_minus(1, bp_div(bp__mul_k(both, 2), bp__add_k(all, a->eps)));
}
static bp_status dice_infer(bp__infer *c) { return infer_overlap(c, &((struct bp__dice_attrs *)c->attrs)->axes); }
static const struct bp__dice_attrs dice_sum = {.reduction = "sum", .axes = {1, {1}}, .eps = 0.3},
                                   dice_none = {.reduction = "none", .axes = {2, {0, -1}}, .eps = 1e-7};
static const bp__sample dice_samples[] = {
    {.n_in = 2, .in = {BP__F(0.1, 1, 2, {3, 5}), BP__F(0.1, 1, 2, {3, 5})}},
    {.attrs = &dice_sum, .n_in = 2, .in = {BP__F(0.1, 1, 2, {4, 3}), BP__F(0.1, 1, 2, {4, 3})}},
    {.attrs = &dice_none, .n_in = 2, .in = {BP__F(0.1, 1, 3, {2, 3, 4}), BP__F(0.1, 1, 3, {2, 3, 4})}}};
BP__LOSS(dice, "1 - 2 sum(x target) / (sum(x) + sum(target) + eps) over `axes`, reduced", dice_infer)

static bp_value tversky_each(const struct bp__tversky_attrs *a, const bp_value *in) {
    bp_value x = in[0], t = in[1], both = bp__sum_axes(bp_mul(x, t), a->axes, false);
    bp_value too_much = bp__sum_axes(bp_mul(x, bp__k_minus(1, t)), a->axes, false);
    bp_value missed = bp__sum_axes(bp_mul(bp__k_minus(1, x), t), a->axes, false);
    bp_value all = bp_add(both, bp_add(bp__mul_k(too_much, a->alpha), bp__mul_k(missed, a->beta)));
    return bp__k_minus(1, bp_div(both, bp__add_k(all, a->eps)));
}
static bp_status tversky_infer(bp__infer *c) { return infer_overlap(c, &((struct bp__tversky_attrs *)c->attrs)->axes); }
static const struct bp__tversky_attrs tversky_sum = {.reduction = "sum", .axes = {1, {1}}, .alpha = 0.3, .beta = 0.7, .eps = 0.3},
                                      tversky_none = {
                                          .reduction = "none", .axes = {2, {0, -1}}, .alpha = 0.9, .beta = 0.2, .eps = 1e-7};
static const bp__sample tversky_samples[] = {
    {.n_in = 2, .in = {BP__F(0.1, 1, 2, {3, 5}), BP__F(0.1, 1, 2, {3, 5})}},
    {.attrs = &tversky_sum, .n_in = 2, .in = {BP__F(0.1, 1, 2, {4, 3}), BP__F(0.1, 1, 2, {4, 3})}},
    {.attrs = &tversky_none, .n_in = 2, .in = {BP__F(0.1, 1, 3, {2, 3, 4}), BP__F(0.1, 1, 3, {2, 3, 4})}}};
BP__LOSS(tversky,
         "1 - s / (s + alpha sum(x (1 - target)) + beta sum((1 - x) target) + eps), s = sum(x target) over `axes`, reduced",
         tversky_infer)

/* ---- corn ---- */

/* Output k answers "is the rank above k?", and is asked only of rows whose rank is at least k. The mean is over questions. */
static bp_value corn_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__corn_attrs *a = attrs;
    bp_value x = in[0], rank = bp__unsqueeze(in[1], 1), k = bp__loss_count_to(g, bp_value_dims(x).dim[1]), asked = bp_ge(rank, k);
    bp_value each = bp_sub(bp_where(bp_gt(rank, k), bp__k_like(x, 0), x), bp_log_sigmoid(x));
    each = bp_where(asked, each, bp__k_like(x, 0));
    if (strcmp(a->reduction, "mean") != 0) return bp__loss_reduce(bp__sum_axis(each, 1, false), a->reduction);
    return bp_div(bp__sum_all(each), bp_cast(bp__sum_all(asked), bp_value_dtype(x)));
}
static bp_status corn_infer(bp__infer *c) {
    BP_TRY(bp__loss_infer_labels(c));
    if (c->in[0]->dims.dim[1] >= 1) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "x must be [n, ranks - 1] with a known number of ranks, not %s", bp__infer_shape(c, 0));
}
static const struct bp__corn_attrs corn_sum = {.reduction = "sum"}, corn_none = {.reduction = "none"};
static const bp__sample corn_samples[] = {{.n_in = 2, .in = {BP__F(-2, 2, 2, {6, 4}), BP__I(0, 5, 1, {6})}},
                                          {.attrs = &corn_sum, .n_in = 2, .in = {BP__F(-2, 2, 2, {9, 2}), BP__I(0, 3, 1, {9})}},
                                          {.attrs = &corn_none, .n_in = 2, .in = {BP__F(-9, 9, 2, {5, 3}), BP__I(0, 4, 1, {5})}}};
BP__LOSS_REDUCED(corn, "sum over k <= target of -log(sigmoid(x[k])) if k < target, else -log(sigmoid(-x[k])), reduced",
                 corn_infer)
