/* Of a vector: the square matrix with it on diagonal number `diagonal` (above the main one where positive), zeros elsewhere.
   Of a matrix: that diagonal as a vector. The vector's element k is the matrix's (k + down, k + across). */
#include "op/make.h"

static int64_t down(int64_t diagonal) { return diagonal < 0 ? -BP__MAX(diagonal, -INT64_MAX) : 0; }
static int64_t across(int64_t diagonal) { return BP__MAX(diagonal, 0); }

/* How long the diagonal of a matrix is; -1: not known, the sizes are different symbols. */
static int64_t length_of(bp__dims_table *t, const bp_dims *x, int64_t diagonal) {
    int64_t rows = bp__dim_sub(t, x->dim[0], down(diagonal)), columns = bp__dim_sub(t, x->dim[1], across(diagonal));
    if (x->dim[0] >= 0 && x->dim[1] >= 0) return BP__MAX(0, BP__MIN(x->dim[0] - down(diagonal), x->dim[1] - across(diagonal)));
    if (x->dim[0] != x->dim[1]) return -1;
    return diagonal > 0 ? columns : rows;
}

static bp_status infer(bp__infer *c) {
    int64_t k = ((const struct bp__diag_attrs *)c->attrs)->diagonal;
    const bp_dims *x = &c->in[0]->dims;
    if (x->n != 1 && x->n != 2)
        return bp__infer_fail(c, BP_SHAPE, "x must be a vector or a matrix, not %s", bp__infer_shape(c, 0));
    BP_TRY(bp__infer_need_float(c, 0));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = 3 - x->n}};
    bp_dims *y = &c->out[0].dims;
    if (x->n == 1)
        y->dim[0] = y->dim[1] = bp__dim_add(c->g->dims, x->dim[0], down(k) + across(k));
    else
        y->dim[0] = length_of(c->g->dims, x, k);
    if (y->dim[0] != -1) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "the diagonal of %s has no known length: give numbers, or a square matrix",
                          bp__infer_shape(c, 0));
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    int64_t k = ((const struct bp__diag_attrs *)attrs)->diagonal;
    bp_dims x = bp_value_dims(in[0]);
    if (x.n == 1) {
        int64_t n = x.dim[0], size = bp__dim_add(g->dims, n, down(k) + across(k));
        bp_value column = bp_reshape(bp__count_from(in[0], across(k), n), bp_shape(2, n, 1));
        bp_value rows = bp_scatter_add(bp_reshape(in[0], bp_shape(2, n, 1)), column, 1, size);
        return bp__unslice_axis(rows, 0, down(k), size, 1);
    }
    int64_t n = length_of(g->dims, &x, k);
    if (n == 0) return bp_reshape(bp__slice_axis(bp_reshape(in[0], bp_shape(1, BP_INFER)), 0, 0, 0, 1), bp_shape(1, 0));
    bp_value column = bp_reshape(bp__count_from(in[0], across(k), n), bp_shape(2, n, 1));
    return bp_reshape(bp_gather(bp__slice_axis(in[0], 0, down(k), n, 1), column, 1), bp_shape(1, n));
}

static const struct bp__diag_attrs main_one = {.diagonal = 0}, above = {.diagonal = 1}, below = {.diagonal = -2},
                                   outside = {.diagonal = 7};
static const bp__sample samples[] = {{.attrs = &main_one, .n_in = 1, .in = {BP__F(-2, 2, 1, {4})}},
                                     {.attrs = &above, .n_in = 1, .in = {BP__F(-2, 2, 1, {3})}},
                                     {.attrs = &below, .n_in = 1, .in = {BP__F(-2, 2, 1, {3})}},
                                     {.attrs = &main_one, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &above, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 4})}},
                                     {.attrs = &below, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 3})}},
                                     {.attrs = &outside, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 3})}}};

const bp__op_def bp__def_diag = {BP__SIGNATURE(diag),
                                 .family = "structure",
                                 .formula = "a vector on diagonal `diagonal` of a square matrix, or that diagonal of a matrix",
                                 .infer = infer,
                                 .decompose = decompose,
                                 .samples = samples,
                                 .n_samples = BP__COUNT(samples)};
