/* y = the size of x along an axis, a scalar i64: a count for formulas over dimensions that are not yet numbers. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__size_attrs *a = c->attrs;
    int64_t axis = a->axis;
    if (!bp__infer_axis(&axis, c->in[0]->dims.n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)a->axis, bp__infer_shape(c, 0));
    a->axis = axis;
    c->out[0] = (bp__info){.dtype = BP_I64, .dims = {.n = 0}};
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__size_attrs *a = c->attrs;
    *(int64_t *)c->out[0].data = c->in[0].dim[a->axis];
}

static const struct bp__size_attrs first = {.axis = 0}, last = {.axis = -1};
static const bp__sample samples[] = {{.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
                                     {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 3, {3, 4, 5})}}};

const bp__op_def bp__def_size = {BP__SIGNATURE(size),
                                 .family = "structure",
                                 .formula = "y = size of axis `axis` of x",
                                 .flags = BP__OP_NO_GRADIENT | BP__OP_DIMS_ONLY,
                                 .infer = infer,
                                 .forward = forward,
                                 .samples = samples,
                                 .n_samples = BP__COUNT(samples)};
