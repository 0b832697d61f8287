/* SHA-256 through libmd, as lower-case hexadecimal text. */
#ifndef BP__IO_SHA256_H
#define BP__IO_SHA256_H
#include "core/core.h"

#define BP__SHA256_HEX 65 /* bytes of the text with its NUL */
void bp__sha256_hex(const void *data, size_t n, char out[BP__SHA256_HEX]);
/* Of a file's content, read in pieces. */
bp_status bp__sha256_file(bp_context *ctx, const char *path, char out[BP__SHA256_HEX]);

/* A hash that is fed piece by piece; made by _new, which is NULL when out of memory. _end gives the text and frees it. */
typedef struct bp__sha256 bp__sha256;
bp__sha256 *bp__sha256_new(bp_context *ctx);
void bp__sha256_add(bp__sha256 *h, const void *data, size_t n);
void bp__sha256_end(bp__sha256 *h, char out[BP__SHA256_HEX]);

#endif
