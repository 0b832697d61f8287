/* y = u >= p ? x / (1 - p) : 0 with u uniform in [0, 1) (Srivastava et al., "Dropout", JMLR 2014; scaled while training, as
   PyTorch does). p is a value, so that a schedule can move it; at p = 1 everything is 0, the gradient too. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__dropout_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    if (!a->stream || !a->stream[0]) return bp__infer_fail(c, BP_INVALID, "the stream needs a name, such as \"3.dropout\"");
    if (c->in[1]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "p is %s where x is %s: use cast", bp_dtype_name(c->in[1]->dtype),
                              bp_dtype_name(c->in[0]->dtype));
    for (int64_t i = 0; i < c->in[1]->dims.n; i++)
        if (c->in[1]->dims.dim[i] != 1 || c->in[1]->dims.n > c->in[0]->dims.n)
            return bp__infer_fail(c, BP_SHAPE, "p must be a single number, not of shape %s", bp__infer_shape(c, 1));
    return bp__infer_same(c);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__dropout_attrs *a = attrs;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value zero = bp__k(g, dtype, 0), one = bp__k(g, dtype, 1), keep = bp_sub(one, in[1]);
    keep = bp_where(bp_gt(keep, zero), keep, one);
    return bp_where(bp_ge(bp_random_uniform(in[0], a->stream), in[1]), bp_div(in[0], keep), zero);
}

static const struct bp__dropout_attrs test = {.stream = "test.dropout"};
static const bp__sample samples[] = {{.attrs = &test, .n_in = 2, .in = {BP__F(-2, 2, 2, {5, 7}), BP__F(0.3, 0.5, 0, {0})}},
                                     {.attrs = &test, .n_in = 2, .in = {BP__F(-2, 2, 1, {33}), BP__F(0.1, 0.2, 1, {1})}}};

const bp__op_def bp__def_dropout = {BP__SIGNATURE(dropout),
                                    .family = "random",
                                    .formula = "y = u >= p ? x / (1 - p) : 0, u uniform in [0, 1)",
                                    .flags = BP__OP_RANDOM,
                                    .infer = infer,
                                    .decompose = decompose,
                                    .samples = samples,
                                    .n_samples = BP__COUNT(samples)};
