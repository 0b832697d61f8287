/* Whole trainings in double precision, step by step as PyTorch does them: the six of the reference set, on graphs built here
   where the configuration has no such layer; and the training loop as a configuration runs it, with what moves and stands beside
   the weights: momentum against the rate, averages, clipping, max_norm, accumulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/files.h"
#include "io/safetensors.h"
#include "nn/nn.h"
#include "train/train.h"

static double tolerance = 1e-9;

#define OK(ctx, e)                                                       \
    do {                                                                 \
        if ((e) != BP_OK) fail_msg("%s: %s", #e, bp_context_error(ctx)); \
    } while (0)

static const char *shared(const char *name) {
    static char path[2][600];
    static int next;
    const char *root = getenv("BP_SHARED");
    char *at = path[next++ % 2];
    snprintf(at, sizeof path[0], "%s/data/%s", root && *root ? root : "../shared", name);
    return at;
}

/* Tensor NAME as doubles, from bp__alloc. */
static double *numbers(const bp__st_file *f, const char *name, int64_t *n) {
    const bp__st_tensor *t = bp__safetensors_find(f, name);
    if (!t) fail_msg("%s has no %s", f->path, name);
    *n = bp__st_count(t);
    double *out = bp__alloc(f->ctx, sizeof(double) * (size_t)(*n + 1));
    assert_non_null(out);
    bp__st_to_f64(t, out);
    return out;
}
static void near(double got, double want, const char *name, int64_t at) {
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: number %lld is %.17g, not %.17g", name, (long long)at, got, want);
}
static void near_all(const bp__st_file *f, const char *prefix, const char *name, const double *got) {
    char full[200];
    int64_t n;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    double *want = numbers(f, full, &n);
    for (int64_t i = 0; i < n; i++) near(got[i], want[i], full, i);
    bp__free(f->ctx, want);
}
static void state_near(const bp__st_file *f, const char *prefix, bp_state *state, const char *name) {
    bp_dims d;
    int64_t n = 1;
    OK(f->ctx, bp_state_describe(state, name, NULL, &d));
    for (int64_t k = 0; k < d.n; k++) n *= d.dim[k];
    double *got = bp__alloc(f->ctx, sizeof(double) * (size_t)(n + 1));
    OK(f->ctx, bp_state_get(state, name, got, sizeof(double) * (size_t)n));
    near_all(f, prefix, name, got);
    bp__free(f->ctx, got);
}

/* ---- The reference set: a graph, and PyTorch's batches through it ---- */

enum { MOST = 40, CONFIGS = 8 };
typedef struct lab {
    bp_context *ctx;
    bp__st_file *f;
    bp_graph *g;
    bp__nn *nn;
    bp_config *cfg[CONFIGS]; /* borrowed from by what was built */
    int n_cfg, n;
    bp_value params[MOST];       /* made by hand; then all that are trained */
    const char *const *rounding; /* names of what rounding alone moves; or NULL */
} lab;

static void open_lab(lab *l, const char *name) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s.safetensors", shared("reference/pytorch-1.13.1/train"), name);
    if (!bp__file_exists(path)) {
        print_message("SKIPPED: %s is absent\n", path);
        skip();
    }
    *l = (lab){.n = 0};
    OK(NULL, bp_context_new(&l->ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}));
    OK(l->ctx, bp__safetensors_open(l->ctx, path, &l->f));
    OK(l->ctx, bp_graph_new(&l->g, l->ctx));
    bp_graph_set_dtype(l->g, BP_F64);
    OK(l->ctx, bp__nn_new(&l->nn, l->g));
}
static bp_value parameter(lab *l, const char *name, bp_dims d) {
    return l->params[l->n++] = bp_parameter(l->g, name, d, bp_zeros());
}
/* Layers as in a configuration's `model:`, the names of their parameters behind `prefix`. */
static bp_value layers(lab *l, const char *prefix, const char *text, bp_value x) {
    char all[400];
    snprintf(all, sizeof all, "{model: %s}", text);
    bp_config **cfg = &l->cfg[l->n_cfg++];
    OK(l->ctx, bp_config_parse(cfg, l->ctx, all));
    bp__nn_options o = {
        .nn = l->nn, .layers = bp__tree_get((*cfg)->tree, "model"), .prefix = prefix, .training = true, .dropout_scale = BP_NONE};
    bp_value y;
    OK(l->ctx, bp__nn_build(l->g, &o, x, &y));
    return y;
}

