/* The state block: every variable in one piece of memory with a directory; checkpoints, best weights and rollbacks copy it. */
#include "graph/initialize.h"
#include "graph/plan.h"

#include <stdio.h>
#include <string.h>

size_t bp__info_bytes(const bp__info *info) {
    size_t n = bp_dtype_size(info->dtype);
    for (int64_t i = 0; i < info->dims.n; i++) {
        int64_t d = info->dims.dim[i];
        if (info->panels && i == info->panels - 1) d = (d + BP__PANEL - 1) / BP__PANEL * BP__PANEL;
        n *= (size_t)d;
    }
    return n;
}

static int64_t plain_count(const bp__info *info) {
    int64_t n = 1;
    for (int64_t i = 0; i < info->dims.n; i++) n *= info->dims.dim[i];
    return n;
}

/* Copies between panels (of f32 or f64) and plain rows: one panel's width of plain rows is read, or written, side by side. */
#define COPY_PANELS(type)                                                                             \
    for (int64_t c = 0; c < columns; c += BP__PANEL)                                                  \
        for (int64_t r = 0; r < rows; r++) {                                                          \
            type *s = (type *)stored + (c * rows + r * BP__PANEL), *q = (type *)plain + c * rows + r; \
            int64_t n = BP__MIN(columns - c, BP__PANEL);                                              \
            if (to_plain)                                                                             \
                for (int64_t i = 0; i < n; i++) q[i * rows] = s[i];                                   \
            else                                                                                      \
                for (int64_t i = 0; i < n; i++) s[i] = q[i * rows];                                   \
        }

static void convert(const bp__info *info, void *stored, void *plain, bool to_plain) {
    if (!info->panels) {
        size_t bytes = bp__info_bytes(info);
        memcpy(to_plain ? plain : stored, to_plain ? stored : plain, bytes);
        return;
    }
    int64_t columns = info->dims.dim[0], rows = info->dims.dim[1];
    if (info->dtype == BP_F32) {
        COPY_PANELS(float)
    } else {
        COPY_PANELS(double)
    }
}

static bp_status initialise(bp_state *s, const bp__place *p) {
    int64_t n = plain_count(&p->info);
    if (p->init.kind == BP_INIT_ZEROS || n == 0) return BP_OK; /* the block starts as zeros, pads too */
    double *v = bp__alloc(s->ctx, sizeof(double) * (size_t)n);
    void *plain = bp__alloc(s->ctx, bp_dtype_size(p->info.dtype) * (size_t)n);
    bp_status status = v && plain ? bp__init_values(s->ctx, p->name, p->init, &p->info.dims, v) : bp__out_of_memory(s->ctx, 0);
    for (int64_t i = 0; i < n && status == BP_OK; i++) switch (p->info.dtype) {
        case BP_F32: ((float *)plain)[i] = (float)v[i]; break;
        case BP_F64: ((double *)plain)[i] = v[i]; break;
        case BP_I32: ((int32_t *)plain)[i] = (int32_t)v[i]; break;
        case BP_I64: ((int64_t *)plain)[i] = (int64_t)v[i]; break;
        case BP_U8: ((uint8_t *)plain)[i] = (uint8_t)v[i]; break;
        }
    if (status == BP_OK) convert(&p->info, s->block + p->offset, plain, false);
    bp__free(s->ctx, v);
    bp__free(s->ctx, plain);
    return status;
}

static bp_status fill_directory(bp_state *s, bp_graph *g) {
    uint8_t *panels = bp__zalloc(s->ctx, (size_t)g->n_variables + 1);
    s->places = bp__zalloc(s->ctx, sizeof(bp__place) * (size_t)(g->n_variables + 1));
    bp_status status = panels && s->places ? BP_OK : bp__out_of_memory(s->ctx, 0);
    if (status == BP_OK && bp__context_passes(s->ctx)) status = bp__layout_variables(g, panels);
    for (int64_t i = 0; i < g->n_variables && status == BP_OK; i++) {
        bp__variable *v = &g->variables[i];
        bp__place *p = &s->places[i];
        *p = (bp__place){
            .name = bp__strdup(s->ctx, v->name), .info = v->info, .init = v->init, .trainable = v->trainable, .offset = s->bytes};
        s->n_places = i + 1;
        if (!p->name) status = bp__out_of_memory(s->ctx, 0);
        p->info.panels = panels[i];
        p->bytes = bp__info_bytes(&p->info);
        s->bytes += (p->bytes + 63) & ~(size_t)63;
    }
    bp__free(s->ctx, panels);
    return status;
}

