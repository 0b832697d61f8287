/* Matrix products of training. bench_products prints a line for each of ours: what, type, m, n, k, how A, B and C lie, median
   microseconds, and the peak of multiply-adds at the same time; with $BP_THREADS threads (1). bench_products beside THREADS
   measures the libraries of libraries.h between ours, with 1 thread and with THREADS. A word behind: only products with it in
   their line's name.

   Ours lie as the plan of a network keeps them: weights and their gradients in panels where there are enough columns for that,
   otherwise as rows of [out, in]. For the input gradient the panels are turned first, once in a step; that is in its time.
   The libraries get plain row-major matrices. */
#define _DEFAULT_SOURCE /* setenv */
#include "core/threads.h"
#include "kernel/isa.h"
#include "libraries.h"
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 9, SYSTEMS = 4, LEAST_MS = 2 };
typedef enum kind { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, PLAIN } kind;
static const char *const kinds[] = {"forward", "input gradient", "weight gradient", "plain"};

typedef struct product {
    kind kind;
    int64_t m, n, k;
    bool panels; /* the weights, or their gradient */
    bp_dtype type;
    char name[64];
} product;

/* ---- What the products are made of ------------------------------------------------------------------------------------- */

static void *numbers(int64_t n, bp_dtype type) {
    size_t size = type == BP_F32 ? 4 : 8, bytes = ((size_t)n * size + 4095) / 4096 * 4096;
    unsigned char *p = aligned_alloc(4096, bytes + 4096);
    if (!p) exit(1);
    for (int64_t i = 0; i < n; i++) {
        double x = (double)((i * 2654435761u) % 1000) / 500 - 1;
        if (size == 4)
            ((float *)(void *)p)[i] = (float)x;
        else
            ((double *)(void *)p)[i] = x;
    }
    return p;
}

static int64_t padded(int64_t columns) { return (columns + BP__PANEL - 1) / BP__PANEL * BP__PANEL; }

/* A, B and C as matrices of the product; the libraries' B and C; memory of ours. */
typedef struct operands {
    bp__gemm_args ours;
    bp__tensor weights, turned; /* input gradient with panels: what is turned into what */
    float *a, *b, *c;           /* of the libraries */
    void *memory[4];
} operands;

static bp__tensor panels_of(void *data, int64_t d0, int64_t d1, bp_dtype type, uint8_t panels) {
    return (bp__tensor){.data = data, .dim = {d0, d1}, .stride = {d1, 1}, .n_dims = 2, .dtype = (uint8_t)type, .panels = panels};
}

static operands prepare(const bp__env *env, const product *p) {
    operands o = {.ours = {.dtype = p->type, .m = p->m, .n = p->n, .k = p->k, .n_b = 1, .epilogue = {.activation = -1}}};
    void *a = numbers(p->m * p->k, p->type), *b = numbers(p->k * p->n, p->type);
    void *c = numbers(p->m * padded(p->n), p->type);
    void *kept = numbers(BP__MAX(p->k * padded(p->n), padded(p->k) * p->n), p->type);
    o.ours.a = (bp__matrix){a, p->k, 1, false}, o.ours.b = (bp__matrix){b, p->n, 1, false};
    o.ours.c = (bp__matrix){c, p->n, 1, p->kind == WEIGHT_GRADIENT && p->panels};
    if (p->kind == WEIGHT_GRADIENT) o.ours.a = (bp__matrix){a, 1, p->m, false};
    void *spare = NULL;
    /* The libraries' weights are w[in,out]; in panels they are called [out,in]. */
    if (p->kind == FORWARD && p->panels) {
        bp__tensor w = panels_of(kept, p->n, p->k, p->type, 1), plain = panels_of(b, p->n, p->k, p->type, 0);
        plain.stride[0] = 1, plain.stride[1] = p->n;
        bp__relayout(env, &w, &plain);
        o.ours.b = (bp__matrix){kept, 0, 0, true};
    } else if (p->kind == FORWARD) { /* rows of [out, in] */
        bp__tensor w = panels_of(kept, p->n, p->k, p->type, 0), plain = w;
        plain.data = b, plain.stride[0] = 1, plain.stride[1] = p->n;
        bp__copy(env, &w, &plain);
        o.ours.b = (bp__matrix){kept, 1, p->k, false};
    } else if (p->kind == INPUT_GRADIENT) { /* b is w[in,out], [n,k], read transposed */
        bp__tensor plain = panels_of(b, p->k, p->n, p->type, 0);
        plain.stride[0] = 1, plain.stride[1] = p->k;
        if (p->panels) {
            spare = numbers(p->k * padded(p->n), p->type);
            o.weights = panels_of(kept, p->k, p->n, p->type, 1);
            bp__relayout(env, &o.weights, &plain);
            o.turned = panels_of(spare, p->k, p->n, p->type, 2);
            o.ours.b = (bp__matrix){spare, 0, 0, true};
        } else {
            bp__tensor w = panels_of(kept, p->k, p->n, p->type, 0);
            bp__copy(env, &w, &plain);
            o.ours.b = (bp__matrix){kept, p->n, 1, false};
        }
    }
    o.a = a, o.b = b, o.c = p->type == BP_F32 ? numbers(p->m * p->n, BP_F32) : NULL;
    o.memory[0] = c, o.memory[1] = kept, o.memory[2] = spare;
    return o;
}

