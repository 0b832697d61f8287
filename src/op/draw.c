/* Draws made of uniform numbers, so they are functions of seed, step, stream, row and place like these.
   bernoulli:          y = 1 with probability p, else 0.
   random_permutation: each row of the last axis 0 … n-1 in random order: the order of n uniform numbers of 53 bits.
   multinomial:        n places of the last axis of p, each with a probability proportional to its weight p >= 0. Without
                       replacement as PyTorch does it: the n largest of p / e, e exponential (the exponential race); with
                       replacement the first place whose cumulative weight reaches u Σ p, u in (0, 1].
   No gradient: draws are steps. */
#include "op/make.h"

static bp_status bernoulli_infer(bp__infer *c) {
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, ((const struct bp__bernoulli_attrs *)c->attrs)->stream));
    return bp__infer_same(c);
}

static bp_value bernoulli_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__bernoulli_attrs *a = attrs;
    return bp_cast(bp_lt(bp_random_uniform(in[0], a->stream), in[0]), bp_value_dtype(in[0]));
}

static bp_status permutation_infer(bp__infer *c) {
    BP_TRY(bp__infer_stream(c, ((const struct bp__random_permutation_attrs *)c->attrs)->stream));
    if (c->in[0]->dims.n < 1) return bp__infer_fail(c, BP_SHAPE, "x must have at least one axis");
    c->out[0] = (bp__info){.dtype = BP_I64, .dims = c->in[0]->dims};
    return BP_OK;
}

static bp_value permutation_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)g;
    (void)n_in;
    const struct bp__random_permutation_attrs *a = attrs;
    return bp_argsort(bp_random_uniform(bp_cast(in[0], BP_F64), a->stream), NULL);
}

static bp_status multinomial_infer(bp__infer *c) {
    const struct bp__multinomial_attrs *a = c->attrs;
    const bp_dims *p = &c->in[0]->dims;
    BP_TRY(bp__infer_need_float(c, 0));
    BP_TRY(bp__infer_stream(c, a->stream));
    if (p->n < 1) return bp__infer_fail(c, BP_SHAPE, "p must have at least one axis");
    int64_t size = p->dim[p->n - 1];
    if (a->n < 1 || size == 0 || (!a->replacement && size > 0 && a->n > size))
        return bp__infer_fail(c, BP_SHAPE, "%lld places can't be drawn from the last axis of %s%s", (long long)a->n,
                              bp__infer_shape(c, 0), a->replacement ? "" : " without replacement");
    if (a->replacement && p->n == BP_MAX_DIMS)
        return bp__infer_fail(c, BP_SHAPE, "p %s has too many axes", bp__infer_shape(c, 0));
    c->out[0] = (bp__info){.dtype = BP_I64, .dims = *p};
    c->out[0].dims.dim[p->n - 1] = a->n;
    return BP_OK;
}

static bp_value multinomial_decompose(bp_graph *g, const void *attrs, const bp_value *in, int32_t n_in) {
    (void)n_in;
    const struct bp__multinomial_attrs *a = attrs;
    bp_value p = in[0];
    bp_dims d = bp_value_dims(p);
    bp_dtype dtype = bp_value_dtype(p);
    int64_t last = d.n - 1;
    if (!a->replacement) {
        bp_topk_options o = {sizeof o, 1, last};
        bp_value drawn = bp_topk(bp_div(p, bp__exponential(p, a->stream)), a->n, &o);
        return bp_is_bad(drawn) ? drawn : bp__output(drawn, 1);
    }
    d.dim[last] = a->n;
    bp_value shape = bp_fill(bp__k(g, dtype, 0), d);                              /* nobody reads its numbers */
    bp_value u = bp_sub(bp__k(g, dtype, 1), bp_random_uniform(shape, a->stream)); /* in (0, 1] */
    bp_value upto = bp_cumsum(p, last), total = bp__max_axis(upto, last, true);
    bp_value below = bp_lt(bp__unsqueeze(upto, last), bp__unsqueeze(bp_mul(u, total), last + 1)); /* [..., n, size] */
    return bp__sum_axis(below, last + 1, false);
}

static const struct bp__bernoulli_attrs coin = {.stream = "test.bernoulli"};
static const bp__sample bernoulli_samples[] = {{.attrs = &coin, .n_in = 1, .in = {BP__F(0, 1, 2, {5, 7})}},
                                               {.attrs = &coin, .n_in = 1, .in = {BP__F(0, 1, 0, {0})}}};
static const struct bp__random_permutation_attrs cards = {.stream = "test.permutation"};
static const bp__sample permutation_samples[] = {{.attrs = &cards, .n_in = 1, .in = {BP__F(0, 1, 2, {5, 7})}},
                                                 {.attrs = &cards, .n_in = 1, .in = {BP__I(0, 1, 1, {9})}}};
static const struct bp__multinomial_attrs few = {.n = 3, .stream = "test.multinomial"},
                                          many = {.n = 9, .stream = "test.multinomial", .replacement = 1};
static const bp__sample multinomial_samples[] = {{.attrs = &few, .n_in = 1, .in = {BP__F(0.1, 1, 2, {4, 5})}},
                                                 {.attrs = &many, .n_in = 1, .in = {BP__F(0.1, 1, 2, {4, 5})}},
                                                 {.attrs = &many, .n_in = 1, .in = {BP__F(0.1, 1, 1, {3})}}};

const bp__op_def bp__def_bernoulli = {BP__SIGNATURE(bernoulli),
                                      .family = "random",
                                      .formula = "y = u < p, u uniform in [0, 1)",
                                      .flags = BP__OP_RANDOM | BP__OP_NO_GRADIENT,
                                      .infer = bernoulli_infer,
                                      .decompose = bernoulli_decompose,
                                      .samples = bernoulli_samples,
                                      .n_samples = BP__COUNT(bernoulli_samples)};
const bp__op_def bp__def_random_permutation = {BP__SIGNATURE(random_permutation),
                                               .family = "random",
                                               .formula =
                                                   "y = each row of the last axis a permutation of 0 ... n-1, of x's shape",
                                               .flags = BP__OP_RANDOM | BP__OP_DIMS_ONLY | BP__OP_NO_GRADIENT,
                                               .infer = permutation_infer,
                                               .decompose = permutation_decompose,
                                               .samples = permutation_samples,
                                               .n_samples = BP__COUNT(permutation_samples)};
const bp__op_def bp__def_multinomial = {BP__SIGNATURE(multinomial),
                                        .family = "random",
                                        .formula = "index = n draws of places of the last axis, with weights p",
                                        .flags = BP__OP_RANDOM | BP__OP_NO_GRADIENT,
                                        .infer = multinomial_infer,
                                        .decompose = multinomial_decompose,
                                        .samples = multinomial_samples,
                                        .n_samples = BP__COUNT(multinomial_samples)};
