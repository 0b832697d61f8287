/* backprop ops: the table of operations. */
#include "cli.h"

#include <string.h>

static const char *op_name(int index) { return bp_operation(index, NULL, NULL, NULL); }

static int count(void) {
    int n = 0;
    while (op_name(n)) n++;
    return n;
}

static void print_json(int first, int last) {
    fputs("{\"operations\":[", stdout);
    for (int i = first; i < last; i++) {
        const char *formula = NULL;
        int differentiable = 0, n_samples = 0;
        const char *name = bp_operation(i, &formula, &differentiable, &n_samples);
        fputs(i > first ? ",\n{\"name\":" : "{\"name\":", stdout);
        cli_json_text(stdout, name);
        fputs(",\"family\":", stdout);
        cli_json_text(stdout, bp_operation_family(i));
        fputs(",\"formula\":", stdout);
        cli_json_text(stdout, formula ? formula : "");
        printf(",\"differentiable\":%s,\"samples\":%d}", differentiable ? "true" : "false", n_samples);
    }
    fputs("]}\n", stdout);
}

static void print_list(int last) {
    for (int i = 0; i < last; i++) {
        const char *formula = NULL;
        int differentiable = 0;
        int n_samples = 0;
        const char *name = bp_operation(i, &formula, &differentiable, &n_samples);
        printf("%-28s %-15s %2d samples  %s%s\n", name, bp_operation_family(i), n_samples, formula ? formula : "",
               differentiable ? "" : "  (no gradient)");
    }
    const char *name, *operation = NULL, *note = NULL;
    for (int i = 0; (name = bp_operation_alias(i, &operation, &note)); i++)
        printf("%-28s %s%s\n", name, note ? note : "another name of ", note ? "" : operation);
}

static int print_one(cli *c, const char *name) {
    char *text = NULL;
    bp_status status = bp_operation_describe(c->ctx, name, &text);
    if (status != BP_OK) return cli_fail(c, status);
    fputs(text, stdout);
    bp_free(c->ctx, text);
    return EXIT_DONE;
}

/* The name in the table of what may be called otherwise; a name of several operations is explained first. */
static const char *operation_of(const cli *c, const char *name) {
    const char *other, *operation = NULL, *note = NULL;
    for (int i = 0; (other = bp_operation_alias(i, &operation, &note)); i++) {
        if (strcmp(other, name) != 0) continue;
        if (note && !c->json) printf("%s: %s.\n\n", name, note);
        return operation;
    }
    return name;
}

int verb_ops(cli *c) {
    int first = 0, last = count();
    if (c->n_arguments) {
        const char *name = operation_of(c, c->arguments[0]);
        while (first < last && strcmp(op_name(first), name) != 0) first++;
        if (first == last) {
            char hint[80];
            const char *near = cli_nearest(name, op_name, last);
            snprintf(hint, sizeof hint, "did you mean `%s`?", near ? near : "");
            return cli_usage(c, near ? hint : "`backprop ops` lists them", "there is no operation `%s`", name);
        }
        last = first + 1;
        if (!c->json) return print_one(c, name);
    }
    if (c->json)
        print_json(first, last);
    else
        print_list(last);
    return EXIT_DONE;
}
