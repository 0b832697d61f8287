/* Writes docs/metrics.md from src/train/metrics.def; with --check, says whether it is what would be written today. Run in the
   root of the repository. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/choice.h"

typedef struct row {
    const char *name, *main, *help, *formula, *range, *source;
    const bp__key *keys;
    int n_keys;
    bool numbers, higher_better, standard;
} row;

#define WEIGHTS BP__K_BOOL("row_weights", 0)
#define NO_KEYS
#define ROW(of_numbers_, name_, higher_, standard_, main_, help_, formula_, range_, source_, ...) \
    {.name = #name_,                                                                              \
     .main = (main_),                                                                             \
     .help = (help_),                                                                             \
     .formula = (formula_),                                                                       \
     .range = (range_),                                                                           \
     .source = (source_),                                                                         \
     .keys = (const bp__key[]){{0}, __VA_ARGS__} + 1,                                             \
     .n_keys = (int)BP__COUNT(((const bp__key[]){{0}, __VA_ARGS__})) - 1,                         \
     .numbers = (of_numbers_),                                                                    \
     .higher_better = (higher_),                                                                  \
     .standard = (standard_)},
#define CLASS_METRIC(name_, function_, how_, ...) ROW(false, name_, __VA_ARGS__)
#define NUMBER_METRIC(name_, function_, how_, ...) ROW(true, name_, __VA_ARGS__)
#define VECTOR_METRIC NUMBER_METRIC
static const row rows[] = {
#include "train/metrics.def"
};

static const char page[] = "docs/metrics.md";

static const char head[] =
    "# Metrics\n\n"
    "<!-- written by tools/gen_metrics.c from src/train/metrics.def: make tables -->\n\n"
    "`metrics:` in a configuration names the scores of every set: by name, or with parameters.\n\n"
    "```yaml\n"
    "metrics: [accuracy, mcc, {f_beta: {beta: 2}}, {top_k: 5}, {accuracy: {row_weights: true}}]\n"
    "train: {early_stopping: {metric: validation.mcc}}\n"
    "```\n\n"
    "Columns and members are named by the metric and each parameter that is not the default: `f_beta_2`, `top_k_5`,\n"
    "`accuracy_row_weights`. `train.early_stopping.metric` may name any metric, listed or not; it is computed and shown from "
    "then\n"
    "on. The first of the list stands in the line of an epoch. `backprop eval` computes what the model was trained with;\n"
    "`eval -v` adds precision, recall and F1 of each class (up to 20), `eval --json` these and the confusion matrix.\n\n"
    "Names, formulas and defaults are scikit-learn's, 1.9.1, and the values equal its to 1e-12 (tests/test_metrics.c). Where it\n"
    "warns that a score is not defined, or refuses (one class only, a logarithm of a negative number, fewer than two rows), the\n"
    "score is null in JSON, `-` in text and an empty cell in metrics.csv; so it is where a prediction is not finite. In a mean "
    "over\n"
    "classes, one of 0/0 counts as 0. Scores of several targets are averaged; cosine_similarity and kl_divergence are of all\n"
    "targets of a row at once. Rows count equally, whatever weights the loss has, unless `row_weights: true`: then by\n"
    "`train.weight_column` (not by class weights), and not defined without. A label that the model does not know is one\n"
    "more class that is never predicted; it has no part in auc, average_precision, f1_max, the metrics named `_at_`, log_loss, "
    "hinge\n"
    "and brier, which need its probability.\n\n"
    "In the formulas t is the truth, y the prediction and p_c the probability of class c; T_c, P_c and H_c are the rows of class "
    "c,\n"
    "those predicted as it, and both; N is all. Of two classes 1 is the second. Means are over rows, or over the classes that "
    "occur\n"
    "in truth or prediction.\n";

static const char tail[] =
    "\n## Known elsewhere by other names\n\n"
    "| name | here |\n|---|---|\n"
    "| binary, categorical and sparse accuracy (Keras) | `accuracy` |\n"
    "| hits@k (Ludwig) | `top_k` |\n"
    "| sensitivity | `recall` |\n"
    "| PR-AUC | `average_precision`: scikit-learn's sum of steps, not Keras' interpolation |\n"
    "| IoU, binary, mean and one-hot (Keras) | `jaccard`, `jaccard_macro` |\n"
    "| KL divergence and cross entropy of labels (Keras) | `log_loss`: all of a label's probability is on one class |\n"
    "| CategoricalHinge (Keras) | `hinge`: of log p; Keras takes whatever the model gives |\n"
    "| thresholds of Keras' `…At…` metrics | every probability that occurs, not a grid of 200 |\n\n"
    "Not in the tables, because a short formula ([formulas.md](formulas.md)) says exactly what is meant:\n\n"
    "| name | formula |\n|---|---|\n"
    "| perplexity: `log_loss` in another unit | `exp(nll(log(p), y))` |\n"
    "| hinge of targets -1 and 1 learned as numbers: with classes it is `hinge` | `mean(relu(1 - y * p))` |\n"
    "| true positives of two classes at a threshold of 0.3: here a class is called where it is the likeliest | "
    "`sum((y == 1) * (squeeze(slice(p, 1, 1, 1), axes=1) > 0.3))` |\n";

static void parameters(FILE *f, const row *r) {
    const char *between = "";
    for (int i = 0; i < r->n_keys; i++) {
        const bp__key *k = &r->keys[i];
        if (strcmp(k->name, "row_weights") == 0) continue;
        if (k->required)
            fprintf(f, "%s`%s`, to be given", between, k->name);
        else if (k->type == BP__KEY_BOOL)
            fprintf(f, "%s`%s` %s", between, k->name, k->standard != 0 ? "true" : "false");
        else
            fprintf(f, "%s`%s` %g", between, k->name, k->standard);
        between = ", ";
    }
}

static void table(FILE *f, bool numbers) {
    fprintf(f,
            "\n## %s\n\n| metric | what | formula | range | better | parameters | row weights | source |\n"
            "|---|---|---|---|---|---|---|---|\n",
            numbers ? "Numbers" : "Classes");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        bool weights = r->n_keys > 0 && strcmp(r->keys[r->n_keys - 1].name, "row_weights") == 0;
        if (r->numbers != numbers) continue;
        fprintf(f, "| %s`%s`%s | %s | %s | %s | %s | ", r->standard ? "**" : "", r->name, r->standard ? "**" : "", r->help,
                r->formula, r->range, r->higher_better ? "higher" : "lower");
        parameters(f, r);
        fprintf(f, " | %s | %s |\n", weights ? "yes" : "no", r->source);
    }
    fprintf(f, "\nBold: in the default set.\n");
}

int main(int argc, char **argv) {
    bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) return perror("gen_metrics"), 1;
    fputs(head, f);
    table(f, false);
    table(f, true);
    fputs(tail, f);
    if (fclose(f) != 0) return perror("gen_metrics"), 1;
    if (check) {
        char *old = calloc(1, n + 2);
        f = fopen(page, "rb");
        bool same = old && f && fread(old, 1, n + 1, f) == n && memcmp(old, text, n) == 0;
        if (f) fclose(f);
        if (!same) fprintf(stderr, "%s is not what the table says; run make tables\n", page);
        free(old);
        free(text);
        return !same;
    }
    f = fopen(page, "wb");
    bool good = f && fwrite(text, 1, n, f) == n;
    if (f) good = fclose(f) == 0 && good;
    if (!good) perror(page);
    free(text);
    return !good;
}
