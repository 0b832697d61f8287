/* Files, run directories, locks, safetensors, hashes, event files. */
#define _XOPEN_SOURCE 700 /* for SIGXFSZ */
#include "io/files.h"
#include "io/safetensors.h"
#include "io/sha256.h"
#include "io/tfevents.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bp_context *ctx;
static char dir[] = "/tmp/bp_test_io_XXXXXX";

static int set_up(void **state) {
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    return mkdtemp(dir) != NULL && bp_context_new(&ctx, NULL) == BP_OK ? 0 : -1;
}

static int tear_down(void **state) {
    char command[64];
    (void)state;
    bp_context_free(ctx);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static const char *in_dir(const char *name) {
    static char path[4][512];
    static int next;
    char *p = path[next++ % 4];
    (void)snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void assert_error(bp_status status, bp_status expected, const char *words) {
    if (status != expected) fail_msg("status %d instead of %d: %s", (int)status, (int)expected, bp_context_error(ctx));
    if (strstr(bp_context_error(ctx), words) == NULL) fail_msg("'%s' does not say '%s'", bp_context_error(ctx), words);
    bp_context_clear_error(ctx);
}

static void assert_content(const char *path, const char *expected) {
    char *text;
    size_t n;
    if (bp__file_read_all(ctx, path, 0, &text, &n) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
    bp__free(ctx, text);
}

static int count_entries(void) {
    char command[80];
    int n = -1;
    (void)snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    (void)pclose(f);
    return n;
}

/* ---- Files -------------------------------------------------------------------------------------------------------- */

static void test_reading(void **state) {
    (void)state;
    char *text;
    size_t n;
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("adult.csv"), "a,b\n", 4), BP_OK);
    assert_content(in_dir("adult.csv"), "a,b\n");
    bp_status status = bp__file_read_all(ctx, in_dir("adlut.csv"), 0, &text, &n);
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    assert_non_null(e.hint);
    assert_non_null(strstr(e.hint, "did you mean 'adult.csv'"));
    assert_error(status, BP_NOT_FOUND, "does not exist");
    assert_error(bp__file_read_all(ctx, in_dir("no/such"), 0, &text, &n), BP_NOT_FOUND, "does not exist");
    assert_error(bp__file_read_all(ctx, dir, 0, &text, &n), BP_IO, "is a directory");
    assert_error(bp__file_read_all(ctx, in_dir("adult.csv"), 3, &text, &n), BP_DATA, "larger than");
    assert_int_equal(bp__file_read_all(ctx, in_dir("adult.csv"), 4, &text, &n), BP_OK);
    assert_int_equal(n, 4);
    bp__free(ctx, text);
    assert_error(bp__file_read_all(ctx, "/dev/zero", 100000, &text, &n), BP_DATA, "larger than");
    assert_int_equal(bp__file_read_all(ctx, "/dev/null", 0, &text, &n), BP_OK);
    assert_int_equal(n, 0);
    bp__free(ctx, text);
    if (geteuid() != 0) {
        assert_int_equal(chmod(in_dir("adult.csv"), 0), 0);
        assert_error(bp__file_read_all(ctx, in_dir("adult.csv"), 0, &text, &n), BP_IO, "denied");
    }
}

static void test_writing(void **state) {
    (void)state;
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("a"), "one", 3), BP_OK);
    assert_int_equal(chmod(in_dir("a"), 0640), 0);
    assert_int_equal(symlink("a", in_dir("link")), 0);
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("link"), "two", 3), BP_OK);
    struct stat st;
    assert_int_equal(lstat(in_dir("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(in_dir("a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_content(in_dir("a"), "two");
    assert_int_equal(bp__file_append(ctx, in_dir("a"), "!\n", 2), BP_OK);
    assert_content(in_dir("a"), "two!\n");
    bp__bytes parts[3] = {{"x", 1, NULL}, {"", 0, NULL}, {"yz", 2, NULL}};
    assert_int_equal(bp__file_write_parts(ctx, in_dir("p"), parts, 3), BP_OK);
    assert_content(in_dir("p"), "xyz");
    assert_int_equal(bp__file_write_atomic(ctx, "/dev/null", "x", 1), BP_OK);
    if (bp__file_exists("/dev/full")) {
        assert_error(bp__file_write_atomic(ctx, "/dev/full", "x", 1), BP_IO, "no space left");
        assert_error(bp__file_append(ctx, "/dev/full", "x", 1), BP_IO, "no space left");
    }
    assert_error(bp__file_write_atomic(ctx, in_dir("none/x"), "x", 1), BP_IO, "no such file");
    assert_error(bp__file_write_atomic(ctx, dir, "x", 1), BP_IO, "is a directory");
    assert_error(bp__file_write_atomic(ctx, "", "x", 1), BP_IO, "cannot write");
    assert_error(bp__file_write_atomic(ctx, in_dir("a/x"), "x", 1), BP_IO, "not a directory");
    if (geteuid() != 0) {
        assert_int_equal(mkdir(in_dir("shut"), 0500), 0);
        assert_error(bp__file_write_atomic(ctx, in_dir("shut/x"), "x", 1), BP_IO, "denied");
        assert_int_equal(rmdir(in_dir("shut")), 0);
    }
    assert_int_equal(bp__file_rename(ctx, in_dir("p"), in_dir("q")), BP_OK);
    assert_error(bp__file_rename(ctx, in_dir("p"), in_dir("q")), BP_IO, "cannot rename");
    assert_int_equal(count_entries(), 3); /* a, link, q: no temporary file is left */
}

/* A limit on the size of files stands for a full disk: the old content must survive, and nothing else be left. */
static void test_full_disk(void **state) {
    (void)state;
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("a"), "old", 3), BP_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static char big[1 << 20];
        struct rlimit limit = {4096, 4096};
        if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        _exit(bp__file_write_atomic(ctx, in_dir("a"), big, sizeof big) == BP_IO ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    assert_content(in_dir("a"), "old");
    assert_int_equal(count_entries(), 1);
}

static void test_paths(void **state) {
    (void)state;
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {".", "b", "b"}, {"a", "/b", "/b"}};
    static const char *const folders[][2] = {{"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"a//b", "a"}, {"/x/y", "/x"}};
    for (int64_t i = 0; i < BP__COUNT(joins); i++) {
        char *p = bp__path_join(ctx, joins[i][0], joins[i][1]);
        assert_string_equal(p, joins[i][2]);
        bp__free(ctx, p);
    }
    for (int64_t i = 0; i < BP__COUNT(folders); i++) {
        char *p = bp__path_folder(ctx, folders[i][0]);
        assert_string_equal(p, folders[i][1]);
        bp__free(ctx, p);
    }
}

static void test_run_directories(void **state) {
    (void)state;
    char *path, target[64];
    for (int i = 1; i <= 3; i++) {
        char expected[64];
        if (i == 3) assert_int_equal(bp__file_write_atomic(ctx, in_dir("x/runs/adult-0003"), "", 0), BP_OK);
        assert_int_equal(bp__dir_number(ctx, in_dir("x/runs"), "adult", &path), BP_OK);
        int number = i == 3 ? 4 : i;
        (void)snprintf(expected, sizeof expected, "adult-000%d", number);
        assert_string_equal(bp__path_base(path), expected);
        assert_true(bp__file_is_dir(path));
        bp__free(ctx, path);
        ssize_t n = readlink(in_dir("x/runs/latest"), target, sizeof target - 1);
        assert_true(n > 0);
        target[n] = '\0';
        assert_string_equal(target, expected);
    }
    assert_int_equal(bp__dir_number(ctx, in_dir("x/runs"), "a b/c", &path), BP_OK);
    assert_string_equal(bp__path_base(path), "a-b-c-0001");
    bp__free(ctx, path);
    assert_int_equal(bp__dir_make(ctx, in_dir("x/runs/")), BP_OK);
    assert_error(bp__dir_make(ctx, in_dir("x/runs/adult-0003/y")), BP_IO, "not a directory");
}

static void test_lock(void **state) {
    (void)state;
    bp__lock lock, other;
    char *text, line[400], host[200];
    size_t n;
    assert_int_equal(gethostname(host, sizeof host), 0);
    assert_int_equal(bp__lock_take(ctx, dir, &lock), BP_OK);
    assert_int_equal(bp__file_read_all(ctx, in_dir("lock"), 0, &text, &n), BP_OK);
    (void)snprintf(line, sizeof line, "%ld %s ", (long)getpid(), host);
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
    bp__free(ctx, text);
    assert_error(bp__lock_take(ctx, dir, &other), BP_IO, "in use by process");
    pid_t child = fork();
    if (child == 0) _exit(bp__lock_take(ctx, dir, &other) == BP_IO ? 0 : 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(WEXITSTATUS(result), 0);
    bp__lock_release(ctx, &lock);
    bp__lock_release(ctx, &lock);
    assert_false(bp__file_exists(in_dir("lock")));
    /* `child` is dead now: its lock is stale. Another host's and a living process's are not; a reused number is. */
    (void)snprintf(line, sizeof line, "%ld %s\n", (long)child, host);
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("lock"), line, strlen(line)), BP_OK);
    assert_int_equal(bp__lock_take(ctx, dir, &lock), BP_OK);
    bp__lock_release(ctx, &lock);
    (void)snprintf(line, sizeof line, "%ld %s\n", (long)child, "elsewhere.example");
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("lock"), line, strlen(line)), BP_OK);
    assert_error(bp__lock_take(ctx, dir, &lock), BP_IO, "elsewhere.example");
    (void)snprintf(line, sizeof line, "%ld %s\n", (long)getppid(), host);
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("lock"), line, strlen(line)), BP_OK);
    assert_error(bp__lock_take(ctx, dir, &lock), BP_IO, "in use");
    (void)snprintf(line, sizeof line, "%ld %s 1\n", (long)getppid(), host);
    if (bp__file_exists("/proc/self/stat")) {
        assert_int_equal(bp__file_write_atomic(ctx, in_dir("lock"), line, strlen(line)), BP_OK);
        assert_int_equal(bp__lock_take(ctx, dir, &lock), BP_OK);
        bp__lock_release(ctx, &lock);
    }
    assert_int_equal(bp__file_write_atomic(ctx, in_dir("lock"), "", 0), BP_OK);
    assert_int_equal(bp__lock_take(ctx, dir, &lock), BP_OK);
    bp__lock_release(ctx, &lock);
    assert_error(bp__lock_take(ctx, in_dir("none"), &lock), BP_IO, "cannot lock");
}

