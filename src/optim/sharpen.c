/* Sharpness-aware minimisation: the optimiser is given the gradients of a point near, where the loss is highest in first order.
     e = rho·g / (|g| + 1e-12); adaptive: e = rho·w²·g / (|w·g| + 1e-12); the norm over all parameters; then dL(w + e)/dw.
   Foret et al., "Sharpness-aware minimization for efficiently improving generalization", 2021; Kwon et al., "ASAM", 2021. A step
   made of shards perturbs each with its own gradient, which the first paper calls m-sharpness and finds no worse. */
#include <string.h>

#include "optim/optimizers.h"

/* rho[j] 0: parameter j stays where it is; below 0: the point where the loss is lowest, the worst for who maximises it. */
static void sharpen(bp_graph *g, bp_value loss, const bp_value *params, bp_value *grads, const double *rho, int n,
                    bool adaptive) {
    bp_value *moved = bp__zalloc(g->ctx, sizeof(bp_value) * (size_t)(2 * n + 1)), *from = moved + n, square = BP_NONE;
    if (!moved) {
        bp__graph_fail(g, BP_MEMORY, "optimizer: out of memory for %d parameters", n);
        return;
    }
    for (int j = 0; j < n; j++) {
        if (rho[j] == 0) continue;
        bp_value s = bp__sum_of_squares(adaptive ? bp_mul(params[j], grads[j]) : grads[j]);
        square = square.graph ? bp_add(square, s) : s;
    }
    int n_moved = 0;
    if (square.graph) {
        bp_value norm = bp__add_k(bp_sqrt(square), 1e-12);
        for (int j = 0; j < n; j++) {
            if (rho[j] == 0) continue;
            bp_value scale = bp_div(bp_number(g, BP_F64, rho[j]), norm);
            bp_value e = bp_mul(grads[j], bp_cast(scale, bp_value_dtype(params[j])));
            from[n_moved] = params[j];
            moved[n_moved++] = bp_add(params[j], adaptive ? bp_mul(bp_square(params[j]), e) : e);
        }
        /* w + e counts as e + w with e held: its derivative for w is that for the sum itself. */
        bp_value there = bp_substitute(loss, from, moved, n_moved);
        for (int j = 0, k = 0; j < n; j++) from[j] = rho[j] != 0 ? moved[k++] : params[j];
        bp_gradients(grads, &there, NULL, 1, from, n);
    }
    bp__free(g->ctx, moved);
}

void bp_sharpen(bp_value *grads, bp_value loss, const bp_value *params, int n, double rho, int adaptive) {
    bp_graph *g = loss.graph;
    if (!g || g->status != BP_OK || n <= 0) return;
    double *each = bp__alloc(g->ctx, sizeof *each * (size_t)n);
    if (!each) {
        bp__graph_fail(g, BP_MEMORY, "sharpen: out of memory for %d parameters", n);
        return;
    }
    for (int j = 0; j < n; j++) each[j] = rho;
    sharpen(g, loss, params, grads, each, n, adaptive != 0);
    bp__free(g->ctx, each);
}

bp_status bp__optimizer_sharpen(bp_graph *g, const bp__tree *tree, bp_value loss, const bp_value *params, bp_value *grads,
                                int n) {
    bp__optimizer_plan plan;
    double *rho = bp__zalloc(g->ctx, sizeof *rho * (size_t)(n + 1));
    if (!rho) return bp__out_of_memory(g->ctx, sizeof *rho * (size_t)n);
    bp_status status = bp__optimizer_read(&plan, g->ctx, NULL, tree);
    bool any = false;
    for (int j = 0; j < n && status == BP_OK; j++) {
        const bp__optimizer_group *group = &plan.groups[bp__optimizer_group_of(&plan, params[j])];
        rho[j] = group->freeze ? 0 : bp__choice_option(&group->choice, "sam_rho")->number;
        if (bp__choice_option(&group->choice, "maximize")->boolean) rho[j] = -rho[j];
        any |= rho[j] != 0;
    }
    if (status == BP_OK && any) {
        const char *scope = bp__graph_scope(g, "optimizer");
        sharpen(g, loss, params, grads, rho, n, bp__choice_option(&plan.groups[0].choice, "sam_adaptive")->boolean);
        bp__graph_scope(g, scope);
    }
    bp__optimizer_plan_free(&plan);
    bp__free(g->ctx, rho);
    return status != BP_OK ? status : g->status;
}
