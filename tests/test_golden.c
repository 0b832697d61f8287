/* Values and gradients against PyTorch's, in double precision: the sets of tests/golden/ (made by the scripts beside them)
   and, where it is there, the reference set of ../shared/data (or $BP_SHARED/data), of which every case is checked that the
   table of operations can express; the others are named. A case lists its inputs in.* and param.*, outputs out.*, cotangents
   gout.* and gradients grad.*; every output and every gradient of the file has to be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/golden_cases.h"
#include "support/golden_linalg.h"

/* Both sides are rounded a few times on the way, sums of some ten terms among them: 1e-12 of a number, or of the largest one of
   its tensor where terms cancel, is some thousand roundings. */
static const double BOUND = 1e-12;

/* PyTorch 1.13 multiplies hardsigmoid's gradient by a single-precision 1/6, which is 3e-8 off. */
static double bound_of(const char *name) { return strcmp(name, "hardsigmoid") == 0 ? 4e-8 : BOUND; }

static double worst;

/* ---- Comparing ------------------------------------------------------------------------------------------------------- */

static int64_t count(const bp_dims *d) {
    int64_t n = 1;
    for (int64_t i = 0; i < d->n; i++) n *= d->dim[i];
    return n;
}

static double number_of(const void *data, bp_dtype dtype, int64_t i) {
    return dtype == BP_F64 ? ((const double *)data)[i] : dtype == BP_I64 ? (double)((const int64_t *)data)[i] : (double)NAN;
}

static bool compare(golden *k, const char *what, const void *data, bp_dtype dtype, const bp_dims *dims,
                    const bp__st_tensor *want) {
    int64_t n = count(dims);
    bool fits = n == bp__st_count(want) && dims->n == want->n_dims;
    for (int64_t i = 0; fits && i < dims->n; i++) fits = dims->dim[i] == want->dims[i];
    if (!fits) {
        printf("%s: %s has another shape than %s\n", k->name, what, want->name);
        return false;
    }
    double *expected = malloc(sizeof(double) * (size_t)n + 1), largest = 0;
    if (!expected) abort();
    bp__st_to_f64(want, expected);
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, isfinite(expected[i]) ? fabs(expected[i]) : 0);
    bool right = true;
    for (int64_t i = 0; i < n && right; i++) {
        double got = number_of(data, dtype, i), off = fabs(got - expected[i]);
        if (got == expected[i] || (isnan(got) && isnan(expected[i]))) continue;
        right = off <= bound_of(k->name) * largest; /* false for NaN */
        if (!right) printf("%s: %s[%lld] is %.17g, not %.17g\n", k->name, what, (long long)i, got, expected[i]);
        if (bound_of(k->name) == BOUND) worst = fmax(worst, off / largest);
    }
    free(expected);
    return right;
}

/* ---- One case -------------------------------------------------------------------------------------------------------- */

static const bp__st_tensor *find(const golden *k, const char *part, const char *name) {
    char full[200];
    snprintf(full, sizeof full, "%s%s%s", k->prefix, part, name);
    return bp__safetensors_find(k->file, full);
}

static bp_value golden_in(golden *k, const char *name) {
    char full[100];
    for (int i = 0; i < k->n_in; i++)
        if (strcmp(k->in_names[i], name) == 0) return k->in[i];
    snprintf(full, sizeof full, "in.%s", name);
    const bp__st_tensor *t = find(k, "", full);
    if (!t) {
        snprintf(full, sizeof full, "param.%s", name);
        t = find(k, "", full);
    }
    if (!t) return BP_NONE;
    if (k->n_in == GOLDEN_IN) abort();
    bp_dims d = {.n = t->n_dims};
    for (int i = 0; i < t->n_dims; i++) d.dim[i] = t->dims[i];
    snprintf(k->in_names[k->n_in], sizeof k->in_names[0], "%s", name);
    snprintf(k->in_full[k->n_in], sizeof k->in_full[0], "%s", full);
    return k->in[k->n_in++] = bp_input(k->g, full, t->dtype == BP__ST_I64 ? BP_I64 : BP_F64, d);
}

static void golden_out(golden *k, const char *name, bp_value y) {
    if (k->n_out == GOLDEN_OUT) abort();
    k->out_names[k->n_out] = name;
    k->out[k->n_out++] = y;
}

