/* A model from data in a dozen lines: trains on the digits that the library carries, says how good it became, saves the model and
   opens it again. */
#include <backprop.h>
#include <stdio.h>

static int show(const bp_progress *p, void *user) {
    (void)user;
    printf("epoch %2lld  loss %.4f  validation %s %.3f\n", (long long)p->epoch, p->loss, p->metric, p->validation_metric);
    return 0; /* non-zero would stop */
}

static bp_status train(bp_context *ctx, const char *file) {
    bp_config *cfg;
    bp_run *run;
    bp_model *model;
    double accuracy;
    BP_TRY(
        bp_config_parse(&cfg, ctx,
                        "{data: {path: 'builtin:digits'}, model: [{linear: 64}, relu, linear], optimizer: {adam: {lr: 0.003}}, "
                        "train: {epochs: 15}}"));
    BP_TRY(bp_train(&run, cfg, &(bp_callbacks){.size = sizeof(bp_callbacks), .on_epoch = show}));
    BP_TRY(bp_run_number(run, "test.accuracy", &accuracy));
    BP_TRY(bp_model_save(bp_run_model(run), file));
    printf("test accuracy %.3f, saved as %s\n", accuracy, file);
    bp_run_free(run);
    bp_config_free(cfg);

    BP_TRY(bp_model_open(&model, ctx, file)); /* needs no data: preprocessing travels with the model */
    printf("it takes %lld numbers and gives %lld probabilities\n", (long long)bp_model_inputs(model),
           (long long)bp_model_outputs(model));
    bp_model_free(model);
    return accuracy > 0.93 ? BP_OK : BP_CHECK;
}

int main(int argc, char **argv) {
    bp_context *ctx;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    const char *file = argc > 1 ? argv[1] : "digits.safetensors";
    bp_status status = train(ctx, file);
    if (status != BP_OK)
        fprintf(stderr, "digits: %s\n", status == BP_CHECK ? "less accurate than expected" : bp_context_error(ctx));
    if (argc <= 1) remove(file);
    bp_context_free(ctx);
    return status != BP_OK;
}
