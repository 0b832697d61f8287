/* Reductions of variables and what is made of them, element by element (norms of weights, gradients and steps), compute
   what they reduce on the way, from what lies in memory anyway: nothing is written for them, and an update that needs the same
   numbers computes them again, in place and behind `ok`, where it would have to wait with copies. */
#include "graph/plan.h"
#include "op/elementwise.h"
#include "op/make.h"

#include <string.h>

enum { MAX_INSTRUCTIONS = 40, MAX_INPUTS = 14, MAX_VALUES = 64 };

typedef struct bp__condensed_attrs {
    bp__ew_program program;
    bp__reduce_op op;
    uint32_t axes;
    int32_t whole; /* the input whose dimensions are those of what is reduced */
} bp__condensed_attrs;

static size_t condensed_scratch(const bp__call *c, int n_threads) {
    return bp__reduce_program_scratch(&((const bp__condensed_attrs *)c->attrs)->program, n_threads);
}
static double condensed_flops(const bp__call *c) {
    const bp__condensed_attrs *a = c->attrs;
    return (double)(a->program.n_instr + 1) * (double)bp__tensor_count(&c->in[a->whole]);
}
static void run_condensed(const bp__call *c) {
    const bp__condensed_attrs *a = c->attrs;
    bp__tensor tensors[MAX_INPUTS + 1], shape = c->in[a->whole];
    shape.data = NULL;
    shape.dtype = (uint8_t)a->program.type;
    bp__tensor_make_dense(&shape);
    for (int32_t i = 0; i < c->n_in; i++) {
        tensors[i] = c->in[i];
        bp__ew_spread(&tensors[i], &shape);
    }
    tensors[c->n_in] = shape;
    bp__reduce_program(c->env, a->op, a->axes, c->out[0].data, &a->program, tensors);
}

const bp__op bp__op_condensed = {.name = "reduce",
                                 .family = "reductions",
                                 .formula = "a reduction of several element-wise operations",
                                 .n_in = -1,
                                 .n_out = 1,
                                 .attrs_size = sizeof(bp__condensed_attrs),
                                 .flags = BP__OP_HIDDEN,
                                 .ew_op = -1,
                                 .forward = run_condensed,
                                 .scratch = condensed_scratch,
                                 .flops = condensed_flops};

const bp__ew_program *bp__condensed_program(const void *attrs) { return &((const bp__condensed_attrs *)attrs)->program; }

typedef struct finder {
    bp__rewrite w;
    bool *stored; /* [n_old]: in memory whatever is done here */
    const bp__isa *isa;
    /* The program being made: its inputs, constants and instructions, by the nodes they come from. */
    bp__ref in[MAX_INPUTS], constant_of[MAX_VALUES];
    double constant[MAX_VALUES];
    int32_t member[MAX_INSTRUCTIONS];
    int32_t n_in, n_const, n_member, whole;
} finder;

/* Formulas that take so long that a result which is there is rather read. */
static bool slow(int op) {
    return op >= BP__EW_exp || op == BP__EW_pow || op == BP__EW_atan2 || op == BP__EW_hypot || op == BP__EW_fmod ||
           op == BP__EW_remainder;
}

/* No dimension waits for a batch: weights, their gradients and state. */
static bool of_variables(const bp__info *x) {
    for (int64_t i = 0; i < x->dims.n; i++)
        if (x->dims.dim[i] < 0) return false;
    return x->dims.n > 0;
}

static bool computed(const finder *f, int32_t node, const bp__info *as) {
    const bp__node *x = &f->w.old[node];
    return x->op->ew_op >= 0 && !slow(x->op->ew_op) && !f->stored[node] && x->out[0].dtype == as->dtype &&
           bp__dims_equal(&x->out[0].dims, &as->dims);
}

