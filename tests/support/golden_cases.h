/* What a case of test_golden.c looks like, and the tables of all: how each is said with the operations of the library. */
#ifndef BP__GOLDEN_CASES_H
#define BP__GOLDEN_CASES_H
#include "io/json.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GOLDEN_IN = 24, GOLDEN_OUT = 4 };

typedef struct golden {
    bp_context *ctx;
    bp_graph *g;
    const bp__st_file *file;
    const char *prefix, *name;
    const bp__tree *about; /* the case's entry in the index, or NULL */
    int n_in, n_out;
    bp_value in[GOLDEN_IN], out[GOLDEN_OUT];
    char in_names[GOLDEN_IN][64], in_full[GOLDEN_IN][100]; /* "weight", "param.weight" */
    const char *out_names[GOLDEN_OUT];
} golden;

typedef struct golden_case {
    const char *group, *name; /* a name that ends in '*' stands for all that begin so */
    void (*build)(golden *k);
} golden_case;

static bp_value golden_in(golden *k, const char *name); /* in.NAME or param.NAME of the file; BP_NONE where it has neither */
static void golden_out(golden *k, const char *name, bp_value y);

/* ---- Short names ------------------------------------------------------------------------------------------------------ */

static inline bp_value in(golden *k, const char *name) { return golden_in(k, name); }
static inline bp_value num(golden *k, double x) { return bp_number(k->g, BP_F64, x); }
static inline int64_t size_of(bp_value x, int64_t axis) { return bp_value_dims(x).dim[axis]; }
static inline bp_value times(golden *k, bp_value x, double a) { return bp_mul(x, num(k, a)); }
static inline bp_value plus(golden *k, bp_value x, double a) { return bp_add(x, num(k, a)); }

/* Attributes as the index says them. */
static inline double attr(const golden *k, const char *key, double standard) {
    const bp__tree *t = bp__tree_get(k->about, key);
    return t && (t->kind == BP__INT || t->kind == BP__FLOAT) ? t->number : standard;
}
static inline bp_dims attr_dims(const golden *k, const char *key, int64_t standard) {
    const bp__tree *t = bp__tree_get(k->about, key);
    if (!t || t->kind != BP__LIST)
        return bp_shape(2, (int64_t)attr(k, key, (double)standard), (int64_t)attr(k, key, (double)standard));
    bp_dims d = {.n = bp__tree_count(t)};
    for (int64_t i = 0; i < d.n; i++) d.dim[i] = bp__tree_at(t, i)->integer;
    return d;
}
static inline bp_value attr_vector(const golden *k, const char *key) {
    const bp__tree *t = bp__tree_get(k->about, key);
    double x[16];
    int64_t n = bp__tree_count(t);
    if (!t || n > 16) return BP_NONE;
    for (int64_t i = 0; i < n; i++) x[i] = bp__tree_at(t, i)->number;
    return bp_constant(k->g, BP_F64, bp_shape(1, n), x);
}

static inline bp_value sum_over(bp_value x, bp_dims axes, int keepdim) {
    bp_sum_options o = bp_sum_defaults();
    o.axes = axes;
    o.keepdim = keepdim;
    return bp_sum(x, &o);
}
static inline bp_value mean_over(bp_value x, bp_dims axes, int keepdim) {
    bp_mean_options o = bp_mean_defaults();
    o.axes = axes;
    o.keepdim = keepdim;
    return bp_mean(x, &o);
}
static inline bp_value part(bp_value x, int64_t axis, int64_t start, int64_t length) {
    return bp_slice(x, axis, start, length, NULL);
}
static inline bp_value transposed(bp_value x) {
    bp_dims axes = {.n = bp_value_dims(x).n};
    for (int64_t i = 0; i < axes.n; i++) axes.dim[i] = i < axes.n - 2 ? i : 2 * axes.n - 3 - i;
    return bp_permute(x, axes);
}

/* ---- Activations ------------------------------------------------------------------------------------------------------- */

