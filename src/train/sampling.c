/* The rows of a pass: their order, and classes of equal size by taking rows more than once or not at all, a new choice every
   pass. */
#include "train/sampling.h"

#include <stdio.h>
#include <string.h>

#include "core/rng.h"

const char *bp__sampling_name(bp__sampling how) {
    static const char *const names[BP__N_SAMPLINGS] = {"none", "over", "under"};
    return names[how];
}

/* The places of the training rows, class by class; size[c] of class c. A label that is not known belongs to none. */
static void group(int64_t *place, int64_t *size, const bp__dataset *d) {
    int64_t at = 0;
    for (int64_t i = 0; i < d->train.n_rows; i++)
        if (d->label[d->train.rows[i]] >= 0) size[d->label[d->train.rows[i]]]++;
    for (int64_t c = 0; c < d->n_classes; c++) { /* size is the place to write to for a while, then the next class's start */
        int64_t here = size[c];
        size[c] = at;
        at += here;
    }
    for (int64_t i = 0; i < d->train.n_rows; i++)
        if (d->label[d->train.rows[i]] >= 0) place[size[d->label[d->train.rows[i]]]++] = i;
    for (int64_t c = d->n_classes - 1; c > 0; c--) size[c] -= size[c - 1];
}

/* How often each training row is taken. A class of m rows that needs `each` of them has every row each / m times, and the rest
   drawn without putting back, so that no row is more than one ahead of another of its class. Returns how many rows that makes. */
static int64_t draw(int64_t *times, int64_t *spare, const bp__dataset *d, bp__sampling how, uint64_t seed, int64_t pass) {
    int64_t n = d->train.n_rows, *place = spare, *order = spare + n, *size = spare + 2 * n, most = 0, least = n, occur = 0;
    group(place, size, d);
    for (int64_t c = 0; c < d->n_classes; c++) {
        if (size[c] == 0) continue;
        most = BP__MAX(most, size[c]);
        least = BP__MIN(least, size[c]);
        occur++;
    }
    int64_t each = how == BP__SAMPLING_OVER ? most : least;
    for (int64_t c = 0; c < d->n_classes; place += size[c++]) {
        char name[40];
        snprintf(name, sizeof name, "sampling/%lld", (long long)c);
        if (size[c] == 0) continue;
        bp__permutation(order, (bp__stream){.seed = seed, .stream = bp__stream_id(name), .step = (uint32_t)pass}, size[c]);
        for (int64_t j = 0; j < size[c]; j++) times[place[order[j]]] = each / size[c] + (j < each % size[c]);
    }
    return occur * each;
}

bp_status bp__sample_rows(int64_t **rows, int64_t *n, const bp__dataset *d, bp__sampling how, uint64_t seed, int64_t pass) {
    *rows = NULL;
    *n = 0;
    int64_t n_train = d->train.n_rows, total = n_train;
    size_t bytes = sizeof(int64_t) * (size_t)(3 * n_train + d->n_classes + 1);
    int64_t *times = bp__zalloc(d->ctx, bytes);
    if (!times) return bp__out_of_memory(d->ctx, bytes);
    if (how != BP__SAMPLING_NONE) total = draw(times, times + n_train, d, how, seed, pass);
    for (int64_t i = 0; i < n_train && how == BP__SAMPLING_NONE; i++) times[i] = 1;
    bool fits = total <= INT64_MAX / 16; /* classes times rows */
    *rows = fits ? bp__alloc(d->ctx, sizeof(int64_t) * (size_t)total + 1) : NULL;
    for (int64_t i = 0; i < n_train && *rows; i++)
        for (int64_t t = 0; t < times[i]; t++) (*rows)[(*n)++] = d->train.rows[i];
    bp__free(d->ctx, times);
    return *rows ? BP_OK : bp__out_of_memory(d->ctx, fits ? sizeof(int64_t) * (size_t)total : SIZE_MAX);
}

bp_status bp__order_rows(int64_t *order, const bp__dataset *d, bp__sampling how, bool shuffle, uint64_t seed, int64_t pass) {
    int64_t n = d->train.n_rows, *sampled = NULL;
    if (how != BP__SAMPLING_NONE) BP_TRY(bp__sample_rows(&sampled, &n, d, how, seed, pass));
    const int64_t *rows = sampled ? sampled : d->train.rows;
    if (shuffle) {
        bp__permutation(order, (bp__stream){.seed = seed, .stream = bp__stream_id("order"), .step = (uint32_t)pass}, n);
        for (int64_t i = 0; i < n; i++) order[i] = rows[order[i]];
    } else
        memcpy(order, rows, sizeof(int64_t) * (size_t)n);
    bp__free(d->ctx, sampled);
    return BP_OK;
}
