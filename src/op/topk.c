/* topk:    values, indices = the k largest (or smallest) elements along `axis`, in order; of equal ones the first.
   sort:    all of them, ascending or descending; equal ones stay in their order, so it is always stable.
   argsort: sort's indices alone.
   NaN counts as the largest, as in PyTorch. */
#include "op/make.h"
#include <string.h>

/* The axis brought to the last place. */
static bp__tensor axis_last(const bp__tensor *t, int64_t axis) {
    int64_t axes[BP__MAX_DIMS];
    for (int i = 0; i < t->n_dims; i++) axes[i] = i < axis ? i : i + 1;
    axes[t->n_dims - 1] = axis;
    return bp__tensor_permuted(t, axes);
}

static void forward(const bp__call *c, int64_t k, bool largest, int64_t axis) {
    bp__tensor x = axis_last(&c->in[0], axis), values = axis_last(&c->out[0], axis), indices = axis_last(&c->out[1], axis);
    bp__topk(c->env, k, largest, &values, &indices, &x);
}

/* Each value goes back to where it came from. */
static void gradient(bp__grad *c, int64_t axis) {
    c->d_in[0] = c->d_out[0].graph ? bp_scatter_add(c->d_out[0], c->out[1], axis, bp_value_dims(c->in[0]).dim[axis]) : BP_NONE;
}

static bp_status topk_infer(bp__infer *c) {
    struct bp__topk_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    if (x->n < 1) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    BP_TRY(bp__infer_one_axis(c, &a->axis));
    int64_t size = x->dim[a->axis];
    if (a->k < 1 || (size >= 0 && a->k > size))
        return bp__infer_fail(c, BP_SHAPE, "k must be from 1 to the size of axis %lld of %s, not %lld", (long long)a->axis,
                              bp__infer_shape(c, 0), (long long)a->k);
    c->out[0] = *c->in[0];
    c->out[0].dims.dim[a->axis] = a->k;
    c->out[1] = (bp__info){.dtype = BP_I64, .dims = c->out[0].dims};
    return BP_OK;
}

static void topk_forward(const bp__call *c) {
    const struct bp__topk_attrs *a = c->attrs;
    if (c->in[0].dim[a->axis] < a->k) { /* a size that was a symbol turned out too small: 0 where nothing is left */
        memset(c->out[0].data, 0, (size_t)bp__tensor_count(&c->out[0]) * bp_dtype_size((bp_dtype)c->out[0].dtype));
        memset(c->out[1].data, 0, (size_t)bp__tensor_count(&c->out[1]) * sizeof(int64_t));
    }
    forward(c, a->k, a->largest != 0, a->axis);
}
static void topk_gradient(bp__grad *c) { gradient(c, ((const struct bp__topk_attrs *)c->attrs)->axis); }

static bp_status sort_infer(bp__infer *c) {
    BP_TRY(bp__infer_one_axis(c, &((struct bp__sort_attrs *)c->attrs)->axis));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = c->in[0]->dims};
    c->out[1] = (bp__info){.dtype = BP_I64, .dims = c->in[0]->dims};
    return BP_OK;
}

static void sort_forward(const bp__call *c) {
    const struct bp__sort_attrs *a = c->attrs;
    forward(c, c->in[0].dim[a->axis], a->descending != 0, a->axis);
}

static void sort_gradient(bp__grad *c) {
    c->d_in[0] = BP_NONE;
    if (bp__dtype_is_float(bp_value_dtype(c->in[0]))) gradient(c, ((const struct bp__sort_attrs *)c->attrs)->axis);
}

static bp_status argsort_infer(bp__infer *c) {
    BP_TRY(bp__infer_one_axis(c, &((struct bp__argsort_attrs *)c->attrs)->axis));
    c->out[0] = (bp__info){.dtype = BP_I64, .dims = c->in[0]->dims};
    return BP_OK;
}

static bp_value argsort_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__argsort_attrs *a = attrs;
    bp_sort_options o = {sizeof o, a->axis, a->descending};
    bp_value sorted = bp_sort(in[0], &o);
    return bp_is_bad(sorted) ? sorted : bp__output(sorted, 1);
}

static const struct bp__topk_attrs three = {.k = 3, .largest = 1, .axis = -1}, smallest = {.k = 2, .largest = 0, .axis = 1},
                                   all = {.k = 5, .largest = 1, .axis = 0};
static const bp__sample topk_samples[] = {{.attrs = &three, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 10})}},
                                          {.attrs = &smallest, .n_in = 1, .in = {BP__D(0.02, -2, 2, 3, {2, 3, 7})}},
                                          {.attrs = &all, .n_in = 1, .in = {BP__D(0.1, -2, 2, 1, {5})}}};
static const struct bp__sort_attrs up = {.axis = -1}, down = {.axis = 1, .descending = 1};
static const bp__sample sort_samples[] = {{.attrs = &up, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 10})}},
                                          {.attrs = &down, .n_in = 1, .in = {BP__D(0.02, -2, 2, 3, {2, 4, 3})}},
                                          {.attrs = &up, .n_in = 1, .in = {BP__D(0.02, -2, 2, 2, {3, 1})}},
                                          {.attrs = &up, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 4})}},
                                          {.attrs = &up, .n_in = 1, .in = {BP__I(-3, 4, 2, {2, 9})}}};
static const struct bp__argsort_attrs arg_up = {.axis = -1}, arg_down = {.axis = 0, .descending = 1};
static const bp__sample argsort_samples[] = {{.attrs = &arg_up, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 10})}},
                                             {.attrs = &arg_down, .n_in = 1, .in = {BP__I(-3, 4, 2, {9, 2})}}};

const bp__op_def bp__def_topk = {BP__SIGNATURE(topk),
                                 .family = "reductions",
                                 .formula = "values, indices = the k largest (smallest) along `axis`",
                                 .infer = topk_infer,
                                 .forward = topk_forward,
                                 .gradient = topk_gradient,
                                 .samples = topk_samples,
                                 .n_samples = BP__COUNT(topk_samples)};
const bp__op_def bp__def_sort = {BP__SIGNATURE(sort),
                                 .family = "reductions",
                                 .formula = "values, indices = x in ascending (descending) order along `axis`, stable",
                                 .infer = sort_infer,
                                 .forward = sort_forward,
                                 .gradient = sort_gradient,
                                 .samples = sort_samples,
                                 .n_samples = BP__COUNT(sort_samples)};
const bp__op_def bp__def_argsort = {BP__SIGNATURE(argsort),
                                    .family = "reductions",
                                    .formula = "indices that put x in ascending (descending) order along `axis`, stable",
                                    .flags = BP__OP_NO_GRADIENT,
                                    .infer = argsort_infer,
                                    .decompose = argsort_decompose,
                                    .samples = argsort_samples,
                                    .n_samples = BP__COUNT(argsort_samples)};
