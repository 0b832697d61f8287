/* Everything of one instruction set, for float and for double. isa_NAME.c defines BP__VEC_NAME and BP__ISA_NAME, then
   includes this. */
#include "kernel/isa.h"
#include "core/rng.h"
/* Where the chains compiled ahead are; tests compile others. */
#ifndef BP__FUSED_CHAINS
#define BP__FUSED_CHAINS "kernel/fused_chains.h"
#endif

#define BP__T 4
#include "kernel/vec.h"
#include "kernel/vmath.h"
#include "kernel/ew_body.h"
#include "kernel/gemm_body.h"
#include "kernel/reduce_body.h"
#undef BP__T

#define BP__T 8
#include "kernel/vec.h"
#include "kernel/vmath.h"
#include "kernel/ew_body.h"
#include "kernel/gemm_body.h"
#include "kernel/reduce_body.h"
#undef BP__T

#include "kernel/ew_chains.h"

#define BP__ISA_TEXT2(x) #x
#define BP__ISA_TEXT(x) BP__ISA_TEXT2(x)
const bp__isa BP__JOIN(bp__isa_, BP__ISA_NAME) = {
    .name = BP__ISA_TEXT(BP__ISA_NAME),
    .f32 =
        {
            .ew = bp__ew_table_f32,
            .gemm = &bp__gemm_table_f32,
            .pairs = &bp__gemm_pairs_table,
            .reduce = &bp__reduce_table_f32,
        },
    .f64 =
        {
            .ew = bp__ew_table_f64,
            .gemm = &bp__gemm_table_f64,
            .reduce = &bp__reduce_table_f64,
        },
    .chain = bp__ew_chains,
    .n_chains = BP__EW_N_CHAINS,
};
