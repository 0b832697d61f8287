/* Reduction of large arguments of sin, cos, tan in integers (after Payne and Hanek): of the product x * 2/pi only the bits
   around the point matter, so the whole words of 2/pi that give multiples of 4 are left away. */
#include "kernel/trig_large.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The bits of 2/pi behind the point. */
static const uint32_t two_over_pi[40] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0,
    0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4,
    0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d};

/* 32 bits of 2/pi from bit number `bit` (0: the first behind the point; before it are zeros). */
static uint32_t bits_from(int bit) {
    uint64_t pair = 0;
    int word = bit >= 0 ? bit / 32 : -((31 - bit) / 32), shift = bit - word * 32;
    for (int i = 0; i < 2; i++) {
        int w = word + i;
        pair = pair << 32 | (w >= 0 && w < 40 ? two_over_pi[w] : 0);
    }
    return (uint32_t)(pair >> (32 - shift));
}

int bp__trig_large(double x, double *hi, double *lo) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    bool negative = u >> 63;
    int exponent = (int)(u >> 52 & 0x7ff) - 1075; /* |x| = m 2^exponent */
    uint64_t m = (u & 0xfffffffffffff) | 0x10000000000000;
    /* Words f of 2/pi so that m * f, modulo 2^192, is x * 2/pi modulo 4 in units of 2^-190. */
    uint32_t f[6], p[6];
    for (int i = 0; i < 6; i++) f[i] = bits_from(exponent - 2 + 32 * (5 - i)); /* f[0] the lowest */
    uint64_t m0 = m & 0xffffffff, m1 = m >> 32, carry = 0;
    for (int i = 0; i < 6; i++) {
        uint64_t t = m0 * f[i] + carry;
        p[i] = (uint32_t)t;
        carry = t >> 32;
    }
    carry = 0;
    for (int i = 0; i < 5; i++) {
        uint64_t t = m1 * f[i] + p[i + 1] + carry;
        p[i + 1] = (uint32_t)t;
        carry = t >> 32;
    }
    /* the nearest whole number n, and the rest in [-1/2, 1/2) as a signed number of 190 bits */
    int n = (int)(p[5] >> 30) + (int)(p[5] >> 29 & 1);
    p[5] = p[5] << 2;
    for (int i = 4; i >= 0; i--) {
        p[i + 1] |= p[i] >> 30;
        p[i] <<= 2;
    }
    bool below = p[5] >> 31;
    if (below) {
        uint64_t c = 1;
        for (int i = 0; i < 6; i++) {
            c += (uint32_t)~p[i];
            p[i] = (uint32_t)c;
            c >>= 32;
        }
    }
    /* in units of 2^-192; leading zeros shifted out so that two words of 53 bits hold 106 good bits */
    int zeros = 0;
    while (zeros < 128 && !(p[5] >> 31)) {
        for (int i = 5; i > 0; i--) p[i] = p[i] << 1 | p[i - 1] >> 31;
        p[0] <<= 1;
        zeros++;
    }
    double a = (double)(((uint64_t)p[5] << 32 | p[4]) >> 11);
    double b = (double)((((uint64_t)p[4] << 32 | p[3]) & 0x7ffffffffff) << 10 | p[2] >> 22);
    a = ldexp(a, -53 - zeros);
    b = ldexp(b, -106 - zeros);
    double h = a * 0x1.921fb54442d18p+0;
    double l = fma(a, 0x1.921fb54442d18p+0, -h) + (a * 0x1.1a62633145c07p-54 + b * 0x1.921fb54442d18p+0);
    double sum = h + l;
    l = l - (sum - h);
    bool flip = below != negative;
    *hi = flip ? -sum : sum;
    *lo = flip ? -l : l;
    return negative ? (4 - (n & 3)) & 3 : n & 3;
}
