/* The training loop: full, stochastic and mini-batch descent are the same. Which rows make a step depends on seed and epoch
   alone. Nothing that a clock says reaches the weights, save where the user bounds the run by time. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "graph/plan.h"
#include "train/train.h"

enum { EVAL_ROWS = 256, BAD_STEPS = 10 }; /* so many steps in a row that are not finite count as divergence */

double bp__now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bp_status bp__event(bp_run *run, const char *event, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return bp__event_line(run, event, text);
}

/* ---- Batches ---- */

typedef struct staging {
    bp_context *ctx;
    const bp__dataset *d;
    const float *row_weight;
    size_t x_bytes, y_bytes; /* of one row */
    unsigned char *x, *y;
    int64_t *label;
    float *weight;
} staging;

static bp_status staging_new(staging *s, const bp__dataset *d, const float *row_weight, int64_t rows) {
    *s = (staging){.ctx = d->ctx, .d = d, .row_weight = row_weight};
    s->x_bytes = bp_dtype_size(d->x_dtype) * (size_t)d->sample_size;
    s->y_bytes = bp_dtype_size(d->y_dtype) * (size_t)d->n_targets;
    s->x = bp__alloc(s->ctx, s->x_bytes * (size_t)rows);
    if (d->label) s->label = bp__alloc(s->ctx, sizeof(int64_t) * (size_t)rows);
    if (!d->label) s->y = bp__alloc(s->ctx, s->y_bytes * (size_t)rows);
    if (row_weight) s->weight = bp__alloc(s->ctx, sizeof(float) * (size_t)rows);
    bool good = s->x && (s->label || s->y) && (s->weight || !row_weight);
    return good ? BP_OK : bp__out_of_memory(s->ctx, s->x_bytes * (size_t)rows);
}
static void staging_free(staging *s) {
    bp__free(s->ctx, s->x);
    bp__free(s->ctx, s->y);
    bp__free(s->ctx, s->label);
    bp__free(s->ctx, s->weight);
}
static bp__batch gather(staging *s, const int64_t *rows, int64_t n) {
    const bp__dataset *d = s->d;
    for (int64_t i = 0; i < n; i++) {
        int64_t r = rows[i];
        memcpy(s->x + (size_t)i * s->x_bytes, (const unsigned char *)d->x + (size_t)r * s->x_bytes, s->x_bytes);
        if (s->label) s->label[i] = d->label[r];
        if (s->y) memcpy(s->y + (size_t)i * s->y_bytes, (const unsigned char *)d->y + (size_t)r * s->y_bytes, s->y_bytes);
        if (s->weight) s->weight[i] = s->row_weight[r];
    }
    return (bp__batch){.n = n, .x = s->x, .label = s->label, .y = s->y, .weight = s->weight};
}

bp_status bp__evaluate(bp__scores *out, bp__net *net, const bp__dataset *d, const bp__set *set, const float *weight) {
    *out = (bp__scores){0};
    int64_t n = set->n_rows, columns = bp__net_columns(net);
    double *p = bp__alloc(d->ctx, sizeof(double) * (size_t)(n * columns + 1)),
           *loss = bp__alloc(d->ctx, sizeof(double) * (size_t)(n + 1));
    staging s = {.ctx = d->ctx};
    bp_status status = p && loss ? staging_new(&s, d, NULL, BP__MIN(n + 1, EVAL_ROWS)) : bp__out_of_memory(d->ctx, 0);
    for (int64_t i = 0; i < n && status == BP_OK; i += EVAL_ROWS) {
        bp__batch b = gather(&s, set->rows + i, BP__MIN(EVAL_ROWS, n - i));
        status = bp__net_eval(net, &b, p + i * columns, loss + i);
    }
    if (status == BP_OK) status = bp__scores_compute(out, d, set->rows, n, p, loss, weight);
    staging_free(&s);
    bp__free(d->ctx, p);
    bp__free(d->ctx, loss);
    return status;
}

/* ---- One run ---- */

