/* Running a scan: the body is a program with a session of its own, bound together with the node. A turn points the session's
   inputs at the carried values and at this turn's slices, runs, and copies what comes out. The final values' memory holds the
   carried values all the way. */
#include "graph/scan.h"
#include "op/make.h"

#include <string.h>

typedef struct scan_run { /* what a call sees as attrs */
    const bp__scan_attrs *a;
    bp_session *session;
    int64_t turns, turn; /* turn: what the body's input shows */
    int32_t turn_input;  /* numbers of the session's inputs; -1: the body's program does not read it */
    int32_t *carry, *x, *captured;
} scan_run;

bp_status bp__scan_compile(bp_program *p, bp__node *node) {
    bp__scan_attrs *a = node->attrs;
    int32_t n = a->n_carry + a->n_stacked;
    bp_value *outputs = bp__pool_alloc(&p->g->pool, sizeof *outputs * (size_t)(n + 1));
    if (!outputs) return bp__out_of_memory(p->ctx, 0);
    for (int32_t i = 0; i < n; i++) outputs[i] = bp__value(a->body, i < a->n_carry ? a->next[i] : a->out[i - a->n_carry]);
    if (BP__GROW(p->ctx, p->nested, p->n_nested, p->cap_nested) != BP_OK) return bp__out_of_memory(p->ctx, 0);
    BP_TRY(bp_program_new(&a->program, a->body, outputs, n, NULL));
    p->nested[p->n_nested++] = a->program;
    return BP_OK;
}

static int32_t input_of(const bp_session *s, const bp_graph *body, bp__ref r) {
    for (int64_t i = 0; i < s->n_inputs; i++)
        if (strcmp(s->inputs[i].name, body->nodes[r.node].name) == 0) return (int32_t)i;
    return -1;
}

static int32_t *inputs_of(bp__pool *pool, const bp_session *s, const bp_graph *body, const bp__ref *refs, int32_t n) {
    int32_t *list = bp__pool_alloc(pool, sizeof *list * (size_t)(n + 1));
    for (int32_t i = 0; i < n && list; i++) list[i] = input_of(s, body, refs[i]);
    return list;
}

/* Symbols are the same by name; the body may have made more of them. */
static void give_symbols(bp_session *inner, const bp_session *outer, const int64_t *symbols) {
    for (int64_t i = 0; i < inner->n_symbols; i++) {
        int at = bp__dim_symbol_find(outer->program->g->dims, bp__dim_symbol_name(inner->program->g->dims, (int)i));
        inner->symbols[i] = at >= 0 ? symbols[at] : -1;
    }
}

bp_status bp__scan_bind(bp_session *s, bp__binding *b, const bp__node *node, const void **attrs) {
    const bp__scan_attrs *a = node->attrs;
    scan_run *r = bp__pool_alloc(&b->pool, sizeof *r);
    if (!r || BP__GROW(s->ctx, b->nested, b->n_nested, b->cap_nested) != BP_OK) return bp__out_of_memory(s->ctx, 0);
    *r = (scan_run){.a = a, .turns = bp__dim_eval(s->program->g->dims, a->time, b->symbols)};
    if (r->turns < 0) return bp__fail(s->ctx, BP_SHAPE, "scan: the number of turns is negative or unknown for these inputs");
    BP_TRY(bp_session_new(&r->session, a->program, NULL));
    b->nested[b->n_nested++] = r->session;
    r->session->nested = true;
    give_symbols(r->session, s, b->symbols);
    r->turn_input = input_of(r->session, a->body, a->turn);
    r->carry = inputs_of(&b->pool, r->session, a->body, a->carry, a->n_carry);
    r->x = inputs_of(&b->pool, r->session, a->body, a->x, a->n_x);
    r->captured = inputs_of(&b->pool, r->session, a->body, a->captured, a->n_captured);
    if (!r->carry || !r->x || !r->captured) return bp__out_of_memory(s->ctx, 0);
    *attrs = r;
    return bp__session_prepare(r->session);
}

/* Turn t of a stacked tensor. */
static bp__tensor slice_of(const bp__scan_attrs *a, const bp__tensor *t, int64_t turn) {
    int32_t axis = (int32_t)bp__scan_axis(a, t->n_dims - 1);
    bp__tensor r = {.n_dims = t->n_dims - 1, .dtype = t->dtype};
    for (int32_t i = 0; i < r.n_dims; i++) {
        r.dim[i] = t->dim[i < axis ? i : i + 1];
        r.stride[i] = t->stride[i < axis ? i : i + 1];
    }
    if (t->data) r.data = bp__tensor_at(t, turn * t->stride[axis]);
    return r;
}

