/* NPZ: a zip archive of NPY files, stored or deflated. Found through the archive's directory at its end. */
#include "data/readers.h"
#include <stdio.h>
#include <string.h>

typedef struct member {
    const char *name; /* not terminated */
    size_t name_size; /* without .npy */
    bool npy;         /* it had .npy */
    unsigned method;
    uint64_t packed, size, at; /* at: offset of the local header */
} member;

static uint32_t u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }
static uint64_t u64(const unsigned char *p) { return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32; }

/* The directory's place and entries; false when the archive has no (whole) end record. */
static bool directory(const bp__content *c, uint64_t *at, uint64_t *n) {
    if (c->size < 22) return false;
    size_t lowest = c->size > 65557 ? c->size - 65557 : 0;
    for (size_t i = c->size - 22;; i--) {
        const unsigned char *p = c->bytes + i;
        if (memcmp(p, "PK\5\6", 4) == 0) {
            *n = u16(p + 10);
            *at = u32(p + 16);
            if ((*n == 0xffff || *at == 0xffffffffu) && i >= 20 && memcmp(p - 20, "PK\6\7", 4) == 0) {
                uint64_t end64 = u64(p - 12);
                if (end64 > c->size || c->size - end64 < 56 || memcmp(c->bytes + end64, "PK\6\6", 4) != 0) return false;
                *n = u64(c->bytes + end64 + 32);
                *at = u64(c->bytes + end64 + 48);
            }
            return *at <= c->size;
        }
        if (i == lowest) return false;
    }
}

/* Reads the directory entry at *at and moves on; false when it is damaged. */
static bool next_member(const bp__content *c, uint64_t *at, member *m) {
    if (*at > c->size || c->size - *at < 46) return false;
    const unsigned char *p = c->bytes + *at;
    if (memcmp(p, "PK\1\2", 4) != 0) return false;
    size_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    if (c->size - *at - 46 < name + extra + comment) return false;
    *m = (member){.name = (const char *)p + 46,
                  .name_size = name,
                  .method = u16(p + 10),
                  .packed = u32(p + 20),
                  .size = u32(p + 24),
                  .at = u32(p + 42)};
    const unsigned char *e = p + 46 + name, *stop = e + extra;
    while (stop - e >= 4) { /* sizes above 4 GB are in an extra field, in this order, each only where needed */
        size_t length = u16(e + 2);
        const unsigned char *v = e + 4;
        if ((size_t)(stop - v) < length) break;
        if (u16(e) == 1) {
            uint64_t *wide[] = {&m->size, &m->packed, &m->at};
            for (int i = 0; i < 3; i++)
                if (*wide[i] == 0xffffffffu && length >= 8) {
                    *wide[i] = u64(v);
                    v += 8;
                    length -= 8;
                }
            break;
        }
        e = v + length;
    }
    m->npy = m->name_size > 4 && memcmp(m->name + m->name_size - 4, ".npy", 4) == 0;
    if (m->npy) m->name_size -= 4;
    *at += 46 + name + extra + comment;
    return true;
}

static bp_status damaged(bp_context *ctx, const bp__content *c) {
    return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "corrupt", .file = c->file, .hint = "copy or write it again"},
                       "%s is not a whole NPZ file: its zip directory is damaged", c->file);
}

/* A stored member of a file that nobody reads any more (`last`) stays in the file's block. */
static bp_status read_member(bp__array *out, bp_context *ctx, bp__content *c, const member *m, bool last) {
    if (m->at > c->size || c->size - m->at < 30) return damaged(ctx, c);
    const unsigned char *p = c->bytes + m->at;
    if (memcmp(p, "PK\3\4", 4) != 0) return damaged(ctx, c);
    size_t head = 30 + (size_t)u16(p + 26) + u16(p + 28);
    if (c->size - m->at < head || c->size - m->at - head < m->packed) return damaged(ctx, c);
    bp__content inner = {.file = c->file, .bytes = p + head, .size = (size_t)m->packed};
    if (m->method == 8) {
        if (m->size / 1100 > m->packed + 1) return damaged(ctx, c); /* deflate can't shrink so much */
        BP_TRY(bp__inflate(&inner.owned, &inner.size, ctx, c->file, p + head, (size_t)m->packed, true, (size_t)m->size));
        inner.bytes = inner.owned;
    } else if (m->method != 0 || m->packed != m->size)
        return damaged(ctx, c);
    else if (last) {
        inner.owned = c->owned;
        c->owned = NULL;
    }
    bp_status status = bp__recognise_npy(&inner) ? bp__npy_parse(out, ctx, &inner) : damaged(ctx, c);
    bp__free(ctx, inner.owned);
    return status;
}

static bool named(const member *m, const char *name) {
    return strlen(name) == m->name_size && memcmp(m->name, name, m->name_size) == 0;
}

/* Looks for one of `names` (NULL-ended, best first); NULL names: the only member. */
static bool find_member(const bp__content *c, const char *const *names, member *out) {
    for (; *names; names++) {
        uint64_t at, n;
        if (!directory(c, &at, &n)) return false;
        for (uint64_t i = 0; i < n; i++) {
            if (!next_member(c, &at, out)) return false;
            if (named(out, *names)) return true;
        }
    }
    return false;
}

static bp_status no_member(bp_context *ctx, const bp__content *c, const char *wanted) {
    char list[256] = "";
    size_t used = 0;
    uint64_t at, n;
    member m;
    if (directory(c, &at, &n))
        for (uint64_t i = 0; i < n && next_member(c, &at, &m) && used + m.name_size + 4 < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", used ? ", " : "", (int)m.name_size, m.name);
    return bp__fail_at(ctx, BP_NOT_FOUND,
                       (bp__where){.code = "no_such_array", .file = c->file, .hint = "name the arrays with --input and --target"},
                       "%s has no array %s; it holds %s", c->file, wanted, list);
}

bool bp__recognise_npz(const bp__content *c) {
    uint64_t at, n;
    member m;
    if (c->size < 30 || memcmp(c->bytes, "PK\3\4", 4) != 0) return false;
    size_t name = u16(c->bytes + 26); /* of the first member, which is there even where the directory at the end is not */
    if (name > 4 && name <= c->size - 30 && memcmp(c->bytes + 30 + name - 4, ".npy", 4) == 0) return true;
    if (!directory(c, &at, &n)) return false;
    for (uint64_t i = 0; i < n && next_member(c, &at, &m); i++)
        if (m.npy) return true;
    return false;
}

bp_status bp__read_npz(bp__source *s, bp__content *c, const bp__read_options *options) {
    const char *const usual[] = {"x", "x_train", "X", "data", "arr_0", NULL}, *const one[] = {options->member, NULL};
    const char *const labels[] = {"y", "y_train", "labels", NULL}, *const wanted[] = {options->labels, NULL};
    member x, y;
    uint64_t at, n;
    if (!directory(c, &at, &n)) return damaged(s->ctx, c);
    bool found = find_member(c, options->member ? one : usual, &x);
    if (!found && !options->member && directory(c, &at, &n) && n == 1) found = next_member(c, &at, &x);
    if (!found) return no_member(s->ctx, c, options->member ? options->member : "x");
    if (find_member(c, options->labels ? wanted : labels, &y))
        BP_TRY(read_member(&s->labels, s->ctx, c, &y, false));
    else if (options->labels)
        return no_member(s->ctx, c, options->labels);
    return read_member(&s->array, s->ctx, c, &x, true);
}
