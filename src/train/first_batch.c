/* What a training does once with its first rows. */
#include "train/net.h"

bp_status bp__init_from_data(bp__net *net, const bp__batch *b) {
    bp_dims dims = net->x_dims;
    dims.dim[0] = b->n;
    return bp__nn_init_from_data(net->nn, net->state, "x", b->x, &dims, net->seed);
}
