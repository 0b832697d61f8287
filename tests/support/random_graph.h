/* Graphs drawn at random, as recipes: a list of steps that can be built in any context and in single or double precision.
   test_random_graphs.c runs them; random_graph.h draws, builds and prints them. */
#ifndef BP__RANDOM_GRAPH_H
#define BP__RANDOM_GRAPH_H
#include "op/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_STEPS = 400,
    MAX_VALUES = 600,
    MAX_IN = 10,
    MAX_WRT = 14,
    MAX_OUTPUTS = 12,
    MAX_ASSIGNS = 48,
    MAX_ROUNDS = 3,
    ATTR_BYTES = 640
};

typedef enum kind { INPUT, PARAMETER, VARIABLE, CONSTANT, NUMBER, OPERATION, GRADIENTS } kind;
static const char *const kind_names[] = {"input", "parameter", "variable", "constant", "number", "", "gradients"};

/* Data types in a recipe: F32 stands for the float type under test and F64 for the other one; with ONLY_F64 both are double. */
#define ONLY_F64 ((bp_dtype)64)

typedef struct step {
    kind kind;
    const bp__op *op;
    union {
        unsigned char bytes[ATTR_BYTES];
        double align;
    } attrs;
    int in[MAX_IN], n_in; /* of GRADIENTS: what is differentiated */
    int wrt[MAX_WRT], n_wrt;
    int out, n_out; /* values out … out + n_out - 1 */
    bp_dtype dtype; /* leaves */
    bp_dims dims;
    double low, high; /* leaves: their numbers; NUMBER: low */
} step;

typedef struct recipe {
    uint64_t seed, random;
    step steps[MAX_STEPS];
    bp_value value[MAX_VALUES]; /* in the graph it was drawn in */
    int step_of[MAX_VALUES];
    int n_steps, n_values, n_operations, limit_operations;
    int outputs[MAX_OUTPUTS], n_outputs;
    int variable[MAX_ASSIGNS], assigned[MAX_ASSIGNS], n_assigns;
    int ok;          /* a value, or -1 */
    int64_t largest; /* elements of one value */
    int moving;      /* the step of the input t (random_graph_slope.h); 0: there is none, and rounds differ in all inputs */
    double t[MAX_ROUNDS];
    int64_t batch; /* the larger one of the two that it runs with */
    bp_context *ctx;
    bp_graph *g; /* the draft */
    bool overfull;
} recipe;

/* ---- Chance -------------------------------------------------------------------------------------------------------- */

static inline uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
static inline int64_t below(recipe *r, int64_t n) { return (int64_t)(mixed(r->random += 0x9E3779B97F4A7C15u) % (uint64_t)n); }
static inline bool chance(recipe *r, int percent) { return below(r, 100) < percent; }
#define PICK(r, ...) \
    ((const int64_t[]){__VA_ARGS__}[below((r), (int64_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))])

/* ---- Steps --------------------------------------------------------------------------------------------------------- */

static inline bp_dtype in_type(bp_dtype dtype, bp_dtype type) {
    if (dtype > BP_F64) return dtype;
    return type == ONLY_F64 ? BP_F64 : (bp_dtype)(dtype ^ type);
}

/* The numbers of a leaf: the same in every context, other ones in every round. Beside an input t they are in general position:
   no zeros, equal numbers or NaN, and only t differs between rounds. */
static inline void fill_leaf(const recipe *r, int index, int round, bp_dtype type, int64_t n, void *data) {
    const step *s = &r->steps[index];
    bp_dtype dtype = in_type(s->dtype, type);
    const bool special = dtype <= BP_F64 && !r->moving;
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = mixed(r->seed * 1000003u + (uint64_t)index * 65537u + (r->moving ? 0 : (uint64_t)round * 257u) +
                              (uint64_t)i * 0x9E3779B97F4A7C15u);
        double x = s->low + (s->high - s->low) * ((double)(bits >> 11) * 0x1p-53);
        if (special && bits % 61 == 0) x = (double)((int)(bits >> 8) % 3 - 1); /* equal numbers, and zeros */
        if (special && s->kind == INPUT && r->seed % 7 == 3 && bits % 127 == 0) x = bits % 2 ? (double)NAN : (double)-INFINITY;
        if (r->moving && index == r->moving) x = r->t[round];
        switch (dtype) {
        case BP_F32: ((float *)data)[i] = (float)x; break;
        case BP_F64: ((double *)data)[i] = x; break;
        case BP_I32: ((int32_t *)data)[i] = (int32_t)floor(x); break;
        case BP_I64: ((int64_t *)data)[i] = (int64_t)floor(x); break;
        case BP_U8: ((uint8_t *)data)[i] = (uint8_t)floor(x); break;
        }
    }
}

