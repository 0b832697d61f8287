#include "io/utf8.h"

#include <string.h>

int bp__utf8_next(const char *s, size_t n, uint32_t *code) {
    const unsigned char *u = (const unsigned char *)s;
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    int length;
    uint32_t c;
    if (u[0] < 0x80) {
        *code = u[0];
        return 1;
    }
    if (u[0] >= 0xC2 && u[0] <= 0xDF) {
        length = 2;
        c = u[0] & 0x1Fu;
    } else if ((u[0] & 0xF0u) == 0xE0u) {
        length = 3;
        c = u[0] & 0x0Fu;
    } else if (u[0] >= 0xF0 && u[0] <= 0xF4) {
        length = 4;
        c = u[0] & 0x07u;
    } else {
        return 0;
    }
    if ((size_t)length > n) return 0;
    for (int i = 1; i < length; i++) {
        if ((u[i] & 0xC0u) != 0x80u) return 0;
        c = (c << 6) | (u[i] & 0x3Fu);
    }
    if (c < smallest[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *code = c;
    return length;
}

bool bp__utf8_valid(const char *s, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint32_t code;
        int length = bp__utf8_next(s + i, n - i, &code);
        if (length == 0) return false;
        i += (size_t)length;
    }
    return true;
}

/* Control characters, and what an editor or a YAML reader would take for a line break or a byte-order mark. */
static bool is_invisible(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
           (code & 0xFFFEu) == 0xFFFEu;
}

bp__shown bp__show_n(const char *s, size_t n) {
    bp__shown shown;
    size_t used = 0, i = 0;
    while (i < n) {
        uint32_t code;
        int length = bp__utf8_next(s + i, n - i, &code);
        bool fine = length > 0 && !is_invisible(code);
        size_t bytes = fine ? (size_t)length : 1;
        if (used + bytes > 60) {
            memcpy(shown.text + used, "…", sizeof "…" - 1);
            used += sizeof "…" - 1;
            break;
        }
        if (fine)
            memcpy(shown.text + used, s + i, bytes);
        else
            shown.text[used] = '?';
        used += bytes;
        i += length > 0 ? (size_t)length : 1;
    }
    shown.text[used] = '\0';
    return shown;
}

bp__shown bp__show(const char *s) { return bp__show_n(s, strlen(s)); }

bp__shown bp__show_errno(int number) {
    char text[80];
    if (strerror_r(number, text, sizeof text) != 0) text[0] = '\0';
    if (text[0] == '\0') return bp__show("unknown system error");
    /* In the middle of our sentences it reads better without the capital. */
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z') text[0] = (char)(text[0] - 'A' + 'a');
    return bp__show(text);
}

void bp__buffer_quoted(bp__buffer *b, const char *s) {
    size_t n = strlen(s), i = 0, plain = 0; /* [plain, i) is copied as it stands */
    bp__buffer_add(b, "\"", 1);
    while (i < n) {
        uint32_t code;
        int length = bp__utf8_next(s + i, n - i, &code);
        if (length > 0 && code != '"' && code != '\\' && !is_invisible(code)) {
            i += (size_t)length;
            continue;
        }
        bp__buffer_add(b, s + plain, i - plain);
        if (length == 0)
            bp__buffer_text(b, "\xEF\xBF\xBD");
        else if (code == '"')
            bp__buffer_text(b, "\\\"");
        else if (code == '\\')
            bp__buffer_text(b, "\\\\");
        else if (code == '\n')
            bp__buffer_text(b, "\\n");
        else if (code == '\t')
            bp__buffer_text(b, "\\t");
        else if (code == '\r')
            bp__buffer_text(b, "\\r");
        else if (code < 0x10000)
            bp__buffer_printf(b, "\\u%04X", (unsigned)code);
        else
            bp__buffer_add(b, s + i, (size_t)length); /* JSON has no single escape above U+FFFF, and needs none */
        i += length > 0 ? (size_t)length : 1;
        plain = i;
    }
    bp__buffer_add(b, s + plain, i - plain);
    bp__buffer_add(b, "\"", 1);
}
