/* The team of threads: bench_threads [THREADS] prints what its start, a run with a helper that spins and with one that sleeps
   cost, from which size on several threads beat one, and whether a step of 4-16-3 wakes anybody. Pieces that do nothing show
   the cost of the team alone. Medians. */
#define _DEFAULT_SOURCE /* setenv */
#include "core/threads.h"
#include "kernel/isa.h"
#include "timing.h"

#include <backprop.h>

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SAMPLES = 101, FEW = 15 };

static void check(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "bench_threads: %s\n", what);
    exit(1);
}

/* ---- Start, fork and join -------------------------------------------------------------------------------------------------- */

static void nothing(void *arg, int64_t piece, int thread) { (void)arg, (void)piece, (void)thread; }

/* A run of as many pieces as threads, each of which waits (at most a second) until all have begun: over when everybody has come.
 */
typedef struct meeting {
    _Atomic int begun;
    int wanted;
} meeting;
static void meet(void *arg, int64_t piece, int thread) {
    (void)piece, (void)thread;
    meeting *m = arg;
    atomic_fetch_add(&m->begun, 1);
    for (double start = now_ms(); atomic_load(&m->begun) < m->wanted && now_ms() < start + 1000;)
        ;
}

static void pause_us(int us) { /* without giving the core away, as a kernel on one thread would be */
    for (double end = now_ms() + us * 1e-3; now_ms() < end;)
        ;
}

static void team_costs(bp_context *ctx, int threads) {
    double first[FEW], times[SAMPLES];
    for (int i = 0; i < FEW; i++) {
        bp__team *team;
        meeting m = {.wanted = threads};
        check(bp__team_new(&team, ctx, threads) == BP_OK, "no team");
        double start = now_ms();
        bp__team_run(team, threads, meet, &m);
        first[i] = now_ms() - start;
        bp__team_free(team);
    }
    printf("| the first run, which starts the helpers, until all are there | %.1f us |\n", median(first, FEW) * 1e3);
    bp__team *team;
    check(bp__team_new(&team, ctx, threads) == BP_OK, "no team");
    bp__team_run(team, threads, nothing, NULL);
    for (int i = 0; i < SAMPLES; i++) {
        double start = now_ms();
        for (int k = 0; k < 20; k++) bp__team_run(team, 1, nothing, NULL);
        times[i] = (now_ms() - start) / 20;
    }
    printf("| a run of one piece (stays on the caller) | %.3f us |\n", median(times, SAMPLES) * 1e3);
    for (int i = 0; i < SAMPLES; i++) {
        double start = now_ms();
        for (int k = 0; k < 20; k++) bp__team_run(team, threads, nothing, NULL);
        times[i] = (now_ms() - start) / 20;
    }
    printf("| fork and join of empty pieces, one run after another | %.2f us |\n", median(times, SAMPLES) * 1e3);
    static const int pauses[] = {0, 5, 15, 50, 1000, 5000};
    for (size_t p = 0; p < sizeof pauses / sizeof *pauses; p++) {
        double empty[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            meeting m = {.wanted = threads};
            bp__team_run(team, threads, meet, &m); /* all are awake */
            m.begun = 0;
            pause_us(pauses[p]);
            double start = now_ms();
            bp__team_run(team, threads, meet, &m);
            times[i] = now_ms() - start;
            pause_us(pauses[p]);
            start = now_ms();
            bp__team_run(team, threads, nothing, NULL);
            empty[i] = now_ms() - start;
        }
        printf("| %d us after the last run: until all are there; with empty pieces | %.2f us; %.2f us |\n", pauses[p],
               median(times, SAMPLES) * 1e3, median(empty, SAMPLES) * 1e3);
    }
    bp__team_free(team);
}

/* ---- From which size on several threads are faster ----------------------------------------------------------------------------
 */

typedef struct work {
    bp__env env[2]; /* one thread, all */
    bp__gemm_args product;
    const bp__ew_program *program;
    bp__tensor tensors[4];
} work;

