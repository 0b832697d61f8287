/* Small values that depend on constants alone are computed while compiling, by the kernels that would have computed them. */
#include "core/cpu.h"
#include "graph/plan.h"

#include <string.h>

enum { LARGEST = 64 };

static bool constant_of(const bp_graph *g, bp__ref r) { return r.node >= 0 && g->nodes[r.node].op == &bp__op_constant; }

static bool foldable(const bp_graph *g, const bp__node *node) {
    if (!node->op->forward || node->n_in == 0 || node->n_out != 1 || (node->op->flags & (BP__OP_RANDOM | BP__OP_DENSE_IN)))
        return false;
    int64_t n = 1;
    for (int64_t i = 0; i < node->out[0].dims.n; i++) {
        if (node->out[0].dims.dim[i] < 0) return false;
        n *= node->out[0].dims.dim[i];
    }
    if (n > LARGEST) return false;
    for (int32_t i = 0; i < node->n_in; i++)
        if (!constant_of(g, node->in[i])) return false;
    return true;
}

static bp__tensor dense(const bp__info *info, void *data) {
    bp__tensor t = {.data = data, .n_dims = (int32_t)info->dims.n, .dtype = (uint8_t)info->dtype};
    int64_t stride = 1;
    for (int64_t i = info->dims.n - 1; i >= 0; i--) {
        t.dim[i] = info->dims.dim[i];
        t.stride[i] = stride;
        stride *= t.dim[i];
    }
    return t;
}

static bp_status fold(bp_program *p, const bp__isa *isa, bp__node *node) {
    bp_graph *g = p->g;
    bp__tensor out = dense(&node->out[0], bp__pool_alloc(&g->pool, bp__info_bytes(&node->out[0])));
    bp__tensor *in = bp__pool_alloc(&g->pool, sizeof *in * (size_t)node->n_in);
    if (!out.data || !in) return bp__out_of_memory(p->ctx, 0);
    for (int32_t i = 0; i < node->n_in; i++) in[i] = dense(&g->nodes[node->in[i].node].out[0], g->nodes[node->in[i].node].attrs);
    bp__env env = {.isa = isa, .team = bp__context_team(p->ctx), .pairs = p->g->bfloat16 ? bp__gemm_pairs(isa) : NULL};
    bp__call call = {.env = &env, .in = in, .out = &out, .n_in = node->n_in, .n_out = 1, .attrs = node->attrs};
    env.scratch_bytes = node->op->scratch ? node->op->scratch(&call, bp__team_size(env.team)) : 0;
    env.scratch = bp__alloc(p->ctx, env.scratch_bytes + 64);
    if (!env.scratch) return bp__out_of_memory(p->ctx, env.scratch_bytes);
    node->op->forward(&call);
    bp__free(p->ctx, env.scratch);
    node->op = &bp__op_constant;
    node->attrs = out.data;
    node->n_in = 0;
    return BP_OK;
}

bp_status bp__pass_fold(bp_program *p) {
    bp_graph *g = p->g;
    const bp__isa *isa = bp__isa_find(bp_context_isa(p->ctx));
    bp__fpenv fp = bp__fpenv_enter();
    bp_status status = BP_OK;
    for (int64_t i = 0; i < g->n_nodes && status == BP_OK; i++)
        if (foldable(g, &g->nodes[i])) status = fold(p, isa, &g->nodes[i]);
    bp__fpenv_leave(fp);
    return status;
}
