/* The engine through its public interface: dimensions, sticky errors, the chain rule, state and commit, the two halves of
   compiling; and the same bits with and without passes, on every instruction set, for any number of threads. */
#include "core/core.h"
#include "graph/dim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t n_allocations;
static void *count_alloc(size_t n, void *user) {
    (void)user;
    n_allocations++;
    return malloc(n);
}
static void *count_resize(void *p, size_t n, void *user) {
    (void)user;
    n_allocations++;
    return realloc(p, n);
}
static void count_free(void *p, void *user) {
    (void)user;
    free(p);
}

static bp_context *context(const char *isa, int threads, int no_passes) {
    bp_context *ctx;
    bp_context_options o = {.size = sizeof o,
                            .isa = isa,
                            .threads = threads,
                            .no_passes = no_passes,
                            .allocate = count_alloc,
                            .resize = count_resize,
                            .release = count_free};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

#define OK(ctx, e)                                                       \
    do {                                                                 \
        if ((e) != BP_OK) fail_msg("%s: %s", #e, bp_context_error(ctx)); \
    } while (0)

static void test_dims(void **state) {
    (void)state;
    bp_context *ctx = context(NULL, 1, 0);
    bp__dims_table *t = bp__dims_table_new(ctx);
    char text[100];
    int64_t b = BP_BATCH, s = BP_TIME;
    assert_int_equal(bp__dim_add(t, bp__dim_mul(t, b, s), s), bp__dim_mul(t, s, bp__dim_add(t, b, 1)));
    assert_int_equal(bp__dim_floordiv(t, bp__dim_mul(t, 6, bp__dim_mul(t, b, s)), bp__dim_mul(t, 2, s)), bp__dim_mul(t, 3, b));
    assert_int_equal(bp__dim_sub(t, bp__dim_add(t, b, 3), b), 3);
    assert_string_equal(bp__dim_text(t, bp__dim_sub(t, bp__dim_mul(t, 2, s), 1), text, sizeof text), "2*time - 1");
    int64_t half = bp__dim_floordiv(t, bp__dim_sub(t, s, 3), 2), values[] = {5, 12};
    assert_int_equal(bp__dim_eval(t, bp__dim_add(t, half, 1), values), 5);
    values[1] = -1;
    assert_int_equal(bp__dim_eval(t, half, values), -1);
    bp__dims_table_free(t);
    bp_context_free(ctx);
}

static void test_sticky_errors(void **state) {
    (void)state;
    bp_context *ctx = context(NULL, 1, 0);
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value a = bp_input(g, "a", BP_F32, bp_shape(2, 32, 784)), b = bp_input(g, "b", BP_F32, bp_shape(2, 128, 784));
    bp_value bad = bp_matmul(a, b);
    assert_true(bp_is_bad(bad));
    assert_true(bp_is_bad(bp_tanh(bp_add(bad, a)))); /* passed through */
    bp_matmul(b, b);                                 /* a second mistake does not replace the first sentence */
    bp_program *p;
    assert_int_equal(bp_program_new(&p, g, &bad, 1, NULL), BP_SHAPE);
    assert_non_null(strstr(bp_context_error(ctx), "matmul"));
    assert_non_null(strstr(bp_context_error(ctx), "[32, 784]"));
    assert_non_null(strstr(bp_context_error(ctx), "[128, 784]"));
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* ---- A small net with an update of the Adam kind ---- */

enum { IN = 20, HIDDEN = 48, OUT = 10, BATCH = 33, STEPS = 6 };

typedef struct net {
    bp_graph *g;
    bp_value loss, ok;
} net;

static net build_net(bp_context *ctx, bp_dtype type) {
    net n = {0};
    OK(ctx, bp_graph_new(&n.g, ctx));
    bp_graph *g = n.g;
    bp_graph_set_dtype(g, type);
    bp_value x = bp_input(g, "x", type, bp_shape(2, BP_BATCH, IN)), label = bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH));
    bp_value p[] = {bp_parameter(g, "0.weight", bp_shape(2, HIDDEN, IN), bp_kaiming_uniform()),
                    bp_parameter(g, "0.bias", bp_shape(1, HIDDEN), bp_uniform_init(-0.1, 0.1)),
                    bp_parameter(g, "2.weight", bp_shape(2, HIDDEN, HIDDEN), bp_kaiming_uniform()),
                    bp_parameter(g, "2.bias", bp_shape(1, HIDDEN), bp_zeros()),
                    bp_parameter(g, "4.weight", bp_shape(2, OUT, HIDDEN), bp_kaiming_uniform()),
                    bp_parameter(g, "4.bias", bp_shape(1, OUT), bp_zeros())};
    bp_value h = bp_relu(bp_linear(x, p[0], p[1]));
    h = bp_dropout(h, bp_number(g, type, 0.25), "1.dropout");
    h = bp_tanh(bp_linear(h, p[2], p[3]));
    n.loss = bp_cross_entropy(bp_linear(h, p[4], p[5]), label, BP_NONE, NULL);
    bp_value d[6], norm = bp_number(g, type, 0);
    bp_gradients(d, &n.loss, NULL, 1, p, 6);
    for (int i = 0; i < 6; i++) norm = bp_add(norm, bp_sum(bp_square(d[i]), NULL));
    n.ok = bp_is_finite(norm);
    bp_value scale = bp_minimum(bp_number(g, type, 1), bp_div(bp_number(g, type, 0.5), bp_sqrt(norm)));
    for (int i = 0; i < 6; i++) {
        char name[40];
        snprintf(name, sizeof name, "m/%d", i);
        bp_value m = bp_variable(g, name, type, bp_value_dims(p[i]), bp_zeros());
        snprintf(name, sizeof name, "v/%d", i);
        bp_value v = bp_variable(g, name, type, bp_value_dims(p[i]), bp_zeros());
        bp_value grad = bp_mul(d[i], scale);
        bp_value m1 = bp_add(bp_mul(m, bp_number(g, type, 0.9)), bp_mul(grad, bp_number(g, type, 0.1)));
        bp_value v1 = bp_add(bp_mul(v, bp_number(g, type, 0.99)), bp_mul(bp_square(grad), bp_number(g, type, 0.01)));
        bp_assign(m, m1);
        bp_assign(v, v1);
        bp_assign(p[i],
                  bp_sub(p[i], bp_mul(bp_number(g, type, 0.05), bp_div(m1, bp_add(bp_sqrt(v1), bp_number(g, type, 1e-3))))));
    }
    return n;
}

typedef struct outcome {
    double losses[STEPS];
    unsigned char weights[(HIDDEN * IN + HIDDEN * HIDDEN + OUT * HIDDEN) * 8];
} outcome;

static void train(bp_context *ctx, bp_dtype type, outcome *o) {
    net n = build_net(ctx, type);
    bp_state *s;
    bp_program *p;
    bp_session *run;
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = n.ok};
    OK(ctx, bp_state_new(&s, n.g));
    OK(ctx, bp_program_new(&p, n.g, &n.loss, 1, &options));
    OK(ctx, bp_session_new(&run, p, s));
    memset(o, 0, sizeof *o);
    for (int step = 0; step < STEPS; step++) {
        static double x64[BATCH * IN];
        static float x32[BATCH * IN];
        int64_t label[BATCH], rows = step == 3 ? 7 : BATCH;
        for (int i = 0; i < BATCH * IN; i++) x64[i] = sin(i * 0.37 + step), x32[i] = (float)x64[i];
        for (int i = 0; i < BATCH; i++) label[i] = (i * 7 + step) % OUT;
        OK(ctx, bp_session_set(run, "x", type == BP_F32 ? (void *)x32 : (void *)x64, &bp_shape(2, rows, IN)));
        OK(ctx, bp_session_set(run, "label", label, &bp_shape(1, rows)));
        bp_session_set_step(run, 5, (uint32_t)step, 0);
        OK(ctx, bp_session_run(run));
        if (!bp_session_committed(run))
            fail_msg("%s: step %d (%s) was not committed", bp_context_isa(ctx), step, bp_dtype_name(type));
        const void *loss;
        OK(ctx, bp_session_output(run, 0, &loss, NULL, NULL));
        o->losses[step] = type == BP_F32 ? (double)*(const float *)loss : *(const double *)loss;
    }
    size_t e = bp_dtype_size(type), at = 0;
    const char *names[] = {"0.weight", "2.weight", "4.weight"};
    const size_t sizes[] = {HIDDEN * IN, HIDDEN * HIDDEN, OUT * HIDDEN};
    for (int i = 0; i < 3; i++) {
        OK(ctx, bp_state_get(s, names[i], o->weights + at, sizes[i] * e));
        at += sizes[i] * e;
    }
    bp_session_free(run);
    bp_program_free(p);
    bp_state_free(s);
    bp_graph_free(n.g);
}

