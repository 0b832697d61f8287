/* One graph for everything: the training path (with dropout), the evaluation path that shares its parameters, loss, gradients,
   clipping and update. Three programs are compiled from it. */
#include "train/net.h"

#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "op/build.h"

typedef struct parts {
    bp_value x, target, weight, lr; /* inputs */
    bp_value y, rows, mean;         /* of the training path */
    bp_value eval_y, eval_p, eval_rows, eval_mean;
    bp_value norm, ok, loss64;
} parts;

/* The samples as the network takes them. Bytes become numbers inside the plan: a quarter of the memory traffic. */
static bp_value prepared_input(bp__net *net, const bp__net_spec *spec, parts *p) {
    net->x_dims = (bp_dims){.n = 1 + spec->prep->rank, .dim = {BP_BATCH}};
    for (int i = 0; i < spec->prep->rank; i++) net->x_dims.dim[i + 1] = spec->prep->shape[i];
    net->x_dtype = spec->prep->input_dtype == BP_U8 ? BP_U8 : spec->dtype;
    p->x = bp_input(net->g, "x", net->x_dtype, net->x_dims);
    if (net->x_dtype != BP_U8) return p->x;
    bp_value x = bp_cast(p->x, spec->dtype);
    return spec->prep->byte_scale == 1 ? x : bp__mul_k(x, spec->prep->byte_scale);
}

static bp_status build_path(bp__net *net, const bp__net_spec *spec, bool training, bp_value x, bp_value *y) {
    bp__nn_options o = {.nn = net->nn,
                        .layers = spec->model,
                        .file = spec->file,
                        .n_outputs = net->n_outputs,
                        .training = training,
                        .dropout_scale = BP_NONE};
    BP_TRY(bp__nn_build(net->g, &o, x, y));
    BP_TRY(bp_graph_status(net->g));
    bp_dims d = bp_value_dims(*y);
    if (d.n == 2 && d.dim[1] == net->n_outputs) return BP_OK;
    char shape[160] = "batch";
    for (int64_t i = 1; i < d.n; i++) {
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, ", %lld", (long long)d.dim[i]);
    }
    return bp__fail_at(net->ctx, BP_SHAPE, (bp__where){.code = "outputs", .file = spec->file, .line = spec->model->line},
                       "the model gives [%s] for each batch, but the loss needs [batch, %lld] (%s): end it with {linear: %lld}",
                       shape, (long long)net->n_outputs,
                       net->binary           ? "one output for two classes"
                       : net->classification ? "one output per class"
                                             : "one output per target",
                       (long long)net->n_outputs);
}

/* The chain rule, clipping and the update; all or nothing, guarded by `ok`. */
static bp_status build_update(bp__net *net, const bp__net_spec *spec, parts *p) {
    int64_t n = bp__nn_n_parameters(net->nn), m = 0;
    bp_value *lists = bp__zalloc(net->ctx, sizeof(bp_value) * (size_t)(2 * n + 1)), *grads = lists + n;
    if (!lists) return bp__out_of_memory(net->ctx, 0);
    for (int64_t i = 0; i < n; i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        if (q->trainable) lists[m++] = q->value;
    }
    p->lr = bp_input(net->g, "lr", BP_F64, bp_shape(0));
    bp_gradients(grads, &p->mean, NULL, 1, lists, (int)m);
    bp_value clip_norm = spec->clip_norm > 0 ? bp_number(net->g, BP_F64, spec->clip_norm) : BP_NONE;
    bp_value clip_value = spec->clip_value > 0 ? bp_number(net->g, BP_F64, spec->clip_value) : BP_NONE;
    bp_status status = bp_graph_status(net->g);
    p->loss64 = bp_cast(p->mean, BP_F64);
    p->norm = bp_number(net->g, BP_F64, 0);
    if (status == BP_OK && m > 0) status = bp__clip_grads(net->g, grads, (int)m, clip_norm, clip_value, &p->norm);
    if (status == BP_OK && m > 0) status = bp__optimizer_build(net->g, spec->optimizer, p->lr, lists, grads, (int)m);
    p->ok = bp_logical_and(bp_is_finite(p->loss64), bp_is_finite(p->norm));
    bp__free(net->ctx, lists);
    return status == BP_OK ? bp_graph_status(net->g) : status;
}

