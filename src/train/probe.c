/* Trials on a network that is thrown away: one step of a training (train --dry-run), and the choice of train.batch_size: auto. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "train/loop.h"

/* ---- One step ---- */

static bp_status one_step(bp__net *net, const bp__decided *d, bp__staging *staging, const int64_t *rows, int64_t n, double lr,
                          int64_t step, bp__step *out) {
    double normalizer = 0;
    for (int64_t i = 0; i < n; i++)
        normalizer += d->weight ? (double)d->weight[rows[i]] : !d->data->label || d->data->label[rows[i]] >= 0;
    bp__numbers numbers = net->standard;
    numbers.lr = lr;
    numbers.rows = (double)n;
    numbers.normalizer = normalizer;
    bp__net_begin(net, step, &numbers);
    for (int64_t at = 0; at < n; at += d->batch) {
        bp__batch b = bp__gather(staging, rows + at, BP__MIN(d->batch, n - at));
        const void *y;
        BP_TRY(bp__net_shard(net, &b, at, &y));
    }
    return bp__net_end(net, out);
}

/* The first step that the training would make, then three more for the time of one: the first also finds places for its values.
 */
bp_status bp__trial(bp_trial *out, const bp__decided *d, bp__net *net) {
    enum { STEPS = 4 };
    bp_context *ctx = d->ctx;
    int64_t n = d->pass_rows, take = d->step_rows;
    int64_t *order = bp__alloc(ctx, sizeof(int64_t) * (size_t)n);
    bp__staging staging = {.ctx = ctx};
    bp_status status = order ? bp__staging_new(&staging, d->data, d->weight, d->batch) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK) status = bp__order_rows(order, d->data, d->s.sampling, d->s.shuffle && take < n, d->s.seed, 1);
    out->seconds = HUGE_VAL;
    for (int64_t i = 0; i < STEPS && status == BP_OK; i++) {
        bp__step step;
        double begin = bp__now();
        status = one_step(net, d, &staging, order, take, bp__schedule_value(d->rate, 0), i, &step);
        if (i > 0) out->seconds = fmin(out->seconds, bp__now() - begin);
        if (i > 0 || status != BP_OK) continue;
        out->loss = step.loss;
        out->gradient_norm = step.norm;
        out->updated = step.committed;
    }
    out->rows = take;
    out->parameters = net->n_parameters;
    out->arena_bytes = (int64_t)net->train_session->arena_bytes;
    if (net->update_session) out->arena_bytes += (int64_t)net->update_session->arena_bytes;
    out->state_bytes = (int64_t)net->state->bytes;
    bp__staging_free(&staging);
    bp__free(ctx, order);
    return status;
}

/* ---- batch_size: auto ---- */

enum { FIRST = 16, LAST = 4096, SIZES = 9, WARM_STEPS = 50, WARM_ROWS = 32, SMALL_BATCHES = 32, LARGE_BATCHES = 8, TIMED = 5 };

typedef struct probe {
    bp__decided *d;
    bp__net *net;
    bp__staging staging;
    int64_t *order, at; /* rows in a random order, taken in a circle */
    int64_t sizes[SIZES], n_sizes;
    double seconds[SIZES]; /* of a step */
    double noise_scale;    /* rows; infinite: the mean gradient is lost in the noise */
} probe;

static bp_status step_of(probe *p, int64_t rows, double lr, bp__step *out) {
    int64_t n = p->d->pass_rows;
    if (p->at + rows > n) p->at = 0;
    bp__batch b = bp__gather(&p->staging, p->order + p->at, rows);
    p->at += rows;
    return bp__net_train(p->net, &b, lr, 0, out);
}

/* Sizes grow until memory ends: what does not fit is no candidate. */
static bp_status time_sizes(probe *p, int64_t largest) {
    for (int64_t size = FIRST; size <= largest && p->n_sizes < SIZES; size *= 2) {
        double best = HUGE_VAL;
        bp_status status = BP_OK;
        for (int i = 0; i <= TIMED && status == BP_OK; i++) {
            bp__step step;
            double begin = bp__now();
            status = step_of(p, size, 0, &step);
            if (i > 0) best = fmin(best, bp__now() - begin);
        }
        if (status == BP_MEMORY && p->n_sizes > 0) {
            bp_context_clear_error(p->d->ctx);
            return BP_OK;
        }
        BP_TRY(status);
        p->sizes[p->n_sizes] = size;
        p->seconds[p->n_sizes++] = fmax(best, 1e-9);
    }
    return BP_OK;
}

