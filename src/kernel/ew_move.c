/* Views of element-wise programs: gathering an input's tile, storing an output's. */
#include "kernel/ew_move.h"
#include <string.h>

size_t bp__ew_item(bp_dtype dtype) { return dtype == BP_F64 || dtype == BP_I64 ? 8 : dtype == BP_U8 ? 1 : 4; }

int64_t bp__ew_flat_count(const bp__tensor *t) {
    if (!t->panels) return bp__tensor_count(t);
    int columns = t->panels - 1; /* the dimension that the panels run over */
    return (t->dim[columns] + BP__PANEL - 1) / BP__PANEL * BP__PANEL * t->dim[1 - columns];
}

/* Merges neighbouring dimensions that the view walks through in one step; dimensions of one element vanish. */
static void merge(bp__ew_view *v, const bp__tensor *t, const bp__tensor *shape) {
    int n = 0;
    for (int i = 0; i < shape->n_dims; i++) {
        int64_t d = shape->dim[i], s = t->stride[i];
        if (d == 1) continue;
        if (n > 0 && v->stride[n - 1] == s * d) {
            v->dim[n - 1] *= d;
            v->stride[n - 1] = s;
        } else {
            v->dim[n] = d;
            v->stride[n++] = s;
        }
    }
    v->n_dims = n;
}

bp__ew_view bp__ew_view_of(const bp__tensor *t, const bp__tensor *shape) {
    bp__ew_view v = {.data = t->data, .dtype = t->dtype, .panels = t->panels, .walk_panels = shape->panels};
    size_t item = bp__ew_item((bp_dtype)t->dtype);
    int columns = (shape->panels ? shape->panels : t->panels) - 1; /* the dimension that the panels run over; -1: none */
    if (columns >= 0) {
        v.columns = shape->dim[columns];
        v.rows = shape->dim[1 - columns];
    }
    merge(&v, t, shape);
    if (t->panels) {
        v.bytes = (size_t)bp__ew_flat_count(t) * item;
    } else {
        int64_t last = 0;
        for (int i = 0; i < v.n_dims; i++) {
            int64_t reach = (v.dim[i] - 1) * v.stride[i];
            if (reach < 0) { /* a view that runs backwards: all that matters is where its memory lies */
                v.bytes = SIZE_MAX / 4;
            } else {
                last += reach;
            }
        }
        if (!v.bytes) v.bytes = ((size_t)last + 1) * item;
    }
    if (t->panels && shape->panels) {
        v.kind = BP__EW_FLAT;
    } else if (!t->panels && (v.n_dims == 0 || (v.n_dims == 1 && v.stride[0] == 0)) && t != shape) {
        v.kind = BP__EW_ONE;
    } else if (t->panels || shape->panels) {
        v.kind = BP__EW_PANELS;
        v.stride[0] = t->stride[columns];
        v.stride[1] = t->stride[1 - columns];
    } else if (v.n_dims == 0 || (v.n_dims == 1 && v.stride[0] == 1)) {
        v.kind = BP__EW_FLAT;
    } else {
        v.kind = BP__EW_STRIDED;
    }
    return v;
}

/* ---- Conversion --------------------------------------------------------------------------------------------------------------
 */

static int64_t whole(double x, double least, double most, int64_t least_whole, int64_t most_whole) {
    if (x != x) return 0;
    return x <= least ? least_whole : x >= most ? most_whole : (int64_t)x;
}
static float to_f32(double x) { return (float)x; }
static double to_f64(double x) { return x; }
static int32_t to_i32(double x) { return (int32_t)whole(x, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX); }
static int64_t to_i64(double x) { return whole(x, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX); }
static uint8_t to_u8(double x) { return (uint8_t)whole(x, 0, 255, 0, 255); }
/* Whole numbers go from one to the other without a detour through double. */
static int32_t keep_i32(int64_t x) { return (int32_t)BP__MAX(INT32_MIN, BP__MIN(INT32_MAX, x)); }
static uint8_t keep_u8(int64_t x) { return (uint8_t)BP__MAX(0, BP__MIN(255, x)); }

