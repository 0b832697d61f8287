/* Steps that go wrong in whole trainings, looked at after every step: what is skipped and changes nothing, what is named, and
   what a rollback brings back to the bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/plan.h"
#include "io/json.h"
#include "train/loop.h"

#define OK(ctx, e)                                                       \
    do {                                                                 \
        if ((e) != BP_OK) fail_msg("%s: %s", #e, bp_context_error(ctx)); \
    } while (0)

/* ---- A run that is watched ---- */

typedef struct watched {
    bp_context *ctx;
    bp_config *cfg;
    bp_run *run;
    size_t bytes;
    unsigned char *now, *good; /* the state after the step before; at the end of the last epoch that was good */
    int64_t epoch_steps, skipped, rolled_back;
    int64_t good_until; /* the step from which on no epoch is good */
    int n_skipped_kept; /* skipped steps after which the state was what it had been */
    int n_restored;     /* rollbacks after which the state was the good one */
} watched;

static int look(void *user) {
    watched *w = user;
    bp_run *run = w->run;
    const unsigned char *block = run->model->net->state->block;
    if (run->n_rollbacks > w->rolled_back)
        w->n_restored += memcmp(block, w->good, w->bytes) == 0;
    else if (run->n_skipped > w->skipped)
        w->n_skipped_kept += memcmp(block, w->now, w->bytes) == 0;
    else if (run->steps % w->epoch_steps == 0 && run->steps < w->good_until)
        memcpy(w->good, block, w->bytes);
    w->rolled_back = run->n_rollbacks;
    w->skipped = run->n_skipped;
    memcpy(w->now, block, w->bytes);
    return 0;
}

static int after_epoch(const bp_progress *p, void *user) {
    (void)p;
    return look(user);
}

/* A run as bp_train makes it, but for its files, so that the callback can look into it. */
static bp_status train(watched *w, const char *text, int64_t good_until) {
    *w = (watched){.good_until = good_until};
    OK(NULL, bp_context_new(&w->ctx, &(bp_context_options){.size = sizeof(bp_context_options), .threads = 1}));
    OK(w->ctx, bp_config_parse(&w->cfg, w->ctx, text));
    bp_run *run = w->run = bp__zalloc(w->ctx, sizeof *run);
    assert_non_null(run);
    *run = (bp_run){.ctx = w->ctx, .status = "running", .best = -1};
    bp__buffer_init(&run->events, w->ctx);
    bp__buffer_init(&run->notes, w->ctx);
    bp__buffer_init(&run->input, w->ctx);
    run->command = bp__tree_new(w->ctx, BP__LIST);
    bp__net *net = NULL;
    OK(w->ctx, bp__decide(&run->d, w->cfg, NULL));
    OK(w->ctx, bp__decided_net(&net, run->d, run->d->s.dtype, true));
    OK(w->ctx, bp__model_new(&run->model, w->ctx, NULL, bp__tree_new(w->ctx, BP__MAP), bp__tree_new(w->ctx, BP__MAP), net));
    run->model->prep = run->d->data->prep;
    w->bytes = net->state->bytes;
    w->epoch_steps = run->d->steps_per_epoch;
    w->now = malloc(w->bytes);
    w->good = malloc(w->bytes);
    assert_true(w->now && w->good);
    memcpy(w->now, net->state->block, w->bytes);
    memcpy(w->good, net->state->block, w->bytes);
    bp_callbacks cb = {.size = sizeof cb, .on_epoch = after_epoch, .interrupted = look, .user = w};
    return bp__loop_run(run, &cb);
}
static void close_run(watched *w) {
    free(w->now);
    free(w->good);
    bp_run_free(w->run);
    bp_config_free(w->cfg);
    bp_context_free(w->ctx);
}

/* The index-th event of this name, from bp__json_parse; NULL: there are fewer. */
static bp__tree *event(const watched *w, const char *name, int64_t index) {
    const char *line = w->run->events.data, *end = line ? line + w->run->events.size : line;
    for (const char *next; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        assert_non_null(next);
        bp__tree *t = NULL;
        OK(w->ctx, bp__json_parse(w->ctx, line, (size_t)(next - line), "an event", &t));
        if (strcmp(bp__tree_get(t, "event")->text, name) == 0 && index-- == 0) return t;
        bp__tree_free(w->ctx, t);
    }
    return NULL;
}
static int64_t count(const watched *w, const char *name) {
    for (int64_t n = 0;; n++) {
        bp__tree *t = event(w, name, n);
        if (!t) return n;
        bp__tree_free(w->ctx, t);
    }
}
static bool has_row(const bp__tree *t, int64_t row) {
    for (const bp__tree *c = bp__tree_get(t, "rows")->child; c; c = c->next)
        if (c->integer == row) return true;
    return false;
}
static bool says(const bp__tree *t, const char *key, const char *part) {
    const bp__tree *c = bp__tree_get(t, key);
    return c && c->kind == BP__TEXT && strstr(c->text, part);
}

