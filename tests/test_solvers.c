/* Solvers on functions of their own: lbfgs against torch.optim.LBFGS, step by step (tests/golden/lbfgs.safetensors, made by
   make_lbfgs.py beside it), within 1e-9. `test_solvers --table` prints the largest difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"
#include "optim/solver.h"

enum { STEPS = 12, N = 6 };

static bp_status rosenbrock(void *user, const double *w, double *loss, double *g) {
    int64_t *left = user;
    if (left && (*left)-- == 0) return BP_INVALID;
    *loss = 0;
    memset(g, 0, sizeof(double) * N);
    for (int i = 0; i + 1 < N; i++) {
        double a = w[i + 1] - w[i] * w[i], b = 1 - w[i];
        *loss += 100 * a * a + b * b;
        g[i] += -400 * w[i] * a - 2 * b;
        g[i + 1] += 200 * a;
    }
    return BP_OK;
}

static const double start[N] = {-1.2, 1.0, 0.7, -0.4, 0.9, 1.3};

/* The largest difference from PyTorch's path, relative to numbers above 1. */
static double follow(bp_context *ctx, const char *name, bp__lbfgs_options o) {
    bp__st_file *file = NULL;
    assert_int_equal(bp__safetensors_open(ctx, "tests/golden/lbfgs.safetensors", &file), BP_OK);
    double path[STEPS * N], w[N];
    bp__solved solved;
    const bp__st_tensor *tensor = bp__safetensors_find(file, name);
    assert_non_null(tensor);
    assert_int_equal(bp__st_count(tensor), STEPS * N);
    bp__st_to_f64(tensor, path);
    bp__safetensors_close(file);
    double *kept = calloc((size_t)bp__lbfgs_size(N, o.history_size), sizeof(double));
    assert_non_null(kept);
    bp__objective f = {.evaluate = rosenbrock, .n = N};
    memcpy(w, start, sizeof w);
    double worst = 0;
    for (int step = 0; step < STEPS; step++) {
        assert_int_equal(bp__lbfgs_step(ctx, &f, &o, kept, w, &solved), BP_OK);
        for (int i = 0; i < N; i++) {
            const double d = fabs(w[i] - path[step * N + i]) / fmax(1, fabs(path[step * N + i]));
            if (!(d <= 1e-9))
                fail_msg("%s, step %d: w[%d] is %.17g, PyTorch's %.17g", name, step + 1, i, w[i], path[step * N + i]);
            worst = fmax(worst, d);
        }
    }
    free(kept);
    return worst;
}

static double lbfgs_deviation(void) {
    bp_context *ctx = NULL;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    bp__lbfgs_options o = {.lr = 1, .max_iter = 4, .max_eval = 5, .tolerance_grad = 1e-7, .tolerance_change = 1e-9};
    o.history_size = 3;
    o.strong_wolfe = true;
    double worst = follow(ctx, "wolfe", o);
    o.max_iter = 2;
    o.max_eval = 3;
    o.history_size = 100;
    worst = fmax(worst, follow(ctx, "wolfe_few", o));
    o = (bp__lbfgs_options){.lr = 0.05, .max_iter = 3, .max_eval = 3, .tolerance_grad = 1e-7, .tolerance_change = 1e-9};
    o.history_size = 5;
    worst = fmax(worst, follow(ctx, "fixed", o));
    bp_context_free(ctx);
    return worst;
}

static void lbfgs_is_pytorchs(void **state) {
    (void)state;
    lbfgs_deviation();
}

static void a_failed_evaluation_ends_the_step(void **state) {
    (void)state;
    bp_context *ctx = NULL;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    bp__lbfgs_options o = {.lr = 1, .max_iter = 20, .max_eval = 25, .history_size = 4, .strong_wolfe = true};
    bp__solved solved;
    for (int64_t allowed = 0; allowed < 4; allowed++) {
        int64_t left = allowed;
        double w[N], *kept = calloc((size_t)bp__lbfgs_size(N, 4), sizeof(double));
        assert_non_null(kept);
        memcpy(w, start, sizeof w);
        bp__objective f = {.user = &left, .evaluate = rosenbrock, .n = N};
        assert_int_equal(bp__lbfgs_step(ctx, &f, &o, kept, w, &solved), BP_INVALID);
        free(kept);
    }
    assert_int_equal(bp__lbfgs_size(INT64_MAX / 2, 100), 0);
    bp_context_free(ctx);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        printf("| lbfgs | PyTorch 2.13.0, %d steps | %.1e |\n", STEPS, lbfgs_deviation());
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lbfgs_is_pytorchs),
        cmocka_unit_test(a_failed_evaluation_ends_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
