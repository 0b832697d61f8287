/* Every loss of the configuration: its value in a training step, and of each row at evaluation, against its formula written out
   here with the C library; the step moves the weights downhill. The network is one linear layer with given weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/train.h"

enum { N = 5, IN = 3, MOST = 3 };

static const double X[N * IN] = {0.3, -1.2, 2.0, 0.1, -0.7, 0.4, 0.9, -2.5, 1.5, 1.5, -0.3, 0.2, 3.0, -1.0, 0.2};
static const double WEIGHT[MOST * IN] = {0.4, -0.2, 0.1, -0.3, 0.5, 0.2, 0.1, 0.3, -0.6}, BIAS[MOST] = {0.1, -0.2, 0.3};
static const int64_t LABEL[N] = {2, 0, 1, 1, 2}, SIDE[N] = {1, 0, 1, 0, 0};
static const double TARGET[N * 2] = {0.5, 1.5, 2.0, 0.25, 1.0, 3.0, 0.75, 1.25, 2.5, 0.5};

/* Loss of a row: o outputs [k], its label and targets. */
typedef double formula(const double *o, int64_t label, const double *t);

static double log_p(const double *o, int64_t label) {
    double sum = 0;
    for (int c = 0; c < 3; c++) sum += exp(o[c]);
    return o[label] - log(sum);
}
static double of_cross_entropy(const double *o, int64_t y, const double *t) {
    (void)t;
    return -0.8 * log_p(o, y) - 0.2 / 3 * (log_p(o, 0) + log_p(o, 1) + log_p(o, 2));
}
static double of_nll(const double *o, int64_t y, const double *t) { return (void)t, -log_p(o, y); }
static double of_focal(const double *o, int64_t y, const double *t) {
    (void)t;
    return -0.4 * pow(1 - exp(log_p(o, y)), 1.5) * log_p(o, y);
}
static double of_multi_margin(const double *o, int64_t y, const double *t) {
    double sum = 0;
    (void)t;
    for (int c = 0; c < 3; c++) sum += c == y ? 0 : pow(fmax(0.7 - o[y] + o[c], 0), 2);
    return sum / 3;
}
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double of_bce(const double *o, int64_t y, const double *t) { return (void)t, -log(sigmoid(y ? o[0] : -o[0])); }
static double agreement(const double *o, int64_t y) { return (y ? 1 : -1) * o[0]; }
static double of_hinge(const double *o, int64_t y, const double *t) { return (void)t, fmax(1 - agreement(o, y), 0); }
static double of_squared_hinge(const double *o, int64_t y, const double *t) { return pow(of_hinge(o, y, t), 2); }
static double of_soft_margin(const double *o, int64_t y, const double *t) { return (void)t, log(1 + exp(-agreement(o, y))); }

#define EACH(name, expression)                                             \
    static double of_##name(const double *o, int64_t y, const double *t) { \
        double sum = 0;                                                    \
        (void)y;                                                           \
        for (int c = 0; c < 2; c++) {                                      \
            double d = o[c] - t[c], size = fabs(d);                        \
            (void)size;                                                    \
            sum += expression;                                             \
        }                                                                  \
        return sum / 2;                                                    \
    }
EACH(mse, d *d)
EACH(l1, size)
EACH(huber, size < 0.6 ? d * d / 2 : 0.6 * (size - 0.3))
EACH(smooth_l1, size < 0.5 ? d * d : size - 0.25)
EACH(log_cosh, log(cosh(d)))
EACH(quantile, d <= 0 ? -0.9 * d : 0.1 * d)
EACH(expectile, (d <= 0 ? 0.8 : 0.2) * d * d)
EACH(mape, 100 * size / fmax(t[c], 0.6))
EACH(msle, pow(log(1 + fmax(o[c], 0.05)) - log(1 + fmax(t[c], 0.05)), 2))
EACH(poisson_nll, exp(o[c]) - t[c] * o[c] + (t[c] > 1 ? t[c] * log(t[c]) - t[c] + 0.5 * log(2 * acos(-1) * t[c]) : 0))

