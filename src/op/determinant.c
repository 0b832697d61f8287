/* det, and its parts for determinants too large or small for a number: sign and log|det|. Of LU with partial pivoting.
   logdet is NaN where det < 0 and -inf where it is 0, as in PyTorch. Gradients need an inverse: of a singular matrix they are
   NaN. */
#include "core/math64.h"
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

#include <math.h>

static bp_status det_infer(bp__infer *c) {
    BP_TRY(bp__infer_square(c, 0));
    c->out[0] = *c->in[0];
    c->out[0].dims.n -= 2;
    if (c->node->n_out > 1) c->out[1] = c->out[0];
    return BP_OK;
}

static size_t scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    size_t n = (size_t)bp__rows(&c->in[0]);
    return sizeof(double) * n * n + sizeof(int64_t) * n;
}

/* det, or sign and log|det|, of every matrix. */
static void run(const bp__call *c, bool logarithm) {
    bp__tensor x = c->in[0];
    int64_t n = bp__rows(&x), n_batches = bp__batch_count(&x);
    double *a = c->env->scratch;
    int64_t *pivot = (int64_t *)(void *)(a + n * n);
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(a, &x, &x, b);
        double det = bp__dense_lu(n, a, pivot), log_abs = 0;
        for (int64_t i = 0; i < n; i++) {
            double d = a[i * n + i];
            log_abs += bp__log64(fabs(d));
            det *= !logarithm ? d : d > 0 ? 1 : d < 0 ? -1 : d; /* 0 and NaN stay */
        }
        bp__number_store(&c->out[0], b, det);
        if (logarithm) bp__number_store(&c->out[1], b, log_abs);
    }
}

static void det_forward(const bp__call *c) { run(c, false); }
static void slogdet_forward(const bp__call *c) { run(c, true); }

/* d_a = d a⁻ᵀ, for a cotangent d of log|det|. */
static void through_logarithm(bp__grad *c, bp_value d) {
    bp_dims per_matrix = bp_value_dims(d);
    per_matrix.dim[per_matrix.n++] = 1;
    per_matrix.dim[per_matrix.n++] = 1;
    c->d_in[0] = bp_mul(bp_reshape(d, per_matrix), bp__transpose(bp_inverse(c->in[0])));
}

static void det_gradient(bp__grad *c) { through_logarithm(c, bp_mul(c->d_out[0], c->out[0])); }

/* The sign is constant wherever it has a derivative. */
static void slogdet_gradient(bp__grad *c) {
    if (c->d_out[1].graph) through_logarithm(c, c->d_out[1]);
}

static bp_value logdet_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)attrs, (void)n_in;
    bp_value sign = bp_slogdet(in[0]);
    if (bp_is_bad(sign)) return sign;
    bp_dtype dtype = bp_value_dtype(sign);
    return bp_where(bp_lt(sign, bp__k(g, dtype, 0)), bp__k(g, dtype, (double)NAN), bp__output(sign, 1));
}

static const bp__sample samples[] = {
    {.n_in = 1, .in = {BP__M(2, -1, 1, 2, {3, 3})}},
    {.n_in = 1, .in = {BP__M(-3, -1, 1, 3, {2, 3, 3})}},
    {.n_in = 1, .in = {BP__M(4, -1, 1, 4, {2, 1, 4, 4})}},
    {.n_in = 1, .in = {BP__M(2, -1, 1, 2, {1, 1})}},
};
static const bp__sample positive_samples[] = {
    {.n_in = 1, .in = {BP__M(4, -1, 1, 2, {3, 3})}},
    {.n_in = 1, .in = {BP__M(5, -1, 1, 3, {2, 4, 4})}},
    {.n_in = 1, .in = {BP__M(2, -1, 1, 2, {1, 1})}},
};

const bp__op_def bp__def_det = {BP__SIGNATURE(det),       .family = "linear algebra", .formula = "determinant of a",
                                .infer = det_infer,       .forward = det_forward,     .scratch = scratch,
                                .gradient = det_gradient, .samples = samples,         .n_samples = BP__COUNT(samples)};
const bp__op_def bp__def_slogdet = {BP__SIGNATURE(slogdet),       .family = "linear algebra", .formula = "sign and log(|det(a)|)",
                                    .infer = det_infer,           .forward = slogdet_forward, .scratch = scratch,
                                    .gradient = slogdet_gradient, .samples = samples,         .n_samples = BP__COUNT(samples)};
const bp__op_def bp__def_logdet = {BP__SIGNATURE(logdet),
                                   .family = "linear algebra",
                                   .formula = "log(det(a)); NaN where the determinant is negative",
                                   .infer = det_infer,
                                   .decompose = logdet_decompose,
                                   .samples = positive_samples,
                                   .n_samples = BP__COUNT(positive_samples)};
