/* The cells of a table: numbers stay numbers, everything else is interned per column. */
#include "data/table.h"
#include <math.h>
#include <string.h>

static const char *const type_names[] = {"number", "category", "boolean", "date", "text", "id", "constant"};

const char *bp__column_type_name(bp__column_type type) { return type_names[type]; }

bool bp__column_type_find(bp__column_type *out, const char *name) {
    for (int i = 0; i < BP__N_COLUMN_TYPES; i++)
        if (strcmp(type_names[i], name) == 0) {
            *out = (bp__column_type)i;
            return true;
        }
    return false;
}

/* ---- Cells ---- */

static double boxed(uint32_t payload) {
    uint64_t bits = UINT64_C(0x7ff8000000000000) | payload;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint32_t payload(double cell) {
    uint64_t bits;
    memcpy(&bits, &cell, sizeof bits);
    return (uint32_t)bits;
}

double bp__cell_missing(void) { return boxed(0); }
bool bp__cell_is_missing(double cell) { return isnan(cell) && payload(cell) == 0; }

const char *bp__cell_text(const bp__column *c, double cell) {
    return isnan(cell) && payload(cell) ? c->pool + c->text_at[payload(cell) - 1] : NULL;
}

bool bp__cell_number(const bp__column *c, double cell, double *out) {
    if (!isnan(cell)) {
        *out = cell;
        return true;
    }
    const char *text = bp__cell_text(c, cell);
    return text && bp__parse_f64(text, strlen(text), true, out) && !isnan(*out);
}

const char *bp__cell_words(const bp__column *c, double cell, char *scratch) {
    const char *text = bp__cell_text(c, cell);
    if (text) return text;
    if (isnan(cell)) return "";
    bp__format_f64(scratch, cell);
    return scratch;
}

int bp__boolean_parse(const char *s) {
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"f", "t"}, {"n", "y"}, {"off", "on"}, {"0", "1"}};
    char low[8];
    size_t n = strlen(s);
    if (n >= sizeof low) return -1;
    for (size_t i = 0; i <= n; i++) low[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] - 'A' + 'a' : s[i]);
    for (int64_t i = 0; i < BP__COUNT(words); i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(low, words[i][k]) == 0) return k;
    return -1;
}

/* Reads exactly between `least` and `most` digits. */
static bool digits(const char **s, int least, int most, int *out) {
    int n = 0, v = 0;
    while (n < most && (*s)[0] >= '0' && (*s)[0] <= '9') {
        v = 10 * v + ((*s)[0] - '0');
        (*s)++;
        n++;
    }
    *out = v;
    return n >= least;
}

bool bp__date_parse(const char *s, double *days) {
    int year, month, day, hour = 0, minute = 0, second = 0;
    if (!digits(&s, 4, 4, &year)) return false;
    char mark = *s++;
    if (mark != '-' && mark != '/') return false;
    if (!digits(&s, 1, 2, &month) || *s++ != mark || !digits(&s, 1, 2, &day)) return false;
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return false;
    if (*s == ' ' || *s == 'T') {
        s++;
        if (!digits(&s, 1, 2, &hour) || *s++ != ':' || !digits(&s, 2, 2, &minute)) return false;
        if (*s == ':') {
            s++;
            if (!digits(&s, 2, 2, &second)) return false;
        }
        if (*s == '.')
            for (s++; *s >= '0' && *s <= '9';) s++;
        if (*s == 'Z') s++;
    }
    if (*s || hour > 24 || minute > 59 || second > 60) return false;
    /* days of the proleptic Gregorian calendar, years counted from March so that the leap day comes last */
    int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t n = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    *days = (double)n + (hour * 3600 + minute * 60 + second) / 86400.0;
    return true;
}

/* ---- Columns ---- */

static uint64_t hash_text(const char *s, size_t n) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 29);
}

static bp_status rehash(bp_context *ctx, bp__column *c) {
    int64_t n = c->n_slots ? 2 * c->n_slots : 16;
    int32_t *slots = bp__zalloc(ctx, (size_t)n * sizeof *slots);
    if (!slots) return bp__out_of_memory(ctx, (size_t)n * sizeof *slots);
    for (int64_t i = 0; i < c->n_texts; i++) {
        const char *s = c->pool + c->text_at[i];
        uint64_t at = hash_text(s, strlen(s)) & (uint64_t)(n - 1);
        while (slots[at]) at = (at + 1) & (uint64_t)(n - 1);
        slots[at] = (int32_t)(i + 1);
    }
    bp__free(ctx, c->slots);
    c->slots = slots;
    c->n_slots = n;
    return BP_OK;
}

