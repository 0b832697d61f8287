/* y = x repeated along new leading axes and along axes of size 1. BP_INFER in the shape keeps x's size. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__broadcast_to_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    char text[256];
    const char *wanted = bp__dims_text(c->g->dims, &a->shape, text, sizeof text);
    if (a->shape.n > BP_MAX_DIMS || a->shape.n < x->n)
        return bp__infer_fail(c, BP_SHAPE, "%s cannot be broadcast to %s", bp__infer_shape(c, 0), wanted);
    const int64_t lead = a->shape.n - x->n;
    for (int64_t i = 0; i < a->shape.n; i++) {
        int64_t *d = &a->shape.dim[i];
        if (*d == BP_INFER) {
            if (i < lead) return bp__infer_fail(c, BP_SHAPE, "new axis %lld of %s needs a size", (long long)i, wanted);
            *d = x->dim[i - lead];
        }
        if (i < lead || x->dim[i - lead] == 1) continue;
        if (!bp__infer_equal(c, x->dim[i - lead], *d))
            return bp__infer_fail(c, BP_SHAPE, "%s cannot be broadcast to %s: axis %lld differs", bp__infer_shape(c, 0), wanted,
                                  (long long)i);
    }
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = a->shape};
    return BP_OK;
}

static bp__tensor spread(const bp__call *c) {
    const bp__tensor *x = &c->in[0];
    bp__tensor y = c->out[0];
    int lead = y.n_dims - x->n_dims;
    for (int i = 0; i < y.n_dims; i++) y.stride[i] = i < lead || x->dim[i - lead] != y.dim[i] ? 0 : x->stride[i - lead];
    y.data = x->data;
    y.dtype = x->dtype;
    y.panels = 0;
    return y;
}

static void forward(const bp__call *c) {
    bp__tensor x = spread(c);
    bp__copy(c->env, &c->out[0], &x);
}

static bool view(bp__call *c, bp__tensor *out) {
    if (c->in[0].panels) return false;
    bp__tensor y = spread(c);
    y.data = NULL;
    *out = y;
    return true;
}

/* The walker sums a gradient of the broadcast shape back to x's. */
static void gradient(bp__grad *c) { c->d_in[0] = c->d_out[0]; }

static const struct bp__broadcast_to_attrs lead = {.shape = {3, {2, 3, 4}}}, inner = {.shape = {2, {3, 5}}},
                                           keep = {.shape = {3, {2, BP_INFER, 4}}}, scalar = {.shape = {2, {2, 17}}};
static const bp__sample samples[] = {{.attrs = &lead, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
                                     {.attrs = &inner, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 1})}},
                                     {.attrs = &keep, .n_in = 1, .in = {BP__F(-2, 2, 3, {1, 3, 1})}},
                                     {.attrs = &scalar, .n_in = 1, .in = {BP__F(-2, 2, 0, {0})}}};

const bp__op_def bp__def_broadcast_to = {BP__SIGNATURE(broadcast_to),
                                         .family = "structure",
                                         .formula = "y = x repeated along new axes and axes of size 1",
                                         .infer = infer,
                                         .forward = forward,
                                         .view = view,
                                         .gradient = gradient,
                                         .samples = samples,
                                         .n_samples = BP__COUNT(samples)};
