/* Optimisers, gradient clipping, penalties and learning-rate schedules. Formulas, names and defaults are PyTorch 2's. */
#ifndef BP__OPTIM_H
#define BP__OPTIM_H
#include "core/choice.h"
#include "graph/graph.h"

/* ---- Optimisers ---------------------------------------------------------------------------------------------------- */

/* Checks an `optimizer:` section (before data is read) and gives its learning rate. `tree` NULL: the default, adam. */
bp_status bp__optimizer_check(bp_context *ctx, const char *file, const bp__tree *tree, double *lr);
/* The update as graph: state variables "optimizer/NAME/exp_avg" …, the counter "optimizer/step" (f64), and the assignments of
   everything. lr: an f64 scalar value. grads[i] belongs to the parameter params[i]. `tree` NULL: adam. */
bp_status bp__optimizer_build(bp_graph *g, const bp__tree *tree, bp_value lr, const bp_value *params, const bp_value *grads,
                              int n);
/* The same with more than the rate. loss: for optimisers that use its second derivatives (sophia); without it these differentiate
   the gradients they are given, which is right as long as nothing was clipped or accumulated. momentum (or the first beta) and
   weight_decay: f64 scalars where a schedule moves them; BP_CONFIG where the optimiser has no such number. BP_NONE: as
   configured. */
typedef struct bp__moving {
    bp_value lr, loss, momentum, weight_decay;
} bp__moving;
bp_status bp__optimizer_build_for(bp_graph *g, const bp__tree *tree, const bp__moving *moving, const bp_value *params,
                                  const bp_value *grads, int n);
/* sam_rho: the gradients of `loss` become those of the worst point near (bp_sharpen); nothing where it is 0. Before anything is
   clipped, and before bp__optimizer_build. */
bp_status bp__optimizer_sharpen(bp_graph *g, const bp__tree *tree, bp_value loss, const bp_value *params, bp_value *grads, int n);
/* A number of the section: "lr", "momentum" (or the first beta), "weight_decay"; 0 where it has none. */
double bp__optimizer_number(bp_context *ctx, const bp__tree *tree, const char *key);
/* Does it use the loss' second derivatives (sophia), in a group at least? */
bool bp__optimizer_needs_loss(bp_context *ctx, const bp__tree *tree);
/* What to evaluate, save and serve in place of the parameters after training, for optimisers that keep an average
   (schedule_free_*): values[i], in the graph that bp__optimizer_build has built; params[i] itself for all others. */
bp_status bp__optimizer_evaluated(bp_graph *g, const bp__tree *tree, const bp_value *params, bp_value *values, int n);
/* The optimisers there are; NULL after the last. */
const char *bp__optimizer_kind(int index, const char **help);
const bp__kind *bp__optimizer_row(int index);
/* Rows of solvers.def are no updates in a graph; NULL for all others. */
struct bp__solver;
const struct bp__solver *bp__optimizer_solver(int index);
/* Which solver a section that was checked chooses, with its options, which borrow from the tree; NULL: none. */
const struct bp__solver *bp__solver_read(bp_context *ctx, const bp__tree *tree, bp__choice *choice);

/* Clips grads[0 … n-1] in place: first all by their common norm, as clip_grad_norm_ does (each times
   min(1, clip_norm / (norm + 1e-6))), then every element to [-clip_value, clip_value]. Limits are f64 scalar values; BP_NONE:
   no such clipping. *norm (may be NULL): the norm before clipping, an f64 scalar. */
bp_status bp__clip_grads(bp_graph *g, bp_value *grads, int n, bp_value clip_norm, bp_value clip_value, bp_value *norm);
/* Every gradient (by_layer: all of one layer together) by its own norm, each times min(1, limit / (norm + 1e-6)). */
bp_status bp__clip_grads_apart(bp_graph *g, const bp_value *params, bp_value *grads, int n, bp_value limit, bool by_layer);
/* Adaptive gradient clipping (Brock et al., "High-performance large-scale image recognition without normalization", 2021; optax'
   adaptive_grad_clip): the gradient of each unit (a row of the first axis; a vector as a whole) is at most `clipping` times as
   long as max(the unit's weights, eps). optax: eps 1e-3. */
