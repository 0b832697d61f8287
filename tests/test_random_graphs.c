/* Random graphs: the same bits without passes on the scalar instruction set (the oracle) and with all passes, on every
   instruction set and for 1, 2 and 3 threads, in single and double precision; outputs, gradients and the state after three
   steps with two sizes of the batch. First and second derivatives agree with differences. BP_GRAPHS=100000 runs more of them,
   BP_SEED=n starts at seed n. What differs is printed as a C program, any graph with BP_PRINT_C=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/random_graph_c.h"
#include "support/random_graph_draw.h"
#include "support/random_graph_slope.h"

enum { ROUNDS = MAX_ROUNDS, MAX_CONFIGS = 16 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* ten times as slow */
enum { GRAPHS = 300 };
#else
enum { GRAPHS = 2000 };
#endif

typedef struct outcome { /* everything a run gave, one piece behind the other */
    char *bytes;
    size_t n, capacity;
    char error[400]; /* why there is nothing, or "" */
} outcome;

typedef struct config {
    bp_context *ctx;
    char name[48];
    const char *isa;
    int threads, no_passes;
} config;

static config configs[MAX_CONFIGS]; /* [0]: the oracle */
static int n_configs;
static int64_t n_numbers, n_finite, n_large, n_programs, n_updates, n_with_gradients, n_second, n_empty;
static int64_t n_slopes[3][VERDICTS]; /* graphs by what came of their first and second derivatives */
static bool drawn[BP__OP_ID_COUNT];

static void keep(outcome *o, const void *data, size_t n, bp_dtype dtype) {
    if (o->n + n > o->capacity) {
        o->capacity = 2 * o->capacity + n;
        o->bytes = realloc(o->bytes, o->capacity);
        if (!o->bytes) abort();
    }
    char *to = o->bytes + o->n;
    memcpy(to, data, n);
    o->n += n;
    for (size_t i = 0; dtype == BP_F32 && i < n; i += 4) { /* NaN equals NaN, whatever its payload */
        float x;
        memcpy(&x, to + i, 4);
        if (x != x) memset(to + i, 0xff, 4);
    }
    for (size_t i = 0; dtype == BP_F64 && i < n; i += 8) {
        double x;
        memcpy(&x, to + i, 8);
        if (x != x) memset(to + i, 0xff, 8);
    }
}

/* One element of the outcome is `element` of piece `piece`: outputs and variables of each round. */
typedef struct place {
    size_t start;
    int round, output; /* output -1: the state */
    char name[32];
    bp_dtype dtype;
} place;
typedef struct places {
    place at[ROUNDS * (MAX_OUTPUTS + 2 * MAX_STEPS)];
    int n;
} places;

static void note(places *p, const outcome *o, int round, int output, const char *name, bp_dtype dtype) {
    if (!p || p->n == (int)(sizeof p->at / sizeof p->at[0])) return;
    place *at = &p->at[p->n++];
    *at = (place){.start = o->n, .round = round, .output = output, .dtype = dtype};
    snprintf(at->name, sizeof at->name, "%s", name);
}

static bp_status read_all(const recipe *r, running *run, int round, outcome *o, places *where) {
    for (int k = 0; k < r->n_outputs; k++) {
        const void *data;
        bp_dtype dtype;
        bp_dims dims;
        BP_TRY(bp_session_output(run->session, k, &data, &dtype, &dims));
        note(where, o, round, k, "", dtype);
        keep(o, data, (size_t)elements(r->g, &dims, 1) * bp_dtype_size(dtype), dtype);
    }
    for (int i = 0; i < bp_state_count(run->state); i++) {
        bp_dtype dtype;
        bp_dims dims;
        const char *name = bp_state_name(run->state, i);
        BP_TRY(bp_state_describe(run->state, name, &dtype, &dims));
        size_t n = (size_t)elements(r->g, &dims, 1) * bp_dtype_size(dtype);
        void *data = malloc(n + 1);
        if (!data) abort();
        bp_status status = bp_state_get(run->state, name, data, n);
        note(where, o, round, -1, name, dtype);
        if (status == BP_OK) keep(o, data, n, dtype);
        free(data);
        BP_TRY(status);
    }
    return BP_OK;
}

static int64_t batch_of(const recipe *r, int round) { return round == 1 ? (r->batch + 1) / 2 : r->batch; }

