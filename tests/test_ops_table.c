/* The table of operations: complete, without doubles, and the generated text is what the generator writes today. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "op/op.h"

static const char *program;

static void complain(int *wrong, const bp__op *op, const char *what) {
    printf("%s: %s\n", op->name, what);
    ++*wrong;
}

static void entries_are_complete(void **state) {
    (void)state;
    int wrong = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        assert_non_null(op);
        assert_non_null(op->name);
        assert_ptr_equal(bp__op_find(op->name), op);
        assert_ptr_equal(bp__op_id((enum bp__op_id)i), op);
        if (op->ew_op >= 0) {
            assert_ptr_equal(bp__op_ew(op->ew_op), op);
            assert_string_equal(op->name, bp__ew_name(op->ew_op));
        }
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        if (!op->family || !op->family[0]) complain(&wrong, op, "no family");
        if (!op->formula || !op->formula[0]) complain(&wrong, op, "no formula");
        if (!op->infer) complain(&wrong, op, "no shape rule");
        if (!op->forward && !op->view && !op->decompose) complain(&wrong, op, "nothing computes it");
        if (!op->gradient && !op->decompose && !(op->flags & BP__OP_NO_GRADIENT))
            complain(&wrong, op, "no gradient, and no word why");
        if (op->gradient && (op->flags & BP__OP_NO_GRADIENT)) complain(&wrong, op, "a gradient that is never used");
        if (op->n_samples < 1 || !op->samples) complain(&wrong, op, "no samples");
        for (int32_t s = 0; s < op->n_samples; s++)
            if (op->n_in >= 0 && op->samples[s].n_in != op->n_in) complain(&wrong, op, "a sample with another number of inputs");
    }
    assert_int_equal(wrong, 0);
    assert_null(bp__op_at(-1));
    assert_null(bp__op_at(bp__op_count()));
    assert_null(bp__op_find("no_such_operation"));
    assert_null(bp__op_ew(BP__EW_COUNT));
}

/* Every operation describes itself: formula, shapes, a gradient or the reason why there is none, an example. */
static void descriptions_are_complete(void **state) {
    (void)state;
    static const char *const parts[] = {"\nformula     ", "\ninputs ",   "\nattributes ",
                                        "\nshapes ",      "\ngradient ", "bp_value y = bp_"};
    bp_context *ctx;
    const char *name;
    char *text;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    for (int i = 0; (name = bp_operation(i, NULL, NULL, NULL)); i++) {
        if (bp_operation_describe(ctx, name, &text) != BP_OK) fail_msg("%s: %s", name, bp_context_error(ctx));
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            if (!strstr(text, parts[k])) fail_msg("%s lacks \"%s\":\n%s", name, parts[k] + 1, text);
        bp_free(ctx, text);
    }
    assert_int_equal(bp_operation_describe(ctx, "tanh", &text), BP_OK);
    assert_non_null(strstr(text, "d_a = mul(d_y, sub(1, mul(y, y)))\n"));
    bp_free(ctx, text);
    assert_int_equal(bp_operation_describe(ctx, "no_such_operation", &text), BP_NOT_FOUND);
    bp_context_free(ctx);
}

/* What people look for under another name is found, by the constructor too. */
static void other_names_are_found(void **state) {
    (void)state;
    bp_context *ctx;
    bp_graph *g;
    const char *name, *operation, *note;
    int n = 0;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    for (; (name = bp_operation_alias(n, &operation, &note)); n++) {
        assert_non_null(bp__op_find(operation));
        assert_ptr_equal(bp__op_find(name), note ? NULL : bp__op_find(operation));
    }
    assert_true(n >= 7);
    assert_null(bp_operation_alias(-1, NULL, NULL));
    bp_value x = bp_input(g, "x", BP_F64, bp_shape(1, 3)), y = bp_isnan(x), z = bp_uniform(x, "s");
    assert_ptr_equal(g->nodes[y.node].op, bp__op_id(BP__OP_ID_is_nan));
    assert_ptr_equal(g->nodes[z.node].op, bp__op_id(BP__OP_ID_random_uniform));
    z = bp_parse(g, "isfinite(x)", (const char *const[]){"x"}, &x, 1);
    assert_false(bp_is_bad(z));
    assert_ptr_equal(g->nodes[z.node].op, bp__op_id(BP__OP_ID_is_finite));
    bp_graph_free(g);
    bp_context_free(ctx);
}

static void names_are_unique(void **state) {
    (void)state;
    for (int i = 0; i < bp__op_count(); i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(bp__op_at(i)->name, bp__op_at(k)->name);
}

static size_t size_of(bp__attr_type type) {
    static const size_t sizes[] = {
        [BP__ATTR_F64] = sizeof(double),   [BP__ATTR_I64] = sizeof(int64_t),   [BP__ATTR_BOOL] = sizeof(int32_t),
        [BP__ATTR_DIMS] = sizeof(bp_dims), [BP__ATTR_DTYPE] = sizeof(int32_t), [BP__ATTR_TEXT] = sizeof(char *)};
    return sizes[type];
}

/* Gives attribute `a` of the struct another value. */
static void change(const bp__attr *a, void *attrs) {
    void *p = (char *)attrs + a->offset;
    switch (a->type) {
    case BP__ATTR_F64: *(double *)p = isnan(*(double *)p) ? 1 : *(double *)p + 0.5; break;
    case BP__ATTR_I64: *(int64_t *)p += 1; break;
    case BP__ATTR_BOOL: *(int32_t *)p = !*(int32_t *)p; break;
    case BP__ATTR_DTYPE: *(int32_t *)p += 1; break;
    case BP__ATTR_TEXT: *(const char **)p = "another text"; break;
    case BP__ATTR_DIMS: *(bp_dims *)p = (bp_dims){2, {5, 7}}; break;
    }
}

static void attributes_are_reflected(void **state) {
    (void)state;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        void *copy = malloc(op->attrs_size);
        assert_non_null(copy);
        memcpy(copy, op->attr_defaults, op->attrs_size);
        assert_true(bp__attrs_equal(op, copy, op->attr_defaults));
        for (int32_t k = 0; k < op->n_attrs; k++) {
            const bp__attr *a = &op->attrs[k];
            assert_true(a->offset + size_of(a->type) <= op->attrs_size);
            change(a, copy);
            assert_false(bp__attrs_equal(op, copy, op->attr_defaults));
            memcpy((char *)copy + a->offset, (const char *)op->attr_defaults + a->offset, size_of(a->type));
            assert_true(bp__attrs_equal(op, copy, op->attr_defaults));
        }
        free(copy);
    }
}

