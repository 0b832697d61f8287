/* Draws recipes: leaves, operations of the table with inputs whose shapes fit, gradients, and updates of the state. */
#ifndef BP__RANDOM_GRAPH_DRAW_H
#define BP__RANDOM_GRAPH_DRAW_H
#include "kernel/ew_move.h"
#include "support/random_graph.h"
#include "support/random_graph_sampled.h"

#define ID(name) BP__OP_ID_##name
#define ATTRS(name, ...) (&(const struct bp__##name##_attrs){__VA_ARGS__})

static inline bp_dims dims_of(const recipe *r, int v) { return bp_value_dims(r->value[v]); }
static inline bp_dtype type_of(const recipe *r, int v) { return bp_value_dtype(r->value[v]); }
static inline bool same_dims(const bp_dims *a, const bp_dims *b) {
    bool same = a->n == b->n;
    for (int64_t i = 0; same && i < a->n; i++) same = a->dim[i] == b->dim[i];
    return same;
}

/* Any value of a type, the newer ones more often; -1: none has at least `rank` axes. */
static inline int any_value(recipe *r, bp_dtype dtype, int64_t rank) {
    for (int t = 0; t < 60; t++) {
        int v = (int)below(r, r->n_values);
        if (chance(r, 60)) v = r->n_values - 1 - (int)below(r, r->n_values < 8 ? r->n_values : 8);
        if (type_of(r, v) == dtype && dims_of(r, v).n >= rank) return v;
    }
    return -1;
}
static inline int any_real(recipe *r, int64_t rank) { return any_value(r, BP_F32, rank); }

static inline bool broadcasts(const bp_dims *a, const bp_dims *b, bp_dims *out) {
    *out = a->n > b->n ? *a : *b;
    for (int64_t i = 1; i <= a->n && i <= b->n; i++) {
        int64_t x = a->dim[a->n - i], y = b->dim[b->n - i];
        if (x != y && x != 1 && y != 1) return false;
        out->dim[out->n - i] = x == 1 ? y : x;
    }
    return true;
}

/* A value that broadcasts with `dims`, which become the common ones. */
static inline int partner(recipe *r, bp_dims *dims, bp_dtype dtype) {
    for (int t = 0; t < 20; t++) {
        int v = any_value(r, dtype, 0);
        bp_dims out, d;
        if (v < 0 || chance(r, 20)) break;
        d = dims_of(r, v);
        if (!broadcasts(dims, &d, &out) || elements(r->g, &out, r->batch) > r->largest) continue;
        *dims = out;
        return v;
    }
    bp_dims d = {.n = 0};
    if (dtype <= BP_F64 && chance(r, 40) && dims->n > 0 && dims->dim[dims->n - 1] > 0) {
        d = (bp_dims){.n = 1, .dim = {dims->dim[dims->n - 1]}};
        return leaf(r, chance(r, 50) || dtype != BP_F32 ? CONSTANT : PARAMETER, dtype, d, -1, 1);
    }
    return number(r, dtype, dtype <= BP_F64 ? (double)PICK(r, 0, 1, -1, 2, 3) * 0.5 : (double)below(r, 3));
}

/* x brought into [low, high], the range in which an operation is at home. */
static inline int squashed(recipe *r, int x, double low, double high) {
    bp_dtype dtype = type_of(r, x);
    int y = apply1(r, ID(sigmoid), NULL, x);
    y = apply2(r, ID(mul), NULL, y, number(r, dtype, high - low));
    return apply2(r, ID(add), NULL, y, number(r, dtype, low));
}

static inline int64_t numeric_axis(recipe *r, const bp_dims *d) { /* an axis whose size is a number; -1: none */
    for (int t = 0; t < 20 && d->n > 0; t++) {
        int64_t a = below(r, d->n);
        if (d->dim[a] > 0) return a;
    }
    return -1;
}

/* ---- Kinds of operations --------------------------------------------------------------------------------------------- */

