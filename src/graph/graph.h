/* The graph: an append-only list of nodes. A node is an operation of the table (op/op.h) with attributes and inputs; a value is
   one output of a node. Nodes are made in order, so a node's inputs always come before it. */
#ifndef BP__GRAPH_H
#define BP__GRAPH_H
#include "graph/dim.h"
#include "kernel/kernel.h"

typedef struct bp__op bp__op;

typedef struct bp__ref {  /* a value inside one graph */
    int32_t node, output; /* node -1: an optional input that is absent */
} bp__ref;

typedef struct bp__info { /* what is known of an output before sizes are */
    bp_dtype dtype;
    bp_dims dims;
    uint8_t panels; /* storage chosen by the layout pass; see bp__tensor */
} bp__info;

typedef struct bp__node {
    const bp__op *op;
    void *attrs;   /* the op's attribute struct; pool memory */
    bp__ref *in;   /* [n_in] */
    bp__info *out; /* [n_out] */
    int32_t n_in, n_out;
    const char *name; /* leaves: their name; others: the layer that made it, or NULL */
} bp__node;

typedef struct bp__variable {
    const char *name;
    bp__ref value;
    bp__info info;
    bp_init init;
    bool trainable;
    bp__ref assigned; /* node -1: never */
    bool laid_out;    /* info.panels is decided: the first state or program of the graph does it, all later ones keep to it */
} bp__variable;

typedef struct bp__dim_check { /* what shapes could not decide while building: checked when sizes are known */
    int64_t a, b;
    int32_t node;
} bp__dim_check;

struct bp_graph {
    bp_context *ctx;
    bp__pool pool;
    bp__dims_table *dims;
    bp_status status; /* sticky */
    bp_dtype parameter_dtype;
    bool bfloat16;     /* products of F32 round what they multiply */
    const char *scope; /* name given to nodes being built, or NULL */
    bp__node *nodes;
    int64_t n_nodes, cap_nodes;
    bp__variable *variables;
    int64_t n_variables, cap_variables;
    bp__dim_check *checks;
    int64_t n_checks, cap_checks;
    bp_graph **held; /* graphs that nodes of this one hold or share memory with */
    int64_t n_held, cap_held;
    int64_t n_holders; /* how many others hold this one: it is freed with the last */
};

/* Leaves; `attrs` of a variable is its index (int64_t *), of a constant its data, of an input nothing. */
extern const bp__op bp__op_input, bp__op_variable, bp__op_constant;

/* Fails the graph (first error wins) and returns the bad value. */
bp_value bp__graph_fail(bp_graph *g, bp_status status, const char *format, ...) BP__PRINTF(3, 4);
/* Adds a node: copies attrs (op->attrs_size bytes) and inputs, runs the shape rule. Absent optional inputs are BP_NONE. Returns
   output 0. `g` may be NULL when an input is given. */
bp_value bp__graph_add(bp_graph *g, const bp__op *op, const void *attrs, const bp_value *in, int32_t n_in);
/* The output k places behind `first`, which need not be output 0: a decomposition may end in the second output of a node. */
static inline bp_value bp__output(bp_value first, int32_t k) { return (bp_value){first.graph, first.node, first.output + k}; }
static inline bp_value bp__value(bp_graph *g, bp__ref r) {
    return r.node < 0 ? (bp_value){NULL, -1, 0} : (bp_value){g, r.node, r.output};
}
static inline const bp__info *bp__ref_info(const bp_graph *g, bp__ref r) { return &g->nodes[r.node].out[r.output]; }
/* Sets the layer path that nodes built from now on carry; the old one is returned for restoring. Copies. */
const char *bp__graph_scope(bp_graph *g, const char *scope);
bp_value bp__graph_leaf(bp_graph *g, const bp__op *op, const char *name, bp__info info, void *attrs);
bp_status bp__graph_push(bp_graph *g, const bp__node *node); /* appends a finished node (passes) */
bp_status bp__graph_hold(bp_graph *g, bp_graph *held);       /* `held` lives at least as long as g */
bp_graph *bp__graph_copy_shared(bp_graph *g);                /* the same nodes, to add others to; holds g. NULL: out of memory */
bp_graph *bp__graph_copy_empty(const bp_graph *g);           /* same context and dimensions, no nodes; NULL: out of memory */
#endif
