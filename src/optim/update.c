/* What optimisers share: state, scalars, common formulas; and what surrounds the update of every one of them. */
#include "optim/optimizers.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* ---- Scalars and state ------------------------------------------------------------------------------------------------- */

bp_value bp__power(const bp__update *u, double base, bp_value exponent) { return bp_pow(bp__f64(u, base), exponent); }
bp_value bp__correction(const bp__update *u, double base) { return bp_sub(u->one, bp__power(u, base, u->t)); }
bp_value bp__unbias(const bp__update *u, double base) { return bp_div(u->one, bp__correction(u, base)); }

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

bp_value bp__moment_of_shape(bp__update *u, int i, const char *role, bp_dims dims, bp_init init) {
    char name[512];
    bp_value p = u->params[i];
    if (bp_is_bad(p)) return p;
    snprintf(name, sizeof name, "optimizer/%s/%s", u->g->nodes[p.node].name, role);
    return bp_variable(u->g, name, bp_value_dtype(p), dims, init);
}

bp_value bp__moment(bp__update *u, int i, const char *role, bp_init init) {
    return bp__moment_of_shape(u, i, role, bp_value_dims(u->params[i]), init);
}

bp_value bp__started(bp__update *u, int i, const char *role, bp_value *variable) {
    bp_value p = u->params[i];
    *variable = bp__moment(u, i, role, bp_zeros());
    return bp_where(bp__as(u, u->first, p), p, *variable);
}

bp_value bp__counter(bp__update *u, const char *role, double start) {
    char name[128];
    if (u->group == 0)
        snprintf(name, sizeof name, "optimizer/%s", role);
    else
        snprintf(name, sizeof name, "optimizer/%s.%d", role, u->group);
    return bp_variable(u->g, name, BP_F64, bp_shape(0), bp_filled(start));
}

const char *bp__parameter_name(bp_value p) { return p.graph && p.node >= 0 ? p.graph->nodes[p.node].name : ""; }

bool bp__same_layer(bp_value a, bp_value b) {
    const char *x = bp__parameter_name(a), *y = bp__parameter_name(b), *dot_x = strrchr(x, '.'), *dot_y = strrchr(y, '.');
    size_t n = dot_x ? (size_t)(dot_x - x) : strlen(x), m = dot_y ? (size_t)(dot_y - y) : strlen(y);
    return n == m && strncmp(x, y, n) == 0;
}

bool bp__name_matches(const char *pattern, bp_value p) { return fnmatch(pattern, bp__parameter_name(p), 0) == 0; }

double bp__elements(bp_value p) {
    bp_dims d = bp_value_dims(p);
    double n = 1;
    for (int64_t i = 0; i < d.n; i++) n *= (double)d.dim[i];
    return n;
}

/* ---- Formulas ------------------------------------------------------------------------------------------------------------ */

bp_value bp__gradient_of(bp__update *u, int i, double decay) {
    bp_value g = u->grads[i];
    if (bp__yes(u, "maximize")) g = bp_neg(g);
    bool moved = u->decay.graph && bp__has(u, "weight_decay") && decay == bp__num(u, "weight_decay");
    return moved ? bp_add(g, bp__decay_of(u, u->params[i])) : decay != 0 ? bp_add(g, bp__mul_k(u->params[i], decay)) : g;
}

bp_value bp__decay_of(bp__update *u, bp_value p) {
    if (!u->decay.graph) return bp__mul_k(p, bp__num(u, "weight_decay"));
    *u->takes_decay = true;
    return bp__scaled(u, p, u->decay);
}

bp_value bp__times_momentum(bp__update *u, bp_value x, double standard) {
    if (!u->momentum.graph) return bp__mul_k(x, standard);
    *u->takes_momentum = true;
    return bp__scaled(u, x, u->momentum);
}

bp_value bp__decayed(bp_value v, double decay, bp_value a, bp_value b) {
    return bp_add(bp__mul_k(v, decay), bp_mul(bp__mul_k(a, 1 - decay), b));
}

bp_value bp__averaged(bp_value m, double decay, bp_value x) { return bp_lerp(m, x, bp__k_like(x, 1 - decay)); }

void bp__descend(bp__update *u, int i, bp_value lr, bp_value step) {
    bp_value p = u->params[i];
    bp_assign(p, bp_sub(p, bp__scaled(u, step, lr)));
}

