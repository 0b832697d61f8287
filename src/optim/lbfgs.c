/* lbfgs: limited-memory BFGS by the two-loop recursion (Nocedal & Wright, "Numerical optimization", 2006, algorithm 7.4), the
   order of decisions torch.optim.LBFGS's:
   y = g - g of before, s = the last step; the last history_size pairs with s·y > 1e-10 are kept;
   d = -H·g by the two loops over them, H = s·y / y·y times the identity at their start;
   w = w + t·d, t = lr (in the very first iteration lr·min(1, 1/sum |g|)), or, with line_search: strong_wolfe, what a search from
   there finds (c1 1e-4, c2 0.9). A step is up to max_iter iterations or max_eval evaluations (5/4 of max_iter where it is 0). */
#include <math.h>
#include <string.h>

#include "optim/solver.h"

enum { ITERATIONS, PAIRS, RATE, SCALE, HEAD }; /* the first numbers of what is kept */

typedef struct memory { /* the parts of what is kept */
    double *head, *rho, *d, *before, *s, *y;
} memory;

int64_t bp__lbfgs_size(int64_t n, int64_t history_size) {
    if (n < 0 || history_size < 1 || n > INT64_MAX / 64 / (history_size + 1)) return 0;
    return HEAD + history_size + 2 * n * (history_size + 1);
}

static memory parts_of(double *kept, int64_t n, int64_t history) {
    memory m = {.head = kept, .rho = kept + HEAD};
    m.d = m.rho + history;
    m.before = m.d + n;
    m.s = m.before + n;
    m.y = m.s + n * history;
    return m;
}

/* The pair of the last step is remembered if the curvature along it is positive; then d = -H·g. */
static void direction(memory *m, const double *g, int64_t n, int64_t history, double *alpha, double *y) {
    int64_t k = (int64_t)m->head[PAIRS];
    for (int64_t i = 0; i < n; i++) {
        y[i] = g[i] - m->before[i];
        m->d[i] *= m->head[RATE]; /* the step that was made */
    }
    double ys = bp__dot(y, m->d, n);
    if (ys > 1e-10) {
        if (k == history) {
            k--;
            memmove(m->rho, m->rho + 1, sizeof(double) * (size_t)k);
            memmove(m->s, m->s + n, sizeof(double) * (size_t)(k * n));
            memmove(m->y, m->y + n, sizeof(double) * (size_t)(k * n));
        }
        memcpy(m->s + k * n, m->d, sizeof(double) * (size_t)n);
        memcpy(m->y + k * n, y, sizeof(double) * (size_t)n);
        m->rho[k++] = 1 / ys;
        m->head[SCALE] = ys / bp__dot(y, y, n);
        m->head[PAIRS] = (double)k;
    }
    for (int64_t i = 0; i < n; i++) m->d[i] = -g[i];
    for (int64_t j = k - 1; j >= 0; j--) {
        alpha[j] = bp__dot(m->s + j * n, m->d, n) * m->rho[j];
        bp__move(m->d, m->d, -alpha[j], m->y + j * n, n);
    }
    for (int64_t i = 0; i < n; i++) m->d[i] *= m->head[SCALE];
    for (int64_t j = 0; j < k; j++) bp__move(m->d, m->d, alpha[j] - bp__dot(m->y + j * n, m->d, n) * m->rho[j], m->s + j * n, n);
}

static void first_direction(memory *m, const double *g, int64_t n) {
    m->head[PAIRS] = 0;
    m->head[SCALE] = 1;
    for (int64_t i = 0; i < n; i++) m->d[i] = -g[i];
}

/* work: 6 n + history. */
static bp_status run(const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w, bp__solved *out, double *work) {
    int64_t n = f->n, evaluations = 1;
    memory m = parts_of(kept, n, o->history_size);
    bp__point p[4];
    for (int k = 0; k < 4; k++) p[k] = (bp__point){.gradient = work + k * n};
    double *y = work + 4 * n, *trial = work + 5 * n, *alpha = work + 6 * n;
    BP_TRY(f->evaluate(f->user, w, &out->loss, p[0].gradient));
    p[0].loss = out->loss;
    out->converged = bp__largest(p[0].gradient, n) <= o->tolerance_grad;
    if (out->converged) return BP_OK;
    for (int64_t i = 1; i <= o->max_iter; i++) {
        double *g = p[0].gradient, before = p[0].loss, rate = o->lr, sum = 0;
        if (m.head[ITERATIONS]++ == 0) {
            first_direction(&m, g, n);
            for (int64_t k = 0; k < n; k++) sum += fabs(g[k]);
            rate = fmin(1, 1 / sum) * o->lr;
        } else
            direction(&m, g, n, o->history_size, alpha, y);
        memcpy(m.before, g, sizeof(double) * (size_t)n);
        m.head[RATE] = rate;
        p[0].t = 0;
        p[0].slope = bp__dot(g, m.d, n);
        out->converged = p[0].slope > -o->tolerance_change;
        if (out->converged) break;
        bp__search s = {.f = f, .w = w, .d = m.d, .trial = trial, .tolerance_change = o->tolerance_change, .c2 = 0.9};
        if (o->strong_wolfe) {
            bp__point best;
            BP_TRY(bp__line_search(&s, p, rate, o->max_eval - evaluations, &best));
            m.head[RATE] = rate = best.t;
            memmove(p[0].gradient, best.gradient, sizeof(double) * (size_t)n);
            p[0].loss = best.loss;
        } else if (i < o->max_iter)
            BP_TRY(bp__look(&s, rate, &p[0]));
        bp__move(w, w, rate, m.d, n);
        evaluations += s.n_evaluations;
        bool known = o->strong_wolfe || i < o->max_iter; /* the loss and the gradient there */
        out->converged =
            bp__largest(m.d, n) * fabs(rate) <= o->tolerance_change ||
            (known && (bp__largest(p[0].gradient, n) <= o->tolerance_grad || fabs(p[0].loss - before) < o->tolerance_change));
        if (out->converged || evaluations >= o->max_eval) break;
    }
    return BP_OK;
}

bp_status bp__lbfgs_step(bp_context *ctx, const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w,
                         bp__solved *out) {
    size_t bytes = sizeof(double) * (size_t)(6 * f->n + o->history_size);
    double *work = bp__zalloc(ctx, bytes);
    if (!work) return bp__out_of_memory(ctx, bytes);
    bp_status status = run(f, o, kept, w, out, work);
    bp__free(ctx, work);
    return status;
}

static int64_t size(const bp__choice *c, int64_t n) { return bp__lbfgs_size(n, bp__choice_option(c, "history_size")->integer); }

static bp_status step(bp_context *ctx, const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w,
                      bp__solved *out) {
    bp__lbfgs_options o = {.lr = lr, .max_iter = bp__choice_option(c, "max_iter")->integer};
    o.max_eval = bp__choice_option(c, "max_eval")->integer;
    if (o.max_eval == 0) o.max_eval = o.max_iter * 5 / 4;
    o.tolerance_grad = bp__choice_option(c, "tolerance_grad")->number;
    o.tolerance_change = bp__choice_option(c, "tolerance_change")->number;
    o.history_size = bp__choice_option(c, "history_size")->integer;
    o.strong_wolfe = strcmp(bp__choice_option(c, "line_search")->text, "strong_wolfe") == 0;
    return bp__lbfgs_step(ctx, f, &o, kept, w, out);
}

const bp__solver bp__solver_lbfgs = {.size = size, .step = step};
