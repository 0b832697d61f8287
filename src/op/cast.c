/* y = x as another type. Float to integer truncates towards zero. */
#include "op/make.h"

static bp_status infer(bp__infer *c) {
    const struct bp__cast_attrs *a = c->attrs;
    if (a->to < BP_F32 || a->to > BP_U8) return bp__infer_fail(c, BP_TYPE, "%d is not a data type", (int)a->to);
    c->out[0] = (bp__info){.dtype = (bp_dtype)a->to, .dims = c->in[0]->dims};
    return BP_OK;
}

static void forward(const bp__call *c) { bp__copy(c->env, &c->out[0], &c->in[0]); }

static bool view(bp__call *c, bp__tensor *out) {
    if (c->in[0].dtype != c->out[0].dtype) return false;
    *out = c->in[0];
    out->data = NULL;
    return true;
}

/* Integers are steps: nothing flows through them. */
static void gradient(bp__grad *c) {
    bp_dtype from = bp_value_dtype(c->in[0]), to = bp_value_dtype(c->out[0]);
    if (!bp__dtype_is_float(from) || !bp__dtype_is_float(to)) {
        c->d_in[0] = BP_NONE;
        return;
    }
    c->d_in[0] = from == to ? c->d_out[0] : bp_cast(c->d_out[0], from);
}

static const struct bp__cast_attrs to_f64 = {.to = BP_F64}, to_i64 = {.to = BP_I64}, to_u8 = {.to = BP_U8},
                                   to_f32 = {.to = BP_F32};
static const bp__sample samples[] = {
    {.attrs = &to_f64, .n_in = 1, .in = {BP__F(-2, 2, 2, {3, 4})}},
    {.attrs = &to_f64, .n_in = 1, .in = {BP__I(-9, 9, 1, {5})}},
    {.attrs = &to_i64, .n_in = 1, .in = {BP__I(-9, 9, 2, {2, 17})}},
    {.attrs = &to_u8, .n_in = 1, .in = {BP__I(0, 255, 2, {2, 17})}},
    {.attrs = &to_f32, .n_in = 1, .in = {BP__I(0, 1000, 0, {0})}},
};

const bp__op_def bp__def_cast = {BP__SIGNATURE(cast),  .family = "structure", .formula = "y = (to)x",
                                 .infer = infer,       .forward = forward,    .view = view,
                                 .gradient = gradient, .samples = samples,    .n_samples = BP__COUNT(samples)};
