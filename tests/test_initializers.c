/* Initialisers: moments, bounds and distributions (Kolmogorov, Smirnov), exact structure where there is some, the same bits for
   any number of threads, patterns of the configuration, and those that are finished with data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/math64.h"
#include "io/yaml.h"
#include "nn/nn.h"

static bp_context *new_context(int threads) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = threads, .has_seed = 1, .seed = 11};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}
#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

static int64_t count_of(bp_dims d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d.n; i++) n *= d.dim[i];
    return n;
}

/* The start of one f64 variable; yours (free). */
static double *start(bp_init init, bp_dims dims, int threads, const char *name) {
    bp_context *ctx = new_context(threads);
    bp_graph *g;
    bp_state *state;
    size_t bytes = sizeof(double) * (size_t)count_of(dims);
    double *v = malloc(bytes);
    assert_non_null(v);
    OK(ctx, bp_graph_new(&g, ctx));
    bp_variable(g, name, BP_F64, dims, init);
    OK(ctx, bp_state_new(&state, g));
    OK(ctx, bp_state_get(state, name, v, bytes));
    bp_state_free(state);
    bp_graph_free(g);
    bp_context_free(ctx);
    return v;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { UNIFORM, NORMAL, CUT };
/* Kolmogorov and Smirnov's distance times sqrt(n); beyond 1.95 in one of a thousand cases. */
static double distance(double *v, int64_t n, int kind, double mean, double deviation, double low, double high) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    double worst = 0, a = bp__normal_cdf((low - mean) / deviation), b = bp__normal_cdf((high - mean) / deviation);
    for (int64_t i = 0; i < n; i++) {
        double p = (v[i] - low) / (high - low);
        if (kind != UNIFORM) p = bp__normal_cdf((v[i] - mean) / deviation);
        if (kind == CUT) p = (p - a) / (b - a);
        worst = fmax(worst, fmax(fabs(p - (double)i / (double)n), fabs(p - (double)(i + 1) / (double)n)));
    }
    return worst * sqrt((double)n);
}

