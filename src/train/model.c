/* A trained model: its file, which alone is enough to predict, and its answers for rows in memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "train/train.h"

#define FORMAT "1"

bp_status bp__model_new(bp_model **out, bp_context *ctx, bp__prep *prep, bp__tree *config, bp__tree *provenance, bp__net *net) {
    *out = bp__zalloc(ctx, sizeof **out);
    if (!*out) {
        bp__prep_free(prep);
        bp__tree_free(ctx, config);
        bp__tree_free(ctx, provenance);
        bp__net_free(net);
        return bp__out_of_memory(ctx, sizeof **out);
    }
    **out = (bp_model){.ctx = ctx, .prep = prep, .config = config, .provenance = provenance, .net = net};
    return BP_OK;
}

void bp_model_free(bp_model *m) {
    if (!m) return;
    bp__net_free(m->net);
    bp__prep_free(m->prep);
    bp__tree_free(m->ctx, m->config);
    bp__tree_free(m->ctx, m->provenance);
    bp__free(m->ctx, m);
}

/* ---- Configuration without places ---- */

static bp_status base_only(bp_context *ctx, bp__tree *t) {
    if (!t || t->kind != BP__TEXT || strncmp(t->text, "builtin:", 8) == 0 || !strchr(t->text, '/')) return BP_OK;
    char *name = bp__strdup(ctx, bp__path_base(t->text));
    if (!name) return bp__out_of_memory(ctx, 0);
    bp__free(ctx, t->text);
    t->text = name;
    return BP_OK;
}

bp_status bp__public_config(bp__tree **out, bp_context *ctx, const bp__tree *resolved) {
    *out = bp__tree_copy(ctx, resolved);
    if (!*out) return bp__out_of_memory(ctx, 0);
    bp__tree *data = bp__tree_get(*out, "data");
    bp__tree *maps[] = {data, bp__tree_get(data, "validation"), bp__tree_get(data, "test")};
    for (int i = 0; i < 3; i++) {
        BP_TRY(base_only(ctx, bp__tree_get(maps[i], "path")));
        bp__tree *target = bp__tree_get(maps[i], "target");
        if (target && target->kind == BP__TEXT && target->text[0] == '/') BP_TRY(base_only(ctx, target));
    }
    return BP_OK;
}

/* ---- Tensors ---- */

/* Plain copies of all parameters, in the net's order; one block holds the bytes. */
static bp_status collect(const bp_model *m, bp__st_tensor **tensors, int64_t *n, unsigned char **bytes) {
    bp_context *ctx = m->ctx;
    *n = bp__nn_n_parameters(m->net->nn);
    *tensors = bp__zalloc(ctx, sizeof(bp__st_tensor) * (size_t)(*n + 1));
    if (!*tensors) return bp__out_of_memory(ctx, 0);
    size_t total = 64;
    for (int64_t i = 0; i < *n; i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(m->net->nn, i);
        bp__st_tensor *t = &(*tensors)[i];
        bp_dims d = bp_value_dims(q->value);
        t->name = q->name;
        t->dtype = bp__st_dtype_of(bp_value_dtype(q->value));
        t->n_dims = (int)d.n;
        for (int64_t k = 0; k < d.n; k++) t->dims[k] = d.dim[k];
        t->n_bytes = bp__st_dtype_size(t->dtype);
        for (int64_t k = 0; k < d.n; k++) t->n_bytes *= (size_t)d.dim[k];
        total += (t->n_bytes + 15) & ~(size_t)15;
    }
    *bytes = bp__alloc(ctx, total);
    if (!*bytes) return bp__out_of_memory(ctx, total);
    unsigned char *at = *bytes;
    for (int64_t i = 0; i < *n; i++) {
        bp__st_tensor *t = &(*tensors)[i];
        BP_TRY(bp_state_get(m->net->state, t->name, at, t->n_bytes));
        t->data = at;
        at += (t->n_bytes + 15) & ~(size_t)15;
    }
    return BP_OK;
}

bp_status bp__model_sha256(const bp_model *m, char out[65]) {
    bp__st_tensor *tensors = NULL;
    unsigned char *bytes = NULL;
    int64_t n = 0;
    bp_status status = collect(m, &tensors, &n, &bytes);
    if (status == BP_OK) status = bp__weights_sha256(m->ctx, tensors, n, out);
    bp__free(m->ctx, tensors);
    bp__free(m->ctx, bytes);
    return status;
}

