/* What surrounds an optimiser: groups of parameters, layer-wise rates, gradient noise; gradients clipped apart and adaptively;
   penalties and max_norm; and the sentences of wrong sections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizer_help.h"

static bp_context *context;

static int set_up(void **unused) {
    (void)unused;
    bp__st_file *file = NULL;
    context = new_context(true);
    OK(context, bp__safetensors_open(context, "tests/golden/optimizers.safetensors", &file));
    read_problem(file);
    bp__safetensors_close(file);
    return 0;
}
static int tear_down(void **unused) {
    (void)unused;
    bp_context_free(context);
    return 0;
}

/* Where parameter i starts among all. */
static int offset(int i) {
    int at = 0;
    for (int k = 0; k < i; k++) at += problem_params[k].n;
    return at;
}

static void expect_same(double (*got)[N_ALL], double (*want)[N_ALL], int i, double tolerance, const char *what) {
    for (int k = 0; k < STEPS; k++)
        for (int j = offset(i); j < offset(i) + problem_params[i].n; j++)
            if (!(fabs(got[k][j] - want[k][j]) <= tolerance * fmax(fabs(want[k][j]), 1e-3)))
                fail_msg("%s: after step %d number %d is %.17g, not %.17g", what, k, j, got[k][j], want[k][j]);
}

/* ---- Groups ---------------------------------------------------------------------------------------------------------------- */

