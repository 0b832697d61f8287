/* An operation in words: formula, signature, shapes, gradient rule and an example, all from the table. The rule is what the chain
   rule builds for a sample; what an operation is made of is shown likewise. */
#include "op/make.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_LINES = 24, MOST_IN = 6 };

static const char *plain(const char *name) { return *name == '?' || *name == '*' ? name + 1 : name; }

/* ---- Attributes ---------------------------------------------------------------------------------------------------- */

static void add_number(bp__buffer *b, double v, bool single) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) { /* the shortest that reads back */
        double back = 0;
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (sscanf(text, "%lf", &back) == 1 && (single ? (float)back == (float)v : back == v)) break;
    }
    bp__buffer_text(b, text);
}

static void add_dims(bp__buffer *b, const bp_dims *d) {
    if (d->n < 0) {
        bp__buffer_text(b, "all");
        return;
    }
    bp__buffer_text(b, "[");
    for (int64_t i = 0; i < d->n; i++) bp__buffer_printf(b, "%s%lld", i ? ", " : "", (long long)d->dim[i]);
    bp__buffer_text(b, "]");
}

static void add_attr(bp__buffer *b, const bp__attr *a, const void *attrs) {
    const void *at = (const char *)attrs + a->offset;
    switch (a->type) {
    case BP__ATTR_F64:
        if (isnan(*(const double *)at))
            bp__buffer_text(b, "left out");
        else
            add_number(b, *(const double *)at, false);
        break;
    case BP__ATTR_I64:
        if (*(const int64_t *)at == BP_UNSET)
            bp__buffer_text(b, "left out");
        else
            bp__buffer_printf(b, "%lld", (long long)*(const int64_t *)at);
        break;
    case BP__ATTR_BOOL: bp__buffer_text(b, *(const int32_t *)at ? "1" : "0"); break;
    case BP__ATTR_DIMS: add_dims(b, at); break;
    case BP__ATTR_DTYPE: bp__buffer_text(b, bp_dtype_name((bp_dtype) * (const int32_t *)at)); break;
    case BP__ATTR_TEXT: bp__buffer_printf(b, "\"%s\"", *(const char *const *)at ? *(const char *const *)at : ""); break;
    }
}

static bool attr_equal(const bp__attr *a, const void *x, const void *y) {
    const char *p = (const char *)x + a->offset, *q = (const char *)y + a->offset;
    switch (a->type) {
    case BP__ATTR_F64: return *(const double *)(const void *)p == *(const double *)(const void *)q;
    case BP__ATTR_I64: return *(const int64_t *)(const void *)p == *(const int64_t *)(const void *)q;
    case BP__ATTR_BOOL:
    case BP__ATTR_DTYPE: return *(const int32_t *)(const void *)p == *(const int32_t *)(const void *)q;
    case BP__ATTR_TEXT: {
        const char *s = *(const char *const *)(const void *)p, *t = *(const char *const *)(const void *)q;
        return s == t || (s && t && strcmp(s, t) == 0);
    }
    default: {
        const bp_dims *d = (const bp_dims *)(const void *)p, *e = (const bp_dims *)(const void *)q;
        bool same = d->n == e->n;
        for (int64_t i = 0; same && i < d->n; i++) same = d->dim[i] == e->dim[i];
        return same;
    }
    }
}

/* ---- Expressions ----------------------------------------------------------------------------------------------------- */

typedef struct printer {
    bp__buffer *b;
    bp_graph *g;
    int32_t *uses;     /* [nodes] */
    char (*names)[24]; /* [nodes]: what a node is called; "" while it is written out where it is used */
    int n_lets, n_lines;
} printer;

static void add_constant(bp__buffer *b, const bp__node *n) {
    int64_t count = 1;
    for (int64_t i = 0; i < n->out[0].dims.n; i++) count *= n->out[0].dims.dim[i];
    if (count != 1) {
        bp__buffer_text(b, "constant");
        add_dims(b, &n->out[0].dims);
        return;
    }
    switch (n->out[0].dtype) {
    case BP_F32: add_number(b, (double)*(const float *)n->attrs, true); break;
    case BP_F64: add_number(b, *(const double *)n->attrs, false); break;
    case BP_I32: bp__buffer_printf(b, "%ld", (long)*(const int32_t *)n->attrs); break;
    case BP_I64: bp__buffer_printf(b, "%lld", (long long)*(const int64_t *)n->attrs); break;
    case BP_U8: bp__buffer_printf(b, "%d", (int)*(const uint8_t *)n->attrs); break;
    }
}

static void add_call(printer *p, int32_t index, int depth);

