/* Predictions and scores for files: the preprocessing of the model is applied to new data, row by row and in order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/json.h"
#include "train/train.h"

static bp_status apply(bp__dataset **out, bp_model *m, const bp_data *data, bool targets, bool weights) {
    *out = NULL;
    if (data->size < sizeof *data) return bp__fail(m->ctx, BP_INVALID, "bp_data.size is %zu, not sizeof(bp_data)", data->size);
    if (!data->path) return bp__fail(m->ctx, BP_INVALID, "no data is given");
    bp__data_spec spec = {.path = data->path, .input = data->input, .weights = weights};
    if (data->target) {
        spec.targets[0] = data->target;
        spec.n_targets = 1;
    }
    return bp__dataset_apply(out, m->ctx, m->prep, &spec, data->no_header != 0, targets);
}

/* "1 missing and 2 unreadable cells, 3 values not seen in training": what there is of it. */
static void cells_text(char out[200], const bp__column_report *r, bool missing) {
    size_t n = 0;
    out[0] = 0;
    if (missing && r->missing)
        n = (size_t)snprintf(out, 200, "%lld missing cell%s", (long long)r->missing, r->missing == 1 ? "" : "s");
    if (r->unreadable)
        n += (size_t)snprintf(out + n, 200 - n, "%s%lld unreadable cell%s", n ? ", " : "", (long long)r->unreadable,
                              r->unreadable == 1 ? "" : "s");
    if (r->unseen)
        snprintf(out + n, 200 - n, "%s%lld value%s not seen in training", n ? ", " : "", (long long)r->unseen,
                 r->unseen == 1 ? "" : "s");
}

/* What predict tells of cells it could not use as they stand. */
static bp_status tell_cells(const bp_model *m, const bp__dataset *d, bool strict) {
    char text[200];
    int64_t n = d->reports ? m->prep->n_inputs : 0;
    for (int64_t i = 0; i < n && strict; i++) {
        const bp__column_report *r = &d->reports[i];
        cells_text(text, r, false);
        if (text[0])
            return bp__fail_at(
                m->ctx, BP_DATA,
                (bp__where){.code = "bad_cells", .file = d->test.path, .hint = "leave out --strict to predict all the same"},
                "%s: column %s has %s", d->test.path, m->prep->columns[i].name, text);
    }
    for (int64_t i = 0; i < n; i++) {
        cells_text(text, &d->reports[i], true);
        if (text[0]) bp__log(m->ctx, BP_LOG_WARNING, "%s: column %s has %s", d->test.path, m->prep->columns[i].name, text);
    }
    return BP_OK;
}

/* p [rows, columns] of all rows of the test set, which holds the file's rows in order. */
static bp_status outputs(bp_model *m, const bp__dataset *d, double **out) {
    enum { BLOCK = 256 };
    int64_t n = d->test.n_rows, k = bp__net_columns(m->net);
    size_t row = bp_dtype_size(d->x_dtype) * (size_t)d->sample_size;
    *out = bp__alloc(m->ctx, sizeof(double) * (size_t)(n * k + 1));
    unsigned char *x = bp__alloc(m->ctx, row * BLOCK);
    bp_status status = *out && x ? BP_OK : bp__out_of_memory(m->ctx, sizeof(double) * (size_t)(n * k));
    for (int64_t i = 0; i < n && status == BP_OK; i += BLOCK) {
        int64_t count = BP__MIN(BLOCK, n - i);
        for (int64_t r = 0; r < count; r++)
            memcpy(x + (size_t)r * row, (const unsigned char *)d->x + (size_t)d->test.rows[i + r] * row, row);
        bp__batch b = {.n = count, .x = x};
        status = bp__net_eval(m->net, &b, *out + i * k, NULL);
    }
    for (int64_t i = 0; i < n * k && status == BP_OK && d->task != BP__CLASSIFICATION; i++)
        (*out)[i] = bp__target_restore(m->prep, i % k, (*out)[i]);
    bp__free(m->ctx, x);
    int64_t bad = 0;
    for (int64_t i = 0; i < n && status == BP_OK; i++) {
        bool finite = true;
        for (int64_t c = 0; c < k; c++) finite = finite && isfinite((*out)[i * k + c]);
        bad += !finite;
    }
    if (bad)
        bp__log(m->ctx, BP_LOG_WARNING,
                "%s: the model gives %lld row%s no finite prediction: its weights or these inputs are too large", d->test.path,
                (long long)bad, bad == 1 ? "" : "s");
    return status;
}

