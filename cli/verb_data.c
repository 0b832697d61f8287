/* backprop data describe */
#include "cli.h"

#include <string.h>

int verb_data(cli *c) {
    if (strcmp(c->arguments[0], "describe") != 0)
        return cli_usage(c, "did you mean `describe`?", "data has no part `%s`", c->arguments[0]);
    char *text = NULL, *json = NULL;
    bp_data data = cli_data(c, c->arguments[1]);
    bp_status status = bp_data_describe(c->ctx, &data, &text, &json);
    return status == BP_OK ? cli_result(c, text, json) : cli_fail(c, status);
}
