/* Prints a program as C: one entry of fused_chains.h. */
#include "kernel/ew_move.h"
#include "kernel/ew_emit.h"
#include <string.h>

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

/* What holds a register's value at one point of the program: an input or a constant (rN), or the result of instruction N (tN;
   of a comparison also as a mask, mN). */
typedef struct holder {
    int32_t instruction; /* -1: rN */
    int32_t number;
} holder;

static bool is_one(const bp__ew_program *p, int32_t input) { return p->one >> input & 1; }

static bool gives_mask(int op) {
    switch (op) {
    case BP__EW_eq:
    case BP__EW_ne:
    case BP__EW_lt:
    case BP__EW_le:
    case BP__EW_gt:
    case BP__EW_ge:
    case BP__EW_logical_and:
    case BP__EW_logical_or:
    case BP__EW_logical_xor:
    case BP__EW_logical_not:
    case BP__EW_is_nan:
    case BP__EW_is_finite: return true;
    default: return false;
    }
}
/* Instructions whose operand `s` is asked for its truth only. */
static bool takes_mask(int op, int s) {
    if (op == BP__EW_where) return s == 0;
    return op == BP__EW_logical_and || op == BP__EW_logical_or || op == BP__EW_logical_xor || op == BP__EW_logical_not;
}

/* Is the result of instruction i wanted as numbers? A mask that only selects never becomes 1 and 0. */
static bool wanted_as_number(const bp__ew_program *p, int32_t i) {
    const uint16_t r = p->instr[i].dst;
    for (int32_t u = i + 1; u < p->n_instr; u++) {
        const bp__ew_instr *k = &p->instr[u];
        for (int s = 0; s < bp__ew_arity(k->op); s++)
            if (k->src[s] == r && !takes_mask(k->op, s)) return true;
        if (k->dst == r) return false;
    }
    for (int32_t o = 0; o < p->n_out; o++)
        if (p->out[o] == r) return true;
    return false;
}

static void value(bp__buffer *b, holder h) { bp__buffer_printf(b, h.instruction < 0 ? "r%d" : "t%d", (int)h.number); }
static void mask(bp__buffer *b, const bp__ew_program *p, holder h) {
    if (h.instruction >= 0 && gives_mask(p->instr[h.instruction].op)) {
        bp__buffer_printf(b, "m%d", (int)h.number);
        return;
    }
    bp__buffer_text(b, "v_ne(");
    value(b, h);
    bp__buffer_text(b, ", v_set(0))");
}

/* The instruction's mask; the formulas are those of elementwise.def without their 1 and 0. */
static void emit_mask(bp__buffer *b, const bp__ew_program *p, const bp__ew_instr *k, const holder *of) {
    const char *name = bp__ew_name(k->op);
    if (takes_mask(k->op, 0)) {
        bp__buffer_printf(b, "v_%s(", name + strlen("logical_"));
        for (int s = 0; s < bp__ew_arity(k->op); s++) {
            if (s) bp__buffer_text(b, ", ");
            mask(b, p, of[k->src[s]]);
        }
    } else {
        bp__buffer_printf(b, "v_%s(", name);
        for (int s = 0; s < bp__ew_arity(k->op); s++) {
            if (s) bp__buffer_text(b, ", ");
            value(b, of[k->src[s]]);
        }
    }
    bp__buffer_text(b, ")");
}

static void emit_instruction(bp__buffer *b, const bp__ew_program *p, int32_t i, const holder *of) {
    const bp__ew_instr *k = &p->instr[i];
    int arity = bp__ew_arity(k->op);
    if (gives_mask(k->op)) {
        bp__buffer_printf(b, "    const M m%d = ", (int)i);
        emit_mask(b, p, k, of);
        bp__buffer_text(b, ";\n");
        if (wanted_as_number(p, i))
            bp__buffer_printf(b, "    const V t%d = v_select(m%d, v_set(1), v_set(0));\n", (int)i, (int)i);
        return;
    }
    bp__buffer_printf(b, "    const V t%d = ", (int)i);
    if (k->op == BP__EW_where) {
        bp__buffer_text(b, "v_select(");
        mask(b, p, of[k->src[0]]);
        for (int s = 1; s < 3; s++) bp__buffer_text(b, ", "), value(b, of[k->src[s]]);
        bp__buffer_text(b, ");\n");
        return;
    }
    bp__buffer_printf(b, "BP__EW_FORMULA(%s)(", bp__ew_name(k->op));
    for (int s = 0; s < 3; s++) value(b, of[k->src[s < arity ? s : 0]]), bp__buffer_text(b, ", ");
    number(b, k->p);
    bp__buffer_text(b, ", ");
    number(b, k->q);
    bp__buffer_text(b, ");\n");
}

