/* Checkpoints: one file from which a killed run goes on to the same bits. State is stored as plain named tensors, so it does not
   matter which instruction set or passes wrote it; counters and scores are one JSON text in the metadata. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "graph/plan.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "train/loop.h"

/* ---- Numbers as JSON ---- */

typedef struct field {
    const char *key;
    double *number; /* one of the two */
    int64_t *integer;
} field;

static bp_status put_fields(bp_context *ctx, bp__tree *t, const field *f, int n) {
    for (int i = 0; i < n; i++) {
        if (f[i].number)
            BP_TRY(bp__put_number(ctx, t, f[i].key, *f[i].number));
        else
            BP_TRY(bp__put_int(ctx, t, f[i].key, *f[i].integer));
    }
    return BP_OK;
}
/* A number that is not finite was written as null. */
static void get_fields(const bp__tree *t, const field *f, int n) {
    for (int i = 0; i < n; i++) {
        const bp__tree *c = bp__tree_get(t, f[i].key);
        bool number = c && (c->kind == BP__INT || c->kind == BP__FLOAT);
        if (f[i].number)
            *f[i].number = number ? c->number : (double)NAN;
        else
            *f[i].integer = number ? c->integer : 0;
    }
}

enum { N_FIELDS = 27 };
static int fields_of(bp__loop *l, field f[N_FIELDS]) {
    bp_run *run = l->run;
    bp__health *h = &l->health;
    const field all[] = {{"step", NULL, &l->step},
                         {"epoch", NULL, &l->epoch},
                         {"pass", NULL, &l->pass},
                         {"position", NULL, &l->position},
                         {"epoch_steps", NULL, &l->done},
                         {"epoch_loss", &l->epoch_loss, NULL},
                         {"waited", NULL, &l->waited},
                         {"converged", NULL, &l->converged},
                         {"best", NULL, &run->best},
                         {"best_value", &l->best_value, NULL},
                         {"plateau_best", &l->plateau.best, NULL},
                         {"plateau_factor", &l->plateau.factor, NULL},
                         {"plateau_bad", NULL, &l->plateau.n_bad},
                         {"plateau_cooldown", NULL, &l->plateau.cooldown},
                         {"plateau_reports", NULL, &l->plateau.n_reports},
                         {"norms", NULL, &h->n_window},
                         {"bad_steps", NULL, &h->n_bad},
                         {"far_steps", NULL, &h->n_far},
                         {"rollbacks", NULL, &h->n_rollbacks},
                         {"last_rollback", NULL, &h->last_rollback},
                         {"first_loss", &h->first_loss, NULL},
                         {"lr_factor", &h->lr_factor, NULL},
                         {"good", NULL, &l->good},
                         {"skipped_steps", NULL, &run->n_skipped},
                         {"samples", NULL, &run->n_samples},
                         {"train_seconds", &run->train_seconds, NULL},
                         {"seconds", &l->before, NULL}};
    memcpy(f, all, sizeof all);
    return (int)BP__COUNT(all);
}

static bp_status put_scores(bp_context *ctx, bp__tree *t, const char *key, const bp__scores *s) {
    bp__tree *list = bp__tree_new(ctx, BP__LIST);
    BP_TRY(bp__put(ctx, t, key, list, NULL));
    BP_TRY(bp__tree_append(ctx, list, bp__tree_int(ctx, s->n)));
    BP_TRY(bp__tree_append(ctx, list, bp__tree_int(ctx, s->n_unknown)));
    BP_TRY(bp__tree_append(ctx, list, bp__tree_number(ctx, s->loss)));
    BP_TRY(bp__tree_append(ctx, list, bp__tree_number(ctx, s->loss_error)));
    for (int i = 0; i < s->n_metrics; i++) BP_TRY(bp__tree_append(ctx, list, bp__tree_number(ctx, s->metric[i])));
    return BP_OK;
}
static double number_of(const bp__tree *t) { return t && (t->kind == BP__INT || t->kind == BP__FLOAT) ? t->number : (double)NAN; }
static void get_scores(const bp__tree *list, bp__scores *s) {
    const bp__tree *c = list ? list->child : NULL;
    *s = (bp__scores){0};
    if (c) s->n = c->integer, c = c->next;
    if (c) s->n_unknown = c->integer, c = c->next;
    s->loss = number_of(c);
    if (c) c = c->next;
    s->loss_error = number_of(c);
    while (c && (c = c->next) && s->n_metrics < BP__MAX_METRICS) s->metric[s->n_metrics++] = number_of(c);
}