static inline void draw_elementwise(recipe *r) {
    const bp__op *op = bp__op_ew((int)below(r, BP__EW_COUNT));
    const bp__sample_in *home = &op->samples[0].in[op->n_in - 1];
    bp_dtype dtype = chance(r, 88) ? BP_F32 : BP_F64;
    int in[3];
    bool where = op->ew_op == BP__EW_where;
    in[0] = any_value(r, dtype, 0);
    if (in[0] < 0) return;
    bp_dims dims = dims_of(r, in[0]);
    for (int k = 1; k < op->n_in; k++) in[k] = partner(r, &dims, dtype);
    if (where) {
        int64_t which = below(r, 10);
        if (which < 6) in[0] = partner(r, &dims, BP_U8);
        if (which == 6) in[0] = partner(r, &dims, BP_F64);
        if (which == 7) { /* two statements: compilers differ in which argument they evaluate first */
            int x = partner(r, &dims, BP_F64);
            in[0] = apply2(r, ID(mul), NULL, x, number(r, BP_F64, 1e-60)); /* 0 in single precision */
        }
        if (which == 8) in[0] = partner(r, &dims, BP_I64);
    }
    for (int k = where; k < op->n_in && !(home->low == -2 && home->high == 2); k++)
        if (in[k] >= 0 && chance(r, 75)) in[k] = squashed(r, in[k], home->low - 0.05, home->high);
    double attrs[2] = {0};
    const double *given = op->attr_defaults;
    for (int32_t i = 0; i < op->n_attrs; i++) attrs[i] = given[i] * (chance(r, 50) ? 1 : 0.75);
    for (int k = 0; k < op->n_in; k++)
        if (in[k] < 0) return;
    int y = apply(r, op, op->n_attrs ? attrs : NULL, in, op->n_in);
    if (y >= 0 && type_of(r, y) <= BP_F64 && chance(r, 15)) apply1(r, ID(tanh), NULL, y);
}

static inline void draw_integers(recipe *r) {
    static const enum bp__op_id ids[] = {ID(add), ID(sub), ID(mul), ID(minimum),     ID(maximum),
                                         ID(eq),  ID(lt),  ID(ge),  ID(logical_and), ID(logical_xor)};
    int x = any_value(r, chance(r, 60) ? BP_I64 : BP_U8, 0);
    if (x < 0) x = leaf(r, INPUT, BP_I64, bp_shape(2, BP_BATCH, PICK(r, 1, 3, 8)), -3, 9);
    if (x < 0) return;
    bp_dims dims = dims_of(r, x);
    bp_dtype dtype = type_of(r, x);
    enum bp__op_id id = ids[below(r, (int64_t)(sizeof ids / sizeof ids[0]))];
    if (chance(r, 25)) {
        int y = apply1(r, ID(cast), ATTRS(cast, .to = chance(r, 80) ? BP_F32 : BP_F64), x);
        if (y >= 0 && dtype == BP_I64) apply1(r, ID(tanh), NULL, y);
    } else if (bp__ew_integer_has(bp__op_id(id)->ew_op)) {
        apply2(r, id, NULL, x, partner(r, &dims, dtype));
    } else if (chance(r, 50)) {
        apply1(r, ID(sum), ATTRS(sum, .axes = {.n = -1}), x);
    }
}

static inline void draw_cast(recipe *r) {
    int x = any_real(r, 0);
    if (x < 0) return;
    if (chance(r, 60)) { /* to the other float type, and perhaps back */
        int y = apply1(r, ID(cast), ATTRS(cast, .to = BP_F64), x);
        y = apply1(r, bp__op_at((int)below(r, 2)) ? ID(tanh) : ID(exp), NULL, y);
        if (chance(r, 70)) apply1(r, ID(cast), ATTRS(cast, .to = BP_F32), y);
    } else {
        const double limits[2] = {-9, 9};
        int y = apply1(r, ID(clamp), limits, apply1(r, ID(nan_to_num), NULL, x));
        apply1(r, ID(cast), ATTRS(cast, .to = (int32_t)PICK(r, BP_I64, BP_I32)), y);
    }
}

