/* novograd (Ginsburg et al., "Stochastic gradient methods with layer-wise adaptive moments", 2019; optax): one variance for a
   whole parameter: v = b2·v + (1 - b2)·|g|^2, at first |g|^2; m = b1·m + g/(sqrt(v + eps_root) + eps) + weight_decay·p; p -=
   lr·m. */
#include "optim/optimizers.h"

void bp__optimizer_novograd(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), norm = bp__as(u, bp__sum_of_squares(g), p);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros());
        bp_value v_old = bp__moment_of_shape(u, i, "exp_avg_sq", bp_shape(0), bp_zeros());
        bp_value v = bp_where(bp__as(u, u->first, p), norm, bp__averaged(v_old, betas->number2, norm));
        bp_value spread = bp__add_k(bp_sqrt(bp__add_k(v, bp__num(u, "eps_root"))), bp__num(u, "eps"));
        bp_value step = bp_add(bp_mul(g, bp_reciprocal(spread)), bp__decay_of(u, p));
        bp_value m = bp_add(bp__mul_k(m_old, betas->number), step);
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp__descend(u, i, u->lr, m);
    }
}
