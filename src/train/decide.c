/* Decides what a configuration leaves open, from the training rows, each with its reason; the result is a configuration that
   says everything and trains to the same bits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "io/files.h"
#include "train/train.h"

/* Where neither epochs, steps nor a time are given: early stopping ends the run, at the latest after so many epochs. */
enum { EPOCHS_WITH_STOPPING = 200, EPOCHS_WITHOUT_VALIDATION = 20, EPOCHS_OF_OVERFIT = 2000 };

static bp__tree *layer(bp_context *ctx, const char *name, int64_t size) {
    if (size == 0) return bp__tree_text(ctx, name);
    bp__tree *map = bp__tree_new(ctx, BP__MAP);
    if (map && bp__tree_put(ctx, map, name, bp__tree_int(ctx, size)) != BP_OK) {
        bp__tree_free(ctx, map);
        return NULL;
    }
    if (map) map->flow = true;
    return map;
}

/* Two hidden layers for tables (interactions of interactions), one wider for arrays; narrower where there are few rows. */
static bp_status default_model(bp__decided *d, bp__tree **out, char why[200]) {
    bp_context *ctx = d->ctx;
    int64_t n = d->data->train.n_rows, outputs = bp__loss_outputs(&d->loss, d->data->prep);
    bool table = d->data->prep->table;
    int64_t width = table ? (n < 1000 ? 32 : n < 20000 ? 64 : 128) : (n < 10000 ? 128 : 256);
    snprintf(why, 200, "by rule: %s with %lld training rows get %s hidden layer%s of %lld", table ? "tables" : "arrays",
             (long long)n, table ? "two" : "one", table ? "s" : "", (long long)width);
    *out = bp__tree_new(ctx, BP__LIST);
    if (!*out) return bp__out_of_memory(ctx, 0);
    for (int i = 0; i < (table ? 2 : 1); i++) {
        BP_TRY(bp__tree_append(ctx, *out, layer(ctx, "linear", width)));
        BP_TRY(bp__tree_append(ctx, *out, layer(ctx, "relu", 0)));
    }
    return bp__tree_append(ctx, *out, layer(ctx, "linear", outputs));
}

static const char *base(const bp__decided *d) { return d->data->train.path ? bp__path_base(d->data->train.path) : "the data"; }

/* ---- data ---- */

static bp_status put_path(bp_context *ctx, bp__tree *map, const char *key, const char *path, bool is_file) {
    char *whole = NULL;
    if (is_file && path[0] != '/' && strcmp(path, "-") != 0 && strncmp(path, "builtin:", 8) != 0)
        whole = bp__absolute_path(ctx, path);
    bp_status status = bp__put_text(ctx, map, key, whole ? whole : path);
    bp__free(ctx, whole);
    return status;
}

static bp_status resolve_piece(bp__decided *d, bp__tree *map, const bp__data_spec *spec) {
    bp_context *ctx = d->ctx;
    BP_TRY(put_path(ctx, map, "path", spec->path, true));
    bool table = d->data->prep->table;
    if (spec->n_targets == 1) BP_TRY(put_path(ctx, map, "target", spec->targets[0], !table && bp__file_exists(spec->targets[0])));
    if (spec->n_targets == 0 && table && spec == &d->s.data.train)
        BP_TRY(bp__put(ctx, map, "target", bp__tree_text(ctx, d->data->prep->targets[0].name), "the data's own target"));
    if (spec->n_targets > 1) {
        bp__tree *list = bp__tree_new(ctx, BP__LIST);
        for (int64_t i = 0; list && i < spec->n_targets; i++)
            BP_TRY(bp__tree_append(ctx, list, bp__tree_text(ctx, spec->targets[i])));
        BP_TRY(bp__put(ctx, map, "target", list, NULL));
    }
    return spec->input ? bp__put_text(ctx, map, "input", spec->input) : BP_OK;
}

