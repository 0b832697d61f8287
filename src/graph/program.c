/* The first half of compiling: copy what the entry points reach, run the passes. */
#include "graph/plan.h"

#include <string.h>

/* ---- Rewriting ----------------------------------------------------------------------------------------------------------- */

static bp_status no_memory(bp_program *p) { return bp__out_of_memory(p->ctx, 0); }

static bp_status new_map(bp__rewrite *w, const bp__node *nodes, int64_t n) {
    bp_program *p = w->p;
    w->map = bp__pool_alloc(&p->g->pool, sizeof *w->map * (size_t)(n + 1));
    if (!w->map) return no_memory(p);
    for (int64_t i = 0; i < n; i++) {
        w->map[i] = bp__pool_alloc(&p->g->pool, sizeof(bp__ref) * (size_t)nodes[i].n_out);
        if (!w->map[i]) return no_memory(p);
        for (int32_t k = 0; k < nodes[i].n_out; k++) w->map[i][k] = (bp__ref){-1, 0};
    }
    return BP_OK;
}

bp_status bp__rewrite_begin(bp__rewrite *w, bp_program *p) {
    *w = (bp__rewrite){.p = p, .old = p->g->nodes, .n_old = p->g->n_nodes};
    p->g->nodes = NULL;
    p->g->n_nodes = p->g->cap_nodes = 0;
    return new_map(w, w->old, w->n_old);
}

bp__ref bp__rewrite_ref(const bp__rewrite *w, bp__ref r) { return r.node < 0 ? r : w->map[r.node][r.output]; }

bp_status bp__rewrite_keep(bp__rewrite *w, int64_t old) {
    bp_graph *g = w->p->g;
    bp__node node = w->old[old];
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)(node.n_in + 1));
    if (!node.in) return no_memory(w->p);
    for (int32_t i = 0; i < node.n_in; i++) node.in[i] = bp__rewrite_ref(w, w->old[old].in[i]);
    BP_TRY(bp__graph_push(g, &node));
    for (int32_t k = 0; k < node.n_out; k++) w->map[old][k] = (bp__ref){(int32_t)(g->n_nodes - 1), k};
    return BP_OK;
}

bp_status bp__rewrite_end(bp__rewrite *w) {
    bp_program *p = w->p;
    for (int64_t i = 0; i < p->n_outputs; i++) p->outputs[i] = bp__rewrite_ref(w, p->outputs[i]);
    for (int64_t i = 0; i < p->n_assigns; i++) p->assigns[i].value = bp__rewrite_ref(w, p->assigns[i].value);
    p->ok = bp__rewrite_ref(w, p->ok);
    bp__free(p->ctx, w->old);
    w->old = NULL;
    return BP_OK;
}

void bp__rewrite_abandon(bp__rewrite *w) {
    bp__free(w->p->ctx, w->old);
    w->old = NULL;
}

bp_status bp__uses_count(const bp_program *p, bp__uses *u) {
    const bp_graph *g = p->g;
    *u = (bp__uses){0};
    u->first = bp__alloc(p->ctx, sizeof(int64_t) * (size_t)(g->n_nodes + 1));
    if (!u->first) return bp__out_of_memory(p->ctx, 0);
    u->first[0] = 0;
    for (int64_t i = 0; i < g->n_nodes; i++) u->first[i + 1] = u->first[i] + g->nodes[i].n_out;
    u->count = bp__zalloc(p->ctx, sizeof(int32_t) * (size_t)(u->first[g->n_nodes] + 1));
    if (!u->count) {
        bp__uses_free(p, u);
        return bp__out_of_memory(p->ctx, 0);
    }
#define USE(r) ((r).node >= 0 ? (void)u->count[u->first[(r).node] + (r).output]++ : (void)0)
    for (int64_t i = 0; i < g->n_nodes; i++)
        for (int32_t k = 0; k < g->nodes[i].n_in; k++) USE(g->nodes[i].in[k]);
    for (int64_t i = 0; i < p->n_outputs; i++) USE(p->outputs[i]);
    for (int64_t i = 0; i < p->n_assigns; i++) USE(p->assigns[i].value);
    USE(p->ok);
#undef USE
    return BP_OK;
}

