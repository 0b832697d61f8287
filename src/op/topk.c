/* values, indices = the k largest (or smallest) elements of each row of the last axis, in order; of equal ones the first. */
#include "op/make.h"
#include <string.h>

static bp_status infer(bp__infer *c) {
    const struct bp__topk_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    if (x->n < 1) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    int64_t size = x->dim[x->n - 1];
    if (a->k < 1 || (size >= 0 && a->k > size))
        return bp__infer_fail(c, BP_SHAPE, "k must be from 1 to the size of the last axis of %s, not %lld", bp__infer_shape(c, 0),
                              (long long)a->k);
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[x->n - 1] = a->k;
    c->out[1] = (bp__info){.dtype = BP_I64, .dims = c->out[0].dims};
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__topk_attrs *a = c->attrs;
    if (c->in[0].dim[c->in[0].n_dims - 1] < a->k) { /* a size that was a symbol turned out too small: 0 where nothing is left */
        memset(c->out[0].data, 0, (size_t)bp__tensor_count(&c->out[0]) * bp_dtype_size((bp_dtype)c->out[0].dtype));
        memset(c->out[1].data, 0, (size_t)bp__tensor_count(&c->out[1]) * sizeof(int64_t));
    }
    bp__topk(c->env, a->k, a->largest != 0, &c->out[0], &c->out[1], &c->in[0]);
}

/* Each value goes back to where it came from. */
static void gradient(bp__grad *c) {
    bp_dims x = bp_value_dims(c->in[0]);
    c->d_in[0] = c->d_out[0].graph ? bp_scatter_add(c->d_out[0], c->out[1], x.n - 1, x.dim[x.n - 1]) : BP_NONE;
}

static const struct bp__topk_attrs three = {.k = 3, .largest = 1}, smallest = {.k = 2, .largest = 0},
                                   all = {.k = 5, .largest = 1};
static const bp__sample samples[] = {{.attrs = &three, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 10})}},
                                     {.attrs = &smallest, .n_in = 1, .in = {BP__D(0.02, -2, 2, 3, {2, 3, 7})}},
                                     {.attrs = &all, .n_in = 1, .in = {BP__D(0.1, -2, 2, 1, {5})}}};

const bp__op_def bp__def_topk = {BP__SIGNATURE(topk),
                                 .family = "reductions",
                                 .formula = "values, indices = the k largest (smallest) along the last axis",
                                 .infer = infer,
                                 .forward = forward,
                                 .gradient = gradient,
                                 .samples = samples,
                                 .n_samples = BP__COUNT(samples)};
