#include "op/loss.h"
#include <string.h>

bp_status bp__loss_infer_reduction(bp__infer *c, const char *reduction) {
    if (reduction && (!strcmp(reduction, "mean") || !strcmp(reduction, "sum") || !strcmp(reduction, "none"))) return BP_OK;
    return bp__infer_fail(c, BP_INVALID, "reduction must be \"mean\", \"sum\" or \"none\", not \"%s\"",
                          reduction ? reduction : "");
}

bp_status bp__loss_infer_pair(bp__infer *c, const char *reduction) {
    const bp_dims *x = &c->in[0]->dims, *t = &c->in[1]->dims;
    BP_TRY(bp__loss_infer_reduction(c, reduction));
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[1]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "the target is %s where x is %s: use cast", bp_dtype_name(c->in[1]->dtype),
                              bp_dtype_name(c->in[0]->dtype));
    bool fits = x->n == t->n;
    for (int64_t i = 0; fits && i < x->n; i++) fits = bp__infer_equal(c, x->dim[i], t->dim[i]);
    if (!fits) return bp__infer_fail(c, BP_SHAPE, "x %s and target %s differ", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    c->out[0] = *c->in[0];
    if (strcmp(reduction, "none") != 0) c->out[0].dims = (bp_dims){.n = 0};
    return BP_OK;
}

bp_value bp__loss_reduce(bp_value each, const char *reduction) {
    if (!strcmp(reduction, "none")) return each;
    return strcmp(reduction, "sum") ? bp_mean(each, NULL) : bp__sum_all(each);
}
