/* y = log Σ exp(x) over `axes` (default, and an empty list: all, as for sum), stable: m + log Σ exp(x - m) with m the largest,
   held constant (it cancels). An infinite m is taken as 0, so that a row of -inf gives -inf and not NaN. */
#include "op/make.h"
#include <math.h>

static bp_status infer(bp__infer *c) {
    struct bp__logsumexp_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_reduction(c, &a->axes, a->keepdim != 0));
    return bp__infer_not_empty(c, &a->axes, "largest");
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__logsumexp_attrs *a = attrs;
    bp_value x = in[0];
    bp_dtype dtype = bp_value_dtype(x);
    bp_amax_options most = {sizeof most, a->axes, 1};
    bp_value m = bp_stop_gradient(bp_amax(x, &most));
    m = bp_where(bp_eq(bp_abs(m), bp__k(g, dtype, (double)INFINITY)), bp__k(g, dtype, 0), m);
    bp_value y = bp_add(bp_log(bp__sum_axes(bp_exp(bp_sub(x, m)), a->axes, true)), m);
    return bp__as_reduced(y, bp_value_dims(x), &a->axes, a->keepdim != 0);
}

static const struct bp__logsumexp_attrs last = {.axes = {1, {-1}}}, first_kept = {.axes = {1, {0}}, .keepdim = 1},
                                        two = {.axes = {2, {2, 0}}}, all = {.axes = {.n = -1}}, none = {.axes = {.n = 0}},
                                        all_kept = {.axes = {.n = -1}, .keepdim = 1};
static const bp__sample samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                     {.attrs = &first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                     {.attrs = &two, .n_in = 1, .in = {BP__F(-2, 2, 3, {4, 3, 2})}},
                                     {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 3})}},
                                     {.attrs = &none, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 3})}},
                                     {.attrs = &all_kept, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 5})}},
                                     {.attrs = &last, .n_in = 1, .in = {BP__F(-50, 50, 1, {5})}}};

const bp__op_def bp__def_logsumexp = {BP__SIGNATURE(logsumexp),
                                      .family = "reductions",
                                      .formula = "y = log(sum(exp(x))) over `axes`",
                                      .infer = infer,
                                      .decompose = decompose,
                                      .samples = samples,
                                      .n_samples = BP__COUNT(samples)};