#define WITH(name, ...) (&(const bp_##name##_options){sizeof(bp_##name##_options), __VA_ARGS__})
#define UNARY(name) \
    static void act_##name(golden *k) { golden_out(k, "y", bp_##name(in(k, "x"))); }
#define UNARY_WITH(name) \
    static void act_##name(golden *k) { golden_out(k, "y", bp_##name(in(k, "x"), NULL)); }
UNARY(relu)
UNARY(relu6)
UNARY_WITH(elu)
UNARY(selu)
UNARY(gelu)
UNARY(gelu_tanh)
UNARY(silu)
UNARY(mish)
UNARY(sigmoid)
UNARY(tanh)
UNARY_WITH(softplus)
UNARY(softsign)
UNARY(hardswish)
UNARY(hardsigmoid)
UNARY_WITH(hardtanh)
UNARY(log_sigmoid)
UNARY(tanhshrink)
UNARY_WITH(softshrink)
UNARY_WITH(hardshrink)
static void act_leaky(golden *k) { golden_out(k, "y", bp_leaky_relu(in(k, "x"), WITH(leaky_relu, 0.1))); }
static void act_celu(golden *k) { golden_out(k, "y", bp_celu(in(k, "x"), WITH(celu, 0.5))); }
static void act_softmax(golden *k) { golden_out(k, "y", bp_softmax(in(k, "x"), (int64_t)attr(k, "dim", -1))); }
static void act_log_softmax(golden *k) { golden_out(k, "y", bp_log_softmax(in(k, "x"), -1)); }
static void act_softmin(golden *k) { golden_out(k, "y", bp_softmax(bp_neg(in(k, "x")), -1)); }

/* ---- Losses of the reference set ------------------------------------------------------------------------------------------ */

