/* The command line against the table of options, and from the options to keys of the configuration. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ON(id) (1u << VERB_##id)
#define CONFIGURED (ON(train) | ON(init) | ON(config) | ON(inspect) | ON(gradcheck) | ON(lr_preview) | ON(lr_find))
#define EVERY UINT32_MAX
const option options[N_OPTIONS] = {
#define OPTION(id, name, letter, argument, how, key, on, help) {name, letter, argument, how, key, on, help},
#include "options.def"
#undef OPTION
};

/* ---- The nearest name ---- */

enum { MAX_WORD = 40 };

/* Letters to insert, drop, change or swap with their neighbour to make `b` of `a`. */
static int distance(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b), d[MAX_WORD + 1][MAX_WORD + 1];
    if (n > MAX_WORD || m > MAX_WORD) return MAX_WORD;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *cli_nearest(const char *word, const char *(*name)(int index), int n) {
    const char *found = NULL;
    int best = (int)strlen(word) / 3 + 2; /* further away it is another word */
    for (int i = 0; i < n; i++) {
        const char *candidate = name(i);
        size_t length = strlen(word);
        int d = length >= 3 && strncmp(candidate, word, length) == 0 ? 1 : distance(word, candidate);
        if (d < best) {
            best = d;
            found = candidate;
        }
    }
    return found;
}

/* ---- Parsing ---- */

static const char *option_name(int index) { return options[index].name; }

static int find_option(const char *name, size_t n) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0) return i;
    return -1;
}

static int unknown_option(const cli *c, const char *name, size_t n) {
    char word[MAX_WORD + 1], hint[80];
    snprintf(word, sizeof word, "%.*s", n > MAX_WORD ? MAX_WORD : (int)n, name);
    const char *near = cli_nearest(word, option_name, N_OPTIONS);
    snprintf(hint, sizeof hint, "did you mean --%s?", near ? near : "");
    return cli_usage(c, near ? hint : "`backprop VERB -h` lists them", "there is no option --%.*s", (int)n, name);
}

static int check_value(const cli *c, const option *o, const char *value) {
    char *end;
    if (o->how == COUNT) {
        size_t digits = strspn(value, "0123456789");
        if (digits == 0 || digits > 18 || value[digits])
            return cli_usage(c, NULL, "--%s needs a whole number of at least 0, and not `%s`", o->name, value);
    } else if (o->how == NUMBER) {
        double x = strtod(value, &end);
        if (end == value || *end || !isfinite(x) || x < 0)
            return cli_usage(c, NULL, "--%s needs a number of at least 0, and not `%s`", o->name, value);
    } else if (o->argument && !*value) {
        return cli_usage(c, NULL, "--%s needs %s, and not an empty text", o->name, o->argument);
    }
    return EXIT_DONE;
}

static int take(cli *c, int index, const char *value) {
    c->given[c->n_given++] = (given){(enum option_id)index, value ? value : ""};
    return check_value(c, &options[index], value ? value : "");
}

static int missing_value(const cli *c, const option *o, const char *next) {
    if (next)
        return cli_usage(c, NULL, "--%s needs %s; if `%s` is meant, write --%s=%s", o->name, o->argument, next, o->name, next);
    return cli_usage(c, NULL, "--%s needs %s behind it", o->name, o->argument);
}

static bool looks_like_option(const char *text) {
    if (strncmp(text, "--", 2) != 0) return false;
    return text[2] == 0 || find_option(text + 2, strcspn(text + 2, "=")) >= 0;
}

/* `-x`, `-xVALUE`, `-xyz`; *i moves on where the next word is the value. */
static int parse_letters(cli *c, int argc, char **argv, int *i) {
    for (const char *p = argv[*i] + 1; *p; p++) {
        int found = -1;
        for (int k = 0; k < N_OPTIONS; k++)
            if (options[k].letter == *p) found = k;
        if (found < 0)
            return cli_usage(c, "`backprop VERB -h` lists them; long ones have two dashes", "there is no option -%c", *p);
        const char *value = NULL;
        if (options[found].argument) {
            value = p[1] ? p + 1 : *i + 1 < argc ? argv[++*i] : NULL;
            if (!value) return missing_value(c, &options[found], NULL);
        }
        int status = take(c, found, value);
        if (status != EXIT_DONE || value) return status;
    }
    return EXIT_DONE;
}

