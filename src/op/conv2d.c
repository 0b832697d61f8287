/* conv2d (PyTorch's): y[n, o, p, q] = bias[o] + Σ_{i, j, c} weight[o, c, i, j] x[n, g(o) C + c, p s + i d - pad, q s + j d - pad]
   with x zero outside, C = in_channels / groups channels in each group g. The sum is one chain in order of (i, j, c); the bias
   comes behind it (kernel/conv.h). The two adjoints are operations too: conv2d, conv2d_grad_input and conv2d_grad_weight are each
   other's gradients, so any order of derivative works. */
#include "kernel/conv.h"
#include "op/make.h"

/* All three attribute structs end with the same members. */
typedef struct geometry {
    bp_dims *stride, *padding, *dilation;
    int64_t *groups;
} geometry;
#define GEOMETRY(a) \
    (geometry) { &(a)->stride, &(a)->padding, &(a)->dilation, &(a)->groups }

/* One number stands for both axes. */
static bp_status two_numbers(bp__infer *c, const char *name, bp_dims *d, int64_t least) {
    if (d->n == 1) {
        d->dim[1] = d->dim[0];
        d->n = 2;
    }
    if (d->n != 2) return bp__infer_fail(c, BP_SHAPE, "%s must be one number or two, not %lld", name, (long long)d->n);
    for (int i = 0; i < 2; i++)
        if (d->dim[i] < least || d->dim[i] > INT32_MAX)
            return bp__infer_fail(c, BP_SHAPE, "%s must be from %lld to 2147483647, not %lld", name, (long long)least,
                                  (long long)d->dim[i]);
    return BP_OK;
}

static bp_status check_geometry(bp__infer *c, geometry a) {
    for (int i = 0; i < 2; i++) BP_TRY(bp__infer_need_float(c, i));
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "the inputs are %s and %s: use cast", bp_dtype_name(c->in[0]->dtype),
                                  bp_dtype_name(c->in[i]->dtype));
    for (int i = 0; i < 2; i++)
        if (c->in[i]->dims.n != 4)
            return bp__infer_fail(c, BP_SHAPE,
                                  "images are [batch, channels, height, width] and weights [out, in / groups, height, "
                                  "width], but the inputs are %s and %s",
                                  bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    BP_TRY(two_numbers(c, "stride", a.stride, 1));
    BP_TRY(two_numbers(c, "padding", a.padding, 0));
    BP_TRY(two_numbers(c, "dilation", a.dilation, 1));
    if (*a.groups < 1) return bp__infer_fail(c, BP_SHAPE, "groups must be 1 or more, not %lld", (long long)*a.groups);
    return BP_OK;
}

static bp_status check_weight(bp__infer *c, const bp_dims *w, int64_t groups) {
    for (int64_t i = 0; i < 4; i++)
        if (w->dim[i] < 1 || w->dim[i] > INT32_MAX)
            return bp__infer_fail(c, BP_SHAPE, "all four sizes of the weight must be numbers from 1 to 2147483647");
    if (w->dim[0] % groups != 0)
        return bp__infer_fail(c, BP_SHAPE, "%lld output channels can't be divided into %lld groups", (long long)w->dim[0],
                              (long long)groups);
    return BP_OK;
}

/* The output's size on axis d (0 height, 1 width): floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. */
static int64_t out_size(bp__dims_table *t, int64_t in, int64_t kernel, geometry a, int d) {
    int64_t span = a.dilation->dim[d] * (kernel - 1) + 1, padded = bp__dim_add(t, in, 2 * a.padding->dim[d]);
    if (padded >= 0 && padded < span) return -1;
    int64_t room = bp__dim_sub(t, padded, span);
    return bp__dim_add(t, bp__dim_floordiv(t, room, a.stride->dim[d]), 1);
}

static bp_status too_small(bp__infer *c, const bp_dims *w) {
    return bp__infer_fail(c, BP_SHAPE, "a kernel of %lld x %lld (with its dilation) is larger than the padded image: %s, %s",
                          (long long)w->dim[2], (long long)w->dim[3], bp__infer_shape(c, 0), bp__infer_shape(c, 1));
}

