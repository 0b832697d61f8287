/* One step of a solver (optim/solver.h): the loss and its gradient over all training rows, as often as it asks for them. Batches
   are shards, whose sums have one order. Within a step every look is at the same function: random numbers are those of the step,
   running statistics are put back before each look, and are the first look's when the step is over. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "train/loop.h"

static const char kept_name[] = "optimizer/kept";

static int64_t count_of(const bp__nn_parameter *q) {
    bp_dims d = bp_value_dims(q->value);
    int64_t n = 1;
    for (int64_t k = 0; k < d.n; k++) n *= d.dim[k];
    return n;
}

int64_t bp__net_trained(const bp__net *net) {
    int64_t n = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++)
        if (bp__nn_parameter_at(net->nn, i)->trainable) n += count_of(bp__nn_parameter_at(net->nn, i));
    return n;
}

static void direction_name(char name[600], const bp__nn_parameter *q) { snprintf(name, 600, "direction/%s", q->name); }

/* G·v = Jt·H·(J·v): forward along v, the loss's second derivatives by the outputs, and back; a penalty is of the weights alone.
 */
static bp_status build_products(bp__net *net, bp_value y, bp_value mean, bp_value penalty) {
    int m = 0, most = (int)bp__nn_n_parameters(net->nn);
    bp_value *lists = bp__zalloc(net->ctx, sizeof(bp_value) * (size_t)(3 * most + 1)), jy, hjy;
    net->products = bp__zalloc(net->ctx, sizeof(bp_value) * (size_t)(most + 1));
    if (!lists || !net->products) {
        bp__free(net->ctx, lists);
        return bp__out_of_memory(net->ctx, 0);
    }
    bp_value *params = lists, *v = lists + most, *more = lists + 2 * most;
    for (int i = 0; i < most; i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        char name[600];
        if (!q->trainable) continue;
        direction_name(name, q);
        params[m] = q->value;
        v[m++] = bp_input(net->g, name, net->dtype, bp_value_dims(q->value));
    }
    bp_jvp(&jy, &y, 1, params, v, m);
    bp_hvp(&hjy, mean, &y, &jy, 1);
    bp_gradients(net->products, &y, &hjy, 1, params, m);
    if (penalty.graph) bp_hvp(more, penalty, params, v, m);
    for (int i = 0; i < m; i++) {
        if (penalty.graph) net->products[i] = bp_add(net->products[i], more[i]);
        net->products[i] = bp_broadcast_to(net->products[i], bp_value_dims(params[i]));
    }
    bp__free(net->ctx, lists);
    return bp_graph_status(net->g);
}

bp_status bp__net_add_solver(bp__net *net, const bp__net_spec *spec, bp_value y, bp_value mean, bp_value penalty) {
    int64_t n = bp__net_trained(net), size = net->solver->size(&net->choice, n);
    const char *name = net->choice.kind->name;
    bp__where where = {.code = "solver", .file = spec->file, .line = net->choice.line};
    if (spec->moves_momentum || spec->moves_decay)
        return bp__fail_at(net->ctx, BP_CONFIG, where, "the optimizer %s has no %s that a schedule could move", name,
                           spec->moves_momentum ? "momentum" : "weight_decay");
    if (net->solver->most && n > net->solver->most)
        return bp__fail_at(net->ctx, BP_CONFIG, where,
                           "the optimizer %s is for at most %lld parameters, and the model has %lld: take lbfgs", name,
                           (long long)net->solver->most, (long long)n);
    if (size <= 0)
        return bp__fail_at(net->ctx, BP_MEMORY, where, "what the optimizer %s keeps of %lld parameters is more than memory holds",
                           name, (long long)n);
    if (net->solver->products) BP_TRY(build_products(net, y, mean, penalty));
    bp_variable(net->g, kept_name, BP_F64, bp_shape(1, size), bp_zeros());
    return bp_graph_status(net->g);
}

