/* Inside src/train: from a configuration to a trained model. config.c reads the sections, resolve.c decides what was left open,
   net.c makes graph and programs, loop.c trains, metrics.c scores, model.c and record.c write what remains. */
#ifndef BP__TRAIN_H
#define BP__TRAIN_H
#include "core/tree.h"
#include "train/metrics.h"
#include "train/net.h"
#include "train/sampling.h"

struct bp__st_file;

/* ---- Configuration ---- */

struct bp_config {
    bp_context *ctx;
    bp__tree *tree; /* as given: unset differs from 0 */
    char *file;     /* named in errors; NULL */
    char *out;      /* run directory, "" = counted up; NULL: no files */
    bool force;
    char *from, *resume;
    char **command;
    int n_command;
    char **assigned; /* keys that bp_config_assign named, owned: a continued run may change them */
    int64_t n_assigned, cap_assigned;
};

typedef enum bp__divergence { BP__DIVERGENCE_ROLLBACK, BP__DIVERGENCE_STOP, BP__DIVERGENCE_CONTINUE } bp__divergence;

/* What the sections say, checked; the defaults of numbers filled in. Texts and trees are borrowed from the configuration. */
typedef struct bp__settings {
    bp_context *ctx;
    const char *file;
    bp__data_options data;
    bool data_optional;
    const bp__tree *model, *init, *loss, *optimizer, *schedule; /* NULL: not given */
    const bp__tree *schedules, *regularize, *average;           /* of other numbers; penalties; of the weights; or NULL */
    bool has_epochs, has_steps, has_time, has_batch, has_stopping, has_threads, has_seed, has_weights;
    int64_t epochs, steps;   /* -1: not bounded */
    double max_time;         /* seconds; < 0: not bounded */
    int64_t steps_per_epoch; /* 0: a pass over the rows */
    int64_t overfit;         /* rows to learn by heart; 0: a training as usual */
    int64_t batch_size;      /* of a shard; 0: full */
    bool batch_auto;         /* batch_size is yet to be found */
    int64_t accumulate;      /* shards of a step */
    bool shuffle;
    bp__sampling sampling;
    const bp__tree *sampling_at;                 /* where it is given, or NULL */
    double clip_norm, clip_value, clip_adaptive; /* < 0: none */
    int clip_per;                                /* BP__CLIP_MODEL … */
    bool stop_early, restore_best;
    const char *stop_metric; /* "validation.loss" */
    int64_t patience;
    double min_delta, baseline, target;
    bool has_baseline, has_target;
    int64_t checkpoint_steps, checkpoint_keep; /* steps 0: not by steps */
    double checkpoint_seconds;                 /* < 0: not by time */
    bp__divergence on_divergence;
    double outlier_z; /* deviations above which a gradient's norm is skipped; 0: none is */
    uint64_t seed;
    int threads;
    bp_dtype dtype;
    bool bfloat16;                /* products of numbers rounded to it; dtype is F32 */
    const bp__tree *class_weight; /* NULL, "balanced" or {label: weight} */
    const bp__tree *metric_list;  /* as given, or NULL */
    bp__metrics metrics;          /* the watched one included */
    bool stop_higher_better;      /* of stop_metric */
    double lr;
    bool solves; /* the optimizer takes all rows in each step */
} bp__settings;
/* Reads and checks everything that needs no data. BP_CONFIG. */
bp_status bp__settings_read(bp__settings *out, const bp_config *cfg);
bp_status bp__settings_read_rates(bp__settings *out, const bp_config *cfg); /* the same where no data need be named */
bp_status bp__config_fail(const bp__settings *s, const bp__tree *at, const char *format, ...) BP__PRINTF(3, 4);
bp_status bp__config_new_tree(bp_config **out, bp_context *ctx, bp__tree *tree,
                              const char *file); /* owns the tree, also on failure */
bp_status bp__duration(const bp__settings *s, const bp__tree *t, const char *what, double *seconds);

char *bp__absolute_path(bp_context *ctx, const char *path); /* NULL: out of memory */

/* Small builders of trees: false or NULL pass on as out of memory through `*status`. */
bp_status bp__put(bp_context *ctx, bp__tree *map, const char *key, bp__tree *value,
                  const char *why); /* value NULL: out of memory */
