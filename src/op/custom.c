/* An operation from outside: the caller's functions as one node. Passes see a node without a formula; inputs reach it row-major.
 */
#include "op/op.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 16 }; /* inputs, and outputs */

typedef struct custom_attrs {
    bp_custom_spec spec; /* its name in the graph's pool */
} custom_attrs;

static void *attrs_copy(bp_graph *to, const void *attrs) {
    custom_attrs *a = bp__pool_alloc(&to->pool, sizeof *a);
    if (!a) return NULL;
    *a = *(const custom_attrs *)attrs;
    a->spec.name = bp__pool_strdup(&to->pool, a->spec.name);
    return a->spec.name ? a : NULL;
}

static bool attrs_equal(const void *left, const void *right) {
    const bp_custom_spec *a = left, *b = right;
    return a->forward == b->forward && a->gradient == b->gradient && a->shape == b->shape && a->user == b->user &&
           a->n_outputs == b->n_outputs;
}

static const char *sentence_of(const bp_custom_call *call) {
    return call->error ? call->error : "its function failed without a word";
}

/* ---- Running ---------------------------------------------------------------------------------------------------------- */

static bp_array array_of(const bp__tensor *t) {
    bp_array a = {.data = t->data, .dtype = (bp_dtype)t->dtype, .dims = {.n = t->n_dims}};
    for (int32_t i = 0; i < t->n_dims; i++) a.dims.dim[i] = t->dim[i];
    return a;
}

static void forward(const bp__call *c) {
    const custom_attrs *a = c->attrs;
    bp_array in[MOST], out[MOST];
    for (int32_t i = 0; i < c->n_in; i++) in[i] = array_of(&c->in[i]);
    for (int32_t i = 0; i < c->n_out; i++) out[i] = array_of(&c->out[i]);
    bp_custom_call call = {.size = sizeof call, .in = in, .out = out, .n_in = c->n_in, .n_out = c->n_out, .user = a->spec.user};
    bp_status status = a->spec.forward(&call);
    if (status == BP_OK || c->env->failure->status != BP_OK) return;
    c->env->failure->status = status;
    snprintf(c->env->failure->sentence, sizeof c->env->failure->sentence, "%s: %s", a->spec.name, sentence_of(&call));
}

/* ---- Gradient --------------------------------------------------------------------------------------------------------- */

static void gradient(bp__grad *c) {
    const bp_custom_spec *s = &((const custom_attrs *)c->attrs)->spec;
    int wanted[MOST];
    if (!s->gradient) {
        bp__graph_fail(c->g, BP_UNSUPPORTED,
                       "%s: it has no gradient; give its specification one, or cut it off with stop_gradient", s->name);
        return;
    }
    for (int32_t i = 0; i < c->n_in; i++) wanted[i] = c->wanted[i];
    bp_custom_gradient g = {.size = sizeof g,
                            .graph = c->g,
                            .in = c->in,
                            .out = c->out,
                            .d_out = c->d_out,
                            .wanted = wanted,
                            .d_in = c->d_in,
                            .n_in = c->n_in,
                            .n_out = c->n_out,
                            .user = s->user};
    s->gradient(&g);
    for (int32_t i = 0; i < c->n_in && c->g->status == BP_OK; i++) {
        bp_value d = c->d_in[i];
        if (!c->wanted[i] || !d.graph) continue;
        if (d.graph != c->g || d.node < 0)
            bp__graph_fail(c->g, BP_INVALID, "%s: the gradient of input %d is no value of this graph", s->name, (int)i + 1);
        else if (bp_value_dtype(d) != bp_value_dtype(c->in[i]))
            bp__graph_fail(c->g, BP_TYPE, "%s: the gradient of input %d is %s, the input %s", s->name, (int)i + 1,
                           bp_dtype_name(bp_value_dtype(d)), bp_dtype_name(bp_value_dtype(c->in[i])));
    }
}

