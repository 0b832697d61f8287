/* dropout: nothing at evaluation. p times the network's scale is a value, so that a schedule can move it. */
#include "nn/layers.h"

bp_status bp__layer_dropout(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0], scale = c->o->dropout_scale;
    double p = bp__choice_option(c->choice, "p")->number;
    *y = x;
    if (!c->o->training || p == 0) return BP_OK;
    const char *stream = bp__layer_text(c, c->path, ".dropout");
    if (!stream) return BP_MEMORY;
    bp_value rate = bp_number(c->g, BP_F64, p);
    if (scale.graph) rate = bp_mul(rate, scale);
    if (bp_value_dtype(x) != BP_F64) rate = bp_cast(rate, bp_value_dtype(x));
    *y = bp_dropout(x, rate, stream);
    return BP_OK;
}
