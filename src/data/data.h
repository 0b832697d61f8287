/* Data as training wants it: rows of inputs with their targets, the sets, and the preprocessing that made them (fitted on the
   training rows, stored with the model, applied again to new data). The one header of this folder that others include. */
#ifndef BP__DATA_H
#define BP__DATA_H
#include "core/core.h"
#include "core/tree.h"
#include "data/readers.h"
#include "data/split.h"
#include "data/table.h"

#define BP__MAX_TARGETS 64

typedef enum bp__task { BP__TASK_AUTO, BP__CLASSIFICATION, BP__REGRESSION, BP__MULTILABEL } bp__task;
typedef enum bp__normalize {
    BP__NORMALIZE_AUTO,
    BP__NORMALIZE_NONE,
    BP__NORMALIZE_STANDARD,
    BP__NORMALIZE_MINMAX,
    BP__NORMALIZE_ROBUST,
    BP__NORMALIZE_LOG /* of targets only */
} bp__normalize;
const char *bp__task_name(bp__task task);
bool bp__task_find(bp__task *out, const char *name);
const char *bp__normalize_name(bp__normalize n);
bool bp__normalize_find(bp__normalize *out, const char *name);

/* ---- Preprocessing ---- */

typedef enum bp__encoding { BP__IGNORED, BP__NUMERIC, BP__ONE_HOT } bp__encoding;

/* How one column of a table becomes features. Numeric: (v - center) / scale, a missing v is `fill`; then, if `indicator`, a
   feature that is 1 where v was missing. One-hot: a feature per value and one for all else (unseen, missing), which is only set
   when training rows have set it too (`other_seen`): an untrained weight would add noise. */
typedef struct bp__prep_column {
    char *name, *why;
    int64_t position; /* in the training table, from 0 */
    bp__column_type type;
    bp__encoding encoding;
    bp__normalize normalize; /* NONE, STANDARD, MINMAX, ROBUST */
    double center, scale, fill;
    bool indicator, other_seen;
    char **values; /* one-hot; ordered as classes are */
    int64_t n_values;
    int64_t first_feature, n_features;
} bp__prep_column;

typedef struct bp__prep_target {
    char *name;              /* "target", "target_1" … where the data has no name */
    int64_t position;        /* column of the training table, or -1: from arrays */
    bp__normalize normalize; /* NONE, STANDARD, LOG (of 1 + y, then standardised) */
    double center, scale;
} bp__prep_target;

typedef struct bp__prep {
    bp_context *ctx;
    bool table, header;
    int64_t n_columns;        /* of the training table, targets and weights included */
    bp__prep_column *columns; /* inputs only (ignored ones too), in file order */
    int64_t n_inputs;
    char *weight; /* column of row weights, or NULL */
    int rank;     /* the shape of a sample */
    int64_t shape[BP__ARRAY_RANK];
    int64_t sample_size;
    bp_dtype input_dtype; /* BP_U8: bytes, which the plan multiplies by byte_scale; else BP_F32 or BP_F64 */
    double byte_scale;
    bp__normalize normalize; /* as asked for; arrays: as used */
    double *center, *scale;  /* arrays that are normalised: [sample_size]; else NULL */
    bp__task task;
    char *task_why;
    bp__prep_target *targets;
    int64_t n_targets; /* 1 for classification */
    char **classes;    /* canonical, in order; NULL unless classification */
    int64_t n_classes;
} bp__prep;
void bp__prep_free(bp__prep *p);
/* To and from the model's metadata. The tree is the caller's. */
bp_status bp__prep_to_tree(bp__tree **out, const bp__prep *p);
bp_status bp__prep_from_tree(bp__prep **out, bp_context *ctx, const bp__tree *tree);
/* A number the network gave for target `k`, in the target's own unit. */
double bp__target_restore(const bp__prep *p, int64_t k, double y);
int64_t bp__class_find(const bp__prep *p, const char *label); /* -1: unknown; any spelling of a number will do */
/* A sentence per decision ("column zip: category …"), for people; freed with bp__free. */
bp_status bp__prep_explain(char **out, const bp__prep *p);

