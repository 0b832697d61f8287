/* Builds the `model:` section: lists of layers, names and references, the registry of parameters. */
#include "nn/layers.h"

#include <stdio.h>
#include <string.h>

typedef struct named_value {
    const char *name;
    bp_value value;
    struct named_value *next;
} named_value;

struct bp__nn_scope {
    const bp__nn_scope *outer;
    named_value *names;
};

struct bp__nn {
    bp_graph *g;
    bp__nn_parameter *parameters;
    int64_t n_parameters, cap_parameters;
    bp__nn_layer *layers;
    int64_t n_layers, cap_layers;
    bool *init_used; /* [patterns of the configuration's `init`]; pool memory */
    bool built;      /* the layers are listed: later builds add none */
};

static const char *const beside[] = {"name", "from", "freeze", NULL};
static const char *const aliases[] = {"min_val", "min", "max_val", "max", "lambd", "lambda", NULL};

bp_status bp__nn_new(bp__nn **out, bp_graph *g) {
    *out = bp__zalloc(g->ctx, sizeof **out);
    if (!*out) return bp__out_of_memory(g->ctx, sizeof **out);
    (*out)->g = g;
    return BP_OK;
}

void bp__nn_free(bp__nn *nn) {
    if (!nn) return;
    bp_context *ctx = nn->g->ctx;
    bp__free(ctx, nn->parameters);
    bp__free(ctx, nn->layers);
    bp__free(ctx, nn);
}

int64_t bp__nn_n_parameters(const bp__nn *nn) { return nn->n_parameters; }
const bp__nn_parameter *bp__nn_parameter_at(const bp__nn *nn, int64_t i) {
    return i >= 0 && i < nn->n_parameters ? &nn->parameters[i] : NULL;
}
int64_t bp__nn_n_layers(const bp__nn *nn) { return nn->n_layers; }
const bp__nn_layer *bp__nn_layer_at(const bp__nn *nn, int64_t i) { return i >= 0 && i < nn->n_layers ? &nn->layers[i] : NULL; }

const char *bp__layer_text(const bp__layer_call *c, const char *path, const char *suffix) {
    char text[512];
    snprintf(text, sizeof text, "%s%s", path, suffix);
    const char *copy = bp__pool_strdup(&c->g->pool, text);
    if (!copy) bp__out_of_memory(c->g->ctx, sizeof text);
    return copy;
}

bp_status bp__layer_shape_fail(const bp__layer_call *c, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bp__where where = {.code = "shape", .file = c->reader->file, .line = c->choice->line};
    return bp__fail_at(c->g->ctx, BP_SHAPE, where, "%s: %s: %s", c->reader->where, c->choice->kind->name, text);
}

