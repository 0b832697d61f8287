/* conv1d (PyTorch's): x [batch, channels, length], weight [out, in / groups, kernel]: a conv2d of images one row high. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__conv1d_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims, *w = &c->in[1]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    if (x->n != 3 || w->n != 3)
        return bp__infer_fail(c, BP_SHAPE,
                              "x must be [batch, channels, length] and weight [out, in / groups, kernel], not %s and %s",
                              bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    if (a->stride < 1 || a->dilation < 1 || a->padding < 0)
        return bp__infer_fail(c, BP_SHAPE, "stride and dilation must be 1 or more, padding 0 or more");
    c->out[0] = *c->in[0]; /* what it is made of says the shape, and what does not fit */
    return BP_OK;
}

static bp_value raised(bp_value x) { return bp__unsqueeze(x, 2); }

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    const struct bp__conv1d_attrs *a = attrs;
    bp_conv2d_options o = bp_conv2d_defaults();
    o.stride = bp_shape(2, 1, a->stride);
    o.padding = bp_shape(2, 0, a->padding);
    o.dilation = bp_shape(2, 1, a->dilation);
    o.groups = a->groups;
    bp_value y = bp_conv2d(raised(in[0]), raised(in[1]), n_in > 2 ? in[2] : BP_NONE, &o);
    if (bp_is_bad(y)) return y;
    bp_dims d = bp_value_dims(y);
    return bp_reshape(y, bp_shape(3, d.dim[0], d.dim[1], d.dim[3]));
}

static const struct bp__conv1d_attrs strided = {.stride = 2, .padding = 1, .dilation = 1, .groups = 1},
                                     dilated = {.stride = 1, .padding = 2, .dilation = 2, .groups = 2};
static const bp__sample samples[] = {
    {.attrs = &strided, .n_in = 3, .in = {BP__F(-1, 1, 3, {2, 2, 6}), BP__F(-1, 1, 3, {3, 2, 3}), BP__F(-1, 1, 1, {3})}},
    {.attrs = &dilated, .n_in = 3, .in = {BP__F(-1, 1, 3, {1, 4, 5}), BP__F(-1, 1, 3, {2, 2, 3}), BP__ABSENT}},
};

const bp__op_def bp__def_conv1d = {BP__SIGNATURE(conv1d),
                                   .family = "convolutions",
                                   .formula = "conv2d on the one axis of x [batch, channels, length]",
                                   .infer = infer,
                                   .decompose = decompose,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
