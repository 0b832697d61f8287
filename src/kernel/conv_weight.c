/* The weight gradient of a convolution: for every kernel row (and, under dilation, column) a batch-reduce product over the rows
   of all images; d_y lies as it is, x is copied once with its channels innermost, so that a kernel row times the channels is one
   contiguous run. The chain of one weight goes over image, output row, output column. */
#include "kernel/conv.h"
#include "kernel/isa.h"
#include <string.h>

enum { SMALL = 65536 };

typedef struct engine {
    const bp__conv *c;
    const bp__env *env;
    int64_t size, m, k;      /* m, k: channels of a group, out and in */
    int64_t pad[2];          /* rows and columns of the copy */
    int64_t n_b, columns;    /* blocks; columns of one product */
    int64_t taps_w;          /* products per kernel row */
    int64_t chunk, n_chunks; /* rows of one piece */
    int64_t n_pieces;
    int64_t list_bytes, copy_bytes, sum_bytes, gemm_bytes;
    int64_t *a_offset, *b_offset;
    char *copy, *sum, *per_thread;
    const char *d_y;
} engine;

static int64_t align(int64_t bytes) { return (bytes + 127) / 128 * 128; }

static bp__gemm_args product(const engine *e, int64_t rows) {
    const bp__conv *c = e->c;
    return (bp__gemm_args){.dtype = c->dtype,
                           .m = rows,
                           .n = e->columns,
                           .k = c->out[1],
                           .a = {.row = c->out[0] * c->out[1], .col = 1},
                           .b = {.row = c->stride[1] * e->k, .col = 1},
                           .c = {.row = c->kernel[0] * c->kernel[1] * e->k, .col = 1},
                           .n_b = e->n_b,
                           .epilogue = {.activation = -1}};
}

static void plan(engine *e, const bp__isa *isa, const bp__conv *c) {
    *e = (engine){.c = c, .size = c->dtype == BP_F32 ? 4 : 8};
    const bp__gemm_kernels *kernels = c->dtype == BP_F32 ? isa->f32.gemm : isa->f64.gemm;
    e->m = c->out_channels / c->groups, e->k = c->in_channels / c->groups;
    for (int d = 0; d < 2; d++) e->pad[d] = BP__MAX((c->out[d] - 1) * c->stride[d] + (c->kernel[d] - 1) * c->dilation[d] + 1, 0);
    e->n_b = c->n_images * BP__MAX(c->out[0], 0);
    e->taps_w = c->dilation[1] == 1 ? 1 : c->kernel[1];
    e->columns = c->kernel[1] / e->taps_w * e->k;
    /* Few rows at a time read x in place; where its columns are not whole vectors it is packed, once per piece. */
    e->chunk = e->columns % kernels->w == 0 ? 2 * kernels->mr : e->m;
    e->n_chunks = (e->m + e->chunk - 1) / e->chunk;
    e->n_pieces = c->groups * c->kernel[0] * e->taps_w * e->n_chunks;
    e->list_bytes = align(e->n_b * (int64_t)sizeof(int64_t));
    e->copy_bytes = align((c->groups * c->n_images * e->pad[0] * e->pad[1] * e->k + 16) * e->size);
    e->sum_bytes = align(c->out_channels * c->kernel[0] * c->kernel[1] * e->k * e->size);
    for (int64_t i = 0; i < e->n_chunks;
         i++) { /* chunks differ by a row at most, the last ones are the longest or not: ask for all */
        bp__gemm_args g = product(e, (i + 1) * e->m / e->n_chunks - i * e->m / e->n_chunks);
        e->gemm_bytes = BP__MAX(e->gemm_bytes, align((int64_t)bp__gemm_scratch(isa, &g, 1)));
    }
}

size_t bp__conv2d_grad_weight_scratch(const bp__isa *isa, const bp__conv *c, int n_threads) {
    engine e;
    plan(&e, isa, c);
    return (size_t)(2 * e.list_bytes + e.copy_bytes + e.sum_bytes + e.gemm_bytes * n_threads);
}