/* Text columns may be given as numbers: keep what the user wrote. */
static bp_status resolve_columns(bp__decided *d, bp__tree *data) {
    bp_context *ctx = d->ctx;
    const bp__prep *p = d->data->prep;
    if (!p->table || p->n_inputs == 0) return BP_OK;
    bp__tree *columns = bp__tree_new(ctx, BP__MAP);
    if (!columns) return bp__out_of_memory(ctx, 0);
    bp_status status = BP_OK;
    for (int64_t i = 0; i < p->n_inputs && status == BP_OK; i++) {
        const bp__prep_column *c = &p->columns[i];
        const bp__tree *given = bp__tree_get(d->s.data.columns, c->name);
        bp__tree *one = given ? bp__tree_copy(ctx, given) : bp__tree_new(ctx, BP__MAP);
        if (!one) {
            status = bp__out_of_memory(ctx, 0);
            break;
        }
        one->flow = true;
        if (!given && c->encoding == BP__IGNORED)
            status = bp__put(ctx, one, "ignore", bp__tree_bool(ctx, true), NULL);
        else if (!given)
            status = bp__put_text(ctx, one, "type", bp__column_type_name(c->type));
        if (status == BP_OK)
            status = bp__put(ctx, columns, c->name, one, c->why);
        else
            bp__tree_free(ctx, one);
    }
    if (status == BP_OK) return bp__put(ctx, data, "columns", columns, NULL);
    bp__tree_free(ctx, columns);
    return status;
}

static bp_status resolve_set(bp__decided *d, bp__tree *data, const char *key, const bp__data_spec *spec) {
    if (!spec->path) return BP_OK;
    bp__tree *map = bp__tree_new(d->ctx, BP__MAP);
    if (!map) return bp__out_of_memory(d->ctx, 0);
    bp_status status = resolve_piece(d, map, spec);
    if (status == BP_OK) return bp__put(d->ctx, data, key, map, NULL);
    bp__tree_free(d->ctx, map);
    return status;
}

static bp_status fill_data(bp__decided *d, bp__tree *data) {
    bp_context *ctx = d->ctx;
    const bp__data_options *o = &d->s.data;
    BP_TRY(resolve_piece(d, data, &o->train));
    BP_TRY(resolve_set(d, data, "validation", &o->validation));
    BP_TRY(resolve_set(d, data, "test", &o->test));
    bp__tree *split = bp__tree_new(ctx, BP__MAP);
    if (!split) return bp__out_of_memory(ctx, 0);
    split->flow = true;
    char why[120];
    snprintf(why, sizeof why, "%lld rows for training, %lld for validation, %lld for test", (long long)d->data->train.n_rows,
             (long long)d->data->validation.n_rows, (long long)d->data->test.n_rows);
    BP_TRY(bp__put(ctx, data, "split", split, why));
    BP_TRY(bp__put_number(ctx, split, "validation", o->validation_fraction));
    BP_TRY(bp__put_number(ctx, split, "test", o->test_fraction));
    BP_TRY(bp__put_int(ctx, split, "seed", (int64_t)o->split_seed));
    BP_TRY(bp__put(ctx, split, "stratify", bp__tree_bool(ctx, o->stratify), NULL));
    BP_TRY(bp__put_text(ctx, data, "normalize", bp__normalize_name(o->normalize)));
    BP_TRY(bp__put_text(ctx, data, "normalize_target", bp__normalize_name(o->normalize_target)));
    if (o->no_header) BP_TRY(bp__put(ctx, data, "header", bp__tree_bool(ctx, false), NULL));
    if (o->delimiter) BP_TRY(bp__put_text(ctx, data, "delimiter", (char[]){o->delimiter, 0}));
    return resolve_columns(d, data);
}

/* ---- train ---- */

static bp_status fill_checkpoint(bp__decided *d, bp__tree *train) {
    bp_context *ctx = d->ctx;
    const bp__settings *s = &d->s;
    bp__tree *t = bp__tree_new(ctx, BP__MAP);
    if (!t) return bp__out_of_memory(ctx, 0);
    t->flow = true;
    BP_TRY(bp__put(ctx, train, "checkpoint", t, NULL));
    BP_TRY(bp__put(ctx, t, "every_steps",
                   s->checkpoint_steps ? bp__tree_int(ctx, s->checkpoint_steps) : bp__tree_new(ctx, BP__NULL), NULL));
    BP_TRY(bp__put(ctx, t, "every",
                   s->checkpoint_seconds >= 0 ? bp__tree_number(ctx, s->checkpoint_seconds) : bp__tree_new(ctx, BP__NULL), NULL));
    return bp__put_int(ctx, t, "keep", s->checkpoint_keep);
}

