/* Solvers as a training uses them: step by step against PyTorch, lowest losses and fits against SciPy
   (tests/golden/solvers.safetensors, made by make_solvers.py beside it), shards and running statistics, refusals. `test_solve
   --table` prints the largest differences from PyTorch and SciPy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/safetensors.h"
#include "io/yaml.h"
#include "train/train.h"

enum { N = 21, STEPS = 6, ROWS = 12 };

static char folder[] = "/tmp/bp-solve-XXXXXX";
static char csv[100], found[100];
static const char beginning[] = "tests/golden/solvers_start.safetensors", near[] = "tests/golden/solvers_near.safetensors";

static bp_context *context(int threads) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = threads};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static void golden(const char *name, double *out, int64_t n) {
    bp_context *ctx = context(1);
    bp__st_file *file = NULL;
    assert_int_equal(bp__safetensors_open(ctx, "tests/golden/solvers.safetensors", &file), BP_OK);
    const bp__st_tensor *t = bp__safetensors_find(file, name);
    assert_non_null(t);
    assert_int_equal(bp__st_count(t), n);
    bp__st_to_f64(t, out);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

/* How the last training of `small` ended. */
static int64_t n_epochs;
static char stopped_by[40];

/* The small network, trained from these weights for at most so many steps; w [N] and the model `found`: where it ends, returned:
   the loss with penalties where its last step began. */
static double small(const char *start, const char *optimizer, const char *more, int64_t steps, int threads, double *w) {
    char text[900];
    snprintf(text, sizeof text,
             "{data: {path: '%s', target: target, normalize: none, normalize_target: none, split: {validation: 0, test: 0}}, "
             "task: regression, model: [{linear: 4}, tanh, {linear: 1}], optimizer: %s, "
             "regularize: [{match: '*.weight', l2: 0.01}], train: {dtype: float64, epochs: %lld%s}}",
             csv, optimizer, (long long)steps, more);
    bp_context *ctx = context(threads);
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    bp_run_options o = {.size = sizeof o, .from = start};
    assert_int_equal(bp_config_set_run(cfg, &o), BP_OK);
    if (bp_train(&run, cfg, NULL) != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    static const char *const names[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
    static const int counts[] = {12, 4, 4, 1};
    double *at = w, penalty = 0;
    for (int i = 0; i < 4; at += counts[i++]) {
        assert_int_equal(bp_state_get(run->model->net->state, names[i], at, sizeof(double) * (size_t)counts[i]), BP_OK);
        for (int k = 0; k < counts[i] && i % 2 == 0; k++) penalty += 0.01 * at[k] * at[k];
    }
    assert_int_equal(bp_model_save(run->model, found), BP_OK);
    n_epochs = run->n_epochs;
    snprintf(stopped_by, sizeof stopped_by, "%s", run->stopped_by);
    double loss = run->n_epochs ? run->epochs[run->n_epochs - 1].train.loss + penalty : (double)NAN;
    bp_run_free(run);
    bp_config_free(cfg);
    bp_context_free(ctx);
    return loss;
}

/* With --table, a row of it. */
static bool tabling;
static void row(const char *optimizer, const char *reference, double deviation) {
    const int name = (int)strcspn(optimizer + (*optimizer == '{'), ":");
    if (tabling) printf("| %.*s | %s | %.1e |\n", name, optimizer + (*optimizer == '{'), reference, deviation);
}

static void follow(const char *name, const char *optimizer, const char *more) {
    double path[STEPS * N], w[N], worst = 0;
    golden(name, path, STEPS * N);
    for (int step = 1; step <= STEPS; step++) {
        small(beginning, optimizer, more, step, 1, w);
        for (int i = 0; i < N; i++) {
            const double want = path[(step - 1) * N + i], d = fabs(w[i] - want) / fmax(1, fabs(want));
            if (!(d <= 1e-9)) fail_msg("%s, step %d: number %d is %.17g, not %.17g", name, step, i, w[i], want);
            worst = fmax(worst, d);
        }
    }
    row(optimizer, "PyTorch 2.13, a training, 6 steps", worst);
}

static void step_by_step(void **state) {
    (void)state;
    follow("path/lbfgs", "{lbfgs: {lr: 0.1, max_iter: 3, history_size: 4}}", "");
    follow("path/lbfgs", "{lbfgs: {lr: 0.1, max_iter: 3, history_size: 4}}", ", batch_size: 5"); /* shards of 5, 5 and 2 rows */
    follow("path/lbfgs_wolfe", "{lbfgs: {max_iter: 4, history_size: 5, line_search: strong_wolfe}}", "");
    follow("path/lbfgs_wolfe", "{lbfgs: {max_iter: 4, history_size: 5, line_search: strong_wolfe}}", ", batch_size: full");
    follow("path/cg", "{cg: {max_iter: 3, max_eval: 1000}}", "");
}

static void lowest_losses(void **state) {
    (void)state;
    double want, w[N];
    golden("minimum/cg", &want, 1);
    static const char *const optimizers[] = {"{cg: {max_iter: 300, tolerance_grad: 1.0e-10, tolerance_change: 0}}",
                                             "{lbfgs: {max_iter: 300, tolerance_grad: 1.0e-10, tolerance_change: 0, "
                                             "line_search: strong_wolfe}}",
                                             "{gauss_newton: {max_iter: 200, tolerance_grad: 1.0e-10, tolerance_change: 0}}",
                                             "{levenberg_marquardt: {max_iter: 60, tolerance_grad: 1.0e-10, "
                                             "tolerance_change: 0}}"};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        const char *more = i < 2 ? "" : ", batch_size: 5";
        small(i < 2 ? beginning : near, optimizers[i], more, 6, 1, w);
        double got = small(found, optimizers[i], more, 1, 1, w);
        if (!(fabs(got - want) <= 1e-9)) fail_msg("%s: %.17g, SciPy's %.17g", optimizers[i], got, want);
        row(optimizers[i], "SciPy, lowest loss", fabs(got - want));
    }
}

static void ends_when_converged(void **state) {
    (void)state;
    static const char *const optimizers[] = {"{lbfgs: {line_search: strong_wolfe}}", "cg", "gauss_newton", "levenberg_marquardt"};
    double want, w[N];
    golden("minimum/cg", &want, 1);
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        small(near, optimizers[i], "", 500, 1, w);
        if (strcmp(stopped_by, "converged") != 0 || n_epochs > 100)
            fail_msg("%s: %s after %lld steps", optimizers[i], stopped_by, (long long)n_epochs);
        double got = small(found, optimizers[i], "", 1, 1, w);
        if (!(fabs(got - want) <= 1e-6)) fail_msg("%s ended at %.17g, not at %.17g", optimizers[i], got, want);
    }
    /* Not while there is something left to do, and not because a rate of 0 moves nothing. */
    small(beginning, "{cg: {max_iter: 2}}", "", 3, 1, w);
    assert_string_equal(stopped_by, "epochs");
    small(beginning, "{lbfgs: {lr: 0}}", "", 3, 1, w);
    assert_string_equal(stopped_by, "epochs");
    assert_int_equal(n_epochs, 3);
}

