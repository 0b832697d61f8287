/* src/core: context, memory, text, numbers, random numbers, trees, the floating-point environment. */
#include "core/core.h"
#include "core/cpu.h"
#include "core/math64.h"
#include "core/rng.h"
#include "core/tree.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

static bp_context *context(void) {
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    return ctx;
}

static uint64_t state = 88172645463325252u; /* xorshift: independent of what is tested */
static uint64_t next_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
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

/* ---- Text ---- */

static void test_nearest(void **unused) {
    (void)unused;
    static const char *const names[] = {"epochs", "batch_size", "dropout", "relu", "lr"};
    assert_string_equal(bp__nearest("epoch", names, 5), "epochs");
    assert_string_equal(bp__nearest("eopchs", names, 5), "epochs");
    assert_string_equal(bp__nearest("Batch-Size", names, 5), "batch_size");
    assert_string_equal(bp__nearest("dropuot", names, 5), "dropout");
    assert_string_equal(bp__nearest("lr", names, 5), "lr");
    assert_null(bp__nearest("wibble", names, 5));
    assert_null(bp__nearest("", names, 5));
    assert_null(bp__nearest("x", names, 0));
    assert_string_equal(bp__nearest("batch", names, 5), "batch_size"); /* the beginning of a name */
    assert_string_equal(bp__nearest("dropout_rate_of_the_net", names, 5), "dropout");
    char hint[64];
    assert_string_equal(bp__name_hint(hint, sizeof hint, "eopchs", names, 5), "did you mean `epochs`?");
    assert_string_equal(bp__name_hint(hint, 24, "wibble", names, 5), "known are epochs, …");
    assert_string_equal(bp__name_hint(hint, sizeof hint, "wibble", names, 1), "known is epochs");
    assert_null(bp__name_hint(hint, sizeof hint, "wibble", names, 0));
}

static bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static void check_parse(const char *s) {
    double got, wanted = strtod(s, NULL);
    if (!bp__parse_f64(s, strlen(s), true, &got) || !same(got, wanted)) fail_msg("%s reads as %a, not %a", s, got, wanted);
}

static void test_parse(void **unused) {
    (void)unused;
    static const char *const good[] = {
        "0",
        "-0",
        "1",
        "+1.5",
        ".5",
        "5.",
        "1e3",
        "1E-3",
        "00012.500",
        "123456789012345678901234567890",
        "1e22",
        "1e23",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000000000000001",
        "9007199254740992.99999999999999999",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.47032822920623272088284396434110686182e-324",
        "2.47032822920623272088284396434110686183e-324",
        "7.4109846876186981626485318930233205854758970392148714663837e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.797693134862315807e308",
        "1.7976931348623159e308",
        "1e309",
        "1e-400",
        "1e99999999999999999999",
        "0e99999999999999999999",
        "1e-99999999999999999999",
        "6.02214076e23",
        "8.98846567431158e307",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910"
        "946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834"
        "936475292719074168444365510704342711559699508093042880"};
    for (int64_t i = 0; i < BP__COUNT(good); i++) check_parse(good[i]);
    char tie[1200]; /* the exact middle of two doubles, with zeros, then a last digit that decides */
    memset(tie, '0', sizeof tie);
    memcpy(tie, "9007199254740993.", 17);
    tie[1100] = 0;
    check_parse(tie);
    tie[1099] = '1';
    check_parse(tie);
    double v;
    static const char *const bad[] = {"",    "-",  ".",   "e5",  "1e",    "1e+",   "1 ", " 1",
                                      "1,5", "0x", "0xg", "--1", "1.2.3", "1_000", "in"};
    for (int64_t i = 0; i < BP__COUNT(bad); i++) assert_false(bp__parse_f64(bad[i], strlen(bad[i]), true, &v));
    assert_false(bp__parse_f64("nan", 3, false, &v));
    assert_false(bp__parse_f64("1e999", 5, false, &v));
    assert_true(bp__parse_f64("-.Inf", 5, true, &v) && v == -HUGE_VAL);
    assert_true(bp__parse_f64(".NaN", 4, true, &v) && v != v);
    assert_true(bp__parse_f64("0x1F", 4, false, &v) && v == 31);
    assert_true(bp__parse_f64("12345", 2, false, &v) && v == 12);
    int64_t k;
    assert_true(bp__parse_i64("9223372036854775807", 19, &k) && k == INT64_MAX);
    assert_true(bp__parse_i64("-9223372036854775808", 20, &k) && k == INT64_MIN);
    assert_false(bp__parse_i64("9223372036854775808", 19, &k));
    assert_false(bp__parse_i64("-9223372036854775809", 20, &k));
    assert_true(bp__parse_i64("+007", 4, &k) && k == 7);
    assert_true(bp__parse_i64("0o17", 4, &k) && k == 15);
    assert_false(bp__parse_i64("-", 1, &k));
    assert_false(bp__parse_i64("1.0", 3, &k));
}

