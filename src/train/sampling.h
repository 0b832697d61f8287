/* Which rows a pass over the training set takes, and in which order; train.sampling makes its classes equally large. */
#ifndef BP__SAMPLING_H
#define BP__SAMPLING_H
#include "data/data.h"

/* over: every class gets as many rows as the largest, by repeating its own; under: as few as the smallest, by leaving some out.
 */
typedef enum bp__sampling { BP__SAMPLING_NONE, BP__SAMPLING_OVER, BP__SAMPLING_UNDER, BP__N_SAMPLINGS } bp__sampling;
const char *bp__sampling_name(bp__sampling how);
/* The training rows of a pass, in the data's order (indices into the data set), owned by the caller. Which they are depends on
   seed and pass alone, how many on neither. With classes, or BP__SAMPLING_NONE. */
bp_status bp__sample_rows(int64_t **rows, int64_t *n, const bp__dataset *d, bp__sampling how, uint64_t seed, int64_t pass);
/* The same rows in the order of the pass: shuffled, or the data's. order [as many]. */
bp_status bp__order_rows(int64_t *order, const bp__dataset *d, bp__sampling how, bool shuffle, uint64_t seed, int64_t pass);
#endif