typedef struct loop {
    bp_run *run;
    const bp__decided *d;
    bp__net *net;
    const bp_callbacks *cb;
    staging staging;
    int64_t *order;           /* rows of this epoch */
    double *p, *loss;         /* [batch, columns], [batch]: of one step */
    double *all_p, *all_loss; /* of the epoch's rows as they were trained on */
    int64_t *seen;            /* [train rows] the rows in the order they were seen */
    int64_t n_seen;
    unsigned char *best_state;
    double best_value, train_seconds, started, last_report, last_saved, epoch_loss;
    bp__plateau plateau;
    int64_t step, epoch, n_bad, waited;
    bool higher_better, stop, interrupted, diverged;
} loop;

static bool validates(const loop *l) { return l->d->data->validation.n_rows > 0; }
static double watched(const loop *l, const bp__epoch *e) {
    const char *name = l->d->s.stop_metric, *dot = strchr(name, '.');
    return bp__scores_get(strncmp(name, "train.", 6) == 0 ? &e->train : &e->validation, dot + 1);
}

static double rate(const loop *l) {
    const bp__schedule *s = l->d->rate;
    double lr = bp__schedule_value(s, bp__schedule_per_epoch(s) ? l->epoch - 1 : l->step);
    return bp__schedule_is_plateau(s) && l->plateau.n_reports > 0 ? lr * l->plateau.factor : lr;
}

/* The predictions of the rows that a training step gave, in double: for the scores of `train` only. */
static void probabilities(const loop *l, const void *y, int64_t n, double *p) {
    const bp__net *net = l->net;
    int64_t k = net->n_outputs;
    bp__link link = bp__loss_link(&net->loss);
    for (int64_t i = 0; i < n; i++) {
        if (net->binary) {
            double v = bp__net_number(net, y, i);
            if (link == BP__LINK_SIGMOID) v = 1 / (1 + exp(-v));
            p[2 * i] = 1 - v;
            p[2 * i + 1] = v;
            continue;
        }
        double top = -HUGE_VAL, sum = 0;
        for (int64_t c = 0; c < k; c++) {
            p[i * k + c] = bp__net_number(net, y, i * k + c);
            if (link == BP__LINK_EXP) p[i * k + c] = exp(p[i * k + c]);
            if (p[i * k + c] > top) top = p[i * k + c];
        }
        for (int64_t c = 0; net->classification && c < k; c++) sum += p[i * k + c] = exp(p[i * k + c] - top);
        for (int64_t c = 0; net->classification && c < k; c++) p[i * k + c] /= sum;
    }
}

static bp_progress progress(const loop *l, const bp__epoch *e) {
    const bp__decided *d = l->d;
    double seconds = bp__now() - l->started;
    bp_progress p = {.size = sizeof p,
                     .epoch = l->epoch,
                     .epochs = d->s.epochs > 0 ? d->s.epochs : 0,
                     .step = l->step,
                     .steps_per_epoch = d->steps_per_epoch,
                     .loss = l->n_seen ? l->epoch_loss / (double)l->n_seen : (double)NAN,
                     .metric = d->data->task == BP__CLASSIFICATION ? "accuracy" : "rmse",
                     .train_metric = (double)NAN,
                     .lr = rate(l),
                     .seconds = seconds,
                     .eta = -1};
    double trained = l->run->train_seconds;
    p.samples_per_second = trained > 0 ? (double)l->run->n_samples / trained : 0;
    if (d->n_steps > 0 && l->step > 0) p.eta = seconds * (double)(d->n_steps - l->step) / (double)l->step;
    if (!e) return p;
    p.loss = e->train.loss;
    p.train_metric = bp__scores_get(&e->train, p.metric);
    p.has_validation = validates(l);
    p.validation_loss = e->validation.loss;
    p.validation_metric = bp__scores_get(&e->validation, p.metric);
    p.best = l->run->best == l->run->n_epochs - 1;
    return p;
}

