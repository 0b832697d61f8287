/* scan: an operation that holds a graph and runs it once per turn. The body is a graph of its own without variables; its inputs
   are carried values, slices of per-turn inputs, captured values and the number of the turn.

     node inputs:   inits [n_carry], xs [n_x], captured [n_captured]
     node outputs:  finals [n_carry], stacked [n_stacked], saved [n_saved]: the carried values before each turn, for the gradient

   A slice of x [d0, time, d1 …] (axis 1) is [d0, d1 …], of x [time, d0 …] (axis 0) [d0, d1 …]; what has no axis before time, one
   number a turn, lies along axis 0 in both. A body never changes once a node has it: rewriting makes another. */
#ifndef BP__SCAN_H
#define BP__SCAN_H
#include "graph/plan.h"

typedef struct bp__scan_attrs {
    bp_graph *body;      /* held by the graph that the node is in */
    bp_program *program; /* of the body: next, out; made for programs, held by them */
    int64_t axis, time;  /* time: how many turns, a dimension of the node's graph */
    bool reverse;
    int32_t n_carry, n_x, n_captured, n_stacked, n_saved;
    bp__ref turn; /* inputs of the body: the turn's number, i64 */
    bp__ref *carry, *x, *captured;
    bp__ref *next, *out; /* values of the body: [n_carry], [n_stacked] */
    int32_t *saved;      /* [n_saved]: of which carried value */
} bp__scan_attrs;
extern const bp__op bp__op_scan;

/* The axis along which slices of `slice_dims` dimensions are stacked. */
static inline int64_t bp__scan_axis(const bp__scan_attrs *a, int64_t slice_dims) { return BP__MIN(a->axis, slice_dims); }
/* slice's dimensions with the time axis put in. */
bp_dims bp__scan_stacked_dims(const bp__scan_attrs *a, const bp_dims *slice);
/* Adds a node: attrs are copied. in: inits, xs, captured, whose shapes were checked before. Returns output 0. */
bp_value bp__scan_add(bp_graph *g, const bp__scan_attrs *attrs, const bp_value *in);
/* An input of a body with a name that is unique there. */
bp_value bp__scan_input(bp_graph *body, const bp__info *info);
/* For every node of the body [n_nodes]: can what is reached from `roots` need it? Memory of the pool. NULL: out of memory. */
bool *bp__scan_reach(bp__pool *pool, const bp_graph *body, const bp__ref *roots, int64_t n);

/* Room for attrs' lists, in the pool of g. */
bp_status bp__scan_lists(bp_graph *g, bp__scan_attrs *a);

/* Hooks of the operation. */
void bp__scan_gradient(bp__grad *c);
void bp__scan_forward(const bp__call *c);
size_t bp__scan_scratch(const bp__call *c, int n_threads);
double bp__scan_flops(const bp__call *c);
bp_status bp__scan_compile(bp_program *p, bp__node *node);
bp_status bp__scan_bind(bp_session *s, bp__binding *b, const bp__node *node, const void **attrs);
#endif
