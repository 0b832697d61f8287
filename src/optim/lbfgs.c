/* lbfgs: limited-memory BFGS by the two-loop recursion (Nocedal & Wright, "Numerical optimization", 2006, algorithm 7.4), and a
   line search for the strong Wolfe conditions (algorithms 3.5 and 3.6, c1 1e-4, c2 0.9) with cubic interpolation; the order of
   decisions is torch.optim.LBFGS's. */
#include <math.h>
#include <string.h>

#include "optim/solver.h"

enum { ITERATIONS, PAIRS, RATE, SCALE, HEAD }; /* the first numbers of what is kept */

typedef struct memory { /* the parts of what is kept */
    double *head, *rho, *d, *before, *s, *y;
} memory;

typedef struct point { /* on the line w + t·d */
    double t, loss, slope, *gradient;
} point;

typedef struct search {
    const bp__objective *f;
    const bp__lbfgs_options *o;
    const double *w, *d;
    double *trial;
    int64_t n_evaluations;
} search;

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

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
static double largest(const double *a, int64_t n) {
    double top = 0;
    for (int64_t i = 0; i < n; i++)
        if (top == top && !(fabs(a[i]) <= top)) top = fabs(a[i]); /* a NaN stays */
    return top;
}
static void move(double *out, const double *w, double t, const double *d, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = w[i] + t * d[i];
}

/* The lowest point of the cubic through two values and slopes, within [low, high]; their middle where it has none. */
static double cubic(const point *a, const point *b, double low, double high) {
    double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t), square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0)) return (low + high) / 2;
    double d2 = sqrt(square);
    double t = a->t <= b->t ? b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2))
                            : a->t - (a->t - b->t) * ((a->slope + d2 - d1) / (a->slope - b->slope + 2 * d2));
    return t < low ? low : t > high ? high : t;
}

static bp_status look(search *s, double t, point *p) {
    p->t = t;
    move(s->trial, s->w, t, s->d, s->f->n);
    BP_TRY(s->f->evaluate(s->f->user, s->trial, &p->loss, p->gradient));
    p->slope = dot(p->gradient, s->d, s->f->n);
    s->n_evaluations++;
    return BP_OK;
}

static void swap(point *a, point *b) {
    point c = *a;
    *a = *b;
    *b = c;
}

/* Where in the bracket to look next; not twice in a row within a tenth of its ends. */
static double inside(const point *a, const point *b, bool *slow) {
    double low = fmin(a->t, b->t), high = fmax(a->t, b->t), t = cubic(a, b, low, high), margin = 0.1 * (high - low);
    bool near = fmin(high - t, t - low) < margin, moved = near && (*slow || t >= high || t <= low);
    *slow = near && !moved;
    if (!moved) return t;
    return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
}

/* p[0]: where the search begins, t = 0; p[1], p[2]: room. *best: the point found. */
static bp_status line_search(search *s, point *p, double t, int64_t limit, point *best) {
    point origin = p[0], *before = &p[0], *now = &p[1], *spare = &p[2];
    double length = largest(s->d, s->f->n);
    int64_t tries = 0;
    bool done = false, slow = false;
    BP_TRY(look(s, t, now));
    for (; tries < limit; tries++) { /* until the bracket holds a point */
        if (now->loss > origin.loss + 1e-4 * now->t * origin.slope || (tries > 1 && now->loss >= before->loss)) break;
        done = fabs(now->slope) <= -0.9 * origin.slope;
        if (done || now->slope >= 0) break;
        double next = cubic(before, now, now->t + 0.01 * (now->t - before->t), now->t * 10);
        if (before == &p[0] && tries == 0) { /* the origin's gradient is needed if the search gives up */
            before = now;
            now = spare;
            spare = &p[3];
        } else {
            point *free_one = before;
            before = now;
            now = spare;
            spare = free_one;
        }
        BP_TRY(look(s, next, now));
    }
    if (done || tries >= limit) {
        *best = !done && origin.loss <= now->loss ? origin : *now;
        return BP_OK;
    }
    point low = *before, high = *now, next = *spare;
    bool first_is_low = low.loss <= high.loss; /* `first` and `second` keep their places in the interpolation */
    if (!first_is_low) swap(&low, &high);
    for (; !done && tries < limit; tries++) {
        if (fabs(high.t - low.t) * length < s->o->tolerance_change) break;
        BP_TRY(look(s, first_is_low ? inside(&low, &high, &slow) : inside(&high, &low, &slow), &next));
        if (next.loss > origin.loss + 1e-4 * next.t * origin.slope || next.loss >= low.loss) {
            swap(&high, &next);
            bool lower = first_is_low ? low.loss <= high.loss : high.loss <= low.loss;
            if (lower != first_is_low) swap(&low, &high);
            first_is_low = lower;
            continue;
        }
        done = fabs(next.slope) <= -0.9 * origin.slope;
        if (!done && next.slope * (high.t - low.t) >= 0) swap(&high, &low);
        swap(&low, &next);
    }
    *best = low;
    return BP_OK;
}

