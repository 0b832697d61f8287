/* Reading one piece of data, whatever its format: a table, or an array with (for built-in sets) its labels. */
#ifndef BP__READERS_H
#define BP__READERS_H
#include "data/table.h"

#define BP__ARRAY_RANK 8

typedef struct bp__array {
    bp_dtype dtype; /* BP_U8, BP_I64 (every other whole type), BP_F32, BP_F64 */
    bool boolean;   /* u8, but 0 and 1 stand for False and True */
    int rank;
    int64_t shape[BP__ARRAY_RANK]; /* rows first */
    int64_t size;                  /* elements */
    void *data;                    /* owned, C order, this machine's byte order */
} bp__array;
bp_status bp__array_new(bp__array *out, bp_context *ctx, const char *file, bp_dtype dtype, int rank, const int64_t *shape);
struct bp__content;
/* The same for elements of `width` bytes that begin at `bytes`, inside the content. Where they are as wide in memory and the
   content owns its block, that block becomes the array (the elements move to its front), so that nothing lies in memory twice.
   *from: where the elements are now; equal to out->data then. */
bp_status bp__array_take(bp__array *out, bp_context *ctx, struct bp__content *c, const unsigned char *bytes, size_t width,
                         bp_dtype dtype, int rank, const int64_t *shape, const unsigned char **from);
void bp__array_free(bp_context *ctx, bp__array *a);
double bp__array_get(const bp__array *a, int64_t i);

typedef struct bp__read_options {
    bool no_header;
    char delimiter;     /* 0: find out */
    const char *member; /* of an NPZ: the array's name; NULL: "x", "arr_0", or the only one */
    const char *labels; /* of an NPZ: the labels' name; NULL: "y" where there is one */
} bp__read_options;

typedef struct bp__source {
    bp_context *ctx;
    char *path;
    char sha256[65];  /* of the bytes as stored */
    const char *kind; /* "CSV", "NPY", "IDX", "builtin" */
    bp__table *table; /* or NULL: then */
    bp__array array;
    bp__array labels;           /* data NULL: none came along */
    double byte_scale;          /* what brings the bytes of `array` to 0..1 */
    const char *default_target; /* static; the table's own target, or NULL */
} bp__source;
/* `path`: a file, "-" (standard input) or builtin:NAME. */
bp_status bp__source_open(bp__source **out, bp_context *ctx, const char *path, const bp__read_options *options);
/* The same from bytes in memory (borrowed); `name` is for sentences. */
bp_status bp__source_parse(bp__source **out, bp_context *ctx, const char *name, const void *bytes, size_t n,
                           const bp__read_options *options);
void bp__source_free(bp__source *s);
int64_t bp__source_rows(const bp__source *s);

/* What a reader gets: bytes with a NUL behind the last. */
typedef struct bp__content {
    const char *file;
    const unsigned char *bytes;
    size_t size;
    unsigned char *owned; /* the block that `bytes` lie in, or NULL: borrowed. A reader may take it (bp__array_take). */
} bp__content;
#define BP__READER(name, title)                      \
    bool bp__recognise_##name(const bp__content *c); \
    bp_status bp__read_##name(bp__source *s, bp__content *c, const bp__read_options *options);
#include "data/readers.def"
#undef BP__READER
bp_status bp__read_builtin(bp__source *s, const char *name);
/* Reads one NPY image; the other half of NPZ. */
bp_status bp__npy_parse(bp__array *out, bp_context *ctx, bp__content *c);

/* A whole file, unpacked if it is gzip; sha256 is that of the stored bytes. Freed with bp__free. */
bp_status bp__bytes_read(unsigned char **out, size_t *size, char sha256[65], bp_context *ctx, const char *path);
/* Unpacks gzip (raw = false) or a bare deflate stream. `expected` > 0: the size it must have. */
bp_status bp__inflate(unsigned char **out, size_t *size, bp_context *ctx, const char *file, const unsigned char *in, size_t n,
                      bool raw, size_t expected);
void bp__data_sha256(char out[65], const void *bytes, size_t n);

#endif
