/* JSON ↔ trees. */
#ifndef BP__IO_JSON_H
#define BP__IO_JSON_H
#include "core/tree.h"

/* Any JSON value, of checked UTF-8; duplicate names are refused. Errors have `file` (or NULL) and the line. */
bp_status bp__json_parse(bp_context *ctx, const char *text, size_t n, const char *file, bp__tree **out);
bp_status bp__json_parse_file(bp_context *ctx, const char *path, size_t limit, bp__tree **out);
/* The same without a sentence: false (and *out NULL) where it is no JSON. */
bool bp__json_try(bp_context *ctx, const char *text, size_t n, bp__tree **out);

/* Members in the tree's order. indent 0: one line without spaces; else that many spaces a level. No newline at the end.
   Numbers that are not finite become null, broken bytes in texts U+FFFD. */
bp_status bp__json_write(bp_context *ctx, const bp__tree *tree, int indent, char **out);
void bp__json_add(bp__buffer *b, const bp__tree *tree, int indent);

#endif
