/* Element-wise formulas: equal bits on every instruction set, accuracy in ulp, and the driver against a plain loop. */
#include "kernel/isa.h"
#include "kernel/ew_emit.h"
#include "kernel/ew_move.h"
#include "core/cpu.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t random_state = 0x9e3779b97f4a7c15;
static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1d;
}
static double uniform(double lo, double hi) { return lo + (hi - lo) * (double)(random_bits() >> 11) * 0x1p-53; }

/* ---- Equal bits ---------------------------------------------------------------------------------------------------------- */

static const double specials[] = {0.0,
                                  -0.0,
                                  1,
                                  -1,
                                  0.5,
                                  -0.5,
                                  2,
                                  -2,
                                  3,
                                  -3,
                                  4,
                                  20,
                                  -20,
                                  88,
                                  -88,
                                  104,
                                  -104,
                                  709,
                                  -709,
                                  1e5,
                                  -1e5,
                                  1e30,
                                  -1e30,
                                  0x1p-126,
                                  -0x1p-126,
                                  0x1p-130,
                                  0x1p-1022,
                                  0x1p-1060,
                                  0x1.fffffep127,
                                  -0x1.fffffep127,
                                  0x1.fffffffffffffp1023,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  1.5,
                                  2.5,
                                  -2.5,
                                  0x1p23,
                                  0x1p24,
                                  0x1p52,
                                  0x1p53,
                                  0x1.921fb6p0,
                                  0x1.6a09e6p0,
                                  0x1.6a09e6p-1,
                                  6,
                                  7.5};

static double any_number(bool single) {
    switch (random_bits() % 4) {
    case 0: return specials[random_bits() % (sizeof specials / sizeof *specials)];
    case 1: return uniform(-3, 3);
    case 2: return uniform(-100, 100);
    default: {
        double x = ldexp(uniform(1, 2), (int)(random_bits() % (single ? 270 : 2100)) - (single ? 140 : 1060));
        return random_bits() & 1 ? x : -x;
    }
    }
}

/* Equal bits, any NaN being as good as another. */
static bool same(const void *x, const void *y, int64_t n, bool single) {
    for (int64_t i = 0; i < n; i++) {
        if (single) {
            float a = ((const float *)x)[i], b = ((const float *)y)[i];
            if (memcmp(&a, &b, sizeof a) && !(a != a && b != b)) return false;
        } else {
            double a = ((const double *)x)[i], b = ((const double *)y)[i];
            if (memcmp(&a, &b, sizeof a) && !(a != a && b != b)) return false;
        }
    }
    return true;
}

static void parameters(int op, double *p, double *q) {
    *p = *q = 0;
#define P0
#define P1(name, value) *p = value;
#define P2(name, value, name2, value2) *p = value, *q = value2;
    switch (op) {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) \
    case BP__EW_##name:                                          \
        params break;
#include "kernel/elementwise.def"
#undef EW
    default: break;
    }
}

#define N_MOST 512
static void equal_bits(const bp__isa *isa, bool single, bool flush) {
    const bp__isa *plain = bp__isa_find("scalar");
    static double in[3][N_MOST + 1], want[N_MOST + 1], got[N_MOST + 1];
    bp__fpenv fp = {0};
    for (int op = 0; op < BP__EW_COUNT; op++) {
        double p, q;
        parameters(op, &p, &q);
        for (int round = 0; round < 48; round++) {
            int64_t n = round < 36 ? round : round < 45 ? (int64_t)(random_bits() % N_MOST) : N_MOST;
            for (int k = 0; k < 3; k++)
                for (int64_t i = 0; i < n + 1; i++) {
                    double x = any_number(single);
                    if (single)
                        ((float *)(void *)in[k])[i] = (float)x;
                    else
                        in[k][i] = x;
                }
            memset(want, 0x55, sizeof want);
            memset(got, 0x55, sizeof got);
            if (flush) fp = bp__fpenv_enter();
            (single ? plain->f32 : plain->f64).ew[op](want, in[0], in[1], in[2], p, q, n);
            (single ? isa->f32 : isa->f64).ew[op](got, in[0], in[1], in[2], p, q, n);
            if (flush) bp__fpenv_leave(fp);
            for (int64_t i = 0; i < n; i++) {
                size_t item = single ? 4 : 8;
                if (same((char *)want + i * (int64_t)item, (char *)got + i * (int64_t)item, 1, single)) continue;
                double a = single ? ((float *)(void *)in[0])[i] : in[0][i], b = single ? ((float *)(void *)in[1])[i] : in[1][i];
                fail_msg("%s %s %s: (%a, %a) gives %a, plain %a", isa->name, single ? "f32" : "f64", bp__ew_name(op), a, b,
                         single ? ((float *)(void *)got)[i] : got[i], single ? ((float *)(void *)want)[i] : want[i]);
            }
            /* nothing behind the tile was written */
            if (single)
                assert_memory_equal((float *)(void *)got + n, (float *)(void *)want + n, 4 * (size_t)(N_MOST - n));
            else
                assert_memory_equal(got + n, want + n, 8 * (size_t)(N_MOST - n));
        }
    }
}
static void test_equal_bits(void **state) {
    (void)state;
    for (int i = 0; bp__isa_list(i); i++)
        for (int k = 0; k < 4 && strcmp(bp__isa_list(i), "scalar"); k++) equal_bits(bp__isa_find(bp__isa_list(i)), k & 1, k & 2);
}

