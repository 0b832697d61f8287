/* Schedules against PyTorch and optax over 300 ticks: tests/golden/schedules.safetensors (made by make_schedules.py beside it),
   within 1e-12 of the base rate; formulas; the sentences that wrong ones get. `test_schedules --table` prints the largest
   deviations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expression.h"
#include "core/math64.h"
#include "io/safetensors.h"
#include "io/yaml.h"
#include "optim/optim.h"

enum { TICKS = 300 };
static const double base = 0.1, bound = 1e-12;

static bp_context *new_context(void) {
    bp_context *ctx = NULL;
    bp_context_options o = {.size = sizeof o, .threads = 1};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    return ctx;
}
#define OK(ctx, expression)                                                                \
    do {                                                                                   \
        if ((expression) != BP_OK) fail_msg("%s: %s", #expression, bp_context_error(ctx)); \
    } while (0)

/* ---- Golden values ---- */

/* The largest deviation from one tensor, relative to the base rate (a momentum's: as it is); *kind its schedule. */
static double deviation(bp_context *ctx, const bp__st_file *file, const bp__st_tensor *t, char *kind, size_t size) {
    char text[400];
    double want[TICKS], metric[TICKS], worst = 0;
    const char *momentum = strstr(t->name, " momentum");
    assert_int_equal(bp__st_count(t), TICKS);
    bp__st_to_f64(t, want);
    bp__st_to_f64(bp__safetensors_find(file, "plateau/metric"), metric);
    snprintf(text, sizeof text, "%.*s", momentum ? (int)(momentum - t->name) : (int)strlen(t->name), t->name);
    bp__tree *tree = NULL;
    OK(ctx, bp__yaml_parse(ctx, text, strlen(text), "c.yaml", &tree));
    snprintf(kind, size, "%s%s", tree->child->key, momentum ? " (momentum)" : "");
    bp__schedule *s = NULL;
    OK(ctx, bp__schedule_new(&s, ctx, "c.yaml", tree, base));
    bp__schedule_set_length(s, TICKS);
    bp__plateau memory = {.factor = 1};
    for (int i = 0; i < TICKS; i++) {
        double got = momentum ? bp__schedule_momentum(s, i) : bp__schedule_value(s, i) * memory.factor;
        double d = fabs(got - want[i]) / (momentum ? 1 : fmax(base, fabs(want[i])));
        if (!(d <= worst)) worst = d;
        bp__schedule_report(s, &memory, metric[i]);
    }
    if (!bp__schedule_is_plateau(s)) { /* one tick alone, without those before it, is the same number */
        bp__schedule *fresh = NULL;
        OK(ctx, bp__schedule_new(&fresh, ctx, NULL, tree, base));
        bp__schedule_set_length(fresh, TICKS);
        assert_true(bp__schedule_value(fresh, 271) == bp__schedule_value(s, 271));
        bp__schedule_free(fresh);
    }
    bp__schedule_free(s);
    bp__tree_free(ctx, tree);
    return worst;
}

static bp__st_file *golden(bp_context *ctx) {
    bp__st_file *file = NULL;
    OK(ctx, bp__safetensors_open(ctx, "tests/golden/schedules.safetensors", &file));
    return file;
}

