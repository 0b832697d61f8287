/* bp_train: decide, make the network, train, and write what remains. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/yaml.h"
#include "train/train.h"

/* ---- The record: section by section ---- */

static bp_status fill_scores(bp__tree *t, bp_context *ctx, const bp__scores *s) {
    BP_TRY(bp__put_number(ctx, t, "loss", s->loss));
    for (int i = 0; s->metrics && i < s->n_metrics; i++) BP_TRY(bp__put_number(ctx, t, s->metrics->at[i].name, s->metric[i]));
    return s->n_unknown ? bp__put_int(ctx, t, "unknown_labels", s->n_unknown) : BP_OK;
}
bp_status bp__scores_tree(bp__tree **out, bp_context *ctx, const bp__scores *s) {
    *out = bp__tree_new(ctx, BP__MAP);
    bp_status status = *out ? fill_scores(*out, ctx, s) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK) return BP_OK;
    bp__tree_free(ctx, *out);
    *out = NULL;
    return status;
}

static bp_status put_scores(bp_run *run, const char *key, const bp__scores *s) {
    bp__tree *t = NULL;
    BP_TRY(bp__scores_tree(&t, run->ctx, s));
    return bp__put(run->ctx, run->record, key, t, NULL);
}

static bp_status put_data(bp_run *run) {
    bp_context *ctx = run->ctx;
    const bp__dataset *d = run->d->data;
    bp__tree *data = bp__tree_new(ctx, BP__MAP);
    BP_TRY(bp__put(ctx, run->record, "data", data, NULL));
    BP_TRY(bp__put_text(ctx, data, "path", run->d->s.data.train.path));
    BP_TRY(bp__put_text(ctx, data, "sha256", d->train.sha256));
    bp__tree *rows = bp__tree_new(ctx, BP__MAP);
    BP_TRY(bp__put(ctx, data, "rows", rows, NULL));
    BP_TRY(bp__put_int(ctx, rows, "train", d->train.n_rows));
    if (d->validation.n_rows) BP_TRY(bp__put_int(ctx, rows, "validation", d->validation.n_rows));
    if (d->test.n_rows) BP_TRY(bp__put_int(ctx, rows, "test", d->test.n_rows));
    return run->d->s.sampling ? bp__put_int(ctx, data, "rows_per_pass", run->d->pass_rows) : BP_OK;
}

static bp_status put_head(bp_run *run) {
    bp_context *ctx = run->ctx;
    bp__tree *r = run->record;
    BP_TRY(bp__put_int(ctx, r, "format", 1));
    BP_TRY(bp__put_text(ctx, r, "status", run->status));
    if (run->stopped_by) BP_TRY(bp__put_text(ctx, r, "stopped_by", run->stopped_by));
    BP_TRY(bp__put_text(ctx, r, "task", bp__task_name(run->d->data->task)));
    if (run->path) BP_TRY(bp__put_text(ctx, r, "run", run->path));
    BP_TRY(bp__put_text(ctx, r, "version", BP_VERSION));
    BP_TRY(bp__put_text(ctx, r, "isa", bp_context_isa(ctx)));
    BP_TRY(bp__put_copy(ctx, r, "command", run->command, NULL));
    if (run->from) BP_TRY(bp__put_text(ctx, r, "from", run->from));
    BP_TRY(bp__put_text(ctx, r, "start_time", run->start_time));
    const bp__prep *p = run->d->data->prep;
    if (p->n_targets == 1) return bp__put_text(ctx, r, "target", p->targets[0].name);
    bp__tree *targets = bp__tree_new(ctx, BP__LIST);
    BP_TRY(bp__put(ctx, r, "target", targets, NULL));
    for (int64_t i = 0; i < p->n_targets; i++) BP_TRY(bp__tree_append(ctx, targets, bp__tree_text(ctx, p->targets[i].name)));
    return BP_OK;
}

