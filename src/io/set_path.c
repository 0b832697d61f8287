/* `--set KEY.PATH=VALUE`. Declared in shorthand.h. */
#include "io/shorthand.h"

#include "io/utf8.h"
#include "io/yaml.h"

#include <stdio.h>
#include <string.h>

typedef struct setter {
    bp_context *ctx;
    const char *path; /* all of it, for sentences */
    const char *rest; /* what is still to walk */
} setter;

static bp_status fail_path(const setter *s, const char *hint, const char *problem) {
    return bp__fail_at(s->ctx, BP_CONFIG, (bp__where){.code = "bad_path", .hint = hint}, "cannot set '%s': %s",
                       bp__show(s->path).text, problem);
}

/* The next part, allocated; parts may stand in double quotes, within which '.' is a character and \" a quote. */
static bp_status next_part(setter *s, char **part) {
    const char *p = s->rest;
    char *out = bp__alloc(s->ctx, strlen(p) + 1);
    size_t n = 0;
    bool quoted = *p == '"';
    if (out == NULL) return bp__out_of_memory(s->ctx, strlen(p) + 1);
    if (quoted) p++;
    while (*p != '\0' && *p != (quoted ? '"' : '.')) {
        if (quoted && p[0] == '\\' && (p[1] == '"' || p[1] == '\\')) p++;
        out[n++] = *p++;
    }
    out[n] = '\0';
    bool broken = quoted && *p != '"';
    if (quoted && !broken) p++;
    if (broken || (n == 0 && !quoted) || (*p != '\0' && *p != '.') || (*p == '.' && p[1] == '\0')) {
        bp__free(s->ctx, out);
        return fail_path(s, "write it like train.epochs, and names with dots like data.columns.\"a.b\".type",
                         "a part between the dots is empty or badly quoted");
    }
    s->rest = *p == '.' ? p + 1 : p;
    *part = out;
    return BP_OK;
}

/* Turns `t` into a mapping in place: null and text NAME of a choice, or a short form's main parameter. */
static bp_status open_scalar(const setter *s, bp__tree *t, bool keep_value) {
    bp__tree *kept = NULL;
    if (keep_value) {
        kept = bp__tree_new(s->ctx, t->kind);
        if (kept == NULL) return bp__out_of_memory(s->ctx, sizeof *kept);
        kept->boolean = t->boolean;
        kept->integer = t->integer;
        kept->number = t->number;
        kept->flow = t->flow;
        kept->line = t->line;
        kept->text = t->text;
        kept->child = t->child;
    } else {
        bp__free(s->ctx, t->text);
    }
    t->text = NULL;
    t->child = NULL;
    t->kind = BP__MAP;
    t->flow = true;
    return kept == NULL ? BP_OK : bp__tree_put(s->ctx, t, "", kept);
}

static bool stands_beside(const char *key) {
    return strcmp(key, "name") == 0 || strcmp(key, "from") == 0 || strcmp(key, "freeze") == 0;
}

/* Makes the choice `t` (a name, or a mapping with one) ready to take `key`: the name alone becomes {name: {}}; a mapping
   loses its old name when `key` is another one. */
static bp_status open_choice(const setter *s, bp__tree *t, const char *key, bool layer) {
    bool beside = layer && stands_beside(key);
    if (t->kind == BP__TEXT) {
        char *name = t->text;
        t->text = NULL;
        bp_status status = open_scalar(s, t, false);
        if (status == BP_OK && (beside || strcmp(name, key) == 0)) {
            bp__tree *options = bp__tree_new(s->ctx, BP__MAP);
            status = options == NULL ? bp__out_of_memory(s->ctx, sizeof *options) : bp__tree_put(s->ctx, t, name, options);
        }
        bp__free(s->ctx, name);
        return status;
    }
    if (t->kind != BP__MAP || beside) return BP_OK;
    for (bp__tree **link = &t->child; *link != NULL;) {
        bp__tree *c = *link;
        if (strcmp(c->key, key) == 0 || (layer && stands_beside(c->key))) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        c->next = NULL;
        bp__tree_free(s->ctx, c);
    }
    return BP_OK;
}

