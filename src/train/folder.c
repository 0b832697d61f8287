/* A run directory: its name, its lock, and the files in it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/files.h"
#include "io/json.h"
#include "io/tfevents.h"
#include "io/yaml.h"
#include "train/train.h"

struct bp__folder {
    bool running; /* the record there is one of this process, and says so */
    char *path;
    bp__lock lock;
    char *events;   /* TensorBoard's file; NULL: not made yet */
    int64_t n_told; /* evaluations that it holds */
};

char *bp__absolute_path(bp_context *ctx, const char *path) {
    char here[4096];
    if (path[0] == '/' || !getcwd(here, sizeof here)) return bp__strdup(ctx, path);
    return bp__path_join(ctx, here, path);
}

static const char *const names[] = {"config.yaml", "model.safetensors", "checkpoint.safetensors",
                                    "metrics.csv", "decisions.jsonl",   "record.json"};

static const char kept_input[] = "cache/stdin";

/* runs/NAME-0001: the data's name without its folder and ending. */
static bp_status counted(bp_context *ctx, const char *data, char **path) {
    char name[100];
    const char *base = strcmp(data, "-") == 0 ? "stdin" : strncmp(data, "builtin:", 8) == 0 ? data + 8 : bp__path_base(data);
    snprintf(name, sizeof name, "%s", base);
    char *dot = strchr(name + (name[0] == '.'), '.');
    if (dot) *dot = 0;
    return bp__dir_number(ctx, "runs", name[0] ? name : "run", path);
}

static bp_status claim(bp__folder *f, bp_run *run, const bp_config *cfg) {
    bp_context *ctx = run->ctx;
    if (cfg->resume) {
        f->path = bp__strdup(ctx, cfg->resume);
        if (!f->path) return bp__out_of_memory(ctx, 0);
        BP_TRY(bp__lock_take(ctx, f->path, &f->lock));
        bp__dir_sweep(ctx, f->path);
        return BP_OK;
    }
    if (cfg->out[0] == 0)
        BP_TRY(counted(ctx, run->d->s.data.train.path, &f->path));
    else {
        f->path = bp__strdup(ctx, cfg->out);
        if (!f->path) return bp__out_of_memory(ctx, 0);
        BP_TRY(bp__dir_make(ctx, f->path));
    }
    BP_TRY(bp__lock_take(ctx, f->path, &f->lock));
    bp__dir_sweep(ctx, f->path);
    for (int64_t i = 0; i < BP__COUNT(names); i++) {
        char *file = bp__path_join(ctx, f->path, names[i]);
        if (!file) return bp__out_of_memory(ctx, 0);
        bool there = bp__file_exists(file);
        if (there && cfg->force) unlink(file);
        bp__free(ctx, file);
        if (there && !cfg->force)
            return bp__fail_at(ctx, BP_IO,
                               (bp__where){.code = "run_exists",
                                           .file = f->path,
                                           .hint = "choose another directory, or replace it with --force"},
                               "%s holds a run already", f->path);
    }
    if (cfg->force) {
        char *kept = bp__path_join(ctx, f->path, kept_input);
        if (!kept) return bp__out_of_memory(ctx, 0);
        unlink(kept);
        bp__free(ctx, kept);
        bp__dir_remove(ctx, f->path, "events.out.tfevents.");
    }
    for (int64_t k = 1; k <= 100 && cfg->force; k++) { /* older checkpoints */
        char name[60];
        snprintf(name, sizeof name, "checkpoint.%lld.safetensors", (long long)k);
        char *file = bp__path_join(ctx, f->path, name);
        if (!file) return bp__out_of_memory(ctx, 0);
        unlink(file);
        bp__free(ctx, file);
    }
    return BP_OK;
}