static void run_work(const work *w, int which) {
    if (w->program)
        bp__ew_run(&w->env[which], w->program, 1, w->tensors);
    else
        bp__gemm(&w->env[which], &w->product);
}

/* Milliseconds with one thread and with all, one after the other, each right behind work on all threads as within a step. */
static void both(const work *w, double out[2]) {
    double times[2][FEW];
    run_work(w, 0);
    double each = now_ms();
    run_work(w, 0);
    each = now_ms() - each;
    int repeats = (int)(0.5 / (each + 1e-6)) + 1;
    for (int i = 0; i < FEW; i++)
        for (int which = 0; which < 2; which++) {
            run_work(w, which);
            double start = now_ms();
            for (int k = 0; k < repeats; k++) run_work(w, which);
            times[which][i] = (now_ms() - start) / repeats;
        }
    for (int which = 0; which < 2; which++) out[which] = median(times[which], FEW);
}

static float *numbers(int64_t n) {
    float *p = aligned_alloc(64, ((size_t)n * sizeof *p + 127) / 64 * 64);
    check(p != NULL, "out of memory");
    for (int64_t i = 0; i < n; i++) p[i] = (float)((i * 2654435761u) % 1000) / 500 - 1;
    return p;
}

/* Rows of a table; tells the first size from which on several threads are at least 1.1 times as fast. */
static void row(const char *what, int64_t size, const work *w, int64_t *first) {
    double times[2];
    both(w, times);
    double gain = times[0] / times[1];
    if (gain < 1.1) *first = 0;
    if (gain >= 1.1 && !*first) *first = size;
    printf("| %s %lld | %.2f us | %.2f us | %.2f |\n", what, (long long)size, times[0] * 1e3, times[1] * 1e3, gain);
    fflush(stdout);
}

static void crossover(const bp__isa *isa, bp__team *const teams[2]) {
    static const int64_t squares[] = {16, 24, 32, 48, 64, 96, 128, 256, 512},
                         lengths[] = {1024, 2048, 4096, 8192, 16384, 32768, 131072, 524288, 2097152};
    work w = {.env = {{.isa = isa, .team = teams[0]}, {.isa = isa, .team = teams[1]}}};
    int64_t first[2] = {0, 0};
    float *memory[3];
    size_t bytes = 1 << 22;
    for (int i = 0; i < 3; i++) memory[i] = numbers(lengths[8]);
    for (int e = 0; e < 2; e++) w.env[e].scratch = numbers((int64_t)bytes / 4), w.env[e].scratch_bytes = bytes;
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        int64_t n = squares[i];
        w.product = (bp__gemm_args){.dtype = BP_F32, .m = n, .n = n, .k = n, .n_b = 1, .epilogue = {.activation = -1}};
        w.product.a = (bp__matrix){memory[0], n, 1, false}, w.product.b = (bp__matrix){memory[1], n, 1, false};
        w.product.c = (bp__matrix){memory[2], n, 1, false};
        check(bp__gemm_scratch(isa, &w.product, bp__team_size(teams[1])) <= bytes, "a product needs more scratch");
        row("product, square", n, &w, &first[0]);
    }
    const bp__ew_instr instr = {.op = BP__EW_fma, .dst = 3, .src = {0, 1, 2}};
    const uint16_t out = 3;
    const bp__ew_program program = {
        .type = BP_F32, .n_in = 3, .n_reg = 4, .n_out = 1, .n_instr = 1, .out = &out, .instr = &instr};
    check(bp__ew_scratch(&program, bp__team_size(teams[1])) <= bytes, "a program needs more scratch");
    w.program = &program;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int k = 0; k < 4; k++)
            w.tensors[k] = (bp__tensor){.data = memory[k % 3], .dim = {lengths[i]}, .stride = {1}, .n_dims = 1, .dtype = BP_F32};
        row("x = x y + z, elements", lengths[i], &w, &first[1]);
    }
    printf("\nAt least 1.1 times as fast with all threads, from there on");
    static const char *const what[] = {"squares of", "element-wise, elements:"};
    for (int i = 0; i < 2; i++)
        if (first[i])
            printf("; %s %lld", what[i], (long long)first[i]);
        else
            printf("; %s none of these", what[i]);
    printf(".\n");
    for (int i = 0; i < 3; i++) free(memory[i]);
    for (int e = 0; e < 2; e++) free(w.env[e].scratch);
}

