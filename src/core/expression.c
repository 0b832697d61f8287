#include "core/expression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math64.h"

/* FUNCTION(name, arguments, value of a and b) */
#define FUNCTIONS(FUNCTION)                           \
    FUNCTION(min, 2, b < a ? b : a)                   \
    FUNCTION(max, 2, b > a ? b : a)                   \
    FUNCTION(pow, 2, bp__pow64(a, b))                 \
    FUNCTION(exp, 1, bp__exp64(a))                    \
    FUNCTION(log, 1, bp__log64(a))                    \
    FUNCTION(sqrt, 1, sqrt(a))                        \
    FUNCTION(sin, 1, turn(a, true))                   \
    FUNCTION(cos, 1, turn(a, false))                  \
    FUNCTION(tanh, 1, 1 - 2 / (bp__exp64(2 * a) + 1)) \
    FUNCTION(abs, 1, fabs(a))                         \
    FUNCTION(floor, 1, floor(a))                      \
    FUNCTION(ceil, 1, ceil(a))

typedef enum code {
    NUMBER,
    VARIABLE,
    NEGATE,
    NOT,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    REMAINDER,
    POWER,
    LESS,
    LESS_EQUAL,
    GREATER,
    GREATER_EQUAL,
    EQUAL,
    UNEQUAL,
    AND,
    OR,
    CHOOSE,
#define FUNCTION(name, n, value) CALL_##name,
    FUNCTIONS(FUNCTION)
#undef FUNCTION
} code;

typedef struct instruction {
    code code;
    int variable;
    double number;
} instruction;

struct bp__expression { /* postfix: operands before what takes them */
    bp_context *ctx;
    instruction *list;
    int64_t n, capacity;
};

enum { STACK = 64, DEPTH = 40 };

/* ---- Values ---- */

static double turn(double x, bool sine) {
    double s, c;
    if (!(fabs(x) < 1e9)) return (double)NAN;
    bp__sincos_turns(x * 0.15915494309189533577, &s, &c);
    return sine ? s : c;
}

static double two(code c, double a, double b) {
    switch (c) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    case REMAINDER: return a - b * floor(a / b);
    case POWER: return bp__pow64(a, b);
    case LESS: return a < b;
    case LESS_EQUAL: return a <= b;
    case GREATER: return a > b;
    case GREATER_EQUAL: return a >= b;
    case EQUAL: return a == b;
    case UNEQUAL: return a != b;
    case AND: return a != 0 && b != 0;
    case OR: return a != 0 || b != 0;
#define FUNCTION(name, n, value) \
    case CALL_##name: return value;
        FUNCTIONS(FUNCTION)
#undef FUNCTION
    default: return (double)NAN;
    }
}

static int operands(code c) {
    static const int calls[] = {
#define FUNCTION(name, n, value) n,
        FUNCTIONS(FUNCTION)
#undef FUNCTION
    };
    if (c <= VARIABLE) return 0;
    if (c <= NOT) return 1;
    if (c == CHOOSE) return 3;
    return c > CHOOSE ? calls[c - CHOOSE - 1] : 2;
}

double bp__expression_value(const bp__expression *e, const double *values) {
    double s[STACK + 1];
    int top = 0; /* the parser has seen that it stays within bounds */
    for (int64_t i = 0; i < e->n; i++) {
        const instruction *k = &e->list[i];
        top -= operands(k->code);
        double a = s[top], b = operands(k->code) == 2 ? s[top + 1] : 0;
        switch (k->code) {
        case NUMBER: s[top] = k->number; break;
        case VARIABLE: s[top] = values[k->variable]; break;
        case NEGATE: s[top] = -a; break;
        case NOT: s[top] = a == 0; break;
        case CHOOSE: s[top] = a != 0 ? s[top + 1] : s[top + 2]; break;
        default: s[top] = two(k->code, a, b); break;
        }
        top++;
    }
    return s[0];
}

bool bp__expression_uses(const bp__expression *e, int variable) {
    for (int64_t i = 0; i < e->n; i++)
        if (e->list[i].code == VARIABLE && e->list[i].variable == variable) return true;
    return false;
}

