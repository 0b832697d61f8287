/* Elementary functions on vectors: at most 2 ulp (docs/accuracy.md has the largest errors found, in ulp of what;
   tests/test_elementwise.c checks bounds; polygamma, and lgamma close to its zeros, are less exact), IEEE results for
   zeros, infinities and NaN; subnormal arguments of logarithms count as zero. Only additions, products, quotients, roots,
   fused multiply-adds and operations on bits, in one order, so the bits are the same on every instruction set.
   Included after vec.h, once for float and once for double. The polynomials are our own fits (tools/fit_vmath.py). */
#ifndef BP__VMATH_H
#define BP__VMATH_H
#include "kernel/trig_large.h"
/* The constant of the type. */
#define VM_C(single, twice) v_set(BP__T == 4 ? (single) : (twice))
#define VM_INF v_set((double)INFINITY)
#define VM_NAN v_set((double)NAN)
/* The smallest normal number. */
#define VM_TINY VM_C(0x1p-126, 0x1p-1022)
#define VM_LN2_SHORT VM_C(0x1.62e4p-1, 0x1.62e42fefa2p-1) /* times an exponent: exact */
#define VM_LN2_REST VM_C(0x1.7f7d1cp-20, 0x1.9ef35793c7673p-41)
#define VM_PI_2 VM_C(0x1.921fb6p+0, 0x1.921fb54442d18p+0)
#define VM_PI_2_REST VM_C(-0x1.777a5cp-25, 0x1.1a62633145c07p-54)
#define VM_MAX VM_C(0x1.fffffep+127, 0x1.fffffffffffffp+1023)
#define VM_PI 3.14159265358979323846
#define VM2 BP__TN(VM2)
#define v_exp BP__TN(v_exp)
#define v_exp2 BP__TN(v_exp2)
#define v_expm1 BP__TN(v_expm1)
#define v_log BP__TN(v_log)
#define v_log1p BP__TN(v_log1p)
#define v_log2 BP__TN(v_log2)
#define v_log10 BP__TN(v_log10)
#define v_pow BP__TN(v_pow)
#define v_tanh BP__TN(v_tanh)
#define v_sigmoid BP__TN(v_sigmoid)
#define v_silu BP__TN(v_silu)
#define v_mish BP__TN(v_mish)
#define v_selu BP__TN(v_selu)
#define v_gaussian BP__TN(v_gaussian)
#define v_softplus BP__TN(v_softplus)
#define v_sinh BP__TN(v_sinh)
#define v_cosh BP__TN(v_cosh)
#define v_asinh BP__TN(v_asinh)
#define v_acosh BP__TN(v_acosh)
#define v_atanh BP__TN(v_atanh)
#define v_erf BP__TN(v_erf)
#define v_erfc BP__TN(v_erfc)
#define v_sin BP__TN(v_sin)
#define v_cos BP__TN(v_cos)
#define v_tan BP__TN(v_tan)
#define v_atan BP__TN(v_atan)
#define v_atan2 BP__TN(v_atan2)
#define v_asin BP__TN(v_asin)
#define v_acos BP__TN(v_acos)
#define v_hypot BP__TN(v_hypot)
#define v_fmod BP__TN(v_fmod)
#define v_remainder BP__TN(v_remainder)
#define v_logit BP__TN(v_logit)
#define v_lgamma BP__TN(v_lgamma)
#define v_digamma BP__TN(v_digamma)
#define v_polygamma BP__TN(v_polygamma)
#endif
#include "kernel/vmath_poly.h"

/* ---- Sums of two numbers: hi + lo with |lo| ≤ half an ulp of hi ------------------------------------------------------ */
typedef struct VM2 {
    V hi, lo;
} VM2;
BP__INLINE VM2 BP__TN(vm_two_sum)(V a, V b) {
    VM2 s;
    s.hi = v_add(a, b);
    V bb = v_sub(s.hi, a);
    s.lo = v_add(v_sub(a, v_sub(s.hi, bb)), v_sub(b, bb));
    return s;
}
/* |a| ≥ |b| or a == 0. */
BP__INLINE VM2 BP__TN(vm_fast_sum)(V a, V b) {
    VM2 s;
    s.hi = v_add(a, b);
    s.lo = v_sub(b, v_sub(s.hi, a));
    return s;
}
BP__INLINE VM2 BP__TN(vm_product)(V a, V b) {
    VM2 p;
    p.hi = v_mul(a, b);
    p.lo = v_fms(a, b, p.hi);
    return p;
}

