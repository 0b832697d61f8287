/* The second half of compiling: sizes become numbers, values get places, nodes become kernel calls.

   The arena, from left to right as entries run (time goes down; a row is an entry, a column some bytes):

       entry 0  [ y0 ......... ]
       entry 1  [ y0 ......... ][ y1 .. ]
       entry 2  [ y2 over y0   ][ y1 .. ]      an element-wise result takes the memory of an input that ends here
       entry 3  [ free         ][ y1 .. ][ y3 ]
       behind it: scratch, as much as the hungriest kernel wants. Nothing survives between runs. */
#include "graph/plan.h"
#include "op/elementwise.h"

#include <string.h>

typedef struct binder {
    bp_session *s;
    bp_program *p;
    bp__binding *b;
    bp__slot *slots; /* [values] */
    int64_t *first;  /* [nodes + 1] */
} binder;

static bp_status no_memory(const binder *x) { return bp__out_of_memory(x->s->ctx, 0); }

static void set_strides(bp__tensor *t) {
    int64_t stride = 1;
    for (int32_t i = t->n_dims - 1; i >= 0; i--) {
        t->stride[i] = stride;
        stride *= t->dim[i];
    }
}

static bool contiguous(const bp__tensor *t) {
    int64_t stride = 1;
    for (int32_t i = t->n_dims - 1; i >= 0; i--) {
        if (t->dim[i] != 1 && t->stride[i] != stride) return false;
        stride *= t->dim[i];
    }
    return true;
}

static size_t stored_bytes(const bp__tensor *t) {
    bp__info info = {.dtype = (bp_dtype)t->dtype, .dims = {.n = t->n_dims}, .panels = t->panels};
    for (int32_t i = 0; i < t->n_dims; i++) info.dims.dim[i] = t->dim[i];
    return bp__info_bytes(&info);
}

static bp_status sized(const binder *x, const bp__node *node, int32_t k, bp__tensor *t) {
    const bp__info *info = &node->out[k];
    const bp__dims_table *dims = x->p->g->dims;
    *t = (bp__tensor){.n_dims = (int32_t)info->dims.n, .dtype = (uint8_t)info->dtype, .panels = info->panels};
    for (int64_t i = 0; i < info->dims.n; i++) {
        t->dim[i] = bp__dim_eval(dims, info->dims.dim[i], x->b->symbols);
        if (t->dim[i] < 0) {
            char text[200];
            return bp__fail(x->s->ctx, BP_SHAPE, "%s: the size %s is negative or unknown for these inputs", node->op->name,
                            bp__dim_text(dims, info->dims.dim[i], text, sizeof text));
        }
    }
    set_strides(t);
    return BP_OK;
}

static bp_status new_buffer(const binder *x, bp__slot *slot) {
    bp__binding *b = x->b;
    if (BP__GROW(x->s->ctx, b->buffers, b->n_buffers, b->cap_buffers) != BP_OK) return no_memory(x);
    b->buffers[b->n_buffers] = (bp__buffer_life){
        .bytes = (stored_bytes(&slot->t) + 63) & ~(size_t)63, .first = (int32_t)b->n_entries, .last = (int32_t)b->n_entries};
    slot->space = BP__SPACE_ARENA;
    slot->index = (int32_t)b->n_buffers++;
    slot->offset = 0;
    return BP_OK;
}

static void used_by(const binder *x, const bp__slot *slot, int64_t entry) {
    if (slot->space == BP__SPACE_ARENA && slot->t.n_dims >= 0) {
        bp__buffer_life *life = &x->b->buffers[slot->index];
        life->last = BP__MAX(life->last, (int32_t)entry);
    }
}

