/* Convolutions of training: GFLOP/s of the three kernels and % of the peak of multiply-adds measured in the same run, one thread.
   bench_convolutions [instruction set] */
#include "kernel/conv.h"
#include "kernel/isa.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_rate(const bp__gemm_kernels *k, double *sink) {
    const int64_t turns = 20000000 / (k->mr * k->nr);
    double t = now();
    *sink += k->peak(turns);
    return 2.0 * (double)(turns * k->mr * k->nr) / (now() - t) * 1e-9;
}

static float *array(int64_t n) {
    float *p = aligned_alloc(64, ((size_t)n * sizeof *p + 127) / 64 * 64);
    if (!p) exit(1);
    for (int64_t i = 0; i < n; i++) p[i] = (float)((i * 2654435761u) % 1000) / 500 - 1;
    return p;
}

enum { SAMPLES = 31 };

static void measure(const bp__isa *isa, const char *name, int64_t images, int64_t in, int64_t out, int64_t size, int64_t kernel,
                    int64_t stride) {
    static const char *const kinds[] = {"forward", "grad_input", "grad_weight"};
    int64_t pad = kernel / 2, made = (size + 2 * pad - kernel) / stride + 1;
    bp__conv c = {.dtype = BP_F32,
                  .n_images = images,
                  .groups = 1,
                  .in_channels = in,
                  .in = {size, size},
                  .out_channels = out,
                  .out = {made, made},
                  .kernel = {kernel, kernel},
                  .stride = {stride, stride},
                  .padding = {pad, pad},
                  .dilation = {1, 1}};
    float *x = array(images * in * size * size), *y = array(images * out * made * made), *w = array(in * out * kernel * kernel);
    double flop = 2.0 * (double)(images * out * made * made) * (double)(in * kernel * kernel), sink = 0;
    for (int kind = 0; kind < 3; kind++) {
        bp__env env = {.isa = isa};
        env.scratch_bytes = kind == 0   ? bp__conv2d_scratch(isa, &c, 1)
                            : kind == 1 ? bp__conv2d_grad_input_scratch(isa, &c, 1)
                                        : bp__conv2d_grad_weight_scratch(isa, &c, 1);
        env.scratch = array((int64_t)env.scratch_bytes / 4 + 16);
        double best = 1e9, peak = 0;
        for (int i = 0; i < SAMPLES; i++) {
            double t = now();
            if (kind == 0) bp__conv2d(&env, &c, y, x, w, NULL);
            if (kind == 1) bp__conv2d_grad_input(&env, &c, x, y, w);
            if (kind == 2) bp__conv2d_grad_weight(&env, &c, w, y, x);
            t = now() - t;
            double rate = peak_rate(isa->f32.gemm, &sink);
            if (t < best) best = t;
            if (rate > peak) peak = rate;
        }
        printf("%-34s %-12s %9.1f us %7.1f GFLOP/s, %5.1f %% of peak %5.1f\n", name, kinds[kind], best * 1e6, flop / best * 1e-9,
               100 * flop / best * 1e-9 / peak, peak);
        free(env.scratch);
    }
    if (sink == 0.125) printf("\n");
    free(x);
    free(y);
    free(w);
}

int main(int argc, char **argv) {
    const bp__isa *isa = bp__isa_find(argc > 1 ? argv[1] : NULL);
    if (!isa) {
        fprintf(stderr, "bench_convolutions: no such instruction set here\n");
        return 1;
    }
    printf("instruction set %s, one thread, f32\n", bp__isa_name(isa));
    measure(isa, "3x3 16 -> 16, 28x28, batch 32", 32, 16, 16, 28, 3, 1);
    measure(isa, "3x3 1 -> 16, 28x28, batch 32", 32, 1, 16, 28, 3, 1);
    measure(isa, "3x3 16 -> 32 / 2, 28x28, batch 32", 32, 16, 32, 28, 3, 2);
    measure(isa, "3x3 64 -> 64, 14x14, batch 32", 32, 64, 64, 14, 3, 1);
    measure(isa, "1x1 64 -> 64, 14x14, batch 32", 32, 64, 64, 14, 1, 1);
    return 0;
}
