/* Operations against formulas written out here in plain double loops: what the gradient check cannot see. Losses run over a
   symbolic batch, so the counts they divide by are values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <backprop.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { N = 7, C = 4 };

static const double X[N * C] = {0.3, -1.2, 2.0,  0.1, -0.7, 0.4, 0.9, -2.5, 1.5,  1.5, -0.3, 0.0,  3.0, -3.0,
                                0.2, 0.6,  -1.1, 0.8, 0.7,  0.5, 2.2, 0.1,  -0.4, 1.3, 0.0,  -0.9, 1.7, -1.6};
static const int64_t LABEL[N] = {2, 0, 1, 3, 1, 0, 2};
static const int64_t LABEL_IGNORED[N] = {2, -100, 1, 3, -100, 0, 2};
static const double WEIGHT[C] = {0.5, 1.0, 2.0, 1.5};

static void must(bp_context *ctx, bp_status status) {
    if (status != BP_OK) fail_msg("%s: %s", bp_status_name(status), bp_context_error(ctx));
}

typedef struct bench {
    bp_context *ctx;
    bp_graph *g;
    const char *names[8];
    const void *data[8];
    bp_dims dims[8];
    int n;
} bench;

static void start(bench *b) {
    memset(b, 0, sizeof *b);
    must(NULL, bp_context_new(&b->ctx, NULL));
    must(b->ctx, bp_graph_new(&b->g, b->ctx));
}

static bp_value feed(bench *b, const char *name, bp_dtype dtype, bp_dims declared, const void *data, bp_dims real) {
    b->names[b->n] = name;
    b->data[b->n] = data;
    b->dims[b->n++] = real;
    return bp_input(b->g, name, dtype, declared);
}

/* Runs y and copies it, as doubles; returns the number of elements. */
static int64_t run(bench *b, bp_value y, double *out) {
    bp_program *program;
    bp_state *state;
    bp_session *session;
    const void *data;
    bp_dtype dtype;
    bp_dims dims;
    must(b->ctx, bp_graph_status(b->g));
    must(b->ctx, bp_program_new(&program, b->g, &y, 1, NULL));
    must(b->ctx, bp_state_new(&state, b->g));
    must(b->ctx, bp_session_new(&session, program, state));
    for (int i = 0; i < b->n; i++) must(b->ctx, bp_session_set(session, b->names[i], b->data[i], &b->dims[i]));
    must(b->ctx, bp_session_run(session));
    must(b->ctx, bp_session_output(session, 0, &data, &dtype, &dims));
    int64_t n = 1;
    for (int64_t i = 0; i < dims.n; i++) n *= dims.dim[i];
    for (int64_t i = 0; i < n; i++) {
        if (dtype == BP_F64)
            out[i] = ((const double *)data)[i];
        else if (dtype == BP_F32)
            out[i] = (double)((const float *)data)[i];
        else if (dtype == BP_I64)
            out[i] = (double)((const int64_t *)data)[i];
        else
            out[i] = ((const uint8_t *)data)[i];
    }
    bp_session_free(session);
    bp_state_free(state);
    bp_program_free(program);
    return n;
}

static void stop(bench *b) {
    bp_graph_free(b->g);
    bp_context_free(b->ctx);
}

static void near(double got, double want, const char *what) {
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want)))) fail_msg("%s: %.17g, expected %.17g", what, got, want);
}

/* ---- Cross entropy ---------------------------------------------------------------------------------------------------- */

static double log_p(int n, int c) {
    double sum = 0;
    for (int k = 0; k < C; k++) sum += exp(X[n * C + k]);
    return X[n * C + c] - log(sum);
}

