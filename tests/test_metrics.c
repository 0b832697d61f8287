/* Every metric of the table against scikit-learn's numbers (tests/golden/make_golden_metrics.py), and what they have no numbers
   for: labels that are not known, values that are not finite, names, and what a configuration may choose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"
#include "io/yaml.h"
#include "train/train.h"

static bp_context *ctx;

static int set_up(void **state) {
    (void)state;
    return bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}) == BP_OK ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    bp_context_free(ctx);
    return 0;
}

#define OK(expression)                                                                     \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

/* The metrics of a list as a configuration writes it. */
static bp_status metrics_of(bp__metrics *out, const char *list) {
    bp__tree *tree = NULL;
    OK(bp__yaml_parse(ctx, list, strlen(list), "list", &tree));
    bp_status status = bp__metrics_read(out, ctx, NULL, tree);
    bp__tree_free(ctx, tree);
    return status;
}

static double score(const char *metric, const bp__scored_rows *r) {
    static bp__metrics m;
    char list[160];
    double out[BP__MAX_METRICS];
    snprintf(list, sizeof list, "[%s]", metric);
    OK(metrics_of(&m, list));
    assert_int_equal(m.n, 1);
    OK(bp__metrics_compute(out, &m, r));
    return out[0];
}

/* ---- Golden values ---- */

static const bp__st_tensor *part(const bp__st_file *file, const char *scores, const char *name) {
    char full[160];
    snprintf(full, sizeof full, "%.*s/%s", (int)(strchr(scores, '/') - scores), scores, name);
    return bp__safetensors_find(file, full);
}

