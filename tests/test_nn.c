/* The `model:` section: names and shapes, how weights start, sharing between the training and the evaluation path, references,
   values of the layers that are built here (layer_norm, prelu, residual …), and every sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"
#include "io/yaml.h"
#include "nn/nn.h"
#include "op/op.h"

#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

typedef struct net {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp__tree *layers;
    bp_value x, y;
    bp_status status;
} net;

static net make(const char *text, bp_dtype dtype, bp_dims dims, int64_t n_outputs, bool training) {
    net n = {0};
    bp_context_options o = {.size = sizeof o, .threads = 1, .has_seed = 1, .seed = 11};
    assert_int_equal(bp_context_new(&n.ctx, &o), BP_OK);
    OK(n.ctx, bp__yaml_parse(n.ctx, text, strlen(text), "m.yaml", &n.layers));
    OK(n.ctx, bp_graph_new(&n.g, n.ctx));
    OK(n.ctx, bp__nn_new(&n.nn, n.g));
    if (dtype == BP_F64) bp_graph_set_dtype(n.g, BP_F64);
    n.x = bp_input(n.g, "x", dtype, dims);
    bp__nn_options no = {
        .nn = n.nn, .layers = n.layers, .file = "m.yaml", .n_outputs = n_outputs, .training = training, .dropout_scale = BP_NONE};
    n.status = bp__nn_build(n.g, &no, n.x, &n.y);
    return n;
}

static void drop(net *n) {
    bp__nn_free(n->nn);
    bp_graph_free(n->g);
    bp__tree_free(n->ctx, n->layers);
    bp_context_free(n->ctx);
}

/* "0.weight[128,784] 0.bias[128]": all tensors in order; ~ before those that are not trained. */
static void expect(const char *text, bp_dims in, const char *tensors, const char *shape) {
    net n = make(text, BP_F32, in, 10, true);
    if (n.status != BP_OK) fail_msg("%s: %s", text, bp_context_error(n.ctx));
    char got[1024] = "", out[160];
    for (int64_t i = 0; i < bp__nn_n_parameters(n.nn); i++) {
        const bp__nn_parameter *p = bp__nn_parameter_at(n.nn, i);
        bp_dims d = bp_value_dims(p->value);
        size_t k = strlen(got);
        snprintf(got + k, sizeof got - k, "%s%s%s%s", i ? " " : "", p->trainable ? "" : "~", p->name,
                 bp__dims_text(n.g->dims, &d, out, sizeof out));
    }
    assert_string_equal(got, tensors);
    bp_dims d = bp_value_dims(n.y);
    assert_string_equal(bp__dims_text(n.g->dims, &d, out, sizeof out), shape);
    drop(&n);
}

