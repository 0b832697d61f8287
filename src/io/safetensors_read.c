/* Reading a safetensors file, which may be anything. Declared in safetensors.h. */
#include "io/files.h"
#include "io/safetensors.h"
#include "io/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the format's own reader has it. */
#define LONGEST_HEADER ((uint64_t)100000000)

/* Where a tensor's bytes lie after the header. */
typedef struct extent {
    size_t begin, end;
    const char *name;
} extent;

static bp_status fail_file(bp__st_file *f, const char *format, ...) BP__PRINTF(2, 3);

static bp_status fail_file(bp__st_file *f, const char *format, ...) {
    char problem[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return bp__fail_at(f->ctx, BP_FORMAT,
                       (bp__where){.code = "bad_safetensors", .file = f->path, .hint = "save or download the file again"},
                       "'%s' is no intact safetensors file: %s", bp__show(f->path).text, problem);
}

static bool whole_number(const json_t *j, size_t *out) {
    if (!json_is_integer(j) || json_integer_value(j) < 0) return false;
    *out = (size_t)json_integer_value(j);
    return true;
}

static bp_status read_dtype(bp__st_file *f, const json_t *j, bp__st_tensor *t) {
    const char *text = json_string_value(j);
    if (text == NULL) return fail_file(f, "the tensor '%s' has no dtype", bp__show(t->name).text);
    for (int k = BP__ST_F32; k <= BP__ST_BF16; k++) {
        if (strcmp(text, bp__st_dtype_name((bp__st_dtype)k)) == 0) {
            t->dtype = (bp__st_dtype)k;
            return BP_OK;
        }
    }
    return bp__fail_at(f->ctx, BP_UNSUPPORTED,
                       (bp__where){.code = "unknown_dtype",
                                   .file = f->path,
                                   .hint = "convert it to F32, F64, F16, BF16, I32, I64 or U8 before saving"},
                       "the tensor '%s' in '%s' has the dtype '%s', which is not supported", bp__show(t->name).text,
                       bp__show(f->path).text, bp__show(text).text);
}

static bp_status read_shape(bp__st_file *f, const json_t *j, bp__st_tensor *t) {
    bp__shown shown = bp__show(t->name);
    const char *name = shown.text;
    if (!json_is_array(j)) return fail_file(f, "the tensor '%s' has no shape", name);
    size_t n = json_array_size(j), bytes = bp__st_dtype_size(t->dtype);
    if (n > BP__ST_DIMS)
        return fail_file(f, "the tensor '%s' has %zu dimensions, more than the %d supported", name, n, BP__ST_DIMS);
    t->n_dims = (int)n;
    bool empty = false;
    for (size_t i = 0; i < n; i++) {
        size_t d;
        if (!whole_number(json_array_get(j, i), &d)) return fail_file(f, "the shape of '%s' is no list of sizes", name);
        t->dims[i] = (int64_t)d;
        empty = empty || d == 0;
    }
    for (size_t i = 0; i < n && !empty; i++) {
        if (bytes > SIZE_MAX / 2 / (size_t)t->dims[i]) return fail_file(f, "the shape of '%s' is too large for any memory", name);
        bytes *= (size_t)t->dims[i];
    }
    t->n_bytes = empty ? 0 : bytes;
    return BP_OK;
}

static bp_status read_tensor(bp__st_file *f, const char *name, const json_t *j, size_t base, bp__st_tensor *t, extent *e) {
    bp__shown shown = bp__show(name);
    *t = (bp__st_tensor){.name = name};
    if (!json_is_object(j)) return fail_file(f, "the header's entry '%s' is not an object", shown.text);
    BP_TRY(read_dtype(f, json_object_get(j, "dtype"), t));
    BP_TRY(read_shape(f, json_object_get(j, "shape"), t));
    const json_t *offsets = json_object_get(j, "data_offsets");
    size_t size = f->n_bytes - base;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !whole_number(json_array_get(offsets, 0), &e->begin) ||
        !whole_number(json_array_get(offsets, 1), &e->end))
        return fail_file(f, "the tensor '%s' has no data_offsets of two numbers", shown.text);
    if (e->begin > e->end) return fail_file(f, "the tensor '%s' ends before it begins", shown.text);
    if (e->end > size)
        return fail_file(f,
                         "the tensor '%s' ends at byte %zu of its data, but there are only %zu; the file is cut short or damaged",
                         shown.text, e->end, size);
    if (e->end - e->begin != t->n_bytes)
        return fail_file(f, "the tensor '%s' has %zu bytes where its shape and dtype need %zu", shown.text, e->end - e->begin,
                         t->n_bytes);
    e->name = name;
    t->data = f->bytes + base + e->begin;
    return BP_OK;
}