typedef struct one {
    const char *loss;
    int outputs;      /* 3: classes, 1: two classes, 2: numbers */
    const char *last; /* a layer after the linear one */
    formula *f;
} one;
static const one all[] = {
    {"{cross_entropy: {label_smoothing: 0.2}}", 3, "", of_cross_entropy},
    {"nll", 3, ", log_softmax", of_nll},
    {"{focal: {gamma: 1.5, alpha: 0.4}}", 3, "", of_focal},
    {"{multi_margin: {margin: 0.7, p: 2}}", 3, "", of_multi_margin},
    {"bce_with_logits", 1, "", of_bce},
    {"bce", 1, ", sigmoid", of_bce},
    {"hinge", 1, "", of_hinge},
    {"squared_hinge", 1, "", of_squared_hinge},
    {"soft_margin", 1, "", of_soft_margin},
    {"mse", 2, "", of_mse},
    {"l1", 2, "", of_l1},
    {"{huber: 0.6}", 2, "", of_huber},
    {"{smooth_l1: {beta: 0.5}}", 2, "", of_smooth_l1},
    {"log_cosh", 2, "", of_log_cosh},
    {"{quantile: 0.9}", 2, "", of_quantile},
    {"{expectile: {tau: 0.8}}", 2, "", of_expectile},
    {"{mape: {eps: 0.6}}", 2, "", of_mape},
    {"{msle: {eps: 0.05}}", 2, "", of_msle},
    {"{poisson_nll: {full: true}}", 2, "", of_poisson_nll},
    {"{formula: 'square(y - p)'}", 2, "", of_mse},
};

static void near(const char *loss, const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want)))) fail_msg("%s, %s: %.17g, not %.17g", loss, what, got, want);
}

/* The losses of the rows for the weights that the layer has now; returns their mean. */
static double expected(const one *c, const double *w, const double *b, double *rows) {
    double mean = 0;
    for (int i = 0; i < N; i++) {
        double o[MOST];
        for (int k = 0; k < c->outputs; k++) {
            o[k] = b[k];
            for (int j = 0; j < IN; j++) o[k] += X[i * IN + j] * w[k * IN + j];
        }
        rows[i] = c->f(o, c->outputs == 1 ? SIDE[i] : LABEL[i], TARGET + 2 * i);
        mean += rows[i] / N;
    }
    return mean;
}

