/* Circular functions, their inverses, remainders: the second half of vmath.h. */

/* x = n pi/2 + hi + lo with |hi| ≤ pi/4, gives n mod 4. Large x go to exact integer arithmetic one by one. */
BP__STATIC V BP__TN(vm_quadrant)(V x, VM2 *r) {
    V limit = VM_C(1500, 1500000);
    V c = v_select(v_le(v_abs(x), limit), x, v_set(0));
    V n = v_round(v_mul(c, v_set(0x1.45f306dc9c883p-1)));
    V t = v_fnma(n, VM_C(0x1.9218p+0, 0x1.921fb544p+0), c); /* exact */
    V second = VM_C(0x1.ed511p-14, 0x1.0b4611a626331p-34);
    VM2 w = BP__TN(vm_product)(n, second), s = BP__TN(vm_two_sum)(t, v_neg(w.hi));
    s.lo = v_fnma(n, VM_C(0x1.68c234p-39, 0x1.1701b839a252p-88), v_sub(s.lo, w.lo));
    *r = BP__TN(vm_fast_sum)(s.hi, s.lo);
    V quadrant = v_fnma(v_set(4), v_floor(v_mul(n, v_set(0.25))), n);
    M large = v_gt(v_abs(x), limit);
    if (v_any(large)) {
        T lane[W], hi[W], lo[W], q[W];
        v_store(lane, x);
        v_store(hi, r->hi);
        v_store(lo, r->lo);
        v_store(q, quadrant);
        for (int i = 0; i < W; i++) {
            T a = lane[i] < 0 ? -lane[i] : lane[i];
            if (!(a > (T)(BP__T == 4 ? 1500 : 1500000)) || !(a < (T)INFINITY)) continue;
            double h, l;
            q[i] = (T)bp__trig_large((double)lane[i], &h, &l);
            hi[i] = (T)h;
            lo[i] = (T)(h - (double)hi[i] + l);
        }
        r->hi = v_load(hi);
        r->lo = v_load(lo);
        quadrant = v_load(q);
    }
    M bad = v_not(v_is_finite(x));
    r->hi = v_select(bad, VM_NAN, r->hi);
    return quadrant;
}
/* The sine and the cosine of r, as sums not yet rounded. */
BP__INLINE VM2 BP__TN(vm_sin_part)(VM2 r) {
    V z = v_mul(r.hi, r.hi);
    VM2 y;
    y.hi = r.hi;
    y.lo = v_fma(v_mul(z, r.hi), BP__TN(vm_poly_sin)(z), v_fnma(v_mul(v_set(0.5), z), r.lo, r.lo));
    return y;
}
BP__INLINE VM2 BP__TN(vm_cos_part)(VM2 r) {
    V one = v_set(1), z = v_mul(r.hi, r.hi), half = v_mul(v_set(0.5), z), w = v_sub(one, half);
    V rest = v_sub(v_sub(one, w), half);
    V z_lo = v_mul(v_set(0.5), v_fms(r.hi, r.hi, z)); /* what the square lost */
    VM2 y;
    y.hi = w;
    y.lo = v_sub(v_fma(v_mul(z, z), BP__TN(vm_poly_cos)(z), v_fnma(r.hi, r.lo, rest)), z_lo);
    return y;
}
/* quadrant + shift: 0 sin, 1 cos, 2 -sin, 3 -cos */
BP__INLINE V BP__TN(vm_sine)(V x, double shift) {
    VM2 r;
    V q = v_add(BP__TN(vm_quadrant)(x, &r), v_set(shift));
    q = v_select(v_gt(q, v_set(3)), v_sub(q, v_set(4)), q);
    M odd = v_or(v_eq(q, v_set(1)), v_eq(q, v_set(3)));
    VM2 s = BP__TN(vm_sin_part)(r), c = BP__TN(vm_cos_part)(r);
    V y = v_add(v_select(odd, c.hi, s.hi), v_select(odd, c.lo, s.lo));
    return v_select(v_gt(q, v_set(1)), v_neg(y), y);
}
BP__STATIC V v_sin(V x) { return v_select(v_lt(v_abs(x), VM_C(0x1p-20, 0x1p-40)), x, BP__TN(vm_sine)(x, 0)); }
BP__STATIC V v_cos(V x) { return BP__TN(vm_sine)(x, 1); }
/* tan r, or -cot r where odd. */
BP__INLINE VM2 BP__TN(vm_tan_part)(VM2 r, M odd) {
    VM2 s = BP__TN(vm_sin_part)(r), c = BP__TN(vm_cos_part)(r), n, d;
    s = BP__TN(vm_fast_sum)(s.hi, s.lo);
    c = BP__TN(vm_fast_sum)(c.hi, c.lo);
    n.hi = v_select(odd, v_neg(c.hi), s.hi);
    n.lo = v_select(odd, v_neg(c.lo), s.lo);
    d.hi = v_select(odd, s.hi, c.hi);
    d.lo = v_select(odd, s.lo, c.lo);
    return BP__TN(vm_quotient)(n, d);
}
BP__STATIC V v_tan(V x) {
    VM2 r;
    V q = BP__TN(vm_quadrant)(x, &r);
    VM2 y = BP__TN(vm_tan_part)(r, v_or(v_eq(q, v_set(1)), v_eq(q, v_set(3))));
    return v_select(v_lt(v_abs(x), VM_C(0x1p-20, 0x1p-40)), x, v_add(y.hi, y.lo));
}

