/* Short answers: the resolved configuration, the learning rates, what a file holds, and what there is of each kind. */
#include <stdio.h>
#include <string.h>

#include "io/json.h"
#include "io/yaml.h"
#include "op/op.h"
#include "train/train.h"

bp_status bp_config_resolve(bp_config *cfg, char **text, char **json) {
    if (text) *text = NULL;
    if (json) *json = NULL;
    bp__decided *d = NULL;
    BP_TRY(bp__decide(&d, cfg, NULL));
    bp_status status = text ? bp__yaml_write(cfg->ctx, d->resolved, text) : BP_OK;
    if (status == BP_OK && json) status = bp__json_write(cfg->ctx, d->resolved, 0, json);
    bp__decided_free(d);
    return status;
}

/* The run's ticks, 0 where nothing says them, and the steps of an epoch, 1 where no data was needed to tell the ticks. */
typedef struct extent {
    int64_t ticks, steps_per_epoch;
} extent;
static bp_status extent_of_run(bp_config *cfg, const bp__settings *s, bool per_epoch, bool needs_epochs, extent *e) {
    *e = (extent){0, 1};
    if (per_epoch && s->has_epochs) e->ticks = s->epochs;
    if (!per_epoch && s->has_steps && !s->has_epochs) e->ticks = s->steps;
    if (!needs_epochs && (per_epoch || !s->has_epochs)) return BP_OK;
    bp__decided *d = NULL;
    BP_TRY(bp__decide(&d, cfg, NULL));
    if (d->n_steps > 0 && !per_epoch) e->ticks = d->n_steps;
    e->steps_per_epoch = d->steps_per_epoch;
    bp__decided_free(d);
    return BP_OK;
}

bp_status bp_config_ticks(bp_config *cfg, int64_t *n) {
    bp__settings s;
    bp__schedule *rate = NULL;
    extent e = {0, 1};
    *n = 0;
    BP_TRY(bp__settings_read_rates(&s, cfg));
    BP_TRY(bp__schedule_new(&rate, cfg->ctx, s.file, s.schedule, s.lr));
    bp_status status = BP_OK;
    if (bp__schedule_per_epoch(rate) || s.data.train.path || !s.has_epochs)
        status = extent_of_run(cfg, &s, bp__schedule_per_epoch(rate), false, &e);
    bp__schedule_free(rate);
    if (status != BP_OK && status != BP_CONFIG && status != BP_MEMORY) { /* the data cannot be read: then it is not known */
        bp_context_clear_error(cfg->ctx);
        status = BP_OK;
    }
    *n = status == BP_OK ? e.ticks : 0;
    return status;
}

bp_status bp_config_rates(bp_config *cfg, int64_t n, double *lr, const char **per) {
    bp__settings s;
    bp__schedule *rate = NULL;
    if (n < 0) return bp__fail(cfg->ctx, BP_INVALID, "the number of rates is %lld", (long long)n);
    BP_TRY(bp__settings_read_rates(&s, cfg));
    BP_TRY(bp__schedule_new(&rate, cfg->ctx, s.file, s.schedule, s.lr));
    bool per_epoch = bp__schedule_per_epoch(rate), epochs = bp__schedule_needs_epochs(rate);
    bp_status status = BP_OK;
    if (bp__schedule_needs_length(rate) || epochs) {
        extent e;
        status = extent_of_run(cfg, &s, per_epoch, epochs, &e);
        bp__schedule_set_length(rate, BP__MAX(e.ticks > 0 ? e.ticks : n, 1));
        bp__schedule_set_epoch(rate, e.steps_per_epoch);
    }
    for (int64_t i = 0; i < n && status == BP_OK; i++) lr[i] = bp__schedule_value(rate, i);
    if (per) *per = per_epoch ? "epoch" : "step";
    bp__schedule_free(rate);
    return status;
}

static bp_status describe_text(bp_context *ctx, const bp__tree *t, char **text) {
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    const bp__tree *rows = bp__tree_get(t, "rows"), *columns = bp__tree_get(t, "columns");
    if (rows) bp__buffer_printf(&b, "%lld row%s\n", (long long)rows->integer, rows->integer == 1 ? "" : "s");
    bp__buffer_printf(&b, "%-24s %-10s %9s %9s  %s\n", "column", "type", "missing", "distinct", "why");
    for (const bp__tree *c = columns ? columns->child : NULL; c; c = c->next) {
        const bp__tree *name = bp__tree_get(c, "name"), *type = bp__tree_get(c, "type"), *missing = bp__tree_get(c, "missing"),
                       *distinct = bp__tree_get(c, "distinct"), *why = bp__tree_get(c, "why");
        bp__buffer_printf(&b, "%-24s %-10s %9lld %9lld  %s\n", name && name->text ? name->text : "",
                          type && type->text ? type->text : "", missing ? (long long)missing->integer : 0LL,
                          distinct ? (long long)distinct->integer : 0LL, why && why->text ? why->text : "");
    }
    return bp__buffer_take(&b, text);
}

bp_status bp_data_describe(bp_context *ctx, const bp_data *data, char **text, char **json) {
    if (text) *text = NULL;
    if (json) *json = NULL;
    if (data->size < sizeof *data || !data->path)
        return bp__fail(ctx, BP_INVALID, "no data is given, or bp_data.size is not sizeof(bp_data)");
    bp__read_options o = {.no_header = data->no_header != 0, .member = data->input, .labels = data->target};
    bp__source *source = NULL;
    bp__tree *tree = NULL;
    BP_TRY(bp__source_open(&source, ctx, data->path, &o));
    bp_status status = bp__describe(&tree, ctx, source);
    if (status == BP_OK && text) status = describe_text(ctx, tree, text);
    if (status == BP_OK && json) status = bp__json_write(ctx, tree, 0, json);
    bp__tree_free(ctx, tree);
    bp__source_free(source);
    return status;
}

const char *bp_kind(const char *what, int index, const char **help) {
    const char *main_key = NULL;
    if (strcmp(what, "layer") == 0) return bp__nn_kind(index, &main_key, help);
    if (strcmp(what, "loss") == 0) return bp__loss_kind(index, help);
    if (strcmp(what, "optimizer") == 0) return bp__optimizer_kind(index, help);
    if (strcmp(what, "schedule") == 0) return bp__schedule_kind(index, help);
    if (strcmp(what, "initializer") == 0) return bp__initializer_kind(index, help);
    if (strcmp(what, "metric") == 0) return bp__metric_name(index, help);
    return NULL;
}

static const bp__op *operation(int index) {
    for (int i = 0; i < bp__op_count(); i++)
        if (!(bp__op_at(i)->flags & BP__OP_HIDDEN) && index-- == 0) return bp__op_at(i);
    return NULL;
}

const char *bp_operation(int index, const char **formula, int *differentiable, int *n_samples) {
    const bp__op *op = operation(index);
    if (!op) return NULL;
    if (formula) *formula = op->formula ? op->formula : "";
    if (differentiable) *differentiable = !(op->flags & BP__OP_NO_GRADIENT);
    if (n_samples) *n_samples = op->n_samples;
    return op->name;
}

const char *bp_operation_family(int index) {
    const bp__op *op = operation(index);
    return op ? op->family : NULL;
}
