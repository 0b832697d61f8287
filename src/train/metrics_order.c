/* Metrics that need values in order: areas under curves, the best of all thresholds, and how well one order agrees with another.
 */
#include <math.h>
#include <string.h>

#include "train/metrics.h"

/* ---- Sorting ---- */

typedef struct entry {
    uint64_t key;
    int64_t index;
} entry;

/* The bits of a double, so that whole numbers order as the numbers do; both zeros are one. */
static uint64_t key_of(double v) {
    uint64_t u;
    v += 0.0;
    memcpy(&u, &v, sizeof u);
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

/* Radix sort by bytes, lowest first; bytes that are the same in all keys (the low ones of numbers that were float) cost nothing.
 */
bp_status bp__order_of(int64_t *order, bp_context *ctx, const double *v, int64_t n) {
    int64_t count[8][256] = {{0}};
    size_t size = sizeof(entry) * 2 * (size_t)n;
    entry *block = bp__alloc(ctx, size + 1), *from = block, *to = block + n;
    if (!block) return bp__out_of_memory(ctx, size);
    for (int64_t i = 0; i < n; i++) {
        from[i] = (entry){key_of(v[i]), i};
        for (int b = 0; b < 8; b++) count[b][from[i].key >> 8 * b & 255]++;
    }
    for (int b = 0; b < 8 && n > 0; b++) {
        int64_t at = 0;
        if (count[b][from[0].key >> 8 * b & 255] == n) continue;
        for (int d = 0; d < 256; d++) {
            int64_t here = count[b][d];
            count[b][d] = at;
            at += here;
        }
        for (int64_t i = 0; i < n; i++) to[count[b][from[i].key >> 8 * b & 255]++] = from[i];
        entry *swap = from;
        from = to;
        to = swap;
    }
    for (int64_t i = 0; i < n; i++) order[i] = from[i].index;
    bp__free(ctx, block);
    return BP_OK;
}

/* ---- Thresholds ---- */

/* Rows in order of a class's probability, in groups of equal ones, from the highest; the weights in and outside the class. */
typedef double curve(const double *in, const double *outside, int64_t groups, int how, double least);

/* The chance that a row of the class has a higher p than one of another; ties count half. */
static double roc(const double *in, const double *outside, int64_t groups, int how, double least) {
    (void)how, (void)least;
    double above = 0, pairs = 0, others = 0;
    for (int64_t g = 0; g < groups; g++) {
        pairs += outside[g] * (above + in[g] / 2);
        above += in[g];
        others += outside[g];
    }
    return above > 0 && others > 0 ? pairs / (above * others) : (double)NAN;
}

static double precision_recall(const double *in, const double *outside, int64_t groups, int how, double least) {
    (void)how, (void)least;
    double right = 0, called = 0, sum = 0;
    for (int64_t g = 0; g < groups; g++) {
        right += in[g];
        called += in[g] + outside[g];
        if (in[g] > 0) sum += in[g] * (right / called);
    }
    return right > 0 ? sum / right : (double)NAN;
}

/* The most of one rate where the other is `least` or more. A threshold that calls no row is one too: there recall is 0, and
   precision, by agreement, 1 as specificity is. */
static double best_threshold(const double *in, const double *outside, int64_t groups, int how, double least) {
    double right = 0, wrong = 0, all = 0, others = 0;
    double best = (how == BP__PRECISION_AT_RECALL || how == BP__SPECIFICITY_AT_SENSITIVITY) && least <= 0;
    for (int64_t g = 0; g < groups; g++) all += in[g], others += outside[g];
    for (int64_t g = 0; g < groups; g++) {
        right += in[g];
        wrong += outside[g];
        double recall = right / all, precision = right / (right + wrong), specificity = (others - wrong) / others, x, needs;
        switch (how) {
        case BP__PRECISION_AT_RECALL: x = precision, needs = recall; break;
        case BP__RECALL_AT_PRECISION: x = recall, needs = precision; break;
        case BP__SENSITIVITY_AT_SPECIFICITY: x = recall, needs = specificity; break;
        case BP__SPECIFICITY_AT_SENSITIVITY: x = specificity, needs = recall; break;
        default: x = 2 * right / (all + right + wrong), needs = least;
        }
        if (needs >= least && x > best) best = x;
    }
    bool of_both = how == BP__SENSITIVITY_AT_SPECIFICITY || how == BP__SPECIFICITY_AT_SENSITIVITY;
    return all > 0 && (others > 0 || !of_both) ? best : (double)NAN;
}

/* The second of two classes; of more, the mean of each against the rest. Rows whose label is not known are left out. */
static bp_status mean_curve(double *out, const bp__class_rows *r, curve *f, int how, double least) {
    int64_t n = r->n, k = r->k;
    size_t size = (4 * sizeof(double) + 2 * sizeof(int64_t)) * (size_t)n;
    double *p = bp__alloc(r->ctx, size + 1), *in = p + n, *outside = in + n;
    if (!p) return bp__out_of_memory(r->ctx, size);
    int64_t *order = (int64_t *)(void *)(outside + n), *row = order + n;
    bp_status status = BP_OK;
    double sum = 0;
    for (int64_t c = k == 2 ? 1 : 0; c < k && status == BP_OK; c++) {
        int64_t m = 0, groups = -1;
        for (int64_t i = 0; i < n; i++) {
            if (r->label[i] == k) continue;
            p[m] = -r->p[i * k + c];
            if (!isfinite(p[m])) sum = (double)NAN;
            row[m++] = i;
        }
        if (sum != sum) break;
        status = bp__order_of(order, r->ctx, p, m);
        for (int64_t j = 0; j < m && status == BP_OK; j++) {
            int64_t i = row[order[j]];
            double w = bp__row_weight(r->w, i);
            if (j == 0 || p[order[j]] != p[order[j - 1]]) {
                groups++;
                in[groups] = outside[groups] = 0;
            }
            *(r->label[i] == c ? &in[groups] : &outside[groups]) += w;
        }
        sum += f(in, outside, groups + 1, how, least);
    }
    bp__free(r->ctx, p);
    *out = sum / (double)(k == 2 ? 1 : k);
    return status;
}

bp_status bp__m_auc(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    return mean_curve(out, r, roc, how, 0);
}
bp_status bp__m_average_precision(double *out, const bp__class_rows *r, int how, const double *value) {
    (void)value;
    return mean_curve(out, r, precision_recall, how, 0);
}
bp_status bp__m_at(double *out, const bp__class_rows *r, int how, const double *value) {
    return mean_curve(out, r, best_threshold, how, how == BP__F1_MAX ? 0 : value[0]);
}

/* ---- Correlations ---- */

static double correlation(const double *a, const double *b, int64_t n) {
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) mean_a += a[i], mean_b += b[i];
    mean_a /= (double)n;
    mean_b /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        double x = a[i] - mean_a, y = b[i] - mean_b;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    double c = ab / (sqrt(aa) * sqrt(bb)); /* 0/0, not defined, where one is constant */
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

static bool constant(const double *v, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (v[i] != v[0]) return false;
    return true;
}
static bool comparable(const bp__number_rows *r) { return r->n > 1 && !constant(r->y, r->n) && !constant(r->p, r->n); }

bp_status bp__m_pearson(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    *out = comparable(r) ? correlation(r->y, r->p, r->n) : (double)NAN;
    return BP_OK;
}

/* Places from 1; equal values share the mean of theirs. */
static bp_status ranks(double *rank, int64_t *order, bp_context *ctx, const double *v, int64_t n) {
    BP_TRY(bp__order_of(order, ctx, v, n));
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[order[end]] == v[order[i]];) end++;
        for (int64_t j = i; j < end; j++) rank[order[j]] = (double)(i + end + 1) / 2;
    }
    return BP_OK;
}

