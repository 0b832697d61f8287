/* Products of bfloat16 numbers by the instruction VDPBF16PS; all else is isa_avx512.c's. Compiled with -mavx512bf16, too. */
#define BP__VEC_AVX512
#define BP__GEMM_PAIRS_ONLY
#define BP__GEMM_DOT(y, x, acc) _mm512_dpbf16_ps(acc, (__m512bh)(y), (__m512bh)(x))
#include "kernel/isa.h"
#define BP__T 4
#include "kernel/vec.h"
/* What the last step of a product needs of element-wise functions. */
#define bp__ew_table_f32 bp__isa_avx512.f32.ew
#define BP__EW_FORMULA(name) BP__JOIN(ew_##name, BP__SFX)
BP__INLINE V BP__EW_FORMULA(relu)(V a, V b, V c, double p, double q) {
    (void)b, (void)c, (void)p, (void)q;
    return v_select(v_gt(a, v_set(0)), a, v_select(v_is_nan(a), a, v_set(0)));
}
#include "kernel/gemm_body.h"
const bp__gemm_kernels *const bp__gemm_pairs_avx512_bf16 = &bp__gemm_pairs_table;