/* n / d with one division: hi = n (1 / d), lo is what that left of n, times 1 / d. */
BP__INLINE VM2 BP__TN(vm_quotient)(VM2 n, VM2 d) {
    VM2 q;
    V r = v_div(v_set(1), d.hi);
    q.hi = v_mul(n.hi, r);
    q.lo = v_mul(r, v_fnma(q.hi, d.lo, v_add(v_fnma(q.hi, d.hi, n.hi), n.lo)));
    return q;
}

/* ---- Exponentials ------------------------------------------------------------------------------------------------------ */
/* e^(x + lo) = 2^*k (1 + p): |p| < 0.42, as a sum not yet rounded. x within the range of finite results, lo tiny. */
BP__INLINE VM2 BP__TN(vm_exp_terms)(V x, V lo, V *k) {
    VM2 p;
    *k = v_round(v_mul(x, v_set(0x1.71547652b82fep+0)));
    p.hi = v_fnma(*k, VM_LN2_SHORT, x);
    V rest = v_fnma(*k, VM_LN2_REST, lo), r = v_add(p.hi, rest);
    p.lo = v_fma(v_mul(r, r), BP__TN(vm_poly_exp)(r), rest);
    return p;
}
BP__INLINE V BP__TN(vm_exp_part)(V x, V lo, V *k) {
    VM2 p = BP__TN(vm_exp_terms)(x, lo, k);
    return v_add(p.hi, p.lo);
}
/* Beyond these the result is infinite or zero. */
BP__INLINE V BP__TN(vm_exp_clamp)(V x) { return v_max(v_min(x, VM_C(90, 711)), VM_C(-105, -747)); }
/* e^(x + lo) * 2^more. */
BP__INLINE V BP__TN(vm_exp_scaled)(V x, V lo, V more) {
    V k, c = BP__TN(vm_exp_clamp)(x);
    lo = v_select(v_eq(c, x), lo, v_set(0));
    V p = BP__TN(vm_exp_part)(c, lo, &k);
    return v_scale(v_add(v_set(1), p), v_add(k, more));
}
BP__STATIC V v_exp(V x) { return BP__TN(vm_exp_scaled)(x, v_set(0), v_set(0)); }
/* e^(-a^2), the square not rounded. */
BP__STATIC V v_gaussian(V a) {
    VM2 z = BP__TN(vm_product)(a, a);
    return BP__TN(vm_exp_scaled)(v_neg(z.hi), v_neg(z.lo), v_set(0));
}
BP__STATIC V v_exp2(V x) {
    V c = v_max(v_min(x, VM_C(130, 1030)), VM_C(-155, -1080));
    V k = v_round(c), r = v_sub(c, k);
    return v_scale(v_fma(r, BP__TN(vm_poly_exp2)(r), v_set(1)), k);
}
BP__STATIC V v_expm1(V x) {
    V k, c = v_max(v_min(x, VM_C(89, 710)), v_set(-50)); /* k ≤ 128, 1024 */
    V p = BP__TN(vm_exp_part)(c, v_set(0), &k);
    /* 2^k p + (2^k - 1), at half the scale so that 2^k stays finite */
    V s = v_pow2i(v_sub(k, v_set(1)));
    V y = v_mul(v_fma(s, p, v_sub(s, v_set(0.5))), v_set(2));
    y = v_select(v_eq(k, v_set(0)), p, y);
    return v_select(v_lt(v_abs(x), VM_C(0x1p-40, 0x1p-80)), x, y);
}
/* e^x - 1 for x from -50 to 0. */
BP__INLINE VM2 BP__TN(vm_expm1_sum)(V x) {
    V k;
    VM2 p = BP__TN(vm_exp_terms)(x, v_set(0), &k);
    p = BP__TN(vm_fast_sum)(p.hi, p.lo);
    V s = v_pow2i(k);
    VM2 y = BP__TN(vm_fast_sum)(v_sub(s, v_set(1)), v_mul(s, p.hi)); /* the first is 0 or the larger */
    y.lo = v_fma(s, p.lo, y.lo);
    return y;
}
/* lambda x, below 0 lambda alpha (e^x - 1) with the product of the constants as a sum. */
BP__STATIC V v_selu(V x) {
    VM2 e = BP__TN(vm_expm1_sum)(v_max(v_min(x, v_set(0)), v_set(-50)));
    V c = v_set(1.7580993408473768599), c_lo = VM_C(0x1.903c0cp-26, 0x1.05161b045a1fep-56);
    V y = v_fma(c, e.hi, v_fma(c, e.lo, v_mul(c_lo, e.hi)));
    return v_select(v_lt(x, v_set(0)), y, v_mul(v_set(1.0507009873554804934), x)); /* -0 stays -0 */
}

