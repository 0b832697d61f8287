/* layer_norm (Ba, Kiros, Hinton, "Layer Normalization", 2016) from means: y = (x - mean) / sqrt(variance + eps) * weight + bias
   over the last axes of every sample; the variance divides by n. */
#include "nn/layers.h"

/* The sizes that `normalized_shape` says (or the last axis), checked against x. */
static bp_status normalized(const bp__layer_call *c, bp_value x, bp_dims *shape) {
    const bp__option *o = bp__choice_option(c->choice, "normalized_shape");
    bp_dims d = bp_value_dims(x);
    char s[160], t[160];
    *shape = (bp_dims){.n = 0};
    if (d.n < 2) return bp__layer_shape_fail(c, "the input %s has no axis of features", bp__layer_shape(c, x, s, sizeof s));
    if (!o->given) {
        shape->dim[shape->n++] = d.dim[d.n - 1];
    } else if (o->tree->kind == BP__INT) {
        shape->dim[shape->n++] = o->tree->integer;
    } else {
        bool good = o->tree->kind == BP__LIST && o->tree->child;
        for (const bp__tree *k = good ? o->tree->child : NULL; k && good; k = k->next) {
            good = k->kind == BP__INT && shape->n < BP_MAX_DIMS;
            if (good) shape->dim[shape->n++] = k->integer;
        }
        if (!good) return bp__choice_fail(c->reader, o->tree, "`normalized_shape` must be a size or a list of sizes");
    }
    bool fits = shape->n < d.n;
    for (int64_t i = 0; fits && i < shape->n; i++) fits = shape->dim[i] == d.dim[d.n - shape->n + i];
    if (!fits)
        return bp__layer_shape_fail(c, "`normalized_shape` %s is not how the input %s ends",
                                    bp__dims_text(c->g->dims, shape, t, sizeof t), bp__layer_shape(c, x, s, sizeof s));
    for (int64_t i = 0; i < shape->n; i++)
        if (shape->dim[i] < 0)
            return bp__layer_shape_fail(c, "the sizes of the normalised axes must be numbers, but the input is %s",
                                        bp__layer_shape(c, x, s, sizeof s));
    return BP_OK;
}

bp_status bp__layer_layer_norm(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0];
    bp_dims shape, d = bp_value_dims(x);
    BP_TRY(normalized(c, x, &shape));
    bp_mean_options o = bp_mean_defaults();
    o.axes = (bp_dims){.n = shape.n};
    for (int64_t i = 0; i < shape.n; i++) o.axes.dim[i] = d.n - shape.n + i;
    o.keepdim = 1;
    bp_value centred = bp_sub(x, bp_mean(x, &o));
    bp_value variance = bp_mean(bp_square(centred), &o);
    *y = bp_mul(centred, bp_rsqrt(bp__add_k(variance, bp__choice_option(c->choice, "eps")->number)));
    if (!bp__choice_option(c->choice, "elementwise_affine")->boolean) return BP_OK;
    *y = bp_mul(*y, bp__layer_parameter(c, "weight", shape, bp_filled(1)));
    if (bp__choice_option(c->choice, "bias")->boolean) *y = bp_add(*y, bp__layer_parameter(c, "bias", shape, bp_zeros()));
    return BP_OK;
}
