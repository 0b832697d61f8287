/* Building the update: which group a parameter is in, and one bp__update for each group. */
#include "optim/optimizers.h"

#include <stdio.h>
#include <string.h>

#define OPTIMIZER(name, build, help, ...) build,
static bp__optimizer_fn *const builders[] = {
#include "optim/optimizers.def"
};
#undef OPTIMIZER

bp_status bp__optimizer_check(bp_context *ctx, const char *file, const bp__tree *tree, double *lr) {
    bp__optimizer_plan plan;
    bp_status status = bp__optimizer_read(&plan, ctx, file, tree);
    if (status == BP_OK) *lr = bp__choice_option(&plan.groups[0].choice, "lr")->number;
    bp__optimizer_plan_free(&plan);
    return status;
}

/* Where each parameter belongs. */
typedef struct places {
    int *group, *layer; /* [n]; layers are numbered in order of their first parameter */
    int n_layers;
    bp_value *params, *grads; /* [n]: those of the group being built */
} places;

int bp__optimizer_group_of(const bp__optimizer_plan *plan, bp_value parameter) {
    for (int64_t k = 1; k < plan->n; k++)
        if (bp__name_matches(plan->groups[k].match, parameter)) return (int)k;
    return 0;
}

static void place(const bp__optimizer_plan *plan, const bp_value *params, int n, places *at) {
    for (int i = 0; i < n; i++) {
        at->group[i] = bp__optimizer_group_of(plan, params[i]);
        at->layer[i] = at->n_layers;
        for (int j = 0; j < i; j++)
            if (bp__same_layer(params[i], params[j])) at->layer[i] = at->layer[j];
        if (at->layer[i] == at->n_layers) at->n_layers++;
    }
}

/* A pattern that takes no parameter is a mistake: it is said with the names there are. */
static bp_status check_used(const bp__optimizer_plan *plan, const bp_value *params, int n, const places *at) {
    for (int64_t k = 1; k < plan->n; k++) {
        bool used = false;
        char names[200] = "";
        for (int i = 0; i < n; i++) {
            size_t length = strlen(names);
            used = used || at->group[i] == (int)k;
            snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "", bp__parameter_name(params[i]));
        }
        bp__where where = {.code = "bad_value", .file = plan->file, .line = plan->groups[k].choice.line};
        if (!used)
            return bp__fail_at(plan->ctx, BP_CONFIG, where,
                               "optimizer.groups.%lld: `match: %.60s` takes no parameter that an earlier group has not; the "
                               "parameters are %s",
                               (long long)k - 1, plan->groups[k].match, names);
    }
    return BP_OK;
}

/* The rate of a group follows the schedule: its own, times what the schedule has made of the first one; a layer's is less by
   layer_decay for every layer behind it (Clark et al., "ELECTRA", 2020). */
static void set_rate(bp__update *u, const bp__optimizer_plan *plan, int64_t group, int behind) {
    const bp__choice *common = &plan->groups[0].choice;
    double base = bp__choice_option(common, "lr")->number, decay = bp__choice_option(common, "layer_decay")->number;
    u->start_lr = bp__choice_option(&plan->groups[group].choice, "lr")->number;
    for (int i = 0; i < behind; i++) u->start_lr *= decay;
    if (u->start_lr != base) u->lr = bp_mul(u->lr, bp__f64(u, u->start_lr / base));
}

/* The number of a key, 0 where there is none. */
static double number_of(const bp__choice *c, const char *key) {
    for (int i = 0; i < c->kind->n_keys; i++)
        if (strcmp(c->kind->keys[i].name, key) == 0) return bp__choice_option(c, key)->number;
    return 0;
}

static void build_groups(const bp__optimizer_plan *plan, const bp__update *common, places *at) {
    bool by_layer = bp__choice_option(&plan->groups[0].choice, "layer_decay")->number != 1;
    int number = 0;
    for (int64_t k = 0; k < plan->n; k++)
        for (int layer = 0; layer < (by_layer ? at->n_layers : 1); layer++) {
            bp__update u = *common;
            u.params = at->params;
            u.grads = at->grads;
            u.choice = &plan->groups[k].choice;
            u.n = 0;
            for (int i = 0; i < common->n; i++)
                if (at->group[i] == (int)k && (!by_layer || at->layer[i] == layer)) {
                    at->params[u.n] = common->params[i];
                    at->grads[u.n++] = common->grads[i];
                }
            if (u.n == 0 || plan->groups[k].freeze) continue;
            u.group = number++;
            /* A group with a number of its own keeps it, whatever a schedule does. */
            if (number_of(u.choice, "weight_decay") != number_of(&plan->groups[0].choice, "weight_decay")) u.decay = BP_NONE;
            set_rate(&u, plan, k, by_layer ? at->n_layers - 1 - layer : 0);
            bp__optimizer_update(&u, at->grads, builders[u.choice->index]);
        }
}

static bp_status build(const bp__optimizer_plan *plan, bp__update *u) {
    bp_context *ctx = plan->ctx;
    const bp__choice *chosen = &plan->groups[0].choice;
    if (bp__optimizer_solver(chosen->index))
        return bp__fail_at(ctx, BP_UNSUPPORTED,
                           (bp__where){.code = "solver", .hint = "train with it: `train DATA --optimizer lbfgs`, or bp_train"},
                           "%s asks for the loss and its gradient several times a step, so it cannot be an update in a graph",
                           chosen->kind->name);
    size_t n = (size_t)u->n + 1;
    places at = {.group = bp__zalloc(ctx, sizeof(int) * n), .layer = bp__zalloc(ctx, sizeof(int) * n)};
    at.params = bp__zalloc(ctx, sizeof(bp_value) * n);
    at.grads = bp__zalloc(ctx, sizeof(bp_value) * n);
    bp_status status = BP_OK;
    if (!at.group || !at.layer || !at.params || !at.grads) {
        status = bp__out_of_memory(ctx, 0);
    } else {
        place(plan, u->params, u->n, &at);
        status = check_used(plan, u->params, u->n, &at);
    }
    if (status == BP_OK) build_groups(plan, u, &at);
    bp__free(ctx, at.group);
    bp__free(ctx, at.layer);
    bp__free(ctx, at.params);
    bp__free(ctx, at.grads);
    return status;
}

