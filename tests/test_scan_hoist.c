/* What leaves the loop of a scan: entries of the plan and the bits of the loop. */
#include "support/scan_help.h"

/* The product x Wᵀ and everything that a gradient computes again run once for all turns; the loop of the forward scan keeps one
   product, the loop of the gradient one, and the weights' gradients are one product each. */
static void test_leaves_loop(void **state) {
    (void)state;
    fill_data();
    bp_context *ctx = context(NULL, 1, 0);
    rnn r = build_rnn(ctx, true, false, false);
    bp_value outputs[4] = {r.loss};
    bp_gradients(outputs + 1, &r.loss, NULL, 1, r.in + 1, 3);
    run p = open_run(ctx, r.g, outputs, 4);
    set_data(ctx, &p);
    OK(ctx, bp_session_run(p.s));
    char *text;
    OK(ctx, bp_session_describe(p.s, &text));
    int products = 0, scans = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        double flops;
        char name[32];
        if (sscanf(line, "%*d %31s %lf", name, &flops) != 2) continue;
        if (strcmp(name, "gemm") == 0) products++;
        if (strcmp(name, "scan") == 0) {
            scans++;
            assert_true(flops >= 2.0 * B * H * H * T && flops < 2.0 * B * H * (H + IN) * T); /* h Uᵀ or d U, not x Wᵀ */
        }
    }
    assert_int_equal(scans, 2);
    assert_int_equal(products, 4); /* x Wᵀ, all saved h Uᵀ, dW, dU */
    bp_free(ctx, text);
    close_run(&p);
    bp_graph_free(r.g);
    bp_context_free(ctx);
}

/* Every kind of operation that the pass moves out of the loop, along both time axes: the bits of the loop. */
static void mixed_body(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next,
                       bp_value *out, void *user) {
    (void)user;
    bp_dims last = bp_shape(1, 2);
    bp_sum_options sum = bp_sum_defaults();
    sum.axes = last;
    bp_value turned = bp_permute(x[0], bp_shape(3, 0, 2, 1));                                    /* [batch, 6, 4] */
    bp_value part = bp_sum(bp_exp(bp_slice(turned, 1, 1, 4, NULL)), &sum);                       /* [batch, 4] */
    bp_value flat = bp_reshape(bp_mul(x[0], bp_square(captured[2])), bp_shape(2, BP_BATCH, 24)); /* captured [4, 6] */
    bp_value product = bp_linear(flat, captured[1], BP_NONE);                                    /* captured [4, 24] */
    bp_value cubes = bp_matmul(bp_tanh(turned), bp_reshape(captured[2], bp_shape(2, 4, 6)));     /* [batch, 6, 6] */
    bp_value wide = bp_broadcast_to(bp_reshape(part, bp_shape(3, BP_BATCH, 4, 1)), bp_shape(3, BP_BATCH, 4, 3));
    bp_value token = bp_embedding(captured[0], x[1], NULL);
    bp_value scale = bp_add(bp_cast(bp_cast(part, BP_F32), BP_F64), captured[3]); /* captured [batch, 4] */
    bp_value all = bp_add(bp_add(product, token), bp_add(scale, bp_sum(bp_sin(wide), &sum)));
    next[0] = bp_mul(bp_number(body, BP_F64, 0.1), bp_add(carry[0], all));
    out[0] = bp_square(next[0]);
    out[1] = cubes;
}

