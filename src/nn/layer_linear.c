/* linear: y = x Wᵀ + b. PyTorch's start: both uniform within 1/sqrt(in_features). */
#include "nn/layers.h"

#include <math.h>

/* A sample of several axes of known sizes goes in as one row. */
static bp_status flatten_first(const bp__layer_call *c, bp_value *x) {
    bp_dims d = bp_value_dims(*x);
    if (d.n <= 2 || !bp__choice_option(c->choice, "flatten")->boolean) return BP_OK;
    for (int64_t i = 1; i < d.n; i++)
        if (d.dim[i] < 0) return BP_OK;
    bp_value flat;
    BP_TRY(bp__layer_flat(c, *x, 1, d.n - 1, &flat));
    BP_TRY(bp__layer_note(c, "flatten", *x, flat));
    *x = flat;
    return BP_OK;
}

static bp_status sizes(const bp__layer_call *c, bp_value x, int64_t *n_in, int64_t *n_out) {
    char s[160];
    bp_dims d = bp_value_dims(x);
    const bp__option *in = bp__choice_option(c->choice, "in_features"), *out = bp__choice_option(c->choice, "out_features");
    if (out->given)
        *n_out = out->integer;
    else if (c->last && c->o->n_outputs > 0)
        *n_out = c->o->n_outputs;
    else
        return bp__choice_fail(
            c->reader, c->tree,
            "`linear` needs `out_features`, as in linear: 128; only the last layer's size follows from the target");
    if (d.n < 2)
        return bp__layer_shape_fail(c, "the input %s has no axis of features: it must be [batch, features]",
                                    bp__layer_shape(c, x, s, sizeof s));
    *n_in = d.dim[d.n - 1];
    if (*n_in < 0)
        return bp__layer_shape_fail(c, "the size of the input's last axis must be a number, but the input is %s",
                                    bp__layer_shape(c, x, s, sizeof s));
    if (in->given && in->integer != *n_in)
        return bp__layer_shape_fail(c, "`in_features` is %lld, but %lld features come in %s", (long long)in->integer,
                                    (long long)*n_in, bp__layer_shape(c, x, s, sizeof s));
    return BP_OK;
}

bp_status bp__layer_linear(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0], bias = BP_NONE;
    bp_dtype dtype = bp_value_dtype(x);
    int64_t n_in = 0, n_out = 0;
    if (dtype == BP_I64 || dtype == BP_I32)
        return bp__layer_shape_fail(c, "whole numbers (%s) come in: make vectors of them with `embedding` first",
                                    bp_dtype_name(dtype));
    BP_TRY(flatten_first(c, &x));
    BP_TRY(sizes(c, x, &n_in, &n_out));
    if (dtype != c->g->parameter_dtype) x = bp_cast(x, c->g->parameter_dtype);
    double bound = n_in > 0 ? 1.0 / sqrt((double)n_in) : 0.0;
    bp_init w_init, b_init;
    BP_TRY(bp__layer_init(c, "weight", bp_kaiming_uniform(), &w_init));
    BP_TRY(bp__layer_init(c, "bias", bp_uniform_init(-bound, bound), &b_init));
    bp_value weight = bp__layer_parameter(c, "weight", bp_shape(2, n_out, n_in), w_init);
    if (bp__choice_option(c->choice, "bias")->boolean) bias = bp__layer_parameter(c, "bias", bp_shape(1, n_out), b_init);
    *y = bp_linear(x, weight, bias);
    return BP_OK;
}
