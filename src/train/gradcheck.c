/* The gradients of the user's model, checked against differences of its loss, in double precision and on a few rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "io/json.h"
#include "train/train.h"

enum { ROWS = 8, ELEMENTS = 24 }; /* rows in the batch; elements tried of each parameter, spread evenly */
static const double step = 1e-5, tolerance = 1e-5;

/* A copy of the model in double precision whose program gives the loss and all gradients. Evaluation form: dropout is off, so
   that the loss is a function of the parameters alone. */
typedef struct checked {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp_state *state;
    bp_program *program;
    bp_session *session;
    bp_value *outputs; /* the loss, then the gradient of each parameter */
    int64_t n;
} checked;

static bp_status build(checked *c, const bp__decided *d) {
    const bp__prep *p = d->data->prep;
    bp_dims x_dims = {.n = 1 + p->rank, .dim = {BP_BATCH}};
    for (int i = 0; i < p->rank; i++) x_dims.dim[i + 1] = p->shape[i];
    BP_TRY(bp_graph_new(&c->g, c->ctx));
    bp_graph_set_dtype(c->g, BP_F64);
    BP_TRY(bp__nn_new(&c->nn, c->g));
    bp_value x = bp_input(c->g, "x", BP_F64, x_dims), y, rows, mean;
    bp_value target = p->task == BP__CLASSIFICATION ? bp_input(c->g, "label", BP_I64, bp_shape(1, BP_BATCH))
                                                    : bp_input(c->g, "y", BP_F64, bp_shape(2, BP_BATCH, p->n_targets));
    bp__nn_options o = {
        .nn = c->nn, .layers = d->model, .file = d->s.file, .n_outputs = bp__loss_outputs(&d->loss, p), .dropout_scale = BP_NONE};
    BP_TRY(bp__nn_build(c->g, &o, x, &y));
    bp__loss_build(&d->loss, y, target, BP_NONE, &rows, &mean);
    int64_t n = bp__nn_n_parameters(c->nn);
    c->outputs = bp__alloc(c->ctx, sizeof(bp_value) * (size_t)(2 * n + 1));
    if (!c->outputs) return bp__out_of_memory(c->ctx, 0);
    bp_value *wrt = c->outputs + n + 1;
    c->outputs[0] = mean;
    for (int64_t i = 0; i < n; i++)
        if (bp__nn_parameter_at(c->nn, i)->trainable) wrt[c->n++] = bp__nn_parameter_at(c->nn, i)->value;
    bp_gradients(c->outputs + 1, &mean, NULL, 1, wrt, (int)c->n);
    BP_TRY(bp_graph_status(c->g));
    uint64_t before = bp__context_seed(c->ctx);
    bp__context_set_seed(c->ctx, d->s.seed);
    bp_status status = bp_state_new(&c->state, c->g);
    bp__context_set_seed(c->ctx, before);
    BP_TRY(status);
    BP_TRY(bp_program_new(&c->program, c->g, c->outputs, (int)c->n + 1, NULL));
    return bp_session_new(&c->session, c->program, c->state);
}

static void close_checked(checked *c) {
    bp_session_free(c->session);
    bp_program_free(c->program);
    bp_state_free(c->state);
    bp__nn_free(c->nn);
    bp__free(c->ctx, c->outputs);
    bp_graph_free(c->g);
}

/* A few training rows, as double. */
static bp_status feed(checked *c, const bp__decided *d, double *x, int64_t *label, double *y, int64_t n) {
    const bp__dataset *data = d->data;
    const bp__prep *p = data->prep;
    for (int64_t i = 0; i < n; i++) {
        int64_t r = data->train.rows[i * data->train.n_rows / n];
        for (int64_t k = 0; k < data->sample_size; k++) {
            double v = bp__dataset_x(data, r * data->sample_size + k);
            if (data->x_dtype == BP_U8) v *= p->byte_scale;
            x[i * data->sample_size + k] = v;
        }
        if (data->label) label[i] = data->label[r];
        for (int64_t k = 0; data->y && k < data->n_targets; k++) {
            int64_t at = r * data->n_targets + k;
            y[i * data->n_targets + k] =
                data->y_dtype == BP_F64 ? ((const double *)data->y)[at] : (double)((const float *)data->y)[at];
        }
    }
    bp_dims dims = {.n = 1 + p->rank, .dim = {n}}, rows = {1, {n}}, targets = {2, {n, data->n_targets}};
    for (int i = 0; i < p->rank; i++) dims.dim[i + 1] = p->shape[i];
    BP_TRY(bp_session_set(c->session, "x", x, &dims));
    if (data->label) return bp_session_set(c->session, "label", label, &rows);
    return bp_session_set(c->session, "y", y, &targets);
}

static bp_status loss_of(checked *c, double *loss) {
    const void *value;
    BP_TRY(bp_session_run(c->session));
    BP_TRY(bp_session_output(c->session, 0, &value, NULL, NULL));
    *loss = *(const double *)value;
    return BP_OK;
}

typedef struct result {
    double worst, analytic, numeric; /* worst error, and what was compared there */
    int64_t tried, at;
    bool ok;
} result;

