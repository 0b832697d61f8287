/* Gradients of random graphs against differences, in double precision. From a recipe and a list of values to differentiate comes
   another recipe, in which every x that they are differentiated by becomes x + t * v with v at random: the derivative of
   L = Σ what is differentiated * random cotangents by the number t is Σ gradient * v by the chain rule, and a quotient of
   differences of L. Where L has a kink near
   the point the quotients of several steps contradict one another; that is recognised, and said. */
#ifndef BP__RANDOM_GRAPH_SLOPE_H
#define BP__RANDOM_GRAPH_SLOPE_H
#include "support/fixed_inputs.h"
#include "support/random_graph_draw.h"
#include "support/random_graph_run.h"

enum { SLOPE_OUTPUTS = 5 };

typedef struct slope {
    const recipe *of;
    step d;               /* what is differentiated (in) and by what (wrt): values of the recipe `of` */
    int order;            /* 2: the gradients, times random numbers, are differentiated once more */
    bool cut[MAX_VALUES]; /* values that are replaced by leaves, to shrink the graph */
} slope;

typedef enum verdict { AGREES, WRONG, NOT_SMOOTH, VACUOUS, NOT_FINITE, NOT_BUILT, VERDICTS } verdict;
static const char *const verdict_names[VERDICTS] = {"compared",          "wrong",      "not smooth there",
                                                    "without an effect", "not finite", "too large to be built"};

typedef struct measured {
    double by_rule, by_differences, error, scale, h; /* scale: Σ |gradient * v| */
    char message[400];                               /* of NOT_BUILT */
} measured;

/* ---- The recipe with t ------------------------------------------------------------------------------------------------- */

/* Expressions over symbols have numbers that belong to their graph: they become what they are for this batch. */
static inline void resolve(const recipe *of, bp_dims *d) {
    int64_t symbols[2] = {of->batch, 1};
    for (int64_t i = 0; i < d->n; i++)
        if (d->dim[i] < 0 && d->dim[i] != BP_BATCH && d->dim[i] != BP_INFER)
            d->dim[i] = bp__dim_eval(of->g->dims, d->dim[i], symbols);
}

/* Where a gradient is on purpose another one than the derivative (PyTorch's is the same), the graph is asked without that. */
static inline void make_true(recipe *r, const recipe *of, step *s) {
    if (s->op == bp__op_id(ID(gumbel_softmax))) ((struct bp__gumbel_softmax_attrs *)(void *)s->attrs.bytes)->hard = 0;
    if (s->op == bp__op_id(ID(embedding))) ((struct bp__embedding_attrs *)(void *)s->attrs.bytes)->padding_idx = BP_UNSET;
    for (int k = 0; k < s->n_in; k++) {
        if (s->in[k] < 0 || !is_fixed(s->op, k)) continue;
        bp_dims d = bp_value_dims(r->value[s->in[k]]);
        s->in[k] = leaf(r, INPUT, BP_F32, d, 0.1, 0.6);
    }
    for (int32_t i = 0; i < s->op->n_attrs; i++)
        if (s->op->attrs[i].type == BP__ATTR_DIMS && !strcmp(s->op->attrs[i].name, "shape"))
            resolve(of, (bp_dims *)(void *)(s->attrs.bytes + s->op->attrs[i].offset));
}

static inline int mapped(const int *map, int v) { return v < 0 ? v : map[v]; }

/* The step in the recipe with t; the number of its first value. */
static inline int repeat_step(const slope *q, recipe *r, const step *from, const int *map) {
    step s = *from;
    if (from->n_out == 1 && q->cut[from->out]) {
        bp_dims d = bp_value_dims(q->of->value[from->out]);
        resolve(q->of, &d);
        return leaf(r, INPUT, BP_F32, d, 0.2, 0.8);
    }
    for (int k = 0; k < s.n_in; k++) s.in[k] = mapped(map, from->in[k]);
    for (int k = 0; k < s.n_wrt; k++) s.wrt[k] = mapped(map, from->wrt[k]);
    if (s.kind == OPERATION && s.op == bp__op_id(ID(stop_gradient))) return s.in[0];
    if (s.kind == OPERATION) make_true(r, q->of, &s);
    resolve(q->of, &s.dims);
    return push(r, &s);
}

