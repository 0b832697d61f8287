/* Whole training steps of networks of linear layers and relu with cross entropy. bench_steps [describe|profile] [WORKLOAD …]
   prints a line per workload: name, median milliseconds of a step; `describe` prints the plans, too. A workload is a name of the
   table below, or SIZES:BATCH[:OPTIMIZER], as in 784-512-10:128:adam. bench_steps start MILLISECONDS WORKLOAD, told the moment on
   the monotonic clock at which it was started, prints what it took to its first step. Run beside steps_torch.py, steps_jax.py and
   steps_sklearn.py by bench.py. */
#include "core/cpu.h"
#include "graph/plan.h"
#include "io/yaml.h"
#include "optim/optim.h"
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TRY(ctx, e)                                                \
    do {                                                           \
        if ((e) != BP_OK) {                                        \
            fprintf(stderr, "steps: %s\n", bp_context_error(ctx)); \
            exit(1);                                               \
        }                                                          \
    } while (0)

typedef struct workload {
    const char *name;
    int n_layers;
    int64_t sizes[6];
    int64_t batch;
    const char *optimizer;
    double dropout, clip_norm; /* 0: none */
    int bfloat16;              /* what is multiplied is rounded */
} workload;

static const workload workloads[] = {
    {"w1", 2, {4, 16, 3}, 16, "sgd", 0, 0, 0},
    {"w2", 3, {784, 512, 256, 10}, 128, "adam", 0, 0, 0},
    {"w3", 4, {2048, 2048, 2048, 2048, 2048}, 512, "sgd", 0, 0, 0},
    {"w2-1", 3, {784, 512, 256, 10}, 1, "adam", 0, 0, 0},
    {"w2-8", 3, {784, 512, 256, 10}, 8, "adam", 0, 0, 0},
    {"w2-32", 3, {784, 512, 256, 10}, 32, "adam", 0, 0, 0},
    {"w2-1024", 3, {784, 512, 256, 10}, 1024, "adam", 0, 0, 0},
    /* regularised, and no width is a multiple of 16 */
    {"w2-odd", 3, {784, 500, 250, 10}, 100, "{adamw: {weight_decay: 0.01}}", 0.2, 1, 0},
    {"w2-bfloat16", 3, {784, 512, 256, 10}, 128, "adam", 0, 0, 1},
    {"w3-bfloat16", 4, {2048, 2048, 2048, 2048, 2048}, 512, "sgd", 0, 0, 1},
};

/* A measurement takes about a third of a second, or three steps, and some before. */
enum { LEAST = 3, MOST = 256, MILLISECONDS = 300 };
enum { DESCRIBE = 1, PROFILE };

/* The rate is so small that every step is the same work: nothing diverges, no moment decays to a subnormal number. */
static const double rate = 1e-9;

typedef struct net {
    bp_context *ctx;
    bp_graph *graph;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    float *data;    /* [batch, sizes[0]] */
    int64_t *label; /* [batch] */
} net;

static void build(net *n, const workload *w) {
    if (bp_context_new(&n->ctx, NULL) != BP_OK) exit(1);
    TRY(n->ctx, bp_graph_new(&n->graph, n->ctx));
    bp_graph *g = n->graph;
    bp_graph_set_bfloat16(g, w->bfloat16);
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
    int n_params = 2 * w->n_layers;
    bp_gradients(d, &loss, NULL, 1, params, n_params);
    if (w->clip_norm > 0) TRY(n->ctx, bp__clip_grads(g, d, n_params, bp_number(g, BP_F64, w->clip_norm), BP_NONE, NULL));
    bp__tree *optimizer;
    TRY(n->ctx, bp__yaml_parse_value(n->ctx, w->optimizer, strlen(w->optimizer), "optimizer", &optimizer));
    TRY(n->ctx, bp__optimizer_build(g, optimizer, bp_input(g, "lr", BP_F64, bp_shape(0)), params, d, n_params));
    bp__tree_free(n->ctx, optimizer);
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    TRY(n->ctx, bp_state_new(&n->state, g));
    TRY(n->ctx, bp_program_new(&n->program, g, &loss, 1, &options));
    TRY(n->ctx, bp_session_new(&n->session, n->program, n->state));
}

static void give_data(net *n, const workload *w) {
    n->data = malloc(sizeof(float) * (size_t)(w->batch * w->sizes[0]));
    n->label = malloc(sizeof(int64_t) * (size_t)w->batch);
    if (!n->data || !n->label) exit(1);
    for (int64_t i = 0; i < w->batch * w->sizes[0]; i++) n->data[i] = (float)((i * 7919) % 1000) / 1000;
    for (int64_t i = 0; i < w->batch; i++) n->label[i] = i % w->sizes[w->n_layers];
    TRY(n->ctx, bp_session_set(n->session, "x", n->data, &bp_shape(2, w->batch, w->sizes[0])));
    TRY(n->ctx, bp_session_set(n->session, "lr", &rate, NULL));
    TRY(n->ctx, bp_session_set(n->session, "label", n->label, &bp_shape(1, w->batch)));
}

