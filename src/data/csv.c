/* CSV and TSV, RFC 4180 with what the world's files need besides: any of four delimiters, CR and LF in any mixture, blank lines,
   blanks round fields, a byte order mark, Latin-1. */
#include "data/readers.h"
#include <stdio.h>
#include <string.h>

typedef struct csv {
    bp__source *s;
    const char *file;
    const char *p, *end;
    int64_t line;
    char delimiter;
    bp__buffer scratch; /* a quoted field, unquoted */
    bp__buffer note;
} csv;

typedef struct field {
    const char *text;
    size_t n;
    bool last; /* the record ends with it */
} field;

static bool line_end(const csv *c, const char *p) { return p == c->end || *p == '\n' || *p == '\r'; }
static bool field_end(const csv *c, const char *p) { return line_end(c, p) || *p == c->delimiter; }
static bool blank(const csv *c, char ch) { return (ch == ' ' || ch == '\t') && ch != c->delimiter; }

/* Where the quoted field that opens at p closes (its last quote), or NULL when it doesn't. Tab-separated text is often written
   without quoting at all, so there a quote only counts when it closes just before a delimiter, and spans no line with tabs. */
static const char *closing_quote(const csv *c, const char *p) {
    bool tab = false, newline = false;
    for (p++; p < c->end; p++) {
        if (*p == '"') {
            if (p + 1 < c->end && p[1] == '"') {
                p++;
                continue;
            }
            if (c->delimiter != '\t') return p;
            return field_end(c, p + 1) && !(tab && newline) ? p : NULL;
        }
        if (*p == '\t') tab = true;
        if (*p == '\n' || *p == '\r') newline = true;
    }
    return NULL;
}

