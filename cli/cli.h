/* What the files of the program share. It stands on <backprop.h> alone: whatever it can do, a program of yours can. */
#ifndef BP_CLI_H
#define BP_CLI_H
#include <backprop.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_LATER = 1, EXIT_USAGE = 2 };

/* ---- Tables ---- */

enum verb_id {
#define VERB(id, name, arguments, least, most, help, examples) VERB_##id,
#include "verbs.def"
#undef VERB
    N_VERBS
};
enum option_id {
#define OPTION(id, name, letter, argument, how, key, verbs, help) OPT_##id,
#include "options.def"
#undef OPTION
    N_OPTIONS
};
enum option_how { FLAG, COUNT, NUMBER, VALUE, NAME, CHOICE, TARGET, FILES, LABELS, OWN };

struct cli;
typedef struct verb {
    const char *name, *arguments;
    int least, most;
    const char *help, *examples;
    int (*run)(struct cli *c); /* the exit status */
} verb;
typedef struct option {
    const char *name;
    char letter;
    const char *argument;
    enum option_how how;
    const char *key;
    uint32_t verbs;
    const char *help;
} option;
extern const verb verbs[N_VERBS];
extern const option options[N_OPTIONS];

/* ---- A command line ---- */

typedef struct given {
    enum option_id option;
    const char *value;
} given;
typedef struct cli {
    const verb *verb;           /* NULL: none was named */
    const char *const *command; /* everything behind the program's name */
    int n_command;
    const char **words;     /* the verb and the arguments: owns the list */
    const char **arguments; /* behind the verb */
    int n_arguments;
    given *given; /* in their order */
    int n_given;
    bool json, quiet, verbose, dry_run, live, color; /* live: a line may be drawn over; color: standard error takes colour */
    bool live_shown;                                 /* one stands there now, and is wiped before anything else is written */
    bp_context *ctx;
    char log[1024]; /* the last warning: it explains why there is no context */
} cli;

/* 0, or the exit status after the sentence was written. */
int cli_parse(cli *c, int argc, char **argv);
const char *cli_value(const cli *c, enum option_id id); /* the last one given, or NULL; a FLAG's is "" */
static inline bool cli_has(const cli *c, enum option_id id) { return cli_value(c, id) != NULL; }
/* Sets --set and every option with a key, in the order of the table. */
bp_status cli_configure(const cli *c, bp_config *cfg);
bool cli_configured(const cli *c); /* was any of them given? */
/* The configuration at `path` (NULL: an empty one), then cli_configure. */
bp_status cli_open_config(cli *c, bp_config **out, const char *path);
bp_data cli_data(const cli *c, const char *path);
const char *cli_nearest(const char *word, const char *(*name)(int index), int n);
const char *cli_verb_name(int index);
int cli_context(cli *c); /* makes c->ctx; 0, or the exit status after the sentence */

/* ---- Errors: one sentence on standard error; with --json one object on standard output ---- */

int cli_usage(const cli *c, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4))); /* EXIT_USAGE */
int cli_fail(cli *c, bp_status status); /* of the context; the exit status that belongs to it */
int cli_cannot(const cli *c, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4))); /* EXIT_LATER */
void cli_error_json(FILE *to, const char *code, const char *message, const char *file, int64_t line, const char *hint);
int cli_exit_status(bp_status status);

/* ---- Output ---- */

void cli_say(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3))); /* to people, unless -q */
void cli_json_text(FILE *to, const char *text);                                      /* quoted; what is no UTF-8 becomes U+FFFD */
void cli_json_number(FILE *to, double x); /* shortest that reads back the same; null when not finite */
int cli_print(cli *c, const char *text);  /* to standard output, with a line feed at the end */
/* All or nothing: a temporary name, synced, renamed. Standard output for NULL and "-". */
int cli_write(cli *c, const char *path, const void *bytes, size_t n);
/* text, or json where --json: prints, frees both. */
int cli_result(cli *c, char *text, char *json);
/* The same through -o FILE; with --json and a file an object naming it goes to standard output. */
int cli_result_file(cli *c, char *text, char *json);
int cli_flush(const cli *c);                             /* EXIT_LATER when standard output could not be written */
const char *cli_number(char *to, size_t size, double x); /* 12345678 as 12,345,678 */
bool cli_utf8(void);

/* ---- Progress ---- */

typedef struct progress {
    cli *c;
    char metric[32];
    int64_t last_epoch;
    double validation_loss;
    bool has_validation;
    char run[1024];
    double *history; /* [n_history][3] with -v: epoch, loss, validation loss; for the curves at the end */
    int64_t n_history, cap_history;
} progress;
void cli_wipe(cli *c); /* the live line, if one stands there */
bp_callbacks cli_callbacks(progress *p, cli *c);
/* Trains with progress and signals; run and status as bp_train gives them. */
bp_status cli_train(progress *p, cli *c, bp_run **run, bp_config *cfg);
void cli_summary(progress *p, bp_run *run, bool stopped);
/* Prints the record (with --json) and returns the exit status; says the sentence where the training failed. */
int cli_train_end(progress *p, bp_status status, bp_run *run);

/* ---- Signals ---- */

void cli_signals_catch(void);
int cli_signal(void); /* the first that came, or 0 */

/* ---- Help ---- */

int cli_help(cli *c, const verb *v); /* NULL: all verbs */
int cli_version(cli *c);
int cli_brief(cli *c); /* no verb given */

#define VERB(id, name, arguments, least, most, help, examples) int verb_##id(cli *c);
#include "verbs.def"
#undef VERB
#endif
