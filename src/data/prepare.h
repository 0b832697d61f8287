/* Inside src/data: fitting and applying the preprocessing of one table or array. */
#ifndef BP__PREPARE_H
#define BP__PREPARE_H
#include "data/data.h"

/* A list of texts in the order of classes: by number if all are numbers, else bytewise; each once, canonical. */
typedef struct bp__labels {
    char **names;
    int64_t n, capacity;
} bp__labels;
void bp__labels_free(bp_context *ctx, bp__labels *l);
/* The different words of the chosen rows of a column (or all rows: rows NULL) that at least `least` rows have. `n_rare`: how many
   were left out for being rarer. */
bp_status bp__labels_collect(bp__labels *out, bp_context *ctx, const bp__column *c, const int64_t *rows, int64_t n, int64_t least,
                             int64_t *n_rare);
/* Index of each cell's word in the list, -1 when it isn't there, -2 when the cell is missing: for every row of the column. */
bp_status bp__labels_map(int64_t *out, bp_context *ctx, const bp__column *c, int64_t n_rows, char *const *names, int64_t n);

/* Chooses inputs, encodings and reasons; numbers are fitted later. `target` and `weight` are columns left out. */
bp_status bp__prep_choose(bp__prep *p, const bp__table *t, const int64_t *targets, int64_t n_targets, int64_t weight,
                          const bp__data_options *o, const char *file);
bp_status bp__prep_fit(bp__prep *p, const bp__table *t, const int64_t *rows, int64_t n);
/* Where the model's inputs are in this table: at[i] = column of input i. */
bp_status bp__prep_match(int64_t *at, const bp__prep *p, const bp__table *t, const char *file);
/* Writes the table's rows into x (f32 or f64), and counts. */
bp_status bp__prep_apply(void *x, const bp__prep *p, const bp__table *t, const int64_t *at, bp__column_report *reports);

bp_status bp__array_choose(bp__prep *p, const bp__source *s, const bp__data_options *o);
bp_status bp__array_fit(bp__prep *p, const bp__source *s, const int64_t *rows, int64_t n);
bp_status bp__array_apply(void *x, const bp__prep *p, const bp__source *s);

/* Fails: the file has no such column; names the nearest. */
bp_status bp__no_column(bp_context *ctx, const bp__table *t, const char *name, const char *file);

/* center and scale of n values (sorted in place for robust). */
void bp__fit_numbers(bp__normalize how, double *values, int64_t n, double *center, double *scale);

#endif