#define LOOP(to_t, from_t, expression)                                                     \
    do {                                                                                   \
        to_t *y = to;                                                                      \
        const from_t *x = from;                                                            \
        for (int64_t i = 0; i < n; i++) y[i * to_stride] = expression(x[i * from_stride]); \
    } while (0)
#define PAIR(to_d, from_d, to_t, from_t, expression)                 \
    case (to_d)*8 + (from_d):                                        \
        if (to_stride == 1 && from_stride == 1) {                    \
            to_t *y = to;                                            \
            const from_t *x = from;                                  \
            for (int64_t i = 0; i < n; i++) y[i] = expression(x[i]); \
        } else {                                                     \
            LOOP(to_t, from_t, expression);                          \
        }                                                            \
        break;

void bp__ew_convert(void *to, bp_dtype to_type, int64_t to_stride, const void *from, bp_dtype from_type, int64_t from_stride,
                    int64_t n) {
    switch ((int)to_type * 8 + (int)from_type) {
        PAIR(BP_F32, BP_F32, float, float, (float))
        PAIR(BP_F32, BP_F64, float, double, to_f32)
        PAIR(BP_F32, BP_I32, float, int32_t, (float))
        PAIR(BP_F32, BP_I64, float, int64_t, (float))
        PAIR(BP_F32, BP_U8, float, uint8_t, (float))
        PAIR(BP_F64, BP_F32, double, float, (double))
        PAIR(BP_F64, BP_F64, double, double, to_f64)
        PAIR(BP_F64, BP_I32, double, int32_t, (double))
        PAIR(BP_F64, BP_I64, double, int64_t, (double))
        PAIR(BP_F64, BP_U8, double, uint8_t, (double))
        PAIR(BP_I32, BP_F32, int32_t, float, to_i32)
        PAIR(BP_I32, BP_F64, int32_t, double, to_i32)
        PAIR(BP_I32, BP_I32, int32_t, int32_t, (int32_t))
        PAIR(BP_I32, BP_I64, int32_t, int64_t, keep_i32)
        PAIR(BP_I32, BP_U8, int32_t, uint8_t, (int32_t))
        PAIR(BP_I64, BP_F32, int64_t, float, to_i64)
        PAIR(BP_I64, BP_F64, int64_t, double, to_i64)
        PAIR(BP_I64, BP_I32, int64_t, int32_t, (int64_t))
        PAIR(BP_I64, BP_I64, int64_t, int64_t, (int64_t))
        PAIR(BP_I64, BP_U8, int64_t, uint8_t, (int64_t))
        PAIR(BP_U8, BP_F32, uint8_t, float, to_u8)
        PAIR(BP_U8, BP_F64, uint8_t, double, to_u8)
        PAIR(BP_U8, BP_I32, uint8_t, int32_t, keep_u8)
        PAIR(BP_U8, BP_I64, uint8_t, int64_t, keep_u8)
        PAIR(BP_U8, BP_U8, uint8_t, uint8_t, (uint8_t))
    default: break;
    }
}

void bp__ew_fill(void *to, bp_dtype type, double value, int64_t n) { bp__ew_convert(to, type, 1, &value, BP_F64, 0, n); }

/* ---- Tiles ---- */

void *bp__ew_in_place(const bp__ew_view *v, bp_dtype type, int64_t start, int64_t n) {
    if (v->dtype != type) return NULL;
    size_t item = bp__ew_item(type);
    if (v->kind == BP__EW_FLAT) return v->data + (size_t)start * item;
    /* a row that all the tile lies in: a bias along the last dimension */
    if (v->kind != BP__EW_STRIDED || v->stride[v->n_dims - 1] != 1) return NULL;
    int64_t inner = v->dim[v->n_dims - 1], position = start % inner, rest = start / inner;
    if (position + n > inner) return NULL;
    for (int i = v->n_dims - 2; i >= 0; i--) {
        position += rest % v->dim[i] * v->stride[i];
        rest /= v->dim[i];
    }
    return v->data + position * (int64_t)item;
}

