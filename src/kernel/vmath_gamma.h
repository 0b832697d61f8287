/* The gamma function's logarithm and its derivatives: the third part of vmath.h. Bounds in tests/test_elementwise.c; near the
   zeros of digamma, and of lgamma below 0, the error is small against 1, not against the result. */

/* r = x - round(x), exact: sin(pi x) = ± sin(pi r), tan(pi x) = tan(pi r). */
BP__INLINE V BP__TN(vm_fraction)(V x) { return v_sub(x, v_round(x)); }
/* For sines and cosines of pi f, |f| ≤ 1/2: pi f if near, else pi (f - 1/2), negative f from the other side. */
BP__INLINE VM2 BP__TN(vm_pi_times)(V f, M *near) {
    *near = v_le(v_abs(f), v_set(0.25));
    V g = v_select(*near, f, v_sub(f, v_copysign(v_set(0.5), f)));
    VM2 r = BP__TN(vm_product)(g, v_set(VM_PI));
    r.lo = v_fma(g, v_mul(v_set(2), VM_PI_2_REST), r.lo);
    return r;
}

/* x > -1/2, not 0: a polynomial around the zeros 1 and 2; steps down to [2, 3) below 8; Stirling's series from there on. */
BP__INLINE V BP__TN(vm_lgamma_right)(V x) {
    V one = v_set(1), two = v_set(2), product = one, y = x;
    for (int i = 0; i < 5; i++) { /* lgamma(x) = lgamma(y) + log((x - 1) … y) */
        M above = v_and(v_ge(y, v_set(3)), v_lt(x, v_set(8)));
        y = v_select(above, v_sub(y, one), y);
        product = v_select(above, v_mul(product, y), product);
    }
    M below = v_lt(x, v_set(0.5)); /* lgamma(x) = lgamma(1 + x) - log |x|: u is x itself */
    V u = v_select(below, x, v_sub(y, one)), w = v_sub(y, two);
    V near_one = v_mul(u, BP__TN(vm_poly_lgamma1)(v_max(v_min(u, v_set(0.5)), v_set(-0.5))));
    V near_two = v_mul(w, BP__TN(vm_poly_lgamma2)(v_max(v_min(w, one), v_set(-0.5))));
    V factor = v_select(below, v_abs(x), product), l = v_log(factor);
    V small = v_select(v_lt(x, v_set(1.5)), near_one, near_two);
    small = v_select(below, v_sub(small, l), v_add(small, l));
    V r = v_div(one, x), z = v_mul(r, r), s = v_set(-3617.0 / 122400);
    s = v_fma(s, z, v_set(1.0 / 156));
    s = v_fma(s, z, v_set(-691.0 / 360360));
    s = v_fma(s, z, v_set(1.0 / 1188));
    s = v_fma(s, z, v_set(-1.0 / 1680));
    s = v_fma(s, z, v_set(1.0 / 1260));
    s = v_fma(s, z, v_set(-1.0 / 360));
    s = v_fma(s, z, v_set(1.0 / 12));
    /* x (log x - 1) - log x / 2 + log(2 pi) / 2 + … */
    VM2 lx = BP__TN(vm_log_whole)(x), f = BP__TN(vm_fast_sum)(lx.hi, v_set(-1));
    f.lo = v_add(f.lo, lx.lo);
    V large = v_fma(x, f.lo, v_fma(v_set(-0.5), lx.hi, v_fma(s, r, v_set(0.91893853320467274178))));
    large = v_fma(x, f.hi, large);
    large = v_select(v_eq(x, VM_INF), VM_INF, large);
    return v_select(v_lt(x, v_set(8)), small, large);
}
BP__STATIC V v_lgamma(V x) {
    V a = v_abs(x), one = v_set(1), tiny = VM_C(0x1p-30, 0x1p-60);
    M left = v_le(x, v_set(-0.5));
    V y = BP__TN(vm_lgamma_right)(v_select(left, a, x));
    /* log pi - log |x sin(pi x)| - lgamma(-x) */
    M near;
    VM2 r = BP__TN(vm_pi_times)(BP__TN(vm_fraction)(a), &near), sine = BP__TN(vm_sin_part)(r), cosine = BP__TN(vm_cos_part)(r);
    VM2 s = BP__TN(vm_fast_sum)(v_select(near, sine.hi, cosine.hi), v_select(near, sine.lo, cosine.lo));
    M pole = v_lt(v_abs(s.hi), VM_TINY);
    VM2 w = BP__TN(vm_product)(a, s.hi), l = BP__TN(vm_log_whole)(v_select(pole, one, v_abs(w.hi)));
    l.lo = v_add(l.lo, v_div(v_fma(a, s.lo, w.lo), w.hi));
    V log_pi = v_set(1.1447298858494001741), log_pi_lo = VM_C(0x1.1cf438p-25, 0x1.7abf2ad8d5088p-57);
    VM2 d = BP__TN(vm_two_sum)(log_pi, v_neg(l.hi)), m = BP__TN(vm_two_sum)(d.hi, v_neg(y));
    V mirrored = v_add(m.hi, v_add(m.lo, v_add(d.lo, v_sub(log_pi_lo, l.lo))));
    y = v_select(left, v_select(pole, VM_INF, mirrored), y);
    y = v_select(v_lt(a, tiny), v_neg(v_log(a)), y);
    return v_select(v_is_nan(x), x, v_select(v_eq(a, VM_INF), VM_INF, y));
}

