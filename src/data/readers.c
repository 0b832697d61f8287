/* From a name to a source: which reader, and what all of them share. */
#include "data/readers.h"
#include <string.h>

static bp_status set_shape(bp__array *out, bp_context *ctx, const char *file, bp_dtype dtype, int rank, const int64_t *shape) {
    memset(out, 0, sizeof *out);
    if (rank < 1)
        return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "no_rows", .file = file}, "%s holds a single number, not rows",
                           file);
    out->dtype = dtype;
    out->rank = rank;
    out->size = 1;
    for (int i = 0; i < rank; i++) {
        out->shape[i] = shape[i];
        if (shape[i] <= 0)
            return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "no_rows", .file = file}, "%s holds an empty array", file);
        if (out->size > INT64_MAX / 16 / shape[i])
            return bp__fail_at(ctx, BP_FORMAT, (bp__where){.file = file}, "the array in %s is larger than memory can be", file);
        out->size *= shape[i];
    }
    return BP_OK;
}

bp_status bp__array_new(bp__array *out, bp_context *ctx, const char *file, bp_dtype dtype, int rank, const int64_t *shape) {
    BP_TRY(set_shape(out, ctx, file, dtype, rank, shape));
    size_t bytes = (size_t)out->size * bp_dtype_size(dtype);
    out->data = bp__alloc(ctx, bytes);
    return out->data ? BP_OK : bp__out_of_memory(ctx, bytes);
}

bp_status bp__array_take(bp__array *out, bp_context *ctx, bp__content *c, const unsigned char *bytes, size_t width,
                         bp_dtype dtype, int rank, const int64_t *shape, const unsigned char **from) {
    *from = bytes;
    if (!c->owned || width != bp_dtype_size(dtype)) return bp__array_new(out, ctx, c->file, dtype, rank, shape);
    BP_TRY(set_shape(out, ctx, c->file, dtype, rank, shape));
    memmove(c->owned, bytes, (size_t)out->size * width);
    *from = out->data = c->owned;
    c->owned = NULL;
    return BP_OK;
}

void bp__array_free(bp_context *ctx, bp__array *a) {
    bp__free(ctx, a->data);
    memset(a, 0, sizeof *a);
}

double bp__array_get(const bp__array *a, int64_t i) {
    switch (a->dtype) {
    case BP_U8: return ((const uint8_t *)a->data)[i];
    case BP_I32: return ((const int32_t *)a->data)[i];
    case BP_I64: return (double)((const int64_t *)a->data)[i];
    case BP_F32: return ((const float *)a->data)[i];
    case BP_F64: return ((const double *)a->data)[i];
    }
    return 0;
}

typedef struct reader {
    const char *title;
    bool (*recognise)(const bp__content *c);
    bp_status (*read)(bp__source *s, bp__content *c, const bp__read_options *options);
} reader;

static const reader readers[] = {
#define BP__READER(name, title) {title, bp__recognise_##name, bp__read_##name},
#include "data/readers.def"
#undef BP__READER
};

static bp_status source_new(bp__source **out, bp_context *ctx, const char *path) {
    *out = NULL;
    bp__source *s = bp__zalloc(ctx, sizeof *s);
    if (!s) return bp__out_of_memory(ctx, sizeof *s);
    s->ctx = ctx;
    s->byte_scale = 1.0 / 255;
    s->kind = "";
    s->path = bp__strdup(ctx, path);
    if (!s->path) {
        bp__source_free(s);
        return bp__out_of_memory(ctx, strlen(path) + 1);
    }
    *out = s;
    return BP_OK;
}

static bp_status parse(bp__source *s, bp__content *c, const bp__read_options *options) {
    static const bp__read_options none = {0};
    if (c->size == 0) return bp__fail_at(s->ctx, BP_DATA, (bp__where){.code = "empty", .file = c->file}, "%s is empty", c->file);
    for (int64_t i = 0; i < BP__COUNT(readers); i++)
        if (readers[i].recognise(c)) {
            s->kind = readers[i].title;
            if (options && options->member && readers[i].read != bp__read_npz && readers[i].read != bp__read_foreign)
                return bp__fail_at(s->ctx, BP_DATA, (bp__where){.code = "no_such_array", .file = c->file},
                                   "the array %s is asked for, and %s is no NPZ file that holds named arrays", options->member,
                                   c->file);
            return readers[i].read(s, c, options ? options : &none);
        }
    return bp__fail_at(s->ctx, BP_UNSUPPORTED, (bp__where){.file = c->file}, "%s is in no known format", c->file);
}

bp_status bp__source_parse(bp__source **out, bp_context *ctx, const char *name, const void *bytes, size_t n,
                           const bp__read_options *options) {
    BP_TRY(source_new(out, ctx, name));
    bp__content c = {.file = name, .bytes = bytes, .size = n};
    bp__data_sha256((*out)->sha256, bytes, n);
    bp_status status = parse(*out, &c, options);
    if (status != BP_OK) {
        bp__source_free(*out);
        *out = NULL;
    }
    return status;
}

bp_status bp__source_open(bp__source **out, bp_context *ctx, const char *path, const bp__read_options *options) {
    BP_TRY(source_new(out, ctx, path));
    bp_status status;
    if (strncmp(path, "builtin:", 8) == 0) {
        (*out)->kind = "builtin";
        status = bp__read_builtin(*out, path + 8);
    } else {
        bp__content c = {.file = strcmp(path, "-") == 0 ? "standard input" : path};
        status = bp__bytes_read(&c.owned, &c.size, (*out)->sha256, ctx, path);
        c.bytes = c.owned;
        if (status == BP_OK) status = parse(*out, &c, options);
        bp__free(ctx, c.owned);
    }
    if (status != BP_OK) {
        bp__source_free(*out);
        *out = NULL;
    }
    return status;
}

void bp__source_free(bp__source *s) {
    if (!s) return;
    bp__table_free(s->table);
    bp__array_free(s->ctx, &s->array);
    bp__array_free(s->ctx, &s->labels);
    bp__free(s->ctx, s->path);
    bp__free(s->ctx, s);
}

int64_t bp__source_rows(const bp__source *s) { return s->table ? s->table->n_rows : s->array.shape[0]; }
