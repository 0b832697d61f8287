/* Readers, types, preprocessing, splits: small files with every trap that the shared sets have, then those sets themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "data/data.h"

static bp_context *ctx;
static char folder[] = "/tmp/bp-data-XXXXXX";

static int set_up(void **state) {
    (void)state;
    return bp_context_new(&ctx, NULL) == BP_OK && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    bp_context_free(ctx);
    return rmdir(folder); /* fails when a test left a file */
}

static const char *write_file(const char *name, const void *bytes, size_t n) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static bp__source *parse(const char *text, const bp__read_options *o) {
    bp__source *s = NULL;
    bp_status status = bp__source_parse(&s, ctx, "t.csv", text, strlen(text), o);
    if (status != BP_OK) fail_msg("%s", bp_context_error(ctx));
    return s;
}

static void expect(bp_status status, bp_status wanted, const char *part, int64_t line) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    if (status != wanted || !strstr(e.message, part) || (line && e.line != line))
        fail_msg("status %d, line %lld, message '%s'; wanted %d, %lld, '%s'", (int)status, (long long)e.line, e.message,
                 (int)wanted, (long long)line, part);
    bp_context_clear_error(ctx);
}

static void refuse(const void *bytes, size_t n, bp_status wanted, const char *part, int64_t line) {
    bp__source *s = NULL;
    bp_status status = bp__source_parse(&s, ctx, "t", bytes, n, NULL);
    assert_null(s);
    expect(status, wanted, part, line);
}

static const char *cell(const bp__source *s, int64_t row, int64_t column) {
    static char scratch[40];
    return bp__cell_words(&s->table->columns[column], s->table->columns[column].cells[row], scratch);
}

/* ---- CSV ---- */

static void csv_traps(void **state) {
    (void)state;
    bp__source *s = parse("\xef\xbb\xbf"
                          "a,\"b,\"\"x\"\"\",c\r\n1,\"two\nlines\",\r\n\r\n +2 , text ,\"\"\r\n",
                          NULL);
    assert_int_equal(s->table->n_columns, 3);
    assert_int_equal(s->table->n_rows, 2);
    assert_string_equal(s->table->columns[0].name, "a");
    assert_string_equal(s->table->columns[1].name, "b,\"x\"");
    assert_string_equal(cell(s, 0, 1), "two\nlines");
    assert_string_equal(cell(s, 1, 1), "text");
    assert_true(bp__cell_is_missing(s->table->columns[2].cells[0]));
    assert_true(bp__cell_is_missing(s->table->columns[2].cells[1]));
    assert_int_equal(s->table->lines[1], 5);
    bp__source_free(s);

    s = parse("a;b\n1,5;x\n2,5;y\n", NULL); /* decimal commas don't fool the sniffer */
    assert_int_equal(s->table->n_columns, 2);
    bp__source_free(s);
    s = parse("ham\t\"quoted\" and, more, commas\nspam\t\"open and, more\nham\tplain", &(bp__read_options){.no_header = true});
    assert_int_equal(s->table->n_columns, 2);
    assert_int_equal(s->table->n_rows, 3);
    assert_string_equal(cell(s, 0, 1), "\"quoted\" and, more, commas");
    assert_string_equal(s->table->columns[1].name, "c2");
    bp__source_free(s);
    s = parse("|1x3 Cross validator\n1, a\n2, b\n", &(bp__read_options){.no_header = true});
    assert_int_equal(s->table->n_rows, 2);
    assert_non_null(strstr(s->table->note, "line 1"));
    assert_int_equal(s->table->lines[0], 2);
    bp__source_free(s);
    s = parse("a,a,\n1,2,3", NULL);
    assert_string_equal(s->table->columns[1].name, "a_2");
    assert_string_equal(s->table->columns[2].name, "c3");
    bp__source_free(s);
    s = parse("n\xe4me\n1\n", NULL); /* Latin-1 */
    assert_string_equal(s->table->columns[0].name, "n\xc3\xa4me");
    bp__source_free(s);
    s = parse("z,n\n007,1e3\n010,-0.5\n", NULL);
    assert_string_equal(cell(s, 0, 0), "007");
    assert_string_equal(cell(s, 0, 1), "1000");
    bp__source_free(s);
    s = parse("5.1,3.5\n4.9,3.0\n", NULL);
    assert_non_null(strstr(s->table->note, "--no-header"));
    bp__source_free(s);
}

