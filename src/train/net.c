/* One graph for everything: the training path (with dropout), the evaluation path that shares its parameters, loss, gradients,
   clipping and update. Three programs are compiled from it. */
#include "train/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "op/build.h"

typedef struct parts {
    bp_value x, target, weight, lr; /* inputs */
    bp_value y, rows, mean;         /* of the training path */
    bp_value eval_y, eval_p, eval_rows, eval_mean;
    bp_value norm, ok, loss64, total, total64, penalty; /* total: the loss with penalties, what is differentiated */
    bp_value *averaged;                                 /* [n_averaged] in the order of `trainable` */
    int n_averaged;
    bp_value *grads;               /* [n_grads] of a step made of shards: what the shard program gives; pool of the net */
    bp_value *updated, *per_shard; /* variables that the update, and a shard, assign */
    int n_grads, n_updated, n_per_shard;
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

typedef struct noise {
    bp_graph *g;
    const bp__tree *regularize;
} noise;
static bp_value disturb(void *user, bp_value parameter) {
    const noise *n = user;
    return bp__regularize_noisy(n->g, n->regularize, parameter);
}

static bp_status build_path(bp__net *net, const bp__net_spec *spec, bool training, bp_value x, bp_value *y) {
    bp__nn_options o = {.nn = net->nn,
                        .layers = spec->model,
                        .file = spec->file,
                        .n_outputs = net->n_outputs,
                        .init = spec->init,
                        .training = training,
                        .dropout_scale = BP_NONE};
    noise n = {net->g, spec->regularize};
    if (training && spec->regularize) {
        o.disturb = disturb;
        o.user = &n;
    }
    if (training && spec->moves_dropout) o.dropout_scale = bp_input(net->g, "dropout", BP_F64, bp_shape(0));
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

/* A step of several shards: the shard program gives gradients, the update takes their sums as inputs. */
static bp_status cut_at_gradients(bp__net *net, const bp_value *parameters, bp_value *grads, int m, parts *p) {
    int64_t *sizes = bp__zalloc(net->ctx, sizeof(int64_t) * (size_t)(m + 1));
    net->gradients = bp__zalloc(net->ctx, sizeof(void *) * (size_t)(m + 1));
    net->gradient_names = bp__zalloc(net->ctx, sizeof(char *) * (size_t)(m + 1));
    bp_status status = sizes && net->gradients && net->gradient_names && p->grads ? BP_OK : bp__out_of_memory(net->ctx, 0);
    for (int i = 0; i < m && status == BP_OK; i++) {
        char name[600];
        bp_dims d = bp_value_dims(parameters[i]);
        snprintf(name, sizeof name, "gradient/%s", net->g->nodes[parameters[i].node].name);
        sizes[i] = 1;
        for (int64_t k = 0; k < d.n; k++) sizes[i] *= d.dim[k];
        p->grads[i] = bp_broadcast_to(grads[i], d); /* a gradient that is zero everywhere may be a scalar */
        grads[i] = bp_input(net->g, name, bp_value_dtype(parameters[i]), d);
        if (bp_graph_status(net->g) == BP_OK) net->gradient_names[i] = net->g->nodes[grads[i].node].name;
    }
    net->n_gradients = m;
    if (status == BP_OK) status = bp_graph_status(net->g);
    if (status == BP_OK) status = bp__shards_new(&net->shards, net->ctx, net->dtype, sizes, m);
    bp__free(net->ctx, sizes);
    return status;
}

/* The variables assigned so far, but for the first n_but of the list. */
static bp_status assigned(bp__net *net, const bp_value *but, int n_but, bp_value **out, int *n) {
    const bp_graph *g = net->g;
    *n = 0;
    *out = bp__alloc(net->ctx, sizeof(bp_value) * (size_t)(g->n_variables + 1));
    if (!*out) return bp__out_of_memory(net->ctx, 0);
    for (int64_t i = 0; i < g->n_variables; i++) {
        const bp__variable *v = &g->variables[i];
        bool listed = false;
        for (int k = 0; k < n_but; k++) listed |= but[k].node == v->value.node;
        if (v->assigned.node >= 0 && !listed) (*out)[(*n)++] = bp__value(net->g, v->value);
    }
    return BP_OK;
}

static bp_status clip(bp__net *net, const bp__net_spec *spec, const bp_value *parameters, bp_value *grads, int m, parts *p) {
    bp_graph *g = net->g;
    bool model = spec->clip_per == BP__CLIP_MODEL;
    bp_value limit = spec->clip_norm > 0 ? bp_number(g, BP_F64, spec->clip_norm) : BP_NONE;
    bp_value clip_value = spec->clip_value > 0 ? bp_number(g, BP_F64, spec->clip_value) : BP_NONE;
    BP_TRY(bp__clip_grads(g, grads, m, model ? limit : BP_NONE, clip_value, &p->norm));
    if (limit.graph && !model) BP_TRY(bp__clip_grads_apart(g, parameters, grads, m, limit, spec->clip_per == BP__CLIP_LAYER));
    if (spec->clip_adaptive <= 0) return BP_OK;
    return bp__clip_grads_adaptive(g, parameters, grads, m, bp_number(g, BP_F64, spec->clip_adaptive), 1e-3);
}

/* average += w·(weights - average), from the weights that this step assigns. */
static bp_status build_average(bp__net *net, const bp_value *parameters, int m) {
    bp_graph *g = net->g;
    bp_value w64 = bp_input(g, "average", BP_F64, bp_shape(0)), w = BP_NONE;
    for (int i = 0; i < m; i++) {
        char name[600];
        const bp__node *node = &g->nodes[parameters[i].node];
        snprintf(name, sizeof name, "average/%s", node->name);
        bp_value old = bp_variable(g, name, bp_value_dtype(parameters[i]), bp_value_dims(parameters[i]), bp_zeros());
        bp__ref assigned_ref = g->variables[*(const int64_t *)node->attrs].assigned;
        bp_value now = assigned_ref.node >= 0 ? bp__value(g, assigned_ref) : parameters[i];
        if (!w.graph) w = bp_cast(w64, bp_value_dtype(old));
        bp_assign(old, bp_add(old, bp_mul(w, bp_sub(now, old))));
    }
    return bp_graph_status(g);
}

/* Clipping and the update; all or nothing, guarded by `ok`. */
static bp_status build_update(bp__net *net, const bp__net_spec *spec, const bp_value *parameters, bp_value *grads, int m,
                              parts *p) {
    bp_graph *g = net->g;
    p->norm = bp_number(g, BP_F64, 0);
    p->ok = BP_NONE;
    if (net->solver) return bp__net_add_solver(net, spec, p->y, p->mean, p->penalty);
    if (m > 0) {
        BP_TRY(clip(net, spec, parameters, grads, m, p));
        bp__moving moving = {.lr = p->lr, .loss = net->shards ? BP_NONE : p->total, .momentum = BP_NONE, .weight_decay = BP_NONE};
        if (spec->moves_momentum) moving.momentum = bp_input(g, "momentum", BP_F64, bp_shape(0));
        if (spec->moves_decay) moving.weight_decay = bp_input(g, "weight_decay", BP_F64, bp_shape(0));
        BP_TRY(bp__optimizer_build_for(g, spec->optimizer, &moving, parameters, grads, m));
        BP_TRY(bp__regularize_project(g, spec->regularize, parameters, m));
        BP_TRY(bp_graph_status(g));
        if (spec->averages) BP_TRY(build_average(net, parameters, m));
    }
    bp_value loss = net->shards ? bp_input(net->g, "loss", BP_F64, bp_shape(0)) : p->loss64;
    bp_value within = bp_le(p->norm, bp_input(net->g, "norm_limit", BP_F64, bp_shape(0)));
    p->ok = bp_logical_and(bp_logical_and(bp_is_finite(loss), bp_is_finite(p->norm)), within);
    return bp_graph_status(net->g);
}

/* What stands in for the weights when they are evaluated, kept and served. */
static bp_status find_average(bp__net *net, const bp__net_spec *spec, const bp_value *parameters, int m, parts *p) {
    p->averaged = bp__alloc(net->ctx, sizeof(bp_value) * (size_t)(m + 1));
    if (!p->averaged) return bp__out_of_memory(net->ctx, 0);
    p->n_averaged = m;
    BP_TRY(bp__optimizer_evaluated(net->g, spec->optimizer, parameters, p->averaged, m));
    for (int i = 0; i < m; i++) net->average_always |= p->averaged[i].node != parameters[i].node;
    for (int i = 0; i < m && spec->averages; i++) {
        char name[600];
        snprintf(name, sizeof name, "average/%s", net->g->nodes[parameters[i].node].name);
        for (int64_t v = 0; v < net->g->n_variables; v++)
            if (strcmp(net->g->variables[v].name, name) == 0) p->averaged[i] = bp__value(net->g, net->g->variables[v].value);
    }
    if (!spec->averages && !net->average_always) p->n_averaged = 0;
    return BP_OK;
}

static bool sharded(const bp__net *net, const bp__net_spec *spec) { return spec->accumulate > 1 || net->solver; }

/* The chain rule and what follows from it. */
static bp_status build_backward(bp__net *net, const bp__net_spec *spec, parts *p) {
    int64_t n = bp__nn_n_parameters(net->nn), m = 0;
    bp_value *lists = bp__zalloc(net->ctx, sizeof(bp_value) * (size_t)(2 * n + 1)), *grads = lists + n;
    if (!lists) return bp__out_of_memory(net->ctx, 0);
    for (int64_t i = 0; i < n; i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        if (q->trainable) lists[m++] = q->value;
    }
    p->lr = bp_input(net->g, "lr", BP_F64, bp_shape(0));
    p->loss64 = bp_cast(p->mean, BP_F64);
    p->total = p->mean;
    bp_value penalty = BP_NONE;
    bp_status penalized = bp__regularize_penalty(net->g, spec->regularize, spec->dtype, lists, (int)m, &penalty);
    if (penalized != BP_OK) {
        bp__free(net->ctx, lists);
        return penalized;
    }
    if (penalty.graph) { /* of a step, so each shard has its share of it */
        if (sharded(net, spec)) penalty = bp_mul(penalty, bp_cast(bp_input(net->g, "share", BP_F64, bp_shape(0)), spec->dtype));
        p->total = bp_add(p->mean, penalty);
    }
    p->penalty = penalty;
    p->total64 = bp_cast(p->total, BP_F64);
    bp_gradients(grads, &p->total, NULL, 1, lists, (int)m);
    bp_status status = bp__optimizer_sharpen(net->g, spec->optimizer, p->total, lists, grads, (int)m);
    p->grads = bp__alloc(net->ctx, sizeof(bp_value) * (size_t)(m + 1));
    if (!p->grads && status == BP_OK) status = bp__out_of_memory(net->ctx, 0);
    if (p->grads) memcpy(p->grads, grads, sizeof(bp_value) * (size_t)m);
    p->n_grads = (int)m;
    bool shards = sharded(net, spec);
    if (status == BP_OK && shards) {
        status = cut_at_gradients(net, lists, grads, (int)m, p);
        if (status == BP_OK) status = assigned(net, NULL, 0, &p->per_shard, &p->n_per_shard);
        net->shard_assigns = p->n_per_shard > 0;
    }
    if (status == BP_OK) status = build_update(net, spec, lists, grads, (int)m, p);
    if (status == BP_OK && shards) status = assigned(net, p->per_shard, p->n_per_shard, &p->updated, &p->n_updated);
    if (status == BP_OK) status = find_average(net, spec, lists, (int)m, p);
    bp__free(net->ctx, lists);
    return status;
}

static bp_status build(bp__net *net, const bp__net_spec *spec, parts *p) {
    bp_graph *g = net->g;
    bp_graph_set_dtype(g, spec->dtype);
    bp_graph_set_bfloat16(g, spec->bfloat16);
    bp_value x = prepared_input(net, spec, p), training_rows;
    p->target = net->classification ? bp_input(g, "label", BP_I64, bp_shape(1, BP_BATCH))
                                    : bp_input(g, "y", spec->dtype, bp_shape(2, BP_BATCH, net->n_targets));
    p->weight = spec->weighted ? bp_cast(bp_input(g, "weight", BP_F32, bp_shape(1, BP_BATCH)), spec->dtype) : BP_NONE;
    if (spec->training) {
        BP_TRY(build_path(net, spec, true, x, &p->y));
        bp__loss_build(&spec->loss, p->y, p->target, p->weight, &training_rows, &p->mean);
        if (sharded(net, spec)) { /* each shard's part of the step's loss */
            bp_value sum = bp__sum_all(p->weight.graph ? bp_mul(training_rows, p->weight) : training_rows);
            p->mean = bp_div(sum, bp_cast(bp_input(g, "normalizer", BP_F64, bp_shape(0)), spec->dtype));
        }
        BP_TRY(build_backward(net, spec, p));
    }
    BP_TRY(build_path(net, spec, false, x, &p->eval_y));
    bp__loss_build(&spec->loss, p->eval_y, p->target, BP_NONE, &p->eval_rows, &p->eval_mean);
    p->eval_p = bp__loss_prediction(&spec->loss, p->eval_y);
    return bp_graph_status(g);
}

static bp_status compile_training(bp__net *net, const parts *p) {
    net->n_plain_outputs = p->n_grads + (net->shards ? 1 : 2);
    net->plain_outputs = bp__alloc(net->ctx, sizeof(bp_value) * (size_t)net->n_plain_outputs);
    if (!net->plain_outputs) return bp__out_of_memory(net->ctx, 0);
    net->plain_outputs[0] = p->loss64;
    memcpy(net->plain_outputs + 1, p->grads, sizeof(bp_value) * (size_t)p->n_grads);
    if (!net->shards) net->plain_outputs[p->n_grads + 1] = p->norm;
    bp_value out[] = {p->y, p->loss64, p->norm};
    bp_program_options o = {.size = sizeof o, .commit = 1, .ok = p->ok};
    if (!net->shards) {
        BP_TRY(bp_program_new(&net->train, net->g, out, 3, &o));
        return bp_session_new(&net->train_session, net->train, net->state);
    }
    o.variables = p->updated;
    o.n_variables = p->n_updated;
    if (!net->solver) {
        BP_TRY(bp_program_new(&net->update, net->g, &p->norm, 1, &o));
        BP_TRY(bp_session_new(&net->update_session, net->update, net->state));
    }
    if (net->products) {
        bp_program_options plain = {.size = sizeof plain, .ok = BP_NONE};
        BP_TRY(bp_program_new(&net->product, net->g, net->products, net->n_gradients, &plain));
        BP_TRY(bp_session_new(&net->product_session, net->product, net->state));
    }
    net->before = bp__alloc(net->ctx, net->state->bytes + 1);
    bp_value *all = bp__alloc(net->ctx, sizeof(bp_value) * (size_t)(p->n_grads + 3));
    bp_status status = all && net->before ? BP_OK : bp__out_of_memory(net->ctx, net->state->bytes);
    if (status == BP_OK) {
        all[0] = p->y;
        all[1] = p->loss64;
        memcpy(all + 2, p->grads, sizeof(bp_value) * (size_t)p->n_grads);
        int n_all = p->n_grads + 2;
        if (net->solver) all[n_all++] = p->total64;
        o = (bp_program_options){
            .size = sizeof o, .commit = 1, .ok = BP_NONE, .variables = p->per_shard, .n_variables = p->n_per_shard};
        status = bp_program_new(&net->train, net->g, all, n_all, &o);
    }
    bp__free(net->ctx, all);
    return status == BP_OK ? bp_session_new(&net->train_session, net->train, net->state) : status;
}

static bp_status compile_average(bp__net *net, const parts *p) {
    if (!p->n_averaged) return BP_OK;
    net->trained = bp__alloc(net->ctx, net->state->bytes + 1);
    if (!net->trained) return bp__out_of_memory(net->ctx, net->state->bytes);
    bp_program_options o = {.size = sizeof o, .ok = BP_NONE};
    BP_TRY(bp_program_new(&net->average, net->g, p->averaged, p->n_averaged, &o));
    return bp_session_new(&net->average_session, net->average, net->state);
}

static bp_status compile(bp__net *net, const bp__net_spec *spec, const parts *p) {
    uint64_t before = bp__context_seed(net->ctx); /* a state is initialised from the context's seed: lend it the run's */
    bp__context_set_seed(net->ctx, spec->seed);
    bp_status status = bp_state_new(&net->state, net->g);
    bp__context_set_seed(net->ctx, before);
    BP_TRY(status);
    if (spec->training) BP_TRY(compile_training(net, p));
    if (spec->training) BP_TRY(compile_average(net, p));
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
    bp_status status = build(net, spec, &p);
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        bp_dims d = bp_value_dims(q->value);
        int64_t n = q->buffer ? 0 : 1;
        for (int64_t k = 0; k < d.n; k++) n *= d.dim[k];
        net->n_parameters += n;
    }
    if (status == BP_OK) status = compile(net, spec, &p);
    bp__free(net->ctx, p.grads);
    bp__free(net->ctx, p.updated);
    bp__free(net->ctx, p.per_shard);
    bp__free(net->ctx, p.averaged);
    return status;
}

bp_status bp__net_new(bp__net **out, bp_context *ctx, const bp__net_spec *spec) {
    *out = NULL;
    bp__net *net = bp__zalloc(ctx, sizeof *net);
    if (!net) return bp__out_of_memory(ctx, sizeof *net);
    *net = (bp__net){.ctx = ctx,
                     .dtype = spec->dtype,
                     .bfloat16 = spec->bfloat16,
                     .n_outputs = bp__loss_outputs(&spec->loss, spec->prep),
                     .n_targets = spec->prep->n_targets,
                     .classification = spec->prep->task == BP__CLASSIFICATION,
                     .binary = bp__loss_is_binary(&spec->loss),
                     .weighted = spec->weighted,
                     .seed = spec->seed,
                     .loss = spec->loss,
                     .standard = {.normalizer = 1, .norm_limit = HUGE_VAL, .dropout = 1, .average = 1}};
    if (spec->training) {
        net->standard.momentum = bp__optimizer_number(ctx, spec->optimizer, "momentum");
        net->standard.weight_decay = bp__optimizer_number(ctx, spec->optimizer, "weight_decay");
        net->solver = bp__solver_read(ctx, spec->optimizer, &net->choice);
    }
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
    bp_session_free(net->update_session);
    bp_session_free(net->plain_session);
    bp_session_free(net->average_session);
    bp_session_free(net->product_session);
    bp_program_free(net->product);
    bp__free(net->ctx, net->products);
    bp_program_free(net->average);
    bp__free(net->ctx, net->trained);
    bp_session_free(net->eval_session);
    bp_session_free(net->predict_session);
    bp_program_free(net->train);
    bp_program_free(net->update);
    bp_program_free(net->plain);
    bp__free(net->ctx, net->plain_outputs);
    bp_program_free(net->eval);
    bp_program_free(net->predict);
    bp__shards_free(net->shards);
    bp__free(net->ctx, net->gradients);
    bp__free(net->ctx, net->gradient_names);
    bp__free(net->ctx, net->before);
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

void bp__net_begin(bp__net *net, int64_t step, const bp__numbers *numbers) {
    net->now = *numbers;
    net->step = step;
    if (net->shards) bp__shards_begin(net->shards);
    net->plain_loss = 0;
    if (net->shard_assigns && !net->solver) memcpy(net->before, net->state->block, net->state->bytes);
}

static double scalar_output(bp_session *s, int k) {
    const void *value = NULL;
    return bp_session_output(s, k, &value, NULL, NULL) == BP_OK ? *(const double *)value : 0;
}

/* The step's numbers; a program takes those that it uses. */
static bp_status feed_step(bp__net *net, bp_session *s, int64_t first_row) {
    const struct {
        const char *name;
        const double *value;
    } inputs[] = {{"lr", &net->now.lr},
                  {"normalizer", &net->now.normalizer},
                  {"norm_limit", &net->now.norm_limit},
                  {"momentum", &net->now.momentum},
                  {"weight_decay", &net->now.weight_decay},
                  {"dropout", &net->now.dropout},
                  {"average", &net->now.average},
                  {"share", &net->share},
                  {"loss", &net->step_loss}};
    for (int64_t i = 0; i < BP__COUNT(inputs); i++) BP_TRY(bp_session_set(s, inputs[i].name, inputs[i].value, NULL));
    bp_session_set_step(s, net->seed, (uint32_t)net->step, first_row);
    return BP_OK;
}

bp_status bp__net_shard(bp__net *net, const bp__batch *b, int64_t first_row, const void **y) {
    bp_session *s = net->train_session;
    net->share = (double)b->n / net->now.rows;
    BP_TRY(feed(net, s, b));
    BP_TRY(feed_step(net, s, first_row));
    BP_TRY(bp_session_run(s));
    BP_TRY(bp_session_output(s, 0, y, NULL, NULL));
    if (!net->shards) return BP_OK;
    for (int k = 0; k < net->n_gradients; k++) BP_TRY(bp_session_output(s, k + 2, &net->gradients[k], NULL, NULL));
    net->plain_loss += scalar_output(s, 1);
    return bp__shards_add(net->shards, net->gradients, scalar_output(s, net->solver ? net->n_gradients + 2 : 1));
}

bp_status bp__net_product_shard(bp__net *net, const bp__batch *b, int64_t first_row) {
    bp_session *s = net->product_session;
    net->share = (double)b->n / net->now.rows;
    BP_TRY(feed(net, s, b));
    BP_TRY(feed_step(net, s, first_row));
    BP_TRY(bp_session_run(s));
    for (int k = 0; k < net->n_gradients; k++) BP_TRY(bp_session_output(s, k, &net->gradients[k], NULL, NULL));
    return bp__shards_add(net->shards, net->gradients, 0);
}

bp_status bp__net_end(bp__net *net, bp__step *out) {
    if (net->solver) return bp__net_looked(net, out);
    bp_session *s = net->shards ? net->update_session : net->train_session;
    out->loss = net->shards ? 0 : scalar_output(s, 1);
    if (net->shards) {
        bp__shards_end(net->shards, net->gradients, &net->step_loss);
        out->loss = net->step_loss;
        s->env.team = bp__context_team(net->ctx);
        for (int k = 0; k < net->n_gradients; k++) BP_TRY(bp_session_set(s, net->gradient_names[k], net->gradients[k], NULL));
        BP_TRY(feed_step(net, s, 0));
        BP_TRY(bp_session_run(s));
    }
    out->norm = scalar_output(s, net->shards ? 0 : 2);
    out->committed = bp_session_committed(s) != 0;
    if (net->shard_assigns && !out->committed) memcpy(net->state->block, net->before, net->state->bytes);
    return BP_OK;
}

bp_status bp__net_start_average(bp__net *net) {
    for (int64_t i = 0; net->average && !net->average_always && i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        char name[600];
        snprintf(name, sizeof name, "average/%s", q->name);
        if (q->trainable) BP_TRY(bp__state_copy(net->state, name, q->name));
    }
    return BP_OK;
}

bp_status bp__net_use_average(bp__net *net) {
    if (!net->average) return BP_OK;
    bp_session *s = net->average_session;
    memcpy(net->trained, net->state->block, net->state->bytes);
    s->env.team = bp__context_team(net->ctx);
    BP_TRY(bp_session_run(s));
    int k = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        if (!q->trainable) continue;
        const void *value;
        bp_dims d;
        BP_TRY(bp_session_output(s, k++, &value, NULL, &d));
        size_t bytes = bp_dtype_size(bp_value_dtype(q->value));
        for (int64_t a = 0; a < d.n; a++) bytes *= (size_t)d.dim[a];
        BP_TRY(bp_state_set(net->state, q->name, value, bytes));
    }
    return BP_OK;
}

void bp__net_use_trained(bp__net *net) {
    if (net->average) memcpy(net->state->block, net->trained, net->state->bytes);
}

bp_status bp__net_train(bp__net *net, const bp__batch *b, double lr, int64_t step, bp__step *out) {
    double normalizer = 0;
    for (int64_t i = 0; i < b->n; i++) normalizer += b->weight ? (double)b->weight[i] : !b->label || b->label[i] >= 0;
    const void *y;
    bp__numbers numbers = net->standard;
    numbers.lr = lr;
    numbers.normalizer = normalizer;
    numbers.rows = (double)b->n;
    bp__net_begin(net, step, &numbers);
    BP_TRY(bp__net_shard(net, b, 0, &y));
    return bp__net_end(net, out);
}

bp_status bp__net_diagnose(bp__net *net, const bp__batch *b, int64_t first_row, bp__blame *out) {
    *out = (bp__blame){0};
    if (!net->plain) {
        bp_program_options o = {.size = sizeof o, .plain = 1, .ok = BP_NONE};
        BP_TRY(bp_program_new(&net->plain, net->g, net->plain_outputs, net->n_plain_outputs, &o));
        BP_TRY(bp_session_new(&net->plain_session, net->plain, net->state));
    }
    bp_session *s = net->plain_session;
    BP_TRY(feed(net, s, b));
    BP_TRY(feed_step(net, s, first_row));
    return bp__session_first_bad(s, &out->operation, &out->layer);
}

const char *bp__precision(bp_dtype dtype, bool bfloat16) {
    return bfloat16 ? "bfloat16" : dtype == BP_F64 ? "float64" : "float32";
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
