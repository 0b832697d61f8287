#include "core/math64.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static uint64_t bits_of(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double of_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static double horner(double x, const double *c, int n) { /* c[0] is the highest coefficient */
    double p = c[0];
    for (int i = 1; i < n; i++) p = fma(p, x, c[i]);
    return p;
}

/* The upper part has 21 zero bits at the end: times any exponent it is exact. */
static const double ln2_high = 0x1.62e42feep-1, ln2_low = 1.90821492927058770002e-10;

double bp__log64(double x) {
    uint64_t u = bits_of(x);
    if (u << 1 < UINT64_C(0x0010000000000000) << 1) return -INFINITY;
    if (u >> 63) return NAN;
    if (u >> 52 == 0x7ff) return x;
    /* x = m 2^e with m in [sqrt(1/2), sqrt(2)), so that f = m - 1 is exact */
    int64_t e = (int64_t)(u >> 52) - 1023;
    double m = of_bits((u & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
    if (m > 0x1.6a09e667f3bcdp0) {
        m *= 0.5;
        e++;
    }
    /* log(1 + f) = 2 artanh(s), s = f / (2 + f); 2 s = f - s f keeps the leading part exact */
    static const double c[] = {2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
                               2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3,  0.0};
    double f = m - 1.0, s = f / (2.0 + f), k = (double)e;
    double p = horner(s * s, c, sizeof c / sizeof c[0]);
    return k * ln2_high + (f - (s * (f - p) - k * ln2_low));
}

double bp__exp64(double x) {
    if (x != x) return x;
    if (x > 709.782712893384) return INFINITY;
    if (x < -708.396418532264) return 0.0; /* would be subnormal */
    static const double c[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                               1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                               1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
    double k = floor(fma(x, 1.44269504088896340736, 0.5));
    double r = fma(-k, ln2_low, fma(-k, ln2_high, x)); /* |r| <= ln(2) / 2 */
    double y = 1.0 + fma(r * r, horner(r, c, sizeof c / sizeof c[0]), r);
    int64_t half = (int64_t)k / 2, rest = (int64_t)k - half; /* 2^1024 has no double, its two halves have */
    return y * of_bits((uint64_t)(half + 1023) << 52) * of_bits((uint64_t)(rest + 1023) << 52);
}

/* The rounding error of 1 + x cancels in the quotient of two quantities that both have it (Kahan; Higham, Accuracy and Stability
   of Numerical Algorithms, section 1.14.1). */
double bp__log1p64(double x) {
    double u = 1.0 + x;
    if (u == 1.0 || x == INFINITY) return x;
    return bp__log64(u) * (x / (u - 1.0));
}
double bp__expm1_64(double x) {
    double u = bp__exp64(x);
    if (u == 1.0 || x != x) return x;
    double less = u - 1.0;
    if (less == -1.0 || u == INFINITY) return less;
    return fabs(x) > 1.0 ? less : less * (x / bp__log64(u));
}

double bp__pow64(double x, double y) {
    bool whole = y == floor(y) && fabs(y) < 0x1p53;
    if (whole && fabs(y) <= 1024) {
        double power = 1, square = x;
        for (int64_t n = (int64_t)fabs(y); n > 0; n >>= 1, square *= square)
            if (n & 1) power *= square;
        return y < 0 ? 1 / power : power;
    }
    if (x > 0) return bp__exp64(y * bp__log64(x));
    if (x == 0) return y > 0 ? 0 : INFINITY;
    if (!whole) return NAN;
    double size = bp__exp64(y * bp__log64(-x));
    return 2 * floor(y / 2) != y ? -size : size;
}

void bp__sincos_turns(double turns, double *sine, double *cosine) {
    static const double cs[] = {1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
                                1.0 / 362880.0,          -1.0 / 5040.0,          1.0 / 120.0,        -1.0 / 6.0};
    static const double cc[] = {-1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0,
                                -1.0 / 3628800.0,          1.0 / 40320.0,          -1.0 / 720.0,         1.0 / 24.0};
    double quarters = 4.0 * turns, q = floor(quarters + 0.5);
    double y = (quarters - q) * 1.57079632679489661923, z = y * y; /* the difference is exact; |y| <= pi / 4 */
    double s = fma(y * z, horner(z, cs, sizeof cs / sizeof cs[0]), y);
    double c = fma(z * z, horner(z, cc, sizeof cc / sizeof cc[0]), fma(-0.5, z, 1.0));
    switch ((int64_t)q & 3) {
    case 0: *sine = s, *cosine = c; break;
    case 1: *sine = c, *cosine = -s; break;
    case 2: *sine = -s, *cosine = -c; break;
    default: *sine = -c, *cosine = s; break;
    }
}

double bp__normal_cdf(double x) {
    if (x != x) return x;
    if (x > 8.5) return 1.0;
    if (x < -37.5) return 0.0;
    double d = 0.39894228040143267794 * bp__exp64(-0.5 * x * x), a = fabs(x);
    if (a < 1.5) { /* 1/2 + density * (x + x^3/3 + x^5/15 + …): no cancellation within the sum */
        double sum = x, term = x;
        for (int k = 3; k < 80; k += 2) {
            term *= x * x / k;
            sum += term;
        }
        return fma(d, sum, 0.5);
    }
    double fraction = a; /* Laplace's continued fraction of the tail: density / (a + 1/(a + 2/(a + …))) */
    for (int k = 200; k >= 1; k--) fraction = a + k / fraction;
    double tail = d / fraction;
    return x < 0.0 ? tail : 1.0 - tail;
}

double bp__normal_quantile(double p) {
    static const double a[] = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                               4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                               1.3314166789178437745e+2, 3.3871328727963666080e0};
    static const double b[] = {
        5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
        5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0};
    static const double c[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                               1.27045825245236838258e0,  3.64784832476320460504e0,  5.76949722146069140550e0,
                               4.63033784615654529590e0,  1.42343711074968357734e0};
    static const double d[] = {
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0,  2.05319162663775882187e0,  1.0};
    static const double e[] = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                               2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                               5.46378491116411436990e0,  6.65790464350110377720e0};
    static const double f[] = {
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
        1.48753612908506148525e-2,  1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0};
    if (!(p >= 0.0 && p <= 1.0)) return NAN;
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * (horner(r, a, 8) / horner(r, b, 8));
    }
    double tail = q < 0.0 ? p : 1.0 - p;
    if (bits_of(tail) < UINT64_C(0x0010000000000000)) return q < 0.0 ? -INFINITY : INFINITY;
    double r = sqrt(-bp__log64(tail)), z;
    if (r <= 5.0) {
        r -= 1.6;
        z = horner(r, c, 8) / horner(r, d, 8);
    } else {
        r -= 5.0;
        z = horner(r, e, 8) / horner(r, f, 8);
    }
    return q < 0.0 ? -z : z;
}
