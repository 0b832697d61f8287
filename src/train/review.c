/* What the two curves of a run say when it is over: that the model learnt its rows and not what is behind them, or that it learnt
   nothing; with the options that could help. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/train.h"

enum { RECENT = 3 };                   /* evaluations whose mean is "the end": one alone is noise */
static const double errors = 2;        /* a rise of fewer standard errors may be the doing of a few validation rows */
static const double margin = 0.05;     /* a rise below this part of the best loss, or of its whole fall, is noise too */
static const double least_gain = 1e-3; /* nearer to the constant's loss is no better than it */

/* ---- Overfitting ---- */

typedef struct overfitting {
    const bp__epoch *best;
    double validation, train; /* of the last RECENT evaluations */
    double error;             /* of `validation`: its standard error */
    bool sure;                /* the rise is more than that */
} overfitting;

static bool overfits(const bp_run *run, overfitting *o) {
    *o = (overfitting){0};
    int64_t n = run->n_epochs;
    if (!run->d || run->d->data->validation.n_rows == 0) return false;
    double first = (double)NAN;
    for (int64_t i = 0; i < n; i++) {
        const bp__epoch *e = &run->epochs[i];
        if (!isfinite(e->validation.loss) || e->train.n == 0) continue;
        if (first != first) first = e->validation.loss;
        if (!o->best || e->validation.loss < o->best->validation.loss) o->best = e;
    }
    if (!o->best || run->epochs + n - 1 - o->best < RECENT) return false;
    for (int64_t i = n - RECENT; i < n; i++) {
        o->validation += run->epochs[i].validation.loss / RECENT;
        o->train += run->epochs[i].train.loss / RECENT;
        o->error += run->epochs[i].validation.loss_error / RECENT; /* not less: they are the same rows */
    }
    double best = o->best->validation.loss, scale = fmax(fabs(best), first - best);
    o->sure = o->validation - best > errors * o->error;
    return o->validation - best > margin * scale && o->train < o->best->train.loss;
}

bool bp__names_dropout(const bp__tree *t) {
    if ((t->key && strstr(t->key, "dropout")) || (t->kind == BP__TEXT && !t->key && strstr(t->text, "dropout"))) return true;
    for (const bp__tree *c = t->child; c; c = c->next)
        if (bp__names_dropout(c)) return true;
    return false;
}

static void advise(const bp_run *run, char *out, size_t size) {
    const bp__decided *d = run->d;
    const bp__tree *kind = d->optimizer->kind == BP__MAP ? d->optimizer->child : NULL;
    int64_t rows = d->data->train.n_rows, parameters = run->model->net->n_parameters;
    snprintf(out, size, "try more data, %s%s%s", bp__names_dropout(d->model) ? "a larger p of dropout" : "a layer `dropout: 0.2`",
             kind && bp__tree_get(kind, "weight_decay") ? ", a larger weight_decay" : ", `--optimizer 'adamw weight_decay=0.05'`",
             d->s.stop_early ? "" : ", train.early_stopping");
    size_t used = strlen(out);
    if (parameters > rows && used < size)
        snprintf(out + used, size - used, ", or fewer parameters (%lld for %lld rows)", (long long)parameters, (long long)rows);
}

/* ---- Nothing learnt ---- */

/* The loss of the best prediction that ignores the input, in the units that are optimised: the entropy of the classes, the
   variance of the targets. NaN: the loss has no such formula here. */
static double constant_loss(const bp_run *run) {
    const bp__decided *d = run->d;
    const bp__dataset *data = d->data;
    double total = 0, loss = 0;
    if (d->loss.kind == BP__LOSS_BCE || (d->loss.kind == BP__LOSS_CROSS_ENTROPY && !(d->loss.value[0] > 0))) {
        for (int64_t c = 0; c < data->n_classes; c++) {
            double part = 0, n = 0;
            for (int64_t i = 0; i < data->train.n_rows; i++) {
                int64_t r = data->train.rows[i];
                if (data->label[r] != c) continue;
                part += d->weight ? (double)d->weight[r] : 1;
                n++;
            }
            if (d->s.sampling && n > 0) part /= n; /* as many of each class */
            total += part;
            if (part > 0) loss -= part * log(part);
        }
        return total > 0 ? loss / total + log(total) : (double)NAN;
    }
    if (d->loss.kind != BP__LOSS_MSE || !data->y) return (double)NAN;
    for (int64_t k = 0; k < data->n_targets; k++) {
        double sum = 0, square = 0, weight = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < data->train.n_rows; i++) {
                int64_t r = data->train.rows[i], at = r * data->n_targets + k;
                double y = data->y_dtype == BP_F64 ? ((const double *)data->y)[at] : (double)((const float *)data->y)[at];
                double w = d->weight ? (double)d->weight[r] : 1;
                if (pass == 0)
                    weight += w, sum += w * y;
                else
                    square += w * (y - sum / weight) * (y - sum / weight);
            }
        loss += square / weight / (double)data->n_targets;
    }
    return loss;
}