static void test_format(void **unused) {
    (void)unused;
    char s[40];
    static const struct {
        double v;
        const char *text;
    } rows[] = {{0.001, "0.001"},
                {1, "1"},
                {-2.5, "-2.5"},
                {0.1, "0.1"},
                {1e21, "1e21"},
                {1e-7, "1e-7"},
                {-0.0, "-0"},
                {100000, "100000"},
                {1.5e300, "1.5e300"},
                {5e-324, "5e-324"},
                {0x1p-44, "5.684341886080802e-14"},
                {2.0 / 3, "0.6666666666666666"}};
    for (int64_t i = 0; i < BP__COUNT(rows); i++) {
        assert_int_equal(bp__format_f64(s, rows[i].v), strlen(rows[i].text));
        assert_string_equal(s, rows[i].text);
    }
    bp__format_f32(s, 0.1f);
    assert_string_equal(s, "0.1");
    bp__format_f32(s, 16777216.0f);
    assert_string_equal(s, "16777216");
    bp__format_f32(s, 0x1p-149f);
    assert_string_equal(s, "1e-45");
    bp__format_f64(s, NAN);
    assert_string_equal(s, "nan");
    bp__format_f64(s, -HUGE_VAL);
    assert_string_equal(s, "-inf");
    bool comma = setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL; /* where installed: nothing may change */
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_bits();
        double v, back;
        if (i % 50 == 0) bits &= UINT64_C(0x800fffffffffffff); /* subnormal */
        if (i % 50 == 1) bits = (bits >> 52) << 52;            /* powers of two */
        memcpy(&v, &bits, sizeof v);
        if (i % 5 == 2) v = (double)(int64_t)(bits >> 40) / 1000;
        if (v != v || v - v != 0) continue;
        int n = bp__format_f64(s, v);
        if (n > 24 || n != (int)strlen(s) || !bp__parse_f64(s, (size_t)n, false, &back) || !same(v, back))
            fail_msg("%a is written as %s", v, s);
        if (!comma && !same(strtod(s, NULL), v)) fail_msg("strtod reads %s otherwise", s);
        char shorter[40]; /* one digit fewer must not do */
        size_t digits = 0;
        for (const char *c = s; *c && *c != 'e'; c++) digits += *c >= '0' && *c <= '9' && (digits || *c != '0');
        if (digits > 1 && !comma && !strchr(s, '.')) continue; /* trailing zeros of whole numbers are not digits */
        if (digits > 1 && !comma) {
            snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, v);
            if (same(strtod(shorter, NULL), v)) fail_msg("%s is shorter than %s", shorter, s);
        }
        uint32_t half = (uint32_t)(bits >> 32);
        float f;
        memcpy(&f, &half, sizeof f);
        if (f != f || f - f != 0) continue;
        n = bp__format_f32(s, f);
        assert_true(n <= 16 && bp__parse_f64(s, (size_t)n, false, &back));
        float f_back = (float)back;
        if (memcmp(&f, &f_back, sizeof f)) fail_msg("%a is written as %s", (double)f, s);
        if (!comma) assert_true(strtof(s, NULL) == f);
    }
    setlocale(LC_NUMERIC, "C");
    for (int i = 0; i < 100000; i++) { /* long texts, near the middle between doubles too */
        uint64_t bits = next_bits();
        double v;
        memcpy(&v, &bits, sizeof v);
        if (v != v || v - v != 0) continue;
        char text[64];
        snprintf(text, sizeof text, "%.*e", (int)(next_bits() % 30), v);
        check_parse(text);
    }
    for (int i = 0; i < 3000; i++) {
        uint64_t mantissa = (next_bits() >> 11) | UINT64_C(1) << 52; /* its double plus one is a middle */
        char text[900];
        int e = (int)(next_bits() % 1070) - 1074;
        int n = snprintf(text, sizeof text, "%.800f", ldexp((double)mantissa, e < -400 ? -400 : e > 60 ? 60 : e));
        if (n >= (int)sizeof text) continue;
        check_parse(text);
    }
    double subnormal;
    bp__fpenv e = bp__fpenv_enter(); /* flush-to-zero does not touch texts */
    assert_true(bp__parse_f64("-5e-324", 7, false, &subnormal));
    bp__format_f64(s, subnormal);
    assert_string_equal(s, "-5e-324");
    bp__format_f32(s, 0x1p-149f);
    assert_string_equal(s, "1e-45");
    bp__fpenv_leave(e);
}

/* ---- Random numbers ---- */

