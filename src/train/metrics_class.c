/* Metrics of classes, from the sums of their rows: T_c of a class, P_c predicted as it, H_c both. What scikit-learn counts as 0
   in a mean over classes (0/0 of one class) does so here; a score that is 0/0 as a whole is NaN. */
#include <math.h>

#include "core/math64.h"
#include "train/metrics.h"

static double ratio(double a, double b) { return b > 0 ? a / b : (double)NAN; }
static double defined(double x) { return x == x ? x : 0; }

static double hits(const bp__class_rows *r) {
    double sum = 0;
    for (int64_t c = 0; c <= r->k; c++) sum += r->hit[c];
    return sum;
}

/* how 1: the share that is wrong */
bp_status bp__m_accuracy(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    double right = ratio(hits(r), r->total);
    *out = how ? 1 - right : right;
    return BP_OK;
}

bp_status bp__m_balanced(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how;
    double sum = 0, n = 0;
    for (int64_t c = 0; c <= r->k; c++) {
        if (!(r->truth[c] > 0)) continue;
        sum += r->hit[c] / r->truth[c];
        n++;
    }
    *out = ratio(sum, n);
    if (value[0] != 0) *out = n > 1 ? (*out - 1 / n) / (1 - 1 / n) : (double)NAN;
    return BP_OK;
}

/* ---- Precision, recall and their relatives ---- */

static double overlap(int what, double hit, double truth, double guessed, double beta) {
    switch (what) {
    case BP__PRECISION: return ratio(hit, guessed);
    case BP__RECALL: return ratio(hit, truth);
    case BP__F1:
    case BP__F_BETA: return ratio((1 + beta * beta) * hit, beta * beta * truth + guessed);
    default: return ratio(hit, truth + guessed - hit);
    }
}

bp_status bp__m_overlap(double *out, const bp__class_rows *r, int how, const double *value) {
    int what = how & 15, average = how & 48;
    double beta = what == BP__F_BETA ? value[0] : 1, sum = 0, n = 0, hit = 0, truth = 0, guessed = 0;
    *out = (double)NAN;
    if (average == BP__BINARY) {
        if (r->k == 2) *out = overlap(what, r->hit[1], r->truth[1], r->guessed[1], beta);
        return BP_OK;
    }
    for (int64_t c = 0; c <= r->k; c++) {
        if (!(r->truth[c] + r->guessed[c] > 0)) continue;
        double x = defined(overlap(what, r->hit[c], r->truth[c], r->guessed[c], beta));
        double w = average == BP__WEIGHTED ? r->truth[c] : 1;
        sum += w * x;
        n += w;
        hit += r->hit[c];
        truth += r->truth[c];
        guessed += r->guessed[c];
    }
    *out = average == BP__MICRO ? overlap(what, hit, truth, guessed, beta) : ratio(sum, n);
    return BP_OK;
}

bp_status bp__m_specificity(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double sum = 0, n = 0;
    for (int64_t c = r->k == 2 ? 1 : 0; c <= (r->k == 2 ? 1 : r->k); c++) {
        if (r->k != 2 && !(r->truth[c] + r->guessed[c] > 0)) continue;
        sum += ratio(r->total - r->truth[c] - r->guessed[c] + r->hit[c], r->total - r->truth[c]);
        n++;
    }
    *out = ratio(sum, n);
    return BP_OK;
}

bp_status bp__m_count(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    *out = (double)NAN;
    if (r->k != 2 || !(r->total > 0)) return BP_OK;
    double hit = r->hit[1], truth = r->truth[1], guessed = r->guessed[1];
    switch (how) {
    case BP__TRUE_POSITIVES: *out = hit; break;
    case BP__FALSE_POSITIVES: *out = guessed - hit; break;
    case BP__FALSE_NEGATIVES: *out = truth - hit; break;
    default: *out = r->total - truth - guessed + hit;
    }
    return BP_OK;
}

bp_status bp__m_g_mean(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double logs = 0, n = 0;
    for (int64_t c = 0; c <= r->k; c++) {
        if (!(r->truth[c] > 0)) continue;
        logs += bp__log64(r->hit[c] / r->truth[c]); /* of 0: -inf, and the mean is 0 */
        n++;
    }
    *out = n > 0 ? bp__exp64(logs / n) : (double)NAN;
    return BP_OK;
}

/* ---- Correlation and agreement ---- */

bp_status bp__m_mcc(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how, (void)value;
    double both = 0, truth = 0, guessed = 0, n = r->total;
    for (int64_t c = 0; c <= r->k; c++) { /* N^2 - sum T^2 = sum T (N - T): exactly 0 for one class */
        both += r->truth[c] * r->guessed[c];
        truth += r->truth[c] * (n - r->truth[c]);
        guessed += r->guessed[c] * (n - r->guessed[c]);
    }
    double spread = truth * guessed;
    *out = !(n > 0) ? (double)NAN : spread > 0 ? (hits(r) * n - both) / sqrt(spread) : 0;
    return BP_OK;
}

