/* all: 1 where every element over `axes` (default: all) is not 0; any: where at least one is. u8, of any type; NaN is not 0. Of
   nothing all is 1 and any is 0. No gradient: answers are steps. */
#include "op/make.h"

static bp_status infer(bp__infer *c, bp_dims *axes, bool keepdim) {
    BP_TRY(bp__infer_reduction(c, axes, keepdim));
    c->out[0].dtype = BP_U8;
    return BP_OK;
}
static bp_status all_infer(bp__infer *c) {
    struct bp__all_attrs *a = c->attrs;
    return infer(c, &a->axes, a->keepdim != 0);
}
static bp_status any_infer(bp__infer *c) {
    struct bp__any_attrs *a = c->attrs;
    return infer(c, &a->axes, a->keepdim != 0);
}

/* Counted in whole numbers. */
static bp_value all_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__all_attrs *a = attrs;
    return bp_eq(bp__sum_axes(bp_eq(in[0], bp__k_like(in[0], 0)), a->axes, a->keepdim != 0), bp__k(g, BP_I64, 0));
}
static bp_value any_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__any_attrs *a = attrs;
    return bp_ne(bp__sum_axes(bp_ne(in[0], bp__k_like(in[0], 0)), a->axes, a->keepdim != 0), bp__k(g, BP_I64, 0));
}

static const struct bp__all_attrs l_all = {.axes = {.n = -1}}, l_kept = {.axes = {1, {-1}}, .keepdim = 1};
static const bp__sample all_samples[] = {{.attrs = &l_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                         {.attrs = &l_kept, .n_in = 1, .in = {BP__I(0, 4, 2, {4, 2})}},
                                         {.attrs = &l_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 2})}}};
static const struct bp__any_attrs y_all = {.axes = {.n = -1}}, y_kept = {.axes = {1, {-1}}, .keepdim = 1};
static const bp__sample any_samples[] = {{.attrs = &y_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                         {.attrs = &y_kept, .n_in = 1, .in = {BP__I(0, 2, 2, {4, 2})}},
                                         {.attrs = &y_all, .n_in = 1, .in = {BP__F(-2, 2, 2, {0, 2})}}};

const bp__op_def bp__def_all = {BP__SIGNATURE(all),
                                .family = "reductions",
                                .formula = "y = no element over `axes` is 0",
                                .flags = BP__OP_NO_GRADIENT,
                                .infer = all_infer,
                                .decompose = all_decompose,
                                .samples = all_samples,
                                .n_samples = BP__COUNT(all_samples)};
const bp__op_def bp__def_any = {BP__SIGNATURE(any),
                                .family = "reductions",
                                .formula = "y = an element over `axes` is not 0",
                                .flags = BP__OP_NO_GRADIENT,
                                .infer = any_infer,
                                .decompose = any_decompose,
                                .samples = any_samples,
                                .n_samples = BP__COUNT(any_samples)};