static bp_status add_entry(const binder *x, const bp__op *op, void (*run)(const bp__call *), const void *attrs,
                           const bp__slot *slots, int32_t n_in, int32_t n_out, const char *name, bool shares) {
    bp__binding *b = x->b;
    if (BP__GROW(x->s->ctx, b->entries, b->n_entries, b->cap_entries) != BP_OK) return no_memory(x);
    size_t n = (size_t)(n_in + n_out);
    bp__tensor *tensors = bp__pool_alloc(&b->pool, sizeof *tensors * (n + 1));
    bp__slot *copy = bp__pool_alloc(&b->pool, sizeof *copy * (n + 1));
    if (!tensors || !copy) return no_memory(x);
    memcpy(copy, slots, sizeof *copy * n);
    for (size_t i = 0; i < n; i++) {
        tensors[i] = slots[i].t;
        tensors[i].data = NULL;
        used_by(x, &slots[i], b->n_entries);
    }
    b->entries[b->n_entries++] = (bp__entry){
        .run = run,
        .op = op,
        .slots = copy,
        .name = name,
        .shares = shares,
        .call = {.env = &x->s->env, .in = tensors, .out = tensors + n_in, .n_in = n_in, .n_out = n_out, .attrs = attrs}};
    return BP_OK;
}

static void run_copy(const bp__call *c) { bp__copy(c->env, &c->out[0], &c->in[0]); }
static const bp__op copy_op = {.name = "copy", .ew_op = -1};

/* A contiguous copy of `from` in a buffer of its own. */
static bp_status dense_copy(const binder *x, const bp__slot *from, bp__slot *to) {
    bp__slot pair[2] = {*from, *from};
    set_strides(&pair[1].t);
    BP_TRY(new_buffer(x, &pair[1]));
    BP_TRY(add_entry(x, &copy_op, run_copy, NULL, pair, 1, 1, NULL, false));
    *to = pair[1];
    return BP_OK;
}

static bp_status bind_leaf(binder *x, int32_t index) {
    const bp__node *node = &x->p->g->nodes[index];
    bp__slot *slot = &x->slots[x->first[index]];
    BP_TRY(sized(x, node, 0, &slot->t));
    if (node->op == &bp__op_constant) {
        slot->space = BP__SPACE_CONSTANT;
        slot->constant = node->attrs;
    } else if (node->op == &bp__op_variable) {
        int64_t place = *(int64_t *)node->attrs;
        slot->space = BP__SPACE_STATE;
        slot->index = (int32_t)place;
        if (!x->s->state || place >= x->s->state->n_places)
            return bp__fail(x->s->ctx, BP_INVALID, "variable \"%s\" was made after the state; make a new state", node->name);
        if (x->s->state->places[place].info.panels != node->out[0].panels)
            return bp__fail(x->s->ctx, BP_INTERNAL, "variable \"%s\": state and program disagree about its layout", node->name);
    } else {
        slot->space = BP__SPACE_INPUT;
        for (int64_t i = 0; i < x->s->n_inputs; i++)
            if (x->s->inputs[i].node == index) slot->index = (int32_t)i;
    }
    return BP_OK;
}

/* The output as a view of input 0: no entry. */
static bp_status bind_view(binder *x, int32_t index, bp__slot *in, bool *done) {
    const bp__node *node = &x->p->g->nodes[index];
    bp__slot *out = &x->slots[x->first[index]];
    *done = false;
    if (in->t.panels) { /* only the transpose of a matrix in panels stays one (layout.c) */
        bp__tensor t = out->t;
        *out = *in;
        out->t = t;
        *done = true;
        return BP_OK;
    }
    for (int attempt = 0; attempt < 2 && !*done; attempt++) {
        bp__tensor tensors[2] = {in->t, out->t};
        tensors[0].data = NULL;
        bp__call call = {.env = &x->s->env, .in = tensors, .out = tensors + 1, .n_in = 1, .n_out = 1, .attrs = node->attrs};
        bp__tensor view = out->t;
        view.data = NULL;
        if (node->op->view(&call, &view)) {
            *out = *in;
            out->t = view;
            out->offset += (int64_t)(intptr_t)view.data;
            *done = true;
        } else if (attempt == 0) {
            if (contiguous(&in->t)) break; /* a copy would not help */
            BP_TRY(dense_copy(x, in, in));
        }
    }
    return BP_OK;
}

/* The element-wise driver wants inputs of the outputs' dimensions, broadcast by stride 0. */
static void spread_inputs(const bp__node *node, bp__slot *slots) {
    for (int32_t k = 0; k < node->n_in; k++) bp__ew_spread(&slots[k].t, &slots[node->n_in].t);
}

