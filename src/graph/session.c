/* Running: sizes from the inputs, a binding for them (kept for the next time), then one kernel call after the other. */
#include "core/cpu.h"
#include "graph/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bp_status bp_session_new(bp_session **out, bp_program *p, bp_state *state) {
    bp_context *ctx = p->ctx;
    *out = NULL;
    bp_session *s = bp__zalloc(ctx, sizeof *s);
    if (!s) return bp__out_of_memory(ctx, sizeof *s);
    *s = (bp_session){.ctx = ctx, .program = p, .state = state, .dirty = true, .n_symbols = bp__dim_symbol_count(p->g->dims)};
    s->env = (bp__env){.isa = bp__isa_find(bp_context_isa(ctx)), .team = bp__context_team(ctx), .seed = bp__context_seed(ctx)};
    if (p->g->bfloat16) s->env.pairs = bp__gemm_pairs(s->env.isa);
    s->env.failure = &s->failure;
    for (int64_t i = 0; i < p->g->n_nodes; i++) s->n_inputs += p->g->nodes[i].op == &bp__op_input;
    s->inputs = bp__zalloc(ctx, sizeof(bp__input) * (size_t)(s->n_inputs + 1));
    s->symbols = bp__zalloc(ctx, sizeof(int64_t) * (size_t)(s->n_symbols + 1));
    if (!s->inputs || !s->symbols) {
        bp_session_free(s);
        return bp__out_of_memory(ctx, 0);
    }
    int64_t n = 0;
    for (int64_t i = 0; i < p->g->n_nodes; i++) {
        const bp__node *node = &p->g->nodes[i];
        if (node->op != &bp__op_input) continue;
        s->inputs[n] = (bp__input){.name = node->name, .node = (int32_t)i, .dims = node->out[0].dims};
        n++;
    }
    *out = s;
    return BP_OK;
}

int bp_context_bfloat16(const bp_context *ctx) { return bp__gemm_pairs_native(bp__isa_find(bp_context_isa(ctx))); }

void bp_session_free(bp_session *s) {
    if (!s) return;
    for (int i = 0; i < BP__BINDINGS; i++) bp__binding_free(s->ctx, &s->bindings[i]);
    bp__free(s->ctx, s->arena);
    bp__free(s->ctx, s->inputs);
    bp__free(s->ctx, s->symbols);
    bp__free(s->ctx, s);
}

void bp_session_set_step(bp_session *s, uint64_t seed, uint32_t step, int64_t first_row) {
    s->env.seed = seed;
    s->env.step = step;
    s->env.first_row = first_row;
}

bp_status bp_session_set(bp_session *s, const char *input, const void *data, const bp_dims *dims) {
    bp__input *in = NULL;
    for (int64_t i = 0; i < s->n_inputs && !in; i++)
        if (s->inputs[i].name == input || strcmp(s->inputs[i].name, input) == 0) in = &s->inputs[i];
    if (!in) return BP_OK; /* dropped as unused while compiling, or not part of this program: nothing to feed */
    in->data = data;
    in->set = true;
    if (!dims) return BP_OK;
    const bp_dims *declared = &s->program->g->nodes[in->node].out[0].dims;
    bool fits = dims->n == declared->n;
    for (int64_t i = 0; i < dims->n && fits; i++)
        fits = dims->dim[i] >= 0 && (declared->dim[i] < 0 || declared->dim[i] == dims->dim[i]);
    if (!fits) {
        char a[200], b[200];
        return bp__fail(s->ctx, BP_SHAPE, "input \"%s\" is declared %s, but %s was given", input,
                        bp__dims_text(s->program->g->dims, declared, a, sizeof a),
                        bp__dims_text(s->program->g->dims, dims, b, sizeof b));
    }
    for (int64_t i = 0; i < dims->n; i++) s->dirty |= in->dims.dim[i] != dims->dim[i];
    in->dims = *dims;
    return BP_OK;
}

