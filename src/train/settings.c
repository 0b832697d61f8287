/* What a configuration says, section by section: names, types and bounds are checked here, before any data is read. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/train.h"

bp_status bp__config_fail(const bp__settings *s, const bp__tree *at, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return bp__fail_at(s->ctx, BP_CONFIG, (bp__where){.code = "bad_value", .file = s->file, .line = at ? at->line : 0}, "%s",
                       text);
}

/* ---- Keys ---- */

static bp_status check_keys(const bp__settings *s, const bp__tree *map, const char *where, const char *const *keys, int64_t n) {
    if (map->kind != BP__MAP) return bp__config_fail(s, map, "%s must be a mapping of keys, such as {%s: …}", where, keys[0]);
    for (const bp__tree *t = map->child; t; t = t->next) {
        bool known = false;
        for (int64_t i = 0; i < n && !known; i++) known = strcmp(t->key, keys[i]) == 0;
        if (known) continue;
        char hint[240];
        return bp__fail_at(s->ctx, BP_CONFIG,
                           (bp__where){.code = "unknown_key",
                                       .file = s->file,
                                       .line = t->line,
                                       .hint = bp__name_hint(hint, sizeof hint, t->key, keys, n)},
                           "%s%sthere is no key `%s`", where, where[0] ? ": " : "", t->key);
    }
    return BP_OK;
}
#define CHECK_KEYS(s, map, where, ...)                                                                      \
    do {                                                                                                    \
        static const char *const keys_[] = {__VA_ARGS__};                                                   \
        if (map) BP_TRY(check_keys((s), (map), (where), keys_, (int64_t)(sizeof keys_ / sizeof keys_[0]))); \
    } while (0)

/* NULL where the key is absent or null. */
static const bp__tree *given(const bp__tree *map, const char *key) {
    const bp__tree *t = bp__tree_get(map, key);
    return t && t->kind != BP__NULL ? t : NULL;
}

static bp_status get_int(const bp__settings *s, const bp__tree *t, const char *what, int64_t low, int64_t high, int64_t *out) {
    if (!t) return BP_OK;
    if (t->kind != BP__INT || t->integer < low || t->integer > high) {
        char text[80];
        const char *value = bp__tree_words(t, text, sizeof text);
        if (high == INT64_MAX)
            return bp__config_fail(s, t, "%s must be a whole number of at least %lld, not %s", what, (long long)low, value);
        return bp__config_fail(s, t, "%s must be a whole number from %lld to %lld, not %s", what, (long long)low, (long long)high,
                               value);
    }
    *out = t->integer;
    return BP_OK;
}
static bool is_number(const bp__tree *t) { return t->kind == BP__INT || t->kind == BP__FLOAT; }
static bp_status get_number(const bp__settings *s, const bp__tree *t, const char *what, double low, bool low_allowed,
                            double *out) {
    if (!t) return BP_OK;
    if (!is_number(t) || !isfinite(t->number) || t->number < low || (!low_allowed && t->number <= low))
        return bp__config_fail(s, t, "%s must be a number %s %g, not %s", what, low_allowed ? "of at least" : "above", low,
                               bp__tree_words(t, (char[80]){0}, 80));
    *out = t->number;
    return BP_OK;
}
static bp_status get_bool(const bp__settings *s, const bp__tree *t, const char *what, bool *out) {
    if (!t) return BP_OK;
    if (t->kind != BP__BOOL)
        return bp__config_fail(s, t, "%s must be true or false, not %s", what, bp__tree_words(t, (char[80]){0}, 80));
    *out = t->boolean;
    return BP_OK;
}
static bp_status get_text(const bp__settings *s, const bp__tree *t, const char *what, const char **out) {
    if (!t) return BP_OK;
    if ((t->kind == BP__TEXT || t->kind == BP__INT || t->kind == BP__FLOAT) && t->text && t->text[0]) {
        *out = t->text; /* a column may be called 7 */
        return BP_OK;
    }
    return bp__config_fail(s, t, "%s must be a text", what);
}
/* One of the words; -1 in *out where it is absent. */
static bp_status get_word(const bp__settings *s, const bp__tree *t, const char *what, const char *const *words, int64_t n,
                          int64_t *out) {
    *out = -1;
    if (!t) return BP_OK;
    for (int64_t i = 0; i < n; i++)
        if (t->kind == BP__TEXT && strcmp(t->text, words[i]) == 0) *out = i;
    if (*out >= 0) return BP_OK;
    char list[240] = "";
    for (int64_t i = 0; i < n; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", words[i]);
    }
    const char *near = t->kind == BP__TEXT ? bp__nearest(t->text, words, n) : NULL;
    char hint[120];
    snprintf(hint, sizeof hint, "did you mean `%s`?", near ? near : "");
    return bp__fail_at(s->ctx, BP_CONFIG,
                       (bp__where){.code = "bad_value", .file = s->file, .line = t->line, .hint = near ? hint : NULL},
                       "%s must be %s, not %s", what, list, bp__tree_words(t, (char[80]){0}, 80));
}