void bp__uses_free(const bp_program *p, bp__uses *u) {
    bp__free(p->ctx, u->first);
    bp__free(p->ctx, u->count);
}

/* ---- Extraction: a copy of what the roots reach ------------------------------------------------------------------------- */

static void *copy_attrs(bp_program *p, const bp_graph *from, const bp__node *node) {
    const bp__op *op = node->op;
    if (op->attrs_copy) return op->attrs_copy(p->g, node->attrs);
    size_t size = op->attrs_size;
    if (op == &bp__op_constant) {
        size = bp__info_bytes(&node->out[0]);
    } else if (op == &bp__op_variable) {
        size = sizeof(int64_t);
    }
    void *copy = bp__pool_alloc(&p->g->pool, size);
    if (!copy || !node->attrs) return copy;
    memcpy(copy, node->attrs, size);
    for (int32_t i = 0; i < op->n_attrs; i++) {
        if (op->attrs[i].type != BP__ATTR_TEXT) continue;
        const char **text = (const char **)((char *)copy + op->attrs[i].offset);
        if (*text && !(*text = bp__pool_strdup(&p->g->pool, *text))) return NULL;
    }
    (void)from;
    return copy;
}

static bp_status extract(bp_program *p, const bp_graph *g) {
    bool *wanted = bp__zalloc(p->ctx, (size_t)g->n_nodes + 1);
    if (!wanted) return no_memory(p);
#define WANT(r) ((r).node >= 0 ? (void)(wanted[(r).node] = true) : (void)0)
    for (int64_t i = 0; i < p->n_outputs; i++) WANT(p->outputs[i]);
    for (int64_t i = 0; i < p->n_assigns; i++) WANT(p->assigns[i].value);
    WANT(p->ok);
    for (int64_t i = g->n_nodes - 1; i >= 0; i--)
        for (int32_t k = 0; wanted[i] && k < g->nodes[i].n_in; k++) WANT(g->nodes[i].in[k]);
#undef WANT
    bp__rewrite w = {.p = p, .old = NULL, .n_old = g->n_nodes};
    bp_status status = new_map(&w, g->nodes, g->n_nodes);
    for (int64_t i = 0; i < g->n_nodes && status == BP_OK; i++) {
        if (!wanted[i]) continue;
        bp__node node = g->nodes[i];
        node.attrs = copy_attrs(p, g, &node);
        node.name = node.name ? bp__pool_strdup(&p->g->pool, node.name) : NULL;
        node.in = bp__pool_alloc(&p->g->pool, sizeof(bp__ref) * (size_t)(node.n_in + 1));
        node.out = bp__pool_alloc(&p->g->pool, sizeof(bp__info) * (size_t)node.n_out);
        if (!node.attrs || !node.in || !node.out) {
            status = no_memory(p);
            break;
        }
        for (int32_t k = 0; k < node.n_in; k++) node.in[k] = bp__rewrite_ref(&w, g->nodes[i].in[k]);
        memcpy(node.out, g->nodes[i].out, sizeof(bp__info) * (size_t)node.n_out);
        status = bp__graph_push(p->g, &node);
        for (int32_t k = 0; k < node.n_out; k++) w.map[i][k] = (bp__ref){(int32_t)(p->g->n_nodes - 1), k};
    }
    for (int64_t i = 0; i < g->n_checks && status == BP_OK;
         i++) { /* checks of dropped nodes still hold for the shapes: keep all */
        if (BP__GROW(p->ctx, p->g->checks, p->g->n_checks, p->g->cap_checks) != BP_OK)
            status = no_memory(p);
        else
            p->g->checks[p->g->n_checks++] = (bp__dim_check){g->checks[i].a, g->checks[i].b, -1};
    }
    bp__free(p->ctx, wanted);
    return status == BP_OK ? bp__rewrite_end(&w) : status;
}

