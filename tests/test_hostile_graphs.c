/* Graphs built wrongly on purpose: sizes that overflow, are negative or too many, missing names, data and options, values of
   another graph or of none. Each has a status and a sentence, and nothing is read that is not there (the sanitizers watch). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op/op.h"

typedef struct bench {
    bp_context *ctx;
    bp_graph *g;
    bp_value x, n; /* f32 [2, 3]; i64 [4] */
} bench;

static bench start(void) {
    bench b;
    assert_int_equal(bp_context_new(&b.ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}), BP_OK);
    assert_int_equal(bp_graph_new(&b.g, b.ctx), BP_OK);
    b.x = bp_input(b.g, "x", BP_F32, bp_shape(2, 2, 3));
    b.n = bp_input(b.g, "n", BP_I64, bp_shape(1, 4));
    return b;
}

static void stop(bench *b) {
    bp_graph_free(b->g);
    bp_context_free(b->ctx);
}

/* Fails with this status and these words in its sentence. */
static void expect(bench *b, const char *call, bp_value y, bp_status status, const char *words) {
    const char *sentence = bp_context_error(b->ctx);
    if (!bp_is_bad(y) || bp_graph_status(b->g) != status || !strstr(sentence, words))
        fail_msg("%s: %s \"%s\", not \"%s\"", call, bp_status_name(bp_graph_status(b->g)), sentence, words);
    bp_value more = bp_exp(y); /* what follows is bad too, and the first sentence stays */
    assert_true(bp_is_bad(more));
    assert_ptr_equal(bp_context_error(b->ctx), sentence);
    bp_program *p;
    assert_int_equal(bp_program_new(&p, b->g, &b->x, 1, NULL), status);
    assert_null(p);
    stop(b);
}
#define EXPECT(status, words, call)               \
    do {                                          \
        bench b = start();                        \
        expect(&b, #call, (call), status, words); \
    } while (0)

static const bp_init zeros = {.kind = BP_INIT_ZEROS};
static const int64_t most = INT64_MAX, half = (int64_t)1 << 32;
static const float one[1] = {1};

static void leaves(void **state) {
    (void)state;
    EXPECT(BP_INVALID, "input: it has no name", bp_input(b.g, NULL, BP_F32, bp_shape(0)));
    EXPECT(BP_INVALID, "is there already", bp_input(b.g, "x", BP_F32, bp_shape(0)));
    EXPECT(BP_TYPE, "99 is not a data type", bp_input(b.g, "y", (bp_dtype)99, bp_shape(0)));
    EXPECT(BP_SHAPE, "9 dimensions, at most 8", bp_input(b.g, "y", BP_F32, (bp_dims){.n = 9}));
    EXPECT(BP_SHAPE, "-1 dimensions, at most 8", bp_input(b.g, "y", BP_F32, (bp_dims){.n = -1}));
    EXPECT(BP_SHAPE, "dimensions, at most 8", bp_input(b.g, "y", BP_F32, (bp_dims){.n = most}));
    EXPECT(BP_SHAPE, "dimension 1 is not given", bp_input(b.g, "y", BP_F32, bp_shape(2, 1, -1)));
    EXPECT(BP_SHAPE, "dimension 0 is -1000", bp_input(b.g, "y", BP_F32, bp_shape(1, -1000)));
    EXPECT(BP_SHAPE, "sizes are 0 or more", bp_input(b.g, "y", BP_F32, bp_shape(1, INT64_MIN)));
    EXPECT(BP_INVALID, "variable: it has no name", bp_parameter(b.g, NULL, bp_shape(1, 3), zeros));
    EXPECT(BP_SHAPE, "dimensions, at most 8", bp_parameter(b.g, "w", (bp_dims){.n = 1000}, zeros));
    EXPECT(BP_SHAPE, "must be numbers", bp_parameter(b.g, "w", bp_shape(1, BP_BATCH), zeros));
    EXPECT(BP_SHAPE, "multiply to more", bp_parameter(b.g, "w", bp_shape(2, half, half), zeros));
    EXPECT(BP_SHAPE, "multiply to more", bp_variable(b.g, "w", BP_F64, bp_shape(1, most), zeros));
    EXPECT(BP_TYPE, "not a data type", bp_variable(b.g, "w", (bp_dtype)-1, bp_shape(0), zeros));
    EXPECT(BP_SHAPE, "multiply to more", bp_constant(b.g, BP_F32, bp_shape(3, half, half, 4), one));
    EXPECT(BP_SHAPE, "dimensions, at most 8", bp_constant(b.g, BP_F32, (bp_dims){.n = 100}, one));
    EXPECT(BP_SHAPE, "must be numbers", bp_constant(b.g, BP_F32, bp_shape(1, BP_TIME), one));
    EXPECT(BP_INVALID, "there are no data", bp_constant(b.g, BP_F32, bp_shape(1, 2), NULL));
    bench b = start();
    assert_false(bp_is_bad(bp_constant(b.g, BP_F32, bp_shape(2, 0, 3), NULL))); /* nothing needs no data */
    assert_int_equal(bp_symbol(b.g, NULL), -1);
    assert_int_equal(bp_graph_status(b.g), BP_INVALID);
    stop(&b);
}

static void sizes(void **state) {
    (void)state;
    EXPECT(BP_SHAPE, "", bp_reshape(b.x, bp_shape(2, half, half)));
    EXPECT(BP_SHAPE, "", bp_reshape(b.x, bp_shape(1, -100)));
    EXPECT(BP_SHAPE, "shape has 1000 numbers, at most 8", bp_reshape(b.x, (bp_dims){.n = 1000}));
    EXPECT(BP_SHAPE, "at most 8", bp_broadcast_to(b.x, (bp_dims){.n = most}));
    EXPECT(BP_SHAPE, "at most 8", bp_permute(b.x, (bp_dims){.n = most}));
    EXPECT(BP_SHAPE, "", bp_permute(b.x, (bp_dims){.n = -5}));
    EXPECT(BP_SHAPE, "at most 8", bp_flip(b.x, (bp_dims){.n = 9}));
    EXPECT(BP_SHAPE, "at most 8", bp_sum(b.x, &(bp_sum_options){sizeof(bp_sum_options), {.n = 50}, 0}));
    EXPECT(BP_SHAPE, "at most 8", bp_pad(b.x, (bp_dims){.n = 10}, NULL));
    EXPECT(BP_SHAPE, "", bp_pad(b.x, bp_shape(2, most, most), NULL));
    EXPECT(BP_SHAPE, "", bp_repeat(b.x, bp_shape(2, most, most)));
    EXPECT(BP_SHAPE, "", bp_tile(b.x, ((bp_dims){8, {half, half, half, half, half, half, half, half}})));
    EXPECT(BP_SHAPE, "", bp_slice(b.x, 0, most, most, NULL));
    EXPECT(BP_SHAPE, "", bp_slice(b.x, most, 0, 1, NULL));
    EXPECT(BP_SHAPE, "", bp_slice(b.x, INT64_MIN, 0, 1, NULL));
    EXPECT(BP_SHAPE, "", bp_softmax(b.x, -3));
    EXPECT(BP_SHAPE, "", bp_unsqueeze(b.x, 100));
    EXPECT(BP_SHAPE, "", bp_fill(b.x, bp_shape(2, -50, 3)));
    EXPECT(BP_SHAPE, "", bp_one_hot(b.n, -7, NULL));
    EXPECT(BP_TYPE, "", bp_cast(b.x, (bp_dtype)1000));
    EXPECT(BP_SHAPE, "", bp_matmul(b.x, b.x));
    EXPECT(BP_SHAPE, "multiply to more", bp_broadcast_to(bp_sum(b.x, NULL), bp_shape(2, half, half)));
    bench b = start(); /* nothing is nothing, whatever stands beside it */
    assert_false(bp_is_bad(bp_broadcast_to(bp_sum(b.x, NULL), bp_shape(3, most, most, 0))));
    stop(&b);
}

static void strangers(void **state) {
    (void)state;
    bench other = start();
    EXPECT(BP_INVALID, "belongs to another graph", bp_add(b.x, other.x));
    EXPECT(BP_INVALID, "missing", bp_add(b.x, BP_NONE));
    EXPECT(BP_INVALID, "no value that the graph made", bp_add(b.x, ((bp_value){b.g, 1000, 0})));
    EXPECT(BP_INVALID, "no value that the graph made", bp_exp((bp_value){b.g, 0, 7}));
    EXPECT(BP_INVALID, "no value that the graph made", bp_exp((bp_value){b.g, INT32_MAX, INT32_MIN}));
    EXPECT(BP_INVALID, "another graph", bp_gradient(bp_sum(b.x, NULL), other.x));
    assert_null(bp_exp(BP_NONE).graph); /* no graph that could hold a sentence */
    assert_null(bp_concat(NULL, 5, 0).graph);
    assert_null(bp_concat(&other.x, 0, 0).graph);
    assert_int_equal(bp_value_dims((bp_value){other.g, 1000, 0}).n, 0);
    bench b = start();
    bp_program *p;
    bp_value none = BP_NONE;
    assert_int_equal(bp_program_new(&p, b.g, &other.x, 1, NULL), BP_INVALID);
    assert_int_equal(bp_program_new(&p, b.g, &none, 1, NULL), BP_INVALID);
    assert_int_equal(bp_program_new(&p, b.g, &b.x, 1, &(bp_program_options){.size = 1}), BP_INVALID);
    assert_int_equal(bp_graph_status(b.g), BP_OK); /* the graph itself is whole */
    stop(&b);
    stop(&other);
}

/* Options: NULL are the defaults, size 0 too; a text that is NULL has a sentence. */
static void options(void **state) {
    (void)state;
    EXPECT(BP_INVALID, "reduction is NULL", bp_mse(b.x, b.x, &(bp_mse_options){sizeof(bp_mse_options), NULL}));
    EXPECT(BP_INVALID, "", bp_mse(b.x, b.x, &(bp_mse_options){sizeof(bp_mse_options), "\xFF\x01 none"}));
    EXPECT(BP_INVALID, "", bp_uniform(b.x, NULL));
    EXPECT(BP_INVALID, "", bp_uniform(b.x, ""));
    bench b = start();
    assert_false(bp_is_bad(bp_leaky_relu(b.x, NULL)));
    assert_false(bp_is_bad(bp_leaky_relu(b.x, &(bp_leaky_relu_options){.size = 0})));
    assert_false(bp_is_bad(bp_mse(b.x, b.x, NULL)));
    stop(&b);
}

/* Every operation of the table, every attribute, numbers from the ends of their type. */
static void every_attribute(void **state) {
    (void)state;
    static const int64_t whole[] = {INT64_MIN, INT64_MIN + 1,    -((int64_t)1 << 32), -100,          -3,       -2, -1, 0, 1,
                                    7,         (int64_t)1 << 31, (int64_t)1 << 62,    INT64_MAX - 1, INT64_MAX};
    static const double real[] = {-1e308, -1, 0, 1e-320, 0.5, 1e308};
    int good = 0, bad = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        for (int32_t k = 0; k < op->n_attrs; k++)
            for (int64_t v = 0; v < 4 * BP__COUNT(whole); v++) {
                const bp__sample *s = &op->samples[v % op->n_samples];
                int64_t attrs[64], number = whole[v % BP__COUNT(whole)]; /* aligned for any of them */
                assert_true(op->attrs_size <= sizeof attrs);
                memcpy(attrs, s->attrs ? s->attrs : op->attr_defaults, op->attrs_size);
                void *to = (char *)attrs + op->attrs[k].offset;
                bp_dims *list = to;
                switch (op->attrs[k].type) {
                case BP__ATTR_F64:
                    *(double *)to = v < 2 ? (double)NAN : v < 4 ? (double)INFINITY : real[v % BP__COUNT(real)];
                    break;
                case BP__ATTR_I64: *(int64_t *)to = number; break;
                case BP__ATTR_BOOL:
                case BP__ATTR_DTYPE: *(int32_t *)to = (int32_t)number; break;
                case BP__ATTR_TEXT: *(const char **)to = v % 2 ? "" : "\xF0\x9F\x98\x80%s%n"; break;
                default:
                    if (v < BP__COUNT(whole))
                        list->n = number > BP_MAX_DIMS ? BP_MAX_DIMS : number;
                    else
                        for (int64_t e = 0; e < list->n; e++) list->dim[e] = number;
                }
                bench b = start();
                bp_value in[6];
                char name[16];
                for (int32_t j = 0; j < s->n_in; j++) {
                    snprintf(name, sizeof name, "in%d", (int)j);
                    in[j] = s->in[j].low > s->in[j].high ? BP_NONE : bp_input(b.g, name, s->in[j].dtype, s->in[j].dims);
                }
                bp_value y = bp__graph_add(b.g, op, attrs, in, s->n_in);
                bp_status status = bp_graph_status(b.g);
                if (bp_is_bad(y) != (status != BP_OK) || status == BP_INTERNAL || (status != BP_OK && !*bp_context_error(b.ctx)))
                    fail_msg("%s, %s: %s \"%s\"", op->name, op->attrs[k].name, bp_status_name(status), bp_context_error(b.ctx));
                if (status == BP_OK)
                    good++;
                else
                    bad++;
                stop(&b);
            }
    }
    printf("%d graphs, %d faults\n", good, bad);
    assert_true(good > 1000 && bad > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves), cmocka_unit_test(sizes), cmocka_unit_test(strangers),
                                       cmocka_unit_test(options), cmocka_unit_test(every_attribute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