static bp_status merge(const setter *s, bp__tree *into, bp__tree *from);

/* Takes `value`. */
static bp_status put_merged(const setter *s, bp__tree *map, const char *key, bp__tree *value, bool replace) {
    bp__tree *old = bp__tree_get(map, key);
    if (old == NULL || old->kind != BP__MAP || value->kind != BP__MAP || replace) return bp__tree_put(s->ctx, map, key, value);
    return merge(s, old, value);
}

/* Moves the entries of `from` into `into`; takes `from`. */
static bp_status merge(const setter *s, bp__tree *into, bp__tree *from) {
    bp_status status = BP_OK;
    while (from->child != NULL && status == BP_OK) {
        bp__tree *c = from->child;
        from->child = c->next;
        c->next = NULL;
        char *key = c->key;
        c->key = NULL;
        status = put_merged(s, into, key, c, false);
        bp__free(s->ctx, key);
    }
    bp__tree_free(s->ctx, from);
    return status;
}

static bool is_choice_section(const char *key) {
    return strcmp(key, "loss") == 0 || strcmp(key, "optimizer") == 0 || strcmp(key, "schedule") == 0;
}

static bp_status find_item(const setter *s, bp__tree *list, const char *part, bp__tree **item) {
    int64_t index, n = bp__tree_count(list);
    char problem[200];
    if (!bp__parse_i64(part, strlen(part), &index) || index < 0) {
        (void)snprintf(problem, sizeof problem, "'%s' is no number of a list item", bp__show(part).text);
        return fail_path(s, "count the items from 0, or set the whole list", problem);
    }
    if (index >= n) {
        (void)snprintf(problem, sizeof problem, "there is no item %lld, the list has %lld", (long long)index, (long long)n);
        return fail_path(s, "count the items from 0, or set the whole list", problem);
    }
    *item = bp__tree_at(list, index);
    return BP_OK;
}

/* Gives the list's item `old` the value in place. Takes `value`. */
static void replace_item(const setter *s, bp__tree *list, const bp__tree *old, bp__tree *value) {
    bp__tree **link = &list->child;
    while (*link != old) link = &(*link)->next;
    bp__tree *gone = *link;
    value->next = gone->next;
    *link = value;
    gone->next = NULL;
    bp__tree_free(s->ctx, gone);
}

static const char *kind_name(bp__tree_kind kind) {
    switch (kind) {
    case BP__NULL: return "null";
    case BP__BOOL: return "true or false";
    case BP__INT:
    case BP__FLOAT: return "a number";
    case BP__TEXT: return "text";
    case BP__LIST: return "a list";
    default: return "a mapping";
    }
}

typedef enum place { ORDINARY, SECTION_CHOICE, LAYER_CHOICE, INSIDE_CHOICE } place;

/* Makes `t`, on the way, something that can take `part`. */
static bp_status open_node(const setter *s, bp__tree *t, const char *part, place where) {
    bool choice = where == SECTION_CHOICE || where == LAYER_CHOICE;
    if (t->kind == BP__LIST && !(where == INSIDE_CHOICE && strspn(part, "0123456789") != strlen(part))) return BP_OK;
    if (choice) BP_TRY(open_choice(s, t, part, where == LAYER_CHOICE));
    if (t->kind == BP__NULL) return open_scalar(s, t, false);
    if (t->kind != BP__MAP && where == INSIDE_CHOICE) return open_scalar(s, t, part[0] != '\0');
    if (t->kind == BP__MAP) return BP_OK;
    char problem[200];
    (void)snprintf(problem, sizeof problem, "what '%s' belongs to is %s, not a mapping", bp__show(part).text, kind_name(t->kind));
    return fail_path(s, "set the whole of it to a mapping first", problem);
}

