/* unfold: images [batch, channels, height, width] to columns [batch, channels * kernel, places]: every patch under a window of
           kernel[0] x kernel[1] as a column, zeros beyond the border (PyTorch's unfold; im2col). Numbers of two, or one for
           both directions.
   fold:   its adjoint: columns to images of `output_size`, what overlaps is added. */
#include "op/make.h"

typedef struct geometry {
    bp_dims *kernel, *dilation, *padding, *stride;
} geometry;
#define GEOMETRY(a) \
    { &(a)->kernel, &(a)->dilation, &(a)->padding, &(a)->stride }

static bp_status two_numbers(bp__infer *c, const char *name, bp_dims *d, int64_t least) {
    if (d->n == 1) *d = (bp_dims){2, {d->dim[0], d->dim[0]}};
    if (d->n == 2 && d->dim[0] >= least && d->dim[1] >= least && d->dim[0] <= INT32_MAX && d->dim[1] <= INT32_MAX) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "%s must be one or two numbers from %lld (x is %s)", name, (long long)least,
                          bp__infer_shape(c, 0));
}

static bp_status check(bp__infer *c, geometry a) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(two_numbers(c, "kernel", a.kernel, 1));
    BP_TRY(two_numbers(c, "dilation", a.dilation, 1));
    BP_TRY(two_numbers(c, "padding", a.padding, 0));
    return two_numbers(c, "stride", a.stride, 1);
}

/* How many windows fit an axis of `size`; -1: none. */
static int64_t places(bp__dims_table *t, int64_t size, geometry a, int d) {
    int64_t span = a.dilation->dim[d] * (a.kernel->dim[d] - 1) + 1, padded = bp__dim_add(t, size, 2 * a.padding->dim[d]);
    if (padded >= 0 && padded < span) return -1;
    return bp__dim_add(t, bp__dim_floordiv(t, bp__dim_sub(t, padded, span), a.stride->dim[d]), 1);
}

