/* Chains of element-wise operations become one loop: nodes of one shape, layout and arithmetic type that can run at one point
   join a group; each group becomes a `fused` node whose program keeps intermediate values in registers of one tile. */
#include "graph/plan.h"

#include <string.h>

static size_t fused_scratch(const bp__call *c, int n_threads) {
    return bp__ew_scratch(&((const bp__fused_attrs *)c->attrs)->program, n_threads);
}
static double fused_flops(const bp__call *c) {
    return (double)((const bp__fused_attrs *)c->attrs)->program.n_instr * (double)bp__tensor_count(&c->out[0]);
}
/* in and out lie behind one another in the call (bind.c), as bp__ew_run wants them. */
static void run_fused(const bp__call *c) {
    const bp__fused_attrs *a = c->attrs;
    bp__ew_run(c->env, &a->program, a->n_segments, c->in);
}

const bp__op bp__op_fused = {.name = "fused",
                             .family = "element-wise",
                             .formula = "several element-wise operations",
                             .n_in = -1,
                             .n_out = 1,
                             .attrs_size = sizeof(bp__fused_attrs),
                             .flags = BP__OP_HIDDEN,
                             .ew_op = -1,
                             .forward = run_fused,
                             .scratch = fused_scratch,
                             .flops = fused_flops};

enum { MAX_INSTRUCTIONS = 48, MAX_INPUTS = 14, MAX_OUTPUTS = 8, MAX_VALUES = 128 };

typedef struct fuser {
    bp__rewrite w;
    int32_t *group; /* [n_old]: the group's number (its first member), -1: alone */
    int32_t *next;  /* [n_old]: the next member of the group, -1: last */
    int32_t *size;  /* [n_old]: members, at the first one */
    bool *done;     /* [n_old]: emitted */
    bool *late;     /* [n_old]: an update, which the commit pass will move behind everything else */
    int32_t *mark;  /* [n_old]: visited in search number … */
    int32_t search;
    int32_t *stack;
    int32_t *reader; /* [outputs]: the newest node of a group that reads it, -1: none yet */
    bp__uses uses;
    const bp__isa *isa;
} fuser;

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

/* The type an element-wise node computes in, or -1 when it is not one that fuses. */
static int compute_type(const bp__node *nodes, const bp__node *node) {
    if (node->op->ew_op < 0) return -1;
    if (node->op->ew_op == BP__EW_where &&
        node->out[0].dtype == BP_F32) { /* a condition must not become 0 on its way to single */
        bp__ref condition = node->in[0];
        if (nodes[condition.node].out[condition.output].dtype == BP_F64) return -1;
    }
    if (is_float(node->out[0].dtype)) return (int)node->out[0].dtype;
    int type = -1;
    for (int32_t k = 0; k < node->n_in; k++) {
        bp_dtype t = nodes[node->in[k].node].out[node->in[k].output].dtype;
        if (is_float(t)) return (int)t;
        if (t != BP_U8) return -1; /* integers have their own loops */
        type = BP_F32;
    }
    return node->out[0].dtype == BP_U8 ? type : -1;
}

static bool alike(const fuser *f, int32_t a, int32_t b) {
    const bp__node *x = &f->w.old[a], *y = &f->w.old[b];
    if (f->late[a] != f->late[b]) return false; /* else what could be written in place would be copied */
    int s = compute_type(f->w.old, x), t = compute_type(f->w.old, y);
    return s >= 0 && s == t && bp__dims_equal(&x->out[0].dims, &y->out[0].dims) && x->out[0].panels == y->out[0].panels;
}

/* Would group `g` depend on itself through nodes outside? Walks back from its members' outside inputs; other groups run as one.
 */