static void discard(operands *o) {
    for (int i = 0; i < 3; i++) free(o->memory[i]);
    free(o->a);
    free(o->b);
    free(o->c);
}

/* ---- Running -----------------------------------------------------------------------------------------------------------------
 */

typedef struct bench {
    const bp__isa *isa;
    bp__env env[2]; /* one thread, several */
    int threads[2], n_threads;
    library libraries[SYSTEMS - 1];
    int n_libraries;
    const char *only;
    int patience; /* how often it may still be waited for the other cores */
    double sink;
} bench;

static void run_ours(const bp__env *env, const operands *o) {
    if (o->turned.data) bp__relayout(env, &o->turned, &o->weights);
    bp__gemm(env, &o->ours);
}

static void run(const bench *b, int t, int system, const product *p, const operands *o) {
    if (system == 0)
        run_ours(&b->env[t], o);
    else
        library_run(&b->libraries[system - 1], p->kind == WEIGHT_GRADIENT, p->kind == INPUT_GRADIENT, p->m, p->n, p->k, o->a,
                    o->b, o->c);
}

/* Everybody's product is the same up to rounding, or the layouts above are not what they are said to be. */
static void compare(const bench *b, int system, const product *p, const operands *o) {
    const float *c = o->ours.c.data;
    const bool in_panels = o->ours.c.panels;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            double x = (double)c[bp__matrix_at(&o->ours.c, p->m, i, j)], y = (double)o->c[i * p->n + j];
            if (fabs(x - y) <= 1e-5 * sqrt((double)p->k) * (double)10) continue;
            fprintf(stderr, "bench_products: %s (%s): [%ld,%ld] is %g in ours%s, %g in %s\n", p->name, kinds[p->kind], (long)i,
                    (long)j, x, in_panels ? " (panels)" : "", y, b->libraries[system - 1].name);
            exit(1);
        }
}

typedef struct peak_work {
    const bp__gemm_kernels *kernels;
    int64_t turns;
    double sink[64];
} peak_work;

static void peak_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    peak_work *w = arg;
    w->sink[piece % 64] += w->kernels->peak(w->turns);
}

/* Waits as a step does that has work for one thread: behind a caller that slept, the system often wakes helpers on its core. */
static void stay_awake(double ms) {
    for (double end = now_ms() + ms; now_ms() < end;)
        ;
}

