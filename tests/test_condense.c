/* Reductions that compute what they reduce on the way: the bits of the same graph without passes, over the first axis, the last
   and all, for sums, means, maxima and norms, on every instruction set and for 1, 2 and 3 threads; and that the plan holds so
   many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <backprop.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000000, ENDS = 12, CONDENSED = 11 };

/* Sizes about the edges of vectors, lanes and tiles on either axis; long rows; more than one piece; nothing. */
static const bp_dims shapes[] = {
    {1, {1}},          {1, {7}},       {1, {257}},      {1, {4099}},    {1, {70001}},     {2, {1, 1}},    {2, {1, 33}},
    {2, {33, 1}},      {2, {3, 7}},    {2, {7, 8}},     {2, {8, 15}},   {2, {15, 16}},    {2, {16, 17}},  {2, {17, 512}},
    {2, {257, 255}},   {2, {5, 256}},  {2, {255, 257}}, {2, {3, 4099}}, {2, {100, 9000}}, {2, {9000, 3}}, {2, {301, 600}},
    {3, {40, 30, 25}}, {3, {3, 1, 5}}, {2, {0, 5}},     {2, {5, 0}},
};

static double *noise(void) {
    double *x = malloc(sizeof *x * (MOST + 3000));
    assert_non_null(x);
    uint64_t s = 88172645463325252u;
    for (int64_t i = 0; i < MOST + 3000; i++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        x[i] = (double)(int64_t)s * 0x1p-63;
    }
    return x;
}

/* Element-wise chains of a, b and a row r that end in reductions; without axes of no length, which have no maximum. */
static int ends(bp_graph *g, bp_dtype type, bp_dims dims, bool empty, bp_value *y) {
    bp_dims row = {1, {dims.dim[dims.n - 1]}};
    bp_value a = bp_input(g, "a", type, dims), b = bp_input(g, "b", type, dims), r = bp_input(g, "r", type, row);
    bp_value chain = bp_add(bp_mul(bp_sub(a, b), bp_number(g, type, 0.75)), r);
    bp_sum_options first = bp_sum_defaults(), last = first, kept = first, outer = first;
    bp_mean_options mean = bp_mean_defaults();
    bp_norm_options norm = bp_norm_defaults();
    bp_max_options most_first = bp_max_defaults(), most_last = most_first;
    first.axes = most_first.axes = mean.axes = (bp_dims){1, {0}};
    last.axes = most_last.axes = norm.axes = (bp_dims){1, {-1}};
    kept.axes = last.axes;
    kept.keepdim = mean.keepdim = 1;
    outer.axes = (bp_dims){dims.n > 2 ? 1 : -1, {1}}; /* the middle one is not computed on the way */
    int n = 0;
    y[n++] = bp_sum(bp_square(a), &first);
    y[n++] = bp_sum(bp_abs(a), &last);
    y[n++] = bp_sum(chain, &first); /* read by several: each computes it for itself */
    y[n++] = bp_sum(chain, &kept);
    y[n++] = bp_sum(bp_square(bp_sub(a, r)), NULL);
    y[n++] = bp_sum(bp_mul(a, b), &outer);
    y[n++] = bp_mean(bp_neg(chain), &mean);
    y[n++] = bp_norm(chain, &norm);
    y[n++] = bp_norm(b, NULL);
    if (empty) return n;
    y[n++] = bp_max(chain, &most_first);
    y[n++] = bp_max(bp_sqrt(bp_abs(chain)), &most_last);
    y[n++] = bp_max(bp_mul(a, b), NULL);
    return n;
}

/* The session borrows what is returned. */
static char *set(bp_session *session, const char *name, bp_dtype type, int64_t count, const double *from) {
    const size_t item = bp_dtype_size(type);
    char *data = malloc((size_t)count * item + 1);
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++) {
        float f = (float)from[i];
        memcpy(data + (size_t)i * item, type == BP_F32 ? (const void *)&f : &from[i], item);
    }
    assert_int_equal(bp_session_set(session, name, data, NULL), BP_OK);
    return data;
}

static int reductions(bp_context *ctx, bp_session *session) {
    char *text;
    int n = 0;
    assert_int_equal(bp_session_describe(session, &text), BP_OK);
    for (const char *at = text; (at = strstr(at, " reduce ")) != NULL; at++) n++;
    bp_free(ctx, text);
    return n;
}

/* Results of one shape, one after the other, in out; how many bytes. on_the_way: so many kernels of the plan. */
static size_t results(const bp_context_options *options, bp_dims dims, bp_dtype type, const double *from, char *out,
                      int *on_the_way) {
    bp_context *ctx;
    bp_graph *g;
    bp_program *p;
    bp_state *s;
    bp_session *session;
    bp_value y[ENDS];
    int64_t count = 1;
    for (int64_t i = 0; i < dims.n; i++) count *= dims.dim[i];
    assert_int_equal(bp_context_new(&ctx, options), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    int n = ends(g, type, dims, count == 0, y);
    bp_program_options o = {.size = sizeof o, .ok = BP_NONE};
    assert_int_equal(bp_program_new(&p, g, y, n, &o), BP_OK);
    assert_int_equal(bp_state_new(&s, g), BP_OK);
    assert_int_equal(bp_session_new(&session, p, s), BP_OK);
    char *data[] = {set(session, "a", type, count, from), set(session, "b", type, count, from + 1000),
                    set(session, "r", type, dims.dim[dims.n - 1], from + 2000)};
    assert_int_equal(bp_session_run(session), BP_OK);
    size_t bytes = 0;
    for (int k = 0; k < n; k++) {
        const void *result;
        bp_dims d;
        assert_int_equal(bp_session_output(session, k, &result, NULL, &d), BP_OK);
        size_t size = bp_dtype_size(type);
        for (int64_t i = 0; i < d.n; i++) size *= (size_t)d.dim[i];
        if (size) memcpy(out + bytes, result, size);
        bytes += size;
    }
    *on_the_way = reductions(ctx, session);
    bp_session_free(session);
    for (int k = 0; k < 3; k++) free(data[k]);
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
                    if (shapes[k].dim[0] > 0 && shapes[k].dim[shapes[k].n - 1] > 0)
                        assert_int_equal(reduced, shapes[k].n > 2 ? CONDENSED : ENDS);
                    if (memcmp(want, got, bytes) != 0)
                        fail_msg("shape %d, %s, type %d, %d threads: other bits", (int)k, o.isa, type, threads);
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