/* ---- Data sets ---- */

typedef struct bp__data_spec {            /* one piece of DATA */
    const char *path;                     /* NULL: none */
    const char *targets[BP__MAX_TARGETS]; /* columns (name or 1-based number); for arrays the file of labels, for NPZ a member */
    int64_t n_targets;
    const char *input; /* NPZ member, or NULL */
    bool weights;      /* new data: the model's column of row weights too, where it is there */
} bp__data_spec;

typedef struct bp__data_options {
    bp__data_spec train, validation, test; /* a set given as DATA has no fraction */
    double validation_fraction, test_fraction;
    uint64_t split_seed;
    bool stratify; /* where there are classes */
    bool no_header;
    char delimiter; /* 0: find out */
    bp__normalize normalize, normalize_target;
    bp__task task;
    const char *loss;                 /* name, or NULL: decides the task where that is auto */
    bp__task loss_task;               /* the one that the loss is for */
    const bp__tree *columns;          /* {name: {type:, ignore:, normalize:}}, or NULL */
    const char *weight_column;        /* or NULL */
    const char *const *known_classes; /* come first, in this order (--from); or NULL */
    int64_t n_known_classes;
    bool f64; /* inputs and targets in double precision */
} bp__data_options;

/* What happened to one input column while it was applied (predict says it on stderr). */
typedef struct bp__column_report {
    int64_t missing, unseen, unreadable;
} bp__column_report;

typedef struct bp__set {
    char *path;      /* as given; NULL: this set doesn't exist */
    char sha256[65]; /* of the file's bytes */
    int64_t *rows;   /* indices into x, y; ascending */
    int64_t n_rows;
    int64_t first_row; /* of the file, in x: message row = index - first_row */
    int64_t dropped;   /* rows without a target, left out */
    int64_t unknown_labels;
    char *unknown_label; /* the first such, or NULL */
} bp__set;

typedef struct bp__dataset {
    bp_context *ctx;
    bp__prep *prep;
    bool owns_prep;
    bp__task task;
    int64_t n_rows; /* of all sets together */
    int rank;
    int64_t shape[BP__ARRAY_RANK], sample_size; /* of one sample */
    bp_dtype x_dtype;                           /* BP_U8, BP_F32, BP_F64 */
    void *x;                                    /* [n_rows, sample_size] */
    int64_t *label;                             /* classification: [n_rows] class, -1 unknown; or NULL */
    bp_dtype y_dtype;                           /* BP_F32, BP_F64 */
    void *y;                                    /* else: [n_rows, n_targets], normalised; NaN where there is none; or NULL */
    int64_t n_targets, n_classes;
    char *const *class_names; /* borrowed from prep: [n_classes], or NULL; targets are named in prep->targets */
    float *weight;            /* [n_rows], or NULL */
    bp__set train, validation, test;
    bp__column_report *reports; /* [prep->n_inputs], of what was not training data; NULL for arrays */
    char *notes;                /* what the readers want the user to know, a line each; or NULL */
} bp__dataset;

/* Reads the data, decides what was left open, fits the preprocessing on the training rows, and splits. */
bp_status bp__dataset_load(bp__dataset **out, bp_context *ctx, const bp__data_options *options);
/* New data for a trained model: all rows, in order, are in `test`. `prep` is borrowed. With `targets` the target must be there
   (columns by the model's own names, unless spec->targets says otherwise), rows without one are left out; without, a target
   that is present is ignored. */
bp_status bp__dataset_apply(bp__dataset **out, bp_context *ctx, bp__prep *prep, const bp__data_spec *spec, bool no_header,
                            bool targets);
void bp__dataset_free(bp__dataset *d);
/* The target of row r in its own unit (regression, multilabel). */
double bp__dataset_target(const bp__dataset *d, int64_t row, int64_t k);
/* `data describe`: {"rows":n,"columns":[…]}, as a tree. */
bp_status bp__describe(bp__tree **out, bp_context *ctx, const bp__source *s);

#endif