/* Parameters 0.w, 0.v, 1.b, 2.k; column i says with which choice parameter i has to agree. */
static void groups(void **unused) {
    (void)unused;
    static const struct {
        const char *grouped, *alone[N_PARAMS];
    } rows[] = {
        {"{adamw: {lr: 0.05, weight_decay: 0.3, groups: [{match: \"*.b\", weight_decay: 0}]}}",
         {"{adamw: {lr: 0.05, weight_decay: 0.3}}", "{adamw: {lr: 0.05, weight_decay: 0.3}}",
          "{adamw: {lr: 0.05, weight_decay: 0}}", "{adamw: {lr: 0.05, weight_decay: 0.3}}"}},
        {"{adam: {lr: 0.05, groups: [{match: \"0.[wx]\", lr: 0.01}, {match: \"0.*\", betas: [0.5, 0.6]}]}}", /* first match wins
                                                                                                              */
         {"{adam: 0.01}", "{adam: {lr: 0.05, betas: [0.5, 0.6]}}", "{adam: 0.05}", "{adam: 0.05}"}},
        {"{nadam: {lr: 0.05, momentum_decay: 0.1, groups: [{match: \"1.?\", momentum_decay: 0.5}]}}", /* counters of their own */
         {"{nadam: {lr: 0.05, momentum_decay: 0.1}}", "{nadam: {lr: 0.05, momentum_decay: 0.1}}",
          "{nadam: {lr: 0.05, momentum_decay: 0.5}}", "{nadam: {lr: 0.05, momentum_decay: 0.1}}"}},
        {"{sgd: {\"\": 0.1, groups: [{match: \"2.k\", lr: 0.2, momentum: 0.9}]}}",
         {"{sgd: 0.1}", "{sgd: 0.1}", "{sgd: 0.1}", "{sgd: {lr: 0.2, momentum: 0.9}}"}},
        {"{sgd: {lr: 0.1, groups: [{match: \"*.w\", freeze: true}, {match: \"*.v\", freeze: false}]}}",
         {"{sgd: 0}", "{sgd: 0.1}", "{sgd: 0.1}", "{sgd: 0.1}"}},
        {"{adam: {lr: 0.08, layer_decay: 0.5}}", {"{adam: 0.02}", "{adam: 0.02}", "{adam: 0.04}", "{adam: 0.08}"}},
        {"{asgd: {lr: 0.08, layer_decay: 0.5, groups: [{match: \"*.v\", lr: 0.4}]}}",
         {"{asgd: 0.02}", "{asgd: 0.1}", "{asgd: 0.04}", "{asgd: 0.08}"}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int rising = 0; rising <= (strstr(rows[r].grouped, "asgd") == NULL); rising++) {
            double got[STEPS][N_ALL], want[STEPS][N_ALL];
            run_choice(context, rows[r].grouped, (how){.rising = rising}, got);
            for (int i = 0; i < N_PARAMS; i++) {
                run_choice(context, rows[r].alone[i], (how){.rising = rising}, want);
                expect_same(got, want, i, 1e-12, rows[r].grouped);
            }
        }
}

static void expect_error(const char *text, const char *message) {
    bp__tree *tree = yaml(context, text);
    double lr;
    bp_status status = bp__optimizer_check(context, "c.yaml", tree, &lr);
    if (status != BP_CONFIG || !strstr(bp_context_error(context), message))
        fail_msg("%s: %d, %s", text, (int)status, bp_context_error(context));
    bp_context_clear_error(context);
    bp__tree_free(context, tree);
}

static void group_errors(void **unused) {
    (void)unused;
    expect_error("{adam: {groups: 3}}", "optimizer: `groups` must be a list");
    expect_error("{adam: {groups: [3]}}", "optimizer.groups.0: a group is a mapping with `match`");
    expect_error("{adam: {groups: [{lr: 1}]}}", "optimizer.groups.0: a group is a mapping with `match`");
    expect_error("{adam: {groups: [{match: \"*\"}, {match: \"*\", mometum: 1}]}}",
                 "optimizer.groups.1: `adam` has no option `mometum`");
    expect_error("{adam: {groups: [{match: \"*\", lr: -1}]}}", "optimizer.groups.0: `lr` must be at least 0, not -1");
    expect_error("{adam: {groups: [{match: \"*\", layer_decay: 0.5}]}}", "`layer_decay` belongs to the optimizer");
    expect_error("{adam: {groups: [{match: \"*\", groups: []}]}}", "`groups` belongs to the optimizer");
    expect_error("{adam: {groups: [{match: \"*\", freeze: 1}]}}", "`freeze` must be true or false");
    expect_error("{adam: {lr: 0, groups: [{match: \"*\", lr: 1}]}}", "needs an optimizer `lr` above 0");
    expect_error("{sgd: {momentum: 0.9, nesterov: true, groups: [{match: \"*\", momentum: 0}]}}",
                 "optimizer.groups.0: `nesterov` needs a `momentum`");
    expect_error("{adan: {betas: [0.9, 0.9]}}", "`betas` must be a list of three numbers");
    expect_error("{adan: {betas: [0.9, 0.9, 1]}}", "`betas[2]` must be at least 0 and below 1");
    expect_error("{irprop_minus: {etas: [1.2, 0.5]}}", "`etas` must be a number between 0 and 1");
    expect_error("{schedule_free_sgd: {momentum: 0}}", "`momentum` must be above 0 and below 1");

    trainer t; /* a pattern without parameters is found when there are parameters */
    bp__tree *tree = yaml(context, "{adam: {groups: [{match: \"0.*\", lr: 1}, {match: \"*.w\", lr: 2}]}}");
    build_problem(&t, context, BP_F64, false);
    assert_int_equal(bp__optimizer_build(t.g, tree, t.lr, t.params, t.grads, N_PARAMS), BP_CONFIG);
    assert_non_null(strstr(bp_context_error(context), "optimizer.groups.1: `match: *.w` takes no parameter"));
    assert_non_null(strstr(bp_context_error(context), "0.w, 0.v, 1.b, 2.k"));
    bp_context_clear_error(context);
    bp_graph_free(t.g);
    bp__tree_free(context, tree);
}

/* ---- Noise ----------------------------------------------------------------------------------------------------------------- */

/* sgd with and without noise: the difference is the noise itself. Mean 0, the variance of the formula, other numbers in every
   step and place, the same ones in another run. */
static void noise(void **unused) {
    (void)unused;
    double clean[STEPS][N_ALL], loud[STEPS][N_ALL], again[STEPS][N_ALL], sum = 0, squares = 0, fourth = 0;
    int n = 0;
    run_choice(context, "{sgd: {lr: 1.0e-6, noise_eta: 4, noise_gamma: 0.5}}", (how){.masked = false}, loud);
    run_choice(context, "{sgd: {lr: 1.0e-6, noise_eta: 4, noise_gamma: 0.5}}", (how){.masked = false}, again);
    run_choice(context, "{sgd: 1.0e-6}", (how){.masked = false}, clean);
    assert_memory_equal(loud, again, sizeof loud);
    for (int t = 1; t < STEPS; t++)
        for (int j = 0; j < N_ALL; j++) {
            double moved = (loud[t][j] - clean[t][j]) - (loud[t - 1][j] - clean[t - 1][j]);
            double x = -moved / 1e-6 / sqrt(4 / sqrt(t + 1.0));
            sum += x;
            squares += x * x;
            fourth += x * x * x * x;
            n++;
        }
    /* 665 numbers: four deviations of the mean, of the variance (2/n) and of the fourth moment (96/n). */
    assert_true(fabs(sum / n) < 4 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 4 * sqrt(2.0 / n));
    assert_true(fabs(fourth / n - 3) < 4 * sqrt(96.0 / n));
}

/* ---- Evaluated weights ------------------------------------------------------------------------------------------------------
 */

static void evaluated(void **unused) {
    (void)unused;
    bp__tree *tree = yaml(context, "{schedule_free_sgd: {lr: 0.1, momentum: 0.8, groups: [{match: \"2.k\", freeze: true}]}}");
    trainer t;
    bp_value values[N_PARAMS];
    double out[N_ALL], z[N_ALL], sum[12] = {0};
    build_problem(&t, context, BP_F64, false);
    OK(context, bp__optimizer_build(t.g, tree, t.lr, t.params, t.grads, N_PARAMS));
    OK(context, bp__optimizer_evaluated(t.g, tree, t.params, values, N_PARAMS));
    memcpy(t.grads, values, sizeof values); /* the outputs */
    start(&t);
    for (int k = 0; k < STEPS; k++) {
        const void *x;
        step(&t, k, 0.1, out); /* outputs are those before the update: the average of z after k updates */
        OK(context, bp_session_output(t.session, 0, &x, NULL, NULL));
        for (int j = 0; j < 12; j++) {
            double want = k == 0 ? problem.p[j] : sum[j] / k; /* one rate: all weights are equal */
            assert_true(fabs(((const double *)x)[j] - want) < 1e-12);
        }
        OK(context, bp_session_output(t.session, 3, &x, NULL, NULL));
        assert_memory_equal(x, problem.p + offset(3), 8 * sizeof(double));
        OK(context, bp_state_get(t.state, "optimizer/0.w/z", z, 12 * sizeof(double)));
        for (int j = 0; j < 12; j++) sum[j] += z[j];
    }
    free_trainer(&t);
    bp__tree_free(context, tree);
}

/* ---- Second derivatives
 * -------------------------------------------------------------------------------------------------------- */

/* sophia's curvature is the loss' where the loss is given, whatever became of the gradients; here it is c, the diagonal, halved
   twice by h = 0.5·h + 0.5·c; `maximize` turns the sign. */
static void curvature_of_loss(void **unused) {
    (void)unused;
    for (int with_loss = 0; with_loss < 2; with_loss++)
        for (int maximize = 0; maximize < 2; maximize++) {
            trainer t;
            double h[12], sign = maximize ? -1 : 1;
            bp__tree *tree = yaml(context, maximize ? "{sophia: {betas: [0.9, 0.5], update_interval: 2, maximize: true}}"
                                                    : "{sophia: {betas: [0.9, 0.5], update_interval: 2}}");
            build_problem(&t, context, BP_F64, false);
            bp_value loss = bp_number(t.g, BP_F64, 0), zero[N_PARAMS];
            for (int i = 0, at = 0; i < N_PARAMS; at += problem_params[i++].n) {
                bp_value c = bp_constant(t.g, BP_F64, problem_params[i].dims, problem.c + at);
                loss = bp_add(loss, bp__mul_k(bp__sum_all(bp_mul(c, bp_square(t.params[i]))), 0.5));
                zero[i] = bp__mul_k(t.grads[i], 0);
            }
            OK(context, bp__optimizer_build_for(t.g, tree, &(bp__moving){t.lr, with_loss ? loss : BP_NONE, BP_NONE, BP_NONE},
                                                t.params, with_loss ? zero : t.grads, N_PARAMS));
            start(&t);
            for (int k = 0; k < 4; k++) { /* updates at steps 0 and 2 */
                step(&t, k, 1e-3, NULL);
                OK(context, bp_state_get(t.state, "optimizer/0.w/hessian", h, sizeof h));
                for (int j = 0; j < 12; j++) assert_true(fabs(h[j] - sign * problem.c[j] * (k < 2 ? 0.5 : 0.75)) < 1e-14);
            }
            free_trainer(&t);
            bp__tree_free(context, tree);
        }
}

/* ---- Clipping -----------------------------------------------------------------------------------------------------------------
 */

/* Outputs of step 0 after `how` has changed the gradients. */
static void clipped(int kind, double limit, bool single, double *before, double *after) {
    for (int pass = 0; pass < 2; pass++) {
        trainer t;
        build_problem(&t, context, single ? BP_F32 : BP_F64, false);
        bp_value by = bp_number(t.g, BP_F64, limit);
        if (pass == 1 && kind < 2) OK(context, bp__clip_grads_apart(t.g, t.params, t.grads, N_PARAMS, by, kind == 1));
        if (pass == 1 && kind == 2) OK(context, bp__clip_grads_adaptive(t.g, t.params, t.grads, N_PARAMS, by, 0.8));
        start(&t);
        step(&t, 0, 0, NULL);
        for (int i = 0; i < N_PARAMS; i++) {
            const void *x;
            OK(context, bp_session_output(t.session, i, &x, NULL, NULL));
            for (int j = 0; j < problem_params[i].n; j++)
                (pass ? after : before)[offset(i) + j] = single ? (double)((const float *)x)[j] : ((const double *)x)[j];
        }
        free_trainer(&t);
    }
}

static double norm(const double *x, int n, int stride) {
    double s = 0;
    for (int j = 0; j < n; j++) s += x[j * stride] * x[j * stride];
    return sqrt(s);
}

static void clipping_apart(void **unused) {
    (void)unused;
    double before[N_ALL], after[N_ALL];
    for (int single = 0; single < 2; single++)
        for (int kind = 0; kind < 2; kind++) {
            int n_clipped = 0, first[N_PARAMS] = {0, kind ? 0 : 12, 22, 27}, last[N_PARAMS] = {kind ? 22 : 12, 22, 27, 35};
            clipped(kind, 2.9, single, before, after);
            for (int i = 0; i < N_PARAMS; i++) {
                double factor = fmin(1, 2.9 / (norm(before + first[i], last[i] - first[i], 1) + 1e-6));
                n_clipped += factor < 1;
                for (int j = offset(i); j < offset(i) + problem_params[i].n; j++)
                    assert_true(fabs(after[j] - factor * before[j]) < (single ? 1e-6 : 1e-14));
            }
            assert_in_range(n_clipped, 1, N_PARAMS - 1);
        }
}

static void clipping_adaptive(void **unused) {
    (void)unused;
    double before[N_ALL], after[N_ALL];
    static const int units[N_PARAMS] = {4, 2, 1, 2}; /* rows; the vector is one */
    for (int single = 0; single < 2; single++) {
        int n_clipped = 0, n_units = 0;
        clipped(2, 1.2, single, before, after);
        for (int i = 0; i < N_PARAMS; i++)
            for (int r = 0; r < units[i]; r++) {
                int m = problem_params[i].n / units[i], at = offset(i) + r * m;
                double most = 1.2 * fmax(norm(problem.p + at, m, 1), 0.8), length = norm(before + at, m, 1);
                double factor = length < most ? 1 : most / fmax(length, 1e-6);
                n_units++;
                n_clipped += factor < 1;
                for (int j = at; j < at + m; j++) assert_true(fabs(after[j] - factor * before[j]) < (single ? 1e-6 : 1e-14));
            }
        assert_in_range(n_clipped, 1, n_units - 1);
    }
}

/* ---- Penalties
 * ------------------------------------------------------------------------------------------------------------------ */

/* The penalty of a section and its gradient in parameter 0. */
static double penalty_of(const char *text, bool single, double *d) {
    trainer t;
    bp__tree *tree = yaml(context, text);
    bp_value penalty;
    const void *x;
    OK(context, bp__regularize_check(context, "c.yaml", tree));
    build_problem(&t, context, single ? BP_F32 : BP_F64, false);
    OK(context, bp__regularize_penalty(t.g, tree, t.dtype, t.params, N_PARAMS, &penalty));
    t.grads[0] = penalty;
    t.grads[1] = bp_gradient(penalty, t.params[0]);
    start(&t);
    step(&t, 0, 0, NULL);
    OK(context, bp_session_output(t.session, 1, &x, NULL, NULL));
    for (int j = 0; j < 12; j++) d[j] = single ? (double)((const float *)x)[j] : ((const double *)x)[j];
    OK(context, bp_session_output(t.session, 0, &x, NULL, NULL));
    double y = single ? (double)*(const float *)x : *(const double *)x;
    free_trainer(&t);
    bp__tree_free(context, tree);
    return y;
}

static double by_hand(double l1, double l2, double orthogonal, const double *p) { /* of the 4 by 3 matrix */
    double y = 0;
    for (int j = 0; j < 12; j++) y += l1 * fabs(p[j]) + l2 * p[j] * p[j];
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++) {
            double dot = 0;
            for (int j = 0; j < 3; j++) dot += p[3 * a + j] * p[3 * b + j];
            y += orthogonal * fabs(dot) / norm(p + 3 * a, 3, 1) / norm(p + 3 * b, 3, 1) / 6;
        }
    return y;
}

