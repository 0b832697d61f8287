/* rmsprop (Hinton's lecture 6e; centered: Graves 2013): v = alpha·v + (1 - alpha)·g·g; p -= lr·g / (sqrt(v) + eps). */
#include "optim/optimizers.h"

void bp__optimizer_rmsprop(bp__update *u) {
    double alpha = bp__num(u, "alpha"), eps = bp__num(u, "eps"), momentum = bp__num(u, "momentum");
    bp_value rate = bp_neg(u->lr);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value v_old = bp__moment(u, i, "square_avg", bp_zeros()), v = bp__decayed(v_old, alpha, g, g), spread = v;
        bp_assign(v_old, v);
        if (bp__yes(u, "centered")) {
            bp_value old = bp__moment(u, i, "grad_avg", bp_zeros()), mean = bp_lerp(old, g, bp__k_like(g, 1 - alpha));
            bp_assign(old, mean);
            spread = bp_sub(v, bp_mul(mean, mean));
        }
        bp_value denominator = bp__add_k(bp_sqrt(spread), eps);
        if (momentum > 0 || u->momentum.graph) {
            bp_value old = bp__moment(u, i, "momentum_buffer", bp_zeros());
            bp_value buffer = bp_add(bp__times_momentum(u, old, momentum), bp_div(g, denominator));
            bp_assign(old, buffer);
            bp_assign(p, bp_add(p, bp_mul(bp__as(u, rate, p), buffer)));
        } else {
            bp_assign(p, bp__addcdiv(p, bp__as(u, rate, p), g, denominator));
        }
    }
}
