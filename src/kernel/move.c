/* Moving without arithmetic: copies with conversion and transposition, and the layout of weights in panels. */
#include "core/rng.h"
#include "kernel/isa.h"
#include "kernel/transpose.h"
#include "kernel/walk.h"
#include <string.h>

/* ---- Conversion of a run ---- */
/* Truncates; what does not fit is clamped, NaN is 0 (C leaves both undefined). */
static int64_t to_integer(double x) {
    if (x != x) return 0;
    if (x >= 9223372036854775807.0) return INT64_MAX;
    return x <= -9223372036854775808.0 ? INT64_MIN : (int64_t)x;
}
#define FROM_FLOAT_I32(x) (int32_t) to_integer((double)(x))
#define FROM_FLOAT_I64(x) to_integer((double)(x))
#define FROM_FLOAT_U8(x) (uint8_t) to_integer((double)(x))
#define LOOP(to_type, from_type, value)                                    \
    {                                                                      \
        to_type *d = to;                                                   \
        const from_type *s = from;                                         \
        for (int64_t i = 0; i < n; i++) d[i * to_step] = (to_type)(value); \
        return;                                                            \
    }
#define TO(from_type, i32, i64, u8)                              \
    switch (to_dtype) {                                          \
    case BP_F32: LOOP(float, from_type, s[i * from_step])        \
    case BP_F64: LOOP(double, from_type, s[i * from_step])       \
    case BP_I32: LOOP(int32_t, from_type, i32(s[i * from_step])) \
    case BP_I64: LOOP(int64_t, from_type, i64(s[i * from_step])) \
    case BP_U8: LOOP(uint8_t, from_type, u8(s[i * from_step]))   \
    }                                                            \
    return;
static void convert(bp_dtype to_dtype, void *to, int64_t to_step, bp_dtype from_dtype, const void *from, int64_t from_step,
                    int64_t n) {
    switch (from_dtype) {
    case BP_F32: TO(float, FROM_FLOAT_I32, FROM_FLOAT_I64, FROM_FLOAT_U8)
    case BP_F64: TO(double, FROM_FLOAT_I32, FROM_FLOAT_I64, FROM_FLOAT_U8)
    case BP_I32: TO(int32_t, , , )
    case BP_I64: TO(int64_t, , , )
    case BP_U8: TO(uint8_t, , , )
    }
}
#undef LOOP
#undef TO

/* ---- Strided copy ---- */
typedef struct axis {
    int64_t n, to, from;
} axis;
typedef struct job {
    const bp__reduce_kernels *kernels; /* of the type that u8 is converted to, or NULL */
    bp_dtype to_dtype, from_dtype;
    int64_t to_size, from_size;
    char *to;
    const char *from;
    axis axes[BP__MAX_DIMS + 1];
    int n_axes; /* the last one is the run */
    int across; /* >= 0: an axis along which `from` is contiguous, while `to` is along the run: transpose */
    int64_t n_runs, per_piece;
} job;

static void starts(const job *j, int64_t index, int skip, char **to, const char **from) {
    *to = j->to, *from = j->from;
    for (int i = j->n_axes - 2; i >= 0; i--) {
        if (i == skip) continue;
        int64_t at = index % j->axes[i].n;
        *to += at * j->axes[i].to * j->to_size, *from += at * j->axes[i].from * j->from_size;
        index /= j->axes[i].n;
    }
}

static void runs_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const axis run = j->axes[j->n_axes - 1];
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_runs); i++) {
        char *to;
        const char *from;
        starts(j, i, -1, &to, &from);
        const bool dense = run.to == 1 && run.from == 1;
        if (dense && j->to_dtype == j->from_dtype)
            memcpy(to, from, (size_t)(run.n * j->to_size));
        else if (dense && j->kernels)
            j->kernels->from_u8(to, (const uint8_t *)from, run.n);
        else
            convert(j->to_dtype, to, run.to, j->from_dtype, from, run.from, run.n);
    }
}

enum { STRIP = 64 }; /* positions along `across` that one item transposes */
static void transpose_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const axis run = j->axes[j->n_axes - 1], across = j->axes[j->across];
    int64_t n_strips = (across.n + STRIP - 1) / STRIP;
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_runs); i++) {
        char *to;
        const char *from;
        int64_t first = i % n_strips * STRIP, k = BP__MIN(STRIP, across.n - first);
        starts(j, i / n_strips, j->across, &to, &from);
        to += first * across.to * j->to_size, from += first * j->from_size;
        if (j->to_size == 4)
            bp__transpose_f32((float *)(void *)to, across.to, (const float *)(const void *)from, run.from, run.n, k);
        else
            bp__transpose_f64((double *)(void *)to, across.to, (const double *)(const void *)from, run.from, run.n, k);
    }
}

