/* Trees of configuration values. Copying and comparing recurse once per level: whoever parses a tree limits its depth. */
#include "core/tree.h"
#include <stdio.h>
#include <string.h>

bp__tree *bp__tree_new(bp_context *ctx, bp__tree_kind kind) {
    bp__tree *t = bp__alloc(ctx, sizeof *t);
    if (t) *t = (bp__tree){.kind = kind};
    return t;
}

void bp__tree_free(bp_context *ctx, bp__tree *t) {
    if (!t) return;
    t->next = NULL; /* its siblings belong to the parent */
    while (t) {     /* a work list through `next`, so that no depth of nesting can exhaust the stack */
        bp__tree *rest = t->next;
        if (t->child) {
            bp__tree *last = t->child;
            while (last->next) last = last->next;
            last->next = rest;
            rest = t->child;
        }
        bp__free(ctx, t->key);
        bp__free(ctx, t->comment);
        bp__free(ctx, t->text);
        bp__free(ctx, t);
        t = rest;
    }
}

static bool copy_text(bp_context *ctx, char **to, const char *from) {
    if (!from) return true;
    *to = bp__strdup(ctx, from);
    return *to != NULL;
}

bp__tree *bp__tree_copy(bp_context *ctx, const bp__tree *t) {
    if (!t) return NULL;
    bp__tree *copy = bp__tree_new(ctx, t->kind);
    if (!copy) return NULL;
    copy->flow = t->flow;
    copy->line = t->line;
    copy->boolean = t->boolean;
    copy->integer = t->integer;
    copy->number = t->number;
    bool ok =
        copy_text(ctx, &copy->key, t->key) && copy_text(ctx, &copy->comment, t->comment) && copy_text(ctx, &copy->text, t->text);
    bp__tree **end = &copy->child;
    for (const bp__tree *c = t->child; ok && c; c = c->next) {
        *end = bp__tree_copy(ctx, c);
        ok = *end != NULL;
        if (ok) end = &(*end)->next;
    }
    if (ok) return copy;
    bp__tree_free(ctx, copy);
    return NULL;
}

bp__tree *bp__tree_get(const bp__tree *map, const char *key) {
    if (!map || map->kind != BP__MAP) return NULL;
    for (bp__tree *c = map->child; c; c = c->next)
        if (c->key && strcmp(c->key, key) == 0) return c;
    return NULL;
}

bp__tree *bp__tree_at(const bp__tree *list, int64_t index) {
    if (!list || index < 0) return NULL;
    bp__tree *c = list->child;
    while (c && index-- > 0) c = c->next;
    return c;
}

int64_t bp__tree_count(const bp__tree *t) {
    int64_t n = 0;
    for (const bp__tree *c = t ? t->child : NULL; c; c = c->next) n++;
    return n;
}

static bool is_number(const bp__tree *t) { return t->kind == BP__INT || t->kind == BP__FLOAT; }

static bool numbers_equal(const bp__tree *a, const bp__tree *b) {
    if (a->kind == BP__INT && b->kind == BP__INT) return a->integer == b->integer;
    if (a->kind == BP__FLOAT && b->kind == BP__FLOAT)
        return a->number == b->number || (a->number != a->number && b->number != b->number);
    const bp__tree *i = a->kind == BP__INT ? a : b, *f = a->kind == BP__INT ? b : a;
    /* Compared as integers: 2^53 + 1 is not 2^53. The bounds are the doubles that fit. */
    return f->number >= -0x1p63 && f->number < 0x1p63 && (double)(int64_t)f->number == f->number &&
           (int64_t)f->number == i->integer;
}

bool bp__tree_equal(const bp__tree *a, const bp__tree *b) {
    if (!a || !b) return a == b;
    if (is_number(a) && is_number(b)) return numbers_equal(a, b);
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case BP__BOOL: return a->boolean == b->boolean;
    case BP__TEXT: return strcmp(a->text ? a->text : "", b->text ? b->text : "") == 0;
    case BP__LIST: {
        const bp__tree *x = a->child, *y = b->child;
        for (; x && y; x = x->next, y = y->next)
            if (!bp__tree_equal(x, y)) return false;
        return !x && !y;
    }
    case BP__MAP: /* the order of keys means nothing */
        if (bp__tree_count(a) != bp__tree_count(b)) return false;
        for (const bp__tree *c = a->child; c; c = c->next) {
            const bp__tree *other = bp__tree_get(b, c->key ? c->key : "");
            if (!other || !bp__tree_equal(c, other)) return false;
        }
        return true;
    case BP__NULL:
    case BP__INT:
    case BP__FLOAT: break;
    }
    return true;
}