static void step_line(csv *c) {
    if (c->p == c->end) return;
    if (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n') c->p++;
    c->p++;
    c->line++;
}

static bp_status quoted_field(csv *c, field *out, const char *close) {
    c->scratch.size = 0;
    bp__buffer_add(&c->scratch, "", 0);
    for (const char *p = c->p + 1; p < close; p++) {
        if (*p == '"') p++; /* the second of a doubled quote */
        if (*p == '\n' || (*p == '\r' && p[1] != '\n')) c->line++;
        bp__buffer_add(&c->scratch, p, 1);
    }
    c->p = close + 1;
    while (!field_end(c, c->p) && blank(c, *c->p)) c->p++;
    while (!field_end(c, c->p)) bp__buffer_add(&c->scratch, c->p++, 1); /* "a"b: the rest as it stands */
    if (c->scratch.failed) return bp__out_of_memory(c->s->ctx, c->scratch.size);
    out->text = c->scratch.data ? c->scratch.data : "";
    out->n = c->scratch.size;
    return BP_OK;
}

static bp_status next_field(csv *c, field *out) {
    while (!field_end(c, c->p) && blank(c, *c->p)) c->p++;
    const char *close = !field_end(c, c->p) && *c->p == '"' ? closing_quote(c, c->p) : NULL;
    if (close) {
        BP_TRY(quoted_field(c, out, close));
    } else {
        if (!field_end(c, c->p) && *c->p == '"' && c->delimiter != '\t')
            return bp__fail_at(
                c->s->ctx, BP_DATA,
                (bp__where){.code = "open_quote", .file = c->file, .line = c->line, .hint = "write a quote inside quotes twice"},
                "the quote opened in line %lld of %s is never closed", (long long)c->line, c->file);
        out->text = c->p;
        while (!field_end(c, c->p)) c->p++;
        const char *stop = c->p;
        while (stop > out->text && blank(c, stop[-1])) stop--;
        out->n = (size_t)(stop - out->text);
    }
    out->last = line_end(c, c->p);
    if (out->last)
        step_line(c);
    else
        c->p++;
    return BP_OK;
}

static void skip_blank_lines(csv *c) {
    for (;;) {
        const char *p = c->p;
        while (!line_end(c, p) && blank(c, *p)) p++;
        if (p == c->end || !line_end(c, p)) {
            if (p == c->end) c->p = p;
            return;
        }
        c->p = p;
        step_line(c);
    }
}

/* Fields of the record at p with this delimiter, without keeping anything; moves p behind it. */
static int64_t count_fields(const csv *c, const char **at, char delimiter) {
    csv look = *c;
    look.delimiter = delimiter;
    const char *p = *at;
    int64_t n = 1;
    for (bool start = true;; p++) {
        while (start && !field_end(&look, p) && blank(&look, *p)) p++;
        if (start && p < look.end && *p == '"') {
            const char *close = closing_quote(&look, p);
            if (close) p = close + 1;
        }
        start = false;
        while (!field_end(&look, p)) p++;
        if (line_end(&look, p)) break;
        n++;
        start = true;
    }
    if (p < look.end) p += *p == '\r' && p + 1 < look.end && p[1] == '\n' ? 2 : 1;
    *at = p;
    return n;
}

/* The delimiter that cuts most of the first records into the same number (> 1) of fields; of equals the one that cuts more. */
static char sniff(const csv *c) {
    static const char candidates[] = {',', '\t', ';', '|'};
    char best = ',';
    int64_t best_score = 0;
    for (size_t k = 0; k < sizeof candidates; k++) {
        int64_t counts[64], n = 0, agree = 0, width = 0;
        csv look = *c;
        look.delimiter = candidates[k];
        while (n < 64) {
            skip_blank_lines(&look);
            if (look.p == look.end) break;
            counts[n++] = count_fields(&look, &look.p, candidates[k]);
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t same = 0;
            for (int64_t j = 0; j < n; j++) same += counts[j] == counts[i];
            if (counts[i] > 1 && (same > agree || (same == agree && counts[i] > width))) {
                agree = same;
                width = counts[i];
            }
        }
        int64_t score = agree * 1000 + BP__MIN(width, 999);
        if (agree && score > best_score && (agree > best_score / 1000 || best_score == 0 || width > best_score % 1000)) {
            best_score = score;
            best = candidates[k];
        }
    }
    return best;
}

static void add_note(csv *c, const char *sentence) {
    if (c->note.size) bp__buffer_text(&c->note, "; ");
    bp__buffer_text(&c->note, sentence);
}

/* A first line that starts with # or | and doesn't have the fields of the next one is a remark. */
static void skip_remarks(csv *c) {
    for (;;) {
        skip_blank_lines(c);
        if (c->p == c->end || (*c->p != '#' && *c->p != '|')) return;
        csv look = *c;
        int64_t here = count_fields(&look, &look.p, c->delimiter);
        const char *second = look.p;
        skip_blank_lines(&look);
        if (look.p == look.end || count_fields(&look, &look.p, c->delimiter) == here) return;
        char sentence[64];
        snprintf(sentence, sizeof sentence, "line %lld is a remark and was left out", (long long)c->line);
        add_note(c, sentence);
        c->p = second;
        c->line++;
    }
}

static bp_status ragged(csv *c, int64_t line, int64_t n, const bp__table *t) {
    return bp__fail_at(c->s->ctx, BP_DATA,
                       (bp__where){.code = "ragged_row",
                                   .file = c->file,
                                   .line = line,
                                   .hint = "quote fields that hold the delimiter, or delete a first line that is no header"},
                       "line %lld of %s has %lld field%s where the first line has %lld", (long long)line, c->file, (long long)n,
                       n == 1 ? "" : "s", (long long)t->n_columns);
}

static bp_status read_header(csv *c, bp__table *t) {
    field f = {0};
    for (int64_t i = 0; i < t->n_columns; i++) {
        BP_TRY(next_field(c, &f));
        BP_TRY(bp__table_name(t, i, f.text, f.n));
    }
    t->header = true;
    return BP_OK;
}

static bp_status read_row(csv *c, bp__table *t) {
    int64_t line = c->line, n = 0;
    BP_TRY(bp__table_add_row(t, line));
    for (field f = {0}; !f.last; n++) {
        BP_TRY(next_field(c, &f));
        if (n < t->n_columns) BP_TRY(bp__table_set(t, t->n_rows - 1, n, f.text, f.n));
    }
    return n == t->n_columns ? BP_OK : ragged(c, line, n, t);
}

/* A name that is a number, perhaps told apart from an equal one (4_2). */
static bool numeric_name(const char *name, double *out) {
    const char *mark = strrchr(name, '_');
    return bp__parse_f64(name, mark ? (size_t)(mark - name) : strlen(name), false, out);
}

/* A forgotten --no-header costs a row and gives nonsense names: every column of numbers has a number for its name (though not
   0, 1, 2 …, which some tools write as names); or the first line counts the rows and columns. */
static bool header_looks_like_data(const bp__table *t) {
    bool any = false, counting = true;
    double rows, columns;
    if (t->n_columns > 1 && numeric_name(t->columns[0].name, &rows) && numeric_name(t->columns[1].name, &columns) &&
        rows == (double)t->n_rows && columns == (double)(t->n_columns - 1))
        return true;
    for (int64_t i = 0; i < t->n_columns; i++) {
        double first, name;
        if (!bp__cell_number(&t->columns[i], t->columns[i].cells[0], &first)) continue;
        if (!numeric_name(t->columns[i].name, &name)) return false;
        any = true;
        counting = counting && (name == (double)i || name == (double)(i + 1));
    }
    return any && !counting;
}

static bp_status read_table(csv *c, const bp__read_options *options) {
    bp_context *ctx = c->s->ctx;
    c->delimiter = options->delimiter ? options->delimiter : sniff(c);
    skip_remarks(c);
    if (c->p == c->end) return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "empty", .file = c->file}, "%s is empty", c->file);
    const char *look = c->p;
    BP_TRY(bp__table_new(&c->s->table, ctx, count_fields(c, &look, c->delimiter)));
    bp__table *t = c->s->table;
    if (!options->no_header) BP_TRY(read_header(c, t));
    int64_t renamed = 0;
    BP_TRY(bp__table_finish_names(t, &renamed));
    for (skip_blank_lines(c); c->p < c->end; skip_blank_lines(c)) BP_TRY(read_row(c, t));
    if (t->n_rows == 0)
        return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "no_rows", .file = c->file, .hint = "is it --no-header?"},
                           "%s has a header but no rows", c->file);
    if (renamed) add_note(c, "columns of the same name were told apart by _2, _3 …");
    if (t->header && header_looks_like_data(t))
        add_note(c, "the first line was taken as the header but looks like data; --no-header says that it is");
    if (c->note.size) BP_TRY(bp__buffer_take(&c->note, &t->note));
    return BP_OK;
}

