/* Vectors: the only place where intrinsics are written. Everything that computes is built on these operations, and each
   of them gives the same bits in the plain version and on every instruction set (the bits inside a NaN excepted).

   Use. One translation unit per instruction set defines BP__VEC_SCALAR, BP__VEC_AVX2 or BP__VEC_AVX512, then
       #define BP__T 4          (float; 8: double)
       #include "kernel/vec.h"
       … code in terms of T, V, M, W, L16 and v_…, l_… …
       #undef BP__T
       #define BP__T 8
       #include "kernel/vec.h"
       … the same code again …
   Names do not collide: every operation is a macro that appends _f32 or _f64 according to the value BP__SFX has where
   the macro is expanded (v_add is v_add_f32 after an inclusion with BP__T 4). Templated code names its own functions with
   BP__TN(name). Include system and project headers before this one: T, V, M, W, U are macros afterwards.

   T scalar, V vector of W elements, M mask of W truth values, L16 the 16 virtual lanes of reductions.
   U vector of WU 32-bit unsigned integers (independent of BP__T), for the random numbers. */
#ifndef BP__VEC_H
#define BP__VEC_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined BP__VEC_AVX512 && defined BP__AVX512_HEADER
#include BP__AVX512_HEADER /* tests bring the intrinsics in software */
#elif defined BP__VEC_AVX2 || defined BP__VEC_AVX512
#include <immintrin.h>
#elif defined BP__VEC_SCALAR && defined __SSE2__
#include <emmintrin.h> /* for one_min and one_max */
#elif !defined BP__VEC_SCALAR
#error "define BP__VEC_SCALAR, BP__VEC_AVX2 or BP__VEC_AVX512 before including vec.h"
#endif

#define BP__JOIN2(a, b) a##b
#define BP__JOIN(a, b) BP__JOIN2(a, b)
#define BP__TN(name) BP__JOIN(name, BP__SFX)
#define BP__INLINE static inline __attribute__((always_inline, unused))
/* A function that is inlined once per use would be too much code (vector mathematics). */
#define BP__STATIC static inline __attribute__((unused))

#define T BP__TN(T)
#define V BP__TN(V)
#define M BP__TN(M)
#define W BP__TN(BP__W)
#define L16 BP__TN(L16)

/* v_load(p), v_store(p, v): W elements, any alignment. v_load_n(p, n), v_store_n(p, v, n): the first n of W (0 ≤ n ≤ W);
   memory behind them is not touched, lanes behind them load as +0. v_load_u8(p): W bytes, converted.
   v_set(double), v_splat(T): all lanes equal. v_fma(a, b, c) = a*b + c, v_fnma = c - a*b, v_fms = a*b - c, rounded once.
   v_min(a, b): a if a is NaN, else a < b ? a : b; v_max likewise with >. So NaN in either wins, and of equal zeros the
   second. v_floor … v_trunc as in C, v_round to nearest, ties to even. Comparisons with NaN are false, except v_ne.
   v_and, v_or, v_xor, v_not work on masks; v_any, v_all tell whether some, all lanes are true. v_select(m, x, y) = m ? x : y.
   v_copysign(x, s) as in C; v_sign_is_set(x): the sign bit; v_clear_low(x): the low half of the fraction bits cleared.
   v_pow2i(n) = 2^n for integral n in the range of normal exponents; v_scale(x, n) = x * 2^n for integral n in about twice
   that range, by two multiplications; v_exponent(x), v_mantissa(x): floor(log2 x) and x / 2^that for normal x > 0.
   l_load(p): lane i = p[i]; l_load_n(p, n, x): the first n (0 ≤ n ≤ 16), others x; l_fma(a, b, acc) per lane;
   l_fold_add(l): lane[j] += lane[j + 8] for j < 8, then + 4, + 2, + 1, gives lane[0]; mul, max, min likewise, with the lower lane
   as the first operand. */