/* ---- Parsing, by recursive descent ---- */

typedef struct parser {
    bp__expression *e;
    const char *text, *at;
    const char *const *names;
    int n_names, height, depth;
    char *why;
    size_t size;
} parser;

static bp_status wrong(parser *p, const char *at, const char *format, ...) BP__PRINTF(3, 4);
static bp_status wrong(parser *p, const char *at, const char *format, ...) {
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(p->why, p->size, "character %lld of \"%.100s\": %s", (long long)(at - p->text) + 1, p->text, what);
    return BP_CONFIG;
}

static void skip_space(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n') p->at++;
}
static bool take(parser *p, const char *sign) {
    skip_space(p);
    size_t n = strlen(sign);
    if (strncmp(p->at, sign, n) != 0) return false;
    p->at += n;
    return true;
}

static bp_status emit(parser *p, code c, int variable, double number) {
    bp__expression *e = p->e;
    p->height += 1 - operands(c);
    if (p->height > STACK) return wrong(p, p->at, "the formula is nested too deeply");
    BP_TRY(BP__GROW(e->ctx, e->list, e->n, e->capacity));
    e->list[e->n++] = (instruction){c, variable, number};
    return BP_OK;
}

static bp_status whole(parser *p);

static bp_status expect(parser *p, const char *sign) {
    if (take(p, sign)) return BP_OK;
    return *p->at ? wrong(p, p->at, "expected `%s`, not `%c`", sign, *p->at) : wrong(p, p->at, "expected `%s` at the end", sign);
}