static bp_status fill_train(bp__decided *d, bp__tree *train) {
    bp_context *ctx = d->ctx;
    bp__settings *s = &d->s;
    bool validation = d->data->validation.n_rows > 0;
    if (!s->has_epochs && !s->has_steps && !s->has_time && s->overfit) {
        s->epochs = EPOCHS_OF_OVERFIT;
        BP_TRY(
            bp__put(ctx, train, "epochs", bp__tree_int(ctx, s->epochs), "at most: train.overfit ends the run when it is done"));
    } else if (!s->has_epochs && !s->has_steps && !s->has_time) {
        s->epochs = validation ? EPOCHS_WITH_STOPPING : EPOCHS_WITHOUT_VALIDATION;
        if (!s->has_stopping) s->stop_early = validation;
        BP_TRY(bp__put(ctx, train, "epochs", bp__tree_int(ctx, s->epochs),
                       s->stop_early ? "at most: no length was given, so early stopping ends the run"
                                     : "no length was given, and there is no validation set to stop by"));
    } else if (s->has_epochs)
        BP_TRY(bp__put_int(ctx, train, "epochs", s->epochs));
    if (s->has_steps) BP_TRY(bp__put_int(ctx, train, "steps", s->steps));
    if (s->has_time) BP_TRY(bp__put_number(ctx, train, "max_time", s->max_time));
    if (s->steps_per_epoch) BP_TRY(bp__put_int(ctx, train, "steps_per_epoch", s->steps_per_epoch));
    if (s->overfit) BP_TRY(bp__put_int(ctx, train, "overfit", s->overfit));
    char why[400];
    bool probed = s->batch_auto;
    if (probed) BP_TRY(bp__probe_batch(d, why));
    bp__tree *batch = s->batch_size ? bp__tree_int(ctx, s->batch_size) : bp__tree_text(ctx, "full");
    BP_TRY(bp__put(ctx, train, "batch_size", batch, probed ? why : s->has_batch ? NULL : "the default"));
    if (s->accumulate > 1) BP_TRY(bp__put_int(ctx, train, "accumulate", s->accumulate));
    BP_TRY(bp__put(ctx, train, "shuffle", bp__tree_bool(ctx, s->shuffle), NULL));
    if (s->sampling) {
        snprintf(why, sizeof why, "a pass takes %lld of the %lld training rows, as many of each class, %s",
                 (long long)d->pass_rows, (long long)d->data->train.n_rows,
                 s->sampling == BP__SAMPLING_OVER ? "some more than once" : "others every time");
        BP_TRY(bp__put(ctx, train, "sampling", bp__tree_text(ctx, bp__sampling_name(s->sampling)), why));
    }
    if (s->clip_norm > 0) BP_TRY(bp__put_number(ctx, train, "clip_norm", s->clip_norm));
    if (s->clip_value > 0) BP_TRY(bp__put_number(ctx, train, "clip_value", s->clip_value));
    static const char *const whose[] = {"model", "layer", "parameter"};
    if (s->clip_per != BP__CLIP_MODEL) BP_TRY(bp__put_text(ctx, train, "clip_norm_per", whose[s->clip_per]));
    if (s->clip_adaptive > 0) BP_TRY(bp__put_number(ctx, train, "clip_adaptive", s->clip_adaptive));
    if (s->average) BP_TRY(bp__put_copy(ctx, train, "average", s->average, NULL));
    if (validation || s->has_stopping) {
        bp__tree *stop = bp__tree_new(ctx, BP__MAP);
        if (!stop) return bp__out_of_memory(ctx, 0);
        stop->flow = true;
        BP_TRY(bp__put(ctx, train, "early_stopping", stop,
                       s->stop_early ? "ends the run when the metric has not improved for `patience` epochs"
                                     : "no patience: only the best epoch is kept"));
        BP_TRY(bp__put_text(ctx, stop, "metric", s->stop_metric));
        BP_TRY(
            bp__put(ctx, stop, "patience", s->stop_early ? bp__tree_int(ctx, s->patience) : bp__tree_new(ctx, BP__NULL), NULL));
        BP_TRY(bp__put_number(ctx, stop, "min_delta", s->min_delta));
        if (s->has_baseline) BP_TRY(bp__put_number(ctx, stop, "baseline", s->baseline));
        if (s->has_target) BP_TRY(bp__put_number(ctx, stop, "target", s->target));
        BP_TRY(bp__put(ctx, stop, "restore_best", bp__tree_bool(ctx, s->restore_best), NULL));
    }
    BP_TRY(fill_checkpoint(d, train));
    static const char *const divergence[] = {"rollback", "stop", "continue"};
    BP_TRY(bp__put_text(ctx, train, "on_divergence", divergence[s->on_divergence]));
    BP_TRY(bp__put(ctx, train, "outlier_z", s->outlier_z > 0 ? bp__tree_number(ctx, s->outlier_z) : bp__tree_new(ctx, BP__NULL),
                   NULL));
    BP_TRY(bp__put_int(ctx, train, "seed", (int64_t)s->seed));
    BP_TRY(bp__put(ctx, train, "threads", bp__tree_int(ctx, s->threads), "never changes a result"));
    BP_TRY(bp__put(ctx, train, "dtype", bp__tree_text(ctx, bp__precision(s->dtype, s->bfloat16)),
                   s->bfloat16 && !bp_context_bfloat16(ctx)
                       ? "this processor has no instruction for products of bfloat16: they take longer than those of float32 here"
                       : NULL));
    if (s->class_weight) BP_TRY(bp__put_copy(ctx, train, "class_weight", s->class_weight, NULL));
    return s->data.weight_column ? bp__put_text(ctx, train, "weight_column", s->data.weight_column) : BP_OK;
}