#define v_load BP__TN(v_load)
#define v_load_n BP__TN(v_load_n)
#define v_store BP__TN(v_store)
#define v_store_n BP__TN(v_store_n)
#define v_load_u8 BP__TN(v_load_u8)
#define v_set BP__TN(v_set)
#define v_splat BP__TN(v_splat)
#define v_add BP__TN(v_add)
#define v_sub BP__TN(v_sub)
#define v_mul BP__TN(v_mul)
#define v_div BP__TN(v_div)
#define v_fma BP__TN(v_fma)
#define v_fnma BP__TN(v_fnma)
#define v_fms BP__TN(v_fms)
#define v_neg BP__TN(v_neg)
#define v_abs BP__TN(v_abs)
#define v_sqrt BP__TN(v_sqrt)
#define v_min BP__TN(v_min)
#define v_max BP__TN(v_max)
#define v_floor BP__TN(v_floor)
#define v_ceil BP__TN(v_ceil)
#define v_trunc BP__TN(v_trunc)
#define v_round BP__TN(v_round)
#define v_lt BP__TN(v_lt)
#define v_le BP__TN(v_le)
#define v_gt BP__TN(v_gt)
#define v_ge BP__TN(v_ge)
#define v_eq BP__TN(v_eq)
#define v_ne BP__TN(v_ne)
#define v_and BP__TN(v_and)
#define v_or BP__TN(v_or)
#define v_xor BP__TN(v_xor)
#define v_not BP__TN(v_not)
#define v_any BP__TN(v_any)
#define v_all BP__TN(v_all)
#define v_select BP__TN(v_select)
#define v_is_nan BP__TN(v_is_nan)
#define v_is_finite BP__TN(v_is_finite)
#define v_copysign BP__TN(v_copysign)
#define v_sign_is_set BP__TN(v_sign_is_set)
#define v_clear_low BP__TN(v_clear_low)
#define v_pow2i BP__TN(v_pow2i)
#define v_scale BP__TN(v_scale)
#define v_exponent BP__TN(v_exponent)
#define v_mantissa BP__TN(v_mantissa)
#define l_set BP__TN(l_set)
#define l_load BP__TN(l_load)
#define l_load_n BP__TN(l_load_n)
#define l_store BP__TN(l_store)
#define l_add BP__TN(l_add)
#define l_mul BP__TN(l_mul)
#define l_max BP__TN(l_max)
#define l_min BP__TN(l_min)
#define l_fma BP__TN(l_fma)
#define l_fold_add BP__TN(l_fold_add)
#define l_fold_mul BP__TN(l_fold_mul)
#define l_fold_max BP__TN(l_fold_max)
#define l_fold_min BP__TN(l_fold_min)

/* ---- 32-bit integers: u_mul_hi and u_mul_lo are the halves of the 64-bit product ------------------------------------- */
#if defined BP__VEC_SCALAR
#define WU 1
typedef uint32_t U;
BP__INLINE U u_set(uint32_t x) { return x; }
BP__INLINE U u_load(const uint32_t *p) { return *p; }
BP__INLINE void u_store(uint32_t *p, U a) { *p = a; }
BP__INLINE U u_add(U a, U b) { return a + b; }
BP__INLINE U u_xor(U a, U b) { return a ^ b; }
BP__INLINE U u_mul_lo(U a, U b) { return a * b; }
BP__INLINE U u_mul_hi(U a, U b) { return (uint32_t)((uint64_t)a * b >> 32); }
#define u_shr(a, n) ((a) >> (n))
#elif defined BP__VEC_AVX2
#define WU 8
typedef __m256i U;
BP__INLINE U u_set(uint32_t x) { return _mm256_set1_epi32((int)x); }
BP__INLINE U u_load(const uint32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
BP__INLINE void u_store(uint32_t *p, U a) { _mm256_storeu_si256((__m256i *)(void *)p, a); }
BP__INLINE U u_add(U a, U b) { return _mm256_add_epi32(a, b); }
BP__INLINE U u_xor(U a, U b) { return _mm256_xor_si256(a, b); }
BP__INLINE U u_mul_lo(U a, U b) { return _mm256_mullo_epi32(a, b); }
BP__INLINE U u_mul_hi(U a, U b) {
    __m256i even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
#define u_shr(a, n) _mm256_srli_epi32((a), (n))
#else
#define WU 16
typedef __m512i U;
BP__INLINE U u_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
BP__INLINE U u_load(const uint32_t *p) { return _mm512_loadu_si512((const void *)p); }
BP__INLINE void u_store(uint32_t *p, U a) { _mm512_storeu_si512((void *)p, a); }
BP__INLINE U u_add(U a, U b) { return _mm512_add_epi32(a, b); }
BP__INLINE U u_xor(U a, U b) { return _mm512_xor_si512(a, b); }
BP__INLINE U u_mul_lo(U a, U b) { return _mm512_mullo_epi32(a, b); }
BP__INLINE U u_mul_hi(U a, U b) {
    __m512i even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32((__mmask16)0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
#define u_shr(a, n) _mm512_srli_epi32((a), (n))
#endif
/* Values below 2^31 to float (24 significant bits are exact): WU lanes = the W of float. */
#if defined BP__VEC_SCALAR
BP__INLINE float u_to_f32(U a) { return (float)(int32_t)a; }
#elif defined BP__VEC_AVX2
BP__INLINE __m256 u_to_f32(U a) { return _mm256_cvtepi32_ps(a); }
#else
BP__INLINE __m512 u_to_f32(U a) { return _mm512_cvtepi32_ps(a); }
#endif
#endif /* BP__VEC_H */

/* ---- From here on once for float and once for double ------------------------------------------------------------------ */
#undef BP__SFX
#if BP__T == 4
#define BP__SFX _f32
#define BP__BITS uint32_t
#define BP__FRACTION 23 /* bits of the fraction */
#define BP__BIAS 127
typedef float T;
#elif BP__T == 8
#define BP__SFX _f64
#define BP__BITS uint64_t
#define BP__FRACTION 52
#define BP__BIAS 1023
typedef double T;
#else
#error "BP__T is 4 or 8"
#endif

/* The smaller and the larger of two numbers, NaN from a aside. Which instruction a compiler takes for a < b ? a : b decides
   whether a subnormal is flushed on the way, so on x86 the instruction is named: the one that the vectors have too. */
#if defined __SSE2__ && BP__T == 4
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : _mm_cvtss_f32(_mm_min_ss(_mm_set_ss(a), _mm_set_ss(b))); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : _mm_cvtss_f32(_mm_max_ss(_mm_set_ss(a), _mm_set_ss(b))); }
#elif defined __SSE2__
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : _mm_cvtsd_f64(_mm_min_sd(_mm_set_sd(a), _mm_set_sd(b))); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : _mm_cvtsd_f64(_mm_max_sd(_mm_set_sd(a), _mm_set_sd(b))); }
#else
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : a < b ? a : b; }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : a > b ? a : b; }
#endif

