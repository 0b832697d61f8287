/* What the machine can do at most: bench_machine [THREADS] prints the instruction set in use, multiply-adds from registers alone
   (`peak`, GFLOP/s, f32) and memory bandwidth (`bandwidth`, GB/s read and written by x += c·g over arrays far larger than any
   cache, as an optimiser does it), all threads together: the median of a few samples. */
#define _DEFAULT_SOURCE /* madvise */
#include "kernel/isa.h"
#include "timing.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

enum { MOST = 256, SAMPLES = 5, BLOCK = 128, LENGTH = 8 << 20, HUGE = 2 << 20 };

typedef struct worker {
    const bp__isa *isa;
    pthread_barrier_t *barrier;
    float *x, *g; /* [length] */
    size_t length;
    double sink, peak[SAMPLES], bandwidth[SAMPLES]; /* milliseconds from the start of all to the end of all */
} worker;

static float *numbers(size_t n) {
    float *p = aligned_alloc(HUGE, (n * sizeof *p + HUGE - 1) / HUGE * HUGE);
    if (!p) exit(1);
#ifdef MADV_HUGEPAGE
    madvise(p, (n * sizeof *p + HUGE - 1) / HUGE * HUGE, MADV_HUGEPAGE);
#endif
    for (size_t i = 0; i < n; i++) p[i] = (float)(i % 1000) / 1000;
    return p;
}

static void add(float *restrict x, const float *restrict g) { /* a fixed length: compilers make vectors of it */
    for (int i = 0; i < BLOCK; i++) x[i] += g[i] * 1e-3f;
}

static int64_t turns(const bp__isa *isa) { return 200000000 / (isa->f32.gemm->mr * isa->f32.gemm->nr); }

static void *work(void *argument) {
    worker *w = argument;
    w->x = numbers(w->length), w->g = numbers(w->length); /* by the thread that uses them */
    for (int s = 0; s < SAMPLES; s++) {
        pthread_barrier_wait(w->barrier);
        double start = now_ms();
        w->sink += w->isa->f32.gemm->peak(turns(w->isa));
        pthread_barrier_wait(w->barrier);
        double between = now_ms();
        for (size_t i = 0; i + BLOCK <= w->length; i += BLOCK) add(w->x + i, w->g + i);
        pthread_barrier_wait(w->barrier);
        w->peak[s] = between - start;
        w->bandwidth[s] = now_ms() - between;
    }
    w->sink += w->x[w->length / 2];
    free(w->x);
    free(w->g);
    return NULL;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1;
    if (n < 1 || n > MOST) {
        fprintf(stderr, "bench_machine: %s is no number of threads from 1 to %d\n", argv[1], MOST);
        return 2;
    }
    static worker all[MOST];
    pthread_t thread[MOST];
    pthread_barrier_t barrier;
    const bp__isa *isa = bp__isa_find(NULL);
    if (pthread_barrier_init(&barrier, NULL, (unsigned)n) != 0) return 1;
    for (int t = 0; t < n; t++) {
        all[t] = (worker){.isa = isa, .barrier = &barrier, .length = LENGTH};
        if (t > 0 && pthread_create(&thread[t], NULL, work, &all[t]) != 0) return 1;
    }
    work(&all[0]);
    for (int t = 1; t < n; t++) pthread_join(thread[t], NULL);
    double flop = 2.0 * (double)(turns(isa) * isa->f32.gemm->mr * isa->f32.gemm->nr) * n,
           bytes = 3.0 * sizeof(float) * LENGTH * n;
    printf("isa %s\npeak %.2f\nbandwidth %.2f\n", bp__isa_name(isa), flop / median(all[0].peak, SAMPLES) * 1e-6,
           bytes / median(all[0].bandwidth, SAMPLES) * 1e-6);
    return all[0].sink == 0.125;
}
