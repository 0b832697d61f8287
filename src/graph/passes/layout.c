/* Layout belongs to the variable: a linear layer's weight [out, in] lives in panels of 32 output columns (kernel.h), and so do
   its gradient and optimiser state. Forward products and weight gradients then need no packing. Chosen from the graph alone. */
#include "graph/plan.h"

static bool transposes(const bp__node *node) {
    if (node->op != bp__op_id(BP__OP_ID_permute) || node->out[0].dims.n != 2) return false;
    const struct bp__permute_attrs *a = node->attrs;
    return a->axes.dim[0] == 1 && a->axes.dim[1] == 0;
}

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

static int64_t variable_of(const bp_graph *g, bp__ref r) {
    return r.node >= 0 && g->nodes[r.node].op == &bp__op_variable ? *(int64_t *)g->nodes[r.node].attrs : -1;
}

/* Walks the element-wise expression of one shape behind `r`: is a variable of it in panels? With `spread`, puts all of them
 * there. */
static bool meets_panels(const bp_graph *g, bp__ref r, const bp__info *like, uint8_t *panels, bool spread, int depth) {
    const bp__info *info = bp__ref_info(g, r);
    if (depth > 32 || !bp__dims_equal(&info->dims, &like->dims) || info->dtype != like->dtype) return false;
    int64_t v = variable_of(g, r);
    if (v >= 0) {
        bool was = panels[v] != 0;
        if (spread && !g->variables[v].laid_out) panels[v] = 1;
        return spread ? !was && panels[v] : was;
    }
    const bp__node *node = &g->nodes[r.node];
    bool found = false;
    for (int32_t i = 0; node->op->ew_op >= 0 && i < node->n_in; i++)
        if (node->in[i].node >= 0 && meets_panels(g, node->in[i], like, panels, spread, depth + 1)) found = true;
    return found;
}

bp_status bp__layout_variables(bp_graph *g, uint8_t *panels) {
    for (int64_t v = 0; v < g->n_variables; v++) panels[v] = g->variables[v].info.panels;
    for (int64_t i = 0; i < g->n_nodes; i++) {
        const bp__node *node = &g->nodes[i];
        if (node->op != bp__op_id(BP__OP_ID_matmul) || node->out[0].dims.n != 2) continue;
        const bp__node *b = &g->nodes[node->in[1].node];
        if (!transposes(b)) continue;
        int64_t v = variable_of(g, b->in[0]);
        if (v < 0 || !is_float(g->variables[v].info.dtype)) continue;
        int64_t out = g->variables[v].info.dims.dim[0], padded = (out + BP__PANEL - 1) / BP__PANEL * BP__PANEL;
        if (padded * 2 <= out * 3 && !g->variables[v].laid_out) panels[v] = 1; /* at most half as much again for padding */
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int64_t v = 0; v < g->n_variables; v++) {
            const bp__variable *x = &g->variables[v];
            if (x->assigned.node < 0 || x->info.dims.n != 2 || !is_float(x->info.dtype)) continue;
            if (!panels[v] && !x->laid_out && meets_panels(g, x->assigned, &x->info, panels, false, 0))
                panels[v] = 1, changed = true;
            if (panels[v] && meets_panels(g, x->assigned, &x->info, panels, true, 0)) changed = true;
        }
    }
    for (int64_t v = 0; v < g->n_variables; v++) {
        g->variables[v].info.panels = panels[v];
        g->variables[v].laid_out = true;
    }
    return BP_OK;
}

static void run_relayout(const bp__call *c) { bp__relayout(c->env, &c->out[0], &c->in[0]); }
static const char *const relayout_inputs[] = {"x"};
const bp__op bp__op_relayout = {.name = "relayout",
                                .family = "move",
                                .formula = "y = x, stored otherwise",
                                .in_names = relayout_inputs,
                                .n_in = 1,
                                .n_out = 1,
                                .flags = BP__OP_HIDDEN,
                                .ew_op = -1,
                                .forward = run_relayout};

typedef struct pass {
    bp__rewrite w;
    uint8_t *wants;     /* [old nodes]: the layout in which output 0 would be welcome */
    bp__ref (*made)[3]; /* [new nodes][layout]: relayouts made so far, capacity grows with nodes */
    int64_t cap_made;
} pass;

static void want(const bp_program *p, const uint8_t *panels, uint8_t *wants) {
    const bp_graph *g = p->g;
    for (int64_t i = 0; i < p->n_assigns; i++)
        if (panels[p->assigns[i].variable]) wants[p->assigns[i].value.node] = 1;
    for (int64_t i = g->n_nodes - 1; i >= 0; i--) {
        const bp__node *node = &g->nodes[i];
        if (!wants[i]) continue;
        for (int32_t k = 0; k < node->n_in; k++) {
            if (node->in[k].node < 0) continue;
            if (transposes(node))
                wants[node->in[k].node] = (uint8_t)(3 - wants[i]);
            else if (node->op->ew_op >= 0 && bp__dims_equal(&bp__ref_info(g, node->in[k])->dims, &node->out[0].dims))
                wants[node->in[k].node] = wants[i];
        }
    }
}

