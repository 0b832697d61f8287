/* A parsed configuration: scalars, lists and mappings with the line each came from. Made by src/io/yaml.c (YAML 1.2 core
   schema, JSON is a subset), by flags, and by code; read by every section's owner. */
#ifndef BP__TREE_H
#define BP__TREE_H
#include "core/core.h"

typedef enum bp__tree_kind { BP__NULL, BP__BOOL, BP__INT, BP__FLOAT, BP__TEXT, BP__LIST, BP__MAP } bp__tree_kind;
typedef struct bp__tree bp__tree;
struct bp__tree {
    bp__tree_kind kind;
    bool flow;     /* written on one line when printed */
    int line;      /* from 1; 0: not from a file */
    char *key;     /* owned; in a mapping */
    char *comment; /* owned, or NULL: printed behind the entry as "# …" (why a value was inferred) */
    bool boolean;
    int64_t integer;
    double number;          /* also set for BP__INT */
    char *text;             /* owned; BP__TEXT, and the written form of scalars read from text (or NULL) */
    bp__tree *child, *next; /* children of lists and mappings in order; owned */
};
bp__tree *bp__tree_new(bp_context *ctx, bp__tree_kind kind); /* NULL: out of memory */
void bp__tree_free(
    bp_context *ctx,
    bp__tree *t); /* t, its children and its next siblings are freed by the parent only: t alone with its children */
bp__tree *bp__tree_copy(bp_context *ctx, const bp__tree *t);
bp__tree *bp__tree_get(const bp__tree *map, const char *key); /* NULL when absent or not a mapping */
bp__tree *bp__tree_at(const bp__tree *list, int64_t index);
int64_t bp__tree_count(const bp__tree *t);
bool bp__tree_equal(const bp__tree *a, const bp__tree *b); /* by value; 1 equals 1.0; comments and lines ignored */
/* Puts `value` (owned from now on, also on failure) under `key`, replacing what was there in its place. */
bp_status bp__tree_put(bp_context *ctx, bp__tree *map, const char *key, bp__tree *value);
bp_status bp__tree_append(bp_context *ctx, bp__tree *list, bp__tree *value);
/* What was written, for sentences: the value of a scalar, else its kind. Returns `out`. */
const char *bp__tree_words(const bp__tree *t, char *out, size_t size);
bp__tree *bp__tree_text(bp_context *ctx, const char *s);
bp__tree *bp__tree_int(bp_context *ctx, int64_t v);
bp__tree *bp__tree_number(bp_context *ctx, double v);
bp__tree *bp__tree_bool(bp_context *ctx, bool v);
#endif
