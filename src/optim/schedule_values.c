/* The formulas of the schedules: the rate at tick t from the base rate, in closed form where there is one. Sources: torch.optim.
   lr_scheduler 2.x; else named at the formula. */
#include "core/math64.h"
#include "optim/schedules.h"

#include <math.h>
#include <string.h>

/* From `start` at part 0 to `end` at part 1 along half a cosine. */
static double half_cosine(double start, double end, double part) {
    double sine, cosine;
    bp__sincos_turns(part / 2, &sine, &cosine);
    return end + (start - end) * (1 + cosine) / 2;
}

static double number(const bp__schedule *s, const char *key) { return bp__schedule_option(s, key)->number; }
static bool given(const bp__schedule *s, const char *key) { return bp__schedule_option(s, key)->given; }
static bool is_word(const bp__schedule *s, const char *key, const char *word) {
    return strcmp(bp__schedule_option(s, key)->text, word) == 0;
}

double bp__schedule_constant(const bp__schedule *s, int64_t t) {
    bool plain = !given(s, "factor") && !given(s, "total_iters");
    if (plain || t >= bp__schedule_length(s, "total_iters")) return s->base_lr;
    return s->base_lr * number(s, "factor");
}

double bp__schedule_formula(const bp__schedule *s, int64_t t, double lr) {
    double values[BP__FORMULA_N] = {[BP__FORMULA_STEP] = (double)t,
                                    [BP__FORMULA_EPOCH] = (double)(s->per_epoch ? t : t / s->steps_per_epoch),
                                    [BP__FORMULA_LR] = lr};
    return bp__expression_value(s->formula, values);
}
/* A rate that no optimiser can take becomes 0: the first ticks were checked when the configuration was read. */
static double usable(double rate) { return rate >= 0 && rate < HUGE_VAL ? rate : 0; }

double bp__schedule_lambda(const bp__schedule *s, int64_t t) {
    return usable(s->base_lr * bp__schedule_formula(s, t, s->base_lr));
}

double bp__schedule_multiplicative(const bp__schedule *s, int64_t t) {
    bp__memo *m = s->memo;
    if (m->tick < 0 || m->tick > t) *m = (bp__memo){0, s->base_lr};
    while (m->tick < t) {
        m->tick++;
        m->rate = usable(m->rate * bp__schedule_formula(s, m->tick, m->rate));
    }
    return m->rate;
}

double bp__schedule_step(const bp__schedule *s, int64_t t) {
    return s->base_lr * bp__pow64(number(s, "gamma"), (double)(t / bp__schedule_option(s, "step_size")->integer));
}

double bp__schedule_multi_step(const bp__schedule *s, int64_t t) {
    int64_t passed = 0;
    while (passed < s->n_milestones && s->milestones[passed] <= t) passed++;
    return s->base_lr * bp__pow64(number(s, "gamma"), (double)passed);
}

double bp__schedule_exponential(const bp__schedule *s, int64_t t) {
    return s->base_lr * bp__pow64(number(s, "gamma"), (double)t);
}

double bp__schedule_linear(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "total_iters");
    double start = number(s, "start_factor"), end = number(s, "end_factor");
    return s->base_lr * (start + (end - start) * (double)BP__MIN(t, n) / (double)n);
}

double bp__schedule_polynomial(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "total_iters");
    return s->base_lr * bp__pow64(1 - (double)BP__MIN(t, n) / (double)n, number(s, "power"));
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

/* ---- Cycles: rate and momentum go opposite ways ---- */

/* Smith, Topin 2018, as torch has it: `stops` are the values at the ends of the phases. */
static double one_cycle(const bp__schedule *s, int64_t t, const double stops[4]) {
    double n = (double)bp__schedule_length(s, "total_steps"), start = number(s, "pct_start");
    bool three = bp__schedule_option(s, "three_phase")->boolean;
    double ends[3] = {start * n - 1, three ? 2 * start * n - 2 : n - 1, n - 1};
    double from = 0, now = BP__MIN((double)t, n - 1);
    int i = 0, last = three ? 2 : 1;
    for (; i < last && now > ends[i]; i++) from = ends[i];
    double part = ends[i] > from ? (now - from) / (ends[i] - from) : 1;
    return is_word(s, "anneal_strategy", "cos") ? half_cosine(stops[i], stops[i + 1], part)
                                                : (stops[i + 1] - stops[i]) * part + stops[i];
}

