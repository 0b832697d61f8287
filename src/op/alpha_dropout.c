/* alpha_dropout:         y = a (u >= p ? x : alpha) + b, alpha = -1.758… the value that selu goes to at -inf, a = 1 / sqrt((1 -
   p) (1 + p alpha²)), b = -a p alpha: mean 0 and variance 1 stay (Klambauer et al., "Self-normalizing neural networks", NeurIPS
   2017). At p = 1 everything is 0. feature_alpha_dropout: one u for each channel of [batch, channels, …]. */
#include "op/dropout.h"

static const double alpha = -1.7580993408473766;

static bp_value decompose(bp_value x, bp_value p, bp_value kept) {
    bp_value one = bp__k_like(x, 1), zero = bp__k_like(x, 0), none = bp_ge(p, one), q = bp_where(none, zero, p);
    bp_value a = bp_rsqrt(bp_mul(bp_sub(one, q), bp_add(one, bp__mul_k(q, alpha * alpha))));
    bp_value b = bp__mul_k(bp_mul(a, q), -alpha);
    bp_value y = bp_add(bp_mul(a, bp_where(kept, x, bp__k_like(x, alpha))), b);
    return bp_where(none, zero, y);
}

static bp_status alpha_infer(bp__infer *c) {
    return bp__dropout_infer(c, ((const struct bp__alpha_dropout_attrs *)c->attrs)->stream, 0);
}
static bp_status feature_infer(bp__infer *c) {
    return bp__dropout_infer(c, ((const struct bp__feature_alpha_dropout_attrs *)c->attrs)->stream, -1);
}
static bp_value alpha_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__alpha_dropout_attrs *a = attrs;
    return decompose(in[0], in[1], bp__dropout_kept(in[0], in[1], a->stream, false));
}
static bp_value feature_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__feature_alpha_dropout_attrs *a = attrs;
    return decompose(in[0], in[1], bp__dropout_kept(in[0], in[1], a->stream, true));
}

static const struct bp__alpha_dropout_attrs test = {.stream = "test.alpha_dropout"};
static const bp__sample alpha_samples[] = {{.attrs = &test, .n_in = 2, .in = {BP__F(-2, 2, 2, {5, 7}), BP__F(0.3, 0.5, 0, {0})}},
                                           {.attrs = &test, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(0.1, 0.2, 1, {1})}}};
static const struct bp__feature_alpha_dropout_attrs feature = {.stream = "test.alpha_dropout"};
static const bp__sample feature_samples[] = {
    {.attrs = &feature, .n_in = 2, .in = {BP__F(-2, 2, 3, {3, 4, 2}), BP__F(0.3, 0.5, 0, {0})}},
    {.attrs = &feature, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), BP__F(0.3, 0.5, 0, {0})}}};

const bp__op_def bp__def_alpha_dropout = {BP__SIGNATURE(alpha_dropout),
                                          .family = "random",
                                          .formula = "y = a * (u >= p ? x : -1.758) + b, mean and variance kept",
                                          .flags = BP__OP_RANDOM,
                                          .infer = alpha_infer,
                                          .decompose = alpha_decompose,
                                          .samples = alpha_samples,
                                          .n_samples = BP__COUNT(alpha_samples)};
const bp__op_def bp__def_feature_alpha_dropout = {BP__SIGNATURE(feature_alpha_dropout),
                                                  .family = "random",
                                                  .formula = "alpha_dropout of whole channels of x [batch, channels, ...]",
                                                  .flags = BP__OP_RANDOM,
                                                  .infer = feature_infer,
                                                  .decompose = feature_decompose,
                                                  .samples = feature_samples,
                                                  .n_samples = BP__COUNT(feature_samples)};
