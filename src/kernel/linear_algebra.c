/* Cholesky's, Gauss' and Householder's factorisations, substitution, and eigenvectors of symmetric matrices, as in Golub and Van
   Loan, "Matrix Computations". Plain loops in index order: no fma, no libm but sqrt and powers of two, so the same bits
   everywhere. */
#include "kernel/linear_algebra.h"

#include <float.h>
#include <math.h>
#include <string.h>

void bp__dense_cholesky(int64_t n, double *a) {
    for (int64_t j = 0; j < n; j++) {
        double *row = a + j * n, d = row[j];
        for (int64_t k = 0; k < j; k++) d -= row[k] * row[k];
        d = d > 0 ? sqrt(d) : (double)NAN;
        row[j] = d;
        for (int64_t i = j + 1; i < n; i++) {
            double x = a[i * n + j];
            for (int64_t k = 0; k < j; k++) x -= a[i * n + k] * row[k];
            a[i * n + j] = x / d;
        }
        for (int64_t i = j + 1; i < n; i++) row[i] = 0;
    }
}

void bp__dense_triangular(int64_t n, int64_t m, const double *a, double *b, bool upper, bool transpose, bool unit) {
    int64_t row = transpose ? 1 : n, col = transpose ? n : 1;
    bool backwards = upper != transpose; /* the last unknown is known first */
    for (int64_t s = 0; s < n; s++) {
        int64_t i = backwards ? n - 1 - s : s;
        for (int64_t t = 0; t < s; t++) {
            int64_t k = backwards ? n - 1 - t : t;
            double x = a[i * row + k * col];
            for (int64_t j = 0; j < m; j++) b[i * m + j] -= x * b[k * m + j];
        }
        for (int64_t j = 0; j < m && !unit; j++) b[i * m + j] /= a[i * row + i * col];
    }
}

static void exchange(double *x, double *y, int64_t n) {
    for (int64_t j = 0; j < n && x != y; j++) {
        double t = x[j];
        x[j] = y[j];
        y[j] = t;
    }
}

double bp__dense_lu(int64_t n, double *a, int64_t *pivot) {
    double sign = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        pivot[k] = best;
        if (best != k) sign = -sign;
        exchange(a + k * n, a + best * n, n);
        double d = a[k * n + k];
        for (int64_t i = k + 1; i < n && d != 0; i++) { /* d = 0: the column is zero already */
            double f = a[i * n + k] / d;
            a[i * n + k] = f;
            for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= f * a[k * n + j];
        }
    }
    return sign;
}

void bp__dense_lu_solve(int64_t n, int64_t m, const double *lu, const int64_t *pivot, double *b) {
    for (int64_t k = 0; k < n; k++) exchange(b + k * m, b + pivot[k] * m, m);
    bp__dense_triangular(n, m, lu, b, false, false, true);
    bp__dense_triangular(n, m, lu, b, true, false, false);
}

/* ---- Powers of two ---------------------------------------------------------------------------------------------------------
   What is scaled by them has squares that neither overflow nor vanish; no other bit changes. */

/* The exponent of the largest of n numbers in size; 0 where that is 0 or not finite. */
static int exponent(int64_t n, const double *a, int64_t stride) {
    double largest = 0;
    int e = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(a[i * stride]));
    if (isfinite(largest)) (void)frexp(largest, &e);
    return e;
}

static void scale(int64_t n, double *a, int64_t stride, int e) {
    for (int64_t i = 0; i < n && e != 0; i++) a[i * stride] = ldexp(a[i * stride], e);
}

/* ---- Householder's reflections: H = I - tau v vt with v[0] = 1, v's other elements `stride` apart ----------------------------
 */

/* x = v's place, x[0] = alpha: v takes the place of x's other elements, whose squares add up to `below`, and *image that of
   alpha: H x = (*image, 0, …). Gives tau; 0 where nothing is below. */
static double reflector(int64_t n, double *x, int64_t stride, double below, double *image) {
    double alpha = x[0];
    *image = alpha;
    if (below == 0) return 0;
    double beta = -copysign(sqrt(alpha * alpha + below), alpha), f = 1 / (alpha - beta);
    for (int64_t i = 1; i < n; i++) x[i * stride] *= f;
    *image = beta;
    return (beta - alpha) / beta;
}

static double squares_below(int64_t n, const double *x, int64_t stride) {
    double s = 0;
    for (int64_t i = 1; i < n; i++) s += x[i * stride] * x[i * stride];
    return s;
}

/* b [rows, columns], its rows `pitch` apart, becomes H b. w: `columns`. */
static void reflect(double tau, const double *v, int64_t stride, int64_t rows, int64_t columns, double *b, int64_t pitch,
                    double *w) {
    if (tau == 0 || columns == 0) return;
    memcpy(w, b, sizeof *w * (size_t)columns);
    for (int64_t i = 1; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) w[j] += v[i * stride] * b[i * pitch + j];
    for (int64_t j = 0; j < columns; j++) w[j] *= tau;
    for (int64_t j = 0; j < columns; j++) b[j] -= w[j];
    for (int64_t i = 1; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) b[i * pitch + j] -= v[i * stride] * w[j];
}

static void identity(int64_t m, int64_t n, double *a) {
    memset(a, 0, sizeof *a * (size_t)(m * n));
    for (int64_t i = 0; i < m && i < n; i++) a[i * n + i] = 1;
}

