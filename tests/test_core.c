/* src/core: context, memory, failing allocations, trees, the floating-point environment. */
#include "support/core_help.h"
#include "core/cpu.h"
#include "core/tree.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Hooks that count and fail ---- */

typedef struct hooks {
    int64_t n_calls, fail_at, n_live; /* fail_at: from 1; 0: never */
    char log[2048];
} hooks;

static void *hook_allocate(size_t bytes, void *user) {
    hooks *h = user;
    if (++h->n_calls == h->fail_at) return NULL;
    void *p = malloc(bytes);
    h->n_live += p != NULL;
    return p;
}
static void *hook_resize(void *p, size_t bytes, void *user) {
    hooks *h = user;
    if (++h->n_calls == h->fail_at) return NULL;
    return realloc(p, bytes);
}
static void hook_release(void *p, void *user) {
    ((hooks *)user)->n_live--;
    free(p);
}
static void hook_log(bp_log_level level, const char *message, void *user) {
    (void)level;
    snprintf(((hooks *)user)->log, sizeof((hooks *)user)->log, "%s", message);
}

static bp_context_options hooked(hooks *h) {
    return (bp_context_options){.size = sizeof(bp_context_options),
                                .allocate = hook_allocate,
                                .resize = hook_resize,
                                .release = hook_release,
                                .log = hook_log,
                                .user = h,
                                .threads = 2};
}

/* ---- Context ---- */

