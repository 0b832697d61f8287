/* bp_optimizer: an optimiser written as in a configuration, in a graph of the caller's own. */
#include "io/shorthand.h"
#include "optim/optim.h"

static bp_status build(bp_graph *g, const bp__tree *tree, bp_value lr, const bp_value *params, const bp_value *grads, int n) {
    double rate = 0;
    BP_TRY(bp__optimizer_check(g->ctx, NULL, tree, &rate));
    /* A variable, not a constant: the update is then the same chain of operations as in training, for which there is a loop. */
    if (!lr.graph) lr = bp_variable(g, "optimizer/lr", BP_F64, bp_shape(0), bp_filled(rate));
    if (bp_is_bad(lr)) return g->status;
    if (bp_value_dtype(lr) != BP_F64 || bp_value_dims(lr).n != 0)
        bp__graph_fail(g, BP_TYPE, "optimizer: lr must be an f64 scalar, as bp_input(g, \"lr\", BP_F64, bp_shape(0)) is");
    if (g->status != BP_OK) return g->status;
    if (bp__optimizer_number(g->ctx, tree, "sam_rho") > 0)
        return bp__fail_at(g->ctx, BP_CONFIG, (bp__where){.code = "bad_value", .hint = "call bp_sharpen before bp_optimizer"},
                           "optimizer: sam_rho needs the loss, which bp_optimizer is not given");
    return bp__optimizer_build(g, tree, lr, params, grads, n);
}

bp_status bp_optimizer(bp_graph *g, const char *text, bp_value lr, const bp_value *params, const bp_value *grads, int n) {
    bp__tree *tree = NULL;
    BP_TRY(bp__shorthand_choice(g->ctx, "optimizer", text, &tree));
    bp_status status = build(g, tree, lr, params, grads, n);
    bp__tree_free(g->ctx, tree);
    return status;
}
