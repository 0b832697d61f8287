/* gauss_newton: Gauss and Newton's method for any loss that is convex in the outputs, without a matrix (Martens, "Deep learning
   via Hessian-free optimization", 2010; G = Jt·H·J, Schraudolph 2002): (G + m)·d = -g by up to cg_iter conjugate gradients, until
   what is left is below cg_tolerance·|g|; w = w + t·d, t by a search for the strong Wolfe conditions (c1 1e-4, c2 0.9) that
   begins at lr; m becomes m·2/3 where the loss fell by more than 3/4 of what the quadratic model says for t = 1, m·3/2 below 1/4
   of it. A step is up to max_iter such points. */
#include <math.h>
#include <string.h>

#include "optim/solver.h"

static int64_t size(const bp__choice *c, int64_t n) {
    (void)c, (void)n;
    return 1; /* the damping */
}

/* d, and r = -g - (G + damping)·d, which is left; s, gs: room. */
static bp_status direction(const bp__objective *f, const bp__choice *c, const double *w, const double *g, double damping,
                           double *d, double *r, double *s, double *gs) {
    int64_t n = f->n, limit = bp__choice_option(c, "cg_iter")->integer;
    double tolerance = bp__choice_option(c, "cg_tolerance")->number;
    for (int64_t i = 0; i < n; i++) {
        d[i] = 0;
        s[i] = r[i] = -g[i];
    }
    double square = bp__dot(r, r, n), enough = tolerance * tolerance * square;
    for (int64_t k = 0; k < limit && square > enough; k++) {
        BP_TRY(f->product(f->user, w, s, gs));
        bp__move(gs, gs, damping, s, n);
        double curvature = bp__dot(s, gs, n);
        if (!(curvature > 0)) break; /* the loss is not convex there, or rounding is all that is left */
        double a = square / curvature, before = square;
        bp__move(d, d, a, s, n);
        bp__move(r, r, -a, gs, n);
        square = bp__dot(r, r, n);
        for (int64_t i = 0; i < n; i++) s[i] = r[i] + square / before * s[i];
    }
    if (bp__largest(d, n) > 0) return BP_OK;
    for (int64_t i = 0; i < n; i++) d[i] = -g[i]; /* no curvature at all: down */
    return BP_OK;
}

/* work: 9 n. */
static bp_status run(const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w, bp__solved *out,
                     double *work) {
    int64_t n = f->n, max_iter = bp__choice_option(c, "max_iter")->integer;
    double tolerance = bp__choice_option(c, "tolerance_grad")->number, least = bp__choice_option(c, "tolerance_change")->number;
    double *d = work + 5 * n, *r = work + 6 * n, *s = work + 7 * n, *gs = work + 8 * n;
    bp__point p[4];
    for (int k = 0; k < 4; k++) p[k] = (bp__point){.gradient = work + k * n};
    BP_TRY(f->evaluate(f->user, w, &out->loss, p[0].gradient));
    p[0].loss = out->loss;
    out->converged = false;
    if (kept[0] == 0) kept[0] = bp__choice_option(c, "damping")->number;
    for (int64_t i = 0; i < max_iter && bp__largest(p[0].gradient, n) > tolerance; i++) {
        double *g = p[0].gradient, before = p[0].loss;
        BP_TRY(direction(f, c, w, g, kept[0], d, r, s, gs));
        p[0].t = 0;
        p[0].slope = bp__dot(g, d, n);
        double model = 0.5 * (p[0].slope - bp__dot(r, d, n)); /* g·d + d·(G + m)·d / 2 */
        bp__search line = {.f = f, .w = w, .d = d, .trial = work + 4 * n, .tolerance_change = least, .c2 = 0.9};
        bp__point best;
        BP_TRY(bp__line_search(&line, p, lr, 25, &best));
        bp__move(w, w, best.t, d, n);
        memmove(g, best.gradient, sizeof(double) * (size_t)n);
        p[0].loss = best.loss;
        double ratio = (best.loss - before) / model;
        kept[0] *= ratio > 0.75 ? 2.0 / 3 : ratio < 0.25 ? 1.5 : 1;
        out->converged = bp__largest(d, n) * best.t <= least || fabs(best.loss - before) < least;
        if (out->converged) break;
    }
    out->converged = out->converged || bp__largest(p[0].gradient, n) <= tolerance;
    return BP_OK;
}

static bp_status step(bp_context *ctx, const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w,
                      bp__solved *out) {
    size_t bytes = sizeof(double) * (size_t)(9 * f->n);
    double *work = bp__zalloc(ctx, bytes);
    if (!work) return bp__out_of_memory(ctx, bytes);
    bp_status status = run(f, c, lr, kept, w, out, work);
    bp__free(ctx, work);
    return status;
}

const bp__solver bp__solver_gauss_newton = {.size = size, .step = step, .products = true};
