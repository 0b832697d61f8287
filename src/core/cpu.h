/* What the processor can do, and the floating-point environment of a run. */
#ifndef BP__CPU_H
#define BP__CPU_H
#include "core/core.h"
typedef struct bp__cpu {
    bool fma, avx2, avx512, avx512_bf16, neon; /* usable: the processor has it and the system saves its registers */
    int n_cores;
    char name[64];
} bp__cpu;
bp__cpu bp__cpu_detect(void);
bp__cpu bp__cpu_features(void); /* the flags alone. Still some ten microseconds in a virtual machine, where the question traps */

/* Round to nearest, subnormals flushed to zero; restored afterwards. Called on every thread that computes. */
typedef struct bp__fpenv {
    uint64_t saved;
} bp__fpenv;
bp__fpenv bp__fpenv_enter(void);
void bp__fpenv_leave(bp__fpenv e);
#endif
