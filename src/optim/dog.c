/* dog (Ivgi, Hinder, Carmon, "DoG is SGD's best friend: a parameter-free dynamic step size schedule", 2023; optax): over all
   parameters of the group, r = the largest distance from the start so far, p -= lr·r/sqrt(sum of |g|^2 + eps)·g. r is at first
   init_value (init_step: distance), init_value·(1 + |p|) (heuristic), or the first rate itself is init_value (learning_rate).
   weight_decay·p is part of g. The start is kept. */
#include "optim/optimizers.h"

#include <string.h>

void bp__optimizer_dog(bp__update *u) {
    const char *how = bp__of(u, "init_step")->text;
    bp_value init = bp__f64(u, bp__num(u, "init_value")), zero = bp__f64(u, 0), far = zero, squares = zero, size = zero;
    for (int i = 0; i < u->n; i++) {
        bp_value origin, from = bp__started(u, i, "p0", &origin);
        bp_assign(origin, from);
        far = bp_add(far, bp__sum_of_squares(bp_sub(from, u->params[i])));
        size = bp_add(size, bp__sum_of_squares(u->params[i]));
        squares = bp_add(squares, bp__sum_of_squares(bp__gradient_of(u, i, bp__num(u, "weight_decay"))));
    }
    bp_value r_old = bp__counter(u, "max_dist", 0), sum_old = bp__counter(u, "sum_sq_norm_grads", 0), least = zero;
    if (strcmp(how, "distance") == 0) least = init;
    if (strcmp(how, "heuristic") == 0) least = bp_mul(init, bp_add(u->one, bp_sqrt(size)));
    bp_value r = bp_maximum(bp_where(u->first, least, r_old), bp_sqrt(far)), sum = bp_add(sum_old, squares);
    bp_value rate = bp_div(r, bp_sqrt(bp__add_k(sum, bp__num(u, "eps"))));
    if (strcmp(how, "learning_rate") == 0) rate = bp_where(u->first, init, rate);
    rate = bp_mul(rate, u->lr);
    bp_assign(r_old, r);
    bp_assign(sum_old, sum);
    for (int i = 0; i < u->n; i++) bp__descend(u, i, rate, bp__gradient_of(u, i, bp__num(u, "weight_decay")));
}
