/* Initialisers: torch.nn.init's formulas over numbers of core/rng.h, in double, one thread, no libm. */
#include "graph/initialize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"

/* ---- Constructors ---- */

bp_init bp_zeros(void) { return (bp_init){.kind = BP_INIT_ZEROS}; }
bp_init bp_filled(double value) { return (bp_init){.kind = BP_INIT_CONSTANT, .a = value}; }
bp_init bp_uniform_init(double low, double high) { return (bp_init){.kind = BP_INIT_UNIFORM, .a = low, .b = high}; }
bp_init bp_normal_init(double mean, double deviation) { return (bp_init){.kind = BP_INIT_NORMAL, .a = mean, .b = deviation}; }
bp_init bp_trunc_normal_init(double mean, double deviation, double low, double high) {
    return (bp_init){.kind = BP_INIT_TRUNC_NORMAL, .a = mean, .b = deviation, .c = low, .d = high};
}
bp_init bp_variance_scaling(double scale, bp_fan fan, bp_spread spread) {
    return (bp_init){.kind = BP_INIT_SCALED, .a = scale, .fan = fan, .spread = spread};
}
bp_init bp_kaiming_uniform(void) { return bp_variance_scaling(1.0 / 3, BP_FAN_IN, BP_SPREAD_UNIFORM); }
bp_init bp_kaiming_init(double gain, bp_fan fan, bp_spread spread) { return bp_variance_scaling(gain * gain, fan, spread); }
bp_init bp_xavier_init(double gain, bp_spread spread) { return bp_variance_scaling(gain * gain, BP_FAN_AVG, spread); }
bp_init bp_lecun_init(bp_spread spread) { return bp_variance_scaling(1, BP_FAN_IN, spread); }
bp_init bp_eye_init(void) { return (bp_init){.kind = BP_INIT_EYE}; }
bp_init bp_dirac_init(int64_t groups) { return (bp_init){.kind = BP_INIT_DIRAC, .a = (double)groups}; }
bp_init bp_orthogonal_init(double gain) { return (bp_init){.kind = BP_INIT_ORTHOGONAL, .a = gain}; }
bp_init bp_sparse_init(double sparsity, double deviation) {
    return (bp_init){.kind = BP_INIT_SPARSE, .a = sparsity, .b = deviation};
}

double bp_init_gain(const char *nonlinearity, double slope) {
    static const char *const plain[] = {"linear", "conv1d", "conv2d", "sigmoid"};
    for (int64_t i = 0; i < BP__COUNT(plain); i++)
        if (strcmp(nonlinearity, plain[i]) == 0) return 1;
    if (strcmp(nonlinearity, "tanh") == 0) return 5.0 / 3;
    if (strcmp(nonlinearity, "relu") == 0) return sqrt(2.0);
    if (strcmp(nonlinearity, "leaky_relu") == 0) return sqrt(2 / (1 + slope * slope));
    return strcmp(nonlinearity, "selu") == 0 ? 0.75 : (double)NAN;
}

/* ---- Values ---- */

const char *bp__init_unfit(bp_init init, const bp_dims *dims) {
    switch (init.kind) {
    case BP_INIT_EYE:
    case BP_INIT_SPARSE: return dims->n == 2 ? NULL : "needs a matrix";
    case BP_INIT_SCALED:
    case BP_INIT_ORTHOGONAL: return dims->n >= 2 ? NULL : "needs two axes at least: a vector has no fan";
    case BP_INIT_DIRAC:
        if (dims->n < 3 || dims->n > 5) return "needs the weight of a convolution";
        return init.a >= 1 && dims->dim[0] % (int64_t)init.a == 0 ? NULL : "needs `groups` that divide the channels out";
    default: return NULL;
    }
}

static double fan_of(const bp_dims *d, bp_fan fan) {
    double rest = 1;
    for (int64_t i = 2; i < d->n; i++) rest *= (double)d->dim[i];
    double in = (double)d->dim[1] * rest, out = (double)d->dim[0] * rest;
    double both[] = {in, out, (in + out) / 2};
    return BP__MAX(both[fan], 1);
}

static void uniform(double *v, bp__stream s, int64_t n, double low, double high) {
    bp__uniform_f64(v, s, 0, 0, n);
    for (int64_t i = 0; i < n; i++) v[i] = low + (high - low) * v[i];
}
static void normal(double *v, bp__stream s, int64_t n, double mean, double deviation) {
    bp__normal_f64(v, s, 0, 0, n);
    for (int64_t i = 0; i < n; i++) v[i] = mean + deviation * v[i];
}

