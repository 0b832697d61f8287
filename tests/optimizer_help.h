/* The problem of tests/golden/make_optimizers.py: four parameters whose gradients are c·(p - a) + e of the step; running a choice
   on it; and the table of docs/optimizers.md. */
#ifndef OPTIMIZER_HELP_H
#define OPTIMIZER_HELP_H
#include "io/safetensors.h"
#include "io/yaml.h"
#include "optim/optimizers.h"

enum { STEPS = 20, N_ALL = 35, N_PARAMS = 4 };
static const struct {
    const char *name;
    bp_dims dims;
    int n;
} problem_params[N_PARAMS] = {
    {"0.w", {2, {4, 3}}, 12}, {"0.v", {2, {2, 5}}, 10}, {"1.b", {1, {5}}, 5}, {"2.k", {3, {2, 2, 2}}, 8}};
static struct { double p[N_ALL], a[N_ALL], c[N_ALL], e[STEPS][N_ALL], mask[STEPS][N_ALL]; } problem;

#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

static inline bp_context *new_context(bool passes) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = 1, .has_seed = 1, .seed = 7};
    o.no_passes = !passes;
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static inline bp__tree *yaml(bp_context *ctx, const char *text) {
    bp__tree *tree = NULL;
    if (bp__yaml_parse_value(ctx, text, strlen(text), "c.yaml", &tree) != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    return tree;
}

static inline void read_problem(const bp__st_file *file) {
    bp__st_to_f64(bp__safetensors_find(file, "p"), problem.p);
    bp__st_to_f64(bp__safetensors_find(file, "a"), problem.a);
    bp__st_to_f64(bp__safetensors_find(file, "c"), problem.c);
    bp__st_to_f64(bp__safetensors_find(file, "e"), problem.e[0]);
    bp__st_to_f64(bp__safetensors_find(file, "mask"), problem.mask[0]);
}

/* A graph that does one update. */
typedef struct trainer {
    bp_context *ctx;
    bp_dtype dtype;
    bp_graph *g;
    bp_value params[N_PARAMS], grads[N_PARAMS], lr, loss; /* loss: whose gradients these are */
    bp_program *program;
    bp_state *state;
    bp_session *session;
} trainer;

/* Parameters and gradients; the caller may change these before build_update. */
static inline void build_problem(trainer *t, bp_context *ctx, bp_dtype dtype, bool masked) {
    *t = (trainer){.ctx = ctx, .dtype = dtype};
    OK(ctx, bp_graph_new(&t->g, ctx));
    bp_graph_set_dtype(t->g, dtype);
    t->lr = bp_input(t->g, "lr", BP_F64, bp_shape(0));
    bp_value e = bp_input(t->g, "e", BP_F64, bp_shape(1, N_ALL)), mask = bp_input(t->g, "mask", BP_F64, bp_shape(1, N_ALL));
    for (int i = 0, at = 0; i < N_PARAMS; at += problem_params[i++].n) {
        bp_dims d = problem_params[i].dims;
        bp_value p = bp_parameter(t->g, problem_params[i].name, d, bp_zeros());
        bp_value a = bp_cast(bp_constant(t->g, BP_F64, d, problem.a + at), dtype);
        bp_value c = bp_cast(bp_constant(t->g, BP_F64, d, problem.c + at), dtype);
        bp_value noise = bp_cast(bp_reshape(bp_slice(e, 0, at, problem_params[i].n, NULL), d), dtype);
        bp_value on = bp_cast(bp_reshape(bp_slice(mask, 0, at, problem_params[i].n, NULL), d), dtype);
        t->params[i] = p;
        t->grads[i] = bp_add(bp_mul(c, bp_sub(p, a)), noise);
        if (masked) t->grads[i] = bp_mul(t->grads[i], on);
        bp_value part = bp_mul(bp__mul_k(bp_add(t->grads[i], noise), 0.5), bp_sub(p, a)); /* c·(p - a)²/2 + e·(p - a) */
        part = bp__sum_all(part);
        t->loss = i ? bp_add(t->loss, part) : part;
    }
    OK(ctx, bp_graph_status(t->g));
}

static inline void set_parameter(trainer *t, int i, const double *from) {
    float f[N_ALL];
    int n = problem_params[i].n;
    for (int k = 0; k < n; k++) f[k] = (float)from[k];
    OK(t->ctx, bp_state_set(t->state, problem_params[i].name, t->dtype == BP_F64 ? (const void *)from : f,
                            (size_t)n * bp_dtype_size(t->dtype)));
}

static inline void get_parameter(trainer *t, int i, double *to) {
    float f[N_ALL];
    int n = problem_params[i].n;
    OK(t->ctx,
       bp_state_get(t->state, problem_params[i].name, t->dtype == BP_F64 ? (void *)to : f, (size_t)n * bp_dtype_size(t->dtype)));
    for (int k = 0; k < n && t->dtype == BP_F32; k++) to[k] = (double)f[k];
}

static inline void start(trainer *t) {
    bp_program_options po = {.size = sizeof po, .commit = 1, .ok = BP_NONE};
    OK(t->ctx, bp_program_new(&t->program, t->g, t->grads, N_PARAMS, &po));
    OK(t->ctx, bp_state_new(&t->state, t->g));
    OK(t->ctx, bp_session_new(&t->session, t->program, t->state));
    for (int i = 0, at = 0; i < N_PARAMS; at += problem_params[i++].n) set_parameter(t, i, problem.p + at);
}

static inline void step(trainer *t, int k, double lr, double *out) {
    OK(t->ctx, bp_session_set(t->session, "e", problem.e[k], NULL));
    OK(t->ctx, bp_session_set(t->session, "mask", problem.mask[k], NULL));
    OK(t->ctx, bp_session_set(t->session, "lr", &lr, NULL));
    bp_session_set_step(t->session, 7, (uint32_t)k, 0);
    OK(t->ctx, bp_session_run(t->session));
    for (int i = 0, at = 0; i < N_PARAMS && out; at += problem_params[i++].n) get_parameter(t, i, out + at);
}

static inline void free_trainer(trainer *t) {
    bp_session_free(t->session);
    bp_state_free(t->state);
    bp_program_free(t->program);
    bp_graph_free(t->g);
}

/* How a case runs. */
typedef struct how {
    bool masked, rising, single;
} how;

/* The parameters after each step. */
static inline void run_tree(bp_context *ctx, const bp__tree *tree, how h, double (*out)[N_ALL]) {
    trainer t;
    double lr = 0;
    OK(ctx, bp__optimizer_check(ctx, "c.yaml", tree, &lr));
    build_problem(&t, ctx, h.single ? BP_F32 : BP_F64, h.masked);
    OK(ctx, bp__optimizer_sharpen(t.g, tree, t.loss, t.params, t.grads, N_PARAMS));
    OK(ctx, bp__optimizer_build(t.g, tree, t.lr, t.params, t.grads, N_PARAMS));
    start(&t);
    for (int k = 0; k < STEPS; k++) step(&t, k, h.rising ? lr * (k + 1) / STEPS : lr, out[k]);
    free_trainer(&t);
}

static inline void run_choice(bp_context *ctx, const char *choice, how h, double (*out)[N_ALL]) {
    bp__tree *tree = yaml(ctx, choice);
    run_tree(ctx, tree, h, out);
    bp__tree_free(ctx, tree);
}

#endif
