/* A recipe as a C program on the public header, so that a finding can be handed on: it runs the graph as two contexts see it
   and prints every output and variable, round by round; the two halves of its output should be equal. */
#ifndef BP__RANDOM_GRAPH_C_H
#define BP__RANDOM_GRAPH_C_H
#include "support/random_graph.h"

enum { MOST_NUMBERS = 20000 }; /* that are written out */

static inline void c_dims(const bp_dims *d) {
    if (d->n < 0) {
        printf("(bp_dims){.n = -1}");
        return;
    }
    printf("bp_shape(%lld", (long long)d->n);
    for (int64_t i = 0; i < d->n; i++) {
        if (d->dim[i] == BP_BATCH)
            printf(", BP_BATCH");
        else if (d->dim[i] == BP_INFER)
            printf(", BP_INFER");
        else
            printf(", (int64_t)%lld", (long long)d->dim[i]);
    }
    printf(")");
}

static inline const char *c_type(bp_dtype dtype) {
    static const char *const names[] = {"BP_F32", "BP_F64", "BP_I32", "BP_I64", "BP_U8"};
    return names[dtype];
}
static inline const char *c_type_of_number(bp_dtype dtype) {
    static const char *const names[] = {"float", "double", "int32_t", "int64_t", "uint8_t"};
    return names[dtype];
}

static inline void c_double(double x) {
    if (isnan(x))
        printf("NAN");
    else if (isinf(x))
        printf(x > 0 ? "INFINITY" : "-INFINITY");
    else
        printf("%a", x);
}

/* The numbers of a leaf in one round, as an array. */
static inline void c_data(const recipe *r, int index, int round, bp_dtype type, int64_t n) {
    bp_dtype dtype = in_type(r->steps[index].dtype, type);
    void *data = calloc((size_t)n + 1, 8);
    if (!data) abort();
    fill_leaf(r, index, round, type, n, data);
    printf("        static const %s data%d_%d[] = {", c_type_of_number(dtype), index, round);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) printf(", ");
        switch (dtype) {
        case BP_F32: c_double((double)((float *)data)[i]); break;
        case BP_F64: c_double(((double *)data)[i]); break;
        case BP_I32: printf("%d", ((int32_t *)data)[i]); break;
        case BP_I64: printf("%lld", (long long)((int64_t *)data)[i]); break;
        case BP_U8: printf("%d", ((uint8_t *)data)[i]); break;
        }
    }
    printf("%s};\n", n ? "" : "0");
    free(data);
}

static inline void c_attr(const bp__attr *a, const void *p, bp_dtype type) {
    switch (a->type) {
    case BP__ATTR_F64: c_double(*(const double *)p); break;
    case BP__ATTR_I64: printf("%lld", (long long)*(const int64_t *)p); break;
    case BP__ATTR_BOOL: printf("%d", (int)*(const int32_t *)p); break;
    case BP__ATTR_DTYPE: printf("%s", c_type(in_type((bp_dtype) * (const int32_t *)p, type))); break;
    case BP__ATTR_TEXT: printf("\"%s\"", *(const char *const *)p); break;
    case BP__ATTR_DIMS: c_dims(p); break;
    }
}

static inline void c_value(int v) {
    if (v < 0)
        printf("BP_NONE");
    else
        printf("v%d", v);
}

static inline void c_operation(const step *s, bp_dtype type) {
    const bp__op *op = s->op;
    bool options = false;
    for (int32_t i = 0; i < op->n_attrs; i++) options |= !op->attrs[i].required;
    if (options) printf("    bp_%s_options o%d = bp_%s_defaults();\n", op->name, s->out, op->name);
    for (int32_t i = 0; i < op->n_attrs; i++) {
        if (op->attrs[i].required) continue;
        printf("    o%d.%s = ", s->out, op->attrs[i].name);
        c_attr(&op->attrs[i], s->attrs.bytes + op->attrs[i].offset, type);
        printf(";\n");
    }
    printf("    bp_value v%d = bp_%s(", s->out, op->name);
    if (op->n_in < 0) printf("(bp_value[]){");
    for (int k = 0; k < s->n_in; k++) printf(k ? ", " : ""), c_value(s->in[k]);
    if (op->n_in < 0) printf("}, %d", s->n_in);
    for (int32_t i = 0; i < op->n_attrs; i++)
        if (op->attrs[i].required) printf(", "), c_attr(&op->attrs[i], s->attrs.bytes + op->attrs[i].offset, type);
    if (options) printf(", &o%d", s->out);
    printf(");\n");
    for (int k = 1; k < s->n_out; k++) printf("    bp_value v%d = {v%d.graph, v%d.node, %d};\n", s->out + k, s->out, s->out, k);
}