#if defined BP__VEC_SCALAR
enum { W = 1 };
typedef T V;
typedef bool M;
BP__INLINE BP__BITS BP__TN(bp__bits)(T a) {
    BP__BITS u;
    memcpy(&u, &a, sizeof u);
    return u;
}
BP__INLINE T BP__TN(bp__float)(BP__BITS u) {
    T a;
    memcpy(&a, &u, sizeof a);
    return a;
}
BP__INLINE V v_load(const T *p) { return *p; }
BP__INLINE void v_store(T *p, V a) { *p = a; }
BP__INLINE V v_load_n(const T *p, int64_t n) { return n > 0 ? *p : (T)0; }
BP__INLINE void v_store_n(T *p, V a, int64_t n) {
    if (n > 0) *p = a;
}
BP__INLINE V v_load_u8(const uint8_t *p) { return (T)*p; }
BP__INLINE V v_set(double x) { return (T)x; }
BP__INLINE V v_splat(T x) { return x; }
BP__INLINE V v_add(V a, V b) { return a + b; }
BP__INLINE V v_sub(V a, V b) { return a - b; }
BP__INLINE V v_mul(V a, V b) { return a * b; }
BP__INLINE V v_div(V a, V b) { return a / b; }
BP__INLINE V v_neg(V a) { return BP__TN(bp__float)(BP__TN(bp__bits)(a) ^ (BP__BITS)1 << (8 * BP__T - 1)); }
#if BP__T == 4
BP__INLINE V v_fma(V a, V b, V c) { return fmaf(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return fmaf(-a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return fmaf(a, b, -c); }
BP__INLINE V v_sqrt(V a) { return sqrtf(a); }
BP__INLINE V v_floor(V a) { return floorf(a); }
BP__INLINE V v_ceil(V a) { return ceilf(a); }
BP__INLINE V v_trunc(V a) { return truncf(a); }
BP__INLINE V v_round(V a) { return rintf(a); }
#else
BP__INLINE V v_fma(V a, V b, V c) { return fma(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return fma(-a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return fma(a, b, -c); }
BP__INLINE V v_sqrt(V a) { return sqrt(a); }
BP__INLINE V v_floor(V a) { return floor(a); }
BP__INLINE V v_ceil(V a) { return ceil(a); }
BP__INLINE V v_trunc(V a) { return trunc(a); }
BP__INLINE V v_round(V a) { return rint(a); }
#endif
BP__INLINE M v_lt(V a, V b) { return a < b; }
BP__INLINE M v_le(V a, V b) { return a <= b; }
BP__INLINE M v_gt(V a, V b) { return a > b; }
BP__INLINE M v_ge(V a, V b) { return a >= b; }
BP__INLINE M v_eq(V a, V b) { return a == b; }
BP__INLINE M v_ne(V a, V b) { return a != b; }
BP__INLINE M v_and(M a, M b) { return a && b; }
BP__INLINE M v_or(M a, M b) { return a || b; }
BP__INLINE M v_xor(M a, M b) { return a != b; }
BP__INLINE M v_not(M a) { return !a; }
BP__INLINE bool v_any(M a) { return a; }
BP__INLINE bool v_all(M a) { return a; }
BP__INLINE V v_select(M m, V a, V b) { return m ? a : b; }
BP__INLINE V v_min(V a, V b) { return BP__TN(one_min)(a, b); }
BP__INLINE V v_max(V a, V b) { return BP__TN(one_max)(a, b); }
BP__INLINE V v_abs(V a) { return BP__TN(bp__float)(BP__TN(bp__bits)(a) & ~((BP__BITS)1 << (8 * BP__T - 1))); }
BP__INLINE V v_copysign(V a, V s) {
    BP__BITS sign = (BP__BITS)1 << (8 * BP__T - 1);
    return BP__TN(bp__float)((BP__TN(bp__bits)(a) & ~sign) | (BP__TN(bp__bits)(s) & sign));
}
BP__INLINE M v_sign_is_set(V a) { return (BP__TN(bp__bits)(a) >> (8 * BP__T - 1)) != 0; }
BP__INLINE V v_clear_low(V a) { return BP__TN(bp__float)(BP__TN(bp__bits)(a) & ~(((BP__BITS)1 << (BP__FRACTION / 2 + 1)) - 1)); }
/* Adding 2^FRACTION (and a half of it, so that the sign does not matter) leaves the integer in the low bits. */
BP__INLINE V v_pow2i(V n) {
    return BP__TN(bp__float)(BP__TN(bp__bits)(n + (T)((BP__BITS)3 << (BP__FRACTION - 1)) + (T)BP__BIAS) << BP__FRACTION);
}
BP__INLINE V v_exponent(V a) { return (T)(int)(BP__TN(bp__bits)(a) >> BP__FRACTION) - (T)BP__BIAS; }
BP__INLINE V v_mantissa(V a) {
    BP__BITS one = (BP__BITS)BP__BIAS << BP__FRACTION, fraction = ((BP__BITS)1 << BP__FRACTION) - 1;
    return BP__TN(bp__float)((BP__TN(bp__bits)(a) & fraction) | one);
}

#elif defined BP__VEC_AVX2
#if BP__T == 4
enum { W = 8 };
typedef __m256 V;
typedef __m256 M;
BP__INLINE V v_load(const T *p) { return _mm256_loadu_ps(p); }
BP__INLINE void v_store(T *p, V a) { _mm256_storeu_ps(p, a); }
BP__INLINE __m256i BP__TN(bp__first)(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
BP__INLINE V v_load_n(const T *p, int64_t n) { return _mm256_maskload_ps(p, BP__TN(bp__first)(n)); }
BP__INLINE void v_store_n(T *p, V a, int64_t n) { _mm256_maskstore_ps(p, BP__TN(bp__first)(n), a); }
BP__INLINE V v_load_u8(const uint8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
BP__INLINE V v_set(double x) { return _mm256_set1_ps((T)x); }
BP__INLINE V v_splat(T x) { return _mm256_set1_ps(x); }
BP__INLINE V v_add(V a, V b) { return _mm256_add_ps(a, b); }
BP__INLINE V v_sub(V a, V b) { return _mm256_sub_ps(a, b); }
BP__INLINE V v_mul(V a, V b) { return _mm256_mul_ps(a, b); }
BP__INLINE V v_div(V a, V b) { return _mm256_div_ps(a, b); }
BP__INLINE V v_fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return _mm256_fmsub_ps(a, b, c); }
BP__INLINE V v_sqrt(V a) { return _mm256_sqrt_ps(a); }
BP__INLINE V v_neg(V a) { return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(a), _mm256_set1_epi32(INT32_MIN))); }
BP__INLINE V v_abs(V a) { return _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_set1_epi32(INT32_MIN), _mm256_castps_si256(a))); }
BP__INLINE V v_floor(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_ceil(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_trunc(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
BP__INLINE V v_round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BP__INLINE M v_lt(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
BP__INLINE M v_le(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
BP__INLINE M v_gt(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
BP__INLINE M v_ge(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
BP__INLINE M v_eq(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
BP__INLINE M v_ne(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
BP__INLINE M v_and(M a, M b) { return _mm256_and_ps(a, b); }
BP__INLINE M v_or(M a, M b) { return _mm256_or_ps(a, b); }
BP__INLINE M v_xor(M a, M b) { return _mm256_xor_ps(a, b); }
BP__INLINE M v_not(M a) { return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(a), _mm256_set1_epi32(-1))); }
BP__INLINE bool v_any(M a) { return _mm256_movemask_ps(a) != 0; }
BP__INLINE bool v_all(M a) { return _mm256_movemask_ps(a) == 0xff; }
BP__INLINE V v_select(M m, V a, V b) { return _mm256_blendv_ps(b, a, m); }
BP__INLINE V v_min(V a, V b) { return _mm256_blendv_ps(_mm256_min_ps(a, b), a, v_ne(a, a)); }
BP__INLINE V v_max(V a, V b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, v_ne(a, a)); }
BP__INLINE M v_sign_is_set(V a) {
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_setzero_si256(), _mm256_castps_si256(a)));
}
BP__INLINE V v_copysign(V a, V b) {
    __m256i sign = _mm256_set1_epi32(INT32_MIN);
    return _mm256_castsi256_ps(
        _mm256_or_si256(_mm256_andnot_si256(sign, _mm256_castps_si256(a)), _mm256_and_si256(sign, _mm256_castps_si256(b))));
}
BP__INLINE V v_clear_low(V a) { return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(~0xfff))); }
BP__INLINE V v_pow2i(V n) {
    V shifted = _mm256_add_ps(_mm256_add_ps(n, _mm256_set1_ps((T)12582912.0)), _mm256_set1_ps((T)BP__BIAS));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(shifted), BP__FRACTION));
}
BP__INLINE V v_exponent(V a) {
    return _mm256_sub_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_castps_si256(a), BP__FRACTION)),
                         _mm256_set1_ps((T)BP__BIAS));
}
BP__INLINE V v_mantissa(V a) {
    __m256i fraction = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(0x3f800000)));
}
#elif BP__T == 8
enum { W = 4 };
typedef __m256d V;
typedef __m256d M;
BP__INLINE V v_load(const T *p) { return _mm256_loadu_pd(p); }
BP__INLINE void v_store(T *p, V a) { _mm256_storeu_pd(p, a); }
BP__INLINE __m256i BP__TN(bp__first)(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
BP__INLINE V v_load_n(const T *p, int64_t n) { return _mm256_maskload_pd(p, BP__TN(bp__first)(n)); }
BP__INLINE void v_store_n(T *p, V a, int64_t n) { _mm256_maskstore_pd(p, BP__TN(bp__first)(n), a); }
BP__INLINE V v_load_u8(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, 4);
    return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}
