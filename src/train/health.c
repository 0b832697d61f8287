/* Steps that go wrong: which norms are outliers, what is said of a skipped step, and what happens when trouble goes on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math64.h"
#include "graph/plan.h"
#include "train/loop.h"

enum { ENOUGH = 50, BAD_STEPS = 10, MAX_ROLLBACKS = 8, MAX_DIAGNOSED = 100 };
static const double least_deviation = 0.5; /* a norm below e^(z/2) times the usual is never an outlier, however even they were */
static const double too_far = 100;         /* times the first step's loss: nowhere near where training began */

void bp__health_start(bp__health *h) { *h = (bp__health){.first_loss = (double)NAN, .lr_factor = 1, .last_rollback = -1}; }

/* No libm: which steps count reaches the weights. */
double bp__health_limit(const bp__health *h, double z) {
    int64_t n = BP__MIN(h->n_window, BP__WINDOW);
    if (z <= 0 || n < ENOUGH) return HUGE_VAL;
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) mean += h->window[i];
    mean /= (double)n;
    for (int64_t i = 0; i < n; i++) square += (h->window[i] - mean) * (h->window[i] - mean);
    double deviation = sqrt(square / (double)n);
    return bp__exp64(BP__MIN(mean + z * BP__MAX(deviation, least_deviation), 700));
}

bool bp__health_far(const bp__health *h, double loss) {
    return h->first_loss == h->first_loss && fabs(loss) > too_far * (fabs(h->first_loss) + 1e-3);
}

/* What is told of a streak: the first step with a value that is not finite, where there is none the first step. */
static void remember(bp__health *h, const int64_t *rows, int64_t n, const bp__blame *blame) {
    bp__trouble *first = &h->trouble;
    if (h->n_bad + h->n_far > 0 && (first->operation[0] || !blame->operation)) return;
    *first = (bp__trouble){.n_rows = n};
    memcpy(first->rows, rows, sizeof *rows * (size_t)BP__MIN(n, BP__TOLD_ROWS));
    snprintf(first->operation, sizeof first->operation, "%s", blame->operation ? blame->operation : "");
    snprintf(first->layer, sizeof first->layer, "%s", blame->layer ? blame->layer : "");
}

bp_status bp__health_note(bp__loop *l, const int64_t *rows, int64_t n, const bp__step *out) {
    bp__health *h = &l->health;
    if (h->first_loss != h->first_loss) h->first_loss = out->loss;
    if (out->norm > 0) h->window[h->n_window++ % BP__WINDOW] = bp__log64(out->norm);
    bool far = bp__health_far(h, out->loss);
    if (far) remember(h, rows, n, &(bp__blame){0});
    h->n_bad = 0;
    h->n_far = far ? h->n_far + 1 : 0;
    if (h->n_far < BAD_STEPS) return BP_OK;
    char why[200];
    snprintf(why, sizeof why, "the loss is %.4g and was so for %d steps, after %.4g at the first step", out->loss, BAD_STEPS,
             h->first_loss);
    return bp__loop_diverged(l, why, rows, n);
}

/* ---- What is said of it ---- */

static bp_status put_rows(bp_context *ctx, bp__tree *t, const int64_t *rows, int64_t n) {
    bp__tree *list = bp__tree_new(ctx, BP__LIST);
    BP_TRY(bp__put(ctx, t, "rows", list, NULL));
    for (int64_t i = 0; i < BP__MIN(n, BP__TOLD_ROWS); i++) BP_TRY(bp__tree_append(ctx, list, bp__tree_int(ctx, rows[i])));
    return n > BP__TOLD_ROWS ? bp__put_int(ctx, t, "n_rows", n) : BP_OK;
}

/* Runs the step again from the unchanged state, looking at every value. */
static bp_status diagnose(bp__loop *l, const int64_t *rows, int64_t n, bp__blame *blame) {
    *blame = (bp__blame){0};
    for (int64_t at = 0; at < n && !blame->operation; at += l->d->batch) {
        bp__batch b = bp__gather(&l->staging, rows + at, BP__MIN(l->d->batch, n - at));
        BP_TRY(bp__net_diagnose(l->net, &b, at, blame));
    }
    return BP_OK;
}

