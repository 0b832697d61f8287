/* From a graph to kernel calls, in two halves. A program is made once: a copy of what the entry points reach, rewritten by passes
   and put in order; it knows no sizes. A binding is made per sizes: offsets into one arena, tensors, kernels. */
#ifndef BP__PLAN_H
#define BP__PLAN_H
#include "op/op.h"

typedef struct bp__root { /* an assignment in a program: `value` goes to the variable of the state block */
    int64_t variable;     /* index in the graph's list */
    bp__ref value;
} bp__root;

struct bp_program {
    bp_context *ctx;
    bp_graph *g;       /* the rewritten copy; nodes in order of execution */
    bp_graph *source;  /* borrowed: names of variables */
    bp__ref *outputs;  /* [n_outputs] */
    bp__root *assigns; /* [n_assigns] */
    bp__ref ok;        /* node -1: commits always */
    int64_t n_outputs, n_assigns;
    bp_program **nested; /* of the graphs that nodes hold */
    int64_t n_nested, cap_nested;
    bool plain;          /* nothing is rewritten but for the layout of variables */
    int64_t commit_from; /* nodes from here on only feed assignments: they run after `ok` is known */
};

/* Where a variable lies. */
typedef struct bp__place {
    const char *name; /* owned by the state */
    bp__info info;    /* with panels */
    bp_init init;
    bool trainable;
    size_t offset, bytes; /* in the block; bytes as stored, pads included */
} bp__place;
struct bp_state {
    bp_context *ctx;
    unsigned char *block;
    size_t bytes;
    bp__place *places;
    int64_t n_places;
};
/* Plain rows of a variable, from a block with the state's layout. */
void bp__place_plain(const bp__place *p, unsigned char *block, void *to);
bp_status bp__state_copy(bp_state *s, const char *to, const char *from); /* two variables of one type and shape */
size_t bp__info_bytes(const bp__info *info);                             /* stored size; dims must be numbers */
/* Which variables of the graph are kept in panels: [n_variables] flags, from the graph alone. */
bp_status bp__layout_variables(bp_graph *g, uint8_t *panels);

/* ---- Passes: each rewrites program->g. One line per pass in passes.def. ---------------------------------------------------- */
typedef bp_status (*bp__pass)(bp_program *p);
#define PASS(name, reorders, text) bp_status bp__pass_##name(bp_program *p);
#include "graph/passes/passes.def"
#undef PASS

/* Outputs of scans that nothing reads, and what only they need, are dropped. Always done: values saved for a gradient cost
 * memory. */
bp_status bp__scan_trim(bp_program *p);

/* A rewriting in progress: old values map to new ones. */
typedef struct bp__rewrite {
    bp_program *p;
    bp__node *old; /* the nodes before; freed at the end */
    int64_t n_old;
    bp__ref **map; /* [n_old][n_out]: the new value of each old output; node -1: not made */
} bp__rewrite;
bp_status bp__rewrite_begin(bp__rewrite *w, bp_program *p);
bp__ref bp__rewrite_ref(const bp__rewrite *w, bp__ref old);
bp_status bp__rewrite_keep(bp__rewrite *w, int64_t old); /* copies an old node with its inputs mapped */
bp_status bp__rewrite_end(bp__rewrite *w);               /* maps the roots, frees */
void bp__rewrite_abandon(bp__rewrite *w);
/* Uses of every value by nodes and roots: counts[first[node] + output]. */
typedef struct bp__uses {
    int64_t *first;
    int32_t *count;
} bp__uses;
bp_status bp__uses_count(const bp_program *p, bp__uses *u);
void bp__uses_free(const bp_program *p, bp__uses *u);

/* Operations that only passes make. */
typedef struct bp__fused_attrs { /* a chain of element-wise operations: one program, any inputs, several outputs */
    bp__ew_program program;
    int64_t n_segments; /* 1; more where bind.c merged equal programs */
} bp__fused_attrs;
typedef struct bp__gemm_attrs { /* in: a, b, bias?, mask? */
    int32_t activation;         /* opcode or -1 */
} bp__gemm_attrs;
extern const bp__op bp__op_fused, bp__op_condensed, bp__op_gemm, bp__op_relayout;
const bp__ew_program *bp__condensed_program(const void *attrs);
bool bp__scalar_constant(const bp__node *n, double *v);        /* a constant that is one number */
void bp__ew_parameters(const bp__node *node, bp__ew_instr *x); /* p and q from the node's attributes */

/* ---- Binding ------------------------------------------------------------------------------------------------------------ */
enum bp__space { BP__SPACE_ARENA, BP__SPACE_STATE, BP__SPACE_INPUT, BP__SPACE_CONSTANT };
typedef struct bp__slot { /* where a value lies; becomes a pointer when the arena and the inputs have their places */
    uint8_t space;
    int32_t index;  /* arena: its buffer; state: its place; input: its number */
    int64_t offset; /* bytes added by views */
    const void *constant;
    bp__tensor t; /* data unused */
} bp__slot;
typedef struct bp__buffer_life { /* a piece of the arena, from the entry that fills it to the last that reads it */
    size_t bytes, offset;
    int32_t first, last;
} bp__buffer_life;
typedef struct bp__entry {
    void (*run)(const bp__call *c);
    bp__call call;
    bp__slot *slots; /* [n_in + n_out]: of the call's tensors */
    const bp__op *op;
    const char *name; /* the layer, or NULL */
    bool shares;      /* an output may take the memory of an input */
} bp__entry;
typedef struct bp__binding {
    bp__pool pool;
    int64_t *symbols; /* [n_symbols] */
    bp__entry *entries;
    int64_t n_entries, cap_entries, commit_from;
    bp__buffer_life *buffers;
    int64_t n_buffers, cap_buffers;
    bp__slot *outputs; /* [n_outputs] */
    bp__slot ok;
    bp_session **nested; /* sessions of the graphs that nodes hold, with arenas of their own */
    int64_t n_nested, cap_nested;
    size_t arena_bytes, scratch_bytes;
    uint64_t used; /* for replacing the least recently used */
    bool bound;
    const void *arena; /* what the tensors were last resolved against */
} bp__binding;

typedef struct bp__input {
    const char *name;
    int32_t node;
    const void *data;
    bp_dims dims;
    bool set;
} bp__input;
enum { BP__BINDINGS = 8 };
struct bp_session {
    bp_context *ctx;
    bp_program *program;
    bp_state *state;
    bp__env env;
    bp__failure failure; /* of the last run */
    bp__input *inputs;
    int64_t n_inputs, n_symbols;
    int64_t *symbols;
    bool nested; /* of a graph that a node holds: its owner gives the symbols and feeds the inputs */
    bool dirty;  /* sizes may have changed since the last run */
    bp__binding bindings[BP__BINDINGS];
    bp__binding *current;
    unsigned char *arena;
    size_t arena_bytes;
    uint64_t clock;
    bool committed;
};
/* For the owner of a nested session whose symbols are set: binds and makes the arena; then one run, which allocates nothing and
   stops where env.failure says so. */
bp_status bp__session_prepare(bp_session *s);
void bp__session_turn(bp_session *s);
/* Runs without committing and looks at every value: the operation and the layer (or NULL) of the first that is not finite though
   its inputs are; NULL where there is none. Borrowed from the program. */
bp_status bp__session_first_bad(bp_session *s, const char **operation, const char **layer);
bp_status bp__bind(bp_session *s, bp__binding *b);
void bp__binding_free(bp_context *ctx, bp__binding *b);
#endif
