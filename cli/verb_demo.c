/* backprop demo: trains on the embedded digits and shows, digit by digit, what was learnt. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, WHITE = 16, ACROSS = 4, DRAWN = 8, MISTAKES = 4, CELL = 19 };

typedef struct answers {
    float *x, *p;
    int64_t *label;
    int64_t n, n_classes;
} answers;

static bp_status configure(cli *c, bp_config *cfg) {
    BP_TRY(bp_config_set_text(cfg, "data.path", "builtin:digits"));
    BP_TRY(bp_config_choose(cfg, "model", "linear 128, relu, linear 64, relu, linear"));
    BP_TRY(bp_config_choose(cfg, "optimizer", "adam lr=0.002"));
    BP_TRY(bp_config_set(cfg, "train.epochs", "30"));
    BP_TRY(bp_config_set(cfg, "train.batch_size", "32"));
    BP_TRY(cli_configure(c, cfg));
    bp_run_options o = {.size = sizeof o,
                        .out = cli_value(c, OPT_out),
                        .force = cli_has(c, OPT_force),
                        .command = c->command,
                        .n_command = c->n_command};
    return bp_config_set_run(cfg, &o);
}

static void print_confusion(const bp_run *run, bp_model *model) {
    int64_t n = 0;
    const int64_t *counts = bp_run_confusion(run, &n);
    if (!counts) return;
    fputs("\nTest digits: rows are what was written, columns what the network read\n\n     ", stdout);
    for (int64_t k = 0; k < n; k++) printf("%5s", bp_model_output_name(model, k));
    fputc('\n', stdout);
    for (int64_t i = 0; i < n; i++) {
        printf("%5s", bp_model_output_name(model, i));
        for (int64_t k = 0; k < n; k++) {
            if (counts[i * n + k])
                printf("%5lld", (long long)counts[i * n + k]);
            else
                printf("%5s", ".");
        }
        fputc('\n', stdout);
    }
}

static int64_t best(const answers *a, int64_t row) {
    int64_t k = 0;
    for (int64_t j = 1; j < a->n_classes; j++)
        if (a->p[row * a->n_classes + j] > a->p[row * a->n_classes + k]) k = j;
    return k;
}

static void print_shade(float pixel) {
    static const char *const fine[] = {"  ", "░░", "▒▒", "▓▓", "██"}, *const plain[] = {"  ", "..", "::", "**", "@@"};
    int level = (int)(pixel * 5 / (WHITE + 1));
    level = level < 0 ? 0 : level > 4 ? 4 : level;
    fputs((cli_utf8() ? fine : plain)[level], stdout);
}

/* Up to ACROSS digits beside each other, with the answer and its probability under each. */
static void draw_row(const answers *a, bp_model *model, const int64_t *rows, int n) {
    for (int y = 0; y < SIDE; y++) {
        for (int i = 0; i < n; i++) {
            fputs(i ? "   " : "  ", stdout);
            for (int x = 0; x < SIDE; x++) print_shade(a->x[rows[i] * PIXELS + y * SIDE + x]);
        }
        fputc('\n', stdout);
    }
    for (int i = 0; i < n; i++) {
        char text[64];
        int64_t k = best(a, rows[i]), truth = a->label[rows[i]];
        double p = 100 * (double)a->p[rows[i] * a->n_classes + k];
        int used = snprintf(text, sizeof text, "  %s  %.1f %%", bp_model_output_name(model, k), p);
        if (k != truth && truth >= 0 && used > 0 && (size_t)used < sizeof text)
            snprintf(text + used, sizeof text - (size_t)used, " is %s", bp_model_output_name(model, truth));
        printf("%-*s", CELL, text);
    }
    fputs("\n\n", stdout);
}