static void csv_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        bp_status status;
        int64_t line;
    } cases[] = {
        {"", "is empty", BP_DATA, 0},
        {"\n\n  \n", "is empty", BP_DATA, 0},
        {"a,b\n", "no rows", BP_DATA, 0},
        {"a,b\n1,2\n\n1,2,3\n", "line 4 of t has 3 fields", BP_DATA, 4},
        {"a,b\n\"x\ny\",2\n7\n", "line 4 of t has 1 field ", BP_DATA, 4},
        {"a,b\n1,\"2\n", "line 2", BP_DATA, 2},
        {"PAR1xxxx", "Parquet", BP_UNSUPPORTED, 0},
        {"\x89HDF\r\n\x1a\n...", "HDF5", BP_UNSUPPORTED, 0},
        {"\x80\x04pickle", "pickle", BP_UNSUPPORTED, 0},
        {"PK\3\4........................xl/workbook.xml", "Excel", BP_UNSUPPORTED, 0},
        {"PK\3\4........................archive/data.pkl", "PyTorch", BP_UNSUPPORTED, 0},
        {"\xff\xfe"
         "a",
         "UTF-16", BP_UNSUPPORTED, 0},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++)
        refuse(cases[i].text, strlen(cases[i].text), cases[i].status, cases[i].part, cases[i].line);
    refuse("a,b\n1\0,2\n", 9, BP_FORMAT, "zero byte", 0);
    bp__source *s = NULL;
    expect(bp__source_open(&s, ctx, "/nonexistent/x.csv", NULL), BP_NOT_FOUND, "x.csv", 0);
    expect(bp__source_open(&s, ctx, "builtin:digit", NULL), BP_NOT_FOUND, "builtin:digits", 0);
    expect(bp__source_open(&s, ctx, folder, NULL), BP_UNSUPPORTED, "folder", 0);
}

static void gzip_files(void **state) {
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/a.csv.gz", folder);
    gzFile f = gzopen(path, "wb");
    for (int i = 0; i < 5000; i++) gzprintf(f, "%d,%d\n", i * 7919 % 10007, i);
    gzclose(f);
    bp__source *s = NULL;
    assert_int_equal(bp__source_open(&s, ctx, path, &(bp__read_options){.no_header = true}), BP_OK);
    assert_int_equal(s->table->n_rows, 5000);
    assert_int_equal(strlen(s->sha256), 64);
    bp__source_free(s);
    assert_int_equal(truncate(path, 3000), 0);
    expect(bp__source_open(&s, ctx, path, NULL), BP_FORMAT, "cut short", 0);
    unlink(path);
    char hex[65];
    bp__sha256_hex(hex, "abc", 3); /* FIPS 180-2 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- NPY, NPZ, IDX ---- */

static size_t npy(unsigned char *out, const char *descr, bool fortran, const char *shape, const void *data, size_t n,
                  int version) {
    char text[200];
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr,
                          fortran ? "True" : "False", shape);
    size_t start = version == 1 ? 10 : 12, total = (start + (size_t)length + 1 + 63) / 64 * 64, header = total - start;
    memset(out, ' ', total);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t i = 0; i < start - 8; i++) out[8 + i] = (unsigned char)(header >> (8 * i));
    memcpy(out + start, text, (size_t)length);
    out[total - 1] = '\n';
    if (n) memcpy(out + total, data, n);
    return total + n;
}

