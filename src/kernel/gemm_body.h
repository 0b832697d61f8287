/* The micro-kernel of the matrix product and what belongs to it, for one instruction set and one type (see vec.h).
   Accumulators stay in registers: every index below is a constant, so rows and vectors are written out by macros. */
#ifndef BP__GEMM_BODY_ONCE
#define BP__GEMM_BODY_ONCE
#include "kernel/gemm_tile.h"
#include "kernel/transpose.h"
#if defined BP__VEC_SCALAR
enum { BP__MR = 4, BP__NV = 4 };
#define BP__GEMM_ROWS(X) X(0) X(1) X(2) X(3)
#define BP__GEMM_VECTORS(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#elif defined BP__VEC_AVX2
enum { BP__MR = 6, BP__NV = 2 };
#define BP__GEMM_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define BP__GEMM_VECTORS(X, r) X(r, 0) X(r, 1)
#elif defined BP__VEC_NEON
enum { BP__MR = 6, BP__NV = 4 };
#define BP__GEMM_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define BP__GEMM_VECTORS(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#else
enum { BP__MR = 14, BP__NV = 2 };
#define BP__GEMM_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#define BP__GEMM_VECTORS(X, r) X(r, 0) X(r, 1)
#endif
#endif

#define NR (BP__NV * W)
#define LINE (64 / BP__T) /* numbers */

/* acc + y x: of numbers, or of pairs of bfloat16 numbers in the places of numbers, the second one's product first, as VDPBF16PS
   does (its own name: BP__GEMM_DOT). */
#if BP__T == 4
#ifdef BP__GEMM_DOT
BP__INLINE V v_dot(V y, V x, V acc) { return BP__GEMM_DOT(y, x, acc); }
#else
BP__INLINE V v_dot(V y, V x, V acc) {
    return v_fma(v_pair_first(y), v_pair_first(x), v_fma(v_pair_second(y), v_pair_second(x), acc));
}
#endif
#define STEP(pairs, y, x, acc) ((pairs) ? v_dot(y, x, acc) : v_fma(y, x, acc))
#else
#define STEP(pairs, y, x, acc) ((void)(pairs), v_fma(y, x, acc))
#endif

/* Any epilogue of a finished tile and its way to C; the frequent ones are done in registers (bp__gemm_tile_body). `tile` is
   [m, NR], contiguous. */
static void BP__TN(bp__gemm_finish_tile)(const bp__gemm_finish *f, void *tile, int64_t row, int64_t col, int64_t m, int64_t n) {
    const bp__epilogue *e = f->epilogue;
    T *t = tile;
    const bp__matrix *other[3] = {&e->residual, &e->mask, &f->out};
    const bool use[3] = {e->residual.data != NULL, e->mask.data != NULL, e->accumulate};
    if (e->bias) {
        const T *bias = (const T *)e->bias + col;
        for (int64_t j = 0; j < n; j += W) {
            V x = n - j < W ? v_load_n(bias + j, n - j) : v_load(bias + j);
            for (int64_t i = 0; i < m; i++) v_store(t + i * NR + j, v_add(v_load(t + i * NR + j), x));
        }
    }
    for (int step = 0; step < 3; step++) {
        if (use[step]) {
            const T *p = (const T *)other[step]->data + bp__matrix_at(other[step], f->rows, row, col);
            int64_t p_row = other[step]->panels ? BP__PANEL : other[step]->row;
            int64_t p_col = other[step]->panels ? 1 : other[step]->col;
            T spread[NR];
            for (int64_t i = 0; i < m; i++) {
                const T *q = p + i * p_row;
                if (p_col == 0) {
                    for (int64_t j = 0; j < n; j += W) v_store(spread + j, v_splat(*q));
                    q = spread;
                } else if (p_col != 1) {
                    for (int64_t j = 0; j < n; j++) spread[j] = q[j * p_col];
                    q = spread;
                }
                for (int64_t j = 0; j < n; j += W) {
                    T *c = t + i * NR + j;
                    V x = n - j < W ? v_load_n(q + j, n - j) : v_load(q + j);
                    if (step == 1)
                        v_store(c, v_select(v_gt(x, v_set(0)), v_load(c), v_set(0)));
                    else
                        v_store(c, step ? v_add(x, v_load(c)) : v_add(v_load(c), x));
                }
            }
        }
        if (step == 0 && e->activation >= 0) {
            if (n > NR - W) {
                BP__TN(bp__ew_table)[e->activation](t, t, NULL, NULL, 0, 0, m * NR);
            } else
                for (int64_t i = 0; i < m; i++) BP__TN(bp__ew_table)[e->activation](t + i * NR, t + i * NR, NULL, NULL, 0, 0, n);
        }
    }
    T *out = (T *)f->out.data + bp__matrix_at(&f->out, f->rows, row, col);
    if (!f->out.panels && f->out.row == 1) {
        BP__TN(bp__transpose)(out, f->out.col, t, NR, m, n);
        return;
    }
    if (!f->out.panels && f->out.col != 1) {
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) out[i * f->out.row + j * f->out.col] = t[i * NR + j];
        return;
    }
    int64_t out_row = f->out.panels ? BP__PANEL : f->out.row;
    int64_t pads = f->out.panels && col + n == f->cols ? BP__PANEL - (col % BP__PANEL + n) : 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j += W) {
            if (n - j < W)
                v_store_n(out + i * out_row + j, v_load(t + i * NR + j), n - j);
            else
                v_store(out + i * out_row + j, v_load(t + i * NR + j));
        }
        for (int64_t j = n; j < n + pads; j++) out[i * out_row + j] = 0;
    }
}