static void names_and_shapes(void **unused) {
    (void)unused;
    bp_dims flat = bp_shape(2, BP_BATCH, 20), image = bp_shape(4, BP_BATCH, 1, 8, 8);
    expect("[{linear: 128}, relu, linear]", flat, "0.weight[128, 20] 0.bias[128] 2.weight[10, 128] 2.bias[10]", "[batch, 10]");
    expect("linear", flat, "0.weight[10, 20] 0.bias[10]", "[batch, 10]");
    expect("[{linear: {out_features: 5, bias: false}}]", flat, "0.weight[5, 20]", "[batch, 5]");
    expect("[{linear: {\"\": 5, bias: false}}]", flat, "0.weight[5, 20]", "[batch, 5]");
    expect("[linear, {softmax: {dim: 1}}]", flat, "0.weight[10, 20] 0.bias[10]", "[batch, 10]");
    expect("[{linear: 6, name: first}, relu, {linear: 3, name: last}]", flat,
           "first.weight[6, 20] first.bias[6] last.weight[3, 6] last.bias[3]", "[batch, 3]");
    expect("[{linear: 5}]", image, "0.weight[5, 64] 0.bias[5]", "[batch, 5]"); /* an inserted flatten takes no index */
    expect("[flatten, {linear: 5}]", image, "1.weight[5, 64] 1.bias[5]", "[batch, 5]");
    expect("[{linear: {out_features: 5, flatten: false}}]", image, "0.weight[5, 8] 0.bias[5]", "[batch, 1, 8, 5]");
    expect("[{linear: 5}]", bp_shape(3, BP_BATCH, BP_TIME, 7), "0.weight[5, 7] 0.bias[5]", "[batch, time, 5]");
    expect("[{flatten: {start_dim: 2}}]", image, "", "[batch, 1, 64]");
    expect("[{reshape: [4, -1]}]", image, "", "[batch, 4, 16]");
    expect("[{linear: 8}, {residual: [{linear: 4}, tanh, {linear: 8}]}, linear]", flat,
           "0.weight[8, 20] 0.bias[8] 1.0.weight[4, 8] 1.0.bias[4] 1.2.weight[8, 4] 1.2.bias[8] 2.weight[10, 8] 2.bias[10]",
           "[batch, 10]");
    expect("[{repeat: {times: 2, layers: [{linear: 4}, relu]}}, {sequential: [relu, linear]}]", flat,
           "0.0.0.weight[4, 20] 0.0.0.bias[4] 0.1.0.weight[4, 4] 0.1.0.bias[4] 1.1.weight[10, 4] 1.1.bias[10]", "[batch, 10]");
    expect("[{linear: 4, freeze: true}, {sequential: [{linear: 3}], freeze: true}, linear]", flat,
           "~0.weight[4, 20] ~0.bias[4] ~1.0.weight[3, 4] ~1.0.bias[3] 2.weight[10, 3] 2.bias[10]", "[batch, 10]");
    expect("[{prelu: 20}, layer_norm, {layer_norm: {normalized_shape: [20], bias: false}}]", flat,
           "0.weight[20] 1.weight[20] 1.bias[20] 2.weight[20]", "[batch, 20]");
    expect("[{linear: 4, name: a}, {linear: 3, from: input, name: b}, {concat: , from: [a, b]}, {linear: 4, name: c}, {add: , "
           "from: [c, a]}]",
           flat, "a.weight[4, 20] a.bias[4] b.weight[3, 20] b.bias[3] c.weight[4, 7] c.bias[4]", "[batch, 4]");
    expect("[{linear: 4, name: a}, {sequential: [{linear: 4, name: a}, {add: , from: [a, input]}], from: a}]",
           bp_shape(2, BP_BATCH, 4), "a.weight[4, 4] a.bias[4] 1.a.weight[4, 4] 1.a.bias[4]", "[batch, 4]");
}

static void token_models(void **unused) {
    (void)unused;
    net n = make("[{embedding: {num_embeddings: 65, embedding_dim: 6}}, {linear: 5}]", BP_I64, bp_shape(2, BP_BATCH, 8), 0, true);
    OK(n.ctx, n.status);
    assert_int_equal(bp_value_dims(bp__nn_parameter_at(n.nn, 1)->value).dim[1], 48);
    assert_int_equal(bp__nn_n_layers(n.nn), 3);
    const bp__nn_layer *l = bp__nn_layer_at(n.nn, 1);
    assert_true(l->inserted);
    assert_string_equal(l->kind, "flatten");
    l = bp__nn_layer_at(n.nn, 2);
    assert_string_equal(l->kind, "linear");
    assert_string_equal(l->path, "1");
    assert_int_equal(l->n_parameters, 5 * 48 + 5);
    assert_int_equal(l->in.dim[1], 48);
    assert_int_equal(l->out.dim[1], 5);
    drop(&n);
}

/* Built twice, for training and for evaluation: one set of parameters, one list of layers. */
static void shared_parameters(void **unused) {
    (void)unused;
    net n = make("[{linear: 8}, {dropout: 0.5}, {residual: [{linear: 8}]}, linear]", BP_F32, bp_shape(2, BP_BATCH, 5), 3, true);
    OK(n.ctx, n.status);
    int64_t n_parameters = bp__nn_n_parameters(n.nn), n_layers = bp__nn_n_layers(n.nn), n_variables = n.g->n_variables;
    bp__nn_options o = {.nn = n.nn, .layers = n.layers, .n_outputs = 3, .dropout_scale = BP_NONE};
    bp_value y;
    OK(n.ctx, bp__nn_build(n.g, &o, n.x, &y));
    assert_true(y.node != n.y.node);
    assert_int_equal(bp__nn_n_parameters(n.nn), n_parameters);
    assert_int_equal(bp__nn_n_layers(n.nn), n_layers);
    assert_int_equal(n.g->n_variables, n_variables);
    assert_int_equal(n_parameters, 6);
    assert_int_equal(n_layers, 5); /* the residual and what is in it */
    assert_int_equal(bp__nn_layer_at(n.nn, 2)->n_parameters, 72);
    assert_int_equal(bp__nn_layer_at(n.nn, 3)->depth, 1);
    assert_string_equal(bp__nn_layer_at(n.nn, 3)->path, "2.0");
    bp_value other = bp_input(n.g, "other", BP_F32, bp_shape(2, BP_BATCH, 6));
    assert_int_equal(bp__nn_build(n.g, &o, other, &y), BP_SHAPE); /* other sizes under the same names */
    assert_non_null(strstr(bp_context_error(n.ctx), "\"0.weight\" would have shape [8, 6] here but has [8, 5] from before"));
    drop(&n);
}