static bool valid_utf8(const unsigned char *p, const unsigned char *end) {
    while (p < end) {
        int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
        if (more < 0 || end - p <= more) return false;
        if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
            (*p == 0xf4 && p[1] > 0x8f))
            return false;
        for (int i = 1; i <= more; i++)
            if ((p[i] & 0xc0) != 0x80) return false;
        p += 1 + more;
    }
    return true;
}

/* Latin-1 gives every byte a meaning, so a file that isn't UTF-8 is read as that. */
static bp_status from_latin1(csv *c, char **owned) {
    bp__buffer b;
    bp__buffer_init(&b, c->s->ctx);
    for (const char *p = c->p; p < c->end; p++) {
        unsigned char u = (unsigned char)*p;
        char two[2] = {(char)(0xc0 | (u >> 6)), (char)(0x80 | (u & 0x3f))};
        if (u < 0x80)
            bp__buffer_add(&b, p, 1);
        else
            bp__buffer_add(&b, two, 2);
    }
    size_t n = b.size;
    BP_TRY(bp__buffer_take(&b, owned));
    c->p = *owned;
    c->end = c->p + n;
    add_note(c, "the text isn't UTF-8 and was read as Latin-1");
    return BP_OK;
}

bool bp__recognise_csv(const bp__content *c) {
    (void)c;
    return true;
}

bp_status bp__read_csv(bp__source *s, bp__content *content, const bp__read_options *options) {
    bp_context *ctx = s->ctx;
    const unsigned char *b = content->bytes;
    bp__where where = {.code = "not_a_table", .file = content->file, .hint = "backprop reads CSV, TSV, NPY, NPZ and IDX"};
    if (content->size >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff))) {
        where.hint = "convert it: iconv -f UTF-16 -t UTF-8";
        return bp__fail_at(ctx, BP_UNSUPPORTED, where, "%s is UTF-16 text", content->file);
    }
    const unsigned char *nul = content->size ? memchr(b, 0, content->size) : NULL;
    if (nul)
        return bp__fail_at(ctx, BP_FORMAT, where, "%s is neither a table nor a known array: it holds a zero byte at offset %lld",
                           content->file, (long long)(nul - b));
    csv c = {.s = s, .file = content->file, .p = (const char *)b, .end = (const char *)b + content->size, .line = 1};
    if (content->size >= 3 && memcmp(b, "\xef\xbb\xbf", 3) == 0) c.p += 3;
    bp__buffer_init(&c.scratch, ctx);
    bp__buffer_init(&c.note, ctx);
    char *owned = NULL;
    bp_status status = BP_OK;
    if (!valid_utf8((const unsigned char *)c.p, (const unsigned char *)c.end)) status = from_latin1(&c, &owned);
    if (status == BP_OK) status = read_table(&c, options);
    bp__buffer_free(&c.scratch);
    bp__buffer_free(&c.note);
    bp__free(ctx, owned);
    return status;
}
