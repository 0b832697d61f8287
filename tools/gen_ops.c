/* Makes, from src/op/ops.def and src/kernel/elementwise.def, what follows from an operation's signature: attribute structs,
   reflection, constructors, the third stage of include/backprop.h and docs/operations.md. Run it in the root of the
   repository:
       gen_ops           writes the files that differ
       gen_ops --check   writes nothing; exits 1 and names the first file that differs
   Knows nothing of the library: it reads the tables as text, so that it can be built before them. */
#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPS = 512, MAX_INPUTS = 8, MAX_ATTRS = 12, NAME = 64, TEXT = 512 };

typedef struct attr {
    char type[8], name[NAME], value[NAME];
    bool required;
} attr;
typedef struct op {
    char name[NAME];
    char in[MAX_INPUTS][NAME]; /* with a leading '?' or '*' */
    char out[MAX_INPUTS][NAME];
    attr attrs[MAX_ATTRS];
    int n_in, n_out, n_attrs;
    bool leaf, elementwise, by_hand, differentiable;
    char formula[TEXT], family[NAME];
    char *rule[3]; /* element-wise: the gradient columns */
    bool has_rule; /* others: there is a .gradient */
    char file[NAME + 16];
} op;
typedef struct text {
    char *data;
    size_t size, capacity;
} text;

static op ops[MAX_OPS];
static int n_ops;

static _Noreturn void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("gen_ops: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

static void add(text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (n < 0) die("a text can't be written.");
    if (t->size + (size_t)n + 1 > t->capacity) {
        t->capacity = 2 * t->capacity + (size_t)n + 4096;
        t->data = realloc(t->data, t->capacity);
        if (!t->data) die("out of memory.");
    }
    va_start(list, format);
    vsnprintf(t->data + t->size, (size_t)n + 1, format, list);
    va_end(list);
    t->size += (size_t)n;
}

static char *read_file(const char *path, bool required) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        if (required) die("%s can't be opened; run gen_ops in the root of the repository.", path);
        return NULL;
    }
    text t = {0};
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block - 1, f)) > 0) {
        block[n] = 0;
        if (strlen(block) != n) die("%s holds a zero byte.", path);
        add(&t, "%s", block);
    }
    if (ferror(f)) die("%s can't be read.", path);
    fclose(f);
    if (!t.data) add(&t, "%s", "");
    return t.data;
}

/* ---- Reading the tables ------------------------------------------------------------------------------------------- */

/* The character after the string literal, comment or single character at s. */
static const char *skip_one(const char *s) {
    if (*s == '"') {
        for (s++; *s && *s != '"'; s++)
            if (*s == '\\' && s[1]) s++;
        return *s ? s + 1 : s;
    }
    if (s[0] == '/' && s[1] == '*') {
        const char *end = strstr(s + 2, "*/");
        return end ? end + 2 : s + strlen(s);
    }
    return s + 1;
}

static void copy_trimmed(char *to, size_t size, const char *from, const char *end, const char *where) {
    while (from < end && isspace((unsigned char)*from)) from++;
    while (end > from && isspace((unsigned char)end[-1])) end--;
    if ((size_t)(end - from) >= size) die("%s: \"%.40s…\" is too long.", where, from);
    memcpy(to, from, (size_t)(end - from));
    to[end - from] = 0;
}

/* Splits "a, f(b, c), \"d\"" (the text between parentheses) at its outer commas. Returns how many there are. */
static int split(const char *s, const char *end, char part[][4 * TEXT], int max, const char *where) {
    int n = 0, depth = 0;
    const char *from = s;
    bool empty = true;
    while (s <= end) {
        if (s == end || (depth == 0 && *s == ',')) {
            if (s == end && n == 0 && empty) return 0;
            if (n == max) die("%s: more than %d entries.", where, max);
            copy_trimmed(part[n++], 4 * TEXT, from, s, where);
            from = ++s;
            continue;
        }
        if (*s == '(') depth++;
        if (*s == ')') depth--;
        if (!isspace((unsigned char)*s)) empty = false;
        s = skip_one(s);
    }
    return n;
}

