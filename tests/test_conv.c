/* Convolutions and batch_norm: every kernel against three loops and fma() by memcmp, PyTorch's values and gradients, and a small
   convolutional network that trains to the same bits with and without passes, on every instruction set, for 1, 2 and 3 threads.
 */
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
#include "kernel/conv.h"
#include "nn/nn.h"
#include "op/op.h"
#include "optim/optim.h"

#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

static uint64_t seed = 7;
static double uniform(void) {
    uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}
static int64_t between(int64_t low, int64_t high) { return low + (int64_t)(uniform() * (double)(high - low + 1)); }

static void *room(size_t bytes) {
    size_t n = (bytes + 191) / 64 * 64;
    void *p = aligned_alloc(64, n);
    if (!p) abort();
    memset(p, 0xff, n); /* NaN: what is read before it is written shows */
    return p;
}

/* ---- Kernels against the definition --------------------------------------------------------------------------------------- */

enum { FORWARD, GRAD_INPUT, GRAD_WEIGHT };

typedef struct arrays {
    void *x, *w, *y, *bias;
    int64_t nx, nw, ny;
} arrays;

#define INDEX4(d1, d2, d3, a, b, c, d) ((((a) * (d1) + (b)) * (d2) + (c)) * (d3) + (d))

#define REFERENCE(T, FMA)                                                                                                       \
    static void reference_##T(const bp__conv *c, int kind, const arrays *s, T *out) {                                           \
        const T *x = s->x, *w = s->w, *y = s->y, *bias = s->bias;                                                               \
        int64_t in = c->in_channels / c->groups, made = c->out_channels / c->groups;                                            \
        for (int64_t n = 0; n < c->n_images && kind == FORWARD; n++)                                                            \
            for (int64_t o = 0; o < c->out_channels; o++)                                                                       \
                for (int64_t p = 0; p < c->out[0]; p++)                                                                         \
                    for (int64_t q = 0; q < c->out[1]; q++) {                                                                   \
                        T sum = 0;                                                                                              \
                        for (int64_t i = 0; i < c->kernel[0]; i++)                                                              \
                            for (int64_t j = 0; j < c->kernel[1]; j++)                                                          \
                                for (int64_t k = 0; k < in; k++) {                                                              \
                                    int64_t h = p * c->stride[0] + i * c->dilation[0] - c->padding[0];                          \
                                    int64_t v = q * c->stride[1] + j * c->dilation[1] - c->padding[1];                          \
                                    bool inside = h >= 0 && v >= 0 && h < c->in[0] && v < c->in[1];                             \
                                    T b =                                                                                       \
                                        inside ? x[INDEX4(c->in_channels, c->in[0], c->in[1], n, o / made * in + k, h, v)] : 0; \
                                    sum = FMA(w[INDEX4(in, c->kernel[0], c->kernel[1], o, k, i, j)], b, sum);                   \
                                }                                                                                               \
                        out[INDEX4(c->out_channels, c->out[0], c->out[1], n, o, p, q)] = bias ? sum + bias[o] : sum;            \
                    }                                                                                                           \
        for (int64_t n = 0; n < c->n_images && kind == GRAD_INPUT; n++)                                                         \
            for (int64_t k = 0; k < c->in_channels; k++)                                                                        \
                for (int64_t h = 0; h < c->in[0]; h++)                                                                          \
                    for (int64_t v = 0; v < c->in[1]; v++) {                                                                    \
                        T sum = 0;                                                                                              \
                        for (int64_t i = 0; i < c->kernel[0]; i++)                                                              \
                            for (int64_t j = 0; j < c->kernel[1]; j++)                                                          \
                                for (int64_t m = 0; m < made; m++) {                                                            \
                                    int64_t a = h + c->padding[0] - i * c->dilation[0], p = a / c->stride[0];                   \
                                    int64_t b = v + c->padding[1] - j * c->dilation[1], q = b / c->stride[1];                   \
                                    if (a < 0 || b < 0 || a % c->stride[0] || b % c->stride[1]) continue;                       \
                                    if (p >= c->out[0] || q >= c->out[1]) continue;                                             \
                                    int64_t o = k / in * made + m;                                                              \
                                    sum = FMA(w[INDEX4(in, c->kernel[0], c->kernel[1], o, k % in, i, j)],                       \
                                              y[INDEX4(c->out_channels, c->out[0], c->out[1], n, o, p, q)], sum);               \
                                }                                                                                               \
                        out[INDEX4(c->in_channels, c->in[0], c->in[1], n, k, h, v)] = sum;                                      \
                    }                                                                                                           \
        for (int64_t o = 0; o < c->out_channels && kind == GRAD_WEIGHT; o++)                                                    \
            for (int64_t k = 0; k < in; k++)                                                                                    \
                for (int64_t i = 0; i < c->kernel[0]; i++)                                                                      \
                    for (int64_t j = 0; j < c->kernel[1]; j++) {                                                                \
                        T sum = 0;                                                                                              \
                        for (int64_t n = 0; n < c->n_images; n++)                                                               \
                            for (int64_t p = 0; p < c->out[0]; p++)                                                             \
                                for (int64_t q = 0; q < c->out[1]; q++) {                                                       \
                                    int64_t h = p * c->stride[0] + i * c->dilation[0] - c->padding[0];                          \
                                    int64_t v = q * c->stride[1] + j * c->dilation[1] - c->padding[1];                          \
                                    bool inside = h >= 0 && v >= 0 && h < c->in[0] && v < c->in[1];                             \
                                    T b =                                                                                       \
                                        inside ? x[INDEX4(c->in_channels, c->in[0], c->in[1], n, o / made * in + k, h, v)] : 0; \
                                    sum = FMA(y[INDEX4(c->out_channels, c->out[0], c->out[1], n, o, p, q)], b, sum);            \
                                }                                                                                               \
                        out[INDEX4(in, c->kernel[0], c->kernel[1], o, k, i, j)] = sum;                                          \
                    }                                                                                                           \
    }