static void draw_digits(const answers *a, bp_model *model) {
    fputs("\nDigits it had never seen, its answer and how sure it is\n\n", stdout);
    int64_t rows[DRAWN];
    int n = 0;
    for (int64_t k = 0; k < a->n_classes && n < DRAWN; k++) /* one of each class, as far as there is room */
        for (int64_t r = 0; r < a->n; r++)
            if (a->label[r] == k) {
                rows[n++] = r;
                break;
            }
    for (int i = 0; i < n; i += ACROSS) draw_row(a, model, rows + i, n - i < ACROSS ? n - i : ACROSS);
}

static void draw_mistakes(const answers *a, bp_model *model) {
    int64_t rows[MISTAKES], wrong = 0;
    int n = 0;
    for (int64_t r = 0; r < a->n; r++) { /* kept sorted, the surest first */
        int64_t k = best(a, r);
        if (k == a->label[r]) continue;
        wrong++;
        float p = a->p[r * a->n_classes + k];
        int at = n < MISTAKES ? n : MISTAKES;
        while (at > 0 && a->p[rows[at - 1] * a->n_classes + best(a, rows[at - 1])] < p) at--;
        if (at == MISTAKES) continue;
        if (n < MISTAKES) n++;
        for (int i = n - 1; i > at; i--) rows[i] = rows[i - 1];
        rows[at] = r;
    }
    if (n == 0) {
        fputs("It read every test digit right.\n\n", stdout);
        return;
    }
    printf("It misread %lld of %lld; its surest mistakes\n\n", (long long)wrong, (long long)a->n);
    draw_row(a, model, rows, n);
}

static bp_status show(cli *c, bp_run *run) {
    bp_model *model = bp_run_model(run);
    double accuracy = 0;
    BP_TRY(bp_run_number(run, "test.accuracy", &accuracy));
    printf("Test accuracy: %.2f %%\n", 100 * accuracy);
    print_confusion(run, model);
    answers a = {.n_classes = bp_model_outputs(model)};
    bp_status status = bp_run_rows(run, "test", &a.x, &a.label, &a.n);
    if (status == BP_OK) {
        a.p = calloc((size_t)(a.n * a.n_classes), sizeof *a.p);
        status = a.p ? bp_model_predict(model, a.x, a.n, a.p) : BP_MEMORY;
    }
    if (status == BP_OK && bp_model_inputs(model) == PIXELS) {
        draw_digits(&a, model);
        draw_mistakes(&a, model);
    }
    bp_free(c->ctx, a.x);
    bp_free(c->ctx, a.label);
    free(a.p);
    return status;
}

static void what_next(void) {
    fputs("What to try next\n"
          "  backprop train builtin:digits --model 'linear 64, tanh, linear' --epochs 50 --out runs/digits\n"
          "  backprop train builtin:iris --target species --out runs/iris\n"
          "  backprop train YOUR.csv --target COLUMN\n"
          "  backprop help train\n",
          stdout);
}

int verb_demo(cli *c) {
    bp_config *cfg = NULL;
    bp_status status = bp_config_new(&cfg, c->ctx);
    if (status == BP_OK) status = configure(c, cfg);
    if (status == BP_OK) status = bp_config_check(cfg);
    int code;
    if (status != BP_OK) {
        code = cli_fail(c, status);
    } else if (c->dry_run) {
        cli_say(c, "dry run: nothing is trained");
        code = c->json ? cli_print(c, "{\"status\":\"finished\",\"dry_run\":true}") : EXIT_DONE;
    } else {
        progress p;
        bp_run *run = NULL;
        status = cli_train(&p, c, &run, cfg);
        if (run && (status == BP_OK || status == BP_STOPPED)) cli_summary(&p, run, status == BP_STOPPED);
        bp_status shown = BP_OK;
        if (status == BP_OK && !c->json && !c->quiet) {
            shown = show(c, run);
            if (shown == BP_OK) what_next();
        }
        code = shown == BP_OK ? cli_train_end(&p, status, run) : cli_fail(c, shown);
        bp_run_free(run);
    }
    bp_config_free(cfg);
    return code;
}
