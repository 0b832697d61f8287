/* The sum over shards. Parts are kept as the digits of a binary counter: part[k] is the sum of 2^k neighbouring shards. */
#include "train/shards.h"

#include <string.h>

enum { LEVELS = 40 };
typedef struct part {
    unsigned char *block; /* NULL: not needed yet */
    double loss;
} part;
struct bp__shards {
    bp_context *ctx;
    bp_dtype dtype;
    int n_tensors;
    int64_t *first; /* [n_tensors + 1] where each tensor begins in a block, in numbers */
    part parts[LEVELS], next;
    int64_t n; /* shards so far */
};

bp_status bp__shards_new(bp__shards **out, bp_context *ctx, bp_dtype dtype, const int64_t *sizes, int n_tensors) {
    *out = NULL;
    bp__shards *s = bp__zalloc(ctx, sizeof *s);
    if (!s) return bp__out_of_memory(ctx, sizeof *s);
    *s = (bp__shards){.ctx = ctx, .dtype = dtype, .n_tensors = n_tensors};
    s->first = bp__zalloc(ctx, sizeof(int64_t) * ((size_t)n_tensors + 1));
    if (!s->first) {
        bp__shards_free(s);
        return bp__out_of_memory(ctx, 0);
    }
    for (int k = 0; k < n_tensors; k++) s->first[k + 1] = s->first[k] + sizes[k];
    *out = s;
    return BP_OK;
}

void bp__shards_free(bp__shards *s) {
    if (!s) return;
    for (int i = 0; i < LEVELS; i++) bp__free(s->ctx, s->parts[i].block);
    bp__free(s->ctx, s->next.block);
    bp__free(s->ctx, s->first);
    bp__free(s->ctx, s);
}

void bp__shards_begin(bp__shards *s) { s->n = 0; }

/* right = left + right */
static void join(const bp__shards *s, const part *left, part *right) {
    int64_t n = s->first[s->n_tensors];
    right->loss = left->loss + right->loss;
    if (s->dtype == BP_F64) {
        const double *a = (const double *)(const void *)left->block;
        double *b = (double *)(void *)right->block;
        for (int64_t i = 0; i < n; i++) b[i] = a[i] + b[i];
    } else {
        const float *a = (const float *)(const void *)left->block;
        float *b = (float *)(void *)right->block;
        for (int64_t i = 0; i < n; i++) b[i] = a[i] + b[i];
    }
}

bp_status bp__shards_add(bp__shards *s, const void *const *tensors, double loss) {
    size_t size = bp_dtype_size(s->dtype);
    if (!s->next.block && !(s->next.block = bp__alloc(s->ctx, size * (size_t)s->first[s->n_tensors] + 1)))
        return bp__out_of_memory(s->ctx, size * (size_t)s->first[s->n_tensors]);
    for (int k = 0; k < s->n_tensors; k++)
        memcpy(s->next.block + size * (size_t)s->first[k], tensors[k], size * (size_t)(s->first[k + 1] - s->first[k]));
    s->next.loss = loss;
    int level = 0;
    for (; (s->n >> level) & 1; level++) join(s, &s->parts[level], &s->next);
    part spare = s->parts[level];
    s->parts[level] = s->next;
    s->next = spare;
    s->n++;
    return BP_OK;
}

void bp__shards_end(bp__shards *s, const void **sum, double *loss) {
    part *total = NULL;
    for (int level = 0; s->n >> level; level++) {
        if (!((s->n >> level) & 1)) continue;
        if (total)
            join(s, &s->parts[level], total); /* the higher level holds the earlier shards */
        else
            total = &s->parts[level];
    }
    for (int k = 0; k < s->n_tensors; k++) sum[k] = total->block + bp_dtype_size(s->dtype) * (size_t)s->first[k];
    *loss = total->loss;
}