/* ---- Formats ---- */

static void csv_text(bp__buffer *b, const char *prefix, const char *s) {
    if (!strpbrk(s, ",\"\r\n") && (s[0] || prefix[0])) {
        bp__buffer_printf(b, "%s%s", prefix, s);
        return;
    }
    bp__buffer_printf(b, "\"%s", prefix);
    for (; *s; s++) bp__buffer_printf(b, *s == '"' ? "\"\"" : "%c", *s);
    bp__buffer_text(b, "\"");
}

static void number(bp__buffer *b, const bp_model *m, double v, const char *undefined) {
    char text[40];
    if (!isfinite(v)) {
        bp__buffer_text(b, undefined);
        return;
    }
    if (m->net->dtype == BP_F64)
        bp__format_f64(text, v);
    else
        bp__format_f32(text, (float)v);
    bp__buffer_text(b, text);
}

static int64_t best_class(const double *p, int64_t k) {
    int64_t best = 0;
    for (int64_t c = 1; c < k; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

static void as_csv(bp__buffer *b, const bp_model *m, const double *p, int64_t n, int64_t k) {
    bool classes = m->prep->task == BP__CLASSIFICATION;
    if (classes) bp__buffer_text(b, "prediction");
    for (int64_t c = 0; c < k; c++) {
        if (classes || c) bp__buffer_text(b, ",");
        csv_text(b, classes ? "p_" : "", bp_model_output_name(m, c));
    }
    bp__buffer_text(b, "\n");
    for (int64_t i = 0; i < n; i++) {
        if (classes) csv_text(b, "", m->prep->classes[best_class(p + i * k, k)]);
        for (int64_t c = 0; c < k; c++) {
            if (classes || c) bp__buffer_text(b, ",");
            number(b, m, p[i * k + c], "nan");
        }
        bp__buffer_text(b, "\n");
    }
}

static void json_text(bp__buffer *b, const char *prefix, const char *s) {
    bp__buffer_printf(b, "\"%s", prefix);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            bp__buffer_printf(b, "\\%c", c);
        else if (c < 0x20)
            bp__buffer_printf(b, "\\u%04x", (unsigned)c);
        else
            bp__buffer_add(b, s, 1);
    }
    bp__buffer_text(b, "\"");
}

static void as_jsonl(bp__buffer *b, const bp_model *m, const double *p, int64_t n, int64_t k) {
    bool classes = m->prep->task == BP__CLASSIFICATION;
    for (int64_t i = 0; i < n; i++) {
        bp__buffer_text(b, "{");
        if (classes) {
            bp__buffer_text(b, "\"prediction\":");
            json_text(b, "", m->prep->classes[best_class(p + i * k, k)]);
        }
        for (int64_t c = 0; c < k; c++) {
            if (classes || c) bp__buffer_text(b, ",");
            json_text(b, classes ? "p_" : "", bp_model_output_name(m, c));
            bp__buffer_text(b, ":");
            number(b, m, p[i * k + c], "null");
        }
        bp__buffer_text(b, "}\n");
    }
}

static void as_npy(bp__buffer *b, const bp_model *m, const double *p, int64_t n, int64_t k) {
    char head[128];
    bool wide = m->net->dtype == BP_F64;
    int used = snprintf(head, sizeof head, "{'descr': '<f%d', 'fortran_order': False, 'shape': (%lld, %lld), }", wide ? 8 : 4,
                        (long long)n, (long long)k);
    int total = (10 + used + 1 + 63) / 64 * 64 - 10; /* the data start at a multiple of 64 */
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(total & 255), (unsigned char)(total >> 8)};
    bp__buffer_add(b, start, sizeof start);
    bp__buffer_add(b, head, (size_t)used);
    for (int i = used; i < total - 1; i++) bp__buffer_add(b, " ", 1);
    bp__buffer_add(b, "\n", 1);
    for (int64_t i = 0; i < n * k; i++) {
        float narrow = (float)p[i];
        if (wide)
            bp__buffer_add(b, &p[i], 8);
        else
            bp__buffer_add(b, &narrow, 4);
    }
}

