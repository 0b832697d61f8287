/* The operations of vec.h in NEON, which every 64-bit ARM processor has. Included by vec.h only. The intrinsics of both types
   have the same names up to the suffix, so both are written once: BP__TN(vaddq) is vaddq_f32 or vaddq_f64. */
#ifndef BP__VEC_NEON_H
#define BP__VEC_NEON_H
#define WU 4
typedef uint32x4_t U;
BP__INLINE U u_set(uint32_t x) { return vdupq_n_u32(x); }
BP__INLINE U u_load(const uint32_t *p) { return vld1q_u32(p); }
BP__INLINE void u_store(uint32_t *p, U a) { vst1q_u32(p, a); }
BP__INLINE U u_add(U a, U b) { return vaddq_u32(a, b); }
BP__INLINE U u_xor(U a, U b) { return veorq_u32(a, b); }
BP__INLINE U u_mul_lo(U a, U b) { return vmulq_u32(a, b); }
BP__INLINE U u_mul_hi(U a, U b) {
    uint64x2_t low = vmull_u32(vget_low_u32(a), vget_low_u32(b)), high = vmull_high_u32(a, b);
    return vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
}
#define u_shr(a, n) vshrq_n_u32((a), (n))
BP__INLINE float32x4_t u_to_f32(U a) { return vcvtq_f32_u32(a); }
#endif

#undef BP__UN
#if BP__T == 4
enum { W = 4 };
typedef float32x4_t V;
typedef uint32x4_t M;
#define BP__UN(name) name##_u32
BP__INLINE M BP__TN(bp__bits)(V a) { return vreinterpretq_u32_f32(a); }
BP__INLINE V BP__TN(bp__float)(M a) { return vreinterpretq_f32_u32(a); }
BP__INLINE M v_sign_is_set(V a) { return vcltzq_s32(vreinterpretq_s32_f32(a)); }
BP__INLINE V v_exponent(V a) {
    return vsubq_f32(vcvtq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a), BP__FRACTION)), vdupq_n_f32(BP__BIAS));
}
BP__INLINE V v_load_u8(const uint8_t *p) {
    uint32_t four;
    memcpy(&four, p, 4);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}
#else
enum { W = 2 };
typedef float64x2_t V;
typedef uint64x2_t M;
#define BP__UN(name) name##_u64
BP__INLINE M BP__TN(bp__bits)(V a) { return vreinterpretq_u64_f64(a); }
BP__INLINE V BP__TN(bp__float)(M a) { return vreinterpretq_f64_u64(a); }
BP__INLINE M v_sign_is_set(V a) { return vcltzq_s64(vreinterpretq_s64_f64(a)); }
BP__INLINE V v_exponent(V a) {
    return vsubq_f64(vcvtq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(a), BP__FRACTION)), vdupq_n_f64(BP__BIAS));
}
BP__INLINE V v_load_u8(const uint8_t *p) { return (V){p[0], p[1]}; }
#endif

