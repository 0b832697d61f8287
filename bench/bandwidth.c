/* Passes over memory beside the bandwidth of where their arrays lie: bench_bandwidth prints a table, of one thread. Each
   case is a formula (or its gradient, or an optimiser's update) built as a graph; of its plan the kernels that pass over whole
   arrays are run again and again, with sizes that fill half of L1, of L2 and of L3, and then far more than all caches. Bytes are
   those that the kernels' inputs and outputs have. Between the samples a plain loop that reads and writes in the same way moves
   as many bytes: it reads (a sum), reads one array and writes another, reads two and writes a third, or changes one in place.
   Operations: of the formulas' text in elementwise.def, about 20 for exp and its like; of other kernels as given below. */
#define _DEFAULT_SOURCE /* madvise */
#include "core/cpu.h"
#include "graph/plan.h"
#include "io/yaml.h"
#include "kernel/isa.h"
#include "optim/optim.h"
#include "timing.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LEVELS = 4, SAMPLES = 5, BLOCK = 128, HUGE = 2 << 20, MOST_ENTRIES = 32, FUNCTION = 20 };
static const char *const level_names[LEVELS] = {"L1", "L2", "L3", "memory"};

#define TRY(ctx, e)                                                          \
    do {                                                                     \
        if ((e) != BP_OK) {                                                  \
            fprintf(stderr, "bench_bandwidth: %s\n", bp_context_error(ctx)); \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

/* ---- Plain loops
 * --------------------------------------------------------------------------------------------------------------- */

typedef enum mix { READ, COPY, ADD, UPDATE, MIXES } mix;
static const char *const mix_names[] = {"read", "1 to 1", "2 to 1", "in place"};

static float *numbers(size_t n) {
    size_t bytes = (n * sizeof(float) + HUGE - 1) / HUGE * HUGE;
    float *p = aligned_alloc(HUGE, bytes);
    if (!p) exit(1);
#ifdef MADV_HUGEPAGE
    madvise(p, bytes, MADV_HUGEPAGE);
#endif
    for (size_t i = 0; i < n; i++) p[i] = (float)((i * 7919) % 1000 + 1) / 1000;
    return p;
}

typedef struct plain {
    const bp__isa *isa;
    float *x, *y, *z;
    size_t most; /* elements of each */
    float sum[BP__LANES];
} plain;

/* Milliseconds for so many bytes, with arrays of `set` bytes together. The loops are those of single formulas and of sums (16
   lanes, which bounds it to two vectors in flight in L1), without the drivers that call them. */
static double plain_pass(plain *p, mix kind, size_t set, double bytes) {
    static const size_t arrays[MIXES] = {1, 2, 3, 2}, moved[MIXES] = {1, 2, 3, 3};
    size_t n = set / sizeof(float) / arrays[kind] / BLOCK * BLOCK;
    n = n < BLOCK ? BLOCK : n > p->most ? p->most : n;
    const double each = (double)(n * moved[kind] * sizeof(float));
    const int passes = (int)(bytes / each) + 1;
    const bp__ew_tile neg = p->isa->f32.ew[BP__EW_neg], add = p->isa->f32.ew[BP__EW_add];
    double start = now_ms();
    for (int r = 0; r < passes; r++) switch (kind) {
        case READ: p->isa->f32.reduce->accumulate(BP__SUM, p->sum, p->x, 1, (int64_t)n, 0); break;
        case COPY: neg(p->z, p->x, NULL, NULL, 0, 0, (int64_t)n); break;
        case ADD: add(p->z, p->x, p->y, NULL, 0, 0, (int64_t)n); break;
        default: add(p->x, p->x, p->y, NULL, 0, 0, (int64_t)n);
        }
    return (now_ms() - start) * bytes / (each * passes);
}

/* ---- Cases
 * --------------------------------------------------------------------------------------------------------------------- */

typedef struct chosen {
    const char *name;
    const char *formula; /* of x, y [rows, columns] and label [rows]; NULL: the optimiser of that name */
    int64_t columns;
    bool gradient;     /* with respect to x, instead of the formula itself */
    double operations; /* of kernels without formulas in elementwise.def, for each element */
} chosen;

static const chosen cases[] = {
    {"x + y", "x + y", 512, false, 0},
    {"relu", "relu(x)", 512, false, 0},
    {"relu, gradient", "relu(x)", 512, true, 0},
    {"x y + x", "x * y + x", 512, false, 0},
    {"sqrt(x^2 + y^2) / 2", "sqrt(x * x + y * y) / 2", 512, false, 0},
    {"exp", "exp(x)", 512, false, 0},
    {"tanh", "tanh(x)", 512, false, 0},
    {"sigmoid", "sigmoid(x)", 512, false, 0},
    {"gelu", "gelu(x)", 512, false, 0},
    {"gelu, gradient", "gelu(x)", 512, true, 0},
    {"silu, gradient", "silu(x)", 512, true, 0},
    {"softmax, 10 columns", "softmax(x, 1)", 10, false, FUNCTION + 4},
    {"softmax, 1000 columns", "softmax(x, 1)", 1000, false, FUNCTION + 4},
    {"log_softmax, 1000 columns", "log_softmax(x, 1)", 1000, false, FUNCTION + 4},
    {"cross entropy, 10 classes", "softmax_cross_entropy(x, label)", 10, false, FUNCTION + 3},
    {"cross entropy, 1000 classes", "softmax_cross_entropy(x, label)", 1000, false, FUNCTION + 3},
    {"its gradient, 10 classes", "softmax_cross_entropy(x, label)", 10, true, FUNCTION + 6},
    {"its gradient, 1000 classes", "softmax_cross_entropy(x, label)", 1000, true, FUNCTION + 6},
    {"mse", "mse(x, y)", 512, false, 1},
    {"mse, gradient", "mse(x, y)", 512, true, 1},
    {"l1", "l1(x, y)", 512, false, 1},
    {"huber", "huber(x, y)", 512, false, 1},
    {"bce_with_logits", "bce_with_logits(x, y)", 512, false, 1},
    {"bce_with_logits, gradient", "bce_with_logits(x, y)", 512, true, 1},
    {"sum of all", "sum(x)", 512, false, 1},
    {"sum of rows (a bias' gradient)", "sum(x, axes=[0])", 512, false, 1},
    {"sum of columns", "sum(x, axes=[1])", 512, false, 1},
    {"largest of columns", "max(x, axes=[1])", 512, false, 1},
    {"variance of columns", "var(x, axes=[1])", 512, false, 3},
};

/* Arithmetic in a formula's text: every v_… but constants. */
static double operations_of(int op) {
    static const char *const text[] = {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) #value,
#include "kernel/elementwise.def"
#undef EW
    };
    static const char *const single[] = {"add", "sub",    "mul",   "div",  "sqrt",  "fma",   "min",    "max",      "neg",
                                         "abs", "lt",     "le",    "gt",   "ge",    "eq",    "ne",     "and",      "or",
                                         "xor", "is_nan", "floor", "ceil", "round", "trunc", "select", "is_finite"};
    double n = 0;
    for (const char *at = text[op]; (at = strstr(at, "v_")) != NULL;) {
        at += 2;
        size_t length = strcspn(at, "( ");
        if (length == 3 && strncmp(at, "set", 3) == 0) continue;
        bool one = false;
        for (size_t i = 0; i < sizeof single / sizeof *single; i++)
            one |= strlen(single[i]) == length && strncmp(at, single[i], length) == 0;
        n += one ? 1 : FUNCTION;
    }
    return n;
}

typedef struct built {
    bp_context *ctx;
    bp_graph *g;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    float *x, *y;
    int64_t *label;
    const bp__entry *entries[MOST_ENTRIES];
    int n_entries;
    double bytes, distinct, operations; /* of one pass */
    mix kind;
} built;

static double bytes_of(const bp__tensor *t) {
    double n = (double)bp_dtype_size((bp_dtype)t->dtype);
    for (int32_t i = 0; i < t->n_dims; i++)
        if (t->stride[i] != 0 || t->panels) n *= (double)t->dim[i];
    return t->data ? n : 0;
}

/* So small that every pass is the same work. */
static const double rate = 1e-9;

static void build_graph(built *b, const chosen *c, int64_t rows) {
    bp_graph *g = b->g;
    bp_dims dims = bp_shape(2, rows, c->columns);
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = BP_NONE};
    if (!c->formula) {
        bp__tree *tree;
        char yaml[200];
        snprintf(yaml, sizeof yaml, strchr(c->name, ':') ? "{%s}" : "%s", c->name);
        bp_value w = bp_parameter(g, "w", dims, bp_filled(0.5)), d = bp_input(g, "x", BP_F32, dims);
        TRY(b->ctx, bp__yaml_parse_value(b->ctx, yaml, strlen(yaml), "optimiser", &tree));
        TRY(b->ctx, bp__optimizer_build(g, tree, bp_input(g, "lr", BP_F64, bp_shape(0)), &w, &d, 1));
        bp__tree_free(b->ctx, tree);
        TRY(b->ctx, bp_program_new(&b->program, g, NULL, 0, &options));
    } else {
        static const char *const names[] = {"x", "y", "label"};
        bp_value in[3] = {bp_input(g, "x", BP_F32, dims), bp_input(g, "y", BP_F32, dims),
                          bp_input(g, "label", BP_I64, bp_shape(1, rows))};
        bp_value out = bp_parse(g, c->formula, names, in, 3);
        if (c->gradient) {
            bp_value total = bp_sum(out, NULL);
            bp_gradients(&out, &total, NULL, 1, in, 1);
        }
        TRY(b->ctx, bp_program_new(&b->program, g, &out, 1, &options));
    }
    TRY(b->ctx, bp_state_new(&b->state, g));
    TRY(b->ctx, bp_session_new(&b->session, b->program, b->state));
    size_t n = (size_t)(rows * c->columns);
    b->x = numbers(n), b->y = numbers(n);
    b->label = malloc(sizeof(int64_t) * (size_t)rows);
    if (!b->label) exit(1);
    for (int64_t i = 0; i < rows; i++) b->label[i] = i % c->columns;
    /* A program has only the inputs that it needs; what misses one fails when it runs. */
    (void)bp_session_set(b->session, "x", b->x, NULL);
    (void)bp_session_set(b->session, "y", b->y, NULL);
    (void)bp_session_set(b->session, "label", b->label, NULL);
    (void)bp_session_set(b->session, "lr", &rate, NULL);
    TRY(b->ctx, bp_session_run(b->session));
}

