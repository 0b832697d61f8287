/* The training loop: full, stochastic and mini-batch descent are the same. Which rows make a step depends on seed and epoch
   alone. Nothing that a clock says reaches the weights, save where the user bounds the run by time. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "graph/plan.h"
#include "train/loop.h"

double bp__now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool bp__loop_best_is_good(const bp__loop *l) { return l->best_state && !l->net->average; }

bp_status bp__loop_keep_good(bp__loop *l) {
    bp_context *ctx = l->run->ctx;
    if (bp__loop_best_is_good(l)) {
        bp__free(ctx, l->good_state);
        l->good_state = NULL;
        return BP_OK;
    }
    if (!l->good_state && !(l->good_state = bp__alloc(ctx, l->net->state->bytes + 1)))
        return bp__out_of_memory(ctx, l->net->state->bytes);
    memcpy(l->good_state, l->net->state->block, l->net->state->bytes);
    l->good = l->run->n_epochs - 1;
    return BP_OK;
}

double bp__loop_seconds(const bp__loop *l) { return l->before + bp__now() - l->started; }

void bp__loop_stop(bp__loop *l, const char *why) {
    l->stop = true;
    l->run->stopped_by = why;
}

static bool validates(const bp__loop *l) { return l->d->data->validation.n_rows > 0; }
static double watched(const bp__loop *l, const bp__epoch *e) {
    const char *name = l->d->s.stop_metric, *dot = strchr(name, '.');
    return bp__scores_get(strncmp(name, "train.", 6) == 0 ? &e->train : &e->validation, dot + 1);
}

double bp__loop_rate(const bp__loop *l) {
    const bp__schedule *s = l->d->rate;
    int64_t epoch = BP__MAX(l->epoch - 1, 0);
    double lr = bp__schedule_value(s, bp__schedule_per_epoch(s) ? epoch : l->step) * l->health.lr_factor;
    return bp__schedule_is_plateau(s) && l->plateau.n_reports > 0 ? lr * l->plateau.factor : lr;
}

static bp_progress progress(const bp__loop *l, const bp__epoch *e) {
    const bp__decided *d = l->d;
    double seconds = bp__loop_seconds(l);
    bp_progress p = {.size = sizeof p,
                     .epoch = l->epoch,
                     .epochs = d->s.epochs > 0 ? d->s.epochs : 0,
                     .step = l->step,
                     .steps_per_epoch = d->steps_per_epoch,
                     .loss = l->n_seen ? l->epoch_loss / (double)l->n_seen : (double)NAN,
                     .metric = bp__metrics_headline(&d->s.metrics, d->data->task),
                     .train_metric = (double)NAN,
                     .lr = bp__loop_rate(l),
                     .seconds = seconds,
                     .eta = -1};
    double trained = l->run->train_seconds;
    p.samples_per_second = trained > 0 ? (double)l->run->n_samples / trained : 0;
    if (d->n_steps > 0 && l->step > 0) p.eta = seconds * (double)(d->n_steps - l->step) / (double)l->step;
    if (!e) return p;
    p.loss = e->train.n ? e->train.loss : (double)NAN;
    p.train_metric = bp__scores_get(&e->train, p.metric);
    p.has_validation = validates(l);
    p.validation_loss = e->validation.loss;
    p.validation_metric = bp__scores_get(&e->validation, p.metric);
    p.best = l->run->best == l->run->n_epochs - 1;
    return p;
}

/* ---- When to stop ---- */

/* Steps, time, a finished early stopping: also before the first step of a run that goes on. */
static void check_bounds(bp__loop *l) {
    const bp__settings *s = &l->d->s;
    if (l->stop) return;
    if (s->stop_early && l->waited >= s->patience) bp__loop_stop(l, "patience");
    if (s->has_target && l->run->best >= 0 && (l->higher_better ? l->best_value >= s->target : l->best_value <= s->target))
        bp__loop_stop(l, "target");
    if (s->steps >= 0 && l->step >= s->steps) bp__loop_stop(l, "steps");
    if (s->max_time >= 0 && l->step > 0 && bp__loop_seconds(l) >= s->max_time) bp__loop_stop(l, "time");
    if (!l->in_epoch && bp__overfit_done(l->run)) bp__loop_stop(l, "target");
    if (!l->in_epoch && s->epochs >= 0 && l->epoch >= s->epochs) bp__loop_stop(l, "epochs");
    if (l->converged) bp__loop_stop(l, "converged");
}