/* x + lo > 0: steps up to 10, then the asymptotic series. What rounding takes from x, from the terms and from their sum is kept
   (Dekker, "A floating-point technique for extending the available precision", 1971). */
BP__INLINE VM2 BP__TN(vm_digamma_positive)(V x, V lo) {
    V one = v_set(1), sum = v_set(0), lost = v_set(0), ten = v_set(10), small = VM_C(0x1p-60, 0x1p-500);
    for (int i = 0; i < 10; i++) {
        M below = v_lt(x, ten);
        V t = v_div(one, x);
        VM2 total = BP__TN(vm_two_sum)(sum, t), next = BP__TN(vm_two_sum)(x, one);
        V rest = v_fma(v_fnma(t, lo, v_fnma(t, x, one)), t, total.lo);
        lost = v_select(v_and(below, v_gt(x, small)), v_add(lost, rest), lost);
        sum = v_select(below, total.hi, sum);
        lo = v_select(below, v_add(lo, next.lo), lo);
        x = v_select(below, next.hi, x);
    }
    V r = v_div(one, x), z = v_mul(r, r), s = v_set(1.0 / 12);
    s = v_fma(s, z, v_set(-691.0 / 32760));
    s = v_fma(s, z, v_set(1.0 / 132));
    s = v_fma(s, z, v_set(-1.0 / 240));
    s = v_fma(s, z, v_set(1.0 / 252));
    s = v_fma(s, z, v_set(-1.0 / 120));
    s = v_fma(s, z, v_set(1.0 / 12));
    V tail = v_fma(s, z, v_mul(v_set(0.5), r));
    VM2 l = BP__TN(vm_log_whole)(x), y = BP__TN(vm_two_sum)(l.hi, v_neg(sum));
    y.lo = v_add(y.lo, v_sub(v_fma(lo, r, l.lo), v_add(tail, lost)));
    return y;
}
/* digamma(x) = digamma(1 - x) - pi / tan(pi x) for x < 0. As in PyTorch: at ±0 the infinity of the other sign, NaN at -1, -2 … */
BP__STATIC V v_digamma(V x) {
    V zero = v_set(0), f = BP__TN(vm_fraction)(x), pi = v_set(VM_PI), pi_lo = v_mul(v_set(2), VM_PI_2_REST);
    M negative = v_lt(x, zero);
    VM2 u = BP__TN(vm_two_sum)(v_set(1), v_neg(x));
    VM2 y = BP__TN(vm_digamma_positive)(v_select(negative, u.hi, x), v_select(negative, u.lo, zero));
    /* cot(pi f), or -tan of what is left of it to pi / 2 */
    M near;
    VM2 r = BP__TN(vm_pi_times)(f, &near);
    VM2 t = BP__TN(vm_tan_part)(r, near), c = BP__TN(vm_product)(t.hi, pi), m = BP__TN(vm_two_sum)(y.hi, c.hi);
    V c_lo = v_add(c.lo, v_fma(t.hi, pi_lo, v_mul(t.lo, pi)));
    V mirrored = v_add(m.hi, v_add(m.lo, v_add(y.lo, c_lo)));
    V value = v_select(negative, v_select(v_eq(f, zero), VM_NAN, mirrored), v_add(y.hi, y.lo));
    value = v_select(v_eq(x, VM_INF), VM_INF, v_select(v_eq(x, v_neg(VM_INF)), VM_NAN, value));
    value = v_select(v_lt(v_abs(x), VM_TINY), v_neg(v_copysign(VM_INF, x)), value);
    return v_select(v_is_nan(x), x, value);
}

