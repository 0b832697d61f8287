/* y = Σ x / n over `axes` (default: all). n may be known only when sizes are; over nothing the mean is NaN, as in PyTorch. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__mean_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_axes(c, &a->axes));
    c->out[0].dtype = c->in[0]->dtype;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, &a->axes, a->keepdim != 0);
    return BP_OK;
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__mean_attrs *a = attrs;
    bp_value n = bp__count_value(in[0], &a->axes, bp_value_dtype(in[0]));
    return bp_div(bp__sum_axes(in[0], a->axes, a->keepdim != 0), n);
}

static const struct bp__mean_attrs all = {.axes = {.n = -1}}, first = {.axes = {1, {0}}},
                                   last_kept = {.axes = {1, {-1}}, .keepdim = 1}, two = {.axes = {2, {2, 0}}};
static const bp__sample samples[] = {
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
    {.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {7, 3})}},
    {.attrs = &last_kept, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 37})}},
    {.attrs = &two, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 3, 4, 2})}},
};

const bp__op_def bp__def_mean = {
    BP__SIGNATURE(mean),    .family = "reductions", .formula = "y = mean of x over `axes`", .infer = infer,
    .decompose = decompose, .samples = samples,     .n_samples = BP__COUNT(samples)};
