/* Linear algebra beyond values and gradients (test_golden.c, test_gradients.c): sentences, what has no answer, symbolic sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <backprop.h>

typedef struct bench {
    bp_context *ctx;
    bp_graph *g;
} bench;

static bench begin(void) {
    bench b;
    assert_int_equal(bp_context_new(&b.ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}), BP_OK);
    assert_int_equal(bp_graph_new(&b.g, b.ctx), BP_OK);
    return b;
}

static void end(bench *b) {
    bp_graph_free(b->g);
    bp_context_free(b->ctx);
}

static void expect_sentence(const char *equation, int n, const bp_dims *dims, const char *sentence) {
    bench b = begin();
    bp_value x[4];
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        x[i] = bp_input(b.g, name, BP_F32, dims[i]);
    }
    bp_value y = bp_einsum(x, n, equation);
    if (!bp_is_bad(y) || strcmp(bp_context_error(b.ctx), sentence) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", equation, bp_context_error(b.ctx), sentence);
    end(&b);
}

static void equations_point_at_the_character(void **state) {
    (void)state;
    const bp_dims two[] = {bp_shape(2, 2, 3), bp_shape(2, 3, 4)}, square = bp_shape(2, 3, 3), odd = bp_shape(2, 2, 3);
    expect_sentence("ij,j1->i", 2, two, "einsum: column 5 of \"ij,j1->i\": '1' is no name of an axis; these are letters");
    expect_sentence("ij,jk->iz", 2, two, "einsum: column 9 of \"ij,jk->iz\": 'z' is in no input");
    expect_sentence("ij,jk->ii", 2, two, "einsum: column 9 of \"ij,jk->ii\": 'i' is in the output twice");
    expect_sentence("ij,jkl->i", 2, two, "einsum: column 4 of \"ij,jkl->i\": 3 axes are named, but the input has 2");
    expect_sentence("ij,j", 2, two, "einsum: column 4 of \"ij,j\": 1 axes are named, but the input has 2");
    expect_sentence("ij", 2, two, "einsum: column 3 of \"ij\": 2 inputs are given, but only 1 named");
    expect_sentence("ij,jk,kl", 2, two, "einsum: column 6 of \"ij,jk,kl\": only 2 inputs are given");
    expect_sentence("ij-jk", 2, two, "einsum: column 3 of \"ij-jk\": 2 inputs are given, but only 1 named");
    expect_sentence("ij,jk-i", 2, two, "einsum: column 6 of \"ij,jk-i\": \"->\" is wanted here");
    expect_sentence("ij,jk->i->j", 2, two, "einsum: column 9 of \"ij,jk->i->j\": the output ends here, but '-' follows");
    expect_sentence("i..j->", 1, two, "einsum: column 2 of \"i..j->\": \".\" stands only in \"...\"");
    expect_sentence("...i...->", 1, two, "einsum: column 5 of \"...i...->\": a second \"...\"");
    expect_sentence("ij,ik->jk", 2, two, "einsum: column 1 of \"ij,ik->jk\": its sizes differ: 2 and, in input 2, 3");
    expect_sentence("ii->i", 1, &odd,
                    "einsum: column 1 of \"ii->i\": 'i' is twice in input 1, whose sizes there are not one number");
    expect_sentence("abc,ad", 1, &square, "einsum: column 1 of \"abc,ad\": 3 axes are named, but the input has 2");
}

/* y of one input x of doubles. */
static void run(bp_value y, const double *x, const bp_dims *dims, double *out, int64_t n) {
    bp_program *p;
    bp_session *s;
    const void *data;
    assert_false(bp_is_bad(y));
    assert_int_equal(bp_program_new(&p, y.graph, &y, 1, NULL), BP_OK);
    assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
    assert_int_equal(bp_session_set(s, "x", x, dims), BP_OK);
    assert_int_equal(bp_session_run(s), BP_OK);
    assert_int_equal(bp_session_output(s, 0, &data, NULL, NULL), BP_OK);
    memcpy(out, data, sizeof *out * (size_t)n);
    bp_session_free(s);
    bp_program_free(p);
}

static void without_an_answer(void **state) {
    (void)state;
    const double indefinite[] = {1, 2, 2, 1}, singular[] = {1, 2, 2, 4};
    double out[4];
    bp_dims d = bp_shape(2, 2, 2);
    bench b = begin();
    bp_value x = bp_input(b.g, "x", BP_F64, d);
    run(bp_cholesky(x, NULL), indefinite, &d, out, 4);
    assert_true(out[0] == 1 && out[2] == 2 && isnan(out[3]));
    run(bp_logdet(x), indefinite, &d, out, 1);
    assert_true(isnan(out[0]));
    run(bp_logdet(x), singular, &d, out, 1);
    assert_true(out[0] == -(double)INFINITY);
    run(bp_det(x), singular, &d, out, 1);
    assert_true(out[0] == 0);
    run(bp_det(x), indefinite, &d, out, 1);
    assert_true(out[0] == -3);
    run(bp_inverse(x), singular, &d, out, 4);
    for (int i = 0; i < 4; i++) assert_true(isnan(out[i]) || isinf(out[i]));
    end(&b);
}