/* The micro-kernel. rows, vectors, unit (A's rows are neighbours) and pairs are constants at every call. */
BP__INLINE void BP__TN(bp__gemm_tile_body)(const bp__gemm_tile *t, int rows, int vectors, bool unit, bool pairs) {
    V acc[BP__MR][BP__NV];
    const int64_t n = t->n, tail = n - (int64_t)(vectors - 1) * W; /* columns of the last vector */
    const T *c = t->c;
    if (t->first) {
#define X(r, v) \
    if (r < rows && v < vectors) acc[r][v] = v_set(0);
#define ROW(r) BP__GEMM_VECTORS(X, r)
        BP__GEMM_ROWS(ROW)
#undef X
    } else if (tail == W) {
#define X(r, v) \
    if (r < rows && v < vectors) acc[r][v] = v_load(c + r * t->c_row + v * W);
        BP__GEMM_ROWS(ROW)
#undef X
    } else {
#define X(r, v)                  \
    if (r < rows && v < vectors) \
        acc[r][v] = v < vectors - 1 ? v_load(c + r * t->c_row + v * W) : v_load_n(c + r * t->c_row + v * W, tail);
        BP__GEMM_ROWS(ROW)
#undef X
    }
#undef ROW
    const int64_t a_row = unit ? 1 : t->a_row, a_col = t->a_col, ldb = t->ldb;
    if (t->next && t->k * t->n_b >= BP__LONG_CHAIN)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v += LINE / W) bp__prefetch(t->next, (r * t->d_row + v * W) * BP__T, true);
    int64_t block = 0;
    do {
        const T *b = (const T *)t->b + (t->b_offset ? t->b_offset[block] : 0);
        /* Every third row has its own pointer; the others are reached with scaled offsets: few registers. */
        const T *a0 = (const T *)t->a + (t->a_offset ? t->a_offset[block] : 0), *a1 = a0 + a_row, *a2 = a1 + a_row;
        const int64_t a3 = 3 * a_row, a9 = 9 * a_row;
        for (int64_t p = t->k; p > 0; p--) {
            V x[BP__NV];
#define X(r, v) \
    if (v < vectors) x[v] = v_load(b + v * W);
            BP__GEMM_VECTORS(X, 0)
#undef X
#define X(r, v) \
    if (v < vectors) acc[r][v] = STEP(pairs, y, x[v], acc[r][v]);
#define ROW(r)                                              \
    if (r < rows) {                                         \
        const T *from = unit ? a0 + r                       \
                             : (r % 3 == 0   ? a0           \
                                : r % 3 == 1 ? a1           \
                                             : a2) +        \
                                   (r / 3 == 0   ? 0        \
                                    : r / 3 == 1 ? a3       \
                                    : r / 3 == 2 ? 2 * a3   \
                                    : r / 3 == 3 ? a9       \
                                                 : 4 * a3); \
        V y = v_splat(*from);                               \
        BP__GEMM_VECTORS(X, r)                              \
    }
            BP__GEMM_ROWS(ROW)
#undef X
#undef ROW
            a0 += a_col, a1 += a_col, a2 += a_col, b += ldb;
        }
    } while (++block < t->n_b);
    const bool in_registers = t->finish && t->finish->in_registers && tail == W, later = t->finish && !in_registers;
    if (in_registers) {
        const bp__epilogue *e = t->finish->epilogue;
#define ROW(r) BP__GEMM_VECTORS(X, r)
        if (e->bias) {
            const T *bias = (const T *)e->bias + t->col;
#define X(r, v) \
    if (r < rows && v < vectors) acc[r][v] = v_add(acc[r][v], v_load(bias + v * W));
            BP__GEMM_ROWS(ROW)
#undef X
        }
        if (e->activation >= 0) {
#define X(r, v) \
    if (r < rows && v < vectors) acc[r][v] = BP__EW_FORMULA(relu)(acc[r][v], acc[r][v], acc[r][v], 0, 0);
            BP__GEMM_ROWS(ROW)
#undef X
        }
        if (e->mask.data) {
            const T *mask = (const T *)e->mask.data + bp__matrix_at(&e->mask, t->finish->rows, t->row, t->col);
            const int64_t m_row = e->mask.panels ? BP__PANEL : e->mask.row;
#define X(r, v) \
    if (r < rows && v < vectors) acc[r][v] = v_select(v_gt(v_load(mask + r * m_row + v * W), v_set(0)), acc[r][v], v_set(0));
            BP__GEMM_ROWS(ROW)
#undef X
        }
#undef ROW
    }
    T local[BP__MR * NR];
    T *d = later ? local : t->d;
    int64_t d_row = later ? NR : t->d_row;
    if (tail == W || later) {
#define X(r, v) \
    if (r < rows && v < vectors) v_store(d + r * d_row + v * W, acc[r][v]);
#define ROW(r) BP__GEMM_VECTORS(X, r)
        BP__GEMM_ROWS(ROW)
#undef X
    } else {
#define X(r, v)                                    \
    if (r < rows && v < vectors - 1)               \
        v_store(d + r * d_row + v * W, acc[r][v]); \
    else if (r < rows && v == vectors - 1)         \
        v_store_n(d + r * d_row + v * W, acc[r][v], tail);
        BP__GEMM_ROWS(ROW)
#undef X
#undef ROW
    }
    if (later) BP__TN(bp__gemm_finish_tile)(t->finish, local, t->row, t->col, t->m, n);
}

