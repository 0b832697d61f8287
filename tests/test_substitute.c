/* bp_substitute: a part of the graph with other values at its ends; and bp_sharpen, which needs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "backprop.h"

static bp_context *ctx;
static bp_graph *g;

static int begin(void **state) {
    (void)state;
    assert_int_equal(bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    return 0;
}
static int end(void **state) {
    (void)state;
    bp_graph_free(g);
    bp_context_free(ctx);
    return 0;
}

/* The values of y [n numbers each] where the inputs are x and w. */
static void numbers(const bp_value *y, int n_values, const double *x, const double *w, double *out, int64_t n) {
    bp_program *p;
    bp_session *s;
    assert_int_equal(bp_program_new(&p, g, y, n_values, NULL), BP_OK);
    assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
    if (x) bp_session_set(s, "x", x, NULL);
    if (w) bp_session_set(s, "w", w, NULL);
    bp_session_set_step(s, 5, 3, 0);
    assert_int_equal(bp_session_run(s), BP_OK);
    for (int k = 0; k < n_values; k++) {
        const void *data;
        assert_int_equal(bp_session_output(s, k, &data, NULL, NULL), BP_OK);
        memcpy(out + k * n, data, sizeof *out * (size_t)n);
    }
    bp_session_free(s);
    bp_program_free(p);
}

/* With dropout, a second output of one operation, and a part that does not depend on what is replaced. */
static bp_value net(bp_value x, bp_value w) {
    bp_value h = bp_dropout(bp_tanh(bp_mul(x, w)), bp_number(g, BP_F64, 0.5), "mask");
    bp_topk_options o = bp_topk_defaults();
    bp_value largest = bp_topk(h, 2, &o), apart = bp_exp(bp_neg(x));
    return bp_add(bp_sum(largest, NULL), bp_mul(bp_sum(bp_mul(h, apart), NULL), bp_sum(w, NULL)));
}

static void same_as_built_there(void **state) {
    (void)state;
    const double xs[] = {0.3, -1.2, 2, 0.7, 1.1, -0.4}, ws[] = {1, 0.5, -0.25, 2, 0.1, 3};
    bp_value x = bp_input(g, "x", BP_F64, bp_shape(1, 6)), w = bp_input(g, "w", BP_F64, bp_shape(1, 6));
    bp_value there = bp_add(bp_square(w), x), y = net(x, w), built = net(x, there), out[3];
    out[0] = bp_substitute(y, &w, &there, 1);
    out[1] = built;
    out[2] = y;
    double got[3];
    numbers(out, 3, xs, ws, got, 1);
    assert_true(got[0] == got[1]); /* the mask is the same one */
    assert_true(got[0] != got[2]);
    bp_value none = bp_substitute(y, &there, &x, 1), whole = bp_substitute(w, &w, &there, 1);
    assert_int_equal(none.node, y.node); /* what y does not depend on changes nothing */
    assert_int_equal(whole.node, there.node);
}

/* f = Σ w³ at w - r·f'(w): its derivative through the step is 3 v² (1 - 6 r w). */
static void through_a_step(void **state) {
    (void)state;
    const double ws[] = {0.5, -2};
    bp_value w = bp_input(g, "w", BP_F64, bp_shape(1, 2)), f = bp_sum(bp_mul(bp_square(w), w), NULL);
    bp_value v = bp_sub(w, bp_mul(bp_number(g, BP_F64, 0.1), bp_gradient(f, w)));
    bp_value d = bp_gradient(bp_substitute(f, &w, &v, 1), w);
    double got[2];
    numbers(&d, 1, NULL, ws, got, 2);
    for (int i = 0; i < 2; i++) {
        double moved = ws[i] - 0.3 * ws[i] * ws[i], want = 3 * moved * moved * (1 - 0.6 * ws[i]);
        assert_true(fabs(got[i] - want) < 1e-12);
    }
}

/* f = Σ c w²: at w + rho·g/|g|, g = 2 c w. */
static void sharpened(void **state) {
    (void)state;
    const double ws[] = {3, -1}, cs[] = {0.5, 2};
    bp_value w = bp_input(g, "w", BP_F64, bp_shape(1, 2)), c = bp_constant(g, BP_F64, bp_shape(1, 2), cs), d[2];
    bp_value f = bp_sum(bp_mul(c, bp_square(w)), NULL);
    for (int k = 0; k < 2; k++) {
        bp_gradients(&d[k], &f, NULL, 1, &w, 1);
        bp_sharpen(&d[k], f, &w, 1, 0.25, k);
    }
    double got[4];
    numbers(d, 2, NULL, ws, got, 2);
    double g0[2], norm[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        g0[i] = 2 * cs[i] * ws[i];
        norm[0] += g0[i] * g0[i];
        norm[1] += g0[i] * g0[i] * ws[i] * ws[i];
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 2; i++) {
            double moved = ws[i] + 0.25 * g0[i] * (k ? ws[i] * ws[i] : 1) / sqrt(norm[k]);
            assert_true(fabs(got[2 * k + i] - 2 * cs[i] * moved) < 1e-9);
        }
}

static void wrong_values_have_sentences(void **state) {
    (void)state;
    bp_value w = bp_input(g, "w", BP_F64, bp_shape(1, 2)), x = bp_input(g, "x", BP_F64, bp_shape(1, 3));
    bp_value y = bp_substitute(bp_exp(w), &w, &x, 1);
    assert_true(bp_is_bad(y));
    assert_string_equal(bp_context_error(ctx), "substitute: value 1 is f64 [2], and f64 [3] is to take its place");
}

/* The text form of an optimiser cannot know the loss. */
static void needs_the_loss(void **state) {
    (void)state;
    bp_value w = bp_parameter(g, "w", bp_shape(1, 2), bp_zeros()), f = bp_sum(bp_square(w), NULL), d = bp_gradient(f, w);
    assert_int_equal(bp_optimizer(g, "sgd lr=0.1 sam_rho=0.1", BP_NONE, &w, &d, 1), BP_CONFIG);
    assert_non_null(strstr(bp_context_error(ctx), "sam_rho needs the loss"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(same_as_built_there, begin, end),
                                       cmocka_unit_test_setup_teardown(through_a_step, begin, end),
                                       cmocka_unit_test_setup_teardown(sharpened, begin, end),
                                       cmocka_unit_test_setup_teardown(wrong_values_have_sentences, begin, end),
                                       cmocka_unit_test_setup_teardown(needs_the_loss, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
