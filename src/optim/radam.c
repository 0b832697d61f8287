/* radam (Liu et al., "On the variance of the adaptive learning rate and beyond", 2020): with r(t) the length of the average's
   memory, p -= m/(1 - b1^t)·lr while r <= 5, after that times sqrt(1 - b2^t)/(sqrt(v) + eps) and the rectification. */
#include "optim/optimizers.h"

#include <math.h>

void bp__optimizer_radam(bp__update *u) {
    const bp__option *betas = bp__choice_option(u->choice, "betas");
    double b1 = betas->number, b2 = betas->number2, eps = bp__num(u, "eps"), decay = bp__num(u, "weight_decay");
    double longest = 2 / (1 - b2) - 1;
    bool decoupled = bp__yes(u, "decoupled_weight_decay");
    bp_value power = bp__power(u, b2, u->t), c1 = bp_sub(u->one, bp__power(u, b1, u->t)), c2 = bp_sub(u->one, power);
    bp_value length = bp_sub(bp__f64(u, longest), bp_div(bp_mul(bp_mul(bp__f64(u, 2), u->t), power), c2));
    bp_value rectified = bp_gt(length, bp__f64(u, 5));
    /* A length of 5 or less has no use for the root: 6 stands in, so that nothing is NaN. */
    bp_value safe = bp_where(rectified, length, bp__f64(u, 6));
    bp_value above = bp_mul(bp_mul(bp_sub(safe, bp__f64(u, 4)), bp_sub(safe, bp__f64(u, 2))), bp__f64(u, longest));
    bp_value rectification = bp_sqrt(bp_div(above, bp_mul(bp__f64(u, (longest - 4) * (longest - 2)), safe)));
    bp_value slow = bp_div(u->lr, c1), fast = bp_mul(bp_mul(slow, bp_sqrt(c2)), rectification),
             keep = bp_sub(u->one, bp_mul(u->lr, bp__f64(u, decay)));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, decoupled ? 0 : decay);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp_lerp(m_old, g, bp__k_like(g, 1 - b1)), v = bp__decayed(v_old, b2, g, g);
        bp_value start = decoupled && decay != 0 ? bp_mul(p, bp__as(u, keep, p)) : p;
        bp_value plain = bp__scaled(u, m, slow), adapted = bp_div(bp__scaled(u, m, fast), bp__add_k(bp_sqrt(v), eps));
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp_assign(p, bp_sub(start, bp_where(bp__as(u, rectified, p), adapted, plain)));
    }
}
