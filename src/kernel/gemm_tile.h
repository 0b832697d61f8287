/* What the driver of the matrix product (gemm.c) and the micro-kernels (gemm_body.h) say to each other. */
#ifndef BP__GEMM_TILE_H
#define BP__GEMM_TILE_H
#include "kernel/kernel.h"

enum { BP__LONG_CHAIN = 32 }; /* multiply-adds of an element, from which on fetching the next tile's lines pays */

/* One tile: d[m,n] = (first ? 0 : c) + Σ_b Σ_p A_b[i,p] B_b[p,j], one chain per element. m ≤ mr, n ≤ nr. B is read in whole
   vectors: columns up to the next multiple of the vector length must be readable. Strides count elements. */
typedef struct bp__gemm_tile {
    const void *a, *b;
    int64_t a_row, a_col, ldb;
    int64_t k, n_b;
    const int64_t *a_offset, *b_offset; /* NULL when n_b is 1 */
    int64_t m, n;
    const void *c; /* the chain so far; not read when first */
    int64_t c_row;
    void *d; /* where it goes, columns contiguous; with finish, not touched */
    int64_t d_row;
    const void *next; /* d of the tile that follows, fetched meanwhile if this one takes long enough; or NULL */
    bool first;
    const struct bp__gemm_finish *finish; /* the last block of a chain that has an epilogue or unusual storage; else NULL */
    int64_t row, col;                     /* of the tile in C, for finish */
} bp__gemm_tile;

typedef struct bp__gemm_finish {
    const bp__epilogue *epilogue;
    bp__matrix out; /* C */
    int64_t rows;   /* of C: the length of a panel */
    int64_t cols;
    bool in_registers; /* no more than bias, relu and mask, columns contiguous, no pads: whole vectors need no second look */
} bp__gemm_finish;

/* Where a second tile, to the right of the first, has its B, C and D: distances in elements. */
typedef struct bp__gemm_next {
    int64_t b, c, d;
} bp__gemm_next;
enum { BP__WIDE_ROWS = 3 };

/* The functions of one instruction set and type. */
typedef struct bp__gemm_kernels {
    int mr, nr, w; /* largest tile; columns are rounded up to w */
    void (*tile)(const bp__gemm_tile *tile);
    /* a tile of m ≤ BP__WIDE_ROWS rows and nr columns, one block, and its neighbour of the same size */
    void (*wide)(const bp__gemm_tile *tile, const bp__gemm_next *next);
    /* tile[m, nr] contiguous: epilogue and storing, for a chain that was computed elsewhere */
    void (*finish)(const bp__gemm_finish *finish, void *tile, int64_t row, int64_t col, int64_t m, int64_t n);
    /* to[k, 32] = from[k, n], zero behind n as far as the last vector goes */
    void (*pack_b)(void *to, const void *from, int64_t row, int64_t col, int64_t k, int64_t n);
    /* to[k, m] = from[m, k]: A with its rows contiguous */
    void (*pack_a)(void *to, const void *from, int64_t row, int64_t col, int64_t m, int64_t k);
    /* of a table for pairs alone: rows 2 i and 2 i + 1 of from[k, n] become row i of to, both numbers rounded to bfloat16 in the
       place of one */
    void (*pair)(void *to, const void *from, int64_t k, int64_t n);
    void (*add)(void *to, const void *x, const void *y, int64_t n);
    /* turns times as many multiply-adds as the largest tile has, from registers alone: what the processor can do at most. Returns
       a number that depends on them. mr * nr * turns of them. */
    double (*peak)(int64_t turns);
} bp__gemm_kernels;

/* The bits of a float, rounded to bfloat16: to nearest, ties to even; NaN stays NaN. */
static inline uint32_t bp__bfloat16(uint32_t x) {
    uint32_t rounded = (x + 0x7fff + (x >> 16 & 1)) >> 16;
    return (x & 0x7fffffff) > 0x7f800000 ? x >> 16 | 0x40 : rounded;
}

/* Element (row, col) of a matrix with `rows` rows, as an index. */
static inline int64_t bp__matrix_at(const bp__matrix *x, int64_t rows, int64_t row, int64_t col) {
    if (x->panels) return ((col / BP__PANEL) * rows + row) * BP__PANEL + col % BP__PANEL;
    return row * x->row + col * x->col;
}
/* A hint that what lies `bytes` behind p is wanted soon; it may lie outside of every object. */
static inline void bp__prefetch(const void *p, int64_t bytes, bool write) {
    const void *at = (const void *)((uintptr_t)p + (uintptr_t)bytes);
    if (write)
        __builtin_prefetch(at, 1);
    else
        __builtin_prefetch(at);
}

#endif