static bp_status put_epochs(bp__loop *l, bp__tree *t) {
    bp_context *ctx = l->run->ctx;
    bp__tree *list = bp__tree_new(ctx, BP__LIST);
    BP_TRY(bp__put(ctx, t, "epochs", list, NULL));
    for (int64_t i = 0; i < l->run->n_epochs; i++) {
        bp__epoch *e = &l->run->epochs[i];
        bp__tree *one = bp__tree_new(ctx, BP__MAP);
        if (!one) return bp__out_of_memory(ctx, 0);
        BP_TRY(bp__tree_append(ctx, list, one));
        const field f[] = {
            {"epoch", NULL, &e->epoch}, {"step", NULL, &e->step}, {"lr", &e->lr, NULL}, {"seconds", &e->seconds, NULL}};
        BP_TRY(put_fields(ctx, one, f, 4));
        BP_TRY(put_scores(ctx, one, "train", &e->train));
        BP_TRY(put_scores(ctx, one, "validation", &e->validation));
        BP_TRY(put_scores(ctx, one, "average", &e->average));
        BP_TRY(bp__put(ctx, one, "by_average", bp__tree_bool(ctx, e->by_average), NULL));
    }
    return BP_OK;
}

static bp_status put_trouble(bp_context *ctx, bp__tree *t, const bp__trouble *first) {
    if (first->n_rows == 0) return BP_OK;
    bp__tree *map = bp__tree_new(ctx, BP__MAP);
    BP_TRY(bp__put(ctx, t, "trouble", map, NULL));
    bp__tree *rows = bp__tree_new(ctx, BP__LIST);
    BP_TRY(bp__put(ctx, map, "rows", rows, NULL));
    for (int64_t i = 0; i < BP__MIN(first->n_rows, BP__TOLD_ROWS); i++)
        BP_TRY(bp__tree_append(ctx, rows, bp__tree_int(ctx, first->rows[i])));
    BP_TRY(bp__put_int(ctx, map, "n_rows", first->n_rows));
    BP_TRY(bp__put_text(ctx, map, "operation", first->operation));
    return bp__put_text(ctx, map, "layer", first->layer);
}
static void get_trouble(const bp__tree *map, bp__trouble *first) {
    const bp__tree *n = bp__tree_get(map, "n_rows"), *rows = bp__tree_get(map, "rows");
    const bp__tree *texts[] = {bp__tree_get(map, "operation"), bp__tree_get(map, "layer")};
    *first = (bp__trouble){.n_rows = n ? n->integer : 0};
    int64_t i = 0;
    for (const bp__tree *c = rows ? rows->child : NULL; c && i < BP__TOLD_ROWS; c = c->next) first->rows[i++] = c->integer;
    first->n_rows = i < BP__TOLD_ROWS ? i : BP__MAX(first->n_rows, i);
    if (texts[0] && texts[0]->text) snprintf(first->operation, sizeof first->operation, "%s", texts[0]->text);
    if (texts[1] && texts[1]->text) snprintf(first->layer, sizeof first->layer, "%s", texts[1]->text);
}

