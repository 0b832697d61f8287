/* Configuration texts: YAML, JSON, the command line's short forms, --set. */
#include "io/json.h"
#include "io/shorthand.h"
#include "io/yaml.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bp_context *ctx;

static int set_up(void **state) {
    (void)state;
    return bp_context_new(&ctx, NULL) == BP_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    bp_context_free(ctx);
    return 0;
}

static bp__tree *yaml(const char *text) {
    bp__tree *t = NULL;
    if (bp__yaml_parse(ctx, text, strlen(text), "c.yaml", &t) != BP_OK) fail_msg("%s: %s", text, bp_context_error(ctx));
    assert_non_null(t);
    return t;
}

/* The tree as one line of JSON, which shows kinds and order. Frees the tree. */
static void assert_tree(bp__tree *t, const char *json) {
    char *text;
    assert_int_equal(bp__json_write(ctx, t, 0, &text), BP_OK);
    assert_string_equal(text, json);
    bp__free(ctx, text);
    bp__tree_free(ctx, t);
}

static void assert_error(bp_status status, bp_status expected, int64_t line, const char *words) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    assert_int_equal(status, expected);
    if (strstr(e.message, words) == NULL) fail_msg("'%s' does not say '%s'", e.message, words);
    if (e.line != line) fail_msg("'%s': line %lld instead of %lld", e.message, (long long)e.line, (long long)line);
    bp_context_clear_error(ctx);
}

/* ---- YAML --------------------------------------------------------------------------------------------------------- */

static void test_scalars(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bp__tree_kind kind;
        double number;
    } cases[] = {
        {"1e-3", BP__FLOAT, 1e-3},
        {"1", BP__INT, 1},
        {"-17", BP__INT, -17},
        {"+5", BP__INT, 5},
        {"007", BP__INT, 7},
        {"0o17", BP__INT, 15},
        {"0x1F", BP__INT, 31},
        {".5", BP__FLOAT, 0.5},
        {"5.", BP__FLOAT, 5},
        {"1.5E+3", BP__FLOAT, 1500},
        {".inf", BP__FLOAT, (double)INFINITY},
        {"-.Inf", BP__FLOAT, -(double)INFINITY},
        {"~", BP__NULL, 0},
        {"null", BP__NULL, 0},
        {"Null", BP__NULL, 0},
        {"true", BP__BOOL, 1},
        {"FALSE", BP__BOOL, 0},
        {"yes", BP__TEXT, 0},
        {"no", BP__TEXT, 0},
        {"on", BP__TEXT, 0},
        {"off", BP__TEXT, 0},
        {"y", BP__TEXT, 0},
        {"tRue", BP__TEXT, 0},
        {"1_000", BP__TEXT, 0},
        {"1:30", BP__TEXT, 0},
        {"0b11", BP__TEXT, 0},
        {"-0x1", BP__TEXT, 0},
        {"0o8", BP__TEXT, 0},
        {".", BP__TEXT, 0},
        {"1e", BP__TEXT, 0},
        {"e5", BP__TEXT, 0},
        {"inf", BP__TEXT, 0},
        {"nan", BP__TEXT, 0},
        {"-", BP__TEXT, 0},
        {"'1'", BP__TEXT, 0},
        {"\"true\"", BP__TEXT, 0},
        {"''", BP__TEXT, 0},
        {"60s", BP__TEXT, 0},
        {"9223372036854775807", BP__INT, 9223372036854775807.0},
        {"9223372036854775808", BP__FLOAT, 9223372036854775808.0},
        {"2001-12-14", BP__TEXT, 0},
        {"1.2.3", BP__TEXT, 0},
        {"0xFFFFFFFFFFFFFFFFF", BP__FLOAT, 295147905179352825855.0},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        char text[80];
        if (strcmp(cases[i].text, "-") == 0) continue; /* an entry of a list, unless in a flow */
        (void)snprintf(text, sizeof text, "a: %s", cases[i].text);
        bp__tree *t = yaml(text), *v = bp__tree_get(t, "a");
        if (v->kind != cases[i].kind) fail_msg("%s is of kind %d", cases[i].text, (int)v->kind);
        if (v->kind == BP__INT || v->kind == BP__FLOAT) assert_true(v->number == cases[i].number);
        if (v->kind == BP__BOOL) assert_true(v->boolean == (cases[i].number != 0));
        bp__tree_free(ctx, t);
    }
    bp__tree *t = yaml("a: .nan");
    assert_true(isnan(bp__tree_get(t, "a")->number));
    bp__tree_free(ctx, t);
}