static bool cycle(fuser *f, int32_t g) {
    int32_t n = 0;
    f->search++;
    for (int32_t m = g; m >= 0; m = f->next[m])
        for (int32_t k = 0; k < f->w.old[m].n_in; k++) {
            int32_t in = f->w.old[m].in[k].node;
            if (in >= 0 && f->group[in] != g && f->mark[in] != f->search) f->mark[in] = f->search, f->stack[n++] = in;
        }
    while (n > 0) {
        int32_t at = f->stack[--n];
        int32_t m = f->group[at] >= 0 ? f->group[at] : at;
        for (; m >= 0; m = f->group[at] >= 0 ? f->next[m] : -1) {
            f->mark[m] = f->search;
            for (int32_t k = 0; k < f->w.old[m].n_in; k++) {
                int32_t in = f->w.old[m].in[k].node;
                if (in < 0) continue;
                if (f->group[in] == g) return true;
                if (f->mark[in] != f->search) f->mark[in] = f->search, f->stack[n++] = in;
            }
        }
    }
    return false;
}

/* Appends the members of group b to group a; undone by split. */
static int32_t join(fuser *f, int32_t a, int32_t b) {
    int32_t last = a;
    while (f->next[last] >= 0) last = f->next[last];
    f->next[last] = b;
    for (int32_t m = b; m >= 0; m = f->next[m]) f->group[m] = a;
    f->size[a] += f->size[b];
    return last;
}
static void split(fuser *f, int32_t a, int32_t b, int32_t last) {
    f->next[last] = -1;
    for (int32_t m = b; m >= 0; m = f->next[m]) f->group[m] = b;
    f->size[a] -= f->size[b];
}

bool bp__scalar_constant(const bp__node *n, double *v) {
    if (n->op != &bp__op_constant || n->out[0].dims.n != 0) return false;
    switch (n->out[0].dtype) {
    case BP_F32: *v = (double)*(float *)n->attrs; break;
    case BP_F64: *v = *(double *)n->attrs; break;
    case BP_U8: *v = (double)*(uint8_t *)n->attrs; break;
    default: return false;
    }
    return true;
}

/* Do the group's inputs, constants and outputs fit into one program? */
static bool fits(const fuser *f, int32_t g) {
    if (f->size[g] > MAX_INSTRUCTIONS) return false;
    bp__ref seen[MAX_VALUES];
    int32_t n = 0, inputs = 0;
    for (int32_t m = g; m >= 0; m = f->next[m])
        for (int32_t k = 0; k < f->w.old[m].n_in; k++) {
            bp__ref r = f->w.old[m].in[k];
            if (f->group[r.node] == g) continue;
            int32_t i = 0;
            while (i < n && (seen[i].node != r.node || seen[i].output != r.output)) i++;
            if (i < n) continue;
            if (n == MAX_VALUES) return false;
            seen[n++] = r;
            double v; /* only single numbers become constants of the program */
            inputs += !bp__scalar_constant(&f->w.old[r.node], &v);
        }
    return inputs <= MAX_INPUTS;
}

/* What reaches nothing but variables, through element-wise operations alone. */
static void find_late(fuser *f) {
    const bp_program *p = f->w.p;
    for (int64_t i = 0; i < f->w.n_old; i++) f->late[i] = true;
    for (int64_t i = 0; i < p->n_outputs; i++)
        if (p->outputs[i].node >= 0) f->late[p->outputs[i].node] = false;
    if (p->ok.node >= 0) f->late[p->ok.node] = false;
    for (int64_t i = f->w.n_old - 1; i >= 0; i--) {
        const bp__node *node = &f->w.old[i];
        f->late[i] = f->late[i] && compute_type(f->w.old, node) >= 0;
        for (int32_t k = 0; !f->late[i] && k < node->n_in; k++)
            if (node->in[k].node >= 0) f->late[node->in[k].node] = false;
    }
}

static void gather_groups(fuser *f) {
    for (int32_t i = 0; i < f->w.n_old; i++) {
        const bp__node *node = &f->w.old[i];
        if (compute_type(f->w.old, node) < 0) continue;
        f->group[i] = i;
        f->size[i] = 1;
        for (int32_t k = 0; k < node->n_in; k++) {
            int32_t in = node->in[k].node;
            if (in < 0 || f->group[in] < 0 || f->group[in] == f->group[i] || !alike(f, in, i)) continue;
            int32_t a = f->group[in], b = f->group[i];
            int32_t last = join(f, a, b);
            if (!fits(f, a) || cycle(f, a)) split(f, a, b, last);
        }
    }
}

