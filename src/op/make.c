#include "op/make.h"

static bp_dims one_axis(int64_t axis) {
    bp_dims d = {.n = 1, .dim = {axis}};
    return d;
}

bp_value bp__slice_axis(bp_value x, int64_t axis, int64_t start, int64_t length, int64_t step) {
    struct bp__slice_attrs a = {.axis = axis, .start = start, .length = length, .step = step};
    return bp__graph_add(x.graph, bp__op_id(BP__OP_ID_slice), &a, &x, 1);
}

bp_value bp__unslice_axis(bp_value x, int64_t axis, int64_t start, int64_t size, int64_t step) {
    struct bp__unslice_attrs a = {.axis = axis, .start = start, .size = size, .step = step};
    return bp__graph_add(x.graph, bp__op_id(BP__OP_ID_unslice), &a, &x, 1);
}

bp_value bp__one_hot_as(bp_value index, int64_t classes, bp_dtype dtype) {
    struct bp__one_hot_attrs a = {.classes = classes, .to = (int32_t)dtype};
    return bp__graph_add(index.graph, bp__op_id(BP__OP_ID_one_hot), &a, &index, 1);
}

bp_value bp__dim_value(bp_value x, int64_t axis, bp_dtype dtype) {
    bp_dims axes = one_axis(axis);
    return bp__count_value(x, &axes, dtype);
}

bp_value bp__count_value(bp_value x, const bp_dims *axes, bp_dtype dtype) {
    bp_dims d = bp_value_dims(x);
    bp_value symbolic = BP_NONE;
    bool has_symbolic = false;
    double number = 1;
    for (int64_t i = 0; i < axes->n; i++) {
        int64_t axis = axes->dim[i];
        if (axis < 0 || axis >= d.n) continue; /* a bad x has no dims */
        if (d.dim[axis] >= 0) {
            number *= (double)d.dim[axis];
            continue;
        }
        bp_value size = bp_size(x, axis);
        symbolic = has_symbolic ? bp_mul(symbolic, size) : size;
        has_symbolic = true;
    }
    if (!has_symbolic) return bp__k(x.graph, dtype, number);
    if (number != 1) symbolic = bp_mul(symbolic, bp__k(x.graph, BP_I64, number));
    return bp_cast(symbolic, dtype);
}

bp_value bp__count_from(bp_value x, int64_t start, int64_t size) {
    return bp_arange(bp__k(x.graph, BP_I64, (double)start), bp__k(x.graph, BP_I64, 1), size);
}

/* -log(u), u in (0, 1): a uniform number has 24 or 53 bits and may be 0, which becomes half of the next one. */
bp_value bp__exponential(bp_value x, const char *stream) {
    double least = bp_value_dtype(x) == BP_F64 ? 0x1p-54 : 0x1p-25;
    return bp_neg(bp_log(bp_maximum(bp_random_uniform(x, stream), bp__k_like(x, least))));
}

bp_value bp__along(bp_value vector, int64_t axis, int64_t n) {
    bp_dims d = {.n = n};
    for (int64_t i = 0; i < n; i++) d.dim[i] = i == axis ? bp_value_dims(vector).dim[0] : 1;
    return bp_reshape(vector, d);
}

bp_value bp__axes_last(bp_value x, const bp_dims *axes) {
    bp_dims d = bp_value_dims(x), order = {.n = d.n}, joined = {.n = d.n - axes->n};
    int64_t kept = 0, next = 0;
    for (int64_t i = 0; i < d.n; i++) {
        bool reduced = next < axes->n && axes->dim[next] == i;
        if (reduced) {
            order.dim[joined.n + next++] = i;
        } else {
            joined.dim[kept] = d.dim[i];
            order.dim[kept++] = i;
        }
    }
    if (joined.n < 0 || bp_is_bad(x)) return x;
    if (joined.n < BP_MAX_DIMS) joined.dim[joined.n] = 1;
    for (int64_t i = 0; i < axes->n; i++)
        joined.dim[joined.n] = bp__dim_mul(x.graph->dims, joined.dim[joined.n], d.dim[axes->dim[i]]);
    joined.n++;
    return bp_reshape(bp_permute(x, order), joined);
}

bp_dims bp__every_axis(int64_t n) {
    bp_dims all = {.n = n};
    for (int64_t i = 0; i < n; i++) all.dim[i] = i;
    return all;
}

bp_value bp__as_vector(bp_value x) {
    bp_dims all = bp__every_axis(bp_value_dims(x).n);
    return bp__axes_last(x, &all);
}

bp_value bp__as_reduced(bp_value y, bp_dims x, const bp_dims *axes, bool keepdim) {
    bp_dims d, is = bp_value_dims(y);
    bp__reduced_dims(&d, &x, axes, keepdim);
    return bp_is_bad(y) || bp__dims_equal(&d, &is) ? y : bp_reshape(y, d);
}

