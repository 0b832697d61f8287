/* Optimisers that ask for the loss and its gradient several times a step. They know nothing of networks: a point is n numbers in
   double, sums are plain chains from the first element to the last, so that the bits depend on nothing else. */
#ifndef BP__SOLVER_H
#define BP__SOLVER_H
#include "core/core.h"

typedef struct bp__objective {
    void *user;
    /* The loss at w [n], and its gradient [n]. */
    bp_status (*evaluate)(void *user, const double *w, double *loss, double *gradient);
    int64_t n;
} bp__objective;

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
/* One step, of up to max_iter iterations: moves w. *loss: where the step began. An evaluation's failure ends it. */
bp_status bp__lbfgs_step(bp_context *ctx, const bp__objective *f, const bp__lbfgs_options *o, double *kept, double *w,
                         double *loss);
#endif
