/* l: lower triangular with a = l lᵀ (upper: its transpose). The symmetric part of a, (a + aᵀ) / 2, is what is factored, so that
   the gradient, which is symmetric as PyTorch's, is the exact one for every element of a. Not positive definite: NaN. Gradient:
   Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10. */
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

static bp_status infer(bp__infer *c) {
    BP_TRY(bp__infer_square(c, 0));
    return bp__infer_same(c);
}

static size_t scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    return sizeof(double) * 2 * (size_t)(bp__rows(&c->in[0]) * bp__rows(&c->in[0]));
}

static void forward(const bp__call *c) {
    const struct bp__cholesky_attrs *attrs = c->attrs;
    const bp__tensor *y = &c->out[0];
    int64_t n = bp__rows(y), n_batches = bp__batch_count(y);
    double *a = c->env->scratch, *t = a + n * n;
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(t, &c->in[0], y, b);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) a[i * n + j] = 0.5 * t[i * n + j] + 0.5 * t[j * n + i];
        bp__dense_cholesky(n, a);
        for (int64_t i = 0; i < n && attrs->upper; i++)
            for (int64_t j = 0; j < i; j++) {
                a[j * n + i] = a[i * n + j];
                a[i * n + j] = 0;
            }
        bp__matrix_store(y, b, a);
    }
}

static bp_value solve_transposed(bp_value l, bp_value b) {
    bp_triangular_solve_options o = bp_triangular_solve_defaults();
    o.transpose = 1;
    return bp_triangular_solve(l, b, 0, &o);
}

/* d_a = sym(l⁻ᵀ Φ(lᵀ d_l) l⁻¹): Φ takes the lower triangle and half of the diagonal. */
static void gradient(bp__grad *c) {
    const struct bp__cholesky_attrs *attrs = c->attrs;
    bp_value l = attrs->upper ? bp__transpose(c->out[0]) : c->out[0];
    bp_value d_l = attrs->upper ? bp__transpose(c->d_out[0]) : c->d_out[0];
    bp_dims d = bp_value_dims(l);
    int64_t n = d.dim[d.n - 1];
    bp_value p = bp_matmul(bp__transpose(l), d_l), zero = bp__k_like(l, 0);
    p = bp_where(bp__triangle(c->g, n, false, true), p, bp_where(bp__diagonal(c->g, n), bp__mul_k(p, 0.5), zero));
    bp_value s = solve_transposed(l, bp__transpose(solve_transposed(l, p)));
    c->d_in[0] = bp__mul_k(bp_add(s, bp__transpose(s)), 0.5);
}

static const struct bp__cholesky_attrs lower = {.upper = 0}, upper = {.upper = 1};
static const bp__sample samples[] = {
    {.attrs = &lower, .n_in = 1, .in = {BP__M(4, -1, 1, 2, {3, 3})}},
    {.attrs = &upper, .n_in = 1, .in = {BP__M(5, -1, 1, 3, {2, 4, 4})}},
    {.attrs = &lower, .n_in = 1, .in = {BP__M(2, -1, 1, 2, {1, 1})}},
    {.attrs = &lower, .n_in = 1, .in = {BP__M(2, -1, 1, 3, {0, 2, 2})}},
};

const bp__op_def bp__def_cholesky = {
    BP__SIGNATURE(cholesky), .family = "linear algebra", .formula = "l lower triangular with l l^T = (a + a^T) / 2; upper: l^T",
    .infer = infer,          .forward = forward,         .scratch = scratch,
    .gradient = gradient,    .samples = samples,         .n_samples = BP__COUNT(samples)};