static bp_status infer(bp__infer *c) {
    geometry a = GEOMETRY((struct bp__conv2d_attrs *)c->attrs);
    BP_TRY(check_geometry(c, a));
    const bp_dims *x = &c->in[0]->dims, *w = &c->in[1]->dims;
    BP_TRY(check_weight(c, w, *a.groups));
    if (!bp__infer_equal(c, x->dim[1], w->dim[1] * *a.groups))
        return bp__infer_fail(c, BP_SHAPE, "the weight %s in %lld groups wants %lld input channels, but x is %s",
                              bp__infer_shape(c, 1), (long long)*a.groups, (long long)(w->dim[1] * *a.groups),
                              bp__infer_shape(c, 0));
    if (c->n_in > 2 && c->in[2] && (c->in[2]->dims.n != 1 || c->in[2]->dims.dim[0] != w->dim[0]))
        return bp__infer_fail(c, BP_SHAPE, "the bias must be [%lld], not %s", (long long)w->dim[0], bp__infer_shape(c, 2));
    bp_dims y = {4, {x->dim[0], w->dim[0], 0, 0}};
    for (int d = 0; d < 2; d++) {
        y.dim[2 + d] = out_size(c->g->dims, x->dim[2 + d], w->dim[2 + d], a, d);
        if (y.dim[2 + d] == -1) return too_small(c, w);
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

/* d_y must be what conv2d makes of x and a weight of these shapes. */
static bp_status check_adjoint(bp__infer *c, const bp_dims *x, const bp_dims *w, geometry a) {
    const bp_dims *y = &c->in[0]->dims;
    BP_TRY(check_weight(c, w, *a.groups));
    bool fits = bp__infer_equal(c, y->dim[0], x->dim[0]) && bp__infer_equal(c, y->dim[1], w->dim[0]) &&
                bp__infer_equal(c, x->dim[1], w->dim[1] * *a.groups);
    for (int d = 0; d < 2 && fits; d++) {
        int64_t n = out_size(c->g->dims, x->dim[2 + d], w->dim[2 + d], a, d);
        if (n == -1) return too_small(c, w);
        fits = bp__infer_equal(c, y->dim[2 + d], n);
    }
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "d_y %s is no output of this convolution (the other input is %s)",
                              bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    return BP_OK;
}

static bp_status grad_input_infer(bp__infer *c) {
    struct bp__conv2d_grad_input_attrs *p = c->attrs;
    geometry a = GEOMETRY(p);
    BP_TRY(check_geometry(c, a));
    const bp_dims *w = &c->in[1]->dims;
    if (p->size.n != 2 || p->size.dim[0] == BP_INFER || p->size.dim[1] == BP_INFER)
        return bp__infer_fail(c, BP_SHAPE, "size must be the height and width of x");
    BP_TRY(check_weight(c, w, *a.groups));
    bp_dims x = {4, {c->in[0]->dims.dim[0], w->dim[1] * *a.groups, p->size.dim[0], p->size.dim[1]}};
    BP_TRY(check_adjoint(c, &x, w, a));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = x};
    return BP_OK;
}

static bp_status grad_weight_infer(bp__infer *c) {
    struct bp__conv2d_grad_weight_attrs *p = c->attrs;
    geometry a = GEOMETRY(p);
    BP_TRY(check_geometry(c, a));
    const bp_dims *y = &c->in[0]->dims, *x = &c->in[1]->dims;
    if (p->size.n != 2 || p->size.dim[0] < 1 || p->size.dim[1] < 1)
        return bp__infer_fail(c, BP_SHAPE, "size must be the height and width of the kernel");
    if (x->dim[1] < 1 || x->dim[1] % *a.groups != 0)
        return bp__infer_fail(c, BP_SHAPE, "the channels of x %s can't be divided into %lld groups", bp__infer_shape(c, 1),
                              (long long)*a.groups);
    bp_dims w = {4, {y->dim[1], x->dim[1] / *a.groups, p->size.dim[0], p->size.dim[1]}};
    BP_TRY(check_adjoint(c, x, &w, a));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = w};
    return BP_OK;
}

