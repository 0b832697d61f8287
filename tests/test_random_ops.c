/* Random operations: distributions by seeded tests whose bounds an honest generator passes with a chance of one in a million of
   failing (and these seeds do), and what they promise besides: the same numbers for any number of threads and of shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <backprop.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    bp_context *ctx;
    bp_graph *g;
    bp_state *state;
    bp_program *program;
    bp_session *session;
} bench;

static void must(const bench *b, bp_status status) {
    if (status != BP_OK) fail_msg("%s: %s", bp_status_name(status), bp_context_error(b->ctx));
}

static void start(bench *b, int threads) {
    memset(b, 0, sizeof *b);
    bp_context_options o = {.size = sizeof o, .threads = threads};
    must(b, bp_context_new(&b->ctx, &o));
    must(b, bp_graph_new(&b->g, b->ctx));
}

/* Runs; the outputs stay valid until stop. */
static void run(bench *b, const bp_value *outputs, int n, int64_t first_row, const char *input, const void *data, bp_dims dims) {
    must(b, bp_graph_status(b->g));
    must(b, bp_state_new(&b->state, b->g));
    must(b, bp_program_new(&b->program, b->g, outputs, n, NULL));
    must(b, bp_session_new(&b->session, b->program, b->state));
    bp_session_set_step(b->session, 12345, 7, first_row);
    if (input) must(b, bp_session_set(b->session, input, data, &dims));
    must(b, bp_session_run(b->session));
}

static const void *output(bench *b, int k) {
    const void *data;
    must(b, bp_session_output(b->session, k, &data, NULL, NULL));
    return data;
}

static void stop(bench *b) {
    bp_session_free(b->session);
    bp_program_free(b->program);
    bp_state_free(b->state);
    bp_graph_free(b->g);
    bp_context_free(b->ctx);
}

static bp_value shaped(bench *b, bp_dtype dtype, bp_dims dims) { return bp_fill(bp_number(b->g, dtype, 0), dims); }

/* Pearson's statistic; for many degrees of freedom about normal with mean df and variance 2 df. */
static double chi_square(const int64_t *seen, const double *expected, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (expected[i] > 0) sum += ((double)seen[i] - expected[i]) * ((double)seen[i] - expected[i]) / expected[i];
    return sum;
}
/* Beyond it lies less than a millionth for df degrees of freedom (Wilson and Hilferty, 1931). */
static double chi_bound(int df) {
    double h = 2.0 / (9.0 * df), c = 1 - h + 4.8 * sqrt(h);
    return df * c * c * c;
}

/* ---- Distributions ------------------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void normal_numbers(void **unused) {
    (void)unused;
    enum { ROWS = 40, N = 1001, ALL = ROWS * N };
    bench b;
    start(&b, 1);
    bp_value y[2] = {bp_random_normal(shaped(&b, BP_F64, bp_shape(2, ROWS, N)), "a"),
                     bp_random_normal(shaped(&b, BP_F32, bp_shape(2, ROWS, N)), "a")};
    run(&b, y, 2, 0, NULL, NULL, bp_shape(0));
    const double *x = output(&b, 0);
    const float *f = output(&b, 1);
    double mean = 0, square = 0, neighbours = 0, rows = 0, worst = 0;
    for (int i = 0; i < ALL; i++) {
        mean += x[i];
        square += x[i] * x[i];
        if (i + 1 < ALL) neighbours += x[i] * x[i + 1];
        if (i + N < ALL) rows += x[i] * x[i + N];
        assert_true(f[i] == (float)x[i]); /* one stream, whatever the type */
    }
    assert_true(fabs(mean) < 4.9 * sqrt(ALL));
    assert_true(fabs(square - ALL) < 4.9 * sqrt(2.0 * ALL));
    assert_true(fabs(neighbours) < 4.9 * sqrt(ALL) && fabs(rows) < 4.9 * sqrt(ALL));
    double *sorted = malloc(sizeof(double) * ALL);
    assert_non_null(sorted);
    memcpy(sorted, x, sizeof(double) * ALL);
    qsort(sorted, ALL, sizeof(double), ascending);
    for (int i = 0; i < ALL; i++) worst = fmax(worst, fabs(0.5 * erfc(-sorted[i] / sqrt(2)) - (i + 0.5) / ALL));
    assert_true(worst < 2.7 / sqrt(ALL)); /* Kolmogorov */
    free(sorted);
    stop(&b);
}