/* PyTorch's definition for labels, literally. */
static double expected_labels(const int64_t *label, bool weighted, int64_t ignore, double e, bool mean) {
    double nll = 0, smooth = 0, norm = 0;
    for (int n = 0; n < N; n++) {
        if (label[n] == ignore) continue;
        double w = weighted ? WEIGHT[label[n]] : 1;
        nll -= w * log_p(n, (int)label[n]);
        for (int c = 0; c < C; c++) smooth -= (weighted ? WEIGHT[c] : 1) * log_p(n, c);
        norm += w;
    }
    double total = (1 - e) * nll + e / C * smooth;
    return mean ? total / norm : total;
}

static void labels(void **unused) {
    (void)unused;
    for (int weighted = 0; weighted < 2; weighted++)
        for (int smoothing = 0; smoothing < 2; smoothing++)
            for (int ignoring = 0; ignoring < 3; ignoring++)
                for (int mean = 0; mean < 2; mean++) {
                    bench b;
                    start(&b);
                    const int64_t *t = ignoring == 1 ? LABEL_IGNORED : LABEL;
                    bp_cross_entropy_options o = bp_cross_entropy_defaults();
                    o.reduction = mean ? "mean" : "sum";
                    o.label_smoothing = smoothing ? 0.2 : 0;
                    if (ignoring == 2) o.ignore_index = 1;
                    bp_value x = feed(&b, "x", BP_F64, bp_shape(2, BP_BATCH, C), X, bp_shape(2, N, C));
                    bp_value label = feed(&b, "t", BP_I64, bp_shape(1, BP_BATCH), t, bp_shape(1, N));
                    bp_value w = weighted ? bp_constant(b.g, BP_F64, bp_shape(1, C), WEIGHT) : BP_NONE;
                    double got;
                    assert_int_equal(run(&b, bp_cross_entropy(x, label, w, &o), &got), 1);
                    near(got, expected_labels(t, weighted, o.ignore_index, o.label_smoothing, mean), "cross_entropy of labels");
                    stop(&b);
                }
}

static void all_ignored(void **unused) {
    (void)unused;
    bench b;
    start(&b);
    const int64_t t[2] = {-100, -100};
    bp_value x = feed(&b, "x", BP_F64, bp_shape(2, BP_BATCH, C), X, bp_shape(2, 2, C));
    bp_value label = feed(&b, "t", BP_I64, bp_shape(1, BP_BATCH), t, bp_shape(1, 2));
    double got;
    run(&b, bp_cross_entropy(x, label, BP_NONE, NULL), &got);
    assert_true(isnan(got)); /* 0 / 0, as in PyTorch */
    stop(&b);
}

static void probabilities(void **unused) {
    (void)unused;
    double q[N * C], want = 0;
    for (int i = 0; i < N * C; i++) q[i] = 0.05 * (1 + i % 5);
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) want -= WEIGHT[c] * (0.9 * q[n * C + c] + 0.1 / C) * log_p(n, c);
    bench b;
    start(&b);
    bp_cross_entropy_options o = bp_cross_entropy_defaults();
    o.label_smoothing = 0.1;
    bp_value x = feed(&b, "x", BP_F64, bp_shape(2, BP_BATCH, C), X, bp_shape(2, N, C));
    bp_value target = feed(&b, "t", BP_F64, bp_shape(2, BP_BATCH, C), q, bp_shape(2, N, C));
    double got;
    run(&b, bp_cross_entropy(x, target, bp_constant(b.g, BP_F64, bp_shape(1, C), WEIGHT), &o), &got);
    near(got, want / N, "cross_entropy of probabilities");
    stop(&b);
}

