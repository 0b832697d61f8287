/* bp__gemm against bp__gemm_reference, bit for bit: random shapes, strides, panels, batch-reduce blocks and epilogues, on
   every usable instruction set and for 1, 2 and 3 threads, with guard zones round the result. */
#include "kernel/isa.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GUARD = 64, N_ISA = 8 };
static uint64_t seed;
static uint32_t draw(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}
static int64_t below(int64_t n) { return (int64_t)draw() % n; }

static bp_context *ctx;
static bp__team *team[4];

typedef struct memory {
    void *base, *data;
    size_t bytes;
} memory;

static void *get(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    assert_non_null(p);
    return p;
}

/* `count` elements with guards on both sides, filled with random numbers that are exact in float. */
static memory fill(bp_dtype type, int64_t count) {
    size_t size = bp_dtype_size(type);
    memory m = {.bytes = (size_t)count * size};
    m.base = get(m.bytes + 2 * GUARD);
    memset(m.base, 0x5a, m.bytes + 2 * GUARD);
    m.data = (char *)m.base + GUARD;
    for (int64_t i = 0; i < count; i++) {
        float x = (float)((double)draw() / 1073741824.0 - 1.0);
        if (type == BP_F32)
            ((float *)m.data)[i] = x;
        else
            ((double *)m.data)[i] = (double)x * 1.1;
    }
    return m;
}

enum { ROWS, COLUMNS, SPREAD, PANELS };
/* Strides of a matrix of some kind; the number of elements it takes. */
static int64_t lay_out(bp__matrix *x, int kind, int64_t rows, int64_t cols) {
    int64_t gap = below(2) ? 0 : below(20);
    *x = (bp__matrix){.row = cols + gap, .col = 1};
    if (kind == COLUMNS) *x = (bp__matrix){.row = 1, .col = rows + gap};
    if (kind == SPREAD) *x = (bp__matrix){.row = 3 * cols + gap, .col = 3};
    if (kind == PANELS) {
        *x = (bp__matrix){.panels = true};
        return (cols + 31) / 32 * 32 * rows;
    }
    return rows > 0 && cols > 0 ? (rows - 1) * x->row + (cols - 1) * x->col + 1 : 0;
}

/* The pads of panels hold zeros. */
static void clear_pads(bp_dtype type, void *data, int64_t rows, int64_t cols) {
    size_t size = bp_dtype_size(type);
    bp__matrix x = {.panels = true};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = cols; c % 32; c++) memset((char *)data + (size_t)bp__matrix_at(&x, rows, r, c) * size, 0, size);
}

typedef struct problem {
    int64_t m, n, k, n_b;
    int a, b, c;
    bool bias, residual, mask, accumulate;
    int activation;
    bool pairs; /* of bfloat16 numbers */
} problem;

/* The processor's own instruction for bfloat16 may add the two products of a pair in another way. */
static bool nearly(const bp__isa *isa, const problem *q, const memory *have, const memory *want, int64_t count) {
    if (!q->pairs || !bp__gemm_pairs_native(isa)) return false;
    const float *x = have->data, *y = want->data;
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(x[i] - y[i]) <= 1e-5f * (1 + (float)q->k))) return false;
    return true;
}

