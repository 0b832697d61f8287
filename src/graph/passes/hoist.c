/* What depends on no carried value leaves the loop of a scan: once for all turns, with the time axis as one more axis, or once
   for the whole run. x Wᵀ becomes one product over (row, turn); in a gradient, where the carried values before each turn are
   known, so does everything that computes a turn again. Views stay inside: they cost nothing there. Same numbers, the same bits.
 */
#include "graph/scan.h"
#include "op/build.h"

#include <stdio.h>
#include <string.h>

enum kind { STAYS, CONSTANT, FIXED, TURNS }; /* what a value of the body depends on: a carried value, nothing, captured ones, x */

typedef struct hoister {
    bp__rewrite *w;
    const bp__node *node; /* the scan, its inputs mapped already */
    const bp__scan_attrs *a;
    bp_graph *body;
    uint8_t *kind;          /* [body nodes] */
    bool *inside, *outside; /* [body nodes]: needed in the body, needed as an outer value */
    bool *border;           /* [body nodes]: made outside and read inside */
    bp_value *outer;        /* [body nodes]: TURNS: of all turns */
} hoister;

static bool is(const bp__node *node, enum bp__op_id id) { return node->op == bp__op_id(id); }

/* ---- What can leave ---- */

static int64_t rank(const hoister *h, bp__ref r) { return bp__ref_info(h->body, r)->dims.n; }
static uint8_t kind_of(const hoister *h, bp__ref r) { return r.node < 0 ? CONSTANT : h->kind[r.node]; }

/* Numbers may be dimensions too (slice's length): only those that mean the same outside. */
static bool plain_attrs(const bp__node *node) {
    for (int32_t i = 0; i < node->op->n_attrs; i++) {
        const bp__attr *attr = &node->op->attrs[i];
        bool step = (is(node, BP__OP_ID_slice) || is(node, BP__OP_ID_unslice)) && strcmp(attr->name, "step") == 0;
        if (attr->type != BP__ATTR_I64 || step) continue;
        int64_t number = *(const int64_t *)((const char *)node->attrs + attr->offset);
        if (number < -1 && number != BP_UNSET) return false;
    }
    return true;
}

static bool sum_fits(const hoister *h, const bp__node *node) {
    const struct bp__sum_attrs *s = node->attrs;
    int64_t n = rank(h, node->in[0]), time = bp__scan_axis(h->a, n), before = time;
    for (int64_t i = 0; i < s->axes.n && !s->keepdim; i++) before -= s->axes.dim[i] < time;
    return before == bp__scan_axis(h->a, node->out[0].dims.n);
}

/* Can the node be computed for all turns at once, with the same bits? */
static bool vectorises(const hoister *h, const bp__node *node) {
    int64_t n = node->out[0].dims.n, in = rank(h, node->in[0]);
    bool same_axis = bp__scan_axis(h->a, in) == bp__scan_axis(h->a, n);
    if (n + 1 > BP_MAX_DIMS || in + 1 > BP_MAX_DIMS) return false;
    if (node->op->ew_op >= 0) {
        for (int32_t k = 0; k < node->n_in; k++)
            if (node->in[k].node < 0 || (kind_of(h, node->in[k]) == TURNS && rank(h, node->in[k]) != n)) return false;
        return true;
    }
    if (is(node, BP__OP_ID_cast) || is(node, BP__OP_ID_stop_gradient) || is(node, BP__OP_ID_permute)) return true;
    if (is(node, BP__OP_ID_slice)) return ((const struct bp__slice_attrs *)node->attrs)->length >= 0;
    if (is(node, BP__OP_ID_broadcast_to)) return in == n;
    if (is(node, BP__OP_ID_reshape))
        return same_axis &&
               (bp__scan_axis(h->a, n) == 0 || bp__ref_info(h->body, node->in[0])->dims.dim[0] == node->out[0].dims.dim[0]);
    if (is(node, BP__OP_ID_sum)) return sum_fits(h, node);
    if (is(node, BP__OP_ID_matmul)) return in >= 2 && rank(h, node->in[1]) == 2 && kind_of(h, node->in[1]) != TURNS;
    if (is(node, BP__OP_ID_embedding))
        return kind_of(h, node->in[0]) != TURNS && bp__scan_axis(h->a, rank(h, node->in[1])) == bp__scan_axis(h->a, n);
    return false;
}

