/* Penalties on weights, added to the loss; max_norm, a limit kept after every update; and noise on weights while training.
   W: a parameter as a matrix [first axis, all others].
     l1            l1·sum |w|                (Keras' L1; with l2 elastic, its L1L2)
     l2            l2·sum w^2                (Keras' L2)
     orthogonal    orthogonal·mean |cos| over all pairs of rows of W, rows made unit length (Keras' OrthogonalRegularizer, rows)
     max_norm      rows of W (a vector is one row) longer than max_norm times max_norm / (length + 1e-7) (PyTorch's renorm)
     weight_noise  w + weight_noise·n is what the layers see in training, n normal and new in each step and each of its shards;
   the gradient there moves w (An, The effects of adding noise during backpropagation training on a generalization performance,
   1996; Graves, Practical variational inference for neural networks, 2011, section 5) */
#include "optim/optimizers.h"

#include <math.h>
#include <stdio.h>

static const bp__key keys[] = {{.name = "match", .type = BP__KEY_TEXT, .required = true},
                               BP__K_NUMBER("l1", 0, 0, HUGE_VAL),
                               BP__K_NUMBER("l2", 0, 0, HUGE_VAL),
                               BP__K_NUMBER("orthogonal", 0, 0, HUGE_VAL),
                               BP__K_POSITIVE("max_norm", HUGE_VAL),
                               BP__K_NUMBER("weight_noise", 0, 0, HUGE_VAL)};
static const bp__kind rule = {.name = "regularize", .main = NULL, .keys = keys, .n_keys = (int)BP__COUNT(keys)};

/* One entry as a choice {regularize: entry}; *wrapped (owns) is what the choice borrows from. */
static bp_status read_entry(bp_context *ctx, const char *file, const bp__tree *entry, int64_t index, bp__tree **wrapped,
                            bp__choice *out) {
    char where[48];
    snprintf(where, sizeof where, "regularize.%lld", (long long)index);
    bp__choice_reader r = {.ctx = ctx, .file = file, .what = "regularize", .where = where, .kinds = &rule, .n_kinds = 1};
    *wrapped = NULL;
    if (entry->kind != BP__MAP)
        return bp__choice_fail(&r, entry, "an entry is a mapping, as in {match: \"*.weight\", l2: 1.0e-4}");
    bp__tree *copy = bp__tree_copy(ctx, entry);
    *wrapped = bp__tree_new(ctx, BP__MAP);
    if (!copy || !*wrapped) {
        bp__tree_free(ctx, copy);
        return bp__out_of_memory(ctx, 0);
    }
    (*wrapped)->line = entry->line;
    BP_TRY(bp__tree_put(ctx, *wrapped, rule.name, copy));
    return bp__choice_read(&r, *wrapped, out);
}

static double number(const bp__choice *c, const char *key) { return bp__choice_option(c, key)->number; }

/* Calls `act` with every entry; `file` NULL and a checked tree while building. */
typedef bp_status entry_fn(void *user, const bp__choice *c);
static bp_status for_each(bp_context *ctx, const char *file, const bp__tree *tree, entry_fn *act, void *user) {
    if (!tree || tree->kind == BP__NULL) return BP_OK;
    if (tree->kind != BP__LIST) {
        bp__where where = {.code = "bad_value", .file = file, .line = tree->line};
        return bp__fail_at(ctx, BP_CONFIG, where, "regularize: expected a list, as in [{match: \"*.weight\", l2: 1.0e-4}]");
    }
    int64_t index = 0;
    for (const bp__tree *entry = tree->child; entry; entry = entry->next) {
        bp__tree *wrapped;
        bp__choice c;
        bp_status status = read_entry(ctx, file, entry, index++, &wrapped, &c);
        if (status == BP_OK && number(&c, "l1") + number(&c, "l2") + number(&c, "orthogonal") + number(&c, "weight_noise") == 0 &&
            number(&c, "max_norm") == HUGE_VAL) {
            bp__where where = {.code = "bad_value", .file = file, .line = entry->line};
            status = bp__fail_at(ctx, BP_CONFIG, where,
                                 "regularize.%lld does nothing: give it l1, l2, orthogonal, max_norm or weight_noise",
                                 (long long)index - 1);
        }
        if (status == BP_OK && act) status = act(user, &c);
        if (wrapped) bp__tree_free(ctx, wrapped);
        BP_TRY(status);
    }
    return BP_OK;
}

bp_status bp__regularize_check(bp_context *ctx, const char *file, const bp__tree *tree) {
    return for_each(ctx, file, tree, NULL, NULL);
}

typedef struct work {
    bp_graph *g;
    const bp_value *params;
    int n;
    bp_dtype dtype;
    bp_value penalty;
    int entry; /* of weight_noise: each has its own stream */
} work;

static bp_value as_rows(bp_value x, double *rows) {
    bp_dims d = bp_value_dims(x);
    *rows = d.n > 1 ? (double)d.dim[0] : 1;
    int64_t n = d.n > 1 ? d.dim[0] : 1, m = 1;
    for (int64_t k = d.n > 1; k < d.n; k++) m *= d.dim[k];
    return bp_reshape(x, bp_shape(2, n, m));
}

