/* solve:   x with a x = b, by LU with partial pivoting; b is a batch of matrices, or one vector. A singular a gives infinities or
            NaN.
   inverse: solve with the identity. */
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

static bool is_vector(const bp__infer *c) { return c->in[1]->dims.n == 1; }

static bp_status solve_infer(bp__infer *c) {
    if (!is_vector(c)) return bp__infer_system(c);
    bp__info column = *c->in[1];
    column.dims.dim[column.dims.n++] = 1;
    const bp__info *in[2] = {c->in[0], &column}, **was = c->in;
    c->in = in;
    bp_status status = bp__infer_system(c);
    c->in = was;
    c->out[0].dims.n -= status == BP_OK;
    return status;
}

static bp_value solve_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)attrs, (void)n_in;
    if (bp_value_dims(in[1]).n != 1) return bp_solve(in[0], in[1]);
    bp_value x = bp_solve(in[0], bp__unsqueeze(in[1], 1));
    bp_dims d = bp_value_dims(x);
    d.n--;
    return bp_reshape(x, d);
}

static size_t solve_scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    size_t n = (size_t)bp__rows(&c->out[0]), m = (size_t)bp__columns(&c->out[0]);
    return sizeof(double) * n * (n + m) + sizeof(int64_t) * n;
}

static void solve_forward(const bp__call *c) {
    const bp__tensor *y = &c->out[0];
    int64_t n = bp__rows(y), m = bp__columns(y), n_batches = bp__batch_count(y);
    double *a = c->env->scratch, *x = a + n * n;
    int64_t *pivot = (int64_t *)(void *)(x + n * m);
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(a, &c->in[0], y, b);
        bp__matrix_load(x, &c->in[1], y, b);
        bp__dense_lu(n, a, pivot);
        bp__dense_lu_solve(n, m, a, pivot, x);
        bp__matrix_store(y, b, x);
    }
}

/* d_b = a⁻ᵀ d_x, d_a = -d_b xᵀ. */
static void solve_gradient(bp__grad *c) {
    bp_value d_b = bp_solve(bp__transpose(c->in[0]), c->d_out[0]);
    if (c->wanted[1]) c->d_in[1] = d_b;
    if (c->wanted[0]) c->d_in[0] = bp_neg(bp_matmul(d_b, bp__transpose(c->out[0])));
}

static double solve_flops(const bp__call *c) {
    double n = (double)bp__rows(&c->out[0]), matrices = (double)bp__batch_count(&c->out[0]);
    return matrices * n * n * (2.0 / 3 * n + 2.0 * (double)bp__columns(&c->out[0]));
}

static bp_status inverse_infer(bp__infer *c) {
    BP_TRY(bp__infer_square(c, 0));
    return bp__infer_same(c);
}

static bp_value inverse_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs, (void)n_in;
    bp_dims d = bp_value_dims(in[0]);
    return bp_solve(in[0], bp__identity(g, bp_value_dtype(in[0]), d.dim[d.n - 1]));
}

static const bp__sample solve_samples[] = {
    {.n_in = 2, .in = {BP__M(3, -1, 1, 2, {3, 3}), BP__F(-2, 2, 2, {3, 3})}},
    {.n_in = 2, .in = {BP__M(-3, -1, 1, 3, {2, 3, 3}), BP__F(-2, 2, 2, {3, 1})}},
    {.n_in = 2, .in = {BP__M(4, -1, 1, 2, {4, 4}), BP__F(-2, 2, 3, {2, 4, 2})}},
    {.n_in = 2, .in = {BP__M(3, -1, 1, 2, {3, 3}), BP__F(-2, 2, 1, {3})}},
    {.n_in = 2, .in = {BP__M(2, -1, 1, 2, {1, 1}), BP__F(-2, 2, 2, {1, 1})}},
    {.n_in = 2, .in = {BP__M(2, -1, 1, 3, {0, 2, 2}), BP__F(-2, 2, 2, {2, 2})}},
};
static const bp__sample inverse_samples[] = {
    {.n_in = 1, .in = {BP__M(3, -1, 1, 2, {3, 3})}},
    {.n_in = 1, .in = {BP__M(-3, -1, 1, 3, {2, 4, 4})}},
    {.n_in = 1, .in = {BP__M(2, -1, 1, 2, {1, 1})}},
};

const bp__op_def bp__def_solve = {BP__SIGNATURE(solve),
                                  .family = "linear algebra",
                                  .formula = "x with a x = b; b is a matrix, or one vector",
                                  .infer = solve_infer,
                                  .forward = solve_forward,
                                  .scratch = solve_scratch,
                                  .expands = is_vector,
                                  .decompose = solve_decompose,
                                  .gradient = solve_gradient,
                                  .samples = solve_samples,
                                  .n_samples = BP__COUNT(solve_samples),
                                  .flops = solve_flops};
const bp__op_def bp__def_inverse = {BP__SIGNATURE(inverse),
                                    .family = "linear algebra",
                                    .formula = "y a = identity",
                                    .infer = inverse_infer,
                                    .decompose = inverse_decompose,
                                    .samples = inverse_samples,
                                    .n_samples = BP__COUNT(inverse_samples)};
