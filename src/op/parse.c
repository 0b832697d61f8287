/* bp_parse: a formula as text becomes graph. A Pratt parser: parse(level) reads an operand and then the operators that bind at
   least as tightly as `level`. Nothing is kept of the text but the columns that name the nodes. docs/formulas.md says the
   grammar. */
#include "op/op.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TEXT = 65536, MOST_DEPTH = 100, MOST_ARGUMENTS = 64, MOST_ATTRS = 32 };

typedef enum kind { NUMBER, VALUE } kind;
typedef struct item { /* what an expression gives: a number takes the type of what it meets */
    kind kind;
    double number;
    bp_value value;
} item;

typedef struct parser {
    bp_graph *g;
    const char *text, *at;
    const char *const *names;
    const bp_value *values;
    int n, depth;
    bp_dtype dtype;    /* of numbers that meet nothing else */
    const char *scope; /* of the graph outside */
} parser;

static bool parse(parser *p, int level, item *out);

/* ---- Faults ----------------------------------------------------------------------------------------------------------- */

/* "column 12" as people count: from 1, in characters; with its line where the text has several. */
static void place(const parser *p, const char *at, char *out, size_t size) {
    int line = 1, column = 1;
    for (const char *s = p->text; s < at; s++) {
        if (*s == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*s & 0xC0) != 0x80) { /* no continuation of an UTF-8 character */
            column++;
        }
    }
    bool several = strchr(p->text, '\n') != NULL;
    if (several)
        snprintf(out, size, "line %d, column %d", line, column);
    else
        snprintf(out, size, "column %d", column);
}

static bool fail(parser *p, const char *at, bp_status status, const char *format, ...) BP__PRINTF(4, 5);
static bool fail(parser *p, const char *at, bp_status status, const char *format, ...) {
    char where[48], sentence[320];
    va_list list;
    va_start(list, format);
    vsnprintf(sentence, sizeof sentence, format, list);
    va_end(list);
    place(p, at, where, sizeof where);
    bp__graph_fail(p->g, status, "%s%s%s: %s", p->scope ? p->scope : "", p->scope ? ": " : "", where, sentence);
    return false;
}

/* Nodes built from here on carry their place: an operation's own sentence begins with it. */
static bool enter(parser *p, const char *at) {
    char where[48];
    place(p, at, where, sizeof where);
    size_t size = strlen(where) + (p->scope ? strlen(p->scope) : 0) + 3;
    char *scope = bp__pool_alloc(&p->g->pool, size);
    if (!scope) return fail(p, at, BP_MEMORY, "out of memory while building a graph");
    snprintf(scope, size, "%s%s%s", p->scope ? p->scope : "", p->scope ? ": " : "", where);
    p->g->scope = scope;
    return true;
}

static bool unexpected(parser *p, const char *wanted) {
    unsigned char c = (unsigned char)*p->at;
    if (!c) return fail(p, p->at, BP_INVALID, "the formula ends where %s is wanted", wanted);
    if (c > ' ' && c < 127) return fail(p, p->at, BP_INVALID, "'%c' where %s is wanted", c, wanted);
    return fail(p, p->at, BP_INVALID, "the byte 0x%02X where %s is wanted", c, wanted);
}

/* ---- Words ------------------------------------------------------------------------------------------------------------ */

static bool begins_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool in_word(char c) { return begins_word(c) || (c >= '0' && c <= '9'); }
static void skip_space(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') p->at++;
}
static size_t word_length(const char *s) {
    size_t n = 0;
    if (begins_word(*s))
        while (in_word(s[n])) n++;
    return n;
}
static bool same_word(const char *s, size_t n, const char *word) { return strlen(word) == n && memcmp(s, word, n) == 0; }

static bool take(parser *p, char c) {
    skip_space(p);
    if (*p->at != c) return false;
    p->at++;
    return true;
}

static bool need(parser *p, char c) {
    char wanted[4] = {'\'', c, '\'', 0};
    return take(p, c) || unexpected(p, wanted);
}

/* The nearest of the words that would be right here, or NULL. The names of values count where `values`, operations where `ops`.
 */