static void test_golden(void **state) {
    (void)state;
    bp__st_file *file = NULL;
    bool seen[200] = {false};
    int64_t n_scores = 0;
    OK(bp__safetensors_open(ctx, "tests/golden/metrics.safetensors", &file));
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const char *name = file->tensors[i].name, *metric = strstr(name, "/out/");
        if (!metric) continue;
        const bp__st_tensor *p = part(file, name, "p"), *label = part(file, name, "label"), *y = part(file, name, "y"),
                            *w = part(file, name, "weight");
        assert_true(p && w && (label || y));
        bp__scored_rows r = {.ctx = ctx,
                             .n = p->dims[0],
                             .columns = p->dims[1],
                             .p = p->data,
                             .label = label ? label->data : NULL,
                             .y = y ? y->data : NULL,
                             .weight = w->data};
        double want = *(const double *)file->tensors[i].data, got = score(metric + 5, &r);
        if (!(isnan(want) && isnan(got)) && !(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
            fail_msg("%s: %.17g, not %.17g", name, got, want);
        for (int k = 0; bp__metric_name(k, NULL); k++) {
            size_t length = strlen(bp__metric_name(k, NULL));
            const char *at = metric + 5 + (metric[5] == '{');
            assert_true(k < 200);
            if (strncmp(at, bp__metric_name(k, NULL), length) == 0 && (at[length] == 0 || at[length] == ':') && !isnan(want))
                seen[k] = true;
        }
        n_scores++;
    }
    for (int k = 0; bp__metric_name(k, NULL); k++)
        if (!seen[k] && strcmp(bp__metric_name(k, NULL), "formula") != 0) /* the user's own: tests/cli/formula_loss.sh */
            fail_msg("no golden value of %s", bp__metric_name(k, NULL));
    assert_true(n_scores > 1000);
    bp__safetensors_close(file);
}

/* ---- What has no reference ---- */

/* A label that the model does not know is a class that is never predicted, and has no probability. */
static void test_unknown_labels(void **state) {
    (void)state;
    static const double p[] = {0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.3, 0.7};
    static const int64_t label[] = {0, 1, -1, -1}, known[] = {0, 1, 2, 2};
    static const double p3[] = {0.9, 0.1, 0, 0.2, 0.8, 0, 0.6, 0.4, 0, 0.3, 0.7, 0};
    bp__scored_rows r = {.ctx = ctx, .n = 4, .columns = 2, .p = p, .label = label},
                    third = {.ctx = ctx, .n = 4, .columns = 3, .p = p3, .label = known};
    static const char *const same[] = {"accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "mcc", "cohen_kappa",
                                       "ece",      "zero_one",          "g_mean"};
    for (int64_t i = 0; i < BP__COUNT(same); i++) {
        double a = score(same[i], &r), b = score(same[i], &third);
        if (!(fabs(a - b) < 1e-15)) fail_msg("%s: %g, not %g", same[i], a, b);
    }
    assert_true(score("accuracy", &r) == 0.5);
    assert_true(score("precision", &r) == 0.5); /* of two rows called the second, one is */
    assert_true(score("auc", &r) == 1 && score("f1_max", &r) == 1 && score("{precision_at_recall: 1}", &r) == 1);
    assert_true(score("true_positives", &r) == 1 && score("false_positives", &r) == 1);
    assert_true(score("true_negatives", &r) == 2 && score("false_negatives", &r) == 0);
    assert_true(isnan(score("true_positives", &third))); /* of two classes only */
    assert_true(score("hinge", &r) == 0);                /* 0.9 against 0.1 and 0.8 against 0.2 are margins over 1 */
    assert_true(fabs(score("log_loss", &r) + (log(0.9) + log(0.8)) / 2) < 1e-15);
}

/* A rate that is just what is asked for is enough: 2 of 10 is 0.2, which 1 - 8 / 10 is not. */
static void test_rate_reached(void **state) {
    (void)state;
    enum { N = 11 };
    double p[2 * N];
    int64_t label[N];
    for (int i = 0; i < N; i++) { /* 8 rows of the first class above the only one of the second, 2 below */
        p[2 * i + 1] = i < 8 ? 0.9 : i == 8 ? 0.5 : 0.1;
        p[2 * i] = 1 - p[2 * i + 1];
        label[i] = i == 8;
    }
    bp__scored_rows r = {.ctx = ctx, .n = N, .columns = 2, .p = p, .label = label};
    assert_true(score("{sensitivity_at_specificity: 0.2}", &r) == 1);
    assert_true(score("{sensitivity_at_specificity: 0.21}", &r) == 0);
    assert_true(score("{specificity_at_sensitivity: 1}", &r) == 0.2);
}

static void test_not_finite(void **state) {
    (void)state;
    static const double p[] = {0.9, 0.1, (double)NAN, (double)NAN, 0.6, 0.4}, y[] = {1, 2, 3};
    static const double q[] = {1, (double)INFINITY, 2};
    static const int64_t label[] = {0, 1, 1};
    bp__scored_rows r = {.ctx = ctx, .n = 3, .columns = 2, .p = p, .label = label},
                    number = {.ctx = ctx, .n = 3, .columns = 1, .p = q, .y = y};
    static const char *const of_p[] = {"auc", "average_precision", "log_loss", "brier", "ece", "f1_max", "hinge"};
    for (int64_t i = 0; i < BP__COUNT(of_p); i++) assert_true(isnan(score(of_p[i], &r)));
    static const char *const of_y[] = {"mse",  "r2",          "spearman",         "max_error", "median_absolute_error",
                                       "mase", "concordance", "cosine_similarity"};
    for (int64_t i = 0; i < BP__COUNT(of_y); i++) assert_true(isnan(score(of_y[i], &number)));
    r.n = number.n = 0;
    assert_true(isnan(score("accuracy", &r)) && isnan(score("mse", &number)));
}

/* The order that sorting gives: against qsort, with equal values, both zeros and all magnitudes. */
static const double *sorted_by;
static int by_value(const void *a, const void *b) {
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    double x = sorted_by[i], y = sorted_by[j];
    return x < y ? -1 : x > y ? 1 : i < j ? -1 : i > j;
}
static void test_order(void **state) {
    (void)state;
    enum { N = 3000 };
    static double v[N];
    static int64_t got[N], want[N];
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < N; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        v[i] = ldexp((double)(int64_t)(bits % 41) - 20, (int)(bits >> 32) % 60 - 30);
        if (i % 7 == 0) v[i] = i % 2 ? 0.0 : -0.0;
        if (i % 501 == 0) v[i] = i % 2 ? HUGE_VAL : -HUGE_VAL;
        want[i] = i;
    }
    sorted_by = v;
    qsort(want, N, sizeof *want, by_value);
    OK(bp__order_of(got, ctx, v, N));
    assert_memory_equal(got, want, sizeof got);
    OK(bp__order_of(got, ctx, v, 0));
}

