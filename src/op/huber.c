/* With d = x - target: |d| < delta ? d² / 2 : delta (|d| - delta / 2), reduced (Huber, 1964; as PyTorch's huber_loss). */
#include "op/loss.h"

static bp_status infer(bp__infer *c) {
    const struct bp__huber_attrs *a = c->attrs;
    if (!(a->delta > 0)) return bp__infer_fail(c, BP_INVALID, "delta must be greater than 0, not %g", a->delta);
    return bp__loss_infer_pair(c, a->reduction);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__huber_attrs *a = attrs;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value d = bp_sub(in[0], in[1]), size = bp_abs(d), half = bp__k(g, dtype, 0.5), delta = bp__k(g, dtype, a->delta);
    bp_value square = bp_mul(half, bp_mul(d, d)), line = bp_mul(delta, bp_sub(size, bp_mul(half, delta)));
    return bp__loss_reduce(bp_where(bp_lt(size, delta), square, line), a->reduction);
}

static const struct bp__huber_attrs wide = {.reduction = "mean", .delta = 10}, narrow = {.reduction = "sum", .delta = 0.25},
                                    none = {.reduction = "none", .delta = 1};
static const bp__sample samples[] = {{.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &wide, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(-2, 2, 1, {33})}},
                                     {.attrs = &narrow, .n_in = 2, .in = {BP__F(1, 2, 1, {9}), BP__F(-2, 0, 1, {9})}},
                                     {.attrs = &none, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 1}), BP__F(-2, 2, 2, {3, 1})}}};

const bp__op_def bp__def_huber = {BP__SIGNATURE(huber),
                                  .family = "losses",
                                  .formula = "d = x - target; |d| < delta ? d^2 / 2 : delta (|d| - delta / 2), reduced",
                                  .infer = infer,
                                  .decompose = decompose,
                                  .samples = samples,
                                  .n_samples = BP__COUNT(samples)};
