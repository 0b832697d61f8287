/* Reductions by the 16-lane rule over any axes of any strides, or of a matrix in panels. */
#include "kernel/isa.h"
#include "kernel/transpose.h"
#include <math.h>
#include <string.h>

enum { SMALL = 32768, GATHER = 1024, TRANSPOSE = 4096 };

typedef struct axis {
    int64_t n, in, out; /* size, strides */
} axis;
typedef struct job {
    bp__reduce_op op;
    bp_dtype in_type, out_type;
    const bp__reduce_kernels *kernels; /* NULL: integers */
    const char *in;
    char *out;
    int64_t in_size, out_size;
    axis kept[BP__MAX_DIMS], reduced[BP__MAX_DIMS];
    int n_kept, n_reduced;
    int64_t n_out, n_in; /* products of the sizes: of kept, of reduced */
    int64_t per_piece;
    const bp__tensor *panels; /* in, when it is in panels */
} job;

static double load_f64(const job *j, int64_t at) {
    switch (j->in_type) {
    case BP_F32: return ((const float *)(const void *)j->in)[at];
    case BP_F64: return ((const double *)(const void *)j->in)[at];
    default: return 0;
    }
}
static int64_t load_i64(const job *j, int64_t at) {
    switch (j->in_type) {
    case BP_I32: return ((const int32_t *)(const void *)j->in)[at];
    case BP_I64: return ((const int64_t *)(const void *)j->in)[at];
    case BP_U8: return ((const uint8_t *)j->in)[at];
    case BP_F32:
    case BP_F64: return load_f64(j, at) != 0; /* all, any */
    }
    return 0;
}
static void store_i64(const job *j, int64_t at, int64_t x) {
    switch (j->out_type) {
    case BP_F32: ((float *)(void *)j->out)[at] = (float)x; return;
    case BP_F64: ((double *)(void *)j->out)[at] = (double)x; return;
    case BP_I32: ((int32_t *)(void *)j->out)[at] = (int32_t)x; return;
    case BP_I64: ((int64_t *)(void *)j->out)[at] = x; return;
    case BP_U8: ((uint8_t *)j->out)[at] = (uint8_t)x; return;
    }
}

/* Offset of element `index` (row-major) of some axes. */
static int64_t offset(const axis *axes, int n, int64_t index, bool out) {
    int64_t at = 0;
    for (int i = n - 1; i >= 0; i--) {
        int64_t step = out ? axes[i].out : axes[i].in;
        at += index % axes[i].n * step;
        index /= axes[i].n;
    }
    return at;
}

static void start_lanes(const job *j, void *lanes) {
    static const double start[] = {[BP__SUM] = 0, [BP__MAX] = -(double)INFINITY, [BP__MIN] = (double)INFINITY, [BP__PROD] = 1};
    for (int i = 0; i < BP__LANES; i++) {
        if (j->in_type == BP_F32)
            ((float *)lanes)[i] = (float)start[j->op];
        else
            ((double *)lanes)[i] = start[j->op];
    }
}

/* Integers (and truth values): the order does not matter, wrapping is two's complement. */
static void integer_element(const job *j, int64_t in, int64_t out) {
    uint64_t acc = j->op == BP__PROD || j->op == BP__ALL ? 1 : 0;
    if (j->op == BP__MAX) acc = (uint64_t)INT64_MIN;
    if (j->op == BP__MIN) acc = (uint64_t)INT64_MAX;
    for (int64_t i = 0; i < j->n_in; i++) {
        int64_t x = load_i64(j, in + offset(j->reduced, j->n_reduced, i, false));
        switch (j->op) {
        case BP__SUM: acc += (uint64_t)x; break;
        case BP__PROD: acc *= (uint64_t)x; break;
        case BP__MAX: acc = x > (int64_t)acc ? (uint64_t)x : acc; break;
        case BP__MIN: acc = x < (int64_t)acc ? (uint64_t)x : acc; break;
        case BP__ALL: acc = acc && x; break;
        case BP__ANY: acc = acc || x; break;
        }
    }
    store_i64(j, out, (int64_t)acc);
}

