/* The matrix product as it is defined: three loops and fma(). Slow; what the fast one is compared with by memcmp. */
#include "kernel/isa.h"
#include "kernel/gemm_tile.h"
#include <math.h>
#include <string.h>

static double load(bp_dtype type, const void *p, int64_t i) {
    return type == BP_F32 ? ((const float *)p)[i] : ((const double *)p)[i];
}

static double multiply_add(bp_dtype type, double a, double b, double c) {
    return type == BP_F32 ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static double add(bp_dtype type, double a, double b) { return type == BP_F32 ? (double)((float)a + (float)b) : a + b; }

/* Rows of a panel of B: with several blocks, b.row where given (bp__gemm). */
static int64_t b_rows(const bp__gemm_args *g) { return g->n_b > 1 && g->b.row > 0 ? g->b.row : g->k; }

static double rounded(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    bits = bp__bfloat16(bits) << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Products [first, first + count) of every block, one chain. Of pairs of rounded numbers, the second comes first. */
static double chain(const bp__gemm_args *g, int64_t i, int64_t j, int64_t first, int64_t count) {
    double sum = 0;
    for (int64_t block = 0; block < g->n_b; block++) {
        int64_t a0 = g->a_offset ? g->a_offset[block] : 0, b0 = g->b_offset ? g->b_offset[block] : 0;
        for (int64_t q = 0; q < (g->pairs ? (count + 1) / 2 * 2 : count); q++) {
            int64_t p = first + (g->pairs ? q ^ 1 : q);
            double a = 0, b = 0;
            if (p < first + count) {
                a = load(g->dtype, g->a.data, a0 + bp__matrix_at(&g->a, g->m, i, p));
                b = load(g->dtype, g->b.data, b0 + bp__matrix_at(&g->b, b_rows(g), p, j));
            }
            sum = multiply_add(g->dtype, g->pairs ? rounded(a) : a, g->pairs ? rounded(b) : b, sum);
        }
    }
    return sum;
}

/* Leaves first … first + count of a long chain: neighbours are added, then neighbours of those; a last one without
   neighbour goes up as it is. That is: split at the largest power of two below count. */
static int64_t leaf(const bp__gemm_args *g) { return g->pairs ? 2 * BP__K_LEAF : BP__K_LEAF; }
static double tree(const bp__gemm_args *g, int64_t i, int64_t j, int64_t first, int64_t count) {
    if (count == 1) {
        int64_t p = first * leaf(g);
        return chain(g, i, j, p, BP__MIN(leaf(g), g->k - p));
    }
    int64_t half = 1;
    while (2 * half < count) half *= 2;
    double left = tree(g, i, j, first, half);
    return add(g->dtype, left, tree(g, i, j, first + half, count - half));
}

static void store(bp_dtype type, void *p, int64_t i, double x) {
    if (type == BP_F32)
        ((float *)p)[i] = (float)x;
    else
        ((double *)p)[i] = x;
}

static double activate(bp_dtype type, int op, double x) {
    if (type == BP_F32) {
        float y = (float)x;
        bp__isa_scalar.f32.ew[op](&y, &y, NULL, NULL, 0, 0, 1);
        return y;
    }
    bp__isa_scalar.f64.ew[op](&x, &x, NULL, NULL, 0, 0, 1);
    return x;
}

void bp__gemm_reference(const bp__gemm_args *args) {
    bp__gemm_args copy = *args, *g = &copy;
    if (g->n_b < 1) g->n_b = 1;
    const bp__epilogue *e = &g->epilogue;
    const bp_dtype type = g->dtype;
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            int64_t n_leaves = (g->k + leaf(g) - 1) / leaf(g);
            double x = g->n_b == 1 && n_leaves > 2 ? tree(g, i, j, 0, n_leaves) : chain(g, i, j, 0, g->k);
            if (e->bias) x = add(type, x, load(type, e->bias, j));
            if (e->residual.data) x = add(type, x, load(type, e->residual.data, bp__matrix_at(&e->residual, g->m, i, j)));
            if (e->activation >= 0) x = activate(type, e->activation, x);
            if (e->mask.data) x = load(type, e->mask.data, bp__matrix_at(&e->mask, g->m, i, j)) > 0 ? x : 0;
            int64_t at = bp__matrix_at(&g->c, g->m, i, j);
            if (e->accumulate) x = add(type, load(type, g->c.data, at), x);
            store(type, g->c.data, at, x);
        }
    if (!g->c.panels || g->n % BP__PANEL == 0) return;
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = g->n; j % BP__PANEL; j++) store(type, g->c.data, bp__matrix_at(&g->c, g->m, i, j), 0);
}
