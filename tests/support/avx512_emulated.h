/* The AVX-512 intrinsics that kernel/vec.h uses, for processors that have AVX2 only: a 512-bit register is two 256-bit ones or
   16 or 8 plain lanes, a mask is the integer it also is there. Semantics from Intel's Intrinsics Guide. Arithmetic of
   floating-point lanes is the AVX2 instruction of the same name on each half, so that rounding, one rounding in a multiply-add,
   the operand that a minimum returns and the flushing of subnormals are the processor's; everything with masks and integers is a
   plain loop. */
#ifndef BP__AVX512_EMULATED_H
#define BP__AVX512_EMULATED_H
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef struct emulated_ps {
    __m256 half[2];
} emulated_ps;
typedef struct emulated_pd {
    __m256d half[2];
} emulated_pd;
typedef union emulated_si {
    uint32_t u32[16];
    uint64_t u64[8];
} emulated_si;
/* Our own names in place of the compiler's. */
#define __m512 emulated_ps
#define __m512d emulated_pd
#define __m512i emulated_si
#define EMULATED static inline __attribute__((always_inline, unused))

/* ---- The same bits as another type ---- */
EMULATED emulated_si emulated_castps_si512(emulated_ps a) {
    emulated_si r;
    memcpy(&r, &a, sizeof r);
    return r;
}
EMULATED emulated_si emulated_castpd_si512(emulated_pd a) {
    emulated_si r;
    memcpy(&r, &a, sizeof r);
    return r;
}
EMULATED emulated_ps emulated_castsi512_ps(emulated_si a) {
    emulated_ps r;
    memcpy(&r, &a, sizeof r);
    return r;
}
EMULATED emulated_pd emulated_castsi512_pd(emulated_si a) {
    emulated_pd r;
    memcpy(&r, &a, sizeof r);
    return r;
}

/* ---- Memory; lanes whose mask bit is 0 are not touched, and load as 0 where that is asked for ---- */
EMULATED emulated_ps emulated_loadu_ps(const void *p) {
    emulated_ps r;
    memcpy(&r, p, sizeof r);
    return r;
}
EMULATED void emulated_storeu_ps(void *p, emulated_ps a) { memcpy(p, &a, sizeof a); }
EMULATED emulated_ps emulated_maskz_loadu_ps(__mmask16 k, const void *p) {
    float x[16] = {0};
    for (int i = 0; i < 16; i++)
        if (k >> i & 1) x[i] = ((const float *)p)[i];
    return emulated_loadu_ps(x);
}
EMULATED void emulated_mask_storeu_ps(void *p, __mmask16 k, emulated_ps a) {
    float x[16];
    emulated_storeu_ps(x, a);
    for (int i = 0; i < 16; i++)
        if (k >> i & 1) ((float *)p)[i] = x[i];
}
EMULATED emulated_pd emulated_loadu_pd(const void *p) {
    emulated_pd r;
    memcpy(&r, p, sizeof r);
    return r;
}
EMULATED void emulated_storeu_pd(void *p, emulated_pd a) { memcpy(p, &a, sizeof a); }
EMULATED emulated_pd emulated_maskz_loadu_pd(__mmask8 k, const void *p) {
    double x[8] = {0};
    for (int i = 0; i < 8; i++)
        if (k >> i & 1) x[i] = ((const double *)p)[i];
    return emulated_loadu_pd(x);
}
EMULATED void emulated_mask_storeu_pd(void *p, __mmask8 k, emulated_pd a) {
    double x[8];
    emulated_storeu_pd(x, a);
    for (int i = 0; i < 8; i++)
        if (k >> i & 1) ((double *)p)[i] = x[i];
}
EMULATED emulated_si emulated_loadu_si512(const void *p) {
    emulated_si r;
    memcpy(&r, p, sizeof r);
    return r;
}
EMULATED void emulated_storeu_si512(void *p, emulated_si a) { memcpy(p, &a, sizeof a); }

