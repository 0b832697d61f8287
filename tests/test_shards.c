/* Steps made of several shards (train.accumulate): the sum's tree, equality with one big batch, the same bits for any number of
   threads, and a step that is skipped as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "train/train.h"

static bp_context *context(int threads, int no_passes) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = threads, .no_passes = no_passes};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

static bp_run *train(bp_context *ctx, const char *text) {
    bp_config *cfg = NULL;
    bp_run *run = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, text), BP_OK);
    bp_status status = bp_train(&run, cfg, NULL);
    if (status != BP_OK) print_error("%s\n", bp_context_error(ctx));
    assert_int_equal(status, BP_OK);
    bp_config_free(cfg);
    return run;
}

/* The largest difference between the parameters of two runs, relative to 1 + |value|. */
static double distance(const bp_run *a, const bp_run *b) {
    bp__net *p = a->model->net, *q = b->model->net;
    double worst = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(p->nn); i++) {
        const char *name = bp__nn_parameter_at(p->nn, i)->name;
        bp_dims d;
        static double x[20000], y[20000];
        assert_int_equal(bp_state_describe(p->state, name, NULL, &d), BP_OK);
        size_t n = 1;
        for (int64_t k = 0; k < d.n; k++) n *= (size_t)d.dim[k];
        assert_true(n <= sizeof x / sizeof x[0]);
        assert_int_equal(bp_state_get(p->state, name, x, n * sizeof x[0]), BP_OK);
        assert_int_equal(bp_state_get(q->state, name, y, n * sizeof y[0]), BP_OK);
        for (size_t k = 0; k < n; k++) {
            double e = fabs(x[k] - y[k]) / (1 + fabs(y[k]));
            worst = e > worst || e != e ? e : worst;
        }
    }
    return worst;
}

/* ((0 + 1) + (2 + 3)) + 4: a float sum that another order would round otherwise. */
static void test_tree(void **state) {
    (void)state;
    bp_context *ctx = context(1, 0);
    bp__shards *s = NULL;
    const int64_t sizes[] = {1, 2};
    assert_int_equal(bp__shards_new(&s, ctx, BP_F32, sizes, 2), BP_OK);
    const float v[] = {1e8f, 3.0f, -1e8f, 5.0f, 0.25f};
    for (int again = 0; again < 2; again++)
        for (int n = 1; n <= 5; n++) {
            bp__shards_begin(s);
            for (int i = 0; i < n; i++) {
                const float one[] = {v[i]}, two[] = {v[i], (float)i};
                const void *tensors[] = {one, two};
                assert_int_equal(bp__shards_add(s, tensors, i + 1), BP_OK);
            }
            const void *sum[2];
            double loss;
            bp__shards_end(s, sum, &loss);
            volatile float a = v[0] + v[1], b = v[2] + v[3], ab = a + b, want;
            want = n == 1 ? v[0] : n == 2 ? a : n == 3 ? a + v[2] : n == 4 ? ab : ab + v[4];
            assert_memory_equal(sum[0], (const float *)&want, sizeof(float));
            assert_true(((const float *)sum[1])[1] == (float)(n * (n - 1) / 2));
            assert_true(loss == n * (n + 1) / 2.0);
        }
    bp__shards_free(s);
    bp_context_free(ctx);
}

#define DIGITS(optimizer, batch, accumulate, more)                                                      \
    "{data: {path: 'builtin:digits'}, model: [{linear: 24}, tanh, {linear: 10}], optimizer: " optimizer \
    ", train: {epochs: 2, dtype: float64, batch_size: " #batch ", accumulate: " #accumulate more "}}"

/* Against one big batch: 1e-12 of 1 + |weight| after 80 steps in double, uneven last steps and shards included. */
static void test_equals_big_batch(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {DIGITS("{sgd: {lr: 0.1, momentum: 0.9}}", 32, 1, ""), DIGITS("{sgd: {lr: 0.1, momentum: 0.9}}", 8, 4, "")},
        {DIGITS("{sgd: {lr: 0.1}}", 33, 1, ", clip_norm: 0.1"), DIGITS("{sgd: {lr: 0.1}}", 11, 3, ", clip_norm: 0.1")},
        {DIGITS("{sgd: {lr: 0.1}}", 35, 1, ", class_weight: {'3': 4.0}"),
         DIGITS("{sgd: {lr: 0.1}}", 7, 5, ", class_weight: {'3': 4.0}")},
        {DIGITS("{sgd: {lr: 0.1}}", full, 1, ""), DIGITS("{sgd: {lr: 0.1}}", 100, 13, "")},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        bp_context *ctx = context(1, 0);
        bp_run *big = train(ctx, pairs[i][0]), *small = train(ctx, pairs[i][1]);
        assert_true(big->steps == small->steps);
        double loss[2];
        assert_int_equal(bp_run_number(big, "train.loss", &loss[0]), BP_OK);
        assert_int_equal(bp_run_number(small, "train.loss", &loss[1]), BP_OK);
        double d = distance(big, small);
        if (!(d <= 1e-12)) print_error("pair %zu: %g\n", i, d);
        assert_true(d <= 1e-12);
        assert_true(fabs(loss[0] - loss[1]) <= 1e-12);
        bp_run_free(small);
        bp_run_free(big);
        bp_context_free(ctx);
    }
}