/* A batch that is known only when it runs; the size of the matrices is not. */
static void batches_are_symbols(void **state) {
    (void)state;
    const double two[] = {2, 0, 0, 4, 1, 1, 0, 5}, three[] = {1, 0, 0, 1, 2, 0, 0, 2, 3, 0, 0, 3};
    double out[12];
    bench b = begin();
    bp_value x = bp_input(b.g, "x", BP_F64, bp_shape(3, BP_BATCH, 2, 2));
    bp_dims d2 = bp_shape(3, 2, 2, 2), d3 = bp_shape(3, 3, 2, 2);
    run(bp_det(x), two, &d2, out, 2);
    assert_true(out[0] == 8 && out[1] == 5);
    run(bp_inverse(x), three, &d3, out, 12);
    assert_true(out[0] == 1 && out[4] == 0.5 && out[8] * 3 == 1 && out[9] == 0);
    bp_value pair[2] = {x, x};
    run(bp_einsum(pair, 2, "bij,bji->b"), three, &d3, out, 3); /* trace of the square */
    assert_true(out[0] == 2 && out[1] == 8 && out[2] == 18);
    run(bp_einsum(&x, 1, "bii"), two, &d2, out, 2); /* trace */
    assert_true(out[0] == 6 && out[1] == 6);
    assert_true(bp_is_bad(bp_det(bp_input(b.g, "z", BP_F64, bp_shape(2, BP_TIME, BP_TIME)))));
    assert_non_null(strstr(bp_context_error(b.ctx), "det: the size of the matrices must be a number"));
    end(&b);
}

/* Numbers in [-1, 1), some way apart from each other. */
static double scattered(int64_t k) { return (double)((k * 7919 + 13) % 1009) / 504.5 - 1; }

/* a v = v diag(w), v's columns orthonormal, w ascending, the largest element of each column positive; for sizes where everything
   is met: many QL steps, equal values, rank 1 and 0. */
enum { MOST = 40 };
static void check_eigh(int64_t n, const double *a) {
    static double w[MOST], v[MOST * MOST];
    bp_dims d = bp_shape(2, n, n);
    double norm = 0;
    bench b = begin();
    bp_value y = bp_eigh(bp_input(b.g, "x", BP_F64, d)), second = y;
    second.output = 1;
    run(y, a, &d, w, n);
    run(second, a, &d, v, n * n);
    for (int64_t i = 0; i < n * n; i++) norm += a[i] * a[i];
    norm = sqrt(norm);
    for (int64_t j = 0; j < n; j++) {
        double largest = 0;
        assert_true(j == 0 || w[j] >= w[j - 1]);
        for (int64_t i = 0; i < n; i++) {
            double image = 0, product = 0;
            for (int64_t k = 0; k < n; k++) {
                image += a[i * n + k] * v[k * n + j];
                product += v[k * n + i] * v[k * n + j];
            }
            assert_true(fabs(image - w[j] * v[i * n + j]) <= 1e-13 * norm);
            assert_true(fabs(product - (i == j)) <= 1e-13);
            if (fabs(v[i * n + j]) > fabs(largest)) largest = v[i * n + j];
        }
        assert_true(largest > 0);
    }
    end(&b);
}

static void eigenvectors(void **state) {
    (void)state;
    static double a[MOST * MOST];
    for (int64_t n = 1; n <= MOST; n += n < 6 ? 1 : 17)
        for (int kind = 0; kind < 5; kind++) {
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    double graded = scattered(i * j + i + j) * (i + j < 20 ? 1 : 1e-9); /* tiny numbers beside large ones */
                    double swap = i + j == n - 1;                                       /* values 1 and -1 alone */
                    double kinds[] = {scattered(i * j + i + j), graded, swap, scattered(i) * scattered(j), 0};
                    a[i * n + j] = kinds[kind];
                }
            check_eigh(n, a);
        }
}

/* Of a matrix that lost rank the null space has a basis that rounding does not move (but for the order of its vectors). */
static void null_space_is_steady(void **state) {
    (void)state;
    enum { N = 6 };
    double a[N * N], v[2][N * N];
    bp_dims d = bp_shape(2, N, N);
    bench b = begin();
    bp_value y = bp_eigh(bp_input(b.g, "x", BP_F64, d));
    y.output = 1;
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[i * N + j] =
                    (scattered(i) * scattered(j) + scattered(i + 50) * scattered(j + 50)) * (1 + 1e-16 * t * scattered(i * j));
        run(y, a, &d, v[t], N * N);
    }
    for (int i = 0; i < N * N; i++) { /* of two vectors, one of each: they are the same, or have nothing in common */
        double product = 0;
        for (int k = 0; k < N; k++) product += v[0][k * N + i / N] * v[1][k * N + i % N];
        assert_true(fabs(product) < 1e-13 || fabs(product - 1) < 1e-13);
    }
    end(&b);
}

