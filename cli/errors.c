/* How the program says that something went wrong: one sentence with its place on standard error, and with --json the same as one
   object on standard output. */
#include "cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int cli_exit_status(bp_status status) { return status == BP_OK ? EXIT_DONE : status == BP_CONFIG ? EXIT_USAGE : EXIT_LATER; }

void cli_error_json(FILE *to, const char *code, const char *message, const char *file, int64_t line, const char *hint) {
    fputs("{\"code\":", to);
    cli_json_text(to, code);
    fputs(",\"message\":", to);
    cli_json_text(to, message);
    if (file) {
        fputs(",\"file\":", to);
        cli_json_text(to, file);
    }
    if (line > 0) fprintf(to, ",\"line\":%lld", (long long)line);
    if (hint) {
        fputs(",\"hint\":", to);
        cli_json_text(to, hint);
    }
    fputc('}', to);
}

/* `FILE:LINE: ` where the sentence does not name the place itself. */
static void print_place(const char *message, const char *file, int64_t line) {
    char there[32];
    if (!file) return;
    snprintf(there, sizeof there, "line %lld", (long long)line);
    bool named = strstr(message, file) != NULL;
    if (line > 0 && !(named && strstr(message, there)))
        fprintf(stderr, "%s:%lld: ", file, (long long)line);
    else if (line <= 0 && !named)
        fprintf(stderr, "%s: ", file);
}

static void report(const cli *c, const char *code, const char *message, const char *file, int64_t line, const char *hint) {
    if (c->live_shown) fputs("\r\033[K", stderr);
    fputs(c->color ? "\033[1;31mbackprop:\033[0m " : "backprop: ", stderr);
    print_place(message, file, line);
    fprintf(stderr, "%s%s%s\n", message, hint ? "; " : "", hint ? hint : "");
    if (!c->json) return;
    fputs("{\"status\":\"failed\",\"error\":", stdout);
    cli_error_json(stdout, code, message, file, line, hint);
    fputs("}\n", stdout);
}

int cli_usage(const cli *c, const char *hint, const char *format, ...) {
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    report(c, "usage", message, NULL, 0, hint);
    return EXIT_USAGE;
}

int cli_cannot(const cli *c, const char *code, const char *format, ...) {
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    report(c, code, message, NULL, 0, NULL);
    return EXIT_LATER;
}

int cli_fail(cli *c, bp_status status) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(c->ctx, &e);
    bool told = e.message && e.message[0]; /* an allocation of our own may have failed without one */
    report(c, told && e.code && e.code[0] ? e.code : bp_status_name(status), told ? e.message : bp_status_text(status),
           told ? e.file : NULL, told ? e.line : 0, told ? e.hint : NULL);
    return cli_exit_status(status);
}
