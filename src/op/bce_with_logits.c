/* weight [(1 - t) x - (1 + (pos_weight - 1) t) log sigmoid(x)], reduced: binary cross entropy of sigmoid(x), stable for any x
   (PyTorch's binary_cross_entropy_with_logits). log sigmoid and not its parts, so that the gradient is right at x = 0. */
#include "op/loss.h"

static bp_status infer(bp__infer *c) {
    const struct bp__bce_with_logits_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    for (int i = 2; i < c->n_in; i++) {
        if (!c->in[i]) continue;
        const char *name = i == 2 ? "weight" : "pos_weight";
        if (c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "%s is %s where x is %s: use cast", name, bp_dtype_name(c->in[i]->dtype),
                                  bp_dtype_name(c->in[0]->dtype));
        bp_dims d = *x;
        bool fits = c->in[i]->dims.n <= x->n && bp__infer_broadcast(c, &d, &c->in[i]->dims);
        for (int64_t k = 0; fits && k < x->n; k++) fits = d.dim[k] == x->dim[k];
        if (!fits)
            return bp__infer_fail(c, BP_SHAPE, "%s %s does not broadcast to x %s", name, bp__infer_shape(c, i),
                                  bp__infer_shape(c, 0));
    }
    return bp__loss_infer_pair(c, a->reduction);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    const struct bp__bce_with_logits_attrs *a = attrs;
    bp_value x = in[0], t = in[1], one = bp__k(g, bp_value_dtype(x), 1), log_p = bp_log_sigmoid(x);
    if (n_in > 3 && in[3].graph) log_p = bp_mul(bp_add(bp_mul(bp_sub(in[3], one), t), one), log_p);
    bp_value each = bp_sub(bp_mul(bp_sub(one, t), x), log_p);
    if (n_in > 2 && in[2].graph) each = bp_mul(each, in[2]);
    return bp__loss_reduce(each, a->reduction);
}

static const struct bp__bce_with_logits_attrs sum = {.reduction = "sum"}, none = {.reduction = "none"};
static const bp__sample samples[] = {
    {.n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT, BP__ABSENT}},
    {.attrs = &sum, .n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__F(0.5, 2, 2, {3, 1}), BP__ABSENT}},
    {.attrs = &none, .n_in = 4, .in = {BP__F(-3, 3, 2, {3, 5}), BP__F(0, 1, 2, {3, 5}), BP__ABSENT, BP__F(0.5, 2, 1, {5})}},
    {.n_in = 4, .in = {BP__F(-30, 30, 1, {17}), BP__F(0, 1, 1, {17}), BP__F(0.5, 2, 1, {17}), BP__F(0.5, 2, 1, {1})}},
};

const bp__op_def bp__def_bce_with_logits = {BP__SIGNATURE(bce_with_logits),
                                            .family = "losses",
                                            .formula = "weight ((1 - t) x - (1 + (pos_weight - 1) t) log(sigmoid(x))), reduced",
                                            .infer = infer,
                                            .decompose = decompose,
                                            .samples = samples,
                                            .n_samples = BP__COUNT(samples)};