/* ---- Choosing ---- */

static void test_choice(void **state) {
    (void)state;
    static bp__metrics m;
    OK(metrics_of(&m, "[mcc, {f_beta: 2}, {f_beta: {beta: 1}}, {top_k: {k: 5}}, {ece: {bins: 10, row_weights: true}}, "
                      "{balanced_accuracy: {adjusted: true}}, mcc, {pinball: {alpha: 0.9}}]"));
    static const char *const names[] = {
        "mcc", "f_beta_2", "f_beta", "top_k_5", "ece_10_row_weights", "balanced_accuracy_adjusted", "pinball_0.9"};
    assert_int_equal(m.n, BP__COUNT(names));
    for (int i = 0; i < m.n; i++) assert_string_equal(m.at[i].name, names[i]);
    assert_true(bp__metric_higher_better(&m.at[0]) && !bp__metric_higher_better(&m.at[4]));
    assert_string_equal(bp__metrics_headline(&m, BP__CLASSIFICATION), "mcc");
    int index;
    OK(bp__metrics_want(&m, ctx, NULL, "here", NULL, "top_k_5", &index));
    assert_int_equal(index, 3);
    OK(bp__metrics_want(&m, ctx, NULL, "here", NULL, "brier", &index));
    assert_true(index == BP__COUNT(names) && m.n == index + 1 && strcmp(m.at[index].name, "brier") == 0);
    OK(bp__metrics_want(&m, ctx, NULL, "here", NULL, "loss", &index));
    assert_int_equal(index, -1);
    assert_int_equal(bp__metrics_fit(&m, ctx, NULL, BP__CLASSIFICATION), BP_CONFIG);
    assert_non_null(strstr(bp_context_error(ctx), "pinball_0.9"));
    bp_context_clear_error(ctx);
    /* The default set is that of the task. */
    OK(bp__metrics_read(&m, ctx, NULL, NULL));
    OK(bp__metrics_fit(&m, ctx, NULL, BP__REGRESSION));
    assert_true(m.n == 4 && strcmp(m.at[0].name, "mse") == 0 && strcmp(m.at[3].name, "r2") == 0);
    assert_string_equal(bp__metrics_headline(&m, BP__REGRESSION), "rmse");
    static const struct {
        const char *list, *message, *hint;
    } wrong[] = {{"[acuracy]", "acuracy", "accuracy"},
                 {"[{top_k: {n: 5}}]", "`top_k` has no option `n`", "k"},
                 {"[{top_k: 0}]", "k", NULL},
                 {"[precision_at_recall]", "`precision_at_recall` needs `recall`", NULL},
                 {"[{sensitivity_at_specificity: 1.5}]", "`specificity` must be at least 0 and at most 1", NULL},
                 {"[{pearson: {row_weights: true}}]", "`pearson` takes no options", NULL},
                 {"[{ece: {bins: 2.5}}]", "bins", NULL},
                 {"accuracy", "must be a list", NULL}};
    for (int64_t i = 0; i < BP__COUNT(wrong); i++) {
        bp_error e = {.size = sizeof e};
        assert_int_equal(metrics_of(&m, wrong[i].list), BP_CONFIG);
        bp_context_get_error(ctx, &e);
        if (!strstr(e.message, wrong[i].message)) fail_msg("%s: %s", wrong[i].list, e.message);
        if (wrong[i].hint && !(e.hint && strstr(e.hint, wrong[i].hint))) fail_msg("%s: hint %s", wrong[i].list, e.hint);
        bp_context_clear_error(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),       cmocka_unit_test(test_unknown_labels),
                                       cmocka_unit_test(test_rate_reached), cmocka_unit_test(test_not_finite),
                                       cmocka_unit_test(test_order),        cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
