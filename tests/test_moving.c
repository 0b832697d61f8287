/* Numbers that move during a training, and what stands beside the weights: momentum, weight decay and dropout given per step
   equal the same numbers in the configuration; averages, penalties and clipping equal their formulas, worked out here; a norm is
   an outlier when the window says so. Double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "train/loop.h"

enum { ROWS = 6, IN = 3, OUT = 2, STEPS = 4, WEIGHTS = IN * OUT };
static const double X[ROWS * IN] = {0.5, -1.25, 0.3, -2, 0.75, 1, 1.5, 1, -0.4, 0.25, 0.3, 2, -0.6, -1.7, 0.1, 3, -0.4, 0.9};
static const int64_t LABEL[ROWS] = {1, 0, 1, 1, 0, 1};

typedef struct lab {
    bp_context *ctx;
    bp_config *cfg;
    bp__prep prep;
    bp__net *net;
} lab;

/* A net for `text`: its optimizer, regularize; what moves as `spec` says. */
static void open_lab(lab *l, const char *text, bp__net_spec spec) {
    *l = (lab){.ctx = NULL};
    assert_int_equal(bp_context_new(&l->ctx, NULL), BP_OK);
    if (bp_config_parse(&l->cfg, l->ctx, text) != BP_OK) fail_msg("%s", bp_context_error(l->ctx));
    l->prep = (bp__prep){.ctx = l->ctx, .rank = 1, .shape = {IN}, .sample_size = IN, .input_dtype = BP_F64, .byte_scale = 1};
    l->prep.task = BP__CLASSIFICATION;
    l->prep.n_targets = 1;
    l->prep.n_classes = OUT;
    spec.model = bp__tree_get(l->cfg->tree, "model");
    spec.optimizer = bp__tree_get(l->cfg->tree, "optimizer");
    spec.regularize = bp__tree_get(l->cfg->tree, "regularize");
    spec.prep = &l->prep;
    spec.dtype = BP_F64;
    spec.loss = (bp__loss){.kind = BP__LOSS_CROSS_ENTROPY};
    spec.training = true;
    if (bp__net_new(&l->net, l->ctx, &spec) != BP_OK) fail_msg("%s: %s", text, bp_context_error(l->ctx));
    assert_int_equal(bp__net_start_average(l->net), BP_OK);
}
static void close_lab(lab *l) {
    bp__net_free(l->net);
    bp_config_free(l->cfg);
    bp_context_free(l->ctx);
}

/* One step in shards of `rows` rows; `now` has the numbers that move. */
static void step(lab *l, int64_t number, int64_t rows, bp__numbers now) {
    now.lr = 0.2;
    now.rows = now.normalizer = ROWS;
    bp__net_begin(l->net, number, &now);
    for (int64_t at = 0; at < ROWS; at += rows) {
        bp__batch b = {.n = rows, .x = X + at * IN, .label = LABEL + at};
        const void *y;
        assert_int_equal(bp__net_shard(l->net, &b, at, &y), BP_OK);
    }
    bp__step out;
    assert_int_equal(bp__net_end(l->net, &out), BP_OK);
    assert_true(out.committed);
}
static void weights(const lab *l, const char *name, double w[WEIGHTS]) {
    assert_int_equal(bp_state_get(l->net->state, name, w, WEIGHTS * sizeof *w), BP_OK);
}
static void near(const double *got, const double *want, double tolerance, const char *what) {
    for (int i = 0; i < WEIGHTS; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * (1 + fabs(want[i])))) fail_msg("%s: %.17g, not %.17g", what, got[i], want[i]);
}

#define PLAIN "model: [linear], optimizer: "

