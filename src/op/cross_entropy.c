/* cross_entropy: of softmax(x) and a target, over the class axis 1 of x [n, classes, …], as PyTorch's cross_entropy.
   Labels t (i64, [n, …]):  l = -w[t] log p[t]; mean = Σ l / Σ w[t] over labels other than `ignore_index`.
       With smoothing e:    (1 - e) l + e / classes Σ_c -w[c] log p[c].
   nll is the first for x that holds log p already.
   Probabilities q (x's shape): l = -Σ_c w[c] q'[c] log p[c], q' = (1 - e) q + e / classes; mean = Σ l / (number of rows). */
#include "op/loss.h"
#include <string.h>

static bp_status infer(bp__infer *c) {
    const char *reduction = *(const char *const *)c->attrs;
    const bp_dims *x = &c->in[0]->dims, *t = &c->in[1]->dims;
    BP_TRY(bp__loss_infer_reduction(c, reduction));
    BP_TRY(bp__infer_need_float(c, 0));
    if (x->n < 2) return bp__infer_fail(c, BP_SHAPE, "x must be [n, classes, ...], not %s", bp__infer_shape(c, 0));
    bool labels = c->in[1]->dtype == BP_I64;
    if (!labels && c->in[1]->dtype != c->in[0]->dtype)
        return bp__infer_fail(c, BP_TYPE, "the target must be labels (i64) or probabilities (%s like x), not %s",
                              bp_dtype_name(c->in[0]->dtype), bp_dtype_name(c->in[1]->dtype));
    bp_dims rows = {.n = 0};
    for (int64_t i = 0; i < x->n; i++)
        if (i != 1) rows.dim[rows.n++] = x->dim[i];
    const bp_dims *want = labels ? &rows : x;
    bool fits = t->n == want->n;
    for (int64_t i = 0; fits && i < t->n; i++) fits = bp__infer_equal(c, t->dim[i], want->dim[i]);
    if (!fits)
        return bp__infer_fail(c, BP_SHAPE, "the %s must have x's shape%s: x %s, target %s", labels ? "labels" : "probabilities",
                              labels ? " without the class axis 1" : "", bp__infer_shape(c, 0), bp__infer_shape(c, 1));
    BP_TRY(bp__loss_infer_vector(c, 2, x->dim[1]));
    return bp__loss_infer_out(c, rows);
}

static bp_status cross_entropy_infer(bp__infer *c) {
    const struct bp__cross_entropy_attrs *a = c->attrs;
    BP_TRY(bp__loss_infer_number(c, "label_smoothing", a->label_smoothing, 0, true, 1));
    return infer(c);
}

static bp_status nll_infer(bp__infer *c) {
    BP_TRY(bp__infer_need_i64(c, 1, "the target"));
    return infer(c);
}

/* [n, classes, …] as [rows, classes]. */
static bp_value class_last(bp_graph *g, bp_value x) {
    bp_dims d = bp_value_dims(x), axes = {.n = d.n}, two = {.n = 2};
    if (d.n <= 2) return x;
    int64_t k = 0;
    for (int64_t i = 0; i < d.n; i++)
        if (i != 1) axes.dim[k++] = i;
    axes.dim[k] = 1;
    two.dim[0] = d.dim[0];
    for (int64_t i = 2; i < d.n; i++) two.dim[0] = bp__dim_mul(g->dims, two.dim[0], d.dim[i]);
    two.dim[1] = d.dim[1];
    return bp_reshape(bp_permute(x, axes), two);
}

typedef struct parts {
    bp_value x, target, weight; /* [rows, classes], [rows] or [rows, classes], [classes] or BP_NONE */
    bool weighted, is_log;      /* is_log: x is log p */
    int64_t ignore_index;
    double smoothing;
    bp_dtype dtype;
    bp_value zero;
    bp_value each;  /* [rows]: the losses */
    bp_value scale; /* what their sum is divided by */
} parts;

static void from_labels(bp_graph *g, parts *p) {
    double e = p->smoothing;
    bp_value ignore = bp__k(g, BP_I64, (double)p->ignore_index);
    bp_value counted = bp_ne(p->target, ignore);
    if (!p->weighted && e == 0 && !p->is_log) {
        p->each = bp_softmax_cross_entropy(p->x, p->target);
        /* A label below 0 gives no loss anyway. */
        if (p->ignore_index >= 0) p->each = bp_where(counted, p->each, p->zero);
        p->scale = bp_cast(bp__sum_all(counted), p->dtype);
        return;
    }
    int64_t classes = bp_value_dims(p->x).dim[1];
    bp_value log_p = p->is_log ? p->x : bp_log_softmax(p->x, 1), hot = bp__one_hot_as(p->target, classes, BP_U8);
    bp_value each = bp_neg(bp__sum_axis(bp_where(hot, log_p, p->zero), 1, false));
    if (p->weighted) {
        bp_value w = bp__sum_axis(bp_where(hot, p->weight, p->zero), 1, false);
        w = bp_where(counted, w, p->zero);
        each = bp_mul(each, w);
        p->scale = bp__sum_all(w);
    } else {
        p->scale = bp_cast(bp__sum_all(counted), p->dtype);
    }
    if (e > 0) {
        bp_value smooth = bp_neg(bp__sum_axis(p->weighted ? bp_mul(log_p, p->weight) : log_p, 1, false));
        bp_value share = bp_div(bp__k(g, p->dtype, e), bp__dim_value(p->x, 1, p->dtype));
        each = bp_add(bp_mul(bp__k(g, p->dtype, 1 - e), each), bp_mul(share, smooth));
    }
    p->each = bp_where(counted, each, p->zero);
}