static void loss_cross_entropy(golden *k) {
    bp_cross_entropy_options o = bp_cross_entropy_defaults();
    o.reduction = strstr(k->name, "_none") ? "none" : strstr(k->name, "_sum") ? "sum" : "mean";
    o.label_smoothing = attr(k, "label_smoothing", 0);
    o.ignore_index = (int64_t)attr(k, "ignore_index", -100);
    golden_out(k, "y", bp_cross_entropy(in(k, "x"), in(k, "t"), attr_vector(k, "weight"), &o));
}
static bp_value picked(golden *k, bp_value x, bp_value label) { /* x[n, label[n]] */
    (void)k;
    return bp_gather(x, bp_reshape(label, bp_shape(2, size_of(label, 0), 1)), 1);
}
static void loss_nll(golden *k) {
    golden_out(k, "y", bp_neg(bp_mean(picked(k, bp_log_softmax(in(k, "x"), -1), in(k, "t")), NULL)));
}
static void loss_bce(golden *k) {
    bp_value p = bp_sigmoid(in(k, "x")), t = in(k, "t"), one = num(k, 1);
    golden_out(k, "y", bp_neg(bp_mean(bp_add(bp_mul(t, bp_log(p)), bp_mul(bp_sub(one, t), bp_log(bp_sub(one, p)))), NULL)));
}
static void loss_bce_with_logits(golden *k) {
    golden_out(k, "y", bp_bce_with_logits(in(k, "x"), in(k, "t"), BP_NONE, attr_vector(k, "pos_weight"), NULL));
}
static void loss_mse(golden *k) { golden_out(k, "y", bp_mse(in(k, "x"), in(k, "t"), NULL)); }
static void loss_l1(golden *k) { golden_out(k, "y", bp_l1(in(k, "x"), in(k, "t"), NULL)); }
static void loss_huber(golden *k) {
    golden_out(k, "y", bp_huber(in(k, "x"), in(k, "t"), WITH(huber, "mean", attr(k, "delta", 1))));
}
static void loss_smooth_l1(golden *k) { /* huber / beta */
    double beta = attr(k, "beta", 1);
    golden_out(k, "y", times(k, bp_huber(in(k, "x"), in(k, "t"), WITH(huber, "mean", beta)), 1 / beta));
}
static void loss_kl(golden *k) {
    bp_value t = in(k, "t"), x = in(k, "x"), each = bp_mul(t, bp_sub(bp_log(t), bp_log_softmax(x, -1)));
    golden_out(k, "y", times(k, bp_sum(each, NULL), 1 / (double)size_of(x, 0)));
}
static void loss_poisson(golden *k) {
    bp_value x = in(k, "x");
    golden_out(k, "y", bp_mean(bp_sub(bp_exp(x), bp_mul(in(k, "t"), x)), NULL));
}
static void loss_gaussian(golden *k) {
    bp_value v = bp_maximum(bp_exp(in(k, "logvar")), num(k, 1e-6)), d = bp_square(bp_sub(in(k, "x"), in(k, "t")));
    golden_out(k, "y", times(k, bp_mean(bp_add(bp_log(v), bp_div(d, v)), NULL), 0.5));
}
static void loss_multi_margin(golden *k) {
    bp_value x = in(k, "x"), t = in(k, "t"), own = bp_one_hot(t, size_of(x, 1), WITH(one_hot, BP_U8));
    bp_value over = bp_relu(plus(k, bp_sub(x, picked(k, x, t)), 1));
    golden_out(k, "y", bp_mean(bp_where(own, num(k, 0), over), NULL));
}
static void loss_hinge(golden *k) {
    bp_value x = in(k, "x");
    golden_out(k, "y", bp_mean(bp_where(in(k, "t"), x, bp_relu(bp_sub(num(k, 1), x))), NULL));
}
static void loss_soft_margin(golden *k) {
    bp_value sign = plus(k, times(k, in(k, "t"), 2), -1);
    golden_out(k, "y", bp_mean(bp_log1p(bp_exp(bp_neg(bp_mul(sign, in(k, "x"))))), NULL));
}
static void loss_cosine(golden *k) {
    bp_value a = in(k, "a"), b = in(k, "b");
    bp_dims last = bp_shape(1, 1);
    bp_value norms = bp_mul(plus(k, sum_over(bp_square(a), last, 0), 1e-12), plus(k, sum_over(bp_square(b), last, 0), 1e-12));
    bp_value c = bp_div(sum_over(bp_mul(a, b), last, 0), bp_sqrt(norms));
    bp_value same = bp_gt(in(k, "t"), bp_number(k->g, BP_I64, 0));
    golden_out(k, "y", bp_mean(bp_where(same, bp_sub(num(k, 1), c), bp_relu(plus(k, c, -attr(k, "margin", 0)))), NULL));
}
static bp_value distance(golden *k, bp_value a, bp_value b) {
    return bp_sqrt(sum_over(bp_square(plus(k, bp_sub(a, b), 1e-6)), bp_shape(1, 1), 0));
}
static void loss_triplet(golden *k) {
    bp_value a = in(k, "a"), d = bp_sub(distance(k, a, in(k, "p")), distance(k, a, in(k, "n")));
    golden_out(k, "y", bp_mean(bp_relu(plus(k, d, attr(k, "margin", 1))), NULL));
}

/* ---- The own set: settings are in the names -------------------------------------------------------------------------------- */

static double setting(const golden *k, int index) { /* the index-th number of the name, from 0 */
    double x = NAN;
    for (const char *at = k->name; *at && index >= 0; at++)
        if (*at == '_' && sscanf(at + 1, "%lf", &x) == 1) index--;
    return x;
}
static const char *reduction(const golden *k) {
    return strstr(k->name, "_mean") ? "mean" : strstr(k->name, "_sum") ? "sum" : "none";
}
#define OWN(name, expression) \
    static void own_##name(golden *k) { golden_out(k, "y0", expression); }
