/* What every constructor does, whatever its operation. */
#include "op/construct.h"
#include <string.h>

void bp__op_options(void *to, size_t size, const void *from, size_t from_size) { memcpy(to, from, BP__MIN(size, from_size)); }

/* Attributes outlive the call, and so do their texts. Lists are no longer than bp_dims holds. */
static bool keep_attributes(bp_graph *g, const bp__op *op, void *attrs) {
    for (int32_t i = 0; i < op->n_attrs; i++) {
        const bp_dims *list = (const bp_dims *)(const void *)((char *)attrs + op->attrs[i].offset);
        if (op->attrs[i].type == BP__ATTR_DIMS && list->n > BP_MAX_DIMS) {
            bp__graph_fail(g, BP_SHAPE, "%s: %s has %lld numbers, at most %d are possible", op->name, op->attrs[i].name,
                           (long long)list->n, BP_MAX_DIMS);
            return false;
        }
        const char **text = (const char **)(void *)((char *)attrs + op->attrs[i].offset);
        if (op->attrs[i].type != BP__ATTR_TEXT) continue;
        if (!*text) {
            bp__graph_fail(g, BP_INVALID, "%s: %s is NULL; it must be a text", op->name, op->attrs[i].name);
            return false;
        }
        *text = bp__pool_strdup(&g->pool, *text);
        if (*text) continue;
        bp__graph_fail(g, BP_MEMORY, "%s: out of memory while building a graph", op->name);
        return false;
    }
    return true;
}

bp_value bp__op_build(enum bp__op_id id, void *attrs, const bp_value *in, int n_in) {
    const bp__op *op = bp__op_id(id);
    bp_graph *g = NULL;
    if (!in) n_in = 0;
    for (int i = 0; i < n_in; i++) {
        if (bp_is_bad(in[i])) return in[i];
        if (!g) g = in[i].graph;
    }
    if (!g) return BP_NONE; /* no input, so no graph that could hold an error */
    if (!keep_attributes(g, op, attrs)) return (bp_value){g, -1, 0};
    return bp__graph_add(g, op, attrs, in, n_in);
}
