/* scan: values against loops by hand, gradients against the unrolled network and against differences, lengths, direction, trip
   counts, sizes that change, and the same bits with and without passes, for every instruction set and number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/core.h"

static int64_t n_allocations, fails_at = INT64_MAX; /* the allocation from which on there is no memory */
static void *count_alloc(size_t n, void *user) { return (void)user, ++n_allocations >= fails_at ? NULL : malloc(n); }
static void *count_resize(void *p, size_t n, void *user) {
    return (void)user, ++n_allocations >= fails_at ? NULL : realloc(p, n);
}
static void count_free(void *p, void *user) { (void)user, free(p); }

static bp_context *context(const char *isa, int threads, int no_passes) {
    bp_context *ctx;
    bp_context_options o = {.size = sizeof o,
                            .isa = isa,
                            .threads = threads,
                            .no_passes = no_passes,
                            .allocate = count_alloc,
                            .resize = count_resize,
                            .release = count_free};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}

#define OK(ctx, e)                                                       \
    do {                                                                 \
        if ((e) != BP_OK) fail_msg("%s: %s", #e, bp_context_error(ctx)); \
    } while (0)

typedef struct run {
    bp_program *p;
    bp_session *s;
} run;

static run open_run(bp_context *ctx, bp_graph *g, const bp_value *outputs, int n) {
    run r;
    OK(ctx, bp_program_new(&r.p, g, outputs, n, NULL));
    OK(ctx, bp_session_new(&r.s, r.p, NULL));
    return r;
}

static void close_run(run *r) {
    bp_session_free(r->s);
    bp_program_free(r->p);
}

static const double *output(bp_context *ctx, run *r, int k, bp_dims *dims) {
    const void *data;
    bp_dtype type;
    OK(ctx, bp_session_output(r->s, k, &data, &type, dims));
    assert_int_equal(type, BP_F64);
    return data;
}

static double wave(int i, double k) { return sin(i * k + 0.3); }

/* ---- Cumulative sums ----------------------------------------------------------------------------------------------------------
 */

static void add_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                     bp_value *out, void *user) {
    (void)body, (void)captured, (void)user;
    out[0] = next[0] = bp_add(carry[0], x[0]);
}

static void test_cumulative(void **state) {
    (void)state;
    enum { B = 3, T = 5, D = 4 };
    for (int none = 0; none <= 1; none++)
        for (int axis = 0; axis <= 1; axis++)
            for (int reverse = 0; reverse <= 1; reverse++)
                for (int with_lengths = 0; with_lengths <= 1; with_lengths++) {
                    bp_context *ctx = context(NULL, 1, none);
                    bp_graph *g;
                    OK(ctx, bp_graph_new(&g, ctx));
                    bp_value x =
                        bp_input(g, "x", BP_F64, axis ? bp_shape(3, BP_BATCH, BP_TIME, D) : bp_shape(3, BP_TIME, BP_BATCH, D));
                    bp_value h = bp_input(g, "h", BP_F64, bp_shape(2, BP_BATCH, D)),
                             n = bp_input(g, "n", BP_I64, bp_shape(1, BP_BATCH));
                    bp_scan_spec spec = {.size = sizeof spec,
                                         .inits = &h,
                                         .n_carry = 1,
                                         .xs = &x,
                                         .n_x = 1,
                                         .n_stacked = 1,
                                         .axis = axis,
                                         .reverse = reverse,
                                         .lengths = with_lengths ? n : BP_NONE,
                                         .body = add_body};
                    bp_value y[2];
                    bp_scan(y, y + 1, &spec);
                    OK(ctx, bp_graph_status(g));
                    run r = open_run(ctx, g, y, 2);
                    double xs[B * T * D], hs[B * D];
                    int64_t lengths[B] = {5, 0, 3};
                    const int trips[] = {0, 1, T, 1};
                    for (int i = 0; i < B * D; i++) hs[i] = wave(i, 2.1);
                    for (int i = 0; i < B * T * D; i++) xs[i] = wave(i, 0.7);
                    for (int trip = 0; trip < 4; trip++) {
                        int turns = trips[trip];
                        bp_dims dx = axis ? bp_shape(3, B, turns, D) : bp_shape(3, turns, B, D), df, ds;
                        OK(ctx, bp_session_set(r.s, "x", xs, &dx));
                        OK(ctx, bp_session_set(r.s, "h", hs, &bp_shape(2, B, D)));
                        OK(ctx, bp_session_set(r.s, "n", lengths, &bp_shape(1, B)));
                        OK(ctx, bp_session_run(r.s));
                        const double *final = output(ctx, &r, 0, &df), *stacked = output(ctx, &r, 1, &ds);
                        assert_int_equal(ds.dim[axis], turns);
                        for (int b = 0; b < B; b++)
                            for (int d = 0; d < D; d++) {
                                double sum = hs[b * D + d];
                                for (int i = 0; i < turns; i++) {
                                    int t = reverse ? turns - 1 - i : i,
                                        at = axis ? (b * turns + t) * D + d : (t * B + b) * D + d;
                                    bool finished = with_lengths && t >= lengths[b];
                                    if (!finished) sum += xs[at];
                                    assert_true(stacked[at] == (finished ? 0 : sum));
                                }
                                assert_true(final[b * D + d] == sum);
                            }
                    }
                    close_run(&r);
                    bp_graph_free(g);
                    bp_context_free(ctx);
                }
}

