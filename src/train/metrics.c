/* The table of metrics; which of them are wanted; and the scores of predictions. */
#include "train/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/train.h"

typedef struct row {
    bp__class_metric *classes; /* or NULL: of numbers */
    bp__number_metric *numbers;
    int how;
    bool higher_better, standard;
    bool vector; /* of numbers: all targets of a row at once */
} row;

#define WEIGHTS BP__K_BOOL("row_weights", 0)
#define NO_KEYS
#define CLASS_METRIC(name_, function_, how_, higher_, standard_, ...) \
    {.classes = (function_), .how = (how_), .higher_better = (higher_), .standard = (standard_)},
#define NUMBER_METRIC(name_, function_, how_, higher_, standard_, ...) \
    {.numbers = (function_), .how = (how_), .higher_better = (higher_), .standard = (standard_)},
#define VECTOR_METRIC(name_, function_, how_, higher_, standard_, ...) \
    {.numbers = (function_), .how = (how_), .higher_better = (higher_), .standard = (standard_), .vector = true},
static const row rows[] = {
#include "train/metrics.def"
    {.how = 0}, /* formula */
};
#undef CLASS_METRIC
#undef NUMBER_METRIC
#undef VECTOR_METRIC

#define KIND(name_, function_, how_, higher_, standard_, main_, help_, formula_, range_, source_, ...) \
    {.name = #name_,                                                                                   \
     .main = (main_),                                                                                  \
     .help = (help_),                                                                                  \
     .keys = (const bp__key[]){{0}, __VA_ARGS__} + 1,                                                  \
     .n_keys = (int)BP__COUNT(((const bp__key[]){{0}, __VA_ARGS__})) - 1},
#define CLASS_METRIC KIND
#define NUMBER_METRIC KIND
#define VECTOR_METRIC KIND
static const bp__key formula_keys[] = {
    {.name = "text", .type = BP__KEY_TEXT, .required = true},
    {.name = "name", .type = BP__KEY_TEXT, .standard_text = "formula"},
    BP__K_BOOL("higher_better", 0),
};
static const bp__kind kinds[] = {
#include "train/metrics.def"
    {.name = "formula",
     .main = "text",
     .help = "\"mean(abs(y - p))\": of the truth y and the prediction p of all rows (docs/formulas.md)",
     .keys = formula_keys,
     .n_keys = (int)BP__COUNT(formula_keys)},
};
enum { FORMULA = (int)BP__COUNT(kinds) - 1 };
#undef CLASS_METRIC
#undef NUMBER_METRIC
#undef VECTOR_METRIC

const char *bp__metric_name(int kind, const char **help) {
    if (kind < 0 || kind >= BP__COUNT(kinds)) return NULL;
    if (help) *help = kinds[kind].help;
    return kinds[kind].name;
}
bool bp__metric_higher_better(const bp__metric *m) { return m->kind == FORMULA ? m->value[0] != 0 : rows[m->kind].higher_better; }

/* AUTO: of both. */
static bp__task task_of(int kind) {
    return kind == FORMULA ? BP__TASK_AUTO : rows[kind].classes ? BP__CLASSIFICATION : BP__REGRESSION;
}

/* ---- Which are wanted ---- */

static int find(const bp__metrics *m, const char *name) {
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->at[i].name, name) == 0) return i;
    return -1;
}

static bp_status read_formula(bp__metric *out, const bp__choice_reader *r, const bp__tree *t, const bp__choice *c) {
    const char *text = bp__choice_option(c, "text")->text, *name = bp__choice_option(c, "name")->text;
    out->value[0] = bp__choice_option(c, "higher_better")->boolean;
    if (strlen(text) >= sizeof out->text || strlen(name) >= sizeof out->name || !name[0])
        return bp__choice_fail(r, t, "a formula has at most %d characters, its name from 1 to %d", BP__METRIC_TEXT - 1,
                               (int)sizeof out->name - 1);
    snprintf(out->text, sizeof out->text, "%s", text);
    snprintf(out->name, sizeof out->name, "%s", name);
    return bp__formula_check(r->ctx, r->file, c->line, text);
}

