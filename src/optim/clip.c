/* Gradient clipping: by the norm of all gradients together (PyTorch's clip_grad_norm_), and of each element. */
#include "op/build.h"
#include "optim/optim.h"

/* A matrix first down its rows, so that one stored in panels of columns is read as it lies. */
static bp_value sum_of_squares(bp_value x) {
    bp_value s = bp_square(x);
    if (bp_value_dims(x).n >= 2) s = bp__sum_axis(s, 0, false);
    if (bp_value_dims(s).n > 0) s = bp__sum_all(s);
    return bp_value_dtype(s) == BP_F64 ? s : bp_cast(s, BP_F64);
}

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
        for (int i = 0; i < n; i++) total = i == 0 ? sum_of_squares(grads[0]) : bp_add(total, sum_of_squares(grads[i]));
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
