/* Are the gradient checks worth something? Every gradient rule of the table is broken in every way that mutant.h knows, one at
   a time, and the checks have to notice: finite differences at the samples of the table and far from them, PyTorch's numbers
   at kinks. A mutant that they let through must be explained below; where the explanation is that it changes nothing, its
   gradients have to be the same bits. The chain rule's own walker is broken too. BP_MUTANTS_OF=NAME: one operation, every
   mutant printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/gradient_kinks.h"
#include "support/gradient_wide.h"
#include "support/mutant.h"
#include "support/mutant_walker.h"

enum { MAX_POSES = 64, MAX_MUTANTS = 4096 };

/* Why a mutant lives. `op` and `node` may be "*". */
typedef struct excuse {
    const char *op;
    mutation how;     /* N_MUTATIONS: any */
    const char *node; /* the operation of the changed node; NULL: mutations of a whole gradient */
    bool same_bits;   /* claimed, and checked: the mutant computes the same bits */
    const char *why;
} excuse;
static const excuse excuses[] = {
#include "support/mutation_excuses.def"
};

typedef enum fate { NOT_MEANT, SAME_BITS, CLOSE, KILLED } fate;

typedef struct pose_record {
    posed q;
    double *bits; /* the gradients of the true rule, one behind the other */
    int64_t n_bits;
    int64_t n_nodes, n_checks; /* of the graph, before any gradient */
    bp_value other[MAX_SAMPLE_IN];
} pose_record;

typedef struct score {
    int64_t rules, mutants, killed, same, excused, survived, runs;
} score;

static pose_record poses[MAX_POSES];
static mutant mutants[MAX_MUTANTS];

static bool same_number(double a, double b) { return !memcmp(&a, &b, sizeof a) || (a != a && b != b); }

/* Builds and runs the gradients of a pose with the rule as it stands in `rule`. The true rule's bits are kept. */
static fate run_pose(pose_record *r, bool keep) {
    problem *p = &r->q.p;
    bp_value d[MAX_VARS];
    int chosen[MAX_VARS];
    bool equal = true;
    int64_t at = 0;
    run running;
    rule.other_path = r->other;
    rule.applied = false;
    p->failed = false;
    int n = build_gradients(p, &r->q.t, r->q.wrt, r->q.m, (1u << r->q.m) - 1, d, chosen);
    if (!keep && !rule.applied) goto done;
    if (holds(p, bp_graph_status(p->g)) && open_run(p, &running, d, n)) {
        if (holds(p, bp_session_run(running.session)))
            for (int j = 0; j < n && !p->failed; j++) {
                const double *x;
                int64_t size;
                if (!read_output(p, &running, j, &x, &size)) break;
                compare(p, x, size, &p->vars[chosen[j]], 0);
                if (keep) {
                    r->bits = realloc(r->bits, sizeof(double) * (size_t)(at + size + 1));
                    if (!r->bits) abort();
                    if (size > 0) memcpy(r->bits + at, x, sizeof(double) * (size_t)size);
                    r->n_bits = at + size;
                }
                for (int64_t i = 0; i < size && !p->failed; i++) equal = equal && same_number(x[i], r->bits[at + i]);
                at += size;
            }
        close_run(&running);
    }
done: /* the graph as it was */
    p->g->n_nodes = r->n_nodes;
    p->g->n_checks = r->n_checks;
    p->g->status = BP_OK;
    bp_context_clear_error(p->ctx);
    if (!keep && !rule.applied) return NOT_MEANT;
    return p->failed ? KILLED : equal ? SAME_BITS : CLOSE;
}

/* Ready for runs: the second paths are there, the true rule passes. */
static bool finish_pose(pose_record *r) {
    problem *p = &r->q.p;
    if (p->failed || r->q.m == 0) return false;
    add_second_paths(&r->q);
    for (int i = 0; i < MAX_SAMPLE_IN; i++) r->other[i] = BP_NONE;
    for (int j = 0; j < r->q.m; j++) r->other[r->q.input_of[j]] = p->vars[r->q.t.cotangent[r->q.t.n - r->q.m + j]].value;
    r->n_nodes = p->g->n_nodes;
    r->n_checks = p->g->n_checks;
    rule.m.how = N_MUTATIONS;
    if (run_pose(r, true) == KILLED) return false;
    p->quiet = true;
    return true;
}