static bool starts(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* Runs outputs and gradients; compares all that the file has of this case. */
static bool run_case(golden *k) {
    bp_value values[GOLDEN_OUT], cotangents[GOLDEN_OUT], wrt[GOLDEN_IN], results[GOLDEN_OUT + GOLDEN_IN];
    const bp__st_tensor *want[GOLDEN_OUT + GOLDEN_IN];
    char name[120];
    int n = 0, n_wrt = 0, n_results = 0, n_known = 0, n_file = 0;
    for (int i = 0; i < k->n_out; i++) {
        const bp__st_tensor *y = find(k, "out.", k->out_names[i]), *g = find(k, "gout.", k->out_names[i]);
        if (!y) {
            printf("%s: the file has no output %s\n", k->name, k->out_names[i]);
            return false;
        }
        results[n_results] = k->out[i];
        want[n_results++] = y;
        if (!g) continue;
        snprintf(name, sizeof name, "gout.%s", k->out_names[i]);
        values[n] = k->out[i];
        cotangents[n++] = bp_input(k->g, name, BP_F64, bp_value_dims(k->out[i]));
    }
    for (int i = 0; i < k->n_in; i++) {
        const bp__st_tensor *d = find(k, "grad.", k->in_full[i]);
        if (!d) continue;
        wrt[n_wrt++] = k->in[i];
        want[n_results + n_wrt - 1] = d;
    }
    bp_gradients(results + n_results, values, cotangents, n, wrt, n_wrt);
    n_results += n_wrt;
    n_known = n_results;
    for (int64_t i = 0; i < k->file->n_tensors; i++) {
        const char *t = k->file->tensors[i].name;
        if (!starts(t, k->prefix)) continue;
        t += strlen(k->prefix);
        n_file += starts(t, "out.") || starts(t, "grad.");
    }
    if (n_known != n_file) {
        printf("%s: %d outputs and gradients are compared, the file has %d\n", k->name, n_known, n_file);
        return false;
    }
    bp_program *p = NULL;
    bp_state *s = NULL;
    bp_session *run = NULL;
    bool right = bp_state_new(&s, k->g) == BP_OK && bp_program_new(&p, k->g, results, n_results, NULL) == BP_OK &&
                 bp_session_new(&run, p, s) == BP_OK;
    for (int64_t i = 0; right && i < k->file->n_tensors; i++) {
        const bp__st_tensor *t = &k->file->tensors[i];
        if (starts(t->name, k->prefix)) right = bp_session_set(run, t->name + strlen(k->prefix), t->data, NULL) == BP_OK;
    }
    right = right && bp_session_run(run) == BP_OK;
    if (!right) printf("%s: %s\n", k->name, bp_context_error(k->ctx));
    for (int i = 0; i < n_results && right; i++) {
        const void *data;
        bp_dtype dtype;
        bp_dims dims;
        right =
            bp_session_output(run, i, &data, &dtype, &dims) == BP_OK && compare(k, want[i]->name, data, dtype, &dims, want[i]);
    }
    bp_session_free(run);
    bp_program_free(p);
    bp_state_free(s);
    return right;
}

typedef struct tally {
    int checked, wrong, left_out;
} tally;

static void one_case(tally *sums, bp__st_file *file, const char *prefix, const char *group, const char *name,
                     const bp__tree *about, const char *isa, int no_passes) {
    bp_context *ctx;
    bp_context_options o = {.size = sizeof o, .isa = isa, .threads = 2, .no_passes = no_passes};
    assert_int_equal(bp_context_new(&ctx, &o), BP_OK);
    golden k = {.ctx = ctx, .file = file, .prefix = prefix, .name = name, .about = about};
    assert_int_equal(bp_graph_new(&k.g, ctx), BP_OK);
    const golden_case *c = golden_find(group, name);
    if (!c) c = golden_search(golden_linalg, sizeof golden_linalg / sizeof golden_linalg[0], group, name);
    if (!c) {
        sums->left_out++;
    } else {
        c->build(&k);
        bool right = bp_graph_status(k.g) == BP_OK;
        if (!right) printf("%s: %s\n", name, bp_context_error(ctx));
        right = right && run_case(&k);
        sums->checked++;
        sums->wrong += !right;
    }
    bp_graph_free(k.g);
    bp_context_free(ctx);
}

/* ---- Tests ----------------------------------------------------------------------------------------------------------- */

static void own(bp_context *ctx, const char *path, const char *isa, int no_passes) {
    bp__st_file *file;
    tally sums = {0};
    if (bp__safetensors_open(ctx, path, &file) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    char last[120] = "";
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const char *slash = strchr(file->tensors[i].name, '/');
        assert_non_null(slash);
        char name[120], prefix[124];
        snprintf(name, sizeof name, "%.*s", (int)(slash - file->tensors[i].name), file->tensors[i].name);
        if (strcmp(name, last) == 0) continue;
        snprintf(last, sizeof last, "%s", name);
        snprintf(prefix, sizeof prefix, "%s/", name);
        int before = sums.left_out;
        one_case(&sums, file, prefix, "own", name, NULL, isa, no_passes);
        if (sums.left_out > before) printf("%s: no case of the test compares it\n", name);
    }
    bp__safetensors_close(file);
    printf("%s, %s, passes %s: %d cases checked, %d wrong\n", path, isa, no_passes ? "none" : "all", sums.checked, sums.wrong);
    assert_int_equal(sums.wrong + sums.left_out, 0);
    assert_true(sums.checked > 50);
}

static void own_set(void **state) {
    (void)state;
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    static const char *const sets[] = {"tests/golden/ops.safetensors", "tests/golden/shape.safetensors",
                                       "tests/golden/linalg.safetensors"};
    for (int i = 0; bp_isa_usable(i); i++)
        for (int none = 0; none <= 1; none++)
            for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) own(ctx, sets[s], bp_isa_usable(i), none);
    bp_context_free(ctx);
}