/* One function for every size of tile: tails cost what they compute. */
typedef void (*BP__TN(bp__gemm_function))(const bp__gemm_tile *);
#ifndef BP__GEMM_PAIRS_ONLY
#define X(r, v)                                                           \
    static void BP__TN(bp__gemm_##r##_##v)(const bp__gemm_tile *t) {      \
        BP__TN(bp__gemm_tile_body)(t, r + 1, v + 1, false, false);        \
    }                                                                     \
    static void BP__TN(bp__gemm_unit_##r##_##v)(const bp__gemm_tile *t) { \
        BP__TN(bp__gemm_tile_body)(t, r + 1, v + 1, true, false);         \
    }
#define ROW(r) BP__GEMM_VECTORS(X, r)
BP__GEMM_ROWS(ROW)
#undef X
static void BP__TN(bp__gemm_run_tile)(const bp__gemm_tile *t) {
#define X(r, v) {BP__TN(bp__gemm_##r##_##v), BP__TN(bp__gemm_unit_##r##_##v)},
    static const BP__TN(bp__gemm_function) table[BP__MR * BP__NV][2] = {BP__GEMM_ROWS(ROW)};
#undef X
#undef ROW
    table[(t->m - 1) * BP__NV + (t->n - 1) / W][t->a_row == 1](t);
}
#endif
#if BP__T == 4 /* pairs are packed, A's too */
#define X(r, v)                                                            \
    static void BP__TN(bp__gemm_pairs_##r##_##v)(const bp__gemm_tile *t) { \
        BP__TN(bp__gemm_tile_body)(t, r + 1, v + 1, true, true);           \
    }
