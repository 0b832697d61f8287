/* backprop predict */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const char *const formats[] = {"csv", "npy", "jsonl"};
static const char *format_name(int index) { return formats[index]; }

/* --format, else what the name of the file says, else CSV. */
static int choose_format(cli *c, const char *output, const char **format) {
    const char *wanted = cli_value(c, OPT_format);
    const char *dot = output ? strrchr(output, '.') : NULL;
    *format = "csv";
    for (int i = 0; i < 3; i++) {
        if (wanted && strcmp(wanted, formats[i]) == 0) {
            *format = formats[i];
            return EXIT_DONE;
        }
        if (!wanted && dot && strcmp(dot + 1, formats[i]) == 0) *format = formats[i];
    }
    if (!wanted) return EXIT_DONE;
    char hint[80];
    const char *near = cli_nearest(wanted, format_name, 3);
    snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
    return cli_usage(c, near ? hint : NULL, "--format must be csv, npy or jsonl, and not `%s`", wanted);
}

/* JSON lines made the items of one object. */
static void print_object(cli *c, const char *lines, size_t n) {
    cli_wipe(c);
    fputs("{\"status\":\"finished\",\"predictions\":[", stdout);
    for (size_t i = 0; i < n; i++)
        if (lines[i] != '\n')
            fputc(lines[i], stdout);
        else if (i + 1 < n)
            fputs(",\n", stdout);
    fputs("]}\n", stdout);
}

static void print_summary(const char *output, const char *format, size_t n, bool dry) {
    fputs("{\"status\":\"finished\",\"output\":", stdout);
    cli_json_text(stdout, output);
    printf(",\"format\":\"%s\",\"bytes\":%zu%s}\n", format, n, dry ? ",\"dry_run\":true" : "");
}

int verb_predict(cli *c) {
    const char *output = cli_value(c, OPT_output), *format;
    if (output && strcmp(output, "-") == 0) output = NULL;
    int code = choose_format(c, output, &format);
    if (code != EXIT_DONE) return code;
    bool inlined = c->json && !output; /* the predictions are part of the one object */
    if (inlined) format = "jsonl";
    bp_model *model = NULL;
    char *bytes = NULL;
    size_t n = 0;
    bp_data data = cli_data(c, c->arguments[1]);
    bp_status status = bp_model_open(&model, c->ctx, c->arguments[0]);
    if (status == BP_OK) status = bp_model_predict_file(model, &data, format, cli_has(c, OPT_strict), &bytes, &n);
    if (status != BP_OK) {
        code = cli_fail(c, status);
    } else if (inlined) {
        print_object(c, c->dry_run ? "" : bytes, c->dry_run ? 0 : n);
    } else {
        code = cli_write(c, output, bytes, n);
        if (code == EXIT_DONE && c->json) print_summary(output, format, n, c->dry_run);
    }
    bp_free(c->ctx, bytes);
    bp_model_free(model);
    return code;
}
