/* Scores of predictions, by scikit-learn's formulas, in double precision and in one fixed order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/train.h"

static const struct {
    const char *name, *help;
    bp__task task;
    bool higher_better;
} table[BP__N_METRICS] = {
    [BP__ACCURACY] = {"accuracy", "share of rows predicted right", BP__CLASSIFICATION, true},
    [BP__BALANCED_ACCURACY] = {"balanced_accuracy", "mean over the classes of the share predicted right", BP__CLASSIFICATION,
                               true},
    [BP__F1_MACRO] = {"f1_macro", "mean over the classes of 2 TP / (2 TP + FP + FN)", BP__CLASSIFICATION, true},
    [BP__AUC] = {"auc", "area under the ROC curve; more than two classes: mean of each against the rest", BP__CLASSIFICATION,
                 true},
    [BP__MSE] = {"mse", "mean of the squared errors, in the target's unit", BP__REGRESSION, false},
    [BP__RMSE] = {"rmse", "root of mse", BP__REGRESSION, false},
    [BP__MAE] = {"mae", "mean of the absolute errors", BP__REGRESSION, false},
    [BP__R2] = {"r2", "1 - squared errors / squared deviations from the mean", BP__REGRESSION, true},
};

const char *bp__metric_name(int metric, const char **help) {
    if (metric < 0 || metric >= BP__N_METRICS) return NULL;
    if (help) *help = table[metric].help;
    return table[metric].name;
}
bool bp__metric_of(int metric, bp__task task) { return table[metric].task == task; }
bool bp__metric_higher_better(int metric) { return table[metric].higher_better; }

void bp__scores_free(bp_context *ctx, bp__scores *s) {
    bp__free(ctx, s->confusion);
    s->confusion = NULL;
}

double bp__scores_get(const bp__scores *s, const char *name) {
    if (strcmp(name, "loss") == 0) return s->loss;
    for (int i = 0; i < BP__N_METRICS; i++)
        if (strcmp(name, table[i].name) == 0) return s->metric[i];
    return (double)NAN;
}

/* ---- Classes ---- */

static void class_scores(bp__scores *out) {
    int64_t k = out->n_classes, present = 0, named = 0, right = 0;
    double recalls = 0, f1 = 0;
    for (int64_t c = 0; c < k; c++) {
        int64_t truth = 0, guessed = 0, hit = out->confusion[c * k + c];
        for (int64_t j = 0; j < k; j++) {
            truth += out->confusion[c * k + j];
            guessed += out->confusion[j * k + c];
        }
        right += hit;
        if (truth > 0) {
            recalls += (double)hit / (double)truth;
            present++;
        }
        if (truth + guessed > 0) {
            f1 += 2.0 * (double)hit / (double)(truth + guessed);
            named++;
        }
    }
    out->metric[BP__ACCURACY] = (double)right / (double)out->n;
    if (present) out->metric[BP__BALANCED_ACCURACY] = recalls / (double)present;
    if (named) out->metric[BP__F1_MACRO] = f1 / (double)named;
}

typedef struct scored {
    double p;
    int64_t positive;
} scored;
static int by_score(const void *a, const void *b) {
    double x = ((const scored *)a)->p, y = ((const scored *)b)->p;
    return (x > y) - (x < y);
}

/* The chance that a row of the class has a higher p than one of another; ties count half. NaN: no such pair. */
static double area(scored *v, int64_t n) {
    if (n == 0) return (double)NAN;
    qsort(v, (size_t)n, sizeof *v, by_score);
    double below = 0, pairs = 0, positives = 0;
    for (int64_t i = 0; i < n;) {
        int64_t end = i;
        double plus = 0, minus = 0;
        for (; end < n && v[end].p == v[i].p; end++) {
            if (v[end].positive)
                plus++;
            else
                minus++;
        }
        pairs += plus * (below + minus / 2);
        below += minus;
        positives += plus;
        i = end;
    }
    return positives > 0 && below > 0 ? pairs / (positives * below) : (double)NAN;
}

static bp_status auc(bp__scores *out, const bp__dataset *d, const int64_t *rows, int64_t n, const double *p) {
    int64_t k = out->n_classes;
    scored *v = bp__alloc(d->ctx, sizeof *v * (size_t)n);
    if (!v) return bp__out_of_memory(d->ctx, sizeof *v * (size_t)n);
    double sum = 0;
    for (int64_t c = k == 2 ? 1 : 0; c < k; c++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++) {
            double value = p[i * k + c];
            if (d->label[rows[i]] < 0 || value != value) continue;
            v[m++] = (scored){value, d->label[rows[i]] == c};
        }
        sum += area(v, m);
    }
    out->metric[BP__AUC] = sum / (double)(k == 2 ? 1 : k);
    bp__free(d->ctx, v);
    return BP_OK;
}

static bp_status classes(bp__scores *out, const bp__dataset *d, const int64_t *rows, int64_t n, const double *p) {
    int64_t k = d->n_classes;
    out->n_classes = k;
    out->confusion = bp__zalloc(d->ctx, sizeof(int64_t) * (size_t)(k * k));
    if (!out->confusion) return bp__out_of_memory(d->ctx, sizeof(int64_t) * (size_t)(k * k));
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0, truth = d->label[rows[i]];
        for (int64_t c = 1; c < k; c++)
            if (p[i * k + c] > p[i * k + best]) best = c;
        if (truth < 0)
            out->n_unknown++;
        else
            out->confusion[truth * k + best]++;
    }
    class_scores(out);
    return auc(out, d, rows, n, p);
}

/* ---- Numbers ---- */

static void numbers(bp__scores *out, const bp__dataset *d, const int64_t *rows, int64_t n, const double *p) {
    int64_t k = d->n_targets;
    double squares = 0, sizes = 0, r2 = 0;
    for (int64_t t = 0; t < k; t++) {
        double mean = 0, error = 0, spread = 0;
        for (int64_t i = 0; i < n; i++) mean += bp__dataset_target(d, rows[i], t);
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) {
            double truth = bp__dataset_target(d, rows[i], t), e = bp__target_restore(d->prep, t, p[i * k + t]) - truth;
            error += e * e;
            sizes += fabs(e);
            spread += (truth - mean) * (truth - mean);
        }
        squares += error;
        r2 += spread > 0 ? 1 - error / spread : (double)NAN;
    }
    double count = (double)n * (double)k;
    out->metric[BP__MSE] = squares / count;
    out->metric[BP__RMSE] = sqrt(out->metric[BP__MSE]);
    out->metric[BP__MAE] = sizes / count;
    out->metric[BP__R2] = r2 / (double)k;
}

bp_status bp__scores_compute(bp__scores *out, const bp__dataset *d, const int64_t *rows, int64_t n, const double *p,
                             const double *row_loss, const float *weight) {
    *out = (bp__scores){.n = n, .loss = (double)NAN};
    for (int i = 0; i < BP__N_METRICS; i++) out->metric[i] = (double)NAN;
    if (n == 0) return BP_OK;
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < n; i++) {
        if (d->label && d->label[rows[i]] < 0) continue;
        double w = weight ? (double)weight[rows[i]] : 1;
        sum += w * row_loss[i];
        weights += w;
    }
    if (weights > 0) out->loss = sum / weights;
    if (d->task == BP__CLASSIFICATION) return classes(out, d, rows, n, p);
    numbers(out, d, rows, n, p);
    return BP_OK;
}