/* Trains on the batches of the reference, rows of x_row and y_row bytes, and compares every loss, the first gradients and all
   weights at the end. */
static void follow(lab *l, bp_value loss, const char *optimizer, const void *x, size_t x_row, const void *y, size_t y_row) {
    int64_t total, steps;
    double *batches = numbers(l->f, "batches", &total), *want = numbers(l->f, "loss", &steps);
    int64_t rows = total / steps;
    for (int64_t i = 0; i < bp__nn_n_parameters(l->nn); i++)
        if (bp__nn_parameter_at(l->nn, i)->trainable) l->params[l->n++] = bp__nn_parameter_at(l->nn, i)->value;
    bp_value grads[MOST], out[MOST + 1] = {loss};
    bp_gradients(grads, &loss, NULL, 1, l->params, l->n);
    memcpy(out + 1, grads, sizeof grads[0] * (size_t)l->n);
    OK(l->ctx, bp_optimizer(l->g, optimizer, BP_NONE, l->params, grads, l->n));
    bp_state *state;
    bp_program *p;
    bp_session *s;
    OK(l->ctx, bp_state_new(&state, l->g));
    OK(l->ctx, bp_program_new(&p, l->g, out, l->n + 1, &(bp_program_options){.size = sizeof(bp_program_options), .commit = 1}));
    OK(l->ctx, bp_session_new(&s, p, state));
    for (int i = 0; i < bp_state_count(state); i++) {
        char name[200];
        int64_t n;
        snprintf(name, sizeof name, "init.%s", bp_state_name(state, i));
        if (!bp__safetensors_find(l->f, name)) continue; /* the optimiser's, batch_norm's counter */
        double *v = numbers(l->f, name, &n);
        OK(l->ctx, bp_state_set(state, bp_state_name(state, i), v, sizeof(double) * (size_t)n));
        bp__free(l->ctx, v);
    }
    unsigned char *bx = bp__alloc(l->ctx, x_row * (size_t)rows), *by = bp__alloc(l->ctx, y_row * (size_t)rows);
    assert_true(bx && by);
    for (int64_t step = 0; step < steps; step++) {
        for (int64_t i = 0; i < rows; i++) {
            size_t r = (size_t)batches[step * rows + i];
            memcpy(bx + (size_t)i * x_row, (const unsigned char *)x + r * x_row, x_row);
            memcpy(by + (size_t)i * y_row, (const unsigned char *)y + r * y_row, y_row);
        }
        const void *data;
        OK(l->ctx, bp_session_set(s, "x", bx, NULL));
        OK(l->ctx, bp_session_set(s, "y", by, NULL));
        OK(l->ctx, bp_session_run(s));
        OK(l->ctx, bp_session_output(s, 0, &data, NULL, NULL));
        near(*(const double *)data, want[step], "loss", step);
        for (int i = 0; step == 0 && i < l->n; i++) {
            OK(l->ctx, bp_session_output(s, i + 1, &data, NULL, NULL));
            near_all(l->f, "grad0.", l->g->nodes[l->params[i].node].name, data);
        }
    }
    int compared = 0;
    for (int i = 0; i < bp_state_count(state); i++) {
        char name[200];
        snprintf(name, sizeof name, "final.%s", bp_state_name(state, i));
        if (!bp__safetensors_find(l->f, name)) continue;
        bool rounding = false;
        for (const char *const *r = l->rounding; r && *r; r++) rounding |= strcmp(*r, bp_state_name(state, i)) == 0;
        tolerance = rounding ? 2e-8 : 1e-9;
        state_near(l->f, "final.", state, bp_state_name(state, i));
        tolerance = 1e-9;
        compared++;
    }
    for (int64_t i = 0; i < l->f->n_tensors; i++) compared -= strncmp(l->f->tensors[i].name, "final.", 6) == 0;
    assert_int_equal(compared, 0); /* none was forgotten */
    void *blocks[] = {bx, by, batches, want};
    for (int i = 0; i < 4; i++) bp__free(l->ctx, blocks[i]);
    bp_session_free(s);
    bp_program_free(p);
    bp_state_free(state);
}
static void close_lab(lab *l) {
    bp__nn_free(l->nn);
    bp_graph_free(l->g);
    for (int i = 0; i < l->n_cfg; i++) bp_config_free(l->cfg[i]);
    bp__safetensors_close(l->f);
    bp_context_free(l->ctx);
}

