/* prodigy (Mishchenko, Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", 2023; optax): adam that estimates
   its own rate d from below, with p0 the parameters at the start; over all parameters of the group: r = lr·d·sqrt(1 - b2^t)/(1 -
   b1^t); n = b3·n + d/d0·r·<g, p0 - p>; s = b3·s + r·d·g/d0 (safeguard_warmup: d·d·g/d0); d = max(d, estim_lr_coef·n/|s|_1); m =
   b1·m + (1 - b1)·d·g; v = b2·v + (1 - b2)·(d·g)^2 with the d before; p -= r·(m/(sqrt(v) + d·eps) + weight_decay·p). beta3 = 0
   stands for sqrt(b2); d0 is estim_lr0. */
#include "optim/optimizers.h"

static bp_value total(bp_value sum, bp_value x) { /* sum + all of x, f64 */
    bp_value s = bp__sum_all(x);
    if (bp_value_dtype(s) != BP_F64) s = bp_cast(s, BP_F64);
    return bp_add(sum, s);
}

void bp__optimizer_prodigy(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    double b1 = betas->number, b2 = betas->number2, start = bp__num(u, "estim_lr0"), given = bp__num(u, "beta3");
    bp_value b3 = given > 0 ? bp__f64(u, given) : bp_sqrt(bp__f64(u, b2)), d0 = bp__f64(u, start), zero = bp__f64(u, 0);
    bp_value d_old = bp__counter(u, "estim_lr", start), n_old = bp__counter(u, "numerator", 0);
    bp_value rate = bp_mul(bp_mul(d_old, u->lr), bp_div(bp_sqrt(bp__correction(u, b2)), bp__correction(u, b1)));
    bp_value weight = bp_div(bp_mul(d_old, bp__yes(u, "safeguard_warmup") ? d_old : rate), d0), inner = zero, length = zero;
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), origin, from = bp__started(u, i, "p0", &origin);
        bp_value s_old = bp__moment(u, i, "grad_sum", bp_zeros());
        bp_value s = bp_add(bp__scaled(u, s_old, b3), bp__scaled(u, g, weight));
        inner = total(inner, bp_mul(g, bp_sub(from, p)));
        length = total(length, bp_abs(s));
        bp_assign(origin, from);
        bp_assign(s_old, s);
    }
    bp_value numerator = bp_add(bp_mul(b3, n_old), bp_mul(bp_mul(bp_div(d_old, d0), rate), inner));
    bp_value some = bp_gt(length, zero), below = bp_where(some, length, u->one);
    bp_value estimate = bp_div(bp__mul_k(numerator, bp__num(u, "estim_lr_coef")), below);
    bp_value d = bp_maximum(d_old, bp_where(some, estimate, zero)), floor = bp__mul_k(d, bp__num(u, "eps"));
    bp_assign(d_old, d);
    bp_assign(n_old, numerator);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__scaled(u, bp__gradient_of(u, i, 0), d_old);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp__averaged(m_old, b1, g), v = bp__decayed(v_old, b2, g, g);
        bp_value step = bp_div(m, bp_add(bp_sqrt(v), bp__as(u, floor, p)));
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp__descend(u, i, rate, bp_add(step, bp__decay_of(u, p)));
    }
}
