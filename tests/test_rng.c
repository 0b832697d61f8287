/* src/core: counted random numbers, the mathematics under them, distributions, permutations. */
#include "support/core_help.h"
#include "core/math64.h"
#include "core/rng.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    for (int i = 0; i < 4000; i++) { /* all magnitudes, both signs */
        double x = ldexp(1 + i % 97 / 97.0, i % 80 - 70) * (i & 1 ? -1 : 1);
        if (x > -1) assert_true(fabs(bp__log1p64(x) - log1p(x)) <= 4 * DBL_EPSILON * fabs(log1p(x)));
        if (x < 600) assert_true(fabs(bp__expm1_64(x) - expm1(x)) <= 4 * DBL_EPSILON * fabs(expm1(x)));
    }
    assert_true(bp__log1p64(0) == 0 && bp__log1p64(-1) == -HUGE_VAL && isnan(bp__log1p64(-2)) && isnan(bp__log1p64(NAN)));
    assert_true(bp__expm1_64(0) == 0 && bp__expm1_64(-HUGE_VAL) == -1 && bp__expm1_64(HUGE_VAL) == HUGE_VAL);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_philox), cmocka_unit_test(test_math64),
                                       cmocka_unit_test(test_distributions), cmocka_unit_test(test_splits),
                                       cmocka_unit_test(test_permutation)};
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
