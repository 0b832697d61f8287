/* Text: the nearest name, and numbers without the locale. */
#include "core/decimal.h"
#include <stdio.h>
#include <string.h>

/* ---- The nearest name ---- */

enum { MAX_NAME = 64 };

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == '-' ? '_' : (unsigned char)c; }

/* Insertions, deletions, changes and swaps of neighbours; case and '-' against '_' do not count. */
static int distance(const char *a, int n_a, const char *b, int n_b) {
    int rows[3][MAX_NAME + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (int j = 0; j <= n_b; j++) before[j] = last[j] = j;
    for (int i = 1; i <= n_a; i++) {
        row[0] = i;
        for (int j = 1; j <= n_b; j++) {
            int ca = lower(a[i - 1]), cb = lower(b[j - 1]);
            int best = BP__MIN(last[j], row[j - 1]) + 1;
            best = BP__MIN(best, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == lower(b[j - 2]) && lower(a[i - 2]) == cb) best = BP__MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        int *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[n_b];
}

static bool prefix(const char *a, const char *b) {
    while (*a && *b && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return !*a || !*b;
}

const char *bp__nearest(const char *word, const char *const *names, int64_t n) {
    size_t length = strlen(word);
    if (length == 0 || length > MAX_NAME) return NULL;
    const char *best = NULL;
    int best_distance = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > MAX_NAME) continue;
        int limit = (int)BP__MAX(length, other) <= 2 ? 0 : BP__MAX(1, (int)BP__MAX(length, other) / 3);
        int d = distance(word, (int)length, names[i], (int)other);
        bool begins = BP__MIN(length, other) >= 3 && prefix(word, names[i]); /* batch for batch_size, step_lr for step */
        if ((d <= limit || begins) && (!best || d < best_distance)) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

const char *bp__name_hint(char *out, size_t size, const char *word, const char *const *names, int64_t n) {
    const char *near = bp__nearest(word, names, n);
    size_t used = (size_t)snprintf(out, size, near ? "did you mean `%s`?" : "known %s", near ? near : n == 1 ? "is " : "are ");
    for (int64_t i = 0; i < n && !near; i++) {
        if (used + strlen(names[i]) + 8 > size) {
            snprintf(out + used, size - used, "…");
            break;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", names[i], i + 1 < n ? ", " : "");
    }
    return n > 0 ? out : NULL;
}

/* ---- Reading ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* 0x1F and 0o17, as YAML's core schema has them (without a sign). */
static bool parse_based(const char *s, size_t n, uint64_t *out) {
    if (n < 3 || s[0] != '0' || (s[1] != 'x' && s[1] != 'o')) return false;
    uint64_t base = s[1] == 'x' ? 16 : 8, value = 0;
    for (size_t i = 2; i < n; i++) {
        int c = lower(s[i]);
        uint64_t digit = is_digit(s[i]) ? (uint64_t)(s[i] - '0') : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10) : 16;
        if (digit >= base || value > (UINT64_MAX - digit) / base) return false;
        value = base * value + digit;
    }
    *out = value;
    return true;
}

bool bp__parse_i64(const char *s, size_t n, int64_t *out) {
    uint64_t value = 0;
    if (parse_based(s, n, &value)) {
        if (value > INT64_MAX) return false;
        *out = (int64_t)value;
        return true;
    }
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+');
    bool negative = i && s[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    if (i == n) return false;
    for (; i < n; i++) {
        if (!is_digit(s[i])) return false;
        uint64_t digit = (uint64_t)(s[i] - '0');
        if (value > (limit - digit) / 10) return false;
        value = 10 * value + digit;
    }
    *out = negative ? (value > INT64_MAX ? INT64_MIN : -(int64_t)value) : (int64_t)value;
    return true;
}

static bool is_word(const char *s, size_t n, const char *word) {
    if (strlen(word) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (lower(s[i]) != word[i]) return false;
    return true;
}

static double of_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static const uint64_t sign_bit = UINT64_C(1) << 63, infinity_bits = UINT64_C(0x7ff0000000000000);
static const uint64_t float_normal = UINT64_C(0x3810000000000000); /* the smallest normal float, as a double */

static bool parse_special(const char *s, size_t n, bool has_sign, uint64_t sign, double *out) {
    if (n > 0 && s[0] == '.') {
        s++;
        n--;
    }
    if (is_word(s, n, "inf") || is_word(s, n, "infinity"))
        *out = of_bits(infinity_bits | sign);
    else if (!has_sign && is_word(s, n, "nan"))
        *out = of_bits(UINT64_C(0x7ff8000000000000));
    else
        return false;
    return true;
}

/* The digits and the exponent of [s, s + n), which has no sign. */
static bool scan_decimal(const char *s, size_t n, bp__decimal *d) {
    size_t i = 0;
    bool any = false, point = false;
    *d = (bp__decimal){0};
    for (; i < n; i++) {
        if (s[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(s[i])) break;
        any = true;
        if (d->n_digits == 0 && s[i] != '0') d->first = s + i;
        if (d->first) d->n_digits++;
        if (point) d->exponent--;
    }
    if (!any) return false;
    if (i == n) return true;
    if (s[i] != 'e' && s[i] != 'E') return false;
    i++;
    bool negative = i < n && s[i] == '-';
    if (i < n && (s[i] == '-' || s[i] == '+')) i++;
    if (i == n) return false;
    int64_t e = 0;
    for (; i < n; i++) {
        if (!is_digit(s[i])) return false;
        if (e < INT64_C(1) << 50) e = 10 * e + (s[i] - '0'); /* further digits change nothing: zero or infinite */
    }
    d->exponent += negative ? -e : e;
    return true;
}

bool bp__parse_f64(const char *s, size_t n, bool specials, double *out) {
    if (n == 0) return false;
    uint64_t based;
    if (parse_based(s, n, &based)) {
        *out = (double)based;
        return true;
    }
    bool has_sign = s[0] == '-' || s[0] == '+';
    uint64_t sign = s[0] == '-' ? sign_bit : 0;
    s += has_sign;
    n -= has_sign;
    bp__decimal d;
    if (!scan_decimal(s, n, &d)) return specials && parse_special(s, n, has_sign, sign, out);
    double v = bp__decimal_value(&d);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (bits == infinity_bits && !specials) return false; /* too large for a double */
    *out = of_bits(bits | sign);                          /* by bits: a subnormal survives flush-to-zero */
    return true;
}

/* ---- Writing ---- */

typedef struct digits {
    char text[20];   /* the first is not 0 unless the number is */
    int n, exponent; /* value = d.ddd * 10^exponent */
} digits;

/* |v| rounded to n significant digits. printf's rounding is exact; only its decimal point depends on the locale. */
static void round_to(digits *d, double v, int n) {
    char s[48];
    int length = snprintf(s, sizeof s, "%.*e", n - 1, v);
    d->n = 0;
    d->exponent = 0;
    int i = 0;
    for (; i < length && s[i] != 'e'; i++)
        if (is_digit(s[i]) && d->n < n) d->text[d->n++] = s[i];
    bool negative = i + 1 < length && s[i + 1] == '-';
    for (i += 2; i < length; i++) d->exponent = 10 * d->exponent + (s[i] - '0');
    if (negative) d->exponent = -d->exponent;
}

static bool reads_back(const digits *d, uint64_t bits, bool single) {
    double v = bp__decimal_value(&(bp__decimal){.first = d->text, .n_digits = d->n, .exponent = d->exponent - (d->n - 1)});
    uint64_t got;
    memcpy(&got, &v, sizeof got);
    if (!single) return got == bits;
    double wanted = of_bits(bits);
    if (bits < float_normal) { /* by numbers of the smallest float, as a cast might flush; the middle of two is not used */
        double off = (v - wanted) * 0x1p149;
        return off > -0.5 && off < 0.5;
    }
    /* A reader may round to float directly or by way of double: the two differ only when the double is the middle of two
       floats, so such a text is not used. */
    if ((got & UINT64_C(0x1fffffff)) == UINT64_C(0x10000000)) return false;
    return (float)v == (float)wanted;
}

/* One up or down in the last place, for the numbers just above a power of two: the nearest text of a length may miss where
   its neighbour on the wider side does not. */
static bool step(digits *d, int by) {
    digits t = *d;
    char *last = &t.text[t.n - 1];
    if ((by > 0 && *last == '9') || (by < 0 && (*last == '0' || (t.n == 1 && *last == '1')))) return false;
    *last = (char)(*last + by);
    *d = t;
    return true;
}

static void shortest(digits *d, double v, uint64_t bits, bool single, int n_sure, int n_max) {
    for (int n = n_sure; n <= n_max; n++) {
        round_to(d, v, n);
        if (reads_back(d, bits, single)) break;
        digits other = *d;
        if (n < n_max && step(&other, 1) && reads_back(&other, bits, single)) {
            *d = other;
            break;
        }
        other = *d;
        if (n < n_max && step(&other, -1) && reads_back(&other, bits, single)) {
            *d = other;
            break;
        }
    }
    while (d->n > 1 && d->text[d->n - 1] == '0') d->n--;
}

static int write_digits(char *out, const digits *d, bool negative, int max_fixed) {
    char *p = out;
    if (negative) *p++ = '-';
    int e = d->exponent;
    if (e < -5 || e >= max_fixed) {
        *p++ = d->text[0];
        if (d->n > 1) *p++ = '.';
        for (int i = 1; i < d->n; i++) *p++ = d->text[i];
        p += snprintf(p, 8, "e%d", e);
        return (int)(p - out);
    }
    if (e < 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = -1; i > e; i--) *p++ = '0';
    }
    for (int i = 0; i < d->n || i <= e; i++) {
        *p++ = i < d->n ? d->text[i] : '0';
        if (i == e && i + 1 < d->n) *p++ = '.';
    }
    *p = 0;
    return (int)(p - out);
}

static int format_number(char *out, double v, bool single) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bool negative = bits >> 63;
    bits &= ~sign_bit;
    if (bits > infinity_bits) return snprintf(out, 32, "nan");
    if (bits == infinity_bits) return snprintf(out, 32, negative ? "-inf" : "inf");
    if (bits == 0) return snprintf(out, 32, negative ? "-0" : "0");
    /* A decimal number of 15 (float: 6) digits survives the way to binary and back, so no shorter length needs a try; this
       is not so in the subnormal range. */
    uint64_t normal = single ? float_normal : UINT64_C(0x0010000000000000);
    int n_sure = bits < normal ? 1 : single ? 6 : 15;
    digits d;
    shortest(&d, of_bits(bits), bits, single, n_sure, single ? 9 : 17);
    return write_digits(out, &d, negative, single ? 9 : 16);
}

int bp__format_f64(char *out, double v) { return format_number(out, v, false); }

int bp__format_f32(char *out, float v) {
    /* Widened by hand where the processor might read a subnormal as zero. */
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if ((bits & 0x7f800000u) == 0 && (bits & 0x7fffffu) != 0) {
        double scaled = (double)(bits & 0x7fffffu) * 0x1p-149;
        return format_number(out, bits >> 31 ? -scaled : scaled, true);
    }
    return format_number(out, (double)v, true);
}
