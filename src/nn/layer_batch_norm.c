/* batch_norm (Ioffe, Szegedy, "Batch Normalization", 2015), with PyTorch's rules: each channel (axis 1) to mean 0 and variance 1
   over the batch and all other axes, then weight and bias. While training the batch's own statistics normalise (the variance
   divides by n) and are mixed into the running ones (the variance there divides by n - 1); evaluation uses the running ones. A
   channel with one value has no variance to speak of: 0 is mixed in. momentum: null averages over all batches alike. */
#include "nn/layers.h"
#include "op/make.h"

/* The value a variable gets after the step; a network built for training twice assigns once. */
static void update(const bp__layer_call *c, bp_value variable, bp_value value) {
    if (bp_is_bad(variable) || bp_is_bad(value)) return;
    const bp__variable *v = &c->g->variables[*(const int64_t *)c->g->nodes[variable.node].attrs];
    if (v->assigned.node < 0) bp_assign(variable, bp_stop_gradient(value));
}

/* (1 - f) old + f now */
static bp_value mixed(bp_value old, bp_value now, bp_value f) {
    return bp_add(bp_mul(old, bp_sub(bp__k_like(old, 1), f)), bp_mul(now, f));
}

typedef struct running {
    bp_value mean, variance, batches; /* BP_NONE: not tracked */
} running;

static void track(const bp__layer_call *c, const running *r, bp_value mean, bp_value variance, bp_value n, bp_dims channels) {
    const bp__option *momentum = bp__choice_option(c->choice, "momentum");
    bp_dtype dtype = bp_value_dtype(mean);
    bp_value batches = bp_add(r->batches, bp_number(c->g, BP_I64, 1)), one = bp_number(c->g, dtype, 1);
    bool average = momentum->given && momentum->tree->kind == BP__NULL;
    double f = !momentum->given                  ? 0.1
               : momentum->tree->kind == BP__INT ? (double)momentum->tree->integer
                                                 : momentum->tree->number;
    bp_value factor = average ? bp_div(one, bp_cast(batches, dtype)) : bp_number(c->g, dtype, f);
    bp_value unbiased = bp_mul(variance, bp_div(n, bp_maximum(bp_sub(n, one), one)));
    update(c, r->mean, mixed(r->mean, bp_reshape(mean, channels), factor));
    update(c, r->variance, mixed(r->variance, bp_reshape(unbiased, channels), factor));
    update(c, r->batches, batches);
}

static bp_status check_momentum(const bp__layer_call *c) {
    const bp__option *o = bp__choice_option(c->choice, "momentum");
    if (!o->given || o->tree->kind == BP__NULL) return BP_OK;
    double f = o->tree->kind == BP__INT ? (double)o->tree->integer : o->tree->kind == BP__FLOAT ? o->tree->number : -1;
    if (f >= 0 && f <= 1) return BP_OK;
    return bp__choice_fail(c->reader, o->tree,
                           "`momentum` must be a number from 0 to 1, or null for the plain average of all batches");
}

bp_status bp__layer_batch_norm(const bp__layer_call *c, bp_value *y) {
    char s[160];
    bp_value x = c->in[0], mean, variance, centred;
    bp_dims d = bp_value_dims(x);
    const bp__option *features = bp__choice_option(c->choice, "num_features");
    BP_TRY(check_momentum(c));
    if (d.n < 2 || d.dim[1] < 1)
        return bp__layer_shape_fail(c, "the input must be [batch, channels, …] with a fixed number of channels, not %s",
                                    bp__layer_shape(c, x, s, sizeof s));
    if (features->given && features->integer != d.dim[1])
        return bp__layer_shape_fail(c, "`num_features` is %lld, but axis 1 of the input %s has %lld",
                                    (long long)features->integer, bp__layer_shape(c, x, s, sizeof s), (long long)d.dim[1]);
    if (bp_value_dtype(x) != c->g->parameter_dtype) x = bp_cast(x, c->g->parameter_dtype);
    bp_dims channels = bp_shape(1, d.dim[1]), beside = {.n = d.n - 1, .dim = {d.dim[1]}};
    for (int64_t i = 1; i < beside.n; i++) beside.dim[i] = 1;
    bool tracked = bp__choice_option(c->choice, "track_running_stats")->boolean;
    running r = {BP_NONE, BP_NONE, BP_NONE};
    bp_value weight = BP_NONE, bias = BP_NONE;
    if (bp__choice_option(c->choice, "affine")->boolean) {
        weight = bp__layer_parameter(c, "weight", channels, bp_filled(1));
        bias = bp__layer_parameter(c, "bias", channels, bp_zeros());
    }
    if (tracked) {
        r.mean = bp__layer_buffer(c, "running_mean", channels, bp_zeros());
        r.variance = bp__layer_buffer(c, "running_var", channels, bp_filled(1));
        r.batches = bp__layer_counter(c, "num_batches_tracked");
    }
    if (c->o->training || !tracked) {
        bp_mean_options o = bp_mean_defaults();
        o.axes = (bp_dims){.n = d.n - 1};
        for (int64_t i = 1; i < o.axes.n; i++) o.axes.dim[i] = i + 1;
        o.keepdim = 1;
        mean = bp_mean(x, &o);
        centred = bp_sub(x, mean);
        variance = bp_mean(bp_square(centred), &o);
        if (c->o->training && tracked) track(c, &r, mean, variance, bp__count_value(x, &o.axes, bp_value_dtype(x)), channels);
    } else {
        centred = bp_sub(x, bp_reshape(r.mean, beside));
        variance = bp_reshape(r.variance, beside);
    }
    bp_value scale = bp_rsqrt(bp__add_k(variance, bp__choice_option(c->choice, "eps")->number));
    *y = bp_mul(centred, scale);
    if (weight.graph) *y = bp_add(bp_mul(*y, bp_reshape(weight, beside)), bp_reshape(bias, beside));
    return BP_OK;
}