/* The pair of the last step is remembered if the curvature along it is positive; then d = -H·g. */
static void direction(memory *m, const double *g, int64_t n, int64_t history, double *alpha, double *y) {
    int64_t k = (int64_t)m->head[PAIRS];
    for (int64_t i = 0; i < n; i++) {
        y[i] = g[i] - m->before[i];
        m->d[i] *= m->head[RATE]; /* the step that was made */
    }
    double ys = dot(y, m->d, n);
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
        m->head[SCALE] = ys / dot(y, y, n);
        m->head[PAIRS] = (double)k;
    }
    for (int64_t i = 0; i < n; i++) m->d[i] = -g[i];
    for (int64_t j = k - 1; j >= 0; j--) {
        alpha[j] = dot(m->s + j * n, m->d, n) * m->rho[j];
        move(m->d, m->d, -alpha[j], m->y + j * n, n);
    }
    for (int64_t i = 0; i < n; i++) m->d[i] *= m->head[SCALE];
    for (int64_t j = 0; j < k; j++) move(m->d, m->d, alpha[j] - dot(m->y + j * n, m->d, n) * m->rho[j], m->s + j * n, n);
}

static void first_direction(memory *m, const double *g, int64_t n) {
    m->head[PAIRS] = 0;
    m->head[SCALE] = 1;
    for (int64_t i = 0; i < n; i++) m->d[i] = -g[i];
}

/* work: 6 n + history. */
static bp_status run(const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w, double *loss, double *work) {
    int64_t n = f->n, evaluations = 1;
    memory m = parts_of(kept, n, o->history_size);
    point p[4];
    for (int k = 0; k < 4; k++) p[k] = (point){.gradient = work + k * n};
    double *y = work + 4 * n, *trial = work + 5 * n, *alpha = work + 6 * n;
    BP_TRY(f->evaluate(f->user, w, loss, p[0].gradient));
    p[0].loss = *loss;
    if (largest(p[0].gradient, n) <= o->tolerance_grad) return BP_OK;
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
        p[0].slope = dot(g, m.d, n);
        if (p[0].slope > -o->tolerance_change) break;
        search s = {.f = f, .o = o, .w = w, .d = m.d, .trial = trial};
        if (o->strong_wolfe) {
            point best;
            BP_TRY(line_search(&s, p, rate, o->max_eval - evaluations, &best));
            m.head[RATE] = rate = best.t;
            memmove(p[0].gradient, best.gradient, sizeof(double) * (size_t)n);
            p[0].loss = best.loss;
        } else if (i < o->max_iter)
            BP_TRY(look(&s, rate, &p[0]));
        move(w, w, rate, m.d, n);
        evaluations += s.n_evaluations;
        bool small = largest(m.d, n) * fabs(rate) <= o->tolerance_change;
        if (i == o->max_iter || evaluations >= o->max_eval || largest(p[0].gradient, n) <= o->tolerance_grad || small) break;
        if (fabs(p[0].loss - before) < o->tolerance_change) break;
    }
    return BP_OK;
}

bp_status bp__lbfgs_step(bp_context *ctx, const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w,
                         double *loss) {
    size_t bytes = sizeof(double) * (size_t)(6 * f->n + o->history_size);
    double *work = bp__zalloc(ctx, bytes);
    if (!work) return bp__out_of_memory(ctx, bytes);
    bp_status status = run(f, o, kept, w, loss, work);
    bp__free(ctx, work);
    return status;
}
