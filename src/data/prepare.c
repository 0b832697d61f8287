/* Tables into features: which columns, how, with numbers fitted on the training rows, applied to any table by name. */
#include "data/prepare.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics, as numpy.quantile does. */
static double quantile(const double *sorted, int64_t n, double q) {
    double at = q * (double)(n - 1);
    int64_t i = (int64_t)floor(at);
    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

void bp__fit_numbers(bp__normalize how, double *values, int64_t n, double *center, double *scale) {
    *center = 0;
    *scale = 1;
    if (n == 0 || how == BP__NORMALIZE_NONE) return;
    double mean = 0, square = 0, low = values[0], high = values[0];
    for (int64_t i = 0; i < n; i++) {
        mean += values[i] / (double)n;
        low = BP__MIN(low, values[i]);
        high = BP__MAX(high, values[i]);
    }
    for (int64_t i = 0; i < n; i++) square += (values[i] - mean) * (values[i] - mean) / (double)n;
    *center = mean;
    *scale = low == high ? 1 : sqrt(square); /* rounding alone mustn't give a constant a deviation */
    if (how == BP__NORMALIZE_MINMAX) {
        *center = low;
        *scale = high - low;
    } else if (how == BP__NORMALIZE_ROBUST) {
        qsort(values, (size_t)n, sizeof *values, by_number);
        *center = quantile(values, n, 0.5);
        double range = quantile(values, n, 0.75) - quantile(values, n, 0.25);
        if (range > 0) *scale = range;
    }
    if (!(*scale > 0) || !isfinite(*scale)) *scale = 1;
    if (!isfinite(*center)) *center = 0;
}

/* ---- Choosing ---- */

static bp_status bad_override(bp_context *ctx, const bp__tree *at, const char *column, const char *what) {
    return bp__fail_at(ctx, BP_CONFIG,
                       (bp__where){.code = "bad_value", .line = at->line, .hint = "known are type, ignore and normalize"},
                       "data.columns.%s: %s", column, what);
}

static bp__encoding encoding_of(bp__column_type type) {
    if (type == BP__NUMBER || type == BP__BOOLEAN || type == BP__DATE) return BP__NUMERIC;
    return type == BP__CATEGORY ? BP__ONE_HOT : BP__IGNORED;
}

static bp_status set_text(char **out, bp_context *ctx, const char *s) {
    char *copy = bp__strdup(ctx, s);
    if (!copy) return bp__out_of_memory(ctx, strlen(s) + 1);
    bp__free(ctx, *out);
    *out = copy;
    return BP_OK;
}

/* How a column of this type is normalised where its own entry says nothing. */
static bp__normalize usual_normalize(bp__column_type type, const bp__data_options *o) {
    if (type == BP__BOOLEAN) return BP__NORMALIZE_NONE;
    return o->normalize == BP__NORMALIZE_AUTO ? BP__NORMALIZE_STANDARD : o->normalize;
}

/* What data.columns says about this column goes over what was inferred. The type is read first, wherever it stands: the
   other keys go over what follows from it. */
static bp_status override(bp__prep_column *c, bp_context *ctx, const bp__data_options *o, const bp__tree *choice) {
    if (choice->kind != BP__MAP) return bad_override(ctx, choice, c->name, "a mapping is wanted, such as {type: category}");
    const bp__tree *type = bp__tree_get(choice, "type");
    if (type) {
        if (type->kind != BP__TEXT || !bp__column_type_find(&c->type, type->text))
            return bad_override(ctx, type, c->name, "type is number, category, boolean, date, text, id or constant");
        c->encoding = encoding_of(c->type);
        c->normalize = usual_normalize(c->type, o);
        BP_TRY(set_text(&c->why, ctx, "as the configuration says"));
    }
    for (const bp__tree *e = choice->child; e; e = e->next) {
        if (e == type) continue;
        if (strcmp(e->key, "ignore") == 0) {
            if (e->kind != BP__BOOL) return bad_override(ctx, e, c->name, "ignore is true or false");
            if (e->boolean) {
                c->encoding = BP__IGNORED;
                BP_TRY(set_text(&c->why, ctx, "ignored, as the configuration says"));
            }
        } else if (strcmp(e->key, "normalize") == 0) {
            bp__normalize n;
            if (e->kind != BP__TEXT || !bp__normalize_find(&n, e->text) || n == BP__NORMALIZE_LOG)
                return bad_override(ctx, e, c->name, "normalize is auto, none, standard, minmax or robust");
            if (n != BP__NORMALIZE_AUTO) c->normalize = n;
        } else
            return bad_override(ctx, e, c->name, "there is no such key");
    }
    return BP_OK;
}

static bp_status choose_column(bp__prep_column *c, bp__prep *p, const bp__table *t, int64_t i, const bp__data_options *o) {
    bp__column_info info;
    BP_TRY(bp__column_infer(&info, t, i));
    c->position = i;
    c->type = info.type;
    c->encoding = encoding_of(info.type);
    c->normalize = usual_normalize(info.type, o);
    BP_TRY(set_text(&c->name, p->ctx, t->columns[i].name));
    BP_TRY(set_text(&c->why, p->ctx, info.why));
    const bp__tree *choice = o->columns ? bp__tree_get(o->columns, c->name) : NULL;
    return choice ? override(c, p->ctx, o, choice) : BP_OK;
}

/* "its 15 columns are age, workclass, …": as many as there is room for. */
static void list_columns(char *out, size_t size, const bp__table *t) {
    size_t used =
        (size_t)snprintf(out, size, t->n_columns == 1 ? "its only column is " : "its %lld columns are ", (long long)t->n_columns);
    for (int64_t i = 0; i < t->n_columns; i++) {
        const char *name = t->columns[i].name;
        if (used + strlen(name) + 8 > size) {
            snprintf(out + used, size - used, "…");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", name, i + 1 < t->n_columns ? ", " : "");
    }
}

static bp_status no_column(bp_context *ctx, const bp__table *t, const char *name, const char *file, int line) {
    const char **names = bp__alloc(ctx, (size_t)t->n_columns * sizeof *names);
    if (!names) return bp__out_of_memory(ctx, (size_t)t->n_columns * sizeof *names);
    for (int64_t i = 0; i < t->n_columns; i++) names[i] = t->columns[i].name;
    const char *near = bp__nearest(name, names, t->n_columns);
    bp__free(ctx, names);
    char hint[240];
    if (near)
        snprintf(hint, sizeof hint, "did you mean %s?", near);
    else
        list_columns(hint, sizeof hint, t);
    return bp__fail_at(ctx, BP_NOT_FOUND, (bp__where){.code = "no_such_column", .file = file, .line = line, .hint = hint},
                       "%s has no column %s", file, name);
}

bp_status bp__no_column(bp_context *ctx, const bp__table *t, const char *name, const char *file) {
    return no_column(ctx, t, name, file, 0);
}

bp_status bp__prep_choose(bp__prep *p, const bp__table *t, const int64_t *targets, int64_t n_targets, int64_t weight,
                          const bp__data_options *o, const char *file) {
    p->table = true;
    p->header = t->header;
    p->n_columns = t->n_columns;
    p->normalize = o->normalize;
    p->input_dtype = o->f64 ? BP_F64 : BP_F32;
    p->byte_scale = 1;
    for (const bp__tree *e = o->columns ? o->columns->child : NULL; e; e = e->next)
        if (bp__table_find(t, e->key) < 0) return no_column(p->ctx, t, e->key, file, e->line);
    p->columns = bp__zalloc(p->ctx, (size_t)t->n_columns * sizeof *p->columns);
    if (!p->columns) return bp__out_of_memory(p->ctx, (size_t)t->n_columns * sizeof *p->columns);
    bool any = false;
    for (int64_t i = 0; i < t->n_columns; i++) {
        bool is_target = i == weight;
        for (int64_t k = 0; k < n_targets; k++) is_target = is_target || targets[k] == i;
        if (is_target) continue;
        bp__prep_column *c = &p->columns[p->n_inputs++];
        BP_TRY(choose_column(c, p, t, i, o));
        any = any || c->encoding != BP__IGNORED;
    }
    if (any) return BP_OK;
    bp__where where = {.code = "no_inputs", .file = file, .hint = "say what a column is: data.columns.NAME.type"};
    if (p->n_inputs == 0) {
        where.hint = NULL;
        return bp__fail_at(p->ctx, BP_DATA, where, "%s has no column beside the target to learn from", file);
    }
    return bp__fail_at(p->ctx, BP_DATA, where, "%s has no column that can be an input: %s is of type %s (%s)%s", file,
                       p->columns[0].name, bp__column_type_name(p->columns[0].type), p->columns[0].why,
                       p->n_inputs > 1 ? ", and the others are no better" : "");
}

/* ---- Fitting ---- */

/* The number a cell stands for in a numeric encoding. */
static bool numeric(const bp__column *c, bp__column_type type, double cell, double *out) {
    if (type == BP__BOOLEAN) {
        const char *word = bp__cell_text(c, cell);
        *out = word ? bp__boolean_parse(word) : cell;
        return *out == 0 || *out == 1;
    }
    const char *text = bp__cell_text(c, cell);
    if (type == BP__DATE && text && bp__date_parse(text, out)) return true;
    return bp__cell_number(c, cell, out) && isfinite(*out);
}

static void fit_numeric(bp__prep_column *f, const bp__column *c, const int64_t *rows, int64_t n, double *scratch) {
    int64_t present = 0;
    for (int64_t i = 0; i < n; i++)
        if (numeric(c, f->type, c->cells[rows[i]], &scratch[present])) present++;
    f->indicator = present < n;
    bp__fit_numbers(f->normalize, scratch, present, &f->center, &f->scale);
    qsort(scratch, (size_t)present, sizeof *scratch, by_number);
    f->fill = present ? quantile(scratch, present, 0.5) : 0;
    if (f->type == BP__BOOLEAN) f->fill = f->fill >= 0.5; /* the commoner one */
    f->n_features = f->indicator ? 2 : 1;
}

static bp_status fit_one_hot(bp__prep_column *f, bp_context *ctx, const bp__column *c, const int64_t *rows, int64_t n) {
    bp__labels l;
    int64_t n_rare, n_missing = 0;
    /* a value that a single row of many has can't be learnt from: it teaches the slot for the unseen instead */
    BP_TRY(bp__labels_collect(&l, ctx, c, rows, n, n >= 100 ? 2 : 1, &n_rare));
    f->values = l.names;
    f->n_values = l.n;
    for (int64_t i = 0; i < n; i++) n_missing += bp__cell_is_missing(c->cells[rows[i]]);
    f->other_seen = n_rare + n_missing > 0;
    f->n_features = l.n + 1;
    return BP_OK;
}

bp_status bp__prep_fit(bp__prep *p, const bp__table *t, const int64_t *rows, int64_t n) {
    double *scratch = bp__alloc(p->ctx, (size_t)n * sizeof *scratch + sizeof *scratch);
    if (!scratch) return bp__out_of_memory(p->ctx, (size_t)n * sizeof *scratch);
    bp_status status = BP_OK;
    int64_t at = 0;
    for (int64_t i = 0; i < p->n_inputs && status == BP_OK; i++) {
        bp__prep_column *f = &p->columns[i];
        f->first_feature = at;
        f->scale = 1;
        if (f->encoding == BP__NUMERIC) fit_numeric(f, &t->columns[f->position], rows, n, scratch);
        if (f->encoding == BP__ONE_HOT) status = fit_one_hot(f, p->ctx, &t->columns[f->position], rows, n);
        at += f->n_features;
    }
    bp__free(p->ctx, scratch);
    p->rank = 1;
    p->shape[0] = p->sample_size = at;
    return status;
}

/* ---- Applying ---- */

bp_status bp__prep_match(int64_t *at, const bp__prep *p, const bp__table *t, const char *file) {
    bool by_name = p->header && t->header;
    bool narrower = t->n_columns == p->n_columns - p->n_targets && p->targets && p->targets[0].position >= 0;
    if (!by_name && t->n_columns != p->n_columns && !narrower)
        return bp__fail_at(
            p->ctx, BP_DATA, (bp__where){.code = "columns", .file = file},
            "%s has %lld columns, and the model was trained on %lld (without a header they are matched by position)", file,
            (long long)t->n_columns, (long long)p->n_columns);
    for (int64_t i = 0; i < p->n_inputs; i++) {
        const bp__prep_column *c = &p->columns[i];
        at[i] = c->position;
        if (by_name) {
            at[i] = bp__table_find(t, c->name);
            if (at[i] < 0 && c->encoding != BP__IGNORED) return bp__no_column(p->ctx, t, c->name, file);
        } else if (narrower)
            for (int64_t k = 0; k < p->n_targets; k++) at[i] -= p->targets[k].position < c->position;
    }
    return BP_OK;
}

static void put(void *x, bp_dtype dtype, int64_t at, double v) {
    if (dtype == BP_F64)
        ((double *)x)[at] = v;
    else
        ((float *)x)[at] = (float)v;
}

static void apply_numeric(void *x, const bp__prep *p, const bp__prep_column *f, const bp__column *c, int64_t n_rows,
                          bp__column_report *report) {
    for (int64_t r = 0; r < n_rows; r++) {
        double v, cell = c->cells[r];
        bool empty = bp__cell_is_missing(cell), found = !empty && numeric(c, f->type, cell, &v);
        double z = found ? (v - f->center) / f->scale : 0;
        if (found && !isfinite(p->input_dtype == BP_F32 ? (double)(float)z : z)) found = false;
        if (!found) z = (f->fill - f->center) / f->scale;
        put(x, p->input_dtype, r * p->sample_size + f->first_feature, z);
        if (f->indicator) put(x, p->input_dtype, r * p->sample_size + f->first_feature + 1, found ? 0 : 1);
        if (report) {
            report->missing += empty;
            report->unreadable += !empty && !found;
        }
    }
}

static bp_status apply_one_hot(void *x, const bp__prep *p, const bp__prep_column *f, const bp__column *c, int64_t n_rows,
                               bp__column_report *report) {
    int64_t *index = bp__alloc(p->ctx, (size_t)n_rows * sizeof *index);
    if (!index) return bp__out_of_memory(p->ctx, (size_t)n_rows * sizeof *index);
    bp_status status = bp__labels_map(index, p->ctx, c, n_rows, f->values, f->n_values);
    for (int64_t r = 0; r < n_rows && status == BP_OK; r++) {
        int64_t slot = index[r] >= 0 ? index[r] : f->n_values;
        if (index[r] >= 0 || f->other_seen) put(x, p->input_dtype, r * p->sample_size + f->first_feature + slot, 1);
        if (report) {
            report->missing += index[r] == -2;
            report->unseen += index[r] == -1;
        }
    }
    bp__free(p->ctx, index);
    return status;
}

bp_status bp__prep_apply(void *x, const bp__prep *p, const bp__table *t, const int64_t *at, bp__column_report *reports) {
    memset(x, 0, (size_t)(t->n_rows * p->sample_size) * bp_dtype_size(p->input_dtype));
    for (int64_t i = 0; i < p->n_inputs; i++) {
        const bp__prep_column *f = &p->columns[i];
        bp__column_report *report = reports ? &reports[i] : NULL;
        if (f->encoding == BP__NUMERIC) apply_numeric(x, p, f, &t->columns[at[i]], t->n_rows, report);
        if (f->encoding == BP__ONE_HOT) BP_TRY(apply_one_hot(x, p, f, &t->columns[at[i]], t->n_rows, report));
    }
    return BP_OK;
}
