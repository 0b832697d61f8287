/* Matrix products of training, one thread: GFLOP/s and % of the peak of multiply-adds measured in the same run.
   bench_products [instruction set] */
#include "kernel/isa.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Multiply-adds from registers alone, GFLOP/s. */
static double peak_rate(const bp__gemm_kernels *k, double *sink) {
    const int64_t turns = 20000000 / (k->mr * k->nr);
    double t = now();
    *sink += k->peak(turns);
    return 2.0 * (double)(turns * k->mr * k->nr) / (now() - t) * 1e-9;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { SAMPLES = 41 };

typedef struct shape {
    const char *name;
    int64_t m, n, k;
    char a, b, c; /* n: rows contiguous, t: columns contiguous, p: panels */
} shape;

static bp__matrix matrix(char kind, int64_t rows, int64_t cols, size_t size) {
    int64_t padded = kind == 'p' ? (cols + 31) / 32 * 32 : cols;
    size_t bytes = ((size_t)(rows * padded) * size + 127) / 64 * 64;
    unsigned char *p = aligned_alloc(64, bytes);
    if (!p) exit(1);
    memset(p, 0, bytes);
    for (int64_t i = 0; i < rows * padded; i++) {
        double x = (double)((i * 2654435761u) % 1000) / 500 - 1;
        if (size == 4)
            ((float *)(void *)p)[i] = (float)x;
        else
            ((double *)(void *)p)[i] = x;
    }
    return (bp__matrix){p, kind == 't' ? 1 : cols, kind == 't' ? rows : 1, kind == 'p'};
}

static void measure(const bp__isa *isa, const shape *s, bp_dtype type) {
    const size_t size = type == BP_F32 ? 4 : 8;
    bp__gemm_args g = {.dtype = type, .m = s->m, .n = s->n, .k = s->k, .n_b = 1, .epilogue = {.activation = -1}};
    g.a = matrix(s->a, s->m, s->k, size), g.b = matrix(s->b, s->k, s->n, size), g.c = matrix(s->c, s->m, s->n, size);
    size_t bytes = bp__gemm_scratch(isa, &g, 1) / 64 * 64 + 64;
    bp__env env = {.isa = isa, .scratch = aligned_alloc(64, bytes), .scratch_bytes = bytes};
    if (!env.scratch) exit(1);
    const bp__gemm_kernels *kernels = type == BP_F32 ? isa->f32.gemm : isa->f64.gemm;
    double flop = 2.0 * (double)s->m * (double)s->n * (double)s->k, best = 1e9, peak = 0, sink = 0, ratio[SAMPLES];
    int repeats = (int)(2e7 / flop) + 1;
    bp__gemm(&env, &g);
    /* Other programs share the machine, perhaps the core: every sample is compared with the peak of the same moment. */
    double before = peak_rate(kernels, &sink);
    for (int i = 0; i < SAMPLES; i++) {
        double t = now();
        for (int r = 0; r < repeats; r++) bp__gemm(&env, &g);
        t = (now() - t) / repeats;
        double after = peak_rate(kernels, &sink);
        ratio[i] = flop / t * 1e-9 / ((before + after) / 2);
        if (t < best) best = t;
        if (after > peak) peak = after;
        before = after;
    }
    qsort(ratio, SAMPLES, sizeof *ratio, ascending);
    printf("%-30s %s %4ld %4ld %6ld %c%c%c %9.2f us %7.1f GFLOP/s, %5.1f %% of best peak %5.1f; median %5.1f %%\n", s->name,
           size == 4 ? "f32" : "f64", (long)s->m, (long)s->n, (long)s->k, s->a, s->b, s->c, best * 1e6, flop / best * 1e-9,
           100 * flop / best * 1e-9 / peak, peak, 100 * ratio[SAMPLES / 2]);
    if (sink == 0.125) printf("\n");
    fflush(stdout);
    free(g.a.data), free(g.b.data), free(g.c.data), free(env.scratch);
}

int main(int argc, char **argv) {
    const bp__isa *isa = bp__isa_find(argc > 1 ? argv[1] : NULL);
    if (!isa) {
        fprintf(stderr, "bench_products: no instruction set %s here\n", argv[1]);
        return 1;
    }
    static const shape shapes[] = {
        {"forward 784 -> 512", 128, 512, 784, 'n', 'p', 'n'},
        {"forward 512 -> 256", 128, 256, 512, 'n', 'p', 'n'},
        {"forward 256 -> 10", 128, 10, 256, 'n', 'p', 'n'},
        {"weight gradient 784 x 512", 784, 512, 128, 't', 'n', 'p'},
        {"weight gradient 512 x 256", 512, 256, 128, 't', 'n', 'p'},
        {"weight gradient 256 x 10", 256, 10, 128, 't', 'n', 'p'},
        {"input gradient 512 -> 784, W", 128, 784, 512, 'n', 'n', 'n'},
        {"input gradient 512 -> 784, W'", 128, 784, 512, 'n', 't', 'n'},
        {"input gradient 256 -> 512, W'", 128, 512, 256, 'n', 't', 'n'},
        {"batch 32, 784 -> 512", 32, 512, 784, 'n', 'p', 'n'},
        {"batch 1, 784 -> 512", 1, 512, 784, 'n', 'p', 'n'},
        {"square 512", 512, 512, 512, 'n', 'n', 'n'},
        {"square 1024", 1024, 1024, 1024, 'n', 'n', 'n'},
        {"long sum", 144, 16, 100000, 't', 'n', 'p'},
        {"small 16 4 16", 16, 16, 4, 'n', 'p', 'n'},
        {"small 16 16 3", 16, 3, 16, 'n', 'p', 'n'},
        {"small 16 4 16, plain", 16, 16, 4, 'n', 'n', 'n'},
    };
    printf("%s, one thread; best and median of 41\n", bp__isa_name(isa));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) measure(isa, &shapes[i], BP_F32);
    for (size_t i = 0; i < 7; i++) measure(isa, &shapes[i], BP_F64);
    return 0;
}
