/* Gradient rules broken on purpose. A mutant is a copy of an operation whose rule runs the true one and then changes what that
   has built: the whole gradient of one input, or one node of it (the nodes behind are built again on the changed one). The
   product knows nothing of this: a node points to its operation, and the copy is an operation like any other. */
#ifndef BP__MUTANT_H
#define BP__MUTANT_H
#include "support/gradient_problem.h"

#define MUTATIONS(X)                                      \
    /* of the gradient of input `at` */                   \
    X(SIGN, "sign flipped")                               \
    X(SCALE, "1 % too large")                             \
    X(DROPPED, "left out")                                \
    X(PARTLY, "last third left out")                      \
    X(OVERWRITES, "replaces what came over another path") \
    X(TRANSPOSES, "transposed")                           \
    X(EXCHANGED, "given to another input")                \
    X(NOT_A_NUMBER, "NaN")                                \
    /* of node `at` of the rule */                        \
    X(NODE_SIGN, "sign flipped")                          \
    X(NODE_SCALE, "1 % too large")                        \
    X(NODE_FIRST, "only its first input")                 \
    X(NODE_SECOND, "only its second input")               \
    X(NODE_THIRD, "only its third input")                 \
    X(NODE_SWAPPED, "first two inputs swapped")           \
    X(NODE_AXIS, "another axis")                          \
    X(NODE_CONSTANT, "another constant")                  \
    X(NODE_BOUND, "bound of a comparison out instead of in, or in instead of out")

typedef enum mutation {
#define X(name, text) name,
    MUTATIONS(X)
#undef X
        N_MUTATIONS
} mutation;
static const char *const mutation_texts[] = {
#define X(name, text) text,
    MUTATIONS(X)
#undef X
};

typedef struct mutant {
    mutation how;
    int at;           /* the input, or the node counted from the first one that the rule builds */
    const bp__op *op; /* the node's operation: where another sample builds another node there, the mutant is not meant */
} mutant;

/* What the rule of the operation under test does. */
static struct {
    const bp__op *original; /* NULL: as it is */
    mutant m;
    const bp_value *other_path; /* [n_in]: what else flows into each input, or BP_NONE */
    bool applied;               /* the mutant changed something */
    int n_nodes;                /* the nodes that the true rule built … */
    const bp__op *nodes[256];   /* … and what they are */
} rule;

static inline bool same_info(bp_value a, bp_value b) {
    bp_dims x = bp_value_dims(a), y = bp_value_dims(b);
    return bp_value_dtype(a) == bp_value_dtype(b) && x.n == y.n && !memcmp(x.dim, y.dim, sizeof x.dim[0] * (size_t)x.n);
}
static inline bool is_real(bp_value x) { return x.graph && bp_value_dtype(x) <= BP_F64; }
static inline bp_value scaled(bp_value x, double by) { return bp_mul(x, bp_number(x.graph, bp_value_dtype(x), by)); }

/* Adds a node if its shape rule accepts it. BP_NONE: it does not. */
static inline bp_value try_add(bp_graph *g, const bp__op *op, const void *attrs, const bp_value *in, int32_t n_in) {
    bp_value y = bp__graph_add(g, op, attrs, in, n_in);
    if (g->status == BP_OK) return y;
    g->status = BP_OK;
    bp_context_clear_error(g->ctx);
    return BP_NONE;
}

/* x in the dims of y by row-major order. BP_NONE where they do not hold as many elements. */
static inline bp_value shaped_as(bp_value x, bp_value y) {
    bp_dims a = bp_value_dims(x), b = bp_value_dims(y);
    if (!is_real(x) || !is_real(y) || count_of(&a) != count_of(&b)) return BP_NONE;
    return same_info(x, y) ? x : bp_reshape(x, b);
}

static inline bp_value partly(bp_value d) {
    bp_dims dims = bp_value_dims(d);
    int64_t n = count_of(&dims), from = n - (n + 2) / 3;
    unsigned char *keep = room((size_t)n);
    for (int64_t i = 0; i < from; i++) keep[i] = 1;
    bp_value mask = bp_constant(d.graph, BP_U8, dims, keep);
    free(keep);
    return bp_where(mask, d, bp_number(d.graph, BP_F64, 0));
}