static void unreduced_over_pixels(void **unused) {
    (void)unused;
    bench b;
    start(&b);
    enum { D = 3 };
    double x[2 * C * D], got[2 * D];
    int64_t t[2 * D] = {0, 1, 2, 3, -100, 1};
    for (int i = 0; i < 2 * C * D; i++) x[i] = sin(i);
    bp_cross_entropy_options o = bp_cross_entropy_defaults();
    o.reduction = "none";
    bp_value vx = feed(&b, "x", BP_F64, bp_shape(3, BP_BATCH, C, BP_TIME), x, bp_shape(3, 2, C, D));
    bp_value vt = feed(&b, "t", BP_I64, bp_shape(2, BP_BATCH, BP_TIME), t, bp_shape(2, 2, D));
    assert_int_equal(run(&b, bp_cross_entropy(vx, vt, BP_NONE, &o), got), 2 * D);
    for (int n = 0; n < 2; n++)
        for (int d = 0; d < D; d++) {
            double sum = 0;
            int64_t label = t[n * D + d];
            for (int c = 0; c < C; c++) sum += exp(x[(n * C + c) * D + d]);
            near(got[n * D + d], label < 0 ? 0 : log(sum) - x[(n * C + label) * D + d], "cross_entropy, reduction none");
        }
    stop(&b);
}

/* ---- Other losses ------------------------------------------------------------------------------------------------------ */

static void binary(void **unused) {
    (void)unused;
    const double x[4] = {0, -40, 40, 1.5}, t[4] = {1, 0, 1, 0.25}, weight[4] = {1, 2, 3, 4}, pos = 3;
    double want = 0, got, d[4];
    for (int i = 0; i < 4; i++) {
        double log_sigmoid = x[i] >= 0 ? -log1p(exp(-x[i])) : x[i] - log1p(exp(x[i]));
        want += weight[i] * ((1 - t[i]) * x[i] - (1 + (pos - 1) * t[i]) * log_sigmoid) / 4;
    }
    bench b;
    start(&b);
    bp_value vx = feed(&b, "x", BP_F64, bp_shape(1, BP_BATCH), x, bp_shape(1, 4));
    bp_value vt = feed(&b, "t", BP_F64, bp_shape(1, BP_BATCH), t, bp_shape(1, 4));
    bp_value vw = feed(&b, "w", BP_F64, bp_shape(1, BP_BATCH), weight, bp_shape(1, 4));
    bp_value loss = bp_bce_with_logits(vx, vt, vw, bp_number(b.g, BP_F64, pos), NULL);
    run(&b, loss, &got);
    near(got, want, "bce_with_logits");
    run(&b, bp_gradient(bp_bce_with_logits(vx, vt, BP_NONE, BP_NONE, NULL), vx), d);
    near(d[0], (0.5 - 1) / 4, "the gradient of bce_with_logits at 0");
    stop(&b);
}

static void regression(void **unused) {
    (void)unused;
    const double x[4] = {0, -4, 2, 1.5}, t[4] = {1, 0, 2, 1.25};
    double mse = 0, l1 = 0, huber = 0, got;
    for (int i = 0; i < 4; i++) {
        double d = fabs(x[i] - t[i]);
        mse += d * d / 4, l1 += d / 4, huber += (d < 0.5 ? d * d / 2 : 0.5 * (d - 0.25)) / 4;
    }
    bench b;
    start(&b);
    bp_value vx = feed(&b, "x", BP_F64, bp_shape(1, BP_BATCH), x, bp_shape(1, 4));
    bp_value vt = feed(&b, "t", BP_F64, bp_shape(1, BP_BATCH), t, bp_shape(1, 4));
    bp_huber_options o = bp_huber_defaults();
    o.delta = 0.5;
    run(&b, bp_mse(vx, vt, NULL), &got);
    near(got, mse, "mse");
    run(&b, bp_l1(vx, vt, NULL), &got);
    near(got, l1, "l1");
    run(&b, bp_huber(vx, vt, &o), &got);
    near(got, huber, "huber");
    stop(&b);
}

/* ---- Masks select -------------------------------------------------------------------------------------------------------- */