/* What the loop hands to each step: arrays as pointers that no store can change, single numbers as vectors. */
static void arguments(bp__buffer *b, const bp__ew_program *p, bool types) {
    for (int32_t i = 0; i < p->n_in; i++)
        bp__buffer_printf(b, is_one(p, i) ? "%sr%d, " : "%sx%d, ", !types ? "" : is_one(p, i) ? "V " : "const T *", (int)i);
    for (int32_t o = 0; o < p->n_out; o++) bp__buffer_printf(b, "%sy%d, ", types ? "T *" : "", (int)o);
}

static void emit_step(bp__buffer *b, const bp__ew_program *p, const char *name) {
    holder of[BP__EW_MAX_REGISTERS];
    bp__buffer_printf(b, "BP__INLINE void BP__TN(chain_step_%s)(", name);
    arguments(b, p, true);
    bp__buffer_text(b, "int64_t i, int64_t m) {\n");
    for (int32_t i = 0; i < p->n_in; i++) {
        if (!is_one(p, i)) bp__buffer_printf(b, "    const V r%d = BP__TN(bp__chain_load)(x%d, i, m);\n", (int)i, (int)i);
        of[i] = (holder){-1, i};
    }
    for (int32_t i = 0; i < p->n_const; i++) {
        bp__buffer_printf(b, "    const V r%d = v_set(", (int)(p->n_in + i));
        number(b, p->constant[i]);
        bp__buffer_text(b, ");\n");
        of[p->n_in + i] = (holder){-1, p->n_in + i};
    }
    for (int32_t i = 0; i < p->n_instr; i++) {
        emit_instruction(b, p, i, of);
        of[p->instr[i].dst] = (holder){i, i};
    }
    for (int32_t o = 0; o < p->n_out; o++) {
        bp__buffer_printf(b, "    BP__TN(bp__chain_store)(y%d, ", (int)o);
        value(b, of[p->out[o]]);
        bp__buffer_text(b, ", i, m);\n");
    }
    bp__buffer_text(b, "}\n");
}

static void emit_functions(bp__buffer *b, const bp__ew_program *p, const char *name) {
    emit_step(b, p, name);
    bp__buffer_printf(b, "static void BP__TN(chain_%s)(void *const *out, const void *const *in, int64_t n) {\n", name);
    for (int32_t i = 0; i < p->n_in; i++) {
        if (is_one(p, i))
            bp__buffer_printf(b, "    const V r%d = v_splat(*(const T *)in[%d]);\n", (int)i, (int)i);
        else
            bp__buffer_printf(b, "    const T *x%d = in[%d];\n", (int)i, (int)i);
    }
    for (int32_t o = 0; o < p->n_out; o++) bp__buffer_printf(b, "    T *y%d = out[%d];\n", (int)o, (int)o);
    bp__buffer_text(b, "    int64_t i = 0;\n    for (; i + W <= n; i += W) {\n");
    for (int32_t i = 0; i < p->n_in; i++)
        if (!is_one(p, i)) bp__buffer_printf(b, "        BP__TN(bp__chain_ahead)(x%d, i);\n", (int)i);
    for (int tail = 0; tail < 2; tail++) {
        bp__buffer_printf(b, "    %sBP__TN(chain_step_%s)(", tail ? "if (i < n) " : "    ", name);
        arguments(b, p, false);
        bp__buffer_text(b, tail ? "i, n - i);\n}\n" : "i, W);\n    }\n");
    }
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
    bp__buffer_printf(b, "#elif defined BP__CHAIN_ENTRIES\n{\"%s\", %#x, %d, %d, %d, %d, %d, ", name, (unsigned)p->one,
                      (int)p->n_in, (int)p->n_const, (int)p->n_reg, (int)p->n_out, (int)p->n_instr);
    if (p->n_const)
        bp__buffer_printf(b, "chain_constant_%s", name);
    else
        bp__buffer_text(b, "NULL");
    bp__buffer_printf(b, ", chain_out_%s, chain_instr_%s, chain_%s_f32, chain_%s_f64},\n#endif\n", name, name, name, name);
}
