/* sparse_adam (PyTorch's SparseAdam): adam by rows, for embeddings. A row whose gradient is all zeros (no index of the batch
   pointed at it) keeps its weights and its means; the others take adam's step, whose bias correction counts all steps.
   Of a vector every element is a row. */
#include "optim/optimizers.h"

void bp__optimizer_sparse_adam(bp__update *u) {
    const bp__option *betas = bp__of(u, "betas");
    bp_value root = bp_sqrt(bp__correction(u, betas->number2));
    bp_value rate = bp_div(bp_mul(u->lr, root), bp__correction(u, betas->number));
    for (int i = 0; i < u->n; i++) {
        bp_value p = u->params[i], g = bp__gradient_of(u, i, 0), size = bp_abs(g);
        bp_max_options o = bp_max_defaults();
        o.keepdim = true;
        o.axes.n = 0;
        for (int64_t k = 1; k < bp_value_dims(p).n; k++) o.axes.dim[o.axes.n++] = k;
        bp_value touched = bp_ne(o.axes.n > 0 ? bp_max(size, &o) : size, bp__k_like(g, 0));
        bp_value m_old = bp__moment(u, i, "exp_avg", bp_zeros()), v_old = bp__moment(u, i, "exp_avg_sq", bp_zeros());
        bp_value m = bp_where(touched, bp__averaged(m_old, betas->number, g), m_old);
        bp_value v = bp_where(touched, bp__decayed(v_old, betas->number2, g, g), v_old);
        bp_value step = bp_div(m, bp__add_k(bp_sqrt(v), bp__num(u, "eps")));
        bp_assign(m_old, m);
        bp_assign(v_old, v);
        bp_assign(p, bp_where(touched, bp_sub(p, bp__scaled(u, step, rate)), p));
    }
}
