/* (x - target)², reduced. */
#include "op/loss.h"

static bp_status infer(bp__infer *c) { return bp__loss_infer_pair(c, ((const struct bp__mse_attrs *)c->attrs)->reduction); }

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    bp_value d = bp_sub(in[0], in[1]);
    return bp__loss_reduce(bp_mul(d, d), ((const struct bp__mse_attrs *)attrs)->reduction);
}

static const struct bp__mse_attrs sum = {.reduction = "sum"}, none = {.reduction = "none"};
static const bp__sample samples[] = {{.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &sum, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(-2, 2, 1, {33})}},
                                     {.attrs = &none, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 1}), BP__F(-2, 2, 2, {3, 1})}}};

const bp__op_def bp__def_mse = {BP__SIGNATURE(mse),     .family = "losses", .formula = "(x - target)^2, reduced", .infer = infer,
                                .decompose = decompose, .samples = samples, .n_samples = BP__COUNT(samples)};