static void distributions(void **unused) {
    (void)unused;
    bp_dims d = bp_shape(2, 150, 120), k = bp_shape(4, 40, 30, 3, 5); /* fan_in 450, fan_out 600 */
    double relu = sqrt(2), cut = 0.87962566103423978, e = 1 / sqrt(120) / cut;
    const struct {
        const char *name;
        bp_init init;
        bp_dims dims;
        int kind;
        double mean, deviation, low, high; /* deviation: of the uncut normal */
    } rows[] = {
        {"uniform", bp_uniform_init(-1, 3), d, UNIFORM, 1, 4 / sqrt(12), -1, 3},
        {"normal", bp_normal_init(2, 0.5), d, NORMAL, 2, 0.5, -9, 9},
        {"trunc_normal", bp_trunc_normal_init(0, 1, -2, 2), d, CUT, 0, 1, -2, 2},
        {"trunc_normal, one side", bp_trunc_normal_init(0.5, 2, 0, 1), d, CUT, 0.5, 2, 0, 1},
        {"linear's start", bp_kaiming_uniform(), d, UNIFORM, 0, 1 / sqrt(360), -1 / sqrt(120), 1 / sqrt(120)},
        {"kaiming_uniform", bp_kaiming_init(relu, BP_FAN_IN, BP_SPREAD_UNIFORM), d, UNIFORM, 0, sqrt(2.0 / 120), -sqrt(0.05),
         sqrt(0.05)},
        {"kaiming_normal", bp_kaiming_init(relu, BP_FAN_OUT, BP_SPREAD_NORMAL), k, NORMAL, 0, sqrt(2.0 / 600), -9, 9},
        {"xavier_uniform", bp_xavier_init(5.0 / 3, BP_SPREAD_UNIFORM), d, UNIFORM, 0, 5.0 / 3 * sqrt(2.0 / 270),
         -5.0 / 3 * sqrt(6.0 / 270), 5.0 / 3 * sqrt(6.0 / 270)},
        {"xavier_normal", bp_xavier_init(1, BP_SPREAD_NORMAL), k, NORMAL, 0, sqrt(2.0 / 1050), -9, 9},
        {"lecun_uniform", bp_lecun_init(BP_SPREAD_UNIFORM), d, UNIFORM, 0, sqrt(1.0 / 120), -sqrt(3.0 / 120), sqrt(3.0 / 120)},
        {"lecun_normal", bp_lecun_init(BP_SPREAD_TRUNC_NORMAL), d, CUT, 0, e, -2 * e, 2 * e},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t n = count_of(rows[i].dims);
        double *v = start(rows[i].init, rows[i].dims, 1, "0.weight"), mean = 0, square = 0;
        for (int64_t j = 0; j < n; j++) {
            assert_true(v[j] >= rows[i].low && v[j] <= rows[i].high);
            mean += v[j] / (double)n;
        }
        for (int64_t j = 0; j < n; j++) square += (v[j] - mean) * (v[j] - mean) / (double)n;
        double s = rows[i].deviation, largest = v[0];
        for (int64_t j = 0; j < n; j++) largest = fmax(largest, v[j]);
        if (rows[i].kind == UNIFORM) assert_true(rows[i].high - largest < 12 * (rows[i].high - rows[i].low) / (double)n);
        if (rows[i].kind == CUT) s = i == 3 ? 0.2878 : s * cut; /* 0.2878: of N(0.5, 2²) cut to [0, 1], by its formula */
        if (!(fabs(mean - rows[i].mean) < 4 * s / sqrt((double)n))) fail_msg("%s: mean %g", rows[i].name, mean);
        if (!(fabs(sqrt(square) / s - 1) < 0.015)) fail_msg("%s: deviation %g, not %g", rows[i].name, sqrt(square), s);
        double far = distance(v, n, rows[i].kind, rows[i].mean, rows[i].deviation, rows[i].low, rows[i].high);
        if (!(far < 1.95)) fail_msg("%s: distance %g", rows[i].name, far);
        assert_true(distance(v, n, rows[i].kind, rows[i].mean + 0.06 * s, rows[i].deviation, rows[i].low + 0.1 * s,
                             rows[i].high + 0.1 * s) > 1.95); /* it can see a shift */
        free(v);
    }
}

static void structure(void **unused) {
    (void)unused;
    double *v = start(bp_eye_init(), bp_shape(2, 4, 6), 1, "w");
    for (int i = 0; i < 24; i++) assert_true(v[i] == (i / 6 == i % 6));
    free(v);
    v = start(bp_dirac_init(2), bp_shape(4, 6, 2, 3, 4), 1, "w"); /* torch: [g·3 + c, c, 1, 2] for c < 2 */
    for (int i = 0; i < 6 * 2 * 12; i++) assert_true(v[i] == (i / 24 % 3 == i / 12 % 2 && i % 12 == 6));
    free(v);
    const int64_t shapes[][2] = {{30, 50}, {50, 30}, {40, 40}, {1, 7}, {7, 1}};
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
        int64_t r = shapes[k][0], c = shapes[k][1], few = r < c ? r : c;
        v = start(bp_orthogonal_init(1.5), bp_shape(2, r, c), 1, "w");
        for (int64_t i = 0; i < few; i++)
            for (int64_t j = 0; j < few; j++) {
                double sum = 0;
                for (int64_t t = 0; t < (r < c ? c : r); t++)
                    sum += r <= c ? v[i * c + t] * v[j * c + t] : v[t * c + i] * v[t * c + j];
                assert_true(fabs(sum - (i == j ? 2.25 : 0)) < 1e-14 * 100);
            }
        free(v);
    }
    v = start(bp_sparse_init(0.31, 2), bp_shape(2, 100, 200), 1, "w");
    double square = 0;
    int first = 0;
    for (int c = 0; c < 200; c++) {
        int zeros = 0;
        for (int r = 0; r < 100; r++) {
            zeros += v[r * 200 + c] == 0;
            square += v[r * 200 + c] * v[r * 200 + c];
        }
        assert_int_equal(zeros, 31);
        first += v[c] == 0;
    }
    assert_in_range(first, 35, 90); /* the rows are drawn, not the same ones */
    assert_true(fabs(sqrt(square / (69 * 200)) - 2) < 0.05);
    free(v);
    assert_true(bp_init_gain("conv2d", 0) == 1 && bp_init_gain("tanh", 0) == 5.0 / 3 && bp_init_gain("selu", 0) == 0.75);
    assert_true(bp_init_gain("leaky_relu", 0.5) == sqrt(2 / 1.25) && bp_init_gain("relu", 0) == sqrt(2));
    assert_true(isnan(bp_init_gain("gelu", 0)));
}

