/* Memory that is freed all at once: a graph's nodes, a program's tables. */
#ifndef BP__POOL_H
#define BP__POOL_H
#include "core/core.h"
typedef struct bp__pool {
    bp_context *ctx;
    struct bp__pool_block *blocks;
    size_t used, size; /* of the newest block */
} bp__pool;
void bp__pool_init(bp__pool *pool, bp_context *ctx);
void bp__pool_free(bp__pool *pool);
void *bp__pool_alloc(bp__pool *pool, size_t bytes); /* zeroed, 16-byte aligned; NULL: out of memory */
char *bp__pool_strdup(bp__pool *pool, const char *s);
#endif
