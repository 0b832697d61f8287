/* The first half of gen_ops.c: the tables of operations, read as text into `ops`. */
#ifndef BP__GEN_OPS_TABLES_H
#define BP__GEN_OPS_TABLES_H
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
#endif