/* Lanes fed with elements that come in order from anywhere. */
typedef struct stream {
    const job *j;
    int64_t n;
    double lanes[BP__LANES], buffer[GATHER]; /* of the job's type */
} stream;
static void flush(stream *s) {
    s->j->kernels->accumulate(s->j->op, s->lanes, s->buffer, 1, s->n, 0);
    s->n = 0;
}
static void push(stream *s, const char *p, int64_t n, int64_t stride) {
    while (n > 0) {
        int64_t m = BP__MIN(n, GATHER - s->n);
        if (s->j->in_size == 4) {
            float *to = (float *)s->buffer + s->n;
            const float *from = (const float *)(const void *)p;
            for (int64_t i = 0; i < m; i++) to[i] = from[i * stride];
        } else {
            double *to = s->buffer + s->n;
            const double *from = (const double *)(const void *)p;
            for (int64_t i = 0; i < m; i++) to[i] = from[i * stride];
        }
        s->n += m, n -= m, p += m * stride * s->j->in_size;
        if (s->n == GATHER) flush(s);
    }
}
static void finish(stream *s, char *out) {
    if (s->n) flush(s);
    s->j->kernels->fold(s->j->op, out, s->lanes);
}

/* One element of the result, from strided input. */
static void float_element(const job *j, int64_t in, int64_t out) {
    const axis *last = &j->reduced[j->n_reduced - 1];
    const char *p = j->in + in * j->in_size;
    char *to = j->out + out * j->out_size;
    const bool alone = j->n_reduced == 1, pair = j->n_reduced == 2 && last->n % BP__LANES == 0;
    if (last->in == 1 && (alone || pair)) {
        double lanes[BP__LANES];
        start_lanes(j, lanes);
        j->kernels->accumulate(j->op, lanes, p, alone ? 1 : j->reduced[0].n, last->n, alone ? 0 : j->reduced[0].in);
        j->kernels->fold(j->op, to, lanes);
        return;
    }
    stream s;
    s.j = j, s.n = 0;
    start_lanes(j, s.lanes);
    for (int64_t i = 0; i < j->n_in; i += last->n)
        push(&s, p + offset(j->reduced, j->n_reduced - 1, i / last->n, false) * j->in_size, last->n, last->in);
    finish(&s, to);
}

static void elements_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    int64_t end = BP__MIN((piece + 1) * j->per_piece, j->n_out);
    for (int64_t i = piece * j->per_piece; i < end; i++) {
        int64_t in = offset(j->kept, j->n_kept, i, false), out = offset(j->kept, j->n_kept, i, true);
        if (j->kernels)
            float_element(j, in, out);
        else
            integer_element(j, in, out);
    }
}

/* Neighbouring results at once: the last kept axis is contiguous, per_piece columns of it a piece. */
static void columns_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const axis *last = &j->kept[j->n_kept - 1];
    int64_t n_parts = (last->n + j->per_piece - 1) / j->per_piece, outer = piece / n_parts,
            first = piece % n_parts * j->per_piece;
    int64_t in = offset(j->kept, j->n_kept - 1, outer, false) + first, out = offset(j->kept, j->n_kept - 1, outer, true) + first;
    j->kernels->columns(j->op, j->out + out * j->out_size, j->in + in * j->in_size, j->reduced[0].n, j->reduced[0].in,
                        BP__MIN(j->per_piece, last->n - first));
}

static void run(const bp__env *env, job *j, int64_t n_pieces, bp__piece piece) {
    if (!env->team || (double)j->n_in * (double)j->n_out < SMALL)
        for (int64_t i = 0; i < n_pieces; i++) piece(j, i, 0);
    else
        bp__team_run(env->team, n_pieces, piece, j);
}

