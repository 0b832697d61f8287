/* The operations of vec.h in plain C, one element a vector: what every instruction set has to equal. Included by vec.h only. */
#ifndef BP__VEC_SCALAR_H
#define BP__VEC_SCALAR_H
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
BP__INLINE float u_to_f32(U a) { return (float)(int32_t)a; }
#endif

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
#if BP__T == 4
BP__INLINE V v_pair_first(V a) { return BP__TN(bp__float)(BP__TN(bp__bits)(a) << 16); }
BP__INLINE V v_pair_second(V a) { return BP__TN(bp__float)(BP__TN(bp__bits)(a) & 0xffff0000); }
#endif
/* Adding 2^FRACTION (and a half of it, so that the sign does not matter) leaves the integer in the low bits. */
BP__INLINE V v_pow2i(V n) {
    return BP__TN(bp__float)(BP__TN(bp__bits)(n + (T)((BP__BITS)3 << (BP__FRACTION - 1)) + (T)BP__BIAS) << BP__FRACTION);
}
BP__INLINE V v_exponent(V a) { return (T)(int)(BP__TN(bp__bits)(a) >> BP__FRACTION) - (T)BP__BIAS; }
BP__INLINE V v_mantissa(V a) {
    BP__BITS one = (BP__BITS)BP__BIAS << BP__FRACTION, fraction = ((BP__BITS)1 << BP__FRACTION) - 1;
    return BP__TN(bp__float)((BP__TN(bp__bits)(a) & fraction) | one);
}