/* ---- Single steps ---- */

static char path[] = "/tmp/bp-health-XXXXXX";
static char text[1200];

/* 600 rows of y = a - b in batches of 8 as they come; row 517 is `odd`, in the 65th step of every epoch. */
enum { ROWS = 600, ODD = 517, BATCH = 8, STEP = ODD / BATCH + 1 };
static const char *configuration(const char *odd, const char *model, double lr, const char *rest) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "a,b,y\n");
    for (int i = 0; i < ROWS; i++) {
        double a = i * 7 % 13 / 6.0, b = i * 5 % 11 / 5.0;
        char number[40];
        snprintf(number, sizeof number, "%g", a);
        fprintf(f, "%s,%g,%g\n", i == ODD ? odd : number, b, a - b);
    }
    assert_int_equal(fclose(f), 0);
    snprintf(text, sizeof text,
             "{data: {path: '%s', target: y, normalize: none, split: {validation: 0, test: 0}}, model: %s, loss: mse, optimizer: "
             "{sgd: {lr: %g}}, train: {batch_size: %d, shuffle: false%s}}",
             path, model, lr, BATCH, rest);
    return text;
}

/* Enormous, but finite all the way: an outlier by its norm alone, once norms of 50 steps are known. */
static void outlier(void **state) {
    (void)state;
    watched w;
    OK(w.ctx, train(&w, configuration("1e6", "[linear]", 0.05, ", epochs: 2"), INT64_MAX));
    assert_int_equal(w.run->n_skipped, 2);
    assert_int_equal(w.n_skipped_kept, 2);
    for (int64_t k = 0; k < 2; k++) {
        bp__tree *t = event(&w, "skipped_step", k);
        assert_int_equal(bp__tree_get(t, "step")->integer, k * ROWS / BATCH + STEP);
        assert_int_equal(bp__tree_get(t, "epoch")->integer, k + 1);
        assert_true(has_row(t, ODD) && has_row(t, ODD / BATCH * BATCH) && !has_row(t, 0) && !bp__tree_get(t, "n_rows"));
        assert_true(bp__tree_get(t, "gradient_norm")->number > 1e6 && isfinite(bp__tree_get(t, "loss")->number));
        assert_true(says(t, "why", "is an outlier") && !bp__tree_get(t, "operation"));
        bp__tree_free(w.ctx, t);
    }
    assert_true(w.run->epochs[1].train.loss < 0.1 && w.run->epochs[1].train.n == ROWS - BATCH); /* without the step's rows */
    close_run(&w);
    /* Without the guard, the one row spoils everything. */
    OK(w.ctx,
       train(&w, configuration("1e6", "[linear]", 0.05, ", epochs: 1, outlier_z: null, on_divergence: continue"), INT64_MAX));
    assert_int_equal(w.run->n_skipped, 0);
    assert_true(w.run->epochs[0].train.loss > 1e6);
    close_run(&w);
}

/* Something that is not finite in the middle: the operation and the layer where it first is, not where it shows. */
static void not_finite(void **state) {
    (void)state;
    static const struct {
        const char *odd, *model, *operation, *layer, *why;
    } rows[] = {
        {"-9", "[{linear: {out_features: 4, init: {weight: ones, bias: ones}}}, {name: root, sqrt: null}, tanh, linear]", "sqrt",
         "root", "the loss is not finite"},
        {"1e30", "[{linear: {out_features: 4, init: {weight: ones}}}, {name: far, exp: null}, tanh, linear]", "exp", "far", NULL},
        {"3e38", "[{linear: {out_features: 4, init: {weight: {constant: 2}}}}, linear]", "matmul", "0", NULL},
    };
    for (int i = 0; i < 3; i++) {
        watched w;
        OK(w.ctx, train(&w, configuration(rows[i].odd, rows[i].model, 1e-4, ", epochs: 2"), INT64_MAX));
        bp__tree *t = event(&w, "skipped_step", 0);
        if (!t) fail_msg("%s: nothing was skipped", rows[i].model);
        assert_int_equal(bp__tree_get(t, "step")->integer, STEP);
        if (!says(t, "operation", rows[i].operation) || !says(t, "layer", rows[i].layer))
            fail_msg("%s: blames %s in %s", rows[i].model, bp__tree_get(t, "operation")->text, bp__tree_get(t, "layer")->text);
        assert_true(has_row(t, ODD) && says(t, "why", rows[i].operation) && says(t, "why", rows[i].layer));
        if (rows[i].why) assert_true(says(t, "why", rows[i].why));
        bp__tree_free(w.ctx, t);
        assert_int_equal(w.n_skipped_kept, w.run->n_skipped);
        assert_int_equal(w.run->n_skipped, 2);
        assert_int_equal(w.run->n_rollbacks, 0);
        close_run(&w);
    }
}

/* ---- Trouble that goes on ---- */