bp_status bp__put_text(bp_context *ctx, bp__tree *map, const char *key, const char *text);
bp_status bp__put_number(bp_context *ctx, bp__tree *map, const char *key, double v);
bp_status bp__put_int(bp_context *ctx, bp__tree *map, const char *key, int64_t v);
bp_status bp__put_copy(bp_context *ctx, bp__tree *map, const char *key, const bp__tree *value, const char *why);

/* ---- Scores ---- */

typedef struct bp__scores {
    int64_t n, n_unknown;
    double loss, loss_error;    /* the mean of the rows, and its standard error */
    const bp__metrics *metrics; /* borrowed: what `metric` holds; NULL where the scores come from a checkpoint */
    int n_metrics;
    double metric[BP__MAX_METRICS]; /* NaN: not defined (one class only) */
    int64_t *confusion;             /* [classes, classes], or NULL */
    int64_t n_classes;
} bp__scores;
void bp__scores_free(bp_context *ctx, bp__scores *s);
/* p [n, columns] as bp__net_eval gives it, in the order of `rows` (indices into the data set); weight NULL: all 1. */
bp_status bp__scores_compute(bp__scores *out, const bp__metrics *m, const bp__dataset *d, const int64_t *rows, int64_t n,
                             const double *p, const double *row_loss, const float *weight);
/* Evaluates the net on the rows of one set. */
bp_status bp__evaluate(bp__scores *out, const bp__metrics *m, bp__net *net, const bp__dataset *d, const bp__set *set,
                       const float *weight);
/* Element i of the samples as a number. */
static inline double bp__dataset_x(const bp__dataset *d, int64_t i) {
    if (d->x_dtype == BP_U8) return (double)((const uint8_t *)d->x)[i];
    return d->x_dtype == BP_F64 ? ((const double *)d->x)[i] : (double)((const float *)d->x)[i];
}
double bp__scores_get(const bp__scores *s, const char *name); /* "loss", "accuracy" … NaN where there is none */

/* ---- Decisions ---- */

enum { BP__MOVE_MOMENTUM, BP__MOVE_DECAY, BP__MOVE_DROPOUT, BP__N_MOVING };
extern const char *const bp__moving_names[BP__N_MOVING];
/* Everything that a run needs, decided: what was given, and what was inferred with its reason. */
typedef struct bp__decided {
    bp_context *ctx;
    bp__settings s;
    bp__dataset *data;
    bp__loss loss;
    bp__tree *resolved;                                 /* the complete configuration, reasons as comments */
    const bp__tree *model, *optimizer;                  /* in `resolved` */
    const bp__tree *schedule;                           /* or NULL */
    float *weight;                                      /* [data rows]: class weight times row weight; NULL: all 1 */
    int64_t pass_rows;                                  /* of a pass: those of the training set, or what sampling makes of them */
    int64_t batch, step_rows, steps_per_epoch, n_steps; /* rows of a shard, of a step; n_steps -1: not bounded */
    int64_t schedule_steps; /* the length of the run as schedules know it: a longer run that goes on keeps it */
    bp__schedule *rate;
    bp__schedule *moving[BP__N_MOVING]; /* of momentum, weight_decay, dropout; NULL: it stays */
    bp__average average;
    char *text; /* the decisions, a line each */
} bp__decided;
/* Loads the data and decides. `from`: a model whose classes come first, or NULL. */
bp_status bp__decide(bp__decided **out, const bp_config *cfg, const bp_model *from);
void bp__decided_free(bp__decided *d);
void bp__decided_set_length(bp__decided *d, int64_t n_steps); /* what follows the run's length: schedules, averages */
bool bp__decided_moves_momentum(const bp__decided *d);
bp_status bp__probe_batch(bp__decided *d, char why[400]); /* finds s.batch_size by trial; `resolved` has all but `train` */
bp_status bp__trial(bp_trial *out, const bp__decided *d, bp__net *net); /* changes the net */
bp_status bp__decided_net(bp__net **out, const bp__decided *d, bp_dtype dtype, bool training);

/* ---- Model and run ---- */

struct bp_model {
    bp_context *ctx;
    bp__prep *prep;
    bp__tree *config; /* resolved, without places and people */
    bp__tree *provenance;
    bp__net *net;
};
/* Owns prep, config, provenance and net from now on, also on failure. */
bp_status bp__model_new(bp_model **out, bp_context *ctx, bp__prep *prep, bp__tree *config, bp__tree *provenance, bp__net *net);
bp_status bp__model_sha256(const bp_model *m, char out[65]);
/* Copies the tensors of a file into the net: all names and shapes must fit. */
bp_status bp__weights_load(bp__net *net, const struct bp__st_file *file);
bp_status bp__model_open_file(struct bp__st_file **out, bp_context *ctx,
                              const char *path); /* a model file, or the one of a run directory */
