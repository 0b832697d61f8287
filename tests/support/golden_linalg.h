/* The cases of tests/golden/linalg.safetensors, said with the operations of the library. */
#ifndef BP__GOLDEN_LINALG_H
#define BP__GOLDEN_LINALG_H
#include "support/golden_cases.h"

static void linalg_matmul(golden *k) { golden_out(k, "y0", bp_matmul(in(k, "a"), in(k, "b"))); }
static void linalg_dot(golden *k) { golden_out(k, "y0", bp_dot(in(k, "a"), in(k, "b"))); }
static void linalg_outer(golden *k) { golden_out(k, "y0", bp_outer(in(k, "a"), in(k, "b"))); }
static void linalg_bilinear(golden *k) {
    golden_out(k, "y0", bp_bilinear(in(k, "x1"), in(k, "x2"), in(k, "weight"), in(k, "bias")));
}
static void linalg_einsum(golden *k) {
    static const char *const names[] = {"a", "b", "c"};
    bp_value x[3];
    int n = 0;
    for (int i = 0; i < 3; i++) {
        x[n] = in(k, names[i]);
        n += x[n].graph != NULL;
    }
    golden_out(k, "y0", bp_einsum(x, n, strchr(k->name, ':') + 1));
}
static void linalg_cholesky(golden *k) {
    golden_out(k, "y0", bp_cholesky(in(k, "a"), WITH(cholesky, .upper = strstr(k->name, "upper") != NULL)));
}
static void linalg_triangular_solve(golden *k) { /* "triangular_solve_" and three flags */
    const char *flags = k->name + strlen("triangular_solve_");
    golden_out(k, "y0",
               bp_triangular_solve(in(k, "a"), in(k, "b"), flags[0] == '1',
                                   WITH(triangular_solve, .transpose = flags[1] == '1', .unitriangular = flags[2] == '1')));
}
static void linalg_solve(golden *k) { golden_out(k, "y0", bp_solve(in(k, "a"), in(k, "b"))); }
static void linalg_inverse(golden *k) { golden_out(k, "y0", bp_inverse(in(k, "a"))); }
static void linalg_det(golden *k) { golden_out(k, "y0", bp_det(in(k, "a"))); }
static void linalg_slogdet(golden *k) {
    bp_value y = bp_slogdet(in(k, "a"));
    golden_out(k, "y0", y);
    y.output = 1;
    golden_out(k, "y1", y);
}
static void linalg_logdet(golden *k) { golden_out(k, "y0", bp_logdet(in(k, "a"))); }
static void linalg_eigh(golden *k) {
    bp_value w = bp_eigh(in(k, "a")), v = w;
    v.output = 1;
    bp_value columns = bp_value_dims(w).n == 1 ? w : bp_reshape(w, bp_shape(4, 2, 3, 1, 4));
    golden_out(k, "y0", w);
    golden_out(k, "y1", bp_square(v));
    bp_dims axes = {bp_value_dims(v).n, {0, 1, 2, 3}};
    axes.dim[axes.n - 2] = axes.n - 1;
    axes.dim[axes.n - 1] = axes.n - 2;
    golden_out(k, "y2", bp_matmul(bp_mul(v, bp_sin(columns)), bp_permute(v, axes)));
}
static void linalg_qr(golden *k) {
    bp_value q = bp_qr(in(k, "a"));
    golden_out(k, "y0", q);
    q.output = 1;
    golden_out(k, "y1", q);
}

static const golden_case golden_linalg[] = {
    {"own", "matmul_*", linalg_matmul},
    {"own", "dot", linalg_dot},
    {"own", "outer", linalg_outer},
    {"own", "bilinear_*", linalg_bilinear},
    {"own", "einsum:*", linalg_einsum},
    {"own", "cholesky_*", linalg_cholesky},
    {"own", "triangular_solve_*", linalg_triangular_solve},
    {"own", "solve_*", linalg_solve},
    {"own", "inverse_*", linalg_inverse},
    {"own", "det_*", linalg_det},
    {"own", "slogdet", linalg_slogdet},
    {"own", "logdet_*", linalg_logdet},
    {"own", "eigh_*", linalg_eigh},
    {"own", "qr_*", linalg_qr},
};
#endif
