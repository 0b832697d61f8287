/* What depends on the order of elements along an axis: arg max and min, cumulative sums, recurrences, the k largest. Plain C. */
#include "kernel/isa.h"
#include "kernel/walk.h"
#include <math.h>
#include <string.h>

typedef struct job {
    bp__reduce_op op;
    bool largest;
    int axis;
    const bp__tensor *out, *in, *indices, *factor;
    int64_t n_items, per_piece, k;
} job;

static double load_f64(const bp__tensor *t, int64_t at) {
    return t->dtype == BP_F32 ? (double)((const float *)t->data)[at] : ((const double *)t->data)[at];
}
static int64_t load_i64(const bp__tensor *t, int64_t at) {
    switch (t->dtype) {
    case BP_I32: return ((const int32_t *)t->data)[at];
    case BP_U8: return ((const uint8_t *)t->data)[at];
    default: return ((const int64_t *)t->data)[at];
    }
}
static bool is_float(const bp__tensor *t) { return t->dtype == BP_F32 || t->dtype == BP_F64; }

/* Element a before element b: larger (smaller), NaN largest of all (for arg min: smallest); false when equal. */
static bool before(const bp__tensor *t, bool largest, bool nan_first, int64_t a, int64_t b) {
    if (!is_float(t)) {
        int64_t x = load_i64(t, a), y = load_i64(t, b);
        return largest ? x > y : x < y;
    }
    double x = load_f64(t, a), y = load_f64(t, b);
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y) ? false : nan_first == (isnan(x) != 0);
    return largest ? x > y : x < y;
}

static void arg_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const int64_t step = j->in->stride[j->axis], n = j->in->dim[j->axis];
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t p = bp__walk_offset(j->in, j->in, j->axis, i), best = 0;
        for (int64_t e = 1; e < n; e++)
            if (before(j->in, j->largest, true, p + e * step, p + best * step)) best = e;
        *(int64_t *)bp__at(j->out, bp__walk_offset(j->out, j->in, j->axis, i)) = best;
    }
}

void bp__arg_reduce(const bp__env *env, bool largest, int axis, const bp__tensor *out, const bp__tensor *in) {
    if (bp__tensor_count(in) == 0) return;
    job j = {.largest = largest, .axis = axis, .out = out, .in = in, .n_items = bp__tensor_count(in) / in->dim[axis]};
    bp__walk_run(env, j.n_items, in->dim[axis], &j.per_piece, arg_piece, &j);
}

#define CHAIN(type, sum, product)                                            \
    {                                                                        \
        const type *s = (const type *)j->in->data + from;                    \
        type *d = (type *)j->out->data + to;                                 \
        type acc = s[0];                                                     \
        d[0] = acc;                                                          \
        for (int64_t e = 1; e < n; e++) {                                    \
            type x = s[e * step];                                            \
            switch (j->op) {                                                 \
            case BP__SUM: acc = sum; break;                                  \
            case BP__PROD: acc = product; break;                             \
            case BP__MAX: acc = acc != acc ? acc : acc > x ? acc : x; break; \
            case BP__MIN: acc = acc != acc ? acc : acc < x ? acc : x; break; \
            case BP__ALL: acc = acc != 0 && x != 0; break;                   \
            case BP__ANY: acc = acc != 0 || x != 0; break;                   \
            }                                                                \
            d[e * out_step] = acc;                                           \
        }                                                                    \
        break;                                                               \
    }
static void cumulative_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const int64_t step = j->in->stride[j->axis], out_step = j->out->stride[j->axis], n = j->in->dim[j->axis];
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t from = bp__walk_offset(j->in, j->in, j->axis, i), to = bp__walk_offset(j->out, j->in, j->axis, i);
        switch (j->in->dtype) {
        case BP_F32: CHAIN(float, acc + x, acc * x)
        case BP_F64: CHAIN(double, acc + x, acc * x)
        case BP_I64: CHAIN(int64_t, (int64_t)((uint64_t)acc + (uint64_t)x), (int64_t)((uint64_t)acc * (uint64_t)x))
        case BP_I32: CHAIN(int32_t, (int32_t)((uint32_t)acc + (uint32_t)x), (int32_t)((uint32_t)acc * (uint32_t)x))
        case BP_U8: CHAIN(uint8_t, (uint8_t)(acc + x), (uint8_t)(acc * x))
        }
    }
}
#undef CHAIN

void bp__cumulative(const bp__env *env, bp__reduce_op op, int axis, const bp__tensor *out, const bp__tensor *in) {
    if (bp__tensor_count(in) == 0) return;
    job j = {.op = op, .axis = axis, .out = out, .in = in, .n_items = bp__tensor_count(in) / in->dim[axis]};
    bp__walk_run(env, j.n_items, in->dim[axis], &j.per_piece, cumulative_piece, &j);
}

static void cumulative_arg_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const size_t size = bp_dtype_size((bp_dtype)j->in->dtype);
    const int64_t step = j->in->stride[j->axis], n = j->in->dim[j->axis];
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t from = bp__walk_offset(j->in, j->in, j->axis, i), best = 0;
        int64_t to = bp__walk_offset(j->out, j->in, j->axis, i), at = bp__walk_offset(j->indices, j->in, j->axis, i);
        for (int64_t e = 0; e < n; e++) {
            if (!before(j->in, j->largest, true, from + best * step, from + e * step)) best = e;
            memcpy(bp__at(j->out, to + e * j->out->stride[j->axis]), bp__at(j->in, from + best * step), size);
            *(int64_t *)bp__at(j->indices, at + e * j->indices->stride[j->axis]) = best;
        }
    }
}

