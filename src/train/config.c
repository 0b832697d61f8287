/* The configuration as an object: a tree that grows by files, texts and single keys. settings.c reads what it says. */
#include "train/train.h"

#include <stdio.h>
#include <string.h>

#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/shorthand.h"
#include "io/yaml.h"

bp_status bp__config_new_tree(bp_config **out, bp_context *ctx, bp__tree *tree, const char *file) {
    *out = NULL;
    bp_config *cfg = bp__zalloc(ctx, sizeof *cfg);
    char *name = file ? bp__strdup(ctx, file) : NULL;
    if (!cfg || !tree || (file && !name)) {
        bp__free(ctx, cfg);
        bp__free(ctx, name);
        bp__tree_free(ctx, tree);
        return bp__out_of_memory(ctx, sizeof *cfg);
    }
    if (tree->kind != BP__MAP) {
        int line = tree->line;
        bp__free(ctx, cfg);
        bp__free(ctx, name);
        bp__tree_free(ctx, tree);
        return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "bad_value", .file = file, .line = line},
                           "a configuration is a mapping of sections such as data, model and train");
    }
    *cfg = (bp_config){.ctx = ctx, .tree = tree, .file = name};
    *out = cfg;
    return BP_OK;
}

bp_status bp_config_new(bp_config **out, bp_context *ctx) {
    return bp__config_new_tree(out, ctx, bp__tree_new(ctx, BP__MAP), NULL);
}

bp_status bp_config_parse(bp_config **out, bp_context *ctx, const char *text) {
    *out = NULL;
    bp__tree *tree = NULL;
    BP_TRY(bp__yaml_parse(ctx, text, strlen(text), NULL, &tree));
    return bp__config_new_tree(out, ctx, tree, NULL);
}

static void free_command(bp_config *cfg) {
    for (int i = 0; i < cfg->n_command; i++) bp__free(cfg->ctx, cfg->command[i]);
    bp__free(cfg->ctx, cfg->command);
    cfg->command = NULL;
    cfg->n_command = 0;
}

void bp_config_free(bp_config *cfg) {
    if (!cfg) return;
    free_command(cfg);
    bp__tree_free(cfg->ctx, cfg->tree);
    bp__free(cfg->ctx, cfg->file);
    bp__free(cfg->ctx, cfg->out);
    bp__free(cfg->ctx, cfg->from);
    bp__free(cfg->ctx, cfg->resume);
    for (int64_t i = 0; i < cfg->n_assigned; i++) bp__free(cfg->ctx, cfg->assigned[i]);
    bp__free(cfg->ctx, cfg->assigned);
    bp__free(cfg->ctx, cfg);
}

/* ---- Paths in a file are relative to its folder ---- */

static bool is_relative(const bp__tree *t) {
    return t && t->kind == BP__TEXT && t->text[0] && t->text[0] != '/' && strcmp(t->text, "-") != 0 &&
           strncmp(t->text, "builtin:", 8) != 0;
}
/* `only_existing`: the text may also be the name of a column, so it is a path only where there is such a file. */
static bp_status rebase(bp_context *ctx, const char *folder, bp__tree *t, bool only_existing) {
    if (!is_relative(t)) return BP_OK;
    char *path = bp__path_join(ctx, folder, t->text);
    if (!path) return bp__out_of_memory(ctx, 0);
    if (only_existing && !bp__file_exists(path)) {
        bp__free(ctx, path);
        return BP_OK;
    }
    bp__free(ctx, t->text);
    t->text = path;
    return BP_OK;
}
static bp_status rebase_data(bp_context *ctx, const char *folder, bp__tree *data) {
    if (!data) return BP_OK;
    BP_TRY(rebase(ctx, folder, bp__tree_get(data, "path"), false));
    BP_TRY(rebase(ctx, folder, bp__tree_get(data, "target"), true));
    static const char *const sets[] = {"train", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        bp__tree *set = bp__tree_get(data, sets[i]);
        BP_TRY(rebase(ctx, folder, set, false));
        BP_TRY(rebase(ctx, folder, bp__tree_get(set, "path"), false));
        BP_TRY(rebase(ctx, folder, bp__tree_get(set, "target"), true));
    }
    return BP_OK;
}

/* The configuration inside a model file. */
static bp_status open_model(bp_config **out, bp_context *ctx, const char *path) {
    bp__st_file *file = NULL;
    BP_TRY(bp__safetensors_open(ctx, path, &file));
    const char *text = bp__safetensors_meta(file, "backprop");
    bp__tree *meta = NULL, *config = NULL;
    bp_status status = text ? bp__json_parse(ctx, text, strlen(text), path, &meta)
                            : bp__fail_at(ctx, BP_FORMAT, (bp__where){.code = "no_config", .file = path},
                                          "%s holds weights only and no configuration", path);
    if (status == BP_OK) {
        config = bp__tree_copy(ctx, bp__tree_get(meta, "config"));
        status = bp__config_new_tree(out, ctx, config ? config : bp__tree_new(ctx, BP__MAP), path);
    }
    bp__tree_free(ctx, meta);
    bp__safetensors_close(file);
    return status;
}

