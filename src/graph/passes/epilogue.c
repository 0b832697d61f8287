/* Two-dimensional products become `gemm`, and what is done to the finished product alone joins it: a bias row, one activation,
   and the mask of relu's gradient, where(m > 0, product, 0). Same numbers in the same order, one pass over memory less. */
#include "graph/plan.h"

static void run_gemm(const bp__call *c);
static size_t gemm_scratch(const bp__call *c, int n_threads);
static double gemm_flops(const bp__call *c);

static const char *const gemm_inputs[] = {"a", "b", "?bias", "?mask"};
const bp__op bp__op_gemm = {.name = "gemm",
                            .family = "product",
                            .formula = "y = mask(act(a b + bias))",
                            .in_names = gemm_inputs,
                            .n_in = 4,
                            .n_out = 1,
                            .attrs_size = sizeof(bp__gemm_attrs),
                            .flags = BP__OP_HIDDEN,
                            .ew_op = -1,
                            .forward = run_gemm,
                            .scratch = gemm_scratch,
                            .flops = gemm_flops};

static bp__matrix matrix(const bp__tensor *t) {
    return (bp__matrix){.data = t->data, .row = t->stride[0], .col = t->stride[1], .panels = t->panels == 2};
}

static bp__gemm_args arguments(const bp__call *c) {
    const bp__gemm_attrs *attrs = c->attrs;
    const bp__tensor *y = &c->out[0];
    bp__gemm_args a = {.dtype = (bp_dtype)y->dtype,
                       .m = y->dim[0],
                       .n = y->dim[1],
                       .k = c->in[0].dim[1],
                       .a = matrix(&c->in[0]),
                       .b = matrix(&c->in[1]),
                       .c = matrix(y),
                       .n_b = 1,
                       .pairs = y->dtype == BP_F32 ? c->env->pairs : NULL};
    a.epilogue.activation = attrs->activation;
    if (c->in[2].n_dims) a.epilogue.bias = c->in[2].data;
    if (c->in[3].n_dims) a.epilogue.mask = matrix(&c->in[3]);
    return a;
}

static void run_gemm(const bp__call *c) {
    bp__gemm_args a = arguments(c);
    bp__gemm(c->env, &a);
}
static size_t gemm_scratch(const bp__call *c, int n_threads) {
    bp__gemm_args a = arguments(c);
    return bp__gemm_scratch(c->env->isa, &a, n_threads);
}
static double gemm_flops(const bp__call *c) {
    return 2.0 * (double)c->out[0].dim[0] * (double)c->out[0].dim[1] * (double)c->in[0].dim[1];
}

typedef struct finder {
    bp_program *p;
    bp__uses uses;
    int32_t *consumer; /* [values]: the last node that uses it */
} finder;

static bool once(const finder *f, bp__ref r) { return f->uses.count[f->uses.first[r.node] + r.output] == 1; }

static bool is_zero(const bp_graph *g, bp__ref r) {
    if (r.node < 0 || g->nodes[r.node].op != &bp__op_constant || g->nodes[r.node].out[0].dims.n != 0) return false;
    return g->nodes[r.node].out[0].dtype == BP_F32
               ? *(float *)g->nodes[r.node].attrs == 0
               : g->nodes[r.node].out[0].dtype == BP_F64 && *(double *)g->nodes[r.node].attrs == 0;
}

static int32_t only_consumer(const finder *f, bp__ref r) {
    if (!once(f, r)) return -1;
    return f->consumer[f->uses.first[r.node] + r.output];
}

/* add(product, bias) or add(bias, product) with one row of bias: the bias's reference. */
static bp__ref bias_of(const bp_graph *g, const bp__node *add, bp__ref product) {
    if (add->op->ew_op != BP__EW_add) return (bp__ref){-1, 0};
    int32_t side = add->in[0].node == product.node ? 1 : 0;
    const bp__info *b = bp__ref_info(g, add->in[side]), *y = bp__ref_info(g, product);
    bool row = add->in[side].node != product.node && b->dims.n == 1 && b->dims.dim[0] == y->dims.dim[1] && b->dims.dim[0] >= 0 &&
               b->dtype == y->dtype;
    const bp__op *op = g->nodes[add->in[side].node].op;
    row = row && (op == &bp__op_variable || op == &bp__op_input || op->forward); /* contiguous: not a view */
    return row && !op->view ? add->in[side] : (bp__ref){-1, 0};
}

static bool plain_unary(const bp__node *n) {
    return n->op->ew_op >= 0 && n->n_in == 1 && n->op->n_attrs == 0 && (n->out[0].dtype == BP_F32 || n->out[0].dtype == BP_F64);
}

/* where(gt(m, 0), product, 0): the mask m. */
static bp__ref mask_of(const finder *f, const bp__node *node, bp__ref product) {
    const bp_graph *g = f->p->g;
    bp__ref none = {-1, 0};
    if (node->op->ew_op != BP__EW_where || node->in[1].node != product.node || !is_zero(g, node->in[2])) return none;
    const bp__node *test = &g->nodes[node->in[0].node];
    if (test->op->ew_op != BP__EW_gt || !is_zero(g, test->in[1])) return none;
    const bp__info *m = bp__ref_info(g, test->in[0]), *y = bp__ref_info(g, product);
    return bp__dims_equal(&m->dims, &y->dims) && m->dtype == y->dtype ? test->in[0] : none;
}