static void test_moved_operations(void **state) {
    (void)state;
    enum { ROWS = 3, TURNS = 4 };
    for (int axis = 0; axis <= 1; axis++) {
        static double kept[8][ROWS * TURNS * 36];
        for (int none = 1; none >= 0; none--) {
            bp_context *ctx = context(NULL, 2, none);
            bp_graph *g;
            OK(ctx, bp_graph_new(&g, ctx));
            bp_value x[] = {
                bp_input(g, "x", BP_F64, axis ? bp_shape(4, BP_BATCH, BP_TIME, 4, 6) : bp_shape(4, BP_TIME, BP_BATCH, 4, 6)),
                bp_input(g, "token", BP_I64, axis ? bp_shape(2, BP_BATCH, BP_TIME) : bp_shape(2, BP_TIME, BP_BATCH))};
            bp_value c[] = {bp_input(g, "table", BP_F64, bp_shape(2, 7, 4)), bp_input(g, "W", BP_F64, bp_shape(2, 4, 24)),
                            bp_input(g, "V", BP_F64, bp_shape(2, 4, 6)), bp_input(g, "s", BP_F64, bp_shape(2, BP_BATCH, 4))};
            bp_value h = bp_input(g, "h", BP_F64, bp_shape(2, BP_BATCH, 4)), final, y[2], outputs[8];
            bp_scan_spec spec = {.size = sizeof spec,
                                 .inits = &h,
                                 .n_carry = 1,
                                 .xs = x,
                                 .n_x = 2,
                                 .captured = c,
                                 .n_captured = 4,
                                 .n_stacked = 2,
                                 .axis = axis,
                                 .body = mixed_body};
            bp_scan(&final, y, &spec);
            bp_value loss = bp_add(bp_sum(bp_square(final), NULL), bp_add(bp_sum(y[0], NULL), bp_sum(bp_square(y[1]), NULL)));
            bp_value wrt[] = {c[0], c[1], c[2], c[3], x[0]};
            outputs[0] = y[0], outputs[1] = y[1], outputs[2] = final;
            bp_gradients(outputs + 3, &loss, NULL, 1, wrt, 5);
            OK(ctx, bp_graph_status(g));
            run r = open_run(ctx, g, outputs, 8);
            static double numbers[ROWS * TURNS * 24];
            int64_t tokens[ROWS * TURNS];
            for (int i = 0; i < ROWS * TURNS * 24; i++) numbers[i] = 0.5 * wave(i, 0.83);
            for (int i = 0; i < ROWS * TURNS; i++) tokens[i] = (i * 5) % 7;
            OK(ctx, bp_session_set(r.s, "x", numbers, axis ? &bp_shape(4, ROWS, TURNS, 4, 6) : &bp_shape(4, TURNS, ROWS, 4, 6)));
            OK(ctx, bp_session_set(r.s, "token", tokens, axis ? &bp_shape(2, ROWS, TURNS) : &bp_shape(2, TURNS, ROWS)));
            OK(ctx, bp_session_set(r.s, "table", numbers + 3, NULL));
            OK(ctx, bp_session_set(r.s, "W", numbers + 40, NULL));
            OK(ctx, bp_session_set(r.s, "V", numbers + 11, NULL));
            OK(ctx, bp_session_set(r.s, "s", numbers + 60, &bp_shape(2, ROWS, 4)));
            OK(ctx, bp_session_set(r.s, "h", numbers + 80, &bp_shape(2, ROWS, 4)));
            OK(ctx, bp_session_run(r.s));
            for (int k = 0; k < 8; k++) {
                bp_dims d;
                const double *got = output(ctx, &r, k, &d);
                size_t n = 1;
                for (int64_t i = 0; i < d.n; i++) n *= (size_t)d.dim[i];
                if (none)
                    memcpy(kept[k], got, n * sizeof *got);
                else if (memcmp(kept[k], got, n * sizeof *got) != 0)
                    fail_msg("axis %d, output %d: other bits with passes than without", axis, k);
            }
            if (!none) { /* nothing but the sum of the carried value is left in the loop */
                char *text, *line;
                OK(ctx, bp_session_describe(r.s, &text));
                line = strstr(text, " scan ");
                assert_non_null(line);
                double flops;
                assert_int_equal(sscanf(line, " scan %lf", &flops), 1);
                assert_true(flops <= ROWS * TURNS * 4 * 4);
                bp_free(ctx, text);
            }
            close_run(&r);
            bp_graph_free(g);
            bp_context_free(ctx);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leaves_loop), cmocka_unit_test(test_moved_operations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
