#include "core/rng.h"
#include "core/math64.h"
#include <math.h>

void bp__philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)c0 * 0xd2511f53u, p1 = (uint64_t)c2 * 0xcd9e8d57u;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9e3779b9u; /* the golden ratio and sqrt(3) - 1 as fractions of 2^32 */
        k1 += 0xbb67ae85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t bp__stream_id(const char *path_and_role) {
    uint32_t h = 2166136261u;
    for (const unsigned char *s = (const unsigned char *)path_and_role; *s; s++) h = (h ^ *s) * 16777619u;
    return h;
}

/* Block `block` of a row: four words. A row that needs more than 2^32 blocks goes on under another key. */
static void block_of(uint32_t w[4], bp__stream s, uint32_t row, int64_t block) {
    const uint32_t counter[4] = {(uint32_t)block, row, s.step, s.stream};
    const uint32_t key[2] = {(uint32_t)s.seed, (uint32_t)(s.seed >> 32) ^ (uint32_t)((uint64_t)block >> 32)};
    bp__philox(w, counter, key);
}

static double uniform_of(uint32_t high, uint32_t low) { return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53; }

void bp__uniform_f32(float *out, bp__stream s, uint32_t row, int64_t first, int64_t n) {
    uint32_t w[4];
    for (int64_t i = 0; i < n;) {
        int64_t element = first + i, lane = element & 3, end = BP__MIN(4, lane + n - i);
        block_of(w, s, row, element >> 2);
        for (; lane < end; lane++) out[i++] = (float)(w[lane] >> 8) * 0x1p-24f;
    }
}

void bp__uniform_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n) {
    uint32_t w[4];
    for (int64_t i = 0; i < n;) {
        int64_t element = first + i, lane = element & 1, end = BP__MIN(2, lane + n - i);
        block_of(w, s, row, element >> 1);
        for (; lane < end; lane++) out[i++] = uniform_of(w[2 * lane], w[2 * lane + 1]);
    }
}

/* Box and Muller, "A note on the generation of random normal deviates", 1958: one block gives two uniforms, these two
   normals. */
void bp__normal_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n) {
    uint32_t w[4];
    for (int64_t i = 0; i < n;) {
        int64_t element = first + i, lane = element & 1, end = BP__MIN(2, lane + n - i);
        block_of(w, s, row, element >> 1);
        double u = 1.0 - uniform_of(w[0], w[1]); /* in (0, 1], exact */
        double radius = sqrt(-2.0 * bp__log64(u)), both[2];
        bp__sincos_turns(uniform_of(w[2], w[3]), &both[1], &both[0]);
        for (; lane < end; lane++) out[i++] = radius * both[lane];
    }
}

void bp__trunc_normal_f64(double *out, bp__stream s, uint32_t row, int64_t first, int64_t n, double mean, double std, double a,
                          double b) {
    bp__uniform_f64(out, s, row, first, n);
    double low = (a - mean) / std, high = (b - mean) / std;
    /* An interval right of the mean is mirrored: probabilities near 0 keep their digits, those near 1 do not. */
    bool mirrored = low > 0.0;
    double p_low = bp__normal_cdf(mirrored ? -high : low), p_high = bp__normal_cdf(mirrored ? -low : high);
    for (int64_t i = 0; i < n; i++) {
        double z = bp__normal_quantile(fma(p_high - p_low, out[i], p_low));
        double x = std > 0.0 ? fma(mirrored ? -z : z, std, mean) : mean;
        out[i] = x < a ? a : x > b ? b : x;
    }
}

/* 32- or 64-bit words of the row in order. */
typedef struct words {
    bp__stream stream;
    int64_t used;
    uint32_t block[4];
} words;

static uint32_t next_word(words *w) {
    if ((w->used & 3) == 0) block_of(w->block, w->stream, 0, w->used >> 2);
    return w->block[w->used++ & 3];
}

/* A number in [0, bound) without bias (Lemire, "Fast random integer generation in an interval", 2019); bounds beyond 32
   bits by rejection. */
static uint64_t next_below(words *w, uint64_t bound) {
    if (bound <= UINT32_MAX) {
        uint64_t product = (uint64_t)next_word(w) * bound;
        if ((uint32_t)product < bound) {
            uint32_t threshold = (uint32_t)(-(uint32_t)bound % (uint32_t)bound);
            while ((uint32_t)product < threshold) product = (uint64_t)next_word(w) * bound;
        }
        return product >> 32;
    }
    for (;;) {
        uint64_t high = next_word(w), value = high << 32 | next_word(w);
        if (value < UINT64_MAX - UINT64_MAX % bound) return value % bound;
    }
}

void bp__permutation(int64_t *out, bp__stream s, int64_t n) {
    words w = {.stream = s};
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)next_below(&w, (uint64_t)i + 1), swapped = out[i];
        out[i] = out[j];
        out[j] = swapped;
    }
}
