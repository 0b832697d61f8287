#include "io/sha256.h"

#include "io/files.h"
#include "io/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/types.h>

#include <sha2.h>

struct bp__sha256 {
    bp_context *ctx;
    SHA2_CTX state;
};

static void finish(SHA2_CTX *state, char out[BP__SHA256_HEX]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    static const char digits[] = "0123456789abcdef";
    SHA256Final(digest, state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[BP__SHA256_HEX - 1] = '\0';
}

void bp__sha256_hex(const void *data, size_t n, char out[BP__SHA256_HEX]) {
    SHA2_CTX state;
    SHA256Init(&state);
    if (n > 0) SHA256Update(&state, data, n);
    finish(&state, out);
}

bp__sha256 *bp__sha256_new(bp_context *ctx) {
    bp__sha256 *h = bp__alloc(ctx, sizeof *h);
    if (h == NULL) return NULL;
    h->ctx = ctx;
    SHA256Init(&h->state);
    return h;
}

void bp__sha256_add(bp__sha256 *h, const void *data, size_t n) {
    if (n > 0) SHA256Update(&h->state, data, n);
}

void bp__sha256_end(bp__sha256 *h, char out[BP__SHA256_HEX]) {
    finish(&h->state, out);
    bp__free(h->ctx, h);
}

bp_status bp__sha256_file(bp_context *ctx, const char *path, char out[BP__SHA256_HEX]) {
    enum { PIECE = 1 << 18 };
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        int number = errno;
        return bp__fail_at(ctx, number == ENOENT ? BP_NOT_FOUND : BP_IO, (bp__where){.code = "unreadable", .file = path},
                           "cannot read '%s': %s", bp__show(path).text, bp__show_errno(number).text);
    }
    char *piece = bp__alloc(ctx, PIECE);
    bp_status status = piece != NULL ? BP_OK : bp__out_of_memory(ctx, PIECE);
    SHA2_CTX state;
    SHA256Init(&state);
    while (status == BP_OK) {
        ssize_t got = read(fd, piece, PIECE);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            status = bp__fail_at(ctx, BP_IO, (bp__where){.code = "unreadable", .file = path}, "cannot read '%s': %s",
                                 bp__show(path).text, bp__show_errno(errno).text);
        if (got <= 0) break;
        SHA256Update(&state, (const uint8_t *)piece, (size_t)got);
    }
    if (status == BP_OK) finish(&state, out);
    bp__free(ctx, piece);
    (void)close(fd);
    return status;
}