/* "IN(a, b)" → true and the text between the parentheses. */
static bool call(const char *s, const char *name, const char **from, const char **end) {
    size_t n = strlen(name);
    if (strncmp(s, name, n) != 0 || s[n] != '(' || s[strlen(s) - 1] != ')') return false;
    *from = s + n + 1;
    *end = s + strlen(s) - 1;
    return true;
}

static void unquote(char *to, size_t size, const char *s, const char *where) {
    size_t n = strlen(s);
    if (n < 2 || s[0] != '"' || s[n - 1] != '"') die("%s: %s should be a text in quotes.", where, s);
    copy_trimmed(to, size, s + 1, s + n - 1, where);
}

static void add_name(char *to, const char *prefix, const char *from, const char *end, const char *where) {
    copy_trimmed(to, NAME - 1, from, end, where);
    memmove(to + strlen(prefix), to, strlen(to) + 1);
    memcpy(to, prefix, strlen(prefix));
}

static char parts[32][4 * TEXT], inner[32][4 * TEXT];

static void read_op(op *o, const char *from, const char *end, const char *where) {
    int n = split(from, end, parts, 32, where);
    if (n < 3) die("%s: OP(%.40s) needs a name, IN(…) and OUT(…).", where, from);
    copy_trimmed(o->name, NAME, parts[0], parts[0] + strlen(parts[0]), where);
    for (int i = 1; i < n; i++) {
        const char *a, *b, *c, *d;
        if (call(parts[i], "IN", &a, &b)) {
            o->n_in = split(a, b, inner, MAX_INPUTS, o->name);
            for (int k = 0; k < o->n_in; k++) {
                if (call(inner[k], "OPT", &c, &d))
                    add_name(o->in[k], "?", c, d, o->name);
                else
                    add_name(o->in[k], "", inner[k], inner[k] + strlen(inner[k]), o->name);
            }
        } else if (call(parts[i], "ANY", &a, &b)) {
            o->n_in = 1;
            add_name(o->in[0], "*", a, b, o->name);
        } else if (call(parts[i], "OUT", &a, &b)) {
            o->n_out = split(a, b, inner, MAX_INPUTS, o->name);
            for (int k = 0; k < o->n_out; k++) add_name(o->out[k], "", inner[k], inner[k] + strlen(inner[k]), o->name);
        } else if (call(parts[i], "ATTR", &a, &b)) {
            if (o->n_attrs == MAX_ATTRS) die("%s: more than %d attributes.", o->name, MAX_ATTRS);
            attr *t = &o->attrs[o->n_attrs++];
            if (split(a, b, inner, 3, o->name) != 3)
                die("%s: %s needs a type, a name and a default or REQUIRED.", o->name, parts[i]);
            copy_trimmed(t->type, sizeof t->type, inner[0], inner[0] + strlen(inner[0]), o->name);
            copy_trimmed(t->name, NAME, inner[1], inner[1] + strlen(inner[1]), o->name);
            copy_trimmed(t->value, NAME, inner[2], inner[2] + strlen(inner[2]), o->name);
            t->required = !strcmp(t->value, "REQUIRED");
        } else {
            die("%s: %s is none of IN, ANY, OUT and ATTR.", o->name, parts[i]);
        }
    }
    snprintf(o->family, sizeof o->family, "%s", o->leaf ? "leaves" : "other");
    o->differentiable = !o->leaf;
}

