/* Moving by index, and the adjoints that add. No atomics: threads split what is written. An index outside gives zeros and
   adds nothing. */
#include "kernel/isa.h"
#include "kernel/walk.h"
#include <string.h>

typedef struct job {
    const bp__env *env;
    const bp__tensor *out, *in, *index;
    int axis;
    int64_t n_items, length, n, per_piece;
} job;

static void add_one(bp_dtype type, void *to, const void *from) {
    switch (type) {
    case BP_F32: *(float *)to = *(float *)to + *(const float *)from; return;
    case BP_F64: *(double *)to = *(double *)to + *(const double *)from; return;
    case BP_I32: *(int32_t *)to = (int32_t)((uint32_t) * (int32_t *)to + (uint32_t) * (const int32_t *)from); return;
    case BP_I64: *(int64_t *)to = (int64_t)((uint64_t) * (int64_t *)to + (uint64_t) * (const int64_t *)from); return;
    case BP_U8: *(uint8_t *)to = (uint8_t)(*(uint8_t *)to + *(const uint8_t *)from); return;
    }
}

/* The dimensions behind the first `skip`, and whether their elements are neighbours. */
static bp__tensor row_of(const bp__tensor *t, int skip) {
    bp__tensor r = *t;
    r.n_dims = t->n_dims - skip;
    for (int i = 0; i < r.n_dims; i++) r.dim[i] = t->dim[i + skip], r.stride[i] = t->stride[i + skip];
    return r;
}
static bool is_dense(const bp__tensor *t) {
    int64_t step = 1;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        if (t->dim[i] != 1 && t->stride[i] != step) return false;
        step *= t->dim[i];
    }
    return true;
}

static void gather_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const size_t size = bp_dtype_size((bp_dtype)j->out->dtype);
    const bp__tensor to = row_of(j->out, j->index->n_dims), from = row_of(j->in, 1);
    bp__tensor items = *j->out;
    items.n_dims = j->index->n_dims;
    const bool dense = is_dense(&to) && is_dense(&from);
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t at = ((const int64_t *)j->index->data)[i], start = bp__walk_offset(j->out, &items, -1, i);
        bool inside = at >= 0 && at < j->n;
        if (dense) {
            if (inside)
                memcpy(bp__at(j->out, start), bp__at(j->in, at * j->in->stride[0]), (size_t)j->length * size);
            else
                memset(bp__at(j->out, start), 0, (size_t)j->length * size);
            continue;
        }
        for (int64_t e = 0; e < j->length; e++) {
            void *p = bp__at(j->out, start + bp__walk_offset(&to, &to, -1, e));
            if (inside)
                memcpy(p, bp__at(j->in, at * j->in->stride[0] + bp__walk_offset(&from, &from, -1, e)), size);
            else
                memset(p, 0, size);
        }
    }
}

void bp__gather_rows(const bp__env *env, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index) {
    int64_t count = bp__tensor_count(out);
    if (count == 0) return;
    job j = {.env = env, .out = out, .in = in, .index = index, .n_items = bp__tensor_count(index), .n = in->dim[0]};
    j.length = count / j.n_items;
    bp__walk_run(env, j.n_items, j.length, &j.per_piece, gather_piece, &j);
}

static void zero_row(const bp__tensor *row, int64_t start, int64_t length, bool dense) {
    const size_t size = bp_dtype_size((bp_dtype)row->dtype);
    if (dense)
        memset(bp__at(row, start), 0, (size_t)length * size);
    else
        for (int64_t e = 0; e < length; e++) memset(bp__at(row, start + bp__walk_offset(row, row, -1, e)), 0, size);
}