static bp__conv conv(const bp__tensor *x, const bp__tensor *w, const bp__tensor *y, geometry a) {
    bp__conv c = {.dtype = (bp_dtype)y->dtype,
                  .n_images = x->dim[0],
                  .groups = *a.groups,
                  .in_channels = x->dim[1],
                  .out_channels = w->dim[0]};
    for (int d = 0; d < 2; d++) {
        c.in[d] = x->dim[2 + d], c.out[d] = y->dim[2 + d], c.kernel[d] = w->dim[2 + d];
        c.stride[d] = a.stride->dim[d], c.padding[d] = a.padding->dim[d], c.dilation[d] = a.dilation->dim[d];
    }
    return c;
}
#define ATTRS(name) GEOMETRY((struct bp__##name##_attrs *)(void *)call->attrs)
static bp__conv forward_conv(const bp__call *call) { return conv(&call->in[0], &call->in[1], &call->out[0], ATTRS(conv2d)); }
static bp__conv input_conv(const bp__call *call) {
    return conv(&call->out[0], &call->in[1], &call->in[0], ATTRS(conv2d_grad_input));
}
static bp__conv weight_conv(const bp__call *call) {
    return conv(&call->in[1], &call->out[0], &call->in[0], ATTRS(conv2d_grad_weight));
}

static size_t scratch(const bp__call *c, int n_threads) {
    bp__conv v = forward_conv(c);
    return bp__conv2d_scratch(c->env->isa, &v, n_threads);
}
static size_t grad_input_scratch(const bp__call *c, int n_threads) {
    bp__conv v = input_conv(c);
    return bp__conv2d_grad_input_scratch(c->env->isa, &v, n_threads);
}
static size_t grad_weight_scratch(const bp__call *c, int n_threads) {
    bp__conv v = weight_conv(c);
    return bp__conv2d_grad_weight_scratch(c->env->isa, &v, n_threads);
}
static void forward(const bp__call *c) {
    bp__conv v = forward_conv(c);
    bp__conv2d(c->env, &v, c->out[0].data, c->in[0].data, c->in[1].data, c->n_in > 2 ? c->in[2].data : NULL);
}
static void grad_input_forward(const bp__call *c) {
    bp__conv v = input_conv(c);
    bp__conv2d_grad_input(c->env, &v, c->out[0].data, c->in[0].data, c->in[1].data);
}
static void grad_weight_forward(const bp__call *c) {
    bp__conv v = weight_conv(c);
    bp__conv2d_grad_weight(c->env, &v, c->out[0].data, c->in[0].data, c->in[1].data);
}
static double flops_of(bp__conv v) {
    return 2.0 * (double)(v.n_images * v.out[0] * v.out[1]) *
           (double)(v.out_channels * (v.in_channels / v.groups) * v.kernel[0] * v.kernel[1]);
}
static double flops(const bp__call *c) { return flops_of(forward_conv(c)); }
static double grad_input_flops(const bp__call *c) { return flops_of(input_conv(c)); }
static double grad_weight_flops(const bp__call *c) { return flops_of(weight_conv(c)); }

/* ---- Gradients ------------------------------------------------------------------------------------------------------------- */
static bp_value build(enum bp__op_id id, const void *attrs, bp_value a, bp_value b) {
    bp_value in[3] = {a, b, BP_NONE};
    return bp__graph_add(a.graph, bp__op_id(id), attrs, in, id == BP__OP_ID_conv2d ? 3 : 2);
}
static bp_value conv_of(bp_value x, bp_value w, geometry a) {
    struct bp__conv2d_attrs attrs = {.stride = *a.stride, .padding = *a.padding, .dilation = *a.dilation, .groups = *a.groups};
    return build(BP__OP_ID_conv2d, &attrs, x, w);
}
/* The gradient for an input of x's height and width, for a kernel of w's. */
static bp_value input_of(bp_value d_y, bp_value w, bp_value x, geometry a) {
    bp_dims d = bp_value_dims(x);
    struct bp__conv2d_grad_input_attrs attrs = {.size = {2, {d.dim[2], d.dim[3]}},
                                                .stride = *a.stride,
                                                .padding = *a.padding,
                                                .dilation = *a.dilation,
                                                .groups = *a.groups};
    return build(BP__OP_ID_conv2d_grad_input, &attrs, d_y, w);
}
static bp_value weight_of(bp_value d_y, bp_value x, bp_value w, geometry a) {
    bp_dims d = bp_value_dims(w);
    struct bp__conv2d_grad_weight_attrs attrs = {.size = {2, {d.dim[2], d.dim[3]}},
                                                 .stride = *a.stride,
                                                 .padding = *a.padding,
                                                 .dilation = *a.dilation,
                                                 .groups = *a.groups};
    return build(BP__OP_ID_conv2d_grad_weight, &attrs, d_y, x);
}