static bp_status bind_node(binder *x, int32_t index) {
    const bp__node *node = &x->p->g->nodes[index];
    for (int32_t k = 0; k < node->n_out; k++) BP_TRY(sized(x, node, k, &x->slots[x->first[index] + k].t));
    bp__slot *slots = bp__pool_alloc(&x->b->pool, sizeof *slots * (size_t)(node->n_in + node->n_out));
    if (!slots) return no_memory(x);
    for (int32_t k = 0; k < node->n_in; k++) {
        if (node->in[k].node < 0) {
            slots[k] = (bp__slot){.space = BP__SPACE_CONSTANT};
            continue;
        }
        slots[k] = x->slots[x->first[node->in[k].node] + node->in[k].output];
        if ((node->op->flags & BP__OP_DENSE_IN) && !slots[k].t.panels && !contiguous(&slots[k].t))
            BP_TRY(dense_copy(x, &slots[k], &slots[k]));
    }
    if (node->op->view) {
        bool done;
        BP_TRY(bind_view(x, index, &slots[0], &done));
        if (done) return BP_OK;
    }
    if (!node->op->forward) return bp__fail(x->s->ctx, BP_INTERNAL, "%s has no kernel", node->op->name);
    for (int32_t k = 0; k < node->n_out; k++) {
        bp__slot *out = &x->slots[x->first[index] + k];
        BP_TRY(new_buffer(x, out));
        slots[node->n_in + k] = *out;
    }
    if (node->op == &bp__op_fused) spread_inputs(node, slots);
    const void *attrs = node->attrs;
    if (node->op->bind) BP_TRY(node->op->bind(x->s, x->b, node, &attrs));
    bool shares = node->op == &bp__op_fused || node->op->ew_op >= 0;
    return add_entry(x, node->op, node->op->forward, attrs, slots, node->n_in, node->n_out, node->name, shares);
}

/* ---- Commit ------------------------------------------------------------------------------------------------------------------
 */

/* Does any node of the commit part but `self` read variable `place`? */
static bool read_elsewhere(const binder *x, int32_t place, int64_t self) {
    const bp_graph *g = x->p->g;
    for (int64_t i = x->p->commit_from; i < g->n_nodes; i++)
        for (int32_t k = 0; k < g->nodes[i].n_in; k++) {
            const bp__slot *in = &x->slots[x->first[g->nodes[i].in[k].node] + g->nodes[i].in[k].output];
            if (in->space != BP__SPACE_STATE || in->index != place) continue;
            if (i != self) return true;
            const bp__info *whole =
                &x->s->state->places[place].info; /* by itself: only as the whole variable, element by element */
            if (in->offset != 0 || in->t.panels != whole->panels || (!in->t.panels && !contiguous(&in->t)) ||
                in->t.n_dims != whole->dims.n)
                return true;
        }
    return false;
}

/* An update node may write variables in place when all its outputs go to variables nobody else reads from now on. */
static bp_status bind_update(binder *x, int32_t index, bool *written) {
    const bp__node *node = &x->p->g->nodes[index];
    bp_program *p = x->p;
    int32_t targets[64];
    bool direct = node->n_out <= 64;
    for (int32_t k = 0; k < node->n_out && direct; k++) {
        int64_t n = 0, a = -1;
        for (int64_t i = 0; i < p->n_assigns; i++)
            if (p->assigns[i].value.node == index && p->assigns[i].value.output == k) n++, a = i;
        direct = n == 1 && !read_elsewhere(x, (int32_t)p->assigns[a].variable, index);
        for (int64_t i = p->commit_from; i < p->g->n_nodes && direct; i++)
            for (int32_t j = 0; j < p->g->nodes[i].n_in; j++)
                direct &= p->g->nodes[i].in[j].node != index || p->g->nodes[i].in[j].output != k;
        targets[k] = (int32_t)a;
    }
    if (!direct) return bind_node(x, index);
    bp__slot *slots = bp__pool_alloc(&x->b->pool, sizeof *slots * (size_t)(node->n_in + node->n_out));
    if (!slots) return no_memory(x);
    for (int32_t k = 0; k < node->n_in; k++) slots[k] = x->slots[x->first[node->in[k].node] + node->in[k].output];
    for (int32_t k = 0; k < node->n_out; k++) {
        bp__slot *out = &x->slots[x->first[index] + k];
        BP_TRY(sized(x, node, k, &out->t));
        out->space = BP__SPACE_STATE;
        out->index = (int32_t)p->assigns[targets[k]].variable;
        slots[node->n_in + k] = *out;
        written[targets[k]] = true;
    }
    spread_inputs(node, slots);
    return add_entry(x, node->op, node->op->forward, node->attrs, slots, node->n_in, node->n_out, node->name, false);
}

