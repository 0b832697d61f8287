/* The operations of vec.h in AVX2 and FMA. Included by vec.h only. */
#ifndef BP__VEC_AVX2_H
#define BP__VEC_AVX2_H
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
BP__INLINE __m256 u_to_f32(U a) { return _mm256_cvtepi32_ps(a); }
#endif

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
BP__INLINE V v_pair_first(V a) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 16)); }
BP__INLINE V v_pair_second(V a) {
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(~0xffff)));
}
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
