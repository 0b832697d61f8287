/* muon (Jordan et al., "Muon: an optimizer for hidden layers", 2024, as PyTorch has it): the momentum of a matrix, made
   orthogonal by ns_steps turns of Newton and Schulz, which here run in the parameter's type: B = lerp(B, g, 1 - momentum); N =
   nesterov ? lerp(g, B, momentum) : B; X = N / max(|N|, eps), lying; A = X·Xt; X = a·X + (b·A + c·A·A)·X;  p = p·(1 -
   lr·weight_decay) - lr·ratio·X ratio (adjust_lr_fn): original sqrt(max(1, rows/columns)), match_rms_adamw 0.2·sqrt(max(rows,
   columns)). What is no matrix, and everything where `adam_all` says so (embeddings, the last layer: in a group), takes adamw's
   step with the rate lr·adam_lr_ratio. */
#include "optim/optimizers.h"

#include <string.h>

static bp_value orthogonal(bp__update *u, bp_value x) {
    const bp__option *c = bp__of(u, "ns_coefficients");
    bp_dims d = bp_value_dims(x);
    bool standing = d.dim[0] > d.dim[1];
    if (standing) x = bp__transpose(x);
    bp_value norm = bp_maximum(bp_sqrt(bp__sum_of_squares(x)), bp__f64(u, bp__num(u, "eps")));
    x = bp_div(x, bp__as(u, norm, x));
    for (int64_t k = 0; k < bp__of(u, "ns_steps")->integer; k++) {
        bp_value gram = bp_matmul(x, bp__transpose(x));
        bp_value poly = bp_add(bp__mul_k(gram, c->number2), bp__mul_k(bp_matmul(gram, gram), c->number3));
        x = bp_add(bp__mul_k(x, c->number), bp_matmul(poly, x));
    }
    return standing ? bp__transpose(x) : x;
}

static bp_value ratio(const bp__update *u, bp_dims d) {
    double rows = (double)d.dim[0], columns = (double)d.dim[1], larger = rows > columns ? rows : columns;
    if (strcmp(bp__of(u, "adjust_lr_fn")->text, "original") == 0) return bp_sqrt(bp__f64(u, rows > columns ? rows / columns : 1));
    return bp__mul_k(bp_sqrt(bp__f64(u, larger)), 0.2);
}

void bp__optimizer_muon(bp__update *u) {
    double momentum = bp__num(u, "momentum"), decay = bp__num(u, "weight_decay");
    bp_value keep = bp_sub(u->one, bp_mul(u->lr, bp__f64(u, decay))), other = bp__mul_k(u->lr, bp__num(u, "adam_lr_ratio"));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0);
        bp_dims d = bp_value_dims(p);
        if (d.n != 2 || bp__yes(u, "adam_all")) {
            bp__adamw_of(u, i, other, bp__of(u, "adam_betas"), bp__num(u, "adam_eps"), bp__num(u, "adam_weight_decay"));
            continue;
        }
        bp_value old = bp__moment(u, i, "momentum_buffer", bp_zeros()), buffer = bp__averaged(old, momentum, g);
        bp_assign(old, buffer);
        bp_value update = orthogonal(u, bp__yes(u, "nesterov") ? bp_lerp(g, buffer, bp__k_like(g, momentum)) : buffer);
        bp_assign(p, bp_sub(bp__scaled(u, p, keep), bp__scaled(u, update, bp_mul(u->lr, ratio(u, d)))));
    }
}
