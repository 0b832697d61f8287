/* Elementary functions in double precision, the same bits on every machine: only +, -, *, /, sqrt, fma and floor, which IEEE
   754 defines exactly. For numbers that reach weights outside the kernels: random numbers, initialisers, schedules. Errors
   are below 2 ulp unless said otherwise. Subnormal arguments count as zero, subnormal results are zero. */
#ifndef BP__MATH64_H
#define BP__MATH64_H

double bp__exp64(double x);
/* x^y: whole powers up to 1024 by products, others as exp(y log x), with a relative error below 1e-13 wherever the result is a
   normal number. A negative x has whole powers only (else NaN); 0^0 is 1. */
double bp__pow64(double x, double y);
double bp__log64(double x);    /* 0: -inf; negative: NaN */
double bp__expm1_64(double x); /* exp(x) - 1 and log(1 + x), also where x is small; below 4 ulp */
double bp__log1p64(double x);
/* sin and cos of 2*pi*turns, for |turns| < 2^50; the absolute error is below 2^-52. */
void bp__sincos_turns(double turns, double *sine, double *cosine);
/* The normal distribution function (relative error below 1e-13, also far out at the left) and its inverse (Wichura,
   algorithm AS 241, 1988; relative error below 1e-14). bp__normal_quantile(0) is -inf and (1) is +inf. */
double bp__normal_cdf(double x);
double bp__normal_quantile(double p);

#endif
