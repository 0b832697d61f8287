/* Element-wise formulas at their kinks, as PyTorch has them: tests/golden/kinks.safetensors, made by make_kinks.py beside it. */
#ifndef BP__GRADIENT_KINKS_H
#define BP__GRADIENT_KINKS_H
#include "support/gradient_problem.h"
#include "io/safetensors.h"

/* Two formulas for one number, each rounded a few times; PyTorch's hardsigmoid divides by 6 in another order. */
#define KINK_BOUND 1e-12

/* Case 0 has the default attributes, case 1 others. */
static inline const bp__st_tensor *kink_find(const bp__st_file *file, const bp__op *op, int variant, const char *part) {
    char name[128];
    snprintf(name, sizeof name, variant ? "%s:%d/%s" : "%s%.0d/%s", op->name, variant, part);
    return bp__safetensors_find(file, name);
}

static inline void kink_fill(problem *p, int v, const bp__st_tensor *t) { bp__st_to_f64(t, p->vars[v].data); }

/* The operation at PyTorch's points; the gradients expected are PyTorch's. False: not in the file, or p.failed. */
static inline bool pose_kinks(posed *q, const bp__st_file *file, const bp__op *op, const bp__op *built, int variant) {
    static const char *const in_names[] = {"a", "b", "c"}, *const d_names[] = {"d_a", "d_b", "d_c"};
    bp_value in[3];
    *q = (posed){.m = 0};
    const bp__st_tensor *first = kink_find(file, op, variant, "a"), *y = kink_find(file, op, variant, "y"),
                        *d_y = kink_find(file, op, variant, "d_y");
    const bp__st_tensor *attrs = kink_find(file, op, variant, "attrs");
    if (op->ew_op < 0 || !first || !y || !d_y) return false;
    if (!open_problem(&q->p, op->name, 0, ", kinks", true)) return false;
    q->p.one_by_one = true;
    q->p.exact = KINK_BOUND;
    for (int k = 0; k < op->n_in; k++) {
        const bp__st_tensor *x = kink_find(file, op, variant, in_names[k]), *d = kink_find(file, op, variant, d_names[k]);
        if (!x || !d) {
            complain(&q->p, "the file has no %s/%s", op->name, in_names[k]);
            return false;
        }
        int v = q->wrt[q->m] = add_var(&q->p, BP_F64, bp_shape(1, bp__st_count(x)));
        q->input_of[q->m++] = k;
        kink_fill(&q->p, v, x);
        q->p.vars[v].numeric = room(x->n_bytes);
        bp__st_to_f64(d, q->p.vars[v].numeric);
        in[k] = q->p.vars[v].value;
    }
    q->y = bp__graph_add(q->p.g, built ? built : op, attrs ? attrs->data : op->attr_defaults, in, op->n_in);
    if (!holds(&q->p, bp_graph_status(q->p.g))) return false;
    add_term(&q->p, &q->t, q->y, -1);
    kink_fill(&q->p, q->t.cotangent[0], d_y);
    return true;
}

/* The operation's values against PyTorch's. */
static inline void check_kink_values(posed *q, const bp__st_file *file, const bp__op *op, int variant) {
    const bp__st_tensor *t = kink_find(file, op, variant, "y");
    double *want = room(t->n_bytes);
    const double *got;
    int64_t n;
    run r;
    bp__st_to_f64(t, want);
    if (open_run(&q->p, &r, &q->y, 1)) {
        if (holds(&q->p, bp_session_run(r.session)) && read_output(&q->p, &r, 0, &got, &n))
            for (int64_t i = 0; i < n && !q->p.failed; i++)
                if (!is_near(got[i], want[i], KINK_BOUND * fmax(1, fabs(want[i]))))
                    complain(&q->p, "value %lld is %.17g, not %.17g (at %.17g)", (long long)i, got[i], want[i],
                             ((const double *)q->p.vars[q->wrt[0]].data)[i]);
        close_run(&r);
    }
    free(want);
}
#endif
