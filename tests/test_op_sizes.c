/* Sizes that are symbols, and sizes of 0 and 1. Every operation of the table, on every sample, is built once with the sample's
   sizes as numbers and once with each size above 1 as a symbol: values and gradients have to be the same bits. What needs a
   number says so in a sentence, and is listed here with the reason. */
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

enum { MAX_IN = 6, MAX_OUT = 4 };

static const struct {
    const char *name, *why;
} numbers_only[] = {
    {"conv1d", "the sizes of a weight are numbers"},
    {"conv2d", "the sizes of a weight are numbers"},
    {"conv2d_grad_input", "the sizes of a weight are numbers"},
    {"conv2d_grad_weight", "the sizes of a weight are numbers"},
    {"concat", "the gradient of an input between two symbols begins and ends nowhere known"},
    {"glu", "half of a symbol need not be whole"},
    {"swiglu", "half of a symbol need not be whole"},
    {"geglu", "half of a symbol need not be whole"},
    {"corn", "the ranks are counted while the graph is built"},
    {"multilabel_margin", "the classes are counted while the graph is built"},
    {"nt_xent", "the pairs are counted while the graph is built"},
    {"einsum", "a diagonal needs two sizes that are one number"},
    {"cholesky", "the size of a matrix is a number"},
    {"triangular_solve", "the size of a matrix is a number"},
    {"solve", "the size of a matrix is a number"},
    {"inverse", "the size of a matrix is a number"},
    {"det", "the size of a matrix is a number"},
    {"slogdet", "the size of a matrix is a number"},
    {"logdet", "the size of a matrix is a number"},
    {"eigh", "the size of a matrix is a number"},
    {"qr", "the size of a matrix is a number"},
    {"diag", "the diagonal of a matrix with two different symbols has no known length"},
};

typedef struct result {
    bp_status status;
    char sentence[300];
    int n;
    void *data[MAX_OUT + MAX_IN];
    size_t bytes[MAX_OUT + MAX_IN];
    bp_dims dims[MAX_OUT + MAX_IN];
} result;

static uint64_t state_of_numbers;
static double uniform(void) {
    state_of_numbers = state_of_numbers * 6364136223846793005u + 1442695040888963407u;
    return (double)(state_of_numbers >> 11) * 0x1p-53;
}

static int64_t count(const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    return n;
}

static void keep(result *r, bp_context *ctx, bp_session *s, int k) {
    const void *data;
    bp_dtype dtype;
    r->status = bp_session_output(s, k, &data, &dtype, &r->dims[k]);
    if (r->status != BP_OK) return;
    r->bytes[k] = (size_t)count(&r->dims[k]) * bp_dtype_size(dtype);
    r->data[k] = malloc(r->bytes[k] + 1);
    assert_non_null(r->data[k]);
    if (r->bytes[k]) memcpy(r->data[k], data, r->bytes[k]);
    (void)ctx;
}

static void run(result *r, bp_graph *g, bp_context *ctx, const bp_value *outputs, const void *const *data, const bp_dims *dims,
                int n_in) {
    bp_state *state = NULL;
    bp_program *program = NULL;
    bp_session *session = NULL;
    r->status = bp_state_new(&state, g);
    if (r->status == BP_OK) r->status = bp_program_new(&program, g, outputs, r->n, NULL);
    if (r->status == BP_OK) r->status = bp_session_new(&session, program, state);
    for (int i = 0; i < n_in && r->status == BP_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        if (data[i]) (void)bp_session_set(session, name, data[i], &dims[i]); /* a gradient may not need every input */
    }
    bp_context_clear_error(ctx);
    if (r->status == BP_OK) {
        bp_session_set_step(session, 5, 3, 0);
        r->status = bp_session_run(session);
    }
    for (int k = 0; k < r->n && r->status == BP_OK; k++) keep(r, ctx, session, k);
    bp_session_free(session);
    bp_program_free(program);
    bp_state_free(state);
}

