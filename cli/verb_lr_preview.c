/* backprop lr-preview: the learning rate over the run, drawn or as numbers. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL = 200, WIDTH = 64, HEIGHT = 12, MOST = 10000000 };

static void draw(const double *lr, int64_t n, const char *per) {
    double high = 0;
    for (int64_t i = 0; i < n; i++)
        if (lr[i] > high) high = lr[i];
    int64_t width = n < WIDTH ? n : WIDTH;
    for (int row = HEIGHT; row >= 0; row--) {
        if (row % 4 == 0)
            printf("%10.3g |", high * row / HEIGHT);
        else
            printf("%10s |", "");
        char line[WIDTH + 1];
        for (int64_t x = 0; x < width; x++) {
            double v = lr[width > 1 ? x * (n - 1) / (width - 1) : 0];
            line[x] = high > 0 && (int)(v / high * HEIGHT + 0.5) == row ? '*' : ' ';
        }
        size_t used = (size_t)width;
        while (used > 0 && line[used - 1] == ' ') used--;
        printf("%.*s\n", (int)used, line);
    }
    printf("%10s +", "");
    for (int64_t x = 0; x < width; x++) fputc('-', stdout);
    printf("\n%10s  %s 0 to %lld: from %.6g to %.6g\n", "", per, (long long)(n - 1), lr[0], lr[n - 1]);
}

int verb_lr_preview(cli *c) {
    const char *given_steps = cli_value(c, OPT_steps);
    int64_t n = given_steps ? strtoll(given_steps, NULL, 10) : USUAL;
    if (n < 1 || n > MOST) return cli_usage(c, NULL, "--steps needs a whole number from 1 to %d", MOST);
    bp_config *cfg = NULL;
    const char *per = "step";
    double *lr = calloc((size_t)n, sizeof *lr);
    if (!lr) return cli_cannot(c, "MEMORY", "out of memory for %lld rates; give a smaller --steps", (long long)n);
    bp_status status = cli_open_config(c, &cfg, c->arguments[0]);
    if (status == BP_OK) status = bp_config_rates(cfg, n, lr, &per);
    int code = EXIT_DONE;
    if (status != BP_OK) {
        code = cli_fail(c, status);
    } else if (c->json) {
        printf("{\"per\":\"%s\",\"lr\":[", per);
        for (int64_t i = 0; i < n; i++) {
            if (i) fputc(',', stdout);
            cli_json_number(stdout, lr[i]);
        }
        fputs("]}\n", stdout);
    } else {
        draw(lr, n, per);
    }
    free(lr);
    bp_config_free(cfg);
    return code;
}