/* Standard input cannot be read again: the run keeps it, and its configuration names the copy. */
static bp_status keep_input(const bp__folder *f, bp_run *run) {
    bp_context *ctx = run->ctx;
    if (run->input.failed) return bp__out_of_memory(ctx, run->input.size);
    if (run->input.size == 0) return BP_OK;
    char *whole = bp__absolute_path(ctx, f->path), *folder = whole ? bp__path_join(ctx, whole, "cache") : NULL;
    bp_status status = folder ? bp__dir_make(ctx, folder) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK && !(run->input_path = bp__path_join(ctx, whole, kept_input))) status = bp__out_of_memory(ctx, 0);
    if (status == BP_OK) status = bp__file_write_atomic(ctx, run->input_path, run->input.data, run->input.size);
    bp__free(ctx, whole);
    bp__free(ctx, folder);
    bp__buffer_free(&run->input);
    BP_TRY(status);
    bp__tree *data = bp__tree_get(run->d->resolved, "data");
    bp__tree *maps[] = {data, bp__tree_get(data, "validation"), bp__tree_get(data, "test")};
    for (int i = 0; i < 3; i++) {
        const bp__tree *path = bp__tree_get(maps[i], "path");
        if (path && path->kind == BP__TEXT && strcmp(path->text, "-") == 0)
            BP_TRY(bp__put(ctx, maps[i], "path", bp__tree_text(ctx, run->input_path), "a copy of standard input"));
    }
    if (strcmp(run->d->s.data.train.path, "-") == 0) run->d->s.data.train.path = run->input_path;
    return BP_OK;
}

bp_status bp__folder_open(bp__folder **out, bp_run *run, const bp_config *cfg) {
    bp__folder *f = bp__zalloc(run->ctx, sizeof *f);
    *out = f;
    if (!f) return bp__out_of_memory(run->ctx, sizeof *f);
    BP_TRY(claim(f, run, cfg));
    BP_TRY(keep_input(f, run));
    run->path = bp__strdup(run->ctx, f->path);
    return run->path ? BP_OK : bp__out_of_memory(run->ctx, 0);
}

void bp__folder_close(bp__folder *f, bp_context *ctx) {
    if (!f) return;
    bp__lock_release(ctx, &f->lock);
    bp__free(ctx, f->path);
    bp__free(ctx, f->events);
    bp__free(ctx, f);
}

/* ---- Files ---- */

static bp_status write_text(bp_context *ctx, const char *folder, const char *name, const char *text, size_t n) {
    char *path = bp__path_join(ctx, folder, name);
    if (!path) return bp__out_of_memory(ctx, 0);
    bp_status status = bp__file_write_atomic(ctx, path, text, n);
    bp__free(ctx, path);
    return status;
}

static void cell(bp__buffer *b, double v) {
    char text[40];
    bp__format_f64(text, v);
    bp__buffer_printf(b, ",%s", v == v ? text : "");
}

static void metric_cells(bp__buffer *b, const bp_run *run, const bp__scores *s, const char *set) {
    if (set)
        bp__buffer_printf(b, ",%s.loss", set);
    else
        cell(b, s->n ? s->loss : (double)NAN);
    const bp__metrics *m = &run->d->s.metrics;
    for (int i = 0; i < m->n; i++) {
        if (set)
            bp__buffer_printf(b, ",%s.%s", set, m->at[i].name);
        else
            cell(b, s->n && i < s->n_metrics ? s->metric[i] : (double)NAN);
    }
}

static bp_status write_metrics(const bp__folder *f, const bp_run *run) {
    bp__buffer b;
    bp__buffer_init(&b, run->ctx);
    bool validation = run->d->data->validation.n_rows > 0;
    bp__buffer_text(&b, "epoch,step,lr,seconds");
    metric_cells(&b, run, NULL, "train");
    if (validation) metric_cells(&b, run, NULL, "validation");
    bool average = validation && run->d->average.kind >= 0;
    if (average) metric_cells(&b, run, NULL, "average");
    bp__buffer_text(&b, "\n");
    for (int64_t i = 0; i < run->n_epochs; i++) {
        const bp__epoch *e = &run->epochs[i];
        bp__buffer_printf(&b, "%lld,%lld", (long long)e->epoch, (long long)e->step);
        cell(&b, e->lr);
        cell(&b, e->seconds);
        metric_cells(&b, run, &e->train, NULL);
        if (validation) metric_cells(&b, run, &e->validation, NULL);
        if (average) metric_cells(&b, run, &e->average, NULL);
        bp__buffer_text(&b, "\n");
    }
    char *text = NULL;
    size_t n = b.size;
    BP_TRY(bp__buffer_take(&b, &text));
    bp_status status = write_text(run->ctx, f->path, "metrics.csv", text, n);
    bp__free(run->ctx, text);
    return status;
}