static void read_row(op *o, const char *from, const char *end, const char *where) {
    if (split(from, end, parts, 32, where) != 10) die("%s: EW(%.40s…) needs 10 columns.", where, from);
    copy_trimmed(o->name, NAME, parts[0], parts[0] + strlen(parts[0]), where);
    o->n_in = atoi(parts[1]);
    if (o->n_in < 1 || o->n_in > 3) die("%s: arity %s is not 1, 2 or 3.", o->name, parts[1]);
    for (int i = 0; i < o->n_in; i++) snprintf(o->in[i], NAME, "%c", 'a' + i);
    o->n_out = 1;
    snprintf(o->out[0], NAME, "y");
    const char *a, *b;
    if (strcmp(parts[2], "P0") != 0) {
        bool two = call(parts[2], "P2", &a, &b);
        if (!two && !call(parts[2], "P1", &a, &b)) die("%s: %s is none of P0, P1 and P2.", o->name, parts[2]);
        o->n_attrs = two ? 2 : 1;
        if (split(a, b, inner, 4, o->name) != 2 * o->n_attrs) die("%s: %s needs pairs of name and default.", o->name, parts[2]);
        for (int i = 0; i < o->n_attrs; i++) {
            attr *t = &o->attrs[i];
            snprintf(t->type, sizeof t->type, "f64");
            unquote(t->name, NAME, inner[2 * i], o->name);
            copy_trimmed(t->value, NAME, inner[2 * i + 1], inner[2 * i + 1] + strlen(inner[2 * i + 1]), o->name);
        }
    }
    unquote(o->formula, sizeof o->formula, parts[3], o->name);
    o->elementwise = true;
    snprintf(o->family, sizeof o->family, "element-wise");
    for (int i = 0; i < o->n_in; i++) {
        if (strcmp(parts[5 + i], "ZERO") != 0) o->differentiable = true;
        o->rule[i] = strdup(parts[5 + i]);
        if (!o->rule[i]) die("out of memory.");
    }
}

static void read_table(const char *path) {
    char *content = read_file(path, true);
    const char *s = content;
    bool fresh = true; /* at the beginning of a line */
    while (*s) {
        const char *word = NULL;
        if (fresh && *s == '#') { /* the preprocessor's */
            while (*s && *s != '\n') s++;
            continue;
        }
        if (!strncmp(s, "OP(", 3) || !strncmp(s, "EW(", 3))
            word = s + 3;
        else if (!strncmp(s, "LEAF(", 5))
            word = s + 5;
        if (!fresh || !word) {
            if (!isspace((unsigned char)*s)) fresh = false;
            if (*s == '\n') fresh = true;
            const char *next = skip_one(s);
            if (s[0] == '/' && s[1] == '*') fresh = true; /* an entry may follow a comment */
            s = next;
            continue;
        }
        const char *end = word;
        for (int depth = 1; *end; end = skip_one(end)) {
            if (*end == '(') depth++;
            if (*end == ')' && --depth == 0) break;
        }
        if (!*end) die("%s: a parenthesis of \"%.30s\" is never closed.", path, s);
        if (n_ops == MAX_OPS) die("more than %d operations.", MAX_OPS);
        op *o = &ops[n_ops];
        o->leaf = *s == 'L';
        if (*s == 'E')
            read_row(o, word, end, path);
        else
            read_op(o, word, end, path);
        for (int i = 0; i < n_ops; i++)
            if (!strcmp(ops[i].name, o->name)) die("%s: there are two operations of this name.", o->name);
        for (int i = 0; i < o->n_attrs; i++)
            if (!o->attrs[i].required && !strcmp(o->attrs[i].name, "size")) die("%s: an option can't be called size.", o->name);
        n_ops++;
        s = end + 1;
    }
    free(content);
}

/* Adjacent string literals after `key` within [s, end), joined. */
static bool literal_after(const char *s, const char *end, const char *key, char *to, size_t size) {
    const char *at = strstr(s, key);
    if (!at || at >= end) return false;
    at += strlen(key);
    size_t n = 0;
    for (;;) {
        while (*at && (isspace((unsigned char)*at) || *at == '=')) at++;
        if (*at != '"') break;
        const char *stop = skip_one(at);
        for (at++; at < stop - 1 && n + 1 < size; at++) to[n++] = *at;
        at = stop;
    }
    to[n] = 0;
    return n > 0;
}

/* A loss is defined by one line of loss.h: BP__LOSS(mse, "formula", …). */
static bool read_loss(op *o, const char *content) {
    static const char *const macros[] = {"\nBP__LOSS(%.63s,", "\nBP__LOSS_REDUCED(%.63s,"};
    for (int i = 0; i < 2; i++) {
        char key[NAME + 32];
        snprintf(key, sizeof key, macros[i], o->name);
        if (!literal_after(content, content + strlen(content), key, o->formula, sizeof o->formula)) continue;
        snprintf(o->family, sizeof o->family, "losses");
        return true;
    }
    return false;
}