static void coins(void **unused) {
    (void)unused;
    enum { N = 20000 };
    bench b;
    start(&b, 1);
    double p[4] = {0, 0.25, 0.9, 1};
    bp_value x = bp_input(b.g, "p", BP_F64, bp_shape(1, 4));
    bp_value y = bp_bernoulli(bp_broadcast_to(x, bp_shape(2, N, 4)), "coin");
    run(&b, &y, 1, 0, "p", p, bp_shape(1, 4));
    const double *coin = output(&b, 0);
    double sums[4] = {0};
    for (int i = 0; i < 4 * N; i++) {
        assert_true(coin[i] == 0 || coin[i] == 1);
        sums[i % 4] += coin[i];
    }
    for (int k = 0; k < 4; k++) assert_true(fabs(sums[k] - N * p[k]) <= 4.9 * sqrt(N * p[k] * (1 - p[k])));
    stop(&b);
}

static void whole_channels(void **unused) {
    (void)unused;
    enum { ROWS = 200, CHANNELS = 50, PIXELS = 6 };
    bench b;
    start(&b, 1);
    bp_value one = bp_fill(bp_number(b.g, BP_F64, 1), bp_shape(4, ROWS, CHANNELS, 2, 3)), p = bp_number(b.g, BP_F64, 0.2);
    bp_value line = bp_reshape(one, bp_shape(3, ROWS, CHANNELS, 6)), body = bp_reshape(one, bp_shape(5, ROWS, CHANNELS, 1, 2, 3));
    bp_value y[4] = {bp_dropout1d(line, p, "a"), bp_dropout2d(one, p, "a"), bp_dropout3d(body, p, "a"),
                     bp_feature_alpha_dropout(one, p, "a")};
    run(&b, y, 4, 0, NULL, NULL, bp_shape(0));
    const double *same = output(&b, 0), *alpha = output(&b, 3);
    for (int k = 1; k < 3; k++) assert_memory_equal(output(&b, k), same, sizeof(double) * ROWS * CHANNELS * PIXELS);
    double kept = 0, in_first_row = 0;
    for (int i = 0; i < ROWS * CHANNELS; i++) {
        assert_true(same[i * PIXELS] == 0 || same[i * PIXELS] == 1 / 0.8);
        for (int k = 1; k < PIXELS; k++) assert_true(same[i * PIXELS + k] == same[i * PIXELS]);
        for (int k = 1; k < PIXELS; k++) assert_true(alpha[i * PIXELS + k] == alpha[i * PIXELS]);
        assert_true((alpha[i * PIXELS] > 0) == (same[i * PIXELS] > 0));
        kept += same[i * PIXELS] > 0;
        if (i < CHANNELS) in_first_row += same[i * PIXELS] > 0;
    }
    assert_true(fabs(kept - 0.8 * ROWS * CHANNELS) < 4.9 * sqrt(0.16 * ROWS * CHANNELS));
    assert_true(in_first_row > 0 && in_first_row < CHANNELS); /* channels differ, not rows only */
    stop(&b);
}

static void self_normalizing(void **unused) {
    (void)unused;
    enum { N = 40000 };
    bench b;
    start(&b, 1);
    bp_value x = bp_random_normal(shaped(&b, BP_F64, bp_shape(1, N)), "x");
    bp_value y[3] = {bp_alpha_dropout(x, bp_number(b.g, BP_F64, 0.3), "a"), bp_alpha_dropout(x, bp_number(b.g, BP_F64, 1), "a"),
                     x};
    y[2] = bp_gradient(y[1], x);
    run(&b, y, 3, 0, NULL, NULL, bp_shape(0));
    const double *d = output(&b, 0), *none = output(&b, 1), *flow = output(&b, 2);
    const double q = 0.7, at = -1.7580993408473766, a = 1 / sqrt(q * (1 + 0.3 * at * at)), dropped = a * at - a * at * 0.3;
    double mean = 0, square = 0;
    int n = 0;
    for (int i = 0; i < N; i++) {
        mean += d[i] / N;
        square += d[i] * d[i] / N;
        n += fabs(d[i] - dropped) < 1e-12;
        assert_true(none[i] == 0 && flow[i] == 0);
    }
    assert_true(fabs(mean) < 5 / sqrt(N) && fabs(square - 1) < 0.05);
    assert_true(abs(n - (int)(0.3 * N)) < 5 * sqrt(0.21 * N));
    stop(&b);
}