bp_status bp__m_spearman(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    size_t n = (size_t)r->n;
    *out = (double)NAN;
    if (!comparable(r)) return BP_OK;
    double *y = bp__alloc(r->ctx, sizeof(double) * 2 * n);
    int64_t *order = bp__alloc(r->ctx, sizeof(int64_t) * n);
    bp_status status = y && order ? ranks(y, order, r->ctx, r->y, r->n) : bp__out_of_memory(r->ctx, sizeof(double) * 2 * n);
    if (status == BP_OK) status = ranks(y + n, order, r->ctx, r->p, r->n);
    if (status == BP_OK) *out = correlation(y, y + n, r->n);
    bp__free(r->ctx, y);
    bp__free(r->ctx, order);
    return status;
}

/* Sorts v by merging and counts the pairs that stood the wrong way. */
static double inversions(double *v, double *spare, int64_t n) {
    if (n < 2) return 0;
    int64_t half = n / 2, i = 0, j = half, k = 0;
    double count = inversions(v, spare, half) + inversions(v + half, spare, n - half);
    while (i < half || j < n) {
        if (j >= n || (i < half && v[i] <= v[j])) {
            spare[k++] = v[i++];
        } else {
            count += (double)(half - i);
            spare[k++] = v[j++];
        }
    }
    memcpy(v, spare, sizeof *v * (size_t)n);
    return count;
}

