/* What shape rules are written with. */
#include "op/op.h"
#include <stdio.h>
#include <string.h>

bp_status bp__infer_fail(bp__infer *c, bp_status status, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (c->g->scope)
        bp__graph_fail(c->g, status, "%s: %s: %s", c->g->scope, c->node->op->name, text);
    else
        bp__graph_fail(c->g, status, "%s: %s", c->node->op->name, text);
    return status;
}

const char *bp__infer_shape(bp__infer *c, int i) {
    if (i < 0 || i >= c->n_in || !c->in[i]) return "(absent)";
    char *text = c->text[c->n_text];
    c->n_text = (c->n_text + 1) % 16;
    return bp__dims_text(c->g->dims, &c->in[i]->dims, text, sizeof c->text[0]);
}

bool bp__infer_equal(bp__infer *c, int64_t a, int64_t b) {
    bp_graph *g = c->g;
    if (a == b) return true;
    if (a >= 0 && b >= 0) return false;
    /* Forms that differ by a number, as batch and batch + 1, differ for every size. */
    if (bp__dim_sub(g->dims, a, b) > 0 || bp__dim_sub(g->dims, b, a) > 0) return false;
    if (BP__GROW(g->ctx, g->checks, g->n_checks, g->cap_checks) != BP_OK) {
        bp__graph_fail(g, BP_MEMORY, "%s: out of memory while building a graph", c->node->op->name);
        return false;
    }
    g->checks[g->n_checks++] = (bp__dim_check){.a = a, .b = b, .node = (int32_t)g->n_nodes};
    return true;
}

bool bp__infer_broadcast(bp__infer *c, bp_dims *a, const bp_dims *b) {
    bp_dims out = {.n = BP__MAX(a->n, b->n)};
    for (int64_t i = 0; i < out.n; i++) {
        int64_t ia = i - (out.n - a->n), ib = i - (out.n - b->n);
        int64_t x = ia < 0 ? 1 : a->dim[ia], y = ib < 0 ? 1 : b->dim[ib];
        if (x != 1 && y != 1 && !bp__infer_equal(c, x, y)) return false;
        /* A number says more than a form that has to be equal to it. */
        out.dim[i] = x == 1 || (x < 0 && y >= 0 && y != 1) ? y : x;
    }
    *a = out;
    return true;
}

bool bp__infer_axis(int64_t *axis, int64_t n) {
    if (*axis < -n || *axis >= n) return false;
    if (*axis < 0) *axis += n;
    return true;
}

bp_status bp__infer_same(bp__infer *c) {
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = c->in[0]->dims};
    return BP_OK;
}

bp_status bp__infer_need_float(bp__infer *c, int i) {
    if (i >= c->n_in || !c->in[i]) return BP_OK;
    bp_dtype dtype = c->in[i]->dtype;
    if (dtype == BP_F32 || dtype == BP_F64) return BP_OK;
    const char *name = c->node->op->in_names[c->node->op->n_in < 0 ? 0 : i];
    if (*name == '?' || *name == '*') name++;
    return bp__infer_fail(c, BP_TYPE, "%s is %s; it must be f32 or f64 (bp_cast converts)", name, bp_dtype_name(dtype));
}
