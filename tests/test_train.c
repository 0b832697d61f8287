/* Whole trainings through the public interface: known accuracies, the same bits whatever runs them, early
   stopping, files that predict what was evaluated, and the sentence of every refusal. */
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

static bp_context *context(int threads, const char *isa, int no_passes) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = threads, .isa = isa, .no_passes = no_passes};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

/* Trains by a configuration text; the run must be freed before the context. */
static bp_run *train(bp_context *ctx, const char *text, const char *out, const char *from) {
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    bp_run_options o = {.size = sizeof o, .out = out, .from = from};
    assert_int_equal(bp_config_set_run(cfg, &o), BP_OK);
    bp_status status = bp_train(&run, cfg, NULL);
    if (status != BP_OK) print_error("%s\n", bp_context_error(ctx));
    assert_int_equal(status, BP_OK);
    bp_config_free(cfg);
    return run;
}

static double number(const bp_run *run, const char *name) {
    double x = 0;
    assert_int_equal(bp_run_number(run, name, &x), BP_OK);
    return x;
}

static void sha(const bp_run *run, char out[65]) {
    char *json = NULL;
    assert_int_equal(bp_run_json(run, &json), BP_OK);
    const char *at = strstr(json, "\"weights_sha256\":\"");
    assert_non_null(at);
    memcpy(out, at + 18, 64);
    out[64] = 0;
    bp_free(run->ctx, json);
}

static char folder[] = "/tmp/bp-train-XXXXXX";
static char *file_path(const char *name) {
    static char paths[8][300];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}
static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* ---- Known results ---- */

static void test_accuracies(void **state) {
    (void)state;
    for (int seed = 0; seed < 3; seed++) {
        bp_context *ctx = context(1, NULL, 0);
        char text[300];
        snprintf(text, sizeof text,
                 "{data: {path: 'builtin:iris'}, optimizer: {adam: {lr: 0.01}}, train: {epochs: 40, seed: %d}}", seed);
        bp_run *run = train(ctx, text, NULL, NULL);
        assert_true(number(run, "test.accuracy") >= 0.9);
        assert_true(number(run, "train.accuracy") >= 0.93);
        bp_run_free(run);
        snprintf(text, sizeof text,
                 "{data: {path: 'builtin:digits'}, optimizer: {adam: {lr: 0.003}}, train: {epochs: 20, seed: %d}}", seed);
        run = train(ctx, text, NULL, NULL);
        assert_true(number(run, "test.accuracy") >= 0.95);
        assert_true(number(run, "data.rows.train") == 1257);
        bp_run_free(run);
        bp_context_free(ctx);
    }
}

static void test_same_bits(void **state) {
    (void)state;
    static const char text[] = "{data: {path: 'builtin:digits'}, model: [{linear: 48}, relu, {dropout: 0.2}, linear], "
                               "train: {epochs: 3, clip_norm: 1, batch_size: 50}}";
    char first[65] = "", other[65];
    for (int i = 0;; i++) {
        const char *isa = i < 4 ? NULL : bp_isa_usable(i - 4);
        if (i >= 4 && !isa) break;
        bp_context *ctx = context(i < 3 ? i + 1 : 2, isa, i == 3);
        bp_run *run = train(ctx, text, NULL, NULL);
        sha(run, i ? other : first);
        if (i) assert_string_equal(other, first);
        bp_run_free(run);
        bp_context_free(ctx);
    }
    bp_context *ctx = context(1, NULL, 0); /* and a different seed gives others */
    bp_run *run = train(ctx,
                        "{data: {path: 'builtin:digits'}, model: [{linear: 48}, relu, {dropout: 0.2}, linear], "
                        "train: {epochs: 3, clip_norm: 1, batch_size: 50, seed: 1}}",
                        NULL, NULL);
    sha(run, other);
    assert_string_not_equal(other, first);
    bp_run_free(run);
    bp_context_free(ctx);
}

/* ---- Length ---- */

