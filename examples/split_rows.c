/* The sets of a run as files that other programs read: rows of training, validation and test, each with the number of its class
   at the end, so that others can be compared on the very same split.

     split_rows CONFIG SPLIT_SEED FOLDER

   writes FOLDER/train.csv, validation.csv and test.csv, without those that the run does not have. */
#include <backprop.h>
#include <stdio.h>
#include <string.h>

static int write_rows(const char *path, const float *x, const int64_t *label, int64_t n, int64_t inputs) {
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < inputs; i++) fprintf(f, "%.7g,", (double)x[r * inputs + i]);
        fprintf(f, "%lld\n", (long long)label[r]);
    }
    int bad = ferror(f);
    return fclose(f) || bad ? -1 : 0;
}

static bp_status write_sets(bp_context *ctx, bp_run *run, const char *folder, int64_t *rows) {
    static const char *const sets[] = {"train", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        float *x;
        int64_t *label, n;
        bp_status status = bp_run_rows(run, sets[i], &x, &label, &n);
        if (status == BP_NOT_FOUND) { /* the run has no such set */
            bp_context_clear_error(ctx);
            continue;
        }
        BP_TRY(status);
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.csv", folder, sets[i]);
        int bad = write_rows(path, x, label, n, bp_model_inputs(bp_run_model(run)));
        bp_free(ctx, x);
        bp_free(ctx, label);
        if (bad) {
            perror(path);
            return BP_IO;
        }
        printf("%s: %lld rows\n", path, (long long)n);
        *rows += n;
    }
    return BP_OK;
}

static bp_status split(bp_context *ctx, const char *file, const char *seed, const char *folder, int64_t *rows) {
    bp_config *cfg;
    bp_run *run;
    if (file)
        BP_TRY(bp_config_open(&cfg, ctx, file));
    else
        BP_TRY(bp_config_parse(&cfg, ctx, "{data: {path: 'builtin:iris', target: species}}"));
    BP_TRY(bp_config_set(cfg, "data.split.seed", seed));
    BP_TRY(bp_config_set(cfg, "train.epochs", "0")); /* nothing is learnt; the data is read and split as for a training */
    BP_TRY(bp_train(&run, cfg, NULL));
    BP_TRY(write_sets(ctx, run, folder, rows));
    bp_run_free(run);
    bp_config_free(cfg);
    return BP_OK;
}

int main(int argc, char **argv) {
    bp_context *ctx;
    int64_t rows = 0;
    if (argc != 1 && argc != 4) {
        fputs("usage: split_rows CONFIG SPLIT_SEED FOLDER\n", stderr);
        return 2;
    }
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    bp_status status = argc == 4 ? split(ctx, argv[1], argv[2], argv[3], &rows) : split(ctx, NULL, "0", ".", &rows);
    if (status != BP_OK) fprintf(stderr, "split_rows: %s\n", bp_context_error(ctx));
    if (status == BP_OK && argc == 1 && rows != 150) {
        fprintf(stderr, "split_rows: %lld rows of iris are not 150\n", (long long)rows);
        status = BP_CHECK;
    }
    bp_context_free(ctx);
    return status != BP_OK;
}