static void npy_types(void **state) {
    (void)state;
    static const struct {
        const char *descr;
        unsigned char bytes[8];
        size_t n;
        bp_dtype dtype;
        double value;
    } cases[] = {
        {"<f4", {0, 0, 0x20, 0xc0}, 4, BP_F32, -2.5},
        {">f4", {0xc0, 0x20, 0, 0}, 4, BP_F32, -2.5},
        {"<f8", {0, 0, 0, 0, 0, 0, 4, 0xc0}, 8, BP_F64, -2.5},
        {">f8", {0xc0, 4}, 8, BP_F64, -2.5},
        {"|i1", {0xfe}, 1, BP_I64, -2},
        {"<i2", {0xfe, 0xff}, 2, BP_I64, -2},
        {">i4", {0xff, 0xff, 0xff, 0xfe}, 4, BP_I64, -2},
        {"<i8", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, BP_I64, -2},
        {"|u1", {200}, 1, BP_U8, 200},
        {">u2", {1, 2}, 2, BP_I64, 258},
        {"<u4", {0xff, 0xff, 0xff, 0xff}, 4, BP_I64, 4294967295.0},
        {"<u8", {9}, 8, BP_I64, 9},
        {"|b1", {1}, 1, BP_U8, 1},
    };
    unsigned char file[1024];
    for (int64_t i = 0; i < BP__COUNT(cases); i++)
        for (int version = 1; version <= 3; version++) {
            size_t n = npy(file, cases[i].descr, false, "(1,)", cases[i].bytes, cases[i].n, version);
            bp__source *s = NULL;
            assert_int_equal(bp__source_parse(&s, ctx, "t.npy", file, n, NULL), BP_OK);
            assert_int_equal(s->array.dtype, cases[i].dtype);
            assert_true(bp__array_get(&s->array, 0) == cases[i].value);
            bp__source_free(s);
        }
    const unsigned char six[] = {1, 4, 2, 5, 3, 6}; /* Fortran order of {{1, 2, 3}, {4, 5, 6}} */
    size_t n = npy(file, "|u1", true, "(2, 3)", six, 6, 1);
    bp__source *s = NULL;
    assert_int_equal(bp__source_parse(&s, ctx, "t.npy", file, n, NULL), BP_OK);
    for (int i = 0; i < 6; i++) assert_true(bp__array_get(&s->array, i) == i + 1);
    bp__source_free(s);
    refuse(file, n - 1, BP_FORMAT, "should hold 6 bytes", 0);
    refuse(file, 40, BP_FORMAT, "inside the header", 0);
    refuse(file, npy(file, "|u1", false, "(4000000000, 4000000000)", six, 6, 1), BP_FORMAT, "larger than memory", 0);
    refuse(file, npy(file, "|u1", false, "(1000000,)", six, 6, 1), BP_FORMAT, "should hold 1000000 bytes", 0);
    refuse(file, npy(file, "|O", false, "(6,)", six, 6, 1), BP_TYPE, "|O", 0);
    refuse(file, npy(file, "<f2", false, "(3,)", six, 6, 1), BP_TYPE, "<f2", 0);
    refuse(file, npy(file, "|u1", false, "(0,)", six, 0, 1), BP_DATA, "empty array", 0);
    refuse(file, npy(file, "|u1", false, "()", six, 1, 1), BP_DATA, "single number", 0);
    const unsigned char huge[] = {0, 0, 0, 0, 0, 0, 0, 0x80};
    refuse(file, npy(file, "<u8", false, "(1,)", huge, 8, 1), BP_DATA, "larger than 2^63", 0);
}

static void idx_files(void **state) {
    (void)state;
    unsigned char file[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40};
    bp__source *s = NULL;
    assert_int_equal(bp__source_parse(&s, ctx, "t", file, sizeof file, NULL), BP_OK);
    assert_int_equal(s->array.rank, 3);
    assert_int_equal(s->array.shape[2], 2);
    assert_true(bp__array_get(&s->array, 3) == 40);
    bp__source_free(s);
    refuse(file, sizeof file - 1, BP_FORMAT, "should hold 20 bytes", 0);
    refuse(file, 9, BP_FORMAT, "should hold 16 bytes", 0);
    file[4] = file[8] = file[12] = 0xff;
    refuse(file, sizeof file, BP_FORMAT, "should hold", 0);
    const unsigned char shorts[] = {0, 0, 0x0b, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0};
    assert_int_equal(bp__source_parse(&s, ctx, "t", shorts, sizeof shorts, NULL), BP_OK);
    assert_true(bp__array_get(&s->array, 0) == -2 && bp__array_get(&s->array, 1) == 256);
    bp__source_free(s);
}

/* ---- Types ---- */

