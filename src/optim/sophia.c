/* sophia (Liu et al., "Sophia: a scalable stochastic second-order optimizer", 2023, with Hutchinson's estimate; optax):
     p -= lr·(clamp(m/(1 - b1^t) / max(gamma·h, eps), ±clip_threshold) + weight_decay·p), m = b1·m + (1 - b1)·g first;
   every update_interval steps, from the first on and after p has moved, h = b2·h + (1 - b2)·s·(H·s), s random signs: an estimate
   of the diagonal of H, the loss' second derivatives. H·s is the gradient of the gradient and runs in every step, used or not, so
   a step takes about twice as long. */
#include "optim/optimizers.h"

#include <stdio.h>

/* s·(H·s) of every parameter: d(sum of gradient·s)/dp. The gradient is the loss' own where the loss is known, since what grads
   hold may have been clipped. */
static void curvatures(bp__update *u, bp_value *out, bp_value *signs, bp_value *raw) {
    char name[512];
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i];
        snprintf(name, sizeof name, "optimizer/%s/signs", bp__parameter_name(p));
        bp_value below = bp_lt(bp_random_uniform(p, name), bp__k_like(p, 0.5));
        signs[i] = bp_where(below, bp__k_like(p, -1), bp__k_like(p, 1));
        raw[i] = u->grads[i];
    }
    if (u->loss.graph) bp_gradients(raw, &u->loss, NULL, 1, u->params, u->n);
    bp_gradients(out, raw, signs, u->n, u->params, u->n);
    for (int i = 0; i < u->n; i++) out[i] = bp_mul(bp__yes(u, "maximize") ? bp_neg(out[i]) : out[i], signs[i]);
}

static void update(bp__update *u, const bp_value *curvature) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value correction = bp__unbias(u, betas->number), interval = bp__f64(u, (double)bp__of(u, "update_interval")->integer);
    bp_value turn = bp_eq(bp_fmod(u->before, interval), bp__f64(u, 0));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), most = bp__k_like(p, bp__num(u, "clip_threshold"));
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), h_old = bp__moment(u, i, "hessian", bp_zeros());
        bp_value m = bp__averaged(m_old, betas->number, g);
        bp_value below = bp_maximum(bp__mul_k(h_old, bp__num(u, "gamma")), bp__k_like(p, bp__num(u, "eps")));
        bp_value step = bp_div(bp__scaled(u, m, correction), below);
        step = bp_minimum(bp_maximum(step, bp_neg(most)), most);
        bp_assign(m_old, m);
        bp_assign(h_old, bp_where(bp__as(u, turn, p), bp__averaged(h_old, betas->number2, curvature[i]), h_old));
        bp__descend(u, i, u->lr, bp_add(step, bp__decay_of(u, p)));
    }
}

void bp__optimizer_sophia(bp__update *u) {
    size_t n = (size_t)u->n;
    bp_value *curvature = bp__zalloc(u->g->ctx, sizeof(bp_value) * 3 * (n + 1));
    if (!curvature) {
        bp__graph_fail(u->g, BP_MEMORY, "optimizer: out of memory for %d parameters", u->n);
        return;
    }
    curvatures(u, curvature, curvature + n, curvature + 2 * n);
    update(u, curvature);
    bp__free(u->g->ctx, curvature);
}