static inline void c_step(const recipe *r, int index, bp_dtype type) {
    const step *s = &r->steps[index];
    switch (s->kind) {
    case INPUT: printf("    bp_value v%d = bp_input(g, \"x%d\", %s, ", s->out, index, c_type(in_type(s->dtype, type))); break;
    case PARAMETER: printf("    bp_value v%d = bp_parameter(g, \"p%d\", ", s->out, index); break;
    case VARIABLE:
        printf("    bp_value v%d = bp_variable(g, \"v%d\", %s, ", s->out, index, c_type(in_type(s->dtype, type)));
        break;
    case NUMBER: printf("    bp_value v%d = bp_number(g, %s, %a);\n", s->out, c_type(in_type(s->dtype, type)), s->low); return;
    case CONSTANT:
        printf("    bp_value v%d;\n    {\n", s->out);
        c_data(r, index, 0, type, elements(r->g, &s->dims, 0));
        printf("        v%d = bp_constant(g, %s, ", s->out, c_type(in_type(s->dtype, type)));
        c_dims(&s->dims);
        printf(", data%d_0);\n    }\n", index);
        return;
    case OPERATION: c_operation(s, type); return;
    case GRADIENTS:
        printf("    bp_value d%d[%d];\n    bp_gradients(d%d, (bp_value[]){", s->out, s->n_wrt, s->out);
        for (int k = 0; k < s->n_in; k++) printf(k ? ", v%d" : "v%d", s->in[k]);
        printf("}, NULL, %d, (bp_value[]){", s->n_in);
        for (int k = 0; k < s->n_wrt; k++) printf(k ? ", v%d" : "v%d", s->wrt[k]);
        printf("}, %d);\n", s->n_wrt);
        for (int k = 0; k < s->n_wrt; k++) printf("    bp_value v%d = d%d[%d];\n", s->out + k, s->out, k);
        return;
    }
    c_dims(&s->dims);
    if (s->kind != INPUT) printf(", bp_uniform_init(%a, %a)", s->low, s->high);
    printf(");\n");
}

static inline void c_feed(const recipe *r, const bool *wanted, int round, bp_dtype type, int64_t batch) {
    printf("    {\n");
    for (int i = 0; i < r->n_steps; i++) {
        const step *s = &r->steps[i];
        if (s->kind != INPUT || !wanted[i]) continue;
        bp_dims d = s->dims;
        int64_t symbols[2] = {batch, 1};
        for (int64_t k = 0; k < d.n; k++) d.dim[k] = bp__dim_eval(r->g->dims, d.dim[k], symbols);
        c_data(r, i, round, type, elements(r->g, &s->dims, batch));
        printf("        bp_dims dims%d = ", i);
        c_dims(&d);
        printf(";\n        bp_session_set(session, \"x%d\", data%d_%d, &dims%d);\n", i, i, round, i);
    }
    printf("        bp_session_set_step(session, %llu, %d, 0);\n        if (bp_session_run(session)) stop(ctx);\n"
           "        show(session, state, %d);\n    }\n",
           (unsigned long long)r->seed, r->moving ? 0 : round, r->n_outputs);
    if (r->moving) printf("    slope[%d] = number(session, %d);\n", round, round == 0 ? 2 : 1);
}

