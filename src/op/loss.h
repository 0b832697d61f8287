/* What the losses share: the reduction "mean", "sum" or "none" over the losses of single elements. */
#ifndef BP__LOSS_H
#define BP__LOSS_H
#include "op/make.h"
/* Fails unless the name is one of the three. */
bp_status bp__loss_infer_reduction(bp__infer *c, const char *reduction);
/* in[0] and in[1] of one float type and one shape; out[0] by the reduction. */
bp_status bp__loss_infer_pair(bp__infer *c, const char *reduction);
bp_value bp__loss_reduce(bp_value each, const char *reduction);
#endif
