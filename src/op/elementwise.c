/* The operations of kernel/elementwise.def: y = f(a, b, c), element by element, inputs broadcast. The rows say formula, value and
   gradient; what they share is here. */
#include "op/elementwise.h"
#include "kernel/ew_move.h"
#include "op/build.h"
#include <math.h>

/* Rows that answer a question: their output is 1 or 0, as u8. */
static const bool answers[BP__EW_COUNT] = {
    [BP__EW_eq] = true,          [BP__EW_ne] = true,          [BP__EW_lt] = true,          [BP__EW_le] = true,
    [BP__EW_gt] = true,          [BP__EW_ge] = true,          [BP__EW_logical_and] = true, [BP__EW_logical_or] = true,
    [BP__EW_logical_xor] = true, [BP__EW_logical_not] = true, [BP__EW_is_nan] = true,      [BP__EW_is_finite] = true,
};

static bool is_float(bp_dtype dtype) { return dtype == BP_F32 || dtype == BP_F64; }

/* ---- Shape rule --------------------------------------------------------------------------------------------------- */

static bp_status infer(bp__infer *c) {
    const bp__op *op = c->node->op;
    int first = op->ew_op == BP__EW_where ? 1 : 0; /* a condition may be of any type */
    bp_dtype dtype = c->in[first]->dtype;
    for (int i = first + 1; i < c->n_in; i++)
        if (c->in[i]->dtype != dtype)
            return bp__infer_fail(c, BP_TYPE, "%s is %s but %s is %s; give both the same type (bp_cast converts)",
                                  op->in_names[first], bp_dtype_name(dtype), op->in_names[i], bp_dtype_name(c->in[i]->dtype));
    if (!is_float(dtype) && !bp__ew_integer_has(op->ew_op))
        return bp__infer_fail(c, BP_TYPE, "%s is %s; it must be f32 or f64 (bp_cast converts)", op->in_names[first],
                              bp_dtype_name(dtype));
    if (first && !is_float(dtype) && is_float(c->in[0]->dtype))
        return bp__infer_fail(c, BP_TYPE, "a is %s but b is %s; choose between integers by an integer condition, as bp_ne gives",
                              bp_dtype_name(c->in[0]->dtype), bp_dtype_name(dtype));
    bp_dims dims = c->in[0]->dims;
    for (int i = 1; i < c->n_in; i++)
        if (!bp__infer_broadcast(c, &dims, &c->in[i]->dims)) {
            if (c->n_in == 2)
                return bp__infer_fail(c, BP_SHAPE,
                                      "shapes %s and %s do not broadcast: sizes must be equal, or 1, counted from the last",
                                      bp__infer_shape(c, 0), bp__infer_shape(c, 1));
            return bp__infer_fail(c, BP_SHAPE,
                                  "shapes %s, %s and %s do not broadcast: sizes must be equal, or 1, counted from the last",
                                  bp__infer_shape(c, 0), bp__infer_shape(c, 1), bp__infer_shape(c, 2));
        }
    c->out[0] = (bp__info){.dtype = answers[op->ew_op] ? BP_U8 : dtype, .dims = dims};
    return BP_OK;
}

/* ---- Kernel ------------------------------------------------------------------------------------------------------- */

typedef struct one { /* a program of one instruction */
    bp__ew_instr instr;
    uint16_t out;
    bp__ew_program program;
} one;

/* Arithmetic is in the inputs' type; a condition in double precision must not become 0 on its way to single. */
static bp_dtype type_of(const bp__call *c, int op) {
    bp_dtype dtype = (bp_dtype)c->in[op == BP__EW_where ? 1 : 0].dtype;
    if (!is_float(dtype)) return BP_I64;
    return op == BP__EW_where && c->in[0].dtype == BP_F64 ? BP_F64 : dtype;
}

static void make_program(one *o, const bp__call *c, int op, int n_params) {
    const double *param = c->attrs; /* the attribute struct of a row is its numbers */
    *o = (one){.instr = {.op = (uint16_t)op, .dst = (uint16_t)c->n_in, .src = {0, c->n_in > 1 ? 1 : 0, c->n_in > 2 ? 2 : 0}}};
    if (n_params > 0) o->instr.p = param[0];
    if (n_params > 1) o->instr.q = param[1];
    o->out = (uint16_t)c->n_in;
    o->program = (bp__ew_program){.type = type_of(c, op), .n_in = c->n_in, .n_reg = c->n_in + 1, .n_out = 1, .n_instr = 1};
    o->program.out = &o->out;
    o->program.instr = &o->instr;
}

static void run(const bp__call *c, int op, int n_params) {
    one o;
    bp__tensor tensors[4];
    make_program(&o, c, op, n_params);
    for (int i = 0; i < c->n_in; i++) {
        tensors[i] = c->in[i];
        bp__ew_spread(&tensors[i], &c->out[0]);
    }
    tensors[c->n_in] = c->out[0];
    bp__ew_run(c->env, &o.program, 1, tensors);
}

static size_t scratch_of(const bp__call *c, int op, int n_threads) {
    one o;
    make_program(&o, c, op, 0);
    return bp__ew_scratch(&o.program, n_threads);
}

#define P0 0
#define P1(name, v) 1
#define P2(name, v, other_name, other_v) 2
#define EW(name, arity, params, text, value, da, db, dc, lo, hi)                     \
    static void forward_##name(const bp__call *c) { run(c, BP__EW_##name, params); } \
    static size_t scratch_##name(const bp__call *c, int n_threads) { return scratch_of(c, BP__EW_##name, n_threads); }
#include "kernel/elementwise.def"
#undef EW

