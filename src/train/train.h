/* Inside src/train: from a configuration to a trained model. config.c reads the sections, resolve.c decides what was left open,
   net.c makes graph and programs, loop.c trains, metrics.c scores, model.c and record.c write what remains. */
#ifndef BP__TRAIN_H
#define BP__TRAIN_H
#include "core/tree.h"
#include "data/data.h"
#include "nn/nn.h"
#include "optim/optim.h"

/* ---- Configuration ---- */

struct bp_config {
    bp_context *ctx;
    bp__tree *tree; /* as given: unset differs from 0 */
    char *file;     /* named in errors; NULL */
    char *out;      /* run directory, "" = counted up; NULL: no files */
    bool force;
    char *from;
    char **command;
    int n_command;
};

enum { BP__N_METRICS = 8 };
typedef enum bp__metric {
    BP__ACCURACY, BP__BALANCED_ACCURACY, BP__F1_MACRO, BP__AUC, BP__MSE, BP__RMSE, BP__MAE, BP__R2
} bp__metric;
const char *bp__metric_name(int metric, const char **help); /* NULL: out of range */
bool bp__metric_of(int metric, bp__task task);              /* does it belong to the task? */
bool bp__metric_higher_better(int metric);

typedef enum bp__divergence { BP__DIVERGENCE_STOP, BP__DIVERGENCE_CONTINUE } bp__divergence;

/* What the sections say, checked; the defaults of numbers filled in. Texts and trees are borrowed from the configuration. */
typedef struct bp__settings {
    bp_context *ctx;
    const char *file;
    bp__data_options data;
    const bp__tree *model, *loss, *optimizer, *schedule; /* NULL: not given */
    bool has_epochs, has_steps, has_time, has_batch, has_stopping, has_threads, has_seed, has_metrics, has_weights;
    int64_t epochs, steps; /* -1: not bounded */
    double max_time;       /* seconds; < 0: not bounded */
    int64_t batch_size;    /* 0: full */
    bool shuffle;
    double clip_norm, clip_value; /* < 0: none */
    bool stop_early, restore_best;
    const char *stop_metric; /* "validation.loss" */
    int64_t patience;
    double min_delta;
    bp__divergence on_divergence;
    uint64_t seed;
    int threads;
    bp_dtype dtype;
    const bp__tree *class_weight; /* NULL, "balanced" or {label: weight} */
    bool metrics[BP__N_METRICS];
    double lr;
} bp__settings;
/* Reads and checks everything that needs no data. BP_CONFIG. */
bp_status bp__settings_read(bp__settings *out, const bp_config *cfg);
bp_status bp__config_fail(const bp__settings *s, const bp__tree *at, const char *format, ...) BP__PRINTF(3, 4);
bp_status bp__config_new_tree(bp_config **out, bp_context *ctx, bp__tree *tree, const char *file); /* owns the tree, also on failure */
bp_status bp__duration(const bp__settings *s, const bp__tree *t, const char *what, double *seconds);

/* Small builders of trees: false or NULL pass on as out of memory through `*status`. */
bp_status bp__put(bp_context *ctx, bp__tree *map, const char *key, bp__tree *value, const char *why); /* value NULL: out of memory */
bp_status bp__put_text(bp_context *ctx, bp__tree *map, const char *key, const char *text);
bp_status bp__put_number(bp_context *ctx, bp__tree *map, const char *key, double v);
bp_status bp__put_int(bp_context *ctx, bp__tree *map, const char *key, int64_t v);
bp_status bp__put_copy(bp_context *ctx, bp__tree *map, const char *key, const bp__tree *value, const char *why);

/* ---- Losses ---- */