/* ---- How weights start ---- */

typedef struct statistics {
    double low, high, mean, deviation;
} statistics;

static statistics of_tensor(const char *layers, bp_dtype in, bp_dims dims, const char *name, int64_t size) {
    net n = make(layers, in, dims, 0, true);
    OK(n.ctx, n.status);
    bp_state *state;
    OK(n.ctx, bp_state_new(&state, n.g));
    float *v = malloc(sizeof *v * (size_t)size);
    OK(n.ctx, bp_state_get(state, name, v, sizeof *v * (size_t)size));
    statistics s = {INFINITY, -INFINITY, 0, 0};
    for (int64_t i = 0; i < size; i++) {
        s.low = fmin(s.low, v[i]);
        s.high = fmax(s.high, v[i]);
        s.mean += v[i] / (double)size;
    }
    for (int64_t i = 0; i < size; i++) s.deviation += (v[i] - s.mean) * (v[i] - s.mean) / (double)size;
    s.deviation = sqrt(s.deviation);
    free(v);
    bp_state_free(state);
    drop(&n);
    return s;
}

static void near_bounds(statistics s, double bound) { /* uniform within ±bound */
    assert_true(s.high <= bound && s.high > 0.98 * bound && s.low >= -bound && s.low < -0.98 * bound);
    assert_true(fabs(s.deviation - bound / sqrt(3)) < 0.03 * bound && fabs(s.mean) < 0.03 * bound);
}

static void initialisers(void **unused) {
    (void)unused;
    bp_dims in = bp_shape(2, BP_BATCH, 100);
    near_bounds(of_tensor("[{linear: 100}]", BP_F32, in, "0.weight", 10000), 0.1);
    near_bounds(of_tensor("[{linear: 4000}]", BP_F32, in, "0.bias", 4000), 0.1);
    near_bounds(of_tensor("[{linear: {out_features: 100, init: {weight: kaiming_uniform}}}]", BP_F32, in, "0.weight", 10000),
                sqrt(0.06));
    near_bounds(of_tensor("[{linear: {out_features: 200, init: {weight: xavier_uniform}}}]", BP_F32, in, "0.weight", 20000),
                sqrt(0.02));
    statistics s = of_tensor("[{linear: {out_features: 100, init: {weight: {normal: {mean: 1, std: 0.02}}, bias: ones}}}]",
                             BP_F32, in, "0.weight", 10000);
    assert_true(fabs(s.mean - 1) < 1e-3 && fabs(s.deviation - 0.02) < 1e-3);
    s = of_tensor("[{linear: {out_features: 100, init: {weight: {normal: {mean: 1, std: 0.02}}, bias: ones}}}]", BP_F32, in,
                  "0.bias", 100);
    assert_true(s.low == 1 && s.high == 1);
    s = of_tensor("[{linear: {out_features: 100, init: {weight: kaiming_normal}}}]", BP_F32, in, "0.weight", 10000);
    assert_true(fabs(s.deviation - sqrt(0.02)) < 5e-3);
    s = of_tensor("[{embedding: {num_embeddings: 100, embedding_dim: 100}}]", BP_I64, bp_shape(2, BP_BATCH, 3), "0.weight",
                  10000);
    assert_true(fabs(s.mean) < 0.05 && fabs(s.deviation - 1) < 0.05 && s.high > 3);
    s = of_tensor("[{linear: {out_features: 3, init: {bias: {constant: 0.25}}}}]", BP_F32, in, "0.bias", 3);
    assert_true(s.low == 0.25 && s.high == 0.25);
    s = of_tensor("[prelu]", BP_F32, in, "0.weight", 1);
    assert_true(s.low == 0.25);
}

