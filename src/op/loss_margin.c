/* Losses that want a margin. PyTorch's formulas; hinge and squared_hinge Keras 3's, one loss for each element. Targets of signs
   are -1 or 1, as numbers of x's type or as i64. */
#include "op/loss.h"

/* target x, for targets -1 and 1 */
static bp_value agreement(const bp_value *in) { return bp_mul(bp__loss_target(in[0], in[1]), in[0]); }

static bp_value hinge_each(const struct bp__hinge_attrs *a, const bp_value *in) {
    (void)a;
    return bp_relu(bp__k_minus(1, agreement(in)));
}
static const struct bp__hinge_attrs hinge_sum = {.reduction = "sum"}, hinge_none = {.reduction = "none"};
static const bp__sample hinge_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-1, 1, 2, {3, 5})}},
    {.attrs = &hinge_sum, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(-1, 1, 1, {33})}},
    {.attrs = &hinge_none, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__I(-1, 2, 2, {3, 5})}}};
BP__LOSS(hinge, "max(1 - target x, 0), reduced", bp__loss_infer_signs)

static bp_value squared_hinge_each(const struct bp__squared_hinge_attrs *a, const bp_value *in) {
    (void)a;
    return bp_square(bp_relu(bp__k_minus(1, agreement(in))));
}
static const struct bp__squared_hinge_attrs squared_hinge_sum = {.reduction = "sum"}, squared_hinge_none = {.reduction = "none"};
static const bp__sample squared_hinge_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-1, 1, 2, {3, 5})}},
    {.attrs = &squared_hinge_sum, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(-1, 1, 1, {33})}},
    {.attrs = &squared_hinge_none, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__I(-1, 2, 2, {3, 5})}}};
BP__LOSS(squared_hinge, "max(1 - target x, 0)^2, reduced", bp__loss_infer_signs)

static bp_value soft_margin_each(const struct bp__soft_margin_attrs *a, const bp_value *in) {
    (void)a;
    return bp_neg(bp_log_sigmoid(agreement(in)));
}
static const struct bp__soft_margin_attrs soft_margin_sum = {.reduction = "sum"}, soft_margin_none = {.reduction = "none"};
static const bp__sample soft_margin_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-1, 1, 2, {3, 5})}},
    {.attrs = &soft_margin_sum, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(-1, 1, 1, {33})}},
    {.attrs = &soft_margin_none, .n_in = 2, .in = {BP__F(-30, 30, 2, {3, 5}), BP__I(-1, 2, 2, {3, 5})}}};
BP__LOSS(soft_margin, "log(1 + e^(-target x)), reduced", bp__loss_infer_signs)

/* Both terms count where the target is neither 1 nor -1, as in PyTorch. */
static bp_value hinge_embedding_each(const struct bp__hinge_embedding_attrs *a, const bp_value *in) {
    bp_value x = in[0], t = in[1], zero = bp__k_like(x, 0);
    bp_value apart = bp_where(bp_eq(t, bp__k_like(t, 1)), zero, bp_relu(bp__k_minus(a->margin, x)));
    return bp_add(apart, bp_where(bp_eq(t, bp__k_like(t, -1)), zero, x));
}
static const struct bp__hinge_embedding_attrs hinge_embedding_sum = {.reduction = "sum", .margin = 0.5},
                                              hinge_embedding_none = {.reduction = "none", .margin = 2};
static const bp__sample hinge_embedding_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__I(-1, 2, 2, {3, 5})}},
    {.attrs = &hinge_embedding_sum, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__I(-1, 2, 1, {33})}},
    {.attrs = &hinge_embedding_none, .n_in = 2, .in = {BP__F(-2, 2, 1, {9}), BP__I(-1, 2, 1, {9})}}};
BP__LOSS(hinge_embedding, "target 1: x; target -1: max(margin - x, 0); reduced", bp__loss_infer_signs)