/* Multiply-adds from registers alone, all threads, GFLOP/s. */
static double peak_rate(bench *b, int t, bp_dtype type) {
    peak_work w = {.kernels = type == BP_F32 ? b->isa->f32.gemm : b->isa->f64.gemm};
    w.turns = 20000000 / (w.kernels->mr * w.kernels->nr);
    double start = now_ms();
    if (b->threads[t] == 1)
        peak_piece(&w, 0, 0);
    else
        bp__team_run(b->env[t].team, b->threads[t], peak_piece, &w);
    start = now_ms() - start;
    b->sink += w.sink[0];
    return 2e-6 * (double)(w.turns * w.kernels->mr * w.kernels->nr * b->threads[t]) / start;
}

static double timed(const bench *b, int t, int system, const product *p, const operands *o, int repeats) {
    if (b->n_threads > 1) stay_awake(3); /* threads of the system before go to sleep */
    run(b, t, system, p, o);
    double start = now_ms();
    for (int i = 0; i < repeats; i++) run(b, t, system, p, o);
    return (now_ms() - start) / repeats * 1e3;
}

static char layout_of(const bp__matrix *x) { return x->panels ? 'p' : x->col == 1 ? 'n' : 't'; }

static void measure(bench *b, const product *p) {
    if (b->only && !strstr(p->name, b->only)) return;
    operands o = prepare(&b->env[0], p);
    for (int t = 0; t < b->n_threads; t++) {
        size_t bytes = bp__gemm_scratch(b->isa, &o.ours, b->threads[t]) / 64 * 64 + 64;
        if (b->env[t].scratch_bytes >= bytes) continue;
        free(b->env[t].scratch);
        b->env[t].scratch = aligned_alloc(64, bytes), b->env[t].scratch_bytes = bytes;
        if (!b->env[t].scratch) exit(1);
    }
    const int n = p->type == BP_F32 ? 1 + b->n_libraries : 1;
    double times[2][SYSTEMS][MOST_ROUNDS], peaks[2][MOST_ROUNDS];
    for (int s = 0; s < n; s++) {
        if (s > 0) b->libraries[s - 1].set_threads(1);
        run(b, 0, s, p, &o);
        if (s > 0) compare(b, s, p, &o);
    }
    double each = now_ms();
    run(b, 0, 0, p, &o);
    each = now_ms() - each;
    const int repeats = (int)(LEAST_MS / (each + 1e-6)) + 1, rounds = each > 200 ? 3 : each > 20 ? 5 : MOST_ROUNDS;
    for (int r = 0; r < rounds; r++)
        for (int t = 0; t < b->n_threads; t++) {
            peaks[t][r] = peak_rate(b, t, p->type);
            /* Cores that others use now are no second cores. */
            for (; t > 0 && peaks[1][r] < 0.85 * b->threads[1] * peaks[0][r] && b->patience > 0; b->patience--) {
                stay_awake(10);
                peaks[t][r] = peak_rate(b, t, p->type);
            }
            for (int i = 0; i < n; i++) {
                int s = (r + i) % n;
                if (s > 0) b->libraries[s - 1].set_threads(b->threads[t]);
                times[t][s][r] = timed(b, t, s, p, &o, repeats);
            }
        }
    for (int t = 0; t < b->n_threads; t++) {
        printf("%-34s %s %4ld %4ld %6ld %c%c%c %10.2f us, %d threads, peak %.1f GFLOP/s", p->name,
               p->type == BP_F32 ? "f32" : "f64", (long)p->m, (long)p->n, (long)p->k, layout_of(&o.ours.a),
               o.turned.data ? 'r' : layout_of(&o.ours.b), layout_of(&o.ours.c), median(times[t][0], rounds), b->threads[t],
               median(peaks[t], rounds));
        for (int s = 1; s < n; s++) printf("; %s %.2f", b->libraries[s - 1].name, median(times[t][s], rounds));
        printf("\n");
    }
    fflush(stdout);
    discard(&o);
}