static bp_status metadata(const bp_model *m, char **json) {
    bp_context *ctx = m->ctx;
    bp__tree *root = bp__tree_new(ctx, BP__MAP), *prep = NULL;
    if (!root) return bp__out_of_memory(ctx, 0);
    bp_status status = bp__put_copy(ctx, root, "config", m->config, NULL);
    if (status == BP_OK) status = bp__prep_to_tree(&prep, m->prep);
    if (status == BP_OK) status = bp__put(ctx, root, "preprocessing", prep, NULL);
    if (status == BP_OK && m->prep->classes) {
        bp__tree *classes = bp__tree_new(ctx, BP__LIST);
        status = bp__put(ctx, root, "classes", classes, NULL);
        for (int64_t i = 0; i < m->prep->n_classes && status == BP_OK; i++)
            status = bp__tree_append(ctx, classes, bp__tree_text(ctx, m->prep->classes[i]));
    }
    if (status == BP_OK && m->provenance) status = bp__put_copy(ctx, root, "provenance", m->provenance, NULL);
    if (status == BP_OK) status = bp__json_write(ctx, root, 0, json);
    bp__tree_free(ctx, root);
    return status;
}

bp_status bp_model_save(const bp_model *m, const char *path) {
    bp__st_tensor *tensors = NULL;
    unsigned char *bytes = NULL;
    int64_t n = 0;
    char *json = NULL;
    bp_status status = collect(m, &tensors, &n, &bytes);
    if (status == BP_OK) status = metadata(m, &json);
    bp__st_meta meta[] = {{"backprop", json}, {"backprop_format", FORMAT}, {"format", "pt"}};
    if (status == BP_OK) status = bp__safetensors_write(m->ctx, path, tensors, n, meta, 3);
    bp__free(m->ctx, json);
    bp__free(m->ctx, tensors);
    bp__free(m->ctx, bytes);
    return status;
}

static const char *shape_text(char *out, size_t size, int n, const int64_t *dims) {
    snprintf(out, size, "[");
    for (int i = 0; i < n; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, i ? ",%lld" : "%lld", (long long)dims[i]);
    }
    size_t used = strlen(out);
    snprintf(out + used, size - used, "]");
    return out;
}

static bp_status load_one(bp__net *net, const bp__st_file *file, const bp__nn_parameter *q) {
    const bp__st_tensor *t = bp__safetensors_find(file, q->name);
    bp_context *ctx = net->ctx;
    if (!t)
        return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "no_such_tensor", .file = file->path},
                           "%s has no tensor %s, which the model needs: its layers are others", file->path, q->name);
    bp_dims d = bp_value_dims(q->value);
    bool fits = d.n == t->n_dims;
    for (int i = 0; i < t->n_dims && fits; i++) fits = d.dim[i] == t->dims[i];
    if (!fits) {
        char a[120], b[120];
        return bp__fail_at(ctx, BP_SHAPE, (bp__where){.code = "shape", .file = file->path},
                           "%s: tensor %s is %s, and the model needs %s", file->path, q->name,
                           shape_text(a, sizeof a, t->n_dims, t->dims), shape_text(b, sizeof b, (int)d.n, d.dim));
    }
    bp_dtype dtype = bp_value_dtype(q->value);
    int64_t n = bp__st_count(t);
    size_t size = (size_t)n * bp_dtype_size(dtype);
    double *values = bp__alloc(ctx, (size_t)n * 8 + 8);
    if (!values) return bp__out_of_memory(ctx, (size_t)n * 8);
    if (dtype == BP_F32)
        bp__st_to_f32(t, (float *)(void *)values);
    else
        bp__st_to_f64(t, values);
    if (dtype == BP_I64) {
        int64_t *whole = (int64_t *)(void *)values;
        for (int64_t i = 0; i < n; i++) whole[i] = (int64_t)values[i];
    }
    bp_status status = bp_state_set(net->state, q->name, values, size);
    bp__free(ctx, values);
    return status;
}