bp_status bp__optimizer_build(bp_graph *g, const bp__tree *tree, bp_value lr, const bp_value *params, const bp_value *grads,
                              int n) {
    const bp__moving moving = {.lr = lr, .loss = BP_NONE, .momentum = BP_NONE, .weight_decay = BP_NONE};
    return bp__optimizer_build_for(g, tree, &moving, params, grads, n);
}

/* A schedule for a number that the optimiser does not have would be a silent mistake. */
static bp_status check_moved(const bp__optimizer_plan *plan, const bp__moving *m, bool momentum, bool decay) {
    const char *name = plan->groups[0].choice.kind->name;
    if (m->momentum.graph && !momentum)
        return bp__fail_at(
            plan->ctx, BP_CONFIG,
            (bp__where){.code = "no_such_number", .hint = "set cycle_momentum: false, or take sgd, rmsprop, adam or adamw"},
            "the optimizer %s has no momentum that a schedule could move", name);
    if (m->weight_decay.graph && !decay)
        return bp__fail_at(plan->ctx, BP_CONFIG, (bp__where){.code = "no_such_number", .hint = "take sgd, adam or adamw"},
                           "the optimizer %s has no weight_decay that a schedule could move", name);
    return BP_OK;
}

double bp__optimizer_number(bp_context *ctx, const bp__tree *tree, const char *key) {
    bp__optimizer_plan plan;
    double v = 0;
    if (bp__optimizer_read(&plan, ctx, NULL, tree) == BP_OK) {
        v = number_of(&plan.groups[0].choice, key);
        if (v == 0 && strcmp(key, "momentum") == 0) v = number_of(&plan.groups[0].choice, "betas");
    }
    bp__optimizer_plan_free(&plan);
    return v;
}

bool bp__optimizer_needs_loss(bp_context *ctx, const bp__tree *tree) {
    bp__optimizer_plan plan;
    bool needs = bp__optimizer_read(&plan, ctx, NULL, tree) == BP_OK && plan.groups[0].choice.index < BP__COUNT(builders) &&
                 builders[plan.groups[0].choice.index] == bp__optimizer_sophia;
    bp__optimizer_plan_free(&plan);
    return needs;
}

bp_status bp__optimizer_build_for(bp_graph *g, const bp__tree *tree, const bp__moving *moving, const bp_value *params,
                                  const bp_value *grads, int n) {
    bp__optimizer_plan plan;
    bp_status status = bp__optimizer_read(&plan, g->ctx, NULL, tree);
    if (status == BP_OK && n > 0) {
        const char *scope = bp__graph_scope(g, "optimizer");
        bool momentum = false, decay = false;
        bp__update u = {.g = g,
                        .lr = moving->lr,
                        .loss = moving->loss,
                        .momentum = moving->momentum,
                        .decay = moving->weight_decay,
                        .takes_momentum = &momentum,
                        .takes_decay = &decay,
                        .params = params,
                        .grads = grads,
                        .n = n};
        u.one = bp_number(g, BP_F64, 1);
        u.before = bp_variable(g, "optimizer/step", BP_F64, bp_shape(0), bp_zeros());
        u.t = bp_add(u.before, u.one);
        u.first = bp_eq(u.before, bp_number(g, BP_F64, 0));
        status = build(&plan, &u);
        if (status == BP_OK) status = check_moved(&plan, moving, momentum, decay);
        bp_assign(u.before, u.t);
        bp__graph_scope(g, scope);
    }
    bp__optimizer_plan_free(&plan);
    return status != BP_OK ? status : g->status;
}

static bp_value find_variable(bp_graph *g, const char *name) {
    for (int64_t i = 0; i < g->n_variables; i++)
        if (strcmp(g->variables[i].name, name) == 0) return bp__value(g, g->variables[i].value);
    return BP_NONE;
}

bp_status bp__optimizer_evaluated(bp_graph *g, const bp__tree *tree, const bp_value *params, bp_value *values, int n) {
    bp__optimizer_plan plan;
    bp_status status = bp__optimizer_read(&plan, g->ctx, NULL, tree);
    bp_value step = find_variable(g, "optimizer/step");
    for (int i = 0; i < n && status == BP_OK; i++) {
        char name[512];
        values[i] = params[i];
        const bp__choice *c = &plan.groups[bp__optimizer_group_of(&plan, params[i])].choice;
        if (strncmp(c->kind->name, "schedule_free_", 14) != 0 || !step.graph) continue;
        const bp__option *b1 = bp__choice_option(c, strcmp(c->kind->name, "schedule_free_sgd") == 0 ? "momentum" : "betas");
        snprintf(name, sizeof name, "optimizer/%s/z", bp__parameter_name(params[i]));
        bp_value z = find_variable(g, name), begun = bp_cast(step, bp_value_dtype(params[i]));
        if (z.graph) values[i] = bp_where(begun, bp__schedule_free_x(params[i], z, b1->number), params[i]);
    }
    bp__optimizer_plan_free(&plan);
    return status != BP_OK ? status : g->status;
}