static void test_philox(void **unused) {
    (void)unused;
    /* counter, key, answer: the lines "philox4x32 10" of Random123's tests/kat_vectors */
    static const uint32_t rows[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int64_t i = 0; i < BP__COUNT(rows); i++) {
        uint32_t out[4];
        bp__philox(out, rows[i], rows[i] + 4);
        assert_memory_equal(out, rows[i] + 6, 16);
    }
    assert_int_equal(bp__stream_id(""), 0x811c9dc5);
    assert_int_equal(bp__stream_id("a"), 0xe40c292c); /* published FNV-1a values */
    assert_int_equal(bp__stream_id("foobar"), 0xbf9cf968);
    uint32_t w[4]; /* the layout of counter and key is a promise: weights depend on it */
    bp__philox(w, (uint32_t[4]){2, 5, 9, 7}, (uint32_t[2]){0x89abcdef, 0x01234567});
    float f;
    bp__uniform_f32(&f, (bp__stream){0x0123456789abcdef, 7, 9}, 5, 10, 1);
    assert_true(f == (float)(w[2] >> 8) * 0x1p-24f);
}

static void test_math64(void **unused) {
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        double u = (double)(next_bits() >> 11) * 0x1p-53, x = exp((u - 0.5) * 1400), y = (u - 0.5) * 1410, s, c;
        assert_true(fabs(bp__log64(x) - log(x)) <= 2 * DBL_EPSILON * fabs(log(x)));
        assert_true(fabs(bp__exp64(y) - exp(y)) <= 2 * DBL_EPSILON * exp(y));
        bp__sincos_turns(u, &s, &c);
        assert_true(fabs(s - sin(6.283185307179586476925286766559 * u)) < 1e-15);
        assert_true(fabs(c - cos(6.283185307179586476925286766559 * u)) < 1e-15);
        double z = (u - 0.5) * 16;
        assert_true(fabs(bp__normal_cdf(z) / (0.5 * erfc(-z / sqrt(2))) - 1) < 1e-13);
        if (z < 5) assert_true(fabs(bp__normal_quantile(bp__normal_cdf(z)) - z) < 1e-8 * (1 + fabs(z)));
        if (z < 0) assert_true(fabs(bp__normal_quantile(bp__normal_cdf(z)) - z) < 1e-13 * (1 + fabs(z)));
    }
    assert_true(bp__log64(0) == -HUGE_VAL && bp__log64(1) == 0 && bp__log64(HUGE_VAL) == HUGE_VAL);
    assert_true(isnan(bp__log64(-1)) && isnan(bp__normal_quantile(1.5)) && isnan(bp__exp64(NAN)));
    assert_true(bp__exp64(0) == 1 && bp__exp64(1000) == HUGE_VAL && bp__exp64(-1000) == 0);
    assert_true(bp__exp64(709.78) < HUGE_VAL && bp__normal_quantile(0.5) == 0 && bp__normal_quantile(0) == -HUGE_VAL);
}

static void check_moments(const double *x, int64_t n, double mean, double variance, double third, double fourth) {
    double m = 0, v = 0, t = 0, f = 0;
    for (int64_t i = 0; i < n; i++) m += x[i];
    m /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = x[i] - m;
        v += d * d, t += d * d * d, f += d * d * d * d;
    }
    double five_sigma = 5 / sqrt((double)n);
    assert_true(fabs(m - mean) < five_sigma * sqrt(variance));
    assert_true(fabs(v / (double)n - variance) < five_sigma * 2 * variance);
    assert_true(fabs(t / (double)n - third) < five_sigma * 4 * pow(variance, 1.5));
    assert_true(fabs(f / (double)n - fourth) < five_sigma * 10 * variance * variance);
}

enum { N = 200000 };

