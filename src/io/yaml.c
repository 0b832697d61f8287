#include "io/yaml.h"

#include "io/files.h"
#include "io/json.h"
#include "io/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A list or mapping that is still open. */
typedef struct frame {
    bp__tree *node;
    bp__tree **tail; /* where its next child goes */
    char *key;       /* of the next value in a mapping; NULL: a key comes next */
} frame;

typedef struct reader {
    bp_context *ctx;
    const char *file; /* or NULL */
    const char *what; /* a flag's value: named instead of file and line */
    yaml_parser_t parser;
    frame frames[BP__TREE_DEPTH];
    int depth;
    bp__tree *root;
    int n_documents;
    const char *text;
    size_t n;
} reader;

static bp_status fail_line(reader *r, size_t line, const char *hint, const char *problem) {
    if (r->what != NULL) {
        return bp__fail_at(r->ctx, BP_CONFIG, (bp__where){.code = "bad_value", .hint = hint}, "the value of %s is wrong: %s",
                           r->what, problem);
    }
    return bp__fail_at(r->ctx, BP_CONFIG, (bp__where){.code = "bad_yaml", .file = r->file, .line = (int64_t)line, .hint = hint},
                       "%s", problem);
}

static bp_status fail_named(reader *r, size_t line, const char *hint, const char *before, const char *name, const char *after) {
    bp__buffer b;
    bp__buffer_init(&b, r->ctx);
    bp__buffer_printf(&b, "%s'%s'%s", before, bp__show(name).text, after);
    bp_status status = b.failed ? bp__out_of_memory(r->ctx, 100) : fail_line(r, line, hint, b.data);
    bp__buffer_free(&b);
    return status;
}

/* libyaml follows YAML 1.1, where a few JSON texts are malformed: surrogate pairs of escapes, keys of over 1024 bytes. */
static bool is_json(reader *r) {
    size_t i = 0;
    while (i < r->n && (r->text[i] == ' ' || (r->text[i] >= '\t' && r->text[i] <= '\r'))) i++;
    if (i == r->n || (r->text[i] != '{' && r->text[i] != '[')) return false;
    bp__tree *tree;
    if (!bp__json_try(r->ctx, r->text, r->n, &tree)) return false;
    bp__tree_free(r->ctx, r->root);
    r->root = tree;
    return true;
}

/* libyaml's marks count characters. */
static size_t count_characters(const reader *r) {
    size_t count = 0;
    for (size_t i = 0; i < r->n; i++) count += ((unsigned char)r->text[i] & 0xC0u) != 0x80u;
    return count;
}

/* libyaml's own words, which are good, with the likely cause as a hint. */
static bp_status fail_parser(reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (is_json(r)) return BP_OK;
    if (p->error == YAML_MEMORY_ERROR) return bp__out_of_memory(r->ctx, 0);
    const char *problem = p->problem != NULL ? p->problem : "it cannot be read";
    /* What is still open at the end of the text is best sought where it was opened. */
    bool at_end = p->context != NULL && p->problem_mark.index >= count_characters(r);
    size_t line = (at_end ? p->context_mark.line : p->problem_mark.line) + 1;
    const char *hint = "check brackets, quotes and indentation near this line";
    if (p->error == YAML_READER_ERROR) {
        line = 0;
        hint = "save the file as UTF-8 text";
    } else if (strstr(problem, "cannot start any token") != NULL) {
        hint = "indent with spaces, never tabs, and quote text that starts with a special character";
    } else if (strstr(problem, "mapping values are not allowed") != NULL) {
        hint = "quote text that has ': ' in it, and check the indentation";
    }
    bp__buffer b;
    bp__buffer_init(&b, r->ctx);
    bp__buffer_printf(&b, "the YAML is malformed: %s%s%s", p->context != NULL ? p->context : "", p->context != NULL ? ", " : "",
                      problem);
    bp_status status = b.failed ? bp__out_of_memory(r->ctx, 100) : fail_line(r, line, hint, b.data);
    bp__buffer_free(&b);
    return status;
}

/* ---- Building the tree -------------------------------------------------------------------------------------------- */

