/* Draws any operation of the table, without knowing it: its samples say which shapes, attributes and numbers it is at home
   with. Float inputs are made from values that the graph has, or are new leaves; a first axis that inputs share may get
   another size, 0 and 1 among them. */
#ifndef BP__RANDOM_GRAPH_SAMPLED_H
#define BP__RANDOM_GRAPH_SAMPLED_H
#include "random_graph.h"

static inline bool sampled_can(const bp__op *op) {
    return !(op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) && !op->attrs_copy && op->n_samples > 0;
}

static inline int64_t number_of(const bp_dims *d) { /* -1: not a number */
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) {
        if (d->dim[i] < 0) return -1;
        n *= d->dim[i];
    }
    return n;
}

static inline bool is_empty(const bp_dims *d) {
    bool zero = false;
    for (int64_t i = 0; i < d->n; i++) zero |= d->dim[i] == 0;
    return zero;
}

/* A float value of the graph with the first `n` of its elements in this shape, brought into [low, high]. -1: none is long enough.
 */
static inline int reused(recipe *r, const bp_dims *dims, double low, double high) {
    int64_t n = number_of(dims);
    for (int t = 0; t < 30 && n > 0; t++) {
        int v = (int)below(r, r->n_values);
        bp_dims d = bp_value_dims(r->value[v]);
        if (bp_value_dtype(r->value[v]) != BP_F32 || number_of(&d) < n || number_of(&d) > 4096) continue;
        struct bp__reshape_attrs flat = {.shape = bp_shape(1, number_of(&d))}, back = {.shape = *dims};
        v = apply1(r, BP__OP_ID_reshape, &flat, v);
        struct bp__slice_attrs part = {.axis = 0, .start = 0, .length = n, .step = 1};
        if (number_of(&d) > n) v = apply1(r, BP__OP_ID_slice, &part, v);
        v = apply1(r, BP__OP_ID_reshape, &back, v);
        v = apply1(r, BP__OP_ID_sigmoid, NULL, v);
        v = apply2(r, BP__OP_ID_mul, NULL, v, number(r, BP_F32, high - low));
        return apply2(r, BP__OP_ID_add, NULL, v, number(r, BP_F32, low));
    }
    return -1;
}

/* Does the draft accept it? Nothing stays behind when it does not. */
static inline bool is_accepted(recipe *r, const bp__op *op, const void *attrs, const bp_dims *dims, const bp__sample *s) {
    bp_graph *g;
    bp_value in[MAX_IN];
    if (bp_graph_new(&g, r->ctx) != BP_OK) abort();
    for (int i = 0; i < s->n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        in[i] = s->in[i].low > s->in[i].high ? BP_NONE : bp_input(g, name, s->in[i].dtype, dims[i]);
    }
    bp_value y = bp__graph_add(g, op, attrs, in, s->n_in);
    bool right = bp_graph_status(g) == BP_OK;
    for (int k = 0; right && k < op->n_out; k++) {
        bp_dims d = bp_value_dims(bp__output(y, k));
        right = number_of(&d) >= 0 && number_of(&d) <= r->largest;
    }
    bp_graph_free(g);
    bp_context_clear_error(r->ctx);
    return right;
}

static inline void draw_sampled(recipe *r) {
    const bp__op *op = bp__op_at((int)below(r, bp__op_count()));
    if (!sampled_can(op) || r->g->status != BP_OK) return;
    const bp__sample *s = &op->samples[below(r, op->n_samples)];
    const void *attrs = s->attrs ? s->attrs : op->attr_defaults;
    bp_dims dims[MAX_IN];
    int in[MAX_IN];
    if (s->n_in > MAX_IN || s->n_in < 1) return;
    int64_t first = chance(r, 30) ? PICK(r, 0, 1, 1, 2, 5, 33) : -1;
    for (int round = 0; round < 2; round++) { /* with another first axis, else as the sample says */
        for (int i = 0; i < s->n_in; i++) {
            dims[i] = s->in[i].dims;
            for (int64_t k = 0; k < dims[i].n; k++)
                if (dims[i].dim[k] < 0) dims[i].dim[k] = 3;
            if (first >= 0 && dims[i].n > 0 && s->in[0].dims.n > 0 && s->in[i].dims.dim[0] == s->in[0].dims.dim[0])
                dims[i].dim[0] = first;
        }
        if (is_accepted(r, op, attrs, dims, s)) break;
        if (round > 0 || first < 0) return;
        first = -1;
    }
    for (int i = 0; i < s->n_in; i++) {
        const bp__sample_in *from = &s->in[i];
        in[i] = -1;
        if (from->low > from->high) continue;
        if (from->dtype <= BP_F64 && chance(r, 65)) in[i] = reused(r, &dims[i], from->low, from->high);
        if (in[i] < 0)
            in[i] =
                leaf(r, from->dtype <= BP_F64 && chance(r, 40) ? PARAMETER : INPUT, from->dtype, dims[i], from->low, from->high);
        if (in[i] < 0) return;
    }
    apply(r, op, attrs, in, s->n_in);
}
#endif