static void test_structures(void **state) {
    (void)state;
    assert_tree(yaml(""), "{}");
    assert_tree(yaml("# nothing\n---\n"), "{}");
    assert_tree(yaml("null"), "null");
    assert_tree(yaml("\xEF\xBB\xBF"
                     "a: 1\r\nb:\r\n"),
                "{\"a\":1,\"b\":null}");
    assert_tree(yaml("%YAML 1.2\n---\nmodel:\n  - linear: 128\n  - relu\n  - dropout: {p: 0.2}\n...\n"),
                "{\"model\":[{\"linear\":128},\"relu\",{\"dropout\":{\"p\":0.2}}]}");
    assert_tree(yaml("1: x\ntrue: |\n  two\n  lines\n\"\": e\n"), "{\"1\":\"x\",\"true\":\"two\\nlines\\n\",\"\":\"e\"}");
    /* JSON, also where libyaml would stumble */
    assert_tree(yaml("{\"a\":1,\"b\":[true,null,1E5,\"\\/\\u00e9\\n\"],\n\t\"c\":{}}"),
                "{\"a\":1,\"b\":[true,null,100000.0,\"/\xC3\xA9\\n\"],\"c\":{}}");
    assert_tree(yaml("{\"a\":\"\\ud83d\\ude00\"}"), "{\"a\":\"\xF0\x9F\x98\x80\"}");
    bp__tree *t = yaml("a: 1\nb:\n  - c\n  - d: 2\n");
    assert_int_equal(bp__tree_get(bp__tree_at(bp__tree_get(t, "b"), 1), "d")->line, 4);
    assert_string_equal(bp__tree_get(t, "a")->text, "1");
    bp__tree_free(ctx, t);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t line;
        const char *words;
    } cases[] = {
        {"a: 1\nb: &x 2\n", 2, "anchors are not supported"},
        {"a: 1\nb: 2\nc: *x\n", 3, "aliases are not supported"},
        {"a: !!int 3", 1, "tags are not supported"},
        {"\n\na: !mine {b: 1}", 3, "tags are not supported"},
        {"a: ! x", 1, "tags are not supported"},
        {"%TAG !e! tag:e.org,2000:\n---\na: 1", 1, "tags are not supported"},
        {"a:\n  <<: {b: 1}\n", 2, "merge keys"},
        {"a: 1\nb: 2\na: 3\n", 3, "'a' appears twice"},
        {"a: {x: 1, y: 2,\n  x: 3}", 2, "'x' appears twice"},
        {"a: 1\n---\nb: 2\n", 2, "more than one document"},
        {"[a, b]: 1", 1, "keys must be scalars"},
        {"? {a: b}\n: 1", 1, "keys must be scalars"},
        {"a: 1\n?\n: 2", 2, "a key is missing"},
        {"a: [1, 2", 1, "malformed"},
        {"a: 1\n\tb: 2", 2, "malformed"},
        {"a: b: c", 1, "mapping values are not allowed"},
        {"a: \"x\\0y\"", 1, "NUL"},
        {"a: \xFF", 0, "malformed"},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        bp__tree *t = NULL;
        bp_status status = bp__yaml_parse(ctx, cases[i].text, strlen(cases[i].text), "c.yaml", &t);
        if (status == BP_OK) fail_msg("'%s' was accepted", cases[i].text);
        assert_null(t);
        assert_error(status, BP_CONFIG, cases[i].line, cases[i].words);
    }
}

