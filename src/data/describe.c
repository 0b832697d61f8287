/* What the data looks like and what was made of it: for people, and for `data describe`. */
#include "data/data.h"
#include <string.h>

static bp_status describe_column(bp__tree *list, const bp__table *t, int64_t i, bp__tree **last) {
    bp_context *ctx = t->ctx;
    bp__column_info info;
    BP_TRY(bp__column_infer(&info, t, i));
    bp__tree *m = bp__tree_new(ctx, BP__MAP);
    if (!m) return bp__out_of_memory(ctx, sizeof *m);
    *(*last ? &(*last)->next : &list->child) = m; /* by hand: appending would walk the list of a wide table */
    *last = m;
    struct {
        const char *key;
        bp__tree *value;
    } members[] = {{"name", bp__tree_text(ctx, t->columns[i].name)},
                   {"type", bp__tree_text(ctx, bp__column_type_name(info.type))},
                   {"missing", bp__tree_int(ctx, info.n_missing)},
                   {"distinct", bp__tree_int(ctx, info.n_distinct)},
                   {"why", bp__tree_text(ctx, info.why)}};
    bp_status status = BP_OK;
    for (int64_t k = 0; k < BP__COUNT(members); k++) {
        if (members[k].value && status == BP_OK)
            status = bp__tree_put(ctx, m, members[k].key, members[k].value);
        else {
            if (members[k].value) bp__tree_free(ctx, members[k].value);
            if (status == BP_OK) status = bp__out_of_memory(ctx, sizeof(bp__tree));
        }
    }
    return status;
}

/* An array described as the table that it would be: columns x1, x2 …, and target. */
static bp_status as_table(bp__table **out, const bp__source *s) {
    int64_t rows = s->array.shape[0], width = s->array.size / rows;
    int64_t labels = s->labels.data && s->labels.shape[0] == rows ? s->labels.size / rows : 0;
    BP_TRY(bp__table_new(out, s->ctx, width + labels));
    bp__table *t = *out;
    for (int64_t i = 0; i < t->n_columns; i++) {
        bp__buffer b;
        bp__buffer_init(&b, s->ctx);
        if (i < width)
            bp__buffer_printf(&b, "x%lld", (long long)i + 1);
        else if (labels == 1)
            bp__buffer_text(&b, "target");
        else
            bp__buffer_printf(&b, "target_%lld", (long long)(i - width) + 1);
        BP_TRY(bp__buffer_take(&b, &t->columns[i].name));
    }
    for (int64_t r = 0; r < rows; r++) {
        BP_TRY(bp__table_add_row(t, r));
        for (int64_t i = 0; i < t->n_columns; i++) {
            double v = i < width ? bp__array_get(&s->array, r * width + i) : bp__array_get(&s->labels, r * labels + i - width);
            t->columns[i].cells[r] = v == v ? v : bp__cell_missing();
        }
    }
    return BP_OK;
}

static bp_status describe(bp__tree *root, bp_context *ctx, const bp__table *t) {
    bp__tree *rows = bp__tree_int(ctx, t->n_rows);
    if (!rows) return bp__out_of_memory(ctx, sizeof *rows);
    BP_TRY(bp__tree_put(ctx, root, "rows", rows));
    bp__tree *columns = bp__tree_new(ctx, BP__LIST), *last = NULL;
    if (!columns) return bp__out_of_memory(ctx, sizeof *columns);
    BP_TRY(bp__tree_put(ctx, root, "columns", columns));
    for (int64_t i = 0; i < t->n_columns; i++) BP_TRY(describe_column(columns, t, i, &last));
    return BP_OK;
}

bp_status bp__describe(bp__tree **out, bp_context *ctx, const bp__source *s) {
    *out = NULL;
    bp__tree *root = bp__tree_new(ctx, BP__MAP);
    if (!root) return bp__out_of_memory(ctx, sizeof *root);
    bp__table *made = NULL;
    bp_status status = s->table ? BP_OK : as_table(&made, s);
    if (status == BP_OK) status = describe(root, ctx, s->table ? s->table : made);
    bp__table_free(made);
    if (status == BP_OK)
        *out = root;
    else
        bp__tree_free(ctx, root);
    return status;
}

bp_status bp__prep_explain(char **out, const bp__prep *p) {
    bp__buffer b;
    bp__buffer_init(&b, p->ctx);
    bp__buffer_printf(&b, "task %s\n", p->task_why ? p->task_why : "");
    for (int64_t i = 0; i < p->n_inputs; i++) {
        const bp__prep_column *c = &p->columns[i];
        const char *how = c->encoding == BP__IGNORED           ? "not used"
                          : c->encoding == BP__ONE_HOT         ? "one-hot"
                          : c->normalize == BP__NORMALIZE_NONE ? "as it is"
                                                               : bp__normalize_name(c->normalize);
        bp__buffer_printf(&b, "column %s: %s (%s), %s\n", c->name, bp__column_type_name(c->type), c->why, how);
    }
    for (int64_t i = 0; i < p->n_targets; i++)
        if (p->targets[i].normalize != BP__NORMALIZE_NONE)
            bp__buffer_printf(&b, "target %s: normalised (%s)\n", p->targets[i].name,
                              bp__normalize_name(p->targets[i].normalize));
    return bp__buffer_take(&b, out);
}