static bp_status build(bp__net *net, const bp__net_spec *spec, parts *p) {
    bp_graph *g = net->g;
    bp_graph_set_dtype(g, spec->dtype);
    bp_value x = prepared_input(net, spec, p), training_rows;
    p->target = net->classification ? bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH))
                                    : bp_input(g, "y", spec->dtype, bp_shape(2, BP_BATCH, net->n_targets));
    p->weight = spec->weighted ? bp_cast(bp_input(g, "weight", BP_F32, bp_shape(1, BP_BATCH)), spec->dtype) : BP_NONE;
    if (spec->training) {
        BP_TRY(build_path(net, spec, true, x, &p->y));
        bp__loss_build(&spec->loss, p->y, p->target, p->weight, &training_rows, &p->mean);
        BP_TRY(build_update(net, spec, p));
    }
    BP_TRY(build_path(net, spec, false, x, &p->eval_y));
    bp__loss_build(&spec->loss, p->eval_y, p->target, BP_NONE, &p->eval_rows, &p->eval_mean);
    p->eval_p = bp__loss_prediction(&spec->loss, p->eval_y);
    return bp_graph_status(g);
}

static bp_status compile(bp__net *net, const bp__net_spec *spec, const parts *p) {
    uint64_t before = bp__context_seed(net->ctx); /* a state is initialised from the context's seed: lend it the run's */
    bp__context_set_seed(net->ctx, spec->seed);
    bp_status status = bp_state_new(&net->state, net->g);
    bp__context_set_seed(net->ctx, before);
    BP_TRY(status);
    if (spec->training) {
        bp_value out[] = {p->loss64, p->norm, p->y};
        bp_program_options o = {.size = sizeof o, .commit = 1, .ok = p->ok};
        BP_TRY(bp_program_new(&net->train, net->g, out, 3, &o));
        BP_TRY(bp_session_new(&net->train_session, net->train, net->state));
    }
    bp_value out[] = {p->eval_p, p->eval_rows};
    BP_TRY(bp_program_new(&net->eval, net->g, out, 2, NULL));
    BP_TRY(bp_session_new(&net->eval_session, net->eval, net->state));
    BP_TRY(bp_program_new(&net->predict, net->g, out, 1, NULL));
    return bp_session_new(&net->predict_session, net->predict, net->state);
}

static bp_status make(bp__net *net, const bp__net_spec *spec) {
    parts p = {.x = BP_NONE};
    BP_TRY(bp_graph_new(&net->g, net->ctx));
    BP_TRY(bp__nn_new(&net->nn, net->g));
    BP_TRY(build(net, spec, &p));
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        bp_dims d = bp_value_dims(q->value);
        int64_t n = q->buffer ? 0 : 1;
        for (int64_t k = 0; k < d.n; k++) n *= d.dim[k];
        net->n_parameters += n;
    }
    return compile(net, spec, &p);
}

bp_status bp__net_new(bp__net **out, bp_context *ctx, const bp__net_spec *spec) {
    *out = NULL;
    bp__net *net = bp__zalloc(ctx, sizeof *net);
    if (!net) return bp__out_of_memory(ctx, sizeof *net);
    *net = (bp__net){.ctx = ctx,
                     .dtype = spec->dtype,
                     .n_outputs = bp__loss_outputs(&spec->loss, spec->prep),
                     .n_targets = spec->prep->n_targets,
                     .classification = spec->prep->task == BP__CLASSIFICATION,
                     .binary = bp__loss_is_binary(&spec->loss),
                     .weighted = spec->weighted,
                     .seed = spec->seed,
                     .loss = spec->loss};
    bp_status status = make(net, spec);
    if (status != BP_OK) {
        bp__net_free(net);
        return status;
    }
    *out = net;
    return BP_OK;
}

void bp__net_free(bp__net *net) {
    if (!net) return;
    bp_session_free(net->train_session);
    bp_session_free(net->eval_session);
    bp_session_free(net->predict_session);
    bp_program_free(net->train);
    bp_program_free(net->eval);
    bp_program_free(net->predict);
    bp_state_free(net->state);
    bp__nn_free(net->nn);
    bp_graph_free(net->g);
    bp__free(net->ctx, net);
}

int64_t bp__net_columns(const bp__net *net) { return net->binary ? 2 : net->n_outputs; }

