/* Forward mode against reverse mode, for every differentiable operation of the table: v · (J w) with J w from bp_jvp, and
   (Jᵀ v) · w from the gradient rules, in double precision, for random v and w, for every float input alone and for all together.
   J w is also compared with a difference along w, so that a rule that is wrong in both ways at once does not pass. */
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

enum { MOST_IN = 6, MOST_OUT = 4 };
static const double BOUND = 1e-9;

typedef struct input {
    char name[8];
    bp_value value;
    bp_dtype dtype;
    bp_dims dims;
    int64_t n;
    void *data;
} input;

typedef struct problem {
    bp_context *ctx;
    bp_graph *g;
    const bp__op *op;
    int sample;
    uint64_t seed;
    input x[MOST_IN], w[MOST_IN], v[MOST_OUT]; /* the operation's inputs; tangents of the float ones; cotangents */
    int n_x, n_w, n_v;
    int wrt[MOST_IN]; /* [n_w]: of which x */
    bp_value y[MOST_OUT];
} problem;

typedef struct totals {
    int operations, samples, pairs, live;
    double worst;
} totals;

static double uniform(problem *p) {
    uint64_t z = (p->seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

static void make_input(problem *p, input *x, const char *kind, int number, bp_dtype dtype, bp_dims dims) {
    snprintf(x->name, sizeof x->name, "%s%d", kind, number);
    x->dtype = dtype;
    x->dims = dims;
    x->n = 1;
    for (int64_t i = 0; i < dims.n; i++) x->n *= dims.dim[i];
    x->data = calloc((size_t)x->n + 1, sizeof(double));
    if (!x->data) abort();
    x->value = bp_input(p->g, x->name, dtype, dims);
}

/* Numbers of a sample: in its range, apart where it says so, with its diagonal. */
static void fill(problem *p, input *x, const bp__sample_in *s) {
    double *d = x->data, step = fmax((s->high - s->low) / (double)BP__MAX(x->n, 1), s->distance * 1.01);
    for (int64_t i = 0; i < x->n; i++) {
        double u = uniform(p), value = s->low + u * (s->high - s->low);
        switch (x->dtype) {
        case BP_I64: ((int64_t *)x->data)[i] = (int64_t)floor(value); continue;
        case BP_I32: ((int32_t *)x->data)[i] = (int32_t)floor(value); continue;
        case BP_U8: ((uint8_t *)x->data)[i] = (uint8_t)floor(value); continue;
        default: break;
        }
        d[i] = s->distance > 0 ? s->low + (double)((i * 7 + 3) % x->n) * step + u * (step - s->distance) : value;
        if (s->distance > 0 && x->n % 7 == 0) d[i] = s->low + (double)(x->n - 1 - i) * step + u * (step - s->distance);
        int64_t size = x->dims.n > 1 ? x->dims.dim[x->dims.n - 1] : 1;
        if (s->diagonal != 0 && i / size % size == i % size) d[i] += s->diagonal;
    }
}

static void fill_random(problem *p, input *x) {
    for (int64_t i = 0; i < x->n; i++) ((double *)x->data)[i] = (0.5 + uniform(p)) * (uniform(p) < 0.5 ? -1 : 1);
}

static void complain(const problem *p, const char *what) { printf("%s, sample %d: %s\n", p->op->name, p->sample, what); }

/* The sample's inputs, the operation, random tangents and cotangents. false: nothing of it is differentiated. */
static bool build(problem *p) {
    const bp__sample *s = &p->op->samples[p->sample];
    bp_value in[MOST_IN];
    for (int32_t i = 0; i < s->n_in; i++) {
        in[i] = BP_NONE;
        if (s->in[i].low > s->in[i].high) continue;
        bp_dims dims = s->in[i].dims;
        for (int64_t k = 0; k < dims.n; k++)
            if (dims.dim[k] < 0) dims.dim[k] = 3;
        input *x = &p->x[p->n_x];
        make_input(p, x, "x", p->n_x, is_float(s->in[i].dtype) ? BP_F64 : s->in[i].dtype, dims);
        fill(p, x, &s->in[i]);
        in[i] = x->value;
        bool number = strcmp(p->op->name, "dropout") == 0 && i == 1; /* its probability has no gradient, as in PyTorch */
        if (x->dtype == BP_F64 && !number) p->wrt[p->n_w++] = p->n_x;
        p->n_x++;
    }
    if (p->n_w == 0) return false;
    bp_value y = bp__graph_add(p->g, p->op, s->attrs ? s->attrs : p->op->attr_defaults, in, s->n_in);
    for (int32_t k = 0; k < p->op->n_out && !bp_is_bad(y); k++)
        if (bp_value_dtype(bp__output(y, k)) == BP_F64) {
            p->y[p->n_v] = bp__output(y, k);
            make_input(p, &p->v[p->n_v], "v", p->n_v, BP_F64, bp_value_dims(p->y[p->n_v]));
            fill_random(p, &p->v[p->n_v++]);
        }
    for (int j = 0; j < p->n_w; j++) {
        make_input(p, &p->w[j], "w", j, BP_F64, p->x[p->wrt[j]].dims);
        fill_random(p, &p->w[j]);
    }
    return p->n_v > 0;
}

static bool run(problem *p, const bp_value *outputs, int n, double (*use)(problem *, bp_session *, void *), void *with,
                double *out) {
    bp_program *program = NULL;
    bp_session *s = NULL;
    bool good = bp_program_new(&program, p->g, outputs, n, NULL) == BP_OK && bp_session_new(&s, program, NULL) == BP_OK;
    if (good) {
        input *lists[] = {p->x, p->w, p->v};
        const int counts[] = {p->n_x, p->n_w, p->n_v};
        bp_session_set_step(s, 17, 3, 0);
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < counts[i]; k++) bp_session_set(s, lists[i][k].name, lists[i][k].data, &lists[i][k].dims);
        *out = use(p, s, with);
    } else {
        complain(p, bp_context_error(p->ctx));
    }
    bp_session_free(s);
    bp_program_free(program);
    return good;
}

/* Σ of outputs times what lies in `with`, one input for each output. NaN when the run fails. */
static double contract(problem *p, bp_session *s, void *with) {
    input *const *weights = with;
    long double sum = 0;
    if (bp_session_run(s) != BP_OK) {
        complain(p, bp_context_error(p->ctx));
        return NAN;
    }
    for (int k = 0; weights[k]; k++) {
        const void *data;
        if (bp_session_output(s, k, &data, NULL, NULL) != BP_OK) return NAN;
        for (int64_t i = 0; i < weights[k]->n; i++)
            sum += (long double)((const double *)data)[i] * (long double)((const double *)weights[k]->data)[i];
    }
    return (double)sum;
}

/* The derivative of v · y along w of the inputs in `subset`, by central differences of two step lengths, extrapolated. */
typedef struct along {
    input **weights;
    unsigned subset;
} along;
static double difference(problem *p, bp_session *s, void *with) {
    const along *a = with;
    double d[2];
    for (int r = 0; r < 2; r++) {
        double h = r ? 5e-6 : 1e-5, side[2];
        for (int k = 0; k < 2; k++) {
            double step = k ? h : -h;
            for (int j = 0; j < p->n_w; j++)
                for (int64_t i = 0; i < p->w[j].n && (a->subset >> j & 1); i++)
                    ((double *)p->x[p->wrt[j]].data)[i] += step * ((double *)p->w[j].data)[i];
            side[k] = contract(p, s, a->weights);
            for (int j = 0; j < p->n_w; j++)
                for (int64_t i = 0; i < p->w[j].n && (a->subset >> j & 1); i++)
                    ((double *)p->x[p->wrt[j]].data)[i] -= step * ((double *)p->w[j].data)[i];
        }
        d[r] = (side[1] - side[0]) / (2 * h);
    }
    return (4 * d[1] - d[0]) / 3;
}

/* Both ways for the inputs in `subset`. */
static bool check(problem *p, unsigned subset, totals *t) {
    bp_value x[MOST_IN], w[MOST_IN], v[MOST_OUT], forward[MOST_OUT], back[MOST_IN];
    input *cotangents[MOST_OUT + 1] = {NULL}, *tangents[MOST_IN + 1] = {NULL};
    double one, other, numeric;
    int m = 0;
    for (int j = 0; j < p->n_w; j++)
        if (subset >> j & 1) {
            x[m] = p->x[p->wrt[j]].value;
            w[m] = p->w[j].value;
            tangents[m++] = &p->w[j];
        }
    for (int k = 0; k < p->n_v; k++) {
        v[k] = p->v[k].value;
        cotangents[k] = &p->v[k];
    }
    bp_jvp(forward, p->y, p->n_v, x, w, m);
    bp_gradients(back, p->y, v, p->n_v, x, m);
    if (bp_graph_status(p->g) != BP_OK) {
        complain(p, bp_context_error(p->ctx));
        return false;
    }
    along a = {.weights = cotangents, .subset = subset};
    if (!run(p, forward, p->n_v, contract, cotangents, &one) || !run(p, back, m, contract, tangents, &other) ||
        !run(p, p->y, p->n_v, difference, &a, &numeric))
        return false;
    double off = fabs(one - other), scale = 1 + fabs(other);
    t->pairs++;
    t->live += fabs(other) > 1e-6;
    t->worst = fmax(t->worst, off / scale);
    if (!(off <= BOUND * scale))
        printf("%s, sample %d, inputs %u: v . Jw is %.17g, Jt v . w is %.17g\n", p->op->name, p->sample, subset, one, other);
    if (!(fabs(one - numeric) <= 2e-6 * scale)) {
        printf("%s, sample %d, inputs %u: v . Jw is %.17g, the difference %.17g\n", p->op->name, p->sample, subset, one, numeric);
        return false;
    }
    return off <= BOUND * scale; /* false for NaN */
}

static void every_operation_both_ways(void **state) {
    (void)state;
    totals t = {0};
    int wrong = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        int live = t.live;
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN | BP__OP_NO_GRADIENT)) continue;
        for (int s = 0; s < op->n_samples; s++) {
            problem p = {.op = op, .sample = s, .seed = (uint64_t)(i * 1000 + s + 1)};
            assert_int_equal(bp_context_new(&p.ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}),
                             BP_OK);
            assert_int_equal(bp_graph_new(&p.g, p.ctx), BP_OK);
            if (build(&p)) {
                unsigned all = (1u << p.n_w) - 1;
                for (int j = 0; j < p.n_w && p.n_w > 1; j++) wrong += !check(&p, 1u << j, &t);
                wrong += !check(&p, all, &t);
                t.samples++;
            } else if (bp_graph_status(p.g) != BP_OK) {
                complain(&p, bp_context_error(p.ctx));
                wrong++;
            }
            input *lists[] = {p.x, p.w, p.v};
            const int counts[] = {p.n_x, p.n_w, p.n_v};
            for (int k = 0; k < 3; k++)
                for (int j = 0; j < counts[k]; j++) free(lists[k][j].data);
            bp_graph_free(p.g);
            bp_context_free(p.ctx);
        }
        t.operations++;
        if (t.live == live) {
            printf("%s: no sample has a derivative along w that is not zero\n", op->name);
            wrong++;
        }
    }
    printf("%d operations, %d samples, %d pairs, %d of them not zero; largest difference %.2g\n", t.operations, t.samples,
           t.pairs, t.live, t.worst);
    assert_int_equal(wrong, 0);
    assert_true(t.operations > 60);
}

