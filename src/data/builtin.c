/* Data inside the library, so that a first training needs no file. */
#include "data/readers.h"
#include <stdio.h>
#include <string.h>
#include "data/builtin_digits.inc"
#include "data/builtin_iris.inc"

enum { DIGITS_ROWS = 1797, DIGITS_PIXELS = 64, IRIS_ROWS = 150, IRIS_COLUMNS = 4 };

static uint8_t next_code(int64_t *at) {
    int64_t i = (*at)++;
    return (uint8_t)(digits_codes[i / 16] >> (4 * (i % 16)) & 15);
}

static uint8_t next_value(int64_t *at) {
    uint8_t code = next_code(at);
    return code == 15 ? (uint8_t)(15 + next_code(at)) : code;
}

static bp_status digits(bp__source *s) {
    BP_TRY(bp__array_new(&s->array, s->ctx, s->path, BP_U8, 2, (int64_t[]){DIGITS_ROWS, DIGITS_PIXELS}));
    BP_TRY(bp__array_new(&s->labels, s->ctx, s->path, BP_U8, 1, (int64_t[]){DIGITS_ROWS}));
    uint8_t *pixel = s->array.data, *label = s->labels.data;
    int64_t at = 0;
    for (int64_t r = 0; r < DIGITS_ROWS; r++) {
        for (int i = 0; i < DIGITS_PIXELS; i++) *pixel++ = next_value(&at);
        *label++ = next_value(&at);
    }
    s->byte_scale = 1.0 / 16; /* the set's white */
    bp__data_sha256(s->sha256, s->array.data, (size_t)s->array.size);
    return BP_OK;
}

static bp_status iris(bp__source *s) {
    static const char *const names[] = {"sepal_length", "sepal_width", "petal_length", "petal_width", "species"};
    static const char *const species[] = {"setosa", "versicolor", "virginica"};
    BP_TRY(bp__table_new(&s->table, s->ctx, BP__COUNT(names)));
    bp__table *t = s->table;
    t->header = true;
    for (int64_t i = 0; i < BP__COUNT(names); i++) BP_TRY(bp__table_name(t, i, names[i], strlen(names[i])));
    for (int64_t r = 0; r < IRIS_ROWS; r++) {
        BP_TRY(bp__table_add_row(t, r + 1));
        for (int64_t i = 0; i < IRIS_COLUMNS; i++) {
            char text[16];
            int tenths = iris_tenths[r * IRIS_COLUMNS + i];
            int n = snprintf(text, sizeof text, "%d.%d", tenths / 10, tenths % 10);
            BP_TRY(bp__table_set(t, r, i, text, (size_t)n));
        }
        const char *name = species[iris_species[r]];
        BP_TRY(bp__table_set(t, r, IRIS_COLUMNS, name, strlen(name)));
    }
    s->default_target = "species";
    bp__data_sha256(s->sha256, iris_tenths, sizeof iris_tenths);
    return BP_OK;
}

bp_status bp__read_builtin(bp__source *s, const char *name) {
    static const char *const names[] = {"digits", "iris"};
    if (strcmp(name, "digits") == 0) return digits(s);
    if (strcmp(name, "iris") == 0) return iris(s);
    const char *near = bp__nearest(name, names, BP__COUNT(names));
    char hint[64];
    snprintf(hint, sizeof hint, "did you mean builtin:%s?", near ? near : "");
    return bp__fail_at(s->ctx, BP_NOT_FOUND, (bp__where){.code = "no_such_file", .file = s->path, .hint = near ? hint : NULL},
                       "there is no built-in data set %s; there are builtin:digits and builtin:iris", name);
}
