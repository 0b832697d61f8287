/* sgd: g += weight_decay·p; buf = momentum·buf + (1 - dampening)·g, the first time buf = g; p -= lr·buf (nesterov:
   p -= lr·(g + momentum·buf)). */
#include "optim/optimizers.h"

void bp__optimizer_sgd(bp__update *u) {
    double momentum = bp__num(u, "momentum"), dampening = bp__num(u, "dampening");
    bp_value rate = bp_neg(u->lr);
    /* The weight of the gradient: 1 in the first step, where the buffer is still zero. */
    bp_value weight = dampening != 0 ? bp_where(bp_eq(u->before, bp__f64(u, 0)), u->one, bp__f64(u, 1 - dampening)) : u->one;
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        if (momentum != 0 || u->momentum.graph) {
            bp_value old = bp__moment(u, i, "momentum_buffer", bp_zeros());
            bp_value scaled = dampening != 0 ? bp_mul(bp__as(u, weight, p), g) : g;
            bp_value buffer = bp_add(bp__times_momentum(u, old, momentum), scaled);
            bp_assign(old, buffer);
            g = bp__yes(u, "nesterov") ? bp_add(g, bp__times_momentum(u, buffer, momentum)) : buffer;
        }
        bp_assign(p, bp_add(p, bp_mul(bp__as(u, rate, p), g)));
    }
}
