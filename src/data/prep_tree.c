/* The preprocessing as part of a model file: written as a tree, and read back with every number doubted. */
#include "data/data.h"
#include <math.h>
#include <string.h>

static void free_texts(bp_context *ctx, char **texts, int64_t n) {
    for (int64_t i = 0; texts && i < n; i++) bp__free(ctx, texts[i]);
    bp__free(ctx, texts);
}

void bp__prep_free(bp__prep *p) {
    if (!p) return;
    for (int64_t i = 0; p->columns && i < p->n_inputs; i++) {
        bp__free(p->ctx, p->columns[i].name);
        bp__free(p->ctx, p->columns[i].why);
        free_texts(p->ctx, p->columns[i].values, p->columns[i].n_values);
    }
    for (int64_t i = 0; p->targets && i < p->n_targets; i++) bp__free(p->ctx, p->targets[i].name);
    free_texts(p->ctx, p->classes, p->n_classes);
    bp__free(p->ctx, p->columns);
    bp__free(p->ctx, p->targets);
    bp__free(p->ctx, p->weight);
    bp__free(p->ctx, p->task_why);
    bp__free(p->ctx, p->center);
    bp__free(p->ctx, p->scale);
    bp__free(p->ctx, p);
}

static const char *const encoding_names[] = {"ignored", "numeric", "one_hot"};
static const char *const dtype_names[] = {"f32", "f64", "i32", "i64", "u8"}; /* by bp_dtype */

/* ---- Writing ---- */

/* A map or list being filled; sticky on failure, so that writers check once. */
typedef struct writer {
    bp_context *ctx;
    bp_status status;
} writer;

static void put(writer *w, bp__tree *map, const char *key, bp__tree *value) {
    if (!value && w->status == BP_OK) w->status = bp__out_of_memory(w->ctx, sizeof(bp__tree));
    if (w->status != BP_OK) {
        if (value) bp__tree_free(w->ctx, value);
        return;
    }
    w->status = key ? bp__tree_put(w->ctx, map, key, value) : bp__tree_append(w->ctx, map, value);
}

/* Appends a new list or mapping; NULL on failure, which put and the rest bear. */
static bp__tree *nest(writer *w, bp__tree *map, const char *key, bp__tree_kind kind) {
    if (w->status != BP_OK) return NULL;
    bp__tree *t = bp__tree_new(w->ctx, kind);
    put(w, map, key, t);
    return w->status == BP_OK ? t : NULL;
}

static void put_texts(writer *w, bp__tree *map, const char *key, char *const *texts, int64_t n) {
    bp__tree *list = nest(w, map, key, BP__LIST), *last = NULL;
    for (int64_t i = 0; i < n && w->status == BP_OK; i++) {
        /* linked by hand: appending walks the list, and there may be thousands */
        bp__tree *t = bp__tree_text(w->ctx, texts[i]);
        if (!t) {
            w->status = bp__out_of_memory(w->ctx, sizeof *t);
            return;
        }
        *(last ? &last->next : &list->child) = t;
        last = t;
    }
}

static void put_numbers(writer *w, bp__tree *map, const char *key, const double *v, int64_t n) {
    bp__tree *list = nest(w, map, key, BP__LIST), *last = NULL;
    for (int64_t i = 0; i < n && w->status == BP_OK; i++) {
        bp__tree *t = bp__tree_number(w->ctx, v[i]);
        if (!t) {
            w->status = bp__out_of_memory(w->ctx, sizeof *t);
            return;
        }
        *(last ? &last->next : &list->child) = t;
        last = t;
    }
}

static void write_column(writer *w, bp__tree *list, const bp__prep_column *c) {
    bp__tree *m = nest(w, list, NULL, BP__MAP);
    put(w, m, "name", bp__tree_text(w->ctx, c->name));
    put(w, m, "position", bp__tree_int(w->ctx, c->position));
    put(w, m, "type", bp__tree_text(w->ctx, bp__column_type_name(c->type)));
    put(w, m, "why", bp__tree_text(w->ctx, c->why));
    put(w, m, "encoding", bp__tree_text(w->ctx, encoding_names[c->encoding]));
    if (c->encoding == BP__NUMERIC) {
        put(w, m, "normalize", bp__tree_text(w->ctx, bp__normalize_name(c->normalize)));
        put(w, m, "center", bp__tree_number(w->ctx, c->center));
        put(w, m, "scale", bp__tree_number(w->ctx, c->scale));
        put(w, m, "fill", bp__tree_number(w->ctx, c->fill));
        put(w, m, "indicator", bp__tree_bool(w->ctx, c->indicator));
    } else if (c->encoding == BP__ONE_HOT) {
        put_texts(w, m, "values", c->values, c->n_values);
        put(w, m, "other_seen", bp__tree_bool(w->ctx, c->other_seen));
    }
}