/* ---- Logarithms ---------------------------------------------------------------------------------------------------------- */
/* x = 2^*k m with m in [sqrt(1/2), sqrt(2)), for normal x > 0; gives m. */
BP__INLINE V BP__TN(vm_split)(V x, V *k) {
    V m = v_mantissa(x), e = v_exponent(x);
    M big = v_gt(m, v_set(0x1.6a09e6p+0));
    *k = v_select(big, v_add(e, v_set(1)), e);
    return v_select(big, v_mul(m, v_set(0.5)), m);
}
/* log(2^k (1 + f)) + c. */
BP__INLINE V BP__TN(vm_log_sum)(V k, V f, V c) {
    V s = v_div(f, v_add(v_set(2), f)), z = v_mul(s, s), half = v_mul(v_set(0.5), v_mul(f, f));
    V r = v_mul(z, BP__TN(vm_poly_log)(z));
    V tail = v_fma(s, v_add(half, r), v_fma(k, VM_LN2_REST, c));
    return v_fma(k, VM_LN2_SHORT, v_sub(f, v_sub(half, tail)));
}
/* What a logarithm y of x is at 0, infinity, below 0 and for NaN. */
BP__INLINE V BP__TN(vm_log_ends)(V x, V y) {
    y = v_select(v_lt(x, VM_TINY), VM_NAN, y);
    y = v_select(v_lt(v_abs(x), VM_TINY), v_neg(VM_INF), y);
    y = v_select(v_eq(x, VM_INF), VM_INF, y);
    return v_select(v_is_nan(x), x, y);
}
BP__STATIC V v_log(V x) {
    V k, m = BP__TN(vm_split)(x, &k);
    return BP__TN(vm_log_ends)(x, BP__TN(vm_log_sum)(k, v_sub(m, v_set(1)), v_set(0)));
}
/* log(1 + x + lo), lo tiny against 1 + x; without the ends. */
BP__INLINE V BP__TN(vm_log1p_sum)(V x, V lo) {
    VM2 u = BP__TN(vm_two_sum)(v_set(1), x);
    V k, m = BP__TN(vm_split)(u.hi, &k);
    M near = v_eq(k, v_set(0));
    V f = v_select(near, x, v_sub(m, v_set(1)));
    V c = v_div(v_add(v_select(near, v_set(0), u.lo), lo), u.hi);
    return BP__TN(vm_log_sum)(k, f, c);
}
BP__STATIC V v_log1p(V x) {
    V y = BP__TN(vm_log_ends)(v_add(v_set(1), x), BP__TN(vm_log1p_sum)(x, v_set(0)));
    return v_select(v_lt(v_abs(x), VM_C(0x1p-40, 0x1p-80)), x, y);
}
/* log(m) for m in [sqrt(1/2), sqrt(2)) as hi + lo to about 12 bits more than the type has. */
BP__INLINE VM2 BP__TN(vm_log_precise)(V m) {
    V f = v_sub(m, v_set(1)), g = v_add(v_set(1), m);
    V g_lo = v_sub(m, v_sub(g, v_set(1)));
    V s = v_div(f, g), s_lo = v_div(v_fnma(s, g_lo, v_fnma(s, g, f)), g);
    VM2 z = BP__TN(vm_product)(s, s);
    z.lo = v_fma(v_add(s, s), s_lo, z.lo);
    /* q = 2/3 + z tail(z), then s z q */
    VM2 q = BP__TN(vm_fast_sum)(VM_C(0x1.555556p-1, 0x1.5555555555555p-1), v_mul(z.hi, BP__TN(vm_poly_log_tail)(z.hi)));
    q.lo = v_add(q.lo, VM_C(-0x1.555556p-26, 0x1.5555555555555p-55));
    VM2 t = BP__TN(vm_product)(z.hi, q.hi);
    t.lo = v_add(t.lo, v_fma(z.hi, q.lo, v_mul(z.lo, q.hi)));
    VM2 c = BP__TN(vm_product)(s, t.hi);
    c.lo = v_add(c.lo, v_fma(s, t.lo, v_mul(s_lo, t.hi)));
    VM2 y = BP__TN(vm_fast_sum)(v_add(s, s), c.hi);
    y.lo = v_add(y.lo, v_fma(v_set(2), s_lo, c.lo));
    return BP__TN(vm_fast_sum)(y.hi, y.lo);
}
/* log x for normal x > 0, likewise. */
BP__INLINE VM2 BP__TN(vm_log_whole)(V x) {
    V k, m = BP__TN(vm_split)(x, &k);
    VM2 l = BP__TN(vm_log_precise)(m), s = BP__TN(vm_fast_sum)(v_mul(k, VM_LN2_SHORT), l.hi);
    M whole = v_eq(k, v_set(0));
    s.hi = v_select(whole, l.hi, s.hi);
    s.lo = v_select(whole, l.lo, v_add(s.lo, v_fma(k, VM_LN2_REST, l.lo)));
    return BP__TN(vm_fast_sum)(s.hi, s.lo);
}
/* log(m) * (hi + lo) + k * (short + rest): logarithms to other bases. */
BP__INLINE V BP__TN(vm_log_base)(V x, V hi, V lo, V short_part, V rest) {
    V k, m = BP__TN(vm_split)(x, &k);
    VM2 l = BP__TN(vm_log_precise)(m), p = BP__TN(vm_product)(l.hi, hi);
    p.lo = v_add(p.lo, v_fma(l.hi, lo, v_mul(l.lo, hi)));
    VM2 s = BP__TN(vm_two_sum)(v_mul(k, short_part), p.hi);
    return BP__TN(vm_log_ends)(x, v_add(s.hi, v_add(s.lo, v_fma(k, rest, p.lo))));
}
BP__STATIC V v_log2(V x) {
    return BP__TN(vm_log_base)(x, VM_C(0x1.715476p+0, 0x1.71547652b82fep+0), VM_C(0x1.4ae0cp-26, 0x1.777d0ffda0d24p-56), v_set(1),
                               v_set(0));
}
BP__STATIC V v_log10(V x) {
    return BP__TN(vm_log_base)(x, VM_C(0x1.bcb7b2p-2, 0x1.bcb7b1526e50ep-2), VM_C(-0x1.5b235ep-27, 0x1.95355baaafad3p-57),
                               VM_C(0x1.344p-2, 0x1.34413509f6p-2), VM_C(0x1.3509f8p-18, 0x1.9fef311f12b36p-42));
}

