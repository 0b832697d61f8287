/* dropout:          y = u >= p ? x / (1 - p) : 0 with u uniform in [0, 1) (Srivastava et al., "Dropout", JMLR 2014; scaled while
                     training, as PyTorch does). p is a value, so that a schedule can move it; at p = 1 everything is 0, the
                     gradient too.
   dropout1d, 2d, 3d: one u for each channel of [batch, channels, …] with one, two or three more axes. */
#include "op/dropout.h"

bp_status bp__dropout_infer(bp__infer *c, const char *stream, int rank) {
    const bp_dims *x = &c->in[0]->dims, *p = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, stream));
    if (rank > 0 && x->n != rank)
        return bp__infer_fail(c, BP_SHAPE, "x must be [batch, channels, ...] with %d axes, not %s", rank, bp__infer_shape(c, 0));
    if (rank < 0 && x->n < 2)
        return bp__infer_fail(c, BP_SHAPE, "x must be [batch, channels, ...], not %s", bp__infer_shape(c, 0));
    if (c->in[1]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "p is %s where x is %s: use cast", bp_dtype_name(c->in[1]->dtype),
                              bp_dtype_name(c->in[0]->dtype));
    for (int64_t i = 0; i < p->n; i++)
        if (p->dim[i] != 1 || p->n > x->n)
            return bp__infer_fail(c, BP_SHAPE, "p must be a single number, not of shape %s", bp__infer_shape(c, 1));
    return bp__infer_same(c);
}

bp_value bp__dropout_kept(bp_value x, bp_value p, const char *stream, bool by_channel) {
    bp_dims d = bp_value_dims(x);
    if (!by_channel) return bp_ge(bp_random_uniform(x, stream), p);
    for (int64_t i = 2; i < d.n; i++) d.dim[i] = 1;
    return bp_ge(bp_random_uniform(bp_fill(bp__k_like(x, 0), d), stream), p);
}

bp_value bp__dropout_scaled(bp_value x, bp_value p, bp_value kept) {
    bp_value zero = bp__k_like(x, 0), one = bp__k_like(x, 1), keep = bp_sub(one, p);
    keep = bp_where(bp_gt(keep, zero), keep, one);
    return bp_where(kept, bp_div(x, keep), zero);
}

#define DROPOUT(name, rank)                                                                              \
    static bp_status name##_infer(bp__infer *c) {                                                        \
        return bp__dropout_infer(c, ((const struct bp__##name##_attrs *)c->attrs)->stream, rank);        \
    }                                                                                                    \
    static bp_value name##_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) { \
        (void)g;                                                                                         \
        (void)n_in;                                                                                      \
        const char *stream = ((const struct bp__##name##_attrs *)attrs)->stream;                         \
        return bp__dropout_scaled(in[0], in[1], bp__dropout_kept(in[0], in[1], stream, (rank) > 0));     \
    }                                                                                                    \
    static const struct bp__##name##_attrs name##_test = {.stream = "test.dropout"};

DROPOUT(dropout, 0)
DROPOUT(dropout1d, 3)
DROPOUT(dropout2d, 4)
DROPOUT(dropout3d, 5)

static const bp__sample dropout_samples[] = {
    {.attrs = &dropout_test, .n_in = 2, .in = {BP__F(-2, 2, 2, {5, 7}), BP__F(0.3, 0.5, 0, {0})}},
    {.attrs = &dropout_test, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(0.1, 0.2, 1, {1})}}};
static const bp__sample dropout1d_samples[] = {
    {.attrs = &dropout1d_test, .n_in = 2, .in = {BP__F(-2, 2, 3, {3, 4, 2}), BP__F(0.3, 0.5, 0, {0})}}};
static const bp__sample dropout2d_samples[] = {
    {.attrs = &dropout2d_test, .n_in = 2, .in = {BP__F(-2, 2, 4, {3, 4, 2, 1}), BP__F(0.3, 0.5, 0, {0})}}};
static const bp__sample dropout3d_samples[] = {
    {.attrs = &dropout3d_test, .n_in = 2, .in = {BP__F(-2, 2, 5, {3, 4, 1, 2, 1}), BP__F(0.3, 0.5, 0, {0})}}};

const bp__op_def bp__def_dropout = {BP__SIGNATURE(dropout),
                                    .family = "random",
                                    .formula = "y = u >= p ? x / (1 - p) : 0, u uniform in [0, 1)",
                                    .flags = BP__OP_RANDOM,
                                    .infer = dropout_infer,
                                    .decompose = dropout_decompose,
                                    .samples = dropout_samples,
                                    .n_samples = BP__COUNT(dropout_samples)};
const bp__op_def bp__def_dropout1d = {BP__SIGNATURE(dropout1d),
                                      .family = "random",
                                      .formula = "dropout of whole channels of x [batch, channels, length]",
                                      .flags = BP__OP_RANDOM,
                                      .infer = dropout1d_infer,
                                      .decompose = dropout1d_decompose,
                                      .samples = dropout1d_samples,
                                      .n_samples = BP__COUNT(dropout1d_samples)};
const bp__op_def bp__def_dropout2d = {BP__SIGNATURE(dropout2d),
                                      .family = "random",
                                      .formula = "dropout of whole channels of x [batch, channels, height, width]",
                                      .flags = BP__OP_RANDOM,
                                      .infer = dropout2d_infer,
                                      .decompose = dropout2d_decompose,
                                      .samples = dropout2d_samples,
                                      .n_samples = BP__COUNT(dropout2d_samples)};
const bp__op_def bp__def_dropout3d = {BP__SIGNATURE(dropout3d),
                                      .family = "random",
                                      .formula = "dropout of whole channels of x [batch, channels, depth, height, width]",
                                      .flags = BP__OP_RANDOM,
                                      .infer = dropout3d_infer,
                                      .decompose = dropout3d_decompose,
                                      .samples = dropout3d_samples,
                                      .n_samples = BP__COUNT(dropout3d_samples)};
