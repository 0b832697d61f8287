/* mars (Yuan et al., "MARS: unleashing the power of variance reduction for training large models", 2024; as the authors' code has
   it, the approximate form): c = g + gamma·b1/(1 - b1)·(g - the gradient before, 0 at first), c /= max(1, |c|);
     m = b1·m + (1 - b1)·c; p -= lr·(s + weight_decay·p); s as adamw's with c for g, or sign(m) (mars_type: lion).
   Only matrices go this way unless optimize_1d; all others take adamw's step with lr_1d, betas_1d and weight_decay_1d; lr_1d
   follows the schedule of lr. */
#include "optim/optimizers.h"

#include <string.h>

void bp__optimizer_mars(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    double b1 = betas->number, b2 = betas->number2, eps = bp__num(u, "eps"), lr = bp__num(u, "lr");
    bool lion = strcmp(bp__of(u, "mars_type")->text, "lion") == 0;
    bp_value c1 = bp__unbias(u, b1), root = bp_sqrt(bp__unbias(u, b2));
    bp_value other = bp__mul_k(u->lr, lr > 0 ? bp__num(u, "lr_1d") / lr : 0);
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0);
        if (bp_value_dims(p).n != 2 && !bp__yes(u, "optimize_1d")) {
            bp__adamw_of(u, i, other, bp__of(u, "betas_1d"), eps, bp__num(u, "weight_decay_1d"));
            continue;
        }
        bp_value before = bp__moment(u, i, "previous_grad", bp_zeros()), m_old = bp__moment(u, i, "exp_avg", bp_zeros());
        bp_value c = bp_add(bp__mul_k(bp_sub(g, before), bp__num(u, "gamma") * (b1 / (1 - b1))), g);
        c = bp__scaled(u, c, bp_div(u->one, bp_maximum(u->one, bp_sqrt(bp__sum_of_squares(c)))));
        bp_value m = bp__averaged(m_old, b1, c), step = bp_sign(m);
        bp_assign(before, g);
        bp_assign(m_old, m);
        if (!lion) {
            bp_value v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros()), v = bp__decayed(v_old, b2, c, c);
            bp_assign(v_old, v);
            bp_value spread = bp__add_k(bp__scaled(u, bp_sqrt(v), root), eps);
            step = bp_div(bp__scaled(u, m, c1), spread);
        }
        bp__descend(u, i, u->lr, bp_add(step, bp__decay_of(u, p)));
    }
}