static void test_distributions(void **unused) {
    (void)unused;
    double *x = malloc(N * sizeof *x);
    float *f = malloc(N * sizeof *f);
    bp__stream s = {.seed = 12345678901u, .stream = bp__stream_id("0.weight/init"), .step = 3};
    bp__uniform_f64(x, s, 0, 0, N);
    check_moments(x, N, 0.5, 1.0 / 12, 0, 1.0 / 80);
    bp__uniform_f32(f, s, 1, 0, N);
    for (int i = 0; i < N; i++) {
        assert_true(f[i] >= 0 && f[i] < 1 && x[i] >= 0 && x[i] < 1);
        x[i] = (double)f[i];
    }
    check_moments(x, N, 0.5, 1.0 / 12, 0, 1.0 / 80);
    bp__normal_f64(x, s, 2, 0, N);
    check_moments(x, N, 0, 1, 0, 3);
    double pairs = 0; /* the two normals of a block are not correlated */
    for (int i = 0; i < N; i += 2) pairs += x[i] * x[i + 1];
    assert_true(fabs(pairs / (N / 2)) < 5 / sqrt(N / 2));
    bp__trunc_normal_f64(x, s, 3, 0, N, 0.0, 1.0, -2.0, 2.0);
    check_moments(x, N, 0, 0.7737413, 0, 1.4161884);
    for (int i = 0; i < N; i++) assert_true(x[i] >= -2 && x[i] <= 2);
    bp__trunc_normal_f64(x, s, 3, 0, N, 1.0, 2.0, 11.0, 13.0); /* five to six deviations out */
    double mean = 0;
    for (int i = 0; i < N; i++) {
        assert_true(x[i] >= 11 && x[i] <= 13);
        mean += x[i] / N;
    }
    double pa = exp(-12.5), pb = exp(-18.0); /* mean + std (phi(5) - phi(6)) / (Phi(6) - Phi(5)) */
    double expected = 1 + 2 * (pa - pb) / sqrt(2 * acos(-1.0)) / (0.5 * (erfc(5 / sqrt(2)) - erfc(6 / sqrt(2))));
    assert_true(fabs(mean - expected) < 0.01);
    bp__trunc_normal_f64(x, s, 3, 0, 100, 0.0, 0.02, -2.0, 2.0); /* the limits are far away, as PyTorch's defaults are */
    for (int i = 0; i < 100; i++) assert_true(fabs(x[i]) < 0.2);
    bp__trunc_normal_f64(x, s, 3, 0, 10, 0.5, 0.0, -2.0, 2.0);
    assert_true(x[0] == 0.5 && x[9] == 0.5);
    free(x);
    free(f);
}

static void test_splits(void **unused) {
    (void)unused;
    enum { M = 101 };
    double whole[3][M], part[3][M];
    float whole_f[M], part_f[M];
    bp__stream s = {.seed = 5, .stream = 6, .step = 7};
    int64_t starts[] = {0, 3, INT64_C(0xffffffff) * 4 - 50};
    for (int64_t k = 0; k < BP__COUNT(starts); k++) {
        int64_t first = starts[k];
        bp__uniform_f32(whole_f, s, 8, first, M);
        bp__uniform_f64(whole[0], s, 8, first, M);
        bp__normal_f64(whole[1], s, 8, first, M);
        bp__trunc_normal_f64(whole[2], s, 8, first, M, 0, 1, -1, 2);
        for (int turn = 0; turn < 200; turn++) {
            for (int64_t done = 0; done < M;) {
                int64_t drawn = (int64_t)(next_bits() % 9), n = BP__MIN(drawn, M - done);
                bp__uniform_f32(part_f + done, s, 8, first + done, n);
                bp__uniform_f64(part[0] + done, s, 8, first + done, n);
                bp__normal_f64(part[1] + done, s, 8, first + done, n);
                bp__trunc_normal_f64(part[2] + done, s, 8, first + done, n, 0, 1, -1, 2);
                done += n;
            }
            assert_memory_equal(whole_f, part_f, sizeof whole_f);
            assert_memory_equal(whole, part, sizeof whole);
        }
        for (int i = 1; i < M; i++) assert_true(whole[0][i] != whole[0][i - 1]);
    }
}

static void test_permutation(void **unused) {
    (void)unused;
    enum { M = 1000 };
    int64_t p[M];
    bool seen[M] = {0};
    bp__permutation(p, (bp__stream){1, 2, 3}, M);
    for (int i = 0; i < M; i++) {
        assert_true(p[i] >= 0 && p[i] < M && !seen[p[i]]);
        seen[p[i]] = true;
    }
    bp__permutation(p, (bp__stream){1, 2, 3}, 0);
    bp__permutation(p, (bp__stream){1, 2, 3}, 1);
    assert_int_equal(p[0], 0);
    int count[24] = {0}; /* all 24 orders of 4, equally often: chi-squared with 23 degrees of freedom */
    enum { TURNS = 48000 };
    for (uint32_t epoch = 0; epoch < TURNS; epoch++) {
        bp__permutation(p, (bp__stream){99, 2, epoch}, 4);
        int index = 0;
        for (int i = 0; i < 3; i++) {
            int smaller = 0;
            for (int j = i + 1; j < 4; j++) smaller += p[j] < p[i];
            index = index * (4 - i) + smaller;
        }
        count[index]++;
    }
    double chi = 0;
    for (int i = 0; i < 24; i++) chi += (count[i] - TURNS / 24.0) * (count[i] - TURNS / 24.0) / (TURNS / 24.0);
    assert_true(chi < 55 && chi > 5);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context),        cmocka_unit_test(test_options), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_nth_allocation), cmocka_unit_test(test_nearest), cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),         cmocka_unit_test(test_philox),  cmocka_unit_test(test_math64),
        cmocka_unit_test(test_distributions),  cmocka_unit_test(test_splits),  cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_tree),           cmocka_unit_test(test_fpenv)};
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