static void add_ref(printer *p, bp__ref r, int depth) {
    if (r.node < 0)
        bp__buffer_text(p->b, "none");
    else if (p->names[r.node][0])
        bp__buffer_text(p->b, p->names[r.node]);
    else if (p->g->nodes[r.node].op == &bp__op_constant)
        add_constant(p->b, &p->g->nodes[r.node]);
    else
        add_call(p, r.node, depth + 1);
    if (r.node >= 0 && r.output > 0) bp__buffer_printf(p->b, ".%d", (int)r.output);
}

static void add_call(printer *p, int32_t index, int depth) {
    const bp__node *n = &p->g->nodes[index];
    bp__buffer_printf(p->b, "%s(", n->op->name);
    for (int32_t i = 0; i < n->n_in; i++) {
        if (i) bp__buffer_text(p->b, ", ");
        add_ref(p, n->in[i], depth);
    }
    for (int32_t i = 0; i < n->op->n_attrs; i++) {
        const bp__attr *a = &n->op->attrs[i];
        if (!a->required && attr_equal(a, n->attrs, n->op->attr_defaults)) continue;
        bp__buffer_printf(p->b, ", %s=", a->name);
        add_attr(p->b, a, n->attrs);
    }
    bp__buffer_text(p->b, ")");
}

static void count_uses(printer *p, int32_t index) {
    if (index < 0 || p->uses[index]++ > 0 || p->names[index][0]) return;
    const bp__node *n = &p->g->nodes[index];
    for (int32_t i = 0; i < n->n_in; i++) count_uses(p, n->in[i].node);
}

static bool begin_line(printer *p, const char *label, const char *name) {
    if (p->n_lines++ >= MOST_LINES) return false;
    bp__buffer_printf(p->b, "%-12s%s = ", p->n_lines == 1 ? label : "", name);
    return true;
}

/* "label  t1 = …" lines for what is used twice, then one line for each value. */
static void add_values(printer *p, const char *label, const bp_value *values, const char (*value_names)[40], int n) {
    p->n_lines = 0;
    memset(p->uses, 0, sizeof *p->uses * (size_t)p->g->n_nodes);
    for (int i = 0; i < n; i++) count_uses(p, values[i].node);
    for (int32_t i = 0; i < p->g->n_nodes; i++) {
        const bp__op *op = p->g->nodes[i].op;
        if (p->uses[i] < 2 || p->names[i][0] || op == &bp__op_constant) continue;
        char name[24];
        snprintf(name, sizeof name, "t%d", ++p->n_lets);
        if (begin_line(p, label, name)) {
            add_call(p, i, 0);
            bp__buffer_text(p->b, "\n");
        }
        memcpy(p->names[i], name, sizeof name);
    }
    for (int i = 0; i < n; i++) {
        if (!begin_line(p, label, value_names[i])) continue;
        add_ref(p, (bp__ref){values[i].node, values[i].output}, 0);
        bp__buffer_text(p->b, "\n");
    }
    if (p->n_lines > MOST_LINES) bp__buffer_printf(p->b, "%-12s... and %d lines more\n", "", p->n_lines - MOST_LINES);
}

/* ---- A sample as a graph ---------------------------------------------------------------------------------------------- */

typedef struct example {
    const bp__op *op;
    const bp__sample *sample;
    const void *attrs;
    bp_value in[MOST_IN], out;
    char names[MOST_IN][24];
} example;

/* The sample with the most inputs and no empty one. */
static const bp__sample *choose(const bp__op *op) {
    const bp__sample *best = NULL;
    int most = -1;
    for (int32_t s = 0; s < op->n_samples; s++) {
        int n = 0;
        bool empty = false;
        for (int32_t i = 0; i < op->samples[s].n_in; i++) {
            const bp__sample_in *in = &op->samples[s].in[i];
            n += in->low <= in->high;
            for (int64_t k = 0; k < in->dims.n; k++) empty |= in->dims.dim[k] == 0;
        }
        if (!empty && n > most) best = &op->samples[s], most = n;
    }
    return best;
}

static void build(example *e, bp_graph *g) {
    for (int32_t i = 0; i < e->sample->n_in; i++) {
        const bp__sample_in *s = &e->sample->in[i];
        e->in[i] = BP_NONE;
        if (e->op->n_in < 0)
            snprintf(e->names[i], sizeof e->names[i], "%s%d", plain(e->op->in_names[0]), (int)i);
        else
            snprintf(e->names[i], sizeof e->names[i], "%s", plain(e->op->in_names[i]));
        if (s->low <= s->high) e->in[i] = bp_input(g, e->names[i], s->dtype, s->dims);
    }
    e->out = bp__graph_add(g, e->op, e->attrs, e->in, e->sample->n_in);
}

static void name_node(printer *p, bp_value v, const char *name) {
    if (v.graph && v.node >= 0) snprintf(p->names[v.node], sizeof p->names[0], "%s", name);
}