/* How wrong j is where i is true. */
static double distance(int how, int64_t i, int64_t j) {
    double d = fabs((double)(i - j));
    return how == 0 ? (double)(i != j) : how == 1 ? d : d * d;
}

bp_status bp__m_kappa(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    double wrong = 0, chance = 0;
    for (int64_t i = 0; i < r->n; i++) wrong += bp__row_weight(r->w, i) * distance(how, r->label[i], r->guess[i]);
    for (int64_t i = 0; i <= r->k; i++) {
        double sum = 0;
        for (int64_t j = 0; j <= r->k && r->truth[i] > 0; j++) sum += distance(how, i, j) * r->guessed[j];
        chance += r->truth[i] * sum;
    }
    *out = chance > 0 ? 1 - wrong / (chance / r->total) : (double)NAN;
    return BP_OK;
}

/* ---- Probabilities ---- */

/* Weighted mean over the rows whose label is known; NaN where a probability is none. */
static double mean_of_rows(const bp__class_rows *r, double (*f)(const double *p, int64_t k, int64_t label)) {
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (r->label[i] == r->k) continue;
        double w = bp__row_weight(r->w, i);
        sum += w * f(r->p + i * r->k, r->k, r->label[i]);
        weights += w;
    }
    return ratio(sum, weights);
}

static double surprise(const double *p, int64_t k, int64_t label) {
    const double e = 0x1p-52;
    for (int64_t c = 0; c < k; c++)
        if (!(p[c] >= 0 && p[c] <= 1)) return (double)NAN;
    double x = p[label] < e ? e : p[label] > 1 - e ? 1 - e : p[label];
    return -bp__log64(x);
}
bp_status bp__m_log_loss(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = mean_of_rows(r, surprise);
    return BP_OK;
}

/* 1 less the margin of the right class's log p over the likeliest other's: a constant that all logits share falls out of it. */
static double lack_of_margin(const double *p, int64_t k, int64_t label) {
    const double e = 0x1p-52;
    double other = 0;
    for (int64_t c = 0; c < k; c++) {
        if (!(p[c] >= 0 && p[c] <= 1)) return (double)NAN;
        if (c != label) other = BP__MAX(other, p[c]);
    }
    return BP__MAX(0, 1 - bp__log64(BP__MAX(p[label], e)) + bp__log64(BP__MAX(other, e)));
}
static double square_of_lack(const double *p, int64_t k, int64_t label) {
    double x = lack_of_margin(p, k, label);
    return x * x;
}
/* how 1: squared */
bp_status bp__m_hinge(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    *out = mean_of_rows(r, how ? square_of_lack : lack_of_margin);
    return BP_OK;
}

static double squares(const double *p, int64_t k, int64_t label) {
    double sum = 0;
    for (int64_t c = 0; c < k; c++) {
        double e = p[c] - (double)(c == label);
        sum += p[c] >= 0 && p[c] <= 1 ? e * e : (double)NAN;
    }
    return sum;
}
bp_status bp__m_brier(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = mean_of_rows(r, squares) * (r->k < 3 ? 0.5 : 1);
    return BP_OK;
}

bp_status bp__m_ece(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)how;
    int64_t bins = (int64_t)value[0];
    double *gap = bp__zalloc(r->ctx, sizeof *gap * (size_t)bins), sum = 0; /* hits less confidence, of a bin */
    if (!gap) return bp__out_of_memory(r->ctx, sizeof *gap * (size_t)bins);
    for (int64_t i = 0; i < r->n; i++) {
        double p = r->p[i * r->k + r->guess[i]];
        if (!(p >= 0 && p <= 1)) sum = (double)NAN;
        int64_t bin = p > 0 && p <= 1 ? (int64_t)ceil(p * (double)bins) - 1 : 0;
        gap[BP__MIN(bin, bins - 1)] += bp__row_weight(r->w, i) * ((double)(r->guess[i] == r->label[i]) - p);
    }
    for (int64_t b = 0; b < bins; b++) sum += fabs(gap[b]);
    bp__free(r->ctx, gap);
    *out = ratio(sum, r->total);
    return BP_OK;
}

/* how 0: k is a parameter. As many classes as there are, or more, would always be right: not defined. */
bp_status bp__m_top(double *out, const bp__class_rows *r, int how, const double *value) {
    double most = how ? how : value[0], sum = 0;
    for (int64_t i = 0; i < r->n; i++) {
        const double *p = r->p + i * r->k;
        int64_t t = r->label[i], before = 0;
        if (t == r->k) continue;
        for (int64_t c = 0; c < r->k; c++) before += p[c] > p[t] || (p[c] == p[t] && c > t);
        if (p[t] == p[t] && (double)before < most) sum += bp__row_weight(r->w, i);
    }
    *out = most < (double)r->k ? ratio(sum, r->total) : (double)NAN;
    return BP_OK;
}