/* Symbols take their values from the inputs whose dimension is the bare symbol; all others are checked. */
static bp_status solve_symbols(bp_session *s) {
    const bp_graph *g = s->program->g;
    for (int64_t i = 0; i < s->n_symbols; i++) s->symbols[i] = -1;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        const bp__input *in = &s->inputs[i];
        const bp_dims *declared = &g->nodes[in->node].out[0].dims;
        for (int64_t k = 0; k < declared->n; k++) {
            int symbol = bp__dim_symbol_index(g->dims, declared->dim[k]);
            if (symbol < 0) continue;
            if (in->dims.dim[k] < 0)
                return bp__fail(s->ctx, BP_INVALID, "input \"%s\" has a size that depends on the run: give its dimensions",
                                in->name);
            char text[100];
            if (s->symbols[symbol] >= 0 && s->symbols[symbol] != in->dims.dim[k])
                return bp__fail(s->ctx, BP_SHAPE, "input \"%s\": %s is %lld here and %lld in another input", in->name,
                                bp__dim_text(g->dims, declared->dim[k], text, sizeof text), (long long)in->dims.dim[k],
                                (long long)s->symbols[symbol]);
            s->symbols[symbol] = in->dims.dim[k];
        }
    }
    for (int64_t i = 0; i < s->n_inputs; i++) {
        const bp__input *in = &s->inputs[i];
        const bp_dims *declared = &g->nodes[in->node].out[0].dims;
        char text[100];
        for (int64_t k = 0; k < declared->n; k++)
            if (declared->dim[k] < 0 && bp__dim_eval(g->dims, declared->dim[k], s->symbols) != in->dims.dim[k])
                return bp__fail(s->ctx, BP_SHAPE, "input \"%s\": dimension %lld is %lld, but %s is %lld", in->name, (long long)k,
                                (long long)in->dims.dim[k], bp__dim_text(g->dims, declared->dim[k], text, sizeof text),
                                (long long)bp__dim_eval(g->dims, declared->dim[k], s->symbols));
    }
    return BP_OK;
}

static bp_status find_binding(bp_session *s) {
    if (!s->nested) BP_TRY(solve_symbols(s));
    bp__binding *oldest = &s->bindings[0];
    for (int i = 0; i < BP__BINDINGS; i++) {
        bp__binding *b = &s->bindings[i];
        if (b->bound && memcmp(b->symbols, s->symbols, sizeof(int64_t) * (size_t)s->n_symbols) == 0) {
            s->current = b;
            return BP_OK;
        }
        if (!b->bound || (oldest->bound && b->used < oldest->used)) oldest = oldest->bound ? b : oldest;
    }
    s->current = NULL;
    bp__binding_free(s->ctx, oldest);
    bp__pool_init(&oldest->pool, s->ctx);
    oldest->symbols = bp__pool_alloc(&oldest->pool, sizeof(int64_t) * (size_t)(s->n_symbols + 1));
    if (!oldest->symbols) return bp__out_of_memory(s->ctx, 0);
    memcpy(oldest->symbols, s->symbols, sizeof(int64_t) * (size_t)s->n_symbols);
    bp_status status = bp__bind(s, oldest);
    if (status != BP_OK) {
        bp__binding_free(s->ctx, oldest);
        return status;
    }
    s->current = oldest;
    return BP_OK;
}

static void *address(const bp_session *s, const bp__slot *slot) {
    unsigned char *base = NULL;
    switch (slot->space) {
    case BP__SPACE_ARENA: base = s->arena + s->current->buffers[slot->index].offset; break;
    case BP__SPACE_STATE: base = s->state->block + s->state->places[slot->index].offset; break;
    case BP__SPACE_INPUT: base = (unsigned char *)(uintptr_t)s->inputs[slot->index].data; break;
    default: base = (unsigned char *)(uintptr_t)slot->constant; break;
    }
    return base ? base + slot->offset : NULL;
}

static bp_status resolve(bp_session *s) {
    bp__binding *b = s->current;
    size_t need = ((b->arena_bytes + 63) & ~(size_t)63) + b->scratch_bytes + 64;
    if (need > s->arena_bytes) {
        bp__free(s->ctx, s->arena);
        s->arena_bytes = 0;
        s->arena = bp__alloc(s->ctx, need);
        if (!s->arena) return bp__out_of_memory(s->ctx, need);
        s->arena_bytes = need;
        for (int i = 0; i < BP__BINDINGS; i++) s->bindings[i].arena = NULL;
    }
    bool moved = b->arena != s->arena;
    for (int64_t i = 0; i < b->n_entries; i++) {
        bp__entry *e = &b->entries[i];
        bp__tensor *t = (bp__tensor *)(uintptr_t)e->call.in;
        for (int32_t k = 0; k < e->call.n_in + e->call.n_out; k++)
            if (moved || e->slots[k].space == BP__SPACE_INPUT) t[k].data = address(s, &e->slots[k]);
    }
    b->arena = s->arena;
    s->env.scratch = s->arena + ((b->arena_bytes + 63) & ~(size_t)63);
    s->env.scratch_bytes = b->scratch_bytes;
    return BP_OK;
}

