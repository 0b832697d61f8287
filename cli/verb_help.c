/* Help: examples first, then what there is, from the tables of verbs and options. */
#include "cli.h"

#include <string.h>

static const struct {
    const char *topic, *what, *use;
} topics[] = {
    {"layers", "layer", "--model 'linear 128, relu, linear', or model: in a configuration"},
    {"losses", "loss", "--loss 'huber delta=2', or loss: in a configuration"},
    {"optimizers", "optimizer", "--optimizer 'sgd lr=0.1', or optimizer: in a configuration"},
    {"schedules", "schedule", "--schedule cosine, or schedule: in a configuration"},
    {"initializers", "initializer", "init: {weight: orthogonal} in a layer, or init: [{match: \"*.weight\", orthogonal}]"},
    {"metrics", "metric", "metrics: in a configuration"}};
enum { N_TOPICS = sizeof topics / sizeof *topics };

static const char *topic_name(int index) { return index < N_VERBS ? verbs[index].name : topics[index - N_VERBS].topic; }

static void indented(const char *lines) {
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        printf("  %.*s\n", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void print_option(const option *o) {
    char left[64];
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    printf("  %-32s %s\n", left, o->help);
}

static void print_options(const verb *v, bool everywhere) {
    for (int i = 0; i < N_OPTIONS; i++)
        if ((options[i].verbs == UINT32_MAX) == everywhere && (options[i].verbs >> (v - verbs) & 1u)) print_option(&options[i]);
}

static bool has_own(const verb *v) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (options[i].verbs != UINT32_MAX && (options[i].verbs >> (v - verbs) & 1u)) return true;
    return false;
}

static void print_verbs(void) {
    for (int i = 0; i < N_VERBS; i++) {
        char left[100];
        snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].arguments);
        if (strlen(left) > 29)
            printf("  %s\n  %-29s %s\n", left, "", verbs[i].help);
        else
            printf("  %-29s %s\n", left, verbs[i].help);
    }
}

static void print_overview(void) {
    fputs("Examples:\n"
          "  backprop demo\n"
          "  backprop train iris.csv --target species --out runs/iris\n"
          "  backprop predict runs/iris new.csv -o predictions.csv\n"
          "\nUsage: backprop VERB [ARGUMENTS] [--options]\n\nVerbs:\n",
          stdout);
    print_verbs();
    fputs("\nOptions of every verb:\n", stdout);
    print_options(&verbs[VERB_help], true);
    fputs("\n`backprop VERB -h` shows examples and the options of a verb; `backprop help layers` lists layers\n"
          "(also losses, optimizers, schedules, initializers, metrics).\n"
          "BP_ISA, BP_THREADS and BP_PASSES=none choose how it computes.\n",
          stdout);
}

static void json_verbs(const verb *only) {
    fputs("{\"verbs\":[", stdout);
    bool first = true;
    for (int i = 0; i < N_VERBS; i++) {
        if (only && only != &verbs[i]) continue;
        printf("%s{\"name\":\"%s\",\"arguments\":\"%s\",\"help\":", first ? "" : ",\n", verbs[i].name, verbs[i].arguments);
        cli_json_text(stdout, verbs[i].help);
        fputs(",\"options\":[", stdout);
        bool one = false;
        for (int k = 0; k < N_OPTIONS; k++) {
            if (!(options[k].verbs >> i & 1u)) continue;
            printf("%s\"--%s\"", one ? "," : "", options[k].name);
            one = true;
        }
        fputs("]}", stdout);
        first = false;
    }
    fputs("]}\n", stdout);
}

int cli_help(cli *c, const verb *v) {
    if (c->json) {
        json_verbs(v);
        return EXIT_DONE;
    }
    if (!v) {
        print_overview();
        return EXIT_DONE;
    }
    fputs("Examples:\n", stdout);
    indented(v->examples);
    printf("\nUsage: backprop %s%s%s [--options]\n  %s\n", v->name, *v->arguments ? " " : "", v->arguments, v->help);
    if (has_own(v)) {
        fputs("\nOptions:\n", stdout);
        print_options(v, false);
    }
    fputs("\nOptions of every verb:\n", stdout);
    print_options(v, true);
    return EXIT_DONE;
}

int cli_brief(cli *c) {
    if (c->json) return cli_usage(c, "`backprop help` lists them", "no verb is given");
    fputs("backprop trains neural networks. To begin:\n\n"
          "  backprop demo                             trains on handwritten digits and shows what was learnt\n"
          "  backprop train DATA --target COLUMN       trains a model from a table\n"
          "  backprop help                             lists the verbs\n",
          stderr);
    return EXIT_USAGE;
}

int cli_version(cli *c) {
    if (c->json)
        printf("{\"version\":\"%s\"}\n", bp_version());
    else
        printf("backprop %s\n", bp_version());
    return EXIT_DONE;
}

static int list_kinds(const cli *c, int topic) {
    const char *help = NULL, *name;
    int width = 0; /* of the longest name */
    for (int i = 0; (name = bp_kind(topics[topic].what, i, &help)); i++)
        if ((int)strlen(name) > width) width = (int)strlen(name);
    if (c->json)
        printf("{\"%s\":[", topics[topic].topic);
    else
        printf("Use: %s\n\n", topics[topic].use);
    for (int i = 0; (name = bp_kind(topics[topic].what, i, &help)); i++) {
        if (!c->json) {
            printf("  %-*s  %s\n", width, name, help ? help : "");
            continue;
        }
        fputs(i ? ",\n{\"name\":" : "{\"name\":", stdout);
        cli_json_text(stdout, name);
        fputs(",\"help\":", stdout);
        cli_json_text(stdout, help ? help : "");
        fputc('}', stdout);
    }
    if (c->json) fputs("]}\n", stdout);
    return EXIT_DONE;
}

int verb_help(cli *c) {
    if (!c->n_arguments) return cli_help(c, NULL);
    const char *name = c->arguments[0];
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0) return cli_help(c, &verbs[i]);
    for (int i = 0; i < N_TOPICS; i++)
        if (strcmp(topics[i].topic, name) == 0) return list_kinds(c, i);
    char hint[80];
    const char *near = cli_nearest(name, topic_name, N_VERBS + N_TOPICS);
    snprintf(hint, sizeof hint, "did you mean `%s`?", near ? near : "");
    return cli_usage(c, near ? hint : "`backprop help` lists the verbs", "there is no verb `%s`", name);
}
