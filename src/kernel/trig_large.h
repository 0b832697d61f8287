#ifndef BP__TRIG_LARGE_H
#define BP__TRIG_LARGE_H
/* For finite |x| ≥ 1: x = n pi/2 + hi + lo with |hi + lo| ≤ pi/4 (to about 2^-100); gives n mod 4. Any size of x. */
int bp__trig_large(double x, double *hi, double *lo);
#endif
