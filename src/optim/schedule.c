/* Reading the `schedule:` section: the table, warm-up, ticks, schedules inside schedules. */
#include "optim/schedules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A table starts with the keys that every schedule has. */
#define SCHEDULE(name, main, value, counts, help, ...)                                                                  \
    static const bp__key keys_##name[] = {BP__K_INT("warmup_steps", 0, 0, 1e15), BP__K_WORD("per", NULL, "step|epoch"), \
                                          __VA_ARGS__};
#include "optim/schedules.def"
#undef SCHEDULE

#define SCHEDULE(name_, main_, value_, counts_, help_, ...) \
    {.name = #name_, .main = (main_), .help = (help_), .keys = keys_##name_, .n_keys = (int)BP__COUNT(keys_##name_)},
static const bp__kind kinds[] = {
#include "optim/schedules.def"
};
#undef SCHEDULE

#define SCHEDULE(name, main, value, counts, help, ...) {value, counts},
static const struct {
    bp__schedule_fn *value;
    const char *counts; /* the key that counts ticks, or is a rate per tick */
} rules[] = {
#include "optim/schedules.def"
};
#undef SCHEDULE

enum { DEPTH = 8 }; /* schedules inside schedules */

const bp__kind *bp__schedule_row(int index) { return index >= 0 && index < BP__COUNT(kinds) ? &kinds[index] : NULL; }

const char *bp__schedule_kind(int index, const char **help) {
    if (index < 0 || index >= BP__COUNT(kinds)) return NULL;
    if (help) *help = kinds[index].help;
    return kinds[index].name;
}

void bp__schedule_free(bp__schedule *s) {
    if (!s) return;
    for (int64_t i = 0; i < s->n_children; i++) bp__schedule_free(s->children[i]);
    bp__free(s->ctx, s->children);
    bp__free(s->ctx, s->milestones);
    bp__free(s->ctx, s->scales);
    bp__free(s->ctx, s->memo);
    bp__expression_free(s->formula);
    bp__tree_free(s->ctx, s->tree);
    bp__free(s->ctx, s);
}

bool bp__schedule_is(const bp__schedule *s, const char *kind) { return strcmp(s->choice.kind->name, kind) == 0; }

static bp_status read_milestones(bp__schedule *s, const bp__choice_reader *r, const char *key) {
    const bp__option *o = bp__schedule_option(s, key);
    if (!o->given) return BP_OK;
    s->n_milestones = bp__tree_count(o->tree);
    s->milestones = bp__alloc(s->ctx, sizeof(int64_t) * (size_t)(s->n_milestones + 1));
    if (!s->milestones) return bp__out_of_memory(s->ctx, 0);
    int64_t i = 0;
    for (const bp__tree *t = o->tree->child; t; t = t->next, i++) {
        s->milestones[i] = t->integer;
        if (i > 0 && t->integer < s->milestones[i - 1]) return bp__choice_fail(r, t, "`%s` must not go down", key);
    }
    return BP_OK;
}

static bp_status read_scales(bp__schedule *s, const bp__choice_reader *r) {
    const bp__option *o = bp__schedule_option(s, "scales");
    if (!o->given) return BP_OK;
    int64_t n = o->tree->kind == BP__LIST ? bp__tree_count(o->tree) : -1, i = 0;
    if (n != s->n_milestones)
        return bp__choice_fail(r, o->tree, "`scales` must be a list of %lld numbers, one for each of `boundaries`",
                               (long long)s->n_milestones);
    s->scales = bp__alloc(s->ctx, sizeof(double) * (size_t)(n + 1));
    if (!s->scales) return bp__out_of_memory(s->ctx, 0);
    for (const bp__tree *t = o->tree->child; t; t = t->next, i++) {
        if ((t->kind != BP__INT && t->kind != BP__FLOAT) || !(t->number >= 0 && t->number < HUGE_VAL))
            return bp__choice_fail(r, t, "each of `scales` must be a number of at least 0");
        s->scales[i] = t->number;
    }
    return BP_OK;
}

static bp_status read_formula(bp__schedule *s, const bp__choice_reader *r) {
    static const char *const names[BP__FORMULA_N] = {"step", "epoch", "lr"};
    const bp__option *o = bp__schedule_option(s, "lr_lambda");
    if (!o->given) return BP_OK;
    char why[320] = "";
    bp_status status = bp__expression_new(&s->formula, s->ctx, o->text, names, BP__FORMULA_N, why, sizeof why);
    return status == BP_CONFIG ? bp__choice_fail(r, o->tree, "%s", why) : status;
}

static bp_status read_one(bp__schedule **out, bp_context *ctx, const bp__choice_reader *r, const bp__tree *tree, double base_lr,
                          int depth);

static bp_status read_children(bp__schedule *s, const bp__choice_reader *r, int depth) {
    const bp__option *o = bp__schedule_option(s, "schedules");
    if (!o->given) return BP_OK;
    int64_t n = o->tree->kind == BP__LIST ? bp__tree_count(o->tree) : 0, i = 0;
    if (n == 0) return bp__choice_fail(r, o->tree, "`schedules` must be a list of schedules");
    if (depth >= DEPTH) return bp__choice_fail(r, o->tree, "schedules are nested deeper than %d", DEPTH);
    if (bp__schedule_is(s, "sequential") && s->n_milestones != n - 1)
        return bp__choice_fail(r, o->tree, "%lld schedules need %lld milestones to change at, not %lld", (long long)n,
                               (long long)(n - 1), (long long)s->n_milestones);
    s->children = bp__zalloc(s->ctx, sizeof *s->children * (size_t)n);
    if (!s->children) return bp__out_of_memory(s->ctx, 0);
    s->n_children = n;
    for (const bp__tree *t = o->tree->child; t; t = t->next, i++) {
        char where[128];
        snprintf(where, sizeof where, "%.80s.schedules.%lld", r->where, (long long)i);
        bp__choice_reader inner = *r;
        inner.where = where;
        BP_TRY(read_one(&s->children[i], s->ctx, &inner, t, s->base_lr, depth + 1));
        if (bp__schedule_is_plateau(s->children[i]))
            return bp__choice_fail(&inner, t, "`reduce_on_plateau` follows a metric and cannot be part of another schedule");
    }
    return BP_OK;
}

/* Does it, or one inside it, count ticks? */
static const char *counted_by(const bp__schedule *s) {
    const char *key = rules[s->choice.index].counts;
    if (key[0] != '\0' && bp__schedule_option(s, key)->given) return key;
    for (int64_t i = 0; i < s->n_children; i++) {
        key = counted_by(s->children[i]);
        if (key) return key;
    }
    return NULL;
}

static bp_status read_per(bp__schedule *s, const bp__choice_reader *r, const bp__tree *tree, int depth) {
    const bp__option *per = bp__schedule_option(s, "per");
    const char *name = s->choice.kind->name, *key = counted_by(s);
    if (depth > 0)
        return per->given
                   ? bp__choice_fail(r, per->tree, "`per` of the schedule around `%s` holds here too: leave this one out", name)
                   : BP_OK;
    s->per_epoch = per->given && strcmp(per->text, "epoch") == 0;
    /* A formula says itself what it counts. */
    if (s->formula && !per->given)
        s->per_epoch = bp__expression_uses(s->formula, BP__FORMULA_EPOCH) && !bp__expression_uses(s->formula, BP__FORMULA_STEP);
    if (!key || per->given) return BP_OK;
    return bp__choice_fail(r, tree,
                           "`%s` counts by `%s`: say in what, as in {%s: {%s: …, per: step}} or {%s: {%s: …, per: epoch}}", name,
                           key, name, key, name, key);
}

/* `per` is known: what those inside count too, and whether the formulas fit it. */
static bp_status settle(bp__schedule *s, const bp__choice_reader *r, bool per_epoch) {
    enum { CHECKED = 256 };
    s->per_epoch = per_epoch;
    for (int64_t i = 0; i < s->n_children; i++) BP_TRY(settle(s->children[i], r, per_epoch));
    if (!s->formula) return BP_OK;
    const bp__tree *at = bp__schedule_option(s, "lr_lambda")->tree;
    if (per_epoch && bp__expression_uses(s->formula, BP__FORMULA_STEP))
        return bp__choice_fail(r, at, "`%s` counts epochs here, so its formula cannot use `step`: write per: step",
                               s->choice.kind->name);
    for (int64_t t = 0; t < CHECKED; t++) {
        double factor = bp__schedule_formula(s, t, s->base_lr);
        if (!(factor >= 0 && factor < HUGE_VAL))
            return bp__choice_fail(r, at, "\"%.100s\" is %g at %s %lld, and a factor of the rate must be a number of at least 0",
                                   at->text, factor, per_epoch ? "epoch" : "step", (long long)t);
    }
    return BP_OK;
}

static bp_status fill(bp__schedule *s, const bp__choice_reader *r, const bp__tree *tree, double base_lr, int depth) {
    s->base_lr = base_lr;
    s->steps_per_epoch = 1;
    s->memo = bp__alloc(s->ctx, sizeof *s->memo);
    if (!s->memo) return bp__out_of_memory(s->ctx, sizeof *s->memo);
    s->memo->tick = -1;
    s->tree = bp__tree_copy(s->ctx, tree);
    if (!s->tree) return bp__out_of_memory(s->ctx, 0);
    BP_TRY(bp__choice_read(r, s->tree, &s->choice));
    s->choice.file = NULL; /* not ours to keep */
    if (!bp__schedule_is(s, "noam")) s->warmup = bp__schedule_option(s, "warmup_steps")->integer;
    BP_TRY(read_milestones(s, r, "milestones"));
    BP_TRY(read_milestones(s, r, "boundaries"));
    BP_TRY(read_scales(s, r));
    BP_TRY(read_formula(s, r));
    BP_TRY(read_children(s, r, depth));
    BP_TRY(read_per(s, r, s->tree, depth));
    if (depth == 0) BP_TRY(settle(s, r, s->per_epoch));
    if (bp__schedule_is(s, "noam") && bp__schedule_option(s, "warmup_steps")->given &&
        bp__schedule_option(s, "warmup_steps")->integer == 0)
        return bp__choice_fail(r, s->tree, "`noam` needs `warmup_steps` of at least 1");
    if (bp__schedule_option(s, "cycle_momentum")->boolean &&
        bp__schedule_option(s, "base_momentum")->number > bp__schedule_option(s, "max_momentum")->number)
        return bp__choice_fail(r, s->tree, "`base_momentum` must not be above `max_momentum`");
    if (bp__schedule_is(s, "cyclic")) {
        const bp__option *low = bp__schedule_option(s, "base_lr"), *high = bp__schedule_option(s, "max_lr");
        if (low->given && low->number > high->number)
            return bp__choice_fail(r, high->tree, "`max_lr` must not be below `base_lr`");
    }
    return BP_OK;
}

static bp_status read_one(bp__schedule **out, bp_context *ctx, const bp__choice_reader *r, const bp__tree *tree, double base_lr,
                          int depth) {
    bp__schedule *s = bp__zalloc(ctx, sizeof *s);
    *out = NULL;
    if (!s) return bp__out_of_memory(ctx, sizeof *s);
    s->ctx = ctx;
    bp_status status = fill(s, r, tree, base_lr, depth);
    if (status != BP_OK) {
        bp__schedule_free(s);
        return status;
    }
    *out = s;
    return BP_OK;
}

bp_status bp__schedule_new_for(bp__schedule **out, bp_context *ctx, const char *file, const char *where, const bp__tree *tree,
                               double base) {
    const bp__tree none = {.kind = BP__TEXT, .text = (char *)(uintptr_t) "none"};
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "schedule", .where = where, .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    return read_one(out, ctx, &r, tree && tree->kind != BP__NULL ? tree : &none, base, 0);
}

bp_status bp__schedule_new(bp__schedule **out, bp_context *ctx, const char *file, const bp__tree *tree, double base_lr) {
    return bp__schedule_new_for(out, ctx, file, "schedule", tree, base_lr);
}

bool bp__schedule_per_epoch(const bp__schedule *s) { return s->per_epoch; }
bool bp__schedule_is_plateau(const bp__schedule *s) { return bp__schedule_is(s, "reduce_on_plateau"); }

bool bp__schedule_needs_length(const bp__schedule *s) {
    static const struct {
        const char *kind, *key;
    } lengths[] = {{"linear", "total_iters"},
                   {"polynomial", "total_iters"},
                   {"cosine", ""},
                   {"cosine_annealing", "t_max"},
                   {"one_cycle", "total_steps"},
                   {"wsd", ""},
                   {"flat_cos", ""},
                   {"coslog4", ""}};
    for (int64_t i = 0; i < BP__COUNT(lengths); i++)
        if (bp__schedule_is(s, lengths[i].kind) && (lengths[i].key[0] == '\0' || !bp__schedule_option(s, lengths[i].key)->given))
            return true;
    if (bp__schedule_is(s, "constant") && bp__schedule_option(s, "factor")->given &&
        !bp__schedule_option(s, "total_iters")->given)
        return true;
    if (bp__schedule_is(s, "sequential")) return bp__schedule_needs_length(s->children[s->n_children - 1]);
    for (int64_t i = 0; i < s->n_children; i++)
        if (bp__schedule_needs_length(s->children[i])) return true;
    return false;
}

void bp__schedule_set_length(bp__schedule *s, int64_t ticks) {
    s->length = BP__MAX(ticks - s->warmup, 1);
    s->memo->tick = -1;
    bool one_by_one = bp__schedule_is(s, "sequential");
    for (int64_t i = 0; i < s->n_children; i++) {
        int64_t start = one_by_one && i > 0 ? s->milestones[i - 1] : 0;
        int64_t end = one_by_one && i + 1 < s->n_children ? s->milestones[i] : s->length;
        bp__schedule_set_length(s->children[i], BP__MAX(end - start, 1));
    }
}

void bp__schedule_set_lr(bp__schedule *s, double base_lr) {
    s->base_lr = base_lr;
    s->memo->tick = -1;
    for (int64_t i = 0; i < s->n_children; i++) bp__schedule_set_lr(s->children[i], base_lr);
}

bool bp__schedule_needs_epochs(const bp__schedule *s) {
    bool needs = s->formula && !s->per_epoch && bp__expression_uses(s->formula, BP__FORMULA_EPOCH);
    for (int64_t i = 0; i < s->n_children && !needs; i++) needs = bp__schedule_needs_epochs(s->children[i]);
    return needs;
}

void bp__schedule_set_epoch(bp__schedule *s, int64_t steps_per_epoch) {
    s->steps_per_epoch = BP__MAX(steps_per_epoch, 1);
    s->memo->tick = -1;
    for (int64_t i = 0; i < s->n_children; i++) bp__schedule_set_epoch(s->children[i], steps_per_epoch);
}

int64_t bp__schedule_length(const bp__schedule *s, const char *key) {
    const bp__option *o = bp__schedule_option(s, key);
    int64_t n = o->given ? o->integer : s->length;
    return BP__MAX(n, 1);
}

double bp__schedule_value(const bp__schedule *s, int64_t tick) {
    if (tick < s->warmup) return s->base_lr * (double)(tick + 1) / (double)s->warmup;
    return rules[s->choice.index].value(s, tick - s->warmup);
}