static void test_early_stopping(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    /* A rate far too high: the loss rises, the first epochs are the best, and their weights come back. */
    bp_run *run = train(
        ctx, "{data: {path: 'builtin:iris'}, optimizer: {sgd: {lr: 3.0}}, train: {epochs: 100, early_stopping: {patience: 4}}}",
        NULL, NULL);
    assert_string_equal(run->stopped_by, "patience");
    assert_true(number(run, "epochs") == number(run, "best_epoch") + 4);
    assert_true(number(run, "validation.loss") == run->epochs[run->best].validation.loss);
    for (int64_t i = 0; i < run->n_epochs; i++) assert_true(!(run->epochs[i].validation.loss < number(run, "validation.loss")));
    bp_run_free(run);
    /* Without restoring, the last epoch is kept. */
    run = train(ctx,
                "{data: {path: 'builtin:iris'}, optimizer: {sgd: {lr: 3.0}}, train: {epochs: 9, early_stopping: {patience: null, "
                "restore_best: false}}}",
                NULL, NULL);
    assert_true(number(run, "epochs") == 9 && number(run, "best_epoch") == 9);
    assert_true(number(run, "validation.loss") == run->epochs[8].validation.loss);
    bp_run_free(run);
    /* A metric that is better when higher. */
    run = train(
        ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 12, early_stopping: {metric: validation.accuracy, patience: 100}}}",
        NULL, NULL);
    for (int64_t i = 0; i < run->n_epochs; i++)
        assert_true(!(bp__scores_get(&run->epochs[i].validation, "accuracy") > number(run, "validation.accuracy")));
    bp_run_free(run);
    /* No length given: patience ends it. No validation set either: a fixed number of epochs, and the last one is kept. */
    run = train(ctx, "{data: {path: 'builtin:iris', split: {validation: 0}}}", NULL, NULL);
    assert_true(number(run, "epochs") == 20 && number(run, "best_epoch") == 20);
    double x;
    assert_int_equal(bp_run_number(run, "validation.loss", &x), BP_NOT_FOUND);
    bp_run_free(run);
    bp_context_free(ctx);
}

static void test_lengths(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    bp_run *run = train(ctx, "{data: {path: 'builtin:iris'}, train: {steps: 7}}", NULL, NULL); /* 4 steps are an epoch */
    assert_true(number(run, "steps") == 7 && number(run, "epochs") == 2);
    assert_string_equal(run->stopped_by, "steps");
    bp_run_free(run);
    run = train(ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 3, batch_size: full}}", NULL, NULL);
    assert_true(number(run, "steps") == 3);
    bp_run_free(run);
    run = train(ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 1, batch_size: 1}}", NULL, NULL);
    assert_true(number(run, "steps") == number(run, "data.rows.train"));
    bp_run_free(run);
    run = train(ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 0}}", NULL, NULL);
    assert_true(number(run, "steps") == 0 && number(run, "epochs") == 0 && number(run, "test.loss") > 0.5);
    bp_run_free(run);
    run = train(ctx, "{data: {path: 'builtin:iris'}, train: {max_time: 0}}", NULL, NULL);
    assert_string_equal(run->stopped_by, "time");
    assert_true(number(run, "steps") == 1);
    bp_run_free(run);
    bp_context_free(ctx);
}

static int stop_at_3(const bp_progress *p, void *user) {
    (void)user;
    return p->epoch == 3;
}
static int ask(void *user) { return ++*(int *)user == 5; }

static void test_callbacks_and_divergence(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 9}}"), BP_OK);
    bp_callbacks cb = {.size = sizeof cb, .on_epoch = stop_at_3};
    assert_int_equal(bp_train(&run, cfg, &cb), BP_STOPPED);
    assert_non_null(run);
    assert_true(number(run, "epochs") == 3);
    bp_run_free(run);
    bp_context_clear_error(ctx);
    int asked = 0;
    cb = (bp_callbacks){.size = sizeof cb, .interrupted = ask, .user = &asked};
    assert_int_equal(bp_train(&run, cfg, &cb), BP_STOPPED);
    assert_true(number(run, "steps") == 5);
    bp_run_free(run);
    bp_context_clear_error(ctx);
    assert_int_equal(bp_config_set(cfg, "optimizer", "{sgd: {lr: 1.0e+6}}"), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_OK); /* the default: back to the last good state, with a lower rate */
    assert_true(number(run, "rollbacks") >= 2 && number(run, "test.loss") < 3);
    bp_run_free(run);
    assert_int_equal(bp_config_set(cfg, "optimizer", "{sgd: {lr: 1.0e+30}}"), BP_OK);
    assert_int_equal(bp_config_set(cfg, "train.on_divergence", "stop"), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_DIVERGED);
    assert_non_null(strstr(bp_context_error(ctx), "diverged"));
    assert_true(number(run, "skipped_steps") > 0 && number(run, "skipped_steps") <= 10 && number(run, "test.loss") < 3);
    bp_run_free(run);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

/* ---- Files ---- */

