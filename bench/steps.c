/* Whole training steps of networks of linear layers and relu with cross entropy. bench_steps [describe] [WORKLOAD …] prints a
   line per workload: name, median milliseconds of a step; `describe` prints the plans, too. A workload is a name of the table
   below, or SIZES:BATCH[:OPTIMIZER], as in 784-512-10:128:adam. Run beside steps_torch.py and steps_jax.py (bench/steps.sh). */
#include "io/yaml.h"
#include "optim/optim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY(ctx, e)                                                \
    do {                                                           \
        if ((e) != BP_OK) {                                        \
            fprintf(stderr, "steps: %s\n", bp_context_error(ctx)); \
            exit(1);                                               \
        }                                                          \
    } while (0)

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct workload {
    const char *name;
    int n_layers;
    int64_t sizes[6];
    int64_t batch;
    const char *optimizer;
    double lr, dropout, clip_norm; /* 0: none */
} workload;

static const workload workloads[] = {
    {"w1", 2, {4, 16, 3}, 16, "sgd", 1e-2, 0, 0},
    {"w2", 3, {784, 512, 256, 10}, 128, "adam", 1e-3, 0, 0},
    {"w3", 4, {2048, 2048, 2048, 2048, 2048}, 512, "sgd", 1e-2, 0, 0},
    {"w2-1", 3, {784, 512, 256, 10}, 1, "adam", 1e-3, 0, 0},
    {"w2-8", 3, {784, 512, 256, 10}, 8, "adam", 1e-3, 0, 0},
    {"w2-32", 3, {784, 512, 256, 10}, 32, "adam", 1e-3, 0, 0},
    {"w2-1024", 3, {784, 512, 256, 10}, 1024, "adam", 1e-3, 0, 0},
    /* regularised, and no width is a multiple of 16 */
    {"w2-odd", 3, {784, 500, 250, 10}, 100, "{adamw: {weight_decay: 0.01}}", 1e-3, 0.2, 1},
};

/* A measurement takes about a third of a second, or nine steps. */
enum { LEAST = 9, MOST = 256, MILLISECONDS = 300 };

