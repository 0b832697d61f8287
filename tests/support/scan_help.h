/* What the tests of scan share: contexts whose allocations are counted and can fail, programs in double precision, and a
   recurrent net as a scan and unrolled. */
#ifndef BP__SCAN_HELP_H
#define BP__SCAN_HELP_H
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
static inline void *count_alloc(size_t n, void *user) { return (void)user, ++n_allocations >= fails_at ? NULL : malloc(n); }
static inline void *count_resize(void *p, size_t n, void *user) {
    return (void)user, ++n_allocations >= fails_at ? NULL : realloc(p, n);
}
static inline void count_free(void *p, void *user) { (void)user, free(p); }

static inline bp_context *context(const char *isa, int threads, int no_passes) {
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

static inline run open_run(bp_context *ctx, bp_graph *g, const bp_value *outputs, int n) {
    run r;
    OK(ctx, bp_program_new(&r.p, g, outputs, n, NULL));
    OK(ctx, bp_session_new(&r.s, r.p, NULL));
    return r;
}

static inline void close_run(run *r) {
    bp_session_free(r->s);
    bp_program_free(r->p);
}

static inline const double *output(bp_context *ctx, run *r, int k, bp_dims *dims) {
    const void *data;
    bp_dtype type;
    OK(ctx, bp_session_output(r->s, k, &data, &type, dims));
    assert_int_equal(type, BP_F64);
    return data;
}

static inline double wave(int i, double k) { return sin(i * k + 0.3); }

/* ---- A recurrent net ---- */

enum { B = 3, T = 4, IN = 5, H = 6 };

static inline bp_value cell(bp_value h, bp_value x, const bp_value *p) {
    return bp_tanh(bp_add(bp_add(bp_linear(x, p[0], BP_NONE), bp_linear(h, p[1], BP_NONE)), p[2]));
}

static inline void rnn_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
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

static inline rnn build_rnn(bp_context *ctx, bool scanned, bool reverse, bool lengths) {
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
static inline void fill_data(void) {
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < counts[i]; k++) data[i][k] = 0.6 * wave(k + 17 * i, 0.9 + i * 0.21);
}

static inline void set_data(bp_context *ctx, run *r) {
    for (int i = 0; i < 5; i++) OK(ctx, bp_session_set(r->s, names[i], data[i], NULL));
}
#endif
