/* Draws gradients, gradients of gradients, and updates of the state; the second half of random_graph_draw.h, which includes
   it. */
#ifndef BP__RANDOM_GRAPH_UPDATES_H
#define BP__RANDOM_GRAPH_UPDATES_H
static inline int draw_gradients(recipe *r, int *wrt, int n_wrt) {
    step s = {.kind = GRADIENTS, .n_in = 0, .n_wrt = n_wrt};
    for (int i = 0; i < n_wrt; i++) s.wrt[i] = wrt[i];
    for (int k = 1 + (int)below(r, 3); k > 0; k--) {
        int v = any_real(r, 0);
        if (v < 0) continue;
        if (chance(r, 60)) v = apply1(r, ID(square), NULL, apply1(r, ID(tanh), NULL, v));
        if (v >= 0) s.in[s.n_in++] = v;
    }
    return s.n_in > 0 && n_wrt > 0 ? push(r, &s) : -1;
}

/* Of the length of the first gradients, by the same leaves. */
static inline int draw_second_gradients(recipe *r, int gradients, const int *wrt, int n_wrt) {
    step s = {.kind = GRADIENTS, .n_in = 0, .n_wrt = n_wrt};
    for (int i = 0; i < n_wrt; i++) s.wrt[i] = wrt[i];
    for (int i = 0; i < n_wrt && s.n_in < 4; i++) {
        int v = chance(r, 60) ? apply1(r, ID(square), NULL, apply1(r, ID(tanh), NULL, gradients + i)) : -1;
        if (v >= 0) s.in[s.n_in++] = v;
    }
    return s.n_in > 0 ? push(r, &s) : -1;
}

static inline void assign(recipe *r, int variable, int value) {
    if (value < 0 || r->n_assigns == MAX_ASSIGNS) return;
    for (int i = 0; i < r->n_assigns; i++)
        if (r->variable[i] == variable) return;
    r->variable[r->n_assigns] = variable;
    r->assigned[r->n_assigns++] = value;
}

/* y = a * p + b * q */
static inline int blend(recipe *r, int a, double p, int b, double q) {
    return apply2(r, ID(add), NULL, apply2(r, ID(mul), NULL, a, number(r, BP_F32, p)),
                  apply2(r, ID(mul), NULL, b, number(r, BP_F32, q)));
}

/* A variable or parameter of the same shape as `v`, most likely another one. */
static inline int sibling(recipe *r, int v) {
    bp_dims d = dims_of(r, v);
    int found = v;
    for (int i = 0; i < r->n_steps; i++) {
        const step *s = &r->steps[i];
        if ((s->kind == PARAMETER || s->kind == VARIABLE) && s->out != v && s->dtype == BP_F32 && same_dims(&d, &s->dims) &&
            (found == v || chance(r, 50)))
            found = s->out;
    }
    return found;
}

static inline void draw_update(recipe *r, int v, int gradient, int scale) {
    bp_dims d = dims_of(r, v);
    int g = gradient;
    if (g >= 0 && scale >= 0) g = apply2(r, ID(mul), NULL, g, scale);
    if (g < 0) g = apply1(r, ID(cos), NULL, v);
    int m, n, moment, root;
    switch (below(r, 9)) {
    case 0:
    case 1: assign(r, v, blend(r, v, 0.99, g, -0.1)); break;
    case 2: /* momentum */
        m = leaf(r, VARIABLE, BP_F32, d, 0, 0);
        if (m < 0) return;
        n = blend(r, m, 0.9, g, 1);
        assign(r, m, n);
        assign(r, v, blend(r, v, 1, n, -0.05));
        break;
    case 3:
    case 4: /* of the Adam kind */
        m = leaf(r, VARIABLE, BP_F32, d, 0, 0);
        n = leaf(r, VARIABLE, BP_F32, d, 0, 0.1);
        if (m < 0 || n < 0) return;
        moment = blend(r, m, 0.9, g, 0.1);
        root = blend(r, n, 0.99, apply1(r, ID(square), NULL, g), 0.01);
        assign(r, m, moment);
        assign(r, n, root);
        root = apply2(r, ID(add), NULL, apply1(r, ID(sqrt), NULL, root), number(r, BP_F32, 1e-3));
        assign(r, v, blend(r, v, 1, apply2(r, ID(div), NULL, moment, root), -0.05));
        break;
    case 5: /* variables read one another */
        m = sibling(r, v);
        assign(r, v, blend(r, v, 0.5, m, 0.5));
        assign(r, m, apply2(r, ID(sub), NULL, m, v));
        break;
    case 6: assign(r, v, sibling(r, v)); break; /* as it is, also when the other one is written */
    case 7:                                     /* itself, seen otherwise */
        if (d.n == 2 && d.dim[0] == d.dim[1])
            assign(r, v, permuted(r, v));
        else if (d.n > 0 && d.dim[0] > 0)
            assign(r, v, apply1(r, ID(slice), ATTRS(slice, .axis = 0, .start = d.dim[0] - 1, .length = d.dim[0], .step = -1), v));
        break;
    default: assign(r, v, chance(r, 30) ? g : apply2(r, ID(minimum), NULL, v, g)); break;
    }
}

static inline void draw_updates(recipe *r, const int *wrt, int n_wrt, int gradients) {
    int scale = -1, n = r->n_steps;
    if (gradients >= 0 && chance(r, 50)) {
        int norm = -1;
        for (int i = 0; i < n_wrt; i++) {
            int sum = apply1(r, ID(sum), ATTRS(sum, .axes = {.n = -1}), apply1(r, ID(square), NULL, gradients + i));
            norm = norm < 0 ? sum : apply2(r, ID(add), NULL, norm, sum);
        }
        if (norm < 0) return;
        scale = apply2(r, ID(minimum), NULL, number(r, BP_F32, 1),
                       apply2(r, ID(div), NULL, number(r, BP_F32, 0.5), apply1(r, ID(sqrt), NULL, norm)));
        if (chance(r, 60)) r->ok = apply1(r, ID(is_finite), NULL, norm);
    }
    for (int i = 0; i < n; i++) {
        const step *s = &r->steps[i];
        if ((s->kind != PARAMETER && s->kind != VARIABLE) || chance(r, 15)) continue;
        if (s->dtype == BP_I64) assign(r, s->out, apply2(r, ID(add), NULL, s->out, number(r, BP_I64, 1)));
        if (s->dtype != BP_F32) continue;
        int g = -1;
        for (int k = 0; k < n_wrt && gradients >= 0; k++)
            if (wrt[k] == s->out) g = gradients + k;
        draw_update(r, s->out, g, scale);
    }
}
#endif
