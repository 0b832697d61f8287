/* What nothing reads of a scan is not made: stacked outputs and saved values, the per-turn inputs and captured values that only
   they needed, and whatever only those needed in turn. Runs before all passes, without them too: saved values cost time x state.
 */
#include "graph/scan.h"

static bool is_used(const bp__uses *u, int64_t node, int32_t output) { return u->count[u->first[node] + output] > 0; }

static void release(const bp__uses *u, bp__ref r) {
    if (r.node >= 0) u->count[u->first[r.node] + r.output]--;
}

/* Cuts the attributes down to what is used; which[k]: the new number of old output k. */
static bp_status cut(bp_program *p, bp__node *node, int64_t index, const bp__uses *u, int32_t *which) {
    bp__pool *pool = &p->g->pool;
    bp__scan_attrs *a = bp__pool_alloc(pool, sizeof *a);
    bp__ref *in = bp__pool_alloc(pool, sizeof *in * (size_t)(node->n_in + 1));
    bp__info *out = bp__pool_alloc(pool, sizeof *out * (size_t)(node->n_out + 1));
    if (!a || !in || !out) return bp__out_of_memory(p->ctx, 0);
    *a = *(bp__scan_attrs *)node->attrs;
    if (bp__scan_lists(p->g, a) != BP_OK) return bp__out_of_memory(p->ctx, 0);
    int32_t n = 0, stacked = 0, saved = 0, n_old_x = a->n_x;
    for (int32_t k = 0; k < node->n_out; k++) {
        int32_t j = k - a->n_carry, s = j - a->n_stacked;
        which[k] = -1;
        if (j >= 0 && !is_used(u, index, k)) continue;
        if (s >= 0)
            a->saved[saved++] = a->saved[s];
        else if (j >= 0)
            a->out[stacked++] = a->out[j];
        out[n] = node->out[k];
        which[k] = n++;
    }
    a->n_stacked = stacked;
    a->n_saved = saved;
    node->out = out;
    node->n_out = n;
    bp__ref *roots = bp__pool_alloc(pool, sizeof *roots * (size_t)(a->n_carry + stacked + 1));
    if (!roots) return bp__out_of_memory(p->ctx, 0);
    for (int32_t i = 0; i < a->n_carry + stacked; i++) roots[i] = i < a->n_carry ? a->next[i] : a->out[i - a->n_carry];
    const bool *reached = bp__scan_reach(pool, a->body, roots, a->n_carry + stacked);
    if (!reached) return bp__out_of_memory(p->ctx, 0);
    a->n_x = a->n_captured = 0;
    int32_t n_in = 0;
    for (int32_t i = 0; i < node->n_in; i++) {
        int32_t x = i - a->n_carry, captured = x - n_old_x;
        bool keep = x < 0 || reached[captured < 0 ? a->x[x].node : a->captured[captured].node];
        if (keep && captured >= 0)
            a->captured[a->n_captured++] = a->captured[captured];
        else if (keep && x >= 0)
            a->x[a->n_x++] = a->x[x];
        if (keep)
            in[n_in++] = node->in[i];
        else
            release(u, node->in[i]);
    }
    node->attrs = a;
    node->in = in;
    node->n_in = n_in;
    return BP_OK;
}

static bp_status trim(bp__rewrite *w, const bp__uses *u, int32_t **which) {
    bp_program *p = w->p;
    for (int64_t i = w->n_old - 1; i >= 0; i--) {
        bp__node *node = &w->old[i];
        bool live = false;
        for (int32_t k = 0; k < node->n_out; k++) live |= is_used(u, i, k);
        if (!live) {
            for (int32_t k = 0; k < node->n_in; k++) release(u, node->in[k]);
        } else if (node->op == &bp__op_scan) {
            which[i] = bp__pool_alloc(&p->g->pool, sizeof(int32_t) * (size_t)(node->n_out + 1));
            if (!which[i]) return bp__out_of_memory(p->ctx, 0);
            BP_TRY(cut(p, node, i, u, which[i]));
        }
    }
    for (int64_t i = 0; i < w->n_old; i++) {
        bool live = false;
        int32_t n_out = (int32_t)(u->first[i + 1] - u->first[i]);
        for (int32_t k = 0; k < n_out; k++) live |= is_used(u, i, k);
        if (!live) continue;
        if (!which[i]) {
            BP_TRY(bp__rewrite_keep(w, i));
            continue;
        }
        bp__node node = w->old[i];
        for (int32_t k = 0; k < node.n_in; k++) node.in[k] = bp__rewrite_ref(w, node.in[k]);
        BP_TRY(bp__graph_push(p->g, &node));
        for (int32_t k = 0; k < n_out; k++)
            if (which[i][k] >= 0) w->map[i][k] = (bp__ref){(int32_t)(p->g->n_nodes - 1), which[i][k]};
    }
    return BP_OK;
}

bp_status bp__scan_trim(bp_program *p) {
    bool any = false;
    for (int64_t i = 0; i < p->g->n_nodes; i++) any |= p->g->nodes[i].op == &bp__op_scan;
    if (!any) return BP_OK;
    bp__uses u;
    BP_TRY(bp__uses_count(p, &u));
    bp__rewrite w;
    int32_t **which = bp__zalloc(p->ctx, sizeof *which * (size_t)(p->g->n_nodes + 1));
    bp_status status = which ? bp__rewrite_begin(&w, p) : bp__out_of_memory(p->ctx, 0);
    if (status == BP_OK) {
        status = trim(&w, &u, which);
        if (status == BP_OK)
            status = bp__rewrite_end(&w);
        else
            bp__rewrite_abandon(&w);
    }
    bp__uses_free(p, &u);
    bp__free(p->ctx, which);
    return status;
}