static void penalties(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        double l1, l2, orthogonal, also; /* also: l1 of 1.b */
    } rows[] = {{"[{match: \"*.w\", l1: 0.3}]", 0.3, 0, 0, 0},
                {"[{match: \"*.w\", l2: 0.4}]", 0, 0.4, 0, 0},
                {"[{match: \"0.w\", orthogonal: 0.7}]", 0, 0, 0.7, 0},
                {"[{match: \"0.w\", l1: 0.1, l2: 0.2, orthogonal: 0.7}, {match: \"[01].[wb]\", l1: 0.5}]", 0.6, 0.2, 0.7, 0.5}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int single = 0; single < 2; single++) {
            double d[12], p[12], want = by_hand(rows[r].l1, rows[r].l2, rows[r].orthogonal, problem.p);
            for (int j = 22; j < 27; j++) want += rows[r].also * fabs(problem.p[j]);
            double got = penalty_of(rows[r].text, single, d);
            if (!(fabs(got - want) < (single ? 1e-5 : 1e-13))) fail_msg("%s: %.17g, not %.17g", rows[r].text, got, want);
            for (int j = 0; j < 12; j++) {
                double side[2];
                for (int s = 0; s < 2; s++) {
                    memcpy(p, problem.p, sizeof p);
                    p[j] += s ? 1e-6 : -1e-6;
                    side[s] = by_hand(rows[r].l1, rows[r].l2, rows[r].orthogonal, p);
                }
                if (!(fabs(d[j] - (side[1] - side[0]) / 2e-6) < (single ? 1e-5 : 1e-8)))
                    fail_msg("%s: gradient %d is %.12g, not %.12g", rows[r].text, j, d[j], (side[1] - side[0]) / 2e-6);
            }
        }
}