/* ---- Floating point ---- */
EMULATED emulated_ps emulated_set1_ps(float x) { return (emulated_ps){{_mm256_set1_ps(x), _mm256_set1_ps(x)}}; }
EMULATED emulated_ps emulated_add_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_add_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_sub_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_sub_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_mul_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_mul_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_div_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_div_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_min_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_min_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_max_ps(emulated_ps a, emulated_ps b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_max_ps(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_ps emulated_fmadd_ps(emulated_ps a, emulated_ps b, emulated_ps c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fmadd_ps(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_ps emulated_fnmadd_ps(emulated_ps a, emulated_ps b, emulated_ps c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fnmadd_ps(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_ps emulated_fmsub_ps(emulated_ps a, emulated_ps b, emulated_ps c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fmsub_ps(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_ps emulated_sqrt_ps(emulated_ps a) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_sqrt_ps(a.half[h]);
    return a;
}
/* VDPBF16PS: each product is exact in float, so a multiply-add is a product and an addition. */
EMULATED emulated_ps emulated_dpbf16_ps(emulated_ps c, emulated_ps a, emulated_ps b) {
    const __m256i high = _mm256_set1_epi32(~0xffff);
    for (int h = 0; h < 2; h++) {
        __m256i x = _mm256_castps_si256(a.half[h]), y = _mm256_castps_si256(b.half[h]);
        __m256 odd_x = _mm256_castsi256_ps(_mm256_and_si256(x, high)), odd_y = _mm256_castsi256_ps(_mm256_and_si256(y, high));
        __m256 even_x = _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)), even_y = _mm256_castsi256_ps(_mm256_slli_epi32(y, 16));
        c.half[h] = _mm256_add_ps(_mm256_mul_ps(odd_x, odd_y), c.half[h]);
        c.half[h] = _mm256_add_ps(_mm256_mul_ps(even_x, even_y), c.half[h]);
    }
    return c;
}
/* Bits 7:4 of the immediate, how many bits of fraction to keep, are 0 here. */
EMULATED emulated_ps emulated_roundscale_ps(emulated_ps a, int how) {
    for (int h = 0; h < 2; h++) switch (how & 3) {
        case _MM_FROUND_TO_NEG_INF: a.half[h] = _mm256_round_ps(a.half[h], _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); break;
        case _MM_FROUND_TO_POS_INF: a.half[h] = _mm256_round_ps(a.half[h], _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); break;
        case _MM_FROUND_TO_ZERO: a.half[h] = _mm256_round_ps(a.half[h], _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); break;
        default: a.half[h] = _mm256_round_ps(a.half[h], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        }
    return a;
}
EMULATED __mmask16 emulated_cmp_ps_mask(emulated_ps a, emulated_ps b, int how) {
    int mask = 0;
    for (int h = 0; h < 2; h++) {
        int bits;
        switch (how) {
        case _CMP_LT_OQ: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_LT_OQ)); break;
        case _CMP_LE_OQ: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_LE_OQ)); break;
        case _CMP_GT_OQ: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_GT_OQ)); break;
        case _CMP_GE_OQ: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_GE_OQ)); break;
        case _CMP_EQ_OQ: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_EQ_OQ)); break;
        default: bits = _mm256_movemask_ps(_mm256_cmp_ps(a.half[h], b.half[h], _CMP_NEQ_UQ)); /* the only other one used */
        }
        mask |= bits << 8 * h;
    }
    return (__mmask16)mask;
}
/* Where the bit is 1, b. */
EMULATED emulated_ps emulated_mask_blend_ps(__mmask16 k, emulated_ps a, emulated_ps b) {
    float x[16], y[16];
    emulated_storeu_ps(x, a);
    emulated_storeu_ps(y, b);
    for (int i = 0; i < 16; i++) x[i] = k >> i & 1 ? y[i] : x[i];
    return emulated_loadu_ps(x);
}
EMULATED emulated_ps emulated_mask_mov_ps(emulated_ps other, __mmask16 k, emulated_ps a) {
    return emulated_mask_blend_ps(k, other, a);
}
EMULATED emulated_pd emulated_set1_pd(double x) { return (emulated_pd){{_mm256_set1_pd(x), _mm256_set1_pd(x)}}; }
EMULATED emulated_pd emulated_add_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_add_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_sub_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_sub_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_mul_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_mul_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_div_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_div_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_min_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_min_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_max_pd(emulated_pd a, emulated_pd b) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_max_pd(a.half[h], b.half[h]);
    return a;
}
EMULATED emulated_pd emulated_fmadd_pd(emulated_pd a, emulated_pd b, emulated_pd c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fmadd_pd(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_pd emulated_fnmadd_pd(emulated_pd a, emulated_pd b, emulated_pd c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fnmadd_pd(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_pd emulated_fmsub_pd(emulated_pd a, emulated_pd b, emulated_pd c) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_fmsub_pd(a.half[h], b.half[h], c.half[h]);
    return a;
}
EMULATED emulated_pd emulated_sqrt_pd(emulated_pd a) {
    for (int h = 0; h < 2; h++) a.half[h] = _mm256_sqrt_pd(a.half[h]);
    return a;
}
/* Bits 7:4 of the immediate, how many bits of fraction to keep, are 0 here. */
EMULATED emulated_pd emulated_roundscale_pd(emulated_pd a, int how) {
    for (int h = 0; h < 2; h++) switch (how & 3) {
        case _MM_FROUND_TO_NEG_INF: a.half[h] = _mm256_round_pd(a.half[h], _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); break;
        case _MM_FROUND_TO_POS_INF: a.half[h] = _mm256_round_pd(a.half[h], _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); break;
        case _MM_FROUND_TO_ZERO: a.half[h] = _mm256_round_pd(a.half[h], _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); break;
        default: a.half[h] = _mm256_round_pd(a.half[h], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        }
    return a;
}
EMULATED __mmask8 emulated_cmp_pd_mask(emulated_pd a, emulated_pd b, int how) {
    int mask = 0;
    for (int h = 0; h < 2; h++) {
        int bits;
        switch (how) {
        case _CMP_LT_OQ: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_LT_OQ)); break;
        case _CMP_LE_OQ: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_LE_OQ)); break;
        case _CMP_GT_OQ: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_GT_OQ)); break;
        case _CMP_GE_OQ: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_GE_OQ)); break;
        case _CMP_EQ_OQ: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_EQ_OQ)); break;
        default: bits = _mm256_movemask_pd(_mm256_cmp_pd(a.half[h], b.half[h], _CMP_NEQ_UQ)); /* the only other one used */
        }
        mask |= bits << 4 * h;
    }
    return (__mmask8)mask;
}
/* Where the bit is 1, b. */
EMULATED emulated_pd emulated_mask_blend_pd(__mmask8 k, emulated_pd a, emulated_pd b) {
    double x[8], y[8];
    emulated_storeu_pd(x, a);
    emulated_storeu_pd(y, b);
    for (int i = 0; i < 8; i++) x[i] = k >> i & 1 ? y[i] : x[i];
    return emulated_loadu_pd(x);
}
EMULATED emulated_pd emulated_mask_mov_pd(emulated_pd other, __mmask8 k, emulated_pd a) {
    return emulated_mask_blend_pd(k, other, a);
}

