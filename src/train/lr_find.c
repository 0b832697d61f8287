/* The range test: a training of its own, with a rate that grows by the same factor each step. L. N. Smith, "Cyclical learning
   rates for training neural networks", 2017; the smoothing, the end and the suggestions as fastai 2's lr_find has them. */
#include <math.h>
#include <string.h>

#include "core/math64.h"
#include "train/train.h"

enum { MOST = 1000000 };

typedef struct test {
    bp_context *ctx;
    const bp__decided *d;
    bp__net *net;
    int64_t *order; /* the rows of a pass, as the training loop has them */
    unsigned char *x, *y;
    int64_t *label;
    float *weight;
} test;

static bp_status allocate(test *t) {
    const bp__dataset *d = t->d->data;
    size_t batch = (size_t)t->d->batch;
    t->order = bp__alloc(t->ctx, sizeof(int64_t) * (size_t)t->d->pass_rows);
    t->x = bp__alloc(t->ctx, bp_dtype_size(d->x_dtype) * (size_t)d->sample_size * batch);
    t->y = bp__alloc(t->ctx, bp_dtype_size(d->y_dtype) * (size_t)d->n_targets * batch);
    t->label = bp__alloc(t->ctx, sizeof(int64_t) * batch);
    t->weight = bp__alloc(t->ctx, sizeof(float) * batch);
    return t->order && t->x && t->y && t->label && t->weight ? BP_OK : bp__out_of_memory(t->ctx, 0);
}

static void release(test *t) {
    bp__free(t->ctx, t->order);
    bp__free(t->ctx, t->x);
    bp__free(t->ctx, t->y);
    bp__free(t->ctx, t->label);
    bp__free(t->ctx, t->weight);
    bp__net_free(t->net);
}

/* The same order as in a training with this seed. */
static bp_status order(test *t, int64_t pass) {
    const bp__decided *d = t->d;
    return bp__order_rows(t->order, d->data, d->s.sampling, d->s.shuffle && d->batch < d->pass_rows, d->s.seed, pass);
}

static bp__batch gather(test *t, const int64_t *rows, int64_t n) {
    const bp__dataset *d = t->d->data;
    size_t x = bp_dtype_size(d->x_dtype) * (size_t)d->sample_size, y = bp_dtype_size(d->y_dtype) * (size_t)d->n_targets;
    for (int64_t i = 0; i < n; i++) {
        size_t r = (size_t)rows[i];
        memcpy(t->x + (size_t)i * x, (const unsigned char *)d->x + r * x, x);
        if (d->label)
            t->label[i] = d->label[r];
        else
            memcpy(t->y + (size_t)i * y, (const unsigned char *)d->y + r * y, y);
        if (t->d->weight) t->weight[i] = t->d->weight[r];
    }
    return (bp__batch){.n = n,
                       .x = t->x,
                       .label = d->label ? t->label : NULL,
                       .y = d->label ? NULL : t->y,
                       .weight = t->d->weight ? t->weight : NULL};
}

/* fastai: an exponential mean with factor 0.98, freed from its start at 0. */
static bp_status run(test *t, bp_lr_range *out, double first, double last, int64_t steps, const bp_callbacks *cb) {
    int64_t n = t->d->pass_rows, at = n, pass = 0;
    double mean = 0, weight = 0, lowest = HUGE_VAL;
    for (int64_t i = 0; i < steps; i++) {
        if (cb && cb->interrupted && cb->interrupted(cb->user))
            return bp__fail(t->ctx, BP_STOPPED, "the range test was interrupted");
        if (at >= n) {
            BP_TRY(order(t, ++pass));
            at = 0;
        }
        int64_t rows = BP__MIN(t->d->batch, n - at);
        bp__batch b = gather(t, t->order + at, rows);
        bp__step step;
        if (i == 0) BP_TRY(bp__init_from_data(t->net, &b));
        double lr = steps > 1 ? first * bp__pow64(last / first, (double)i / (double)(steps - 1)) : first;
        BP_TRY(bp__net_train(t->net, &b, lr, i, &step));
        at += rows;
        if (!isfinite(step.loss)) {
            if (i == 0)
                return bp__fail_at(t->ctx, BP_DIVERGED,
                                   (bp__where){.code = "diverged", .hint = "look at the data with `data describe`"},
                                   "the loss of the first step, before any change, is not finite");
            out->exploded = 1;
            break;
        }
        mean = 0.98 * mean + 0.02 * step.loss;
        weight = 0.98 * weight + 0.02;
        out->lr[i] = lr;
        out->loss[i] = step.loss;
        out->smooth[i] = mean / weight;
        out->n = i + 1;
        lowest = BP__MIN(lowest, out->smooth[i]);
        if (out->smooth[i] > 4 * lowest) {
            out->exploded = i + 1 < steps;
            break;
        }
    }
    return BP_OK;
}