/* Memory in panels as one row, pads included. */
static bp__tensor as_stored(const bp__tensor *t) {
    bp__tensor flat = {.n_dims = 1, .dtype = t->dtype, .stride = {1}};
    flat.dim[0] = (int64_t)(stored_bytes(t) / bp_dtype_size((bp_dtype)t->dtype));
    return flat;
}

static bp_status bind_copies(binder *x, const bool *written) {
    for (int64_t i = 0; i < x->p->n_assigns; i++) {
        if (written[i]) continue;
        bp__ref r = x->p->assigns[i].value;
        bp__slot pair[2] = {x->slots[x->first[r.node] + r.output],
                            {.space = BP__SPACE_STATE, .index = (int32_t)x->p->assigns[i].variable}};
        pair[1].t = pair[0].t;
        if (pair[0].t.panels) {
            pair[0].t = pair[1].t = as_stored(&pair[0].t);
        } else {
            set_strides(&pair[1].t);
        }
        BP_TRY(
            add_entry(x, &copy_op, run_copy, NULL, pair, 1, 1, x->p->source->variables[x->p->assigns[i].variable].name, false));
    }
    return BP_OK;
}

/* A copy of what lies in panels, pads included. */
static bp_status stored_copy(const binder *x, bp__slot *slot) {
    bp__slot copy = *slot;
    BP_TRY(new_buffer(x, &copy));
    bp__slot pair[2] = {*slot, copy};
    pair[0].t = pair[1].t = as_stored(&slot->t);
    BP_TRY(add_entry(x, &copy_op, run_copy, NULL, pair, 1, 1, NULL, false));
    *slot = copy;
    return BP_OK;
}

/* Values assigned straight from old state are copied before anything is written. */
static bp_status save_old_state(binder *x) {
    for (int64_t i = 0; i < x->p->n_assigns; i++) {
        bp__ref r = x->p->assigns[i].value;
        bp__slot *slot = &x->slots[x->first[r.node] + r.output];
        if (r.node >= x->p->commit_from || slot->space != BP__SPACE_STATE) continue;
        if (slot->t.panels) {
            BP_TRY(stored_copy(x, slot));
        } else {
            bp__slot old = *slot;
            BP_TRY(dense_copy(x, &old, slot));
        }
    }
    return BP_OK;
}

static bool same_program(const bp__ew_program *a, const bp__ew_program *b) {
    if (a->type != b->type || a->one != b->one || a->n_in != b->n_in || a->n_const != b->n_const || a->n_reg != b->n_reg ||
        a->n_out != b->n_out || a->n_instr != b->n_instr)
        return false;
    for (int32_t i = 0; i < a->n_instr; i++) {
        const bp__ew_instr *s = &a->instr[i], *t = &b->instr[i];
        if (s->op != t->op || s->dst != t->dst || memcmp(s->src, t->src, sizeof s->src) != 0 ||
            memcmp(&s->p, &t->p, sizeof s->p) != 0 || memcmp(&s->q, &t->q, sizeof s->q) != 0)
            return false;
    }
    return memcmp(a->constant, b->constant, sizeof(double) * (size_t)a->n_const) == 0 &&
           memcmp(a->out, b->out, sizeof *a->out * (size_t)a->n_out) == 0;
}

