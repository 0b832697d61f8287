/* embedding:      y[i…, :] = weight[index[i…], :]; an index outside the table gives zeros. The row `padding_idx` (negative: from
                   the end) is looked up as any other, but learns nothing.
   embedding_grad: its adjoint: d_weight[index[i…], :] += d_y[i…, :], `rows` rows. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__embedding_attrs *a = c->attrs;
    const bp_dims *w = &c->in[0]->dims, *index = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_need_i64(c, 1, "index"));
    if (w->n != 2)
        return bp__infer_fail(c, BP_SHAPE, "weight must be [rows, features], not %s (index %s)", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (index->n + 1 > BP_MAX_DIMS)
        return bp__infer_fail(c, BP_SHAPE, "index %s has too many dimensions beside weight %s", bp__infer_shape(c, 1),
                              bp__infer_shape(c, 0));
    if (a->padding_idx != BP_UNSET) {
        int64_t given = a->padding_idx;
        if (a->padding_idx < 0 && w->dim[0] >= 0) a->padding_idx += w->dim[0];
        if (a->padding_idx < 0 || (w->dim[0] >= 0 && a->padding_idx >= w->dim[0]))
            return bp__infer_fail(c, BP_SHAPE, "padding_idx %lld is no row of weight %s", (long long)given,
                                  bp__infer_shape(c, 0));
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = *index};
    c->out[0].dims.dim[c->out[0].dims.n++] = w->dim[1];
    return BP_OK;
}

/* index as a vector and the rows that belong to it as a matrix. Both are contiguous. */
static bp__tensor flat_index(const bp__tensor *index) {
    bp__tensor t = *index;
    t.n_dims = 1;
    t.dim[0] = bp__tensor_count(index);
    t.stride[0] = 1;
    return t;
}
static bp__tensor flat_rows(const bp__tensor *rows) {
    bp__tensor t = *rows;
    t.n_dims = 2;
    t.dim[0] = 1;
    for (int i = 0; i + 1 < rows->n_dims; i++) t.dim[0] *= rows->dim[i];
    t.dim[1] = rows->dim[rows->n_dims - 1];
    t.stride[0] = t.dim[1];
    t.stride[1] = 1;
    return t;
}

static void forward(const bp__call *c) {
    bp__tensor index = flat_index(&c->in[1]), y = flat_rows(&c->out[0]);
    bp__gather_rows(c->env, &y, &c->in[0], &index);
}

static void gradient(bp__grad *c) {
    const struct bp__embedding_attrs *a = c->attrs;
    bp_value index = c->in[1];
    if (!c->wanted[0]) return;
    if (a->padding_idx != BP_UNSET) /* -1 is outside, and adds nothing */
        index = bp_where(bp_eq(index, bp__k(c->g, BP_I64, (double)a->padding_idx)), bp__k(c->g, BP_I64, -1), index);
    c->d_in[0] = bp_embedding_grad(c->d_out[0], index, bp_value_dims(c->in[0]).dim[0]);
}

static bp_status grad_infer(bp__infer *c) {
    const struct bp__embedding_grad_attrs *a = c->attrs;
    const bp_dims *d_y = &c->in[0]->dims, *index = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_need_i64(c, 1, "index"));
    bool fits = d_y->n == index->n + 1;
    for (int64_t i = 0; fits && i < index->n; i++) fits = bp__infer_equal(c, d_y->dim[i], index->dim[i]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "d_y must have the shape of index and one axis more: %s, %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (a->rows == BP_INFER) return bp__infer_fail(c, BP_SHAPE, "rows must be given");
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = 2, .dim = {a->rows, d_y->dim[index->n]}}};
    return BP_OK;
}

static void grad_forward(const bp__call *c) {
    bp__tensor index = flat_index(&c->in[1]), d_y = flat_rows(&c->in[0]);
    bp__scatter_add_rows(c->env, &c->out[0], &d_y, &index);
}

static void grad_gradient(bp__grad *c) {
    if (c->wanted[0]) c->d_in[0] = bp_embedding(c->d_out[0], c->in[1], NULL);
}

static const bp__sample samples[] = {{.n_in = 2, .in = {BP__F(-2, 2, 2, {5, 3}), BP__I(0, 5, 1, {7})}},
                                     {.n_in = 2, .in = {BP__F(-2, 2, 2, {4, 17}), BP__I(0, 4, 2, {2, 3})}},
                                     {.n_in = 2, .in = {BP__F(-2, 2, 2, {4, 1}), BP__I(0, 4, 0, {0})}}};
static const struct bp__embedding_grad_attrs five = {.rows = 5}, four = {.rows = 4};
static const bp__sample grad_samples[] = {
    {.attrs = &five, .n_in = 2, .in = {BP__F(-2, 2, 2, {7, 3}), BP__I(0, 5, 1, {7})}},
    {.attrs = &four, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 17}), BP__I(0, 4, 2, {2, 3})}},
};

const bp__op_def bp__def_embedding = {BP__SIGNATURE(embedding), .family = "indexing", .formula = "y[i, :] = weight[index[i], :]",
                                      .flags = BP__OP_DENSE_IN, .infer = infer,       .forward = forward,
                                      .gradient = gradient,     .samples = samples,   .n_samples = BP__COUNT(samples)};
const bp__op_def bp__def_embedding_grad = {
    BP__SIGNATURE(embedding_grad), .family = "indexing",    .formula = "d_weight[index[i], :] += d_y[i, :]",
    .flags = BP__OP_DENSE_IN,      .infer = grad_infer,     .forward = grad_forward,
    .gradient = grad_gradient,     .samples = grad_samples, .n_samples = BP__COUNT(grad_samples)};
