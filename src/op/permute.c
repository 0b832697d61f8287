/* permute: y[i_axes[0], i_axes[1], …] = x[i_0, i_1, …]: axis j of y is axis axes[j] of x. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    struct bp__permute_attrs *a = c->attrs;
    const bp_dims *x = &c->in[0]->dims;
    bool seen[BP_MAX_DIMS] = {false};
    if (a->axes.n != x->n)
        return bp__infer_fail(c, BP_SHAPE, "%lld axes are given for shape %s", (long long)a->axes.n, bp__infer_shape(c, 0));
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = x->n}};
    for (int64_t i = 0; i < x->n; i++) {
        int64_t axis = a->axes.dim[i];
        if (!bp__infer_axis(&axis, x->n) || seen[axis])
            return bp__infer_fail(c, BP_SHAPE, "axes must name every axis of %s once; axis %lld is out of range or repeated",
                                  bp__infer_shape(c, 0), (long long)a->axes.dim[i]);
        seen[axis] = true;
        a->axes.dim[i] = axis;
        c->out[0].dims.dim[i] = x->dim[axis];
    }
    return BP_OK;
}

static void forward(const bp__call *c) {
    const struct bp__permute_attrs *a = c->attrs;
    bp__tensor x = bp__tensor_permuted(&c->in[0], a->axes.dim);
    bp__copy(c->env, &c->out[0], &x);
}

static bool view(bp__call *c, bp__tensor *out) {
    const struct bp__permute_attrs *a = c->attrs;
    bp__tensor y = bp__tensor_permuted(&c->in[0], a->axes.dim);
    /* Panels are one storage seen from two sides: 1 is the transpose of 2. */
    if (y.panels && a->axes.dim[0] == 1) y.panels = (uint8_t)(3 - y.panels);
    y.data = NULL;
    *out = y;
    return true;
}

static void gradient(bp__grad *c) {
    const struct bp__permute_attrs *a = c->attrs;
    bp_dims inverse = {.n = a->axes.n};
    for (int64_t i = 0; i < a->axes.n; i++) inverse.dim[a->axes.dim[i]] = i;
    c->d_in[0] = bp_permute(c->d_out[0], inverse);
}

static const struct bp__permute_attrs transpose = {.axes = {2, {1, 0}}}, turn = {.axes = {3, {2, 0, 1}}},
                                      last = {.axes = {4, {0, 1, -1, 2}}};
static const bp__sample samples[] = {{.attrs = &transpose, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
                                     {.attrs = &turn, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                     {.attrs = &last, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 1, 3, 5})}}};

const bp__op_def bp__def_permute = {BP__SIGNATURE(permute), .family = "structure", .formula = "axis j of y is axis axes[j] of x",
                                    .infer = infer,         .forward = forward,    .view = view,
                                    .gradient = gradient,   .samples = samples,    .n_samples = BP__COUNT(samples)};

/* transpose: the two axes exchanged. */
static bp_status transpose_infer(bp__infer *c) {
    struct bp__transpose_attrs *a = c->attrs;
    BP_TRY(bp__infer_one_axis(c, &a->axis0));
    BP_TRY(bp__infer_one_axis(c, &a->axis1));
    c->out[0] = *c->in[0];
    c->out[0].panels = 0;
    c->out[0].dims.dim[a->axis0] = c->in[0]->dims.dim[a->axis1];
    c->out[0].dims.dim[a->axis1] = c->in[0]->dims.dim[a->axis0];
    return BP_OK;
}

static bp_value transpose_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__transpose_attrs *a = attrs;
    bp_dims axes = {.n = bp_value_dims(in[0]).n};
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i;
    axes.dim[a->axis0] = a->axis1;
    axes.dim[a->axis1] = a->axis0;
    return bp_permute(in[0], axes);
}

static const struct bp__transpose_attrs outer = {.axis0 = 0, .axis1 = -1}, itself = {.axis0 = 1, .axis1 = 1};
static const bp__sample transpose_samples[] = {{.attrs = &outer, .n_in = 1, .in = {BP__F(-2, 2, 3, {2, 3, 4})}},
                                               {.attrs = &itself, .n_in = 1, .in = {BP__F(-2, 2, 2, {2, 3})}}};

const bp__op_def bp__def_transpose = {BP__SIGNATURE(transpose),
                                      .family = "structure",
                                      .formula = "y = x with axes `axis0` and `axis1` exchanged",
                                      .infer = transpose_infer,
                                      .decompose = transpose_decompose,
                                      .samples = transpose_samples,
                                      .n_samples = BP__COUNT(transpose_samples)};
