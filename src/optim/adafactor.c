/* adafactor (Shazeer, Stern 2018, as PyTorch has it): of a matrix only the means of g·g over rows (R) and over columns (C) are
   kept, w = t^beta2_decay being the weight of the newest: V = R·C / max(mean(R), e1); of a vector V itself.
     U = g / max(sqrt(V), e1); U /= max(1, rms(U)/d); p = p·(1 - lr·weight_decay) - max(e2, rms(p))·min(lr, 1/sqrt(t))·U
   eps is [e1, e2]; e1 = 0 stands for the type's epsilon. Axes before the last two are kept. */
#include "optim/optimizers.h"

#include <float.h>

static bp_value mean_over(bp_value x, int64_t axis) {
    bp_mean_options o = bp_mean_defaults();
    o.axes = (bp_dims){1, {axis}};
    o.keepdim = true;
    return bp_mean(x, &o);
}

static bp_value factored(bp__update *u, int i, bp_value g, bp_value weight, double e1) {
    bp_dims rows = bp_value_dims(g), columns = rows;
    int64_t last = rows.n - 1;
    rows.dim[last] = 1;
    columns.dim[last - 1] = 1;
    bp_value r_old = bp__moment_of_shape(u, i, "row_var", rows, bp_zeros());
    bp_value c_old = bp__moment_of_shape(u, i, "col_var", columns, bp_zeros());
    bp_value square = bp_square(g), w = bp__as(u, weight, g);
    bp_value r = bp_lerp(r_old, mean_over(square, last), w), c = bp_lerp(c_old, mean_over(square, last - 1), w);
    bp_assign(r_old, r);
    bp_assign(c_old, c);
    return bp_mul(bp_div(r, bp_maximum(mean_over(r, last - 1), bp__k_like(g, e1))), c);
}

static bp_value rms(bp__update *u, bp_value x) { return bp_sqrt(bp_div(bp__sum_of_squares(x), bp__f64(u, bp__elements(x)))); }

void bp__optimizer_adafactor(bp__update *u) {
    const bp__option *eps = bp__of(u, "eps");
    double decay = bp__num(u, "weight_decay"), d = bp__num(u, "d");
    bp_value weight = bp_pow(u->t, bp__f64(u, bp__num(u, "beta2_decay")));
    bp_value rho = bp_minimum(u->lr, bp_div(u->one, bp_sqrt(u->t)));
    bp_value keep = bp_sub(u->one, bp_mul(u->lr, bp__f64(u, decay)));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), v;
        double e1 = eps->number > 0 ? eps->number : bp_value_dtype(p) == BP_F64 ? DBL_EPSILON : FLT_EPSILON;
        if (bp_value_dims(p).n >= 2) {
            v = factored(u, i, g, weight, e1);
        } else {
            bp_value old = bp__moment(u, i, "variance", bp_zeros());
            v = bp_lerp(old, bp_square(g), bp__as(u, weight, p));
            bp_assign(old, v);
        }
        bp_value update = bp_mul(bp_rsqrt(bp_maximum(v, bp__k_like(p, e1 * e1))), g);
        bp_value size = bp_maximum(bp__f64(u, eps->number2), rms(u, p));
        bp_value excess = bp_maximum(u->one, bp__mul_k(rms(u, update), 1 / d));
        bp_value start = decay != 0 ? bp__scaled(u, p, keep) : p;
        bp_assign(p, bp_sub(start, bp__scaled(u, update, bp_div(bp_mul(size, rho), excess))));
    }
}
