/* The chain rule, as a transformation of the graph: walks the nodes backwards once, asks each operation's rule to build the
   cotangents of its inputs, adds what reaches one value from several consumers in the consumers' order, and undoes broadcasting
   in this one place.

   The order of the consumers is the order of need, not of making: a walk from the differentiated values through inputs, first to
   last. C leaves open in which order the arguments of bp_add(bp_exp(x), bp_tanh(x)) are evaluated, and compilers differ: numbers
   of nodes must not reach the order of a sum, or the bits of weights would depend on the compiler. */
#include "op/op.h"

#include <stdlib.h>
#include <string.h>

typedef struct contribution {
    bp_value value;
    int32_t consumer, input; /* order of adding: the consumer's rank, -1 for a given cotangent */
    int64_t next;            /* in the list of its target, -1: last */
} contribution;

typedef struct walk {
    bp_graph *g;
    int32_t n;      /* nodes that existed before */
    int32_t *order; /* [n_order]: the nodes that the values need, inputs before consumers, in order of need */
    int32_t *rank;  /* [n]: place in `order` */
    int32_t n_order;
    int64_t *first_of; /* [n + 1]: number of node i's first output among all outputs */
    int64_t *head;     /* [outputs]: newest contribution, -1: none */
    bool *leads;       /* [outputs]: depends on something in wrt, or is it */
    contribution *items;
    int64_t n_items, cap_items;
} walk;

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

/* Sums d over the axes along which `to` was broadcast. */
static bp_value sum_to(bp_value d, bp_dims to) {
    bp_dims from = bp_value_dims(d);
    if (bp_is_bad(d) || bp__dims_equal(&from, &to)) return d;
    bp_dims axes = {0, {0}};
    int64_t lead = from.n - to.n;
    for (int64_t i = 0; i < from.n; i++)
        if (i < lead || (to.dim[i - lead] == 1 && from.dim[i] != 1)) axes.dim[axes.n++] = i;
    if (axes.n > 0) {
        bp_sum_options o = bp_sum_defaults();
        o.axes = axes;
        o.keepdim = 1;
        d = bp_sum(d, &o);
    }
    from = bp_value_dims(d);
    return bp_is_bad(d) || bp__dims_equal(&from, &to) ? d : bp_reshape(d, to);
}

static void contribute(walk *w, bp__ref to, bp_value d, int32_t consumer, int32_t input) {
    int64_t slot = w->first_of[to.node] + to.output;
    d = sum_to(d, w->g->nodes[to.node].out[to.output].dims);
    if (bp_is_bad(d)) return;
    if (BP__GROW(w->g->ctx, w->items, w->n_items, w->cap_items) != BP_OK) {
        bp__graph_fail(w->g, BP_MEMORY, "out of memory while building a gradient");
        return;
    }
    w->items[w->n_items] = (contribution){d, consumer, input, w->head[slot]};
    w->head[slot] = w->n_items++;
}

/* The adjoint of one output: its contributions added in order of (consumer, input). Consumers were visited backwards, so each
   round takes the smallest key that is left. */
static bp_value adjoint(walk *w, int64_t slot) {
    bp_value sum = BP_NONE;
    int32_t last_consumer = -2, last_input = -1;
    for (;;) {
        int64_t best = -1;
        for (int64_t i = w->head[slot]; i >= 0; i = w->items[i].next) {
            const contribution *c = &w->items[i];
            bool later = c->consumer > last_consumer || (c->consumer == last_consumer && c->input > last_input);
            if (later && (best < 0 || c->consumer < w->items[best].consumer ||
                          (c->consumer == w->items[best].consumer && c->input < w->items[best].input)))
                best = i;
        }
        if (best < 0) return sum;
        last_consumer = w->items[best].consumer;
        last_input = w->items[best].input;
        sum = sum.graph ? bp_add(sum, w->items[best].value) : w->items[best].value;
    }
}

