/* y = numbers uniform in [0, 1), as many as x has elements, of x's type. They are a function of the seed, the step, the
   stream's name, the row's number within the step and the place in the row, and of nothing else (core/rng.h). */
#include "core/rng.h"
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__random_uniform_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, a->stream));
    return bp__infer_same(c);
}

static void forward(const bp__call *c) {
    const struct bp__random_uniform_attrs *a = c->attrs;
    bp__fill_uniform(c->env, bp__stream_id(a->stream), &c->out[0]);
}

static const struct bp__random_uniform_attrs test = {.stream = "test.uniform"};
static const bp__sample samples[] = {{.attrs = &test, .n_in = 1, .in = {BP__F(0, 1, 2, {5, 7})}},
                                     {.attrs = &test, .n_in = 1, .in = {BP__F(0, 1, 1, {33})}}};

const bp__op_def bp__def_random_uniform = {BP__SIGNATURE(random_uniform),
                                           .family = "random",
                                           .formula = "y = uniform in [0, 1), of x's shape",
                                           .flags = BP__OP_RANDOM | BP__OP_DIMS_ONLY | BP__OP_NO_GRADIENT,
                                           .infer = infer,
                                           .forward = forward,
                                           .samples = samples,
                                           .n_samples = BP__COUNT(samples)};
