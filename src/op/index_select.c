/* take_along:   gather whose index broadcasts with x outside `axis` (PyTorch's take_along_dim).
   index_select: y[…, j, …] = x[…, index[j], …] along `axis`, index a vector.
   index_add:    y = x, with y[…, index[j], …] += alpha * source[…, j, …]. An index outside selects and adds nothing. */
#include "op/make.h"

/* The common shape of x and index outside the axis; each keeps its own size there. */
static bool common_dims(bp__infer *c, bp_dims *x, bp_dims *index, int64_t axis) {
    if (x->n != index->n) return false;
    for (int64_t i = 0; i < x->n; i++) {
        if (i == axis) continue;
        if (x->dim[i] != 1 && index->dim[i] != 1 && !(c ? bp__infer_equal(c, x->dim[i], index->dim[i]) : true)) return false;
        x->dim[i] = index->dim[i] = x->dim[i] == 1 || (x->dim[i] < 0 && index->dim[i] > 1) ? index->dim[i] : x->dim[i];
    }
    return true;
}

static bp_status along_infer(bp__infer *c) {
    struct bp__take_along_attrs *a = c->attrs;
    bp_dims x = c->in[0]->dims, index = c->in[1]->dims;
    BP_TRY(bp__infer_need_i64(c, 1, "index"));
    BP_TRY(bp__infer_one_axis(c, &a->axis));
    if (!common_dims(c, &x, &index, a->axis))
        return bp__infer_fail(c, BP_SHAPE, "x %s and index %s do not broadcast outside axis %lld", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1), (long long)a->axis);
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = index};
    return BP_OK;
}

static bp_value along_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__take_along_attrs *a = attrs;
    bp_dims x = bp_value_dims(in[0]), index = bp_value_dims(in[1]);
    common_dims(NULL, &x, &index, a->axis);
    return bp_gather(bp_broadcast_to(in[0], x), bp_broadcast_to(in[1], index), a->axis);
}

static bp_status need_vector(bp__infer *c, int i) {
    BP_TRY(bp__infer_need_i64(c, i, "index"));
    if (c->in[i]->dims.n == 1) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "index must be a vector, not %s (x is %s)", bp__infer_shape(c, i), bp__infer_shape(c, 0));
}

static bp_status select_infer(bp__infer *c) {
    struct bp__index_select_attrs *a = c->attrs;
    BP_TRY(need_vector(c, 1));
    BP_TRY(bp__infer_one_axis(c, &a->axis));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = c->in[0]->dims};
    c->out[0].dims.dim[a->axis] = c->in[1]->dims.dim[0];
    return BP_OK;
}

/* The vector as an index of shape `dims`, the same along all other axes: a view. */
static bp_value spread(bp_value index, bp_dims dims, int64_t axis) {
    dims.dim[axis] = bp_value_dims(index).dim[0];
    return bp_broadcast_to(bp__along(index, axis, dims.n), dims);
}

static bp_value select_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__index_select_attrs *a = attrs;
    return bp_gather(in[0], spread(in[1], bp_value_dims(in[0]), a->axis), a->axis);
}

static bp_status add_infer(bp__infer *c) {
    struct bp__index_add_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims, *s = &c->in[2]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(need_vector(c, 1));
    BP_TRY(bp__infer_one_axis(c, &a->axis));
    if (c->in[2]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "source is %s where x is %s: use cast", bp_dtype_name(c->in[2]->dtype),
                              bp_dtype_name(c->in[0]->dtype));
    bool fits = s->n == x->n && bp__infer_equal(c, s->dim[a->axis], c->in[1]->dims.dim[0]);
    for (int64_t i = 0; fits && i < x->n; i++) fits = i == a->axis || bp__infer_equal(c, x->dim[i], s->dim[i]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "source %s must have x's shape %s, but the size of index %s along axis %lld",
                              bp__infer_shape(c, 2), bp__infer_shape(c, 0), bp__infer_shape(c, 1), (long long)a->axis);
    return bp__infer_same(c);
}

static bp_value add_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__index_add_attrs *a = attrs;
    bp_value source = a->alpha == 1 ? in[2] : bp__mul_k(in[2], a->alpha);
    bp_dims x = bp_value_dims(in[0]);
    return bp_add(in[0], bp_scatter_add(source, spread(in[1], bp_value_dims(source), a->axis), a->axis, x.dim[a->axis]));
}

static const struct bp__take_along_attrs t_rows = {.axis = 0}, t_last = {.axis = -1};
static const bp__sample along_samples[] = {
    {.attrs = &t_rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {4, 3}), BP__I(0, 4, 2, {6, 1})}},
    {.attrs = &t_last, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 1, 5}), BP__I(0, 5, 3, {2, 3, 2})}},
    {.attrs = &t_last, .n_in = 2, .in = {BP__F(-2, 2, 2, {2, 3}), BP__I(0, 3, 2, {1, 4})}},
};
static const struct bp__index_select_attrs s_rows = {.axis = 0}, s_last = {.axis = -1};
static const bp__sample select_samples[] = {
    {.attrs = &s_rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {4, 3}), BP__I(0, 4, 1, {6})}},
    {.attrs = &s_last, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 5}), BP__I(0, 5, 1, {1})}},
    {.attrs = &s_rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {4, 3}), BP__I(0, 4, 1, {0})}},
};
static const struct bp__index_add_attrs a_rows = {.axis = 0, .alpha = 1}, a_last = {.axis = -1, .alpha = -0.5};
static const bp__sample add_samples[] = {
    {.attrs = &a_rows, .n_in = 3, .in = {BP__F(-2, 2, 2, {4, 3}), BP__I(0, 4, 1, {6}), BP__F(-2, 2, 2, {6, 3})}},
    {.attrs = &a_last, .n_in = 3, .in = {BP__F(-2, 2, 3, {2, 3, 5}), BP__I(0, 5, 1, {2}), BP__F(-2, 2, 3, {2, 3, 2})}},
};

const bp__op_def bp__def_take_along = {BP__SIGNATURE(take_along),
                                       .family = "indexing",
                                       .formula = "y[..., j, ...] = x[..., index[..., j, ...], ...], broadcast outside `axis`",
                                       .infer = along_infer,
                                       .decompose = along_decompose,
                                       .samples = along_samples,
                                       .n_samples = BP__COUNT(along_samples)};
const bp__op_def bp__def_index_select = {BP__SIGNATURE(index_select),
                                         .family = "indexing",
                                         .formula = "y[..., j, ...] = x[..., index[j], ...] along `axis`",
                                         .infer = select_infer,
                                         .decompose = select_decompose,
                                         .samples = select_samples,
                                         .n_samples = BP__COUNT(select_samples)};
const bp__op_def bp__def_index_add = {BP__SIGNATURE(index_add),
                                      .family = "indexing",
                                      .formula = "y = x; y[..., index[j], ...] += alpha * source[..., j, ...] along `axis`",
                                      .infer = add_infer,
                                      .decompose = add_decompose,
                                      .samples = add_samples,
                                      .n_samples = BP__COUNT(add_samples)};