static bp_status new_section(bp__decided *d, const char *key, bp__tree **out) {
    *out = bp__tree_new(d->ctx, BP__MAP);
    return bp__put(d->ctx, d->resolved, key, *out, NULL);
}

/* Every layer that drops at random drops nothing: only so can rows be learnt by heart to the last digit. */
static bp_status without_dropout(bp_context *ctx, bp__tree *t) {
    for (bp__tree *c = t->child; c; c = c->next) {
        bool layer = c->key && strstr(c->key, "dropout"), word = c->kind == BP__TEXT && !c->key && strstr(c->text, "dropout");
        if (layer && c->kind == BP__MAP) {
            BP_TRY(bp__put_number(ctx, c, "p", 0));
        } else if (layer && (c->kind == BP__INT || c->kind == BP__FLOAT || c->kind == BP__NULL)) {
            bp__free(ctx, c->text);
            c->text = NULL;
            c->kind = BP__INT;
            c->integer = 0;
            c->number = 0;
        } else if (word) {
            bp__tree *p = bp__tree_int(ctx, 0);
            char *key = p ? bp__strdup(ctx, c->text) : NULL;
            if (!key) {
                bp__tree_free(ctx, p);
                return bp__out_of_memory(ctx, 0);
            }
            p->key = key;
            c->kind = BP__MAP;
            c->child = p;
            bp__free(ctx, c->text);
            c->text = NULL;
        } else
            BP_TRY(without_dropout(ctx, c));
    }
    return BP_OK;
}