BP__INLINE V v_set(double x) { return _mm256_set1_pd((T)x); }
BP__INLINE V v_splat(T x) { return _mm256_set1_pd(x); }
BP__INLINE V v_add(V a, V b) { return _mm256_add_pd(a, b); }
BP__INLINE V v_sub(V a, V b) { return _mm256_sub_pd(a, b); }
BP__INLINE V v_mul(V a, V b) { return _mm256_mul_pd(a, b); }
BP__INLINE V v_div(V a, V b) { return _mm256_div_pd(a, b); }
BP__INLINE V v_fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return _mm256_fnmadd_pd(a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return _mm256_fmsub_pd(a, b, c); }
BP__INLINE V v_sqrt(V a) { return _mm256_sqrt_pd(a); }
BP__INLINE V v_neg(V a) { return _mm256_castsi256_pd(_mm256_xor_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x(INT64_MIN))); }
BP__INLINE V v_abs(V a) {
    return _mm256_castsi256_pd(_mm256_andnot_si256(_mm256_set1_epi64x(INT64_MIN), _mm256_castpd_si256(a)));
}
BP__INLINE V v_floor(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_ceil(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_trunc(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
BP__INLINE V v_round(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BP__INLINE M v_lt(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
BP__INLINE M v_le(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_LE_OQ); }
BP__INLINE M v_gt(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
BP__INLINE M v_ge(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
BP__INLINE M v_eq(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
BP__INLINE M v_ne(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_NEQ_UQ); }
BP__INLINE M v_and(M a, M b) { return _mm256_and_pd(a, b); }
BP__INLINE M v_or(M a, M b) { return _mm256_or_pd(a, b); }
BP__INLINE M v_xor(M a, M b) { return _mm256_xor_pd(a, b); }
BP__INLINE M v_not(M a) { return _mm256_castsi256_pd(_mm256_xor_si256(_mm256_castpd_si256(a), _mm256_set1_epi32(-1))); }
BP__INLINE bool v_any(M a) { return _mm256_movemask_pd(a) != 0; }
BP__INLINE bool v_all(M a) { return _mm256_movemask_pd(a) == 0xf; }
BP__INLINE V v_select(M m, V a, V b) { return _mm256_blendv_pd(b, a, m); }
BP__INLINE V v_min(V a, V b) { return _mm256_blendv_pd(_mm256_min_pd(a, b), a, v_ne(a, a)); }
BP__INLINE V v_max(V a, V b) { return _mm256_blendv_pd(_mm256_max_pd(a, b), a, v_ne(a, a)); }
BP__INLINE M v_sign_is_set(V a) {
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_setzero_si256(), _mm256_castpd_si256(a)));
}
BP__INLINE V v_copysign(V a, V b) {
    __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    return _mm256_castsi256_pd(
        _mm256_or_si256(_mm256_andnot_si256(sign, _mm256_castpd_si256(a)), _mm256_and_si256(sign, _mm256_castpd_si256(b))));
}
BP__INLINE V v_clear_low(V a) {
    return _mm256_castsi256_pd(_mm256_and_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x(~INT64_C(0x7ffffff))));
}
BP__INLINE V v_pow2i(V n) {
    V shifted = _mm256_add_pd(_mm256_add_pd(n, _mm256_set1_pd((T)6755399441055744.0)), _mm256_set1_pd((T)BP__BIAS));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(shifted), BP__FRACTION));
}
BP__INLINE V v_exponent(V a) { /* the field as the fraction of 2^52, as there is no conversion of 64-bit integers */
    __m256i field =
        _mm256_or_si256(_mm256_srli_epi64(_mm256_castpd_si256(a), BP__FRACTION), _mm256_set1_epi64x(0x4330000000000000));
    return _mm256_sub_pd(_mm256_castsi256_pd(field), _mm256_set1_pd(4503599627370496.0 + (T)BP__BIAS));
}
BP__INLINE V v_mantissa(V a) {
    __m256i fraction = _mm256_and_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x(0xfffffffffffff));
    return _mm256_castsi256_pd(_mm256_or_si256(fraction, _mm256_set1_epi64x(0x3ff0000000000000)));
}
#endif

