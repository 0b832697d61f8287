/* train --resume: what may differ between a run and its continuation. */
#include <stdio.h>
#include <string.h>

#include "io/files.h"
#include "io/json.h"
#include "train/train.h"

/* Neither changes what was computed so far, nor the next step. */
static const char *const free_keys[] = {"train.threads", "train.epochs", "train.steps", "train.max_time", "train.checkpoint"};

/* Is `key` `of` or inside it? */
static bool within(const char *key, const char *of) {
    size_t n = strlen(of);
    return strncmp(key, of, n) == 0 && (key[n] == 0 || key[n] == '.');
}

static bool allowed(const bp_config *cfg, const char *key) {
    for (int64_t i = 0; i < BP__COUNT(free_keys); i++)
        if (within(key, free_keys[i])) return true;
    for (int i = 0; i < cfg->n_assigned; i++)
        if (within(key, cfg->assigned[i]) || within(cfg->assigned[i], key)) return true;
    return false;
}

/* Appends the paths of all differences that are not allowed. */
static void compare(const bp_config *cfg, const bp__tree *a, const bp__tree *b, const char *path, bp__buffer *out) {
    bool maps = a && b && a->kind == BP__MAP && b->kind == BP__MAP;
    if (!maps) {
        if (a && b ? bp__tree_equal(a, b) : a == b) return;
        if (!allowed(cfg, path)) bp__buffer_printf(out, "%s%s", out->size ? ", " : "", path);
        return;
    }
    for (int side = 0; side < 2; side++)
        for (const bp__tree *c = (side ? b : a)->child; c; c = c->next) {
            char key[300];
            snprintf(key, sizeof key, "%.150s%s%.140s", path, path[0] ? "." : "", c->key);
            if (side == 0)
                compare(cfg, c, bp__tree_get(b, c->key), key, out);
            else if (!bp__tree_get(a, c->key))
                compare(cfg, NULL, c, key, out);
        }
}

bp_status bp__resume_check(const bp_config *cfg) {
    bp_config *was = NULL;
    BP_TRY(bp_config_open(&was, cfg->ctx, cfg->resume));
    bp__buffer b;
    bp__buffer_init(&b, cfg->ctx);
    compare(cfg, was->tree, cfg->tree, "", &b);
    bp_status status = b.failed ? bp__out_of_memory(cfg->ctx, b.size) : BP_OK;
    if (status == BP_OK && b.size)
        status = bp__fail_at(cfg->ctx, BP_CONFIG,
                             (bp__where){.code = "resume_differs",
                                         .file = cfg->resume,
                                         .hint = "leave them as they were, or name each with --set to change it all the same"},
                             "%s was trained with another %.400s: going on would give neither the old run nor the new one",
                             cfg->resume, b.data);
    bp__buffer_free(&b);
    bp_config_free(was);
    return status;
}

bp_status bp__resume_from(const bp_config *cfg, char **from) {
    bp_context *ctx = cfg->ctx;
    *from = NULL;
    char *path = bp__path_join(ctx, cfg->resume, "record.json");
    bp__tree *record = NULL;
    bp_status status = path ? bp__json_parse_file(ctx, path, 0, &record) : bp__out_of_memory(ctx, 0);
    const bp__tree *t = bp__tree_get(record, "from");
    if (status == BP_OK && t && t->kind == BP__TEXT && !(*from = bp__strdup(ctx, t->text))) status = bp__out_of_memory(ctx, 0);
    bp__tree_free(ctx, record);
    bp__free(ctx, path);
    return status;
}
