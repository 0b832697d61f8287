/* Any bytes as data: recognised by content, then read as that format. The first byte chooses the options. Nothing but a
   result or a sentence may come of it. */
#include "data/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    bp_context *ctx;
    if (n < 1 || bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1})) return 0;
    bp__read_options options = {.no_header = bytes[0] & 1, .delimiter = bytes[0] & 2 ? ';' : 0};
    bp__source *source = NULL;
    bp_status status = bp__source_parse(&source, ctx, "input", bytes + 1, n - 1, &options);
    /* A failure without a sentence, or a success with one, is a finding too. */
    if ((status == BP_OK) != (bp_context_error(ctx)[0] == 0)) __builtin_trap();
    if (status == BP_OK && bp__source_rows(source) < 0) __builtin_trap();
    if (status == BP_OK) bp__source_free(source);
    bp_context_free(ctx);
    return 0;
}
