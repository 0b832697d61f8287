/* What an operation is. One file in src/op/ and one line in ops.def (or one row of kernel/elementwise.def) make one; the table,
   the constructors, attribute structs and documentation are generated from the lines. See CONTRIBUTING, "Anatomy of an
   operation". */
#ifndef BP__OP_H
#define BP__OP_H
#include "graph/graph.h"

/* ---- Attributes (generated structs; reflected here for comparing, hashing, printing, model files) ---------------------- */
typedef enum bp__attr_type {
    BP__ATTR_F64,
    BP__ATTR_I64,
    BP__ATTR_BOOL,
    BP__ATTR_DIMS,
    BP__ATTR_DTYPE,
    BP__ATTR_TEXT
} bp__attr_type;
typedef struct bp__attr {
    const char *name;
    bp__attr_type type;
    size_t offset; /* in the attribute struct; f64 double, i64 int64_t, bool int32_t, dims bp_dims, dtype int32_t, text const char
                    * (pool) */
    bool required;
} bp__attr;

/* ---- Shape rule ------------------------------------------------------------------------------------------------------- */
typedef struct bp__infer {
    bp_graph *g;
    const bp__node *node;
    void *attrs;         /* may be completed here (negative axes made positive, reshape's -1 replaced) */
    const bp__info **in; /* [n_in]; NULL for an absent optional input */
    int32_t n_in;
    bp__info *out;      /* [n_out] to fill */
    char text[16][160]; /* what bp__infer_shape gives, in turn */
    int32_t n_text;
} bp__infer;
/* Fails with "OP: sentence"; %-arguments as printf. Always returns BP_SHAPE (or BP_TYPE) for `return`. */
bp_status bp__infer_fail(bp__infer *c, bp_status status, const char *format, ...) BP__PRINTF(3, 4);
/* The text of input i's shape, in a buffer of the call (16 rotating). */
const char *bp__infer_shape(bp__infer *c, int i);
/* Are two dimensions equal? Different numbers: false. Undecidable forms: a check for bind is recorded, true. */
bool bp__infer_equal(bp__infer *c, int64_t a, int64_t b);
/* Broadcasts b into *a (only literal 1 broadcasts). false: they do not fit. */
bool bp__infer_broadcast(bp__infer *c, bp_dims *a, const bp_dims *b);
/* Makes axis non-negative for n dims; false when out of range. */
bool bp__infer_axis(int64_t *axis, int64_t n);
bp_status bp__infer_same(bp__infer *c); /* out[0] = in[0]'s info */
bp_status bp__infer_need_float(bp__infer *c, int i);

/* ---- Kernel ------------------------------------------------------------------------------------------------------------ */
typedef struct bp__call {
    const bp__env *env;
    const bp__tensor *in;  /* [n_in]; data NULL and n_dims 0 for an absent input */
    const bp__tensor *out; /* [n_out], contiguous (or panels) */
    int32_t n_in, n_out;
    const void *attrs;
} bp__call;

/* ---- Gradient rule ------------------------------------------------------------------------------------------------------ */
typedef struct bp__grad {
    bp_graph *g;
    const void *attrs;
    const bp_value *in;    /* [n_in] */
    const bp_value *out;   /* [n_out] */
    const bp_value *d_out; /* [n_out]; BP_NONE where nothing flows */
    const bool *wanted;    /* [n_in] */
    bp_value *d_in; /* [n_in] to fill where wanted; may have the broadcast shape: the walker sums it back; BP_NONE = zero */
    int32_t n_in, n_out;
} bp__grad;

/* ---- Samples: what the gradient check, the fuzzer and the benchmark feed it ---------------------------------------------- */
typedef struct bp__sample_in {
    bp_dims dims;
    double low, high; /* uniform in [low, high); low > high: absent (an optional input left out) */
    bp_dtype dtype;   /* BP_F32 stands for the float type under test; integers are drawn from {low … high-1} */
    double distance;  /* > 0: values are pushed apart to be at least this far from each other (max, topk, sort) */
    double diagonal;  /* added to the diagonal of the last two axes: matrices that are well conditioned, or positive definite */
} bp__sample_in;
typedef struct bp__sample {
    const void *attrs; /* NULL: defaults */
    int32_t n_in;
    bp__sample_in in[6];
} bp__sample;

struct bp__binding;
typedef enum bp__op_flags {
    BP__OP_LEAF = 1, /* input, parameter, constant */
    BP__OP_COMMUTES = 2,
    BP__OP_DENSE_IN = 4,     /* the kernel wants contiguous inputs: the plan copies where they are not */
    BP__OP_RANDOM = 8,       /* reads the step's random stream */
    BP__OP_NO_GRADIENT = 16, /* not differentiable (integers out, or stop_gradient) */
    BP__OP_DIMS_ONLY = 32,   /* reads its inputs' sizes only, never their data */
    BP__OP_HIDDEN = 64       /* made by passes; no constructor, not listed */
} bp__op_flags;

struct bp__op {
    const char *name, *family, *formula;
    const char *const *in_names;  /* [n_in]; a leading '?' = optional, a leading '*' = any number (the only input) */
    const char *const *out_names; /* [n_out]; NULL: hidden operations */
    int32_t n_in, n_out;          /* n_in -1: variadic */
    const bp__attr *attrs;
    int32_t n_attrs;
    size_t attrs_size;
    const void *attr_defaults; /* required ones zero */
    uint32_t flags;
    int32_t ew_op; /* opcode of elementwise.def, or -1 */
    bp_status (*infer)(bp__infer *c);
    void (*forward)(const bp__call *c); /* the reference kernel; NULL: decompose or view */
    size_t (*scratch)(const bp__call *c,
                      int n_threads);           /* bytes forward needs in env->scratch; NULL: none. Data pointers are NULL. */
    bool (*view)(bp__call *c, bp__tensor *out); /* output as a view of in[0]: true when possible; data is set by the caller
                                                   (offset through out->data as a byte offset) */
    bp_value (*decompose)(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in); /* the same from primitives */
    bool (*expands)(const bp__infer *c); /* NULL, or: are these inputs built as their parts although there is a kernel? */
    void (*gradient)(bp__grad *c);
    const bp__sample *samples;
    int32_t n_samples;
    double (*flops)(const bp__call *c); /* NULL: one per output element */
    /* Operations that hold a graph (graph/scan.h); NULL for all others. */
    void *(*attrs_copy)(bp_graph *to, const void *attrs); /* into to's pool, with what they point to; NULL: out of memory */
    bool (*attrs_equal)(const void *a, const void *b);
    bp_status (*compile)(struct bp_program *p, bp__node *node); /* last step of making a program */
    bp_status (*bind)(struct bp_session *s, struct bp__binding *b, const bp__node *node,
                      const void **attrs); /* may replace what calls see as attrs */
};

/* What an operation's file defines: `const bp__op_def bp__def_NAME = {BP__SIGNATURE(NAME), .family = …, .formula = …, .infer =
   …}`, found by the table through the line in ops.def. BP__SIGNATURE (ops_generated.h) fills the members that the line says. */
typedef struct bp__op bp__op_def;

int bp__op_count(void);
const bp__op *bp__op_at(int index);
const bp__op *bp__op_find(const char *name); /* NULL: no such operation */
const bp__op *bp__op_ew(int ew_op);
bool bp__attrs_equal(const bp__op *op, const void *a, const void *b);

#include "op/ops_generated.h" /* struct bp__NAME_attrs and enum bp__op_id */
const bp__op *bp__op_id(enum bp__op_id id);
#endif
