/* NumPy's array files, versions 1 to 3: a header that is a Python dictionary, then the bytes. */
#include "data/readers.h"
#include <string.h>

typedef struct npy_header {
    char order, type; /* '<' or '>'; 'f', 'i', 'u' or 'b' */
    int width;
    bool fortran, has_descr, has_order, has_shape;
    int rank;
    int64_t shape[BP__ARRAY_RANK];
} npy_header;

static bp_status bad(bp_context *ctx, const char *file, const char *what) {
    return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "bad_npy", .file = file, .hint = "write it again with numpy.save"},
                       "%s is not a whole NPY file: %s", file, what);
}

static void skip_blanks(const char **p, const char *end) {
    while (*p < end && (**p == ' ' || **p == '\n' || **p == '\t')) (*p)++;
}

static bool eat(const char **p, const char *end, char c) {
    skip_blanks(p, end);
    if (*p == end || **p != c) return false;
    (*p)++;
    return true;
}

/* A Python string in either quote, short enough for `out`. */
static bool word(const char **p, const char *end, char out[32]) {
    skip_blanks(p, end);
    if (*p == end || (**p != '\'' && **p != '"')) return false;
    char quote = *(*p)++;
    int n = 0;
    while (*p < end && **p != quote && n < 31) out[n++] = *(*p)++;
    out[n] = 0;
    return eat(p, end, quote);
}

static bool shape_tuple(const char **p, const char *end, npy_header *h) {
    if (!eat(p, end, '(')) return false;
    while (!eat(p, end, ')')) {
        skip_blanks(p, end);
        int64_t v = 0;
        int n = 0;
        for (; *p < end && **p >= '0' && **p <= '9' && n < 18; n++) v = 10 * v + (*(*p)++ - '0');
        if (n == 0 || h->rank == BP__ARRAY_RANK) return false;
        h->shape[h->rank++] = v;
        if (*p < end && **p == 'L') (*p)++; /* Python 2 wrote long integers so */
        if (!eat(p, end, ',')) return eat(p, end, ')');
    }
    return true;
}

static bool dictionary(const char *p, const char *end, npy_header *h, char descr[32]) {
    char key[32];
    if (!eat(&p, end, '{')) return false;
    while (!eat(&p, end, '}')) {
        if (!word(&p, end, key) || !eat(&p, end, ':')) return false;
        skip_blanks(&p, end);
        if (strcmp(key, "descr") == 0) {
            h->has_descr = true;
            if (p < end && *p == '[') { /* a structured type: told apart below */
                strcpy(descr, "[]");
                return true;
            }
            if (!word(&p, end, descr)) return false;
        } else if (strcmp(key, "fortran_order") == 0) {
            h->has_order = true;
            if (end - p >= 4 && memcmp(p, "True", 4) == 0) {
                h->fortran = true;
                p += 4;
            } else if (end - p >= 5 && memcmp(p, "False", 5) == 0)
                p += 5;
            else
                return false;
        } else if (strcmp(key, "shape") == 0) {
            if (h->has_shape || !shape_tuple(&p, end, h)) return false;
            h->has_shape = true;
        } else
            return false;
        if (!eat(&p, end, ',')) {
            if (!eat(&p, end, '}')) return false;
            break;
        }
    }
    return h->has_descr && h->has_order && h->has_shape;
}

static bp_status element_type(bp_context *ctx, const char *file, npy_header *h, const char *descr, bp_dtype *dtype) {
    size_t n = strlen(descr);
    h->order = n == 3 ? descr[0] : 0;
    h->type = n == 3 ? descr[1] : 0;
    h->width = n == 3 ? descr[2] - '0' : 0;
    if (h->order == '=') h->order = '<';
    bool ordered = h->order == '<' || h->order == '>' || (h->order == '|' && h->width == 1);
    bool whole = h->type == 'i' || h->type == 'u';
    bool known = (h->type == 'f' && (h->width == 4 || h->width == 8)) || (h->type == 'b' && h->width == 1) ||
                 (whole && (h->width == 1 || h->width == 2 || h->width == 4 || h->width == 8));
    if (!ordered || !known)
        return bp__fail_at(
            ctx, BP_TYPE, (bp__where){.code = "dtype", .file = file, .hint = "convert it: numpy.save(file, a.astype('float32'))"},
            "%s has elements of NumPy type %s; known are f4, f8, i1 to i8, u1 to u8 and b1", file, descr);
    *dtype = h->type == 'f' ? (h->width == 4 ? BP_F32 : BP_F64) : h->width == 1 && h->type != 'i' ? BP_U8 : BP_I64;
    return BP_OK;
}

