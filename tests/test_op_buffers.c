/* Every reference kernel of the table on buffers of its own, between guard zones: nothing is written beside an output, every
   element of it is written, inputs stay as they are; inputs that are transposed, every other element, or repeated by a stride
   of 0 give the bits of a dense copy, on every instruction set, for 1 and 3 threads, in single and double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "support/gradient_problem.h"

typedef enum view { COPY, TRANSPOSED_VIEW, EVERY_OTHER_VIEW, SPREAD_VIEW, VIEWS } view;
static const char *const view_names[] = {"dense", "transposed", "every other element", "spread"};

typedef struct bench { /* one operation with its tensors */
    bp_context *ctx;
    bp_graph *g;
    const bp__node *node;
    bp__tensor in[MAX_SAMPLE_IN], out[8];
    size_t in_bytes[MAX_SAMPLE_IN], out_bytes[8];
    char title[160];
} bench;

static int64_t n_runs;

static size_t item(const bp__tensor *t) { return bp_dtype_size((bp_dtype)t->dtype); }

static bp__tensor tensor_of(bp_dtype dtype, const bp_dims *dims) {
    bp__tensor t = {.n_dims = (int32_t)dims->n, .dtype = (uint8_t)dtype};
    int64_t step = 1;
    for (int64_t i = dims->n - 1; i >= 0; i--) {
        t.dim[i] = dims->dim[i];
        t.stride[i] = step;
        step *= dims->dim[i];
    }
    return t;
}

/* The strides of a view, and how many elements its storage has. */
static int64_t lay_out(bp__tensor *t, view how) {
    int64_t step = how == EVERY_OTHER_VIEW ? 2 : 1, n = t->n_dims;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = how == TRANSPOSED_VIEW ? k : n - 1 - k;
        bool again = how == SPREAD_VIEW && i == 0;
        t->stride[i] = again ? 0 : step;
        if (!again) step *= t->dim[i];
    }
    return step + 1;
}

/* Elements in row-major order. */
static void dense_copy(bp__tensor *to, const bp__tensor *from) {
    int64_t n = bp__tensor_count(from);
    size_t e = item(from);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0;
        for (int d = from->n_dims - 1; d >= 0; d--) {
            at += rest % from->dim[d] * from->stride[d];
            rest /= from->dim[d];
        }
        memcpy((char *)to->data + (size_t)i * e, (char *)from->data + (size_t)at * e, e);
    }
}

static void fill(problem *p, bp__tensor *t, int64_t n, const bp__sample_in *s) {
    for (int64_t i = 0; i < n; i++) {
        double x = s->low + uniform(p) * (s->high - s->low);
        switch ((bp_dtype)t->dtype) {
        case BP_F32: ((float *)t->data)[i] = (float)x; break;
        case BP_F64: ((double *)t->data)[i] = x; break;
        case BP_I32: ((int32_t *)t->data)[i] = (int32_t)floor(x); break;
        case BP_I64: ((int64_t *)t->data)[i] = (int64_t)floor(x); break;
        case BP_U8: ((uint8_t *)t->data)[i] = (uint8_t)floor(x); break;
        }
    }
}

/* Equal bits, any NaN being as good as another. */
static bool same(const bp__tensor *t, const void *a, const void *b) {
    size_t e = item(t), n = (size_t)bp__tensor_count(t);
    for (size_t i = 0; i < n; i++) {
        const char *x = (const char *)a + i * e, *y = (const char *)b + i * e;
        float f[2];
        double d[2];
        if (!memcmp(x, y, e)) continue;
        if (t->dtype == BP_F32 && (memcpy(&f[0], x, 4), memcpy(&f[1], y, 4), isnan(f[0]) && isnan(f[1]))) continue;
        if (t->dtype == BP_F64 && (memcpy(&d[0], x, 8), memcpy(&d[1], y, 8), isnan(d[0]) && isnan(d[1]))) continue;
        return false;
    }
    return true;
}