/* The value `r` (of the new graph) in layout `panels`, through a relayout node when it is stored otherwise. */
static bp_status in_layout(pass *s, bp__ref *r, uint8_t panels) {
    bp_graph *g = s->w.p->g;
    if (r->node < 0 || bp__ref_info(g, *r)->panels == panels) return BP_OK;
    if (r->node < s->cap_made && r->output == 0 && s->made[r->node][panels].node > 0) {
        *r = s->made[r->node][panels];
        return BP_OK;
    }
    bp__node node = {.op = &bp__op_relayout, .n_in = 1, .n_out = 1, .name = g->nodes[r->node].name};
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref));
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info));
    node.attrs = bp__pool_alloc(&g->pool, 1);
    if (!node.in || !node.out || !node.attrs) return bp__out_of_memory(s->w.p->ctx, 0);
    node.in[0] = *r;
    node.out[0] = *bp__ref_info(g, *r);
    node.out[0].panels = panels;
    BP_TRY(bp__graph_push(g, &node));
    bp__ref made = {(int32_t)(g->n_nodes - 1), 0};
    if (r->node < s->cap_made && r->output == 0) s->made[r->node][panels] = made;
    *r = made;
    return BP_OK;
}

static bool is_one(const bp_dims *d) {
    for (int64_t i = 0; i < d->n; i++)
        if (d->dim[i] != 1) return false;
    return true;
}

/* The layout an element-wise node takes: that of its full-size inputs, when every other input is a single number. */
static uint8_t elementwise_layout(const pass *s, const bp__node *node) {
    const bp_graph *g = s->w.p->g;
    uint8_t panels = 0;
    for (int32_t k = 0; k < node->n_in; k++) {
        const bp__info *in = bp__ref_info(g, bp__rewrite_ref(&s->w, node->in[k]));
        if (bp__dims_equal(&in->dims, &node->out[0].dims)) {
            if (in->panels) panels = in->panels;
        } else if (!is_one(&in->dims)) {
            return 0;
        }
    }
    return is_float(node->out[0].dtype) ? panels : 0;
}

/* Builds node `i` with inputs in the layouts it can read. */
static bp_status visit(pass *s, int64_t i, const uint8_t *variable_panels) {
    bp_graph *g = s->w.p->g;
    const bp__node *old = &s->w.old[i];
    uint8_t result = 0;
    bool elementwise = old->op->ew_op >= 0, gemm = old->op == &bp__op_gemm, transpose = transposes(old);
    if (elementwise) result = elementwise_layout(s, old);
    if (gemm && s->wants[i] == 2) result = 2;
    if (old->op == &bp__op_variable) result = variable_panels[*(int64_t *)old->attrs];
    bp__ref *in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)(old->n_in + 1));
    if (!in) return bp__out_of_memory(s->w.p->ctx, 0);
    for (int32_t k = 0; k < old->n_in; k++) {
        in[k] = bp__rewrite_ref(&s->w, old->in[k]);
        if (in[k].node < 0) continue;
        const bp__info *info = bp__ref_info(g, in[k]);
        uint8_t need = 0;
        if (elementwise && bp__dims_equal(&info->dims, &old->out[0].dims)) need = result;
        if (gemm && k == 1 && info->panels) need = 2;
        if (transpose) {
            need = info->panels;
            result = info->panels ? (uint8_t)(3 - info->panels) : 0;
        }
        if ((old->op == bp__op_id(BP__OP_ID_sum) || (old->op->flags & BP__OP_DIMS_ONLY)) && info->panels == 1) need = 1;
        BP_TRY(in_layout(s, &in[k], need));
    }
    bp__node node = *old;
    node.in = in;
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info) * (size_t)old->n_out);
    if (!node.out) return bp__out_of_memory(s->w.p->ctx, 0);
    for (int32_t k = 0; k < old->n_out; k++) {
        node.out[k] = old->out[k];
        node.out[k].panels = k == 0 ? result : 0;
        s->w.map[i][k] = (bp__ref){(int32_t)g->n_nodes, k};
    }
    return bp__graph_push(g, &node);
}

static bp_status rewrite(pass *s, const uint8_t *panels) {
    bp_program *p = s->w.p;
    bp_status status = BP_OK;
    for (int64_t i = 0; i < s->w.n_old && status == BP_OK; i++) status = visit(s, i, panels);
    if (status != BP_OK) {
        bp__rewrite_abandon(&s->w);
        return status;
    }
    BP_TRY(bp__rewrite_end(&s->w));
    for (int64_t i = 0; i < p->n_outputs; i++) BP_TRY(in_layout(s, &p->outputs[i], 0));
    for (int64_t i = 0; i < p->n_assigns; i++) BP_TRY(in_layout(s, &p->assigns[i].value, panels[p->assigns[i].variable]));
    return BP_OK;
}

bp_status bp__pass_layout(bp_program *p) {
    bp_graph *g = p->g;
    uint8_t *panels = bp__zalloc(p->ctx, (size_t)p->source->n_variables + 1);
    pass s = {.wants = bp__zalloc(p->ctx, (size_t)g->n_nodes + 1), .cap_made = 2 * g->n_nodes + 16};
    s.made = bp__zalloc(p->ctx, sizeof *s.made * (size_t)s.cap_made);
    bp_status status = panels && s.wants && s.made ? bp__layout_variables(p->source, panels) : bp__out_of_memory(p->ctx, 0);
    if (status == BP_OK) {
        want(p, panels, s.wants);
        status = bp__rewrite_begin(&s.w, p);
        if (status == BP_OK) status = rewrite(&s, panels);
    }
    bp__free(p->ctx, panels);
    bp__free(p->ctx, s.wants);
    bp__free(p->ctx, s.made);
    return status;
}