/* [group, image, row, column, channel], zero margins, as far as the kernel reaches. */
static void copy_in(const engine *e, const char *x) {
    const bp__conv *c = e->c;
    memset(e->copy, 0, (size_t)e->copy_bytes);
    int64_t n[2], to_first[2];
    for (int d = 0; d < 2; d++) {
        to_first[d] = BP__MIN(c->padding[d], e->pad[d]);
        n[d] = BP__MIN(c->in[d], e->pad[d] - to_first[d]);
        if (n[d] <= 0) return;
    }
    int64_t plane = c->in[0] * c->in[1];
    bp__tensor from = {.data = (void *)x,
                       .n_dims = 5,
                       .dim = {c->groups, c->n_images, n[0], n[1], e->k},
                       .stride = {e->k * plane, c->in_channels * plane, c->in[1], 1, plane},
                       .dtype = (uint8_t)c->dtype};
    bp__tensor to = from;
    to.data = e->copy + (to_first[0] * e->pad[1] + to_first[1]) * e->k * e->size;
    to.stride[4] = 1, to.stride[3] = e->k, to.stride[2] = e->pad[1] * e->k, to.stride[1] = e->pad[0] * to.stride[2];
    to.stride[0] = c->n_images * to.stride[1];
    bp__copy(e->env, &to, &from);
}

static void piece(void *arg, int64_t index, int thread) {
    const engine *e = arg;
    const bp__conv *c = e->c;
    int64_t chunk = index % e->n_chunks, first = chunk * e->m / e->n_chunks, rows = (chunk + 1) * e->m / e->n_chunks - first;
    index /= e->n_chunks;
    int64_t col = index % e->taps_w, row = index / e->taps_w % c->kernel[0], group = index / e->taps_w / c->kernel[0];
    bp__env env = *e->env;
    env.team = NULL, env.scratch = e->per_thread + thread * e->gemm_bytes, env.scratch_bytes = (size_t)e->gemm_bytes;
    bp__gemm_args g = product(e, rows);
    int64_t at = group * c->n_images * e->pad[0] + row * c->dilation[0]; /* row of the copy */
    g.a.data = (void *)(e->d_y + (group * e->m + first) * c->out[0] * c->out[1] * e->size);
    g.b.data = e->copy + (at * e->pad[1] + col * c->dilation[1]) * e->k * e->size;
    g.c.data = e->sum + (((group * e->m + first) * c->kernel[0] + row) * c->kernel[1] + col) * e->k * e->size;
    g.a_offset = e->a_offset, g.b_offset = e->b_offset;
    bp__gemm(&env, &g);
}

void bp__conv2d_grad_weight(const bp__env *env, const bp__conv *c, void *d_weight, const void *d_y, const void *x) {
    engine e;
    plan(&e, env->isa, c);
    if (e.n_b == 0 || c->out[1] <= 0) {
        memset(d_weight, 0, (size_t)(c->out_channels * e.k * c->kernel[0] * c->kernel[1] * e.size));
        return;
    }
    char *at = env->scratch;
    e.env = env, e.d_y = d_y;
    e.a_offset = (int64_t *)(void *)at, at += e.list_bytes;
    e.b_offset = (int64_t *)(void *)at, at += e.list_bytes;
    e.copy = at, at += e.copy_bytes;
    e.sum = at, at += e.sum_bytes;
    e.per_thread = at;
    for (int64_t i = 0; i < c->n_images; i++)
        for (int64_t y = 0; y < c->out[0]; y++) {
            e.a_offset[i * c->out[0] + y] = (i * c->out_channels * c->out[0] + y) * c->out[1];
            e.b_offset[i * c->out[0] + y] = (i * e.pad[0] + y * c->stride[0]) * e.pad[1] * e.k;
        }
    copy_in(&e, x);
    double work = (double)(e.n_b * c->out[1]) * (double)(c->out_channels * c->kernel[0] * c->kernel[1] * e.k);
    if (!env->team || work < SMALL)
        for (int64_t i = 0; i < e.n_pieces; i++) piece(&e, i, 0);
    else
        bp__team_run(env->team, e.n_pieces, piece, &e);
    bp__tensor from = {
        .data = e.sum, .n_dims = 4, .dim = {c->out_channels, e.k, c->kernel[0], c->kernel[1]}, .dtype = (uint8_t)c->dtype};
    bp__tensor to = from;
    to.data = d_weight;
    to.stride[3] = 1, to.stride[2] = c->kernel[1], to.stride[1] = c->kernel[0] * c->kernel[1], to.stride[0] = e.k * to.stride[1];
    from.stride[1] = 1, from.stride[3] = e.k, from.stride[2] = c->kernel[1] * e.k, from.stride[0] = to.stride[0];
    bp__copy(env, &to, &from);
}
