#include "io/json.h"

#include "io/files.h"
#include "io/utf8.h"
#include "io/yaml.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* ---- Reading ------------------------------------------------------------------------------------------------------ */

typedef enum outcome { DONE, NO_MEMORY, TOO_DEEP } outcome;

static outcome convert(bp_context *ctx, const json_t *j, int depth, bp__tree **out);

/* Appends the converted `j` at *tail, under `key` where that is not NULL. */
static outcome convert_child(bp_context *ctx, const json_t *j, const char *key, int depth, bp__tree ***tail) {
    bp__tree *child;
    outcome o = convert(ctx, j, depth, &child);
    if (o != DONE) return o;
    **tail = child;
    *tail = &child->next;
    if (key == NULL) return DONE;
    child->key = bp__strdup(ctx, key);
    return child->key != NULL ? DONE : NO_MEMORY;
}

static outcome convert_children(bp_context *ctx, const json_t *j, int depth, bp__tree *t) {
    bp__tree **tail = &t->child;
    outcome o = depth > BP__TREE_DEPTH ? TOO_DEEP : DONE;
    if (json_is_array(j)) {
        size_t n = json_array_size(j);
        for (size_t i = 0; i < n && o == DONE; i++) o = convert_child(ctx, json_array_get(j, i), NULL, depth + 1, &tail);
        return o;
    }
    /* jansson iterates in the order of the text; it takes no pointer to const, but changes nothing. */
    json_t *object = (json_t *)(uintptr_t)j;
    for (void *it = json_object_iter(object); it != NULL && o == DONE; it = json_object_iter_next(object, it))
        o = convert_child(ctx, json_object_iter_value(it), json_object_iter_key(it), depth + 1, &tail);
    return o;
}

static outcome convert(bp_context *ctx, const json_t *j, int depth, bp__tree **out) {
    bp__tree *t = bp__tree_new(ctx, BP__NULL);
    outcome o = DONE;
    *out = NULL;
    if (t == NULL) return NO_MEMORY;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        t->kind = json_is_object(j) ? BP__MAP : BP__LIST;
        o = convert_children(ctx, j, depth, t);
        break;
    case JSON_STRING:
        t->kind = BP__TEXT;
        t->text = bp__strdup(ctx, json_string_value(j));
        if (t->text == NULL) o = NO_MEMORY;
        break;
    case JSON_INTEGER:
        t->kind = BP__INT;
        t->integer = (int64_t)json_integer_value(j);
        t->number = (double)t->integer;
        break;
    case JSON_REAL:
        t->kind = BP__FLOAT;
        t->number = json_real_value(j);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        t->kind = BP__BOOL;
        t->boolean = json_is_true(j);
        break;
    default: break;
    }
    if (o == DONE)
        *out = t;
    else
        bp__tree_free(ctx, t);
    return o;
}

static const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;

bool bp__json_try(bp_context *ctx, const char *text, size_t n, bp__tree **out) {
    *out = NULL;
    json_t *j = json_loadb(text, n, flags, NULL);
    if (j == NULL) return false;
    outcome o = convert(ctx, j, 1, out);
    json_decref(j);
    return o == DONE;
}

bp_status bp__json_parse(bp_context *ctx, const char *text, size_t n, const char *file, bp__tree **out) {
    *out = NULL;
    json_error_t error;
    json_t *j = json_loadb(text, n, flags, &error);
    if (j == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory) return bp__out_of_memory(ctx, n);
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "bad_json", .file = file, .line = BP__MAX(error.line, 0)},
                           "the JSON is malformed: %s", bp__show(error.text).text);
    }
    outcome o = convert(ctx, j, 1, out);
    json_decref(j);
    if (o == NO_MEMORY) return bp__out_of_memory(ctx, n);
    if (o == TOO_DEEP)
        return bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "bad_json", .file = file}, "the JSON is nested more than %d deep",
                           BP__TREE_DEPTH);
    return BP_OK;
}

bp_status bp__json_parse_file(bp_context *ctx, const char *path, size_t limit, bp__tree **out) {
    char *text;
    size_t n;
    *out = NULL;
    BP_TRY(bp__file_read_all(ctx, path, limit, &text, &n));
    bp_status status = bp__json_parse(ctx, text, n, path, out);
    bp__free(ctx, text);
    return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static void add_line(bp__buffer *b, int indent, int level) {
    if (indent == 0) return;
    bp__buffer_text(b, "\n");
    for (int i = 0; i < indent * level; i++) bp__buffer_text(b, " ");
}

static void add_number(bp__buffer *b, double v) {
    if (!isfinite(v)) {
        bp__buffer_text(b, "null");
        return;
    }
    char text[64];
    (void)bp__format_f64(text, v);
    bp__buffer_text(b, text);
    if (strpbrk(text, ".eE") == NULL) bp__buffer_text(b, ".0"); /* stays a float for whoever reads it */
}

static void add(bp__buffer *b, const bp__tree *t, int indent, int level) {
    switch (t->kind) {
    case BP__NULL: bp__buffer_text(b, "null"); return;
    case BP__BOOL: bp__buffer_text(b, t->boolean ? "true" : "false"); return;
    case BP__INT: bp__buffer_printf(b, "%lld", (long long)t->integer); return;
    case BP__FLOAT: add_number(b, t->number); return;
    case BP__TEXT: bp__buffer_quoted(b, t->text != NULL ? t->text : ""); return;
    default: break;
    }
    bool map = t->kind == BP__MAP;
    bp__buffer_text(b, map ? "{" : "[");
    for (const bp__tree *c = t->child; c != NULL; c = c->next) {
        if (c != t->child) bp__buffer_text(b, ",");
        add_line(b, indent, level + 1);
        if (map) {
            bp__buffer_quoted(b, c->key != NULL ? c->key : "");
            bp__buffer_text(b, indent == 0 ? ":" : ": ");
        }
        add(b, c, indent, level + 1);
    }
    if (t->child != NULL) add_line(b, indent, level);
    bp__buffer_text(b, map ? "}" : "]");
}

void bp__json_add(bp__buffer *b, const bp__tree *tree, int indent) { add(b, tree, indent, 0); }

bp_status bp__json_write(bp_context *ctx, const bp__tree *tree, int indent, char **out) {
    bp__buffer b;
    *out = NULL;
    bp__buffer_init(&b, ctx);
    bp__json_add(&b, tree, indent);
    return bp__buffer_take(&b, out);
}
