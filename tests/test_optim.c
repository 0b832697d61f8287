/* Optimisers against 1,001 steps of PyTorch, schedules against its rates, clipping against its norms, and every sentence that a
   wrong section gets. The reference lies in shared/data/reference; without it those tests are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/yaml.h"
#include "nn/nn.h"
#include "op/op.h"
#include "optim/optim.h"

static bp_context *new_context(void) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = 1, .has_seed = 1, .seed = 7};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static bp__tree *yaml(bp_context *ctx, const char *text) {
    bp__tree *tree = NULL;
    bp_status status = bp__yaml_parse(ctx, text, strlen(text), "c.yaml", &tree);
    if (status != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    return tree;
}

#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

static bool shared_path(char *out, size_t size, const char *rest) {
    const char *root = getenv("BP_SHARED");
    if (root)
        snprintf(out, size, "%s/data/reference/pytorch-1.13.1/%s", root, rest);
    else
        snprintf(out, size, "../shared/data/reference/pytorch-1.13.1/%s", rest);
    FILE *f = fopen(out, "rb");
    if (!f) return false;
    fclose(f);
    return true;
}

static char *read_all(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    rewind(f);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    *n = fread(text, 1, (size_t)size, f);
    fclose(f);
    return text;
}

static bp__tree *load_index(bp_context *ctx) {
    char path[512];
    if (!shared_path(path, sizeof path, "index.json")) {
        print_message("SKIPPED: no shared/data/reference beside the repository (set BP_SHARED)\n");
        skip();
    }
    size_t n;
    char *text = read_all(path, &n);
    bp__tree *tree = NULL;
    OK(ctx, bp__json_parse(ctx, text, n, "index.json", &tree));
    free(text);
    return tree;
}

/* ---- Optimisers --------------------------------------------------------------------------------------------------------- */