static size_t staged_bytes(const bp__tensor *slice) {
    return bp__tensor_is_dense(slice)
               ? 0
               : ((size_t)bp__tensor_count(slice) * bp_dtype_size((bp_dtype)slice->dtype) + 63) & ~(size_t)63;
}

size_t bp__scan_scratch(const bp__call *c, int n_threads) {
    const scan_run *r = c->attrs;
    size_t bytes = 0;
    (void)n_threads;
    for (int32_t i = 0; i < r->a->n_x; i++) {
        bp__tensor slice = slice_of(r->a, &c->in[r->a->n_carry + i], 0);
        if (r->x[i] >= 0) bytes += staged_bytes(&slice);
    }
    return bytes;
}

static void feed(const scan_run *r, int32_t input, const void *data) {
    if (input >= 0) r->session->inputs[input].data = data;
}

static void feed_slices(const scan_run *r, const bp__call *c, int64_t t) {
    unsigned char *at = c->env->scratch;
    for (int32_t i = 0; i < r->a->n_x; i++) {
        if (r->x[i] < 0) continue;
        bp__tensor slice = slice_of(r->a, &c->in[r->a->n_carry + i], t), dense = slice;
        size_t bytes = staged_bytes(&slice);
        if (bytes > 0) {
            dense.data = at;
            bp__tensor_make_dense(&dense);
            bp__copy(c->env, &dense, &slice);
            at += bytes;
        }
        feed(r, r->x[i], dense.data);
    }
}

/* Random numbers of a turn are those of a run whose seed is mixed with the turn's place on the time axis, so that a gradient,
   which computes the turn again, draws the same ones. */
static uint64_t mixed_seed(uint64_t seed, int64_t t) {
    uint64_t z = seed + ((uint64_t)t + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void copy_result(const scan_run *r, const bp__call *c, int32_t k, bp__tensor to) {
    const void *data;
    bp__tensor from = to;
    bp__tensor_make_dense(&from);
    if (bp_session_output(r->session, k, &data, NULL, NULL) != BP_OK) return;
    from.data = (void *)(uintptr_t)data;
    bp__copy(c->env, &to, &from);
}

static void take_turn(scan_run *r, const bp__call *c, int64_t t) {
    const bp__scan_attrs *a = r->a;
    r->turn = t;
    r->session->env.seed = mixed_seed(c->env->seed, t);
    for (int32_t j = 0; j < a->n_saved; j++) {
        bp__tensor to = slice_of(a, &c->out[a->n_carry + a->n_stacked + j], t);
        bp__copy(c->env, &to, &c->out[a->saved[j]]);
    }
    feed_slices(r, c, t);
    bp__session_turn(r->session);
    for (int32_t k = 0; k < a->n_carry; k++) copy_result(r, c, k, c->out[k]);
    for (int32_t j = 0; j < a->n_stacked; j++) copy_result(r, c, a->n_carry + j, slice_of(a, &c->out[a->n_carry + j], t));
}

void bp__scan_forward(const bp__call *c) {
    scan_run *r = (scan_run *)(uintptr_t)c->attrs;
    const bp__scan_attrs *a = r->a;
    r->session->env.step = c->env->step;
    r->session->env.first_row = c->env->first_row;
    r->session->env.failure = c->env->failure;
    for (int32_t k = 0; k < a->n_carry; k++) {
        bp__copy(c->env, &c->out[k], &c->in[k]);
        feed(r, r->carry[k], c->out[k].data);
    }
    for (int32_t i = 0; i < a->n_captured; i++) feed(r, r->captured[i], c->in[a->n_carry + a->n_x + i].data);
    feed(r, r->turn_input, &r->turn);
    for (int64_t i = 0; i < r->turns && c->env->failure->status == BP_OK; i++) take_turn(r, c, a->reverse ? r->turns - 1 - i : i);
}

double bp__scan_flops(const bp__call *c) {
    const scan_run *r = c->attrs;
    const bp__binding *b = r->session->current;
    double sum = 0;
    for (int64_t i = 0; i < b->n_entries; i++) {
        const bp__entry *e = &b->entries[i];
        sum += e->op->flops ? e->op->flops(&e->call) : (double)bp__tensor_count(&e->call.out[0]);
    }
    return sum * (double)r->turns;
}
