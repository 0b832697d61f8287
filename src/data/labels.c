/* Lists of labels and category values: collecting them from a column in canonical order, and finding cells in them. */
#include "data/prepare.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void bp__labels_free(bp_context *ctx, bp__labels *l) {
    for (int64_t i = 0; i < l->n; i++) bp__free(ctx, l->names[i]);
    bp__free(ctx, l->names);
    *l = (bp__labels){0};
}

typedef struct entry {
    const char *text; /* in the column, or NULL: a plain number */
    double number;    /* NaN: not a number */
    int64_t count;
} entry;

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int entry_by_number(const void *a, const void *b) {
    double x = ((const entry *)a)->number, y = ((const entry *)b)->number;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Texts lie in the pool in the order of their indices. */
static int64_t text_index(const bp__column *c, const char *text) {
    int64_t low = 0, high = c->n_texts - 1, at = text - c->pool;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (c->text_at[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* One entry per different cell; `numbers` has room for n doubles. */
static bp_status gather(entry **out, int64_t *n_out, bp_context *ctx, const bp__column *c, const int64_t *rows, int64_t n,
                        double *numbers, int64_t *counts) {
    int64_t n_numbers = 0, n_entries = 0;
    for (int64_t i = 0; i < n; i++) {
        double cell = c->cells[rows ? rows[i] : i];
        const char *text = bp__cell_text(c, cell);
        if (text)
            counts[text_index(c, text)]++;
        else if (!isnan(cell))
            numbers[n_numbers++] = cell;
    }
    qsort(numbers, (size_t)n_numbers, sizeof *numbers, by_number);
    int64_t distinct = 0;
    for (int64_t i = 0; i < n_numbers; i++) distinct += i == 0 || numbers[i] != numbers[i - 1];
    entry *e = bp__alloc(ctx, (size_t)(distinct + c->n_texts) * sizeof *e);
    if (!e) return bp__out_of_memory(ctx, (size_t)(distinct + c->n_texts) * sizeof *e);
    for (int64_t i = 0; i < n_numbers; i++) {
        if (i == 0 || numbers[i] != numbers[i - 1]) e[n_entries++] = (entry){NULL, numbers[i], 0};
        e[n_entries - 1].count++;
    }
    for (int64_t i = 0; i < c->n_texts; i++) {
        if (!counts[i]) continue;
        const char *text = c->pool + c->text_at[i];
        double v;
        bool number = bp__parse_f64(text, strlen(text), true, &v);
        e[n_entries++] = (entry){text, number ? v : NAN, counts[i]};
    }
    *out = e;
    *n_out = n_entries;
    return BP_OK;
}

static bp_status add_name(bp__labels *out, bp_context *ctx, const entry *e, bool all_numbers) {
    char scratch[40];
    const char *name = e->text;
    if (all_numbers || !name) {
        bp__format_f64(scratch, e->number);
        name = scratch;
    }
    BP_TRY(BP__GROW(ctx, out->names, out->n, out->capacity));
    char *copy = bp__strdup(ctx, name);
    if (!copy) return bp__out_of_memory(ctx, strlen(name) + 1);
    out->names[out->n++] = copy;
    return BP_OK;
}

/* From entries to names: ordered, the too rare left out. Entries are merged where they are the same number spelt differently. */
static bp_status name_entries(bp__labels *out, bp_context *ctx, entry *e, int64_t n, int64_t least, int64_t *n_rare) {
    bool all_numbers = true;
    for (int64_t i = 0; i < n; i++) all_numbers = all_numbers && !isnan(e[i].number);
    if (all_numbers) {
        qsort(e, (size_t)n, sizeof *e, entry_by_number);
        int64_t kept = 0;
        for (int64_t i = 0; i < n; i++) {
            if (kept && e[kept - 1].number == e[i].number)
                e[kept - 1].count += e[i].count;
            else
                e[kept++] = e[i];
        }
        n = kept;
    }
    for (int64_t i = 0; i < n; i++) {
        if (e[i].count < least)
            *n_rare += e[i].count;
        else
            BP_TRY(add_name(out, ctx, &e[i], all_numbers));
    }
    if (!all_numbers && out->n) qsort(out->names, (size_t)out->n, sizeof *out->names, by_name);
    return BP_OK;
}

bp_status bp__labels_collect(bp__labels *out, bp_context *ctx, const bp__column *c, const int64_t *rows, int64_t n, int64_t least,
                             int64_t *n_rare) {
    *out = (bp__labels){0};
    *n_rare = 0;
    double *numbers = bp__alloc(ctx, (size_t)n * sizeof *numbers);
    int64_t *counts = bp__zalloc(ctx, (size_t)c->n_texts * sizeof *counts);
    entry *e = NULL;
    int64_t n_entries = 0;
    bp_status status = numbers && counts ? BP_OK : bp__out_of_memory(ctx, (size_t)n * sizeof *numbers);
    if (status == BP_OK) status = gather(&e, &n_entries, ctx, c, rows, n, numbers, counts);
    if (status == BP_OK) status = name_entries(out, ctx, e, n_entries, least, n_rare);
    bp__free(ctx, numbers);
    bp__free(ctx, counts);
    bp__free(ctx, e);
    if (status != BP_OK) bp__labels_free(ctx, out);
    return status;
}

typedef struct place {
    const char *name;
    int64_t index;
} place;

static int by_place(const void *a, const void *b) { return strcmp(((const place *)a)->name, ((const place *)b)->name); }

static int64_t look_up(const place *places, int64_t n, const char *word) {
    place key = {word, 0};
    const place *found = n ? bsearch(&key, places, (size_t)n, sizeof *places, by_place) : NULL;
    return found ? found->index : -1;
}

static int64_t look_up_cell(const place *places, int64_t n, const bp__column *c, double cell) {
    char scratch[40];
    if (bp__cell_is_missing(cell)) return -2;
    int64_t at = look_up(places, n, bp__cell_words(c, cell, scratch));
    double v;
    if (at < 0 && isnan(cell) && bp__cell_number(c, cell, &v)) {
        bp__format_f64(scratch, v);
        at = look_up(places, n, scratch);
    }
    return at;
}

bp_status bp__labels_map(int64_t *out, bp_context *ctx, const bp__column *c, int64_t n_rows, char *const *names, int64_t n) {
    place *places = bp__alloc(ctx, (size_t)n * sizeof *places);
    if (!places) return bp__out_of_memory(ctx, (size_t)n * sizeof *places);
    for (int64_t i = 0; i < n; i++) places[i] = (place){names[i], i};
    qsort(places, (size_t)n, sizeof *places, by_place);
    double last = bp__cell_missing();
    int64_t index = -2;
    for (int64_t i = 0; i < n_rows; i++) {
        double cell = c->cells[i];
        if (memcmp(&cell, &last, sizeof cell) != 0) index = look_up_cell(places, n, c, last = cell);
        out[i] = index;
    }
    bp__free(ctx, places);
    return BP_OK;
}