/* Adds what value r needs, inputs first; false: too much for one program, or of several types. */
static bool add(finder *f, bp__ref r, const bp__info *as) {
    const bp__node *x = &f->w.old[r.node];
    double v;
    if (computed(f, r.node, as)) {
        for (int32_t i = 0; i < f->n_member; i++)
            if (f->member[i] == r.node) return true;
        for (int32_t k = 0; k < x->n_in; k++)
            if (!add(f, x->in[k], as)) return false;
        if (f->n_member == MAX_INSTRUCTIONS) return false;
        f->member[f->n_member++] = r.node;
        return true;
    }
    const bp__info *info = &x->out[r.output];
    if (bp__scalar_constant(x, &v)) {
        for (int32_t i = 0; i < f->n_const; i++)
            if (f->constant_of[i].node == r.node) return true;
        if (f->n_const == MAX_VALUES) return false;
        f->constant_of[f->n_const] = r;
        f->constant[f->n_const++] = v;
        return true;
    }
    if (info->panels || info->dtype != as->dtype) return false;
    for (int32_t i = 0; i < f->n_in; i++)
        if (f->in[i].node == r.node && f->in[i].output == r.output) return true;
    if (f->n_in == MAX_INPUTS) return false;
    if (f->whole < 0 && bp__dims_equal(&info->dims, &as->dims)) f->whole = f->n_in;
    f->in[f->n_in++] = r;
    return true;
}

static uint16_t register_of(const finder *f, bp__ref r) {
    for (int32_t i = 0; i < f->n_in; i++)
        if (f->in[i].node == r.node && f->in[i].output == r.output) return (uint16_t)i;
    for (int32_t i = 0; i < f->n_const; i++)
        if (f->constant_of[i].node == r.node) return (uint16_t)(f->n_in + i);
    for (int32_t i = 0; i < f->n_member; i++)
        if (f->member[i] == r.node) return (uint16_t)(f->n_in + f->n_const + i);
    return 0;
}

/* The axes of a reduction that can be condensed, as bits; 0: it cannot. */
static uint32_t axes_of(const bp__node *node, const bp__info *x, bp__reduce_op *op) {
    const bp_dims *axes;
    if (node->op == bp__op_id(BP__OP_ID_sum)) {
        axes = &((const struct bp__sum_attrs *)node->attrs)->axes;
        *op = BP__SUM;
    } else if (node->op == bp__op_id(BP__OP_ID_max)) {
        axes = &((const struct bp__max_attrs *)node->attrs)->axes;
        *op = BP__MAX;
    } else {
        return 0;
    }
    if (x->panels || (x->dtype != BP_F32 && x->dtype != BP_F64) || !of_variables(x)) return 0;
    uint32_t all = (1u << x->dims.n) - 1, bits = axes->n < 0 ? all : 0;
    for (int64_t i = 0; i < axes->n; i++) bits |= 1u << (axes->dim[i] < 0 ? axes->dim[i] + x->dims.n : axes->dim[i]);
    return bits == all || bits == 1 || bits == 1u << (x->dims.n - 1) ? bits : 0;
}