REFERENCE(float, fmaf)
REFERENCE(double, fma)

static void *filled(const bp__conv *c, int64_t n) {
    void *p = room((size_t)n * bp_dtype_size(c->dtype));
    for (int64_t i = 0; i < n; i++) {
        double x = 2 * uniform() - 1;
        if (c->dtype == BP_F32)
            ((float *)p)[i] = (float)x;
        else
            ((double *)p)[i] = x;
    }
    return p;
}

static bool draw(bp__conv *c) {
    int64_t in = between(1, 5), out = between(1, 9);
    *c = (bp__conv){
        .dtype = uniform() < 0.7 ? BP_F32 : BP_F64, .n_images = between(0, 7), .groups = uniform() < 0.6 ? 1 : between(2, 3)};
    if (uniform() < 0.3) in = 16, out = between(7, 30);
    c->in_channels = in * c->groups, c->out_channels = out * c->groups;
    for (int d = 0; d < 2; d++) {
        c->in[d] = between(1, 19), c->kernel[d] = between(1, 4), c->stride[d] = uniform() < 0.5 ? 1 : between(2, 5);
        c->padding[d] = between(0, 4), c->dilation[d] = uniform() < 0.6 ? 1 : between(2, 3);
        if (uniform() < 0.2) c->kernel[d] = 1, c->stride[d] = 1, c->padding[d] = 0;
        int64_t left = c->in[d] + 2 * c->padding[d] - c->dilation[d] * (c->kernel[d] - 1) - 1;
        if (left < 0) return false;
        c->out[d] = left / c->stride[d] + 1;
    }
    return true;
}

