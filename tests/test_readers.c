/* The readers: small files with every trap that the shared sets have, then mutations of them by the thousand. */
#include "support/data_help.h"

static bp__source *parse(const char *text, const bp__read_options *o) {
    bp__source *s = NULL;
    bp_status status = bp__source_parse(&s, ctx, "t.csv", text, strlen(text), o);
    if (status != BP_OK) fail_msg("%s", bp_context_error(ctx));
    return s;
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
    bp__data_sha256(hex, "abc", 3); /* FIPS 180-2 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- NPY, NPZ, IDX ---- */

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

/* ---- The shared sets ---- */

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

/* Every reader of the table has a seed in tests/fuzz/seeds/data (named as the reader), which it reads and which is mutated here.
 */
static void fuzz_seeds(void **state) {
    (void)state;
    static const char *const names[][2] = {
#define BP__READER(name, title) {#name, title},
#include "data/readers.def"
#undef BP__READER
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], "foreign") == 0) continue; /* it refuses whatever it gets */
        char path[100], bytes[4096];
        snprintf(path, sizeof path, "tests/fuzz/seeds/data/%s", names[i][0]);
        FILE *f = fopen(path, "rb");
        if (!f) fail_msg("%s is missing: a small file that the reader %s takes", path, names[i][0]);
        size_t n = fread(bytes, 1, sizeof bytes, f);
        assert_int_equal(fclose(f), 0);
        assert_true(n > 1); /* the first byte chooses the fuzzer's options */
        bp__source *s = NULL;
        if (bp__source_parse(&s, ctx, path, bytes + 1, n - 1, NULL) != BP_OK) fail_msg("%s", bp_context_error(ctx));
        assert_string_equal(s->kind, names[i][1]);
        bp__source_free(s);
        fuzz(bytes + 1, n - 1, 5 + i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_traps), cmocka_unit_test(csv_errors), cmocka_unit_test(gzip_files),   cmocka_unit_test(npy_types),
        cmocka_unit_test(idx_files), cmocka_unit_test(types),      cmocka_unit_test(deflated_npz), cmocka_unit_test(fuzz_csv),
        cmocka_unit_test(fuzz_npy),  cmocka_unit_test(fuzz_idx),   cmocka_unit_test(fuzz_npz),     cmocka_unit_test(fuzz_seeds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