/* ---- Power ---------------------------------------------------------------------------------------------------------------- */
BP__STATIC V v_pow(V x, V y) {
    V a = v_abs(x), one = v_set(1), zero = v_set(0);
    VM2 s = BP__TN(vm_log_whole)(a);
    /* |log x| > 2^-54: a larger y than this overflows or underflows anyway, and the product stays finite */
    V limit = VM_C(0x1p+60, 0x1p+100), yc = v_max(v_min(y, limit), v_neg(limit));
    VM2 p = BP__TN(vm_product)(yc, s.hi);
    p.lo = v_fma(yc, s.lo, p.lo);
    V r = BP__TN(vm_exp_scaled)(p.hi, p.lo, zero);
    /* magnitudes at the ends of |x| and for infinite y */
    M up = v_gt(y, zero);
    r = v_select(v_lt(a, VM_TINY), v_select(up, zero, VM_INF), r);
    r = v_select(v_eq(a, VM_INF), v_select(up, VM_INF, zero), r);
    r = v_select(v_eq(v_abs(y), VM_INF), v_select(v_xor(v_gt(a, one), up), zero, VM_INF), r);
    r = v_select(v_and(v_eq(a, one), v_eq(v_abs(y), VM_INF)), one, r);
    /* negative x: odd and even whole y, else not a number unless |x| is 0 or infinite or y is infinite */
    V half = v_mul(y, v_set(0.5));
    M is_whole = v_eq(v_trunc(y), y), odd = v_and(is_whole, v_ne(v_trunc(half), half));
    r = v_select(v_and(v_sign_is_set(x), odd), v_neg(r), r);
    M negative = v_and(v_le(x, v_neg(VM_TINY)), v_lt(a, VM_INF));
    r = v_select(v_and(negative, v_not(is_whole)), VM_NAN, r);
    r = v_select(v_is_nan(x), x, v_select(v_is_nan(y), y, r));
    return v_select(v_or(v_eq(y, zero), v_eq(x, one)), one, r);
}

