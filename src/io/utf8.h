/* Small helpers for text that goes into files and into sentences. */
#ifndef BP__IO_UTF8_H
#define BP__IO_UTF8_H
#include "core/core.h"

/* One code point of UTF-8 at s[0 … n-1]: its length in bytes (1 to 4) with *code set, or 0 where the bytes are not UTF-8
   (overlong forms, surrogates and values above U+10FFFF are not). n must be at least 1. */
int bp__utf8_next(const char *s, size_t n, uint32_t *code);
bool bp__utf8_valid(const char *s, size_t n);

/* A piece of foreign text made fit for a sentence: cut to about 60 bytes with "…", control characters and broken bytes
   shown as '?'. */
typedef struct bp__shown {
    char text[80];
} bp__shown;
bp__shown bp__show_n(const char *s, size_t n);
bp__shown bp__show(const char *s);

/* What a system call's error number means, in the words of the C locale's strerror. */
bp__shown bp__show_errno(int number);

/* Appends s as a double-quoted string that is read alike by JSON and by YAML 1.1 and 1.2. Broken bytes become U+FFFD. */
void bp__buffer_quoted(bp__buffer *b, const char *s);

#endif
