/* The table of optimisers, reading a choice, and what all of them share. */
#include "optim/optimizers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OPTIMIZER(name, build, help, ...) static const bp__key keys_##name[] = {__VA_ARGS__};
#include "optim/optimizers.def"
#undef OPTIMIZER

#define OPTIMIZER(name_, build_, help_, ...) \
    {.name = #name_, .main = "lr", .help = (help_), .keys = keys_##name_, .n_keys = (int)BP__COUNT(keys_##name_)},
static const bp__kind kinds[] = {
#include "optim/optimizers.def"
};
#undef OPTIMIZER

#define OPTIMIZER(name, build, help, ...) build,
static bp__optimizer_fn *const builders[] = {
#include "optim/optimizers.def"
};
#undef OPTIMIZER

const char *bp__optimizer_kind(int index, const char **help) {
    if (index < 0 || index >= BP__COUNT(kinds)) return NULL;
    if (help) *help = kinds[index].help;
    return kinds[index].name;
}

/* What bounds of single keys cannot say. */
static bp_status check_together(const bp__choice_reader *r, const bp__tree *tree, const bp__choice *c) {
    if (strcmp(c->kind->name, "sgd") == 0 && bp__choice_option(c, "nesterov")->boolean &&
        (bp__choice_option(c, "momentum")->number <= 0 || bp__choice_option(c, "dampening")->number != 0))
        return bp__choice_fail(r, tree, "`nesterov` needs a `momentum` above 0 and no `dampening`");
    if (strcmp(c->kind->name, "rprop") == 0) {
        const bp__option *etas = bp__choice_option(c, "etas"), *sizes = bp__choice_option(c, "step_sizes");
        if (!(0 < etas->number && etas->number < 1 && 1 < etas->number2))
            return bp__choice_fail(r, etas->tree, "`etas` must be a number between 0 and 1 and one above 1, as in [0.5, 1.2]");
        if (sizes->number > sizes->number2)
            return bp__choice_fail(r, sizes->tree,
                                   "`step_sizes` are the smallest and the largest: the first must not be above the second");
    }
    return BP_OK;
}

static bp_status read_choice(bp_context *ctx, const char *file, const bp__tree *tree, bp__choice *out) {
    const bp__tree adam = {.kind = BP__TEXT, .text = (char *)(uintptr_t) "adam"};
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "optimizer", .where = "optimizer", .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    BP_TRY(bp__choice_read(&r, tree && tree->kind != BP__NULL ? tree : &adam, out));
    return check_together(&r, tree, out);
}

bp_status bp__optimizer_check(bp_context *ctx, const char *file, const bp__tree *tree, double *lr) {
    bp__choice choice;
    BP_TRY(read_choice(ctx, file, tree, &choice));
    *lr = bp__choice_option(&choice, "lr")->number;
    return BP_OK;
}

bp_status bp__optimizer_build(bp_graph *g, const bp__tree *tree, bp_value lr, const bp_value *params, const bp_value *grads,
                              int n) {
    bp__choice choice;
    BP_TRY(read_choice(g->ctx, NULL, tree, &choice));
    const char *scope = bp__graph_scope(g, "optimizer");
    bp__update u = {.g = g, .choice = &choice, .lr = lr, .params = params, .grads = grads, .n = n};
    u.one = bp_number(g, BP_F64, 1);
    u.before = bp_variable(g, "optimizer/step", BP_F64, bp_shape(0), bp_zeros());
    u.t = bp_add(u.before, u.one);
    builders[choice.index](&u);
    bp_assign(u.before, u.t);
    bp__graph_scope(g, scope);
    return g->status;
}

bp_value bp__power(const bp__update *u, double base, bp_value exponent) { return bp_pow(bp__f64(u, base), exponent); }

bp_value bp__as(bp__update *u, bp_value scalar, bp_value like) {
    bp_dtype dtype = bp_value_dtype(like);
    if (dtype == BP_F64 || scalar.node < 0) return scalar;
    for (int i = 0; i < u->n_cast; i++)
        if (u->cast_of[i].node == scalar.node && bp_value_dtype(u->cast[i]) == dtype) return u->cast[i];
    bp_value y = bp_cast(scalar, dtype);
    if (u->n_cast < (int)BP__COUNT(u->cast)) {
        u->cast_of[u->n_cast] = scalar;
        u->cast[u->n_cast++] = y;
    }
    return y;
}

bp_value bp__moment(bp__update *u, int i, const char *role, bp_init init) {
    char name[512];
    bp_value p = u->params[i];
    if (bp_is_bad(p)) return p;
    snprintf(name, sizeof name, "optimizer/%s/%s", u->g->nodes[p.node].name, role);
    return bp_variable(u->g, name, bp_value_dtype(p), bp_value_dims(p), init);
}

bp_value bp__counter(bp__update *u, const char *role, double start) {
    char name[128];
    snprintf(name, sizeof name, "optimizer/%s", role);
    return bp_variable(u->g, name, BP_F64, bp_shape(0), bp_filled(start));
}

bp_value bp__gradient_of(bp__update *u, int i, double decay) {
    bp_value g = u->grads[i];
    if (bp__yes(u, "maximize")) g = bp_neg(g);
    return decay != 0 ? bp_add(g, bp__mul_k(u->params[i], decay)) : g;
}

bp_value bp__decayed(bp_value v, double decay, bp_value a, bp_value b) {
    return bp_add(bp__mul_k(v, decay), bp_mul(bp__mul_k(a, 1 - decay), b));
}