static void permutations(void **unused) {
    (void)unused;
    enum { ROWS = 6000, N = 5 };
    bench b;
    start(&b, 1);
    bp_value y = bp_random_permutation(shaped(&b, BP_F32, bp_shape(2, ROWS, N)), "order");
    run(&b, &y, 1, 0, NULL, NULL, bp_shape(0));
    const int64_t *p = output(&b, 0);
    int64_t seen[3125] = {0}, places[120];
    double expected[120];
    int n = 0;
    for (int r = 0; r < ROWS; r++) {
        int mask = 0, code = 0;
        for (int i = 0; i < N; i++) mask |= 1 << p[r * N + i], code = code * N + (int)p[r * N + i];
        assert_int_equal(mask, 31);
        seen[code]++;
    }
    for (int i = 0; i < 3125; i++)
        if (seen[i]) assert_true(n < 120), places[n] = seen[i], expected[n++] = ROWS / 120.0;
    assert_int_equal(n, 120); /* every order */
    assert_true(chi_square(places, expected, 120) < chi_bound(119));
    stop(&b);
}

static void weighted_draws(void **unused) {
    (void)unused;
    enum { ROWS = 4000, DRAWS = 6, N = 7 };
    static const double w[N] = {0, 1, 2, 0.5, 0, 4, 0};
    bench b;
    start(&b, 1);
    bp_value x = bp_broadcast_to(bp_input(b.g, "w", BP_F64, bp_shape(1, N)), bp_shape(2, ROWS, N));
    bp_value y[2] = {bp_multinomial(x, DRAWS, "a", &(bp_multinomial_options){sizeof(bp_multinomial_options), 1}),
                     bp_multinomial(x, 3, "b", NULL)};
    run(&b, y, 2, 0, "w", w, bp_shape(1, N));
    const int64_t *with = output(&b, 0), *without = output(&b, 1);
    int64_t seen[N] = {0}, first[N] = {0}, pairs[N * N] = {0};
    double expected[N], expected_first[N], expected_pairs[N * N];
    for (int i = 0; i < ROWS * DRAWS; i++) {
        assert_true(with[i] >= 0 && with[i] < N && w[with[i]] > 0);
        seen[with[i]]++;
    }
    for (int r = 0; r < ROWS; r++) {
        const int64_t *d = without + 3 * r;
        for (int i = 0; i < 3; i++) assert_true(d[i] >= 0 && d[i] < N && w[d[i]] > 0);
        assert_true(d[0] != d[1] && d[1] != d[2] && d[0] != d[2]);
        first[d[0]]++;
        pairs[d[0] * N + d[1]]++;
    }
    int n_pairs = 0;
    for (int i = 0; i < N; i++) {
        expected[i] = ROWS * DRAWS * w[i] / 7.5;
        expected_first[i] = ROWS * w[i] / 7.5;
        for (int k = 0; k < N; k++) {
            expected_pairs[i * N + k] = i == k ? 0 : ROWS * w[i] / 7.5 * w[k] / (7.5 - w[i]);
            n_pairs += expected_pairs[i * N + k] > 0;
        }
    }
    assert_int_equal(n_pairs, 12);
    assert_true(chi_square(seen, expected, N) < chi_bound(3));
    assert_true(chi_square(first, expected_first, N) < chi_bound(3));
    assert_true(chi_square(pairs, expected_pairs, N * N) < chi_bound(11));
    stop(&b);
}

static void straight_through(void **unused) {
    (void)unused;
    enum { ROWS = 6000, N = 4 };
    static const double logits[N] = {0, 1, -1, 0.5};
    bench b;
    start(&b, 1);
    bp_value x = bp_broadcast_to(bp_input(b.g, "x", BP_F64, bp_shape(1, N)), bp_shape(2, ROWS, N));
    bp_gumbel_softmax_options soft = {sizeof soft, 0.7, 0, -1}, hard = {sizeof hard, 0.7, 1, -1};
    bp_value y[4] = {bp_gumbel_softmax(x, "a", &soft), bp_gumbel_softmax(x, "a", &hard)};
    bp_value c = bp_random_normal(x, "cotangent");
    y[2] = bp_gradient(bp_sum(bp_mul(y[0], c), NULL), x);
    y[3] = bp_gradient(bp_sum(bp_mul(y[1], c), NULL), x);
    run(&b, y, 4, 0, "x", logits, bp_shape(1, N));
    const double *s = output(&b, 0), *h = output(&b, 1), *d_soft = output(&b, 2), *d_hard = output(&b, 3);
    int64_t seen[N] = {0};
    double total = 0, expected[N], flow = 0;
    for (int i = 0; i < N; i++) total += exp(logits[i]);
    for (int i = 0; i < N; i++) expected[i] = ROWS * exp(logits[i]) / total;
    for (int r = 0; r < ROWS; r++) {
        int best = 0;
        double sum = 0;
        for (int i = 0; i < N; i++) {
            sum += s[r * N + i];
            if (s[r * N + i] > s[r * N + best]) best = i;
        }
        for (int i = 0; i < N; i++) assert_true(fabs(h[r * N + i] - (i == best)) < 1e-15);
        assert_true(fabs(sum - 1) < 1e-14);
        seen[best]++;
    }
    for (int i = 0; i < ROWS * N; i++) {
        assert_true(d_soft[i] == d_hard[i]);
        flow += fabs(d_soft[i]);
    }
    assert_true(flow > 1);
    assert_true(chi_square(seen, expected, N) < chi_bound(N - 1));
    stop(&b);
}