/* Formula, family and differentiability are written where an operation is defined. */
static void read_definitions(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) die("%s can't be opened; run gen_ops in the root of the repository.", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        char path[TEXT];
        if (n < 3 || strcmp(entry->d_name + n - 2, ".c") != 0) continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= sizeof path) continue;
        char *content = read_file(path, true);
        for (int i = 0; i < n_ops; i++) {
            op *o = &ops[i];
            char key[NAME + 16];
            if (o->elementwise || read_loss(o, content)) continue;
            snprintf(key, sizeof key, "bp__def_%.63s = {", o->name);
            const char *s = strstr(content, key);
            if (!s) continue;
            const char *end = strstr(s, "};");
            if (!end) end = s + strlen(s);
            snprintf(key, sizeof key, "BP__SIGNATURE(%.63s)", o->name);
            const char *signature = strstr(s, key);
            if (!signature || signature > end)
                die("%s: bp__def_%s must begin with {BP__SIGNATURE(%s), … see op.h.", path, o->name, o->name);
            literal_after(s, end, ".formula", o->formula, sizeof o->formula);
            literal_after(s, end, ".family", o->family, sizeof o->family);
            const char *rule = strstr(s, ".gradient");
            o->has_rule = rule && rule < end;
            snprintf(o->file, sizeof o->file, "src/op/%.60s", entry->d_name);
            const char *none = strstr(s, "BP__OP_NO_GRADIENT");
            if (none && none < end) o->differentiable = false;
        }
        free(content);
    }
    closedir(dir);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------- */

static const char *type_of(const op *o, const attr *a, bool public) {
    static const char *const names[][3] = {{"f64", "double", "double"},      {"i64", "int64_t", "int64_t"},
                                           {"bool", "int32_t", "int"},       {"dims", "bp_dims", "bp_dims"},
                                           {"dtype", "int32_t", "bp_dtype"}, {"text", "const char *", "const char *"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i][0], a->type)) return names[i][public ? 2 : 1];
    die("%s: %s is no type of an attribute (f64 i64 bool dims dtype text).", o->name, a->type);
}

static const char *space_of(const char *type) { return type[strlen(type) - 1] == '*' ? "" : " "; }

static const char *value_of(const attr *a) {
    static char buffer[2 * NAME];
    if (a->required) {
        if (!strcmp(a->type, "dims")) return "{0}";
        return !strcmp(a->type, "text") ? "NULL" : "0";
    }
    if (!strcmp(a->type, "dims")) {
        if (!strcmp(a->value, "ONES")) return "{1, {1}}";
        if (!strcmp(a->value, "ZEROS")) return "{1, {0}}";
        return !strcmp(a->value, "ALL") ? "{.n = -1}" : a->value;
    }
    if (!strcmp(a->type, "dtype")) {
        snprintf(buffer, sizeof buffer, "BP_%s", a->value);
        return buffer;
    }
    return a->value;
}

/* The default as people read it. */
static const char *shown_value(const attr *a) {
    if (!strcmp(a->value, "ONES")) return "1 on every axis";
    return !strcmp(a->value, "ZEROS") ? "0 on every axis" : a->value;
}

static bool has_options(const op *o) {
    for (int i = 0; i < o->n_attrs; i++)
        if (!o->attrs[i].required) return true;
    return false;
}

static int n_in_of(const op *o) { return o->in[0][0] == '*' ? -1 : o->n_in; }

static const char *plain(const char *input) { return *input == '?' || *input == '*' ? input + 1 : input; }

/* "bp_value bp_sum(bp_value x, const bp_sum_options *options)" */
static void add_signature(text *t, const op *o) {
    add(t, "bp_value bp_%s(", o->name);
    for (int i = 0; i < o->n_in; i++) {
        if (o->in[i][0] == '*')
            add(t, "const bp_value *%s, int n_%s", plain(o->in[i]), plain(o->in[i]));
        else
            add(t, "%sbp_value %s", i ? ", " : "", plain(o->in[i]));
    }
    for (int i = 0; i < o->n_attrs; i++) {
        if (!o->attrs[i].required) continue;
        const char *type = type_of(o, &o->attrs[i], true);
        add(t, ", %s%s%s", type, space_of(type), o->attrs[i].name);
    }
    if (has_options(o)) add(t, ", const bp_%s_options *options", o->name);
    add(t, ")");
}