/* Puts a finished or freshly opened node in its place; frees it on failure. */
static bp_status place(reader *r, bp__tree *node) {
    if (r->depth == 0) {
        r->root = node;
        return BP_OK;
    }
    frame *f = &r->frames[r->depth - 1];
    node->key = f->key;
    f->key = NULL;
    *f->tail = node;
    f->tail = &node->next;
    return BP_OK;
}

static bool wants_key(const reader *r) {
    return r->depth > 0 && r->frames[r->depth - 1].node->kind == BP__MAP && r->frames[r->depth - 1].key == NULL;
}

static bp_status open_node(reader *r, bp__tree_kind kind, bool flow, size_t line) {
    if (wants_key(r))
        return fail_line(r, line, "use a plain word as the key", "a key is a list or mapping, but keys must be scalars");
    if (r->depth == BP__TREE_DEPTH) return fail_line(r, line, NULL, "lists and mappings are nested more than 100 deep");
    bp__tree *node = bp__tree_new(r->ctx, kind);
    if (node == NULL) return bp__out_of_memory(r->ctx, sizeof *node);
    node->line = r->what != NULL ? 0 : (int)line;
    node->flow = flow;
    BP_TRY(place(r, node));
    r->frames[r->depth++] = (frame){node, &node->child, NULL};
    return BP_OK;
}

static int compare_keys(const void *a, const void *b) {
    const bp__tree *x = *(bp__tree *const *)a, *y = *(bp__tree *const *)b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sorting keeps a mapping of a million keys from taking a trillion comparisons. */
static bp_status refuse_duplicates(reader *r, const bp__tree *map) {
    int64_t n = bp__tree_count(map), i = 0;
    if (n < 2) return BP_OK;
    const bp__tree **sorted = bp__alloc(r->ctx, (size_t)n * sizeof *sorted);
    if (sorted == NULL) return bp__out_of_memory(r->ctx, (size_t)n * sizeof *sorted);
    for (const bp__tree *c = map->child; c != NULL; c = c->next) sorted[i++] = c;
    qsort(sorted, (size_t)n, sizeof *sorted, compare_keys);
    const bp__tree *second = NULL;
    for (i = 1; i < n; i++) {
        bool twice = strcmp(sorted[i - 1]->key, sorted[i]->key) == 0;
        if (twice && (second == NULL || sorted[i]->line < second->line)) second = sorted[i];
    }
    bp__free(r->ctx, sorted);
    if (second == NULL) return BP_OK;
    return fail_named(r, (size_t)second->line, "keep one of the two", "the key ", second->key, " appears twice in this mapping");
}

static bp_status close_node(reader *r) {
    bp__tree *node = r->frames[--r->depth].node;
    return node->kind == BP__MAP ? refuse_duplicates(r, node) : BP_OK;
}

static bp_status take_key(reader *r, const char *text, size_t n, bool plain, size_t line) {
    if (plain && n == 2 && memcmp(text, "<<", 2) == 0)
        return fail_line(r, line, "write the merged keys out", "merge keys (<<) are not supported");
    if (plain && n == 0) return fail_line(r, line, "write a name before the ':'", "a key is missing before ':'");
    char *key = bp__strdup(r->ctx, text);
    if (key == NULL) return bp__out_of_memory(r->ctx, n + 1);
    r->frames[r->depth - 1].key = key;
    return BP_OK;
}

static bp_status take_scalar(reader *r, const yaml_event_t *e) {
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length, line = e->start_mark.line + 1;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (memchr(text, '\0', n) != NULL) return fail_line(r, line, "leave it out", "a text contains a NUL character");
    if (wants_key(r)) return take_key(r, text, n, plain, line);
    bp__tree *node = bp__tree_new(r->ctx, BP__TEXT);
    char *copy = bp__strdup(r->ctx, text);
    if (node == NULL || copy == NULL) {
        bp__tree_free(r->ctx, node);
        bp__free(r->ctx, copy);
        return bp__out_of_memory(r->ctx, sizeof *node + n);
    }
    node->text = copy;
    node->line = r->what != NULL ? 0 : (int)line;
    if (plain) bp__scalar_resolve(node, text, n);
    return place(r, node);
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

static bp_status refuse_extras(reader *r, const yaml_event_t *e) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    size_t line = e->start_mark.line + 1;
    if (e->type == YAML_ALIAS_EVENT) {
        return fail_named(r, line, "write the value out, or quote text that starts with '*'",
                          "aliases are not supported: ", (const char *)e->data.alias.anchor, "");
    }
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor != NULL) {
        return fail_named(r, line, "write the value out, or quote text that starts with '&'",
                          "anchors are not supported: ", (const char *)anchor, "");
    }
    if (tag != NULL) {
        return fail_named(r, line, "leave the tag out, or quote text that starts with '!'",
                          "tags are not supported: ", (const char *)tag, "");
    }
    return BP_OK;
}

