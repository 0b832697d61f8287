/* The AVX-512 kernels with emulated intrinsics, and a list of instruction sets that offers them in place of kernel/isa.c: a
   program linked with this file computes with them wherever it does not ask for "scalar". */
#include "core/cpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define BP__VEC_AVX512
#define BP__AVX512_HEADER "support/avx512_emulated.h"
#define BP__ISA_NAME avx512_emulated
#define BP__GEMM_DOT(y, x, acc) emulated_dpbf16_ps(acc, y, x)
#include "kernel/isa_body.h"

static const bp__isa *emulated(void) {
    bp__cpu cpu = bp__cpu_features();
    if (!cpu.avx2 || !cpu.fma) {
        printf("skipped: emulating AVX-512 needs AVX2 and FMA\n");
        exit(77);
    }
    return &bp__isa_avx512_emulated;
}

const char *bp__isa_name(const bp__isa *isa) { return isa->name; }
const char *bp__isa_list(int index) { return index == 0 ? emulated()->name : index == 1 ? bp__isa_scalar.name : NULL; }
const bp__isa *bp__isa_find(const char *name) {
    return name && !strcmp(name, bp__isa_scalar.name) ? &bp__isa_scalar : emulated();
}
bool bp__gemm_pairs_native(const bp__isa *isa) { return isa == &bp__isa_avx512_emulated; }
const struct bp__gemm_kernels *bp__gemm_pairs(const bp__isa *isa) { return isa->f32.pairs; }
