/* Decimal text to the nearest double, ties to even, whatever the locale and the floating-point environment: three ways, each
   taken when the one before cannot be sure. One exact operation (few digits, small exponent); 64-bit mantissas with a bound on
   the error; whole numbers of any length. After Clinger, "How to read floating point numbers accurately", 1990. */
#include "core/decimal.h"
#include <string.h>

/* 10^(16 i - 352) = mantissa * 2^exponent, mantissa rounded to 64 bits (error at most half a unit). */
static const struct {
    uint64_t mantissa;
    int exponent;
} powers[] = {{UINT64_C(0xcd42a11346f34f7d), -1233}, {UINT64_C(0xe3e27a444d8d98b8), -1180}, {UINT64_C(0xfd00b897478238d1), -1127},
              {UINT64_C(0x8c71dcd9ba0b4926), -1073}, {UINT64_C(0x9becce62836ac577), -1020}, {UINT64_C(0xad1c8eab5ee43b67), -967},
              {UINT64_C(0xc0314325637a193a), -914},  {UINT64_C(0xd5605fcdcf32e1d7), -861},  {UINT64_C(0xece53cec4a314ebe), -808},
              {UINT64_C(0x8380dea93da4bc60), -754},  {UINT64_C(0x91ff83775423cc06), -701},  {UINT64_C(0xa21727db38cb0030), -648},
              {UINT64_C(0xb3f4e093db73a093), -595},  {UINT64_C(0xc7caba6e7c5382c9), -542},  {UINT64_C(0xddd0467c64bce4a1), -489},
              {UINT64_C(0xf64335bcf065d37d), -436},  {UINT64_C(0x88b402f7fd75539b), -382},  {UINT64_C(0x97c560ba6b0919a6), -329},
              {UINT64_C(0xa87fea27a539e9a5), -276},  {UINT64_C(0xbb127c53b17ec159), -223},  {UINT64_C(0xcfb11ead453994ba), -170},
              {UINT64_C(0xe69594bec44de15b), -117},  {UINT64_C(0x8000000000000000), -63},   {UINT64_C(0x8e1bc9bf04000000), -10},
              {UINT64_C(0x9dc5ada82b70b59e), 43},    {UINT64_C(0xaf298d050e4395d7), 96},    {UINT64_C(0xc2781f49ffcfa6d5), 149},
              {UINT64_C(0xd7e77a8f87daf7fc), 202},   {UINT64_C(0xefb3ab16c59b14a3), 255},   {UINT64_C(0x850fadc09923329e), 309},
              {UINT64_C(0x93ba47c980e98ce0), 362},   {UINT64_C(0xa402b9c5a8d3a6e7), 415},   {UINT64_C(0xb616a12b7fe617aa), 468},
              {UINT64_C(0xca28a291859bbf93), 521},   {UINT64_C(0xe070f78d3927556b), 574},   {UINT64_C(0xf92e0c3537826146), 627},
              {UINT64_C(0x8a5296ffe33cc930), 681},   {UINT64_C(0x9991a6f3d6bf1766), 734},   {UINT64_C(0xaa7eebfb9df9de8e), 787},
              {UINT64_C(0xbd49d14aa79dbc82), 840},   {UINT64_C(0xd226fc195c6a2f8c), 893},   {UINT64_C(0xe950df20247c83fd), 946},
              {UINT64_C(0x81842f29f2cce376), 1000}};
enum { FIRST_POWER = -352, POWER_STEP = 16, MAX_DIGITS = 800, N_WORDS = 170 };

static double of_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- Numbers of any length, for the rare cases ---- */

typedef struct big {
    int n; /* words in use, lowest first */
    uint32_t word[N_WORDS];
} big;

static void big_multiply_add(big *b, uint32_t factor, uint32_t carry) {
    uint64_t c = carry;
    for (int i = 0; i < b->n; i++) {
        c += (uint64_t)b->word[i] * factor;
        b->word[i] = (uint32_t)c;
        c >>= 32;
    }
    if (c && b->n < N_WORDS) b->word[b->n++] = (uint32_t)c;
}

static void big_times_power_of_5(big *b, int64_t k) {
    for (; k >= 13; k -= 13) big_multiply_add(b, 1220703125u, 0);
    for (; k > 0; k--) big_multiply_add(b, 5, 0);
}

static void big_shift_left(big *b, int64_t bits) {
    for (; bits >= 31; bits -= 31) big_multiply_add(b, UINT32_C(1) << 31, 0);
    if (bits > 0) big_multiply_add(b, UINT32_C(1) << bits, 0);
}