bp_status bp_state_new(bp_state **out, bp_graph *g) {
    *out = NULL;
    if (g->status != BP_OK) return g->status;
    bp_state *s = bp__zalloc(g->ctx, sizeof *s);
    if (!s) return bp__out_of_memory(g->ctx, sizeof *s);
    s->ctx = g->ctx;
    bp_status status = fill_directory(s, g);
    if (status == BP_OK && !(s->block = bp__zalloc(s->ctx, s->bytes + 64))) status = bp__out_of_memory(s->ctx, s->bytes);
    for (int64_t i = 0; i < s->n_places && status == BP_OK; i++) status = initialise(s, &s->places[i]);
    if (status != BP_OK) {
        bp_state_free(s);
        return status;
    }
    *out = s;
    return BP_OK;
}

void bp_state_free(bp_state *s) {
    if (!s) return;
    for (int64_t i = 0; i < s->n_places; i++) bp__free(s->ctx, (void *)(uintptr_t)s->places[i].name);
    bp__free(s->ctx, s->places);
    bp__free(s->ctx, s->block);
    bp__free(s->ctx, s);
}

int bp_state_count(const bp_state *s) { return (int)s->n_places; }
const char *bp_state_name(const bp_state *s, int i) { return i >= 0 && i < s->n_places ? s->places[i].name : NULL; }

static bp_status find(const bp_state *s, const char *name, bp__place **out) {
    for (int64_t i = 0; i < s->n_places; i++)
        if (strcmp(s->places[i].name, name) == 0) {
            *out = &s->places[i];
            return BP_OK;
        }
    return bp__fail(s->ctx, BP_NOT_FOUND, "there is no variable \"%s\" in the state", name);
}

static bp_status access_place(bp_state *s, const char *name, void *data, size_t bytes, bool get) {
    bp__place *p;
    BP_TRY(find(s, name, &p));
    size_t need = (size_t)plain_count(&p->info) * bp_dtype_size(p->info.dtype);
    if (bytes != need) return bp__fail(s->ctx, BP_INVALID, "variable \"%s\" has %zu bytes, not %zu", name, need, bytes);
    convert(&p->info, s->block + p->offset, data, get);
    return BP_OK;
}

bp_status bp_state_get(bp_state *s, const char *name, void *data, size_t bytes) {
    return access_place(s, name, data, bytes, true);
}
bp_status bp_state_set(bp_state *s, const char *name, const void *data, size_t bytes) {
    return access_place(s, name, (void *)(uintptr_t)data, bytes, false);
}

bp_status bp_state_describe(const bp_state *s, const char *name, bp_dtype *dtype, bp_dims *dims) {
    bp__place *p;
    BP_TRY(find(s, name, &p));
    if (dtype) *dtype = p->info.dtype;
    if (dims) *dims = p->info.dims;
    return BP_OK;
}

void bp__place_plain(const bp__place *p, unsigned char *block, void *to) { convert(&p->info, block + p->offset, to, true); }

bp_status bp__state_copy(bp_state *s, const char *to, const char *from) {
    bp__place *p;
    BP_TRY(find(s, from, &p));
    size_t bytes = (size_t)plain_count(&p->info) * bp_dtype_size(p->info.dtype);
    void *plain = bp__alloc(s->ctx, bytes + 1);
    if (!plain) return bp__out_of_memory(s->ctx, bytes);
    bp_status status = bp_state_get(s, from, plain, bytes);
    if (status == BP_OK) status = bp_state_set(s, to, plain, bytes);
    bp__free(s->ctx, plain);
    return status;
}
