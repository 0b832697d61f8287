/* Formulas as text: values of the operators, every operation of the table by its name, sentences with their column, and texts
   that were torn at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"

static bp_context *new_context(void) {
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}), BP_OK);
    return ctx;
}

/* ---- Values ----------------------------------------------------------------------------------------------------------- */

static const char *const names[] = {"x", "y", "n", "m"};
static const double xs = 0.75, ys = -2.5;
static const int64_t ns = 7;

/* A formula of x, y (f64 scalars), n (i64 scalar) and m (f64 [2, 3]: 1 … 6); its first element. */
static double value_of(const char *text) {
    bp_context *ctx = new_context();
    bp_graph *g;
    bp_program *p;
    bp_session *s;
    const double ms[] = {1, 2, 3, 4, 5, 6};
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value values[] = {bp_input(g, "x", BP_F64, bp_shape(0)), bp_input(g, "y", BP_F64, bp_shape(0)),
                         bp_input(g, "n", BP_I64, bp_shape(0)), bp_input(g, "m", BP_F64, bp_shape(2, 2, 3))};
    bp_value z = bp_parse(g, text, names, values, 4);
    if (bp_is_bad(z)) fail_msg("%s: %s", text, bp_context_error(ctx));
    assert_int_equal(bp_program_new(&p, g, &z, 1, NULL), BP_OK);
    assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
    bp_session_set(s, "x", &xs, NULL);
    bp_session_set(s, "y", &ys, NULL);
    bp_session_set(s, "n", &ns, NULL);
    bp_session_set(s, "m", ms, NULL);
    assert_int_equal(bp_session_run(s), BP_OK);
    const void *data;
    bp_dtype dtype;
    assert_int_equal(bp_session_output(s, 0, &data, &dtype, NULL), BP_OK);
    double v = dtype == BP_F64   ? *(const double *)data
               : dtype == BP_I64 ? (double)*(const int64_t *)data
               : dtype == BP_U8  ? (double)*(const uint8_t *)data
                                 : (double)*(const float *)data;
    bp_session_free(s);
    bp_program_free(p);
    bp_graph_free(g);
    bp_context_free(ctx);
    return v;
}

static void operators_bind_as_in_mathematics(void **state) {
    (void)state;
    const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3", 9},
        {"7 - 2 - 1", 4},
        {"8 / 4 / 2", 1},
        {"-x ^ 2", -0.5625},
        {"2 ^ 3 ^ 2", 512},
        {"2 ^ -1 * 4", 2},
        {"-2 ^ 2", -4},
        {"--x", 0.75},
        {"+x - -y", -1.75},
        {"x*y+x/y", 0.75 * -2.5 + 0.75 / -2.5},
        {"1e3 + .5 + 2.", 1002.5},
        {"2 * pi", 6.28318530717958647692},
        {"x < inf", 1},
        {"x < 1", 1},
        {"x >= 1", 0},
        {"not x < 1", 0},
        {"not x > 1 and y < 0", 1},
        {"x > 1 or y < 0 and n == 7", 1},
        {"(x > 1 or y < 0) and n != 7", 0},
        {"x + 1 < y * -1", 1},
        {"(x > 0) * 3 + (y > 0)", 3},
        {"(x > 0) + n", 8},
        {"n * 2 - 1", 13},
        {"max(m)", 6},
        {"mean(m)", 3.5},
        {"sum(m, axes=[0])", 5},
        {"sum(m, axes=1, keepdim=true)", 6},
        {"sum(m, axes=-1, keepdim=0)", 6},
        {"sum(m, axes=[])", 21},
        {"logsumexp(m, axes=[]) - logsumexp(m, axes=[0, 1])", 0},
        {"logsumexp(m, axes=[]) > 6.456 and logsumexp(m, axes=[]) < 6.457", 1},
        {"argmax(m)", 5},
        {"argmin(m * (2.5 - m) ^ 2)", 1},
        {"argmax(-m, axis=0)", 0},
        {"argmax(x)", 0},
        {"where(x > 0, 2, 0.5 * y)", 2},
        {"maximum(y, 0)", 0},
        {"clamp(m, min=2, max=2 * 3 / 2)", 2},
        {"leaky_relu(y, negative_slope=1/4)", -0.625},
        {"mse(x, y)", 3.25 * 3.25},
        {"mse(target=y, x=x, reduction=\"sum\")", 3.25 * 3.25},
        {"huber(x, y, delta=2, reduction='none')", 2 * (3.25 - 1)},
        {"topk(m, k=1)", 3},
        {"topk(m, 2).indices", 2},
        {"topk(m, 2, largest=false).values + 1", 2},
        {"permute(m, [1, 0])", 1},
        {"sum(concat(m, m, -m, axis=0))", 21},
        {"einsum('ij->', m)", 21},
        {"einsum('ij,kj->ik', m, m)", 14},
        {"cast(n, f64) / 2", 3.5},
        {"cast(cast(x, to=f32), to=i64)", 0},
        {"linear(m, m)", 14},
        {" \n\tx\r\n ", 0.75},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        double v = value_of(cases[i].text);
        if (!(fabs(v - cases[i].value) <= 1e-15 * fabs(cases[i].value))) fail_msg("%s is %.17g", cases[i].text, v);
    }
}

