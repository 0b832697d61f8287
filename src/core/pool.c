#include "core/pool.h"

#include <string.h>

struct bp__pool_block {
    struct bp__pool_block *next;
    size_t pad; /* keeps what follows 16-byte aligned */
};

void bp__pool_init(bp__pool *pool, bp_context *ctx) { *pool = (bp__pool){.ctx = ctx}; }

void bp__pool_free(bp__pool *pool) {
    struct bp__pool_block *b = pool->blocks;
    while (b) {
        struct bp__pool_block *next = b->next;
        bp__free(pool->ctx, b);
        b = next;
    }
    bp__pool_init(pool, pool->ctx);
}

void *bp__pool_alloc(bp__pool *pool, size_t bytes) {
    const size_t block = 16384;
    bytes = (bytes + 15) & ~(size_t)15;
    if (!pool->blocks || pool->used + bytes > pool->size) {
        size_t size = sizeof(struct bp__pool_block) + (bytes > block ? bytes : block);
        struct bp__pool_block *b = bp__zalloc(pool->ctx, size);
        if (!b) return NULL;
        b->next = pool->blocks;
        pool->blocks = b;
        pool->used = sizeof(struct bp__pool_block);
        pool->size = size;
    }
    void *p = (char *)pool->blocks + pool->used;
    pool->used += bytes;
    return p;
}

char *bp__pool_strdup(bp__pool *pool, const char *s) {
    size_t n = strlen(s) + 1;
    char *copy = bp__pool_alloc(pool, n);
    if (copy) memcpy(copy, s, n);
    return copy;
}