static void max_norm(void **unused) {
    (void)unused;
    static const int units[N_PARAMS] = {4, 2, 1, 2};
    bp__tree *optimizer = yaml(context, "{sgd: 0.1}"), *limit = yaml(context, "[{match: \"*.[wvb]\", max_norm: 0.8}]");
    double free_run[STEPS][N_ALL], got[N_ALL];
    run_tree(context, optimizer, (how){.masked = false}, free_run);
    trainer t;
    build_problem(&t, context, BP_F64, false);
    OK(context, bp__optimizer_build(t.g, optimizer, t.lr, t.params, t.grads, N_PARAMS));
    OK(context, bp__regularize_project(t.g, limit, t.params, N_PARAMS));
    start(&t);
    step(&t, 0, 0.1, got);
    int n_long = 0, n_units = 0;
    for (int i = 0; i < N_PARAMS; i++)
        for (int r = 0; r < units[i]; r++) {
            int m = problem_params[i].n / units[i], at = offset(i) + r * m;
            double length = norm(free_run[0] + at, m, 1), factor = i < 3 && length > 0.8 ? 0.8 / (length + 1e-7) : 1;
            n_long += factor < 1;
            n_units++;
            for (int j = at; j < at + m; j++) assert_true(fabs(got[j] - factor * free_run[0][j]) < 1e-14);
        }
    assert_in_range(n_long, 1, n_units - 1);
    free_trainer(&t);
    bp__tree_free(context, optimizer);
    bp__tree_free(context, limit);
}

