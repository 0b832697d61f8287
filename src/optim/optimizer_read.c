/* Reading an `optimizer:` section: the table of optimisers, the keys that all of them have, and groups of parameters. */
#include "optim/optimizers.h"
#include "optim/solver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Behind every optimiser's own keys. */
#define FOR_ALL                                                                                                             \
    BP__K_BOOL("maximize", 0), BP__K_BOOL("centralize", 0), BP__K_NUMBER("noise_eta", 0, 0, HUGE_VAL),                      \
        BP__K_NUMBER("noise_gamma", 0.55, 0, HUGE_VAL), BP__K_INT("lookahead_k", 0, 0, 1e9),                                \
        BP__K_NUMBER("lookahead_alpha", 0.5, 0, 1), BP__K_NUMBER("sam_rho", 0, 0, HUGE_VAL), BP__K_BOOL("sam_adaptive", 0), \
        BP__K_NUMBER("layer_decay", 1, 0, 1), BP__K_TREE("groups")

#define OPTIMIZER(name, build, help, ...) static const bp__key keys_##name[] = {__VA_ARGS__, FOR_ALL};
#include "optim/optimizers.def"
#undef OPTIMIZER
#define SOLVER(name, solver, help, ...) static const bp__key keys_##name[] = {__VA_ARGS__};
#include "optim/solvers.def"
#undef SOLVER