static void test_depth(void **state) {
    (void)state;
    static const size_t depths[] = {1, 99, 100, 101, 3000, 50000};
    static char text[100000];
    for (int64_t i = 0; i < BP__COUNT(depths); i++) {
        size_t deep = depths[i];
        bp__tree *t = NULL;
        memset(text, '[', deep);
        memset(text + deep, ']', deep);
        bp_status status = bp__yaml_parse(ctx, text, 2 * deep, NULL, &t);
        if (deep <= 100) {
            assert_int_equal(status, BP_OK);
            bp__tree_free(ctx, t);
        } else {
            assert_error(status, BP_CONFIG, 1, "nested");
        }
        status = bp__json_parse(ctx, text, 2 * deep, NULL, &t);
        if (deep <= 100) {
            assert_int_equal(status, BP_OK);
            bp__tree_free(ctx, t);
        } else {
            assert_int_equal(status, BP_FORMAT);
            bp_context_clear_error(ctx);
        }
    }
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static uint64_t random_state;
static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static void random_text(char *out) {
    static const char *const nasty[] = {"",
                                        "yes",
                                        "No",
                                        "null",
                                        "~",
                                        "1e-3",
                                        "1.0",
                                        "0x1",
                                        "- a",
                                        "a: b",
                                        "a #b",
                                        "#",
                                        " a",
                                        "a ",
                                        "1:30",
                                        "1_000",
                                        ".inf",
                                        "..",
                                        "[x]",
                                        "{x",
                                        "'q'",
                                        "\"q\"",
                                        "a\nb",
                                        "\t",
                                        "<<",
                                        "=",
                                        "2001-1-1",
                                        "!x",
                                        "&x",
                                        "*x",
                                        "@x",
                                        "`x",
                                        "%x",
                                        "a,b",
                                        "\\",
                                        "\x7F",
                                        "\xC2\x85",
                                        "\xE2\x80\xA8",
                                        "\xEF\xBB\xBF",
                                        "\xEF\xBF\xBE",
                                        "10m",
                                        "y",
                                        "on",
                                        "?",
                                        "? a",
                                        "a:",
                                        ":a",
                                        "|",
                                        ">",
                                        "\r",
                                        "../x",
                                        "/a b",
                                        "\xC3\xA9t\xC3\xA9",
                                        "\xF0\x9F\x98\x80",
                                        "---",
                                        "...",
                                        "0o7",
                                        "+1",
                                        "-",
                                        "--- a"};
    if (draw(2) == 0) {
        (void)strcpy(out, nasty[draw((uint32_t)BP__COUNT(nasty))]);
        return;
    }
    uint32_t n = draw(40) == 0 ? 1500 : draw(9);
    for (uint32_t i = 0; i < n; i++) out[i] = (char)(draw(12) == 0 ? 1 + draw(31) : 32 + draw(95));
    out[n] = '\0';
}

static bp__tree *random_tree(int depth) {
    char text[1600];
    bp__tree *t;
    switch (draw(depth > 5 ? 5 : 9)) {
    case 0: return bp__tree_new(ctx, BP__NULL);
    case 1: return bp__tree_bool(ctx, draw(2) == 1);
    case 2: return bp__tree_int(ctx, draw(3) == 0 ? INT64_MIN + (int64_t)draw(3) : (int64_t)draw(2000) - 1000);
    case 3: {
        uint64_t bits = ((uint64_t)draw(1u << 31) << 33) ^ ((uint64_t)draw(1u << 31) << 11) ^ draw(1u << 30);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (draw(3) == 0) v = (double)((int64_t)draw(4000) - 2000) / (double)(1 + draw(30));
        return bp__tree_number(ctx, v);
    }
    case 4:
        random_text(text);
        t = bp__tree_text(ctx, text);
        break;
    case 5:
    case 6:
        t = bp__tree_new(ctx, BP__LIST);
        for (uint32_t n = draw(5); n > 0; n--) assert_int_equal(bp__tree_append(ctx, t, random_tree(depth + 1)), BP_OK);
        break;
    default:
        t = bp__tree_new(ctx, BP__MAP);
        for (uint32_t n = draw(5); n > 0; n--) {
            random_text(text);
            assert_int_equal(bp__tree_put(ctx, t, text, random_tree(depth + 1)), BP_OK);
        }
    }
    t->flow = draw(4) == 0;
    if (draw(6) == 0) {
        random_text(text);
        t->comment = bp__strdup(ctx, text);
    }
    return t;
}

static void test_round_trip(void **state) {
    (void)state;
    random_state = 1;
    for (int i = 0; i < 5000; i++) {
        bp__tree *t = random_tree(i % 7), *back = NULL;
        char *text = NULL;
        assert_int_equal(bp__yaml_write(ctx, t, &text), BP_OK);
        bp_status status = bp__yaml_parse(ctx, text, strlen(text), NULL, &back);
        if (status != BP_OK) fail_msg("tree %d: %s\n%s", i, bp_context_error(ctx), text);
        if (!bp__tree_equal(t, back)) fail_msg("tree %d reads back otherwise:\n%s", i, text);
        bp__free(ctx, text);
        bp__tree_free(ctx, back);
        /* JSON of it is the same tree, but for numbers that are not finite; and is YAML. */
        assert_int_equal(bp__json_write(ctx, t, i % 3, &text), BP_OK);
        bp__tree *json = NULL;
        if (bp__json_parse(ctx, text, strlen(text), NULL, &json) != BP_OK) fail_msg("%s\n%s", bp_context_error(ctx), text);
        if (bp__yaml_parse(ctx, text, strlen(text), NULL, &back) != BP_OK) fail_msg("%s\n%s", bp_context_error(ctx), text);
        if (!bp__tree_equal(json, back)) fail_msg("YAML reads this JSON otherwise:\n%s", text);
        bp__free(ctx, text);
        bp__tree_free(ctx, back);
        bp__tree_free(ctx, json);
        bp__tree_free(ctx, t);
    }
}

static void test_written_form(void **state) {
    (void)state;
    bp__tree *t =
        yaml("{data: {path: adult.csv, target: 'yes', n: '1'}, model: [{linear: 128}, relu, {dropout: {p: 0.2}}],"
             " optimizer: {adam: {lr: 1e-3, eps: 1e-8, betas: [0.9, 1.0]}}, e: {}, x: 1e30, every: 60s, l: [[1, 2], [3]]}");
    t->flow = bp__tree_get(t, "data")->flow = bp__tree_get(t, "model")->flow = bp__tree_get(t, "optimizer")->flow = false;
    bp__tree_get(t, "l")->flow = false;
    bp__tree *item = bp__tree_at(bp__tree_get(t, "model"), 0);
    item->flow = false;
    bp__tree_get(item, "linear")->comment = bp__strdup(ctx, "a rule\nsays so");
    bp__tree_get(t, "data")->comment = bp__strdup(ctx, "given");
    char *text;
    assert_int_equal(bp__yaml_write(ctx, t, &text), BP_OK);
    assert_string_equal(text, "data:  # given\n  path: adult.csv\n  target: \"yes\"\n  \"n\": \"1\"\n"
                              "model:\n  - linear: 128  # a rule says so\n  - relu\n  - {dropout: {p: 0.2}}\n"
                              "optimizer:\n  adam: {lr: 0.001, eps: 1.0e-8, betas: [0.9, 1.0]}\ne: {}\nx: 1.0e+30\nevery: 60s\n"
                              "l:\n  - [1, 2]\n  - [3]\n");
    bp__free(ctx, text);
    bp__tree_free(ctx, t);
    t = bp__tree_text(ctx, "a\xFF");
    assert_error(bp__yaml_write(ctx, t, &text), BP_INVALID, 0, "not UTF-8");
    bp__tree_free(ctx, t);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static void test_json(void **state) {
    (void)state;
    bp__tree *t;
    const char *text = "{\"z\": [1, 2.5, -0.0, 1e300], \"a\": {\"b\": \"\\u0001\\\"\"}, \"n\": null}";
    assert_int_equal(bp__json_parse(ctx, text, strlen(text), NULL, &t), BP_OK);
    assert_true(signbit(bp__tree_at(bp__tree_get(t, "z"), 2)->number));
    bp__tree_at(bp__tree_get(t, "z"), 1)->number = (double)NAN;
    bp__tree_at(bp__tree_get(t, "z"), 2)->number = (double)INFINITY;
    char *out;
    assert_int_equal(bp__json_write(ctx, t, 2, &out), BP_OK);
    assert_string_equal(
        out, "{\n  \"z\": [\n    1,\n    null,\n    null,\n    1e300\n  ],\n  \"a\": {\n    \"b\": \"\\u0001\\\"\"\n  },\n"
             "  \"n\": null\n}");
    bp__free(ctx, out);
    bp__tree_free(ctx, t);
    t = bp__tree_text(ctx, "a\xFF\xC3");
    assert_tree(t, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
    static const struct {
        const char *text;
        int64_t line;
    } bad[] = {{"", 1},    {"{\"a\":1,\n\"a\":2}", 2}, {"{\n\n\"a\" 1}", 3}, {"\"\xFF\"", 1}, {"[1] 2", 1},
               {"nul", 1}, {"\"\\u0000\"", 1}};
    for (int64_t i = 0; i < BP__COUNT(bad); i++)
        assert_error(bp__json_parse(ctx, bad[i].text, strlen(bad[i].text), "x.json", &t), BP_FORMAT, bad[i].line, "malformed");
}

/* ---- Short forms -------------------------------------------------------------------------------------------------- */

static void test_shorthand(void **state) {
    (void)state;
    static const struct {
        const char *text, *json;
        bool layers;
    } good[] = {
        {"sgd lr=0.1 momentum=0.9", "{\"sgd\":{\"lr\":0.1,\"momentum\":0.9}}", false},
        {" adam ", "\"adam\"", false},
        {"adam betas=[0.9, 0.99] lr=1e-3", "{\"adam\":{\"betas\":[0.9,0.99],\"lr\":0.001}}", false},
        {"huber 2", "{\"huber\":2}", false},
        {"{sgd: {lr: 0.1}}", "{\"sgd\":{\"lr\":0.1}}", false},
        {"x a='b c' d=\"e,f\" g={h: [1]}", "{\"x\":{\"a\":\"b c\",\"d\":\"e,f\",\"g\":{\"h\":[1]}}}", false},
        {"linear 128, relu, dropout p=0.2, linear", "[{\"linear\":128},\"relu\",{\"dropout\":{\"p\":0.2}},\"linear\"]", true},
        {"relu", "[\"relu\"]", true},
        {"linear 8 bias=false name=first", "[{\"linear\":{\"\":8,\"bias\":false},\"name\":\"first\"}]", true},
        {"linear name=out freeze=true", "[{\"linear\":{},\"name\":\"out\",\"freeze\":true}]", true},
        {"residual [{linear: 8}, relu], {linear: 2}", "[{\"residual\":[{\"linear\":8},\"relu\"]},{\"linear\":2}]", true},
        {"[{linear: 8}, relu]", "[{\"linear\":8},\"relu\"]", true},
        {"conv2d 32 kernel_size=[3,5],relu", "[{\"conv2d\":{\"\":32,\"kernel_size\":[3,5]}},\"relu\"]", true},
        {"x a=yes b=null c=it's", "[{\"x\":{\"a\":\"yes\",\"b\":null,\"c\":\"it's\"}}]", true},
    };
    for (int64_t i = 0; i < BP__COUNT(good); i++) {
        bp__tree *t = NULL;
        bp_status status = good[i].layers ? bp__shorthand_layers(ctx, "--model", good[i].text, &t)
                                          : bp__shorthand_choice(ctx, "--optimizer", good[i].text, &t);
        if (status != BP_OK) fail_msg("%s: %s", good[i].text, bp_context_error(ctx));
        assert_tree(t, good[i].json);
    }
    static const struct {
        const char *text, *words;
        bool layers;
    } bad[] = {
        {"", "name is missing", false},
        {"sgd lr=0.1, momentum=0.9", "comma", false},
        {"sgd lr=", "no value", false},
        {"sgd lr=1 lr=2", "twice", false},
        {"sgd =3", "no key", false},
        {"sgd 1 2", "second value", false},
        {"sgd lr=[1", "never closed", false},
        {"sgd lr=1]", "never opened", false},
        {"sgd a='x", "never closed", false},
        {"sg!d", "no name", false},
        {"sgd lr=&a", "--optimizer", false},
        {"sgd lr={a: 1, a: 2}", "'lr' in --optimizer", false},
        {"linear 8,, relu", "name is missing", true},
        {"linear 8,", "name is missing", true},
        {"linear 8 = 3", "no key", true},
        {"", "--model", true},
    };
    for (int64_t i = 0; i < BP__COUNT(bad); i++) {
        bp__tree *t = NULL;
        bp_status status = bad[i].layers ? bp__shorthand_layers(ctx, "--model", bad[i].text, &t)
                                         : bp__shorthand_choice(ctx, "--optimizer", bad[i].text, &t);
        if (status == BP_OK) fail_msg("'%s' was accepted", bad[i].text);
        assert_null(t);
        assert_error(status, BP_CONFIG, 0, bad[i].words);
    }
}

static void test_set(void **state) {
    (void)state;
    static const struct {
        const char *before, *set, *after;
    } good[] = {
        {"", "train.epochs=20", "{\"train\":{\"epochs\":20}}"},
        {"train: {epochs: 1, seed: 2}", "train.epochs=5", "{\"train\":{\"epochs\":5,\"seed\":2}}"},
        {"train: {epochs: 1}", "train={seed: 3}", "{\"train\":{\"epochs\":1,\"seed\":3}}"},
        {"train: {es: {p: 1}}", "train={es: {q: 3}}", "{\"train\":{\"es\":{\"p\":1,\"q\":3}}}"},
        {"a: [1, 2]", "a=[3]", "{\"a\":[3]}"},
        {"a: [1, 2]", "a.1=x=y", "{\"a\":[1,\"x=y\"]}"},
        {"optimizer: {adam: {lr: 1}}", "optimizer={sgd: {lr: 2}}", "{\"optimizer\":{\"sgd\":{\"lr\":2}}}"},
        {"optimizer: {adam: {lr: 1, eps: 2}}", "optimizer={adam: {lr: 2}}", "{\"optimizer\":{\"adam\":{\"lr\":2}}}"},
        {"optimizer: {adam: {lr: 1, eps: 2}}", "optimizer.adam.lr=2", "{\"optimizer\":{\"adam\":{\"lr\":2,\"eps\":2}}}"},
        {"optimizer: {adam: {lr: 1}}", "optimizer.sgd.lr=2", "{\"optimizer\":{\"sgd\":{\"lr\":2}}}"},
        {"optimizer: adam", "optimizer.adam.lr=2", "{\"optimizer\":{\"adam\":{\"lr\":2}}}"},
        {"optimizer: adam", "optimizer.sgd.lr=2", "{\"optimizer\":{\"sgd\":{\"lr\":2}}}"},
        {"schedule: null", "schedule.cosine.eta_min=0", "{\"schedule\":{\"cosine\":{\"eta_min\":0}}}"},
        {"model: [{linear: 8}, relu]", "model.0.linear=16", "{\"model\":[{\"linear\":16},\"relu\"]}"},
        {"model: [{linear: 8}, relu]", "model.0.linear.bias=false",
         "{\"model\":[{\"linear\":{\"\":8,\"bias\":false}},\"relu\"]}"},
        {"model: [{linear: 8}, relu]", "model.1=tanh", "{\"model\":[{\"linear\":8},\"tanh\"]}"},
        {"model: [{linear: 8}, dropout]", "model.1.dropout.p=0.1", "{\"model\":[{\"linear\":8},{\"dropout\":{\"p\":0.1}}]}"},
        {"model: [relu]", "model.0.name=x", "{\"model\":[{\"relu\":{},\"name\":\"x\"}]}"},
        {"model: [{linear: 8, name: x}]", "model.0.conv=3", "{\"model\":[{\"name\":\"x\",\"conv\":3}]}"},
        {"model: [{residual: [{linear: 8}, relu]}]", "model.0.residual.0.linear=9",
         "{\"model\":[{\"residual\":[{\"linear\":9},\"relu\"]}]}"},
        {"model: [{repeat: {times: 4, layers: [relu]}}]", "model.0.repeat.times=2",
         "{\"model\":[{\"repeat\":{\"times\":2,\"layers\":[\"relu\"]}}]}"},
        {"", "data.columns.\"a.b=c\".type=category", "{\"data\":{\"columns\":{\"a.b=c\":{\"type\":\"category\"}}}}"},
        {"a: 1", "a=", "{\"a\":null}"},
    };
    for (int64_t i = 0; i < BP__COUNT(good); i++) {
        bp__tree *t = yaml(good[i].before);
        if (bp__tree_set(ctx, t, good[i].set) != BP_OK) fail_msg("%s: %s", good[i].set, bp_context_error(ctx));
        assert_tree(t, good[i].after);
    }
    static const struct {
        const char *before, *set, *words;
    } bad[] = {
        {"", "train.epochs", "no '='"},
        {"", "=3", "empty"},
        {"", "a..b=3", "empty"},
        {"", "a.=3", "empty"},
        {"", "\"a=3", "no '='"},
        {"train: 3", "train.epochs=3", "'epochs' belongs to is a number"},
        {"a: [1, 2]", "a.2=3", "no item 2, the list has 2"},
        {"a: [1, 2]", "a.x=3", "'x' is no number of a list item"},
        {"a: [1, 2]", "a.-1=3", "'-1'"},
        {"", "a.b={x: 1, x: 2}", "--set a.b"},
        {"", "model.0=relu", "item 0"},
    };
    for (int64_t i = 0; i < BP__COUNT(bad); i++) {
        bp__tree *t = yaml(bad[i].before);
        bp_status status = bp__tree_set(ctx, t, bad[i].set);
        if (status == BP_OK) fail_msg("'%s' was accepted", bad[i].set);
        assert_error(status, BP_CONFIG, 0, bad[i].words);
        bp__tree_free(ctx, t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scalars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_structures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shorthand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL) == 0 ? 0 : 1;
}