/* Groups that read the same value become one, too, though neither needs the other: it is read once, and an update that writes
   what another one reads need not wait for it with a copy. */
static void gather_readers(fuser *f) {
    for (int32_t i = 0; i < f->w.n_old; i++)
        for (int32_t k = 0; f->group[i] >= 0 && k < f->w.old[i].n_in; k++) {
            bp__ref r = f->w.old[i].in[k];
            if (r.node < 0 || f->group[r.node] == f->group[i]) continue;
            const bp__info *read = &f->w.old[r.node].out[r.output], *own = &f->w.old[i].out[0];
            if (own->dims.n == 0 || !bp__dims_equal(&read->dims, &own->dims) || read->panels != own->panels) continue;
            int32_t *reader = &f->reader[f->uses.first[r.node] + r.output], a = *reader < 0 ? -1 : f->group[*reader];
            *reader = i;
            if (a < 0 || a == f->group[i] || !alike(f, a, i)) continue;
            int32_t b = f->group[i], last = join(f, a, b);
            if (!fits(f, a) || cycle(f, a)) split(f, a, b, last);
        }
}

/* ---- Emitting ------------------------------------------------------------------------------------------------------------- */

typedef struct builder { /* one program under construction */
    bp__ref in[MAX_INPUTS];
    double constant[MAX_VALUES];
    bp__ref constant_of[MAX_VALUES];
    int32_t member[MAX_INSTRUCTIONS]; /* in order of need */
    int32_t out_member[MAX_INSTRUCTIONS];
    int32_t n_in, n_const, n_member, n_out;
} builder;

static bool used_outside(const fuser *f, int32_t m) {
    int32_t inside = 0;
    for (int32_t i = f->group[m]; i >= 0; i = f->next[i])
        for (int32_t k = 0; k < f->w.old[i].n_in; k++) inside += f->w.old[i].in[k].node == m;
    return f->uses.count[f->uses.first[m]] > inside;
}

/* Members in order of need, results first to last: the order in which a compiler evaluated the arguments of nested constructors
   leaves no trace in the program. */
static void place_member(const fuser *f, int32_t g, builder *b, int32_t m) {
    for (int32_t i = 0; i < b->n_member; i++)
        if (b->member[i] == m) return;
    for (int32_t k = 0; k < f->w.old[m].n_in; k++)
        if (f->w.old[m].in[k].node >= 0 && f->group[f->w.old[m].in[k].node] == g) place_member(f, g, b, f->w.old[m].in[k].node);
    b->member[b->n_member++] = m;
}

static bool collect(const fuser *f, int32_t g, builder *b) {
    memset(b, 0, sizeof *b);
    for (int32_t m = g; m >= 0; m = f->next[m]) {
        int32_t at = b->n_member++;
        while (at > 0 && b->member[at - 1] > m) b->member[at] = b->member[at - 1], at--;
        b->member[at] = m;
    }
    for (int32_t i = 0; i < b->n_member; i++)
        if (used_outside(f, b->member[i])) b->out_member[b->n_out++] = b->member[i];
    b->n_member = 0;
    for (int32_t i = 0; i < b->n_out; i++) place_member(f, g, b, b->out_member[i]);
    for (int32_t i = 0; i < b->n_member; i++) {
        const bp__node *node = &f->w.old[b->member[i]];
        for (int32_t k = 0; k < node->n_in; k++) {
            bp__ref r = node->in[k];
            double v = 0;
            bool constant = bp__scalar_constant(&f->w.old[r.node], &v), known = f->group[r.node] == g;
            for (int32_t j = 0; j < b->n_in && !known; j++) known = b->in[j].node == r.node && b->in[j].output == r.output;
            for (int32_t j = 0; j < b->n_const && !known; j++) known = b->constant_of[j].node == r.node;
            if (known) continue;
            if (constant && b->n_const < MAX_VALUES) {
                b->constant_of[b->n_const] = r;
                b->constant[b->n_const++] = v;
            } else {
                if (b->n_in == MAX_INPUTS) return false;
                b->in[b->n_in++] = r;
            }
        }
    }
    return true;
}