void bp__copy(const bp__env *env, const bp__tensor *out, const bp__tensor *in) {
    if (out->panels || in->panels) {
        bp__relayout(env, out, in);
        return;
    }
    job j = {
        .to_dtype = (bp_dtype)out->dtype, .from_dtype = (bp_dtype)in->dtype, .to = out->data, .from = in->data, .across = -1};
    j.to_size = (int64_t)bp_dtype_size(j.to_dtype), j.from_size = (int64_t)bp_dtype_size(j.from_dtype);
    int64_t count = bp__tensor_count(out);
    if (count == 0) return;
    for (int i = 0; i < out->n_dims; i++) {
        if (out->dim[i] == 1) continue;
        axis a = {out->dim[i], out->stride[i], in->stride[i]}, *p = j.n_axes > 0 ? &j.axes[j.n_axes - 1] : NULL;
        if (p && p->to == a.n * a.to && p->from == a.n * a.from)
            *p = (axis){p->n * a.n, a.to, a.from};
        else
            j.axes[j.n_axes++] = a;
    }
    if (j.n_axes == 0) j.axes[j.n_axes++] = (axis){1, 1, 1};
    if (j.from_dtype == BP_U8 && j.to_dtype == BP_F32) j.kernels = env->isa->f32.reduce;
    if (j.from_dtype == BP_U8 && j.to_dtype == BP_F64) j.kernels = env->isa->f64.reduce;
    axis *run = &j.axes[j.n_axes - 1];
    if (j.to_dtype == j.from_dtype && (j.to_dtype == BP_F32 || j.to_dtype == BP_F64) && run->to == 1 && run->from != 1 &&
        run->n > 1)
        for (int i = 0; i < j.n_axes - 1; i++)
            if (j.axes[i].from == 1 && j.axes[i].n > 3) j.across = i;
    if (j.across >= 0) {
        int64_t n = j.axes[j.across].n, strips = (n + STRIP - 1) / STRIP;
        j.n_runs = count / run->n / n * strips;
        bp__walk_run(env, j.n_runs, run->n * BP__MIN(n, STRIP), &j.per_piece, transpose_piece, &j);
        return;
    }
    if (run->n >= 2 * BP__PIECE_WORK && run->n % BP__PIECE_WORK == 0) { /* long runs are cut, so that threads can share them */
        j.axes[j.n_axes] = (axis){BP__PIECE_WORK, run->to, run->from};
        *run = (axis){run->n / BP__PIECE_WORK, run->to * BP__PIECE_WORK, run->from * BP__PIECE_WORK};
        run = &j.axes[j.n_axes++];
    }
    j.n_runs = count / run->n;
    bp__walk_run(env, j.n_runs, run->n, &j.per_piece, runs_piece, &j);
}

/* ---- Panels ---- */
/* Everything is seen as the matrix X [rows, columns] whose panels run over columns: a tensor with panels 1 is its transpose. */
typedef struct side {
    void *data;
    int64_t row, col; /* of X; when not panels */
    bool panels;      /* panels of 32 columns of X */
    bool turned;      /* panels of 32 rows of X (panels of the transpose) */
} side;
typedef struct relayout {
    side to, from;
    int64_t rows, cols, size, per_piece;
} relayout;

static side side_of(const bp__tensor *t, bool turned) {
    side s = {.data = t->data};
    int row = turned ? 1 : 0, col = 1 - row;
    if (!t->panels) {
        s.row = t->stride[row], s.col = t->stride[col];
    } else {
        bool columns_are_dim_0 = t->panels == 1; /* the panels run over dimension 0 (1) or 1 (2) */
        s.panels = columns_are_dim_0 == (col == 0);
        s.turned = !s.panels;
    }
    return s;
}

/* Rows [r, r + 32) of X of a side, panel of columns c: pointer and strides. */
static char *corner(const relayout *x, const side *s, int64_t r, int64_t c, int64_t *row, int64_t *col) {
    int64_t at;
    if (s->panels) {
        at = (c / BP__PANEL * x->rows + r) * BP__PANEL, *row = BP__PANEL, *col = 1;
    } else if (s->turned) {
        at = (r / BP__PANEL * x->cols + c) * BP__PANEL, *row = 1, *col = BP__PANEL;
    } else
        at = r * s->row + c * s->col, *row = s->row, *col = s->col;
    return (char *)s->data + at * x->size;
}

/* n runs of m elements */
static void move_block(int64_t size, char *to, int64_t to_row, int64_t to_col, const char *from, int64_t from_row,
                       int64_t from_col, int64_t rows, int64_t cols) {
    if (to_col == 1 && from_col == 1) {
        for (int64_t r = 0; r < rows; r++) memcpy(to + r * to_row * size, from + r * from_row * size, (size_t)(cols * size));
    } else if (to_row == 1 && from_row == 1) {
        for (int64_t c = 0; c < cols; c++) memcpy(to + c * to_col * size, from + c * from_col * size, (size_t)(rows * size));
    } else if (size == 4 && to_col == 1 && from_row == 1) {
        bp__transpose_f32((float *)(void *)to, to_row, (const float *)(const void *)from, from_col, cols, rows);
    } else if (size == 8 && to_col == 1 && from_row == 1) {
        bp__transpose_f64((double *)(void *)to, to_row, (const double *)(const void *)from, from_col, cols, rows);
    } else if (size == 4 && to_row == 1 && from_col == 1) {
        bp__transpose_f32((float *)(void *)to, to_col, (const float *)(const void *)from, from_row, rows, cols);
    } else if (size == 8 && to_row == 1 && from_col == 1) {
        bp__transpose_f64((double *)(void *)to, to_col, (const double *)(const void *)from, from_row, rows, cols);
    } else
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++)
                memcpy(to + (r * to_row + c * to_col) * size, from + (r * from_row + c * from_col) * size, (size_t)size);
}

