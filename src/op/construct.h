/* What the generated constructors (ops_generated.c) are made with. */
#ifndef BP__CONSTRUCT_H
#define BP__CONSTRUCT_H
#include "op/op.h"

/* Lays the caller's options over the defaults in `to`: a caller built with an older, shorter struct keeps defaults for the rest.
 */
void bp__op_options(void *to, size_t size, const void *from, size_t from_size);
/* Passes a bad input on; copies texts of attrs to the graph; adds the node. */
bp_value bp__op_build(enum bp__op_id id, void *attrs, const bp_value *in, int n_in);
#endif