static bp_status push(finder *f, int64_t old, uint32_t axes, bp__reduce_op op) {
    bp_program *p = f->w.p;
    bp__pool *pool = &p->g->pool;
    const bp__node *reduce = &f->w.old[old];
    bp__condensed_attrs *attrs = bp__pool_alloc(pool, sizeof *attrs);
    bp__ew_instr *instr = bp__pool_alloc(pool, sizeof *instr * (size_t)f->n_member);
    uint16_t *out = bp__pool_alloc(pool, sizeof *out);
    double *constant = bp__pool_alloc(pool, sizeof *constant * (size_t)(f->n_const + 1));
    bp__node node = {.op = &bp__op_condensed, .attrs = attrs, .n_in = f->n_in, .n_out = 1, .name = reduce->name};
    node.in = bp__pool_alloc(pool, sizeof(bp__ref) * (size_t)(f->n_in + 1));
    node.out = bp__pool_alloc(pool, sizeof(bp__info));
    if (!attrs || !instr || !out || !constant || !node.in || !node.out) return bp__out_of_memory(p->ctx, 0);
    for (int32_t i = 0; i < f->n_member; i++) {
        const bp__node *x = &f->w.old[f->member[i]];
        instr[i] = (bp__ew_instr){.op = (uint16_t)x->op->ew_op, .dst = (uint16_t)(f->n_in + f->n_const + i)};
        for (int32_t k = 0; k < x->n_in; k++) instr[i].src[k] = register_of(f, x->in[k]);
        bp__ew_parameters(x, &instr[i]);
    }
    out[0] = (uint16_t)(f->n_in + f->n_const + f->n_member - 1);
    memcpy(constant, f->constant, sizeof(double) * (size_t)f->n_const);
    *attrs = (bp__condensed_attrs){.op = op, .axes = axes, .whole = f->whole};
    attrs->program = (bp__ew_program){.type = (bp_dtype)reduce->out[0].dtype,
                                      .n_in = f->n_in,
                                      .n_const = f->n_const,
                                      .n_reg = f->n_in + f->n_const + f->n_member,
                                      .n_out = 1,
                                      .n_instr = f->n_member,
                                      .constant = constant,
                                      .out = out,
                                      .instr = instr};
    for (int32_t i = 0; i < f->n_in; i++) {
        if (f->w.old[f->in[i].node].out[f->in[i].output].dims.n == 0) attrs->program.one |= UINT32_C(1) << i;
        node.in[i] = bp__rewrite_ref(&f->w, f->in[i]);
    }
    attrs->program.compiled = bp__ew_find(f->isa, &attrs->program);
    node.out[0] = reduce->out[0];
    f->w.map[old][0] = (bp__ref){(int32_t)p->g->n_nodes, 0};
    return bp__graph_push(p->g, &node);
}

static bp_status visit(finder *f, int64_t i) {
    const bp__node *node = &f->w.old[i];
    bp__reduce_op op = BP__SUM;
    uint32_t axes =
        node->n_in == 1 && node->in[0].node >= 0 ? axes_of(node, &f->w.old[node->in[0].node].out[node->in[0].output], &op) : 0;
    if (!axes) return bp__rewrite_keep(&f->w, i);
    const bp__info *x = &f->w.old[node->in[0].node].out[node->in[0].output];
    f->n_in = f->n_const = f->n_member = 0;
    f->whole = -1;
    bool fits = computed(f, node->in[0].node, x) && add(f, node->in[0], x) && f->whole >= 0;
    return fits ? push(f, i, axes, op) : bp__rewrite_keep(&f->w, i);
}

/* What an operation that is neither element-wise nor a reduction reads lies in memory; so do results. */
static void find_stored(finder *f) {
    const bp_program *p = f->w.p;
    for (int64_t i = 0; i < f->w.n_old; i++) {
        const bp__node *x = &f->w.old[i];
        bool reads = x->op->ew_op < 0 && x->op != bp__op_id(BP__OP_ID_sum) && x->op != bp__op_id(BP__OP_ID_max);
        for (int32_t k = 0; k < x->n_in && reads; k++)
            if (x->in[k].node >= 0) f->stored[x->in[k].node] = true;
    }
    for (int64_t i = 0; i < p->n_outputs; i++)
        if (p->outputs[i].node >= 0) f->stored[p->outputs[i].node] = true;
    if (p->ok.node >= 0) f->stored[p->ok.node] = true;
}

bp_status bp__pass_condense(bp_program *p) {
    finder f = {.isa = bp__isa_find(bp_context_isa(p->ctx))};
    BP_TRY(bp__rewrite_begin(&f.w, p));
    f.stored = bp__zalloc(p->ctx, (size_t)f.w.n_old + 1);
    bp_status status = f.stored ? BP_OK : bp__out_of_memory(p->ctx, 0);
    if (f.stored) find_stored(&f);
    for (int64_t i = 0; i < f.w.n_old && status == BP_OK; i++) status = visit(&f, i);
    bp__free(p->ctx, f.stored);
    if (status != BP_OK) {
        bp__rewrite_abandon(&f.w);
        return status;
    }
    BP_TRY(bp__rewrite_end(&f.w));
    return bp__pass_dead(p);
}
