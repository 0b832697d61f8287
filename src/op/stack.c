/* y = the inputs, all of one shape, side by side along a new axis `axis`. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__stack_attrs *a = c->attrs;
    const bp_dims *first = &c->in[0]->dims;
    int64_t given = a->axis;
    if (first->n == BP_MAX_DIMS) return bp__infer_fail(c, BP_SHAPE, "inputs of %s can have no more axes", bp__infer_shape(c, 0));
    if (!bp__infer_axis(&a->axis, first->n + 1))
        return bp__infer_fail(c, BP_SHAPE, "axis %lld is no place for a new axis of %s", (long long)given, bp__infer_shape(c, 0));
    for (int i = 1; i < c->n_in; i++) {
        const bp_dims *d = &c->in[i]->dims;
        bool fits = d->n == first->n;
        for (int64_t k = 0; fits && k < d->n; k++) fits = bp__infer_equal(c, d->dim[k], first->dim[k]);
        if (!fits)
            return bp__infer_fail(c, BP_SHAPE, "input %d is %s where input 0 is %s", i, bp__infer_shape(c, i),
                                  bp__infer_shape(c, 0));
        if (c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "input %d is %s where input 0 is %s: use cast", i, bp_dtype_name(c->in[i]->dtype),
                                  bp_dtype_name(c->in[0]->dtype));
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = first->n + 1}};
    for (int64_t i = 0; i <= first->n; i++) c->out[0].dims.dim[i] = i == a->axis ? c->n_in : first->dim[i - (i > a->axis)];
    return BP_OK;
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    const struct bp__stack_attrs *a = attrs;
    bp_value *parts = bp__pool_alloc(&g->pool, sizeof *parts * (size_t)n_in);
    if (!parts) return bp__graph_fail(g, BP_MEMORY, "stack: out of memory while building a graph");
    for (int32_t i = 0; i < n_in; i++) parts[i] = bp__unsqueeze(in[i], a->axis);
    return bp_concat(parts, n_in, a->axis);
}

static const struct bp__stack_attrs first = {.axis = 0}, last = {.axis = -1}, between = {.axis = 1};
static const bp__sample samples[] = {
    {.attrs = &first, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {3, 4})}},
    {.attrs = &last, .n_in = 3, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, 2, 0, {0}), BP__F(-2, 2, 0, {0})}},
    {.attrs = &between, .n_in = 2, .in = {BP__F(-2, 2, 2, {2, 17}), BP__F(-2, 2, 2, {2, 17})}},
    {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 1, {5})}},
};

const bp__op_def bp__def_stack = {BP__SIGNATURE(stack),
                                  .family = "structure",
                                  .formula = "y = inputs side by side along a new axis `axis`",
                                  .infer = infer,
                                  .decompose = decompose,
                                  .samples = samples,
                                  .n_samples = BP__COUNT(samples)};
