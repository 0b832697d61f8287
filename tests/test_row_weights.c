/* Weights of rows and classes, and regression from end to end: the loss and the step that its gradient makes against formulas
   worked out here, metrics in the target's unit, and rows of weight 0 as rows that do not exist. */
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

#include "train/train.h"

static char folder[] = "/tmp/bp-weights-XXXXXX";
static const char *file_path(const char *name) {
    static char paths[8][300];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static bp_context *context(void) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = 1};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static void near(double got, double want, double tolerance, const char *what) {
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want)))) fail_msg("%s is %.17g, must be %.17g", what, got, want);
}

/* ---- One step of one linear layer, by hand ---- */

enum { ROWS = 6, IN = 2, MOST = 3 };

static const double X[ROWS][IN] = {{0.5, -1.25}, {-2, 0.75}, {1.5, 1}, {0.25, 0.3}, {-0.6, -1.7}, {3, -0.4}};
static const double W[MOST][IN] = {{0.7, -0.3}, {-0.5, 0.9}, {0.2, 0.4}}, BIAS[MOST] = {0.1, -0.2, 0.3};
static const double Y[ROWS][2] = {{1, -2}, {-4, 0.5}, {0.85, 3}, {0.2, -0.1}, {6, 1}, {2.5, -7}};
static const int64_t LABELS[ROWS] = {1, 0, 1, 1, 0, 1}, THREE[ROWS] = {2, 0, 1, 2, 2, 0};
static const float WEIGHTS[ROWS] = {0.5F, 2, 0, 1.25F, 0, 3};

typedef struct step {
    double loss, weight[MOST * IN], bias[MOST];
} step;

typedef struct kind_of_loss {
    enum { CROSS_ENTROPY, BCE, MSE, L1, HUBER } kind;
    double label_smoothing, delta;
    const char *text; /* in the configuration */
} kind_of_loss;

static double sign(double x) { return (double)((x > 0) - (x < 0)); }

/* The loss of row r, and in d what it changes with the k outputs y (PyTorch's formulas). */
static double row_loss(const kind_of_loss *l, int k, const double *y, int r, double *d) {
    double sum = 0;
    switch (l->kind) {
    case CROSS_ENTROPY: {
        double total = 0, loss = 0;
        for (int c = 0; c < k; c++) total += exp(y[c]);
        for (int c = 0; c < k; c++) {
            double p = exp(y[c]) / total, wanted = (c == THREE[r]) * (1 - l->label_smoothing) + l->label_smoothing / k;
            d[c] = p - wanted;
            loss -= wanted * log(p);
        }
        return loss;
    }
    case BCE: {
        double p = 1 / (1 + exp(-y[0]));
        d[0] = p - (double)LABELS[r];
        return LABELS[r] ? -log(p) : -log(1 - p);
    }
    default:
        for (int c = 0; c < k; c++) { /* the mean over the targets */
            double e = y[c] - Y[r][c], size = fabs(e);
            bool inside = size <= l->delta;
            double huber = inside ? e * e / 2 : l->delta * (size - l->delta / 2);
            sum += (l->kind == MSE ? e * e : l->kind == L1 ? size : huber) / k;
            d[c] = (l->kind == MSE ? 2 * e : l->kind == L1 ? sign(e) : inside ? e : l->delta * sign(e)) / k;
        }
        return sum;
    }
}

static void by_hand(const kind_of_loss *l, int k, bool weighted, double lr, step *out) {
    double total = 0;
    *out = (step){.loss = 0};
    memcpy(out->weight, W, sizeof(double) * (size_t)(k * IN));
    memcpy(out->bias, BIAS, sizeof(double) * (size_t)k);
    for (int r = 0; r < ROWS; r++) total += weighted ? (double)WEIGHTS[r] : 1;
    for (int r = 0; r < ROWS; r++) {
        double y[MOST], d[MOST], w = (weighted ? (double)WEIGHTS[r] : 1) / total;
        for (int c = 0; c < k; c++) y[c] = W[c][0] * X[r][0] + W[c][1] * X[r][1] + BIAS[c];
        out->loss += w * row_loss(l, k, y, r, d);
        for (int c = 0; c < k; c++) {
            for (int i = 0; i < IN; i++) out->weight[c * IN + i] -= lr * w * d[c] * X[r][i];
            out->bias[c] -= lr * w * d[c];
        }
    }
}

