/* Any bytes as a model file: the header's JSON, its offsets, then every tensor through the conversions. */
#include "io/safetensors.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    bp_context *ctx;
    if (bp_context_new(&ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1})) return 0;
    char *copy = bp__alloc(ctx, n + 1);
    if (!copy) __builtin_trap();
    if (n) memcpy(copy, bytes, n);
    copy[n] = 0;
    bp__st_file *file = NULL;
    bp_status status = bp__safetensors_parse(ctx, "input", copy, n, &file);
    if ((status == BP_OK) != (bp_context_error(ctx)[0] == 0)) __builtin_trap();
    for (int64_t i = 0; status == BP_OK && i < file->n_tensors; i++) {
        const bp__st_tensor *t = &file->tensors[i];
        if (t->n_bytes > n || bp__safetensors_find(file, t->name) == NULL) __builtin_trap();
        double *values = bp__alloc(ctx, (size_t)bp__st_count(t) * sizeof *values);
        if (!values) __builtin_trap();
        bp__st_to_f64(t, values);
        bp__free(ctx, values);
    }
    if (status == BP_OK) bp__safetensors_close(file);
    bp_context_free(ctx);
    return 0;
}
