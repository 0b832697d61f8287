/* The driver of the matrix product: cuts it into blocks that fit the caches, packs what is read badly in place, and gives
   the blocks to the team. Blocking never changes a result: every element is one chain in index order, and a later block
   of k goes on from what the earlier one stored. */
#include "kernel/isa.h"
#include <string.h>

enum {
    SMALL = 65536,       /* products with fewer multiply-adds stay on the caller's thread */
    BLOCK_WORK = 262144, /* a block handed to a thread is worth about this many */
    BLOCK_ROWS = 140,
    BLOCK_COLUMNS = 512,
    B_BYTES = 65536, /* of B that one pass of tiles reads again and again, from L2 where L1 is small: shorter, and C goes back and
                        forth more often, which costs more */
    PHASE_BYTES = 2 << 20, /* of B that are packed at once where C can wait */
    PACKED_COLUMNS = 256,  /* of a block whose A is packed, for each block anew */
    MAX_GROUP = 128,       /* batch-reduce blocks in one call of the micro-kernel */
    TURN_BYTES = 1 << 20,  /* of A that a thin product turns at once */
    PACK_ROWS = 1024,      /* rows of B that one piece packs */
    PAIR_ROWS = 64         /* rows that are rounded to bfloat16 at once, two to a row: the driver's k counts those */
};

typedef struct plan {
    bp__gemm_args g; /* with one block when there are no offsets, possibly transposed */
    const bp__gemm_kernels *kernels;
    int64_t size;                  /* of an element, or of a pair of bfloat16 numbers */
    int64_t numbers;               /* with pairs: k as it was, of single numbers */
    int64_t depth, segment, group; /* segment of k, or group of blocks, per pass */
    int64_t phase;                 /* of k that is packed of B at once */
    bool leaves, pack_a, pack_b, buffer, finish;
    int64_t mc, nc, n_row_blocks, n_blocks;
    int64_t b_rows; /* length of a panel of B */
    bp__gemm_finish last;
    char *packed_b, *thread_scratch;
    int64_t b_bytes, a_bytes, buffer_bytes, n_buffers;
} plan;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t align(int64_t bytes) { return (bytes + 127) / 128 * 128; }

/* C = A B by columns is Cᵀ = Bᵀ Aᵀ by rows. */
static void transpose_problem(bp__gemm_args *g) {
    bp__gemm_args t = *g;
    t.m = g->n, t.n = g->m;
    t.a = (bp__matrix){g->b.data, g->b.col, g->b.row, false};
    t.b = (bp__matrix){g->a.data, g->a.col, g->a.row, false};
    t.a_offset = g->b_offset, t.b_offset = g->a_offset;
    bp__matrix *turned[3] = {&t.c, &t.epilogue.residual, &t.epilogue.mask};
    for (int i = 0; i < 3; i++) {
        int64_t row = turned[i]->row;
        turned[i]->row = turned[i]->col, turned[i]->col = row;
    }
    *g = t;
}

/* Columns that fill their vectors badly, many rows: is the transposed product, which has its vectors along the rows, less work?
   In vectors of multiply-adds for each k, and what turning A costs where it does not lie that way (measured; lab/gemm.md). */
static bool is_thin(const plan *p) {
    const bp__gemm_args *g = &p->g;
    const bp__epilogue *e = &g->epilogue;
    const double w = p->kernels->w;
    if (g->n_b > 1 || g->c.panels || g->b.panels || e->residual.panels || e->mask.panels || (e->bias && e->residual.data))
        return false;
    const bool lies_well = g->a.row == 1;
    if (!lies_well && g->m * g->k * p->size > TURN_BYTES) return false;
    double now = (double)g->m * (double)divide_up(g->n, p->kernels->w);
    double turned = (double)g->n * (double)divide_up(g->m, p->kernels->w) + (lies_well ? 0 : 2.5 * (double)g->m / w);
    return now > 1.1 * turned;
}

