/* Convolution and its input gradient without im2col. One image's channels are copied into planes with zero margins; a kernel tap
   is then the same planes seen from another offset, and all taps together are one batch-reduce product: rows are the channels
   made, columns the places of a plane in storage order (a few of them, behind the ends of rows, are thrown away). A stride cuts
   the planes into phases, so that neighbours in the output are neighbours in storage: of the input going forward, of the gradient
   that is made going backward. */
#include "kernel/conv.h"
#include "kernel/isa.h"
#include <string.h>

enum {
    SMALL = 65536, /* fewer multiply-adds stay on the caller's thread */
    FEW = 4,       /* fewer images than this: the threads share each product instead */
    MAX_PIECES = 64,
    ROUND = 16 /* columns are a multiple of this: whole vectors on every instruction set */
};

/* One product: all taps that reach the places of one phase. */
typedef struct sweep {
    int64_t first_tap, n_taps; /* in the lists of offsets */
    int64_t from[2], n[2];     /* places first[…] … of the phase's grid */
    int64_t phase[2];
    int64_t out; /* of the first place in a plane of the output */
} sweep;

typedef struct engine {
    const bp__conv *c;
    const bp__env *env;
    bool backward, direct, line, inside;
    int64_t size;               /* of an element */
    int64_t m, k;               /* channels of a group: made, summed */
    int64_t source[2], made[2]; /* planes read, planes written */
    int64_t step[2], shift[2];  /* place q of phase a in the copy is row q * step + a - shift of the source */
    int64_t grid[2];            /* of one phase in the copy */
    int64_t n_sweeps, out_step[2];
    int64_t n_units, n_pieces; /* an image of a group is a unit of work */
    int64_t channel;           /* elements from channel to channel of the copy */
    int64_t copy_bytes, buffer_bytes, gemm_bytes;
    /* shared scratch */
    sweep *sweeps;
    int64_t *a_offset, *b_offset;
    char *weight, *per_thread;
    const char *from, *bias;
    char *to;
} engine;

