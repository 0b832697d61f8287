/* Inside the training loop: what loop.c (epochs), step.c (batches and steps), health.c (steps that go wrong) and checkpoint.c
   (everything to go on from) share. */
#ifndef BP__LOOP_H
#define BP__LOOP_H
#include "train/train.h"

/* The rows of one batch, gathered. */
typedef struct bp__staging {
    bp_context *ctx;
    const bp__dataset *d;
    const float *row_weight;
    size_t x_bytes, y_bytes; /* of one row */
    unsigned char *x, *y;
    int64_t *label;
    float *weight;
} bp__staging;
bp_status bp__staging_new(bp__staging *s, const bp__dataset *d, const float *row_weight, int64_t rows);
void bp__staging_free(bp__staging *s);
bp__batch bp__gather(bp__staging *s, const int64_t *rows, int64_t n);

/* How the last steps went. A gradient norm is an outlier when its logarithm lies too many deviations above those of the window;
   gradients spread over orders of magnitude, so their logarithms are what is compared. */
enum { BP__WINDOW = 100, BP__TOLD_ROWS = 16 };
/* The first of the last steps in a row that went wrong, for what is said when that is a divergence; n_rows 0: there is none. */
typedef struct bp__trouble {
    int64_t n_rows, rows[BP__TOLD_ROWS];
    char operation[60], layer[60]; /* that gave its first value that is not finite; "": every value is */
} bp__trouble;
typedef struct bp__health {
    double window[BP__WINDOW];          /* logarithms of the norms of committed steps, a ring */
    int64_t n_window;                   /* written so far */
    int64_t n_bad, n_far;               /* skipped steps in a row; committed ones with a loss far above the first */
    int64_t n_rollbacks, last_rollback; /* the step of the last one */
    double first_loss;                  /* of the run's first committed step; NaN: none yet */
    double lr_factor;                   /* what rollbacks have left of the learning rate */
    bp__trouble trouble;
} bp__health;
void bp__health_start(bp__health *h);
double bp__health_limit(const bp__health *h, double z); /* the largest norm that is no outlier; infinite: no limit yet */
bool bp__health_far(const bp__health *h, double loss);  /* is this loss nowhere near where training began? */

typedef struct bp__loop {
    bp_run *run;
    const bp__decided *d;
    bp__net *net;
    const bp_callbacks *cb;
    bp__staging staging;
    int64_t *order;           /* [rows of a pass] of this pass over the data */
    int64_t position;         /* rows of the pass that are done */
    int64_t pass, ordered;    /* the pass begun last, from 1; the one that `order` holds */
    int64_t done;             /* steps of the epoch that are done */
    double *all_p, *all_loss; /* of the rows that were trained on, in their order */
    int64_t *seen;
    int64_t n_seen, cap_seen;
    double epoch_loss;         /* their losses' sum */
    unsigned char *best_state; /* NULL: there is none yet */
    /* What a rollback goes back to: the best state; before there is one, or where it is an average, the last good one, kept here.
     */
    unsigned char *good_state;
    int64_t good; /* index of the evaluation that the good state belongs to; -1: it is from before the first */
    double best_value;
    bp__health health;
    bp__plateau plateau;
    int64_t step, epoch, waited; /* epoch: the one begun last; waited: evaluations since the best */
    int64_t converged;           /* the solver's last step has nothing more to do */
    bool in_epoch, higher_better;
    bool stop, interrupted, diverged;
    double started, before; /* clock of this process's start; seconds of earlier ones, where the run was resumed */
    double last_report, last_saved, last_checkpoint;
    int64_t last_checkpoint_step;
} bp__loop;

double bp__loop_seconds(const bp__loop *l);
bool bp__loop_best_is_good(const bp__loop *l); /* then no other good state is kept */
bp_status bp__loop_keep_good(bp__loop *l);     /* the state as it is now is good */
double bp__loop_rate(const bp__loop *l);       /* the learning rate of the step to come */
/* Forward, backward and update for rows [position, position + n) of the epoch's order. */
bp_status bp__loop_step(bp__loop *l, int64_t n);
/* Forward and backward, shard by shard, within a step that has begun. p: where the rows' predictions go, or NULL. */
bp_status bp__loop_shards(bp__loop *l, const int64_t *rows, int64_t n, double *p);
/* One step of a solver: as many looks at all rows as it asks for. p: the predictions of the first. */
bp_status bp__solve_step(bp__loop *l, const bp__numbers *numbers, const int64_t *rows, int64_t n, double *p, bp__step *out);
/* After a step that was committed: learns from it. */
bp_status bp__health_note(bp__loop *l, const int64_t *rows, int64_t n, const bp__step *out);
/* Names a step that was not committed and its reason in decisions.jsonl; too many in a row are a divergence. */
bp_status bp__health_skipped(bp__loop *l, const int64_t *rows, int64_t n, const bp__step *out);
void bp__loop_stop(bp__loop *l, const char *why);
/* The last good state comes back with a lower rate, or the run stops, as train.on_divergence says. */
bp_status bp__loop_diverged(bp__loop *l, const char *what, const int64_t *rows, int64_t n);

/* What a run goes on from: weights, best and good weights, optimiser, random state, position, early stopping, scores so far. */
bp_status bp__checkpoint_write(bp__loop *l);
bp_status bp__checkpoint_read(bp__loop *l, const char *folder);
#endif
