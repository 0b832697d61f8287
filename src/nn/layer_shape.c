/* Layers that only move data: flatten, reshape, identity; and the helpers about axes. */
#include "nn/layers.h"

bp_status bp__layer_axis(const bp__layer_call *c, const char *key, bp_value x, int64_t *axis) {
    char s[160];
    bp_dims d = bp_value_dims(x);
    int64_t given = bp__choice_option(c->choice, key)->integer, a = given < 0 ? given + d.n : given;
    if (a < 0 || a >= d.n)
        return bp__layer_shape_fail(c, "`%s` is %lld, but the input %s has %lld axes", key, (long long)given,
                                    bp__layer_shape(c, x, s, sizeof s), (long long)d.n);
    if (a == 0)
        return bp__layer_shape_fail(c, "`%s` %lld is the batch axis of %s: layers work on every sample by itself", key,
                                    (long long)given, bp__layer_shape(c, x, s, sizeof s));
    *axis = a;
    return BP_OK;
}

bp_status bp__layer_flat(const bp__layer_call *c, bp_value x, int64_t first, int64_t last, bp_value *y) {
    bp_dims d = bp_value_dims(x), e = {.n = 0};
    int64_t size = 1;
    for (int64_t i = 0; i < d.n; i++) {
        if (i >= first && i <= last) {
            size = bp__dim_mul(c->g->dims, size, d.dim[i]);
            if (i == last) e.dim[e.n++] = size;
        } else {
            e.dim[e.n++] = d.dim[i];
        }
    }
    *y = bp_reshape(x, e);
    return BP_OK;
}

bp_status bp__layer_flatten(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0];
    *y = x;
    if (bp_value_dims(x).n == 2 && !bp__choice_option(c->choice, "start_dim")->given) return BP_OK; /* flat already */
    int64_t first, last;
    if (bp_value_dims(x).n < 2) {
        *y = bp__unsqueeze(x, bp_value_dims(x).n);
        return BP_OK;
    }
    BP_TRY(bp__layer_axis(c, "start_dim", x, &first));
    BP_TRY(bp__layer_axis(c, "end_dim", x, &last));
    if (last < first)
        return bp__layer_shape_fail(c, "`end_dim` (axis %lld) lies before `start_dim` (axis %lld)", (long long)last,
                                    (long long)first);
    return bp__layer_flat(c, x, first, last, y);
}

bp_status bp__layer_reshape(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0];
    const bp__tree *list = bp__choice_option(c->choice, "shape")->tree;
    bp_dims d = bp_value_dims(x), e = {.n = 1};
    char s[160], t[160];
    int64_t known = 1, have = 1, open = 0;
    if (d.n < 1) return bp__layer_shape_fail(c, "the input is a single number");
    e.dim[0] = d.dim[0];
    for (const bp__tree *k = list->child; k; k = k->next) {
        if (e.n >= BP_MAX_DIMS) return bp__layer_shape_fail(c, "`shape` has more than %d sizes", BP_MAX_DIMS - 1);
        if (k->integer == -1 && open > 0) return bp__choice_fail(c->reader, k, "only one size of `shape` may be -1");
        if (k->integer == -1)
            open = e.n;
        else
            known *= k->integer;
        e.dim[e.n++] = k->integer;
    }
    for (int64_t i = 1; i < d.n; i++) {
        if (d.dim[i] < 0) { /* sizes that come with the data: the operation's own rule decides */
            *y = bp_reshape(x, e);
            return BP_OK;
        }
        have *= d.dim[i];
    }
    if (open > 0 && known > 0 && have % known == 0) {
        e.dim[open] = have / known;
        known = have;
    }
    if (known != have)
        return bp__layer_shape_fail(c, "%lld elements of a sample %s do not fill the shape %s", (long long)have,
                                    bp__layer_shape(c, x, s, sizeof s), bp__dims_text(c->g->dims, &e, t, sizeof t));
    *y = bp_reshape(x, e);
    return BP_OK;
}

bp_status bp__layer_identity(const bp__layer_call *c, bp_value *y) {
    *y = c->in[0];
    return BP_OK;
}
