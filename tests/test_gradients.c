/* Every gradient of the table against finite differences, in double precision. For each operation and sample: random
   cotangents, every subset of the float inputs, then the gradient of the gradient. The derivative is Ridders' (central
   differences extrapolated to step 0). The checker itself is checked: it must notice gradients that were tampered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"

enum { MAX_VARS = 32, MAX_VALUES = 16 };

typedef enum tamper { NOTHING, NEGATED, ONE_PERCENT, OVERWRITTEN, PARTLY_DROPPED, NOT_A_NUMBER } tamper;

typedef struct var { /* an input of the graph */
    bp_value value;
    char name[16];
    bp_dtype dtype;
    bp_dims dims;
    int64_t n;
    void *data;
    double *numeric; /* [n]: the derivative by differences, or NULL */
} var;

typedef struct problem {
    bp_context *ctx;
    bp_graph *g;
    bp_state *state;
    var vars[MAX_VARS];
    int n_vars;
    uint64_t seed;
    char title[96];
    bool failed, quiet;
    tamper tamper;
} problem;

typedef struct settings {
    bool no_passes; /* operations as they are, without fusing and rewriting */
} settings;

typedef struct terms { /* L = Σ values[k] · vars[cotangent[k]]; a value that is an input is vars[input[k]] */
    bp_value value[MAX_VALUES];
    int cotangent[MAX_VALUES], input[MAX_VALUES];
    int n;
} terms;

typedef struct totals {
    int64_t ops, samples, programs, numbers, seconds, skipped;
} totals;

/* Inputs that enter as numbers, not as variables: PyTorch has no gradient for them either. */
static const char *const fixed_inputs[][2] = {{"dropout", "p"},   {"dropout1d", "p"},     {"dropout2d", "p"},
                                              {"dropout3d", "p"}, {"alpha_dropout", "p"}, {"feature_alpha_dropout", "p"}};