/* ---- Faults ----------------------------------------------------------------------------------------------------------- */

static void expect(bp_status status, const char *text, const char *sentence) {
    bp_context *ctx = new_context();
    bp_graph *g;
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value values[] = {bp_input(g, "x", BP_F32, bp_shape(2, 2, 3)), bp_input(g, "target", BP_F32, bp_shape(1, 4)),
                         bp_input(g, "n", BP_I64, bp_shape(0))};
    static const char *const words[] = {"x", "target", "n"};
    bp_value z = bp_parse(g, text, words, values, 3);
    if (!bp_is_bad(z) || bp_graph_status(g) != status || strcmp(bp_context_error(ctx), sentence) != 0)
        fail_msg("%s: %s \"%s\", not \"%s\"", text, bp_status_name(bp_graph_status(g)), bp_context_error(ctx), sentence);
    bp_graph_free(g);
    bp_context_free(ctx);
}

static void faults_point_at_the_character(void **state) {
    (void)state;
    expect(BP_INVALID, "", "column 1: the formula ends where a number, a name or \"(\" is wanted");
    expect(BP_INVALID, "x +", "column 4: the formula ends where a number, a name or \"(\" is wanted");
    expect(BP_INVALID, "(x + 1", "column 7: the formula ends where ')' is wanted");
    expect(BP_INVALID, "x + 1)", "column 6: ')' where an operator or the end is wanted");
    expect(BP_INVALID, "x $ 1", "column 3: '$' where an operator or the end is wanted");
    expect(BP_INVALID, "é", "column 1: the byte 0xC3 where a number, a name or \"(\" is wanted");
    expect(BP_INVALID, "tanh(x, \"é\") *", "column 9: tanh takes no further argument here; options are key=value");
    expect(BP_INVALID, "mse(x, x, reduction=\"é\" 1)", "column 25: '1' where ')' is wanted");
    expect(BP_INVALID, "x *\n  * 2", "line 2, column 3: '*' where a number, a name or \"(\" is wanted");
    expect(BP_INVALID, "x ** 2", "column 3: a power is written ^");
    expect(BP_INVALID, "x = 2", "column 3: two values are compared by ==");
    expect(BP_INVALID, "1 < x < 2", "column 7: comparisons do not follow each other; join two by \"and\"");
    expect(BP_INVALID, "2x", "column 2: an operator is missing before 'x'");
    expect(BP_INVALID, "1e999", "column 1: 1e999 is no number that double precision holds");
    expect(BP_INVALID, "tanh", "column 1: tanh is an operation: \"(\" and its inputs are wanted behind it");
    expect(BP_NOT_FOUND, "x + targt", "column 5: there is nothing of the name \"targt\"; did you mean \"target\"?");
    expect(BP_NOT_FOUND, "mean(hubber(x, 0))", "column 6: there is no operation \"hubber\"; did you mean \"huber\"?");
    expect(BP_NOT_FOUND, "mean(x, axis=0)", "column 9: mean has no argument \"axis\"; did you mean \"axes\"?");
    expect(BP_NOT_FOUND, "topk(x, 2).indexes", "column 12: topk has no output \"indexes\"; did you mean \"indices\"?");
    expect(BP_NOT_FOUND, "scan(x)", "column 1: there is no operation \"scan\"");
    expect(BP_NOT_FOUND, "input(x)", "column 1: there is no operation \"input\"");
    expect(BP_INVALID, "mse(x)", "column 1: mse needs the input target");
    expect(BP_INVALID, "1 + softmax(x)", "column 5: softmax needs axis=…");
    expect(BP_INVALID, "softmax(x, 1, 2)", "column 15: softmax takes no further argument here; options are key=value");
    expect(BP_INVALID, "softmax(x, 0.5)", "column 12: axis has to be a whole number");
    expect(BP_INVALID, "softmax(x, n)", "column 12: axis has to be a number, not a value");
    expect(BP_INVALID, "sum(axes=[0], x)", "column 15: what has no key stands before the key=value arguments");
    expect(BP_INVALID, "sum(x, axes=[0], axes=1)", "column 23: axes of sum is given twice");
    expect(BP_INVALID, "tanh(x, a=x)", "column 11: a of tanh is given twice");
    expect(BP_INVALID, "sum(x, axes=[0,1,2,3,4,5,6,7,8])", "column 30: a list has at most 8 numbers");
    expect(BP_INVALID, "sum(x, keepdim=2)", "column 16: keepdim has to be true or false");
    expect(BP_INVALID, "cast(x, f16)", "column 9: \"f16\" is no type; f32, f64, i32, i64 and u8 are");
    expect(BP_INVALID, "mse(x, x, reduction='none)", "column 21: the text that begins here has no end");
    expect(BP_INVALID, "n + 0.5", "column 3: 0.5 meets a value of type i64 and is no whole number; use cast");
    expect(BP_INVALID, "concat(axis=1)", "column 1: concat needs an input");
    expect(BP_SHAPE, "1 + x * target",
           "column 7: mul: shapes [2, 3] and [4] do not broadcast: sizes must be equal, or 1, counted from the last");
    expect(BP_TYPE, "mean(exp(n))", "column 6: exp: a is i64; it must be f32 or f64 (bp_cast converts)");
    expect(BP_SHAPE, "einsum(\"ij,jk->iz\", x, x)", "column 1: einsum: column 9 of \"ij,jk->iz\": 'z' is in no input");
}