/* The kernels that pass over whole arrays, and what they move. */
static void choose_entries(built *b, const chosen *c, int64_t rows) {
    const bp__binding *plan = b->session->current;
    const double elements = (double)(rows * c->columns);
    const void *seen[MOST_ENTRIES * 16];
    int n_seen = 0;
    double written = 0, fresh = 0;
    for (int64_t i = 0; i < plan->n_entries && b->n_entries < MOST_ENTRIES; i++) {
        const bp__entry *e = &plan->entries[i];
        const int n = e->call.n_in + e->call.n_out;
        double moved = 0;
        for (int k = 0; k < n; k++) moved += bytes_of(k < e->call.n_in ? &e->call.in[k] : &e->call.out[k - e->call.n_in]);
        if (moved < 4 * elements * 0.9 || n > 16) continue;
        b->entries[b->n_entries++] = e;
        b->bytes += moved;
        for (int k = 0; k < n; k++) {
            const bp__tensor *t = k < e->call.n_in ? &e->call.in[k] : &e->call.out[k - e->call.n_in];
            bool old = false, input = false;
            for (int s = 0; s < n_seen; s++) old |= seen[s] == t->data;
            for (int s = 0; s < e->call.n_in; s++) input |= e->call.in[s].data == t->data;
            if (k >= e->call.n_in) written += bytes_of(t);
            if (k >= e->call.n_in && !input) fresh += bytes_of(t);
            if (old || n_seen == MOST_ENTRIES * 16) continue;
            seen[n_seen++] = t->data;
            b->distinct += bytes_of(t);
        }
        const double outputs = (double)bp__tensor_count(&e->call.out[0]);
        if (e->op == &bp__op_fused) {
            const bp__ew_program *p = &((const bp__fused_attrs *)e->call.attrs)->program;
            for (int32_t k = 0; k < p->n_instr; k++) b->operations += outputs * operations_of(p->instr[k].op);
        } else
            b->operations += e->op->ew_op >= 0 ? outputs * operations_of(e->op->ew_op) : elements * c->operations;
    }
    const double read = b->bytes - written;
    b->kind = written < 0.2 * read ? READ : fresh < 0.5 * written ? UPDATE : read > 1.5 * written ? ADD : COPY;
}