static bp_status call(parser *p, const char *name, size_t n, const char *at) {
    static const struct {
        const char *name;
        code code;
    } functions[] = {
#define FUNCTION(name, n, value) {#name, CALL_##name},
        FUNCTIONS(FUNCTION)
#undef FUNCTION
    };
    const char *known[BP__COUNT(functions)];
    for (int64_t i = 0; i < BP__COUNT(functions); i++) {
        known[i] = functions[i].name;
        if (strlen(known[i]) != n || memcmp(known[i], name, n) != 0) continue;
        for (int k = 0; k < operands(functions[i].code); k++) {
            if (k > 0) BP_TRY(expect(p, ","));
            BP_TRY(whole(p));
        }
        BP_TRY(expect(p, ")"));
        return emit(p, functions[i].code, 0, 0);
    }
    char word[40];
    snprintf(word, sizeof word, "%.*s", (int)BP__MIN(n, sizeof word - 1), name);
    const char *near = bp__nearest(word, known, BP__COUNT(known));
    return wrong(p, at, "there is no function `%s`%s%s%s", word, near ? ": did you mean `" : "", near ? near : "",
                 near ? "`?" : "");
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bp_status word(parser *p) {
    const char *start = p->at;
    while (is_letter(*p->at) || is_digit(*p->at)) p->at++;
    size_t n = (size_t)(p->at - start);
    if (take(p, "(")) return call(p, start, n, start);
    for (int i = 0; i < p->n_names; i++)
        if (strlen(p->names[i]) == n && memcmp(p->names[i], start, n) == 0) return emit(p, VARIABLE, i, 0);
    if (n == 2 && memcmp(start, "pi", 2) == 0) return emit(p, NUMBER, 0, 3.14159265358979323846);
    char name[40], all[160] = "";
    snprintf(name, sizeof name, "%.*s", (int)BP__MIN(n, sizeof name - 1), start);
    for (int i = 0; i < p->n_names; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s`%s`", i ? ", " : "", p->names[i]);
    }
    return wrong(p, start, "there is no `%s`; %s and `pi` are known", name, all);
}

static bp_status number(parser *p) {
    const char *start = p->at;
    double v;
    while (is_digit(*p->at) || *p->at == '.') p->at++;
    if (*p->at == 'e' || *p->at == 'E') {
        const char *exponent = p->at + 1;
        if (*exponent == '+' || *exponent == '-') exponent++;
        if (is_digit(*exponent)) p->at = exponent;
        while (is_digit(*p->at)) p->at++;
    }
    if (!bp__parse_f64(start, (size_t)(p->at - start), false, &v))
        return wrong(p, start, "`%.*s` is no number", (int)BP__MIN(p->at - start, 40), start);
    return emit(p, NUMBER, 0, v);
}

static bp_status unary(parser *p);

static bp_status power(parser *p) {
    skip_space(p);
    if (is_digit(*p->at) || *p->at == '.') {
        BP_TRY(number(p));
    } else if (is_letter(*p->at)) {
        BP_TRY(word(p));
    } else if (take(p, "(")) {
        BP_TRY(whole(p));
        BP_TRY(expect(p, ")"));
    } else {
        return *p->at ? wrong(p, p->at, "expected a number, a name or `(`, not `%c`", *p->at)
                      : wrong(p, p->at, "the formula ends where a number, a name or `(` is expected");
    }
    if (!take(p, "^") && !take(p, "**")) return BP_OK;
    BP_TRY(unary(p));
    return emit(p, POWER, 0, 0);
}

static bp_status unary(parser *p) {
    if (++p->depth > DEPTH) return wrong(p, p->at, "the formula is nested too deeply");
    skip_space(p);
    bool minus = take(p, "-"), not = !minus && p->at[0] == '!' && p->at[1] != '=' && take(p, "!");
    if (minus || not || take(p, "+")) {
        BP_TRY(unary(p));
        if (minus || not ) BP_TRY(emit(p, minus ? NEGATE : NOT, 0, 0));
    } else {
        BP_TRY(power(p));
    }
    p->depth--;
    return BP_OK;
}

typedef struct sign {
    const char *text;
    code code;
} sign;
enum { LEVELS = 5, SIGNS = 6 };

static bp_status chain(parser *p, int level) {
    static const sign signs[LEVELS][SIGNS + 1] = {
        {{"||", OR}},
        {{"&&", AND}},
        {{"<=", LESS_EQUAL}, {"<", LESS}, {">=", GREATER_EQUAL}, {">", GREATER}, {"==", EQUAL}, {"!=", UNEQUAL}},
        {{"+", ADD}, {"-", SUBTRACT}},
        {{"*", MULTIPLY}, {"/", DIVIDE}, {"%", REMAINDER}}};
    if (level == LEVELS) return unary(p);
    BP_TRY(chain(p, level + 1));
    for (;;) {
        const sign *s = signs[level];
        while (s->text && !take(p, s->text)) s++;
        if (!s->text) return BP_OK;
        BP_TRY(chain(p, level + 1));
        BP_TRY(emit(p, s->code, 0, 0));
    }
}

static bp_status whole(parser *p) {
    if (++p->depth > DEPTH) return wrong(p, p->at, "the formula is nested too deeply");
    BP_TRY(chain(p, 0));
    if (take(p, "?")) {
        BP_TRY(whole(p));
        BP_TRY(expect(p, ":"));
        BP_TRY(whole(p));
        BP_TRY(emit(p, CHOOSE, 0, 0));
    }
    p->depth--;
    return BP_OK;
}

bp_status bp__expression_new(bp__expression **out, bp_context *ctx, const char *text, const char *const *names, int n_names,
                             char *why, size_t size) {
    *out = NULL;
    bp__expression *e = bp__zalloc(ctx, sizeof *e);
    if (!e) return bp__out_of_memory(ctx, sizeof *e);
    e->ctx = ctx;
    parser p = {.e = e, .text = text, .at = text, .names = names, .n_names = n_names, .why = why, .size = size};
    bp_status status = whole(&p);
    if (status == BP_OK) skip_space(&p);
    if (status == BP_OK && *p.at) status = wrong(&p, p.at, "expected an operator or the end, not `%c`", *p.at);
    if (status != BP_OK) {
        bp__expression_free(e);
        return status;
    }
    *out = e;
    return BP_OK;
}

void bp__expression_free(bp__expression *e) {
    if (!e) return;
    bp__free(e->ctx, e->list);
    bp__free(e->ctx, e);
}