bp_status bp__session_prepare(bp_session *s) {
    BP_TRY(find_binding(s));
    return resolve(s);
}

static bool failed(const bp_session *s) { return s->env.failure->status != BP_OK; }

void bp__session_turn(bp_session *s) {
    const bp__binding *b = s->current;
    for (int64_t i = 0; i < b->n_entries && !failed(s); i++) {
        const bp__entry *e = &b->entries[i];
        bp__tensor *t = (bp__tensor *)(uintptr_t)e->call.in;
        for (int32_t k = 0; k < e->call.n_in; k++)
            if (e->slots[k].space == BP__SPACE_INPUT) t[k].data = address(s, &e->slots[k]);
        e->run(&e->call);
    }
}

static bool is_true(const void *p, bp_dtype type) {
    switch (type) {
    case BP_F32: return *(const float *)p != 0;
    case BP_F64: return *(const double *)p != 0;
    case BP_I32: return *(const int32_t *)p != 0;
    case BP_I64: return *(const int64_t *)p != 0;
    default: return *(const uint8_t *)p != 0;
    }
}

static bp_status get_ready(bp_session *s) {
    for (int64_t i = 0; i < s->n_inputs; i++)
        if (!s->inputs[i].set)
            return bp__fail(s->ctx, BP_INVALID, "input \"%s\" has no data: call bp_session_set first", s->inputs[i].name);
    if (s->dirty || !s->current) BP_TRY(find_binding(s));
    s->dirty = false;
    BP_TRY(resolve(s));
    s->current->used = ++s->clock;
    s->failure.status = BP_OK;
    return BP_OK;
}

bp_status bp_session_run(bp_session *s) {
    BP_TRY(get_ready(s));
    bp__binding *b = s->current;
    bp__fpenv fp = bp__fpenv_enter();
    for (int64_t i = 0; i < b->commit_from && !failed(s); i++) b->entries[i].run(&b->entries[i].call);
    s->committed = !failed(s) && (s->program->ok.node < 0 || is_true(address(s, &b->ok), (bp_dtype)b->ok.t.dtype));
    if (s->committed)
        for (int64_t i = b->commit_from; i < b->n_entries; i++) b->entries[i].run(&b->entries[i].call);
    bp__fpenv_leave(fp);
    return failed(s) ? bp__fail(s->ctx, s->failure.status, "%s", s->failure.sentence) : BP_OK;
}

/* Elements as stored, pads too: they are zero. */
static bool all_finite(const bp__tensor *t, int64_t axis, const unsigned char *at) {
    if (axis < t->n_dims) {
        for (int64_t i = 0; i < t->dim[axis]; i++)
            if (!all_finite(t, axis + 1, at + (size_t)(i * t->stride[axis]) * bp_dtype_size((bp_dtype)t->dtype))) return false;
        return true;
    }
    return t->dtype == BP_F64 ? isfinite(*(const double *)(const void *)at) : isfinite(*(const float *)(const void *)at);
}
static bool is_finite(const bp__tensor *t) {
    if ((t->dtype != BP_F32 && t->dtype != BP_F64) || !t->data || t->panels) return true;
    for (int32_t k = 0; k < t->n_dims; k++)
        if (t->dim[k] == 0) return true;
    return all_finite(t, 0, t->data);
}

bp_status bp__session_first_bad(bp_session *s, const char **operation, const char **layer) {
    *operation = *layer = NULL;
    BP_TRY(get_ready(s));
    bp__binding *b = s->current;
    bp__fpenv fp = bp__fpenv_enter();
    for (int64_t i = 0; i < b->commit_from && !*operation; i++) {
        const bp__entry *e = &b->entries[i];
        bool bad = false;
        e->run(&e->call);
        for (int32_t k = 0; k < e->call.n_out; k++) bad |= !is_finite(&e->call.out[k]);
        if (!bad) continue;
        *operation = e->op->name;
        *layer = e->name;
    }
    bp__fpenv_leave(fp);
    return BP_OK;
}

bp_status bp_session_output(bp_session *s, int k, const void **data, bp_dtype *dtype, bp_dims *dims) {
    if (!s->current || k < 0 || k >= s->program->n_outputs)
        return bp__fail(s->ctx, BP_INVALID, "there is no output %d, or the session has not run yet", k);
    const bp__slot *slot = &s->current->outputs[k];
    *data = address(s, slot);
    if (dtype) *dtype = (bp_dtype)slot->t.dtype;
    if (dims) {
        *dims = (bp_dims){.n = slot->t.n_dims};
        for (int32_t i = 0; i < slot->t.n_dims; i++) dims->dim[i] = slot->t.dim[i];
    }
    return BP_OK;
}

