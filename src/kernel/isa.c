/* Which instruction sets this machine can use. */
#include "kernel/isa.h"
#include "core/cpu.h"
#include <string.h>

const char *bp__isa_name(const bp__isa *isa) { return isa->name; }

/* The usable ones, best first; the plain version always is. */
static int usable(const bp__isa *list[4]) {
    int n = 0;
    bp__cpu cpu = bp__cpu_features();
    (void)cpu;
#ifdef BP_HAVE_ISA_AVX512
    if (cpu.avx512 && cpu.avx2 && cpu.fma) list[n++] = &bp__isa_avx512;
#endif
#ifdef BP_HAVE_ISA_AVX2
    if (cpu.avx2 && cpu.fma) list[n++] = &bp__isa_avx2;
#endif
#ifdef BP_HAVE_ISA_NEON
    if (cpu.neon) list[n++] = &bp__isa_neon;
#endif
    list[n++] = &bp__isa_scalar;
    return n;
}

const char *bp__isa_list(int index) {
    const bp__isa *list[4];
    int n = usable(list);
    return index >= 0 && index < n ? list[index]->name : NULL;
}

const bp__isa *bp__isa_find(const char *name) {
    if (name && !strcmp(name, bp__isa_scalar.name)) return &bp__isa_scalar; /* nothing to ask the processor */
    const bp__isa *list[4];
    int n = usable(list);
    if (!name) return list[0];
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i]->name, name)) return list[i];
    return NULL;
}

static const struct bp__gemm_kernels *native(const bp__isa *isa) {
#ifdef BP_HAVE_ISA_AVX512_BF16
    if (isa == &bp__isa_avx512 && bp__cpu_features().avx512_bf16) return bp__gemm_pairs_avx512_bf16;
#endif
    (void)isa;
    return NULL;
}

bool bp__gemm_pairs_native(const bp__isa *isa) { return native(isa) != NULL; }

const struct bp__gemm_kernels *bp__gemm_pairs(const bp__isa *isa) {
    const struct bp__gemm_kernels *own = native(isa);
    return own ? own : isa->f32.pairs;
}
