/* y[…] = x for a scalar x: a new tensor of the given shape. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__fill_attrs *a = c->attrs;
    if (c->in[0]->dims.n != 0) return bp__infer_fail(c, BP_SHAPE, "x must be a scalar, not of shape %s", bp__infer_shape(c, 0));
    if (a->shape.n < 0 || a->shape.n > BP_MAX_DIMS)
        return bp__infer_fail(c, BP_SHAPE, "a shape has 0 to %d dimensions, not %lld", BP_MAX_DIMS, (long long)a->shape.n);
    for (int64_t i = 0; i < a->shape.n; i++)
        if (a->shape.dim[i] == BP_INFER)
            return bp__infer_fail(c, BP_SHAPE, "dimension %lld of the shape is missing", (long long)i);
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = a->shape};
    return BP_OK;
}

static void forward(const bp__call *c) {
    bp__tensor x = c->out[0];
    x.data = c->in[0].data;
    x.dtype = c->in[0].dtype;
    for (int i = 0; i < x.n_dims; i++) x.stride[i] = 0;
    bp__copy(c->env, &c->out[0], &x);
}

static void gradient(bp__grad *c) { c->d_in[0] = bp__sum_all(c->d_out[0]); }

static const struct bp__fill_attrs matrix = {.shape = {2, {3, 5}}}, scalar = {.shape = {0, {0}}},
                                   cube = {.shape = {3, {2, 1, 33}}};
static const bp__sample samples[] = {{.attrs = &matrix, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
                                     {.attrs = &scalar, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
                                     {.attrs = &cube, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_fill = {
    BP__SIGNATURE(fill), .family = "structure", .formula = "y[...] = x", .infer = infer,
    .forward = forward,  .gradient = gradient,  .samples = samples,      .n_samples = BP__COUNT(samples)};
