/* loss: {formula: "mean(square(y - p))"}: y is the target (numbers [batch, targets], or labels [batch]), p the net's output
   [batch, outputs]. The formula gives one number, or one for each row: then, as for other losses, their mean is what is trained
   on. */
#include <stdio.h>

#include "op/build.h"
#include "train/net.h"

static const char *const names[] = {"y", "p"};

bp_status bp__formula_check(bp_context *ctx, const char *file, int line, const char *formula) {
    bp_graph *g;
    BP_TRY(bp_graph_new(&g, ctx));
    int64_t outputs = bp_symbol(g, "outputs"); /* sizes are not known yet: what depends on them is found when the net is made */
    bp_value values[] = {bp_input(g, "y", BP_F32, bp_shape(2, BP_BATCH, outputs)),
                         bp_input(g, "p", BP_F32, bp_shape(2, BP_BATCH, outputs))};
    bp_parse(g, formula, names, values, 2);
    bp_status status = bp_graph_status(g);
    char sentence[500];
    snprintf(sentence, sizeof sentence, "%s", bp_context_error(ctx));
    bp_graph_free(g);
    if (status == BP_OK || status == BP_MEMORY) return status;
    bp_context_clear_error(ctx);
    if (status != BP_INVALID && status != BP_NOT_FOUND) return BP_OK;
    return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "loss", .file = file, .line = line}, "formula: %s", sentence);
}

void bp__formula_loss(const char *formula, bp_value p, bp_value y, bp_value weight, bp_value *rows, bp_value *mean) {
    bp_graph *g = p.graph;
    const bp_value values[] = {y, p};
    const char *scope = bp__graph_scope(g, "loss.formula");
    bp_value v = bp_parse(g, formula, names, values, 2);
    bp_dims d = bp_value_dims(v);
    if (!bp_is_bad(v) && bp_value_dtype(v) != bp_value_dtype(p))
        v = bp__graph_fail(g, BP_TYPE, "loss.formula: it gives %s, not %s as the net; use cast", bp_dtype_name(bp_value_dtype(v)),
                           bp_dtype_name(bp_value_dtype(p)));
    else if (!bp_is_bad(v) && d.n > 0 && d.dim[0] != BP_BATCH)
        v = bp__graph_fail(g, BP_SHAPE, "loss.formula: it has to give one number, or one for each row of the batch");
    else if (!bp_is_bad(v) && d.n == 0 && weight.graph)
        v = bp__graph_fail(g, BP_SHAPE,
                           "loss.formula: rows have weights, but it gives one number for all of them; leave the mean out");
    g->scope = scope;
    *rows = *mean = v;
    if (bp_is_bad(v)) return;
    if (d.n == 0) {
        *rows = bp_broadcast_to(v, bp_shape(1, BP_BATCH));
        return;
    }
    if (d.n > 1) {
        bp_mean_options o = bp_mean_defaults();
        o.axes = (bp_dims){.n = d.n - 1};
        for (int64_t i = 1; i < d.n; i++) o.axes.dim[i - 1] = i;
        *rows = bp_mean(v, &o);
    }
    *mean = weight.graph ? bp_div(bp__sum_all(bp_mul(*rows, weight)), bp__sum_all(weight)) : bp_mean(v, NULL);
}
