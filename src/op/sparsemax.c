/* Relatives of softmax that give exact zeros; both are found by sorting.
   sparsemax: y = max(x - tau, 0), tau such that Σ y = 1 along `axis` (Martins and Astudillo, "From softmax to sparsemax", ICML
              2016).
   entmax15:  y = max(x / 2 - tau, 0)² (Peters, Niculae and Martins, "Sparse sequence-to-sequence models", ACL 2019).
   The sorted values only say which elements are left; tau is then a formula of these, and its gradient is the closed form: with
   s = 1 (entmax15: sqrt(y)) where y > 0, d_x = s (d_y - Σ s d_y / Σ s). */
#include "op/make.h"

static bp_status infer(bp__infer *c, int64_t *axis) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_one_axis(c, axis));
    return bp__infer_same(c);
}
static bp_status sparsemax_infer(bp__infer *c) { return infer(c, &((struct bp__sparsemax_attrs *)c->attrs)->axis); }
static bp_status entmax15_infer(bp__infer *c) { return infer(c, &((struct bp__entmax15_attrs *)c->attrs)->axis); }

static bp_value sum(bp_value x, int64_t axis) { return bp__sum_axis(x, axis, true); }
static bp_value only(bp_value left, bp_value x) { return bp_where(left, x, bp__k_like(x, 0)); }

/* The elements of x in falling order, and the numbers 1, 2, … beside them. */
static bp_value falling(bp_value x, int64_t axis, bp_value *rank) {
    bp_sort_options o = {sizeof o, axis, 1};
    bp_dims d = bp_value_dims(x);
    bp_value sorted = bp_sort(x, &o);
    *rank = bp_cast(bp__along(bp__count_from(x, 1, d.dim[axis]), axis, d.n), bp_value_dtype(x));
    return sorted;
}
/* Where x is not smaller than the last of the sorted elements that satisfy `condition`; the first one always does. NaN stays. */
static bp_value support(bp_value x, bp_value sorted, bp_value condition, int64_t axis) {
    bp_value last = bp_sub(bp__sum_axis(bp_cast(condition, BP_I64), axis, true), bp__k(x.graph, BP_I64, 1));
    return bp_logical_not(bp_lt(x, bp_gather(sorted, last, axis)));
}

static bp_value sparsemax_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    int64_t axis = ((const struct bp__sparsemax_attrs *)attrs)->axis;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value one = bp__k(g, dtype, 1), x = bp_sub(in[0], bp_stop_gradient(bp__max_axis(in[0], axis, true))), rank;
    bp_value fixed = bp_stop_gradient(x), sorted = falling(fixed, axis, &rank);
    bp_value left = support(fixed, sorted, bp_gt(bp_add(one, bp_mul(rank, sorted)), bp_cumsum(sorted, axis)), axis);
    bp_value tau = bp_div(bp_sub(sum(only(left, x), axis), one), sum(bp_cast(left, dtype), axis));
    return only(left, bp_sub(x, tau));
}

static bp_value entmax15_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    int64_t axis = ((const struct bp__entmax15_attrs *)attrs)->axis;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value one = bp__k(g, dtype, 1), zero = bp__k(g, dtype, 0), rank;
    bp_value x = bp__mul_k(bp_sub(in[0], bp_stop_gradient(bp__max_axis(in[0], axis, true))), 0.5);
    bp_value fixed = bp_stop_gradient(x), sorted = falling(fixed, axis, &rank);
    /* tau of the first 1, 2, … elements: mean - sqrt((1 - rank (mean of squares - mean²)) / rank) */
    bp_value mean = bp_div(bp_cumsum(sorted, axis), rank), square = bp_div(bp_cumsum(bp_square(sorted), axis), rank);
    bp_value rest = bp_sub(one, bp_mul(rank, bp_sub(square, bp_square(mean))));
    bp_value taus = bp_sub(mean, bp_sqrt(bp_maximum(bp_div(rest, rank), zero)));
    bp_value left = support(fixed, sorted, bp_le(taus, sorted), axis);
    bp_value n = sum(bp_cast(left, dtype), axis), m = bp_div(sum(only(left, x), axis), n);
    bp_value scatter = sum(only(left, bp_square(bp_sub(x, m))), axis);
    bp_value tau = bp_sub(m, bp__sqrt0(bp_maximum(bp_div(bp_sub(one, scatter), n), zero)));
    return only(left, bp_square(bp_sub(x, tau)));
}

static const struct bp__sparsemax_attrs s_last = {.axis = -1}, s_first = {.axis = 0};
static const bp__sample sparsemax_samples[] = {{.attrs = &s_last, .n_in = 1, .in = {BP__D(0.03, -1, 1, 2, {3, 6})}},
                                               {.attrs = &s_first, .n_in = 1, .in = {BP__D(0.03, -1, 1, 3, {4, 2, 2})}},
                                               {.attrs = &s_last, .n_in = 1, .in = {BP__D(0.01, -0.1, 0.1, 1, {9})}}};
static const struct bp__entmax15_attrs e_last = {.axis = -1}, e_first = {.axis = 0};
static const bp__sample entmax15_samples[] = {{.attrs = &e_last, .n_in = 1, .in = {BP__D(0.03, -2, 2, 2, {3, 6})}},
                                              {.attrs = &e_first, .n_in = 1, .in = {BP__D(0.03, -1, 1, 3, {4, 2, 2})}},
                                              {.attrs = &e_last, .n_in = 1, .in = {BP__D(0.01, -0.1, 0.1, 1, {9})}}};

const bp__op_def bp__def_sparsemax = {BP__SIGNATURE(sparsemax),
                                      .family = "reductions",
                                      .formula = "y = max(x - tau, 0) with sum(y) = 1 along `axis`",
                                      .infer = sparsemax_infer,
                                      .decompose = sparsemax_decompose,
                                      .samples = sparsemax_samples,
                                      .n_samples = BP__COUNT(sparsemax_samples)};
const bp__op_def bp__def_entmax15 = {BP__SIGNATURE(entmax15),
                                     .family = "reductions",
                                     .formula = "y = max(x / 2 - tau, 0)^2 with sum(y) = 1 along `axis`",
                                     .infer = entmax15_infer,
                                     .decompose = entmax15_decompose,
                                     .samples = entmax15_samples,
                                     .n_samples = BP__COUNT(entmax15_samples)};