static inline bp_dims some_axes(recipe *r, int64_t n) {
    bp_dims axes = {.n = 0};
    for (int64_t i = 0; i < n; i++)
        if (chance(r, 50)) axes.dim[axes.n++] = chance(r, 70) ? i : i - n;
    if (axes.n == 0 && (n == 0 || chance(r, 40))) axes.n = -1;
    if (axes.n == 0) axes = (bp_dims){.n = 1, .dim = {n - 1}};
    return axes;
}

static inline void draw_reduction(recipe *r) {
    int x = any_real(r, 0), keep = chance(r, 50);
    if (x < 0) return;
    bp_dims d = dims_of(r, x);
    int64_t n = d.n, axis = n > 0 ? below(r, n) : 0;
    bp_dims axes = some_axes(r, n);
    switch (is_empty(&d) ? below(r, 2) : n > 0 ? below(r, 8) : below(r, 3)) { /* the largest of nothing is refused */
    case 0: apply1(r, ID(sum), ATTRS(sum, .axes = axes, .keepdim = keep), x); break;
    case 1: apply1(r, ID(mean), ATTRS(mean, .axes = axes, .keepdim = keep), x); break;
    case 2: apply1(r, ID(max), ATTRS(max, .axes = axes, .keepdim = keep), x); break;
    case 3: apply1(r, ID(logsumexp), ATTRS(logsumexp, .axes = axes, .keepdim = keep), x); break;
    case 4: apply1(r, ID(argmax), ATTRS(argmax, .axis = chance(r, 80) ? axis : BP_UNSET, .keepdim = keep), x); break;
    case 5: apply1(r, ID(size), ATTRS(size, .axis = axis), x); break;
    case 6: apply1(r, ID(softmax), ATTRS(softmax, .axis = chance(r, 60) ? -1 : axis), x); break;
    default: apply1(r, ID(log_softmax), ATTRS(log_softmax, .axis = chance(r, 60) ? -1 : axis), x); break;
    }
}

static inline int reshaped(recipe *r, int x) {
    bp_dims d = dims_of(r, x), to = d;
    int64_t axis = d.n > 0 ? below(r, d.n) : 0;
    if (is_empty(&d)) return -1; /* "?" is not known then */
    switch (below(r, 4)) {
    case 0: to = bp_shape(1, BP_INFER); break;
    case 1: /* two axes into one */
        if (d.n < 2) return -1;
        axis = below(r, d.n - 1);
        to.dim[axis] = BP_INFER;
        for (int64_t i = axis + 1; i + 1 < d.n; i++) to.dim[i] = d.dim[i + 1];
        to.n--;
        break;
    case 2: /* one axis into two, or into itself and a 1 */
        if (d.n == 0 || d.n >= 5) return -1;
        for (int64_t i = d.n; i > axis + 1; i--) to.dim[i] = d.dim[i - 1];
        to.dim[axis + 1] = d.dim[axis] > 0 && d.dim[axis] % 2 == 0 ? 2 : 1;
        to.dim[axis] = d.dim[axis] > 0 ? d.dim[axis] / to.dim[axis + 1] : d.dim[axis];
        to.n++;
        break;
    default: /* without the axes of size 1 */
        to.n = 0;
        for (int64_t i = 0; i < d.n; i++)
            if (d.dim[i] != 1) to.dim[to.n++] = d.dim[i];
        break;
    }
    return apply1(r, ID(reshape), ATTRS(reshape, .shape = to), x);
}

static inline int permuted(recipe *r, int x) {
    bp_dims axes = {.n = dims_of(r, x).n};
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i;
    for (int64_t i = axes.n - 1; i > 0; i--) {
        int64_t j = axes.n == 2 ? 0 : below(r, i + 1), t = axes.dim[i];
        axes.dim[i] = axes.dim[j];
        axes.dim[j] = t;
    }
    return apply1(r, ID(permute), ATTRS(permute, .axes = axes), x);
}

