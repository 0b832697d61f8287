/* rprop (Riedmiller, Braun 1993), as PyTorch has it, which is the iRprop- of Igel and Huesken (2000), here also irprop_minus: a
   step size for every element grows while the gradient keeps its sign and shrinks when it changes; after a change the element
   rests for one step. */
#include "optim/optimizers.h"

void bp__optimizer_rprop(bp__update *u) {
    const bp__option *etas = bp__choice_option(u->choice, "etas"), *sizes = bp__choice_option(u->choice, "step_sizes");
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), zero = bp__k_like(p, 0);
        bp_value before = bp__moment(u, i, "prev", bp_zeros());
        bp_value size_old = bp__moment(u, i, "step_size", bp_filled(u->start_lr));
        bp_value agreement = bp_mul(g, before), turned = bp_lt(agreement, zero);
        bp_value factor = bp_where(turned, bp__k_like(p, etas->number),
                                   bp_where(bp_gt(agreement, zero), bp__k_like(p, etas->number2), bp__k_like(p, 1)));
        bp_value size =
            bp_minimum(bp_maximum(bp_mul(size_old, factor), bp__k_like(p, sizes->number)), bp__k_like(p, sizes->number2));
        bp_value used = bp_where(turned, zero, g);
        bp_assign(before, used);
        bp_assign(size_old, size);
        bp_assign(p, bp_sub(p, bp_mul(bp_sign(used), size)));
    }
}
