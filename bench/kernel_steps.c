/* The steps from three loops to the product as it is (docs/kernels.md), each timed: bench_kernel_steps prints a table, of one
   thread: the best of several samples, interleaved, beside the best sample of the peak. C[m,n] = A[m,k] B[k,n], the forward
   product of a layer of 784 inputs and 512 outputs at batch 128, f32. Steps 3 to 7 are loops written here round the micro-kernel
   of this machine's instruction set, the rest is bp__gemm. Every step must give the bits of the reference: a step that does not
   ends the program. */
#include "core/cpu.h"
#include "kernel/isa.h"
#include "timing.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 128, COLUMNS = 512, DEPTH = 784, SAMPLES = 9, ALIGNMENT = 4096, L1_BYTES = 24576 };

/* Plain C may use the multiply-add of the processor too: what is compared is the loops. */
#ifdef __x86_64__
#define WITH_FMA __attribute__((target("avx2,fma")))
static int has_fma(void) {
    bp__cpu cpu = bp__cpu_features();
    return cpu.avx2 && cpu.fma;
}
#else
#define WITH_FMA
static int has_fma(void) { return 1; }
#endif

typedef struct work {
    const bp__isa *isa;
    const bp__gemm_kernels *kernels;
    float *a, *b, *panels, *c, *bias; /* [ROWS, DEPTH], [DEPTH, COLUMNS] plain and in panels, [ROWS, COLUMNS], [COLUMNS] */
    void *scratch;
} work;

static void *memory(size_t bytes) {
    void *p = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (!p) exit(1);
    return p;
}

static float *numbers(size_t n) {
    float *p = memory(n * sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = (float)((i * 7919) % 1000) / 1000 - 0.5f;
    return p;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------ */
WITH_FMA static void three_loops(work *w) {
    const float *restrict a = w->a, *restrict b = w->b;
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = 0; j < COLUMNS; j++) {
            float sum = 0;
            for (int64_t p = 0; p < DEPTH; p++) sum = __builtin_fmaf(a[i * DEPTH + p], b[p * COLUMNS + j], sum);
            w->c[i * COLUMNS + j] = sum;
        }
}

WITH_FMA static void columns_inside(work *w) {
    const float *restrict a = w->a, *restrict b = w->b;
    float *restrict c = w->c;
    memset(c, 0, sizeof *c * ROWS * COLUMNS);
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t p = 0; p < DEPTH; p++)
            for (int64_t j = 0; j < COLUMNS; j++)
                c[i * COLUMNS + j] = __builtin_fmaf(a[i * DEPTH + p], b[p * COLUMNS + j], c[i * COLUMNS + j]);
}

/* Tiles of at most `rows` rows, `columns` columns and `depth` products, as even as can be with `even`. */
static void tiles(work *w, int64_t rows, int64_t columns, int64_t depth, bool panels, bool even) {
    const int64_t n_tiles = (ROWS + rows - 1) / rows;
    for (int64_t p = 0; p < DEPTH; p += depth)
        for (int64_t j = 0; j < COLUMNS; j += columns)
            for (int64_t i = 0; i < n_tiles; i++) {
                const int64_t row = even ? i * ROWS / n_tiles : i * rows;
                const int64_t end = even ? (i + 1) * ROWS / n_tiles : BP__MIN(row + rows, ROWS);
                float *c = w->c + row * COLUMNS + j;
                bp__gemm_tile t = {.a = w->a + row * DEPTH + p, .a_row = DEPTH, .a_col = 1, .n_b = 1, .first = p == 0};
                t.b = panels ? w->panels + (j / BP__PANEL * DEPTH + p) * BP__PANEL + j % BP__PANEL : w->b + p * COLUMNS + j;
                t.ldb = panels ? BP__PANEL : COLUMNS;
                t.k = BP__MIN(depth, DEPTH - p), t.m = end - row, t.n = columns;
                t.c = c, t.d = c, t.c_row = t.d_row = COLUMNS;
                w->kernels->tile(&t);
            }
}

static int64_t segment(const work *w) { /* as gemm.c cuts k */
    const int64_t most = L1_BYTES / (w->kernels->nr * (int64_t)sizeof(float)), n = (DEPTH + most - 1) / most;
    return (DEPTH + n - 1) / n;
}

static void one_vector(work *w) { tiles(w, 1, w->kernels->w, DEPTH, false, false); }
static void whole_tiles(work *w) { tiles(w, w->kernels->mr, w->kernels->nr, DEPTH, false, false); }
static void in_panels(work *w) { tiles(w, w->kernels->mr, w->kernels->nr, DEPTH, true, false); }
static void in_segments(work *w) { tiles(w, w->kernels->mr, w->kernels->nr, segment(w), true, false); }
static void even_rows(work *w) { tiles(w, w->kernels->mr, w->kernels->nr, segment(w), true, true); }