/* ---- Safetensors -------------------------------------------------------------------------------------------------- */

static const float f32[3] = {1.5f, -2, 3};
static const double f64[2] = {0.1, -7};
static const int64_t i64[1] = {-5};
static const uint8_t u8[3] = {1, 2, 255};
static const int32_t i32[2] = {7, -8};
static const uint16_t f16[6] = {0x3C00, 0xC000, 0x0001, 0x7C00, 0x8000, 0x3555};
static const uint16_t bf16[2] = {0x3F80, 0xC0A0};

static int make_tensors(bp__st_tensor *t) {
    int n = 0;
    t[n++] = (bp__st_tensor){"2.u", BP__ST_U8, 1, {3}, u8, 3, NULL};
    t[n++] = (bp__st_tensor){"0.weight", BP__ST_F32, 2, {1, 3}, f32, 12, NULL};
    t[n++] = (bp__st_tensor){"10.x", BP__ST_F64, 1, {2}, f64, 16, NULL};
    t[n++] = (bp__st_tensor){"1.num_batches_tracked", BP__ST_I64, 0, {0}, i64, 8, NULL};
    t[n++] = (bp__st_tensor){"e", BP__ST_F32, 3, {4, 0, 2}, NULL, 0, NULL};
    t[n++] = (bp__st_tensor){"i", BP__ST_I32, 1, {2}, i32, 8, NULL};
    t[n++] = (bp__st_tensor){"h", BP__ST_F16, 1, {6}, f16, 12, NULL};
    t[n++] = (bp__st_tensor){"b\xC3\xA9\"", BP__ST_BF16, 2, {2, 1}, bf16, 4, NULL};
    return n;
}