static bp_status run_rounds(const recipe *r, running *run, bp_context *ctx, bp_dtype type, outcome *o, places *where) {
    static bp_value value[MAX_VALUES];
    bp_value outputs[MAX_OUTPUTS];
    BP_TRY(bp_graph_new(&run->g, ctx));
    bp_graph_set_dtype(run->g, type);
    for (int i = 0; i < r->n_steps; i++) build_step(run->g, r, i, value, type);
    for (int i = 0; i < r->n_assigns; i++) bp_assign(value[r->variable[i]], value[r->assigned[i]]);
    BP_TRY(bp_graph_status(run->g));
    for (int i = 0; i < r->n_outputs; i++) outputs[i] = value[r->outputs[i]];
    bp_program_options options = {.size = sizeof options, .commit = 1, .ok = r->ok < 0 ? BP_NONE : value[r->ok]};
    BP_TRY(bp_state_new(&run->state, run->g));
    BP_TRY(bp_program_new(&run->program, run->g, outputs, r->n_outputs, &options));
    BP_TRY(bp_session_new(&run->session, run->program, run->state));
    for (int round = 0; round < ROUNDS; round++) {
        BP_TRY(feed(r, run, type, round, batch_of(r, round)));
        bp_session_set_step(run->session, r->seed, (uint32_t)round, 0);
        BP_TRY(bp_session_run(run->session));
        BP_TRY(read_all(r, run, round, o, where));
    }
    return BP_OK;
}

static void execute(const recipe *r, const config *c, bp_dtype type, outcome *o, places *where) {
    running run = {0};
    o->n = 0;
    o->error[0] = 0;
    if (where) where->n = 0;
    bp_context_clear_error(c->ctx);
    if (run_rounds(r, &run, c->ctx, type, o, where) != BP_OK) snprintf(o->error, sizeof o->error, "%s", bp_context_error(c->ctx));
    close_running(r, &run);
    n_programs++;
}