bp_status bp__duration(const bp__settings *s, const bp__tree *t, const char *what, double *seconds) {
    if (is_number(t) && isfinite(t->number) && t->number >= 0) {
        *seconds = t->number;
        return BP_OK;
    }
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t n = t->kind == BP__TEXT ? strlen(t->text) : 0;
    for (int i = 0; n > 1 && i < 4; i++)
        if (t->text[n - 1] == units[i].unit && bp__parse_f64(t->text, n - 1, false, seconds) && *seconds >= 0) {
            *seconds *= units[i].seconds;
            return BP_OK;
        }
    return bp__config_fail(s, t, "%s must be a time such as 90s, 10m, 2h or 1d, not %s", what,
                           bp__tree_words(t, (char[80]){0}, 80));
}

/* ---- data ---- */

static bp_status read_piece(const bp__settings *s, const bp__tree *t, const char *what, bp__data_spec *out) {
    char name[80];
    if (t->kind == BP__TEXT) return get_text(s, t, what, &out->path);
    CHECK_KEYS(s, t, what, "path", "target", "input");
    snprintf(name, sizeof name, "%s.path", what);
    BP_TRY(get_text(s, given(t, "path"), name, &out->path));
    snprintf(name, sizeof name, "%s.input", what);
    BP_TRY(get_text(s, given(t, "input"), name, &out->input));
    const bp__tree *target = given(t, "target");
    snprintf(name, sizeof name, "%s.target", what);
    if (!target) return BP_OK;
    if (target->kind != BP__LIST) {
        out->n_targets = 1;
        return get_text(s, target, name, &out->targets[0]);
    }
    out->n_targets = 0;
    for (const bp__tree *c = target->child; c; c = c->next) {
        if (out->n_targets == BP__MAX_TARGETS) return bp__config_fail(s, c, "%s has more than %d entries", name, BP__MAX_TARGETS);
        BP_TRY(get_text(s, c, name, &out->targets[out->n_targets++]));
    }
    return out->n_targets ? BP_OK : bp__config_fail(s, target, "%s is an empty list", name);
}

static bp_status read_fraction(const bp__settings *s, const bp__tree *t, const char *what, double *out) {
    if (!t) return BP_OK;
    if (!is_number(t) || !(t->number >= 0 && t->number < 1))
        return bp__config_fail(s, t, "%s must be a fraction from 0 to below 1, not %s", what,
                               bp__tree_words(t, (char[80]){0}, 80));
    *out = t->number;
    return BP_OK;
}

/* data.validation and data.test: a fraction, or DATA. */
static bp_status read_set(const bp__settings *s, const bp__tree *data, const char *key, const char *what, double *fraction,
                          bp__data_spec *spec) {
    const bp__tree *t = given(data, key);
    if (!t) return BP_OK;
    if (is_number(t)) return read_fraction(s, t, what, fraction);
    BP_TRY(read_piece(s, t, what, spec));
    return spec->path ? BP_OK : bp__config_fail(s, t, "%s has no path: labels alone are no data", what);
}

static bp_status read_columns(const bp__settings *s, const bp__tree *columns) {
    if (columns->kind != BP__MAP) return bp__config_fail(s, columns, "data.columns must be a mapping from column names");
    for (const bp__tree *c = columns->child; c; c = c->next) {
        static const char *const normalize[] = {"auto", "none", "standard", "minmax", "robust"};
        const char *types[BP__N_COLUMN_TYPES];
        for (int i = 0; i < BP__N_COLUMN_TYPES; i++) types[i] = bp__column_type_name((bp__column_type)i);
        char what[160];
        int n = snprintf(what, sizeof what, "data.columns.%.100s", c->key);
        CHECK_KEYS(s, c, what, "type", "ignore", "normalize");
        bool ignore;
        int64_t word;
        snprintf(what + n, sizeof what - (size_t)n, ".ignore");
        BP_TRY(get_bool(s, given(c, "ignore"), what, &ignore));
        snprintf(what + n, sizeof what - (size_t)n, ".type");
        BP_TRY(get_word(s, given(c, "type"), what, types, BP__N_COLUMN_TYPES, &word));
        snprintf(what + n, sizeof what - (size_t)n, ".normalize");
        BP_TRY(get_word(s, given(c, "normalize"), what, normalize, BP__COUNT(normalize), &word));
    }
    return BP_OK;
}