bp_status bp_model_predict_file(bp_model *m, const bp_data *data, const char *format, int strict, char **out, size_t *n) {
    static const char *const formats[] = {"csv", "jsonl", "npy"};
    *out = NULL;
    if (n) *n = 0;
    int which = -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(format, formats[i]) == 0) which = i;
    char hint[80];
    if (which < 0)
        return bp__fail_at(m->ctx, BP_CONFIG,
                           (bp__where){.code = "format", .hint = bp__name_hint(hint, sizeof hint, format, formats, 3)},
                           "there is no format %s", format);
    bp__dataset *d = NULL;
    double *p = NULL;
    BP_TRY(apply(&d, m, data, false, false));
    bp_status status = tell_cells(m, d, strict != 0);
    if (status == BP_OK) status = outputs(m, d, &p);
    if (status == BP_OK) {
        bp__buffer b;
        bp__buffer_init(&b, m->ctx);
        int64_t k = bp__net_columns(m->net);
        if (which == 0) as_csv(&b, m, p, d->test.n_rows, k);
        if (which == 1) as_jsonl(&b, m, p, d->test.n_rows, k);
        if (which == 2) as_npy(&b, m, p, d->test.n_rows, k);
        size_t size = b.size;
        status = bp__buffer_take(&b, out);
        if (n && status == BP_OK) *n = size;
    }
    bp__free(m->ctx, p);
    bp__dataset_free(d);
    return status;
}

/* ---- Scores ---- */

enum { TEXT_CLASSES = 20, JSON_CLASSES = 200 }; /* more of them are no table that one reads */

/* Precision, recall, F1 and rows of a class; NaN where one is 0/0. */
typedef struct of_class {
    double precision, recall, f1;
    int64_t support;
} of_class;
static of_class class_scores(const bp__scores *s, int64_t c) {
    int64_t k = s->n_classes, guessed = 0, hit = s->confusion[c * k + c];
    of_class r = {.support = 0};
    for (int64_t j = 0; j < k; j++) {
        r.support += s->confusion[c * k + j];
        guessed += s->confusion[j * k + c];
    }
    r.precision = (double)hit / (double)guessed;
    r.recall = (double)hit / (double)r.support;
    r.f1 = 2 * (double)hit / (double)(r.support + guessed);
    return r;
}

static void score_cell(bp__buffer *b, double v) {
    if (isfinite(v))
        bp__buffer_printf(b, " %10.4f", v);
    else
        bp__buffer_printf(b, " %10s", "-");
}

static void classes_text(bp__buffer *b, const bp_model *m, const bp__scores *s) {
    bp__buffer_printf(b, "\n%-18s %10s %10s %10s %10s\n", "class", "precision", "recall", "f1", "rows");
    for (int64_t c = 0; c < s->n_classes; c++) {
        of_class r = class_scores(s, c);
        bp__buffer_printf(b, "%-18s", m->prep->classes[c]);
        score_cell(b, r.precision);
        score_cell(b, r.recall);
        score_cell(b, r.f1);
        bp__buffer_printf(b, " %10lld\n", (long long)r.support);
    }
}

static bp_status scores_text(const bp_model *m, const bp__scores *s, const bp__tree *tree, bool report, char **text) {
    bp__buffer b;
    bp__buffer_init(&b, m->ctx);
    bp__buffer_printf(&b, "%-18s %lld\n", "rows", (long long)s->n);
    for (const bp__tree *t = tree->child; t; t = t->next)
        if (t->kind == BP__FLOAT && !isfinite(t->number))
            bp__buffer_printf(&b, "%-18s -  (not defined on these rows)\n", t->key);
        else if (t->kind == BP__FLOAT || t->kind == BP__INT)
            bp__buffer_printf(&b, "%-18s %.6g\n", t->key, t->number);
    if (report && s->confusion && s->n_classes <= TEXT_CLASSES) classes_text(&b, m, s);
    return bp__buffer_take(&b, text);
}