const char *bp__layer_shape(const bp__layer_call *c, bp_value x, char *out, size_t size) {
    bp_dims d = bp_value_dims(x);
    return bp__dims_text(c->g->dims, &d, out, size);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------------ */

static bp_value registered(const bp__layer_call *c, const char *role, bp_dtype dtype, bp_dims dims, bp_init init, bool buffer) {
    const bp_value bad = {c->g, -1, 0};
    char suffix[64], s[160], t[160];
    snprintf(suffix, sizeof suffix, ".%s", role);
    const char *name = bp__layer_text(c, c->path, suffix);
    if (!name) return bad;
    for (int64_t i = 0; i < c->nn->n_parameters; i++) {
        const bp__nn_parameter *p = &c->nn->parameters[i];
        if (strcmp(p->name, name) != 0) continue;
        bp_dims d = bp_value_dims(p->value);
        bool same = d.n == dims.n;
        for (int64_t k = 0; same && k < d.n; k++) same = d.dim[k] == dims.dim[k];
        if (same) return p->value;
        bp__layer_shape_fail(c, "\"%s\" would have shape %s here but has %s from before", name,
                             bp__dims_text(c->g->dims, &dims, s, sizeof s), bp__dims_text(c->g->dims, &d, t, sizeof t));
        return bad;
    }
    bool trainable = !buffer && !c->frozen;
    bp_value v = trainable ? bp_parameter(c->g, name, dims, init) : bp_variable(c->g, name, dtype, dims, init);
    if (bp_is_bad(v)) return v;
    if (BP__GROW(c->g->ctx, c->nn->parameters, c->nn->n_parameters, c->nn->cap_parameters) != BP_OK) return bad;
    c->nn->parameters[c->nn->n_parameters++] =
        (bp__nn_parameter){.name = name, .value = v, .trainable = trainable, .buffer = buffer, .init = init, .output = BP_NONE};
    return v;
}

bp_value bp__layer_parameter(const bp__layer_call *c, const char *role, bp_dims dims, bp_init init) {
    bp_value p = registered(c, role, c->g->parameter_dtype, dims, init, false);
    return c->o->disturb && !c->frozen && !bp_is_bad(p) ? c->o->disturb(c->o->user, p) : p;
}
bp_value bp__layer_buffer(const bp__layer_call *c, const char *role, bp_dims dims, bp_init init) {
    return registered(c, role, c->g->parameter_dtype, dims, init, true);
}
bp_value bp__layer_counter(const bp__layer_call *c, const char *role) {
    return registered(c, role, BP_I64, bp_shape(0), bp_zeros(), true);
}

/* Elements of the parameters (not buffers) whose names start with "PATH.". */
static int64_t count_parameters(const bp__nn *nn, const char *path) {
    int64_t total = 0;
    size_t n = strlen(path);
    for (int64_t i = 0; i < nn->n_parameters; i++) {
        const bp__nn_parameter *p = &nn->parameters[i];
        if (p->buffer || strncmp(p->name, path, n) != 0 || p->name[n] != '.') continue;
        bp_dims d = bp_value_dims(p->value);
        int64_t k = 1;
        for (int64_t j = 0; j < d.n; j++) k *= d.dim[j];
        total += k;
    }
    return total;
}

static bp_status add_layer(const bp__layer_call *c, const char *kind, bool inserted, bp_value in, bp_value out) {
    if (c->nn->built) return BP_OK;
    BP_TRY(BP__GROW(c->g->ctx, c->nn->layers, c->nn->n_layers, c->nn->cap_layers));
    c->nn->layers[c->nn->n_layers++] = (bp__nn_layer){.path = c->path,
                                                      .kind = kind,
                                                      .depth = c->depth,
                                                      .line = c->choice->line,
                                                      .inserted = inserted,
                                                      .in = bp_value_dims(in),
                                                      .out = bp_value_dims(out)};
    return BP_OK;
}

bp_status bp__layer_note(const bp__layer_call *c, const char *kind, bp_value in, bp_value out) {
    BP_TRY(add_layer(c, kind, true, in, out));
    if (c->nn->built || c->nn->n_layers < 2) return BP_OK;
    /* The layer itself was listed before it was built; what is inserted works before it. */
    bp__nn_layer *l = &c->nn->layers[c->nn->n_layers - 2], own = l[0];
    l[0] = l[1];
    own.in = bp_value_dims(out);
    l[1] = own;
    return BP_OK;
}

/* ---- Names ------------------------------------------------------------------------------------------------------------ */

static const named_value *find_name(const bp__nn_scope *scope, const char *name) {
    for (; scope; scope = scope->outer)
        for (const named_value *n = scope->names; n; n = n->next)
            if (strcmp(n->name, name) == 0) return n;
    return NULL;
}

static bp_status add_name(const bp__layer_call *c, bp__nn_scope *scope, const char *name, bp_value value) {
    named_value *n = bp__pool_alloc(&c->g->pool, sizeof *n);
    if (!n) return bp__out_of_memory(c->g->ctx, sizeof *n);
    *n = (named_value){.name = name, .value = value, .next = scope->names};
    scope->names = n;
    return BP_OK;
}

static bp_status no_such_name(const bp__choice_reader *r, const bp__nn_scope *scope, const bp__tree *at) {
    const char *names[64];
    int64_t n = 0;
    for (const bp__nn_scope *s = scope; s; s = s->outer)
        for (const named_value *v = s->names; v && n < BP__COUNT(names); v = v->next) names[n++] = v->name;
    const char *nearest = bp__nearest(at->text, names, n);
    char hint[160];
    snprintf(hint, sizeof hint, nearest ? "did you mean `%s`?" : "a layer is named with `name:` beside it and must come before%s",
             nearest ? nearest : "");
    bp__where where = {.code = "unknown_name", .file = r->file, .line = at->line, .hint = hint};
    return bp__fail_at(r->ctx, BP_CONFIG, where, "%s: no layer before it is named `%.80s`", r->where, at->text);
}

/* The values that `from:` names, in the graph's pool. */
static bp_status read_from(const bp__layer_call *c, const bp__tree *from, const bp_value **out, int64_t *n_out) {
    bool list = from->kind == BP__LIST;
    int64_t n = list ? bp__tree_count(from) : 1;
    if (n == 0 || (!list && from->kind != BP__TEXT))
        return bp__choice_fail(c->reader, from, "`from` must be the name of a layer before it or a list of names");
    bp_value *values = bp__pool_alloc(&c->g->pool, sizeof *values * (size_t)n);
    if (!values) return bp__out_of_memory(c->g->ctx, 0);
    for (int64_t i = 0; i < n; i++) {
        const bp__tree *t = list ? bp__tree_at(from, i) : from;
        if (t->kind != BP__TEXT) return bp__choice_fail(c->reader, t, "`from` takes names of layers, as in from: [a, b]");
        const named_value *v = find_name(c->scope, t->text);
        if (!v) return no_such_name(c->reader, c->scope, t);
        values[i] = v->value;
    }
    *out = values;
    *n_out = n;
    return BP_OK;
}

static bp_status check_name(const bp__choice_reader *r, const bp__tree *t) {
    if (t->kind != BP__TEXT || t->text[0] == '\0') return bp__choice_fail(r, t, "`name` must be text");
    bool digits = true;
    for (const char *s = t->text; *s; s++) {
        if (*s == '.' || *s == '/') return bp__choice_fail(r, t, "the name `%.80s` must not contain `%c`", t->text, *s);
        if (*s < '0' || *s > '9') digits = false;
    }
    if (digits) return bp__choice_fail(r, t, "the name `%.80s` is a number: those count the layers without a name", t->text);
    static const char *const taken[] = {"input", "output", "member", "optimizer"};
    for (int64_t i = 0; i < BP__COUNT(taken); i++)
        if (strcmp(taken[i], t->text) == 0) return bp__choice_fail(r, t, "the name `%s` is reserved: choose another", t->text);
    return BP_OK;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------------ */

static bp_status read_entry(const bp__choice_reader *r, const bp__tree *entry, bp__choice *choice, const bp__tree **name,
                            bool *frozen) {
    BP_TRY(bp__choice_read(r, entry, choice));
    *name = bp__tree_get(entry, "name");
    const bp__tree *freeze = bp__tree_get(entry, "freeze");
    if (*name) BP_TRY(check_name(r, *name));
    if (freeze && freeze->kind != BP__BOOL) return bp__choice_fail(r, freeze, "`freeze` must be true or false");
    if (freeze && freeze->boolean) *frozen = true;
    return BP_OK;
}

/* A sentence of an operation becomes one of the layer, with its line. */
static bp_status layer_failed(const bp__layer_call *c, bp_status status) {
    bp_context *ctx = c->g->ctx;
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    if (e.line > 0 || c->g->status == BP_OK) return status;
    char message[640];
    size_t n = strlen(c->path);
    const char *text = e.message;
    if (strncmp(text, c->path, n) == 0 && strncmp(text + n, ": ", 2) == 0) text += n + 2; /* the scope's own prefix */
    snprintf(message, sizeof message, "%s", text);
    bp_context_clear_error(ctx);
    bp__where where = {.code = "layer", .file = c->reader->file, .line = c->choice->line};
    const char *kind = c->choice->kind->name;
    bool said = strncmp(message, kind, strlen(kind)) == 0;
    return bp__fail_at(ctx, status, where, "%s: %s%s%s", c->reader->where, said ? "" : kind, said ? "" : ": ", message);
}

static bp_status stored_status(bp_context *ctx) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    return e.status != BP_OK ? e.status : BP_INTERNAL;
}

static bp_status build_layer(bp__layer_call *c, bp_value *y) {
    const char *old = bp__graph_scope(c->g, c->path);
    int64_t place = c->nn->n_layers, first = c->nn->n_parameters;
    bp_status status = add_layer(c, c->choice->kind->name, false, c->in[0], c->in[0]);
    if (status == BP_OK) status = bp__layer_builder(c->choice->index)(c, y);
    if (status == BP_OK) status = c->g->status;
    if (status == BP_OK && bp_is_bad(*y)) status = stored_status(c->g->ctx);
    bp__graph_scope(c->g, old);
    if (status != BP_OK) return layer_failed(c, status);
    if (c->nn->built) return BP_OK;
    for (int64_t i = first; i < c->nn->n_parameters; i++) {
        bp__nn_parameter *p = &c->nn->parameters[i];
        if (p->output.graph) continue; /* of a layer inside */
        p->output = *y;
        p->channels = strncmp(c->choice->kind->name, "conv", 4) == 0;
    }
    if (place + 1 < c->nn->n_layers && c->nn->layers[place].inserted) place++;
    c->nn->layers[place].out = bp_value_dims(*y);
    c->nn->layers[place].n_parameters = count_parameters(c->nn, c->path);
    return BP_OK;
}

static bp_status build_entry(const bp__layer_call *outer, const bp__tree *entry, const char *path, int64_t index, bp_value x,
                             bool last, bp__nn_scope *scope, bp_value *y) {
    char place[560], own[512];
    snprintf(own, sizeof own, "%s%s%lld", path, path[0] ? "." : "", (long long)index);
    snprintf(place, sizeof place, "model.%s", own);
    bp__choice choice;
    const bp__tree *name = NULL;
    int64_t n_kinds;
    const bp__kind *kinds = bp__layer_kinds(&n_kinds);
    bp__choice_reader r = {outer->g->ctx, outer->o->file, "layer", place, kinds, n_kinds, aliases, beside};
    bp__layer_call c = *outer;
    BP_TRY(read_entry(&r, entry, &choice, &name, &c.frozen));
    if (name) {
        for (const named_value *n = scope->names; n; n = n->next)
            if (strcmp(n->name, name->text) == 0)
                return bp__choice_fail(&r, name, "the name `%s` is taken by a layer before it", name->text);
        snprintf(own, sizeof own, "%s%s%.200s", path, path[0] ? "." : "", name->text);
    }
    c.path = bp__layer_text(&c, c.o->prefix && outer->depth == 0 ? c.o->prefix : "", own);
    if (!c.path) return BP_MEMORY;
    c.choice = &choice;
    c.reader = &r;
    c.tree = entry;
    c.in = &x;
    c.n_in = 1;
    c.scope = scope;
    c.last = last;
    const bp__tree *from = bp__tree_get(entry, "from");
    c.from = from != NULL;
    if (from) BP_TRY(read_from(&c, from, &c.in, &c.n_in));
    bool many = strcmp(choice.kind->name, "add") == 0 || strcmp(choice.kind->name, "concat") == 0;
    if (many && c.n_in < 2)
        return bp__choice_fail(&r, from ? from : entry, "`%s` needs two or more layers to put together, as in from: [a, b]",
                               choice.kind->name);
    if (!many && c.n_in > 1)
        return bp__choice_fail(&r, from,
                               "`%s` takes one value, `from` names %lld; put them together with `add` or `concat` first",
                               choice.kind->name, (long long)c.n_in);
    BP_TRY(build_layer(&c, y));
    return name ? add_name(&c, scope, name->text, *y) : BP_OK;
}

/* Do only layers follow that leave the shape alone? Then what comes before them decides the output's size. */
static bool shape_is_final(const bp__tree *rest) {
    static bp__layer_build *const keep[] = {bp__layer_activation, bp__layer_gelu,        bp__layer_prelu,
                                            bp__layer_softmax,    bp__layer_log_softmax, bp__layer_softmin,
                                            bp__layer_dropout,    bp__layer_identity,    bp__layer_layer_norm};
    int64_t n_kinds;
    const bp__kind *kinds = bp__layer_kinds(&n_kinds);
    for (; rest; rest = rest->next) {
        bool keeps = false;
        for (int64_t i = 0; i < n_kinds && !keeps; i++) {
            bool here =
                rest->kind == BP__TEXT ? strcmp(rest->text, kinds[i].name) == 0 : bp__tree_get(rest, kinds[i].name) != NULL;
            for (int64_t k = 0; here && k < BP__COUNT(keep) && !keeps; k++) keeps = bp__layer_builder(i) == keep[k];
        }
        if (!keeps || bp__tree_get(rest, "from")) return false;
    }
    return true;
}

bp_status bp__layer_list(const bp__layer_call *c, const bp__tree *layers, const char *path, bp_value x, bool last, bp_value *y) {
    bp__nn_scope scope = {.outer = c->scope};
    bp__layer_call inner = *c;
    inner.depth = c->depth + 1;
    bool list = layers->kind == BP__LIST;
    int64_t index = 0;
    for (const bp__tree *t = list ? layers->child : layers; t; t = list ? t->next : NULL, index++)
        BP_TRY(build_entry(&inner, t, path, index, x, last && (!list || shape_is_final(t->next)), &scope, &x));
    *y = x;
    return BP_OK;
}

void bp__nn_init_used(bp__nn *nn, int64_t index) { nn->init_used[index] = true; }

/* A pattern that finds nothing is a mistake. */
static bp_status all_used(const bp__nn_options *o) {
    int64_t i = 0;
    for (const bp__tree *t = o->init ? o->init->child : NULL; t; t = t->next, i++) {
        if (o->nn->init_used[i]) continue;
        const bp__tree *match = bp__tree_get(t, "match");
        const char *names[64];
        int64_t n = 0;
        for (int64_t k = 0; k < o->nn->n_parameters && n < BP__COUNT(names); k++)
            if (!o->nn->parameters[k].buffer) names[n++] = o->nn->parameters[k].name;
        char hint[240];
        bp__where where = {.code = "no_match",
                           .file = o->file,
                           .line = match->line,
                           .hint = bp__name_hint(hint, sizeof hint, match->text, names, n)};
        return bp__fail_at(o->nn->g->ctx, BP_CONFIG, where,
                           "init: `%.80s` is the name of no tensor that an initialiser starts and no pattern before it has taken",
                           match->text);
    }
    return BP_OK;
}

bp_status bp__nn_build(bp_graph *g, const bp__nn_options *o, bp_value x, bp_value *y) {
    *y = (bp_value){g, -1, 0};
    if (g->status != BP_OK) return g->status;
    const bp__tree *layers = o->layers;
    if (!layers || layers->kind == BP__NULL || (layers->kind == BP__LIST && !layers->child)) {
        bp__where where = {.code = "no_layers", .file = o->file, .line = layers ? layers->line : 0};
        return bp__fail_at(g->ctx, BP_CONFIG, where, "model: the list of layers is empty; write at least one, as in `- linear`");
    }
    named_value input = {.name = "input", .value = x};
    bp__nn_scope scope = {.names = &input};
    bp__layer_call c = {.nn = o->nn, .g = g, .o = o, .scope = &scope, .depth = -1};
    if (o->init && !o->nn->init_used) {
        o->nn->init_used = bp__pool_alloc(&g->pool, (size_t)bp__tree_count(o->init) + 1);
        if (!o->nn->init_used) return bp__out_of_memory(g->ctx, 0);
        memset(o->nn->init_used, 0, (size_t)bp__tree_count(o->init) + 1);
    }
    BP_TRY(bp__layer_list(&c, layers, "", x, true, y));
    o->nn->built = true;
    return all_used(o);
}

/* ---- Checks without a graph -------------------------------------------------------------------------------------------- */

static bp_status check_list(bp_context *ctx, const char *file, const bp__tree *layers, const char *path, int depth) {
    int64_t n_kinds, index = 0;
    const bp__kind *kinds = bp__layer_kinds(&n_kinds);
    bool list = layers->kind == BP__LIST;
    for (const bp__tree *t = list ? layers->child : layers; t; t = list ? t->next : NULL, index++) {
        char place[512];
        snprintf(place, sizeof place, "%s.%lld", path, (long long)index);
        bp__choice_reader r = {ctx, file, "layer", place, kinds, n_kinds, aliases, beside};
        bp__choice choice;
        const bp__tree *name;
        bool frozen = false;
        BP_TRY(read_entry(&r, t, &choice, &name, &frozen));
        const bp__option *inside = bp__choice_option(&choice, "layers");
        if (!inside->given) continue;
        if (depth >= 64) return bp__choice_fail(&r, t, "layers are nested deeper than 64");
        BP_TRY(check_list(ctx, file, inside->tree, place, depth + 1));
    }
    return BP_OK;
}

bp_status bp__nn_check(bp_context *ctx, const char *file, const bp__tree *layers) {
    return check_list(ctx, file, layers, "model", 0);
}