/* ---- A recurrent net ---- */

enum { B = 3, T = 4, IN = 5, H = 6 };

static bp_value cell(bp_value h, bp_value x, const bp_value *p) {
    return bp_tanh(bp_add(bp_add(bp_linear(x, p[0], BP_NONE), bp_linear(h, p[1], BP_NONE)), p[2]));
}

static void rnn_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                     bp_value *out, void *user) {
    (void)body, (void)user;
    next[0] = cell(carry[0], x[0], captured);
    if (out) out[0] = bp_square(next[0]);
}

typedef struct rnn {
    bp_graph *g;
    bp_value in[5]; /* x, W, U, b, h0 */
    bp_value loss;
} rnn;

static const char *const names[] = {"x", "W", "U", "b", "h"};
static const int64_t counts[] = {B * T * IN, H *IN, H *H, H, B *H};

static rnn build_rnn(bp_context *ctx, bool scanned, bool reverse, bool lengths) {
    rnn r;
    OK(ctx, bp_graph_new(&r.g, ctx));
    bp_dims dims[] = {bp_shape(3, B, T, IN), bp_shape(2, H, IN), bp_shape(2, H, H), bp_shape(1, H), bp_shape(2, B, H)};
    for (int i = 0; i < 5; i++) r.in[i] = bp_input(r.g, names[i], BP_F64, dims[i]);
    static const int64_t n[] = {4, 1, 2};
    bp_value h = r.in[4], y[T], rows = bp_constant(r.g, BP_I64, bp_shape(1, B), n);
    if (scanned) {
        bp_scan_spec spec = {.size = sizeof spec,
                             .inits = &h,
                             .n_carry = 1,
                             .xs = r.in,
                             .n_x = 1,
                             .captured = r.in + 1,
                             .n_captured = 3,
                             .n_stacked = 1,
                             .axis = 1,
                             .reverse = reverse,
                             .lengths = lengths ? rows : BP_NONE,
                             .body = rnn_body};
        bp_value final;
        bp_scan(&final, y, &spec);
        h = final;
    } else {
        for (int i = 0; i < T; i++) {
            int t = reverse ? T - 1 - i : i;
            bp_value x = bp_reshape(bp_slice(r.in[0], 1, t, 1, NULL), bp_shape(2, B, IN));
            bp_value next = cell(h, x, r.in + 1), out = bp_square(next);
            if (lengths) {
                bp_value active = bp_reshape(bp_lt(bp_number(r.g, BP_I64, t), rows), bp_shape(2, B, 1));
                next = bp_where(active, next, h);
                out = bp_where(active, out, bp_number(r.g, BP_F64, 0));
            }
            h = next;
            y[t] = bp_reshape(out, bp_shape(3, B, 1, H));
        }
        y[0] = bp_concat(y, T, 1);
    }
    double weights[B * T * H];
    for (int i = 0; i < B * T * H; i++) weights[i] = wave(i, 1.3);
    bp_value w = bp_constant(r.g, BP_F64, bp_shape(3, B, T, H), weights);
    r.loss = bp_add(bp_sum(bp_mul(y[0], w), NULL), bp_sum(bp_square(bp_add(h, bp_number(r.g, BP_F64, 0.3))), NULL));
    return r;
}

static double data[5][B * T * IN];
static void fill_data(void) {
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < counts[i]; k++) data[i][k] = 0.6 * wave(k + 17 * i, 0.9 + i * 0.21);
}

static void set_data(bp_context *ctx, run *r) {
    for (int i = 0; i < 5; i++) OK(ctx, bp_session_set(r->s, names[i], data[i], NULL));
}

