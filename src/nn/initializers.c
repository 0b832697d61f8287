/* How the tensors of a layer start: its own `init: {weight: kaiming_uniform, bias: {constant: 0.1}}`, else the first entry of the
   configuration's `init: [{match: "*.weight", orthogonal}]` whose pattern fits the tensor's name. Normalisations keep their ones
   and zeros: only tensors that the key `init` of a layer reaches are matched. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/layers.h"

#define GAIN_WORDS "linear|conv1d|conv2d|sigmoid|tanh|relu|leaky_relu|selu"
#define KEYS_GAIN \
    BP__K_POSITIVE("gain", 1), BP__K_WORD("nonlinearity", "linear", GAIN_WORDS), BP__K_NUMBER("a", 0.01, 0, HUGE_VAL)
#define KEYS_KAIMING                                                                           \
    BP__K_NUMBER("a", 0, 0, HUGE_VAL), BP__K_WORD("mode", "fan_in", "fan_in|fan_out|fan_avg"), \
        BP__K_WORD("nonlinearity", "leaky_relu", GAIN_WORDS)
/* Each table of keys starts with an empty row, so that it is never empty. */
#define INITIALIZER(id, name_, main_, rank_, help_, make_, ...) static const bp__key keys_##id[] = {{.name = NULL}, __VA_ARGS__};
#include "nn/initializers.def"
#undef INITIALIZER

#define INITIALIZER(id, name_, main_, rank_, help_, make_, ...) \
    {.name = (name_), .main = (main_), .help = (help_), .keys = keys_##id + 1, .n_keys = (int)BP__COUNT(keys_##id) - 1},
static const bp__kind kinds[] = {
#include "nn/initializers.def"
};
#undef INITIALIZER

enum { ANY, WEIGHT, BIAS };
#define INITIALIZER(id, name_, main_, rank_, help_, make_, ...) rank_,
static const int ranks[] = {
#include "nn/initializers.def"
};
#undef INITIALIZER

static double number(const bp__choice *c, const char *key) { return bp__choice_option(c, key)->number; }
static bool is(const bp__choice *c, const char *key, const char *word) {
    return strcmp(bp__choice_option(c, key)->text, word) == 0;
}
static bp_fan fan(const bp__choice *c, const char *key) {
    return is(c, key, "fan_in") ? BP_FAN_IN : is(c, key, "fan_out") ? BP_FAN_OUT : BP_FAN_AVG;
}
static bp_spread spread(const bp__choice *c, const char *key) {
    return is(c, key, "uniform")              ? BP_SPREAD_UNIFORM
           : is(c, key, "untruncated_normal") ? BP_SPREAD_NORMAL
                                              : BP_SPREAD_TRUNC_NORMAL;
}
static double gain(const bp__choice *c) { return bp_init_gain(bp__choice_option(c, "nonlinearity")->text, number(c, "a")); }
static bp_init fit(bp__fit how, bp_init start, double c, double d) {
    start.fit = (int)how;
    start.c = c;
    start.d = d;
    return start;
}

#define N(key) number(c, key)
#define INT(key) (double)bp__choice_option(c, key)->integer
#define FAN(key) fan(c, key)
#define SPREAD(key) spread(c, key)
#define KAIMING_GAIN gain(c)
#define GAIN (number(c, "gain") * gain(c))
#define FIT(how, start, c, d) fit(how, start, c, d)
#define INITIALIZER(id, name_, main_, rank_, help_, make_, ...) \
    static bp_init build_##id(const bp__choice *c) {            \
        (void)c;                                                \
        return make_;                                           \
    }
#include "nn/initializers.def"
#undef INITIALIZER

#define INITIALIZER(id, name_, main_, rank_, help_, make_, ...) build_##id,
static bp_init (*const makers[])(const bp__choice *c) = {
#include "nn/initializers.def"
};
#undef INITIALIZER

const bp__kind *bp__initializer_row(int index) { return index >= 0 && index < BP__COUNT(kinds) ? &kinds[index] : NULL; }
const char *bp__initializer_kind(int index, const char **help) {
    if (index < 0 || index >= BP__COUNT(kinds)) return NULL;
    if (help) *help = kinds[index].help;
    return kinds[index].name;
}

/* ---- Reading ---- */

static const char *const beside_match[] = {"match", NULL};

static bp_status read_choice(bp__choice_reader *r, const bp__tree *tree, bp__choice *out) {
    BP_TRY(bp__choice_read(r, tree, out));
    const bp__option *a = bp__choice_option(out, "a"), *b = bp__choice_option(out, "b");
    if (strstr(out->kind->name, "uniform") == out->kind->name && a->number > b->number)
        return bp__choice_fail(r, tree, "`a` must not be above `b`");
    if (strcmp(out->kind->name, "trunc_normal") == 0 && !(a->number < b->number))
        return bp__choice_fail(r, tree, "`a` must be below `b`");
    return BP_OK;
}