bp_status bp__record_make(bp_run *run) {
    bp_context *ctx = run->ctx;
    bp__tree_free(ctx, run->record);
    run->record = bp__tree_new(ctx, BP__MAP);
    if (!run->record) return bp__out_of_memory(ctx, 0);
    bp__tree *r = run->record;
    BP_TRY(put_head(run));
    BP_TRY(put_data(run));
    BP_TRY(bp__put_int(ctx, r, "parameters", run->model->net->n_parameters));
    bool over = strcmp(run->status, "running") != 0;
    if (over) {
        const bp__epoch *best = run->best >= 0 ? &run->epochs[run->best] : NULL;
        BP_TRY(bp__put_int(ctx, r, "epochs", run->n_epochs ? run->epochs[run->n_epochs - 1].epoch : 0));
        BP_TRY(bp__put_int(ctx, r, "steps", run->steps));
        if (run->n_skipped) BP_TRY(bp__put_int(ctx, r, "skipped_steps", run->n_skipped));
        if (run->by_average) BP_TRY(bp__put_text(ctx, r, "weights", "average"));
        if (run->n_rollbacks) BP_TRY(bp__put_int(ctx, r, "rollbacks", run->n_rollbacks));
        BP_TRY(bp__put_int(ctx, r, "best_epoch", best ? best->epoch : 0));
        if (best && best->train.n) BP_TRY(put_scores(run, "train", &best->train));
        if (run->has_validation) BP_TRY(put_scores(run, "validation", &run->validation));
        if (run->has_test) BP_TRY(put_scores(run, "test", &run->test));
        BP_TRY(bp__review_record(run));
        BP_TRY(bp__put_number(ctx, r, "seconds", run->seconds));
        BP_TRY(bp__put_number(ctx, r, "train_seconds", run->train_seconds));
        BP_TRY(bp__put_number(ctx, r, "samples_per_second",
                              run->train_seconds > 0 ? (double)run->n_samples / run->train_seconds : 0));
        struct rusage usage;
        if (getrusage(RUSAGE_SELF, &usage) == 0) BP_TRY(bp__put_int(ctx, r, "peak_rss_bytes", (int64_t)usage.ru_maxrss * 1024));
    }
    BP_TRY(bp__put_int(ctx, r, "threads", bp_context_threads(ctx)));
    BP_TRY(bp__put_int(ctx, r, "seed", (int64_t)run->d->s.seed));
    if (!over) return BP_OK;
    char sha[65];
    BP_TRY(bp__model_sha256(run->model, sha));
    return bp__put_text(ctx, r, "weights_sha256", sha);
}

/* ---- Training ---- */

static bp_status provenance(bp_run *run, bp__tree **out) {
    bp_context *ctx = run->ctx;
    *out = bp__tree_new(ctx, BP__MAP);
    if (!*out) return bp__out_of_memory(ctx, 0);
    const char *path = run->d->s.data.train.path, *slash = strrchr(path, '/');
    BP_TRY(bp__put_text(ctx, *out, "version", BP_VERSION));
    BP_TRY(bp__put_text(ctx, *out, "data", slash ? slash + 1 : path));
    return bp__put_text(ctx, *out, "data_sha256", run->d->data->train.sha256);
}

static bp_status make_model(bp_run *run, const bp__st_file *weights) {
    bp__net *net = NULL;
    bp__tree *config = NULL, *origin = NULL;
    BP_TRY(bp__decided_net(&net, run->d, run->d->s.dtype, true));
    bp_status status = weights ? bp__weights_load(net, weights) : BP_OK;
    if (status == BP_OK) status = bp__public_config(&config, run->ctx, run->d->resolved);
    if (status == BP_OK) status = provenance(run, &origin);
    if (status != BP_OK) {
        bp__net_free(net);
        bp__tree_free(run->ctx, config);
        bp__tree_free(run->ctx, origin);
        return status;
    }
    bp__prep *prep = run->d->data->prep;
    BP_TRY(bp__model_new(&run->model, run->ctx, NULL, config, origin, net));
    run->model->prep = prep; /* lent by the data set until the run ends, see bp_run_free */
    return BP_OK;
}

static bp_status prepare(bp_run *run, const bp_config *cfg) {
    bp_context *ctx = run->ctx;
    bp__st_file *file = NULL;
    bp_model *from = NULL;
    bp_status status = BP_OK;
    bp__settings s;
    if (cfg->resume) BP_TRY(bp__resume_check(cfg));
    BP_TRY(bp__settings_read(&s, cfg)); /* what is wrong with the text comes before any file */
    if (cfg->resume)
        BP_TRY(bp__resume_from(cfg, &run->from));
    else if (cfg->from && !(run->from = bp__absolute_path(ctx, cfg->from)))
        return bp__out_of_memory(ctx, 0);
    if (run->from) {
        status = bp__model_open_file(&file, ctx, cfg->resume ? run->from : cfg->from);
        if (status == BP_OK && bp__safetensors_meta(file, "backprop")) status = bp_model_open(&from, ctx, run->from);
    }
    if (cfg->out) bp__context_keep_input(ctx, &run->input);
    if (status == BP_OK) status = bp__decide(&run->d, cfg, from);
    bp__context_keep_input(ctx, NULL);
    if (status == BP_OK) status = make_model(run, cfg->resume ? NULL : file);
    if (status == BP_OK && !cfg->resume) status = bp__tell_decisions(run, run->d->resolved, "");
    bp_model_free(from);
    bp__safetensors_close(file);
    return status;
}

