/* Transposition in registers, 16 bytes a vector: fast on every processor without being compiled for it. */
#ifndef BP__TRANSPOSE_H
#define BP__TRANSPOSE_H
#include <stdint.h>
#include <string.h>

typedef float bp__quad __attribute__((vector_size(16)));
typedef double bp__pair __attribute__((vector_size(16)));

/* to[p, j] = from[j, p] for j < n, p < k: rows of `to` are to_row apart, rows of `from` from_row. Blocks of 64 p keep what is
   written in L1 until its lines are full. */
static inline __attribute__((unused)) void bp__transpose_f32(float *to, int64_t to_row, const float *from, int64_t from_row,
                                                             int64_t n, int64_t k) {
    for (int64_t p0 = 0; p0 < k; p0 += 64) {
        int64_t p1 = p0 + 64 < k ? p0 + 64 : k, j = 0;
        for (; j + 4 <= n; j += 4) {
            const float *s = from + j * from_row;
            int64_t p = p0;
            for (; p + 4 <= p1; p += 4) {
                bp__quad a, b, c, d, ab0, ab1, cd0, cd1, r;
                memcpy(&a, s + p, 16);
                memcpy(&b, s + from_row + p, 16);
                memcpy(&c, s + 2 * from_row + p, 16);
                memcpy(&d, s + 3 * from_row + p, 16);
                ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
                ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
                cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
                cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
                float *t = to + p * to_row + j;
                r = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
                memcpy(t, &r, 16);
                r = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
                memcpy(t + to_row, &r, 16);
                r = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
                memcpy(t + 2 * to_row, &r, 16);
                r = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
                memcpy(t + 3 * to_row, &r, 16);
            }
            for (; p < p1; p++)
                for (int i = 0; i < 4; i++) to[p * to_row + j + i] = s[i * from_row + p];
        }
        for (; j < n; j++)
            for (int64_t p = p0; p < p1; p++) to[p * to_row + j] = from[j * from_row + p];
    }
}

static inline __attribute__((unused)) void bp__transpose_f64(double *to, int64_t to_row, const double *from, int64_t from_row,
                                                             int64_t n, int64_t k) {
    for (int64_t p0 = 0; p0 < k; p0 += 32) {
        int64_t p1 = p0 + 32 < k ? p0 + 32 : k, j = 0;
        for (; j + 2 <= n; j += 2) {
            const double *s = from + j * from_row;
            int64_t p = p0;
            for (; p + 2 <= p1; p += 2) {
                bp__pair a, b, r;
                memcpy(&a, s + p, 16);
                memcpy(&b, s + from_row + p, 16);
                double *t = to + p * to_row + j;
                r = __builtin_shufflevector(a, b, 0, 2);
                memcpy(t, &r, 16);
                r = __builtin_shufflevector(a, b, 1, 3);
                memcpy(t + to_row, &r, 16);
            }
            if (p < p1) to[p * to_row + j] = s[p], to[p * to_row + j + 1] = s[from_row + p];
        }
        if (j < n)
            for (int64_t p = p0; p < p1; p++) to[p * to_row + j] = from[j * from_row + p];
    }
}
#endif
