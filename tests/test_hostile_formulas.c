/* Formulas from somebody who means harm: very long and very deep ones, the largest numbers in every place, words and bytes in any
   order. A value, or a status and a sentence. */
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

static const char *const names[] = {"x", "y", "n", "m"};

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A good value, or one with a status and a sentence; true if good. */
static bool survives(const char *text) {
    bp_context *ctx = new_context();
    bp_graph *g;
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value values[] = {bp_input(g, "x", BP_F64, bp_shape(0)), bp_input(g, "y", BP_F32, bp_shape(2, BP_BATCH, 3)),
                         bp_input(g, "n", BP_I64, bp_shape(0)), bp_input(g, "m", BP_F64, bp_shape(2, 2, 3))};
    bp_value z = bp_parse(g, text, names, values, 4);
    bool good = !bp_is_bad(z);
    const char *sentence = bp_context_error(ctx);
    if (good != (bp_graph_status(g) == BP_OK) || bp_graph_status(g) == BP_INTERNAL || good != (strlen(sentence) == 0) ||
        strlen(sentence) > 1000)
        fail_msg("\"%.200s\": %s \"%s\"", text, bp_status_name(bp_graph_status(g)), sentence);
    bp_graph_free(g);
    bp_context_free(ctx);
    return good;
}

/* One piece again and again, to `size` bytes. */
static char *repeated(const char *piece, size_t size) {
    size_t n = strlen(piece);
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) text[i] = piece[i % n];
    text[size] = 0;
    return text;
}

static void long_texts_end(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "(",   ")",         "-",  "x+", "x", "1",  "1e",   ".",        "x^",   "tanh(", "sum(x,axes=[", "not ",
        "0,1", "concat(m,", "\"", "'",  " ", "\n", "x+\n", "\xC3\xA9", "\xFF", "x.y.",  "m=m="};
    static const size_t sizes[] = {65536, 65537, 100000, 1 << 20};
    for (int64_t i = 0; i < BP__COUNT(pieces); i++)
        for (int64_t k = 0; k < BP__COUNT(sizes); k++) {
            char *text = repeated(pieces[i], sizes[k]);
            bool good = survives(text);
            assert_false(good && sizes[k] > 65536);
            free(text);
        }
    char *text = repeated("x+", 65535); /* … x+x: as long as may be */
    assert_true(survives(text));
    free(text);
    char *deep = malloc(200002); /* balanced, so that only the depth is wrong */
    assert_non_null(deep);
    memset(deep, '(', 100000);
    deep[100000] = 'x';
    memset(deep + 100001, ')', 100000);
    deep[200001] = 0;
    assert_false(survives(deep));
    deep[100101] = 0; /* 100 of them close what 100 opened: a level too many */
    assert_false(survives(deep + 99900));
    deep[100100] = 0;
    assert_true(survives(deep + 99901));
    free(deep);
}

/* Numbers at the ends of what double precision and whole numbers hold, in every place that takes one. */
static void huge_numbers_have_sentences(void **state) {
    (void)state;
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "9",
                                          "4294967296",
                                          "-4294967296",
                                          "9007199254740992",
                                          "-9007199254740992",
                                          "1e18",
                                          "1e19",
                                          "1e308",
                                          "1e309",
                                          "-1e999",
                                          "1e-999",
                                          "inf",
                                          "-inf",
                                          "2.5",
                                          "1e99999999999",
                                          "9223372036854775807",
                                          "-9223372036854775808"};
    int good = 0, bad = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        for (int64_t k = 0; k < BP__COUNT(numbers); k++)
            for (int form = 0; form < 3; form++) { /* a number, a list of two, a list of eight */
                char text[1000];
                size_t n = (size_t)snprintf(text, sizeof text, "%s(", op->name);
                for (int32_t j = 0; j < BP__MAX(op->n_in, 1); j++)
                    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", j ? ", " : "", form == 1 ? "y" : "m");
                for (int32_t j = 0; j < op->n_attrs; j++) {
                    const bp__attr *a = &op->attrs[j];
                    if (a->type == BP__ATTR_BOOL || a->type == BP__ATTR_DTYPE) continue;
                    n += (size_t)snprintf(text + n, sizeof text - n, ", %s=%s", a->name,
                                          a->type == BP__ATTR_DIMS && form ? "[" : "");
                    for (int e = a->type == BP__ATTR_DIMS && form == 2 ? 8 : a->type == BP__ATTR_DIMS ? 1 + form : 1; e > 0; e--)
                        n += (size_t)snprintf(text + n, sizeof text - n, a->type == BP__ATTR_TEXT ? "\"%s\"%s" : "%s%s",
                                              numbers[k], e > 1 ? "," : "");
                    if (a->type == BP__ATTR_DIMS && form) n += (size_t)snprintf(text + n, sizeof text - n, "]");
                }
                snprintf(text + n, sizeof text - n, ")");
                if (survives(text))
                    good++;
                else
                    bad++;
            }
    }
    printf("huge numbers: %d formulas, %d faults\n", good, bad);
    assert_true(good > 1000 && bad > 1000);
}

/* Words of the language, names of operations and any bytes in any order. */
static void random_texts_have_sentences(void **state) {
    (void)state;
    static const char *const words[] = {"x",
                                        "y",
                                        "n",
                                        "m",
                                        "pi",
                                        "inf",
                                        "true",
                                        "axes=",
                                        "axis=",
                                        "keepdim=",
                                        "k=",
                                        "(",
                                        ")",
                                        "[",
                                        "]",
                                        ",",
                                        "+",
                                        "-",
                                        "*",
                                        "/",
                                        "^",
                                        "<",
                                        "<=",
                                        "==",
                                        "!=",
                                        "=",
                                        ".",
                                        "\"",
                                        "'",
                                        " ",
                                        "\n",
                                        "0",
                                        "1",
                                        "-1",
                                        "1e9",
                                        "1e400",
                                        "0x1p3",
                                        "nan",
                                        "and ",
                                        "or ",
                                        "not ",
                                        "\"ij,jk->ik\"",
                                        "\xC3\xA9",
                                        "\xE2\x82\xAC",
                                        "\xF0\x9F\x98\x80",
                                        "\xFF",
                                        "\x01",
                                        "\x7F"};
    uint64_t seed = 11;
    int good = 0, bad = 0;
    for (int i = 0; i < 20000; i++) {
        char text[400];
        size_t n = 0;
        text[0] = 0;
        for (uint64_t pieces = next(&seed) % 12; pieces > 0; pieces--) {
            const bp__op *op = bp__op_at((int)(next(&seed) % (uint64_t)bp__op_count()));
            uint64_t kind = next(&seed) % 8;
            if (kind == 0)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s(", op->name);
            else if (kind == 1 && op->n_attrs > 0)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s(m,%s=", op->name, op->attrs[0].name);
            else
                n += (size_t)snprintf(text + n, sizeof text - n, "%s", words[next(&seed) % (uint64_t)BP__COUNT(words)]);
        }
        if (survives(text))
            good++;
        else
            bad++;
    }
    printf("random texts: %d formulas, %d faults\n", good, bad);
    assert_true(good > 50 && bad > 1000);
    assert_true(survives("x\0 + (")); /* a text ends at its first NUL */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_texts_end), cmocka_unit_test(huge_numbers_have_sentences),
                                       cmocka_unit_test(random_texts_have_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
