/* y = the inputs one after the other along an axis. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__concat_attrs *a = c->attrs;
    if (c->n_in < 1) return bp__infer_fail(c, BP_INVALID, "there is nothing to join: give at least one input");
    const bp_dims *first = &c->in[0]->dims;
    int64_t axis = a->axis;
    if (!bp__infer_axis(&axis, first->n))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is not an axis of %s", (long long)a->axis, bp__infer_shape(c, 0));
    a->axis = axis;
    int64_t size = first->dim[axis];
    for (int i = 1; i < c->n_in; i++) {
        const bp_dims *d = &c->in[i]->dims;
        bool fits = d->n == first->n;
        for (int64_t k = 0; fits && k < d->n; k++) fits = k == axis || bp__infer_equal(c, d->dim[k], first->dim[k]);
        if (!fits)
            return bp__infer_fail(c, BP_SHAPE, "%s and %s differ outside axis %lld", bp__infer_shape(c, 0), bp__infer_shape(c, i),
                                  (long long)axis);
        if (c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "input %d is %s where input 0 is %s: use cast", i, bp_dtype_name(c->in[i]->dtype),
                                  bp_dtype_name(c->in[0]->dtype));
        size = bp__dim_add(c->g->dims, size, d->dim[axis]);
    }
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[axis] = size;
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__concat_attrs *a = c->attrs;
    int64_t start = 0;
    for (int i = 0; i < c->n_in; i++) {
        bp__tensor y = c->out[0];
        y.data = bp__tensor_at(&c->out[0], start * y.stride[a->axis]);
        y.dim[a->axis] = c->in[i].dim[a->axis];
        bp__copy(c->env, &y, &c->in[i]);
        start += c->in[i].dim[a->axis];
    }
}

/* Each input's gradient is its slice. A slice begins at a number: what lies behind a size that is still a symbol is cut from the
   other end, through flip. */
static void gradient(bp__grad *c) {
    const struct bp__concat_attrs *a = c->attrs;
    const bp_dims along = {1, {a->axis}};
    int64_t start = 0, behind = bp_value_dims(c->out[0]).dim[a->axis];
    bp_value back = BP_NONE;
    for (int i = 0; i < c->n_in; i++) {
        int64_t size = bp_value_dims(c->in[i]).dim[a->axis];
        behind = bp__dim_sub(c->g->dims, behind, size);
        c->d_in[i] = BP_NONE;
        if (c->wanted[i] && start >= 0) {
            c->d_in[i] = bp__slice_axis(c->d_out[0], a->axis, start, size, 1);
        } else if (c->wanted[i] && behind >= 0) {
            if (!back.graph) back = bp_flip(c->d_out[0], along);
            c->d_in[i] = bp_flip(bp__slice_axis(back, a->axis, behind, size, 1), along);
        } else if (c->wanted[i]) {
            c->d_in[i] = bp__graph_fail(c->g, BP_UNSUPPORTED,
                                        "concat: input %d lies between two whose sizes along axis %lld are not numbers; its "
                                        "gradient is not supported: put inputs of fixed size first or last",
                                        i, (long long)a->axis);
            return;
        }
        start = bp__dim_add(c->g->dims, start, size);
    }
}

static const struct bp__concat_attrs rows = {.axis = 0}, columns = {.axis = -1};
static const bp__sample samples[] = {
    {.attrs = &rows, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {1, 4})}},
    {.attrs = &columns, .n_in = 3, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 3, {2, 3, 1}), BP__F(-2, 2, 3, {2, 3, 17})}},
    {.attrs = &rows, .n_in = 1, .in = {BP__F(-2, 2, 1, {5})}},
};

const bp__op_def bp__def_concat = {BP__SIGNATURE(concat),
                                   .family = "structure",
                                   .formula = "y = inputs one after the other along `axis`",
                                   .infer = infer,
                                   .forward = forward,
                                   .gradient = gradient,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