bp_status bp_config_open(bp_config **out, bp_context *ctx, const char *path) {
    *out = NULL;
    char *inner = NULL;
    if (bp__file_is_dir(path)) {
        inner = bp__path_join(ctx, path, "config.yaml");
        if (!inner) return bp__out_of_memory(ctx, 0);
        if (!bp__file_exists(inner)) {
            bp__free(ctx, inner);
            return bp__fail_at(ctx, BP_NOT_FOUND, (bp__where){.code = "no_such_file", .file = path},
                               "%s is a folder without config.yaml, so it is no run directory", path);
        }
        path = inner;
    }
    bp__tree *tree = NULL;
    bp_status status;
    if (bp__safetensors_named(path)) {
        status = open_model(out, ctx, path);
    } else {
        status = bp__yaml_parse_file(ctx, path, &tree);
        char *folder = status == BP_OK ? bp__path_folder(ctx, path) : NULL;
        if (status == BP_OK && !folder) status = bp__out_of_memory(ctx, 0);
        if (status == BP_OK) status = rebase_data(ctx, folder, bp__tree_get(tree, "data"));
        if (status == BP_OK) {
            status = bp__config_new_tree(out, ctx, tree, path);
            tree = NULL;
        }
        bp__tree_free(ctx, tree);
        bp__free(ctx, folder);
    }
    bp__free(ctx, inner);
    return status;
}

/* ---- Single keys ---- */

/* The rate of the optimiser that is chosen, whichever it is. */
static bp_status set_rate(bp_config *cfg, bp__tree *value) {
    bp_context *ctx = cfg->ctx;
    bp__tree *chosen = bp__tree_get(cfg->tree, "optimizer");
    const char *name = "adam";
    if (chosen && chosen->kind == BP__TEXT) name = chosen->text;
    if (chosen && chosen->kind == BP__MAP && chosen->child) name = chosen->child->key;
    char path[200];
    snprintf(path, sizeof path, "optimizer.%s.lr", name);
    return bp__tree_set_path(ctx, cfg->tree, path, value);
}

/* data.path, data.target and data.input are short for data.train's, which may be a path alone. What is set later replaces the
   value where it stands, whichever way was taken: the key to set, or `key` itself. */
static const char *data_key(char out[40], const bp__tree *data, const char *key, const bp__tree *value) {
    static const char *const names[] = {"path", "target", "input"};
    const bp__tree *train = bp__tree_get(data, "train");
    bool map = train && train->kind == BP__MAP;
    if (strcmp(key, "data.train") == 0 && value->kind == BP__TEXT) key = "data.train.path";
    for (int i = 0; i < 3; i++) {
        char brief[40], whole[40];
        snprintf(brief, sizeof brief, "data.%s", names[i]);
        snprintf(whole, sizeof whole, "data.train.%s", names[i]);
        if (strcmp(key, brief) != 0 && strcmp(key, whole) != 0) continue;
        bool in_train = i == 0 ? train != NULL : map && bp__tree_get(train, names[i]);
        snprintf(out, 40, "%s", !in_train ? brief : map ? whole : "data.train");
        return out;
    }
    return key;
}

/* data.validation and data.test may be a path alone too; to take a key beside it, they become a mapping. */
static bp_status unfold_set(bp_config *cfg, bp__tree *data, const char *key) {
    static const char *const sets[] = {"validation", "test"};
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(sets[i]);
        const bp__tree *set = bp__tree_get(data, sets[i]);
        if (!set || set->kind != BP__TEXT || strncmp(key, "data.", 5) != 0) continue;
        if (strncmp(key + 5, sets[i], n) != 0 || key[5 + n] != '.') continue;
        bp__tree *map = bp__tree_new(cfg->ctx, BP__MAP);
        if (!map) return bp__out_of_memory(cfg->ctx, 0);
        map->line = set->line;
        bp_status status = bp__put_copy(cfg->ctx, map, "path", set, NULL);
        if (status == BP_OK) return bp__tree_put(cfg->ctx, data, sets[i], map);
        bp__tree_free(cfg->ctx, map);
        return status;
    }
    return BP_OK;
}

static bp_status put(bp_config *cfg, const char *key, bp__tree *value) {
    if (!value) return bp__out_of_memory(cfg->ctx, 0);
    bp__tree *data = bp__tree_get(cfg->tree, "data");
    char other[40];
    key = data_key(other, data, key, value);
    bp_status status = unfold_set(cfg, data, key);
    if (status != BP_OK) {
        bp__tree_free(cfg->ctx, value);
        return status;
    }
    return strcmp(key, "optimizer.lr") == 0 ? set_rate(cfg, value) : bp__tree_set_path(cfg->ctx, cfg->tree, key, value);
}

bp_status bp_config_set(bp_config *cfg, const char *key, const char *value) {
    bp__tree *tree = NULL;
    BP_TRY(bp__yaml_parse_value(cfg->ctx, value, strlen(value), key, &tree));
    return put(cfg, key, tree);
}