static void run(const workload *w, int describe) {
    bp_context *ctx;
    bp_graph *g;
    bp_program *p;
    bp_state *s;
    bp_session *session;
    if (bp_context_new(&ctx, NULL) != BP_OK) exit(1);
    TRY(ctx, bp_graph_new(&g, ctx));
    bp_value x = bp_input(g, "x", BP_F32, bp_shape(2, BP_BATCH, w->sizes[0])),
             label = bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH)), params[12], d[12], h = x;
    for (int i = 0; i < w->n_layers; i++) {
        char name[40];
        double bound = 1 / sqrt((double)w->sizes[i]);
        snprintf(name, sizeof name, "%d.weight", 2 * i);
        params[2 * i] = bp_parameter(g, name, bp_shape(2, w->sizes[i + 1], w->sizes[i]), bp_kaiming_uniform());
        snprintf(name, sizeof name, "%d.bias", 2 * i);
        params[2 * i + 1] = bp_parameter(g, name, bp_shape(1, w->sizes[i + 1]), bp_uniform_init(-bound, bound));
        h = bp_linear(h, params[2 * i], params[2 * i + 1]);
        if (i + 1 == w->n_layers) continue;
        h = bp_relu(h);
        if (w->dropout > 0) h = bp_dropout(h, bp_number(g, BP_F32, w->dropout), name);
    }
    bp_value loss = bp_cross_entropy(h, label, BP_NONE, NULL);
    int n = 2 * w->n_layers;
    bp_gradients(d, &loss, NULL, 1, params, n);
    if (w->clip_norm > 0) TRY(ctx, bp__clip_grads(g, d, n, bp_number(g, BP_F64, w->clip_norm), BP_NONE, NULL));
    bp__tree *optimizer;
    double rate = w->lr;
    TRY(ctx, bp__yaml_parse_value(ctx, w->optimizer, strlen(w->optimizer), "optimizer", &optimizer));
    TRY(ctx, bp__optimizer_build(g, optimizer, bp_input(g, "lr", BP_F64, bp_shape(0)), params, d, n));
    bp__tree_free(ctx, optimizer);
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    TRY(ctx, bp_state_new(&s, g));
    TRY(ctx, bp_program_new(&p, g, &loss, 1, &options));
    TRY(ctx, bp_session_new(&session, p, s));
    float *data = malloc(sizeof(float) * (size_t)(w->batch * w->sizes[0]));
    int64_t *labels = malloc(sizeof(int64_t) * (size_t)w->batch);
    if (!data || !labels) exit(1);
    for (int64_t i = 0; i < w->batch * w->sizes[0]; i++) data[i] = (float)((i * 7919) % 1000) / 1000;
    for (int64_t i = 0; i < w->batch; i++) labels[i] = i % w->sizes[w->n_layers];
    TRY(ctx, bp_session_set(session, "x", data, &bp_shape(2, w->batch, w->sizes[0])));
    TRY(ctx, bp_session_set(session, "lr", &rate, NULL));
    TRY(ctx, bp_session_set(session, "label", labels, &bp_shape(1, w->batch)));
    double times[MOST], start = now();
    for (int i = 0; i < 3; i++) TRY(ctx, bp_session_run(session)); /* warms up */
    double each = (now() - start) / 3;
    int inner = each > 1 ? 1 : (int)(1 / each) + 1, rounds = (int)(MILLISECONDS / (each * inner));
    rounds = rounds < LEAST ? LEAST : rounds > MOST ? MOST : rounds;
    for (int r = 0; r < rounds; r++) {
        start = now();
        for (int i = 0; i < inner; i++) {
            bp_session_set_step(session, 1, (uint32_t)i, 0);
            TRY(ctx, bp_session_run(session));
        }
        times[r] = (now() - start) / inner;
    }
    qsort(times, (size_t)rounds, sizeof *times, ascending);
    if (describe) {
        char *text;
        TRY(ctx, bp_session_describe(session, &text));
        fputs(text, stdout);
        bp_free(ctx, text);
    }
    printf("%s %.6f\n", w->name, times[rounds / 2]);
    fflush(stdout);
    free(data);
    free(labels);
    bp_session_free(session);
    bp_program_free(p);
    bp_state_free(s);
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* SIZES:BATCH[:OPTIMIZER] */
static int parse(workload *w, const char *text) {
    *w = (workload){.name = text, .optimizer = "adam", .lr = 1e-3, .n_layers = -1};
    char *end = NULL;
    for (const char *s = text; w->n_layers < 5; s = end + 1) {
        w->sizes[++w->n_layers] = strtoll(s, &end, 10);
        if (end == s || w->sizes[w->n_layers] <= 0 || *end != '-') break;
    }
    if (!end || *end != ':' || w->n_layers < 1) return 0;
    w->batch = strtoll(end + 1, &end, 10);
    if (*end == ':') w->optimizer = end + 1;
    return w->batch > 0 && (*end == ':' || *end == 0);
}

int main(int argc, char **argv) {
    int describe = argc > 1 && strcmp(argv[1], "describe") == 0, n = (int)(sizeof workloads / sizeof *workloads);
    for (int i = 0; i < n && argc == 1 + describe; i++) run(&workloads[i], describe);
    for (int a = 1 + describe; a < argc; a++) {
        workload own;
        int i = 0;
        while (i < n && strcmp(argv[a], workloads[i].name) != 0) i++;
        if (i == n && !parse(&own, argv[a])) {
            fprintf(stderr, "steps: `%s` is no workload: w1, w2, …, or SIZES:BATCH[:OPTIMIZER], as in 784-512-10:128:adam\n",
                    argv[a]);
            return 2;
        }
        run(i < n ? &workloads[i] : &own, describe);
    }
    return 0;
}