static const char *nearest(parser *p, const char *word, size_t n, bool values, bool ops) {
    char copy[64];
    if (n >= sizeof copy) return NULL;
    memcpy(copy, word, n);
    copy[n] = 0;
    size_t count = (size_t)p->n + (size_t)bp__op_count();
    const char **list = bp__alloc(p->g->ctx, sizeof *list * (count + 1));
    if (!list) return NULL;
    int64_t used = 0;
    for (int i = 0; i < p->n && values; i++) list[used++] = p->names[i];
    for (int i = 0; i < bp__op_count() && ops; i++)
        if (!(bp__op_at(i)->flags & (BP__OP_LEAF | BP__OP_HIDDEN))) list[used++] = bp__op_at(i)->name;
    const char *found = bp__nearest(copy, list, used);
    bp__free(p->g->ctx, list);
    return found;
}

static bool unknown(parser *p, const char *what, const char *word, size_t n, const char *near) {
    int shown = (int)BP__MIN(n, 60);
    if (near) return fail(p, word, BP_NOT_FOUND, "%s \"%.*s\"; did you mean \"%s\"?", what, shown, word, near);
    return fail(p, word, BP_NOT_FOUND, "%s \"%.*s\"", what, shown, word);
}

/* ---- Numbers and values ----------------------------------------------------------------------------------------------- */

static bool is_float(bp_dtype t) { return t == BP_F32 || t == BP_F64; }

static bool read_number(parser *p, double *out) {
    const char *s = p->at;
    while (isdigit((unsigned char)*s)) s++;
    if (*s == '.') s++;
    while (isdigit((unsigned char)*s)) s++;
    if (*s == 'e' || *s == 'E') {
        const char *e = s + 1 + (s[1] == '+' || s[1] == '-');
        if (isdigit((unsigned char)*e)) {
            while (isdigit((unsigned char)*e)) e++;
            s = e;
        }
    }
    if (!bp__parse_f64(p->at, (size_t)(s - p->at), false, out) || !isfinite(*out))
        return fail(p, p->at, BP_INVALID, "%.*s is no number that double precision holds", (int)BP__MIN(s - p->at, 40), p->at);
    if (begins_word(*s)) return fail(p, s, BP_INVALID, "an operator is missing before '%c'", *s);
    p->at = s;
    return true;
}

/* The item as a value of a type. */
static bool as_value(parser *p, const char *at, const item *x, bp_dtype dtype, bp_value *out) {
    *out = x->value;
    if (x->kind == VALUE) return true;
    if (!is_float(dtype) && !(fabs(x->number) <= 0x1p53 && x->number == floor(x->number)))
        return fail(p, at, BP_INVALID, "%g meets a value of type %s and is no whole number; use cast", x->number,
                    bp_dtype_name(dtype));
    *out = bp_number(p->g, dtype, x->number);
    return !bp_is_bad(*out);
}

static bool give(item *out, bp_value v) {
    *out = (item){.kind = VALUE, .value = v};
    return v.graph && !bp_is_bad(v);
}

/* ---- Operators -------------------------------------------------------------------------------------------------------- */

enum level { OR = 1, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, POWER };
typedef struct infix {
    const char *text;
    enum level level;
    enum bp__op_id id;
} infix;
static const infix operators[] = {
    {"or", OR, BP__OP_ID_logical_or}, {"and", AND, BP__OP_ID_logical_and}, {"==", COMPARE, BP__OP_ID_eq},
    {"!=", COMPARE, BP__OP_ID_ne},    {"<=", COMPARE, BP__OP_ID_le},       {">=", COMPARE, BP__OP_ID_ge},
    {"<", COMPARE, BP__OP_ID_lt},     {">", COMPARE, BP__OP_ID_gt},        {"+", SUM, BP__OP_ID_add},
    {"-", SUM, BP__OP_ID_sub},        {"*", PRODUCT, BP__OP_ID_mul},       {"/", PRODUCT, BP__OP_ID_div},
    {"^", POWER, BP__OP_ID_pow},
};

static const infix *next_operator(parser *p) {
    skip_space(p);
    size_t n = word_length(p->at);
    for (int64_t i = 0; i < BP__COUNT(operators); i++) {
        const char *text = operators[i].text;
        if (begins_word(*text) ? same_word(p->at, n, text) : strncmp(p->at, text, strlen(text)) == 0) return &operators[i];
    }
    return NULL;
}

/* + - * / of two numbers are a number. */
static bool fold(enum bp__op_id id, const item *a, const item *b, item *out) {
    if (a->kind != NUMBER || b->kind != NUMBER) return false;
    double x = a->number, y = b->number;
    switch (id) {
    case BP__OP_ID_add: x += y; break;
    case BP__OP_ID_sub: x -= y; break;
    case BP__OP_ID_mul: x *= y; break;
    case BP__OP_ID_div: x /= y; break;
    default: return false;
    }
    *out = (item){.kind = NUMBER, .number = x};
    return true;
}