static void add_shape(bp__buffer *b, bp_value v, const char *name) {
    bp_dims d = bp_value_dims(v);
    bp__buffer_printf(b, "%s %s ", name, bp_dtype_name(bp_value_dtype(v)));
    add_dims(b, &d);
}

static void add_shapes(bp__buffer *b, const example *e) {
    bp__buffer_printf(b, "%-12s", "shapes");
    for (int32_t i = 0, n = 0; i < e->sample->n_in; i++) {
        if (!e->in[i].graph) continue;
        if (n++) bp__buffer_text(b, ", ");
        add_shape(b, e->in[i], e->names[i]);
    }
    bp__buffer_text(b, " -> ");
    for (int32_t k = 0; k < e->op->n_out; k++) {
        char name[16];
        snprintf(name, sizeof name, k ? "y.%d" : "y", (int)k);
        if (k) bp__buffer_text(b, ", ");
        add_shape(b, bp__output(e->out, k), name);
    }
    bp__buffer_text(b, "\n");
}

static bool is_float(bp_value v) { return v.graph && (bp_value_dtype(v) == BP_F32 || bp_value_dtype(v) == BP_F64); }

/* What it is made of, and its gradient. */
static bp_status add_rules(bp__buffer *b, const example *e, bp_graph *g) {
    int64_t n_before = g->n_nodes;
    bool made_of_others = e->out.node >= 0 && g->nodes[e->out.node].op != e->op;
    bp_value values[4], cotangents[4], wrt[MOST_IN], d[MOST_IN];
    char value_names[MOST_IN][40];
    static const char y_name[1][40] = {"y"};
    int n = 0, m = 0;
    const char *d_y = "d_y"; /* the output's gradient, unless an input is called so */
    for (int32_t i = 0; i < e->sample->n_in; i++)
        if (strcmp(e->names[i], d_y) == 0) d_y = "dd_y";
    for (int32_t k = 0; k < e->op->n_out && n < 4; k++) {
        char name[16];
        snprintf(name, sizeof name, k ? "%s.%d" : "%s", d_y, (int)k);
        values[n] = bp__output(e->out, k);
        if (!is_float(values[n])) continue;
        cotangents[n] = bp_input(g, name, bp_value_dtype(values[n]), bp_value_dims(values[n]));
        n++;
    }
    for (int32_t i = 0; i < e->sample->n_in; i++)
        if (is_float(e->in[i])) {
            snprintf(value_names[m], sizeof value_names[m], "d_%s", e->names[i]);
            wrt[m++] = e->in[i];
        }
    bool rule = n > 0 && m > 0 && !(e->op->flags & BP__OP_NO_GRADIENT);
    if (rule) bp_gradients(d, values, cotangents, n, wrt, m);
    BP_TRY(bp_graph_status(g));
    printer p = {.b = b, .g = g};
    p.uses = bp__zalloc(g->ctx, sizeof *p.uses * (size_t)g->n_nodes);
    p.names = bp__zalloc(g->ctx, sizeof *p.names * (size_t)g->n_nodes);
    if (!p.uses || !p.names) {
        bp__free(g->ctx, p.uses);
        bp__free(g->ctx, p.names);
        return bp__out_of_memory(g->ctx, 0);
    }
    for (int64_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == &bp__op_input) snprintf(p.names[i], sizeof p.names[0], "%s", g->nodes[i].name);
    if (made_of_others) add_values(&p, "made of", &e->out, y_name, 1);
    if (e->out.node < n_before) name_node(&p, e->out, "y");
    if (rule)
        add_values(&p, "gradient", d, (const char(*)[40])value_names, m);
    else
        bp__buffer_printf(b, "%-12snone: %s\n", "gradient",
                          n == 0   ? "the results are whole numbers or truth values"
                          : m == 0 ? "no input is of a float type"
                                   : "constant for the chain rule");
    bp__free(g->ctx, p.uses);
    bp__free(g->ctx, p.names);
    return BP_OK;
}

/* ---- All of it -------------------------------------------------------------------------------------------------------- */

static void add_attributes(bp__buffer *b, const bp__op *op) {
    for (int32_t i = 0; i < op->n_attrs; i++) {
        const bp__attr *a = &op->attrs[i];
        bp__buffer_printf(b, "%-12s%s: ", i ? "" : "attributes", a->name);
        if (a->required)
            bp__buffer_text(b, "required");
        else
            add_attr(b, a, op->attr_defaults);
        bp__buffer_text(b, "\n");
    }
    if (op->n_attrs == 0) bp__buffer_printf(b, "%-12snone\n", "attributes");
}

