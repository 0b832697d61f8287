/* Vectors: intrinsics are written in the files vec_NAME.h, one per instruction set, and in this one, which chooses among
   them. Everything that computes is built on these operations, and each of them gives the same bits in the plain version and
   on every instruction set (the bits inside a NaN excepted).

   Use. One translation unit per instruction set defines BP__VEC_SCALAR, BP__VEC_AVX2, BP__VEC_AVX512 or BP__VEC_NEON, then
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
#elif defined BP__VEC_NEON || (defined BP__VEC_SCALAR && defined __aarch64__)
#include <arm_neon.h>
#elif defined BP__VEC_SCALAR && defined __SSE2__
#include <emmintrin.h> /* for one_min and one_max, as above */
#elif !defined BP__VEC_SCALAR
#error "define BP__VEC_SCALAR, BP__VEC_AVX2, BP__VEC_AVX512 or BP__VEC_NEON before including vec.h"
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
   v_pair_first(x), v_pair_second(x), of float only: what two bfloat16 numbers in the place of one float are, that of the low bits
   first. v_pow2i(n) = 2^n for integral n in the range of normal exponents; v_scale(x, n) = x * 2^n for integral n in about twice
   that range, by two multiplications; v_exponent(x), v_mantissa(x): floor(log2 x) and x / 2^that for normal x > 0.
   u_mul_hi, u_mul_lo: the halves of the 64-bit product; u_to_f32: values below 2^31 to float (24 significant bits are
   exact), where WU is the W of float.
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
#define v_pair_first BP__TN(v_pair_first)
#define v_pair_second BP__TN(v_pair_second)
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
   whether a subnormal is flushed on the way, so the instruction is named: the one that the vectors have too. On ARM it takes
   the smaller (larger) of two zeros, where the second is wanted. */
#if defined __SSE2__ && BP__T == 4
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : _mm_cvtss_f32(_mm_min_ss(_mm_set_ss(a), _mm_set_ss(b))); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : _mm_cvtss_f32(_mm_max_ss(_mm_set_ss(a), _mm_set_ss(b))); }
#elif defined __SSE2__
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : _mm_cvtsd_f64(_mm_min_sd(_mm_set_sd(a), _mm_set_sd(b))); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : _mm_cvtsd_f64(_mm_max_sd(_mm_set_sd(a), _mm_set_sd(b))); }
#elif defined __aarch64__ && BP__T == 4
BP__INLINE T BP__TN(one_min)(T a, T b) { return vget_lane_f32(vmin_f32(vdup_n_f32(a == b ? b : a), vdup_n_f32(b)), 0); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return vget_lane_f32(vmax_f32(vdup_n_f32(a == b ? b : a), vdup_n_f32(b)), 0); }
#elif defined __aarch64__
BP__INLINE T BP__TN(one_min)(T a, T b) { return vget_lane_f64(vmin_f64(vdup_n_f64(a == b ? b : a), vdup_n_f64(b)), 0); }
BP__INLINE T BP__TN(one_max)(T a, T b) { return vget_lane_f64(vmax_f64(vdup_n_f64(a == b ? b : a), vdup_n_f64(b)), 0); }
#else
BP__INLINE T BP__TN(one_min)(T a, T b) { return a != a ? a : a < b ? a : b; }
BP__INLINE T BP__TN(one_max)(T a, T b) { return a != a ? a : a > b ? a : b; }
#endif

#if defined BP__VEC_SCALAR
#include "kernel/vec_scalar.h"
#elif defined BP__VEC_AVX2
#include "kernel/vec_avx2.h"
#elif defined BP__VEC_AVX512
#include "kernel/vec_avx512.h"
#else
#include "kernel/vec_neon.h"
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
