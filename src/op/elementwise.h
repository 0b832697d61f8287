/* The operations of kernel/elementwise.def, in the order of its rows. */
#ifndef BP__OP_ELEMENTWISE_H
#define BP__OP_ELEMENTWISE_H
#include "op/op.h"
extern const bp__op bp__ew_defs[BP__EW_COUNT];
#endif