/* ---- Accuracy ---------------------------------------------------------------------------------------------------------------
 */

typedef long double ld;
static ld r_sigmoid(ld x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static ld r_softplus(ld x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
static ld r_log_sigmoid(ld x) { return -r_softplus(-x); }
static ld r_rsqrt(ld x) { return 1 / sqrtl(x); }
static ld r_log10(ld x) { return log10l(x); }
static ld r_logit(ld x) { return logl(x / (1 - x)); }
/* Derivatives of lgamma by other means than the kernels': steps up to 40, then the asymptotic series; below 0 steps too. */
static ld r_digamma(ld x) {
    ld sum = 0;
    for (; x < 40; x += 1) sum -= 1 / x;
    ld z = 1 / (x * x);
    return sum + logl(x) - 1 / (2 * x) - z * (1.0L / 12 - z * (1.0L / 120 - z * (1.0L / 252 - z * (1.0L / 240 - z / 132))));
}
static ld r_trigamma(ld x) {
    ld sum = 0;
    for (; x < 40; x += 1) sum += 1 / (x * x);
    ld z = 1 / (x * x);
    return sum + (1 + 1 / (2 * x) + z * (1.0L / 6 - z * (1.0L / 30 - z * (1.0L / 42 - z * (1.0L / 30 - z * 5 / 66))))) / x;
}
typedef struct accuracy {
    int op;
    ld (*f)(ld);
    double lo, hi;           /* uniform samples */
    double least, most;      /* samples of all magnitudes; negative as well when lo < 0 */
    double bound32, bound64; /* ulp */
    bool to_one;             /* of the result or of 1, whichever is larger: near zeros of the function */
} accuracy;
static const accuracy accuracies[] = {
    {BP__EW_exp, expl, -740, 709.7, 1e-30, 700, 1, 1, false},
    {BP__EW_exp2, exp2l, -1070, 1023.9, 1e-30, 1000, 1, 1, false},
    {BP__EW_expm1, expm1l, -40, 709.7, 1e-300, 700, 1.5, 1.5, false},
    {BP__EW_log, logl, 0.3, 3, 3e-308, 1.7e308, 1, 1, false},
    {BP__EW_log2, log2l, 0.3, 3, 3e-308, 1.7e308, 1, 1, false},
    {BP__EW_log10, r_log10, 0.3, 3, 3e-308, 1.7e308, 1, 1, false},
    {BP__EW_log1p, log1pl, -0.999, 3, 1e-300, 1.7e308, 1.5, 1.5, false},
    {BP__EW_sqrt, sqrtl, 0, 100, 1e-300, 1e300, 0.5001, 0.5001, false},
    {BP__EW_rsqrt, r_rsqrt, 0.01, 100, 1e-300, 1e300, 1.5, 1.5, false},
    {BP__EW_sin, sinl, -100, 100, 1e-300, 1e300, 1, 1, false},
    {BP__EW_cos, cosl, -100, 100, 1e-300, 1e300, 1, 1, false},
    {BP__EW_tan, tanl, -100, 100, 1e-300, 1e300, 1, 1, false},
    {BP__EW_asin, asinl, -1, 1, 1e-300, 1, 1, 1, false},
    {BP__EW_acos, acosl, -1, 1, 1e-300, 1, 1, 1, false},
    {BP__EW_atan, atanl, -10, 10, 1e-300, 1e300, 2, 2, false},
    {BP__EW_sinh, sinhl, -710, 710, 1e-300, 700, 2, 2, false},
    {BP__EW_cosh, coshl, -710, 710, 1e-300, 700, 2, 2, false},
    {BP__EW_tanh, tanhl, -20, 20, 1e-300, 1e300, 1.5, 1.5, false},
    {BP__EW_asinh, asinhl, -10, 10, 1e-300, 1e300, 2, 2, false},
    {BP__EW_acosh, acoshl, 1, 10, 1, 1e300, 2, 2, false},
    {BP__EW_atanh, atanhl, -1, 1, 1e-300, 1, 2, 2, false},
    {BP__EW_erf, erfl, -6, 6, 1e-300, 1e300, 1.5, 1.5, false},
    {BP__EW_erfc, erfcl, -6, 26, 1e-300, 20, 1.5, 1.5, false},
    {BP__EW_sigmoid, r_sigmoid, -700, 50, 1e-300, 700, 2, 2, false},
    {BP__EW_softplus, r_softplus, -700, 19, 1e-300, 19, 2, 2, false},
    {BP__EW_log_sigmoid, r_log_sigmoid, -50, 700, 1e-300, 700, 2, 2, false},
    {BP__EW_logit, r_logit, 0, 1, 1e-300, 1, 2, 2, true},
    {BP__EW_lgamma, lgammal, 0, 20, 1e-300, 1e300, 3, 3, false},
    {BP__EW_lgamma, lgammal, -20, 1, 1e-3, 20, 4, 4, true},
    {BP__EW_digamma, r_digamma, 0, 40, 1e-300, 1e300, 2, 2, true},
    {BP__EW_digamma, r_digamma, -5, 1, 1e-3, 5, 2, 2, true},
    {BP__EW_polygamma, r_trigamma, 0, 40, 1e-100, 1e300, 6, 6, false},
    {BP__EW_polygamma, r_trigamma, -5, 1, 1e-3, 5, 10, 10, true},
};

static double ulp_error(double got, ld want, bool single, bool to_one) {
    int digits = single ? 24 : 53, least = single ? -126 : -1022;
    double most = single ? 0x1.fffffep127 : 0x1.fffffffffffffp1023;
    if (want != want) return got != got ? 0 : 1e9;
    if (fabsl(want) > (ld)most) return isinf(got) || fabs(got) == most ? 0 : 1e9;
    if (fabsl(want) < ldexpl(1, least)) return fabsl((ld)got - want) <= ldexpl(1, least) ? 0 : 1e9;
    return (double)(fabsl((ld)got - want) / ldexpl(1, (to_one && fabsl(want) < 1 ? 0 : ilogbl(want)) - digits + 1));
}

static double sample(double lo, double hi, double least, double most, bool single, bool wide) {
    if (single) {
        least = fmax(least, 0x1p-126);
        most = fmin(most, 0x1.fffffep127);
    }
    double x = wide ? copysign(fmin(most, exp(uniform(log(least), log(most)))), lo < 0 && (random_bits() & 1) ? -1 : 1)
                    : uniform(lo, hi);
    return single ? (double)(float)x : x;
}

static void test_accuracy(void **state) {
    (void)state;
    const bp__isa *isa = bp__isa_find(NULL);
    static double x[N_MOST], y[N_MOST];
    int bad = 0;
    for (size_t a = 0; a < sizeof accuracies / sizeof *accuracies; a++) {
        const accuracy *t = &accuracies[a];
        double p, q, worst[2] = {0, 0}, where[2] = {0, 0};
        parameters(t->op, &p, &q);
        for (int single = 0; single < 2; single++)
            for (int round = 0; round < 120; round++) {
                double lo = t->lo, hi = t->hi;
                if (single && round % 2 && t->hi - t->lo > 150) lo = fmax(lo, -104), hi = fmin(hi, 89); /* float's range */
                for (int i = 0; i < N_MOST; i++) {
                    x[i] = sample(lo, hi, t->least, t->most, single, round % 4 == 0);
                    if (t->op == BP__EW_acosh && x[i] < 1) x[i] = 1;
                    if (single) ((float *)(void *)y)[i] = (float)x[i];
                }
                if (single)
                    isa->f32.ew[t->op](y, y, NULL, NULL, p, q, N_MOST);
                else
                    isa->f64.ew[t->op](y, x, NULL, NULL, p, q, N_MOST);
                for (int i = 0; i < N_MOST; i++) {
                    double e = ulp_error(single ? (double)((float *)(void *)y)[i] : y[i], t->f((ld)x[i]), single, t->to_one);
                    if (e > worst[single]) worst[single] = e, where[single] = x[i];
                }
            }
        bool over = worst[1] > t->bound32 || worst[0] > t->bound64;
        bad += over;
        printf("  %-12s f32 %.3f ulp (bound %.1f, at %a), f64 %.3f ulp (bound %.1f, at %a)%s\n", bp__ew_name(t->op), worst[1],
               t->bound32, where[1], worst[0], t->bound64, where[0], over ? " TOO MUCH" : "");
    }
    assert_int_equal(bad, 0);
}

static ld r_fmod(ld a, ld b) { return fmodl(a, b); }
static ld r_remainder(ld a, ld b) {
    ld r = fmodl(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static void test_accuracy_of_two(void **state) {
    (void)state;
    static const struct {
        int op;
        ld (*f)(ld, ld);
        double bound;
    } two[] = {{BP__EW_pow, powl, 1},
               {BP__EW_atan2, atan2l, 2},
               {BP__EW_hypot, hypotl, 1.5},
               {BP__EW_fmod, r_fmod, 0},
               {BP__EW_remainder, r_remainder, 0.5}};
    const bp__isa *isa = bp__isa_find(NULL);
    for (size_t t = 0; t < sizeof two / sizeof *two; t++)
        for (int single = 0; single < 2; single++) {
            double worst = 0, wa = 0, wb = 0;
            for (int i = 0; i < 300000; i++) {
                double a = i % 2 ? uniform(0.01, 10) : ldexp(uniform(1, 2), (int)(random_bits() % 200) - 100);
                double b = i % 3 ? uniform(-20, 20) : ldexp(uniform(1, 2), (int)(random_bits() % 20) - 10), y;
                if (two[t].op != BP__EW_pow && random_bits() & 1) a = -a;
                if (single) {
                    float fa = (float)a, fb = (float)b, fy;
                    isa->f32.ew[two[t].op](&fy, &fa, &fb, NULL, 0, 0, 1);
                    a = fa, b = fb, y = fy;
                } else {
                    isa->f64.ew[two[t].op](&y, &a, &b, NULL, 0, 0, 1);
                }
                double e = ulp_error(y, two[t].f((ld)a, (ld)b), single, false);
                if (e > worst) worst = e, wa = a, wb = b;
            }
            printf("  %-12s %s %.3f ulp (bound %.1f, at %a, %a)\n", bp__ew_name(two[t].op), single ? "f32" : "f64", worst,
                   two[t].bound, wa, wb);
            assert_true(worst <= two[t].bound);
        }
}

static double d_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double d_silu(double x) { return x / (1 + exp(-x)); }
static double d_mish(double x) { return x * tanh(log1p(exp(x))); }
static double d_selu(double x) { return x > 0 ? 1.0507009873554804934 * x : 1.7580993408473768599 * expm1(x); }
static double d_gaussian(double x) { return exp(-x * x); }

/* Zeros, infinities, NaN as the C library has them, or the formula in its functions. */
static void test_special_values(void **state) {
    (void)state;
    static const double x[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e300, -1e300, 1.5, -1.5};
    static const struct {
        int op;
        double (*f)(double);
    } one[] = {{BP__EW_exp, exp},     {BP__EW_exp2, exp2},   {BP__EW_expm1, expm1},   {BP__EW_log, log},
               {BP__EW_log2, log2},   {BP__EW_log10, log10}, {BP__EW_log1p, log1p},   {BP__EW_sqrt, sqrt},
               {BP__EW_sin, sin},     {BP__EW_cos, cos},     {BP__EW_tan, tan},       {BP__EW_asin, asin},
               {BP__EW_acos, acos},   {BP__EW_atan, atan},   {BP__EW_sinh, sinh},     {BP__EW_cosh, cosh},
               {BP__EW_tanh, tanh},   {BP__EW_asinh, asinh}, {BP__EW_acosh, acosh},   {BP__EW_atanh, atanh},
               {BP__EW_erf, erf},     {BP__EW_erfc, erfc},   {BP__EW_lgamma, lgamma}, {BP__EW_floor, floor},
               {BP__EW_ceil, ceil},   {BP__EW_trunc, trunc}, {BP__EW_round, rint},    {BP__EW_sigmoid, d_sigmoid},
               {BP__EW_silu, d_silu}, {BP__EW_mish, d_mish}, {BP__EW_selu, d_selu},   {BP__EW_gaussian, d_gaussian}};
    static const struct {
        int op;
        double (*f)(double, double);
    } two[] = {{BP__EW_pow, pow}, {BP__EW_atan2, atan2}, {BP__EW_hypot, hypot}, {BP__EW_fmod, fmod}};
    const bp__isa *isa = bp__isa_find("scalar");
    for (size_t t = 0; t < sizeof one / sizeof *one; t++)
        for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
            double y, want = one[t].f(x[i]);
            isa->f64.ew[one[t].op](&y, &x[i], NULL, NULL, 0, 0, 1);
            bool ok = want != want               ? y != y
                      : isinf(want) || want == 0 ? y == want && signbit(y) == signbit(want)
                                                 : fabs(y - want) <= 1e-15 * fabs(want);
            if (!ok) fail_msg("%s(%a) = %a, not %a", bp__ew_name(one[t].op), x[i], y, want);
        }
    for (size_t t = 0; t < sizeof two / sizeof *two; t++)
        for (size_t i = 0; i < sizeof x / sizeof *x; i++)
            for (size_t j = 0; j < sizeof x / sizeof *x; j++) {
                double y, want = two[t].f(x[i], x[j]);
                isa->f64.ew[two[t].op](&y, &x[i], &x[j], NULL, 0, 0, 1);
                bool ok = want != want               ? y != y
                          : isinf(want) || want == 0 ? y == want && signbit(y) == signbit(want)
                                                     : fabs(y - want) <= 1e-15 * fabs(want);
                if (!ok) fail_msg("%s(%a, %a) = %a, not %a", bp__ew_name(two[t].op), x[i], x[j], y, want);
            }
}

/* ---- The driver ---- */

typedef struct run_context {
    bp_context *ctx;
    bp__team *team;
    bp__env env;
} run_context;
static void run_begin(run_context *r, const char *isa, const bp__ew_program *p, int threads) {
    assert_int_equal(bp_context_new(&r->ctx, NULL), BP_OK);
    assert_int_equal(bp__team_new(&r->team, r->ctx, threads), BP_OK);
    size_t bytes = bp__ew_scratch(p, threads);
    r->env = (bp__env){.isa = bp__isa_find(isa), .team = r->team, .scratch = bp__alloc(r->ctx, bytes), .scratch_bytes = bytes};
    assert_non_null(r->env.scratch);
}
static void run_end(run_context *r) {
    bp__free(r->ctx, r->env.scratch);
    bp__team_free(r->team);
    bp_context_free(r->ctx);
}

/* A random tensor that broadcasts to dim; memory from malloc, filled. */
static bp__tensor random_tensor(const int64_t *dim, int n_dims, bp_dtype dtype, bool plain) {
    bp__tensor t = {.n_dims = n_dims, .dtype = (uint8_t)dtype};
    int64_t step = 1;
    int style = plain ? 0 : (int)(random_bits() % 5);
    for (int i = n_dims - 1; i >= 0; i--) {
        t.dim[i] = dim[i];
        bool broadcast = style == 1 || (style == 2 && (random_bits() & 1)) || (style == 3 && i < n_dims - 1);
        t.stride[i] = broadcast ? 0 : step;
        if (!broadcast) step *= dim[i] * (style == 4 ? 2 : 1);
    }
    t.data = malloc((size_t)(step + 1) * 8);
    assert_non_null(t.data);
    for (int64_t i = 0; i < step + 1; i++) {
        double x = uniform(-3, 3);
        if (dtype == BP_F32) ((float *)t.data)[i] = (float)x;
        if (dtype == BP_F64) ((double *)t.data)[i] = x;
        if (dtype == BP_I32) ((int32_t *)t.data)[i] = (int32_t)(random_bits() % 7) - 3;
        if (dtype == BP_I64) ((int64_t *)t.data)[i] = (int64_t)(random_bits() % 7) - 3;
        if (dtype == BP_U8) ((uint8_t *)t.data)[i] = (uint8_t)(random_bits() % 4);
    }
    return t;
}
static double element(const bp__tensor *t, int64_t i) {
    int64_t offset = 0;
    if (t->panels) {
        int64_t c = i / t->dim[1], r = i % t->dim[1];
        offset = (c / BP__PANEL * t->dim[1] + r) * BP__PANEL + c % BP__PANEL;
    } else {
        for (int d = t->n_dims - 1; d >= 0; d--) {
            offset += i % t->dim[d] * t->stride[d];
            i /= t->dim[d];
        }
    }
    switch ((bp_dtype)t->dtype) {
    case BP_F32: return ((float *)t->data)[offset];
    case BP_F64: return ((double *)t->data)[offset];
    case BP_I32: return ((int32_t *)t->data)[offset];
    case BP_I64: return (double)((int64_t *)t->data)[offset];
    default: return ((uint8_t *)t->data)[offset];
    }
}
/* Output o at element i by the plain formulas on single numbers. */
static double naive(const bp__ew_program *p, const bp__tensor *group, int o, int64_t i) {
    double reg[16];
    float reg32[16];
    const bp__isa *plain = bp__isa_find("scalar");
    for (int k = 0; k < p->n_in + p->n_const; k++) {
        reg[k] = k < p->n_in ? element(&group[k], i) : p->constant[k - p->n_in];
        reg32[k] = (float)reg[k];
    }
    for (int k = 0; k < p->n_instr; k++) {
        const bp__ew_instr *s = &p->instr[k];
        if (p->type == BP_F32)
            plain->f32.ew[s->op](&reg32[s->dst], &reg32[s->src[0]], &reg32[s->src[1]], &reg32[s->src[2]], s->p, s->q, 1);
        else
            plain->f64.ew[s->op](&reg[s->dst], &reg[s->src[0]], &reg[s->src[1]], &reg[s->src[2]], s->p, s->q, 1);
    }
    return p->type == BP_F32 ? reg32[p->out[o]] : reg[p->out[o]];
}

static const double constants[] = {0.75, -1.5};
/* in 0 1 2, constants 3 4; out: tanh(a + b * 0.75), the mask a > c, and the first register that is an input as well */
static const bp__ew_instr instr[] = {{BP__EW_mul, 5, {1, 3, 0}, 0, 0},           {BP__EW_add, 5, {0, 5, 0}, 0, 0},
                                     {BP__EW_tanh, 6, {5, 0, 0}, 0, 0},          {BP__EW_gt, 7, {0, 2, 0}, 0, 0},
                                     {BP__EW_leaky_relu, 5, {2, 0, 0}, 0.25, 0}, {BP__EW_fma, 6, {6, 4, 5}, 0, 0}};
static const uint16_t outs[] = {6, 7, 0};
static bp__ew_program test_program(bp_dtype type) {
    return (bp__ew_program){.type = type,
                            .n_in = 3,
                            .n_const = 2,
                            .n_reg = 8,
                            .n_out = 3,
                            .n_instr = 6,
                            .constant = constants,
                            .out = outs,
                            .instr = instr};
}

static void check_output(const bp__ew_program *p, const bp__tensor *group, const bp__tensor *copy, int o) {
    for (int64_t i = 0; i < bp__tensor_count(&group[p->n_in + o]); i++) {
        double want = naive(p, copy, o, i), got = element(&group[p->n_in + o], i);
        if (group[p->n_in + o].dtype == BP_F32) want = (double)(float)want;
        if (group[p->n_in + o].dtype >= BP_I32) want = trunc(want);
        if (want != got) fail_msg("output %d, element %lld: %a, not %a", o, (long long)i, got, want);
    }
}

static void test_driver(void **state) {
    (void)state;
    for (int round = 0; round < 120; round++) {
        bp__ew_program p = test_program(round % 2 ? BP_F32 : BP_F64);
        int64_t n_segments = 1 + round % 4, dim[BP__MAX_DIMS];
        bp__tensor group[4 * 6];
        for (int64_t g = 0; g < n_segments; g++) {
            int n_dims = (int)(random_bits() % 4);
            for (int i = 0; i < n_dims; i++) dim[i] = 1 + (int64_t)(random_bits() % (round % 10 == 0 ? 40 : 13));
            if (round % 7 == 0 && n_dims > 1) dim[n_dims - 1] = 700;
            for (int k = 0; k < 3; k++) {
                bp_dtype dtype = random_bits() & 1 ? p.type : (bp_dtype)(random_bits() % 5);
                group[g * 6 + k] = random_tensor(dim, n_dims, dtype, false);
            }
            group[g * 6 + 3] = random_tensor(dim, n_dims, p.type, true);
            group[g * 6 + 4] = random_tensor(dim, n_dims, BP_U8, true);
            group[g * 6 + 5] = random_tensor(dim, n_dims, round % 3 ? BP_F32 : BP_F64, true);
        }
        run_context r;
        run_begin(&r, bp__isa_list(round % 3 ? 0 : 1), &p, 2);
        bp__ew_run(&r.env, &p, n_segments, group);
        run_end(&r);
        for (int64_t g = 0; g < n_segments; g++)
            for (int o = 0; o < 3; o++) check_output(&p, group + g * 6, group + g * 6, o);
        for (int64_t i = 0; i < n_segments * 6; i++) free(group[i].data);
    }
}

/* Outputs over inputs: every pair, with the result of a run that shares nothing. */
static void test_in_place(void **state) {
    (void)state;
    int64_t dim[] = {1301};
    for (int o = 0; o < 3; o++)
        for (int k = 0; k < 3; k++) {
            bp__ew_program p = test_program(BP_F32);
            bp__tensor group[6], copy[6];
            for (int i = 0; i < 6; i++) {
                group[i] = copy[i] = random_tensor(dim, 1, BP_F32, true);
                copy[i].data = malloc(1302 * 8);
                memcpy(copy[i].data, group[i].data, 1302 * 4);
            }
            void *own = group[3 + o].data;
            group[3 + o].data = group[k].data;
            run_context r;
            run_begin(&r, NULL, &p, 1);
            bp__ew_run(&r.env, &p, 1, group);
            run_end(&r);
            for (int i = 0; i < 3; i++) check_output(&p, group, copy, i);
            group[3 + o].data = own;
            for (int i = 0; i < 6; i++) free(group[i].data), free(copy[i].data);
        }
}

static void test_threads(void **state) {
    (void)state;
    int64_t dim[] = {300, 517};
    bp__ew_program p = test_program(BP_F32);
    bp__tensor group[6];
    for (int i = 0; i < 6; i++) group[i] = random_tensor(dim, 2, BP_F32, i != 1);
    static float first[300 * 517];
    for (int threads = 1; threads <= 3; threads++) {
        memset(group[3].data, 0, sizeof first);
        run_context r;
        run_begin(&r, NULL, &p, threads);
        bp__ew_run(&r.env, &p, 1, group);
        run_end(&r);
        if (threads == 1)
            memcpy(first, group[3].data, sizeof first);
        else
            assert_memory_equal(first, group[3].data, sizeof first);
    }
    for (int i = 0; i < 6; i++) free(group[i].data);
}

static void test_panels(void **state) {
    (void)state;
    for (int64_t columns = 1; columns < 100; columns += 11) {
        int64_t dim[] = {columns, 37}, padded = (columns + 31) / 32 * 32 * 37;
        bp__ew_program p = test_program(BP_F64);
        p.n_out = 1;
        bp__tensor group[4];
        int64_t flat[] = {padded};
        for (int i = 0; i < 4; i++) {
            bp__tensor t = random_tensor(i == 1 ? dim : flat, i == 1 ? 2 : 1, i == 2 ? BP_F32 : BP_F64, i != 1);
            if (i != 1) t.panels = 1, t.n_dims = 2, t.dim[0] = columns, t.dim[1] = 37;
            group[i] = t;
        }
        run_context r;
        run_begin(&r, NULL, &p, 1);
        bp__ew_run(&r.env, &p, 1, group);
        check_output(&p, group, group, 0);
        for (int64_t i = 0; i < padded; i++)
            if (i / (32 * 37) * 32 + i % 32 >= columns) assert_true(((double *)group[3].data)[i] == 0);
        /* out of panels into a plain matrix */
        group[3].panels = 0;
        group[3].stride[0] = 37;
        group[3].stride[1] = 1;
        bp__ew_run(&r.env, &p, 1, group);
        check_output(&p, group, group, 0);
        run_end(&r);
        for (int i = 0; i < 4; i++) free(group[i].data);
    }
}

static void test_integers(void **state) {
    (void)state;
    static const bp__ew_instr program[] = {
        {BP__EW_mul, 3, {0, 2, 0}, 0, 0}, {BP__EW_remainder, 3, {3, 1, 0}, 0, 0}, {BP__EW_where, 4, {3, 0, 1}, 0, 0}};
    static const double ten[] = {10};
    static const uint16_t out[] = {3, 4};
    bp__ew_program p = {.type = BP_I64,
                        .n_in = 2,
                        .n_const = 1,
                        .n_reg = 5,
                        .n_out = 2,
                        .n_instr = 3,
                        .constant = ten,
                        .out = out,
                        .instr = program};
    int64_t a[] = {7, -7, INT64_MAX, 5, 0}, y[5], z[5];
    int32_t b[] = {3, 3, -1, 0, 9};
    bp__tensor group[] = {
        {a, {5}, {1}, 1, BP_I64, 0}, {b, {5}, {1}, 1, BP_I32, 0}, {y, {5}, {1}, 1, BP_I64, 0}, {z, {5}, {1}, 1, BP_I64, 0}};
    run_context r;
    run_begin(&r, "scalar", &p, 1);
    bp__ew_run(&r.env, &p, 1, group);
    run_end(&r);
    int64_t want_y[] = {1, 2, 0, 0, 0}, want_z[] = {7, -7, -1, 0, 9};
    assert_memory_equal(y, want_y, sizeof y);
    assert_memory_equal(z, want_z, sizeof z);
}

/* The program above as a compiled chain: the text that bp__ew_emit_c prints, found again, with the same bits. Compiled in when
   the build passes BP__FUSED_CHAINS; without it only the text is looked at. */
static void test_chain(void **state) {
    (void)state;
    bp__ew_program p = test_program(BP_F32);
    run_context r;
    run_begin(&r, NULL, &p, 2);
    bp__buffer b;
    bp__buffer_init(&b, r.ctx);
    bp__ew_emit_c(&b, &p, "test_chain");
    assert_false(b.failed);
    assert_non_null(strstr(b.data, " = BP__EW_FORMULA(tanh)("));
    const char *to = getenv("BP_TEST_EMIT");
    if (to) {
        FILE *f = fopen(to, "w");
        assert_non_null(f);
        fputs(b.data, f);
        fclose(f);
    }
    bp__buffer_free(&b);
    for (int i = 0; bp__isa_list(i); i++) {
        r.env.isa = bp__isa_find(bp__isa_list(i));
        for (int type = 0; type < 2; type++) {
            p.type = (bp_dtype)type;
            p.compiled = NULL;
            const bp__ew_compiled *found = bp__ew_find(r.env.isa, &p);
#ifdef BP__FUSED_CHAINS
            assert_non_null(found);
#endif
            if (!found) continue;
            int64_t dim[] = {31, 333};
            bp__tensor group[6];
            for (int k = 0; k < 6; k++) group[k] = random_tensor(dim, 2, (bp_dtype)type, k != 1 && k != 2);
            void *kept = malloc(31 * 333 * 8);
            bp__ew_run(&r.env, &p, 1, group);
            memcpy(kept, group[3].data, 31 * 333 * bp__ew_item((bp_dtype)type));
            memset(group[3].data, 0, 31 * 333 * bp__ew_item((bp_dtype)type));
            p.compiled = found;
            bp__ew_run(&r.env, &p, 1, group);
            assert_memory_equal(kept, group[3].data, 31 * 333 * bp__ew_item((bp_dtype)type));
            for (int o = 0; o < 3; o++) check_output(&p, group, group, o);
            free(kept);
            for (int k = 0; k < 6; k++) free(group[k].data);
        }
    }
    run_end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_bits),     cmocka_unit_test(test_accuracy), cmocka_unit_test(test_accuracy_of_two),
        cmocka_unit_test(test_special_values), cmocka_unit_test(test_driver),   cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_panels),   cmocka_unit_test(test_integers),
        cmocka_unit_test(test_chain),
    };
    const char *only = getenv("BP_TEST_ONLY"); /* a pattern of names: an emulator takes minutes for all */
    if (only) cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