static void gradient(bp__grad *call) {
    geometry a = ATTRS(conv2d);
    bp_value x = call->in[0], w = call->in[1], d_y = call->d_out[0];
    if (call->wanted[0]) call->d_in[0] = input_of(d_y, w, x, a);
    if (call->wanted[1]) call->d_in[1] = weight_of(d_y, x, w, a);
    if (call->n_in > 2 && call->wanted[2]) call->d_in[2] = bp__sum_axes(d_y, (bp_dims){3, {0, 2, 3}}, false);
}
static void grad_input_gradient(bp__grad *call) {
    geometry a = ATTRS(conv2d_grad_input);
    bp_value d_y = call->in[0], w = call->in[1], dd_x = call->d_out[0];
    if (call->wanted[0]) call->d_in[0] = conv_of(dd_x, w, a);
    if (call->wanted[1]) call->d_in[1] = weight_of(d_y, dd_x, w, a);
}
static void grad_weight_gradient(bp__grad *call) {
    geometry a = ATTRS(conv2d_grad_weight);
    bp_value d_y = call->in[0], x = call->in[1], dd_w = call->d_out[0];
    if (call->wanted[0]) call->d_in[0] = conv_of(x, dd_w, a);
    if (call->wanted[1]) call->d_in[1] = input_of(d_y, dd_w, x, a);
}

/* ---- Samples: strides above and below the kernel, padding beyond it, dilation, groups, depthwise, one channel, 1 x 1 ---------
 */
#define G(s0, s1, p0, p1, d0, d1, g) .stride = {2, {s0, s1}}, .padding = {2, {p0, p1}}, .dilation = {2, {d0, d1}}, .groups = (g)
#define X(...) BP__F(-1, 1, 4, {__VA_ARGS__})
static const struct bp__conv2d_attrs f_same = {G(1, 1, 1, 1, 1, 1, 1)}, f_valid = {G(1, 1, 0, 0, 1, 1, 1)},
                                     f_stride = {G(2, 1, 0, 1, 1, 1, 1)}, f_dilated = {G(2, 3, 2, 1, 3, 2, 1)},
                                     f_groups = {G(1, 1, 1, 1, 1, 1, 2)}, f_depth = {G(2, 2, 1, 1, 1, 1, 3)},
                                     f_far = {G(3, 3, 2, 2, 1, 1, 1)};
static const bp__sample samples[] = {
    {.attrs = &f_same, .n_in = 3, .in = {X(2, 2, 4, 3), X(3, 2, 3, 3), BP__F(-1, 1, 1, {3})}},
    {.attrs = &f_valid, .n_in = 3, .in = {X(1, 3, 3, 4), X(2, 3, 1, 1), BP__F(-1, 1, 1, {2})}},
    {.attrs = &f_valid, .n_in = 3, .in = {X(1, 1, 4, 5), X(2, 1, 2, 3), BP__ABSENT}},
    {.attrs = &f_stride, .n_in = 3, .in = {X(1, 2, 5, 4), X(2, 2, 2, 3), BP__ABSENT}},
    {.attrs = &f_dilated, .n_in = 3, .in = {X(1, 2, 4, 5), X(1, 2, 2, 2), BP__ABSENT}},
    {.attrs = &f_groups, .n_in = 3, .in = {X(1, 4, 3, 3), X(2, 2, 3, 2), BP__F(-1, 1, 1, {2})}},
    {.attrs = &f_depth, .n_in = 3, .in = {X(5, 3, 3, 4), X(3, 1, 2, 2), BP__ABSENT}},
    {.attrs = &f_far, .n_in = 3, .in = {X(1, 1, 4, 4), X(2, 1, 2, 1), BP__ABSENT}},
    {.attrs = &f_same, .n_in = 3, .in = {X(1, 1, 2, 2), X(1, 1, 1, 1), BP__ABSENT}},
};
static const struct bp__conv2d_grad_input_attrs i_same = {.size = {2, {4, 3}}, G(1, 1, 1, 1, 1, 1, 1)},
                                                i_stride = {.size = {2, {6, 5}}, G(2, 1, 0, 1, 1, 1, 1)},
                                                i_dilated = {.size = {2, {4, 5}}, G(2, 3, 2, 1, 3, 2, 1)},
                                                i_groups = {.size = {2, {3, 3}}, G(1, 1, 1, 1, 1, 1, 2)},
                                                i_plain = {.size = {2, {3, 4}}, G(1, 1, 0, 0, 1, 1, 1)};
