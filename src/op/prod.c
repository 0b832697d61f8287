/* y = Π x over `axes` (default: all); 1 over nothing. The gradient of an element is the product of all others, from both sides,
   so that zeros among them are no special case. Integers multiply in i64, modulo 2^64. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__prod_attrs *a = c->attrs;
    bp_dtype dtype = c->in[0]->dtype;
    if (!bp__dtype_is_float(dtype) && dtype != BP_I64)
        return bp__infer_fail(c, BP_TYPE, "x must be f32, f64 or i64, not %s: use cast", bp_dtype_name(dtype));
    return bp__infer_reduction(c, &a->axes, a->keepdim != 0);
}

static void forward(const bp__call *c) {
    const struct bp__prod_attrs *a = c->attrs;
    bp__tensor y = c->in[0];
    uint32_t mask = 0;
    for (int64_t i = 0; i < a->axes.n; i++) {
        mask |= 1u << a->axes.dim[i];
        y.dim[a->axes.dim[i]] = 1;
    }
    y.data = c->out[0].data;
    bp__tensor_make_dense(&y);
    bp__reduce(c->env, BP__PROD, mask, &y, &c->in[0]);
}

static void gradient(bp__grad *c) {
    const struct bp__prod_attrs *a = c->attrs;
    bp_value x = c->in[0];
    bp_dims d = bp_value_dims(x), order = {.n = d.n}, inverse = {.n = d.n}, permuted = d;
    c->d_in[0] = BP_NONE;
    if (!bp__dtype_is_float(bp_value_dtype(x))) return;
    bp_value flat = bp__axes_last(x, &a->axes);
    int64_t axis = bp_value_dims(flat).n - 1, kept = 0, reduced = d.n - a->axes.n;
    bp_value others = bp_mul(bp__product_before(flat, axis), bp__product_behind(flat, axis));
    for (int64_t i = 0, next = 0; i < d.n; i++) { /* back to x's axes */
        bool is_reduced = next < a->axes.n && a->axes.dim[next] == i;
        next += is_reduced;
        order.dim[is_reduced ? reduced++ : kept++] = i;
    }
    for (int64_t i = 0; i < d.n; i++) {
        inverse.dim[order.dim[i]] = i;
        permuted.dim[i] = d.dim[order.dim[i]];
    }
    others = bp_permute(bp_reshape(others, permuted), inverse);
    c->d_in[0] = bp_mul(bp__as_reduced(c->d_out[0], d, &a->axes, true), others);
}

static const struct bp__prod_attrs all = {.axes = {.n = -1}}, first = {.axes = {1, {0}}},
                                   last_kept = {.axes = {1, {-1}}, .keepdim = 1}, two = {.axes = {2, {2, 0}}};
static const bp__sample samples[] = {
    {.attrs = &all, .n_in = 1, .in = {BP__F(0.5, 1.5, 2, {3, 4})}},
    {.attrs = &all, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}},
    {.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 3})}},
    {.attrs = &last_kept, .n_in = 1, .in = {BP__F(-1.2, 1.2, 2, {2, 6})}},
    {.attrs = &two, .n_in = 1, .in = {BP__F(0.5, 1.5, 4, {2, 3, 2, 2})}},
    {.attrs = &first, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 3})}},
    {.attrs = &first, .n_in = 1, .in = {BP__I(-3, 4, 2, {5, 3})}},
};

const bp__op_def bp__def_prod = {BP__SIGNATURE(prod),
                                 .family = "reductions",
                                 .formula = "y = product of x over `axes`",
                                 .infer = infer,
                                 .forward = forward,
                                 .gradient = gradient,
                                 .samples = samples,
                                 .n_samples = BP__COUNT(samples)};