/* a·exp(-b·x) + c through ten points, mean squares. */
static double points[10][2];
static void derivatives(const double *w, double x, double j[3]) {
    j[0] = exp(-w[1] * x);
    j[1] = -w[0] * x * j[0];
    j[2] = 1;
}
static bp_status curve(void *user, const double *w, double *loss, double *g) {
    (void)user;
    *loss = g[0] = g[1] = g[2] = 0;
    for (int i = 0; i < 10; i++) {
        double j[3];
        derivatives(w, points[i][0], j);
        double r = w[0] * j[0] + w[2] - points[i][1];
        *loss += r * r / 10;
        for (int k = 0; k < 3; k++) g[k] += 2 * r * j[k] / 10;
    }
    return BP_OK;
}
static bp_status curve_product(void *user, const double *w, const double *v, double *out) {
    (void)user;
    out[0] = out[1] = out[2] = 0;
    for (int i = 0; i < 10; i++) {
        double j[3];
        derivatives(w, points[i][0], j);
        double jv = j[0] * v[0] + j[1] * v[1] + j[2] * v[2];
        for (int k = 0; k < 3; k++) out[k] += 2 * j[k] * jv / 10;
    }
    return BP_OK;
}

static void curve_fits(void **state) {
    (void)state;
    static const char *const texts[] = {"{levenberg_marquardt: {max_iter: 100, tolerance_grad: 1.0e-13, tolerance_change: 0}}",
                                        "{gauss_newton: {max_iter: 100, tolerance_grad: 1.0e-13, tolerance_change: 0}}"};
    double want[3];
    golden("curve", points[0], 20);
    golden("curve_fit", want, 3);
    bp_context *ctx = context(1);
    for (int i = 0; i < 2; i++) {
        bp__tree *tree = NULL;
        assert_int_equal(bp__yaml_parse_value(ctx, texts[i], strlen(texts[i]), "t", &tree), BP_OK);
        bp__choice choice;
        const bp__solver *solver = bp__solver_read(ctx, tree, &choice);
        assert_non_null(solver);
        bp__objective f = {.evaluate = curve, .product = curve_product, .n = 3};
        double w[3] = {1, 1, 0}, kept[1] = {0};
        bp__solved solved;
        assert_int_equal(solver->step(ctx, &f, &choice, 1, kept, w, &solved), BP_OK);
        double worst = 0;
        for (int k = 0; k < 3; k++) {
            if (!(fabs(w[k] - want[k]) <= 1e-8)) fail_msg("%s: %.17g, SciPy's %.17g", texts[i], w[k], want[k]);
            worst = fmax(worst, fabs(w[k] - want[k]));
        }
        row(texts[i], "SciPy, fit of a curve", worst);
        bp__tree_free(ctx, tree);
    }
    bp_context_free(ctx);
}