static inline bp_value transposed(bp_value d) {
    bp_dims dims = bp_value_dims(d), axes = {.n = dims.n};
    if (dims.n < 2) return BP_NONE;
    for (int64_t i = 0; i < dims.n; i++) axes.dim[i] = i;
    axes.dim[dims.n - 1] = dims.n - 2;
    axes.dim[dims.n - 2] = dims.n - 1;
    return shaped_as(bp_permute(d, axes), d);
}

/* Changes d_in[at]; the result goes back through the walker, which undoes broadcasting as always. */
static inline void change_gradient(bp__grad *c) {
    const int i = rule.m.at;
    bp_value d = i < c->n_in ? c->d_in[i] : BP_NONE, y = BP_NONE;
    if (!is_real(d)) return;
    switch (rule.m.how) {
    case SIGN: y = bp_neg(d); break;
    case SCALE: y = scaled(d, 1.01); break;
    case DROPPED: y = scaled(d, 0); break;
    case PARTLY: y = partly(d); break;
    case OVERWRITES:
        if (rule.other_path[i].graph) y = bp_sub(d, rule.other_path[i]);
        break;
    case TRANSPOSES: y = transposed(d); break;
    case EXCHANGED:
        for (int k = i + 1; k < c->n_in; k++) {
            bp_value e = c->d_in[k];
            if (!is_real(e) || !same_info(c->in[i], c->in[k])) continue;
            c->d_in[k] = d;
            y = e;
            break;
        }
        break;
    case NOT_A_NUMBER: y = scaled(d, (double)NAN); break;
    default: return;
    }
    if (!y.graph) return;
    c->d_in[i] = y;
    rule.applied = true;
}

static inline bp_value with_other_axis(bp_graph *g, const bp__node *node, const bp_value *in) {
    unsigned char attrs[512];
    if (node->op->attrs_size > sizeof attrs || node->n_in < 1 || !in[0].graph) return BP_NONE;
    int64_t rank = bp_value_dims(in[0]).n;
    memcpy(attrs, node->attrs, node->op->attrs_size);
    for (int32_t i = 0; i < node->op->n_attrs && rank > 1; i++) {
        const bp__attr *a = &node->op->attrs[i];
        int64_t *axis = (int64_t *)(void *)(attrs + a->offset);
        bp_dims *axes = (bp_dims *)(void *)(attrs + a->offset);
        bool one = a->type == BP__ATTR_I64 && !strcmp(a->name, "axis");
        bool list = a->type == BP__ATTR_DIMS && !strcmp(a->name, "axes") && axes->n == 1;
        if (!one && !list) continue;
        if (list) axis = &axes->dim[0];
        *axis = ((*axis < 0 ? *axis + rank : *axis) + 1) % rank;
        return try_add(g, node->op, attrs, in, node->n_in);
    }
    return BP_NONE;
}

