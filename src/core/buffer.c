/* Arrays and texts that grow. */
#include "core/core.h"
#include <stdio.h>
#include <string.h>

bp_status bp__grow(bp_context *ctx, void **items, int64_t *capacity, size_t item_bytes) {
    int64_t old = *capacity;
    if (old > INT64_MAX / 4 || (uint64_t)old > SIZE_MAX / 4 / item_bytes) return bp__out_of_memory(ctx, SIZE_MAX);
    int64_t wanted = old < 8 ? 8 : 2 * old;
    void *p; /* copied as bytes: the caller's variable is a pointer to its own type, not a void pointer */
    memcpy(&p, (void *)items, sizeof p);
    p = bp__resize(ctx, p, (size_t)old * item_bytes, (size_t)wanted * item_bytes);
    if (!p) return bp__out_of_memory(ctx, (size_t)wanted * item_bytes);
    memcpy((void *)items, &p, sizeof p);
    *capacity = wanted;
    return BP_OK;
}

void bp__buffer_init(bp__buffer *b, bp_context *ctx) { *b = (bp__buffer){.ctx = ctx}; }

/* Room for n more bytes and the NUL. */
static bool reserve(bp__buffer *b, size_t n) {
    if (b->failed) return false;
    if (b->data && n < b->capacity - b->size) return true;
    size_t wanted = BP__MAX(64, 2 * b->capacity);
    if (n > SIZE_MAX / 4 || b->size > SIZE_MAX / 4) {
        b->failed = true;
        return false;
    }
    wanted = BP__MAX(wanted, b->size + n + 1);
    char *p = bp__resize(b->ctx, b->data, b->size, wanted);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->capacity = wanted;
    return true;
}

void bp__buffer_add(bp__buffer *b, const void *bytes, size_t n) {
    if (!reserve(b, n)) return;
    if (n > 0) memcpy(b->data + b->size, bytes, n);
    b->size += n;
    b->data[b->size] = 0;
}

void bp__buffer_text(bp__buffer *b, const char *s) { bp__buffer_add(b, s, strlen(s)); }

void bp__buffer_printf(bp__buffer *b, const char *format, ...) {
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    if (n < 0)
        b->failed = true;
    else if ((size_t)n < sizeof small)
        bp__buffer_add(b, small, (size_t)n);
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void bp__buffer_free(bp__buffer *b) {
    if (b->ctx) bp__free(b->ctx, b->data);
    *b = (bp__buffer){.ctx = b->ctx};
}

bp_status bp__buffer_take(bp__buffer *b, char **out) {
    *out = NULL;
    if (!b->data) bp__buffer_add(b, "", 0);
    if (b->failed) {
        size_t bytes = 2 * b->capacity;
        bp__buffer_free(b);
        return bp__out_of_memory(b->ctx, bytes);
    }
    *out = b->data;
    *b = (bp__buffer){.ctx = b->ctx};
    return BP_OK;
}