static int open_poses(const bp__op *op, const bp__op *built, const bp__st_file *kinks, int *wrong) {
    static totals sums;
    int n = 0;
    for (int s = -3; s < op->n_samples && n < MAX_POSES; s++) { /* the strictest first */
        pose_record *r = &poses[n];
        *r = (pose_record){.bits = NULL};
        bool posed_at_all = s < -1    ? pose_kinks(&r->q, kinks, op, built, s + 3)
                            : s == -1 ? op->ew_op >= 0 && pose_wide(&r->q, op, built, &sums)
                                      : pose(&r->q, op, built, s, DENSE, -1, true);
        if (posed_at_all && s >= 0 && r->q.m > 0) differentiate(&r->q.p, &r->q.t, r->q.wrt, r->q.m, &sums);
        if (posed_at_all && finish_pose(r)) {
            n++;
            continue;
        }
        if (!r->q.p.ctx) continue;
        *wrong += r->q.p.failed || (!posed_at_all && s >= 0);
        close_problem(&r->q.p);
        free(r->bits);
    }
    return n;
}

/* ---- The mutants of a rule ------------------------------------------------------------------------------------------- */

static int add_mutant(int n, mutation how, int at, const bp__op *node) {
    for (int i = 0; i < n; i++)
        if (mutants[i].how == how && mutants[i].at == at && mutants[i].op == node) return n;
    if (n == MAX_MUTANTS) abort();
    mutants[n] = (mutant){how, at, node};
    return n + 1;
}

static int list_mutants(int n_poses) {
    int n = 0;
    for (int k = 0; k < n_poses; k++) {
        for (int j = 0; j < poses[k].q.m; j++)
            for (int how = SIGN; how < NODE_SIGN; how++) n = add_mutant(n, (mutation)how, poses[k].q.input_of[j], NULL);
        rule.m.how = N_MUTATIONS;
        run_pose(&poses[k], true);
        const int nodes = rule.n_nodes < 256 ? rule.n_nodes : 256;
        for (int j = 0; j < nodes; j++)
            for (int how = NODE_SIGN; how < N_MUTATIONS; how++) n = add_mutant(n, (mutation)how, j, rule.nodes[j]);
    }
    return n;
}

static fate try_mutant(const mutant *m, int n_poses, score *s) {
    fate worst = NOT_MEANT;
    rule.m = *m;
    for (int k = 0; k < n_poses && worst != KILLED; k++) {
        fate f = run_pose(&poses[k], false);
        s->runs += f != NOT_MEANT;
        if (f > worst) worst = f;
    }
    return worst;
}

static bool is_named(const char *pattern, const char *name) { return !strcmp(pattern, "*") || !strcmp(pattern, name); }

static const excuse *excuse_for(const bp__op *op, const mutant *m) {
    for (size_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++) {
        const excuse *e = &excuses[i];
        if ((e->how != m->how && e->how != N_MUTATIONS) || !is_named(e->op, op->name) || (e->node != NULL) != (m->op != NULL))
            continue;
        if (!m->op || is_named(e->node, m->op->name)) return e;
    }
    return NULL;
}

static void describe(const bp__op *op, const mutant *m, const char *what) {
    if (m->op)
        printf("%s: node %d of the rule (%s), %s: %s\n", op->name, m->at, m->op->name, mutation_texts[m->how], what);
    else
        printf("%s: gradient of input %d, %s: %s\n", op->name, m->at + 1, mutation_texts[m->how], what);
}

/* Exchanging the inputs of an operation that commutes is no mutation; the bits are compared all the same. */
static bool commutes(const mutant *m) { return m->how == NODE_SWAPPED && m->op && (m->op->flags & BP__OP_COMMUTES); }