/* From the 81st step on the rate is beyond everything: iris, 38 steps an epoch, so two epochs are good. */
#define JUMP(batch, at, more)                                                                                              \
    "{data: {path: 'builtin:iris', split: {validation: 0, test: 0}}, model: [{linear: 8}, tanh, linear], optimizer: sgd, " \
    "schedule: {lambda: {lr_lambda: '1 + 1.0e+30 * (step >= " #at ")'}}, train: {epochs: 60, batch_size: " #batch more "}}"
enum { EPOCH_STEPS = 38, JUMP_AT = 80 };

/* by_epochs: an epoch ends before ten steps went wrong, and is what shows it. */
static void check_rollbacks(const char *configured, int64_t jump_at, bool by_epochs) {
    watched w;
    OK(w.ctx, train(&w, configured, jump_at));
    assert_string_equal(w.run->status, "failed"); /* no rate is low enough */
    assert_string_equal(w.run->stopped_by, "divergence");
    assert_int_equal(w.run->n_rollbacks, 8);
    assert_int_equal(w.n_restored, 8);
    assert_memory_equal(w.run->model->net->state->block, w.good, w.bytes);
    assert_int_equal(w.run->best, 1); /* the second epoch's */
    assert_int_equal(count(&w, "rollback"), 8);
    assert_int_equal(count(&w, "skipped_step"), w.run->n_skipped);
    assert_int_equal(count(&w, "divergence"), 1);
    double factor = 1;
    for (int64_t k = 0; k < 8; k++) {
        factor *= 0.5;
        for (int64_t i = 0; i < k; i++) factor *= 0.2;
        bp__tree *t = event(&w, "rollback", k);
        double lr = bp__tree_get(t, "lr")->number, want = 0.001 * (1 + 1e30) * factor;
        assert_true(fabs(lr / want - 1) < 1e-12);
        assert_true(says(t, "why", "went back to the last good state, the learning rate goes from"));
        assert_true(bp__tree_get(t, "step")->integer > jump_at && bp__tree_get(t, "epoch")->integer >= 3);
        if (by_epochs || k == 0) assert_true(says(t, "why", " of epoch ") == by_epochs);
        assert_true(bp__tree_get(t, "rows") && bp__tree_get(t, "rows")->child);
        bp__tree_free(w.ctx, t);
    }
    bp__tree *t = event(&w, "divergence", 0);
    assert_true(says(t, "why", "lower learning rates did not help"));
    bp__tree_free(w.ctx, t);
    close_run(&w);
}

static void rollback(void **state) {
    (void)state;
    check_rollbacks(JUMP(4, 80, ""), 80, false); /* the first ones: later the rate is lower, and it takes longer */
    check_rollbacks(JUMP(32, 12, ""), 12, true);
}

static void stop(void **state) {
    (void)state;
    watched w;
    OK(w.ctx, train(&w, JUMP(4, 80, ", on_divergence: stop"), JUMP_AT));
    assert_string_equal(w.run->status, "failed");
    assert_string_equal(w.run->stopped_by, "divergence");
    assert_int_equal(w.run->n_rollbacks, 0);
    assert_memory_equal(w.run->model->net->state->block, w.good, w.bytes);
    assert_int_equal(w.run->best, 1);
    assert_true(w.run->steps <= JUMP_AT + 1 + 2 * 10 && strstr(w.run->divergence, "step"));
    bp__tree *t = event(&w, "divergence", 0);
    assert_true(says(t, "why", "train.on_divergence is stop; the last good weights are kept"));
    assert_true(bp__tree_get(t, "rows") && bp__tree_get(t, "rows")->child);
    bp__tree_free(w.ctx, t);
    close_run(&w);
}

static void go_on(void **state) {
    (void)state;
    watched w;
    OK(w.ctx, train(&w, JUMP(4, 80, ", on_divergence: continue"), JUMP_AT));
    assert_string_equal(w.run->status, "finished");
    assert_string_equal(w.run->stopped_by, "epochs");
    assert_int_equal(w.run->steps, 60 * EPOCH_STEPS);
    assert_true(w.run->n_rollbacks == 0 && w.n_restored == 0 && count(&w, "rollback") == 0 && count(&w, "divergence") == 0);
    assert_true(memcmp(w.run->model->net->state->block, w.good, w.bytes) != 0);
    close_run(&w);
    /* Ten steps in a row that are skipped, but not an eleventh: it goes on as if nothing had been. */
    OK(w.ctx, train(&w,
                    "{data: {path: 'builtin:iris', split: {validation: 0, test: 0}}, model: [linear], optimizer: sgd, train: "
                    "{epochs: 4, batch_size: 32}}",
                    INT64_MAX));
    assert_true(w.run->n_skipped == 0 && w.run->n_rollbacks == 0 && w.run->notes.size == 0);
    close_run(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(outlier), cmocka_unit_test(not_finite), cmocka_unit_test(rollback),
                                       cmocka_unit_test(stop), cmocka_unit_test(go_on)};
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