typedef struct match {
    int32_t last; /* the node that the gemm stands for */
    bp__ref bias, mask;
    int32_t activation;
} match;

static match match_at(const finder *f, int32_t product) {
    const bp_graph *g = f->p->g;
    match m = {.last = product, .bias = {-1, 0}, .mask = {-1, 0}, .activation = -1};
    bp__ref at = {product, 0};
    int32_t next = only_consumer(f, at);
    if (next >= 0 && bp__dims_equal(&g->nodes[next].out[0].dims, &g->nodes[product].out[0].dims)) {
        bp__ref bias = bias_of(g, &g->nodes[next], at);
        if (bias.node >= 0) {
            m.bias = bias;
            m.last = next;
            at = (bp__ref){next, 0};
            next = only_consumer(f, at);
        }
    }
    if (next >= 0 && plain_unary(&g->nodes[next])) {
        m.activation = g->nodes[next].op->ew_op;
        m.last = next;
        at = (bp__ref){next, 0};
        next = only_consumer(f, at);
    }
    if (next >= 0) {
        bp__ref mask = mask_of(f, &g->nodes[next], at);
        if (mask.node >= 0) {
            m.mask = mask;
            m.last = next;
        }
    }
    return m;
}

static bp_status emit(bp__rewrite *w, int32_t product, const match *m) {
    bp_graph *g = w->p->g;
    const bp__node *old = &w->old[product];
    bp__gemm_attrs *attrs = bp__pool_alloc(&g->pool, sizeof *attrs);
    bp__node node = {.op = &bp__op_gemm, .attrs = attrs, .n_in = 4, .n_out = 1, .name = old->name};
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * 4);
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info));
    if (!attrs || !node.in || !node.out) return bp__out_of_memory(w->p->ctx, 0);
    attrs->activation = m->activation;
    node.in[0] = bp__rewrite_ref(w, old->in[0]);
    node.in[1] = bp__rewrite_ref(w, old->in[1]);
    node.in[2] = bp__rewrite_ref(w, m->bias);
    node.in[3] = bp__rewrite_ref(w, m->mask);
    node.out[0] = old->out[0];
    BP_TRY(bp__graph_push(g, &node));
    w->map[m->last][0] = (bp__ref){(int32_t)(g->n_nodes - 1), 0};
    return BP_OK;
}

bp_status bp__pass_epilogue(bp_program *p) {
    finder f = {.p = p};
    BP_TRY(bp__uses_count(p, &f.uses));
    bp_graph *g = p->g;
    int64_t n = g->n_nodes;
    f.consumer = bp__alloc(p->ctx, sizeof(int32_t) * (size_t)(f.uses.first[n] + 1));
    match *matches = bp__alloc(p->ctx, sizeof(match) * (size_t)(n + 1));
    int32_t *ends = bp__alloc(p->ctx, sizeof(int32_t) * (size_t)(n + 1)); /* -1: keep; -2: swallowed; else its product */
    bp_status status = f.consumer && matches && ends ? BP_OK : bp__out_of_memory(p->ctx, 0);
    if (status == BP_OK) {
        for (int64_t i = 0; i < f.uses.first[n]; i++) f.consumer[i] = -1;
        for (int64_t i = 0; i < n; i++) ends[i] = -1;
        for (int64_t i = 0; i < n; i++)
            for (int32_t k = 0; k < g->nodes[i].n_in; k++)
                if (g->nodes[i].in[k].node >= 0)
                    f.consumer[f.uses.first[g->nodes[i].in[k].node] + g->nodes[i].in[k].output] = (int32_t)i;
        for (int64_t i = 0; i < n; i++) {
            const bp__node *node = &g->nodes[i];
            if (node->op != bp__op_id(BP__OP_ID_matmul) || bp__ref_info(g, node->in[0])->dims.n != 2 ||
                bp__ref_info(g, node->in[1])->dims.n != 2)
                continue;
            matches[i] = match_at(&f, (int32_t)i);
            for (int32_t at = (int32_t)i; at != matches[i].last; at = only_consumer(&f, (bp__ref){at, 0})) ends[at] = -2;
            ends[matches[i].last] = (int32_t)i;
        }
        bp__rewrite w;
        status = bp__rewrite_begin(&w, p);
        for (int64_t i = 0; i < w.n_old && status == BP_OK; i++) {
            if (ends[i] == -2) continue;
            status = ends[i] >= 0 ? emit(&w, ends[i], &matches[ends[i]]) : bp__rewrite_keep(&w, i);
        }
        if (status == BP_OK)
            status = bp__rewrite_end(&w);
        else
            bp__rewrite_abandon(&w);
    }
    bp__uses_free(p, &f.uses);
    bp__free(p->ctx, f.consumer);
    bp__free(p->ctx, matches);
    bp__free(p->ctx, ends);
    return status;
}