static void same_bits(void **state) {
    (void)state;
    double a[N], b[N];
    small(beginning, "{lbfgs: {line_search: strong_wolfe}}", ", batch_size: 5", 3, 1, a);
    small(beginning, "{lbfgs: {line_search: strong_wolfe}}", ", batch_size: 5", 3, 2, b);
    assert_memory_equal(a, b, sizeof a);
}

static void refused(const char *section, const char *says) {
    char text[700];
    snprintf(text, sizeof text, "{data: {path: 'builtin:iris'}, %s}", section);
    bp_context *ctx = context(1);
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_CONFIG);
    if (!strstr(bp_context_error(ctx), says)) fail_msg("%s: %s", section, bp_context_error(ctx));
    bp_config_free(cfg);
    bp_context_free(ctx);
}

static void refusals(void **state) {
    (void)state;
    refused("optimizer: lbfgs, train: {clip_norm: 1}", "train.clip_norm does not go with the optimizer lbfgs");
    refused("optimizer: cg, train: {accumulate: 2}", "train.accumulate does not go with the optimizer cg");
    refused("optimizer: lbfgs, train: {batch_size: auto}", "train.batch_size does not go with");
    refused("optimizer: lbfgs, train: {average: ema}", "train.average does not go with");
    refused("optimizer: lbfgs, regularize: [{match: '*', max_norm: 1}]", "max_norm does not go with");
    refused("optimizer: cg, regularize: [{match: '*', weight_noise: 1}]", "weight_noise does not go with");
    refused("optimizer: {lbfgs: {history_size: 0}}", "`history_size` must be");
    refused("optimizer: levenberg_marquardt, model: [{linear: 2000}, tanh, linear]", "is for at most 2000 parameters");
    refused("optimizer: {lbfgs: {weight_decay: 0.1}}", "weight_decay");
    refused("optimizer: lbfgs, schedules: {momentum: {linear: {}}}, train: {epochs: 2}", "has no momentum that a schedule");
    bp_context *ctx = context(1);
    bp_graph *g = NULL;
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value p = bp_parameter(g, "p", bp_shape(1, 2), bp_zeros()), d = bp_input(g, "d", BP_F32, bp_shape(1, 2));
    assert_int_equal(bp_optimizer(g, "lbfgs", BP_NONE, &p, &d, 1), BP_UNSUPPORTED);
    assert_non_null(strstr(bp_context_error(ctx), "cannot be an update in a graph"));
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* Running statistics are those of one look a step, at the point where the step began. */
static void running_statistics(void **state) {
    (void)state;
    float mean[2][3], variance[2][3];
    static const char *const optimizers[] = {"{lbfgs: {max_iter: 5}}", "{sgd: {lr: 0}}"};
    for (int i = 0; i < 2; i++) {
        char text[500];
        snprintf(text, sizeof text,
                 "{data: {path: '%s', target: target, normalize: none, split: {validation: 0, test: 0}}, task: regression, "
                 "model: [batch_norm, {linear: 1}], optimizer: %s, train: {epochs: 1, batch_size: full}}",
                 csv, optimizers[i]);
        bp_context *ctx = context(1);
        bp_config *cfg = NULL;
        bp_run *run = NULL;
        assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
        if (bp_train(&run, cfg, NULL) != BP_OK) fail_msg("%s", bp_context_error(ctx));
        assert_int_equal(bp_state_get(run->model->net->state, "0.running_mean", mean[i], sizeof mean[i]), BP_OK);
        assert_int_equal(bp_state_get(run->model->net->state, "0.running_var", variance[i], sizeof variance[i]), BP_OK);
        bp_run_free(run);
        bp_config_free(cfg);
        bp_context_free(ctx);
    }
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
    assert_memory_equal(variance[0], variance[1], sizeof variance[0]);
    assert_true(mean[0][0] != 0);
}

static int write_rows(void **state) {
    (void)state;
    double data[ROWS * 4];
    if (!mkdtemp(folder)) return 1;
    golden("data", data, ROWS * 4);
    snprintf(csv, sizeof csv, "%s/rows.csv", folder);
    snprintf(found, sizeof found, "%s/found.safetensors", folder);
    FILE *f = fopen(csv, "w");
    if (!f) return 1;
    fputs("a,b,c,target\n", f);
    for (int i = 0; i < ROWS * 4; i++) fprintf(f, "%.17g%c", data[i], i % 4 == 3 ? '\n' : ',');
    return fclose(f);
}
static int remove_rows(void **state) {
    (void)state;
    return unlink(csv) || unlink(found) || rmdir(folder);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        tabling = true;
        if (write_rows(NULL) != 0) return 1;
        step_by_step(NULL);
        lowest_losses(NULL);
        curve_fits(NULL);
        return remove_rows(NULL) != 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(step_by_step),        cmocka_unit_test(lowest_losses),
                                       cmocka_unit_test(ends_when_converged), cmocka_unit_test(curve_fits),
                                       cmocka_unit_test(same_bits),           cmocka_unit_test(refusals),
                                       cmocka_unit_test(running_statistics)};
    return cmocka_run_group_tests(tests, write_rows, remove_rows);
}
