/* Gradient clipping: by the norm of all gradients together (PyTorch's clip_grad_norm_), and of each element. */
#include "optim/optimizers.h"

/* An f64 scalar in a gradient's type; made once for all gradients of that type. */
typedef struct scalar {
    bp_value f64, f32;
} scalar;
static bp_value like(scalar *s, bp_value x) {
    if (bp_value_dtype(x) == BP_F64) return s->f64;
    if (!s->f32.graph) s->f32 = bp_cast(s->f64, BP_F32);
    return s->f32;
}

bp_status bp__clip_grads(bp_graph *g, bp_value *grads, int n, bp_value clip_norm, bp_value clip_value, bp_value *norm) {
    const char *scope = bp__graph_scope(g, "clip");
    if (norm || clip_norm.graph) {
        bp_value total = bp_number(g, BP_F64, 0);
        for (int i = 0; i < n; i++) total = i == 0 ? bp__sum_of_squares(grads[0]) : bp_add(total, bp__sum_of_squares(grads[i]));
        bp_value length = bp_sqrt(total);
        if (norm) *norm = length;
        if (clip_norm.graph) {
            bp_value factor = bp_div(clip_norm, bp_add(length, bp_number(g, BP_F64, 1e-6)));
            scalar by = {.f64 = bp_minimum(factor, bp_number(g, BP_F64, 1)), .f32 = BP_NONE};
            for (int i = 0; i < n; i++) grads[i] = bp_mul(grads[i], like(&by, grads[i]));
        }
    }
    if (clip_value.graph) {
        scalar low = {.f64 = bp_neg(clip_value), .f32 = BP_NONE}, high = {.f64 = clip_value, .f32 = BP_NONE};
        for (int i = 0; i < n; i++) grads[i] = bp_minimum(bp_maximum(grads[i], like(&low, grads[i])), like(&high, grads[i]));
    }
    bp__graph_scope(g, scope);
    return g->status;
}

bp_status bp__clip_grads_apart(bp_graph *g, const bp_value *params, bp_value *grads, int n, bp_value limit, bool by_layer) {
    const char *scope = bp__graph_scope(g, "clip");
    bp_value one = bp_number(g, BP_F64, 1);
    for (int i = 0; i < n; i++) {
        bool first = true; /* of its layer: the layer is done with it */
        for (int j = 0; j < i && by_layer; j++) first = first && !bp__same_layer(params[i], params[j]);
        if (!first) continue;
        bp_value total = bp__sum_of_squares(grads[i]);
        for (int j = i + 1; j < n && by_layer; j++)
            if (bp__same_layer(params[i], params[j])) total = bp_add(total, bp__sum_of_squares(grads[j]));
        bp_value length = bp_add(bp_sqrt(total), bp_number(g, BP_F64, 1e-6));
        scalar by = {.f64 = bp_minimum(bp_div(limit, length), one), .f32 = BP_NONE};
        for (int j = n - 1; j >= i; j--)
            if (j == i || (by_layer && bp__same_layer(params[i], params[j]))) grads[j] = bp_mul(grads[j], like(&by, grads[j]));
    }
    bp__graph_scope(g, scope);
    return g->status;
}

/* The norm of each unit, ready to be broadcast. */
static bp_value unit_norm(bp_value x) {
    bp_dims d = bp_value_dims(x), axes = {.n = 0};
    for (int64_t k = d.n > 1; k < d.n; k++) axes.dim[axes.n++] = k;
    return bp_sqrt(d.n > 0 ? bp__sum_axes(bp_square(x), axes, true) : bp_square(x));
}

bp_status bp__clip_grads_adaptive(bp_graph *g, const bp_value *params, bp_value *grads, int n, bp_value clipping, double eps) {
    const char *scope = bp__graph_scope(g, "clip");
    scalar by = {.f64 = clipping, .f32 = BP_NONE};
    for (int i = 0; i < n; i++) {
        bp_value d = grads[i], length = unit_norm(d);
        bp_value most = bp_mul(bp_maximum(unit_norm(params[i]), bp__k_like(d, eps)), like(&by, d));
        bp_value shorter = bp_mul(d, bp_div(most, bp_maximum(length, bp__k_like(d, 1e-6))));
        grads[i] = bp_where(bp_lt(length, most), d, shorter);
    }
    bp__graph_scope(g, scope);
    return g->status;
}
