/* One update of 16.8 million weights (a matrix of 4096 by 4096, f32) by every optimiser, and one pass over the memory that it
   touches: weights and state read and written, gradients read. bench_optimizers [NAME …] prints a line per optimiser: name,
   median milliseconds of an update, of the pass, bytes of state for each weight, bytes that the update's loops move for each
   weight, bytes that its formula makes any program move (one that needs a norm first reads some memory twice), and milliseconds
   that its instructions take when all numbers lie in the first cache. muon and soap, which multiply matrices,
   run only where they are named. Run beside optimizers.py (bench/optimizers.sh). */
#include <backprop.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY(ctx, e)                                                     \
    do {                                                                \
        if ((e) != BP_OK) {                                             \
            fprintf(stderr, "optimizers: %s\n", bp_context_error(ctx)); \
            exit(1);                                                    \
        }                                                               \
    } while (0)

enum { SIDE = 4096, WEIGHTS = SIDE * SIDE, BLOCK = 128, TURNS = 5 };

/* Time of the processor: one thread works, so on an idle machine it is the time on the wall, and on a shared one much steadier.
 */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *numbers(size_t n) {
    float *x = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++) x[i] = (float)((i * 7919) % 1000 + 1) / 1000 - 0.5f;
    return x;
}

static void touch_block(float *restrict x, const float *restrict gradient) { /* a fixed length: compilers make vectors of it */
    for (int i = 0; i < BLOCK; i++) x[i] += gradient[i] * 1e-3f;
}

/* Reads `gradient`, reads and writes every array of `kept`, block by block as an update does; small blocks keep all of these
   streams going at once, which is fastest. Their lengths differ. */
static void pass(float **kept, const size_t *length, int n, const float *gradient) {
    for (size_t at = 0; at < WEIGHTS; at += BLOCK)
        for (int k = 0; k < n; k++) {
            if (at + BLOCK <= length[k])
                touch_block(kept[k] + at, gradient + at);
            else
                for (size_t i = at; i < length[k]; i++) kept[k][i] += gradient[i] * 1e-3f;
        }
}

/* Of all that the optimiser keeps. */
static double state_bytes(bp_context *ctx, const bp_state *s) {
    double bytes = 0;
    for (int k = 0; k < bp_state_count(s); k++) {
        const char *name = bp_state_name(s, k);
        bp_dtype dtype;
        bp_dims dims;
        double n = 1;
        if (strncmp(name, "optimizer/", 10) != 0) continue;
        TRY(ctx, bp_state_describe(s, name, &dtype, &dims));
        for (int64_t i = 0; i < dims.n; i++) n *= (double)dims.dim[i];
        bytes += n * (double)bp_dtype_size(dtype);
    }
    return bytes;
}

typedef struct memory {
    float *kept[16]; /* the weights, and the state in pieces of their length */
    size_t length[16];
    int n;
} memory;

static void memory_take(memory *m, double bytes) {
    m->n = 0;
    for (double rest = WEIGHTS + bytes / sizeof(float); rest >= 1 && m->n < 16; rest -= WEIGHTS) {
        m->length[m->n] = rest < WEIGHTS ? (size_t)rest : WEIGHTS;
        m->kept[m->n] = numbers(m->length[m->n]);
        m->n++;
    }
}

static double median(double *times) {
    qsort(times, TURNS, sizeof *times, ascending);
    return times[TURNS / 2];
}

/* What the loops of an update read and write, as its description says. */
static double moved_bytes(bp_context *ctx, bp_session *session) {
    char *text;
    double bytes = 0;
    TRY(ctx, bp_session_describe(session, &text));
    const char *end = strstr(text, " bytes moved");
    while (end && end > text && end[-1] >= '0' && end[-1] <= '9') end--;
    if (end) bytes = strtod(end, NULL);
    bp_free(ctx, text);
    return bytes;
}

/* Bytes for each weight that no program of this formula can do without: weights and state read and written, gradients read, once.
   Where a number of all weights comes before the update, two sweeps, or more, at least. */
static double needed_bytes(const char *name, double state) {
    static const struct {
        const char *name;
        double bytes;
    } sweeps[] = {
        {"lars", 8 + 20},          /* |p|, |g|; then p, m, g */
        {"lamb", 16 + 28},         /* the step's length takes all of p, m, v, g */
        {"novograd", 4 + 20},      /* |g| */
        {"mars", 8 + 36},          /* |c| of g and the gradient before; then p, m, v, before, g */
        {"dog", 12 + 12},          /* |p - start|, |g|; then p, g */
        {"prodigy", 20 + 28},      /* g, p, start, and s written; then p, m, v, g */
        {"adafactor", 8 + 4 + 12}, /* g and p; the update's size, g again; then p, g */
    };
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        if (strcmp(name, sweeps[i].name) == 0) return sweeps[i].bytes;
    return 2 * (4 + state) + 4;
}