#else /* BP__VEC_AVX512 */
#if BP__T == 4
enum { W = 16 };
typedef __m512 V;
typedef __mmask16 M;
BP__INLINE V v_load(const T *p) { return _mm512_loadu_ps(p); }
BP__INLINE void v_store(T *p, V a) { _mm512_storeu_ps(p, a); }
BP__INLINE M BP__TN(bp__first)(int64_t n) { return (M)((1u << n) - 1u); }
BP__INLINE V v_load_n(const T *p, int64_t n) { return _mm512_maskz_loadu_ps(BP__TN(bp__first)(n), p); }
BP__INLINE void v_store_n(T *p, V a, int64_t n) { _mm512_mask_storeu_ps(p, BP__TN(bp__first)(n), a); }
BP__INLINE V v_load_u8(const uint8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
BP__INLINE V v_set(double x) { return _mm512_set1_ps((T)x); }
BP__INLINE V v_splat(T x) { return _mm512_set1_ps(x); }
BP__INLINE V v_add(V a, V b) { return _mm512_add_ps(a, b); }
BP__INLINE V v_sub(V a, V b) { return _mm512_sub_ps(a, b); }
BP__INLINE V v_mul(V a, V b) { return _mm512_mul_ps(a, b); }
BP__INLINE V v_div(V a, V b) { return _mm512_div_ps(a, b); }
BP__INLINE V v_fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return _mm512_fmsub_ps(a, b, c); }
BP__INLINE V v_sqrt(V a) { return _mm512_sqrt_ps(a); }
BP__INLINE V v_neg(V a) { return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32(INT32_MIN))); }
BP__INLINE V v_abs(V a) { return _mm512_castsi512_ps(_mm512_andnot_si512(_mm512_set1_epi32(INT32_MIN), _mm512_castps_si512(a))); }
BP__INLINE V v_floor(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_ceil(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_trunc(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
BP__INLINE V v_round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BP__INLINE M v_lt(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
BP__INLINE M v_le(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
BP__INLINE M v_gt(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
BP__INLINE M v_ge(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
BP__INLINE M v_eq(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
BP__INLINE M v_ne(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
BP__INLINE M v_and(M a, M b) { return (M)(a & b); }
BP__INLINE M v_or(M a, M b) { return (M)(a | b); }
BP__INLINE M v_xor(M a, M b) { return (M)(a ^ b); }
BP__INLINE M v_not(M a) { return (M)~a; }
BP__INLINE bool v_any(M a) { return a != 0; }
BP__INLINE bool v_all(M a) { return a == (M)0xffff; }
BP__INLINE V v_select(M m, V a, V b) { return _mm512_mask_blend_ps(m, b, a); }
BP__INLINE V v_min(V a, V b) { return _mm512_mask_mov_ps(_mm512_min_ps(a, b), v_ne(a, a), a); }
BP__INLINE V v_max(V a, V b) { return _mm512_mask_mov_ps(_mm512_max_ps(a, b), v_ne(a, a), a); }
BP__INLINE M v_sign_is_set(V a) { return _mm512_cmplt_epi32_mask(_mm512_castps_si512(a), _mm512_setzero_si512()); }
BP__INLINE V v_copysign(V a, V b) {
    __m512i sign = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(
        _mm512_or_si512(_mm512_andnot_si512(sign, _mm512_castps_si512(a)), _mm512_and_si512(sign, _mm512_castps_si512(b))));
}
BP__INLINE V v_clear_low(V a) { return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(~0xfff))); }
BP__INLINE V v_pow2i(V n) {
    V shifted = _mm512_add_ps(_mm512_add_ps(n, _mm512_set1_ps((T)12582912.0)), _mm512_set1_ps((T)BP__BIAS));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(shifted), BP__FRACTION));
}
BP__INLINE V v_exponent(V a) {
    return _mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_castps_si512(a), BP__FRACTION)),
                         _mm512_set1_ps((T)BP__BIAS));
}
BP__INLINE V v_mantissa(V a) {
    __m512i fraction = _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffff));
    return _mm512_castsi512_ps(_mm512_or_si512(fraction, _mm512_set1_epi32(0x3f800000)));
}
#elif BP__T == 8
enum { W = 8 };
typedef __m512d V;
typedef __mmask8 M;
BP__INLINE V v_load(const T *p) { return _mm512_loadu_pd(p); }
BP__INLINE void v_store(T *p, V a) { _mm512_storeu_pd(p, a); }
BP__INLINE M BP__TN(bp__first)(int64_t n) { return (M)((1u << n) - 1u); }
BP__INLINE V v_load_n(const T *p, int64_t n) { return _mm512_maskz_loadu_pd(BP__TN(bp__first)(n), p); }
BP__INLINE void v_store_n(T *p, V a, int64_t n) { _mm512_mask_storeu_pd(p, BP__TN(bp__first)(n), a); }
BP__INLINE V v_load_u8(const uint8_t *p) {
    return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
BP__INLINE V v_set(double x) { return _mm512_set1_pd((T)x); }
BP__INLINE V v_splat(T x) { return _mm512_set1_pd(x); }
BP__INLINE V v_add(V a, V b) { return _mm512_add_pd(a, b); }
BP__INLINE V v_sub(V a, V b) { return _mm512_sub_pd(a, b); }
BP__INLINE V v_mul(V a, V b) { return _mm512_mul_pd(a, b); }
BP__INLINE V v_div(V a, V b) { return _mm512_div_pd(a, b); }
BP__INLINE V v_fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
BP__INLINE V v_fnma(V a, V b, V c) { return _mm512_fnmadd_pd(a, b, c); }
BP__INLINE V v_fms(V a, V b, V c) { return _mm512_fmsub_pd(a, b, c); }
BP__INLINE V v_sqrt(V a) { return _mm512_sqrt_pd(a); }
BP__INLINE V v_neg(V a) { return _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(INT64_MIN))); }
BP__INLINE V v_abs(V a) { return _mm512_castsi512_pd(_mm512_andnot_si512(_mm512_set1_epi64(INT64_MIN), _mm512_castpd_si512(a))); }
BP__INLINE V v_floor(V a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_ceil(V a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
BP__INLINE V v_trunc(V a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
BP__INLINE V v_round(V a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
BP__INLINE M v_lt(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
BP__INLINE M v_le(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
BP__INLINE M v_gt(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
BP__INLINE M v_ge(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
BP__INLINE M v_eq(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
BP__INLINE M v_ne(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ); }
BP__INLINE M v_and(M a, M b) { return (M)(a & b); }
BP__INLINE M v_or(M a, M b) { return (M)(a | b); }
BP__INLINE M v_xor(M a, M b) { return (M)(a ^ b); }
BP__INLINE M v_not(M a) { return (M)~a; }
BP__INLINE bool v_any(M a) { return a != 0; }
BP__INLINE bool v_all(M a) { return a == (M)0xff; }
BP__INLINE V v_select(M m, V a, V b) { return _mm512_mask_blend_pd(m, b, a); }
BP__INLINE V v_min(V a, V b) { return _mm512_mask_mov_pd(_mm512_min_pd(a, b), v_ne(a, a), a); }
BP__INLINE V v_max(V a, V b) { return _mm512_mask_mov_pd(_mm512_max_pd(a, b), v_ne(a, a), a); }
BP__INLINE M v_sign_is_set(V a) { return _mm512_cmplt_epi64_mask(_mm512_castpd_si512(a), _mm512_setzero_si512()); }
BP__INLINE V v_copysign(V a, V b) {
    __m512i sign = _mm512_set1_epi64(INT64_MIN);
    return _mm512_castsi512_pd(
        _mm512_or_si512(_mm512_andnot_si512(sign, _mm512_castpd_si512(a)), _mm512_and_si512(sign, _mm512_castpd_si512(b))));
}
BP__INLINE V v_clear_low(V a) {
    return _mm512_castsi512_pd(_mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(~INT64_C(0x7ffffff))));
}
BP__INLINE V v_pow2i(V n) {
    V shifted = _mm512_add_pd(_mm512_add_pd(n, _mm512_set1_pd((T)6755399441055744.0)), _mm512_set1_pd((T)BP__BIAS));
    return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(shifted), BP__FRACTION));
}
BP__INLINE V v_exponent(V a) { /* the field as the fraction of 2^52, as there is no conversion of 64-bit integers */
    __m512i field =
        _mm512_or_si512(_mm512_srli_epi64(_mm512_castpd_si512(a), BP__FRACTION), _mm512_set1_epi64(0x4330000000000000));
    return _mm512_sub_pd(_mm512_castsi512_pd(field), _mm512_set1_pd(4503599627370496.0 + (T)BP__BIAS));
}
BP__INLINE V v_mantissa(V a) {
    __m512i fraction = _mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(0xfffffffffffff));
    return _mm512_castsi512_pd(_mm512_or_si512(fraction, _mm512_set1_epi64(0x3ff0000000000000)));
}
#endif
#endif

/* ---- The same on all: built from the above ------------------------------------------------------------------------------- */
BP__INLINE M v_is_nan(V a) { return v_ne(a, a); }
BP__INLINE M v_is_finite(V a) { return v_lt(v_abs(a), v_set((double)INFINITY)); }
BP__INLINE V v_scale(V a, V n) {
    V half = v_floor(v_mul(n, v_set(0.5)));
    return v_mul(v_mul(a, v_pow2i(half)), v_pow2i(v_sub(n, half)));
}

typedef struct L16 {
    V r[16 / W];
} L16;
BP__INLINE L16 l_set(T x) {
    L16 l;
    for (int i = 0; i < 16 / W; i++) l.r[i] = v_splat(x);
    return l;
}
BP__INLINE L16 l_load(const T *p) {
    L16 l;
    for (int i = 0; i < 16 / W; i++) l.r[i] = v_load(p + i * W);
    return l;
}
BP__INLINE L16 l_load_n(const T *p, int64_t n, T other) {
    T lane[16];
    for (int64_t i = 0; i < 16; i++) lane[i] = i < n ? p[i] : other;
    return l_load(lane);
}
BP__INLINE void l_store(T *p, L16 a) {
    for (int i = 0; i < 16 / W; i++) v_store(p + i * W, a.r[i]);
}
BP__INLINE L16 l_fma(L16 a, L16 b, L16 acc) {
    for (int i = 0; i < 16 / W; i++) acc.r[i] = v_fma(a.r[i], b.r[i], acc.r[i]);
    return acc;
}
/* The tree works on stored lanes: it runs once per reduction, and plain code is the same code on every instruction set. */
#define BP__LANE_OPERATION(name, first, second, one)                        \
    BP__INLINE L16 l_##name(L16 a, L16 b) {                                 \
        for (int i = 0; i < 16 / W; i++) a.r[i] = v_##name(a.r[i], b.r[i]); \
        return a;                                                           \
    }                                                                       \
    BP__INLINE T l_fold_##name(L16 a) {                                     \
        T x[16];                                                            \
        l_store(x, a);                                                      \
        for (int h = 8; h > 0; h /= 2)                                      \
            for (int j = 0; j < h; j++) {                                   \
                T first = x[j], second = x[j + h];                          \
                x[j] = one;                                                 \
            }                                                               \
        return x[0];                                                        \
    }
BP__LANE_OPERATION(add, u, v, u + v)
BP__LANE_OPERATION(mul, u, v, u *v)
BP__LANE_OPERATION(max, u, v, BP__TN(one_max)(u, v))
BP__LANE_OPERATION(min, u, v, BP__TN(one_min)(u, v))
#undef BP__LANE_OPERATION
#undef BP__BITS
#undef BP__FRACTION
#undef BP__BIAS
