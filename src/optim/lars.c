/* lars (You, Gitman, Ginsburg, "Large batch training of convolutional networks", 2017; optax): s = g + weight_decay·p;
     m = momentum·m + lr·trust_coefficient·|p|/(|s| + eps)·s (factor lr where a norm is zero);
     p -= m (nesterov: the new step + momentum·m). */
#include "optim/optimizers.h"

void bp__optimizer_lars(bp__update *u) {
    double momentum = bp__num(u, "momentum");
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value rate = bp_mul(u->lr, bp__trust_ratio(u, p, g, bp__num(u, "trust_coefficient"), bp__num(u, "eps")));
        bp_value step = bp__scaled(u, g, rate);
        if (momentum > 0) {
            bp_value old = bp__moment(u, i, "momentum_buffer", bp_zeros()), buffer = bp_add(step, bp__mul_k(old, momentum));
            bp_assign(old, buffer);
            step = bp__yes(u, "nesterov") ? bp_add(step, bp__mul_k(buffer, momentum)) : buffer;
        }
        bp_assign(p, bp_sub(p, step));
    }
}
