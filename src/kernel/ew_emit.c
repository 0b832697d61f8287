/* Prints a program as C: one entry of fused_chains.h. */
#include "kernel/ew_move.h"
#include "kernel/ew_emit.h"

/* A number as C source that reads back to the same bits. */
static void number(bp__buffer *b, double x) {
    if (x != x)
        bp__buffer_text(b, "(double)NAN");
    else if (x > 1.7976931348623157e308)
        bp__buffer_text(b, "(double)INFINITY");
    else if (x < -1.7976931348623157e308)
        bp__buffer_text(b, "-(double)INFINITY");
    else
        bp__buffer_printf(b, "%a", x);
}

static void emit_functions(bp__buffer *b, const bp__ew_program *p, const char *name) {
    bp__buffer_printf(b,
                      "BP__INLINE void BP__TN(chain_step_%s)(void *const *out, const void *const *in, const uint8_t *splat, "
                      "int64_t i, int64_t m) {\n",
                      name);
    for (int32_t i = 0; i < p->n_in; i++)
        bp__buffer_printf(b, "    V r%d = BP__TN(bp__chain_load)(in[%d], splat[%d] != 0, i, m);\n", (int)i, (int)i, (int)i);
    for (int32_t i = 0; i < p->n_const; i++) {
        bp__buffer_printf(b, "    V r%d = v_set(", (int)(p->n_in + i));
        number(b, p->constant[i]);
        bp__buffer_text(b, ");\n");
    }
    for (int32_t r = p->n_in + p->n_const; r < p->n_reg; r++) bp__buffer_printf(b, "    V r%d;\n", (int)r);
    for (int32_t i = 0; i < p->n_instr; i++) {
        const bp__ew_instr *k = &p->instr[i];
        int arity = bp__ew_arity(k->op);
        bp__buffer_printf(b, "    r%d = BP__EW_FORMULA(%s)(", (int)k->dst, bp__ew_name(k->op));
        for (int s = 0; s < 3; s++) bp__buffer_printf(b, "r%d, ", (int)k->src[s < arity ? s : 0]);
        number(b, k->p);
        bp__buffer_text(b, ", ");
        number(b, k->q);
        bp__buffer_text(b, ");\n");
    }
    for (int32_t o = 0; o < p->n_out; o++)
        bp__buffer_printf(b, "    BP__TN(bp__chain_store)(out[%d], r%d, i, m);\n", (int)o, (int)p->out[o]);
    bp__buffer_printf(
        b,
        "}\nstatic void BP__TN(chain_%s)(void *const *out, const void *const *in, const uint8_t *splat, int64_t n) {\n"
        "    int64_t i = 0;\n"
        "    for (; i + W <= n; i += W) BP__TN(chain_step_%s)(out, in, splat, i, W);\n"
        "    if (i < n) BP__TN(chain_step_%s)(out, in, splat, i, n - i);\n"
        "}\n",
        name, name, name);
}

static void emit_data(bp__buffer *b, const bp__ew_program *p, const char *name) {
    if (p->n_const) {
        bp__buffer_printf(b, "static const double chain_constant_%s[] = {", name);
        for (int32_t i = 0; i < p->n_const; i++) {
            if (i) bp__buffer_text(b, ", ");
            number(b, p->constant[i]);
        }
        bp__buffer_text(b, "};\n");
    }
    bp__buffer_printf(b, "static const uint16_t chain_out_%s[] = {", name);
    for (int32_t o = 0; o < p->n_out; o++) bp__buffer_printf(b, "%s%d", o ? ", " : "", (int)p->out[o]);
    bp__buffer_printf(b, "};\nstatic const bp__ew_instr chain_instr_%s[] = {\n", name);
    for (int32_t i = 0; i < p->n_instr; i++) {
        const bp__ew_instr *k = &p->instr[i];
        bp__buffer_printf(b, "    {BP__EW_%s, %d, {", bp__ew_name(k->op), (int)k->dst);
        for (int s = 0; s < 3; s++) bp__buffer_printf(b, "%s%d", s ? ", " : "", s < bp__ew_arity(k->op) ? (int)k->src[s] : 0);
        bp__buffer_text(b, "}, ");
        number(b, k->p);
        bp__buffer_text(b, ", ");
        number(b, k->q);
        bp__buffer_text(b, "},\n");
    }
    bp__buffer_text(b, "};\n");
}

void bp__ew_emit_c(bp__buffer *b, const bp__ew_program *p, const char *name) {
    bp__buffer_printf(b, "/* %s */\n#if defined BP__CHAIN_FUNCTIONS\n", name);
    emit_functions(b, p, name);
    bp__buffer_text(b, "#elif defined BP__CHAIN_DATA\n");
    emit_data(b, p, name);
    bp__buffer_printf(b, "#elif defined BP__CHAIN_ENTRIES\n{\"%s\", %d, %d, %d, %d, %d, ", name, (int)p->n_in, (int)p->n_const,
                      (int)p->n_reg, (int)p->n_out, (int)p->n_instr);
    if (p->n_const)
        bp__buffer_printf(b, "chain_constant_%s", name);
    else
        bp__buffer_text(b, "NULL");
    bp__buffer_printf(b, ", chain_out_%s, chain_instr_%s, chain_%s_f32, chain_%s_f64},\n#endif\n", name, name, name, name);
}
