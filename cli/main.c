/* backprop: the command line. Reads the options, finds the verb, calls it. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const verb verbs[N_VERBS] = {
#define VERB(id, name, arguments, least, most, help, examples) {name, arguments, least, most, help, examples, verb_##id},
#include "verbs.def"
#undef VERB
};

const char *cli_verb_name(int index) { return verbs[index].name; }

/* A closed standard stream would give its number to the next file that is opened. */
static void hold_streams(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is an error of its write, which is told */
    signal(SIGPIPE, SIG_DFL); /* a closed reader ends us quietly, also where our parent ignores the signal */
}

static void log_line(bp_log_level level, const char *message, void *user) {
    cli *c = user;
    if (level == BP_LOG_WARNING) snprintf(c->log, sizeof c->log, "%s", message);
    if (!c->ctx) return; /* the reason why there is none: cli_context says it */
    if (level == BP_LOG_WARNING)
        cli_say(c, "warning: %s", message);
    else if (c->verbose)
        cli_say(c, "%s", message);
}

int cli_context(cli *c) {
    bp_context_options o = {.size = sizeof o, .log = log_line, .user = c};
    const char *threads = cli_value(c, OPT_threads);
    long n = threads ? strtol(threads, NULL, 10) : 0;
    if (n > 1024) return cli_usage(c, NULL, "--threads is %s; give 0 (all cores) to 1024", threads);
    o.threads = (int)n;
    bp_status status = bp_context_new(&c->ctx, &o);
    if (status == BP_OK) return EXIT_DONE;
    const char *why = c->log[0] ? c->log : bp_status_text(status);
    return status == BP_INVALID ? cli_usage(c, NULL, "%s", why) : cli_cannot(c, "no_context", "%s", why);
}

static bool needs_context(const verb *v) { return v->run != verb_help && v->run != verb_completion; }

static int dispatch(cli *c) {
    if (cli_has(c, OPT_help)) return cli_help(c, c->verb);
    if (cli_has(c, OPT_version)) return cli_version(c);
    const verb *v = c->verb;
    if (!v) return cli_brief(c);
    if (c->n_arguments < v->least)
        return cli_usage(c, NULL, "%s needs %s: `backprop %s -h` shows examples", v->name, v->arguments, v->name);
    if (c->n_arguments > v->most) {
        if (v->most == 0) return cli_usage(c, NULL, "%s takes no arguments, but `%s` is given", v->name, c->arguments[0]);
        return cli_usage(c, NULL, "%s takes %s, but `%s` is given besides", v->name, v->arguments, c->arguments[v->most]);
    }
    if (needs_context(v)) {
        int status = cli_context(c);
        if (status != EXIT_DONE) return status;
    }
    return v->run(c);
}

int main(int argc, char **argv) {
    hold_streams();
    cli c = {0};
    int status = cli_parse(&c, argc, argv);
    if (status == EXIT_DONE) status = dispatch(&c);
    cli_wipe(&c);
    int flushed = cli_flush(&c);
    bp_context_free(c.ctx);
    free(c.words);
    free(c.given);
    return status != EXIT_DONE ? status : flushed;
}
