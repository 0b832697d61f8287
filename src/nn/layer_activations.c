/* Activations: every element-wise operation with one input, by its name; gelu with PyTorch's `approximate`; prelu, which
   learns its slope; the softmax family. */
#include "nn/layers.h"

#include <string.h>

bp_status bp__layer_activation(const bp__layer_call *c, bp_value *y) {
    const bp__op *op = bp__op_find(c->choice->kind->name);
    double attrs[4] = {0};
    if (!op || op->attrs_size > sizeof attrs) return BP_INTERNAL;
    memcpy(attrs, op->attr_defaults, op->attrs_size);
    for (int32_t i = 0; i < op->n_attrs; i++) {
        double v = bp__choice_option(c->choice, op->attrs[i].name)->number;
        memcpy((char *)attrs + op->attrs[i].offset, &v, sizeof v);
    }
    *y = bp__graph_add(c->g, op, attrs, c->in, 1);
    return BP_OK;
}

bp_status bp__layer_gelu(const bp__layer_call *c, bp_value *y) {
    bool tanh_form = strcmp(bp__choice_option(c->choice, "approximate")->text, "tanh") == 0;
    *y = tanh_form ? bp_gelu_tanh(c->in[0]) : bp_gelu(c->in[0]);
    return BP_OK;
}

bp_status bp__layer_prelu(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0];
    bp_dims d = bp_value_dims(x);
    char s[160];
    int64_t n = bp__choice_option(c->choice, "num_parameters")->integer;
    if (n != 1 && (d.n < 2 || d.dim[1] != n))
        return bp__layer_shape_fail(c, "`num_parameters` is %lld: it must be 1 or the size of axis 1 of the input %s",
                                    (long long)n, bp__layer_shape(c, x, s, sizeof s));
    bp_value w = bp__layer_parameter(c, "weight", bp_shape(1, n), bp_filled(bp__choice_option(c->choice, "init")->number));
    if (n != 1 && d.n > 2) {
        bp_dims e = {.n = d.n - 1, .dim = {n}};
        for (int64_t i = 1; i < e.n; i++) e.dim[i] = 1;
        w = bp_reshape(w, e);
    }
    *y = bp_prelu(x, w);
    return BP_OK;
}

bp_status bp__layer_softmax(const bp__layer_call *c, bp_value *y) {
    int64_t axis;
    BP_TRY(bp__layer_axis(c, "dim", c->in[0], &axis));
    *y = bp_softmax(c->in[0], axis);
    return BP_OK;
}

bp_status bp__layer_log_softmax(const bp__layer_call *c, bp_value *y) {
    int64_t axis;
    BP_TRY(bp__layer_axis(c, "dim", c->in[0], &axis));
    *y = bp_log_softmax(c->in[0], axis);
    return BP_OK;
}

bp_status bp__layer_softmin(const bp__layer_call *c, bp_value *y) {
    int64_t axis;
    BP_TRY(bp__layer_axis(c, "dim", c->in[0], &axis));
    *y = bp_softmax(bp_neg(c->in[0]), axis);
    return BP_OK;
}
