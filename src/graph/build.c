/* Building: leaves, nodes, the sticky error. */
#include "graph/initialize.h"
#include "op/op.h"

#include <stdio.h>
#include <string.h>

const bp__op bp__op_input = {.name = "input", .flags = BP__OP_LEAF, .n_out = 1, .ew_op = -1};
const bp__op bp__op_variable = {.name = "variable", .flags = BP__OP_LEAF, .n_out = 1, .ew_op = -1};
const bp__op bp__op_constant = {.name = "constant", .flags = BP__OP_LEAF, .n_out = 1, .ew_op = -1};

static bp_value bad(bp_graph *g) { return (bp_value){g, -1, 0}; }

bp_value bp__graph_fail(bp_graph *g, bp_status status, const char *format, ...) {
    if (g->status == BP_OK) {
        char text[640];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        g->status = status;
        bp__fail(g->ctx, status, "%s", text);
    }
    return bad(g);
}

static bp_value no_memory(bp_graph *g) { return bp__graph_fail(g, BP_MEMORY, "out of memory while building a graph"); }

bp_status bp_graph_new(bp_graph **out, bp_context *ctx) {
    *out = NULL;
    bp_graph *g = bp__zalloc(ctx, sizeof *g);
    if (!g) return bp__out_of_memory(ctx, sizeof *g);
    g->ctx = ctx;
    bp__pool_init(&g->pool, ctx);
    g->dims = bp__dims_table_new(ctx);
    if (!g->dims) {
        bp_graph_free(g);
        return bp__out_of_memory(ctx, 0);
    }
    *out = g;
    return BP_OK;
}

void bp_graph_free(bp_graph *g) {
    if (!g) return;
    if (g->n_holders > 0) { /* somebody else still holds it */
        g->n_holders--;
        return;
    }
    for (int64_t i = 0; i < g->n_held; i++) bp_graph_free(g->held[i]);
    bp__free(g->ctx, g->held);
    bp__dims_table_free(g->dims);
    bp__free(g->ctx, g->nodes);
    bp__free(g->ctx, g->variables);
    bp__free(g->ctx, g->checks);
    bp__pool_free(&g->pool);
    bp__free(g->ctx, g);
}

bp_graph *bp__graph_copy_empty(const bp_graph *g) {
    bp_graph *c = bp__zalloc(g->ctx, sizeof *c);
    if (!c) return NULL;
    c->ctx = g->ctx;
    c->parameter_dtype = g->parameter_dtype;
    c->bfloat16 = g->bfloat16;
    bp__pool_init(&c->pool, g->ctx);
    c->dims = bp__dims_table_copy(g->dims);
    if (c->dims) return c;
    bp_graph_free(c);
    return NULL;
}

bp_status bp__graph_hold(bp_graph *g, bp_graph *held) {
    for (int64_t i = 0; i < g->n_held; i++)
        if (g->held[i] == held) return BP_OK;
    BP_TRY(BP__GROW(g->ctx, g->held, g->n_held, g->cap_held));
    g->held[g->n_held++] = held;
    held->n_holders++;
    return BP_OK;
}

bp_graph *bp__graph_copy_shared(bp_graph *g) {
    bp_graph *c = bp__graph_copy_empty(g);
    if (!c) return NULL;
    bp_status status = bp__graph_hold(c, g);
    for (int64_t i = 0; i < g->n_nodes && status == BP_OK; i++) status = bp__graph_push(c, &g->nodes[i]);
    for (int64_t i = 0; i < g->n_checks && status == BP_OK; i++) {
        status = BP__GROW(c->ctx, c->checks, c->n_checks, c->cap_checks);
        if (status == BP_OK) c->checks[c->n_checks++] = g->checks[i];
    }
    if (status == BP_OK) return c;
    bp_graph_free(c);
    return NULL;
}

bp_status bp_graph_status(const bp_graph *g) { return g->status; }
void bp_graph_set_dtype(bp_graph *g, bp_dtype dtype) { g->parameter_dtype = dtype; }
void bp_graph_set_bfloat16(bp_graph *g, int on) { g->bfloat16 = on != 0; }
int bp_is_bad(bp_value x) { return x.graph && x.node < 0; }

