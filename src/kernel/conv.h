/* Convolutions of two axes over dense N, C, H, W arrays, through the micro-kernel of the matrix product (bp__gemm).
   Order of sums, the same on every instruction set and for any number of threads; every output is one chain of fma from +0:
     conv2d              over kernel row, kernel column, channel
     conv2d_grad_input   over those kernel rows and columns that reach the place, output channel
     conv2d_grad_weight  over image, output row, output column
   A bias is added behind the end of the chain. (A 1 x 1 kernel is a plain product: above 2 * BP__K_LEAF channels its chain is cut
   into leaves, as bp__gemm says.) */
#ifndef BP__CONV_H
#define BP__CONV_H
#include "kernel/kernel.h"

typedef struct bp__conv {
    bp_dtype dtype; /* f32 or f64 */
    int64_t n_images, groups;
    int64_t in_channels, in[2];   /* x [n_images, in_channels, in[0], in[1]] */
    int64_t out_channels, out[2]; /* y [n_images, out_channels, out[0], out[1]] */
    int64_t kernel[2];            /* weight [out_channels, in_channels / groups, kernel[0], kernel[1]] */
    int64_t stride[2], padding[2], dilation[2];
} bp__conv;

/* y = x convolved with weight, + bias [out_channels] (NULL: none). */
void bp__conv2d(const bp__env *env, const bp__conv *c, void *y, const void *x, const void *weight, const void *bias);
/* The adjoints: d_x from d_y and weight, d_weight from d_y and x. */
void bp__conv2d_grad_input(const bp__env *env, const bp__conv *c, void *d_x, const void *d_y, const void *weight);
void bp__conv2d_grad_weight(const bp__env *env, const bp__conv *c, void *d_weight, const void *d_y, const void *x);
size_t bp__conv2d_scratch(const bp__isa *isa, const bp__conv *c, int n_threads);
size_t bp__conv2d_grad_input_scratch(const bp__isa *isa, const bp__conv *c, int n_threads);
size_t bp__conv2d_grad_weight_scratch(const bp__isa *isa, const bp__conv *c, int n_threads);
#endif