static bp_status one_step(loop *l, const int64_t *rows, int64_t n) {
    double begin = bp__now(), lr = rate(l);
    bp__batch b = gather(&l->staging, rows, n);
    bp__step out;
    BP_TRY(bp__net_train(l->net, &b, lr, l->step, &out));
    l->step++;
    l->run->steps = l->step;
    int64_t k = bp__net_columns(l->net);
    probabilities(l, out.y, n, l->all_p + l->n_seen * k);
    for (int64_t i = 0; i < n; i++) {
        l->seen[l->n_seen] = rows[i];
        l->all_loss[l->n_seen++] = out.loss;
    }
    l->epoch_loss += out.loss * (double)n;
    l->run->n_samples += n;
    l->run->train_seconds += bp__now() - begin;
    if (out.committed) {
        l->n_bad = 0;
        return BP_OK;
    }
    l->run->n_skipped++;
    if (++l->n_bad == 1)
        BP_TRY(bp__event(l->run, "skipped_step", "step %lld of epoch %lld was skipped: loss %g, gradient norm %g",
                         (long long)l->step, (long long)l->epoch, out.loss, out.norm));
    if (l->n_bad >= BAD_STEPS && l->d->s.on_divergence == BP__DIVERGENCE_STOP) {
        l->diverged = l->stop = true;
        l->run->stopped_by = "divergence";
        return bp__event(l->run, "divergence", "%d steps in a row were not finite; the last good weights are kept", BAD_STEPS);
    }
    return BP_OK;
}

static bool time_is_up(const loop *l) { return l->d->s.max_time >= 0 && bp__now() - l->started >= l->d->s.max_time; }

/* Callbacks, the clock and the number of steps may end an epoch early. */
static void check_stop(loop *l) {
    const bp_callbacks *cb = l->cb;
    double now = bp__now();
    if (cb && cb->on_batch && now - l->last_report >= 0.1) {
        bp_progress p = progress(l, NULL);
        l->last_report = now;
        if (cb->on_batch(&p, cb->user)) l->interrupted = l->stop = true;
    }
    if (cb && cb->interrupted && cb->interrupted(cb->user)) l->interrupted = l->stop = true;
    if (l->interrupted) l->run->stopped_by = "signal";
    if (!l->stop && l->d->s.steps >= 0 && l->step >= l->d->s.steps) {
        l->stop = true;
        l->run->stopped_by = "steps";
    }
    if (!l->stop && time_is_up(l)) {
        l->stop = true;
        l->run->stopped_by = "time";
    }
}

static void keep_best(loop *l, bp__epoch *e) {
    const bp__settings *s = &l->d->s;
    bool watches = validates(l) || strncmp(s->stop_metric, "train.", 6) == 0;
    double v = watches ? watched(l, e) : (double)NAN;
    double gain = l->higher_better ? v - l->best_value : l->best_value - v;
    bool better = watches && (v == v) && (l->run->best < 0 || gain > s->min_delta);
    if (better) {
        l->best_value = v;
        l->run->best = l->run->n_epochs - 1;
        l->waited = 0;
        memcpy(l->best_state, l->net->state->block, l->net->state->bytes);
    } else if (watches)
        l->waited++;
    if (s->stop_early && l->waited >= s->patience && !l->stop) {
        l->stop = true;
        l->run->stopped_by = "patience";
    }
}

/* After an epoch, whole or cut short: scores, the best weights, early stopping, what the callback says. */
static bp_status end_epoch(loop *l) {
    bp_run *run = l->run;
    BP_TRY(BP__GROW(run->ctx, run->epochs, run->n_epochs, run->cap_epochs));
    bp__epoch *e = &run->epochs[run->n_epochs];
    *e = (bp__epoch){.epoch = l->epoch, .step = l->step, .lr = rate(l)};
    run->n_epochs++;
    if (l->n_seen) BP_TRY(bp__scores_compute(&e->train, l->d->data, l->seen, l->n_seen, l->all_p, l->all_loss, NULL));
    if (validates(l)) BP_TRY(bp__evaluate(&e->validation, l->net, l->d->data, &l->d->data->validation, l->d->weight));
    e->seconds = bp__now() - l->started;
    keep_best(l, e);
    if (bp__schedule_is_plateau(l->d->rate)) {
        double v = validates(l) ? e->validation.loss : e->train.loss;
        if (bp__schedule_report(l->d->rate, &l->plateau, v))
            BP_TRY(bp__event(run, "learning_rate", "epoch %lld: the loss did not improve, the rate is %g now",
                             (long long)l->epoch, rate(l)));
    }
    if (run->folder && bp__now() - l->last_saved >= 1) { /* for who looks on while it runs; at the end all is written anyway */
        l->last_saved = bp__now();
        BP_TRY(bp__folder_metrics(run->folder, run));
    }
    if (l->cb && l->cb->on_epoch) {
        bp_progress p = progress(l, e);
        if (l->cb->on_epoch(&p, l->cb->user)) {
            l->interrupted = l->stop = true;
            run->stopped_by = "signal";
        }
    }
    return BP_OK;
}