bp_status bp__tree_put(bp_context *ctx, bp__tree *map, const char *key, bp__tree *value) {
    if (!value) return bp__out_of_memory(ctx, 0);   /* so that put(…, bp__tree_int(…)) needs no check of its own */
    if (map->kind == BP__NULL) map->kind = BP__MAP; /* "train:" with nothing behind it is an empty section */
    if (map->kind != BP__MAP) {
        bp__tree_free(ctx, value);
        return bp__fail(ctx, BP_INTERNAL, "the key '%s' was put into a value that is not a mapping", key);
    }
    char *own_key = bp__strdup(ctx, key);
    if (!own_key) {
        bp__tree_free(ctx, value);
        return bp__out_of_memory(ctx, strlen(key) + 1);
    }
    bp__free(ctx, value->key);
    value->key = own_key;
    bp__tree **place = &map->child;
    while (*place && !((*place)->key && strcmp((*place)->key, own_key) == 0)) place = &(*place)->next;
    bp__tree *old = *place;
    value->next = old ? old->next : NULL;
    *place = value;
    bp__tree_free(ctx, old);
    return BP_OK;
}

bp_status bp__tree_append(bp_context *ctx, bp__tree *list, bp__tree *value) {
    if (!value) return bp__out_of_memory(ctx, 0);
    if (list->kind == BP__NULL) list->kind = BP__LIST;
    if (list->kind != BP__LIST) {
        bp__tree_free(ctx, value);
        return bp__fail(ctx, BP_INTERNAL, "an item was appended to a value that is not a list");
    }
    bp__tree **end = &list->child;
    while (*end) end = &(*end)->next;
    value->next = NULL;
    *end = value;
    return BP_OK;
}

bp__tree *bp__tree_text(bp_context *ctx, const char *s) {
    bp__tree *t = bp__tree_new(ctx, BP__TEXT);
    if (t && !copy_text(ctx, &t->text, s ? s : "")) {
        bp__tree_free(ctx, t);
        return NULL;
    }
    return t;
}

bp__tree *bp__tree_int(bp_context *ctx, int64_t v) {
    bp__tree *t = bp__tree_new(ctx, BP__INT);
    if (t) {
        t->integer = v;
        t->number = (double)v;
    }
    return t;
}

bp__tree *bp__tree_number(bp_context *ctx, double v) {
    bp__tree *t = bp__tree_new(ctx, BP__FLOAT);
    if (t) t->number = v;
    return t;
}

bp__tree *bp__tree_bool(bp_context *ctx, bool v) {
    bp__tree *t = bp__tree_new(ctx, BP__BOOL);
    if (t) t->boolean = v;
    return t;
}

static const char *kind_text(const bp__tree *t) {
    switch (t->kind) {
    case BP__NULL: return "nothing";
    case BP__BOOL: return "true or false";
    case BP__INT: return "a whole number";
    case BP__FLOAT: return "a number";
    case BP__TEXT: return "text";
    case BP__LIST: return "a list";
    case BP__MAP: return "a mapping";
    }
    return "something else";
}

const char *bp__tree_words(const bp__tree *t, char *out, size_t size) {
    char number[32];
    if (t->kind == BP__TEXT) {
        snprintf(out, size, "\"%.60s\"", t->text ? t->text : "");
    } else if (t->kind == BP__INT) {
        snprintf(out, size, "%lld", (long long)t->integer);
    } else if (t->kind == BP__FLOAT) {
        bp__format_f64(number, t->number);
        snprintf(out, size, "%s", number);
    } else if (t->kind == BP__BOOL) {
        snprintf(out, size, "%s", t->boolean ? "true" : "false");
    } else {
        snprintf(out, size, "%s", kind_text(t));
    }
    return out;
}
