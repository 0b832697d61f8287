/* Equal nodes become one, and nodes that do nothing become their input. */
#include "graph/plan.h"

#include <string.h>

static bool does_nothing(const bp_graph *g, const bp__node *node) {
    if (node->n_in != 1 || node->n_out != 1 || node->in[0].node < 0) return false;
    const bp__info *in = bp__ref_info(g, node->in[0]);
    if (in->dtype != node->out[0].dtype || !bp__dims_equal(&in->dims, &node->out[0].dims)) return false;
    const bp__op *op = node->op;
    return op == bp__op_id(BP__OP_ID_stop_gradient) || op == bp__op_id(BP__OP_ID_reshape) || op == bp__op_id(BP__OP_ID_cast) ||
           op == bp__op_id(BP__OP_ID_broadcast_to);
}

static bool equal(const bp__node *a, const bp__node *b) {
    if (a->op != b->op || a->n_in != b->n_in || a->op == &bp__op_input) return false;
    for (int32_t i = 0; i < a->n_in; i++)
        if (a->in[i].node != b->in[i].node || a->in[i].output != b->in[i].output) return false;
    if (a->op == &bp__op_variable) return *(int64_t *)a->attrs == *(int64_t *)b->attrs;
    if (a->op == &bp__op_constant)
        return a->out[0].dtype == b->out[0].dtype && bp__dims_equal(&a->out[0].dims, &b->out[0].dims) &&
               memcmp(a->attrs, b->attrs, bp__info_bytes(&a->out[0])) == 0;
    return bp__attrs_equal(a->op, a->attrs, b->attrs);
}

static uint64_t hash(const bp__node *node) {
    uint64_t h = (uint64_t)(uintptr_t)node->op;
    for (int32_t i = 0; i < node->n_in; i++)
        h = (h ^ (uint64_t)(uint32_t)node->in[i].node ^ (uint64_t)(uint32_t)node->in[i].output << 40) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

bp_status bp__pass_common(bp_program *p) {
    bp__rewrite w;
    BP_TRY(bp__rewrite_begin(&w, p));
    bp_graph *g = p->g;
    size_t size = 16;
    while (size < (size_t)w.n_old * 2) size *= 2;
    int32_t *table = bp__alloc(p->ctx, sizeof *table * size); /* open addressing by hash; -1: empty */
    bp_status status = table ? BP_OK : bp__out_of_memory(p->ctx, sizeof *table * size);
    for (size_t i = 0; i < size && table; i++) table[i] = -1;
    for (int64_t i = 0; i < w.n_old && status == BP_OK; i++) {
        status = bp__rewrite_keep(&w, i);
        if (status != BP_OK) break;
        bp__node *node = &g->nodes[g->n_nodes - 1];
        if (does_nothing(g, node)) {
            w.map[i][0] = node->in[0];
            g->n_nodes--;
            continue;
        }
        size_t at = (size_t)hash(node) & (size - 1);
        while (table[at] >= 0 && !equal(&g->nodes[table[at]], node)) at = (at + 1) & (size - 1);
        if (table[at] < 0) {
            table[at] = (int32_t)(g->n_nodes - 1);
            continue;
        }
        for (int32_t k = 0; k < node->n_out; k++) w.map[i][k] = (bp__ref){table[at], k};
        g->n_nodes--;
    }
    bp__free(p->ctx, table);
    if (status == BP_OK) return bp__rewrite_end(&w);
    bp__rewrite_abandon(&w);
    return status;
}