static void interrupt(bp__loop *l) {
    l->interrupted = true;
    bp__loop_stop(l, "signal");
}

/* Callbacks and bounds may end an epoch early. */
static void after_step(bp__loop *l) {
    const bp_callbacks *cb = l->cb;
    double now = bp__now();
    if (cb && cb->on_batch && now - l->last_report >= 0.1) {
        bp_progress p = progress(l, NULL);
        l->last_report = now;
        if (cb->on_batch(&p, cb->user)) interrupt(l);
    }
    if (cb && cb->interrupted && cb->interrupted(cb->user)) interrupt(l);
    check_bounds(l);
}

static bp_status save_when_due(bp__loop *l) {
    const bp__settings *s = &l->d->s;
    bool due = s->checkpoint_steps > 0 && l->step - l->last_checkpoint_step >= s->checkpoint_steps;
    due |= s->checkpoint_seconds >= 0 && bp__now() - l->last_checkpoint >= s->checkpoint_seconds;
    return due && l->run->folder ? bp__checkpoint_write(l) : BP_OK;
}

/* ---- Epochs ---- */

/* Of the trained weights or of their average, whichever the validation set likes more. */
static double better_of(const bp__loop *l, bp__epoch *e) {
    double v = watched(l, e), average = (double)NAN;
    if (e->average.n) {
        bp__epoch other = *e;
        other.validation = e->average;
        average = watched(l, &other);
    }
    e->by_average = isfinite(average) && !(l->higher_better ? v >= average : v <= average);
    return e->by_average ? average : v;
}

static bp_status keep_best(bp__loop *l, bp__epoch *e) {
    const bp__settings *s = &l->d->s;
    bool watches = validates(l) || strncmp(s->stop_metric, "train.", 6) == 0;
    double v = watches ? better_of(l, e) : (double)NAN;
    double gain = l->higher_better ? v - l->best_value : l->best_value - v;
    double over_baseline = l->higher_better ? v - s->baseline : s->baseline - v;
    bool better = watches && isfinite(v) && (l->run->best < 0 || gain > s->min_delta);
    if (better) {
        l->best_value = v;
        l->run->best = l->run->n_epochs - 1;
        bool average = e->by_average || l->net->average_always;
        if (!l->best_state && !(l->best_state = bp__alloc(l->run->ctx, l->net->state->bytes + 1)))
            return bp__out_of_memory(l->run->ctx, l->net->state->bytes);
        if (average) BP_TRY(bp__net_use_average(l->net));
        memcpy(l->best_state, l->net->state->block, l->net->state->bytes);
        if (average) bp__net_use_trained(l->net);
    }
    if (better && !(s->has_baseline && !(over_baseline > 0)))
        l->waited = 0;
    else if (watches)
        l->waited++;
    return BP_OK;
}

/* The validation set, by the weights and by their average. */
static bp_status judge(bp__loop *l, bp__epoch *e) {
    const bp__dataset *data = l->d->data;
    if (!validates(l)) return BP_OK;
    if (!l->net->average_always)
        BP_TRY(bp__evaluate(&e->validation, &l->d->s.metrics, l->net, data, &data->validation, l->d->weight));
    if (!l->net->average) return BP_OK;
    BP_TRY(bp__net_use_average(l->net));
    bp_status status = bp__evaluate(l->net->average_always ? &e->validation : &e->average, &l->d->s.metrics, l->net, data,
                                    &data->validation, l->d->weight);
    bp__net_use_trained(l->net);
    return status;
}

