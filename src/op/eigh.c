/* eigenvalues w, ascending, and eigenvectors, the columns of v, of symmetric matrices: v diag(w) vᵀ is the symmetric part of a,
   (a + aᵀ) / 2, so that the gradient is the exact one for every element of a. The largest element of each vector (the first of
   equals) is positive. Of a matrix that is diagonal already nothing is computed: `where(turn, a, identity)` in front makes it one
   for turns that need it. Gradient (PyTorch's linalg.eigh): v (diag(d_w) + sym(F ∘ vᵀ d_v)) vᵀ, F[i, j] = 1 / (w[j] - w[i]), 0 on
   the diagonal: vectors of equal values have no derivative, it is infinite or NaN there. */
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

#include <float.h>

static bp_status infer(bp__infer *c) {
    BP_TRY(bp__infer_square(c, 0));
    c->out[0] = c->out[1] = *c->in[0];
    c->out[0].dims.n--;
    return BP_OK;
}

static size_t scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    size_t n = (size_t)bp__rows(&c->in[0]);
    return sizeof(double) * (2 * n * n + 4 * n);
}

static void forward(const bp__call *c) {
    const bp__tensor *w = &c->out[0], *v = &c->out[1];
    int64_t n = bp__rows(v), n_batches = bp__batch_count(v);
    double *a = c->env->scratch, *d = a + n * n, *work = d + n, eps = v->dtype == BP_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(a, &c->in[0], v, b);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.5 * a[i * n + j] + 0.5 * a[j * n + i];
        bp__dense_eigh(n, a, d, work, eps);
        for (int64_t i = 0; i < n; i++) {
            bp__number_store(w, b * n + i, d[i]);
            for (int64_t j = 0; j < n; j++) bp__number_store(v, (b * n + j) * n + i, a[i * n + j]);
        }
    }
}

static void gradient(bp__grad *c) {
    bp_value w = c->out[0], v = c->out[1], d_w = c->d_out[0], d_v = c->d_out[1], inner = BP_NONE;
    int64_t axis = bp_value_dims(w).n, n = bp_value_dims(w).dim[axis - 1];
    bp_value diagonal = bp__diagonal(c->g, n), zero = bp__k_like(w, 0);
    if (d_w.graph) inner = bp_where(diagonal, bp__unsqueeze(d_w, axis), zero);
    if (d_v.graph) {
        bp_value apart = bp_sub(bp__unsqueeze(w, axis - 1), bp__unsqueeze(w, axis));
        bp_value turned = bp_div(bp_matmul(bp__transpose(v), d_v), bp_where(diagonal, bp__k_like(w, 1), apart));
        turned = bp_where(diagonal, zero, turned);
        turned = bp__mul_k(bp_add(turned, bp__transpose(turned)), 0.5);
        inner = d_w.graph ? bp_add(inner, turned) : turned;
    }
    c->d_in[0] = inner.graph ? bp_matmul(bp_matmul(v, inner), bp__transpose(v)) : BP_NONE;
}

/* Reflections 4/3 n³, their product 4/3 n³, rotations about 6 n³. */
static double flops(const bp__call *c) {
    double n = (double)bp__rows(&c->in[0]);
    return (26.0 / 3) * n * n * n * (double)bp__batch_count(&c->in[0]);
}

static const bp__sample samples[] = {
    {.n_in = 1, .in = {BP__F(-2, 2, 2, {3, 3})}},    {.n_in = 1, .in = {BP__M(5, -2, 2, 3, {2, 4, 4})}},
    {.n_in = 1, .in = {BP__F(-2, 2, 2, {1, 1})}},    {.n_in = 1, .in = {BP__F(-2, 2, 4, {2, 1, 2, 2})}},
    {.n_in = 1, .in = {BP__F(-2, 2, 3, {0, 2, 2})}},
};

const bp__op_def bp__def_eigh = {
    BP__SIGNATURE(eigh),  .family = "linear algebra", .formula = "w ascending, v with v diag(w) v^T = (a + a^T) / 2",
    .infer = infer,       .forward = forward,         .scratch = scratch,
    .gradient = gradient, .samples = samples,         .n_samples = BP__COUNT(samples),
    .flops = flops};
