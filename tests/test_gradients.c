/* Every gradient of the table against finite differences, in double precision. For each operation and sample: random
   cotangents, every subset of the float inputs, inputs that are not dense, a first axis of size 0 and 1, then the gradient of
   the gradient; element-wise formulas also far from their samples, on both sides of every branch. That the check notices what
   is wrong is shown by test_mutation.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/gradient_kinks.h"
#include "support/gradient_wide.h"

/* The gradient of the gradient: of Σ d · random, for the inputs and the first cotangents. */
static void check_second(posed *q, const bp_value *d, totals *sums) {
    problem *p = &q->p;
    terms t = {.n = 0};
    int all[MAX_VARS], n = q->m;
    bp_value again[MAX_VARS];
    memcpy(all, q->wrt, sizeof(int) * (size_t)q->m);
    for (int j = 0; j < q->m; j++) add_term(p, &t, d[j], -1);
    for (int k = 0; k < q->t.n; k++)
        if (q->t.input[k] < 0) all[n++] = q->t.cotangent[k];
    if (!holds(p, bp_graph_status(p->g))) return;
    strncat(p->title, ", second order", sizeof p->title - strlen(p->title) - 1);
    differentiate(p, &t, all, n, sums);
    if (p->failed) return;
    check_subset(p, &t, all, n, (1u << n) - 1, again, sums);
    sums->seconds++;
}

/* Returns whether the sample passed. alive[i] is set where input i has a gradient that is not all zero. */
static bool check_sample(const bp__op *op, int index, bool no_passes, bool *alive, totals *sums) {
    posed q;
    bp_value d[MAX_VARS];
    problem *p = &q.p;
    bool nonzero = false;
    if (!pose(&q, op, NULL, index, DENSE, -1, no_passes)) {
        complain(p, "%s", bp_context_error(p->ctx));
        goto done;
    }
    if (q.m == 0) {
        sums->skipped++;
        goto done;
    }
    differentiate(p, &q.t, q.wrt, q.m, sums);
    for (int j = 0; j < q.m && !p->failed; j++)
        if (any_nonzero(&p->vars[q.wrt[j]])) alive[q.input_of[j]] = nonzero = true;
    add_second_paths(&q);
    for (unsigned subset = 1; subset < 1u << q.m && !p->failed; subset++) check_subset(p, &q.t, q.wrt, q.m, subset, d, sums);
    if (!p->failed && !q.empty && !nonzero) complain(p, "the gradient is all zero: the sample shows nothing");
    sums->samples++;
    if (!p->failed) check_second(&q, d, sums);
done:
    close_problem(p);
    return !p->failed;
}

/* The same sample on views, or with another first axis; where the operation refuses the shape there is nothing to check. */
static bool check_variant(const bp__op *op, int index, layout how, int64_t first, totals *sums) {
    posed q;
    bp_value d[MAX_VARS];
    problem *p = &q.p;
    if (!pose(&q, op, NULL, index, how, first, true) || q.m == 0) {
        bool right = !p->failed && (q.m == 0 || first >= 0);
        if (!right) complain(p, "%s", bp_context_error(p->ctx));
        close_problem(p);
        return right;
    }
    run r;
    bp_value outputs[MAX_VALUES];
    bool fits = true, finite = true;
    if (first >= 0) { /* shapes that only the sizes decide, and means of nothing */
        for (int k = 0; k < q.t.n; k++) outputs[k] = q.t.value[k];
        p->quiet = true;
        fits = open_run(p, &r, outputs, q.t.n);
        if (fits) {
            finite = isfinite(evaluate(p, &r, &q.t)) != 0;
            close_run(&r);
        }
        fits = fits && !p->failed;
        p->quiet = p->failed = false;
        bp_context_clear_error(p->ctx);
    }
    if (fits && finite) {
        differentiate(p, &q.t, q.wrt, q.m, sums);
        add_second_paths(&q);
        if (!p->failed) check_subset(p, &q.t, q.wrt, q.m, (1u << q.m) - 1, d, sums);
        *(first < 0 ? &sums->views : &sums->resized) += 1;
    }
    close_problem(p);
    return !p->failed;
}

