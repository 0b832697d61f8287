/* backprop eval */
#include "cli.h"

int verb_eval(cli *c) {
    bp_model *model = NULL;
    char *text = NULL, *json = NULL;
    bp_data data = cli_data(c, c->arguments[1]);
    bp_status status = bp_model_open(&model, c->ctx, c->arguments[0]);
    if (status == BP_OK && !c->dry_run)
        status = c->verbose ? bp_model_report(model, &data, &text, &json) : bp_model_evaluate(model, &data, &text, &json);
    int code = EXIT_DONE;
    if (status != BP_OK)
        code = cli_fail(c, status);
    else if (c->dry_run)
        code = c->json ? cli_print(c, "{\"status\":\"finished\",\"dry_run\":true}") : EXIT_DONE;
    else
        code = cli_result(c, text, json);
    bp_model_free(model);
    return code;
}
