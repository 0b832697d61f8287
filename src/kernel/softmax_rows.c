/* Softmax, its logarithm and cross-entropy over the rows of the last axis: cutting into rows; the work is in reduce_body.h. */
#include "kernel/isa.h"
#include "kernel/walk.h"

typedef struct job {
    const bp__reduce_kernels *kernels;
    const bp__tensor *out, *x, *label, *g, *loss;
    bool log_softmax;
    int64_t n_rows, per_piece;
} job;

static const bp__reduce_kernels *kernels_of(const bp__env *env, const bp__tensor *x) {
    return x->dtype == BP_F32 ? env->isa->f32.reduce : env->isa->f64.reduce;
}
static double load(const bp__tensor *t, int64_t offset) {
    const void *p = bp__at(t, offset);
    return t->dtype == BP_F32 ? (double)*(const float *)p : *(const double *)p;
}
static void store_zero(const bp__tensor *t, int64_t offset) {
    void *p = bp__at(t, offset);
    if (t->dtype == BP_F32)
        *(float *)p = 0;
    else
        *(double *)p = 0;
}

static bp__softmax_row row_of(const job *j, int64_t i) {
    const bp__tensor *x = j->x;
    int last = x->n_dims - 1;
    bp__softmax_row r = {.n = x->dim[last], .x_stride = x->stride[last], .log_softmax = j->log_softmax};
    r.x = bp__at(x, bp__walk_offset(x, x, last, i));
    if (j->out) r.out = bp__at(j->out, bp__walk_offset(j->out, x, last, i)), r.out_stride = j->out->stride[last];
    return r;
}

static void softmax_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_rows); i++) {
        bp__softmax_row r = row_of(j, i);
        j->kernels->softmax(&r);
    }
}

static void entropy_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_rows); i++) {
        bp__softmax_row r = row_of(j, i);
        r.label = *(const int64_t *)bp__at(j->label, bp__walk_offset(j->label, j->label, -1, i));
        int64_t loss = j->loss ? bp__walk_offset(j->loss, j->label, -1, i) : 0;
        if (r.label < 0 || r.label >= r.n) { /* a row that does not count */
            if (j->loss) store_zero(j->loss, loss);
            if (j->out)
                for (int64_t c = 0; c < r.n; c++)
                    store_zero(j->out, bp__walk_offset(j->out, j->x, j->x->n_dims - 1, i) + c * r.out_stride);
            continue;
        }
        r.loss = j->loss ? bp__at(j->loss, loss) : NULL;
        r.gradient = j->out != NULL;
        if (r.gradient) r.g = load(j->g, bp__walk_offset(j->g, j->label, -1, i));
        j->kernels->softmax(&r);
    }
}

static void run(const bp__env *env, job *j, bp__piece piece) {
    const bp__tensor *x = j->x;
    if (x->n_dims < 1 || bp__tensor_count(x) == 0) return;
    j->kernels = kernels_of(env, x);
    int64_t n = x->dim[x->n_dims - 1];
    j->n_rows = bp__tensor_count(x) / n;
    bp__walk_run(env, j->n_rows, 4 * n, &j->per_piece, piece, j); /* an exponential costs several moves */
}

void bp__softmax(const bp__env *env, bool log_softmax, const bp__tensor *out, const bp__tensor *in) {
    job j = {.out = out, .x = in, .log_softmax = log_softmax};
    run(env, &j, softmax_piece);
}

void bp__softmax_xent(const bp__env *env, const bp__tensor *loss, const bp__tensor *d, const bp__tensor *x,
                      const bp__tensor *label, const bp__tensor *g) {
    job j = {.out = d, .x = x, .label = label, .g = g, .loss = loss};
    run(env, &j, entropy_piece);
}
