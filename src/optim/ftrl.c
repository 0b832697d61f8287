/* ftrl (McMahan et al., "Ad click prediction: a view from the trenches", 2013; names and defaults Keras 3's), k =
   -learning_rate_power: n' = n + g·g; z += g + 2·l2_shrinkage·p - (n'^k/lr - n^k/(lr before))·p; p = (clamp(z, ±l1) - z) / ((n'^k
   + beta)/lr + 2·l2) While the rate stays the same this is Keras' formula; a rate of 0 counts as the one before. */
#include "optim/optimizers.h"

void bp__optimizer_ftrl(bp__update *u) {
    double power = -bp__num(u, "learning_rate_power"), l1 = bp__num(u, "l1_regularization_strength");
    bp_value lr_old = bp__counter(u, "lr_before", bp__num(u, "lr"));
    bp_value lr = bp_where(bp_gt(u->lr, bp__f64(u, 0)), u->lr, lr_old), last = bp_where(u->first, lr, lr_old);
    bp_value by_lr = bp_div(u->one, lr), by_last = bp_div(u->one, last);
    bp_assign(lr_old, lr);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), zero = bp__k_like(p, 0);
        bp_value n_old = bp__moment(u, i, "accumulator", bp_filled(bp__num(u, "initial_accumulator_value")));
        bp_value z_old = bp__moment(u, i, "linear", bp_zeros()), n = bp_add(n_old, bp_square(g));
        bp_value before = power == 0.5 ? bp_sqrt(n_old) : bp_pow(n_old, bp__k_like(p, power));
        bp_value now = power == 0.5 ? bp_sqrt(n) : bp_pow(n, bp__k_like(p, power));
        bp_value sigma = bp_sub(bp__scaled(u, now, by_lr), bp__scaled(u, before, by_last));
        bp_value pull = bp_add(g, bp__mul_k(p, 2 * bp__num(u, "l2_shrinkage_regularization_strength")));
        bp_value z = bp_add(z_old, bp_sub(pull, bp_mul(sigma, p)));
        bp_value below = bp__scaled(u, bp__add_k(now, bp__num(u, "beta")), by_lr);
        below = bp__add_k(below, 2 * bp__num(u, "l2_regularization_strength"));
        bp_value above = bp_sub(bp_minimum(bp_maximum(z, bp__k_like(p, -l1)), bp__k_like(p, l1)), z), some = bp_gt(below, zero);
        bp_assign(n_old, n);
        bp_assign(z_old, z);
        bp_assign(p, bp_where(some, bp_div(above, bp_where(some, below, bp__k_like(p, 1))), p));
    }
}
