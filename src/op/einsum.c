/* Einstein's sums, as torch.einsum: "ij,jk->ik" names the axes of every input; axes of one name run together, and what the output
   does not name is summed. "..." stands for the axes without a name, which broadcast. A name twice in one input takes the
   diagonal. Without "->" the output is the "..." and then, in order of the alphabet (capitals first), the names that appear once.
   Two inputs at a time, from the left, are reduced to permute, reshape, multiply, sum and matmul. */
#include "op/make.h"

#include <stdio.h>
#include <string.h>

enum { LETTERS = 52, LABELS = LETTERS + BP_MAX_DIMS, MOST_INPUTS = 16 }; /* labels from LETTERS on: the axes of "..." */

typedef struct term { /* an input or the output: a label for each of its axes */
    int64_t n;
    int label[BP_MAX_DIMS];
} term;

typedef struct equation {
    const char *text;
    const char *at; /* where a fault is */
    char fault[200];
    int32_t n_in;
    term in[MOST_INPUTS], out;
    int64_t size[LABELS]; /* set by fit(); 1 where every axis of the label has size 1 */
    int count[LABELS];    /* how often it appears in inputs */
} equation;

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */

static bool fault(equation *e, const char *at, const char *format, ...) BP__PRINTF(3, 4);
static bool fault(equation *e, const char *at, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(e->fault, sizeof e->fault, format, list);
    va_end(list);
    e->at = at;
    return false;
}

static int label_of(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1; }
static char letter_of(int label) { return (char)(label < 26 ? 'A' + label : 'a' + label - 26); }

/* The names up to ',', '-' or the end, with n_dots axes for "..." (the last ones of the longest "..."). n_dots < 0: as many as
   the `rank` axes of an input leave. */
static bool read_term(equation *e, const char **s, term *t, int64_t rank, int64_t n_dots) {
    const char *p = *s, *dots = NULL;
    int64_t before = 0, letters = 0;
    t->n = 0;
    for (; *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ') continue;
        if (*p == '.') {
            if (strncmp(p, "...", 3) != 0) return fault(e, p, "\".\" stands only in \"...\"");
            if (dots) return fault(e, p, "a second \"...\"");
            dots = p;
            before = letters;
            p += 2;
            continue;
        }
        int label = label_of(*p);
        if (label < 0) return fault(e, p, "'%c' is no name of an axis; these are letters", *p > ' ' && *p < 127 ? *p : '?');
        if (letters == BP_MAX_DIMS) return fault(e, p, "more than %d axes", BP_MAX_DIMS);
        t->label[letters++] = label;
    }
    if (n_dots < 0) {
        if (letters > rank || (letters < rank && !dots))
            return fault(e, *s, "%lld axes are named, but the input has %lld", (long long)letters, (long long)rank);
        n_dots = rank - letters;
    } else if (!dots) {
        n_dots = 0;
    }
    t->n = letters + n_dots;
    if (t->n > BP_MAX_DIMS) return fault(e, *s, "more than %d axes", BP_MAX_DIMS);
    memmove(t->label + before + n_dots, t->label + before, sizeof *t->label * (size_t)(letters - before));
    for (int64_t i = 0; i < n_dots; i++) t->label[before + i] = LABELS - (int)(n_dots - i);
    *s = p;
    return true;
}

static bool read_output(equation *e, const char *s, int64_t most_dots) {
    const char *p = s;
    if (!read_term(e, &p, &e->out, 0, most_dots)) return false;
    if (*p) return fault(e, p, "the output ends here, but '%c' follows", *p);
    for (int64_t i = 0; i < e->out.n; i++) {
        int label = e->out.label[i];
        if (label >= LETTERS) continue;
        const char *at = strchr(s, letter_of(label));
        if (!e->count[label]) return fault(e, at, "'%c' is in no input", letter_of(label));
        if (strchr(at + 1, letter_of(label)))
            return fault(e, strchr(at + 1, letter_of(label)), "'%c' is in the output twice", letter_of(label));
    }
    return true;
}

static bool read_equation(equation *e, const char *text, const int64_t *rank, int32_t n_in) {
    const char *p = text;
    int64_t most_dots = 0;
    *e = (equation){.text = text, .at = text, .n_in = n_in};
    if (n_in > MOST_INPUTS) return fault(e, text, "%d inputs, at most %d are possible", (int)n_in, MOST_INPUTS);
    for (int32_t i = 0; i < n_in; i++) {
        if (i > 0) {
            if (*p != ',') return fault(e, p, "%d inputs are given, but only %d named", (int)n_in, (int)i);
            p++;
        }
        if (!read_term(e, &p, &e->in[i], rank[i], -1)) return false;
        int64_t dots = 0;
        for (int64_t k = 0; k < e->in[i].n; k++) {
            e->count[e->in[i].label[k]]++;
            dots += e->in[i].label[k] >= LETTERS;
        }
        most_dots = BP__MAX(most_dots, dots);
    }
    if (*p == ',') return fault(e, p, "only %d inputs are given", (int)n_in);
    if (*p == '-') {
        if (p[1] != '>') return fault(e, p, "\"->\" is wanted here");
        return read_output(e, p + 2, most_dots);
    }
    for (int64_t i = most_dots; i > 0; i--) e->out.label[e->out.n++] = LABELS - (int)i;
    for (int label = 0; label < LETTERS; label++) {
        if (e->count[label] != 1) continue;
        if (e->out.n == BP_MAX_DIMS) return fault(e, text, "the output has more than %d axes", BP_MAX_DIMS);
        e->out.label[e->out.n++] = label;
    }
    return true;
}

