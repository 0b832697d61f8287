/* What an unquoted scalar means by the core schema of YAML 1.2 (its chapter 10.3.2). Declared in yaml.h. */
#include "io/yaml.h"

#include <math.h>
#include <string.h>

static bool is_word(const char *s, size_t n, const char *word) { return strlen(word) == n && memcmp(s, word, n) == 0; }

/* lower, Title and UPPER, and no other mixture. */
static bool is_any_case(const char *s, size_t n, const char *lower, const char *title, const char *upper) {
    return is_word(s, n, lower) || is_word(s, n, title) || is_word(s, n, upper);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t count_digits(const char *s, size_t n) {
    size_t i = 0;
    while (i < n && is_digit(s[i])) i++;
    return i;
}

typedef enum shape { NOT_A_NUMBER, WHOLE, REAL } shape;

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static shape decimal_shape(const char *s, size_t n) {
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
    size_t whole = count_digits(s + i, n - i);
    shape found = WHOLE;
    i += whole;
    if (i < n && s[i] == '.') {
        size_t fraction = count_digits(s + i + 1, n - i - 1);
        if (whole == 0 && fraction == 0) return NOT_A_NUMBER;
        i += 1 + fraction;
        found = REAL;
    } else if (whole == 0) {
        return NOT_A_NUMBER;
    }
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < n && (s[i] == '-' || s[i] == '+')) i++;
        size_t exponent = count_digits(s + i, n - i);
        if (exponent == 0) return NOT_A_NUMBER;
        i += exponent;
        found = REAL;
    }
    return i == n ? found : NOT_A_NUMBER;
}

static int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* 0o17 and 0x1F; without a sign, as the schema has it. Too long for 64 bits: a float of that value. */
static bool resolve_based(bp__tree *t, const char *s, size_t n) {
    if (n < 3 || s[0] != '0' || (s[1] != 'o' && s[1] != 'x')) return false;
    int base = s[1] == 'o' ? 8 : 16;
    bool fits = true;
    int64_t value = 0;
    double number = 0;
    for (size_t i = 2; i < n; i++) {
        int digit = digit_value(s[i]);
        if (digit >= base) return false;
        number = number * base + digit;
        if (fits && value > (INT64_MAX - digit) / base) fits = false;
        if (fits) value = value * base + digit;
    }
    t->kind = fits ? BP__INT : BP__FLOAT;
    t->integer = fits ? value : 0;
    t->number = number;
    return true;
}

void bp__scalar_resolve(bp__tree *t, const char *s, size_t n) {
    t->kind = BP__TEXT;
    if (n == 0 || is_word(s, n, "~") || is_any_case(s, n, "null", "Null", "NULL")) {
        t->kind = BP__NULL;
        return;
    }
    bool yes = is_any_case(s, n, "true", "True", "TRUE");
    if (yes || is_any_case(s, n, "false", "False", "FALSE")) {
        t->kind = BP__BOOL;
        t->boolean = yes;
        return;
    }
    size_t sign = s[0] == '-' || s[0] == '+' ? 1 : 0;
    if (is_any_case(s + sign, n - sign, ".inf", ".Inf", ".INF")) {
        t->kind = BP__FLOAT;
        t->number = s[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return;
    }
    if (is_any_case(s, n, ".nan", ".NaN", ".NAN")) {
        t->kind = BP__FLOAT;
        t->number = (double)NAN;
        return;
    }
    if (resolve_based(t, s, n)) return;
    shape found = decimal_shape(s, n);
    if (found == NOT_A_NUMBER) return;
    size_t plus = s[0] == '+' ? 1 : 0;
    int64_t value;
    if (found == WHOLE && bp__parse_i64(s + plus, n - plus, &value)) {
        t->kind = BP__INT;
        t->integer = value;
        t->number = (double)value;
        return;
    }
    double number;
    if (bp__parse_f64(s + plus, n - plus, false, &number)) {
        t->kind = BP__FLOAT;
        t->number = number;
    }
}
