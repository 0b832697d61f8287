/* Files as bytes: read whole, hashed as stored, unpacked when gzip. */
#include "data/readers.h"
#include "io/files.h"
#include <errno.h>
#include <limits.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

void bp__data_sha256(char out[65], const void *bytes, size_t n) {
    SHA2_CTX sha;
    SHA256Init(&sha);
    SHA256Update(&sha, bytes, n);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, &sha);
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[64] = 0;
}

static bp_status unpack_failed(bp_context *ctx, const char *file, int code, size_t out_size) {
    if (code == Z_BUF_ERROR || code == Z_OK)
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "truncated", .file = file, .hint = "copy or download it again"},
                           "%s is cut short: its compressed data ends after %zu unpacked bytes", file, out_size);
    return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "corrupt", .file = file, .hint = "copy or download it again"},
                       "the compressed data of %s is damaged after %zu unpacked bytes", file, out_size);
}

/* The loop of bp__inflate, apart so that there is one place that cleans up. */
static bp_status unpack(z_stream *z, bp__buffer *b, bp_context *ctx, const char *file, const unsigned char *in, size_t n,
                        bool raw, size_t expected) {
    unsigned char chunk[65536];
    size_t used = 0;
    int code = Z_OK;
    for (;;) {
        size_t piece = BP__MIN(n - used, (size_t)1 << 30);
        z->next_in = (z_const Bytef *)(in + used);
        z->avail_in = (uInt)piece;
        z->next_out = chunk;
        z->avail_out = sizeof chunk;
        code = inflate(z, Z_NO_FLUSH);
        used += piece - z->avail_in;
        bp__buffer_add(b, chunk, sizeof chunk - z->avail_out);
        if (b->failed) return bp__out_of_memory(ctx, b->size + sizeof chunk);
        if (raw && expected && b->size > expected) return unpack_failed(ctx, file, Z_DATA_ERROR, b->size);
        if (code == Z_STREAM_END) {
            /* gzip files may be glued together; anything else behind the end (padding) is not data */
            if (raw || n - used < 2 || in[used] != 0x1f || in[used + 1] != 0x8b) return BP_OK;
            if (inflateReset(z) != Z_OK) return bp__out_of_memory(ctx, sizeof *z);
            continue;
        }
        if (code != Z_OK || (used == n && z->avail_out == sizeof chunk)) return unpack_failed(ctx, file, code, b->size);
    }
}

bp_status bp__inflate(unsigned char **out, size_t *size, bp_context *ctx, const char *file, const unsigned char *in, size_t n,
                      bool raw, size_t expected) {
    *out = NULL;
    *size = 0;
    z_stream z;
    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, raw ? -15 : 15 + 16) != Z_OK) return bp__out_of_memory(ctx, 65536);
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    bp_status status = unpack(&z, &b, ctx, file, in, n, raw, expected);
    inflateEnd(&z);
    if (status == BP_OK && raw && b.size != expected) status = unpack_failed(ctx, file, Z_BUF_ERROR, b.size);
    if (status != BP_OK) {
        bp__buffer_free(&b);
        return status;
    }
    *size = b.size;
    bp__buffer_add(&b, "", 1);
    char *text = NULL;
    BP_TRY(bp__buffer_take(&b, &text));
    *out = (unsigned char *)text;
    return BP_OK;
}

static bp_status read_stream(bp__buffer *b, bp_context *ctx, const char *path, FILE *f) {
    char chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0) {
        bp__buffer_add(b, chunk, got);
        if (b->failed) return bp__out_of_memory(ctx, b->size + sizeof chunk);
    }
    if (ferror(f)) return bp__file_cannot_read(ctx, path, errno);
    bp__buffer_add(b, "", 1); /* so that text readers can look one byte further */
    return b->failed ? bp__out_of_memory(ctx, b->size + 1) : BP_OK;
}

bp_status bp__bytes_read(unsigned char **out, size_t *size, char sha256[65], bp_context *ctx, const char *path) {
    *out = NULL;
    *size = 0;
    bool standard_input = strcmp(path, "-") == 0;
    FILE *f = stdin;
    if (!standard_input) {
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return bp__fail_at(ctx, BP_UNSUPPORTED,
                               (bp__where){.code = "is_a_folder", .file = path, .hint = "name one of its files"},
                               "%s is a folder, and data is read from a file", path);
        f = fopen(path, "rb");
        if (!f) return bp__file_cannot_read(ctx, path, errno);
    }
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    bp_status status = read_stream(&b, ctx, standard_input ? "standard input" : path, f);
    if (!standard_input) fclose(f);
    if (status != BP_OK) {
        bp__buffer_free(&b);
        return status;
    }
    size_t n = b.size - 1;
    if (standard_input && bp__context_input(ctx)) bp__buffer_add(bp__context_input(ctx), b.data, n);
    bp__data_sha256(sha256, b.data, n);
    if (n >= 2 && (unsigned char)b.data[0] == 0x1f && (unsigned char)b.data[1] == 0x8b) {
        status = bp__inflate(out, size, ctx, path, (const unsigned char *)b.data, n, false, 0);
        bp__buffer_free(&b);
        return status;
    }
    char *text = NULL;
    BP_TRY(bp__buffer_take(&b, &text));
    *out = (unsigned char *)text;
    *size = n;
    return BP_OK;
}