/* Sizes of all labels; axes of size 1 broadcast. c: compares as shape rules do, or NULL when that has been done. */
static bool fit(equation *e, bp__infer *c, const bp_dims *dims) {
    for (int i = 0; i < LABELS; i++) e->size[i] = 1;
    for (int32_t i = 0; i < e->n_in; i++)
        for (int64_t k = 0; k < e->in[i].n; k++) {
            int64_t d = dims[i].dim[k], *size = &e->size[e->in[i].label[k]];
            for (int64_t j = 0; j < k && c; j++)
                if (e->in[i].label[j] == e->in[i].label[k] && (d < 0 || d != dims[i].dim[j]))
                    return fault(e, strchr(e->text, letter_of(e->in[i].label[k])),
                                 "'%c' is twice in input %d, whose sizes there are not one number", letter_of(e->in[i].label[k]),
                                 (int)i + 1);
            if (d != 1 && *size != 1 && c && !bp__infer_equal(c, *size, d)) {
                char s[80], t[80];
                const bp__dims_table *table = c->g->dims;
                const char *at =
                    e->in[i].label[k] < LETTERS ? strchr(e->text, letter_of(e->in[i].label[k])) : strchr(e->text, '.');
                return fault(e, at, "its sizes differ: %s and, in input %d, %s", bp__dim_text(table, *size, s, sizeof s),
                             (int)i + 1, bp__dim_text(table, d, t, sizeof t));
            }
            if (*size == 1 || (*size < 0 && d >= 0 && d != 1)) *size = d;
        }
    return true;
}

static bp_status infer(bp__infer *c) {
    const struct bp__einsum_attrs *a = c->attrs;
    equation e;
    bp_dims dims[MOST_INPUTS];
    int64_t rank[MOST_INPUTS];
    BP_TRY(bp__infer_need_float(c, 0));
    for (int i = 0; i < c->n_in && i < MOST_INPUTS; i++) {
        if (c->in[i]->dtype != c->in[0]->dtype)
            return bp__infer_fail(c, BP_TYPE, "input 1 is %s but input %d is %s: use cast", bp_dtype_name(c->in[0]->dtype), i + 1,
                                  bp_dtype_name(c->in[i]->dtype));
        dims[i] = c->in[i]->dims;
        rank[i] = dims[i].n;
    }
    if (!read_equation(&e, a->equation, rank, c->n_in) || !fit(&e, c, dims))
        return bp__infer_fail(c, BP_SHAPE, "column %lld of \"%s\": %s", (long long)(e.at - e.text) + 1, e.text, e.fault);
    c->out[0] = (bp__info){.dtype = c->in[0]->dtype, .dims = {.n = e.out.n}};
    for (int64_t i = 0; i < e.out.n; i++) c->out[0].dims.dim[i] = e.size[e.out.label[i]];
    return BP_OK;
}

/* ---- Building --------------------------------------------------------------------------------------------------------- */

typedef struct part { /* a value and the label of each of its axes, all different */
    bp_value v;
    term t;
} part;

static bool has(const term *t, int label) {
    for (int64_t i = 0; i < t->n; i++)
        if (t->label[i] == label) return true;
    return false;
}

static void append(term *t, int label) { t->label[t->n++] = label; }
static void take_out(term *t, int64_t axis) {
    memmove(t->label + axis, t->label + axis + 1, sizeof *t->label * (size_t)(--t->n - axis));
}

/* The axes in the order of `order`, which has the same labels. */
static void arrange(part *p, const term *order) {
    bp_dims axes = {.n = order->n};
    bool moved = false;
    for (int64_t i = 0; i < order->n; i++)
        for (int64_t k = 0; k < p->t.n; k++)
            if (p->t.label[k] == order->label[i]) {
                axes.dim[i] = k;
                moved |= k != i;
            }
    if (moved) p->v = bp_permute(p->v, axes);
    p->t = *order;
}