/* What weight_noise adds: normal of that deviation, new in every step, the same for every number of threads; its gradient moves
   the parameter; what no pattern takes is left alone. */
static void weight_noise(void **unused) {
    (void)unused;
    enum { N = 20000 };
    static float first[N], second[N], threaded[N];
    for (int threads = 1; threads <= 3; threads++) {
        bp_context *ctx;
        bp_graph *g;
        bp_program *program;
        bp_session *session;
        bp_state *state;
        const void *x;
        OK(context, bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = threads}));
        bp__tree *tree = yaml(ctx, "[{match: \"*.weight\", weight_noise: 0.3}, {match: \"0.*\", weight_noise: 0.4, l2: 1}]");
        OK(ctx, bp__regularize_check(ctx, "c.yaml", tree));
        OK(ctx, bp_graph_new(&g, ctx));
        bp_value w = bp_parameter(g, "0.weight", bp_shape(1, N), bp_filled(2)),
                 other = bp_parameter(g, "1.bias", bp_shape(1, N), bp_filled(2)), noisy = bp__regularize_noisy(g, tree, w);
        assert_int_equal(bp__regularize_noisy(g, tree, other).node, other.node);
        bp_value y[2] = {bp_sub(noisy, w), bp_gradient(bp_sum(bp_square(noisy), NULL), w)};
        OK(ctx, bp_state_new(&state, g));
        OK(ctx, bp_program_new(&program, g, y, 2, NULL));
        OK(ctx, bp_session_new(&session, program, state));
        bp_session_set_step(session, 1, 7, 0);
        OK(ctx, bp_session_run(session));
        OK(ctx, bp_session_output(session, 0, &x, NULL, NULL));
        memcpy(threads == 1 ? first : threaded, x, sizeof first);
        OK(ctx, bp_session_output(session, 1, &x, NULL, NULL));
        const float *now = threads == 1 ? first : threaded;
        for (int i = 0; i < N; i++) assert_true(fabsf(((const float *)x)[i] - 2 * (2 + now[i])) < 1e-5f);
        if (threads > 1) assert_memory_equal(first, threaded, sizeof first);
        bp_session_set_step(session, 1, 8, 0);
        OK(ctx, bp_session_run(session));
        OK(ctx, bp_session_output(session, 0, &x, NULL, NULL));
        memcpy(second, x, sizeof second);
        bp_session_free(session);
        bp_program_free(program);
        bp_state_free(state);
        bp_graph_free(g);
        bp__tree_free(ctx, tree);
        bp_context_free(ctx);
    }
    double mean = 0, square = 0, together = 0, deviation = hypot(0.3, 0.4); /* of both entries */
    for (int i = 0; i < N; i++) {
        mean += first[i] / N;
        square += (double)first[i] * first[i] / N;
        together += (double)first[i] * second[i] / N;
    }
    assert_true(fabs(mean) < 5 * deviation / sqrt(N));
    assert_true(fabs(square / (deviation * deviation) - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(together) < 5 * deviation * deviation / sqrt(N));
}

