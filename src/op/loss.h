/* What the losses share. A loss is a function NAME_each that gives the losses of single elements or rows, and one line:

       BP__LOSS(mse, "(x - target)^2, reduced", bp__loss_infer_pair)

   with the shape rule, and `NAME_samples` above it. Its attributes begin with `reduction`: mean, sum or none. */
#ifndef BP__LOSS_H
#define BP__LOSS_H
#include "op/make.h"

/* ---- Shape rules ------------------------------------------------------------------------------------------------------ */
/* `reduction` is one of the three. */
bp_status bp__loss_infer_reduction(bp__infer *c, const char *reduction);
/* out[0]: of in[0]'s type, of the shape `each` or reduced. */
bp_status bp__loss_infer_out(bp__infer *c, bp_dims each);
/* in[0] and in[1] of one float type and one shape; one loss for each element. */
bp_status bp__loss_infer_pair(bp__infer *c);
/* The same, but in[1] may also hold whole numbers (signs -1 and 1, counts); bp__loss_target makes numbers of them. */
bp_status bp__loss_infer_signs(bp__infer *c);
/* in[0] [n, classes] and labels in[1] [n] (i64); one loss for each row. */
bp_status bp__loss_infer_labels(bp__infer *c);
/* in[i], where it is given, is of in[0]'s type and broadcasts to its shape. */
bp_status bp__loss_infer_factor(bp__infer *c, int i);
/* in[i], where it is given, is of in[0]'s type and of shape [n]. */
bp_status bp__loss_infer_vector(bp__infer *c, int i, int64_t n);
/* in[i] has in[0]'s shape. */
bp_status bp__loss_infer_same_shape(bp__infer *c, int i);
/* An attribute within its bounds: low < value (or <= with `closed`) and value <= high. */
bp_status bp__loss_infer_number(bp__infer *c, const char *name, double value, double low, bool closed, double high);

/* ---- Building ---------------------------------------------------------------------------------------------------------- */
bp_value bp__loss_reduce(bp_value each, const char *reduction);
/* The target as numbers of x's type. */
static inline bp_value bp__loss_target(bp_value x, bp_value target) {
    return bp_value_dtype(target) == bp_value_dtype(x) ? target : bp_cast(target, bp_value_dtype(x));
}
/* Labels [n] that are no class (below 0, or too large) belong to no place of x [n, classes]: picked, they give 0. */
static inline bp_value bp__loss_hot(bp_value x, bp_value label, bp_dtype dtype) {
    return bp__one_hot_as(label, bp_value_dims(x).dim[bp_value_dims(x).n - 1], dtype);
}
static inline bp_value bp__loss_picked(bp_value x, bp_value hot) {
    return bp__sum_axis(bp_where(hot, x, bp__k_like(x, 0)), bp_value_dims(hot).n - 1, false);
}
/* 0, 1, … n - 1 as i64 [n]. */
bp_value bp__loss_count_to(bp_graph *g, int64_t n);
/* v - x */
static inline bp_value bp__k_minus(double v, bp_value x) { return bp_sub(bp__k_like(x, v), x); }

/* ---- Definitions -------------------------------------------------------------------------------------------------------- */
#define BP__LOSS(name, formula_, infer_)                                                                 \
    static bp_value name##_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) { \
        const struct bp__##name##_attrs *a = attrs;                                                      \
        (void)g, (void)n_in;                                                                             \
        return bp__loss_reduce(name##_each(a, in), a->reduction);                                        \
    }                                                                                                    \
    BP__LOSS_REDUCED(name, formula_, infer_)
/* The same for a loss that reduces by itself: its function is NAME_decompose. */
#define BP__LOSS_REDUCED(name, formula_, infer_)                      \
    const bp__op_def bp__def_##name = {BP__SIGNATURE(name),           \
                                       .family = "losses",            \
                                       .formula = formula_,           \
                                       .infer = infer_,               \
                                       .decompose = name##_decompose, \
                                       .samples = name##_samples,     \
                                       .n_samples = BP__COUNT(name##_samples)};
#endif
