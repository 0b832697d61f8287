/* slice:   y[…, i, …] = x[…, start + i * step, …] for 0 <= i < length; a negative step walks backwards.
   unslice: its adjoint: zeros of size `size` along the axis with x at those places.
   `start` and `step` are numbers; `length` and `size` may be expressions over symbols; length BP_INFER: to the end. */
#include "op/make.h"
#include <string.h>

/* How many of `length` steps stay inside [0, size). Sizes that were symbols when the shape rule ran are first seen here. */
static int64_t fitting(int64_t start, int64_t step, int64_t length, int64_t size) {
    if (start >= size) return 0;
    int64_t most = step > 0 ? (size - 1 - start) / step + 1 : step < -start ? 1 : start / -step + 1;
    return BP__MIN(length, most);
}

static bp__tensor part(const bp__tensor *t, int64_t axis, int64_t start, int64_t step, int64_t length) {
    bp__tensor r = *t;
    r.data = length > 0 ? bp__tensor_at(t, start * t->stride[axis]) : t->data;
    r.dim[axis] = length;
    if (length > 1) r.stride[axis] = t->stride[axis] * step; /* else the step may be any number */
    return r;
}

static bp_status slice_infer(bp__infer *c) {
    struct bp__slice_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    int64_t axis = a->axis;
    if (!bp__infer_axis(&axis, x->n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)a->axis, bp__infer_shape(c, 0));
    a->axis = axis;
    if (a->start < 0) return bp__infer_fail(c, BP_SHAPE, "start must be a number from 0, not %lld", (long long)a->start);
    if (a->step == 0) return bp__infer_fail(c, BP_SHAPE, "step must not be 0");
    int64_t size = x->dim[axis], step = a->step;
    bp__dims_table *t = c->g->dims;
    if (a->length == BP_INFER) {
        if (step < 0)
            a->length = step < -a->start ? 1 : a->start / -step + 1;
        else if (size >= 0)
            a->length = size > a->start ? (size - 1 - a->start) / step + 1 : 0;
        else
            a->length = bp__dim_floordiv(t, bp__dim_add(t, bp__dim_sub(t, size, a->start), step - 1), step);
    }
    if (size >= 0 && a->length >= 0 && fitting(a->start, step, a->length, size) != a->length)
        return bp__infer_fail(c, BP_SHAPE, "%lld elements from %lld with step %lld do not fit axis %lld of %s",
                              (long long)a->length, (long long)a->start, (long long)step, (long long)axis, bp__infer_shape(c, 0));
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[axis] = a->length;
    return BP_OK;
}

static void slice_forward(const bp__call *c) {
    const struct bp__slice_attrs *a = c->attrs;
    int64_t length = c->out[0].dim[a->axis], n = fitting(a->start, a->step, length, c->in[0].dim[a->axis]);
    if (n < length) memset(c->out[0].data, 0, (size_t)bp__tensor_count(&c->out[0]) * bp_dtype_size((bp_dtype)c->out[0].dtype));
    bp__tensor x = part(&c->in[0], a->axis, a->start, a->step, n), y = part(&c->out[0], a->axis, 0, 1, n);
    bp__copy(c->env, &y, &x);
}

static bool slice_view(bp__call *c, bp__tensor *out) {
    const struct bp__slice_attrs *a = c->attrs;
    int64_t length = c->out[0].dim[a->axis];
    if (c->in[0].panels || fitting(a->start, a->step, length, c->in[0].dim[a->axis]) != length) return false;
    bp__tensor x = c->in[0];
    x.data = NULL;
    int64_t offset = length > 0 ? a->start * x.stride[a->axis] * (int64_t)bp_dtype_size((bp_dtype)x.dtype) : 0;
    *out = part(&x, a->axis, 0, a->step, length);
    out->data = (void *)(uintptr_t)offset;
    return true;
}