static int64_t align(int64_t bytes) { return (bytes + 127) / 128 * 128; }
static int64_t divide_down(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
static int64_t divide_up(int64_t a, int64_t b) { return divide_down(a + b - 1, b); }

/* Taps of axis d that fall into phase `phase`; all of them going forward. */
static bool tap_counts(const engine *e, int d, int64_t tap, int64_t phase) {
    return !e->backward || tap * e->c->dilation[d] % e->c->stride[d] == phase;
}

static sweep make_sweep(const engine *e, int64_t index) {
    const bp__conv *c = e->c;
    sweep s = {.n_taps = 1, .n = {c->out[0], c->out[1]}};
    int64_t start[2] = {0, 0};
    for (int d = 0; d < 2; d++) {
        s.phase[d] = !e->backward ? 0 : d == 0 ? index / c->stride[1] : index % c->stride[1];
        if (e->backward) {
            int64_t last = divide_down(c->in[d] - 1 + c->padding[d] - s.phase[d], c->stride[d]);
            s.from[d] = divide_up(c->padding[d] - s.phase[d], c->stride[d]);
            s.n[d] = BP__MAX(last - s.from[d] + 1, 0);
            start[d] = s.from[d] * c->stride[d] + s.phase[d] - c->padding[d];
        }
        int64_t taps = 0;
        for (int64_t i = 0; i < c->kernel[d]; i++) taps += tap_counts(e, d, i, s.phase[d]);
        s.n_taps *= taps;
    }
    s.out = start[0] * e->made[1] + start[1];
    return s;
}

static int64_t columns(const engine *e, const sweep *s) {
    int64_t n = s->n[0] > 0 && s->n[1] > 0 ? (s->n[0] - 1) * e->grid[1] + s->n[1] : 0;
    return e->direct ? n : (n + ROUND - 1) / ROUND * ROUND;
}

/* Do the columns lie in the output as the product makes them? */
static bool straight(const engine *e, const sweep *s) {
    return e->out_step[0] == 1 && e->out_step[1] == 1 && e->grid[1] == s->n[1] && e->made[1] == s->n[1] &&
           columns(e, s) == s->n[0] * s->n[1];
}

static bp__gemm_args product(const engine *e, const sweep *s) {
    const bp__conv *c = e->c;
    int64_t n = columns(e, s), k = e->line ? c->kernel[1] : e->k;
    return (bp__gemm_args){.dtype = c->dtype,
                           .m = e->m,
                           .n = n,
                           .k = k,
                           .a = {.row = k, .col = 1},
                           .b = {.row = e->line ? c->dilation[1] : e->channel, .col = 1},
                           .c = {.row = straight(e, s) ? e->made[0] * e->made[1] : n, .col = 1},
                           .n_b = e->line ? c->kernel[0] : s->n_taps,
                           .epilogue = {.activation = -1}};
}

static int64_t shared_bytes(const engine *e) {
    const bp__conv *c = e->c;
    int64_t taps = c->kernel[0] * c->kernel[1];
    return align(e->n_sweeps * (int64_t)sizeof(sweep)) + 2 * align(taps * (int64_t)sizeof(int64_t)) +
           align(taps * c->groups * e->m * e->k * e->size);
}

static int64_t thread_bytes(const engine *e) { return e->copy_bytes + e->buffer_bytes + e->gemm_bytes; }

static void plan(engine *e, const bp__isa *isa, const bp__conv *c, bool backward, int n_threads) {
    *e = (engine){.c = c, .backward = backward, .size = c->dtype == BP_F32 ? 4 : 8};
    int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    e->m = backward ? in : out, e->k = backward ? out : in;
    e->n_sweeps = backward ? c->stride[0] * c->stride[1] : 1;
    bool plain = true;
    for (int d = 0; d < 2; d++) {
        int64_t reach = (c->kernel[d] - 1) * c->dilation[d] / c->stride[d];
        e->source[d] = backward ? c->out[d] : c->in[d];
        e->made[d] = backward ? c->in[d] : c->out[d];
        e->step[d] = backward ? 1 : c->stride[d];
        e->out_step[d] = backward ? c->stride[d] : 1;
        e->shift[d] = backward ? reach : c->padding[d];
        e->grid[d] = reach + (backward ? (c->in[d] - 1 + c->padding[d]) / c->stride[d] + 1 : c->out[d]);
        plain = plain && c->kernel[d] == 1 && c->stride[d] == 1 && c->padding[d] == 0;
    }
    e->direct = plain;                                               /* nothing moves: the array itself is the copy */
    e->line = !backward && e->k == 1 && c->stride[1] == 1 && !plain; /* one channel: a kernel row is the depth of the product */
    e->channel = e->step[0] * e->step[1] * e->grid[0] * e->grid[1];
    e->copy_bytes = e->direct ? 0 : align((e->k * e->channel + 2 * ROUND) * e->size);
    e->n_units = c->n_images * c->groups;
    e->inside = e->n_units < FEW;
    e->n_pieces = BP__MIN(e->n_units, MAX_PIECES);
    for (int64_t i = 0; i < e->n_sweeps; i++) {
        sweep s = make_sweep(e, i);
        if (s.n_taps == 0 || columns(e, &s) == 0) continue;
        bp__gemm_args g = product(e, &s);
        if (!straight(e, &s)) e->buffer_bytes = BP__MAX(e->buffer_bytes, align(g.m * g.n * e->size));
        e->gemm_bytes = BP__MAX(e->gemm_bytes, align((int64_t)bp__gemm_scratch(isa, &g, e->inside ? n_threads : 1)));
    }
}

static size_t scratch_of(const bp__isa *isa, const bp__conv *c, bool backward, int n_threads) {
    engine e;
    plan(&e, isa, c, backward, n_threads);
    return (size_t)(shared_bytes(&e) + thread_bytes(&e) * (e.inside ? 1 : n_threads));
}

/* ---- Preparing ----------------------------------------------------------------------------------------------------------- */

/* The weight as one matrix [m, k] per tap and group. */
static void pack_weight(const engine *e, const void *weight) {
    const bp__conv *c = e->c;
    int64_t taps = c->kernel[0] * c->kernel[1], g = c->groups, in = c->in_channels / g, out = c->out_channels / g;
    bp__tensor from = {
        .data = (void *)weight,
        .n_dims = 5,
        .dim = {c->kernel[0], c->kernel[1], g, e->m, e->k},
        .stride = {c->kernel[1], 1, out * in * taps, e->backward ? taps : in * taps, e->backward ? in * taps : taps},
        .dtype = (uint8_t)c->dtype};
    bp__tensor to = from;
    to.data = e->weight;
    to.stride[4] = 1, to.stride[3] = e->k, to.stride[2] = e->m * e->k, to.stride[1] = g * to.stride[2];
    to.stride[0] = c->kernel[1] * to.stride[1];
    if (e->line) to.stride[1] = 1, to.stride[3] = c->kernel[1], to.stride[2] = e->m * c->kernel[1]; /* [row, group, m, column] */
    bp__copy(e->env, &to, &from);
}

/* Where tap `tap` of axis d reads, for the first place of the sweep: phase and place in the copy. */
static int64_t tap_place(const engine *e, const sweep *s, int d, int64_t tap, int64_t *phase) {
    int64_t at = tap * e->c->dilation[d], stride = e->c->stride[d];
    *phase = e->backward ? 0 : at % stride;
    return e->backward ? s->from[d] - at / stride + e->shift[d] : at / stride;
}

static void make_offsets(engine *e) {
    const bp__conv *c = e->c;
    int64_t next = 0;
    for (int64_t i = 0; i < e->n_sweeps; i++) {
        sweep s = make_sweep(e, i);
        s.first_tap = next;
        for (int64_t row = 0; row < c->kernel[0]; row++)
            for (int64_t col = 0; col < c->kernel[1]; col++) {
                int64_t phase[2];
                if (!tap_counts(e, 0, row, s.phase[0]) || !tap_counts(e, 1, col, s.phase[1]) || (e->line && col > 0)) continue;
                int64_t y = tap_place(e, &s, 0, row, &phase[0]), x = tap_place(e, &s, 1, col, &phase[1]);
                e->b_offset[next] = ((phase[0] * e->step[1] + phase[1]) * e->grid[0] + y) * e->grid[1] + x;
                e->a_offset[next++] = (row * c->kernel[1] + col) * c->groups * e->m * e->k;
            }
        e->sweeps[i] = s;
    }
}

/* ---- One image of a group -------------------------------------------------------------------------------------------------- */

static bool phase_used(const engine *e, int d, int64_t phase) {
    for (int64_t i = 0; i < e->c->kernel[d]; i++)
        if (e->backward || i * e->c->dilation[d] % e->step[d] == phase) return true;
    return false;
}

/* Places [*first, *last) of phase `phase` that lie inside the source. */
static void inside_range(const engine *e, int d, int64_t phase, int64_t *first, int64_t *last) {
    *first = BP__MAX(divide_up(e->shift[d] - phase, e->step[d]), 0);
    *last = BP__MIN(divide_down(e->source[d] - 1 + e->shift[d] - phase, e->step[d]) + 1, e->grid[d]);
}

static void copy_row(const engine *e, char *to, const char *from, int64_t step, int64_t n) {
    if (step == 1) {
        memcpy(to, from, (size_t)(n * e->size));
    } else if (e->size == 4) {
        float *d = (float *)(void *)to;
        const float *s = (const float *)(const void *)from;
        for (int64_t i = 0; i < n; i++) d[i] = s[i * step];
    } else {
        double *d = (double *)(void *)to;
        const double *s = (const double *)(const void *)from;
        for (int64_t i = 0; i < n; i++) d[i] = s[i * step];
    }
}

/* The margins are zero already. */
static void copy_in(const engine *e, char *copy, const char *from) {
    for (int64_t a = 0; a < e->step[0]; a++)
        for (int64_t b = 0; b < e->step[1]; b++) {
            int64_t y0, y1, x0, x1;
            if (!phase_used(e, 0, a) || !phase_used(e, 1, b)) continue;
            inside_range(e, 0, a, &y0, &y1);
            inside_range(e, 1, b, &x0, &x1);
            if (x1 <= x0) continue;
            for (int64_t ch = 0; ch < e->k; ch++) {
                char *plane = copy + (ch * e->channel + (a * e->step[1] + b) * e->grid[0] * e->grid[1]) * e->size;
                for (int64_t y = y0; y < y1; y++) {
                    int64_t row = ch * e->source[0] + y * e->step[0] + a - e->shift[0];
                    int64_t place = row * e->source[1] + x0 * e->step[1] + b - e->shift[1];
                    copy_row(e, plane + (y * e->grid[1] + x0) * e->size, from + place * e->size, e->step[1], x1 - x0);
                }
            }
        }
}

/* d[i * step] = s[i] + bias; s NULL: zeros. */
#define STORE(type)                                                                              \
    {                                                                                            \
        type *d = (type *)(void *)to;                                                            \
        const type *s = (const type *)(const void *)from, *b = (const type *)(const void *)bias; \
        if (!s)                                                                                  \
            for (int64_t i = 0; i < n; i++) d[i * step] = 0;                                     \
        else if (!b)                                                                             \
            for (int64_t i = 0; i < n; i++) d[i * step] = s[i];                                  \
        else if (step == 1)                                                                      \
            for (int64_t i = 0; i < n; i++) d[i] = s[i] + *b;                                    \
        else                                                                                     \
            for (int64_t i = 0; i < n; i++) d[i * step] = s[i] + *b;                             \
    }
static void store_row(const engine *e, char *to, int64_t step, const char *from, const char *bias, int64_t n) {
    if (step == 1 && from && !bias) {
        if (to != from) memcpy(to, from, (size_t)(n * e->size));
    } else if (e->size == 4)
        STORE(float)
    else
        STORE(double)
}
#undef STORE

/* made: [m, n] as the product left it, or NULL: zeros. */
static void copy_out(const engine *e, const sweep *s, char *to, const char *made, int64_t n, const char *bias) {
    for (int64_t ch = 0; ch < e->m; ch++)
        for (int64_t y = 0; y < s->n[0]; y++) {
            char *row = to + (ch * e->made[0] * e->made[1] + s->out + y * e->out_step[0] * e->made[1]) * e->size;
            store_row(e, row, e->out_step[1], made ? made + (ch * n + y * e->grid[1]) * e->size : NULL,
                      bias ? bias + ch * e->size : NULL, s->n[1]);
        }
}

static void run_unit(const engine *e, int64_t unit, char *scratch, bp__team *team) {
    const bp__conv *c = e->c;
    int64_t group = unit % c->groups, group_bytes = e->m * e->k * (e->line ? c->kernel[1] : 1) * e->size;
    const char *from = e->from + unit * e->k * e->source[0] * e->source[1] * e->size; /* units are in storage order */
    char *to = e->to + unit * e->m * e->made[0] * e->made[1] * e->size, *buffer = scratch + e->copy_bytes;
    const char *bias = e->bias ? e->bias + group * e->m * e->size : NULL;
    bp__env env = *e->env;
    env.team = team, env.scratch = buffer + e->buffer_bytes, env.scratch_bytes = (size_t)e->gemm_bytes;
    if (!e->direct) copy_in(e, scratch, from);
    for (int64_t i = 0; i < e->n_sweeps; i++) {
        const sweep *s = &e->sweeps[i];
        int64_t n = columns(e, s);
        if (n == 0) continue;
        if (s->n_taps == 0) {
            copy_out(e, s, to, NULL, n, NULL);
            continue;
        }
        bp__gemm_args g = product(e, s);
        bool in_place = straight(e, s);
        g.a.data = e->weight + group * group_bytes;
        g.b.data = e->direct ? (void *)from : scratch;
        g.c.data = in_place ? to + s->out * e->size : buffer;
        g.a_offset = e->a_offset + s->first_tap, g.b_offset = e->b_offset + s->first_tap;
        bp__gemm(&env, &g);
        if (!in_place || bias) copy_out(e, s, to, g.c.data, in_place ? e->made[0] * e->made[1] : n, bias);
    }
}

static void units_piece(void *arg, int64_t piece, int thread) {
    const engine *e = arg;
    char *scratch = e->per_thread + thread * thread_bytes(e);
    if (e->copy_bytes) memset(scratch, 0, (size_t)e->copy_bytes);
    for (int64_t u = piece * e->n_units / e->n_pieces; u < (piece + 1) * e->n_units / e->n_pieces; u++)
        run_unit(e, u, scratch, NULL);
}

static void run(const bp__env *env, const bp__conv *c, bool backward, char *to, const char *from, const void *weight,
                const void *bias) {
    engine e;
    plan(&e, env->isa, c, backward, env->team ? bp__team_size(env->team) : 1);
    if (e.n_units == 0 || c->in[0] <= 0 || c->in[1] <= 0) return;
    if (c->out[0] <= 0 || c->out[1] <= 0) {
        if (backward) memset(to, 0, (size_t)(c->n_images * c->in_channels * c->in[0] * c->in[1] * e.size));
        return;
    }
    int64_t taps = c->kernel[0] * c->kernel[1];
    e.env = env, e.from = from, e.to = to, e.bias = bias;
    char *at = env->scratch;
    e.sweeps = (sweep *)(void *)at, at += align(e.n_sweeps * (int64_t)sizeof(sweep));
    e.a_offset = (int64_t *)(void *)at, at += align(taps * (int64_t)sizeof(int64_t));
    e.b_offset = (int64_t *)(void *)at, at += align(taps * (int64_t)sizeof(int64_t));
    e.weight = at;
    e.per_thread = (char *)env->scratch + shared_bytes(&e);
    make_offsets(&e);
    pack_weight(&e, weight);
    double work = (double)(e.n_units * e.m * e.k * taps) * (double)(c->out[0] * c->out[1]);
    if (e.inside) {
        if (e.copy_bytes) memset(e.per_thread, 0, (size_t)e.copy_bytes);
        for (int64_t u = 0; u < e.n_units; u++) run_unit(&e, u, e.per_thread, env->team);
    } else if (!env->team || work < SMALL) {
        for (int64_t i = 0; i < e.n_pieces; i++) units_piece(&e, i, 0);
    } else {
        bp__team_run(env->team, e.n_pieces, units_piece, &e);
    }
}

void bp__conv2d(const bp__env *env, const bp__conv *c, void *y, const void *x, const void *weight, const void *bias) {
    run(env, c, false, y, x, weight, bias);
}
void bp__conv2d_grad_input(const bp__env *env, const bp__conv *c, void *d_x, const void *d_y, const void *weight) {
    run(env, c, true, d_x, d_y, weight, NULL);
}
size_t bp__conv2d_scratch(const bp__isa *isa, const bp__conv *c, int n_threads) { return scratch_of(isa, c, false, n_threads); }
size_t bp__conv2d_grad_input_scratch(const bp__isa *isa, const bp__conv *c, int n_threads) {
    return scratch_of(isa, c, true, n_threads);
}
