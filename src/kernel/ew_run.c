/* The element-wise driver: walks the flat output of each segment in tiles, makes the inputs of a tile available as plain
   arrays, and runs the program's formulas one after another (or the chain compiled for it). */
#include "kernel/ew_move.h"
#include <string.h>

#define TILES_PER_PIECE 16 /* at least; work below two pieces stays on the caller */
#define MAX_PIECES 256

static const char *const op_name[BP__EW_COUNT] = {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) #name,
#include "kernel/elementwise.def"
#undef EW
};
static const uint8_t op_arity[BP__EW_COUNT] = {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) arity,
#include "kernel/elementwise.def"
#undef EW
};

const char *bp__ew_name(int op) { return op >= 0 && op < BP__EW_COUNT ? op_name[op] : NULL; }
int bp__ew_arity(int op) { return op >= 0 && op < BP__EW_COUNT ? op_arity[op] : 0; }

/* ---- Chains compiled ahead ----------------------------------------------------------------------------------------------- */

static bool same_number(double a, double b) { return !memcmp(&a, &b, sizeof a); }

static bool same_program(const bp__ew_compiled *c, const bp__ew_program *p) {
    if (c->one != p->one || c->n_in != p->n_in || c->n_const != p->n_const || c->n_out != p->n_out || c->n_instr != p->n_instr)
        return false;
    for (int32_t i = 0; i < p->n_const; i++)
        if (!same_number(c->constant[i], p->constant[i])) return false;
    for (int32_t i = 0; i < p->n_out; i++)
        if (c->out[i] != p->out[i]) return false;
    for (int32_t i = 0; i < p->n_instr; i++) {
        const bp__ew_instr *a = &c->instr[i], *b = &p->instr[i];
        if (a->op != b->op || a->dst != b->dst || !same_number(a->p, b->p) || !same_number(a->q, b->q)) return false;
        for (int s = 0; s < op_arity[a->op]; s++)
            if (a->src[s] != b->src[s]) return false;
    }
    return true;
}

const bp__ew_compiled *bp__ew_find(const bp__isa *isa, const bp__ew_program *program) {
    if (program->type != BP_F32 && program->type != BP_F64) return NULL;
    for (int64_t i = 0; i < isa->n_chains; i++)
        if (same_program(&isa->chain[i], program)) return &isa->chain[i];
    return NULL;
}

/* ---- Scratch of one thread: n_reg + n_out tiles, then the pointers -----------------------------------------------------------
 */

typedef struct walk {
    const bp__ew_program *program;
    const bp__env *env;
    const bp__tensor *tensors;
    int64_t n_segments, n_tiles, tiles_per_piece;
} walk;

static int32_t n_slots(const bp__ew_program *p) { return p->n_reg + p->n_out; }

static size_t thread_bytes(const bp__ew_program *p) {
    size_t tiles = (size_t)n_slots(p) * BP__TILE * 8;
    size_t rest = (size_t)n_slots(p) * sizeof(void *) + (size_t)(p->n_in + p->n_out) * (sizeof(bp__ew_view) + 1);
    return (tiles + rest + 127) / 64 * 64;
}
size_t bp__ew_scratch(const bp__ew_program *program, int n_threads) { return thread_bytes(program) * (size_t)n_threads; }

typedef bp__ew_state state;

static char *tile_at(const state *s, int32_t slot) { return s->tile + (size_t)slot * BP__TILE * 8; }

bp__ew_state bp__ew_state_at(const bp__env *env, const bp__ew_program *p, int thread) {
    state s = {.program = p, .item = bp__ew_item(p->type)};
    s.tile = (char *)env->scratch + thread_bytes(p) * (size_t)thread;
    s.kernels = p->type == BP_F32 ? &env->isa->f32 : p->type == BP_F64 ? &env->isa->f64 : NULL;
    s.reg = (void **)(void *)tile_at(&s, n_slots(p));
    s.out = s.reg + p->n_reg;
    s.view = (bp__ew_view *)(void *)(s.out + p->n_out);
    s.one = (uint8_t *)(void *)(s.view + p->n_in + p->n_out);
    return s;
}