static bp_status describe(bp__loop *l, bp__tree *t) {
    bp_run *run = l->run;
    bp_context *ctx = run->ctx;
    field f[N_FIELDS];
    double before = l->before;
    l->before = bp__loop_seconds(l);
    int n_fields = fields_of(l, f);
    bp_status status = put_fields(ctx, t, f, n_fields);
    l->before = before;
    BP_TRY(status);
    BP_TRY(bp__put_int(ctx, t, "format", 1));
    BP_TRY(bp__put(ctx, t, "in_epoch", bp__tree_bool(ctx, l->in_epoch), NULL));
    BP_TRY(bp__put_text(ctx, t, "version", BP_VERSION));
    BP_TRY(bp__put_text(ctx, t, "data_sha256", run->d->data->train.sha256));
    BP_TRY(bp__put_int(ctx, t, "events_bytes", (int64_t)run->events.size));
    BP_TRY(bp__put_int(ctx, t, "schedule_steps", run->d->schedule_steps));
    BP_TRY(bp__put_text(ctx, t, "start_time", run->start_time));
    BP_TRY(bp__put_copy(ctx, t, "command", run->command, NULL));
    BP_TRY(put_trouble(ctx, t, &l->health.trouble));
    return put_epochs(l, t);
}

/* ---- Tensors ---- */

typedef struct tensors {
    bp_context *ctx;
    bp__st_tensor *list;
    int64_t n, cap;
    bp__pool pool; /* names and plain copies */
} tensors;

static bp_status add_tensor(tensors *t, const char *name, bp_dtype dtype, const bp_dims *dims, const void *data) {
    BP_TRY(BP__GROW(t->ctx, t->list, t->n, t->cap));
    bp__st_tensor *s = &t->list[t->n++];
    *s = (bp__st_tensor){.name = bp__pool_strdup(&t->pool, name),
                         .dtype = bp__st_dtype_of(dtype),
                         .n_dims = (int)dims->n,
                         .data = data,
                         .n_bytes = bp_dtype_size(dtype)};
    for (int64_t k = 0; k < dims->n; k++) {
        s->dims[k] = dims->dim[k];
        s->n_bytes *= (size_t)dims->dim[k];
    }
    return s->name && data ? BP_OK : bp__out_of_memory(t->ctx, s->n_bytes);
}

/* A variable of a block that has the state's layout; plain rows are made when it is written, one variable at a time. */
typedef struct stored {
    const bp__place *place;
    unsigned char *block;
} stored;
static void fill(const void *data, void *to) {
    const stored *v = data;
    bp__place_plain(v->place, v->block, to);
}

static bp_status add_state(tensors *t, const bp_state *state, unsigned char *block, const char *prefix) {
    for (int64_t i = 0; i < state->n_places; i++) {
        const bp__place *p = &state->places[i];
        char name[700];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        stored *v = bp__pool_alloc(&t->pool, sizeof *v);
        if (!v) return bp__out_of_memory(t->ctx, sizeof *v);
        *v = (stored){p, block};
        BP_TRY(add_tensor(t, name, p->info.dtype, &p->info.dims, v));
        t->list[t->n - 1].fill = fill;
    }
    return BP_OK;
}

static bp_status collect(bp__loop *l, tensors *t) {
    bp_state *state = l->net->state;
    BP_TRY(add_state(t, state, state->block, ""));
    /* A copy that is the state itself is left out: after an epoch most are. */
    if (l->good_state && memcmp(l->good_state, state->block, state->bytes) != 0)
        BP_TRY(add_state(t, state, l->good_state, "good/"));
    if (l->best_state && memcmp(l->best_state, state->block, state->bytes) != 0)
        BP_TRY(add_state(t, state, l->best_state, "best/"));
    bp_dims window = bp_shape(1, BP__WINDOW), rows = {.n = 1, .dim = {l->n_seen}};
    BP_TRY(add_tensor(t, "health/norms", BP_F64, &window, l->health.window));
    if (!l->in_epoch) return BP_OK;
    bp_dims p = {.n = 2, .dim = {l->n_seen, bp__net_columns(l->net)}};
    BP_TRY(add_tensor(t, "epoch/rows", BP_I64, &rows, l->seen));
    BP_TRY(add_tensor(t, "epoch/loss", BP_F64, &rows, l->all_loss));
    return add_tensor(t, "epoch/predictions", BP_F64, &p, l->all_p);
}

