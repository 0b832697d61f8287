/* What an optimiser's file sees: the options, the numbers of this step, the parameters; and the few graph-building helpers. */
#ifndef BP__OPTIMIZERS_H
#define BP__OPTIMIZERS_H
#include "op/build.h"
#include "optim/optim.h"

typedef struct bp__update {
    bp_graph *g;
    const bp__choice *choice;
    bp_value lr, one; /* f64 scalars */
    bp_value before;  /* updates done so far */
    bp_value t;       /* this update's number, from 1 */
    const bp_value *params, *grads;
    int n;
    /* Scalars already cast to the parameters' type, so that all parameters share one node. */
    bp_value cast_of[16], cast[16];
    int n_cast;
} bp__update;

typedef void bp__optimizer_fn(bp__update *u);

static inline double bp__num(const bp__update *u, const char *key) { return bp__choice_option(u->choice, key)->number; }
static inline bool bp__yes(const bp__update *u, const char *key) { return bp__choice_option(u->choice, key)->boolean; }
static inline bp_value bp__f64(const bp__update *u, double v) { return bp_number(u->g, BP_F64, v); }
bp_value bp__power(const bp__update *u, double base, bp_value exponent); /* of f64 scalars */
bp_value bp__as(bp__update *u, bp_value scalar, bp_value like);          /* the f64 scalar in like's dtype; one node for all */
/* The state variable "optimizer/NAME/role" of parameter i. */
bp_value bp__moment(bp__update *u, int i, const char *role, bp_init init);
/* A scalar state variable "optimizer/role". */
bp_value bp__counter(bp__update *u, const char *role, double start);
/* The gradient of parameter i: negated for `maximize`, plus `decay` times the parameter. */
bp_value bp__gradient_of(bp__update *u, int i, double decay);
/* v·decay + ((1 - decay)·a)·b, PyTorch's mul_ and addcmul_. */
bp_value bp__decayed(bp_value v, double decay, bp_value a, bp_value b);
/* p + (scale·a)/b, PyTorch's addcdiv_. */
static inline bp_value bp__addcdiv(bp_value p, bp_value scale, bp_value a, bp_value b) {
    return bp_add(p, bp_div(bp_mul(scale, a), b));
}

#define OPTIMIZER(name, build, help, ...) bp__optimizer_fn build;
#include "optim/optimizers.def"
#undef OPTIMIZER
#endif