static inline void draw_slice(recipe *r, int x) {
    bp_dims d = dims_of(r, x);
    int64_t axis = numeric_axis(r, &d);
    if (axis < 0) return;
    int64_t size = d.dim[axis], by = PICK(r, 1, 1, 1, 2, 3, -1, -2);
    if (chance(r, 60)) {
        int64_t start = below(r, size), most = by > 0 ? (size - 1 - start) / by + 1 : start / -by + 1;
        apply1(r, ID(slice), ATTRS(slice, .axis = axis, .start = start, .length = 1 + below(r, most), .step = by), x);
    } else {
        int64_t room = (size - 1) * (by > 0 ? by : -by), start = below(r, 3) + (by > 0 ? 0 : room);
        apply1(
            r, ID(unslice),
            ATTRS(unslice, .axis = axis, .start = start, .size = (by > 0 ? start + room : start) + 1 + below(r, 3), .step = by),
            x);
    }
}

static inline void draw_structure(recipe *r) {
    int x = any_value(r, (bp_dtype)PICK(r, BP_F32, BP_F32, BP_F32, BP_F32, BP_F64, BP_U8, BP_I64), 0);
    if (x < 0) return;
    bp_dims d = dims_of(r, x), to = d;
    switch (below(r, 7)) {
    case 0: reshaped(r, x); break;
    case 1:
        if (d.n >= 2) permuted(r, x);
        break;
    case 2: draw_slice(r, x); break;
    case 3:
        for (int64_t i = 0; i < d.n; i++)
            if (d.dim[i] == 1) to.dim[i] = PICK(r, 2, 3, 7, BP_BATCH);
        if (d.n < 4) {
            for (int64_t i = d.n; i > 0; i--) to.dim[i] = to.dim[i - 1];
            to.dim[0] = PICK(r, 2, 3, 5, BP_BATCH);
            to.n++;
        }
        apply1(r, ID(broadcast_to), ATTRS(broadcast_to, .shape = to), x);
        break;
    case 4: {
        if (d.n == 0) break;
        int in[3] = {x, x, x}, n = 1 + (int)below(r, 3);
        int64_t axis = numeric_axis(r, &d);
        for (int k = 1, t = 0; k < n && t < 30; t++) {
            int v = any_value(r, type_of(r, x), d.n);
            bp_dims e = dims_of(r, v < 0 ? x : v);
            if (axis >= 0 && e.n == d.n && e.dim[axis] > 0) e.dim[axis] = d.dim[axis];
            if (v >= 0 && same_dims(&d, &e)) in[k++] = v;
        }
        if (axis >= 0) apply(r, bp__op_id(ID(concat)), ATTRS(concat, .axis = axis), in, n);
        break;
    }
    case 5: apply1(r, ID(stop_gradient), NULL, x); break;
    default:
        if (d.n == 0) apply1(r, ID(fill), ATTRS(fill, .shape = bp_shape(2, chance(r, 50) ? BP_BATCH : 3, PICK(r, 1, 5, 40))), x);
        break;
    }
}

