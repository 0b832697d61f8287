/* The rows of an epoch where classes are to be equally large. */
#include "support/core_help.h"
#include "train/sampling.h"

enum { N = 40, K = 4 };

/* Classes of 20, 11, 4 and no rows, and one row whose label is not known, scattered over every other row of the data. */
static void make(bp__dataset *d, bp_context *ctx, int64_t *rows, int64_t *label) {
    for (int64_t i = 0; i < 2 * N; i++) label[i] = 3; /* rows of other sets */
    for (int64_t i = 0; i < 36; i++) {
        int64_t j = i * 7 % 36;
        rows[i] = 2 * i + 1;
        label[rows[i]] = j < 20 ? 0 : j < 31 ? 1 : j < 35 ? 2 : -1;
    }
    *d = (bp__dataset){.ctx = ctx, .task = BP__CLASSIFICATION, .label = label, .n_classes = K, .n_rows = 2 * N};
    d->train = (bp__set){.rows = rows, .n_rows = 36};
}

static void test_sampling(void **state) {
    (void)state;
    static const int64_t sizes[] = {20, 11, 4}, each[] = {0, 20, 4};
    bp_context *ctx = context();
    bp__dataset d;
    int64_t rows[N], label[2 * N], n, *got, *other;
    make(&d, ctx, rows, label);
    for (bp__sampling how = BP__SAMPLING_OVER; how <= BP__SAMPLING_UNDER; how++) {
        int64_t left_out = 0, same = 0, ever[2 * N] = {0};
        for (int64_t epoch = 1; epoch <= 60; epoch++) {
            int64_t times[2 * N] = {0}, of_class[K] = {0};
            assert_int_equal(bp__sample_rows(&got, &n, &d, how, 5, epoch), BP_OK);
            assert_int_equal(n, 3 * each[how]);
            for (int64_t i = 0; i < n; i++) {
                assert_true(i == 0 || got[i] >= got[i - 1]);
                assert_true(got[i] % 2 == 1 && label[got[i]] >= 0);
                times[got[i]]++;
                of_class[label[got[i]]]++;
                ever[got[i]] = 1;
            }
            for (int64_t c = 0; c < 3; c++) assert_int_equal(of_class[c], each[how]);
            for (int64_t i = 0; i < 36; i++) { /* none is more than one ahead of its class */
                int64_t c = label[rows[i]];
                if (c < 0) continue;
                assert_true(times[rows[i]] == each[how] / sizes[c] || times[rows[i]] == each[how] / sizes[c] + 1);
                left_out += times[rows[i]] == 0;
            }
            /* the same again, to the row; another epoch or seed chooses otherwise, but for chance (over: 1 in 55) */
            assert_int_equal(bp__sample_rows(&other, &n, &d, how, 5, epoch), BP_OK);
            assert_memory_equal(got, other, sizeof *got * (size_t)n);
            bp__free(ctx, other);
            assert_int_equal(bp__sample_rows(&other, &n, &d, how, epoch % 2 ? 5 : 6, epoch + epoch % 2), BP_OK);
            same += memcmp(got, other, sizeof *got * (size_t)n) == 0;
            bp__free(ctx, other);
            bp__free(ctx, got);
        }
        assert_true(same <= (how == BP__SAMPLING_OVER ? 6 : 0));
        assert_true(how == BP__SAMPLING_OVER ? left_out == 0 : left_out == 60 * (35 - 12));
        for (int64_t i = 0; i < 36; i++) assert_true(ever[rows[i]] || label[rows[i]] < 0); /* each has its turn */
    }
    bp_context_free(ctx);
}

static void test_edges(void **state) {
    (void)state;
    bp_context *ctx = context();
    bp__dataset d;
    int64_t rows[N], label[2 * N], n, *got;
    make(&d, ctx, rows, label);
    assert_int_equal(bp__sample_rows(&got, &n, &d, BP__SAMPLING_NONE, 5, 1), BP_OK);
    assert_int_equal(n, 36);
    assert_memory_equal(got, rows, sizeof *got * 36);
    bp__free(ctx, got);
    d.train.n_rows = 0;
    assert_int_equal(bp__sample_rows(&got, &n, &d, BP__SAMPLING_UNDER, 5, 1), BP_OK);
    assert_int_equal(n, 0);
    bp__free(ctx, got);
    bp_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sampling), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