static void visit(walk *w, int32_t rank) {
    bp_graph *g = w->g;
    int32_t index = w->order[rank];
    const bp__node node = g->nodes[index]; /* a copy: building moves the array */
    if (node.n_in == 0 || !node.op->gradient || (node.op->flags & BP__OP_NO_GRADIENT)) return;
    bool *wanted = bp__pool_alloc(&g->pool, sizeof(bool) * (size_t)node.n_in);
    bp_value *in = bp__pool_alloc(&g->pool, sizeof(bp_value) * (size_t)node.n_in * 2);
    bp_value *out = bp__pool_alloc(&g->pool, sizeof(bp_value) * (size_t)node.n_out * 2);
    if (!wanted || !in || !out) {
        bp__graph_fail(g, BP_MEMORY, "out of memory while building a gradient");
        return;
    }
    bool any_wanted = false, any_flow = false;
    for (int32_t i = 0; i < node.n_in; i++) {
        in[i] = bp__value(g, node.in[i]);
        in[node.n_in + i] = BP_NONE;
        wanted[i] = node.in[i].node >= 0 && w->leads[w->first_of[node.in[i].node] + node.in[i].output];
        any_wanted |= wanted[i];
    }
    if (!any_wanted) return;
    for (int32_t k = 0; k < node.n_out; k++) {
        out[k] = (bp_value){g, index, k};
        out[node.n_out + k] = adjoint(w, w->first_of[index] + k);
        any_flow |= out[node.n_out + k].graph != NULL;
    }
    if (!any_flow) return;
    bp__grad c = {.g = g,
                  .attrs = node.attrs,
                  .in = in,
                  .out = out,
                  .d_out = out + node.n_out,
                  .wanted = wanted,
                  .d_in = in + node.n_in,
                  .n_in = node.n_in,
                  .n_out = node.n_out};
    const char *scope = g->scope;
    g->scope = node.name;
    node.op->gradient(&c);
    for (int32_t i = 0; i < node.n_in; i++)
        if (wanted[i] && c.d_in[i].graph && g->status == BP_OK) contribute(w, node.in[i], c.d_in[i], rank, i);
    g->scope = scope;
}

/* Puts the nodes in order of need: depth first from each value, without recursion (graphs are deep). */
static bp_status rank_nodes(walk *w, const bp_value *values, int n) {
    bp_graph *g = w->g;
    size_t room = (size_t)w->n + 1;
    int32_t *memory = w->order = bp__zalloc(g->ctx, sizeof(int32_t) * room * 4);
    if (!memory) return BP_MEMORY;
    w->rank = memory + room;
    int32_t *next = memory + 2 * room; /* [n]: input to follow next, counted from 1; 0: not seen */
    int32_t *path = memory + 3 * room;
    for (int i = 0; i < n; i++) {
        int32_t depth = 0;
        if (next[values[i].node] == 0) next[values[i].node] = 1, path[depth++] = values[i].node;
        while (depth > 0) {
            int32_t at = path[depth - 1];
            if (next[at] > g->nodes[at].n_in) {
                w->rank[at] = w->n_order;
                w->order[w->n_order++] = at;
                depth--;
                continue;
            }
            int32_t in = g->nodes[at].in[next[at]++ - 1].node;
            if (in >= 0 && next[in] == 0) next[in] = 1, path[depth++] = in;
        }
    }
    return BP_OK;
}

static bp_status prepare(walk *w, const bp_value *wrt, int m) {
    bp_graph *g = w->g;
    size_t n = (size_t)w->n;
    w->first_of = bp__alloc(g->ctx, sizeof(int64_t) * (n + 1));
    if (!w->first_of) return BP_MEMORY;
    w->first_of[0] = 0;
    for (size_t i = 0; i < n; i++) w->first_of[i + 1] = w->first_of[i] + g->nodes[i].n_out;
    size_t outputs = (size_t)w->first_of[n];
    w->head = bp__alloc(g->ctx, sizeof(int64_t) * (outputs + 1));
    w->leads = bp__zalloc(g->ctx, sizeof(bool) * (outputs + 1));
    if (!w->head || !w->leads) return BP_MEMORY;
    for (size_t i = 0; i < outputs; i++) w->head[i] = -1;
    for (int j = 0; j < m; j++) w->leads[w->first_of[wrt[j].node] + wrt[j].output] = true;
    for (size_t i = 0; i < n; i++) {
        const bp__node *node = &g->nodes[i];
        bool depends = false;
        for (int32_t k = 0; k < node->n_in; k++)
            depends |= node->in[k].node >= 0 && w->leads[w->first_of[node->in[k].node] + node->in[k].output];
        if (!depends || !node->op->gradient || (node->op->flags & BP__OP_NO_GRADIENT)) continue;
        for (int32_t k = 0; k < node->n_out; k++)
            if (is_float(node->out[k].dtype)) w->leads[w->first_of[i] + k] = true;
    }
    return BP_OK;
}

static bp_value filled(bp_graph *g, bp_value like, double number) {
    return bp_fill(bp_number(g, bp_value_dtype(like), number), bp_value_dims(like));
}

