/* backprop info */
#include "cli.h"

/* The program is built with all of these or not at all (CMakeLists.txt). */
static const char *const features[] = {"csv", "npy", "npz", "idx", "gzip", "yaml", "safetensors"};
enum { N_FEATURES = sizeof features / sizeof *features };

static void print_list(const char *const *list, int n, const char *quote, const char *comma) {
    for (int i = 0; i < n; i++) printf("%s%s%s%s", i ? comma : "", quote, list[i], quote);
}

int verb_info(cli *c) {
    const char *isas[16];
    int n = 0;
    while (n < 16 && bp_isa_usable(n)) {
        isas[n] = bp_isa_usable(n);
        n++;
    }
    const char *isa = bp_context_isa(c->ctx);
    int threads = bp_context_threads(c->ctx);
    if (c->json) {
        printf("{\"version\":\"%s\",\"isa\":\"%s\",\"isas\":[", bp_version(), isa);
        print_list(isas, n, "\"", ",");
        printf("],\"threads\":%d,\"features\":[", threads);
        print_list(features, N_FEATURES, "\"", ",");
        fputs("]}\n", stdout);
        return EXIT_DONE;
    }
    printf("version   %s\nisa       %s (usable here: ", bp_version(), isa);
    print_list(isas, n, "", ", ");
    printf(")\nthreads   %d\nfeatures  ", threads);
    print_list(features, N_FEATURES, "", ", ");
    fputc('\n', stdout);
    return EXIT_DONE;
}
