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
        char name[8];
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equations_point_at_the_character), cmocka_unit_test(without_an_answer),
                                       cmocka_unit_test(batches_are_symbols)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