/* ---- Tables and images ---- */

typedef struct rows {
    double *x;
    int64_t *label, n;
} rows;

/* The rows of a CSV file as the reference had them: standardised, or divided by 16. */
static rows read_rows(bp_context *ctx, const char *path, bool header, bool standardise, int64_t features) {
    bp__source *s = NULL;
    bp__read_options o = {.no_header = !header};
    OK(ctx, bp__source_open(&s, ctx, path, &o));
    const bp__table *t = s->table;
    rows r = {.n = t->n_rows};
    r.x = bp__alloc(ctx, sizeof(double) * (size_t)(r.n * features));
    r.label = bp__alloc(ctx, sizeof(int64_t) * (size_t)r.n);
    assert_true(r.x && r.label);
    for (int64_t k = 0; k < features; k++) {
        double mean = 0, spread = 0;
        for (int64_t i = 0; i < r.n; i++) {
            double *at = &r.x[i * features + k];
            assert_true(bp__cell_number(&t->columns[k], t->columns[k].cells[i], at));
            mean += *at / (double)r.n;
        }
        for (int64_t i = 0; i < r.n; i++) spread += (r.x[i * features + k] - mean) * (r.x[i * features + k] - mean) / (double)r.n;
        for (int64_t i = 0; i < r.n; i++) {
            double *at = &r.x[i * features + k];
            *at = standardise ? (*at - mean) / sqrt(spread) : *at / 16;
        }
    }
    for (int64_t i = 0; i < r.n; i++) {
        const bp__column *c = &t->columns[features];
        double v = 0;
        if (bp__cell_number(c, c->cells[i], &v)) {
            r.label[i] = (int64_t)v;
            continue;
        }
        const char *name = bp__cell_text(c, c->cells[i]);
        r.label[i] = strstr(name, "setosa") ? 0 : strstr(name, "versicolor") ? 1 : 2;
    }
    bp__source_free(s);
    return r;
}
static void follow_rows(lab *l, bp_value loss, const char *optimizer, rows r, int64_t features) {
    follow(l, loss, optimizer, r.x, sizeof(double) * (size_t)features, r.label, sizeof(int64_t));
    bp__free(l->ctx, r.x);
    bp__free(l->ctx, r.label);
}

static void iris(void **state) {
    (void)state;
    lab l;
    open_lab(&l, "iris_mlp_sgd");
    bp_value x = bp_input(l.g, "x", BP_F64, bp_shape(2, 150, 4)), label = bp_input(l.g, "y", BP_I64, bp_shape(1, 150));
    bp_value y = layers(&l, NULL, "[{linear: 16}, tanh, {linear: 3}]", x);
    rows r = read_rows(l.ctx, shared("tabular/iris.csv"), true, true, 4);
    follow_rows(&l, bp_cross_entropy(y, label, BP_NONE, NULL), "sgd lr=0.1 momentum=0.9", r, 4);
    close_lab(&l);
}