static void missing_arguments_have_sentences(void **state) {
    (void)state;
    const char *words[] = {"x", NULL};
    for (int i = 0; i < 6; i++) {
        static const char *const sentences[] = {"parse: there is no text",
                                                "parse: 2 values need as many names and values",
                                                "parse: 2 values need as many names and values",
                                                "parse: -1 values need as many names and values",
                                                "parse: value 2 of 2 has no name",
                                                "parse: the value \"x\" is missing, or belongs to another graph"};
        bp_context *ctx = new_context();
        bp_graph *g;
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value x = bp_input(g, "x", BP_F32, bp_shape(0)), both[] = {x, x}, none = BP_NONE;
        bp_value z = i == 0   ? bp_parse(g, NULL, words, both, 1)
                     : i == 1 ? bp_parse(g, "x", NULL, both, 2)
                     : i == 2 ? bp_parse(g, "x", words, NULL, 2)
                     : i == 3 ? bp_parse(g, "x", words, both, -1)
                     : i == 4 ? bp_parse(g, "y", words, both, 2)
                              : bp_parse(g, "x", words, &none, 1);
        assert_true(bp_is_bad(z));
        assert_int_equal(bp_graph_status(g), BP_INVALID);
        assert_string_equal(bp_context_error(ctx), sentences[i]);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
    assert_null(bp_parse(NULL, "1", NULL, NULL, 0).graph); /* no graph: no value, as everywhere */
}

static void nesting_is_bounded(void **state) {
    (void)state;
    char deep[4000];
    const char *const openers[] = {"(", "-", "tanh(", "not ", "2^", "sum(x,axes=["};
    for (int64_t i = 0; i < BP__COUNT(openers); i++) {
        size_t n = 0;
        while (n + 20 < sizeof deep) n += (size_t)snprintf(deep + n, sizeof deep - n, "%s", openers[i]);
        bp_context *ctx = new_context();
        bp_graph *g;
        static const char *const words[] = {"x"};
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value x = bp_input(g, "x", BP_F32, bp_shape(0));
        assert_true(bp_is_bad(bp_parse(g, deep, words, &x, 1)));
        if (i < 5) assert_non_null(strstr(bp_context_error(ctx), "more than 100 levels of nesting"));
        bp_graph_free(g);
        bp_context_free(ctx);
    }
    char wide[4000] = "x";
    for (size_t n = 1; n + 4 < sizeof wide; n += 2) strcpy(wide + n, "+x"); /* wide is not deep */
    assert_true(fabs(value_of(wide) - 0.75 * 1999) < 1e-9);
}

/* ---- The table -------------------------------------------------------------------------------------------------------- */

static void write_dims(char *out, size_t size, const bp_dims *d) {
    size_t n = (size_t)snprintf(out, size, "[");
    for (int64_t i = 0; i < d->n; i++) n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? ", " : "", (long long)d->dim[i]);
    snprintf(out + n, size - n, "]");
}