static bp_value margin_ranking_each(const struct bp__margin_ranking_attrs *a, const bp_value *in) {
    return bp_relu(bp__k_minus(a->margin, bp_mul(bp__loss_target(in[0], in[2]), bp_sub(in[0], in[1]))));
}
static bp_status margin_ranking_infer(bp__infer *c) {
    if (c->in[2]->dtype != BP_I64) BP_TRY(bp__loss_infer_factor(c, 2));
    BP_TRY(bp__loss_infer_same_shape(c, 2));
    return bp__loss_infer_pair(c);
}
static const struct bp__margin_ranking_attrs margin_ranking_sum = {.reduction = "sum", .margin = 0.5},
                                             margin_ranking_none = {.reduction = "none", .margin = 2};
static const bp__sample margin_ranking_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5}), BP__F(-1, 1, 2, {3, 5})}},
    {.attrs = &margin_ranking_sum, .n_in = 3, .in = {BP__F(-2, 2, 1, {33}), BP__F(-2, 2, 1, {33}), BP__I(-1, 2, 1, {33})}},
    {.attrs = &margin_ranking_none, .n_in = 3, .in = {BP__F(-2, 2, 1, {9}), BP__F(-2, 2, 1, {9}), BP__I(-1, 2, 1, {9})}}};
BP__LOSS(margin_ranking, "max(margin - target (x1 - x2), 0), reduced", margin_ranking_infer)

static bp_value multi_margin_each(const struct bp__multi_margin_attrs *a, const bp_value *in) {
    bp_value x = in[0], hot = bp__loss_hot(x, in[1], BP_U8), own = bp__unsqueeze(bp__loss_picked(x, hot), 1);
    bp_value over = bp_relu(bp__add_k(bp_sub(x, own), a->margin));
    if (a->p == 2) over = bp_square(over);
    bp_value each = bp_div(bp__loss_picked(over, bp_logical_not(hot)), bp__dim_value(x, 1, bp_value_dtype(x)));
    return in[2].graph ? bp_mul(each, bp__loss_picked(in[2], hot)) : each;
}
static bp_status multi_margin_infer(bp__infer *c) {
    const struct bp__multi_margin_attrs *a = c->attrs;
    if (a->p != 1 && a->p != 2) return bp__infer_fail(c, BP_INVALID, "p must be 1 or 2, not %lld", (long long)a->p);
    BP_TRY(bp__loss_infer_labels(c));
    return bp__loss_infer_vector(c, 2, c->in[0]->dims.dim[1]);
}
static const struct bp__multi_margin_attrs multi_margin_sum = {.reduction = "sum", .p = 2, .margin = 0.5},
                                           multi_margin_none = {.reduction = "none", .p = 1, .margin = 2};
static const bp__sample multi_margin_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {5, 10}), BP__I(0, 10, 1, {5}), BP__ABSENT}},
    {.attrs = &multi_margin_sum, .n_in = 3, .in = {BP__F(-2, 2, 2, {9, 3}), BP__I(0, 3, 1, {9}), BP__F(0.5, 2, 1, {3})}},
    {.attrs = &multi_margin_none, .n_in = 3, .in = {BP__F(-2, 2, 2, {7, 4}), BP__I(0, 4, 1, {7}), BP__F(0.5, 2, 1, {4})}}};
BP__LOSS(multi_margin, "weight[t] sum over i != t of max(margin - x[t] + x[i], 0)^p / classes, reduced", multi_margin_infer)

