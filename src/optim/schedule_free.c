/* schedule_free_sgd, schedule_free_adamw (Defazio et al., "The road less scheduled", 2024; optax): gradients are taken at
   y = b1·x + (1 - b1)·z, which is what the parameters hold, z runs by plain sgd (adamw: divided by sqrt(v/(1 - b2^t)) + eps), and
   x is the average of z: z -= lr·(step + weight_decay·y); x = (1 - c)·x + c·z, c = w / sum of all w, w = (largest lr so
   far)^weight_lr_power. x is what to evaluate (bp__optimizer_evaluated); only z is kept. */
#include "optim/optimizers.h"

bp_value bp__schedule_free_x(bp_value y, bp_value z, double b1) { return bp__mul_k(bp_sub(y, bp__mul_k(z, 1 - b1)), 1 / b1); }

static void build(bp__update *u, bool adam) {
    const bp__option *betas = bp__of(u, adam ? "betas" : "momentum");
    double b1 = betas->number, b2 = betas->number2, decay = bp__num(u, "weight_decay");
    bp_value lr_old = bp__counter(u, "max_lr", 0), sum_old = bp__counter(u, "weight_sum", 0);
    bp_value highest = bp_maximum(lr_old, u->lr), weight = bp_pow(highest, bp__f64(u, bp__num(u, "weight_lr_power")));
    bp_value sum = bp_add(sum_old, weight), zero = bp__f64(u, 0), some = bp_gt(sum, zero);
    bp_value c = bp_where(some, bp_div(weight, bp_where(some, sum, u->one)), zero), rest = bp_sub(u->one, c);
    bp_value correction = bp__unbias(u, b2);
    bp_assign(lr_old, highest);
    bp_assign(sum_old, sum);
    for (int i = 0; i < u->n; i++) {
        bp_value y = u->params[i], step = bp__gradient_of(u, i, adam ? 0 : decay), z_now;
        if (adam) {
            bp_value v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros()), v = bp__decayed(v_old, b2, step, step);
            bp_assign(v_old, v);
            bp_value spread = bp_sqrt(bp__scaled(u, v, correction));
            step = bp_add(bp_div(step, bp__add_k(spread, bp__num(u, "eps"))), bp__mul_k(y, decay));
        }
        bp_value z_old = bp__started(u, i, "z", &z_now), z = bp_sub(z_old, bp__scaled(u, step, u->lr));
        bp_value x = bp_add(bp__scaled(u, bp__schedule_free_x(y, z_old, b1), rest), bp__scaled(u, z, c));
        bp_assign(z_now, z);
        bp_assign(y, bp_add(bp__mul_k(x, b1), bp__mul_k(z, 1 - b1)));
    }
}

void bp__optimizer_schedule_free_sgd(bp__update *u) { build(u, false); }
void bp__optimizer_schedule_free_adamw(bp__update *u) { build(u, true); }
