/* Scores of predictions: the table of metrics, the ones that are wanted, and what their functions are given. metrics.c reads and
   dispatches; metrics_class.c, metrics_order.c and metrics_number.c hold the formulas. Double precision, one fixed order of
   sums, own elementary functions: a metric steers early stopping, and so the weights. */
#ifndef BP__METRICS_H
#define BP__METRICS_H
#include "core/choice.h"
#include "data/data.h"

enum { BP__MAX_METRICS = 64, BP__METRIC_KEYS = 2, BP__METRIC_TEXT = 200 };

/* A row of metrics.def with its parameters. */
typedef struct bp__metric {
    int kind;
    bool wanted;    /* by name: of another task it is refused, not left out */
    bool by_weight; /* rows count by their weights (data's, not those of classes) */
    double value[BP__METRIC_KEYS];
    char text[BP__METRIC_TEXT]; /* of a formula; "": a row of the table */
    char name[48];              /* the row's, then each parameter that is not the default: "f_beta_2", "accuracy_row_weights" */
} bp__metric;
typedef struct bp__metrics {
    bp__metric at[BP__MAX_METRICS];
    int n;
    bool given; /* chosen by the user */
} bp__metrics;

const char *bp__metric_name(int kind, const char **help); /* NULL: out of range */
bool bp__metric_higher_better(const bp__metric *m);
/* The list of a configuration; NULL: the default set, of every task. `list` need not outlive *out. */
bp_status bp__metrics_read(bp__metrics *out, bp_context *ctx, const char *file, const bp__tree *list);
/* The one of that name in the set, put there where it is missing; loss has index -1. `where` and `at` are for the sentence. */
bp_status bp__metrics_want(bp__metrics *m, bp_context *ctx, const char *file, const char *where, const bp__tree *at,
                           const char *name, int *index);
/* Leaves those of the task; fails where one was asked for that is of another. */
bp_status bp__metrics_fit(bp__metrics *m, bp_context *ctx, const char *file, bp__task task);
bool bp__metrics_by_weight(const bp__metrics *m);                      /* does one count rows by their weights? */
const char *bp__metrics_headline(const bp__metrics *m, bp__task task); /* the one to show where there is room for one, or NULL */

/* ---- Functions ---- */

/* Rows to be scored. Classes: k of them, p [n, k], label and guess in 0 … k, where k is a label that the model does not know:
   one more class that is never predicted, so that its rows count as wrong. */
typedef struct bp__class_rows {
    bp_context *ctx;
    int64_t n, k;
    const double *p, *w; /* w NULL: all 1 */
    const int64_t *label, *guess;
    const double *truth, *guessed, *hit; /* [k + 1] sums of weights: T_c, P_c, H_c */
    double total;                        /* N */
} bp__class_rows;
/* One target: y the truth, p the prediction. Of a VECTOR_METRIC all of them: y and p [n, columns]. */
typedef struct bp__number_rows {
    bp_context *ctx;
    int64_t n, columns;
    const double *y, *p, *w; /* w NULL: all 1 */
    double total;
} bp__number_rows;

/* *out NaN: not defined on these rows. */
typedef bp_status bp__class_metric(double *out, const bp__class_rows *r, int how, const double *value);
typedef bp_status bp__number_metric(double *out, const bp__number_rows *r, int how, const double *value);

/* What bp__m_overlap computes, and how it goes from classes to one number. */
enum {
    BP__PRECISION,
    BP__RECALL,
    BP__F1,
    BP__F_BETA,
    BP__JACCARD,
    BP__BINARY = 0,
    BP__MACRO = 16,
    BP__MICRO = 32,
    BP__WEIGHTED = 48
};
enum { BP__ROOT = 1 };
/* What bp__m_at looks for among the thresholds, and what bp__m_count counts. */
enum {
    BP__F1_MAX,
    BP__PRECISION_AT_RECALL,
    BP__RECALL_AT_PRECISION,
    BP__SENSITIVITY_AT_SPECIFICITY,
    BP__SPECIFICITY_AT_SENSITIVITY
};
enum { BP__TRUE_POSITIVES, BP__FALSE_POSITIVES, BP__TRUE_NEGATIVES, BP__FALSE_NEGATIVES };

#define CLASS_METRIC(name_, function_, ...) bp__class_metric function_;
#define NUMBER_METRIC(name_, function_, ...) bp__number_metric function_;
#define VECTOR_METRIC NUMBER_METRIC
#include "train/metrics.def"
#undef CLASS_METRIC
#undef NUMBER_METRIC
#undef VECTOR_METRIC

static inline double bp__row_weight(const double *w, int64_t i) { return w ? w[i] : 1; }
/* The indices of v in ascending order, equal values in the order they are in; no value is NaN. */
bp_status bp__order_of(int64_t *order, bp_context *ctx, const double *v, int64_t n);

/* The metric for rows in memory: p [n, columns]. Labels, or NULL: targets y [n, columns]. */
typedef struct bp__scored_rows {
    bp_context *ctx;
    int64_t n, columns;
    const double *p;
    const int64_t *label; /* -1: unknown */
    const double *y;
    const double *weight; /* for metrics that count rows by it, which are not defined without: NULL */
} bp__scored_rows;
bp_status bp__formula_metric(double *out, const char *text, const bp__scored_rows *r); /* formula_metric.c */
bp_status bp__metrics_compute(double *out, const bp__metrics *m, const bp__scored_rows *r);
#endif
