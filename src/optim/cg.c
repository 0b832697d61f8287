/* cg: nonlinear conjugate gradient (Polak & Ribière 1969, with the restarts of Nocedal & Wright, "Numerical optimization", 2006,
   section 5.2; constants and first trial of a step as scipy.optimize.minimize(method="CG") has them):
   d = -g + b·d of before, b = max(0, g·(g - g of before) / (g of before)·(g of before)); d = -g where that descends too little,
   d·g > -0.01·g·g;
   w = w + t·d, t by a search for the strong Wolfe conditions (c1 1e-4, c2 0.4), which begins at
   lr·min(1, 2.02·(loss - loss of before) / d·g). A step is up to max_iter iterations or max_eval evaluations (5/2 of max_iter
   where it is 0). */
#include <math.h>
#include <string.h>

#include "optim/solver.h"

enum { ITERATIONS, LOSS, HEAD }; /* kept: these, the direction [n], the gradient before [n] */

static int64_t size(const bp__choice *c, int64_t n) {
    (void)c;
    return n < 0 || n > INT64_MAX / 64 ? 0 : HEAD + 2 * n;
}

/* d becomes the next direction; its slope. */
static double direction(double *d, const double *g, const double *before, bool first, int64_t n) {
    double square = bp__dot(g, g, n), b = 0;
    if (!first) b = fmax(0, (square - bp__dot(g, before, n)) / bp__dot(before, before, n));
    for (int64_t i = 0; i < n; i++) d[i] = (b > 0 ? b * d[i] : 0) - g[i];
    double slope = bp__dot(d, g, n);
    if (slope <= -0.01 * square) return slope;
    for (int64_t i = 0; i < n; i++) d[i] = -g[i];
    return -square;
}

/* work: 5 n. */
static bp_status run(const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w, bp__solved *out,
                     double *work) {
    int64_t n = f->n, evaluations = 1, max_iter = bp__choice_option(c, "max_iter")->integer;
    int64_t max_eval = bp__choice_option(c, "max_eval")->integer;
    double tolerance = bp__choice_option(c, "tolerance_grad")->number, least = bp__choice_option(c, "tolerance_change")->number;
    double *d = kept + HEAD, *before = d + n;
    bp__point p[4];
    if (max_eval == 0) max_eval = max_iter * 5 / 2;
    for (int k = 0; k < 4; k++) p[k] = (bp__point){.gradient = work + k * n};
    BP_TRY(f->evaluate(f->user, w, &out->loss, p[0].gradient));
    p[0].loss = out->loss;
    out->converged = false;
    for (int64_t i = 0; i < max_iter && evaluations < max_eval && bp__largest(p[0].gradient, n) > tolerance; i++) {
        bool first = kept[ITERATIONS]++ == 0;
        double *g = p[0].gradient, was = first ? p[0].loss + sqrt(bp__dot(g, g, n)) / 2 : kept[LOSS];
        p[0].t = 0;
        p[0].slope = direction(d, g, before, first, n);
        double t = fmin(1, 2.02 * (p[0].loss - was) / p[0].slope) * lr;
        if (!(t > 0)) t = lr;
        memcpy(before, g, sizeof(double) * (size_t)n);
        kept[LOSS] = p[0].loss;
        bp__search s = {.f = f, .w = w, .d = d, .trial = work + 4 * n, .tolerance_change = least, .c2 = 0.4};
        bp__point best;
        BP_TRY(bp__line_search(&s, p, t, max_eval - evaluations, &best));
        evaluations += s.n_evaluations;
        bp__move(w, w, best.t, d, n);
        memmove(g, best.gradient, sizeof(double) * (size_t)n);
        p[0].loss = best.loss;
        if (best.t == 0 || bp__largest(d, n) * best.t <= least || fabs(best.loss - kept[LOSS]) < least) {
            if (best.t == 0) kept[ITERATIONS] = 0; /* no lower point that way: straight down next */
            out->converged = best.t > 0 || first;
            break;
        }
    }
    out->converged = out->converged || bp__largest(p[0].gradient, n) <= tolerance;
    return BP_OK;
}

static bp_status step(bp_context *ctx, const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w,
                      bp__solved *out) {
    size_t bytes = sizeof(double) * (size_t)(5 * f->n);
    double *work = bp__zalloc(ctx, bytes);
    if (!work) return bp__out_of_memory(ctx, bytes);
    bp_status status = run(f, c, lr, kept, w, out, work);
    bp__free(ctx, work);
    return status;
}

const bp__solver bp__solver_cg = {.size = size, .step = step};