int bp_session_committed(const bp_session *s) { return s->committed; }
size_t bp_session_arena_bytes(const bp_session *s) { return s->arena_bytes; }

static void describe_tensor(bp__buffer *out, const bp__slot *slot) {
    static const char *const where[] = {"", " state", " input", " const"};
    bp__buffer_printf(out, "%s[", bp_dtype_name((bp_dtype)slot->t.dtype));
    for (int32_t i = 0; i < slot->t.n_dims; i++) bp__buffer_printf(out, i ? ",%lld" : "%lld", (long long)slot->t.dim[i]);
    bp__buffer_printf(out, "]%s%s", slot->t.panels ? " panels" : "", where[slot->space]);
}

static double tensor_bytes(const bp__slot *slot) {
    double n = (double)bp_dtype_size((bp_dtype)slot->t.dtype);
    for (int32_t i = 0; i < slot->t.n_dims; i++)
        if (slot->t.stride[i] != 0) n *= (double)slot->t.dim[i];
    return n;
}

static void describe_program(bp__buffer *out, const bp__ew_program *p) {
    bp__buffer_text(out, " {");
    for (int32_t i = 0; i < p->n_instr; i++) bp__buffer_printf(out, i ? " %s" : "%s", bp__ew_name(p->instr[i].op));
    bp__buffer_text(out, p->compiled ? "} compiled" : "}");
}

bp_status bp_session_describe(bp_session *s, char **text) {
    *text = NULL;
    if (!s->current) return bp__fail(s->ctx, BP_INVALID, "the session has not run yet: its sizes are not known");
    const bp__binding *b = s->current;
    bp__buffer out;
    bp__buffer_init(&out, s->ctx);
    double flops = 0, bytes = 0;
    bp__buffer_printf(&out, "%4s %-22s %12s %12s  %s\n", "#", "kernel", "FLOPs", "bytes", "inputs -> outputs");
    for (int64_t i = 0; i < b->n_entries; i++) {
        const bp__entry *e = &b->entries[i];
        double f = e->op->flops ? e->op->flops(&e->call) : (double)bp__tensor_count(&e->call.out[0]), m = 0;
        for (int32_t k = 0; k < e->call.n_in + e->call.n_out; k++) m += tensor_bytes(&e->slots[k]);
        flops += f;
        bytes += m;
        if (i == b->commit_from) bp__buffer_text(&out, "     -- commit: only when the step is good --\n");
        bp__buffer_printf(&out, "%4lld %-22s %12.0f %12.0f  ", (long long)i, e->op->name, f, m);
        for (int32_t k = 0; k < e->call.n_in + e->call.n_out; k++) {
            if (e->slots[k].space == BP__SPACE_CONSTANT && !e->slots[k].constant) continue;
            if (k == 6 && e->call.n_in > 8) {
                bp__buffer_printf(&out, ", … (%d)", (int)(e->call.n_in + e->call.n_out));
                break;
            }
            bp__buffer_text(&out, k == e->call.n_in ? " -> " : k ? ", " : "");
            describe_tensor(&out, &e->slots[k]);
        }
        if (e->op == &bp__op_fused) describe_program(&out, &((const bp__fused_attrs *)e->call.attrs)->program);
        if (e->op == &bp__op_condensed) describe_program(&out, bp__condensed_program(e->call.attrs));
        if (e->op == &bp__op_gemm) {
            const bp__gemm_attrs *a = e->call.attrs;
            if (e->call.in[2].n_dims) bp__buffer_text(&out, " +bias");
            if (a->activation >= 0) bp__buffer_printf(&out, " +%s", bp__ew_name(a->activation));
            if (e->call.in[3].n_dims) bp__buffer_text(&out, " +mask");
        }
        if (e->name) bp__buffer_printf(&out, "  (%s)", e->name);
        bp__buffer_text(&out, "\n");
    }
    bp__buffer_printf(
        &out, "     %lld kernels, %.0f FLOPs, %.0f bytes moved; arena %zu bytes, scratch %zu bytes, state %zu bytes\n",
        (long long)b->n_entries, flops, bytes, b->arena_bytes, b->scratch_bytes, s->state ? s->state->bytes : (size_t)0);
    return bp__buffer_take(&out, text);
}