static void digits(void **state) {
    (void)state;
    lab l;
    open_lab(&l, "digits_mlp_adam");
    bp_value x = bp_input(l.g, "x", BP_F64, bp_shape(2, 64, 64)), label = bp_input(l.g, "y", BP_I64, bp_shape(1, 64));
    bp_value y = layers(&l, NULL, "[{linear: 64}, relu, {linear: 32}, relu, {linear: 10}]", x);
    rows r = read_rows(l.ctx, shared("tabular/sklearn/digits.csv.gz"), false, false, 64);
    follow_rows(&l, bp_cross_entropy(y, label, BP_NONE, NULL), "adam lr=0.003", r, 64);
    close_lab(&l);
}

/* batch_norm takes away what a bias before it adds: the gradient of that bias is rounding alone, 3.6e-16 in the reference, which
   adam divides by its own root and 1e-8. In 56 steps of rate 0.01 that moves bias and running mean by up to 2e-8 either way; it
   reaches no loss and no other weight. */
static const char *const before_norm[] = {"0.bias", "1.running_mean", "4.bias", "5.running_mean", NULL};

/* Layers that do nothing give those behind them the numbers that they have in the reference's nn.Sequential. */
static void digits_cnn(void **state) {
    (void)state;
    lab l;
    open_lab(&l, "digits_cnn_bn_adamw");
    l.rounding = before_norm;
    bp_value x = bp_input(l.g, "x", BP_F64, bp_shape(4, 64, 1, 8, 8)), label = bp_input(l.g, "y", BP_I64, bp_shape(1, 64));
    bp_value h = layers(&l, NULL, "[{conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}, batch_norm, relu]", x);
    bp_amax_options pool = bp_amax_defaults();
    pool.axes = bp_shape(2, 3, 5);
    h = bp_amax(bp_reshape(h, bp_shape(6, 64, 8, 4, 2, 4, 2)), &pool);
    h = layers(&l, NULL,
               "[identity, identity, identity, identity, {conv2d: {out_channels: 16, kernel_size: 3, padding: 1}}, "
               "batch_norm, relu]",
               h);
    bp_mean_options all = bp_mean_defaults();
    all.axes = bp_shape(2, 2, 3);
    h = layers(&l, NULL,
               "[identity, identity, identity, identity, identity, identity, identity, identity, identity, {linear: 10}]",
               bp_mean(h, &all));
    rows r = read_rows(l.ctx, shared("tabular/sklearn/digits.csv.gz"), false, false, 64);
    follow_rows(&l, bp_cross_entropy(h, label, BP_NONE, NULL), "adamw lr=0.01 weight_decay=0.01", r, 64);
    close_lab(&l);
}

/* ---- A series: 12 months, and the one behind them ---- */

enum { MONTHS = 144, WINDOW = 12, WINDOWS = MONTHS - WINDOW, CELLS = 8 };

static void gates(bp_value *g, bp_value all, int64_t n) {
    for (int64_t i = 0; i < n; i++) g[i] = bp_slice(all, 1, i * CELLS, CELLS, NULL);
}
/* torch.nn.LSTM: gates i, f, g, o. captured: weight_ih, weight_hh, bias_ih, bias_hh. */
static void lstm(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *w, bp_value *next, bp_value *out,
                 void *user) {
    (void)body, (void)out, (void)user;
    bp_value g[4];
    gates(g, bp_add(bp_linear(x[0], w[0], w[2]), bp_linear(carry[0], w[1], w[3])), 4);
    next[1] = bp_add(bp_mul(bp_sigmoid(g[1]), carry[1]), bp_mul(bp_sigmoid(g[0]), bp_tanh(g[2])));
    next[0] = bp_mul(bp_sigmoid(g[3]), bp_tanh(next[1]));
}
/* torch.nn.GRU: gates r, z, n. */
static void gru(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *w, bp_value *next, bp_value *out,
                void *user) {
    (void)body, (void)out, (void)user;
    bp_value a[3], b[3];
    gates(a, bp_linear(x[0], w[0], w[2]), 3);
    gates(b, bp_linear(carry[0], w[1], w[3]), 3);
    bp_value r = bp_sigmoid(bp_add(a[0], b[0])), z = bp_sigmoid(bp_add(a[1], b[1]));
    bp_value n = bp_tanh(bp_add(a[2], bp_mul(r, b[2])));
    next[0] = bp_add(n, bp_mul(z, bp_sub(carry[0], n)));
}