/* The steps of q->of that it needs. */
static inline void needed_by(const slope *q, bool *steps) {
    static recipe r;
    r = *q->of;
    r.n_outputs = r.n_assigns = 0;
    r.ok = -1;
    for (int i = r.n_steps - 1; i >= 0; i--) /* what is cut off needs nothing */
        for (int k = 0; k < r.steps[i].n_out; k++)
            if (q->cut[r.steps[i].out + k]) r.steps[i].n_in = r.steps[i].n_wrt = 0;
    bool all[MAX_STEPS];
    memset(steps, 0, MAX_STEPS * sizeof *steps);
    for (int k = 0; k < q->d.n_in + q->d.n_wrt; k++) {
        r.outputs[0] = k < q->d.n_in ? q->d.in[k] : q->d.wrt[k - q->d.n_in];
        r.n_outputs = 1;
        needed(&r, all);
        for (int i = 0; i < r.n_steps; i++) steps[i] |= all[i];
    }
}

static inline int sum_up(recipe *r, int sum, int v) {
    v = apply1(r, ID(sum), ATTRS(sum, .axes = {.n = -1}), v);
    return sum < 0 ? v : apply2(r, ID(add), NULL, sum, v);
}

/* y times random numbers. */
static inline int weighted(recipe *r, int y) {
    return y < 0 ? y : apply2(r, ID(mul), NULL, y, leaf(r, INPUT, BP_F32, bp_value_dims(r->value[y]), -1, 1));
}

/* Outputs: the first input, so that the batch is known; L; Σ gradient * v; Σ |gradient * v|; Σ of the sizes of L's terms. */
static inline bool derive(const slope *q, recipe *r) {
    bool wanted[MAX_STEPS];
    int map[MAX_VALUES], v[MAX_WRT], l = -1, d = -1, scale = -1, terms = -1;
    const recipe *of = q->of;
    *r = (recipe){.seed = of->seed, .ok = -1, .ctx = of->ctx, .largest = INT64_MAX, .batch = of->batch};
    bp_context_clear_error(of->ctx);
    if (bp_graph_new(&r->g, of->ctx) != BP_OK) return false;
    needed_by(q, wanted);
    map[of->steps[0].out] = push(r, &of->steps[0]);
    r->moving = r->n_steps;
    int t = leaf(r, INPUT, BP_F32, bp_shape(0), 0, 0);
    for (int i = 0; i < of->n_steps && !r->overfull && r->g->status == BP_OK; i++) {
        const step *s = &of->steps[i];
        if (i > 0 && !wanted[i]) continue;
        int first = i > 0 ? repeat_step(q, r, s, map) : map[s->out];
        for (int k = 0; k < s->n_out; k++) {
            map[s->out + k] = first < 0 ? first : first + k;
            for (int j = 0; j < q->d.n_wrt; j++) {
                if (q->d.wrt[j] != s->out + k || first < 0) continue;
                v[j] = leaf(r, INPUT, BP_F32, bp_value_dims(r->value[first + k]), -1, 1);
                map[s->out + k] = apply2(r, ID(add), NULL, first + k, apply2(r, ID(mul), NULL, v[j], t));
            }
        }
    }
    step by = q->d;
    for (int k = 0; k < by.n_in; k++) by.in[k] = weighted(r, mapped(map, by.in[k]));
    for (int k = 0; k < by.n_wrt; k++) by.wrt[k] = mapped(map, by.wrt[k]);
    if (r->overfull || r->g->status != BP_OK) return false;
    int gradient = push(r, &by);
    for (int order = 1; order < q->order && gradient >= 0; order++) {
        by.n_in = BP__MIN(by.n_wrt, MAX_IN);
        for (int k = 0; k < by.n_in; k++) by.in[k] = weighted(r, gradient + k);
        gradient = push(r, &by);
    }
    for (int k = 0; k < by.n_in; k++) {
        l = sum_up(r, l, by.in[k]);
        terms = sum_up(r, terms, apply1(r, ID(abs), NULL, by.in[k]));
    }
    for (int k = 0; k < by.n_wrt && gradient >= 0; k++) {
        int product = apply2(r, ID(mul), NULL, gradient + k, v[k]);
        d = sum_up(r, d, product);
        scale = sum_up(r, scale, apply1(r, ID(abs), NULL, product));
    }
    r->n_outputs = SLOPE_OUTPUTS;
    memcpy(r->outputs, (const int[]){r->steps[0].out, l, d, scale, terms}, SLOPE_OUTPUTS * sizeof(int));
    return !r->overfull && r->g->status == BP_OK && l >= 0 && d >= 0 && scale >= 0;
}

