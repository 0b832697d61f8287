/* The errors of the vector functions in ulp, against the C library's long double. As a test: at some hundred thousand points
   nothing is worse than what docs/accuracy.md says, and that keeps to the bounds of accuracy_reference.h; special values are
   IEEE's. With `--write docs/accuracy.md [STRIDE]` (make accuracy) it measures and writes that page: in single precision every
   STRIDE-th of the 2^32 numbers, in double precision some thousand of every binade of either sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/accuracy_reference.h"
#include "core/cpu.h"
#include "kernel/isa.h"
#include "op/op.h"

static const char *const page = "docs/accuracy.md";
enum { BLOCK = 512, MAX_ISAS = 8 };

typedef struct worst {
    double error, at, at_b;
    int64_t points;
    bool differs; /* between instruction sets */
} worst;

typedef struct measured {
    const reference *ref;
    const bp__op *op;
    worst single, twice;
} measured;

static const bp__isa *isas[MAX_ISAS];
static int n_isas;

static uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* In ulp of the type. Subnormal numbers count as zero, on either side. */
static double error_of(double got, long double want, bool single, double least) {
    const long double tiny = single ? 0x1p-126L : 0x1p-1022L, huge = single ? 0x1.fffffep127L : 0x1.fffffffffffffp1023L;
    if (want != want) return got != got ? 0 : (double)INFINITY;
    if (got != got) return (double)INFINITY;
    if (fabsl(want) > huge) return fabs(got) >= (double)huge && (got > 0) == (want > 0) ? 0 : (double)INFINITY;
    if (fabsl(want) < tiny && fabs(got) <= (double)tiny) return 0;
    long double size = fmaxl(fmaxl(fabsl(want), tiny), (long double)least);
    if (isinf(got)) got = got > 0 ? (double)huge : -(double)huge; /* rounded up from below */
    return (double)(fabsl((long double)got - want) / ldexpl(1, ilogbl(size) - (single ? 23 : 52)));
}

/* Runs one block on every instruction set; keeps the first result. */
static void run_block(const measured *m, worst *w, bool single, const void *a, const void *b, void *y, int64_t n) {
    char other[BLOCK * 8];
    const double *attrs = m->op->attr_defaults;
    double p = m->op->n_attrs > 0 ? attrs[0] : 0, q = m->op->n_attrs > 1 ? attrs[1] : 0;
    for (int k = 0; k < n_isas; k++) {
        const bp__isa_type *type = single ? &isas[k]->f32 : &isas[k]->f64;
        type->ew[m->op->ew_op](k ? other : y, a, b, NULL, p, q, n);
        for (int64_t i = 0; k > 0 && i < n; i++) {
            size_t e = single ? 4 : 8;
            if (!memcmp(other + (size_t)i * e, (char *)y + (size_t)i * e, e)) continue;
            double u = single ? (double)((float *)(void *)other)[i] : ((double *)(void *)other)[i];
            double v = single ? (double)((float *)y)[i] : ((double *)y)[i];
            w->differs |= !(u != u && v != v);
        }
    }
}

static void note(const measured *m, worst *w, bool single, double a, double b, double y) {
    const reference *r = m->ref;
    long double want = single && r->twice ? (long double)r->twice(a, b) : r->wide((long double)a, (long double)b);
    double e = error_of(y, want, single, r->terms ? r->terms(a) : r->least < 0 ? fabs(a) : r->least);
    if (r->reach > 0 && fabs(a) > r->reach) return;
    w->points++;
    if (e <= w->error) return;
    w->error = e;
    w->at = a;
    w->at_b = b;
}

/* Is it a number that counts? Subnormal ones are zero to us; zeros, infinities and NaN are special values. */
static bool counts(double x, bool single) { return fabs(x) >= (single ? 0x1p-126 : 0x1p-1022) && isfinite(x); }

static void measure_single(measured *m, uint64_t stride) {
    float a[BLOCK], b[BLOCK], y[BLOCK];
    int64_t n = 0;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += stride) {
        uint32_t u = (uint32_t)bits, v = (uint32_t)mixed(bits);
        if (m->ref->arity == 2 && bits % 3) v = u ^ (v & 0x81ffffffu); /* of like magnitude, where the function has its middle */
        memcpy(&a[n], &u, 4);
        memcpy(&b[n], &v, 4);
        if (m->ref->arity == 2 && !strcmp(m->ref->name, "pow"))
            a[n] = fabsf(a[n]), b[n] = (float)(88 / log((double)a[n]) * ((double)(v >> 8) * 0x1p-23 - 1));
        n += counts((double)a[n], true) && (m->ref->arity == 1 || counts((double)b[n], true));
        if (n < BLOCK && bits + stride < (uint64_t)1 << 32) continue;
        run_block(m, &m->single, true, a, b, y, n);
        for (int64_t i = 0; i < n; i++) note(m, &m->single, true, (double)a[i], (double)b[i], (double)y[i]);
        n = 0;
    }
}

