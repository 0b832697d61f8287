/* AVX-512 (F, DQ, BW, VL). Compiled with -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl. */
#define BP__VEC_AVX512
#define BP__ISA_NAME avx512
#include "kernel/isa_body.h"
