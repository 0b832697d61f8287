/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), counter-based: key = seed,
   counter = (element / 4, row, step, stream). No state, so any part can be computed anywhere, again, in any order. */
#ifndef BP__RNG_H
#define BP__RNG_H
#include "core/core.h"

void bp__philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

typedef struct bp__stream { /* names a family of numbers */
    uint64_t seed;
    uint32_t stream; /* bp__stream_id of the owner's path and role */
    uint32_t step;
} bp__stream;
uint32_t bp__stream_id(const char *path_and_role); /* FNV-1a, 32 bits, of e.g. "3.dropout" or "0.weight/init" */

/* Elements [first, first + n) of a row. uniform is in [0,1) with 24 (f32) or 53 (f64) bits; normal by Box-Muller in
   double from own log/sin/cos (never libm), one counter block per 4 uniforms (f32) resp. 2 (f64 values use two words each).
   truncated normal lies in [a, b] by inversion of the normal distribution function as PyTorch's trunc_normal_ does. */
void bp__uniform_f32(float *out, bp__stream s, uint32_t row, int64_t first, int64_t n);
void bp__uniform_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n);
void bp__normal_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n);
void bp__trunc_normal_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n, double mean, double std, double a,
                          double b);
/* A permutation of 0 … n-1 (Fisher-Yates with unbiased bounded draws); step = the epoch. */
void bp__permutation(int64_t *out, bp__stream s, int64_t n);
#endif