static void reference(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    bp__st_file *file = golden(ctx);
    char kind[64], seen[2000] = "";
    for (int64_t i = 0; i < file->n_tensors; i++) {
        if (file->tensors[i].name[0] != '{') continue;
        double d = deviation(ctx, file, &file->tensors[i], kind, sizeof kind);
        if (!(d <= bound)) fail_msg("%s: %g", file->tensors[i].name, d);
        strncat(seen, " ", sizeof seen - strlen(seen) - 1);
        strncat(seen, kind, sizeof seen - strlen(seen) - 1);
    }
    assert_true(file->n_tensors > 50);
    const char *name;
    for (int i = 0; (name = bp__schedule_kind(i, NULL)); i++) /* every schedule has a row, but these two: test_optim.c */
        if (!strstr(seen, name) && strcmp(name, "none") != 0 && strcmp(name, "cosine") != 0) fail_msg("no golden %s", name);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

static void table(void) {
    bp_context *ctx = new_context();
    bp__st_file *file = golden(ctx);
    char kinds[64][64];
    double worst[64] = {0};
    int settings[64] = {0}, n = 0;
    for (int64_t i = 0; i < file->n_tensors; i++) {
        if (file->tensors[i].name[0] != '{') continue;
        char kind[64];
        double d = deviation(ctx, file, &file->tensors[i], kind, sizeof kind);
        int k = 0;
        while (k < n && strcmp(kinds[k], kind) != 0) k++;
        if (k == n) snprintf(kinds[n++], sizeof kinds[0], "%s", kind);
        settings[k]++;
        worst[k] = fmax(worst[k], d);
    }
    printf("| schedule | settings | largest deviation over %d ticks |\n|---|---|---|\n", TICKS);
    for (int k = 0; k < n; k++) printf("| %s | %d | %.1e |\n", kinds[k], settings[k], worst[k]);
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

/* ---- Other properties ---- */

static bp__schedule *schedule(bp_context *ctx, const char *text, double rate) {
    bp__tree *tree = NULL;
    bp__schedule *s = NULL;
    OK(ctx, bp__yaml_parse(ctx, text, strlen(text), "c.yaml", &tree));
    OK(ctx, bp__schedule_new(&s, ctx, "c.yaml", tree, rate));
    bp__tree_free(ctx, tree);
    return s;
}

static void epochs_and_steps(void **unused) {
    (void)unused;
    static const struct {
        const char *yaml;
        bool per_epoch, needs;
        double at_45; /* with 10 steps an epoch and rate 2 */
    } rows[] = {{"{lambda: \"epoch\"}", true, false, 90},
                {"{lambda: \"step\"}", false, false, 90},
                {"{lambda: {lr_lambda: \"epoch\", per: step}}", false, true, 8},
                {"{lambda: \"100 * epoch + step % 10\"}", false, true, 810},
                {"{lambda: \"lr\"}", false, false, 4},
                {"{multiplicative: \"step % 10 == 5 ? 2 : 1\"}", false, false, 64},
                {"{sequential: {schedules: [none, {lambda: \"epoch + 1\"}], milestones: [15], per: step}}", false, true, 8},
                {"{sequential: {schedules: [none, {lambda: \"epoch + 1\"}], milestones: [15], per: epoch}}", true, false, 62}};
    bp_context *ctx = new_context();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bp__schedule *s = schedule(ctx, rows[i].yaml, 2);
        assert_int_equal(bp__schedule_per_epoch(s), rows[i].per_epoch);
        assert_int_equal(bp__schedule_needs_epochs(s), rows[i].needs);
        bp__schedule_set_epoch(s, 10);
        double got = bp__schedule_value(s, 45);
        if (!(fabs(got - rows[i].at_45) < 1e-12)) fail_msg("%s: %.17g", rows[i].yaml, got);
        bp__schedule_free(s);
    }
    bp_context_free(ctx);
}

static void momentum_of_others(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    static const char *const still[] = {"none", "{step: {step_size: 3, per: step}}",
                                        "{one_cycle: {total_steps: 9, cycle_momentum: false}}"};
    for (int i = 0; i < 3; i++) {
        bp__schedule *s = schedule(ctx, still[i], 1);
        assert_true(isnan(bp__schedule_momentum(s, 4)));
        bp__schedule_free(s);
    }
    bp__schedule *s = schedule(
        ctx, "{sequential: {schedules: [none, {cyclic: {max_lr: 3, step_size_up: 4}}], milestones: [10], per: step}}", 1);
    assert_true(isnan(bp__schedule_momentum(s, 9)));
    assert_true(bp__schedule_momentum(s, 10) == 0.9 && fabs(bp__schedule_momentum(s, 14) - 0.8) < 1e-15);
    bp__schedule_free(s);
    bp_context_free(ctx);
}

/* Far ticks are closed forms; a rate set later, as after a rollback, counts from the start. */
static void far(void **unused) {
    (void)unused;
    bp_context *ctx = new_context();
    bp__schedule *s = schedule(ctx, "{exponential: {gamma: 0.9999, per: step}}", 1);
    double exact = exp(100000 * log(0.9999));
    assert_true(fabs(bp__schedule_value(s, 100000) / exact - 1) < 1e-12);
    bp__schedule_free(s);
    s = schedule(ctx, "{multiplicative: \"0.5\"}", 1);
    assert_true(bp__schedule_value(s, 10) == 0x1p-10 && bp__schedule_value(s, 3) == 0x1p-3);
    bp__schedule_set_lr(s, 4);
    assert_true(bp__schedule_value(s, 10) == 0x1p-8);
    bp__schedule_free(s);
    bp_context_free(ctx);
}

/* ---- Formulas ---- */

static void formulas(void **unused) {
    (void)unused;
    static const char *const names[] = {"x", "y2"};
    static const struct {
        const char *text;
        double want; /* x = 3, y2 = -2 */
    } rows[] = {{"1 + 2 * 3", 7},
                {"(1 + 2) * 3", 9},
                {"2 ^ 3 ^ 2", 512},
                {"2 ** -1", 0.5},
                {"-2 ^ 2", -4},
                {"- -x", 3},
                {"10 - 4 - 3", 3},
                {"7 % 3 + -7 % 3", 3},
                {"1e2 + .5 + 1.5E-1", 100.65},
                {"x < 3 ? 1 : x <= 3 ? 2 : 3", 2},
                {"x > 2 && y2 < 0 || 0", 1},
                {"!(x == 3) + (x != 3) + (y2 >= -2)", 1},
                {"min(x, y2) + max(x, y2)", 1},
                {"exp(log(x)) + sqrt(16) + abs(y2)", 9},
                {"cos(pi) + sin(pi / 2)", 0},
                {"floor(2.7) + ceil(2.2) + tanh(0)", 5},
                {"pow(x, y2) * 9", 1},
                {"y2 ^ 3", -8},
                {"4 ^ 0.5", 2},
                {"0 ^ 0", 1}};
    const double values[] = {3, -2};
    bp_context *ctx = new_context();
    char why[300];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bp__expression *e = NULL;
        if (bp__expression_new(&e, ctx, rows[i].text, names, 2, why, sizeof why) != BP_OK) fail_msg("%s", why);
        double got = bp__expression_value(e, values);
        if (!(fabs(got - rows[i].want) < 1e-14)) fail_msg("%s is %.17g", rows[i].text, got);
        bp__expression_free(e);
    }
    static const struct {
        const char *text, *says;
    } wrong[] = {{"1 +", "character 4 of \"1 +\": the formula ends"},
                 {"2 * * 3", "character 5 of \"2 * * 3\": expected a number, a name or `(`, not `*`"},
                 {"(1 + 2", "character 7 of \"(1 + 2\": expected `)` at the end"},
                 {"1 2", "character 3 of \"1 2\": expected an operator or the end, not `2`"},
                 {"z + 1", "character 1 of \"z + 1\": there is no `z`; `x`, `y2` and `pi` are known"},
                 {"x + sqr(2)", "character 5 of \"x + sqr(2)\": there is no function `sqr`: did you mean `sqrt`?"},
                 {"min(1)", "expected `,`, not `)`"},
                 {"1.2.3", "character 1 of \"1.2.3\": `1.2.3` is no number"},
                 {"x ? 1", "expected `:` at the end"},
                 {"", "character 1 of \"\": the formula ends"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bp__expression *e = NULL;
        assert_int_equal(bp__expression_new(&e, ctx, wrong[i].text, names, 2, why, sizeof why), BP_CONFIG);
        assert_null(e);
        if (!strstr(why, wrong[i].says)) fail_msg("%s: %s", wrong[i].text, why);
        assert_string_equal(bp_context_error(ctx), "");
    }
    char deep[400];
    memset(deep, '(', sizeof deep);
    deep[399] = 0;
    bp__expression *e = NULL;
    assert_int_equal(bp__expression_new(&e, ctx, deep, names, 2, why, sizeof why), BP_CONFIG);
    assert_non_null(strstr(why, "nested too deeply"));
    bp_context_free(ctx);
}

static void powers(void **unused) {
    (void)unused;
    static const double bases[] = {0.5, 0.9, 0.9999, 1.0001, 1.7, 10, 1e-3},
                        ys[] = {-3, 0.25, 7, 300, 1024, 1025, 4000.5, -1e5, 0};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
        for (size_t k = 0; k < sizeof ys / sizeof ys[0]; k++) {
            double want = pow(bases[i], ys[k]), got = bp__pow64(bases[i], ys[k]);
            if (want > 1e-300 && want < 1e300 && !(fabs(got / want - 1) < 2e-13))
                fail_msg("%g ^ %g is %.17g", bases[i], ys[k], got);
        }
    assert_true(bp__pow64(-2, 1025) == -INFINITY && bp__pow64(-1, 1e9) == 1 && bp__pow64(-1, 1e9 + 1) == -1);
    assert_true(isnan(bp__pow64(-2, 0.5)) && bp__pow64(0, 0.5) == 0 && bp__pow64(0, -2) == INFINITY);
}

static void sentences(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"lambda", "`lambda` needs `lr_lambda`"},
        {"{lambda: 0.5}", "`lr_lambda` must be text, not 0.5"},
        {"{lambda: \"0.9 ^ epok\"}",
         "schedule: character 7 of \"0.9 ^ epok\": there is no `epok`; `step`, `epoch`, `lr` and `pi`"},
        {"{lambda: \"1 - step / 100\"}", "\"1 - step / 100\" is -0.01 at step 101"},
        {"{lambda: \"log(epoch)\"}", "is -inf at epoch 0"},
        {"{lambda: {lr_lambda: \"step\", per: epoch}}", "counts epochs here, so its formula cannot use `step`"},
        {"{piecewise: {boundaries: [3], scales: [1, 2], per: step}}", "`scales` must be a list of 1 numbers"},
        {"{piecewise: {boundaries: [3], scales: [-1], per: step}}", "each of `scales` must be a number of at least 0"},
        {"{piecewise: {boundaries: [3, 2], scales: [1, 1], per: step}}", "`boundaries` must not go down"},
        {"{piecewise: {boundaries: [3], scales: [1]}}", "`piecewise` counts by `boundaries`"},
        {"{noam: {d_model: 8, warmup_steps: 0}}", "`noam` needs `warmup_steps` of at least 1"},
        {"{inverse_time: {decay_steps: 3, decay_rate: 1}}", "`inverse_time` counts by `decay_steps`"},
        {"{wsd: {decay_steps: 3}}", "`wsd` counts by `decay_steps`"},
        {"{one_cycle: {max_lr: 1, base_momentum: 0.99}}", "`base_momentum` must not be above `max_momentum`"},
        {"{warmup: 0.5}", "`warmup_steps` must be a whole number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bp_context *ctx = new_context();
        bp__tree *tree = NULL;
        bp__schedule *s = NULL;
        OK(ctx, bp__yaml_parse(ctx, rows[i].text, strlen(rows[i].text), "c.yaml", &tree));
        assert_int_equal(bp__schedule_new(&s, ctx, "c.yaml", tree, 0.1), BP_CONFIG);
        assert_null(s);
        if (!strstr(bp_context_error(ctx), rows[i].says)) fail_msg("%s:\n  got  %s", rows[i].text, bp_context_error(ctx));
        bp__tree_free(ctx, tree);
        bp_context_free(ctx);
    }
}