static void check_kernels(bp_context *ctx, const bp__conv *c) {
    int64_t in = c->in_channels / c->groups;
    arrays s = {.nx = c->n_images * c->in_channels * c->in[0] * c->in[1],
                .nw = c->out_channels * in * c->kernel[0] * c->kernel[1],
                .ny = c->n_images * c->out_channels * c->out[0] * c->out[1]};
    s.x = filled(c, s.nx), s.w = filled(c, s.nw), s.y = filled(c, s.ny),
    s.bias = uniform() < 0.5 ? filled(c, c->out_channels) : NULL;
    for (int kind = FORWARD; kind <= GRAD_WEIGHT; kind++) {
        int64_t n = kind == FORWARD ? s.ny : kind == GRAD_INPUT ? s.nx : s.nw;
        size_t bytes = (size_t)n * bp_dtype_size(c->dtype);
        void *right = room(bytes);
        if (c->dtype == BP_F32)
            reference_float(c, kind, &s, right);
        else
            reference_double(c, kind, &s, right);
        for (int k = 0; bp__isa_list(k); k++)
            for (int threads = 1; threads <= 3; threads += 2) {
                bp__team *team;
                OK(ctx, bp__team_new(&team, ctx, threads));
                bp__env env = {.isa = bp__isa_find(bp__isa_list(k)), .team = team};
                env.scratch_bytes = kind == FORWARD      ? bp__conv2d_scratch(env.isa, c, threads)
                                    : kind == GRAD_INPUT ? bp__conv2d_grad_input_scratch(env.isa, c, threads)
                                                         : bp__conv2d_grad_weight_scratch(env.isa, c, threads);
                env.scratch = room(env.scratch_bytes);
                unsigned char *out = room(bytes + 64);
                if (kind == FORWARD) bp__conv2d(&env, c, out, s.x, s.w, s.bias);
                if (kind == GRAD_INPUT) bp__conv2d_grad_input(&env, c, out, s.y, s.w);
                if (kind == GRAD_WEIGHT) bp__conv2d_grad_weight(&env, c, out, s.y, s.x);
                if (memcmp(out, right, bytes) != 0)
                    fail_msg(
                        "kind %d on %s, %d threads: images %d, groups %d, channels %d -> %d, in %d x %d, kernel %d x %d, stride "
                        "%d %d, padding %d %d, dilation %d %d",
                        kind, bp__isa_list(k), threads, (int)c->n_images, (int)c->groups, (int)c->in_channels,
                        (int)c->out_channels, (int)c->in[0], (int)c->in[1], (int)c->kernel[0], (int)c->kernel[1],
                        (int)c->stride[0], (int)c->stride[1], (int)c->padding[0], (int)c->padding[1], (int)c->dilation[0],
                        (int)c->dilation[1]);
                for (int i = 0; i < 64; i++) assert_int_equal(out[bytes + (size_t)i], 0xff);
                for (int i = 0; i < 64; i++)
                    assert_int_equal(((unsigned char *)env.scratch)[env.scratch_bytes + (size_t)i], 0xff);
                free(out);
                free(env.scratch);
                bp__team_free(team);
            }
        free(right);
    }
    free(s.x);
    free(s.w);
    free(s.y);
    free(s.bias);
}

static void kernels_keep_the_order(void **state) {
    (void)state;
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    int done = 0;
    while (done < 250) {
        bp__conv c;
        if (!draw(&c)) continue;
        check_kernels(ctx, &c);
        done++;
    }
    bp_context_free(ctx);
}

/* ---- Networks -------------------------------------------------------------------------------------------------------------- */

typedef struct net {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp__tree *layers, *optimizer;
    bp_value x, y;
    bp_status status;
} net;

static bp_status build(net *n, bool training, bp_value *y) {
    bp__nn_options o = {
        .nn = n->nn, .layers = n->layers, .file = "m.yaml", .n_outputs = 3, .training = training, .dropout_scale = BP_NONE};
    return bp__nn_build(n->g, &o, n->x, y);
}

