/* The ground everything stands on: errors with a sentence, memory through the context's hooks, text buffers.
   Nothing in src/core/ includes anything above it. */
#ifndef BP__CORE_H
#define BP__CORE_H

#include <backprop.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BP__PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define BP__PRINTF(f, a)
#endif

/* Where and how something went wrong, beyond the status: the members of CONTRACT section 8's error object. */
typedef struct bp__where {
    const char *code; /* machine-readable, e.g. "no_such_column"; NULL: the status's name */
    const char *file; /* or NULL */
    int64_t line;     /* from 1; 0: none */
    const char *hint; /* what to do, or NULL; shown after the sentence */
} bp__where;

/* Stores the sentence (first error wins until bp_context_clear_error) and returns `status`. Copies every string. */
bp_status bp__fail(bp_context *ctx, bp_status status, const char *format, ...) BP__PRINTF(3, 4);
bp_status bp__fail_at(bp_context *ctx, bp_status status, bp__where where, const char *format, ...) BP__PRINTF(4, 5);
bp_status bp__out_of_memory(bp_context *ctx, size_t bytes);
void bp__log(bp_context *ctx, bp_log_level level, const char *format, ...) BP__PRINTF(3, 4);

/* Memory through the context's hooks. 64-byte aligned. NULL on failure (the caller returns bp__out_of_memory). Size 0
   gives a valid pointer. bp__free(ctx, NULL) is fine. bp__resize keeps the first min(old, new) bytes. */
void *bp__alloc(bp_context *ctx, size_t bytes);
void *bp__zalloc(bp_context *ctx, size_t bytes);
void *bp__resize(bp_context *ctx, void *p, size_t old_bytes, size_t new_bytes);
void bp__free(bp_context *ctx, void *p);
char *bp__strdup(bp_context *ctx, const char *s);

/* Makes room for one more element in a growing array: `items`, `count`, `capacity` are lvalues. */
#define BP__GROW(ctx, items, count, capacity) \
    ((count) < (capacity) ? BP_OK : bp__grow((ctx), (void **)&(items), &(capacity), sizeof *(items)))
bp_status bp__grow(bp_context *ctx, void **items, int64_t *capacity, size_t item_bytes);

/* A growing text or byte buffer; sticky on failure (`failed`), so that writers check once at the end. Always
   NUL-terminated once something was appended. */
typedef struct bp__buffer {
    bp_context *ctx;
    char *data;
    size_t size, capacity;
    bool failed;
} bp__buffer;
void bp__buffer_init(bp__buffer *b, bp_context *ctx);
void bp__buffer_add(bp__buffer *b, const void *bytes, size_t n);
void bp__buffer_text(bp__buffer *b, const char *s);
void bp__buffer_printf(bp__buffer *b, const char *format, ...) BP__PRINTF(2, 3);
void bp__buffer_free(bp__buffer *b);
/* Gives the text away (the caller frees it with bp__free), or fails with out-of-memory. */
bp_status bp__buffer_take(bp__buffer *b, char **out);

/* The nearest of `names` (n of them) to `word` by Damerau-Levenshtein distance, or one that begins like it; NULL: nothing is
 * near. */
const char *bp__nearest(const char *word, const char *const *names, int64_t n);
/* For a sentence's hint: "did you mean `epochs`?", else "known are …", as many as `out` has room for. NULL: there are none. */
const char *bp__name_hint(char *out, size_t size, const char *word, const char *const *names, int64_t n);

/* Locale-independent text <-> number. bp__parse_f64 accepts YAML core-schema floats/ints plus inf/nan words only when
   `specials`; the whole of [s, s+n) must be consumed. bp__format_f64 writes the shortest text (<= 9 significant digits
   for f32, 17 for f64) that reads back equal; buffer of >= 32 bytes. */
bool bp__parse_f64(const char *s, size_t n, bool specials, double *out);
bool bp__parse_i64(const char *s, size_t n, int64_t *out);
int bp__format_f64(char *out, double v);
int bp__format_f32(char *out, float v);

#define BP__COUNT(a) ((int64_t)(sizeof(a) / sizeof((a)[0])))
#define BP__MIN(a, b) ((a) < (b) ? (a) : (b))
#define BP__MAX(a, b) ((a) > (b) ? (a) : (b))

/* What src/core/context.c owns; other folders reach the team, seed and cpu only through these. */
struct bp__team;
struct bp__team *bp__context_team(bp_context *ctx);
uint64_t bp__context_seed(const bp_context *ctx);
/* Where readers put a copy of what standard input gives: it cannot be read twice. NULL: nowhere. */
void bp__context_keep_input(bp_context *ctx, bp__buffer *copy);
bp__buffer *bp__context_input(const bp_context *ctx);
void bp__context_set_seed(bp_context *ctx, uint64_t seed);         /* of states made from now on */
bp_status bp__context_set_threads(bp_context *ctx, int n_threads); /* replaces the team; 0 = all cores; nothing may be running */
const char *bp__context_isa_wanted(const bp_context *ctx);         /* option, else BP_ISA, else NULL (best) */
bool bp__context_passes(const bp_context *ctx);                    /* false when BP_PASSES=none or the option says so */

#endif