/* ---- Threads, shards ------------------------------------------------------------------------------------------------------ */

enum { ROWS = 96, WIDTH = 1300, KINDS = 12 };
static const int64_t drawn[KINDS] = {WIDTH, WIDTH, WIDTH, 40, 3, WIDTH, WIDTH, WIDTH, WIDTH, WIDTH, WIDTH, WIDTH};

static void *draw(int threads, int64_t first_row, int64_t rows, int kind, size_t *bytes) {
    bench b;
    start(&b, threads);
    bp_value x = shaped(&b, BP_F32, bp_shape(2, rows, WIDTH)), u = bp_random_uniform(x, "u"), p = bp_number(b.g, BP_F32, 0.4),
             y = u;
    bp_sort_options last = {sizeof last, -1, 0};
    switch (kind) {
    case 0: y = bp_random_normal(x, "s"); break;
    case 1: y = bp_random_permutation(x, "s"); break;
    case 2: y = bp_bernoulli(u, "s"); break;
    case 3: y = bp_multinomial(u, 40, "s", NULL); break;
    case 4: y = bp_multinomial(u, 3, "s", &(bp_multinomial_options){sizeof(bp_multinomial_options), 1}); break;
    case 5: y = bp_gumbel_softmax(u, "s", NULL); break;
    case 6: y = bp_reshape(bp_dropout1d(bp_reshape(u, bp_shape(3, rows, 130, 10)), p, "s"), bp_shape(2, rows, WIDTH)); break;
    case 7: y = bp_alpha_dropout(u, p, "s"); break;
    case 8: y = bp_sort(u, &last); break; /* rows of other kernels, on random numbers */
    case 9: y = bp_cumsum(u, 1); break;
    case 10: y = bp_cummax(u, 1); break;
    default: y = bp_linear_recurrence(u, bp_random_normal(x, "s"), 1); break;
    }
    run(&b, &y, 1, first_row, NULL, NULL, bp_shape(0));
    const void *data;
    bp_dtype dtype;
    must(&b, bp_session_output(b.session, 0, &data, &dtype, NULL));
    *bytes = (size_t)(rows * drawn[kind]) * bp_dtype_size(dtype);
    void *copy = malloc(*bytes);
    assert_non_null(copy);
    memcpy(copy, data, *bytes);
    stop(&b);
    return copy;
}

static void threads_and_shards(void **unused) {
    (void)unused;
    for (int kind = 0; kind < KINDS; kind++) {
        size_t bytes, n;
        char *whole = draw(1, 0, ROWS, kind, &bytes);
        for (int threads = 2; threads <= 3; threads++) {
            char *again = draw(threads, 0, ROWS, kind, &n);
            if (n != bytes || memcmp(again, whole, bytes) != 0) fail_msg("kind %d: %d threads, other bits", kind, threads);
            free(again);
        }
        char *second = draw(2, ROWS / 3, ROWS / 3, kind, &n); /* the second of three shards */
        if (n != bytes / 3 || memcmp(second, whole + bytes / 3, n) != 0) fail_msg("kind %d: the shard has other bits", kind);
        assert_true(memcmp(whole, whole + bytes / 3, n) != 0);
        free(second);
        free(whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_numbers),   cmocka_unit_test(coins),
        cmocka_unit_test(whole_channels),   cmocka_unit_test(self_normalizing),
        cmocka_unit_test(permutations),     cmocka_unit_test(weighted_draws),
        cmocka_unit_test(straight_through), cmocka_unit_test(threads_and_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
