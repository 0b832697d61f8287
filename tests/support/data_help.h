/* What test_data.c and test_readers.c share. */
#ifndef BP__DATA_HELP_H
#define BP__DATA_HELP_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "data/data.h"

static bp_context *ctx;
static char folder[] = "/tmp/bp-data-XXXXXX";

static inline int set_up(void **state) {
    (void)state;
    return bp_context_new(&ctx, NULL) == BP_OK && mkdtemp(folder) ? 0 : -1;
}

static inline int tear_down(void **state) {
    (void)state;
    bp_context_free(ctx);
    return rmdir(folder); /* fails when a test left a file */
}

static inline const char *write_file(const char *name, const void *bytes, size_t n) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline void expect(bp_status status, bp_status wanted, const char *part, int64_t line) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    if (status != wanted || !strstr(e.message, part) || (line && e.line != line))
        fail_msg("status %d, line %lld, message '%s'; wanted %d, %lld, '%s'", (int)status, (long long)e.line, e.message,
                 (int)wanted, (long long)line, part);
    bp_context_clear_error(ctx);
}

/* An NPY image in `out`; its size. */
static inline size_t npy(unsigned char *out, const char *descr, bool fortran, const char *shape, const void *data, size_t n,
                         int version) {
    char text[200];
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr,
                          fortran ? "True" : "False", shape);
    size_t start = version == 1 ? 10 : 12, total = (start + (size_t)length + 1 + 63) / 64 * 64, header = total - start;
    memset(out, ' ', total);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t i = 0; i < start - 8; i++) out[8 + i] = (unsigned char)(header >> (8 * i));
    memcpy(out + start, text, (size_t)length);
    out[total - 1] = '\n';
    if (n) memcpy(out + total, data, n);
    return total + n;
}

/* The path of a shared set; skips the test, loudly, where it is absent. */
static inline const char *shared(const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    const char *root = getenv("BP_SHARED");
    snprintf(path, sizeof paths[0], "%s/data/%s", root ? root : "../shared", name);
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: %s is absent\n", path);
        skip();
    }
    return path;
}

#endif