static bool made(const op *o) { return !o->leaf && !o->by_hand; }

static void make_internal_header(text *t) {
    add(t, "/* Generated by tools/gen_ops.c from src/op/ops.def and src/kernel/elementwise.def; don't edit. */\n"
           "/* clang-format off */\n#ifndef BP__OPS_GENERATED_H\n#define BP__OPS_GENERATED_H\n\nenum bp__op_id {\n");
    for (int i = 0; i < n_ops; i++) add(t, "    BP__OP_ID_%s,\n", ops[i].name);
    add(t, "    BP__OP_ID_COUNT\n};\n\n");
    for (int i = 0; i < n_ops; i++) {
        const op *o = &ops[i];
        add(t, "struct bp__%s_attrs {", o->name);
        for (int k = 0; k < o->n_attrs; k++) {
            const char *type = type_of(o, &o->attrs[k], false);
            add(t, " %s%s%s;", type, space_of(type), o->attrs[k].name);
        }
        add(t, "%s };\n", o->n_attrs ? "" : " int32_t none;");
    }
    add(t, "\n/* What the tables say of an operation, as members of its bp__op: {BP__SIGNATURE(matmul), .infer = infer, …}. */\n"
           "#define BP__SIGNATURE(op_name) BP__SIGNATURE_##op_name\n");
    for (int i = 0; i < n_ops; i++) {
        const op *o = &ops[i];
        add(t,
            "extern const char *const bp__%s_in_names[], *const bp__%s_out_names[];\n"
            "extern const struct bp__%s_attrs bp__%s_default_attrs;\n",
            o->name, o->name, o->name, o->name);
        if (o->n_attrs) add(t, "extern const bp__attr bp__%s_attr_list[];\n", o->name);
        add(t,
            "#define BP__SIGNATURE_%s \\\n    .name = \"%s\", .in_names = bp__%s_in_names, .out_names = bp__%s_out_names, .n_in "
            "= %d, "
            ".n_out = %d, ",
            o->name, o->name, o->name, o->name, n_in_of(o), o->n_out);
        if (o->n_attrs)
            add(t, ".attrs = bp__%s_attr_list, .n_attrs = %d, \\\n    ", o->name, o->n_attrs);
        else
            add(t, ".attrs = NULL, .n_attrs = 0, \\\n    ");
        add(t, ".attrs_size = sizeof(struct bp__%s_attrs), .attr_defaults = &bp__%s_default_attrs, .ew_op = ", o->name, o->name);
        if (o->elementwise)
            add(t, "BP__EW_%s\n", o->name);
        else
            add(t, "-1\n");
    }
    add(t, "\n/* Rows of elementwise.def without any gradient. */\n");
    for (int i = 0; i < n_ops; i++)
        if (ops[i].elementwise) add(t, "#define BP__EW_DIFFERENTIABLE_%s %d\n", ops[i].name, ops[i].differentiable);
    add(t, "#endif\n");
}

static void make_names(text *t) {
    add(t,
        "/* Generated by tools/gen_ops.c from src/kernel/elementwise.def; don't edit. */\n/* clang-format off */\n"
        "/* The short names that the gradient columns of elementwise.def are written in; numbers p, q follow the inputs. */\n");
    for (int i = 0; i < n_ops; i++) {
        const op *o = &ops[i];
        if (!o->elementwise) continue;
        add(t, "#undef %s\n#define %s(", o->name, o->name);
        for (int k = 0; k < o->n_in; k++) add(t, "%sx%d", k ? ", " : "", k);
        for (int k = 0; k < o->n_attrs; k++) add(t, ", p%d", k);
        add(t, ") bp_%s(", o->name);
        for (int k = 0; k < o->n_in; k++) add(t, "%s(x%d)", k ? ", " : "", k);
        if (o->n_attrs) {
            add(t, ", &(bp_%s_options){sizeof(bp_%s_options)", o->name, o->name);
            for (int k = 0; k < o->n_attrs; k++) add(t, ", (p%d)", k);
            add(t, "}");
        }
        add(t, ")\n");
    }
}