static uint8_t classify(const hoister *h, const bp__node *node) {
    if (node->op == &bp__op_constant) return CONSTANT;
    if ((node->op->flags & (BP__OP_LEAF | BP__OP_RANDOM)) || node->op->attrs_copy || node->n_out != 1 || node->n_in == 0 ||
        !plain_attrs(node))
        return STAYS;
    uint8_t most = CONSTANT;
    for (int32_t k = 0; k < node->n_in; k++) {
        uint8_t kind = kind_of(h, node->in[k]);
        if (kind == STAYS) return STAYS;
        most = BP__MAX(most, kind);
    }
    return most == TURNS && !vectorises(h, node) ? STAYS : most;
}

static void mark(bool *list, const bp__node *node) {
    for (int32_t k = 0; k < node->n_in; k++)
        if (node->in[k].node >= 0) list[node->in[k].node] = true;
}

/* Fills kind, inside, outside, border. Returns whether anything leaves. */
static bool plan(hoister *h) {
    const bp__scan_attrs *a = h->a;
    bool any = false;
    for (int32_t i = 0; i < a->n_x; i++) h->kind[a->x[i].node] = TURNS;
    for (int32_t i = 0; i < a->n_captured; i++) h->kind[a->captured[i].node] = FIXED;
    for (int64_t i = 0; i < h->body->n_nodes; i++)
        if (h->body->nodes[i].op != &bp__op_input) h->kind[i] = classify(h, &h->body->nodes[i]);
    for (int32_t k = 0; k < a->n_carry; k++) h->inside[a->next[k].node] = true;
    for (int32_t j = 0; j < a->n_stacked; j++) {
        bool leaves = h->kind[a->out[j].node] == TURNS;
        any |= leaves;
        (leaves ? h->outside : h->inside)[a->out[j].node] = true;
    }
    for (int64_t i = h->body->n_nodes - 1; i >= 0; i--) {
        const bp__node *node = &h->body->nodes[i];
        if (h->inside[i] && node->n_in > 0) {
            h->border[i] = (h->kind[i] == FIXED || h->kind[i] == TURNS) && !node->op->view;
            if (h->border[i])
                h->outside[i] = any = true;
            else
                mark(h->inside, node);
        }
        if (h->outside[i]) mark(h->outside, node);
    }
    return any;
}

/* ---- Building outside ---- */

static bp_value add(const hoister *h, const bp__node *node, const void *attrs, const bp_value *in) {
    return bp__graph_add(h->w->p->g, node->op, attrs, in, node->n_in);
}

/* The attributes with dimensions of the outer graph. */
static void *outer_attrs(const hoister *h, const bp__node *node) {
    bp_graph *g = h->w->p->g;
    void *copy = bp__pool_alloc(&g->pool, node->op->attrs_size);
    if (!copy || node->op->attrs_size == 0) return copy;
    memcpy(copy, node->attrs, node->op->attrs_size);
    for (int32_t i = 0; i < node->op->n_attrs; i++) {
        bp_dims *d = (bp_dims *)(void *)((char *)copy + node->op->attrs[i].offset);
        if (node->op->attrs[i].type == BP__ATTR_DIMS) *d = bp__dims_translate(g->dims, h->body->dims, d);
    }
    return copy;
}

static bp_value all_rows(const hoister *h, bp_value x, bp_value w) { /* x [d0, time, …, k] w [k, n] as one product of matrices */
    bp_dims d = bp_value_dims(x), two = {.n = 2, .dim = {1, d.dim[d.n - 1]}};
    for (int64_t i = 0; i + 1 < d.n; i++) two.dim[0] = bp__dim_mul(h->w->p->g->dims, two.dim[0], d.dim[i]);
    d.dim[d.n - 1] = bp_value_dims(w).dim[1];
    return bp_reshape(bp_matmul(bp_reshape(x, two), w), d);
}