bp_status bp__infer_one_axis(bp__infer *c, int64_t *axis) {
    if (bp__infer_axis(axis, c->in[0]->dims.n)) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)*axis, bp__infer_shape(c, 0));
}

bp_status bp__infer_reduction(bp__infer *c, bp_dims *axes, bool keepdim) {
    BP_TRY(bp__infer_axes(c, axes));
    c->out[0].dtype = c->in[0]->dtype;
    bp__reduced_dims(&c->out[0].dims, &c->in[0]->dims, axes, keepdim);
    return BP_OK;
}

bp_status bp__infer_not_empty(bp__infer *c, const bp_dims *axes, const char *what) {
    for (int64_t i = 0; i < axes->n; i++)
        if (c->in[0]->dims.dim[axes->dim[i]] == 0)
            return bp__infer_fail(c, BP_SHAPE, "no elements have no %s: x is %s", what, bp__infer_shape(c, 0));
    return BP_OK;
}

bp_status bp__infer_stream(bp__infer *c, const char *stream) {
    if (stream && stream[0]) return BP_OK;
    return bp__infer_fail(c, BP_INVALID, "the stream needs a name, such as \"3.dropout\"");
}

bp_status bp__infer_axes(bp__infer *c, bp_dims *axes) {
    int64_t n = c->in[0]->dims.n;
    bool reduced[BP_MAX_DIMS] = {false};
    if (axes->n <= 0) {
        for (int64_t i = 0; i < n; i++) reduced[i] = true;
    } else if (axes->n > BP_MAX_DIMS) {
        return bp__infer_fail(c, BP_SHAPE, "%lld axes are given, at most %d are possible", (long long)axes->n, BP_MAX_DIMS);
    } else if (n == 0 && axes->n == 1 && (axes->dim[0] == 0 || axes->dim[0] == -1)) {
        axes->n = 0; /* as in PyTorch, a scalar may be reduced over its axis 0 */
        return BP_OK;
    }
    for (int64_t i = 0; i < axes->n; i++) {
        int64_t axis = axes->dim[i];
        if (!bp__infer_axis(&axis, n))
            return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)axes->dim[i], bp__infer_shape(c, 0));
        if (reduced[axis]) return bp__infer_fail(c, BP_SHAPE, "axis %lld is given twice", (long long)axis);
        reduced[axis] = true;
    }
    axes->n = 0;
    for (int64_t i = 0; i < BP_MAX_DIMS; i++) axes->dim[i] = 0;
    for (int64_t i = 0; i < n; i++)
        if (reduced[i]) axes->dim[axes->n++] = i;
    return BP_OK;
}

void bp__reduced_dims(bp_dims *out, const bp_dims *in, const bp_dims *axes, bool keepdim) {
    bp_dims d = {.n = 0};
    int64_t next = 0;
    for (int64_t i = 0; i < in->n; i++) {
        bool reduced = next < axes->n && axes->dim[next] == i;
        if (reduced) next++;
        if (!reduced)
            d.dim[d.n++] = in->dim[i];
        else if (keepdim)
            d.dim[d.n++] = 1;
    }
    *out = d;
}

bp_status bp__infer_need_i64(bp__infer *c, int i, const char *what) {
    if (c->in[i]->dtype == BP_I64) return BP_OK;
    return bp__infer_fail(c, BP_TYPE, "%s must be of type i64, not %s: use cast", what, bp_dtype_name(c->in[i]->dtype));
}

bool bp__tensor_is_dense(const bp__tensor *t) {
    if (t->panels) return false;
    int64_t stride = 1;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        if (t->dim[i] == 0) return true;
        if (t->dim[i] != 1 && t->stride[i] != stride) return false;
        stride *= t->dim[i];
    }
    return true;
}

void bp__tensor_make_dense(bp__tensor *t) {
    int64_t stride = 1;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        t->stride[i] = stride;
        stride *= t->dim[i];
    }
    t->panels = 0;
}

bp__tensor bp__tensor_permuted(const bp__tensor *t, const int64_t *axes) {
    bp__tensor r = *t;
    for (int i = 0; i < t->n_dims; i++) {
        r.dim[i] = t->dim[axes[i]];
        r.stride[i] = t->stride[axes[i]];
    }
    return r;
}

int64_t bp__batch_count(const bp__tensor *y) {
    int64_t n = 1;
    for (int i = 0; i < y->n_dims - 2; i++) n *= y->dim[i];
    return n;
}

int64_t bp__batch_offset(const bp__tensor *t, const bp__tensor *y, int64_t index) {
    int64_t offset = 0;
    int lead = y->n_dims - t->n_dims;
    for (int i = y->n_dims - 3; i >= 0; i--) {
        int64_t at = index % y->dim[i];
        index /= y->dim[i];
        if (i >= lead && t->dim[i - lead] != 1) offset += at * t->stride[i - lead];
    }
    return offset;
}
