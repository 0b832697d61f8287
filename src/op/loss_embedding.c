/* Losses over vectors, which lie along the last axis. cosine_embedding and triplet_margin as PyTorch's; nt_xent after Chen et
   al., "A simple framework for contrastive learning", 2020. */
#include "op/loss.h"
#include <math.h>

static bp_value last_sum(bp_value x, bool keepdim) { return bp__sum_axis(x, bp_value_dims(x).n - 1, keepdim); }

/* in[0]'s shape without the last axis, in *rows. */
static bp_status infer_rows(bp__infer *c, bp_dims *rows) {
    BP_TRY(bp__loss_infer_reduction(c, *(const char *const *)c->attrs));
    BP_TRY(bp__infer_need_float(c, 0));
    *rows = c->in[0]->dims;
    if (rows->n-- > 0) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "%s must have an axis of components", c->node->op->in_names[0]);
}

/* ---- cosine_embedding ---- */

static bp_value cosine_embedding_each(const struct bp__cosine_embedding_attrs *a, const bp_value *in) {
    bp_value t = in[2], zero = bp__k_like(in[0], 0);
    bp_value norms =
        bp_mul(bp__add_k(last_sum(bp_square(in[0]), false), 1e-12), bp__add_k(last_sum(bp_square(in[1]), false), 1e-12));
    bp_value c = bp_div(last_sum(bp_mul(in[0], in[1]), false), bp_sqrt(norms));
    bp_value same = bp_where(bp_eq(t, bp__k_like(t, 1)), bp__k_minus(1, c), zero);
    return bp_add(same, bp_where(bp_eq(t, bp__k_like(t, -1)), bp_relu(bp__add_k(c, -a->margin)), zero));
}
static bp_status cosine_embedding_infer(bp__infer *c) {
    bp_dims rows;
    BP_TRY(infer_rows(c, &rows));
    BP_TRY(bp__loss_infer_pair(c));
    const bp__info *t = c->in[2];
    bool fits = (t->dtype == BP_I64 || t->dtype == c->in[0]->dtype) && t->dims.n == rows.n;
    for (int64_t i = 0; fits && i < rows.n; i++) fits = bp__infer_equal(c, rows.dim[i], t->dims.dim[i]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "the target %s must be -1 or 1 for each vector of x1 %s, of x1's type or i64",
                              bp__infer_shape(c, 2), bp__infer_shape(c, 0));
    return bp__loss_infer_out(c, rows);
}
static const struct bp__cosine_embedding_attrs cosine_embedding_sum = {.reduction = "sum", .margin = 0.2},
                                               cosine_embedding_none = {.reduction = "none", .margin = -0.5};
static const bp__sample cosine_embedding_samples[] = {
    {.n_in = 3, .in = {BP__F(0.2, 2, 2, {6, 3}), BP__F(0.2, 2, 2, {6, 3}), BP__I(-1, 2, 1, {6})}},
    {.attrs = &cosine_embedding_sum, .n_in = 3, .in = {BP__F(-2, 2, 2, {5, 4}), BP__F(-2, 2, 2, {5, 4}), BP__I(1, 2, 1, {5})}},
    {.attrs = &cosine_embedding_none, .n_in = 3, .in = {BP__F(-2, 2, 1, {5}), BP__F(-2, 2, 1, {5}), BP__I(-1, 0, 0, {0})}}};
BP__LOSS(cosine_embedding, "c = cosine of x1 and x2; target 1: 1 - c; target -1: max(c - margin, 0); reduced",
         cosine_embedding_infer)

/* ---- triplet_margin ---- */

