/* The task, its classes and its numbers: decided once on the training data, with the reason in words. */
#include "data/target.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math64.h"

static const char *const task_names[] = {"auto", "classification", "regression", "multilabel"};
static const char *const normalize_names[] = {"auto", "none", "standard", "minmax", "robust", "log"};

const char *bp__task_name(bp__task task) { return task_names[task]; }
const char *bp__normalize_name(bp__normalize n) { return normalize_names[n]; }

bool bp__task_find(bp__task *out, const char *name) {
    for (int64_t i = 0; i < BP__COUNT(task_names); i++)
        if (strcmp(task_names[i], name) == 0) {
            *out = (bp__task)i;
            return true;
        }
    return false;
}

bool bp__normalize_find(bp__normalize *out, const char *name) {
    for (int64_t i = 0; i < BP__COUNT(normalize_names); i++)
        if (strcmp(normalize_names[i], name) == 0) {
            *out = (bp__normalize)i;
            return true;
        }
    return false;
}

static bp_status set_cell(bp__table *t, const bp__array *a, int64_t row, int64_t column, const char *file) {
    int64_t i = row * t->n_columns + column;
    double v = bp__array_get(a, i);
    if (!isfinite(v))
        return bp__fail_at(t->ctx, BP_DATA, (bp__where){.code = "not_finite", .file = file, .hint = "leave the row out"},
                           "row %lld of the labels in %s (rows count from 0) is %s", (long long)row, file,
                           isnan(v) ? "nan" : "infinite");
    if (a->boolean) return bp__table_set(t, row, column, v != 0 ? "True" : "False", v != 0 ? 4 : 5);
    t->columns[column].cells[row] = v == 0 ? 0 : v;
    return BP_OK;
}

bp_status bp__target_table(bp__table **out, bp_context *ctx, const bp__array *labels, const char *file) {
    int64_t n = labels->shape[0], k = labels->size / n;
    if (k > BP__MAX_TARGETS)
        return bp__fail_at(ctx, BP_SHAPE, (bp__where){.code = "targets", .file = file},
                           "%s has %lld targets a row; at most %d are known", file, (long long)k, BP__MAX_TARGETS);
    BP_TRY(bp__table_new(out, ctx, k));
    bp__table *t = *out;
    bp_status status = BP_OK;
    for (int64_t i = 0; i < k && status == BP_OK; i++) {
        char name[32];
        int length =
            k == 1 ? snprintf(name, sizeof name, "target") : snprintf(name, sizeof name, "target_%lld", (long long)i + 1);
        status = bp__table_name(t, i, name, (size_t)length);
    }
    for (int64_t r = 0; r < n && status == BP_OK; r++) {
        status = bp__table_add_row(t, 0);
        for (int64_t i = 0; i < k && status == BP_OK; i++) status = set_cell(t, labels, r, i, file);
    }
    bp__free(ctx, t->lines);
    t->lines = NULL;
    if (status != BP_OK) {
        bp__table_free(t);
        *out = NULL;
    }
    return status;
}

/* ---- The task ---- */

/* Several targets that are classes are labels, any number of them true. */
static bp__task task_of_loss(const bp__data_options *o, int64_t n_targets) {
    return o->loss_task == BP__CLASSIFICATION && n_targets > 1 ? BP__MULTILABEL : o->loss_task;
}

static bp_status task_of_one(bp__prep *p, const bp__target_view *v, char *why, size_t size) {
    bp__column_info info;
    BP_TRY(bp__column_infer(&info, v->table, v->columns[0]));
    const char *name = v->table->columns[v->columns[0]].name;
    long long n = (long long)info.n_distinct;
    bool numbers = info.n_texts == 0 || info.type == BP__NUMBER;
    p->task = BP__CLASSIFICATION;
    if (!numbers)
        snprintf(why, size, "classification: %s holds %s, %lld different", name,
                 info.type == BP__BOOLEAN ? "yes and no"
                 : info.type == BP__DATE  ? "dates"
                                          : "texts",
                 n);
    else if (v->whole_array)
        snprintf(why, size, "classification: the labels are an array of whole numbers, %lld different", n);
    else if (info.whole && info.n_distinct <= 20)
        snprintf(why, size, "classification: %s holds whole numbers, %lld different (at most 20)", name, n);
    else {
        p->task = BP__REGRESSION;
        snprintf(why, size, "regression: %s holds %s, %lld different", name, info.whole ? "whole numbers" : "numbers", n);
    }
    return BP_OK;
}