/* ---- Values ---- */

static void run(net *n, const double *x, const bp_dims *dims, double *y, size_t count) {
    bp_program *program;
    bp_state *state;
    bp_session *session;
    const void *data;
    OK(n->ctx, n->status);
    OK(n->ctx, bp_program_new(&program, n->g, &n->y, 1, NULL));
    OK(n->ctx, bp_state_new(&state, n->g));
    OK(n->ctx, bp_session_new(&session, program, state));
    OK(n->ctx, bp_session_set(session, "x", x, dims));
    OK(n->ctx, bp_session_run(session));
    OK(n->ctx, bp_session_output(session, 0, &data, NULL, NULL));
    memcpy(y, data, sizeof *y * count);
    bp_session_free(session);
    bp_state_free(state);
    bp_program_free(program);
}

static void values(void **unused) {
    (void)unused;
    const double x[8] = {-2, -0.5, 0.5, 3, 1, 2, 3, 4};
    bp_dims dims = {2, {2, 4}}, in = bp_shape(2, BP_BATCH, 4);
    static const struct {
        const char *layers;
        double want[4]; /* of the first row */
    } rows[] = {
        {"[identity]", {-2, -0.5, 0.5, 3}},
        {"[prelu]", {-0.5, -0.125, 0.5, 3}},
        {"[{prelu: 4}]", {-0.5, -0.125, 0.5, 3}},
        {"[{leaky_relu: {negative_slope: 0.5}}]", {-1, -0.25, 0.5, 3}},
        {"[{hardtanh: {min_val: -1, max_val: 2}}]", {-1, -0.5, 0.5, 2}},
        {"[{threshold: {threshold: 0, value: 7}}]", {7, 7, 0.5, 3}},
        {"[{softshrink: {lambd: 1}}]", {-1, 0, 0, 2}},
        {"[{residual: [relu]}]", {-2, -0.5, 1, 6}},
        {"[{repeat: {times: 3, layers: [{residual: [identity]}]}}]", {-16, -4, 4, 24}},
        {"[{relu: , name: a}, {neg: , from: input, name: b}, {add: , from: [a, b, b]}]", {4, 1, -0.5, -3}},
        {"[{dropout: 0.5}]", {-2, -0.5, 0.5, 3}}, /* evaluation */
        {"[{gelu: tanh}]", {-0.045402305912, -0.154285977, 0.345714023, 2.9963627}},
        {"[gelu]", {-0.045500263896, -0.154268770, 0.345731230, 2.9959503}},
        {"[layer_norm]", {-1.2362432095, -0.4120810698, 0.1373603566, 1.5109639227}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        net n = make(rows[i].layers, BP_F64, in, 0, false);
        double y[8];
        run(&n, x, &dims, y, 8);
        for (int k = 0; k < 4; k++)
            if (!(fabs(y[k] - rows[i].want[k]) < 2e-7))
                fail_msg("%s: %d is %.10f, not %.10f", rows[i].layers, k, y[k], rows[i].want[k]);
        drop(&n);
    }
    /* Softmax's rows sum to 1; softmin is softmax of -x. */
    net n = make("[softmin]", BP_F64, in, 0, false);
    double y[8];
    run(&n, x, &dims, y, 8);
    assert_true(fabs(y[0] + y[1] + y[2] + y[3] - 1) < 1e-12 && y[0] > y[1]);
    drop(&n);
}

static void dropout_works(void **unused) {
    (void)unused;
    double x[1000], y[1000];
    for (int i = 0; i < 1000; i++) x[i] = 1;
    bp_dims dims = {2, {10, 100}};
    net n = make("[{dropout: 0.25}]", BP_F64, bp_shape(2, BP_BATCH, 100), 0, true);
    run(&n, x, &dims, y, 1000);
    int zeros = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(y[i] == 0 || fabs(y[i] - 1 / 0.75) < 1e-12);
        zeros += y[i] == 0;
    }
    assert_in_range(zeros, 190, 310);
    drop(&n);
}