/* A name or {name: parameters}, once. */
static bp_status add(bp__metrics *m, bp_context *ctx, const char *file, const char *where, const bp__tree *t, int *index) {
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "metric", .where = where, .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    bp__choice c;
    BP_TRY(bp__choice_read(&r, t, &c));
    bp__metric one = {.kind = c.index};
    size_t used = (size_t)snprintf(one.name, sizeof one.name, "%s", c.kind->name);
    if (c.index == FORMULA) BP_TRY(read_formula(&one, &r, t, &c));
    for (int i = 0; i < c.kind->n_keys && c.index != FORMULA; i++) {
        const bp__key *key = &c.kind->keys[i];
        const bp__option *o = bp__choice_option(&c, key->name);
        char text[40] = "";
        double v = key->type == BP__KEY_BOOL ? o->boolean : key->type == BP__KEY_INT ? (double)o->integer : o->number;
        if (strcmp(key->name, "row_weights") == 0)
            one.by_weight = o->boolean;
        else
            one.value[i] = v;
        if (v == key->standard) continue;
        bp__format_f64(text, v);
        used += (size_t)snprintf(one.name + used, sizeof one.name - used, "_%s", key->type == BP__KEY_BOOL ? key->name : text);
        if (used >= sizeof one.name) return bp__choice_fail(&r, t, "the parameters of `%s` are too long", c.kind->name);
    }
    *index = find(m, one.name);
    if (*index >= 0) return BP_OK;
    if (m->n == BP__MAX_METRICS) return bp__choice_fail(&r, t, "there are more than %d of them", BP__MAX_METRICS);
    *index = m->n;
    m->at[m->n++] = one;
    return BP_OK;
}

bp_status bp__metrics_read(bp__metrics *out, bp_context *ctx, const char *file, const bp__tree *list) {
    int index;
    *out = (bp__metrics){.given = list != NULL};
    for (int i = 0; !list && i < BP__COUNT(kinds); i++) {
        bp__tree name = {.kind = BP__TEXT, .text = (char *)(uintptr_t)kinds[i].name};
        if (rows[i].standard) BP_TRY(add(out, ctx, file, "metrics", &name, &index));
    }
    if (list && list->kind != BP__LIST)
        return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "bad_value", .file = file, .line = list->line},
                           "metrics must be a list, such as [f1_macro, {top_k: 5}]");
    for (const bp__tree *c = list ? list->child : NULL; c; c = c->next) BP_TRY(add(out, ctx, file, "metrics", c, &index));
    return BP_OK;
}

bp_status bp__metrics_want(bp__metrics *m, bp_context *ctx, const char *file, const char *where, const bp__tree *at,
                           const char *name, int *index) {
    bp__tree one = {.kind = BP__TEXT, .text = (char *)(uintptr_t)name, .line = at ? at->line : 0};
    *index = -1;
    if (strcmp(name, "loss") == 0) return BP_OK;
    *index = find(m, name);
    if (*index < 0) BP_TRY(add(m, ctx, file, where, &one, index));
    m->at[*index].wanted = true;
    return BP_OK;
}

bp_status bp__metrics_fit(bp__metrics *m, bp_context *ctx, const char *file, bp__task task) {
    int n = 0;
    for (int i = 0; i < m->n; i++) {
        bool fits = m->at[i].kind == FORMULA || task_of(m->at[i].kind) == task;
        if (!fits && (m->given || m->at[i].wanted || !rows[m->at[i].kind].standard))
            return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "metric_of_other_task", .file = file},
                               "the metric %s is one of %s, and the task is %s", m->at[i].name,
                               bp__task_name(task_of(m->at[i].kind)), bp__task_name(task));
        if (fits) m->at[n++] = m->at[i];
    }
    m->n = n;
    return BP_OK;
}

bool bp__metrics_by_weight(const bp__metrics *m) {
    for (int i = 0; i < m->n; i++)
        if (m->at[i].by_weight) return true;
    return false;
}

const char *bp__metrics_headline(const bp__metrics *m, bp__task task) {
    if (m->given) return m->n ? m->at[0].name : NULL;
    return task == BP__CLASSIFICATION ? "accuracy" : "rmse";
}

/* ---- Computing ---- */

/* The sums of rows per class that most metrics need. */
static void sum_rows(bp__class_rows *r, double *sums) {
    double *truth = sums, *guessed = truth + r->k + 1, *hit = guessed + r->k + 1;
    for (int64_t i = 0; i < r->n; i++) {
        double w = bp__row_weight(r->w, i);
        r->total += w;
        truth[r->label[i]] += w;
        guessed[r->guess[i]] += w;
        if (r->label[i] == r->guess[i]) hit[r->label[i]] += w;
    }
    r->truth = truth;
    r->guessed = guessed;
    r->hit = hit;
}