double bp__schedule_one_cycle(const bp__schedule *s, int64_t t) {
    double top = given(s, "max_lr") ? number(s, "max_lr") : s->base_lr;
    double first = top / number(s, "div_factor"), last = first / number(s, "final_div_factor");
    bool three = bp__schedule_option(s, "three_phase")->boolean;
    return one_cycle(s, t, (const double[4]){first, top, three ? first : last, last});
}

/* Smith 2017: how far up it is, 0 to 1, times the mode's scale. */
static double height(const bp__schedule *s, int64_t t) {
    int64_t up = bp__schedule_option(s, "step_size_up")->integer;
    int64_t down = given(s, "step_size_down") ? bp__schedule_option(s, "step_size_down")->integer : up;
    int64_t cycle = t / (up + down), place = t % (up + down);
    double part = place <= up ? (double)place / (double)up : (double)(up + down - place) / (double)down;
    if (is_word(s, "mode", "triangular2")) return part * bp__pow64(0.5, (double)cycle);
    return is_word(s, "mode", "exp_range") ? part * bp__pow64(number(s, "gamma"), (double)t) : part;
}

double bp__schedule_cyclic(const bp__schedule *s, int64_t t) {
    double low = given(s, "base_lr") ? number(s, "base_lr") : s->base_lr;
    return low + (number(s, "max_lr") - low) * height(s, t);
}

static const bp__schedule *current(const bp__schedule *s, int64_t *t) {
    int64_t i = 0;
    while (i < s->n_milestones && s->milestones[i] <= *t) i++;
    *t -= i > 0 ? s->milestones[i - 1] : 0;
    return s->children[i];
}

double bp__schedule_momentum(const bp__schedule *s, int64_t tick) {
    int64_t t = BP__MAX(tick - s->warmup, 0);
    if (bp__schedule_is(s, "sequential")) {
        const bp__schedule *now = current(s, &t);
        return bp__schedule_momentum(now, t);
    }
    if (!bp__schedule_option(s, "cycle_momentum")->boolean) return (double)NAN; /* also where there is no such key */
    double low = number(s, "base_momentum"), high = number(s, "max_momentum");
    if (bp__schedule_is(s, "cyclic")) return high - (high - low) * height(s, t);
    return one_cycle(s, t, (const double[4]){high, low, high, high});
}

/* ---- Beyond torch ---- */

double bp__schedule_inverse_sqrt(const bp__schedule *s, int64_t t) {
    double w = (double)BP__MAX(s->warmup, 1);
    return s->base_lr * sqrt(w / (w + (double)t));
}

/* Vaswani et al. 2017, section 5.3. Its warm-up is its own: schedule.c leaves it to this formula. */
double bp__schedule_noam(const bp__schedule *s, int64_t t) {
    double w = given(s, "warmup_steps") ? (double)bp__schedule_option(s, "warmup_steps")->integer : 4000, step = (double)t + 1;
    double rate = s->base_lr / sqrt((double)bp__schedule_option(s, "d_model")->integer);
    return step < w ? rate * step / (w * sqrt(w)) : rate / sqrt(step);
}

/* keras.optimizers.schedules.InverseTimeDecay. */
double bp__schedule_inverse_time(const bp__schedule *s, int64_t t) {
    double part = (double)t / (double)bp__schedule_option(s, "decay_steps")->integer;
    if (bp__schedule_option(s, "staircase")->boolean) part = floor(part);
    return s->base_lr / (1 + number(s, "decay_rate") * part);
}