static void test_unrolled(void **state) {
    (void)state;
    fill_data();
    for (int variant = 0; variant < 8; variant++) {
        bp_context *ctx = context(NULL, 1, variant & 1);
        rnn r[2];
        run runs[2];
        for (int s = 0; s < 2; s++) {
            r[s] = build_rnn(ctx, s, variant & 2, variant & 4);
            bp_value outputs[6] = {r[s].loss};
            bp_gradients(outputs + 1, &r[s].loss, NULL, 1, r[s].in, 5);
            OK(ctx, bp_graph_status(r[s].g));
            runs[s] = open_run(ctx, r[s].g, outputs, 6);
            set_data(ctx, &runs[s]);
            OK(ctx, bp_session_run(runs[s].s));
        }
        for (int k = 0; k < 6; k++) {
            const double *a = output(ctx, &runs[0], k, NULL), *b = output(ctx, &runs[1], k, NULL);
            for (int i = 0; i < (k ? counts[k - 1] : 1); i++)
                if (!(fabs(a[i] - b[i]) <= 1e-12))
                    fail_msg("variant %d, %s[%d]: %.17g unrolled, %.17g by scan", variant, k ? names[k - 1] : "loss", i, a[i],
                             b[i]);
        }
        for (int s = 0; s < 2; s++) {
            close_run(&runs[s]);
            bp_graph_free(r[s].g);
        }
        bp_context_free(ctx);
    }
}

/* The gradient of the gradient: of a weighted sum of all first gradients, against differences of that sum. */
static void test_second_order(void **state) {
    (void)state;
    fill_data();
    for (int variant = 0; variant < 4; variant++) {
        bp_context *ctx = context(NULL, 1, variant & 1);
        rnn r = build_rnn(ctx, true, false, variant & 2);
        bp_value d[5], sum = bp_number(r.g, BP_F64, 0), outputs[6];
        bp_gradients(d, &r.loss, NULL, 1, r.in, 5);
        for (int i = 0; i < 5; i++) {
            double w[B * T * IN];
            for (int k = 0; k < counts[i]; k++) w[k] = wave(k, 0.77 + i);
            sum = bp_add(sum, bp_sum(bp_mul(d[i], bp_constant(r.g, BP_F64, bp_value_dims(d[i]), w)), NULL));
        }
        outputs[0] = sum;
        bp_gradients(outputs + 1, &sum, NULL, 1, r.in, 5);
        OK(ctx, bp_graph_status(r.g));
        run all = open_run(ctx, r.g, outputs, 6), value = open_run(ctx, r.g, outputs, 1);
        set_data(ctx, &all);
        set_data(ctx, &value);
        OK(ctx, bp_session_run(all.s));
        for (int i = 0; i < 5; i++) {
            const double *got = output(ctx, &all, i + 1, NULL);
            for (int k = 0; k < counts[i]; k++) {
                double f[4], at = data[i][k], h = 1e-3;
                for (int side = 0; side < 4; side++) {
                    data[i][k] = at + h * (side < 2 ? side - 2 : side - 1);
                    OK(ctx, bp_session_run(value.s));
                    f[side] = *output(ctx, &value, 0, NULL);
                }
                data[i][k] = at;
                double numeric = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
                if (!(fabs(numeric - got[k]) < 1e-8))
                    fail_msg("variant %d, %s[%d]: %.12g, numeric %.12g", variant, names[i], k, got[k], numeric);
            }
        }
        close_run(&all);
        close_run(&value);
        bp_graph_free(r.g);
        bp_context_free(ctx);
    }
}

/* ---- Training with sizes that change ---- */

enum { MAX_B = 9, MAX_T = 7, WIDE = 24, CLASSES = 4, LENGTHS = 5, STEPS = 2 * LENGTHS };

/* A gated unit with dropout inside: slices of one product, random numbers that the gradient must draw again. */
static void gru_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                     bp_value *out, void *user) {
    (void)user;
    bp_dtype type = bp_value_dtype(carry[0]);
    bp_value in = bp_linear(x[0], captured[0], captured[2]),
             state = bp_linear(bp_dropout(carry[0], bp_number(body, type, 0.25), "gru.dropout"), captured[1], BP_NONE);
    bp_value z = bp_sigmoid(bp_add(bp_slice(in, 1, 0, WIDE, NULL), bp_slice(state, 1, 0, WIDE, NULL)));
    bp_value c = bp_tanh(bp_add(bp_slice(in, 1, WIDE, WIDE, NULL), bp_slice(state, 1, WIDE, WIDE, NULL)));
    out[0] = next[0] = bp_add(bp_mul(z, carry[0]), bp_mul(bp_sub(bp_number(body, type, 1), z), c));
}

typedef struct outcome {
    double losses[STEPS];
    unsigned char weights[2 * WIDE * WIDE * 8];
} outcome;