static void from_probabilities(bp_graph *g, parts *p) {
    double e = p->smoothing;
    bp_value q = p->target, log_p = bp_log_softmax(p->x, 1);
    if (e > 0) {
        bp_value share = bp_div(bp__k(g, p->dtype, e), bp__dim_value(p->x, 1, p->dtype));
        q = bp_add(bp_mul(q, bp__k(g, p->dtype, 1 - e)), share);
    }
    bp_value each = bp_mul(log_p, q);
    if (p->weighted) each = bp_mul(each, p->weight);
    p->each = bp_neg(bp__sum_axis(each, 1, false));
    p->scale = bp__dim_value(p->x, 0, p->dtype);
}

static bp_value reduced(bp_graph *g, parts p, const bp_value *in, const char *reduction) {
    bp_dims x = bp_value_dims(in[0]), out = {.n = 0};
    bool labels = bp_value_dtype(in[1]) == BP_I64;
    p.dtype = bp_value_dtype(in[0]);
    p.weighted = in[2].graph != NULL;
    p.weight = in[2];
    p.zero = bp__k(g, p.dtype, 0);
    p.x = class_last(g, in[0]);
    p.target = labels ? in[1] : class_last(g, in[1]);
    if (labels && x.n > 2) p.target = bp_reshape(in[1], (bp_dims){.n = 1, .dim = {bp_value_dims(p.x).dim[0]}});
    if (labels)
        from_labels(g, &p);
    else
        from_probabilities(g, &p);
    if (!strcmp(reduction, "mean")) return bp_div(bp__sum_all(p.each), p.scale);
    if (!strcmp(reduction, "sum")) return bp__sum_all(p.each);
    if (x.n == 2) return p.each;
    for (int64_t i = 0; i < x.n; i++)
        if (i != 1) out.dim[out.n++] = x.dim[i];
    return bp_reshape(p.each, out);
}

static bp_value cross_entropy_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__cross_entropy_attrs *a = attrs;
    return reduced(g, (parts){.ignore_index = a->ignore_index, .smoothing = a->label_smoothing}, in, a->reduction);
}

static bp_value nll_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__nll_attrs *a = attrs;
    return reduced(g, (parts){.ignore_index = a->ignore_index, .is_log = true}, in, a->reduction);
}

static const struct bp__cross_entropy_attrs sum = {.reduction = "sum", .ignore_index = 2},
                                            none = {.reduction = "none", .ignore_index = -100},
                                            smooth = {.reduction = "mean", .ignore_index = 1, .label_smoothing = 0.1},
                                            smooth_sum = {.reduction = "sum", .ignore_index = -100, .label_smoothing = 0.3};
static const bp__sample cross_entropy_samples[] = {
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {5, 10}), BP__I(0, 10, 1, {5}), BP__ABSENT}},
    {.attrs = &sum, .n_in = 3, .in = {BP__F(-2, 2, 2, {9, 3}), BP__I(0, 3, 1, {9}), BP__ABSENT}},
    {.attrs = &none, .n_in = 3, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__I(0, 3, 2, {2, 4}), BP__ABSENT}},
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {5, 4}), BP__I(0, 4, 1, {5}), BP__F(0.5, 2, 1, {4})}},
    {.attrs = &smooth, .n_in = 3, .in = {BP__F(-2, 2, 2, {9, 3}), BP__I(0, 3, 1, {9}), BP__F(0.5, 2, 1, {3})}},
    {.attrs = &smooth, .n_in = 3, .in = {BP__F(-2, 2, 2, {9, 3}), BP__I(0, 3, 1, {9}), BP__ABSENT}},
    {.n_in = 3, .in = {BP__F(-2, 2, 2, {5, 4}), BP__F(0, 1, 2, {5, 4}), BP__ABSENT}},
    {.attrs = &smooth_sum, .n_in = 3, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(0, 1, 3, {2, 3, 4}), BP__F(0.5, 2, 1, {3})}},
};

BP__LOSS_REDUCED(cross_entropy,
                 "-weight[t] log(softmax(x)[t]) of labels t, or -sum of weight q log(softmax(x)) of probabilities q; reduced",
                 cross_entropy_infer)

static const struct bp__nll_attrs nll_sum = {.reduction = "sum", .ignore_index = 2},
                                  nll_none = {.reduction = "none", .ignore_index = -100};
static const bp__sample nll_samples[] = {
    {.n_in = 3, .in = {BP__F(-3, 0, 2, {5, 10}), BP__I(0, 10, 1, {5}), BP__ABSENT}},
    {.attrs = &nll_sum, .n_in = 3, .in = {BP__F(-3, 0, 2, {9, 3}), BP__I(0, 3, 1, {9}), BP__F(0.5, 2, 1, {3})}},
    {.attrs = &nll_none, .n_in = 3, .in = {BP__F(-3, 0, 3, {2, 3, 4}), BP__I(0, 3, 2, {2, 4}), BP__ABSENT}},
    {.n_in = 3, .in = {BP__F(-3, 0, 2, {5, 4}), BP__I(0, 4, 1, {5}), BP__F(0.5, 2, 1, {4})}}};
BP__LOSS_REDUCED(nll, "-weight[t] x[t] of labels t, x = log of probabilities; reduced", nll_infer)
