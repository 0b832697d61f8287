/* What a model looks like: layers, shapes, parameters, and the plans of a training step and of a prediction. */
#include <stdio.h>
#include <string.h>

#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "train/train.h"

static void shape(char out[120], bp_dims d) {
    snprintf(out, 120, "[");
    for (int64_t i = 0; i < d.n; i++) {
        size_t used = strlen(out);
        if (d.dim[i] >= 0)
            snprintf(out + used, 120 - used, "%s%lld", i ? ", " : "", (long long)d.dim[i]);
        else
            snprintf(out + used, 120 - used, "%s%s", i ? ", " : "", i == 0 ? "batch" : "?");
    }
    size_t used = strlen(out);
    snprintf(out + used, 120 - used, "]");
}

/* Building a network twice onto one graph lists its layers twice: the first half will do. */
static int64_t layers_once(const bp__net *net) {
    int64_t n = bp__nn_n_layers(net->nn);
    if (n < 2 || n % 2) return n;
    const bp__nn_layer *a = bp__nn_layer_at(net->nn, 0), *b = bp__nn_layer_at(net->nn, n / 2);
    return strcmp(a->path, b->path) == 0 && strcmp(a->kind, b->kind) == 0 && a->inserted == b->inserted ? n / 2 : n;
}

static bp_status as_text(bp_context *ctx, const bp__net *net, const char *title, const char *train_plan, const char *predict_plan,
                         char **text) {
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    char in[120], out[120];
    bp__buffer_printf(&b, "%s\n\n%-10s %-20s %-22s %-22s %12s\n", title, "layer", "kind", "in", "out", "parameters");
    for (int64_t i = 0; i < layers_once(net); i++) {
        const bp__nn_layer *l = bp__nn_layer_at(net->nn, i);
        shape(in, l->in);
        shape(out, l->out);
        bp__buffer_printf(&b, "%*s%-*s %-20s %-22s %-22s %12lld\n", 2 * l->depth, "", BP__MAX(10 - 2 * l->depth, 1),
                          l->inserted ? "" : l->path, l->kind, in, out, (long long)l->n_parameters);
    }
    bp__buffer_printf(&b, "\n%lld parameters, %s\n", (long long)net->n_parameters, bp__precision(net->dtype, net->bfloat16));
    if (train_plan) bp__buffer_printf(&b, "\nThe plan of a training step:\n%s", train_plan);
    bp__buffer_printf(&b, "\nThe plan of predicting one row:\n%s", predict_plan);
    return bp__buffer_take(&b, text);
}

static bp_status add_layers(bp_context *ctx, const bp__net *net, bp__tree *layers) {
    char text[120];
    for (int64_t i = 0; i < layers_once(net); i++) {
        const bp__nn_layer *l = bp__nn_layer_at(net->nn, i);
        bp__tree *one = bp__tree_new(ctx, BP__MAP);
        BP_TRY(bp__tree_append(ctx, layers, one));
        if (!one) return bp__out_of_memory(ctx, 0);
        BP_TRY(bp__put_text(ctx, one, "path", l->path));
        BP_TRY(bp__put_text(ctx, one, "kind", l->kind));
        BP_TRY(bp__put_int(ctx, one, "depth", l->depth));
        shape(text, l->in);
        BP_TRY(bp__put_text(ctx, one, "in", text));
        shape(text, l->out);
        BP_TRY(bp__put_text(ctx, one, "out", text));
        BP_TRY(bp__put_int(ctx, one, "parameters", l->n_parameters));
    }
    return BP_OK;
}

static bp_status add_tensors(bp_context *ctx, const bp__net *net, bp__tree *tensors) {
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        bp__tree *one = bp__tree_new(ctx, BP__MAP), *dims = bp__tree_new(ctx, BP__LIST);
        bp_status status = bp__tree_append(ctx, tensors, one);
        if (status != BP_OK || !one) {
            bp__tree_free(ctx, dims);
            return bp__out_of_memory(ctx, 0);
        }
        BP_TRY(bp__put_text(ctx, one, "name", q->name));
        BP_TRY(bp__put(ctx, one, "shape", dims, NULL));
        bp_dims d = bp_value_dims(q->value);
        for (int64_t k = 0; k < d.n; k++) BP_TRY(bp__tree_append(ctx, dims, bp__tree_int(ctx, d.dim[k])));
        BP_TRY(bp__put(ctx, one, "trainable", bp__tree_bool(ctx, q->trainable), NULL));
    }
    return BP_OK;
}

