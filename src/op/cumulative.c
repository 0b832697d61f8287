/* cumsum, cumprod: y[i] = x[0] + … + x[i] (x[0] · … · x[i]) along `axis`, one chain in index order.
   cummax, cummin:  values, indices = the largest (smallest) so far and where it is; of equal ones the last, NaN stays, as in
                    PyTorch.
   linear_recurrence: y[0] = b[0], y[i] = a[i] y[i-1] + b[i], rounded once; a[0] is not read. It is what the gradients of
                    cumprod, prod and of itself are made of, to any order and with zeros among the factors. */
#include "op/make.h"

static bp_value flipped(bp_value x, int64_t axis) { return bp_flip(x, bp_shape(1, axis)); }
static bp_value rolled(bp_value x, int64_t axis) { return bp_roll(x, bp_shape(1, 1), bp_shape(1, axis)); }
/* x moved up by one place, 0 coming in. */
static bp_value delayed(bp_value x, int64_t axis) {
    bp_dims d = bp_value_dims(x);
    bp_value first = bp_eq(bp__along(bp__count_from(x, 0, d.dim[axis]), axis, d.n), bp__k(x.graph, BP_I64, 0));
    return bp_where(first, bp__k_like(x, 0), rolled(x, axis));
}
/* t[i] = d[i] + a[i+1] t[i+1]: what reaches place i from all behind it. */
static bp_value gathered(bp_value d, bp_value a, int64_t axis) {
    return flipped(bp_linear_recurrence(rolled(flipped(a, axis), axis), flipped(d, axis), axis), axis);
}

bp_value bp__product_before(bp_value x, int64_t axis) {
    bp_dims d = bp_value_dims(x);
    bp_value i = bp__along(bp__count_from(x, 0, d.dim[axis]), axis, d.n);
    bp_value one = bp_broadcast_to(bp_cast(bp_eq(i, bp__k(x.graph, BP_I64, 0)), bp_value_dtype(x)), d);
    return bp_linear_recurrence(rolled(x, axis), one, axis);
}
bp_value bp__product_behind(bp_value x, int64_t axis) { return flipped(bp__product_before(flipped(x, axis), axis), axis); }

static bp_status infer(bp__infer *c, int64_t *axis) {
    if (!bp__dtype_is_float(c->in[0]->dtype) && c->in[0]->dtype != BP_I64)
        return bp__infer_fail(c, BP_TYPE, "x must be f32, f64 or i64, not %s: use cast", bp_dtype_name(c->in[0]->dtype));
    BP_TRY(bp__infer_one_axis(c, axis));
    for (int32_t k = 0; k < c->node->n_out; k++)
        c->out[k] = (bp__info){.dtype = k > 0 ? BP_I64 : c->in[0]->dtype, .dims = c->in[0]->dims};
    return BP_OK;
}
static void to_index(bp__grad *c, int64_t axis) {
    bool flows = c->d_out[0].graph && bp__dtype_is_float(bp_value_dtype(c->in[0]));
    c->d_in[0] = flows ? bp_scatter_add(c->d_out[0], c->out[1], axis, bp_value_dims(c->in[0]).dim[axis]) : BP_NONE;
}

#define AXIS(name) (((const struct bp__##name##_attrs *)c->attrs)->axis)
static bp_status cumsum_infer(bp__infer *c) { return infer(c, &((struct bp__cumsum_attrs *)c->attrs)->axis); }
static bp_status cumprod_infer(bp__infer *c) { return infer(c, &((struct bp__cumprod_attrs *)c->attrs)->axis); }
static bp_status cummax_infer(bp__infer *c) { return infer(c, &((struct bp__cummax_attrs *)c->attrs)->axis); }
static bp_status cummin_infer(bp__infer *c) { return infer(c, &((struct bp__cummin_attrs *)c->attrs)->axis); }
static void cumsum_forward(const bp__call *c) { bp__cumulative(c->env, BP__SUM, (int)AXIS(cumsum), &c->out[0], &c->in[0]); }
static void cumprod_forward(const bp__call *c) { bp__cumulative(c->env, BP__PROD, (int)AXIS(cumprod), &c->out[0], &c->in[0]); }
static void cummax_forward(const bp__call *c) {
    bp__cumulative_arg(c->env, true, (int)AXIS(cummax), &c->out[0], &c->out[1], &c->in[0]);
}
static void cummin_forward(const bp__call *c) {
    bp__cumulative_arg(c->env, false, (int)AXIS(cummin), &c->out[0], &c->out[1], &c->in[0]);
}

static void cumsum_gradient(bp__grad *c) {
    int64_t axis = AXIS(cumsum);
    bool flows = bp__dtype_is_float(bp_value_dtype(c->in[0]));
    c->d_in[0] = flows ? flipped(bp_cumsum(flipped(c->d_out[0], axis), axis), axis) : BP_NONE;
}
/* d_x[i] = (x[0] … x[i-1]) · Σ_{k >= i} d_y[k] x[i+1] … x[k] */
static void cumprod_gradient(bp__grad *c) {
    int64_t axis = AXIS(cumprod);
    c->d_in[0] = BP_NONE;
    if (bp__dtype_is_float(bp_value_dtype(c->in[0])))
        c->d_in[0] = bp_mul(bp__product_before(c->in[0], axis), gathered(c->d_out[0], c->in[0], axis));
}
static void cummax_gradient(bp__grad *c) { to_index(c, AXIS(cummax)); }
static void cummin_gradient(bp__grad *c) { to_index(c, AXIS(cummin)); }