/* ---- Hyperbolic and logistic ------------------------------------------------------------------------------------------------
 */
BP__STATIC V v_tanh(V x) {
    /* m = e^(-2a) - 1: tanh a = -m / (2 + m) */
    VM2 m = BP__TN(vm_expm1_sum)(v_mul(v_set(-2), v_min(v_abs(x), v_set(25))));
    VM2 d = BP__TN(vm_fast_sum)(v_set(2), m.hi);
    d.lo = v_add(d.lo, m.lo);
    VM2 q = BP__TN(vm_quotient)(m, d);
    return v_copysign(v_add(q.hi, q.lo), x);
}
/* 1 + e^-x, rounded once; infinite where its reciprocal is no normal number. */
BP__INLINE V BP__TN(vm_sigmoid_divisor)(V x) {
    V k, one = v_set(1), least = VM_C(-87.34, -708.4), c = v_max(v_min(v_neg(x), v_neg(least)), v_set(-50));
    V p = BP__TN(vm_exp_part)(c, v_set(0), &k), s = v_pow2i(k), d = v_add(s, one);
    V lost = v_sub(one, v_sub(d, s)); /* not 0 for large s */
    return v_select(v_lt(x, least), VM_INF, v_add(d, v_fma(s, p, lost)));
}
BP__STATIC V v_sigmoid(V x) { return v_div(v_set(1), BP__TN(vm_sigmoid_divisor)(x)); }
BP__STATIC V v_silu(V x) { return v_div(x, BP__TN(vm_sigmoid_divisor)(x)); }
/* e^x = 2^k n for x ≤ 0, and s = 2^k: 0 where e^x is no normal number. */
BP__INLINE VM2 BP__TN(vm_exp_negative)(V x, V *s) {
    V k, one = v_set(1), least = VM_C(-87.34, -708.4);
    VM2 n, p = BP__TN(vm_exp_terms)(v_max(x, least), v_set(0), &k);
    n.hi = v_add(one, v_add(p.hi, p.lo));
    n.lo = v_add(v_sub(p.hi, v_sub(n.hi, one)), p.lo);
    *s = v_select(v_lt(x, least), v_set(0), v_pow2i(k));
    return n;
}
/* x tanh(log(1 + e^x)) with e = e^-|x|: x (1 + 2 e) / (1 + 2 e + 2 e^2), below 0 x e (2 + e) / (2 + e (2 + e)) */
BP__STATIC V v_mish(V x) {
    V one = v_set(1), two = v_set(2), s;
    M negative = v_lt(x, v_set(0));
    VM2 e, n = BP__TN(vm_exp_negative)(v_neg(v_abs(x)), &s);
    e.hi = v_mul(n.hi, s);
    e.lo = v_mul(n.lo, s);
    V times = v_select(negative, one, two);
    VM2 g = BP__TN(vm_two_sum)(v_select(negative, two, one), v_mul(times, e.hi)),
        z = BP__TN(vm_product)(e.hi, v_select(negative, g.hi, v_add(e.hi, e.hi)));
    g.lo = v_fma(times, e.lo, g.lo);
    z.lo = v_fma(e.lo, v_select(negative, g.hi, v_mul(v_set(4), e.hi)), z.lo);
    VM2 d = BP__TN(vm_two_sum)(v_select(negative, two, g.hi), z.hi);
    d.lo = v_add(d.lo, v_add(v_select(negative, v_mul(e.hi, g.lo), g.lo), z.lo));
    VM2 t = BP__TN(vm_quotient)(g, d);
    n.hi = v_select(negative, n.hi, one); /* times 2^k last: nothing underflows before */
    n.lo = v_select(negative, n.lo, v_set(0));
    VM2 f = BP__TN(vm_product)(n.hi, t.hi);
    f.lo = v_add(f.lo, v_fma(n.hi, t.lo, v_mul(n.lo, t.hi)));
    return v_mul(v_mul(x, v_add(f.hi, f.lo)), v_select(negative, s, one));
}
/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|) */
BP__STATIC V v_softplus(V x) {
    V e = v_exp(v_neg(v_abs(x)));
    return v_add(v_max(x, v_set(0)), v_log1p(e));
}
BP__STATIC V v_sinh(V x) {
    V a = v_abs(x), z = v_mul(a, a);
    V h = BP__TN(vm_exp_scaled)(a, v_set(0), v_set(-1)); /* e^a / 2 */
    V y = v_select(v_lt(a, v_set(1)), v_fma(v_mul(a, z), BP__TN(vm_poly_sinh)(z), a), v_sub(h, v_div(v_set(0.25), h)));
    return v_copysign(y, x);
}
BP__STATIC V v_cosh(V x) {
    V h = BP__TN(vm_exp_scaled)(v_abs(x), v_set(0), v_set(-1));
    return v_add(h, v_div(v_set(0.25), h));
}
BP__STATIC V v_asinh(V x) {
    /* log1p(a + a^2 / (1 + sqrt(1 + a^2))); a huge: log(a) + log 2 */
    V a = v_abs(x), one = v_set(1), limit = VM_C(0x1p+28, 0x1p+56);
    V b = v_min(a, limit);
    VM2 z = BP__TN(vm_product)(b, b), u = BP__TN(vm_two_sum)(z.hi, one);
    V root = v_sqrt(u.hi), root_lo = v_div(v_add(v_fnma(root, root, u.hi), v_add(u.lo, z.lo)), v_add(root, root));
    VM2 d = BP__TN(vm_two_sum)(root, one);
    d.lo = v_add(d.lo, root_lo);
    V q = v_div(z.hi, d.hi), q_lo = v_div(v_add(v_fnma(q, d.hi, z.hi), v_fnma(q, d.lo, z.lo)), d.hi);
    VM2 w = BP__TN(vm_fast_sum)(b, q);
    VM2 v = BP__TN(vm_fast_sum)(q, b);
    M more = v_gt(q, b);
    V y = BP__TN(vm_log1p_sum)(w.hi, v_add(v_select(more, v.lo, w.lo), q_lo));
    y = v_select(v_lt(a, limit), y, v_add(v_log(a), v_set(0.693147180559945309417)));
    y = v_select(v_lt(a, VM_C(0x1p-20, 0x1p-40)), a, y);
    return v_copysign(y, x);
}
BP__STATIC V v_acosh(V x) {
    /* t = x - 1: log1p(t + sqrt(2 t + t^2)) */
    V one = v_set(1), limit = VM_C(0x1p+28, 0x1p+56), b = v_min(x, limit), t = v_sub(b, one);
    VM2 p = BP__TN(vm_product)(t, t), u = BP__TN(vm_two_sum)(v_add(t, t), p.hi);
    V root = v_sqrt(u.hi), e = v_add(v_fnma(root, root, u.hi), v_add(u.lo, p.lo));
    V root_lo = v_select(v_gt(root, v_set(0)), v_div(e, v_add(root, root)), v_set(0));
    VM2 w = BP__TN(vm_two_sum)(t, root);
    V y = BP__TN(vm_log1p_sum)(w.hi, v_add(w.lo, root_lo));
    y = v_select(v_lt(x, limit), y, v_add(v_log(x), v_set(0.693147180559945309417)));
    y = v_select(v_lt(x, one), VM_NAN, y);
    return v_select(v_is_nan(x), x, y);
}
BP__STATIC V v_atanh(V x) {
    /* log1p(2 a / (1 - a)) / 2 */
    V a = v_abs(x), one = v_set(1), n = v_add(a, a);
    VM2 d = BP__TN(vm_fast_sum)(one, v_neg(a));
    V q = v_div(n, d.hi), q_lo = v_div(v_fnma(q, d.lo, v_fnma(q, d.hi, n)), d.hi);
    V y = v_mul(v_set(0.5), BP__TN(vm_log1p_sum)(q, q_lo));
    y = v_select(v_lt(a, VM_C(0x1p-20, 0x1p-40)), a, y);
    y = v_select(v_eq(a, one), VM_INF, v_select(v_gt(a, one), VM_NAN, y));
    return v_select(v_is_nan(x), x, v_copysign(y, x));
}

