/* backprop config: a configuration, resolved. */
#include "cli.h"

int verb_config(cli *c) {
    char *text = NULL, *json = NULL;
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, c->arguments[0]);
    if (status == BP_OK) status = bp_config_resolve(cfg, &text, &json);
    int code = status == BP_OK ? cli_result_file(c, text, json) : cli_fail(c, status);
    bp_config_free(cfg);
    return code;
}
