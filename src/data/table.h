/* A table as it came from a file: columns of cells that are numbers, texts or missing, and what each column seems to be. */
#ifndef BP__TABLE_H
#define BP__TABLE_H
#include "core/core.h"

typedef enum bp__column_type {
    BP__NUMBER,
    BP__CATEGORY,
    BP__BOOLEAN,
    BP__DATE,
    BP__FREE_TEXT,
    BP__ID,
    BP__CONSTANT,
    BP__N_COLUMN_TYPES
} bp__column_type;
const char *bp__column_type_name(bp__column_type type); /* "number", "category", … */
bool bp__column_type_find(bp__column_type *out, const char *name);

/* A cell is a double. A NaN means "no plain number": its low 32 bits are 0 for a missing cell, else 1 + the index of a text. */
typedef struct bp__column {
    char *name;
    double *cells; /* [n_rows] */
    char *pool;    /* the texts, one after another, each with its NUL */
    int64_t pool_size, pool_capacity;
    int64_t *text_at; /* offset in pool, per text */
    int64_t n_texts, text_capacity;
    int32_t *slots; /* hash table of 1 + text index */
    int64_t n_slots;
} bp__column;

typedef struct bp__table {
    bp_context *ctx;
    bp__column *columns;
    int64_t n_columns, n_rows, row_capacity;
    int64_t *lines; /* the line each row starts on, from 1; NULL: not from a text file */
    bool header;    /* the names come from the file, not c1, c2 … */
    char *note;     /* what the reader wants the user to know, or NULL */
} bp__table;

bp_status bp__table_new(bp__table **out, bp_context *ctx, int64_t n_columns);
void bp__table_free(bp__table *t);
bp_status bp__table_name(bp__table *t, int64_t column, const char *name, size_t n);
/* Gives every column without a name the name cN and makes repeated names unique (a, a_2); says in `renamed` how many. */
bp_status bp__table_finish_names(bp__table *t, int64_t *renamed);
/* Room for one more row, whose cells are then set one by one. */
bp_status bp__table_add_row(bp__table *t, int64_t line);
bp_status bp__table_set(bp__table *t, int64_t row, int64_t column, const char *text, size_t n);
int64_t bp__table_find(const bp__table *t, const char *name); /* -1: absent */

double bp__cell_missing(void);
bool bp__cell_is_missing(double cell);
/* The text of a cell that isn't a plain number, or NULL. */
const char *bp__cell_text(const bp__column *c, double cell);
/* The cell as a number (also texts such as 007 or inf); false when it isn't one. */
bool bp__cell_number(const bp__column *c, double cell, double *out);
/* The cell as words: the text, or the number's canonical form ("1", not "1.0"), written into `scratch` (>= 40 bytes). */
const char *bp__cell_words(const bp__column *c, double cell, char *scratch);
/* The days since 1970-01-01 of a date (YYYY-MM-DD or YYYY/MM/DD, then optionally HH:MM[:SS]); false when it isn't one. */
bool bp__date_parse(const char *s, double *days);
/* 0 or 1 for a yes/no word, else -1. */
int bp__boolean_parse(const char *s);

typedef struct bp__column_info {
    bp__column_type type;
    int64_t n_missing, n_distinct, n_numbers, n_texts; /* cells, but distinct values */
    bool whole;                                        /* all numbers are whole */
    double low, high;                                  /* of the finite numbers */
    char why[160];
} bp__column_info;
bp_status bp__column_infer(bp__column_info *out, const bp__table *t, int64_t column);

#endif
