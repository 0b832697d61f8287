/* Any bytes as a configuration, a JSON text, a `--set` and a short form. What was read has to survive being written and
   read again. */
#include "io/json.h"
#include "io/shorthand.h"
#include "io/yaml.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void round_trip(bp_context *ctx, const bp__tree *tree) {
    char *text;
    bp__tree *again = NULL;
    if (bp__yaml_write(ctx, tree, &text)) return; /* text that is not UTF-8 */
    if (bp__yaml_parse(ctx, text, strlen(text), NULL, &again)) __builtin_trap();
    if (!bp__tree_equal(tree, again)) __builtin_trap();
    bp__tree_free(ctx, again);
    bp__free(ctx, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    bp_context *ctx;
    bp__tree *tree = NULL;
    if (n < 1 || n > 4096 || bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}))
        return 0;
    const char *text = (const char *)bytes + 1;
    char *copy = bp__alloc(ctx, n); /* the forms of the command line end with a NUL */
    if (!copy) __builtin_trap();
    memcpy(copy, text, n - 1);
    copy[n - 1] = 0;

    bp_status status = BP_OK;
    switch (bytes[0] % 4) {
    case 0:
        status = bp__yaml_parse(ctx, text, n - 1, "input", &tree);
        if (status == BP_OK) round_trip(ctx, tree);
        break;
    case 1: status = bp__json_parse(ctx, text, n - 1, "input", &tree); break;
    case 2: status = bp__shorthand_layers(ctx, "--model", copy, &tree); break;
    default:
        tree = bp__tree_new(ctx, BP__MAP);
        if (tree) status = bp__tree_set(ctx, tree, copy);
    }
    if ((status == BP_OK) != (bp_context_error(ctx)[0] == 0)) __builtin_trap();
    if (status == BP_OK || bytes[0] % 4 == 3) bp__tree_free(ctx, tree);
    bp__free(ctx, copy);
    bp_context_free(ctx);
    return 0;
}
