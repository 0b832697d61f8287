/* weight [(1 - t) x - (1 + (pos_weight - 1) t) log sigmoid(x)], reduced: binary cross entropy of sigmoid(x), stable for any x
   (PyTorch's binary_cross_entropy_with_logits). log sigmoid and not its parts, so that the gradient is right at x = 0. */
#include "op/loss.h"

static bp_value bce_with_logits_each(const struct bp__bce_with_logits_attrs *a, const bp_value *in) {
    (void)a;
    bp_value x = in[0], t = in[1], one = bp__k_like(x, 1), log_p = bp_log_sigmoid(x);
    if (in[3].graph) log_p = bp_mul(bp_add(bp_mul(bp_sub(in[3], one), t), one), log_p);
    bp_value each = bp_sub(bp_mul(bp_sub(one, t), x), log_p);
    return in[2].graph ? bp_mul(each, in[2]) : each;
}

static bp_status bce_with_logits_infer(bp__infer *c) {
    BP_TRY(bp__loss_infer_factor(c, 2));
    BP_TRY(bp__loss_infer_factor(c, 3));
    return bp__loss_infer_pair(c);
}

static const struct bp__bce_with_logits_attrs sum = {.reduction = "sum"}, none = {.reduction = "none"};
static const bp__sample bce_with_logits_samples[] = {
    {.n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT, BP__ABSENT}},
    {.attrs = &sum, .n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__F(0.5, 2, 2, {3, 1}), BP__ABSENT}},
    {.attrs = &none, .n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT, BP__F(0.5, 2, 1, {5})}},
    {.n_in = 4, .in = {BP__F(-30, 30, 1, {17}), BP__F(0, 1, 1, {17}), BP__F(0.5, 2, 1, {17}), BP__F(0.5, 2, 1, {1})}},
};

BP__LOSS(bce_with_logits, "weight ((1 - t) x - (1 + (pos_weight - 1) t) log(sigmoid(x))), reduced", bce_with_logits_infer)