typedef struct updater {
    bp_context *ctx;
    bp_graph *g;
    bp_program *p;
    bp_state *s;
    bp_session *session;
} updater;

/* Of a matrix; 0: a solver, which is no update in a graph. */
static int updater_new(updater *u, const char *name, int64_t rows, int64_t columns, const float *gradient) {
    if (bp_context_new(&u->ctx, NULL) != BP_OK) exit(1);
    TRY(u->ctx, bp_graph_new(&u->g, u->ctx));
    bp_dims dims = bp_shape(2, rows, columns);
    bp_value w = bp_parameter(u->g, "0.weight", dims, bp_filled(0.5)), d = bp_input(u->g, "d", BP_F32, dims);
    /* sophia asks for second derivatives: it gets the gradient of Σ d·w²/2, whose curvature is d. */
    if (strcmp(name, "sophia") == 0) d = bp_mul(d, w);
    if (bp_optimizer(u->g, name, BP_NONE, &w, &d, 1) != BP_OK) {
        bp_graph_free(u->g);
        bp_context_free(u->ctx);
        return 0;
    }
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    TRY(u->ctx, bp_program_new(&u->p, u->g, NULL, 0, &options));
    TRY(u->ctx, bp_state_new(&u->s, u->g));
    TRY(u->ctx, bp_session_new(&u->session, u->p, u->s));
    TRY(u->ctx, bp_session_set(u->session, "d", gradient, NULL));
    return 1;
}

static void updater_free(updater *u) {
    bp_session_free(u->session);
    bp_program_free(u->p);
    bp_state_free(u->s);
    bp_graph_free(u->g);
    bp_context_free(u->ctx);
}

/* Milliseconds of one update of a small matrix, the median of some hundreds at once. */
static double small_update(const char *name, int64_t rows, int64_t columns, const float *gradient) {
    enum { TIMES = 500 };
    updater u;
    double times[TURNS];
    if (!updater_new(&u, name, rows, columns, gradient)) return 0;
    for (int r = 0; r < TURNS; r++) {
        double start = now();
        for (int k = 0; k < TIMES; k++) TRY(u.ctx, bp_session_run(u.session));
        times[r] = (now() - start) / TIMES;
    }
    updater_free(&u);
    return median(times);
}

/* What the instructions of an update take, memory aside: 1024 weights and what belongs to them fit into the first cache; what any
   update takes however small it is, 8 weights, is taken away. */
static double instructions(const char *name, const float *gradient) {
    return (small_update(name, 2, 512, gradient) - small_update(name, 2, 4, gradient)) / (1024 - 8) * WEIGHTS;
}

static void run(const char *name, const float *gradient) {
    updater u;
    if (!updater_new(&u, name, SIDE, SIDE, gradient)) return;
    bp_context *ctx = u.ctx;
    bp_session *session = u.session;
    double update[TURNS], touch[TURNS], bytes = state_bytes(ctx, u.s);
    memory m;
    memory_take(&m, bytes);
    for (int r = -1; r < TURNS; r++) { /* the first turn warms up */
        double start = now();
        TRY(ctx, bp_session_run(session));
        double between = now();
        pass(m.kept, m.length, m.n, gradient);
        if (r < 0) continue;
        update[r] = between - start;
        touch[r] = now() - between;
    }
    double moved = moved_bytes(ctx, session);
    for (int k = 0; k < m.n; k++) free(m.kept[k]);
    updater_free(&u);
    printf("%s %.3f %.3f %.4g %.4g %.4g %.3f\n", name, median(update), median(touch), bytes / WEIGHTS, moved / WEIGHTS,
           needed_bytes(name, bytes / WEIGHTS), instructions(name, gradient));
    fflush(stdout);
}

int main(int argc, char **argv) {
    float *gradient = numbers(WEIGHTS);
    const char *name;
    for (int k = 0; (name = bp_kind("optimizer", k, NULL)) != NULL; k++) {
        int named = argc == 1 && strcmp(name, "muon") != 0 && strcmp(name, "soap") != 0;
        for (int a = 1; a < argc; a++) named |= strcmp(argv[a], name) == 0;
        if (named) run(name, gradient);
    }
    free(gradient);
    return 0;
}