static bp_status train(bp_run *run, bp_config *cfg, const bp_callbacks *cb, bp__folder **folder) {
    double begin = bp__now();
    BP_TRY(prepare(run, cfg));
    if (cfg->out || cfg->resume) BP_TRY(bp__folder_open(folder, run, cfg));
    run->folder = *folder;
    BP_TRY(bp__record_make(run));
    if (cb && cb->on_start && cb->on_start(run->d->text, run->path, cb->user)) run->stopped_by = "signal";
    BP_TRY(bp__loop_run(run, cb));
    run->seconds = run->before_seconds + bp__now() - begin;
    BP_TRY(bp__review(run));
    BP_TRY(bp__record_make(run));
    return *folder ? bp__folder_save(*folder, run, true) : BP_OK;
}

/* What a run that ends with an error leaves: a record that says so, where one can still be written. The context's error, which
   is the first one, stays. */
static bp_status record_failure(bp_run *run, bp__folder *folder) {
    bp_context *ctx = run->ctx;
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    run->status = "failed";
    run->stopped_by = NULL;
    bp__tree *error = bp__tree_new(ctx, BP__MAP);
    bp__tree_free(ctx, run->record);
    run->record = bp__tree_new(ctx, BP__MAP);
    if (!run->record || !error) {
        bp__tree_free(ctx, error);
        return bp__out_of_memory(ctx, 0);
    }
    bp_status status = put_head(run);
    BP_TRY(bp__put(ctx, run->record, "error", error, NULL));
    BP_TRY(status);
    if (e.code) BP_TRY(bp__put_text(ctx, error, "code", e.code));
    BP_TRY(bp__put_text(ctx, error, "message", e.message));
    if (e.hint) BP_TRY(bp__put_text(ctx, error, "hint", e.hint));
    BP_TRY(put_data(run));
    BP_TRY(bp__put_int(ctx, run->record, "steps", run->steps));
    return bp__folder_record(folder, run);
}

static bp_status copy_command(bp_run *run, const bp_config *cfg) {
    run->command = bp__tree_new(run->ctx, BP__LIST);
    if (!run->command) return bp__out_of_memory(run->ctx, 0);
    for (int i = 0; i < cfg->n_command; i++)
        BP_TRY(bp__tree_append(run->ctx, run->command, bp__tree_text(run->ctx, cfg->command[i])));
    if (cfg->resume && !(run->resume = bp__strdup(run->ctx, cfg->resume))) return bp__out_of_memory(run->ctx, 0);
    return BP_OK;
}

static bp_status new_run(bp_run **out, bp_context *ctx) {
    *out = NULL;
    bp_run *run = bp__zalloc(ctx, sizeof *run);
    if (!run) return bp__out_of_memory(ctx, sizeof *run);
    *run = (bp_run){.ctx = ctx, .status = "running", .best = -1};
    bp__buffer_init(&run->events, ctx);
    bp__buffer_init(&run->notes, ctx);
    bp__buffer_init(&run->input, ctx);
    *out = run;
    return BP_OK;
}

bp_status bp_train(bp_run **out, bp_config *cfg, const bp_callbacks *callbacks) {
    *out = NULL;
    bp_context *ctx = cfg->ctx;
    if (callbacks && callbacks->size < sizeof *callbacks)
        return bp__fail(ctx, BP_INVALID, "bp_callbacks.size is %zu, not sizeof(bp_callbacks)", callbacks->size);
    bp_run *run = NULL;
    BP_TRY(new_run(&run, ctx));
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(run->start_time, sizeof run->start_time, "%Y-%m-%dT%H:%M:%SZ", &utc);
    bp__folder *folder = NULL;
    bp_status status = copy_command(run, cfg);
    if (status == BP_OK) status = train(run, cfg, callbacks, &folder);
    if (status != BP_OK && bp__folder_is_running(folder)) (void)record_failure(run, folder);
    bp__folder_close(folder, ctx);
    run->folder = NULL;
    if (status != BP_OK) {
        bp_run_free(run);
        return status;
    }
    *out = run;
    if (strcmp(run->status, "failed") == 0 && run->d->s.overfit && strcmp(run->stopped_by, "divergence") != 0)
        return bp__fail_at(
            ctx, BP_DIVERGED,
            (bp__where){.code = "not_overfit",
                        .hint =
                            "look for labels that do not belong to their rows, equal rows with different targets, a rate that "
                            "is too small or too large (lr-find), too few steps, a model without an activation or too narrow"},
            "%lld rows were not learnt by heart: after %lld steps the loss is %.4g", (long long)run->d->data->train.n_rows,
            (long long)run->steps, run->n_epochs ? run->epochs[run->n_epochs - 1].train.loss : (double)NAN);
    if (strcmp(run->status, "failed") == 0)
        return bp__fail_at(
            ctx, BP_DIVERGED, (bp__where){.code = "diverged", .hint = "use a smaller learning rate or train.clip_norm"},
            "training diverged at step %lld: %s; the last good weights are kept", (long long)run->steps, run->divergence);
    if (strcmp(run->status, "interrupted") == 0)
        return bp__fail(ctx, BP_STOPPED, "the training was interrupted after step %lld", (long long)run->steps);
    return BP_OK;
}