static inline void draw_product(recipe *r) {
    int a = any_real(r, 1);
    if (a < 0) return;
    bp_dims d = dims_of(r, a);
    int64_t k = d.dim[d.n - 1];
    if (d.n >= 2 && chance(r, 40)) {
        for (int t = 0; t < 30; t++) {
            int b = any_real(r, 2);
            if (b < 0) break;
            bp_dims e = dims_of(r, b), x = d, y = e, out;
            if (e.dim[e.n - 2] != k && e.dim[e.n - 1] == k && e.n == 2)
                b = apply1(r, ID(permute), ATTRS(permute, .axes = bp_shape(2, 1, 0)), b);
            if (b < 0) return;
            y = e = dims_of(r, b);
            x.n -= 2;
            y.n -= 2;
            if (e.dim[e.n - 2] != k || !broadcasts(&x, &y, &out)) continue;
            apply2(r, ID(matmul), NULL, a, b);
            return;
        }
        if (d.n == 2) apply2(r, ID(matmul), NULL, a, apply1(r, ID(permute), ATTRS(permute, .axes = bp_shape(2, 1, 0)), a));
        return;
    }
    if (k < 1 || k > 200) return;
    int w = -1;
    for (int t = 0; t < 10 && w < 0; t++) { /* a weight again, or a new one */
        int v = any_real(r, 2);
        bp_dims e = dims_of(r, v < 0 ? a : v);
        if (v >= 0 && e.n == 2 && e.dim[1] == k && e.dim[0] > 0) w = v;
    }
    if (w < 0 || chance(r, 75))
        w = leaf(r, PARAMETER, BP_F32, bp_shape(2, PICK(r, 1, 3, 10, 32, 33, 40, 48, 64, 96), k), -0.4, 0.4);
    if (w < 0) return;
    int bias = chance(r, 70) ? leaf(r, PARAMETER, BP_F32, bp_shape(1, dims_of(r, w).dim[0]), -0.5, 0.5) : -1;
    int y = apply(r, bp__op_id(ID(linear)), NULL, (const int[]){a, w, bias}, 3);
    const enum bp__op_id follow[] = {ID(relu), ID(tanh), ID(sigmoid), ID(gelu), ID(silu), ID(add)};
    enum bp__op_id id = follow[below(r, 6)];
    if (id != ID(add)) apply1(r, id, NULL, y);
}

/* Products of vectors and linear algebra: a sample of the table with leaves of its own. */
static inline void draw_algebra(recipe *r) {
    static const enum bp__op_id ids[] = {ID(bilinear),         ID(dot),   ID(outer),   ID(einsum), ID(cholesky),
                                         ID(triangular_solve), ID(solve), ID(inverse), ID(det),    ID(slogdet),
                                         ID(logdet),           ID(eigh),  ID(qr)};
    enum bp__op_id id = ids[below(r, (int64_t)(sizeof ids / sizeof ids[0]))];
    const bp__op *op = bp__op_id(id);
    const bp__sample *s = &op->samples[below(r, op->n_samples)];
    int in[6];
    for (int32_t i = 0; i < s->n_in; i++) {
        in[i] = -1;
        if (s->in[i].low > s->in[i].high) continue;
        in[i] = leaf(r, chance(r, 60) ? INPUT : PARAMETER, BP_F32, s->in[i].dims, s->in[i].low, s->in[i].high);
        if (in[i] < 0) return;
    }
    if (id == ID(cholesky) || id == ID(logdet)) { /* of a matrix that is positive definite, nearly always */
        bp_dims axes = {.n = dims_of(r, in[0]).n};
        for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i < axes.n - 2 ? i : 2 * axes.n - 3 - i;
        in[0] = apply2(r, ID(matmul), NULL, in[0], apply1(r, ID(permute), ATTRS(permute, .axes = axes), in[0]));
        if (in[0] < 0) return;
    }
    apply(r, op, s->attrs, in, s->n_in);
}

