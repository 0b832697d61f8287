/* a = q r: q [m, k] with orthonormal columns, r [k, n] upper triangular, k = min(m, n) ("reduced"). By reflections, with LAPACK's
   signs: r's diagonal is negative where what stood there was positive or zero, and else positive; a column with nothing below its
   diagonal stays as it is. So nothing is computed for a matrix that is triangular already: `where(turn, a, identity)` in front
   makes it one for turns that need it. Gradient: Seeger, Hetzel, Dai, Meissner, Lawrence, "Auto-differentiating linear algebra",
   2017; where m < n, of the first m columns, of which the others are y = q r_y. Columns that depend on each other have none. */
#include "kernel/linear_algebra.h"
#include "op/linalg.h"

static bp_status infer(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    bp_dims q = c->in[0]->dims, r = q;
    if (q.n < 2 || q.dim[q.n - 1] < 0 || q.dim[q.n - 2] < 0)
        return bp__infer_fail(c, BP_SHAPE, "a must be matrices whose sizes are numbers, not %s", bp__infer_shape(c, 0));
    q.dim[q.n - 1] = r.dim[r.n - 2] = BP__MIN(q.dim[q.n - 1], q.dim[q.n - 2]);
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = q};
    c->out[1] = (bp__info){.dtype = c->in[0]->dtype, .dims = r};
    return BP_OK;
}

static size_t scratch(const bp__call *c, int n_threads) {
    (void)n_threads;
    size_t m = (size_t)bp__rows(&c->in[0]), n = (size_t)bp__columns(&c->in[0]), k = BP__MIN(m, n);
    return sizeof(double) * (m * n + m * k + k + n);
}

static void forward(const bp__call *c) {
    const bp__tensor *x = &c->in[0];
    int64_t m = bp__rows(x), n = bp__columns(x), n_batches = bp__batch_count(x);
    double *a = c->env->scratch, *q = a + m * n, *work = q + m * BP__MIN(m, n);
    for (int64_t b = 0; b < n_batches; b++) {
        bp__matrix_load(a, x, x, b);
        bp__dense_qr(m, n, a, q, work);
        bp__matrix_store(&c->out[0], b, q);
        bp__matrix_store(&c->out[1], b, a);
    }
}

/* m >= n: (d_q + q S) r⁻ᵀ, S the symmetric matrix whose lower triangle is that of r d_rᵀ - d_qᵀ q. */
static bp_value tall(bp__grad *c, bp_value q, bp_value r, bp_value d_q, bp_value d_r) {
    bp_value s = d_r.graph ? bp_matmul(r, bp__transpose(d_r)) : BP_NONE;
    if (d_q.graph) {
        bp_value t = bp_matmul(bp__transpose(d_q), q);
        s = s.graph ? bp_sub(s, t) : bp_neg(t);
    }
    bp_dims d = bp_value_dims(r);
    s = bp_matmul(q, bp_where(bp__triangle(c->g, d.dim[d.n - 1], false, false), s, bp__transpose(s)));
    if (d_q.graph) s = bp_add(d_q, s);
    return bp__transpose(bp_triangular_solve(r, bp__transpose(s), true, NULL));
}

static void gradient(bp__grad *c) {
    bp_value q = c->out[0], r = c->out[1], d_q = c->d_out[0], d_r = c->d_out[1];
    bp_dims d = bp_value_dims(c->in[0]);
    int64_t axis = d.n - 1, m = d.dim[d.n - 2], n = d.dim[d.n - 1];
    if (m >= n) {
        c->d_in[0] = tall(c, q, r, d_q, d_r);
        return;
    }
    r = bp__slice_axis(r, axis, 0, m, 1);
    if (!d_r.graph) {
        c->d_in[0] = bp__unslice_axis(tall(c, q, r, d_q, d_r), axis, 0, n, 1);
        return;
    }
    bp_value d_ry = bp__slice_axis(d_r, axis, m, n - m, 1), y = bp__slice_axis(c->in[0], axis, m, n - m, 1);
    bp_value through = bp_matmul(y, bp__transpose(d_ry));
    d_q = d_q.graph ? bp_add(d_q, through) : through;
    bp_value parts[2] = {tall(c, q, r, d_q, bp__slice_axis(d_r, axis, 0, m, 1)), bp_matmul(q, d_ry)};
    c->d_in[0] = bp_concat(parts, 2, axis);
}

/* As LAPACK's geqrf and orgqr. */
static double flops(const bp__call *c) {
    double m = (double)bp__rows(&c->in[0]), n = (double)bp__columns(&c->in[0]), k = BP__MIN(m, n);
    return (4 * m * n * k - 4.0 / 3 * k * k * k) * (double)bp__batch_count(&c->in[0]);
}

static const bp__sample samples[] = {
    {.n_in = 1, .in = {BP__M(3, -1, 1, 2, {3, 3})}}, {.n_in = 1, .in = {BP__M(-3, -1, 1, 3, {2, 5, 3})}},
    {.n_in = 1, .in = {BP__M(3, -1, 1, 2, {3, 5})}}, {.n_in = 1, .in = {BP__M(2, -1, 1, 4, {2, 1, 2, 2})}},
    {.n_in = 1, .in = {BP__M(2, -1, 1, 2, {1, 1})}}, {.n_in = 1, .in = {BP__F(-2, 2, 2, {4, 1})}},
    {.n_in = 1, .in = {BP__F(-2, 2, 2, {1, 3})}},    {.n_in = 1, .in = {BP__F(-2, 2, 3, {0, 3, 2})}},
};

const bp__op_def bp__def_qr = {
    BP__SIGNATURE(qr),    .family = "linear algebra", .formula = "a = q r, q^T q = identity, r upper triangular; reduced",
    .infer = infer,       .forward = forward,         .scratch = scratch,
    .gradient = gradient, .samples = samples,         .n_samples = BP__COUNT(samples),
    .flops = flops};
