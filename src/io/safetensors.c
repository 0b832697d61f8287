/* Types, conversion, hashing and writing. The reader is in safetensors_read.c. */
#include "io/safetensors.h"

#include "io/files.h"
#include "io/utf8.h"

#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian; on this machine every element would have to be swapped"
#endif

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"F32", 4}, {"F64", 8}, {"I32", 4}, {"I64", 8}, {"U8", 1}, {"F16", 2}, {"BF16", 2}};

const char *bp__st_dtype_name(bp__st_dtype dtype) { return dtypes[dtype].name; }
size_t bp__st_dtype_size(bp__st_dtype dtype) { return dtypes[dtype].size; }

bp__st_dtype bp__st_dtype_of(bp_dtype dtype) {
    switch (dtype) {
    case BP_F64: return BP__ST_F64;
    case BP_I32: return BP__ST_I32;
    case BP_I64: return BP__ST_I64;
    case BP_U8: return BP__ST_U8;
    default: return BP__ST_F32;
    }
}

int64_t bp__st_count(const bp__st_tensor *t) { return (int64_t)(t->n_bytes / bp__st_dtype_size(t->dtype)); }

/* ---- Conversion --------------------------------------------------------------------------------------------------- */

static float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* IEEE binary16; subnormals become normal f32 numbers, infinities and NaN stay. */
static float float_of_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 1023u;
    if (exponent == 31) return float_of_bits(sign | 0x7F800000u | (fraction << 13));
    if (exponent != 0) return float_of_bits(sign | ((exponent + 112) << 23) | (fraction << 13));
    float small = (float)fraction * 0x1p-24f;
    return sign != 0 ? -small : small;
}

static double element(const bp__st_tensor *t, int64_t i) {
    switch (t->dtype) {
    case BP__ST_F32: return (double)((const float *)t->data)[i];
    case BP__ST_F64: return ((const double *)t->data)[i];
    case BP__ST_I32: return (double)((const int32_t *)t->data)[i];
    case BP__ST_I64: return (double)((const int64_t *)t->data)[i];
    case BP__ST_U8: return (double)((const uint8_t *)t->data)[i];
    case BP__ST_F16: return (double)float_of_half(((const uint16_t *)t->data)[i]);
    default: return (double)float_of_bits((uint32_t)((const uint16_t *)t->data)[i] << 16);
    }
}

void bp__st_to_f32(const bp__st_tensor *t, float *out) {
    int64_t n = bp__st_count(t);
    if (t->dtype == BP__ST_F32) {
        if (n > 0) memcpy(out, t->data, (size_t)n * sizeof *out); /* keeps the bits of NaNs */
        return;
    }
    for (int64_t i = 0; i < n; i++) out[i] = (float)element(t, i);
}

void bp__st_to_f64(const bp__st_tensor *t, double *out) {
    int64_t n = bp__st_count(t);
    for (int64_t i = 0; i < n; i++) out[i] = element(t, i);
}