/* An entry that writes state in place and reads nothing that the commit part computes: its place among the others is free. */
static bool independent(const bp__binding *b, const bp__entry *e) {
    if (e->op != &bp__op_fused || e->slots[e->call.n_in].space != BP__SPACE_STATE) return false;
    for (int32_t k = 0; k < e->call.n_in; k++)
        if (e->slots[k].space == BP__SPACE_ARENA && b->buffers[e->slots[k].index].first >= b->commit_from) return false;
    return true;
}

/* Equal programs of independent entries become segments of one entry. */
static bp_status merge_updates(binder *x) {
    bp__binding *b = x->b;
    for (int64_t i = b->commit_from; i < b->n_entries; i++) {
        bp__entry *e = &b->entries[i];
        if (!independent(b, e)) continue;
        const bp__fused_attrs *attrs = e->call.attrs;
        int64_t same = 1;
        int32_t group = e->call.n_in + e->call.n_out;
        for (int64_t j = i + 1; j < b->n_entries; j++) {
            const bp__entry *o = &b->entries[j];
            same += independent(b, o) && same_program(&attrs->program, &((const bp__fused_attrs *)o->call.attrs)->program);
        }
        if (same == 1) continue;
        bp__fused_attrs *merged = bp__pool_alloc(&b->pool, sizeof *merged);
        bp__slot *slots = bp__pool_alloc(&b->pool, sizeof *slots * (size_t)(group * same));
        bp__tensor *tensors = bp__pool_alloc(&b->pool, sizeof *tensors * (size_t)(group * same));
        if (!merged || !slots || !tensors) return no_memory(x);
        *merged = (bp__fused_attrs){.program = attrs->program, .n_segments = same};
        int64_t n = 0, kept = i + 1;
        for (int64_t j = i; j < b->n_entries; j++) {
            bp__entry *o = &b->entries[j];
            bool take = independent(b, o) && same_program(&attrs->program, &((const bp__fused_attrs *)o->call.attrs)->program);
            if (take) {
                memcpy(slots + n * group, o->slots, sizeof *slots * (size_t)group);
                memcpy(tensors + n * group, o->call.in, sizeof *tensors * (size_t)group);
                n++;
            }
            if (j > i && !take) b->entries[kept++] = *o;
        }
        e->slots = slots;
        e->name = NULL;
        e->call = (bp__call){.env = e->call.env,
                             .in = tensors,
                             .out = tensors + (int64_t)group * same - e->call.n_out,
                             .n_in = (int32_t)(group * same) - e->call.n_out,
                             .n_out = e->call.n_out,
                             .attrs = merged};
        for (int32_t k = 0; k < group * (int32_t)same; k++) used_by(x, &slots[k], i);
        b->n_entries = kept;
    }
    return BP_OK;
}

/* ---- Arena ----------------------------------------------------------------------------------------------------------------- */

typedef struct gap {
    size_t offset, bytes;
} gap;

typedef struct space { /* free pieces below `end`, in order */
    gap *gaps;
    int64_t n, cap;
    size_t end;
} space;

static bp_status give(bp_context *ctx, space *s, size_t offset, size_t bytes) {
    if (bytes == 0) return BP_OK;
    if (BP__GROW(ctx, s->gaps, s->n, s->cap) != BP_OK) return bp__out_of_memory(ctx, 0);
    int64_t i = s->n;
    while (i > 0 && s->gaps[i - 1].offset > offset) s->gaps[i] = s->gaps[i - 1], i--;
    s->gaps[i] = (gap){offset, bytes};
    s->n++;
    for (int64_t j = BP__MAX(i, 1); j < s->n && j <= i + 1;) {
        if (s->gaps[j - 1].offset + s->gaps[j - 1].bytes == s->gaps[j].offset) {
            s->gaps[j - 1].bytes += s->gaps[j].bytes;
            memmove(&s->gaps[j], &s->gaps[j + 1], sizeof(gap) * (size_t)(s->n - j - 1));
            s->n--;
            i--;
        } else {
            j++;
        }
    }
    return BP_OK;
}