static bp_value for_all_turns(const hoister *h, const bp__node *node, void *attrs, bp_value *in) {
    int64_t n = node->out[0].dims.n, time = bp__scan_axis(h->a, rank(h, node->in[0]));
    if (node->op->ew_op >= 0) {
        time = bp__scan_axis(h->a, n);
        for (int32_t k = 0; k < node->n_in; k++)
            if (kind_of(h, node->in[k]) != TURNS && time > 0 && rank(h, node->in[k]) == n) in[k] = bp__unsqueeze(in[k], time);
    } else if (is(node, BP__OP_ID_matmul)) {
        return all_rows(h, in[0], in[1]);
    } else if (is(node, BP__OP_ID_permute)) {
        bp_dims *axes = &((struct bp__permute_attrs *)attrs)->axes, old = *axes;
        axes->n = old.n + 1;
        for (int64_t j = 0; j < axes->n; j++) {
            int64_t from = j == time ? time : old.dim[j < time ? j : j - 1];
            axes->dim[j] = j == time || from < time ? from : from + 1;
        }
    } else if (is(node, BP__OP_ID_slice)) {
        struct bp__slice_attrs *s = attrs;
        if (s->axis >= time) s->axis++;
    } else if (is(node, BP__OP_ID_sum)) {
        bp_dims *axes = &((struct bp__sum_attrs *)attrs)->axes;
        if (axes->n == 0) return in[0]; /* nothing is summed */
        for (int64_t i = 0; i < axes->n; i++)
            if (axes->dim[i] >= time) axes->dim[i]++;
    } else if (is(node, BP__OP_ID_reshape) || is(node, BP__OP_ID_broadcast_to)) {
        bp_dims shape = bp__dims_translate(h->w->p->g->dims, h->body->dims, &node->out[0].dims);
        shape = bp__scan_stacked_dims(h->a, &shape);
        return is(node, BP__OP_ID_reshape) ? bp_reshape(in[0], shape) : bp_broadcast_to(in[0], shape);
    }
    return add(h, node, attrs, in);
}

static bp_status emit(hoister *h, int64_t i) {
    bp_graph *g = h->w->p->g;
    const bp__node *node = &h->body->nodes[i];
    if (node->op == &bp__op_constant) {
        h->outer[i] = bp_constant(g, node->out[0].dtype, node->out[0].dims, node->attrs);
    } else if (node->n_in > 0) {
        bp_value *in = bp__pool_alloc(&g->pool, sizeof *in * (size_t)node->n_in);
        void *attrs = outer_attrs(h, node);
        if (!in || !attrs) return bp__out_of_memory(g->ctx, 0);
        for (int32_t k = 0; k < node->n_in; k++) in[k] = node->in[k].node < 0 ? BP_NONE : h->outer[node->in[k].node];
        const char *scope = g->scope;
        g->scope = node->name ? node->name : h->node->name;
        h->outer[i] = h->kind[i] == TURNS ? for_all_turns(h, node, attrs, in) : add(h, node, attrs, in);
        g->scope = scope;
    }
    return g->status;
}

static bp_value outer_input(const hoister *h, int32_t k) {
    return (bp_value){h->w->p->g, h->node->in[k].node, h->node->in[k].output};
}