/* ---- One segment ----------------------------------------------------------------------------------------------------------- */

static bool overlap(const bp__ew_view *a, const bp__ew_view *b) {
    const char *x = a->data, *y = b->data;
    return x < y + b->bytes && y < x + a->bytes;
}

/* Output o can be written by the instruction that makes it, rather than copied at the end: same type, a register of its own,
   and no input that lies in the same memory is needed later. */
static bool writes_directly(const state *s, int32_t o) {
    const bp__ew_program *p = s->program;
    const bp__ew_view *out = &s->view[p->n_in + o];
    uint16_t r = p->out[o];
    if (out->dtype != p->type || r < p->n_in + p->n_const) return false;
    for (int32_t i = 0; i < p->n_out; i++)
        if (i < o && p->out[i] == r) return false;
    int32_t first = 0;
    while (first < p->n_instr && p->instr[first].dst != r) first++;
    for (int32_t i = first + 1; i < p->n_instr; i++)
        for (int k = 0; k < op_arity[p->instr[i].op]; k++) {
            uint16_t input = p->instr[i].src[k];
            if (input < p->n_in && overlap(&s->view[input], out)) return false;
        }
    for (int32_t i = 0; i < p->n_out; i++)
        if (p->out[i] < p->n_in && overlap(&s->view[p->out[i]], out)) return false;
    return true;
}

/* What holds for the whole segment: views, splat inputs and constants as tiles. */
void bp__ew_begin(state *s, const bp__tensor *group, int64_t count) {
    const int64_t filled = BP__MIN((count + 15) & ~(int64_t)15, BP__TILE); /* whole vectors of any width */
    const bp__ew_program *p = s->program;
    const bp__tensor *shape = &group[p->n_in];
    for (int32_t i = 0; i < p->n_in + p->n_out; i++) s->view[i] = bp__ew_view_of(&group[i], shape);
    for (int32_t i = 0; i < p->n_in; i++) {
        s->one[i] = s->view[i].kind == BP__EW_ONE;
        if (s->one[i]) {
            bool alone = p->compiled && p->one >> i & 1; /* a compiled chain looks at one element */
            bp__ew_gather(tile_at(s, i), p->type, &s->view[i], 0, alone ? 1 : filled);
            s->reg[i] = tile_at(s, i);
        }
    }
    for (int32_t i = 0; i < p->n_const && !p->compiled; i++) {
        s->reg[p->n_in + i] = tile_at(s, p->n_in + i);
        bp__ew_fill(tile_at(s, p->n_in + i), p->type, p->constant[i], filled);
    }
    for (int32_t r = p->n_in + p->n_const; r < p->n_reg; r++) s->reg[r] = tile_at(s, r);
    s->whole = p->compiled != NULL;
    for (int32_t i = 0; i < p->n_in; i++)
        if (s->one[i] ? !(p->one >> i & 1) : s->view[i].kind != BP__EW_FLAT || s->view[i].dtype != p->type) s->whole = false;
    for (int32_t o = 0; o < p->n_out; o++) {
        bp__ew_view *out = &s->view[p->n_in + o];
        out->direct = out->kind != BP__EW_PANELS && (p->compiled ? out->dtype == p->type : writes_directly(s, o));
        s->whole = s->whole && out->direct;
    }
}

/* An input that is an output as well would be overwritten before it is copied there (a compiled chain reads before it writes). */
static bool is_output(const bp__ew_program *p, int32_t input) {
    for (int32_t o = 0; o < p->n_out; o++)
        if (p->out[o] == input) return true;
    return false;
}

static void load_inputs(const state *s, int64_t start, int64_t n) {
    const bp__ew_program *p = s->program;
    for (int32_t i = 0; i < p->n_in; i++) {
        if (s->one[i]) continue;
        void *in_place = !p->compiled && is_output(p, i) ? NULL : bp__ew_in_place(&s->view[i], p->type, start, n);
        s->reg[i] = in_place ? in_place : tile_at(s, i);
        if (!in_place) bp__ew_gather(s->reg[i], p->type, &s->view[i], start, n);
    }
}

