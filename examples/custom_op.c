/* An operation of our own: y = x / sqrt(1 + x²), computed by a function in C, with a gradient that is built from the operations
   of the library, so that it can be differentiated again. Exits 1 when the numbers are not those of calculus. */
#include <backprop.h>
#include <math.h>
#include <stdio.h>

static int64_t count(const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    return n;
}

/* Once for each type that it is for; any other is refused with a sentence. */
static bp_status isru_forward(bp_custom_call *call) {
    const bp_array *x = &call->in[0];
    int64_t n = count(&x->dims);
    if (x->dtype == BP_F32) {
        const float *in = x->data;
        float *out = call->out[0].data;
        for (int64_t i = 0; i < n; i++) out[i] = in[i] / sqrtf(1 + in[i] * in[i]);
    } else if (x->dtype == BP_F64) {
        const double *in = x->data;
        double *out = call->out[0].data;
        for (int64_t i = 0; i < n; i++) out[i] = in[i] / sqrt(1 + in[i] * in[i]);
    } else {
        call->error = "x must be f32 or f64";
        return BP_TYPE;
    }
    return BP_OK;
}

/* dy/dx = (1 + x²)^(-3/2) */
static void isru_gradient(bp_custom_gradient *g) {
    bp_value x = g->in[0], one = bp_number(g->graph, bp_value_dtype(x), 1);
    bp_value r = bp_rsqrt(bp_add(bp_square(x), one));
    g->d_in[0] = bp_mul(g->d_out[0], bp_mul(r, bp_square(r)));
}

static bp_value isru(bp_value x) {
    const bp_custom_spec spec = {
        .size = sizeof spec, .name = "isru", .n_outputs = 1, .forward = isru_forward, .gradient = isru_gradient};
    return bp_custom(&x, 1, &spec);
}

static int fail(bp_context *ctx) {
    fprintf(stderr, "custom_op: %s\n", bp_context_error(ctx));
    return 1;
}

int main(void) {
    bp_context *ctx;
    bp_graph *g;
    bp_program *program;
    bp_session *session;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    if (bp_graph_new(&g, ctx) != BP_OK) return fail(ctx);

    bp_value x = bp_input(g, "x", BP_F64, bp_shape(1, 4));
    bp_value y = isru(x), d = bp_gradient(y, x), dd = bp_gradient(d, x), outputs[] = {y, d, dd};
    if (bp_program_new(&program, g, outputs, 3, NULL) != BP_OK) return fail(ctx);
    if (bp_session_new(&session, program, NULL) != BP_OK) return fail(ctx);
    const double xs[] = {-2, -0.5, 0, 1};
    bp_session_set(session, "x", xs, NULL);
    if (bp_session_run(session) != BP_OK) return fail(ctx);

    const void *data[3];
    for (int k = 0; k < 3; k++)
        if (bp_session_output(session, k, &data[k], NULL, NULL) != BP_OK) return fail(ctx);
    int wrong = 0;
    for (int i = 0; i < 4; i++) {
        double s = 1 + xs[i] * xs[i]; /* by hand */
        const double by_hand[] = {xs[i] / sqrt(s), pow(s, -1.5), -3 * xs[i] * pow(s, -2.5)};
        printf("x = %5.2f", xs[i]);
        for (int k = 0; k < 3; k++) {
            double got = ((const double *)data[k])[i];
            printf("   y%.*s = %9.6f (by hand %9.6f)", k, "''", got, by_hand[k]);
            wrong += !(fabs(got - by_hand[k]) < 1e-12);
        }
        printf("\n");
    }
    bp_session_free(session);
    bp_program_free(program);
    bp_graph_free(g);
    bp_context_free(ctx);
    return wrong != 0;
}
