/* gather:      y[…, j, …] = x[…, index[…, j, …], …] along `axis`; index has x's shape except there.
   scatter_add: its adjoint: y[…, index[…, j, …], …] += x[…, j, …], `size` places along `axis`. An index outside selects nothing.
 */
#include "op/make.h"

static bp_status same_outside(bp__infer *c, int64_t *axis) {
    const bp_dims *x = &c->in[0]->dims, *index = &c->in[1]->dims;
    int64_t given = *axis;
    BP_TRY(bp__infer_need_i64(c, 1, "index"));
    if (!bp__infer_axis(axis, x->n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)given, bp__infer_shape(c, 0));
    bool fits = x->n == index->n;
    for (int64_t i = 0; fits && i < x->n; i++) fits = i == *axis || bp__infer_equal(c, x->dim[i], index->dim[i]);
    if (fits) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "x %s and index %s differ outside axis %lld", bp__infer_shape(c, 0), bp__infer_shape(c, 1),
                          (long long)*axis);
}

static bp_status gather_infer(bp__infer *c) {
    struct bp__gather_attrs *a = c->attrs;
    BP_TRY(same_outside(c, &a->axis));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = c->in[1]->dims};
    return BP_OK;
}

static void gather_forward(const bp__call *c) {
    const struct bp__gather_attrs *a = c->attrs;
    bp__take_along(c->env, (int)a->axis, &c->out[0], &c->in[0], &c->in[1]);
}

static void gather_gradient(bp__grad *c) {
    const struct bp__gather_attrs *a = c->attrs;
    bp_dims x = bp_value_dims(c->in[0]);
    if (c->wanted[0]) c->d_in[0] = bp_scatter_add(c->d_out[0], c->in[1], a->axis, x.dim[a->axis]);
}

static bp_status scatter_infer(bp__infer *c) {
    struct bp__scatter_add_attrs *a = c->attrs;
    BP_TRY(same_outside(c, &a->axis));
    BP_TRY(bp__infer_need_float(c, 0));
    if (!bp__infer_equal(c, c->in[0]->dims.dim[a->axis], c->in[1]->dims.dim[a->axis]))
        return bp__infer_fail(c, BP_SHAPE, "x %s and index %s must have the same shape", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (a->size == BP_INFER) return bp__infer_fail(c, BP_SHAPE, "size must be given");
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[a->axis] = a->size;
    return BP_OK;
}

static void scatter_forward(const bp__call *c) {
    const struct bp__scatter_add_attrs *a = c->attrs;
    bp__scatter_add(c->env, (int)a->axis, &c->out[0], &c->in[0], &c->in[1]);
}

static void scatter_gradient(bp__grad *c) {
    const struct bp__scatter_add_attrs *a = c->attrs;
    if (c->wanted[0]) c->d_in[0] = bp_gather(c->d_out[0], c->in[1], a->axis);
}

static const struct bp__gather_attrs g_rows = {.axis = 0}, g_last = {.axis = -1};
static const bp__sample gather_samples[] = {
    {.attrs = &g_rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {4, 3}), BP__I(0, 4, 2, {6, 3})}},
    {.attrs = &g_last, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 5}), BP__I(0, 5, 3, {2, 3, 1})}},
    {.attrs = &g_last, .n_in = 2, .in = {BP__F(-2, 2, 1, {5}), BP__I(0, 5, 1, {9})}},
};
static const struct bp__scatter_add_attrs s_rows = {.axis = 0, .size = 4}, s_last = {.axis = -1, .size = 5};
static const bp__sample scatter_samples[] = {
    {.attrs = &s_rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {6, 3}), BP__I(0, 4, 2, {6, 3})}},
    {.attrs = &s_last, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 2}), BP__I(0, 5, 3, {2, 3, 2})}},
    {.attrs = &s_last, .n_in = 2, .in = {BP__F(-2, 2, 1, {9}), BP__I(0, 5, 1, {9})}},
};

const bp__op_def bp__def_gather = {BP__SIGNATURE(gather),
                                   .family = "indexing",
                                   .formula = "y[..., j, ...] = x[..., index[..., j, ...], ...] along `axis`",
                                   .infer = gather_infer,
                                   .forward = gather_forward,
                                   .gradient = gather_gradient,
                                   .samples = gather_samples,
                                   .n_samples = BP__COUNT(gather_samples)};
const bp__op_def bp__def_scatter_add = {BP__SIGNATURE(scatter_add),
                                        .family = "indexing",
                                        .formula = "y[..., index[..., j, ...], ...] += x[..., j, ...] along `axis`",
                                        .infer = scatter_infer,
                                        .forward = scatter_forward,
                                        .gradient = scatter_gradient,
                                        .samples = scatter_samples,
                                        .n_samples = BP__COUNT(scatter_samples)};