static void types(void **state) {
    (void)state;
    static const struct {
        const char *cells[6];
        bp__column_type type;
        int64_t missing, distinct;
    } cases[] = {
        {{"1.5", "2", "?", "-3", "1e2", "NA"}, BP__NUMBER, 2, 4},
        {{"a", "b", "a", "b", "", "null"}, BP__CATEGORY, 2, 2},
        {{"yes", "no", "yes", "no", "no", "no"}, BP__BOOLEAN, 0, 2},
        {{"0", "1", "1", "0", "1", "nan"}, BP__BOOLEAN, 1, 2},
        {{"2020-02-29", "2021-01-01", "2020-02-29", "1999-12-31 10:00", "N/A", "2001-1-1"}, BP__DATE, 1, 4},
        {{"7", "7.0", "7", "7", "7", "7"}, BP__CONSTANT, 0, 1},
        {{"?", "?", "?", "?", "?", "?"}, BP__CONSTANT, 6, 0},
        {{"1", "a", "2", "2", "a", "a"}, BP__CATEGORY, 0, 3},
        {{"2020-02-30", "2021-01-01", "x", "x", "x", "x"}, BP__CATEGORY, 0, 3},
    };
    for (int64_t i = 0; i < BP__COUNT(cases); i++) {
        char text[256] = "h,x\n";
        for (int k = 0; k < 6; k++) snprintf(text + strlen(text), sizeof text - strlen(text), "%s,1\n", cases[i].cells[k]);
        bp__source *s = parse(text, NULL);
        bp__column_info info;
        assert_int_equal(bp__column_infer(&info, s->table, 0), BP_OK);
        if (info.type != cases[i].type || info.n_missing != cases[i].missing || info.n_distinct != cases[i].distinct)
            fail_msg("case %lld: %s, %lld missing, %lld different (%s)", (long long)i, bp__column_type_name(info.type),
                     (long long)info.n_missing, (long long)info.n_distinct, info.why);
        assert_true(strlen(info.why) > 5);
        bp__source_free(s);
    }
    char text[4096] = "id,t,k\n";
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,some words here %d,A%d\n", i + 100, i, i);
    bp__source *s = parse(text, NULL);
    static const bp__column_type wanted[] = {BP__ID, BP__FREE_TEXT, BP__ID};
    for (int i = 0; i < 3; i++) {
        bp__column_info info;
        assert_int_equal(bp__column_infer(&info, s->table, i), BP_OK);
        assert_int_equal(info.type, wanted[i]);
    }
    bp__tree *tree = NULL;
    assert_int_equal(bp__describe(&tree, ctx, s), BP_OK);
    assert_int_equal(bp__tree_get(tree, "rows")->integer, 40);
    assert_string_equal(bp__tree_get(bp__tree_at(bp__tree_get(tree, "columns"), 1), "type")->text, "text");
    bp__tree_free(ctx, tree);
    bp__source_free(s);
    double days;
    assert_true(bp__date_parse("1970-01-02T12:00:00Z", &days) && days == 1.5);
    assert_true(bp__date_parse("2000/03/01", &days) && days == 11017);
    assert_false(bp__date_parse("2000-13-01", &days));
}

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

static const char *shared(const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    const char *root = getenv("BP_SHARED");
    snprintf(path, sizeof paths[0], "%s/data/%s", root ? root : "../shared", name);
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: %s is absent\n", path);
        skip();
    }
    return path;
}

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