/* |a - b + eps|_p, as PyTorch's pairwise_distance. */
static bp_value distance(const struct bp__triplet_margin_attrs *o, bp_value a, bp_value b) {
    bp_value d = bp__add_k(bp_sub(a, b), o->eps);
    if (o->p == 1) return last_sum(bp_abs(d), false);
    if (o->p == 2) return bp_sqrt(last_sum(bp_square(d), false));
    return bp_pow(last_sum(bp_pow(bp_abs(d), bp__k_like(d, o->p)), false), bp__k_like(d, 1 / o->p));
}
static bp_value triplet_margin_each(const struct bp__triplet_margin_attrs *a, const bp_value *in) {
    bp_value near = distance(a, in[0], in[1]), far = distance(a, in[0], in[2]);
    if (a->swap) far = bp_minimum(far, distance(a, in[1], in[2]));
    return bp_relu(bp__add_k(bp_sub(near, far), a->margin));
}
static bp_status triplet_margin_infer(bp__infer *c) {
    const struct bp__triplet_margin_attrs *a = c->attrs;
    bp_dims rows;
    BP_TRY(bp__loss_infer_number(c, "p", a->p, 0, false, HUGE_VAL));
    BP_TRY(infer_rows(c, &rows));
    BP_TRY(bp__loss_infer_pair(c));
    BP_TRY(bp__loss_infer_factor(c, 2));
    BP_TRY(bp__loss_infer_same_shape(c, 2));
    return bp__loss_infer_out(c, rows);
}
#define TRIPLE(...) .n_in = 3, .in = {BP__F(-2, 2, __VA_ARGS__), BP__F(-2, 2, __VA_ARGS__), BP__F(-2, 2, __VA_ARGS__)}
static const struct bp__triplet_margin_attrs
    triplet_margin_one = {.reduction = "sum", .margin = 2, .p = 1, .eps = 1e-6, .swap = 0},
    triplet_margin_swap = {.reduction = "none", .margin = 3, .p = 2, .eps = 0.1, .swap = 1},
    triplet_margin_three = {.reduction = "mean", .margin = 4, .p = 3, .eps = 1e-6, .swap = 0};
static const bp__sample triplet_margin_samples[] = {{TRIPLE(2, {5, 3})},
                                                    {.attrs = &triplet_margin_one, TRIPLE(2, {4, 5})},
                                                    {.attrs = &triplet_margin_swap, TRIPLE(2, {6, 3})},
                                                    {.attrs = &triplet_margin_three, TRIPLE(1, {5})}};
BP__LOSS(triplet_margin,
         "max(|anchor - positive + eps|_p - |anchor - negative + eps|_p + margin, 0); `swap`: the nearer of anchor and positive "
         "counts; reduced",
         triplet_margin_infer)

/* ---- nt_xent ---- */

/* All 2 n vectors, of length 1: each has to find its partner among the others. */
static bp_value nt_xent_each(const struct bp__nt_xent_attrs *a, const bp_value *in) {
    bp_value z = bp_concat(in, 2, 0), least = bp__k_like(z, 1e-12);
    int64_t n = bp_value_dims(in[0]).dim[0];
    z = bp_div(z, bp_maximum(bp_sqrt(last_sum(bp_square(z), true)), least));
    bp_value index = bp__loss_count_to(z.graph, 2 * n), itself = bp_eq(bp__unsqueeze(index, 1), index);
    bp_value s = bp__mul_k(bp_matmul(z, bp__transpose(z)), 1 / a->temperature);
    s = bp_where(itself, bp__k_like(s, -(double)INFINITY), s);
    bp_value half = bp__k_like(index, (double)n);
    return bp_softmax_cross_entropy(s, bp_where(bp_lt(index, half), bp_add(index, half), bp_sub(index, half)));
}
static bp_status nt_xent_infer(bp__infer *c) {
    const struct bp__nt_xent_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(bp__loss_infer_number(c, "temperature", a->temperature, 0, false, HUGE_VAL));
    BP_TRY(bp__loss_infer_pair(c));
    if (x->n != 2 || x->dim[0] < 1 || x->dim[0] > INT32_MAX)
        return bp__infer_fail(c, BP_SHAPE, "x1 must be [n, components] with a known n, not %s", bp__infer_shape(c, 0));
    return bp__loss_infer_out(c, bp_shape(1, 2 * x->dim[0]));
}
static const struct bp__nt_xent_attrs nt_xent_sum = {.reduction = "sum", .temperature = 0.2},
                                      nt_xent_none = {.reduction = "none", .temperature = 1.5};
static const bp__sample nt_xent_samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {4, 3}), BP__F(-2, 2, 2, {4, 3})}},
    {.attrs = &nt_xent_sum, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5})}},
    {.attrs = &nt_xent_none, .n_in = 2, .in = {BP__F(-2, 2, 2, {2, 4}), BP__F(-2, 2, 2, {2, 4})}}};
BP__LOSS(nt_xent, "cross entropy of cosine similarities / temperature: each of the 2 n vectors has to find its partner; reduced",
         nt_xent_infer)