static void normalise(plan *p, const bp__gemm_args *args) {
    p->g = *args;
    bp__gemm_args *g = &p->g;
    if (g->n_b < 1) g->n_b = 1;
    bp__epilogue *e = &g->epilogue;
    if (!g->c.panels && g->n == 1) g->c.col = 1;
    if (!g->c.panels && g->c.col != 1 && g->c.row == 1 && !g->b.panels && !e->bias && !e->residual.panels && !e->mask.panels)
        transpose_problem(g);
    else if (is_thin(p)) {
        if (e->bias) e->residual = (bp__matrix){(void *)(uintptr_t)e->bias, 0, 1, false}, e->bias = NULL;
        transpose_problem(g);
    }
    if (g->n_b == 1) { /* the only block's offsets go into the pointers */
        if (g->a_offset && g->a.data) g->a.data = (char *)g->a.data + g->a_offset[0] * p->size;
        if (g->b_offset && g->b.data) g->b.data = (char *)g->b.data + g->b_offset[0] * p->size;
        g->a_offset = g->b_offset = NULL;
    }
}

static void choose_packing(plan *p) {
    const bp__gemm_args *g = &p->g;
    const int64_t mr = p->kernels->mr;
    if (g->pairs) {
        p->pack_a = p->pack_b = true;
        p->b_rows = p->depth;
        return;
    }
    /* In place, B's rows must be whole vectors, and be near each other or read by few tiles. */
    bool in_place = g->b.col == 1 && g->n % p->kernels->w == 0 && (g->m <= 4 * mr || g->n <= p->kernels->nr);
    p->pack_b = !g->b.panels && !in_place;
    p->b_rows = g->b.panels && g->n_b > 1 && g->b.row > 0 ? g->b.row : p->pack_b ? p->depth : g->k;
    /* A down its columns touches one line per step, and rows a multiple of 4 KiB apart share a set of the L1 cache. */
    bool bad = (g->a.col != 1 && !(g->a.row == 1 && g->a.col * p->size <= 128)) ||
               (mr > 8 && g->a.row * p->size % 4096 == 0 && g->m > 1);
    p->pack_a = bad && g->n > 2 * BP__PANEL && (g->n_b == 1 || p->pack_b);
}

static void choose_blocks(plan *p) {
    const bp__gemm_args *g = &p->g;
    const int64_t mr = p->kernels->mr;
    const int64_t limit = BP__MAX(B_BYTES / (p->kernels->nr * p->size), 256);
    if (g->n_b == 1) {
        int64_t k = p->leaves ? BP__K_LEAF : g->k;
        p->segment = k > 0 ? divide_up(k, divide_up(k, limit)) : 1;
        p->group = 1;
    } else if (g->k >= limit / 2) {
        p->segment = divide_up(g->k, divide_up(g->k, limit));
        p->group = 1;
    } else {
        p->segment = BP__MAX(g->k, 1);
        p->group = BP__MIN(BP__MIN(limit / p->segment, MAX_GROUP), g->n_b);
    }
    int64_t rows = divide_up(g->m, BLOCK_ROWS / mr * mr), columns = divide_up(g->n, BLOCK_COLUMNS);
    double work = (double)g->m * (double)g->n * (double)p->depth;
    int64_t want = work < SMALL ? 1 : (int64_t)BP__MIN(work / BLOCK_WORK, 8.0);
    /* A down its columns: few rows would use little of each line. */
    const int64_t least_rows = (g->a.col == 1 ? 2 : 8) * mr;
    const int64_t most_rows = divide_up(g->m, least_rows), most_columns = divide_up(g->n, 2 * BP__PANEL);
    if (rows * columns < want && p->pack_a) {
        rows = BP__MAX(rows, BP__MIN(divide_up(want, columns), most_rows));
        if (rows > 2) rows += rows % 2; /* as much for each of two threads */
        const int64_t most = BP__MAX(g->n / PACKED_COLUMNS, BP__MIN(divide_up(4, rows), most_columns));
        columns = BP__MAX(columns, BP__MIN(divide_up(want, rows), most));
    } else if (rows * columns < want) {
        columns = BP__MAX(columns, BP__MIN(divide_up(want, rows), most_columns));
        rows = BP__MAX(rows, BP__MIN(divide_up(want, columns), most_rows));
    }
    p->mc = divide_up(g->m, rows);
    p->nc = divide_up(divide_up(g->n, columns), BP__PANEL) * BP__PANEL;
    p->n_row_blocks = divide_up(g->m, p->mc);
    p->n_blocks = p->n_row_blocks * divide_up(g->n, p->nc);
}