static bp_status fill_json(bp_context *ctx, const bp__net *net, const char *train_plan, const char *predict_plan,
                           bp__tree *root) {
    bp__tree *layers = bp__tree_new(ctx, BP__LIST), *tensors = bp__tree_new(ctx, BP__LIST);
    bp_status status = bp__put(ctx, root, "layers", layers, NULL);
    if (status != BP_OK) {
        bp__tree_free(ctx, tensors);
        return status;
    }
    BP_TRY(bp__put(ctx, root, "tensors", tensors, NULL));
    BP_TRY(add_layers(ctx, net, layers));
    BP_TRY(add_tensors(ctx, net, tensors));
    BP_TRY(bp__put_int(ctx, root, "parameters", net->n_parameters));
    BP_TRY(bp__put_text(ctx, root, "dtype", bp__precision(net->dtype, net->bfloat16)));
    if (train_plan) BP_TRY(bp__put_text(ctx, root, "train_plan", train_plan));
    return bp__put_text(ctx, root, "predict_plan", predict_plan);
}

static bp_status show(bp_context *ctx, bp__net *net, const char *title, int64_t batch, char **text, char **json) {
    char *train_plan = NULL, *predict_plan = NULL;
    bp_status status = net->train ? bp__net_describe(net, batch, true, &train_plan) : BP_OK;
    if (status == BP_OK) status = bp__net_describe(net, 1, false, &predict_plan);
    if (status == BP_OK && text) status = as_text(ctx, net, title, train_plan, predict_plan, text);
    if (status == BP_OK && json) {
        bp__tree *root = bp__tree_new(ctx, BP__MAP);
        status = root ? fill_json(ctx, net, train_plan, predict_plan, root) : bp__out_of_memory(ctx, 0);
        if (status == BP_OK) status = bp__json_write(ctx, root, 0, json);
        bp__tree_free(ctx, root);
    }
    bp__free(ctx, train_plan);
    bp__free(ctx, predict_plan);
    return status;
}

bp_status bp_config_inspect(bp_config *cfg, char **text, char **json) {
    if (text) *text = NULL;
    if (json) *json = NULL;
    bp__decided *d = NULL;
    bp__net *net = NULL;
    BP_TRY(bp__decide(&d, cfg, NULL));
    bp_status status = bp__decided_net(&net, d, d->s.dtype, true);
    if (status == BP_OK) status = show(cfg->ctx, net, cfg->file ? cfg->file : "configuration", d->batch, text, json);
    bp__net_free(net);
    bp__decided_free(d);
    return status;
}

/* A folder with a model, or a file of tensors: a model. Else a configuration. */
static bool looks_like_model(bp_context *ctx, const char *path) {
    if (bp__file_is_dir(path)) {
        char *inner = bp__path_join(ctx, path, "model.safetensors");
        bool there = inner && bp__file_exists(inner);
        bp__free(ctx, inner);
        return there;
    }
    return bp__safetensors_named(path);
}

bp_status bp_inspect(bp_context *ctx, const char *path, char **text, char **json) {
    if (text) *text = NULL;
    if (json) *json = NULL;
    if (!looks_like_model(ctx, path)) {
        bp_config *cfg = NULL;
        BP_TRY(bp_config_open(&cfg, ctx, path));
        bp_status status = bp_config_inspect(cfg, text, json);
        bp_config_free(cfg);
        return status;
    }
    bp_model *m = NULL;
    BP_TRY(bp_model_open(&m, ctx, path));
    bp_status status = show(ctx, m->net, path, 1, text, json);
    bp_model_free(m);
    return status;
}