static void interpret(const state *s, int64_t n) {
    const bp__ew_program *p = s->program;
    const bp__isa_type *f = s->kernels;
    for (int32_t i = 0; i < p->n_instr; i++) {
        const bp__ew_instr *k = &p->instr[i];
        const void *src[3] = {NULL, NULL, NULL};
        for (int j = 0; j < op_arity[k->op]; j++) src[j] = s->reg[k->src[j]];
        if (f)
            f->ew[k->op](s->reg[k->dst], src[0], src[1], src[2], k->p, k->q, n);
        else
            bp__ew_integer(k->op, s->reg[k->dst], src[0], src[1], src[2], k->p, k->q, n);
    }
}

void bp__ew_tile_run(const state *s, int64_t start, int64_t n, void *to) {
    const bp__ew_program *p = s->program;
    const bp__ew_view *out = s->view + p->n_in;
    load_inputs(s, start, n);
    for (int32_t o = 0; o < p->n_out; o++) {
        void *place = to ? to : out[o].direct ? out[o].data + (size_t)start * s->item : tile_at(s, p->n_reg + o);
        s->out[o] = place;
        if ((to || out[o].direct) && !p->compiled) s->reg[p->out[o]] = place;
    }
    if (p->compiled) {
        const void *const *in = (const void *const *)(const void *)s->reg;
        (p->type == BP_F32 ? p->compiled->run_f32 : p->compiled->run_f64)(s->out, in, n);
    } else {
        interpret(s, n);
    }
    for (int32_t o = 0; o < p->n_out && !to; o++) {
        if (!out[o].direct) bp__ew_scatter(&out[o], p->type, p->compiled ? s->out[o] : s->reg[p->out[o]], start, n);
        bp__ew_clear_padding(&out[o], start, n);
    }
}

static void piece(void *arg, int64_t number, int thread) {
    const walk *w = arg;
    const bp__ew_program *p = w->program;
    state s = bp__ew_state_at(w->env, p, thread);
    int64_t tile = number * w->tiles_per_piece, end = BP__MIN(tile + w->tiles_per_piece, w->n_tiles), base = 0;
    for (int64_t g = 0; g < w->n_segments && tile < end; g++) {
        const bp__tensor *group = w->tensors + g * (p->n_in + p->n_out);
        int64_t count = bp__ew_flat_count(&group[p->n_in]), n_tiles = (count + BP__TILE - 1) / BP__TILE;
        if (tile < base + n_tiles) bp__ew_begin(&s, group, count);
        int64_t last = BP__MIN(end, base + n_tiles), step = s.whole ? last - tile : 1;
        for (; tile < last; tile += step) {
            int64_t start = (tile - base) * BP__TILE;
            bp__ew_tile_run(&s, start, BP__MIN(step * BP__TILE, count - start), NULL);
        }
        base += n_tiles;
    }
}

void bp__ew_run(const bp__env *env, const bp__ew_program *program, int64_t n_segments, const bp__tensor *tensors) {
    walk w = {.program = program, .env = env, .tensors = tensors, .n_segments = n_segments};
    for (int64_t g = 0; g < n_segments; g++) {
        int64_t count = bp__ew_flat_count(&tensors[g * (program->n_in + program->n_out) + program->n_in]);
        w.n_tiles += (count + BP__TILE - 1) / BP__TILE;
    }
    if (!w.n_tiles) return;
    w.tiles_per_piece = BP__MAX(TILES_PER_PIECE, (w.n_tiles + MAX_PIECES - 1) / MAX_PIECES);
    int64_t n_pieces = (w.n_tiles + w.tiles_per_piece - 1) / w.tiles_per_piece;
    if (n_pieces == 1)
        piece(&w, 0, 0);
    else
        bp__team_run(env->team, n_pieces, piece, &w);
}