/* optax.piecewise_constant_schedule and piecewise_interpolate_schedule. */
double bp__schedule_piecewise(const bp__schedule *s, int64_t t) {
    int64_t i = 0;
    double value = s->base_lr;
    for (; i < s->n_milestones && s->milestones[i] <= t; i++) value *= s->scales[i];
    if (i == s->n_milestones || is_word(s, "interpolation", "constant")) return value;
    int64_t from = i > 0 ? s->milestones[i - 1] : 0;
    double part = (double)(t - from) / (double)(s->milestones[i] - from), next = value * s->scales[i];
    return is_word(s, "interpolation", "cosine") ? half_cosine(value, next, part) : value + (next - value) * part;
}

/* Warm-up, stable, decay: Hu et al. 2024 (MiniCPM); the decays are those of Haegele et al. 2024, `sqrt` is 1 - sqrt(part). */
double bp__schedule_wsd(const bp__schedule *s, int64_t t) {
    int64_t n = bp__schedule_length(s, "");
    int64_t decay = given(s, "decay_steps") ? bp__schedule_option(s, "decay_steps")->integer : BP__MAX(n / 10, 1);
    double part = (double)BP__MIN(t - (n - decay), decay) / (double)decay, end = number(s, "eta_min");
    if (part <= 0) return s->base_lr;
    if (is_word(s, "decay_type", "cosine")) return half_cosine(s->base_lr, end, part);
    return end + (s->base_lr - end) * (1 - (is_word(s, "decay_type", "sqrt") ? sqrt(part) : part));
}

/* fastai's fit_flat_cos. */
double bp__schedule_flat_cos(const bp__schedule *s, int64_t t) {
    double n = (double)bp__schedule_length(s, ""), start = number(s, "pct_start"), now = BP__MIN((double)t / n, 1);
    if (now <= start) return s->base_lr;
    return half_cosine(s->base_lr, s->base_lr / number(s, "div_final"), (now - start) / (1 - start));
}

/* Holzmueller, Grinsztajn, Steinwart 2024 (RealMLP). */
double bp__schedule_coslog(const bp__schedule *s, int64_t t) {
    double sine, cosine, part = BP__MIN((double)t / (double)bp__schedule_length(s, ""), 1);
    bp__sincos_turns(bp__log64(1 + 15 * part) / 0.69314718055994530942, &sine, &cosine);
    return s->base_lr * (1 - cosine) / 2;
}

/* ---- Of others ---- */

double bp__schedule_sequential(const bp__schedule *s, int64_t t) {
    const bp__schedule *now = current(s, &t);
    return bp__schedule_value(now, t);
}

/* What the schedule makes of `rate`, the rate at the tick before, changed by those before it in the list. torch: lambda, the
   cycles and the restarts set the rate; the others change it by the quotient of their own rates, which for a cosine is taken
   above its lowest one. */
static double next(const bp__schedule *s, double rate, int64_t t) {
    static const char *const setting[] = {"lambda", "cyclic", "one_cycle", "cosine_annealing_warm_restarts"};
    for (int64_t i = 0; i < BP__COUNT(setting); i++)
        if (bp__schedule_is(s, setting[i])) return bp__schedule_value(s, t);
    if (bp__schedule_is(s, "multiplicative")) return t == 0 ? rate : usable(rate * bp__schedule_formula(s, t, rate));
    double now = bp__schedule_value(s, t), before = t > 0 ? bp__schedule_value(s, t - 1) : s->base_lr;
    bool cosine = t > 0 && (bp__schedule_is(s, "cosine_annealing") || bp__schedule_is(s, "cosine"));
    double floor_of = cosine ? number(s, "eta_min") : 0;
    if (before == floor_of) return rate + (now - before);
    return floor_of + (rate - floor_of) * ((now - floor_of) / (before - floor_of));
}

double bp__schedule_chained(const bp__schedule *s, int64_t t) {
    bp__memo *m = s->memo;
    if (m->tick < 0 || m->tick > t) *m = (bp__memo){-1, s->base_lr};
    while (m->tick < t) {
        m->tick++;
        for (int64_t i = 0; i < s->n_children; i++) m->rate = next(s->children[i], m->rate, m->tick);
    }
    return m->rate;
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
