/* train.sampling: the rows of an epoch where classes are to be equally large. */
#ifndef BP__SAMPLING_H
#define BP__SAMPLING_H
#include "data/data.h"

/* over: every class gets as many rows as the largest, by repeating its own; under: as few as the smallest, by leaving some out.
 */
typedef enum bp__sampling { BP__SAMPLING_NONE, BP__SAMPLING_OVER, BP__SAMPLING_UNDER } bp__sampling;
bool bp__sampling_find(bp__sampling *out, const char *name);
/* The training rows of an epoch, in the data's order (indices into the data set), owned by the caller. Which they are depends on
   seed and epoch alone, how many on neither. */
bp_status bp__sample_rows(int64_t **rows, int64_t *n, const bp__dataset *d, bp__sampling how, uint64_t seed, int64_t epoch);
#endif