static int by_extent(const void *a, const void *b) {
    const extent *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The data must be covered exactly once: bytes between tensors could smuggle anything. */
static bp_status check_extents(bp__st_file *f, extent *e, int64_t n, size_t size) {
    if (n > 1) qsort(e, (size_t)n, sizeof *e, by_extent);
    size_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        bp__shown name = bp__show(e[i].name);
        if (e[i].begin < at) return fail_file(f, "the tensor '%s' overlaps another", name.text);
        if (e[i].begin > at)
            return fail_file(f, "there is a hole of %zu bytes before the tensor '%s'", e[i].begin - at, name.text);
        at = e[i].end;
    }
    if (at != size) return fail_file(f, "%zu bytes at its end belong to no tensor", size - at);
    return BP_OK;
}

/* Foreign files put a U8 tensor of odd length before an F32 one; such are copied to where they may be read. */
static bp_status align(bp__st_file *f) {
    for (int64_t i = 0; i < f->n_tensors; i++) {
        bp__st_tensor *t = &f->tensors[i];
        if ((uintptr_t)t->data % bp__st_dtype_size(t->dtype) == 0) continue;
        f->copies[i] = bp__alloc(f->ctx, t->n_bytes);
        if (f->copies[i] == NULL) return bp__out_of_memory(f->ctx, t->n_bytes);
        if (t->n_bytes > 0) memcpy(f->copies[i], t->data, t->n_bytes);
        t->data = f->copies[i];
    }
    return BP_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const bp__st_tensor *)a)->name, ((const bp__st_tensor *)b)->name);
}

static int by_key(const void *a, const void *b) { return strcmp(((const bp__st_meta *)a)->key, ((const bp__st_meta *)b)->key); }

static bp_status read_meta(bp__st_file *f, json_t *j) {
    if (j == NULL) return BP_OK;
    if (!json_is_object(j)) return fail_file(f, "its __metadata__ is not an object");
    size_t n = json_object_size(j);
    f->meta = bp__zalloc(f->ctx, n * sizeof *f->meta);
    if (f->meta == NULL) return bp__out_of_memory(f->ctx, n * sizeof *f->meta);
    for (void *it = json_object_iter(j); it != NULL; it = json_object_iter_next(j, it)) {
        const char *value = json_string_value(json_object_iter_value(it));
        if (value == NULL) return fail_file(f, "the metadata '%s' is not text", bp__show(json_object_iter_key(it)).text);
        bp__st_meta *m = &f->meta[f->n_meta++];
        m->key = bp__strdup(f->ctx, json_object_iter_key(it));
        m->value = bp__strdup(f->ctx, value);
        if (m->key == NULL || m->value == NULL) return bp__out_of_memory(f->ctx, strlen(value));
    }
    if (f->n_meta > 1) qsort(f->meta, (size_t)f->n_meta, sizeof *f->meta, by_key);
    return BP_OK;
}

static bp_status read_tensors(bp__st_file *f, json_t *j, size_t base, extent *e) {
    for (void *it = json_object_iter(j); it != NULL; it = json_object_iter_next(j, it)) {
        const char *key = json_object_iter_key(it);
        if (strcmp(key, "__metadata__") == 0) continue;
        char *name = bp__strdup(f->ctx, key);
        if (name == NULL) return bp__out_of_memory(f->ctx, strlen(key));
        int64_t i = f->n_tensors++;
        BP_TRY(read_tensor(f, name, json_object_iter_value(it), base, &f->tensors[i], &e[i]));
    }
    BP_TRY(check_extents(f, e, f->n_tensors, f->n_bytes - base));
    if (f->n_tensors > 1) qsort(f->tensors, (size_t)f->n_tensors, sizeof *f->tensors, by_name);
    return align(f);
}

static bp_status read_header(bp__st_file *f, json_t *j, size_t base) {
    if (!json_is_object(j)) return fail_file(f, "its header is not a JSON object");
    size_t n = json_object_size(j);
    extent *e = bp__alloc(f->ctx, n * sizeof *e);
    f->tensors = bp__zalloc(f->ctx, n * sizeof *f->tensors);
    f->copies = bp__zalloc(f->ctx, n * sizeof *f->copies);
    bp_status status = BP_OK;
    if (e == NULL || f->tensors == NULL || f->copies == NULL) status = bp__out_of_memory(f->ctx, n * sizeof *f->tensors);
    if (status == BP_OK) status = read_meta(f, json_object_get(j, "__metadata__"));
    if (status == BP_OK) status = read_tensors(f, j, base, e);
    bp__free(f->ctx, e);
    return status;
}

