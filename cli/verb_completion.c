/* backprop completion SHELL: what a shell needs to complete verbs and options. `man` gives the lists of the manual page. */
#include "cli.h"

#include <string.h>

static bool takes_file(const option *o) {
    return o->argument && (strstr(o->argument, "FILE") || strstr(o->argument, "DATA") || strstr(o->argument, "DIR") ||
                           strstr(o->argument, "MODEL"));
}

static void list_options(FILE *to, int v) {
    bool first = true;
    for (int i = 0; i < N_OPTIONS; i++) {
        if (!(options[i].verbs >> v & 1u)) continue;
        fprintf(to, "%s--%s", first ? "" : " ", options[i].name);
        first = false;
    }
}

static void list_verbs(FILE *to) {
    for (int i = 0; i < N_VERBS; i++) fprintf(to, "%s%s", i ? " " : "", verbs[i].name);
}

static void bash(FILE *to) {
    fputs("_backprop() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"",
          to);
    list_verbs(to);
    fputs("\" -- \"$word\"))\n        return\n    fi\n    case $word in\n    -*)\n        case $verb in\n", to);
    for (int v = 0; v < N_VERBS; v++) {
        fprintf(to, "        %s) COMPREPLY=($(compgen -W \"", verbs[v].name);
        list_options(to, v);
        fputs("\" -- \"$word\")) ;;\n", to);
    }
    fputs("        esac ;;\n    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\n"
          "complete -o filenames -F _backprop backprop\n",
          to);
}

static void quoted(FILE *to, const char *text) {
    fputc('\'', to);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text, to);
    fputc('\'', to);
}

/* zsh gives `[`, `]` and `:` a meaning in descriptions. */
static void zsh_text(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void zsh(FILE *to) {
    fputs("#compdef backprop\n_backprop() {\n    local -a verbs options\n    verbs=(\n", to);
    for (int v = 0; v < N_VERBS; v++) {
        fprintf(to, "        '%s:", verbs[v].name);
        zsh_text(to, verbs[v].help);
        fputs("'\n", to);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n        return\n    fi\n    case $words[2] in\n",
          to);
    for (int v = 0; v < N_VERBS; v++) {
        fprintf(to, "    %s) options=(\n", verbs[v].name);
        for (int i = 0; i < N_OPTIONS; i++) {
            if (!(options[i].verbs >> v & 1u)) continue;
            fprintf(to, "        '*--%s%s[", options[i].name, options[i].argument ? "=" : "");
            zsh_text(to, options[i].help);
            fprintf(to, "]%s'\n", takes_file(&options[i]) ? ":file:_files" : options[i].argument ? ":value: " : "");
        }
        fputs("    ) ;;\n", to);
    }
    fputs("    esac\n    _arguments $options '*:file:_files'\n}\ncompdef _backprop backprop\n", to);
}

static void fish(FILE *to) {
    for (int v = 0; v < N_VERBS; v++) {
        fprintf(to, "complete -c backprop -n __fish_use_subcommand -f -a %s -d ", verbs[v].name);
        quoted(to, verbs[v].help);
        fputc('\n', to);
        for (int i = 0; i < N_OPTIONS; i++) {
            const option *o = &options[i];
            if (!(o->verbs >> v & 1u)) continue;
            fprintf(to, "complete -c backprop -n '__fish_seen_subcommand_from %s' -l %s", verbs[v].name, o->name);
            if (o->letter) fprintf(to, " -s %c", o->letter);
            if (o->argument) fputs(takes_file(o) ? " -r" : " -x", to);
            fputs(" -d ", to);
            quoted(to, o->help);
            fputc('\n', to);
        }
    }
}

static void roff(FILE *to, const char *text) {
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
}

/* "RUN|MODEL" with its words in italics: what is written in capitals stands for something else. */
static void roff_arguments(FILE *to, const char *text) {
    for (bool italic = false; *text || italic; text += *text != 0) {
        bool capital = *text >= 'A' && *text <= 'Z';
        if (capital != italic) fputs(capital ? "\\fI" : "\\fR", to);
        italic = capital;
        char one[2] = {*text, 0};
        roff(to, one);
    }
}

static void man(FILE *to) {
    fputs(".SH VERBS\n", to);
    for (int v = 0; v < N_VERBS; v++) {
        fputs(".TP\n\\fB", to);
        roff(to, verbs[v].name);
        fputs("\\fR", to);
        if (verbs[v].arguments[0]) {
            fputc(' ', to);
            roff_arguments(to, verbs[v].arguments);
        }
        fputc('\n', to);
        roff(to, verbs[v].help);
        fputc('\n', to);
    }
    fputs(".SH OPTIONS\n", to);
    for (int i = 0; i < N_OPTIONS; i++) {
        const option *o = &options[i];
        fputs(".TP\n", to);
        if (o->letter) fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
        fputs("\\fB\\-\\-", to);
        roff(to, o->name);
        fputs("\\fR", to);
        if (o->argument) {
            fputs(" \\fI", to);
            roff(to, o->argument);
            fputs("\\fR", to);
        }
        fputc('\n', to);
        roff(to, o->help);
        if (o->verbs != UINT32_MAX) {
            fputs(" (", to);
            const char *comma = "";
            for (int v = 0; v < N_VERBS; v++) {
                if (!(o->verbs >> v & 1u)) continue;
                fputs(comma, to);
                roff(to, verbs[v].name);
                comma = ", ";
            }
            fputc(')', to);
        }
        fputs("\n", to);
    }
}

static const struct {
    const char *name;
    void (*print)(FILE *to);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}, {"man", man}};
enum { N_SHELLS = 3 };

static const char *shell_name(int index) { return shells[index].name; }

int verb_completion(cli *c) {
    for (int i = 0; i <= N_SHELLS; i++) {
        if (strcmp(shells[i].name, c->arguments[0]) != 0) continue;
        if (c->json)
            printf("{\"shell\":\"%s\",\"verbs\":%d,\"options\":%d}\n", shells[i].name, (int)N_VERBS, (int)N_OPTIONS);
        else
            shells[i].print(stdout);
        return EXIT_DONE;
    }
    char hint[80];
    const char *near = cli_nearest(c->arguments[0], shell_name, N_SHELLS);
    snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
    return cli_usage(c, near ? hint : NULL, "there is no completion for `%s`: give bash, zsh or fish", c->arguments[0]);
}