static void same_bits(void **unused) {
    (void)unused;
    const bp_init inits[] = {bp_normal_init(0, 1), bp_lecun_init(BP_SPREAD_TRUNC_NORMAL), bp_orthogonal_init(1),
                             bp_sparse_init(0.5, 1), bp_kaiming_uniform()};
    bp_dims d = bp_shape(2, 33, 65);
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        double *one = start(inits[i], d, 1, "a"), *three = start(inits[i], d, 3, "a"), *other = start(inits[i], d, 1, "b");
        assert_memory_equal(one, three, sizeof(double) * 33 * 65);
        assert_memory_not_equal(one, other, sizeof(double) * 33 * 65); /* drawn by the variable's name */
        free(one);
        free(three);
        free(other);
    }
}

static void unfit(void **unused) {
    (void)unused;
    const struct {
        bp_init init;
        bp_dims dims;
        const char *says;
    } rows[] = {{bp_eye_init(), bp_shape(3, 2, 2, 2), "needs a matrix"},
                {bp_sparse_init(0.5, 1), bp_shape(1, 4), "needs a matrix"},
                {bp_orthogonal_init(1), bp_shape(1, 4), "a vector has no fan"},
                {bp_kaiming_uniform(), bp_shape(0), "a vector has no fan"},
                {bp_dirac_init(1), bp_shape(2, 2, 2), "the weight of a convolution"},
                {bp_dirac_init(2), bp_shape(3, 3, 2, 2), "divide the channels"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bp_context *ctx = new_context(1);
        bp_graph *g;
        OK(ctx, bp_graph_new(&g, ctx));
        bp_variable(g, "w", BP_F32, rows[i].dims, rows[i].init);
        assert_int_equal(bp_graph_status(g), BP_SHAPE);
        assert_non_null(strstr(bp_context_error(ctx), rows[i].says));
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

/* ---- From a configuration ---- */

typedef struct net {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp__tree *layers, *init;
    bp_state *state;
    bp_value y;
} net;

static bp_status make(net *n, const char *layers, const char *init, bp_dims in, int threads) {
    *n = (net){.ctx = new_context(threads)};
    OK(n->ctx, bp__yaml_parse(n->ctx, layers, strlen(layers), "c.yaml", &n->layers));
    if (init) OK(n->ctx, bp__yaml_parse(n->ctx, init, strlen(init), "c.yaml", &n->init));
    OK(n->ctx, bp_graph_new(&n->g, n->ctx));
    OK(n->ctx, bp__nn_new(&n->nn, n->g));
    if (init) BP_TRY(bp__nn_check_init(n->ctx, "c.yaml", n->init));
    bp__nn_options o = {
        .nn = n->nn, .layers = n->layers, .file = "c.yaml", .init = n->init, .training = true, .dropout_scale = BP_NONE};
    BP_TRY(bp__nn_build(n->g, &o, bp_input(n->g, "x", BP_F32, in), &n->y));
    return bp_state_new(&n->state, n->g);
}
static void drop(net *n) {
    bp_state_free(n->state);
    bp__nn_free(n->nn);
    bp_graph_free(n->g);
    bp__tree_free(n->ctx, n->layers);
    bp__tree_free(n->ctx, n->init);
    bp_context_free(n->ctx);
}
static void tensor(net *n, const char *name, float *v, int64_t count) {
    OK(n->ctx, bp_state_get(n->state, name, v, sizeof(float) * (size_t)count));
}

static void patterns(void **unused) {
    (void)unused;
    net n;
    float v[64];
    const char *layers = "[{linear: {out_features: 4, init: {bias: {constant: 5}}}}, layer_norm, {residual: [{linear: 4}]}]";
    OK((&n)->ctx,
       make(&n, layers, "[{match: \"2.*.weight\", eye}, {match: \"*.weight\", constant: 3}, {match: \"*.b?as\", ones}]",
            bp_shape(2, BP_BATCH, 4), 1));
    tensor(&n, "0.weight", v, 16);
    assert_true(v[0] == 3 && v[15] == 3);
    tensor(&n, "2.0.weight", v, 16);
    assert_true(v[0] == 1 && v[1] == 0 && v[5] == 1);
    tensor(&n, "0.bias", v, 4);
    assert_true(v[0] == 5); /* the layer's own goes before */
    tensor(&n, "2.0.bias", v, 4);
    assert_true(v[0] == 1);
    tensor(&n, "1.weight", v, 4);
    assert_true(v[0] == 1); /* a norm's is no weight of this kind */
    drop(&n);
}

static void all_names(void **unused) {
    (void)unused;
    const char *name;
    int n = 0;
    for (; (name = bp__initializer_kind(n, NULL)); n++) {
        char layers[160];
        const char *main = strcmp(name, "sparse") == 0 ? ": 0.5" : "";
        bool bias = strcmp(name, "he+5") == 0, conv = strcmp(name, "dirac") == 0;
        snprintf(layers, sizeof layers, "[{%s, init: {%s: {%s%s}}}}]",
                 conv ? "conv1d: {out_channels: 3, kernel_size: 3" : "linear: {out_features: 3", bias ? "bias" : "weight", name,
                 main);
        net t;
        bp_status status = make(&t, layers, NULL, conv ? bp_shape(3, BP_BATCH, 2, 5) : bp_shape(2, BP_BATCH, 5), 1);
        if (status != BP_OK) fail_msg("%s: %s", layers, bp_context_error(t.ctx));
        drop(&t);
    }
    assert_int_equal(n, 20);
}

static void sentences(void **unused) {
    (void)unused;
    const struct {
        const char *layers, *init, *says, *hint;
    } rows[] = {
        {"[{linear: 3}]", "{match: \"*\", zeros}", "a list of patterns is expected", NULL},
        {"[{linear: 3}]", "[zeros]", "each entry needs `match`", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", kaiming_norml}]", "there is no initialiser `kaiming_norml`",
         "did you mean `kaiming_normal`?"},
        {"[{linear: 3}]", "[{match: \"0.wight\", zeros}]", "`0.wight` is the name of no tensor", "0.weight"},
        {"[{linear: 3}]", "[{match: \"*\", zeros}, {match: \"*.bias\", ones}]", "no pattern before it has taken", NULL},
        {"[{linear: 3}]", "[{match: \"*\", lecun_normal}]", "a bias has no fan", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", he+5}]", "`he+5` is for a bias", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", kaiming_normal: {mode: fan}}]", "`mode` must be one of fan_in", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", trunc_normal: {a: 1, b: 1}}]", "`a` must be below `b`", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", sparse}]", "`sparse` needs `sparsity`", NULL},
        {"[{linear: 3}]", "[{match: \"*.weight\", dirac}]", "needs the weight of a convolution", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        net n;
        assert_true(make(&n, rows[i].layers, rows[i].init, bp_shape(2, BP_BATCH, 4), 1) != BP_OK);
        bp_error e = {.size = sizeof e};
        bp_context_get_error(n.ctx, &e);
        if (!strstr(e.message, rows[i].says)) fail_msg("%s:\n  got  %s\n  want %s", rows[i].init, e.message, rows[i].says);
        if (rows[i].hint && (!e.hint || !strstr(e.hint, rows[i].hint))) fail_msg("%s: hint %s", rows[i].init, e.hint);
        drop(&n);
    }
}

/* ---- With data ---- */

enum { ROWS = 200, IN = 6 };
static void batch(float x[ROWS][IN]) { /* columns of very different sizes, one constant, one always zero */
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < IN; c++) {
            double t = sin(12.9898 * (r + 1) + 78.233 * (c + 1)) * 43758.5453;
            x[r][c] = c == 4 ? 1 : c == 5 ? 0 : (float)((t - floor(t) - 0.5) * pow(10, c));
        }
}

/* What the network makes of the batch; y [ROWS, units]. */
static void outputs(net *n, bp_value of, const void *x, const bp_dims *d, float *y, int64_t count) {
    bp_program *p;
    bp_session *s;
    const void *data;
    OK(n->ctx, bp_program_new(&p, n->g, &of, 1, NULL));
    OK(n->ctx, bp_session_new(&s, p, n->state));
    OK(n->ctx, bp_session_set(s, "x", x, d));
    OK(n->ctx, bp_session_run(s));
    OK(n->ctx, bp_session_output(s, 0, &data, NULL, NULL));
    memcpy(y, data, sizeof(float) * (size_t)count);
    bp_session_free(s);
    bp_program_free(p);
}
static double variance(const float *y, int64_t n, int64_t step) {
    double mean = 0, v = 0;
    for (int64_t i = 0; i < n; i++) mean += (double)y[i * step] / (double)n;
    for (int64_t i = 0; i < n; i++) v += ((double)y[i * step] - mean) * ((double)y[i * step] - mean) / (double)n;
    return v;
}

static void lsuv(void **unused) {
    (void)unused;
    net n;
    float x[ROWS][IN], y[ROWS * 8], w[8 * 8], again[8 * 8];
    bp_dims d = bp_shape(2, ROWS, IN);
    batch(x);
    const char *layers = "[{linear: 8}, relu, {linear: 8}, relu, {linear: 8}]",
               *init = "[{match: \"*.weight\", lsuv: {tol: 0.01}}, {match: \"*.bias\", zeros}]";
    OK((&n)->ctx, make(&n, layers, init, bp_shape(2, BP_BATCH, IN), 1));
    assert_true(bp__nn_needs_data(n.nn));
    outputs(&n, n.y, x, &d, y, ROWS * 8);
    assert_true(fabs(variance(y, ROWS * 8, 1) - 1) > 1); /* far from 1 before */
    OK(n.ctx, bp__nn_init_from_data(n.nn, n.state, "x", x, &d, 3));
    for (int64_t i = 0; i < bp__nn_n_parameters(n.nn); i += 2) {
        outputs(&n, bp__nn_parameter_at(n.nn, i)->output, x, &d, y, ROWS * 8);
        assert_true(fabs(variance(y, ROWS * 8, 1) - 1) < 0.01);
    }
    tensor(&n, "2.weight", w, 64);
    drop(&n);
    OK((&n)->ctx, make(&n, layers, init, bp_shape(2, BP_BATCH, IN), 3)); /* the same bits with three threads */
    OK(n.ctx, bp__nn_init_from_data(n.nn, n.state, "x", x, &d, 3));
    tensor(&n, "2.weight", again, 64);
    assert_memory_equal(w, again, sizeof w);
    drop(&n);
}

static void unit_variance(void **unused) {
    (void)unused;
    net n;
    float x[ROWS][IN], y[ROWS * 8], bias[8];
    bp_dims d = bp_shape(2, ROWS, IN);
    batch(x);
    OK((&n)->ctx, make(&n, "[{linear: 8}, tanh, {linear: 8}]",
                       "[{match: \"*.weight\", unit_variance}, {match: \"*.bias\", he+5}]", bp_shape(2, BP_BATCH, IN), 1));
    OK(n.ctx, bp__nn_init_from_data(n.nn, n.state, "x", x, &d, 3));
    for (int64_t i = 0; i < bp__nn_n_parameters(n.nn); i += 2) {
        outputs(&n, bp__nn_parameter_at(n.nn, i)->output, x, &d, y, ROWS * 8);
        for (int u = 0; u < 8; u++) {
            assert_true(fabs(variance(y + u, ROWS, 8) - 1) < 1e-4);
            int positive = 0; /* each unit's plane goes through the data: it is 0 between rows */
            for (int r = 0; r < ROWS; r++) positive += y[r * 8 + u] > 0;
            assert_in_range(positive, 5, ROWS - 5);
        }
    }
    tensor(&n, "0.bias", bias, 8);
    assert_true(bias[0] != bias[1] && isfinite((double)bias[0]));
    drop(&n);
    /* Nothing varies but the last bit: no division by zero, weights and biases stay finite. */
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < IN; c++) x[r][c] = c > 0 ? 0 : r % 2 ? 1000.1f : nextafterf(1000.1f, 2000);
    static const char *const kinds[] = {"unit_variance", "lsuv"};
    for (int k = 0; k < 2; k++) {
        char init[120];
        float w[8 * IN];
        snprintf(init, sizeof init, "[{match: \"*.weight\", %s}, {match: \"*.bias\", he+5}]", kinds[k]);
        OK((&n)->ctx, make(&n, "[{linear: 8}]", init, bp_shape(2, BP_BATCH, IN), 1));
        OK(n.ctx, bp__nn_init_from_data(n.nn, n.state, "x", x, &d, 3));
        tensor(&n, "0.weight", w, 8 * IN);
        for (int i = 0; i < 8 * IN; i++) assert_true(isfinite((double)w[i]) && fabs((double)w[i]) < 10);
        outputs(&n, n.y, x, &d, y, ROWS * 8);
        for (int i = 0; i < ROWS * 8; i++) assert_true(fabs((double)y[i]) < 1e-2); /* and he+5 has put the plane onto the point */
        drop(&n);
    }
}

static void convolution(void **unused) {
    (void)unused;
    net n;
    float x[20 * 2 * 9], y[20 * 4 * 7];
    for (int i = 0; i < 360; i++) x[i] = (float)(sin(i * 1.7) * 30 + (i / 9 % 2) * 100);
    bp_dims d = bp_shape(3, 20, 2, 9);
    OK((&n)->ctx, make(&n, "[{conv1d: {out_channels: 4, kernel_size: 3, init: {weight: unit_variance, bias: he+5}}}]", NULL,
                       bp_shape(3, BP_BATCH, 2, 9), 1));
    OK(n.ctx, bp__nn_init_from_data(n.nn, n.state, "x", x, &d, 3));
    outputs(&n, n.y, x, &d, y, 20 * 4 * 7);
    for (int u = 0; u < 4; u++) {
        float of[20 * 7];
        for (int i = 0; i < 140; i++) of[i] = y[(i / 7 * 4 + u) * 7 + i % 7];
        assert_true(fabs(variance(of, 140, 1) - 1) < 1e-4);
    }
    drop(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions), cmocka_unit_test(structure),   cmocka_unit_test(same_bits), cmocka_unit_test(unfit),
        cmocka_unit_test(patterns),      cmocka_unit_test(all_names),   cmocka_unit_test(sentences), cmocka_unit_test(lsuv),
        cmocka_unit_test(unit_variance), cmocka_unit_test(convolution),
    };
    return cmocka_run_group_tests_name("initializers", tests, NULL, NULL) != 0;
}