static bp_status read_file(bp__st_file *f) {
    uint64_t length;
    if (f->n_bytes < sizeof length) return fail_file(f, "it has only %zu bytes", f->n_bytes);
    memcpy(&length, f->bytes, sizeof length);
    if (length > LONGEST_HEADER || length > f->n_bytes - sizeof length || length < 2) {
        return fail_file(f, "its first 8 bytes announce a header of %llu bytes, but %zu follow", (unsigned long long)length,
                         f->n_bytes - sizeof length);
    }
    const char *header = f->bytes + sizeof length;
    if (header[0] != '{') return fail_file(f, "its header does not start with '{'");
    json_error_t error;
    json_t *j = json_loadb(header, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (j == NULL) {
        enum json_error_code code = json_error_code(&error);
        if (code == json_error_out_of_memory) return bp__out_of_memory(f->ctx, (size_t)length);
        if (code == json_error_duplicate_key) return fail_file(f, "its header has a name twice: %s", bp__show(error.text).text);
        if (code == json_error_stack_overflow) return fail_file(f, "its header is nested too deep");
        return fail_file(f, "its header is no JSON: %s", bp__show(error.text).text);
    }
    bp_status status = read_header(f, j, sizeof length + (size_t)length);
    json_decref(j);
    return status;
}

bp_status bp__safetensors_parse(bp_context *ctx, const char *name, char *bytes, size_t n, bp__st_file **out) {
    *out = NULL;
    bp__st_file *f = bp__zalloc(ctx, sizeof *f);
    char *path = bp__strdup(ctx, name);
    if (f == NULL || path == NULL) {
        bp__free(ctx, f);
        bp__free(ctx, path);
        bp__free(ctx, bytes);
        return bp__out_of_memory(ctx, sizeof *f);
    }
    f->ctx = ctx;
    f->path = path;
    f->bytes = bytes;
    f->n_bytes = n;
    bp_status status = read_file(f);
    if (status == BP_OK)
        *out = f;
    else
        bp__safetensors_close(f);
    return status;
}

bool bp__safetensors_named(const char *path) {
    static const char ending[] = ".safetensors";
    size_t n = strlen(path), m = sizeof ending - 1;
    if (n > m && strcmp(path + n - m, ending) == 0) return true;
    unsigned char head[8] = {0};
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    size_t got = fread(head, 1, sizeof head, f);
    (void)fclose(f);
    return got == sizeof head && head[5] == 0 && head[6] == 0 && head[7] == 0; /* a length below 2^40: text has no zero bytes */
}

bp_status bp__safetensors_open(bp_context *ctx, const char *path, bp__st_file **out) {
    char *bytes;
    size_t n;
    *out = NULL;
    BP_TRY(bp__file_read_all(ctx, path, 0, &bytes, &n));
    return bp__safetensors_parse(ctx, path, bytes, n, out);
}

static void free_text(bp_context *ctx, const char *text) { bp__free(ctx, (void *)(uintptr_t)text); }

void bp__safetensors_close(bp__st_file *f) {
    if (f == NULL) return;
    for (int64_t i = 0; i < f->n_tensors; i++) {
        free_text(f->ctx, f->tensors[i].name);
        bp__free(f->ctx, f->copies[i]);
    }
    for (int64_t i = 0; i < f->n_meta; i++) {
        free_text(f->ctx, f->meta[i].key);
        free_text(f->ctx, f->meta[i].value);
    }
    bp__free(f->ctx, f->tensors);
    bp__free(f->ctx, f->copies);
    bp__free(f->ctx, f->meta);
    bp__free(f->ctx, f->bytes);
    free_text(f->ctx, f->path);
    bp__free(f->ctx, f);
}

const bp__st_tensor *bp__safetensors_find(const bp__st_file *f, const char *name) {
    int64_t low = 0, high = f->n_tensors;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(f->tensors[middle].name, name);
        if (order == 0) return &f->tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *bp__safetensors_meta(const bp__st_file *f, const char *key) {
    for (int64_t i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0) return f->meta[i].value;
    return NULL;
}