bp_status bp__health_skipped(bp__loop *l, const int64_t *rows, int64_t n, const bp__step *out) {
    bp_context *ctx = l->run->ctx;
    bool finite = isfinite(out->loss) && isfinite(out->norm);
    bp__blame blame = {0};
    if (!finite && l->run->n_skipped <= MAX_DIAGNOSED) BP_TRY(diagnose(l, rows, n, &blame));
    char why[400], where[200] = "";
    if (blame.operation)
        snprintf(where, sizeof where, "; the first value that is not finite comes from %.60s%s%.60s", blame.operation,
                 blame.layer ? " in " : "", blame.layer ? blame.layer : "");
    if (finite)
        snprintf(why, sizeof why, "the gradient's norm %.4g is an outlier: steps before it allow %.4g", out->norm,
                 bp__health_limit(&l->health, l->d->s.outlier_z));
    else
        snprintf(why, sizeof why, "%s not finite%s", isfinite(out->loss) ? "the gradient is" : "the loss is", where);
    bp__tree *t = NULL;
    bp_status status = bp__event_begin(l->run, "skipped_step", &t);
    if (status == BP_OK) status = bp__put_int(ctx, t, "epoch", l->epoch);
    if (status == BP_OK) status = put_rows(ctx, t, rows, n);
    if (status == BP_OK) status = bp__put_number(ctx, t, "loss", out->loss);
    if (status == BP_OK) status = bp__put_number(ctx, t, "gradient_norm", out->norm);
    if (status == BP_OK && blame.operation) status = bp__put_text(ctx, t, "operation", blame.operation);
    if (status == BP_OK && blame.layer) status = bp__put_text(ctx, t, "layer", blame.layer);
    if (status == BP_OK) status = bp__put_text(ctx, t, "why", why);
    BP_TRY(bp__event_end(l->run, t, status));
    remember(&l->health, rows, n, &blame);
    l->run->n_skipped++;
    int limit = l->net->solver ? 1 : BAD_STEPS; /* a solver's step would go the same way again */
    if (++l->health.n_bad < limit) return BP_OK;
    snprintf(why, sizeof why, limit == 1 ? "%d step was skipped%s" : "%d steps in a row were skipped%s", limit,
             finite ? ": the gradient's norm was far above the usual" : where);
    return bp__loop_diverged(l, why, rows, n);
}

/* ---- Trouble that goes on ---- */

/* The event with the rows of the step that began it, and what there was not finite first. */
static bp_status tell(bp__loop *l, const char *event, const char *why, const int64_t *rows, int64_t n) {
    bp_run *run = l->run;
    const bp__trouble *first = &l->health.trouble;
    if (first->n_rows > 0) {
        rows = first->rows;
        n = first->n_rows;
    }
    bp__tree *t = NULL;
    bp_status status = bp__event_begin(run, event, &t);
    if (status == BP_OK) status = bp__put_int(run->ctx, t, "epoch", l->epoch);
    if (status == BP_OK && rows) status = put_rows(run->ctx, t, rows, n);
    if (status == BP_OK) status = bp__put_number(run->ctx, t, "lr", bp__loop_rate(l));
    if (status == BP_OK && first->operation[0]) status = bp__put_text(run->ctx, t, "operation", first->operation);
    if (status == BP_OK && first->layer[0]) status = bp__put_text(run->ctx, t, "layer", first->layer);
    if (status == BP_OK) status = bp__put_text(run->ctx, t, "why", why);
    l->health.trouble = (bp__trouble){0};
    return bp__event_end(run, t, status);
}

bp_status bp__loop_diverged(bp__loop *l, const char *what, const int64_t *rows, int64_t n) {
    bp_run *run = l->run;
    bp__health *h = &l->health;
    char why[500];
    h->n_bad = h->n_far = 0;
    if (l->d->s.on_divergence == BP__DIVERGENCE_CONTINUE) return BP_OK;
    memcpy(l->net->state->block, bp__loop_best_is_good(l) ? l->best_state : l->good_state, l->net->state->bytes);
    if (l->d->s.on_divergence == BP__DIVERGENCE_STOP || h->n_rollbacks >= MAX_ROLLBACKS) {
        l->diverged = true;
        bp__loop_stop(l, "divergence");
        snprintf(run->divergence, sizeof run->divergence, "%s", what);
        snprintf(why, sizeof why, "%.350s; %s; the last good weights are kept", what,
                 h->n_rollbacks ? "lower learning rates did not help" : "train.on_divergence is stop");
        return tell(l, "divergence", why, rows, n);
    }
    h->n_rollbacks++;
    h->last_rollback = l->step;
    h->n_window = 0; /* of the lower rate the norms are others */
    double before = bp__loop_rate(l);
    h->lr_factor *= 0.5; /* gently at first; where that does not help, the rate was wrong by orders of magnitude */
    for (int64_t i = 1; i < h->n_rollbacks; i++) h->lr_factor *= 0.2;
    run->n_rollbacks = h->n_rollbacks;
    snprintf(why, sizeof why, "%.350s; went back to the last good state, the learning rate goes from %.4g to %.4g", what, before,
             bp__loop_rate(l));
    bp__log(run->ctx, BP_LOG_WARNING, "step %lld: %s", (long long)l->step, why);
    return tell(l, "rollback", why, rows, n);
}
