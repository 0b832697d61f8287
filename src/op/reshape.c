/* y = the elements of x, in row-major order, in another shape. One dimension may be BP_INFER. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__reshape_attrs *a = c->attrs;
    bp__dims_table *t = c->g->dims;
    char text[256];
    const char *wanted = bp__dims_text(t, &a->shape, text, sizeof text);
    if (a->shape.n < 0 || a->shape.n > BP_MAX_DIMS)
        return bp__infer_fail(c, BP_SHAPE, "a shape has 0 to %d dimensions, not %lld", BP_MAX_DIMS, (long long)a->shape.n);
    int64_t count = bp__dims_count(t, &c->in[0]->dims), rest = 1, inferred = -1;
    for (int64_t i = 0; i < a->shape.n; i++) {
        if (a->shape.dim[i] != BP_INFER) {
            rest = bp__dim_mul(t, rest, a->shape.dim[i]);
        } else {
            if (inferred >= 0) return bp__infer_fail(c, BP_SHAPE, "more than one dimension is to be inferred");
            inferred = i;
        }
    }
    if (inferred >= 0) {
        if (rest == 0) return bp__infer_fail(c, BP_SHAPE, "a dimension cannot be inferred beside one of size 0: %s", wanted);
        int64_t d = bp__dim_floordiv(t, count, rest);
        rest = bp__dim_mul(t, rest, d);
        if (!bp__infer_equal(c, rest, count))
            return bp__infer_fail(c, BP_SHAPE, "the elements of %s do not fill %s evenly", bp__infer_shape(c, 0), wanted);
        a->shape.dim[inferred] = d;
    } else if (!bp__infer_equal(c, rest, count)) {
        return bp__infer_fail(c, BP_SHAPE, "%s and %s have different numbers of elements", bp__infer_shape(c, 0), wanted);
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = a->shape};
    return BP_OK;
}

static void forward(const bp__call *c) {
    bp__tensor y = c->in[0]; /* the new storage seen in the old shape: both are row-major */
    y.data = c->out[0].data;
    bp__tensor_make_dense(&y);
    bp__copy(c->env, &y, &c->in[0]);
}

static bool view(bp__call *c, bp__tensor *out) {
    if (!bp__tensor_is_dense(&c->in[0])) return false;
    bp__tensor y = c->out[0];
    bp__tensor_make_dense(&y);
    y.data = NULL;
    *out = y;
    return true;
}

static void gradient(bp__grad *c) { c->d_in[0] = bp_reshape(c->d_out[0], bp_value_dims(c->in[0])); }

static const struct bp__reshape_attrs flat = {.shape = {1, {12}}}, inferred = {.shape = {3, {2, BP_INFER, 3}}},
                                      scalar = {.shape = {0, {0}}}, ones = {.shape = {4, {1, 6, 1, 2}}};
static const bp__sample samples[] = {{.attrs = &flat, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
                                     {.attrs = &inferred, .n_in = 1, .in = {BP__F(-2, 2, 2, {6, 4})}},
                                     {.attrs = &scalar, .n_in = 1, .in = {BP__F(-2, 2, 2, {1, 1})}},
                                     {.attrs = &ones, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 2})}}};

const bp__op_def bp__def_reshape = {
    BP__SIGNATURE(reshape), .family = "structure", .formula = "y = x in another shape, row-major order kept",
    .infer = infer,         .forward = forward,    .view = view,
    .gradient = gradient,   .samples = samples,    .n_samples = BP__COUNT(samples)};
