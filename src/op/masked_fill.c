/* y = mask ? value : x; mask and x broadcast (PyTorch's masked_fill). */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    c->out[0] = *c->in[0];
    if (bp__infer_broadcast(c, &c->out[0].dims, &c->in[1]->dims)) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "x %s and mask %s do not broadcast", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g, (void)n_in;
    return bp_where(in[1], bp__k_like(in[0], ((const struct bp__masked_fill_attrs *)attrs)->value), in[0]);
}

static const struct bp__masked_fill_attrs some = {.value = -1.5};
#define MASK(...) \
    { .dims = {__VA_ARGS__}, .low = 0, .high = 2, .dtype = BP_U8 }
static const bp__sample samples[] = {{.attrs = &some, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), MASK(2, {3, 5})}},
                                     {.attrs = &some, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 5}), MASK(1, {5})}},
                                     {.attrs = &some, .n_in = 2, .in = {BP__F(-2, 2, 1, {5}), MASK(2, {3, 1})}}};

const bp__op_def bp__def_masked_fill = {
    BP__SIGNATURE(masked_fill), .family = "structure", .formula = "y = mask ? value : x", .infer = infer,
    .decompose = decompose,     .samples = samples,    .n_samples = BP__COUNT(samples)};