/* ---- Writing ---- */

static char *name_of(bp_context *ctx, const char *folder, int64_t k) {
    char name[60] = "checkpoint.safetensors";
    if (k > 0) snprintf(name, sizeof name, "checkpoint.%lld.safetensors", (long long)k);
    return bp__path_join(ctx, folder, name);
}

/* checkpoint → checkpoint.1 → checkpoint.2 …; by links, so that the newest is there at every moment. */
static bp_status shift(bp_context *ctx, const char *folder, int64_t keep) {
    for (int64_t k = keep - 1; k >= 1; k--) {
        char *from = name_of(ctx, folder, k - 1), *to = name_of(ctx, folder, k), *between = NULL;
        bp_status status = from && to ? BP_OK : bp__out_of_memory(ctx, 0);
        if (status == BP_OK && bp__file_exists(from)) {
            between = bp__path_join(ctx, folder, ".checkpoint.link");
            if (!between) status = bp__out_of_memory(ctx, 0);
            if (between) {
                unlink(between);
                /* A file system without links has no older checkpoints; the newest is what counts. */
                if (link(from, between) == 0 && rename(between, to) != 0) unlink(between);
            }
        }
        bp__free(ctx, from);
        bp__free(ctx, to);
        bp__free(ctx, between);
        BP_TRY(status);
    }
    return BP_OK;
}

bp_status bp__checkpoint_write(bp__loop *l) {
    bp_run *run = l->run;
    bp_context *ctx = run->ctx;
    const char *folder = run->path;
    BP_TRY(bp__folder_metrics(run->folder, run)); /* first: what the checkpoint refers to is in the files then */
    bp__tree *t = bp__tree_new(ctx, BP__MAP);
    if (!t) return bp__out_of_memory(ctx, 0);
    tensors all = {.ctx = ctx};
    bp__pool_init(&all.pool, ctx);
    char *json = NULL, *path = name_of(ctx, folder, 0);
    bp_status status = path ? describe(l, t) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK) status = bp__json_write(ctx, t, 0, &json);
    if (status == BP_OK) status = collect(l, &all);
    if (status == BP_OK) status = shift(ctx, folder, run->d->s.checkpoint_keep);
    const bp__st_meta meta[] = {{"backprop_checkpoint", json}, {"format", "pt"}};
    if (status == BP_OK) status = bp__safetensors_write(ctx, path, all.list, all.n, meta, 2);
    l->last_checkpoint = bp__now();
    l->last_checkpoint_step = l->step;
    bp__free(ctx, json);
    bp__free(ctx, path);
    bp__free(ctx, all.list);
    bp__pool_free(&all.pool);
    bp__tree_free(ctx, t);
    return status;
}

/* ---- Reading ---- */

static bp_status damaged(bp__loop *l, const char *path, const char *what) {
    return bp__fail_at(l->run->ctx, BP_FORMAT, (bp__where){.code = "bad_checkpoint", .file = path},
                       "%s does not fit this run: %s", path, what);
}

static bp_status copy_tensor(bp__loop *l, const bp__st_file *f, const char *name, void *to, size_t bytes) {
    const bp__st_tensor *t = bp__safetensors_find(f, name);
    if (!t || t->n_bytes != bytes) return damaged(l, f->path, name);
    memcpy(to, t->data, bytes);
    return BP_OK;
}

