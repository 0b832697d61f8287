/* The table of operations: one entry per line of ops.def, then one per row of elementwise.def. */
#include "op/elementwise.h"
#include <assert.h>
#include <string.h>

#define OP(name, ...) extern const bp__op_def bp__def_##name;
#define LEAF(name, ...) extern const bp__op_def bp__def_##name;
#include "op/ops.def"
#undef OP
#undef LEAF

#define OP(name, ...) &bp__def_##name,
#define LEAF(name, ...) &bp__def_##name,
static const bp__op *const table[] = {
#include "op/ops.def"
};
#undef OP
#undef LEAF

enum { N_TABLE = sizeof table / sizeof table[0] };
static_assert((int)N_TABLE + (int)BP__EW_COUNT == (int)BP__OP_ID_COUNT, "ops_generated.h is stale: run gen_ops");
#define OP(name, ...) static_assert((int)BP__OP_ID_##name < (int)N_TABLE, "ops_generated.h is stale: run gen_ops");
#define LEAF(name, ...) static_assert((int)BP__OP_ID_##name < (int)N_TABLE, "ops_generated.h is stale: run gen_ops");
#include "op/ops.def"
#undef OP
#undef LEAF
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) \
    static_assert((int)BP__OP_ID_##name == (int)N_TABLE + (int)BP__EW_##name, "ops_generated.h is stale: run gen_ops");
#include "kernel/elementwise.def"
#undef EW

int bp__op_count(void) { return BP__OP_ID_COUNT; }

const bp__op *bp__op_at(int index) {
    if (index < 0 || index >= BP__OP_ID_COUNT) return NULL;
    return index < N_TABLE ? table[index] : &bp__ew_defs[index - N_TABLE];
}

const bp__op *bp__op_id(enum bp__op_id id) { return bp__op_at((int)id); }

const bp__op *bp__op_ew(int ew_op) { return ew_op >= 0 && ew_op < BP__EW_COUNT ? &bp__ew_defs[ew_op] : NULL; }

const bp__op *bp__op_find(const char *name) {
    for (int i = 0; i < BP__OP_ID_COUNT; i++)
        if (!strcmp(bp__op_at(i)->name, name)) return bp__op_at(i);
#define ALIAS(other, op) \
    if (!strcmp(name, #other)) return bp__op_id(BP__OP_ID_##op);
#define SLICES(other, sentence)
#include "op/aliases.def"
#undef ALIAS
#undef SLICES
    return NULL;
}

const char *bp_operation_alias(int index, const char **operation, const char **note) {
#define ALIAS(other, op) {#other, #op, NULL},
#define SLICES(other, sentence) {#other, "slice", sentence},
    static const struct {
        const char *name, *operation, *note;
    } aliases[] = {
#include "op/aliases.def"
    };
#undef ALIAS
#undef SLICES
    if (index < 0 || index >= (int)BP__COUNT(aliases)) return NULL;
    if (operation) *operation = aliases[index].operation;
    if (note) *note = aliases[index].note;
    return aliases[index].name;
}

static bool text_equal(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

bool bp__attrs_equal(const bp__op *op, const void *a, const void *b) {
    if (op->attrs_equal) return op->attrs_equal(a, b);
    for (int32_t i = 0; i < op->n_attrs; i++) {
        const void *x = (const char *)a + op->attrs[i].offset, *y = (const char *)b + op->attrs[i].offset;
        bool equal = false;
        switch (op->attrs[i].type) {
        case BP__ATTR_F64: equal = !memcmp(x, y, sizeof(double)); break; /* bits: NaN equals itself, -0 is not 0 */
        case BP__ATTR_I64: equal = *(const int64_t *)x == *(const int64_t *)y; break;
        case BP__ATTR_BOOL: equal = !*(const int32_t *)x == !*(const int32_t *)y; break;
        case BP__ATTR_DTYPE: equal = *(const int32_t *)x == *(const int32_t *)y; break;
        case BP__ATTR_TEXT: equal = text_equal(*(const char *const *)x, *(const char *const *)y); break;
        case BP__ATTR_DIMS: {
            const bp_dims *d = x, *e = y;
            equal = d->n == e->n;
            for (int64_t k = 0; equal && k < d->n; k++) equal = d->dim[k] == e->dim[k];
            break;
        }
        }
        if (!equal) return false;
    }
    return true;
}
