/* Operations from outside: values, gradients of first and second order against differences, errors that reach the run's status,
   nothing committed then, loops, parameters whose storage is not row-major. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <backprop.h>

/* y[i] = Σ_j sin(x[i, j]) w[j], and z = x transposed: two outputs, a shape rule, rows that must be row-major. */
typedef struct record {
    int calls, fail_at; /* fails in call number fail_at */
    char text[40];
} record;

static bp_status waves_shape(bp_custom_call *c) {
    const bp_dims *x = &c->in[0].dims;
    if (x->n != 2 || c->in[0].data) {
        c->error = "x must be a matrix";
        return BP_SHAPE;
    }
    c->out[0].dims = bp_shape(1, x->dim[0]);
    c->out[1].dims = bp_shape(2, x->dim[1], x->dim[0]);
    return BP_OK;
}

static bp_status waves_forward(bp_custom_call *c) {
    record *r = c->user;
    const double *x = c->in[0].data, *w = c->in[1].data;
    double *y = c->out[0].data, *z = c->out[1].data;
    int64_t n = c->in[0].dims.dim[0], m = c->in[0].dims.dim[1];
    if (++r->calls == r->fail_at) {
        snprintf(r->text, sizeof r->text, "call %d is one too many", r->calls);
        c->error = r->text;
        return BP_DATA;
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0;
        for (int64_t j = 0; j < m; j++) {
            y[i] += sin(x[i * m + j]) * w[j];
            z[j * n + i] = x[i * m + j];
        }
    }
    return BP_OK;
}

static bp_value as_column(bp_value y) { return bp_reshape(y, bp_shape(2, bp_value_dims(y).dim[0], 1)); }

static void waves_gradient(bp_custom_gradient *g) {
    bp_value x = g->in[0], w = g->in[1], d_y = g->d_out[0], d_z = g->d_out[1];
    if (g->wanted[0]) {
        bp_value d = BP_NONE;
        if (d_y.graph) d = bp_mul(as_column(d_y), bp_mul(bp_cos(x), w));
        if (d_z.graph) {
            bp_value back = bp_permute(d_z, bp_shape(2, 1, 0));
            d = d.graph ? bp_add(d, back) : back;
        }
        g->d_in[0] = d;
    }
    if (g->wanted[1] && d_y.graph) g->d_in[1] = bp_mul(as_column(d_y), bp_sin(x)); /* [n, m]: summed back to [m] */
}

static bp_custom_spec waves(record *r) {
    return (bp_custom_spec){.size = sizeof(bp_custom_spec),
                            .name = "waves",
                            .n_outputs = 2,
                            .shape = waves_shape,
                            .forward = waves_forward,
                            .gradient = waves_gradient,
                            .user = r};
}