static int parse_long(cli *c, int argc, char **argv, int *i) {
    const char *name = argv[*i] + 2;
    size_t n = strcspn(name, "=");
    int found = find_option(name, n);
    if (found < 0) return unknown_option(c, name, n);
    const option *o = &options[found];
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    if (!o->argument) {
        if (value) return cli_usage(c, NULL, "--%s takes no value, but `%s` is given", o->name, value);
        return take(c, found, NULL);
    }
    if (!value) {
        const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
        if (!next || looks_like_option(next)) return missing_value(c, o, next && next[2] ? next : NULL);
        value = next;
        ++*i;
    }
    return take(c, found, value);
}

static int find_verb(cli *c) {
    if (c->n_arguments == 0) return EXIT_DONE;
    const char *name = c->arguments[0];
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0) c->verb = &verbs[i];
    if (!c->verb) {
        char hint[80];
        const char *near = cli_nearest(name, cli_verb_name, N_VERBS);
        snprintf(hint, sizeof hint, "did you mean `%s`?", near ? near : "");
        return cli_usage(c, near ? hint : "`backprop help` lists them", "there is no verb `%s`", name);
    }
    c->arguments++;
    c->n_arguments--;
    int targets = 0;
    for (int i = 0; i < c->n_given; i++) {
        const option *o = &options[c->given[i].option];
        if (!(o->verbs >> (c->verb - verbs) & 1u) && !cli_has(c, OPT_help))
            return cli_usage(c, NULL, "%s has no option --%s: `backprop %s -h` lists its options", c->verb->name, o->name,
                             c->verb->name);
        targets += c->given[i].option == OPT_target;
    }
    if (targets > 1 && !((CONFIGURED) >> (c->verb - verbs) & 1u))
        return cli_usage(c, NULL, "%s takes one --target, and %d are given", c->verb->name, targets);
    return EXIT_DONE;
}

/* A stream takes decoration when it is a terminal; NO_COLOR and TERM=dumb say no, FORCE_COLOR yes to colour alone. */
static void choose_looks(cli *c) {
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR");
    bool dumb = term && strcmp(term, "dumb") == 0, plain = cli_has(c, OPT_no_color);
    bool terminal = isatty(STDERR_FILENO) == 1;
    c->live = terminal && !dumb && !plain && !c->quiet;
    c->color = terminal && !dumb && !(no && *no);
    if (force && *force && strcmp(force, "0") != 0) c->color = true;
    if (plain) c->color = false;
}

int cli_parse(cli *c, int argc, char **argv) {
    c->command = (const char *const *)(argc > 0 ? argv + 1 : argv);
    c->n_command = argc > 0 ? argc - 1 : 0;
    c->words = c->arguments = calloc((size_t)argc + 1, sizeof *c->arguments);
    size_t letters = 1;
    for (int i = 1; i < argc; i++) letters += strlen(argv[i]) + 1; /* `-nqv` are three options in one word */
    c->given = calloc(letters, sizeof *c->given);
    if (!c->arguments || !c->given) return cli_cannot(c, "MEMORY", "out of memory while reading the command line");
    int status = EXIT_DONE;
    for (int i = 1; i < argc; i++) /* before the first error may be told */
        if (strcmp(argv[i], "--json") == 0)
            c->json = true;
        else if (strcmp(argv[i], "--") == 0)
            break;
    for (int i = 1; i < argc && status == EXIT_DONE; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc) c->arguments[c->n_arguments++] = argv[i];
        } else if (strncmp(argv[i], "--", 2) == 0) {
            status = parse_long(c, argc, argv, &i);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            status = parse_letters(c, argc, argv, &i);
        } else {
            c->arguments[c->n_arguments++] = argv[i];
        }
    }
    if (status != EXIT_DONE) return status;
    c->json = cli_has(c, OPT_json);
    c->quiet = cli_has(c, OPT_quiet);
    c->verbose = cli_has(c, OPT_verbose) && !c->quiet;
    c->dry_run = cli_has(c, OPT_dry_run);
    choose_looks(c);
    return find_verb(c);
}

const char *cli_value(const cli *c, enum option_id id) {
    for (int i = c->n_given; i-- > 0;)
        if (c->given[i].option == id) return c->given[i].value;
    return NULL;
}

/* ---- To the configuration ---- */

