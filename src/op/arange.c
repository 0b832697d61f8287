/* arange:   y[i] = start + i * step, `size` numbers of start's type; size may be an expression over symbols. Whole numbers up to
             `end` are ceil((end - start) / step) of them.
   linspace: y[i] = start + i * (end - start) / (size - 1), from both ends towards the middle, so that both are exact, as
             PyTorch does it. */
#include "op/make.h"

static bp_status infer(bp__infer *c, int64_t size) {
    for (int i = 0; i < 2; i++)
        if (c->in[i]->dims.n != 0)
            return bp__infer_fail(c, BP_SHAPE, "both numbers must be scalars, but they are %s and %s", bp__infer_shape(c, 0),
                                  bp__infer_shape(c, 1));
    if (c->in[0]->dtype != c->in[1]->dtype)
        return bp__infer_fail(c, BP_TYPE, "the numbers are %s and %s: use cast", bp_dtype_name(c->in[0]->dtype),
                              bp_dtype_name(c->in[1]->dtype));
    if (size == BP_INFER) return bp__infer_fail(c, BP_SHAPE, "size must be given");
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {1, {size}}};
    return BP_OK;
}

static bp_status arange_infer(bp__infer *c) {
    BP_TRY(infer(c, ((const struct bp__arange_attrs *)c->attrs)->size));
    if (bp__dtype_is_float(c->in[0]->dtype) || c->in[0]->dtype == BP_I64) return BP_OK;
    return bp__infer_fail(c, BP_TYPE, "start must be f32, f64 or i64, not %s: use cast", bp_dtype_name(c->in[0]->dtype));
}

static void arange_forward(const bp__call *c) {
    const void *start = c->in[0].data, *step = c->in[1].data;
    const int64_t n = bp__tensor_count(&c->out[0]);
    if (c->out[0].dtype == BP_I64) {
        int64_t *y = c->out[0].data;
        for (int64_t i = 0; i < n; i++) y[i] = (int64_t)(*(const uint64_t *)start + (uint64_t)i * *(const uint64_t *)step);
    } else if (c->out[0].dtype == BP_F32) {
        float *y = c->out[0].data;
        for (int64_t i = 0; i < n; i++) y[i] = (float)((double)*(const float *)start + (double)i * (double)*(const float *)step);
    } else {
        double *y = c->out[0].data;
        for (int64_t i = 0; i < n; i++) y[i] = *(const double *)start + (double)i * *(const double *)step;
    }
}

static void arange_gradient(bp__grad *c) {
    const struct bp__arange_attrs *a = c->attrs;
    bp_dtype dtype = bp_value_dtype(c->d_out[0]);
    bp_value count = bp_arange(bp__k(c->g, dtype, 0), bp__k(c->g, dtype, 1), a->size);
    if (c->wanted[0]) c->d_in[0] = bp__sum_all(c->d_out[0]);
    if (c->wanted[1]) c->d_in[1] = bp__sum_all(bp_mul(c->d_out[0], count));
}

static bp_status linspace_infer(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    return infer(c, ((const struct bp__linspace_attrs *)c->attrs)->size);
}

static bp_value linspace_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    bp_dtype dtype = bp_value_dtype(in[0]);
    bp_value one = bp__k(g, dtype, 1);
    bp_value i = bp_arange(bp__k(g, dtype, 0), one, ((const struct bp__linspace_attrs *)attrs)->size);
    bp_value last = bp_sub(bp__dim_value(i, 0, dtype), one);
    bp_value step = bp_div(bp_sub(in[1], in[0]), bp_maximum(last, one));
    bp_value from_start = bp_add(in[0], bp_mul(i, step)), from_end = bp_sub(in[1], bp_mul(bp_sub(last, i), step));
    /* Place i belongs to the first half when i < size / 2, whole division; a single place is the start. */
    bp_value first = bp_lt(i, bp_maximum(bp_floor(bp_mul(bp_add(last, one), bp__k(g, dtype, 0.5))), one));
    return bp_where(first, from_start, from_end);
}

static const struct bp__arange_attrs five = {.size = 5}, one = {.size = 1}, none = {.size = 0};
static const bp__sample arange_samples[] = {{.attrs = &five, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(0.1, 2, 0, {0})}},
                                            {.attrs = &one, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, -1, 0, {0})}},
                                            {.attrs = &none, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, -1, 0, {0})}},
                                            {.attrs = &five, .n_in = 2, .in = {BP__I(-9, 9, 0, {0}), BP__I(-3, 3, 0, {0})}}};
static const struct bp__linspace_attrs seven = {.size = 7}, even = {.size = 4}, single = {.size = 1};
static const bp__sample linspace_samples[] = {{.attrs = &seven, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, 2, 0, {0})}},
                                              {.attrs = &even, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, 2, 0, {0})}},
                                              {.attrs = &single, .n_in = 2, .in = {BP__F(-2, 2, 0, {0}), BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_arange = {BP__SIGNATURE(arange),
                                   .family = "structure",
                                   .formula = "y[i] = start + i * step, 0 <= i < size",
                                   .infer = arange_infer,
                                   .forward = arange_forward,
                                   .gradient = arange_gradient,
                                   .samples = arange_samples,
                                   .n_samples = BP__COUNT(arange_samples)};
const bp__op_def bp__def_linspace = {BP__SIGNATURE(linspace),
                                     .family = "structure",
                                     .formula = "y[i] = start + i * (end - start) / (size - 1), 0 <= i < size",
                                     .infer = linspace_infer,
                                     .decompose = linspace_decompose,
                                     .samples = linspace_samples,
                                     .n_samples = BP__COUNT(linspace_samples)};