typedef struct bp__loss {
    int kind;
    double label_smoothing, delta;
} bp__loss;
enum { BP__LOSS_CROSS_ENTROPY, BP__LOSS_BCE, BP__LOSS_MSE, BP__LOSS_L1, BP__LOSS_HUBER };
const char *bp__loss_kind(int index, const char **help); /* NULL after the last */
bp_status bp__loss_read(bp__loss *out, bp_context *ctx, const char *file, const bp__tree *tree);
bool bp__loss_fits(const bp__loss *l, bp__task task);
int64_t bp__loss_outputs(const bp__loss *l, const bp__prep *prep);
/* y [batch, outputs]; target: labels i64 [batch] or numbers [batch, targets]. weight: [batch] or BP_NONE. *rows [batch]: the losses
   of the rows, an unknown label's 0; *mean: their (weighted) mean. */
void bp__loss_build(const bp__loss *l, bp_value y, bp_value target, bp_value weight, bp_value *rows, bp_value *mean);

/* ---- The network with its programs ---- */

typedef struct bp__net_spec {
    const bp__tree *model, *optimizer;
    const char *file;
    bp__loss loss;
    const bp__prep *prep; /* borrowed while it is made */
    bp_dtype dtype;
    double clip_norm, clip_value;
    bool training, weighted;
    uint64_t seed;
} bp__net_spec;

typedef struct bp__batch { /* borrowed while a session runs */
    int64_t n;
    const void *x;         /* [n, sample] */
    const int64_t *label;  /* [n], or */
    const void *y;         /* [n, targets] */
    const float *weight;   /* [n] or NULL */
} bp__batch;

typedef struct bp__net {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp_state *state;
    bp_program *train, *eval, *predict;
    bp_session *train_session, *eval_session, *predict_session;
    bp_dtype dtype, x_dtype;
    bp_dims x_dims;
    int64_t n_outputs, n_targets, n_parameters; /* n_parameters: numbers that are trained or frozen, buffers not */
    bool classification, binary, weighted;
    uint64_t seed;
    bp__loss loss;
    double lr;
} bp__net;
bp_status bp__net_new(bp__net **out, bp_context *ctx, const bp__net_spec *spec);
void bp__net_free(bp__net *net);
typedef struct bp__step {
    double loss, norm;
    const void *y;  /* [n, outputs] of the net's dtype: before any softmax */
    bool committed; /* loss and gradients were finite */
} bp__step;
bp_status bp__net_train(bp__net *net, const bp__batch *b, double lr, int64_t step, bp__step *out);
/* p [n, columns]: probabilities of all classes, or the targets as trained on; rows [n]: losses, NULL: not wanted (no target is
   needed then). columns = max(outputs, 2 for a binary net). */
bp_status bp__net_eval(bp__net *net, const bp__batch *b, double *p, double *rows);
int64_t bp__net_columns(const bp__net *net);
bp_status bp__net_describe(bp__net *net, int64_t batch, bool training, char **text);

/* ---- Scores ---- */

typedef struct bp__scores {
    int64_t n, n_unknown;
    double loss;
    double metric[BP__N_METRICS]; /* NaN: not defined (one class only), or not of the task */
    int64_t *confusion;           /* [classes, classes], or NULL */
    int64_t n_classes;
} bp__scores;
void bp__scores_free(bp_context *ctx, bp__scores *s);
/* p [n, columns] as bp__net_eval gives it, in the order of `rows` (indices into the data set); weight NULL: all 1. */
bp_status bp__scores_compute(bp__scores *out, const bp__dataset *d, const int64_t *rows, int64_t n, const double *p,
                             const double *row_loss, const float *weight);
/* Evaluates the net on the rows of one set. */
bp_status bp__evaluate(bp__scores *out, bp__net *net, const bp__dataset *d, const bp__set *set, const float *weight);
double bp__scores_get(const bp__scores *s, const char *name); /* "loss", "accuracy" … NaN where there is none */

/* ---- Decisions ---- */

typedef struct bp__plan_of_run { /* all that a run needs, decided */
    bp__settings s;
    bp__dataset *data;
    bp__loss loss;
    bp__tree *resolved; /* the complete configuration with reasons */
    bp__tree *model;    /* borrowed from resolved */
    float *weight;      /* [data rows]: class and row weights, or NULL */
    bp__st_from *from;
} bp__plan_of_run;
