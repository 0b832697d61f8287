/* backprop: train neural networks from C. The only installed header, in stages:
     1  train a model from data           2  graphs: formulas that differentiate themselves
     3  operations (generated)            4  experimental
   Rules. Every fallible function returns a bp_status; results come through the first argument; the sentence that explains a
   failure is bp_context_error(). *owns*: you free it. *borrows*: it must outlive the call (or the object, where said).
   *copies*: yours again after the call. The library never prints, exits or aborts. A context is used by one thread at a time;
   two contexts never meet. */
#ifndef BACKPROP_H
#define BACKPROP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_VERSION_MAJOR 0
#define BP_VERSION_MINOR 1
#define BP_VERSION_PATCH 0
#define BP_VERSION "0.1.0"

#if defined(__GNUC__)
#define BP_API __attribute__((visibility("default")))
#else
#define BP_API
#endif

BP_API const char *bp_version(void);

/* ---- Status ------------------------------------------------------------------------------------------------------- */

/* X(NAME, number, "sentence") */
#define BP_STATUS_MAP(X)                                                                                                         \
    X(OK, 0, "no error")                                                                                                         \
    X(INVALID, 1, "an argument is invalid")                                                                                      \
    X(CONFIG, 2, "the configuration or command line is wrong")                                                                   \
    X(MEMORY, 3, "out of memory")                                                                                                \
    X(SHAPE, 4, "shapes do not fit")                                                                                             \
    X(TYPE, 5, "data types do not fit")                                                                                          \
    X(NOT_FOUND, 6, "not found")                                                                                                 \
    X(IO, 7, "reading or writing failed")                                                                                        \
    X(DATA, 8, "the data is bad")                                                                                                \
    X(FORMAT, 9, "the file's format is wrong")                                                                                   \
    X(UNSUPPORTED, 10, "not supported")                                                                                          \
    X(DIVERGED, 11, "training diverged")                                                                                         \
    X(STOPPED, 12, "stopped by a callback or signal")                                                                            \
    X(CHECK, 13, "a check failed")                                                                                               \
    X(INTERNAL, 14, "a mistake inside backprop")

typedef enum bp_status {
#define BP__STATUS_ENUM(name, number, text) BP_##name = number,
    BP_STATUS_MAP(BP__STATUS_ENUM)
#undef BP__STATUS_ENUM
} bp_status;

/* The general sentence of a status, and its name ("NOT_FOUND"); work without a context. Never NULL. */
BP_API const char *bp_status_text(bp_status status);
BP_API const char *bp_status_name(bp_status status);

/* Returns from the enclosing function (which returns bp_status) on failure. */
#define BP_TRY(expression)                                                                                                       \
    do {                                                                                                                         \
        bp_status bp_try_status_ = (expression);                                                                                 \
        if (bp_try_status_ != BP_OK) return bp_try_status_;                                                                      \
    } while (0)

/* ---- Context ------------------------------------------------------------------------------------------------------ */

typedef struct bp_context bp_context;
typedef enum bp_log_level { BP_LOG_DEBUG = 0, BP_LOG_INFO = 1, BP_LOG_WARNING = 2 } bp_log_level;

typedef struct bp_context_options {
    size_t size; /* sizeof(bp_context_options) */
    /* Allocator hooks: all three or none. `resize` is realloc. Called from the thread that uses the context. */
    void *(*allocate)(size_t bytes, void *user);
    void *(*resize)(void *p, size_t bytes, void *user);
    void (*release)(void *p, void *user);
    void (*log)(bp_log_level level, const char *message, void *user);
    void *user;
    int threads;     /* 0: BP_THREADS, else all cores */
    int has_seed;    /* non-zero: `seed` holds; else 0 */
    uint64_t seed;
    const char *isa; /* "scalar", "avx2", "avx512", "neon"; NULL: BP_ISA, else the best of this machine */
    int no_passes;   /* non-zero: compile without optimising passes (also BP_PASSES=none) */
} bp_context_options;

/* Owns. NULL options: all defaults. Fails with BP_INVALID on an unknown or unusable isa, BP_MEMORY. On failure *out is NULL. */
BP_API bp_status bp_context_new(bp_context **out, const bp_context_options *options);
BP_API void bp_context_free(bp_context *ctx);
/* The sentence of the first failure since the last clear; "" when none. Borrowed until the next call with this context. */
BP_API const char *bp_context_error(const bp_context *ctx);
typedef struct bp_error {
    size_t size; /* sizeof(bp_error), set by the caller */
    bp_status status;
    const char *code, *message, *file, *hint; /* borrowed until the next call; file and hint may be NULL */
    int64_t line;                             /* 0: none */
} bp_error;
BP_API void bp_context_get_error(const bp_context *ctx, bp_error *out);
BP_API void bp_context_clear_error(bp_context *ctx);
BP_API int bp_context_threads(const bp_context *ctx);
BP_API const char *bp_context_isa(const bp_context *ctx);      /* the one in use */
BP_API const char *bp_isa_usable(int index);                   /* the usable ones, best first; NULL after the last */
BP_API void bp_free(bp_context *ctx, void *p);                 /* frees what the library gave (texts, arrays); NULL is fine */
BP_API void bp_context_set_log(bp_context *ctx, void (*log)(bp_log_level, const char *, void *), void *user);

/* ---- Types -------------------------------------------------------------------------------------------------------- */

typedef enum bp_dtype { BP_F32 = 0, BP_F64 = 1, BP_I32 = 2, BP_I64 = 3, BP_U8 = 4 } bp_dtype;
BP_API const char *bp_dtype_name(bp_dtype dtype); /* "f32" … */
BP_API size_t bp_dtype_size(bp_dtype dtype);

/*@STAGES@*/

#ifdef __cplusplus
}
#endif
#endif