static void test_files(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    char first[65], second[65];
    const char *dir = file_path("run"), *again = file_path("again");
    bp_run *run = train(ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 4}}", dir, NULL);
    double loss = number(run, "test.loss");
    sha(run, first);
    bp_run_free(run);
    /* A directory that holds a run is refused; --force replaces it. */
    bp_config *cfg = NULL;
    char path[400];
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    assert_int_equal(bp_config_open(&cfg, ctx, path), BP_OK);
    bp_run_options o = {.size = sizeof o, .out = dir};
    assert_int_equal(bp_config_set_run(cfg, &o), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_IO);
    assert_null(run);
    assert_non_null(strstr(bp_context_error(ctx), "holds a run already"));
    bp_context_clear_error(ctx);
    o.force = 1;
    assert_int_equal(bp_config_set_run(cfg, &o), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_OK);
    sha(run, second); /* the resolved configuration trains to the same bits */
    assert_string_equal(second, first);
    bp_run_free(run);
    bp_config_free(cfg);
    /* The file alone predicts; saved again it is the same file. */
    bp_model *m = NULL;
    assert_int_equal(bp_model_open(&m, ctx, dir), BP_OK);
    assert_int_equal(bp_model_inputs(m), 4);
    assert_string_equal(bp_model_output_name(m, 2), "virginica");
    assert_int_equal(bp__model_sha256(m, second), BP_OK);
    assert_string_equal(second, first);
    float p[6], x[8] = {5.1F, 3.5F, 1.4F, 0.2F, 6.3F, 3.3F, 6.0F, 2.5F};
    assert_int_equal(bp_model_predict(m, x, 2, p), BP_OK);
    assert_true(fabsf(p[0] + p[1] + p[2] - 1) < 1e-5F);
    char *csv = NULL, *json = NULL;
    size_t n;
    write_text(file_path("two.csv"), "petal_width,sepal_length,sepal_width,petal_length\n0.2,5.1,3.5,1.4\n2.5,6.3,3.3,6.0\n");
    bp_data data = {.size = sizeof data, .path = file_path("two.csv")};
    assert_int_equal(bp_model_predict_file(m, &data, "csv", 0, &csv, &n), BP_OK);
    assert_true(strncmp(csv, "prediction,p_setosa,p_versicolor,p_virginica\n", 45) == 0);
    char *at = strchr(strchr(csv, '\n'), ',') + 1;
    /* The file's 5.1 is a double, the float beside it is not quite: so the last bits may differ. */
    for (int k = 0; k < 3; k++) assert_true(fabs(strtod(at, &at) - (double)p[k]) < 1e-6 && at++);
    bp_free(ctx, csv);
    assert_int_equal(bp_model_predict_file(m, &data, "npy", 0, &csv, &n), BP_OK);
    assert_int_equal(n % 8, 0);
    float stored[6];
    memcpy(stored, csv + n - sizeof stored, sizeof stored);
    for (int k = 0; k < 6; k++) assert_true(fabsf(stored[k] - p[k]) < 1e-6F);
    bp_free(ctx, csv);
    assert_int_equal(bp_model_predict_file(m, &data, "jsonl", 0, &csv, &n), BP_OK);
    assert_true(strncmp(csv, "{\"prediction\":", 14) == 0);
    bp_free(ctx, csv);
    assert_int_equal(bp_model_predict_file(m, &data, "xml", 0, &csv, &n), BP_CONFIG);
    bp_context_clear_error(ctx);
    data.path = "builtin:iris";
    assert_int_equal(bp_model_evaluate(m, &data, NULL, &json), BP_OK);
    assert_non_null(strstr(json, "\"accuracy\":"));
    bp_free(ctx, json);
    bp_model_free(m);
    /* --from with no epochs: the same weights, the same loss. */
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    run = train(ctx, "{data: {path: 'builtin:iris'}, train: {epochs: 0}}", again, path);
    sha(run, second);
    assert_string_equal(second, first);
    assert_true(number(run, "test.loss") == loss);
    bp_run_free(run);
    assert_int_equal(
        bp_config_parse(&cfg, ctx, "{data: {path: 'builtin:iris'}, model: [{linear: 7}, relu, linear], train: {epochs: 0}}"),
        BP_OK);
    o = (bp_run_options){.size = sizeof o, .from = path};
    assert_int_equal(bp_config_set_run(cfg, &o), BP_OK);
    assert_int_equal(bp_train(&run, cfg, NULL), BP_SHAPE);
    assert_non_null(strstr(bp_context_error(ctx), "0.weight is [32,4], and the model needs [7,4]"));
    bp_config_free(cfg);
    bp_context_free(ctx);
}