static double uniform(problem *p) {
    uint64_t z = (p->seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void complain(problem *p, const char *format, ...) {
    p->failed = true;
    if (p->quiet) return;
    va_list list;
    va_start(list, format);
    printf("%s: ", p->title);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

static bool holds(problem *p, bp_status status) {
    if (status == BP_OK) return true;
    complain(p, "%s", bp_context_error(p->ctx));
    return false;
}

static void *room(size_t bytes) {
    void *m = calloc(1, bytes ? bytes : 1);
    if (!m) abort();
    return m;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------------- */

static int64_t count_of(const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    return n;
}

static int add_var(problem *p, bp_dtype dtype, bp_dims dims) {
    if (p->n_vars == MAX_VARS) abort();
    var *v = &p->vars[p->n_vars];
    snprintf(v->name, sizeof v->name, "v%d", p->n_vars);
    v->dtype = dtype;
    v->dims = dims;
    v->n = count_of(&dims);
    v->data = room((size_t)v->n * bp_dtype_size(dtype));
    v->numeric = NULL;
    v->value = bp_input(p->g, v->name, dtype, dims);
    return p->n_vars++;
}

/* A cotangent: never ones, never near zero. */
static int add_cotangent(problem *p, bp_value of) {
    int i = add_var(p, BP_F64, bp_value_dims(of));
    double *x = p->vars[i].data;
    for (int64_t k = 0; k < p->vars[i].n; k++) x[k] = (0.5 + uniform(p)) * (uniform(p) < 0.5 ? -1 : 1);
    return i;
}

static void fill_integers(problem *p, var *v, const bp__sample_in *s) {
    for (int64_t k = 0; k < v->n; k++) {
        int64_t x = (int64_t)floor(s->low + uniform(p) * (s->high - s->low));
        if (v->dtype == BP_I64) ((int64_t *)v->data)[k] = x;
        if (v->dtype == BP_I32) ((int32_t *)v->data)[k] = (int32_t)x;
        if (v->dtype == BP_U8) ((uint8_t *)v->data)[k] = (uint8_t)x;
    }
}

static void fill_floats(problem *p, var *v, const bp__sample_in *s) {
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

static int add_sample_input(problem *p, const bp__sample_in *s) {
    bp_dims dims = s->dims;
    for (int64_t i = 0; i < dims.n; i++)
        if (dims.dim[i] < 0) dims.dim[i] = 3;
    bool real = s->dtype == BP_F32 || s->dtype == BP_F64;
    int i = add_var(p, real ? BP_F64 : s->dtype, dims);
    if (real)
        fill_floats(p, &p->vars[i], s);
    else
        fill_integers(p, &p->vars[i], s);
    return i;
}

/* ---- Running ------------------------------------------------------------------------------------------------------ */

typedef struct run {
    bp_program *program;
    bp_session *session;
} run;

static void close_run(run *r) {
    bp_session_free(r->session);
    bp_program_free(r->program);
    *r = (run){NULL, NULL};
}

static bool open_run(problem *p, run *r, const bp_value *outputs, int n) {
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

static bool read_output(problem *p, run *r, int k, const double **data, int64_t *n) {
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
static double evaluate(problem *p, run *r, const terms *t) {
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
    return (double)sum;
}

/* ---- The derivative by differences --------------------------------------------------------------------------------- */

/* Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982: central differences for falling steps, extrapolated. */
static double ridders(problem *p, run *r, const terms *t, double *x, double h, double *error) {
    enum { ROUNDS = 6 };
    const double at = *x;
    double a[ROUNDS][ROUNDS], best = NAN;
    *error = INFINITY;
    for (int j = 0; j < ROUNDS && !p->failed; j++, h /= 2) {
        *x = at + h;
        double up = evaluate(p, r, t), high = *x;
        *x = at - h;
        double down = evaluate(p, r, t), low = *x;
        a[0][j] = (up - down) / (high - low);
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
static double derivative(problem *p, run *r, const terms *t, double *x) {
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

static void differentiate(problem *p, const terms *t, const int *wrt, int m, totals *sums) {
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

/* What the checker has to notice. `added`: the part of the gradient that came over another path, or NULL. */
static void tamper_with(tamper how, double *d, int64_t n, const double *added) {
    for (int64_t i = 0; i < n; i++) {
        if (how == NEGATED) d[i] = -d[i];
        if (how == ONE_PERCENT) d[i] *= 1.01;
        if (how == OVERWRITTEN && added) d[i] -= added[i];
        if (how == PARTLY_DROPPED && i >= n - (n + 2) / 3) d[i] = 0;
    }
    if (how == NOT_A_NUMBER && n > 0) d[n / 2] = NAN;
}

static void compare(problem *p, const double *d, int64_t n, const var *v, const terms *t, unsigned subset) {
    if (n != v->n) {
        complain(p, "the gradient of %s has %lld elements instead of %lld", v->name, (long long)n, (long long)v->n);
        return;
    }
    double *copy = room((size_t)n * sizeof *copy), largest = 0;
    if (n > 0) memcpy(copy, d, (size_t)n * sizeof *copy);
    const double *added = NULL;
    for (int k = 0; k < t->n; k++)
        if (t->input[k] >= 0 && &p->vars[t->input[k]] == v) added = p->vars[t->cotangent[k]].data;
    tamper_with(p->tamper, copy, n, added);
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v->numeric[i]));
    for (int64_t i = 0; i < n; i++) {
        double bound = 1e-6 * fabs(v->numeric[i]) + 1e-8 * (1 + largest);
        if (fabs(copy[i] - v->numeric[i]) <= bound) continue; /* false for NaN */
        complain(p, "%s[%lld] of subset %u: the rule gives %.12g, differences give %.12g (x = %.17g)", v->name, (long long)i,
                 subset, copy[i], v->numeric[i], ((const double *)v->data)[i]);
        break;
    }
    free(copy);
}

/* The gradients d of L for the chosen inputs, against the differences. */
static void check_subset(problem *p, const terms *t, const int *wrt, int m, unsigned subset, bp_value *d, totals *sums) {
    bp_value inputs[MAX_VARS], cotangents[MAX_VALUES];
    int chosen[MAX_VARS], n = 0;
    for (int j = 0; j < m; j++)
        if (subset >> j & 1) {
            inputs[n] = p->vars[wrt[j]].value;
            chosen[n++] = wrt[j];
        }
    for (int k = 0; k < t->n; k++) cotangents[k] = p->vars[t->cotangent[k]].value;
    bp_gradients(d, t->value, cotangents, t->n, inputs, n);
    run r;
    if (!holds(p, bp_graph_status(p->g)) || !open_run(p, &r, d, n)) return;
    sums->programs++;
    if (holds(p, bp_session_run(r.session))) {
        for (int j = 0; j < n && !p->failed; j++) {
            const double *x;
            int64_t size;
            if (read_output(p, &r, j, &x, &size)) compare(p, x, size, &p->vars[chosen[j]], t, subset);
        }
    }
    close_run(&r);
}

/* ---- One sample ---------------------------------------------------------------------------------------------------- */

static bool open_problem(problem *p, const char *name, int sample, uint64_t seed, tamper how, settings with) {
    *p = (problem){.seed = seed, .tamper = how, .quiet = how != NOTHING};
    snprintf(p->title, sizeof p->title, "%s, sample %d", name, sample);
    bp_context_options o = {.size = sizeof o, .threads = 1, .no_passes = with.no_passes};
    if (bp_context_new(&p->ctx, &o) != BP_OK) {
        complain(p, "no context");
        return false;
    }
    if (!holds(p, bp_graph_new(&p->g, p->ctx))) return false;
    bp_graph_set_dtype(p->g, BP_F64);
    return holds(p, bp_state_new(&p->state, p->g));
}

static void close_problem(problem *p) {
    for (int i = 0; i < p->n_vars; i++) {
        free(p->vars[i].data);
        free(p->vars[i].numeric);
    }
    bp_state_free(p->state);
    bp_graph_free(p->g);
    bp_context_free(p->ctx);
}

static bool is_fixed(const bp__op *op, int32_t input) {
    const char *name = op->in_names[op->n_in < 0 ? 0 : input];
    if (*name == '?' || *name == '*') name++;
    for (size_t i = 0; i < sizeof fixed_inputs / sizeof fixed_inputs[0]; i++)
        if (!strcmp(fixed_inputs[i][0], op->name) && !strcmp(fixed_inputs[i][1], name)) return true;
    return false;
}

static bool any_nonzero(const var *v) {
    for (int64_t i = 0; i < v->n; i++)
        if (fabs(v->numeric[i]) > 1e-6) return true;
    return false;
}

static void add_term(problem *p, terms *t, bp_value value, int input) {
    if (t->n == MAX_VALUES) abort();
    t->value[t->n] = value;
    t->input[t->n] = input;
    t->cotangent[t->n++] = add_cotangent(p, value);
}

/* The gradient of the gradient: of Σ d · random, for the inputs and the first cotangents. */
static void check_second(problem *p, const bp_value *d, const terms *first, const int *wrt, int m, totals *sums) {
    terms t = {.n = 0};
    int all[MAX_VARS], n = m;
    bp_value again[MAX_VARS];
    memcpy(all, wrt, sizeof(int) * (size_t)m);
    for (int j = 0; j < m; j++) add_term(p, &t, d[j], -1);
    for (int k = 0; k < first->n; k++)
        if (first->input[k] < 0) all[n++] = first->cotangent[k];
    if (!holds(p, bp_graph_status(p->g))) return;
    strncat(p->title, ", second order", sizeof p->title - strlen(p->title) - 1);
    differentiate(p, &t, all, n, sums);
    if (p->failed) return;
    check_subset(p, &t, all, n, (1u << n) - 1, again, sums);
    sums->seconds++;
}

/* Returns whether the sample passed. alive[i] is set where input i has a gradient that is not all zero. */
static bool check_sample(const bp__op *op, int index, tamper how, settings with, bool *alive, totals *sums) {
    const bp__sample *s = &op->samples[index];
    problem p;
    bp_value in[6], d[MAX_VARS];
    int wrt[6], input_of[6], m = 0;
    bool empty = false, nonzero = false;
    if (!open_problem(&p, op->name, index, 1000003u * (uint64_t)(index + 1), how, with)) goto done;
    for (int32_t i = 0; i < s->n_in; i++) {
        in[i] = BP_NONE;
        if (s->in[i].low > s->in[i].high) continue;
        int v = add_sample_input(&p, &s->in[i]);
        in[i] = p.vars[v].value;
        if (p.vars[v].dtype != BP_F64 || is_fixed(op, i)) continue;
        input_of[m] = i;
        wrt[m++] = v;
        empty |= p.vars[v].n == 0;
    }
    if (m == 0) { /* integers only: nothing to differentiate here */
        sums->skipped++;
        goto done;
    }
    bp_value y = bp__graph_add(p.g, op, s->attrs ? s->attrs : op->attr_defaults, in, s->n_in);
    if (!holds(&p, bp_graph_status(p.g))) goto done;
    terms t = {.n = 0};
    for (int32_t k = 0; k < op->n_out; k++) {
        bp_dims dims = bp_value_dims(bp__output(y, k));
        if (bp_value_dtype(bp__output(y, k)) != BP_F64) continue;
        empty |= count_of(&dims) == 0;
        add_term(&p, &t, bp__output(y, k), -1);
    }
    /* Every gradient has a second path, which must be added to, not replaced. */
    differentiate(&p, &t, wrt, m, sums);
    for (int j = 0; j < m && !p.failed; j++)
        if (any_nonzero(&p.vars[wrt[j]])) alive[input_of[j]] = nonzero = true;
    for (int j = 0; j < m; j++) add_term(&p, &t, p.vars[wrt[j]].value, wrt[j]);
    for (int j = 0; j < m && !p.failed; j++)
        for (int64_t i = 0; i < p.vars[wrt[j]].n; i++)
            p.vars[wrt[j]].numeric[i] += ((const double *)p.vars[t.cotangent[t.n - m + j]].data)[i];
    for (unsigned subset = 1; subset < 1u << m && !p.failed; subset++) check_subset(&p, &t, wrt, m, subset, d, sums);
    if (!p.failed && !empty && !nonzero) complain(&p, "the gradient is all zero: the sample shows nothing");
    sums->samples++;
    if (!p.failed && how == NOTHING) check_second(&p, d, &t, wrt, m, sums);
done:
    close_problem(&p);
    return !p.failed;
}

/* ---- Tests --------------------------------------------------------------------------------------------------------- */

static void check_table(settings with) {
    totals sums = {0};
    int wrong = 0;
    const char *only = getenv("BP_GRADIENT_OF"); /* one operation, when looking for a mistake */
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        bool alive[6] = {false}, seen[6] = {false};
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN | BP__OP_NO_GRADIENT)) continue;
        if (only && strcmp(only, op->name) != 0) continue;
        int before = wrong;
        sums.ops++;
        for (int32_t s = 0; s < op->n_samples; s++) {
            if (!check_sample(op, s, NOTHING, with, alive, &sums)) wrong++;
            for (int32_t k = 0; k < op->samples[s].n_in; k++) {
                const bp__sample_in *in = &op->samples[s].in[k];
                if (in->low <= in->high && in->dtype <= BP_F64 && !is_fixed(op, k)) seen[k] = true;
            }
        }
        for (int k = 0; k < 6 && wrong == before; k++)
            if (seen[k] && !alive[k]) {
                printf("%s: no sample has a gradient of input %d that is not zero\n", op->name, k + 1);
                wrong++;
            }
    }
    printf("%lld operations, %lld samples, %lld gradient programs, %lld of second order, %lld derivatives; %lld samples of "
           "integers\n",
           (long long)sums.ops, (long long)sums.samples, (long long)sums.programs, (long long)sums.seconds,
           (long long)sums.numbers, (long long)sums.skipped);
    assert_int_equal(wrong, 0);
    assert_true(only || sums.ops > 60);
}

static void every_gradient(void **state) {
    (void)state;
    check_table((settings){.no_passes = false});
}

static void every_gradient_without_passes(void **state) {
    (void)state;
    check_table((settings){.no_passes = true});
}

static void tampering_is_noticed(void **state) {
    (void)state;
    static const char *const names[] = {"mul", "tanh", "where", "matmul", "linear", "softmax", "sum", "mse"};
    totals sums = {0};
    int caught = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const bp__op *op = bp__op_find(names[i]);
        assert_non_null(op);
        bool alive[6] = {false};
        assert_true(check_sample(op, 0, NOTHING, (settings){false}, alive, &sums));
        for (tamper how = NEGATED; how <= NOT_A_NUMBER; how++) {
            bool passed = check_sample(op, 0, how, (settings){false}, alive, &sums);
            if (passed) printf("%s: tampering %d was not noticed\n", names[i], (int)how);
            assert_false(passed);
            caught++;
        }
    }
    printf("%d tampered gradients caught\n", caught);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tampering_is_noticed), cmocka_unit_test(every_gradient_without_passes),
                                       cmocka_unit_test(every_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
