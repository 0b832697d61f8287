/* The operations of kernel/elementwise.def, in the order of its rows. */
#ifndef BP__OP_ELEMENTWISE_H
#define BP__OP_ELEMENTWISE_H
#include "op/op.h"
extern const bp__op bp__ew_defs[BP__EW_COUNT];

/* Broadcasts an input's view to the output's dimensions, by stride 0: what bp__ew_run wants. */
static inline void bp__ew_spread(bp__tensor *t, const bp__tensor *out) {
    if (t->panels) return; /* same storage as the output's */
    bp__tensor in = *t;
    t->n_dims = out->n_dims;
    for (int32_t d = 0, shift = out->n_dims - in.n_dims; d < out->n_dims; d++) {
        bool spread = d < shift || (in.dim[d - shift] == 1 && out->dim[d] != 1);
        t->dim[d] = out->dim[d];
        t->stride[d] = spread ? 0 : in.stride[d - shift];
    }
}
#endif