/* The diagonal of two axes of one label, as every (n + 1)th element of both in one. */
static void take_diagonals(part *p) {
    for (int64_t j = 1; j < p->t.n; j++)
        for (int64_t i = 0; i < j; i++) {
            if (p->t.label[i] != p->t.label[j]) continue;
            int label = p->t.label[i];
            bp_dims d = bp_value_dims(p->v), axes = {.n = d.n}, flat = {.n = d.n - 1};
            int64_t size = d.dim[i], n = 0;
            for (int64_t k = 0; k < d.n; k++)
                if (k != i && k != j) {
                    flat.dim[n] = d.dim[k];
                    axes.dim[n++] = k;
                }
            axes.dim[n] = i;
            axes.dim[n + 1] = j;
            flat.dim[n] = bp__dim_mul(p->v.graph->dims, size, size);
            p->v = bp__slice_axis(bp_reshape(bp_permute(p->v, axes), flat), n, 0, size, size + 1);
            take_out(&p->t, j);
            take_out(&p->t, i);
            append(&p->t, label);
            j = 0; /* from the start: the axes have moved */
            break;
        }
}

/* Axes of size 1 whose label is longer elsewhere: the value is the same along it, so the axis goes. */
static void drop_ones(const equation *e, part *p) {
    bp_dims d = bp_value_dims(p->v), left = {.n = 0};
    term t = {.n = 0};
    for (int64_t i = 0; i < d.n; i++) {
        if (d.dim[i] == 1 && e->size[p->t.label[i]] != 1) continue;
        left.dim[left.n++] = d.dim[i];
        append(&t, p->t.label[i]);
    }
    if (left.n < d.n) p->v = bp_reshape(p->v, left);
    p->t = t;
}

static void sum_over(part *p, const bool *needed) {
    bp_dims axes = {.n = 0};
    term t = {.n = 0};
    for (int64_t i = 0; i < p->t.n; i++) {
        if (needed[p->t.label[i]])
            append(&t, p->t.label[i]);
        else
            axes.dim[axes.n++] = i;
    }
    if (axes.n > 0) p->v = bp__sum_axes(p->v, axes, false);
    p->t = t;
}

static bp_dims sizes_of(const equation *e, const term *t) {
    bp_dims d = {.n = t->n};
    for (int64_t i = 0; i < t->n; i++) d.dim[i] = e->size[t->label[i]];
    return d;
}

static void join(term *t, const term *more) {
    for (int64_t i = 0; i < more->n && t->n < BP_MAX_DIMS; i++) append(t, more->label[i]);
}

static bp_value reshaped(bp_value v, bp_dims to) {
    bp_dims d = bp_value_dims(v);
    return bp__dims_equal(&d, &to) ? v : bp_reshape(v, to);
}

/* The sizes of `batch`, then the products of those of `rows` and of `columns`. */
static bp_value as_matrices(bp_graph *g, const equation *e, bp_value v, const term *batch, const term *rows,
                            const term *columns) {
    bp_dims d = sizes_of(e, batch), r = sizes_of(e, rows), c = sizes_of(e, columns);
    d.dim[d.n++] = bp__dims_count(g->dims, &r);
    d.dim[d.n++] = bp__dims_count(g->dims, &c);
    return reshaped(v, d);
}

/* a and b in one: labels of both that are not needed any more are contracted. */
static bp_value combine(bp_graph *g, const equation *e, part *a, part *b, const bool *needed) {
    term both = {.n = 0}, inner = {.n = 0}, left = {.n = 0}, right = {.n = 0}, result;
    for (int64_t i = 0; i < a->t.n; i++) {
        int label = a->t.label[i];
        append(!has(&b->t, label) ? &left : needed[label] ? &both : &inner, label);
    }
    for (int64_t i = 0; i < b->t.n; i++)
        if (!has(&a->t, b->t.label[i])) append(&right, b->t.label[i]);
    if (both.n + left.n + right.n > BP_MAX_DIMS || both.n + 2 > BP_MAX_DIMS)
        return bp__graph_fail(g, BP_SHAPE, "einsum: \"%s\" needs an intermediate value of more than %d axes: use two equations",
                              e->text, BP_MAX_DIMS);
    result = both;
    join(&result, &left);
    term order_a = result, order_b = both;
    if (inner.n == 0) { /* nothing to contract: an outer product, element by element */
        join(&order_b, &right);
        arrange(a, &order_a);
        arrange(b, &order_b);
        bp_dims da = sizes_of(e, &order_a), db = sizes_of(e, &both);
        for (int64_t i = 0; i < right.n; i++) da.dim[da.n++] = 1;
        for (int64_t i = 0; i < left.n; i++) db.dim[db.n++] = 1;
        for (int64_t i = 0; i < right.n; i++) db.dim[db.n++] = e->size[right.label[i]];
        a->v = bp_mul(reshaped(a->v, da), reshaped(b->v, db));
    } else {
        join(&order_a, &inner);
        join(&order_b, &inner);
        join(&order_b, &right);
        arrange(a, &order_a);
        arrange(b, &order_b);
        a->v = bp_matmul(as_matrices(g, e, a->v, &both, &left, &inner), as_matrices(g, e, b->v, &both, &inner, &right));
    }
    join(&result, &right);
    a->t = result;
    return a->v = reshaped(a->v, sizes_of(e, &result));
}

