/* Building a scan: the body is made by the caller's function, once, and closed. */
#include "graph/scan.h"
#include "op/build.h"

#include <stdio.h>
#include <string.h>

static bp_value no_memory(bp_graph *g) { return bp__graph_fail(g, BP_MEMORY, "scan: out of memory while building a graph"); }

/* ---- Attributes --------------------------------------------------------------------------------------------------------------
 */

static bp_status copy_list(bp__pool *pool, bp__ref **list, int32_t n) {
    bp__ref *copy = bp__pool_alloc(pool, sizeof *copy * (size_t)(n + 1));
    if (!copy) return BP_MEMORY;
    if (n > 0) memcpy(copy, *list, sizeof *copy * (size_t)n);
    *list = copy;
    return BP_OK;
}

bp_status bp__scan_lists(bp_graph *g, bp__scan_attrs *a) {
    int32_t *saved = bp__pool_alloc(&g->pool, sizeof *saved * (size_t)(a->n_saved + 1));
    if (!saved) return BP_MEMORY;
    if (a->n_saved > 0) memcpy(saved, a->saved, sizeof *saved * (size_t)a->n_saved);
    a->saved = saved;
    BP_TRY(copy_list(&g->pool, &a->carry, a->n_carry));
    BP_TRY(copy_list(&g->pool, &a->x, a->n_x));
    BP_TRY(copy_list(&g->pool, &a->captured, a->n_captured));
    BP_TRY(copy_list(&g->pool, &a->next, a->n_carry));
    return copy_list(&g->pool, &a->out, a->n_stacked);
}

static void *attrs_copy(bp_graph *to, const void *attrs) {
    bp__scan_attrs *a = bp__pool_alloc(&to->pool, sizeof *a);
    if (!a) return NULL;
    *a = *(const bp__scan_attrs *)attrs;
    a->program = NULL; /* a program makes its own */
    return bp__scan_lists(to, a) == BP_OK && bp__graph_hold(to, a->body) == BP_OK ? a : NULL;
}

static bool same_list(const bp__ref *a, const bp__ref *b, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (a[i].node != b[i].node || a[i].output != b[i].output) return false;
    return true;
}

static bool attrs_equal(const void *left, const void *right) {
    const bp__scan_attrs *a = left, *b = right;
    if (a->body != b->body || a->axis != b->axis || a->time != b->time || a->reverse != b->reverse || a->n_carry != b->n_carry ||
        a->n_x != b->n_x || a->n_captured != b->n_captured || a->n_stacked != b->n_stacked || a->n_saved != b->n_saved)
        return false;
    for (int32_t i = 0; i < a->n_saved; i++)
        if (a->saved[i] != b->saved[i]) return false;
    return same_list(a->carry, b->carry, a->n_carry) && same_list(a->x, b->x, a->n_x) &&
           same_list(a->captured, b->captured, a->n_captured) && same_list(a->next, b->next, a->n_carry) &&
           same_list(a->out, b->out, a->n_stacked) && same_list(&a->turn, &b->turn, 1);
}

static const char *const in_names[] = {"*values"};
const bp__op bp__op_scan = {.name = "scan",
                            .family = "control",
                            .formula = "carry, y[t] = body(carry, x[t], captured), for every t",
                            .in_names = in_names,
                            .n_in = -1,
                            .n_out = 1,
                            .attrs_size = sizeof(bp__scan_attrs),
                            .flags = BP__OP_HIDDEN | BP__OP_DENSE_IN,
                            .ew_op = -1,
                            .forward = bp__scan_forward,
                            .scratch = bp__scan_scratch,
                            .gradient = bp__scan_gradient,
                            .flops = bp__scan_flops,
                            .attrs_copy = attrs_copy,
                            .attrs_equal = attrs_equal,
                            .compile = bp__scan_compile,
                            .bind = bp__scan_bind};