static int check_samples(const bp__op *op, bool no_passes, totals *sums) {
    bool alive[MAX_SAMPLE_IN] = {false}, seen[MAX_SAMPLE_IN] = {false};
    int wrong = 0;
    for (int32_t s = 0; s < op->n_samples; s++) {
        wrong += !check_sample(op, s, no_passes, alive, sums);
        for (int how = TRANSPOSED; how < LAYOUTS && no_passes; how++) wrong += !check_variant(op, s, (layout)how, -1, sums);
        for (int64_t first = 0; first <= 1 && no_passes; first++) wrong += !check_variant(op, s, DENSE, first, sums);
        for (int32_t k = 0; k < op->samples[s].n_in; k++) {
            const bp__sample_in *in = &op->samples[s].in[k];
            if (in->low <= in->high && in->dtype <= BP_F64 && !is_fixed(op, k)) seen[k] = true;
        }
    }
    for (int k = 0; k < MAX_SAMPLE_IN && wrong == 0; k++)
        if (seen[k] && !alive[k]) {
            printf("%s: no sample has a gradient of input %d that is not zero\n", op->name, k + 1);
            wrong++;
        }
    return wrong;
}

static void check_table(bool no_passes) {
    totals sums = {0};
    int wrong = 0, n_wide = 0;
    const char *only = getenv("BP_GRADIENT_OF"); /* one operation, when looking for a mistake */
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN | BP__OP_NO_GRADIENT)) continue;
        if (only && strcmp(only, op->name) != 0) continue;
        sums.ops++;
        wrong += check_samples(op, no_passes, &sums);
        if (!no_passes || op->ew_op < 0) continue;
        posed q;
        bp_value d[MAX_VARS];
        if (pose_wide(&q, op, NULL, &sums)) check_subset(&q.p, &q.t, q.wrt, q.m, (1u << q.m) - 1, d, &sums);
        wrong += q.p.failed;
        close_problem(&q.p);
        n_wide++;
    }
    printf("%lld operations, %lld samples, %lld gradient programs, %lld of second order, %lld derivatives; %lld samples of "
           "integers, %lld on views, %lld of another size, %d far from their samples\n",
           (long long)sums.ops, (long long)sums.samples, (long long)sums.programs, (long long)sums.seconds,
           (long long)sums.numbers, (long long)sums.skipped, (long long)sums.views, (long long)sums.resized, n_wide);
    assert_int_equal(wrong, 0);
    assert_true(only || sums.ops > 60);
}

static void every_gradient(void **state) {
    (void)state;
    check_table(false);
}

static void every_gradient_without_passes(void **state) {
    (void)state;
    check_table(true);
}

/* What PyTorch does where left and right differ. */
static void kinks_are_pytorch_s(void **state) {
    (void)state;
    bp_context *ctx;
    bp__st_file *file;
    totals sums = {0};
    int wrong = 0, n = 0;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    if (bp__safetensors_open(ctx, "tests/golden/kinks.safetensors", &file) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    for (int i = 0; i < 2 * bp__op_count(); i++) {
        posed q;
        bp_value d[MAX_VARS];
        const bp__op *op = bp__op_at(i / 2);
        if (op->ew_op < 0 || (op->flags & BP__OP_NO_GRADIENT)) continue;
        if (pose_kinks(&q, file, op, NULL, i % 2)) {
            check_kink_values(&q, file, op, i % 2);
            add_second_paths(&q);
            if (!q.p.failed) check_subset(&q.p, &q.t, q.wrt, q.m, (1u << q.m) - 1, d, &sums);
            n++;
        } else if (!q.p.failed) {
            bool selects = op == bp__op_id(BP__OP_ID_where); /* linear in what has a gradient: it has no kink */
            if (i % 2 == 1 || selects) continue;
            printf("no golden values at its kinks: %s\n", op->name);
            wrong++;
            continue;
        }
        wrong += q.p.failed;
        close_problem(&q.p);
    }
    bp__safetensors_close(file);
    bp_context_free(ctx);
    printf("%d cases are PyTorch's at their kinks\n", n - wrong);
    assert_int_equal(wrong, 0);
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinks_are_pytorch_s), cmocka_unit_test(every_gradient_without_passes),
                                       cmocka_unit_test(every_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
