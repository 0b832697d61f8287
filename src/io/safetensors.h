/* The safetensors format: 8 bytes of header length, a JSON header, the tensors' little-endian bytes without gaps. Every
   damage is one sentence; nothing in a file is trusted. */
#ifndef BP__IO_SAFETENSORS_H
#define BP__IO_SAFETENSORS_H
#include "core/core.h"
#include "io/sha256.h"

#define BP__ST_DIMS 8

typedef enum bp__st_dtype { BP__ST_F32, BP__ST_F64, BP__ST_I32, BP__ST_I64, BP__ST_U8, BP__ST_F16, BP__ST_BF16 } bp__st_dtype;
const char *bp__st_dtype_name(bp__st_dtype dtype); /* "F32" … */
size_t bp__st_dtype_size(bp__st_dtype dtype);
bp__st_dtype bp__st_dtype_of(bp_dtype dtype); /* F16 and BF16 have no bp_dtype; convert them to f32 */

typedef struct bp__st_tensor {
    const char *name;
    bp__st_dtype dtype;
    int n_dims; /* 0: a scalar */
    int64_t dims[BP__ST_DIMS];
    const void *data; /* n_bytes of them, aligned to the element size */
    size_t n_bytes;
    void (*fill)(const void *data, void *to); /* for writing, as in bp__bytes; or NULL */
} bp__st_tensor;
int64_t bp__st_count(const bp__st_tensor *t); /* elements */

typedef struct bp__st_meta {
    const char *key, *value;
} bp__st_meta;

/* Written atomically and byte for byte the same for the same content: header in bytewise order of name, the bytes ordered by
   element size (larger first, so that all are aligned) and name. Duplicate names, NULL data and wrong n_bytes are BP_INVALID. */
bp_status bp__safetensors_write(bp_context *ctx, const char *path, const bp__st_tensor *tensors, int64_t n_tensors,
                                const bp__st_meta *meta, int64_t n_meta);

typedef struct bp__st_file {
    bp_context *ctx;
    const char *path;       /* owned; for sentences */
    bp__st_tensor *tensors; /* in bytewise order of name */
    int64_t n_tensors;
    bp__st_meta *meta; /* in bytewise order of key */
    int64_t n_meta;
    char *bytes; /* the whole file */
    size_t n_bytes;
    void **copies; /* of tensors that lie unaligned in the file; NULL where not */
} bp__st_file;
/* Is the file meant to be one, by its ending or its first bytes, damaged or not? False for text. */
bool bp__safetensors_named(const char *path);
bp_status bp__safetensors_open(bp_context *ctx, const char *path, bp__st_file **out);
/* The same from memory; `bytes` (from bp__alloc) is owned from now on, also on failure. */
bp_status bp__safetensors_parse(bp_context *ctx, const char *name, char *bytes, size_t n, bp__st_file **out);
void bp__safetensors_close(bp__st_file *file);                                        /* NULL is fine */
const bp__st_tensor *bp__safetensors_find(const bp__st_file *file, const char *name); /* NULL when absent */
const char *bp__safetensors_meta(const bp__st_file *file, const char *key);           /* NULL when absent */

/* Every element as f32 resp. f64 (any dtype but, for integers, exact only as far as the type goes). */
void bp__st_to_f32(const bp__st_tensor *t, float *out);
void bp__st_to_f64(const bp__st_tensor *t, double *out);

/* CONTRACT section 7: SHA-256 over the bytes of every tensor, in bytewise order of name. */
bp_status bp__weights_sha256(bp_context *ctx, const bp__st_tensor *tensors, int64_t n_tensors, char out[BP__SHA256_HEX]);

#endif