static net make(const char *text, bp_dtype dtype, bp_dims dims, bool training, const bp_context_options *options) {
    net n = {0};
    assert_int_equal(bp_context_new(&n.ctx, options), BP_OK);
    OK(n.ctx, bp__yaml_parse(n.ctx, text, strlen(text), "m.yaml", &n.layers));
    OK(n.ctx, bp_graph_new(&n.g, n.ctx));
    OK(n.ctx, bp__nn_new(&n.nn, n.g));
    bp_graph_set_dtype(n.g, dtype);
    n.x = bp_input(n.g, "x", dtype, dims);
    n.status = build(&n, training, &n.y);
    return n;
}

static void drop(net *n) {
    bp__nn_free(n->nn);
    bp_graph_free(n->g);
    bp__tree_free(n->ctx, n->layers);
    bp__tree_free(n->ctx, n->optimizer);
    bp_context_free(n->ctx);
}

/* ---- PyTorch's values --------------------------------------------------------------------------------------------------------
 */

static bp_dims dims_of(const bp__st_tensor *t) {
    bp_dims d = {.n = t->n_dims};
    for (int i = 0; i < t->n_dims; i++) d.dim[i] = t->dims[i];
    return d;
}

static void near(const char *name, const char *what, const double *got, const bp__st_tensor *t) {
    const double *right = t->data;
    for (int64_t i = 0; i < bp__st_count(t); i++)
        if (!(fabs(got[i] - right[i]) <= 1e-11 * (1 + fabs(right[i]))))
            fail_msg("%s: %s[%lld] is %.17g, PyTorch says %.17g", name, what, (long long)i, got[i], right[i]);
}

static void near_state(const net *n, bp_state *s, const char *name, const char *variable, const bp__st_tensor *t) {
    double *got = room(t->n_bytes);
    OK(n->ctx, bp_state_get(s, variable, got, t->n_bytes));
    near(name, variable, got, t);
    free(got);
}

static void layer_text(const bp__st_file *f, char *out, size_t size) {
    static const char *const keys[] = {"kernel_size", "stride", "padding", "dilation", "groups", "eps", "momentum"};
    const char *op = bp__safetensors_meta(f, "op");
    const bp__st_tensor *w = bp__safetensors_find(f, "param.weight");
    bool norm = strncmp(op, "BatchNorm", 9) == 0, bias = bp__safetensors_find(f, "param.bias") != NULL;
    int at = norm ? snprintf(out, size, "[{batch_norm: {num_features: %d", (int)w->dims[0])
                  : snprintf(out, size, "[{%s: {out_channels: %d, bias: %s", strcmp(op, "Conv1d") ? "conv2d" : "conv1d",
                             (int)w->dims[0], bias ? "true" : "false");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = bp__safetensors_meta(f, keys[i]);
        if (value) at += snprintf(out + at, size - (size_t)at, ", %s: %s", keys[i], strcmp(value, "1e-05") ? value : "1.0e-5");
    }
    snprintf(out + at, size - (size_t)at, "}}]");
}

