/* XOR from C, with graphs: a net of two layers, its gradients and a descent step in one program, run 2,000 times. */
#include <backprop.h>
#include <stdio.h>

static bp_status learn(bp_context *ctx, double *worst) {
    bp_graph *g;
    bp_state *state;
    bp_program *step;
    bp_session *session;
    BP_TRY(bp_graph_new(&g, ctx));
    bp_value x = bp_input(g, "x", BP_F32, bp_shape(2, BP_BATCH, 2)), target = bp_input(g, "y", BP_F32, bp_shape(2, BP_BATCH, 1));
    bp_value p[] = {bp_parameter(g, "0.weight", bp_shape(2, 8, 2), bp_kaiming_uniform()),
                    bp_parameter(g, "0.bias", bp_shape(1, 8), bp_uniform_init(-0.7, 0.7)),
                    bp_parameter(g, "2.weight", bp_shape(2, 1, 8), bp_kaiming_uniform()),
                    bp_parameter(g, "2.bias", bp_shape(1, 1), bp_zeros())};
    bp_value y = bp_linear(bp_tanh(bp_linear(x, p[0], p[1])), p[2], p[3]);
    bp_value loss = bp_bce_with_logits(y, target, BP_NONE, BP_NONE, NULL), d[4];
    bp_gradients(d, &loss, NULL, 1, p, 4);
    for (int i = 0; i < 4; i++) bp_assign(p[i], bp_sub(p[i], bp_mul(bp_number(g, BP_F32, 0.5), d[i])));
    bp_value outputs[] = {loss, bp_sigmoid(y)};
    BP_TRY(bp_state_new(&state, g));
    BP_TRY(bp_program_new(&step, g, outputs, 2,
                          &(bp_program_options){.size = sizeof(bp_program_options), .commit = 1, .ok = BP_NONE}));
    BP_TRY(bp_session_new(&session, step, state));
    const float xs[] = {0, 0, 0, 1, 1, 0, 1, 1}, ys[] = {0, 1, 1, 0};
    const void *out;
    BP_TRY(bp_session_set(session, "x", xs, &bp_shape(2, 4, 2)));
    BP_TRY(bp_session_set(session, "y", ys, &bp_shape(2, 4, 1)));
    for (int i = 0; i < 2000; i++) {
        BP_TRY(bp_session_run(session));
        BP_TRY(bp_session_output(session, 0, &out, NULL, NULL));
        if (i % 400 == 0) printf("step %4d  loss %.4f\n", i, (double)*(const float *)out);
    }
    BP_TRY(bp_session_output(session, 1, &out, NULL, NULL));
    *worst = 0;
    for (int i = 0; i < 4; i++) {
        double q = (double)((const float *)out)[i], error = ys[i] > 0 ? 1 - q : q;
        printf("%g xor %g = %.3f\n", (double)xs[2 * i], (double)xs[2 * i + 1], q);
        if (error > *worst) *worst = error;
    }
    bp_session_free(session);
    bp_program_free(step);
    bp_state_free(state);
    bp_graph_free(g);
    return BP_OK;
}

int main(void) {
    bp_context *ctx;
    double worst;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    bp_status status = learn(ctx, &worst);
    if (status != BP_OK) fprintf(stderr, "xor: %s\n", bp_context_error(ctx));
    bp_context_free(ctx);
    return status != BP_OK || worst > 0.1;
}