/* The new body: nodes at the border have become inputs. */
static bp_status rebuild(hoister *h, int64_t old, bp_graph *body) {
    bp_graph *g = h->w->p->g;
    const bp__scan_attrs *a = h->a;
    size_t most = (size_t)(a->n_carry + a->n_x + a->n_captured + body->n_nodes + 1);
    bp__scan_attrs n = *a;
    n.body = body;
    n.n_x = n.n_captured = n.n_stacked = 0;
    n.x = bp__pool_alloc(&g->pool, sizeof(bp__ref) * most);
    n.captured = bp__pool_alloc(&g->pool, sizeof(bp__ref) * most);
    n.out = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)(a->n_stacked + 1));
    bp_value *in = bp__pool_alloc(&g->pool, sizeof *in * most), *captured = bp__pool_alloc(&g->pool, sizeof *in * most);
    bp__ref *roots = bp__pool_alloc(&g->pool, sizeof *roots * (size_t)(a->n_carry + a->n_stacked + 1));
    if (!n.x || !n.captured || !n.out || !in || !captured || !roots) return bp__out_of_memory(g->ctx, 0);
    for (int64_t i = 0; i < body->n_nodes; i++) {
        if (!h->border[i]) continue;
        char name[32];
        snprintf(name, sizeof name, "v%lld", (long long)i);
        body->nodes[i] =
            (bp__node){.op = &bp__op_input, .n_out = 1, .out = body->nodes[i].out, .name = bp__pool_strdup(&body->pool, name)};
        if (!body->nodes[i].name) return bp__out_of_memory(g->ctx, 0);
    }
    int32_t n_roots = 0;
    for (int32_t k = 0; k < a->n_carry; k++) roots[n_roots++] = a->next[k];
    for (int32_t j = 0; j < a->n_stacked; j++)
        if (h->kind[a->out[j].node] != TURNS) roots[n_roots++] = n.out[n.n_stacked++] = a->out[j];
    const bool *reached = bp__scan_reach(&g->pool, body, roots, n_roots);
    if (!reached) return bp__out_of_memory(g->ctx, 0);
    for (int32_t k = 0; k < a->n_carry; k++) in[k] = outer_input(h, k);
    for (int64_t i = 0; i < body->n_nodes; i++) { /* in order of nodes: inputs of the old body and those made just now */
        if (!reached[i] || body->nodes[i].op != &bp__op_input || h->kind[i] == STAYS) continue;
        if (h->kind[i] == TURNS) {
            in[a->n_carry + n.n_x] = h->outer[i];
            n.x[n.n_x++] = (bp__ref){(int32_t)i, 0};
        } else {
            captured[n.n_captured] = h->outer[i];
            n.captured[n.n_captured++] = (bp__ref){(int32_t)i, 0};
        }
    }
    memcpy(in + a->n_carry + n.n_x, captured, sizeof *in * (size_t)n.n_captured);
    const char *scope = g->scope;
    g->scope = h->node->name;
    bp_value first = bp__scan_add(g, &n, in);
    g->scope = scope;
    if (bp_is_bad(first)) return g->status;
    int32_t at = 0, n_out = a->n_carry + a->n_stacked + a->n_saved;
    for (int32_t k = 0; k < n_out; k++) {
        int32_t j = k - a->n_carry;
        bool left = j >= 0 && j < a->n_stacked && h->kind[a->out[j].node] == TURNS;
        bp_value v = left ? h->outer[a->out[j].node] : bp__output(first, at++);
        h->w->map[old][k] = (bp__ref){v.node, v.output};
    }
    return BP_OK;
}

static bp_status hoist(bp__rewrite *w, int64_t old) {
    bp_program *p = w->p;
    bp__pool *pool = &p->g->pool;
    bp__node node = w->old[old];
    const bp__scan_attrs *a = node.attrs;
    size_t n = (size_t)a->body->n_nodes + 1;
    hoister h = {.w = w, .node = &node, .a = a, .body = a->body};
    h.kind = bp__pool_alloc(pool, n);
    h.inside = bp__pool_alloc(pool, n);
    h.outside = bp__pool_alloc(pool, n);
    h.border = bp__pool_alloc(pool, n);
    h.outer = bp__pool_alloc(pool, sizeof(bp_value) * n);
    node.in = bp__pool_alloc(pool, sizeof(bp__ref) * (size_t)(node.n_in + 1));
    if (!h.kind || !h.inside || !h.outside || !h.border || !h.outer || !node.in) return bp__out_of_memory(p->ctx, 0);
    if (!plan(&h)) return bp__rewrite_keep(w, old);
    for (int32_t k = 0; k < node.n_in; k++) node.in[k] = bp__rewrite_ref(w, w->old[old].in[k]);
    for (int32_t i = 0; i < a->n_x; i++) h.outer[a->x[i].node] = outer_input(&h, a->n_carry + i);
    for (int32_t i = 0; i < a->n_captured; i++) h.outer[a->captured[i].node] = outer_input(&h, a->n_carry + a->n_x + i);
    for (int64_t i = 0; i < a->body->n_nodes; i++)
        if (h.outside[i]) BP_TRY(emit(&h, i));
    bp_graph *body = bp__graph_copy_shared(a->body);
    bp_status status = body ? rebuild(&h, old, body) : bp__out_of_memory(p->ctx, 0);
    bp_graph_free(body);
    return status;
}

bp_status bp__pass_hoist(bp_program *p) {
    bool any = false;
    for (int64_t i = 0; i < p->g->n_nodes; i++) any |= p->g->nodes[i].op == &bp__op_scan;
    if (!any) return BP_OK;
    bp__rewrite w;
    BP_TRY(bp__rewrite_begin(&w, p));
    bp_status status = BP_OK;
    for (int64_t i = 0; i < w.n_old && status == BP_OK; i++)
        status = w.old[i].op == &bp__op_scan ? hoist(&w, i) : bp__rewrite_keep(&w, i);
    if (status == BP_OK) return bp__rewrite_end(&w);
    bp__rewrite_abandon(&w);
    return status;
}