static void golden_case(bp_context *files, const char *folder, const char *name) {
    char path[600], text[400], variable[80], key[80];
    bp__st_file *f;
    snprintf(path, sizeof path, "%s/layers/%s.safetensors", folder, name);
    OK(files, bp__safetensors_open(files, path, &f));
    layer_text(f, text, sizeof text);
    const bp__st_tensor *x = bp__safetensors_find(f, "in.x0"), *y = bp__safetensors_find(f, "out.y"),
                        *d_y = bp__safetensors_find(f, "gout.y");
    bool training = strcmp(bp__safetensors_meta(f, "train"), "true") == 0;
    net n = make(text, BP_F64, dims_of(x), training, NULL);
    if (n.status != BP_OK) fail_msg("%s: %s: %s", name, text, bp_context_error(n.ctx));
    bp_value wrt[3] = {n.x}, outputs[4] = {n.y}, seed_value = bp_input(n.g, "d_y", BP_F64, dims_of(d_y));
    int m = 1;
    for (int64_t i = 0; i < bp__nn_n_parameters(n.nn); i++)
        if (bp__nn_parameter_at(n.nn, i)->trainable) wrt[m++] = bp__nn_parameter_at(n.nn, i)->value;
    bp_gradients(outputs + 1, &n.y, &seed_value, 1, wrt, m);
    bp_state *state;
    bp_program *program;
    bp_session *session;
    bp_program_options po = {.size = sizeof po, .commit = 1, .ok = BP_NONE};
    OK(n.ctx, bp_state_new(&state, n.g));
    OK(n.ctx, bp_program_new(&program, n.g, outputs, m + 1, &po));
    OK(n.ctx, bp_session_new(&session, program, state));
    for (int i = 0; i < bp_state_count(state); i++) {
        const char *own = bp_state_name(state, i); /* "0.weight" */
        snprintf(key, sizeof key, "param.%s", own + 2);
        const bp__st_tensor *t = bp__safetensors_find(f, key);
        assert_non_null(t);
        OK(n.ctx, bp_state_set(state, own, t->data, t->n_bytes));
    }
    OK(n.ctx, bp_session_set(session, "x", x->data, NULL));
    OK(n.ctx, bp_session_set(session, "d_y", d_y->data, NULL));
    OK(n.ctx, bp_session_run(session));
    for (int k = 0; k <= m; k++) {
        const void *data;
        bp_dims dims;
        OK(n.ctx, bp_session_output(session, k, &data, NULL, &dims));
        snprintf(key, sizeof key, k == 0 ? "out.y" : k == 1 ? "grad.in.x0" : k == 2 ? "grad.param.weight" : "grad.param.bias");
        const bp__st_tensor *t = k == 0 ? y : bp__safetensors_find(f, key);
        assert_non_null(t);
        bp_dims right = dims_of(t);
        assert_memory_equal(&dims, &right, sizeof(int64_t) * (size_t)(right.n + 1));
        near(name, key, data, t);
    }
    for (int64_t i = 0; i < f->n_tensors; i++) {
        if (strncmp(f->tensors[i].name, "after.", 6) != 0) continue;
        snprintf(variable, sizeof variable, "0.%s", f->tensors[i].name + 6);
        if (f->tensors[i].dtype == BP__ST_F64) near_state(&n, state, name, variable, &f->tensors[i]);
    }
    bp_session_free(session);
    bp_program_free(program);
    bp_state_free(state);
    drop(&n);
    bp__safetensors_close(f);
}

static void pytorch_values(void **state) {
    (void)state;
    static const char *const names[] = {"conv2d_k3",        "conv2d_k3s2p1",     "conv2d_k3d2p2",     "conv2d_k1",
                                        "conv2d_k5same",    "conv2d_k23s21p01",  "conv2d_groups2",    "conv2d_depthwise_s2",
                                        "conv1d_k3s2p1",    "conv1d_dilated",    "batchnorm1d_train", "batchnorm1d_3d_train",
                                        "batchnorm1d_eval", "batchnorm2d_train", "batchnorm2d_eval"};
    const char *shared = getenv("BP_SHARED");
    char folder[400], probe[500];
    if (shared)
        snprintf(folder, sizeof folder, "%s/data/reference/pytorch-1.13.1", shared);
    else
        snprintf(folder, sizeof folder, "../shared/data/reference/pytorch-1.13.1");
    snprintf(probe, sizeof probe, "%s/index.json", folder);
    FILE *there = fopen(probe, "rb");
    if (!there) {
        fprintf(stderr, "SKIPPED: PyTorch's values are not at %s (set BP_SHARED)\n", folder);
        skip();
    }
    fclose(there);
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) golden_case(ctx, folder, names[i]);
    bp_context_free(ctx);
}

/* ---- Training: the same bits ---- */

static const char cnn[] =
    "[{conv2d: {out_channels: 8, kernel_size: 3, padding: same}}, batch_norm, relu,"
    " {conv2d: {out_channels: 16, kernel_size: [3, 2], stride: 2, bias: false}}, {batch_norm: {momentum: null}}, relu,"
    " {conv2d: {out_channels: 16, kernel_size: 3, padding: 2, dilation: 2, groups: 4}}, batch_norm, relu, linear]";