static bp_status task_of_several(bp__prep *p, const bp__target_view *v, char *why, size_t size) {
    bool all_binary = true;
    for (int64_t i = 0; i < v->n; i++) {
        bp__column_info info;
        BP_TRY(bp__column_infer(&info, v->table, v->columns[i]));
        bool binary = info.type == BP__BOOLEAN || (info.n_texts == 0 && info.whole && info.low >= 0 && info.high <= 1);
        if (!binary && info.n_texts > 0 && info.type != BP__NUMBER)
            return bp__fail_at(
                p->ctx, BP_DATA,
                (bp__where){.code = "targets", .file = v->file, .hint = "several targets must be numbers, or yes and no"},
                "the target %s of %s is neither numbers nor yes and no", v->table->columns[v->columns[i]].name, v->file);
        all_binary = all_binary && binary;
    }
    p->task = all_binary ? BP__MULTILABEL : BP__REGRESSION;
    snprintf(why, size, "%s: %lld targets, %s", task_names[p->task], (long long)v->n,
             all_binary ? "each only 0 and 1" : "all numbers");
    return BP_OK;
}

static bp_status decide_task(bp__prep *p, const bp__target_view *v, const bp__data_options *o) {
    char why[256];
    p->task = o->task != BP__TASK_AUTO ? o->task : o->loss ? task_of_loss(o, v->n) : BP__TASK_AUTO;
    if (o->task != BP__TASK_AUTO)
        snprintf(why, sizeof why, "%s: as the configuration says", task_names[p->task]);
    else if (p->task != BP__TASK_AUTO)
        snprintf(why, sizeof why, "%s: the loss %s is for it", task_names[p->task], o->loss);
    else if (v->n == 1)
        BP_TRY(task_of_one(p, v, why, sizeof why));
    else
        BP_TRY(task_of_several(p, v, why, sizeof why));
    if (p->task == BP__CLASSIFICATION && v->n > 1)
        return bp__fail_at(p->ctx, BP_CONFIG,
                           (bp__where){.code = "targets", .file = v->file, .hint = "name one target, or say task: multilabel"},
                           "classification has one target, and %lld are given", (long long)v->n);
    p->task_why = bp__strdup(p->ctx, why);
    return p->task_why ? BP_OK : bp__out_of_memory(p->ctx, strlen(why));
}

/* ---- Classes ---- */

static bool known(const bp__data_options *o, const char *name) {
    for (int64_t i = 0; i < o->n_known_classes; i++)
        if (strcmp(o->known_classes[i], name) == 0) return true;
    return false;
}

static bp_status choose_classes(bp__prep *p, const bp__target_view *v, const bp__data_options *o) {
    bp__labels found;
    int64_t n_rare;
    BP_TRY(bp__labels_collect(&found, p->ctx, &v->table->columns[v->columns[0]], NULL, v->table->n_rows, 1, &n_rare));
    size_t bytes = (size_t)(found.n + o->n_known_classes) * sizeof *p->classes;
    p->classes = bp__zalloc(p->ctx, bytes);
    bp_status status = p->classes ? BP_OK : bp__out_of_memory(p->ctx, bytes);
    for (int64_t i = 0; i < o->n_known_classes + found.n && status == BP_OK; i++) {
        bool old = i < o->n_known_classes;
        const char *name = old ? o->known_classes[i] : found.names[i - o->n_known_classes];
        if (!old && known(o, name)) continue;
        p->classes[p->n_classes] = bp__strdup(p->ctx, name);
        if (!p->classes[p->n_classes]) status = bp__out_of_memory(p->ctx, strlen(name) + 1);
        p->n_classes += status == BP_OK;
    }
    bp__labels_free(p->ctx, &found);
    return status;
}

bp_status bp__target_choose(bp__prep *p, const bp__target_view *v, const bp__data_options *o) {
    BP_TRY(decide_task(p, v, o));
    p->targets = bp__zalloc(p->ctx, (size_t)v->n * sizeof *p->targets);
    if (!p->targets) return bp__out_of_memory(p->ctx, (size_t)v->n * sizeof *p->targets);
    p->n_targets = v->n;
    for (int64_t i = 0; i < v->n; i++) {
        const char *name = v->table->columns[v->columns[i]].name;
        p->targets[i] = (bp__prep_target){.position = p->table ? v->columns[i] : -1, .scale = 1, .normalize = BP__NORMALIZE_NONE};
        p->targets[i].name = bp__strdup(p->ctx, name);
        if (!p->targets[i].name) return bp__out_of_memory(p->ctx, strlen(name) + 1);
    }
    return p->task == BP__CLASSIFICATION ? choose_classes(p, v, o) : BP_OK;
}

bp_status bp__target_classes(int64_t *out, const bp__prep *p, const bp__target_view *v) {
    return bp__labels_map(out, p->ctx, &v->table->columns[v->columns[0]], v->table->n_rows, p->classes, p->n_classes);
}

