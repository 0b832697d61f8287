/* A whole training with checkpoints, and one that goes on, with each of their allocations failing once: a clear error, nothing
   leaked, no half file, and a run that can be gone on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "train/train.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 13 }; /* these builds are slow, and count nothing that this test does not */
#else
enum { STRIDE = 1 };
#endif

/* ---- Memory that fails at the n-th request ---- */

typedef struct memory {
    int64_t requests, fails_at, live;
} memory;
static bool refused(memory *m) { return ++m->requests == m->fails_at; }
static void *allocate(size_t n, void *user) {
    memory *m = user;
    void *p = refused(m) ? NULL : malloc(n);
    m->live += p != NULL;
    return p;
}
static void *resize(void *p, size_t n, void *user) {
    memory *m = user;
    void *q = refused(m) ? NULL : realloc(p, n);
    m->live += q && !p;
    return q;
}
static void release(void *p, void *user) {
    memory *m = user;
    m->live -= p != NULL;
    free(p);
}

/* ---- Folders ---- */

static char home[40]; /* in memory where there is such a folder: every file is synced thousands of times */
static const char *place(const char *a, const char *b) {
    static char paths[4][400];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s%s%s", home, a, *b ? "/" : "", b);
    return path;
}
typedef void file_fn(const char *folder, const char *name, void *user);
static void each_file(const char *folder, file_fn *act, void *user) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2) act(folder, e->d_name, user);
    closedir(d);
}
static void remove_one(const char *folder, const char *name, void *user) {
    (void)user;
    char path[900];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}
static void empty(const char *folder) {
    each_file(folder, remove_one, NULL);
    rmdir(folder);
}
static void copy_one(const char *folder, const char *name, void *user) {
    char from[900], buffer[4096];
    snprintf(from, sizeof from, "%s/%s", folder, name);
    FILE *a = fopen(from, "rb"), *b = fopen(place(user, name), "wb");
    assert_true(a && b);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, a)) > 0;) assert_int_equal(fwrite(buffer, 1, n, b), n);
    fclose(a);
    assert_int_equal(fclose(b), 0);
}

/* What a failed run may leave: whole files only, each of which can be read. */
static void check_one(const char *folder, const char *name, void *user) {
    bp_context *ctx = user;
    char path[900];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const char *dot = strrchr(name, '.');
    bp__st_file *f = NULL;
    bp__tree *t = NULL;
    bp_config *cfg = NULL;
    bp_status status = BP_OK;
    if (strcmp(name, "lock") == 0 || strstr(name, ".tmp")) fail_msg("%s is left", name);
    if (dot && strcmp(dot, ".safetensors") == 0) status = bp__safetensors_open(ctx, path, &f);
    if (strcmp(name, "record.json") == 0) status = bp__json_parse_file(ctx, path, 0, &t);
    if (strcmp(name, "config.yaml") == 0) status = bp_config_open(&cfg, ctx, path);
    if (status != BP_OK) fail_msg("%s", bp_context_error(ctx));
    bp__safetensors_close(f);
    bp__tree_free(ctx, t);
    bp_config_free(cfg);
}

/* ---- The trainings ---- */

static bp_status train(bp_context *ctx, const char *out, const char *resume) {
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    char text[700], steps[] = "train.steps=null";
    snprintf(
        text, sizeof text,
        "{data: {path: '%s', target: y, split: {validation: 0.25, test: 0}}, model: [{linear: 3}, batch_norm, tanh, linear], "
        "metrics: [accuracy], schedule: cosine, optimizer: {sgd: {momentum: 0.9}}, train: {epochs: 2, batch_size: 4, steps: 5, "
        "average: ema, class_weight: balanced, accumulate: 2, checkpoint: {every_steps: 3}}}",
        place("rows.csv", ""));
    bp_status status = resume ? bp_config_open(&cfg, ctx, resume) : bp_config_parse(&cfg, ctx, text);
    if (status == BP_OK && resume) status = bp_config_assign(cfg, steps);
    bp_run_options o = {.size = sizeof o, .out = out, .resume = resume};
    if (status == BP_OK) status = bp_config_set_run(cfg, &o);
    if (status == BP_OK) status = bp_train(&run, cfg, NULL);
    char *json = NULL;
    if (status == BP_OK) status = bp_run_json(run, &json);
    bp_free(ctx, json);
    bp_run_free(run);
    bp_config_free(cfg);
    return status;
}