/* An epoch that left the road, though every number may be finite, is no candidate for the best. */
static bp_status check_epoch(bp__loop *l, const bp__epoch *e, bool *good) {
    bool trained = e->train.n > 0, exploded = trained && bp__health_far(&l->health, e->train.loss);
    bool nothing = l->done > 0 && !trained && l->health.last_rollback < l->step - l->d->steps_per_epoch;
    bool judged = e->validation.n > e->validation.n_unknown;
    bool blind = judged && (!isfinite(e->validation.loss) || bp__health_far(&l->health, e->validation.loss));
    *good = !exploded && !nothing && !blind;
    if (*good && l->health.n_bad + l->health.n_far == 0) l->health.trouble = (bp__trouble){0}; /* it has passed */
    if (*good) { return trained && l->health.n_bad == 0 && l->health.n_far == 0 ? bp__loop_keep_good(l) : BP_OK; }
    char why[200];
    if (nothing)
        snprintf(why, sizeof why, "no step of epoch %lld had a finite loss and gradient", (long long)l->epoch);
    else if (blind && !isfinite(e->validation.loss))
        snprintf(why, sizeof why, "the validation loss of epoch %lld is not finite", (long long)l->epoch);
    else if (blind)
        snprintf(why, sizeof why, "the validation loss of epoch %lld is %.4g, after %.4g at the first step", (long long)l->epoch,
                 e->validation.loss, l->health.first_loss);
    else
        snprintf(why, sizeof why, "the loss of epoch %lld is %.4g, after %.4g at the first step", (long long)l->epoch,
                 e->train.loss, l->health.first_loss);
    if (!nothing && l->health.last_rollback > l->step - l->d->steps_per_epoch) return BP_OK; /* mended since */
    return bp__loop_diverged(l, why, NULL, 0);
}

/* After an epoch, whole or cut short: scores, the best weights, what the callback says. */
static bp_status end_epoch(bp__loop *l) {
    bp_run *run = l->run;
    BP_TRY(BP__GROW(run->ctx, run->epochs, run->n_epochs, run->cap_epochs));
    bp__epoch *e = &run->epochs[run->n_epochs];
    *e = (bp__epoch){.epoch = l->epoch, .step = l->step, .lr = bp__loop_rate(l)};
    run->n_epochs++;
    if (l->n_seen)
        BP_TRY(bp__scores_compute(&e->train, &l->d->s.metrics, l->d->data, l->seen, l->n_seen, l->all_p, l->all_loss, NULL));
    BP_TRY(judge(l, e));
    e->seconds = bp__loop_seconds(l);
    bool good;
    BP_TRY(check_epoch(l, e, &good));
    if (good || l->d->s.on_divergence == BP__DIVERGENCE_CONTINUE) BP_TRY(keep_best(l, e));
    if (good && bp__loop_best_is_good(l)) BP_TRY(bp__loop_keep_good(l));
    if (bp__schedule_is_plateau(l->d->rate)) {
        double v = validates(l) ? e->validation.loss : e->train.loss;
        if (bp__schedule_report(l->d->rate, &l->plateau, v))
            BP_TRY(bp__event(run, "learning_rate", "epoch %lld: the loss did not improve, the rate is %g now",
                             (long long)l->epoch, bp__loop_rate(l)));
    }
    if (run->folder && bp__now() - l->last_saved >= 1) { /* for who looks on while it runs; at the end all is written anyway */
        l->last_saved = bp__now();
        BP_TRY(bp__folder_metrics(run->folder, run));
    }
    if (l->cb && l->cb->on_epoch) {
        bp_progress p = progress(l, e);
        if (l->cb->on_epoch(&p, l->cb->user)) interrupt(l);
    }
    return BP_OK;
}

/* The rows of a pass and their order depend on the seed and the pass's number alone. An epoch is one pass, unless steps_per_epoch
   evaluates after other numbers of steps: then passes go on where epochs end. */