OWN(leaky_relu, bp_leaky_relu(in(k, "x"), WITH(leaky_relu, setting(k, 0))))
OWN(elu, bp_elu(in(k, "x"), WITH(elu, setting(k, 0))))
OWN(celu, bp_celu(in(k, "x"), WITH(celu, setting(k, 0))))
OWN(softplus, bp_softplus(in(k, "x"), WITH(softplus, setting(k, 0), setting(k, 1))))
OWN(softshrink, bp_softshrink(in(k, "x"), WITH(softshrink, setting(k, 0))))
OWN(hardshrink, bp_hardshrink(in(k, "x"), WITH(hardshrink, setting(k, 0))))
OWN(hardtanh, bp_hardtanh(in(k, "x"), WITH(hardtanh, setting(k, 0), setting(k, 1))))
OWN(threshold, bp_threshold(in(k, "x"), WITH(threshold, setting(k, 0), setting(k, 1))))
OWN(clamp, bp_clamp(in(k, "x"), WITH(clamp, setting(k, 0), setting(k, 1))))
OWN(cross_entropy, bp_cross_entropy(in(k, "x"), in(k, "t_label"), in(k, "t_weight"),
                                    WITH(cross_entropy, reduction(k), (int64_t)setting(k, 1), setting(k, 0))))
OWN(cross_entropy_q,
    bp_cross_entropy(in(k, "x"), in(k, "t_q"), in(k, "t_weight"), WITH(cross_entropy, reduction(k), -100, setting(k, 0))))
OWN(pixels, bp_cross_entropy(in(k, "x"), in(k, "t_label"), BP_NONE, WITH(cross_entropy, "mean", 1, 0)))
OWN(bce,
    bp_bce_with_logits(in(k, "x"), in(k, "t_target"), in(k, "t_weight"), in(k, "t_pos"), WITH(bce_with_logits, reduction(k))))
OWN(huber, bp_huber(in(k, "x"), in(k, "target"), WITH(huber, reduction(k), setting(k, 0))))
OWN(mse, bp_mse(in(k, "x"), in(k, "target"), WITH(mse, reduction(k))))
OWN(l1, bp_l1(in(k, "x"), in(k, "target"), WITH(l1, reduction(k))))
OWN(gather, bp_gather(in(k, "x"), in(k, "t_index"), (int64_t)setting(k, 0)))
OWN(logsumexp, bp_logsumexp(in(k, "x"), WITH(logsumexp, bp_shape(1, (int64_t)setting(k, 0)), strstr(k->name, "keep") != NULL)))
OWN(amax, bp_amax(in(k, "x"), WITH(amax, strstr(k->name, "all") ? (bp_dims){.n = -1} : bp_shape(1, 1), 0)))
OWN(mean, mean_over(in(k, "x"), bp_shape(2, 0, 2), 0))
OWN(sum, sum_over(in(k, "x"), bp_shape(1, 1), 1))
OWN(matmul, bp_matmul(in(k, "a"), in(k, "b")))
OWN(linear, bp_linear(in(k, "x"), in(k, "weight"), in(k, "bias")))
OWN(embedding, bp_embedding(in(k, "weight"), in(k, "t_index"), NULL))
OWN(conv2d, bp_conv2d(in(k, "x"), in(k, "weight"), in(k, "bias"),
                      WITH(conv2d, bp_shape(2, 2, 1), bp_shape(2, 1, 2), bp_shape(2, 1, 2), 2)))