static void deflated_npz(void **state) {
    (void)state;
    bp__source *s = NULL;
    const char *path = shared("kmnist/kmnist-test-imgs.npz");
    if (bp__source_open(&s, ctx, path, NULL) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    assert_int_equal(s->array.shape[0], 10000);
    assert_int_equal(s->array.size, 7840000);
    bp__source_free(s);
    expect(bp__source_open(&s, ctx, path, &(bp__read_options){.member = "nope"}), BP_NOT_FOUND, "no array nope", 0);
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

/* ---- Fuzzing ---- */

static uint64_t next_random(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*state ^ *state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Mutates `seed` again and again; whatever comes, the reader returns, and the source it gives can be described. */
static void fuzz(const void *seed, size_t n, uint64_t random) {
    const char *runs = getenv("BP_FUZZ_RUNS");
    int64_t n_runs = runs ? strtoll(runs, NULL, 10) : 20000, n_good = 0;
    static const char marks[] = "\n\r\t,;|\"'#? 019.-eE(){}[]:\\xPK\x93\xff\x80";
    for (int64_t run = 0; run < n_runs; run++) {
        size_t size = n;
        unsigned char *copy = malloc(n + 64); /* of exactly the size: reading past it is caught */
        assert_non_null(copy);
        memcpy(copy, seed, n);
        for (uint64_t k = next_random(&random) % 6 + 1; k > 0 && size > 1; k--) {
            size_t at = (size_t)(next_random(&random) % size);
            switch (next_random(&random) % 6) {
            case 0: copy[at] = (unsigned char)next_random(&random); break;
            case 1: copy[at] ^= (unsigned char)(1u << next_random(&random) % 8); break;
            case 2: copy[at] = (unsigned char)marks[next_random(&random) % (sizeof marks - 1)]; break;
            case 3: memmove(copy + at, copy + at + 1, --size - at); break;
            case 4:
                if (size < n + 60) memmove(copy + at + 1, copy + at, size++ - at);
                break;
            default:
                if (next_random(&random) % 8 == 0) size = at + 1;
            }
        }
        unsigned char *exact = malloc(size);
        assert_non_null(exact);
        memcpy(exact, copy, size);
        free(copy);
        bp__source *s = NULL;
        bp_context_clear_error(ctx);
        bp_status status = bp__source_parse(&s, ctx, "fuzz", exact, size, NULL);
        assert_true((status == BP_OK) == (s != NULL));
        if (status != BP_OK)
            assert_true(strlen(bp_context_error(ctx)) > 10);
        else if (bp__source_rows(s) < 100) {
            bp__tree *tree = NULL;
            if (bp__describe(&tree, ctx, s) != BP_OK) fail_msg("%s", bp_context_error(ctx));
            bp__tree_free(ctx, tree);
            n_good++;
        }
        bp__source_free(s);
        free(exact);
    }
    bp_context_clear_error(ctx);
    assert_true(n_good > 0); /* else the mutations are too wild to test anything */
}

static void fuzz_csv(void **state) {
    (void)state;
    static const char text[] = "a,\"b,\"\"x\"\"\",c\r\n1,\"two\nlines\",yes\n-2.5e3, text ,no\n007,?,\"2020-01-01\"\n";
    fuzz(text, strlen(text), 1);
}

static void fuzz_npy(void **state) {
    (void)state;
    unsigned char file[512];
    const float x[] = {1, 2, 3, 4, 5, 6};
    fuzz(file, npy(file, "<f4", true, "(3, 2)", x, sizeof x, 1), 2);
}

static void fuzz_idx(void **state) {
    (void)state;
    static const unsigned char file[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40};
    fuzz(file, sizeof file, 3);
}

static void fuzz_npz(void **state) {
    (void)state;
    unsigned char file[1024] = {0}, inner[512];
    size_t n = npy(inner, "|u1", false, "(3,)", "abc", 3, 1), at = 0;
    memcpy(file, "PK\3\4", 4);
    file[18] = file[22] = (unsigned char)n;
    file[26] = 5;
    memcpy(file + 30, "x.npy", 5);
    memcpy(file + 35, inner, n);
    at = 35 + n;
    memcpy(file + at, "PK\1\2", 4);
    file[at + 20] = file[at + 24] = (unsigned char)n;
    file[at + 28] = 5;
    memcpy(file + at + 46, "x.npy", 5);
    size_t end = at + 51;
    memcpy(file + end, "PK\5\6", 4);
    file[end + 8] = file[end + 10] = 1;
    file[end + 12] = 51;
    file[end + 16] = (unsigned char)at;
    bp__source *s = NULL;
    if (bp__source_parse(&s, ctx, "t.npz", file, end + 22, NULL) != BP_OK) fail_msg("%s", bp_context_error(ctx));
    assert_true(bp__array_get(&s->array, 2) == 'c');
    bp__source_free(s);
    fuzz(file, end + 22, 4);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_traps),    cmocka_unit_test(csv_errors),
        cmocka_unit_test(gzip_files),   cmocka_unit_test(npy_types),
        cmocka_unit_test(idx_files),    cmocka_unit_test(types),
        cmocka_unit_test(splits),       cmocka_unit_test(table_set),
        cmocka_unit_test(headerless),   cmocka_unit_test(array_set),
        cmocka_unit_test(builtin_sets), cmocka_unit_test(adult),
        cmocka_unit_test(fashion),      cmocka_unit_test(deflated_npz),
        cmocka_unit_test(more_tables),  cmocka_unit_test(fuzz_csv),
        cmocka_unit_test(fuzz_npy),     cmocka_unit_test(fuzz_idx),
        cmocka_unit_test(fuzz_npz),     cmocka_unit_test(damaged_preprocessing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
