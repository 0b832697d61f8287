/* sign_sgd (Bernstein et al., "signSGD: compressed optimisation for non-convex problems", 2018; optax): p -= lr·sign(g). */
#include "optim/optimizers.h"

void bp__optimizer_sign_sgd(bp__update *u) {
    for (int i = 0; i < u->n; i++) bp__descend(u, i, u->lr, bp_sign(bp__gradient_of(u, i, 0)));
}
