/* y = log Σ exp(x) along `axis`, stable: m + log Σ exp(x - m) with m the largest, held constant (it cancels). An infinite m
   is taken as 0, so that a row of -inf gives -inf and not NaN. */
#include "op/make.h"
#include <math.h>

static bp_status infer(bp__infer *c) {
    struct bp__logsumexp_attrs *a = c->attrs;
    bp_dims axes = {.n = 1, .dim = {a->axis}};
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dims.n == 0) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    BP_TRY(bp__infer_axes(c, &axes));
    a->axis = axes.dim[0];
    c->out[0].dtype = c->in[0]->dtype;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, &axes, a->keepdim != 0);
    return BP_OK;
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__logsumexp_attrs *a = attrs;
    bp_value x = in[0];
    bp_dtype dtype = bp_value_dtype(x);
    bp_value m = bp_stop_gradient(bp__max_axis(x, a->axis, true));
    m = bp_where(bp_eq(bp_abs(m), bp__k(g, dtype, (double)INFINITY)), bp__k(g, dtype, 0), m);
    bp_value y = bp_add(bp_log(bp__sum_axis(bp_exp(bp_sub(x, m)), a->axis, true)), m);
    if (a->keepdim) return y;
    bp_dims d = bp_value_dims(x), axes = {.n = 1, .dim = {a->axis}}, out;
    bp__reduced_dims(&out, &d, &axes, false);
    return bp_reshape(y, out);
}

static const struct bp__logsumexp_attrs last = {.axis = -1}, first_kept = {.axis = 0, .keepdim = 1};
static const bp__sample samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                     {.attrs = &first_kept, .n_in = 1, .in = {BP__F(-2, 2, 3, {7, 3, 2})}},
                                     {.attrs = &last, .n_in = 1, .in = {BP__F(-50, 50, 1, {5})}}};

const bp__op_def bp__def_logsumexp = {BP__SIGNATURE(logsumexp),
                                      .family = "reductions",
                                      .formula = "y = log(sum(exp(x))) along `axis`",
                                      .infer = infer,
                                      .decompose = decompose,
                                      .samples = samples,
                                      .n_samples = BP__COUNT(samples)};
