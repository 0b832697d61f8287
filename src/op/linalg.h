/* What the operations of linear algebra share. Their matrices are the last two axes, of sizes that are numbers. */
#ifndef BP__LINALG_H
#define BP__LINALG_H
#include "op/make.h"

/* Input i is a batch of square matrices of a float type. */
bp_status bp__infer_square(bp__infer *c, int i);
/* out[0] = [batch…, n, m] for a [batch…, n, n] and b [batch…, n, m], whose leading axes broadcast. */
bp_status bp__infer_system(bp__infer *c);

/* u8 constants [n, n]: 1 in the lower (upper) triangle, `strict`: without the diagonal; and 1 on the diagonal alone. */
bp_value bp__triangle(bp_graph *g, int64_t n, bool upper, bool strict);
bp_value bp__diagonal(bp_graph *g, int64_t n);
bp_value bp__identity(bp_graph *g, bp_dtype dtype, int64_t n);

/* Matrix `index` of y's batch, from or to doubles in rows. */
void bp__matrix_load(double *to, const bp__tensor *t, const bp__tensor *y, int64_t index);
void bp__matrix_store(const bp__tensor *y, int64_t index, const double *from);
/* Element i of a dense y. */
static inline void bp__number_store(const bp__tensor *y, int64_t i, double x) {
    if (y->dtype == BP_F32)
        ((float *)y->data)[i] = (float)x;
    else
        ((double *)y->data)[i] = x;
}
static inline int64_t bp__rows(const bp__tensor *t) { return t->dim[t->n_dims - 2]; }
static inline int64_t bp__columns(const bp__tensor *t) { return t->dim[t->n_dims - 1]; }
#endif