static const void *attrs_of(bp_value x) {
    assert_false(bp_is_bad(x));
    return x.graph->nodes[x.node].attrs;
}

static void options_start_from_defaults(void **state) {
    (void)state;
    bp_context *ctx;
    bp_graph *g;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value x = bp_input(g, "x", BP_F32, bp_shape(2, 3, 4));

    bp_leaky_relu_options o = bp_leaky_relu_defaults();
    assert_int_equal(o.size, sizeof o);
    const struct bp__leaky_relu_attrs *a = attrs_of(bp_leaky_relu(x, NULL));
    assert_true(a->negative_slope == 0.01 && o.negative_slope == 0.01);
    o.negative_slope = 0; /* a legitimate value, not "unset" */
    a = attrs_of(bp_leaky_relu(x, &o));
    assert_true(a->negative_slope == 0);

    /* A caller of an older version has a shorter struct. */
    bp_clamp_options older = {.size = offsetof(bp_clamp_options, max), .min = -7, .max = 99};
    const struct bp__clamp_attrs *c = attrs_of(bp_clamp(x, &older));
    assert_true(c->min == -7 && c->max == 1);

    /* Texts are copied. */
    char stream[] = "first";
    bp_value u = bp_random_uniform(x, stream);
    strcpy(stream, "other");
    assert_string_equal(((const struct bp__random_uniform_attrs *)attrs_of(u))->stream, "first");

    /* A bad value is passed on, without a new sentence. */
    bp_value bad = bp_matmul(x, x);
    assert_true(bp_is_bad(bad));
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", bp_context_error(ctx));
    assert_true(strlen(sentence) > 0);
    assert_true(bp_is_bad(bp_add(bad, x)));
    assert_true(bp_is_bad(bp_relu(bp_sum(bad, NULL))));
    assert_string_equal(bp_context_error(ctx), sentence);
    assert_int_equal(bp_graph_status(g), BP_SHAPE);
    bp_graph_free(g);
    bp_context_free(ctx);
}

static void wrong_types_and_shapes_have_sentences(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        bp_context *ctx;
        bp_graph *g;
        assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value f = bp_input(g, "f", BP_F32, bp_shape(2, 3, 4)), d = bp_input(g, "d", BP_F64, bp_shape(1, 4));
        bp_value n = bp_input(g, "n", BP_I64, bp_shape(1, 4)), s = bp_input(g, "s", BP_F32, bp_shape(1, 5));
        bp_value batch = bp_input(g, "batch", BP_F32, bp_shape(1, BP_BATCH));
        switch (i) {
        case 0: assert_true(bp_is_bad(bp_add(f, d))); break;
        case 1: assert_true(bp_is_bad(bp_exp(n))); break;
        case 2: assert_true(bp_is_bad(bp_mul(f, s))); break;
        case 3: assert_true(bp_is_bad(bp_where(d, n, n))); break;
        default: assert_int_equal(bp_value_dims(bp_add(batch, s)).dim[0], 5); break; /* decided when sizes are known */
        }
        static const char *const parts[] = {"add: a is f32 but b is f64", "exp: a is i64", "mul: shapes [3, 4] and [5]",
                                            "where: a is f64", ""};
        assert_non_null(strstr(bp_context_error(ctx), parts[i]));
        assert_int_equal(bp_graph_status(g) == BP_OK, i == 4);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

/* The generator lies next to this program's folder. */
static void generated_text_is_fresh(void **state) {
    (void)state;
    char command[1024];
    const char *slash = strrchr(program, '/');
    int n = snprintf(command, sizeof command, "%.*s/../gen_ops", slash ? (int)(slash - program) : 1, slash ? program : ".");
    assert_true(n > 0 && (size_t)n + 16 < sizeof command);
    if (access(command, X_OK) != 0 || access("src/op/ops.def", R_OK) != 0) {
        printf("SKIPPED: %s is not there, or this is not the root of the repository\n", command);
        skip();
    }
    strcat(command, " --check");
    int result = system(command);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 126) {
        printf("SKIPPED: %s is for another processor\n", command);
        skip();
    }
    assert_int_equal(result, 0);
}

int main(int argc, char **argv) {
    (void)argc;
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_complete),
        cmocka_unit_test(descriptions_are_complete),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(other_names_are_found),
        cmocka_unit_test(attributes_are_reflected),
        cmocka_unit_test(options_start_from_defaults),
        cmocka_unit_test(wrong_types_and_shapes_have_sentences),
        cmocka_unit_test(generated_text_is_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
