/* AVX2 and FMA. Compiled with -mavx2 -mfma. */
#define BP__VEC_AVX2
#define BP__ISA_NAME avx2
#include "kernel/isa_body.h"
