/* A formula that differentiates itself, twice: y = sum(tanh(x)^2), its gradient, and the Hessian times a vector. Exits 1 when the
   numbers are not those of calculus. */
#include <backprop.h>
#include <math.h>
#include <stdio.h>

static int fail(bp_context *ctx) {
    fprintf(stderr, "formula: %s\n", bp_context_error(ctx));
    return 1;
}

int main(void) {
    bp_context *ctx;
    bp_graph *g;
    bp_program *program;
    bp_session *session;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    if (bp_graph_new(&g, ctx) != BP_OK) return fail(ctx);

    bp_value x = bp_input(g, "x", BP_F64, bp_shape(1, 3)), v = bp_input(g, "v", BP_F64, bp_shape(1, 3));
    bp_value y = bp_sum(bp_square(bp_tanh(x)), NULL);
    bp_value d_x = bp_gradient(y, x);                           /* a value like any other … */
    bp_value hv = bp_gradient(bp_sum(bp_mul(d_x, v), NULL), x); /* … so it can be differentiated again */

    bp_value outputs[] = {y, d_x, hv};
    if (bp_program_new(&program, g, outputs, 3, NULL) != BP_OK) return fail(ctx);
    if (bp_session_new(&session, program, NULL) != BP_OK) return fail(ctx);
    const double xs[] = {-0.5, 0.25, 2}, vs[] = {1, -1, 0.5};
    bp_session_set(session, "x", xs, NULL);
    bp_session_set(session, "v", vs, NULL);
    if (bp_session_run(session) != BP_OK) return fail(ctx);

    const void *data[3];
    for (int k = 0; k < 3; k++)
        if (bp_session_output(session, k, &data[k], NULL, NULL) != BP_OK) return fail(ctx);
    const double *value = data[0], *gradient = data[1], *product = data[2];
    printf("y = %.6f\n", *value);
    int wrong = 0;
    for (int i = 0; i < 3; i++) {
        double t = tanh(xs[i]), s = 1 - t * t;
        double dy = 2 * t * s, ddy = 2 * s * s - 4 * t * t * s; /* by hand */
        printf("x = %5.2f   dy/dx = %9.6f (by hand %9.6f)   (H v) = %9.6f (by hand %9.6f)\n", xs[i], gradient[i], dy, product[i],
               ddy * vs[i]);
        wrong += !(fabs(gradient[i] - dy) < 1e-12 && fabs(product[i] - ddy * vs[i]) < 1e-12);
    }
    bp_session_free(session);
    bp_program_free(program);
    bp_graph_free(g);
    bp_context_free(ctx);
    return wrong != 0;
}