void bp__dense_qr(int64_t m, int64_t n, double *a, double *q, double *work) {
    int64_t k = m < n ? m : n;
    double *tau = work, *w = work + k;
    for (int64_t j = 0; j < k; j++) {
        double *x = a + j * n + j, image;
        int e = exponent(m - j, x, n);
        scale(m - j, x, n, -e);
        tau[j] = reflector(m - j, x, n, squares_below(m - j, x, n), &image);
        reflect(tau[j], x, n, m - j, n - j - 1, x + 1, n, w);
        x[0] = ldexp(image, e);
    }
    identity(m, k, q);
    for (int64_t j = k - 1; j >= 0; j--) reflect(tau[j], a + j * n + j, n, m - j, k - j, q + j * k + j, k, w);
    for (int64_t i = 1; i < m; i++) memset(a + i * n, 0, sizeof *a * (size_t)(i < n ? i : n));
}

/* ---- Eigenvectors: to a tridiagonal matrix by reflections, to a diagonal one by QL steps with implicit shifts -----------------
 */

/* a becomes T = Qt a Q: diagonal d, e[i] between i and i + 1; z = Q. Reflection j lies in row j of a, behind the diagonal. */
static void tridiagonal(int64_t n, double *a, double *z, double *d, double *e, double *tau, double rounding) {
    double *p = z; /* free until Q is formed */
    for (int64_t j = 0; j + 1 < n; j++) {
        int64_t m = n - j - 1;
        double *v = a + j * n + j + 1, *b = v + n, below = squares_below(m, v, 1), vp = 0;
        tau[j] = reflector(m, v, 1, below > rounding * rounding ? below : 0, &e[j]);
        if (fabs(e[j]) <= rounding) e[j] = 0;
        if (tau[j] == 0) continue;
        v[0] = 1;
        memset(p, 0, sizeof *p * (size_t)m);
        for (int64_t i = 0; i < m; i++) /* p = tau b v: b is symmetric, so its rows are its columns */
            for (int64_t k = 0; k < m; k++) p[k] += v[i] * b[i * n + k];
        for (int64_t k = 0; k < m; k++) p[k] *= tau[j];
        for (int64_t k = 0; k < m; k++) vp += v[k] * p[k];
        for (int64_t k = 0; k < m; k++) p[k] -= 0.5 * tau[j] * vp * v[k];
        for (int64_t i = 0; i < m; i++) /* b = H b H */
            for (int64_t k = 0; k < m; k++) b[i * n + k] -= v[i] * p[k] + p[i] * v[k];
    }
    for (int64_t i = 0; i < n; i++) d[i] = a[i * n + i];
    identity(n, n, z);
    double *w = tau + n;
    for (int64_t j = n - 2; j >= 0; j--) {
        int64_t m = n - j - 1;
        reflect(tau[j], a + j * n + j + 1, 1, m, m, z + (j + 1) * (n + 1), n, w);
    }
}

/* One QL step on rows l … m of the tridiagonal matrix; z has its vectors in rows. */
static void ql_step(int64_t n, int64_t l, int64_t m, double *d, double *e, double *z) {
    double g = (d[l + 1] - d[l]) / (2 * e[l]), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + copysign(sqrt(g * g + 1), g));
    for (int64_t i = m - 1; i >= l; i--) {
        double f = s * e[i], b = c * e[i], r = sqrt(f * f + g * g), *lower = z + i * n, *upper = lower + n;
        e[i + 1] = r;
        if (r == 0) { /* the matrix falls apart here */
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        for (int64_t k = 0; k < n; k++) {
            double x = lower[k], y = upper[k];
            upper[k] = s * x + c * y;
            lower[k] = c * x - s * y;
        }
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

/* False: no end in 60 steps for one value, which only numbers that are not finite do. */
static bool diagonalise(int64_t n, double *d, double *e, double *z, double rounding) {
    for (int64_t l = 0; l < n; l++)
        for (int64_t step = 0;; step++) {
            int64_t m = l;
            while (m + 1 < n && !(fabs(e[m]) <= rounding)) m++;
            if (m == l) break;
            if (step == 60) return false;
            ql_step(n, l, m, d, e, z);
        }
    return true;
}

void bp__dense_eigh(int64_t n, double *a, double *d, double *work, double eps) {
    double *z = work, *e = work + n * n, *tau = e + n, norm = 0;
    int power = exponent(n * n, a, 1);
    scale(n * n, a, 1, -power);
    for (int64_t i = 0; i < n * n; i++) norm += a[i] * a[i];
    norm = sqrt(norm);
    tridiagonal(n, a, z, d, e, tau, 8 * eps * norm);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) a[j * n + i] = z[i * n + j];
    bool good = isfinite(norm) && diagonalise(n, d, e, a, DBL_EPSILON * norm);
    for (int64_t i = 0; i < n * n && !good; i++) a[i] = d[i / n] = (double)NAN;
    scale(n, d, 1, power);
    for (int64_t i = 0; i < n && good; i++) {
        int64_t least = i;
        for (int64_t j = i + 1; j < n; j++)
            if (d[j] < d[least]) least = j;
        exchange(d + i, d + least, 1);
        exchange(a + i * n, a + least * n, n);
        double *v = a + i * n, largest = 0;
        for (int64_t j = 0; j < n; j++)
            if (fabs(v[j]) > fabs(largest)) largest = v[j];
        for (int64_t j = 0; j < n && largest < 0; j++) v[j] = -v[j];
    }
}
