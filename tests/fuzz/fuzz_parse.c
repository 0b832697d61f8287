/* Any bytes as a formula. What is none has a sentence with its place; what is one compiles, together with its gradient. */
#include <backprop.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const names[] = {"x", "y", "w", "p", "label"};
    bp_context *ctx;
    bp_graph *g;
    if (n > 2048 || bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1})) return 0;
    char *text = malloc(n + 1);
    if (!text || bp_graph_new(&g, ctx)) __builtin_trap();
    memcpy(text, bytes, n);
    text[n] = 0;
    bp_value values[] = {bp_input(g, "x", BP_F32, bp_shape(2, 3, 4)), bp_input(g, "y", BP_F32, bp_shape(2, BP_BATCH, 4)),
                         bp_input(g, "w", BP_F32, bp_shape(0)), bp_input(g, "p", BP_F32, bp_shape(2, BP_BATCH, 4)),
                         bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH))};
    bp_value z = bp_parse(g, text, names, values, 5);
    if (bp_is_bad(z) != (bp_graph_status(g) != BP_OK) || bp_is_bad(z) != (bp_context_error(ctx)[0] != 0)) __builtin_trap();
    if (!bp_is_bad(z)) {
        bp_program *program;
        bp_value outputs[2] = {z, z};
        if (bp_value_dtype(z) <= BP_F64) outputs[1] = bp_gradient(z, values[0]);
        if (bp_graph_status(g) == BP_OK && bp_program_new(&program, g, outputs, 2, NULL) == BP_OK) bp_program_free(program);
    }
    free(text);
    bp_graph_free(g);
    bp_context_free(ctx);
    return 0;
}