/* The targets of a row are its labels before the first negative one. [n, j, i]: place j of the target against class i. */
static bp_value multilabel_margin_each(const struct bp__multilabel_margin_attrs *a, const bp_value *in) {
    (void)a;
    bp_value x = in[0], t = in[1], ends = bp_lt(t, bp__k_like(t, 0)), ended = bp_cast(ends, bp_value_dtype(x));
    int64_t classes = bp_value_dims(x).dim[1];
    bp_value any = bp_gt(bp__max_axis(ended, 1, false), bp__k_like(x, 0));
    bp_value length =
        bp_where(any, bp_argmax(ended, &(bp_argmax_options){sizeof(bp_argmax_options), 1, 0}), bp__k_like(t, (double)classes));
    bp_value valid = bp_lt(bp__loss_count_to(x.graph, classes), bp__unsqueeze(length, 1));
    bp_value hot = bp__one_hot_as(bp_where(valid, t, bp__k_like(t, -1)), classes, BP_U8), hits = bp__sum_axis(hot, 1, true);
    bp_value other = bp_logical_and(bp__unsqueeze(valid, 2), bp_eq(hits, bp__k_like(hits, 0)));
    bp_value row = bp__unsqueeze(x, 1), own = bp__unsqueeze(bp__loss_picked(row, hot), 2);
    bp_value over = bp_where(other, bp_relu(bp__k_minus(1, bp_sub(own, row))), bp__k_like(x, 0));
    return bp__mul_k(bp__sum_axes(over, bp_shape(2, 1, 2), false), 1 / (double)classes);
}
static bp_status multilabel_margin_infer(bp__infer *c) {
    BP_TRY(bp__loss_infer_reduction(c, ((const struct bp__multilabel_margin_attrs *)c->attrs)->reduction));
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_need_i64(c, 1, "the target"));
    if (c->in[0]->dims.n != 2 || c->in[0]->dims.dim[1] < 1)
        return bp__infer_fail(c, BP_SHAPE, "x must be [n, classes] with a known number of classes, not %s",
                              bp__infer_shape(c, 0));
    BP_TRY(bp__loss_infer_same_shape(c, 1));
    return bp__loss_infer_out(c, bp_shape(1, c->in[0]->dims.dim[0]));
}
static const struct bp__multilabel_margin_attrs multilabel_margin_sum = {.reduction = "sum"},
                                                multilabel_margin_none = {.reduction = "none"};
static const bp__sample multilabel_margin_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {6, 4}), BP__I(-1, 4, 2, {6, 4})}},
    {.attrs = &multilabel_margin_sum, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__I(0, 3, 2, {3, 5})}},
    {.attrs = &multilabel_margin_none, .n_in = 2, .in = {BP__F(-2, 2, 2, {5, 3}), BP__I(-1, 3, 2, {5, 3})}}};
BP__LOSS(multilabel_margin,
         "sum over targets j and other classes i of max(1 - x[j] + x[i], 0) / classes; a row's targets end at -1; reduced",
         multilabel_margin_infer)

static bp_value multilabel_soft_margin_each(const struct bp__multilabel_soft_margin_attrs *a, const bp_value *in) {
    (void)a;
    bp_value x = in[0], t = in[1];
    bp_value each = bp_sub(bp_mul(bp__k_minus(1, t), x), bp_log_sigmoid(x)); /* -t log s(x) - (1 - t) log s(-x) */
    bp_mean_options o = bp_mean_defaults();
    o.axes = bp_shape(1, bp_value_dims(x).n - 1);
    return bp_mean(in[2].graph ? bp_mul(each, in[2]) : each, &o);
}
static bp_status multilabel_soft_margin_infer(bp__infer *c) {
    BP_TRY(bp__loss_infer_pair(c));
    bp_dims rows = c->in[0]->dims;
    if (rows.n-- < 1) return bp__infer_fail(c, BP_SHAPE, "x must have a class axis");
    BP_TRY(bp__loss_infer_factor(c, 2));
    return bp__loss_infer_out(c, rows);
}
static const struct bp__multilabel_soft_margin_attrs multilabel_soft_margin_sum = {.reduction = "sum"},
                                                     multilabel_soft_margin_none = {.reduction = "none"};
static const bp__sample multilabel_soft_margin_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT}},
    {.attrs = &multilabel_soft_margin_sum,
     .n_in = 3,
     .in = {BP__F(-2, 2, 2, {9, 3}), BP__F(0, 1, 2, {9, 3}), BP__F(0.5, 2, 1, {3})}},
    {.attrs = &multilabel_soft_margin_none,
     .n_in = 3,
     .in = {BP__F(-9, 9, 2, {7, 4}), BP__F(0, 1, 2, {7, 4}), BP__F(0.5, 2, 1, {4})}}};
BP__LOSS(multilabel_soft_margin, "mean over classes of -weight (t log(sigmoid(x)) + (1 - t) log(sigmoid(-x))), reduced",
         multilabel_soft_margin_infer)