static void make_constructor(text *t, const op *o) {
    add(t, "\n");
    if (has_options(o)) {
        add(t, "bp_%s_options bp_%s_defaults(void) {\n    bp_%s_options o = {.size = sizeof o", o->name, o->name, o->name);
        for (int k = 0; k < o->n_attrs; k++)
            if (!o->attrs[k].required) add(t, ", .%s = %s", o->attrs[k].name, value_of(&o->attrs[k]));
        add(t, "};\n    return o;\n}\n");
    }
    add_signature(t, o);
    add(t, " {\n    struct bp__%s_attrs attrs = bp__%s_default_attrs;\n", o->name, o->name);
    if (has_options(o)) {
        add(t,
            "    bp_%s_options o = bp_%s_defaults();\n    if (options) bp__op_options(&o, sizeof o, options, options->size);\n",
            o->name, o->name);
    }
    for (int k = 0; k < o->n_attrs; k++) {
        const attr *a = &o->attrs[k];
        add(t, "    attrs.%s = %s%s%s;\n", a->name, strcmp(a->type, "dtype") != 0 ? "" : "(int32_t)", a->required ? "" : "o.",
            a->name);
    }
    if (n_in_of(o) < 0) {
        add(t, "    return bp__op_build(BP__OP_ID_%s, &attrs, %s, n_%s);\n}\n", o->name, plain(o->in[0]), plain(o->in[0]));
        return;
    }
    add(t, "    const bp_value in[] = {");
    for (int k = 0; k < o->n_in; k++) add(t, "%s%s", k ? ", " : "", plain(o->in[k]));
    add(t, "};\n    return bp__op_build(BP__OP_ID_%s, &attrs, in, %d);\n}\n", o->name, o->n_in);
}

static void make_source(text *t) {
    static const char *const kinds[][2] = {{"f64", "F64"},   {"i64", "I64"},     {"bool", "BOOL"},
                                           {"dims", "DIMS"}, {"dtype", "DTYPE"}, {"text", "TEXT"}};
    add(t, "/* Generated by tools/gen_ops.c from src/op/ops.def and src/kernel/elementwise.def; don't edit. */\n"
           "/* clang-format off */\n#include \"op/construct.h\"\n\n");
    for (int i = 0; i < n_ops; i++) {
        const op *o = &ops[i];
        add(t, "const char *const bp__%s_in_names[] = {", o->name);
        for (int k = 0; k < o->n_in; k++) add(t, "\"%s\", ", o->in[k]);
        add(t, "NULL};\nconst char *const bp__%s_out_names[] = {", o->name);
        for (int k = 0; k < o->n_out; k++) add(t, "\"%s\", ", o->out[k]);
        add(t, "NULL};\nconst struct bp__%s_attrs bp__%s_default_attrs = {", o->name, o->name);
        for (int k = 0; k < o->n_attrs; k++) add(t, "%s.%s = %s", k ? ", " : "", o->attrs[k].name, value_of(&o->attrs[k]));
        add(t, "%s};\n", o->n_attrs ? "" : "0");
        if (!o->n_attrs) continue;
        add(t, "const bp__attr bp__%s_attr_list[] = {\n", o->name);
        for (int k = 0; k < o->n_attrs; k++) {
            const attr *a = &o->attrs[k];
            const char *kind = NULL;
            for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++)
                if (!strcmp(kinds[j][0], a->type)) kind = kinds[j][1];
            add(t, "    {\"%s\", BP__ATTR_%s, offsetof(struct bp__%s_attrs, %s), %s},\n", a->name, kind, o->name, a->name,
                a->required ? "true" : "false");
        }
        add(t, "};\n");
    }
    for (int i = 0; i < n_ops; i++)
        if (made(&ops[i])) make_constructor(t, &ops[i]);
}

/* A formula is shown inside a comment: it must not end it. */
static void add_formula(text *t, const char *s) {
    for (; *s; s++) {
        if (*s == '\\' && (s[1] == '"' || s[1] == '\\')) s++;
        add(t, "%c%s", *s, s[0] == '*' && s[1] == '/' ? " " : "");
    }
}

