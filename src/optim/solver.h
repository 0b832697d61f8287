/* Optimisers that ask for the loss and its gradient several times a step: solvers. They know nothing of networks: a point is n
   numbers in double, sums are plain chains from the first element to the last, so that the bits depend on nothing else. */
#ifndef BP__SOLVER_H
#define BP__SOLVER_H
#include "core/choice.h"
#include "core/core.h"

typedef struct bp__objective {
    void *user;
    /* The loss at w [n], and its gradient [n]. */
    bp_status (*evaluate)(void *user, const double *w, double *loss, double *gradient);
    /* out = G·v, G the Gauss-Newton matrix at w: Jt·H·J, J the derivatives of the outputs, H the loss's second ones by these.
       NULL where no solver asks for it. */
    bp_status (*product)(void *user, const double *w, const double *v, double *out);
    int64_t n;
} bp__objective;

/* What a step says. */
typedef struct bp__solved {
    double loss;    /* where it began */
    bool converged; /* the gradient, or the change of the loss or of every parameter, came below its tolerance, or no lower point
                       was left: more steps would stay here */
} bp__solved;

/* A row of solvers.def. */
typedef struct bp__solver {
    int64_t (*size)(const bp__choice *c, int64_t n); /* doubles kept between steps, zero before the first; 0: too many */
    /* One step: moves w [n]. An evaluation's failure ends it. lr: of the step, schedules included. */
    bp_status (*step)(bp_context *ctx, const bp__objective *f, const bp__choice *c, double lr, double *kept, double *w,
                      bp__solved *out);
    bool products; /* asks for products with the Gauss-Newton matrix */
    int64_t most;  /* for so many parameters at most; 0: any number */
} bp__solver;
#define SOLVER(name, solver, help, ...) extern const bp__solver solver;
#include "optim/solvers.def"
#undef SOLVER

/* ---- The line ---- */

typedef struct bp__point { /* on the line w + t·d */
    double t, loss, slope, *gradient;
} bp__point;
typedef struct bp__search {
    const bp__objective *f;
    const double *w, *d;
    double *trial, tolerance_change, c2; /* trial [n]: room; c2: of the curvature condition */
    int64_t n_evaluations;
} bp__search;
bp_status bp__look(bp__search *s, double t, bp__point *p); /* evaluates w + t·d */
/* p[0]: where the search begins, t = 0; p[1] … p[3]: room, their gradients too. t: looked at first. *best: the point found, its
   gradient one of theirs. */
bp_status bp__line_search(bp__search *s, bp__point *p, double t, int64_t limit, bp__point *best);

double bp__dot(const double *a, const double *b, int64_t n);
double bp__largest(const double *a, int64_t n);                                    /* of |a[i]| */
void bp__move(double *out, const double *w, double t, const double *d, int64_t n); /* out = w + t·d */

/* ---- lbfgs by itself ---- */

/* PyTorch 2's torch.optim.LBFGS; its defaults: 1, 20, max_iter·5/4, 1e-7, 1e-9, 100, no line search. */
typedef struct bp__lbfgs_options {
    double lr;
    int64_t max_iter, max_eval;
    double tolerance_grad, tolerance_change;
    int64_t history_size;
    bool strong_wolfe;
} bp__lbfgs_options;
/* How many doubles are kept between steps; all zero before the first. 0: more than memory can hold. */
int64_t bp__lbfgs_size(int64_t n, int64_t history_size);
/* One step, of up to max_iter iterations: moves w. An evaluation's failure ends it. */
bp_status bp__lbfgs_step(bp_context *ctx, const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w,
                         bp__solved *out);
#endif