static void eigh_and_qr_have_no_answer(void **state) {
    (void)state;
    const double with_nan[] = {1, (double)NAN, 2, 1}, infinite[] = {(double)INFINITY, 0, 0, 1};
    double out[4];
    bp_dims d = bp_shape(2, 2, 2);
    bench b = begin();
    bp_value x = bp_input(b.g, "x", BP_F64, d), r = bp_qr(x);
    r.output = 1;
    run(bp_eigh(x), with_nan, &d, out, 2);
    assert_true(isnan(out[0]) && isnan(out[1]));
    run(bp_eigh(x), infinite, &d, out, 2);
    assert_true(isnan(out[0]) && isnan(out[1]));
    run(r, with_nan, &d, out, 4);
    assert_true(isnan(out[1]) && isnan(out[3]));
    assert_true(bp_is_bad(bp_qr(bp_input(b.g, "z", BP_F64, bp_shape(2, BP_BATCH, 2)))));
    assert_string_equal(bp_context_error(b.ctx), "qr: a must be matrices whose sizes are numbers, not [batch, 2]");
    end(&b);
}

/* What is triangular stays as it is, signs too: q is the identity. */
static void qr_of_a_triangle(void **state) {
    (void)state;
    const double a[] = {-2, 1, 3, 0, 5, -1, 0, 0, 0}, identity[] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    double out[9];
    bp_dims d = bp_shape(2, 3, 3);
    bench b = begin();
    bp_value q = bp_qr(bp_input(b.g, "x", BP_F64, d)), r = q;
    r.output = 1;
    run(q, a, &d, out, 9);
    assert_memory_equal(out, identity, sizeof out);
    run(r, a, &d, out, 9);
    assert_memory_equal(out, a, sizeof out);
    end(&b);
}

/* Powers of two change nothing but the size of what has one, down to and up to where numbers end. */
static void eigh_and_qr_of_any_size(void **state) {
    (void)state;
    enum { N = 5 };
    double a[N * N], scaled[N * N], vectors[N * N], values[N * N], same[N * N], sized[N * N];
    bp_dims d = bp_shape(2, N, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i * N + j] = scattered(i * j + i + j);
    for (int kind = 0; kind < 2; kind++) {
        bench b = begin();
        bp_value x = bp_input(b.g, "x", BP_F64, d), y = kind ? bp_qr(x) : bp_eigh(x), v = y, w = y;
        *(kind ? &w : &v) = (bp_value){y.graph, y.node, 1}; /* the output that has no size is v */
        int n_values = kind ? N * N : N;
        run(v, a, &d, vectors, N * N);
        run(w, a, &d, values, n_values);
        for (int e = -960; e <= 1015; e += 395) {
            for (int i = 0; i < N * N; i++) scaled[i] = ldexp(a[i], e);
            run(v, scaled, &d, same, N * N);
            run(w, scaled, &d, sized, n_values);
            for (int i = 0; i < n_values; i++) sized[i] = ldexp(sized[i], -e);
            assert_memory_equal(same, vectors, sizeof vectors);
            for (int i = 0; i < n_values; i++) assert_true(fabs(sized[i] - values[i]) <= 1e-14);
        }
        end(&b);
    }
    /* A column much smaller than the others counts as much as they. */
    const double columns[] = {1, 3e-200, 1, 4e-200};
    double q[4], r[4];
    d = bp_shape(2, 2, 2);
    bench b = begin();
    bp_value y = bp_qr(bp_input(b.g, "x", BP_F64, d)), second = y;
    second.output = 1;
    run(y, columns, &d, q, 4);
    run(second, columns, &d, r, 4);
    assert_true(fabs(fabs(q[3]) - sqrt(0.5)) < 1e-15 && fabs(fabs(r[3]) * 1e200 - sqrt(0.5)) < 1e-14);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equations_point_at_the_character),
                                       cmocka_unit_test(without_an_answer),
                                       cmocka_unit_test(batches_are_symbols),
                                       cmocka_unit_test(eigenvectors),
                                       cmocka_unit_test(null_space_is_steady),
                                       cmocka_unit_test(eigh_and_qr_have_no_answer),
                                       cmocka_unit_test(eigh_and_qr_of_any_size),
                                       cmocka_unit_test(qr_of_a_triangle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
