/* What the files of operations share: nodes with all attributes given, strided views of tensors, rows of sample tables. */
#ifndef BP__MAKE_H
#define BP__MAKE_H
#include "op/build.h"
#include "op/op.h"

/* ---- Building ---------------------------------------------------------------------------------------------------------- */
bp_value bp__slice_axis(bp_value x, int64_t axis, int64_t start, int64_t length, int64_t step);
bp_value bp__unslice_axis(bp_value x, int64_t axis, int64_t start, int64_t size, int64_t step);
bp_value bp__one_hot_as(bp_value index, int64_t classes, bp_dtype dtype);
/* A dimension as a scalar of `dtype`: a constant when it is a number, else read from axis `axis` of x at run time. */
bp_value bp__dim_value(bp_value x, int64_t axis, bp_dtype dtype);
/* The product of x's sizes on `axes` (every one of them valid), as a scalar of `dtype`; exact up to 2^53 before rounding. */
bp_value bp__count_value(bp_value x, const bp_dims *axes, bp_dtype dtype);
/* Whole numbers start, start + 1, …: `size` of them, a vector i64 of x's graph; size may be an expression. */
bp_value bp__count_from(bp_value x, int64_t start, int64_t size);
/* Numbers of the exponential distribution, of x's shape and type: finite, above 0. */
bp_value bp__exponential(bp_value x, const char *stream);
/* A vector as axis `axis` of a tensor of n axes, the others of size 1. */
bp_value bp__along(bp_value vector, int64_t axis, int64_t n);
/* x with the reduced axes (sorted) behind the others and joined into one. */
bp_value bp__axes_last(bp_value x, const bp_dims *axes);
bp_dims bp__every_axis(int64_t n); /* 0 … n - 1 */
/* All elements as one vector, in row-major order. */
bp_value bp__as_vector(bp_value x);
/* x[0] … x[i-1], and x[i+1] … to the end, along an axis; products of nothing are 1. */
bp_value bp__product_before(bp_value x, int64_t axis);
bp_value bp__product_behind(bp_value x, int64_t axis);
/* y in the shape that reducing a tensor of shape x over `axes` gives. */
bp_value bp__as_reduced(bp_value y, bp_dims x, const bp_dims *axes, bool keepdim);

/* ---- Shape rules ------------------------------------------------------------------------------------------------------ */
/* Makes `axes` a sorted list of different non-negative axes of in[0]; none or fewer than zero: all. Fails with a sentence. */
bp_status bp__infer_axes(bp__infer *c, bp_dims *axes);
/* Makes one axis of in[0] non-negative; fails with a sentence. */
bp_status bp__infer_one_axis(bp__infer *c, int64_t *axis);
/* The rule of most reductions: `axes` as above, out[0] of in[0]'s type. */
bp_status bp__infer_reduction(bp__infer *c, bp_dims *axes, bool keepdim);
/* Fails if one of the axes has no elements. */
bp_status bp__infer_not_empty(bp__infer *c, const bp_dims *axes, const char *what);
/* Fails unless the stream has a name. */
bp_status bp__infer_stream(bp__infer *c, const char *stream);
/* out = in without `axes` (sorted), or with ones there. */
void bp__reduced_dims(bp_dims *out, const bp_dims *in, const bp_dims *axes, bool keepdim);
bp_status bp__infer_need_i64(bp__infer *c, int i, const char *what);
static inline bool bp__dtype_is_float(bp_dtype d) { return d == BP_F32 || d == BP_F64; }

/* ---- Tensors ----------------------------------------------------------------------------------------------------------- */
bool bp__tensor_is_dense(const bp__tensor *t); /* row-major without gaps (axes of size 1 do not count) */
void bp__tensor_make_dense(bp__tensor *t);     /* sets the row-major strides of its dims */
bp__tensor bp__tensor_permuted(const bp__tensor *t, const int64_t *axes);
static inline void *bp__tensor_at(const bp__tensor *t, int64_t elements) {
    return (char *)t->data + elements * (int64_t)bp_dtype_size((bp_dtype)t->dtype);
}
/* Matrices are the last two axes. How many there are in y, and where matrix `index` of them begins in t, whose leading axes
   broadcast to y's: an offset in elements. */
int64_t bp__batch_count(const bp__tensor *y);
int64_t bp__batch_offset(const bp__tensor *t, const bp__tensor *y, int64_t index);

/* ---- Sample tables: BP__F(low, high, n, {dims}) a float input, BP__D(distance, …) with values apart, BP__M matrices with
   something on the diagonal, BP__I integers -------------------------------------------------------------------------------- */
#define BP__F(low_, high_, ...) \
    { .dims = {__VA_ARGS__}, .low = (low_), .high = (high_), .dtype = BP_F32 }
#define BP__D(distance_, low_, high_, ...) \
    { .dims = {__VA_ARGS__}, .low = (low_), .high = (high_), .dtype = BP_F32, .distance = (distance_) }
#define BP__M(diagonal_, low_, high_, ...) \
    { .dims = {__VA_ARGS__}, .low = (low_), .high = (high_), .dtype = BP_F32, .diagonal = (diagonal_) }
#define BP__I(low_, high_, ...) \
    { .dims = {__VA_ARGS__}, .low = (low_), .high = (high_), .dtype = BP_I64 }
#define BP__ABSENT \
    { .dims = {0, {0}}, .low = 1, .high = 0, .dtype = BP_F32 }
#endif
