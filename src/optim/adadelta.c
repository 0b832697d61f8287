/* adadelta (Zeiler 2012): v = rho·v + (1 - rho)·g·g; d = sqrt(a + eps)/sqrt(v + eps) · g; a = rho·a + (1 - rho)·d·d; p -= lr·d.
 */
#include "optim/optimizers.h"

void bp__optimizer_adadelta(bp__update *u) {
    double rho = bp__num(u, "rho"), eps = bp__num(u, "eps");
    bp_value rate = bp_neg(u->lr);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value v_old = bp__moment(u, i, "square_avg", bp_zeros()), a_old = bp__moment(u, i, "acc_delta", bp_zeros());
        bp_value v = bp__decayed(v_old, rho, g, g), spread = bp_sqrt(bp__add_k(v, eps));
        bp_value delta = bp_mul(bp_div(bp_sqrt(bp__add_k(a_old, eps)), spread), g);
        bp_assign(v_old, v);
        bp_assign(a_old, bp__decayed(a_old, rho, delta, delta));
        bp_assign(p, bp_add(p, bp_mul(bp__as(u, rate, p), delta)));
    }
}