/* An output of a node of its graph. */
static bool is_there(bp_value x) {
    return x.graph && x.node >= 0 && x.node < x.graph->n_nodes && x.output >= 0 && x.output < x.graph->nodes[x.node].n_out;
}

static const bp__info *info_of(bp_value x) {
    static const bp__info none = {BP_F32, {0, {0}}, 0};
    return is_there(x) ? &x.graph->nodes[x.node].out[x.output] : &none;
}
bp_dims bp_value_dims(bp_value x) { return info_of(x)->dims; }
bp_dtype bp_value_dtype(bp_value x) { return info_of(x)->dtype; }

int64_t bp_symbol(bp_graph *g, const char *name) {
    if (!name || !*name) {
        bp__graph_fail(g, BP_INVALID, "symbol: it has no name");
        return -1;
    }
    int64_t d = bp__dim_symbol(g->dims, name);
    if (d == -1) no_memory(g);
    return d;
}

const char *bp__graph_scope(bp_graph *g, const char *scope) {
    const char *old = g->scope;
    g->scope = scope ? bp__pool_strdup(&g->pool, scope) : NULL;
    return old;
}

bp_status bp__graph_push(bp_graph *g, const bp__node *node) {
    if (BP__GROW(g->ctx, g->nodes, g->n_nodes, g->cap_nodes) != BP_OK) {
        no_memory(g);
        return BP_MEMORY;
    }
    g->nodes[g->n_nodes++] = *node;
    return BP_OK;
}

/* A shape whose sizes are numbers, or expressions of this graph: a sentence where it is not. */
static bool has_shape(bp_graph *g, const char *who, const bp_dims *dims) {
    if (dims->n < 0 || dims->n > BP_MAX_DIMS) {
        bp__graph_fail(g, BP_SHAPE, "%s: %lld dimensions, at most %d are possible", who, (long long)dims->n, BP_MAX_DIMS);
        return false;
    }
    int64_t bytes = 8; /* of the largest type; a size of 0 makes it 0 whatever the others are */
    for (int64_t i = 0; i < dims->n; i++)
        if (dims->dim[i] == 0) bytes = 0;
    for (int64_t i = 0; i < dims->n; i++) {
        bool fits = dims->dim[i] < 0 || !__builtin_mul_overflow(bytes, dims->dim[i], &bytes);
        if (fits && bp__dim_is_known(g->dims, dims->dim[i])) continue;
        if (!fits)
            bp__graph_fail(g, BP_SHAPE, "%s: its sizes multiply to more elements than a machine holds", who);
        else if (dims->dim[i] == -1)
            bp__graph_fail(g, BP_SHAPE, "%s: dimension %lld is not given, or too large", who, (long long)i);
        else
            bp__graph_fail(g, BP_SHAPE, "%s: dimension %lld is %lld: sizes are 0 or more, or of bp_symbol", who, (long long)i,
                           (long long)dims->dim[i]);
        return false;
    }
    return true;
}

bp_value bp__graph_leaf(bp_graph *g, const bp__op *op, const char *name, bp__info info, void *attrs) {
    if (g->status != BP_OK) return bad(g);
    if (!has_shape(g, name ? name : op->name, &info.dims)) return bad(g);
    bp__node node = {.op = op, .attrs = attrs, .n_out = 1, .out = bp__pool_alloc(&g->pool, sizeof(bp__info))};
    if (name) node.name = bp__pool_strdup(&g->pool, name);
    if (!node.out || (name && !node.name)) return no_memory(g);
    node.out[0] = info;
    if (bp__graph_push(g, &node) != BP_OK) return bad(g);
    return (bp_value){g, (int32_t)(g->n_nodes - 1), 0};
}

/* What inputs, variables and constants have in common; dims are numbers, where `sized`. */
static bool may_be(bp_graph *g, const char *what, const char *name, bp_dtype dtype, const bp_dims *dims, bool sized) {
    if (!name)
        bp__graph_fail(g, BP_INVALID, "%s: it has no name", what);
    else if (bp_dtype_size(dtype) == 0)
        bp__graph_fail(g, BP_TYPE, "%s \"%s\": %d is not a data type", what, name, (int)dtype);
    else if (has_shape(g, *name ? name : what, dims)) {
        for (int64_t i = 0; i < dims->n && sized; i++) {
            if (dims->dim[i] >= 0) continue;
            bp__graph_fail(g, BP_SHAPE, "%s \"%s\": its dimensions must be numbers", what, name);
            return false;
        }
        return true;
    }
    return false;
}

