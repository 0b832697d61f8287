/* What the tests of src/core share: a plain context, and random bits that do not come from what is tested. */
#ifndef BP__CORE_HELP_H
#define BP__CORE_HELP_H
#include "core/core.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static inline bp_context *context(void) {
    bp_context *ctx;
    assert_int_equal(bp_context_new(&ctx, NULL), BP_OK);
    return ctx;
}

static inline uint64_t next_bits(void) { /* xorshift */
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static inline bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; } /* to the bit */
#endif
