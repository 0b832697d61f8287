/* `init: {weight: kaiming_uniform, bias: {constant: 0.1}}`: how the tensors of a layer start. Names and defaults are those of
   torch.nn.init. */
#include "nn/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const bp__key constant_keys[] = {BP__K_ANY_NUMBER("val", 0)};
static const bp__key uniform_keys[] = {BP__K_ANY_NUMBER("a", 0), BP__K_ANY_NUMBER("b", 1)};
static const bp__key normal_keys[] = {BP__K_ANY_NUMBER("mean", 0), BP__K_NUMBER("std", 1, 0, HUGE_VAL)};
static const bp__key kaiming_keys[] = {BP__K_NUMBER("a", 0, 0, HUGE_VAL)};

static const bp__kind kinds[] = {
    {.name = "zeros"},
    {.name = "ones"},
    {.name = "constant", .main = "val", .keys = constant_keys, .n_keys = 1},
    {.name = "uniform", .keys = uniform_keys, .n_keys = 2},
    {.name = "normal", .keys = normal_keys, .n_keys = 2},
    {.name = "trunc_normal", .keys = normal_keys, .n_keys = 2},
    {.name = "kaiming_uniform", .main = "a", .keys = kaiming_keys, .n_keys = 1},
    {.name = "kaiming_normal", .main = "a", .keys = kaiming_keys, .n_keys = 1},
    {.name = "xavier_uniform"},
    {.name = "xavier_normal"},
};
enum { ZEROS, ONES, CONSTANT, UNIFORM, NORMAL, TRUNC_NORMAL, KAIMING_UNIFORM, KAIMING_NORMAL, XAVIER_UNIFORM, XAVIER_NORMAL };

static bp_init make(const bp__choice *choice) {
    const bp__option *o = choice->options;
    switch (choice->index) {
    case ONES: return bp_filled(1);
    case CONSTANT: return bp_filled(o[0].number);
    case UNIFORM: return bp_uniform_init(o[0].number, o[1].number);
    case NORMAL: return bp_normal_init(o[0].number, o[1].number);
    case TRUNC_NORMAL: return (bp_init){BP_INIT_TRUNC_NORMAL, o[0].number, o[1].number};
    case KAIMING_UNIFORM: return (bp_init){BP_INIT_KAIMING_UNIFORM, o[0].number, 0};
    case KAIMING_NORMAL: return (bp_init){BP_INIT_KAIMING_NORMAL, o[0].number, 0};
    case XAVIER_UNIFORM: return (bp_init){BP_INIT_XAVIER_UNIFORM, 0, 0};
    case XAVIER_NORMAL: return (bp_init){BP_INIT_XAVIER_NORMAL, 0, 0};
    default: return bp_zeros();
    }
}

static bool layer_has_bias(const bp__layer_call *c) { return bp__choice_option(c->choice, "bias")->boolean; }

bp_status bp__layer_init(const bp__layer_call *c, const char *role, bp_init standard, bp_init *out) {
    const bp__option *o = bp__choice_option(c->choice, "init");
    char where[560];
    *out = standard;
    if (!o->given) return BP_OK;
    const bp__tree *tree = o->tree;
    if (tree->kind != BP__MAP)
        return bp__choice_fail(c->reader, tree, "`init` says which tensor starts how, as in init: {weight: kaiming_uniform}");
    for (const bp__tree *k = tree->child; k; k = k->next)
        if (strcmp(k->key, "weight") != 0 && (strcmp(k->key, "bias") != 0 || !layer_has_bias(c)))
            return bp__choice_fail(c->reader, k, "`%s` has no tensor `%s` to start; `init` takes %s", c->choice->kind->name,
                                   k->key, layer_has_bias(c) ? "`weight` and `bias`" : "`weight`");
    const bp__tree *mine = bp__tree_get(tree, role);
    if (!mine) return BP_OK;
    snprintf(where, sizeof where, "%s.init.%s", c->reader->where, role);
    bp__choice_reader r = {.ctx = c->g->ctx,
                           .file = c->reader->file,
                           .what = "initialiser",
                           .where = where,
                           .kinds = kinds,
                           .n_kinds = BP__COUNT(kinds)};
    bp__choice choice;
    BP_TRY(bp__choice_read(&r, mine, &choice));
    if (strcmp(role, "bias") == 0 && choice.index >= KAIMING_UNIFORM)
        return bp__choice_fail(&r, mine, "`%s` needs a matrix: a bias has no fan", choice.kind->name);
    if (choice.index == UNIFORM && choice.options[0].number > choice.options[1].number)
        return bp__choice_fail(&r, mine, "`a` must not be above `b`");
    *out = make(&choice);
    return BP_OK;
}