/* ---- Integers ---- */
EMULATED emulated_si emulated_setzero_si512(void) { return (emulated_si){.u64 = {0}}; }
EMULATED emulated_si emulated_set1_epi32(int32_t x) {
    emulated_si r;
    for (int i = 0; i < 16; i++) r.u32[i] = (uint32_t)x;
    return r;
}
EMULATED emulated_si emulated_slli_epi32(emulated_si a, unsigned n) {
    for (int i = 0; i < 16; i++) a.u32[i] = n < 32 ? a.u32[i] << n : 0;
    return a;
}
EMULATED emulated_si emulated_srli_epi32(emulated_si a, unsigned n) {
    for (int i = 0; i < 16; i++) a.u32[i] = n < 32 ? a.u32[i] >> n : 0;
    return a;
}
EMULATED __mmask16 emulated_cmplt_epi32_mask(emulated_si a, emulated_si b) {
    int mask = 0;
    for (int i = 0; i < 16; i++) mask |= ((int32_t)a.u32[i] < (int32_t)b.u32[i]) << i;
    return (__mmask16)mask;
}
EMULATED emulated_si emulated_set1_epi64(int64_t x) {
    emulated_si r;
    for (int i = 0; i < 8; i++) r.u64[i] = (uint64_t)x;
    return r;
}
EMULATED emulated_si emulated_slli_epi64(emulated_si a, unsigned n) {
    for (int i = 0; i < 8; i++) a.u64[i] = n < 64 ? a.u64[i] << n : 0;
    return a;
}
EMULATED emulated_si emulated_srli_epi64(emulated_si a, unsigned n) {
    for (int i = 0; i < 8; i++) a.u64[i] = n < 64 ? a.u64[i] >> n : 0;
    return a;
}
EMULATED __mmask8 emulated_cmplt_epi64_mask(emulated_si a, emulated_si b) {
    int mask = 0;
    for (int i = 0; i < 8; i++) mask |= ((int64_t)a.u64[i] < (int64_t)b.u64[i]) << i;
    return (__mmask8)mask;
}
EMULATED emulated_si emulated_add_epi32(emulated_si a, emulated_si b) {
    for (int i = 0; i < 16; i++) a.u32[i] = a.u32[i] + b.u32[i];
    return a;
}
EMULATED emulated_si emulated_mullo_epi32(emulated_si a, emulated_si b) {
    for (int i = 0; i < 16; i++) a.u32[i] = a.u32[i] * b.u32[i];
    return a;
}
EMULATED emulated_si emulated_and_si512(emulated_si a, emulated_si b) {
    for (int i = 0; i < 8; i++) a.u64[i] = a.u64[i] & b.u64[i];
    return a;
}
EMULATED emulated_si emulated_andnot_si512(emulated_si a, emulated_si b) {
    for (int i = 0; i < 8; i++) a.u64[i] = ~a.u64[i] & b.u64[i];
    return a;
}
EMULATED emulated_si emulated_or_si512(emulated_si a, emulated_si b) {
    for (int i = 0; i < 8; i++) a.u64[i] = a.u64[i] | b.u64[i];
    return a;
}
EMULATED emulated_si emulated_xor_si512(emulated_si a, emulated_si b) {
    for (int i = 0; i < 8; i++) a.u64[i] = a.u64[i] ^ b.u64[i];
    return a;
}
/* The low halves of 64-bit lanes. */
EMULATED emulated_si emulated_mul_epu32(emulated_si a, emulated_si b) {
    for (int i = 0; i < 8; i++) a.u64[i] = (a.u64[i] & 0xffffffff) * (b.u64[i] & 0xffffffff);
    return a;
}
EMULATED emulated_si emulated_mask_blend_epi32(__mmask16 k, emulated_si a, emulated_si b) {
    for (int i = 0; i < 16; i++) a.u32[i] = k >> i & 1 ? b.u32[i] : a.u32[i];
    return a;
}

