/* adagrad (Duchi, Hazan, Singer 2011): s += g·g; p -= lr/(1 + (t - 1)·lr_decay) · g / (sqrt(s) + eps). */
#include "optim/optimizers.h"

void bp__optimizer_adagrad(bp__update *u) {
    double eps = bp__num(u, "eps");
    bp_value slowed = bp_add(u->one, bp_mul(u->before, bp__f64(u, bp__num(u, "lr_decay"))));
    bp_value rate = bp_neg(bp_div(u->lr, slowed));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value old = bp__moment(u, i, "sum", bp_filled(bp__num(u, "initial_accumulator_value")));
        bp_value sum = bp_add(old, bp_mul(g, g));
        bp_assign(old, sum);
        bp_assign(p, bp__addcdiv(p, bp__as(u, rate, p), g, bp__add_k(bp_sqrt(sum), eps)));
    }
}
