/* The gradient of a scan is a scan that runs the other way. Its body is the body with its own gradient built behind it: a turn is
   computed again from the values saved before it. Carried: the cotangents of the carried values. Per turn come the saved values,
   x and the cotangents of what was stacked; d_x is stacked.

   A captured value's gradient is a sum over the turns. Where a turn's part is a product aᵀ d or a sum over rows, a and d are
   stacked and summed once, over (turn, row), behind the loop, here already and not in a pass, so that the order of sums is the
   same with and without passes. Any other part is added up in a carried value. */
#include "graph/scan.h"
#include "op/build.h"

#include <string.h>

typedef struct builder {
    bp__grad *c;
    const bp__scan_attrs *a; /* forward */
    bp_graph *body;          /* backward */
    bp__scan_attrs n;        /* of the new node */
    bp_value *inits, *xs;    /* outer values beside n.carry and n.x */
    bp_value first;          /* output 0 of the new node, once it is there */
    bool *moves;             /* [body nodes]: depends on a cotangent */
    int64_t cap_out;
} builder;

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

static bp_value body_value(const builder *b, bp__ref r) { return bp__value(b->body, r); }

static bp__ref new_carry(builder *b, bp__ref like, bp_value init) {
    bp__info info = *bp__ref_info(b->body, like);
    bp__ref r = {bp__scan_input(b->body, &info).node, 0};
    b->inits[b->n.n_carry] = init;
    b->n.carry[b->n.n_carry++] = r;
    return r;
}

static void add_x(builder *b, bp__ref input, bp_value outer) {
    b->xs[b->n.n_x] = outer;
    b->n.x[b->n.n_x++] = input;
}

static bp__ref new_x(builder *b, bp__ref like, bp_value outer) {
    bp__info info = *bp__ref_info(b->body, like);
    bp__ref r = {bp__scan_input(b->body, &info).node, 0};
    add_x(b, r, outer);
    return r;
}

static bp_value zeros(bp_value like) { return bp_fill(bp_number(like.graph, bp_value_dtype(like), 0), bp_value_dims(like)); }

static int32_t stack(builder *b, bp__ref r) {
    for (int32_t j = 0; j < b->n.n_stacked; j++)
        if (b->n.out[j].node == r.node && b->n.out[j].output == r.output) return j;
    if (b->n.n_stacked == b->cap_out) {
        bp__graph_fail(b->body, BP_UNSUPPORTED, "scan: the gradient of the body has too many parts");
        return 0;
    }
    b->n.out[b->n.n_stacked] = r;
    return b->n.n_stacked++;
}

/* ---- Sums over turns behind the loop ------------------------------------------------------------------------------------------
 */

/* All turns of the body's value r. Before the node is built: makes sure that it will be stacked. */
static bp_value all_turns(builder *b, bp__ref r) {
    for (int32_t i = 0; i < b->n.n_x; i++)
        if (b->n.x[i].node == r.node) return b->xs[i];
    int32_t j = stack(b, r);
    return b->first.graph ? bp__output(b->first, b->n.n_carry + j) : BP_NONE;
}

static bp_value rows_of(const builder *b, bp_value stacked) { /* [d0, time, d1] → [d0 time, d1] */
    bp_dims d = bp_value_dims(stacked), two = {.n = 2, .dim = {1, d.n > 0 ? d.dim[d.n - 1] : 1}};
    for (int64_t i = 0; i + 1 < d.n; i++) two.dim[0] = bp__dim_mul(b->c->g->dims, two.dim[0], d.dim[i]);
    return bp_reshape(stacked, two);
}

static bool is_transpose(const bp__node *node) {
    if (node->op != bp__op_id(BP__OP_ID_permute) || node->out[0].dims.n != 2) return false;
    return ((const struct bp__permute_attrs *)node->attrs)->axes.dim[0] == 1;
}

