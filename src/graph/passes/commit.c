/* Element-wise updates whose results go to variables alone move behind everything else: they run after `ok` is known, and may
   write the state in place. */
#include "graph/plan.h"

bp_status bp__pass_commit(bp_program *p) {
    bp_graph *g = p->g;
    int64_t n = g->n_nodes;
    bool *other = bp__zalloc(p->ctx, (size_t)n + 1); /* used by something that is not an update */
    if (!other) return bp__out_of_memory(p->ctx, 0);
    for (int64_t i = 0; i < p->n_outputs; i++) other[p->outputs[i].node] = true;
    if (p->ok.node >= 0) other[p->ok.node] = true;
    for (int64_t i = n - 1; i >= 0; i--) {
        const bp__node *node = &g->nodes[i];
        bool moves = node->op == &bp__op_fused && !other[i];
        if (!moves) other[i] = true;
        for (int32_t k = 0; !moves && k < node->n_in; k++)
            if (node->in[k].node >= 0) other[node->in[k].node] = true;
    }
    bp__rewrite w;
    bp_status status = bp__rewrite_begin(&w, p);
    if (status == BP_OK) {
        for (int64_t i = 0; i < n && status == BP_OK; i++)
            if (other[i]) status = bp__rewrite_keep(&w, i);
        p->commit_from = g->n_nodes;
        for (int64_t i = 0; i < n && status == BP_OK; i++)
            if (!other[i]) status = bp__rewrite_keep(&w, i);
        if (status == BP_OK)
            status = bp__rewrite_end(&w);
        else
            bp__rewrite_abandon(&w);
    }
    bp__free(p->ctx, other);
    return status;
}