static bp_status intern(bp_context *ctx, bp__column *c, const char *s, size_t n, double *cell) {
    if (2 * (c->n_texts + 1) > c->n_slots) BP_TRY(rehash(ctx, c));
    uint64_t mask = (uint64_t)(c->n_slots - 1), at = hash_text(s, n) & mask;
    for (; c->slots[at]; at = (at + 1) & mask) {
        const char *known = c->pool + c->text_at[c->slots[at] - 1];
        if (strncmp(known, s, n) == 0 && known[n] == 0) {
            *cell = boxed((uint32_t)c->slots[at]);
            return BP_OK;
        }
    }
    if (c->n_texts >= INT32_MAX - 1)
        return bp__fail(ctx, BP_UNSUPPORTED, "column %s has more than 2^31 different texts", c->name);
    BP_TRY(BP__GROW(ctx, c->text_at, c->n_texts, c->text_capacity));
    int64_t need = c->pool_size + (int64_t)n + 1;
    if (need > c->pool_capacity) {
        int64_t capacity = BP__MAX(2 * c->pool_capacity, need + 64);
        char *pool = bp__resize(ctx, c->pool, (size_t)c->pool_capacity, (size_t)capacity);
        if (!pool) return bp__out_of_memory(ctx, (size_t)capacity);
        c->pool = pool;
        c->pool_capacity = capacity;
    }
    memcpy(c->pool + c->pool_size, s, n);
    c->pool[c->pool_size + (int64_t)n] = 0;
    c->text_at[c->n_texts++] = c->pool_size;
    c->pool_size = need;
    c->slots[at] = (int32_t)c->n_texts;
    *cell = boxed((uint32_t)c->n_texts);
    return BP_OK;
}

static bool says_missing(const char *s, size_t n) {
    static const char *const words[] = {"?", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "-nan", "NULL", "null", "NAN"};
    if (n == 0) return true;
    for (int64_t i = 0; i < BP__COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(words[i], s, n) == 0) return true;
    return false;
}

/* Zip codes and the like: 01234 stays a text, so that its zero survives; it still counts as a number where one is wanted. */
static bool padded(const char *s, size_t n) {
    if (n && (*s == '-' || *s == '+')) {
        s++;
        n--;
    }
    return n > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9';
}

/* Short plain decimals, which most cells are: a whole number below 2^53 over a power of ten below 10^22 is one correctly rounded
   division. False: let the general reader decide. */
static bool plain_decimal(const char *s, size_t n, double *out) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (n == 0 || n > 16) return false;
    bool minus = *s == '-';
    int64_t v = 0;
    int n_digits = 0, behind = -1;
    for (size_t i = minus; i < n; i++) {
        if (s[i] == '.' && behind < 0 && n_digits) {
            behind = 0;
        } else if (s[i] >= '0' && s[i] <= '9') {
            v = 10 * v + (s[i] - '0');
            n_digits++;
            behind += behind >= 0;
        } else
            return false;
    }
    if (n_digits == 0 || n_digits > 15 || behind == 0) return false;
    double d = behind > 0 ? (double)v / powers[behind] : (double)v;
    *out = minus ? -d : d;
    return true;
}

bp_status bp__table_set(bp__table *t, int64_t row, int64_t column, const char *text, size_t n) {
    bp__column *c = &t->columns[column];
    double v;
    if (says_missing(text, n))
        v = bp__cell_missing();
    else if (padded(text, n) || (!plain_decimal(text, n, &v) && (!bp__parse_f64(text, n, false, &v) || !isfinite(v))))
        BP_TRY(intern(t->ctx, c, text, n, &v));
    c->cells[row] = v == 0 ? 0 : v; /* -0 and 0 are one value */
    return BP_OK;
}

bp_status bp__table_new(bp__table **out, bp_context *ctx, int64_t n_columns) {
    *out = NULL;
    bp__table *t = bp__zalloc(ctx, sizeof *t);
    if (!t) return bp__out_of_memory(ctx, sizeof *t);
    t->ctx = ctx;
    t->columns = bp__zalloc(ctx, (size_t)n_columns * sizeof *t->columns);
    if (!t->columns) {
        bp__free(ctx, t);
        return bp__out_of_memory(ctx, (size_t)n_columns * sizeof *t->columns);
    }
    t->n_columns = n_columns;
    *out = t;
    return BP_OK;
}

