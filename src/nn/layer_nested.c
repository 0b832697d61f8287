/* Layers that hold layers, and those that put named values together. */
#include "nn/layers.h"

#include <stdio.h>

static bool same_shape(bp_value a, bp_value b) {
    bp_dims d = bp_value_dims(a), e = bp_value_dims(b);
    bool same = d.n == e.n;
    for (int64_t i = 0; same && i < d.n; i++) same = d.dim[i] == e.dim[i];
    return same;
}

bp_status bp__layer_sequential(const bp__layer_call *c, bp_value *y) {
    return bp__layer_list(c, bp__choice_option(c->choice, "layers")->tree, c->path, c->in[0], c->last, y);
}

bp_status bp__layer_residual(const bp__layer_call *c, bp_value *y) {
    bp_value inside;
    char s[160], t[160];
    BP_TRY(bp__layer_list(c, bp__choice_option(c->choice, "layers")->tree, c->path, c->in[0], false, &inside));
    if (!same_shape(c->in[0], inside))
        return bp__layer_shape_fail(c, "the layers inside make %s of %s; both must have one shape to be added",
                                    bp__layer_shape(c, inside, s, sizeof s), bp__layer_shape(c, c->in[0], t, sizeof t));
    *y = bp_add(c->in[0], inside);
    return BP_OK;
}

bp_status bp__layer_repeat(const bp__layer_call *c, bp_value *y) {
    int64_t times = bp__choice_option(c->choice, "times")->integer;
    bp_value x = c->in[0];
    for (int64_t i = 0; i < times; i++) {
        char turn[32];
        snprintf(turn, sizeof turn, ".%lld", (long long)i);
        const char *path = bp__layer_text(c, c->path, turn);
        if (!path) return BP_MEMORY;
        BP_TRY(bp__layer_list(c, bp__choice_option(c->choice, "layers")->tree, path, x, c->last && i + 1 == times, &x));
    }
    *y = x;
    return BP_OK;
}

bp_status bp__layer_concat(const bp__layer_call *c, bp_value *y) {
    int64_t axis;
    char s[160], t[160];
    BP_TRY(bp__layer_axis(c, "dim", c->in[0], &axis));
    bp_dims d = bp_value_dims(c->in[0]);
    for (int64_t i = 1; i < c->n_in; i++) {
        bp_dims e = bp_value_dims(c->in[i]);
        bool fits = d.n == e.n;
        for (int64_t k = 0; fits && k < d.n; k++) fits = k == axis || d.dim[k] == e.dim[k];
        if (!fits)
            return bp__layer_shape_fail(c, "%s and %s differ in more than axis %lld", bp__layer_shape(c, c->in[0], s, sizeof s),
                                        bp__layer_shape(c, c->in[i], t, sizeof t), (long long)axis);
    }
    *y = bp_concat(c->in, (int)c->n_in, axis);
    return BP_OK;
}

bp_status bp__layer_add(const bp__layer_call *c, bp_value *y) {
    char s[160], t[160];
    *y = c->in[0];
    for (int64_t i = 1; i < c->n_in; i++) {
        if (!same_shape(c->in[0], c->in[i]))
            return bp__layer_shape_fail(c, "%s and %s have different shapes", bp__layer_shape(c, c->in[0], s, sizeof s),
                                        bp__layer_shape(c, c->in[i], t, sizeof t));
        *y = bp_add(*y, c->in[i]);
    }
    return BP_OK;
}
