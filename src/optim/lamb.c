/* lamb (You et al., "Large batch optimization for deep learning", 2020; optax): adam's step with weight decay,
     s = m/(1 - b1^t) / (sqrt(v/(1 - b2^t) + eps_root) + eps) + weight_decay·p,
   as long as the parameter: p -= lr·|p|/|s|·s, norms of the whole parameter; where one is zero, p -= lr·s. */
#include "optim/optimizers.h"

void bp__optimizer_lamb(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value c1 = bp__unbias(u, betas->number), c2 = bp__unbias(u, betas->number2);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp__averaged(m_old, betas->number, g), v = bp__decayed(v_old, betas->number2, g, g);
        bp_value spread = bp_sqrt(bp__add_k(bp__scaled(u, v, c2), bp__num(u, "eps_root")));
        bp_value step = bp_div(bp__scaled(u, m, c1), bp__add_k(spread, bp__num(u, "eps")));
        step = bp_add(step, bp__decay_of(u, p));
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp__descend(u, i, bp_mul(u->lr, bp__trust_ratio(u, p, step, 1, 0)), step);
    }
}
