/* What the drivers of reductions and moving (reduce.c, softmax.c, move.c) ask of one instruction set and type. */
#ifndef BP__REDUCE_KERNELS_H
#define BP__REDUCE_KERNELS_H
#include "kernel/kernel.h"

/* One row of softmax and its relatives. Strides count elements. */
typedef struct bp__softmax_row {
    const void *x;
    int64_t n, x_stride;
    void *out; /* or NULL */
    int64_t out_stride;
    bool log_softmax;
    bool gradient; /* out = g * (softmax - onehot(label)) */
    double g;
    int64_t label; /* in [0, n), with `loss` */
    void *loss;    /* NULL, or -(log_softmax at label) */
} bp__softmax_row;

/* Equally spaced rows of at most BP__SHORT_ROW elements. */
enum { BP__SHORT_ROW = 64 };
typedef struct bp__softmax_rows {
    const void *x;
    int64_t n_rows, n, x_row, x_stride;
    void *out; /* or NULL */
    int64_t out_row, out_stride;
    bool log_softmax;
    const int64_t *label; /* NULL, or out = g * (softmax - onehot(label)); outside [0, n): out and loss are 0 */
    const void *g;        /* with label and out */
    void *loss;           /* NULL, or -(log_softmax at label) */
    int64_t label_row, g_row, loss_row;
} bp__softmax_rows;

typedef struct bp__reduce_kernels {
    /* Goes on with the 16 lanes (SUM, PROD, MAX, MIN) over n_segments runs of `length` neighbours, `stride` apart, the first of
       which begins at lane 0. Only the last call of a reduction may have a length that is no multiple of 16. */
    void (*accumulate)(bp__reduce_op op, void *lanes, const void *in, int64_t n_segments, int64_t length, int64_t stride);
    void (*fold)(bp__reduce_op op, void *out, const void *lanes);
    /* out[c] = the 16-lane reduction of in[i * stride + c] over i < n, for c < width. */
    void (*columns)(bp__reduce_op op, void *out, const void *in, int64_t n, int64_t stride, int64_t width);
    void (*join)(bp__reduce_op op, void *lane, const void *in, int64_t n); /* lane[i] = op(lane[i], in[i]) */
    void (*softmax)(const bp__softmax_row *row);
    void (*softmax_rows)(const bp__softmax_rows *rows);
    void (*from_u8)(void *out, const uint8_t *in, int64_t n);
    void (*add)(void *out, const void *in, int64_t n); /* out += in */
    /* Elements [0, n) of a row of uniform numbers. */
    void (*uniform)(void *out, uint64_t seed, uint32_t step, uint32_t stream, uint32_t row, int64_t n);
} bp__reduce_kernels;
#endif