static int64_t likeliest(const double *p, int64_t k) {
    int64_t best = 0;
    for (int64_t c = 1; c < k; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

static bp_status of_classes(double *out, const bp__metrics *m, const bp__scored_rows *r) {
    int64_t n = r->n, k = r->columns;
    size_t bytes = sizeof(int64_t) * 2 * (size_t)n, sum_bytes = sizeof(double) * 6 * (size_t)(k + 1);
    int64_t *label = bp__alloc(r->ctx, bytes + 1), *guess = label + n;
    double *sums = bp__zalloc(r->ctx, sum_bytes);
    bp_status status = label && sums ? BP_OK : bp__out_of_memory(r->ctx, bytes + sum_bytes);
    bp__class_rows plain = {.ctx = r->ctx, .n = n, .k = k, .p = r->p, .label = label, .guess = guess}, weighted;
    for (int64_t i = 0; i < n && status == BP_OK; i++) {
        label[i] = r->label[i] < 0 ? k : r->label[i];
        guess[i] = likeliest(r->p + i * k, k);
    }
    if (status == BP_OK) {
        weighted = plain;
        weighted.w = r->weight;
        sum_rows(&plain, sums);
        if (r->weight) sum_rows(&weighted, sums + 3 * (k + 1));
    }
    for (int i = 0; i < m->n && status == BP_OK; i++) {
        const bp__metric *one = &m->at[i];
        const row *f = &rows[one->kind];
        if (one->by_weight && !r->weight) continue;
        if (f->classes) status = f->classes(&out[i], one->by_weight ? &weighted : &plain, f->how, one->value);
    }
    bp__free(r->ctx, label);
    bp__free(r->ctx, sums);
    return status;
}

/* Adds its part of the mean over the targets to each metric of one target, or of all at once; NaN where a value is not finite. */
static bp_status add_numbers(double *out, const bp__metrics *m, bp__number_rows plain, const double *weight, bool vector,
                             int64_t targets) {
    bool finite = true;
    double total = 0;
    for (int64_t i = 0; i < plain.n * plain.columns; i++) finite = finite && isfinite(plain.y[i]) && isfinite(plain.p[i]);
    for (int64_t i = 0; i < plain.n; i++) total += bp__row_weight(weight, i);
    bp__number_rows weighted = plain;
    plain.total = (double)plain.n;
    weighted.w = weight;
    weighted.total = total;
    for (int i = 0; i < m->n; i++) {
        const bp__metric *one = &m->at[i];
        const row *f = &rows[one->kind];
        double x = (double)NAN;
        if (!f->numbers || f->vector != vector) continue;
        if (finite && (weight || !one->by_weight))
            BP_TRY(f->numbers(&x, one->by_weight ? &weighted : &plain, f->how, one->value));
        out[i] += x / (double)targets;
    }
    return BP_OK;
}

/* The mean over the targets. */
static bp_status of_numbers(double *out, const bp__metrics *m, const bp__scored_rows *r) {
    int64_t n = r->n, k = r->columns;
    size_t bytes = sizeof(double) * 2 * (size_t)n;
    double *y = bp__alloc(r->ctx, bytes + 1), *p = y + n;
    if (!y) return bp__out_of_memory(r->ctx, bytes);
    bp__number_rows all = {.ctx = r->ctx, .n = n, .columns = k, .y = r->y, .p = r->p},
                    one = {.ctx = r->ctx, .n = n, .columns = 1, .y = y, .p = p};
    for (int i = 0; i < m->n; i++) out[i] = rows[m->at[i].kind].numbers ? 0 : (double)NAN;
    bp_status status = add_numbers(out, m, all, r->weight, true, 1);
    for (int64_t t = 0; t < k && status == BP_OK; t++) {
        for (int64_t i = 0; i < n; i++) {
            y[i] = r->y[i * k + t];
            p[i] = r->p[i * k + t];
        }
        status = add_numbers(out, m, one, r->weight, false, k);
    }
    bp__free(r->ctx, y);
    return status;
}

bp_status bp__metrics_compute(double *out, const bp__metrics *m, const bp__scored_rows *r) {
    for (int i = 0; i < m->n; i++) out[i] = (double)NAN;
    if (r->n == 0 || m->n == 0) return BP_OK;
    BP_TRY(r->label ? of_classes(out, m, r) : of_numbers(out, m, r));
    for (int i = 0; i < m->n; i++)
        if (m->at[i].kind == FORMULA) BP_TRY(bp__formula_metric(&out[i], m->at[i].text, r));
    return BP_OK;
}

/* ---- Scores of a set ---- */

void bp__scores_free(bp_context *ctx, bp__scores *s) {
    bp__free(ctx, s->confusion);
    s->confusion = NULL;
}

double bp__scores_get(const bp__scores *s, const char *name) {
    if (name && strcmp(name, "loss") == 0) return s->loss;
    int i = name && s->metrics ? find(s->metrics, name) : -1;
    return i >= 0 ? s->metric[i] : (double)NAN;
}

static bp_status count(bp__scores *out, const bp__dataset *d, const int64_t *rows_of, int64_t n, const double *p) {
    int64_t k = d->n_classes;
    out->n_classes = k;
    out->confusion = bp__zalloc(d->ctx, sizeof(int64_t) * (size_t)(k * k));
    if (!out->confusion) return bp__out_of_memory(d->ctx, sizeof(int64_t) * (size_t)(k * k));
    for (int64_t i = 0; i < n; i++) {
        int64_t truth = d->label[rows_of[i]];
        if (truth < 0)
            out->n_unknown++;
        else
            out->confusion[truth * k + likeliest(p + i * k, k)]++;
    }
    return BP_OK;
}

/* The chosen rows as the metrics want them: labels, or targets and predictions in the targets' units. */
static bp_status score(bp__scores *out, const bp__dataset *d, const int64_t *rows_of, int64_t n, const double *p) {
    bool of_class = d->task == BP__CLASSIFICATION, by_weight = d->weight && bp__metrics_by_weight(out->metrics);
    int64_t k = of_class ? d->n_classes : d->n_targets, values = of_class ? 0 : n * k;
    size_t bytes = sizeof(double) * (size_t)(2 * values + (by_weight ? n : 0)), label_bytes = sizeof(int64_t) * (size_t)n;
    double *y = bp__alloc(d->ctx, bytes + 1), *restored = y + values, *weight = restored + values;
    int64_t *label = of_class ? bp__alloc(d->ctx, label_bytes) : NULL;
    bp_status status = y && (label || !of_class) ? BP_OK : bp__out_of_memory(d->ctx, bytes + label_bytes);
    for (int64_t i = 0; i < n && status == BP_OK; i++) {
        if (label) label[i] = d->label[rows_of[i]];
        if (by_weight) weight[i] = (double)d->weight[rows_of[i]];
        for (int64_t t = 0; t < k && !label; t++) {
            y[i * k + t] = bp__dataset_target(d, rows_of[i], t);
            restored[i * k + t] = bp__target_restore(d->prep, t, p[i * k + t]);
        }
    }
    bp__scored_rows r = {.ctx = d->ctx,
                         .n = n,
                         .columns = k,
                         .p = of_class ? p : restored,
                         .label = label,
                         .y = y,
                         .weight = by_weight ? weight : NULL};
    if (status == BP_OK) status = bp__metrics_compute(out->metric, out->metrics, &r);
    bp__free(d->ctx, y);
    bp__free(d->ctx, label);
    return status;
}

/* Of the mean loss of rows drawn independently: sqrt(sum of w^2 (loss - mean)^2) / sum of w. */
static double standard_error(const bp__dataset *d, const int64_t *rows_of, int64_t n, const double *row_loss, const float *weight,
                             double mean, double weights) {
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        if (d->label && d->label[rows_of[i]] < 0) continue;
        double off = (weight ? (double)weight[rows_of[i]] : 1) * (row_loss[i] - mean);
        square += off * off;
    }
    return sqrt(square) / weights;
}

bp_status bp__scores_compute(bp__scores *out, const bp__metrics *m, const bp__dataset *d, const int64_t *rows_of, int64_t n,
                             const double *p, const double *row_loss, const float *weight) {
    *out = (bp__scores){.n = n, .loss = (double)NAN, .metrics = m, .n_metrics = m->n};
    for (int i = 0; i < m->n; i++) out->metric[i] = (double)NAN;
    if (n == 0) return BP_OK;
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < n; i++) {
        if (d->label && d->label[rows_of[i]] < 0) continue;
        double w = weight ? (double)weight[rows_of[i]] : 1;
        sum += w * row_loss[i];
        weights += w;
    }
    if (weights > 0) out->loss = sum / weights;
    out->loss_error = standard_error(d, rows_of, n, row_loss, weight, out->loss, weights);
    if (d->task == BP__CLASSIFICATION) BP_TRY(count(out, d, rows_of, n, p));
    return score(out, d, rows_of, n, p);
}