static void test_safetensors(void **state) {
    (void)state;
    bp__st_tensor t[16];
    int n = make_tensors(t);
    bp__st_meta meta[2] = {{"format", "pt"}, {"backprop", "{\"a\": \"\xC3\xA9\\n\"}"}};
    assert_int_equal(bp__safetensors_write(ctx, in_dir("m"), t, n, meta, 2), BP_OK);
    bp__st_file *f;
    if (bp__safetensors_open(ctx, in_dir("m"), &f) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    assert_int_equal(f->n_tensors, n);
    assert_string_equal(f->tensors[0].name, "0.weight");
    assert_string_equal(f->tensors[1].name, "1.num_batches_tracked");
    assert_string_equal(bp__safetensors_meta(f, "format"), "pt");
    assert_string_equal(bp__safetensors_meta(f, "backprop"), meta[1].value);
    assert_null(bp__safetensors_meta(f, "none"));
    assert_null(bp__safetensors_find(f, "none"));
    for (int i = 0; i < n; i++) {
        const bp__st_tensor *r = bp__safetensors_find(f, t[i].name);
        assert_non_null(r);
        assert_int_equal(r->dtype, t[i].dtype);
        assert_int_equal(r->n_dims, t[i].n_dims);
        for (int d = 0; d < r->n_dims; d++) assert_int_equal(r->dims[d], t[i].dims[d]);
        assert_int_equal(r->n_bytes, t[i].n_bytes);
        assert_int_equal((uintptr_t)r->data % bp__st_dtype_size(r->dtype), 0);
        if (r->n_bytes > 0) assert_memory_equal(r->data, t[i].data, r->n_bytes);
    }
    float out[6];
    bp__st_to_f32(bp__safetensors_find(f, "h"), out);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-24f && isinf(out[3]) && out[4] == 0 && signbit(out[4]));
    assert_true(out[5] == 0x1.554p-2f);
    bp__st_to_f32(bp__safetensors_find(f, t[7].name), out);
    assert_true(out[0] == 1 && out[1] == -5);
    double wide[3];
    bp__st_to_f64(bp__safetensors_find(f, "2.u"), wide);
    assert_true(wide[2] == 255);
    char a[BP__SHA256_HEX], b[BP__SHA256_HEX];
    assert_int_equal(bp__weights_sha256(ctx, f->tensors, f->n_tensors, a), BP_OK);
    assert_int_equal(bp__weights_sha256(ctx, t, n, b), BP_OK);
    assert_string_equal(a, b);
    bp__safetensors_close(f);
    /* The same content in another order gives the same file. */
    char first[BP__SHA256_HEX], second[BP__SHA256_HEX];
    assert_int_equal(bp__sha256_file(ctx, in_dir("m"), first), BP_OK);
    for (int i = 0; i < n / 2; i++) {
        bp__st_tensor swap = t[i];
        t[i] = t[n - 1 - i];
        t[n - 1 - i] = swap;
    }
    bp__st_meta reversed[2] = {meta[1], meta[0]};
    assert_int_equal(bp__safetensors_write(ctx, in_dir("m2"), t, n, reversed, 2), BP_OK);
    assert_int_equal(bp__sha256_file(ctx, in_dir("m2"), second), BP_OK);
    assert_string_equal(first, second);
    /* What must not be written. */
    t[1].name = t[0].name;
    assert_error(bp__safetensors_write(ctx, in_dir("m3"), t, n, NULL, 0), BP_INVALID, "two tensors");
    t[1].name = "__metadata__";
    assert_error(bp__safetensors_write(ctx, in_dir("m3"), t, n, NULL, 0), BP_INVALID, "keeps for itself");
    t[1].name = "ok";
    t[1].n_bytes++;
    assert_error(bp__safetensors_write(ctx, in_dir("m3"), t, n, NULL, 0), BP_INVALID, "another number of bytes");
    assert_false(bp__file_exists(in_dir("m3")));
    assert_int_equal(bp__safetensors_write(ctx, in_dir("none"), NULL, 0, NULL, 0), BP_OK);
    assert_int_equal(bp__safetensors_open(ctx, in_dir("none"), &f), BP_OK);
    bp__safetensors_close(f);
}

