/* A step's gradients when it is made of several shards: summed in a pairwise tree over the shards' index, so that the bits do not
   depend on who computed which shard. Of n shards about log2(n) sums are kept at a time. */
#ifndef BP__SHARDS_H
#define BP__SHARDS_H
#include "core/core.h"

typedef struct bp__shards bp__shards;
/* Each shard gives n_tensors arrays of sizes[k] numbers, BP_F32 or BP_F64, and its part of the loss. Owns. */
bp_status bp__shards_new(bp__shards **out, bp_context *ctx, bp_dtype dtype, const int64_t *sizes, int n_tensors);
void bp__shards_free(bp__shards *s);
void bp__shards_begin(bp__shards *s); /* a new step: no shard yet */
/* The next shard in order of index; tensors[k] is copied. */
bp_status bp__shards_add(bp__shards *s, const void *const *tensors, double loss);
/* Ends the step: the sums, borrowed until the next begin; sum[k] for tensor k. At least one shard was added. */
void bp__shards_end(bp__shards *s, const void **sum, double *loss);
#endif