bp_status bp__net_looked(bp__net *net, bp__step *out) {
    double square = 0;
    int k = 0;
    bp__shards_end(net->shards, net->gradients, &net->step_loss);
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        int64_t n = q->trainable ? count_of(q) : 0;
        for (int64_t j = 0; j < n; j++) {
            double g = bp__net_number(net, net->gradients[k], j);
            square += g * g;
        }
        k += q->trainable;
    }
    out->loss = net->plain_loss;
    out->norm = sqrt(square);
    out->committed = isfinite(net->step_loss) && isfinite(out->norm);
    return BP_OK;
}

typedef struct solving {
    bp__loop *l;
    bp__net *net;
    const int64_t *rows;
    int64_t n; /* rows */
    const bp__numbers *numbers;
    double *p;               /* of the first look */
    double *w, *last, *kept; /* [trained], [3, trained], [size]; last: where the last look was, the step began, a product is */
    unsigned char *after, *numbers_of_one; /* the state after the first look; room for one parameter */
    float *direction;                      /* [trained], for a net in single precision */
    int64_t n_looks;
    bp__step first, now;
} solving;

/* All trained numbers from the net, or into it. */
static bp_status exchange(solving *s, double *w, bool into) {
    bp__net *net = s->net;
    size_t size = bp_dtype_size(net->dtype);
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        if (!q->trainable) continue;
        int64_t n = count_of(q);
        void *plain = s->numbers_of_one;
        if (!into) BP_TRY(bp_state_get(net->state, q->name, plain, size * (size_t)n));
        for (int64_t k = 0; k < n; k++) {
            if (!into)
                w[k] = bp__net_number(net, plain, k);
            else if (net->dtype == BP_F64)
                ((double *)plain)[k] = w[k];
            else
                ((float *)plain)[k] = (float)w[k];
        }
        if (into) BP_TRY(bp_state_set(net->state, q->name, plain, size * (size_t)n));
        w += n;
    }
    return BP_OK;
}

static void gradients_of(const bp__net *net, double *out) {
    int k = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        if (!q->trainable) continue;
        int64_t n = count_of(q);
        for (int64_t j = 0; j < n; j++) *out++ = bp__net_number(net, net->gradients[k], j);
        k++;
    }
}

static bp_status look(void *user, const double *w, double *loss, double *gradient) {
    solving *s = user;
    bp__net *net = s->net;
    memcpy(s->last, w, sizeof(double) * (size_t)bp__net_trained(net));
    if (net->shard_assigns && s->n_looks > 0) memcpy(net->state->block, net->before, net->state->bytes);
    BP_TRY(exchange(s, s->last, true));
    bp__net_begin(net, s->l->step, s->numbers);
    BP_TRY(bp__loop_shards(s->l, s->rows, s->n, s->n_looks == 0 ? s->p : NULL));
    BP_TRY(bp__net_end(net, &s->now));
    *loss = net->step_loss;
    gradients_of(net, gradient);
    if (s->n_looks++ > 0) return BP_OK;
    s->first = s->now;
    if (s->after) memcpy(s->after, net->state->block, net->state->bytes);
    return s->now.committed ? BP_OK : BP_STOPPED;
}

static bp_status product(void *user, const double *w, const double *v, double *out) {
    solving *s = user;
    bp__net *net = s->net;
    double *point = s->last + 2 * bp__net_trained(net);
    memcpy(point, w, sizeof(double) * (size_t)bp__net_trained(net));
    BP_TRY(exchange(s, point, true));
    for (int64_t i = 0; i < bp__nn_n_parameters(net->nn); i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(net->nn, i);
        char name[600];
        if (!q->trainable) continue;
        direction_name(name, q);
        int64_t n = count_of(q);
        for (int64_t k = 0; k < n && net->dtype != BP_F64; k++) s->direction[k] = (float)v[k];
        BP_TRY(bp_session_set(net->product_session, name, net->dtype == BP_F64 ? (const void *)v : s->direction, NULL));
        v += n;
        s->direction += n;
    }
    s->direction -= bp__net_trained(net);
    bp__net_begin(net, s->l->step, s->numbers);
    for (int64_t at = 0; at < s->n; at += s->l->d->batch) {
        bp__batch b = bp__gather(&s->l->staging, s->rows + at, BP__MIN(s->l->d->batch, s->n - at));
        BP_TRY(bp__net_product_shard(net, &b, at));
    }
    double nothing;
    bp__shards_end(net->shards, net->gradients, &nothing);
    gradients_of(net, out);
    return BP_OK;
}

