/* backprop gradcheck */
#include "cli.h"

#include <string.h>

int verb_gradcheck(cli *c) {
    char *text = NULL, *json = NULL;
    bp_config *cfg = NULL;
    bp_status status = cli_open_config(c, &cfg, c->arguments[0]);
    if (status == BP_OK && c->dry_run) {
        status = bp_config_resolve(cfg, &text, &json);
    } else if (status == BP_OK) {
        status = bp_config_gradcheck(cfg, &text, &json);
    }
    int code;
    if (status == BP_OK) {
        code = cli_result(c, text, json);
    } else if (status == BP_CHECK && text && json) { /* the figures are the answer; the sentence stands on standard error */
        code = cli_result(c, text, json);
        bool as_json = c->json;
        c->json = false;
        code = cli_fail(c, status);
        c->json = as_json;
    } else {
        code = cli_fail(c, status);
    }
    bp_config_free(cfg);
    return code;
}