/* The rows of the test set, predicted in memory, give the record's accuracy. */
static void test_predictions_are_the_scores(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    static const char *const texts[] = {"{data: {path: 'builtin:digits'}, train: {epochs: 2}}",
                                        "{data: {path: 'builtin:iris'}, train: {epochs: 9}}"};
    for (int t = 0; t < 2; t++) {
        bp_run *run = train(ctx, texts[t], NULL, NULL);
        bp_model *m = bp_run_model(run);
        float *x = NULL;
        int64_t *label = NULL, n = 0, k = bp_model_outputs(m), right = 0, counted = 0, classes = 0;
        assert_int_equal(bp_run_rows(run, "test", &x, &label, &n), BP_OK);
        float *p = malloc(sizeof(float) * (size_t)(n * k));
        assert_non_null(p);
        assert_int_equal(bp_model_predict(m, x, n, p), BP_OK);
        for (int64_t i = 0; i < n; i++) {
            int64_t best = 0;
            for (int64_t c = 1; c < k; c++)
                if (p[i * k + c] > p[i * k + best]) best = c;
            right += best == label[i];
        }
        const int64_t *confusion = bp_run_confusion(run, &classes);
        assert_int_equal(classes, k);
        for (int64_t c = 0; c < k; c++) counted += confusion[c * k + c];
        assert_int_equal(right, counted);
        assert_true(fabs(number(run, "test.accuracy") - (double)right / (double)n) < 1e-12);
        free(p);
        bp_free(ctx, x);
        bp_free(ctx, label);
        bp_run_free(run);
    }
    bp_context_free(ctx);
}

