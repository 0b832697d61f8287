/* Expressions are hash-consed: a polynomial is a sorted list of terms, a term a coefficient times a sorted list of atoms, an atom
   a symbol or a floor division of two dimensions. A polynomial that is one bare atom with coefficient 1 is still a polynomial:
   one form for everything. */
#include "graph/dim.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TERMS = 8, MAX_FACTORS = 6 };

typedef struct atom {
    char *name;       /* a symbol, or NULL: floor(num / den) */
    int64_t num, den; /* dimensions */
    int32_t symbol;
} atom;

typedef struct term {
    int64_t coef;
    int32_t n;
    int32_t factor[MAX_FACTORS]; /* sorted atom indices */
} term;

typedef struct poly {
    int32_t n;
    term t[MAX_TERMS];
} poly;

struct bp__dims_table {
    bp_context *ctx;
    atom *atoms;
    int64_t n_atoms, cap_atoms;
    poly *polys; /* dimension -2 - i is polys[i] */
    int64_t n_polys, cap_polys;
    int n_symbols;
};

static int compare_terms(const term *a, const term *b) { /* by monomial: higher degree first, then by atoms */
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    for (int32_t i = 0; i < a->n; i++)
        if (a->factor[i] != b->factor[i]) return a->factor[i] < b->factor[i] ? -1 : 1;
    return 0;
}

static bool same_poly(const poly *a, const poly *b) {
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++)
        if (a->t[i].coef != b->t[i].coef || compare_terms(&a->t[i], &b->t[i]) != 0) return false;
    return true;
}

/* Brings a polynomial into the table; numbers stay numbers. -1 when it cannot be held. */
static int64_t intern(bp__dims_table *t, const poly *p) {
    if (p->n == 0) return 0;
    if (p->n == 1 && p->t[0].n == 0 && p->t[0].coef >= 0) return p->t[0].coef;
    for (int64_t i = 0; i < t->n_polys; i++)
        if (same_poly(&t->polys[i], p)) return -2 - i;
    if (BP__GROW(t->ctx, t->polys, t->n_polys, t->cap_polys) != BP_OK) return -1;
    t->polys[t->n_polys] = *p;
    return -2 - t->n_polys++;
}

bool bp__dim_is_known(const bp__dims_table *t, int64_t d) { return d >= 0 || (d <= -2 && -2 - d < t->n_polys); }

static bool expand(const bp__dims_table *t, int64_t d, poly *out) {
    memset(out, 0, sizeof *out);
    if (d >= 0) {
        if (d > 0) {
            out->n = 1;
            out->t[0].coef = d;
        }
        return true;
    }
    if (!bp__dim_is_known(t, d)) return false;
    *out = t->polys[-2 - d];
    return true;
}

static bool add_term(poly *p, const term *x) {
    int32_t i = 0;
    while (i < p->n && compare_terms(&p->t[i], x) < 0) i++;
    if (i < p->n && compare_terms(&p->t[i], x) == 0) {
        p->t[i].coef += x->coef;
        if (p->t[i].coef == 0) {
            memmove(&p->t[i], &p->t[i + 1], sizeof(term) * (size_t)(p->n - i - 1));
            p->n--;
        }
        return true;
    }
    if (p->n == MAX_TERMS) return false;
    memmove(&p->t[i + 1], &p->t[i], sizeof(term) * (size_t)(p->n - i));
    p->t[i] = *x;
    p->n++;
    return true;
}

static bool multiply(const poly *a, const poly *b, poly *out) {
    memset(out, 0, sizeof *out);
    for (int32_t i = 0; i < a->n; i++)
        for (int32_t j = 0; j < b->n; j++) {
            term x = {0};
            if (__builtin_mul_overflow(a->t[i].coef, b->t[j].coef, &x.coef)) return false;
            int32_t p = 0, q = 0;
            const term *s = &a->t[i], *u = &b->t[j];
            if (s->n + u->n > MAX_FACTORS) return false;
            while (p < s->n || q < u->n)
                x.factor[x.n++] = q == u->n || (p < s->n && s->factor[p] <= u->factor[q]) ? s->factor[p++] : u->factor[q++];
            if (!add_term(out, &x)) return false;
        }
    return true;
}