static bp_status order_rows(bp__loop *l) {
    const bp__decided *d = l->d;
    int64_t n = d->pass_rows;
    if (l->pass == 0 || l->position >= n) {
        l->pass++;
        l->position = 0;
    }
    if (l->ordered == l->pass) return BP_OK;
    l->ordered = l->pass;
    bool shuffle = d->s.shuffle && d->step_rows < n; /* one step of everything needs no order */
    return bp__order_rows(l->order, d->data, d->s.sampling, shuffle, d->s.seed, l->pass);
}

/* Also where there is no room for the rows of one more step: a run that goes on with another batch size is within another epoch.
 */
static bool epoch_over(const bp__loop *l) {
    int64_t n = l->d->pass_rows, rows = BP__MIN(l->d->step_rows, l->position < n ? n - l->position : n);
    if (l->n_seen + rows > l->cap_seen) return true;
    return l->d->s.steps_per_epoch ? l->done >= l->d->steps_per_epoch : l->done > 0 && l->position >= n;
}

static bp_status one_epoch(bp__loop *l) {
    const bp__decided *d = l->d;
    int64_t n = d->pass_rows;
    if (!l->in_epoch) { /* else a checkpoint goes on within it */
        l->epoch++;
        l->done = l->n_seen = 0;
        l->epoch_loss = 0;
        l->in_epoch = true;
    }
    while (!epoch_over(l) && !l->stop) {
        BP_TRY(order_rows(l));
        BP_TRY(bp__loop_step(l, BP__MIN(d->step_rows, n - l->position)));
        l->done++;
        after_step(l);
        if (!l->stop && !epoch_over(l)) BP_TRY(save_when_due(l));
    }
    bool whole = epoch_over(l);
    if (!whole && l->run->folder) BP_TRY(bp__checkpoint_write(l)); /* before a row for half an epoch: a longer run has none */
    if (!whole && l->interrupted) return BP_OK;
    l->in_epoch = false;
    BP_TRY(end_epoch(l));
    check_bounds(l);
    return whole ? save_when_due(l) : BP_OK;
}

/* ---- The run ---- */

static bp_status allocate(bp__loop *l) {
    bp_context *ctx = l->run->ctx;
    int64_t n = l->d->pass_rows, k = bp__net_columns(l->net), per_pass = (n + l->d->step_rows - 1) / l->d->step_rows;
    int64_t passes = l->d->steps_per_epoch / per_pass + 2; /* that an epoch can touch */
    if (l->d->steps_per_epoch <= per_pass) passes = 1;     /* never more rows than one pass has */
    if (n > (int64_t)(PTRDIFF_MAX / 16) / passes / k)
        return bp__fail(ctx, BP_MEMORY, "an epoch of %lld steps has too many rows", (long long)l->d->steps_per_epoch);
    l->cap_seen = n * passes;
    l->order = bp__alloc(ctx, sizeof(int64_t) * (size_t)n);
    l->seen = bp__alloc(ctx, sizeof(int64_t) * (size_t)l->cap_seen);
    l->all_p = bp__alloc(ctx, sizeof(double) * (size_t)(l->cap_seen * k));
    l->all_loss = bp__alloc(ctx, sizeof(double) * (size_t)l->cap_seen);
    if (!l->order || !l->seen || !l->all_p || !l->all_loss) return bp__out_of_memory(ctx, l->net->state->bytes);
    return bp__staging_new(&l->staging, l->d->data, l->d->weight, l->d->batch);
}

/* What a new training does with its first rows: initialisers that look at the data; then averages start. */
static bp_status begin(bp__loop *l) {
    enum { FIRST_ROWS = 1024 };
    const bp__dataset *data = l->d->data;
    if (!l->run->from && bp__nn_needs_data(l->net->nn)) {
        int64_t n = BP__MIN(data->train.n_rows, FIRST_ROWS);
        bp__staging first;
        bp_status status = bp__staging_new(&first, data, NULL, n);
        if (status == BP_OK) {
            bp__batch b = bp__gather(&first, data->train.rows, n);
            status = bp__init_from_data(l->net, &b);
        }
        bp__staging_free(&first);
        BP_TRY(status);
    }
    BP_TRY(bp__net_start_average(l->net));
    return bp__loop_keep_good(l);
}

