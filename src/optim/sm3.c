/* sm3 (Anil et al., "Memory-efficient adaptive optimization", 2019; optax): adagrad that keeps one number for every index of
   every axis: a = beta2·(the smallest of an element's numbers) + g·g (times 1 - beta2 unless beta2 is 1); each number becomes the
   largest a of its elements; m = momentum·m + (1 - momentum)·g/sqrt(a + eps), 0 where a is 0; p -= lr·m. */
#include "optim/optimizers.h"

/* The largest over all axes but `axis`. */
static bp_value largest_along(bp_value a, int64_t axis) {
    bp_max_options o = bp_max_defaults();
    bp_dims d = bp_value_dims(a);
    if (d.n < 2) return a;
    o.axes.n = 0;
    for (int64_t k = 0; k < d.n; k++)
        if (k != axis) o.axes.dim[o.axes.n++] = k;
    return bp_max(a, &o);
}

static bp_value accumulate(bp__update *u, int i, bp_value g) {
    double b2 = bp__num(u, "beta2");
    bp_dims d = bp_value_dims(g);
    int64_t n = d.n > 0 ? d.n : 1;
    bp_value old[BP_MAX_DIMS], smallest = BP_NONE, square = bp_square(g);
    for (int64_t k = 0; k < n; k++) {
        const char role[] = {'a', 'x', 'i', 's', '_', (char)('0' + k), '\0'};
        bp_dims along = {.n = d.n > 0, .dim = {d.dim[k]}}, wide = {.n = d.n};
        for (int64_t j = 0; j < d.n; j++) wide.dim[j] = j == k ? d.dim[k] : 1;
        old[k] = bp__moment_of_shape(u, i, role, along, bp_zeros());
        bp_value spread = bp_reshape(old[k], wide);
        smallest = k == 0 ? spread : bp_minimum(smallest, spread);
    }
    bp_value a = bp_add(b2 != 1 ? bp__mul_k(square, 1 - b2) : square, bp__mul_k(smallest, b2));
    for (int64_t k = 0; k < n; k++) bp_assign(old[k], largest_along(a, k));
    return a;
}

void bp__optimizer_sm3(bp__update *u) {
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), zero = bp__k_like(p, 0), a = accumulate(u, i, g);
        bp_value scale = bp_where(bp_gt(a, zero), bp_rsqrt(bp__add_k(a, bp__num(u, "eps"))), zero);
        bp_value old = bp__moment(u, i, "momentum_buffer", bp_zeros());
        bp_value m = bp__averaged(old, bp__num(u, "momentum"), bp_mul(g, scale));
        bp_assign(old, m);
        bp__descend(u, i, u->lr, m);
    }
}
