/* backprop init: what train would use. */
#include "cli.h"

int verb_init(cli *c) {
    char *text = NULL, *json = NULL;
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, cli_value(c, OPT_config));
    if (status == BP_OK) status = bp_config_set_text(cfg, "data.path", c->arguments[0]);
    if (status == BP_OK) status = bp_config_resolve(cfg, &text, &json);
    int code = status == BP_OK ? cli_result_file(c, text, json) : cli_fail(c, status);
    bp_config_free(cfg);
    return code;
}