/* The call of an operation as text: name(v0, v1, key=value …), absent inputs left out by naming those behind them. */
static void write_call(char *out, size_t size, const bp__op *op, const bp__sample *s, const void *attrs) {
    size_t n = (size_t)snprintf(out, size, "%s(", op->name);
    bool absent = false, first = true;
    for (int32_t i = 0; i < s->n_in; i++) {
        if (s->in[i].low > s->in[i].high) {
            absent = true;
            continue;
        }
        const char *name = op->n_in < 0 ? "" : op->in_names[i];
        if (*name == '?') name++;
        n += (size_t)snprintf(out + n, size - n, "%s%s%sv%d", first ? "" : ", ", absent ? name : "", absent ? "=" : "", (int)i);
        first = false;
    }
    for (int32_t k = 0; k < op->n_attrs; k++) {
        const bp__attr *a = &op->attrs[k];
        const void *from = (const char *)attrs + a->offset;
        char value[200];
        switch (a->type) {
        case BP__ATTR_F64:
            if (isnan(*(const double *)from)) continue; /* left out */
            snprintf(value, sizeof value, "%.17g", *(const double *)from);
            break;
        case BP__ATTR_I64:
            if (*(const int64_t *)from == BP_UNSET) continue; /* left out */
            snprintf(value, sizeof value, "%lld", (long long)*(const int64_t *)from);
            break;
        case BP__ATTR_BOOL: snprintf(value, sizeof value, "%s", *(const int32_t *)from ? "true" : "false"); break;
        case BP__ATTR_DTYPE: snprintf(value, sizeof value, "%s", bp_dtype_name((bp_dtype) * (const int32_t *)from)); break;
        case BP__ATTR_TEXT: snprintf(value, sizeof value, "\"%s\"", *(const char *const *)from); break;
        case BP__ATTR_DIMS:
            if (((const bp_dims *)from)->n < 0) continue; /* "all", which has no number */
            write_dims(value, sizeof value, from);
            break;
        }
        n += (size_t)snprintf(out + n, size - n, ", %s=%s", a->name, value);
    }
    assert_true(n + 2 < size);
    snprintf(out + n, size - n, ")");
}

/* The formula of every sample makes the nodes that the operation itself makes. */
static void every_operation_has_its_name(void **state) {
    (void)state;
    int checked = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        for (int32_t k = 0; k < op->n_samples; k++) {
            const bp__sample *s = &op->samples[k];
            const void *attrs = s->attrs ? s->attrs : op->attr_defaults;
            char text[1000], vs[6][16];
            const char *words[6];
            bp_value values[6], in[6];
            int n = 0;
            bp_context *ctx = new_context();
            bp_graph *g;
            assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
            for (int32_t j = 0; j < s->n_in; j++) {
                snprintf(vs[j], sizeof vs[j], "v%d", (int)j);
                in[j] = BP_NONE;
                if (s->in[j].low > s->in[j].high) continue;
                in[j] = values[n] = bp_input(g, vs[j], s->in[j].dtype, s->in[j].dims);
                words[n++] = vs[j];
            }
            write_call(text, sizeof text, op, s, attrs);
            int64_t before = g->n_nodes;
            bp_value direct = bp__graph_add(g, op, attrs, in, s->n_in);
            int64_t between = g->n_nodes;
            bp_value parsed = bp_parse(g, text, words, values, n);
            if (bp_is_bad(parsed)) fail_msg("%s: %s", text, bp_context_error(ctx));
            if (g->n_nodes - between != between - before) fail_msg("%s makes other nodes than %s", text, op->name);
            for (int64_t j = before; j < between; j++) {
                const bp__node *a = &g->nodes[j], *b = &g->nodes[between + j - before];
                bool same = a->op == b->op && a->n_in == b->n_in && a->n_out == b->n_out;
                if (same && !(a->op->flags & BP__OP_LEAF)) same = bp__attrs_equal(a->op, a->attrs, b->attrs);
                if (!same || a->out[0].dtype != b->out[0].dtype || !bp__dims_equal(&a->out[0].dims, &b->out[0].dims))
                    fail_msg("%s: node %lld differs", text, (long long)(j - before));
            }
            assert_int_equal(direct.output, parsed.output);
            checked++;
            bp_graph_free(g);
            bp_context_free(ctx);
        }
    }
    printf("%d calls of operations\n", checked);
    assert_true(checked > 400);
}

