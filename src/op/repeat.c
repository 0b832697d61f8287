/* repeat: y = x put side by side repeats[i] times along axis i; more numbers than x has axes make new leading ones.
   tile:   the same, but fewer numbers than axes repeat the last axes only. */
#include "op/make.h"

/* x's shape with leading ones, as long as `repeats`. */
static bp_dims widened(const bp_dims *x, int64_t n) {
    bp_dims d = {.n = BP__MAX(n, x->n)};
    for (int64_t i = 0; i < d.n; i++) d.dim[i] = i < d.n - x->n ? 1 : x->dim[i - (d.n - x->n)];
    return d;
}

static bp_status infer(bp__infer *c, bp_dims *repeats, bool pads) {
    const bp_dims *x = &c->in[0]->dims;
    char text[256];
    if (repeats->n > BP_MAX_DIMS || repeats->n < 0 || (repeats->n < x->n && !pads))
        return bp__infer_fail(c, BP_SHAPE, "repeats %s must have a number for each axis of %s",
                              bp__dims_text(c->g->dims, repeats, text, sizeof text), bp__infer_shape(c, 0));
    if (repeats->n < x->n) {
        bp_dims all = {.n = x->n};
        for (int64_t i = 0; i < x->n; i++) all.dim[i] = i < x->n - repeats->n ? 1 : repeats->dim[i - (x->n - repeats->n)];
        *repeats = all;
    }
    bp_dims y = widened(x, repeats->n);
    for (int64_t i = 0; i < y.n; i++) {
        if (repeats->dim[i] == BP_INFER)
            return bp__infer_fail(c, BP_SHAPE, "axis %lld of %s can't be repeated -1 times", (long long)i, bp__infer_shape(c, 0));
        y.dim[i] = bp__dim_mul(c->g->dims, y.dim[i], repeats->dim[i]);
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = y};
    return BP_OK;
}

/* Axis by axis, seen as [before, 1, axis and behind], spread over the 1: row-major order is that of the result. */
static bp_value repeated(bp_graph *g, const bp_dims *repeats, bp_value x) {
    bp_dims from = bp_value_dims(x), d = widened(&from, repeats->n);
    x = bp_reshape(x, d);
    for (int64_t axis = 0; axis < d.n; axis++) {
        if (repeats->dim[axis] == 1) continue;
        int64_t before = 1, behind = 1;
        for (int64_t i = 0; i < d.n; i++) {
            if (i < axis)
                before = bp__dim_mul(g->dims, before, d.dim[i]);
            else
                behind = bp__dim_mul(g->dims, behind, d.dim[i]);
        }
        x = bp_broadcast_to(bp_reshape(x, bp_shape(3, before, 1, behind)), bp_shape(3, before, repeats->dim[axis], behind));
        d.dim[axis] = bp__dim_mul(g->dims, d.dim[axis], repeats->dim[axis]);
        x = bp_reshape(x, d);
    }
    return x;
}

static bp_status repeat_infer(bp__infer *c) { return infer(c, &((struct bp__repeat_attrs *)c->attrs)->repeats, false); }
static bp_status tile_infer(bp__infer *c) { return infer(c, &((struct bp__tile_attrs *)c->attrs)->repeats, true); }
static bp_value repeat_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    return repeated(g, &((const struct bp__repeat_attrs *)attrs)->repeats, in[0]);
}
static bp_value tile_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    return repeated(g, &((const struct bp__tile_attrs *)attrs)->repeats, in[0]);
}

static const struct bp__repeat_attrs both = {.repeats = {2, {2, 3}}}, lead = {.repeats = {3, {2, 1, 2}}},
                                     once = {.repeats = {1, {1}}}, never = {.repeats = {2, {2, 0}}};
static const bp__sample repeat_samples[] = {{.attrs = &both, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}},
                                            {.attrs = &lead, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}},
                                            {.attrs = &once, .n_in = 1, .in = {BP__F(-2, 2, 1, {4})}},
                                            {.attrs = &never, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}},
                                            {.attrs = &both, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};
static const struct bp__tile_attrs t_last = {.repeats = {1, {3}}}, t_more = {.repeats = {3, {2, 2, 1}}};
static const bp__sample tile_samples[] = {{.attrs = &t_last, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}},
                                          {.attrs = &t_more, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 2})}}};

const bp__op_def bp__def_repeat = {BP__SIGNATURE(repeat),
                                   .family = "structure",
                                   .formula = "y = x put side by side repeats[i] times along axis i",
                                   .infer = repeat_infer,
                                   .decompose = repeat_decompose,
                                   .samples = repeat_samples,
                                   .n_samples = BP__COUNT(repeat_samples)};
const bp__op_def bp__def_tile = {BP__SIGNATURE(tile),
                                 .family = "structure",
                                 .formula = "y = x put side by side; missing numbers of `repeats` are leading ones",
                                 .infer = tile_infer,
                                 .decompose = tile_decompose,
                                 .samples = tile_samples,
                                 .n_samples = BP__COUNT(tile_samples)};
