/* |x - target|, reduced. The gradient at 0 is 0. */
#include "op/loss.h"

static bp_status infer(bp__infer *c) { return bp__loss_infer_pair(c, ((const struct bp__l1_attrs *)c->attrs)->reduction); }

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    return bp__loss_reduce(bp_abs(bp_sub(in[0], in[1])), ((const struct bp__l1_attrs *)attrs)->reduction);
}

/* The ranges are apart or far wider than a step of the gradient check. */
static const struct bp__l1_attrs sum = {.reduction = "sum"}, none = {.reduction = "none"};
static const bp__sample samples[] = {{.n_in = 2, .in = {BP__F(0, 2, 2, {3, 5}), BP__F(-2, -0.1, 2, {3, 5})}},
                                     {.attrs = &sum, .n_in = 2, .in = {BP__F(-2, 0, 1, {33}), BP__F(0.1, 2, 1, {33})}},
                                     {.attrs = &none, .n_in = 2, .in = {BP__F(1, 2, 2, {3, 1}), BP__F(-2, 0, 2, {3, 1})}}};

const bp__op_def bp__def_l1 = {BP__SIGNATURE(l1),      .family = "losses", .formula = "|x - target|, reduced", .infer = infer,
                               .decompose = decompose, .samples = samples, .n_samples = BP__COUNT(samples)};