/* ---- Panels: element (c, r) at ((c / 32) * rows + r) * 32 + c % 32 --------------------------------------------------------- */
static void panel_column_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    int64_t rows = j->panels->dim[1], first = piece * BP__PANEL, n = BP__MIN(BP__PANEL, j->panels->dim[0] - first);
    double out[BP__PANEL];
    j->kernels->columns(j->op, out, j->in + first * rows * j->in_size, rows, BP__PANEL, n);
    for (int64_t i = 0; i < n; i++)
        memcpy(j->out + (first + i) * j->kept[0].out * j->out_size, (char *)out + i * j->in_size, (size_t)j->in_size);
}
static void panel_row_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    int64_t rows = j->panels->dim[1], cols = j->panels->dim[0], whole = cols / BP__PANEL;
    int64_t end = BP__MIN((piece + 1) * j->per_piece, rows);
    for (int64_t r = piece * j->per_piece; r < end; r++) {
        const char *p = j->in + r * BP__PANEL * j->in_size;
        double lanes[BP__LANES];
        start_lanes(j, lanes);
        j->kernels->accumulate(j->op, lanes, p, whole, BP__PANEL, rows * BP__PANEL);
        for (int64_t c = whole * BP__PANEL; c < cols; c += BP__LANES)
            j->kernels->accumulate(j->op, lanes, p + (whole * rows * BP__PANEL + c % BP__PANEL) * j->in_size, 1,
                                   BP__MIN(BP__LANES, cols - c), 0);
        j->kernels->fold(j->op, j->out + r * j->kept[0].out * j->out_size, lanes);
    }
}
/* All of it: columns one after the other, some at a time turned into rows. */
static void panel_all(const job *j) {
    int64_t rows = j->panels->dim[1], cols = j->panels->dim[0];
    double turned[TRANSPOSE];
    int64_t group = rows > 0 ? BP__MIN(TRANSPOSE / rows, BP__PANEL) : 0;
    stream s;
    s.j = j, s.n = 0;
    start_lanes(j, s.lanes);
    for (int64_t c = 0; c < cols && rows > 0;) {
        const char *p = j->in + (c / BP__PANEL * rows * BP__PANEL + c % BP__PANEL) * j->in_size;
        int64_t n = BP__MIN(BP__MAX(group, 1), BP__MIN(BP__PANEL - c % BP__PANEL, cols - c));
        if (group == 0) {
            push(&s, p, rows, BP__PANEL);
        } else {
            if (j->in_size == 4)
                bp__transpose_f32((float *)turned, rows, (const float *)(const void *)p, BP__PANEL, rows, n);
            else
                bp__transpose_f64(turned, rows, (const double *)(const void *)p, BP__PANEL, rows, n);
            if (s.n == 0 && n * rows % BP__LANES == 0)
                j->kernels->accumulate(j->op, s.lanes, turned, 1, n * rows, 0);
            else
                push(&s, (const char *)turned, n * rows, 1);
        }
        c += n;
    }
    finish(&s, j->out);
}

static void reduce_panels(const bp__env *env, job *j, uint32_t axes, const bp__tensor *out, const bp__tensor *in) {
    j->panels = in;
    int64_t rows = in->dim[1], cols = in->dim[0];
    j->n_out = axes & 1 ? rows : cols, j->n_in = axes & 1 ? cols : rows;
    j->kept[0].out = out->stride[axes & 1 ? 1 : 0];
    if ((axes & 3) == 3) {
        panel_all(j);
    } else if (axes & 1) {
        j->per_piece = BP__MAX(SMALL / BP__MAX(cols, 1), 16);
        run(env, j, (rows + j->per_piece - 1) / j->per_piece, panel_row_piece);
    } else
        run(env, j, (cols + BP__PANEL - 1) / BP__PANEL, panel_column_piece);
}