enum { STEPS = 6, ROWS = 9 };
typedef struct result {
    double loss[STEPS];
    unsigned char bytes[65536];
    size_t n;
} result;

static void train(const bp_context_options *options, result *r) {
    net n = make(cnn, BP_F32, bp_shape(3, BP_BATCH, 11, 10), true, options);
    OK(n.ctx, n.status);
    bp_value label = bp_input(n.g, "label", BP_I64, bp_shape(1, BP_BATCH)), lr = bp_input(n.g, "lr", BP_F64, bp_shape(0)), seen;
    bp_value loss = bp_cross_entropy(n.y, label, BP_NONE, NULL), params[32], grads[32];
    int m = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(n.nn); i++)
        if (bp__nn_parameter_at(n.nn, i)->trainable) params[m++] = bp__nn_parameter_at(n.nn, i)->value;
    bp_gradients(grads, &loss, NULL, 1, params, m);
    const char *sgd = "{sgd: {lr: 0.1, momentum: 0.9}}";
    OK(n.ctx, bp__yaml_parse(n.ctx, sgd, strlen(sgd), "o.yaml", &n.optimizer));
    OK(n.ctx, bp__optimizer_build(n.g, n.optimizer, lr, params, grads, m));
    OK(n.ctx, build(&n, false, &seen)); /* the evaluation path reads the running statistics */
    bp_state *state;
    bp_program *program, *evaluation;
    bp_session *session, *look;
    bp_program_options po = {.size = sizeof po, .commit = 1, .ok = BP_NONE};
    OK(n.ctx, bp_state_new(&state, n.g));
    OK(n.ctx, bp_program_new(&program, n.g, &loss, 1, &po));
    OK(n.ctx, bp_program_new(&evaluation, n.g, &seen, 1, NULL));
    OK(n.ctx, bp_session_new(&session, program, state));
    OK(n.ctx, bp_session_new(&look, evaluation, state));
    static float x[ROWS * 110];
    int64_t labels[ROWS];
    double rate = 0.05;
    seed = 99;
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % 3;
        for (int k = 0; k < 110; k++) x[i * 110 + k] = (float)(uniform() - 0.5 + 0.8 * (k % 3 == labels[i]));
    }
    for (int step = 0; step < STEPS; step++) {
        int64_t rows = step == 2 ? 5 : ROWS; /* another size of batch in between */
        bp_dims dims = bp_shape(3, rows, 11, 10), one = bp_shape(1, rows);
        const void *data;
        OK(n.ctx, bp_session_set(session, "x", x, &dims));
        OK(n.ctx, bp_session_set(session, "label", labels, &one));
        OK(n.ctx, bp_session_set(session, "lr", &rate, NULL));
        OK(n.ctx, bp_session_run(session));
        OK(n.ctx, bp_session_output(session, 0, &data, NULL, NULL));
        r->loss[step] = (double)*(const float *)data;
    }
    r->n = 0;
    for (int i = 0; i < bp_state_count(state); i++) {
        bp_dtype dtype;
        bp_dims d;
        OK(n.ctx, bp_state_describe(state, bp_state_name(state, i), &dtype, &d));
        size_t bytes = bp_dtype_size(dtype);
        for (int64_t k = 0; k < d.n; k++) bytes *= (size_t)d.dim[k];
        assert_true(r->n + bytes <= sizeof r->bytes);
        OK(n.ctx, bp_state_get(state, bp_state_name(state, i), r->bytes + r->n, bytes));
        r->n += bytes;
    }
    int64_t batches = 0;
    OK(n.ctx, bp_state_get(state, "1.num_batches_tracked", &batches, sizeof batches));
    assert_int_equal(batches, STEPS);
    bp_dims all = bp_shape(3, ROWS, 11, 10);
    const void *data;
    OK(n.ctx, bp_session_set(look, "x", x, &all));
    OK(n.ctx, bp_session_run(look));
    OK(n.ctx, bp_session_output(look, 0, &data, NULL, NULL));
    memcpy(r->bytes + r->n, data, ROWS * 3 * sizeof(float));
    r->n += ROWS * 3 * sizeof(float);
    bp_session_free(session);
    bp_session_free(look);
    bp_program_free(program);
    bp_program_free(evaluation);
    bp_state_free(state);
    drop(&n);
}

