/* flip: the elements along each of `axes` in reverse order.
   roll: y[(i + shift) mod n] = x[i] along each of `axes` with its number of `shifts`: moved up by so many places, what leaves at
   one end comes in at the other. No axes and one shift: the elements in their row-major order, as PyTorch. */
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
    struct bp__roll_attrs *a = c->attrs;
    for (int64_t i = 0; i < a->shifts.n && i < BP_MAX_DIMS; i++)
        if (a->shifts.dim[i] == INT64_MIN)
            return bp__infer_fail(c, BP_SHAPE, "a shift of %lld has no opposite, which the gradient needs", (long long)INT64_MIN);
    if (a->axes.n == 0 && a->shifts.n == 1) return bp__infer_same(c);
    if (a->axes.n != a->shifts.n || a->axes.n < 0)
        return bp__infer_fail(c, BP_SHAPE,
                              "shifts and axes must be lists of the same length, one number for each axis (or one shift and no "
                              "axes: of all elements in order)");
    for (int64_t i = 0; i < a->axes.n; i++) {
        BP_TRY(bp__infer_one_axis(c, &a->axes.dim[i]));
        for (int64_t k = 0; k < i; k++)
            if (a->axes.dim[k] == a->axes.dim[i])
                return bp__infer_fail(c, BP_SHAPE, "axis %lld is named twice", (long long)a->axes.dim[i]);
    }
    return bp__infer_same(c);
}

/* Axes i … of a block, which lies in x and y at these tensors: each is moved as two pieces. */
static void move(const bp__call *c, int64_t i, bp__tensor x, bp__tensor y) {
    const struct bp__roll_attrs *a = c->attrs;
    if (i == a->axes.n) {
        bp__copy(c->env, &y, &x);
        return;
    }
    int64_t axis = a->axes.dim[i], n = x.dim[axis], by = n > 0 ? a->shifts.dim[i] % n : 0;
    if (by < 0) by += n;
    const int64_t from[] = {0, n - by}, to[] = {by, 0}, size[] = {n - by, by};
    for (int k = 0; k < 2; k++) {
        bp__tensor part_x = x, part_y = y;
        if (size[k] == 0) continue;
        part_x.dim[axis] = part_y.dim[axis] = size[k];
        part_x.data = bp__tensor_at(&x, from[k] * x.stride[axis]);
        part_y.data = bp__tensor_at(&y, to[k] * y.stride[axis]);
        move(c, i + 1, part_x, part_y);
    }
}

static void roll_forward(const bp__call *c) { move(c, 0, c->in[0], c->out[0]); }

static bool roll_expands(const bp__infer *c) {
    const struct bp__roll_attrs *a = c->attrs;
    return a->axes.n == 0 && a->shifts.n == 1;
}
static bp_value roll_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    bp_value rolled = bp_roll(bp__as_vector(in[0]), ((const struct bp__roll_attrs *)attrs)->shifts, bp_shape(1, 0));
    return bp_is_bad(rolled) ? rolled : bp_reshape(rolled, bp_value_dims(in[0]));
}

static void roll_gradient(bp__grad *c) {
    const struct bp__roll_attrs *a = c->attrs;
    bp_dims back = a->shifts;
    for (int64_t i = 0; i < back.n; i++) back.dim[i] = -back.dim[i];
    c->d_in[0] = bp_roll(c->d_out[0], back, a->axes);
}

static const struct bp__flip_attrs one = {.axes = {1, {-1}}}, both = {.axes = {2, {0, 2}}}, none = {.axes = {0, {0}}};
static const bp__sample flip_samples[] = {{.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                          {.attrs = &both, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                          {.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 1, {1})}},
                                          {.attrs = &one, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 0})}},
                                          {.attrs = &none, .n_in = 1, .in = {BP__F(-2, 2, 1, {4})}}};
static const struct bp__roll_attrs up = {.shifts = {1, {2}}, .axes = {1, {0}}}, down = {.shifts = {1, {-8}}, .axes = {1, {-1}}},
                                   still = {.shifts = {1, {3}}, .axes = {1, {1}}}, flat = {.shifts = {1, {-4}}, .axes = {0, {0}}},
                                   several = {.shifts = {3, {1, -2, 5}}, .axes = {3, {2, 0, 1}}};
static const bp__sample roll_samples[] = {{.attrs = &up, .n_in = 1, .in = {BP__F(-2, 2, 2, {5, 2})}},
                                          {.attrs = &down, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 7})}},
                                          {.attrs = &still, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}},
                                          {.attrs = &several, .n_in = 1, .in = {BP__F(-2, 2, 3, {5, 2, 3})}},
                                          {.attrs = &flat, .n_in = 1, .in = {BP__F(-2, 2, 3, {3, 1, 5})}},
                                          {.attrs = &up, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 2})}}};

const bp__op_def bp__def_flip = {
    BP__SIGNATURE(flip),       .family = "structure",   .formula = "y = x in reverse order along `axes`",
    .infer = flip_infer,       .forward = flip_forward, .view = flip_view,
    .gradient = flip_gradient, .samples = flip_samples, .n_samples = BP__COUNT(flip_samples)};
const bp__op_def bp__def_roll = {
    BP__SIGNATURE(roll),
    .family = "structure",
    .formula =
        "y[(i + shift) mod n] = x[i] along each of `axes`, n its size, shift its number of `shifts`; no axes: all in order",
    .infer = roll_infer,
    .forward = roll_forward,
    .decompose = roll_decompose,
    .expands = roll_expands,
    .gradient = roll_gradient,
    .samples = roll_samples,
    .n_samples = BP__COUNT(roll_samples)};
