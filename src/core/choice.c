/* Reads choices by their tables. */
#include "core/choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bp_status fail(const bp__choice_reader *r, const bp__tree *at, const char *hint, const char *format, va_list args) {
    char text[640];
    vsnprintf(text, sizeof text, format, args);
    bp__where where = {.code = "bad_value", .file = r->file, .line = at ? at->line : 0, .hint = hint};
    return bp__fail_at(r->ctx, BP_CONFIG, where, "%s: %s", r->where, text);
}

bp_status bp__choice_fail(const bp__choice_reader *r, const bp__tree *at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bp_status status = fail(r, at, NULL, format, args);
    va_end(args);
    return status;
}

static bp_status unknown(const bp__choice_reader *r, const bp__tree *at, const char *code, const char *hint, const char *format,
                         ...) BP__PRINTF(5, 6);
static bp_status unknown(const bp__choice_reader *r, const bp__tree *at, const char *code, const char *hint, const char *format,
                         ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bp__where where = {.code = code, .file = r->file, .line = at ? at->line : 0, .hint = hint};
    return bp__fail_at(r->ctx, BP_CONFIG, where, "%s: %s", r->where, text);
}

static bool among(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *s = words; *s != '\0';) {
        size_t k = strcspn(s, "|");
        if (k == n && strncmp(s, word, n) == 0) return true;
        s += k;
        if (*s == '|') s++;
    }
    return false;
}

/* Is v inside the key's bounds? */
static bool inside(const bp__key *key, double v) {
    if (key->low == key->high) return true;
    return (key->open_low ? v > key->low : v >= key->low) &&
           (key->closed || key->high == HUGE_VAL ? v <= key->high : v < key->high);
}

static void bounds_text(const bp__key *key, char *out, size_t size) {
    char low[32], high[32];
    bp__format_f64(low, key->low);
    bp__format_f64(high, key->high);
    if (key->high == HUGE_VAL)
        snprintf(out, size, key->open_low ? "above %s" : "at least %s", low);
    else
        snprintf(out, size, "%s %s and %s %s", key->open_low ? "above" : "at least", low, key->closed ? "at most" : "below",
                 high);
}

static bp_status read_number(const bp__choice_reader *r, const bp__key *key, const bp__tree *t, double *out) {
    char value[96], bounds[96];
    if (t->kind != BP__INT && t->kind != BP__FLOAT)
        return bp__choice_fail(r, t, "`%s` must be a number, not %s", key->name, bp__tree_words(t, value, sizeof value));
    if (!isfinite(t->number))
        return bp__choice_fail(r, t, "`%s` must be a finite number, not %s", key->name, bp__tree_words(t, value, sizeof value));
    bounds_text(key, bounds, sizeof bounds);
    if (!inside(key, t->number))
        return bp__choice_fail(r, t, "`%s` must be %s, not %s", key->name, bounds, bp__tree_words(t, value, sizeof value));
    *out = t->number;
    return BP_OK;
}

static bp_status read_int(const bp__choice_reader *r, const bp__key *key, const bp__tree *t, int64_t *out) {
    char value[96], bounds[96];
    if (t->kind != BP__INT)
        return bp__choice_fail(r, t, "`%s` must be a whole number, not %s", key->name, bp__tree_words(t, value, sizeof value));
    bounds_text(key, bounds, sizeof bounds);
    if (!inside(key, (double)t->integer))
        return bp__choice_fail(r, t, "`%s` must be %s, not %s", key->name, bounds, bp__tree_words(t, value, sizeof value));
    *out = t->integer;
    return BP_OK;
}

/* A list of two numbers, or of three. */
static bp_status read_numbers(const bp__choice_reader *r, const bp__key *key, const bp__tree *t, bp__option *o) {
    char value[96], name[64];
    int n = key->type == BP__KEY_TRIPLE ? 3 : 2;
    if (t->kind != BP__LIST || bp__tree_count(t) != n)
        return bp__choice_fail(r, t, "`%s` must be a list of %s numbers, not %s", key->name, n == 3 ? "three" : "two",
                               bp__tree_words(t, value, sizeof value));
    double v[3] = {0, 0, 0};
    for (int i = 0; i < n; i++) {
        bp__key part = *key;
        snprintf(name, sizeof name, "%s[%d]", key->name, i);
        part.name = name;
        BP_TRY(read_number(r, &part, bp__tree_at(t, i), &v[i]));
    }
    o->number = v[0];
    o->number2 = v[1];
    o->number3 = v[2];
    return BP_OK;
}

