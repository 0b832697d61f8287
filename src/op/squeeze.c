/* squeeze:   x without those of `axes` (default: all) whose size is 1. A size that is a symbol is not 1.
   unsqueeze: x with an axis of size 1 put in, so that it is axis `axis` of y.
   flatten:   axes start_axis … end_axis joined into one; a scalar becomes a vector of one. */
#include "op/make.h"

static bp_status squeeze_infer(bp__infer *c) {
    struct bp__squeeze_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(bp__infer_axes(c, &a->axes));
    bp_dims ones = {.n = 0};
    for (int64_t i = 0; i < a->axes.n; i++)
        if (x->dim[a->axes.dim[i]] == 1) ones.dim[ones.n++] = a->axes.dim[i];
    a->axes = ones;
    c->out[0].dtype = c->in[0]->dtype;
    bp__reduced_dims(&c->out[0].dims, x, &ones, false);
    return BP_OK;
}

static bp_value squeeze_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    bp_dims x = bp_value_dims(in[0]), y;
    bp__reduced_dims(&y, &x, &((const struct bp__squeeze_attrs *)attrs)->axes, false);
    return bp_reshape(in[0], y);
}

static bp_status unsqueeze_infer(bp__infer *c) {
    struct bp__unsqueeze_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    int64_t given = a->axis;
    if (x->n == BP_MAX_DIMS) return bp__infer_fail(c, BP_SHAPE, "x %s can have no more axes", bp__infer_shape(c, 0));
    if (!bp__infer_axis(&a->axis, x->n + 1))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is no place for a new axis of %s", (long long)given, bp__infer_shape(c, 0));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = x->n + 1}};
    for (int64_t i = 0; i <= x->n; i++) c->out[0].dims.dim[i] = i == a->axis ? 1 : x->dim[i - (i > a->axis)];
    return BP_OK;
}

static bp_value unsqueeze_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    return bp__unsqueeze(in[0], ((const struct bp__unsqueeze_attrs *)attrs)->axis);
}

static bp_status flatten_infer(bp__infer *c) {
    struct bp__flatten_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {1, {1}}};
    if (x->n == 0) return BP_OK;
    BP_TRY(bp__infer_one_axis(c, &a->start_axis));
    BP_TRY(bp__infer_one_axis(c, &a->end_axis));
    if (a->start_axis > a->end_axis)
        return bp__infer_fail(c, BP_SHAPE, "start_axis %lld of %s comes after end_axis %lld", (long long)a->start_axis,
                              bp__infer_shape(c, 0), (long long)a->end_axis);
    bp_dims *y = &c->out[0].dims;
    y->n = 0;
    for (int64_t i = 0; i < x->n; i++)
        if (i <= a->start_axis || i > a->end_axis)
            y->dim[y->n++] = x->dim[i];
        else
            y->dim[a->start_axis] = bp__dim_mul(c->g->dims, y->dim[a->start_axis], x->dim[i]);
    return BP_OK;
}

static bp_value flatten_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__flatten_attrs *a = attrs;
    bp_dims x = bp_value_dims(in[0]), y = {.n = 0};
    if (x.n == 0) return bp_reshape(in[0], bp_shape(1, 1));
    for (int64_t i = 0; i < x.n; i++)
        if (i <= a->start_axis || i > a->end_axis)
            y.dim[y.n++] = x.dim[i];
        else
            y.dim[a->start_axis] = bp__dim_mul(g->dims, y.dim[a->start_axis], x.dim[i]);
    return bp_reshape(in[0], y);
}

static const struct bp__squeeze_attrs every = {.axes = {.n = -1}}, some = {.axes = {2, {-1, 1}}};
static const bp__sample squeeze_samples[] = {{.attrs = &every, .n_in = 1, .in = {BP__F(-2, 2, 4, {1, 3, 1, 2})}},
                                             {.attrs = &some, .n_in = 1, .in = {BP__F(-2, 2, 3, {1, 3, 1})}},
                                             {.attrs = &every, .n_in = 1, .in = {BP__F(-2, 2, 2, {1, 1})}},
                                             {.attrs = &every, .n_in = 1, .in = {BP__F(-2, 2, 2, {1, 0})}}};
static const struct bp__unsqueeze_attrs front = {.axis = 0}, back = {.axis = -1}, between = {.axis = 1};
static const bp__sample unsqueeze_samples[] = {{.attrs = &front, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}},
                                               {.attrs = &back, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
                                               {.attrs = &between, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}}};
static const struct bp__flatten_attrs whole = {.start_axis = 0, .end_axis = -1}, rows = {.start_axis = 1, .end_axis = -1},
                                      inner = {.start_axis = 1, .end_axis = 2};
static const bp__sample flatten_samples[] = {{.attrs = &whole, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 2})}},
                                             {.attrs = &rows, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 2})}},
                                             {.attrs = &inner, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 3, 1, 2})}},
                                             {.attrs = &whole, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_squeeze = {BP__SIGNATURE(squeeze),
                                    .family = "structure",
                                    .formula = "y = x without those of `axes` that have size 1",
                                    .infer = squeeze_infer,
                                    .decompose = squeeze_decompose,
                                    .samples = squeeze_samples,
                                    .n_samples = BP__COUNT(squeeze_samples)};
const bp__op_def bp__def_unsqueeze = {BP__SIGNATURE(unsqueeze),
                                      .family = "structure",
                                      .formula = "y = x with a new axis `axis` of size 1",
                                      .infer = unsqueeze_infer,
                                      .decompose = unsqueeze_decompose,
                                      .samples = unsqueeze_samples,
                                      .n_samples = BP__COUNT(unsqueeze_samples)};
const bp__op_def bp__def_flatten = {BP__SIGNATURE(flatten),
                                    .family = "structure",
                                    .formula = "y = x with axes `start_axis` to `end_axis` joined",
                                    .infer = flatten_infer,
                                    .decompose = flatten_decompose,
                                    .samples = flatten_samples,
                                    .n_samples = BP__COUNT(flatten_samples)};
