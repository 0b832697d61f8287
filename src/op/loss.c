#include "op/loss.h"
#include <string.h>

bp_status bp__loss_infer_reduction(bp__infer *c, const char *reduction) {
    if (reduction && (!strcmp(reduction, "mean") || !strcmp(reduction, "sum") || !strcmp(reduction, "none"))) return BP_OK;
    return bp__infer_fail(c, BP_INVALID, "reduction must be \"mean\", \"sum\" or \"none\", not \"%s\"",
                          reduction ? reduction : "");
}

/* Every loss's attributes begin with its reduction. */
static const char *reduction_of(const bp__infer *c) { return *(const char *const *)c->attrs; }

bp_status bp__loss_infer_out(bp__infer *c, bp_dims each) {
    c->out[0].dtype = c->in[0]->dtype;
    c->out[0].dims = strcmp(reduction_of(c), "none") ? (bp_dims){.n = 0} : each;
    return BP_OK;
}

static bp_status need_type(bp__infer *c, int i) {
    const char *name = c->node->op->in_names[i];
    if (*name == '?') name++;
    if (c->in[i]->dtype == c->in[0]->dtype) return BP_OK;
    return bp__infer_fail(c, BP_TYPE, "%s is %s where %s is %s: use cast", name, bp_dtype_name(c->in[i]->dtype),
                          c->node->op->in_names[0], bp_dtype_name(c->in[0]->dtype));
}

bp_status bp__loss_infer_same_shape(bp__infer *c, int i) {
    const bp_dims *x = &c->in[0]->dims, *t = &c->in[i]->dims;
    bool fits = x->n == t->n;
    for (int64_t k = 0; fits && k < x->n; k++) fits = bp__infer_equal(c, x->dim[k], t->dim[k]);
    if (fits) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "%s %s and %s %s differ", c->node->op->in_names[0], bp__infer_shape(c, 0),
                          c->node->op->in_names[i], bp__infer_shape(c, i));
}

bp_status bp__loss_infer_pair(bp__infer *c) {
    BP_TRY(need_type(c, 1));
    return bp__loss_infer_signs(c);
}

bp_status bp__loss_infer_signs(bp__infer *c) {
    BP_TRY(bp__loss_infer_reduction(c, reduction_of(c)));
    BP_TRY(bp__infer_need_float(c, 0));
    if (c->in[1]->dtype != BP_I64) BP_TRY(need_type(c, 1));
    BP_TRY(bp__loss_infer_same_shape(c, 1));
    return bp__loss_infer_out(c, c->in[0]->dims);
}

bp_status bp__loss_infer_labels(bp__infer *c) {
    const bp_dims *x = &c->in[0]->dims, *t = &c->in[1]->dims;
    BP_TRY(bp__loss_infer_reduction(c, reduction_of(c)));
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_need_i64(c, 1, "the target"));
    if (x->n != 2 || t->n != 1 || !bp__infer_equal(c, x->dim[0], t->dim[0]))
        return bp__infer_fail(c, BP_SHAPE, "x must be [n, classes] and the target [n], not %s and %s", bp__infer_shape(c, 0),
                              bp__infer_shape(c, 1));
    return bp__loss_infer_out(c, *t);
}

bp_status bp__loss_infer_factor(bp__infer *c, int i) {
    if (i >= c->n_in || !c->in[i]) return BP_OK;
    const char *name = c->node->op->in_names[i];
    const bp_dims *x = &c->in[0]->dims;
    bp_dims d = *x;
    if (*name == '?') name++;
    BP_TRY(need_type(c, i));
    bool fits = c->in[i]->dims.n <= x->n && bp__infer_broadcast(c, &d, &c->in[i]->dims);
    for (int64_t k = 0; fits && k < x->n; k++) fits = d.dim[k] == x->dim[k];
    if (fits) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "%s %s does not broadcast to x %s", name, bp__infer_shape(c, i), bp__infer_shape(c, 0));
}

bp_status bp__loss_infer_vector(bp__infer *c, int i, int64_t n) {
    if (i >= c->n_in || !c->in[i]) return BP_OK;
    const char *name = c->node->op->in_names[i];
    if (*name == '?') name++;
    BP_TRY(need_type(c, i));
    if (c->in[i]->dims.n == 1 && bp__infer_equal(c, c->in[i]->dims.dim[0], n)) return BP_OK;
    return bp__infer_fail(c, BP_SHAPE, "%s must be [classes] for x %s, not %s", name, bp__infer_shape(c, 0),
                          bp__infer_shape(c, i));
}

bp_status bp__loss_infer_number(bp__infer *c, const char *name, double value, double low, bool closed, double high) {
    if ((closed ? value >= low : value > low) && value <= high) return BP_OK;
    if (high > 1e300)
        return bp__infer_fail(c, BP_INVALID, "%s must be %s %g, not %g", name, closed ? "at least" : "greater than", low, value);
    return bp__infer_fail(c, BP_INVALID, "%s must be %s %g and at most %g, not %g", name, closed ? "at least" : "greater than",
                          low, high, value);
}

bp_value bp__loss_reduce(bp_value each, const char *reduction) {
    if (!strcmp(reduction, "none")) return each;
    return strcmp(reduction, "sum") ? bp_mean(each, NULL) : bp__sum_all(each);
}

bp_value bp__loss_count_to(bp_graph *g, int64_t n) {
    int64_t *index = n <= INT32_MAX ? bp__alloc(g->ctx, sizeof(int64_t) * (size_t)(n + 1)) : NULL;
    if (!index) return bp__graph_fail(g, BP_MEMORY, "out of memory while building a graph");
    for (int64_t i = 0; i < n; i++) index[i] = i;
    bp_value v = bp_constant(g, BP_I64, bp_shape(1, n), index);
    bp__free(g->ctx, index);
    return v;
}
