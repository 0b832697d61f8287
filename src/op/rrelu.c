/* y = x > 0 ? x : r x with r uniform in [lower, upper) for each element, of the step's random stream (Xu et al., 2015; PyTorch's
   F.rrelu in training). The slope of evaluation, (lower + upper) / 2, is leaky_relu's. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__rrelu_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    if (!a->stream || !a->stream[0]) return bp__infer_fail(c, BP_INVALID, "the stream needs a name, such as \"3.rrelu\"");
    if (!(a->lower <= a->upper))
        return bp__infer_fail(c, BP_INVALID, "lower must be at most upper, not %g and %g", a->lower, a->upper);
    return bp__infer_same(c);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    const struct bp__rrelu_attrs *a = attrs;
    bp_value slope = bp__add_k(bp__mul_k(bp_random_uniform(in[0], a->stream), a->upper - a->lower), a->lower);
    return bp_prelu(in[0], slope);
}

static const struct bp__rrelu_attrs plain = {.stream = "test.rrelu", .lower = 0.125, .upper = 1.0 / 3},
                                    other = {.stream = "test.rrelu", .lower = -0.5, .upper = 2};
static const bp__sample samples[] = {{.attrs = &plain, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 7})}},
                                     {.attrs = &other, .n_in = 1, .in = {BP__F(-2, -0.1, 1, {33})}}};

const bp__op_def bp__def_rrelu = {BP__SIGNATURE(rrelu),
                                  .family = "random",
                                  .formula = "y = x > 0 ? x : r x, r uniform in [lower, upper)",
                                  .flags = BP__OP_RANDOM,
                                  .infer = infer,
                                  .decompose = decompose,
                                  .samples = samples,
                                  .n_samples = BP__COUNT(samples)};
