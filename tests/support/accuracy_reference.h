/* The functions whose errors docs/accuracy.md states, in long double (and in double, for the many points of single precision),
   from the C library: independent of our polynomials. Names are those of the table of operations. */
#ifndef BP__ACCURACY_REFERENCE_H
#define BP__ACCURACY_REFERENCE_H
#include <tgmath.h>

typedef struct reference {
    const char *name;
    long double (*wide)(long double a, long double b);
    double (*twice)(double a, double b); /* NULL where double is not enough for single precision */
    int arity;
    double bound;     /* what test and table hold it to, in ulp */
    const char *note; /* why more than 2 ulp, or where it is measured; "" */
    double least;     /* > 0: errors count in ulp of max(|y|, least), of terms of that size that cancel; < 0: of max(|y|, |a|) */
    double reach;     /* > 0: only |a| up to here is measured */
    double (*terms)(double a); /* in place of `least`: the size of the larger of two terms that cancel */
} reference;

#define PI_L 3.14159265358979323846264338327950288L
#define ROOT_HALF_L 0.707106781186547524400844362104849039L
#define ROOT_2_PI_L 0.797884560802865355879892119868763737L

/* One formula, for both types. `a` and `b` are the arguments. */
#define DEFINE(name, formula)                                      \
    static long double wide_##name(long double a, long double b) { \
        (void)b;                                                   \
        return formula;                                            \
    }                                                              \
    static double twice_##name(double a, double b) {               \
        (void)b;                                                   \
        return (double)(formula);                                  \
    }
#define ONE(name) DEFINE(name, name(a))
ONE(exp)
ONE(exp2)
ONE(expm1)
ONE(log)
ONE(log2)
ONE(log10)
ONE(log1p)
ONE(sqrt)
ONE(sin)
ONE(cos)
ONE(tan)
ONE(asin)
ONE(acos)
ONE(atan)
ONE(sinh)
ONE(cosh)
ONE(tanh)
ONE(asinh)
ONE(acosh)
ONE(atanh)
ONE(erf)
ONE(erfc)
ONE(lgamma)
DEFINE(pow, pow(a, b))
DEFINE(atan2, atan2(a, b))
DEFINE(hypot, hypot(a, b))
DEFINE(reciprocal, 1 / a)
DEFINE(rsqrt, 1 / sqrt(a))
DEFINE(sigmoid, a < 0 ? exp(a) / (1 + exp(a)) : 1 / (1 + exp(-a)))
DEFINE(softplus, a > 20 ? a : a > 0 ? a + log1p(exp(-a)) : log1p(exp(a)))
DEFINE(log_sigmoid, a > 0 ? -log1p(exp(-a)) : a - log1p(exp(a)))
DEFINE(silu, a < 0 ? a * exp(a) / (1 + exp(a)) : a / (1 + exp(-a)))
/* tanh(log(1 + e^a)) = n / (n + 2) with n = e^a (e^a + 2) */
DEFINE(mish, a > 40 ? a : a * (exp(a) * (exp(a) + 2)) / (exp(a) * (exp(a) + 2) + 2))
DEFINE(gelu, a / 2 * erfc(-a * ROOT_HALF_L))
/* 1 + tanh(u) = 2 / (1 + e^(-2 u)) */
DEFINE(gelu_tanh, a / (1 + exp(-2 * (ROOT_2_PI_L * (a + 0.044715L * a * a * a)))))
DEFINE(elu, a > 0 ? a : expm1(a))
DEFINE(celu, a > 0 ? a : expm1(a))
DEFINE(selu, 1.0507009873554804934193349852946L * (a > 0 ? a : 1.6732632423543772848170429916717L * expm1(a)))
DEFINE(gaussian, exp(-a *a))
DEFINE(softsign, a / (1 + fabs(a)))
DEFINE(elliot, a / (2 * (1 + fabs(a))) + 0.5)
DEFINE(squareplus, a > 0 ? (a + sqrt(a * a + 4)) / 2 : 2 / (sqrt(a * a + 4) - a))
DEFINE(tanhshrink,
       fabs(a) < 0.01 ? a * a * a / 3 - 2 * a * a * a * a * a / 15 + 17 * a * a * a * a * a * a * a / 315 : a - tanh(a))
DEFINE(sinc, a == 0 ? 1 : sin(PI_L * a) / (PI_L * a))
DEFINE(logit, log(a / (1 - a)))

/* The derivative of lgamma: the asymptotic series (Abramowitz and Stegun 6.3.18) from 24 on, recurrence below, reflection for
   negative numbers. */