#define ROW(r) BP__GEMM_VECTORS(X, r)
BP__GEMM_ROWS(ROW)
#undef X
static void BP__TN(bp__gemm_run_pairs)(const bp__gemm_tile *t) {
#define X(r, v) BP__TN(bp__gemm_pairs_##r##_##v),
    static const BP__TN(bp__gemm_function) table[BP__MR * BP__NV] = {BP__GEMM_ROWS(ROW)};
#undef X
#undef ROW
    table[(t->m - 1) * BP__NV + (t->n - 1) / W](t);
}
#endif

/* Two tiles of whole vectors side by side, for up to BP__WIDE_ROWS rows: one tile of so few rows has fewer chains than the
   processor has multiply-adds in flight. rows is a constant at every call. */
BP__INLINE void BP__TN(bp__gemm_wide_body)(const bp__gemm_tile *t, const bp__gemm_next *next, int rows, bool pairs) {
    V acc[BP__WIDE_ROWS][2][BP__NV];
    for (int h = 0; h < 2; h++)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < BP__NV; v++)
                acc[r][h][v] = t->first ? v_set(0) : v_load((const T *)t->c + r * t->c_row + h * next->c + v * W);
    const T *b = t->b, *b1 = b + next->b, *a = t->a;
    const int64_t a_row = t->a_row, a_col = t->a_col, ldb = t->ldb;
    for (int64_t p = t->k; p > 0; p--, a += a_col, b += ldb, b1 += ldb)
        for (int r = 0; r < rows; r++) {
            V y = v_splat(a[r * a_row]);
            for (int v = 0; v < BP__NV; v++) {
                acc[r][0][v] = STEP(pairs, y, v_load(b + v * W), acc[r][0][v]);
                acc[r][1][v] = STEP(pairs, y, v_load(b1 + v * W), acc[r][1][v]);
            }
        }
    T local[BP__WIDE_ROWS * NR];
    for (int h = 0; h < 2; h++) {
        T *d = t->finish ? local : (T *)t->d + h * next->d;
        const int64_t d_row = t->finish ? NR : t->d_row;
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < BP__NV; v++) v_store(d + r * d_row + v * W, acc[r][h][v]);
        if (t->finish) BP__TN(bp__gemm_finish_tile)(t->finish, local, t->row, t->col + h * NR, rows, NR);
    }
}
#define WIDE(name, pairs)                                                         \
    static void BP__TN(name)(const bp__gemm_tile *t, const bp__gemm_next *next) { \
        switch (t->m) {                                                           \
        case 1: BP__TN(bp__gemm_wide_body)(t, next, 1, pairs); return;            \
        case 2: BP__TN(bp__gemm_wide_body)(t, next, 2, pairs); return;            \
        default: BP__TN(bp__gemm_wide_body)(t, next, 3, pairs); return;           \
        }                                                                         \
    }
#ifndef BP__GEMM_PAIRS_ONLY
WIDE(bp__gemm_run_wide, false)
#endif
#if BP__T == 4
WIDE(bp__gemm_run_wide_pairs, true)
#endif
#undef WIDE

static void BP__TN(bp__gemm_pack_b)(void *to, const void *from, int64_t row, int64_t col, int64_t k, int64_t n) {
    T *restrict d = to;
    const T *s = from;
    if (n == BP__PANEL && col == 1) {
        for (int64_t p = 0; p < k; p++) {
            for (int j = 0; j < BP__PANEL; j += LINE) bp__prefetch(s, ((p + 8) * row + j) * BP__T, false);
            for (int j = 0; j < BP__PANEL; j += W) v_store(d + p * BP__PANEL + j, v_load(s + p * row + j));
        }
        return;
    }
    if (col == 1) { /* no more than what tiles read: whole vectors */
        const int64_t whole = n / W * W;
        for (int64_t p = 0; p < k; p++) {
            T *to_row = d + p * BP__PANEL;
            for (int64_t j = 0; j < whole; j += W) v_store(to_row + j, v_load(s + p * row + j));
            if (whole < n) v_store(to_row + whole, v_load_n(s + p * row + whole, n - whole));
        }
        return;
    }
    if (n % W != 0) /* as above: what tiles read behind the last column is 0 */
        for (int64_t p = 0; p < k; p++) v_store(d + p * BP__PANEL + n / W * W, v_set(0));
    if (row == 1) {
        BP__TN(bp__transpose)(d, BP__PANEL, s, col, n, k);
        return;
    }
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++) d[p * BP__PANEL + j] = s[p * row + j * col];
}

