/* bp_optimizer: an optimiser as text in a graph of one's own takes the steps of its formula, follows a rate that is fed in, and
   says what is wrong with a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "backprop.h"

#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

typedef struct descent { /* of w²·3/2 in two elements, from (2, -1) */
    bp_context *ctx;
    bp_graph *g;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    bp_value w, loss, d;
} descent;

static descent begin(void) {
    descent t = {0};
    assert_int_equal(bp_context_new(&t.ctx, NULL), BP_OK);
    OK(t.ctx, bp_graph_new(&t.g, t.ctx));
    bp_graph_set_dtype(t.g, BP_F64);
    t.w = bp_parameter(t.g, "w", bp_shape(1, 2), bp_zeros());
    t.loss = bp_mul(bp_sum(bp_square(t.w), NULL), bp_number(t.g, BP_F64, 1.5));
    t.d = bp_gradient(t.loss, t.w);
    return t;
}

static void compile(descent *t) {
    static const double start[] = {2, -1};
    bp_program_options commit = {.size = sizeof commit, .commit = 1, .ok = BP_NONE};
    OK(t->ctx, bp_program_new(&t->program, t->g, &t->loss, 1, &commit));
    OK(t->ctx, bp_state_new(&t->state, t->g));
    OK(t->ctx, bp_state_set(t->state, "w", start, sizeof start));
    OK(t->ctx, bp_session_new(&t->session, t->program, t->state));
}

static void end(descent *t) {
    bp_session_free(t->session);
    bp_state_free(t->state);
    bp_program_free(t->program);
    bp_graph_free(t->g);
    bp_context_free(t->ctx);
}

/* Two steps, as the formula gives them by hand. */
static void expect(const char *text, double rate_fed, const double *wanted) {
    descent t = begin();
    bp_value lr = rate_fed >= 0 ? bp_input(t.g, "lr", BP_F64, bp_shape(0)) : BP_NONE;
    OK(t.ctx, bp_optimizer(t.g, text, lr, &t.w, &t.d, 1));
    compile(&t);
    if (rate_fed >= 0) OK(t.ctx, bp_session_set(t.session, "lr", &rate_fed, NULL));
    double w[2];
    for (int i = 0; i < 2; i++) OK(t.ctx, bp_session_run(t.session));
    OK(t.ctx, bp_state_get(t.state, "w", w, sizeof w));
    for (int i = 0; i < 2; i++)
        if (!(fabs(w[i] - wanted[i]) < 1e-14)) fail_msg("%s: w[%d] is %.17g, not %.17g", text, i, w[i], wanted[i]);
    end(&t);
}

static void steps(void **unused) {
    (void)unused;
    /* g = 3w; w0 = 2: sgd: 2·0.7·0.7; momentum: w1 = 1.4, buf = 0.5·6 + 4.2 = 7.2. */
    expect("sgd lr=0.1", -1, (const double[]){0.98, -0.49});
    expect("{sgd: {lr: 0.1, momentum: 0.5}}", -1, (const double[]){0.68, -0.34});
    expect("sgd", -1, (const double[]){2 * 0.997 * 0.997, -0.997 * 0.997}); /* the default, 0.001 */
    expect("sgd lr=0.1", 0.2, (const double[]){0.32, -0.16});               /* what is fed in counts */
    /* adagrad: s = 36, then 36 + 9·w1². */
    double w1 = 2 - 0.5, w2 = w1 - 0.5 * 3 * w1 / sqrt(36 + 9 * w1 * w1), v1 = -1 + 0.5;
    expect("adagrad lr=0.5 eps=0", -1, (const double[]){w2, v1 - 0.5 * 3 * v1 / sqrt(9 + 9 * v1 * v1)});
}

static void rate_of_the_state(void **unused) {
    (void)unused;
    descent t = begin();
    double rate = 0, w[2];
    OK(t.ctx, bp_optimizer(t.g, "sgd lr=0.1", BP_NONE, &t.w, &t.d, 1));
    compile(&t);
    OK(t.ctx, bp_state_get(t.state, "optimizer/lr", &rate, sizeof rate));
    assert_true(rate == 0.1);
    OK(t.ctx, bp_session_run(t.session)); /* 2 · 0.7 */
    rate = 0.2;
    OK(t.ctx, bp_state_set(t.state, "optimizer/lr", &rate, sizeof rate));
    OK(t.ctx, bp_session_run(t.session)); /* 1.4 · 0.4 */
    OK(t.ctx, bp_state_get(t.state, "w", w, sizeof w));
    assert_true(fabs(w[0] - 0.56) < 1e-14 && fabs(w[1] + 0.28) < 1e-14);
    end(&t);
}

static void refuse(const char *text, bp_status status, const char *words) {
    descent t = begin();
    assert_int_equal(bp_optimizer(t.g, text, BP_NONE, &t.w, &t.d, 1), status);
    if (!strstr(bp_context_error(t.ctx), words)) fail_msg("%s: %s", text, bp_context_error(t.ctx));
    end(&t);
}

static void errors(void **unused) {
    (void)unused;
    refuse("adm", BP_CONFIG, "there is no optimizer `adm`");
    refuse("adam lr=-1", BP_CONFIG, "`lr` must be");
    refuse("adam rate=1", BP_CONFIG, "rate");
    refuse("{adam: [", BP_CONFIG, "");
    descent t = begin();
    assert_int_equal(bp_optimizer(t.g, "adam", bp_input(t.g, "lr", BP_F32, bp_shape(0)), &t.w, &t.d, 1), BP_TYPE);
    assert_non_null(strstr(bp_context_error(t.ctx), "lr must be an f64 scalar"));
    end(&t);
    t = begin(); /* what went wrong in building comes back */
    bp_value bad = bp_matmul(t.w, bp_constant(t.g, BP_F64, bp_shape(1, 3), (const double[]){1, 2, 3}));
    assert_true(bp_is_bad(bad));
    assert_int_equal(bp_optimizer(t.g, "adam", BP_NONE, &t.w, &bad, 1), BP_SHAPE);
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(rate_of_the_state), cmocka_unit_test(errors)};
    return cmocka_run_group_tests_name("optimizer_text", tests, NULL, NULL) != 0;
}