static void measure_double(measured *m, int64_t per_binade) {
    double a[BLOCK], b[BLOCK], y[BLOCK];
    int64_t n = 0;
    for (int64_t i = 0; i < 2 * 2046 * per_binade; i++) {
        uint64_t hash = mixed((uint64_t)i * 0x9E3779B97F4A7C15u), other = mixed(hash + 1);
        int64_t exponent = 1 + i / 2 % 2046;
        if (hash % 4) exponent = 1023 - 30 + (int64_t)(other % 42); /* most of them where functions bend */
        uint64_t u = (uint64_t)(i % 2) << 63 | (uint64_t)exponent << 52 | hash >> 12, v = mixed(other);
        if (m->ref->arity == 2 && hash % 3) v = u ^ (v & 0x803fffffffffffffu);
        memcpy(&a[n], &u, 8);
        memcpy(&b[n], &v, 8);
        if (!strcmp(m->ref->name, "pow")) a[n] = fabs(a[n]), b[n] = 709 / log(a[n]) * ((double)(v >> 11) * 0x1p-52 - 1);
        n += counts(a[n], false) && (m->ref->arity == 1 || counts(b[n], false));
        if (n < BLOCK && i + 1 < 2 * 2046 * per_binade) continue;
        run_block(m, &m->twice, false, a, b, y, n);
        for (int64_t k = 0; k < n; k++) note(m, &m->twice, false, a[k], b[k], y[k]);
        n = 0;
    }
}

/* ---- All functions, in several threads ------------------------------------------------------------------------------- */

typedef struct work {
    measured *all;
    int n;
    atomic_int next;
    uint64_t stride;
    int64_t per_binade;
} work;

static void *labour(void *arg) {
    work *w = arg;
    bp__fpenv fp = bp__fpenv_enter(); /* as kernels run: subnormal numbers are flushed */
    for (int i; (i = atomic_fetch_add(&w->next, 1)) < 2 * w->n;) {
        if (i % 2)
            measure_double(&w->all[i / 2], w->per_binade);
        else
            measure_single(&w->all[i / 2], w->stride);
    }
    bp__fpenv_leave(fp);
    return NULL;
}

static int measure_all(measured *all, uint64_t stride, int64_t per_binade, int threads) {
    work w = {.all = all, .stride = stride, .per_binade = per_binade};
    pthread_t team[64];
    for (int i = 0; i < N_REFERENCES; i++) {
        const bp__op *op = bp__op_find(references[i].name);
        if (op && op->ew_op >= 0) all[w.n++] = (measured){.ref = &references[i], .op = op};
    }
    if (threads > 64) threads = 64;
    for (int i = 1; i < threads; i++)
        if (pthread_create(&team[i], NULL, labour, &w)) abort();
    labour(&w);
    for (int i = 1; i < threads; i++) pthread_join(team[i], NULL);
    return w.n;
}

/* ---- The page ---------------------------------------------------------------------------------------------------------- */

static void print_worst(FILE *f, const worst *w, int arity, double bound) {
    if (!(w->error < 1e6))
        fprintf(f, " > 10^6");
    else if (w->error > 100)
        fprintf(f, " %.0f", ceil(w->error));
    else
        fprintf(f, " %.2f", ceil(w->error * 100) / 100);
    fprintf(f, "%s | %.6g", w->error > bound ? " !" : "", w->at);
    if (arity == 2) fprintf(f, ", %.6g", w->at_b);
    fprintf(f, " |");
}