static bp__ref root_of(bp_value v) { return (bp__ref){v.node, v.output}; }

static bp_status run_passes(bp_program *p) {
    static const struct {
        bp__pass run;
    } passes[] = {
#define PASS(name, reorders, text) {bp__pass_##name},
#include "graph/passes/passes.def"
#undef PASS
    };
    p->commit_from = p->g->n_nodes;
    for (int64_t i = 0; i < BP__COUNT(passes); i++)
        if (bp__context_passes(p->ctx) && (!p->plain || passes[i].run == bp__pass_layout)) {
            BP_TRY(passes[i].run(p));
            if (p->g->status != BP_OK) return p->g->status;
        }
    if (!bp__context_passes(p->ctx) || p->plain) p->commit_from = p->g->n_nodes;
    return BP_OK;
}

/* Does the program assign this variable? */
static bool assigns(const bp_program_options *o, const bp__variable *v) {
    if (v->assigned.node < 0) return false;
    for (int i = 0; i < o->n_variables; i++)
        if (o->variables[i].node == v->value.node) return true;
    return !o->variables;
}

bp_status bp_program_new(bp_program **out, bp_graph *g, const bp_value *outputs, int n, const bp_program_options *options) {
    bp_context *ctx = g->ctx;
    *out = NULL;
    if (g->status != BP_OK) return g->status;
    if (options && options->size < sizeof *options)
        return bp__fail(ctx, BP_INVALID, "bp_program_options.size is %zu, not sizeof(bp_program_options)", options->size);
    bool commit = options && options->commit;
    for (int i = 0; i < n; i++)
        if (outputs[i].graph != g || outputs[i].node < 0)
            return bp__fail(ctx, BP_INVALID, "program: output %d is not a value of this graph", i);
    bp_program *p = bp__zalloc(ctx, sizeof *p);
    if (!p) return bp__out_of_memory(ctx, sizeof *p);
    p->ctx = ctx;
    p->source = g;
    p->g = bp__graph_copy_empty(g);
    p->n_outputs = n;
    p->plain = options && options->plain;
    p->ok = (bp__ref){-1, 0};
    p->outputs = bp__alloc(ctx, sizeof(bp__ref) * (size_t)(n + 1));
    p->assigns = bp__alloc(ctx, sizeof(bp__root) * (size_t)(g->n_variables + 1));
    bp_status status = p->g && p->outputs && p->assigns ? BP_OK : bp__out_of_memory(ctx, 0);
    if (status == BP_OK) {
        for (int i = 0; i < n; i++) p->outputs[i] = root_of(outputs[i]);
        for (int64_t i = 0; i < g->n_variables && commit; i++)
            if (assigns(options, &g->variables[i])) p->assigns[p->n_assigns++] = (bp__root){i, g->variables[i].assigned};
        if (options && options->ok.graph) p->ok = root_of(options->ok);
        status = extract(p, g);
    }
    if (status == BP_OK) status = bp__scan_trim(p);
    if (status == BP_OK) status = run_passes(p);
    for (int64_t i = 0; status == BP_OK && i < p->g->n_nodes; i++)
        if (p->g->nodes[i].op->compile) status = p->g->nodes[i].op->compile(p, &p->g->nodes[i]);
    if (status != BP_OK) {
        bp_program_free(p);
        return status;
    }
    *out = p;
    return BP_OK;
}

void bp_program_free(bp_program *p) {
    if (!p) return;
    for (int64_t i = 0; i < p->n_nested; i++) bp_program_free(p->nested[i]);
    bp__free(p->ctx, p->nested);
    bp_graph_free(p->g);
    bp__free(p->ctx, p->outputs);
    bp__free(p->ctx, p->assigns);
    bp__free(p->ctx, p);
}
