/* y = x; nothing flows back. */
#include "op/make.h"

static void forward(const bp__call *c) { bp__copy(c->env, &c->out[0], &c->in[0]); }

static bool view(bp__call *c, bp__tensor *out) {
    *out = c->in[0];
    out->data = NULL;
    return true;
}

static const bp__sample samples[] = {{.n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}}, {.n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_stop_gradient = {BP__SIGNATURE(stop_gradient),
                                          .family = "structure",
                                          .formula = "y = x, a constant for the chain rule",
                                          .flags = BP__OP_NO_GRADIENT,
                                          .infer = bp__infer_same,
                                          .forward = forward,
                                          .view = view,
                                          .samples = samples,
                                          .n_samples = BP__COUNT(samples)};