static int write_page(const char *path, uint64_t stride, int64_t per_binade, int threads) {
    static measured all[N_REFERENCES];
    int n = measure_all(all, stride, per_binade, threads);
    bool differs = false;
    FILE *f = fopen(path, "w");
    if (!f) return perror(path), 1;
    for (int i = 0; i < n; i++) differs |= all[i].single.differs || all[i].twice.differs;
    fprintf(f,
            "<!-- Written by tests/test_accuracy.c (make accuracy); don't edit. -->\n# Accuracy of the element-wise functions\n\n"
            "The largest error found, in units in the last place (ulp) of the result, against the C library's `long double` "
            "(single precision: its `double`).\nSingle precision: ");
    if (stride == 1)
        fprintf(f, "all 2^32 numbers.");
    else
        fprintf(
            f, "every %lluth of the 2^32 numbers, %lld in all: about %lld between one power of two and the next, of either sign.",
            (unsigned long long)stride, (long long)(((int64_t)1 << 32) / (int64_t)stride),
            (long long)(((int64_t)1 << 23) / (int64_t)stride));
    fprintf(
        f,
        " Double precision: %lld numbers, some between all powers of two, of either sign, most of them between 2^-30 and 2^12.\n"
        "Functions of two arguments: as many pairs, most of like magnitude. Subnormal numbers count as zero, as arguments "
        "and as results. Attributes have their defaults.\n\n"
        "Instruction sets measured:",
        (long long)(2 * 2046 * per_binade));
    for (int k = 0; k < n_isas; k++) fprintf(f, "%s %s", k ? "," : "", isas[k]->name);
    fprintf(f, ". They gave %s.\n\n| function | f32, ulp | at | f64, ulp | at | |\n|---|---:|---|---:|---|---|\n",
            differs ? "DIFFERENT bits" : "the same bits at every point, so one number stands for all of them");
    for (int i = 0; i < n; i++) {
        const measured *m = &all[i];
        fprintf(f, "| `%s` |", m->ref->name);
        print_worst(f, &m->single, m->ref->arity, m->ref->bound);
        print_worst(f, &m->twice, m->ref->arity, m->ref->bound);
        fprintf(f, " %s |\n", m->ref->note);
    }
    fprintf(f, "\nCorrectly rounded would be 0.50. `make accuracy STRIDE=1` visits every number. `test_accuracy` of `make check` "
               "looks at a sample and fails where it finds more than this page says.\n");
    return fclose(f) == 0 && !differs ? 0 : 1;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------- */

/* What the page says of a function: false where it has no row. */
static bool said(const char *text, const char *name, double *single, double *twice) {
    char key[80], dummy[80];
    snprintf(key, sizeof key, "| `%s` |", name);
    const char *row = strstr(text, key);
    return row && sscanf(row + strlen(key), "%lf | %79[^|]| %lf", single, dummy, twice) == 3;
}

static void errors_are_as_said(void **state) {
    (void)state;
    static measured all[N_REFERENCES];
    static char text[1 << 16];
    FILE *f = fopen(page, "r");
    assert_non_null(f);
    size_t size = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(size > 1000);
    int n = measure_all(all, 99 * 509, 24, 1), wrong = 0; /* points of the page, one in 99 */
    for (int i = 0; i < n; i++) {
        const measured *m = &all[i];
        double single, twice, bound = m->ref->bound;
        if (!said(text, m->ref->name, &single, &twice)) {
            printf("%s: no row in %s; run make accuracy\n", m->ref->name, page);
            wrong++;
            continue;
        }
        bool right = m->single.error <= single && m->twice.error <= twice && single <= bound && twice <= bound &&
                     !m->single.differs && !m->twice.differs;
        if (!right)
            printf("%s: f32 %.3f ulp at %a (the page says %g), f64 %.3f at %a (%g), bound %g%s\n", m->ref->name, m->single.error,
                   m->single.at, single, m->twice.error, m->twice.at, twice, bound,
                   m->single.differs || m->twice.differs ? "; instruction sets differ" : "");
        wrong += !right;
    }
    printf("%d functions, %lld points each in single, %lld in double precision\n", n, (long long)all[0].single.points,
           (long long)all[0].twice.points);
    assert_int_equal(wrong, 0);
    assert_true(n > 30);
}

/* A sample that finds nothing would be no test: an error of one ulp more is one. */
static void errors_are_seen(void **state) {
    (void)state;
    assert_true(error_of((double)nextafterf(1.5f, 2), 1.5L, true, 0) == 1);
    assert_true(error_of(nextafter(-1.5, -2), -1.5L, false, 0) == 1);
    assert_true(error_of((double)NAN, 1, false, 0) > 1e300 && error_of(1, (long double)NAN, false, 0) > 1e300);
    assert_true(error_of(-0x1.fffffep127, 1e39L, true, 0) > 1e300 && error_of((double)INFINITY, 1e39L, true, 0) == 0);
    assert_true(error_of(0, 1e-45L, true, 0) == 0 && error_of(0, 0x1p-125L, true, 0) > 1e6);
}

int main(int argc, char **argv) {
    for (int k = 0; bp__isa_list(k) && k < MAX_ISAS; k++) isas[n_isas++] = bp__isa_find(bp__isa_list(k));
    if (argc >= 3 && !strcmp(argv[1], "--write")) {
        const char *threads = getenv("BP_THREADS");
        uint64_t stride = argc > 3 ? strtoull(argv[3], NULL, 10) | 1 : 509;
        int64_t per_binade = argc > 4 ? strtoll(argv[4], NULL, 10) : 500;
        return write_page(argv[2], stride, per_binade, threads ? atoi(threads) : 1);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_seen), cmocka_unit_test(errors_are_as_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