/* ---- TensorBoard: its names are SET/METRIC ---- */

enum { MOST_TAGS = 3 * (BP__MAX_METRICS + 1) + 2 };
typedef struct tags {
    const char *name[MOST_TAGS];
    double value[MOST_TAGS];
    char text[MOST_TAGS][64];
    int n;
} tags;
static void tag(tags *t, const char *set, const char *name, double v) {
    if (t->n == MOST_TAGS || v != v) return;
    snprintf(t->text[t->n], sizeof t->text[0], "%s%s%s", set, set[0] ? "/" : "", name);
    t->name[t->n] = t->text[t->n];
    t->value[t->n++] = v;
}
static void tag_scores(tags *t, const bp_run *run, const char *set, const bp__scores *s) {
    if (s->n == 0) return;
    tag(t, set, "loss", s->loss);
    const bp__metrics *m = &run->d->s.metrics;
    for (int i = 0; i < m->n && i < s->n_metrics; i++) tag(t, set, m->at[i].name, s->metric[i]);
}

/* Evaluations that are not told yet are appended. A run that goes on has a file of its own, which takes back what an earlier
   process told after its last checkpoint. */
static bp_status write_events(bp__folder *f, const bp_run *run) {
    bp_context *ctx = run->ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    const bp__epoch *last = run->n_epochs ? &run->epochs[run->n_epochs - 1] : NULL;
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    if (!f->events) {
        BP_TRY(bp__tfevents_new(ctx, f->path, now, &f->events));
        f->n_told = run->resume ? run->n_epochs : 0;
        if (run->resume) bp__tfevents_restart(&b, now, last ? last->step + 1 : 0);
    }
    for (; f->n_told < run->n_epochs; f->n_told++) {
        const bp__epoch *e = &run->epochs[f->n_told];
        tags all = {.n = 0};
        tag(&all, "", "epoch", (double)e->epoch);
        tag(&all, "", "lr", e->lr);
        tag_scores(&all, run, "train", &e->train);
        tag_scores(&all, run, "validation", &e->validation);
        tag_scores(&all, run, "average", &e->average);
        bp__tfevents_put(&b, now - (last->seconds - e->seconds), e->step, all.name, all.value, all.n);
    }
    bp_status status = b.failed ? bp__out_of_memory(ctx, b.size)
                       : b.size ? bp__file_append(ctx, f->events, b.data, b.size)
                                : BP_OK;
    bp__buffer_free(&b);
    return status;
}

bp_status bp__folder_metrics(bp__folder *f, const bp_run *run) {
    BP_TRY(write_events(f, run));
    BP_TRY(write_metrics(f, run));
    if (run->events.failed) return bp__out_of_memory(run->ctx, run->events.size);
    return write_text(run->ctx, f->path, "decisions.jsonl", run->events.data ? run->events.data : "", run->events.size);
}

bool bp__folder_is_running(const bp__folder *f) { return f && f->running; }

bp_status bp__folder_record(bp__folder *f, bp_run *run) {
    bp_context *ctx = run->ctx;
    char *text = NULL;
    BP_TRY(bp__json_write(ctx, run->record, 2, &text));
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    bp__buffer_printf(&b, "%s\n", text);
    bp__free(ctx, text);
    bp_status status = b.failed ? bp__out_of_memory(ctx, b.size) : write_text(ctx, f->path, "record.json", b.data, b.size);
    bp__buffer_free(&b);
    return status;
}

bp_status bp__folder_save(bp__folder *f, bp_run *run, bool weights) {
    bp_context *ctx = run->ctx;
    char *text = NULL;
    if (weights) {
        char *path = bp__path_join(ctx, f->path, "model.safetensors");
        bp_status status = path ? bp_model_save(run->model, path) : bp__out_of_memory(ctx, 0);
        bp__free(ctx, path);
        BP_TRY(status);
    }
    BP_TRY(bp__folder_metrics(f, run));
    bp_status status = bp__folder_record(f, run);
    f->running = status == BP_OK && !weights;
    if (weights || status != BP_OK) return status;
    /* Last: where there is a configuration, there is all that --resume needs. */
    BP_TRY(bp__yaml_write(ctx, run->d->resolved, &text));
    status = write_text(ctx, f->path, "config.yaml", text, strlen(text));
    bp__free(ctx, text);
    return status;
}
