/* backprop inspect */
#include "cli.h"

int verb_inspect(cli *c) {
    char *text = NULL, *json = NULL;
    bp_status status;
    if (cli_configured(c)) { /* the configuration inside, changed */
        bp_config *cfg = NULL;
        status = cli_open_config(c, &cfg, c->arguments[0]);
        if (status == BP_OK) status = bp_config_inspect(cfg, &text, &json);
        bp_config_free(cfg);
    } else {
        status = bp_inspect(c->ctx, c->arguments[0], &text, &json);
    }
    return status == BP_OK ? cli_result(c, text, json) : cli_fail(c, status);
}
