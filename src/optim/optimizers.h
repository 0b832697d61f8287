/* What an optimiser's file sees: the options, the numbers of this step, the parameters; and the few graph-building helpers. */
#ifndef BP__OPTIMIZERS_H
#define BP__OPTIMIZERS_H
#include "op/build.h"
#include "optim/optim.h"

#include <string.h>

typedef struct bp__update { /* of one group of parameters */
    bp_graph *g;
    const bp__choice *choice;
    int group;                /* 0, or the number behind the names of its counters */
    double start_lr;          /* the rate without a schedule */
    bp_value lr, one;         /* f64 scalars */
    bp_value before;          /* updates done so far */
    bp_value t;               /* this update's number, from 1 */
    bp_value first;           /* 1 in the first update, else 0 */
    bp_value loss;            /* BP_NONE: unknown */
    bp_value momentum, decay; /* f64 scalars where a schedule moves momentum (or the first beta), weight_decay; else BP_NONE */
    bool *takes_momentum, *takes_decay; /* set by an optimiser that takes them */
    const bp_value *params, *grads;
    int n;
    /* Scalars already cast to the parameters' type, so that all parameters share one node. */
    bp_value cast_of[16], cast[16];
    int n_cast;
} bp__update;

typedef void bp__optimizer_fn(bp__update *u);

static inline const bp__option *bp__of(const bp__update *u, const char *key) { return bp__choice_option(u->choice, key); }
static inline bool bp__has(const bp__update *u, const char *key) {
    for (int i = 0; i < u->choice->kind->n_keys; i++)
        if (strcmp(u->choice->kind->keys[i].name, key) == 0) return true;
    return false;
}
static inline double bp__num(const bp__update *u, const char *key) { return bp__of(u, key)->number; }
static inline bool bp__yes(const bp__update *u, const char *key) { return bp__of(u, key)->boolean; }
static inline bp_value bp__f64(const bp__update *u, double v) { return bp_number(u->g, BP_F64, v); }
bp_value bp__power(const bp__update *u, double base, bp_value exponent); /* of f64 scalars */
/* 1 - base^t, what a mean that started at zero is divided by. bp__unbias: 1 / that, to multiply with: dividing every element by
   one number takes the time of several multiplications. */
bp_value bp__correction(const bp__update *u, double base);
bp_value bp__unbias(const bp__update *u, double base);
bp_value bp__as(bp__update *u, bp_value scalar, bp_value like); /* the f64 scalar in like's dtype; one node for all */
static inline bp_value bp__scaled(bp__update *u, bp_value x, bp_value scalar) { return bp_mul(x, bp__as(u, scalar, x)); }
/* The state variable "optimizer/NAME/role" of parameter i, of its shape or of another one. */
bp_value bp__moment(bp__update *u, int i, const char *role, bp_init init);
bp_value bp__moment_of_shape(bp__update *u, int i, const char *role, bp_dims dims, bp_init init);
/* A state variable that starts as parameter i: *variable is to be assigned, the value read is returned. */
bp_value bp__started(bp__update *u, int i, const char *role, bp_value *variable);
/* A scalar state variable "optimizer/role". */
bp_value bp__counter(bp__update *u, const char *role, double start);
/* The gradient of parameter i: negated for `maximize`, plus `decay` times the parameter: 0, or weight_decay, which a schedule may
   move. */
bp_value bp__gradient_of(bp__update *u, int i, double decay);
/* p times weight_decay; x times momentum (or the first beta), `standard` where no schedule moves it. */
bp_value bp__decay_of(bp__update *u, bp_value p);
bp_value bp__times_momentum(bp__update *u, bp_value x, double standard);
/* v·decay + ((1 - decay)·a)·b, PyTorch's mul_ and addcmul_. */
bp_value bp__decayed(bp_value v, double decay, bp_value a, bp_value b);
/* decay·m + (1 - decay)·x. */
bp_value bp__averaged(bp_value m, double decay, bp_value x);
/* p + (scale·a)/b, PyTorch's addcdiv_. */
static inline bp_value bp__addcdiv(bp_value p, bp_value scale, bp_value a, bp_value b) {
    return bp_add(p, bp_div(bp_mul(scale, a), b));
}
/* Parameter i moves by -lr·step: assigned. */
void bp__descend(bp__update *u, int i, bp_value lr, bp_value step);
/* adamw's update of parameter i, for optimisers that leave some parameters to it. */
void bp__adamw_of(bp__update *u, int i, bp_value lr, const bp__option *betas, double eps, double decay);
/* lamb's and lars' ratio |p| / (|step| + eps), f64; 1 where a norm is zero. */
bp_value bp__trust_ratio(bp__update *u, bp_value p, bp_value step, double coefficient, double eps);
/* The sum of all squares, an f64 scalar. */
bp_value bp__sum_of_squares(bp_value x);
/* The number of elements of a parameter. */
double bp__elements(bp_value p);
const char *bp__parameter_name(bp_value p);
bool bp__same_layer(bp_value a, bp_value b);            /* the same name up to the last dot */
bool bp__name_matches(const char *pattern, bp_value p); /* a shell pattern */
/* What bp_assign gave to a variable (else the variable itself); *instead, if there is one, takes its place. */
bp_value bp__assigned(bp_value variable, const bp_value *instead);
bp_value bp__schedule_free_x(bp_value y, bp_value z, double b1); /* what schedule_free_* evaluate */

/* The rows of optimizers.def. */
/* An `optimizer:` section, read: group 0 has what no pattern matches. */
typedef struct bp__optimizer_group {
    bp__choice choice;
    bp__tree *tree; /* owned; what the choice of a group borrows from */
    const char *match;
    bool freeze;
} bp__optimizer_group;
typedef struct bp__optimizer_plan {
    bp_context *ctx;
    const char *file;
    const bp__tree *tree;
    bp__optimizer_group *groups; /* owned */
    int64_t n;
} bp__optimizer_plan;
bp_status bp__optimizer_read(bp__optimizer_plan *out, bp_context *ctx, const char *file, const bp__tree *tree);
void bp__optimizer_plan_free(bp__optimizer_plan *plan);                         /* also after a failure */
int bp__optimizer_group_of(const bp__optimizer_plan *plan, bp_value parameter); /* the first whose pattern matches */
/* The optimiser's update with what surrounds every one: gradient centralisation and noise before, lookahead after. */
void bp__optimizer_update(bp__update *u, bp_value *grads, bp__optimizer_fn *build);

#define OPTIMIZER(name, build, help, ...) bp__optimizer_fn build;
#include "optim/optimizers.def"
#undef OPTIMIZER
#endif