/* ---- Orders ------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    const bp__st_tensor *x = *(const bp__st_tensor *const *)a, *y = *(const bp__st_tensor *const *)b;
    return strcmp(x->name, y->name);
}

static int by_size_and_name(const void *a, const void *b) {
    const bp__st_tensor *x = *(const bp__st_tensor *const *)a, *y = *(const bp__st_tensor *const *)b;
    size_t n = bp__st_dtype_size(x->dtype), m = bp__st_dtype_size(y->dtype);
    return n != m ? (n < m) - (n > m) : strcmp(x->name, y->name);
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const bp__st_meta *const *)a)->key, (*(const bp__st_meta *const *)b)->key);
}

static bp_status sorted_tensors(bp_context *ctx, const bp__st_tensor *tensors, int64_t n,
                                int (*order)(const void *, const void *), const bp__st_tensor ***out) {
    const bp__st_tensor **sorted = bp__alloc(ctx, (size_t)n * sizeof *sorted);
    if (sorted == NULL) return bp__out_of_memory(ctx, (size_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) sorted[i] = &tensors[i];
    if (n > 1) qsort(sorted, (size_t)n, sizeof *sorted, order);
    *out = sorted;
    return BP_OK;
}

bp_status bp__weights_sha256(bp_context *ctx, const bp__st_tensor *tensors, int64_t n_tensors, char out[BP__SHA256_HEX]) {
    const bp__st_tensor **sorted;
    out[0] = '\0';
    BP_TRY(sorted_tensors(ctx, tensors, n_tensors, by_name, &sorted));
    bp__sha256 *h = bp__sha256_new(ctx);
    bp_status status = h != NULL ? BP_OK : bp__out_of_memory(ctx, 128);
    if (h != NULL) {
        for (int64_t i = 0; i < n_tensors; i++) bp__sha256_add(h, sorted[i]->data, sorted[i]->n_bytes);
        bp__sha256_end(h, out);
    }
    bp__free(ctx, sorted);
    return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static bp_status check_tensor(bp_context *ctx, const bp__st_tensor *t) {
    const char *problem = NULL;
    size_t bytes = bp__st_dtype_size(t->dtype);
    if (t->n_dims < 0 || t->n_dims > BP__ST_DIMS) problem = "has too many dimensions";
    for (int d = 0; problem == NULL && d < t->n_dims; d++) {
        if (t->dims[d] < 0 || (t->dims[d] > 0 && bytes > SIZE_MAX / 2 / (size_t)t->dims[d]))
            problem = "has an impossible shape";
        else
            bytes *= (size_t)t->dims[d];
    }
    if (problem == NULL && bytes != t->n_bytes) problem = "has another number of bytes than its shape says";
    if (problem == NULL && bytes > 0 && t->data == NULL) problem = "has no data";
    if (strcmp(t->name, "__metadata__") == 0) problem = "has the one name that the format keeps for itself";
    if (!bp__utf8_valid(t->name, strlen(t->name))) problem = "has a name that is not UTF-8";
    if (problem == NULL) return BP_OK;
    return bp__fail(ctx, BP_INVALID, "the tensor '%s' cannot be saved: it %s", bp__show(t->name).text, problem);
}

static bp_status add_meta(bp_context *ctx, bp__buffer *b, const bp__st_meta *meta, int64_t n) {
    const bp__st_meta **sorted = bp__alloc(ctx, (size_t)n * sizeof *sorted);
    if (sorted == NULL) return bp__out_of_memory(ctx, (size_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) sorted[i] = &meta[i];
    if (n > 1) qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    bp_status status = BP_OK;
    bp__buffer_text(b, "\"__metadata__\":{");
    for (int64_t i = 0; i < n && status == BP_OK; i++) {
        if (i > 0 && strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            status = bp__fail(ctx, BP_INVALID, "the metadata key '%s' is given twice", bp__show(sorted[i]->key).text);
        if (i > 0) bp__buffer_text(b, ",");
        bp__buffer_quoted(b, sorted[i]->key);
        bp__buffer_text(b, ":");
        bp__buffer_quoted(b, sorted[i]->value);
    }
    bp__buffer_text(b, "}");
    bp__free(ctx, sorted);
    return status;
}

static void add_tensor(bp__buffer *b, const bp__st_tensor *t, size_t begin) {
    bp__buffer_quoted(b, t->name);
    bp__buffer_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", bp__st_dtype_name(t->dtype));
    for (int d = 0; d < t->n_dims; d++) bp__buffer_printf(b, d == 0 ? "%lld" : ",%lld", (long long)t->dims[d]);
    bp__buffer_printf(b, "],\"data_offsets\":[%zu,%zu]}", begin, begin + t->n_bytes);
}

/* The header, and into parts[1 …] the bytes in their order. `offsets` is indexed as `tensors`. */
static bp_status lay_out(bp_context *ctx, bp__buffer *b, const bp__st_tensor *tensors, int64_t n, const bp__st_meta *meta,
                         int64_t n_meta, size_t *offsets, bp__bytes *parts) {
    const bp__st_tensor **sorted;
    bp_status status = BP_OK;
    BP_TRY(sorted_tensors(ctx, tensors, n, by_size_and_name, &sorted));
    size_t offset = 0;
    for (int64_t i = 0; i < n; i++) {
        offsets[sorted[i] - tensors] = offset;
        parts[i + 1] = (bp__bytes){sorted[i]->data, sorted[i]->n_bytes, sorted[i]->fill};
        offset += sorted[i]->n_bytes;
    }
    if (n > 1) qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    bp__buffer_text(b, "{");
    if (n_meta > 0) status = add_meta(ctx, b, meta, n_meta);
    for (int64_t i = 0; i < n && status == BP_OK; i++) {
        if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            status = bp__fail(ctx, BP_INVALID, "two tensors have the name '%s'", bp__show(sorted[i]->name).text);
        if (i > 0 || n_meta > 0) bp__buffer_text(b, ",");
        add_tensor(b, sorted[i], offsets[sorted[i] - tensors]);
    }
    bp__buffer_text(b, "}");
    while (b->size % 8 != 0 && !b->failed) bp__buffer_text(b, " ");
    bp__free(ctx, sorted);
    return status;
}

bp_status bp__safetensors_write(bp_context *ctx, const char *path, const bp__st_tensor *tensors, int64_t n_tensors,
                                const bp__st_meta *meta, int64_t n_meta) {
    for (int64_t i = 0; i < n_tensors; i++) BP_TRY(check_tensor(ctx, &tensors[i]));
    size_t *offsets = bp__alloc(ctx, (size_t)n_tensors * sizeof *offsets);
    bp__bytes *parts = bp__alloc(ctx, ((size_t)n_tensors + 1) * sizeof *parts);
    bp_status status = offsets != NULL && parts != NULL ? BP_OK : bp__out_of_memory(ctx, (size_t)n_tensors * sizeof *parts);
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    uint64_t length = 0;
    bp__buffer_add(&b, &length, sizeof length);
    if (status == BP_OK) status = lay_out(ctx, &b, tensors, n_tensors, meta, n_meta, offsets, parts);
    if (status == BP_OK && b.failed) status = bp__out_of_memory(ctx, b.size);
    if (status == BP_OK) {
        length = b.size - sizeof length;
        memcpy(b.data, &length, sizeof length);
        parts[0] = (bp__bytes){b.data, b.size, NULL};
        status = bp__file_write_parts(ctx, path, parts, n_tensors + 1);
    }
    bp__buffer_free(&b);
    bp__free(ctx, offsets);
    bp__free(ctx, parts);
    return status;
}
