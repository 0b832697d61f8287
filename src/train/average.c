/* Averages of weights beside those that are trained: ema, each step a little (Polyak and Juditsky 1992; PyTorch's
   get_ema_multi_avg_fn: average = decay·average + (1 - decay)·weights), and swa, the plain mean of the weights at regular moments
   of the run's end (Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018). Both are
   average += w·(weights - average) with a number w for each step; 1 before the average starts, so that it follows the weights. */
#include <math.h>

#include "core/choice.h"
#include "train/train.h"

enum { EMA, SWA };
static const bp__key ema_keys[] = {BP__K_BELOW("decay", 0.999, 0, 1), BP__K_INT("start", 1, 0, 1e15)};
static const bp__key swa_keys[] = {BP__K_NUMBER("start", 0.75, 0, 1), BP__K_INT("every", 0, 1, 1e15)};
static const bp__kind kinds[] = {
    [EMA] = {"ema", "decay", "every step: decay·average + (1 - decay)·weights, from step `start` on", ema_keys, 2},
    [SWA] = {"swa", "start", "the mean of the weights after each epoch (or every so many steps) from this part of the run on",
             swa_keys, 2},
};

bp_status bp__average_read(bp__average *out, bp_context *ctx, const char *file, const bp__tree *tree) {
    *out = (bp__average){.kind = -1};
    if (!tree || tree->kind == BP__NULL) return BP_OK;
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "average", .where = "train.average", .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    bp__choice c;
    BP_TRY(bp__choice_read(&r, tree, &c));
    out->kind = c.index;
    if (c.index == EMA) {
        out->decay = bp__choice_option(&c, "decay")->number;
        out->first = bp__choice_option(&c, "start")->integer;
    } else {
        out->part = bp__choice_option(&c, "start")->number;
        out->every = bp__choice_option(&c, "every")->integer;
    }
    return BP_OK;
}

bool bp__average_needs_length(const bp__average *a) { return a->kind == SWA; }

void bp__average_set_length(bp__average *a, int64_t n_steps, int64_t steps_per_epoch) {
    if (a->kind != SWA) return;
    if (a->every == 0) a->every = steps_per_epoch;
    a->first = (int64_t)ceil(a->part * (double)n_steps);
    if (a->first >= n_steps) a->first = BP__MAX(n_steps - 1, 0);
    int64_t behind = n_steps - 1 - a->first; /* the last one is the run's last step */
    a->first += behind % a->every;
}

double bp__average_weight(const bp__average *a, int64_t step) {
    if (step < a->first) return 1;
    if (a->kind == EMA) return 1 - a->decay;
    int64_t k = step - a->first;
    return k % a->every == 0 ? 1.0 / (double)(k / a->every + 1) : 0;
}
