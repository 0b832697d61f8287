/* metrics: [{formula: "mean(abs(y - p))"}]: over all rows of a set at once. y is the truth (numbers [rows, targets] in their own
   unit, or labels [rows]), p the prediction [rows, targets] or the probabilities [rows, classes]. A formula that gives more than
   one number stands for their mean. */
#include <math.h>
#include <stdio.h>

#include "op/build.h"
#include "train/metrics.h"

static bp_value build(bp_graph *g, const char *text, int64_t columns, bool classes) {
    static const char *const names[] = {"y", "p"};
    bp_value values[] = {classes ? bp_input(g, "y", BP_I64, bp_shape(1, BP_BATCH))
                                 : bp_input(g, "y", BP_F64, bp_shape(2, BP_BATCH, columns)),
                         bp_input(g, "p", BP_F64, bp_shape(2, BP_BATCH, columns))};
    bp_value v = bp_parse(g, text, names, values, 2);
    if (!bp_is_bad(v) && bp_value_dtype(v) != BP_F64) v = bp_cast(v, BP_F64);
    return !bp_is_bad(v) && bp_value_dims(v).n > 0 ? bp_mean(v, NULL) : v;
}

bp_status bp__formula_metric(double *out, const char *text, const bp__scored_rows *r) {
    bp_graph *g = NULL;
    bp_program *program = NULL;
    bp_session *session = NULL;
    const bool classes = r->label != NULL;
    const bp_dims rows = {1, {r->n}}, numbers = {2, {r->n, r->columns}};
    *out = (double)NAN;
    bp_status status = bp_graph_new(&g, r->ctx);
    if (status == BP_OK) {
        bp_value v = build(g, text, r->columns, classes);
        status = bp_graph_status(g);
        if (status == BP_OK) status = bp_program_new(&program, g, &v, 1, NULL);
    }
    if (status == BP_OK) status = bp_session_new(&session, program, NULL);
    if (status == BP_OK)
        status = bp_session_set(session, "y", classes ? (const void *)r->label : (const void *)r->y, classes ? &rows : &numbers);
    if (status == BP_OK) status = bp_session_set(session, "p", r->p, &numbers);
    if (status == BP_OK) status = bp_session_run(session);
    const void *value = NULL;
    if (status == BP_OK) status = bp_session_output(session, 0, &value, NULL, NULL);
    if (status == BP_OK) *out = *(const double *)value;
    bp_session_free(session);
    bp_program_free(program);
    bp_graph_free(g);
    if (status == BP_OK || status == BP_MEMORY) return status;
    char sentence[500];
    snprintf(sentence, sizeof sentence, "%s", bp_context_error(r->ctx));
    return bp__fail_at(r->ctx, BP_CONFIG, (bp__where){.code = "metric"}, "the metric \"%s\": %s", text, sentence);
}
