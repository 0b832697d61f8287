/* One table of functions per instruction set. isa_body.h fills it; each isa_NAME.c compiles that once. */
#ifndef BP__ISA_H
#define BP__ISA_H
#include "kernel/kernel.h"
#include "kernel/gemm_tile.h"
#include "kernel/reduce_kernels.h"

/* ---- Element-wise (ew_body.h) ----------------------------------------------------------------------------------------- */
/* One formula over n elements. Inputs the formula does not have are NULL. dst may be one of the inputs. */
typedef void (*bp__ew_tile)(void *dst, const void *a, const void *b, const void *c, double p, double q, int64_t n);
/* A whole program over n elements with all values in vector registers. in, out: one pointer per input and output, elements of
   the program's type; one element where the program says so (`one`). Outputs may be inputs. */
enum { BP__CHAIN_AHEAD = 640 }; /* bytes: how far a chain asks for memory ahead of what it reads */
typedef void (*bp__ew_chain)(void *const *out, const void *const *in, int64_t n);
/* A chain compiled ahead: the program it is for, and its functions for float and double. The type is no part of it. */
typedef struct bp__ew_compiled {
    const char *name;
    uint32_t one;
    int32_t n_in, n_const, n_reg, n_out, n_instr;
    const double *constant;
    const uint16_t *out;
    const bp__ew_instr *instr;
    bp__ew_chain run_f32, run_f64;
} bp__ew_compiled;

/* The functions for one type. */
typedef struct bp__isa_type {
    const bp__ew_tile *ew; /* [BP__EW_COUNT] */

    /* ---- Matrix product (gemm_body.h) ----------------------------------------------------------------------------------- */
    const struct bp__gemm_kernels *gemm;  /* gemm_tile.h */
    const struct bp__gemm_kernels *pairs; /* for numbers rounded to bfloat16, of F32 only */

    /* ---- Reductions and moving (reduce_body.h) -------------------------------------------------------------------------- */
    const struct bp__reduce_kernels *reduce; /* reduce_kernels.h */

} bp__isa_type;

struct bp__isa {
    const char *name;
    bp__isa_type f32, f64;
    const bp__ew_compiled *chain; /* [n_chains] */
    int64_t n_chains;
};

extern const bp__isa bp__isa_scalar;
#ifdef BP_HAVE_ISA_AVX2
extern const bp__isa bp__isa_avx2;
#endif
#ifdef BP_HAVE_ISA_AVX512
extern const bp__isa bp__isa_avx512;
#endif
#ifdef BP_HAVE_ISA_AVX512_BF16
extern const struct bp__gemm_kernels *const bp__gemm_pairs_avx512_bf16;
#endif
#ifdef BP_HAVE_ISA_NEON
extern const bp__isa bp__isa_neon;
#endif

#endif
