/* What the kinds of dropout share. */
#ifndef BP__DROPOUT_H
#define BP__DROPOUT_H
#include "op/make.h"
/* x of a float type, p a single number of that type, a stream with a name; `rank` axes (0: any; -1: at least 2). */
bp_status bp__dropout_infer(bp__infer *c, const char *stream, int rank);
/* 1 where x is kept, u8: for each element, or for each channel [batch, channels] of x. */
bp_value bp__dropout_kept(bp_value x, bp_value p, const char *stream, bool by_channel);
/* kept ? x / (1 - p) : 0; at p = 1 everything is 0, the gradient too. */
bp_value bp__dropout_scaled(bp_value x, bp_value p, bp_value kept);
#endif