static size_t take(space *s, size_t bytes) { /* the smallest gap that fits, else the end */
    int64_t best = -1;
    for (int64_t i = 0; i < s->n; i++)
        if (s->gaps[i].bytes >= bytes && (best < 0 || s->gaps[i].bytes < s->gaps[best].bytes)) best = i;
    if (best >= 0) {
        size_t at = s->gaps[best].offset;
        s->gaps[best].offset += bytes;
        s->gaps[best].bytes -= bytes;
        if (s->gaps[best].bytes == 0) {
            memmove(&s->gaps[best], &s->gaps[best + 1], sizeof(gap) * (size_t)(s->n - best - 1));
            s->n--;
        }
        return at;
    }
    if (s->n > 0 && s->gaps[s->n - 1].offset + s->gaps[s->n - 1].bytes == s->end) {
        size_t at = s->gaps[--s->n].offset;
        s->end = at + bytes;
        return at;
    }
    s->end += bytes;
    return s->end - bytes;
}

static bool same_view(const bp__tensor *a, const bp__tensor *b) {
    if (a->n_dims != b->n_dims || a->dtype != b->dtype || a->panels != b->panels) return false;
    for (int32_t i = 0; i < a->n_dims; i++)
        if (a->dim[i] != b->dim[i] || (a->dim[i] != 1 && a->stride[i] != b->stride[i])) return false;
    return true;
}

/* An input of entry `e` whose memory output slot `out` may take over, or -1. */
static int32_t overlay(const bp__binding *b, int64_t e, const bp__slot *out, const bool *taken) {
    const bp__entry *entry = &b->entries[e];
    for (int32_t k = 0; entry->shares && k < entry->call.n_in; k++) {
        const bp__slot *in = &entry->slots[k];
        if (in->space != BP__SPACE_ARENA || taken[in->index] || b->buffers[in->index].last != e ||
            b->buffers[in->index].bytes != b->buffers[out->index].bytes)
            continue;
        if (in->offset != 0 || !same_view(&in->t, &out->t)) continue;
        bool alone = true;
        for (int32_t j = 0; j < entry->call.n_in; j++)
            alone &= entry->slots[j].space != BP__SPACE_ARENA || entry->slots[j].index != in->index ||
                     (entry->slots[j].offset == 0 && same_view(&entry->slots[j].t, &in->t));
        if (alone) return in->index;
    }
    return -1;
}

static bp_status place_buffers(binder *x) {
    bp__binding *b = x->b;
    bp_context *ctx = x->s->ctx;
    space s = {0};
    bool *taken = bp__zalloc(ctx, (size_t)b->n_buffers + 1); /* its memory went on to another buffer */
    bp_status status = taken ? BP_OK : no_memory(x);
    for (int64_t e = 0; e < b->n_entries && status == BP_OK; e++) {
        bp__entry *entry = &b->entries[e];
        for (int32_t k = 0; k < entry->call.n_out; k++) {
            bp__slot *out = &entry->slots[entry->call.n_in + k];
            if (out->space != BP__SPACE_ARENA) continue;
            int32_t from = overlay(b, e, out, taken);
            if (from >= 0) {
                taken[from] = true;
                b->buffers[out->index].offset = b->buffers[from].offset;
            } else {
                b->buffers[out->index].offset = take(&s, b->buffers[out->index].bytes);
            }
        }
        for (int64_t i = 0; i < b->n_buffers && status == BP_OK; i++)
            if (b->buffers[i].last == e && b->buffers[i].first <= e && !taken[i])
                status = give(ctx, &s, b->buffers[i].offset, b->buffers[i].bytes);
    }
    b->arena_bytes = s.end;
    bp__free(ctx, s.gaps);
    bp__free(ctx, taken);
    return status;
}

/* ---- Putting it together ------------------------------------------------------------------------------------------------------
 */

static bp_status check_dims(const binder *x) {
    const bp_graph *g = x->p->g;
    for (int64_t i = 0; i < g->n_checks; i++) {
        int64_t a = bp__dim_eval(g->dims, g->checks[i].a, x->b->symbols),
                b = bp__dim_eval(g->dims, g->checks[i].b, x->b->symbols);
        char s[160], t[160];
        if (a >= 0 && b >= 0 && a != b)
            return bp__fail(x->s->ctx, BP_SHAPE, "sizes differ: %s = %lld, but %s = %lld must be equal to it",
                            bp__dim_text(g->dims, g->checks[i].a, s, sizeof s), (long long)a,
                            bp__dim_text(g->dims, g->checks[i].b, t, sizeof t), (long long)b);
    }
    return BP_OK;
}

