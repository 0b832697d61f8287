/* Splits, preprocessing and whole data sets: made ones, then the shared ones. */
#include "support/data_help.h"

/* ---- Splits ---- */

static void splits(void **state) {
    (void)state;
    enum { N = 1000 };
    int64_t rows[N], classes[N], seen[2 * N] = {0};
    for (int i = 0; i < N; i++) {
        rows[i] = 2 * i;
        classes[i] = i == 7 ? 2 : i % 10 == 0;
    }
    bp__rows a[3], b[3];
    bp__split_options o = {.validation = 0.15, .test = 0.15, .seed = 3, .classes = classes};
    assert_int_equal(bp__split(a, ctx, rows, N, &o), BP_OK);
    assert_int_equal(bp__split(b, ctx, rows, N, &o), BP_OK);
    assert_int_equal(a[1].n, 150);
    assert_int_equal(a[2].n, 150);
    for (int k = 0; k < 3; k++) {
        int64_t ones = 0;
        assert_int_equal(a[k].n, b[k].n);
        assert_memory_equal(a[k].rows, b[k].rows, (size_t)a[k].n * sizeof(int64_t));
        for (int64_t i = 0; i < a[k].n; i++) {
            assert_true(i == 0 || a[k].rows[i] > a[k].rows[i - 1]);
            seen[a[k].rows[i]]++;
            ones += classes[a[k].rows[i] / 2] == 1;
            if (classes[a[k].rows[i] / 2] == 2) assert_int_equal(k, 0); /* the only one of its class is trained on */
        }
        assert_int_equal(ones, k ? 15 : 70);
        bp__rows_free(ctx, &b[k]);
    }
    for (int i = 0; i < N; i++) assert_int_equal(seen[2 * i], 1);
    o.seed = 4;
    assert_int_equal(bp__split(b, ctx, rows, N, &o), BP_OK);
    assert_memory_not_equal(a[2].rows, b[2].rows, 150 * sizeof(int64_t));
    for (int k = 0; k < 3; k++) {
        bp__rows_free(ctx, &a[k]);
        bp__rows_free(ctx, &b[k]);
    }
    o.test = 0.9;
    expect(bp__split(a, ctx, rows, N, &o), BP_CONFIG, "fractions", 0);
    o = (bp__split_options){.test = 0.5};
    assert_int_equal(bp__split(a, ctx, rows, 1, &o), BP_OK); /* one row: for training */
    assert_int_equal(a[0].n, 1);
    for (int k = 0; k < 3; k++) bp__rows_free(ctx, &a[k]);
}

/* ---- Whole data sets ---- */