static bp_status feed(const bp__net *net, bp_session *s, const bp__batch *b) {
    bp_dims x = net->x_dims, rows = {1, {b->n}}, y = {2, {b->n, net->n_targets}};
    x.dim[0] = b->n;
    s->env.team = bp__context_team(net->ctx); /* the number of threads may have changed since the session was made */
    BP_TRY(bp_session_set(s, "x", b->x, &x));
    if (b->label) BP_TRY(bp_session_set(s, "label", b->label, &rows));
    if (b->y) BP_TRY(bp_session_set(s, "y", b->y, &y));
    return b->weight ? bp_session_set(s, "weight", b->weight, &rows) : BP_OK;
}

bp_status bp__net_train(bp__net *net, const bp__batch *b, double lr, int64_t step, bp__step *out) {
    bp_session *s = net->train_session;
    net->lr = lr;
    BP_TRY(feed(net, s, b));
    BP_TRY(bp_session_set(s, "lr", &net->lr, NULL));
    bp_session_set_step(s, net->seed, (uint32_t)step, 0);
    BP_TRY(bp_session_run(s));
    const void *value;
    BP_TRY(bp_session_output(s, 0, &value, NULL, NULL));
    out->loss = *(const double *)value;
    BP_TRY(bp_session_output(s, 1, &value, NULL, NULL));
    out->norm = *(const double *)value;
    BP_TRY(bp_session_output(s, 2, &out->y, NULL, NULL));
    out->committed = bp_session_committed(s) != 0;
    return BP_OK;
}

double bp__net_number(const bp__net *net, const void *values, int64_t i) {
    return net->dtype == BP_F64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

bp_status bp__net_eval(bp__net *net, const bp__batch *b, double *p, double *rows) {
    bp_session *s = rows ? net->eval_session : net->predict_session;
    BP_TRY(feed(net, s, b));
    BP_TRY(bp_session_run(s));
    const void *value;
    BP_TRY(bp_session_output(s, 0, &value, NULL, NULL));
    if (net->binary)
        for (int64_t i = 0; i < b->n; i++) {
            p[2 * i + 1] = bp__net_number(net, value, i);
            p[2 * i] = 1 - p[2 * i + 1];
        }
    else
        for (int64_t i = 0; i < b->n * net->n_outputs; i++) p[i] = bp__net_number(net, value, i);
    if (!rows) return BP_OK;
    BP_TRY(bp_session_output(s, 1, &value, NULL, NULL));
    for (int64_t i = 0; i < b->n; i++) rows[i] = bp__net_number(net, value, i);
    return BP_OK;
}

bp_status bp__net_describe(bp__net *net, int64_t batch, bool training, char **text) {
    *text = NULL;
    size_t x_bytes = bp_dtype_size(net->x_dtype), y_bytes = sizeof(double) * (size_t)net->n_targets;
    for (int64_t i = 1; i < net->x_dims.n; i++) x_bytes *= (size_t)net->x_dims.dim[i];
    size_t row = x_bytes + y_bytes + sizeof(int64_t) + sizeof(float);
    unsigned char *zeros = bp__zalloc(net->ctx, row * (size_t)batch + 4 * 64);
    double *p = bp__alloc(net->ctx, sizeof(double) * (size_t)(batch * bp__net_columns(net)));
    bp_status status = zeros && p ? BP_OK : bp__out_of_memory(net->ctx, row * (size_t)batch);
    bp__batch b = {.n = batch, .x = zeros};
    if (net->classification)
        b.label = (const int64_t *)(const void *)zeros;
    else
        b.y = zeros;
    if (net->weighted) b.weight = (const float *)(const void *)zeros;
    if (status == BP_OK && training) { /* lr 0 and zero weights: `ok` may hold, so the state is put back */
        unsigned char *saved = bp__alloc(net->ctx, net->state->bytes);
        bp__step step;
        status = saved ? BP_OK : bp__out_of_memory(net->ctx, net->state->bytes);
        if (saved) memcpy(saved, net->state->block, net->state->bytes);
        if (status == BP_OK) status = bp__net_train(net, &b, 0, 0, &step);
        if (saved) memcpy(net->state->block, saved, net->state->bytes);
        bp__free(net->ctx, saved);
        if (status == BP_OK) status = bp_session_describe(net->train_session, text);
    } else if (status == BP_OK) {
        status = bp__net_eval(net, &b, p, NULL);
        if (status == BP_OK) status = bp_session_describe(net->predict_session, text);
    }
    bp__free(net->ctx, zeros);
    bp__free(net->ctx, p);
    return status;
}