/* Rows [first, end) of out: every index is looked at, those inside are added. */
static void scatter_rows_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const bp__tensor to = row_of(j->out, 1), from = row_of(j->in, j->index->n_dims);
    bp__tensor items = *j->in;
    items.n_dims = j->index->n_dims;
    const bool dense_to = is_dense(&to), dense = dense_to && is_dense(&from);
    const bp_dtype type = (bp_dtype)j->out->dtype;
    const bp__reduce_kernels *kernels = type == BP_F32   ? j->env->isa->f32.reduce
                                        : type == BP_F64 ? j->env->isa->f64.reduce
                                                         : NULL;
    const int64_t first = piece * j->per_piece, end = BP__MIN(first + j->per_piece, j->n);
    for (int64_t r = first; r < end; r++) zero_row(&to, r * j->out->stride[0], j->length, dense_to);
    for (int64_t i = 0; i < j->n_items; i++) {
        int64_t at = ((const int64_t *)j->index->data)[i];
        if (at < first || at >= end) continue;
        int64_t start = bp__walk_offset(j->in, &items, -1, i);
        if (dense && kernels) {
            kernels->add(bp__at(j->out, at * j->out->stride[0]), bp__at(j->in, start), j->length);
            continue;
        }
        for (int64_t e = 0; e < j->length; e++)
            add_one(type, bp__at(j->out, at * j->out->stride[0] + bp__walk_offset(&to, &to, -1, e)),
                    bp__at(j->in, start + bp__walk_offset(&from, &from, -1, e)));
    }
}

void bp__scatter_add_rows(const bp__env *env, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index) {
    int64_t count = bp__tensor_count(out);
    if (count == 0) return;
    job j = {.env = env, .out = out, .in = in, .index = index, .n_items = bp__tensor_count(index), .n = out->dim[0]};
    j.length = count / j.n;
    /* At most 8 pieces: each of them reads the whole index. */
    int64_t work = count + j.n_items * j.length, n_pieces = BP__MAX(BP__MIN(BP__MIN(work / BP__PIECE_WORK, j.n), 8), 1);
    j.per_piece = (j.n + n_pieces - 1) / n_pieces;
    n_pieces = (j.n + j.per_piece - 1) / j.per_piece;
    if (!env->team || n_pieces == 1)
        for (int64_t i = 0; i < n_pieces; i++) scatter_rows_piece(&j, i, 0);
    else
        bp__team_run(env->team, n_pieces, scatter_rows_piece, &j);
}

/* ---- Along an axis ---- */
static void take_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const size_t size = bp_dtype_size((bp_dtype)j->out->dtype);
    const bp__tensor *index = j->index;
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t x = bp__walk_offset(index, index, j->axis, i), to = bp__walk_offset(j->out, index, j->axis, i),
                from = bp__walk_offset(j->in, index, j->axis, i);
        for (int64_t e = 0; e < index->dim[j->axis]; e++) {
            int64_t at = *(const int64_t *)bp__at(index, x + e * index->stride[j->axis]);
            void *p = bp__at(j->out, to + e * j->out->stride[j->axis]);
            if (at >= 0 && at < j->n)
                memcpy(p, bp__at(j->in, from + at * j->in->stride[j->axis]), size);
            else
                memset(p, 0, size);
        }
    }
}

void bp__take_along(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index) {
    int64_t count = bp__tensor_count(index);
    if (count == 0) return;
    job j = {.out = out, .in = in, .index = index, .axis = axis, .n = in->dim[axis], .n_items = count / index->dim[axis]};
    bp__walk_run(env, j.n_items, index->dim[axis], &j.per_piece, take_piece, &j);
}

static void scatter_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const bp__tensor *index = j->index;
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t x = bp__walk_offset(index, index, j->axis, i), to = bp__walk_offset(j->out, index, j->axis, i),
                from = bp__walk_offset(j->in, index, j->axis, i);
        for (int64_t e = 0; e < index->dim[j->axis]; e++) {
            int64_t at = *(const int64_t *)bp__at(index, x + e * index->stride[j->axis]);
            if (at >= 0 && at < j->n)
                add_one((bp_dtype)j->out->dtype, bp__at(j->out, to + at * j->out->stride[j->axis]),
                        bp__at(j->in, from + e * j->in->stride[j->axis]));
        }
    }
}

void bp__scatter_add(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index) {
    zero_row(out, 0, bp__tensor_count(out), is_dense(out));
    int64_t count = bp__tensor_count(index);
    if (count == 0) return;
    job j = {.out = out, .in = in, .index = index, .axis = axis, .n = out->dim[axis], .n_items = count / index->dim[axis]};
    bp__walk_run(env, j.n_items, index->dim[axis], &j.per_piece, scatter_piece, &j);
}
