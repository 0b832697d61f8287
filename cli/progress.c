/* What people see of a training: one live line on a terminal, one plain line per epoch elsewhere, and a summary at the end. */
#include "cli.h"
#include "plot.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 20, LINE = 512 };

void cli_wipe(cli *c) {
    if (!c->live_shown) return;
    c->live_shown = false;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

static int columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char *wanted = getenv("COLUMNS");
    long n = wanted ? strtol(wanted, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (int)n : 80;
}

static void append(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *line, const char *format, ...) {
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, LINE - used, format, args);
    va_end(args);
}

static void append_time(char *line, double seconds) {
    if (seconds < 0.095)
        append(line, "%.0fms", seconds * 1000);
    else if (seconds < 9.95)
        append(line, "%.1fs", seconds);
    else if (seconds < 100)
        append(line, "%.0fs", seconds);
    else if (seconds < 3600)
        append(line, "%.0fm%02.0fs", floor(seconds / 60), floor(fmod(seconds, 60)));
    else
        append(line, "%.0fh%02.0fm", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
}

static void append_bar(char *line, const cli *c, double part) {
    bool fine = cli_utf8();
    int full = part <= 0 ? 0 : part >= 1 ? BAR : (int)(part * BAR);
    if (c->color) append(line, "\033[32m");
    for (int i = 0; i < full; i++) append(line, fine ? "━" : "=");
    if (c->color) append(line, "\033[0m\033[2m");
    for (int i = full; i < BAR; i++) append(line, fine ? "─" : "-");
    if (c->color) append(line, "\033[0m");
}

/* Cuts where the terminal would wrap: escapes take no room, a UTF-8 character takes one column. */
static void fit(char *line, int width) {
    int used = 0;
    for (char *s = line; *s; s++) {
        if (*s == '\033') {
            while (*s && *s != 'm') s++;
            if (!*s) return;
            continue;
        }
        if (((unsigned char)*s & 0xC0) == 0x80) continue;
        if (++used > width) {
            *s = 0;
            return;
        }
    }
}

static void append_epoch(char *line, const bp_progress *b) {
    if (b->epochs > 0)
        append(line, "epoch %lld/%lld", (long long)b->epoch, (long long)b->epochs);
    else
        append(line, "epoch %lld", (long long)b->epoch);
}

/* What is not defined, or not finite any more, is a dash, as `eval` has it. */
static void append_score(char *line, const char *set, const char *name, double x) {
    if (isfinite(x))
        append(line, "  %s%s %.4g", set, name, x);
    else
        append(line, "  %s%s -", set, name);
}

static void append_scores(char *line, const bp_progress *b) {
    append_score(line, "", "loss", b->loss);
    if (b->metric && !isnan(b->train_metric)) append_score(line, "", b->metric, b->train_metric);
}

static void append_speed(char *line, const bp_progress *b) {
    char speed[40];
    append(line, "  lr %.3g", b->lr);
    if (b->samples_per_second > 0) append(line, "  %s samples/s", cli_number(speed, sizeof speed, b->samples_per_second));
}

static void draw(progress *p, const bp_progress *b) {
    char line[LINE] = "";
    append_epoch(line, b);
    int64_t done = b->steps_per_epoch > 0 ? b->step - (b->epoch - 1) * b->steps_per_epoch : 0;
    append(line, " ");
    append_bar(line, p->c, b->steps_per_epoch > 0 ? (double)done / (double)b->steps_per_epoch : 0);
    append_scores(line, b);
    if (p->has_validation) append_score(line, "validation ", "loss", p->validation_loss);
    append_speed(line, b);
    if (b->eta >= 0) {
        append(line, "  ETA ");
        append_time(line, b->eta);
    }
    fit(line, columns() - 1);
    fprintf(stderr, "\r%s%s\033[K", line, p->c->color ? "\033[0m" : "");
    fflush(stderr);
    p->c->live_shown = true;
}

static int on_start(const char *text, const char *run, void *user) {
    progress *p = user;
    if (text && *text) {
        size_t n = strlen(text);
        cli_say(p->c, "%.*s", (int)(text[n - 1] == '\n' ? n - 1 : n), text);
    }
    if (run) {
        snprintf(p->run, sizeof p->run, "%s", run);
        cli_say(p->c, "run directory: %s", run);
    }
    return cli_signal() != 0;
}

static int on_batch(const bp_progress *b, void *user) {
    progress *p = user;
    if (p->c->live) draw(p, b);
    return 0;
}

/* Without memory there is no picture. */
static void remember(progress *p, const bp_progress *b) {
    if (p->n_history == p->cap_history) {
        int64_t cap = p->cap_history ? 2 * p->cap_history : 64;
        double *more = realloc(p->history, sizeof(double) * 3 * (size_t)cap);
        if (!more) return;
        p->history = more;
        p->cap_history = cap;
    }
    double *now = p->history + 3 * p->n_history++;
    now[0] = (double)b->epoch;
    now[1] = b->loss;
    now[2] = b->has_validation ? b->validation_loss : NAN;
}

/* Both losses over the epochs. */
static void draw_history(const progress *p, double best) {
    int64_t n = p->n_history;
    double *x = malloc(sizeof(double) * 3 * (size_t)(n + 1)), *y = x + n, *other = y + n;
    plot q = {.title = "loss", .x_label = "epoch", .x = x, .y = y, .n = n, .low = HUGE_VAL, .high = -HUGE_VAL};
    for (int64_t i = 0; x && i < n; i++) {
        x[i] = p->history[3 * i];
        y[i] = p->history[3 * i + 1];
        other[i] = p->history[3 * i + 2];
        for (int k = 1; k < 3; k++) {
            double v = p->history[3 * i + k];
            if (isfinite(v)) q.low = fmin(q.low, v), q.high = fmax(q.high, v);
        }
    }
    if (p->has_validation) {
        q.other = other;
        q.y_name = "training";
        q.other_name = "validation";
    }
    if (best > 0) q.marks[q.n_marks++] = (struct plot_mark){.name = "best", .x = best};
    if (x && q.low <= q.high) cli_plot(p->c, stderr, &q);
    free(x);
}

static int on_epoch(const bp_progress *b, void *user) {
    progress *p = user;
    if (p->c->verbose) remember(p, b);
    if (b->metric) snprintf(p->metric, sizeof p->metric, "%s", b->metric);
    p->last_epoch = b->epoch;
    p->has_validation = b->has_validation != 0;
    p->validation_loss = b->validation_loss;
    if (p->c->live) draw(p, b);
    if (p->c->quiet || (p->c->live && !p->c->verbose)) return 0;
    char line[LINE] = "";
    append_epoch(line, b);
    append_scores(line, b);
    if (b->has_validation) {
        append_score(line, "validation ", "loss", b->validation_loss);
        if (b->metric) append_score(line, "validation ", b->metric, b->validation_metric);
    }
    append_speed(line, b);
    append(line, "  ");
    append_time(line, b->seconds);
    if (b->eta > 0) {
        append(line, "  ETA ");
        append_time(line, b->eta);
    }
    if (b->best) append(line, "  best");
    cli_say(p->c, "%s", line);
    return 0;
}

static int interrupted(void *user) {
    (void)user;
    return cli_signal() != 0;
}

bp_callbacks cli_callbacks(progress *p, cli *c) {
    *p = (progress){.c = c};
    return (bp_callbacks){.size = sizeof(bp_callbacks),
                          .user = p,
                          .on_start = on_start,
                          .on_batch = on_batch,
                          .on_epoch = on_epoch,
                          .interrupted = interrupted};
}

bp_status cli_train(progress *p, cli *c, bp_run **run, bp_config *cfg) {
    bp_callbacks callbacks = cli_callbacks(p, c);
    cli_signals_catch();
    bp_status status = bp_train(run, cfg, &callbacks);
    cli_wipe(c);
    return status;
}

/* ---- The end ---- */

static bool number(const progress *p, const bp_run *run, const char *set, const char *name, double *x) {
    char key[96];
    snprintf(key, sizeof key, "%s%s%s", set, *set ? "." : "", name);
    bool found = bp_run_number(run, key, x) == BP_OK && isfinite(*x);
    bp_context_clear_error(p->c->ctx);
    return found;
}

static void append_result(char *line, const progress *p, const bp_run *run) {
    static const char *const sets[] = {"test", "validation", "train"}, *const usual[] = {"accuracy", "rmse"};
    double x;
    for (int s = 0; s < 3; s++) {
        if (!number(p, run, sets[s], "loss", &x)) continue;
        append(line, ": %s loss %.4g", sets[s], x);
        if (p->metric[0] && number(p, run, sets[s], p->metric, &x)) append(line, ", %s %.4g", p->metric, x);
        for (int m = 0; m < 2 && !p->metric[0]; m++)
            if (number(p, run, sets[s], usual[m], &x)) append(line, ", %s %.4g", usual[m], x);
        return;
    }
}

void cli_summary(progress *p, bp_run *run, bool stopped) {
    char line[LINE] = "", text[40];
    double x, epochs = 0;
    if (p->n_history > 1) draw_history(p, number(p, run, "", "best_epoch", &x) ? x : 0);
    number(p, run, "", "epochs", &epochs);
    append(line, "%s after %.0f epoch%s", stopped ? "stopped" : "trained", epochs, epochs == 1 ? "" : "s");
    if (number(p, run, "", "seconds", &x)) {
        append(line, " in ");
        append_time(line, x);
    }
    append_result(line, p, run);
    if (number(p, run, "", "best_epoch", &x)) append(line, "; best epoch %.0f", x);
    if (number(p, run, "", "parameters", &x)) append(line, "; %s parameters", cli_number(text, sizeof text, x));
    const char *path = bp_run_path(run);
    if (path) append(line, "; saved in %s", path);
    cli_say(p->c, "%s", line);
    const char *notes = bp_run_notes(run);
    size_t n = strlen(notes);
    if (n) cli_say(p->c, "%.*s", (int)(n - (notes[n - 1] == '\n')), notes);
}

/* A failed run's record with the sentence in it: still one object. */
static void print_record(cli *c, const char *json, bool failed) {
    const char *body = json + strspn(json, " \n\t");
    if (failed && *body == '{' && !strstr(body, "\"error\":")) {
        bp_error e = {.size = sizeof e};
        bp_context_get_error(c->ctx, &e);
        fputs("{\"error\":", stdout);
        cli_error_json(stdout, e.code && *e.code ? e.code : bp_status_name(e.status), e.message, e.file, e.line, e.hint);
        fputc(',', stdout);
        body++;
    }
    cli_print(c, body);
}

int cli_train_end(progress *p, bp_status status, bp_run *run) {
    cli *c = p->c;
    free(p->history);
    p->history = NULL;
    if (!run) return cli_fail(c, status);
    bool failed = status != BP_OK && status != BP_STOPPED;
    int code = status == BP_STOPPED ? (cli_signal() ? 128 + cli_signal() : EXIT_LATER) : cli_exit_status(status);
    if (c->json) {
        char *json = NULL;
        if (bp_run_json(run, &json) != BP_OK || !json) return cli_fail(c, BP_MEMORY);
        print_record(c, json, failed);
        bp_free(c->ctx, json);
    }
    if (failed) {
        bool as_json = c->json;
        c->json = false; /* the object stands there already */
        cli_fail(c, status);
        c->json = as_json;
    }
    return code;
}