/* sum |rows of W·Wt| less the diagonal, over the number of pairs counted twice. */
static bp_value pairs(bp_value p) {
    double rows;
    bp_value w = as_rows(p, &rows), squares = bp__sum_axis(bp_square(w), 1, true);
    if (rows < 2) return bp__k_like(p, 0);
    w = bp_mul(w, bp_rsqrt(bp_maximum(squares, bp__k_like(p, 1e-12))));
    bp_value all = bp__sum_all(bp_abs(bp_matmul(w, bp__transpose(w)))), diagonal = bp__sum_all(bp_square(w));
    return bp__mul_k(bp_sub(all, diagonal), 1 / (rows * (rows - 1)));
}

static void add(work *w, bp_value x, double factor) {
    if (bp_value_dtype(x) != w->dtype) x = bp_cast(x, w->dtype);
    x = bp__mul_k(x, factor);
    w->penalty = w->penalty.graph ? bp_add(w->penalty, x) : x;
}

/* A pattern that takes no parameter is a mistake. */
static bp_status matches_none(const work *w, const bp__choice *c, const char *match) {
    const char *names[64];
    char hint[240];
    int n = 0;
    while (n < w->n && n < (int)BP__COUNT(names)) names[n] = bp__parameter_name(w->params[n]), n++;
    bp__where where = {
        .code = "no_match", .file = c->file, .line = c->line, .hint = bp__name_hint(hint, sizeof hint, match, names, n)};
    return bp__fail_at(w->g->ctx, BP_CONFIG, where, "regularize: `match: %.60s` is the name of no parameter that is trained",
                       match);
}

static bp_status penalize(void *user, const bp__choice *c) {
    work *w = user;
    const char *match = bp__choice_option(c, "match")->text;
    bool used = false;
    for (int i = 0; i < w->n; i++) {
        bp_value p = w->params[i];
        if (!bp__name_matches(match, p)) continue;
        used = true;
        if (number(c, "l1") > 0) add(w, bp__sum_all(bp_abs(p)), number(c, "l1"));
        if (number(c, "l2") > 0) add(w, bp__sum_all(bp_square(p)), number(c, "l2"));
        if (number(c, "orthogonal") > 0) add(w, pairs(p), number(c, "orthogonal"));
    }
    return used ? w->g->status : matches_none(w, c, match);
}

bp_status bp__regularize_penalty(bp_graph *g, const bp__tree *tree, bp_dtype dtype, const bp_value *params, int n,
                                 bp_value *penalty) {
    const char *scope = bp__graph_scope(g, "regularize");
    work w = {.g = g, .params = params, .n = n, .dtype = dtype, .penalty = BP_NONE};
    bp_status status = for_each(g->ctx, NULL, tree, penalize, &w);
    *penalty = w.penalty;
    bp__graph_scope(g, scope);
    return status;
}

static bp_status project(void *user, const bp__choice *c) {
    work *w = user;
    double limit = number(c, "max_norm");
    for (int i = 0; i < w->n && limit < HUGE_VAL; i++) {
        bp_value p = w->params[i];
        if (!bp__name_matches(bp__choice_option(c, "match")->text, p)) continue;
        bp_value q = bp__assigned(p, NULL), most = bp__k_like(p, limit);
        bp_dims d = bp_value_dims(p), axes = {.n = 0};
        for (int64_t k = d.n > 1; k < d.n; k++) axes.dim[axes.n++] = k;
        bp_value length = bp_sqrt(d.n > 0 ? bp__sum_axes(bp_square(q), axes, true) : bp_square(q));
        bp_value shorter = bp_mul(q, bp_div(most, bp__add_k(length, 1e-7)));
        bp_value next = bp_where(bp_gt(length, most), shorter, q);
        bp__assigned(p, &next);
    }
    return w->g->status;
}

bp_status bp__regularize_project(bp_graph *g, const bp__tree *tree, const bp_value *params, int n) {
    const char *scope = bp__graph_scope(g, "regularize");
    work w = {.g = g, .params = params, .n = n};
    bp_status status = for_each(g->ctx, NULL, tree, project, &w);
    bp__graph_scope(g, scope);
    return status;
}

static bp_status disturb(void *user, const bp__choice *c) {
    work *w = user;
    bp_value p = w->params[0];
    char name[600];
    double deviation = number(c, "weight_noise");
    w->entry++;
    if (deviation == 0 || !bp__name_matches(bp__choice_option(c, "match")->text, p)) return BP_OK;
    snprintf(name, sizeof name, "regularize/%d/%s/noise", w->entry, bp__parameter_name(p));
    w->penalty = bp_add(w->penalty.graph ? w->penalty : p, bp__mul_k(bp_random_normal(p, name), deviation));
    return BP_OK;
}

bp_value bp__regularize_noisy(bp_graph *g, const bp__tree *tree, bp_value parameter) {
    work w = {.g = g, .params = &parameter, .n = 1, .penalty = BP_NONE};
    bp_status status = for_each(g->ctx, NULL, tree, disturb, &w);
    return status == BP_OK && w.penalty.graph ? w.penalty : parameter;
}
