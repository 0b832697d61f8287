/* src/core: the nearest name; numbers read and written, to the last bit. */
#include "support/core_help.h"
#include "core/cpu.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest), cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_format)};
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