static bp_status bind_outputs(binder *x) {
    bp__binding *b = x->b;
    b->outputs = bp__pool_alloc(&b->pool, sizeof(bp__slot) * (size_t)(x->p->n_outputs + 1));
    if (!b->outputs) return no_memory(x);
    for (int64_t i = 0; i < x->p->n_outputs; i++) {
        bp__slot *slot = &x->slots[x->first[x->p->outputs[i].node] + x->p->outputs[i].output];
        if (slot->space != BP__SPACE_ARENA || !contiguous(&slot->t))
            BP_TRY(dense_copy(x, slot, &b->outputs[i]));
        else
            b->outputs[i] = *slot;
    }
    return BP_OK;
}

static bp_status bind_all(binder *x) {
    bp_program *p = x->p;
    bp__binding *b = x->b;
    bool *written = bp__pool_alloc(&b->pool, (size_t)p->n_assigns + 1);
    if (!written) return no_memory(x);
    for (int64_t i = 0; i < p->g->n_nodes; i++) /* leaves first: later nodes may move */
        if (p->g->nodes[i].op->flags & BP__OP_LEAF) BP_TRY(bind_leaf(x, (int32_t)i));
    BP_TRY(check_dims(x));
    for (int64_t i = 0; i < p->commit_from; i++)
        if (!(p->g->nodes[i].op->flags & BP__OP_LEAF)) BP_TRY(bind_node(x, (int32_t)i));
    BP_TRY(bind_outputs(x));
    BP_TRY(save_old_state(x));
    if (p->ok.node >= 0) b->ok = x->slots[x->first[p->ok.node] + p->ok.output];
    b->commit_from = b->n_entries;
    for (int64_t i = p->commit_from; i < p->g->n_nodes; i++)
        if (!(p->g->nodes[i].op->flags & BP__OP_LEAF)) BP_TRY(bind_update(x, (int32_t)i, written));
    BP_TRY(bind_copies(x, written));
    BP_TRY(merge_updates(x));
    for (int64_t i = 0; i < p->n_outputs; i++) used_by(x, &b->outputs[i], b->n_entries);
    if (p->ok.node >= 0) used_by(x, &b->ok, b->n_entries);
    BP_TRY(place_buffers(x));
    for (int64_t i = 0; i < b->n_entries; i++) {
        const bp__entry *e = &b->entries[i];
        if (e->op->scratch) b->scratch_bytes = BP__MAX(b->scratch_bytes, e->op->scratch(&e->call, bp__team_size(x->s->env.team)));
    }
    return BP_OK;
}

bp_status bp__bind(bp_session *s, bp__binding *b) {
    bp_program *p = s->program;
    binder x = {.s = s, .p = p, .b = b};
    size_t n = (size_t)p->g->n_nodes;
    x.first = bp__alloc(s->ctx, sizeof(int64_t) * (n + 1));
    bp_status status = x.first ? BP_OK : no_memory(&x);
    if (status == BP_OK) {
        x.first[0] = 0;
        for (size_t i = 0; i < n; i++) x.first[i + 1] = x.first[i] + p->g->nodes[i].n_out;
        x.slots = bp__zalloc(s->ctx, sizeof(bp__slot) * (size_t)(x.first[n] + 1));
        status = x.slots ? bind_all(&x) : no_memory(&x);
    }
    bp__free(s->ctx, x.first);
    bp__free(s->ctx, x.slots);
    b->bound = status == BP_OK;
    b->arena = NULL;
    return status;
}

void bp__binding_free(bp_context *ctx, bp__binding *b) {
    bp__free(ctx, b->entries);
    bp__free(ctx, b->buffers);
    for (int64_t i = 0; i < b->n_nested; i++) bp_session_free(b->nested[i]);
    bp__free(ctx, b->nested);
    bp__pool_free(&b->pool);
    *b = (bp__binding){0};
}