static const bp__sample grad_input_samples[] = {{.attrs = &i_same, .n_in = 2, .in = {X(2, 3, 4, 3), X(3, 2, 3, 3)}},
                                                {.attrs = &i_stride, .n_in = 2, .in = {X(1, 2, 3, 5), X(2, 2, 2, 3)}},
                                                {.attrs = &i_dilated, .n_in = 2, .in = {X(1, 1, 3, 2), X(1, 2, 2, 2)}},
                                                {.attrs = &i_groups, .n_in = 2, .in = {X(1, 2, 3, 4), X(2, 2, 3, 2)}},
                                                {.attrs = &i_plain, .n_in = 2, .in = {X(1, 2, 3, 4), X(2, 3, 1, 1)}}};
static const struct bp__conv2d_grad_weight_attrs w_same = {.size = {2, {3, 3}}, G(1, 1, 1, 1, 1, 1, 1)},
                                                 w_stride = {.size = {2, {2, 3}}, G(2, 1, 0, 1, 1, 1, 1)},
                                                 w_dilated = {.size = {2, {2, 2}}, G(2, 3, 2, 1, 3, 2, 1)},
                                                 w_groups = {.size = {2, {3, 2}}, G(1, 1, 1, 1, 1, 1, 2)},
                                                 w_plain = {.size = {2, {1, 1}}, G(1, 1, 0, 0, 1, 1, 1)};
static const bp__sample grad_weight_samples[] = {{.attrs = &w_same, .n_in = 2, .in = {X(2, 3, 4, 3), X(2, 2, 4, 3)}},
                                                 {.attrs = &w_stride, .n_in = 2, .in = {X(1, 2, 3, 5), X(1, 2, 6, 5)}},
                                                 {.attrs = &w_dilated, .n_in = 2, .in = {X(1, 1, 3, 2), X(1, 2, 4, 5)}},
                                                 {.attrs = &w_groups, .n_in = 2, .in = {X(1, 2, 3, 4), X(1, 4, 3, 3)}},
                                                 {.attrs = &w_plain, .n_in = 2, .in = {X(1, 2, 3, 4), X(1, 8, 3, 4)}}};

const bp__op_def bp__def_conv2d = {BP__SIGNATURE(conv2d),
                                   .family = "convolutions",
                                   .formula =
                                       "y[n, o] = bias[o] + sum over kernel and channels of weight[o] * x[n], zeros around x",
                                   .flags = BP__OP_DENSE_IN,
                                   .infer = infer,
                                   .forward = forward,
                                   .scratch = scratch,
                                   .gradient = gradient,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples),
                                   .flops = flops};
const bp__op_def bp__def_conv2d_grad_input = {BP__SIGNATURE(conv2d_grad_input),
                                              .family = "convolutions",
                                              .formula = "the gradient of conv2d for x of height and width `size`",
                                              .flags = BP__OP_DENSE_IN,
                                              .infer = grad_input_infer,
                                              .forward = grad_input_forward,
                                              .scratch = grad_input_scratch,
                                              .gradient = grad_input_gradient,
                                              .samples = grad_input_samples,
                                              .n_samples = BP__COUNT(grad_input_samples),
                                              .flops = grad_input_flops};
const bp__op_def bp__def_conv2d_grad_weight = {BP__SIGNATURE(conv2d_grad_weight),
                                               .family = "convolutions",
                                               .formula = "the gradient of conv2d for a weight of height and width `size`",
                                               .flags = BP__OP_DENSE_IN,
                                               .infer = grad_weight_infer,
                                               .forward = grad_weight_forward,
                                               .scratch = grad_weight_scratch,
                                               .gradient = grad_weight_gradient,
                                               .samples = grad_weight_samples,
                                               .n_samples = BP__COUNT(grad_weight_samples),
                                               .flops = grad_weight_flops};