static inline void draw_convolution(recipe *r) {
    int64_t groups = PICK(r, 1, 1, 2), c = PICK(r, 1, 3, 4) * groups, out = PICK(r, 1, 2, 5, 16) * groups,
            size = PICK(r, 5, 8, 9);
    int64_t kernel = PICK(r, 1, 2, 3), stride = PICK(r, 1, 1, 2), padding = below(r, 3), dilation = PICK(r, 1, 1, 2);
    bool line = chance(r, 30);
    bp_dims d = line ? bp_shape(3, BP_BATCH, c, 2 * size) : bp_shape(4, BP_BATCH, c, size, size + 1), w = d;
    int x = -1;
    for (int t = 0; t < 10 && x < 0; t++) { /* what another one made, or an input */
        int v = any_real(r, d.n);
        bp_dims e = dims_of(r, v < 0 ? 0 : v);
        bool fits = v >= 0 && e.n == d.n && e.dim[1] > 0 && e.dim[1] % groups == 0;
        for (int64_t i = 2; fits && i < e.n; i++) fits = e.dim[i] >= 5;
        if (fits) x = v;
    }
    if (x < 0 || chance(r, 30)) x = leaf(r, INPUT, BP_F32, d, -1, 1);
    if (x < 0) return;
    w.dim[0] = out;
    w.dim[1] = dims_of(r, x).dim[1] / groups;
    for (int64_t i = 2; i < w.n; i++) w.dim[i] = kernel;
    int weight = leaf(r, PARAMETER, BP_F32, w, -0.4, 0.4),
        bias = chance(r, 60) ? leaf(r, PARAMETER, BP_F32, bp_shape(1, out), -0.5, 0.5) : -1;
    if (weight < 0) return;
    const int in[] = {x, weight, bias};
    bp_dims strides = bp_shape(2, stride, 1), paddings = bp_shape(2, padding, padding),
            dilations = bp_shape(2, dilation, dilation);
    int y = line ? apply(r, bp__op_id(ID(conv1d)),
                         ATTRS(conv1d, .stride = stride, .padding = padding, .dilation = dilation, .groups = groups), in, 3)
                 : apply(r, bp__op_id(ID(conv2d)),
                         ATTRS(conv2d, .stride = strides, .padding = paddings, .dilation = dilations, .groups = groups), in, 3);
    if (chance(r, 50)) apply1(r, ID(relu), NULL, y);
}

static inline void draw_indexing(recipe *r) {
    int x = any_real(r, 1);
    if (x < 0) return;
    bp_dims d = dims_of(r, x), index = d;
    int64_t axis = numeric_axis(r, &d), last = d.dim[d.n - 1];
    switch (below(r, 5)) {
    case 0:
        if (last > 0)
            apply1(r, ID(topk), ATTRS(topk, .k = 1 + below(r, last < 5 ? last : 5), .largest = chance(r, 50), .axis = -1), x);
        break;
    case 1:
    case 2: {
        if (axis < 0) break;
        bool scatter = chance(r, 50);
        int64_t size = d.dim[axis];
        if (!scatter) index.dim[axis] = PICK(r, 1, 2, 4, 9);
        int i = leaf(r, INPUT, BP_I64, index, -1, (double)size + 1); /* some outside */
        if (i < 0) break;
        if (scatter)
            apply2(r, ID(scatter_add), ATTRS(scatter_add, .axis = axis, .size = size), x, i);
        else
            apply2(r, ID(gather), ATTRS(gather, .axis = axis), x, i);
        break;
    }
    case 3: {
        int i = any_value(r, BP_I64, 0);
        if (i < 0 || dims_of(r, i).n > 3) break;
        int w = leaf(r, PARAMETER, BP_F32, bp_shape(2, PICK(r, 3, 9), PICK(r, 2, 8, 33)), -1, 1);
        apply2(r, ID(embedding), ATTRS(embedding, .padding_idx = chance(r, 70) ? BP_UNSET : 0), w, i);
        break;
    }
    default: {
        int i = any_value(r, BP_I64, 0);
        if (i >= 0 && dims_of(r, i).n <= 3)
            apply1(r, ID(one_hot), ATTRS(one_hot, .classes = PICK(r, 1, 4, 11), .to = (int32_t)PICK(r, BP_F32, BP_F32, BP_U8)),
                   i);
        break;
    }
    }
}

static inline void draw_random(recipe *r) {
    static const char *const streams[] = {"a.dropout", "b.dropout", "c.dropout"};
    int x = any_real(r, 1);
    const char *stream = streams[below(r, 3)];
    if (x < 0) return;
    if (chance(r, 30))
        apply1(r, ID(random_uniform), ATTRS(random_uniform, .stream = stream), x);
    else
        apply2(r, ID(dropout), ATTRS(dropout, .stream = stream), x, number(r, BP_F32, 0.25 * (double)below(r, 4)));
}