bp_dims bp__scan_stacked_dims(const bp__scan_attrs *a, const bp_dims *slice) {
    int64_t axis = bp__scan_axis(a, slice->n);
    bp_dims d = {.n = slice->n + 1};
    for (int64_t i = 0; i < d.n && i < BP_MAX_DIMS; i++)
        d.dim[i] = i < axis ? slice->dim[i] : i == axis ? a->time : slice->dim[i - 1];
    return d;
}

bool *bp__scan_reach(bp__pool *pool, const bp_graph *body, const bp__ref *roots, int64_t n) {
    bool *reached = bp__pool_alloc(pool, (size_t)body->n_nodes + 1);
    if (!reached) return NULL;
    for (int64_t i = 0; i < n; i++)
        if (roots[i].node >= 0) reached[roots[i].node] = true;
    for (int64_t i = body->n_nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < body->nodes[i].n_in; k++)
            if (body->nodes[i].in[k].node >= 0) reached[body->nodes[i].in[k].node] = true;
    return reached;
}

bp_value bp__scan_input(bp_graph *body, const bp__info *info) {
    char name[32];
    snprintf(name, sizeof name, "v%lld", (long long)body->n_nodes);
    return bp__graph_leaf(body, &bp__op_input, name, (bp__info){.dtype = info->dtype, .dims = info->dims}, NULL);
}

bp_value bp__scan_add(bp_graph *g, const bp__scan_attrs *attrs, const bp_value *in) {
    int32_t n_in = attrs->n_carry + attrs->n_x + attrs->n_captured;
    if (g->status != BP_OK) return (bp_value){g, -1, 0};
    bp__node node = {
        .op = &bp__op_scan, .n_in = n_in, .n_out = attrs->n_carry + attrs->n_stacked + attrs->n_saved, .name = g->scope};
    bp__scan_attrs *a = node.attrs = attrs_copy(g, attrs);
    node.in = bp__pool_alloc(&g->pool, sizeof(bp__ref) * (size_t)(n_in + 1));
    node.out = bp__pool_alloc(&g->pool, sizeof(bp__info) * (size_t)(node.n_out + 1));
    if (!a || !node.in || !node.out) return no_memory(g);
    for (int32_t i = 0; i < n_in; i++) {
        if (bp_is_bad(in[i])) return in[i];
        node.in[i] = (bp__ref){in[i].node, in[i].output};
    }
    for (int32_t k = 0; k < node.n_out; k++) {
        bool stacked = k >= a->n_carry && k < a->n_carry + a->n_stacked;
        int32_t carry = k < a->n_carry ? k : stacked ? -1 : a->saved[k - a->n_carry - a->n_stacked];
        if (stacked) {
            node.out[k] = *bp__ref_info(a->body, a->out[k - a->n_carry]);
            node.out[k].dims = bp__dims_translate(g->dims, a->body->dims, &node.out[k].dims);
        } else {
            node.out[k] = (bp__info){.dtype = bp_value_dtype(in[carry]), .dims = bp_value_dims(in[carry])};
        }
        if (k < a->n_carry) continue;
        if (node.out[k].dims.n >= BP_MAX_DIMS)
            return bp__graph_fail(g, BP_SHAPE, "scan: a value of %d dimensions cannot be stacked: it would have more than %d",
                                  BP_MAX_DIMS, BP_MAX_DIMS);
        node.out[k].dims = bp__scan_stacked_dims(a, &node.out[k].dims);
    }
    if (bp__graph_push(g, &node) != BP_OK) return (bp_value){g, -1, 0};
    return (bp_value){g, (int32_t)(g->n_nodes - 1), 0};
}

/* ---- The public constructor ---------------------------------------------------------------------------------------------------
 */

typedef struct builder {
    const bp_scan_spec *spec;
    bp_graph *g, *body;
    bp__scan_attrs a;
    bp_value lengths;
    bp_value *in;                                /* [n_carry + n_x + n_captured] of the outer graph */
    bp_value *carry, *x, *captured, *next, *out; /* of the body */
} builder;