/* The angle of the point (d, n), both ≥ 0 and not both 0 or infinite, as hi + lo. */
BP__INLINE VM2 BP__TN(vm_angle)(V n, V d) {
    M steep = v_gt(n, v_mul(d, v_set(2.414213562373095))), middle = v_gt(n, v_mul(d, v_set(0.41421356237309503)));
    V top = v_select(steep, v_neg(d), v_select(middle, v_sub(n, d), n));
    V bottom = v_select(steep, n, v_select(middle, v_add(n, d), d));
    V t = v_div(top, bottom), z = v_mul(t, t);
    V base = v_select(steep, v_set(1), v_select(middle, v_set(0.5), v_set(0)));
    V tail = v_fma(v_mul(t, z), BP__TN(vm_poly_atan)(z), v_mul(base, VM_PI_2_REST));
    VM2 y, s = BP__TN(vm_fast_sum)(v_mul(base, VM_PI_2), t); /* base is 0 or larger than t */
    y.hi = s.hi;
    y.lo = v_add(s.lo, tail);
    return y;
}
BP__STATIC V v_atan(V x) {
    VM2 y = BP__TN(vm_angle)(v_abs(x), v_set(1));
    return v_copysign(v_add(y.hi, y.lo), x);
}
BP__STATIC V v_atan2(V y, V x) {
    V n = v_abs(y), d = v_abs(x), zero = v_set(0), one = v_set(1);
    V most = v_max(n, d), up = v_select(v_lt(most, VM_C(0x1p-60, 0x1p-500)), VM_C(0x1p+60, 0x1p+500), one);
    V scale = v_select(v_gt(most, VM_C(0x1p+120, 0x1p+1000)), v_set(0.125), up); /* n - d and n + d stay normal and finite */
    n = v_mul(n, scale);
    d = v_mul(d, scale);
    M both = v_and(v_eq(n, VM_INF), v_eq(d, VM_INF));
    n = v_select(both, one, n);
    d = v_select(both, one, d);
    d = v_select(v_and(v_eq(n, zero), v_eq(d, zero)), one, d);
    VM2 a = BP__TN(vm_angle)(n, d);
    M left = v_sign_is_set(x);
    V right_angle = v_add(a.hi, a.lo);
    VM2 s = BP__TN(vm_fast_sum)(v_mul(v_set(2), VM_PI_2), v_neg(a.hi));
    V left_angle = v_add(s.hi, v_add(s.lo, v_sub(v_mul(v_set(2), VM_PI_2_REST), a.lo)));
    V r = v_copysign(v_select(left, left_angle, right_angle), y);
    return v_select(v_is_nan(x), x, v_select(v_is_nan(y), y, r));
}
/* asin(sqrt(z)) for z = (1 - a) / 2, exact for a ≥ 1/2, as hi + lo. */
BP__INLINE VM2 BP__TN(vm_half_asin)(V a) {
    V z = v_mul(v_sub(v_set(1), a), v_set(0.5)), s = v_sqrt(z);
    V s_lo = v_select(v_gt(s, v_set(0)), v_div(v_fnma(s, s, z), v_add(s, s)), v_set(0));
    VM2 y;
    y.hi = s;
    y.lo = v_fma(v_mul(s, z), BP__TN(vm_poly_asin)(z), s_lo);
    return y;
}
BP__STATIC V v_asin(V x) {
    V a = v_abs(x), z = v_mul(a, a), small = v_fma(v_mul(a, z), BP__TN(vm_poly_asin)(z), a);
    VM2 h = BP__TN(vm_half_asin)(a), s = BP__TN(vm_fast_sum)(VM_PI_2, v_mul(v_set(-2), h.hi));
    V large = v_add(s.hi, v_add(s.lo, v_fma(v_set(-2), h.lo, VM_PI_2_REST)));
    V y = v_copysign(v_select(v_lt(a, v_set(0.5)), small, large), x);
    y = v_select(v_gt(a, v_set(1)), VM_NAN, y);
    return v_select(v_is_nan(x), x, y);
}
BP__STATIC V v_acos(V x) {
    V a = v_abs(x), z = v_mul(x, x);
    VM2 s = BP__TN(vm_fast_sum)(VM_PI_2, v_neg(x)); /* pi/2 - asin x */
    V small = v_add(s.hi, v_add(s.lo, v_fnma(v_mul(x, z), BP__TN(vm_poly_asin)(z), VM_PI_2_REST)));
    VM2 h = BP__TN(vm_half_asin)(a), t = BP__TN(vm_fast_sum)(v_mul(v_set(2), VM_PI_2), v_mul(v_set(-2), h.hi));
    V right = v_mul(v_set(2), v_add(h.hi, h.lo));
    V left = v_add(t.hi, v_add(t.lo, v_fma(v_set(-2), h.lo, v_mul(v_set(2), VM_PI_2_REST))));
    V y = v_select(v_lt(a, v_set(0.5)), small, v_select(v_sign_is_set(x), left, right));
    y = v_select(v_gt(a, v_set(1)), VM_NAN, y);
    return v_select(v_is_nan(x), x, y);
}