/* Compares element after element; errors are relative to the larger of both values and a floor, so that zeros count too. */
static bp_status check_one(checked *c, const char *name, int64_t count, const double *gradient, double *weights, result *r) {
    size_t bytes = sizeof(double) * (size_t)count;
    *r = (result){.ok = true};
    BP_TRY(bp_state_get(c->state, name, weights, bytes));
    int64_t n = BP__MIN(count, ELEMENTS);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i * count / n;
        double old = weights[k], up, down;
        weights[k] = old + step;
        BP_TRY(bp_state_set(c->state, name, weights, bytes));
        BP_TRY(loss_of(c, &up));
        weights[k] = old - step;
        BP_TRY(bp_state_set(c->state, name, weights, bytes));
        BP_TRY(loss_of(c, &down));
        weights[k] = old;
        BP_TRY(bp_state_set(c->state, name, weights, bytes));
        double numeric = (up - down) / (2 * step), size = fmax(fmax(fabs(numeric), fabs(gradient[k])), 1e-3);
        double error = fabs(numeric - gradient[k]) / size;
        r->tried++;
        if (!(error <= r->worst)) { /* a NaN is worst of all */
            r->worst = error;
            r->analytic = gradient[k];
            r->numeric = numeric;
            r->at = k;
        }
        if (!(error <= tolerance)) r->ok = false;
    }
    return BP_OK;
}

static bp_status check_all(checked *c, bp__tree *list, bp__buffer *b, bool *ok) {
    double loss;
    BP_TRY(loss_of(c, &loss));
    double **gradients = bp__zalloc(c->ctx, sizeof(double *) * (size_t)(c->n + 1));
    if (!gradients) return bp__out_of_memory(c->ctx, 0);
    bp_status status = BP_OK;
    int64_t n_params = bp__nn_n_parameters(c->nn), k = 0;
    for (int64_t i = 0; i < c->n && status == BP_OK; i++) { /* the next run overwrites the outputs */
        const void *value;
        bp_dims d;
        status = bp_session_output(c->session, (int)i + 1, &value, NULL, &d);
        int64_t count = 1;
        for (int64_t j = 0; j < d.n; j++) count *= d.dim[j];
        if (status == BP_OK && !(gradients[i] = bp__alloc(c->ctx, 2 * sizeof(double) * (size_t)count)))
            status = bp__out_of_memory(c->ctx, 0);
        if (status == BP_OK) memcpy(gradients[i], value, sizeof(double) * (size_t)count);
    }
    bp__buffer_printf(b, "%-24s %8s %14s %14s %10s\n", "parameter", "tried", "analytic", "numeric", "error");
    for (int64_t i = 0; i < n_params && status == BP_OK; i++) {
        const bp__nn_parameter *q = bp__nn_parameter_at(c->nn, i);
        if (!q->trainable) continue;
        bp_dims d = bp_value_dims(q->value);
        int64_t count = 1;
        for (int64_t j = 0; j < d.n; j++) count *= d.dim[j];
        result r;
        status = check_one(c, q->name, count, gradients[k], gradients[k] + count, &r);
        k++;
        if (status != BP_OK) break;
        *ok = *ok && r.ok;
        bp__buffer_printf(b, "%-24s %8lld %14.6g %14.6g %10.2g %s\n", q->name, (long long)r.tried, r.analytic, r.numeric, r.worst,
                          r.ok ? "ok" : "WRONG");
        bp__tree *one = bp__tree_new(c->ctx, BP__MAP);
        status = one ? bp__tree_append(c->ctx, list, one) : bp__out_of_memory(c->ctx, 0);
        if (status == BP_OK) status = bp__put_text(c->ctx, one, "name", q->name);
        if (status == BP_OK) status = bp__put_number(c->ctx, one, "error", r.worst);
        if (status == BP_OK) status = bp__put_int(c->ctx, one, "tried", r.tried);
        if (status == BP_OK) status = bp__put(c->ctx, one, "ok", bp__tree_bool(c->ctx, r.ok), NULL);
    }
    for (int64_t i = 0; i < c->n; i++) bp__free(c->ctx, gradients[i]);
    bp__free(c->ctx, gradients);
    return status;
}

static bp_status run(checked *c, const bp__decided *d, bp__tree *root, bp__buffer *b, bool *ok) {
    BP_TRY(build(c, d));
    int64_t n = BP__MIN(ROWS, d->data->train.n_rows);
    double *x = bp__alloc(c->ctx, sizeof(double) * (size_t)(n * d->data->sample_size + 1)),
           *y = bp__alloc(c->ctx, sizeof(double) * (size_t)(n * d->data->n_targets + 1));
    int64_t label[ROWS];
    bp_status status = x && y ? feed(c, d, x, label, y, n) : bp__out_of_memory(c->ctx, 0);
    bp__tree *list = bp__tree_new(c->ctx, BP__LIST);
    if (status == BP_OK)
        status = bp__put(c->ctx, root, "parameters", list, NULL);
    else
        bp__tree_free(c->ctx, list);
    if (status == BP_OK) status = check_all(c, list, b, ok);
    if (status == BP_OK) status = bp__put(c->ctx, root, "ok", bp__tree_bool(c->ctx, *ok), NULL);
    bp__free(c->ctx, x);
    bp__free(c->ctx, y);
    return status;
}

bp_status bp_config_gradcheck(bp_config *cfg, char **text, char **json) {
    bp_context *ctx = cfg->ctx;
    if (text) *text = NULL;
    if (json) *json = NULL;
    bp__decided *d = NULL;
    BP_TRY(bp__decide(&d, cfg, NULL));
    checked c = {.ctx = ctx};
    bool ok = true;
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    bp__tree *root = bp__tree_new(ctx, BP__MAP);
    bp_status status = root ? run(&c, d, root, &b, &ok) : bp__out_of_memory(ctx, 0);
    if (status == BP_OK && text) status = bp__buffer_take(&b, text);
    if (status == BP_OK && json) status = bp__json_write(ctx, root, 0, json);
    bp__buffer_free(&b);
    bp__tree_free(ctx, root);
    close_checked(&c);
    bp__decided_free(d);
    if (status == BP_OK && !ok)
        return bp__fail(ctx, BP_CHECK,
                        "the analytic and the numeric gradients of this model differ: a mistake in an operation, or a kink of "
                        "its functions at these values");
    return status;
}