static int big_compare(const big *a, const big *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

/* digits * 10^e10 against (2 m + 1) * 2^(q - 1), the middle between m * 2^q and the next: -1, 0, 1. A digit beyond MAX_DIGITS
   only tells "a little more", as no such middle has so many digits. */
static int compare_with_middle(const bp__decimal *d, uint64_t m, int64_t q) {
    big left = {0}, right = {0};
    int64_t e10 = d->exponent + d->n_digits, n = 0;
    bool more = false;
    for (const char *s = d->first; n < d->n_digits; s++) {
        if (*s == '.') continue;
        if (n++ < MAX_DIGITS)
            big_multiply_add(&left, 10, (uint32_t)(*s - '0'));
        else
            more = more || *s != '0';
    }
    e10 -= BP__MIN(n, MAX_DIGITS);
    if (more) {
        big_multiply_add(&left, 10, 1);
        e10--;
    }
    uint64_t odd = 2 * m + 1;
    right.word[0] = (uint32_t)odd;
    right.word[1] = (uint32_t)(odd >> 32);
    right.n = right.word[1] ? 2 : 1;
    int64_t shift = e10 - (q - 1); /* of the left over the right; 10^e = 5^e 2^e */
    big_times_power_of_5(e10 >= 0 ? &left : &right, e10 >= 0 ? e10 : -e10);
    big_shift_left(shift >= 0 ? &left : &right, shift >= 0 ? shift : -shift);
    return big_compare(&left, &right);
}

/* ---- 64-bit mantissas ---- */

/* The upper half of a product, rounded; and the normalisation of a mantissa. */
static uint64_t multiply_high(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid1 = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (uint32_t)mid1;
    uint64_t high = a1 * b1 + (mid1 >> 32) + (mid2 >> 32);
    return high + ((uint32_t)mid2 >> 31);
}

static void normalise(uint64_t *m, int64_t *e) {
    while (!(*m >> 63)) {
        *m <<= 1;
        --*e;
    }
}

static uint64_t assemble(uint64_t m, int64_t q) { /* m < 2^53, or 2^53 after rounding up; q >= -1074 */
    if (m >> 53) {
        m >>= 1;
        q++;
    }
    if (!(m >> 52)) return m; /* subnormal: q is -1074 */
    if (q > 971) return UINT64_C(0x7ff0000000000000);
    return (uint64_t)(q + 1075) << 52 | (m & UINT64_C(0x000fffffffffffff));
}

/* `value` holds the first 19 digitsand `e10` belongs to it. */
static uint64_t bits_by_mantissa(const bp__decimal *d, uint64_t value, int64_t e10) {
    /* In units of the mantissa: 1/2 of each product and of the table, doubled by normalising; one of the digits cut, which
       grows with the first normalisation (10^18 has 60 bits). */
    const uint64_t error = d->n_digits <= 19 ? 8 : 100;
    int64_t index = (e10 - FIRST_POWER) / POWER_STEP, rest = (e10 - FIRST_POWER) % POWER_STEP;
    uint64_t m = value, ten = 1;
    int64_t e = 0, e_ten = 0;
    for (int64_t i = 0; i < rest; i++) ten *= 10;
    normalise(&m, &e);
    normalise(&ten, &e_ten);
    m = multiply_high(m, ten);
    e += e_ten + 64;
    normalise(&m, &e);
    m = multiply_high(m, powers[index].mantissa);
    e += powers[index].exponent + 64;
    normalise(&m, &e);
    int64_t drop = 11;
    if (e + 63 < -1022) drop += -1022 - (e + 63);
    if (drop > 65 || (drop == 65 && m < UINT64_MAX - error)) return 0;
    uint64_t kept, half_distance;
    bool up;
    if (drop >= 64) { /* around half of the smallest number: only the long way knows */
        kept = 0;
        half_distance = drop == 65 || m - (UINT64_C(1) << 63) <= error ? 0 : error + 1;
        up = true;
    } else {
        uint64_t half = UINT64_C(1) << (drop - 1), low = m & (2 * half - 1);
        kept = m >> drop;
        up = low > half;
        half_distance = up ? low - half : half - low;
    }
    int64_t q = e + drop;
    if (drop >= 64) q = -1074;
    if (half_distance <= error) {
        int order = compare_with_middle(d, kept, q);
        up = order > 0 || (order == 0 && (kept & 1));
    }
    return assemble(kept + (up ? 1 : 0), q);
}

double bp__decimal_value(const bp__decimal *d) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->n_digits == 0) return 0.0;
    int64_t top = d->exponent + d->n_digits; /* the value is in [10^(top - 1), 10^top) */
    if (top < -330) return 0.0;
    if (top > 310) return of_bits(UINT64_C(0x7ff0000000000000));
    uint64_t value = 0;
    int64_t n = 0;
    for (const char *s = d->first; n < d->n_digits && n < 19; s++)
        if (*s != '.') {
            value = 10 * value + (uint64_t)(*s - '0');
            n++;
        }
    if (value == 0) return 0.0; /* the first digit should not be 0, but a caller's mistake must not hang */
    int64_t e10 = top - n;
    bool exact = n == d->n_digits;
    if (exact && value <= UINT64_C(1) << 53 && e10 >= -22 && e10 <= 22)
        return e10 < 0 ? (double)value / tens[-e10] : (double)value * tens[e10];
    return of_bits(bits_by_mantissa(d, value, e10));
}