static void train(bp_context *ctx, bp_dtype type, bool with_lengths, outcome *o, bool *steady) {
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_graph_set_dtype(g, type);
    bp_value x = bp_input(g, "x", type, bp_shape(3, BP_BATCH, BP_TIME, IN)),
             label = bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH));
    bp_value n = bp_input(g, "n", BP_I64, bp_shape(1, BP_BATCH));
    bp_value p[] = {bp_parameter(g, "W", bp_shape(2, 2 * WIDE, IN), bp_kaiming_uniform()),
                    bp_parameter(g, "U", bp_shape(2, 2 * WIDE, WIDE), bp_kaiming_uniform()),
                    bp_parameter(g, "b", bp_shape(1, 2 * WIDE), bp_uniform_init(-0.1, 0.1)),
                    bp_parameter(g, "V", bp_shape(2, CLASSES, WIDE), bp_kaiming_uniform())};
    bp_value h = bp_fill(bp_number(g, type, 0), bp_shape(2, BP_BATCH, WIDE)), y;
    bp_scan_spec spec = {.size = sizeof spec,
                         .inits = &h,
                         .n_carry = 1,
                         .xs = &x,
                         .n_x = 1,
                         .captured = p,
                         .n_captured = 3,
                         .n_stacked = 1,
                         .axis = 1,
                         .lengths = with_lengths ? n : BP_NONE,
                         .body = gru_body};
    bp_value final;
    bp_scan(&final, &y, &spec);
    bp_value loss = bp_add(bp_cross_entropy(bp_linear(final, p[3], BP_NONE), label, BP_NONE, NULL),
                           bp_mul(bp_number(g, type, 0.1), bp_sum(bp_square(y), NULL)));
    bp_value d[4];
    bp_gradients(d, &loss, NULL, 1, p, 4);
    for (int i = 0; i < 4; i++) bp_assign(p[i], bp_sub(p[i], bp_mul(bp_number(g, type, 0.05), d[i])));
    bp_state *s;
    bp_program *program;
    bp_session *session;
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    OK(ctx, bp_state_new(&s, g));
    OK(ctx, bp_program_new(&program, g, &loss, 1, &options));
    OK(ctx, bp_session_new(&session, program, s));
    const int64_t times[LENGTHS] = {3, MAX_T, 1, 0, 5}, rows[LENGTHS] = {4, 2, MAX_B, 3, 1};
    memset(o, 0, sizeof *o);
    *steady = true;
    for (int step = 0; step < STEPS; step++) {
        static double x64[MAX_B * MAX_T * IN];
        static float x32[MAX_B * MAX_T * IN];
        int64_t labels[MAX_B], lengths[MAX_B], t = times[step % LENGTHS], b = rows[step % LENGTHS], before = n_allocations;
        for (int i = 0; i < MAX_B * MAX_T * IN; i++) x64[i] = wave(i + step, 0.37), x32[i] = (float)x64[i];
        for (int i = 0; i < MAX_B; i++) labels[i] = (i * 3 + step) % CLASSES, lengths[i] = (i * 5 + step) % (t + 1);
        OK(ctx, bp_session_set(session, "x", type == BP_F32 ? (void *)x32 : (void *)x64, &bp_shape(3, b, t, IN)));
        OK(ctx, bp_session_set(session, "label", labels, &bp_shape(1, b)));
        OK(ctx, bp_session_set(session, "n", lengths, &bp_shape(1, b)));
        bp_session_set_step(session, 11, (uint32_t)step, 0);
        OK(ctx, bp_session_run(session));
        const void *out;
        OK(ctx, bp_session_output(session, 0, &out, NULL, NULL));
        o->losses[step] = type == BP_F32 ? (double)*(const float *)out : *(const double *)out;
        if (step >= LENGTHS && n_allocations != before) *steady = false;
    }
    OK(ctx, bp_state_get(s, "U", o->weights, 2 * WIDE * WIDE * bp_dtype_size(type)));
    bp_session_free(session);
    bp_program_free(program);
    bp_state_free(s);
    bp_graph_free(g);
}

static void test_same_bits(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        bp_dtype type = variant & 1 ? BP_F64 : BP_F32;
        outcome expected, got;
        bool steady;
        bp_context *ctx = context("scalar", 1, 1);
        train(ctx, type, variant & 2, &expected, &steady);
        bp_context_free(ctx);
        for (int k = 0; k < STEPS; k++) assert_true(isfinite(expected.losses[k]));
        for (int i = 0; bp_isa_usable(i); i++)
            for (int threads = 1; threads <= 3; threads++)
                for (int none = 0; none <= 1; none++) {
                    ctx = context(bp_isa_usable(i), threads, none);
                    train(ctx, type, variant & 2, &got, &steady);
                    bp_context_free(ctx);
                    assert_true(steady);
                    for (int k = 0; k < STEPS; k++)
                        if (got.losses[k] != expected.losses[k])
                            fail_msg("variant %d, %s, %d threads, passes %s: loss of step %d is %.17g, not %.17g", variant,
                                     bp_isa_usable(i), threads, none ? "none" : "all", k, got.losses[k], expected.losses[k]);
                    assert_memory_equal(&got, &expected, sizeof got);
                }
    }
}