/* Runs the kernel; outputs hold `pattern` before. False: something was written where it should not be. */
static bool run_kernel(bench *b, const char *isa, int threads, int pattern) {
    bp__team *team;
    bp__call call = {.in = b->in, .out = b->out, .n_in = b->node->n_in, .n_out = b->node->n_out, .attrs = b->node->attrs};
    bp__env env = {.isa = bp__isa_find(isa), .seed = 17, .step = 3};
    if (bp__team_new(&team, b->ctx, threads) != BP_OK) return false;
    env.team = team;
    call.env = &env;
    env.scratch_bytes = b->node->op->scratch ? b->node->op->scratch(&call, threads) : 0;
    size_t bytes = (env.scratch_bytes + 63) / 64 * 64;
    unsigned char *scratch = aligned_alloc(64, bytes + 128);
    if (!scratch) abort();
    memset(scratch, 0x77, bytes + 128);
    env.scratch = scratch + 64;
    for (int k = 0; k < call.n_out; k++) memset(b->out[k].data, pattern, b->out_bytes[k]);
    b->node->op->forward(&call);
    n_runs++;
    bool right = true;
    for (int k = 0; k < call.n_out; k++) right = right && guards_stand(b->out[k].data, b->out_bytes[k]);
    for (int k = 0; k < call.n_in; k++) right = right && (!b->in[k].data || guards_stand(b->in[k].data, b->in_bytes[k]));
    for (size_t i = 0; i < 64; i++) right = right && scratch[i] == 0x77 && scratch[64 + bytes + i] == 0x77;
    free(scratch);
    bp__team_free(team);
    if (!right) printf("%s, %s, %d threads: written beside an output, an input or the scratch\n", b->title, isa, threads);
    return right;
}

/* The outputs as they were (expected) against those of one more run. */
static bool same_again(bench *b, void **expected, const char *isa, int threads, int pattern) {
    if (!run_kernel(b, isa, threads, pattern)) return false;
    for (int k = 0; k < b->node->n_out; k++)
        if (!same(&b->out[k], expected[k], b->out[k].data)) {
            printf("%s, %s, %d threads: output %d has other bits than from a dense copy on scalar\n", b->title, isa, threads, k);
            return false;
        }
    return true;
}

static bool check_view(bench *b, problem *p, const bp__sample *s, view how) {
    bp__tensor dense[MAX_SAMPLE_IN], views[MAX_SAMPLE_IN];
    void *before[MAX_SAMPLE_IN] = {NULL}, *expected[8] = {NULL};
    bool right = true;
    for (int i = 0; i < b->node->n_in; i++) {
        bp_dims dims = {.n = b->in[i].n_dims};
        memcpy(dims.dim, b->in[i].dim, sizeof dims.dim[0] * (size_t)dims.n);
        dense[i] = views[i] = tensor_of((bp_dtype)b->in[i].dtype, &dims);
        if (!b->in[i].dtype && b->node->in[i].node < 0) continue;
        int64_t n = lay_out(&views[i], how);
        b->in_bytes[i] = (size_t)n * item(&views[i]);
        views[i].data = guarded(b->in_bytes[i]);
        fill(p, &views[i], n, &s->in[i]);
        before[i] = room(b->in_bytes[i]);
        memcpy(before[i], views[i].data, b->in_bytes[i]);
        dense[i].data = guarded((size_t)(bp__tensor_count(&dense[i])) * item(&dense[i]));
        dense_copy(&dense[i], &views[i]);
    }
    size_t view_bytes[MAX_SAMPLE_IN];
    memcpy(view_bytes, b->in_bytes, sizeof view_bytes);
    for (int i = 0; i < b->node->n_in; i++) {
        b->in[i] = dense[i];
        b->in_bytes[i] = (size_t)bp__tensor_count(&dense[i]) * item(&dense[i]);
    }
    right = run_kernel(b, "scalar", 1, 0x55);
    for (int k = 0; k < b->node->n_out; k++) {
        expected[k] = room(b->out_bytes[k]);
        memcpy(expected[k], b->out[k].data, b->out_bytes[k]);
    }
    right = right && same_again(b, expected, "scalar", 1, 0x33); /* every element is written */
    for (int i = 0; i < b->node->n_in; i++) b->in[i] = views[i];
    memcpy(b->in_bytes, view_bytes, sizeof view_bytes);
    for (int k = 0; right && bp__isa_list(k); k++)
        for (int threads = 1; threads <= 3 && right; threads += 2)
            right = same_again(b, expected, bp__isa_list(k), threads, 0x33);
    for (int i = 0; i < b->node->n_in; i++) {
        if (!before[i]) continue;
        if (memcmp(before[i], views[i].data, view_bytes[i]) != 0) {
            printf("%s: input %d was written to\n", b->title, i + 1);
            right = false;
        }
        free((char *)views[i].data - GUARD);
        free((char *)dense[i].data - GUARD);
        free(before[i]);
        b->in[i].data = NULL;
    }
    for (int k = 0; k < b->node->n_out; k++) free(expected[k]);
    return right;
}

