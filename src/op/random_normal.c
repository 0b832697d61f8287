/* y = numbers of the standard normal distribution, as many as x has elements, of x's type; keyed as random_uniform's are. Others
   are mean + std * y. */
#include "core/rng.h"
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, ((const struct bp__random_normal_attrs *)c->attrs)->stream));
    return bp__infer_same(c);
}

static void forward(const bp__call *c) {
    bp__fill_normal(c->env, bp__stream_id(((const struct bp__random_normal_attrs *)c->attrs)->stream), &c->out[0]);
}

static const struct bp__random_normal_attrs test = {.stream = "test.normal"};
static const bp__sample samples[] = {{.attrs = &test, .n_in = 1, .in = {BP__F(0, 1, 2, {5, 70})}},
                                     {.attrs = &test, .n_in = 1, .in = {BP__F(0, 1, 1, {33})}}};

const bp__op_def bp__def_random_normal = {BP__SIGNATURE(random_normal),
                                          .family = "random",
                                          .formula = "y = standard normal, of x's shape",
                                          .flags = BP__OP_RANDOM | BP__OP_DIMS_ONLY | BP__OP_NO_GRADIENT,
                                          .infer = infer,
                                          .forward = forward,
                                          .samples = samples,
                                          .n_samples = BP__COUNT(samples)};