static void write_targets(writer *w, bp__tree *root, const bp__prep *p) {
    bp__tree *targets = nest(w, root, "targets", BP__LIST);
    for (int64_t i = 0; i < p->n_targets; i++) {
        const bp__prep_target *t = &p->targets[i];
        bp__tree *m = nest(w, targets, NULL, BP__MAP);
        put(w, m, "name", bp__tree_text(w->ctx, t->name));
        put(w, m, "position", bp__tree_int(w->ctx, t->position));
        put(w, m, "normalize", bp__tree_text(w->ctx, bp__normalize_name(t->normalize)));
        put(w, m, "center", bp__tree_number(w->ctx, t->center));
        put(w, m, "scale", bp__tree_number(w->ctx, t->scale));
    }
    if (p->classes) put_texts(w, root, "classes", p->classes, p->n_classes);
}

bp_status bp__prep_to_tree(bp__tree **out, const bp__prep *p) {
    *out = NULL;
    writer w = {.ctx = p->ctx, .status = BP_OK};
    bp__tree *root = bp__tree_new(p->ctx, BP__MAP);
    if (!root) return bp__out_of_memory(p->ctx, sizeof *root);
    put(&w, root, "kind", bp__tree_text(p->ctx, p->table ? "table" : "array"));
    put(&w, root, "task", bp__tree_text(p->ctx, bp__task_name(p->task)));
    put(&w, root, "task_why", bp__tree_text(p->ctx, p->task_why ? p->task_why : ""));
    put(&w, root, "normalize", bp__tree_text(p->ctx, bp__normalize_name(p->normalize)));
    put(&w, root, "input_dtype", bp__tree_text(p->ctx, dtype_names[p->input_dtype]));
    put(&w, root, "byte_scale", bp__tree_number(p->ctx, p->byte_scale));
    bp__tree *shape = nest(&w, root, "sample_shape", BP__LIST);
    for (int i = 0; i < p->rank; i++) put(&w, shape, NULL, bp__tree_int(p->ctx, p->shape[i]));
    if (p->table) {
        put(&w, root, "header", bp__tree_bool(p->ctx, p->header));
        put(&w, root, "n_columns", bp__tree_int(p->ctx, p->n_columns));
        if (p->weight) put(&w, root, "weight", bp__tree_text(p->ctx, p->weight));
        bp__tree *columns = nest(&w, root, "columns", BP__LIST);
        for (int64_t i = 0; i < p->n_inputs; i++) write_column(&w, columns, &p->columns[i]);
    }
    if (p->center) {
        put_numbers(&w, root, "center", p->center, p->sample_size);
        put_numbers(&w, root, "scale", p->scale, p->sample_size);
    }
    write_targets(&w, root, p);
    if (w.status != BP_OK) {
        bp__tree_free(p->ctx, root);
        return w.status;
    }
    *out = root;
    return BP_OK;
}

/* ---- Reading ---- */

static bp_status bad(bp_context *ctx, const char *key) {
    return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "bad_preprocessing", .hint = "get the model file again"},
                       "the model's stored preprocessing is damaged: its member %s is missing or wrong", key);
}

static bp_status get_text(char **out, bp_context *ctx, const bp__tree *map, const char *key) {
    const bp__tree *t = bp__tree_get(map, key);
    if (!t || t->kind != BP__TEXT || !t->text) return bad(ctx, key);
    *out = bp__strdup(ctx, t->text);
    return *out ? BP_OK : bp__out_of_memory(ctx, strlen(t->text));
}

static bp_status get_number(double *out, bp_context *ctx, const bp__tree *map, const char *key) {
    const bp__tree *t = bp__tree_get(map, key);
    if (!t || (t->kind != BP__INT && t->kind != BP__FLOAT) || !isfinite(t->number)) return bad(ctx, key);
    *out = t->number;
    return BP_OK;
}

static bp_status get_scale(double *out, bp_context *ctx, const bp__tree *map, const char *key) {
    BP_TRY(get_number(out, ctx, map, key));
    return *out > 0 ? BP_OK : bad(ctx, key);
}

static bp_status get_int(int64_t *out, bp_context *ctx, const bp__tree *map, const char *key, int64_t low, int64_t high) {
    const bp__tree *t = bp__tree_get(map, key);
    if (!t || t->kind != BP__INT || t->integer < low || t->integer > high) return bad(ctx, key);
    *out = t->integer;
    return BP_OK;
}

static bp_status get_bool(bool *out, bp_context *ctx, const bp__tree *map, const char *key) {
    const bp__tree *t = bp__tree_get(map, key);
    if (!t || t->kind != BP__BOOL) return bad(ctx, key);
    *out = t->boolean;
    return BP_OK;
}