/* A file of this header and n bytes of data. */
static bp_status parse_parts(const char *header, size_t announced, size_t n, bp__st_file **out) {
    size_t length = strlen(header);
    uint64_t said = announced == 0 ? length : announced;
    char *bytes = bp__zalloc(ctx, 8 + length + n);
    memcpy(bytes, &said, 8);
    memcpy(bytes + 8, header, length);
    return bp__safetensors_parse(ctx, "m", bytes, 8 + length + n, out);
}

static void test_damage(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t announced, n;
        const char *words; /* NULL: fine */
    } cases[] = {
        {"{}", 0, 0, NULL},
        {"{}      ", 0, 0, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8, NULL},
        {"{\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":["
         "1,9]}}",
         0, 9, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_"
         "offsets\":[0,0]}}",
         0, 0, NULL},
        {"{}", 1u << 20, 0, "announce"},
        {"{}", SIZE_MAX, 0, "announce"},
        {"{}", 1, 0, "announce"},
        {" {}", 0, 0, "does not start with"},
        {"{\"a\":}", 0, 0, "no JSON"},
        {"{\"a\":\"\xFF\"}", 0, 0, "no JSON"},
        {"{\"a\":1}", 0, 0, "is not an object"},
        {"{\"__metadata__\":3}", 0, 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"a\":3}}", 0, 0, "the metadata 'a' is not text"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8, "no dtype"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8, "'F4', which is not supported"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 0, 8, "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 0, 8, "no list of sizes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 0, 8, "no list of sizes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 0, 8, "9 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4611686018427387904],\"data_offsets\":[0,8]}}", 0, 8,
         "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, 8, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8]}}", 0, 8, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 0, 8, "ends before it begins"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 7, "cut short"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 0, 8, "8 bytes where its shape and dtype need 12"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 9, "1 bytes at its end"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 0, 8, "hole of 4 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"
         "offsets\":[4,8]}}",
         0, 8, "overlaps"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
         "offsets\":[0,8]}}",
         0, 8, "twice"},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        bp__st_file *f = NULL;
        bp_status status = parse_parts(cases[i].header, cases[i].announced, cases[i].n, &f);
        if (cases[i].words == NULL) {
            if (status != BP_OK) fail_msg("%s: %s", cases[i].header, bp_context_error(ctx));
            bp__safetensors_close(f);
            continue;
        }
        if (status == BP_OK) fail_msg("accepted: %s", cases[i].header);
        assert_null(f);
        assert_error(status, strstr(cases[i].words, "supported") != NULL ? BP_UNSUPPORTED : BP_FORMAT, cases[i].words);
    }
    char deep[9001];
    bp__st_file *f;
    memset(deep, '[', 9000);
    deep[9000] = '\0';
    memcpy(deep, "{\"a\":", 5);
    assert_error(parse_parts(deep, 0, 0, &f), BP_FORMAT, "too deep");
    assert_error(bp__safetensors_parse(ctx, "m", bp__zalloc(ctx, 4), 4, &f), BP_FORMAT, "only 4 bytes");
}

