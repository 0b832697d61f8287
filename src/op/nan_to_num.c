/* y = x with `nan` for NaN, `posinf` for infinity and `neginf` for -infinity (PyTorch's nan_to_num); these two left out (NaN):
   the largest and the smallest finite number of the type. Whole numbers stay as they are. What is replaced has no gradient. */
#include "op/make.h"
#include <float.h>
#include <math.h>

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__nan_to_num_attrs *a = attrs;
    bp_value x = in[0];
    bp_dtype dtype = bp_value_dtype(x);
    if (!bp__dtype_is_float(dtype)) return x;
    double largest = dtype == BP_F32 ? (double)FLT_MAX : DBL_MAX;
    bp_value above = bp_eq(x, bp__k(g, dtype, (double)INFINITY)), below = bp_eq(x, bp__k(g, dtype, -(double)INFINITY));
    bp_value y = bp_where(below, bp__k(g, dtype, isnan(a->neginf) ? -largest : a->neginf), x);
    y = bp_where(above, bp__k(g, dtype, isnan(a->posinf) ? largest : a->posinf), y);
    return bp_where(bp_is_nan(x), bp__k(g, dtype, a->nan), y);
}

static const struct bp__nan_to_num_attrs plain = {.posinf = (double)NAN, .neginf = (double)NAN},
                                         chosen = {.nan = 0.5, .posinf = 1e3, .neginf = -7};
static const bp__sample samples[] = {{.attrs = &plain, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 5})}},
                                     {.attrs = &chosen, .n_in = 1, .in = {BP__F(-2, 2, 1, {4})}}};

const bp__op_def bp__def_nan_to_num = {
    BP__SIGNATURE(nan_to_num),
    .family = "structure",
    .formula =
        "y = x with `nan` for NaN, `posinf` for infinity and `neginf` for -infinity (left out: the largest finite numbers)",
    .infer = bp__infer_same,
    .decompose = decompose,
    .samples = samples,
    .n_samples = BP__COUNT(samples)};