static bool equal(const outcome *a, const outcome *b) {
    if (a->error[0] || b->error[0]) return false; /* a graph that was drawn has to run */
    return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

static bool agree(const recipe *r, const config *c, bp_dtype type) {
    static outcome expected, got;
    execute(r, &configs[0], type, &expected, NULL);
    if (c == &configs[0]) return !expected.error[0];
    execute(r, c, type, &got, NULL);
    return equal(&expected, &got);
}

/* ---- When something is wrong ------------------------------------------------------------------------------------------- */

static double number_at(const char *bytes, bp_dtype dtype) {
    float f;
    double d;
    int64_t l = 0;
    if (dtype == BP_F32) return memcpy(&f, bytes, 4), (double)f;
    if (dtype == BP_F64) return memcpy(&d, bytes, 8), d;
    memcpy(&l, bytes, bp_dtype_size(dtype));
    return (double)l;
}

static void print_program(const recipe *r, const config *c, bp_dtype type) {
    bool wanted[MAX_STEPS];
    int64_t batches[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) batches[round] = batch_of(r, round);
    needed(r, wanted);
    print_c(r, wanted, c->isa, c->threads, c->no_passes, type, batches, ROUNDS);
}

static void report(const recipe *r, const config *c, bp_dtype type) {
    static outcome expected, got;
    static places where;
    execute(r, &configs[0], type, &expected, &where);
    execute(r, c, type, &got, NULL);
    printf("seed %llu, %s, %s:\n", (unsigned long long)r->seed, c->name, bp_dtype_name(type));
    print_recipe(r);
    if (expected.error[0]) printf("  without passes: %s\n", expected.error);
    if (got.error[0]) printf("  with passes: %s\n", got.error);
    if (expected.error[0] || got.error[0]) return;
    size_t i = 0;
    while (i < expected.n && i < got.n && expected.bytes[i] == got.bytes[i]) i++;
    const place *at = where.at;
    for (int k = 0; k < where.n; k++)
        if (where.at[k].start <= i) at = &where.at[k];
    size_t e = bp_dtype_size(at->dtype), element = (i - at->start) / e;
    printf("  round %d, %s ", at->round, at->output < 0 ? "state" : "output");
    if (at->output < 0)
        printf("%s", at->name);
    else
        printf("#%d", r->outputs[at->output]);
    printf("[%zu]: %.17g, not %.17g\n", element, number_at(got.bytes + at->start + element * e, at->dtype),
           number_at(expected.bytes + at->start + element * e, at->dtype));
}

/* Leaves out outputs and assignments for as long as the difference stays; then tries single values, the earliest first. */
static void shrink(recipe *r, const config *c, bp_dtype type) {
    for (int k = r->n_outputs - 1; k > 0; k--) {
        recipe less = *r;
        for (int i = k; i + 1 < less.n_outputs; i++) less.outputs[i] = less.outputs[i + 1];
        less.n_outputs--;
        if (!agree(&less, c, type)) *r = less;
    }
    for (int k = r->n_assigns - 1; k >= 0; k--) {
        recipe less = *r;
        for (int i = k; i + 1 < less.n_assigns; i++)
            less.variable[i] = less.variable[i + 1], less.assigned[i] = less.assigned[i + 1];
        less.n_assigns--;
        if (!agree(&less, c, type)) *r = less;
    }
    recipe less = *r;
    less.ok = -1;
    if (!agree(&less, c, type)) *r = less;
    for (int v = 0; v < r->n_values; v++) {
        less = *r;
        less.n_outputs = 2;
        less.outputs[1] = v;
        less.n_assigns = 0;
        less.ok = -1;
        if (agree(&less, c, type)) continue;
        *r = less;
        return;
    }
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------- */

static void count_finite(const outcome *o, const places *where) {
    for (int k = 0; k < where->n; k++) {
        const place *at = &where->at[k];
        size_t end = k + 1 < where->n ? where->at[k + 1].start : o->n, e = bp_dtype_size(at->dtype);
        for (size_t i = at->start; i < end && at->dtype <= BP_F64; i += e) {
            n_numbers++;
            n_finite += isfinite(number_at(o->bytes + i, at->dtype)) != 0;
        }
    }
}

/* FNV-1a of all that the graphs gave: what two processors have to print alike. */
static uint64_t checksum = UINT64_C(0xcbf29ce484222325);
static void add_to_checksum(const outcome *o) {
    for (size_t i = 0; i < o->n; i++) checksum = (checksum ^ (unsigned char)o->bytes[i]) * UINT64_C(0x100000001b3);
}

/* Does a gradient depend on another one? Followed through what leads to it. */
static bool is_of_gradients(const recipe *r, const step *s) {
    bool leads[MAX_VALUES] = {false};
    for (int i = 0; i < r->n_steps && &r->steps[i] < s; i++) {
        const step *t = &r->steps[i];
        bool from = t->kind == GRADIENTS;
        for (int k = 0; k < t->n_in && !from; k++) from = t->in[k] >= 0 && leads[t->in[k]];
        for (int k = 0; k < t->n_out; k++) leads[t->out + k] = from;
    }
    for (int k = 0; k < s->n_in; k++)
        if (leads[s->in[k]]) return true;
    return false;
}

/* The gradients of the graph, and those of gradients, against differences. */
static bool agrees_with_differences(const recipe *r) {
    static slope q;
    const config *c = &configs[1 + r->seed % (uint64_t)(n_configs - 1)];
    measured m;
    verdict found = AGREES;
    q = (slope){.of = r};
    bool any = some_values(r, &q.d);
    for (q.order = 1; q.order <= 2 && found == AGREES; q.order++) {
        found = any ? measure(&q, c->ctx, &m) : VACUOUS;
        n_slopes[q.order][found]++;
        if (found == NOT_BUILT && m.message[0]) printf("seed %llu: %s\n", (unsigned long long)r->seed, m.message);
        if (found != WRONG) continue;
        shrink_slope(&q, c->ctx);
        report_slope(&q, c->ctx, c->isa, c->threads, c->no_passes);
        return false;
    }
    return true;
}

/* Draws the graph of a seed and compares; prints and returns false when something differs. */
static bool check_seed(uint64_t seed) {
    static recipe r;
    static outcome expected, got;
    static places where;
    bool large = seed % 12 == 5, right = true, empty = false;
    bp_context_clear_error(configs[0].ctx);
    draw_recipe(&r, configs[0].ctx, seed, large);
    if (!r.g || bp_graph_status(r.g) != BP_OK) {
        printf("seed %llu: the graph was refused: %s\n", (unsigned long long)seed, bp_context_error(configs[0].ctx));
        bp_graph_free(r.g);
        return false;
    }
    for (int i = 0; i < r.n_steps; i++) {
        for (int k = 0; r.steps[i].kind == OPERATION && k < BP__OP_ID_COUNT; k++) drawn[k] |= bp__op_at(k) == r.steps[i].op;
        n_with_gradients += r.steps[i].kind == GRADIENTS;
        n_second += r.steps[i].kind == GRADIENTS && i > 0 && is_of_gradients(&r, &r.steps[i]);
    }
    for (int i = 0; i < r.n_values; i++) {
        bp_dims d = bp_value_dims(r.value[i]);
        empty |= is_empty(&d);
    }
    n_empty += empty;
    n_large += large;
    n_updates += r.n_assigns;
    if (getenv("BP_PRINT_C")) print_program(&r, &configs[1], BP_F32);
    for (int type = BP_F32; type <= BP_F64 && right; type++) {
        execute(&r, &configs[0], (bp_dtype)type, &expected, &where);
        count_finite(&expected, &where);
        add_to_checksum(&expected);
        if (getenv("BP_PRINT_CHECKSUMS"))
            printf("seed %llu, %s: %016llx\n", (unsigned long long)seed, bp_dtype_name((bp_dtype)type),
                   (unsigned long long)checksum);
        for (int c = 1; c < n_configs && right; c++) {
            execute(&r, &configs[c], (bp_dtype)type, &got, NULL);
            right = equal(&expected, &got);
            if (right) continue;
            shrink(&r, &configs[c], (bp_dtype)type);
            report(&r, &configs[c], (bp_dtype)type);
            print_program(&r, &configs[c], (bp_dtype)type);
        }
    }
    right = right && agrees_with_differences(&r);
    bp_graph_free(r.g);
    return right;
}

static int64_t setting(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static void same_bits(void **state) {
    (void)state;
    int64_t n = setting("BP_GRAPHS", GRAPHS), first = setting("BP_SEED", 1), wrong = 0, n_drawn = 0;
    for (int64_t i = 0; i < n && wrong < 5; i++) {
        wrong += !check_seed((uint64_t)(first + i));
        if (n > 5000 && (i + 1) % 5000 == 0) {
            printf("%lld graphs, %lld wrong\n", (long long)(i + 1), (long long)wrong);
            fflush(stdout);
        }
    }
    for (int k = 0; k < BP__OP_ID_COUNT; k++) n_drawn += drawn[k];
    printf("seeds %lld to %lld: %lld graphs (%lld large, %lld with empty values), %lld gradients (%lld of gradients), %lld "
           "assignments, %lld programs; %lld of %d operations; %.1f %% of the numbers finite; checksum %016llx\n",
           (long long)first, (long long)(first + n - 1), (long long)n, (long long)n_large, (long long)n_empty,
           (long long)n_with_gradients, (long long)n_second, (long long)n_updates, (long long)n_programs, (long long)n_drawn,
           (int)BP__OP_ID_COUNT, 100.0 * (double)n_finite / (double)(n_numbers + (n_numbers == 0)), (unsigned long long)checksum);
    for (int order = 1; order <= 2; order++) {
        printf("%s derivatives against differences:", order == 1 ? "first" : "second");
        for (int k = 0; k < VERDICTS; k++) printf("%s %lld %s", k ? "," : "", (long long)n_slopes[order][k], verdict_names[k]);
        printf("\n");
    }
    for (int k = 0; k < BP__OP_ID_COUNT && n >= 300; k++)
        if (!drawn[k]) printf("not drawn: %s\n", bp__op_at(k)->name);
    assert_int_equal(wrong, 0);
    if (n < 300) return;
    for (int k = 0; k < BP__OP_ID_COUNT; k++)
        if (n >= 2000 && sampled_can(bp__op_at(k))) assert_true(drawn[k]);
    assert_true(n_drawn > BP__OP_ID_COUNT * 9 / 10);
    assert_true(n_finite > n_numbers * 6 / 10);                              /* where everything is NaN, everything is equal */
    assert_true(n_slopes[1][AGREES] > n / 2 && n_slopes[2][AGREES] > n / 4); /* what is not compared is not checked */
    assert_true(n_with_gradients > n / 2 && n_second > n / 8 && n_updates > n && n_empty > n / 50);
}

/* The comparison is worth something: a slope that is one part in 2^40 larger is seen, and the report names it. */
static void differences_are_noticed(void **state) {
    (void)state;
    static outcome expected, got;
    int noticed = 0, tried = 0;
    for (uint64_t seed = 1; tried < 20; seed++) {
        static recipe r;
        draw_recipe(&r, configs[0].ctx, seed, false);
        assert_int_equal(bp_graph_status(r.g), BP_OK);
        step *changed = NULL;
        for (int i = 0; i < r.n_steps; i++)
            if (r.steps[i].kind == PARAMETER && number_of(&r.steps[i].dims) > 3) changed = &r.steps[i];
        if (changed) {
            r.outputs[1] = changed->out;
            execute(&r, &configs[0], BP_F64, &expected, NULL);
            changed->high += 0x1p-40;
            execute(&r, &configs[0], BP_F64, &got, NULL);
            tried++;
            noticed += !equal(&expected, &got);
        }
        bp_graph_free(r.g);
    }
    assert_int_equal(noticed, tried);
}

static void (*true_rule)(bp__grad *c);
static void wrong_rule(bp__grad *c) {
    true_rule(c);
    for (int i = 0; i < c->n_in; i++)
        if (c->d_in[i].graph) c->d_in[i] = bp_mul(c->d_in[i], bp_number(c->g, bp_value_dtype(c->d_in[i]), 1.01));
}

/* A rule that gives 1 % too much is seen wherever it has an effect, and what is left after shrinking is about it. */
static void wrong_rules_are_noticed(void **state) {
    (void)state;
    static recipe r;
    static slope q;
    static bp__op wrong;
    bp_context *ctx = configs[1].ctx;
    measured right, m;
    int tried = 0, noticed = 0, n_left = 0, about_it = 0;
    for (uint64_t seed = 1; tried < 25; seed++) {
        draw_recipe(&r, configs[0].ctx, seed, false);
        int at = (int)(seed % (uint64_t)r.n_steps);
        step *s = &r.steps[at];
        q = (slope){.of = &r, .order = 1};
        if (s->kind == OPERATION && s->op->gradient && some_values(&r, &q.d) && measure(&q, ctx, &right) == AGREES) {
            wrong = *s->op;
            true_rule = wrong.gradient;
            wrong.gradient = wrong_rule;
            s->op = &wrong;
            bool steps[MAX_STEPS], second = false; /* there the wrong rule changes what is differentiated too */
            needed_by(&q, steps);
            for (int i = 0; i < r.n_steps; i++) second |= steps[i] && r.steps[i].kind == GRADIENTS;
            verdict found = measure(&q, ctx, &m);
            if (!second && fabs(m.by_rule - right.by_rule) > 1e-5 * right.scale) {
                tried++;
                noticed += found == WRONG;
                shrink_slope(&q, ctx);
                needed_by(&q, steps);
                about_it += steps[at];
                for (int i = 0; i < r.n_steps; i++) n_left += steps[i] && r.steps[i].kind == OPERATION;
            }
        }
        bp_graph_free(r.g);
    }
    printf("%d of %d wrong rules noticed; %d operations left on average\n", noticed, tried, n_left / tried);
    assert_int_equal(noticed, tried);
    assert_int_equal(about_it, tried);
    assert_true(n_left <= 6 * tried);
}

static void add_config(const char *isa, int threads, int no_passes) {
    config *c = &configs[n_configs];
    bp_context_options o = {.size = sizeof o, .isa = isa, .threads = threads, .no_passes = no_passes, .has_seed = 1, .seed = 7};
    if (n_configs == MAX_CONFIGS || bp_context_new(&c->ctx, &o) != BP_OK) return;
    c->isa = isa;
    c->threads = threads;
    c->no_passes = no_passes;
    snprintf(c->name, sizeof c->name, "%s, %d threads, passes %s", isa, threads, no_passes ? "none" : "all");
    n_configs++;
}

int main(void) {
    add_config("scalar", 1, 1);
    for (int i = 0; bp_isa_usable(i); i++)
        for (int threads = 1; threads <= 3; threads++) add_config(bp_isa_usable(i), threads, 0);
    add_config(bp_isa_usable(0), 2, 1);
    if (n_configs < 4) {
        printf("the contexts cannot be made\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(differences_are_noticed), cmocka_unit_test(wrong_rules_are_noticed),
                                       cmocka_unit_test(same_bits)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < n_configs; i++) bp_context_free(configs[i].ctx);
    return failed;
}
