/* levenberg_marquardt (Levenberg 1944, Marquardt 1963), with the Gauss-Newton matrix G = Jt·H·J, so that any loss that is convex
   in the outputs will do (mse: the classic method; Martens, "New insights and perspectives on the natural gradient method",
   2020): (G + m·diag(G))·d = -g by Cholesky's decomposition; w + lr·d is taken where the loss is lower there, and m becomes
   m·damping_down; else m becomes m·damping_up, and d is found again. A step is up to max_iter points that were taken. */
#include <math.h>
#include <string.h>

#include "optim/solver.h"

enum { MOST = 2000 };
static const double most_damping = 1e16; /* no lower point within rounding */

typedef struct work {
    double *g, *trial_g, *d, *trial, *matrix, *factor; /* [n], the matrices [n, n] */
} work;

static int64_t size(const bp__choice *c, int64_t n) {
    (void)c, (void)n;
    return 1; /* the damping */
}

/* d = -(G + m·diag(G))⁻¹·g; false: not positive definite. */
static bool solve(const work *k, double damping, int64_t n) {
    double top = 0, *l = k->factor, *d = k->d;
    for (int64_t i = 0; i < n; i++) top = fmax(top, k->matrix[i * n + i]);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = k->matrix[i * n + j]; /* a weight without effect (a dead unit's) has a zero there: it stays */
            if (i == j) sum += damping * fmax(sum, 1e-12 * top);
            for (int64_t a = 0; a < j; a++) sum -= l[i * n + a] * l[j * n + a];
            if (i == j && !(sum > 0 && isfinite(sum))) return false;
            l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
        }
    for (int64_t i = 0; i < n; i++) {
        double sum = -k->g[i];
        for (int64_t a = 0; a < i; a++) sum -= l[i * n + a] * d[a];
        d[i] = sum / l[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t a = i + 1; a < n; a++) d[i] -= l[a * n + i] * d[a];
        d[i] /= l[i * n + i];
    }
    return true;
}

static bp_status matrix(const bp__objective *f, const double *w, const work *k) {
    for (int64_t j = 0; j < f->n; j++) { /* symmetric: column j may be written as row j */
        memset(k->trial, 0, sizeof(double) * (size_t)f->n);
        k->trial[j] = 1;
        BP_TRY(f->product(f->user, w, k->trial, k->matrix + j * f->n));
    }
    return BP_OK;
}

static bp_status run(const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w, bp__solved *out, work *k) {
    int64_t n = f->n, max_iter = bp__choice_option(c, "max_iter")->integer;
    double up = bp__choice_option(c, "damping_up")->number, down = bp__choice_option(c, "damping_down")->number;
    double tolerance = bp__choice_option(c, "tolerance_grad")->number, least = bp__choice_option(c, "tolerance_change")->number;
    BP_TRY(f->evaluate(f->user, w, &out->loss, k->g));
    double now = out->loss, next;
    out->converged = false;
    if (kept[0] == 0) kept[0] = bp__choice_option(c, "damping")->number;
    for (int64_t i = 0; i < max_iter && bp__largest(k->g, n) > tolerance; i++) {
        BP_TRY(matrix(f, w, k));
        bool lower = false;
        for (; !lower && kept[0] < most_damping; kept[0] *= lower ? 1 : up) {
            if (!solve(k, kept[0], n)) continue;
            bp__move(k->trial, w, lr, k->d, n);
            BP_TRY(f->evaluate(f->user, k->trial, &next, k->trial_g));
            lower = next < now && isfinite(bp__largest(k->trial_g, n));
        }
        if (!lower) {
            kept[0] = 0; /* anew, should there be another step */
            out->converged = true;
            break;
        }
        kept[0] = fmax(kept[0] * down, 1e-16);
        memcpy(w, k->trial, sizeof(double) * (size_t)n);
        memcpy(k->g, k->trial_g, sizeof(double) * (size_t)n);
        out->converged = now - next < least || lr * bp__largest(k->d, n) <= least;
        now = next;
        if (out->converged) break;
    }
    out->converged = out->converged || bp__largest(k->g, n) <= tolerance;
    return BP_OK;
}

static bp_status step(bp_context *ctx, const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w,
                      bp__solved *out) {
    size_t n = (size_t)f->n, bytes = sizeof(double) * (4 * n + 2 * n * n);
    double *all = bp__zalloc(ctx, bytes);
    if (!all) return bp__out_of_memory(ctx, bytes);
    work k = {all, all + n, all + 2 * n, all + 3 * n, all + 4 * n, all + 4 * n + n * n};
    bp_status status = run(f, c, lr, kept, w, out, &k);
    bp__free(ctx, all);
    return status;
}

const bp__solver bp__solver_levenberg_marquardt = {.size = size, .step = step, .products = true, .most = MOST};
