#!/usr/bin/env python3
"""Fits the polynomials of src/kernel/vmath.h and writes src/kernel/vmath_poly.h (needs mpmath).

Each polynomial interpolates its function at the Chebyshev nodes of an interval, in 60 digits; the degree is the smallest
whose error, times the weight the polynomial has in the final result, is below 2^-(precision + 3)."""
import sys
from mpmath import mp, mpf, chebyfit, exp, log, sqrt, sin, cos, diff, atan, asin, erf, erfc, sinh, pi, polyval, linspace, loggamma, euler

mp.dps = 60


def series(f, at_zero, eps=mpf(10) ** -18):
    """f with its limit at 0, where the formula would divide by 0."""
    return lambda z: f(z) if abs(z) > eps else at_zero


def erfcx_t(t):
    a = 2 * (1 + t) / (1 - t)
    return (1 + 2 * a) * exp(a * a) * erfc(a)


def log_p(z):
    s = sqrt(z)
    return (log((1 + s) / (1 - s)) / s - 2) / z


third = mpf(2) / 3
# name, comment, function, (lo, hi) for float, for double, weight (absolute error of the polynomial → relative error of the result)
FITS = [
    ("exp", "(e^r - 1 - r) / r^2", series(lambda r: (exp(r) - 1 - r) / r**2, mpf(1) / 2), (-0.3475, 0.3475), None, 0.12),
    ("exp2", "(2^r - 1) / r", series(lambda r: (mpf(2) ** r - 1) / r, log(2)), (-0.5, 0.5), None, 0.7),
    ("log", "(log((1 + s) / (1 - s)) / s - 2) / z, z = s^2", series(log_p, third), (0, 0.02955), None, 0.015),
    ("log_tail", "((log((1 + s) / (1 - s)) / s - 2) / z - 2/3) / z, z = s^2",
     series(lambda z: (log_p(z) - third) / z, mpf(2) / 5, mpf(10) ** -12), (0, 0.02955), None, 0.0005),
    ("sin", "(sin(r) / r - 1) / z, z = r^2", series(lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 6), (0, 0.6175), None, 0.7),
    ("cos", "(cos(r) - 1 + z / 2) / z^2, z = r^2",
     series(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(1) / 24, mpf(10) ** -12), (0, 0.6175), None, 0.6),
    ("atan", "(atan(t) / t - 1) / z, z = t^2", series(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 3), (0, 0.1717), None, 0.17),
    ("asin", "(asin(x) / x - 1) / z, z = x^2", series(lambda z: (asin(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 6), (0, 0.25), None, 0.25),
    ("sinh", "(sinh(x) / x - 1) / z, z = x^2", series(lambda z: (sinh(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 6), (0, 1), None, 0.85),
    ("erf", "erf(x) / x - 1, z = x^2", series(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1), (0, 1), None, 1),
    ("log_erfc", "log(erfc(1 + u))", lambda u: log(erfc(u + 1)), (0, 3), (0, 5), 0.19),
    ("erfcx", "(f(t) - f(0)) / t, f = (1 + 2 a) e^(a^2) erfc(a), t = (a - 2) / (a + 2)",
     series(lambda t: (erfcx_t(t) - erfcx_t(0)) / t, diff(erfcx_t, 0)), (-0.61, 0.68), (-0.61, 0.87), 0.9),
    ("lgamma1", "lgamma(1 + u) / u", series(lambda u: loggamma(1 + u) / u, -euler), (-0.5, 0.5), None, 4),
    ("lgamma2", "lgamma(2 + u) / u", series(lambda u: loggamma(2 + u) / u, 1 - euler), (-0.5, 1), None, 2.5),
]


def fit(f, lo, hi, weight, precision):
    for n in range(3, 40):
        coefficients, _ = chebyfit(f, [mpf(lo), mpf(hi)], n, error=True)
        error = max(abs(polyval(coefficients, x) - f(x)) for x in linspace(mpf(lo), mpf(hi), 201))
        if error * mpf(weight) < mpf(2) ** -(precision + 3):
            return coefficients[::-1], error * weight
    sys.exit("no fit")


def main():
    out = ["/* Written by tools/fit_vmath.py. Horner's rule, the same sequence on every instruction set. */"]
    for kind, precision in (("4", 24), ("8", 53)):
        out.append("#%s BP__T == %s" % ("if" if kind == "4" else "elif", kind))
        for name, comment, f, lo_hi32, lo_hi64, weight in FITS:
            lo, hi = lo_hi32 if kind == "4" or lo_hi64 is None else lo_hi64
            c, error = fit(f, lo, hi, weight, precision)
            out.append("/* %s on [%s, %s]: weighted error %s */" % (comment, lo, hi, mp.nstr(error, 2)))
            out.append("BP__INLINE V BP__TN(vm_poly_%s)(V x) {" % name)
            text = [mp.nstr(v, 9 if kind == "4" else 19, strip_zeros=False) for v in c]
            out.append("    V y = v_set(%s);" % text[-1])
            for t in text[-2::-1]:
                out.append("    y = v_fma(y, x, v_set(%s));" % t)
            out.append("    return y;\n}")
    out.append("#endif")
    with open("src/kernel/vmath_poly.h", "w") as file:
        file.write("\n".join(out) + "\n")


main()
