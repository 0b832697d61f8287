/* NEON, part of every 64-bit ARM: needs no flags. */
#define BP__VEC_NEON
#define BP__ISA_NAME neon
#include "kernel/isa_body.h"