static const char *const c_head =
    "#include <backprop.h>\n#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n\n"
    "static void stop(bp_context *ctx) {\n    printf(\"%s\\n\", bp_context_error(ctx));\n    exit(1);\n}\n\n"
    "static void numbers(const char *name, const void *x, bp_dtype t, bp_dims d) {\n    int64_t n = 1;\n"
    "    for (int64_t i = 0; i < d.n; i++) n *= d.dim[i];\n    printf(\"%s:\", name);\n"
    "    for (int64_t i = 0; i < n; i++) {\n"
    "        if (t == BP_F32) printf(\" %a\", (double)((const float *)x)[i]);\n"
    "        if (t == BP_F64) printf(\" %a\", ((const double *)x)[i]);\n"
    "        if (t == BP_I32) printf(\" %d\", ((const int32_t *)x)[i]);\n"
    "        if (t == BP_I64) printf(\" %lld\", (long long)((const int64_t *)x)[i]);\n"
    "        if (t == BP_U8) printf(\" %d\", ((const uint8_t *)x)[i]);\n    }\n    printf(\"\\n\");\n}\n\n"
    "static void show(bp_session *session, bp_state *state, int n_outputs) {\n    bp_dtype t;\n    bp_dims d;\n"
    "    for (int k = 0; k < n_outputs; k++) {\n        const void *x;\n"
    "        if (!bp_session_output(session, k, &x, &t, &d)) numbers(\"output\", x, t, d);\n    }\n"
    "    for (int i = 0; i < bp_state_count(state); i++) {\n        const char *name = bp_state_name(state, i);\n"
    "        if (bp_state_describe(state, name, &t, &d)) continue;\n        size_t n = bp_dtype_size(t);\n"
    "        for (int64_t k = 0; k < d.n; k++) n *= (size_t)d.dim[k];\n        void *x = malloc(n + 1);\n"
    "        if (x && !bp_state_get(state, name, x, n)) numbers(name, x, t, d);\n        free(x);\n    }\n}\n\n";

/* Where an input t moves: output 1 is L, output 2 its derivative by the chain rule. */
static const char *const c_number =
    "static double number(bp_session *session, int k) {\n    const void *x;\n    bp_dtype t;\n    bp_dims d;\n"
    "    return bp_session_output(session, k, &x, &t, &d) ? 0 : *(const double *)x;\n}\n\n";

/* `wanted`: the steps that outputs and assignments need. Batches: of each round. */
static inline void print_c(const recipe *r, const bool *wanted, const char *isa, int threads, int no_passes, bp_dtype type,
                           const int64_t *batches, int n_rounds) {
    int64_t n = 0;
    for (int i = 0; i < r->n_steps; i++)
        if (wanted[i] && (r->steps[i].kind == INPUT || r->steps[i].kind == CONSTANT))
            n += n_rounds * elements(r->g, &r->steps[i].dims, r->batch);
    if (n > MOST_NUMBERS) {
        printf("/* %lld numbers go in: too many to write out as a C program */\n", (long long)n);
        return;
    }
    printf("%s%sstatic void run(const char *isa, int threads, int no_passes) {\n"
           "    bp_context_options options = {.size = sizeof options, .isa = isa, .threads = threads, .no_passes = no_passes, "
           ".has_seed = 1, .seed = 7};\n"
           "    bp_context *ctx;\n    bp_graph *g;\n    bp_state *state;\n    bp_program *program;\n    bp_session *session;\n"
           "    if (bp_context_new(&ctx, &options)) exit(1);\n    if (bp_graph_new(&g, ctx)) stop(ctx);\n    "
           "bp_graph_set_dtype(g, %s);\n",
           c_head, r->moving ? c_number : "", c_type(in_type(BP_F32, type)));
    if (r->moving) printf("    double slope[%d];\n", n_rounds);
    for (int i = 0; i < r->n_steps; i++)
        if (wanted[i]) c_step(r, i, type);
    for (int i = 0; i < r->n_assigns; i++) printf("    bp_assign(v%d, v%d);\n", r->variable[i], r->assigned[i]);
    printf("    bp_value outputs[] = {");
    for (int i = 0; i < r->n_outputs; i++) printf(i ? ", v%d" : "v%d", r->outputs[i]);
    printf("};\n    bp_program_options how = {.size = sizeof how, .commit = 1, .ok = ");
    c_value(r->ok);
    printf("};\n    if (bp_graph_status(g) || bp_state_new(&state, g) || bp_program_new(&program, g, outputs, %d, &how) ||\n"
           "        bp_session_new(&session, program, state))\n        stop(ctx);\n",
           r->n_outputs);
    for (int round = 0; round < n_rounds; round++) c_feed(r, wanted, round, type, batches[round]);
    if (r->moving)
        printf("    printf(\"derivative by t: %%.12g by the chain rule, %%.12g by differences\\n\", slope[0],\n"
               "           (slope[1] - slope[2]) / %a);\n",
               2 * r->t[1]);
    printf("    bp_session_free(session);\n    bp_program_free(program);\n    bp_state_free(state);\n    bp_graph_free(g);\n"
           "    bp_context_free(ctx);\n}\n\nint main(void) {\n    run(\"scalar\", 1, 1);\n    printf(\"--\\n\");\n"
           "    run(\"%s\", %d, %d);\n    return 0;\n}\n",
           isa, threads, no_passes);
}
#endif