/* ---- Torn texts ------------------------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Bytes exchanged, inserted, cut and doubled. A text is a formula with a good value, or has a sentence with a place. */
static void torn_texts_have_sentences(void **state) {
    (void)state;
    static const char *const whole[] = {"mean(square(y - x))",
                                        "-x^2 + 2^-3^2 / 4 * pi",
                                        "x > 0 and not y <= 1 or n == 2",
                                        "where(x > 0, x, 0.1 * x)",
                                        "sum(m, axes=[0, 1], keepdim=true)",
                                        "topk(m, k=2).indices",
                                        "einsum(\"ij,kj->ik\", m, m)",
                                        "concat(m, m, axis=-1)",
                                        "mse(x, target=y, reduction='none')",
                                        "cast(clamp(m, min=-1e3, max=inf), f32)"};
    static const char letters[] = "()[]+-*/^<>=!.,'\"0123456789eExynm_ andornt\n\xC3\xA9";
    uint64_t seed = 7;
    int good = 0, bad = 0;
    for (int i = 0; i < 20000; i++) {
        char text[200];
        size_t n = (size_t)snprintf(text, sizeof text, "%s", whole[next(&seed) % (uint64_t)BP__COUNT(whole)]);
        for (uint64_t edits = 1 + next(&seed) % 4; edits > 0; edits--) {
            size_t at = next(&seed) % (n + 1), end = at + next(&seed) % (n + 1 - at);
            char c = next(&seed) % 8 ? letters[next(&seed) % (sizeof letters - 1)] : (char)(1 + next(&seed) % 255);
            switch (next(&seed) % 4) {
            case 0:
                if (at < n) text[at] = c;
                break;
            case 1:
                if (n + 2 > sizeof text) break;
                memmove(text + at + 1, text + at, n + 1 - at);
                text[at] = c;
                n++;
                break;
            case 2:
                memmove(text + at, text + end, n + 1 - end);
                n -= end - at;
                break;
            default:
                if (n + end - at + 1 > sizeof text) break;
                memmove(text + end, text + at, n + 1 - at);
                n += end - at;
            }
        }
        bp_context *ctx = new_context();
        bp_graph *g;
        assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
        bp_value values[] = {bp_input(g, "x", BP_F64, bp_shape(0)), bp_input(g, "y", BP_F64, bp_shape(0)),
                             bp_input(g, "n", BP_I64, bp_shape(0)), bp_input(g, "m", BP_F64, bp_shape(2, 2, 3))};
        bp_value z = bp_parse(g, text, names, values, 4);
        const char *sentence = bp_context_error(ctx);
        if (bp_is_bad(z)) {
            bad++;
            if (bp_graph_status(g) == BP_OK || bp_graph_status(g) == BP_INTERNAL ||
                (strncmp(sentence, "column ", 7) != 0 && strncmp(sentence, "line ", 5) != 0))
                fail_msg("\"%s\": %s", text, sentence);
        } else {
            good++;
            if (!z.graph || bp_graph_status(g) != BP_OK || *sentence) fail_msg("\"%s\": %s", text, sentence);
        }
        bp_graph_free(g);
        bp_context_free(ctx);
    }
    printf("%d formulas, %d faults\n", good, bad);
    assert_true(good > 1000 && bad > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_in_mathematics), cmocka_unit_test(faults_point_at_the_character),
        cmocka_unit_test(missing_arguments_have_sentences), cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(every_operation_has_its_name),     cmocka_unit_test(torn_texts_have_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
