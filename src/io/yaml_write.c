/* Trees as YAML text. Declared in yaml.h. */
#include "io/yaml.h"

#include "io/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Readers need a ':' within 1024 characters of a simple key's start; longer ones get the explicit form with '?'. */
#define SIMPLE_KEY ((size_t)200)

typedef struct writer {
    bp__buffer b;
    const char *broken; /* the first text that is not UTF-8 */
    bool deep;
} writer;

/* ---- Scalars ------------------------------------------------------------------------------------------------------ */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool equals_any_case(const char *s, const char *word) {
    for (; *s != '\0' && *word != '\0'; s++, word++) {
        char c = *s;
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != *word) return false;
    }
    return *s == *word;
}

/* Words that some reader takes for a truth value or null. */
static bool is_taken(const char *s) {
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
    for (int64_t i = 0; i < BP__COUNT(words); i++)
        if (equals_any_case(s, words[i])) return true;
    return false;
}

/* Whether every reader takes the unquoted text for just this text. Only what is surely harmless: words and paths, which start
   with a letter, '_' or '/', and durations such as 60s. Everything else is quoted. */
static bool is_harmless(const char *s) {
    size_t n = strlen(s);
    if (n == 0 || n > 1000 || s[n - 1] == ' ' || is_taken(s)) return false;
    if (is_digit(s[0])) {
        size_t digits = strspn(s, "0123456789");
        return digits + 1 == n && strchr("smhd", s[digits]) != NULL;
    }
    size_t dots = s[0] == '.' ? strspn(s, ".") : 0;
    bool path = (dots == 1 || dots == 2) && s[dots] == '/';
    if (!is_letter(s[0]) && s[0] != '_' && s[0] != '/' && !path) return false;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(s[i]) && !is_digit(s[i]) && strchr("_-./ +", s[i]) == NULL) return false;
    return true;
}

static void write_text(writer *w, const char *s) {
    if (s == NULL) s = "";
    if (!bp__utf8_valid(s, strlen(s)) && w->broken == NULL) w->broken = s;
    if (is_harmless(s))
        bp__buffer_text(&w->b, s);
    else
        bp__buffer_quoted(&w->b, s);
}

/* Readers of YAML 1.1 want a dot in the digits and a sign in the exponent: 1e-05 becomes 1.0e-5, 3 becomes 3.0. */
static void write_number(writer *w, double v) {
    if (isnan(v)) {
        bp__buffer_text(&w->b, ".nan");
        return;
    }
    if (isinf(v)) {
        bp__buffer_text(&w->b, v < 0 ? "-.inf" : ".inf");
        return;
    }
    char text[64];
    (void)bp__format_f64(text, v);
    size_t digits = strcspn(text, "eE");
    bp__buffer_add(&w->b, text, digits);
    if (memchr(text, '.', digits) == NULL) bp__buffer_text(&w->b, ".0");
    if (text[digits] == '\0') return;
    const char *exponent = text + digits + 1;
    bool negative = *exponent == '-';
    if (*exponent == '-' || *exponent == '+') exponent++;
    while (exponent[0] == '0' && exponent[1] != '\0') exponent++;
    bp__buffer_text(&w->b, negative ? "e-" : "e+");
    bp__buffer_text(&w->b, exponent);
}

static void write_scalar(writer *w, const bp__tree *t) {
    switch (t->kind) {
    case BP__BOOL: bp__buffer_text(&w->b, t->boolean ? "true" : "false"); break;
    case BP__INT: bp__buffer_printf(&w->b, "%lld", (long long)t->integer); break;
    case BP__FLOAT: write_number(w, t->number); break;
    case BP__TEXT: write_text(w, t->text); break;
    default: bp__buffer_text(&w->b, "null"); break;
    }
}

/* ---- Lists and mappings ------------------------------------------------------------------------------------------- */

static bool is_long_key(const bp__tree *t) { return t->key != NULL && strlen(t->key) > SIMPLE_KEY; }

static bool is_container(const bp__tree *t) { return t->kind == BP__LIST || t->kind == BP__MAP; }

static bool has_comments(const bp__tree *t, int depth) {
    for (const bp__tree *c = t->child; c != NULL && depth < BP__TREE_DEPTH; c = c->next)
        if (c->comment != NULL || has_comments(c, depth + 1)) return true;
    return false;
}

/* On one line: what is empty, marked so, or a list of scalars; but a comment inside needs its own line. */
static bool goes_on_one_line(const bp__tree *t) {
    if (t->child == NULL) return true;
    if (has_comments(t, 0)) return false;
    if (t->flow) return true;
    if (t->kind == BP__MAP) return false;
    for (const bp__tree *c = t->child; c != NULL; c = c->next)
        if (is_container(c)) return false;
    return true;
}

