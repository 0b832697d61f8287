/* embedding: a learned row for every whole number; starts from the standard normal distribution, as PyTorch's. */
#include "nn/layers.h"

bp_status bp__layer_embedding(const bp__layer_call *c, bp_value *y) {
    bp_value x = c->in[0];
    bp_dtype dtype = bp_value_dtype(x);
    if (dtype == BP_F32 || dtype == BP_F64)
        return bp__layer_shape_fail(c, "whole numbers must come in, not %s", bp_dtype_name(dtype));
    if (dtype != BP_I64) x = bp_cast(x, BP_I64);
    bp_init init;
    BP_TRY(bp__layer_init(c, "weight", bp_normal_init(0, 1), &init));
    int64_t rows = bp__choice_option(c->choice, "num_embeddings")->integer;
    int64_t width = bp__choice_option(c->choice, "embedding_dim")->integer;
    *y = bp_embedding(bp__layer_parameter(c, "weight", bp_shape(2, rows, width), init), x, NULL);
    return BP_OK;
}
