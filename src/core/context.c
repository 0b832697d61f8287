/* The context: memory hooks, the first error, the log, the choice of instruction set, the seed and the thread team. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* NOLINT: a feature-test macro, for madvise */
#endif
#include "core/core.h"
#include "core/cpu.h"
#include "core/threads.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { MESSAGE_BYTES = 1024, PART_BYTES = 512, CODE_BYTES = 64, MAX_THREADS = 1024, MAX_ISAS = 5 };
enum { BLOCK_ALIGN = 64, HUGE_PAGE = 1 << 21 };

struct bp_context {
    bp_context_options options; /* with hooks always set */
    void *log_user;             /* of bp_context_set_log, else options.user */
    bool passes;
    const char *isa_wanted, *isa; /* static strings */
    bp__team *team;
    bp__buffer *input; /* borrowed, while a run reads its data; or NULL */
    bp_status status;  /* of the first failure; BP_OK: none */
    int64_t line;
    bool has_file, has_hint;
    char message[MESSAGE_BYTES], file[PART_BYTES], hint[PART_BYTES], code[CODE_BYTES];
};

/* ---- Memory ----

      raw                         p (multiple of 64)
      | unused, 0 to 63 bytes | raw | the caller's bytes …                    */

enum { BLOCK_EXTRA = BLOCK_ALIGN + (int)sizeof(void *) };

/* Large blocks (states, arenas) begin at a boundary of huge pages and ask for these: a weight matrix then takes a few entries of
   the processor's table of addresses instead of thousands. What is refused is done without. */
static void *default_allocate(size_t bytes, void *user) {
    (void)user;
#ifdef __linux__
    if (bytes >= HUGE_PAGE) {
        void *p = NULL;
        if (posix_memalign(&p, HUGE_PAGE, bytes) != 0) return NULL;
        madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
        return p;
    }
#endif
    return malloc(bytes);
}
static void *default_resize(void *p, size_t bytes, void *user) {
    (void)user;
    return realloc(p, bytes);
}
static void default_release(void *p, void *user) {
    (void)user;
    free(p);
}

static char *place_block(char *raw) {
    uintptr_t first = (uintptr_t)raw + sizeof(void *);
    return raw + sizeof(void *) + (BLOCK_ALIGN - first % BLOCK_ALIGN) % BLOCK_ALIGN;
}

static char *raw_of(const char *p) {
    char *raw;
    memcpy(&raw, p - sizeof raw, sizeof raw);
    return raw;
}

static void *finish_block(char *raw) {
    if (!raw) return NULL;
    char *p = place_block(raw);
    memcpy(p - sizeof raw, &raw, sizeof raw);
    return p;
}

void *bp__alloc(bp_context *ctx, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    return finish_block(ctx->options.allocate(bytes + BLOCK_EXTRA, ctx->options.user));
}

