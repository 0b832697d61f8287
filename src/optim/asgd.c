/* asgd (Polyak, Juditsky 1992): p = p·(1 - lambd·eta) - eta·g; eta = lr/(1 + lambd·lr·t)^alpha for the next step; ax is the mean
   of p from step t0 on. */
#include "optim/optimizers.h"

void bp__optimizer_asgd(bp__update *u) {
    double lambd = bp__num(u, "lambd");
    bp_value eta_old = bp__counter(u, "eta", u->start_lr), mu_old = bp__counter(u, "mu", 1);
    bp_value slowed = bp_add(u->one, bp_mul(bp_mul(bp__f64(u, lambd), u->lr), u->t));
    bp_value keep = bp_sub(u->one, bp_mul(bp__f64(u, lambd), eta_old)), rate = bp_neg(eta_old);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value q = bp_add(bp_mul(p, bp__as(u, keep, p)), bp_mul(bp__as(u, rate, p), g));
        bp_value mean = bp__moment(u, i, "ax", bp_zeros()), mu = bp__as(u, mu_old, p);
        bp_value moved = bp_add(mean, bp_mul(bp_sub(q, mean), mu));
        bp_assign(mean, bp_where(bp_eq(mu, bp__k_like(p, 1)), q, moved));
        bp_assign(p, q);
    }
    bp_assign(eta_old, bp_div(u->lr, bp_pow(slowed, bp__f64(u, bp__num(u, "alpha")))));
    bp_assign(mu_old, bp_div(u->one, bp_maximum(u->one, bp_sub(u->t, bp__f64(u, bp__num(u, "t0"))))));
}