bp_status bp_train_try(bp_trial *out, bp_config *cfg, char **text, char **json) {
    bp_context *ctx = cfg->ctx;
    if (text) *text = NULL;
    if (json) *json = NULL;
    if (out->size < sizeof *out) return bp__fail(ctx, BP_INVALID, "bp_trial.size is %zu, not sizeof(bp_trial)", out->size);
    *out = (bp_trial){.size = sizeof *out};
    bp_run *run = NULL;
    BP_TRY(new_run(&run, ctx));
    bp_status status = prepare(run, cfg);
    if (status == BP_OK) status = bp__trial(out, run->d, run->model->net);
    if (status == BP_OK && text) status = bp__yaml_write(ctx, run->d->resolved, text);
    if (status == BP_OK && json) status = bp__json_write(ctx, run->d->resolved, 0, json);
    bp_run_free(run);
    if (status == BP_OK && !isfinite(out->loss))
        return bp__fail_at(ctx, BP_DIVERGED, (bp__where){.code = "diverged", .hint = "look at the data with `data describe`"},
                           "the loss of the first step, before any change, is not finite");
    return status;
}

void bp_run_free(bp_run *run) {
    if (!run) return;
    bp_context *ctx = run->ctx;
    if (run->model) run->model->prep = NULL;
    bp_model_free(run->model);
    for (int64_t i = 0; i < run->n_epochs; i++) {
        bp__scores_free(ctx, &run->epochs[i].train);
        bp__scores_free(ctx, &run->epochs[i].validation);
        bp__scores_free(ctx, &run->epochs[i].average);
    }
    bp__free(ctx, run->epochs);
    bp__scores_free(ctx, &run->validation);
    bp__scores_free(ctx, &run->test);
    bp__buffer_free(&run->events);
    bp__buffer_free(&run->notes);
    bp__buffer_free(&run->input);
    bp__free(ctx, run->input_path);
    bp__tree_free(ctx, run->record);
    bp__tree_free(ctx, run->command);
    bp__free(ctx, run->from);
    bp__free(ctx, run->resume);
    bp__free(ctx, run->path);
    bp__decided_free(run->d);
    bp__free(ctx, run);
}

/* ---- Results ---- */

bp_status bp_run_json(const bp_run *run, char **json) { return bp__json_write(run->ctx, run->record, 0, json); }
const char *bp_run_path(const bp_run *run) { return run->path; }
const char *bp_run_notes(const bp_run *run) { return run->notes.data ? run->notes.data : ""; }
bp_model *bp_run_model(bp_run *run) { return run->model; }
const int64_t *bp_run_confusion(const bp_run *run, int64_t *n_classes) {
    const bp__scores *s = run->has_test ? &run->test : &run->validation;
    if (n_classes) *n_classes = s->n_classes;
    return s->confusion;
}

bp_status bp_run_number(const bp_run *run, const char *name, double *x) {
    const bp__tree *t = run->record;
    const char *at = name;
    while (t) {
        const char *dot = strchr(at, '.');
        char key[80];
        size_t n = dot ? (size_t)(dot - at) : strlen(at);
        snprintf(key, sizeof key, "%.*s", (int)BP__MIN(n, sizeof key - 1), at);
        const bp__tree *next = bp__tree_get(t, key), *rest = bp__tree_get(t, at);
        if (rest) next = rest, dot = NULL; /* a name with a dot of its own, such as pinball_0.9 */
        if (!next) {
            const char *names[40];
            int64_t k = 0;
            for (const bp__tree *c = t->kind == BP__MAP ? t->child : NULL; c && k < 40; c = c->next) names[k++] = c->key;
            char hint[240];
            return bp__fail_at(run->ctx, BP_NOT_FOUND,
                               (bp__where){.code = "no_such_number", .hint = bp__name_hint(hint, sizeof hint, key, names, k)},
                               "the record has no number %s", name);
        }
        t = next;
        if (!dot) break;
        at = dot + 1;
    }
    if (!t || (t->kind != BP__INT && t->kind != BP__FLOAT))
        return bp__fail(run->ctx, BP_NOT_FOUND, "%s of the record is no number", name);
    *x = t->number;
    return BP_OK;
}