/* Both trainings once with request n failing; true: there were so many. */
static bool with_fault(int64_t n, bool resumed, const char *weights) {
    memory m = {.fails_at = n}, sound = {.fails_at = -1};
    bp_context_options o = {
        .size = sizeof o, .threads = 1, .allocate = allocate, .resize = resize, .release = release, .user = &m};
    bp_context *ctx = NULL, *reader = NULL;
    char out[400], from[400], to[] = "run";
    snprintf(out, sizeof out, "%s", place("run", ""));
    empty(out);
    if (resumed) {
        assert_int_equal(bp_context_new(&reader, &(bp_context_options){.size = sizeof o, .threads = 1}), BP_OK);
        assert_int_equal(bp__dir_make(reader, out), BP_OK);
        snprintf(from, sizeof from, "%s", place("cut", ""));
        each_file(from, copy_one, to);
        bp_context_free(reader);
    }
    bp_status status = bp_context_new(&ctx, &o);
    if (status == BP_OK) status = train(ctx, resumed ? NULL : out, resumed ? out : NULL);
    bool failed = m.requests >= n;
    if (status != BP_OK && status != BP_MEMORY) fail_msg("request %lld: %s", (long long)n, bp_context_error(ctx));
    if (status != BP_OK && ctx && !strstr(bp_context_error(ctx), "memory"))
        fail_msg("request %lld: the sentence is: %s", (long long)n, bp_context_error(ctx));
    bp_context_free(ctx);
    if (m.live != 0) print_message("request %lld: %lld blocks are left\n", (long long)n, (long long)m.live);
    o.user = &sound;
    assert_int_equal(bp_context_new(&reader, &o), BP_OK);
    each_file(out, check_one, reader);
    if (n % 25 == 0 && status != BP_OK &&
        bp__file_exists(place("run", "config.yaml"))) { /* then it can be gone on with, to the same bits */
        if (train(reader, NULL, out) != BP_OK) fail_msg("request %lld, then resumed: %s", (long long)n, bp_context_error(reader));
        bp__tree *t = NULL;
        assert_int_equal(bp__json_parse_file(reader, place("run", "record.json"), 0, &t), BP_OK);
        if (strcmp(bp__tree_get(t, "weights_sha256")->text, weights) != 0) fail_msg("request %lld: other weights", (long long)n);
        bp__tree_free(reader, t);
    }
    bp_context_free(reader);
    return failed;
}

static void set_up(char weights[65]) {
    FILE *f = fopen(place("rows.csv", ""), "wb");
    assert_non_null(f);
    fprintf(f, "a,b,y\n");
    for (int i = 0; i < 24; i++) fprintf(f, "%d,%d.5,%s\n", i * 7 % 5, i * 3 % 7, i % 3 ? "no" : "yes");
    assert_int_equal(fclose(f), 0);
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    assert_int_equal(train(ctx, place("cut", ""), NULL), BP_OK);
    assert_int_equal(train(ctx, place("whole", ""), NULL), BP_OK);
    assert_int_equal(train(ctx, NULL, place("whole", "")), BP_OK);
    bp__tree *t = NULL;
    assert_int_equal(bp__json_parse_file(ctx, place("whole", "record.json"), 0, &t), BP_OK);
    snprintf(weights, 65, "%s", bp__tree_get(t, "weights_sha256")->text);
    bp__tree_free(ctx, t);
    bp_context_free(ctx);
}

static void allocations(void **state) {
    (void)state;
    char weights[65];
    set_up(weights);
    for (int resumed = 0; resumed < 2; resumed++) {
        int64_t n = 1;
        while (with_fault(n, resumed, weights)) n += STRIDE;
        print_message("%s: %lld requests, of which %s failed\n", resumed ? "resumed" : "trained", (long long)n - 1,
                      STRIDE == 1 ? "each" : "one in 13");
        assert_true(n > 1000);
    }
    const char *const left[] = {"run", "cut", "whole"};
    for (int i = 0; i < 3; i++) empty(place(left[i], ""));
    unlink(place("rows.csv", ""));
    assert_int_equal(rmdir(home), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(allocations)};
    snprintf(home, sizeof home, "%s/bp-faults-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(home)) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