static bp__choice_reader reader(bp_context *ctx, const char *file, const char *where) {
    return (bp__choice_reader){
        .ctx = ctx, .file = file, .what = "initialiser", .where = where, .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
}

/* Reads the entry at `tree` for a tensor with this role, or for none (NULL) to check it. */
static bp_status read_one(bp__choice_reader *r, const bp__tree *tree, const char *role, bp_init *out) {
    bp__choice choice;
    BP_TRY(read_choice(r, tree, &choice));
    int rank = ranks[choice.index];
    if (role && strcmp(role, "bias") == 0 && rank == WEIGHT)
        return bp__choice_fail(r, tree, "`%s` needs a matrix: a bias has no fan", choice.kind->name);
    if (role && strcmp(role, "bias") != 0 && rank == BIAS)
        return bp__choice_fail(r, tree, "`%s` is for a bias, not for a %s", choice.kind->name, role);
    *out = makers[choice.index](&choice);
    return BP_OK;
}

/* `*` stands for any text, `?` for one character. */
static bool matches(const char *pattern, const char *name) {
    for (; *pattern && *pattern != '*'; pattern++, name++)
        if (!*name || (*pattern != '?' && *pattern != *name)) return false;
    if (!*pattern) return !*name;
    do
        if (matches(pattern + 1, name)) return true;
    while (*name++);
    return false;
}

bp_status bp__nn_check_init(bp_context *ctx, const char *file, const bp__tree *list) {
    bp__choice_reader r = reader(ctx, file, "init");
    bp_init unused;
    if (list->kind != BP__LIST)
        return bp__choice_fail(&r, list, "a list of patterns is expected, as in init: [{match: \"*.weight\", orthogonal}]");
    r.beside = beside_match;
    for (const bp__tree *t = list->child; t; t = t->next) {
        const bp__tree *match = bp__tree_get(t, "match");
        if (!match || match->kind != BP__TEXT || !match->text[0])
            return bp__choice_fail(&r, t,
                                   "each entry needs `match`, a pattern of names, as in {match: \"*.weight\", orthogonal}");
        BP_TRY(read_one(&r, t, NULL, &unused));
    }
    return BP_OK;
}

static bool has_key(const bp__layer_call *c, const char *key) {
    for (int i = 0; i < c->choice->kind->n_keys; i++)
        if (strcmp(c->choice->kind->keys[i].name, key) == 0) return true;
    return false;
}
static bool layer_has_bias(const bp__layer_call *c) { return bp__choice_option(c->choice, "bias")->boolean; }

static bp_status by_pattern(const bp__layer_call *c, const char *role, bp_init *out) {
    char name[512];
    snprintf(name, sizeof name, "%s.%s", c->path, role);
    int64_t index = 0;
    for (const bp__tree *t = c->o->init ? c->o->init->child : NULL; t; t = t->next, index++) {
        if (!matches(bp__tree_get(t, "match")->text, name)) continue;
        bp__choice_reader r = reader(c->g->ctx, c->o->file, "init");
        r.beside = beside_match;
        bp__nn_init_used(c->nn, index);
        return read_one(&r, t, role, out);
    }
    return BP_OK;
}

/* The layer's own key, once for each of its tensors. */
static bp_status by_layer(const bp__layer_call *c, const bp__tree *tree, const char *role, bp_init *out, bool *found) {
    char where[560];
    if (tree->kind != BP__MAP)
        return bp__choice_fail(c->reader, tree, "`init` says which tensor starts how, as in init: {weight: kaiming_uniform}");
    for (const bp__tree *k = tree->child; k; k = k->next)
        if (strcmp(k->key, "weight") != 0 && (strcmp(k->key, "bias") != 0 || !layer_has_bias(c)))
            return bp__choice_fail(c->reader, k, "`%s` has no tensor `%s` to start; `init` takes %s", c->choice->kind->name,
                                   k->key, layer_has_bias(c) ? "`weight` and `bias`" : "`weight`");
    const bp__tree *mine = bp__tree_get(tree, role);
    if (!mine) return BP_OK;
    *found = true;
    snprintf(where, sizeof where, "%s.init.%s", c->reader->where, role);
    bp__choice_reader r = reader(c->g->ctx, c->reader->file, where);
    return read_one(&r, mine, role, out);
}

bp_status bp__layer_init(const bp__layer_call *c, const char *role, bp_init standard, bp_init *out) {
    const bp__option *o = bp__choice_option(c->choice, "init");
    bool found = false;
    *out = standard;
    if (strcmp(role, "bias") == 0 && !layer_has_bias(c)) return BP_OK;
    if (o->given) BP_TRY(by_layer(c, o->tree, role, out, &found));
    if (!found) BP_TRY(by_pattern(c, role, out));
    if (out->fit && !has_key(c, "bias"))
        return bp__choice_fail(c->reader, c->tree, "`%s` takes no initialiser that looks at the data", c->choice->kind->name);
    return BP_OK;
}