/* A matrix first down its rows, so that one stored in panels of columns is read as it lies. */
bp_value bp__sum_of_squares(bp_value x) {
    bp_value s = bp_square(x);
    if (bp_value_dims(x).n >= 2) s = bp__sum_axis(s, 0, false);
    if (bp_value_dims(s).n > 0) s = bp__sum_all(s);
    return bp_value_dtype(s) == BP_F64 ? s : bp_cast(s, BP_F64);
}

bp_value bp__trust_ratio(bp__update *u, bp_value p, bp_value step, double coefficient, double eps) {
    bp_value zero = bp__f64(u, 0), a = bp_sqrt(bp__sum_of_squares(p)), b = bp_sqrt(bp__sum_of_squares(step));
    bp_value some = bp_logical_and(bp_gt(a, zero), bp_gt(b, zero));
    bp_value below = bp_where(some, bp__add_k(b, eps), u->one);
    return bp_where(some, bp_div(bp__mul_k(a, coefficient), below), u->one);
}

/* ---- Before and after every update ----------------------------------------------------------------------------------------- */

/* Yong et al., "Gradient centralization", 2020: the mean over all axes but the first is taken away; vectors stay. */
static bp_value centralized(bp_value g) {
    bp_dims d = bp_value_dims(g), axes = {.n = d.n - 1};
    if (d.n < 2) return g;
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i + 1;
    bp_mean_options o = bp_mean_defaults();
    o.axes = axes;
    o.keepdim = true;
    return bp_sub(g, bp_mean(g, &o));
}

/* Neelakantan et al., "Adding gradient noise improves learning for very deep networks", 2015: normal noise of variance
   eta/t^gamma; two uniform numbers make a normal one (Box, Muller). */
static bp_value noisy(bp__update *u, int i, bp_value g) {
    char name[512];
    const char *parameter = u->g->nodes[u->params[i].node].name;
    snprintf(name, sizeof name, "optimizer/%s/noise_length", parameter);
    bp_value length = bp_random_uniform(g, name);
    snprintf(name, sizeof name, "optimizer/%s/noise_angle", parameter);
    bp_value angle = bp__mul_k(bp_random_uniform(g, name), 6.28318530717958647692);
    bp_value radius = bp_sqrt(bp__mul_k(bp_log(bp_sub(bp__k_like(g, 1), length)), -2));
    bp_value variance = bp_div(bp__f64(u, bp__num(u, "noise_eta")), bp_pow(u->t, bp__f64(u, bp__num(u, "noise_gamma"))));
    return bp_add(g, bp__scaled(u, bp_mul(radius, bp_cos(angle)), bp_sqrt(variance)));
}

bp_value bp__assigned(bp_value variable, const bp_value *instead) {
    bp_graph *g = variable.graph;
    if (!g || g->status != BP_OK) return BP_NONE;
    bp__variable *v = &g->variables[*(int64_t *)g->nodes[variable.node].attrs];
    bp_value was = v->assigned.node < 0 ? variable : bp__value(g, v->assigned);
    if (instead) v->assigned = (bp__ref){-1, 0};
    if (instead) bp_assign(variable, *instead);
    return was;
}

/* Zhang et al., "Lookahead optimizer", 2019: every k updates the slow weights go `alpha` of the way to the fast ones, which start
   again from there. */
static void look_ahead(bp__update *u, int64_t k) {
    bp_value turn = bp_fmod(u->t, bp__f64(u, (double)k)), sync = bp_eq(turn, bp__f64(u, 0));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], slow, old = bp__started(u, i, "slow", &slow), fast = bp__assigned(p, NULL);
        bp_value now = bp__as(u, sync, p);
        bp_value moved = bp_add(old, bp__mul_k(bp_sub(fast, old), bp__num(u, "lookahead_alpha")));
        bp_assign(slow, bp_where(now, moved, old));
        bp_value next = bp_where(now, moved, fast);
        bp__assigned(p, &next);
    }
}

void bp__optimizer_update(bp__update *u, bp_value *grads, bp__optimizer_fn *build) {
    for (int i = 0; i < u->n; i++) {
        if (bp__yes(u, "centralize")) grads[i] = centralized(grads[i]);
        if (bp__num(u, "noise_eta") > 0 && !bp_is_bad(u->params[i])) grads[i] = noisy(u, i, grads[i]);
    }
    build(u);
    int64_t k = bp__of(u, "lookahead_k")->integer;
    if (k > 0) look_ahead(u, k);
}
