#include "op/linalg.h"

bp_status bp__infer_square(bp__infer *c, int i) {
    BP_TRY(bp__infer_need_float(c, i));
    const bp_dims *d = &c->in[i]->dims;
    if (d->n < 2 || d->dim[d->n - 1] != d->dim[d->n - 2])
        return bp__infer_fail(c, BP_SHAPE, "%s must be square in its last two axes, not %s", c->node->op->in_names[i],
                              bp__infer_shape(c, i));
    if (d->dim[d->n - 1] < 0)
        return bp__infer_fail(c, BP_SHAPE, "the size of the matrices must be a number, not a symbol: %s", bp__infer_shape(c, i));
    return BP_OK;
}

bp_status bp__infer_system(bp__infer *c) {
    BP_TRY(bp__infer_square(c, 0));
    const bp_dims *a = &c->in[0]->dims, *b = &c->in[1]->dims;
    if (c->in[0]->dtype != c->in[1]->dtype)
        return bp__infer_fail(c, BP_TYPE, "a is %s but b is %s: use cast", bp_dtype_name(c->in[0]->dtype),
                              bp_dtype_name(c->in[1]->dtype));
    if (b->n < 2 || !bp__infer_equal(c, a->dim[a->n - 1], b->dim[b->n - 2]))
        return bp__infer_fail(c, BP_SHAPE, "b must have the rows of a: %s and %s", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    bp_dims y = *a, batch = *b;
    y.n -= 2;
    batch.n -= 2;
    if (!bp__infer_broadcast(c, &y, &batch))
        return bp__infer_fail(c, BP_SHAPE, "batch dimensions do not broadcast: %s and %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    y.dim[y.n++] = a->dim[a->n - 1];
    y.dim[y.n++] = b->dim[b->n - 1];
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

/* The constant [n, n] that is 1 where low <= column - row <= high. */
static bp_value band(bp_graph *g, int64_t n, int64_t low, int64_t high) {
    bp_dims dims = {2, {n, n}};
    if (n > 0 && n > INT32_MAX / n) return bp__graph_fail(g, BP_SHAPE, "matrices of %lld rows are too large here", (long long)n);
    uint8_t *mask = bp__zalloc(g->ctx, (size_t)(n * n) + 1);
    if (!mask) return bp__graph_fail(g, BP_MEMORY, "out of memory while building a graph");
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = BP__MAX(0, i + low); j < n && j - i <= high; j++) mask[i * n + j] = 1;
    bp_value y = bp_constant(g, BP_U8, dims, mask);
    bp__free(g->ctx, mask);
    return y;
}

bp_value bp__triangle(bp_graph *g, int64_t n, bool upper, bool strict) {
    return upper ? band(g, n, strict, n) : band(g, n, -n, -(int64_t)strict);
}
bp_value bp__diagonal(bp_graph *g, int64_t n) { return band(g, n, 0, 0); }
bp_value bp__identity(bp_graph *g, bp_dtype dtype, int64_t n) { return bp_cast(bp__diagonal(g, n), dtype); }

void bp__matrix_load(double *to, const bp__tensor *t, const bp__tensor *y, int64_t index) {
    int64_t rows = bp__rows(t), columns = bp__columns(t), at = bp__batch_offset(t, y, index);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            int64_t e = at + i * t->stride[t->n_dims - 2] + j * t->stride[t->n_dims - 1];
            *to++ = t->dtype == BP_F32 ? (double)((const float *)t->data)[e] : ((const double *)t->data)[e];
        }
}

void bp__matrix_store(const bp__tensor *y, int64_t index, const double *from) {
    int64_t n = bp__rows(y) * bp__columns(y), at = index * n;
    for (int64_t i = 0; i < n; i++) bp__number_store(y, at + i, from[i]);
}