int64_t bp__class_find(const bp__prep *p, const char *label) {
    double v;
    char canonical[40] = "";
    if (bp__parse_f64(label, strlen(label), true, &v)) bp__format_f64(canonical, v);
    for (int64_t i = 0; i < p->n_classes; i++)
        if (strcmp(p->classes[i], label) == 0) return i;
    for (int64_t i = 0; i < p->n_classes; i++)
        if (canonical[0] && strcmp(p->classes[i], canonical) == 0) return i;
    return -1;
}

/* ---- Numbers ---- */

static bp_status not_binary(const bp__prep *p, const bp__target_view *v, int64_t row, int64_t k) {
    int64_t line = v->table->lines ? v->table->lines[row] : 0;
    return bp__fail_at(p->ctx, BP_DATA, (bp__where){.code = "not_binary", .file = v->file, .line = line},
                       "row %lld of %s (rows count from 0) has a target %s that is neither 0 nor 1, as multilabel wants",
                       (long long)row, v->file, v->table->columns[v->columns[k]].name);
}

bp_status bp__target_numbers(double *out, const bp__prep *p, const bp__target_view *v) {
    char scratch[40];
    for (int64_t k = 0; k < v->n; k++) {
        const bp__column *c = &v->table->columns[v->columns[k]];
        for (int64_t r = 0; r < v->table->n_rows; r++) {
            double cell = c->cells[r], y = NAN;
            if (!bp__cell_is_missing(cell)) {
                if (p->task == BP__MULTILABEL) {
                    int b = bp__boolean_parse(bp__cell_words(c, cell, scratch));
                    if (b < 0) return not_binary(p, v, r, k);
                    y = b;
                } else if (!bp__cell_number(c, cell, &y) || !isfinite(y))
                    y = NAN;
            }
            out[r * v->n + k] = y;
        }
    }
    return BP_OK;
}

static bp__normalize target_how(const bp__prep *p, const bp__data_options *o) {
    if (p->task != BP__REGRESSION) return BP__NORMALIZE_NONE;
    if (o->normalize_target != BP__NORMALIZE_AUTO) return o->normalize_target;
    /* the likelihood of counts is that of the counts themselves */
    if (p->normalize == BP__NORMALIZE_NONE || (o->loss && strncmp(o->loss, "poisson", 7) == 0)) return BP__NORMALIZE_NONE;
    return BP__NORMALIZE_STANDARD;
}

bp_status bp__target_fit(bp__prep *p, const double *values, const int64_t *rows, int64_t n, const char *file,
                         const bp__data_options *o) {
    bp__normalize how = target_how(p, o);
    if (how == BP__NORMALIZE_NONE) return BP_OK;
    if (how != BP__NORMALIZE_STANDARD && how != BP__NORMALIZE_LOG)
        return bp__fail(p->ctx, BP_CONFIG, "data.normalize_target is auto, none, standard or log");
    double *y = bp__alloc(p->ctx, (size_t)n * sizeof *y);
    if (!y) return bp__out_of_memory(p->ctx, (size_t)n * sizeof *y);
    for (int64_t k = 0; k < p->n_targets; k++) {
        bp__prep_target *t = &p->targets[k];
        for (int64_t i = 0; i < n; i++) {
            y[i] = values[rows[i] * p->n_targets + k];
            if (how == BP__NORMALIZE_LOG && !(y[i] > -1)) {
                bp__free(p->ctx, y);
                return bp__fail_at(
                    p->ctx, BP_DATA,
                    (bp__where){.code = "negative_target", .file = file, .hint = "use normalize_target: standard"},
                    "row %lld of %s (rows count from 0) has a target %s of -1 or less, which has no logarithm of 1 + y",
                    (long long)rows[i], file, t->name);
            }
            if (how == BP__NORMALIZE_LOG) y[i] = bp__log1p64(y[i]);
        }
        t->normalize = how;
        bp__fit_numbers(BP__NORMALIZE_STANDARD, y, n, &t->center, &t->scale);
    }
    bp__free(p->ctx, y);
    return BP_OK;
}

double bp__target_normalize(const bp__prep *p, int64_t k, double y) {
    const bp__prep_target *t = &p->targets[k];
    if (t->normalize == BP__NORMALIZE_NONE) return y;
    /* of a logarithm that doesn't exist (only in rows that weren't trained on) the smallest sensible one */
    if (t->normalize == BP__NORMALIZE_LOG) y = isnan(y) ? y : bp__log1p64(BP__MAX(y, -0.999999));
    return (y - t->center) / t->scale;
}

double bp__target_restore(const bp__prep *p, int64_t k, double y) {
    const bp__prep_target *t = &p->targets[k];
    if (t->normalize == BP__NORMALIZE_NONE) return y;
    y = y * t->scale + t->center;
    return t->normalize == BP__NORMALIZE_LOG ? bp__expm1_64(y) : y;
}
