/* ademamix (Pagliardini, Ablin, Grangier, "The AdEMAMix optimizer: better, faster, older", 2024; optax): adam with a second, slow
   mean: m = b1·m + (1 - b1)·g; o = b3·o + (1 - b3)·g; v = b2·v + (1 - b2)·g·g;
     p -= lr·((m/(1 - b1^t) + alpha·o) / (sqrt(v/(1 - b2^t) + eps_root) + eps) + weight_decay·p). */
#include "optim/optimizers.h"

void bp__optimizer_ademamix(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value c1 = bp__unbias(u, betas->number), c2 = bp__unbias(u, betas->number2);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), m_old = bp__moment(u, i, "exp_avg", bp_zeros());
        bp_value o_old = bp__moment(u, i, "exp_avg_slow", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp__averaged(m_old, betas->number, g), o = bp__averaged(o_old, betas->number3, g);
        bp_value v = bp__decayed(v_old, betas->number2, g, g);
        bp_assign(m_old, m);
        bp_assign(o_old, o);
        bp_assign(v_old, v);
        bp_value spread = bp_sqrt(bp__add_k(bp__scaled(u, v, c2), bp__num(u, "eps_root")));
        bp_value above = bp_add(bp__scaled(u, m, c1), bp__mul_k(o, bp__num(u, "alpha")));
        bp_value step = bp_div(above, bp__add_k(spread, bp__num(u, "eps")));
        bp__descend(u, i, u->lr, bp_add(step, bp__decay_of(u, p)));
    }
}