/* "classes": a member for each, and "confusion": rows of truth, columns of predictions. */
static bp_status put_classes(const bp_model *m, const bp__scores *s, bp__tree *t) {
    bp_context *ctx = m->ctx;
    bp__tree *list = bp__tree_new(ctx, BP__LIST), *confusion = bp__tree_new(ctx, BP__LIST);
    bp_status status = bp__put(ctx, t, "classes", list, NULL);
    if (status == BP_OK)
        status = bp__put(ctx, t, "confusion", confusion, NULL);
    else
        bp__tree_free(ctx, confusion);
    for (int64_t c = 0; c < s->n_classes && status == BP_OK; c++) {
        of_class r = class_scores(s, c);
        bp__tree *one = bp__tree_new(ctx, BP__MAP), *counts = bp__tree_new(ctx, BP__LIST);
        if (one) status = bp__tree_append(ctx, list, one);
        if (counts && status == BP_OK) status = bp__tree_append(ctx, confusion, counts);
        if (!one || !counts) status = bp__out_of_memory(ctx, sizeof *one);
        if (status == BP_OK) status = bp__put_text(ctx, one, "label", m->prep->classes[c]);
        if (status == BP_OK) status = bp__put_number(ctx, one, "precision", r.precision);
        if (status == BP_OK) status = bp__put_number(ctx, one, "recall", r.recall);
        if (status == BP_OK) status = bp__put_number(ctx, one, "f1", r.f1);
        if (status == BP_OK) status = bp__put_int(ctx, one, "rows", r.support);
        for (int64_t j = 0; j < s->n_classes && status == BP_OK; j++)
            status = bp__tree_append(ctx, counts, bp__tree_int(ctx, s->confusion[c * s->n_classes + j]));
    }
    return status;
}

/* The metrics that the model's configuration names, else the default ones. */
static bp_status chosen_metrics(bp__metrics *out, const bp_model *m) {
    bp_status status = bp__metrics_read(out, m->ctx, NULL, bp__tree_get(m->config, "metrics"));
    if (status == BP_OK) status = bp__metrics_fit(out, m->ctx, NULL, m->prep->task);
    return status == BP_CONFIG ? BP_FORMAT : status; /* nobody wrote it by hand: the model is damaged, or newer */
}

static bp_status evaluate(bp_model *m, const bp_data *data, bool report, char **text, char **json) {
    if (text) *text = NULL;
    if (json) *json = NULL;
    bp__metrics metrics;
    BP_TRY(chosen_metrics(&metrics, m));
    bp__dataset *d = NULL;
    bp__scores s = {0};
    bp__tree *tree = NULL;
    BP_TRY(apply(&d, m, data, true, bp__metrics_by_weight(&metrics)));
    bp_status status = tell_cells(m, d, false);
    if (status == BP_OK && d->test.n_rows == 0)
        status = bp__fail_at(m->ctx, BP_DATA, (bp__where){.file = data->path}, "%s has no rows with a target", data->path);
    if (status == BP_OK) status = bp__evaluate(&s, &metrics, m->net, d, &d->test, NULL);
    if (status == BP_OK) status = bp__scores_tree(&tree, m->ctx, &s);
    if (status == BP_OK && s.n_unknown)
        bp__log(m->ctx, BP_LOG_WARNING, "%s: %lld row%s a label that the model does not know, such as %s, and count%s as wrong",
                data->path, (long long)s.n_unknown, s.n_unknown == 1 ? " has" : "s have",
                d->test.unknown_label ? d->test.unknown_label : "?", s.n_unknown == 1 ? "s" : "");
    if (status == BP_OK && text) status = scores_text(m, &s, tree, report, text);
    if (status == BP_OK && json && s.confusion && s.n_classes <= JSON_CLASSES) status = put_classes(m, &s, tree);
    if (status == BP_OK && json) status = bp__json_write(m->ctx, tree, 0, json);
    bp__tree_free(m->ctx, tree);
    bp__scores_free(m->ctx, &s);
    bp__dataset_free(d);
    return status;
}

bp_status bp_model_evaluate(bp_model *m, const bp_data *data, char **text, char **json) {
    return evaluate(m, data, false, text, json);
}
bp_status bp_model_report(bp_model *m, const bp_data *data, char **text, char **json) {
    return evaluate(m, data, true, text, json);
}
