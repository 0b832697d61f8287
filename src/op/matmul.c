/* y[…, i, j] = Σ_k a[…, i, k] b[…, k, j]; leading (batch) dimensions broadcast. A vector is one row on the left, one column on
   the right, and that axis is absent from y, as in PyTorch. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const bp_dims *a = &c->in[0]->dims, *b = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[0]->dtype != c->in[1]->dtype)
        return bp__infer_fail(c, BP_TYPE, "the types differ: %s x %s: use cast", bp_dtype_name(c->in[0]->dtype),
                              bp_dtype_name(c->in[1]->dtype));
    if (a->n < 1 || b->n < 1)
        return bp__infer_fail(c, BP_SHAPE, "both inputs need at least 1 dimension: %s x %s: use mul", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (!bp__infer_equal(c, a->dim[a->n - 1], b->dim[BP__MAX(b->n - 2, 0)]))
        return bp__infer_fail(c, BP_SHAPE, "inner sizes differ: %s x %s", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    bp_dims y = {.n = BP__MAX(a->n - 2, 0)}, batch = {.n = BP__MAX(b->n - 2, 0)};
    for (int64_t i = 0; i < y.n; i++) y.dim[i] = a->dim[i];
    for (int64_t i = 0; i < batch.n; i++) batch.dim[i] = b->dim[i];
    if (!bp__infer_broadcast(c, &y, &batch))
        return bp__infer_fail(c, BP_SHAPE, "batch dimensions do not broadcast: %s x %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    if (a->n > 1) y.dim[y.n++] = a->dim[a->n - 2];
    if (b->n > 1) y.dim[y.n++] = b->dim[b->n - 1];
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

/* A product with a vector is one of matrices: the kernel and the passes see at least two axes. */
static bool expands(const bp__infer *c) { return c->in[0]->dims.n < 2 || c->in[1]->dims.n < 2; }

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)attrs, (void)n_in;
    bp_dims a = bp_value_dims(in[0]), b = bp_value_dims(in[1]), d = {.n = 0};
    bp_value y = bp_matmul(a.n < 2 ? bp__unsqueeze(in[0], 0) : in[0], b.n < 2 ? bp__unsqueeze(in[1], 1) : in[1]);
    bp_dims full = bp_value_dims(y);
    for (int64_t i = 0; i < full.n; i++)
        if (!(i == full.n - 2 && a.n < 2) && !(i == full.n - 1 && b.n < 2)) d.dim[d.n++] = full.dim[i];
    return d.n == full.n ? y : bp_reshape(y, d);
}

static bp__matrix matrix(const bp__tensor *t) {
    return (bp__matrix){
        .data = t->data, .row = t->stride[t->n_dims - 2], .col = t->stride[t->n_dims - 1], .panels = t->panels == 2};
}

/* The rows of all batches as one matrix, when b is the same for all and a's leading axes are evenly spaced. */
static bool one_product(const bp__call *c) {
    const bp__tensor *a = &c->in[0], *b = &c->in[1];
    if (c->out[0].panels || a->panels || a->n_dims != c->out[0].n_dims) return a->n_dims == 2 && b->n_dims == 2;
    for (int i = 0; i < b->n_dims - 2; i++)
        if (b->dim[i] != 1) return false;
    for (int i = 0; i < a->n_dims - 2; i++)
        if (a->stride[i] != a->stride[i + 1] * a->dim[i + 1] || a->dim[i] != c->out[0].dim[i]) return false;
    return true;
}

static bp__gemm_args arguments(const bp__call *c) {
    const bp__tensor *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    bp__gemm_args g = {.dtype = (bp_dtype)y->dtype,
                       .m = y->dim[y->n_dims - 2],
                       .n = y->dim[y->n_dims - 1],
                       .k = a->dim[a->n_dims - 1],
                       .a = matrix(a),
                       .b = matrix(b),
                       .c = matrix(y),
                       .n_b = 1,
                       .epilogue = {.activation = -1},
                       .pairs = y->dtype == BP_F32 ? c->env->pairs : NULL};
    if (one_product(c))
        for (int i = 0; i < y->n_dims - 2; i++) g.m *= y->dim[i];
    return g;
}

static size_t scratch(const bp__call *c, int n_threads) {
    bp__gemm_args g = arguments(c);
    return bp__gemm_scratch(c->env->isa, &g, n_threads);
}

static void forward(const bp__call *c) {
    const bp__tensor *y = &c->out[0];
    bp__gemm_args g = arguments(c);
    int64_t n_batches = bp__batch_count(y);
    if (n_batches == 0) return;
    if (one_product(c)) n_batches = 1;
    for (int64_t i = 0; i < n_batches; i++) {
        g.a.data = bp__tensor_at(&c->in[0], bp__batch_offset(&c->in[0], y, i));
        g.b.data = bp__tensor_at(&c->in[1], bp__batch_offset(&c->in[1], y, i));
        g.c.data = bp__tensor_at(y, bp__batch_offset(y, y, i));
        bp__gemm(c->env, &g);
    }
}

/* All leading axes of x in one: [rows, columns]. */
static bp_value as_matrix(bp_graph *g, bp_value x) {
    bp_dims d = bp_value_dims(x), two = {.n = 2, .dim = {1, d.n > 0 ? d.dim[d.n - 1] : 1}};
    for (int64_t i = 0; i + 1 < d.n; i++) two.dim[0] = bp__dim_mul(g->dims, two.dim[0], d.dim[i]);
    return bp_reshape(x, two);
}

static void gradient(bp__grad *c) {
    bp_value a = c->in[0], b = c->in[1], d_y = c->d_out[0];
    if (c->wanted[0]) c->d_in[0] = bp_matmul(d_y, bp__transpose(b));
    if (!c->wanted[1]) return;
    if (bp_value_dims(b).n == 2 && bp_value_dims(a).n > 2) { /* one long sum instead of a sum of products */
        a = as_matrix(c->g, a);
        d_y = as_matrix(c->g, d_y);
    }
    c->d_in[1] = bp_matmul(bp__transpose(a), d_y);
}

static double flops(const bp__call *c) {
    return 2.0 * (double)bp__tensor_count(&c->out[0]) * (double)c->in[0].dim[c->in[0].n_dims - 1];
}

static const bp__sample samples[] = {
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {4, 5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {1, 1}), BP__F(-2, 2, 2, {1, 1})}},
    {.n_in = 2, .in = {BP__F(-1, 1, 2, {17, 33}), BP__F(-1, 1, 2, {33, 35})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 2, {4, 5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 4, {2, 1, 3, 4}), BP__F(-2, 2, 3, {3, 4, 2})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 3, {2, 4, 5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 3, {2, 4, 5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {4}), BP__F(-2, 2, 1, {4})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 1, {4}), BP__F(-2, 2, 3, {2, 4, 5})}},
    {.n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 1, {4})}},
};

const bp__op_def bp__def_matmul = {
    BP__SIGNATURE(matmul),
    .family = "products",
    .formula = "y[i, j] = sum_k a[i, k] * b[k, j]; leading dimensions broadcast; vectors are a row, a column",
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .expands = expands,
    .decompose = decompose,
    .gradient = gradient,
    .samples = samples,
    .n_samples = BP__COUNT(samples),
    .flops = flops};
