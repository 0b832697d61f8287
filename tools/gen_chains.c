/* Writes src/kernel/fused_chains.h: the update of every optimiser, and the chains of common layers, as register-resident loops.
   Each chain is what the fuse pass makes of the graph, so the compiled loop and the interpreter have the same formula by
   construction. `gen_chains --check` exits 1 when the file is stale. Run from the repository root (make tables). */
#include "graph/plan.h"
#include "io/files.h"
#include "io/yaml.h"
#include "kernel/ew_emit.h"
#include "optim/optim.h"

#include <stdio.h>
#include <string.h>

/* The first N_CLIPPED also behind clip_norm. */
enum { N_CLIPPED = 17 };
static const char *const optimisers[] = {"sgd",
                                         "sgd: {momentum: 0.9}",
                                         "sgd: {momentum: 0.9, nesterov: true}",
                                         "sgd: {momentum: 0.9, weight_decay: 0.0001}",
                                         "adam",
                                         "adam: {weight_decay: 0.0001}",
                                         "adam: {amsgrad: true}",
                                         "adamw",
                                         "rmsprop",
                                         "rmsprop: {momentum: 0.9}",
                                         "adagrad",
                                         "adadelta",
                                         "adamax",
                                         "nadam",
                                         "radam",
                                         "rprop",
                                         "lion",
                                         "asgd",
                                         "adafactor",
                                         "muon",
                                         "sparse_adam",
                                         "lamb",
                                         "lars",
                                         "adabelief",
                                         "adan",
                                         "yogi",
                                         "novograd",
                                         "sm3",
                                         "sign_sgd",
                                         "schedule_free_sgd",
                                         "schedule_free_adamw",
                                         "prodigy",
                                         "dog",
                                         "adopt",
                                         "ademamix",
                                         "mars",
                                         "ftrl",
                                         "irprop_minus",
                                         "quickprop",
                                         "sophia"};

enum { MAX_CHAINS = 256 };
typedef struct made {
    bp_context *ctx;
    bp__buffer text;
    bp_program *programs[MAX_CHAINS]; /* keep what `chains` points into */
    bp_graph *graphs[MAX_CHAINS];
    int n_programs;
    const bp__ew_program *chains[MAX_CHAINS];
    int n_chains;
} made;

static bool same(const bp__ew_program *a, const bp__ew_program *b) { /* the type is no part of a chain */
    if (a->n_in != b->n_in || a->n_const != b->n_const || a->n_out != b->n_out || a->n_instr != b->n_instr) return false;
    for (int32_t i = 0; i < a->n_instr; i++)
        if (a->instr[i].op != b->instr[i].op || a->instr[i].dst != b->instr[i].dst ||
            memcmp(a->instr[i].src, b->instr[i].src, sizeof a->instr[i].src) != 0)
            return false;
    return memcmp(a->constant, b->constant, sizeof(double) * (size_t)a->n_const) == 0 &&
           memcmp(a->out, b->out, sizeof *a->out * (size_t)a->n_out) == 0;
}

static bp_status add_optimiser(made *m, const char *text, bool clip) {
    bp_graph *g;
    bp__tree *tree;
    BP_TRY(bp_graph_new(&g, m->ctx));
    m->graphs[m->n_programs] = g;
    char yaml[200];
    snprintf(yaml, sizeof yaml, strchr(text, ':') ? "{%s}" : "%s", text);
    BP_TRY(bp__yaml_parse_value(m->ctx, yaml, strlen(yaml), "optimiser", &tree));
    bp_value p = bp_parameter(g, "w", bp_shape(2, 64, 64), bp_zeros()), d = bp_input(g, "d", BP_F32, bp_shape(2, 64, 64)),
             lr = bp_input(g, "lr", BP_F64, bp_shape(0));
    if (clip) BP_TRY(bp__clip_grads(g, &d, 1, bp_number(g, BP_F64, 1), BP_NONE, NULL));
    bp_status status = bp__optimizer_build(g, tree, lr, &p, &d, 1);
    bp__tree_free(m->ctx, tree);
    if (status != BP_OK) return status;
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    bp_program *program;
    BP_TRY(bp_program_new(&program, g, NULL, 0, &options));
    m->programs[m->n_programs++] = program;
    for (int64_t i = 0; i < program->g->n_nodes; i++) {
        const bp__node *node = &program->g->nodes[i];
        if (node->op != &bp__op_fused || node->out[0].dims.n != 2) continue;
        const bp__ew_program *chain = &((const bp__fused_attrs *)node->attrs)->program;
        bool known = false;
        for (int k = 0; k < m->n_chains && !known; k++) known = same(chain, m->chains[k]);
        if (known || m->n_chains == MAX_CHAINS) continue;
        char name[80];
        snprintf(name, sizeof name, "%.*s%s_%d", (int)strcspn(text, ":"), text, clip ? "_clipped" : "", m->n_chains);
        bp__ew_emit_c(&m->text, chain, name);
        m->chains[m->n_chains++] = chain;
    }
    return BP_OK;
}

int main(int argc, char **argv) {
    static made m;
    const char *path = "src/kernel/fused_chains.h";
    char *old = NULL, *now = NULL;
    size_t old_size = 0;
    if (bp_context_new(&m.ctx, NULL) != BP_OK) return 1;
    bp__buffer_init(&m.text, m.ctx);
    bp__buffer_text(&m.text, "/* Chains of element-wise formulas compiled as one loop each: generated by tools/gen_chains.c, do "
                             "not edit. Included three ways:\n"
                             "   for the functions (once per type), for the programs they are for, and for the entries of the "
                             "table. */\n/* clang-format off */\n");
    bp_status status = BP_OK;
    for (size_t i = 0; i < sizeof optimisers / sizeof *optimisers && status == BP_OK; i++)
        for (int clip = 0; clip <= (i < N_CLIPPED) && status == BP_OK; clip++) status = add_optimiser(&m, optimisers[i], clip);
    if (status == BP_OK) status = bp__buffer_take(&m.text, &now);
    bool check = argc > 1 && strcmp(argv[1], "--check") == 0, stale = false;
    if (status == BP_OK && check) {
        status = bp__file_read_all(m.ctx, path, 1 << 24, &old, &old_size);
        stale = status == BP_OK && (old_size != strlen(now) || memcmp(old, now, old_size) != 0);
        if (stale) fprintf(stderr, "gen_chains: %s is stale: run make tables\n", path);
    } else if (status == BP_OK) {
        status = bp__file_write_atomic(m.ctx, path, now, strlen(now));
    }
    if (status != BP_OK) fprintf(stderr, "gen_chains: %s\n", bp_context_error(m.ctx));
    for (int i = 0; i < m.n_programs; i++) bp_program_free(m.programs[i]);
    for (int i = 0; i < MAX_CHAINS; i++) bp_graph_free(m.graphs[i]);
    bp_free(m.ctx, old);
    bp_free(m.ctx, now);
    bp_context_free(m.ctx);
    return status != BP_OK || stale;
}