/* all, any: rare enough for plain loops. */
static void truth_panels(const job *j, uint32_t axes, const bp__tensor *out) {
    const int64_t cols = j->panels->dim[0], rows = j->panels->dim[1];
    const int64_t n_c = axes & 1 ? 1 : cols, n_r = axes & 2 ? 1 : rows;
    for (int64_t c0 = 0; c0 < n_c; c0++)
        for (int64_t r0 = 0; r0 < n_r; r0++) {
            bool acc = j->op == BP__ALL;
            for (int64_t c = c0; c < (axes & 1 ? cols : c0 + 1); c++)
                for (int64_t r = r0; r < (axes & 2 ? rows : r0 + 1); r++) {
                    bool x = load_i64(j, (c / BP__PANEL * rows + r) * BP__PANEL + c % BP__PANEL) != 0;
                    acc = j->op == BP__ALL ? acc && x : acc || x;
                }
            store_i64(j, c0 * out->stride[0] + r0 * out->stride[1], acc);
        }
}

/* ---- The driver --------------------------------------------------------------------------------------------------------------
 */
/* Appends an axis; joins it with the one before where that is one run of memory. */
static void append(axis *axes, int *n, axis a) {
    if (a.n == 1) return;
    if (*n > 0) {
        axis *p = &axes[*n - 1];
        if (p->in == a.n * a.in && p->out == a.n * a.out) {
            *p = (axis){p->n * a.n, a.in, a.out};
            return;
        }
    }
    axes[(*n)++] = a;
}

void bp__reduce(const bp__env *env, bp__reduce_op op, uint32_t axes, const bp__tensor *out, const bp__tensor *in) {
    job j = {.op = op, .in_type = in->dtype, .out_type = out->dtype, .in = in->data, .out = out->data, .n_in = 1, .n_out = 1};
    j.in_size = (int64_t)bp_dtype_size(j.in_type), j.out_size = (int64_t)bp_dtype_size(j.out_type);
    if (op != BP__ALL && op != BP__ANY) {
        if (in->dtype == BP_F32) j.kernels = env->isa->f32.reduce;
        if (in->dtype == BP_F64) j.kernels = env->isa->f64.reduce;
    }
    if (in->panels && !j.kernels) {
        j.panels = in;
        truth_panels(&j, axes, out);
        return;
    }
    if (in->panels && (axes & 3) == 0) { /* nothing to reduce: a copy */
        bp__copy(env, out, in);
        return;
    }
    if (in->panels) {
        reduce_panels(env, &j, axes, out, in);
        return;
    }
    for (int i = 0; i < in->n_dims; i++) {
        bool reduced = axes >> i & 1;
        axis a = {in->dim[i], in->stride[i], reduced ? 0 : out->stride[i]};
        if (reduced) {
            j.n_in *= a.n;
            append(j.reduced, &j.n_reduced, a);
        } else {
            j.n_out *= a.n;
            append(j.kept, &j.n_kept, a);
        }
    }
    if (j.n_out == 0) return;
    if (j.n_reduced == 0) j.reduced[j.n_reduced++] = (axis){j.n_in, 1, 0}; /* one element each (or none) */
    if (j.n_in == 0) j.n_reduced = 1, j.reduced[0] = (axis){0, 1, 0};
    const axis *last = j.n_kept > 0 ? &j.kept[j.n_kept - 1] : NULL;
    if (j.kernels && last && last->in == 1 && last->out == 1 && j.n_reduced == 1 && (j.reduced[0].in != 1 || j.n_in < 8)) {
        j.per_piece = BP__MIN(BP__MAX(SMALL / BP__MAX(j.n_in, 1) / 64 * 64, 64), last->n);
        run(env, &j, j.n_out / last->n * ((last->n + j.per_piece - 1) / j.per_piece), columns_piece);
        return;
    }
    j.per_piece = BP__MAX(SMALL / BP__MAX(j.n_in, 1), 1);
    run(env, &j, (j.n_out + j.per_piece - 1) / j.per_piece, elements_piece);
}
