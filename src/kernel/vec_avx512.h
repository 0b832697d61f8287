/* The operations of vec.h in AVX-512. Included by vec.h only. */
#ifndef BP__VEC_AVX512_H
#define BP__VEC_AVX512_H
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
BP__INLINE __m512 u_to_f32(U a) { return _mm512_cvtepi32_ps(a); }
#endif

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
BP__INLINE V v_pair_first(V a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 16)); }
BP__INLINE V v_pair_second(V a) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(~0xffff)));
}
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
