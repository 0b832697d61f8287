/* Reductions, softmax and moving for one instruction set and one type (see vec.h, vmath.h, reduce_kernels.h). */
#ifndef BP__REDUCE_BODY_ONCE
#define BP__REDUCE_BODY_ONCE
#include "kernel/reduce_kernels.h"
#include "kernel/transpose.h"
#include <math.h>
enum { BP__CHUNK = 256, BP__COLUMN_VECTORS = 4 };
#endif

#define BP__EACH_OP(X)                 \
    X(add, BP__SUM, 0)                 \
    X(max, BP__MAX, -(double)INFINITY) \
    X(min, BP__MIN, (double)INFINITY)  \
    X(mul, BP__PROD, 1)

/* ---- Neighbours: lanes are element numbers mod 16 ------------------------------------------------------------------------- */
#define X(name, op, start)                                                                                                 \
    static void BP__TN(bp__accumulate_##name)(T * lanes, const T *p, int64_t n_segments, int64_t length, int64_t stride) { \
        L16 acc = l_load(lanes);                                                                                           \
        int64_t whole = length / 16 * 16;                                                                                  \
        for (int64_t s = 0; s < n_segments; s++, p += stride)                                                              \
            for (int64_t i = 0; i < whole; i += 16) acc = l_##name(acc, l_load(p + i));                                    \
        if (whole < length) { /* lanes without an element stay as they are */                                              \
            T old[16], next[16];                                                                                           \
            l_store(old, acc);                                                                                             \
            l_store(next, l_##name(acc, l_load_n(p - stride + whole, length - whole, 0)));                                 \
            for (int64_t i = 0; i < 16; i++) lanes[i] = i < length - whole ? next[i] : old[i];                             \
            return;                                                                                                        \
        }                                                                                                                  \
        l_store(lanes, acc);                                                                                               \
    }
BP__EACH_OP(X)
#undef X
static void BP__TN(bp__accumulate)(bp__reduce_op op, void *lanes, const void *in, int64_t n_segments, int64_t length,
                                   int64_t stride) {
    switch (op) {
#define X(name, op_, start) \
    case op_: BP__TN(bp__accumulate_##name)(lanes, in, n_segments, length, stride); return;
        BP__EACH_OP(X)
#undef X
    default: return;
    }
}
static void BP__TN(bp__fold)(bp__reduce_op op, void *out, const void *lanes) {
    switch (op) {
#define X(name, op_, start) \
    case op_: *(T *)out = l_fold_##name(l_load(lanes)); return;
        BP__EACH_OP(X)
#undef X
    default: return;
    }
}

/* ---- Columns: lanes are row numbers mod 16 ----------------------------------------------------------------------------------
 */
/* A few vectors side by side, one lane at a time: the accumulators stay in registers, each lane is its own chain. */
#define X(name, op, start)                                                                                                       \
    BP__INLINE void BP__TN(bp__columns_body_##name)(T * out, const T *p, int64_t n, int64_t stride, int vectors, int64_t tail) { \
        V lane[16][BP__COLUMN_VECTORS];                                                                                          \
        for (int64_t l = 0; l < 16; l++) {                                                                                       \
            V acc[BP__COLUMN_VECTORS];                                                                                           \
            for (int v = 0; v < vectors; v++) acc[v] = v_set(start);                                                             \
            for (int64_t i = l; i < n; i += 16)                                                                                  \
                for (int v = 0; v < vectors; v++) {                                                                              \
                    const T *q = p + i * stride + v * W;                                                                         \
                    acc[v] = v_##name(acc[v], v == vectors - 1 && tail < W ? v_load_n(q, tail) : v_load(q));                     \
                }                                                                                                                \
            for (int v = 0; v < vectors; v++) lane[l][v] = acc[v];                                                               \
        }                                                                                                                        \
        for (int h = 8; h > 0; h /= 2)                                                                                           \
            for (int l = 0; l < h; l++)                                                                                          \
                for (int v = 0; v < vectors; v++) lane[l][v] = v_##name(lane[l][v], lane[l + h][v]);                             \
        for (int v = 0; v < vectors; v++) {                                                                                      \
            if (v == vectors - 1 && tail < W)                                                                                    \
                v_store_n(out + v * W, lane[0][v], tail);                                                                        \
            else                                                                                                                 \
                v_store(out + v * W, lane[0][v]);                                                                                \
        }                                                                                                                        \
    }                                                                                                                            \
    static void BP__TN(bp__columns_##name)(T * out, const T *p, int64_t n, int64_t stride, int64_t width) {                      \
        while (width >= BP__COLUMN_VECTORS * W) {                                                                                \
            BP__TN(bp__columns_body_##name)(out, p, n, stride, BP__COLUMN_VECTORS, W);                                           \
            out += BP__COLUMN_VECTORS * W, p += BP__COLUMN_VECTORS * W, width -= BP__COLUMN_VECTORS * W;                         \
        }                                                                                                                        \
        for (; width > 0; out += W, p += W, width -= W)                                                                          \
            BP__TN(bp__columns_body_##name)(out, p, n, stride, 1, width < W ? width : W);                                        \
    }
BP__EACH_OP(X)
#undef X
static void BP__TN(bp__columns)(bp__reduce_op op, void *out, const void *in, int64_t n, int64_t stride, int64_t width) {
    switch (op) {
#define X(name, op_, start) \
    case op_: BP__TN(bp__columns_##name)(out, in, n, stride, width); return;
        BP__EACH_OP(X)
#undef X
    default: return;
    }
}
/* One row joins the lanes of its columns. */
#define X(name, op, start)                                                                                  \
    static void BP__TN(bp__join_##name)(T * lane, const T *p, int64_t n) {                                  \
        int64_t i = 0;                                                                                      \
        for (; i + W <= n; i += W) v_store(lane + i, v_##name(v_load(lane + i), v_load(p + i)));            \
        if (i < n) v_store_n(lane + i, v_##name(v_load_n(lane + i, n - i), v_load_n(p + i, n - i)), n - i); \
    }
BP__EACH_OP(X)
#undef X
static void BP__TN(bp__join)(bp__reduce_op op, void *lane, const void *in, int64_t n) {
    switch (op) {
#define X(name, op_, start) \
    case op_: BP__TN(bp__join_##name)(lane, in, n); return;
        BP__EACH_OP(X)
#undef X
    default: return;
    }
}
#undef BP__EACH_OP

/* ---- Softmax ------------------------------------------------------------------------------------------------------------------
 */
/* A chunk of a strided row, as neighbours. */
static const T *BP__TN(bp__gather_chunk)(const T *x, int64_t stride, T *chunk, int64_t n) {
    if (stride == 1) return x;
    for (int64_t i = 0; i < n; i++) chunk[i] = x[i * stride];
    return chunk;
}
static void BP__TN(bp__exp_of)(T *e, const T *x, V largest, int64_t n) {
    int64_t i = 0;
    for (; i + W <= n; i += W) v_store(e + i, v_exp(v_sub(v_load(x + i), largest)));
    if (i < n) v_store_n(e + i, v_exp(v_sub(v_load_n(x + i, n - i), largest)), n - i);
}
static T BP__TN(bp__lane_0)(V x) {
    T lane[W];
    v_store(lane, x);
    return lane[0];
}
/* The last step, on a chunk: e = e^(x - max) for softmax. */
static void BP__TN(bp__softmax_last)(const bp__softmax_row *r, T *out, const T *x, const T *e, V largest, V sum, V log_sum,
                                     int64_t first, int64_t n) {
    for (int64_t i = 0; i < n; i += W) {
        int64_t m = n - i < W ? n - i : W;
        V y;
        if (r->log_softmax)
            y = v_sub(v_sub(m < W ? v_load_n(x + i, m) : v_load(x + i), largest), log_sum);
        else
            y = v_div(m < W ? v_load_n(e + i, m) : v_load(e + i), sum);
        if (r->gradient) {
            int64_t label = r->label - first - i;
            if (label >= 0 && label < m) {
                T lane[W];
                v_store(lane, y);
                lane[label] = lane[label] - (T)1;
                y = v_load(lane);
            }
            y = v_mul(v_set(r->g), y);
        }
        if (m < W)
            v_store_n(out + i, y, m);
        else
            v_store(out + i, y);
    }
}
static void BP__TN(bp__softmax_row_run)(const bp__softmax_row *r) {
    const T *x = r->x;
    T *out = r->out;
    T chunk[BP__CHUNK], power[BP__CHUNK];
    const bool keep = out && !r->log_softmax && r->out_stride == 1; /* the powers stay where the result goes */
    L16 lane = l_set((T)-INFINITY), sum = l_set(0);
    for (int64_t i = 0; i < r->n; i += BP__CHUNK) {
        int64_t n = r->n - i < BP__CHUNK ? r->n - i : BP__CHUNK, j = 0;
        const T *p = BP__TN(bp__gather_chunk)(x + i * r->x_stride, r->x_stride, chunk, n);
        for (; j + 16 <= n; j += 16) lane = l_max(lane, l_load(p + j));
        /* -inf changes no lane that the maximum depends on. */
        if (j < n) lane = l_max(lane, l_load_n(p + j, n - j, (T)-INFINITY));
    }
    V largest = v_splat(l_fold_max(lane));
    for (int64_t i = 0; i < r->n; i += BP__CHUNK) {
        int64_t n = r->n - i < BP__CHUNK ? r->n - i : BP__CHUNK, j = 0;
        const T *p = BP__TN(bp__gather_chunk)(x + i * r->x_stride, r->x_stride, chunk, n);
        T *e = keep ? out + i : power;
        BP__TN(bp__exp_of)(e, p, largest, n);
        for (; j + 16 <= n; j += 16) sum = l_add(sum, l_load(e + j));
        if (j < n) sum = l_add(sum, l_load_n(e + j, n - j, 0)); /* powers are never -0, so + 0 changes nothing */
    }
    V total = v_splat(l_fold_add(sum)), log_total = v_set(0);
    if (r->log_softmax || r->loss) log_total = v_log(total);
    if (r->loss) *(T *)r->loss = BP__TN(bp__lane_0)(v_neg(v_sub(v_sub(v_splat(x[r->label * r->x_stride]), largest), log_total)));
    if (!out) return;
    for (int64_t i = 0; i < r->n; i += BP__CHUNK) {
        int64_t n = r->n - i < BP__CHUNK ? r->n - i : BP__CHUNK;
        const T *p = BP__TN(bp__gather_chunk)(x + i * r->x_stride, r->x_stride, chunk, n), *e = keep ? out + i : power;
        if (!keep && !r->log_softmax) BP__TN(bp__exp_of)(power, p, largest, n);
        T *to = r->out_stride == 1 ? out + i : power;
        BP__TN(bp__softmax_last)(r, to, p, e, largest, total, log_total, i, n);
        if (to == power)
            for (int64_t j = 0; j < n; j++) out[(i + j) * r->out_stride] = power[j];
    }
}

#include "kernel/softmax_short.h"

/* ---- Moving ---- */
static void BP__TN(bp__from_u8)(void *out, const uint8_t *in, int64_t n) {
    T *d = out;
    int64_t i = 0;
    for (; i + W <= n; i += W) v_store(d + i, v_load_u8(in + i));
    for (; i < n; i++) d[i] = (T)in[i];
}
static void BP__TN(bp__add_to)(void *out, const void *in, int64_t n) {
    T *d = out;
    const T *s = in;
    int64_t i = 0;
    for (; i + W <= n; i += W) v_store(d + i, v_add(v_load(d + i), v_load(s + i)));
    for (; i < n; i++) d[i] = d[i] + s[i];
}
#if BP__T == 4
/* Philox on WU blocks at once (core/rng.c has the plain one). Rows of more than 2^32 blocks use another key: plain. */
static void bp__uniform_row_f32(void *out, uint64_t seed, uint32_t step, uint32_t stream, uint32_t row, int64_t n) {
    float *d = out;
    uint32_t word[4][WU], count[WU];
    int64_t i = 0;
    for (; i + 4 * WU <= n && i / 4 + WU <= INT64_C(0xffffffff); i += 4 * WU) {
        for (int j = 0; j < WU; j++) count[j] = (uint32_t)(i / 4 + j);
        U c0 = u_load(count), c1 = u_set(row), c2 = u_set(step), c3 = u_set(stream);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
            U a = u_set(0xd2511f53u), b = u_set(0xcd9e8d57u);
            U low0 = u_mul_lo(c0, a), high0 = u_mul_hi(c0, a), low1 = u_mul_lo(c2, b), high1 = u_mul_hi(c2, b);
            c0 = u_xor(u_xor(high1, c1), u_set(k0));
            c2 = u_xor(u_xor(high0, c3), u_set(k1));
            c1 = low1, c3 = low0;
        }
        u_store(word[0], c0), u_store(word[1], c1), u_store(word[2], c2), u_store(word[3], c3);
        for (int j = 0; j < WU; j++)
            for (int l = 0; l < 4; l++) d[i + 4 * j + l] = (float)(int32_t)(word[l][j] >> 8) * 0x1p-24f;
    }
    if (i < n) bp__uniform_f32(d + i, (bp__stream){seed, stream, step}, row, i, n - i);
}
#else
static void bp__uniform_row_f64(void *out, uint64_t seed, uint32_t step, uint32_t stream, uint32_t row, int64_t n) {
    bp__uniform_f64(out, (bp__stream){seed, stream, step}, row, 0, n);
}
#endif

static const bp__reduce_kernels BP__TN(bp__reduce_table) = {
    .accumulate = BP__TN(bp__accumulate),
    .fold = BP__TN(bp__fold),
    .columns = BP__TN(bp__columns),
    .join = BP__TN(bp__join),
    .softmax = BP__TN(bp__softmax_row_run),
    .softmax_rows = BP__TN(bp__softmax_rows_run),
    .from_u8 = BP__TN(bp__from_u8),
    .add = BP__TN(bp__add_to),
    .uniform = BP__TN(bp__uniform_row),
};
