/* x with op(a) x = b, op(a) = a or aᵀ, a triangular: what lies in the other triangle is not read; unitriangular: the diagonal
   counts as ones. Batch dimensions broadcast. */
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

static size_t scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    return sizeof(double) * (size_t)(bp__rows(&c->out[0]) * (bp__rows(&c->out[0]) + bp__columns(&c->out[0])));
}

static void forward(const bp__call *c) {
    const struct bp__triangular_solve_attrs *attrs = c->attrs;
    const bp__tensor *y = &c->out[0];
    int64_t n = bp__rows(y), m = bp__columns(y), n_batches = bp__batch_count(y);
    double *a = c->env->scratch, *x = a + n * n;
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(a, &c->in[0], y, b);
        bp__matrix_load(x, &c->in[1], y, b);
        bp__dense_triangular(n, m, a, x, attrs->upper, attrs->transpose, attrs->unitriangular);
        bp__matrix_store(y, b, x);
    }
}

/* d_b = op(a)⁻ᵀ d_x; d_op(a) = -d_b xᵀ, of which the triangle counts that was read. */
static void gradient(bp__grad *c) {
    const struct bp__triangular_solve_attrs *attrs = c->attrs;
    bp_triangular_solve_options o = bp_triangular_solve_defaults();
    o.transpose = !attrs->transpose;
    o.unitriangular = attrs->unitriangular;
    bp_value x = c->out[0], d_b = bp_triangular_solve(c->in[0], c->d_out[0], attrs->upper, &o);
    if (c->wanted[1]) c->d_in[1] = d_b;
    if (!c->wanted[0]) return;
    bp_value d_a = attrs->transpose ? bp_matmul(x, bp__transpose(d_b)) : bp_matmul(d_b, bp__transpose(x));
    bp_dims d = bp_value_dims(c->in[0]);
    bp_value mask = bp__triangle(c->g, d.dim[d.n - 1], attrs->upper, attrs->unitriangular);
    c->d_in[0] = bp_where(mask, bp_neg(d_a), bp__k_like(d_a, 0));
}

static double flops(const bp__call *c) { return (double)bp__tensor_count(&c->out[0]) * (double)bp__rows(&c->out[0]); }

static const struct bp__triangular_solve_attrs lower = {.upper = 0}, upper = {.upper = 1}, turned = {.upper = 1, .transpose = 1},
                                               unit = {.upper = 0, .unitriangular = 1},
                                               all = {.upper = 0, .transpose = 1, .unitriangular = 1};
static const bp__sample samples[] = {
    {.attrs = &lower, .n_in = 2, .in = {BP__M(3, -1, 1, 2, {3, 3}), BP__F(-2, 2, 2, {3, 3})}},
    {.attrs = &upper, .n_in = 2, .in = {BP__M(3, -1, 1, 3, {2, 3, 3}), BP__F(-2, 2, 2, {3, 1})}},
    {.attrs = &turned, .n_in = 2, .in = {BP__M(3, -1, 1, 2, {4, 4}), BP__F(-2, 2, 3, {2, 4, 2})}},
    {.attrs = &unit, .n_in = 2, .in = {BP__F(-1, 1, 2, {3, 3}), BP__F(-2, 2, 2, {3, 2})}},
    {.attrs = &all, .n_in = 2, .in = {BP__F(-1, 1, 3, {2, 3, 3}), BP__F(-2, 2, 3, {2, 3, 2})}},
    {.attrs = &lower, .n_in = 2, .in = {BP__M(3, -1, 1, 2, {1, 1}), BP__F(-2, 2, 2, {1, 1})}},
    {.attrs = &lower, .n_in = 2, .in = {BP__M(3, -1, 1, 2, {2, 2}), BP__F(-2, 2, 2, {2, 0})}},
};

const bp__op_def bp__def_triangular_solve = {BP__SIGNATURE(triangular_solve),
                                             .family = "linear algebra",
                                             .formula = "x with a x = b, a triangular; transpose: a^T x = b",
                                             .infer = bp__infer_system,
                                             .forward = forward,
                                             .scratch = scratch,
                                             .gradient = gradient,
                                             .samples = samples,
                                             .n_samples = BP__COUNT(samples),
                                             .flops = flops};
