/* docs/optimizers.md, made from the table of optimisers, the comments of their files, their state and their measured deviations.
 */
#ifndef OPTIMIZER_TABLE_H
#define OPTIMIZER_TABLE_H
#include <dirent.h>

#include "io/files.h"
#include "optim/solver.h"
#include "optimizer_help.h"

static const struct {
    const char *name, *function; /* what the row's file defines behind its first comment */
    bool solver;
} table_rows[] = {
#define OPTIMIZER(name_, build_, help_, ...) {#name_, "\nvoid " #build_ "(", false},
#include "optim/optimizers.def"
#undef OPTIMIZER
#define SOLVER(name_, solver_, help_, ...) {#name_, "\nconst bp__solver " #solver_ " =", true},
#include "optim/solvers.def"
#undef SOLVER
};

/* The first comment of the file in src/optim that has this text; owns. */
static inline char *formula_of(bp_context *ctx, const char *function) {
    char path[300], *found = NULL;
    DIR *folder = opendir("src/optim");
    assert_non_null(folder);
    for (struct dirent *e; !found && (e = readdir(folder));) {
        size_t n = strlen(e->d_name), size = 0;
        char *text = NULL;
        if (n < 2 || strcmp(e->d_name + n - 2, ".c") != 0) continue;
        snprintf(path, sizeof path, "src/optim/%.200s", e->d_name);
        OK(ctx, bp__file_read_all(ctx, path, 1 << 20, &text, &size));
        if (strstr(text, function))
            found = text;
        else
            bp_free(ctx, text);
    }
    closedir(folder);
    if (!found || strncmp(found, "/* ", 3) != 0) fail_msg("no file in src/optim has `%s` and a comment at its head", function);
    *strstr(found, "*/") = '\0';
    return found;
}

static inline void put_default(bp__buffer *out, const bp__key *key) {
    char a[32], b[32], c[32];
    bp__format_f64(a, key->standard);
    bp__format_f64(b, key->standard2);
    bp__format_f64(c, key->standard3);
    switch (key->type) {
    case BP__KEY_BOOL: bp__buffer_printf(out, "%s", key->standard != 0 ? "true" : "false"); break;
    case BP__KEY_TEXT: bp__buffer_printf(out, "%s", key->standard_text); break;
    case BP__KEY_PAIR: bp__buffer_printf(out, "[%s, %s]", a, b); break;
    case BP__KEY_TRIPLE: bp__buffer_printf(out, "[%s, %s, %s]", a, b, c); break;
    default: bp__buffer_printf(out, "%s", a); break;
    }
}

/* | name | its own keys */
static inline void put_keys(bp__buffer *out, const bp__kind *row) {
    bp__buffer_printf(out, "| `%s` | ", row->name);
    for (int i = 0; i < row->n_keys && strcmp(row->keys[i].name, "maximize") != 0; i++) {
        bp__buffer_printf(out, "%s`%s` ", i ? ", " : "", row->keys[i].name);
        put_default(out, &row->keys[i]);
    }
}

/* Numbers kept for each weight of a matrix. */
static inline double state_of(bp_context *ctx, const char *choice, int64_t rows, int64_t columns) {
    bp_graph *g;
    bp_state *state;
    double total = 0;
    OK(ctx, bp_graph_new(&g, ctx));
    bp_value p = bp_parameter(g, "w", bp_shape(2, rows, columns), bp_zeros());
    bp_value d = bp_input(g, "d", BP_F32, bp_shape(2, rows, columns)), lr = bp_input(g, "lr", BP_F64, bp_shape(0));
    bp__tree *tree = yaml(ctx, choice);
    OK(ctx, bp__optimizer_build(g, tree, lr, &p, &d, 1));
    OK(ctx, bp_state_new(&state, g));
    for (int i = 0; i < bp_state_count(state); i++) {
        bp_dims dims;
        double n = 1;
        if (strncmp(bp_state_name(state, i), "optimizer/w/", 12) != 0) continue;
        OK(ctx, bp_state_describe(state, bp_state_name(state, i), NULL, &dims));
        for (int64_t k = 0; k < dims.n; k++) n *= (double)dims.dim[k];
        total += n;
    }
    bp_state_free(state);
    bp_graph_free(g);
    bp__tree_free(ctx, tree);
    return total / (double)(rows * columns);
}

typedef double deviation_fn(bp_context *ctx, const bp__st_tensor *t);
typedef bool is_of_fn(const char *choice, const char *name);

/* | worst deviation and the references of one optimiser; and its largest and smallest state. */
static inline void put_measured(bp__buffer *out, bp_context *ctx, const bp__st_file *file, const char *name,
                                deviation_fn *deviation, is_of_fn *is_of) {
    char source[200] = "";
    double worst = 0, most = state_of(ctx, name, 512, 256);
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const char *bar = strchr(file->tensors[i].name, '|');
        if (!bar || !is_of(bar + 1, name)) continue;
        worst = fmax(worst, deviation(ctx, &file->tensors[i]));
        if (!strstr(file->tensors[i].name, ", rising rate|"))
            snprintf(source, sizeof source, "%.*s", (int)strcspn(file->tensors[i].name, "|"), file->tensors[i].name);
    }
    bp__buffer_printf(out, "%.3g | ", most);
    bp__buffer_printf(out, "%s | %.1e |\n", source, worst);
}