static void check(const one *c) {
    bp_context *ctx;
    bp_config *cfg;
    bp__net *net;
    bp__loss loss;
    char text[300];
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    snprintf(text, sizeof text, "{model: [{linear: %d}%s], loss: %s, optimizer: {sgd: {lr: 0.01}}}", c->outputs, c->last,
             c->loss);
    if (bp_config_parse(&cfg, ctx, text) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    if (bp__loss_read(&loss, ctx, NULL, bp__tree_get(cfg->tree, "loss")) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    bool classes = c->outputs != 2;
    assert_true(bp__loss_task(&loss) == BP__TASK_AUTO || bp__loss_task(&loss) == (classes ? BP__CLASSIFICATION : BP__REGRESSION));
    bp__prep prep = {.ctx = ctx,
                     .rank = 1,
                     .shape = {IN},
                     .sample_size = IN,
                     .input_dtype = BP_F64,
                     .byte_scale = 1,
                     .task = bp__loss_task(&loss),
                     .n_targets = classes ? 1 : 2,
                     .n_classes = c->outputs == 1 ? 2 : 3};
    bp__net_spec spec = {.model = bp__tree_get(cfg->tree, "model"),
                         .optimizer = bp__tree_get(cfg->tree, "optimizer"),
                         .prep = &prep,
                         .dtype = BP_F64,
                         .loss = loss,
                         .clip_norm = -1,
                         .clip_value = -1,
                         .training = true};
    if (bp__net_new(&net, ctx, &spec) != BP_OK) fail_msg("%s: %s", c->loss, bp_context_error(ctx));
    size_t n = sizeof(double) * (size_t)c->outputs;
    double w[MOST * IN], b[MOST], want[N], rows[N], p[N * MOST];
    memcpy(w, WEIGHT, n * IN);
    memcpy(b, BIAS, n);
    assert_int_equal(bp_state_set(net->state, "0.weight", w, n * IN), BP_OK);
    assert_int_equal(bp_state_set(net->state, "0.bias", b, n), BP_OK);
    bp__batch batch = {.n = N, .x = X, .label = c->outputs == 1 ? SIDE : LABEL};
    if (!classes) batch.label = NULL, batch.y = TARGET;
    double before = expected(c, w, b, want);
    assert_int_equal(bp__net_eval(net, &batch, p, rows), BP_OK);
    for (int i = 0; i < N; i++) near(c->loss, "a row", rows[i], want[i]);
    bp__step step;
    assert_int_equal(bp__net_train(net, &batch, 1e-4, 0, &step), BP_OK);
    assert_true(step.committed && step.norm > 0);
    near(c->loss, "the step's loss", step.loss, before);
    assert_int_equal(bp_state_get(net->state, "0.weight", w, n * IN), BP_OK);
    assert_int_equal(bp_state_get(net->state, "0.bias", b, n), BP_OK);
    if (!(expected(c, w, b, want) < before)) fail_msg("%s: the step does not go downhill", c->loss);
    if (classes) { /* probabilities */
        int columns = c->outputs == 1 ? 2 : 3;
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int k = 0; k < columns; k++) sum += p[i * columns + k];
            near(c->loss, "the sum of probabilities", sum, 1);
        }
    } else if (strstr(c->loss, "poisson")) { /* the rate */
        near(c->loss, "the first rate", p[0], exp(BIAS[0] + X[0] * WEIGHT[0] + X[1] * WEIGHT[1] + X[2] * WEIGHT[2]));
    }
    bp__net_free(net);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

static void every_loss(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) check(&all[i]);
    const char *name;
    for (int i = 0; (name = bp__loss_kind(i, NULL)); i++) { /* the table has no other */
        bool found = false;
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            const char *s = all[k].loss + (all[k].loss[0] == '{');
            found |= strncmp(s, name, strlen(name)) == 0 && (s[strlen(name)] == 0 || s[strlen(name)] == ':');
        }
        if (!found) fail_msg("%s is not checked", name);
    }
}

/* An unknown label is -1: it has no loss. */
static void unknown_labels(void **state) {
    (void)state;
    static const char *const losses[] = {"cross_entropy", "nll", "focal", "multi_margin", "hinge", "bce_with_logits"};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        bp_context *ctx;
        bp_graph *g;
        bp_config *cfg;
        bp_program *program;
        bp_state *s;
        bp_session *session;
        bp__loss loss;
        bp_value rows, mean;
        char text[60];
        const void *data;
        int64_t label[2] = {-1, 1};
        assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        snprintf(text, sizeof text, "{loss: %s}", losses[i]);
        assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
        assert_int_equal(bp__loss_read(&loss, ctx, NULL, bp__tree_get(cfg->tree, "loss")), BP_OK);
        int64_t k = bp__loss_is_binary(&loss) ? 1 : 3;
        bp_value y = bp_input(g, "y", BP_F64, bp_shape(2, BP_BATCH, k)), t = bp_input(g, "t", BP_I64, bp_shape(1, BP_BATCH));
        bp__loss_build(&loss, y, t, BP_NONE, &rows, &mean);
        assert_int_equal(bp_graph_status(g), BP_OK);
        assert_int_equal(bp_program_new(&program, g, &rows, 1, NULL), BP_OK);
        assert_int_equal(bp_state_new(&s, g), BP_OK);
        assert_int_equal(bp_session_new(&session, program, s), BP_OK);
        bp_dims d = bp_shape(2, 2, k), n = bp_shape(1, 2);
        assert_int_equal(bp_session_set(session, "y", WEIGHT, &d), BP_OK);
        assert_int_equal(bp_session_set(session, "t", label, &n), BP_OK);
        assert_int_equal(bp_session_run(session), BP_OK);
        assert_int_equal(bp_session_output(session, 0, &data, NULL, NULL), BP_OK);
        const double *each = data;
        if (!(each[0] == 0 && each[1] != 0)) fail_msg("%s: rows %g and %g", losses[i], each[0], each[1]);
        bp_session_free(session);
        bp_state_free(s);
        bp_program_free(program);
        bp_config_free(cfg);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_loss), cmocka_unit_test(unknown_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