/* Element i of the file, as bits in this machine's order. */
static uint64_t element(const unsigned char *p, const npy_header *h) {
    uint64_t v = 0;
    for (int k = 0; k < h->width; k++) v |= (uint64_t)p[h->order == '>' ? h->width - 1 - k : k] << (8 * k);
    return v;
}

static bp_status store(bp__array *a, bp_context *ctx, const char *file, int64_t to, uint64_t bits, const npy_header *h) {
    if (a->dtype == BP_U8) {
        ((uint8_t *)a->data)[to] = h->type == 'b' ? bits != 0 : (uint8_t)bits;
    } else if (a->dtype == BP_F32) {
        uint32_t low = (uint32_t)bits;
        memcpy((float *)a->data + to, &low, sizeof low);
    } else if (a->dtype == BP_F64) {
        memcpy((double *)a->data + to, &bits, sizeof bits);
    } else {
        if (h->type == 'i' && h->width < 8 && bits >> (8 * h->width - 1)) bits |= ~UINT64_C(0) << (8 * h->width);
        if (h->type == 'u' && bits > INT64_MAX)
            return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "too_large", .file = file},
                               "element %lld of %s is larger than 2^63 - 1", (long long)to, file);
        memcpy((int64_t *)a->data + to, &bits, sizeof bits);
    }
    return BP_OK;
}

/* Copies the elements, those in Fortran order (first index fastest) to their places in C order. */
static bp_status fill(bp__array *a, bp_context *ctx, const char *file, const unsigned char *bytes, const npy_header *h) {
    int64_t stride[BP__ARRAY_RANK], index[BP__ARRAY_RANK] = {0}, step = 1;
    for (int k = a->rank; k-- > 0;) {
        stride[k] = step;
        step *= a->shape[k];
    }
    int64_t to = 0;
    for (int64_t i = 0; i < a->size; i++) {
        BP_TRY(store(a, ctx, file, h->fortran ? to : i, element(bytes + i * h->width, h), h));
        if (!h->fortran) continue;
        for (int k = 0; k < a->rank; k++) {
            to += stride[k];
            if (++index[k] < a->shape[k]) break;
            to -= stride[k] * a->shape[k];
            index[k] = 0;
        }
    }
    return BP_OK;
}

bp_status bp__npy_parse(bp__array *out, bp_context *ctx, bp__content *c) {
    const unsigned char *b = c->bytes;
    if (c->size < 10) return bad(ctx, c->file, "it ends inside the header");
    if (b[6] < 1 || b[6] > 3) return bad(ctx, c->file, "its version is unknown");
    size_t start = b[6] == 1 ? 10 : 12;
    if (c->size < start) return bad(ctx, c->file, "it ends inside the header");
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > c->size - start) return bad(ctx, c->file, "it ends inside the header");
    npy_header h = {0};
    char descr[32] = "";
    const char *text = (const char *)b + start;
    if (!dictionary(text, text + length, &h, descr)) return bad(ctx, c->file, "its header is not the dictionary NumPy writes");
    bp_dtype dtype = BP_F32;
    BP_TRY(element_type(ctx, c->file, &h, descr, &dtype));
    size_t rest = c->size - start - length;
    uint64_t n = 1;
    for (int i = 0; i < h.rank; i++) {
        if (h.shape[i] && n > (uint64_t)INT64_MAX / 16 / (uint64_t)h.shape[i])
            return bad(ctx, c->file, "its shape is larger than memory can be");
        n *= (uint64_t)h.shape[i];
    }
    if (n * (uint64_t)h.width != rest)
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "truncated", .file = c->file, .hint = "copy or write it again"},
                           "%s should hold %llu bytes of elements by its header, and holds %zu", c->file,
                           (unsigned long long)(n * (uint64_t)h.width), rest);
    /* in another order of elements they can't stay where they are */
    const unsigned char *elements = b + start + length;
    if (h.fortran)
        BP_TRY(bp__array_new(out, ctx, c->file, dtype, h.rank, h.shape));
    else
        BP_TRY(bp__array_take(out, ctx, c, elements, (size_t)h.width, dtype, h.rank, h.shape, &elements));
    out->boolean = h.type == 'b';
    return fill(out, ctx, c->file, elements, &h);
}

bool bp__recognise_npy(const bp__content *c) { return c->size >= 6 && memcmp(c->bytes, "\x93NUMPY", 6) == 0; }

bp_status bp__read_npy(bp__source *s, bp__content *c, const bp__read_options *options) {
    (void)options;
    return bp__npy_parse(&s->array, s->ctx, c);
}