static bp_status read_data(bp__settings *s, const bp__tree *data) {
    bp__data_options *o = &s->data;
    if (!data && s->data_optional) return BP_OK;
    if (!data) return bp__config_fail(s, NULL, "no data is given: set data.path");
    CHECK_KEYS(s, data, "data", "path", "target", "input", "train", "validation", "test", "split", "columns", "normalize",
               "normalize_target", "header", "delimiter");
    const bp__tree *train = given(data, "train");
    if (train) {
        BP_TRY(read_piece(s, train, "data.train", &o->train));
        static const char *const brief[] = {"path", "target", "input"};
        for (int i = 0; i < 3; i++)
            if (given(data, brief[i]) && (i == 0 || given(train, brief[i])))
                return bp__config_fail(s, given(data, brief[i]), "data.%s is short for data.train.%s: give one of them", brief[i],
                                       brief[i]);
    }
    BP_TRY(get_text(s, given(data, "path"), "data.path", &o->train.path));
    BP_TRY(get_text(s, given(data, "input"), "data.input", &o->train.input));
    const bp__tree *target = given(data, "target");
    if (target && target->kind == BP__LIST) {
        o->train.n_targets = 0;
        for (const bp__tree *c = target->child; c; c = c->next) {
            if (o->train.n_targets == BP__MAX_TARGETS)
                return bp__config_fail(s, c, "data.target has more than %d entries", BP__MAX_TARGETS);
            BP_TRY(get_text(s, c, "data.target", &o->train.targets[o->train.n_targets++]));
        }
    } else if (target) {
        o->train.n_targets = 1;
        BP_TRY(get_text(s, target, "data.target", &o->train.targets[0]));
    }
    if (!o->train.path && !s->data_optional) return bp__config_fail(s, data, "no data is given: set data.path");
    const bp__tree *split = given(data, "split");
    CHECK_KEYS(s, split, "data.split", "validation", "test", "seed", "stratify");
    BP_TRY(read_fraction(s, given(split, "validation"), "data.split.validation", &o->validation_fraction));
    BP_TRY(read_fraction(s, given(split, "test"), "data.split.test", &o->test_fraction));
    BP_TRY(read_set(s, data, "validation", "data.validation", &o->validation_fraction, &o->validation));
    BP_TRY(read_set(s, data, "test", "data.test", &o->test_fraction, &o->test));
    if (o->validation.path) o->validation_fraction = 0;
    if (o->test.path) o->test_fraction = 0;
    if (o->validation_fraction + o->test_fraction >= 1)
        return bp__config_fail(s, split ? split : data, "the fractions for validation and test leave nothing to train on");
    int64_t seed = 0;
    BP_TRY(get_int(s, given(split, "seed"), "data.split.seed", 0, INT64_MAX, &seed));
    o->split_seed = (uint64_t)seed;
    BP_TRY(get_bool(s, given(split, "stratify"), "data.split.stratify", &o->stratify));
    bool header = true;
    BP_TRY(get_bool(s, given(data, "header"), "data.header", &header));
    o->no_header = !header;
    const char *delimiter = NULL;
    BP_TRY(get_text(s, given(data, "delimiter"), "data.delimiter", &delimiter));
    if (delimiter && strlen(delimiter) != 1)
        return bp__config_fail(s, given(data, "delimiter"), "data.delimiter must be one character");
    o->delimiter = delimiter ? delimiter[0] : 0;
    static const char *const inputs[] = {"auto", "none", "standard", "minmax", "robust"}, *const targets[] = {"auto", "none",
                                                                                                              "standard", "log"};
    static const bp__normalize to[] = {BP__NORMALIZE_AUTO, BP__NORMALIZE_NONE, BP__NORMALIZE_STANDARD, BP__NORMALIZE_LOG};
    int64_t word;
    BP_TRY(get_word(s, given(data, "normalize"), "data.normalize", inputs, 5, &word));
    if (word >= 0 && !bp__normalize_find(&o->normalize, inputs[word])) o->normalize = BP__NORMALIZE_AUTO;
    BP_TRY(get_word(s, given(data, "normalize_target"), "data.normalize_target", targets, 4, &word));
    o->normalize_target = word >= 0 ? to[word] : BP__NORMALIZE_AUTO;
    o->columns = given(data, "columns");
    return o->columns ? read_columns(s, o->columns) : BP_OK;
}