static long double wide_digamma(long double a, long double b) {
    static const long double term[] = {1 / 12.0L,  -1 / 120.0L,     1 / 252.0L, -1 / 240.0L,
                                       1 / 132.0L, -691 / 32760.0L, 1 / 12.0L,  -3617 / 8160.0L};
    long double sum = 0, power = 1;
    if (a <= 0) {
        if (a == floor(a)) return a == 0 ? -HUGE_VALL / 1.0L * copysign(1.0L, a) : (long double)NAN;
        long double part = a - round(a);
        return wide_digamma(1 - a, b) - PI_L / tan(PI_L * part);
    }
    for (; a < 24; a += 1) sum -= 1 / a;
    for (int i = 0; i < 8; i++) sum -= term[i] * (power /= a * a);
    return sum + log(a) - 1 / (2 * a);
}

/* What reflection at 0 subtracts from; above 0, where nothing cancels, 1. */
static double lgamma_terms(double a) { return a < 0 ? fmax(1, fabs(lgamma(1 - a))) : 1; }
static double digamma_terms(double a) { return a < 0 ? fmax(1, log(1 - a)) : 1; }

#define ROW(name, arity, bound, least, reach, note) \
    { #name, wide_##name, twice_##name, arity, bound, note, least, reach, NULL }
static const reference references[] = {
    ROW(exp, 1, 1, 0, 0, ""),
    ROW(exp2, 1, 1, 0, 0, ""),
    ROW(expm1, 1, 2, 0, 0, ""),
    ROW(log, 1, 1, 0, 0, ""),
    ROW(log2, 1, 1, 0, 0, ""),
    ROW(log10, 1, 1, 0, 0, ""),
    ROW(log1p, 1, 1.5, 0, 0, ""),
    ROW(sqrt, 1, 0.51, 0, 0, ""),
    ROW(rsqrt, 1, 1.5, 0, 0, ""),
    ROW(reciprocal, 1, 0.51, 0, 0, ""),
    ROW(sin, 1, 1, 0, 0, ""),
    ROW(cos, 1, 1, 0, 0, ""),
    ROW(tan, 1, 1, 0, 0, ""),
    ROW(asin, 1, 1, 0, 0, ""),
    ROW(acos, 1, 1, 0, 0, ""),
    ROW(atan, 1, 2, 0, 0, ""),
    ROW(sinh, 1, 2, 0, 0, ""),
    ROW(cosh, 1, 2, 0, 0, ""),
    ROW(tanh, 1, 1.5, 0, 0, ""),
    ROW(asinh, 1, 2, 0, 0, ""),
    ROW(acosh, 1, 2, 0, 0, ""),
    ROW(atanh, 1, 2, 0, 0, ""),
    ROW(erf, 1, 2, 0, 0, ""),
    ROW(erfc, 1, 1.5, 0, 0, ""),
    ROW(sigmoid, 1, 2, 0, 0, ""),
    ROW(log_sigmoid, 1, 2, 0, 0, ""),
    ROW(softplus, 1, 2, 0, 0, ""),
    ROW(silu, 1, 2, 0, 87, "to -87, beyond which sigmoid underflows first"),
    ROW(mish, 1, 1.5, 0, 87, "to -87, beyond which tanh underflows first"),
    ROW(gelu, 1, 2, -1, 0, "in ulp of a: 1 + erf cancels"),
    ROW(gelu_tanh, 1, 2, -1, 0, "in ulp of a: 1 + tanh cancels"),
    ROW(elu, 1, 1.5, 0, 0, ""),
    ROW(celu, 1, 1.5, 0, 0, ""),
    ROW(selu, 1, 1.5, 0, 0, ""),
    ROW(gaussian, 1, 1.5, 0, 0, ""),
    ROW(softsign, 1, 1.5, 0, 0, ""),
    ROW(elliot, 1, 1.5, 0.5, 0, "in ulp of at least 1/2: both terms cancel"),
    ROW(squareplus, 1, 2, -1, 1e9, "in ulp of a: both terms cancel; a^2 overflows from 10^19 on (f64: 10^154)"),
    ROW(tanhshrink, 1, 1.5, -1, 0, "in ulp of a: both terms cancel"),
    ROW(sinc, 1, 2, 0, 0.5, "to 1/2 in size; the product with pi is rounded, which costs pi a ulp of 1 beyond"),
    ROW(logit, 1, 1.5, 1, 0, "in ulp of at least 1: zero at 1/2"),
    {"lgamma", wide_lgamma, twice_lgamma, 1, 2,
     "in ulp of at least 1: zeros at 1 and 2; below 0 of lgamma(1 - a), as terms cancel", 0, 0, lgamma_terms},
    {"digamma", wide_digamma, NULL, 1, 2, "in ulp of at least 1: zero at 1.46; below 0 of log(1 - a), as terms cancel", 0, 0,
     digamma_terms},
    ROW(pow, 2, 1.5, 0, 0, ""),
    ROW(atan2, 2, 2, 0, 0, ""),
    ROW(hypot, 2, 1.5, 0, 0, ""),
};
enum { N_REFERENCES = sizeof references / sizeof references[0] };
#endif