/* Sizes equal to `size` become `other` in what is run. */
static void compute(result *r, const bp__op *op, const bp__sample *s, bool symbolic, int64_t size, int64_t other) {
    bp_context *ctx;
    bp_graph *g;
    bp_value in[MAX_IN], wrt[MAX_IN], y[MAX_OUT], c[MAX_OUT], results[MAX_OUT + MAX_IN];
    void *data[MAX_IN] = {NULL};
    bp_dims real[MAX_IN];
    int n_wrt = 0, n_flow = 0;
    memset(r, 0, sizeof *r);
    bp_context_options o = {.size = sizeof o, .threads = 1};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    assert_int_equal(bp_graph_new(&g, ctx), BP_OK);
    state_of_numbers = 99;
    for (int i = 0; i < s->n_in; i++) {
        const bp__sample_in *from = &s->in[i];
        in[i] = BP_NONE;
        if (from->low > from->high) continue;
        char name[16];
        bp_dims d = real[i] = from->dims;
        for (int64_t k = 0; k < d.n && symbolic; k++) {
            snprintf(name, sizeof name, "n%lld", (long long)d.dim[k]);
            if (d.dim[k] > 1) d.dim[k] = bp_symbol(g, name);
        }
        for (int64_t k = 0; k < d.n; k++)
            if (real[i].dim[k] == size) real[i].dim[k] = other;
        if (!symbolic) d = real[i];
        int64_t n = count(&real[i]);
        bp_dtype dtype = from->dtype <= BP_F64 ? BP_F64 : from->dtype;
        data[i] = calloc((size_t)n + 1, 8);
        assert_non_null(data[i]);
        for (int64_t k = 0; k < n; k++) {
            double x = from->low + uniform() * (from->high - from->low);
            if (dtype == BP_F64) ((double *)data[i])[k] = x;
            if (dtype == BP_I64) ((int64_t *)data[i])[k] = (int64_t)floor(x);
            if (dtype == BP_I32) ((int32_t *)data[i])[k] = (int32_t)floor(x);
            if (dtype == BP_U8) ((uint8_t *)data[i])[k] = (uint8_t)x;
        }
        snprintf(name, sizeof name, "v%d", i);
        in[i] = bp_input(g, name, dtype, d);
        if (dtype == BP_F64) wrt[n_wrt++] = in[i];
    }
    bp_value first = bp__graph_add(g, op, s->attrs ? s->attrs : op->attr_defaults, in, s->n_in);
    for (int k = 0; k < op->n_out && !bp_is_bad(first); k++) {
        results[r->n++] = bp__output(first, k);
        if (bp_value_dtype(results[k]) != BP_F64) continue;
        y[n_flow] = results[k];
        c[n_flow] = bp_random_normal(results[k], "cotangent");
        n_flow++;
    }
    if (n_flow > 0 && n_wrt > 0 && bp_graph_status(g) == BP_OK) {
        bp_gradients(results + r->n, y, c, n_flow, wrt, n_wrt);
        r->n += n_wrt;
    }
    r->status = bp_graph_status(g);
    if (r->status == BP_OK) run(r, g, ctx, results, (const void *const *)data, real, s->n_in);
    snprintf(r->sentence, sizeof r->sentence, "%s", bp_context_error(ctx));
    for (int i = 0; i < s->n_in; i++) free(data[i]);
    bp_graph_free(g);
    bp_context_free(ctx);
}

static void drop(result *r) {
    for (int k = 0; k < r->n; k++) free(r->data[k]);
}

static bool may_refuse(const char *name) {
    for (size_t i = 0; i < sizeof numbers_only / sizeof numbers_only[0]; i++)
        if (!strcmp(numbers_only[i].name, name)) return true;
    return false;
}

static void every_operation(void **unused) {
    (void)unused;
    int wrong = 0, compared = 0, refused = 0;
    const char *only = getenv("BP_SYMBOLS_OF"); /* one operation, when looking for a mistake */
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        bool refuses = false;
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        if (only && strcmp(only, op->name) != 0) continue;
        for (int32_t k = 0; k < op->n_samples; k++) {
            result a, b;
            compute(&a, op, &op->samples[k], false, -1, -1);
            compute(&b, op, &op->samples[k], true, -1, -1);
            if (a.status != BP_OK) {
                printf("%s, sample %d: %s\n", op->name, (int)k, a.sentence);
                wrong++;
            } else if (b.status != BP_OK) {
                refuses = true;
                refused++;
                if (!may_refuse(op->name)) printf("%s, sample %d, symbols: %s\n", op->name, (int)k, b.sentence), wrong++;
                if (b.status != BP_SHAPE && b.status != BP_UNSUPPORTED)
                    printf("%s: not a sentence about shapes\n", op->name), wrong++;
            } else {
                compared++;
                for (int j = 0; j < a.n; j++) {
                    if (a.bytes[j] == b.bytes[j] && !memcmp(a.data[j], b.data[j], a.bytes[j]) &&
                        bp__dims_equal(&a.dims[j], &b.dims[j]))
                        continue;
                    printf("%s, sample %d: result %d differs\n", op->name, (int)k, j);
                    wrong++;
                }
            }
            drop(&a);
            drop(&b);
        }
        if (may_refuse(op->name) && !refuses) printf("%s: can do without numbers; its line has to go\n", op->name), wrong++;
    }
    printf("%d samples compared, %d refused\n", compared, refused);
    assert_int_equal(wrong, 0);
    assert_true(only || compared > 250);
}

/* Sizes that become 0 or 1, as numbers and as symbols: the operation works, or refuses with a sentence about shapes; it never
   touches what is not there (the sanitizers look). */
static void empty_and_single(void **unused) {
    (void)unused;
    int works = 0, refused = 0, wrong = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) continue;
        for (int32_t k = 0; k < op->n_samples; k++)
            for (int64_t size = 2; size < 20; size++)
                for (int64_t other = 0; other <= 1; other++)
                    for (int symbolic = 0; symbolic <= 1; symbolic++) {
                        const bp__sample *s = &op->samples[k];
                        bool has = false;
                        for (int32_t j = 0; j < s->n_in; j++)
                            for (int64_t d = 0; d < s->in[j].dims.n && s->in[j].low <= s->in[j].high; d++)
                                has |= s->in[j].dims.dim[d] == size;
                        if (!has) continue;
                        result r;
                        compute(&r, op, s, symbolic != 0, size, other);
                        if (r.status == BP_OK) {
                            works++;
                        } else {
                            refused++;
                            if (r.status != BP_SHAPE && r.status != BP_UNSUPPORTED)
                                wrong++, printf("%s: %s\n", op->name, r.sentence);
                        }
                        drop(&r);
                    }
    }
    printf("%d runs, %d refused\n", works, refused);
    assert_int_equal(wrong, 0);
    assert_true(works > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation), cmocka_unit_test(empty_and_single)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
