/* soap (Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", 2024, as its authors' program has it): adam in the
   basis of the eigenvectors of Shampoo's preconditioners. For each axis k of a parameter, GG is a running mean of g·gt over all
   other axes, Q its basis; x' is x taken to the bases of all axes (Q0t·x·Q1 for a matrix), s counts the updates before this one:
     m = b1·m + (1 - b1)·g; v = b2·v + (1 - b2)·g'·g'; N = m'/(sqrt(v) + eps), taken back; normalize_grads: N /= rms(N) + 1e-30
     p -= lr·sqrt(1 - b2^s)/(1 - b1^s)·N (without the fraction unless correct_bias); p *= 1 - lr·weight_decay
     GG = lerp(GG, g·gt, 1 - shampoo_beta), b2 where that is negative
   and in every precondition_frequency-th update Q = qr(GG·Q), its columns (and v's numbers) sorted by diag(Qt·GG·Q), the largest
   first. The first update moves nothing: Q starts as the eigenvectors of the first GG. Axes longer than max_precond_dim have no
   basis, vectors only with precondition_1d. The mean m is kept in the parameter's own basis, so that it need not be carried from
   one basis to the next. A matrix [r, c] needs 2·r·c + 2·(r·r + c·c) numbers and a step 4·r·c·(r + c) + r·r·r + c·c·c
   multiplications; qr and eigenvectors are computed in the updates that take them alone. */
#include "optim/optimizers.h"

#include <stdio.h>

typedef struct axis_basis {
    bool used;
    bp_value q, order; /* order: the basis' vectors, sorted */
} axis_basis;

/* The first axis behind all others: so many turns as there are axes, and all are back. */
static bp_value turned(bp_value x) {
    bp_dims axes = {.n = bp_value_dims(x).n};
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = (i + 1) % axes.n;
    return axes.n > 1 ? bp_permute(x, axes) : x;
}

static bp_value in_bases(bp_value x, const axis_basis *axes, bool back) {
    int64_t n = bp_value_dims(x).n;
    for (int64_t k = 0; k < n; k++) {
        x = turned(x);
        if (axes[k].used) x = bp_matmul(x, back ? bp__transpose(axes[k].q) : axes[k].q);
    }
    return x;
}

/* The sum of g·gt over all axes but `axis`. */
static bp_value outer(bp_value g, int64_t axis) {
    for (int64_t k = 0; k <= axis; k++) g = turned(g);
    bp_dims d = bp_value_dims(g);
    if (d.n != 2) g = bp_reshape(g, bp_shape(2, BP_INFER, d.dim[d.n - 1]));
    return bp_matmul(bp__transpose(g), g);
}

/* The basis of one axis, and what comes after it. qr and eigh get zeros where their answer is not taken: these cost nothing. */
static axis_basis basis_of(bp__update *u, int i, int64_t axis, bp_value turn, bp_value g) {
    double beta = bp__num(u, "shampoo_beta") < 0 ? bp__of(u, "betas")->number2 : bp__num(u, "shampoo_beta");
    int64_t size = bp_value_dims(u->params[i]).dim[axis];
    bp_dims square = bp_shape(2, size, size);
    char role[2][24];
    snprintf(role[0], sizeof role[0], "gg.%d", (int)axis);
    snprintf(role[1], sizeof role[1], "q.%d", (int)axis);
    bp_value gg_old = bp__moment_of_shape(u, i, role[0], square, bp_zeros());
    bp_value q = bp__moment_of_shape(u, i, role[1], square, bp_zeros()), zero = bp__k_like(q, 0);
    bp_value gg = bp__averaged(gg_old, beta, outer(g, axis)), image = bp_matmul(gg, q), first = bp__as(u, u->first, q);
    bp_argsort_options down = bp_argsort_defaults();
    down.descending = 1;
    bp_value order = bp_argsort(bp__sum_axis(bp_mul(q, image), 0, false), &down);
    bp_value next = bp_qr(bp_where(turn, bp_index_select(image, order, 1), zero));
    bp_value start = bp_flip(bp__output(bp_eigh(bp_where(first, gg, zero)), 1), bp_shape(1, 1));
    bp_assign(gg_old, gg);
    bp_assign(q, bp_where(first, start, bp_where(turn, next, q)));
    return (axis_basis){.used = true, .q = q, .order = order};
}

static void move(bp__update *u, int i, bp_value turn, bp_value rate, bp_value keep) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), first = bp__as(u, u->first, p);
    bp_dims d = bp_value_dims(p);
    axis_basis axes[BP_MAX_DIMS] = {{.used = false}};
    turn = bp__as(u, turn, p);
    for (int64_t k = 0; k < d.n && (d.n > 1 || bp__yes(u, "precondition_1d")); k++)
        if (d.dim[k] <= bp__of(u, "max_precond_dim")->integer) axes[k] = basis_of(u, i, k, turn, g);
    bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
    bp_value there = in_bases(g, axes, false);
    bp_value m = bp__averaged(m_old, betas->number, g), v = bp__decayed(v_old, betas->number2, there, there), sorted = v;
    for (int64_t k = 0; k < d.n; k++)
        if (axes[k].used) sorted = bp_index_select(sorted, axes[k].order, k);
    bp_value step = bp_div(in_bases(m, axes, false), bp__add_k(bp_sqrt(v), bp__num(u, "eps")));
    step = in_bases(step, axes, true);
    if (bp__yes(u, "normalize_grads")) {
        bp_value rms = bp_sqrt(bp_div(bp__sum_of_squares(step), bp__f64(u, bp__elements(p))));
        step = bp_div(step, bp__as(u, bp__add_k(rms, 1e-30), p));
    }
    bp_value moved = bp__scaled(u, bp_sub(p, bp__scaled(u, step, rate)), keep);
    bp_assign(m_old, bp_where(first, m_old, m));
    bp_assign(v_old, bp_where(first, v_old, bp_where(turn, sorted, v)));
    bp_assign(p, bp_where(first, p, moved));
}

void bp__optimizer_soap(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value s = bp_maximum(u->before, u->one), rate = u->lr, zero = bp__f64(u, 0);
    if (bp__yes(u, "correct_bias"))
        rate = bp_div(bp_mul(rate, bp_sqrt(bp_sub(u->one, bp__power(u, betas->number2, s)))),
                      bp_sub(u->one, bp__power(u, betas->number, s)));
    if (u->decay.graph) *u->takes_decay = true;
    bp_value keep = bp_sub(u->one, bp_mul(u->lr, u->decay.graph ? u->decay : bp__f64(u, bp__num(u, "weight_decay"))));
    bp_value every = bp__f64(u, (double)bp__of(u, "precondition_frequency")->integer);
    bp_value turn = bp_logical_and(bp_gt(u->before, zero), bp_eq(bp_fmod(u->before, every), zero));
    for (int i = 0; i < u->n; i++) move(u, i, turn, rate, keep);
}
