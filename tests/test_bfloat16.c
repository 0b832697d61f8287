/* bp_graph_set_bfloat16: which products round what they multiply, and that nothing else does; the same for every number of
   threads. Products themselves: test_gemm.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backprop.h"

enum { ROWS = 5, IN = 7, OUT = 3 };

static float x[ROWS * IN], w[OUT * IN];

/* To 8 bits of fraction, by arithmetic; every number here has a whole exponent to spare. */
static float rounded(float v) {
    int e;
    float f = frexpf(v, &e);
    return ldexpf(rintf(ldexpf(f, 8)), e - 8);
}

static void fill(void) {
    uint32_t s = 5;
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)((s = s * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1;
    for (int i = 0; i < OUT * IN; i++) w[i] = (float)((s = s * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1;
}

/* relu(x W^T + b) and its gradient for W, of numbers or of rounded ones, summed in double. */
static double want(int row, int out, int round_them) {
    double sum = 0;
    for (int k = 0; k < IN; k++) {
        float a = x[row * IN + k], b = w[out * IN + k];
        sum += round_them ? (double)rounded(a) * rounded(b) : (double)a * b;
    }
    return sum + 0.125;
}

typedef struct job {
    bp_context *ctx;
    bp_graph *g;
    bp_program *p;
    bp_session *s;
} job;

static void start(job *j, int threads, int on) {
    bp_context_options o = {.size = sizeof o, .threads = threads};
    assert_int_equal(bp_context_new(&j->ctx, &o), BP_OK);
    assert_int_equal(bp_graph_new(&j->g, j->ctx), BP_OK);
    bp_graph_set_bfloat16(j->g, on);
}

static void run(job *j, const bp_value *y, int n) {
    assert_int_equal(bp_program_new(&j->p, j->g, y, n, NULL), BP_OK);
    assert_int_equal(bp_session_new(&j->s, j->p, NULL), BP_OK);
    bp_session_set(j->s, "x", x, NULL);
    assert_int_equal(bp_session_run(j->s), BP_OK);
}

static const float *result(job *j, int k) {
    const void *data;
    assert_int_equal(bp_session_output(j->s, k, &data, NULL, NULL), BP_OK);
    return data;
}

static void stop(job *j) {
    bp_session_free(j->s);
    bp_program_free(j->p);
    bp_graph_free(j->g);
    bp_context_free(j->ctx);
}

static bp_value layer(job *j, bp_value *weight) {
    const float bias[OUT] = {0.125f, 0.125f, 0.125f};
    bp_value in = bp_input(j->g, "x", BP_F32, bp_shape(2, ROWS, IN));
    *weight = bp_constant(j->g, BP_F32, bp_shape(2, OUT, IN), w);
    return bp_linear(in, *weight, bp_constant(j->g, BP_F32, bp_shape(1, OUT), bias));
}

/* With its bias and activation in one, forward; and the weights' gradient, where the rows are what is summed over. */
static void linear_rounds(void **state) {
    (void)state;
    fill();
    float first[ROWS * OUT + OUT * IN];
    for (int on = 0; on <= 1; on++)
        for (int threads = 1; threads <= 3; threads++) {
            job j;
            start(&j, threads, on);
            bp_value weight, y = bp_relu(layer(&j, &weight)), sum = bp_sum(bp_square(y), NULL), out[2] = {y};
            bp_gradients(out + 1, &sum, NULL, 1, &weight, 1);
            run(&j, out, 2);
            const float *have = result(&j, 0), *d = result(&j, 1);
            double other = 0;
            for (int i = 0; i < ROWS * OUT; i++) {
                double v = fmax(want(i / OUT, i % OUT, on), 0);
                assert_true(fabs(have[i] - v) <= 1e-6);
                other = fmax(other, fabs(have[i] - fmax(want(i / OUT, i % OUT, !on), 0)));
            }
            assert_true(other > 1e-4); /* the test can tell them apart */
            for (int i = 0; i < OUT * IN; i++) {
                double v = 0;
                for (int r = 0; r < ROWS; r++) {
                    float dy = 2 * have[r * OUT + i / IN], at = x[r * IN + i % IN];
                    v += on ? (double)rounded(dy) * rounded(at) : (double)dy * at;
                }
                assert_true(fabs(d[i] - v) <= 1e-5);
            }
            if (threads == 1)
                memcpy(first, have, sizeof *first * ROWS * OUT), memcpy(first + ROWS * OUT, d, sizeof *d * OUT * IN);
            assert_memory_equal(first, have, sizeof *first * ROWS * OUT);
            assert_memory_equal(first + ROWS * OUT, d, sizeof *d * OUT * IN);
            stop(&j);
        }
}

/* What is constant is computed before the first run, rounded all the same; a batch of products; float64 never rounds. */
static void folded_batched_and_f64(void **state) {
    (void)state;
    fill();
    job j;
    start(&j, 1, 1);
    bp_value a = bp_constant(j.g, BP_F32, bp_shape(2, ROWS, IN), x), b = bp_constant(j.g, BP_F32, bp_shape(2, OUT, IN), w),
             in = bp_input(j.g, "x", BP_F32, bp_shape(2, ROWS, IN)), turned = bp_transpose(b, 0, 1), stack[2] = {in, in};
    bp_value y[3] = {bp_matmul(a, turned), bp_matmul(bp_stack(stack, 2, NULL), turned),
                     bp_matmul(bp_cast(in, BP_F64), bp_cast(turned, BP_F64))};
    run(&j, y, 3);
    const float *folded = result(&j, 0), *batched = result(&j, 1);
    const double *full = (const double *)(const void *)result(&j, 2);
    for (int i = 0; i < ROWS * OUT; i++) {
        double rough = want(i / OUT, i % OUT, 1) - 0.125, fine = want(i / OUT, i % OUT, 0) - 0.125;
        assert_true(fabs(folded[i] - rough) <= 1e-6);
        assert_true(fabs(batched[i] - rough) <= 1e-6);
        assert_true(fabs(batched[ROWS * OUT + i] - rough) <= 1e-6);
        assert_true(fabs(full[i] - fine) <= 1e-14);
    }
    stop(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear_rounds), cmocka_unit_test(folded_batched_and_f64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