/* One step down from *node; at the last part puts *value (and sets it NULL, being taken). */
static bp_status step(setter *s, bp__tree **node, place *where, bool top, const char *part, bp__tree **value) {
    bp__tree *t = *node, *next = NULL;
    BP_TRY(open_node(s, t, part, *where));
    bool last = s->rest[0] == '\0';
    if (t->kind == BP__LIST) {
        BP_TRY(find_item(s, t, part, &next));
        *where = LAYER_CHOICE;
        if (last) {
            replace_item(s, t, next, *value);
            *value = NULL;
        }
        *node = next;
        return BP_OK;
    }
    place below = ORDINARY;
    if (top && is_choice_section(part))
        below = SECTION_CHOICE;
    else if (*where == SECTION_CHOICE || (*where == LAYER_CHOICE && !stands_beside(part)))
        below = INSIDE_CHOICE;
    if (last) {
        bp__tree *given = *value;
        *value = NULL;
        return put_merged(s, t, part, given, below == SECTION_CHOICE);
    }
    next = bp__tree_get(t, part);
    if (next == NULL) {
        size_t digits = strspn(s->rest, "0123456789");
        if (top && digits > 0 && (s->rest[digits] == '\0' || s->rest[digits] == '.')) { /* model.0 where there is no model */
            char problem[200];
            (void)snprintf(problem, sizeof problem, "there is no item %.*s, as there is no list '%s' yet",
                           (int)BP__MIN(digits, 9), s->rest, bp__show(part).text);
            return fail_path(s, "set the whole list", problem);
        }
        next = bp__tree_new(s->ctx, BP__MAP);
        if (next == NULL) return bp__out_of_memory(s->ctx, sizeof *next);
        BP_TRY(bp__tree_put(s->ctx, t, part, next));
    }
    *node = next;
    *where = below;
    return BP_OK;
}

bp_status bp__tree_set_path(bp_context *ctx, bp__tree *root, const char *path, bp__tree *value) {
    setter s = {ctx, path, path};
    bp__tree *node = root;
    place where = ORDINARY;
    bp_status status = BP_OK;
    bool top = true;
    if (path[0] == '\0') status = fail_path(&s, "write it like train.epochs", "it is empty");
    for (int depth = 0; status == BP_OK && value != NULL; depth++) {
        char *part = NULL;
        if (depth == BP__TREE_DEPTH)
            status = fail_path(&s, NULL, "it has too many parts");
        else
            status = next_part(&s, &part);
        if (status != BP_OK) break;
        status = step(&s, &node, &where, top, part, &value);
        bp__free(ctx, part);
        top = false;
    }
    bp__tree_free(ctx, value);
    return status;
}

bp_status bp__tree_set(bp_context *ctx, bp__tree *root, const char *assignment) {
    bool quoted = false;
    const char *p = assignment;
    for (; *p != '\0' && (quoted || *p != '='); p++)
        if (*p == '"' && (p == assignment || p[-1] != '\\')) quoted = !quoted;
    if (*p != '=') {
        return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "bad_value", .hint = "write it as --set train.epochs=20"},
                           "--set '%s' has no '='", bp__show(assignment).text);
    }
    size_t n = (size_t)(p - assignment);
    char *path = bp__alloc(ctx, n + 1);
    if (path == NULL) return bp__out_of_memory(ctx, n + 1);
    memcpy(path, assignment, n);
    path[n] = '\0';
    bp__buffer what;
    bp__buffer_init(&what, ctx);
    bp__buffer_printf(&what, "--set %s", bp__show(path).text);
    bp__tree *value;
    bp_status status =
        what.failed ? bp__out_of_memory(ctx, n) : bp__yaml_parse_value(ctx, p + 1, strlen(p + 1), what.data, &value);
    bp__buffer_free(&what);
    if (status == BP_OK) status = bp__tree_set_path(ctx, root, path, value);
    bp__free(ctx, path);
    return status;
}