/* A number fed per step gives the bits of the same number in the configuration. */
static void moved_equals_configured(void **state) {
    (void)state;
    static const struct {
        const char *moved, *configured;
        bp__net_spec spec;
        bp__numbers numbers;
    } rows[] = {
        {"{" PLAIN "{sgd: {momentum: 0.9}}}", "{" PLAIN "{sgd: {momentum: 0.5}}}", {.moves_momentum = true}, {.momentum = 0.5}},
        {"{" PLAIN "{sgd: {momentum: 0.9, nesterov: true}}}",
         "{" PLAIN "{sgd: {momentum: 0.5, nesterov: true}}}",
         {.moves_momentum = true},
         {.momentum = 0.5}},
        {"{" PLAIN "{rmsprop: {momentum: 0.1}}}",
         "{" PLAIN "{rmsprop: {momentum: 0.6}}}",
         {.moves_momentum = true},
         {.momentum = 0.6}},
        {"{" PLAIN "adam}", "{" PLAIN "{adam: {betas: [0.75, 0.999]}}}", {.moves_momentum = true}, {.momentum = 0.75}},
        {"{" PLAIN "{sgd: {weight_decay: 0.3}}}",
         "{" PLAIN "{sgd: {weight_decay: 0.05}}}",
         {.moves_decay = true},
         {.weight_decay = 0.05}},
        {"{" PLAIN "{adamw: {weight_decay: 0.3}}}",
         "{" PLAIN "{adamw: {weight_decay: 0.05}}}",
         {.moves_decay = true},
         {.weight_decay = 0.05}},
        {"{" PLAIN "{lion: {weight_decay: 0.3}}}",
         "{" PLAIN "{lion: {weight_decay: 0.05}}}",
         {.moves_decay = true},
         {.weight_decay = 0.05}},
        {"{model: [{dropout: 0.5}, linear], optimizer: sgd}",
         "{model: [{dropout: 0.25}, linear], optimizer: sgd}",
         {.moves_dropout = true},
         {.dropout = 0.5}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lab a, b;
        open_lab(&a, rows[i].moved, rows[i].spec);
        open_lab(&b, rows[i].configured, (bp__net_spec){.accumulate = 1});
        const char *name = rows[i].spec.moves_dropout ? "1.weight" : "0.weight";
        double start[WEIGHTS], got[WEIGHTS], want[WEIGHTS];
        weights(&a, name, start);
        for (int s = 0; s < STEPS; s++) {
            bp__numbers now = a.net->standard;
            if (rows[i].spec.moves_momentum) now.momentum = rows[i].numbers.momentum;
            if (rows[i].spec.moves_decay) now.weight_decay = rows[i].numbers.weight_decay;
            if (rows[i].spec.moves_dropout) now.dropout = rows[i].numbers.dropout;
            step(&a, s, ROWS, now);
            step(&b, s, ROWS, b.net->standard);
        }
        weights(&a, name, got);
        weights(&b, name, want);
        near(got, want, 1e-15, rows[i].moved);
        assert_true(memcmp(got, start, sizeof got) != 0);
        close_lab(&a);
        close_lab(&b);
    }
}

/* An optimiser without such a number refuses, instead of leaving the schedule without effect. */
static void nothing_to_move(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        bp__net_spec spec;
    } rows[] = {{"{" PLAIN "lion}", "has no momentum", {.moves_momentum = true}},
                {"{" PLAIN "adabelief}", "has no weight_decay", {.moves_decay = true}}};
    for (int i = 0; i < 2; i++) {
        lab l = {.ctx = NULL};
        assert_int_equal(bp_context_new(&l.ctx, NULL), BP_OK);
        assert_int_equal(bp_config_parse(&l.cfg, l.ctx, rows[i].text), BP_OK);
        l.prep = (bp__prep){.ctx = l.ctx, .rank = 1, .shape = {IN}, .sample_size = IN, .input_dtype = BP_F64, .byte_scale = 1};
        l.prep.task = BP__CLASSIFICATION;
        l.prep.n_targets = 1;
        l.prep.n_classes = OUT;
        bp__net_spec spec = rows[i].spec;
        spec.model = bp__tree_get(l.cfg->tree, "model");
        spec.optimizer = bp__tree_get(l.cfg->tree, "optimizer");
        spec.prep = &l.prep;
        spec.training = true;
        assert_int_equal(bp__net_new(&l.net, l.ctx, &spec), BP_CONFIG);
        assert_non_null(strstr(bp_context_error(l.ctx), rows[i].part));
        close_lab(&l);
    }
}

