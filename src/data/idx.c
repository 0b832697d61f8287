/* IDX, the format of MNIST: 0, 0, type, rank, then sizes and elements, all big-endian. */
#include "data/readers.h"
#include <string.h>

/* Bytes of an element, 0 for an unknown type. */
static int width_of(unsigned char type) {
    return type == 0x08 || type == 0x09 ? 1 : type == 0x0b ? 2 : type == 0x0c || type == 0x0d ? 4 : type == 0x0e ? 8 : 0;
}

bool bp__recognise_idx(const bp__content *c) {
    return c->size >= 4 && c->bytes[0] == 0 && c->bytes[1] == 0 && width_of(c->bytes[2]) && c->bytes[3] >= 1 &&
           c->bytes[3] <= BP__ARRAY_RANK;
}

static bp_status truncated(bp_context *ctx, const bp__content *c, uint64_t want, uint64_t have) {
    return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "truncated", .file = c->file, .hint = "copy or download it again"},
                       "%s should hold %llu bytes by its header, and holds %llu", c->file, (unsigned long long)want,
                       (unsigned long long)have);
}

bp_status bp__read_idx(bp__source *s, bp__content *c, const bp__read_options *options) {
    (void)options;
    const unsigned char *b = c->bytes;
    int width = width_of(b[2]), rank = b[3];
    uint64_t start = 4 + 4 * (uint64_t)rank, n = 1;
    if (c->size < start) return truncated(s->ctx, c, start, c->size);
    int64_t shape[BP__ARRAY_RANK];
    for (int i = 0; i < rank; i++) {
        const unsigned char *p = b + 4 + 4 * i;
        shape[i] = (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
        if (shape[i] && n > UINT64_C(1) << 58) return truncated(s->ctx, c, UINT64_MAX, c->size);
        if (shape[i] && n > (UINT64_C(1) << 58) / (uint64_t)shape[i]) return truncated(s->ctx, c, UINT64_MAX, c->size);
        n *= (uint64_t)shape[i];
    }
    if (c->size - start != n * (uint64_t)width) return truncated(s->ctx, c, start + n * (uint64_t)width, c->size);
    bp_dtype dtype = b[2] == 0x08 ? BP_U8 : b[2] == 0x0d ? BP_F32 : b[2] == 0x0e ? BP_F64 : BP_I64;
    const unsigned char *p;
    BP_TRY(bp__array_take(&s->array, s->ctx, c, b + start, (size_t)width, dtype, rank, shape, &p));
    if (dtype == BP_U8 && p != s->array.data) memcpy(s->array.data, p, (size_t)n);
    for (int64_t i = 0; dtype != BP_U8 && i < s->array.size; i++, p += width) {
        uint64_t v = 0;
        for (int k = 0; k < width; k++) v = v << 8 | p[k];
        uint32_t low = (uint32_t)v;
        if (dtype == BP_F32)
            memcpy((float *)s->array.data + i, &low, sizeof low);
        else {
            if (dtype == BP_I64 && v >> (8 * width - 1)) v |= ~UINT64_C(0) << (8 * width);
            memcpy((char *)s->array.data + 8 * i, &v, sizeof v);
        }
    }
    return BP_OK;
}