/* The gradient of a net with dropout in the body agrees with differences only when every turn is drawn again as it was. */
static void test_random_turns(void **state) {
    (void)state;
    bp_context *ctx = context(NULL, 1, 0);
    bp_graph *g;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value x = bp_input(g, "x", BP_F64, bp_shape(3, BP_BATCH, BP_TIME, IN));
    bp_value p[] = {bp_input(g, "W", BP_F64, bp_shape(2, 2 * WIDE, IN)), bp_input(g, "U", BP_F64, bp_shape(2, 2 * WIDE, WIDE)),
                    bp_input(g, "b", BP_F64, bp_shape(1, 2 * WIDE))};
    bp_value h = bp_fill(bp_number(g, BP_F64, 0.5), bp_shape(2, BP_BATCH, WIDE)), y, final;
    bp_scan_spec spec = {.size = sizeof spec,
                         .inits = &h,
                         .n_carry = 1,
                         .xs = &x,
                         .n_x = 1,
                         .captured = p,
                         .n_captured = 3,
                         .n_stacked = 1,
                         .axis = 1,
                         .body = gru_body};
    bp_scan(&final, &y, &spec);
    bp_value loss = bp_sum(bp_square(y), NULL), outputs[] = {loss, bp_gradient(loss, p[1])};
    OK(ctx, bp_graph_status(g));
    run r = open_run(ctx, g, outputs, 2);
    static double xs[2 * 3 * IN], W[2 * WIDE * IN], U[2 * WIDE * WIDE], b[2 * WIDE], d[2 * WIDE * WIDE];
    for (int i = 0; i < 2 * 3 * IN; i++) xs[i] = wave(i, 0.4);
    for (int i = 0; i < 2 * WIDE * IN; i++) W[i] = 0.3 * wave(i, 0.9);
    for (int i = 0; i < 2 * WIDE * WIDE; i++) U[i] = 0.3 * wave(i, 1.1);
    OK(ctx, bp_session_set(r.s, "x", xs, &bp_shape(3, 2, 3, IN)));
    OK(ctx, bp_session_set(r.s, "W", W, NULL));
    OK(ctx, bp_session_set(r.s, "U", U, NULL));
    OK(ctx, bp_session_set(r.s, "b", b, NULL));
    bp_session_set_step(r.s, 3, 4, 0);
    OK(ctx, bp_session_run(r.s));
    memcpy(d, output(ctx, &r, 1, NULL), sizeof d);
    for (int i = 0; i < 2 * WIDE * WIDE; i += 37) {
        double f[2], at = U[i];
        for (int side = 0; side < 2; side++) {
            U[i] = at + (side ? 1e-5 : -1e-5);
            OK(ctx, bp_session_run(r.s));
            f[side] = *output(ctx, &r, 0, NULL);
        }
        U[i] = at;
        assert_true(fabs((f[1] - f[0]) / 2e-5 - d[i]) < 1e-8);
    }
    close_run(&r);
    bp_graph_free(g);
    bp_context_free(ctx);
}

/* ---- Scans in scans, no per-turn input, mistakes ---- */

static void power_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                       bp_value *out, void *user) {
    (void)body, (void)x, (void)out, (void)user;
    next[0] = bp_mul(carry[0], captured[0]);
}

static void outer_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                       bp_value *out, void *user) {
    (void)body, (void)user;
    bp_scan_spec spec = {
        .size = sizeof spec, .inits = carry, .n_carry = 1, .captured = captured, .n_captured = 1, .turns = 3, .body = power_body};
    bp_value cube; /* carry w^3 */
    bp_scan(&cube, NULL, &spec);
    next[0] = out[0] = bp_mul(cube, x[0]);
}