static bp_value sum_turns(builder *b, const bp__node *node) {
    const struct bp__sum_attrs *s = node->attrs;
    bp__ref x = node->in[0];
    int64_t time = bp__scan_axis(&b->n, bp__ref_info(b->body, x)->dims.n);
    bp_value all = all_turns(b, x);
    if (!b->first.graph) return BP_NONE;
    bp_dims axes = {.n = s->axes.n + 1};
    for (int64_t i = 0; i < s->axes.n; i++) axes.dim[i] = s->axes.dim[i] < time ? s->axes.dim[i] : s->axes.dim[i] + 1;
    axes.dim[s->axes.n] = time;
    return bp_reshape(bp__sum_axes(all, axes, false), bp__dims_translate(b->c->g->dims, b->body->dims, &node->out[0].dims));
}

/* The sum over all turns of r, built outside; first asked before the node is there (*fits: can it be done?), then again. */
static bp_value contract(builder *b, bp__ref r, int depth, bool *fits) {
    const bp__node *node = &b->body->nodes[r.node];
    const bp__op *op = node->op;
    bool build = b->first.graph != NULL;
    if (depth > 16 || r.output != 0) {
        *fits = false;
    } else if (op->ew_op == BP__EW_add && bp__dims_equal(&bp__ref_info(b->body, node->in[0])->dims, &node->out[0].dims) &&
               bp__dims_equal(&bp__ref_info(b->body, node->in[1])->dims, &node->out[0].dims)) {
        bp_value left = contract(b, node->in[0], depth + 1, fits);
        if (!*fits) return BP_NONE;
        bp_value right = contract(b, node->in[1], depth + 1, fits);
        return build && *fits ? bp_add(left, right) : BP_NONE;
    } else if (op == bp__op_id(BP__OP_ID_permute)) {
        bp_value x = contract(b, node->in[0], depth + 1, fits);
        return build && *fits ? bp_permute(x, ((const struct bp__permute_attrs *)node->attrs)->axes) : BP_NONE;
    } else if (op == bp__op_id(BP__OP_ID_reshape)) {
        bp_value x = contract(b, node->in[0], depth + 1, fits);
        return build && *fits ? bp_reshape(x, bp__dims_translate(b->c->g->dims, b->body->dims, &node->out[0].dims)) : BP_NONE;
    } else if (op == bp__op_id(BP__OP_ID_matmul) && node->out[0].dims.n == 2 && is_transpose(&b->body->nodes[node->in[0].node]) &&
               bp__ref_info(b->body, node->in[1])->dims.n == 2) {
        bp_value x = all_turns(b, b->body->nodes[node->in[0].node].in[0]), d = all_turns(b, node->in[1]);
        return build ? bp_matmul(bp__transpose(rows_of(b, x)), rows_of(b, d)) : BP_NONE;
    } else if (op == bp__op_id(BP__OP_ID_sum)) {
        return sum_turns(b, node);
    } else {
        *fits = false;
    }
    return BP_NONE;
}

/* ---- The node ---- */

static bool make_room(builder *b) {
    bp__pool *pool = &b->body->pool;
    const bp__scan_attrs *a = b->a;
    size_t carries = (size_t)(a->n_carry + a->n_captured + 1), xs = (size_t)(2 * a->n_carry + a->n_x + a->n_stacked + 1);
    size_t outs = (size_t)a->n_x + (size_t)b->body->n_nodes * 4 + 256; /* parts of sums: at most two per node of the gradient */
    b->cap_out = (int64_t)outs;
    b->n.carry = bp__pool_alloc(pool, sizeof(bp__ref) * carries);
    b->n.next = bp__pool_alloc(pool, sizeof(bp__ref) * carries);
    b->inits = bp__pool_alloc(pool, sizeof(bp_value) * carries);
    b->n.x = bp__pool_alloc(pool, sizeof(bp__ref) * xs);
    b->xs = bp__pool_alloc(pool, sizeof(bp_value) * xs);
    b->n.out = bp__pool_alloc(pool, sizeof(bp__ref) * outs);
    b->n.saved = bp__pool_alloc(pool, sizeof(int32_t) * carries);
    return b->n.carry && b->n.next && b->inits && b->n.x && b->xs && b->n.out && b->n.saved;
}