void bp__cumulative_arg(const bp__env *env, bool largest, int axis, const bp__tensor *values, const bp__tensor *indices,
                        const bp__tensor *in) {
    if (bp__tensor_count(in) == 0) return;
    job j = {.largest = largest, .axis = axis, .out = values, .indices = indices, .in = in};
    j.n_items = bp__tensor_count(in) / in->dim[axis];
    bp__walk_run(env, j.n_items, in->dim[axis], &j.per_piece, cumulative_arg_piece, &j);
}

#define RECURRENCE(type, fused)                                                                                  \
    {                                                                                                            \
        const type *a = (const type *)j->factor->data + factor, *b = (const type *)j->in->data + from;           \
        type *y = (type *)j->out->data + to, acc = b[0];                                                         \
        y[0] = acc;                                                                                              \
        for (int64_t e = 1; e < n; e++) y[e * to_step] = acc = fused(a[e * factor_step], acc, b[e * from_step]); \
    }
static void recurrence_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const int64_t n = j->in->dim[j->axis], from_step = j->in->stride[j->axis], to_step = j->out->stride[j->axis],
                  factor_step = j->factor->stride[j->axis];
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t from = bp__walk_offset(j->in, j->in, j->axis, i), to = bp__walk_offset(j->out, j->in, j->axis, i),
                factor = bp__walk_offset(j->factor, j->in, j->axis, i);
        if (j->in->dtype == BP_F32)
            RECURRENCE(float, fmaf)
        else
            RECURRENCE(double, fma)
    }
}
#undef RECURRENCE

void bp__recurrence(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *a, const bp__tensor *b) {
    if (bp__tensor_count(b) == 0) return;
    job j = {.axis = axis, .out = out, .in = b, .factor = a, .n_items = bp__tensor_count(b) / b->dim[axis]};
    bp__walk_run(env, j.n_items, b->dim[axis], &j.per_piece, recurrence_piece, &j);
}

/* The k first of a row by a heap of k element numbers in `indices`, the last of them at the root; then sorted in place. */
typedef struct heap {
    const bp__tensor *t;
    bool largest;
    int64_t base, step; /* of the row */
    int64_t *slot, slot_step;
} heap;
static bool earlier(const heap *h, int64_t a, int64_t b) {
    int64_t x = h->base + a * h->step, y = h->base + b * h->step;
    if (before(h->t, h->largest, h->largest, x, y)) return true;
    if (before(h->t, h->largest, h->largest, y, x)) return false;
    return a < b;
}
static void sink(const heap *h, int64_t at, int64_t n) {
    int64_t *s = h->slot, step = h->slot_step;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && earlier(h, s[child * step], s[(child + 1) * step])) child++;
        if (!earlier(h, s[at * step], s[child * step])) return;
        int64_t x = s[at * step];
        s[at * step] = s[child * step];
        s[child * step] = x;
        at = child;
    }
}

static void topk_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const int last = j->in->n_dims - 1;
    const int64_t n = j->in->dim[last];
    const size_t size = bp_dtype_size((bp_dtype)j->in->dtype);
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        heap h = {.t = j->in, .largest = j->largest, .base = bp__walk_offset(j->in, j->in, last, i), .step = j->in->stride[last]};
        h.slot = (int64_t *)j->indices->data + bp__walk_offset(j->indices, j->in, last, i);
        h.slot_step = j->indices->stride[last];
        for (int64_t e = 0; e < j->k; e++) h.slot[e * h.slot_step] = e;
        for (int64_t e = j->k / 2 - 1; e >= 0; e--) sink(&h, e, j->k);
        for (int64_t e = j->k; e < n; e++)
            if (earlier(&h, e, h.slot[0])) {
                h.slot[0] = e;
                sink(&h, 0, j->k);
            }
        for (int64_t e = j->k - 1; e > 0; e--) { /* the last goes to the end */
            int64_t x = h.slot[0];
            h.slot[0] = h.slot[e * h.slot_step];
            h.slot[e * h.slot_step] = x;
            sink(&h, 0, e);
        }
        int64_t to = bp__walk_offset(j->out, j->in, last, i);
        for (int64_t e = 0; e < j->k; e++)
            memcpy(bp__at(j->out, to + e * j->out->stride[last]), bp__at(j->in, h.base + h.slot[e * h.slot_step] * h.step), size);
    }
}

void bp__topk(const bp__env *env, int64_t k, bool largest, const bp__tensor *values, const bp__tensor *indices,
              const bp__tensor *in) {
    if (bp__tensor_count(in) == 0 || k < 1) return;
    job j = {.largest = largest, .out = values, .in = in, .indices = indices};
    j.k = BP__MIN(k, in->dim[in->n_dims - 1]);
    j.n_items = bp__tensor_count(in) / in->dim[in->n_dims - 1];
    bp__walk_run(env, j.n_items, in->dim[in->n_dims - 1], &j.per_piece, topk_piece, &j);
}