bp_status bp_config_set_text(bp_config *cfg, const char *key, const char *text) {
    return put(cfg, key, bp__tree_text(cfg->ctx, text));
}

bp_status bp_config_assign(bp_config *cfg, const char *assignment) {
    BP_TRY(BP__GROW(cfg->ctx, cfg->assigned, cfg->n_assigned, cfg->cap_assigned));
    size_t n = strcspn(assignment, "=");
    char *key = bp__alloc(cfg->ctx, n + 1);
    if (!key) return bp__out_of_memory(cfg->ctx, n + 1);
    memcpy(key, assignment, n);
    key[n] = 0;
    cfg->assigned[cfg->n_assigned++] = key;
    if (assignment[n] && (strcmp(key, "optimizer.lr") == 0 || strncmp(key, "data.", 5) == 0) && !strchr(key, '"'))
        return bp_config_set(cfg, key, assignment + n + 1);
    return bp__tree_set(cfg->ctx, cfg->tree, assignment);
}

bp_status bp_config_choose(bp_config *cfg, const char *key, const char *text) {
    static const char *const keys[] = {"model", "loss", "optimizer", "schedule"};
    bool known = false;
    for (int i = 0; i < 4; i++) known |= strcmp(key, keys[i]) == 0;
    char hint[80];
    if (!known)
        return bp__fail_at(cfg->ctx, BP_INVALID, (bp__where){.hint = bp__name_hint(hint, sizeof hint, key, keys, 4)},
                           "%s is no choice", key);
    bp__tree *tree = NULL;
    char flag[40];
    snprintf(flag, sizeof flag, "--%s", key);
    if (strcmp(key, "model") == 0)
        BP_TRY(bp__shorthand_layers(cfg->ctx, flag, text, &tree));
    else
        BP_TRY(bp__shorthand_choice(cfg->ctx, flag, text, &tree));
    return bp__tree_put(cfg->ctx, cfg->tree, key, tree);
}

static bp_status copy(bp_context *ctx, char **to, const char *from) {
    bp__free(ctx, *to);
    *to = from ? bp__strdup(ctx, from) : NULL;
    return from && !*to ? bp__out_of_memory(ctx, strlen(from)) : BP_OK;
}

bp_status bp_config_set_run(bp_config *cfg, const bp_run_options *options) {
    if (options->size < sizeof *options)
        return bp__fail(cfg->ctx, BP_INVALID, "bp_run_options.size is %zu, not sizeof(bp_run_options)", options->size);
    BP_TRY(copy(cfg->ctx, &cfg->out, options->out));
    BP_TRY(copy(cfg->ctx, &cfg->from, options->from));
    BP_TRY(copy(cfg->ctx, &cfg->resume, options->resume));
    cfg->force = options->force != 0;
    free_command(cfg);
    if (options->n_command <= 0) return BP_OK;
    cfg->command = bp__zalloc(cfg->ctx, sizeof(char *) * (size_t)options->n_command);
    if (!cfg->command) return bp__out_of_memory(cfg->ctx, 0);
    for (int i = 0; i < options->n_command; i++) {
        cfg->n_command = i + 1;
        BP_TRY(copy(cfg->ctx, &cfg->command[i], options->command[i]));
    }
    return BP_OK;
}

bp_status bp_config_check(bp_config *cfg) {
    bp__settings s;
    if (cfg->resume) BP_TRY(bp__resume_check(cfg));
    return bp__settings_read(&s, cfg);
}

/* ---- Building trees ---- */

bp_status bp__put(bp_context *ctx, bp__tree *map, const char *key, bp__tree *value, const char *why) {
    if (!value) return bp__out_of_memory(ctx, sizeof *value);
    char *comment = why ? bp__strdup(ctx, why) : NULL;
    if (why && !comment) {
        bp__tree_free(ctx, value);
        return bp__out_of_memory(ctx, strlen(why));
    }
    if (comment) {
        for (char *c = comment; *c; c++)
            if (*c == '\n' || *c == '\r') *c = ' ';
        bp__free(ctx, value->comment);
        value->comment = comment;
    }
    return bp__tree_put(ctx, map, key, value);
}
bp_status bp__put_text(bp_context *ctx, bp__tree *map, const char *key, const char *text) {
    return bp__put(ctx, map, key, bp__tree_text(ctx, text), NULL);
}
bp_status bp__put_number(bp_context *ctx, bp__tree *map, const char *key, double v) {
    return bp__put(ctx, map, key, bp__tree_number(ctx, v), NULL);
}
bp_status bp__put_int(bp_context *ctx, bp__tree *map, const char *key, int64_t v) {
    return bp__put(ctx, map, key, bp__tree_int(ctx, v), NULL);
}
bp_status bp__put_copy(bp_context *ctx, bp__tree *map, const char *key, const bp__tree *value, const char *why) {
    return bp__put(ctx, map, key, bp__tree_copy(ctx, value), why);
}