/* Answers (u8: 1 or 0) count as numbers of the other operand's type; with a plain number, of the formula's. */
static bp_value as_float(bp_value v, bp_dtype dtype) { return bp_value_dtype(v) == BP_U8 ? bp_cast(v, dtype) : v; }

static bool apply(parser *p, const char *at, const infix *op, item a, item b, item *out) {
    if (fold(op->id, &a, &b, out)) return true;
    if (!enter(p, at)) return false;
    bool logical = op->level == AND || op->level == OR;
    bp_dtype s = a.kind == VALUE ? bp_value_dtype(a.value) : p->dtype, t = b.kind == VALUE ? bp_value_dtype(b.value) : p->dtype;
    bool plain = a.kind != b.kind || (!logical && op->level != COMPARE); /* two answers are compared as they are */
    bp_dtype wanted = is_float(s) ? s : is_float(t) ? t : s != BP_U8 ? s : t != BP_U8 ? t : p->dtype;
    if (a.kind == VALUE && s == BP_U8 && (plain || t != BP_U8)) a.value = as_float(a.value, wanted), s = wanted;
    if (b.kind == VALUE && t == BP_U8 && (plain || s != BP_U8)) b.value = as_float(b.value, wanted), t = wanted;
    bp_value in[2];
    if (!as_value(p, at, &a, t, &in[0]) || !as_value(p, at, &b, s, &in[1])) return false;
    return give(out, bp__graph_add(p->g, bp__op_id(op->id), bp__op_id(op->id)->attr_defaults, in, 2));
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------ */

typedef struct call {
    const bp__op *op;
    const char *at; /* of its name */
    size_t length;
    void *attrs;
    bool set[MOST_ATTRS];
    item in[MOST_ARGUMENTS];
    const char *in_at[MOST_ARGUMENTS]; /* NULL: not given */
    int n_in;                          /* positions filled so far */
} call;

static bool read_word_or_text(parser *p, const char **s, size_t *n, const char *wanted) {
    skip_space(p);
    if (*p->at == '"' || *p->at == '\'') {
        const char *end = strchr(p->at + 1, *p->at);
        if (!end) return fail(p, p->at, BP_INVALID, "the text that begins here has no end");
        *s = p->at + 1;
        *n = (size_t)(end - *s);
        p->at = end + 1;
        return true;
    }
    *s = p->at;
    *n = word_length(p->at);
    p->at += *n;
    return *n > 0 || unexpected(p, wanted);
}

static bool read_plain_number(parser *p, const char *wanted, double *out) {
    const char *at;
    item x;
    skip_space(p);
    at = p->at;
    if (!parse(p, SUM, &x)) return false;
    *out = x.number;
    return x.kind == NUMBER || fail(p, at, BP_INVALID, "%s has to be a number, not a value", wanted);
}

static bool read_whole(parser *p, const char *name, int64_t *out) {
    double x;
    skip_space(p);
    const char *at = p->at;
    if (!read_plain_number(p, name, &x)) return false;
    if (!(fabs(x) <= 0x1p53) || x != floor(x)) return fail(p, at, BP_INVALID, "%s has to be a whole number", name);
    *out = (int64_t)x;
    return true;
}

static bool read_dims(parser *p, const char *name, bp_dims *out) {
    *out = (bp_dims){.n = 0};
    skip_space(p);
    if (!take(p, '[')) {
        out->n = 1;
        return read_whole(p, name, &out->dim[0]);
    }
    if (take(p, ']')) return true;
    do {
        if (out->n == BP_MAX_DIMS) return fail(p, p->at, BP_INVALID, "a list has at most %d numbers", BP_MAX_DIMS);
        if (!read_whole(p, name, &out->dim[out->n++])) return false;
    } while (take(p, ','));
    return need(p, ']');
}

static bool read_attr(parser *p, call *c, int32_t index) {
    const bp__attr *a = &c->op->attrs[index];
    void *to = (char *)c->attrs + a->offset;
    const char *s, *at;
    size_t n;
    skip_space(p);
    at = p->at;
    if (c->set[index]) return fail(p, at, BP_INVALID, "%s of %s is given twice", a->name, c->op->name);
    c->set[index] = true;
    switch (a->type) {
    case BP__ATTR_F64: return read_plain_number(p, a->name, to);
    case BP__ATTR_I64: return read_whole(p, a->name, to);
    case BP__ATTR_DIMS: return read_dims(p, a->name, to);
    case BP__ATTR_BOOL: {
        bool yes = same_word(at, word_length(at), "true"), no = same_word(at, word_length(at), "false");
        int64_t x = yes;
        if (yes || no)
            p->at += word_length(at);
        else if (!read_whole(p, a->name, &x))
            return false;
        if (x != 0 && x != 1) return fail(p, at, BP_INVALID, "%s has to be true or false", a->name);
        *(int32_t *)to = (int32_t)x;
        return true;
    }
    case BP__ATTR_DTYPE:
        if (!read_word_or_text(p, &s, &n, "a type (f32, f64, i32, i64, u8)")) return false;
        for (int t = BP_F32; t <= BP_U8; t++)
            if (same_word(s, n, bp_dtype_name((bp_dtype)t))) {
                *(int32_t *)to = t;
                return true;
            }
        return fail(p, at, BP_INVALID, "\"%.*s\" is no type; f32, f64, i32, i64 and u8 are", (int)BP__MIN(n, 40), s);
    default: {
        if (!read_word_or_text(p, &s, &n, "a text")) return false;
        char *copy = bp__pool_alloc(&p->g->pool, n + 1);
        if (!copy) return fail(p, at, BP_MEMORY, "out of memory while building a graph");
        memcpy(copy, s, n);
        *(const char **)to = copy;
        return true;
    }
    }
}

static const char *input_name(const bp__op *op, int32_t i) {
    const char *name = op->in_names[i];
    return *name == '?' || *name == '*' ? name + 1 : name;
}

static bool read_input(parser *p, call *c, int position) {
    skip_space(p);
    if (position >= MOST_ARGUMENTS) return fail(p, p->at, BP_INVALID, "more than %d arguments", MOST_ARGUMENTS);
    if (c->in_at[position])
        return fail(p, p->at, BP_INVALID, "%s of %s is given twice", input_name(c->op, position), c->op->name);
    c->in_at[position] = p->at;
    c->n_in = BP__MAX(c->n_in, position + 1);
    return parse(p, OR, &c->in[position]);
}

/* key=value: an attribute or, of an operation with named inputs, an input. */
static bool read_named(parser *p, call *c, const char *key, size_t n) {
    const char *words[MOST_ATTRS + MOST_ARGUMENTS];
    int64_t used = 0;
    for (int32_t i = 0; i < c->op->n_attrs; i++) {
        if (same_word(key, n, c->op->attrs[i].name)) return read_attr(p, c, i);
        words[used++] = c->op->attrs[i].name;
    }
    for (int32_t i = 0; i < c->op->n_in; i++) {
        if (same_word(key, n, input_name(c->op, i))) return read_input(p, c, i);
        words[used++] = input_name(c->op, i);
    }
    char copy[64] = "", what[96];
    memcpy(copy, key, BP__MIN(n, sizeof copy - 1));
    snprintf(what, sizeof what, "%s has no argument", c->op->name);
    return unknown(p, what, key, n, bp__nearest(copy, words, used));
}

/* Inputs first, then the required attributes in order; texts and lists are no inputs. */
static bool read_positional(parser *p, call *c, int *given) {
    skip_space(p);
    bool input = *p->at != '"' && *p->at != '\'' && *p->at != '[';
    if (input && (c->op->n_in < 0 || *given < c->op->n_in)) return read_input(p, c, (*given)++);
    for (int32_t i = 0; i < c->op->n_attrs; i++) {
        const bp__attr *a = &c->op->attrs[i];
        bool fits = input || a->type == (*p->at == '[' ? BP__ATTR_DIMS : BP__ATTR_TEXT);
        if (a->required && !c->set[i] && fits) return read_attr(p, c, i);
    }
    return fail(p, p->at, BP_INVALID, "%s takes no further argument here; options are key=value", c->op->name);
}

static bool read_arguments(parser *p, call *c) {
    int given = 0;
    bool named = false;
    if (take(p, ')')) return true;
    do {
        skip_space(p);
        size_t n = word_length(p->at);
        const char *key = p->at, *after = key + n;
        while (*after == ' ' || *after == '\t') after++;
        if (n > 0 && *after == '=' && after[1] != '=') {
            p->at = after + 1;
            named = true;
            if (!read_named(p, c, key, n)) return false;
        } else if (named) {
            return fail(p, key, BP_INVALID, "what has no key stands before the key=value arguments");
        } else if (!read_positional(p, c, &given)) {
            return false;
        }
    } while (take(p, ','));
    return need(p, ')');
}

/* Numbers among the inputs get the type of a float that stands beside them, else of an integer, else of the formula. */
static bp_dtype type_of_numbers(const parser *p, const call *c) {
    bp_dtype dtype = p->dtype;
    bool found = false;
    for (int i = 0; i < c->n_in; i++) {
        if (!c->in_at[i] || c->in[i].kind == NUMBER) continue;
        bp_dtype t = bp_value_dtype(c->in[i].value);
        if (is_float(t)) return t;
        if (t != BP_U8 && !found) dtype = t, found = true;
    }
    return dtype;
}

/* ".indices" behind a call: another output than the first. */
static bool select_output(parser *p, const bp__op *op, item *out) {
    if (*p->at != '.') return true;
    const char *word = p->at + 1;
    size_t n = word_length(word);
    if (n == 0) return true;
    for (int32_t k = 0; k < op->n_out; k++)
        if (same_word(word, n, op->out_names[k])) {
            out->value.output = k;
            p->at = word + n;
            return true;
        }
    char copy[64] = "", what[96];
    memcpy(copy, word, BP__MIN(n, sizeof copy - 1));
    snprintf(what, sizeof what, "%s has no output", op->name);
    return unknown(p, what, word, n, bp__nearest(copy, op->out_names, op->n_out));
}

static bool finish_call(parser *p, call *c, item *out) {
    const bp__op *op = c->op;
    bp_value in[MOST_ARGUMENTS];
    for (int32_t i = 0; i < op->n_in; i++)
        if (!c->in_at[i] && op->in_names[i][0] != '?')
            return fail(p, c->at, BP_INVALID, "%s needs the input %s", op->name, input_name(op, i));
    for (int32_t i = 0; i < op->n_attrs; i++)
        if (op->attrs[i].required && !c->set[i]) return fail(p, c->at, BP_INVALID, "%s needs %s=…", op->name, op->attrs[i].name);
    int n_in = op->n_in < 0 ? c->n_in : op->n_in;
    bp_dtype dtype = type_of_numbers(p, c);
    if (!enter(p, c->at)) return false;
    for (int i = 0; i < n_in; i++) {
        in[i] = BP_NONE;
        if (c->in_at[i] && !as_value(p, c->in_at[i], &c->in[i], dtype, &in[i])) return false;
    }
    if (n_in == 0) return fail(p, c->at, BP_INVALID, "%s needs an input", op->name);
    if (!give(out, bp__graph_add(p->g, op, c->attrs, in, n_in))) return false;
    return select_output(p, op, out);
}

static bool read_call(parser *p, const char *name, size_t n, item *out) {
    char copy[64] = "";
    if (n < sizeof copy) memcpy(copy, name, n);
    const bp__op *op = *copy ? bp__op_find(copy) : NULL;
    if (!op || (op->flags & (BP__OP_LEAF | BP__OP_HIDDEN)) || op->n_attrs > MOST_ATTRS)
        return unknown(p, "there is no operation", name, n, nearest(p, name, n, false, true));
    call *c = bp__zalloc(p->g->ctx, sizeof *c); /* not on the stack: calls are nested */
    if (!c) return fail(p, name, BP_MEMORY, "out of memory while building a graph");
    *c = (call){.op = op, .at = name, .length = n, .attrs = bp__pool_alloc(&p->g->pool, op->attrs_size)};
    bool good = c->attrs != NULL;
    if (good)
        memcpy(c->attrs, op->attr_defaults, op->attrs_size);
    else
        fail(p, name, BP_MEMORY, "out of memory while building a graph");
    good = good && read_arguments(p, c) && finish_call(p, c, out);
    bp__free(p->g->ctx, c);
    return good;
}

/* ---- Operands --------------------------------------------------------------------------------------------------------- */

static bool read_name(parser *p, item *out) {
    const char *name = p->at;
    size_t n = word_length(name);
    p->at += n;
    skip_space(p);
    if (*p->at == '(') {
        p->at++;
        return read_call(p, name, n, out);
    }
    for (int i = 0; i < p->n; i++)
        if (same_word(name, n, p->names[i])) return give(out, p->values[i]);
    *out = (item){.kind = NUMBER};
    if (same_word(name, n, "pi")) {
        out->number = 3.14159265358979323846;
        return true;
    }
    if (same_word(name, n, "inf")) {
        out->number = (double)INFINITY;
        return true;
    }
    char copy[64] = "";
    if (n < sizeof copy) memcpy(copy, name, n);
    if (*copy && bp__op_find(copy))
        return fail(p, name, BP_INVALID, "%s is an operation: \"(\" and its inputs are wanted behind it", copy);
    return unknown(p, "there is nothing of the name", name, n, nearest(p, name, n, true, false));
}

static bool negate(parser *p, const char *at, item *x) {
    if (x->kind == NUMBER) {
        x->number = -x->number;
        return true;
    }
    return enter(p, at) && give(x, bp_neg(as_float(x->value, p->dtype)));
}

static bool read_operand(parser *p, item *out) {
    skip_space(p);
    const char *at = p->at;
    if (same_word(at, word_length(at), "not")) {
        p->at += 3;
        if (!parse(p, NOT, out) || !enter(p, at)) return false;
        bp_value x;
        return as_value(p, at, out, p->dtype, &x) && give(out, bp_logical_not(x));
    }
    if (take(p, '-')) return parse(p, SIGN, out) && negate(p, at, out);
    if (take(p, '+')) return parse(p, SIGN, out);
    if (take(p, '(')) return parse(p, OR, out) && need(p, ')');
    if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
        *out = (item){.kind = NUMBER};
        return read_number(p, &out->number);
    }
    if (begins_word(*at)) return read_name(p, out);
    return unexpected(p, "a number, a name or \"(\"");
}