/* ---- train ---- */

/* "validation.loss" as set and metric, which is wanted from now on. */
static bp_status watch_metric(bp__settings *s, const bp__tree *at, const char *name, bool *validation) {
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : 0;
    *validation = n == 10 && strncmp(name, "validation", n) == 0;
    if (!*validation && !(n == 5 && strncmp(name, "train", n) == 0))
        return bp__config_fail(
            s, at, "train.early_stopping.metric must be validation.NAME or train.NAME, such as validation.loss, not %s", name);
    int index;
    BP_TRY(bp__metrics_want(&s->metrics, s->ctx, s->file, "train.early_stopping.metric", at, dot + 1, &index));
    s->stop_higher_better = index >= 0 && bp__metric_higher_better(&s->metrics.at[index]);
    return BP_OK;
}

static bp_status read_stopping(bp__settings *s, const bp__tree *t) {
    s->stop_metric = "validation.loss";
    s->patience = 10;
    s->restore_best = true;
    const bp__tree *set = t;
    bool on = true;
    if (t && t->kind == BP__BOOL) {
        on = t->boolean;
        set = NULL;
    }
    CHECK_KEYS(s, set, "train.early_stopping", "metric", "patience", "min_delta", "baseline", "target", "restore_best");
    s->has_stopping = t != NULL;
    s->stop_early = t != NULL && on;
    BP_TRY(get_text(s, given(set, "metric"), "train.early_stopping.metric", &s->stop_metric));
    if (set && bp__tree_get(set, "patience") && !given(set, "patience"))
        s->stop_early = false; /* patience: null keeps the best only */
    BP_TRY(get_int(s, given(set, "patience"), "train.early_stopping.patience", 1, INT64_MAX, &s->patience));
    BP_TRY(get_number(s, given(set, "min_delta"), "train.early_stopping.min_delta", 0, true, &s->min_delta));
    s->has_baseline = given(set, "baseline") != NULL;
    s->has_target = given(set, "target") != NULL;
    BP_TRY(get_number(s, given(set, "baseline"), "train.early_stopping.baseline", -DBL_MAX, true, &s->baseline));
    BP_TRY(get_number(s, given(set, "target"), "train.early_stopping.target", -DBL_MAX, true, &s->target));
    BP_TRY(get_bool(s, given(set, "restore_best"), "train.early_stopping.restore_best", &s->restore_best));
    bool validation;
    BP_TRY(watch_metric(s, given(set, "metric"), s->stop_metric, &validation));
    bool exists = s->data.validation_fraction > 0 || s->data.validation.path;
    if (validation && !exists && given(set, "metric"))
        return bp__config_fail(s, given(set, "metric"), "train.early_stopping.metric is %s, but there is no validation set",
                               s->stop_metric);
    if (validation && !exists && s->stop_early)
        return bp__config_fail(s, t, "train.early_stopping watches validation.loss, but there is no validation set");
    return BP_OK;
}

/* A check of the whole chain on a few rows: no other sets, nothing that stops before they are known by heart. */
static bp_status read_overfit(bp__settings *s, const bp__tree *t) {
    BP_TRY(get_int(s, t, "train.overfit", 1, INT32_MAX, &s->overfit));
    if (s->overfit == 0) return BP_OK;
    s->data.validation_fraction = s->data.test_fraction = 0;
    s->data.validation = s->data.test = (bp__data_spec){0};
    return BP_OK;
}