static void infinities(void **unused) {
    (void)unused;
    const double inf = (double)INFINITY, x[4] = {-inf, -inf, -inf, 0};
    double y[4], d[4];
    bench b;
    start(&b);
    bp_value v = feed(&b, "x", BP_F64, bp_shape(2, 2, 2), x, bp_shape(2, 2, 2));
    bp_logsumexp_options rows = {sizeof rows, bp_shape(1, 1), 0};
    run(&b, bp_logsumexp(v, &rows), y);
    assert_true(y[0] == -inf && y[1] == 0);
    bp_value w = feed(&b, "w", BP_F64, bp_shape(1, 4), (const double[]){1, 3, 3, 2}, bp_shape(1, 4));
    run(&b, bp_gradient(bp_max(w, NULL), w), d);
    assert_true(d[0] == 0 && d[1] == 0.5 && d[2] == 0.5 && d[3] == 0); /* shared among equals */
    bp_max_options named = {sizeof named, bp_shape(1, 0), 0};
    run(&b, bp_gradient(bp_max(w, &named), w), d);
    assert_true(d[0] == 0 && d[1] == 1 && d[2] == 0 && d[3] == 0); /* along an axis: to the first */
    bp_value all = bp_dropout(w, bp_number(b.g, BP_F64, 1), "test.dropout");
    run(&b, bp_gradient(bp_sum(all, NULL), w), d);
    for (int i = 0; i < 4; i++) assert_true(d[i] == 0); /* and not 0 / 0 */
    stop(&b);
}

static void counting(void **unused) {
    (void)unused;
    bench b;
    start(&b);
    double n;
    bp_value x = feed(&b, "x", BP_F64, bp_shape(2, BP_BATCH, C), X, bp_shape(2, N, C));
    bp_value t = feed(&b, "t", BP_I64, bp_shape(1, BP_BATCH), LABEL, bp_shape(1, N));
    bp_value hits = bp_sum(bp_eq(bp_argmax(x, &(bp_argmax_options){sizeof(bp_argmax_options), 1, 0}), t),
                           NULL); /* the sum of truth values is a whole number */
    assert_int_equal(bp_value_dtype(hits), BP_I64);
    run(&b, hits, &n);
    int want = 0;
    for (int i = 0; i < N; i++) {
        int best = 0;
        for (int c = 1; c < C; c++) best = X[i * C + c] > X[i * C + best] ? c : best;
        want += best == LABEL[i];
    }
    assert_int_equal((int)n, want);
    run(&b, bp_mean(x, NULL), &n);
    double sum = 0;
    for (int i = 0; i < N * C; i++) sum += X[i];
    near(n, sum / (N * C), "mean over a symbolic batch");
    stop(&b);
}

/* ---- Sentences ------------------------------------------------------------------------------------------------------------- */

static void sentences(void **unused) {
    (void)unused;
    bench b;
    start(&b);
    bp_value x = bp_input(b.g, "x", BP_F32, bp_shape(2, 32, 784)), w = bp_input(b.g, "w", BP_F32, bp_shape(2, 128, 784));
    assert_true(bp_is_bad(bp_matmul(x, w)));
    assert_int_equal(bp_graph_status(b.g), BP_SHAPE);
    assert_string_equal(bp_context_error(b.ctx), "matmul: inner sizes differ: [32, 784] x [128, 784]");
    stop(&b);
    start(&b);
    x = bp_input(b.g, "x", BP_F32, bp_shape(2, BP_BATCH, 3));
    assert_true(bp_is_bad(bp_reshape(x, bp_shape(2, 5, BP_INFER))) || bp_graph_status(b.g) == BP_OK);
    assert_true(bp_is_bad(bp_mse(x, bp_sum(x, NULL), NULL)));
    assert_int_equal(bp_graph_status(b.g), BP_SHAPE);
    stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),        cmocka_unit_test(all_ignored),
        cmocka_unit_test(probabilities), cmocka_unit_test(unreduced_over_pixels),
        cmocka_unit_test(binary),        cmocka_unit_test(regression),
        cmocka_unit_test(infinities),    cmocka_unit_test(counting),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