static inline void draw_cross_entropy(recipe *r, const char *reduction) {
    int x = any_real(r, 2);
    if (x < 0) return;
    bp_dims d = dims_of(r, x), rows = {.n = 0};
    if (d.dim[1] < 1 || d.n > 4) return;
    for (int64_t i = 0; i < d.n; i++)
        if (i != 1) rows.dim[rows.n++] = d.dim[i];
    int target =
        chance(r, 70) ? leaf(r, INPUT, BP_I64, rows, -1, (double)d.dim[1]) : apply1(r, ID(softmax), ATTRS(softmax, .axis = 1), x);
    if (target < 0) return;
    if (d.n == 2 && type_of(r, target) == BP_I64 && chance(r, 30)) {
        apply2(r, ID(softmax_cross_entropy), NULL, x, target);
        return;
    }
    int weight = chance(r, 30) ? leaf(r, CONSTANT, BP_F32, bp_shape(1, d.dim[1]), 0.2, 2) : -1;
    apply(r, bp__op_id(ID(cross_entropy)),
          ATTRS(cross_entropy, .reduction = reduction, .ignore_index = PICK(r, -100, -100, 0),
                .label_smoothing = chance(r, 30) ? 0.1 : 0),
          (const int[]){x, target, weight}, 3);
}

static inline void draw_loss(recipe *r) {
    static const char *const reductions[] = {"mean", "sum", "none"};
    const char *reduction = reductions[below(r, 3)];
    int64_t which = below(r, 6);
    if (which >= 4) {
        draw_cross_entropy(r, reduction);
        return;
    }
    int x = any_real(r, 0), t = -1;
    if (x < 0) return;
    bp_dims d = dims_of(r, x);
    for (int i = 0; i < 20 && t < 0; i++) {
        int v = any_real(r, d.n);
        bp_dims e = dims_of(r, v < 0 ? x : v);
        if (v >= 0 && v != x && same_dims(&d, &e)) t = v;
    }
    if (t < 0) t = apply1(r, ID(sin), NULL, x);
    if (t < 0) return;
    if (which == 0) apply2(r, ID(mse), ATTRS(mse, .reduction = reduction), x, t);
    if (which == 1) apply2(r, ID(l1), ATTRS(l1, .reduction = reduction), x, t);
    if (which == 2) apply2(r, ID(huber), ATTRS(huber, .reduction = reduction, .delta = chance(r, 50) ? 1 : 0.4), x, t);
    if (which == 3) {
        int pos = chance(r, 40) ? number(r, BP_F32, 2.5) : -1, target = apply1(r, ID(sigmoid), NULL, t);
        if (target >= 0)
            apply(r, bp__op_id(ID(bce_with_logits)), ATTRS(bce_with_logits, .reduction = reduction),
                  (const int[]){x, target, -1, pos}, 4);
    }
}

#include "support/random_graph_updates.h"

/* ---- Recipes --------------------------------------------------------------------------------------------------------- */