/* Which nodes carry a cotangent: without one, a gradient is zero. */
static bool find_moving(builder *b, int64_t from) {
    bp_graph *body = b->body;
    b->moves = bp__pool_alloc(&body->pool, (size_t)body->n_nodes + 1);
    if (!b->moves) return false;
    for (int64_t i = 0; i < body->n_nodes; i++) {
        b->moves[i] = i >= from && body->nodes[i].op == &bp__op_input;
        for (int32_t k = 0; k < body->nodes[i].n_in; k++)
            if (body->nodes[i].in[k].node >= 0) b->moves[i] |= b->moves[body->nodes[i].in[k].node];
    }
    return true;
}

typedef struct wanted { /* one gradient that the caller wants */
    int32_t input;      /* of the forward node */
    bp__ref target;     /* the body's input */
    int32_t result;     /* x: stacked output; captured: carried value, or -1: contracted */
    bp__ref d;
} wanted;

static int32_t list_wanted(const builder *b, wanted *list) {
    const bp__scan_attrs *a = b->a;
    int32_t n = 0;
    for (int32_t i = a->n_carry; i < b->c->n_in; i++) {
        bp__ref target = i < a->n_carry + a->n_x ? a->x[i - a->n_carry] : a->captured[i - a->n_carry - a->n_x];
        if (b->c->wanted[i] && is_float(bp__ref_info(b->body, target)->dtype))
            list[n++] = (wanted){.input = i, .target = target, .result = -2};
    }
    return n;
}

/* Decides where each wanted gradient comes out. */
static void route(builder *b, wanted *list, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        wanted *x = &list[i];
        if (!b->moves[x->d.node]) continue; /* zero */
        if (x->input < b->a->n_carry + b->a->n_x) {
            x->result = stack(b, x->d);
            continue;
        }
        bool fits = true;
        int32_t before = b->n.n_stacked;
        contract(b, x->d, 0, &fits);
        x->result = -1;
        if (fits) continue;
        b->n.n_stacked = before;
        x->result = b->n.n_carry;
        bp__ref sum = new_carry(b, x->target, zeros(b->c->in[x->input]));
        bp_value next = bp_add(body_value(b, sum), body_value(b, x->d));
        b->n.next[x->result] = (bp__ref){next.node, next.output};
    }
}

static void collect(builder *b, const wanted *list, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        const wanted *x = &list[i];
        bool fits = true;
        bp_value d = BP_NONE;
        if (x->result >= 0) d = bp__output(b->first, x->input < b->a->n_carry + b->a->n_x ? b->n.n_carry + x->result : x->result);
        if (x->result == -1) d = contract(b, x->d, 0, &fits);
        b->c->d_in[x->input] = d;
    }
}

