/* Metrics of numbers, of one target or of all of a row: means of a term per row, and what compares them with the best constant.
 */
#include <float.h>
#include <math.h>

#include "core/math64.h"
#include "train/metrics.h"

/* ---- Means of a term per row ---- */

typedef double term(double y, double p, double a); /* truth, prediction, parameter; NaN: not defined there */

static double mean(const bp__number_rows *r, term *f, double a) {
    double sum = 0;
    for (int64_t i = 0; i < r->n; i++) sum += bp__row_weight(r->w, i) * f(r->y[i], r->p[i], a);
    return r->total > 0 ? sum / r->total : (double)NAN;
}
#define MEAN(name_, term_, a_)                                                                     \
    bp_status bp__m_##name_(double *out, const bp__number_rows *r, int how, const double *value) { \
        (void)value;                                                                               \
        *out = mean(r, term_, a_);                                                                 \
        if (how == BP__ROOT) *out = sqrt(*out);                                                    \
        return BP_OK;                                                                              \
    }

static double square(double y, double p, double a) {
    (void)a;
    return (p - y) * (p - y);
}
static double size(double y, double p, double a) {
    (void)a;
    return fabs(p - y);
}
static double share(double y, double p, double a) {
    (void)a;
    return fabs(p - y) / BP__MAX(fabs(y), DBL_EPSILON);
}
static double square_of_share(double y, double p, double a) {
    double x = share(y, p, a);
    return x * x;
}
static double symmetric_share(double y, double p, double a) {
    (void)a;
    return p == y ? 0 : 2 * fabs(p - y) / (fabs(y) + fabs(p));
}
static double square_of_logs(double y, double p, double a) {
    (void)a;
    if (!(y > -1 && p > -1)) return (double)NAN;
    double e = bp__log1p64(p) - bp__log1p64(y);
    return e * e;
}
static double poisson_nll(double y, double p, double a) {
    (void)a;
    return p > 0 && y >= 0 ? p - y * bp__log64(p) : (double)NAN;
}
static double pinball(double y, double p, double alpha) { return y >= p ? alpha * (y - p) : (1 - alpha) * (p - y); }
static double huber(double y, double p, double delta) {
    double e = fabs(p - y);
    return e <= delta ? e * e / 2 : delta * (e - delta / 2);
}
/* log cosh e = |e| + log(1 + exp(-2 |e|)) - log 2; near 0 that cancels, and cosh e - 1 = (exp|e| - 1)^2 / (2 exp|e|). */
static double log_cosh(double y, double p, double a) {
    (void)a;
    double e = fabs(p - y);
    if (e < 1) {
        double x = bp__expm1_64(e);
        return bp__log1p64(x * x / (2 * (1 + x)));
    }
    return e + bp__log1p64(bp__exp64(-2 * e)) - 0.69314718055994530942;
}

MEAN(mse, square, 0)
MEAN(mae, size, 0)
MEAN(mape, share, 0)
MEAN(rmspe, square_of_share, 0)
MEAN(smape, symmetric_share, 0)
MEAN(msle, square_of_logs, 0)
MEAN(poisson_nll, poisson_nll, 0)
MEAN(pinball, pinball, value[0])
MEAN(huber, huber, value[0])
MEAN(log_cosh, log_cosh, 0)

/* ---- Deviances ---- */

/* Of Tweedie's distributions, variance mean^q; which targets and predictions have one depends on q. */
static double deviance(double y, double p, double q) {
    if (q == 0) return (p - y) * (p - y);
    if (!(p > 0) || (q > 0 && q < 1) || (q >= 1 && y < 0) || (q >= 2 && y == 0)) return (double)NAN;
    if (q == 1) return 2 * ((y > 0 ? y * bp__log64(y / p) : 0) - y + p);
    if (q == 2) return 2 * (bp__log64(p / y) + y / p - 1);
    return 2 * (bp__pow64(BP__MAX(y, 0), 2 - q) / ((1 - q) * (2 - q)) - y * bp__pow64(p, 1 - q) / (1 - q) +
                bp__pow64(p, 2 - q) / (2 - q));
}

