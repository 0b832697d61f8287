/* y = x with border. `padding` has two numbers for each padded axis, before and after, the last axis first: PyTorch's order.
   mode  constant:  the border is `value`
         reflect:   mirrored at the first and last element, which are not repeated
         replicate: the first and last element repeated
         circular:  what lies at the other end
   A border of a symbolic axis is cut from the end through flip, as a slice begins at a number. */
#include "op/make.h"
#include <string.h>

static bool known(const char *mode) {
    return !strcmp(mode, "constant") || !strcmp(mode, "reflect") || !strcmp(mode, "replicate") || !strcmp(mode, "circular");
}

static bp_status infer(bp__infer *c) {
    const struct bp__pad_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    if (!known(a->mode))
        return bp__infer_fail(c, BP_INVALID, "mode must be \"constant\", \"reflect\", \"replicate\" or \"circular\", not \"%s\"",
                              a->mode);
    if (a->padding.n < 0 || a->padding.n > BP_MAX_DIMS || a->padding.n % 2 != 0 || a->padding.n / 2 > x->n)
        return bp__infer_fail(c, BP_SHAPE, "padding must have two numbers for each padded axis of %s, the last axis first",
                              bp__infer_shape(c, 0));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = *x};
    for (int64_t i = 0; i < a->padding.n; i++) {
        int64_t by = a->padding.dim[i], axis = x->n - 1 - i / 2, size = x->dim[axis];
        if (by < 0)
            return bp__infer_fail(c, BP_SHAPE, "padding must be numbers from 0, not %lld (slice makes a tensor smaller)",
                                  (long long)by);
        int64_t most = !strcmp(a->mode, "reflect") ? size - 1 : !strcmp(a->mode, "circular") ? size : INT64_MAX;
        if (size >= 0 && by > 0 && (by > most || (size == 0 && strcmp(a->mode, "constant") != 0)))
            return bp__infer_fail(c, BP_SHAPE, "a %s border of %lld is more than axis %lld of %s can give", a->mode,
                                  (long long)by, (long long)axis, bp__infer_shape(c, 0));
        c->out[0].dims.dim[axis] = bp__dim_add(c->g->dims, c->out[0].dims.dim[axis], by);
    }
    return BP_OK;
}

static bp_value flipped(bp_value x, int64_t axis) { return bp_flip(x, bp_shape(1, axis)); }
static bp_value part(bp_value x, int64_t axis, int64_t start, int64_t length) {
    return bp__slice_axis(x, axis, start, length, 1);
}

/* One axis of a constant border. Around zeros it is unslice, whose gradient is a view. */
static bp_value constant(bp_graph *g, bp_value x, int64_t axis, int64_t before, int64_t after, double value) {
    bp_dims d = bp_value_dims(x), edge = d;
    if (value == 0 && bp__dtype_is_float(bp_value_dtype(x)))
        return bp__unslice_axis(x, axis, before, bp__dim_add(g->dims, d.dim[axis], before + after), 1);
    edge.dim[axis] = before;
    bp_value fill = bp__k(g, bp_value_dtype(x), value), all[3] = {bp_fill(fill, edge), x, BP_NONE};
    edge.dim[axis] = after;
    all[2] = bp_fill(fill, edge);
    return bp_concat(all, 3, axis);
}

static bp_value bordered(bp_value x, int64_t axis, int64_t before, int64_t after, const char *mode) {
    bp_dims d = bp_value_dims(x);
    bp_value back = flipped(x, axis), all[3];
    int n = 0;
    if (!strcmp(mode, "reflect")) {
        if (before > 0) all[n++] = flipped(part(x, axis, 1, before), axis);
        all[n++] = x;
        if (after > 0) all[n++] = part(back, axis, 1, after);
    } else if (!strcmp(mode, "circular")) {
        if (before > 0) all[n++] = flipped(part(back, axis, 0, before), axis);
        all[n++] = x;
        if (after > 0) all[n++] = part(x, axis, 0, after);
    } else {
        d.dim[axis] = before;
        if (before > 0) all[n++] = bp_broadcast_to(part(x, axis, 0, 1), d);
        all[n++] = x;
        d.dim[axis] = after;
        if (after > 0) all[n++] = bp_broadcast_to(part(back, axis, 0, 1), d);
    }
    return bp_concat(all, n, axis);
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__pad_attrs *a = attrs;
    bp_value y = in[0];
    for (int64_t i = 0; i < a->padding.n; i += 2) {
        int64_t axis = bp_value_dims(in[0]).n - 1 - i / 2, before = a->padding.dim[i], after = a->padding.dim[i + 1];
        if (before == 0 && after == 0) continue;
        y = strcmp(a->mode, "constant") ? bordered(y, axis, before, after, a->mode)
                                        : constant(g, y, axis, before, after, a->value);
    }
    return y;
}

static const struct bp__pad_attrs zeros = {.padding = {4, {1, 2, 0, 1}}, .mode = "constant"},
                                  ones = {.padding = {2, {2, 1}}, .mode = "constant", .value = 1.5},
                                  reflect = {.padding = {4, {2, 3, 1, 0}}, .mode = "reflect"},
                                  replicate = {.padding = {4, {0, 2, 3, 1}}, .mode = "replicate"},
                                  circular = {.padding = {2, {4, 3}}, .mode = "circular"},
                                  nothing = {.padding = {0, {0}}, .mode = "constant"};
static const bp__sample samples[] = {{.attrs = &zeros, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 2})}},
                                     {.attrs = &ones, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}},
                                     {.attrs = &ones, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 0})}},
                                     {.attrs = &reflect, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
                                     {.attrs = &replicate, .n_in = 1, .in = {BP__F(-2, 2, 3, {1, 2, 3})}},
                                     {.attrs = &circular, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 4})}},
                                     {.attrs = &nothing, .n_in = 1, .in = {BP__F(-2, 2, 1, {3})}}};

const bp__op_def bp__def_pad = {BP__SIGNATURE(pad),
                                .family = "structure",
                                .formula = "y = x with a border: constant, reflect, replicate or circular",
                                .infer = infer,
                                .decompose = decompose,
                                .samples = samples,
                                .n_samples = BP__COUNT(samples)};
