/* Plain arrays in, plain arrays out. Everything above calls these drivers; they cut the work by shape, give the pieces to
   the team and call the functions of one instruction set (bp__isa). The numbers a driver computes follow the rules of the
   order of sums (docs/kernels.md), so they are the same bits on every instruction set and for any number of threads. */
#ifndef BP__KERNEL_H
#define BP__KERNEL_H
#include "core/core.h"
#include "core/threads.h"

#define BP__MAX_DIMS 8
#define BP__TILE 512    /* elements of one element-wise tile: registers of the interpreter live in L1 */
#define BP__PANEL 32    /* columns of one panel of a matrix stored in panels */
#define BP__LANES 16    /* virtual lanes of every reduction: element i goes to lane i mod 16, lanes fold 8,4,2,1 */
#define BP__K_LEAF 4096 /* contractions above 2 leaves are cut into leaves joined pairwise (bp__gemm) */

/* A strided view. Strides count elements; 0 = broadcast. `panels`: a matrix of logical shape [columns, rows] (as a weight
   [out, in]) stored as the panels of its transpose: element (c, r) at ((c / 32) * rows + r) * 32 + c % 32; the columns are
   padded to a multiple of 32 with zeros, strides are meaningless, n_dims is 2. panels == 2: the same storage seen as the
   matrix itself, logical shape [rows, columns] (only the matrix product and bp__relayout meet it). */
typedef struct bp__tensor {
    void *data;
    int64_t dim[BP__MAX_DIMS];
    int64_t stride[BP__MAX_DIMS];
    int32_t n_dims;
    uint8_t dtype; /* bp_dtype */
    uint8_t panels;
} bp__tensor;

static inline int64_t bp__tensor_count(const bp__tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n *= t->dim[i];
    return n;
}

typedef struct bp__isa bp__isa;
typedef struct bp__failure { /* of a run: set by the first entry that fails, which ends it */
    bp_status status;
    char sentence[400];
} bp__failure;
/* What a kernel runs with. */
typedef struct bp__env {
    const bp__isa *isa;
    const struct bp__gemm_kernels *pairs; /* products of F32 are made by these (bp__gemm_args); NULL: in full */
    bp__team *team;
    void *scratch; /* 64-byte aligned; what the bind step asked for with the *_scratch functions */
    size_t scratch_bytes;
    uint64_t seed;
    uint32_t step;
    int64_t first_row;    /* number, within the step, of row 0 of this call (shards): random numbers are keyed by it */
    bp__failure *failure; /* only an operation from outside can fail; NULL: nothing that runs here may */
} bp__env;

/* ---- Instruction sets --------------------------------------------------------------------------------------------- */
const bp__isa *bp__isa_find(const char *name); /* NULL: not compiled in, or not usable here; NULL name: the best */
const char *bp__isa_name(const bp__isa *isa);
const char *bp__isa_list(int index); /* usable ones, best first; NULL after the last */

/* ---- Element-wise -------------------------------------------------------------------------------------------------- */
/* Opcodes come from elementwise.def: one row per formula. Registers 0 … n_in-1 are the inputs, then the constants, then
   temporaries. All arithmetic in `type` (F32 or F64; I64 for integer programs, reference loops only, restricted to the ops
   whose rows allow integers). Inputs of other dtypes are converted on load, outputs on store (float → integer truncates;
   comparisons give 1 and 0 and are usually stored as U8). */
enum bp__ew_op {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) BP__EW_##name,
#include "kernel/elementwise.def"
#undef EW
    BP__EW_COUNT
};
typedef struct bp__ew_instr {
    uint16_t op;
    uint16_t dst;
    uint16_t src[3];
    double p, q; /* the formula's parameters (leaky_relu's slope …) */
} bp__ew_instr;
enum { BP__EW_MAX_REGISTERS = 512 };
typedef struct bp__ew_program {
    bp_dtype type;
    int32_t n_in, n_const, n_reg, n_out, n_instr;
    const double *constant;    /* [n_const] */
    const uint16_t *out;       /* [n_out]: the register of each output */
    const bp__ew_instr *instr; /* [n_instr] */
    uint32_t one; /* bit i: input i is one number for all elements (others may turn out to be); compiled chains keep it in a
                     register */
    const struct bp__ew_compiled *compiled; /* a register-resident loop for exactly this program, or NULL (bp__ew_find) */
} bp__ew_program;
const char *bp__ew_name(int op);
/* Looks the program up among the chains compiled ahead (fused_chains.h); NULL when there is none. */
const struct bp__ew_compiled *bp__ew_find(const bp__isa *isa, const bp__ew_program *program);
/* One program over several independent segments (the parameters of an optimiser pass). tensors: n_segments groups of
   n_in inputs then n_out outputs. Within a segment the outputs have equal dims and are contiguous (or all full-size tensors
   are `panels` of one shape: then the padded storage is walked flat); inputs broadcast by stride 0. An output may share
   memory with an input of the same strides and dtype. Scratch per thread: bp__ew_scratch(program, n_threads) bytes. */