/* Pairs of equal neighbours in a sorted order; `b` NULL: equal in `a` alone. */
static double tied(const double *a, const double *b, const int64_t *order, int64_t n) {
    double pairs = 0, run = 0;
    for (int64_t i = 1; i < n; i++) {
        int64_t x = order[i], y = order[i - 1];
        run = a[x] == a[y] && (!b || b[x] == b[y]) ? run + 1 : 0;
        pairs += run;
    }
    return pairs;
}

/* tau-b in n log n (Knight, JASA 1966). */
static bp_status tau(double *out, const bp__number_rows *r, double *work, int64_t *order) {
    int64_t n = r->n, *by_y = order + n, *both = by_y + n;
    double *sorted = work, *spare = work + n, all = (double)n * (double)(n - 1) / 2;
    BP_TRY(bp__order_of(order, r->ctx, r->p, n));
    double ties_p = tied(r->p, NULL, order, n);
    for (int64_t i = 0; i < n; i++) sorted[i] = r->y[order[i]];
    BP_TRY(bp__order_of(by_y, r->ctx, sorted, n)); /* stable: by y, and by p where y is the same */
    for (int64_t i = 0; i < n; i++) both[i] = order[by_y[i]];
    double ties_y = tied(r->y, NULL, both, n), ties_both = tied(r->y, r->p, both, n);
    for (int64_t i = 0; i < n; i++) sorted[i] = r->p[both[i]];
    double against = inversions(sorted, spare, n);
    double x = (all - ties_y - ties_p + ties_both - 2 * against) / sqrt(all - ties_y) / sqrt(all - ties_p);
    *out = x > 1 ? 1 : x < -1 ? -1 : x;
    return BP_OK;
}

bp_status bp__m_kendall(double *out, const bp__number_rows *r, int how, const double *value) {
    (void)how, (void)value;
    size_t n = (size_t)r->n;
    *out = (double)NAN;
    if (!comparable(r)) return BP_OK;
    double *work = bp__alloc(r->ctx, sizeof(double) * 2 * n);
    int64_t *order = bp__alloc(r->ctx, sizeof(int64_t) * 3 * n);
    bp_status status = work && order ? tau(out, r, work, order) : bp__out_of_memory(r->ctx, sizeof(int64_t) * 3 * n);
    bp__free(r->ctx, work);
    bp__free(r->ctx, order);
    return status;
}
