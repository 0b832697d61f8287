/* y = softmax((x + gumbel) / tau) along `axis`, gumbel = -log(e), e exponential (Jang, Gu and Poole, "Categorical
   reparameterization with Gumbel-softmax", ICLR 2017). hard: one-hot of the largest, with the gradient of the soft y
   (straight-through), as in PyTorch: no gradient check has samples of it. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__gumbel_softmax_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, a->stream));
    BP_TRY(bp__infer_one_axis(c, &a->axis));
    if (!(a->tau > 0)) return bp__infer_fail(c, BP_INVALID, "tau must be more than 0, not %g", a->tau);
    return bp__infer_same(c);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__gumbel_softmax_attrs *a = attrs;
    bp_value x = in[0], gumbel = bp_neg(bp_log(bp__exponential(x, a->stream)));
    bp_dims d = bp_value_dims(x);
    bp_value y = bp_softmax(bp_div(bp_add(x, gumbel), bp__k(g, bp_value_dtype(x), a->tau)), a->axis);
    if (!a->hard) return y;
    bp_argmax_options keep = {sizeof keep, a->axis, 1};
    bp_value place = bp__along(bp__count_from(x, 0, d.dim[a->axis]), a->axis, d.n);
    bp_value hard = bp_cast(bp_eq(place, bp_argmax(y, &keep)), bp_value_dtype(x));
    return bp_add(bp_sub(hard, bp_stop_gradient(y)), y);
}

static const struct bp__gumbel_softmax_attrs plain = {.stream = "test.gumbel", .tau = 1, .axis = -1},
                                             cool = {.stream = "test.gumbel", .tau = 0.7, .axis = 0};
static const bp__sample samples[] = {{.attrs = &plain, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &cool, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 2})}}};

const bp__op_def bp__def_gumbel_softmax = {BP__SIGNATURE(gumbel_softmax),
                                           .family = "random",
                                           .formula = "y = softmax((x + gumbel noise) / tau) along `axis`",
                                           .flags = BP__OP_RANDOM,
                                           .infer = infer,
                                           .decompose = decompose,
                                           .samples = samples,
                                           .n_samples = BP__COUNT(samples)};