enum { N_WEIGHTS = 13 };
static const char *const weight_names[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
static const int weight_sizes[] = {6, 3, 3, 1};

typedef struct trainer {
    bp_graph *g;
    bp__nn *nn;
    bp__tree *layers;
    bp_program *program;
    bp_state *state;
    bp_session *session;
} trainer;

static void build_trainer(bp_context *ctx, trainer *t, const bp__tree *optimizer, bool mse, bp_dtype dtype) {
    memset(t, 0, sizeof *t);
    OK(ctx, bp_graph_new(&t->g, ctx));
    bp_graph_set_dtype(t->g, dtype);
    OK(ctx, bp__nn_new(&t->nn, t->g));
    t->layers = yaml(ctx, "[{linear: 3}, sigmoid, linear, sigmoid]");
    bp__nn_options o = {.nn = t->nn, .layers = t->layers, .n_outputs = 1, .training = true, .dropout_scale = BP_NONE};
    bp_value x = bp_input(t->g, "x", dtype, bp_shape(2, 3, 2)), target = bp_input(t->g, "t", dtype, bp_shape(2, 3, 1)), y;
    bp_value lr = bp_input(t->g, "lr", BP_F64, bp_shape(0));
    OK(ctx, bp__nn_build(t->g, &o, x, &y));
    bp_value loss = mse ? bp_mse(y, target, NULL) : bp_sum(y, NULL), params[4], grads[4];
    assert_int_equal(bp__nn_n_parameters(t->nn), 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(bp__nn_parameter_at(t->nn, i)->name, weight_names[i]);
        params[i] = bp__nn_parameter_at(t->nn, i)->value;
    }
    bp_gradients(grads, &loss, NULL, 1, params, 4);
    OK(ctx, bp__optimizer_build(t->g, optimizer, lr, params, grads, 4));
    bp_program_options po = {.size = sizeof po, .commit = 1, .ok = BP_NONE};
    OK(ctx, bp_program_new(&t->program, t->g, &loss, 1, &po));
    OK(ctx, bp_state_new(&t->state, t->g));
    OK(ctx, bp_session_new(&t->session, t->program, t->state));
}

static void free_trainer(bp_context *ctx, trainer *t) {
    bp_session_free(t->session);
    bp_state_free(t->state);
    bp_program_free(t->program);
    bp__nn_free(t->nn);
    bp_graph_free(t->g);
    bp__tree_free(ctx, t->layers);
}

static bool is_setting(const char *key) {
    static const char *const others[] = {"group", "case", "optimizer", "net", "loss", "order", "params_row_i"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(key, others[i]) == 0) return false;
    return true;
}

/* {adam: {lr: …}} from an entry of the index. */
static bp__tree *choice_of(bp_context *ctx, const bp__tree *entry) {
    char name[32];
    snprintf(name, sizeof name, "%s", bp__tree_get(entry, "optimizer")->text);
    for (char *s = name; *s; s++) *s = (char)tolower((unsigned char)*s);
    bp__tree *outer = bp__tree_new(ctx, BP__MAP), *inner = bp__tree_new(ctx, BP__MAP);
    for (const bp__tree *t = entry->child; t; t = t->next)
        if (is_setting(t->key)) OK(ctx, bp__tree_put(ctx, inner, t->key, bp__tree_copy(ctx, t)));
    OK(ctx, bp__tree_put(ctx, outer, name, inner));
    return outer;
}

/* What a case keeps: the weights after step[row] + 1 updates. */
enum { ROWS = 40 };
typedef struct kept {
    double x[6], target[3], init[N_WEIGHTS], weights[ROWS][N_WEIGHTS], step[ROWS];
    int64_t n;
} kept;

static void read_kept(bp_context *ctx, const char *group, const char *name, kept *k) {
    char rest[128], path[512];
    snprintf(rest, sizeof rest, "%s/%s.safetensors", group, name);
    assert_true(shared_path(path, sizeof path, rest));
    bp__st_file *file = NULL;
    OK(ctx, bp__safetensors_open(ctx, path, &file));
    k->n = bp__st_count(bp__safetensors_find(file, "step"));
    assert_in_range(k->n, 20, ROWS);
    bp__st_to_f64(bp__safetensors_find(file, "input"), k->x);
    bp__st_to_f64(bp__safetensors_find(file, "target"), k->target);
    bp__st_to_f64(bp__safetensors_find(file, "init"), k->init);
    bp__st_to_f64(bp__safetensors_find(file, "params"), k->weights[0]);
    bp__st_to_f64(bp__safetensors_find(file, "step"), k->step);
    bp__safetensors_close(file);
}

/* Trains from `init` and keeps the weights of the same steps. */
static void run_ours(bp_context *ctx, const kept *k, const double *init, const bp__tree *choice, bool mse,
                     double (*out)[N_WEIGHTS]) {
    double lr;
    OK(ctx, bp__optimizer_check(ctx, NULL, choice, &lr));
    trainer t;
    build_trainer(ctx, &t, choice, mse, BP_F64);
    for (int i = 0, j = 0; i < 4; j += weight_sizes[i++])
        OK(ctx, bp_state_set(t.state, weight_names[i], init + j, sizeof(double) * (size_t)weight_sizes[i]));
    OK(ctx, bp_session_set(t.session, "x", k->x, NULL));
    if (mse) OK(ctx, bp_session_set(t.session, "t", k->target, NULL));
    OK(ctx, bp_session_set(t.session, "lr", &lr, NULL));
    int64_t row = 0;
    for (int step = 0; step < 1001 && row < k->n; step++) {
        OK(ctx, bp_session_run(t.session));
        if ((int)k->step[row] != step) continue;
        for (int i = 0, j = 0; i < 4; j += weight_sizes[i++])
            OK(ctx, bp_state_get(t.state, weight_names[i], out[row] + j, sizeof(double) * (size_t)weight_sizes[i]));
        row++;
    }
    assert_int_equal(row, k->n);
    free_trainer(ctx, &t);
}

/* The largest relative difference of two rows; weights below 1e-3 count as 1e-3. */
static double distance(const double *a, const double *b) {
    double worst = 0;
    for (int i = 0; i < N_WEIGHTS; i++) {
        double d = fabs(a[i] - b[i]) / fmax(fabs(b[i]), 1e-3);
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

/* torch 1.13 counts mu twice in the second denominator of nadam, and keeps the product in single precision; torch 2 doesn't. So
   the reference is compared with that formula here, and ours with the same steps without the two mistakes. */
static void nadam_by_hand(const kept *k, bool mse, double decay, bool old, double (*out)[N_WEIGHTS]) {
    double w[N_WEIGHTS], m[N_WEIGHTS] = {0}, v[N_WEIGHTS] = {0}, product = 1, lr = 0.1, b1 = 0.9, b2 = 0.999;
    memcpy(w, k->init, sizeof w);
    int64_t row = 0;
    for (int t = 1; t <= 1001 && row < k->n; t++) {
        double g[N_WEIGHTS] = {0};
        for (int r = 0; r < 3; r++) {
            double h[3], z = w[12];
            for (int j = 0; j < 3; j++) {
                h[j] = 1 / (1 + exp(-(w[2 * j] * k->x[2 * r] + w[2 * j + 1] * k->x[2 * r + 1] + w[6 + j])));
                z += w[9 + j] * h[j];
            }
            double y = 1 / (1 + exp(-z)), dz = (mse ? 2 * (y - k->target[r]) / 3 : 1) * y * (1 - y);
            g[12] += dz;
            for (int j = 0; j < 3; j++) {
                double da = dz * w[9 + j] * h[j] * (1 - h[j]);
                g[9 + j] += dz * h[j];
                g[6 + j] += da;
                g[2 * j] += da * k->x[2 * r];
                g[2 * j + 1] += da * k->x[2 * r + 1];
            }
        }
        double mu = b1 * (1 - 0.5 * pow(0.96, t * 4e-3)), next = b1 * (1 - 0.5 * pow(0.96, (t + 1) * 4e-3));
        product *= mu;
        if (old) product = (float)product;
        double second = product * next * (old ? mu : 1);
        for (int i = 0; i < N_WEIGHTS; i++) {
            double d = g[i] + decay * w[i];
            m[i] = b1 * m[i] + (1 - b1) * d;
            v[i] = b2 * v[i] + (1 - b2) * d * d;
            double root = sqrt(v[i] / (1 - pow(b2, t))) + 1e-8;
            w[i] -= lr * (1 - mu) / (1 - product) * d / root + lr * next / (1 - second) * m[i] / root;
        }
        if ((int)k->step[row] == t - 1) memcpy(out[row++], w, sizeof w);
    }
}

/* A trajectory can be so unstable that rounding alone throws it elsewhere after some hundred steps (adam with lr 1). So ours runs
   twice, the second time from weights moved by their last bits: as long as these two agree, ours must agree with torch. */
static int64_t compare(bp_context *ctx, const char *title, const kept *k, const bp__tree *choice, bool mse, double tolerance) {
    double ours[ROWS][N_WEIGHTS], nudged[ROWS][N_WEIGHTS], init[N_WEIGHTS], spread = 0;
    for (int i = 0; i < N_WEIGHTS; i++) init[i] = k->init[i] * (1 + (i % 2 ? 4e-16 : -4e-16));
    run_ours(ctx, k, k->init, choice, mse, ours);
    run_ours(ctx, k, init, choice, mse, nudged);
    for (int64_t row = 0; row < k->n; row++) {
        spread = fmax(spread, distance(nudged[row], ours[row]));
        if (row >= 20 && spread * 100 > tolerance) return row; /* the first 20 steps count in any case */
        double d = distance(ours[row], k->weights[row]);
        if (d < tolerance) continue;
        print_error("%s: after step %d the relative difference is %.3g (from the last bits alone %.3g)\n", title,
                    (int)k->step[row], d, spread);
        return -1;
    }
    return k->n;
}

static void reference_trajectories(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    bp__tree *index = load_index(ctx);
    int n_cases = 0, n_whole = 0, n_bad = 0;
    for (const bp__tree *e = index->child; e; e = e->next) {
        const char *group = bp__tree_get(e, "group")->text, *name = bp__tree_get(e, "case")->text;
        if (strncmp(group, "optim_", 6) != 0 || strncmp(name, "LBFGS", 5) == 0) continue;
        char title[96];
        snprintf(title, sizeof title, "%s/%s", group, name);
        kept k, old;
        read_kept(ctx, group, name, &k);
        bp__tree *choice = choice_of(ctx, e);
        bool mse = strcmp(group, "optim_mse") == 0;
        double tolerance = strcmp(name, "ASGD") == 0 ? 1e-6 : 1e-9; /* torch keeps asgd's eta in single precision */
        if (strncmp(name, "NAdam", 5) == 0) {
            double decay = strcmp(name, "NAdam_wd") == 0 ? 1e-2 : 0;
            nadam_by_hand(&k, mse, decay, true, old.weights);
            for (int row = 0; row < 20; row++) assert_true(distance(old.weights[row], k.weights[row]) < 1e-6);
            nadam_by_hand(&k, mse, decay, false, k.weights);
        }
        int64_t rows = compare(ctx, title, &k, choice, mse, tolerance);
        n_cases++;
        if (rows == k.n) n_whole++;
        if (rows < 0) n_bad++;
        bp__tree_free(ctx, choice);
    }
    bp__tree_free(ctx, index);
    bp_context_free(ctx);
    assert_int_equal(n_bad, 0);
    assert_int_equal(n_cases, 66);
    print_message("%d of %d trajectories compared over all 1001 steps\n", n_whole, n_cases);
    assert_true(n_whole >= 50);
}

/* Single precision follows double for a while, so casts of the scalars and dtypes of the state are right; and all that a choice
   can say builds. */
static void single_precision(void **unused) {
    (void)unused;
    static const char *const choices[] = {"{sgd: {lr: 0.1, momentum: 0.9, dampening: 0.3, weight_decay: 0.01}}",
                                          "{sgd: {lr: 0.1, momentum: 0.9, nesterov: true, maximize: true}}",
                                          "{adam: {lr: 0.01, amsgrad: true, weight_decay: 0.01}}",
                                          "{adamw: {lr: 0.01}}",
                                          "{rmsprop: {momentum: 0.9, centered: true}}",
                                          "{adagrad: {lr_decay: 0.1}}",
                                          "adadelta",
                                          "adamax",
                                          "{nadam: {weight_decay: 0.01, decoupled_weight_decay: true}}",
                                          "{radam: {weight_decay: 0.01, decoupled_weight_decay: true}}",
                                          "rprop",
                                          "{asgd: {t0: 5}}",
                                          "{adam: 0.1}"};
    const double xd[6] = {.1, .2, .3, .4, .5, .6}, td[3] = {.9, .2, .6};
    const float xf[6] = {.1f, .2f, .3f, .4f, .5f, .6f}, tf[3] = {.9f, .2f, .6f};
    for (size_t c = 0; c < sizeof choices / sizeof choices[0]; c++) {
        bp_context *ctx = new_context();
        bp__tree *tree = yaml(ctx, choices[c]);
        double lr, got[2][N_WEIGHTS] = {{0}};
        OK(ctx, bp__optimizer_check(ctx, NULL, tree, &lr));
        for (int f = 0; f < 2; f++) {
            trainer t;
            build_trainer(ctx, &t, tree, true, f ? BP_F32 : BP_F64);
            OK(ctx, bp_session_set(t.session, "x", f ? (const void *)xf : xd, NULL));
            OK(ctx, bp_session_set(t.session, "t", f ? (const void *)tf : td, NULL));
            OK(ctx, bp_session_set(t.session, "lr", &lr, NULL));
            for (int i = 0; i < 20; i++) OK(ctx, bp_session_run(t.session));
            for (int i = 0, k = 0; i < 4; k += weight_sizes[i++]) {
                float w[6];
                size_t n = (size_t)weight_sizes[i];
                OK(ctx, bp_state_get(t.state, weight_names[i], f ? (void *)w : got[0] + k, n * (f ? 4 : 8)));
                for (size_t j = 0; f && j < n; j++) got[1][k + (int)j] = w[j];
            }
            double step;
            OK(ctx, bp_state_get(t.state, "optimizer/step", &step, sizeof step));
            assert_true(step == 20);
            free_trainer(ctx, &t);
        }
        for (int i = 0; i < N_WEIGHTS; i++)
            if (!(fabs(got[0][i] - got[1][i]) < 2e-4))
                fail_msg("%s: weight %d is %g and %g", choices[c], i, got[0][i], got[1][i]);
        bp__tree_free(ctx, tree);
        bp_context_free(ctx);
    }
}

/* ---- Clipping ------------------------------------------------------------------------------------------------------------ */

static void clip_case(double max_norm, double max_value, const double *g0, const double *g1, double *out0, double *out1,
                      double *norm) {
    bp_context *ctx = new_context();
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value grads[2] = {bp_input(g, "g0", BP_F64, bp_shape(2, 4, 3)), bp_input(g, "g1", BP_F64, bp_shape(1, 5))}, n;
    bp_value by_norm = max_norm > 0 ? bp_input(g, "n", BP_F64, bp_shape(0)) : BP_NONE;
    bp_value by_value = max_value > 0 ? bp_input(g, "v", BP_F64, bp_shape(0)) : BP_NONE;
    OK(ctx, bp__clip_grads(g, grads, 2, by_norm, by_value, &n));
    bp_value outputs[3] = {grads[0], grads[1], n};
    bp_program *program;
    bp_state *state;
    bp_session *session;
    OK(ctx, bp_program_new(&program, g, outputs, 3, NULL));
    OK(ctx, bp_state_new(&state, g));
    OK(ctx, bp_session_new(&session, program, state));
    OK(ctx, bp_session_set(session, "g0", g0, NULL));
    OK(ctx, bp_session_set(session, "g1", g1, NULL));
    if (max_norm > 0) OK(ctx, bp_session_set(session, "n", &max_norm, NULL));
    if (max_value > 0) OK(ctx, bp_session_set(session, "v", &max_value, NULL));
    OK(ctx, bp_session_run(session));
    const void *data;
    OK(ctx, bp_session_output(session, 0, &data, NULL, NULL));
    memcpy(out0, data, 12 * sizeof(double));
    OK(ctx, bp_session_output(session, 1, &data, NULL, NULL));
    memcpy(out1, data, 5 * sizeof(double));
    OK(ctx, bp_session_output(session, 2, &data, NULL, NULL));
    memcpy(norm, data, sizeof(double));
    bp_session_free(session);
    bp_state_free(state);
    bp_program_free(program);
    bp_graph_free(g);
    bp_context_free(ctx);
}

static void clipping(void **unused) {
    (void)unused;
    double g0[12], g1[5], out0[12], out1[5], norm, sum = 0;
    for (int i = 0; i < 12; i++) g0[i] = 0.25 * i - 1;
    for (int i = 0; i < 5; i++) g1[i] = 2.0 - i;
    for (int i = 0; i < 12; i++) sum += g0[i] * g0[i];
    for (int i = 0; i < 5; i++) sum += g1[i] * g1[i];
    clip_case(0, 0.5, g0, g1, out0, out1, &norm);
    assert_true(fabs(norm - sqrt(sum)) < 1e-12);
    for (int i = 0; i < 12; i++) assert_true(out0[i] == fmax(-0.5, fmin(0.5, g0[i])));
    clip_case(100, 0, g0, g1, out0, out1, &norm); /* below the limit: untouched */
    assert_memory_equal(out0, g0, sizeof g0);
    assert_memory_equal(out1, g1, sizeof g1);

    char path[512];
    if (!shared_path(path, sizeof path, "clip/norm_2.0.safetensors")) {
        print_message("SKIPPED: no shared/data/reference beside the repository (set BP_SHARED)\n");
        return;
    }
    bp_context *ctx = new_context();
    bp__st_file *file = NULL;
    double want0[12], want1[5], want;
    OK(ctx, bp__safetensors_open(ctx, path, &file));
    bp__st_to_f64(bp__safetensors_find(file, "g0"), g0);
    bp__st_to_f64(bp__safetensors_find(file, "g1"), g1);
    bp__st_to_f64(bp__safetensors_find(file, "out0"), want0);
    bp__st_to_f64(bp__safetensors_find(file, "out1"), want1);
    bp__st_to_f64(bp__safetensors_find(file, "norm"), &want);
    clip_case(1, 0, g0, g1, out0, out1, &norm);
    assert_true(fabs(norm - want) < 1e-12);
    for (int i = 0; i < 12; i++) assert_true(fabs(out0[i] - want0[i]) < 1e-12);
    for (int i = 0; i < 5; i++) assert_true(fabs(out1[i] - want1[i]) < 1e-12);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

/* ---- Schedules ------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *yaml;
} schedules[] = {
    {"StepLR", "{step: {step_size: 7, gamma: 0.5, per: step}}"},
    {"MultiStepLR", "{multi_step: {milestones: [5, 12, 30], gamma: 0.1, per: step}}"},
    {"ExponentialLR", "{exponential: {gamma: 0.9, per: step}}"},
    {"CosineAnnealingLR", "{cosine_annealing: {t_max: 20, eta_min: 1.0e-3, per: epoch}}"},
    {"CosineAnnealingWarmRestarts", "{cosine_annealing_warm_restarts: {t_0: 5, t_mult: 2, eta_min: 1.0e-3, per: step}}"},
    {"LinearLR", "{linear: {start_factor: 0.1, end_factor: 1.0, total_iters: 8, per: step}}"},
    {"ConstantLR", "{constant: {factor: 0.3, total_iters: 6, per: step}}"},
    {"PolynomialLR", "{polynomial: {total_iters: 30, power: 2.0, per: step}}"},
    {"OneCycleLR_cos", "{one_cycle: {max_lr: 1.0, total_steps: 41}}"},
    {"OneCycleLR_linear", "{one_cycle: {max_lr: 1.0, total_steps: 41, anneal_strategy: linear, pct_start: 0.25}}"},
    {"CyclicLR_triangular", "{cyclic: {base_lr: 0.01, max_lr: 0.1, step_size_up: 5, mode: triangular}}"},
    {"CyclicLR_triangular2", "{cyclic: {base_lr: 0.01, max_lr: 0.1, step_size_up: 5, mode: triangular2}}"},
    {"CyclicLR_exp_range", "{cyclic: {base_lr: 0.01, max_lr: 0.1, step_size_up: 5, mode: exp_range, gamma: 0.95}}"},
    {"warmup5_then_cosine35",
     "{sequential: {schedules: [{linear: {start_factor: 0.1, total_iters: 5}}, cosine_annealing], milestones: [5], per: step}}"},
};

static void reference_schedules(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        char rest[128], path[512];
        snprintf(rest, sizeof rest, "schedules/%s.safetensors", schedules[i].name);
        if (!shared_path(path, sizeof path, rest)) {
            print_message("SKIPPED: no shared/data/reference beside the repository (set BP_SHARED)\n");
            bp_context_free(ctx);
            skip();
        }
        bp__st_file *file = NULL;
        double want[40];
        OK(ctx, bp__safetensors_open(ctx, path, &file));
        bp__st_to_f64(bp__safetensors_find(file, "lr"), want);
        bp__tree *tree = yaml(ctx, schedules[i].yaml);
        bp__schedule *s = NULL;
        OK(ctx, bp__schedule_new(&s, ctx, "c.yaml", tree, 0.1));
        bp__schedule_set_length(s, 40);
        for (int t = 0; t < 40; t++) {
            double got = bp__schedule_value(s, t);
            if (!(fabs(got - want[t]) <= 1e-9 * fabs(want[t])))
                fail_msg("%s at %d: %.17g, not %.17g", schedules[i].name, t, got, want[t]);
        }
        bp__schedule_free(s);
        bp__tree_free(ctx, tree);
        bp__safetensors_close(file);
    }
    bp_context_free(ctx);
}

static void plateau(void **unused) {
    (void)unused;
    char path[512];
    if (!shared_path(path, sizeof path, "schedules/ReduceLROnPlateau.safetensors")) skip();
    bp_context *ctx = new_context();
    bp__st_file *file = NULL;
    double want[40], metric[40];
    OK(ctx, bp__safetensors_open(ctx, path, &file));
    assert_int_equal(bp__st_count(bp__safetensors_find(file, "lr")), 40);
    bp__st_to_f64(bp__safetensors_find(file, "lr"), want);
    bp__st_to_f64(bp__safetensors_find(file, "metric"), metric);
    bp__tree *tree = yaml(ctx, "{reduce_on_plateau: {factor: 0.5, patience: 3, threshold: 1.0e-2}}");
    bp__schedule *s = NULL;
    OK(ctx, bp__schedule_new(&s, ctx, "c.yaml", tree, 0.1));
    assert_true(bp__schedule_is_plateau(s));
    bp__plateau memory = {.factor = 1};
    for (int t = 0; t < 40; t++) {
        double got = bp__schedule_value(s, t) * memory.factor;
        if (!(fabs(got - want[t]) <= 1e-9 * want[t])) fail_msg("at %d: %.17g, not %.17g", t, got, want[t]);
        bp__schedule_report(s, &memory, metric[t]);
    }
    bp__schedule_free(s);
    bp__tree_free(ctx, tree);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

static void lengths_and_warmup(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    static const struct {
        const char *yaml;
        int64_t length;
        bool needs, per_epoch;
        int64_t tick;
        double want;
    } rows[] = {
        {"none", 10, false, false, 9, 1},
        {"constant", 10, false, false, 9, 1},
        {"cosine", 10, true, false, 5, 0.5},
        {"cosine", 10, true, false, 0, 1},
        {"{cosine: {warmup_steps: 4}}", 14, true, false, 0, 0.25},
        {"{cosine: {warmup_steps: 4}}", 14, true, false, 3, 1},
        {"{cosine: {warmup_steps: 4}}", 14, true, false, 4, 1},
        {"{cosine: {warmup_steps: 4, eta_min: 0.5}}", 14, true, false, 9, 0.75},
        {"cosine_annealing", 10, true, false, 10, 0},
        {"{cosine_annealing: {t_max: 10, per: epoch}}", 20, false, true, 10, 0},
        {"{linear: {start_factor: 1.0, end_factor: 0}}", 10, true, false, 5, 0.5},
        {"polynomial", 8, true, false, 2, 0.75},
        {"{inverse_sqrt: {warmup_steps: 4}}", 100, false, false, 4, 1},
        {"{inverse_sqrt: {warmup_steps: 4}}", 100, false, false, 16, 0.5},
        {"one_cycle", 101, true, false, 100, 1.0 / 25 / 1e4},
        {"{chained: {schedules: [{step: {step_size: 2, gamma: 0.5}}, {constant: {factor: 0.5, total_iters: 3}}], per: step}}", 9,
         false, false, 2, 0.25},
        {"{sequential: {schedules: [none, cosine], milestones: [4], per: step}}", 14, true, false, 9, 0.5},
        {"{step: {step_size: 1, gamma: 0.5, per: step}}", 9, false, false, 60, 8.6736173798840355e-19},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bp__tree *tree = yaml(ctx, rows[i].yaml);
        bp__schedule *s = NULL;
        OK(ctx, bp__schedule_new(&s, ctx, NULL, tree, 1));
        assert_int_equal(bp__schedule_needs_length(s), rows[i].needs);
        assert_int_equal(bp__schedule_per_epoch(s), rows[i].per_epoch);
        bp__schedule_set_length(s, rows[i].length);
        double got = bp__schedule_value(s, rows[i].tick);
        if (!(fabs(got - rows[i].want) <= 1e-15)) fail_msg("%s at %d: %.17g", rows[i].yaml, (int)rows[i].tick, got);
        bp__schedule_free(s);
        bp__tree_free(ctx, tree);
    }
    bp_context_free(ctx);
}

/* ---- Sentences ---------------------------------------------------------------------------------------------------------------
 */

static void expect_error(bool schedule, const char *text, const char *message, const char *hint) {
    bp_context *ctx = new_context();
    bp__tree *tree = yaml(ctx, text);
    bp__schedule *s = NULL;
    double lr;
    bp_status status = schedule ? bp__schedule_new(&s, ctx, "c.yaml", tree, 0.1) : bp__optimizer_check(ctx, "c.yaml", tree, &lr);
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    if (status != BP_CONFIG) fail_msg("%s: status %d", text, (int)status);
    assert_null(s);
    if (!strstr(e.message, message)) fail_msg("%s:\n  got  %s\n  want %s", text, e.message, message);
    if (hint && (!e.hint || !strstr(e.hint, hint))) fail_msg("%s: hint %s", text, e.hint ? e.hint : "(none)");
    assert_string_equal(e.file, "c.yaml");
    assert_true(e.line > 0);
    bp__tree_free(ctx, tree);
    bp_context_free(ctx);
}

static void optimizer_errors(void **unused) {
    (void)unused;
    expect_error(false, "adma", "optimizer: there is no optimizer `adma`", "did you mean `adam`?");
    expect_error(false, "{adam: {learning: 1}}", "`adam` has no option `learning`", NULL);
    expect_error(false, "{adam: {beta: [0.9, 0.99]}}", "`adam` has no option `beta`", "`betas`");
    expect_error(false, "{adam: {lr: -1}}", "`lr` must be at least 0, not -1", NULL);
    expect_error(false, "{adam: {lr: .nan}}", "`lr` must be a finite number", NULL);
    expect_error(false, "{adam: {lr: fast}}", "`lr` must be a number, not \"fast\"", NULL);
    expect_error(false, "{adam: {betas: [0.9, 1.0]}}", "`betas[1]` must be at least 0 and below 1, not 1", NULL);
    expect_error(false, "{adam: {betas: 0.9}}", "`betas` must be a list of two numbers", NULL);
    expect_error(false, "{adam: {eps: -1}}", "`eps` must be at least 0", NULL);
    expect_error(false, "{adam: {amsgrad: 1}}", "`amsgrad` must be true or false, not 1", NULL);
    expect_error(false, "{sgd: {nesterov: true}}", "`nesterov` needs a `momentum` above 0", NULL);
    expect_error(false, "{sgd: {lr: 1}, adam: {lr: 1}}", "here are two: `sgd` and `adam`", NULL);
    expect_error(false, "{rprop: {etas: [1.2, 0.5]}}", "`etas` must be a number between 0 and 1 and one above 1", NULL);
    expect_error(false, "{rprop: {step_sizes: [2, 1]}}", "the first must not be above the second", NULL);
    expect_error(false, "[1, 2]", "expected one optimizer, a name or a mapping with one name, not a list", NULL);
}

static void schedule_errors(void **unused) {
    (void)unused;
    expect_error(true, "cosin", "there is no schedule `cosin`", "did you mean `cosine`?");
    expect_error(true, "{step: {step_size: 5}}", "per: step}} or {step: {step_size: …, per: epoch}}", NULL);
    expect_error(true, "{exponential: {gamma: 0.9}}", "`exponential` counts by `gamma`", NULL);
    expect_error(true, "{exponential: {per: step}}", "`exponential` needs `gamma`", NULL);
    expect_error(true, "{step: {step_size: 0, per: step}}", "`step_size` must be at least 1", NULL);
    expect_error(true, "{cosine: {per: batch}}", "`per` must be one of step, epoch, not \"batch\"", NULL);
    expect_error(true, "{multi_step: {milestones: [5, 3], per: step}}", "`milestones` must not go down", NULL);
    expect_error(true, "{sequential: {schedules: [cosine], milestones: [3], per: step}}", "1 schedules need 0 milestones", NULL);
    expect_error(true, "{sequential: {schedules: [cosine, none], milestones: [3]}}", "`sequential` counts by `milestones`", NULL);
    expect_error(true, "{sequential: {schedules: [{cosine: {per: step}}, none], milestones: [3], per: step}}", "holds here too",
                 NULL);
    expect_error(true, "{cosine: {warmup_steps: -1}}", "`warmup_steps` must be at least 0", NULL);
    expect_error(true, "{chained: [reduce_on_plateau]}", "cannot be part of another schedule", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_trajectories), cmocka_unit_test(single_precision), cmocka_unit_test(clipping),
        cmocka_unit_test(reference_schedules),    cmocka_unit_test(plateau),          cmocka_unit_test(lengths_and_warmup),
        cmocka_unit_test(optimizer_errors),       cmocka_unit_test(schedule_errors),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL) != 0;
}
