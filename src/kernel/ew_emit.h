#ifndef BP__EW_EMIT_H
#define BP__EW_EMIT_H
#include "kernel/kernel.h"
/* Appends the program (F32 or F64; the type is no part of it) as an entry of fused_chains.h. `name`: letters, digits, _; each
   entry its own. */
void bp__ew_emit_c(bp__buffer *b, const bp__ew_program *program, const char *name);
#endif