/* average += w (weights - average), after every step; swapping it in and out keeps the trained state bit for bit. */
static void averages(void **state) {
    (void)state;
    lab l;
    open_lab(&l, "{" PLAIN "{sgd: {momentum: 0.9}}}", (bp__net_spec){.averages = true});
    static unsigned char before[8192];
    assert_true(l.net->state->bytes <= sizeof before);
    const double w[STEPS] = {1, 0.25, 0, 0.5};
    double want[WEIGHTS], now[WEIGHTS], got[WEIGHTS];
    weights(&l, "0.weight", want);
    for (int s = 0; s < STEPS; s++) {
        bp__numbers numbers = l.net->standard;
        numbers.average = w[s];
        step(&l, s, ROWS, numbers);
        weights(&l, "0.weight", now);
        for (int i = 0; i < WEIGHTS; i++) want[i] += w[s] * (now[i] - want[i]);
        weights(&l, "average/0.weight", got);
        near(got, want, 1e-15, "average");
    }
    memcpy(before, l.net->state->block, l.net->state->bytes);
    assert_int_equal(bp__net_use_average(l.net), BP_OK);
    weights(&l, "0.weight", got);
    near(got, want, 1e-15, "the average in place of the weights");
    bp__net_use_trained(l.net);
    assert_memory_equal(before, l.net->state->block, l.net->state->bytes);
    close_lab(&l);
}