static void make_region(text *t) {
    add(t, "/* clang-format off */\n"
           "/* Options: start from bp_NAME_defaults() and change members; NULL means the defaults. Texts are copied. Values that "
           "are\n"
           "   bad are passed on. Optional inputs are BP_NONE when left out. docs/operations.md describes every operation. */\n");
    for (int i = 0; i < n_ops; i++) {
        const op *o = &ops[i];
        if (!made(o)) continue;
        add(t, "\n/* %s", o->name);
        if (o->formula[0]) add(t, ": "), add_formula(t, o->formula);
        for (int k = 0; k < o->n_in; k++)
            if (o->in[k][0] == '?') add(t, "; %s is optional", plain(o->in[k]));
        for (int k = 1; k < o->n_out; k++)
            add(t, "%s %s%s", k == 1 ? ". Also makes" : ",", o->out[k],
                k + 1 == o->n_out ? ": the same value with member output = 1" : "");
        add(t, " */\n");
        if (has_options(o)) {
            add(t, "typedef struct bp_%s_options {\n    size_t size;\n", o->name);
            for (int k = 0; k < o->n_attrs; k++) {
                const attr *a = &o->attrs[k];
                if (a->required) continue;
                const char *type = type_of(o, a, true);
                add(t, "    %s%s%s; /* %s */\n", type, space_of(type), a->name,
                    strcmp(a->value, "ALL") != 0 ? shown_value(a) : "n = -1: all");
            }
            add(t, "} bp_%s_options;\nBP_API bp_%s_options bp_%s_defaults(void);\n", o->name, o->name, o->name);
        }
        add(t, "BP_API ");
        add_signature(t, o);
        add(t, ";\n");
    }
    add(t, "/* clang-format on */\n");
}

#include "gen_ops_page.h"

/* ---- Files --------------------------------------------------------------------------------------------------------- */

static bool check_only;

static void put(const char *path, const char *content) {
    char *old = read_file(path, false);
    bool same = old && !strcmp(old, content);
    free(old);
    if (same) return;
    if (check_only) {
        fprintf(stderr, "gen_ops: %s is not what the tables give; run gen_ops.\n", path);
        exit(1);
    }
    FILE *f = fopen(path, "wb");
    if (!f || fputs(content, f) == EOF || fclose(f) != 0) die("%s can't be written.", path);
    printf("gen_ops: wrote %s\n", path);
}

static const char *const region_begin = "/*@OPERATIONS@*/\n", *const region_end = "/*@END@*/";

int main(int argc, char **argv) {
    const char *header_path = "include/backprop.h";
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--check") != 0)) die("usage: gen_ops [--check]");
    check_only = argc == 2;
    read_table("src/op/ops.def");
    read_table("src/kernel/elementwise.def");
    read_definitions("src/op");

    char *header = read_file(header_path, true);
    char *begin = strstr(header, region_begin), *end = begin ? strstr(begin, region_end) : NULL;
    if (!end) die("%s has no line /*@OPERATIONS@*/ with a line /*@END@*/ after it.", header_path);
    begin += strlen(region_begin);
    text source = {0}, internal = {0}, names = {0}, page = {0}, whole = {0};
    add(&whole, "%.*s", (int)(begin - header), header);
    for (int i = 0; i < n_ops; i++) { /* what the header's other stages declare is written by hand */
        char key[NAME + 16];
        snprintf(key, sizeof key, "bp_value bp_%.63s(", ops[i].name);
        ops[i].by_hand = strstr(whole.data, key) || strstr(end, key);
    }
    make_region(&whole);
    add(&whole, "%s", end);
    make_internal_header(&internal);
    make_names(&names);
    make_source(&source);
    make_page(&page);
    put("src/op/ops_generated.h", internal.data);
    put("src/op/ops_generated.c", source.data);
    put("src/op/ew_names.h", names.data);
    put(header_path, whole.data);
    put("docs/operations.md", page.data);
    free(header);
    free(source.data);
    free(internal.data);
    free(names.data);
    free(page.data);
    free(whole.data);
    return 0;
}