static void test_questions(void **state) {
    (void)state;
    bp_context *ctx = context(1, NULL, 0);
    bp_config *cfg = NULL;
    char *text = NULL, *json = NULL;
    assert_int_equal(
        bp_config_parse(&cfg, ctx,
                        "{data: {path: 'builtin:iris'}, model: [{linear: 6}, tanh, {dropout: 0.5}, linear], train: {epochs: 5}}"),
        BP_OK);
    bp_status status = bp_config_gradcheck(cfg, &text, &json);
    if (status != BP_OK) print_error("%s\n%s\n", bp_context_error(ctx), text ? text : "");
    assert_int_equal(status, BP_OK);
    assert_non_null(strstr(text, "3.weight"));
    assert_non_null(strstr(json, "\"ok\":true}"));
    bp_free(ctx, text);
    bp_free(ctx, json);
    assert_int_equal(bp_config_inspect(cfg, &text, &json), BP_OK);
    assert_non_null(strstr(json, "\"parameters\":51,")); /* 4·6 + 6 + 6·3 + 3 */
    assert_non_null(strstr(text, "plan of a training step"));
    bp_free(ctx, text);
    bp_free(ctx, json);
    double lr[30];
    const char *per;
    assert_int_equal(bp_config_assign(cfg, "schedule={cosine: {warmup_steps: 2}}"), BP_OK);
    assert_int_equal(bp_config_set(cfg, "optimizer.lr", "0.5"), BP_OK);
    assert_int_equal(bp_config_rates(cfg, 20, lr, &per), BP_OK);
    assert_string_equal(per, "step");
    assert_true(lr[0] == 0.25 && lr[1] == 0.5 && lr[2] == 0.5 && lr[19] < 0.02 && lr[19] > 0);
    assert_int_equal(bp_config_resolve(cfg, &text, NULL), BP_OK);
    assert_non_null(strstr(text, "# 104 rows for training"));
    assert_non_null(strstr(text, "warmup_steps: 2"));
    bp_free(ctx, text);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

/* ---- Refusals ---- */

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bp_status status;
        const char *part;
    } rows[] = {
        {"{}", BP_CONFIG, "no data is given"},
        {"{dat: {path: 'builtin:iris'}}", BP_CONFIG, "no key `dat`"},
        {"{data: {paht: x}}", BP_CONFIG, "no key `paht`"},
        {"{data: {path: 'builtin:iris'}, train: {epoch: 3}}", BP_CONFIG, "no key `epoch`"},
        {"{data: {path: 'builtin:iris'}, train: {epochs: -1}}", BP_CONFIG, "train.epochs must be a whole number from 0"},
        {"{data: {path: 'builtin:iris'}, train: {epochs: ten}}", BP_CONFIG, "train.epochs must be"},
        {"{data: {path: 'builtin:iris'}, train: {batch_size: 0}}", BP_CONFIG, "train.batch_size must be"},
        {"{data: {path: 'builtin:iris'}, train: {accumulate: 2, batch_size: full}}", BP_CONFIG, "batch_size is full"},
        {"{data: {path: 'builtin:iris'}, train: {dtype: float16}}", BP_CONFIG,
         "train.dtype must be float32, float64 or bfloat16"},
        {"{data: {path: 'builtin:iris'}, train: {max_time: soon}}", BP_CONFIG, "train.max_time must be a time"},
        {"{data: {path: 'builtin:iris'}, train: {clip_norm: 0}}", BP_CONFIG, "train.clip_norm must be a number above 0"},
        {"{data: {path: 'builtin:iris'}, train: {on_divergence: panic}}", BP_CONFIG,
         "train.on_divergence must be rollback, stop or continue"},
        {"{data: {path: 'builtin:iris'}, train: {early_stopping: {metric: test.loss}}}", BP_CONFIG,
         "must be validation.NAME or train.NAME"},
        {"{data: {path: 'builtin:iris'}, train: {early_stopping: {metric: validation.acc}}}", BP_CONFIG, "no metric `acc`"},
        {"{data: {path: 'builtin:iris', split: {validation: 0}}, train: {early_stopping: {metric: validation.loss}}}", BP_CONFIG,
         "no validation set"},
        {"{data: {path: 'builtin:iris', split: {validation: 0.6, test: 0.5}}}", BP_CONFIG, "leave nothing to train on"},
        {"{data: {path: 'builtin:iris'}, task: guess}", BP_CONFIG, "task must be auto, classification or regression"},
        {"{data: {path: 'builtin:iris'}, loss: cros_entropy}", BP_CONFIG, "cros_entropy"},
        {"{data: {path: 'builtin:iris'}, optimizer: {adam: {lr: -1}}}", BP_CONFIG, "lr"},
        {"{data: {path: 'builtin:iris'}, model: [{liner: 4}]}", BP_CONFIG, "liner"},
        {"{data: {path: 'builtin:iris'}, model: [{linear: 4}], train: {epochs: 1}}", BP_SHAPE, "end it with {linear: 3}"},
        {"{data: {path: 'builtin:iris'}, loss: bce_with_logits}", BP_DATA, "two classes"},
        {"{data: {path: 'builtin:iris'}, metrics: [accurcy]}", BP_CONFIG, "accurcy"},
        {"{data: {path: 'builtin:iris'}, train: {class_weight: {rose: 2}}}", BP_DATA, "names the class rose"},
        {"{data: {path: 'builtin:iris', target: colour}}", BP_NOT_FOUND, "colour"},
        {"{data: {path: '/nowhere/at.csv'}}", BP_NOT_FOUND, "at.csv"},
        {"[1, 2]", BP_CONFIG, "a configuration is a mapping"},
    };
    for (int64_t i = 0; i < BP__COUNT(rows); i++) {
        bp_context *ctx = context(1, NULL, 0);
        bp_config *cfg = NULL;
        bp_run *run = NULL;
        bp_status status = bp_config_parse(&cfg, ctx, rows[i].text);
        if (status == BP_OK) status = bp_train(&run, cfg, NULL);
        if (status != rows[i].status || !strstr(bp_context_error(ctx), rows[i].part))
            fail_msg("%s gives %s: %s", rows[i].text, bp_status_name(status), bp_context_error(ctx));
        assert_null(run);
        bp_config_free(cfg);
        bp_context_free(ctx);
    }
}

static int set_up(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    static const char *const files[] = {"config.yaml",
                                        "model.safetensors",
                                        "metrics.csv",
                                        "decisions.jsonl",
                                        "record.json",
                                        "lock",
                                        "checkpoint.safetensors",
                                        "checkpoint.1.safetensors"},
                             *const dirs[] = {"run", "again"};
    for (int d = 0; d < 2; d++) {
        char path[400];
        for (int i = 0; i < BP__COUNT(files); i++) {
            snprintf(path, sizeof path, "%s/%s/%s", folder, dirs[d], files[i]);
            unlink(path);
        }
        rmdir(file_path(dirs[d]));
    }
    unlink(file_path("two.csv"));
    return rmdir(folder); /* fails when a test left a file */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracies),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_early_stopping),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_callbacks_and_divergence),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_predictions_are_the_scores),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