static void make_plan(plan *p, const bp__isa *isa, const bp__gemm_args *args) {
    p->kernels = args->pairs ? args->pairs : args->dtype == BP_F32 ? isa->f32.gemm : isa->f64.gemm;
    p->size = args->dtype == BP_F32 ? 4 : 8;
    normalise(p, args);
    const bp__gemm_args *g = &p->g;
    p->numbers = g->k;
    if (g->pairs) p->g.k = divide_up(g->k, 2);
    p->depth = g->n_b * g->k;
    p->leaves = g->n_b == 1 && g->k > 2 * BP__K_LEAF;
    choose_packing(p);
    choose_blocks(p);
    const bp__epilogue *e = &g->epilogue;
    bool odd = !g->c.panels && g->c.col != 1;
    p->finish = e->bias || e->residual.data || e->activation >= 0 || e->mask.data || e->accumulate || odd;
    /* Unfinished chains wait in C itself, unless C's old contents are still needed or its columns are not contiguous. */
    bool several = p->segment < g->k || p->group < g->n_b;
    p->buffer = p->leaves || (several && (odd || e->accumulate || e->residual.data || e->mask.data));
    const int64_t b_width = divide_up(g->n, BP__PANEL) * BP__PANEL;
    p->phase = g->k;
    if (p->pack_b && g->n_b == 1 && several && !p->buffer) {
        p->phase = BP__MIN(BP__MAX(PHASE_BYTES / (b_width * p->size * p->segment), 1) * p->segment, g->k);
        p->b_rows = p->phase;
    }
    p->b_bytes = p->pack_b ? align(b_width * g->n_b * p->phase * p->size) : 0;
    p->a_bytes = p->pack_a ? align(p->mc * p->segment * p->group * p->size) : 0;
    p->buffer_bytes = several || p->leaves ? align(p->mc * p->nc * p->size) : 0;
    p->n_buffers = 1;
    if (p->leaves)
        for (int64_t n = divide_up(g->k, BP__K_LEAF); n > 0; n /= 2) p->n_buffers++;
    p->last = (bp__gemm_finish){.epilogue = e, .out = g->c, .rows = g->m, .cols = g->n};
    p->last.in_registers = !odd && !(g->c.panels && g->n % BP__PANEL) && !e->residual.data && !e->accumulate &&
                           (e->activation < 0 || e->activation == BP__EW_relu) &&
                           (e->mask.panels || e->mask.col == 1 || !e->mask.data);
}

static int64_t thread_bytes(const plan *p) { return p->a_bytes + p->n_buffers * p->buffer_bytes; }

size_t bp__gemm_scratch(const bp__isa *isa, const bp__gemm_args *args, int n_threads) {
    if (args->m <= 0 || args->n <= 0) return 0;
    plan p;
    make_plan(&p, isa, args);
    return (size_t)(p.b_bytes + thread_bytes(&p) * n_threads);
}

/* ---- Packing pairs --------------------------------------------------------------------------------------------------- */
/* Rows 2 first … 2 (first + count) of [k, n], packed `wide`, as pairs. from(k, n) is from[k * along + n * across]. */
static void pack_pairs(const plan *p, float *to, const float *from, int64_t along, int64_t across, int64_t first, int64_t count,
                       int64_t n, bool is_a) {
    const int64_t wide = is_a ? n : BP__PANEL, end = BP__MIN(2 * (first + count), p->numbers);
    float part[PAIR_ROWS * BP__PANEL];
    if (!is_a && n < BP__PANEL) memset(part, 0, sizeof part); /* pads */
    for (int64_t at = 2 * first; at < end; at += PAIR_ROWS) {
        int64_t rows = BP__MIN(PAIR_ROWS, end - at);
        if (is_a)
            p->kernels->pack_a(part, from + at * along, across, along, n, rows);
        else
            p->kernels->pack_b(part, from + at * along, along, across, rows, n);
        p->kernels->pair(to + (at / 2 - first) * wide, part, rows, wide);
    }
}

