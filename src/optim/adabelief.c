/* adabelief (Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", 2020; optax):
     m = b1·m + (1 - b1)·g; s = b2·s + (1 - b2)·(g - m)^2 + eps_root; p -= lr·m/(1 - b1^t) / (sqrt(s/(1 - b2^t)) + eps)
   (nesterov: b1·m/(1 - b1^(t+1)) + (1 - b1)·g/(1 - b1^t) in place of the mean). */
#include "optim/optimizers.h"

void bp__optimizer_adabelief(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    double b1 = betas->number, b2 = betas->number2;
    bp_value c1 = bp__unbias(u, b1), c2 = bp__unbias(u, b2);
    bp_value next = bp_div(u->one, bp_sub(u->one, bp__power(u, b1, bp_add(u->t, u->one))));
    for (int i = 0; i < u->n; i++) {
        bp_value g = bp__gradient_of(u, i, 0);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), s_old = bp__moment(u, i, "exp_avg_var", bp_zeros());
        bp_value m = bp__averaged(m_old, b1, g), surprise = bp_sub(g, m);
        bp_value s = bp__add_k(bp__decayed(s_old, b2, surprise, surprise), bp__num(u, "eps_root"));
        bp_value mean = bp__scaled(u, m, c1);
        if (bp__yes(u, "nesterov")) mean = bp_add(bp__mul_k(bp__scaled(u, m, next), b1), bp__mul_k(bp__scaled(u, g, c1), 1 - b1));
        bp_assign(m_old, m);
        bp_assign(s_old, s);
        bp__descend(u, i, u->lr, bp_div(mean, bp__add_k(bp_sqrt(bp__scaled(u, s, c2)), bp__num(u, "eps"))));
    }
}
