/* nadam (Dozat 2016), with mu(t) = b1·(1 - 0.96^(t·momentum_decay)/2) and M = the product of all mu so far:
     m, v as adam; d = sqrt(v/(1 - b2^t)) + eps; p -= lr·(1 - mu)/(1 - M) · g/d; p -= lr·mu(t+1)/(1 - M·mu(t+1)) · m/d. */
#include "optim/optimizers.h"

static bp_value momentum_at(const bp__update *u, double b1, bp_value t) {
    bp_value decay = bp__power(u, 0.96, bp_mul(t, bp__f64(u, bp__num(u, "momentum_decay"))));
    return bp_mul(bp__f64(u, b1), bp_sub(u->one, bp_mul(bp__f64(u, 0.5), decay)));
}

void bp__optimizer_nadam(bp__update *u) {
    const bp__option *betas = bp__choice_option(u->choice, "betas");
    double b1 = betas->number, b2 = betas->number2, eps = bp__num(u, "eps"), decay = bp__num(u, "weight_decay");
    bool decoupled = bp__yes(u, "decoupled_weight_decay");
    bp_value mu = momentum_at(u, b1, u->t), next = momentum_at(u, b1, bp_add(u->t, u->one));
    bp_value product_old = bp__counter(u, "mu_product", 1), product = bp_mul(product_old, mu);
    bp_value correction = bp__unbias(u, b2), rate = bp_neg(u->lr);
    bp_value by_gradient = bp_div(bp_mul(rate, bp_sub(u->one, mu)), bp_sub(u->one, product));
    bp_value by_mean = bp_div(bp_mul(rate, next), bp_sub(u->one, bp_mul(product, next)));
    bp_value keep = bp_sub(u->one, bp_mul(u->lr, bp__f64(u, decay)));
    bp_assign(product_old, product);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, decoupled ? 0 : decay);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp_lerp(m_old, g, bp__k_like(g, 1 - b1)), v = bp__decayed(v_old, b2, g, g);
        bp_value denominator = bp__add_k(bp_sqrt(bp__scaled(u, v, correction)), eps);
        bp_value start = decoupled && decay != 0 ? bp_mul(p, bp__as(u, keep, p)) : p;
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp_value moved = bp__addcdiv(start, bp__as(u, by_gradient, p), g, denominator);
        bp_assign(p, bp__addcdiv(moved, bp__as(u, by_mean, p), m, denominator));
    }
}