/* The index of a word among `words`. */
static bp_status get_word(int *out, bp_context *ctx, const bp__tree *map, const char *key, const char *const *words, int n) {
    const bp__tree *t = bp__tree_get(map, key);
    for (int i = 0; t && t->kind == BP__TEXT && t->text && i < n; i++)
        if (strcmp(t->text, words[i]) == 0) {
            *out = i;
            return BP_OK;
        }
    return bad(ctx, key);
}

static bp_status get_normalize(bp__normalize *out, bp_context *ctx, const bp__tree *map) {
    const bp__tree *t = bp__tree_get(map, "normalize");
    return t && t->kind == BP__TEXT && t->text && bp__normalize_find(out, t->text) ? BP_OK : bad(ctx, "normalize");
}

static bp_status get_texts(char ***out, int64_t *n, bp_context *ctx, const bp__tree *map, const char *key) {
    const bp__tree *list = bp__tree_get(map, key);
    if (!list || list->kind != BP__LIST) return bad(ctx, key);
    int64_t count = bp__tree_count(list);
    *out = bp__zalloc(ctx, (size_t)count * sizeof **out + sizeof **out);
    if (!*out) return bp__out_of_memory(ctx, (size_t)count * sizeof **out);
    for (const bp__tree *t = list->child; t; t = t->next) {
        if (t->kind != BP__TEXT || !t->text) return bad(ctx, key);
        (*out)[*n] = bp__strdup(ctx, t->text);
        if (!(*out)[*n]) return bp__out_of_memory(ctx, strlen(t->text));
        ++*n;
    }
    return BP_OK;
}

static bp_status get_numbers(double **out, bp_context *ctx, const bp__tree *map, const char *key, int64_t n) {
    const bp__tree *list = bp__tree_get(map, key);
    if (!list || list->kind != BP__LIST || bp__tree_count(list) != n) return bad(ctx, key);
    double *v = *out = bp__alloc(ctx, (size_t)n * sizeof *v);
    if (!v) return bp__out_of_memory(ctx, (size_t)n * sizeof *v);
    for (const bp__tree *t = list->child; t; t = t->next) {
        if ((t->kind != BP__INT && t->kind != BP__FLOAT) || !isfinite(t->number)) return bad(ctx, key);
        *v++ = t->number;
    }
    return BP_OK;
}

static bp_status read_column(bp__prep_column *c, bp__prep *p, const bp__tree *m, int64_t *feature) {
    bp_context *ctx = p->ctx;
    int encoding = 0;
    BP_TRY(get_text(&c->name, ctx, m, "name"));
    BP_TRY(get_text(&c->why, ctx, m, "why"));
    BP_TRY(get_int(&c->position, ctx, m, "position", 0, p->n_columns - 1));
    const bp__tree *type = bp__tree_get(m, "type");
    if (!type || type->kind != BP__TEXT || !type->text || !bp__column_type_find(&c->type, type->text)) return bad(ctx, "type");
    BP_TRY(get_word(&encoding, ctx, m, "encoding", encoding_names, (int)BP__COUNT(encoding_names)));
    c->encoding = (bp__encoding)encoding;
    c->first_feature = *feature;
    c->scale = 1;
    if (c->encoding == BP__NUMERIC) {
        BP_TRY(get_normalize(&c->normalize, ctx, m));
        BP_TRY(get_number(&c->center, ctx, m, "center"));
        BP_TRY(get_scale(&c->scale, ctx, m, "scale"));
        BP_TRY(get_number(&c->fill, ctx, m, "fill"));
        BP_TRY(get_bool(&c->indicator, ctx, m, "indicator"));
        c->n_features = c->indicator ? 2 : 1;
    } else if (c->encoding == BP__ONE_HOT) {
        BP_TRY(get_texts(&c->values, &c->n_values, ctx, m, "values"));
        BP_TRY(get_bool(&c->other_seen, ctx, m, "other_seen"));
        c->n_features = c->n_values + 1;
    }
    *feature += c->n_features;
    return BP_OK;
}

static bp_status read_table(bp__prep *p, const bp__tree *root) {
    BP_TRY(get_bool(&p->header, p->ctx, root, "header"));
    BP_TRY(get_int(&p->n_columns, p->ctx, root, "n_columns", 1, INT32_MAX));
    if (bp__tree_get(root, "weight")) BP_TRY(get_text(&p->weight, p->ctx, root, "weight"));
    const bp__tree *list = bp__tree_get(root, "columns");
    if (!list || list->kind != BP__LIST) return bad(p->ctx, "columns");
    size_t bytes = (size_t)bp__tree_count(list) * sizeof *p->columns;
    p->columns = bp__zalloc(p->ctx, bytes);
    if (!p->columns) return bp__out_of_memory(p->ctx, bytes);
    int64_t features = 0;
    for (const bp__tree *t = list->child; t; t = t->next) BP_TRY(read_column(&p->columns[p->n_inputs++], p, t, &features));
    return features == p->sample_size && p->rank == 1 ? BP_OK : bad(p->ctx, "sample_shape");
}