/* ---- Packing B ------------------------------------------------------------------------------------------------------- */
/* A part of k whose B is packed at once. */
typedef struct phase {
    const plan *p;
    int64_t first, count; /* of k */
} phase;

static int64_t b_chunks(const phase *x) { return x->p->g.n_b > 1 ? 1 : BP__MAX(divide_up(x->count, PACK_ROWS), 1); }

static void pack_b_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const phase *x = arg;
    const plan *p = x->p;
    const bp__gemm_args *g = &p->g;
    const int64_t n_chunks = b_chunks(x);
    int64_t panel = piece / n_chunks, first = piece % n_chunks * PACK_ROWS, col = panel * BP__PANEL;
    int64_t rows = g->n_b > 1 ? g->k : BP__MIN(PACK_ROWS, x->count - first);
    char *to = p->packed_b + (panel * p->b_rows + first) * BP__PANEL * p->size;
    first += x->first;
    if (g->pairs) {
        const float *from = (const float *)g->b.data + (g->b.panels ? panel * p->numbers * BP__PANEL : col * g->b.col);
        pack_pairs(p, (float *)(void *)to, from, g->b.panels ? BP__PANEL : g->b.row, g->b.panels ? 1 : g->b.col, first, rows,
                   BP__MIN(BP__PANEL, g->n - col), false);
        return;
    }
    for (int64_t b = 0; b < g->n_b; b++) {
        int64_t from = (g->b_offset ? g->b_offset[b] : 0) + first * g->b.row + col * g->b.col;
        p->kernels->pack_b(to + b * g->k * BP__PANEL * p->size, (const char *)g->b.data + from * p->size, g->b.row, g->b.col,
                           rows, BP__MIN(BP__PANEL, g->n - col));
    }
}

/* ---- One block ------------------------------------------------------------------------------------------------------- */
typedef struct block {
    const plan *p;
    const phase *phase;
    int64_t row, col, m, n;          /* in C */
    int64_t n_row_tiles, least_rows; /* least_rows: of a tile; some have one more */
    char *packed_a;
    char *chain; /* buffer of unfinished chains, [column tile][row][nr], or NULL: C itself */
} block;

/* Products [first, first + count) of blocks [b0, b0 + n_b): one segment. */
typedef struct segment {
    int64_t first, count, b0, n_b;
    bool is_first; /* of its chain */
} segment;

/* The tiles of a block's rows, as even as they can be: tile i begins at row i * m / n_row_tiles. Counted on, for a division costs
   as much as a small tile. */
typedef struct row_tiles {
    int64_t row, m; /* of this tile */
    int64_t each, rest, n, over;
} row_tiles;

static row_tiles first_tile(const block *x) {
    row_tiles t = {.m = x->least_rows, .each = x->least_rows, .rest = x->m - x->least_rows * x->n_row_tiles, .n = x->n_row_tiles};
    t.over = t.rest;
    return t;
}

static void next_tile(row_tiles *t) {
    t->row += t->m, t->m = t->each, t->over += t->rest;
    if (t->over >= t->n) t->over -= t->n, t->m++;
}

static void pack_a_block(const block *x, const segment *s) {
    const plan *p = x->p;
    const bp__gemm_args *g = &p->g;
    char *to = x->packed_a;
    row_tiles r = first_tile(x);
    for (int64_t i = 0; i < x->n_row_tiles; i++, next_tile(&r)) {
        if (g->pairs) {
            pack_pairs(p, (float *)(void *)to, (const float *)g->a.data + (x->row + r.row) * g->a.row, g->a.col, g->a.row,
                       s->first, s->count, r.m, true);
            to += r.m * s->count * p->size;
            continue;
        }
        for (int64_t b = s->b0; b < s->b0 + s->n_b; b++) {
            int64_t from = (g->a_offset ? g->a_offset[b] : 0) + (x->row + r.row) * g->a.row + s->first * g->a.col;
            p->kernels->pack_a(to, (const char *)g->a.data + from * p->size, g->a.row, g->a.col, r.m, s->count);
            to += r.m * s->count * p->size;
        }
    }
}