static bp_status unfold_infer(bp__infer *c) {
    geometry a = GEOMETRY((struct bp__unfold_attrs *)c->attrs);
    const bp_dims *x = &c->in[0]->dims;
    BP_TRY(check(c, a));
    if (x->n != 4)
        return bp__infer_fail(c, BP_SHAPE, "x must be [batch, channels, height, width], not %s", bp__infer_shape(c, 0));
    int64_t down = places(c->g->dims, x->dim[2], a, 0), across = places(c->g->dims, x->dim[3], a, 1);
    if (down == -1 || across == -1)
        return bp__infer_fail(c, BP_SHAPE, "a kernel of %lld x %lld (with its dilation) is larger than the padded image: %s",
                              (long long)a.kernel->dim[0], (long long)a.kernel->dim[1], bp__infer_shape(c, 0));
    bp_dims y = {3,
                 {x->dim[0], bp__dim_mul(c->g->dims, x->dim[1], a.kernel->dim[0] * a.kernel->dim[1]),
                  bp__dim_mul(c->g->dims, down, across)}};
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

static bp_status fold_infer(bp__infer *c) {
    struct bp__fold_attrs *a = c->attrs;
    geometry w = GEOMETRY(a);
    const bp_dims *x = &c->in[0]->dims;
    char text[256];
    bp__dims_table *t = c->g->dims;
    BP_TRY(check(c, w));
    if (a->output_size.n == 1) a->output_size = (bp_dims){2, {a->output_size.dim[0], a->output_size.dim[0]}};
    if (a->output_size.n != 2 || a->output_size.dim[0] == BP_INFER || a->output_size.dim[1] == BP_INFER)
        return bp__infer_fail(c, BP_SHAPE, "output_size must be one or two sizes (x is %s)", bp__infer_shape(c, 0));
    if (x->n != 3)
        return bp__infer_fail(c, BP_SHAPE, "x must be [batch, channels * kernel, places], not %s", bp__infer_shape(c, 0));
    int64_t n = a->kernel.dim[0] * a->kernel.dim[1], channels = bp__dim_floordiv(t, x->dim[1], n);
    if (!bp__infer_equal(c, bp__dim_mul(t, channels, n), x->dim[1]))
        return bp__infer_fail(c, BP_SHAPE, "axis 1 of %s is no multiple of the kernel's %lld elements", bp__infer_shape(c, 0),
                              (long long)n);
    int64_t down = places(t, a->output_size.dim[0], w, 0), across = places(t, a->output_size.dim[1], w, 1);
    if (down == -1 || across == -1 || !bp__infer_equal(c, bp__dim_mul(t, down, across), x->dim[2]))
        return bp__infer_fail(c, BP_SHAPE, "an image of %s does not have as many places for the kernel as x %s",
                              bp__dims_text(t, &a->output_size, text, sizeof text), bp__infer_shape(c, 0));
    bp_dims y = {4, {x->dim[0], channels, a->output_size.dim[0], a->output_size.dim[1]}};
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

static bp__window window_of(const bp_dims *kernel, const bp_dims *dilation, const bp_dims *padding, const bp_dims *stride) {
    bp__window w;
    for (int d = 0; d < 2; d++) {
        w.kernel[d] = kernel->dim[d], w.dilation[d] = dilation->dim[d];
        w.padding[d] = padding->dim[d], w.stride[d] = stride->dim[d];
    }
    return w;
}

static void unfold_forward(const bp__call *c) {
    const struct bp__unfold_attrs *a = c->attrs;
    bp__window w = window_of(&a->kernel, &a->dilation, &a->padding, &a->stride);
    bp__patches(c->env, &w, &c->out[0], &c->in[0]);
}
static void fold_forward(const bp__call *c) {
    const struct bp__fold_attrs *a = c->attrs;
    bp__window w = window_of(&a->kernel, &a->dilation, &a->padding, &a->stride);
    bp__patches_add(c->env, &w, &c->out[0], &c->in[0]);
}

static void unfold_gradient(bp__grad *c) {
    const struct bp__unfold_attrs *a = c->attrs;
    bp_dims x = bp_value_dims(c->in[0]);
    bp_fold_options o = {sizeof o, a->dilation, a->padding, a->stride};
    c->d_in[0] = bp_fold(c->d_out[0], bp_shape(2, x.dim[2], x.dim[3]), a->kernel, &o);
}
static void fold_gradient(bp__grad *c) {
    const struct bp__fold_attrs *a = c->attrs;
    bp_unfold_options o = {sizeof o, a->dilation, a->padding, a->stride};
    c->d_in[0] = bp_unfold(c->d_out[0], a->kernel, &o);
}

#define SQUARE(n) \
    {             \
        1, { n }  \
    }
static const struct bp__unfold_attrs plain = {SQUARE(2), SQUARE(1), SQUARE(0), SQUARE(1)},
                                     uneven = {{2, {3, 2}}, {2, {1, 2}}, {2, {2, 1}}, {2, {2, 3}}};
static const bp__sample unfold_samples[] = {{.attrs = &plain, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 2, 3, 4})}},
                                            {.attrs = &uneven, .n_in = 1, .in = {BP__F(-2, 2, 4, {1, 2, 4, 5})}}};
static const struct bp__fold_attrs f_plain = {{2, {3, 4}}, SQUARE(2), SQUARE(1), SQUARE(0), SQUARE(1)},
                                   f_uneven = {{2, {4, 5}}, {2, {3, 2}}, {2, {1, 2}}, {2, {2, 1}}, {2, {2, 3}}};
static const bp__sample fold_samples[] = {{.attrs = &f_plain, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 8, 6})}},
                                          {.attrs = &f_uneven, .n_in = 1, .in = {BP__F(-2, 2, 3, {1, 12, 6})}}};

const bp__op_def bp__def_unfold = {BP__SIGNATURE(unfold),
                                   .family = "structure",
                                   .formula = "y[b, (c, i, j), place] = x[b, c, pixel under element i, j of the kernel at place]",
                                   .flags = BP__OP_DENSE_IN,
                                   .infer = unfold_infer,
                                   .forward = unfold_forward,
                                   .gradient = unfold_gradient,
                                   .samples = unfold_samples,
                                   .n_samples = BP__COUNT(unfold_samples)};
const bp__op_def bp__def_fold = {BP__SIGNATURE(fold),
                                 .family = "structure",
                                 .formula = "y[b, c, pixel under element i, j of the kernel at place] += x[b, (c, i, j), place]",
                                 .flags = BP__OP_DENSE_IN,
                                 .infer = fold_infer,
                                 .forward = fold_forward,
                                 .gradient = fold_gradient,
                                 .samples = fold_samples,
                                 .n_samples = BP__COUNT(fold_samples)};