static void airline(const char *name, int n_gates, int n_carry,
                    void (*body)(bp_graph *, const bp_value *, const bp_value *, const bp_value *, bp_value *, bp_value *,
                                 void *)) {
    lab l;
    open_lab(&l, name);
    bp__source *s = NULL;
    OK(l.ctx, bp__source_open(&s, l.ctx, shared("series/airline-passengers.csv"), &(bp__read_options){0}));
    double v[MONTHS], x[WINDOWS][WINDOW];
    assert_int_equal(s->table->n_rows, MONTHS);
    for (int i = 0; i < MONTHS; i++) {
        assert_true(bp__cell_number(&s->table->columns[1], s->table->columns[1].cells[i], &v[i]));
        v[i] = (v[i] - 104) / 518;
    }
    bp__source_free(s);
    for (int i = 0; i < WINDOWS; i++) memcpy(x[i], v + i, sizeof x[i]);
    bp_value series = bp_input(l.g, "x", BP_F64, bp_shape(3, WINDOWS, WINDOW, 1));
    bp_value target = bp_input(l.g, "y", BP_F64, bp_shape(2, WINDOWS, 1));
    bp_value w[] = {parameter(&l, "rnn.weight_ih_l0", bp_shape(2, n_gates * CELLS, 1)),
                    parameter(&l, "rnn.weight_hh_l0", bp_shape(2, n_gates * CELLS, CELLS)),
                    parameter(&l, "rnn.bias_ih_l0", bp_shape(1, n_gates * CELLS)),
                    parameter(&l, "rnn.bias_hh_l0", bp_shape(1, n_gates * CELLS))};
    bp_value zero = bp_fill(bp_number(l.g, BP_F64, 0), bp_shape(2, WINDOWS, CELLS)), start[] = {zero, zero}, last[2];
    bp_scan(last, NULL,
            &(bp_scan_spec){.size = sizeof(bp_scan_spec),
                            .inits = start,
                            .n_carry = n_carry,
                            .xs = &series,
                            .n_x = 1,
                            .captured = w,
                            .n_captured = 4,
                            .axis = 1,
                            .lengths = BP_NONE,
                            .body = body});
    bp_value y = bp_linear(last[0], parameter(&l, "fc.weight", bp_shape(2, 1, CELLS)), parameter(&l, "fc.bias", bp_shape(1, 1)));
    follow(&l, bp_mse(y, target, NULL), "adam lr=0.01", x, sizeof x[0], v + WINDOW, sizeof v[0]);
    close_lab(&l);
}
static void airline_lstm(void **state) {
    (void)state;
    airline("airline_lstm_adam", 4, 2, lstm);
}
static void airline_gru(void **state) {
    (void)state;
    airline("airline_gru_adam", 3, 1, gru);
}

/* ---- Text: two blocks of a transformer, norms first ---- */

enum {
    TEXT = 20000,
    SEEN = 19000,
    SPAN = 16,
    SYMBOLS = 65,
    WIDE = 16,
    HEADS = 2,
    AT_ONCE = 32,
    SPANS = (SEEN + SPAN - 1) / SPAN
};

