/* Which rows are for training, validation and test. */
#ifndef BP__SPLIT_H
#define BP__SPLIT_H
#include "core/core.h"

typedef struct bp__split_options {
    double validation, test; /* fractions in [0, 1) */
    uint64_t seed;
    const int64_t *classes; /* per element of `rows`: class >= 0, kept in proportion; NULL: not stratified */
} bp__split_options;

typedef struct bp__rows {
    int64_t *rows; /* owned, ascending */
    int64_t n;
} bp__rows;
/* Splits rows[0 … n-1] (ascending) into train, validation, test. Each set has round(fraction * n) rows, the classes' shares by
   largest remainder, and every class keeps a row for training. */
bp_status bp__split(bp__rows out[3], bp_context *ctx, const int64_t *rows, int64_t n, const bp__split_options *options);
void bp__rows_free(bp_context *ctx, bp__rows *r);

#endif
