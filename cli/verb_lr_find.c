/* backprop lr-find: the loss while the learning rate grows, and the rates that it suggests. */
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL = 100, MOST = 1000000 };

static void numbers(const bp_lr_range *r) {
    const struct {
        const char *name;
        double value;
    } one[] = {{"valley", r->valley}, {"steepest", r->steepest}, {"minimum", r->minimum}};
    const struct {
        const char *name;
        const double *values;
    } many[] = {{"lr", r->lr}, {"loss", r->loss}, {"smoothed_loss", r->smooth}};
    printf("{\"status\":\"finished\",\"steps\":%lld,\"exploded\":%s", (long long)r->n, r->exploded ? "true" : "false");
    for (int i = 0; i < 3; i++) {
        printf(",\"%s\":", one[i].name);
        cli_json_number(stdout, one[i].value);
    }
    for (int i = 0; i < 3; i++) {
        printf(",\"%s\":[", many[i].name);
        for (int64_t k = 0; k < r->n; k++) {
            if (k) fputc(',', stdout);
            cli_json_number(stdout, many[i].values[k]);
        }
        fputc(']', stdout);
    }
    fputs("}\n", stdout);
}

/* The explosion at the end would make the rest flat: what is above the start by half of the fall is cut off. */
static plot curve(const bp_lr_range *r) {
    plot p = {.title = "loss while the learning rate grows",
              .x_label = "learning rate",
              .y_label = "loss (smoothed)",
              .x = r->lr,
              .y = r->smooth,
              .raw = r->loss,
              .n = r->n,
              .log_x = true};
    p.low = p.high = r->smooth[0];
    for (int64_t i = 0; i < r->n; i++) {
        if (r->smooth[i] < p.low) p.low = r->smooth[i];
        if (i <= r->n / 2 && r->smooth[i] > p.high) p.high = r->smooth[i];
    }
    p.high += 0.5 * (p.high - p.low);
    p.low -= 0.05 * (p.high - p.low);
    if (isfinite(r->valley)) p.marks[p.n_marks++] = (struct plot_mark){"valley", r->valley};
    if (isfinite(r->steepest)) p.marks[p.n_marks++] = (struct plot_mark){"steepest", r->steepest};
    return p;
}

static int show(cli *c, const bp_lr_range *r) {
    const char *to = cli_value(c, OPT_output);
    if (r->n > 0 && (to || !c->json)) {
        plot p = curve(r);
        int code = to ? cli_plot_svg(c, &p, to) : (cli_plot(c, stdout, &p), EXIT_DONE);
        if (code != EXIT_DONE) return code;
    }
    if (c->json) {
        numbers(r);
    } else if (isfinite(r->valley)) {
        FILE *f = to && strcmp(to, "-") == 0 ? stderr : stdout; /* standard output is the picture's then */
        fprintf(f, "valley    %-12.3g half-way down the longest fall: a good start\n", r->valley);
        fprintf(f, "steepest  %-12.3g where the loss falls fastest\n", r->steepest);
        fprintf(f, "minimum   %-12.3g a tenth of where the loss is lowest: not above this\n", r->minimum);
        if (c->n_arguments) cli_say(c, "next: backprop train %s --lr %.2g", c->arguments[0], r->valley);
    } else {
        cli_say(c, "%lld steps are too few to suggest a rate: give more --steps", (long long)r->n);
    }
    return EXIT_DONE;
}

static int interrupted(void *user) {
    (void)user;
    return cli_signal() != 0;
}

static double rate(const cli *c, enum option_id id, double standard) {
    const char *text = cli_value(c, id);
    return text ? strtod(text, NULL) : standard;
}

static int find(cli *c, bp_config *cfg, double low, double high, int64_t steps) {
    if (c->dry_run) {
        char *text = NULL, *json = NULL;
        bp_status resolved = bp_config_resolve(cfg, &text, &json);
        return resolved == BP_OK ? cli_result(c, text, json) : cli_fail(c, resolved);
    }
    bp_lr_range r = {.size = sizeof r};
    bp_callbacks cb = {.size = sizeof cb, .interrupted = interrupted};
    cli_signals_catch();
    bp_status status = bp_lr_find(&r, cfg, low, high, steps, &cb);
    if (status == BP_STOPPED) {
        cli_fail(c, status);
        return cli_signal() ? 128 + cli_signal() : EXIT_LATER;
    }
    if (status != BP_OK) return cli_fail(c, status);
    int code = show(c, &r);
    bp_lr_range_free(c->ctx, &r);
    return code;
}

int verb_lr_find(cli *c) {
    const char *file = cli_value(c, OPT_config), *wanted = cli_value(c, OPT_steps);
    int64_t steps = wanted ? strtoll(wanted, NULL, 10) : USUAL;
    double low = rate(c, OPT_min_lr, 1e-7), high = rate(c, OPT_max_lr, 10);
    if (!file && !c->n_arguments) return cli_usage(c, NULL, "lr-find needs DATA, or --config FILE that names it");
    if (steps < 1 || steps > MOST) return cli_usage(c, NULL, "--steps needs a whole number from 1 to %d", MOST);
    if (!(low > 0 && low < high))
        return cli_usage(c, NULL, "--min-lr must be above 0 and below --max-lr, but they are %g and %g", low, high);
    int code = cli_plot_check(c);
    if (code != EXIT_DONE) return code;
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, file);
    if (status == BP_OK && c->n_arguments) status = bp_config_set_text(cfg, "data.path", c->arguments[0]);
    if (status == BP_OK) status = bp_config_check(cfg);
    code = status == BP_OK ? find(c, cfg, low, high, steps) : cli_fail(c, status);
    bp_config_free(cfg);
    return code;
}