static bp_status read_length(bp__settings *s, const bp__tree *train) {
    s->epochs = s->steps = -1;
    s->max_time = -1;
    s->has_epochs = given(train, "epochs") != NULL;
    s->has_steps = given(train, "steps") != NULL;
    s->has_time = given(train, "max_time") != NULL;
    BP_TRY(get_int(s, given(train, "epochs"), "train.epochs", 0, INT32_MAX, &s->epochs));
    BP_TRY(get_int(s, given(train, "steps"), "train.steps", 0, UINT32_MAX, &s->steps));
    if (s->has_time) BP_TRY(bp__duration(s, given(train, "max_time"), "train.max_time", &s->max_time));
    BP_TRY(get_int(s, given(train, "steps_per_epoch"), "train.steps_per_epoch", 1, UINT32_MAX, &s->steps_per_epoch));
    BP_TRY(read_overfit(s, given(train, "overfit")));
    const bp__tree *batch = given(train, "batch_size");
    s->has_batch = batch != NULL;
    s->batch_size = 32;
    if (batch && batch->kind == BP__TEXT && strcmp(batch->text, "full") == 0)
        s->batch_size = 0;
    else if (batch && batch->kind == BP__TEXT && strcmp(batch->text, "auto") == 0)
        s->batch_auto = true;
    else if (batch && !(batch->kind == BP__INT && batch->integer >= 1))
        return bp__config_fail(s, batch, "train.batch_size must be a whole number of at least 1, full or auto, not %s",
                               bp__tree_words(batch, (char[80]){0}, 80));
    else if (batch)
        s->batch_size = batch->integer;
    return BP_OK;
}

static bp_status read_class_weight(bp__settings *s, const bp__tree *t) {
    s->class_weight = t;
    if (!t || (t->kind == BP__TEXT && strcmp(t->text, "balanced") == 0)) return BP_OK;
    if (t->kind != BP__MAP) return bp__config_fail(s, t, "train.class_weight must be balanced or a mapping {label: weight}");
    for (const bp__tree *c = t->child; c; c = c->next)
        if (!is_number(c) || !(c->number >= 0) || !isfinite(c->number))
            return bp__config_fail(s, c, "train.class_weight.%s must be a number of at least 0", c->key);
    return BP_OK;
}

static bp_status read_sampling(bp__settings *s, const bp__tree *t) {
    const char *words[BP__N_SAMPLINGS];
    for (int i = 0; i < BP__N_SAMPLINGS; i++) words[i] = bp__sampling_name((bp__sampling)i);
    int64_t word;
    BP_TRY(get_word(s, t, "train.sampling", words, BP__N_SAMPLINGS, &word));
    s->sampling_at = t;
    s->sampling = word > 0 ? (bp__sampling)word : BP__SAMPLING_NONE;
    return BP_OK;
}

static bp_status read_checkpoint(bp__settings *s, const bp__tree *t) {
    s->checkpoint_steps = 0;
    s->checkpoint_seconds = 60;
    s->checkpoint_keep = 2;
    CHECK_KEYS(s, t, "train.checkpoint", "every_steps", "every", "keep");
    BP_TRY(get_int(s, given(t, "every_steps"), "train.checkpoint.every_steps", 1, INT64_MAX, &s->checkpoint_steps));
    if (t && bp__tree_get(t, "every") && !given(t, "every")) s->checkpoint_seconds = -1;
    if (given(t, "every")) BP_TRY(bp__duration(s, given(t, "every"), "train.checkpoint.every", &s->checkpoint_seconds));
    return get_int(s, given(t, "keep"), "train.checkpoint.keep", 1, 100, &s->checkpoint_keep);
}

