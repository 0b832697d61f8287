/* flip: the elements along each of `axes` in reverse order.
   roll: y[(i + shift) mod n] = x[i] along `axis`: moved up by `shift` places, what leaves at one end comes in at the other. */
#include "op/make.h"

static bp_status flip_infer(bp__infer *c) {
    struct bp__flip_attrs *a = c->attrs;
    if (a->axes.n > 0) BP_TRY(bp__infer_axes(c, &a->axes));
    return bp__infer_same(c);
}

static bp__tensor turned(const bp__call *c, int64_t *offset) {
    const struct bp__flip_attrs *a = c->attrs;
    bp__tensor x = c->in[0];
    *offset = 0;
    for (int64_t i = 0; i < a->axes.n; i++) {
        int64_t axis = a->axes.dim[i];
        if (x.dim[axis] > 0) *offset += (x.dim[axis] - 1) * x.stride[axis];
        x.stride[axis] = -x.stride[axis];
    }
    return x;
}

static void flip_forward(const bp__call *c) {
    int64_t offset;
    bp__tensor x = turned(c, &offset);
    if (bp__tensor_count(&x) == 0) return;
    x.data = bp__tensor_at(&c->in[0], offset);
    bp__copy(c->env, &c->out[0], &x);
}

static bool flip_view(bp__call *c, bp__tensor *out) {
    int64_t offset;
    if (c->in[0].panels) return false;
    *out = turned(c, &offset);
    offset = bp__tensor_count(out) == 0 ? 0 : offset * (int64_t)bp_dtype_size((bp_dtype)out->dtype);
    out->data = (void *)(uintptr_t)offset;
    return true;
}

static void flip_gradient(bp__grad *c) { c->d_in[0] = bp_flip(c->d_out[0], ((const struct bp__flip_attrs *)c->attrs)->axes); }

static bp_status roll_infer(bp__infer *c) {
    BP_TRY(bp__infer_one_axis(c, &((struct bp__roll_attrs *)c->attrs)->axis));
    return bp__infer_same(c);
}

/* n elements from place `from` of x's axis to place `to` of y's. */
static void move(const bp__call *c, int64_t axis, int64_t to, int64_t from, int64_t n) {
    bp__tensor x = c->in[0], y = c->out[0];
    if (n == 0) return;
    x.dim[axis] = y.dim[axis] = n;
    x.data = bp__tensor_at(&c->in[0], from * x.stride[axis]);
    y.data = bp__tensor_at(&c->out[0], to * y.stride[axis]);
    bp__copy(c->env, &y, &x);
}

static void roll_forward(const bp__call *c) {
    const struct bp__roll_attrs *a = c->attrs;
    int64_t n = c->in[0].dim[a->axis], by = n > 0 ? a->shift % n : 0;
    if (by < 0) by += n;
    move(c, a->axis, by, 0, n - by);
    move(c, a->axis, 0, n - by, by);
}

static void roll_gradient(bp__grad *c) {
    const struct bp__roll_attrs *a = c->attrs;
    c->d_in[0] = bp_roll(c->d_out[0], -a->shift, a->axis);
}

static const struct bp__flip_attrs one = {.axes = {1, {-1}}}, both = {.axes = {2, {0, 2}}}, none = {.axes = {0, {0}}};
static const bp__sample flip_samples[] = {{.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                          {.attrs = &both, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                          {.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 1, {1})}},
                                          {.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 0})}},
                                          {.attrs = &none, .n_in = 1, .in = {BP__F(-2, 2, 1, {4})}}};
static const struct bp__roll_attrs up = {.shift = 2, .axis = 0}, down = {.shift = -8, .axis = -1},
                                   still = {.shift = 3, .axis = 1};
static const bp__sample roll_samples[] = {{.attrs = &up, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 2})}},
                                          {.attrs = &down, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 7})}},
                                          {.attrs = &still, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}},
                                          {.attrs = &up, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 2})}}};

const bp__op_def bp__def_flip = {
    BP__SIGNATURE(flip),       .family = "structure",   .formula = "y = x in reverse order along `axes`",
    .infer = flip_infer,       .forward = flip_forward, .view = flip_view,
    .gradient = flip_gradient, .samples = flip_samples, .n_samples = BP__COUNT(flip_samples)};
const bp__op_def bp__def_roll = {BP__SIGNATURE(roll),
                                 .family = "structure",
                                 .formula = "y[(i + shift) mod n] = x[i] along `axis` of size n",
                                 .infer = roll_infer,
                                 .forward = roll_forward,
                                 .gradient = roll_gradient,
                                 .samples = roll_samples,
                                 .n_samples = BP__COUNT(roll_samples)};
