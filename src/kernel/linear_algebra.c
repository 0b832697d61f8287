/* Cholesky's and Gauss' factorisations, and substitution, as in Golub and Van Loan, "Matrix Computations". Plain loops in index
   order: no fma, no libm but sqrt, so the same bits everywhere. */
#include "kernel/linear_algebra.h"

#include <math.h>

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