/* Elements for a size of the batch. */
static inline int64_t elements(const bp_graph *g, const bp_dims *d, int64_t batch) {
    int64_t n = 1, symbols[2] = {batch, 1};
    for (int64_t i = 0; i < d->n; i++) n *= bp__dim_eval(g->dims, d->dim[i], symbols);
    return n;
}

static inline bp_value operate(bp_graph *g, const step *s, const bp_value *value, bp_dtype type) {
    union {
        unsigned char bytes[ATTR_BYTES];
        double align;
    } attrs = {{0}};
    memcpy(attrs.bytes, s->attrs.bytes, sizeof attrs.bytes);
    for (int32_t i = 0; i < s->op->n_attrs; i++) {
        int32_t *to = (int32_t *)(void *)(attrs.bytes + s->op->attrs[i].offset);
        if (s->op->attrs[i].type == BP__ATTR_DTYPE) *to = (int32_t)in_type((bp_dtype)*to, type);
    }
    bp_value in[MAX_IN];
    for (int i = 0; i < s->n_in; i++) in[i] = s->in[i] < 0 ? BP_NONE : value[s->in[i]];
    return bp__graph_add(g, s->op, attrs.bytes, in, s->n_in);
}

static inline void build_step(bp_graph *g, const recipe *r, int index, bp_value *value, bp_dtype type) {
    const step *s = &r->steps[index];
    char name[32];
    snprintf(name, sizeof name, "%s%d", s->kind == INPUT ? "x" : s->kind == PARAMETER ? "p" : "v", index);
    bp_dtype dtype = in_type(s->dtype, type);
    bp_value in[MAX_IN], wrt[MAX_WRT], d[MAX_WRT];
    switch (s->kind) {
    case INPUT: value[s->out] = bp_input(g, name, dtype, s->dims); break;
    case PARAMETER: value[s->out] = bp_parameter(g, name, s->dims, bp_uniform_init(s->low, s->high)); break;
    case VARIABLE: value[s->out] = bp_variable(g, name, dtype, s->dims, bp_uniform_init(s->low, s->high)); break;
    case NUMBER: value[s->out] = bp_number(g, dtype, s->low); break;
    case CONSTANT: {
        int64_t n = elements(g, &s->dims, 0);
        void *data = malloc((size_t)n * 8);
        if (!data) abort();
        fill_leaf(r, index, 0, type, n, data);
        value[s->out] = bp_constant(g, dtype, s->dims, data);
        free(data);
        break;
    }
    case OPERATION: {
        bp_value first = operate(g, s, value, type);
        for (int k = 0; k < s->n_out; k++) value[s->out + k] = bp_is_bad(first) ? first : bp__output(first, k);
        break;
    }
    case GRADIENTS:
        for (int i = 0; i < s->n_in; i++) in[i] = value[s->in[i]];
        for (int i = 0; i < s->n_wrt; i++) wrt[i] = value[s->wrt[i]];
        bp_gradients(d, in, NULL, s->n_in, wrt, s->n_wrt);
        for (int i = 0; i < s->n_wrt; i++) value[s->out + i] = d[i];
        break;
    }
}

/* Adds a step to the recipe and to the draft; the number of its first value, or -1 where there is no room. */
static inline int push(recipe *r, const step *made) {
    int n_out = made->kind == GRADIENTS ? made->n_wrt : made->kind == OPERATION ? made->op->n_out : 1;
    if (r->n_steps == MAX_STEPS || r->n_values + n_out > MAX_VALUES) {
        r->overfull = true;
        return -1;
    }
    step *s = &r->steps[r->n_steps];
    *s = *made;
    s->out = r->n_values;
    s->n_out = n_out;
    build_step(r->g, r, r->n_steps, r->value, BP_F32);
    for (int k = 0; k < n_out; k++) {
        bp_dims d = bp_value_dims(r->value[s->out + k]);
        if (made->kind == OPERATION && r->g->status == BP_OK && elements(r->g, &d, r->batch) > r->largest)
            return -1; /* forgotten */
        r->step_of[s->out + k] = r->n_steps;
    }
    r->n_steps++;
    r->n_values += n_out;
    r->n_operations += made->kind == OPERATION;
    return s->out;
}

static inline int leaf(recipe *r, kind what, bp_dtype dtype, bp_dims dims, double low, double high) {
    return push(r, &(step){.kind = what, .dtype = dtype, .dims = dims, .low = low, .high = high});
}
static inline int number(recipe *r, bp_dtype dtype, double x) {
    return push(r, &(step){.kind = NUMBER, .dtype = dtype, .low = x});
}