int64_t bp__dim_add(bp__dims_table *t, int64_t a, int64_t b) {
    poly x, y;
    if (a >= 0 && b >= 0) return a > INT64_MAX - b ? -1 : a + b;
    if (!expand(t, a, &x) || !expand(t, b, &y)) return -1;
    for (int32_t i = 0; i < y.n; i++)
        if (!add_term(&x, &y.t[i])) return -1;
    return intern(t, &x);
}

int64_t bp__dim_mul(bp__dims_table *t, int64_t a, int64_t b) {
    poly x, y, z;
    if (a >= 0 && b >= 0) {
        int64_t r;
        return __builtin_mul_overflow(a, b, &r) ? -1 : r;
    }
    if (!expand(t, a, &x) || !expand(t, b, &y) || !multiply(&x, &y, &z)) return -1;
    return intern(t, &z);
}

int64_t bp__dim_sub(bp__dims_table *t, int64_t a, int64_t b) {
    poly x, y;
    if (a >= 0 && b >= 0 && a >= b) return a - b;
    if (!expand(t, a, &x) || !expand(t, b, &y)) return -1;
    for (int32_t i = 0; i < y.n; i++) {
        y.t[i].coef = -y.t[i].coef;
        if (!add_term(&x, &y.t[i])) return -1;
    }
    return intern(t, &x);
}

/* a / m for one monomial m, when every term is divisible: the quotient is exact whatever the symbols are. */
static bool divide_exactly(const poly *a, const term *m, poly *out) {
    memset(out, 0, sizeof *out);
    for (int32_t i = 0; i < a->n; i++) {
        term x = {.coef = a->t[i].coef / m->coef};
        if (a->t[i].coef % m->coef != 0) return false;
        int32_t q = 0;
        for (int32_t p = 0; p < a->t[i].n; p++) {
            if (q < m->n && a->t[i].factor[p] == m->factor[q])
                q++;
            else
                x.factor[x.n++] = a->t[i].factor[p];
        }
        if (q != m->n || !add_term(out, &x)) return false;
    }
    return true;
}

int64_t bp__dim_floordiv(bp__dims_table *t, int64_t a, int64_t b) {
    if (b == 0 || a == -1 || b == -1) return -1;
    if (a >= 0 && b > 0) return a / b;
    if (a == b) return 1;
    poly x, y, q;
    if (!expand(t, a, &x) || !expand(t, b, &y)) return -1;
    if (y.n == 1 && divide_exactly(&x, &y.t[0], &q)) return intern(t, &q);
    int64_t index = 0;
    while (index < t->n_atoms && (t->atoms[index].name || t->atoms[index].num != a || t->atoms[index].den != b)) index++;
    if (index == t->n_atoms) {
        if (BP__GROW(t->ctx, t->atoms, t->n_atoms, t->cap_atoms) != BP_OK) return -1;
        t->atoms[t->n_atoms++] = (atom){.num = a, .den = b, .symbol = -1};
    }
    poly p = {.n = 1, .t = {{.coef = 1, .n = 1, .factor = {(int32_t)index}}}};
    return intern(t, &p);
}

int64_t bp__dim_symbol(bp__dims_table *t, const char *name) {
    int64_t index = 0;
    while (index < t->n_atoms && (!t->atoms[index].name || strcmp(t->atoms[index].name, name) != 0)) index++;
    if (index == t->n_atoms) {
        if (BP__GROW(t->ctx, t->atoms, t->n_atoms, t->cap_atoms) != BP_OK) return -1;
        char *copy = bp__strdup(t->ctx, name);
        if (!copy) return -1;
        t->atoms[t->n_atoms++] = (atom){.name = copy, .symbol = t->n_symbols++};
    }
    poly p = {.n = 1, .t = {{.coef = 1, .n = 1, .factor = {(int32_t)index}}}};
    return intern(t, &p);
}