void bp__ew_run(const bp__env *env, const bp__ew_program *program, int64_t n_segments, const bp__tensor *tensors);
size_t bp__ew_scratch(const bp__ew_program *program, int n_threads);

/* ---- Matrix product ------------------------------------------------------------------------------------------------- */
typedef struct bp__matrix {
    void *data;
    int64_t row, col; /* strides in elements; ignored for panels */
    bool panels;      /* B: [K, N] in panels of 32 columns (panel j, row k at (j*K + k)*32). C likewise: [M, N]
                         With n_b > 1, B's `row` (when > 0) is the number of rows of its panels, instead of K:
                         n_b * K for the blocks of one weight, b_offset[b] = b * K * 32 */
} bp__matrix;
/* Applied to a finished chain, in this order: + bias[n] (row vector over columns), + residual[m,n], activation (a unary
   opcode of elementwise.def without parameters, or -1), then `mask`: C = mask[m,n] > 0 ? C : 0 (relu's gradient), then
   accumulate: C = C_old + value. NULL = absent. */
typedef struct bp__epilogue {
    const void *bias;
    bp__matrix residual; /* data NULL: none */
    int activation;      /* -1: none */
    bp__matrix mask;     /* data NULL: none */
    bool accumulate;
} bp__epilogue;
/* C[M,N] = Σ_b Σ_k A_b[M,K] B_b[K,N], with optional batch-reduce blocks: n_b blocks with element offsets a_offset[b],
   b_offset[b] (NULL: one block). Every output is one chain acc = fma(a, b, acc) from +0 in order of (b, k); a total depth above
   2 * BP__K_LEAF (only with n_b == 1) is cut into leaves of BP__K_LEAF joined in a pairwise tree. Any strides; K == 0
   gives the epilogue of 0. dtype F32 or F64. */
typedef struct bp__gemm_args {
    bp_dtype dtype;
    int64_t m, n, k;
    bp__matrix a, b, c;
    int64_t n_b;
    const int64_t *a_offset, *b_offset;
    bp__epilogue epilogue;
    const struct bp__gemm_kernels *pairs; /* NULL, or bp__gemm_pairs: A and B are rounded to bfloat16. F32, n_b = 1 */
} bp__gemm_args;
/* The kernels of products of bfloat16 numbers. In every pair of products the second is added first; with AVX512_BF16 the
   processor's own instruction does both. */
const struct bp__gemm_kernels *bp__gemm_pairs(const bp__isa *isa);
bool bp__gemm_pairs_native(const bp__isa *isa); /* the processor has an instruction for them */
void bp__gemm(const bp__env *env, const bp__gemm_args *args);
size_t bp__gemm_scratch(const bp__isa *isa, const bp__gemm_args *args, int n_threads); /* data pointers may be NULL here */
/* Reference: three loops and fma(); what the others are compared with by memcmp. Same arguments, any strides and panels. */
void bp__gemm_reference(const bp__gemm_args *args);
/* Plain or transposed matrix ↔ panels. `from`/`to` as bp__tensor (see `panels`), same logical [columns, rows]. */
void bp__relayout(const bp__env *env, const bp__tensor *to, const bp__tensor *from);

/* ---- Reductions ------------------------------------------------------------------------------------------------------ */
typedef enum bp__reduce_op { BP__SUM, BP__MAX, BP__MIN, BP__PROD, BP__ALL, BP__ANY } bp__reduce_op;
/* out has the dims of in with the reduced axes kept as 1 (bit i of axes: axis i is reduced). The reduced elements, in
   row-major order of the reduced axes, go to 16 lanes (i mod 16) that fold as lane[j] op= lane[j+8], +4, +2, +1. Sum's lanes
   start at +0, prod's at 1, max's at -inf; NaN propagates through max and min. F32, F64, I64. `in` strided, may be panels. */
void bp__reduce(const bp__env *env, bp__reduce_op op, uint32_t axes, const bp__tensor *out, const bp__tensor *in);
/* The same of what a program with one output gives, which goes through the caches only: over all axes, the first or the last
   (one bit, or all). tensors: the program's inputs, broadcast by stride 0, then one that says the shape and has no data. F32,
   F64. Scratch: bp__reduce_program_scratch bytes. */