static void compare(bp_dtype type, const problem *q) {
    bp__gemm_args g = {.dtype = type, .m = q->m, .n = q->n, .k = q->k, .n_b = q->n_b};
    size_t size = bp_dtype_size(type);
    memory keep[6];
    int64_t *offset = NULL, rows_b = q->k;
    int64_t a_count = lay_out(&g.a, q->a, q->m, q->k), b_count = lay_out(&g.b, q->b, q->k, q->n);
    if (q->n_b > 1) {
        offset = get((size_t)q->n_b * 16);
        g.a_offset = offset, g.b_offset = offset + q->n_b;
        if (q->b == PANELS) g.b.row = rows_b = q->n_b * q->k, b_count = (q->n + 31) / 32 * 32 * rows_b;
        for (int64_t i = 0; i < q->n_b; i++) {
            offset[i] = below(9), offset[q->n_b + i] = q->b == PANELS ? i * q->k * 32 : below(9);
        }
        a_count += 9, b_count += q->b == PANELS ? 0 : 9;
    }
    keep[0] = fill(type, a_count), keep[1] = fill(type, b_count);
    g.a.data = keep[0].data, g.b.data = keep[1].data;
    if (q->b == PANELS) clear_pads(type, g.b.data, rows_b, q->n);
    int64_t c_count = lay_out(&g.c, q->c, q->m, q->n);
    memory start = fill(type, c_count);
    /* C starts as random numbers, the pads of panels too: they must come out as zeros. */
    keep[2] = fill(type, q->n);
    keep[3] = fill(type, lay_out(&g.epilogue.residual, (int)below(4), q->m, q->n));
    keep[4] = fill(type, lay_out(&g.epilogue.mask, (int)below(4), q->m, q->n));
    g.epilogue.bias = q->bias ? keep[2].data : NULL;
    g.epilogue.residual.data = q->residual ? keep[3].data : NULL;
    g.epilogue.mask.data = q->mask ? keep[4].data : NULL;
    g.epilogue.activation = q->activation;
    g.epilogue.accumulate = q->accumulate;

    memory want = fill(type, c_count), have = fill(type, c_count);
    memcpy(want.base, start.base, start.bytes + 2 * GUARD);
    g.c.data = want.data;
    g.pairs = q->pairs ? bp__gemm_pairs(bp__isa_find(NULL)) : NULL; /* the reference asks only whether */
    bp__gemm_reference(&g);
    for (int i = 0; bp__isa_list(i); i++)
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            bp__env env = {.isa = bp__isa_find(bp__isa_list(i)), .team = team[n_threads]};
            g.pairs = q->pairs ? bp__gemm_pairs(env.isa) : NULL;
            bp__gemm_args sizes = g;
            sizes.a.data = sizes.b.data = sizes.c.data = sizes.epilogue.mask.data = sizes.epilogue.residual.data = NULL;
            env.scratch_bytes = bp__gemm_scratch(env.isa, &sizes, n_threads);
            size_t asked = bp__gemm_scratch(env.isa, &g, n_threads);
            assert_true(asked <= env.scratch_bytes || q->mask || q->residual);
            env.scratch_bytes = asked;
            env.scratch = get(asked);
            memset((char *)env.scratch + asked, 0x77, 64);
            memcpy(have.base, start.base, start.bytes + 2 * GUARD);
            g.c.data = have.data;
            bp__gemm(&env, &g);
            if (memcmp(have.base, want.base, want.bytes + 2 * GUARD) && !nearly(env.isa, q, &have, &want, c_count)) {
                fail_msg("%s %s, %d threads: m %ld n %ld k %ld blocks %ld, layouts %d %d %d, bias %d residual %d mask %d "
                         "accumulate %d "
                         "activation %d",
                         bp__isa_list(i), bp_dtype_name(type), n_threads, (long)q->m, (long)q->n, (long)q->k, (long)q->n_b, q->a,
                         q->b, q->c, q->bias, q->residual, q->mask, q->accumulate, q->activation);
            }
            for (int j = 0; j < 64; j++) assert_int_equal(((unsigned char *)env.scratch)[asked + (size_t)j], 0x77);
            free(env.scratch);
        }
    for (int i = 0; i < 5; i++) free(keep[i].base);
    free(want.base), free(have.base), free(start.base), free(offset);
    (void)size;
}

static int64_t length(void) {
    static const int64_t special[] = {1, 2, 5, 6, 7, 8, 12, 14, 15, 16, 17, 28, 31, 32, 33, 64, 65};
    switch (below(4)) {
    case 0: return below(4);
    case 1: return special[below((int64_t)(sizeof special / sizeof *special))];
    case 2: return 1 + below(40);
    default: return 1 + below(150);
    }
}

