/* The plain version: the reference that every other instruction set equals bit for bit. */
#define BP__VEC_SCALAR
#define BP__ISA_NAME scalar
#include "kernel/isa_body.h"