bp_status bp__clip_grads_adaptive(bp_graph *g, const bp_value *params, bp_value *grads, int n, bp_value clipping, double eps);

/* ---- Penalties ------------------------------------------------------------------------------------------------------- */

/* A `regularize:` section is a list of {match: "*.weight", l1: …, l2: …, orthogonal: …, max_norm: …, weight_noise: …}: every
   entry acts on the parameters whose names match its shell pattern. Formulas: regularize.c. */
bp_status bp__regularize_check(bp_context *ctx, const char *file, const bp__tree *tree);
/* What is added to the loss (before the gradients are taken), a scalar of dtype; BP_NONE: nothing. tree NULL: nothing. */
bp_status bp__regularize_penalty(bp_graph *g, const bp__tree *tree, bp_dtype dtype, const bp_value *params, int n,
                                 bp_value *penalty);
/* max_norm: what the optimiser has assigned to a parameter is brought back; after bp__optimizer_build. */
bp_status bp__regularize_project(bp_graph *g, const bp__tree *tree, const bp_value *params, int n);
/* weight_noise: what the layers see of a parameter in training; the parameter itself where no entry disturbs it. */
bp_value bp__regularize_noisy(bp_graph *g, const bp__tree *tree, bp_value parameter);

/* ---- Schedules ------------------------------------------------------------------------------------------------------ */

typedef struct bp__schedule bp__schedule;
/* Reads a `schedule:` section; `tree` NULL, null or `none`: a constant rate. Owns. */
bp_status bp__schedule_new(bp__schedule **out, bp_context *ctx, const char *file, const bp__tree *tree, double base_lr);
void bp__schedule_free(bp__schedule *s);
/* Of another number than the rate: `where` is its place in the configuration ("optimizer.adam.weight_decay"), `base` what the
   schedule starts from. Everything below works on it in the same way. */
bp_status bp__schedule_new_for(bp__schedule **out, bp_context *ctx, const char *file, const char *where, const bp__tree *tree,
                               double base);
bool bp__schedule_per_epoch(const bp__schedule *s);           /* else per step */
bool bp__schedule_needs_length(const bp__schedule *s);        /* a length was left out: it follows the run's */
void bp__schedule_set_length(bp__schedule *s, int64_t ticks); /* the whole run's, warm-up included; in the schedule's ticks */
bool bp__schedule_needs_epochs(const bp__schedule *s);        /* a formula counts epochs while the schedule's ticks are steps */
void bp__schedule_set_epoch(bp__schedule *s, int64_t steps_per_epoch);
void bp__schedule_set_lr(bp__schedule *s, double base_lr); /* e.g. after a rollback */
/* The rate in use at tick 0, 1, … ; without libm, so the same bits everywhere. chained and multiplicative go on from the tick
   before (a new tick costs one step, one further back as many as its number); all others are closed forms. */
double bp__schedule_value(const bp__schedule *s, int64_t tick);
/* The momentum (or adam's first beta) in use at a tick, moved against the rate by cyclic and one_cycle; NaN where it stays the
   optimiser's. */
double bp__schedule_momentum(const bp__schedule *s, int64_t tick);
bool bp__schedule_is_plateau(const bp__schedule *s); /* reduce_on_plateau: the rate is bp__schedule_value × plateau.factor */
/* Tells reduce_on_plateau the metric of an evaluation. What it keeps between is `memory`, started as
   {.factor = 1} and saved with checkpoints; true: the rate changed. */
typedef struct bp__plateau {
    double best, factor;                /* factor: what the rate is multiplied with */
    int64_t n_bad, cooldown, n_reports; /* n_reports: improvements; 0: `best` is nothing yet */
} bp__plateau;
bool bp__schedule_report(const bp__schedule *s, bp__plateau *memory, double metric);
const bp__kind *bp__schedule_row(int index);                 /* their rows, with keys; NULL after the last */
const char *bp__schedule_kind(int index, const char **help); /* NULL after the last */
#endif
