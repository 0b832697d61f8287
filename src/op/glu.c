/* Gated units: x is cut in two halves a, b along `axis`.
   glu:    a sigmoid(b)   (Dauphin et al., 2017; PyTorch's F.glu)
   swiglu: silu(a) b      and geglu: gelu(a) b   (Shazeer, "GLU variants improve transformer", 2020) */
#include "op/make.h"
#include <assert.h>

static bp_status infer(bp__infer *c) {
    struct bp__glu_attrs *a = c->attrs; /* swiglu's and geglu's are the same */
    const bp_dims *x = &c->in[0]->dims;
    int64_t given = a->axis;
    BP_TRY(bp__infer_need_float(c, 0));
    if (!bp__infer_axis(&a->axis, x->n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)given, bp__infer_shape(c, 0));
    int64_t size = x->dim[a->axis];
    if (size < 0 || size % 2)
        return bp__infer_fail(c, BP_SHAPE, "axis %lld of %s must have a known, even size", (long long)given,
                              bp__infer_shape(c, 0));
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[a->axis] = size / 2;
    return BP_OK;
}

static bp_value half(const void *attrs, bp_value x, int which) {
    int64_t axis = ((const struct bp__glu_attrs *)attrs)->axis, n = bp_value_dims(x).dim[axis] / 2;
    return bp__slice_axis(x, axis, which * n, n, 1);
}

static bp_value glu_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    return bp_mul(half(attrs, in[0], 0), bp_sigmoid(half(attrs, in[0], 1)));
}
static bp_value swiglu_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    return bp_mul(bp_silu(half(attrs, in[0], 0)), half(attrs, in[0], 1));
}
static bp_value geglu_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    return bp_mul(bp_gelu(half(attrs, in[0], 0)), half(attrs, in[0], 1));
}

static_assert(sizeof(struct bp__glu_attrs) == sizeof(struct bp__swiglu_attrs), "one shape rule for all");
static_assert(sizeof(struct bp__glu_attrs) == sizeof(struct bp__geglu_attrs), "one shape rule for all");
static const struct bp__glu_attrs last = {.axis = -1}, first = {.axis = 0}, middle = {.axis = 1};
static const bp__sample samples[] = {{.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                     {.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {4, 3})}},
                                     {.attrs = &middle, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 6, 3})}}};

const bp__op_def bp__def_glu = {BP__SIGNATURE(glu),
                                .family = "gated units",
                                .formula = "a sigmoid(b), a and b the halves of x along `axis`",
                                .infer = infer,
                                .decompose = glu_decompose,
                                .samples = samples,
                                .n_samples = BP__COUNT(samples)};
const bp__op_def bp__def_swiglu = {BP__SIGNATURE(swiglu),
                                   .family = "gated units",
                                   .formula = "silu(a) b, a and b the halves of x along `axis`",
                                   .infer = infer,
                                   .decompose = swiglu_decompose,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
const bp__op_def bp__def_geglu = {BP__SIGNATURE(geglu),
                                  .family = "gated units",
                                  .formula = "gelu(a) b, a and b the halves of x along `axis`",
                                  .infer = infer,
                                  .decompose = geglu_decompose,
                                  .samples = samples,
                                  .n_samples = BP__COUNT(samples)};