void bp__reduce_program(const bp__env *env, bp__reduce_op op, uint32_t axes, void *out, const bp__ew_program *program,
                        const bp__tensor *tensors);
size_t bp__reduce_program_scratch(const bp__ew_program *program, int n_threads); /* n_threads: the team's */
/* First index of the largest (smallest) element along `axis`; NaN counts as largest/smallest, as in PyTorch. out I64. */
void bp__arg_reduce(const bp__env *env, bool largest, int axis, const bp__tensor *out, const bp__tensor *in);
/* Cumulative sum/product/max along an axis, one chain in index order. */
void bp__cumulative(const bp__env *env, bp__reduce_op op, int axis, const bp__tensor *out, const bp__tensor *in);
/* The largest (smallest) so far along an axis and where it is; of equal ones the last, NaN stays, as in PyTorch. */
void bp__cumulative_arg(const bp__env *env, bool largest, int axis, const bp__tensor *values, const bp__tensor *indices,
                        const bp__tensor *in);
/* out[0] = b[0], out[i] = fma(a[i], out[i-1], b[i]) along an axis; a[0] is not read. F32, F64; all of one shape. */
void bp__recurrence(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *a, const bp__tensor *b);
/* The k largest (smallest) along the last axis in order; ties by lower index; NaN largest. values dtype of in, indices I64. */
void bp__topk(const bp__env *env, int64_t k, bool largest, const bp__tensor *values, const bp__tensor *indices,
              const bp__tensor *in);
/* Rows of the last axis; equal bits to the decomposition max, sub, exp, sum(16 lanes), div / log. */
void bp__softmax(const bp__env *env, bool log_softmax, const bp__tensor *out, const bp__tensor *in);
/* loss (NULL: not wanted) [r] = -(log_softmax(x)[r, label[r]]) (label I64, < 0 or >= C: loss 0) and, when d is not NULL, d[r,c] =
   g[r] * (softmax
   - onehot), computed as mul(g, sub(softmax, onehot)) with the bits of that decomposition. */
void bp__softmax_xent(const bp__env *env, const bp__tensor *loss, const bp__tensor *d, const bp__tensor *x,
                      const bp__tensor *label, const bp__tensor *g);

/* ---- Moving ---------------------------------------------------------------------------------------------------------- */
/* Strided copy with conversion between any two dtypes (same dims; strides may be 0 in `in`); vectorised u8 → f32. */
void bp__copy(const bp__env *env, const bp__tensor *out, const bp__tensor *in);
/* out[i…, :] = in[index[i…], :]; in [n, …row], index I64 contiguous; an index outside [0, n) gives zeros. */
void bp__gather_rows(const bp__env *env, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index);
/* out (zeroed here) [n, …row] += in rows at index, in order of i for each row: no atomics, threads split rows of out. */
void bp__scatter_add_rows(const bp__env *env, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index);
/* take_along: out[…, j, …] = in[…, index[…, j, …], …] along axis, and its adjoint (out zeroed, added in index order). */
void bp__take_along(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index);
void bp__scatter_add(const bp__env *env, int axis, const bp__tensor *out, const bp__tensor *in, const bp__tensor *index);
/* Uniform [0,1) numbers of stream `stream`: row = index on axis 0, element = index within the row (core/rng.h). Step and
   seed from env. out contiguous F32 or F64. Vectorised Philox. */
void bp__fill_uniform(const bp__env *env, uint32_t stream, const bp__tensor *out);
/* The same with the standard normal distribution; computed in double precision for either type. */
void bp__fill_normal(const bp__env *env, uint32_t stream, const bp__tensor *out);

/* ---- Patches of images ------------------------------------------------------------------------------------------------- */
/* Where the windows of a kernel lie; [0] height, [1] width. */
typedef struct bp__window {
    int64_t kernel[2], stride[2], padding[2], dilation[2];
} bp__window;
/* columns [n, channels * kernel, places] = the patches of images [n, channels, height, width], zeros beyond the border; both
   contiguous, of one type. places: what the images' size gives. */
void bp__patches(const bp__env *env, const bp__window *w, const bp__tensor *columns, const bp__tensor *images);
/* Its adjoint: images (zeroed here) += columns, in order of the kernel's elements for each pixel. */
void bp__patches_add(const bp__env *env, const bp__window *w, const bp__tensor *images, const bp__tensor *columns);
#endif