static void penalty_errors(void **unused) {
    (void)unused;
    static const char *const rows[][2] = {
        {"{l1: 1}", "regularize: expected a list"},
        {"[3]", "regularize.0: an entry is a mapping"},
        {"[{l1: 1}]", "regularize.0: `regularize` needs `match`"},
        {"[{match: \"*\", l1: 1}, {match: \"*\", l3: 1}]", "regularize.1: `regularize` has no option `l3`"},
        {"[{match: \"*\"}]", "regularize.0 does nothing: give it l1, l2, orthogonal, max_norm or weight_noise"},
        {"[{match: \"*\", l1: 1}, {match: \"*\", weight_noise: 0}]", "regularize.1 does nothing"},
        {"[{match: \"*\", weight_noise: -1}]", "`weight_noise` must be at least 0, not -1"},
        {"[{match: \"*\", l2: -1}]", "`l2` must be at least 0, not -1"},
        {"[{match: \"*\", max_norm: 0}]", "`max_norm` must be above 0, not 0"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bp__tree *tree = yaml(context, rows[r][0]);
        bp_status status = bp__regularize_check(context, "c.yaml", tree);
        if (status != BP_CONFIG || !strstr(bp_context_error(context), rows[r][1]))
            fail_msg("%s: %d, %s", rows[r][0], (int)status, bp_context_error(context));
        bp_context_clear_error(context);
        bp__tree_free(context, tree);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups),         cmocka_unit_test(group_errors),      cmocka_unit_test(noise),
        cmocka_unit_test(evaluated),      cmocka_unit_test(clipping_apart),    cmocka_unit_test(clipping_adaptive),
        cmocka_unit_test(penalties),      cmocka_unit_test(max_norm),          cmocka_unit_test(weight_noise),
        cmocka_unit_test(penalty_errors), cmocka_unit_test(curvature_of_loss),
    };
    return cmocka_run_group_tests_name("optimizer_groups", tests, set_up, tear_down) != 0;
}