/* The register of `r`: inputs, then constants, then what `registers` gave each member. */
static uint16_t register_of(const builder *b, const uint16_t *registers, bp__ref r) {
    for (int32_t j = 0; j < b->n_in; j++)
        if (b->in[j].node == r.node && b->in[j].output == r.output) return (uint16_t)j;
    for (int32_t j = 0; j < b->n_const; j++)
        if (b->constant_of[j].node == r.node) return (uint16_t)(b->n_in + j);
    for (int32_t j = 0; j < b->n_member; j++)
        if (b->member[j] == r.node) return registers[j];
    return 0;
}

void bp__ew_parameters(const bp__node *node, bp__ew_instr *x) {
    const double *v[2] = {NULL, NULL};
    for (int32_t a = 0; a < node->op->n_attrs && a < 2; a++)
        v[a] = (const double *)((const char *)node->attrs + node->op->attrs[a].offset);
    x->p = v[0] ? *v[0] : 0;
    x->q = v[1] ? *v[1] : 0;
}

static bool is_output(const builder *b, int32_t member) {
    for (int32_t j = 0; j < b->n_out; j++)
        if (b->out_member[j] == member) return true;
    return false;
}

/* Gives temporaries registers; one is free again after its last reader, results keep theirs. */
static int32_t allocate(const fuser *f, const builder *b, uint16_t *registers) {
    bool busy[MAX_INSTRUCTIONS] = {false};
    int32_t base = b->n_in + b->n_const, high = 0;
    for (int32_t i = 0; i < b->n_member; i++) {
        const bp__node *node = &f->w.old[b->member[i]];
        for (int32_t j = 0; j < i; j++) { /* members whose last reader was before this one give their register back */
            if (is_output(b, b->member[j])) continue;
            int32_t last = -1;
            for (int32_t u = j + 1; u < b->n_member; u++)
                for (int32_t k = 0; k < f->w.old[b->member[u]].n_in; k++)
                    if (f->w.old[b->member[u]].in[k].node == b->member[j]) last = u;
            if (last == i - 1) busy[registers[j] - base] = false;
        }
        (void)node;
        int32_t r = 0;
        while (busy[r]) r++;
        busy[r] = true;
        registers[i] = (uint16_t)(base + r);
        high = BP__MAX(high, r + 1);
    }
    return base + high;
}

static bp_status emit_group(fuser *f, int32_t g) {
    bp_program *p = f->w.p;
    bp__pool *pool = &p->g->pool;
    builder b;
    if (!collect(f, g, &b)) return bp__fail(p->ctx, BP_INTERNAL, "fuse: a group has more inputs than it was counted for");
    uint16_t registers[MAX_INSTRUCTIONS];
    int32_t n_reg = allocate(f, &b, registers);
    bp__fused_attrs *attrs = bp__pool_alloc(pool, sizeof *attrs);
    bp__ew_instr *instr = bp__pool_alloc(pool, sizeof *instr * (size_t)b.n_member);
    uint16_t *out = bp__pool_alloc(pool, sizeof *out * (size_t)(b.n_out + 1));
    double *constant = bp__pool_alloc(pool, sizeof *constant * (size_t)(b.n_const + 1));
    bp__node node = {.op = &bp__op_fused, .attrs = attrs, .n_in = b.n_in, .n_out = b.n_out, .name = f->w.old[g].name};
    node.in = bp__pool_alloc(pool, sizeof(bp__ref) * (size_t)(b.n_in + 1));
    node.out = bp__pool_alloc(pool, sizeof(bp__info) * (size_t)(b.n_out + 1));
    if (!attrs || !instr || !out || !constant || !node.in || !node.out) return bp__out_of_memory(p->ctx, 0);
    for (int32_t i = 0; i < b.n_member; i++) {
        const bp__node *m = &f->w.old[b.member[i]];
        instr[i].op = (uint16_t)m->op->ew_op;
        instr[i].dst = registers[i];
        for (int32_t k = 0; k < m->n_in; k++) instr[i].src[k] = register_of(&b, registers, m->in[k]);
        bp__ew_parameters(m, &instr[i]);
    }
    for (int32_t j = 0; j < b.n_out; j++) {
        out[j] = register_of(&b, registers, (bp__ref){b.out_member[j], 0});
        node.out[j] = f->w.old[b.out_member[j]].out[0];
        f->w.map[b.out_member[j]][0] = (bp__ref){(int32_t)p->g->n_nodes, j};
    }
    for (int32_t j = 0; j < b.n_in; j++) node.in[j] = bp__rewrite_ref(&f->w, b.in[j]);
    memcpy(constant, b.constant, sizeof(double) * (size_t)b.n_const);
    attrs->program = (bp__ew_program){.type = (bp_dtype)compute_type(f->w.old, &f->w.old[g]),
                                      .n_in = b.n_in,
                                      .n_const = b.n_const,
                                      .n_reg = n_reg,
                                      .n_out = b.n_out,
                                      .n_instr = b.n_member,
                                      .constant = constant,
                                      .out = out,
                                      .instr = instr};
    for (int32_t j = 0; j < b.n_in && j < 32; j++) {
        const bp__info *in = &p->g->nodes[node.in[j].node].out[node.in[j].output];
        if (in->dims.n == 0) attrs->program.one |= UINT32_C(1) << j;
    }
    attrs->n_segments = 1;
    attrs->program.compiled = bp__ew_find(f->isa, &attrs->program);
    return bp__graph_push(p->g, &node);
}