/* ---- Gradient ----------------------------------------------------------------------------------------------------- */

/* A row's columns see the values a, b, c, y, dy and the numbers p, q. */
typedef struct row {
    bp_value a, b, c, y, dy;
    double p, q;
} row;

static row row_of(const bp__grad *grad, int n_params) {
    const double *param = grad->attrs;
    row r = {.a = grad->in[0], .b = BP_NONE, .c = BP_NONE, .y = grad->out[0], .dy = grad->d_out[0]};
    if (grad->n_in > 1) r.b = grad->in[1];
    if (grad->n_in > 2) r.c = grad->in[2];
    if (n_params > 0) r.p = param[0];
    if (n_params > 1) r.q = param[1];
    return r;
}

#include "op/ew_names.h"
#define k(number) bp__k(grad->g, bp_value_dtype(dy), (number))
#define ZERO BP_NONE
#define EW(name, arity, params, text, value, da, db, dc, lo, hi)              \
    static void gradient_##name(bp__grad *grad) {                             \
        const row r = row_of(grad, params);                                   \
        const bp_value a = r.a, b = r.b, c = r.c, y = r.y, dy = r.dy;         \
        const double p = r.p, q = r.q;                                        \
        (void)a, (void)b, (void)c, (void)y, (void)dy, (void)p, (void)q;       \
        if (grad->wanted[0]) grad->d_in[0] = da;                              \
        if (arity > 1 && grad->wanted[arity > 1 ? 1 : 0]) grad->d_in[1] = db; \
        if (arity > 2 && grad->wanted[arity > 2 ? 2 : 0]) grad->d_in[2] = dc; \
    }
#include "kernel/elementwise.def"
#undef EW
#undef k
#undef ZERO
#undef P0
#undef P1
#undef P2

/* ---- Samples ------------------------------------------------------------------------------------------------------ */

/* Shapes that meet every kind of broadcasting, a size of 1, and no element at all. */
#define DIMS(...) DIMS_REST(__VA_ARGS__, 0)
#define DIMS_REST(n, ...)  \
    {                      \
        n, { __VA_ARGS__ } \
    }
#define IN(i, shape, lo, hi) \
    { .dims = DIMS shape, .low = (i) ? lo : 0, .high = (i) ? hi : 2, .dtype = (i) ? BP_F32 : BP_U8 }
#define THREE(name, n, other, lo, hi, x, y, z)                                                                               \
    {                                                                                                                        \
        .attrs = other, .n_in = n, .in = { IN(BP__EW_##name - BP__EW_where, x, lo, hi), IN(1, y, lo, hi), IN(1, z, lo, hi) } \
    }
#define P0 NULL
/* A default below 0 that stands for "none" (logit's eps) gets a value that is not none. */
#define P1(name, v) ((const double[2]){(v) < 0 ? 0.2 : 0.75 * (v), 0})
#define P2(name, v, other_name, other_v) ((const double[2]){0.75 * (v), 0.75 * (other_v)})
#define EW(name, arity, params, text, value, da, db, dc, lo, hi)                 \
    static const bp__sample samples_##name[] = {                                 \
        THREE(name, arity, NULL, lo, hi, (2, 2, 3), (2, 2, 3), (2, 2, 3)),       \
        THREE(name, arity, NULL, lo, hi, (2, 2, 3), (1, 3), (2, 2, 1)),          \
        THREE(name, arity, NULL, lo, hi, (3, 2, 1, 3), (3, 1, 2, 1), (2, 1, 1)), \
        THREE(name, arity, NULL, lo, hi, (1, 3), (2, 4, 3), (0)),                \
        THREE(name, arity, NULL, lo, hi, (1, 19), (0), (1, 19)),                 \
        THREE(name, arity, NULL, lo, hi, (0), (0), (0)),                         \
        THREE(name, arity, NULL, lo, hi, (1, 1), (1, 1), (2, 1, 1)),             \
        THREE(name, arity, NULL, lo, hi, (2, 0, 3), (1, 3), (0)),                \
        THREE(name, arity, params, lo, hi, (2, 3, 5), (1, 5), (2, 1, 5)),        \
    };
#include "kernel/elementwise.def"
#undef EW

/* ---- Table -------------------------------------------------------------------------------------------------------- */

#define EW(name, arity, params, text, value, da, db, dc, lo, hi)                              \
    {BP__SIGNATURE(name),                                                                     \
     .family = "element-wise",                                                                \
     .formula = text,                                                                         \
     .flags = (BP__EW_DIFFERENTIABLE_##name ? 0 : BP__OP_NO_GRADIENT) | FLAGS(BP__EW_##name), \
     .infer = infer,                                                                          \
     .forward = forward_##name,                                                               \
     .scratch = scratch_##name,                                                               \
     .gradient = BP__EW_DIFFERENTIABLE_##name ? gradient_##name : NULL,                       \
     .samples = samples_##name,                                                               \
     .n_samples = (int32_t)BP__COUNT(samples_##name)},
#define FLAGS(op)                                                                                                            \
    ((op) == BP__EW_add || (op) == BP__EW_mul || (op) == BP__EW_minimum || (op) == BP__EW_maximum || (op) == BP__EW_hypot || \
             (op) == BP__EW_eq || (op) == BP__EW_ne || (op) == BP__EW_logical_and || (op) == BP__EW_logical_or ||            \
             (op) == BP__EW_logical_xor                                                                                      \
         ? BP__OP_COMMUTES                                                                                                   \
         : 0)
const bp__op bp__ew_defs[BP__EW_COUNT] = {
#include "kernel/elementwise.def"
};