bp_status bp__weights_load(bp__net *net, const bp__st_file *file) {
    int64_t n = bp__nn_n_parameters(net->nn);
    for (int64_t i = 0; i < n; i++) BP_TRY(load_one(net, file, bp__nn_parameter_at(net->nn, i)));
    for (int64_t i = 0; i < file->n_tensors; i++) {
        bool known = false;
        for (int64_t k = 0; k < n && !known; k++)
            known = strcmp(file->tensors[i].name, bp__nn_parameter_at(net->nn, k)->name) == 0;
        if (!known)
            return bp__fail_at(net->ctx, BP_DATA, (bp__where){.code = "extra_tensor", .file = file->path},
                               "%s has the tensor %s, which the model has no place for: its layers are others", file->path,
                               file->tensors[i].name);
    }
    return BP_OK;
}

bp_status bp__model_open_file(bp__st_file **out, bp_context *ctx, const char *path) {
    if (!bp__file_is_dir(path)) {
        if (bp__file_exists(path) && !bp__safetensors_named(path))
            return bp__fail_at(
                ctx, BP_FORMAT,
                (bp__where){.code = "no_model", .file = path, .hint = "name a run directory or a .safetensors file"},
                "%s is no model file", path);
        return bp__safetensors_open(ctx, path, out);
    }
    char *inner = bp__path_join(ctx, path, "model.safetensors");
    if (!inner) return bp__out_of_memory(ctx, 0);
    bp_status status = bp__file_exists(inner)
                           ? bp__safetensors_open(ctx, inner, out)
                           : bp__fail_at(ctx, BP_NOT_FOUND, (bp__where){.code = "no_model", .file = path},
                                         "%s is a folder without model.safetensors, so it is no run directory", path);
    bp__free(ctx, inner);
    return status;
}

/* ---- Opening ---- */

static bp_status read_meta(bp__tree **out, bp_context *ctx, const bp__st_file *file) {
    const char *format = bp__safetensors_meta(file, "backprop_format"), *text = bp__safetensors_meta(file, "backprop");
    int64_t number = 0;
    if (!format || !text)
        return bp__fail_at(ctx, BP_FORMAT,
                           (bp__where){.code = "no_metadata", .file = file->path, .hint = "start a training from it with --from"},
                           "%s holds weights only: it does not say which model they belong to", file->path);
    if (!bp__parse_i64(format, strlen(format), &number) || number != 1)
        return bp__fail_at(ctx, BP_FORMAT,
                           (bp__where){.code = "newer_format", .file = file->path, .hint = "use a newer backprop"},
                           "%s has format %s, and this version reads format " FORMAT, file->path, format);
    return bp__json_parse(ctx, text, strlen(text), file->path, out);
}

static bp_status open_net(bp_model *m, const bp__st_file *file, const bp__tree *meta) {
    bp_context *ctx = m->ctx;
    const bp__tree *prep = bp__tree_get(meta, "preprocessing"), *config = bp__tree_get(meta, "config");
    const bp__tree *layers = bp__tree_get(config, "model"), *loss = bp__tree_get(config, "loss");
    if (!prep || !layers || !loss)
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "metadata", .file = file->path},
                           "%s: the model's description is incomplete", file->path);
    BP_TRY(bp__prep_from_tree(&m->prep, ctx, prep));
    m->config = bp__tree_copy(ctx, config);
    const bp__tree *provenance = bp__tree_get(meta, "provenance"), *dtype = bp__tree_get(bp__tree_get(config, "train"), "dtype");
    m->provenance = provenance ? bp__tree_copy(ctx, provenance) : bp__tree_new(ctx, BP__MAP);
    if (!m->config || !m->provenance) return bp__out_of_memory(ctx, 0);
    bp__net_spec spec = {.model = layers, .file = file->path, .prep = m->prep, .clip_norm = -1, .clip_value = -1};
    const char *precision = dtype && dtype->kind == BP__TEXT ? dtype->text : "";
    spec.dtype = strcmp(precision, "float64") == 0 ? BP_F64 : BP_F32;
    spec.bfloat16 = strcmp(precision, "bfloat16") == 0;
    BP_TRY(bp__loss_read(&spec.loss, ctx, file->path, loss));
    bp__task of_loss = bp__loss_task(&spec.loss);
    if (of_loss != BP__TASK_AUTO && of_loss != m->prep->task)
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "metadata", .file = file->path},
                           "%s: its loss does not fit its task", file->path);
    BP_TRY(bp__net_new(&m->net, ctx, &spec));
    return bp__weights_load(m->net, file);
}

