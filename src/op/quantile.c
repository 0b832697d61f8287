/* quantile: the value at place q (n - 1) of the n sorted elements over `axes` (default: all); between two places by
             `interpolation`: linear, lower, higher, midpoint or nearest (half to even), as PyTorch has them.
   median:   the lower of the two in the middle, as in PyTorch: quantile 0.5, lower.
   One NaN makes NaN. The gradient goes to the elements that the value is made of. */
#include "op/make.h"
#include <string.h>

static const char *const kinds[] = {"linear", "lower", "higher", "midpoint", "nearest"};

static bp_status infer(bp__infer *c, bp_dims *axes, bool keepdim) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_reduction(c, axes, keepdim));
    return bp__infer_not_empty(c, axes, "quantiles");
}

static bp_status quantile_infer(bp__infer *c) {
    struct bp__quantile_attrs *a = c->attrs;
    bool is_known = false;
    for (size_t i = 0; i < BP__COUNT(kinds); i++) is_known |= !strcmp(a->interpolation, kinds[i]);
    if (!is_known)
        return bp__infer_fail(c, BP_INVALID,
                              "interpolation must be \"linear\", \"lower\", \"higher\", \"midpoint\" or \"nearest\", not \"%s\"",
                              a->interpolation);
    if (!(a->q >= 0 && a->q <= 1)) return bp__infer_fail(c, BP_INVALID, "q must be from 0 to 1, not %g", a->q);
    return infer(c, &a->axes, a->keepdim != 0);
}
static bp_status median_infer(bp__infer *c) {
    struct bp__median_attrs *a = c->attrs;
    return infer(c, &a->axes, a->keepdim != 0);
}

/* The elements of a sorted [kept…, n] at one place, a scalar f64 that is whole: [kept…, 1]. */
static bp_value at(bp_value sorted, bp_value place) {
    bp_dims d = bp_value_dims(sorted);
    if (bp_is_bad(sorted)) return sorted;
    d.dim[d.n - 1] = 1;
    return bp_gather(sorted, bp_broadcast_to(bp_cast(place, BP_I64), d), d.n - 1);
}

static bp_value quantile(bp_graph *g, bp_value x, double q, const bp_dims *axes, bool keepdim, const char *kind) {
    bp_dtype dtype = bp_value_dtype(x);
    bp_value sorted = bp_sort(bp__axes_last(x, axes), NULL);
    bp_value last = bp_sub(bp__dim_value(sorted, bp_value_dims(sorted).n - 1, BP_F64), bp__k(g, BP_F64, 1));
    bp_value place = bp_mul(last, bp__k(g, BP_F64, q)), low = bp_floor(place), high = bp_ceil(place), y;
    if (!strcmp(kind, "lower"))
        y = at(sorted, low);
    else if (!strcmp(kind, "higher"))
        y = at(sorted, high);
    else if (!strcmp(kind, "nearest"))
        y = at(sorted, bp_round(place));
    else {
        bp_value weight = strcmp(kind, "midpoint") ? bp_cast(bp_sub(place, low), dtype) : bp__k(g, dtype, 0.5);
        y = bp_lerp(at(sorted, low), at(sorted, high), weight);
    }
    bp_value greatest = at(sorted, last); /* NaN is sorted to the end */
    return bp__as_reduced(bp_where(bp_is_nan(greatest), greatest, y), bp_value_dims(x), axes, keepdim);
}

static bp_value quantile_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__quantile_attrs *a = attrs;
    return quantile(g, in[0], a->q, &a->axes, a->keepdim != 0, a->interpolation);
}
static bp_value median_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__median_attrs *a = attrs;
    return quantile(g, in[0], 0.5, &a->axes, a->keepdim != 0, "lower");
}

static const struct bp__quantile_attrs q_linear = {.q = 0.3, .axes = {.n = -1}, .interpolation = "linear"},
                                       q_lower = {.q = 0.6, .axes = {1, {0}}, .interpolation = "lower"},
                                       q_higher = {.q = 0.6, .axes = {1, {-1}}, .keepdim = 1, .interpolation = "higher"},
                                       q_mid = {.q = 0.4, .axes = {2, {0, 2}}, .interpolation = "midpoint"},
                                       q_near = {.q = 0.9, .axes = {1, {1}}, .interpolation = "nearest"};
static const bp__sample quantile_samples[] = {{.attrs = &q_linear, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 5})}},
                                              {.attrs = &q_lower, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {4, 3})}},
                                              {.attrs = &q_higher, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {2, 6})}},
                                              {.attrs = &q_mid, .n_in = 1, .in = {BP__D(0.05, -2, 2, 3, {2, 3, 2})}},
                                              {.attrs = &q_near, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {2, 1})}}};
static const struct bp__median_attrs m_all = {.axes = {.n = -1}}, m_last = {.axes = {1, {-1}}, .keepdim = 1},
                                     m_first = {.axes = {1, {0}}};
static const bp__sample median_samples[] = {{.attrs = &m_all, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 5})}},
                                            {.attrs = &m_last, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 6})}},
                                            {.attrs = &m_first, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {7, 2})}}};

const bp__op_def bp__def_quantile = {BP__SIGNATURE(quantile),
                                     .family = "reductions",
                                     .formula = "y = sorted(x)[q * (n - 1)] over `axes`, interpolated",
                                     .infer = quantile_infer,
                                     .decompose = quantile_decompose,
                                     .samples = quantile_samples,
                                     .n_samples = BP__COUNT(quantile_samples)};
const bp__op_def bp__def_median = {BP__SIGNATURE(median),
                                   .family = "reductions",
                                   .formula = "y = middle of sorted(x) over `axes`, the lower of two",
                                   .infer = median_infer,
                                   .decompose = median_decompose,
                                   .samples = median_samples,
                                   .n_samples = BP__COUNT(median_samples)};