static built make(const chosen *c, int64_t rows) {
    built b = {.n_entries = 0};
    if (bp_context_new(&b.ctx, NULL) != BP_OK) exit(1);
    TRY(b.ctx, bp_graph_new(&b.g, b.ctx));
    build_graph(&b, c, rows);
    choose_entries(&b, c, rows);
    return b;
}

static void discard(built *b) {
    bp_session_free(b->session);
    bp_state_free(b->state);
    bp_program_free(b->program);
    bp_graph_free(b->g);
    bp_context_free(b->ctx);
    free(b->x);
    free(b->y);
    free(b->label);
}

static double pass(const built *b, int times) {
    bp__fpenv fp = bp__fpenv_enter();
    double start = now_ms();
    for (int r = 0; r < times; r++)
        for (int i = 0; i < b->n_entries; i++) b->entries[i]->run(&b->entries[i]->call);
    start = now_ms() - start;
    bp__fpenv_leave(fp);
    return start / times;
}

typedef struct figures {
    double rate[LEVELS], share[LEVELS]; /* GB/s, and over the plain loop's */
    double density;                     /* operations a byte */
    mix kind;
} figures;

static figures measure(const chosen *c, const size_t *set, plain *p) {
    figures f = {.density = 0};
    enum { PROBE = 4096 };
    built probe = make(c, PROBE / c->columns + 1);
    const double row = probe.distinct / (double)(PROBE / c->columns + 1);
    discard(&probe);
    for (int l = 0; l < LEVELS; l++) {
        int64_t rows = (int64_t)((double)set[l] / row);
        built b = make(c, rows < 1 ? 1 : rows);
        double times[SAMPLES], shares[SAMPLES], each = pass(&b, 1);
        each = pass(&b, 1);
        const int repeats = (int)(1 / (each + 1e-6)) + 1;
        for (int i = 0; i < SAMPLES; i++) {
            plain_pass(p, b.kind, set[l], b.bytes);
            double loop = plain_pass(p, b.kind, set[l], b.bytes * repeats) / repeats;
            pass(&b, 1);
            times[i] = pass(&b, repeats);
            shares[i] = loop / times[i];
        }
        f.rate[l] = b.bytes / median(times, SAMPLES) * 1e-6;
        f.share[l] = median(shares, SAMPLES);
        f.density = b.operations / b.bytes, f.kind = b.kind;
        discard(&b);
    }
    return f;
}