/* The middle of the longest strictly falling subsequence. `length` [n] is room: that of the longest one that ends at i. */
static int64_t valley(const double *y, int64_t n, int64_t *length) {
    int64_t end = 0;
    for (int64_t i = 0; i < n; i++) {
        length[i] = 1;
        for (int64_t j = 0; j < i; j++)
            if (y[i] < y[j] && length[i] <= length[j]) length[i] = length[j] + 1;
        if (length[i] > length[end]) end = i;
    }
    int64_t third = length[end] / 3;
    return end - length[end] + third + third / 2;
}

static bp_status suggest(bp_context *ctx, bp_lr_range *r, int64_t steps) {
    /* The first tenth is still noise, the last five are the explosion. */
    int64_t from = steps / 10, n = r->n - from - 5, best = 0, steepest = -1;
    r->valley = r->steepest = r->minimum = (double)NAN;
    if (n < 5) return BP_OK;
    const double *lr = r->lr + from, *y = r->smooth + from;
    int64_t *length = bp__alloc(ctx, sizeof(int64_t) * (size_t)n);
    if (!length) return bp__out_of_memory(ctx, 0);
    r->valley = lr[BP__MAX(valley(y, n, length), 0)];
    bp__free(ctx, length);
    for (int64_t i = 1; i < n; i++) {
        if (y[i] < y[best]) best = i;
        if (steepest < 0 || y[i] - y[i - 1] < y[steepest] - y[steepest - 1]) steepest = i; /* steps of log(lr) are all the same */
    }
    r->steepest = lr[steepest];
    r->minimum = lr[best] / 10;
    return BP_OK;
}

static bp_status find(bp_lr_range *out, bp_config *cfg, double first, double last, int64_t steps, const bp_callbacks *cb) {
    bp__decided *d = NULL;
    test t = {.ctx = cfg->ctx};
    BP_TRY(bp__decide(&d, cfg, NULL));
    t.d = d;
    bp_status status = bp__decided_net(&t.net, d, d->s.dtype, true);
    if (status == BP_OK && t.net->solver)
        status = bp__fail_at(t.ctx, BP_CONFIG, (bp__where){.code = "solver", .file = d->s.file},
                             "the optimizer %s finds the length of its steps itself: there is no rate to look for",
                             t.net->choice.kind->name);
    if (status == BP_OK) status = allocate(&t);
    if (status == BP_OK) status = run(&t, out, first, last, steps, cb);
    if (status == BP_OK) status = suggest(cfg->ctx, out, steps);
    release(&t);
    bp__decided_free(d);
    return status;
}

bp_status bp_lr_find(bp_lr_range *out, bp_config *cfg, double first, double last, int64_t steps, const bp_callbacks *callbacks) {
    bp_context *ctx = cfg->ctx;
    if (out->size < sizeof *out) return bp__fail(ctx, BP_INVALID, "bp_lr_range.size is %zu, not sizeof(bp_lr_range)", out->size);
    *out = (bp_lr_range){.size = sizeof *out};
    if (!(first > 0 && first < last && last < HUGE_VAL) || steps < 1 || steps > MOST)
        return bp__fail(ctx, BP_INVALID, "the range test goes from a rate above 0 to a larger one in 1 to %d steps", MOST);
    double **arrays[] = {&out->lr, &out->loss, &out->smooth};
    bp_status status = BP_OK;
    for (int i = 0; i < 3 && status == BP_OK; i++) {
        *arrays[i] = bp__alloc(ctx, sizeof(double) * (size_t)steps);
        if (!*arrays[i]) status = bp__out_of_memory(ctx, sizeof(double) * (size_t)steps);
    }
    if (status == BP_OK) status = find(out, cfg, first, last, steps, callbacks);
    if (status != BP_OK) bp_lr_range_free(ctx, out);
    return status;
}

void bp_lr_range_free(bp_context *ctx, bp_lr_range *r) {
    bp__free(ctx, r->lr);
    bp__free(ctx, r->loss);
    bp__free(ctx, r->smooth);
    *r = (bp_lr_range){.size = r->size};
}