/* Emits a node, or its whole group, after everything it reads. */
static bp_status emit(fuser *f, int32_t i) {
    if (f->done[i]) return BP_OK;
    int32_t g = f->group[i];
    for (int32_t m = g >= 0 ? g : i; m >= 0; m = g >= 0 ? f->next[m] : -1) {
        f->done[m] = true;
        for (int32_t k = 0; k < f->w.old[m].n_in; k++) {
            int32_t in = f->w.old[m].in[k].node;
            if (in >= 0 && (g < 0 || f->group[in] != g)) BP_TRY(emit(f, in));
        }
    }
    return g >= 0 ? emit_group(f, g) : bp__rewrite_keep(&f->w, i);
}

static bp_status emit_all(fuser *f) {
    for (int32_t i = 0; i < f->w.n_old; i++) {
        int32_t g = f->group[i], last = i;
        for (int32_t m = g; m >= 0; m = f->next[m]) last = BP__MAX(last, m);
        if (g < 0 || last == i) BP_TRY(emit(f, i)); /* a group waits for its last member: outputs live shorter */
    }
    return BP_OK;
}

bp_status bp__pass_fuse(bp_program *p) {
    size_t n = (size_t)p->g->n_nodes + 1;
    fuser f = {.isa = bp__isa_find(bp_context_isa(p->ctx))};
    BP_TRY(bp__uses_count(p, &f.uses));
    int32_t *memory = bp__alloc(p->ctx, sizeof(int32_t) * n * 5);
    f.done = bp__zalloc(p->ctx, 2 * n);
    f.reader = bp__alloc(p->ctx, sizeof(int32_t) * (size_t)(f.uses.first[n - 1] + 1));
    bp_status status = memory && f.done && f.reader ? bp__rewrite_begin(&f.w, p) : bp__out_of_memory(p->ctx, 0);
    if (status == BP_OK) {
        f.late = f.done + n;
        f.group = memory;
        f.next = memory + n;
        f.size = memory + 2 * n;
        f.mark = memory + 3 * n;
        f.stack = memory + 4 * n;
        for (size_t i = 0; i < n; i++) f.group[i] = f.next[i] = -1, f.mark[i] = 0;
        for (int64_t i = 0; i < f.uses.first[n - 1]; i++) f.reader[i] = -1;
        find_late(&f);
        gather_groups(&f);
        gather_readers(&f);
        status = emit_all(&f);
        if (status == BP_OK)
            status = bp__rewrite_end(&f.w);
        else
            bp__rewrite_abandon(&f.w);
    }
    bp__uses_free(p, &f.uses);
    bp__free(p->ctx, memory);
    bp__free(p->ctx, f.reader);
    bp__free(p->ctx, f.done);
    return status;
}