static void slice_gradient(bp__grad *c) {
    const struct bp__slice_attrs *a = c->attrs;
    bp_dims x = bp_value_dims(c->in[0]);
    c->d_in[0] = bp__unslice_axis(c->d_out[0], a->axis, a->start, x.dim[a->axis], a->step);
}

static bp_status unslice_infer(bp__infer *c) {
    struct bp__unslice_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    int64_t axis = a->axis;
    if (!bp__infer_axis(&axis, x->n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)a->axis, bp__infer_shape(c, 0));
    a->axis = axis;
    if (a->start < 0) return bp__infer_fail(c, BP_SHAPE, "start must be a number from 0, not %lld", (long long)a->start);
    if (a->step == 0) return bp__infer_fail(c, BP_SHAPE, "step must not be 0");
    if (a->size == BP_INFER) return bp__infer_fail(c, BP_SHAPE, "size must be given");
    int64_t length = x->dim[axis];
    if (a->size >= 0 && length >= 0 && fitting(a->start, a->step, length, a->size) != length)
        return bp__infer_fail(c, BP_SHAPE, "axis %lld of %s, from %lld with step %lld, does not fit size %lld", (long long)axis,
                              bp__infer_shape(c, 0), (long long)a->start, (long long)a->step, (long long)a->size);
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[axis] = a->size;
    return BP_OK;
}

static void unslice_forward(const bp__call *c) {
    const struct bp__unslice_attrs *a = c->attrs;
    int64_t n = fitting(a->start, a->step, c->in[0].dim[a->axis], c->out[0].dim[a->axis]);
    memset(c->out[0].data, 0, (size_t)bp__tensor_count(&c->out[0]) * bp_dtype_size((bp_dtype)c->out[0].dtype));
    bp__tensor x = part(&c->in[0], a->axis, 0, 1, n), y = part(&c->out[0], a->axis, a->start, a->step, n);
    bp__copy(c->env, &y, &x);
}

static void unslice_gradient(bp__grad *c) {
    const struct bp__unslice_attrs *a = c->attrs;
    bp_dims x = bp_value_dims(c->in[0]);
    c->d_in[0] = bp__slice_axis(c->d_out[0], a->axis, a->start, x.dim[a->axis], a->step);
}

static const struct bp__slice_attrs rows = {.axis = 0, .start = 1, .length = 2, .step = 1},
                                    every_other = {.axis = -1, .start = 1, .length = BP_INFER, .step = 2},
                                    backwards = {.axis = 1, .start = 3, .length = 4, .step = -1};
static const bp__sample slice_samples[] = {{.attrs = &rows, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 3})}},
                                           {.attrs = &every_other, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 8})}},
                                           {.attrs = &backwards, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}}};
static const struct bp__unslice_attrs un_rows = {.axis = 0, .start = 1, .size = 4, .step = 1},
                                      un_other = {.axis = -1, .start = 1, .size = 8, .step = 2},
                                      un_back = {.axis = 1, .start = 3, .size = 5, .step = -1};
static const bp__sample unslice_samples[] = {{.attrs = &un_rows, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}},
                                             {.attrs = &un_other, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                             {.attrs = &un_back, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}}};

const bp__op_def bp__def_slice = {
    BP__SIGNATURE(slice),       .family = "structure",    .formula = "y[i] = x[start + i * step] along `axis`, 0 <= i < length",
    .infer = slice_infer,       .forward = slice_forward, .view = slice_view,
    .gradient = slice_gradient, .samples = slice_samples, .n_samples = BP__COUNT(slice_samples)};
const bp__op_def bp__def_unslice = {BP__SIGNATURE(unslice),
                                    .family = "structure",
                                    .formula = "y[start + i * step] = x[i] along `axis`, 0 elsewhere",
                                    .infer = unslice_infer,
                                    .forward = unslice_forward,
                                    .gradient = unslice_gradient,
                                    .samples = unslice_samples,
                                    .n_samples = BP__COUNT(unslice_samples)};