/* One square of 32 rows and 32 columns of X, with the pads that lie behind it. */
static void square(const relayout *x, int64_t r, int64_t c) {
    int64_t to_row, to_col, from_row, from_col;
    char *to = corner(x, &x->to, r, c, &to_row, &to_col);
    const char *from = corner(x, &x->from, r, c, &from_row, &from_col);
    int64_t rows = BP__MIN(BP__PANEL, x->rows - r), cols = BP__MIN(BP__PANEL, x->cols - c);
    move_block(x->size, to, to_row, to_col, from, from_row, from_col, rows, cols);
    if (x->to.panels && cols < BP__PANEL)
        for (int64_t i = 0; i < rows; i++)
            memset(to + (i * BP__PANEL + cols) * x->size, 0, (size_t)((BP__PANEL - cols) * x->size));
    if (x->to.turned && rows < BP__PANEL)
        for (int64_t i = 0; i < cols; i++)
            memset(to + (i * BP__PANEL + rows) * x->size, 0, (size_t)((BP__PANEL - rows) * x->size));
}

static void strip_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const relayout *x = arg;
    int64_t n_strips = (x->cols + BP__PANEL - 1) / BP__PANEL;
    for (int64_t i = piece * x->per_piece; i < BP__MIN((piece + 1) * x->per_piece, n_strips); i++)
        for (int64_t r = 0; r < x->rows; r += BP__PANEL) square(x, r, i * BP__PANEL);
}

void bp__relayout(const bp__env *env, const bp__tensor *to, const bp__tensor *from) {
    /* X: what one of the sides has panels of. */
    bool turned = (to->panels ? to->panels : from->panels) == 1;
    relayout x = {.to = side_of(to, turned), .from = side_of(from, turned), .size = (int64_t)bp_dtype_size((bp_dtype)to->dtype)};
    x.rows = to->dim[turned ? 1 : 0], x.cols = to->dim[turned ? 0 : 1];
    if (x.rows == 0 || x.cols == 0) return;
    bp__walk_run(env, (x.cols + BP__PANEL - 1) / BP__PANEL, x.rows * BP__PANEL, &x.per_piece, strip_piece, &x);
}

/* ---- Random numbers ---- */
typedef struct fill {
    const bp__env *env;
    const bp__reduce_kernels *kernels;
    const bp__tensor *out;
    uint32_t stream;
    int64_t rows, length, per_piece;
} fill;

static void fill_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const fill *f = arg;
    for (int64_t i = piece * f->per_piece; i < BP__MIN((piece + 1) * f->per_piece, f->rows); i++)
        f->kernels->uniform(bp__at(f->out, i * f->length), f->env->seed, f->env->step, f->stream,
                            (uint32_t)(f->env->first_row + i), f->length);
}

void bp__fill_uniform(const bp__env *env, uint32_t stream, const bp__tensor *out) {
    int64_t count = bp__tensor_count(out);
    if (count == 0) return;
    fill f = {.env = env, .out = out, .stream = stream, .rows = out->n_dims > 0 ? out->dim[0] : 1};
    f.kernels = out->dtype == BP_F32 ? env->isa->f32.reduce : env->isa->f64.reduce;
    f.length = count / f.rows;
    bp__walk_run(env, f.rows, 4 * f.length, &f.per_piece, fill_piece, &f);
}

static void normal_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const fill *f = arg;
    const bp__stream s = {.seed = f->env->seed, .step = f->env->step, .stream = f->stream};
    for (int64_t i = piece * f->per_piece; i < BP__MIN((piece + 1) * f->per_piece, f->rows); i++) {
        const uint32_t row = (uint32_t)(f->env->first_row + i);
        if (f->out->dtype == BP_F64) {
            bp__normal_f64(bp__at(f->out, i * f->length), s, row, 0, f->length);
            continue;
        }
        float *to = bp__at(f->out, i * f->length);
        double part[64];
        for (int64_t k = 0; k < f->length; k += 64) {
            int64_t n = BP__MIN(64, f->length - k);
            bp__normal_f64(part, s, row, k, n);
            for (int64_t e = 0; e < n; e++) to[k + e] = (float)part[e];
        }
    }
}

void bp__fill_normal(const bp__env *env, uint32_t stream, const bp__tensor *out) {
    int64_t count = bp__tensor_count(out);
    if (count == 0) return;
    fill f = {.env = env, .out = out, .stream = stream, .rows = out->n_dims > 0 ? out->dim[0] : 1};
    f.length = count / f.rows;
    bp__walk_run(env, f.rows, 16 * f.length, &f.per_piece, normal_piece, &f);
}