/* m is a constant at every call with a tile's usual number of rows. */
BP__INLINE void BP__TN(bp__gemm_pack_rows)(T *restrict d, const T *s, int64_t row, int64_t col, int64_t m, int64_t k) {
    for (int64_t p = 0; p < k; p++) {
        bp__prefetch(s, (p + 8) * col * BP__T, false);
        for (int64_t i = 0; i < m; i++) d[p * m + i] = s[p * col + i * row];
    }
}

static void BP__TN(bp__gemm_pack_a)(void *to, const void *from, int64_t row, int64_t col, int64_t m, int64_t k) {
    if (row == 1 && m == BP__MR)
        BP__TN(bp__gemm_pack_rows)(to, from, 1, col, BP__MR, k);
    else if (row == 1 && m == BP__MR - 1)
        BP__TN(bp__gemm_pack_rows)(to, from, 1, col, BP__MR - 1, k);
    else
        BP__TN(bp__gemm_pack_rows)(to, from, row, col, m, k);
}

static void BP__TN(bp__gemm_add)(void *to, const void *x, const void *y, int64_t n) {
    T *d = to;
    const T *a = x, *b = y;
    int64_t i = 0;
    for (; i + W <= n; i += W) v_store(d + i, v_add(v_load(a + i), v_load(b + i)));
    for (; i < n; i++) d[i] = a[i] + b[i];
}

#if BP__T == 4
/* to[k / 2, n]: rows 2 i and 2 i + 1 of from[k, n] as pairs, to the nearest bfloat16, ties to even; behind an odd end zeros. */
static void bp__gemm_pair(void *to, const void *from, int64_t k, int64_t n) {
    uint32_t *restrict d = to;
    for (int64_t p = 0; p < k; p += 2) {
        const float *x = (const float *)from + p * n;
        for (int64_t j = 0; j < n; j++) {
            uint32_t first, second = 0;
            memcpy(&first, x + j, sizeof first);
            if (p + 1 < k) memcpy(&second, x + n + j, sizeof second);
            d[p / 2 * n + j] = bp__bfloat16(first) | bp__bfloat16(second) << 16;
        }
    }
}
#endif

#ifndef BP__GEMM_PAIRS_ONLY
static double BP__TN(bp__gemm_peak)(int64_t turns) {
    V acc[BP__MR][BP__NV], x = v_set(0.5), y = v_set(1.0 / 3);
#define X(r, v) acc[r][v] = v_set(1 + r * BP__NV + v); /* all different, or the compiler makes one of them */
#define ROW(r) BP__GEMM_VECTORS(X, r)
    BP__GEMM_ROWS(ROW)
#undef X
    for (; turns > 0; turns--) {
#define X(r, v) acc[r][v] = v_fma(acc[r][v], x, y);
        BP__GEMM_ROWS(ROW)
#undef X
    }
    T sum[W] = {0};
#define X(r, v) v_store(sum, v_add(v_load(sum), acc[r][v]));
    BP__GEMM_ROWS(ROW)
#undef X
#undef ROW
    return (double)sum[0];
}

static const bp__gemm_kernels BP__TN(bp__gemm_table) = {
    .mr = BP__MR,
    .nr = NR,
    .w = W,
    .tile = BP__TN(bp__gemm_run_tile),
    .wide = BP__TN(bp__gemm_run_wide),
    .finish = BP__TN(bp__gemm_finish_tile),
    .pack_b = BP__TN(bp__gemm_pack_b),
    .pack_a = BP__TN(bp__gemm_pack_a),
    .add = BP__TN(bp__gemm_add),
    .peak = BP__TN(bp__gemm_peak),
};
#endif
#if BP__T == 4
static const bp__gemm_kernels bp__gemm_pairs_table = {
    .mr = BP__MR,
    .nr = NR,
    .w = W,
    .tile = BP__TN(bp__gemm_run_pairs),
    .wide = BP__TN(bp__gemm_run_wide_pairs),
    .finish = BP__TN(bp__gemm_finish_tile),
    .pack_b = BP__TN(bp__gemm_pack_b),
    .pack_a = BP__TN(bp__gemm_pack_a),
    .pair = bp__gemm_pair,
    .add = BP__TN(bp__gemm_add),
};
#endif
#undef STEP
#undef NR
#undef LINE
