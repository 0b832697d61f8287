/* Small dense systems: row-major matrices in double precision, whatever type the values have that come and go. One matrix at a
   time, in one order of operations; meant for matrices of up to some hundred rows. */
#ifndef BP__LINEAR_ALGEBRA_H
#define BP__LINEAR_ALGEBRA_H
#include <stdbool.h>
#include <stdint.h>

/* a [n, n], of which the lower triangle is read, becomes L with a = L Lᵀ, zeros above. Not positive definite: NaN. */
void bp__dense_cholesky(int64_t n, double *a);
/* b [n, m] becomes X with op(a) X = b, a [n, n] triangular: the other triangle (with `unit` the diagonal too) is not read. */
void bp__dense_triangular(int64_t n, int64_t m, const double *a, double *b, bool upper, bool transpose, bool unit);
/* a [n, n] becomes L and U in one (L's diagonal is 1), rows exchanged by partial pivoting: row i went to pivot[i] in step i.
   Gives the sign of the permutation. A singular matrix has a 0 on U's diagonal. */
double bp__dense_lu(int64_t n, double *a, int64_t *pivot);
/* b [n, m] becomes X with A X = b, from what bp__dense_lu made of A. */
void bp__dense_lu_solve(int64_t n, int64_t m, const double *lu, const int64_t *pivot, double *b);
/* a [m, n] becomes R (zeros below), q [m, k] has orthonormal columns, A = Q R with R's first k rows, k = min(m, n). Signs are
   LAPACK's: R's diagonal has the sign opposite to what it takes the place of, and a column that is zero below it stays. work:
   k + max(n, k). A matrix that is triangular already takes m n steps. */
void bp__dense_qr(int64_t m, int64_t n, double *a, double *q, double *work);
/* The symmetric a [n, n] becomes its eigenvectors, one in each row, of the ascending eigenvalues d [n]. Of each vector the
   largest element (the first of equals) is positive. In the way to a tridiagonal matrix, what is smaller than 8 eps |a| counts as
   rounding: eps is that of the type that a comes from. So where a has less than full rank, noise moves only the order of the null
   space's vectors. Not finite: NaN. work: n n + 3 n. A diagonal matrix takes n n steps. */
void bp__dense_eigh(int64_t n, double *a, double *d, double *work, double eps);
#endif
