/* A gradient and its check by differences, in double precision: inputs behind guard zones, L = Σ outputs · random cotangents,
   the derivative of L by Ridders' method, and the comparison with what the chain rule gives. test_gradients.c walks the table
   of operations with it; test_mutation.c asks whether it notices rules that were broken on purpose. */
#ifndef BP__GRADIENT_PROBLEM_H
#define BP__GRADIENT_PROBLEM_H
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"
#include "support/fixed_inputs.h"

enum { MAX_VARS = 32, MAX_VALUES = 16, GUARD = 64, MAX_SAMPLE_IN = sizeof(((bp__sample *)0)->in) / sizeof(bp__sample_in) };

typedef struct var { /* an input of the graph */
    bp_value value;
    char name[16];
    bp_dtype dtype;
    bp_dims dims;
    int64_t n;
    void *data;      /* [n], between guard zones */
    double *numeric; /* [n]: the derivative by differences, or NULL */
} var;

typedef struct problem {
    bp_context *ctx;
    bp_graph *g;
    bp_state *state;
    var vars[MAX_VARS];
    int n_vars;
    uint64_t seed;
    char title[120];
    bool failed, quiet;
    bool one_by_one; /* element i of a gradient is made of its own terms alone: it is compared by its own size */
    double exact;    /* > 0: the numbers come from elsewhere, to so many of their own size; 0: from differences */
} problem;

typedef struct terms { /* L = Σ values[k] · vars[cotangent[k]]; a value that is an input is vars[input[k]] */
    bp_value value[MAX_VALUES];
    int cotangent[MAX_VALUES], input[MAX_VALUES];
    int n;
} terms;

typedef struct totals {
    int64_t ops, samples, programs, numbers, seconds, skipped, views, resized;
} totals;

