/* The line search for the strong Wolfe conditions (Nocedal & Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6) with
   cubic interpolation; the order of decisions is that of torch.optim.LBFGS. A point where the loss or the slope is not a number
   counts as infinitely high: the search goes back towards where it began. */
#include <math.h>

#include "optim/solver.h"

double bp__dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
double bp__largest(const double *a, int64_t n) {
    double top = 0;
    for (int64_t i = 0; i < n; i++)
        if (top == top && !(fabs(a[i]) <= top)) top = fabs(a[i]); /* a NaN stays */
    return top;
}
void bp__move(double *out, const double *w, double t, const double *d, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = w[i] + t * d[i];
}

/* The lowest point of the cubic through two values and slopes, within [low, high]; their middle where it has none. */
static double cubic(const bp__point *a, const bp__point *b, double low, double high) {
    double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t), square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0)) return (low + high) / 2;
    double d2 = sqrt(square);
    double t = a->t <= b->t ? b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2))
                            : a->t - (a->t - b->t) * ((a->slope + d2 - d1) / (a->slope - b->slope + 2 * d2));
    if (t != t) return (low + high) / 2;
    return t < low ? low : t > high ? high : t;
}

bp_status bp__look(bp__search *s, double t, bp__point *p) {
    p->t = t;
    bp__move(s->trial, s->w, t, s->d, s->f->n);
    BP_TRY(s->f->evaluate(s->f->user, s->trial, &p->loss, p->gradient));
    p->slope = bp__dot(p->gradient, s->d, s->f->n);
    if (!isfinite(p->loss) || !isfinite(p->slope)) {
        p->loss = HUGE_VAL;
        p->slope = (double)NAN;
    }
    s->n_evaluations++;
    return BP_OK;
}

static void swap(bp__point *a, bp__point *b) {
    bp__point c = *a;
    *a = *b;
    *b = c;
}

/* Where in the bracket to look next; not twice in a row within a tenth of its ends. */
static double inside(const bp__point *a, const bp__point *b, bool *slow) {
    double low = fmin(a->t, b->t), high = fmax(a->t, b->t), t = cubic(a, b, low, high), margin = 0.1 * (high - low);
    bool near = fmin(high - t, t - low) < margin, moved = near && (*slow || t >= high || t <= low);
    *slow = near && !moved;
    if (!moved) return t;
    return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
}

/* p[0]: where the search begins, t = 0; p[1], p[2]: room. *best: the point found. */
bp_status bp__line_search(bp__search *s, bp__point *p, double t, int64_t limit, bp__point *best) {
    bp__point origin = p[0], *before = &p[0], *now = &p[1], *spare = &p[2];
    double length = bp__largest(s->d, s->f->n);
    int64_t tries = 0;
    bool done = false, slow = false;
    BP_TRY(bp__look(s, t, now));
    for (; tries < limit; tries++) { /* until the bracket holds a bp__point */
        if (now->loss > origin.loss + 1e-4 * now->t * origin.slope || (tries > 1 && now->loss >= before->loss)) break;
        done = fabs(now->slope) <= -s->c2 * origin.slope;
        if (done || now->slope >= 0) break;
        double next = cubic(before, now, now->t + 0.01 * (now->t - before->t), now->t * 10);
        if (before == &p[0] && tries == 0) { /* the origin's gradient is needed if the search gives up */
            before = now;
            now = spare;
            spare = &p[3];
        } else {
            bp__point *free_one = before;
            before = now;
            now = spare;
            spare = free_one;
        }
        BP_TRY(bp__look(s, next, now));
    }
    if (done || tries >= limit) {
        *best = !done && origin.loss <= now->loss ? origin : *now;
        return BP_OK;
    }
    bp__point low = *before, high = *now, next = *spare;
    bool first_is_low = low.loss <= high.loss; /* `first` and `second` keep their places in the interpolation */
    if (!first_is_low) swap(&low, &high);
    for (; !done && tries < limit; tries++) {
        if (fabs(high.t - low.t) * length < s->tolerance_change) break;
        BP_TRY(bp__look(s, first_is_low ? inside(&low, &high, &slow) : inside(&high, &low, &slow), &next));
        if (next.loss > origin.loss + 1e-4 * next.t * origin.slope || next.loss >= low.loss) {
            swap(&high, &next);
            bool lower = first_is_low ? low.loss <= high.loss : high.loss <= low.loss;
            if (lower != first_is_low) swap(&low, &high);
            first_is_low = lower;
            continue;
        }
        done = fabs(next.slope) <= -s->c2 * origin.slope;
        if (!done && next.slope * (high.t - low.t) >= 0) swap(&high, &low);
        swap(&low, &next);
    }
    *best = low;
    return BP_OK;
}