static bp_status one_epoch(loop *l) {
    const bp__decided *d = l->d;
    int64_t n = d->data->train.n_rows;
    l->epoch++;
    l->n_seen = 0;
    l->epoch_loss = 0;
    if (d->s.shuffle && d->batch < n) { /* one batch of everything needs no order */
        bp__stream stream = {.seed = d->s.seed, .stream = bp__stream_id("order"), .step = (uint32_t)l->epoch};
        bp__permutation(l->order, stream, n);
        for (int64_t i = 0; i < n; i++) l->order[i] = d->data->train.rows[l->order[i]];
    } else
        memcpy(l->order, d->data->train.rows, sizeof(int64_t) * (size_t)n);
    for (int64_t i = 0; i < n && !l->stop; i += d->batch) {
        BP_TRY(one_step(l, l->order + i, BP__MIN(d->batch, n - i)));
        if (!l->stop) check_stop(l);
    }
    return end_epoch(l);
}

static bp_status allocate(loop *l) {
    bp_context *ctx = l->run->ctx;
    int64_t n = l->d->data->train.n_rows, k = bp__net_columns(l->net);
    l->order = bp__alloc(ctx, sizeof(int64_t) * (size_t)n);
    l->seen = bp__alloc(ctx, sizeof(int64_t) * (size_t)n);
    l->all_p = bp__alloc(ctx, sizeof(double) * (size_t)(n * k));
    l->all_loss = bp__alloc(ctx, sizeof(double) * (size_t)n);
    l->best_state = bp__alloc(ctx, l->net->state->bytes);
    if (!l->order || !l->seen || !l->all_p || !l->all_loss || !l->best_state) return bp__out_of_memory(ctx, l->net->state->bytes);
    return staging_new(&l->staging, l->d->data, l->d->weight, l->d->batch);
}

static bp_status go(loop *l) {
    const bp__settings *s = &l->d->s;
    BP_TRY(allocate(l));
    for (int i = 0; i < BP__N_METRICS; i++)
        if (strcmp(bp__metric_name(i, NULL), strchr(s->stop_metric, '.') + 1) == 0)
            l->higher_better = bp__metric_higher_better(i);
    if (s->epochs == 0 || s->steps == 0) { /* initialise, save and evaluate */
        l->run->stopped_by = s->epochs == 0 ? "epochs" : "steps";
        return end_epoch(l);
    }
    while (!l->stop && (s->epochs < 0 || l->epoch < s->epochs)) BP_TRY(one_epoch(l));
    if (!l->run->stopped_by) l->run->stopped_by = "epochs";
    if (s->restore_best && l->run->best >= 0) {
        memcpy(l->net->state->block, l->best_state, l->net->state->bytes);
        return BP_OK;
    }
    l->run->best = l->run->n_epochs - 1;
    return BP_OK;
}

bp_status bp__loop(bp_run *run, const bp_callbacks *callbacks) {
    loop l = {.run = run, .d = run->d, .net = run->model->net, .cb = callbacks, .started = bp__now()};
    l.staging.ctx = run->ctx;
    run->best = -1;
    bp_status status = go(&l);
    staging_free(&l.staging);
    bp__free(run->ctx, l.order);
    bp__free(run->ctx, l.seen);
    bp__free(run->ctx, l.all_p);
    bp__free(run->ctx, l.all_loss);
    bp__free(run->ctx, l.best_state);
    BP_TRY(status);
    run->status = l.diverged ? "failed" : l.interrupted ? "interrupted" : "finished";
    if (validates(&l)) {
        BP_TRY(bp__evaluate(&run->validation, l.net, run->d->data, &run->d->data->validation, run->d->weight));
        run->has_validation = true;
    }
    if (run->d->data->test.n_rows > 0) {
        BP_TRY(bp__evaluate(&run->test, l.net, run->d->data, &run->d->data->test, run->d->weight));
        run->has_test = true;
    }
    return BP_OK;
}
