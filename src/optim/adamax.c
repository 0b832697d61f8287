/* adamax (Kingma, Ba 2015, section 7.1): m = lerp(m, g, 1 - b1); n = max(b2·n, |g| + eps); p -= lr/(1 - b1^t) · m / n. */
#include "optim/optimizers.h"

void bp__optimizer_adamax(bp__update *u) {
    const bp__option *betas = bp__choice_option(u->choice, "betas");
    double b1 = betas->number, b2 = betas->number2, eps = bp__num(u, "eps");
    bp_value rate = bp_neg(bp_div(u->lr, bp_sub(u->one, bp__power(u, b1, u->t))));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, bp__num(u, "weight_decay"));
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), n_old = bp__moment(u, i, "exp_inf", bp_zeros());
        bp_value m = bp_lerp(m_old, g, bp__k_like(g, 1 - b1));
        bp_value largest = bp_maximum(bp__mul_k(n_old, b2), bp__add_k(bp_abs(g), eps));
        bp_assign(m_old, m);
        bp_assign(n_old, largest);
        bp_assign(p, bp__addcdiv(p, bp__as(u, rate, p), m, largest));
    }
}