BP__INLINE V BP__TN(vm_power)(V x, int n) {
    V y = v_set(1);
    for (int i = 0; i < n; i++) y = v_mul(y, x);
    return y;
}
enum { BP__TN(VM_POLYGAMMA_MOST) = 20 };
/* (-1)^(n+1) n! zeta(n + 1, x), x > 0: the sum of 1 / (x + k)^(n+1), its first terms one by one, the rest by Euler and Maclaurin.
 */
BP__INLINE V BP__TN(vm_polygamma_positive)(V x, int n) {
    static const double bernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
    V one = v_set(1), sum = v_set(0), least = v_set(14 + 2 * n);
    double factorial = 1;
    for (int k = 2; k <= n; k++) factorial *= k;
    for (int k = 0; k < 14 + 2 * n; k++) {
        M below = v_lt(x, least);
        sum = v_select(below, v_add(sum, BP__TN(vm_power)(v_div(one, x), n + 1)), sum);
        x = v_select(below, v_add(x, one), x);
    }
    V r = v_div(one, x), z = v_mul(r, r), p = BP__TN(vm_power)(r, n), tail = v_set(0);
    double s = n + 1, c[7], rising = s / 2; /* c[j] = B[2j+2] s (s + 1) … (s + 2j) / (2j + 2)! */
    for (int j = 0; j < 7; j++) {
        c[j] = bernoulli[j] * rising;
        rising *= (s + 2 * j + 1) * (s + 2 * j + 2) / ((2 * j + 3) * (2 * j + 4));
    }
    for (int j = 6; j >= 0; j--) tail = v_fma(tail, z, v_set(c[j]));
    V rest = v_mul(p, v_fma(v_fma(tail, r, v_set(0.5)), r, v_set(1.0 / n)));
    return v_mul(v_add(sum, rest), v_set(n % 2 ? factorial : -factorial));
}
/* (d/dx)^n of pi cot(pi x) = pi^(n+1) P_n(cot(pi x)): P_0 = c, P_(n+1) = -(1 + c^2) P_n'. */
BP__INLINE V BP__TN(vm_cot_derivative)(V c, int n) {
    double p[BP__TN(VM_POLYGAMMA_MOST) + 3] = {0, 1}, scale = VM_PI;
    for (int k = 0; k < n; k++) {
        double q[BP__TN(VM_POLYGAMMA_MOST) + 3] = {0};
        for (int i = 1; i <= k + 1; i++) {
            q[i - 1] -= i * p[i];
            q[i + 1] -= i * p[i];
        }
        for (int i = 0; i < BP__TN(VM_POLYGAMMA_MOST) + 3; i++) p[i] = q[i];
        scale *= VM_PI;
    }
    V y = v_set(0);
    for (int i = n + 1; i >= 0; i--) y = v_fma(y, c, v_set(p[i]));
    return v_mul(y, v_set(scale));
}
/* The n-th derivative of digamma: n from 0 to 20, cut to a whole number; NaN for others. */
BP__STATIC V v_polygamma(V x, double order) {
    if (!(order >= 0 && order < BP__TN(VM_POLYGAMMA_MOST) + 1)) return VM_NAN;
    int n = (int)order;
    if (n == 0) return v_digamma(x);
    V zero = v_set(0), one = v_set(1);
    M negative = v_lt(x, zero);
    V y = BP__TN(vm_polygamma_positive)(v_select(negative, v_sub(one, x), x), n);
    if (v_any(negative)) { /* f(x) = (-1)^n f(1 - x) - (d/dx)^n pi cot(pi x) */
        V a = v_mul(BP__TN(vm_fraction)(x), v_set(VM_PI)), cot = v_div(v_cos(a), v_sin(a));
        V mirrored = v_sub(n % 2 ? v_neg(y) : y, BP__TN(vm_cot_derivative)(cot, n));
        y = v_select(negative, mirrored, y);
    }
    M pole = v_or(v_lt(v_abs(x), VM_TINY), v_and(negative, v_eq(v_trunc(x), x)));
    y = v_select(pole, n % 2 ? VM_INF : v_neg(VM_INF), y);
    y = v_select(v_eq(x, VM_INF), n % 2 ? zero : v_neg(zero), v_select(v_eq(x, v_neg(VM_INF)), VM_NAN, y));
    return v_select(v_is_nan(x), x, y);
}

/* log(z / (1 - z)); eps < 0: z = x. */
BP__STATIC V v_logit(V x, double eps) {
    V one = v_set(1), z = eps < 0 ? x : v_min(v_max(x, v_set(eps)), v_set(1 - eps));
    return v_log(v_div(z, v_sub(one, z)));
}