static bp_status read_text(const bp__choice_reader *r, const bp__key *key, const bp__tree *t, const char **out) {
    char value[96], words[160];
    if (t->kind != BP__TEXT)
        return bp__choice_fail(r, t, "`%s` must be text, not %s", key->name, bp__tree_words(t, value, sizeof value));
    if (key->words && !among(key->words, t->text)) {
        size_t n = 0;
        for (const char *s = key->words; *s != '\0' && n + 4 < sizeof words; s++)
            n += (size_t)snprintf(words + n, sizeof words - n, *s == '|' ? ", " : "%c", *s);
        return bp__choice_fail(r, t, "`%s` must be one of %s, not %s", key->name, words, bp__tree_words(t, value, sizeof value));
    }
    *out = t->text;
    return BP_OK;
}

static bp_status read_option(const bp__choice_reader *r, const bp__key *key, const bp__tree *t, bp__option *o) {
    if (t->kind == BP__NULL && !key->required) return BP_OK; /* null: the default */
    char value[96];
    o->given = true;
    o->tree = t;
    switch (key->type) {
    case BP__KEY_INT: BP_TRY(read_int(r, key, t, &o->integer)); break;
    case BP__KEY_NUMBER: BP_TRY(read_number(r, key, t, &o->number)); break;
    case BP__KEY_BOOL:
        if (t->kind != BP__BOOL)
            return bp__choice_fail(r, t, "`%s` must be true or false, not %s", key->name, bp__tree_words(t, value, sizeof value));
        o->boolean = t->boolean;
        break;
    case BP__KEY_TEXT: BP_TRY(read_text(r, key, t, &o->text)); break;
    case BP__KEY_PAIR:
    case BP__KEY_TRIPLE: BP_TRY(read_numbers(r, key, t, o)); break;
    case BP__KEY_INTS:
        if (t->kind != BP__LIST)
            return bp__choice_fail(r, t, "`%s` must be a list of whole numbers, not %s", key->name,
                                   bp__tree_words(t, value, sizeof value));
        for (const bp__tree *c = t->child; c; c = c->next) {
            int64_t v = 0;
            BP_TRY(read_int(r, key, c, &v));
        }
        break;
    case BP__KEY_TREE: break;
    }
    return BP_OK;
}

static int key_index(const bp__kind *kind, const char *name) {
    if (name[0] == '\0' && kind->main) name = kind->main; /* the shorthand's main value beside options */
    for (int i = 0; i < kind->n_keys; i++)
        if (strcmp(kind->keys[i].name, name) == 0) return i;
    return -1;
}

static bp_status unknown_key(const bp__choice_reader *r, const bp__kind *kind, const bp__tree *at) {
    const char *names[BP__CHOICE_KEYS];
    for (int i = 0; i < kind->n_keys; i++) names[i] = kind->keys[i].name;
    if (at->key[0] == '\0') return bp__choice_fail(r, at, "`%s` takes no value without a name", kind->name);
    if (kind->n_keys == 0) return unknown(r, at, "unknown_key", NULL, "`%s` takes no options, so not `%s`", kind->name, at->key);
    char hint[200];
    return unknown(r, at, "unknown_key", bp__name_hint(hint, sizeof hint, at->key, names, kind->n_keys),
                   "`%s` has no option `%s`", kind->name, at->key);
}