static void test_mutations(void **state) {
    (void)state;
    bp__st_tensor t[16];
    int n = make_tensors(t);
    bp__st_meta meta = {"format", "pt"};
    assert_int_equal(bp__safetensors_write(ctx, in_dir("m"), t, n, &meta, 1), BP_OK);
    char *good;
    size_t size;
    assert_int_equal(bp__file_read_all(ctx, in_dir("m"), 0, &good, &size), BP_OK);
    uint64_t r = 7;
    int refused = 0;
    for (int i = 0; i < 20000; i++) {
        char *bytes = bp__alloc(ctx, size);
        memcpy(bytes, good, size);
        size_t length = size;
        for (int k = 0; k <= i % 4; k++) {
            r = r * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(r >> 33) % size;
            static const char digits[] = "0123456789[]{},:\"";
            bytes[at] = i % 2 == 0 ? (char)(r >> 20) : digits[(r >> 20) % (sizeof digits - 1)];
        }
        if (i % 16 == 0) length = (size_t)(r >> 40) % size;
        bp__st_file *f;
        bp_status status = bp__safetensors_parse(ctx, "m", bytes, length, &f);
        if (status != BP_OK) {
            assert_true(bp_context_error(ctx)[0] != '\0');
            bp_context_clear_error(ctx);
            refused++;
            continue;
        }
        /* Accepted: then every byte of it may be read. */
        char hash[BP__SHA256_HEX];
        assert_int_equal(bp__weights_sha256(ctx, f->tensors, f->n_tensors, hash), BP_OK);
        for (int64_t j = 0; j < f->n_tensors; j++) {
            double *out = bp__alloc(ctx, (size_t)bp__st_count(&f->tensors[j]) * sizeof *out);
            bp__st_to_f64(&f->tensors[j], out);
            bp__free(ctx, out);
        }
        bp__safetensors_close(f);
    }
    bp__free(ctx, good);
    assert_true(refused > 10000 && refused < 20000);
}