static bp_value decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    const struct bp__einsum_attrs *a = attrs;
    equation e;
    bp_dims dims[MOST_INPUTS];
    int64_t rank[MOST_INPUTS];
    part parts[MOST_INPUTS];
    for (int32_t i = 0; i < n_in; i++) {
        dims[i] = bp_value_dims(in[i]);
        rank[i] = dims[i].n;
    }
    if (!read_equation(&e, a->equation, rank, n_in) || !fit(&e, NULL, dims)) /* infer has seen it */
        return bp__graph_fail(g, BP_INTERNAL, "einsum: %s", e.fault);
    for (int32_t i = 0; i < n_in; i++) {
        parts[i] = (part){in[i], e.in[i]};
        take_diagonals(&parts[i]);
        drop_ones(&e, &parts[i]);
    }
    for (int32_t i = 0; i < n_in; i++) {
        bool needed[LABELS] = {false}, here[LABELS]; /* by what comes later; by that or by the other one of the two */
        for (int64_t k = 0; k < e.out.n; k++) needed[e.out.label[k]] = true;
        for (int32_t j = i + 1; j < n_in; j++)
            for (int64_t k = 0; k < parts[j].t.n; k++) needed[parts[j].t.label[k]] = true;
        if (i == 0) {
            sum_over(&parts[0], needed);
            continue;
        }
        memcpy(here, needed, sizeof here);
        for (int64_t k = 0; k < parts[0].t.n; k++) here[parts[0].t.label[k]] = true;
        sum_over(&parts[i], here);
        memcpy(here, needed, sizeof here);
        for (int64_t k = 0; k < parts[i].t.n; k++) here[parts[i].t.label[k]] = true;
        sum_over(&parts[0], here);
        if (bp_is_bad(combine(g, &e, &parts[0], &parts[i], needed))) return parts[0].v;
    }
    arrange(&parts[0], &e.out);
    return parts[0].v;
}

/* ---- Table ------------------------------------------------------------------------------------------------------------ */

#define EQUATION(name, text) static const struct bp__einsum_attrs name = {.equation = text};
EQUATION(product, "ij,jk->ik")
EQUATION(batched, "bij,bkj->bki")
EQUATION(implicit, "b...i, ...ij")
EQUATION(trace, "ii")
EQUATION(diagonals, "iji->ji")
EQUATION(chain, "ij,jk,kl->il")
EQUATION(apart, "i,j->ji")
EQUATION(ones, "ij,ij->i")
EQUATION(sums, "...ij->...")
EQUATION(triple, "bi,oij,bj->bo")
#undef EQUATION
static const bp__sample samples[] = {
    {.attrs = &product, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {4, 5})}},
    {.attrs = &batched, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 3, {2, 5, 4})}},
    {.attrs = &implicit, .n_in = 2, .in = {BP__F(-2, 2, 3, {2, 3, 4}), BP__F(-2, 2, 3, {1, 4, 2})}},
    {.attrs = &trace, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 3})}},
    {.attrs = &diagonals, .n_in = 1, .in = {BP__F(-2, 2, 3, {3, 2, 3})}},
    {.attrs = &chain, .n_in = 3, .in = {BP__F(-2, 2, 2, {2, 3}), BP__F(-2, 2, 2, {3, 4}), BP__F(-2, 2, 2, {4, 2})}},
    {.attrs = &apart, .n_in = 2, .in = {BP__F(-2, 2, 1, {3}), BP__F(-2, 2, 1, {2})}},
    {.attrs = &ones, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 1}), BP__F(-2, 2, 2, {3, 4})}},
    {.attrs = &sums, .n_in = 1, .in = {BP__F(-2, 2, 4, {2, 3, 2, 2})}},
    {.attrs = &triple, .n_in = 3, .in = {BP__F(-2, 2, 2, {2, 3}), BP__F(-1, 1, 3, {2, 3, 4}), BP__F(-2, 2, 2, {2, 4})}},
    {.attrs = &product, .n_in = 2, .in = {BP__F(-2, 2, 2, {3, 0}), BP__F(-2, 2, 2, {0, 2})}},
};

const bp__op_def bp__def_einsum = {BP__SIGNATURE(einsum),
                                   .family = "products",
                                   .formula = "y[output's axes] = sum over all other axes of the product of the inputs",
                                   .infer = infer,
                                   .decompose = decompose,
                                   .samples = samples,
                                   .n_samples = BP__COUNT(samples)};
