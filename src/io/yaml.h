/* YAML ↔ trees. Reading: scalars by YAML 1.2's core schema (`1e-3` is a number, `yes` is text, quoted is always text), JSON
   is a subset. Anchors, aliases, tags, merge keys, duplicate keys and several documents are errors with their line. */
#ifndef BP__IO_YAML_H
#define BP__IO_YAML_H
#include "core/tree.h"

#define BP__TREE_DEPTH 100                /* deeper nesting than this is refused, by JSON too */
#define BP__YAML_LIMIT ((size_t)16 << 20) /* bytes of a configuration file */

/* `file` (or NULL) is what the error names. An empty document is an empty mapping. *out is freed with bp__tree_free. */
bp_status bp__yaml_parse(bp_context *ctx, const char *text, size_t n, const char *file, bp__tree **out);
bp_status bp__yaml_parse_file(bp_context *ctx, const char *path, bp__tree **out);
/* A value on the command line, e.g. of `--set KEY=VALUE`: errors say `what` ("--set train.epochs") instead of file and
   line, nodes have line 0, an empty text is null. */
bp_status bp__yaml_parse_value(bp_context *ctx, const char *text, size_t n, const char *what, bp__tree **out);

/* The tree as text that YAML 1.1 and 1.2 readers read alike: mappings in block style, lists of scalars and what is marked
   `flow` on one line, comments behind their entries. Reading it back gives an equal tree. Text that is not UTF-8 is
   BP_INVALID. *out is freed with bp__free. */
bp_status bp__yaml_write(bp_context *ctx, const bp__tree *tree, char **out);

/* Sets kind, boolean, integer and number of `t` from a plain (unquoted) scalar by the core schema; text where it is
   nothing else. Leaves t->text alone. */
void bp__scalar_resolve(bp__tree *t, const char *s, size_t n);

#endif