static bp_value heads(bp_value x, int64_t part) {
    bp_value h = bp_reshape(bp_slice(x, 2, part * WIDE, WIDE, NULL), bp_shape(4, AT_ONCE, SPAN, HEADS, WIDE / HEADS));
    return bp_permute(h, bp_shape(4, 0, 2, 1, 3));
}
static bp_value block(lab *l, int number, bp_value x, bp_value mask) {
    char prefix[20], name[4][60];
    static const char *const of_attention[] = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"};
    snprintf(prefix, sizeof prefix, "b.%d.", number);
    for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%sself_attn.%s", prefix, of_attention[i]);
    bp_value h = layers(l, prefix, "[{layer_norm: 16, name: norm1}]", x);
    bp_value w = parameter(l, name[0], bp_shape(2, 3 * WIDE, WIDE)), b = parameter(l, name[1], bp_shape(1, 3 * WIDE));
    h = bp_linear(h, w, b);
    bp_value scores = bp_matmul(heads(h, 0), bp_transpose(heads(h, 1), 2, 3));
    scores = bp_masked_fill(bp_div(scores, bp_number(l->g, BP_F64, sqrt((double)WIDE / HEADS))), mask, -HUGE_VAL);
    h = bp_permute(bp_matmul(bp_softmax(scores, -1), heads(h, 2)), bp_shape(4, 0, 2, 1, 3));
    w = parameter(l, name[2], bp_shape(2, WIDE, WIDE));
    x = bp_add(x, bp_linear(bp_reshape(h, bp_shape(3, AT_ONCE, SPAN, WIDE)), w, parameter(l, name[3], bp_shape(1, WIDE))));
    return bp_add(x, layers(l, prefix,
                            "[{layer_norm: 16, name: norm2}, {linear: {out_features: 32, flatten: false}, name: linear1}, gelu, "
                            "{linear: {out_features: 16, flatten: false}, name: linear2}]",
                            x));
}

static void shakespeare(void **state) {
    (void)state;
    lab l;
    open_lab(&l, "shakespeare_gpt_adamw");
    char *text = NULL;
    size_t size;
    OK(l.ctx, bp__file_read_all(l.ctx, shared("text/tinyshakespeare.txt"), 0, &text, &size));
    assert_true(size > TEXT);
    int64_t code[256], known = 0;
    static int64_t x[SPANS][SPAN], y[SPANS][SPAN];
    for (int c = 0; c < 256; c++) code[c] = memchr(text, c, size) ? known++ : -1;
    assert_int_equal(known, SYMBOLS);
    for (int i = 0; i < SPANS; i++)
        for (int k = 0; k < SPAN; k++) {
            x[i][k] = code[(unsigned char)text[i * SPAN + k]];
            y[i][k] = code[(unsigned char)text[i * SPAN + k + 1]];
        }
    bp__free(l.ctx, text);
    unsigned char later[SPAN * SPAN];
    for (int i = 0; i < SPAN * SPAN; i++) later[i] = i % SPAN > i / SPAN;
    bp_value in = bp_input(l.g, "x", BP_I64, bp_shape(2, AT_ONCE, SPAN)),
             label = bp_input(l.g, "y", BP_I64, bp_shape(2, AT_ONCE, SPAN)),
             mask = bp_constant(l.g, BP_U8, bp_shape(2, SPAN, SPAN), later);
    bp_value h = bp_embedding(parameter(&l, "te.weight", bp_shape(2, SYMBOLS, WIDE)), in, NULL);
    h = bp_add(h, parameter(&l, "pe.weight", bp_shape(2, SPAN, WIDE)));
    for (int i = 0; i < 2; i++) h = block(&l, i, h, mask);
    h = layers(&l, "", "[{layer_norm: 16, name: ln}, {linear: {out_features: 65, flatten: false}, name: h}]", h);
    bp_value loss = bp_cross_entropy(bp_reshape(h, bp_shape(2, AT_ONCE * SPAN, SYMBOLS)),
                                     bp_reshape(label, bp_shape(1, AT_ONCE * SPAN)), BP_NONE, NULL);
    follow(&l, loss, "adamw lr=0.003 weight_decay=0.01", x, sizeof x[0], y, sizeof y[0]);
    close_lab(&l);
}

/* ---- The training loop, by configurations: tests/golden/make_trainings.py ---- */