/* ---- Measuring ----------------------------------------------------------------------------------------------------------- */

static inline bp_status open_slope(const recipe *r, running *run, bp_context *ctx) {
    static bp_value value[MAX_VALUES];
    bp_value outputs[SLOPE_OUTPUTS];
    BP_TRY(bp_graph_new(&run->g, ctx));
    bp_graph_set_dtype(run->g, BP_F64);
    for (int i = 0; i < r->n_steps; i++) build_step(run->g, r, i, value, ONLY_F64);
    BP_TRY(bp_graph_status(run->g));
    for (int i = 0; i < SLOPE_OUTPUTS; i++) outputs[i] = value[r->outputs[i]];
    BP_TRY(bp_state_new(&run->state, run->g));
    BP_TRY(bp_program_new(&run->program, run->g, outputs, SLOPE_OUTPUTS, NULL));
    BP_TRY(bp_session_new(&run->session, run->program, run->state));
    BP_TRY(feed(r, run, ONLY_F64, 0, r->batch));
    bp_session_set_step(run->session, r->seed, 0, 0);
    return BP_OK;
}

/* Output k of derive() at t. */
static inline double output_at(const recipe *r, running *run, double t, int k) {
    const void *data;
    bp_dtype dtype;
    bp_dims dims;
    *(double *)run->data[r->moving] = t;
    if (bp_session_run(run->session) != BP_OK || bp_session_output(run->session, k, &data, &dtype, &dims) != BP_OK)
        return (double)NAN;
    return *(const double *)data;
}

/* Central differences for h, h / 2 and h / 4 give two values that are extrapolated (Richardson); they and the two one-sided
   differences must be at one before they are believed. Else a shorter h is tried. */
static inline verdict judge(const recipe *r, running *run, measured *m) {
    double at0 = output_at(r, run, 0, 1);
    m->by_rule = output_at(r, run, 0, 2);
    m->scale = output_at(r, run, 0, 3);
    double terms = output_at(r, run, 0, 4);
    if (!isfinite(at0) || !isfinite(m->by_rule) || !isfinite(m->scale)) return NOT_FINITE;
    for (m->h = 0x1p-9; m->h > 0x1p-22; m->h /= 8) {
        double central[3], jump[3], h = m->h;
        for (int i = 0; i < 3; i++, h /= 2) {
            double up = output_at(r, run, h, 1), down = output_at(r, run, -h, 1);
            central[i] = (up - down) / (2 * h);
            jump[i] = ((up - at0) - (at0 - down)) / h;
        }
        double rough = (4 * central[1] - central[0]) / 3, kink = 2 * jump[2] - jump[1];
        m->by_differences = (4 * central[2] - central[1]) / 3;
        m->error = fabs(m->by_differences - rough);
        double size = fmax(m->scale, fabs(m->by_differences));
        if (size > 1e9) return NOT_SMOOTH; /* from numbers of size 1: quotients of what rounding left, as of 1 - sigmoid(40) */
        double rounding = 0x1p-50 * terms / m->h;
        if (size <= 1e-7 || rounding >= 1e-3 * size) return VACUOUS; /* what numbers of size 1 leave, or L, when rounded */
        if (!(m->error <= 1e-7 * size) || !(fabs(kink) <= 4e-7 * size + 8 * rounding)) continue;
        bool still = central[0] == 0 && central[1] == 0 && central[2] == 0;
        if (still && m->scale > 0 && (output_at(r, run, 0.125, 1) != at0 || output_at(r, run, -0.125, 1) != at0))
            return NOT_SMOOTH; /* a step of rounding, as of 1 - sigmoid(40), or of floor */
        return fabs(m->by_rule - m->by_differences) <= 1e-6 * size + 10 * (m->error + rounding) ? AGREES : WRONG;
    }
    return NOT_SMOOTH;
}

static inline verdict measure(const slope *q, bp_context *ctx, measured *m) {
    static recipe r;
    running run = {0};
    verdict found = NOT_BUILT;
    *m = (measured){.h = 0};
    if (derive(q, &r) && open_slope(&r, &run, ctx) == BP_OK)
        found = judge(&r, &run, m);
    else
        snprintf(m->message, sizeof m->message, "%s", bp_context_error(bp_context_error(q->of->ctx)[0] ? q->of->ctx : ctx));
    close_running(&r, &run);
    bp_graph_free(r.g);
    bp_context_clear_error(q->of->ctx);
    bp_context_clear_error(ctx);
    return found;
}