/* A linear layer from `in` to `out` on so many rows: its three products. */
static void layer(bench *b, int64_t in, int64_t out, int64_t batch, bp_dtype type) {
    const bool panels = padded(out) * 2 <= out * 3; /* as passes/layout.c decides */
    for (int i = FORWARD; i <= WEIGHT_GRADIENT; i++) {
        product p = {.kind = (kind)i, .panels = panels, .type = type};
        p.m = i == WEIGHT_GRADIENT ? in : batch, p.n = i == INPUT_GRADIENT ? in : out;
        p.k = i == WEIGHT_GRADIENT ? batch : i == INPUT_GRADIENT ? out : in;
        snprintf(p.name, sizeof p.name, "%s %ld -> %ld, %ld", kinds[i], (long)in, (long)out, (long)batch);
        measure(b, &p);
    }
}

int main(int argc, char **argv) {
    static bench b = {.patience = 500};
    const bool beside = argc > 1 && strcmp(argv[1], "beside") == 0;
    const char *told = beside && argc > 2 ? argv[2] : beside ? "1" : getenv("BP_THREADS");
    b.only = argc > (beside ? 3 : 1) ? argv[beside ? 3 : 1] : NULL;
    const int threads = told ? atoi(told) : 1;
    bp_context *ctx;
    if (threads < 1 || threads > 64 || bp_context_new(&ctx, NULL) != BP_OK) {
        fprintf(stderr, "bench_products [beside THREADS] [WORD]\n");
        return 2;
    }
    b.isa = bp__isa_find(getenv("BP_ISA"));
    if (!b.isa) {
        fprintf(stderr, "bench_products: no instruction set %s here\n", getenv("BP_ISA"));
        return 1;
    }
    b.n_threads = beside && threads > 1 ? 2 : 1;
    for (int t = 0; t < b.n_threads; t++) {
        b.threads[t] = beside && t == 0 ? 1 : threads;
        b.env[t].isa = b.isa;
        if (bp__team_new(&b.env[t].team, ctx, b.threads[t]) != BP_OK) return 1;
    }
    if (beside) b.n_libraries = library_load_all(b.libraries);
    printf("instruction set %s", bp__isa_name(b.isa));
    for (int i = 0; i < b.n_libraries; i++) printf("; %s", b.libraries[i].about);
    printf("\n");
    static const int64_t layers[][2] = {{784, 512}, {512, 256}, {256, 10}}, batches[] = {1, 8, 32, 128, 512},
                         others[][3] = {{1024, 1024, 1},  {1024, 1024, 8},  {256, 1024, 32}, {128, 512, 768},
                                        {128, 512, 4096}, {768, 3072, 256}, {768, 3072, 768}},
                         squares[] = {64, 256, 512, 1024, 2048};
    for (int l = 0; l < 3; l++)
        for (int i = 0; i < 5; i++) layer(&b, layers[l][0], layers[l][1], batches[i], BP_F32);
    for (int i = 0; i < 7; i++) layer(&b, others[i][0], others[i][1], others[i][2], BP_F32);
    for (int i = 0; i < 5; i++) layer(&b, squares[i], squares[i], squares[i], BP_F32);
    if (!beside) { /* what the list has not: double, plain matrices, long sums, the smallest */
        static const product more[] = {{PLAIN, 512, 512, 512, false, BP_F32, "plain square 512"},
                                       {PLAIN, 16, 16, 4, false, BP_F32, "plain 16 4 16"},
                                       {FORWARD, 16, 16, 4, true, BP_F32, "forward 4 -> 16, 16"},
                                       {FORWARD, 16, 3, 16, false, BP_F32, "forward 16 -> 3, 16"},
                                       {WEIGHT_GRADIENT, 144, 16, 100000, true, BP_F32, "long sum 144 16"}};
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) measure(&b, &more[i]);
        for (int l = 0; l < 3; l++) layer(&b, layers[l][0], layers[l][1], 128, BP_F64);
    }
    for (int t = 0; t < b.n_threads; t++) {
        bp__team_free(b.env[t].team);
        free(b.env[t].scratch);
    }
    bp_context_free(ctx);
    return b.sink == 0.125;
}