/* Element (row, col) of B as an index from where its tiles are read. */
static int64_t b_index(const plan *p, bool panels, int64_t row, int64_t col) {
    return panels ? ((col / BP__PANEL) * p->b_rows + row) * BP__PANEL + col % BP__PANEL : row * p->g.b.row + col;
}

/* finish: the segment's results are complete and go through the epilogue to C. */
static void run_segment(const block *x, const segment *s, bool finish) {
    const plan *p = x->p;
    const bp__gemm_args *g = &p->g;
    const int64_t nr = p->kernels->nr, size = p->size;
    int64_t b_offset[MAX_GROUP];
    bp__gemm_tile t = {.a_row = g->a.row, .a_col = g->a.col, .k = s->count, .n_b = s->n_b, .first = s->is_first};
    t.ldb = p->pack_b || g->b.panels ? BP__PANEL : g->b.row;
    const bool joined = p->pack_a && g->n_b > 1; /* both are packed: the blocks follow each other without a gap */
    if (p->pack_a) pack_a_block(x, s);
    if (joined) {
        t.n_b = 1, t.k = s->n_b * s->count;
    } else if (g->n_b > 1) {
        if (g->a_offset) t.a_offset = g->a_offset + s->b0;
        if (p->pack_b) {
            for (int64_t b = 0; b < s->n_b; b++) b_offset[b] = (s->b0 + b) * g->k * BP__PANEL;
            t.b_offset = b_offset;
        } else if (g->b_offset)
            t.b_offset = g->b_offset + s->b0;
    }
    const char *b_base = p->pack_b ? p->packed_b : g->b.data;
    const int64_t p0 = s->first - (p->pack_b ? x->phase->first : 0) + (joined ? s->b0 * g->k : 0);
    const bool b_panels = p->pack_b || g->b.panels, narrow = x->m <= BP__WIDE_ROWS && t.n_b == 1;
    bool two = false; /* tiles side by side */
    for (int64_t j = 0; j < x->n; j += two ? 2 * nr : nr) {
        int64_t col = x->col + j;
        two = narrow && x->n - j >= 2 * nr;
        t.n = BP__MIN(nr, x->n - j);
        const int64_t b_at = b_index(p, b_panels, p0, col);
        t.b = b_base + size * b_at;
        bool pads = g->c.panels && g->n % BP__PANEL && col + (two ? 2 * nr : t.n) == g->n;
        t.finish = finish && (p->finish || pads) ? &p->last : NULL;
        const char *packed_a = x->packed_a;
        row_tiles r = first_tile(x);
        for (int64_t i = 0; i < x->n_row_tiles; i++, next_tile(&r)) {
            const int64_t row = r.row;
            t.m = r.m;
            if (p->pack_a) {
                t.a = packed_a, t.a_row = 1, t.a_col = t.m;
                packed_a += t.m * s->n_b * s->count * size;
            } else
                t.a = (const char *)g->a.data + ((x->row + row) * g->a.row + s->first * g->a.col) * size;
            t.row = x->row + row, t.col = col;
            char *c = (char *)g->c.data + bp__matrix_at(&g->c, g->m, t.row, col) * size;
            int64_t c_row = g->c.panels ? BP__PANEL : g->c.row;
            t.c = x->chain ? x->chain + (j * x->m + row * nr) * size : c;
            t.c_row = x->chain ? nr : c_row;
            t.d = finish ? c : (void *)(uintptr_t)t.c;
            t.d_row = finish ? c_row : t.c_row;
            t.next = i + 1 < x->n_row_tiles ? (const char *)t.d + r.m * t.d_row * size : NULL;
            if (two) {
                bp__gemm_next next = {.b = b_index(p, b_panels, p0, col + nr) - b_at};
                next.d = bp__matrix_at(&g->c, g->m, t.row, col + nr) - bp__matrix_at(&g->c, g->m, t.row, col);
                next.c = x->chain ? nr * x->m : next.d;
                if (!finish) next.d = next.c;
                p->kernels->wide(&t, &next);
            } else
                p->kernels->tile(&t);
        }
    }
}