#define OPTIMIZER(name_, build_, help_, ...) \
    {.name = #name_, .main = "lr", .help = (help_), .keys = keys_##name_, .n_keys = (int)BP__COUNT(keys_##name_)},
static const bp__kind kinds[] = {
#include "optim/optimizers.def"
#define SOLVER OPTIMIZER
#include "optim/solvers.def"
};
#undef SOLVER
#undef OPTIMIZER

#define SOLVER(name, solver, help, ...) &solver,
static const bp__solver *const solvers[] = {
#include "optim/solvers.def"
};
#undef SOLVER
enum { FIRST_SOLVER = BP__COUNT(kinds) - BP__COUNT(solvers) };

const bp__solver *bp__optimizer_solver(int index) {
    return index >= FIRST_SOLVER && index < BP__COUNT(kinds) ? solvers[index - FIRST_SOLVER] : NULL;
}

const bp__kind *bp__optimizer_row(int index) { return index >= 0 && index < BP__COUNT(kinds) ? &kinds[index] : NULL; }

const char *bp__optimizer_kind(int index, const char **help) {
    const bp__kind *kind = bp__optimizer_row(index);
    if (kind && help) *help = kind->help;
    return kind ? kind->name : NULL;
}

/* What bounds of single keys cannot say. */
static bp_status check_together(const bp__choice_reader *r, const bp__tree *tree, const bp__choice *c) {
    const char *name = c->kind->name;
    if (strcmp(name, "sgd") == 0 && bp__choice_option(c, "nesterov")->boolean &&
        (bp__choice_option(c, "momentum")->number <= 0 || bp__choice_option(c, "dampening")->number != 0))
        return bp__choice_fail(r, tree, "`nesterov` needs a `momentum` above 0 and no `dampening`");
    if (strcmp(name, "rprop") == 0 || strcmp(name, "irprop_minus") == 0) {
        const bp__option *etas = bp__choice_option(c, "etas"), *sizes = bp__choice_option(c, "step_sizes");
        if (!(0 < etas->number && etas->number < 1 && 1 < etas->number2))
            return bp__choice_fail(r, etas->tree, "`etas` must be a number between 0 and 1 and one above 1, as in [0.5, 1.2]");
        if (sizes->number > sizes->number2)
            return bp__choice_fail(r, sizes->tree,
                                   "`step_sizes` are the smallest and the largest: the first must not be above the second");
    }
    return BP_OK;
}

static bp_status read_choice(const bp__choice_reader *r, const bp__tree *tree, bp__choice *out) {
    BP_TRY(bp__choice_read(r, tree, out));
    return check_together(r, tree, out);
}

static bp_status put_copy(bp_context *ctx, bp__tree *map, const char *key, const bp__tree *value) {
    bp__tree *copy = bp__tree_copy(ctx, value);
    return copy ? bp__tree_put(ctx, map, key, copy) : bp__out_of_memory(ctx, 0);
}

/* {NAME: {…}} of a group: the optimiser's options, and over them the group's. Owns. */
static bp_status merge(const bp__choice_reader *r, const bp__choice *base, const bp__tree *written, const bp__tree *item,
                       bp__tree **out) {
    bp_context *ctx = r->ctx;
    bp__tree *outer = *out = bp__tree_new(ctx, BP__MAP), *inner = bp__tree_new(ctx, BP__MAP);
    if (!outer || !inner) {
        bp__tree_free(ctx, inner);
        return bp__out_of_memory(ctx, 0);
    }
    outer->line = inner->line = item->line;
    BP_TRY(bp__tree_put(ctx, outer, base->kind->name, inner));
    for (const bp__tree *c = written->child; c; c = c->next)
        if (strcmp(c->key, "groups") != 0) BP_TRY(put_copy(ctx, inner, c->key[0] ? c->key : base->kind->main, c));
    for (const bp__tree *c = item->child; c; c = c->next) {
        if (strcmp(c->key, "match") == 0 || strcmp(c->key, "freeze") == 0) continue;
        if (strcmp(c->key, "groups") == 0 || strcmp(c->key, "layer_decay") == 0 || strcmp(c->key, "sam_adaptive") == 0)
            return bp__choice_fail(r, c, "`%s` belongs to the optimizer, not into a group", c->key);
        BP_TRY(put_copy(ctx, inner, c->key, c));
    }
    return BP_OK;
}

static bp_status read_group(bp__choice_reader *r, const bp__choice *base, const bp__tree *written, const bp__tree *item,
                            int64_t index, bp__optimizer_group *out) {
    char where[48];
    snprintf(where, sizeof where, "optimizer.groups.%lld", (long long)index);
    r->where = where;
    const bp__tree *match = bp__tree_get(item, "match"), *freeze = bp__tree_get(item, "freeze");
    if (item->kind != BP__MAP || !match || match->kind != BP__TEXT || !match->text || !match->text[0])
        return bp__choice_fail(r, item,
                               "a group is a mapping with `match`, a pattern for names of parameters, and options of "
                               "the optimizer, as in {match: \"*.bias\", weight_decay: 0}");
    if (freeze && freeze->kind != BP__BOOL) return bp__choice_fail(r, freeze, "`freeze` must be true or false");
    out->match = match->text;
    out->freeze = freeze && freeze->boolean;
    BP_TRY(merge(r, base, written, item, &out->tree));
    BP_TRY(read_choice(r, out->tree, &out->choice));
    if (bp__choice_option(base, "lr")->number == 0 && bp__choice_option(&out->choice, "lr")->number != 0)
        return bp__choice_fail(r, item, "a rate of its own needs an optimizer `lr` above 0: schedules move both together");
    return BP_OK;
}

const bp__solver *bp__solver_read(bp_context *ctx, const bp__tree *tree, bp__choice *choice) {
    bp__optimizer_plan plan;
    const bp__solver *solver = NULL;
    if (bp__optimizer_read(&plan, ctx, NULL, tree) == BP_OK) {
        *choice = plan.groups[0].choice;
        solver = bp__optimizer_solver(choice->index);
    }
    bp__optimizer_plan_free(&plan);
    return solver;
}

bp_status bp__optimizer_read(bp__optimizer_plan *out, bp_context *ctx, const char *file, const bp__tree *tree) {
    static const bp__tree adam = {.kind = BP__TEXT, .text = (char *)(uintptr_t) "adam"};
    *out = (bp__optimizer_plan){.ctx = ctx, .file = file};
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "optimizer", .where = "optimizer", .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    if (!tree || tree->kind == BP__NULL) tree = &adam;
    bp__choice base;
    BP_TRY(read_choice(&r, tree, &base));
    const bp__tree *groups = bp__choice_option(&base, "groups")->tree;
    if (groups && groups->kind != BP__LIST)
        return bp__choice_fail(&r, groups, "`groups` must be a list, as in [{match: \"*.bias\", weight_decay: 0}]");
    int64_t n = groups ? bp__tree_count(groups) : 0;
    out->groups = bp__zalloc(ctx, sizeof *out->groups * (size_t)(n + 1));
    if (!out->groups) return bp__out_of_memory(ctx, 0);
    out->n = n + 1;
    out->groups[0].choice = base;
    const bp__tree *item = groups ? groups->child : NULL;
    for (int64_t k = 1; k <= n; k++, item = item->next)
        BP_TRY(read_group(&r, &base, bp__tree_get(tree, base.kind->name), item, k - 1, &out->groups[k]));
    return BP_OK;
}

void bp__optimizer_plan_free(bp__optimizer_plan *plan) {
    for (int64_t k = 0; k < plan->n; k++)
        if (plan->groups[k].tree) bp__tree_free(plan->ctx, plan->groups[k].tree);
    bp__free(plan->ctx, plan->groups);
    *plan = (bp__optimizer_plan){.ctx = plan->ctx};
}
