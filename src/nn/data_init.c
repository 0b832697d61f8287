/* Initialisers that look at the data: after the ordinary start they change weights and biases, layer after layer in the order of
   the model, until the layer's outputs on a first batch are as wanted. All means and variances are sums in double in one order.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math64.h"
#include "core/rng.h"
#include "graph/plan.h"
#include "nn/layers.h"

typedef struct fitting {
    bp_context *ctx;
    bp_state *state;
    bp_session *session;
    const bp__nn_parameter *p;
    int index;     /* of its output in the program */
    const void *y; /* the output of the last run … */
    bool f64;      /* … its type, and as [outer, units, inner] */
    int64_t outer, units, inner;
    void *values; /* of the tensor, as f32 or f64 */
    int64_t n;
} fitting;

bool bp__nn_needs_data(const bp__nn *nn) {
    for (int64_t i = 0; i < bp__nn_n_parameters(nn); i++)
        if (bp__nn_parameter_at(nn, i)->init.fit) return true;
    return false;
}

static double get(const void *values, bool f64, int64_t i) {
    return f64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}
static void set(void *values, bool f64, int64_t i, double v) {
    if (f64)
        ((double *)values)[i] = v;
    else
        ((float *)values)[i] = (float)v;
}
static double output(const fitting *f, int64_t outer, int64_t unit, int64_t inner) {
    return get(f->y, f->f64, (outer * f->units + unit) * f->inner + inner);
}

static bp_status forward(fitting *f) {
    bp_dims d;
    bp_dtype dtype;
    BP_TRY(bp_session_run(f->session));
    BP_TRY(bp_session_output(f->session, f->index, &f->y, &dtype, &d));
    f->f64 = dtype == BP_F64;
    /* A weight [units, in] makes the last axis, that of a convolution axis 1. */
    int64_t axis = bp_value_dims(f->p->output).n > 2 && f->p->channels ? 1 : d.n - 1;
    f->outer = f->inner = 1;
    for (int64_t i = 0; i < axis; i++) f->outer *= d.dim[i];
    for (int64_t i = axis + 1; i < d.n; i++) f->inner *= d.dim[i];
    f->units = d.dim[axis];
    return BP_OK;
}

/* Of the units [first, end); 0 where something is not finite or nothing varies: equal numbers have a mean that is off by
 * rounding. */
static double variance(const fitting *f, int64_t first, int64_t end) {
    double n = (double)(f->outer * f->inner * (end - first)), sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++) {
        double mean = sum / n;
        for (int64_t o = 0; o < f->outer; o++)
            for (int64_t u = first; u < end; u++)
                for (int64_t i = 0; i < f->inner; i++) {
                    double v = output(f, o, u, i);
                    if (pass == 0)
                        sum += v;
                    else
                        squares += (v - mean) * (v - mean);
                }
    }
    double v = n > 0 ? squares / n : 0;
    return v > 1e-12 * (sum / n) * (sum / n) && isfinite(v) ? v : 0;
}

static bp_status load(fitting *f) {
    return bp_state_get(f->state, f->p->name, f->values, (size_t)f->n * (f->f64 ? sizeof(double) : sizeof(float)));
}
static bp_status store(fitting *f) {
    return bp_state_set(f->state, f->p->name, f->values, (size_t)f->n * (f->f64 ? sizeof(double) : sizeof(float)));
}

/* Mishkin, Matas 2016: the whole weight divided by the deviation of the outputs, until their variance is 1 within tol. */
static bp_status lsuv(fitting *f) {
    for (int64_t round = 0; round < (int64_t)f->p->init.d; round++) {
        BP_TRY(forward(f));
        double v = variance(f, 0, f->units);
        if (v == 0 || fabs(v - 1) < f->p->init.c) return BP_OK;
        BP_TRY(load(f));
        for (int64_t i = 0; i < f->n; i++) set(f->values, f->f64, i, get(f->values, f->f64, i) / sqrt(v));
        BP_TRY(store(f));
    }
    return BP_OK;
}

/* RealMLP: each unit's row of the weight divided by the deviation of its output. A unit whose output is the same everywhere is
   scaled by its row's length instead, which keeps a constant input from becoming a huge weight. */
