/* Chains of element-wise formulas compiled as one loop each, written by bp__ew_emit_c (ew_emit.c). Included three ways:
   for the functions (once per type), for the programs they are for, and for the entries of the table. */
