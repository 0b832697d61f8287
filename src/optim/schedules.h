/* What the formulas of the schedules see. */
#ifndef BP__SCHEDULES_H
#define BP__SCHEDULES_H
#include "core/expression.h"
#include "optim/optim.h"

/* The rate at a tick from the one before it, kept: what chained and multiplicative go on from. Not more than a saved result. */
typedef struct bp__memo {
    int64_t tick; /* -1: none */
    double rate;
} bp__memo;

struct bp__schedule {
    bp_context *ctx;
    bp__tree *tree; /* owned copy; what the choice borrows from */
    bp__choice choice;
    double base_lr;
    int64_t warmup;
    bool per_epoch;
    int64_t length;          /* of the run after the warm-up; 0: not said yet */
    int64_t steps_per_epoch; /* 1: not said yet */
    int64_t *milestones;     /* owned; also the boundaries of piecewise */
    int64_t n_milestones;
    double *scales;          /* owned; [n_milestones], of piecewise */
    bp__expression *formula; /* owned; lambda, multiplicative */
    bp__memo *memo;          /* owned */
    bp__schedule **children; /* owned */
    int64_t n_children;
};

/* The rate at tick t >= 0 after the warm-up. */
typedef double bp__schedule_fn(const bp__schedule *s, int64_t t);
#define SCHEDULE(name, main, value, counts, help, ...) bp__schedule_fn value;
#include "optim/schedules.def"
#undef SCHEDULE

/* The variables of formulas. */
enum { BP__FORMULA_STEP, BP__FORMULA_EPOCH, BP__FORMULA_LR, BP__FORMULA_N };

bool bp__schedule_is(const bp__schedule *s, const char *kind);
double bp__schedule_formula(const bp__schedule *s, int64_t t, double lr); /* as it is: perhaps negative or not finite */
static inline const bp__option *bp__schedule_option(const bp__schedule *s, const char *key) {
    return bp__choice_option(&s->choice, key);
}
/* The length that key gives; left out: the run's. At least 1. */
int64_t bp__schedule_length(const bp__schedule *s, const char *key);
#endif