static double best_train_loss(const bp_run *run) {
    double best = (double)NAN;
    for (int64_t i = 0; i < run->n_epochs; i++)
        if (run->epochs[i].train.n && !(run->epochs[i].train.loss >= best)) best = run->epochs[i].train.loss;
    return best;
}

static bool learnt_nothing(const bp_run *run) {
    double best = best_train_loss(run);
    return isfinite(run->constant_loss) && run->constant_loss > 0 && best == best &&
           !(best < (1 - least_gain) * run->constant_loss);
}

/* ---- Told ---- */

static bp_status tell(bp_run *run, const char *event, const char *text) {
    bp__buffer_printf(&run->notes, "%s\n", text);
    return run->notes.failed ? bp__out_of_memory(run->ctx, run->notes.size) : bp__event_line(run, event, text);
}

bp_status bp__review(bp_run *run) {
    char text[700], advice[300];
    overfitting o;
    run->constant_loss = (double)NAN;
    if (run->d->s.overfit || strcmp(run->status, "finished") != 0) return BP_OK; /* meant to; or not over */
    if (run->n_skipped > 0) {
        bp__buffer_printf(&run->notes, "%lld of %lld steps were skipped", (long long)run->n_skipped, (long long)run->steps);
        if (run->n_rollbacks > 0)
            bp__buffer_printf(&run->notes, " and the learning rate was lowered %lld time%s", (long long)run->n_rollbacks,
                              run->n_rollbacks == 1 ? "" : "s");
        bp__buffer_text(&run->notes, ": decisions.jsonl names their rows and what went wrong\n");
    }
    run->constant_loss = constant_loss(run);
    if (overfits(run, &o)) {
        advise(run, advice, sizeof advice);
        if (!o.sure)
            snprintf(text, sizeof text,
                     "perhaps overfitting since epoch %lld: the validation loss rose from %.4g to %.4g, with a standard error of "
                     "%.2g: "
                     "%lld rows are too few to say; take a larger data.split.validation, or compare runs of several seeds",
                     (long long)o.best->epoch, o.best->validation.loss, o.validation, o.error,
                     (long long)run->d->data->validation.n_rows);
        else
            snprintf(
                text, sizeof text,
                "overfitting since epoch %lld: the validation loss rose from %.4g to %.4g while the training loss fell from %.4g "
                "to %.4g (gap %.4g); %s",
                (long long)o.best->epoch, o.best->validation.loss, o.validation, o.best->train.loss, o.train,
                o.validation - o.train, advice);
        BP_TRY(tell(run, o.sure ? "overfitting" : "perhaps_overfitting", text));
    }
    if (!learnt_nothing(run)) return BP_OK;
    snprintf(text, sizeof text,
             "nothing was learnt: the training loss %.4g is not below %.4g, which %s gives without looking at the input; try "
             "another learning rate (backprop lr-find), more epochs, and see whether rows and targets belong together",
             best_train_loss(run), run->constant_loss,
             run->d->data->task == BP__CLASSIFICATION ? "always predicting the classes' frequencies"
                                                      : "always predicting the mean");
    return tell(run, "nothing_learnt", text);
}

bp_status bp__review_record(bp_run *run) {
    bp_context *ctx = run->ctx;
    overfitting o;
    if (strcmp(run->status, "finished") != 0 || run->d->s.overfit) return BP_OK;
    if (overfits(run, &o) && o.sure) {
        bp__tree *t = bp__tree_new(ctx, BP__MAP);
        BP_TRY(bp__put(ctx, run->record, "overfitting", t, NULL));
        BP_TRY(bp__put_int(ctx, t, "since_epoch", o.best->epoch));
        BP_TRY(bp__put_number(ctx, t, "validation_best", o.best->validation.loss));
        BP_TRY(bp__put_number(ctx, t, "validation_end", o.validation));
        BP_TRY(bp__put_number(ctx, t, "train_then", o.best->train.loss));
        BP_TRY(bp__put_number(ctx, t, "train_end", o.train));
        BP_TRY(bp__put_number(ctx, t, "gap", o.validation - o.train));
    }
    if (!learnt_nothing(run)) return BP_OK;
    bp__tree *t = bp__tree_new(ctx, BP__MAP);
    BP_TRY(bp__put(ctx, run->record, "nothing_learnt", t, NULL));
    BP_TRY(bp__put_number(ctx, t, "train_loss", best_train_loss(run)));
    return bp__put_number(ctx, t, "constant_loss", run->constant_loss);
}

/* ---- train.overfit ---- */

bool bp__overfit_done(const bp_run *run) {
    const bp__decided *d = run->d;
    if (d->s.overfit == 0 || run->n_epochs == 0) return false;
    const bp__scores *s = &run->epochs[run->n_epochs - 1].train;
    if (s->n == 0) return false;
    if (d->data->task == BP__CLASSIFICATION) return s->loss < 0.01 && bp__scores_get(s, "accuracy") == 1;
    return bp__scores_get(s, "r2") > 1 - 1e-3; /* r2 = 1 - mse / variance */
}