/* ---- Error function -----------------------------------------------------------------------------------------------------------
 */
BP__STATIC V v_erf(V x) {
    V a = v_min(v_abs(x), VM_C(4, 6)), z = v_mul(a, a), k;
    V near = v_fma(a, BP__TN(vm_poly_erf)(z), a);
    V p = BP__TN(vm_exp_part)(BP__TN(vm_poly_log_erfc)(v_sub(a, v_set(1))), v_set(0), &k);
    V far = v_fnma(v_add(v_set(1), p), v_pow2i(k), v_set(1));
    return v_copysign(v_select(v_lt(a, v_set(1)), near, far), x);
}
BP__STATIC V v_erfc(V x) {
    V a = v_min(v_abs(x), VM_C(11, 28)), one = v_set(1), two = v_set(2);
    V z = v_mul(a, a), near = v_fma(a, BP__TN(vm_poly_erf)(z), a);
    /* e^(-a^2) (P(2) + t P1(t)) / (1 + 2 a), t = (a - 2) / (a + 2) */
    VM2 square = BP__TN(vm_product)(a, a), d = BP__TN(vm_fast_sum)(v_add(a, a), one), e = BP__TN(vm_fast_sum)(one, v_add(a, a));
    V t = v_div(v_sub(a, two), v_add(a, two)), k;
    VM2 n = BP__TN(vm_fast_sum)(v_set(1.27697838155252871933), v_mul(t, BP__TN(vm_poly_erfcx)(t)));
    n.lo = v_add(n.lo, VM_C(0x1.13bcaap-27, 0x1.9d66d1cf6a250p-54));
    d.lo = v_select(v_gt(a, v_set(0.5)), d.lo, e.lo);
    VM2 q = BP__TN(vm_quotient)(n, d);
    V p = BP__TN(vm_exp_part)(v_neg(square.hi), v_neg(square.lo), &k);
    V far = v_scale(v_add(q.hi, v_fma(q.hi, p, v_fma(q.lo, p, q.lo))), k);
    M small = v_lt(a, v_set(0.5)), negative = v_lt(x, v_set(0));
    near = v_copysign(near, x);
    return v_select(small, v_sub(one, near), v_select(negative, v_sub(two, far), far));
}
#include "kernel/vmath_trig.h"
#include "kernel/vmath_gamma.h"