static bp_status build(builder *b) {
    bp__grad *c = b->c;
    const bp__scan_attrs *a = b->a;
    bp_graph *body = b->body;
    int64_t from = body->n_nodes; /* inputs made from here on are cotangents */
    size_t most = (size_t)(2 * a->n_carry + a->n_stacked + c->n_in + 1);
    bp_value *values = bp__pool_alloc(&body->pool, sizeof(bp_value) * most * 4);
    bp__ref *d_saved = bp__pool_alloc(&body->pool, sizeof(bp__ref) * (size_t)(a->n_carry + 1));
    wanted *list = bp__pool_alloc(&body->pool, sizeof *list * (size_t)(c->n_in + 1));
    if (!values || !d_saved || !list || !make_room(b)) return BP_MEMORY;
    bp_value *cotangents = values + most, *wrt = values + 2 * most, *d = values + 3 * most;
    int32_t n_values = 0, n_wrt = 0, n_state = 0;
    const bp_value *saved = c->out + a->n_carry + a->n_stacked, *d_out_saved = c->d_out + a->n_carry + a->n_stacked;
    for (int32_t k = 0; k < a->n_carry; k++) add_x(b, a->carry[k], saved[k]);
    for (int32_t i = 0; i < a->n_x; i++) add_x(b, a->x[i], c->in[a->n_carry + i]);
    for (int32_t k = 0; k < a->n_carry; k++) {
        d_saved[k] = (bp__ref){-1, 0};
        if (!is_float(bp__ref_info(body, a->carry[k])->dtype)) continue;
        bp__ref d_carry = new_carry(b, a->carry[k], c->d_out[k].graph ? c->d_out[k] : zeros(c->in[k]));
        if (d_out_saved[k].graph) d_saved[k] = new_x(b, a->carry[k], d_out_saved[k]);
        values[n_values] = body_value(b, a->next[k]);
        cotangents[n_values++] = body_value(b, d_carry);
        wrt[n_wrt++] = body_value(b, a->carry[k]);
    }
    for (int32_t j = 0; j < a->n_stacked; j++) {
        if (!c->d_out[a->n_carry + j].graph) continue;
        values[n_values] = body_value(b, a->out[j]);
        cotangents[n_values++] = body_value(b, new_x(b, a->out[j], c->d_out[a->n_carry + j]));
    }
    n_state = n_wrt;
    int32_t n_wanted = list_wanted(b, list);
    for (int32_t i = 0; i < n_wanted; i++) wrt[n_wrt++] = body_value(b, list[i].target);
    bp_gradients(d, values, cotangents, n_values, wrt, n_wrt);
    if (body->status != BP_OK) return body->status;
    for (int32_t i = 0; i < n_wanted; i++) list[i].d = (bp__ref){d[n_state + i].node, d[n_state + i].output};
    for (int32_t k = 0, s = 0; k < a->n_carry; k++) {
        if (!is_float(bp__ref_info(body, a->carry[k])->dtype)) continue;
        bp_value next = d_saved[k].node >= 0 ? bp_add(d[s], body_value(b, d_saved[k])) : d[s];
        b->n.next[s++] = (bp__ref){next.node, next.output};
    }
    if (!find_moving(b, from)) return BP_MEMORY;
    route(b, list, n_wanted);
    if (body->status != BP_OK) return body->status;
    if (b->n.n_carry + b->n.n_stacked == 0) return BP_OK;
    b->n.captured = a->captured;
    b->n.n_captured = a->n_captured;
    b->n.n_saved = b->n.n_carry;
    for (int32_t k = 0; k < b->n.n_carry; k++) b->n.saved[k] = k;
    size_t n_in = (size_t)(b->n.n_carry + b->n.n_x + b->n.n_captured);
    bp_value *in = bp__pool_alloc(&body->pool, sizeof *in * (n_in + 1));
    if (!in) return BP_MEMORY;
    memcpy(in, b->inits, sizeof *in * (size_t)b->n.n_carry);
    memcpy(in + b->n.n_carry, b->xs, sizeof *in * (size_t)b->n.n_x);
    memcpy(in + b->n.n_carry + b->n.n_x, c->in + a->n_carry + a->n_x, sizeof *in * (size_t)a->n_captured);
    b->first = bp__scan_add(c->g, &b->n, in);
    if (bp_is_bad(b->first)) return BP_OK; /* the graph has its sentence */
    collect(b, list, n_wanted);
    for (int32_t k = 0, s = 0; k < a->n_carry; k++)
        if (is_float(bp__ref_info(body, a->carry[k])->dtype)) c->d_in[k] = bp__output(b->first, s++);
    return BP_OK;
}

void bp__scan_gradient(bp__grad *c) {
    const bp__scan_attrs *a = c->attrs;
    builder b = {.c = c, .a = a, .body = bp__graph_copy_shared(a->body), .first = BP_NONE};
    b.n = (bp__scan_attrs){.axis = a->axis, .time = a->time, .reverse = !a->reverse, .turn = a->turn, .body = b.body};
    bp_status status = b.body ? build(&b) : BP_MEMORY;
    if (status == BP_MEMORY)
        bp__graph_fail(c->g, BP_MEMORY, "scan: out of memory while building a gradient");
    else if (status != BP_OK)
        bp__graph_fail(c->g, status, "%s", bp_context_error(c->g->ctx));
    bp_graph_free(b.body); /* the new node's graph holds it */
}
