/* adam (Kingma, Ba 2015), amsgrad (Reddi, Kale, Kumar 2018), adamw (Loshchilov, Hutter 2019):
     m = lerp(m, g, 1 - b1); v = b2·v + (1 - b2)·g·g; p -= lr/(1 - b1^t) · m / (sqrt(v)/sqrt(1 - b2^t) + eps)
   adam adds weight_decay·p to g, adamw first multiplies p by 1 - lr·weight_decay. */
#include "optim/optimizers.h"

static void build(bp__update *u, bool decoupled) {
    const bp__option *betas = bp__choice_option(u->choice, "betas");
    double b1 = betas->number, b2 = betas->number2, eps = bp__num(u, "eps"), decay = bp__num(u, "weight_decay");
    bool amsgrad = bp__yes(u, "amsgrad");
    bool moved =
        u->momentum.graph != NULL; /* the first beta of this step, in the bias correction too, as PyTorch's cycles have it */
    if (moved) *u->takes_momentum = true;
    bp_value first = moved ? bp_pow(u->momentum, u->t) : bp__power(u, b1, u->t);
    bp_value step = bp_neg(bp_div(u->lr, bp_sub(u->one, first)));
    bp_value root = bp_sqrt(bp_sub(u->one, bp__power(u, b2, u->t)));
    bp_value keep = bp_sub(u->one, bp_mul(u->lr, decoupled && u->decay.graph ? u->decay : bp__f64(u, decay)));
    if (decoupled && u->decay.graph) *u->takes_decay = true;
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, decoupled ? 0 : decay);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value share = moved ? bp__as(u, bp_sub(u->one, u->momentum), p) : bp__k_like(g, 1 - b1);
        bp_value m = bp_lerp(m_old, g, share), v = bp__decayed(v_old, b2, g, g), largest = v;
        if (amsgrad) {
            bp_value old = bp__moment(u, i, "max_exp_avg_sq", bp_zeros());
            largest = bp_maximum(old, v);
            bp_assign(old, largest);
        }
        bp_value denominator = bp__add_k(bp_div(bp_sqrt(largest), bp__as(u, root, p)), eps);
        bp_value start = decoupled && (decay != 0 || u->decay.graph) ? bp_mul(p, bp__as(u, keep, p)) : p;
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp_assign(p, bp__addcdiv(start, bp__as(u, step, p), m, denominator));
    }
}

void bp__optimizer_adam(bp__update *u) { build(u, false); }
void bp__optimizer_adamw(bp__update *u) { build(u, true); }

void bp__adamw_of(bp__update *u, int i, bp_value lr, const bp__option *betas, double eps, double decay) {
    bp_value p = u->params[i], g = bp__gradient_of(u, i, 0);
    bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
    bp_value m = bp__averaged(m_old, betas->number, g), v = bp__decayed(v_old, betas->number2, g, g);
    bp_value root = bp_sqrt(bp__correction(u, betas->number2)), keep = bp_sub(u->one, bp__mul_k(lr, decay));
    bp_value step = bp_neg(bp_div(lr, bp__correction(u, betas->number)));
    bp_assign(m_old, m);
    bp_assign(v_old, v);
    bp_value denominator = bp__add_k(bp_div(bp_sqrt(v), bp__as(u, root, p)), eps);
    bp_assign(p, bp__addcdiv(bp__scaled(u, p, keep), bp__as(u, step, p), m, denominator));
}
