/* quickprop (Fahlman, "Faster-learning variations on back-propagation", 1988), s = -(g + weight_decay·p), S and D the slope and
   the step before: a parabola through both slopes, D·s/(S - s), never longer than mu·|D|; where s has not gone down to mu/(1 +
   mu) of S, mu·D itself; and lr·s is added where there was no step or s still points along D. For full batches. */
#include "optim/optimizers.h"

void bp__optimizer_quickprop(bp__update *u) {
    double mu = bp__num(u, "mu"), shrink = mu / (1 + mu);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], s = bp_neg(bp__gradient_of(u, i, bp__num(u, "weight_decay"))), zero = bp__k_like(p, 0);
        bp_value s_old = bp__moment(u, i, "slope", bp_zeros()), d_old = bp__moment(u, i, "step", bp_zeros());
        bp_value way = bp_sign(d_old), along = bp_mul(way, s), most = bp__mul_k(d_old, mu), limit = bp_abs(most);
        bp_value curve = bp_sub(s_old, s), flat = bp_eq(curve, zero);
        bp_value parabola = bp_where(flat, zero, bp_div(bp_mul(d_old, s), bp_where(flat, bp__k_like(p, 1), curve)));
        parabola = bp_minimum(bp_maximum(parabola, bp_neg(limit)), limit);
        bp_value steep = bp_gt(along, bp__mul_k(bp_mul(way, s_old), shrink));
        bp_value push = bp_logical_or(bp_gt(along, zero), bp_eq(way, zero));
        bp_value step = bp_add(bp_where(push, bp__scaled(u, s, u->lr), zero), bp_where(steep, most, parabola));
        bp_assign(s_old, s);
        bp_assign(d_old, step);
        bp_assign(p, bp_add(p, step));
    }
}
