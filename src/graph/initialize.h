/* The values that variables start with. */
#ifndef BP__INITIALIZE_H
#define BP__INITIALIZE_H
#include "graph/graph.h"

/* NULL, or why a tensor of these sizes cannot start so: "needs a matrix". */
const char *bp__init_unfit(bp_init init, const bp_dims *dims);
/* The values of the variable `name` in plain rows, from the context's seed and the name alone. */
bp_status bp__init_values(bp_context *ctx, const char *name, bp_init init, const bp_dims *dims, double *v);
#endif