/* The same by a net. keep: only rows whose weight is not 0. */
static void by_net(const kind_of_loss *l, int k, bool weighted, bool keep, double lr, step *out) {
    bp_context *ctx = context();
    bp_config *cfg = NULL;
    char text[200];
    bp__loss read;
    snprintf(text, sizeof text, "{model: [linear], optimizer: sgd, loss: %s}", l->text);
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    assert_int_equal(bp__loss_read(&read, ctx, NULL, bp__tree_get(cfg->tree, "loss")), BP_OK);
    bool classes = l->kind == CROSS_ENTROPY || l->kind == BCE;
    bp__prep prep = {.ctx = ctx,
                     .rank = 1,
                     .shape = {IN},
                     .sample_size = IN,
                     .input_dtype = BP_F64,
                     .byte_scale = 1,
                     .task = classes ? BP__CLASSIFICATION : BP__REGRESSION,
                     .n_targets = classes ? 1 : k,
                     .n_classes = l->kind == BCE ? 2 : k};
    bp__net_spec spec = {.model = bp__tree_get(cfg->tree, "model"),
                         .optimizer = bp__tree_get(cfg->tree, "optimizer"),
                         .prep = &prep,
                         .dtype = BP_F64,
                         .loss = read,
                         .clip_norm = -1,
                         .clip_value = -1,
                         .training = true,
                         .weighted = weighted};
    bp__net *net = NULL;
    if (bp__net_new(&net, ctx, &spec) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    size_t n_weight = sizeof(double) * (size_t)(k * IN), n_bias = sizeof(double) * (size_t)k;
    assert_int_equal(bp_state_set(net->state, "0.weight", W, n_weight), BP_OK);
    assert_int_equal(bp_state_set(net->state, "0.bias", BIAS, n_bias), BP_OK);
    double x[ROWS * IN], y[ROWS * 2];
    int64_t label[ROWS], n = 0;
    float weight[ROWS];
    for (int r = 0; r < ROWS; r++) {
        if (keep && WEIGHTS[r] == 0) continue;
        memcpy(x + n * IN, X[r], sizeof X[r]);
        for (int c = 0; c < k && !classes; c++) y[n * k + c] = Y[r][c];
        label[n] = l->kind == BCE ? LABELS[r] : THREE[r];
        weight[n++] = WEIGHTS[r];
    }
    bp__batch b = {.n = n, .x = x, .label = classes ? label : NULL, .y = classes ? NULL : y, .weight = weighted ? weight : NULL};
    bp__step s;
    assert_int_equal(bp__net_train(net, &b, lr, 0, &s), BP_OK);
    assert_true(s.committed);
    *out = (step){.loss = s.loss};
    assert_int_equal(bp_state_get(net->state, "0.weight", out->weight, n_weight), BP_OK);
    assert_int_equal(bp_state_get(net->state, "0.bias", out->bias, n_bias), BP_OK);
    bp__net_free(net);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

static void compare(const step *got, const step *want, int k, const char *what) {
    char text[100];
    snprintf(text, sizeof text, "%s: loss", what);
    near(got->loss, want->loss, 1e-12, text);
    for (int i = 0; i < k * IN; i++) {
        snprintf(text, sizeof text, "%s: weight %d", what, i);
        near(got->weight[i], want->weight[i], 1e-12, text);
        assert_true(got->weight[i] != (&W[0][0])[i]); /* something was learnt */
    }
    for (int c = 0; c < k; c++) {
        snprintf(text, sizeof text, "%s: bias %d", what, c);
        near(got->bias[c], want->bias[c], 1e-12, text);
    }
}

static const struct {
    const char *name;
    kind_of_loss loss;
    int outputs;
} losses[] = {
    {"mse", {.kind = MSE, .text = "mse"}, 1},
    {"mse of two", {.kind = MSE, .text = "mse"}, 2},
    {"l1", {.kind = L1, .text = "l1"}, 1},
    {"l1 of two", {.kind = L1, .text = "l1"}, 2},
    {"huber", {.kind = HUBER, .delta = 1, .text = "huber"}, 1},
    {"huber, delta 3, of two", {.kind = HUBER, .delta = 3, .text = "{huber: {delta: 3}}"}, 2},
    {"bce_with_logits", {.kind = BCE, .text = "bce_with_logits"}, 1},
    {"cross_entropy", {.kind = CROSS_ENTROPY, .text = "cross_entropy"}, 3},
    {"cross_entropy, smoothed",
     {.kind = CROSS_ENTROPY, .label_smoothing = 0.2, .text = "{cross_entropy: {label_smoothing: 0.2}}"},
     3},
};

static void test_steps(void **state) {
    (void)state;
    for (int64_t i = 0; i < BP__COUNT(losses); i++)
        for (int weighted = 0; weighted <= 1; weighted++) {
            step want, got, kept;
            char what[100];
            snprintf(what, sizeof what, "%s, %s", losses[i].name, weighted ? "weighted" : "plain");
            by_hand(&losses[i].loss, losses[i].outputs, weighted, 0.05, &want);
            by_net(&losses[i].loss, losses[i].outputs, weighted, false, 0.05, &got);
            compare(&got, &want, losses[i].outputs, what);
            if (!weighted) continue;
            by_net(&losses[i].loss, losses[i].outputs, true, true, 0.05, &kept);
            compare(&kept, &got, losses[i].outputs, "rows of weight 0 left out");
        }
}

/* ---- From end to end ---- */

static double uniform(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

/* Rows of a, b, sum (100 + 30 a - 20 b, give or take 2), class (high where the sum is) and w. weightless: of every third row w is
   0, or the row is absent. */
static void write_table(const char *path, int n, uint64_t seed, bool weightless, bool absent) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "a,b,sum,class,w\n");
    for (int i = 0; i < n; i++) {
        double a = floor(uniform(&seed) * 1e4) / 1e4, b = floor(uniform(&seed) * 1e4) / 1e4, sum = 100 + 30 * a - 20 * b;
        sum += uniform(&seed) * 4 - 2;
        bool light = weightless && i % 3 == 1;
        if (light && absent) continue;
        fprintf(f, "%.4f,%.4f,%.6f,%s,%g\n", a, b, light ? 7000 + i : sum, (sum > 105) != light ? "high" : "low",
                light ? 0 : 0.5 + i % 4);
    }
    assert_int_equal(fclose(f), 0);
}

static bp_run *train(bp_context *ctx, const char *format, ...) BP__PRINTF(2, 3);
static bp_run *train(bp_context *ctx, const char *format, ...) {
    char text[900];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    if (bp_train(&run, cfg, NULL) != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    bp_config_free(cfg);
    return run;
}

static double number(const bp_run *run, const char *name) {
    double x = 0;
    assert_int_equal(bp_run_number(run, name, &x), BP_OK);
    return x;
}

/* Columns of the CSV that the model predicts for a table, without its names of rows: value[row][column]; text fields are 0. */
static int predict(bp_context *ctx, bp_run *run, const char *path, double value[][3]) {
    bp_data data = {.size = sizeof data, .path = path};
    char *csv = NULL;
    size_t bytes;
    assert_int_equal(bp_model_predict_file(bp_run_model(run), &data, "csv", 0, &csv, &bytes), BP_OK);
    int n = 0;
    for (char *line = strchr(csv, '\n') + 1; *line; line = strchr(line, '\n') + 1, n++) {
        char *at = line;
        for (int k = 0; k < 3; k++) {
            value[n][k] = strtod(at, NULL);
            at += strcspn(at, ",\n");
            if (*at != ',') break;
            at++;
        }
    }
    bp_free(ctx, csv);
    return n;
}

/* Column k of a written table as numbers; a class: 1 = low (classes are in bytewise order). */
static void column(const char *path, int k, double *value) {
    char line[200];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    for (int row = -1; fgets(line, sizeof line, f); row++) {
        char *at = line;
        for (int i = 0; i < k; i++) at = strchr(at, ',') + 1;
        if (row >= 0) value[row] = k == 3 ? (double)(strncmp(at, "low", 3) == 0) : strtod(at, NULL);
    }
    assert_int_equal(fclose(f), 0);
}

enum { N_TEST = 90 };

/* Metrics are in the target's unit, whatever the loss and the normalisation of the target; the loss is in the unit optimised. */
static void test_regression(void **state) {
    (void)state;
    static const struct {
        const char *loss, *normalize;
    } rows[] = {{"mse", "standard"}, {"l1", "standard"}, {"{huber: {delta: 0.5}}", "standard"}, {"mse", "none"}};
    const char *train_file = file_path("train.csv"), *test_file = file_path("test.csv");
    write_table(train_file, 300, 1, false, false);
    write_table(test_file, N_TEST, 2, false, false);
    for (int64_t i = 0; i < BP__COUNT(rows); i++) {
        bp_context *ctx = context();
        bool normal = strcmp(rows[i].normalize, "standard") == 0;
        bp_run *run = train(ctx,
                            "{data: {train: '%s', test: '%s', target: sum, normalize_target: %s, split: {validation: 0}, "
                            "columns: {class: {ignore: true}, w: {ignore: true}}}, task: regression, loss: %s, model: [linear], "
                            "optimizer: {adam: {lr: %s}}, train: {epochs: 60, dtype: float64}}",
                            train_file, test_file, rows[i].normalize, rows[i].loss, normal ? "0.02" : "1.0");
        static double got[N_TEST][3], truth[N_TEST], all[300];
        assert_int_equal(predict(ctx, run, test_file, got), N_TEST);
        column(test_file, 2, truth);
        column(train_file, 2, all);
        double squares = 0, sizes = 0, mean = 0, spread = 0, level = 0, deviation = 0, loss = 0;
        for (int r = 0; r < 300; r++) level += all[r] / 300;
        for (int r = 0; r < 300; r++) deviation += (all[r] - level) * (all[r] - level) / 300;
        deviation = normal ? sqrt(deviation) : 1;
        for (int r = 0; r < N_TEST; r++) mean += truth[r] / N_TEST;
        for (int r = 0; r < N_TEST; r++) {
            double e = got[r][0] - truth[r], scaled = fabs(e) / deviation;
            squares += e * e / N_TEST;
            sizes += fabs(e) / N_TEST;
            spread += (truth[r] - mean) * (truth[r] - mean) / N_TEST;
            loss += (rows[i].loss[0] == 'm'   ? scaled * scaled
                     : rows[i].loss[0] == 'l' ? scaled
                     : scaled <= 0.5          ? scaled * scaled / 2
                                              : 0.5 * (scaled - 0.25)) /
                    N_TEST;
        }
        near(number(run, "test.mse"), squares, 1e-6, "mse");
        near(number(run, "test.rmse"), sqrt(squares), 1e-6, "rmse");
        near(number(run, "test.mae"), sizes, 1e-6, "mae");
        near(number(run, "test.r2"), 1 - squares / spread, 1e-6, "r2");
        near(number(run, "test.loss"), loss, 1e-6, "loss");
        assert_true(spread > 80); /* the target moves by about 10 around 105 */
        assert_true(number(run, "test.rmse") > 0.9 && number(run, "test.rmse") < 1.5); /* the noise's is 1.15 */
        bp_run_free(run);
        bp_context_free(ctx);
    }
}

/* Two classes with one output: two columns of probabilities, and the loss that follows from them, with weights of
   classes too. */
static void test_two_classes(void **state) {
    (void)state;
    const char *train_file = file_path("train.csv"), *test_file = file_path("test.csv");
    write_table(train_file, 300, 1, false, false);
    write_table(test_file, N_TEST, 2, false, false);
    for (int weighted = 0; weighted <= 1; weighted++) {
        bp_context *ctx = context();
        bp_run *run =
            train(ctx,
                  "{data: {train: '%s', test: '%s', target: class, split: {validation: 0}, columns: {sum: {ignore: true}, "
                  "w: {ignore: true}}}, loss: bce_with_logits, model: [linear], optimizer: {adam: {lr: 0.1}}, "
                  "train: {epochs: 40, dtype: float64%s}}",
                  train_file, test_file, weighted ? ", class_weight: {low: 3}" : "");
        assert_true(number(run, "parameters") == 3); /* one output */
        assert_int_equal(bp_model_outputs(bp_run_model(run)), 2);
        static double got[N_TEST][3], low[N_TEST];
        assert_int_equal(predict(ctx, run, test_file, got), N_TEST);
        column(test_file, 3, low);
        double loss = 0, right = 0, total = 0;
        for (int r = 0; r < N_TEST; r++) {
            near(got[r][1] + got[r][2], 1, 1e-12, "the sum of the probabilities");
            double w = weighted && low[r] == 1 ? 3 : 1;
            loss -= w * log(low[r] == 1 ? got[r][2] : got[r][1]);
            total += w;
            right += (got[r][2] > got[r][1]) == (low[r] == 1);
        }
        near(number(run, "test.loss"), loss / total, 1e-9, "loss");
        near(number(run, "test.accuracy"), right / N_TEST, 1e-12, "accuracy");
        assert_true(number(run, "test.accuracy") > 0.85);
        bp_run_free(run);
        bp_context_free(ctx);
    }
}

/* ---- Weights of classes and rows ---- */

static void weights_of(const char *train_keys, float *weight, int64_t *label, int64_t *n) {
    bp_context *ctx = context();
    bp_config *cfg = NULL;
    bp__decided *d = NULL;
    char text[600];
    snprintf(
        text, sizeof text,
        "{data: {path: '%s', target: kind, split: {validation: 0, test: 0}, columns: {x: {type: number}}}, train: {epochs: 1, "
        "%s}}",
        file_path("kinds.csv"), train_keys);
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    if (bp__decide(&d, cfg, NULL) != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    *n = d->data->n_rows;
    assert_int_equal(*n, 12);
    assert_non_null(d->weight);
    memcpy(weight, d->weight, sizeof(float) * 12);
    memcpy(label, d->data->label, sizeof(int64_t) * 12);
    bp__decided_free(d);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

static void test_class_weights(void **state) {
    (void)state;
    FILE *f = fopen(file_path("kinds.csv"), "wb");
    assert_non_null(f);
    fprintf(f, "x,kind,w\n");
    for (int i = 0; i < 12; i++) fprintf(f, "%d.5,%s,%g\n", i * 5 % 12, i < 6 ? "a" : i < 10 ? "b" : "c", 0.25 * i);
    assert_int_equal(fclose(f), 0);
    /* balanced: 12 rows, 3 classes of 6, 4 and 2: 12 / (3 n) */
    static const double balanced[] = {12.0 / 18, 12.0 / 12, 12.0 / 6}, mapped[] = {1, 3, 0.5};
    float weight[12];
    int64_t label[12], n;
    weights_of("class_weight: balanced", weight, label, &n);
    for (int i = 0; i < 12; i++) near((double)weight[i], balanced[label[i]], 1e-7, "a balanced weight");
    weights_of("class_weight: {b: 3, c: 0.5}", weight, label, &n); /* a class that is not named keeps 1 */
    for (int i = 0; i < 12; i++) near((double)weight[i], mapped[label[i]], 0, "a mapped weight");
    weights_of("weight_column: w", weight, label, &n);
    for (int i = 0; i < 12; i++) near((double)weight[i], 0.25 * i, 0, "a weight of the column");
    weights_of("weight_column: w, class_weight: {b: 3, c: 0.5}", weight, label, &n);
    for (int i = 0; i < 12; i++) near((double)weight[i], 0.25 * i * mapped[label[i]], 0, "a product of weights");
}

/* A row of weight 0 is a row that does not exist; its target and class are wrong on purpose. */
static void test_weightless_rows(void **state) {
    (void)state;
    static const char *const choices[] = {
        "target: class, columns: {sum: {ignore: true}}}, loss: cross_entropy",
        "target: class, columns: {sum: {ignore: true}}}, loss: bce_with_logits",
        "target: sum, normalize_target: none, columns: {class: {ignore: true}}}, task: regression, loss: mse",
        "target: sum, normalize_target: none, columns: {class: {ignore: true}}}, task: regression, loss: huber"};
    const char *with = file_path("with.csv"), *without = file_path("without.csv"), *test_file = file_path("test.csv");
    write_table(with, 120, 3, true, false);
    write_table(without, 120, 3, true, true);
    write_table(test_file, N_TEST, 2, false, false);
    for (int64_t i = 0; i < BP__COUNT(choices); i++) {
        static double p[3][N_TEST][3];
        for (int k = 0; k < 3; k++) { /* with, without, with but not weighed */
            bp_context *ctx = context();
            bp_run *run =
                train(ctx,
                      "{data: {path: '%s', normalize: none, split: {validation: 0, test: 0}, %s, model: [{linear: 6}, tanh, "
                      "linear], optimizer: {sgd: {lr: 0.01}}, train: {epochs: 30, batch_size: full, shuffle: false, "
                      "dtype: float64%s}}",
                      k == 1 ? without : with, choices[i], k < 2 ? ", weight_column: w" : "");
            assert_true(number(run, "steps") == 30);
            assert_int_equal(predict(ctx, run, test_file, p[k]), N_TEST);
            bp_run_free(run);
            bp_context_free(ctx);
        }
        double other = 0;
        for (int r = 0; r < N_TEST; r++)
            for (int c = 0; c < 3; c++) {
                near(p[0][r][c], p[1][r][c], 1e-12, "a prediction after training with rows of weight 0");
                other = fmax(other, fabs(p[2][r][c] - p[1][r][c]));
            }
        assert_true(other > 1e-3); /* these rows would have changed the result */
    }
}

static int set_up(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    static const char *const files[] = {"train.csv", "test.csv", "kinds.csv", "with.csv", "without.csv"};
    for (int64_t i = 0; i < BP__COUNT(files); i++) unlink(file_path(files[i]));
    return rmdir(folder); /* fails when a test left a file */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_regression),
                                       cmocka_unit_test(test_two_classes), cmocka_unit_test(test_class_weights),
                                       cmocka_unit_test(test_weightless_rows)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
