/* Small helpers of gradient rules and decompositions. */
#ifndef BP__OP_BUILD_H
#define BP__OP_BUILD_H
#include "op/op.h"

/* A scalar constant. */
static inline bp_value bp__k(bp_graph *g, bp_dtype dtype, double v) { return bp_number(g, dtype, v); }
/* A scalar constant of x's dtype. */
static inline bp_value bp__k_like(bp_value x, double v) {
    return x.graph && x.node >= 0 ? bp_number(x.graph, bp_value_dtype(x), v) : x;
}
static inline bp_value bp__mul_k(bp_value x, double v) { return bp_mul(x, bp__k_like(x, v)); }
static inline bp_value bp__add_k(bp_value x, double v) { return bp_add(x, bp__k_like(x, v)); }
/* Zeros (or another number) of x's shape and dtype. */
static inline bp_value bp__filled_like(bp_value x, double v) { return bp_broadcast_to(bp__k_like(x, v), bp_value_dims(x)); }
/* Sum over one axis, over all axes, or over those of a list. */
static inline bp_value bp__sum_axes(bp_value x, bp_dims axes, bool keepdim) {
    bp_sum_options o = bp_sum_defaults();
    o.axes = axes;
    o.keepdim = keepdim;
    return bp_sum(x, &o);
}
static inline bp_value bp__sum_axis(bp_value x, int64_t axis, bool keepdim) {
    bp_dims axes = {1, {axis}};
    return bp__sum_axes(x, axes, keepdim);
}
static inline bp_value bp__sum_all(bp_value x) { return bp_sum(x, NULL); }
static inline bp_value bp__max_axis(bp_value x, int64_t axis, bool keepdim) {
    bp_amax_options o = bp_amax_defaults();
    o.axes = (bp_dims){1, {axis}};
    o.keepdim = keepdim;
    return bp_amax(x, &o);
}
/* sqrt(x), with gradient 0 instead of infinity at 0. */
static inline bp_value bp__sqrt0(bp_value x) {
    bp_value none = bp_eq(x, bp__k_like(x, 0));
    return bp_where(none, bp__k_like(x, 0), bp_sqrt(bp_where(none, bp__k_like(x, 1), x)));
}
/* x with an axis of size 1 put in at `axis`. */
static inline bp_value bp__unsqueeze(bp_value x, int64_t axis) {
    bp_dims d = bp_value_dims(x), e = {.n = d.n + 1};
    if (d.n >= BP_MAX_DIMS || axis < 0 || axis > d.n) return bp_reshape(x, e); /* fails with reshape's sentence */
    for (int64_t i = 0; i < e.n; i++) e.dim[i] = i == axis ? 1 : d.dim[i - (i > axis)];
    return bp_reshape(x, e);
}
/* The last two axes exchanged. */
static inline bp_value bp__transpose(bp_value x) {
    bp_dims axes = {.n = bp_value_dims(x).n};
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i;
    if (axes.n >= 2) {
        axes.dim[axes.n - 2] = axes.n - 1;
        axes.dim[axes.n - 1] = axes.n - 2;
    }
    return bp_permute(x, axes);
}
#endif