static bp__dataset *load(bp__data_options o) {
    bp__dataset *d = NULL;
    if (bp__dataset_load(&d, ctx, &o) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    return d;
}

static bp__data_spec spec(const char *path, const char *target) {
    return (bp__data_spec){.path = path, .targets = {target}, .n_targets = target != NULL};
}

/* The preprocessing again, after a trip through its tree. */
static bp__prep *reread(const bp__prep *p) {
    bp__tree *tree = NULL;
    bp__prep *again = NULL;
    assert_int_equal(bp__prep_to_tree(&tree, p), BP_OK);
    if (bp__prep_from_tree(&again, ctx, tree) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    bp__tree_free(ctx, tree);
    return again;
}

static void table_set(void **state) {
    (void)state;
    static const char text[] = "num,cat,flag,day,label\n1,red,yes,2020-01-01,b\n2,blue,no,2020-01-03,a\n3,red,yes,2020-01-01,10\n"
                               "?,blue,no,2020-01-02,a\n6,red,no,2020-01-02,\n";
    const char *path = write_file("t.csv", text, strlen(text));
    bp__dataset *d = load((bp__data_options){.train = spec(path, "label")});
    assert_int_equal(d->task, BP__CLASSIFICATION);
    assert_int_equal(d->n_rows, 5);
    assert_int_equal(d->train.n_rows, 4);
    assert_int_equal(d->train.dropped, 1);
    assert_null(d->validation.path);
    assert_int_equal(d->n_classes, 3); /* mixed: bytewise */
    assert_string_equal(d->class_names[0], "10");
    assert_string_equal(d->class_names[2], "b");
    assert_int_equal(d->label[0], 2);
    /* num + its indicator, red, blue, other, flag, day */
    assert_int_equal(d->sample_size, 7);
    const float *x = d->x;
    assert_true(fabs(x[0] + 1 / sqrt(2.0 / 3)) < 1e-6);
    assert_true(x[3 * 7] == 0 && x[3 * 7 + 1] == 1 && x[1] == 0); /* the median, 2, is the mean too */
    assert_true(x[2] == 0 && x[3] == 1 && x[4] == 0);             /* values bytewise: blue, red */
    assert_true(x[5] == 1 && x[7 + 5] == 0);
    bp__prep *p = reread(d->prep);

    static const char news[] = "extra,flag,cat,num,day\n5,maybe,green,x,2020-01-01\n5,no,red,2,2020-01-01\n";
    const char *other = write_file("n.csv", news, strlen(news));
    bp__dataset *n = NULL;
    bp__data_spec plain = spec(other, NULL);
    if (bp__dataset_apply(&n, ctx, p, &plain, false, false) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    assert_int_equal(n->test.n_rows, 2);
    assert_int_equal(n->reports[0].unreadable, 1);
    assert_int_equal(n->reports[1].unseen, 1);
    assert_int_equal(n->reports[2].unreadable, 1);
    const float *y = n->x;
    assert_true(y[2] == 0 && y[3] == 0 && y[4] == 0); /* no row taught the slot for the unseen */
    assert_memory_equal(y + 7 + 2, x + 2, 3 * sizeof(float));
    bp__dataset_free(n);

    /* the same rows give the same bits */
    bp__data_spec same = spec(path, NULL);
    assert_int_equal(bp__dataset_apply(&n, ctx, p, &same, false, false), BP_OK);
    assert_memory_equal(n->x, d->x, 5 * 7 * sizeof(float));
    bp__dataset_free(n);
    static const char labels[] = "num,cat,flag,day,label\n1,red,yes,2020-01-01,zebra\n1,red,yes,2020-01-01,10.0\n";
    other = write_file("n.csv", labels, strlen(labels));
    bp__data_spec evaluated = spec(other, NULL);
    assert_int_equal(bp__dataset_apply(&n, ctx, p, &evaluated, false, true), BP_OK);
    assert_int_equal(n->label[0], -1);
    assert_int_equal(n->label[1], 0);
    assert_int_equal(n->test.unknown_labels, 1);
    assert_string_equal(n->test.unknown_label, "zebra");
    bp__dataset_free(n);
    static const char lacking[] = "num,kat,flag,day\n1,red,yes,2020-01-01\n";
    other = write_file("n.csv", lacking, strlen(lacking));
    bp__data_spec bad = spec(other, NULL);
    expect(bp__dataset_apply(&n, ctx, p, &bad, false, false), BP_NOT_FOUND, "no column cat", 0);
    bp__prep_free(p);
    bp__dataset_free(d);
    bp__data_options wrong = {.train = spec(path, "labl")};
    expect(bp__dataset_load(&d, ctx, &wrong), BP_NOT_FOUND, "no column labl", 0);
    unlink(path);
    unlink(other);
}

static void headerless(void **state) {
    (void)state;
    static const char text[] = "1,0.5,10\n2,0.25,20\n3,0.75,30\n4,1.5,10.5\n";
    const char *path = write_file("h.csv", text, strlen(text));
    bp__dataset *d = load((bp__data_options){.train = spec(path, "2"), .no_header = true});
    assert_int_equal(d->task, BP__REGRESSION);
    assert_string_equal(d->prep->targets[0].name, "c2");
    assert_int_equal(d->prep->targets[0].normalize, BP__NORMALIZE_STANDARD);
    for (int i = 0; i < 4; i++) assert_true(fabs(bp__dataset_target(d, i, 0) - (double[]){0.5, 0.25, 0.75, 1.5}[i]) < 1e-6);
    static const char narrow[] = "1,10\n2,20\n3,30\n4,10.5\n";
    const char *other = write_file("n.csv", narrow, strlen(narrow));
    bp__data_spec s = spec(other, NULL);
    bp__dataset *n = NULL;
    assert_int_equal(bp__dataset_apply(&n, ctx, d->prep, &s, false, false), BP_OK);
    assert_memory_equal(n->x, d->x, 4 * 2 * sizeof(float));
    bp__dataset_free(n);
    other = write_file("n.csv", "1\n2\n", 4);
    expect(bp__dataset_apply(&n, ctx, d->prep, &s, false, false), BP_DATA, "has 1 columns", 0);
    bp__dataset_free(d);
    d = load((bp__data_options){.train = spec(path, "2"), .no_header = true, .normalize_target = BP__NORMALIZE_LOG, .f64 = true});
    assert_int_equal(d->y_dtype, BP_F64);
    assert_true(fabs(bp__dataset_target(d, 3, 0) - 1.5) < 1e-12);
    bp__dataset_free(d);
    bp__data_options two = {
        .train = {.path = path, .targets = {"1", "2"}, .n_targets = 2}, .no_header = true, .normalize = BP__NORMALIZE_NONE};
    d = load(two);
    assert_int_equal(d->n_targets, 2);
    assert_true(((float *)d->y)[7] == 1.5f && ((float *)d->x)[3] == 10.5f);
    bp__dataset_free(d);
    unlink(path);
    unlink(other);
}

static void array_set(void **state) {
    (void)state;
    unsigned char file[1024];
    float x[] = {1, 2, 3, 4, 5, NAN};
    const char *xs = write_file("x.npy", file, npy(file, "<f4", false, "(3, 2)", x, sizeof x, 1));
    const int64_t y[] = {7, -1, 7};
    const char *ys = write_file("y.npy", file, npy(file, "<i8", false, "(3,)", y, sizeof y, 1));
    bp__data_options o = {.train = spec(xs, ys)};
    bp__dataset *d = NULL;
    expect(bp__dataset_load(&d, ctx, &o), BP_DATA, "row 2 of", 0);
    x[5] = 6;
    xs = write_file("x.npy", file, npy(file, "<f4", false, "(3, 2)", x, sizeof x, 1));
    o.train = spec(xs, ys);
    d = load(o);
    assert_memory_equal(d->x, x, sizeof x); /* as they are */
    assert_string_equal(d->class_names[0], "-1");
    assert_int_equal(d->label[0], 1);
    bp__dataset_free(d);
    o.normalize = BP__NORMALIZE_MINMAX;
    d = load(o);
    assert_true(((float *)d->x)[2] == 0.5f && ((float *)d->x)[5] == 1);
    bp__prep *p = reread(d->prep);
    assert_true(p->center[1] == 2 && p->scale[1] == 4);
    bp__prep_free(p);
    bp__dataset_free(d);
    o.train.n_targets = 0;
    expect(bp__dataset_load(&d, ctx, &o), BP_CONFIG, "without labels", 0);
    const double two[] = {0.5, NAN, 1};
    ys = write_file("y.npy", file, npy(file, "<f8", false, "(3,)", two, sizeof two, 1));
    o.train = spec(xs, ys);
    expect(bp__dataset_load(&d, ctx, &o), BP_DATA, "row 1 of the labels", 0);
    ys = write_file("y.npy", file, npy(file, "<f8", false, "(2,)", two, 16, 1));
    o.train = spec(xs, ys);
    expect(bp__dataset_load(&d, ctx, &o), BP_SHAPE, "has 2 labels", 0);
    const unsigned char bits[] = {0, 1, 1, 0, 0, 0};
    ys = write_file("y.npy", file, npy(file, "|u1", false, "(3, 2)", bits, 6, 1));
    o.train = spec(xs, ys);
    d = load(o);
    assert_int_equal(d->task, BP__MULTILABEL);
    assert_true(((float *)d->y)[2] == 1 && ((float *)d->y)[3] == 0);
    bp__dataset_free(d);
    unlink(xs);
    unlink(ys);
}

static void builtin_sets(void **state) {
    (void)state;
    bp__dataset *d = load((bp__data_options){
        .train = spec("builtin:digits", NULL), .validation_fraction = .15, .test_fraction = .15, .stratify = true});
    assert_int_equal(d->n_rows, 1797);
    assert_int_equal(d->x_dtype, BP_U8);
    assert_true(d->prep->byte_scale == 1.0 / 16);
    assert_int_equal(d->n_classes, 10);
    int64_t sum = 0, labels = 0;
    for (int64_t i = 0; i < 1797 * 64; i++) sum += ((uint8_t *)d->x)[i];
    for (int64_t i = 0; i < 1797; i++) labels += d->label[i];
    assert_int_equal(sum, 561718);
    assert_int_equal(labels, 8070);
    assert_int_equal(d->train.n_rows + d->validation.n_rows + d->test.n_rows, 1797);
    assert_int_equal(d->test.n_rows, 270);
    bp__prep *p = reread(d->prep);
    bp__dataset *n = NULL;
    bp__data_spec s = spec("builtin:digits", NULL);
    assert_int_equal(bp__dataset_apply(&n, ctx, p, &s, false, true), BP_OK);
    assert_memory_equal(n->x, d->x, 1797 * 64);
    bp__dataset_free(n);
    bp__prep_free(p);
    bp__dataset_free(d);
    d = load((bp__data_options){.train = spec("builtin:iris", NULL)});
    assert_string_equal(d->prep->targets[0].name, "species");
    assert_string_equal(d->class_names[0], "setosa");
    assert_int_equal(d->sample_size, 4);
    assert_non_null(strstr(d->prep->task_why, "species"));
    char *text = NULL;
    assert_int_equal(bp__prep_explain(&text, d->prep), BP_OK);
    assert_non_null(strstr(text, "petal_width"));
    bp__free(ctx, text);
    bp__dataset_free(d);
}

/* ---- The shared sets ---- */

static void adult(void **state) {
    (void)state;
    bp__dataset *d = load((bp__data_options){.train = spec(shared("tabular/adult/adult.data"), "15"),
                                             .test = spec(shared("tabular/adult/adult.test"), "15"),
                                             .validation_fraction = 0.15,
                                             .test_fraction = .15,
                                             .no_header = true,
                                             .stratify = true});
    assert_int_equal(d->train.n_rows + d->validation.n_rows, 32561);
    assert_int_equal(d->validation.n_rows, 4884);
    assert_int_equal(d->test.n_rows, 16281);
    assert_int_equal(d->test.unknown_labels, 16281); /* its labels end in a dot */
    assert_string_equal(d->class_names[0], "<=50K");
    assert_int_equal(d->prep->columns[1].type, BP__CATEGORY);
    assert_int_equal(d->prep->columns[0].type, BP__NUMBER);
    assert_true(d->reports[1].missing > 100);
    assert_true(d->prep->columns[1].other_seen);
    bp__prep *p = reread(d->prep);
    bp__dataset *n = NULL;
    bp__data_spec s = spec(shared("tabular/adult/adult.data"), NULL);
    assert_int_equal(bp__dataset_apply(&n, ctx, p, &s, false, true), BP_OK);
    assert_memory_equal(n->x, d->x, (size_t)(32561 * d->sample_size) * sizeof(float));
    bp__dataset_free(n);
    bp__prep_free(p);
    bp__dataset_free(d);
}

static void fashion(void **state) {
    (void)state;
    bp__dataset *d = load((bp__data_options){
        .train = spec(shared("fashion-mnist/t10k-images-idx3-ubyte.gz"), shared("fashion-mnist/t10k-labels-idx1-ubyte.gz"))});
    assert_int_equal(d->n_rows, 10000);
    assert_int_equal(d->rank, 2);
    assert_int_equal(d->shape[1], 28);
    assert_int_equal(d->n_classes, 10);
    assert_true(d->prep->byte_scale == 1.0 / 255);
    bp__dataset_free(d);
}

static void more_tables(void **state) {
    (void)state;
    static const struct {
        const char *path, *target;
        bool no_header;
        int64_t rows, columns;
        bp__task task;
    } cases[] = {
        {"tabular/cal_housing.data", "medianHouseValue", false, 20640, 9, BP__REGRESSION},
        {"tabular/letter-recognition.data", "1", true, 20000, 17, BP__CLASSIFICATION},
        {"tabular/covtype.20k.data", "55", true, 20000, 55, BP__CLASSIFICATION},
        {"tabular/winequality-red.csv", "12", true, 1599, 12, BP__CLASSIFICATION},
        {"tabular/titanic.csv", "survived", false, 891, 15, BP__CLASSIFICATION},
        {"text/SMSSpamCollection", "1", true, 5574, 2, BP__CLASSIFICATION},
        {"series/pollution.csv", "pm2.5", false, 43824, 13, BP__REGRESSION},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        const char *path = shared(cases[i].path);
        bp__data_options o = {.train = spec(path, cases[i].target), .no_header = cases[i].no_header};
        bp__dataset *d = NULL;
        bp_status status = bp__dataset_load(&d, ctx, &o);
        if (strstr(path, "SMS")) { /* texts alone aren't inputs yet: said so */
            expect(status, BP_DATA, "no column that can be an input", 0);
            bp__source *s = NULL;
            assert_int_equal(bp__source_open(&s, ctx, path, &(bp__read_options){.no_header = true}), BP_OK);
            assert_int_equal(s->table->n_rows, cases[i].rows);
            bp__source_free(s);
            continue;
        }
        if (status != BP_OK) fail_msg("%s", bp_context_error(ctx));
        assert_int_equal(d->n_rows, cases[i].rows);
        assert_int_equal(d->prep->n_columns, cases[i].columns);
        assert_int_equal(d->task, cases[i].task);
        for (int64_t k = 0; k < d->n_rows * d->sample_size; k++)
            if (!isfinite(((float *)d->x)[k])) fail_msg("%s: feature %lld is not finite", path, (long long)k);
        bp__dataset_free(d);
    }
    bp__source *s = NULL;
    assert_int_equal(
        bp__source_open(&s, ctx, shared("text/trec/TREC.train"), &(bp__read_options){.no_header = true, .delimiter = '\t'}),
        BP_OK);
    assert_non_null(strstr(s->table->note, "Latin-1"));
    bp__source_free(s);
    expect(bp__source_open(&s, ctx, shared("tabular/sklearn/wine_data.csv"), NULL), BP_DATA, "line 2", 2);
}

static void damaged_preprocessing(void **state) {
    (void)state;
    bp__dataset *d = load((bp__data_options){.train = spec("builtin:iris", NULL)});
    static const char *const keys[] = {"kind",         "task",   "normalize", "input_dtype", "byte_scale",
                                       "sample_shape", "header", "columns",   "targets",     "classes"};
    for (int64_t i = 0; i < BP__COUNT(keys); i++) {
        bp__tree *tree = NULL;
        bp__prep *p = NULL;
        assert_int_equal(bp__prep_to_tree(&tree, d->prep), BP_OK);
        assert_int_equal(bp__tree_put(ctx, tree, keys[i], bp__tree_int(ctx, -1)), BP_OK);
        expect(bp__prep_from_tree(&p, ctx, tree), BP_FORMAT, keys[i], 0);
        bp__tree_free(ctx, tree);
    }
    bp__dataset_free(d);
}

/* ---- Memory ---- */

/* Every allocation of a whole load fails once: an error with a sentence, nothing leaked (the sanitizers' part), no crash. */
static int64_t n_left, n_live;

static void *scarce_allocate(size_t n, void *user) {
    (void)user;
    if (n_left-- <= 0) return NULL;
    void *p = malloc(n);
    n_live += p != NULL;
    return p;
}

static void *scarce_resize(void *p, size_t n, void *user) {
    (void)user;
    if (n_left-- <= 0) return NULL;
    void *q = realloc(p, n);
    n_live += !p && q;
    return q;
}

static void scarce_release(void *p, void *user) {
    (void)user;
    n_live -= p != NULL;
    free(p);
}

/* One load, apply and trip through the tree with so many allocations to spend. */
static bp_status spend(bp_context *poor, const char *path, int64_t allocations) {
    bp__dataset *d = NULL, *n = NULL;
    bp__tree *tree = NULL;
    bp__prep *p = NULL;
    bp__data_options o = {.train = spec(path, NULL), .validation_fraction = 0.2, .stratify = true};
    bp__data_spec again = spec(path, NULL);
    if (path[0] == '/') o.train = spec(path, "label");
    n_left = allocations;
    bp_status status = bp__dataset_load(&d, poor, &o);
    if (status == BP_OK) status = bp__prep_to_tree(&tree, d->prep);
    if (status == BP_OK) status = bp__prep_from_tree(&p, poor, tree);
    if (status == BP_OK) status = bp__dataset_apply(&n, poor, p, &again, false, true);
    if (tree) bp__tree_free(poor, tree);
    bp__dataset_free(n);
    bp__prep_free(p);
    bp__dataset_free(d);
    return status;
}

static void scarce_memory(void **state) {
    (void)state;
    static const char text[] = "num,cat,flag,label\n1,red,yes,b\n2,blue,no,a\n3,\"r\"\"d\",yes,10\n?,blue,no,a\n6,r\344d,no,\n";
    const char *paths[] = {write_file("m.csv", text, strlen(text)), "builtin:iris", "builtin:digits"};
    for (int64_t k = 0; k < BP__COUNT(paths); k++) {
        bp_context *poor = NULL;
        bp_context_options o = {
            .size = sizeof o, .allocate = scarce_allocate, .resize = scarce_resize, .release = scarce_release, .threads = 1};
        n_left = INT64_MAX;
        assert_int_equal(bp_context_new(&poor, &o), BP_OK);
        int64_t before = n_live, i = 0;
        for (bp_status status = BP_MEMORY; status != BP_OK; i++) {
            status = spend(poor, paths[k], i);
            if (status != BP_OK && status != BP_MEMORY) fail_msg("allocation %lld: %s", (long long)i, bp_context_error(poor));
            bp_context_clear_error(poor);
            assert_int_equal(n_live, before);
        }
        assert_true(i > 20);
        n_left = INT64_MAX;
        bp_context_free(poor);
    }
    unlink(paths[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),        cmocka_unit_test(table_set),    cmocka_unit_test(headerless),
        cmocka_unit_test(array_set),     cmocka_unit_test(builtin_sets), cmocka_unit_test(adult),
        cmocka_unit_test(fashion),       cmocka_unit_test(more_tables),  cmocka_unit_test(damaged_preprocessing),
        cmocka_unit_test(scarce_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