static bp_status read_options(const bp__choice_reader *r, const bp__tree *value, const bp__tree *at, bp__choice *out) {
    const bp__kind *kind = out->kind;
    for (int i = 0; i < kind->n_keys; i++) {
        const bp__key *k = &kind->keys[i];
        out->options[i] = (bp__option){.number = k->standard,
                                       .number2 = k->standard2,
                                       .number3 = k->standard3,
                                       .integer = (int64_t)k->standard,
                                       .boolean = k->standard != 0,
                                       .text = k->standard_text};
    }
    if (value && value->kind == BP__MAP) {
        for (const bp__tree *c = value->child; c; c = c->next) {
            int i = key_index(kind, c->key);
            for (const char *const *a = r->aliases; i < 0 && a && *a; a += 2)
                if (strcmp(a[0], c->key) == 0) i = key_index(kind, a[1]);
            if (i < 0) return unknown_key(r, kind, c);
            if (out->options[i].given) return bp__choice_fail(r, c, "`%s` is given twice", kind->keys[i].name);
            BP_TRY(read_option(r, &kind->keys[i], c, &out->options[i]));
        }
    } else if (value && value->kind != BP__NULL) {
        if (!kind->main)
            return bp__choice_fail(
                r, value, kind->n_keys > 0 ? "`%s` has no short form: write its options by name" : "`%s` takes no options",
                kind->name);
        int i = key_index(kind, kind->main);
        BP_TRY(read_option(r, &kind->keys[i], value, &out->options[i]));
    }
    for (int i = 0; i < kind->n_keys; i++)
        if (kind->keys[i].required && !out->options[i].given)
            return bp__choice_fail(r, at, "`%s` needs `%s`", kind->name, kind->keys[i].name);
    return BP_OK;
}

static bool is_beside(const bp__choice_reader *r, const char *key) {
    for (const char *const *b = r->beside; b && *b; b++)
        if (strcmp(*b, key) == 0) return true;
    return false;
}

/* The entry of a mapping that is the choice itself. */
static bp_status find_name(const bp__choice_reader *r, const bp__tree *tree, const bp__tree **entry) {
    const bp__tree *found = NULL;
    for (const bp__tree *c = tree->child; c; c = c->next) {
        if (is_beside(r, c->key)) continue;
        if (found)
            return bp__choice_fail(r, c, "one %s has one name, here are two: `%s` and `%s`; options go inside, as in {%s: {…}}",
                                   r->what, found->key, c->key, found->key);
        found = c;
    }
    if (!found) return bp__choice_fail(r, tree, "the name of the %s is missing", r->what);
    *entry = found;
    return BP_OK;
}

static bp_status find_kind(const bp__choice_reader *r, const char *name, const bp__tree *at, bp__choice *out) {
    for (int64_t i = 0; i < r->n_kinds; i++)
        if (strcmp(r->kinds[i].name, name) == 0) {
            out->kind = &r->kinds[i];
            out->index = (int)i;
            return BP_OK;
        }
    const char **names = bp__alloc(r->ctx, sizeof *names * (size_t)(r->n_kinds + 1));
    if (!names) return bp__out_of_memory(r->ctx, 0);
    for (int64_t i = 0; i < r->n_kinds; i++) names[i] = r->kinds[i].name;
    char code[48], hint[240];
    snprintf(code, sizeof code, "unknown_%s", r->what);
    bp_status status =
        unknown(r, at, code, bp__name_hint(hint, sizeof hint, name, names, r->n_kinds), "there is no %s `%.80s`", r->what, name);
    bp__free(r->ctx, names);
    return status;
}

bp_status bp__choice_read(const bp__choice_reader *r, const bp__tree *tree, bp__choice *out) {
    char value[96];
    *out = (bp__choice){.file = r->file, .line = tree->line};
    const bp__tree *entry = tree;
    if (tree->kind == BP__TEXT) {
        BP_TRY(find_kind(r, tree->text, tree, out));
        return read_options(r, NULL, tree, out);
    }
    if (tree->kind != BP__MAP)
        return bp__choice_fail(r, tree, "expected one %s, a name or a mapping with one name, not %s", r->what,
                               bp__tree_words(tree, value, sizeof value));
    BP_TRY(find_name(r, tree, &entry));
    if (entry->line > 0) out->line = entry->line;
    BP_TRY(find_kind(r, entry->key, entry, out));
    return read_options(r, entry, entry, out);
}

const bp__option *bp__choice_option(const bp__choice *c, const char *key) {
    static const bp__option none = {0};
    int i = key_index(c->kind, key);
    return i >= 0 ? &c->options[i] : &none;
}