static char reference[600];

static void reference_group(bp_context *ctx, const bp__tree *index, const char *group, int at_least) {
    tally sums = {0};
    char left_out[4000] = "";
    for (int64_t i = 0; i < bp__tree_count(index); i++) {
        const bp__tree *about = bp__tree_at(index, i), *name = bp__tree_get(about, "case"), *in = bp__tree_get(about, "group");
        assert_true(name && in && name->kind == BP__TEXT && in->kind == BP__TEXT);
        if (strcmp(in->text, group) != 0) continue;
        if (!golden_find(group, name->text)) {
            sums.left_out++;
            size_t n = strlen(left_out);
            snprintf(left_out + n, sizeof left_out - n, " %s", name->text);
            continue;
        }
        char path[800];
        bp__st_file *file;
        snprintf(path, sizeof path, "%s/%s/%s.safetensors", reference, group, name->text);
        if (bp__safetensors_open(ctx, path, &file) != BP_OK) fail_msg("%s", bp_context_error(ctx));
        one_case(&sums, file, "", group, name->text, about, NULL, 0);
        bp__safetensors_close(file);
    }
    printf("reference, %s: %d cases checked, %d wrong; %d left out%s%s\n", group, sums.checked, sums.wrong, sums.left_out,
           sums.left_out ? ", whose operations do not exist or are no part of this test:" : "", left_out);
    assert_int_equal(sums.wrong, 0);
    assert_true(sums.checked >= at_least);
}

static void reference_set(void **state) {
    (void)state;
    bp_context *ctx;
    bp__tree *index;
    char path[700];
    if (access(reference, R_OK) != 0) skip();
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    snprintf(path, sizeof path, "%s/index.json", reference);
    if (bp__json_parse_file(ctx, path, 1 << 24, &index) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    reference_group(ctx, index, "activations", 26);
    reference_group(ctx, index, "losses", 25);
    reference_group(ctx, index, "layers", 30);
    bp__tree_free(ctx, index);
    bp_context_free(ctx);
}

/* A comparison that cannot fail is none: one bit of one number of the file is another, and the case is wrong. */
static void wrong_numbers_are_noticed(void **state) {
    (void)state;
    bp_context *ctx;
    bp__st_file *file;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    if (bp__safetensors_open(ctx, "tests/golden/ops.safetensors", &file) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    static const char *const parts[] = {"linear_wide/out.y0", "linear_wide/grad.in.weight", "linear_wide/grad.in.bias",
                                        "linear_wide/in.x"};
    for (int i = 0; i < 4; i++) {
        const bp__st_tensor *t = bp__safetensors_find(file, parts[i]);
        assert_non_null(t);
        double *x = (double *)(uintptr_t)t->data + bp__st_count(t) / 2, was = *x;
        tally sums = {0};
        *x += 1e-9 * (1 + fabs(was));
        one_case(&sums, file, "linear_wide/", "own", "linear_wide", NULL, NULL, 0);
        *x = was;
        assert_int_equal(sums.wrong, 1);
    }
    worst = 0; /* of the tests that follow */
    bp__safetensors_close(file);
    bp_context_free(ctx);
}

int main(void) {
    const char *root = getenv("BP_SHARED");
    snprintf(reference, sizeof reference, "%s/data/reference/pytorch-1.13.1", root ? root : "../shared");
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_numbers_are_noticed), cmocka_unit_test(own_set),
                                       cmocka_unit_test(reference_set)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("largest difference: %.2g of the largest number of its tensor\n", worst);
    if (failed) return failed;
    if (access(reference, R_OK) == 0) return 0;
    printf("SKIPPED: %s is absent; only the own set was compared\n", reference);
    return 77;
}
