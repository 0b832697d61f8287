/* adan (Xie et al., "Adan: adaptive Nesterov momentum algorithm", 2022; optax), d = g - the gradient before (0 at first):
     m = b1·m + (1 - b1)·g; v = b2·v + (1 - b2)·d; n = b3·n + (1 - b3)·(g + (1 - b2)·d)^2, each divided by 1 - b^t when used;
     p -= lr·((m + (1 - b2)·v) / (sqrt(n + eps_root) + eps) + weight_decay·p). */
#include "optim/optimizers.h"

void bp__optimizer_adan(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    double b1 = betas->number, b2 = betas->number2, b3 = betas->number3;
    bp_value c1 = bp__unbias(u, b1), c2 = bp__unbias(u, b2), c3 = bp__unbias(u, b3);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), before = bp__moment(u, i, "previous_grad", bp_zeros());
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_diff", bp_zeros());
        bp_value n_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value d = bp_where(bp__as(u, u->first, p), bp__k_like(p, 0), bp_sub(g, before));
        bp_value ahead = bp_add(g, bp__mul_k(d, 1 - b2));
        bp_value m = bp__averaged(m_old, b1, g), v = bp__averaged(v_old, b2, d), n = bp__decayed(n_old, b3, ahead, ahead);
        bp_assign(before, g);
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp_assign(n_old, n);
        bp_value above = bp_add(bp__scaled(u, m, c1), bp__mul_k(bp__scaled(u, v, c2), 1 - b2));
        bp_value spread = bp_sqrt(bp__add_k(bp__scaled(u, n, c3), bp__num(u, "eps_root")));
        bp_value step = bp_div(above, bp__add_k(spread, bp__num(u, "eps")));
        bp__descend(u, i, u->lr, bp_add(step, bp__decay_of(u, p)));
    }
}