/* attrs NULL: the defaults. Inputs -1 are absent. */
static inline int apply(recipe *r, const bp__op *op, const void *attrs, const int *in, int n_in) {
    step s = {.kind = OPERATION, .op = op, .n_in = n_in};
    for (int i = 0; i < n_in; i++) s.in[i] = in[i];
    if (op->attrs_size > sizeof s.attrs.bytes) abort();
    if (!attrs) attrs = op->attr_defaults;
    if (attrs) memcpy(s.attrs.bytes, attrs, op->attrs_size);
    return push(r, &s);
}
static inline int apply1(recipe *r, enum bp__op_id id, const void *attrs, int a) {
    return a < 0 ? a : apply(r, bp__op_id(id), attrs, &a, 1);
}
static inline int apply2(recipe *r, enum bp__op_id id, const void *attrs, int a, int b) {
    return a < 0 || b < 0 ? -1 : apply(r, bp__op_id(id), attrs, (const int[]){a, b}, 2);
}

/* ---- In readable form ------------------------------------------------------------------------------------------------ */

static inline void print_dims(const bp_dims *d) {
    printf("[");
    for (int64_t i = 0; i < d->n; i++) {
        if (i > 0) printf(", ");
        if (d->dim[i] == BP_BATCH)
            printf("batch");
        else if (d->dim[i] == BP_INFER)
            printf("?");
        else if (d->dim[i] < 0)
            printf("expression%lld", (long long)-d->dim[i]);
        else
            printf("%lld", (long long)d->dim[i]);
    }
    printf("]");
}

static inline void print_attrs(const step *s) {
    for (int32_t i = 0; i < s->op->n_attrs; i++) {
        const bp__attr *a = &s->op->attrs[i];
        const void *p = s->attrs.bytes + a->offset;
        printf(", %s=", a->name);
        switch (a->type) {
        case BP__ATTR_F64: printf("%.17g", *(const double *)p); break;
        case BP__ATTR_I64: printf("%lld", (long long)*(const int64_t *)p); break;
        case BP__ATTR_BOOL:
        case BP__ATTR_DTYPE: printf("%d", (int)*(const int32_t *)p); break;
        case BP__ATTR_TEXT: printf("\"%s\"", *(const char *const *)p); break;
        case BP__ATTR_DIMS: print_dims(p); break;
        }
    }
}

/* The steps that outputs and assignments need. */
static inline void needed(const recipe *r, bool *steps) {
    bool wanted[MAX_VALUES] = {false};
    for (int i = 0; i < r->n_outputs; i++) wanted[r->outputs[i]] = true;
    for (int i = 0; i < r->n_assigns; i++) wanted[r->assigned[i]] = wanted[r->variable[i]] = true;
    if (r->ok >= 0) wanted[r->ok] = true;
    for (int i = r->n_steps - 1; i >= 0; i--) {
        const step *s = &r->steps[i];
        steps[i] = false;
        for (int k = 0; k < s->n_out; k++) steps[i] |= wanted[s->out + k];
        for (int k = 0; k < s->n_in && steps[i]; k++)
            if (s->in[k] >= 0) wanted[s->in[k]] = true;
        for (int k = 0; k < s->n_wrt && steps[i]; k++) wanted[s->wrt[k]] = true;
    }
}

static inline void print_recipe(const recipe *r) {
    bool wanted[MAX_STEPS];
    needed(r, wanted);
    for (int i = 0; i < r->n_steps; i++) {
        const step *s = &r->steps[i];
        if (!wanted[i]) continue;
        printf("  ");
        for (int k = 0; k < s->n_out; k++) printf(k ? ", #%d" : "#%d", s->out + k);
        printf(" = %s(", s->kind == OPERATION ? s->op->name : kind_names[s->kind]);
        for (int k = 0; k < s->n_in; k++) {
            if (k > 0) printf(", ");
            if (s->in[k] < 0)
                printf("-");
            else
                printf("#%d", s->in[k]);
        }
        for (int k = 0; k < s->n_wrt; k++) printf(k ? ", #%d" : " by #%d", s->wrt[k]);
        if (s->kind == OPERATION) print_attrs(s);
        if (s->kind == NUMBER) printf("%.17g", s->low);
        printf(") %s ", bp_dtype_name(bp_value_dtype(r->value[s->out])));
        bp_dims d = bp_value_dims(r->value[s->out]);
        print_dims(&d);
        printf("\n");
    }
    for (int i = 0; i < r->n_assigns; i++) printf("  assign #%d := #%d\n", r->variable[i], r->assigned[i]);
    printf("  outputs");
    for (int i = 0; i < r->n_outputs; i++) printf(" #%d", r->outputs[i]);
    if (r->ok >= 0) printf(", committed when #%d", r->ok);
    printf("\n");
}

#endif
