/* What the program writes: results to standard output or a file, words to people to standard error, JSON texts. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value) continue;
        const char *dot = strchr(value, '.');
        return dot && (strncasecmp(dot, ".utf-8", 6) == 0 || strncasecmp(dot, ".utf8", 5) == 0);
    }
    return false;
}

void cli_say(cli *c, const char *format, ...) {
    if (c->quiet) return;
    cli_wipe(c);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- JSON ---- */

/* Bytes of the UTF-8 character at s, or 0. */
static int utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    int n = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0; /* overlong, surrogates */
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return n;
}

void cli_json_text(FILE *to, const char *text) {
    fputc('"', to);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int n = utf8_length(s);
        if (n == 0) {
            fputs("\\ufffd", to);
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\')
            fprintf(to, "\\%c", *s);
        else if (*s == '\n')
            fputs("\\n", to);
        else if (*s < 0x20)
            fprintf(to, "\\u%04x", *s);
        else
            fwrite(s, 1, (size_t)n, to);
        s += n;
    }
    fputc('"', to);
}

void cli_json_number(FILE *to, double x) {
    if (!isfinite(x)) {
        fputs("null", to);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    fputs(text, to);
}

const char *cli_number(char *to, size_t size, double x) {
    char digits[40];
    int n = snprintf(digits, sizeof digits, "%.0f", fabs(x));
    size_t used = 0;
    if (x < 0 && size > 1) to[used++] = '-';
    for (int i = 0; i < n && used + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0) to[used++] = ',';
        to[used++] = digits[i];
    }
    to[used] = 0;
    return to;
}

/* ---- Results ---- */

int cli_flush(const cli *c) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_DONE;
    if (errno == EPIPE) return EXIT_LATER; /* nobody reads: nothing to tell anybody */
    (void)c;
    fprintf(stderr, "backprop: cannot write to standard output: %s; is the disk full?\n", strerror(errno));
    return EXIT_LATER;
}

int cli_print(cli *c, const char *text) {
    cli_wipe(c);
    size_t n = strlen(text);
    fwrite(text, 1, n, stdout);
    if (n == 0 || text[n - 1] != '\n') fputc('\n', stdout);
    return EXIT_DONE;
}

static int write_failed(cli *c, const char *path, FILE *f, const char *temporary) {
    int why = errno;
    if (f) fclose(f);
    if (temporary) unlink(temporary);
    return cli_cannot(c, "cannot_write", "cannot write `%s`: %s; name a file in a folder that exists and may be written", path,
                      strerror(why));
}

/* Devices and pipes cannot be renamed over: they get the bytes directly. */
static int write_directly(cli *c, const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    if (!f) return write_failed(c, path, NULL, NULL);
    if (fwrite(bytes, 1, n, f) != n) return write_failed(c, path, f, NULL);
    return fclose(f) == 0 ? EXIT_DONE : write_failed(c, path, NULL, NULL);
}

int cli_write(cli *c, const char *path, const void *bytes, size_t n) {
    if (!path || strcmp(path, "-") == 0) {
        cli_wipe(c);
        if (c->dry_run) return EXIT_DONE;
        fwrite(bytes, 1, n, stdout);
        return EXIT_DONE;
    }
    if (c->dry_run) {
        cli_say(c, "dry run: %s is not written", path);
        return EXIT_DONE;
    }
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) return write_directly(c, path, bytes, n);
    char *real = exists ? realpath(path, NULL) : NULL; /* through a link: the file itself is replaced */
    const char *target = real ? real : path;
    size_t size = strlen(target) + 40;
    char *temporary = malloc(size);
    if (!temporary) {
        free(real);
        return cli_cannot(c, "MEMORY", "out of memory while writing `%s`", path);
    }
    snprintf(temporary, size, "%s.%ld.tmp", target, (long)getpid());
    int status = EXIT_DONE;
    FILE *f = fopen(temporary, "wbx");
    if (!f)
        status = write_failed(c, path, NULL, NULL);
    else if (fwrite(bytes, 1, n, f) != n || fflush(f) != 0 || fsync(fileno(f)) != 0)
        status = write_failed(c, path, f, temporary);
    else if (fclose(f) != 0 || (exists && chmod(temporary, st.st_mode & 07777) != 0) || rename(temporary, target) != 0)
        status = write_failed(c, path, NULL, temporary);
    free(temporary);
    free(real);
    if (status == EXIT_DONE) cli_say(c, "wrote %s", path);
    return status;
}

int cli_result(cli *c, char *text, char *json) {
    const char *wanted = c->json ? json : text;
    int status = wanted ? cli_print(c, wanted) : cli_cannot(c, "INTERNAL", "the library gave no result");
    bp_free(c->ctx, text);
    bp_free(c->ctx, json);
    return status;
}

int cli_result_file(cli *c, char *text, char *json) {
    const char *path = cli_value(c, OPT_output);
    if (!path || strcmp(path, "-") == 0) return cli_result(c, text, json);
    int status = text ? cli_write(c, path, text, strlen(text)) : cli_cannot(c, "INTERNAL", "the library gave no result");
    if (status == EXIT_DONE && c->json) {
        fputs("{\"status\":\"finished\",\"output\":", stdout);
        cli_json_text(stdout, path);
        fputs("}\n", stdout);
    }
    bp_free(c->ctx, text);
    bp_free(c->ctx, json);
    return status;
}
