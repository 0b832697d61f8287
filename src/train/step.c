/* Batches, evaluation, and one step. */
#include <math.h>
#include <string.h>

#include "core/math64.h"
#include "graph/plan.h"
#include "train/loop.h"

enum { EVAL_ROWS = 256, GOOD_STEPS = 1000 }; /* a good state is kept at least so often, for rollbacks */

/* ---- Batches ---- */

bp_status bp__staging_new(bp__staging *s, const bp__dataset *d, const float *row_weight, int64_t rows) {
    *s = (bp__staging){.ctx = d->ctx, .d = d, .row_weight = row_weight};
    s->x_bytes = bp_dtype_size(d->x_dtype) * (size_t)d->sample_size;
    s->y_bytes = bp_dtype_size(d->y_dtype) * (size_t)d->n_targets;
    s->x = bp__alloc(s->ctx, s->x_bytes * (size_t)rows);
    if (d->label) s->label = bp__alloc(s->ctx, sizeof(int64_t) * (size_t)rows);
    if (!d->label) s->y = bp__alloc(s->ctx, s->y_bytes * (size_t)rows);
    if (row_weight) s->weight = bp__alloc(s->ctx, sizeof(float) * (size_t)rows);
    bool good = s->x && (s->label || s->y) && (s->weight || !row_weight);
    return good ? BP_OK : bp__out_of_memory(s->ctx, s->x_bytes * (size_t)rows);
}
void bp__staging_free(bp__staging *s) {
    bp__free(s->ctx, s->x);
    bp__free(s->ctx, s->y);
    bp__free(s->ctx, s->label);
    bp__free(s->ctx, s->weight);
}
bp__batch bp__gather(bp__staging *s, const int64_t *rows, int64_t n) {
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

bp_status bp__evaluate(bp__scores *out, const bp__metrics *m, bp__net *net, const bp__dataset *d, const bp__set *set,
                       const float *weight) {
    *out = (bp__scores){0};
    int64_t n = set->n_rows, columns = bp__net_columns(net);
    double *p = bp__alloc(d->ctx, sizeof(double) * (size_t)(n * columns + 1)),
           *loss = bp__alloc(d->ctx, sizeof(double) * (size_t)(n + 1));
    bp__staging s = {.ctx = d->ctx};
    bp_status status = p && loss ? bp__staging_new(&s, d, NULL, BP__MIN(n + 1, EVAL_ROWS)) : bp__out_of_memory(d->ctx, 0);
    for (int64_t i = 0; i < n && status == BP_OK; i += EVAL_ROWS) {
        bp__batch b = bp__gather(&s, set->rows + i, BP__MIN(EVAL_ROWS, n - i));
        status = bp__net_eval(net, &b, p + i * columns, loss + i);
    }
    if (status == BP_OK) status = bp__scores_compute(out, m, d, set->rows, n, p, loss, weight);
    bp__staging_free(&s);
    bp__free(d->ctx, p);
    bp__free(d->ctx, loss);
    return status;
}

/* ---- One step ---- */

/* What the step's losses are divided by: known before any shard of it. */
static double normalizer(const bp__loop *l, const int64_t *rows, int64_t n) {
    const bp__dataset *data = l->d->data;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (l->d->weight)
            sum += (double)l->d->weight[rows[i]];
        else
            sum += !data->label || data->label[rows[i]] >= 0;
    }
    return sum;
}

/* The predictions of the rows that a training step gave, in double: for the scores of `train` only. */
static void probabilities(const bp__loop *l, const void *y, int64_t n, double *p) {
    const bp__net *net = l->net;
    int64_t k = net->n_outputs;
    bp__link link = bp__loss_link(&net->loss);
    for (int64_t i = 0; i < n; i++) {
        if (net->binary) {
            double v = bp__net_number(net, y, i);
            if (link == BP__LINK_SIGMOID) v = 1 / (1 + bp__exp64(-v));
            p[2 * i] = 1 - v;
            p[2 * i + 1] = v;
            continue;
        }
        double top = -HUGE_VAL, sum = 0;
        for (int64_t c = 0; c < k; c++) {
            p[i * k + c] = bp__net_number(net, y, i * k + c);
            if (link == BP__LINK_EXP) p[i * k + c] = bp__exp64(p[i * k + c]);
            if (p[i * k + c] > top) top = p[i * k + c];
        }
        for (int64_t c = 0; net->classification && c < k; c++) sum += p[i * k + c] = bp__exp64(p[i * k + c] - top);
        for (int64_t c = 0; net->classification && c < k; c++) p[i * k + c] /= sum;
    }
}

/* A schedule's tick: its epoch or the step. */
static int64_t tick(const bp__loop *l, const bp__schedule *s) {
    return bp__schedule_per_epoch(s) ? BP__MAX(l->epoch - 1, 0) : l->step;
}

static bp__numbers numbers_of(const bp__loop *l) {
    const bp__decided *d = l->d;
    bp__numbers n = l->net->standard;
    n.lr = bp__loop_rate(l);
    n.norm_limit = bp__health_limit(&l->health, d->s.outlier_z);
    double momentum = bp__schedule_momentum(d->rate, tick(l, d->rate));
    if (momentum == momentum) n.momentum = momentum;
    double *const moved[BP__N_MOVING] = {&n.momentum, &n.weight_decay, &n.dropout};
    for (int i = 0; i < BP__N_MOVING; i++)
        if (d->moving[i]) *moved[i] = bp__schedule_value(d->moving[i], tick(l, d->moving[i]));
    if (d->average.kind >= 0) n.average = bp__average_weight(&d->average, l->step);
    return n;
}

bp_status bp__loop_shards(bp__loop *l, const int64_t *rows, int64_t n, double *p) {
    int64_t k = bp__net_columns(l->net);
    for (int64_t at = 0; at < n; at += l->d->batch) {
        bp__batch b = bp__gather(&l->staging, rows + at, BP__MIN(l->d->batch, n - at));
        const void *y;
        BP_TRY(bp__net_shard(l->net, &b, at, &y));
        if (p) probabilities(l, y, b.n, p + at * k);
    }
    return BP_OK;
}

bp_status bp__loop_step(bp__loop *l, int64_t n) {
    double begin = bp__now();
    const int64_t *rows = l->order + l->position;
    int64_t first = l->n_seen;
    double *p = l->all_p + first * bp__net_columns(l->net);
    bp__step out = {0};
    bp__numbers numbers = numbers_of(l);
    numbers.rows = (double)n;
    numbers.normalizer = normalizer(l, rows, n);
    if (l->net->solver)
        BP_TRY(bp__solve_step(l, &numbers, rows, n, p, &out));
    else {
        bp__net_begin(l->net, l->step, &numbers);
        BP_TRY(bp__loop_shards(l, rows, n, p));
        BP_TRY(bp__net_end(l->net, &out));
    }
    l->step++;
    l->run->steps = l->step;
    l->run->n_samples += n;
    l->run->train_seconds += bp__now() - begin;
    if (out.committed) {
        l->converged = out.converged;
        memcpy(l->seen + first, rows, sizeof(int64_t) * (size_t)n);
        for (int64_t i = first; i < first + n; i++) l->all_loss[i] = out.loss;
        l->n_seen += n;
        l->epoch_loss += out.loss * (double)n;
        BP_TRY(bp__health_note(l, rows, n, &out));
        if (l->step % GOOD_STEPS == 0 && l->health.n_far == 0) BP_TRY(bp__loop_keep_good(l));
    } else
        BP_TRY(bp__health_skipped(l, rows, n, &out));
    l->position += n;
    return BP_OK;
}
