/* backprop train */
#include "cli.h"

#include <string.h>

static bool plain_word(const char *text) {
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:-")] == 0 && *text;
}

static void suggest_next(cli *c, const char *path, const char *data) {
    if (!path) return;
    const char *quote = plain_word(path) ? "" : "'";
    const char *example = data && plain_word(data) ? data : "DATA";
    cli_say(c, "next: backprop predict %s%s%s %s -o predictions.csv", quote, path, quote, example);
}

static void suggest_resume(cli *c, const char *path) {
    const char *quote = path && plain_word(path) ? "" : "'";
    if (path) cli_say(c, "next: backprop train --resume %s%s%s", quote, path, quote);
}

static int dry(cli *c, bp_config *cfg) {
    char *text = NULL, *json = NULL;
    bp_trial t = {.size = sizeof t};
    bp_status status = bp_train_try(&t, cfg, &text, &json);
    if (status != BP_OK) {
        bp_free(c->ctx, text);
        bp_free(c->ctx, json);
        return cli_fail(c, status);
    }
    char parameters[40], arena[40], state[40];
    cli_say(c, "dry run: one batch of %lld row%s went forward, backward and through the update of a throw-away network:",
            (long long)t.rows, t.rows == 1 ? "" : "s");
    cli_say(
        c, "loss %.4g, gradient norm %.4g, %.3g ms a step; %s parameters; memory of a step %s bytes, of weights and optimizer %s",
        t.loss, t.gradient_norm, 1e3 * t.seconds, cli_number(parameters, sizeof parameters, (double)t.parameters),
        cli_number(arena, sizeof arena, (double)t.arena_bytes), cli_number(state, sizeof state, (double)t.state_bytes));
    cli_say(c, "nothing is trained or written; this is the configuration");
    if (!c->json) return cli_result(c, text, json);
    const char *body = strrchr(json, '}'); /* the configuration's last brace: one member more */
    printf("%.*s,\"dry_run\":{\"rows\":%lld,\"loss\":", (int)(body ? body - json : 0), json, (long long)t.rows);
    cli_json_number(stdout, t.loss);
    fputs(",\"gradient_norm\":", stdout);
    cli_json_number(stdout, t.gradient_norm);
    fputs(",\"seconds_per_step\":", stdout);
    cli_json_number(stdout, t.seconds);
    printf(",\"parameters\":%lld,\"arena_bytes\":%lld,\"state_bytes\":%lld}}\n", (long long)t.parameters,
           (long long)t.arena_bytes, (long long)t.state_bytes);
    bp_free(c->ctx, text);
    bp_free(c->ctx, json);
    return EXIT_DONE;
}

static bp_status prepare(cli *c, bp_config *cfg) {
    /* The data of the command line wins over the file's. */
    if (c->n_arguments) BP_TRY(bp_config_set_text(cfg, "data.path", c->arguments[0]));
    const char *out = cli_value(c, OPT_out);
    bp_run_options o = {.size = sizeof o,
                        .out = out ? out : "",
                        .force = cli_has(c, OPT_force),
                        .from = cli_value(c, OPT_from),
                        .resume = cli_value(c, OPT_resume),
                        .command = c->command,
                        .n_command = c->n_command};
    BP_TRY(bp_config_set_run(cfg, &o));
    return bp_config_check(cfg);
}

int verb_train(cli *c) {
    const char *file = cli_value(c, OPT_config), *resume = cli_value(c, OPT_resume);
    if (resume && (file || c->n_arguments || cli_has(c, OPT_out) || cli_has(c, OPT_from) || cli_has(c, OPT_force)))
        return cli_usage(
            c, "train --resume RUN needs nothing else",
            "--resume goes on with RUN's own data, configuration and directory: give no DATA, --config, --out, --from "
            "or --force with it");
    if (resume) file = resume;
    if (!file && !c->n_arguments && !cli_has(c, OPT_set))
        return cli_usage(c, NULL, "train needs DATA, or --config FILE that names it: `backprop train -h` shows examples");
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, file);
    if (status == BP_OK) status = prepare(c, cfg);
    if (status != BP_OK) {
        bp_config_free(cfg);
        return cli_fail(c, status);
    }
    int code;
    if (c->dry_run) {
        code = dry(c, cfg);
    } else {
        progress p;
        bp_run *run = NULL;
        status = cli_train(&p, c, &run, cfg);
        if (run && (status == BP_OK || status == BP_STOPPED)) {
            cli_summary(&p, run, status == BP_STOPPED);
            if (status == BP_STOPPED)
                suggest_resume(c, bp_run_path(run));
            else
                suggest_next(c, bp_run_path(run), c->n_arguments ? c->arguments[0] : NULL);
        }
        code = cli_train_end(&p, status, run);
        bp_run_free(run);
    }
    bp_config_free(cfg);
    return code;
}