static void random_epilogue(problem *q) {
    q->bias = below(2), q->residual = !below(3), q->mask = !below(3), q->accumulate = !below(3);
    q->activation = below(2) ? -1 : below(2) ? BP__EW_relu : BP__EW_tanh;
    if (!below(3)) q->bias = q->residual = q->mask = q->accumulate = false, q->activation = -1;
}

static void shapes(void **state) {
    (void)state;
    seed = 11;
    for (int i = 0; i < 700; i++) {
        problem q = {.m = length(), .n = length(), .k = length(), .n_b = 1};
        if (!below(6)) q.n_b = 1 + below(5);
        if (!below(40)) q.n_b = 150, q.k = below(4), q.m = 1 + below(30), q.n = 1 + below(70);
        q.a = (int)below(3), q.b = (int)below(4), q.c = (int)below(4);
        random_epilogue(&q);
        compare(below(3) ? BP_F32 : BP_F64, &q);
    }
}

/* Several blocks of every kind. */
static void blocks(void **state) {
    (void)state;
    seed = 12;
    for (int i = 0; i < 30; i++) {
        problem q = {.m = 1 + below(300), .n = 1 + below(200), .k = 1 + below(900), .n_b = 1};
        if (i % 5 == 4) q.n_b = 1 + below(4);
        if (i == 7) q.m = 3, q.n = 1200;
        if (i == 8) q.m = 600, q.n = 20;
        q.a = (int)below(3), q.b = (int)below(4), q.c = (int)below(4);
        random_epilogue(&q);
        compare(below(3) ? BP_F32 : BP_F64, &q);
    }
}

/* Chains that wait, in C or beside it, from one segment of k to the next; B packed in several phases where it is wide. */
static void segments(void **state) {
    (void)state;
    seed = 19;
    for (int i = 0; i < 12; i++) {
        const bool wide = i % 4 == 0;
        problem q = {.m = 30 + below(20), .n = wide ? 600 + below(200) : 20 + below(60), .k = 2100 + below(1500), .n_b = 1};
        q.a = (int)below(3), q.b = wide ? ROWS : (int)below(4), q.c = (int)below(4);
        random_epilogue(&q);
        if (i % 8 == 0) q.residual = q.mask = q.accumulate = false, q.c = i == 8 ? PANELS : ROWS;
        compare(i % 3 ? BP_F32 : BP_F64, &q);
    }
}

/* Lines of A 4 KiB apart. */
static void pitches(void **state) {
    (void)state;
    seed = 13;
    for (int a = 0; a < 2; a++) {
        problem q = {.m = 1024, .n = 80, .k = 40, .n_b = 1, .a = COLUMNS, .b = PANELS, .c = PANELS, .activation = -1};
        if (a == 1) q.m = 33, q.k = 1024, q.a = ROWS;
        compare(BP_F32, &q);
    }
}

/* Few columns and many rows: computed as the transposed product, unless A is too large to be turned. */
static void thin(void **state) {
    (void)state;
    seed = 15;
    for (int i = 0; i < 90; i++) {
        problem q = {
            .m = 1 + below(i % 9 ? 200 : 700), .n = 1 + i % 22, .k = 1 + below(i % 9 ? 100 : 500), .n_b = 1, .activation = -1};
        if (i == 27) q.m = 700, q.k = 500; /* 1.4 MB */
        q.a = i % 2 ? ROWS : COLUMNS, q.b = i % 3 ? ROWS : COLUMNS, q.c = ROWS;
        if (i % 4 == 0)
            random_epilogue(&q);
        else
            q.bias = i % 4 == 1, q.residual = i % 4 == 2, q.activation = i % 8 < 4 ? BP__EW_relu : -1;
        compare(i % 5 ? BP_F32 : BP_F64, &q);
    }
}

