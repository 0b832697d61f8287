/* 20 updates of every optimiser in double precision against the numbers of its reference (tests/golden/optimizers.safetensors,
   made by make_optimizers.py beside it); what surrounds every optimiser: groups, lookahead, centralisation, noise; and the table
   docs/optimizers.md, which `test_optimizers --table` prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/files.h"
#include "io/safetensors.h"
#include "optimizer_help.h"
#include "optimizer_table.h"

static bp__st_file *golden(bp_context *ctx) {
    bp__st_file *file = NULL;
    OK(ctx, bp__safetensors_open(ctx, "tests/golden/optimizers.safetensors", &file));
    read_problem(file);
    return file;
}

/* Cases are tensors named "SOURCE|CHOICE". */
static const char *choice_of(const bp__st_tensor *t) {
    const char *bar = strchr(t->name, '|');
    return bar ? bar + 1 : NULL;
}
static bool is_of(const char *choice, const char *name) { /* "NAME" or "{NAME: …" */
    if (choice[0] == '{') choice++;
    size_t n = strlen(name);
    return strncmp(choice, name, n) == 0 && (choice[n] == ':' || choice[n] == '\0');
}

static how how_of(const bp__st_tensor *t, bool single) {
    return (how){
        .masked = strstr(t->name, "sparse_") != NULL, .rising = strstr(t->name, ", rising rate|") != NULL, .single = single};
}

/* The largest relative difference; numbers below 1e-3 count as 1e-3. */
static double distance(const double *a, const double *b, int n) {
    double worst = 0;
    for (int i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]) / fmax(fabs(b[i]), 1e-3);
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

static double deviation(bp_context *ctx, const bp__st_tensor *t) {
    double want[STEPS][N_ALL], got[STEPS][N_ALL];
    assert_int_equal(bp__st_count(t), STEPS * N_ALL);
    bp__st_to_f64(t, want[0]);
    run_choice(ctx, choice_of(t), how_of(t, false), got);
    return distance(got[0], want[0], STEPS * N_ALL);
}

/* ---- Against the references ------------------------------------------------------------------------------------------------ */

static void trajectories(void **unused) {
    (void)unused;
    bp_context *ctx = new_context(true);
    bp__st_file *file = golden(ctx);
    int n_cases = 0, n_bad = 0;
    for (int64_t i = 0; i < file->n_tensors; i++) {
        if (!choice_of(&file->tensors[i])) continue;
        double d = deviation(ctx, &file->tensors[i]);
        n_cases++;
        if (d <= 1e-9) continue;
        print_error("%s: %.3g\n", file->tensors[i].name, d);
        n_bad++;
    }
    for (int k = 0; bp__optimizer_kind(k, NULL) && !bp__optimizer_solver(k); k++) {
        bool found = false;
        for (int64_t i = 0; i < file->n_tensors; i++) {
            const char *choice = choice_of(&file->tensors[i]);
            found = found || (choice && is_of(choice, bp__optimizer_kind(k, NULL)));
        }
        if (!found) fail_msg("%s has no reference", bp__optimizer_kind(k, NULL));
    }
    bp__safetensors_close(file);
    bp_context_free(ctx);
    print_message("%d trajectories compared\n", n_cases);
    assert_int_equal(n_bad, 0);
}

/* No option of a case is ignored: without any one of them the trajectory is another one. */
static void options_count(void **unused) {
    (void)unused;
    bp_context *ctx = new_context(true);
    bp__st_file *file = golden(ctx);
    int n_options = 0, n_bad = 0;
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const char *choice = choice_of(&file->tensors[i]);
        double want[STEPS][N_ALL], got[STEPS][N_ALL];
        if (!choice || choice[0] != '{') continue;
        bp__st_to_f64(&file->tensors[i], want[0]);
        bp__tree *whole = yaml(ctx, choice);
        for (int64_t k = 0; k < bp__tree_count(whole->child); k++) {
            bp__tree *less = yaml(ctx, choice), **link = &less->child->child;
            for (int64_t j = 0; j < k; j++) link = &(*link)->next;
            bp__tree *gone = *link;
            *link = gone->next;
            gone->next = NULL;
            double lr;
            bool allowed = bp__optimizer_check(ctx, NULL, less, &lr) == BP_OK; /* nesterov without momentum is refused */
            if (allowed) run_tree(ctx, less, how_of(&file->tensors[i], false), got);
            bp_context_clear_error(ctx);
            n_options++;
            if (allowed && distance(got[0], want[0], STEPS * N_ALL) < 1e-7) {
                print_error("%s: `%s` has no effect\n", choice, gone->key);
                n_bad++;
            }
            bp__tree_free(ctx, gone);
            bp__tree_free(ctx, less);
        }
        bp__tree_free(ctx, whole);
    }
    bp__safetensors_close(file);
    bp_context_free(ctx);
    print_message("%d options tried\n", n_options);
    assert_int_equal(n_bad, 0);
}

/* Fused passes and none give the same bits, in both types; and single precision follows double for a while. */
static void same_bits(void **unused) {
    (void)unused;
    bp_context *fused = new_context(true), *plain = new_context(false);
    bp__st_file *file = golden(fused);
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const char *choice = choice_of(&file->tensors[i]);
        if (!choice) continue;
        double a[2][STEPS][N_ALL], b[STEPS][N_ALL];
        for (int f = 0; f < 2; f++) {
            run_choice(fused, choice, how_of(&file->tensors[i], f == 1), a[f]);
            run_choice(plain, choice, how_of(&file->tensors[i], f == 1), b);
            if (memcmp(a[f], b, sizeof b) != 0) fail_msg("%s: passes change bits in %s", choice, f ? "f32" : "f64");
        }
        double d = distance(a[1][4], a[0][4], N_ALL);
        if (!(d < 0.02)) fail_msg("%s: after 5 steps single precision is %.3g away", choice, d);
    }
    bp__safetensors_close(file);
    bp_context_free(plain);
    bp_context_free(fused);
}