BP__STATIC V v_hypot(V x, V y) {
    V a = v_abs(x), b = v_abs(y), most = v_max(a, b), least = v_min(a, b);
    V up = VM_C(0x1p+70, 0x1p+600), down = VM_C(0x1p-70, 0x1p-600), one = v_set(1);
    M large = v_gt(most, VM_C(0x1p+60, 0x1p+500)), small = v_lt(most, VM_C(0x1p-50, 0x1p-450)); /* squares stay normal */
    V scale = v_select(large, down, v_select(small, up, one)), back = v_select(large, up, v_select(small, down, one));
    V p = v_mul(most, scale), q = v_mul(least, scale);
    V r = v_mul(v_sqrt(v_fma(p, p, v_mul(q, q))), back);
    return v_select(v_or(v_eq(a, VM_INF), v_eq(b, VM_INF)), VM_INF, r);
}
/* x - trunc(x / y) y, exact: by one fused multiply-add while the quotient is a whole number of the type, else by the C
   library's function, exact too by definition. */
BP__STATIC V v_fmod(V x, V y) {
    V a = v_abs(x), b = v_abs(y), zero = v_set(0);
    V q = v_trunc(v_div(a, b)), r = v_fnma(q, b, a);
    r = v_select(v_lt(r, zero), v_add(r, b), r); /* the quotient was rounded up to a whole number */
    r = v_copysign(r, x);
    r = v_select(v_lt(a, b), x, r);
    M usual = v_or(v_le(q, VM_C(0x1p+22, 0x1p+51)), v_lt(a, b));
    M bad = v_or(v_or(v_eq(b, zero), v_eq(a, VM_INF)), v_or(v_is_nan(x), v_is_nan(y)));
    r = v_select(bad, VM_NAN, r);
    if (!v_all(v_or(usual, bad))) {
        T lx[W], ly[W], lr[W], lq[W];
        v_store(lx, x);
        v_store(ly, y);
        v_store(lr, r);
        v_store(lq, v_select(v_or(usual, bad), v_set(0), v_set(1)));
        for (int i = 0; i < W; i++)
            if (lq[i] > 0) lr[i] = (T)fmod((double)lx[i], (double)ly[i]);
        r = v_load(lr);
    }
    return r;
}
/* As fmod, but with the sign of y (Python's %). */
BP__STATIC V v_remainder(V x, V y) {
    V r = v_fmod(x, y), zero = v_set(0);
    M wrong = v_and(v_ne(r, zero), v_xor(v_lt(r, zero), v_lt(y, zero)));
    return v_select(v_and(wrong, v_not(v_is_nan(r))), v_add(r, y), r);
}