OWN(pow, bp_pow(in(k, "a"), in(k, "b")))
OWN(atan2, bp_atan2(in(k, "a"), in(k, "b")))
OWN(hypot, bp_hypot(in(k, "a"), in(k, "b")))
OWN(div, bp_div(in(k, "a"), in(k, "b")))
OWN(maximum, bp_maximum(in(k, "a"), in(k, "b")))
OWN(minimum, bp_minimum(in(k, "a"), in(k, "b")))
OWN(where, bp_where(bp_gt(in(k, "t_c"), num(k, 0)), in(k, "a"), in(k, "b")))
OWN(lgamma, bp_lgamma(in(k, "x")))
OWN(digamma, bp_digamma(in(k, "x")))
OWN(polygamma, bp_polygamma(in(k, "x"), WITH(polygamma, setting(k, 0))))
OWN(logit, bp_logit(in(k, "x"), WITH(logit, setting(k, 0))))
OWN(prelu, bp_prelu(in(k, "x"), in(k, "weight")))
OWN(addcmul, bp_addcmul(in(k, "a"), in(k, "b"), in(k, "c"), WITH(addcmul, setting(k, 0))))
OWN(addcdiv, bp_addcdiv(in(k, "a"), in(k, "b"), in(k, "c"), WITH(addcdiv, setting(k, 0))))
OWN(glu, bp_glu(in(k, "x"), WITH(glu, (int64_t)setting(k, 0))))
OWN(swiglu, bp_swiglu(in(k, "x"), WITH(swiglu, (int64_t)setting(k, 0))))
OWN(geglu, bp_geglu(in(k, "x"), WITH(geglu, (int64_t)setting(k, 0))))
OWN(masked_fill, bp_masked_fill(in(k, "x"), in(k, "t_mask"), setting(k, 0)))

/* ---- Losses of the own set: the reduction, then settings in the order of the attributes ------------------------------------ */

static bp_value target(golden *k) {
    bp_value t = in(k, "target");
    return t.graph ? t : in(k, "t_target");
}
static const char *kl_reduction(const golden *k) { return strstr(k->name, "batchmean") ? "batchmean" : reduction(k); }
#define PAIR_LOSS(name, ...) OWN(name, bp_##name(in(k, "x"), target(k), WITH(name, reduction(k), __VA_ARGS__)))
#define PLAIN_LOSS(name) OWN(name, bp_##name(in(k, "x"), target(k), WITH(name, reduction(k))))
PAIR_LOSS(smooth_l1, setting(k, 0))
PLAIN_LOSS(log_cosh)
PAIR_LOSS(quantile_loss, setting(k, 0))
PAIR_LOSS(expectile, setting(k, 0))
PAIR_LOSS(mape, setting(k, 0))
PAIR_LOSS(msle, setting(k, 0))
PAIR_LOSS(poisson_nll, (int)setting(k, 0), (int)setting(k, 1), setting(k, 2))
OWN(gaussian_nll,
    bp_gaussian_nll(in(k, "x"), target(k), in(k, "var"), WITH(gaussian_nll, reduction(k), (int)setting(k, 0), setting(k, 1))))
OWN(nll, bp_nll(in(k, "x"), in(k, "t_label"), in(k, "t_weight"), WITH(nll, reduction(k), (int64_t)setting(k, 0))))
OWN(plain_bce, bp_bce(in(k, "x"), target(k), in(k, "t_weight"), WITH(bce, reduction(k))))
OWN(kl_div, bp_kl_div(in(k, "x"), target(k), WITH(kl_div, kl_reduction(k), (int)setting(k, 0))))
PAIR_LOSS(focal, setting(k, 0), setting(k, 1))
PAIR_LOSS(dice, {1, {1}}, setting(k, 0))
PAIR_LOSS(tversky, {1, {1}}, setting(k, 0), setting(k, 1), setting(k, 2))
PLAIN_LOSS(corn)
PLAIN_LOSS(hinge)
PLAIN_LOSS(squared_hinge)
PLAIN_LOSS(soft_margin)
PAIR_LOSS(hinge_embedding, setting(k, 0))
OWN(margin_ranking, bp_margin_ranking(in(k, "x1"), in(k, "x2"), target(k), WITH(margin_ranking, reduction(k), setting(k, 0))))
OWN(multi_margin, bp_multi_margin(in(k, "x"), target(k), in(k, "t_weight"),
                                  WITH(multi_margin, reduction(k), (int64_t)setting(k, 0), setting(k, 1))))
