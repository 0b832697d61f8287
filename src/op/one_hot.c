/* y[i…, c] = 1 where c = index[i…], else 0. An index outside [0, classes) gives zeros. No gradient: indices are steps. */
#include "op/make.h"
#include <string.h>

static bp_status infer(bp__infer *c) {
    const struct bp__one_hot_attrs *a = c->attrs;
    BP_TRY(bp__infer_need_i64(c, 0, "index"));
    if (a->to < BP_F32 || a->to > BP_U8) return bp__infer_fail(c, BP_TYPE, "%d is not a data type", (int)a->to);
    if (a->classes == BP_INFER || a->classes == 0)
        return bp__infer_fail(c, BP_SHAPE, "classes must be at least 1, not %lld (index %s)", (long long)a->classes,
                              bp__infer_shape(c, 0));
    if (c->in[0]->dims.n + 1 > BP_MAX_DIMS)
        return bp__infer_fail(c, BP_SHAPE, "index %s has too many dimensions", bp__infer_shape(c, 0));
    c->out[0] = (bp__info){.dtype = (bp_dtype)a->to, .dims = c->in[0]->dims};
    c->out[0].dims.dim[c->out[0].dims.n++] = a->classes;
    return BP_OK;
}

static void forward(const bp__call *c) {
    const bp__tensor *y = &c->out[0];
    const int64_t *index = c->in[0].data; /* contiguous: BP__OP_DENSE_IN */
    int64_t n = bp__tensor_count(&c->in[0]), classes = y->dim[y->n_dims - 1];
    memset(y->data, 0, (size_t)(n * classes) * bp_dtype_size((bp_dtype)y->dtype));
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= classes) continue;
        int64_t at = i * classes + index[i];
        switch ((bp_dtype)y->dtype) {
        case BP_F32: ((float *)y->data)[at] = 1; break;
        case BP_F64: ((double *)y->data)[at] = 1; break;
        case BP_I32: ((int32_t *)y->data)[at] = 1; break;
        case BP_I64: ((int64_t *)y->data)[at] = 1; break;
        case BP_U8: ((uint8_t *)y->data)[at] = 1; break;
        }
    }
}

static const struct bp__one_hot_attrs four = {.classes = 4, .to = BP_F32}, bytes = {.classes = 3, .to = BP_U8},
                                      doubles = {.classes = 17, .to = BP_F64}, whole = {.classes = 2, .to = BP_I64};
static const bp__sample samples[] = {{.attrs = &four, .n_in = 1, .in = {BP__I(-1, 5, 1, {9})}},
                                     {.attrs = &bytes, .n_in = 1, .in = {BP__I(0, 3, 2, {2, 3})}},
                                     {.attrs = &doubles, .n_in = 1, .in = {BP__I(0, 17, 0, {0})}},
                                     {.attrs = &whole, .n_in = 1, .in = {BP__I(0, 2, 1, {5})}}};

const bp__op_def bp__def_one_hot = {BP__SIGNATURE(one_hot),
                                    .family = "indexing",
                                    .formula = "y[i, c] = (c == index[i])",
                                    .flags = BP__OP_NO_GRADIENT | BP__OP_DENSE_IN,
                                    .infer = infer,
                                    .forward = forward,
                                    .samples = samples,
                                    .n_samples = BP__COUNT(samples)};