static bp_status read_state(bp__loop *l, const bp__st_file *f, unsigned char *block, const char *prefix) {
    bp_state *state = l->net->state;
    char first[700];
    snprintf(first, sizeof first, "%s%s", prefix, state->n_places ? state->places[0].name : "");
    if (prefix[0] && !bp__safetensors_find(f, first)) { /* left out: it was the state */
        memcpy(block, state->block, state->bytes);
        return BP_OK;
    }
    unsigned char *own = state->block;
    bp_status status = BP_OK;
    state->block = block;
    for (int64_t i = 0; i < state->n_places && status == BP_OK; i++) {
        char name[700];
        snprintf(name, sizeof name, "%s%s", prefix, state->places[i].name);
        const bp__st_tensor *t = bp__safetensors_find(f, name);
        status = t && t->dtype == bp__st_dtype_of(state->places[i].info.dtype)
                     ? bp_state_set(state, state->places[i].name, t->data, t->n_bytes)
                     : damaged(l, f->path, name);
    }
    state->block = own;
    return status;
}

static bp_status read_epochs(bp__loop *l, const bp__tree *list) {
    bp_run *run = l->run;
    for (const bp__tree *c = list ? list->child : NULL; c; c = c->next) {
        BP_TRY(BP__GROW(run->ctx, run->epochs, run->n_epochs, run->cap_epochs));
        bp__epoch *e = &run->epochs[run->n_epochs++];
        *e = (bp__epoch){0};
        const field f[] = {
            {"epoch", NULL, &e->epoch}, {"step", NULL, &e->step}, {"lr", &e->lr, NULL}, {"seconds", &e->seconds, NULL}};
        get_fields(c, f, 4);
        get_scores(bp__tree_get(c, "train"), &e->train);
        get_scores(bp__tree_get(c, "validation"), &e->validation);
        get_scores(bp__tree_get(c, "average"), &e->average);
        const bp__tree *by = bp__tree_get(c, "by_average");
        e->by_average = by && by->boolean;
    }
    return BP_OK;
}

/* decisions.jsonl as far as it was written when the checkpoint was. */
static bp_status read_events(bp__loop *l, const char *folder, int64_t bytes) {
    bp_context *ctx = l->run->ctx;
    char *path = bp__path_join(ctx, folder, "decisions.jsonl"), *text = NULL;
    size_t n = 0;
    bp_status status = path ? bp__file_read_all(ctx, path, 0, &text, &n) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK && (bytes < 0 || (size_t)bytes > n)) status = damaged(l, path, "decisions.jsonl is shorter than it was");
    if (status == BP_OK) {
        text[bytes] = 0;
        bp__buffer_text(&l->run->events, text);
    }
    bp__free(ctx, text);
    bp__free(ctx, path);
    return status;
}

static bp_status read_within_epoch(bp__loop *l, const bp__st_file *f) {
    const bp__st_tensor *rows = bp__safetensors_find(f, "epoch/rows");
    int64_t n = rows ? bp__st_count(rows) : -1, k = bp__net_columns(l->net);
    if (n < 0 || n > l->cap_seen) return damaged(l, f->path, "epoch/rows");
    l->n_seen = n;
    BP_TRY(copy_tensor(l, f, "epoch/rows", l->seen, sizeof(int64_t) * (size_t)n));
    for (int64_t i = 0; i < n; i++)
        if (l->seen[i] < 0 || l->seen[i] >= l->d->data->n_rows) return damaged(l, f->path, "epoch/rows");
    BP_TRY(copy_tensor(l, f, "epoch/loss", l->all_loss, sizeof(double) * (size_t)n));
    return copy_tensor(l, f, "epoch/predictions", l->all_p, sizeof(double) * (size_t)(n * k));
}

