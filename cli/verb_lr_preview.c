/* backprop lr-preview: the learning rate over the run, drawn or as numbers. */
#include "plot.h"

#include <stdlib.h>

enum { USUAL = 200, MOST = 10000000 };

static int show(cli *c, const double *lr, const double *ticks, int64_t n, const char *per) {
    char title[120], x_label[40];
    plot p = {.title = title, .x_label = x_label, .y_label = "learning rate", .x = ticks, .y = lr, .n = n};
    double highest = 0;
    for (int64_t i = 0; i < n; i++)
        if (lr[i] > highest) highest = lr[i];
    p.high = 1.05 * highest;
    snprintf(title, sizeof title, "learning rate: %.4g to %.4g, highest %.4g", lr[0], lr[n - 1], highest);
    snprintf(x_label, sizeof x_label, "%s (0 to %lld)", per, (long long)(n - 1));
    const char *to = cli_value(c, OPT_output);
    if (to) return cli_plot_svg(c, &p, to);
    cli_plot(c, stdout, &p);
    return EXIT_DONE;
}

static void numbers(const double *lr, int64_t n, const char *per) {
    printf("{\"per\":\"%s\",\"lr\":[", per);
    for (int64_t i = 0; i < n; i++) {
        if (i) fputc(',', stdout);
        cli_json_number(stdout, lr[i]);
    }
    fputs("]}\n", stdout);
}

static int preview(cli *c, bp_config *cfg, int64_t n) {
    const char *per = "step";
    double *lr = calloc((size_t)n, 2 * sizeof *lr), *ticks = lr + n;
    if (!lr) return cli_cannot(c, "MEMORY", "out of memory for %lld rates; give a smaller --steps", (long long)n);
    for (int64_t i = 0; i < n; i++) ticks[i] = (double)i;
    bp_status status = bp_config_rates(cfg, n, lr, &per);
    int code = status == BP_OK ? EXIT_DONE : cli_fail(c, status);
    if (code == EXIT_DONE && (!c->json || cli_has(c, OPT_output))) code = show(c, lr, ticks, n, per);
    if (code == EXIT_DONE && c->json) numbers(lr, n, per);
    free(lr);
    return code;
}

int verb_lr_preview(cli *c) {
    const char *steps = cli_value(c, OPT_steps);
    int64_t n = steps ? strtoll(steps, NULL, 10) : 0;
    if (steps && (n < 1 || n > MOST)) return cli_usage(c, NULL, "--steps needs a whole number from 1 to %d", MOST);
    int code = cli_plot_check(c);
    if (code != EXIT_DONE) return code;
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, c->arguments[0]);
    if (status == BP_OK && !steps) status = bp_config_ticks(cfg, &n);
    if (status != BP_OK)
        code = cli_fail(c, status);
    else
        code = preview(c, cfg, n < 1 ? USUAL : n > MOST ? MOST : n);
    bp_config_free(cfg);
    return code;
}