/* Appends `text` as YAML's single-quoted text; the room (twice its length and 2) is there. */
static char *quote(char *p, const char *text) {
    *p++ = '\'';
    for (; *text; text++) {
        if (*text == '\'') *p++ = '\'';
        *p++ = *text;
    }
    *p++ = '\'';
    return p;
}

/* Two targets or more are a list. */
static bp_status set_targets(const cli *c, bp_config *cfg) {
    int n = 0;
    size_t size = 3;
    for (int i = 0; i < c->n_given; i++) {
        if (c->given[i].option != OPT_target) continue;
        n++;
        size += 2 * strlen(c->given[i].value) + 4;
    }
    if (n == 1) return bp_config_set_text(cfg, "data.target", cli_value(c, OPT_target));
    char *list = malloc(size), *p = list;
    if (!list) return BP_MEMORY;
    *p++ = '[';
    for (int i = 0; i < c->n_given; i++) {
        if (c->given[i].option != OPT_target) continue;
        if (p > list + 1) *p++ = ',';
        p = quote(p, c->given[i].value);
    }
    *p++ = ']';
    *p = 0;
    bp_status status = bp_config_set(cfg, "data.target", list);
    free(list);
    return status;
}

/* A number is a fraction, everything else names data; with labels of its own it is a mapping of both, which takes the place of
   whatever the file says. */
static bp_status set_files(const cli *c, bp_config *cfg, const option *o, const char *value) {
    char *end;
    strtod(value, &end);
    bool number = end != value && *end == 0 && strspn(value, "0123456789+-.eE") == strlen(value);
    if (number) return bp_config_set(cfg, o->key, value);
    const char *labels = cli_value(c, (enum option_id)(o - options + 1)); /* the row behind */
    if (!labels) return bp_config_set_text(cfg, o->key, value);
    char *map = malloc(2 * strlen(value) + 2 * strlen(labels) + 32), *p = map;
    if (!map) return BP_MEMORY;
    p = quote(p + sprintf(p, "{path: "), value);
    p = quote(p + sprintf(p, ", target: "), labels);
    *p++ = '}';
    *p = 0;
    bp_status status = bp_config_set(cfg, o->key, map);
    free(map);
    return status;
}

/* Labels for which the row before has named no data belong to what the file names. */
static bp_status set_labels(const cli *c, bp_config *cfg, const option *o, const char *value) {
    return cli_has(c, (enum option_id)(o - options - 1)) ? BP_OK : bp_config_set_text(cfg, o->key, value);
}

bool cli_configured(const cli *c) {
    for (int i = 0; i < c->n_given; i++)
        if (options[c->given[i].option].key || c->given[i].option == OPT_set) return true;
    return false;
}

bp_status cli_configure(const cli *c, bp_config *cfg) {
    for (int i = 0; i < c->n_given; i++)
        if (c->given[i].option == OPT_set) BP_TRY(bp_config_assign(cfg, c->given[i].value));
    for (int i = 0; i < N_OPTIONS; i++) {
        const option *o = &options[i];
        const char *value = cli_value(c, (enum option_id)i);
        if (!o->key || !value) continue;
        switch (o->how) {
        case FLAG: BP_TRY(bp_config_set(cfg, o->key, "false")); break; /* --no-X */
        case TARGET: BP_TRY(set_targets(c, cfg)); break;
        case FILES: BP_TRY(set_files(c, cfg, o, value)); break;
        case LABELS: BP_TRY(set_labels(c, cfg, o, value)); break;
        case CHOICE: BP_TRY(bp_config_choose(cfg, o->key, value)); break;
        case NAME: BP_TRY(bp_config_set_text(cfg, o->key, value)); break;
        default: BP_TRY(bp_config_set(cfg, o->key, value)); break;
        }
    }
    return BP_OK;
}

bp_status cli_open_config(cli *c, bp_config **out, const char *path) {
    *out = NULL;
    bp_status status = path ? bp_config_open(out, c->ctx, path) : bp_config_new(out, c->ctx);
    if (status == BP_OK) status = cli_configure(c, *out);
    if (status != BP_OK) {
        bp_config_free(*out);
        *out = NULL;
    }
    return status;
}

bp_data cli_data(const cli *c, const char *path) {
    return (bp_data){.size = sizeof(bp_data),
                     .path = path,
                     .target = cli_value(c, OPT_target),
                     .input = cli_value(c, OPT_input),
                     .no_header = cli_has(c, OPT_no_header)};
}