static bp_status restore(bp__loop *l, const bp__st_file *f, const bp__tree *t, const char *folder) {
    bp_run *run = l->run;
    const bp__tree *sha = bp__tree_get(t, "data_sha256"), *length = bp__tree_get(t, "schedule_steps");
    if (!sha || sha->kind != BP__TEXT || strcmp(sha->text, run->d->data->train.sha256) != 0)
        return bp__fail_at(run->ctx, BP_DATA,
                           (bp__where){.code = "data_changed", .file = run->d->s.data.train.path, .hint = "train anew"},
                           "%s is not what %s was trained on: its content has changed", run->d->s.data.train.path, folder);
    field list[N_FIELDS];
    int n_list = fields_of(l, list);
    get_fields(t, list, n_list);
    run->steps = l->step;
    run->n_rollbacks = l->health.n_rollbacks;
    const bp__tree *in_epoch = bp__tree_get(t, "in_epoch");
    l->in_epoch = in_epoch && in_epoch->boolean;
    BP_TRY(read_state(l, f, l->net->state->block, ""));
    BP_TRY(read_epochs(l, bp__tree_get(t, "epochs")));
    /* A position behind the pass's last row (train.sampling was changed) begins the next pass. */
    if (l->position < 0 || l->pass < 0 || l->done < 0) return damaged(l, f->path, "position");
    if (run->best >= run->n_epochs || l->step < 0 || l->epoch < 0 || l->health.n_window < 0)
        return damaged(l, f->path, "counters");
    if (run->best >= 0 && !l->best_state && !(l->best_state = bp__alloc(run->ctx, l->net->state->bytes + 1)))
        return bp__out_of_memory(run->ctx, l->net->state->bytes);
    if (run->best >= 0) BP_TRY(read_state(l, f, l->best_state, "best/"));
    int64_t good = l->good;
    BP_TRY(bp__loop_keep_good(l));
    l->good = BP__MIN(good, run->n_epochs - 1);
    if (l->good_state) BP_TRY(read_state(l, f, l->good_state, "good/"));
    get_trouble(bp__tree_get(t, "trouble"), &l->health.trouble);
    BP_TRY(copy_tensor(l, f, "health/norms", l->health.window, sizeof l->health.window));
    if (l->in_epoch) BP_TRY(read_within_epoch(l, f));
    const bp__tree *events = bp__tree_get(t, "events_bytes"), *start = bp__tree_get(t, "start_time");
    BP_TRY(read_events(l, folder, events ? events->integer : 0));
    if (start && start->text) snprintf(run->start_time, sizeof run->start_time, "%s", start->text);
    if (length && length->integer > 0) bp__decided_set_length(run->d, length->integer);
    const bp__tree *command = bp__tree_get(t, "command");
    bp__tree *copy = command && command->kind == BP__LIST ? bp__tree_copy(run->ctx, command) : bp__tree_new(run->ctx, BP__LIST);
    if (!copy) return bp__out_of_memory(run->ctx, 0);
    bp__tree_free(run->ctx, run->command);
    run->command = copy;
    return BP_OK;
}

static bp_status read_one(bp__loop *l, const char *folder, const char *path) {
    bp_context *ctx = l->run->ctx;
    bp__st_file *f = NULL;
    bp__tree *t = NULL;
    BP_TRY(bp__safetensors_open(ctx, path, &f));
    const char *json = bp__safetensors_meta(f, "backprop_checkpoint");
    bp_status status = json ? bp__json_parse(ctx, json, strlen(json), path, &t) : damaged(l, path, "it is no checkpoint");
    if (status == BP_OK) status = restore(l, f, t, folder);
    bp__tree_free(ctx, t);
    bp__safetensors_close(f);
    return status;
}

bp_status bp__checkpoint_read(bp__loop *l, const char *folder) {
    bp_context *ctx = l->run->ctx;
    bp_status status = BP_OK;
    for (int64_t k = 0; k <= 100; k++) { /* a newest one that is damaged has older ones behind it */
        char *path = name_of(ctx, folder, k);
        if (!path) return bp__out_of_memory(ctx, 0);
        bool there = bp__file_exists(path);
        if (there) status = read_one(l, folder, path);
        bp__free(ctx, path);
        if (there && status != BP_FORMAT) return status;
        if (!there && k > 0) break;
        l->run->n_epochs = 0;
        l->run->events.size = 0;
    }
    if (status != BP_OK) return status;
    return bp__fail_at(ctx, BP_NOT_FOUND, (bp__where){.code = "no_checkpoint", .file = folder, .hint = "train anew"},
                       "%s holds no checkpoint to go on from", folder);
}