PLAIN_LOSS(multilabel_margin)
OWN(multilabel_soft_margin,
    bp_multilabel_soft_margin(in(k, "x"), target(k), in(k, "t_weight"), WITH(multilabel_soft_margin, reduction(k))))
OWN(cosine_embedding,
    bp_cosine_embedding(in(k, "x1"), in(k, "x2"), target(k), WITH(cosine_embedding, reduction(k), setting(k, 0))))
OWN(triplet_margin, bp_triplet_margin(in(k, "x1"), in(k, "x2"), in(k, "x3"),
                                      WITH(triplet_margin, reduction(k), setting(k, 0), setting(k, 1), 1e-3, (int)setting(k, 2))))
OWN(nt_xent, bp_nt_xent(in(k, "x1"), in(k, "x2"), WITH(nt_xent, reduction(k), setting(k, 0))))

static void own_topk(golden *k) {
    bp_value y = bp_topk(in(k, "x"), (int64_t)setting(k, 0), WITH(topk, strstr(k->name, "smallest") == NULL, -1)), index = y;
    index.output = 1;
    golden_out(k, "y0", y);
    golden_out(k, "y1", index);
}

/* ---- Tables ------------------------------------------------------------------------------------------------------------------
 */

#include "support/golden_layers.h"
#include "support/golden_shape.h"