void *bp__zalloc(bp_context *ctx, size_t bytes) {
    void *p = bp__alloc(ctx, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void *bp__resize(bp_context *ctx, void *p, size_t old_bytes, size_t new_bytes) {
    if (!p) return bp__alloc(ctx, new_bytes);
    if (new_bytes > SIZE_MAX / 2) return NULL;
    char *raw = raw_of(p);
    size_t old_offset = (size_t)((char *)p - raw);
    char *moved = ctx->options.resize(raw, new_bytes + BLOCK_EXTRA, ctx->options.user);
    if (!moved) return NULL;
    /* Where the new place is aligned differently, the bytes shift within it before the pointer in front is written. */
    char *block = place_block(moved);
    if (block != moved + old_offset) memmove(block, moved + old_offset, BP__MIN(old_bytes, new_bytes));
    return finish_block(moved);
}

void bp__free(bp_context *ctx, void *p) {
    if (p) ctx->options.release(raw_of(p), ctx->options.user);
}

char *bp__strdup(bp_context *ctx, const char *s) {
    size_t n = strlen(s) + 1;
    char *copy = bp__alloc(ctx, n);
    if (copy) memcpy(copy, s, n);
    return copy;
}

void bp_free(bp_context *ctx, void *p) {
    if (ctx) bp__free(ctx, p);
}

/* ---- Errors and log ---- */

/* Cut text ends in an ellipsis and never within a UTF-8 character. `length` is what vsnprintf wanted to write. */
static void mark_cut(char *text, size_t capacity, size_t length) {
    if (length < capacity) return;
    size_t n = capacity - sizeof "…";
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--;
    memcpy(text + n, "…", sizeof "…");
}

static void copy_part(char *to, size_t capacity, const char *from) {
    int n = snprintf(to, capacity, "%s", from);
    mark_cut(to, capacity, n < 0 ? 0 : (size_t)n);
}

static bp_status fail_va(bp_context *ctx, bp_status status, bp__where where, const char *format, va_list args) BP__PRINTF(4, 0);
static bp_status fail_va(bp_context *ctx, bp_status status, bp__where where, const char *format, va_list args) {
    if (!ctx || ctx->status != BP_OK || status == BP_OK) return status;
    ctx->status = status;
    int n = vsnprintf(ctx->message, sizeof ctx->message, format, args);
    if (n < 0)
        copy_part(ctx->message, sizeof ctx->message, bp_status_text(status));
    else
        mark_cut(ctx->message, sizeof ctx->message, (size_t)n);
    copy_part(ctx->code, sizeof ctx->code, where.code ? where.code : bp_status_name(status));
    copy_part(ctx->file, sizeof ctx->file, where.file ? where.file : "");
    copy_part(ctx->hint, sizeof ctx->hint, where.hint ? where.hint : "");
    ctx->has_file = where.file != NULL;
    ctx->has_hint = where.hint != NULL;
    ctx->line = where.line;
    return status;
}

bp_status bp__fail(bp_context *ctx, bp_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_va(ctx, status, (bp__where){0}, format, args);
    va_end(args);
    return status;
}

bp_status bp__fail_at(bp_context *ctx, bp_status status, bp__where where, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_va(ctx, status, where, format, args);
    va_end(args);
    return status;
}

bp_status bp__out_of_memory(bp_context *ctx, size_t bytes) {
    if (bytes == 0) return bp__fail(ctx, BP_MEMORY, "out of memory; use a smaller batch, model or part of the data");
    return bp__fail(ctx, BP_MEMORY, "out of memory: %zu bytes were refused; use a smaller batch, model or part of the data",
                    bytes);
}

void bp__log(bp_context *ctx, bp_log_level level, const char *format, ...) {
    if (!ctx || !ctx->options.log) return;
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) return;
    mark_cut(text, sizeof text, (size_t)n);
    ctx->options.log(level, text, ctx->log_user);
}

const char *bp_context_error(const bp_context *ctx) {
    if (!ctx)
        return "there is no context; bp_context_new failed: memory ran out, or its options, BP_ISA, BP_THREADS or BP_PASSES are "
               "wrong";
    return ctx->status == BP_OK ? "" : ctx->message;
}

void bp_context_get_error(const bp_context *ctx, bp_error *out) {
    bp_error e = {.size = out->size, .code = "", .message = bp_context_error(ctx)};
    if (!ctx) {
        e.status = BP_INVALID;
        e.code = bp_status_name(BP_INVALID);
    } else if (ctx->status != BP_OK) {
        e.status = ctx->status;
        e.code = ctx->code;
        e.file = ctx->has_file ? ctx->file : NULL;
        e.hint = ctx->has_hint ? ctx->hint : NULL;
        e.line = ctx->line;
    }
    memcpy(out, &e, BP__MIN(out->size, sizeof e)); /* a caller built against an older header has a shorter struct */
}

void bp_context_clear_error(bp_context *ctx) {
    if (!ctx) return;
    ctx->status = BP_OK;
    ctx->line = 0;
    ctx->has_file = ctx->has_hint = false;
    ctx->message[0] = ctx->file[0] = ctx->hint[0] = ctx->code[0] = 0;
}

void bp_context_set_log(bp_context *ctx, void (*log)(bp_log_level, const char *, void *), void *user) {
    if (!ctx) return;
    ctx->options.log = log;
    ctx->log_user = user;
}

/* ---- Instruction sets ---- */

/* The usable names, best first; the caller gives room for MAX_ISAS. */
static int list_isas(const char *names[MAX_ISAS]) {
    bp__cpu cpu = bp__cpu_features();
    int n = 0;
    if (cpu.avx512) names[n++] = "avx512";
    if (cpu.avx2 && cpu.fma) names[n++] = "avx2";
    if (cpu.neon) names[n++] = "neon";
    names[n++] = "scalar";
    return n;
}

const char *bp_isa_usable(int index) {
    const char *names[MAX_ISAS];
    int n = list_isas(names);
    return index >= 0 && index < n ? names[index] : NULL;
}

static bp_status choose_isa(bp_context *ctx) {
    const char *names[MAX_ISAS], *wanted = ctx->options.isa, *origin = "the option isa";
    int n = list_isas(names);
    if (!wanted) {
        wanted = getenv("BP_ISA");
        origin = "the environment variable BP_ISA";
    }
    ctx->isa = names[0];
    if (!wanted || !*wanted) return BP_OK;
    for (int i = 0; i < n; i++)
        if (strcmp(wanted, names[i]) == 0) {
            ctx->isa_wanted = ctx->isa = names[i];
            return BP_OK;
        }
    static const char *const known[] = {"scalar", "avx2", "avx512", "neon"};
    bool is_known = false;
    for (int64_t i = 0; i < BP__COUNT(known); i++) is_known = is_known || strcmp(wanted, known[i]) == 0;
    char list[64] = "";
    size_t size = 0;
    for (int i = 0; i < n; i++) size += (size_t)snprintf(list + size, sizeof list - size, "%s%s", i ? ", " : "", names[i]);
    return bp__fail_at(ctx, BP_INVALID, (bp__where){.code = is_known ? "isa_not_usable" : "no_such_isa"},
                       is_known ? "%s: this machine cannot run the instruction set '%s'; usable here: %s"
                                : "%s: there is no instruction set '%s'; usable here: %s",
                       origin, wanted, list);
}

/* ---- Making and freeing ---- */

static bp_status choose_threads(bp_context *ctx, int *out) {
    int64_t n = ctx->options.threads;
    if (n < 0 || n > MAX_THREADS)
        return bp__fail(ctx, BP_INVALID, "the option threads is %lld; give 0 (all cores) to %d", (long long)n, MAX_THREADS);
    const char *text = getenv("BP_THREADS");
    if (n == 0 && text && *text)
        if (!bp__parse_i64(text, strlen(text), &n) || n < 0 || n > MAX_THREADS)
            return bp__fail(ctx, BP_INVALID, "the environment variable BP_THREADS is '%s'; give 0 (all cores) to %d", text,
                            MAX_THREADS);
    *out = (int)n;
    return BP_OK;
}

static bp_status choose_passes(bp_context *ctx) {
    const char *text = getenv("BP_PASSES");
    bool none = text && strcmp(text, "none") == 0;
    if (text && *text && !none && strcmp(text, "all") != 0)
        return bp__fail(ctx, BP_INVALID, "the environment variable BP_PASSES is '%s'; give none or all, or unset it", text);
    ctx->passes = !none && !ctx->options.no_passes;
    return BP_OK;
}

static bp_status set_up(bp_context *ctx) {
    int n_threads = 0;
    BP_TRY(choose_isa(ctx));
    BP_TRY(choose_passes(ctx));
    BP_TRY(choose_threads(ctx, &n_threads));
    return bp__team_new(&ctx->team, ctx, n_threads);
}

/* Options of a caller built against another version: what it does not know is zero, what we do not know is left alone. */
static bp_status read_options(bp_context_options *out, const bp_context_options *given) {
    *out = (bp_context_options){0};
    if (given) {
        if (given->size < sizeof given->size) return BP_INVALID;
        memcpy(out, given, BP__MIN(given->size, sizeof *out));
    }
    out->size = sizeof *out;
    int n_hooks = (out->allocate != NULL) + (out->resize != NULL) + (out->release != NULL);
    return n_hooks == 0 || n_hooks == 3 ? BP_OK : BP_INVALID;
}

bp_status bp_context_new(bp_context **out, const bp_context_options *options) {
    if (!out) return BP_INVALID;
    *out = NULL;
    bp_context_options o;
    if (read_options(&o, options) != BP_OK) {
        if (o.log)
            o.log(BP_LOG_WARNING, "bp_context_new: give all three of allocate, resize and release, or none, and set options.size",
                  o.user);
        return BP_INVALID;
    }
    if (!o.allocate) {
        o.allocate = default_allocate;
        o.resize = default_resize;
        o.release = default_release;
    }
    bp_context *ctx = o.allocate(sizeof *ctx, o.user);
    if (!ctx) return BP_MEMORY;
    *ctx = (bp_context){.options = o, .log_user = o.user};
    bp_status status = set_up(ctx);
    if (status != BP_OK) { /* nobody can ask a context that was not made, so the log is told */
        bp__log(ctx, BP_LOG_WARNING, "%s", ctx->message);
        bp_context_free(ctx);
        return status;
    }
    ctx->options.isa = NULL; /* borrowed only during this call */
    *out = ctx;
    return BP_OK;
}

void bp_context_free(bp_context *ctx) {
    if (!ctx) return;
    bp__team_free(ctx->team);
    ctx->options.release(ctx, ctx->options.user);
}

int bp_context_threads(const bp_context *ctx) { return bp__team_size(ctx->team); }
const char *bp_context_isa(const bp_context *ctx) { return ctx->isa; }
struct bp__team *bp__context_team(bp_context *ctx) {
    return ctx->team;
}
uint64_t bp__context_seed(const bp_context *ctx) { return ctx->options.has_seed ? ctx->options.seed : 0; }
const char *bp__context_isa_wanted(const bp_context *ctx) { return ctx->isa_wanted; }
bool bp__context_passes(const bp_context *ctx) { return ctx->passes; }
void bp__context_keep_input(bp_context *ctx, bp__buffer *copy) { ctx->input = copy; }
bp__buffer *bp__context_input(const bp_context *ctx) { return ctx->input; }
void bp__context_set_seed(bp_context *ctx, uint64_t seed) {
    ctx->options.has_seed = 1;
    ctx->options.seed = seed;
}
bp_status bp__context_set_threads(bp_context *ctx, int n_threads) {
    if (n_threads == bp__team_size(ctx->team)) return BP_OK;
    bp__team *team = NULL;
    BP_TRY(bp__team_new(&team, ctx, n_threads));
    bp__team_free(ctx->team);
    ctx->team = team;
    return BP_OK;
}