/* Every layer of the table can be written, says what it is, and the ones with one input and no needed key build as they stand. */
static void every_kind(void **unused) {
    (void)unused;
    const char *main_key, *help, *name;
    int n_kinds = 0, n_built = 0, n_gelu = 0;
    for (int i = 0; (name = bp__nn_kind(i, &main_key, &help)) != NULL; i++) {
        assert_true(help && help[0]);
        n_kinds++;
        if (strcmp(name, "gelu") == 0) n_gelu++;
        char text[64];
        snprintf(text, sizeof text, "[%s]", name);
        net n = make(text, BP_F32, bp_shape(2, BP_BATCH, 4), 2, true);
        if (n.status == BP_OK)
            n_built++;
        else if (n.status != BP_CONFIG && n.status != BP_SHAPE) /* images, tokens and sequences are not what comes in here */
            fail_msg("%s: %s", name, bp_context_error(n.ctx));
        drop(&n);
    }
    assert_int_equal(n_gelu, 1);
    assert_true(n_kinds >= 70 && n_built >= 60);
}

static void reference_layers(void **unused) {
    (void)unused;
    static const struct {
        const char *name, *layers;
    } rows[] = {{"linear", "[{linear: 4}]"},
                {"linear_nobias_3d", "[{linear: {out_features: 4, bias: false, flatten: false}}]"},
                {"layernorm", "[layer_norm]"},
                {"prelu", "[{prelu: 3}]"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[512];
        const char *root = getenv("BP_SHARED");
        snprintf(path, sizeof path, "%s/data/reference/pytorch-1.13.1/layers/%s.safetensors", root ? root : "../shared",
                 rows[i].name);
        FILE *f = fopen(path, "rb");
        if (!f) {
            print_message("SKIPPED: no shared/data/reference beside the repository (set BP_SHARED)\n");
            skip();
        }
        fclose(f);
        bp_context *ctx;
        bp__st_file *file = NULL;
        assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
        OK(ctx, bp__safetensors_open(ctx, path, &file));
        const bp__st_tensor *in = NULL, *out = NULL;
        for (int64_t k = 0; k < file->n_tensors; k++) {
            if (strncmp(file->tensors[k].name, "in.", 3) == 0) in = &file->tensors[k];
            if (strncmp(file->tensors[k].name, "out", 3) == 0) out = &file->tensors[k];
        }
        if (!in || !out) fail_msg("%s: no in and out", path);
        bp_dims dims = {.n = in->n_dims};
        for (int k = 0; k < in->n_dims; k++) dims.dim[k] = in->dims[k];
        net n = make(rows[i].layers, BP_F64, dims, 0, false);
        OK(n.ctx, n.status);
        bp_state *state;
        bp_program *program;
        bp_session *session;
        OK(n.ctx, bp_state_new(&state, n.g));
        for (int64_t k = 0; k < bp__nn_n_parameters(n.nn); k++) {
            const char *name = bp__nn_parameter_at(n.nn, k)->name;
            char key[64];
            snprintf(key, sizeof key, "param.%s", strchr(name, '.') + 1);
            const bp__st_tensor *t = bp__safetensors_find(file, key);
            if (!t) fail_msg("%s: no %s", path, key);
            OK(n.ctx, bp_state_set(state, name, t->data, t->n_bytes));
        }
        const void *data;
        OK(n.ctx, bp_program_new(&program, n.g, &n.y, 1, NULL));
        OK(n.ctx, bp_session_new(&session, program, state));
        OK(n.ctx, bp_session_set(session, "x", in->data, &dims));
        OK(n.ctx, bp_session_run(session));
        OK(n.ctx, bp_session_output(session, 0, &data, NULL, NULL));
        for (int64_t k = 0; k < bp__st_count(out); k++) {
            double want = ((const double *)out->data)[k], got = ((const double *)data)[k];
            if (!(fabs(got - want) < 1e-12)) fail_msg("%s: element %d is %.15g, not %.15g", rows[i].name, (int)k, got, want);
        }
        bp_session_free(session);
        bp_program_free(program);
        bp_state_free(state);
        drop(&n);
        bp__safetensors_close(file);
        bp_context_free(ctx);
    }
}

/* ---- Sentences ---- */

static void expect_error(const char *layers, bp_status status, const char *message, const char *hint) {
    net n = make(layers, BP_F32, bp_shape(2, BP_BATCH, 6), 0, true);
    bp_error e = {.size = sizeof e};
    bp_context_get_error(n.ctx, &e);
    if (n.status != status)
        fail_msg("%s: status %s, not %s: %s", layers, bp_status_name(n.status), bp_status_name(status), e.message);
    if (!strstr(e.message, message)) fail_msg("%s:\n  got  %s\n  want %s", layers, e.message, message);
    if (hint && (!e.hint || !strstr(e.hint, hint))) fail_msg("%s: hint %s", layers, e.hint ? e.hint : "(none)");
    if (!e.file || strcmp(e.file, "m.yaml") != 0 || e.line < 1) fail_msg("%s: no file and line", layers);
    drop(&n);
}

static void errors(void **unused) {
    (void)unused;
    expect_error("[]", BP_CONFIG, "model: the list of layers is empty", NULL);
    expect_error("[{liner: 5}]", BP_CONFIG, "model.0: there is no layer `liner`", "did you mean `linear`?");
    expect_error("[relu, rellu]", BP_CONFIG, "model.1: there is no layer `rellu`", "`relu`");
    expect_error("[{linear: {out_feature: 5}}]", BP_CONFIG, "model.0: `linear` has no option `out_feature`", "`out_features`");
    expect_error("[{relu: {alpha: 5}}]", BP_CONFIG, "`relu` takes no options, so not `alpha`", NULL);
    expect_error("[{relu: 5}]", BP_CONFIG, "`relu` takes no options", NULL);
    expect_error("[{linear: -5}]", BP_CONFIG, "`out_features` must be at least 1", NULL);
    expect_error("[{linear: 2.5}]", BP_CONFIG, "`out_features` must be a whole number, not 2.5", NULL);
    expect_error("[{linear: wide}]", BP_CONFIG, "`out_features` must be a whole number, not \"wide\"", NULL);
    expect_error("[{dropout: 1.5}]", BP_CONFIG, "`p` must be at least 0 and at most 1, not 1.5", NULL);
    expect_error("[{dropout: .nan}]", BP_CONFIG, "`p` must be a finite number", NULL);
    expect_error("[linear, {linear: 5}]", BP_CONFIG, "model.0: `linear` needs `out_features`", NULL);
    expect_error("[{residual: [linear]}]", BP_CONFIG, "model.0.0: `linear` needs `out_features`", NULL);
    expect_error("[{embedding: 5}]", BP_CONFIG, "`embedding` needs `embedding_dim`", NULL);
    expect_error("[{embedding: {num_embeddings: 5, embedding_dim: 3}}]", BP_SHAPE,
                 "model.0: embedding: whole numbers must come in, not f32", NULL);
    expect_error("[{linear: {out_features: 5, in_features: 7}}]", BP_SHAPE,
                 "`in_features` is 7, but 6 features come in [batch, 6]", NULL);
    expect_error("[relu, {residual: [{linear: 4}]}]", BP_SHAPE,
                 "model.1: residual: the layers inside make [batch, 4] of [batch, 6]; both must have one shape to be added",
                 NULL);
    expect_error("[{reshape: [4, 2]}]", BP_SHAPE, "6 elements of a sample [batch, 6] do not fill the shape [batch, 4, 2]", NULL);
    expect_error("[{reshape: [-1, -1]}]", BP_CONFIG, "only one size of `shape` may be -1", NULL);
    expect_error("[{softmax: 2}]", BP_SHAPE, "`dim` is 2, but the input [batch, 6] has 2 axes", NULL);
    expect_error("[{softmax: 0}]", BP_SHAPE, "`dim` 0 is the batch axis", NULL);
    expect_error("[{prelu: 5}]", BP_SHAPE, "`num_parameters` is 5: it must be 1 or the size of axis 1 of the input [batch, 6]",
                 NULL);
    expect_error("[{layer_norm: 5}]", BP_SHAPE, "`normalized_shape` [5] is not how the input [batch, 6] ends", NULL);
    expect_error("[{linear: 4, name: a}, {add: , from: [a, b]}]", BP_CONFIG, "model.1: no layer before it is named `b`", NULL);
    expect_error("[{linear: 4, name: first}, {relu: , from: frist}]", BP_CONFIG, "named `frist`", "did you mean `first`?");
    expect_error("[{linear: 4, name: a}, add]", BP_CONFIG, "`add` needs two or more layers to put together", NULL);
    expect_error("[{linear: 4, name: a}, {relu: , from: [a, a]}]", BP_CONFIG, "`relu` takes one value, `from` names 2", NULL);
    expect_error("[{linear: 4, name: a}, {relu: , name: a}]", BP_CONFIG, "the name `a` is taken by a layer before it", NULL);
    expect_error("[{linear: 4, name: a}, {add: , from: [a, input]}]", BP_SHAPE, "[batch, 4] and [batch, 6] have different shapes",
                 NULL);
    expect_error("[{linear: 4, name: a.b}]", BP_CONFIG, "the name `a.b` must not contain `.`", NULL);
    expect_error("[{linear: 4, name: \"3\"}]", BP_CONFIG, "the name `3` is a number", NULL);
    expect_error("[{linear: 4, name: input}]", BP_CONFIG, "the name `input` is reserved", NULL);
    expect_error("[{linear: 4, freeze: 1}]", BP_CONFIG, "`freeze` must be true or false", NULL);
    expect_error("[{linear: 4, relu: }]", BP_CONFIG, "here are two: `linear` and `relu`", NULL);
    expect_error("[{name: a}]", BP_CONFIG, "the name of the layer is missing", NULL);
    expect_error("[{repeat: {times: 0, layers: [relu]}}]", BP_CONFIG, "`times` must be at least 1", NULL);
    expect_error("[{repeat: 3}]", BP_CONFIG, "`repeat` needs `layers`", NULL);
    expect_error("[{linear: {out_features: 3, init: {weigth: zeros}}}]", BP_CONFIG, "`linear` has no tensor `weigth` to start",
                 NULL);
    expect_error("[{linear: {out_features: 3, init: {weight: kaiming}}}]", BP_CONFIG,
                 "model.0.init.weight: there is no initialiser `kaiming`", NULL);
    expect_error("[{linear: {out_features: 3, init: {bias: xavier_normal}}}]", BP_CONFIG, "a bias has no fan", NULL);
    expect_error("[{gelu: fast}]", BP_CONFIG, "`approximate` must be one of none, tanh, not \"fast\"", NULL);
    expect_error("[12]", BP_CONFIG, "expected one layer, a name or a mapping with one name, not 12", NULL);
    expect_error("[{concat: 1, name: c, from: [input, input]}, {concat: {dim: 1}, from: [c, nothing]}]", BP_CONFIG,
                 "named `nothing`", NULL);
}

/* The same mistakes are found before there is a graph. */
static void checks(void **unused) {
    (void)unused;
    static const char *const wrong[] = {"[{liner: 5}]", "[{residual: [{dropout: 2}]}]",
                                        "[{repeat: {times: 2, layers: [{relu: {a: 1}}]}}]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bp_context *ctx;
        bp__tree *tree = NULL;
        assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
        OK(ctx, bp__yaml_parse(ctx, wrong[i], strlen(wrong[i]), "m.yaml", &tree));
        assert_int_equal(bp__nn_check(ctx, "m.yaml", tree), BP_CONFIG);
        bp__tree_free(ctx, tree);
        bp_context_free(ctx);
    }
    bp_context *ctx;
    bp__tree *tree = NULL;
    const char *good = "[{linear: 4, name: a}, {residual: [relu]}, linear]";
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    OK(ctx, bp__yaml_parse(ctx, good, strlen(good), "m.yaml", &tree));
    OK(ctx, bp__nn_check(ctx, "m.yaml", tree));
    bp__tree_free(ctx, tree);
    bp_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_shapes), cmocka_unit_test(token_models),     cmocka_unit_test(shared_parameters),
        cmocka_unit_test(initialisers),     cmocka_unit_test(values),           cmocka_unit_test(dropout_works),
        cmocka_unit_test(every_kind),       cmocka_unit_test(reference_layers), cmocka_unit_test(errors),
        cmocka_unit_test(checks),
    };
    return cmocka_run_group_tests_name("nn", tests, NULL, NULL) != 0;
}
