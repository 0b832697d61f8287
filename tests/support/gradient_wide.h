/* Element-wise formulas far from their samples: numbers of both signs from -8 to 8 and some large ones, none of them near a
   kink of the table, so that both sides of every branch are met. Points where the function or its derivative is not finite are
   left out; every element is compared by its own size. */
#ifndef BP__GRADIENT_WIDE_H
#define BP__GRADIENT_WIDE_H
#include "support/gradient_problem.h"

enum { WIDE = 60 };

/* Point i of input k. Steps of 0.277 …: at most 0.28 apart, and no multiple of 1/16 within 0.002. */
static inline double wide_point(problem *p, int i, int k) {
    if (k > 0) return (1.00317 + 7 * uniform(p)) * (uniform(p) < 0.5 ? -1 : 1);
    return -8.17317 + 0.2770043 * (double)i;
}

/* Values and derivatives there: keeps the points at which all of them are finite, and how many they are. */
static inline int64_t keep_finite(problem *p, const terms *t, const int *in, int m, totals *sums) {
    run r;
    const double *y = NULL;
    int64_t n = 0, kept = 0;
    bool good[WIDE];
    if (!open_run(p, &r, t->value, 1)) return 0;
    if (holds(p, bp_session_run(r.session)) && read_output(p, &r, 0, &y, &n))
        for (int64_t i = 0; i < n; i++) good[i] = fabs(y[i]) < 1e12;
    close_run(&r);
    for (int64_t i = 0; i < n; i++)
        if (!good[i])
            for (int k = 0; k < m; k++) ((double *)p->vars[in[k]].data)[i] = 1.23456; /* somewhere, so that L is a number */
    differentiate(p, t, in, m, sums);
    for (int64_t i = 0; i < n && !p->failed; i++) {
        for (int k = 0; k < m; k++) good[i] = good[i] && fabs(p->vars[in[k]].numeric[i]) < 1e12;
        if (!good[i]) continue;
        for (int k = 0; k < m; k++) {
            var *v = &p->vars[in[k]];
            ((double *)v->data)[kept] = ((double *)v->data)[i];
        }
        kept++;
    }
    return kept;
}

/* One dense vector per float input. False where nothing can be compared (and where something went wrong: p.failed). */
static inline bool pose_wide(posed *q, const bp__op *op, const bp__op *built, totals *sums) {
    double kept[3][WIDE];
    int64_t n = WIDE;
    bool condition = op->samples[0].in[0].dtype == BP_U8;
    *q = (posed){.m = 0};
    for (int round = 0; round < 2; round++) { /* all points, then those that are fit */
        bp_value in[3];
        if (round > 0) close_problem(&q->p);
        *q = (posed){.m = 0};
        if (!open_problem(&q->p, op->name, 0, ", wide", true)) return false;
        q->p.one_by_one = true;
        for (int k = 0; k < op->n_in; k++) {
            int v = add_var(&q->p, k == 0 && condition ? BP_U8 : BP_F64, bp_shape(1, n));
            var *x = &q->p.vars[v];
            in[k] = x->value;
            for (int64_t i = 0; i < n && x->dtype == BP_U8; i++) ((uint8_t *)x->data)[i] = (uint8_t)(i % 2);
            for (int64_t i = 0; i < n && x->dtype == BP_F64; i++)
                ((double *)x->data)[i] = round > 0 ? kept[k][i] : wide_point(&q->p, (int)i, k);
            if (x->dtype != BP_F64) continue;
            q->input_of[q->m] = k;
            q->wrt[q->m++] = v;
        }
        q->y = bp__graph_add(q->p.g, built ? built : op, op->attr_defaults, in, op->n_in);
        if (!holds(&q->p, bp_graph_status(q->p.g))) return false;
        add_term(&q->p, &q->t, q->y, -1);
        if (round == 0) {
            n = keep_finite(&q->p, &q->t, q->wrt, q->m, sums);
            for (int k = 0; k < q->m; k++)
                for (int64_t i = 0; i < n; i++) kept[q->input_of[k]][i] = ((double *)q->p.vars[q->wrt[k]].data)[i];
        }
        if (q->p.failed || n == 0) return false;
    }
    differentiate(&q->p, &q->t, q->wrt, q->m, sums);
    add_second_paths(q);
    return !q->p.failed;
}
#endif