static bp_status read_train(bp__settings *s, const bp__tree *train) {
    CHECK_KEYS(s, train, "train", "epochs", "steps", "max_time", "steps_per_epoch", "overfit", "batch_size", "shuffle",
               "sampling", "accumulate", "clip_norm", "clip_norm_per", "clip_value", "clip_adaptive", "average", "early_stopping",
               "checkpoint", "on_divergence", "outlier_z", "seed", "threads", "dtype", "class_weight", "weight_column");
    BP_TRY(read_length(s, train));
    s->shuffle = true;
    BP_TRY(get_bool(s, given(train, "shuffle"), "train.shuffle", &s->shuffle));
    BP_TRY(read_sampling(s, given(train, "sampling")));
    s->accumulate = 1;
    BP_TRY(get_int(s, given(train, "accumulate"), "train.accumulate", 1, INT32_MAX, &s->accumulate));
    if (s->accumulate > 1 && s->batch_size == 0)
        return bp__config_fail(
            s, given(train, "accumulate"),
            "train.accumulate cuts a step into shards of batch_size rows, and batch_size is full: give its rows");
    s->clip_norm = s->clip_value = s->clip_adaptive = -1;
    BP_TRY(get_number(s, given(train, "clip_adaptive"), "train.clip_adaptive", 0, false, &s->clip_adaptive));
    static const char *const whose[] = {"model", "layer", "parameter"};
    int64_t per;
    BP_TRY(get_word(s, given(train, "clip_norm_per"), "train.clip_norm_per", whose, 3, &per));
    s->clip_per = per > 0 ? (int)per : BP__CLIP_MODEL;
    s->average = given(train, "average");
    bp__average average;
    BP_TRY(bp__average_read(&average, s->ctx, s->file, s->average));
    BP_TRY(get_number(s, given(train, "clip_norm"), "train.clip_norm", 0, false, &s->clip_norm));
    BP_TRY(get_number(s, given(train, "clip_value"), "train.clip_value", 0, false, &s->clip_value));
    if (s->clip_per != BP__CLIP_MODEL && !(s->clip_norm > 0))
        return bp__config_fail(s, given(train, "clip_norm_per"),
                               "train.clip_norm_per says whose norm train.clip_norm limits, which is not given: give it too");
    BP_TRY(read_stopping(s, s->overfit ? NULL : given(train, "early_stopping")));
    BP_TRY(read_checkpoint(s, given(train, "checkpoint")));
    s->outlier_z = 8;
    const bp__tree *z = train ? bp__tree_get(train, "outlier_z") : NULL;
    if (z && z->kind == BP__NULL) s->outlier_z = 0;
    BP_TRY(get_number(s, given(train, "outlier_z"), "train.outlier_z", 0, true, &s->outlier_z));
    static const char *const divergence[] = {"rollback", "stop", "continue"}, *const types[] = {"float32", "float64", "bfloat16"};
    int64_t word;
    BP_TRY(get_word(s, given(train, "on_divergence"), "train.on_divergence", divergence, 3, &word));
    s->on_divergence = word < 0 ? BP__DIVERGENCE_ROLLBACK : (bp__divergence)word;
    BP_TRY(get_word(s, given(train, "dtype"), "train.dtype", types, 3, &word));
    s->dtype = word == 1 ? BP_F64 : BP_F32;
    s->bfloat16 = word == 2;
    s->data.f64 = s->dtype == BP_F64;
    int64_t seed = 0, threads = 0;
    BP_TRY(get_int(s, given(train, "seed"), "train.seed", 0, INT64_MAX, &seed));
    s->has_seed = given(train, "seed") != NULL;
    s->seed = s->has_seed ? (uint64_t)seed : bp__context_seed(s->ctx);
    BP_TRY(get_int(s, given(train, "threads"), "train.threads", 0, 1024, &threads));
    s->threads = (int)threads;
    BP_TRY(get_text(s, given(train, "weight_column"), "train.weight_column", &s->data.weight_column));
    BP_TRY(read_class_weight(s, given(train, "class_weight")));
    if (s->sampling && s->class_weight && s->class_weight->kind == BP__TEXT)
        return bp__config_fail(s, s->sampling_at,
                               "train.sampling and train.class_weight: balanced both make classes count equally: leave one out");
    return BP_OK;
}

const char *const bp__moving_names[BP__N_MOVING] = {"momentum", "weight_decay", "dropout"};

static bp_status check_schedules(const bp__settings *s) {
    CHECK_KEYS(s, s->schedules, "schedules", "momentum", "weight_decay", "dropout");
    for (const bp__tree *t = s->schedules ? s->schedules->child : NULL; t; t = t->next) {
        bp__schedule *schedule = NULL;
        char where[60];
        snprintf(where, sizeof where, "schedules.%s", t->key);
        BP_TRY(bp__schedule_new_for(&schedule, s->ctx, s->file, where, t, 1));
        bp__schedule_free(schedule);
    }
    return BP_OK;
}

