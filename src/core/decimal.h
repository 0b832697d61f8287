/* Decimal digits as they were written. */
#ifndef BP__DECIMAL_H
#define BP__DECIMAL_H
#include "core/core.h"

typedef struct bp__decimal {
    const char *first; /* the first digit that is not 0; a '.' may lie between the digits */
    int64_t n_digits;  /* from there, up to the last digit written; 0: the value is 0 */
    int64_t exponent;  /* of ten, for the last of these digits */
} bp__decimal;

double bp__decimal_value(const bp__decimal *d); /* +inf beyond the largest double */

#endif