bp_status bp_model_open(bp_model **out, bp_context *ctx, const char *path) {
    *out = NULL;
    bp__st_file *file = NULL;
    bp__tree *meta = NULL;
    bp_model *m = NULL;
    BP_TRY(bp__model_open_file(&file, ctx, path));
    bp_status status = read_meta(&meta, ctx, file);
    if (status == BP_OK) status = bp__model_new(&m, ctx, NULL, NULL, NULL, NULL);
    if (status == BP_OK) status = open_net(m, file, meta);
    bp__tree_free(ctx, meta);
    bp__safetensors_close(file);
    if (status == BP_CONFIG) status = BP_FORMAT; /* nobody wrote the configuration in there: the file is damaged */
    if (status == BP_OK)
        *out = m;
    else
        bp_model_free(m);
    return status;
}

/* ---- Questions ---- */

/* Of a table: its columns that are not ignored. */
int64_t bp_model_inputs(const bp_model *m) {
    if (!m->prep->table) return m->prep->sample_size;
    int64_t n = 0;
    for (int64_t i = 0; i < m->prep->n_inputs; i++) n += m->prep->columns[i].encoding != BP__IGNORED;
    return n;
}
int64_t bp_model_outputs(const bp_model *m) {
    return m->prep->task == BP__CLASSIFICATION ? m->prep->n_classes : m->prep->n_targets;
}
const char *bp_model_output_name(const bp_model *m, int64_t k) {
    if (k < 0 || k >= bp_model_outputs(m)) return NULL;
    return m->prep->task == BP__CLASSIFICATION ? m->prep->classes[k] : m->prep->targets[k].name;
}
const char *bp_model_task(const bp_model *m) { return bp__task_name(m->prep->task); }

/* One row of numbers as features. */
static void encode(const bp__prep *p, const float *x, double *out) {
    int64_t at = 0;
    if (!p->table) {
        for (int64_t i = 0; i < p->sample_size; i++)
            out[i] = p->center ? ((double)x[i] - p->center[i]) / p->scale[i] : (double)x[i];
        return;
    }
    for (int64_t i = 0; i < p->n_inputs; i++) {
        const bp__prep_column *c = &p->columns[i];
        if (c->encoding == BP__IGNORED) continue;
        double v = (double)x[at++];
        bool missing = v != v;
        out[c->first_feature] = ((missing ? c->fill : v) - c->center) / c->scale;
        if (c->indicator) out[c->first_feature + 1] = missing ? 1 : 0;
    }
}

static bp_status to_input(bp_context *ctx, const bp__net *net, const double *features, int64_t n, void *x) {
    for (int64_t i = 0; i < n; i++) {
        if (net->x_dtype == BP_F64)
            ((double *)x)[i] = features[i];
        else if (net->x_dtype == BP_F32)
            ((float *)x)[i] = (float)features[i];
        else if (features[i] >= 0 && features[i] <= 255)
            ((uint8_t *)x)[i] = (uint8_t)features[i];
        else
            return bp__fail(ctx, BP_DATA, "the model takes bytes from 0 to 255, and one element is %g", features[i]);
    }
    return BP_OK;
}

