/* Inside src/data: what is to be learnt. */
#ifndef BP__TARGET_H
#define BP__TARGET_H
#include "data/prepare.h"

/* The target columns of one piece of data, wherever they came from. */
typedef struct bp__target_view {
    const bp__table *table;
    const int64_t *columns;
    int64_t n;
    const char *file;
    bool whole_array; /* an array of whole numbers: classes however many */
} bp__target_view;

/* A table made of an array of labels: [n] or [n, k] numbers; booleans become False and True. */
bp_status bp__target_table(bp__table **out, bp_context *ctx, const bp__array *labels, const char *file);
/* Decides p->task, p->targets, p->classes. */
bp_status bp__target_choose(bp__prep *p, const bp__target_view *v, const bp__data_options *o);
/* Class of each row: -1 unknown, -2 missing. */
bp_status bp__target_classes(int64_t *out, const bp__prep *p, const bp__target_view *v);
/* Numbers of each row, [n_rows, n], in their own unit; NaN: missing or unreadable. */
bp_status bp__target_numbers(double *out, const bp__prep *p, const bp__target_view *v);
/* Fits p->targets' normalisation on the training rows. */
bp_status bp__target_fit(bp__prep *p, const double *values, const int64_t *rows, int64_t n, const char *file,
                         const bp__data_options *o);
double bp__target_normalize(const bp__prep *p, int64_t k, double y);

#endif
