/* The formulas of elementwise.def over tiles, for one type of one instruction set. */
#define BP__EW_FORMULA(name) BP__JOIN(ew_##name, BP__SFX)

/* Every formula as a function of vectors, for the tiles here and the chains compiled ahead. */
#define EW(name, arity, params, text, value, da, db, dc, lo, hi)           \
    BP__INLINE V BP__EW_FORMULA(name)(V a, V b, V c, double p, double q) { \
        (void)a, (void)b, (void)c, (void)p, (void)q;                       \
        return value;                                                      \
    }
#include "kernel/elementwise.def"
#undef EW

/* Inputs that a formula lacks repeat `a`, which costs nothing: the formula does not look at them. */
#define EW(name, arity, params, text, value, da, db, dc, lo, hi)                                                               \
    static void BP__TN(tile_##name)(void *dst, const void *a, const void *b, const void *c, double p, double q, int64_t n) {   \
        T *y = dst;                                                                                                            \
        const T *x0 = a, *x1 = (arity) > 1 ? b : a, *x2 = (arity) > 2 ? c : a;                                                 \
        int64_t i = 0;                                                                                                         \
        for (; i + W <= n; i += W) v_store(y + i, BP__EW_FORMULA(name)(v_load(x0 + i), v_load(x1 + i), v_load(x2 + i), p, q)); \
        int64_t m = n - i;                                                                                                     \
        if (m > 0) {                                                                                                           \
            V r = BP__EW_FORMULA(name)(v_load_n(x0 + i, m), v_load_n(x1 + i, m), v_load_n(x2 + i, m), p, q);                   \
            v_store_n(y + i, r, m);                                                                                            \
        }                                                                                                                      \
    }
#include "kernel/elementwise.def"
#undef EW

static const bp__ew_tile BP__TN(bp__ew_table)[BP__EW_COUNT] = {
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) BP__TN(tile_##name),
#include "kernel/elementwise.def"
#undef EW
};

/* An input of a chain at element i: m < W elements are left, or the W are there (m == W). */
BP__INLINE V BP__TN(bp__chain_load)(const T *x, int64_t i, int64_t m) { return m == W ? v_load(x + i) : v_load_n(x + i, m); }
/* Updates walk through more arrays at once than the hardware follows by itself: the lines some way ahead are asked for. Behind
   the end of an array that does no harm. */
BP__INLINE void BP__TN(bp__chain_ahead)(const T *x, int64_t i) {
    __builtin_prefetch((const void *)((uintptr_t)(x + i) + BP__CHAIN_AHEAD));
}
BP__INLINE void BP__TN(bp__chain_store)(T *y, V r, int64_t i, int64_t m) {
    if (m == W)
        v_store(y + i, r);
    else
        v_store_n(y + i, r, m);
}
#define BP__CHAIN_FUNCTIONS
#include BP__FUSED_CHAINS
#undef BP__CHAIN_FUNCTIONS