static void training_gives_the_same_bits(void **state) {
    (void)state;
    result *first = room(sizeof *first), *other = room(sizeof *other);
    bp_context_options o = {.size = sizeof o, .threads = 1};
    train(&o, first);
    assert_true(first->loss[STEPS - 1] < 0.7 * first->loss[0]);
    for (int k = 0; bp_isa_usable(k); k++)
        for (int threads = 1; threads <= 3; threads++)
            for (int no_passes = 0; no_passes < 2; no_passes++) {
                o = (bp_context_options){.size = sizeof o, .threads = threads, .isa = bp_isa_usable(k), .no_passes = no_passes};
                train(&o, other);
                assert_int_equal(other->n, first->n);
                assert_memory_equal(other->loss, first->loss, sizeof first->loss);
                assert_memory_equal(other->bytes, first->bytes, first->n);
            }
    free(first);
    free(other);
}

/* ---- Names, shapes, sentences ---- */

static void expect(const char *text, bp_dims dims, const char *tensors, const char *shape) {
    net n = make(text, BP_F32, dims, true, NULL);
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

static void refuse(const char *text, bp_dims dims, const char *part) {
    net n = make(text, BP_F32, dims, true, NULL);
    assert_int_not_equal(n.status, BP_OK);
    if (!strstr(bp_context_error(n.ctx), part)) fail_msg("%s: %s", text, bp_context_error(n.ctx));
    drop(&n);
}

static void names_and_sentences(void **state) {
    (void)state;
    bp_dims image = bp_shape(4, BP_BATCH, 4, 9, 8);
    expect("[{conv2d: {out_channels: 6, kernel_size: 3}}]", image, "0.weight[6, 4, 3, 3] 0.bias[6]", "[batch, 6, 7, 6]");
    expect("[{conv2d: {out_channels: 6, kernel_size: [4, 3], padding: same, groups: 2, bias: false}}]", image,
           "0.weight[6, 2, 4, 3]", "[batch, 6, 9, 8]");
    expect("[{conv2d: {out_channels: 2, kernel_size: 3, stride: 2}}]", bp_shape(4, BP_BATCH, 1, BP_TIME, 8),
           "0.weight[2, 1, 3, 3] 0.bias[2]", "[batch, 2, floor((time - 3)/(2)) + 1, 3]");
    expect("[batch_norm]", image, "0.weight[4] 0.bias[4] ~0.running_mean[4] ~0.running_var[4] ~0.num_batches_tracked[]",
           "[batch, 4, 9, 8]");
    expect("[{batch_norm: {affine: false, track_running_stats: false}}]", image, "", "[batch, 4, 9, 8]");
    refuse("[{conv2d: {out_channels: 6, kernel_size: 11}}]", image, "larger than the padded image");
    refuse("[{conv2d: {out_channels: 6, kernel_size: 3, groups: 4}}]", image, "divided into 4 groups");
    refuse("[{conv2d: {out_channels: 6, kernel_size: 3, padding: same, stride: 2}}]", image, "needs a stride of 1");
    refuse("[{conv2d: {out_channels: 6, kernel_size: [1, 2, 3]}}]", image, "list of two");
    refuse("[{conv2d: {out_channels: 6}}]", image, "kernel_size");
    refuse("[{batch_norm: {momentum: 2}}]", image, "momentum");
    refuse("[{batch_norm: 5}]", image, "num_features");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_keep_the_order), cmocka_unit_test(pytorch_values),
                                       cmocka_unit_test(training_gives_the_same_bits), cmocka_unit_test(names_and_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