/* The weights of a small network, whose matrices lie in panels where passes are on, after three steps. */
enum { N_IN = 20, N_HIDDEN = 37, N_OUT = 5, N_ROWS = 16, N_NET = N_HIDDEN * N_IN + N_HIDDEN + N_OUT * N_HIDDEN };
static void run_network(bp_context *ctx, const char *choice, float *out) {
    static const char *const names[] = {"0.weight", "0.bias", "1.weight"};
    static const int sizes[] = {N_HIDDEN * N_IN, N_HIDDEN, N_OUT * N_HIDDEN};
    float x[N_ROWS * N_IN], start[N_NET];
    bp__tree *tree = yaml(ctx, choice);
    bp_graph *g;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    double lr;
    OK(ctx, bp__optimizer_check(ctx, NULL, tree, &lr));
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value params[] = {bp_parameter(g, names[0], bp_shape(2, N_HIDDEN, N_IN), bp_zeros()),
                         bp_parameter(g, names[1], bp_shape(1, N_HIDDEN), bp_zeros()),
                         bp_parameter(g, names[2], bp_shape(2, N_OUT, N_HIDDEN), bp_zeros())};
    bp_value in = bp_input(g, "x", BP_F32, bp_shape(2, N_ROWS, N_IN)), rate = bp_input(g, "lr", BP_F64, bp_shape(0)), grads[3];
    bp_value hidden = bp_tanh(bp_linear(in, params[0], params[1])),
             loss = bp_mean(bp_square(bp__add_k(bp_linear(hidden, params[2], BP_NONE), -1)), NULL);
    bp_gradients(grads, &loss, NULL, 1, params, 3);
    OK(ctx, bp__optimizer_build_for(g, tree, &(bp__moving){rate, loss, BP_NONE, BP_NONE}, params, grads, 3));
    bp_program_options po = {.size = sizeof po, .commit = 1, .ok = BP_NONE};
    OK(ctx, bp_program_new(&program, g, &loss, 1, &po));
    OK(ctx, bp_state_new(&state, g));
    OK(ctx, bp_session_new(&session, program, state));
    for (int i = 0; i < N_ROWS * N_IN; i++) x[i] = (float)((i * 37 % 101) - 50) / 50;
    for (int i = 0; i < N_NET; i++) start[i] = (float)((i * 53 % 97) - 48) / 200;
    for (int i = 0, at = 0; i < 3; at += sizes[i++])
        OK(ctx, bp_state_set(state, names[i], start + at, sizeof(float) * (size_t)sizes[i]));
    OK(ctx, bp_session_set(session, "x", x, NULL));
    OK(ctx, bp_session_set(session, "lr", &lr, NULL));
    for (uint32_t k = 0; k < 3; k++) {
        bp_session_set_step(session, 7, k, 0);
        OK(ctx, bp_session_run(session));
    }
    for (int i = 0, at = 0; i < 3; at += sizes[i++])
        OK(ctx, bp_state_get(state, names[i], out + at, sizeof(float) * (size_t)sizes[i]));
    for (int i = 0; i < N_NET; i++) assert_true(isfinite(out[i]));
    if (memcmp(out, start, sizeof start) == 0) fail_msg("%s moves nothing", choice);
    bp_session_free(session);
    bp_state_free(state);
    bp_program_free(program);
    bp_graph_free(g);
    bp__tree_free(ctx, tree);
}

static void networks(void **unused) {
    (void)unused;
    static float a[N_NET], b[N_NET];
    bp_context *fused = new_context(true), *plain = new_context(false);
    for (int k = 0; bp__optimizer_kind(k, NULL) && !bp__optimizer_solver(k); k++) {
        char wrapped[160];
        const char *name = bp__optimizer_kind(k, NULL);
        snprintf(wrapped, sizeof wrapped, "{%s: {centralize: true, noise_eta: 0.01, lookahead_k: 2, layer_decay: 0.9}}", name);
        for (int w = 0; w < 2; w++) {
            run_network(fused, w ? wrapped : name, a);
            run_network(plain, w ? wrapped : name, b);
            if (memcmp(a, b, sizeof a) != 0) fail_msg("%s: passes change bits", w ? wrapped : name);
        }
    }
    bp_context_free(plain);
    bp_context_free(fused);
}

/* ---- The table ---------------------------------------------------------------------------------------------------------------
 */

static void table_is_current(void **unused) {
    (void)unused;
    bp_context *ctx = new_context(true);
    bp__st_file *file = golden(ctx);
    char *now = optimizer_table(ctx, file, deviation, is_of), *old = NULL;
    size_t n = 0;
    OK(ctx, bp__file_read_all(ctx, "docs/optimizers.md", 1 << 20, &old, &n));
    if (n != strlen(now) || memcmp(old, now, n) != 0)
        fail_msg("docs/optimizers.md is stale: test_optimizers --table > docs/optimizers.md");
    bp_free(ctx, old);
    bp_free(ctx, now);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

static int print_table(void) {
    bp_context *ctx = new_context(true);
    bp__st_file *file = golden(ctx);
    char *text = optimizer_table(ctx, file, deviation, is_of);
    fputs(text, stdout);
    bp_free(ctx, text);
    bp__safetensors_close(file);
    bp_context_free(ctx);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--table") == 0) return print_table();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories), cmocka_unit_test(options_count),    cmocka_unit_test(same_bits),
        cmocka_unit_test(networks),     cmocka_unit_test(table_is_current),
    };
    return cmocka_run_group_tests_name("optimizers", tests, NULL, NULL) != 0;
}