static bool check_kernel(const bp__op *op, int index, bp_dtype type) {
    const bp__sample *s = &op->samples[index];
    problem p = {.seed = 77 + (uint64_t)index};
    bench b = {.ctx = NULL};
    bp_value in[MAX_SAMPLE_IN];
    bool right = true;
    assert_int_equal(bp_context_new(&b.ctx, NULL), BP_OK);
    assert_int_equal(bp_graph_new(&b.g, b.ctx), BP_OK);
    bp_graph_set_dtype(b.g, type);
    for (int i = 0; i < s->n_in; i++) {
        bp_dims d = s->in[i].dims;
        in[i] = BP_NONE;
        if (s->in[i].low > s->in[i].high) continue;
        for (int64_t k = 0; k < d.n; k++)
            if (d.dim[k] < 0) d.dim[k] = 3;
        bp_dtype dtype = s->in[i].dtype <= BP_F64 ? type : s->in[i].dtype;
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        in[i] = bp_input(b.g, name, dtype, d);
        b.in[i] = tensor_of(dtype, &d);
    }
    bp_value y = bp__graph_add(b.g, op, s->attrs ? s->attrs : op->attr_defaults, in, s->n_in);
    if (bp_graph_status(b.g) == BP_OK) b.node = &b.g->nodes[y.node];
    bool parts = b.node && b.node->op != op; /* built as its parts for these shapes, perhaps with itself among them */
    for (int i = 0; b.node && i < s->n_in && !parts; i++) parts = in[i].graph && b.node->in[i].node != in[i].node;
    if (parts) {
    } else if (b.node) {
        for (int k = 0; k < b.node->n_out; k++) {
            b.out[k] = tensor_of(b.node->out[k].dtype, &b.node->out[k].dims);
            b.out_bytes[k] = (size_t)bp__tensor_count(&b.out[k]) * item(&b.out[k]);
            b.out[k].data = guarded(b.out_bytes[k]);
        }
        for (int how = COPY; how < VIEWS && right; how++) {
            snprintf(b.title, sizeof b.title, "%s, sample %d, %s, %s", op->name, index, bp_dtype_name(type), view_names[how]);
            if (how == COPY || !(op->flags & BP__OP_DENSE_IN)) right = check_view(&b, &p, s, (view)how);
        }
        for (int k = 0; k < b.node->n_out; k++) free((char *)b.out[k].data - GUARD);
    } else if (type == BP_F64) { /* an operation may be of one float type only */
        printf("%s, sample %d: %s\n", op->name, index, bp_context_error(b.ctx));
        right = false;
    }
    bp_graph_free(b.g);
    bp_context_free(b.ctx);
    return right;
}

static void kernels_keep_to_their_buffers(void **state) {
    (void)state;
    int wrong = 0, n = 0;
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if ((op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) || !op->forward || op->attrs_copy) continue;
        if (op->decompose && !op->gradient && !(op->flags & BP__OP_NO_GRADIENT)) continue; /* built as its parts */
        n++;
        for (int32_t s = 0; s < op->n_samples; s++)
            for (int type = BP_F32; type <= BP_F64; type++) wrong += !check_kernel(op, s, (bp_dtype)type);
    }
    printf("%d operations with a kernel, %lld runs of it\n", n, (long long)n_runs);
    assert_int_equal(wrong, 0);
    assert_true(n > 60 && n_runs > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_keep_to_their_buffers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