static inline char *optimizer_table(bp_context *ctx, const bp__st_file *file, deviation_fn *deviation, is_of_fn *is_of) {
    bp__buffer out;
    bp__buffer_init(&out, ctx);
    bp__buffer_text(
        &out,
        "# Optimisers\n\n"
        "<!-- Written by tests/test_optimizers.c: build/release/tests/test_optimizers --table > docs/optimizers.md -->\n\n"
        "`state`: numbers kept for each weight of a 512 by 256 matrix. `deviation`: the largest relative difference from the "
        "reference over 20\nsteps in double precision, four parameters of different shapes, all options varied (numbers below "
        "0.001 "
        "count as 0.001).\nIn single precision the same formulas run in single precision; scalars of a step stay double.\n\n"
        "| name | keys and defaults | state | reference | deviation |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < sizeof table_rows / sizeof *table_rows; k++) {
        const bp__kind *row = bp__optimizer_row((int)k);
        if (table_rows[k].solver) continue;
        put_keys(&out, row);
        bp__buffer_text(&out, " | ");
        put_measured(&out, ctx, file, row->name, deviation, is_of);
    }
    bp__buffer_text(&out, "\n## Solvers: optimisers of all rows at once\n\n"
                          "A step takes all training rows, `train.batch_size` (1024) of them at a time, and looks at loss and "
                          "gradient as often as it needs;\nan epoch is one step, as one call of PyTorch's `step(closure)` is. "
                          "Penalties belong to the loss that goes down. Within a step dropout\ndrops the same units, and "
                          "`batch_norm` learns from the first look only. Clipping, accumulation, averages, max_norm, groups and "
                          "what\nevery other optimiser has do not go with them. `dtype: float64` lets them come closer to the "
                          "minimum. The paths of lbfgs and cg are\nwithin 1e-9 of references, over the steps of "
                          "tests/golden/make_lbfgs.py and make_solvers.py; gauss_newton and "
                          "levenberg_marquardt find\nwhat SciPy finds, within 1e-8.\n\n"
                          "| name | keys and defaults | state |\n|---|---|---|\n");
    for (size_t k = 0; k < sizeof table_rows / sizeof *table_rows; k++) {
        const bp__solver *solver = bp__optimizer_solver((int)k);
        if (!solver) continue;
        bp__choice choice;
        bp__tree *tree = yaml(ctx, table_rows[k].name);
        assert_ptr_equal(bp__solver_read(ctx, tree, &choice), solver);
        put_keys(&out, bp__optimizer_row((int)k));
        bp__buffer_printf(&out, " | %.3g |\n", (double)solver->size(&choice, 512 * 256) / (512 * 256));
        bp__tree_free(ctx, tree);
    }
    bp__buffer_text(
        &out,
        "\n## Every optimiser but these also has\n\n"
        "| key | default | what |\n|---|---|---|\n"
        "| `maximize` | false | climbs |\n"
        "| `centralize` | false | takes from each gradient its mean over all axes but the first (Yong et al. 2020) |\n"
        "| `noise_eta`, `noise_gamma` | 0, 0.55 | adds normal noise of variance eta/t^gamma to each gradient (Neelakantan et al. "
        "2015) |\n"
        "| `lookahead_k`, `lookahead_alpha` | 0, 0.5 | every k updates the weights go back to slow weights that have moved alpha "
        "of "
        "the way (Zhang et al. 2019); one more number for each weight |\n"
        "| `sam_rho`, `sam_adaptive` | 0, false | takes the gradients of the worst point within rho, each direction scaled by "
        "the "
        "weight itself where adaptive (Foret et al. 2021, Kwon et al. 2021); two forward and backward passes a step, one more "
        "gradient in memory |\n"
        "| `layer_decay` | 1 | the rate of each layer is that of the layer behind it times this (Clark et al. 2020) |\n"
        "| `groups` | | options for some parameters: `[{match: \"*.bias\", weight_decay: 0}]`; `match` is a shell pattern for "
        "names, "
        "the first that matches counts; `lr` follows the schedule in proportion; `freeze: true` leaves the parameters as they "
        "are "
        "|\n\n"
        "What is taken over all parameters (the rate of `prodigy` and `dog`) is taken group by group. `schedule_free_*` hold the "
        "point where\ngradients are taken; the average is what to evaluate.\n\n## Formulas\n");
    for (size_t k = 0; k < sizeof table_rows / sizeof *table_rows; k++) {
        char *text = formula_of(ctx, table_rows[k].function);
        bp__buffer_printf(&out, "\n### %s\n\n%s.\n\n```\n%s\n```\n", table_rows[k].name, bp__optimizer_row((int)k)->help,
                          text + 3);
        bp_free(ctx, text);
    }
    char *text = NULL;
    OK(ctx, bp__buffer_take(&out, &text));
    return text;
}
#endif