static void done(net *n) {
    free(n->data);
    free(n->label);
    bp_session_free(n->session);
    bp_program_free(n->program);
    bp_state_free(n->state);
    bp_graph_free(n->graph);
    bp_context_free(n->ctx);
}

/* Milliseconds of each of so many steps together. */
static double steps(net *n, int times) {
    double start = now_ms();
    for (int i = 0; i < times; i++) {
        bp_session_set_step(n->session, 1, (uint32_t)i, 0);
        TRY(n->ctx, bp_session_run(n->session));
    }
    return (now_ms() - start) / times;
}

/* The median milliseconds of every kernel of a step, and the rate of those that multiply. */
static void profile(net *n, int rounds) {
    const bp__binding *b = n->session->current;
    double *times = malloc(sizeof *times * (size_t)(b->n_entries * rounds)), sum = 0;
    if (!times) exit(1);
    bp__fpenv fp = bp__fpenv_enter();
    for (int r = 0; r < rounds; r++)
        for (int64_t i = 0; i < b->n_entries; i++) {
            double start = now_ms();
            b->entries[i].run(&b->entries[i].call);
            times[i * rounds + r] = now_ms() - start;
        }
    bp__fpenv_leave(fp);
    for (int64_t i = 0; i < b->n_entries; i++) {
        const bp__op *op = b->entries[i].op;
        double ms = median(times + i * rounds, rounds), flops = op->flops ? op->flops(&b->entries[i].call) : 0;
        sum += ms;
        printf("%4lld %-22s %10.4f ms", (long long)i, op->name, ms);
        if (flops >= 1e6) printf(" %7.1f GFLOP/s", flops / ms * 1e-6);
        printf("\n");
    }
    printf("     %-22s %10.4f ms\n", "all", sum);
    free(times);
}

static void run(const workload *w, int describe) {
    net n;
    build(&n, w);
    give_data(&n, w);
    double times[MOST], each = steps(&n, 1);
    if (each < MILLISECONDS) each = steps(&n, 1); /* the first is slow: memory is new */
    if (each < 1) each = steps(&n, (int)(1 / each) + 1);
    int inner = each > 1 ? 1 : (int)(1 / each) + 1, rounds = (int)(MILLISECONDS / (each * inner));
    rounds = rounds < LEAST ? LEAST : rounds > MOST ? MOST : rounds;
    for (int r = 0; r < rounds; r++) times[r] = steps(&n, inner);
    if (describe == PROFILE) profile(&n, rounds);
    if (describe == DESCRIBE) {
        char *text;
        TRY(n.ctx, bp_session_describe(n.session, &text));
        fputs(text, stdout);
        bp_free(n.ctx, text);
    }
    printf("%s %.6f\n", w->name, median(times, rounds));
    fflush(stdout);
    done(&n);
}

/* For a process that was started at `began` of the monotonic clock: milliseconds to its first step, to the end of that, and the
   peak of memory (KiB) after some more. */
static void start(const workload *w, double began) {
    net n;
    struct rusage used;
    build(&n, w);
    give_data(&n, w);
    double ready = now_ms() - began;
    steps(&n, 1);
    double first = now_ms() - began;
    steps(&n, 20);
    getrusage(RUSAGE_SELF, &used);
    printf("%s %.3f %.3f %ld\n", w->name, ready, first, used.ru_maxrss);
    done(&n);
}

/* SIZES:BATCH[:OPTIMIZER] */
static int parse(workload *w, const char *text) {
    *w = (workload){.name = text, .optimizer = "adam", .n_layers = -1};
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

static int find(workload *w, const char *text) {
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(text, workloads[i].name) == 0) {
            *w = workloads[i];
            return 1;
        }
    if (parse(w, text)) return 1;
    fprintf(stderr, "steps: `%s` is no workload: w1, w2, …, or SIZES:BATCH[:OPTIMIZER], as in 784-512-10:128:adam\n", text);
    return 0;
}

int main(int argc, char **argv) {
    workload w;
    if (argc == 4 && strcmp(argv[1], "start") == 0) {
        if (!find(&w, argv[3])) return 2;
        start(&w, strtod(argv[2], NULL));
        return 0;
    }
    int describe = argc > 1 && strcmp(argv[1], "describe") == 0  ? DESCRIBE
                   : argc > 1 && strcmp(argv[1], "profile") == 0 ? PROFILE
                                                                 : 0;
    int first = describe ? 2 : 1;
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads && argc == first; i++) run(&workloads[i], describe);
    for (int a = first; a < argc; a++) {
        if (!find(&w, argv[a])) return 2;
        run(&w, describe);
    }
    return 0;
}
