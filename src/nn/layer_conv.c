/* conv2d and conv1d, as in PyTorch: weight [out_channels, in_channels / groups, kernel…]; weight and bias start uniform within
   1 / sqrt(fan_in). Images without an axis of channels get one of size 1. */
#include "nn/layers.h"
#include "op/make.h"

#include <math.h>
#include <string.h>

/* A number for every axis, or a list of one per axis. */
static bp_status per_axis(const bp__layer_call *c, const char *key, int64_t n, int64_t standard, int64_t least, bp_dims *out) {
    const bp__option *o = bp__choice_option(c->choice, key);
    *out = (bp_dims){.n = n};
    for (int64_t i = 0; i < n; i++) out->dim[i] = standard;
    if (!o->given) return BP_OK;
    const bp__tree *t = o->tree;
    bool good = t->kind == BP__INT || (t->kind == BP__LIST && bp__tree_count(t) == n);
    for (int64_t i = 0; i < n && good; i++) {
        const bp__tree *k = t->kind == BP__LIST ? bp__tree_at(t, i) : t;
        good = k->kind == BP__INT && k->integer >= least && k->integer <= 65536;
        if (good) out->dim[i] = k->integer;
    }
    if (good) return BP_OK;
    return bp__choice_fail(c->reader, t,
                           n == 1 ? "`%s` must be a whole number from %lld to 65536"
                                  : "`%s` must be a whole number from %lld to 65536, or a list of two: height, width",
                           key, (long long)least);
}

typedef struct shape {
    int64_t axes;
    bp_dims kernel, stride, padding, dilation;
    int64_t groups, out_channels;
} shape;

/* padding: same keeps the size; where an odd number of zeros is needed, the last one goes behind. */
static bp_status read_padding(const bp__layer_call *c, shape *s, bp_value *x) {
    const bp__option *o = bp__choice_option(c->choice, "padding");
    bool same = o->given && o->tree->kind == BP__TEXT && strcmp(o->tree->text, "same") == 0;
    bool valid = o->given && o->tree->kind == BP__TEXT && strcmp(o->tree->text, "valid") == 0;
    if (o->given && o->tree->kind == BP__TEXT && !same && !valid)
        return bp__choice_fail(c->reader, o->tree, "`padding` must be a whole number, `same` or `valid`, not `%.80s`",
                               o->tree->text);
    if (!same && !valid) return per_axis(c, "padding", s->axes, 0, 0, &s->padding);
    s->padding = (bp_dims){.n = s->axes};
    for (int64_t i = 0; i < s->axes && same; i++) {
        int64_t total = s->dilation.dim[i] * (s->kernel.dim[i] - 1), size = bp_value_dims(*x).dim[2 + i];
        if (s->stride.dim[i] != 1) return bp__choice_fail(c->reader, o->tree, "`padding: same` needs a stride of 1");
        s->padding.dim[i] = total / 2;
        if (total % 2 != 0) *x = bp_unslice(*x, 2 + i, 0, bp__dim_add(c->g->dims, size, 1), NULL);
    }
    return BP_OK;
}

static bp_status read_shape(const bp__layer_call *c, shape *s, bp_value *x) {
    char text[160];
    if (bp_value_dims(*x).n == s->axes + 1) { /* grey images, plain series */
        bp_value deeper = bp__unsqueeze(*x, 1);
        BP_TRY(bp__layer_note(c, "reshape", *x, deeper));
        *x = deeper;
    }
    bp_dims d = bp_value_dims(*x);
    if (d.n != s->axes + 2 || d.dim[1] < 1)
        return bp__layer_shape_fail(c, "the input must be [batch, channels, %s], not %s: use `reshape` before it",
                                    s->axes == 2 ? "height, width" : "length", bp__layer_shape(c, *x, text, sizeof text));
    const bp__option *in = bp__choice_option(c->choice, "in_channels");
    s->out_channels = bp__choice_option(c->choice, "out_channels")->integer;
    s->groups = bp__choice_option(c->choice, "groups")->integer;
    if (in->given && in->integer != d.dim[1])
        return bp__layer_shape_fail(c, "`in_channels` is %lld, but %lld channels come in %s", (long long)in->integer,
                                    (long long)d.dim[1], bp__layer_shape(c, *x, text, sizeof text));
    if (d.dim[1] % s->groups != 0 || s->out_channels % s->groups != 0)
        return bp__layer_shape_fail(c, "%lld channels in and %lld out can't both be divided into %lld groups",
                                    (long long)d.dim[1], (long long)s->out_channels, (long long)s->groups);
    BP_TRY(per_axis(c, "kernel_size", s->axes, 1, 1, &s->kernel));
    BP_TRY(per_axis(c, "stride", s->axes, 1, 1, &s->stride));
    BP_TRY(per_axis(c, "dilation", s->axes, 1, 1, &s->dilation));
    return read_padding(c, s, x);
}

static bp_status build(const bp__layer_call *c, int64_t axes, bp_value *y) {
    bp_value x = c->in[0], bias = BP_NONE;
    shape s = {.axes = axes};
    if (bp_value_dtype(x) != c->g->parameter_dtype) x = bp_cast(x, c->g->parameter_dtype);
    BP_TRY(read_shape(c, &s, &x));
    bp_dims w = {.n = 2 + axes, .dim = {s.out_channels, bp_value_dims(x).dim[1] / s.groups}};
    double fan_in = (double)w.dim[1];
    for (int64_t i = 0; i < axes; i++) {
        w.dim[2 + i] = s.kernel.dim[i];
        fan_in *= (double)s.kernel.dim[i];
    }
    double bound = 1.0 / sqrt(fan_in);
    bp_init w_init, b_init;
    BP_TRY(bp__layer_init(c, "weight", bp_kaiming_uniform(), &w_init));
    BP_TRY(bp__layer_init(c, "bias", bp_uniform_init(-bound, bound), &b_init));
    bp_value weight = bp__layer_parameter(c, "weight", w, w_init);
    if (bp__choice_option(c->choice, "bias")->boolean) bias = bp__layer_parameter(c, "bias", bp_shape(1, s.out_channels), b_init);
    if (axes == 2) {
        bp_conv2d_options o = bp_conv2d_defaults();
        o.stride = s.stride, o.padding = s.padding, o.dilation = s.dilation, o.groups = s.groups;
        *y = bp_conv2d(x, weight, bias, &o);
    } else {
        bp_conv1d_options o = bp_conv1d_defaults();
        o.stride = s.stride.dim[0], o.padding = s.padding.dim[0], o.dilation = s.dilation.dim[0], o.groups = s.groups;
        *y = bp_conv1d(x, weight, bias, &o);
    }
    return BP_OK;
}

bp_status bp__layer_conv2d(const bp__layer_call *c, bp_value *y) { return build(c, 2, y); }
bp_status bp__layer_conv1d(const bp__layer_call *c, bp_value *y) { return build(c, 1, y); }