static bp_status fill_choices(bp__decided *d) {
    bp_context *ctx = d->ctx;
    const bp__settings *s = &d->s;
    char why[200];
    if (s->model)
        BP_TRY(bp__put_copy(ctx, d->resolved, "model", s->model, NULL));
    else {
        bp__tree *model = NULL;
        bp_status status = default_model(d, &model, why);
        if (status != BP_OK) {
            bp__tree_free(ctx, model);
            return status;
        }
        BP_TRY(bp__put(ctx, d->resolved, "model", model, why));
    }
    if (s->overfit) BP_TRY(without_dropout(ctx, bp__tree_get(d->resolved, "model")));
    d->model = bp__tree_get(d->resolved, "model");
    if (s->loss)
        BP_TRY(bp__put_copy(ctx, d->resolved, "loss", s->loss, NULL));
    else
        BP_TRY(bp__put(ctx, d->resolved, "loss", bp__tree_text(ctx, bp__loss_kind(d->loss.kind, NULL)),
                       d->data->task == BP__CLASSIFICATION ? "the default for classes" : "the default for numbers"));
    if (s->optimizer)
        BP_TRY(bp__put_copy(ctx, d->resolved, "optimizer", s->optimizer, NULL));
    else {
        bp__tree *adam = bp__tree_new(ctx, BP__MAP), *keys = bp__tree_new(ctx, BP__MAP);
        if (!adam || !keys) return bp__out_of_memory(ctx, 0);
        keys->flow = true;
        BP_TRY(bp__put(ctx, d->resolved, "optimizer", adam, "the default"));
        BP_TRY(bp__put(ctx, adam, "adam", keys, NULL));
        BP_TRY(bp__put_number(ctx, keys, "lr", s->lr));
    }
    d->optimizer = bp__tree_get(d->resolved, "optimizer");
    if (s->init) BP_TRY(bp__put_copy(ctx, d->resolved, "init", s->init, NULL));
    if (s->schedule) BP_TRY(bp__put_copy(ctx, d->resolved, "schedule", s->schedule, NULL));
    if (s->schedules) BP_TRY(bp__put_copy(ctx, d->resolved, "schedules", s->schedules, NULL));
    if (s->regularize) BP_TRY(bp__put_copy(ctx, d->resolved, "regularize", s->regularize, NULL));
    d->schedule = bp__tree_get(d->resolved, "schedule");
    return BP_OK;
}

static bp_status resolve(bp__decided *d) {
    bp_context *ctx = d->ctx;
    bp__tree *data, *train;
    d->resolved = bp__tree_new(ctx, BP__MAP);
    if (!d->resolved) return bp__out_of_memory(ctx, 0);
    BP_TRY(new_section(d, "data", &data));
    BP_TRY(fill_data(d, data));
    BP_TRY(bp__put(ctx, d->resolved, "task", bp__tree_text(ctx, bp__task_name(d->data->task)), d->data->prep->task_why));
    BP_TRY(fill_choices(d));
    BP_TRY(new_section(d, "train", &train));
    BP_TRY(fill_train(d, train));
    return d->s.metric_list ? bp__put_copy(ctx, d->resolved, "metrics", d->s.metric_list, NULL) : BP_OK;
}

/* ---- Weights of rows ---- */

static bp_status class_weights(bp__decided *d, double *w) {
    const bp__dataset *data = d->data;
    const bp__tree *t = d->s.class_weight;
    if (data->task != BP__CLASSIFICATION)
        return bp__config_fail(&d->s, t, "train.class_weight needs classes, and the task is %s", bp__task_name(data->task));
    for (int64_t c = 0; c < data->n_classes; c++) w[c] = 1;
    if (t->kind == BP__TEXT) { /* rows / (classes · rows of the class), as scikit-learn does */
        for (int64_t c = 0; c < data->n_classes; c++) w[c] = 0;
        for (int64_t i = 0; i < data->train.n_rows; i++) w[data->label[data->train.rows[i]]] += 1;
        for (int64_t c = 0; c < data->n_classes; c++)
            if (w[c] > 0) w[c] = (double)data->train.n_rows / ((double)data->n_classes * w[c]);
        return BP_OK;
    }
    for (const bp__tree *c = t->child; c; c = c->next) {
        int64_t k = bp__class_find(data->prep, c->key);
        char hint[200];
        if (k < 0)
            return bp__fail_at(d->ctx, BP_DATA,
                               (bp__where){.code = "unknown_class",
                                           .file = d->s.file,
                                           .line = c->line,
                                           .hint = bp__name_hint(hint, sizeof hint, c->key,
                                                                 (const char *const *)data->class_names, data->n_classes)},
                               "train.class_weight names the class %s, which %s does not have", c->key, base(d));
        w[k] = c->number;
    }
    return BP_OK;
}

static bp_status row_weights(bp__decided *d) {
    const bp__dataset *data = d->data;
    if (!d->s.class_weight && !data->weight) return BP_OK;
    d->weight = bp__alloc(d->ctx, sizeof(float) * (size_t)(data->n_rows + 1));
    double *w = bp__zalloc(d->ctx, sizeof(double) * (size_t)(data->n_classes + 1));
    bp_status status = d->weight && w ? BP_OK : bp__out_of_memory(d->ctx, 0);
    if (status == BP_OK && d->s.class_weight) status = class_weights(d, w);
    for (int64_t i = 0; status == BP_OK && i < data->n_rows; i++) {
        double v = data->weight ? (double)data->weight[i] : 1;
        if (d->s.class_weight && data->label[i] >= 0) v *= w[data->label[i]];
        d->weight[i] = (float)v;
    }
    bp__free(d->ctx, w);
    return status;
}