static void scaled(double *v, bp__stream s, int64_t n, bp_init init, const bp_dims *d) {
    double variance = init.a / fan_of(d, init.fan), bound = sqrt(3 * variance);
    if (init.spread == BP_SPREAD_UNIFORM) {
        uniform(v, s, n, -bound, bound);
    } else if (init.spread == BP_SPREAD_NORMAL) {
        normal(v, s, n, 0, sqrt(variance));
    } else {
        double deviation = sqrt(variance) / 0.87962566103423978; /* of a standard normal cut at -2 and 2 */
        bp__trunc_normal_f64(v, s, 0, 0, n, 0, deviation, -2 * deviation, 2 * deviation);
    }
}

/* Eight sums, then one: one order whatever the compiler does. */
static double dot(const double *a, const double *b, int64_t n) {
    double s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* Gram and Schmidt's process on normal vectors, each vector freed twice from those before it ("twice is enough", Parlett 1980):
   the QR decomposition with a positive diagonal, as torch's orthogonal_ after its change of signs. */
static bp_status orthogonal(bp_context *ctx, double *v, bp__stream s, int64_t rows, int64_t columns, double gain) {
    int64_t few = BP__MIN(rows, columns), many = BP__MAX(rows, columns);
    double *q = rows <= columns ? v : bp__alloc(ctx, sizeof(double) * (size_t)(rows * columns)); /* [few, many] */
    if (!q) return bp__out_of_memory(ctx, sizeof(double) * (size_t)(rows * columns));
    normal(q, s, rows * columns, 0, 1);
    for (int64_t i = 0; i < few; i++) {
        double *x = q + i * many;
        for (int64_t j = 0; j < 2 * i; j++) {
            const double *y = q + (j < i ? j : j - i) * many;
            double part = dot(x, y, many);
            for (int64_t k = 0; k < many; k++) x[k] -= part * y[k];
        }
        double length = sqrt(dot(x, x, many));
        for (int64_t k = 0; k < many && length > 0; k++) x[k] /= length;
    }
    if (q == v) {
        for (int64_t i = 0; i < rows * columns; i++) v[i] *= gain;
        return BP_OK;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) v[r * columns + c] = gain * q[c * rows + r];
    bp__free(ctx, q);
    return BP_OK;
}

static bp_status sparse(bp_context *ctx, double *v, bp__stream s, const char *name, int64_t rows, int64_t columns, bp_init init) {
    char role[512];
    snprintf(role, sizeof role, "%s/sparse", name);
    int64_t *order = bp__alloc(ctx, sizeof(int64_t) * (size_t)rows), zeros = (int64_t)ceil(init.a * (double)rows);
    if (!order) return bp__out_of_memory(ctx, 0);
    normal(v, s, rows * columns, 0, init.b);
    for (int64_t c = 0; c < columns; c++) {
        bp__permutation(order, (bp__stream){s.seed, bp__stream_id(role), (uint32_t)c}, rows);
        for (int64_t i = 0; i < zeros && i < rows; i++) v[order[i] * columns + c] = 0;
    }
    bp__free(ctx, order);
    return BP_OK;
}

static void dirac(double *v, const bp_dims *d, int64_t groups) {
    int64_t taps = 1, middle = 0, each = d->dim[0] / groups;
    for (int64_t i = 2; i < d->n; i++) {
        taps *= d->dim[i];
        middle = middle * d->dim[i] + d->dim[i] / 2;
    }
    for (int64_t g = 0; g < groups; g++)
        for (int64_t c = 0; c < BP__MIN(each, d->dim[1]); c++) v[((g * each + c) * d->dim[1] + c) * taps + middle] = 1;
}

bp_status bp__init_values(bp_context *ctx, const char *name, bp_init init, const bp_dims *d, double *v) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    char role[512];
    snprintf(role, sizeof role, "%s/init", name);
    bp__stream s = {.seed = bp__context_seed(ctx), .stream = bp__stream_id(role)};
    for (int64_t i = 0; i < n; i++) v[i] = init.kind == BP_INIT_CONSTANT ? init.a : 0;
    if (n == 0) return BP_OK;
    switch (init.kind) {
    case BP_INIT_ZEROS:
    case BP_INIT_CONSTANT: break;
    case BP_INIT_UNIFORM: uniform(v, s, n, init.a, init.b); break;
    case BP_INIT_NORMAL: normal(v, s, n, init.a, init.b); break;
    case BP_INIT_TRUNC_NORMAL: bp__trunc_normal_f64(v, s, 0, 0, n, init.a, init.b, init.c, init.d); break;
    case BP_INIT_SCALED: scaled(v, s, n, init, d); break;
    case BP_INIT_EYE:
        for (int64_t i = 0; i < BP__MIN(d->dim[0], d->dim[1]); i++) v[i * d->dim[1] + i] = 1;
        break;
    case BP_INIT_DIRAC: dirac(v, d, (int64_t)init.a); break;
    case BP_INIT_ORTHOGONAL: return orthogonal(ctx, v, s, d->dim[0], n / d->dim[0], init.a);
    case BP_INIT_SPARSE: return sparse(ctx, v, s, name, d->dim[0], d->dim[1], init);
    }
    return BP_OK;
}