/* `vectors` are [n] partners of the values, called so in sentences; they may be NULL or absent. */
static bool check_arguments(bp_graph *g, const char *what, const char *partner, const bp_value *values, const bp_value *vectors,
                            int n, const bp_value *wrt, int m) {
    for (int i = 0; i < n + m; i++) {
        bp_value x = i < n ? values[i] : wrt[i - n];
        if (bp_is_bad(x)) return false;
        if (x.graph != g || !is_float(bp_value_dtype(x))) {
            bp__graph_fail(g, BP_INVALID, "%s: value %d is missing, of another graph, or not of a float type", what, i + 1);
            return false;
        }
    }
    for (int i = 0; i < n && vectors; i++) {
        bp_dims a = bp_value_dims(values[i]), b = bp_value_dims(vectors[i]);
        if (bp_is_bad(vectors[i])) return false;
        if (vectors[i].graph && (!bp__dims_equal(&a, &b) || bp_value_dtype(values[i]) != bp_value_dtype(vectors[i]))) {
            char s[200], t[200];
            bp__graph_fail(g, BP_SHAPE, "%s: %s %d is %s, its value %s", what, partner, i + 1,
                           bp__dims_text(g->dims, &b, s, sizeof s), bp__dims_text(g->dims, &a, t, sizeof t));
            return false;
        }
    }
    return true;
}

void bp_gradients(bp_value *d, const bp_value *values, const bp_value *cotangents, int n, const bp_value *wrt, int m) {
    bp_graph *g = n > 0 && values[0].graph ? values[0].graph : m > 0 ? wrt[0].graph : NULL;
    for (int j = 0; j < m; j++) d[j] = (bp_value){g, -1, 0};
    if (!g || g->status != BP_OK || !check_arguments(g, "gradients", "cotangent", values, cotangents, n, wrt, m)) return;
    walk w = {.g = g, .n = (int32_t)g->n_nodes};
    bp_status status = prepare(&w, wrt, m);
    if (status == BP_OK) status = rank_nodes(&w, values, n);
    if (status != BP_OK) {
        bp__graph_fail(g, BP_MEMORY, "out of memory while building a gradient");
    } else {
        for (int i = 0; i < n && g->status == BP_OK; i++) {
            if (!w.leads[w.first_of[values[i].node] + values[i].output] || (cotangents && !cotangents[i].graph)) continue;
            contribute(&w, (bp__ref){values[i].node, values[i].output}, cotangents ? cotangents[i] : filled(g, values[i], 1), -1,
                       i);
        }
        for (int32_t i = w.n_order - 1; i >= 0 && g->status == BP_OK; i--) visit(&w, i);
        for (int j = 0; j < m && g->status == BP_OK; j++) {
            d[j] = adjoint(&w, w.first_of[wrt[j].node] + wrt[j].output);
            if (!d[j].graph) d[j] = filled(g, wrt[j], 0);
        }
    }
    bp__free(g->ctx, w.order);
    bp__free(g->ctx, w.first_of);
    bp__free(g->ctx, w.head);
    bp__free(g->ctx, w.leads);
    bp__free(g->ctx, w.items);
}

bp_value bp_gradient(bp_value y, bp_value x) {
    bp_value d;
    bp_gradients(&d, &y, NULL, 1, &x, 1);
    return d;
}

/* The gradient is linear in its cotangents u, Σ_i u_i J_ij: its own gradient for u, with the tangents as cotangents, is J w. What
   u holds does not matter. */
void bp_jvp(bp_value *d, const bp_value *values, int n, const bp_value *wrt, const bp_value *tangents, int m) {
    bp_graph *g = n > 0 ? values[0].graph : NULL;
    for (int i = 0; i < n; i++) d[i] = (bp_value){g, -1, 0};
    if (!g || g->status != BP_OK || !check_arguments(g, "jvp", "tangent", wrt, tangents, m, values, n)) return;
    bp_value *u = bp__pool_alloc(&g->pool, sizeof *u * (size_t)(n + m + 1)), *back = u ? u + n : NULL;
    if (!u) {
        bp__graph_fail(g, BP_MEMORY, "out of memory while building a gradient");
        return;
    }
    for (int i = 0; i < n; i++) u[i] = filled(g, values[i], 1);
    bp_gradients(back, values, u, n, wrt, m);
    bp_gradients(d, back, tangents, m, u, n);
}

void bp_hvp(bp_value *d, bp_value y, const bp_value *wrt, const bp_value *tangents, int m) {
    bp_graph *g = y.graph;
    for (int j = 0; j < m; j++) d[j] = (bp_value){g, -1, 0};
    if (!g || g->status != BP_OK || !check_arguments(g, "hvp", "tangent", wrt, tangents, m, &y, 1)) return;
    bp_value *first = bp__pool_alloc(&g->pool, sizeof *first * (size_t)(m + 1));
    if (!first) {
        bp__graph_fail(g, BP_MEMORY, "out of memory while building a gradient");
        return;
    }
    bp_gradients(first, &y, NULL, 1, wrt, m);
    bp_gradients(d, first, tangents, m, wrt, m);
}