void bp__table_free(bp__table *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->n_columns; i++) {
        bp__column *c = &t->columns[i];
        bp__free(t->ctx, c->name);
        bp__free(t->ctx, c->cells);
        bp__free(t->ctx, c->pool);
        bp__free(t->ctx, c->text_at);
        bp__free(t->ctx, c->slots);
    }
    bp__free(t->ctx, t->columns);
    bp__free(t->ctx, t->lines);
    bp__free(t->ctx, t->note);
    bp__free(t->ctx, t);
}

bp_status bp__table_name(bp__table *t, int64_t column, const char *name, size_t n) {
    char *copy = bp__alloc(t->ctx, n + 1);
    if (!copy) return bp__out_of_memory(t->ctx, n + 1);
    memcpy(copy, name, n);
    copy[n] = 0;
    bp__free(t->ctx, t->columns[column].name);
    t->columns[column].name = copy;
    return BP_OK;
}

/* The first column before `end` with this name, through a throw-away hash table (wide files have thousands of names). */
static int64_t find_hashed(const bp__table *t, const int32_t *slots, uint64_t mask, const char *name, uint64_t *free_slot) {
    uint64_t at = hash_text(name, strlen(name)) & mask;
    for (; slots[at]; at = (at + 1) & mask)
        if (strcmp(t->columns[slots[at] - 1].name, name) == 0) return slots[at] - 1;
    *free_slot = at;
    return -1;
}

static bp_status finish_name(bp__table *t, int32_t *slots, uint64_t mask, int64_t i, int64_t *renamed) {
    bp__buffer b;
    bp__buffer_init(&b, t->ctx);
    if (!t->columns[i].name || !t->columns[i].name[0])
        bp__buffer_printf(&b, "c%lld", (long long)i + 1);
    else
        bp__buffer_text(&b, t->columns[i].name);
    if (b.failed) return bp__out_of_memory(t->ctx, 32);
    size_t base = b.size;
    uint64_t at = 0;
    for (int64_t k = 2; find_hashed(t, slots, mask, b.data, &at) >= 0; k++) {
        b.size = base;
        b.data[base] = 0;
        bp__buffer_printf(&b, "_%lld", (long long)k);
        if (b.failed) break;
        if (k == 2) ++*renamed;
    }
    char *name = NULL;
    BP_TRY(bp__buffer_take(&b, &name));
    bp__free(t->ctx, t->columns[i].name);
    t->columns[i].name = name;
    slots[at] = (int32_t)(i + 1);
    return BP_OK;
}

bp_status bp__table_finish_names(bp__table *t, int64_t *renamed) {
    *renamed = 0;
    uint64_t n = 16;
    while (n < 2 * (uint64_t)t->n_columns + 2) n *= 2;
    int32_t *slots = bp__zalloc(t->ctx, (size_t)n * sizeof *slots);
    if (!slots) return bp__out_of_memory(t->ctx, (size_t)n * sizeof *slots);
    bp_status status = BP_OK;
    for (int64_t i = 0; i < t->n_columns && status == BP_OK; i++) status = finish_name(t, slots, n - 1, i, renamed);
    bp__free(t->ctx, slots);
    return status;
}

bp_status bp__table_add_row(bp__table *t, int64_t line) {
    if (t->n_rows == t->row_capacity) {
        int64_t capacity = t->row_capacity ? 2 * t->row_capacity : 64;
        size_t old = (size_t)t->row_capacity * sizeof(double), new = (size_t)capacity * sizeof(double);
        int64_t *lines = bp__resize(t->ctx, t->lines, old, new);
        if (!lines) return bp__out_of_memory(t->ctx, new);
        t->lines = lines;
        for (int64_t i = 0; i < t->n_columns; i++) {
            double *cells = bp__resize(t->ctx, t->columns[i].cells, old, new);
            if (!cells) return bp__out_of_memory(t->ctx, new);
            t->columns[i].cells = cells;
        }
        t->row_capacity = capacity;
    }
    t->lines[t->n_rows] = line;
    for (int64_t i = 0; i < t->n_columns; i++) t->columns[i].cells[t->n_rows] = bp__cell_missing();
    t->n_rows++;
    return BP_OK;
}

int64_t bp__table_find(const bp__table *t, const char *name) {
    for (int64_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0) return i;
    return -1;
}