/* A solver takes the rows as they are, all in each step: what changes gradients or cuts steps would be ignored. */
static bp_status check_solver(bp__settings *s, const bp__tree *train) {
    enum { ROWS = 1024 };
    bp__choice choice;
    s->solves = bp__solver_read(s->ctx, s->optimizer, &choice) != NULL;
    if (!s->solves) return BP_OK;
    if (!s->has_batch) s->batch_size = ROWS;
    const struct {
        const char *key, *why;
        bool used;
    } other[] = {{"accumulate", "a step takes all rows anyway, batch_size of them at a time", s->accumulate > 1},
                 {"batch_size", "`auto` looks for the rows of a step, and a step takes all", s->batch_auto},
                 {"clip_norm", "clipped gradients are not those of the loss that it goes down", s->clip_norm > 0},
                 {"clip_value", "clipped gradients are not those of the loss that it goes down", s->clip_value > 0},
                 {"clip_adaptive", "clipped gradients are not those of the loss that it goes down", s->clip_adaptive > 0},
                 {"average", "its steps do not jump about the minimum", s->average != NULL}};
    for (int i = 0; i < BP__COUNT(other); i++)
        if (other[i].used)
            return bp__config_fail(s, given(train, other[i].key), "train.%s does not go with the optimizer %s: %s", other[i].key,
                                   choice.kind->name, other[i].why);
    for (const bp__tree *t = s->regularize ? s->regularize->child : NULL; t; t = t->next) {
        if (given(t, "weight_noise"))
            return bp__config_fail(
                s, given(t, "weight_noise"),
                "regularize: weight_noise does not go with the optimizer %s, which goes down one loss: take l2",
                choice.kind->name);
        if (given(t, "max_norm"))
            return bp__config_fail(s, given(t, "max_norm"),
                                   "regularize: max_norm does not go with the optimizer %s, which knows no bounds: take l2",
                                   choice.kind->name);
    }
    return BP_OK;
}

static bp_status read_all(bp__settings *s, const bp_config *cfg, bool data_optional) {
    *s = (bp__settings){.ctx = cfg->ctx, .file = cfg->file, .data_optional = data_optional};
    s->data = (bp__data_options){.validation_fraction = 0.15, .test_fraction = 0.15, .stratify = true};
    const bp__tree *t = cfg->tree;
    CHECK_KEYS(s, t, "", "data", "task", "model", "loss", "init", "optimizer", "schedule", "schedules", "regularize", "train",
               "metrics");
    s->model = given(t, "model");
    s->loss = given(t, "loss");
    s->optimizer = given(t, "optimizer");
    s->init = given(t, "init");
    s->schedule = given(t, "schedule");
    s->schedules = given(t, "schedules");
    s->regularize = given(t, "regularize");
    static const char *const tasks[] = {"auto", "classification", "regression"};
    static const bp__task task_of[] = {BP__TASK_AUTO, BP__CLASSIFICATION, BP__REGRESSION};
    int64_t word;
    BP_TRY(get_word(s, given(t, "task"), "task", tasks, 3, &word));
    s->data.task = word >= 0 ? task_of[word] : BP__TASK_AUTO;
    BP_TRY(read_data(s, given(t, "data")));
    s->metric_list = given(t, "metrics");
    BP_TRY(bp__metrics_read(&s->metrics, s->ctx, s->file, s->metric_list));
    BP_TRY(read_train(s, given(t, "train")));
    if (s->model) BP_TRY(bp__nn_check(s->ctx, s->file, s->model));
    if (s->init) BP_TRY(bp__nn_check_init(s->ctx, s->file, s->init));
    if (s->loss) {
        bp__loss loss;
        BP_TRY(bp__loss_read(&loss, s->ctx, s->file, s->loss));
        s->data.loss = bp__loss_kind(loss.kind, NULL);
        s->data.loss_task = bp__loss_task(&loss);
    }
    BP_TRY(bp__optimizer_check(s->ctx, s->file, s->optimizer, &s->lr));
    BP_TRY(bp__regularize_check(s->ctx, s->file, s->regularize));
    BP_TRY(check_solver(s, given(t, "train")));
    if (s->accumulate > 1 && bp__optimizer_needs_loss(s->ctx, s->optimizer))
        return bp__config_fail(s, given(given(t, "train"), "accumulate"),
                               "train.accumulate does not go with the optimizer sophia: the second derivatives of a sum of "
                               "shards are not kept; take a larger batch_size");
    BP_TRY(check_schedules(s));
    bp__schedule *schedule = NULL;
    BP_TRY(bp__schedule_new(&schedule, s->ctx, s->file, s->schedule, s->lr));
    bp__schedule_free(schedule);
    return BP_OK;
}

bp_status bp__settings_read(bp__settings *s, const bp_config *cfg) { return read_all(s, cfg, false); }
bp_status bp__settings_read_rates(bp__settings *s, const bp_config *cfg) { return read_all(s, cfg, true); }
