/* What a column seems to be, and why. */
#include "data/table.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Counts different numbers in one pass, by a hash table of their bits. */
static bp_status count_numbers(int64_t *out, bp_context *ctx, const bp__column *c, int64_t n_rows) {
    uint64_t n = 64;
    while (n < 2 * (uint64_t)n_rows) n *= 2;
    uint64_t *seen = bp__alloc(ctx, (size_t)n * sizeof *seen);
    if (!seen) return bp__out_of_memory(ctx, (size_t)n * sizeof *seen);
    memset(seen, 0xff, (size_t)n * sizeof *seen); /* a NaN, which no number is */
    *out = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        if (isnan(c->cells[i])) continue;
        uint64_t bits;
        memcpy(&bits, &c->cells[i], sizeof bits);
        /* small whole numbers differ only in their highest bits, so those come down first */
        uint64_t at = ((bits ^ bits >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (n - 1);
        while (seen[at] != UINT64_MAX && seen[at] != bits) at = (at + 1) & (n - 1);
        *out += seen[at] == UINT64_MAX;
        seen[at] = bits;
    }
    bp__free(ctx, seen);
    return BP_OK;
}

/* What one pass over the cells and one over the texts tell. */
typedef struct tally {
    int64_t plain; /* cells that are plain numbers */
    int64_t texts; /* cells that are texts, of those */
    int64_t as_numbers, infinite;
    int64_t distinct_numbers, distinct_texts;
    int64_t with_blank; /* different texts with a blank inside */
    int64_t length;     /* of all different texts together */
    bool all_dates, all_booleans, counting;
} tally;

static void count_cells(bp__column_info *out, tally *k, const bp__column *c, int64_t n_rows) {
    out->whole = k->counting = true;
    out->low = INFINITY;
    out->high = -INFINITY;
    for (int64_t i = 0; i < n_rows; i++) {
        double v;
        if (bp__cell_is_missing(c->cells[i])) {
            out->n_missing++;
        } else if (!bp__cell_number(c, c->cells[i], &v)) {
            k->texts++;
        } else {
            k->plain += !isnan(c->cells[i]);
            k->texts += isnan(c->cells[i]);
            k->as_numbers++;
            k->infinite += !isfinite(v);
            if (isfinite(v)) {
                out->low = BP__MIN(out->low, v);
                out->high = BP__MAX(out->high, v);
                out->whole = out->whole && v == floor(v);
            }
        }
        k->counting = k->counting && i > 0 ? c->cells[i] == c->cells[i - 1] + 1 : k->counting;
    }
}

static void look_at_texts(tally *k, const bp__column *c) {
    k->all_dates = k->all_booleans = true;
    k->distinct_texts = c->n_texts;
    for (int64_t i = 0; i < c->n_texts; i++) {
        const char *s = c->pool + c->text_at[i];
        double days;
        k->all_dates = k->all_dates && bp__date_parse(s, &days);
        k->all_booleans = k->all_booleans && bp__boolean_parse(s) >= 0;
        k->with_blank += strchr(s, ' ') != NULL;
        k->length += (int64_t)strlen(s);
    }
}

static void decide_numbers(bp__column_info *out, const tally *k, int64_t n_rows) {
    int64_t odd = k->texts - (k->as_numbers - k->plain) + k->infinite;
    char low[40], high[40];
    bp__format_f64(low, out->low);
    bp__format_f64(high, out->high);
    if (k->counting && out->n_missing == 0 && n_rows >= 10) {
        out->type = BP__ID;
        snprintf(out->why, sizeof out->why, "counts the rows from %s", low);
    } else if (out->n_distinct == 2 && out->low == 0 && out->high == 1 && odd == 0) {
        out->type = BP__BOOLEAN;
        snprintf(out->why, sizeof out->why, "only 0 and 1");
    } else {
        out->type = BP__NUMBER;
        int n = snprintf(out->why, sizeof out->why, "%s from %s to %s, %lld different", out->whole ? "whole numbers" : "numbers",
                         low, high, (long long)out->n_distinct);
        if (odd && n > 0 && (size_t)n < sizeof out->why)
            snprintf(out->why + n, sizeof out->why - (size_t)n, "; %lld unreadable cell%s as missing", (long long)odd,
                     odd == 1 ? " counts" : "s count");
    }
}

static void decide_texts(bp__column_info *out, const tally *k, int64_t n_present) {
    long long n = (long long)out->n_distinct;
    if (out->n_distinct == 2 && k->distinct_numbers == 0 && k->all_booleans) {
        out->type = BP__BOOLEAN;
        snprintf(out->why, sizeof out->why, "only a yes and a no");
    } else if (k->distinct_numbers == 0 && k->all_dates) {
        out->type = BP__DATE;
        snprintf(out->why, sizeof out->why, "every text is a date; %lld different", n);
    } else if (n_present >= 20 && (out->n_distinct > 1000 || 2 * out->n_distinct > n_present)) {
        bool words = 2 * k->with_blank > k->distinct_texts || k->length > 40 * k->distinct_texts;
        out->type = words ? BP__FREE_TEXT : BP__ID;
        snprintf(out->why, sizeof out->why, "%lld different texts in %lld rows, %s", n, (long long)n_present,
                 words ? "most of several words" : "too many to be categories");
    } else {
        out->type = BP__CATEGORY;
        snprintf(out->why, sizeof out->why, "%lld different texts in %lld rows", n, (long long)n_present);
    }
}

bp_status bp__column_infer(bp__column_info *out, const bp__table *t, int64_t column) {
    memset(out, 0, sizeof *out);
    const bp__column *c = &t->columns[column];
    tally k = {0};
    count_cells(out, &k, c, t->n_rows);
    look_at_texts(&k, c);
    BP_TRY(count_numbers(&k.distinct_numbers, t->ctx, c, t->n_rows));
    int64_t n_present = t->n_rows - out->n_missing;
    out->n_numbers = k.as_numbers;
    out->n_texts = n_present - k.as_numbers;
    out->n_distinct = k.distinct_numbers + k.distinct_texts;
    bool numbers = k.as_numbers == n_present || (k.as_numbers * 100 >= n_present * 99 && k.distinct_numbers > 20);
    if (n_present == 0) {
        out->type = BP__CONSTANT;
        snprintf(out->why, sizeof out->why, "every cell is missing");
    } else if (out->n_distinct == 1 && (out->n_missing == 0 || numbers)) {
        out->type = BP__CONSTANT;
        snprintf(out->why, sizeof out->why, "one value in every row%s", out->n_missing ? " that has one" : "");
    } else if (numbers)
        decide_numbers(out, &k, t->n_rows);
    else
        decide_texts(out, &k, n_present);
    return BP_OK;
}