static void write_flow(writer *w, const bp__tree *t, int depth) {
    if (!is_container(t)) {
        write_scalar(w, t);
        return;
    }
    if (depth > BP__TREE_DEPTH) {
        w->deep = true;
        return;
    }
    bool map = t->kind == BP__MAP;
    bp__buffer_text(&w->b, map ? "{" : "[");
    for (const bp__tree *c = t->child; c != NULL; c = c->next) {
        if (c != t->child) bp__buffer_text(&w->b, ", ");
        if (map) {
            if (is_long_key(c)) bp__buffer_text(&w->b, "? ");
            write_text(w, c->key);
            bp__buffer_text(&w->b, is_long_key(c) ? " : " : ": ");
        }
        write_flow(w, c, depth + 1);
    }
    bp__buffer_text(&w->b, map ? "}" : "]");
}

static void write_comment(writer *w, const bp__tree *t) {
    if (t->comment == NULL) return;
    bp__buffer_text(&w->b, "  # ");
    size_t n = strlen(t->comment), i = 0;
    while (i < n) {
        uint32_t code;
        int length = bp__utf8_next(t->comment + i, n - i, &code);
        bool fine = length > 0 && code >= 0x20 && code != 0x7F && !(code >= 0x80 && code < 0xA0) && code != 0x2028 &&
                    code != 0x2029 && code != 0xFEFF && (code & 0xFFFEu) != 0xFFFEu;
        if (fine)
            bp__buffer_add(&w->b, t->comment + i, (size_t)length);
        else
            bp__buffer_text(&w->b, " ");
        i += length > 0 ? (size_t)length : 1;
    }
}

static void write_indent(writer *w, int indent) {
    for (int i = 0; i < indent; i++) bp__buffer_text(&w->b, "  ");
}

static void write_block(writer *w, const bp__tree *t, int indent, bool started, int depth);

/* What follows "key:" or "-", to the end of the line and, for a block, the lines after it. */
static void write_value(writer *w, const bp__tree *t, int indent, bool item, int depth) {
    if (!is_container(t) || goes_on_one_line(t)) {
        bp__buffer_text(&w->b, " ");
        write_flow(w, t, depth);
        write_comment(w, t);
        bp__buffer_text(&w->b, "\n");
        return;
    }
    if (item && t->comment == NULL) { /* "- key: value": the first entry stands behind the dash */
        bp__buffer_text(&w->b, " ");
        write_block(w, t, indent, true, depth);
        return;
    }
    write_comment(w, t);
    bp__buffer_text(&w->b, "\n");
    write_block(w, t, indent, false, depth);
}

/* `started`: the first entry's indentation is on the line already. */
static void write_block(writer *w, const bp__tree *t, int indent, bool started, int depth) {
    if (depth > BP__TREE_DEPTH) {
        w->deep = true;
        return;
    }
    for (const bp__tree *c = t->child; c != NULL; c = c->next) {
        if (!started || c != t->child) write_indent(w, indent);
        if (t->kind == BP__LIST) {
            bp__buffer_text(&w->b, "-");
            write_value(w, c, indent + 1, true, depth + 1);
            continue;
        }
        if (is_long_key(c)) {
            bp__buffer_text(&w->b, "? ");
            write_text(w, c->key);
            bp__buffer_text(&w->b, "\n");
            write_indent(w, indent);
        } else {
            write_text(w, c->key);
        }
        bp__buffer_text(&w->b, ":");
        write_value(w, c, indent + 1, false, depth + 1);
    }
}

bp_status bp__yaml_write(bp_context *ctx, const bp__tree *tree, char **out) {
    *out = NULL;
    writer w = {0};
    bp__buffer_init(&w.b, ctx);
    if (!is_container(tree) || goes_on_one_line(tree)) {
        write_flow(&w, tree, 1);
        write_comment(&w, tree);
        bp__buffer_text(&w.b, "\n");
    } else {
        write_block(&w, tree, 0, false, 1);
    }
    if (w.broken != NULL || w.deep) {
        bp__buffer_free(&w.b);
        if (w.deep)
            return bp__fail(ctx, BP_INVALID, "a configuration nested more than %d deep cannot be written", BP__TREE_DEPTH);
        return bp__fail_at(ctx, BP_INVALID, (bp__where){.code = "not_utf8", .hint = "rename the file or column to UTF-8"},
                           "the text '%s' is not UTF-8, so it cannot stand in a configuration", bp__show(w.broken).text);
    }
    return bp__buffer_take(&w.b, out);
}
