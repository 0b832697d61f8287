/* adopt (Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate", 2024; optax): the gradient
   is divided by the variance before it, c = g / max(sqrt(v), eps), with use_clipping kept within ±(t - 1)^(1/4); m = b1·m + (1 -
   b1)·c; p -= lr·m (nesterov: b1·m + (1 - b1)·c); v = b2·v + (1 - b2)·g·g The first step only sets v = g·g. */
#include "optim/optimizers.h"

void bp__optimizer_adopt(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value keep = bp_where(u->first, u->one, bp__f64(u, betas->number)), take = bp_sub(u->one, keep);
    bp_value limit = bp_pow(u->before, bp__f64(u, 0.25)), least = bp_neg(limit);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0);
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value c = bp_div(g, bp_maximum(bp_sqrt(v_old), bp__k_like(p, bp__num(u, "eps"))));
        if (bp__yes(u, "use_clipping")) c = bp_minimum(bp_maximum(c, bp__as(u, least, p)), bp__as(u, limit, p));
        bp_value fresh = bp__scaled(u, c, take), m = bp_add(bp__scaled(u, m_old, keep), fresh);
        bp_assign(m_old, m);
        bp_assign(v_old, bp_where(bp__as(u, u->first, p), bp_square(g), bp__decayed(v_old, betas->number2, g, g)));
        bp__descend(u, i, u->lr, bp__yes(u, "nesterov") ? bp_add(bp__scaled(u, m, keep), fresh) : m);
    }
}