static bp_status take_event(reader *r, const yaml_event_t *e) {
    size_t line = e->start_mark.line + 1;
    BP_TRY(refuse_extras(r, e));
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->n_documents > 1)
            return fail_line(r, line, "keep one document, without a second '---'", "the file has more than one document");
        if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
            return fail_line(r, line, "leave the %TAG line out", "tags are not supported");
        return BP_OK;
    case YAML_SCALAR_EVENT: return take_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT: return open_node(r, BP__LIST, e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, line);
    case YAML_MAPPING_START_EVENT: return open_node(r, BP__MAP, e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_node(r);
    default: return BP_OK;
    }
}

static bp_status read_events(reader *r) {
    for (;;) {
        yaml_event_t e;
        if (yaml_parser_parse(&r->parser, &e) == 0) return fail_parser(r);
        yaml_event_type_t type = e.type;
        bp_status status = take_event(r, &e);
        yaml_event_delete(&e);
        if (status != BP_OK || type == YAML_STREAM_END_EVENT) return status;
    }
}

/* The words `null` and `~` are null; nothing at all is what `empty` says. */
static bp_status finish(reader *r, bp__tree_kind empty) {
    bool nothing = r->root == NULL || (r->root->kind == BP__NULL && r->root->text != NULL && r->root->text[0] == '\0');
    if (!nothing) return BP_OK;
    bp__tree_free(r->ctx, r->root);
    r->root = bp__tree_new(r->ctx, empty);
    return r->root != NULL ? BP_OK : bp__out_of_memory(r->ctx, sizeof *r->root);
}

static bp_status parse(bp_context *ctx, const char *text, size_t n, const char *file, const char *what, bp__tree **out) {
    *out = NULL;
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte-order mark, as editors on Windows leave it */
        text += 3;
        n -= 3;
    }
    reader *r = bp__zalloc(ctx, sizeof *r);
    if (r == NULL) return bp__out_of_memory(ctx, sizeof *r);
    r->ctx = ctx;
    r->text = text;
    r->n = n;
    r->file = file;
    r->what = what;
    if (yaml_parser_initialize(&r->parser) == 0) {
        bp__free(ctx, r);
        return bp__out_of_memory(ctx, sizeof r->parser);
    }
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, n);
    bp_status status = read_events(r);
    if (status == BP_OK) status = finish(r, what != NULL ? BP__NULL : BP__MAP);
    for (int i = 0; i < r->depth; i++) bp__free(ctx, r->frames[i].key);
    if (status == BP_OK)
        *out = r->root;
    else
        bp__tree_free(ctx, r->root);
    yaml_parser_delete(&r->parser);
    bp__free(ctx, r);
    return status;
}

bp_status bp__yaml_parse(bp_context *ctx, const char *text, size_t n, const char *file, bp__tree **out) {
    return parse(ctx, text, n, file, NULL, out);
}

bp_status bp__yaml_parse_value(bp_context *ctx, const char *text, size_t n, const char *what, bp__tree **out) {
    return parse(ctx, text, n, NULL, what, out);
}

bp_status bp__yaml_parse_file(bp_context *ctx, const char *path, bp__tree **out) {
    char *text;
    size_t n;
    *out = NULL;
    BP_TRY(bp__file_read_all(ctx, path, BP__YAML_LIMIT, &text, &n));
    bp_status status = bp__yaml_parse(ctx, text, n, path, out);
    bp__free(ctx, text);
    return status;
}