static void test_same_bits(void **state) {
    (void)state;
    for (int type = BP_F32; type <= BP_F64; type++) {
        outcome expected, got;
        bp_context *ctx = context("scalar", 1, 1);
        train(ctx, (bp_dtype)type, &expected);
        bp_context_free(ctx);
        assert_true(expected.losses[0] > 2 && expected.losses[0] < 3);
        for (int i = 0; bp_isa_usable(i); i++)
            for (int threads = 1; threads <= 3; threads++)
                for (int none = 0; none <= 1; none++) {
                    ctx = context(bp_isa_usable(i), threads, none);
                    train(ctx, (bp_dtype)type, &got);
                    bp_context_free(ctx);
                    for (int k = 0; k < STEPS; k++)
                        if (got.losses[k] != expected.losses[k])
                            fail_msg("%s, %d threads, passes %s, type %d: loss of step %d is %.17g, not %.17g", bp_isa_usable(i),
                                     threads, none ? "none" : "all", type, k, got.losses[k], expected.losses[k]);
                    assert_memory_equal(&got, &expected, sizeof got);
                }
    }
}

static void test_gradient_of_net(void **state) {
    (void)state;
    bp_context *ctx = context(NULL, 1, 0);
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_graph_set_dtype(g, BP_F64);
    bp_value x = bp_input(g, "x", BP_F64, bp_shape(2, BP_BATCH, 3)),
             w = bp_parameter(g, "w", bp_shape(2, 4, 3), bp_kaiming_uniform());
    bp_value loss = bp_mean(bp_square(bp_tanh(bp_linear(x, w, BP_NONE))), NULL);
    bp_value outputs[] = {loss, bp_gradient(loss, w)};
    bp_state *s;
    bp_program *p;
    bp_session *run;
    OK(ctx, bp_state_new(&s, g));
    OK(ctx, bp_program_new(&p, g, outputs, 2, NULL));
    OK(ctx, bp_session_new(&run, p, s));
    double xs[15], ws[12], d[12];
    for (int i = 0; i < 15; i++) xs[i] = cos(i * 1.7);
    OK(ctx, bp_state_get(s, "w", ws, sizeof ws));
    for (int i = -1; i < 12; i++) {
        double f[2];
        const void *out;
        for (int side = 0; side < 2; side++) {
            double moved[12];
            memcpy(moved, ws, sizeof ws);
            if (i >= 0) moved[i] += side ? 1e-5 : -1e-5;
            OK(ctx, bp_state_set(s, "w", moved, sizeof moved));
            OK(ctx, bp_session_set(run, "x", xs, &bp_shape(2, 5, 3)));
            OK(ctx, bp_session_run(run));
            OK(ctx, bp_session_output(run, 0, &out, NULL, NULL));
            f[side] = *(const double *)out;
        }
        if (i < 0) {
            OK(ctx, bp_session_output(run, 1, &out, NULL, NULL));
            memcpy(d, out, sizeof d);
        } else {
            assert_true(fabs((f[1] - f[0]) / 2e-5 - d[i]) < 1e-9);
        }
    }
    bp_session_free(run);
    bp_program_free(p);
    bp_state_free(s);
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* Two variables exchange their values: all reads see the old state. And nothing is written when ok is zero. */
static void test_commit(void **state) {
    (void)state;
    for (int none = 0; none <= 1; none++) {
        bp_context *ctx = context(NULL, 1, none);
        bp_graph *g;
        OK(ctx, bp_graph_new(&g, ctx));
        bp_value a = bp_variable(g, "a", BP_F32, bp_shape(1, 3), bp_filled(1)),
                 b = bp_variable(g, "b", BP_F32, bp_shape(1, 3), bp_filled(2));
        bp_value c = bp_variable(g, "c", BP_F32, bp_shape(1, 3), bp_filled(4)), ok = bp_input(g, "ok", BP_F32, bp_shape(0));
        bp_assign(a, b);
        bp_assign(b, bp_add(a, c));
        bp_assign(c, bp_mul(a, c));
        bp_value sum = bp_sum(bp_add(a, b), NULL);
        bp_program *p;
        bp_state *s;
        bp_session *run;
        bp_program_options options = {.size = sizeof options, .commit = 1, .ok = ok};
        OK(ctx, bp_state_new(&s, g));
        OK(ctx, bp_program_new(&p, g, &sum, 1, &options));
        OK(ctx, bp_session_new(&run, p, s));
        float v[3], flag = 0;
        OK(ctx, bp_session_set(run, "ok", &flag, NULL));
        OK(ctx, bp_session_run(run));
        assert_false(bp_session_committed(run));
        OK(ctx, bp_state_get(s, "a", v, sizeof v));
        assert_true(v[1] == 1);
        flag = 1;
        OK(ctx, bp_session_run(run));
        OK(ctx, bp_state_get(s, "a", v, sizeof v));
        assert_true(v[0] == 2 && v[2] == 2);
        OK(ctx, bp_state_get(s, "b", v, sizeof v));
        assert_true(v[0] == 5 && v[2] == 5);
        OK(ctx, bp_state_get(s, "c", v, sizeof v));
        assert_true(v[0] == 4);
        bp_session_free(run);
        bp_program_free(p);
        bp_state_free(s);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

/* One program for all sizes; a step allocates nothing once its sizes were seen. */
static void test_sizes(void **state) {
    (void)state;
    bp_context *ctx = context(NULL, 1, 0);
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value x = bp_input(g, "x", BP_F32, bp_shape(3, BP_BATCH, BP_TIME, 4)),
             w = bp_parameter(g, "w", bp_shape(2, 2, 4), bp_filled(0.5));
    bp_value y = bp_sum(bp_mean(bp_linear(x, w, BP_NONE), NULL), NULL);
    bp_assign(w, bp_sub(w, bp_mul(bp_number(g, BP_F32, 0.1), bp_gradient(y, w))));
    bp_state *s;
    bp_program *p;
    bp_session *run;
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    OK(ctx, bp_state_new(&s, g));
    OK(ctx, bp_program_new(&p, g, &y, 1, &options));
    OK(ctx, bp_session_new(&run, p, s));
    static float data[4 * 5 * 8 * 4];
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) data[i] = 1;
    const int64_t lengths[] = {1, 8, 3, 5, 2};
    for (int round = 0; round < 2; round++) {
        int64_t before = n_allocations;
        for (int i = 0; i < 5; i++) {
            OK(ctx, bp_session_set(run, "x", data, &bp_shape(3, 4, lengths[i], 4)));
            OK(ctx, bp_session_run(run));
            const void *out;
            OK(ctx, bp_session_output(run, 0, &out, NULL, NULL));
            float expected = 2.0f - 0.2f * (float)(round * 5 + i); /* each step lowers all 4 weights of a row by .1/2 */
            assert_true(fabsf(*(const float *)out - expected) < 1e-4f);
        }
        if (round == 1) assert_int_equal(n_allocations, before);
    }
    assert_int_equal(bp_session_set(run, "x", data, &bp_shape(3, 4, 4, 5)), BP_SHAPE);
    assert_non_null(strstr(bp_context_error(ctx), "[batch, time, 4]"));
    char *text;
    OK(ctx, bp_session_describe(run, &text));
    assert_non_null(strstr(text, "gemm"));
    bp_free(ctx, text);
    bp_session_free(run);
    bp_program_free(p);
    bp_state_free(s);
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* x has four consumers, made in the order in which they are named or the other way round, as two compilers may evaluate the
   arguments of one expression. */
static bp_value same_formula(bp_value x, bool backwards) {
    bp_value part[4];
    for (int i = 0; i < 4; i++) {
        int k = backwards ? 3 - i : i;
        part[k] = k == 0   ? bp_exp(x)
                  : k == 1 ? bp_mul(bp_tanh(x), bp_number(x.graph, BP_F32, 1e4))
                  : k == 2 ? bp_sin(x)
                           : bp_square(x);
    }
    return bp_add(bp_add(part[0], part[1]), bp_mul(part[2], part[3]));
}

static void doubled_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                         bp_value *out, void *user) {
    (void)body, (void)captured, (void)out;
    next[0] = bp_tanh(bp_add(carry[0], bp_mul(same_formula(x[0], *(bool *)user), bp_number(body, BP_F32, 1e-4))));
}

/* The order in which nodes are made leaves no trace in the bits: not in the gradient, nor in the gradient's gradient, nor in a
   scan's. */
static void test_order_of_making(void **state) {
    (void)state;
    enum { N = 500 };
    static float x[N], kept[3][N];
    for (int i = 0; i < N; i++) x[i] = (float)sin(i * 0.37);
    for (int backwards = 0; backwards <= 1; backwards++) {
        bp_context *ctx = context(NULL, 1, 1);
        bp_graph *g;
        OK(ctx, bp_graph_new(&g, ctx));
        bool flag = backwards;
        bp_value in = bp_input(g, "x", BP_F32, bp_shape(1, N)), first = bp_gradient(bp_sum(same_formula(in, flag), NULL), in);
        bp_value rows = bp_reshape(in, bp_shape(2, N / 5, 5)), init = bp_fill(bp_number(g, BP_F32, 0), bp_shape(1, 5)), final;
        bp_scan_spec spec = {
            .size = sizeof spec, .inits = &init, .n_carry = 1, .xs = &rows, .n_x = 1, .body = doubled_body, .user = &flag};
        bp_scan(&final, NULL, &spec);
        bp_value outputs[] = {first, bp_gradient(bp_sum(bp_square(first), NULL), in), bp_gradient(bp_sum(final, NULL), in)};
        bp_program *p;
        bp_session *s;
        OK(ctx, bp_program_new(&p, g, outputs, 3, NULL));
        OK(ctx, bp_session_new(&s, p, NULL));
        OK(ctx, bp_session_set(s, "x", x, NULL));
        OK(ctx, bp_session_run(s));
        for (int k = 0; k < 3; k++) {
            const void *d;
            OK(ctx, bp_session_output(s, k, &d, NULL, NULL));
            if (!backwards)
                memcpy(kept[k], d, sizeof kept[k]);
            else if (memcmp(kept[k], d, sizeof kept[k]) != 0)
                fail_msg("output %d: other bits when the nodes are made in another order", k);
        }
        bp_session_free(s);
        bp_program_free(p);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dims),
                                       cmocka_unit_test(test_sticky_errors),
                                       cmocka_unit_test(test_order_of_making),
                                       cmocka_unit_test(test_gradient_of_net),
                                       cmocka_unit_test(test_commit),
                                       cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
