/* y = (Σ |x|^p)^(1/p) over `axes` (default: all); p = inf: the largest |x|, -inf: the smallest, 0: how many are not 0
   (PyTorch's vector_norm). The gradient at 0 is 0, as in PyTorch; among equal largest ones it is shared. */
#include "op/make.h"
#include <math.h>

static bp_status infer(bp__infer *c) {
    struct bp__norm_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    if (isnan(a->p)) return bp__infer_fail(c, BP_INVALID, "p must be a number (x is %s)", bp__infer_shape(c, 0));
    BP_TRY(bp__infer_reduction(c, &a->axes, a->keepdim != 0));
    return isinf(a->p) ? bp__infer_not_empty(c, &a->axes, "largest or smallest") : BP_OK;
}

/* x^p for x >= 0, a constant at 0. */
static bp_value power(bp_value x, double p) {
    bp_value none = bp_eq(x, bp__k_like(x, 0));
    return bp_where(none, bp__k_like(x, p < 0 ? (double)INFINITY : 0),
                    bp_pow(bp_where(none, bp__k_like(x, 1), x), bp__k_like(x, p)));
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__norm_attrs *a = attrs;
    bp_value x = in[0];
    if (isinf(a->p)) {
        bp_amax_options most = {sizeof most, a->axes, a->keepdim};
        bp_amin_options least = {sizeof least, a->axes, a->keepdim};
        return a->p > 0 ? bp_amax(bp_abs(x), &most) : bp_amin(bp_abs(x), &least);
    }
    if (a->p == 0) return bp__sum_axes(bp_cast(bp_ne(x, bp__k_like(x, 0)), bp_value_dtype(x)), a->axes, a->keepdim != 0);
    if (a->p == 1) return bp__sum_axes(bp_abs(x), a->axes, a->keepdim != 0);
    if (a->p == 2) return bp__sqrt0(bp__sum_axes(bp_square(x), a->axes, a->keepdim != 0));
    return power(bp__sum_axes(power(bp_abs(x), a->p), a->axes, a->keepdim != 0), 1 / a->p);
}

static const struct bp__norm_attrs two = {.p = 2, .axes = {.n = -1}}, one = {.p = 1, .axes = {1, {0}}},
                                   three = {.p = 3, .axes = {1, {-1}}, .keepdim = 1}, half = {.p = 0.5, .axes = {2, {0, 2}}},
                                   minus = {.p = -1.5, .axes = {1, {1}}}, largest = {.p = (double)INFINITY, .axes = {1, {1}}},
                                   smallest = {.p = -(double)INFINITY, .axes = {.n = -1}, .keepdim = 1};
static const bp__sample samples[] = {{.attrs = &two, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &one, .n_in = 1, .in = {BP__F(0.1, 2, 2, {7, 3})}},
                                     {.attrs = &three, .n_in = 1, .in = {BP__F(0.1, 2, 2, {2, 6})}},
                                     {.attrs = &half, .n_in = 1, .in = {BP__F(-2, -0.1, 3, {2, 3, 2})}},
                                     {.attrs = &minus, .n_in = 1, .in = {BP__F(0.5, 2, 2, {2, 3})}},
                                     {.attrs = &largest, .n_in = 1, .in = {BP__D(0.05, 0.1, 2, 2, {2, 6})}},
                                     {.attrs = &smallest, .n_in = 1, .in = {BP__D(0.05, -2, -0.1, 2, {2, 3})}}};

const bp__op_def bp__def_norm = {BP__SIGNATURE(norm),
                                 .family = "reductions",
                                 .formula = "y = sum(|x|^p)^(1/p) over `axes`",
                                 .infer = infer,
                                 .decompose = decompose,
                                 .samples = samples,
                                 .n_samples = BP__COUNT(samples)};