static bp_status mean_square(probe *p, int64_t rows, int batches, double *out) {
    int n = 0;
    *out = 0;
    for (int i = 0; i < batches; i++) {
        bp__step step;
        BP_TRY(step_of(p, rows, 0, &step));
        if (!isfinite(step.norm)) continue;
        *out += step.norm * step.norm;
        n++;
    }
    *out = n ? *out / n : (double)NAN;
    return BP_OK;
}

/* The simple noise scale tr(S) / |G|^2 from the squared norms of small and of large batches' gradients: McCandlish, Kaplan,
   Amodei, "An empirical model of large-batch training", 2018, appendix A.1. */
static bp_status measure_noise(probe *p) {
    double small = (double)p->sizes[0], large = (double)p->sizes[p->n_sizes - 1], of_small, of_large;
    BP_TRY(mean_square(p, p->sizes[0], SMALL_BATCHES, &of_small));
    BP_TRY(mean_square(p, p->sizes[p->n_sizes - 1], LARGE_BATCHES, &of_large));
    double signal = (large * of_large - small * of_small) / (large - small);
    double noise = (of_small - of_large) / (1 / small - 1 / large);
    if (!isfinite(signal) || !isfinite(noise)) return BP_OK; /* it stays infinite: speed alone decides */
    if (noise <= 0)
        p->noise_scale = 0;
    else if (signal > 0)
        p->noise_scale = noise / signal;
    return BP_OK;
}

/* A training to the same loss takes steps as 1 + noise scale / batch (the paper's equation 2.11), so this is its time. */
static double time_of(const probe *p, int64_t k) {
    if (isinf(p->noise_scale)) return p->seconds[k] / (double)p->sizes[k];
    return p->seconds[k] * (1 + p->noise_scale / (double)p->sizes[k]);
}

static bp_status run(probe *p, int64_t largest) {
    bp__decided *d = p->d;
    int64_t n = d->pass_rows, warm = BP__MIN(WARM_ROWS, n);
    p->order = bp__alloc(d->ctx, sizeof(int64_t) * (size_t)n);
    if (!p->order) return bp__out_of_memory(d->ctx, sizeof(int64_t) * (size_t)n);
    BP_TRY(bp__order_rows(p->order, d->data, d->s.sampling, true, d->s.seed, 0)); /* pass 0: that of no training */
    BP_TRY(bp__decided_net(&p->net, d, d->s.dtype, true));
    BP_TRY(bp__staging_new(&p->staging, d->data, d->weight, BP__MAX(largest, warm)));
    for (int i = 0; i < WARM_STEPS; i++) { /* the very first gradients are unlike those of the training */
        bp__step step;
        BP_TRY(step_of(p, warm, d->s.lr, &step));
    }
    BP_TRY(time_sizes(p, largest));
    return p->n_sizes > 1 ? measure_noise(p) : BP_OK;
}

bp_status bp__probe_batch(bp__decided *d, char why[400]) {
    int64_t largest = BP__MIN(d->pass_rows / 4, LAST), best = 0;
    d->s.batch_auto = false;
    d->s.batch_size = BP__MIN(32, d->pass_rows);
    snprintf(why, 400, "auto: %lld training rows are too few to try sizes", (long long)d->pass_rows);
    if (largest < 2 * FIRST) return BP_OK;
    probe p = {.d = d, .noise_scale = HUGE_VAL, .staging = {.ctx = d->ctx}};
    bp_status status = run(&p, largest);
    bp__staging_free(&p.staging);
    bp__net_free(p.net);
    bp__free(d->ctx, p.order);
    BP_TRY(status);
    for (int64_t k = 1; k < p.n_sizes; k++)
        if (time_of(&p, k) < 0.95 * time_of(&p, best)) best = k; /* the smaller one where they are nearly equal */
    d->s.batch_size = p.sizes[best];
    int64_t last = p.n_sizes - 1;
    snprintf(
        why, 400,
        "auto: the gradient's noise scale is %.3g rows; a step takes %.3g ms with %lld rows, %.3g ms with %lld, %.3g ms with "
        "%lld; so %lld rows make the same progress in the least time",
        p.noise_scale, 1e3 * p.seconds[0], (long long)p.sizes[0], 1e3 * p.seconds[best], (long long)p.sizes[best],
        1e3 * p.seconds[last], (long long)p.sizes[last], (long long)p.sizes[best]);
    return BP_OK;
}