static const golden_case golden_cases[] = {
    {"activations", "relu", act_relu},
    {"activations", "leakyrelu_0.1", act_leaky},
    {"activations", "relu6", act_relu6},
    {"activations", "elu_1", act_elu},
    {"activations", "celu_0.5", act_celu},
    {"activations", "selu", act_selu},
    {"activations", "gelu_erf", act_gelu},
    {"activations", "gelu_tanh", act_gelu_tanh},
    {"activations", "silu", act_silu},
    {"activations", "mish", act_mish},
    {"activations", "sigmoid", act_sigmoid},
    {"activations", "tanh", act_tanh},
    {"activations", "softplus", act_softplus},
    {"activations", "softsign", act_softsign},
    {"activations", "hardswish", act_hardswish},
    {"activations", "hardsigmoid", act_hardsigmoid},
    {"activations", "hardtanh", act_hardtanh},
    {"activations", "logsigmoid", act_log_sigmoid},
    {"activations", "tanhshrink", act_tanhshrink},
    {"activations", "softshrink", act_softshrink},
    {"activations", "hardshrink", act_hardshrink},
    {"activations", "softmax*", act_softmax},
    {"activations", "logsoftmax*", act_log_softmax},
    {"activations", "softmin", act_softmin},
    {"losses", "crossentropy_*", loss_cross_entropy},
    {"losses", "nll", loss_nll},
    {"losses", "bce", loss_bce},
    {"losses", "bce_logits*", loss_bce_with_logits},
    {"losses", "mse", loss_mse},
    {"losses", "l1", loss_l1},
    {"losses", "smoothl1*", loss_smooth_l1},
    {"losses", "huber_*", loss_huber},
    {"losses", "kldiv_batchmean", loss_kl},
    {"losses", "poissonnll", loss_poisson},
    {"losses", "gaussiannll", loss_gaussian},
    {"losses", "multimargin", loss_multi_margin},
    {"losses", "hinge_embedding", loss_hinge},
    {"losses", "softmargin", loss_soft_margin},
    {"losses", "cosine_embedding", loss_cosine},
    {"losses", "triplet", loss_triplet},
    {"own", "leaky_relu_*", own_leaky_relu},
    {"own", "elu_*", own_elu},
    {"own", "celu_*", own_celu},
    {"own", "softplus_*", own_softplus},
    {"own", "softshrink_*", own_softshrink},
    {"own", "hardshrink_*", own_hardshrink},
    {"own", "hardtanh_*", own_hardtanh},
    {"own", "threshold_*", own_threshold},
    {"own", "clamp_*", own_clamp},
    {"own", "cross_entropy_q_*", own_cross_entropy_q},
    {"own", "cross_entropy_pixels", own_pixels},
    {"own", "cross_entropy_*", own_cross_entropy},
    {"own", "bce_with_logits_*", own_bce},
    {"own", "huber_*", own_huber},
    {"own", "mse_*", own_mse},
    {"own", "l1_*", own_l1},
    {"own", "topk_*", own_topk},
    {"own", "gather_*", own_gather},
    {"own", "logsumexp_*", own_logsumexp},
    {"own", "amax_*", own_amax},
    {"own", "mean_*", own_mean},
    {"own", "sum_*", own_sum},
    {"own", "matmul_*", own_matmul},
    {"own", "linear_*", own_linear},
    {"own", "embedding", own_embedding},
    {"own", "conv2d_*", own_conv2d},
    {"own", "pow", own_pow},
    {"own", "atan2", own_atan2},
    {"own", "hypot", own_hypot},
    {"own", "div", own_div},
    {"own", "maximum", own_maximum},
    {"own", "minimum", own_minimum},
    {"own", "where", own_where},
    {"own", "lgamma", own_lgamma},
    {"own", "digamma", own_digamma},
    {"own", "polygamma_*", own_polygamma},
    {"own", "logit_*", own_logit},
    {"own", "prelu", own_prelu},
    {"own", "addcmul_*", own_addcmul},
    {"own", "addcdiv_*", own_addcdiv},
    {"own", "glu_*", own_glu},
    {"own", "swiglu_*", own_swiglu},
    {"own", "geglu_*", own_geglu},
    {"own", "masked_fill_*", own_masked_fill},
    {"own", "smooth_l1_*", own_smooth_l1},
    {"own", "log_cosh_*", own_log_cosh},
    {"own", "pinball_*", own_quantile_loss},
    {"own", "expectile_*", own_expectile},
    {"own", "mape_*", own_mape},
    {"own", "msle_*", own_msle},
    {"own", "poisson_nll_*", own_poisson_nll},
    {"own", "gaussian_nll_*", own_gaussian_nll},
    {"own", "nll_*", own_nll},
    {"own", "kl_div_*", own_kl_div},
    {"own", "focal_*", own_focal},
    {"own", "dice_*", own_dice},
    {"own", "tversky_*", own_tversky},
    {"own", "corn_*", own_corn},
    {"own", "hinge_embedding_*", own_hinge_embedding},
    {"own", "hinge_*", own_hinge},
    {"own", "squared_hinge_*", own_squared_hinge},
    {"own", "soft_margin_*", own_soft_margin},
    {"own", "margin_ranking_*", own_margin_ranking},
    {"own", "multi_margin_*", own_multi_margin},
    {"own", "multilabel_margin_*", own_multilabel_margin},
    {"own", "multilabel_soft_margin_*", own_multilabel_soft_margin},
    {"own", "cosine_embedding_*", own_cosine_embedding},
    {"own", "triplet_margin_*", own_triplet_margin},
    {"own", "nt_xent_*", own_nt_xent},
    {"own", "bce_*", own_plain_bce},
};

static const golden_case *golden_search(const golden_case *table, size_t n, const char *group, const char *name) {
    for (size_t i = 0; i < n; i++) {
        const char *star = strchr(table[i].name, '*');
        bool same = star ? strncmp(table[i].name, name, (size_t)(star - table[i].name)) == 0 : strcmp(table[i].name, name) == 0;
        if (same && strcmp(table[i].group, group) == 0) return &table[i];
    }
    return NULL;
}
static const golden_case *golden_find(const char *group, const char *name) {
    const golden_case *c = golden_search(golden_shape, sizeof golden_shape / sizeof golden_shape[0], group, name);
    if (!c) c = golden_search(golden_cases, sizeof golden_cases / sizeof golden_cases[0], group, name);
    return c ? c : golden_search(golden_layers, sizeof golden_layers / sizeof golden_layers[0], group, name);
}
#endif