bp_value bp_input(bp_graph *g, const char *name, bp_dtype dtype, bp_dims dims) {
    if (g->status != BP_OK || !may_be(g, "input", name, dtype, &dims, false)) return bad(g);
    for (int64_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == &bp__op_input && strcmp(g->nodes[i].name, name) == 0)
            return bp__graph_fail(g, BP_INVALID, "input \"%s\" is there already; names of inputs are unique", name);
    return bp__graph_leaf(g, &bp__op_input, name, (bp__info){.dtype = dtype, .dims = dims}, NULL);
}

static bp_value variable(bp_graph *g, const char *name, bp_dtype dtype, bp_dims dims, bp_init init, bool trainable) {
    if (g->status != BP_OK || !may_be(g, "variable", name, dtype, &dims, true)) return bad(g);
    for (int64_t i = 0; i < g->n_variables; i++)
        if (strcmp(g->variables[i].name, name) == 0)
            return bp__graph_fail(g, BP_INVALID, "variable \"%s\" is there already; names of variables are unique", name);
    const char *unfit = bp__init_unfit(init, &dims);
    if (unfit) {
        char shape[160];
        return bp__graph_fail(g, BP_SHAPE, "variable \"%s\" %s cannot start so: its initialiser %s", name,
                              bp__dims_text(g->dims, &dims, shape, sizeof shape), unfit);
    }
    int64_t *index = bp__pool_alloc(&g->pool, sizeof *index);
    if (!index) return no_memory(g);
    *index = g->n_variables;
    bp_value v = bp__graph_leaf(g, &bp__op_variable, name, (bp__info){.dtype = dtype, .dims = dims}, index);
    if (bp_is_bad(v)) return v;
    if (BP__GROW(g->ctx, g->variables, g->n_variables, g->cap_variables) != BP_OK) return no_memory(g);
    g->variables[g->n_variables++] = (bp__variable){.name = g->nodes[v.node].name,
                                                    .value = {v.node, 0},
                                                    .info = {.dtype = dtype, .dims = dims},
                                                    .init = init,
                                                    .trainable = trainable,
                                                    .assigned = {-1, 0}};
    return v;
}

bp_value bp_parameter(bp_graph *g, const char *name, bp_dims dims, bp_init init) {
    return variable(g, name, g->parameter_dtype, dims, init, true);
}
bp_value bp_variable(bp_graph *g, const char *name, bp_dtype dtype, bp_dims dims, bp_init init) {
    return variable(g, name, dtype, dims, init, false);
}

bp_value bp_constant(bp_graph *g, bp_dtype dtype, bp_dims dims, const void *data) {
    if (g->status != BP_OK || !may_be(g, "constant", "", dtype, &dims, true)) return bad(g);
    size_t bytes = bp_dtype_size(dtype);
    for (int64_t i = 0; i < dims.n; i++) bytes *= (size_t)dims.dim[i];
    if (!data && bytes > 0) return bp__graph_fail(g, BP_INVALID, "constant: there are no data");
    void *copy = bp__pool_alloc(&g->pool, bytes);
    if (!copy) return no_memory(g);
    if (bytes > 0) memcpy(copy, data, bytes);
    return bp__graph_leaf(g, &bp__op_constant, NULL, (bp__info){.dtype = dtype, .dims = dims}, copy);
}

bp_value bp_number(bp_graph *g, bp_dtype dtype, double v) {
    union {
        float f;
        double d;
        int32_t i;
        int64_t l;
        uint8_t u;
    } x = {.l = 0};
    switch (dtype) {
    case BP_F32: x.f = (float)v; break;
    case BP_F64: x.d = v; break;
    case BP_I32: x.i = (int32_t)v; break;
    case BP_I64: x.l = (int64_t)v; break;
    case BP_U8: x.u = (uint8_t)v; break;
    }
    return bp_constant(g, dtype, bp_shape(0), &x);
}

