/* Dimensions: a number >= 0, -1 (to be inferred), or the name of an integer expression over symbols (<= -2): polynomials over
   symbols and floor divisions in canonical form, so that equality of forms is equality of names. */
#ifndef BP__DIM_H
#define BP__DIM_H
#include "core/pool.h"

typedef struct bp__dims_table bp__dims_table;
bp__dims_table *bp__dims_table_new(bp_context *ctx); /* symbols 0 (batch) and 1 (time) are there; NULL: out of memory */
void bp__dims_table_free(bp__dims_table *t);
bp__dims_table *bp__dims_table_copy(const bp__dims_table *t);
bool bp__dim_is_known(const bp__dims_table *t, int64_t dim);    /* a number, or the name of an expression in t */
int64_t bp__dim_symbol(bp__dims_table *t, const char *name);    /* the same name gives the same symbol */
int bp__dim_symbol_count(const bp__dims_table *t);              /* symbols are numbered 0 … count-1 in order of making */
int bp__dim_symbol_index(const bp__dims_table *t, int64_t dim); /* -1: not a bare symbol */
const char *bp__dim_symbol_name(const bp__dims_table *t, int index);
int bp__dim_symbol_find(const bp__dims_table *t, const char *name); /* its index, -1: not there */
/* The same dimension in another table; its symbols are made there when they are missing. */
int64_t bp__dim_translate(bp__dims_table *to, const bp__dims_table *from, int64_t dim);
bp_dims bp__dims_translate(bp__dims_table *to, const bp__dims_table *from, const bp_dims *dims);
int64_t bp__dim_add(bp__dims_table *t, int64_t a, int64_t b);
int64_t bp__dim_sub(bp__dims_table *t, int64_t a, int64_t b);
int64_t bp__dim_mul(bp__dims_table *t, int64_t a, int64_t b);
int64_t bp__dim_floordiv(bp__dims_table *t, int64_t a, int64_t b); /* a, b as polynomials; exact quotients are simplified */
/* The number for given symbol values; a symbol without a value (< 0) gives -1; overflow and division by zero too. */
int64_t bp__dim_eval(const bp__dims_table *t, int64_t dim, const int64_t *symbols);
/* Text such as "batch" or "2*time - 1". Returns out. */
char *bp__dim_text(const bp__dims_table *t, int64_t dim, char *out, size_t size);
char *bp__dims_text(const bp__dims_table *t, const bp_dims *d, char *out, size_t size); /* "[batch, 784]" */
int64_t bp__dims_count(bp__dims_table *t, const bp_dims *d);                            /* the product */

static inline bool bp__dims_equal(const bp_dims *a, const bp_dims *b) { /* the same forms, so the same sizes */
    if (a->n != b->n) return false;
    for (int64_t i = 0; i < a->n; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}
#endif