bp_status bp__m_tweedie(double *out, const bp__number_rows *r, int how, const double *value) {
    *out = mean(r, deviance, how < 0 ? value[0] : how);
    return BP_OK;
}

/* ---- Against a constant ---- */

static double mean_target(const bp__number_rows *r) {
    double sum = 0;
    for (int64_t i = 0; i < r->n; i++) sum += bp__row_weight(r->w, i) * r->y[i];
    return sum / r->total;
}

/* 1 - error / error of the constant; where the constant makes none, 1 or 0 (scikit-learn's force_finite). */
static double explained(double error, double constant) {
    if (error == 0) return 1;
    return constant == 0 ? 0 : 1 - error / constant;
}

/* The mean term of a constant prediction; 0 where all targets are that constant, whatever rounding made of their mean. */
static double mean_to(const bp__number_rows *r, term *f, double constant, double a) {
    double sum = 0;
    bool same = true;
    for (int64_t i = 1; i < r->n && same; i++) same = r->y[i] == r->y[0];
    if (same) return 0;
    for (int64_t i = 0; i < r->n; i++) sum += bp__row_weight(r->w, i) * f(r->y[i], constant, a);
    return r->total > 0 ? sum / r->total : (double)NAN;
}

bp_status bp__m_r2(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = r->n > 1 ? explained(mean(r, square, 0), mean_to(r, square, mean_target(r), 0)) : (double)NAN;
    return BP_OK;
}

bp_status bp__m_explained(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double shift = 0, sum = 0;
    for (int64_t i = 0; i < r->n; i++) shift += bp__row_weight(r->w, i) * (r->y[i] - r->p[i]);
    shift /= r->total;
    for (int64_t i = 0; i < r->n; i++) sum += bp__row_weight(r->w, i) * square(r->y[i] - r->p[i], shift, 0);
    *out = explained(sum / r->total, mean_to(r, square, mean_target(r), 0));
    return BP_OK;
}

bp_status bp__m_d2_tweedie(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how;
    double constant = mean_to(r, deviance, mean_target(r), value[0]);
    *out = r->n > 1 && constant != 0 ? 1 - mean(r, deviance, value[0]) / constant : (double)NAN;
    return BP_OK;
}

/* Absolute errors over those of the value `season` rows before, of these rows. */
bp_status bp__m_mase(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how;
    double naive = 0;
    *out = (double)NAN;
    if (value[0] >= (double)r->n) return BP_OK;
    int64_t season = (int64_t)value[0];
    for (int64_t i = season; i < r->n; i++) naive += fabs(r->y[i] - r->y[i - season]);
    if (naive > 0) *out = mean(r, size, 0) / (naive / (double)(r->n - season));
    return BP_OK;
}

/* 0/0 where both are the same constant, whatever rounding made of their means. */
bp_status bp__m_concordance(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double t = 0, y = 0, both = 0, spread = 0;
    bool same = true;
    *out = (double)NAN;
    for (int64_t i = 1; i < r->n && same; i++) same = r->y[i] == r->y[0] && r->p[i] == r->p[0];
    if (r->n < 2 || !(r->total > 0) || (same && r->y[0] == r->p[0])) return BP_OK;
    for (int64_t i = 0; i < r->n; i++) {
        t += bp__row_weight(r->w, i) * r->y[i];
        y += bp__row_weight(r->w, i) * r->p[i];
    }
    t /= r->total;
    y /= r->total;
    for (int64_t i = 0; i < r->n; i++) {
        double a = r->y[i] - t, b = r->p[i] - y, w = bp__row_weight(r->w, i);
        both += w * a * b;
        spread += w * (a * a + b * b);
    }
    *out = 2 * both / (spread + r->total * (t - y) * (t - y));
    return BP_OK;
}

/* ---- All targets of a row ---- */