/* ---- Sums and events ---------------------------------------------------------------------------------------------- */

static void test_sums(void **state) {
    (void)state;
    char hex[BP__SHA256_HEX];
    bp__sha256_hex("abc", 3, hex); /* FIPS 180-4's example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    bp__sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(bp__crc32c("123456789", 9), 0xE3069283u);
    assert_error(bp__sha256_file(ctx, in_dir("none"), hex), BP_NOT_FOUND, "cannot read");
}

static void test_events(void **state) {
    (void)state;
    char *path, *text;
    size_t n, at = 0;
    const char *const tags[2] = {"train/loss", "lr"};
    const double values[2] = {0.5, 0.25};
    assert_int_equal(bp__tfevents_new(ctx, dir, 1e9, &path), BP_OK);
    assert_string_equal(bp__path_base(path), "events.out.tfevents.1000000000.backprop.0");
    assert_int_equal(bp__tfevents_add(ctx, path, 1e9 + 1, 300, tags, values, 2), BP_OK);
    assert_int_equal(bp__file_read_all(ctx, path, 0, &text, &n), BP_OK);
    int records = 0;
    for (; at < n; records++) { /* length, its sum, content, its sum */
        uint64_t length;
        memcpy(&length, text + at, 8);
        assert_true(at + 16 + length <= n);
        at += 16 + (size_t)length;
    }
    assert_int_equal(records, 2);
    assert_int_equal(at, n);
    assert_memory_equal(text + n - 4 - 35,
                        "\x10\xAC\x02\x2A\x1E\x0A\x11\x0A\x0Atrain/loss\x15\0\0\0\x3F\x0A\x09\x0A\x02lr\x15\0\0\x80\x3E", 35);
    bp__free(ctx, text);
    bp__free(ctx, path);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_reading),         TEST(test_writing), TEST(test_full_disk),   TEST(test_paths),
        TEST(test_run_directories), TEST(test_lock),    TEST(test_safetensors), TEST(test_damage),
        TEST(test_mutations),       TEST(test_sums),    TEST(test_events),
    };
    return cmocka_run_group_tests_name("io_files", tests, NULL, NULL) == 0 ? 0 : 1;
}
