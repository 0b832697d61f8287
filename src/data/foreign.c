/* Other tools' files: known by their first bytes, refused with the line that converts them. */
#include "data/readers.h"
#include <string.h>

typedef struct kind {
    const char *magic;
    size_t n;
    const char *name, *hint;
} kind;

#define PYTHON(...) "convert it: python3 -c \"" __VA_ARGS__ "\""
static const kind kinds[] = {
    {"\x89HDF\r\n\x1a\n", 8, "an HDF5 (.h5) file",
     PYTHON("import h5py,numpy; f=h5py.File('F.h5'); numpy.savez('F.npz', x=f['x'], y=f['y'])")},
    {"PAR1", 4, "a Parquet file", PYTHON("import pandas; pandas.read_parquet('F.parquet').to_csv('F.csv', index=False)")},
    {"ARROW1", 6, "an Arrow (.feather) file",
     PYTHON("import pandas; pandas.read_feather('F.feather').to_csv('F.csv', index=False)")},
    {"SQLite format 3", 16, "an SQLite database", "convert it: sqlite3 -header -csv F.db 'select * from T' > F.csv"},
    {"\xd0\xcf\x11\xe0", 4, "an old Excel (.xls) file",
     PYTHON("import pandas; pandas.read_excel('F.xls').to_csv('F.csv', index=False)")},
    {"\x89PNG", 4, "a PNG image", "backprop reads images as arrays: save them with numpy.save"},
    {"\xff\xd8\xff", 3, "a JPEG image", "backprop reads images as arrays: save them with numpy.save"},
    {"RIFF", 4, "a RIFF (.wav) file", "backprop reads sounds as arrays: save them with numpy.save"},
    {"%PDF", 4, "a PDF document", "export the table as CSV"},
    {"BZh", 3, "a bzip2 archive", "unpack it: bunzip2 F.bz2"},
    {"\xfd"
     "7zXZ",
     5, "an xz archive", "unpack it: unxz F.xz"},
    {"\x28\xb5\x2f\xfd", 4, "a zstd archive", "unpack it: unzstd F.zst"},
};

static const char pickle_hint[] =
    PYTHON("import pandas; pandas.DataFrame(pandas.read_pickle('F.pkl')).to_csv('F.csv', index=False)");

static bool holds(const bp__content *c, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i + n <= c->size; i++) {
        const unsigned char *p = memchr(c->bytes + i, name[0], c->size - i - n + 1);
        if (!p) return false;
        if (memcmp(p, name, n) == 0) return true;
        i = (size_t)(p - c->bytes);
    }
    return false;
}

static const kind *find(const bp__content *c, kind *scratch) {
    const unsigned char *b = c->bytes;
    for (int64_t i = 0; i < BP__COUNT(kinds); i++)
        if (c->size >= kinds[i].n && memcmp(b, kinds[i].magic, kinds[i].n) == 0) return &kinds[i];
    if (c->size >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5) {
        *scratch = (kind){"", 0, "a Python pickle (.pkl, or an old .pt)", pickle_hint};
        return scratch;
    }
    if (c->size >= 4 && memcmp(b, "PK\3\4", 4) == 0) {
        *scratch = (kind){"", 0, "a zip archive", "unpack it and name the table inside"};
        if (holds(c, "/data.pkl"))
            *scratch =
                (kind){"", 0, "a PyTorch (.pt) file",
                       PYTHON("import torch,numpy; x,y=torch.load('F.pt'); numpy.savez('F.npz', x=x.numpy(), y=y.numpy())")};
        else if (holds(c, "model.weights.h5"))
            *scratch = (kind){"", 0, "a Keras (.keras) model", "data is wanted here; a model's weights come in as .safetensors"};
        else if (holds(c, "xl/workbook.xml"))
            *scratch = (kind){"", 0, "an Excel (.xlsx) file",
                              PYTHON("import pandas; pandas.read_excel('F.xlsx').to_csv('F.csv', index=False)")};
        return scratch;
    }
    /* safetensors: a length of 8 bytes, then JSON */
    if (c->size >= 10 && b[5] == 0 && b[6] == 0 && b[7] == 0 && b[8] == '{' && b[9] == '"') {
        *scratch = (kind){"", 0, "a .safetensors file", "data is wanted here; a model goes with --from or as RUN"};
        return scratch;
    }
    return NULL;
}

bool bp__recognise_foreign(const bp__content *c) {
    kind scratch;
    return find(c, &scratch) != NULL;
}

bp_status bp__read_foreign(bp__source *s, bp__content *c, const bp__read_options *options) {
    (void)options;
    kind scratch = {"", 0, "unknown", ""};
    const kind *k = find(c, &scratch);
    if (!k) k = &scratch;
    return bp__fail_at(s->ctx, BP_UNSUPPORTED, (bp__where){.code = "foreign_format", .file = c->file, .hint = k->hint},
                       "%s is %s, which backprop does not read", c->file, k->name);
}