/* ---- Every allocation fails once ---- */

typedef struct heap {
    int64_t left, live; /* allocations until one fails; blocks not freed */
} heap;
static void *heap_new(size_t bytes, void *user) {
    heap *h = user;
    if (h->left-- == 0) return NULL;
    h->live++;
    return malloc(bytes);
}
static void *heap_resize(void *p, size_t bytes, void *user) {
    heap *h = user;
    if (h->left-- == 0) return NULL;
    return realloc(p, bytes);
}
static void heap_free(void *p, void *user) {
    heap *h = user;
    h->live -= p != NULL;
    free(p);
}

static void failing_allocations(void **unused) {
    (void)unused;
    static const char text[] =
        "{sequential: {schedules: [{lambda: \"1 + min(step, 3) * cos(lr)\"}, {piecewise: {boundaries: [1, 2], "
        "scales: [1, 2]}}, {chained: [{multiplicative: \"0.5 ^ epoch\"}]}], milestones: [3, 9], per: step}}";
    heap h = {.left = INT64_MAX};
    bp_context *ctx = NULL, *plain = new_context();
    bp_context_options o = {
        .size = sizeof o, .threads = 1, .allocate = heap_new, .resize = heap_resize, .release = heap_free, .user = &h};
    bp__tree *tree = NULL;
    OK(plain, bp__yaml_parse(plain, text, strlen(text), "c.yaml", &tree));
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    int64_t before = h.live, n = 0;
    for (bool failed = true; failed; n++) {
        bp__schedule *s = NULL;
        bp_context_clear_error(ctx);
        h.left = n;
        bp_status status = bp__schedule_new(&s, ctx, "c.yaml", tree, 1);
        failed = h.left < 0;
        assert_int_equal(status, failed ? BP_MEMORY : BP_OK);
        if (status != BP_OK) assert_null(s);
        h.left = INT64_MAX;
        bp__schedule_free(s);
        assert_int_equal(h.live, before);
    }
    assert_true(n > 30);
    bp_context_free(ctx);
    bp__tree_free(plain, tree);
    bp_context_free(plain);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        table();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference),          cmocka_unit_test(epochs_and_steps),
        cmocka_unit_test(momentum_of_others), cmocka_unit_test(far),
        cmocka_unit_test(formulas),           cmocka_unit_test(powers),
        cmocka_unit_test(sentences),          cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests_name("schedules", tests, NULL, NULL) != 0;
}
