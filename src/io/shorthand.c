#include "io/shorthand.h"

#include "io/utf8.h"
#include "io/yaml.h"

#include <string.h>

/* A stretch of the text. */
typedef struct span {
    const char *s;
    size_t n;
} span;

typedef struct source {
    bp_context *ctx;
    const char *flag;
} source;

static bp_status fail_here(const source *src, const char *hint, const char *problem, span at) {
    return bp__fail_at(src->ctx, BP_CONFIG, (bp__where){.code = "bad_value", .hint = hint}, "%s: %s '%s'", src->flag, problem,
                       bp__show_n(at.s, at.n).text);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static span trim(span x) {
    while (x.n > 0 && is_space(x.s[0])) {
        x.s++;
        x.n--;
    }
    while (x.n > 0 && is_space(x.s[x.n - 1])) x.n--;
    return x;
}

static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* The length of the piece up to the first comma (or, with `spaces`, white space) outside quotes and brackets. */
static bp_status piece_length(const source *src, span x, bool spaces, size_t *length) {
    int depth = 0;
    char quote = '\0';
    size_t i = 0;
    for (; i < x.n; i++) {
        char c = x.s[i];
        if (quote != '\0') {
            if (c == '\\' && quote == '"')
                i++;
            else if (c == quote)
                quote = '\0';
        } else if ((c == '"' || c == '\'') && (i == 0 || is_space(x.s[i - 1]) || strchr("=[{,:", x.s[i - 1]) != NULL)) {
            quote = c; /* an apostrophe within a word is none */
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            if (--depth < 0) return fail_here(src, "check the brackets", "a bracket closes that was never opened in", x);
        } else if (depth == 0 && (spaces ? is_space(c) : c == ',')) {
            break;
        }
    }
    if (quote != '\0') return fail_here(src, "close the quote", "a quote is never closed in", x);
    if (depth != 0) return fail_here(src, "close the bracket", "a bracket is never closed in", x);
    *length = BP__MIN(i, x.n);
    return BP_OK;
}

static bp_status parse_value(const source *src, span value, const char *of, size_t of_n, bp__tree **out) {
    bp__buffer what;
    bp__buffer_init(&what, src->ctx);
    bp__buffer_printf(&what, "'%s' in %s", bp__show_n(of, of_n).text, src->flag);
    bp_status status =
        what.failed ? bp__out_of_memory(src->ctx, of_n) : bp__yaml_parse_value(src->ctx, value.s, value.n, what.data, out);
    bp__buffer_free(&what);
    return status;
}

static bp_status put_span(bp_context *ctx, bp__tree *map, span key, bp__tree *value) {
    char *name = bp__alloc(ctx, key.n + 1);
    if (name == NULL) {
        bp__tree_free(ctx, value);
        return bp__out_of_memory(ctx, key.n + 1);
    }
    memcpy(name, key.s, key.n);
    name[key.n] = '\0';
    bp_status status = bp__tree_put(ctx, map, name, value);
    bp__free(ctx, name);
    return status;
}

static bool has_key(const bp__tree *map, span key) {
    for (const bp__tree *c = map->child; c != NULL; c = c->next)
        if (strlen(c->key) == key.n && memcmp(c->key, key.s, key.n) == 0) return true;
    return false;
}

static bool stands_beside(span key) {
    return (key.n == 4 && (memcmp(key.s, "name", 4) == 0 || memcmp(key.s, "from", 4) == 0)) ||
           (key.n == 6 && memcmp(key.s, "freeze", 6) == 0);
}

/* One word after the name: `key=value` or the main parameter. */
static bp_status take_word(const source *src, span word, span name, bool layer, bp__tree *options, bp__tree *beside) {
    size_t k = 0;
    while (k < word.n && is_name_char(word.s[k])) k++;
    bp__tree *value;
    if (k > 0 && k < word.n && word.s[k] == '=') {
        span key = {word.s, k}, text = {word.s + k + 1, word.n - k - 1};
        if (text.n == 0) return fail_here(src, "write key=value without spaces", "there is no value after", word);
        if (text.s[text.n - 1] == ',') return fail_here(src, "separate options by spaces", "a comma follows the option", word);
        bp__tree *map = layer && stands_beside(key) ? beside : options;
        if (has_key(map, key)) return fail_here(src, "keep one of the two", "an option is given twice:", key);
        BP_TRY(parse_value(src, text, key.s, key.n, &value));
        return put_span(src->ctx, map, key, value);
    }
    if (word.s[0] == '=') return fail_here(src, "write key=value without spaces", "there is no key before", word);
    if (has_key(options, (span){"", 0}))
        return fail_here(src, "give further parameters as key=value, lists in brackets",
                         "there is a second value without a key:", word);
    if (word.s[word.n - 1] == ',') return fail_here(src, "separate options by spaces", "a comma follows the value", word);
    BP_TRY(parse_value(src, word, name.s, name.n, &value));
    return put_span(src->ctx, options, (span){"", 0}, value);
}

/* Makes {name: options, …beside} of the collected parts, in the shortest of the equal forms. Takes both trees. */
static bp_status assemble(bp_context *ctx, span name, bp__tree *options, bp__tree *beside, bp__tree **out) {
    bp__tree *value = options, *map = beside;
    if (options->child == NULL && beside->child == NULL) {
        bp__tree_free(ctx, beside);
        options->kind = BP__TEXT;
        options->text = bp__alloc(ctx, name.n + 1);
        if (options->text == NULL) {
            bp__tree_free(ctx, options);
            return bp__out_of_memory(ctx, name.n + 1);
        }
        memcpy(options->text, name.s, name.n);
        options->text[name.n] = '\0';
        *out = options;
        return BP_OK;
    }
    if (options->child != NULL && options->child->next == NULL && options->child->key[0] == '\0') {
        value = options->child; /* the main parameter alone */
        options->child = NULL;
        bp__tree_free(ctx, options);
    }
    value->flow = true;
    /* The name comes first, as one would write it. */
    bp__tree *rest = map->child;
    map->child = NULL;
    bp_status status = put_span(ctx, map, name, value);
    if (status == BP_OK)
        map->child->next = rest;
    else
        map->child = rest;
    if (status != BP_OK)
        bp__tree_free(ctx, map);
    else
        *out = map;
    return status;
}

static bp_status parse_choice(const source *src, span text, bool layer, bp__tree **out) {
    *out = NULL;
    text = trim(text);
    if (text.n == 0) return fail_here(src, "write a name such as 'relu' or 'sgd lr=0.1'", "a name is missing in", text);
    if (text.s[0] == '{' || text.s[0] == '[') return bp__yaml_parse_value(src->ctx, text.s, text.n, src->flag, out);
    size_t length;
    BP_TRY(piece_length(src, text, true, &length));
    span name = {text.s, length}, rest = {text.s + length, text.n - length};
    for (size_t i = 0; i < name.n; i++) {
        if (!is_name_char(name.s[i])) return fail_here(src, "write it as name [main] [key=value …]", "this is no name:", name);
    }
    bp__tree *options = bp__tree_new(src->ctx, BP__MAP), *beside = bp__tree_new(src->ctx, BP__MAP);
    bp_status status = options != NULL && beside != NULL ? BP_OK : bp__out_of_memory(src->ctx, sizeof *options);
    for (rest = trim(rest); status == BP_OK && rest.n > 0; rest = trim(rest)) {
        status = piece_length(src, rest, true, &length);
        if (status != BP_OK) break;
        status = take_word(src, (span){rest.s, length}, name, layer, options, beside);
        rest.s += length;
        rest.n -= length;
    }
    if (status == BP_OK) return assemble(src->ctx, name, options, beside, out);
    bp__tree_free(src->ctx, options);
    bp__tree_free(src->ctx, beside);
    return status;
}

bp_status bp__shorthand_choice(bp_context *ctx, const char *flag, const char *text, bp__tree **out) {
    source src = {ctx, flag};
    span all = {text, strlen(text)};
    *out = NULL;
    size_t length;
    BP_TRY(piece_length(&src, all, false, &length));
    if (length < all.n)
        return fail_here(&src, "separate options by spaces and write lists in brackets, as in betas=[0.9, 0.999]",
                         "a comma is out of place in", all);
    return parse_choice(&src, all, false, out);
}

bp_status bp__shorthand_layers(bp_context *ctx, const char *flag, const char *text, bp__tree **out) {
    source src = {ctx, flag};
    span rest = trim((span){text, strlen(text)});
    *out = NULL;
    if (rest.n > 0 && rest.s[0] == '[') return parse_choice(&src, rest, true, out);
    bp__tree *list = bp__tree_new(ctx, BP__LIST);
    if (list == NULL) return bp__out_of_memory(ctx, sizeof *list);
    bp_status status = BP_OK;
    for (bool more = true; more && status == BP_OK;) {
        size_t length;
        bp__tree *layer;
        status = piece_length(&src, rest, false, &length);
        if (status == BP_OK) status = parse_choice(&src, (span){rest.s, length}, true, &layer);
        if (status == BP_OK) status = bp__tree_append(ctx, list, layer);
        more = status == BP_OK && length < rest.n;
        if (more) rest = (span){rest.s + length + 1, rest.n - length - 1};
    }
    if (status == BP_OK)
        *out = list;
    else
        bp__tree_free(ctx, list);
    return status;
}