/* ---- What is asked of a graph ---------------------------------------------------------------------------------------------- */

static inline bool is_float_leaf(const recipe *r, const step *s) {
    return (s->kind == PARAMETER || s->kind == VARIABLE || s->kind == INPUT) && type_of(r, s->out) == BP_F32;
}

/* Some of the float values, the newest among them, by the float leaves; false: there are none. */
static inline bool some_values(const recipe *r, step *d) {
    *d = (step){.kind = GRADIENTS};
    for (int v = r->n_values - 1; v >= 0 && d->n_in < 6; v--) {
        bool taken = d->n_in < 2 || mixed(r->seed * 977 + (uint64_t)v) % 4 == 0;
        if (taken && type_of(r, v) == BP_F32 && r->steps[r->step_of[v]].kind == OPERATION) d->in[d->n_in++] = v;
    }
    for (int i = 0; i < r->n_steps && d->n_wrt < MAX_WRT; i++)
        if (is_float_leaf(r, &r->steps[i])) d->wrt[d->n_wrt++] = r->steps[i].out;
    return d->n_in > 0 && d->n_wrt > 0;
}

/* ---- When it is wrong ------------------------------------------------------------------------------------------------------ */

static inline bool is_still_wrong(const slope *q, bp_context *ctx) {
    measured m;
    return measure(q, ctx, &m) == WRONG;
}

static inline void leave_out(int *list, int *n, int k) {
    for (int i = k; i + 1 < *n; i++) list[i] = list[i + 1];
    --*n;
}

/* Differentiates the earliest value for which it is wrong, by as little as possible, from as few operations as possible. */
static inline void shrink_slope(slope *q, bp_context *ctx) {
    for (int v = 0; v < q->of->n_values; v++) {
        slope less = *q;
        less.d.n_in = 1;
        less.d.in[0] = v;
        if (type_of(q->of, v) != BP_F32 || !is_still_wrong(&less, ctx)) continue;
        *q = less;
        break;
    }
    for (int k = q->d.n_in - 1; k >= 0 && q->d.n_in > 1; k--) {
        slope less = *q;
        leave_out(less.d.in, &less.d.n_in, k);
        if (is_still_wrong(&less, ctx)) *q = less;
    }
    for (int round = 0; round < 2; round++) {
        for (int v = q->of->n_values - 1; v >= 0; v--) {
            const step *s = &q->of->steps[q->of->step_of[v]];
            slope less = *q;
            if (s->n_out != 1 || s->kind == INPUT || s->kind == NUMBER || type_of(q->of, v) != BP_F32 || less.cut[v]) continue;
            if (s->kind == GRADIENTS) continue;
            less.cut[v] = true;
            bool listed = false;
            for (int k = 0; k < less.d.n_wrt; k++) listed |= less.d.wrt[k] == v;
            if (!listed && less.d.n_wrt < MAX_WRT) less.d.wrt[less.d.n_wrt++] = v;
            if (is_still_wrong(&less, ctx)) *q = less;
        }
        for (int k = q->d.n_wrt - 1; k >= 0 && q->d.n_wrt > 1; k--) {
            slope less = *q;
            leave_out(less.d.wrt, &less.d.n_wrt, k);
            if (is_still_wrong(&less, ctx)) *q = less;
        }
    }
}

static inline void report_slope(const slope *q, bp_context *ctx, const char *isa, int threads, int no_passes) {
    static recipe r;
    measured m;
    bool wanted[MAX_STEPS];
    (void)measure(q, ctx, &m);
    printf(
        "seed %llu: the derivative along a random direction is %.12g by the chain rule, %.12g by differences (at one to %.1e)\n",
        (unsigned long long)q->of->seed, m.by_rule, m.by_differences, m.error);
    if (derive(q, &r)) {
        r.t[1] = m.h / 4;
        r.t[2] = -m.h / 4;
        print_recipe(&r);
        needed(&r, wanted);
        wanted[r.moving] = true;
        print_c(&r, wanted, isa, threads, no_passes, ONLY_F64, (const int64_t[]){r.batch, r.batch, r.batch}, 3);
    }
    bp_graph_free(r.g);
}
#endif