#define RANDOM                                                                                                                 \
    "{data: {path: 'builtin:digits'}, model: [{linear: 24}, batch_norm, relu, {dropout: 0.2}, {linear: 10}], train: {epochs: " \
    "1, "                                                                                                                      \
    "batch_size: %d, accumulate: %d}}"

/* Threads and passes do not matter; dropout draws by the row within the step, so cutting a step otherwise keeps the masks. */
static void test_same_bits(void **state) {
    (void)state;
    bp_context *ctx[4] = {context(1, 0), context(2, 0), context(3, 0), context(1, 1)};
    bp_run *run[4];
    char text[300];
    snprintf(text, sizeof text, RANDOM, 16, 3);
    for (int i = 0; i < 4; i++) run[i] = train(ctx[i], text);
    char sha[4][65];
    for (int i = 0; i < 4; i++) assert_int_equal(bp__model_sha256(run[i]->model, sha[i]), BP_OK);
    for (int i = 1; i < 4; i++) assert_string_equal(sha[0], sha[i]);
    for (int i = 0; i < 4; i++) {
        bp_run_free(run[i]);
        bp_context_free(ctx[i]);
    }
}

/* Masks: the same net without batch_norm, cut in two ways. */
static void test_masks_belong_to_rows(void **state) {
    (void)state;
    bp_context *ctx = context(1, 0);
    char text[2][300];
    for (int i = 0; i < 2; i++)
        snprintf(
            text[i], sizeof text[i],
            "{data: {path: 'builtin:digits'}, model: [{linear: 24}, relu, {dropout: 0.5}, {linear: 10}], optimizer: {sgd: {lr: "
            "0.1}}, train: {epochs: 1, dtype: float64, batch_size: %d, accumulate: %d}}",
            i ? 10 : 40, i ? 4 : 1);
    bp_run *a = train(ctx, text[0]), *b = train(ctx, text[1]);
    assert_true(distance(a, b) <= 1e-12);
    bp_run_free(a);
    bp_run_free(b);
    bp_context_free(ctx);
}

/* One shard with a number that is not finite: the whole step is skipped, running statistics too. */
static void test_all_or_nothing(void **state) {
    (void)state;
    bp_context *ctx = context(1, 0);
    bp_config *cfg = NULL;
    assert_int_equal(bp_config_parse(&cfg, ctx, "{model: [{linear: 4}, batch_norm, {linear: 3}], optimizer: {adam: {lr: 0.1}}}"),
                     BP_OK);
    bp__prep prep = {.ctx = ctx, .rank = 1, .shape = {5}, .sample_size = 5, .input_dtype = BP_F32, .byte_scale = 1};
    prep.task = BP__CLASSIFICATION;
    prep.n_targets = 1;
    prep.n_classes = 3;
    bp__net_spec spec = {.model = bp__tree_get(cfg->tree, "model"),
                         .optimizer = bp__tree_get(cfg->tree, "optimizer"),
                         .prep = &prep,
                         .dtype = BP_F32,
                         .loss = {.kind = BP__LOSS_CROSS_ENTROPY},
                         .clip_norm = -1,
                         .clip_value = -1,
                         .accumulate = 2,
                         .training = true};
    bp__net *net = NULL;
    assert_int_equal(bp__net_new(&net, ctx, &spec), BP_OK);
    static unsigned char before[4096];
    assert_true(net->state->bytes <= sizeof before);
    float x[20];
    int64_t label[4] = {0, 1, 2, 1};
    for (int i = 0; i < 20; i++) x[i] = (float)(i * i % 7);
    for (int bad = 1; bad >= 0; bad--) {
        memcpy(before, net->state->block, net->state->bytes);
        if (bad) x[19] = (float)NAN;
        if (!bad) x[19] = 1;
        bp__numbers numbers = net->standard;
        numbers.lr = 0.1;
        numbers.rows = numbers.normalizer = 4;
        bp__net_begin(net, 0, &numbers);
        const void *y;
        for (int s = 0; s < 2; s++) {
            bp__batch b = {.n = 2, .x = x + 10 * s, .label = label + 2 * s};
            assert_int_equal(bp__net_shard(net, &b, 2 * s, &y), BP_OK);
        }
        bp__step step;
        assert_int_equal(bp__net_end(net, &step), BP_OK);
        assert_int_equal(step.committed, !bad);
        assert_int_equal(memcmp(before, net->state->block, net->state->bytes) == 0, bad);
    }
    bp__net_free(net);
    bp_config_free(cfg);
    bp_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),           cmocka_unit_test(test_equals_big_batch),
        cmocka_unit_test(test_same_bits),      cmocka_unit_test(test_masks_belong_to_rows),
        cmocka_unit_test(test_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