static bp_graph *graph_of(const bp_scan_spec *s) {
    for (int i = 0; i < s->n_carry; i++)
        if (s->inits[i].graph) return s->inits[i].graph;
    for (int i = 0; i < s->n_x; i++)
        if (s->xs[i].graph) return s->xs[i].graph;
    for (int i = 0; i < s->n_captured; i++)
        if (s->captured[i].graph) return s->captured[i].graph;
    return NULL;
}

static bool usable(builder *b, bp_value v, const char *what, int i) {
    if (bp_is_bad(v)) return false;
    if (v.graph == b->g) return true;
    bp__graph_fail(b->g, BP_INVALID, "scan: %s %d is missing or belongs to another graph", what, i + 1);
    return false;
}

/* Takes the outer values into one list and finds the number of turns. */
static bool take_inputs(builder *b) {
    const bp_scan_spec *s = b->spec;
    int32_t n = 0;
    b->a.time = s->turns;
    for (int i = 0; i < s->n_carry; i++) {
        if (!usable(b, s->inits[i], "initial value", i)) return false;
        b->in[n++] = s->inits[i];
    }
    for (int i = 0; i < s->n_x; i++) {
        if (!usable(b, s->xs[i], "per-turn input", i)) return false;
        bp_dims d = bp_value_dims(s->xs[i]);
        char text[160];
        if (d.n <= s->axis) {
            bp__graph_fail(b->g, BP_SHAPE, "scan: per-turn input %d is %s; it needs a time axis, number %lld", i + 1,
                           bp__dims_text(b->g->dims, &d, text, sizeof text), (long long)s->axis);
            return false;
        }
        if (i == 0) b->a.time = d.dim[s->axis];
        if (d.dim[s->axis] != b->a.time) {
            bp__graph_fail(b->g, BP_SHAPE, "scan: per-turn input %d is %s; its time axis differs from the first one's", i + 1,
                           bp__dims_text(b->g->dims, &d, text, sizeof text));
            return false;
        }
        b->in[n++] = s->xs[i];
    }
    for (int i = 0; i < s->n_captured; i++) {
        if (!usable(b, s->captured[i], "captured value", i)) return false;
        b->in[n++] = s->captured[i];
    }
    if (b->lengths.graph) {
        if (!usable(b, b->lengths, "lengths", 0)) return false;
        if (bp_value_dtype(b->lengths) != BP_I64 || bp_value_dims(b->lengths).n != 1) {
            bp__graph_fail(b->g, BP_TYPE, "scan: lengths must be i64 of shape [batch]");
            return false;
        }
        b->in[n++] = b->lengths;
    }
    return true;
}

static bp__info slice_info(const builder *b, bp_value x) {
    bp_dims d = bp_value_dims(x), r = {.n = d.n - 1};
    for (int64_t i = 0; i < r.n; i++) r.dim[i] = d.dim[i < b->a.axis ? i : i + 1];
    return (bp__info){.dtype = bp_value_dtype(x), .dims = r};
}

static void make_inputs(builder *b) {
    int32_t n = 0;
    for (int32_t i = 0; i < b->a.n_carry; i++, n++) {
        bp__info info = {.dtype = bp_value_dtype(b->in[n]), .dims = bp_value_dims(b->in[n])};
        b->carry[i] = bp__scan_input(b->body, &info);
        b->a.carry[i] = (bp__ref){b->carry[i].node, 0};
    }
    for (int32_t i = 0; i < b->a.n_x; i++, n++) {
        bp__info info = slice_info(b, b->in[n]);
        b->x[i] = bp__scan_input(b->body, &info);
        b->a.x[i] = (bp__ref){b->x[i].node, 0};
    }
    for (int32_t i = 0; i < b->a.n_captured; i++, n++) {
        bp__info info = {.dtype = bp_value_dtype(b->in[n]), .dims = bp_value_dims(b->in[n])};
        b->captured[i] = bp__scan_input(b->body, &info);
        b->a.captured[i] = (bp__ref){b->captured[i].node, 0};
    }
    bp__info turn = {.dtype = BP_I64};
    b->a.turn = (bp__ref){bp__scan_input(b->body, &turn).node, 0};
}