static bp_status recurrence_infer(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_one_axis(c, &((struct bp__linear_recurrence_attrs *)c->attrs)->axis));
    const bp_dims *a = &c->in[0]->dims, *b = &c->in[1]->dims;
    bool fits = a->n == b->n && c->in[0]->dtype == c->in[1]->dtype;
    for (int64_t i = 0; fits && i < a->n; i++) fits = bp__infer_equal(c, a->dim[i], b->dim[i]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "a %s %s and b %s %s must be of one type and shape", bp_dtype_name(c->in[0]->dtype),
                              bp__infer_shape(c, 0), bp_dtype_name(c->in[1]->dtype), bp__infer_shape(c, 1));
    return bp__infer_same(c);
}
static void recurrence_forward(const bp__call *c) {
    bp__recurrence(c->env, (int)AXIS(linear_recurrence), &c->out[0], &c->in[0], &c->in[1]);
}
/* With t as above: d_b = t, d_a[i] = t[i] y[i-1]. */
static void recurrence_gradient(bp__grad *c) {
    int64_t axis = AXIS(linear_recurrence);
    bp_value t = gathered(c->d_out[0], c->in[0], axis);
    if (c->wanted[0]) c->d_in[0] = bp_mul(t, delayed(c->out[0], axis));
    if (c->wanted[1]) c->d_in[1] = t;
}

#define SAMPLES(name)                                                                              \
    static const struct bp__##name##_attrs name##_last = {.axis = -1}, name##_first = {.axis = 0}; \
    static const bp__sample name##_samples[] = {                                                   \
        {.attrs = &name##_last, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {3, 7})}},                 \
        {.attrs = &name##_first, .n_in = 1, .in = {BP__D(0.05, -2, 2, 2, {4, 4})}},                \
        {.attrs = &name##_first, .n_in = 1, .in = {BP__D(0.02, -2, 2, 3, {4, 2, 3})}},             \
        {.attrs = &name##_last, .n_in = 1, .in = {BP__D(0.02, -2, 2, 2, {3, 1})}},                 \
        {.attrs = &name##_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 0})}},                       \
        {.attrs = &name##_first, .n_in = 1, .in = {BP__I(-3, 4, 2, {5, 2})}},                      \
    };
SAMPLES(cumsum)
SAMPLES(cumprod)
SAMPLES(cummax)
SAMPLES(cummin)
static const struct bp__linear_recurrence_attrs r_last = {.axis = -1}, r_first = {.axis = 0};
static const bp__sample recurrence_samples[] = {
    {.attrs = &r_last, .n_in = 2, .in = {BP__F(-1, 1, 2, {2, 6}), BP__F(-2, 2, 2, {2, 6})}},
    {.attrs = &r_first, .n_in = 2, .in = {BP__F(-1, 1, 3, {4, 2, 2}), BP__F(-2, 2, 3, {4, 2, 2})}},
    {.attrs = &r_last, .n_in = 2, .in = {BP__F(-1, 1, 2, {2, 1}), BP__F(-2, 2, 2, {2, 1})}},
};

const bp__op_def bp__def_cumsum = {BP__SIGNATURE(cumsum),
                                   .family = "reductions",
                                   .formula = "y[i] = x[0] + ... + x[i] along `axis`",
                                   .infer = cumsum_infer,
                                   .forward = cumsum_forward,
                                   .gradient = cumsum_gradient,
                                   .samples = cumsum_samples,
                                   .n_samples = BP__COUNT(cumsum_samples)};
const bp__op_def bp__def_cumprod = {BP__SIGNATURE(cumprod),
                                    .family = "reductions",
                                    .formula = "y[i] = x[0] * ... * x[i] along `axis`",
                                    .infer = cumprod_infer,
                                    .forward = cumprod_forward,
                                    .gradient = cumprod_gradient,
                                    .samples = cumprod_samples,
                                    .n_samples = BP__COUNT(cumprod_samples)};
const bp__op_def bp__def_cummax = {BP__SIGNATURE(cummax),
                                   .family = "reductions",
                                   .formula = "values, indices = the largest of x[0] ... x[i] along `axis`",
                                   .infer = cummax_infer,
                                   .forward = cummax_forward,
                                   .gradient = cummax_gradient,
                                   .samples = cummax_samples,
                                   .n_samples = BP__COUNT(cummax_samples)};
const bp__op_def bp__def_cummin = {BP__SIGNATURE(cummin),
                                   .family = "reductions",
                                   .formula = "values, indices = the smallest of x[0] ... x[i] along `axis`",
                                   .infer = cummin_infer,
                                   .forward = cummin_forward,
                                   .gradient = cummin_gradient,
                                   .samples = cummin_samples,
                                   .n_samples = BP__COUNT(cummin_samples)};
const bp__op_def bp__def_linear_recurrence = {BP__SIGNATURE(linear_recurrence),
                                              .family = "reductions",
                                              .formula = "y[0] = b[0], y[i] = a[i] * y[i-1] + b[i] along `axis`",
                                              .infer = recurrence_infer,
                                              .forward = recurrence_forward,
                                              .gradient = recurrence_gradient,
                                              .samples = recurrence_samples,
                                              .n_samples = BP__COUNT(recurrence_samples)};
