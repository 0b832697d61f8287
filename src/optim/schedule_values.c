/* The formulas of the schedules, each in closed form: the rate at tick t from the base rate, without what came before. */
#include "core/math64.h"
#include "optim/schedules.h"

#include <math.h>
#include <string.h>

/* x to a whole power by squaring: products only, so the same bits everywhere. */
static double whole_power(double x, int64_t n) {
    double y = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return y;
}

static double power(double x, double y) {
    if (y == 0) return 1;
    if (y == 1) return x;
    if (x <= 0) return 0;
    return y == floor(y) && y < 64 ? whole_power(x, (int64_t)y) : bp__exp64(y * bp__log64(x));
}

/* From `start` at part 0 to `end` at part 1 along half a cosine. */
static double half_cosine(double start, double end, double part) {
    double sine, cosine;
    bp__sincos_turns(part / 2, &sine, &cosine);
    return end + (start - end) * (1 + cosine) / 2;
}

static double number(const bp__schedule *s, const char *key) { return bp__schedule_option(s, key)->number; }
static bool is_word(const bp__schedule *s, const char *key, const char *word) {
    return strcmp(bp__schedule_option(s, key)->text, word) == 0;
}

double bp__schedule_constant(const bp__schedule *s, int64_t t) {
    bool plain = !bp__schedule_option(s, "factor")->given && !bp__schedule_option(s, "total_iters")->given;
    if (plain || t >= bp__schedule_length(s, "total_iters")) return s->base_lr;
    return s->base_lr * number(s, "factor");
}

double bp__schedule_step(const bp__schedule *s, int64_t t) {
    return s->base_lr * whole_power(number(s, "gamma"), t / bp__schedule_option(s, "step_size")->integer);
}

double bp__schedule_multi_step(const bp__schedule *s, int64_t t) {
    int64_t passed = 0;
    while (passed < s->n_milestones && s->milestones[passed] <= t) passed++;
    return s->base_lr * whole_power(number(s, "gamma"), passed);
}

double bp__schedule_exponential(const bp__schedule *s, int64_t t) { return s->base_lr * whole_power(number(s, "gamma"), t); }

double bp__schedule_linear(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "total_iters");
    double start = number(s, "start_factor"), end = number(s, "end_factor");
    return s->base_lr * (start + (end - start) * (double)BP__MIN(t, n) / (double)n);
}

double bp__schedule_polynomial(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "total_iters");
    return s->base_lr * power(1 - (double)BP__MIN(t, n) / (double)n, number(s, "power"));
}

double bp__schedule_cosine(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "t_max");
    return half_cosine(s->base_lr, number(s, "eta_min"), (double)(t % (2 * n)) / (double)n);
}

double bp__schedule_warm_restarts(const bp__schedule *s, int64_t t) {
    int64_t length = bp__schedule_option(s, "t_0")->integer, times = bp__schedule_option(s, "t_mult")->integer;
    if (times == 1) t %= length;
    while (t >= length) {
        t -= length;
        length = length > INT64_MAX / times ? INT64_MAX : length * times;
    }
    return half_cosine(s->base_lr, number(s, "eta_min"), (double)t / (double)length);
}

double bp__schedule_one_cycle(const bp__schedule *s, int64_t t) {
    double n = (double)bp__schedule_length(s, "total_steps"), start = number(s, "pct_start");
    double top = bp__schedule_option(s, "max_lr")->given ? number(s, "max_lr") : s->base_lr;
    double first = top / number(s, "div_factor"), last = first / number(s, "final_div_factor");
    bool three = bp__schedule_option(s, "three_phase")->boolean;
    double ends[3] = {start * n - 1, three ? 2 * start * n - 2 : n - 1, n - 1};
    double rates[4] = {first, top, three ? first : last, last};
    int n_phases = three ? 3 : 2;
    double from = 0, now = BP__MIN((double)t, n - 1);
    for (int i = 0; i < n_phases; i++) {
        if (now <= ends[i] || i + 1 == n_phases) {
            double part = ends[i] > from ? (now - from) / (ends[i] - from) : 1;
            if (is_word(s, "anneal_strategy", "cos")) return half_cosine(rates[i], rates[i + 1], part);
            return (rates[i + 1] - rates[i]) * part + rates[i];
        }
        from = ends[i];
    }
    return last;
}

double bp__schedule_cyclic(const bp__schedule *s, int64_t t) {
    double low = bp__schedule_option(s, "base_lr")->given ? number(s, "base_lr") : s->base_lr, high = number(s, "max_lr");
    int64_t up = bp__schedule_option(s, "step_size_up")->integer;
    int64_t down = bp__schedule_option(s, "step_size_down")->given ? bp__schedule_option(s, "step_size_down")->integer : up;
    int64_t cycle = t / (up + down), place = t % (up + down);
    double part = place <= up ? (double)place / (double)up : (double)(up + down - place) / (double)down;
    double scale = 1;
    if (is_word(s, "mode", "triangular2")) scale = whole_power(0.5, cycle);
    if (is_word(s, "mode", "exp_range")) scale = whole_power(number(s, "gamma"), t);
    return low + (high - low) * part * scale;
}

double bp__schedule_inverse_sqrt(const bp__schedule *s, int64_t t) {
    double w = (double)BP__MAX(s->warmup, 1);
    return s->base_lr * sqrt(w / (w + (double)t));
}

double bp__schedule_sequential(const bp__schedule *s, int64_t t) {
    int64_t i = 0;
    while (i < s->n_milestones && s->milestones[i] <= t) i++;
    return bp__schedule_value(s->children[i], i > 0 ? t - s->milestones[i - 1] : t);
}

double bp__schedule_chained(const bp__schedule *s, int64_t t) {
    double rate = s->base_lr;
    for (int64_t i = 0; i < s->n_children && s->base_lr > 0; i++) rate *= bp__schedule_value(s->children[i], t) / s->base_lr;
    return rate;
}

double bp__schedule_plateau(const bp__schedule *s, int64_t t) {
    (void)t;
    return s->base_lr;
}

/* torch's ReduceLROnPlateau. */
bool bp__schedule_report(const bp__schedule *s, bp__plateau *m, double metric) {
    if (!bp__schedule_is_plateau(s)) return false;
    bool smaller = is_word(s, "mode", "min"), relative = is_word(s, "threshold_mode", "rel");
    double sign = smaller ? -1 : 1, step = number(s, "threshold");
    double mark = relative ? m->best * (1 + sign * step) : m->best + sign * step;
    bool better = m->n_reports == 0 ? metric == metric : smaller ? metric < mark : metric > mark;
    if (better) {
        m->best = metric;
        m->n_bad = 0;
        m->n_reports++;
    } else {
        m->n_bad++;
    }
    if (m->cooldown > 0) {
        m->cooldown--;
        m->n_bad = 0;
    }
    if (m->n_bad <= bp__schedule_option(s, "patience")->integer) return false;
    m->cooldown = bp__schedule_option(s, "cooldown")->integer;
    m->n_bad = 0;
    double old = s->base_lr * m->factor, rate = BP__MAX(old * number(s, "factor"), number(s, "min_lr"));
    if (old - rate <= number(s, "eps") || s->base_lr <= 0) return false;
    m->factor = rate / s->base_lr;
    return true;
}