/* A finished row keeps its state and gives zeros: written into the body, so that the gradient follows by itself. */
static void select_rows(builder *b) {
    bp_graph *body = b->body;
    bp_value lengths = b->captured[b->a.n_captured - 1], active = bp_lt((bp_value){body, b->a.turn.node, 0}, lengths);
    int64_t rows = bp_value_dims(lengths).dim[0];
    for (int32_t i = 0; i < b->a.n_carry + b->a.n_stacked && body->status == BP_OK; i++) {
        bool carried = i < b->a.n_carry;
        bp_value *v = carried ? &b->next[i] : &b->out[i - b->a.n_carry];
        bp_dims d = bp_value_dims(*v), mask = {.n = d.n};
        if (d.n == 0 || d.dim[0] != rows) {
            bp__graph_fail(body, BP_SHAPE, "scan: with lengths, %s %d must have the rows of lengths as its axis 0",
                           carried ? "carried value" : "stacked output", carried ? i + 1 : i - b->a.n_carry + 1);
            return;
        }
        for (int64_t k = 0; k < d.n; k++) mask.dim[k] = k == 0 ? rows : 1;
        *v = bp_where(bp_reshape(active, mask), *v, carried ? b->carry[i] : bp_number(body, bp_value_dtype(*v), 0));
    }
}

static void check_carry(builder *b, int32_t i) {
    bp_graph *body = b->body;
    bp_dims was = bp_value_dims(b->carry[i]), is = bp_value_dims(b->next[i]);
    bool fits = was.n == is.n && bp_value_dtype(b->carry[i]) == bp_value_dtype(b->next[i]);
    for (int64_t k = 0; k < was.n && fits; k++) {
        if (was.dim[k] == is.dim[k]) continue;
        fits = (was.dim[k] < 0 || is.dim[k] < 0) && BP__GROW(body->ctx, body->checks, body->n_checks, body->cap_checks) == BP_OK;
        if (fits) body->checks[body->n_checks++] = (bp__dim_check){was.dim[k], is.dim[k], -1};
    }
    if (fits) return;
    char s[160], t[160];
    bp__graph_fail(body, BP_SHAPE, "scan: carried value %d is %s %s, but the body gives %s %s for the next turn", i + 1,
                   bp_dtype_name(bp_value_dtype(b->carry[i])), bp__dims_text(body->dims, &was, s, sizeof s),
                   bp_dtype_name(bp_value_dtype(b->next[i])), bp__dims_text(body->dims, &is, t, sizeof t));
}

/* Runs the caller's function and checks what it gave. */
static void make_body(builder *b) {
    bp_graph *body = b->body;
    int32_t n_carry = b->a.n_carry, n_out = b->a.n_stacked;
    for (int32_t i = 0; i < n_carry; i++) b->next[i] = BP_NONE;
    for (int32_t i = 0; i < n_out; i++) b->out[i] = BP_NONE;
    make_inputs(b);
    if (body->status == BP_OK) b->spec->body(body, b->carry, b->x, b->captured, b->next, b->out, b->spec->user);
    for (int32_t i = 0; i < n_carry + n_out && body->status == BP_OK; i++) {
        bp_value v = i < n_carry ? b->next[i] : b->out[i - n_carry];
        if (v.graph != body || v.node < 0)
            bp__graph_fail(body, BP_INVALID, "scan: the body did not set %s %d to a value of its own graph",
                           i < n_carry ? "next carry" : "output", i < n_carry ? i + 1 : i - n_carry + 1);
        else if (i < n_carry)
            check_carry(b, i);
    }
    if (body->status == BP_OK && body->n_variables > 0)
        bp__graph_fail(body, BP_INVALID,
                       "scan: the body makes the variable \"%s\"; make it outside and give it as a captured value",
                       body->variables[0].name);
    if (body->status == BP_OK && b->lengths.graph) select_rows(b);
    for (int32_t i = 0; i < n_carry; i++) b->a.next[i] = (bp__ref){b->next[i].node, b->next[i].output};
    for (int32_t i = 0; i < n_out; i++) b->a.out[i] = (bp__ref){b->out[i].node, b->out[i].output};
    if (body->status != BP_OK) {
        bp__graph_fail(b->g, body->status, "%s", bp_context_error(b->g->ctx));
        return;
    }
    for (int i = 0; i < bp__dim_symbol_count(body->dims); i++) bp__dim_symbol(b->g->dims, bp__dim_symbol_name(body->dims, i));
}