/* ---- Conversions ---- */
EMULATED emulated_si emulated_cvtepu8_epi32(__m128i a) {
    uint8_t x[16];
    memcpy(x, &a, sizeof x);
    emulated_si r;
    for (int i = 0; i < 16; i++) r.u32[i] = x[i];
    return r;
}
EMULATED emulated_ps emulated_cvtepi32_ps(emulated_si a) {
    float x[16];
    for (int i = 0; i < 16; i++) x[i] = (float)(int32_t)a.u32[i];
    return emulated_loadu_ps(x);
}
EMULATED emulated_pd emulated_cvtepi32_pd(__m256i a) {
    int32_t x[8];
    double r[8];
    memcpy(x, &a, sizeof x);
    for (int i = 0; i < 8; i++) r[i] = x[i];
    return emulated_loadu_pd(r);
}

#undef _mm512_castps_si512
#define _mm512_castps_si512 emulated_castps_si512
#undef _mm512_castpd_si512
#define _mm512_castpd_si512 emulated_castpd_si512
#undef _mm512_castsi512_ps
#define _mm512_castsi512_ps emulated_castsi512_ps
#undef _mm512_castsi512_pd
#define _mm512_castsi512_pd emulated_castsi512_pd
#undef _mm512_loadu_ps
#define _mm512_loadu_ps emulated_loadu_ps
#undef _mm512_storeu_ps
#define _mm512_storeu_ps emulated_storeu_ps
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#undef _mm512_loadu_pd
#define _mm512_loadu_pd emulated_loadu_pd
#undef _mm512_storeu_pd
#define _mm512_storeu_pd emulated_storeu_pd
#undef _mm512_maskz_loadu_pd
#define _mm512_maskz_loadu_pd emulated_maskz_loadu_pd
#undef _mm512_mask_storeu_pd
#define _mm512_mask_storeu_pd emulated_mask_storeu_pd
#undef _mm512_loadu_si512
#define _mm512_loadu_si512 emulated_loadu_si512
#undef _mm512_storeu_si512
#define _mm512_storeu_si512 emulated_storeu_si512
#undef _mm512_set1_ps
#define _mm512_set1_ps emulated_set1_ps
#undef _mm512_add_ps
#define _mm512_add_ps emulated_add_ps
#undef _mm512_sub_ps
#define _mm512_sub_ps emulated_sub_ps
#undef _mm512_mul_ps
#define _mm512_mul_ps emulated_mul_ps
#undef _mm512_div_ps
#define _mm512_div_ps emulated_div_ps
#undef _mm512_min_ps
#define _mm512_min_ps emulated_min_ps
#undef _mm512_max_ps
#define _mm512_max_ps emulated_max_ps
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps emulated_fmadd_ps
#undef _mm512_fnmadd_ps
#define _mm512_fnmadd_ps emulated_fnmadd_ps
#undef _mm512_fmsub_ps
#define _mm512_fmsub_ps emulated_fmsub_ps
#undef _mm512_sqrt_ps
#define _mm512_sqrt_ps emulated_sqrt_ps
#undef _mm512_roundscale_ps
#define _mm512_roundscale_ps emulated_roundscale_ps
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask emulated_cmp_ps_mask
#undef _mm512_mask_blend_ps
#define _mm512_mask_blend_ps emulated_mask_blend_ps
#undef _mm512_mask_mov_ps
#define _mm512_mask_mov_ps emulated_mask_mov_ps
#undef _mm512_set1_pd
#define _mm512_set1_pd emulated_set1_pd
#undef _mm512_add_pd
#define _mm512_add_pd emulated_add_pd
#undef _mm512_sub_pd
#define _mm512_sub_pd emulated_sub_pd
#undef _mm512_mul_pd
#define _mm512_mul_pd emulated_mul_pd
#undef _mm512_div_pd
#define _mm512_div_pd emulated_div_pd
#undef _mm512_min_pd
#define _mm512_min_pd emulated_min_pd
#undef _mm512_max_pd
#define _mm512_max_pd emulated_max_pd
#undef _mm512_fmadd_pd
#define _mm512_fmadd_pd emulated_fmadd_pd
#undef _mm512_fnmadd_pd
#define _mm512_fnmadd_pd emulated_fnmadd_pd
#undef _mm512_fmsub_pd
#define _mm512_fmsub_pd emulated_fmsub_pd
#undef _mm512_sqrt_pd
#define _mm512_sqrt_pd emulated_sqrt_pd
#undef _mm512_roundscale_pd
#define _mm512_roundscale_pd emulated_roundscale_pd
#undef _mm512_cmp_pd_mask
#define _mm512_cmp_pd_mask emulated_cmp_pd_mask
#undef _mm512_mask_blend_pd
#define _mm512_mask_blend_pd emulated_mask_blend_pd
#undef _mm512_mask_mov_pd
#define _mm512_mask_mov_pd emulated_mask_mov_pd
#undef _mm512_setzero_si512
#define _mm512_setzero_si512 emulated_setzero_si512
#undef _mm512_set1_epi32
#define _mm512_set1_epi32 emulated_set1_epi32
#undef _mm512_slli_epi32
#define _mm512_slli_epi32 emulated_slli_epi32
#undef _mm512_srli_epi32
#define _mm512_srli_epi32 emulated_srli_epi32
#undef _mm512_cmplt_epi32_mask
#define _mm512_cmplt_epi32_mask emulated_cmplt_epi32_mask
#undef _mm512_set1_epi64
#define _mm512_set1_epi64 emulated_set1_epi64
#undef _mm512_slli_epi64
#define _mm512_slli_epi64 emulated_slli_epi64
#undef _mm512_srli_epi64
#define _mm512_srli_epi64 emulated_srli_epi64
#undef _mm512_cmplt_epi64_mask
#define _mm512_cmplt_epi64_mask emulated_cmplt_epi64_mask
#undef _mm512_add_epi32
#define _mm512_add_epi32 emulated_add_epi32
#undef _mm512_mullo_epi32
#define _mm512_mullo_epi32 emulated_mullo_epi32
#undef _mm512_and_si512
#define _mm512_and_si512 emulated_and_si512
#undef _mm512_andnot_si512
#define _mm512_andnot_si512 emulated_andnot_si512
#undef _mm512_or_si512
#define _mm512_or_si512 emulated_or_si512
#undef _mm512_xor_si512
#define _mm512_xor_si512 emulated_xor_si512
#undef _mm512_mul_epu32
#define _mm512_mul_epu32 emulated_mul_epu32
#undef _mm512_mask_blend_epi32
#define _mm512_mask_blend_epi32 emulated_mask_blend_epi32
#undef _mm512_cvtepu8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#undef _mm512_cvtepi32_pd
#define _mm512_cvtepi32_pd emulated_cvtepi32_pd
#endif