/* Few rows: tiles side by side, several segments of k, epilogues, unfinished chains in a buffer and in C. */
static void few_rows(void **state) {
    (void)state;
    seed = 17;
    for (int i = 0; i < 60; i++) {
        problem q = {.m = 1 + i % 4, .n = 1 + below(150), .k = 1 + below(i % 3 ? 90 : 1500), .n_b = 1};
        q.a = (int)below(3), q.b = (int)below(4), q.c = (int)below(4);
        if (i % 10 == 0) q.n = 48, q.c = PANELS, q.b = PANELS; /* half a panel of pads */
        random_epilogue(&q);
        compare(i % 3 ? BP_F32 : BP_F64, &q);
    }
}

/* Epilogues of every combination, over whole vectors and tails, C and the mask in rows and in panels. */
static void epilogues(void **state) {
    (void)state;
    seed = 16;
    for (int i = 0; i < 96; i++) {
        problem q = {.m = 13, .n = i & 1 ? 64 : 44, .k = 9, .n_b = 1, .b = PANELS, .c = i & 2 ? PANELS : ROWS};
        q.bias = i & 4, q.mask = i & 8, q.activation = i & 16 ? BP__EW_relu : -1;
        if (i >= 64) q.residual = i & 32, q.accumulate = !q.residual;
        compare(i % 5 ? BP_F32 : BP_F64, &q);
    }
}

/* The tree of leaves. */
static void long_sums(void **state) {
    (void)state;
    seed = 14;
    static const int64_t depth[] = {8191, 8192, 8193, 12288, 12289, 20000, 28672, 40961};
    for (int i = 0; i < 16; i++) {
        problem q = {.m = 1 + below(30), .n = 1 + below(40), .k = depth[i % 8], .n_b = 1};
        q.a = (int)below(3), q.b = (int)below(4), q.c = (int)below(4);
        random_epilogue(&q);
        compare(i % 4 ? BP_F32 : BP_F64, &q);
    }
}

/* Rounded to bfloat16: odd and even k, every layout, thin, few rows, several blocks and leaves. */
static void pairs(void **state) {
    (void)state;
    seed = 18;
    for (int i = 0; i < 300; i++) {
        problem q = {.m = length(), .n = length(), .k = length(), .n_b = 1, .pairs = true};
        if (i % 10 == 0) q.m = 1 + below(300), q.n = 1 + below(200), q.k = 1 + below(900);
        if (i % 10 == 1) q.m = 1 + below(4), q.n = 64 + below(100), q.k = 300 + below(9);
        if (i % 10 == 2) q.n = 1 + below(12), q.m = 100 + below(60);
        if (i % 75 == 3) q.m = 1 + below(20), q.n = 1 + below(40), q.k = 16384 + below(3) * 4099;
        q.a = (int)below(3), q.b = (int)below(4), q.c = (int)below(4);
        random_epilogue(&q);
        compare(BP_F32, &q);
    }
}

/* To nearest, ties to even; what has no number stays so. */
static void rounding(void **state) {
    (void)state;
    static const uint32_t cases[][2] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
                                        {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0x7f800001, 0x7fc0}, {0xff800000, 0xff80},
                                        {0xffc12345, 0xffc1}, {0x80000000, 0x8000}, {0xbf80ffff, 0xbf81}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(bp__bfloat16(cases[i][0]), cases[i][1]);
}

static int start(void **state) {
    (void)state;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    for (int i = 1; i <= 3; i++)
        if (bp__team_new(&team[i], ctx, i) != BP_OK) return 1;
    return 0;
}
static int stop(void **state) {
    (void)state;
    for (int i = 1; i <= 3; i++) bp__team_free(team[i]);
    bp_context_free(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes),    cmocka_unit_test(blocks),    cmocka_unit_test(segments),
                                       cmocka_unit_test(pitches),   cmocka_unit_test(thin),      cmocka_unit_test(few_rows),
                                       cmocka_unit_test(epilogues), cmocka_unit_test(long_sums), cmocka_unit_test(pairs),
                                       cmocka_unit_test(rounding)};
    return cmocka_run_group_tests(tests, start, stop);
}