void bp_assign(bp_value var, bp_value value) {
    bp_graph *g = var.graph ? var.graph : value.graph;
    if (!g || g->status != BP_OK || bp_is_bad(var) || bp_is_bad(value)) return;
    if (!var.graph || g->nodes[var.node].op != &bp__op_variable) {
        bp__graph_fail(g, BP_INVALID, "assign: the first argument is not a variable");
        return;
    }
    bp__variable *v = &g->variables[*(int64_t *)g->nodes[var.node].attrs];
    const bp__info *a = &v->info, *b = info_of(value);
    bool same = a->dtype == b->dtype && a->dims.n == b->dims.n;
    for (int64_t i = 0; same && i < a->dims.n; i++) same = a->dims.dim[i] == b->dims.dim[i];
    if (!same) {
        char s[200], t[200];
        bp__graph_fail(g, BP_SHAPE, "assign: \"%s\" is %s %s, the value is %s %s", v->name, bp_dtype_name(a->dtype),
                       bp__dims_text(g->dims, &a->dims, s, sizeof s), bp_dtype_name(b->dtype),
                       bp__dims_text(g->dims, &b->dims, t, sizeof t));
    } else if (v->assigned.node >= 0) {
        bp__graph_fail(g, BP_INVALID, "assign: \"%s\" is assigned twice in one step", v->name);
    } else {
        v->assigned = (bp__ref){value.node, value.output};
    }
}

/* An operation that has only a decomposition, or no gradient rule of its own, is built as its parts. */
static bool expands(const bp__op *op) {
    return op->decompose && ((!op->forward && !op->view) || (!op->gradient && !(op->flags & BP__OP_NO_GRADIENT)));
}

static bp_value add_checked(bp_graph *g, const bp__op *op, const void *attrs, const bp_value *in, int32_t n_in) {
    bp__node node = {.op = op, .n_in = n_in, .n_out = op->n_out, .name = g->scope};
    node.attrs = bp__pool_alloc(&g->pool, op->attrs_size);
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)(n_in + 1));
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info) * (size_t)op->n_out);
    const bp__info **infos = bp__pool_alloc(&g->pool, sizeof *infos * (size_t)(n_in + 1));
    if (!node.attrs || !node.in || !node.out || !infos) return no_memory(g);
    if (attrs) memcpy(node.attrs, attrs, op->attrs_size);
    for (int32_t i = 0; i < n_in; i++) {
        node.in[i] = (bp__ref){in[i].graph ? in[i].node : -1, in[i].output};
        infos[i] = in[i].graph ? info_of(in[i]) : NULL;
    }
    bp__infer c = {.g = g, .node = &node, .attrs = node.attrs, .in = infos, .n_in = n_in, .out = node.out};
    if (op->infer(&c) != BP_OK) {
        if (g->status == BP_OK) bp__graph_fail(g, BP_INTERNAL, "%s: the shape rule failed without a sentence", op->name);
        return bad(g);
    }
    for (int32_t i = 0; i < op->n_out; i++)
        if (!has_shape(g, op->name, &node.out[i].dims)) return bad(g);
    if (expands(op) || (op->expands && op->expands(&c))) return op->decompose(g, node.attrs, in, n_in);
    if (bp__graph_push(g, &node) != BP_OK) return bad(g);
    return (bp_value){g, (int32_t)(g->n_nodes - 1), 0};
}

bp_value bp__graph_add(bp_graph *g, const bp__op *op, const void *attrs, const bp_value *in, int32_t n_in) {
    for (int32_t i = 0; i < n_in; i++) {
        if (!in[i].graph) continue;
        if (in[i].node < 0) return in[i];
        if (!g) g = in[i].graph;
        if (in[i].graph == g && !is_there(in[i]))
            return bp__graph_fail(g, BP_INVALID, "%s: input %d is no value that the graph made", op->name, i + 1);
        if (in[i].graph != g) return bp__graph_fail(g, BP_INVALID, "%s: input %d belongs to another graph", op->name, i + 1);
    }
    if (!g) return BP_NONE;
    if (g->status != BP_OK) return bad(g);
    for (int32_t i = 0; i < n_in && op->n_in >= 0; i++)
        if (!in[i].graph && op->in_names[i][0] != '?')
            return bp__graph_fail(g, BP_INVALID, "%s: input \"%s\" is missing; only optional inputs may be BP_NONE", op->name,
                                  op->in_names[i]);
    if (op->n_in < 0 && n_in == 0) return bp__graph_fail(g, BP_INVALID, "%s: needs at least one input", op->name);
    return add_checked(g, op, attrs, in, n_in);
}