bp_status bp_model_predict(bp_model *m, const float *x, int64_t rows, float *y) {
    enum { BLOCK = 256 };
    const bp__prep *p = m->prep;
    for (int64_t i = 0; p->table && i < p->n_inputs; i++)
        if (p->columns[i].encoding == BP__ONE_HOT)
            return bp__fail(m->ctx, BP_UNSUPPORTED, "the input %s is no number: predict from a file instead", p->columns[i].name);
    int64_t inputs = bp_model_inputs(m), sample = p->sample_size, k = bp__net_columns(m->net);
    double *features = bp__zalloc(m->ctx, sizeof(double) * (size_t)sample),
           *out = bp__alloc(m->ctx, sizeof(double) * (size_t)(BLOCK * k));
    unsigned char *staged = bp__alloc(m->ctx, sizeof(double) * (size_t)(BLOCK * sample));
    bp_status status = features && out && staged ? BP_OK : bp__out_of_memory(m->ctx, sizeof(double) * (size_t)(BLOCK * sample));
    size_t row_bytes = bp_dtype_size(m->net->x_dtype) * (size_t)sample;
    for (int64_t i = 0; i < rows && status == BP_OK; i += BLOCK) {
        int64_t n = BP__MIN(BLOCK, rows - i);
        for (int64_t r = 0; r < n && status == BP_OK; r++) {
            encode(p, x + (i + r) * inputs, features);
            status = to_input(m->ctx, m->net, features, sample, staged + (size_t)r * row_bytes);
        }
        bp__batch b = {.n = n, .x = staged};
        if (status == BP_OK) status = bp__net_eval(m->net, &b, out, NULL);
        for (int64_t r = 0; r < n * k && status == BP_OK; r++)
            y[i * k + r] = (float)(p->task == BP__CLASSIFICATION ? out[r] : bp__target_restore(p, r % k, out[r]));
    }
    bp__free(m->ctx, features);
    bp__free(m->ctx, out);
    bp__free(m->ctx, staged);
    return status;
}

/* ---- The other way: rows of a run's data as bp_model_predict takes them ---- */

static void decode(const bp__prep *p, const bp__dataset *d, int64_t row, float *out) {
    int64_t first = row * d->sample_size, n = 0;
    for (int64_t i = 0; i < (p->table ? p->n_inputs : d->sample_size); i++) {
        const bp__prep_column *c = p->table ? &p->columns[i] : NULL;
        if (c && c->encoding == BP__IGNORED) continue;
        int64_t at = first + (c ? c->first_feature : i);
        bool missing = c && c->indicator && bp__dataset_x(d, at + 1) != 0;
        double v = bp__dataset_x(d, at),
               center = c           ? c->center
                        : p->center ? p->center[i]
                                    : 0,
               scale = c           ? c->scale
                       : p->center ? p->scale[i]
                                   : 1;
        out[n++] = missing ? NAN : (float)(v * scale + center);
    }
}

bp_status bp_run_rows(bp_run *run, const char *set, float **x, int64_t **label, int64_t *n) {
    bp_context *ctx = run->ctx;
    const bp__dataset *d = run->d->data;
    const bp__prep *p = d->prep;
    *x = NULL;
    *label = NULL;
    *n = 0;
    static const char *const names[] = {"train", "validation", "test"};
    const bp__set *const sets[] = {&d->train, &d->validation, &d->test}, *s = NULL;
    for (int i = 0; i < 3; i++)
        if (strcmp(set, names[i]) == 0) s = sets[i];
    char hint[80];
    if (!s || s->n_rows == 0)
        return bp__fail_at(ctx, BP_NOT_FOUND, (bp__where){.hint = bp__name_hint(hint, sizeof hint, set, names, 3)},
                           "the run has no set %s", set);
    if (!d->label) return bp__fail(ctx, BP_UNSUPPORTED, "the task is %s: its rows have no classes", bp__task_name(d->task));
    for (int64_t i = 0; p->table && i < p->n_inputs; i++)
        if (p->columns[i].encoding == BP__ONE_HOT)
            return bp__fail(ctx, BP_UNSUPPORTED, "the input %s is no number", p->columns[i].name);
    int64_t inputs = bp_model_inputs(run->model);
    *x = bp__alloc(ctx, sizeof(float) * (size_t)(s->n_rows * inputs));
    *label = bp__alloc(ctx, sizeof(int64_t) * (size_t)s->n_rows);
    if (!*x || !*label) {
        bp__free(ctx, *x);
        bp__free(ctx, *label);
        *x = NULL;
        *label = NULL;
        return bp__out_of_memory(ctx, sizeof(float) * (size_t)(s->n_rows * inputs));
    }
    for (int64_t i = 0; i < s->n_rows; i++) {
        decode(p, d, s->rows[i], *x + i * inputs);
        (*label)[i] = d->label[s->rows[i]];
    }
    *n = s->n_rows;
    return BP_OK;
}