/* ---- By hand ---------------------------------------------------------------------------------------------------------- */

typedef struct bench {
    bp_context *ctx;
    bp_graph *g;
} bench;

static bench begin(void) {
    bench b;
    assert_int_equal(bp_context_new(&b.ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}), BP_OK);
    assert_int_equal(bp_graph_new(&b.g, b.ctx), BP_OK);
    return b;
}

static void numbers_of(bp_value y, const double *x, double *out, int64_t n) {
    bp_program *p;
    bp_session *s;
    const void *data;
    assert_false(bp_is_bad(y));
    assert_int_equal(bp_program_new(&p, y.graph, &y, 1, NULL), BP_OK);
    assert_int_equal(bp_session_new(&s, p, NULL), BP_OK);
    bp_session_set(s, "x", x, NULL);
    assert_int_equal(bp_session_run(s), BP_OK);
    assert_int_equal(bp_session_output(s, 0, &data, NULL, NULL), BP_OK);
    memcpy(out, data, sizeof *out * (size_t)n);
    bp_session_free(s);
    bp_program_free(p);
}

/* y = (x0 x1, x0², 5), w = (1, 2): J w = (x1 + 2 x0, 2 x0, 0). f = x0² x1: H v = (2 x1 v0 + 2 x0 v1, 2 x0 v0). */
static void known_products(void **state) {
    (void)state;
    bench b = begin();
    const double xs[] = {3, 5}, ws[] = {1, 2};
    double out[2];
    bp_value x = bp_input(b.g, "x", BP_F64, bp_shape(1, 2)), w = bp_constant(b.g, BP_F64, bp_shape(1, 2), ws);
    bp_value x0 = bp_slice(x, 0, 0, 1, NULL), x1 = bp_slice(x, 0, 1, 1, NULL), five = bp_number(b.g, BP_F64, 5), d[3], h;
    bp_value y[] = {bp_mul(x0, x1), bp_square(x0), five};
    bp_jvp(d, y, 3, &x, &w, 1);
    numbers_of(d[0], xs, out, 1);
    assert_true(out[0] == 5 + 2 * 3);
    numbers_of(d[1], xs, out, 1);
    assert_true(out[0] == 6);
    numbers_of(d[2], xs, out, 1);
    assert_true(out[0] == 0);
    bp_value f = bp_mul(bp_square(x0), x1);
    bp_hvp(&h, f, &x, &w, 1);
    numbers_of(h, xs, out, 2);
    assert_true(out[0] == 2 * 5 * 1 + 2 * 3 * 2 && out[1] == 2 * 3 * 1);
    bp_jvp(&d[0], &h, 1, &x, &w, 1); /* of what was made with them: third order, Σ_jk f_ijk w_j w_k = (2·2·w0·w1, 2·w0²) */
    numbers_of(d[0], xs, out, 2);
    assert_true(out[0] == 2 * 2 * 1 * 2 && out[1] == 2);
    bp_graph_free(b.g);
    bp_context_free(b.ctx);
}

static void wrong_shapes_have_sentences(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        bench b = begin();
        bp_value x = bp_input(b.g, "x", BP_F64, bp_shape(1, 2)), w = bp_input(b.g, "w", BP_F64, bp_shape(1, 3)), d;
        bp_value n = bp_input(b.g, "n", BP_I64, bp_shape(0)), y = i == 1 ? n : bp_tanh(x);
        if (i == 2)
            bp_hvp(&d, bp_sum(y, NULL), &x, &w, 1);
        else
            bp_jvp(&d, &y, 1, &x, &w, 1);
        static const char *const sentences[] = {"jvp: tangent 1 is [3], its value [2]",
                                                "jvp: value 2 is missing, of another graph, or not of a float type",
                                                "hvp: tangent 1 is [3], its value [2]"};
        assert_true(bp_is_bad(d));
        assert_string_equal(bp_context_error(b.ctx), sentences[i]);
        bp_graph_free(b.g);
        bp_context_free(b.ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_products), cmocka_unit_test(wrong_shapes_have_sentences),
                                       cmocka_unit_test(every_operation_both_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