static bp_status go(solving *s, int64_t n, int64_t size, bp__step *out) {
    bp__net *net = s->net;
    bp__solved solved;
    bp__objective f = {.user = s, .evaluate = look, .product = product, .n = n};
    BP_TRY(exchange(s, s->w, false));
    BP_TRY(bp_state_get(net->state, kept_name, s->kept, sizeof(double) * (size_t)size));
    if (net->shard_assigns) memcpy(net->before, net->state->block, net->state->bytes);
    double *start = s->last + n; /* where the step began */
    memcpy(start, s->w, sizeof(double) * (size_t)n);
    bp_status status = net->solver->step(net->ctx, &f, &net->choice, s->numbers->lr, s->kept, s->w, &solved);
    bool stopped = status == BP_STOPPED && s->n_looks == 1; /* the first look said so, without an error */
    if (status != BP_OK && !stopped) return status;
    *out = s->first;
    out->converged = !stopped && solved.converged && s->numbers->lr > 0; /* a schedule's 0 moves nothing, wherever it is */
    bool lost = !s->now.committed && memcmp(s->last, s->w, sizeof(double) * (size_t)n) == 0;
    for (int64_t i = 0; i < n; i++) lost |= !isfinite(s->w[i]);
    if (stopped || lost) { /* nothing changes; what was not finite is what is told */
        if (lost && !stopped) *out = (bp__step){.loss = s->now.loss, .norm = (double)NAN};
        if (net->shard_assigns) memcpy(net->state->block, net->before, net->state->bytes);
        return exchange(s, start, true);
    }
    if (s->after) memcpy(net->state->block, s->after, net->state->bytes);
    BP_TRY(exchange(s, s->w, true));
    return bp_state_set(net->state, kept_name, s->kept, sizeof(double) * (size_t)size);
}

bp_status bp__solve_step(bp__loop *l, const bp__numbers *numbers, const int64_t *rows, int64_t n, double *p, bp__step *out) {
    bp__net *net = l->net;
    bp_context *ctx = net->ctx;
    int64_t trained = bp__net_trained(net), size = net->solver->size(&net->choice, trained);
    solving s = {.l = l, .net = net, .rows = rows, .n = n, .numbers = numbers, .p = p};
    s.w = bp__alloc(ctx, sizeof(double) * (size_t)(trained + 1));
    s.last = bp__alloc(ctx, sizeof(double) * (size_t)(3 * trained + 1));
    s.kept = bp__alloc(ctx, sizeof(double) * (size_t)size);
    s.direction = bp__alloc(ctx, sizeof(float) * (size_t)(trained + 1));
    s.numbers_of_one = bp__alloc(ctx, sizeof(double) * (size_t)(trained + 1));
    if (net->shard_assigns) s.after = bp__alloc(ctx, net->state->bytes + 1);
    bool room = s.w && s.last && s.kept && s.direction && s.numbers_of_one && (s.after || !net->shard_assigns);
    bp_status status = room ? go(&s, trained, size, out) : bp__out_of_memory(ctx, sizeof(double) * (size_t)size);
    bp__free(ctx, s.w);
    bp__free(ctx, s.last);
    bp__free(ctx, s.kept);
    bp__free(ctx, s.direction);
    bp__free(ctx, s.numbers_of_one);
    bp__free(ctx, s.after);
    return status;
}