static bool read_operators(parser *p, int level, item *out) {
    bool compared = false;
    for (;;) {
        const infix *op = next_operator(p);
        if (!op || (int)op->level < level) return true;
        const char *at = p->at;
        if (op->level == COMPARE && compared)
            return fail(p, at, BP_INVALID, "comparisons do not follow each other; join two by \"and\"");
        compared = op->level == COMPARE; /* what binds less tightly begins anew, what binds more has been read */
        p->at += strlen(op->text);
        if (op->id == BP__OP_ID_mul && *p->at == '*') return fail(p, at, BP_INVALID, "a power is written ^");
        item right;
        /* ^ takes its right side with its own level: a ^ b ^ c = a ^ (b ^ c). */
        if (!parse(p, op->level == POWER ? POWER : (int)op->level + 1, &right)) return false;
        if (!apply(p, at, op, *out, right, out)) return false;
    }
}

static bool parse(parser *p, int level, item *out) {
    if (p->depth == MOST_DEPTH) return fail(p, p->at, BP_INVALID, "more than %d levels of nesting", MOST_DEPTH);
    p->depth++;
    bool good = read_operand(p, out) && read_operators(p, level, out);
    p->depth--;
    return good;
}

bp_value bp_parse(bp_graph *g, const char *text, const char *const *names, const bp_value *values, int n) {
    if (!g) return BP_NONE;
    if (g->status != BP_OK) return (bp_value){g, -1, 0};
    if (!text) return bp__graph_fail(g, BP_INVALID, "parse: there is no text");
    if (strlen(text) > MOST_TEXT) /* every node looks for its column from the start */
        return bp__graph_fail(g, BP_INVALID, "parse: a formula has at most %d bytes; make parts of it values", MOST_TEXT);
    if (n < 0 || (n > 0 && (!names || !values)))
        return bp__graph_fail(g, BP_INVALID, "parse: %d values need as many names and values", n);
    parser p = {.g = g,
                .text = text,
                .at = text,
                .names = names,
                .values = values,
                .n = n,
                .dtype = g->parameter_dtype,
                .scope = g->scope};
    for (int i = n - 1; i >= 0; i--) {
        if (!names[i]) return bp__graph_fail(g, BP_INVALID, "parse: value %d of %d has no name", i + 1, n);
        if (bp_is_bad(values[i])) return values[i];
        if (values[i].graph != g)
            return bp__graph_fail(g, BP_INVALID, "parse: the value \"%s\" is missing, or belongs to another graph", names[i]);
        if (is_float(bp_value_dtype(values[i]))) p.dtype = bp_value_dtype(values[i]); /* of the first one in the end */
    }
    item x;
    bp_value y = {g, -1, 0};
    if (parse(&p, OR, &x)) {
        skip_space(&p);
        if (*p.at == '=')
            fail(&p, p.at, BP_INVALID, "two values are compared by ==");
        else if (*p.at)
            unexpected(&p, "an operator or the end");
        else if (!as_value(&p, text, &x, p.dtype, &y))
            y = (bp_value){g, -1, 0};
    }
    g->scope = p.scope;
    if (g->status == BP_OK) return y;
    return (bp_value){g, -1, 0};
}