static char folder[] = "/tmp/bp-trainings-XXXXXX", table[60], start[60];

/* The rows as a table, the first weights as a file of PyTorch's. */
static void write_files(const bp__st_file *f) {
    int64_t n, k;
    double *x = numbers(f, "x", &n), *label = numbers(f, "label", &k);
    snprintf(table, sizeof table, "%s/rows.csv", folder);
    snprintf(start, sizeof start, "%s/start.safetensors", folder);
    FILE *to = fopen(table, "wb");
    assert_non_null(to);
    fprintf(to, "a,b,c,d,y\n");
    for (int64_t i = 0; i < k; i++)
        fprintf(to, "%.17g,%.17g,%.17g,%.17g,%d\n", x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3], (int)label[i]);
    assert_int_equal(fclose(to), 0);
    bp__st_tensor init[4];
    int m = 0;
    for (int64_t i = 0; i < f->n_tensors; i++) {
        if (strncmp(f->tensors[i].name, "init.", 5) != 0) continue;
        init[m] = f->tensors[i];
        init[m++].name += 5;
    }
    assert_int_equal(m, 4);
    OK(f->ctx, bp__safetensors_write(f->ctx, start, init, m, NULL, 0));
    bp__free(f->ctx, x);
    bp__free(f->ctx, label);
}

static void one_training(const bp__st_file *f, const char *name, const char *sections) {
    bp_context *ctx = f->ctx;
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    char text[900], prefix[100];
    snprintf(text, sizeof text, "{model: [{linear: 6}, tanh, {linear: 3}], data: {path: '%s', target: y, normalize: none}, %s}",
             table, sections);
    OK(ctx, bp_config_parse(&cfg, ctx, text));
    static const char *const always[] = {"data.split={validation: 0, test: 0}",
                                         "train.epochs=8",
                                         "train.batch_size=12",
                                         "train.shuffle=false",
                                         "train.dtype=float64",
                                         "train.outlier_z=null",
                                         "task=classification",
                                         "train.on_divergence=stop"};
    for (int i = 0; i < BP__COUNT(always); i++) OK(ctx, bp_config_assign(cfg, always[i]));
    OK(ctx, bp_config_set_run(cfg, &(bp_run_options){.size = sizeof(bp_run_options), .from = start}));
    if (bp_train(&run, cfg, NULL) != BP_OK) fail_msg("%s: %s", name, bp_context_error(ctx));
    double loss[8];
    assert_int_equal(run->n_epochs, 8);
    for (int i = 0; i < 8; i++) loss[i] = run->epochs[i].train.loss;
    snprintf(prefix, sizeof prefix, "%s/", name);
    near_all(f, prefix, "loss", loss);
    static const char *const weights[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
    for (int i = 0; i < 4; i++) state_near(f, prefix, run->model->net->state, weights[i]);
    assert_int_equal(run->by_average, strstr(sections, "average:") != NULL);
    bp_run_free(run);
    bp_config_free(cfg);
}

static void loop(void **state) {
    (void)state;
    bp_context *ctx;
    bp__st_file *f;
    OK(NULL, bp_context_new(&ctx, NULL));
    OK(ctx, bp__safetensors_open(ctx, "tests/golden/trainings.safetensors", &f));
    assert_non_null(mkdtemp(folder));
    write_files(f);
    int n = 0;
    for (int64_t i = 0; i < f->n_meta; i++, n++) one_training(f, f->meta[i].key, f->meta[i].value);
    assert_int_equal(n, 13);
    unlink(table);
    unlink(start);
    assert_int_equal(rmdir(folder), 0);
    bp__safetensors_close(f);
    bp_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(iris),        cmocka_unit_test(digits),
                                       cmocka_unit_test(digits_cnn),  cmocka_unit_test(airline_lstm),
                                       cmocka_unit_test(airline_gru), cmocka_unit_test(shakespeare),
                                       cmocka_unit_test(loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