int bp__dim_symbol_count(const bp__dims_table *t) { return t->n_symbols; }

int bp__dim_symbol_index(const bp__dims_table *t, int64_t d) {
    if (d > -2 || -2 - d >= t->n_polys) return -1;
    const poly *p = &t->polys[-2 - d];
    if (p->n != 1 || p->t[0].coef != 1 || p->t[0].n != 1) return -1;
    return t->atoms[p->t[0].factor[0]].symbol;
}

const char *bp__dim_symbol_name(const bp__dims_table *t, int index) {
    for (int64_t i = 0; i < t->n_atoms; i++)
        if (t->atoms[i].name && t->atoms[i].symbol == index) return t->atoms[i].name;
    return "";
}

int bp__dim_symbol_find(const bp__dims_table *t, const char *name) {
    for (int64_t i = 0; i < t->n_atoms; i++)
        if (t->atoms[i].name && strcmp(t->atoms[i].name, name) == 0) return t->atoms[i].symbol;
    return -1;
}

int64_t bp__dim_translate(bp__dims_table *to, const bp__dims_table *from, int64_t d) {
    if (d >= 0) return d;
    if (!bp__dim_is_known(from, d)) return -1;
    const poly *p = &from->polys[-2 - d];
    int64_t sum = 0;
    for (int32_t i = 0; i < p->n && sum != -1; i++) {
        int64_t c = p->t[i].coef, x = c < 0 ? -c : c;
        for (int32_t j = 0; j < p->t[i].n && x != -1; j++) {
            const atom *a = &from->atoms[p->t[i].factor[j]];
            int64_t f = a->name ? bp__dim_symbol(to, a->name)
                                : bp__dim_floordiv(to, bp__dim_translate(to, from, a->num), bp__dim_translate(to, from, a->den));
            x = f == -1 ? -1 : bp__dim_mul(to, x, f);
        }
        sum = x == -1 ? -1 : c < 0 ? bp__dim_sub(to, sum, x) : bp__dim_add(to, sum, x);
    }
    return sum;
}

bp_dims bp__dims_translate(bp__dims_table *to, const bp__dims_table *from, const bp_dims *dims) {
    bp_dims d = *dims;
    for (int64_t i = 0; i < d.n && i < BP_MAX_DIMS; i++) d.dim[i] = bp__dim_translate(to, from, d.dim[i]);
    return d;
}

int64_t bp__dim_eval(const bp__dims_table *t, int64_t d, const int64_t *symbols) {
    if (d >= 0) return d;
    if (!bp__dim_is_known(t, d)) return -1;
    const poly *p = &t->polys[-2 - d];
    int64_t sum = 0;
    for (int32_t i = 0; i < p->n; i++) {
        int64_t x = p->t[i].coef;
        for (int32_t j = 0; j < p->t[i].n; j++) {
            const atom *a = &t->atoms[p->t[i].factor[j]];
            int64_t v;
            if (a->name) {
                v = symbols[a->symbol];
            } else {
                int64_t num = bp__dim_eval(t, a->num, symbols), den = bp__dim_eval(t, a->den, symbols);
                v = num < 0 || den <= 0 ? -1 : num / den;
            }
            if (v < 0 || __builtin_mul_overflow(x, v, &x)) return -1;
        }
        if (__builtin_add_overflow(sum, x, &sum)) return -1;
    }
    return sum < 0 ? -1 : sum;
}

static void append(char *out, size_t size, const char *s) {
    size_t n = strlen(out);
    if (n + 1 < size) snprintf(out + n, size - n, "%s", s);
}

