/* yogi (Zaheer et al., "Adaptive methods for nonconvex optimization", 2018; optax): adam whose variance moves by no more than
   (1 - b2)·g·g: v -= (1 - b2)·sign(v - g·g)·g·g. Both means start at initial_accumulator_value. */
#include "optim/optimizers.h"

void bp__optimizer_yogi(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_init start = bp_filled(bp__num(u, "initial_accumulator_value"));
    bp_value c1 = bp__unbias(u, betas->number), c2 = bp__unbias(u, betas->number2);
    for (int i = 0; i < u->n; i++) {
        bp_value g = bp__gradient_of(u, i, 0), square = bp_square(g);
        bp_value m_old = bp__moment(u, i, "exp_avg", start), v_old = bp__moment(u, i, "exp_avg_sq", start);
        bp_value m = bp__averaged(m_old, betas->number, g), way = bp__mul_k(bp_sign(bp_sub(v_old, square)), 1 - betas->number2);
        bp_value v = bp_sub(v_old, bp_mul(way, square)), spread = bp_sqrt(bp__scaled(u, v, c2));
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp__descend(u, i, u->lr, bp_div(bp__scaled(u, m, c1), bp__add_k(spread, bp__num(u, "eps"))));
    }
}