static bp_status go(bp__loop *l) {
    const bp__settings *s = &l->d->s;
    BP_TRY(allocate(l));
    bp__health_start(&l->health);
    l->higher_better = s->stop_higher_better;
    if (l->run->resume)
        BP_TRY(bp__checkpoint_read(l, l->run->resume));
    else
        BP_TRY(begin(l));
    if (!l->run->resume && l->run->folder) BP_TRY(bp__checkpoint_write(l)); /* number 0: a run killed at once can go on too */
    BP_TRY(bp__record_make(l->run));                                        /* "running" */
    if (l->run->folder) BP_TRY(bp__folder_save(l->run->folder, l->run, false));
    if (l->run->stopped_by) interrupt(l);                    /* the start's callback said no */
    if ((s->epochs == 0 || s->steps == 0) && l->step == 0) { /* initialise, save and evaluate */
        if (!l->run->stopped_by) l->run->stopped_by = s->epochs == 0 ? "epochs" : "steps";
        l->stop = true;
        if (l->run->n_epochs == 0) BP_TRY(end_epoch(l));
    }
    check_bounds(l);
    if (l->stop && l->in_epoch && !l->interrupted) BP_TRY(one_epoch(l)); /* stopped within an epoch: its row again */
    while (!l->stop) BP_TRY(one_epoch(l));
    if (l->health.n_bad > 0 && !l->interrupted) /* the last steps went wrong: there is no time to see more of them */
        BP_TRY(bp__loop_diverged(l, "the run ended with steps that were skipped", NULL, 0));
    if (l->run->folder && epoch_over(l)) /* within an epoch it is written already */
        BP_TRY(bp__checkpoint_write(l)); /* before the best comes back: a longer run goes on here */
    if (s->restore_best && l->best_state) {
        memcpy(l->net->state->block, l->best_state, l->net->state->bytes);
        l->run->by_average = l->run->epochs[l->run->best].by_average || l->net->average_always;
        return BP_OK;
    }
    if (l->net->average && l->step > 0) { /* nothing judges them: who asks for an average wants it */
        BP_TRY(bp__net_use_average(l->net));
        l->run->by_average = true;
    }
    if (l->diverged || l->health.last_rollback == l->step)
        l->run->best = l->good;
    else if (!l->interrupted || l->run->best < 0)
        l->run->best = l->run->n_epochs - 1;
    return BP_OK;
}

static bp_status final_scores(bp__loop *l) {
    bp_run *run = l->run;
    if (validates(l)) {
        BP_TRY(
            bp__evaluate(&run->validation, &run->d->s.metrics, l->net, run->d->data, &run->d->data->validation, run->d->weight));
        run->has_validation = true;
    }
    if (run->d->data->test.n_rows > 0) {
        BP_TRY(bp__evaluate(&run->test, &run->d->s.metrics, l->net, run->d->data, &run->d->data->test, run->d->weight));
        run->has_test = true;
    }
    return BP_OK;
}

bp_status bp__loop_run(bp_run *run, const bp_callbacks *callbacks) {
    bp__loop l = {.run = run, .d = run->d, .net = run->model->net, .cb = callbacks, .started = bp__now()};
    l.last_checkpoint = l.last_saved = l.started;
    l.staging.ctx = run->ctx;
    run->best = l.good = -1;
    bp_status status = go(&l);
    if (status == BP_OK) status = final_scores(&l);
    run->before_seconds = l.before;
    bp__staging_free(&l.staging);
    void *blocks[] = {l.order, l.seen, l.all_p, l.all_loss, l.best_state, l.good_state};
    for (int i = 0; i < 6; i++) bp__free(run->ctx, blocks[i]);
    bool failed = l.diverged || (run->d->s.overfit && !l.interrupted && !bp__overfit_done(run));
    run->status = failed ? "failed" : l.interrupted ? "interrupted" : "finished";
    return status;
}