static bp_context *new_context(int no_passes) {
    bp_context *ctx;
    bp_context_options o = {.size = sizeof o, .threads = 1, .no_passes = no_passes};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static const double *output(bp_session *s, int k) {
    const void *data;
    assert_int_equal(bp_session_output(s, k, &data, NULL, NULL), BP_OK);
    return data;
}

enum { N = 2, M = 3 };

/* L = Σ y² + Σ z³ with w seen through a stride, its gradient g, and Σ g · direction with its gradient: all against differences.
 */
static void gradients_of_both_orders(void **state) {
    (void)state;
    for (int no_passes = 0; no_passes <= 1; no_passes++) {
        bp_context *ctx = new_context(no_passes);
        bp_graph *g;
        bp_program *p;
        bp_session *s;
        record r = {0};
        bp_custom_spec spec = waves(&r);
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value x = bp_input(g, "x", BP_F64, bp_shape(2, M, BP_BATCH)), w = bp_input(g, "w", BP_F64, bp_shape(1, M));
        bp_value in[2] = {bp_permute(x, bp_shape(2, 1, 0)), w}, y = bp_custom(in, 2, &spec), z = y;
        z.output = 1;
        assert_int_equal(bp_value_dims(y).dim[0], BP_BATCH);
        bp_value loss = bp_add(bp_sum(bp_square(y), NULL), bp_sum(bp_mul(z, bp_square(z)), NULL)), d[2], wrt[2] = {x, w}, dd[2];
        bp_gradients(d, &loss, NULL, 1, wrt, 2);
        bp_value slope = bp_add(bp_sum(bp_sin(d[0]), NULL), bp_sum(bp_cos(d[1]), NULL));
        bp_gradients(dd, &slope, NULL, 1, wrt, 2);
        bp_value outputs[] = {loss, d[0], d[1], slope, dd[0], dd[1]};
        assert_int_equal(bp_program_new(&p, g, outputs, 6, NULL), BP_OK);
        assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
        double xs[M * N] = {0.3, -1.2, 0.7, 2.1, -0.4, 1.1}, ws[M] = {0.5, -1.5, 2};
        bp_dims dims = bp_shape(2, M, N);
        bp_session_set(s, "x", xs, &dims);
        bp_session_set(s, "w", ws, NULL);
        assert_int_equal(bp_session_run(s), BP_OK);
        double rules[2][M * N + M], h = 1e-5;
        for (int k = 0; k < 2; k++) {
            memcpy(rules[k], output(s, 3 * k + 1), sizeof(double) * M * N);
            memcpy(rules[k] + M * N, output(s, 3 * k + 2), sizeof(double) * M);
        }
        for (int i = 0; i < M * N + M; i++) {
            double *at = i < M * N ? &xs[i] : &ws[i - M * N], was = *at, side[2][2];
            for (int k = 0; k < 2; k++) {
                *at = was + (k ? h : -h);
                assert_int_equal(bp_session_run(s), BP_OK);
                side[0][k] = *output(s, 0);
                side[1][k] = *output(s, 3);
            }
            *at = was;
            for (int k = 0; k < 2; k++) {
                double numeric = (side[k][1] - side[k][0]) / (2 * h);
                assert_true(fabs(numeric) > 1e-6);
                assert_true(fabs(rules[k][i] - numeric) <= 1e-6 * (1 + fabs(numeric)));
            }
        }
        char *text;
        assert_int_equal(bp_session_describe(s, &text), BP_OK);
        assert_non_null(strstr(text, "(waves)"));
        bp_free(ctx, text);
        bp_session_free(s);
        bp_program_free(p);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

/* A parameter that a linear layer keeps in panels reaches the function row-major; the run that fails commits nothing. */
static void failures_reach_the_run(void **state) {
    (void)state;
    for (int no_passes = 0; no_passes <= 1; no_passes++) {
        bp_context *ctx = new_context(no_passes);
        bp_graph *g;
        bp_state *params;
        bp_program *p;
        bp_session *s;
        record r = {.fail_at = 2};
        bp_custom_spec spec = waves(&r);
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_graph_set_dtype(g, BP_F64);
        bp_value x = bp_input(g, "x", BP_F64, bp_shape(2, 1, M)),
                 w = bp_parameter(g, "w", bp_shape(2, 64, M), bp_uniform_init(-1, 1));
        bp_value row = bp_reshape(x, bp_shape(1, M)), in[2] = {w, row}, y = bp_custom(in, 2, &spec);
        bp_value loss = bp_sum(bp_mul(bp_linear(x, w, BP_NONE), y), NULL), step = bp_gradient(loss, w);
        bp_assign(w, bp_sub(w, step));
        assert_int_equal(bp_state_new(&params, g), BP_OK);
        bp_program_options o = {.size = sizeof o, .commit = 1, .ok = BP_NONE};
        bp_value outputs[] = {loss, y};
        assert_int_equal(bp_program_new(&p, g, outputs, 2, &o), BP_OK);
        assert_int_equal(bp_session_new(&s, p, params), BP_OK);
        const double xs[M] = {0.5, -1, 2};
        double before[64 * M], after[64 * M];
        bp_session_set(s, "x", xs, NULL);
        assert_int_equal(bp_state_get(params, "w", before, sizeof before), BP_OK);
        assert_int_equal(bp_session_run(s), BP_OK);
        for (int i = 0; i < 64; i++) {
            double sum = 0;
            for (int j = 0; j < M; j++) sum += sin(before[i * M + j]) * xs[j];
            assert_true(output(s, 1)[i] == sum);
        }
        assert_true(bp_session_committed(s));
        assert_int_equal(bp_state_get(params, "w", before, sizeof before), BP_OK);
        assert_int_equal(bp_session_run(s), BP_DATA);
        assert_string_equal(bp_context_error(ctx), "waves: call 2 is one too many");
        assert_false(bp_session_committed(s));
        assert_int_equal(bp_state_get(params, "w", after, sizeof after), BP_OK);
        assert_memory_equal(before, after, sizeof before);
        bp_context_clear_error(ctx);
        assert_int_equal(bp_session_run(s), BP_OK); /* the next one is a run like any other */
        assert_true(bp_session_committed(s));
        bp_session_free(s);
        bp_program_free(p);
        bp_state_free(params);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

static void turn_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                      bp_value *out, void *user) {
    (void)body, (void)x, (void)out;
    bp_custom_spec spec = waves(user);
    bp_value in[2] = {carry[0], captured[0]}, y = bp_custom(in, 2, &spec);
    next[0] = bp_mul(as_column(y), bp_number(body, BP_F64, 0.5));
}

/* Inside a loop: the third turn fails, and no other is run. */
static void loops_stop(void **state) {
    (void)state;
    bp_context *ctx = new_context(0);
    bp_graph *g;
    bp_program *p;
    bp_session *s;
    record r = {.fail_at = 8};
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value x = bp_input(g, "x", BP_F64, bp_shape(2, N, 1)), w = bp_input(g, "w", BP_F64, bp_shape(1, 1)), last;
    bp_scan(&last, NULL,
            &(bp_scan_spec){.size = sizeof(bp_scan_spec),
                            .inits = &x,
                            .n_carry = 1,
                            .captured = &w,
                            .n_captured = 1,
                            .turns = 5,
                            .lengths = BP_NONE,
                            .body = turn_body,
                            .user = &r});
    assert_int_equal(bp_program_new(&p, g, &last, 1, NULL), BP_OK);
    assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
    const double xs[N] = {1, 2}, ws[1] = {3};
    double a = xs[0];
    bp_session_set(s, "x", xs, NULL);
    bp_session_set(s, "w", ws, NULL);
    assert_int_equal(bp_session_run(s), BP_OK);
    for (int t = 0; t < 5; t++) a = sin(a) * 3 * 0.5;
    assert_true(output(s, 0)[0] == a);
    assert_int_equal(r.calls, 5);
    assert_int_equal(bp_session_run(s), BP_DATA);
    assert_string_equal(bp_context_error(ctx), "waves: call 8 is one too many");
    assert_int_equal(r.calls, 8);
    bp_session_free(s);
    bp_program_free(p);
    bp_graph_free(g);
    bp_context_free(ctx);
}

static bp_status no_shape(bp_custom_call *c) {
    c->out[0].dims = bp_shape(1, BP_INFER);
    return BP_OK;
}
static void wrong_gradient(bp_custom_gradient *g) { g->d_in[0] = bp_cast(g->d_out[0], BP_F32); }

static void building_errors_have_sentences(void **state) {
    (void)state;
    static const char *const sentences[] = {
        "waves: x must be a matrix",
        "waves: its shape function did not give output 1 a type and a shape",
        "waves: it has no gradient; give its specification one, or cut it off with stop_gradient",
        "waves: the gradient of input 1 is f32, the input f64",
        ("custom: the specification needs its size, a name, a forward function, and 1 to 16 inputs"
         " and outputs"),
        "waves: input 2 is missing, or belongs to another graph"};
    for (int i = 0; i < 6; i++) {
        bp_context *ctx = new_context(0);
        bp_graph *g;
        record r = {0};
        bp_custom_spec spec = waves(&r);
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value x = bp_input(g, "x", BP_F64, i ? bp_shape(2, 2, 3) : bp_shape(1, 3)),
                 w = bp_input(g, "w", BP_F64, bp_shape(1, 3));
        if (i == 1) spec.shape = no_shape;
        if (i == 2) spec.gradient = NULL;
        if (i == 3) spec.gradient = wrong_gradient;
        if (i == 4) spec.n_outputs = 17;
        bp_value in[2] = {x, i == 5 ? BP_NONE : w}, y = bp_custom(in, 2, &spec);
        if (i == 2 || i == 3) y = bp_gradient(y, x);
        assert_true(bp_is_bad(y));
        assert_string_equal(bp_context_error(ctx), sentences[i]);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_of_both_orders), cmocka_unit_test(failures_reach_the_run),
                                       cmocka_unit_test(loops_stop), cmocka_unit_test(building_errors_have_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
