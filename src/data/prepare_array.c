/* Arrays into features: bytes stay bytes (the plan scales them), all else becomes floats, normalised per element if asked. */
#include "data/prepare.h"
#include <math.h>
#include <string.h>

bp_status bp__array_choose(bp__prep *p, const bp__source *s, const bp__data_options *o) {
    const bp__array *a = &s->array;
    bool bytes = a->dtype == BP_U8 && !a->boolean;
    p->rank = a->rank > 1 ? a->rank - 1 : 1;
    p->sample_size = 1;
    for (int i = 0; i < p->rank; i++) {
        p->shape[i] = a->rank > 1 ? a->shape[i + 1] : 1;
        p->sample_size *= p->shape[i];
    }
    p->normalize = o->normalize;
    if (o->normalize == BP__NORMALIZE_AUTO && !bytes) p->normalize = BP__NORMALIZE_NONE;
    p->input_dtype = o->f64 ? BP_F64 : BP_F32;
    p->byte_scale = 1;
    if (bytes && (p->normalize == BP__NORMALIZE_AUTO || p->normalize == BP__NORMALIZE_NONE)) {
        p->input_dtype = BP_U8;
        if (p->normalize == BP__NORMALIZE_AUTO) p->byte_scale = s->byte_scale;
    }
    if (o->columns && o->columns->child)
        return bp__fail_at(p->ctx, BP_CONFIG, (bp__where){.code = "bad_value", .file = s->path, .line = o->columns->line},
                           "data.columns speaks of columns, and %s is an array", s->path);
    return BP_OK;
}

static bp_status not_finite(bp_context *ctx, const bp__source *s, int64_t element) {
    int64_t per_row = s->array.size / s->array.shape[0];
    double v = bp__array_get(&s->array, element);
    return bp__fail_at(ctx, BP_DATA,
                       (bp__where){.code = "not_finite", .file = s->path, .hint = "replace such values or leave the row out"},
                       "row %lld of %s (rows count from 0) holds %s", (long long)(element / per_row), s->path,
                       isnan(v) ? "nan"
                       : v > 0  ? "inf"
                                : "-inf");
}

bp_status bp__array_fit(bp__prep *p, const bp__source *s, const int64_t *rows, int64_t n) {
    if (p->normalize != BP__NORMALIZE_STANDARD && p->normalize != BP__NORMALIZE_MINMAX && p->normalize != BP__NORMALIZE_ROBUST)
        return BP_OK;
    size_t bytes = (size_t)p->sample_size * sizeof(double);
    p->center = bp__alloc(p->ctx, bytes);
    p->scale = bp__alloc(p->ctx, bytes);
    double *values = bp__alloc(p->ctx, (size_t)n * sizeof *values);
    bp_status status = p->center && p->scale && values ? BP_OK : bp__out_of_memory(p->ctx, bytes);
    for (int64_t i = 0; i < p->sample_size && status == BP_OK; i++) {
        for (int64_t r = 0; r < n && status == BP_OK; r++) {
            values[r] = bp__array_get(&s->array, rows[r] * p->sample_size + i);
            if (!isfinite(values[r])) status = not_finite(p->ctx, s, rows[r] * p->sample_size + i);
        }
        if (status == BP_OK) bp__fit_numbers(p->normalize, values, n, &p->center[i], &p->scale[i]);
    }
    bp__free(p->ctx, values);
    return status;
}

static bp_status to_bytes(uint8_t *x, const bp__prep *p, const bp__source *s) {
    for (int64_t i = 0; i < s->array.size; i++) {
        double v = bp__array_get(&s->array, i);
        if (!(v >= 0 && v <= 255 && v == floor(v)))
            return bp__fail_at(
                p->ctx, BP_DATA, (bp__where){.code = "not_bytes", .file = s->path},
                "row %lld of %s (rows count from 0) holds a value that is not a whole number from 0 to 255, and the model was "
                "trained on bytes",
                (long long)(i / p->sample_size), s->path);
        x[i] = (uint8_t)v;
    }
    return BP_OK;
}

bp_status bp__array_apply(void *x, const bp__prep *p, const bp__source *s) {
    const bp__array *a = &s->array;
    if (a->size / a->shape[0] != p->sample_size)
        return bp__fail_at(p->ctx, BP_SHAPE, (bp__where){.code = "shape", .file = s->path},
                           "a row of %s has %lld values, and the model was trained on %lld", s->path,
                           (long long)(a->size / a->shape[0]), (long long)p->sample_size);
    if (p->input_dtype == BP_U8) {
        if (a->dtype != BP_U8) return to_bytes(x, p, s);
        if (x != a->data) memcpy(x, a->data, (size_t)a->size);
        return BP_OK;
    }
    for (int64_t i = 0; i < a->size; i++) {
        double v = bp__array_get(a, i);
        if (p->center) v = (v - p->center[i % p->sample_size]) / p->scale[i % p->sample_size];
        double stored = p->input_dtype == BP_F64 ? v : (double)(float)v;
        if (!isfinite(stored)) return not_finite(p->ctx, s, i);
        if (p->input_dtype == BP_F64)
            ((double *)x)[i] = v;
        else
            ((float *)x)[i] = (float)v;
    }
    return BP_OK;
}
