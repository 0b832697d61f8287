/* Element-wise formulas over 64-bit integers: plain loops, wrapping like two's complement; a division by 0 gives 0. */
#include "kernel/ew_move.h"

static int64_t wrap(uint64_t x) { return x <= INT64_MAX ? (int64_t)x : (int64_t)(x - (uint64_t)INT64_MAX - 1) + INT64_MIN; }
static int64_t add(int64_t a, int64_t b) { return wrap((uint64_t)a + (uint64_t)b); }
static int64_t sub(int64_t a, int64_t b) { return wrap((uint64_t)a - (uint64_t)b); }
static int64_t mul(int64_t a, int64_t b) { return wrap((uint64_t)a * (uint64_t)b); }
static int64_t quotient(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? sub(0, a) : a / b; }
static int64_t rest(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static int64_t floor_rest(int64_t a, int64_t b) {
    int64_t r = rest(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static int64_t limit(int64_t a, double least, double most) {
    if ((double)a < least) a = (int64_t)BP__MAX(least, -0x1p62);
    if ((double)a > most) a = (int64_t)BP__MIN(most, 0x1p62);
    return a;
}

/* X(formula, value) over a, b, c, p, q */
#define INTEGER_FORMULAS(X)        \
    X(add, add(a, b))              \
    X(sub, sub(a, b))              \
    X(mul, mul(a, b))              \
    X(div, quotient(a, b))         \
    X(fmod, rest(a, b))            \
    X(remainder, floor_rest(a, b)) \
    X(minimum, a < b ? a : b)      \
    X(maximum, a > b ? a : b)      \
    X(fma, add(mul(a, b), c))      \
    X(neg, sub(0, a))              \
    X(abs, a < 0 ? sub(0, a) : a)  \
    X(square, mul(a, a))           \
    X(eq, a == b)                  \
    X(ne, a != b)                  \
    X(lt, a < b)                   \
    X(le, a <= b)                  \
    X(gt, a > b)                   \
    X(ge, a >= b)                  \
    X(logical_and, a &&b)          \
    X(logical_or, a || b)          \
    X(logical_xor, !a != !b)       \
    X(logical_not, !a)             \
    X(is_nan, 0)                   \
    X(is_finite, 1)                \
    X(where, a ? b : c)            \
    X(sign, (a > 0) - (a < 0))     \
    X(floor, a)                    \
    X(ceil, a)                     \
    X(round, a)                    \
    X(trunc, a)                    \
    X(clamp, limit(a, p, q))       \
    X(hardtanh, limit(a, p, q))    \
    X(relu, a > 0 ? a : 0)         \
    X(relu6, limit(a, 0, 6))

bool bp__ew_integer_has(int op) {
    switch (op) {
#define FORMULA(name, value) case BP__EW_##name:
        INTEGER_FORMULAS(FORMULA)
#undef FORMULA
        return true;
    default: return false;
    }
}

static int64_t value_of(int op, int64_t a, int64_t b, int64_t c, double p, double q) {
    switch (op) {
#define FORMULA(name, value) \
    case BP__EW_##name: return value;
        INTEGER_FORMULAS(FORMULA)
#undef FORMULA
    default: return 0;
    }
}

void bp__ew_integer(int op, int64_t *y, const int64_t *a, const int64_t *b, const int64_t *c, double p, double q, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = value_of(op, a[i], b ? b[i] : 0, c ? c[i] : 0, p, q);
}