/* ---- The table
 * ------------------------------------------------------------------------------------------------------------------- */

/* Half of each cache; beyond all of them. */
static void sets(size_t *set) {
    long size[3] = {0, 0, 0};
    for (int i = 0, l = 0; l < 3 && i < 8; i++) { /* Linux says what this core sees; sysconf may add up all of a package */
        char path[80], text[32] = "", kind[32] = "";
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
        FILE *f = fopen(path, "r");
        if (!f) break;
        if (!fgets(kind, sizeof kind, f)) kind[0] = 0;
        fclose(f);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        if (strncmp(kind, "Instruction", 11) == 0 || !(f = fopen(path, "r"))) continue;
        if (fgets(text, sizeof text, f)) size[l++] = atol(text) * (strchr(text, 'M') ? 1 << 20 : 1 << 10);
        fclose(f);
    }
    static const long usual[3] = {32 << 10, 512 << 10, 8 << 20};
    for (int l = 0; l < 3; l++) set[l] = (size_t)(size[l] > 0 ? size[l] : usual[l]) / 2;
    if (set[2] > (size_t)16 << 20) set[2] = (size_t)16 << 20; /* others have their part of a server's */
    set[3] = (size_t)128 << 20;
}

typedef struct sum {
    int light, heavy, reached[LEVELS];
} sum;