static void test_nested(void **state) {
    (void)state;
    for (int none = 0; none <= 1; none++) {
        bp_context *ctx = context(NULL, 1, none);
        bp_graph *g;
        OK(ctx, bp_graph_new(&g, ctx));
        bp_value x = bp_input(g, "x", BP_F64, bp_shape(1, BP_TIME)), w = bp_input(g, "w", BP_F64, bp_shape(0)),
                 one = bp_number(g, BP_F64, 1);
        bp_value final, y, d1, d2;
        bp_scan_spec spec = {.size = sizeof spec,
                             .inits = &one,
                             .n_carry = 1,
                             .xs = &x,
                             .n_x = 1,
                             .captured = &w,
                             .n_captured = 1,
                             .n_stacked = 1,
                             .body = outer_body};
        bp_scan(&final, &y, &spec);
        d1 = bp_gradient(final, w);
        d2 = bp_gradient(d1, w);
        bp_value dx = bp_gradient(final, x), outputs[] = {final, d1, d2, dx};
        OK(ctx, bp_graph_status(g));
        run r = open_run(ctx, g, outputs, 4);
        double xs[] = {2, 0.5, 3}, v = 1.1; /* final = 3 w^9 */
        OK(ctx, bp_session_set(r.s, "x", xs, &bp_shape(1, 3)));
        OK(ctx, bp_session_set(r.s, "w", &v, NULL));
        OK(ctx, bp_session_run(r.s));
        assert_true(fabs(*output(ctx, &r, 0, NULL) - 3 * pow(v, 9)) < 1e-12);
        assert_true(fabs(*output(ctx, &r, 1, NULL) - 27 * pow(v, 8)) < 1e-12);
        assert_true(fabs(*output(ctx, &r, 2, NULL) - 216 * pow(v, 7)) < 1e-11);
        for (int i = 0; i < 3; i++) assert_true(fabs(output(ctx, &r, 3, NULL)[i] - 3 * pow(v, 9) / xs[i]) < 1e-12);
        close_run(&r);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

static void bad_shape(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                      bp_value *out, void *user) {
    (void)body, (void)captured, (void)out, (void)user;
    next[0] = bp_matmul(carry[0], x[0]);
}
static void bad_variable(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                         bp_value *out, void *user) {
    (void)x, (void)captured, (void)out, (void)user;
    bp_parameter(body, "inner", bp_shape(1, 3), bp_zeros());
    next[0] = carry[0];
}
static void forgets(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                    bp_value *out, void *user) {
    (void)body, (void)carry, (void)x, (void)captured, (void)next, (void)out, (void)user;
}
static void grows(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                  bp_value *out, void *user) {
    (void)body, (void)x, (void)captured, (void)out, (void)user;
    next[0] = bp_reshape(carry[0], bp_shape(3, 1, 4, 3));
}

static void test_mistakes(void **state) {
    (void)state;
    const struct {
        void (*body)(bp_graph *, const bp_value *, const bp_value *, const bp_value *, bp_value *, bp_value *, void *);
        const char *sentence;
    } cases[] = {{bad_shape, "matmul"}, {bad_variable, "inner"}, {forgets, "next carry 1"}, {grows, "[1, 4, 3]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bp_context *ctx = context(NULL, 1, 0);
        bp_graph *g;
        OK(ctx, bp_graph_new(&g, ctx));
        bp_value x = bp_input(g, "x", BP_F32, bp_shape(3, 4, BP_TIME, 3)), h = bp_input(g, "h", BP_F32, bp_shape(2, 4, 3)), final;
        bp_scan_spec spec = {
            .size = sizeof spec, .inits = &h, .n_carry = 1, .xs = &x, .n_x = 1, .axis = 1, .body = cases[i].body};
        bp_scan(&final, NULL, &spec);
        assert_true(bp_is_bad(final));
        assert_int_not_equal(bp_graph_status(g), BP_OK);
        if (!strstr(bp_context_error(ctx), cases[i].sentence))
            fail_msg("\"%s\" does not name \"%s\"", bp_context_error(ctx), cases[i].sentence);
        bp_graph_free(g);
        bp_context_free(ctx);
    }
}

/* The product x Wᵀ and everything that a gradient computes again run once for all turns; the loop of the forward scan keeps one
   product, the loop of the gradient one, and the weights' gradients are one product each. */
static void test_leaves_loop(void **state) {
    (void)state;
    fill_data();
    bp_context *ctx = context(NULL, 1, 0);
    rnn r = build_rnn(ctx, true, false, false);
    bp_value outputs[4] = {r.loss};
    bp_gradients(outputs + 1, &r.loss, NULL, 1, r.in + 1, 3);
    run p = open_run(ctx, r.g, outputs, 4);
    set_data(ctx, &p);
    OK(ctx, bp_session_run(p.s));
    char *text;
    OK(ctx, bp_session_describe(p.s, &text));
    int products = 0, scans = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        double flops;
        char name[32];
        if (sscanf(line, "%*d %31s %lf", name, &flops) != 2) continue;
        if (strcmp(name, "gemm") == 0) products++;
        if (strcmp(name, "scan") == 0) {
            scans++;
            assert_true(flops >= 2.0 * B * H * H * T && flops < 2.0 * B * H * (H + IN) * T); /* h Uᵀ or d U, not x Wᵀ */
        }
    }
    assert_int_equal(scans, 2);
    assert_int_equal(products, 4); /* x Wᵀ, all saved h Uᵀ, dW, dU */
    bp_free(ctx, text);
    close_run(&p);
    bp_graph_free(r.g);
    bp_context_free(ctx);
}

/* Every kind of operation that the pass moves out of the loop, along both time axes: the bits of the loop. */
static void mixed_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                       bp_value *out, void *user) {
    (void)user;
    bp_dims last = bp_shape(1, 2);
    bp_sum_options sum = bp_sum_defaults();
    sum.axes = last;
    bp_value turned = bp_permute(x[0], bp_shape(3, 0, 2, 1));                                    /* [batch, 6, 4] */
    bp_value part = bp_sum(bp_exp(bp_slice(turned, 1, 1, 4, NULL)), &sum);                       /* [batch, 4] */
    bp_value flat = bp_reshape(bp_mul(x[0], bp_square(captured[2])), bp_shape(2, BP_BATCH, 24)); /* captured [4, 6] */
    bp_value product = bp_linear(flat, captured[1], BP_NONE);                                    /* captured [4, 24] */
    bp_value cubes = bp_matmul(bp_tanh(turned), bp_reshape(captured[2], bp_shape(2, 4, 6)));     /* [batch, 6, 6] */
    bp_value wide = bp_broadcast_to(bp_reshape(part, bp_shape(3, BP_BATCH, 4, 1)), bp_shape(3, BP_BATCH, 4, 3));
    bp_value token = bp_embedding(captured[0], x[1], NULL);
    bp_value scale = bp_add(bp_cast(bp_cast(part, BP_F32), BP_F64), captured[3]); /* captured [batch, 4] */
    bp_value all = bp_add(bp_add(product, token), bp_add(scale, bp_sum(bp_sin(wide), &sum)));
    next[0] = bp_mul(bp_number(body, BP_F64, 0.1), bp_add(carry[0], all));
    out[0] = bp_square(next[0]);
    out[1] = cubes;
}

static void test_moved_operations(void **state) {
    (void)state;
    enum { ROWS = 3, TURNS = 4 };
    for (int axis = 0; axis <= 1; axis++) {
        static double kept[8][ROWS * TURNS * 36];
        for (int none = 1; none >= 0; none--) {
            bp_context *ctx = context(NULL, 2, none);
            bp_graph *g;
            OK(ctx, bp_graph_new(&g, ctx));
            bp_value x[] = {
                bp_input(g, "x", BP_F64, axis ? bp_shape(4, BP_BATCH, BP_TIME, 4, 6) : bp_shape(4, BP_TIME, BP_BATCH, 4, 6)),
                bp_input(g, "token", BP_I64, axis ? bp_shape(2, BP_BATCH, BP_TIME) : bp_shape(2, BP_TIME, BP_BATCH))};
            bp_value c[] = {bp_input(g, "table", BP_F64, bp_shape(2, 7, 4)), bp_input(g, "W", BP_F64, bp_shape(2, 4, 24)),
                            bp_input(g, "V", BP_F64, bp_shape(2, 4, 6)), bp_input(g, "s", BP_F64, bp_shape(2, BP_BATCH, 4))};
            bp_value h = bp_input(g, "h", BP_F64, bp_shape(2, BP_BATCH, 4)), final, y[2], outputs[8];
            bp_scan_spec spec = {.size = sizeof spec,
                                 .inits = &h,
                                 .n_carry = 1,
                                 .xs = x,
                                 .n_x = 2,
                                 .captured = c,
                                 .n_captured = 4,
                                 .n_stacked = 2,
                                 .axis = axis,
                                 .body = mixed_body};
            bp_scan(&final, y, &spec);
            bp_value loss = bp_add(bp_sum(bp_square(final), NULL), bp_add(bp_sum(y[0], NULL), bp_sum(bp_square(y[1]), NULL)));
            bp_value wrt[] = {c[0], c[1], c[2], c[3], x[0]};
            outputs[0] = y[0], outputs[1] = y[1], outputs[2] = final;
            bp_gradients(outputs + 3, &loss, NULL, 1, wrt, 5);
            OK(ctx, bp_graph_status(g));
            run r = open_run(ctx, g, outputs, 8);
            static double numbers[ROWS * TURNS * 24];
            int64_t tokens[ROWS * TURNS];
            for (int i = 0; i < ROWS * TURNS * 24; i++) numbers[i] = 0.5 * wave(i, 0.83);
            for (int i = 0; i < ROWS * TURNS; i++) tokens[i] = (i * 5) % 7;
            OK(ctx, bp_session_set(r.s, "x", numbers, axis ? &bp_shape(4, ROWS, TURNS, 4, 6) : &bp_shape(4, TURNS, ROWS, 4, 6)));
            OK(ctx, bp_session_set(r.s, "token", tokens, axis ? &bp_shape(2, ROWS, TURNS) : &bp_shape(2, TURNS, ROWS)));
            OK(ctx, bp_session_set(r.s, "table", numbers + 3, NULL));
            OK(ctx, bp_session_set(r.s, "W", numbers + 40, NULL));
            OK(ctx, bp_session_set(r.s, "V", numbers + 11, NULL));
            OK(ctx, bp_session_set(r.s, "s", numbers + 60, &bp_shape(2, ROWS, 4)));
            OK(ctx, bp_session_set(r.s, "h", numbers + 80, &bp_shape(2, ROWS, 4)));
            OK(ctx, bp_session_run(r.s));
            for (int k = 0; k < 8; k++) {
                bp_dims d;
                const double *got = output(ctx, &r, k, &d);
                size_t n = 1;
                for (int64_t i = 0; i < d.n; i++) n *= (size_t)d.dim[i];
                if (none)
                    memcpy(kept[k], got, n * sizeof *got);
                else if (memcmp(kept[k], got, n * sizeof *got) != 0)
                    fail_msg("axis %d, output %d: other bits with passes than without", axis, k);
            }
            if (!none) { /* nothing but the sum of the carried value is left in the loop */
                char *text, *line;
                OK(ctx, bp_session_describe(r.s, &text));
                line = strstr(text, " scan ");
                assert_non_null(line);
                double flops;
                assert_int_equal(sscanf(line, " scan %lf", &flops), 1);
                assert_true(flops <= ROWS * TURNS * 4 * 4);
                bp_free(ctx, text);
            }
            close_run(&r);
            bp_graph_free(g);
            bp_context_free(ctx);
        }
    }
}

/* Memory ends at every allocation in turn: an error each time, and nothing is lost. */
static void test_no_memory(void **state) {
    (void)state;
    fill_data();
    bp_status status = BP_MEMORY;
    for (int64_t step = 1; status != BP_OK; step++) {
        bp_context *ctx = context(NULL, 1, 0);
        bp_graph *g = NULL;
        bp_program *p = NULL;
        bp_session *s = NULL;
        OK(ctx, bp_graph_new(&g, ctx));
        fails_at = n_allocations + step;
        bp_value in[5], final, y, d[2];
        bp_dims dims[] = {bp_shape(3, B, T, IN), bp_shape(2, H, IN), bp_shape(2, H, H), bp_shape(1, H), bp_shape(2, B, H)};
        for (int i = 0; i < 5; i++) in[i] = bp_input(g, names[i], BP_F64, dims[i]);
        bp_scan_spec spec = {.size = sizeof spec,
                             .inits = in + 4,
                             .n_carry = 1,
                             .xs = in,
                             .n_x = 1,
                             .captured = in + 1,
                             .n_captured = 3,
                             .n_stacked = 1,
                             .axis = 1,
                             .body = rnn_body};
        bp_scan(&final, &y, &spec);
        bp_gradients(d, &y, NULL, 1, in + 1, 2);
        status = bp_graph_status(g);
        if (status == BP_OK) status = bp_program_new(&p, g, d, 2, NULL);
        if (status == BP_OK) status = bp_session_new(&s, p, NULL);
        for (int i = 0; i < 5 && status == BP_OK; i++) status = bp_session_set(s, names[i], data[i], NULL);
        if (status == BP_OK) status = bp_session_run(s);
        fails_at = INT64_MAX;
        if (status != BP_OK && status != BP_MEMORY)
            fail_msg("allocation %lld: %s: %s", (long long)step, bp_status_name(status), bp_context_error(ctx));
        bp_session_free(s);
        bp_program_free(p);
        bp_graph_free(g);
        bp_context_free(ctx);
        assert_true(step < 100000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cumulative),   cmocka_unit_test(test_unrolled),
                                       cmocka_unit_test(test_second_order), cmocka_unit_test(test_random_turns),
                                       cmocka_unit_test(test_nested),       cmocka_unit_test(test_mistakes),
                                       cmocka_unit_test(test_leaves_loop),  cmocka_unit_test(test_moved_operations),
                                       cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