char *bp__dim_text(const bp__dims_table *t, int64_t d, char *out, size_t size) {
    char part[96], inner[96];
    if (d == -1) {
        snprintf(out, size, "?");
    } else if (d >= 0 || !bp__dim_is_known(t, d)) {
        snprintf(out, size, "%lld", (long long)d);
    } else {
        const poly *p = &t->polys[-2 - d];
        out[0] = 0;
        for (int32_t i = 0; i < p->n; i++) {
            const term *x = &p->t[i];
            int64_t c = x->coef;
            if (i > 0) append(out, size, c < 0 ? " - " : " + ");
            if (i > 0 && c < 0) c = -c;
            if (x->n == 0 || (c != 1 && c != -1)) {
                snprintf(part, sizeof part, x->n ? "%lld*" : "%lld", (long long)c);
                append(out, size, part);
            } else if (c == -1) {
                append(out, size, "-");
            }
            for (int32_t j = 0; j < x->n; j++) {
                const atom *a = &t->atoms[x->factor[j]];
                if (j > 0) append(out, size, "*");
                if (a->name) {
                    append(out, size, a->name);
                } else {
                    append(out, size, "floor((");
                    append(out, size, bp__dim_text(t, a->num, inner, sizeof inner));
                    append(out, size, ")/(");
                    append(out, size, bp__dim_text(t, a->den, inner, sizeof inner));
                    append(out, size, "))");
                }
            }
        }
    }
    return out;
}

char *bp__dims_text(const bp__dims_table *t, const bp_dims *d, char *out, size_t size) {
    char part[160];
    snprintf(out, size, "[");
    for (int64_t i = 0; i < d->n; i++) {
        if (i > 0) append(out, size, ", ");
        append(out, size, bp__dim_text(t, d->dim[i], part, sizeof part));
    }
    append(out, size, "]");
    return out;
}

int64_t bp__dims_count(bp__dims_table *t, const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n = bp__dim_mul(t, n, d->dim[i]);
    return n;
}

bp__dims_table *bp__dims_table_new(bp_context *ctx) {
    bp__dims_table *t = bp__zalloc(ctx, sizeof *t);
    if (!t) return NULL;
    t->ctx = ctx;
    if (bp__dim_symbol(t, "batch") != BP_BATCH || bp__dim_symbol(t, "time") != BP_TIME) {
        bp__dims_table_free(t);
        return NULL;
    }
    return t;
}

void bp__dims_table_free(bp__dims_table *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->n_atoms; i++) bp__free(t->ctx, t->atoms[i].name);
    bp__free(t->ctx, t->atoms);
    bp__free(t->ctx, t->polys);
    bp__free(t->ctx, t);
}

bp__dims_table *bp__dims_table_copy(const bp__dims_table *t) {
    bp__dims_table *c = bp__zalloc(t->ctx, sizeof *c);
    if (!c) return NULL;
    *c = (bp__dims_table){.ctx = t->ctx, .n_symbols = t->n_symbols, .cap_atoms = t->n_atoms, .cap_polys = t->n_polys};
    c->atoms = bp__zalloc(t->ctx, sizeof(atom) * (size_t)t->n_atoms);
    c->polys = bp__alloc(t->ctx, sizeof(poly) * (size_t)t->n_polys);
    if (!c->atoms || !c->polys) goto fail;
    memcpy(c->polys, t->polys, sizeof(poly) * (size_t)t->n_polys);
    c->n_polys = t->n_polys;
    for (; c->n_atoms < t->n_atoms; c->n_atoms++) {
        c->atoms[c->n_atoms] = t->atoms[c->n_atoms];
        if (t->atoms[c->n_atoms].name && !(c->atoms[c->n_atoms].name = bp__strdup(t->ctx, t->atoms[c->n_atoms].name))) goto fail;
    }
    return c;
fail:
    bp__dims_table_free(c);
    return NULL;
}