static void judge(const bp__op *op, const mutant *m, fate f, bool every, score *s) {
    if (f == NOT_MEANT) return;
    s->mutants++;
    if (f == KILLED) {
        s->killed++;
        if (every) describe(op, m, "killed");
        return;
    }
    const excuse *e = excuse_for(op, m);
    if (f == SAME_BITS && (commutes(m) || (e && e->same_bits))) {
        s->same++;
        if (every) describe(op, m, e ? e->why : "the same bits: the operation commutes");
    } else if (e && !e->same_bits) {
        s->excused++;
        if (every) describe(op, m, e->why);
    } else {
        s->survived++;
        describe(op, m, f == SAME_BITS ? "SURVIVES with the same bits" : "SURVIVES");
    }
}

static bool has_own_rule(const bp__op *op) {
    return !(op->flags & (BP__OP_LEAF | BP__OP_HIDDEN | BP__OP_NO_GRADIENT)) && op->gradient && (op->forward || op->view);
}

static void every_mutant_is_killed(void **state) {
    (void)state;
    bp_context *ctx;
    bp__st_file *kinks;
    score s = {0};
    int wrong = 0;
    const char *only = getenv("BP_MUTANTS_OF");
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    if (bp__safetensors_open(ctx, "tests/golden/kinks.safetensors", &kinks) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    for (int i = 0; i < bp__op_count(); i++) {
        const bp__op *op = bp__op_at(i);
        if (!has_own_rule(op) || (only && strcmp(only, op->name) != 0)) continue;
        bp__op broken = *op;
        broken.gradient = mutated_gradient;
        rule.original = op;
        int n_poses = open_poses(op, &broken, kinks, &wrong), n = list_mutants(n_poses);
        for (int k = 0; k < n; k++) judge(op, &mutants[k], try_mutant(&mutants[k], n_poses, &s), only != NULL, &s);
        for (int k = 0; k < n_poses; k++) {
            close_problem(&poses[k].q.p);
            free(poses[k].bits);
        }
        s.rules++;
    }
    bp__safetensors_close(kinks);
    bp_context_free(ctx);
    printf(
        "mutation score: %lld rules, %lld mutants: %lld killed, %lld equivalent (the same bits), %lld explained, %lld survive; "
        "%.1f %% of those that are not equivalent are killed; %lld runs\n",
        (long long)s.rules, (long long)s.mutants, (long long)s.killed, (long long)s.same, (long long)s.excused,
        (long long)s.survived, 100.0 * (double)s.killed / (double)(s.mutants - s.same + (s.mutants == s.same)),
        (long long)s.runs);
    assert_int_equal(wrong, 0);
    assert_int_equal(s.survived, 0);
    assert_true(only || (s.rules > 60 && s.killed > 2000));
}

/* ---- The walker ------------------------------------------------------------------------------------------------------ */

/* The chain rule's own work, adding contributions and undoing broadcasting, broken in each way of mutant_walker.h. */
static void a_broken_walker_is_noticed(void **state) {
    (void)state;
    static const char *const names[] = {"add", "mul", "where", "fma", "linear", "matmul"};
    totals sums = {0};
    int killed = 0;
    for (int w = WALKER_RIGHT; w < N_WALKERS; w++) {
        int noticed = 0, tried = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            const bp__op *op = bp__op_find(names[i]);
            assert_non_null(op);
            for (int32_t k = 0; k < op->n_samples; k++) {
                posed q;
                bp_value d[MAX_VARS];
                assert_true(pose(&q, op, NULL, k, DENSE, -1, true));
                differentiate(&q.p, &q.t, q.wrt, q.m, &sums);
                add_second_paths(&q);
                walker = (walker_mutation)w;
                q.p.quiet = w != WALKER_RIGHT;
                if (!q.p.failed) check_subset(&q.p, &q.t, q.wrt, q.m, (1u << q.m) - 1, d, &sums);
                walker = WALKER_RIGHT;
                noticed += q.p.failed;
                tried++;
                close_problem(&q.p);
            }
        }
        if (w == WALKER_RIGHT)
            assert_int_equal(noticed, 0);
        else
            killed += noticed > 0;
        printf("walker, %s: noticed in %d of %d samples\n", walker_texts[w], noticed, tried);
    }
    assert_int_equal(killed, N_WALKERS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_broken_walker_is_noticed), cmocka_unit_test(every_mutant_is_killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
