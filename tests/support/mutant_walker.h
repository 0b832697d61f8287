/* The chain rule's walker, broken on purpose. Its source is compiled once more here, with the operations by which it adds
   contributions and undoes broadcasting replaced; the test's bp_gradients then takes the place of the library's. */
#ifndef BP__MUTANT_WALKER_H
#define BP__MUTANT_WALKER_H
#include "op/op.h"

typedef enum walker_mutation {
    WALKER_RIGHT,
    WALKER_OVERWRITES, /* the last contribution alone */
    WALKER_FIRST,      /* the first one alone */
    WALKER_SUBTRACTS,
    WALKER_MEAN, /* broadcasting undone by a mean */
    WALKER_AXIS, /* … by a sum over other axes */
    WALKER_ONE_AXIS,
    N_WALKERS
} walker_mutation;
static const char *const walker_texts[] = {"as it is",
                                           "last contribution alone",
                                           "first contribution alone",
                                           "contributions subtracted",
                                           "broadcasting undone by a mean",
                                           "broadcasting undone over other axes",
                                           "broadcasting undone over one axis only"};
static walker_mutation walker;

static inline bp_value walker_add(bp_value a, bp_value b) {
    if (walker == WALKER_OVERWRITES) return b;
    if (walker == WALKER_FIRST) return a;
    return walker == WALKER_SUBTRACTS ? bp_sub(a, b) : bp_add(a, b);
}

static inline bp_value walker_sum(bp_value d, const bp_sum_options *options) {
    bp_sum_options o = *options;
    bp_mean_options mean = bp_mean_defaults();
    mean.axes = o.axes;
    mean.keepdim = 1;
    if (walker == WALKER_MEAN) return bp_mean(d, &mean);
    bp_dims from = bp_value_dims(d), to;
    bp_value right = bp_sum(d, options);
    if (walker < WALKER_AXIS) return right;
    to = bp_value_dims(right);
    if (walker == WALKER_ONE_AXIS) { /* of the others, the first element */
        o.axes.n = 1;
        bp_value y = bp_sum(d, &o);
        for (int64_t i = 1; i < options->axes.n; i++) y = bp_slice(y, options->axes.dim[i], 0, 1, NULL);
        return y;
    }
    for (int64_t i = 0; i < o.axes.n; i++) { /* the neighbour, where it is as long */
        int64_t axis = (o.axes.dim[i] + 1) % from.n;
        if (from.dim[axis] == from.dim[o.axes.dim[i]]) o.axes.dim[i] = axis;
    }
    for (int64_t i = 1; i < o.axes.n; i++)
        if (o.axes.dim[i] == o.axes.dim[i - 1]) return right;
    return bp_reshape(bp_sum(d, &o), to);
}

#define bp_add walker_add
#define bp_sum walker_sum
#include "graph/gradient.c"
#undef bp_add
#undef bp_sum
#endif