BP__INLINE V v_set(double x) { return BP__TN(vdupq_n)((T)x); }
BP__INLINE V v_splat(T x) { return BP__TN(vdupq_n)(x); }
BP__INLINE V v_load(const T *p) { return BP__TN(vld1q)(p); }
BP__INLINE void v_store(T *p, V a) { BP__TN(vst1q)(p, a); }
BP__INLINE V v_load_n(const T *p, int64_t n) { /* there are no masked loads */
    V a = v_set(0);
    if (n > 0) a = BP__TN(vld1q_lane)(p, a, 0);
    if (n > 1) a = BP__TN(vld1q_lane)(p + 1, a, 1);
#if BP__T == 4
    if (n > 2) a = BP__TN(vld1q_lane)(p + 2, a, 2);
    if (n > 3) a = BP__TN(vld1q_lane)(p + 3, a, 3);
#endif
    return a;
}
BP__INLINE void v_store_n(T *p, V a, int64_t n) {
    if (n > 0) BP__TN(vst1q_lane)(p, a, 0);
    if (n > 1) BP__TN(vst1q_lane)(p + 1, a, 1);
#if BP__T == 4
    if (n > 2) BP__TN(vst1q_lane)(p + 2, a, 2);
    if (n > 3) BP__TN(vst1q_lane)(p + 3, a, 3);
#endif
}
BP__INLINE V v_add(V a, V b) { return BP__TN(vaddq)(a, b); }
BP__INLINE V v_sub(V a, V b) { return BP__TN(vsubq)(a, b); }
BP__INLINE V v_mul(V a, V b) { return BP__TN(vmulq)(a, b); }
BP__INLINE V v_div(V a, V b) { return BP__TN(vdivq)(a, b); }
BP__INLINE V v_neg(V a) { return BP__TN(vnegq)(a); }
BP__INLINE V v_fma(V a, V b, V c) { return BP__TN(vfmaq)(c, a, b); }
BP__INLINE V v_fnma(V a, V b, V c) { return BP__TN(vfmsq)(c, a, b); }
/* Not -(c - a*b): where both are equal that is -0. */
BP__INLINE V v_fms(V a, V b, V c) { return BP__TN(vfmaq)(v_neg(c), a, b); }
BP__INLINE V v_abs(V a) { return BP__TN(vabsq)(a); }
BP__INLINE V v_sqrt(V a) { return BP__TN(vsqrtq)(a); }
BP__INLINE V v_floor(V a) { return BP__TN(vrndmq)(a); }
BP__INLINE V v_ceil(V a) { return BP__TN(vrndpq)(a); }
BP__INLINE V v_trunc(V a) { return BP__TN(vrndq)(a); }
BP__INLINE V v_round(V a) { return BP__TN(vrndnq)(a); }
BP__INLINE M v_lt(V a, V b) { return BP__TN(vcltq)(a, b); }
BP__INLINE M v_le(V a, V b) { return BP__TN(vcleq)(a, b); }
BP__INLINE M v_gt(V a, V b) { return BP__TN(vcgtq)(a, b); }
BP__INLINE M v_ge(V a, V b) { return BP__TN(vcgeq)(a, b); }
BP__INLINE M v_eq(V a, V b) { return BP__TN(vceqq)(a, b); }
BP__INLINE M v_and(M a, M b) { return BP__UN(vandq)(a, b); }
BP__INLINE M v_or(M a, M b) { return BP__UN(vorrq)(a, b); }
BP__INLINE M v_xor(M a, M b) { return BP__UN(veorq)(a, b); }
BP__INLINE M v_not(M a) { return BP__UN(veorq)(a, BP__UN(vdupq_n)(~(BP__BITS)0)); }
BP__INLINE M v_ne(V a, V b) { return v_not(v_eq(a, b)); }
BP__INLINE bool v_any(M a) { return vmaxvq_u32((uint32x4_t)a) != 0; }
BP__INLINE bool v_all(M a) { return vminvq_u32((uint32x4_t)a) != 0; }
BP__INLINE V v_select(M m, V a, V b) { return BP__TN(vbslq)(m, a, b); }
/* The instruction makes NaN of NaN in either and flushes subnormals, but of two zeros it takes the smaller one (vec.h: the
   second). */
BP__INLINE V v_min(V a, V b) { return BP__TN(vminq)(v_select(v_eq(a, b), b, a), b); }
BP__INLINE V v_max(V a, V b) { return BP__TN(vmaxq)(v_select(v_eq(a, b), b, a), b); }
BP__INLINE V v_copysign(V a, V s) { return v_select(BP__UN(vdupq_n)((BP__BITS)1 << (8 * BP__T - 1)), s, a); }
BP__INLINE V v_clear_low(V a) {
    return BP__TN(bp__float)(v_and(BP__TN(bp__bits)(a), BP__UN(vdupq_n)(~(((BP__BITS)1 << (BP__FRACTION / 2 + 1)) - 1))));
}
#if BP__T == 4
BP__INLINE V v_pair_first(V a) { return BP__TN(bp__float)(vshlq_n_u32(BP__TN(bp__bits)(a), 16)); }
BP__INLINE V v_pair_second(V a) { return BP__TN(bp__float)(vandq_u32(BP__TN(bp__bits)(a), vdupq_n_u32(0xffff0000))); }
#endif
BP__INLINE V v_pow2i(V n) {
    V shifted = v_add(v_add(n, v_splat((T)((BP__BITS)3 << (BP__FRACTION - 1)))), v_splat((T)BP__BIAS));
    return BP__TN(bp__float)(BP__UN(vshlq_n)(BP__TN(bp__bits)(shifted), BP__FRACTION));
}
BP__INLINE V v_mantissa(V a) {
    M fraction = v_and(BP__TN(bp__bits)(a), BP__UN(vdupq_n)(((BP__BITS)1 << BP__FRACTION) - 1));
    return BP__TN(bp__float)(v_or(fraction, BP__UN(vdupq_n)((BP__BITS)BP__BIAS << BP__FRACTION)));
}