static void add_c_value(bp__buffer *b, const bp__attr *a, const void *attrs) {
    const void *at = (const char *)attrs + a->offset;
    if (a->type == BP__ATTR_DIMS) {
        const bp_dims *d = at;
        bp__buffer_printf(b, "bp_shape(%lld", (long long)d->n);
        for (int64_t i = 0; i < d->n; i++) bp__buffer_printf(b, ", %lld", (long long)d->dim[i]);
        bp__buffer_text(b, ")");
    } else if (a->type == BP__ATTR_DTYPE) {
        static const char *const names[] = {
            [BP_F32] = "BP_F32", [BP_F64] = "BP_F64", [BP_I32] = "BP_I32", [BP_I64] = "BP_I64", [BP_U8] = "BP_U8"};
        bp__buffer_text(b, names[*(const int32_t *)at]);
    } else {
        add_attr(b, a, attrs);
    }
}

static void add_example(bp__buffer *b, const example *e) {
    const bp__op *op = e->op;
    const void *attrs = e->attrs; /* those of the shapes above; where nothing is required, of a sample that sets something */
    bool options = false, required = false, set = false;
    for (int32_t i = 0; i < op->n_attrs; i++) {
        options |= !op->attrs[i].required;
        required |= op->attrs[i].required;
    }
    for (int32_t s = 0; s < op->n_samples && !required && bp__attrs_equal(op, attrs, op->attr_defaults); s++)
        if (op->samples[s].attrs) attrs = op->samples[s].attrs;
    for (int32_t i = 0; i < op->n_attrs; i++) {
        const bp__attr *a = &op->attrs[i];
        const bp_dims *d = (const bp_dims *)(const void *)((const char *)attrs + a->offset);
        if (a->required || attr_equal(a, attrs, op->attr_defaults) || (a->type == BP__ATTR_DIMS && d->n <= 0)) continue;
        if (!set) bp__buffer_printf(b, "%-12sbp_%s_options o = bp_%s_defaults();\n", "example", op->name, op->name);
        bp__buffer_printf(b, "%-12so.%s = ", "", a->name);
        add_c_value(b, a, attrs);
        bp__buffer_text(b, ";\n");
        set = true;
    }
    bp__buffer_printf(b, "%-12sbp_value y = bp_%s(", set ? "" : "example", op->name);
    if (op->n_in < 0) bp__buffer_printf(b, "%s, %d", plain(op->in_names[0]), (int)e->sample->n_in);
    for (int32_t i = 0; i < op->n_in; i++) bp__buffer_printf(b, "%s%s", i ? ", " : "", e->in[i].graph ? e->names[i] : "BP_NONE");
    for (int32_t i = 0; i < op->n_attrs; i++) {
        if (!op->attrs[i].required) continue;
        bp__buffer_text(b, ", ");
        add_c_value(b, &op->attrs[i], attrs);
    }
    bp__buffer_printf(b, "%s);\n", !options ? "" : set ? ", &o" : ", NULL");
}

static bp_status describe(bp__buffer *b, bp_context *ctx, const bp__op *op) {
    bp_graph *g = NULL;
    example e = {.op = op, .sample = choose(op)};
    bp__buffer_printf(b, "%s\n%-12s%s\n%-12s%s\n%-12s", op->name, "family", op->family, "formula", op->formula, "inputs");
    for (int32_t i = 0; i < (op->n_in < 0 ? 1 : op->n_in); i++)
        bp__buffer_printf(b, "%s%s%s", i ? ", " : "", plain(op->in_names[i]),
                          *op->in_names[i] == '?'   ? " (optional)"
                          : *op->in_names[i] == '*' ? " (any number)"
                                                    : "");
    bp__buffer_text(b, "\n");
    add_attributes(b, op);
    if (!e.sample || e.sample->n_in > MOST_IN) return BP_OK;
    e.attrs = e.sample->attrs ? e.sample->attrs : op->attr_defaults;
    BP_TRY(bp_graph_new(&g, ctx));
    build(&e, g);
    bp_status status = bp_graph_status(g);
    if (status == BP_OK) {
        add_shapes(b, &e);
        status = add_rules(b, &e, g);
        add_example(b, &e);
    }
    bp_graph_free(g);
    bp__buffer_printf(b, "%-12s%d\n", "samples", (int)op->n_samples);
    return status;
}

bp_status bp_operation_describe(bp_context *ctx, const char *name, char **text) {
    *text = NULL;
    const bp__op *op = bp__op_find(name);
    if (!op || (op->flags & BP__OP_HIDDEN))
        return bp__fail(ctx, BP_NOT_FOUND, "there is no operation %s: bp_operation() lists them", name);
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    bp_status status = describe(&b, ctx, op);
    if (status != BP_OK) {
        bp__buffer_free(&b);
        return status;
    }
    return bp__buffer_take(&b, text);
}