static double mean_of_rows(const bp__number_rows *r, double (*f)(const double *y, const double *p, int64_t k)) {
    double sum = 0;
    for (int64_t i = 0; i < r->n; i++)
        sum += bp__row_weight(r->w, i) * f(r->y + i * r->columns, r->p + i * r->columns, r->columns);
    return r->total > 0 ? sum / r->total : (double)NAN;
}

static double cosine(const double *y, const double *p, int64_t k) {
    double yp = 0, yy = 0, pp = 0;
    for (int64_t t = 0; t < k; t++) yp += y[t] * p[t], yy += y[t] * y[t], pp += p[t] * p[t];
    return yy > 0 && pp > 0 ? yp / (sqrt(yy) * sqrt(pp)) : 0;
}
bp_status bp__m_cosine(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = mean_of_rows(r, cosine);
    return BP_OK;
}

static double divergence(const double *y, const double *p, int64_t k) {
    double sum = 0;
    for (int64_t t = 0; t < k; t++) {
        double a = BP__MIN(BP__MAX(y[t], 1e-7), 1), b = BP__MIN(BP__MAX(p[t], 1e-7), 1);
        sum += a * bp__log64(a / b);
    }
    return sum;
}
bp_status bp__m_kl(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = mean_of_rows(r, divergence);
    return BP_OK;
}

/* ---- Quantiles ---- */

/* The value below which the share `rank` of the weights lies; where it falls between two, their mean (Hyndman and Fan, The
   American Statistician 1996, definition 2), rows of weight 0 left out. */
static bp_status quantile(double *out, const bp__number_rows *r, const double *v, double rank) {
    int64_t n = r->n, i = 0;
    int64_t *order = bp__alloc(r->ctx, sizeof *order * (size_t)n);
    if (!order) return bp__out_of_memory(r->ctx, sizeof *order * (size_t)n);
    bp_status status = bp__order_of(order, r->ctx, v, n);
    double total = 0, below = 0;
    for (int64_t j = 0; j < n && status == BP_OK; j++) total += bp__row_weight(r->w, order[j]);
    double aim = rank * 100 / 100 * total; /* the reference counts in percent, and rounds so */
    if (aim == 0) aim = DBL_TRUE_MIN;
    for (; i < n && status == BP_OK; i++) {
        below += bp__row_weight(r->w, order[i]);
        if (below >= aim) break;
    }
    *out = (double)NAN;
    if (status == BP_OK && total > 0) {
        int64_t here = BP__MIN(i, n - 1), next = here + 1;
        while (next < n && bp__row_weight(r->w, order[next]) == 0) next++;
        if (next == n) next = here;
        double a = v[order[here]], b = v[order[next]];
        *out = below - aim > DBL_EPSILON ? a : (a + b) / 2;
    }
    bp__free(r->ctx, order);
    return status;
}

bp_status bp__m_median(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double *e = bp__alloc(r->ctx, sizeof *e * (size_t)r->n);
    if (!e) return bp__out_of_memory(r->ctx, sizeof *e * (size_t)r->n);
    for (int64_t i = 0; i < r->n; i++) e[i] = fabs(r->p[i] - r->y[i]);
    bp_status status = quantile(out, r, e, 0.5);
    bp__free(r->ctx, e);
    return status;
}

bp_status bp__m_d2_pinball(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how;
    double alpha = value[0], constant;
    BP_TRY(quantile(&constant, r, r->y, alpha));
    *out = r->n > 1 ? explained(mean(r, pinball, alpha), mean_to(r, pinball, constant, alpha)) : (double)NAN;
    return BP_OK;
}

bp_status bp__m_d2_absolute(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)value;
    return bp__m_d2_pinball(out, r, how, &(double){0.5});
}

bp_status bp__m_max_error(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = r->n > 0 ? 0 : (double)NAN;
    for (int64_t i = 0; i < r->n; i++) *out = BP__MAX(*out, fabs(r->p[i] - r->y[i]));
    return BP_OK;
}
