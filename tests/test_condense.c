/* Reductions that compute what they reduce on the way: the bits of the same graph without passes, over the first axis, the last
   and all, for sums and maxima, on every instruction set and for 1, 2 and 3 threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <backprop.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 500000, RESULTS = 8 };

static const bp_dims shapes[] = {{1, {5}},         {1, {70001}},   {2, {3, 7}},     {2, {17, 512}},
                                 {2, {100, 9000}}, {2, {9000, 3}}, {2, {301, 600}}, {3, {40, 30, 25}},
                                 {2, {1, 33}},     {1, {16}},      {1, {4096}},     {2, {15, 4099}},
                                 {2, {255, 257}},  {2, {16, 17}},  {2, {8, 8}},     {2, {33, 1}}};

static double *noise(void) {
    double *x = malloc(sizeof *x * MOST * 2);
    assert_non_null(x);
    uint64_t s = 88172645463325252u;
    for (int64_t i = 0; i < MOST * 2; i++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        x[i] = (double)(int64_t)s * 0x1p-63;
    }
    return x;
}

/* Results of one shape one after the other in out; how many bytes. described: "reduce" kernels among those that ran. */
static size_t results(const bp_context_options *options, bp_dims dims, bp_dtype type, const double *from, char *out,
                      int *described) {
    bp_context *ctx;
    bp_graph *g;
    bp_program *p;
    bp_state *s;
    bp_session *session;
    assert_int_equal(bp_context_new(&ctx, options), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    bp_value a = bp_input(g, "a", type, dims), b = bp_input(g, "b", type, dims), y[RESULTS];
    bp_dims row = {1, {dims.dim[dims.n - 1]}};
    bp_value r = bp_input(g, "r", type, row), chain = bp_add(bp_mul(bp_sub(a, b), bp_number(g, type, 0.75)), r);
    bp_sum_options first = bp_sum_defaults(), last = first;
    bp_max_options most_first = bp_max_defaults(), most_last = most_first;
    first.axes = most_first.axes = (bp_dims){1, {0}};
    last.axes = most_last.axes = (bp_dims){1, {dims.n - 1}};
    int n = 0;
    y[n++] = bp_sum(bp_square(a), &first);
    y[n++] = bp_sum(bp_abs(a), &last);
    y[n++] = bp_sum(chain, &first); /* read by several: each computes it for itself */
    y[n++] = bp_sum(chain, &last);
    y[n++] = bp_sum(bp_square(chain), NULL);
    y[n++] = bp_max(chain, &most_first);
    y[n++] = bp_max(bp_sqrt(bp_abs(chain)), &most_last);
    y[n++] = bp_sum(bp_mul(a, b), NULL);
    bp_program_options o = {.size = sizeof o, .ok = BP_NONE};
    assert_int_equal(bp_program_new(&p, g, y, n, &o), BP_OK);
    assert_int_equal(bp_state_new(&s, g), BP_OK);
    assert_int_equal(bp_session_new(&session, p, s), BP_OK);
    int64_t count = 1;
    for (int64_t i = 0; i < dims.n; i++) count *= dims.dim[i];
    char *data[3];
    static const char *const names[] = {"a", "b", "r"};
    const size_t item = bp_dtype_size(type);
    for (int k = 0; k < 3; k++) {
        int64_t length = k < 2 ? count : row.dim[0];
        data[k] = malloc((size_t)length * item);
        assert_non_null(data[k]);
        for (int64_t i = 0; i < length; i++) {
            double x = from[k * 1000 + i];
            float f = (float)x;
            memcpy(data[k] + (size_t)i * item, type == BP_F32 ? (const void *)&f : &x, item);
        }
        assert_int_equal(bp_session_set(session, names[k], data[k], NULL), BP_OK);
    }
    assert_int_equal(bp_session_run(session), BP_OK);
    size_t bytes = 0;
    for (int k = 0; k < n; k++) {
        bp_dims d;
        const void *result;
        size_t size = item;
        assert_int_equal(bp_session_output(session, k, &result, NULL, &d), BP_OK);
        for (int64_t i = 0; i < d.n; i++) size *= (size_t)d.dim[i];
        memcpy(out + bytes, result, size);
        bytes += size;
    }
    char *text;
    assert_int_equal(bp_session_describe(session, &text), BP_OK);
    *described = 0;
    for (const char *at = text; (at = strstr(at, " reduce ")) != NULL; at++) ++*described;
    bp_free(ctx, text);
    for (int k = 0; k < 3; k++) free(data[k]);
    bp_session_free(session);
    bp_program_free(p);
    bp_state_free(s);
    bp_graph_free(g);
    bp_context_free(ctx);
    return bytes;
}

static void same_bits(void **state) {
    (void)state;
    double *from = noise();
    char *want = malloc(MOST * 8), *got = malloc(MOST * 8);
    assert_true(want && got);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int type = 0; type < 2; type++)
            for (int i = 0; bp_isa_usable(i); i++) {
                int reduced;
                bp_context_options o = {.size = sizeof o, .threads = 1, .isa = bp_isa_usable(i), .no_passes = 1};
                size_t bytes = results(&o, shapes[k], type ? BP_F64 : BP_F32, from, want, &reduced);
                assert_int_equal(reduced, 0);
                for (int threads = 1; threads <= 3; threads++) {
                    o.no_passes = 0;
                    o.threads = threads;
                    assert_int_equal(results(&o, shapes[k], type ? BP_F64 : BP_F32, from, got, &reduced), bytes);
                    assert_int_equal(reduced, shapes[k].n == 1 ? RESULTS - 1 : RESULTS); /* one axis is the first and the last */
                    size_t at = 0;
                    while (at < bytes && want[at] == got[at]) at++;
                    if (at < bytes)
                        fail_msg("shape %d, %s, type %d, %d threads: other bits, byte %zu of %zu", (int)k, o.isa, type, threads,
                                 at, bytes);
                }
            }
    free(from);
    free(want);
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