bp_status bp__public_config(bp__tree **out, bp_context *ctx, const bp__tree *resolved); /* base names only */

typedef struct bp__folder bp__folder;
typedef struct bp__epoch { /* one evaluation; a row of metrics.csv */
    int64_t epoch, step;
    double lr, seconds;
    bp__scores train, validation, average; /* average: of the validation set by the weights' average, where there is one */
    bool by_average;                       /* the average was the better one */
} bp__epoch;

struct bp_run {
    bp_context *ctx;
    bp__decided *d;
    bp_model *model;
    bp__tree *record;
    char *path;          /* run directory, or NULL */
    bp__tree *command;   /* the command line, of the run's beginning */
    char *from, *resume; /* absolute path of the model it started from; the directory it goes on with; or NULL */
    bp__folder *folder;  /* while it trains; or NULL */
    bp__epoch *epochs;
    int64_t n_epochs, cap_epochs, steps, best; /* best: index in epochs, -1 none */
    int64_t n_skipped, n_rollbacks, n_samples;
    double seconds, before_seconds, train_seconds; /* before: in earlier processes, where it was resumed */
    const char *stopped_by, *status;
    char divergence[400]; /* stopped_by divergence: what happened */
    bp__scores validation, test;
    bool has_validation, has_test, by_average; /* by_average: the weights are an average */
    bp__buffer events;                         /* lines of decisions.jsonl */
    bp__buffer notes;                          /* sentences about the whole run, a line each */
    bp__buffer input;                          /* what standard input gave, until the folder holds it */
    char *input_path;                          /* where the folder holds it; or NULL */
    double constant_loss;                      /* see review.c */
    char start_time[32];
};
/* Trains run->model->net; what happened is in the run. */
bp_status bp__loop_run(bp_run *run, const bp_callbacks *callbacks);
double bp__now(void); /* seconds of a clock that only goes forward; never reaches weights */
bp_status bp__event(bp_run *run, const char *event, const char *format, ...) BP__PRINTF(3, 4);
bp_status bp__event_line(bp_run *run, const char *event, const char *text);
/* The same with members of its own: begin makes *t, end adds it to the events where status is BP_OK, and frees it. */
bp_status bp__event_begin(bp_run *run, const char *event, bp__tree **t);
bp_status bp__event_end(bp_run *run, bp__tree *t, bp_status status);
bp_status bp__tell_decisions(bp_run *run, const bp__tree *t, const char *path); /* a line for every value that was inferred */
bp_status bp__record_make(bp_run *run);
bp_status bp__scores_tree(bp__tree **out, bp_context *ctx, const bp__scores *s);
/* What the two curves say when a run is over: overfitting, nothing learnt; into the notes and decisions.jsonl. */
bp_status bp__review(bp_run *run);
bp_status bp__review_record(bp_run *run);      /* the same as members of the record */
bool bp__names_dropout(const bp__tree *model); /* is there a layer whose dropout could be raised, or moved? */
bool bp__overfit_done(const bp_run *run);      /* train.overfit: does the last evaluation know its rows by heart? */

/* BP_CONFIG where the configuration differs from that of the run it goes on with in what may not differ. */
bp_status bp__resume_check(const bp_config *cfg);
bp_status bp__resume_from(const bp_config *cfg, char **from); /* the model the run started from; *from NULL: none */

/* Run directory. */
bp_status bp__folder_open(bp__folder **out, bp_run *run, const bp_config *cfg);
bp_status bp__folder_save(bp__folder *f, bp_run *run, bool weights); /* config, metrics, decisions, record; and the model */
bp_status bp__folder_record(bp__folder *f, bp_run *run);             /* record.json alone */
bool bp__folder_is_running(const bp__folder *f);                     /* does its record say that this process is at work? */
bp_status bp__folder_metrics(bp__folder *f, const bp_run *run);      /* metrics.csv, decisions.jsonl and TensorBoard's alone */
void bp__folder_close(bp__folder *f, bp_context *ctx);
#endif