static bp_status read_shape(bp__prep *p, const bp__tree *root) {
    const bp__tree *shape = bp__tree_get(root, "sample_shape");
    int64_t rank = shape && shape->kind == BP__LIST ? bp__tree_count(shape) : 0;
    if (rank < 1 || rank >= BP__ARRAY_RANK) return bad(p->ctx, "sample_shape");
    p->sample_size = 1;
    for (const bp__tree *t = shape->child; t; t = t->next) {
        if (t->kind != BP__INT || t->integer < 1 || p->sample_size > (INT64_C(1) << 40) / t->integer)
            return bad(p->ctx, "sample_shape");
        p->shape[p->rank++] = t->integer;
        p->sample_size *= t->integer;
    }
    return BP_OK;
}

static bp_status read_targets(bp__prep *p, const bp__tree *root) {
    const bp__tree *list = bp__tree_get(root, "targets");
    int64_t n = list && list->kind == BP__LIST ? bp__tree_count(list) : 0;
    if (n < 1 || n > BP__MAX_TARGETS || (p->task == BP__CLASSIFICATION && n != 1)) return bad(p->ctx, "targets");
    p->targets = bp__zalloc(p->ctx, (size_t)n * sizeof *p->targets);
    if (!p->targets) return bp__out_of_memory(p->ctx, (size_t)n * sizeof *p->targets);
    for (const bp__tree *m = list->child; m; m = m->next) {
        bp__prep_target *t = &p->targets[p->n_targets++];
        BP_TRY(get_text(&t->name, p->ctx, m, "name"));
        BP_TRY(get_int(&t->position, p->ctx, m, "position", p->table ? 0 : -1, p->table ? p->n_columns - 1 : -1));
        BP_TRY(get_normalize(&t->normalize, p->ctx, m));
        BP_TRY(get_number(&t->center, p->ctx, m, "center"));
        BP_TRY(get_scale(&t->scale, p->ctx, m, "scale"));
    }
    if (p->task != BP__CLASSIFICATION) return BP_OK;
    BP_TRY(get_texts(&p->classes, &p->n_classes, p->ctx, root, "classes"));
    return p->n_classes ? BP_OK : bad(p->ctx, "classes");
}

static bp_status read_prep(bp__prep *p, const bp__tree *root) {
    static const char *const kinds[] = {"array", "table"};
    int kind = 0, dtype = 0;
    BP_TRY(get_word(&kind, p->ctx, root, "kind", kinds, 2));
    p->table = kind == 1;
    const bp__tree *task = bp__tree_get(root, "task");
    if (!task || task->kind != BP__TEXT || !task->text || !bp__task_find(&p->task, task->text) || p->task == BP__TASK_AUTO)
        return bad(p->ctx, "task");
    BP_TRY(get_text(&p->task_why, p->ctx, root, "task_why"));
    BP_TRY(get_normalize(&p->normalize, p->ctx, root));
    BP_TRY(get_word(&dtype, p->ctx, root, "input_dtype", dtype_names, (int)BP__COUNT(dtype_names)));
    p->input_dtype = (bp_dtype)dtype;
    if (p->input_dtype == BP_I32 || p->input_dtype == BP_I64 || (p->table && p->input_dtype == BP_U8))
        return bad(p->ctx, "input_dtype");
    BP_TRY(get_scale(&p->byte_scale, p->ctx, root, "byte_scale"));
    BP_TRY(read_shape(p, root));
    if (p->table) BP_TRY(read_table(p, root));
    if (!p->table && bp__tree_get(root, "center")) {
        BP_TRY(get_numbers(&p->center, p->ctx, root, "center", p->sample_size));
        BP_TRY(get_numbers(&p->scale, p->ctx, root, "scale", p->sample_size));
        for (int64_t i = 0; i < p->sample_size; i++)
            if (!(p->scale[i] > 0) || p->input_dtype == BP_U8) return bad(p->ctx, "scale");
    }
    return read_targets(p, root);
}

bp_status bp__prep_from_tree(bp__prep **out, bp_context *ctx, const bp__tree *tree) {
    *out = NULL;
    if (!tree || tree->kind != BP__MAP) return bad(ctx, "preprocessing");
    bp__prep *p = bp__zalloc(ctx, sizeof *p);
    if (!p) return bp__out_of_memory(ctx, sizeof *p);
    p->ctx = ctx;
    bp_status status = read_prep(p, tree);
    if (status == BP_OK)
        *out = p;
    else
        bp__prep_free(p);
    return status;
}