static inline void draw_leaves(recipe *r, bool large) {
    int64_t rows = BP_BATCH; /* of the first one, so that the batch is known */
    for (int64_t i = 1 + below(r, 3); i >= 0; i--) {
        int64_t f = PICK(r, 1, 3, 4, 8, 16, 17, 33, 40);
        if (large) f *= 8;
        if (chance(r, 6)) f = 0;
        bp_dims d = chance(r, 70) ? bp_shape(2, rows, f) : bp_shape(3, rows, PICK(r, 2, 3, 5), f);
        leaf(r, INPUT, BP_F32, d, -2, 2);
        rows = chance(r, 75) ? BP_BATCH : PICK(r, 1, 4, 6);
    }
    if (chance(r, 50)) leaf(r, INPUT, BP_I64, bp_shape(1, rows), 0, 5);
    if (chance(r, 40)) leaf(r, INPUT, BP_U8, bp_shape(2, rows, 1), 0, 2);
    if (chance(r, 30)) leaf(r, VARIABLE, BP_I64, bp_shape(0), 0, 4);
    for (int64_t i = below(r, 4); i > 0; i--)
        leaf(r, VARIABLE, BP_F32,
             chance(r, 50) ? bp_shape(2, PICK(r, 1, 3, 32), PICK(r, 3, 8, 32)) : bp_shape(1, PICK(r, 3, 8, 33)), -1, 1);
    if (chance(r, 50)) leaf(r, CONSTANT, BP_F32, bp_shape(2, PICK(r, 1, 3), PICK(r, 1, 3, 8)), -1, 1);
}

static inline void draw_operation(recipe *r) {
    int64_t x = below(r, 100);
    if (chance(r, 30)) {
        draw_sampled(r);
        return;
    }
    if (x < 42)
        draw_elementwise(r);
    else if (x < 47)
        draw_integers(r);
    else if (x < 49)
        draw_cast(r);
    else if (x < 60)
        draw_reduction(r);
    else if (x < 74)
        draw_structure(r);
    else if (x < 82)
        draw_product(r);
    else if (x < 84)
        draw_algebra(r);
    else if (x < 86)
        draw_convolution(r);
    else if (x < 91)
        draw_indexing(r);
    else if (x < 94)
        draw_random(r);
    else
        draw_loss(r);
}

static inline int leaves_to_differentiate(recipe *r, int *wrt) {
    int n = 0;
    for (int i = 0; i < r->n_steps && n < MAX_WRT; i++) {
        const step *s = &r->steps[i];
        bool leaf = s->kind == PARAMETER || s->kind == VARIABLE || s->kind == INPUT || (s->kind == OPERATION && chance(r, 3));
        if (leaf && type_of(r, s->out) == BP_F32 && chance(r, s->kind == INPUT ? 40 : 85)) wrt[n++] = s->out;
    }
    return n;
}

/* Draws the recipe of `seed`. The draft stays in r->g for the shapes; its error, if there is one, in the context. */
static inline void draw_recipe(recipe *r, bp_context *ctx, uint64_t seed, bool large) {
    *r = (recipe){
        .seed = seed, .random = mixed(seed + 0x5851F42D4C957F2Du), .ok = -1, .ctx = ctx, .largest = large ? 90000 : 3000};
    r->batch = large ? PICK(r, 40, 64) : PICK(r, 1, 5, 7, 12);
    if (bp_graph_new(&r->g, ctx) != BP_OK) return;
    draw_leaves(r, large);
    r->limit_operations = 1 + (int)below(r, 40);
    for (int t = 0; r->n_operations < r->limit_operations && t < 200 && !r->overfull; t++) draw_operation(r);
    int wrt[MAX_WRT], n_wrt = leaves_to_differentiate(r, wrt), gradients = -1;
    if (chance(r, 80)) gradients = draw_gradients(r, wrt, n_wrt);
    if (gradients >= 0 && chance(r, 30)) draw_second_gradients(r, gradients, wrt, n_wrt);
    if (gradients >= 0 && chance(r, 10)) draw_gradients(r, wrt, n_wrt);
    r->outputs[r->n_outputs++] = r->steps[0].out; /* so that the batch is known whatever else is left out */
    for (int64_t k = 1 + below(r, 5); k > 0; k--)
        r->outputs[r->n_outputs++] = (int)(r->n_values - 1 - below(r, (r->n_values + 1) / 2));
    for (int i = 0; i < n_wrt && gradients >= 0 && r->n_outputs < MAX_OUTPUTS; i++)
        if (chance(r, 35)) r->outputs[r->n_outputs++] = gradients + i;
    if (chance(r, 70)) draw_updates(r, wrt, n_wrt, gradients);
}
#endif