/* ---- All of it ---- */

static bp_status count_pass(bp__decided *d) {
    d->pass_rows = d->data->train.n_rows;
    if (d->s.sampling == BP__SAMPLING_NONE) return BP_OK;
    if (d->data->task != BP__CLASSIFICATION)
        return bp__config_fail(&d->s, d->s.sampling_at, "train.sampling needs classes, and the task is %s",
                               bp__task_name(d->data->task));
    int64_t *rows = NULL;
    BP_TRY(bp__sample_rows(&rows, &d->pass_rows, d->data, d->s.sampling, d->s.seed, 1));
    bp__free(d->ctx, rows);
    return BP_OK;
}

static bp_status choose_loss(bp__decided *d) {
    bp__task task = d->data->task;
    if (d->s.loss)
        BP_TRY(bp__loss_read(&d->loss, d->ctx, d->s.file, d->s.loss));
    else
        d->loss = (bp__loss){.kind = task == BP__CLASSIFICATION ? BP__LOSS_CROSS_ENTROPY : BP__LOSS_MSE};
    const char *name = bp__loss_kind(d->loss.kind, NULL);
    if (task == BP__MULTILABEL)
        return bp__fail_at(d->ctx, BP_UNSUPPORTED, (bp__where){.code = "task", .hint = "train one model per label"},
                           "%s has several labels per row, which no loss here learns", base(d));
    bp__task of_loss = bp__loss_task(&d->loss);
    if (of_loss != BP__TASK_AUTO && of_loss != task)
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "loss", .file = d->s.file, .line = d->s.loss->line},
                           "the loss %s does not fit the task, which is %s: %s", name, bp__task_name(task),
                           d->data->prep->task_why ? d->data->prep->task_why : "as given");
    if (bp__loss_is_binary(&d->loss) && d->data->n_classes != 2)
        return bp__fail_at(d->ctx, BP_DATA,
                           (bp__where){.code = "loss", .file = d->s.file, .line = d->s.loss->line, .hint = "use cross_entropy"},
                           "%s is for two classes, and the target has %lld", name, (long long)d->data->n_classes);
    if (task == BP__CLASSIFICATION && d->data->n_classes < 2)
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "one_class"},
                           "the target of %s has one class only: there is nothing to learn", base(d));
    return BP_OK;
}

static void set_length(const bp__decided *d, bp__schedule *schedule) {
    if (!schedule || !bp__schedule_needs_length(schedule)) return;
    int64_t ticks = d->schedule_steps;
    if (bp__schedule_per_epoch(schedule)) ticks = (ticks + d->steps_per_epoch - 1) / d->steps_per_epoch;
    bp__schedule_set_length(schedule, BP__MAX(ticks, 1));
}

void bp__decided_set_length(bp__decided *d, int64_t n_steps) {
    d->schedule_steps = n_steps;
    set_length(d, d->rate);
    for (int i = 0; i < BP__N_MOVING; i++) set_length(d, d->moving[i]);
    bp__average_set_length(&d->average, n_steps, d->steps_per_epoch);
}

/* Where a schedule of the rate moves the momentum too, it is that; `schedules:` wins. */
static bp_status set_moving(bp__decided *d) {
    const bp__settings *s = &d->s;
    for (int i = 0; i < BP__N_MOVING; i++) {
        const bp__tree *t = bp__tree_get(s->schedules, bp__moving_names[i]);
        if (!t || t->kind == BP__NULL) continue;
        char where[60];
        snprintf(where, sizeof where, "schedules.%s", bp__moving_names[i]);
        if (i == BP__MOVE_DROPOUT && !bp__names_dropout(d->model))
            return bp__config_fail(s, t, "schedules.dropout moves the p of dropout layers, and the model has none");
        double base = i == BP__MOVE_DROPOUT ? 1 : bp__optimizer_number(d->ctx, s->optimizer, bp__moving_names[i]);
        BP_TRY(bp__schedule_new_for(&d->moving[i], d->ctx, s->file, where, t, base));
        bp__schedule_set_epoch(d->moving[i], d->steps_per_epoch);
    }
    return BP_OK;
}

