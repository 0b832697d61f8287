/* lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023; optax):
     p -= lr·(sign(b1·m + (1 - b1)·g) + weight_decay·p); m = b2·m + (1 - b2)·g. */
#include "optim/optimizers.h"

void bp__optimizer_lion(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    for (int i = 0; i < u->n; i++) {
        bp_value g = bp__gradient_of(u, i, 0), old = bp__moment(u, i, "exp_avg", bp_zeros());
        bp_value step = bp_sign(bp_add(bp__mul_k(g, 1 - betas->number), bp__mul_k(old, betas->number)));
        bp_assign(old, bp__averaged(old, betas->number2, g));
        bp__descend(u, i, u->lr, bp_add(step, bp__decay_of(u, u->params[i])));
    }
}