static inline bp_value other_bound(bp_graph *g, const bp__node *node, const bp_value *in) {
    static const enum bp__op_id pairs[][2] = {
        {BP__OP_ID_gt, BP__OP_ID_ge}, {BP__OP_ID_ge, BP__OP_ID_gt}, {BP__OP_ID_lt, BP__OP_ID_le}, {BP__OP_ID_le, BP__OP_ID_lt}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (node->op == bp__op_id(pairs[i][0])) return try_add(g, bp__op_id(pairs[i][1]), NULL, in, node->n_in);
    return BP_NONE;
}

static inline bp_value other_constant(bp_graph *g, const bp__node *node) {
    if (node->out[0].dims.n > 0 || node->out[0].dtype != BP_F64) return BP_NONE;
    return bp_number(g, BP_F64, *(const double *)node->attrs + 0.37);
}

/* Input k of a node in place of its output. */
static inline bp_value only_input(const bp__node *node, const bp_value *in, int k, bp_value out) {
    if (k >= node->n_in || !is_real(in[k]) || node->op == bp__op_id(BP__OP_ID_reshape)) return BP_NONE;
    bp_value y = shaped_as(in[k], out);
    if (y.graph) return y;
    bp_dims from = bp_value_dims(in[k]), to = bp_value_dims(out);
    if (node->op == bp__op_id(BP__OP_ID_broadcast_to)) return BP_NONE; /* the same again */
    return from.n < to.n || count_of(&from) < count_of(&to)
               ? try_add(out.graph, bp__op_id(BP__OP_ID_broadcast_to), &to, &in[k], 1)
               : BP_NONE;
}

/* What stands in place of a node's output 0. BP_NONE: this mutation means nothing here. */
static inline bp_value change_node(bp_graph *g, const bp__node *node, const bp_value *in, bp_value out) {
    bool leaf = (node->op->flags & BP__OP_LEAF) != 0, real = is_real(out);
    bp_value other[MAX_SAMPLE_IN + 4], y = BP_NONE;
    if (rule.m.how == NODE_CONSTANT) return node->op == &bp__op_constant ? other_constant(g, node) : BP_NONE;
    if (leaf || node->n_in > (int)(sizeof other / sizeof other[0])) return BP_NONE;
    switch (rule.m.how) {
    case NODE_SIGN: return real ? bp_neg(out) : BP_NONE;
    case NODE_SCALE: return real ? scaled(out, 1.01) : BP_NONE;
    case NODE_FIRST: return real ? only_input(node, in, 0, out) : BP_NONE;
    case NODE_SECOND: return real ? only_input(node, in, 1, out) : BP_NONE;
    case NODE_THIRD: return real ? only_input(node, in, 2, out) : BP_NONE;
    case NODE_AXIS: y = with_other_axis(g, node, in); break;
    case NODE_BOUND: return other_bound(g, node, in);
    case NODE_SWAPPED:
        if (node->n_in < 2 || !in[0].graph || !in[1].graph) return BP_NONE;
        for (int32_t k = 0; k < node->n_in; k++) other[k] = in[k < 2 ? 1 - k : k];
        y = try_add(g, node->op, node->attrs, other, node->n_in);
        break;
    default: return BP_NONE;
    }
    if (!y.graph) return y;
    return same_info(y, out) ? y : shaped_as(y, out);
}

/* Builds the nodes behind the changed one again. */
static inline void change_inside(bp__grad *c, int64_t from) {
    bp_graph *g = c->g;
    int64_t to = g->n_nodes, at = from + rule.m.at;
    if (at >= to || g->nodes[at].op != rule.m.op) return;
    bp_value *map = room(sizeof *map * (size_t)(to - from) * 4), in[32];
    for (int64_t j = from; j < to; j++) {
        const bp__node node = g->nodes[j]; /* a copy: building moves the array */
        bool moved = false;
        if (node.n_in > 32 || node.n_out > 4) break;
        for (int k = 0; k < node.n_out; k++) map[(j - from) * 4 + k] = (bp_value){g, (int32_t)j, k};
        for (int32_t k = 0; k < node.n_in; k++) {
            in[k] = bp__value(g, node.in[k]);
            if (node.in[k].node < from) continue;
            in[k] = map[(node.in[k].node - from) * 4 + node.in[k].output];
            moved |= in[k].node != node.in[k].node || in[k].output != node.in[k].output;
        }
        if (j == at) {
            bp_value y = change_node(g, &node, in, (bp_value){g, (int32_t)j, 0});
            if (!y.graph || g->status != BP_OK) break;
            map[(j - from) * 4] = y;
            rule.applied = true;
        } else if (moved) {
            bp_value y = bp__graph_add(g, node.op, node.attrs, in, node.n_in);
            for (int k = 0; k < node.n_out; k++) map[(j - from) * 4 + k] = bp__output(y, k);
        }
    }
    for (int32_t i = 0; i < c->n_in && rule.applied; i++)
        if (c->d_in[i].graph && c->d_in[i].node >= from && c->d_in[i].node < to)
            c->d_in[i] = map[(c->d_in[i].node - from) * 4 + c->d_in[i].output];
    free(map);
}

static inline void mutated_gradient(bp__grad *c) {
    int64_t from = c->g->n_nodes;
    rule.original->gradient(c);
    rule.n_nodes = (int)(c->g->n_nodes - from);
    for (int i = 0; i < rule.n_nodes && i < 256; i++) rule.nodes[i] = c->g->nodes[from + i].op;
    if (rule.m.how < NODE_SIGN)
        change_gradient(c);
    else if (rule.m.how < N_MUTATIONS)
        change_inside(c, from);
}
#endif