static bool make_room(builder *b) {
    bp__pool *pool = &b->body->pool;
    size_t n = (size_t)(b->a.n_carry + b->a.n_x + b->a.n_captured), outs = (size_t)(b->a.n_carry + b->a.n_stacked);
    bp_value *values = bp__pool_alloc(pool, sizeof *values * (2 * n + outs + 1));
    bp__ref *refs = bp__pool_alloc(pool, sizeof *refs * (n + outs + 1));
    b->a.saved = bp__pool_alloc(pool, sizeof(int32_t) * (size_t)(b->a.n_saved + 1));
    if (!values || !refs || !b->a.saved) return false;
    b->in = values;
    b->carry = values + n;
    b->x = b->carry + b->a.n_carry;
    b->captured = b->x + b->a.n_x;
    b->next = values + 2 * n;
    b->out = b->next + b->a.n_carry;
    b->a.carry = refs;
    b->a.x = refs + b->a.n_carry;
    b->a.captured = b->a.x + b->a.n_x;
    b->a.next = refs + n;
    b->a.out = b->a.next + b->a.n_carry;
    for (int32_t i = 0; i < b->a.n_saved; i++) b->a.saved[i] = i;
    return true;
}

static bp_value build(builder *b) {
    const bp_scan_spec *s = b->spec;
    bp_graph *g = b->g;
    if (s->size < sizeof *s || !s->body || s->n_carry < 0 || s->n_x < 0 || s->n_captured < 0 || s->n_stacked < 0 ||
        s->n_carry + s->n_stacked == 0)
        return bp__graph_fail(g, BP_INVALID, "scan: the specification needs its size, a body, and something carried or stacked");
    if (s->axis != 0 && s->axis != 1)
        return bp__graph_fail(g, BP_INVALID, "scan: axis must be 0 or 1, not %lld", (long long)s->axis);
    if (s->n_x == 0 && s->turns == -1)
        return bp__graph_fail(g, BP_INVALID, "scan: without per-turn inputs, `turns` must be given");
    b->body = b->a.body = bp__graph_copy_empty(g);
    if (!b->body || !make_room(b)) return no_memory(g);
    if (!take_inputs(b)) return (bp_value){g, -1, 0};
    make_body(b);
    return bp__scan_add(g, &b->a, b->in);
}

void bp_scan(bp_value *finals, bp_value *stacked, const bp_scan_spec *spec) {
    bp_graph *g = graph_of(spec);
    builder b = {.spec = spec, .g = g, .lengths = spec->lengths};
    b.a = (bp__scan_attrs){.axis = spec->axis,
                           .reverse = spec->reverse != 0,
                           .n_carry = spec->n_carry,
                           .n_x = spec->n_x,
                           .n_captured = spec->n_captured + (spec->lengths.graph != NULL),
                           .n_stacked = spec->n_stacked,
                           .n_saved = spec->n_carry};
    bp_value first = g && g->status == BP_OK ? build(&b) : (bp_value){g, -1, 0};
    for (int i = 0; i < spec->n_carry; i++) finals[i] = first.node < 0 ? first : bp__output(first, i);
    for (int i = 0; i < spec->n_stacked; i++) stacked[i] = first.node < 0 ? first : bp__output(first, spec->n_carry + i);
    bp_graph_free(b.body); /* the node's graph holds it */
}