/* Products [first, first + count) of all blocks, in order: a chain's beginning or not, its end or not. */
static void run_chain(const block *x, int64_t first, int64_t count, bool begin, bool finish) {
    const plan *p = x->p;
    for (int64_t b = 0; b < p->g.n_b; b += p->group)
        for (int64_t k = 0; k < BP__MAX(count, 1); k += p->segment) {
            segment s = {.first = first + k, .b0 = b, .is_first = begin && b == 0 && k == 0};
            s.count = BP__MIN(p->segment, count - k);
            s.n_b = BP__MIN(p->group, p->g.n_b - b);
            run_segment(x, &s, finish && b + s.n_b == p->g.n_b && k + s.count == count);
        }
}

/* A chain too long for one sum: leaves joined in a tree. buffer[] is a stack of sums of 2^i leaves, as in a binary counter. */
static void run_leaves(block *x, char *buffers) {
    const plan *p = x->p;
    const int64_t nr = p->kernels->nr, n = divide_up(x->n, nr) * nr * x->m;
    int64_t top = 0, leaf = 0;
    for (int64_t first = 0; first < p->g.k; first += BP__K_LEAF, leaf++) {
        x->chain = buffers + top++ * p->buffer_bytes;
        run_chain(x, first, BP__MIN(BP__K_LEAF, p->g.k - first), true, false);
        for (int64_t full = leaf; full & 1; full >>= 1, top--) {
            char *left = buffers + (top - 2) * p->buffer_bytes;
            p->kernels->add(left, left, left + p->buffer_bytes, n);
        }
    }
    for (; top > 1; top--) {
        char *left = buffers + (top - 2) * p->buffer_bytes;
        p->kernels->add(left, left, left + p->buffer_bytes, n);
    }
    for (int64_t j = 0; j < x->n; j += nr) {
        row_tiles r = first_tile(x);
        for (int64_t i = 0; i < x->n_row_tiles; i++, next_tile(&r))
            p->kernels->finish(&p->last, buffers + (j * x->m + r.row * nr) * p->size, x->row + r.row, x->col + j, r.m,
                               BP__MIN(nr, x->n - j));
    }
}

static void run_pieces(bp__team *team, int64_t n, void (*piece)(void *, int64_t, int), void *arg) {
    if (team)
        bp__team_run(team, n, piece, arg);
    else
        for (int64_t i = 0; i < n; i++) piece(arg, i, 0);
}

static void block_piece(void *arg, int64_t piece, int thread) {
    const phase *part = arg;
    const plan *p = part->p;
    block x = {.p = p, .phase = part};
    x.row = piece % p->n_row_blocks * p->mc, x.col = piece / p->n_row_blocks * p->nc;
    x.m = BP__MIN(p->mc, p->g.m - x.row), x.n = BP__MIN(p->nc, p->g.n - x.col);
    x.n_row_tiles = divide_up(x.m, p->kernels->mr);
    x.least_rows = x.m / x.n_row_tiles;
    if (p->pack_a || p->buffer) x.packed_a = p->thread_scratch + thread * thread_bytes(p);
    if (p->leaves) {
        run_leaves(&x, x.packed_a + p->a_bytes);
        return;
    }
    if (p->buffer) x.chain = x.packed_a + p->a_bytes;
    run_chain(&x, part->first, part->count, part->first == 0, part->first + part->count == p->g.k);
}

void bp__gemm(const bp__env *env, const bp__gemm_args *args) {
    if (args->m <= 0 || args->n <= 0) return;
    plan p;
    make_plan(&p, env->isa, args);
    p.packed_b = env->scratch;
    p.thread_scratch = p.packed_b + p.b_bytes;
    /* One block is the caller's: what others packed for it would lie in their caches. */
    bool small = !env->team || p.n_blocks == 1 || (double)p.g.m * (double)p.g.n * (double)p.depth < SMALL;
    phase x = {.p = &p};
    do {
        x.count = BP__MIN(p.phase, p.g.k - x.first);
        if (p.pack_b && p.depth > 0)
            run_pieces(small ? NULL : env->team, divide_up(p.g.n, BP__PANEL) * b_chunks(&x), pack_b_piece, &x);
        run_pieces(small ? NULL : env->team, p.n_blocks, block_piece, &x);
    } while ((x.first += x.count) < p.g.k);
}