static bp__gemm_args product(const work *w, bool panels, bool epilogue) {
    bp__gemm_args g = {.dtype = BP_F32, .m = ROWS, .n = COLUMNS, .k = DEPTH, .n_b = 1, .epilogue = {.activation = -1}};
    g.a = (bp__matrix){w->a, DEPTH, 1, false};
    g.b = panels ? (bp__matrix){.data = w->panels, .panels = true} : (bp__matrix){w->b, COLUMNS, 1, false};
    g.c = (bp__matrix){w->c, COLUMNS, 1, false};
    if (epilogue) g.epilogue.bias = w->bias, g.epilogue.activation = BP__EW_relu;
    return g;
}

static void multiply(work *w, bool panels, bool epilogue) {
    bp__gemm_args g = product(w, panels, epilogue);
    bp__env env = {.isa = w->isa, .scratch = w->scratch};
    bp__gemm(&env, &g);
}

static void whole(work *w) { multiply(w, true, false); }
static void with_epilogue(work *w) { multiply(w, true, true); }
static void packing(work *w) { multiply(w, false, false); }

static const struct step {
    const char *words;
    void (*run)(work *w);
    bool epilogue, plain; /* plain: C that needs has_fma */
} steps[] = {
    {"1. three loops, a dot product for each element", three_loops, false, true},
    {"2. columns in the inner loop", columns_inside, false, true},
    {"3. one vector of C in a register", one_vector, false, false},
    {"4. the tile: as many as there are registers for", whole_tiles, false, false},
    {"5. B in panels", in_panels, false, false},
    {"6. k in segments, B's part stays in L1", in_segments, false, false},
    {"7. rows shared out evenly", even_rows, false, false},
    {"8. `bp__gemm`, B in panels", whole, false, false},
    {"9. the same with bias and relu", with_epilogue, true, false},
    {"10. `bp__gemm`, B plain, packed in the call", packing, false, false},
};

enum { N_STEPS = sizeof steps / sizeof *steps };

static double peak_ms(const work *w, double *sink) { /* of as many multiply-adds as the product has */
    const int64_t turns = (int64_t)ROWS * COLUMNS * DEPTH / (w->kernels->mr * w->kernels->nr);
    double start = now_ms();
    *sink += w->kernels->peak(turns);
    return now_ms() - start;
}

/* Every step in turn, SAMPLES times: best[s] milliseconds. False: a step gave wrong bits. */
static bool measure(work *w, float *const expected[2], double *best, double *best_peak, double *sink) {
    const size_t bytes = sizeof(float) * ROWS * COLUMNS;
    for (int i = 0; i < SAMPLES; i++)
        for (int s = 0; s < N_STEPS; s++) {
            if (steps[s].plain && !has_fma()) continue;
            memset(w->c, 0xff, bytes);
            double peak = peak_ms(w, sink), start = now_ms();
            steps[s].run(w);
            double time = now_ms() - start;
            if (memcmp(w->c, expected[steps[s].epilogue], bytes) != 0) {
                fprintf(stderr, "bench_kernel_steps: \"%s\" gives other bits than the reference\n", steps[s].words);
                return false;
            }
            if (best[s] == 0 || time < best[s]) best[s] = time;
            if (*best_peak == 0 || peak < *best_peak) *best_peak = peak;
        }
    return true;
}

int main(void) {
    work w = {.isa = bp__isa_find(NULL)};
    w.kernels = w.isa->f32.gemm;
    w.a = numbers((size_t)ROWS * DEPTH), w.b = numbers((size_t)DEPTH * COLUMNS), w.bias = numbers(COLUMNS);
    w.panels = memory(sizeof(float) * DEPTH * COLUMNS), w.c = memory(sizeof(float) * ROWS * COLUMNS);
    for (int64_t j = 0; j < COLUMNS; j += BP__PANEL)
        w.kernels->pack_b(w.panels + j * DEPTH, w.b + j, COLUMNS, 1, DEPTH, BP__PANEL);
    bp__gemm_args plain = product(&w, false, false);
    w.scratch = memory(bp__gemm_scratch(w.isa, &plain, 1) + 1);
    const size_t bytes = sizeof(float) * ROWS * COLUMNS;
    float *expected[2] = {memory(bytes), memory(bytes)};
    for (int e = 0; e < 2; e++) {
        bp__gemm_args g = product(&w, false, e == 1);
        g.c.data = expected[e];
        bp__gemm_reference(&g);
    }
    double sink = 0, best[N_STEPS] = {0}, peak = 0;
    if (!measure(&w, expected, best, &peak, &sink)) return 1;
    printf("| %s, %d x %d, k = %d | us | of peak, %% |\n|---|---|---|\n", bp__isa_name(w.isa), ROWS, COLUMNS, DEPTH);
    for (int s = 0; s < N_STEPS; s++)
        if (best[s] > 0) printf("| %s | %.0f | %.1f |\n", steps[s].words, best[s] * 1e3, peak / best[s] * 100);
    float *all[] = {w.a, w.b, w.panels, w.c, w.bias, expected[0], expected[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(w.scratch);
    return sink == 0.125;
}
