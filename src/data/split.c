/* A function of (rows, classes, fractions, seed) alone: every class has its own permutation, and its first rows go to the test
   set, the next to validation. */
#include "data/split.h"
#include "core/rng.h"
#include <math.h>
#include <string.h>

void bp__rows_free(bp_context *ctx, bp__rows *r) {
    bp__free(ctx, r->rows);
    *r = (bp__rows){0};
}

/* Shares `total` among the classes in proportion to their sizes, by largest remainder, leaving one of every class besides what
   `taken` has already. */
static void apportion(int64_t *share, const int64_t *size, const int64_t *taken, double *remainder, int64_t n_classes, int64_t n,
                      int64_t total) {
    int64_t given = 0;
    for (int64_t k = 0; k < n_classes; k++) {
        double quota = (double)total * (double)size[k] / (double)n;
        share[k] = (int64_t)floor(quota);
        remainder[k] = quota - floor(quota);
        int64_t most = BP__MAX(size[k] - taken[k] - 1, 0);
        if (share[k] > most) share[k] = most;
        given += share[k];
    }
    for (bool open = true; given < total && open;) {
        int64_t best = -1;
        for (int64_t k = 0; k < n_classes; k++)
            if (share[k] < size[k] - taken[k] - 1 && (best < 0 || remainder[k] > remainder[best])) best = k;
        open = best >= 0;
        if (open) {
            share[best]++;
            remainder[best] -= 1;
            given++;
        }
    }
}

/* Marks where each row goes: 0 train, 1 validation, 2 test. */
static void assign(uint8_t *set, int64_t n, int64_t n_classes, const bp__split_options *o, int64_t *work, double *remainder) {
    int64_t *size = work, *test = size + n_classes, *validation = test + n_classes, *start = validation + n_classes;
    int64_t *members = start + n_classes + 1, *order = members + n;
    for (int64_t i = 0; i < n; i++) size[o->classes ? o->classes[i] : 0]++;
    for (int64_t k = 0; k < n_classes; k++) start[k + 1] = start[k] + size[k];
    for (int64_t k = 0; k < n_classes; k++) validation[k] = start[k]; /* borrowed as cursors */
    for (int64_t i = 0; i < n; i++) members[validation[o->classes ? o->classes[i] : 0]++] = i;
    memset(test, 0, (size_t)n_classes * sizeof *test);
    int64_t n_test = (int64_t)floor(o->test * (double)n + 0.5), n_validation = (int64_t)floor(o->validation * (double)n + 0.5);
    memset(validation, 0, (size_t)n_classes * sizeof *validation);
    apportion(test, size, validation, remainder, n_classes, n, n_test);
    apportion(validation, size, test, remainder, n_classes, n, n_validation);
    for (int64_t k = 0; k < n_classes; k++) {
        if (size[k] == 0) continue;
        bp__permutation(order, (bp__stream){.seed = o->seed, .stream = bp__stream_id("split"), .step = (uint32_t)k}, size[k]);
        for (int64_t i = 0; i < test[k] + validation[k]; i++) set[members[start[k] + order[i]]] = i < test[k] ? 2 : 1;
    }
}

static bp_status collect(bp__rows out[3], bp_context *ctx, const int64_t *rows, int64_t n, const uint8_t *set) {
    for (int k = 0; k < 3; k++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) count += set[i] == k;
        out[k].rows = bp__alloc(ctx, (size_t)count * sizeof(int64_t));
        if (!out[k].rows) return bp__out_of_memory(ctx, (size_t)count * sizeof(int64_t));
        for (int64_t i = 0; i < n; i++)
            if (set[i] == k) out[k].rows[out[k].n++] = rows[i];
    }
    return BP_OK;
}

bp_status bp__split(bp__rows out[3], bp_context *ctx, const int64_t *rows, int64_t n, const bp__split_options *o) {
    memset(out, 0, 3 * sizeof *out);
    if (!(o->validation >= 0 && o->test >= 0 && o->validation < 1 && o->test < 1 && o->validation + o->test < 1))
        return bp__fail(ctx, BP_CONFIG,
                        "the fractions for validation and test must be at least 0 and together below 1, so that rows are "
                        "left for training");
    int64_t n_classes = 1;
    for (int64_t i = 0; o->classes && i < n; i++) n_classes = BP__MAX(n_classes, o->classes[i] + 1);
    size_t bytes = (size_t)(4 * n_classes + 1 + 2 * n) * sizeof(int64_t);
    int64_t *work = bp__zalloc(ctx, bytes);
    double *remainder = bp__alloc(ctx, (size_t)n_classes * sizeof *remainder);
    uint8_t *set = bp__zalloc(ctx, (size_t)n);
    bp_status status = BP_OK;
    if (!work || !remainder || !set) status = bp__out_of_memory(ctx, bytes);
    if (status == BP_OK) assign(set, n, n_classes, o, work, remainder);
    if (status == BP_OK) status = collect(out, ctx, rows, n, set);
    bp__free(ctx, work);
    bp__free(ctx, remainder);
    bp__free(ctx, set);
    if (status != BP_OK)
        for (int k = 0; k < 3; k++) bp__rows_free(ctx, &out[k]);
    return status;
}