static bp_status set_rate(bp__decided *d) {
    const bp__settings *s = &d->s;
    int64_t n = d->pass_rows;
    d->batch = s->batch_size && s->batch_size < n ? s->batch_size : n;
    d->step_rows = s->solves || d->batch > n / s->accumulate ? n : d->batch * s->accumulate;
    d->steps_per_epoch = s->steps_per_epoch ? s->steps_per_epoch : (n + d->step_rows - 1) / d->step_rows;
    d->n_steps = s->epochs >= 0 ? s->epochs * d->steps_per_epoch : -1;
    if (s->steps >= 0 && (d->n_steps < 0 || s->steps < d->n_steps)) d->n_steps = s->steps;
    BP_TRY(bp__schedule_new(&d->rate, d->ctx, s->file, s->schedule, s->lr));
    bp__schedule_set_epoch(d->rate, d->steps_per_epoch);
    BP_TRY(set_moving(d));
    BP_TRY(bp__average_read(&d->average, d->ctx, s->file, s->average));
    bool needed = bp__schedule_needs_length(d->rate) || bp__average_needs_length(&d->average);
    for (int i = 0; i < BP__N_MOVING; i++) needed |= d->moving[i] && bp__schedule_needs_length(d->moving[i]);
    if (needed && d->n_steps < 0)
        return bp__config_fail(s, s->schedule ? s->schedule : s->average,
                               "the length of a schedule or an average follows the run's, which is bounded by time only: give "
                               "train.epochs or train.steps");
    if (d->n_steps >= 0) bp__decided_set_length(d, d->n_steps);
    return BP_OK;
}

static bp_status explain(bp__decided *d) {
    char *prep = NULL;
    BP_TRY(bp__prep_explain(&prep, d->data->prep));
    bp__buffer b;
    bp__buffer_init(&b, d->ctx);
    bp__buffer_printf(&b, "%s: %lld rows for training, %lld for validation, %lld for test\n", base(d),
                      (long long)d->data->train.n_rows, (long long)d->data->validation.n_rows, (long long)d->data->test.n_rows);
    if (d->data->notes) bp__buffer_printf(&b, "%s\n", d->data->notes);
    bp__buffer_text(&b, prep);
    if (b.size && b.data[b.size - 1] != '\n') bp__buffer_text(&b, "\n");
    static const char *const sections[] = {"model", "loss", "optimizer"};
    for (int i = 0; i < 3; i++) {
        const bp__tree *t = bp__tree_get(d->resolved, sections[i]);
        if (t && t->comment) bp__buffer_printf(&b, "%s: %s\n", sections[i], t->comment);
    }
    const bp__tree *epochs = bp__tree_get(bp__tree_get(d->resolved, "train"), "epochs");
    if (epochs && epochs->comment) bp__buffer_printf(&b, "epochs: %lld, %s\n", (long long)epochs->integer, epochs->comment);
    const bp__tree *sampling = bp__tree_get(bp__tree_get(d->resolved, "train"), "sampling");
    if (sampling) bp__buffer_printf(&b, "sampling: %s, %s\n", sampling->text, sampling->comment);
    const bp__tree *batch = bp__tree_get(bp__tree_get(d->resolved, "train"), "batch_size");
    if (batch && batch->comment && d->s.has_batch)
        bp__buffer_printf(&b, "batch_size: %lld, %s\n", (long long)batch->integer, batch->comment);
    const bp__tree *dtype = bp__tree_get(bp__tree_get(d->resolved, "train"), "dtype");
    if (dtype && dtype->comment) bp__buffer_printf(&b, "dtype: %s, %s\n", dtype->text, dtype->comment);
    bp__free(d->ctx, prep);
    return bp__buffer_take(&b, &d->text);
}