static inline double uniform(problem *p) {
    uint64_t z = (p->seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static inline void complain(problem *p, const char *format, ...) {
    p->failed = true;
    if (p->quiet) return;
    va_list list;
    va_start(list, format);
    printf("%s: ", p->title);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

static inline bool holds(problem *p, bp_status status) {
    if (status == BP_OK) return true;
    complain(p, "%s", bp_context_error(p->ctx));
    return false;
}

static inline void *room(size_t bytes) {
    void *m = calloc(1, bytes ? bytes : 1);
    if (!m) abort();
    return m;
}

static inline void *guarded(size_t bytes) {
    unsigned char *m = room(bytes + 2 * GUARD);
    memset(m, 0xA5, GUARD);
    memset(m + GUARD + bytes, 0xA5, GUARD);
    return m + GUARD;
}

static inline bool guards_stand(const void *data, size_t bytes) {
    const unsigned char *m = data;
    for (size_t i = 0; i < GUARD; i++)
        if (m[-(ptrdiff_t)GUARD + (ptrdiff_t)i] != 0xA5 || m[bytes + i] != 0xA5) return false;
    return true;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------------- */

static inline int64_t count_of(const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    return n;
}

static inline int add_var(problem *p, bp_dtype dtype, bp_dims dims) {
    if (p->n_vars == MAX_VARS) abort();
    var *v = &p->vars[p->n_vars];
    snprintf(v->name, sizeof v->name, "v%d", p->n_vars);
    v->dtype = dtype;
    v->dims = dims;
    v->n = count_of(&dims);
    v->data = guarded((size_t)v->n * bp_dtype_size(dtype));
    v->numeric = NULL;
    v->value = bp_input(p->g, v->name, dtype, dims);
    return p->n_vars++;
}

/* A cotangent: never ones, never near zero. */
static inline int add_cotangent(problem *p, bp_value of) {
    int i = add_var(p, BP_F64, bp_value_dims(of));
    double *x = p->vars[i].data;
    for (int64_t k = 0; k < p->vars[i].n; k++) x[k] = (0.5 + uniform(p)) * (uniform(p) < 0.5 ? -1 : 1);
    return i;
}

static inline void fill_integers(problem *p, var *v, const bp__sample_in *s) {
    for (int64_t k = 0; k < v->n; k++) {
        int64_t x = (int64_t)floor(s->low + uniform(p) * (s->high - s->low));
        if (v->dtype == BP_I64) ((int64_t *)v->data)[k] = x;
        if (v->dtype == BP_I32) ((int32_t *)v->data)[k] = (int32_t)x;
        if (v->dtype == BP_U8) ((uint8_t *)v->data)[k] = (uint8_t)x;
    }
}

static inline void fill_floats(problem *p, var *v, const bp__sample_in *s) {
    double *x = v->data;
    for (int64_t k = 0; k < v->n; k++) x[k] = s->low + uniform(p) * (s->high - s->low);
    if (s->diagonal != 0) { /* square matrices */
        int64_t size = v->dims.dim[v->dims.n - 1];
        for (int64_t k = 0; k < v->n; k++)
            if (k / size % size == k % size) x[k] += s->diagonal;
    }
    if (!(s->distance > 0) || v->n == 0) return;
    /* Places on a grid in random order, moved a little. */
    double step = fmax((s->high - s->low) / (double)v->n, s->distance * 1.01);
    for (int64_t k = 0; k < v->n; k++) x[k] = s->low + (double)k * step + uniform(p) * (step - s->distance);
    for (int64_t k = v->n - 1; k > 0; k--) {
        int64_t j = (int64_t)(uniform(p) * (double)(k + 1));
        double t = x[k];
        x[k] = x[j];
        x[j] = t;
    }
}

static inline void fill_sample(problem *p, var *v, const bp__sample_in *s) {
    if (v->dtype == BP_F64)
        fill_floats(p, v, s);
    else
        fill_integers(p, v, s);
}

/* ---- Running ------------------------------------------------------------------------------------------------------ */

typedef struct run {
    bp_program *program;
    bp_session *session;
} run;

static inline void close_run(run *r) {
    bp_session_free(r->session);
    bp_program_free(r->program);
    *r = (run){NULL, NULL};
}

static inline bool open_run(problem *p, run *r, const bp_value *outputs, int n) {
    *r = (run){NULL, NULL};
    if (!holds(p, bp_program_new(&r->program, p->g, outputs, n, NULL))) return false;
    if (!holds(p, bp_session_new(&r->session, r->program, p->state))) {
        close_run(r);
        return false;
    }
    bp_session_set_step(r->session, 17, 3, 0);
    /* A program may not need every input of the graph; setting one that it does not know is refused. */
    for (int i = 0; i < p->n_vars; i++) (void)bp_session_set(r->session, p->vars[i].name, p->vars[i].data, &p->vars[i].dims);
    bp_context_clear_error(p->ctx);
    return true;
}

static inline bool read_output(problem *p, run *r, int k, const double **data, int64_t *n) {
    const void *raw;
    bp_dtype dtype;
    bp_dims dims;
    if (!holds(p, bp_session_output(r->session, k, &raw, &dtype, &dims))) return false;
    *data = raw;
    *n = count_of(&dims);
    if (dtype == BP_F64) return true;
    complain(p, "output %d is %s, not f64", k, bp_dtype_name(dtype));
    return false;
}

/* L for the inputs as they are now. Returns NaN (and complains) on failure. */
static inline long double evaluate(problem *p, run *r, const terms *t) {
    long double sum = 0;
    if (!holds(p, bp_session_run(r->session))) return NAN;
    for (int k = 0, output = 0; k < t->n; k++) {
        const var *c = &p->vars[t->cotangent[k]];
        const double *x = NULL, *weight = c->data;
        int64_t n = 0;
        if (t->input[k] >= 0) {
            x = p->vars[t->input[k]].data;
            n = p->vars[t->input[k]].n;
        } else if (!read_output(p, r, output++, &x, &n)) {
            return NAN;
        }
        if (n != c->n) {
            complain(p, "a value has %lld elements instead of %lld", (long long)n, (long long)c->n);
            return NAN;
        }
        for (int64_t i = 0; i < n; i++) sum += (long double)x[i] * (long double)weight[i];
    }
    return sum;
}

/* ---- The derivative by differences --------------------------------------------------------------------------------- */

/* Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982: central differences for falling steps, extrapolated. */
static inline double ridders(problem *p, run *r, const terms *t, double *x, double h, double *error) {
    enum { ROUNDS = 6 };
    const double at = *x;
    double a[ROUNDS][ROUNDS], best = NAN;
    *error = INFINITY;
    for (int j = 0; j < ROUNDS && !p->failed; j++, h /= 2) {
        *x = at + h;
        long double up = evaluate(p, r, t);
        double high = *x;
        *x = at - h;
        long double down = evaluate(p, r, t);
        double low = *x;
        a[0][j] = (double)((up - down) / ((long double)high - low));
        double factor = 4;
        for (int i = 1; i <= j; i++, factor *= 4) {
            a[i][j] = (factor * a[i - 1][j] - a[i - 1][j - 1]) / (factor - 1);
            double e = fmax(fabs(a[i][j] - a[i - 1][j]), fabs(a[i][j] - a[i - 1][j - 1]));
            if (e < *error) {
                *error = e;
                best = a[i][j];
            }
        }
    }
    *x = at;
    return best;
}

/* Near a kink or a pole the first step is too long: it shrinks until the extrapolation settles. */
static inline double derivative(problem *p, run *r, const terms *t, double *x) {
    double best = NAN, least = INFINITY, h = 0.02;
    for (int i = 0; i < 6 && !p->failed; i++, h /= 8) {
        double error, d = ridders(p, r, t, x, h, &error);
        if (error < least) {
            least = error;
            best = d;
        }
        if (least <= 1e-8 * (1 + fabs(best))) break;
    }
    return best;
}

static inline void differentiate(problem *p, const terms *t, const int *wrt, int m, totals *sums) {
    bp_value outputs[MAX_VALUES];
    int n = 0;
    run r;
    for (int k = 0; k < t->n; k++)
        if (t->input[k] < 0) outputs[n++] = t->value[k];
    if (!open_run(p, &r, outputs, n)) return;
    for (int j = 0; j < m; j++) {
        var *v = &p->vars[wrt[j]];
        free(v->numeric);
        v->numeric = room((size_t)v->n * sizeof(double));
        double *x = v->data;
        for (int64_t i = 0; i < v->n && !p->failed; i++) v->numeric[i] = derivative(p, &r, t, &x[i]);
        sums->numbers += v->n;
    }
    close_run(&r);
}

/* ---- Comparing ----------------------------------------------------------------------------------------------------- */

/* NaN is near NaN where the expected number comes from elsewhere: there it is one that PyTorch gives too. */
static inline bool is_near(double got, double want, double bound) {
    return (isfinite(want) && fabs(got - want) <= bound) || got == want || (isnan(got) && isnan(want));
}

static inline void compare(problem *p, const double *d, int64_t n, const var *v, unsigned subset) {
    double largest = 0;
    if (n != v->n) {
        complain(p, "the gradient of %s has %lld elements instead of %lld", v->name, (long long)n, (long long)v->n);
        return;
    }
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v->numeric[i]));
    for (int64_t i = 0; i < n; i++) {
        double own = fabs(v->numeric[i]), bound = 1e-6 * own + 1e-8 * (1 + (p->one_by_one ? own : largest));
        if (p->exact > 0 && is_near(d[i], v->numeric[i], p->exact * fmax(own, 1))) continue;
        if (p->exact > 0) bound = 0;
        if (fabs(d[i] - v->numeric[i]) <= bound) continue; /* false for NaN */
        complain(p, "%s[%lld] of subset %u: the rule gives %.12g, %s %.12g (x = %.17g)", v->name, (long long)i, subset, d[i],
                 p->exact > 0 ? "not" : "differences give", v->numeric[i], ((const double *)v->data)[i]);
        return;
    }
}

/* The gradients d of L for the inputs wrt[0 … m-1] that are in the subset, as values of the graph; how many. */
static inline int build_gradients(problem *p, const terms *t, const int *wrt, int m, unsigned subset, bp_value *d, int *chosen) {
    bp_value inputs[MAX_VARS], cotangents[MAX_VALUES];
    int n = 0;
    for (int j = 0; j < m; j++)
        if (subset >> j & 1) {
            inputs[n] = p->vars[wrt[j]].value;
            chosen[n++] = wrt[j];
        }
    for (int k = 0; k < t->n; k++) cotangents[k] = p->vars[t->cotangent[k]].value;
    bp_gradients(d, t->value, cotangents, t->n, inputs, n);
    return n;
}

/* Those gradients against the differences. */
static inline void check_subset(problem *p, const terms *t, const int *wrt, int m, unsigned subset, bp_value *d, totals *sums) {
    int chosen[MAX_VARS], n = build_gradients(p, t, wrt, m, subset, d, chosen);
    run r;
    if (!holds(p, bp_graph_status(p->g)) || !open_run(p, &r, d, n)) return;
    sums->programs++;
    if (holds(p, bp_session_run(r.session))) {
        for (int j = 0; j < n && !p->failed; j++) {
            const double *x;
            int64_t size;
            if (read_output(p, &r, j, &x, &size)) compare(p, x, size, &p->vars[chosen[j]], subset);
        }
    }
    close_run(&r);
}

/* ---- Opening and closing --------------------------------------------------------------------------------------------- */

static inline bool open_problem(problem *p, const char *name, int sample, const char *how, bool no_passes) {
    *p = (problem){.seed = 1000003u * (uint64_t)(sample + 1)};
    snprintf(p->title, sizeof p->title, "%s, sample %d%s", name, sample, how);
    bp_context_options o = {.size = sizeof o, .threads = 1, .no_passes = no_passes};
    if (bp_context_new(&p->ctx, &o) != BP_OK) {
        complain(p, "no context");
        return false;
    }
    if (!holds(p, bp_graph_new(&p->g, p->ctx))) return false;
    bp_graph_set_dtype(p->g, BP_F64);
    return holds(p, bp_state_new(&p->state, p->g));
}

static inline void close_problem(problem *p) {
    for (int i = 0; i < p->n_vars; i++) {
        var *v = &p->vars[i];
        if (!guards_stand(v->data, (size_t)v->n * bp_dtype_size(v->dtype))) complain(p, "written beside the data of %s", v->name);
        free((char *)v->data - GUARD);
        free(v->numeric);
    }
    p->n_vars = 0;
    bp_state_free(p->state);
    bp_graph_free(p->g);
    bp_context_free(p->ctx);
}

static inline bool any_nonzero(const var *v) {
    for (int64_t i = 0; i < v->n; i++)
        if (fabs(v->numeric[i]) > 1e-6) return true;
    return false;
}

static inline void add_term(problem *p, terms *t, bp_value value, int input) {
    if (t->n == MAX_VALUES) abort();
    t->value[t->n] = value;
    t->input[t->n] = input;
    t->cotangent[t->n++] = add_cotangent(p, value);
}

/* ---- A sample, posed ----------------------------------------------------------------------------------------------- */

/* How an operation meets its float inputs: as they are, or as views that are not dense. */
typedef enum layout { DENSE, TRANSPOSED, EVERY_OTHER, LAYOUTS } layout;
static const char *const layout_names[] = {"", ", transposed inputs", ", every other element"};

typedef struct posed {
    problem p;
    terms t;
    bp_value y;
    int wrt[MAX_SAMPLE_IN], input_of[MAX_SAMPLE_IN], m; /* the float inputs: variables, and which inputs they are */
    bool empty;                                         /* an input or output without an element */
} posed;

/* Element i of a value in row-major order: where it lies in storage of the layout. */
static inline int64_t place_of(const bp_dims *dims, layout how, int64_t i) {
    int64_t at = 0, step = 1, place[BP_MAX_DIMS];
    if (how == EVERY_OTHER && dims->n > 0) {
        int64_t last = dims->dim[dims->n - 1];
        return last > 0 ? i / last * (2 * last + 1) + i % last * 2 + 1 : 0;
    }
    if (how != TRANSPOSED) return i;
    for (int64_t k = dims->n - 1; k >= 0; i /= dims->dim[k--]) place[k] = i % dims->dim[k];
    for (int64_t k = 0; k < dims->n; step *= dims->dim[k++]) at += place[k] * step;
    return at;
}

/* A new input that holds the sample's numbers in this layout, and the value of the sample's dims that is a view of it. */
static inline bp_value add_sample_input(problem *p, const bp__sample_in *s, layout how, int *v) {
    bp_dims to = s->dims, from, axes = {.n = to.n};
    int64_t last = to.n - 1;
    for (int64_t i = 0; i < to.n; i++) {
        if (to.dim[i] < 0) to.dim[i] = 3;
        axes.dim[i] = last - i;
    }
    from = to;
    for (int64_t i = 0; i < to.n && how == TRANSPOSED; i++) from.dim[i] = to.dim[last - i];
    if (how == EVERY_OTHER && to.n > 0) from.dim[last] = 2 * to.dim[last] + 1;
    *v = add_var(p, s->dtype <= BP_F64 ? BP_F64 : s->dtype, from);
    var *stored = &p->vars[*v], dense = {.dtype = stored->dtype, .dims = to, .n = count_of(&to)};
    size_t item = bp_dtype_size(dense.dtype);
    dense.data = room((size_t)dense.n * item);
    fill_sample(p, &dense, s);
    for (int64_t i = 0; i < dense.n; i++)
        memcpy((char *)stored->data + (size_t)place_of(&to, how, i) * item, (char *)dense.data + (size_t)i * item, item);
    free(dense.data);
    if (to.n == 0 || how == DENSE) return stored->value;
    if (how == TRANSPOSED) return bp_permute(stored->value, axes);
    bp_slice_options by = bp_slice_defaults();
    by.step = 2;
    return bp_slice(stored->value, last, to.dim[last] > 0 ? 1 : 0, to.dim[last], &by);
}

/* The operation of a sample in a graph, its outputs weighted into L. `built` stands for `op` where it is not NULL. `first`: the
   size of the first axis of the inputs that share it with the first input, or -1: as the sample says. */
static inline bool pose(posed *q, const bp__op *op, const bp__op *built, int index, layout how, int64_t first, bool no_passes) {
    const bp__sample *s = &op->samples[index];
    bp_value in[MAX_SAMPLE_IN];
    char text[60];
    *q = (posed){.m = 0};
    snprintf(text, sizeof text, first < 0 ? "%s" : "%s, first axis %lld", layout_names[how], (long long)first);
    if (!open_problem(&q->p, op->name, index, text, no_passes)) return false;
    for (int32_t i = 0; i < s->n_in; i++) {
        bp__sample_in from = s->in[i];
        int v;
        in[i] = BP_NONE;
        if (from.low > from.high) continue;
        if (first >= 0 && from.dims.n > 0 && from.dims.dim[0] == s->in[0].dims.dim[0]) from.dims.dim[0] = first;
        in[i] = add_sample_input(&q->p, &from, how, &v);
        if (q->p.vars[v].dtype != BP_F64 || is_fixed(op, i)) continue;
        q->input_of[q->m] = i;
        q->wrt[q->m++] = v;
        q->empty |= q->p.vars[v].n == 0;
    }
    if (q->m == 0) return true; /* integers only: nothing to differentiate here */
    q->y = bp__graph_add(q->p.g, built ? built : op, s->attrs ? s->attrs : op->attr_defaults, in, s->n_in);
    if (bp_graph_status(q->p.g) != BP_OK) return false;
    for (int32_t k = 0; k < op->n_out; k++) {
        bp_dims dims = bp_value_dims(bp__output(q->y, k));
        if (bp_value_dtype(bp__output(q->y, k)) != BP_F64) continue;
        q->empty |= count_of(&dims) == 0;
        add_term(&q->p, &q->t, bp__output(q->y, k), -1);
    }
    return true;
}

/* Every gradient gets a second path, which must be added to, not replaced. After differentiate(). */
static inline void add_second_paths(posed *q) {
    problem *p = &q->p;
    for (int j = 0; j < q->m; j++) {
        var *v = &p->vars[q->wrt[j]];
        add_term(p, &q->t, v->value, q->wrt[j]);
        const double *more = p->vars[q->t.cotangent[q->t.n - 1]].data;
        for (int64_t i = 0; i < v->n && v->numeric; i++) v->numeric[i] += more[i];
    }
}
#endif