/* ---- The smallest network
 * ------------------------------------------------------------------------------------------------------- */

static int threads_now(void) { /* of this process; -1: the system does not say */
    DIR *d = opendir("/proc/self/task");
    if (!d) return -1;
    int n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Helpers start when they are first needed: as long as there are none, nobody was woken. */
static void smallest(int threads) {
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    setenv("BP_THREADS", text, 1);
    bp_context *ctx;
    bp_graph *g;
    check(bp_context_new(&ctx, NULL) == BP_OK, "no context");
    check(bp_graph_new(&g, ctx) == BP_OK, "no graph");
    bp_value p[4] = {bp_parameter(g, "w0", bp_shape(2, 16, 4), bp_filled(0.1)),
                     bp_parameter(g, "b0", bp_shape(1, 16), bp_zeros()),
                     bp_parameter(g, "w1", bp_shape(2, 3, 16), bp_filled(0.1)),
                     bp_parameter(g, "b1", bp_shape(1, 3), bp_zeros())},
             d[4], x = bp_input(g, "x", BP_F32, bp_shape(2, 16, 4)), label = bp_input(g, "label", BP_I64, bp_shape(1, 16)),
             loss = bp_cross_entropy(bp_linear(bp_relu(bp_linear(x, p[0], p[1])), p[2], p[3]), label, BP_NONE, NULL);
    bp_gradients(d, &loss, NULL, 1, p, 4);
    bp_program *program;
    bp_state *state;
    bp_session *session;
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    float data[64] = {1};
    int64_t labels[16] = {0, 1, 2};
    check(bp_optimizer(g, "sgd", BP_NONE, p, d, 4) == BP_OK, bp_context_error(ctx));
    check(bp_program_new(&program, g, &loss, 1, &options) == BP_OK, bp_context_error(ctx));
    check(bp_state_new(&state, g) == BP_OK, bp_context_error(ctx));
    check(bp_session_new(&session, program, state) == BP_OK, bp_context_error(ctx));
    check(bp_session_set(session, "x", data, NULL) == BP_OK, bp_context_error(ctx));
    check(bp_session_set(session, "label", labels, NULL) == BP_OK, bp_context_error(ctx));
    int before = threads_now();
    for (int i = 0; i < 1000; i++) check(bp_session_run(session) == BP_OK, bp_context_error(ctx));
    int after = threads_now();
    if (before > 0) {
        check(before == after, "a step of 4-16-3 woke the team");
        printf(
            "\nAfter 1000 steps of 4-16-3, batch 16, in a context of %d threads the process has %d: they never woke the team.\n",
            threads, after);
    }
    bp_session_free(session);
    bp_program_free(program);
    bp_state_free(state);
    bp_graph_free(g);
    bp_context_free(ctx);
}

int main(int argc, char **argv) {
    const char *told = argc > 1 ? argv[1] : getenv("BP_THREADS");
    const int threads = told ? atoi(told) : 2;
    if (threads < 2) {
        fprintf(stderr, "bench_threads: %s is no number of threads from 2 on\n", told);
        return 2;
    }
    bp_context *ctx;
    bp__team *teams[2];
    check(bp_context_new(&ctx, NULL) == BP_OK, "no context");
    printf("| team of %d threads | |\n| --- | --- |\n", threads);
    team_costs(ctx, threads);
    for (int i = 0; i < 2; i++) check(bp__team_new(&teams[i], ctx, i ? threads : 1) == BP_OK, "no team");
    printf("\n| | 1 thread | %d threads | 1 / %d |\n| --- | --- | --- | --- |\n", threads, threads);
    crossover(bp__isa_find(getenv("BP_ISA")), teams);
    for (int i = 0; i < 2; i++) bp__team_free(teams[i]);
    bp_context_free(ctx);
    smallest(threads);
    return 0;
}