/* Where element i of the walk is in a view that differs from the walk in panels; false: padding. */
static bool panel_offset(const bp__ew_view *v, int64_t i, int64_t *offset) {
    int64_t c, r;
    if (v->walk_panels) {
        int64_t panel = i / (v->rows * BP__PANEL), in_panel = i % (v->rows * BP__PANEL);
        c = panel * BP__PANEL + in_panel % BP__PANEL;
        r = in_panel / BP__PANEL;
        if (c >= v->columns) return false;
    } else if (v->panels == 1) {
        c = i / v->rows;
        r = i % v->rows;
    } else {
        r = i / v->columns;
        c = i % v->columns;
    }
    *offset = v->panels ? (c / BP__PANEL * v->rows + r) * BP__PANEL + c % BP__PANEL : c * v->stride[0] + r * v->stride[1];
    return true;
}

static void gather_panels(char *to, bp_dtype type, const bp__ew_view *v, int64_t start, int64_t n) {
    size_t item = bp__ew_item((bp_dtype)v->dtype), to_item = bp__ew_item(type);
    for (int64_t i = 0; i < n; i++, to += to_item) {
        int64_t offset;
        if (panel_offset(v, start + i, &offset)) {
            bp__ew_convert(to, type, 1, v->data + offset * (int64_t)item, (bp_dtype)v->dtype, 1, 1);
        } else {
            memset(to, 0, to_item);
        }
    }
}

void bp__ew_gather(void *to, bp_dtype type, const bp__ew_view *v, int64_t start, int64_t n) {
    size_t item = bp__ew_item((bp_dtype)v->dtype), to_item = bp__ew_item(type);
    bp_dtype dtype = (bp_dtype)v->dtype;
    if (v->kind == BP__EW_ONE || v->kind == BP__EW_FLAT) {
        bool one = v->kind == BP__EW_ONE;
        bp__ew_convert(to, type, 1, one ? v->data : v->data + (size_t)start * item, dtype, one ? 0 : 1, n);
        return;
    }
    if (v->kind == BP__EW_PANELS) {
        gather_panels(to, type, v, start, n);
        return;
    }
    int last = v->n_dims - 1;
    int64_t at[BP__MAX_DIMS], rest = start, offset = 0;
    for (int i = last; i >= 0; i--) {
        at[i] = rest % v->dim[i];
        rest /= v->dim[i];
        offset += at[i] * v->stride[i];
    }
    for (char *y = to; n > 0;) {
        int64_t run = BP__MIN(n, v->dim[last] - at[last]);
        const char *x = v->data + offset * (int64_t)item;
        if (v->stride[last] == 1 && dtype == type)
            memcpy(y, x, (size_t)run * item);
        else
            bp__ew_convert(y, type, 1, x, dtype, v->stride[last], run);
        y += (size_t)run * to_item;
        n -= run;
        offset += run * v->stride[last];
        at[last] += run;
        for (int i = last; i > 0 && at[i] == v->dim[i]; i--) { /* carry */
            offset += v->stride[i - 1] - at[i] * v->stride[i];
            at[i] = 0;
            at[i - 1]++;
        }
    }
}

void bp__ew_scatter(const bp__ew_view *v, bp_dtype type, const void *from, int64_t start, int64_t n) {
    bp_dtype dtype = (bp_dtype)v->dtype;
    size_t item = bp__ew_item(dtype), from_item = bp__ew_item(type);
    if (v->kind == BP__EW_PANELS) {
        const char *x = from;
        for (int64_t i = 0; i < n; i++, x += from_item) {
            int64_t offset;
            if (panel_offset(v, start + i, &offset)) {
                bp__ew_convert(v->data + offset * (int64_t)item, dtype, 1, x, type, 1, 1);
            }
        }
        return;
    }
    bp__ew_convert(v->data + (size_t)start * item, dtype, 1, from, type, 1, n);
}

void bp__ew_clear_padding(const bp__ew_view *v, int64_t start, int64_t n) {
    int64_t used = v->columns % BP__PANEL, item = (int64_t)bp__ew_item((bp_dtype)v->dtype);
    if (!v->walk_panels || !v->panels || !used) return;
    int64_t first = BP__MAX(start, v->columns / BP__PANEL * v->rows * BP__PANEL);
    first -= first % BP__PANEL; /* tiles begin at whole rows of panels: BP__TILE is a multiple of BP__PANEL */
    for (int64_t i = first; i < start + n; i += BP__PANEL) {
        memset(v->data + (i + used) * item, 0, (size_t)((BP__PANEL - used) * item));
    }
}
