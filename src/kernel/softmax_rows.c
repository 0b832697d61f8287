/* Softmax, its logarithm and cross-entropy over the rows of the last axis: cutting into rows; the work is in reduce_body.h, for
   short rows in softmax_short.h. Which of the two does it changes no bit. */
#include "kernel/isa.h"
#include "kernel/walk.h"

typedef struct job {
    const bp__reduce_kernels *kernels;
    const bp__tensor *out, *x, *label, *g, *loss;
    bool log_softmax;
    int64_t n_rows, per_piece;
    bp__softmax_rows rows; /* of all pieces, when they are short */
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

/* Are the first n dimensions of t equally spaced rows? Sets their distance. */
static bool is_spaced(const bp__tensor *t, int n, int64_t *distance) {
    int64_t next = 0;
    bool any = false;
    *distance = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (t->dim[i] == 1) continue;
        if (!any)
            *distance = t->stride[i];
        else if (t->stride[i] != next)
            return false;
        next = t->dim[i] * t->stride[i], any = true;
    }
    return true;
}

/* Fills j->rows, when all that is read and written is equally spaced. */
static bool prepare_short(job *j) {
    const bp__tensor *x = j->x, *out = j->out, *label = j->label;
    const int last = x->n_dims - 1;
    bp__softmax_rows *r = &j->rows;
    *r = (bp__softmax_rows){.x = x->data, .n = x->dim[last], .x_stride = x->stride[last], .log_softmax = j->log_softmax};
    if (r->n > BP__SHORT_ROW || !is_spaced(x, last, &r->x_row)) return false;
    if (out) {
        r->out = out->data, r->out_stride = out->stride[last];
        if (!is_spaced(out, last, &r->out_row)) return false;
    }
    if (!label) return true;
    r->label = label->data;
    if (!is_spaced(label, label->n_dims, &r->label_row)) return false;
    if (j->loss) r->loss = j->loss->data;
    if (j->loss && !is_spaced(j->loss, label->n_dims, &r->loss_row)) return false;
    if (out) r->g = j->g->data;
    return !out || is_spaced(j->g, label->n_dims, &r->g_row);
}

static void short_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    bp__softmax_rows r = j->rows;
    const int64_t first = piece * j->per_piece;
    r.n_rows = BP__MIN(j->per_piece, j->n_rows - first);
    r.x = bp__at(j->x, first * r.x_row);
    if (r.out) r.out = bp__at(j->out, first * r.out_row);
    if (r.label) r.label = bp__at(j->label, first * r.label_row);
    if (r.loss) r.loss = bp__at(j->loss, first * r.loss_row);
    if (r.g) r.g = bp__at(j->g, first * r.g_row);
    j->kernels->softmax_rows(&r);
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
    if (j->n_rows > 2 && prepare_short(j)) piece = short_piece;   /* a tile with one row of W costs more than the row */
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