static void tell(const chosen *c, const size_t *set, plain *p, sum *s) {
    figures f = measure(c, set, p);
    printf("| %s | %s | %.2g |", c->name, mix_names[f.kind], f.density);
    for (int l = 0; l < LEVELS; l++) printf(" %.1f (%.0f) |", f.rate[l], 100 * f.share[l]);
    if (f.density > 4)
        printf(" %.1f |\n", f.rate[0]);
    else
        printf(" |\n");
    fflush(stdout);
    s->light += f.density <= 4, s->heavy += f.density > 4;
    for (int l = 0; l < LEVELS; l++) s->reached[l] += f.density <= 4 && f.share[l] >= 0.85;
}

int main(void) {
    size_t set[LEVELS];
    sets(set);
    plain p = {.isa = bp__isa_find(getenv("BP_ISA")), .most = set[3] / sizeof(float)};
    if (!p.isa) return 1;
    p.x = numbers(p.most), p.y = numbers(p.most), p.z = numbers(p.most);
    setenv("BP_THREADS", "1", 1);
    printf("| plain loops, GB/s |");
    for (int l = 0; l < LEVELS; l++) printf(" %s, %zu KiB |", level_names[l], set[l] >> 10);
    printf("\n| --- | --- | --- | --- | --- |\n");
    for (int m = 0; m < MIXES; m++) {
        printf("| %s |", mix_names[m]);
        for (int l = 0; l < LEVELS; l++) {
            double times[SAMPLES], bytes = l < 3 ? 64e6 : 256e6;
            plain_pass(&p, (mix)m, set[l], bytes);
            for (int i = 0; i < SAMPLES; i++) times[i] = plain_pass(&p, (mix)m, set[l], bytes);
            printf(" %.1f |", bytes / median(times, SAMPLES) * 1e-6);
        }
        printf("\n");
    }
    printf("\n| GB/s (%% of the plain loop) | loop | operations a byte | L1 | L2 | L3 | memory | instruction bound |\n"
           "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    sum s = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) tell(&cases[i], set, &p, &s);
    sum updates = {0};
    const char *name;
    for (int i = 0; (name = bp__optimizer_kind(i, NULL)) != NULL; i++) {
        if (bp__optimizer_solver(i) || strcmp(name, "muon") == 0 || strcmp(name, "soap") == 0)
            continue; /* products of matrices */
        chosen c = {.name = name, .columns = 512, .operations = 2};
        tell(&c, set, &p, &updates);
    }
    static const char *const variants[] = {"sgd: {momentum: 0.9}", "sgd: {momentum: 0.9, nesterov: true}",
                                           "adam: {amsgrad: true}"};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        chosen c = {.name = variants[i], .columns = 512, .operations = 2};
        tell(&c, set, &p, &updates);
    }
    for (int which = 0; which < 2; which++) {
        const sum *w = which ? &updates : &s;
        printf("\n%s with at most 4 operations a byte at 85 %% or more of the plain loop:",
               which ? "Updates of optimisers" : "Others");
        for (int l = 0; l < LEVELS; l++) printf(" %d of %d in %s%s", w->reached[l], w->light, level_names[l], l < 3 ? "," : "");
        printf("; with more: %d.\n", w->heavy);
    }
    free(p.x);
    free(p.y);
    free(p.z);
    return p.sum[0] == 0.125f;
}