static void test_context(void **unused) {
    (void)unused;
    bp_context *ctx = context();
    assert_true(bp_context_threads(ctx) >= 1);
    assert_string_equal(bp_context_isa(ctx), bp_isa_usable(0));
    assert_null(bp__context_isa_wanted(ctx));
    assert_true(bp__context_passes(ctx));
    assert_string_equal(bp_context_error(ctx), "");
    assert_int_equal(bp__fail_at(ctx, BP_DATA, (bp__where){"bad_cell", "a.csv", 7, "look"}, "cell %d", 3), BP_DATA);
    assert_int_equal(bp__fail(ctx, BP_IO, "second"), BP_IO);
    assert_string_equal(bp_context_error(ctx), "cell 3");
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    assert_int_equal(e.status, BP_DATA);
    assert_string_equal(e.code, "bad_cell");
    assert_string_equal(e.file, "a.csv");
    assert_string_equal(e.hint, "look");
    assert_int_equal(e.line, 7);
    bp_context_clear_error(ctx);
    bp__fail(ctx, BP_NOT_FOUND, "gone");
    bp_context_get_error(ctx, &e);
    assert_string_equal(e.code, "NOT_FOUND");
    assert_null(e.file);
    bp_context_clear_error(ctx);
    char *long_text = malloc(5000);
    memset(long_text, 'x', 4999);
    long_text[4999] = 0;
    for (int i = 0; i + 1 < 4999; i += 2) memcpy(long_text + i, "ä", 2);
    bp__fail(ctx, BP_DATA, "y%s", long_text);
    const char *text = bp_context_error(ctx);
    size_t n = strlen(text);
    assert_true(n < 1024 && n > 1000);
    assert_string_equal(text + n - 3, "…");
    assert_string_equal(text + n - 5, "ä…");
    free(long_text);
    assert_non_null(strstr(bp_context_error(NULL), "BP_ISA"));
    bp_context_free(ctx);
    bp_context_free(NULL);
    assert_string_equal(bp_status_name(BP_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(bp_status_text(BP_MEMORY), "out of memory");
    assert_non_null(bp_status_text((bp_status)99));
    assert_string_equal(bp_dtype_name(BP_I64), "i64");
    assert_int_equal(bp_dtype_size(BP_U8), 1);
}

static void expect_refused(const bp_context_options *o, hooks *h, const char *part) {
    bp_context *ctx = (bp_context *)h;
    h->log[0] = 0;
    assert_int_equal(bp_context_new(&ctx, o), BP_INVALID);
    assert_null(ctx);
    if (!strstr(h->log, part)) fail_msg("'%s' lacks '%s'", h->log, part);
    assert_int_equal(h->n_live, 0);
}

static void test_options(void **unused) {
    (void)unused;
    hooks h = {0};
    bp_context_options o = hooked(&h);
    bp_context *ctx;
    o.isa = "scalar";
    o.has_seed = 1;
    o.seed = 77;
    o.no_passes = 1;
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    assert_string_equal(bp_context_isa(ctx), "scalar");
    assert_string_equal(bp__context_isa_wanted(ctx), "scalar");
    assert_int_equal(bp__context_seed(ctx), 77);
    assert_int_equal(bp_context_threads(ctx), 2);
    assert_false(bp__context_passes(ctx));
    bp_context_free(ctx);
    o.isa = "sse9";
    expect_refused(&o, &h, "usable here: ");
    expect_refused(&o, &h, "sse9");
#if defined(__x86_64__)
    o.isa = "neon";
    expect_refused(&o, &h, "cannot run the instruction set 'neon'");
#endif
    o.isa = NULL;
    o.threads = -1;
    expect_refused(&o, &h, "-1");
    o.threads = 0;
    o.release = NULL;
    expect_refused(&o, &h, "all three");
    o.release = hook_release;
    static const char *const bad[][2] = {
        {"BP_THREADS", "two"}, {"BP_THREADS", "-1"}, {"BP_THREADS", "5000"}, {"BP_ISA", "mmx"}, {"BP_PASSES", "some"}};
    for (int64_t i = 0; i < BP__COUNT(bad); i++) {
        setenv(bad[i][0], bad[i][1], 1);
        expect_refused(&o, &h, bad[i][0]);
        unsetenv(bad[i][0]);
    }
    setenv("BP_THREADS", "3", 1);
    setenv("BP_ISA", "scalar", 1);
    setenv("BP_PASSES", "none", 1);
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    assert_int_equal(bp_context_threads(ctx), 3);
    assert_string_equal(bp_context_isa(ctx), "scalar");
    assert_false(bp__context_passes(ctx));
    bp_context_free(ctx);
    unsetenv("BP_THREADS");
    unsetenv("BP_ISA");
    unsetenv("BP_PASSES");
    assert_int_equal(h.n_live, 0);
    int n = 0;
    while (bp_isa_usable(n)) n++;
    assert_string_equal(bp_isa_usable(n - 1), "scalar");
    assert_null(bp_isa_usable(-1));
}

/* ---- Memory ---- */

static void test_memory(void **unused) {
    (void)unused;
    bp_context *ctx = context();
    assert_null(bp__alloc(ctx, SIZE_MAX - 3));
    for (size_t size = 0; size < 3000; size += 37) {
        unsigned char *p = bp__zalloc(ctx, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(p[i], 0);
        for (size_t i = 0; i < size; i++) p[i] = (unsigned char)(i * 7);
        size_t bigger = size * 50 + 11;
        p = bp__resize(ctx, p, size, bigger);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(p[i], (unsigned char)(i * 7));
        memset(p + size, 1, bigger - size);
        p = bp__resize(ctx, p, bigger, size / 2);
        for (size_t i = 0; i < size / 2; i++) assert_int_equal(p[i], (unsigned char)(i * 7));
        bp_free(ctx, p);
    }
    bp_free(ctx, NULL);
    int *items = NULL;
    int64_t count = 0, capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(BP__GROW(ctx, items, count, capacity), BP_OK);
        items[count++] = i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(items[i], i);
    bp__free(ctx, items);
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    for (int i = 0; i < 300; i++) bp__buffer_printf(&b, "%d,", i);
    bp__buffer_printf(&b, "%0500d", 5);
    bp__buffer_text(&b, "end");
    char *text;
    assert_int_equal(b.size, strlen(b.data));
    assert_int_equal(bp__buffer_take(&b, &text), BP_OK);
    assert_memory_equal(text, "0,1,2,3", 7);
    assert_string_equal(text + strlen(text) - 4, "5end");
    bp__free(ctx, text);
    assert_int_equal(bp__buffer_take(&b, &text), BP_OK);
    assert_string_equal(text, "");
    bp__free(ctx, text);
    bp_context_free(ctx);
}

static bp__tree *sample_tree(bp_context *ctx) {
    bp__tree *t = bp__tree_new(ctx, BP__MAP), *list = bp__tree_new(ctx, BP__LIST);
    if (!t || !list) goto failed;
    if (bp__tree_append(ctx, list, bp__tree_text(ctx, "relu")) || bp__tree_append(ctx, list, bp__tree_int(ctx, 64))) goto failed;
    if (bp__tree_put(ctx, t, "lr", bp__tree_number(ctx, 0.001)) || bp__tree_put(ctx, t, "on", bp__tree_bool(ctx, true)))
        goto failed;
    bp_status status = bp__tree_put(ctx, t, "model", list);
    list = NULL;
    if (status) goto failed;
    return t;
failed:
    bp__tree_free(ctx, t);
    bp__tree_free(ctx, list);
    return NULL;
}

/* Everything that allocates, once with each allocation refused: a clear error, and nothing left behind. */
static bool all_allocations(bp_context *ctx) {
    bool ok = true;
    bp__tree *t = sample_tree(ctx), *copy = bp__tree_copy(ctx, t);
    ok = ok && t && copy && bp__tree_equal(t, copy);
    bp__tree_free(ctx, t);
    bp__tree_free(ctx, copy);
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    for (int i = 0; i < 200; i++) bp__buffer_text(&b, "0123456789");
    bp__buffer_printf(&b, "%0900d", 1);
    char *text = NULL;
    ok = bp__buffer_take(&b, &text) == BP_OK && ok && strlen(text) == 2900;
    bp__free(ctx, text);
    int64_t *items = NULL, count = 0, capacity = 0;
    for (int i = 0; ok && i < 100; i++) {
        ok = BP__GROW(ctx, items, count, capacity) == BP_OK;
        if (ok) items[count++] = i;
    }
    bp__free(ctx, items);
    char *s = bp__strdup(ctx, "word");
    ok = ok && s;
    bp__free(ctx, s);
    return ok;
}

static void test_nth_allocation(void **unused) {
    (void)unused;
    int64_t n_failed = 0, n_refused = 0;
    for (int64_t n = 1;; n++) {
        hooks h = {.fail_at = n};
        bp_context_options o = hooked(&h);
        bp_context *ctx;
        bp_status status = bp_context_new(&ctx, &o);
        bool ok = false;
        if (status == BP_OK) {
            ok = all_allocations(ctx);
            if (!ok) n_failed++;
            bp_context_free(ctx);
        } else {
            n_refused++;
            assert_int_equal(status, BP_MEMORY);
            assert_null(ctx);
        }
        assert_int_equal(h.n_live, 0);
        assert_int_equal(ok, h.n_calls < n);
        if (ok) break;
    }
    assert_true(n_refused >= 3 && n_failed >= 20);
}

/* ---- Trees ---- */

static void test_tree(void **unused) {
    (void)unused;
    bp_context *ctx = context();
    bp__tree *t = sample_tree(ctx), *copy = bp__tree_copy(ctx, t);
    assert_int_equal(bp__tree_count(t), 3);
    assert_true(bp__tree_equal(t, copy));
    assert_string_equal(bp__tree_at(bp__tree_get(t, "model"), 0)->text, "relu");
    assert_null(bp__tree_at(bp__tree_get(t, "model"), 2));
    assert_null(bp__tree_get(t, "nothing"));
    assert_null(bp__tree_get(bp__tree_get(t, "model"), "lr"));
    assert_int_equal(bp__tree_put(ctx, copy, "lr", bp__tree_number(ctx, 0.002)), BP_OK);
    assert_false(bp__tree_equal(t, copy));
    assert_ptr_equal(copy->child, bp__tree_get(copy, "lr")); /* in its old place */
    assert_int_equal(bp__tree_count(copy), 3);
    assert_int_equal(bp__tree_append(ctx, bp__tree_get(copy, "lr"), bp__tree_int(ctx, 1)), BP_INTERNAL);
    bp_context_clear_error(ctx);
    bp__tree_free(ctx, copy);
    bp__tree *one = bp__tree_int(ctx, 1), *also = bp__tree_number(ctx, 1.0), *big = bp__tree_int(ctx, (INT64_C(1) << 53) + 1),
             *round = bp__tree_number(ctx, 0x1p53);
    assert_true(bp__tree_equal(one, also));
    assert_false(bp__tree_equal(big, round));
    assert_false(bp__tree_equal(one, NULL));
    bp__tree_free(ctx, one);
    bp__tree_free(ctx, also);
    bp__tree_free(ctx, big);
    bp__tree_free(ctx, round);
    bp__tree *a = bp__tree_new(ctx, BP__MAP), *b = bp__tree_new(ctx, BP__NULL); /* order of keys; a null becomes a mapping */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bp__tree_put(ctx, a, i ? "x" : "y", bp__tree_int(ctx, i)), BP_OK);
        assert_int_equal(bp__tree_put(ctx, b, i ? "y" : "x", bp__tree_int(ctx, !i)), BP_OK);
    }
    assert_true(bp__tree_equal(a, b));
    bp__tree_free(ctx, a);
    bp__tree_free(ctx, b);
    bp__tree *deep = bp__tree_new(ctx, BP__LIST), *inner = deep; /* freeing does not recurse */
    for (int i = 0; i < 200000; i++) {
        inner->child = bp__tree_new(ctx, BP__LIST);
        inner = inner->child;
    }
    bp__tree_free(ctx, deep);
    bp__tree_free(ctx, t);
    bp_context_free(ctx);
}

/* ---- Floating-point environment ---- */

static void test_fpenv(void **unused) {
    (void)unused;
    volatile double tiny = DBL_MIN, half = 0.5, result = tiny * half;
    assert_true(result > 0);
    bp__fpenv e = bp__fpenv_enter();
    result = tiny * half;
#if defined(__x86_64__) || defined(__aarch64__)
    assert_true(same(result, 0.0));
#endif
    bp__fpenv inner = bp__fpenv_enter();
    bp__fpenv_leave(inner);
    bp__fpenv_leave(e);
    result = tiny * half;
    assert_true(result > 0);
    bp__cpu cpu = bp__cpu_detect();
    assert_true(cpu.n_cores >= 1 && cpu.name[0]);
    print_message("%s, %d cores, fma %d avx2 %d avx512 %d bf16 %d neon %d\n", cpu.name, cpu.n_cores, cpu.fma, cpu.avx2,
                  cpu.avx512, cpu.avx512_bf16, cpu.neon);
}

int main(void) {
    unsetenv("BP_ISA");
    unsetenv("BP_THREADS");
    unsetenv("BP_PASSES");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_context), cmocka_unit_test(test_options),
                                       cmocka_unit_test(test_memory),  cmocka_unit_test(test_nth_allocation),
                                       cmocka_unit_test(test_tree),    cmocka_unit_test(test_fpenv)};
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