static void average_weights(void **state) {
    (void)state;
    bp_context *ctx;
    bp_config *cfg;
    bp__average a;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    assert_int_equal(
        bp_config_parse(&cfg, ctx, "{a: {ema: {decay: 0.75, start: 2}}, b: {swa: {start: 0.5, every: 3}}, c: {ema: 1}}"), BP_OK);
    assert_int_equal(bp__average_read(&a, ctx, NULL, bp__tree_get(cfg->tree, "a")), BP_OK);
    assert_true(bp__average_weight(&a, 0) == 1 && bp__average_weight(&a, 1) == 1 && bp__average_weight(&a, 2) == 0.25);
    assert_int_equal(bp__average_read(&a, ctx, NULL, bp__tree_get(cfg->tree, "b")), BP_OK);
    bp__average_set_length(&a, 12, 4); /* averaged after steps 8 and 11; the last step is the last one averaged */
    const double want[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0.5};
    for (int s = 0; s < 12; s++) assert_true(bp__average_weight(&a, s) == want[s]);
    assert_int_equal(bp__average_read(&a, ctx, NULL, bp__tree_get(cfg->tree, "c")), BP_CONFIG);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

/* l2 is weight decay of twice the size for sgd, in one shard or three; max_norm bounds the rows. */
static void penalties(void **state) {
    (void)state;
    double want[WEIGHTS], got[WEIGHTS];
    lab a;
    open_lab(&a, "{" PLAIN "{sgd: {groups: [{match: '*.weight', weight_decay: 0.2}]}}}", (bp__net_spec){.accumulate = 1});
    for (int s = 0; s < STEPS; s++) step(&a, s, ROWS, a.net->standard);
    weights(&a, "0.weight", want);
    close_lab(&a);
    for (int shards = 1; shards <= 3; shards += 2) {
        open_lab(&a, "{" PLAIN "sgd, regularize: [{match: '*.weight', l2: 0.1}]}", (bp__net_spec){.accumulate = shards});
        for (int s = 0; s < STEPS; s++) step(&a, s, ROWS / shards, a.net->standard);
        weights(&a, "0.weight", got);
        near(got, want, 1e-13, "l2 as weight decay");
        close_lab(&a);
    }
    open_lab(&a, "{" PLAIN "sgd, regularize: [{match: '*.weight', max_norm: 0.5}]}", (bp__net_spec){.accumulate = 1});
    step(&a, 0, ROWS, a.net->standard);
    weights(&a, "0.weight", got);
    for (int r = 0; r < OUT; r++) {
        double square = 0;
        for (int i = 0; i < IN; i++) square += got[r * IN + i] * got[r * IN + i];
        assert_true(sqrt(square) <= 0.5);
    }
    close_lab(&a);
}

/* Noise on the weights changes what is learnt, in another way for each shard, but no evaluation. */
static void noisy_weights(void **state) {
    (void)state;
    double plain[WEIGHTS], got[2][WEIGHTS], p[2][ROWS * OUT], rows[ROWS];
    bp__batch b = {.n = ROWS, .x = X, .label = LABEL};
    lab a;
    open_lab(&a, "{" PLAIN "sgd}", (bp__net_spec){.accumulate = 1});
    assert_int_equal(bp__net_eval(a.net, &b, p[0], rows), BP_OK);
    for (int s = 0; s < STEPS; s++) step(&a, s, ROWS, a.net->standard);
    weights(&a, "0.weight", plain);
    close_lab(&a);
    for (int shards = 1; shards <= 2; shards++) {
        open_lab(&a, "{" PLAIN "sgd, regularize: [{match: '*.weight', weight_noise: 0.2}]}",
                 (bp__net_spec){.accumulate = shards});
        assert_int_equal(bp__net_eval(a.net, &b, p[1], rows), BP_OK);
        assert_memory_equal(p[0], p[1], sizeof p[0]);
        for (int s = 0; s < STEPS; s++) step(&a, s, ROWS / shards, a.net->standard);
        weights(&a, "0.weight", got[shards - 1]);
        close_lab(&a);
        double off = 0;
        for (int i = 0; i < WEIGHTS; i++) off = fmax(off, fabs(got[shards - 1][i] - plain[i]));
        assert_true(off > 1e-3 && off < 0.5);
    }
    assert_true(memcmp(got[0], got[1], sizeof got[0]) != 0);
}

/* Clipped by its own norm, a parameter of sgd moves by lr · limit at most, and by just that where the gradient is longer. */
static void clipping(void **state) {
    (void)state;
    for (int per = BP__CLIP_LAYER; per <= BP__CLIP_PARAMETER; per++) {
        lab l;
        double before[WEIGHTS], after[WEIGHTS], bias[2][OUT], square = 0, all = 0;
        open_lab(&l, "{" PLAIN "sgd}", (bp__net_spec){.clip_norm = 1e-3, .clip_per = per});
        weights(&l, "0.weight", before);
        assert_int_equal(bp_state_get(l.net->state, "0.bias", bias[0], sizeof bias[0]), BP_OK);
        step(&l, 0, ROWS, l.net->standard);
        weights(&l, "0.weight", after);
        assert_int_equal(bp_state_get(l.net->state, "0.bias", bias[1], sizeof bias[1]), BP_OK);
        for (int i = 0; i < WEIGHTS; i++) square += (after[i] - before[i]) * (after[i] - before[i]);
        all = square;
        for (int i = 0; i < OUT; i++) all += (bias[1][i] - bias[0][i]) * (bias[1][i] - bias[0][i]);
        assert_true(fabs(sqrt(per == BP__CLIP_PARAMETER ? square : all) / 2e-4 - 1) < 1e-2);
        close_lab(&l);
    }
}

static void outliers(void **state) {
    (void)state;
    bp__health h;
    bp__health_start(&h);
    assert_true(bp__health_limit(&h, 8) == HUGE_VAL); /* nothing is known yet */
    for (int i = 0; i < 60; i++) h.window[h.n_window++ % BP__WINDOW] = log(3);
    assert_true(fabs(bp__health_limit(&h, 8) / (3 * exp(8 * 0.5)) - 1) < 1e-12); /* even norms: the least deviation */
    assert_true(bp__health_limit(&h, 0) == HUGE_VAL);
    for (int i = 0; i < 400; i++) h.window[h.n_window++ % BP__WINDOW] = i % 2 ? 2 : -2; /* the ring forgets the first ones */
    assert_true(fabs(bp__health_limit(&h, 8) / exp(16) - 1) < 1e-12);
    h.first_loss = 2;
    assert_true(bp__health_far(&h, 300) && !bp__health_far(&h, 150) && bp__health_far(&h, -300));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moved_equals_configured),
        cmocka_unit_test(nothing_to_move),
        cmocka_unit_test(averages),
        cmocka_unit_test(average_weights),
        cmocka_unit_test(penalties),
        cmocka_unit_test(noisy_weights),
        cmocka_unit_test(clipping),
        cmocka_unit_test(outliers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
