/* backprop config: a configuration, resolved. */
#include "cli.h"

#include <string.h>

int verb_config(cli *c) {
    char *text = NULL, *json = NULL;
    if (cli_has(c, OPT_schema)) {
        if (c->n_arguments) return cli_usage(c, NULL, "config --schema needs no CONFIG: the schema is the same for all");
        bp_status made = bp_config_schema(c->ctx, &json);
        if (made != BP_OK) return cli_fail(c, made);
        text = json;
        const char *path = cli_value(c, OPT_output);
        int code = path ? cli_write(c, path, text, strlen(text)) : cli_print(c, text);
        bp_free(c->ctx, json);
        return code;
    }
    if (!c->n_arguments) return cli_usage(c, NULL, "config needs CONFIG, or --schema");
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, c->arguments[0]);
    if (status == BP_OK) status = bp_config_resolve(cfg, &text, &json);
    int code = status == BP_OK ? cli_result_file(c, text, json) : cli_fail(c, status);
    bp_config_free(cfg);
    return code;
}