static bp_status unit_variance(fitting *f) {
    BP_TRY(forward(f));
    BP_TRY(load(f));
    int64_t row = f->n / f->units;
    for (int64_t u = 0; u < f->units; u++) {
        double v = variance(f, u, u + 1);
        for (int64_t i = 0; i < row && v == 0; i++) {
            double w = get(f->values, f->f64, u * row + i);
            v -= w * w;
        }
        double by = v != 0 ? sqrt(fabs(v)) : 1;
        for (int64_t i = 0; i < row; i++) set(f->values, f->f64, u * row + i, get(f->values, f->f64, u * row + i) / by);
    }
    return store(f);
}

/* Steinwart 2019: the plane on which a unit is 0 goes through a random point among the data, here a mixture of 5 rows, evenly
   distributed over all mixtures. As the outputs are linear in the inputs, the mixture of the rows' outputs is all that counts. */
static bp_status he_plus(fitting *f, uint64_t seed) {
    enum { ROWS = 5 };
    char role[512];
    snprintf(role, sizeof role, "%s/init", f->p->name);
    BP_TRY(forward(f));
    BP_TRY(load(f));
    int64_t places = f->outer * f->inner;
    for (int64_t u = 0; u < f->units && places > 0; u++) {
        double draws[2 * ROWS], sum = 0, mixed = 0;
        bp__uniform_f64(draws, (bp__stream){seed, bp__stream_id(role), 0}, (uint32_t)u, 0, 2 * ROWS);
        for (int k = 0; k < ROWS; k++) sum += draws[k] = -bp__log64(1 - draws[k]); /* exponentials: even on the simplex */
        for (int k = 0; k < ROWS; k++) {
            int64_t place = (int64_t)(draws[ROWS + k] * (double)places);
            mixed += draws[k] / sum * output(f, place / f->inner, u, place % f->inner);
        }
        if (sum > 0 && isfinite(mixed)) set(f->values, f->f64, u, get(f->values, f->f64, u) - mixed);
    }
    return store(f);
}

static bp_status fit_one(fitting *f, uint64_t seed) {
    bp_dims d = bp_value_dims(f->p->value);
    f->f64 = bp_value_dtype(f->p->value) == BP_F64;
    f->n = 1;
    for (int64_t i = 0; i < d.n; i++) f->n *= d.dim[i];
    f->values = bp__alloc(f->ctx, sizeof(double) * (size_t)f->n);
    if (!f->values) return bp__out_of_memory(f->ctx, sizeof(double) * (size_t)f->n);
    bp_status status = f->p->init.fit == BP__FIT_LSUV   ? lsuv(f)
                       : f->p->init.fit == BP__FIT_UNIT ? unit_variance(f)
                                                        : he_plus(f, seed);
    bp__free(f->ctx, f->values);
    return status;
}

static bp_status fit_all(bp__nn *nn, fitting *f, const char *input, const void *x, const bp_dims *dims, uint64_t seed,
                         bp_program **program, bp_value *outputs) {
    int n = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(nn); i++)
        if (bp__nn_parameter_at(nn, i)->init.fit) outputs[n++] = bp__nn_parameter_at(nn, i)->output;
    BP_TRY(bp_program_new(program, outputs[0].graph, outputs, n, NULL));
    BP_TRY(bp_session_new(&f->session, *program, f->state));
    BP_TRY(bp_session_set(f->session, input, x, dims));
    bp_session_set_step(f->session, seed, 0, 0);
    n = 0;
    for (int64_t i = 0; i < bp__nn_n_parameters(nn); i++) {
        f->p = bp__nn_parameter_at(nn, i);
        if (!f->p->init.fit) continue;
        f->index = n++;
        BP_TRY(fit_one(f, seed));
    }
    return BP_OK;
}

bp_status bp__nn_init_from_data(bp__nn *nn, bp_state *state, const char *input, const void *x, const bp_dims *dims,
                                uint64_t seed) {
    if (!bp__nn_needs_data(nn)) return BP_OK;
    bp_context *ctx = state->ctx;
    bp_program *program = NULL;
    bp_value *outputs = bp__alloc(ctx, sizeof *outputs * (size_t)bp__nn_n_parameters(nn));
    if (!outputs) return bp__out_of_memory(ctx, 0);
    fitting f = {.ctx = ctx, .state = state};
    bp_status status = fit_all(nn, &f, input, x, dims, seed, &program, outputs);
    bp_session_free(f.session);
    bp_program_free(program);
    bp__free(ctx, outputs);
    return status;
}