/* Keeps train.overfit rows for training, drawn with the seed, in their order. */
static bp_status few_rows(bp__decided *d) {
    bp__set *train = &d->data->train;
    int64_t n = train->n_rows, k = 0;
    if (d->s.overfit >= n) return BP_OK;
    int64_t *order = bp__alloc(d->ctx, sizeof(int64_t) * (size_t)n);
    bool *chosen = bp__zalloc(d->ctx, (size_t)n);
    bp_status status = order && chosen ? BP_OK : bp__out_of_memory(d->ctx, sizeof(int64_t) * (size_t)n);
    if (status == BP_OK) {
        bp__permutation(order, (bp__stream){.seed = d->s.seed, .stream = bp__stream_id("overfit")}, n);
        for (int64_t i = 0; i < d->s.overfit; i++) chosen[order[i]] = true;
        for (int64_t i = 0; i < n; i++)
            if (chosen[i]) train->rows[k++] = train->rows[i];
        train->n_rows = k;
    }
    bp__free(d->ctx, order);
    bp__free(d->ctx, chosen);
    return status;
}

static bp_status decide(bp__decided *d, const bp_config *cfg, const bp_model *from) {
    BP_TRY(bp__settings_read(&d->s, cfg));
    if (d->s.threads > 0) BP_TRY(bp__context_set_threads(d->ctx, d->s.threads));
    if (from) {
        d->s.data.known_classes = (const char *const *)from->prep->classes;
        d->s.data.n_known_classes = from->prep->n_classes;
    }
    BP_TRY(bp__dataset_load(&d->data, d->ctx, &d->s.data));
    if (d->data->train.n_rows == 0)
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "no_rows"}, "%s leaves no rows to train on", base(d));
    BP_TRY(bp__metrics_fit(&d->s.metrics, d->ctx, d->s.file, d->data->task));
    if (d->s.overfit) BP_TRY(few_rows(d));
    BP_TRY(choose_loss(d));
    BP_TRY(row_weights(d));
    BP_TRY(count_pass(d));
    BP_TRY(resolve(d));
    BP_TRY(set_rate(d));
    return explain(d);
}

bp_status bp__decide(bp__decided **out, const bp_config *cfg, const bp_model *from) {
    *out = NULL;
    bp__decided *d = bp__zalloc(cfg->ctx, sizeof *d);
    if (!d) return bp__out_of_memory(cfg->ctx, sizeof *d);
    d->ctx = cfg->ctx;
    bp_status status = decide(d, cfg, from);
    if (status != BP_OK) {
        bp__decided_free(d);
        return status;
    }
    *out = d;
    return BP_OK;
}

void bp__decided_free(bp__decided *d) {
    if (!d) return;
    bp__dataset_free(d->data);
    bp__tree_free(d->ctx, d->resolved);
    bp__free(d->ctx, d->weight);
    bp__schedule_free(d->rate);
    for (int i = 0; i < BP__N_MOVING; i++) bp__schedule_free(d->moving[i]);
    bp__free(d->ctx, d->text);
    bp__free(d->ctx, d);
}

bool bp__decided_moves_momentum(const bp__decided *d) {
    double cycled = d->rate ? bp__schedule_momentum(d->rate, 0) : (double)NAN; /* a trial comes before the rate is decided */
    return d->moving[BP__MOVE_MOMENTUM] || cycled == cycled;
}

bp_status bp__decided_net(bp__net **out, const bp__decided *d, bp_dtype dtype, bool training) {
    bp__net_spec spec = {.model = d->model,
                         .optimizer = d->optimizer,
                         .init = bp__tree_get(d->resolved, "init"),
                         .file = d->s.file,
                         .loss = d->loss,
                         .prep = d->data->prep,
                         .dtype = dtype,
                         .bfloat16 = d->s.bfloat16,
                         .clip_norm = d->s.clip_norm,
                         .clip_value = d->s.clip_value,
                         .clip_adaptive = d->s.clip_adaptive,
                         .clip_per = d->s.clip_per,
                         .regularize = bp__tree_get(d->resolved, "regularize"),
                         .moves_momentum = bp__decided_moves_momentum(d),
                         .moves_decay = d->moving[BP__MOVE_DECAY] != NULL,
                         .moves_dropout = d->moving[BP__MOVE_DROPOUT] != NULL,
                         .averages = d->average.kind >= 0,
                         .accumulate = d->s.accumulate,
                         .training = training,
                         .weighted = training && d->weight,
                         .seed = d->s.seed};
    return bp__net_new(out, d->ctx, &spec);
}