static const char *const in_names[] = {"*values"};
static const bp__op op_custom = {.name = "custom",
                                 .family = "custom",
                                 .formula = "whatever its function computes",
                                 .in_names = in_names,
                                 .n_in = -1,
                                 .n_out = 1,
                                 .attrs_size = sizeof(custom_attrs),
                                 .flags = BP__OP_HIDDEN | BP__OP_DENSE_IN,
                                 .ew_op = -1,
                                 .forward = forward,
                                 .gradient = gradient,
                                 .attrs_copy = attrs_copy,
                                 .attrs_equal = attrs_equal};

/* ---- Building --------------------------------------------------------------------------------------------------------- */

static bp_status infer(bp_graph *g, const bp_custom_spec *s, const bp_value *in, int n_in, bp__info *info) {
    bp_array arrays[MOST], out[MOST] = {{0}};
    for (int i = 0; i < n_in; i++) arrays[i] = (bp_array){.dtype = bp_value_dtype(in[i]), .dims = bp_value_dims(in[i])};
    for (int k = 0; k < s->n_outputs; k++) out[k] = arrays[0];
    bp_custom_call call = {.size = sizeof call, .in = arrays, .out = out, .n_in = n_in, .n_out = s->n_outputs, .user = s->user};
    bp_status status = s->shape ? s->shape(&call) : BP_OK;
    if (status != BP_OK) {
        bp__graph_fail(g, status, "%s: %s", s->name, sentence_of(&call));
        return status;
    }
    for (int k = 0; k < s->n_outputs; k++) {
        bool good = out[k].dtype >= BP_F32 && out[k].dtype <= BP_U8 && out[k].dims.n >= 0 && out[k].dims.n <= BP_MAX_DIMS;
        for (int64_t i = 0; good && i < out[k].dims.n; i++) good = out[k].dims.dim[i] != BP_INFER;
        if (!good) {
            bp__graph_fail(g, BP_SHAPE, "%s: its shape function did not give output %d a type and a shape", s->name, k + 1);
            return BP_SHAPE;
        }
        info[k] = (bp__info){.dtype = out[k].dtype, .dims = out[k].dims};
    }
    return BP_OK;
}

static bp_value add(bp_graph *g, const bp_custom_spec *spec, const bp_value *in, int n_in) {
    bp__node node = {.op = &op_custom, .n_in = n_in, .n_out = spec->n_outputs, .name = g->scope};
    node.attrs = attrs_copy(g, spec);
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)n_in);
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info) * (size_t)node.n_out);
    if (!node.attrs || !node.in || !node.out)
        return bp__graph_fail(g, BP_MEMORY, "%s: out of memory while building a graph", spec->name);
    if (!node.name) node.name = ((const custom_attrs *)node.attrs)->spec.name;
    for (int i = 0; i < n_in; i++) node.in[i] = (bp__ref){in[i].node, in[i].output};
    if (infer(g, spec, in, n_in, node.out) != BP_OK || bp__graph_push(g, &node) != BP_OK) return (bp_value){g, -1, 0};
    return (bp_value){g, (int32_t)(g->n_nodes - 1), 0};
}

bp_value bp_custom(const bp_value *in, int n_in, const bp_custom_spec *spec) {
    bp_graph *g = n_in > 0 && in ? in[0].graph : NULL;
    if (!g) return BP_NONE;
    if (g->status != BP_OK) return (bp_value){g, -1, 0};
    if (!spec || spec->size < sizeof *spec || !spec->name || !spec->forward || n_in > MOST || spec->n_outputs < 1 ||
        spec->n_outputs > MOST)
        return bp__graph_fail(
            g, BP_INVALID, "custom: the specification needs its size, a name, a forward function, and 1 to %d inputs and outputs",
            MOST);
    for (int i = 0; i < n_in; i++) {
        if (bp_is_bad(in[i])) return in[i];
        if (in[i].graph != g)
            return bp__graph_fail(g, BP_INVALID, "%s: input %d is missing, or belongs to another graph", spec->name, i + 1);
    }
    return add(g, spec, in, n_in);
}
