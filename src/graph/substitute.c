/* A part of the graph once more with other values at its ends: the loss at other weights, a step unrolled. */
#include <string.h>

#include "op/op.h"

/* The nodes between `from` and y, in the order they were made; *copy_of [n_nodes]: where their copies are, -1: not copied. Random
   numbers have no inputs, so both parts draw the same ones. */
static bp_value copied(bp_graph *g, bp_value y, const bp_value *from, const bp_value *to, int n, int32_t *copy_of, bool *needed) {
    needed[y.node] = true;
    for (int32_t i = y.node; i >= 0; i--)
        for (int32_t k = 0; needed[i] && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k].node >= 0) needed[g->nodes[i].in[k].node] = true;
    for (int32_t i = 0; i <= y.node; i++) {
        const bp__node node = g->nodes[i]; /* a copy: adding moves the array */
        bp_value *in = needed[i] && node.n_in > 0 ? bp__pool_alloc(&g->pool, sizeof(bp_value) * (size_t)node.n_in) : NULL;
        if (!needed[i] || node.n_in == 0) continue;
        if (!in) return bp__graph_fail(g, BP_MEMORY, "substitute: out of memory");
        bool changed = false;
        for (int32_t k = 0; k < node.n_in; k++) {
            bp__ref r = node.in[k];
            in[k] = bp__value(g, r);
            int j = 0;
            while (j < n && (from[j].node != r.node || from[j].output != r.output)) j++;
            if (r.node < 0 || (j == n && copy_of[r.node] < 0)) continue;
            in[k] = j < n ? to[j] : bp__output((bp_value){g, copy_of[r.node], 0}, r.output);
            changed = true;
        }
        if (!changed) continue;
        const char *scope = bp__graph_scope(g, node.name);
        bp_value copy = bp__graph_add(g, node.op, node.attrs, in, node.n_in);
        bp__graph_scope(g, scope);
        if (bp_is_bad(copy)) return copy;
        copy_of[i] = copy.node;
    }
    return copy_of[y.node] < 0 ? y : bp__output((bp_value){g, copy_of[y.node], 0}, y.output);
}

bp_value bp_substitute(bp_value y, const bp_value *from, const bp_value *to, int n) {
    bp_graph *g = y.graph;
    if (!g || bp_is_bad(y) || g->status != BP_OK) return y;
    for (int i = 0; i < n; i++) {
        if (bp_is_bad(from[i]) || bp_is_bad(to[i])) return (bp_value){g, -1, 0};
        bp_dims a = bp_value_dims(from[i]), b = bp_value_dims(to[i]);
        if (from[i].graph != g || to[i].graph != g)
            return bp__graph_fail(g, BP_INVALID, "substitute: value %d is missing or of another graph", i + 1);
        if (!bp__dims_equal(&a, &b) || bp_value_dtype(from[i]) != bp_value_dtype(to[i])) {
            char s[200], t[200];
            return bp__graph_fail(g, BP_SHAPE, "substitute: value %d is %s %s, and %s %s is to take its place", i + 1,
                                  bp_dtype_name(bp_value_dtype(from[i])), bp__dims_text(g->dims, &a, s, sizeof s),
                                  bp_dtype_name(bp_value_dtype(to[i])), bp__dims_text(g->dims, &b, t, sizeof t));
        }
        if (from[i].node == y.node && from[i].output == y.output) return to[i];
    }
    size_t count = (size_t)y.node + 1;
    int32_t *copy_of = bp__alloc(g->ctx, sizeof *copy_of * count);
    bool *needed = bp__zalloc(g->ctx, sizeof *needed * count);
    bp_value out = BP_NONE;
    if (copy_of) memset(copy_of, -1, sizeof *copy_of * count);
    if (copy_of && needed)
        out = copied(g, y, from, to, n, copy_of, needed);
    else
        out = bp__graph_fail(g, BP_MEMORY, "substitute: out of memory");
    bp__free(g->ctx, copy_of);
    bp__free(g->ctx, needed);
    return out;
}
