/* Cases of tests/golden/shape.safetensors: operations that move, index, reduce and sort. Numbers in a case's name are attributes.
 */
#ifndef BP__GOLDEN_SHAPE_H
#define BP__GOLDEN_SHAPE_H

static inline int64_t whole(const golden *k, int index) { return (int64_t)setting(k, index); }
static int has(const golden *k, const char *word) { return strstr(k->name, word) != NULL; }
static bp_value first_in(golden *k) { /* x, or t_x where no gradient is wanted */
    bp_value x = in(k, "x");
    return x.graph ? x : in(k, "t_x");
}
/* The whole numbers of the name, or all axes. */
static bp_dims numbers(const golden *k) {
    bp_dims d = {.n = 0};
    double x;
    for (const char *at = strchr(k->name, '_'); at; at = strchr(at + 1, '_'))
        if (sscanf(at + 1, "%lf", &x) == 1 && isfinite(x)) d.dim[d.n++] = (int64_t)x;
    return d.n > 0 ? d : (bp_dims){.n = -1};
}
/* A reduction over the axes of the name. */
#define OVER(name, ...)    \
    bp_##name(first_in(k), \
              &(const bp_##name##_options){.size = sizeof(bp_##name##_options), .keepdim = has(k, "_keep"), __VA_ARGS__})
static void two_out(golden *k, bp_value y) {
    golden_out(k, "y0", y);
    y.output = 1;
    golden_out(k, "y1", y);
}

OWN(transpose, bp_transpose(in(k, "x"), whole(k, 0), whole(k, 1)))
OWN(squeeze, bp_squeeze(in(k, "x"), WITH(squeeze, numbers(k))))
OWN(unsqueeze, bp_unsqueeze(in(k, "x"), whole(k, 0)))
OWN(flatten, bp_flatten(in(k, "x"), WITH(flatten, whole(k, 0), whole(k, 1))))
OWN(flip, bp_flip(in(k, "x"), numbers(k)))
OWN(roll, bp_roll(in(k, "x"), bp_shape(1, whole(k, 0)), bp_shape(1, whole(k, 1))))
OWN(flat_roll, bp_roll(in(k, "x"), bp_shape(1, whole(k, 0)), bp_shape(0)))
OWN(rolls,
    bp_roll(in(k, "x"), bp_shape(3, whole(k, 0), whole(k, 1), whole(k, 2)), bp_shape(3, whole(k, 3), whole(k, 4), whole(k, 5))))
OWN(nan_to_num, bp_nan_to_num(in(k, "x"), NULL))
OWN(nan_to_num_to, bp_nan_to_num(in(k, "x"), WITH(nan_to_num, setting(k, 0), setting(k, 1), setting(k, 2))))
OWN(logsumexp_over, bp_logsumexp(in(k, "x"), WITH(logsumexp, numbers(k), has(k, "_keep"))))
OWN(repeat, bp_repeat(in(k, "x"), numbers(k)))
OWN(tile, bp_tile(in(k, "x"), numbers(k)))
OWN(tril, bp_tril(in(k, "x"), WITH(tril, whole(k, 0))))
OWN(triu, bp_triu(in(k, "x"), WITH(triu, whole(k, 0))))
OWN(diag, bp_diag(in(k, "x"), WITH(diag, whole(k, 0))))
OWN(arange, bp_arange(in(k, "t_start"), in(k, "t_step"), whole(k, 0)))
OWN(linspace, bp_linspace(in(k, "t_start"), in(k, "t_end"), whole(k, 0)))
OWN(unfold, has(k, "plain")
                ? bp_unfold(in(k, "x"), bp_shape(1, 2), NULL)
                : bp_unfold(in(k, "x"), bp_shape(2, 3, 2), WITH(unfold, bp_shape(2, 1, 2), bp_shape(2, 2, 1), bp_shape(2, 2, 3))))
OWN(fold, bp_fold(in(k, "x"), bp_shape(2, 4, 5), bp_shape(2, 3, 2),
                  WITH(fold, bp_shape(2, 1, 2), bp_shape(2, 2, 1), bp_shape(2, 2, 3))))
static void own_stack(golden *k) {
    bp_value both[2] = {in(k, "a"), in(k, "b")};
    golden_out(k, "y0", bp_stack(both, 2, WITH(stack, whole(k, 0))));
}
static const char *const out_names[] = {"y0", "y1", "y2"};
static void own_chunk(golden *k) {
    bp_value parts[3];
    int n = bp_chunk(parts, in(k, "x"), (int)whole(k, 0), whole(k, 1));
    for (int i = 0; i < n; i++) golden_out(k, out_names[i], parts[i]);
}
static void own_split(golden *k) {
    bp_value parts[3];
    const int64_t sizes[3] = {whole(k, 0), whole(k, 1), BP_INFER};
    bp_split(parts, in(k, "x"), sizes, 3, 0);
    for (int i = 0; i < 3; i++) golden_out(k, out_names[i], parts[i]);
}
static void own_pad(golden *k) {
    static const struct {
        const char *mode;
        bp_dims padding;
    } kinds[] = {{"constant_1.5", {4, {1, 2, 0, 3}}},
                 {"constant_0", {6, {1, 2, 3, 0, 2, 1}}},
                 {"reflect", {4, {3, 2, 1, 0}}},
                 {"replicate", {4, {3, 0, 1, 5}}},
                 {"circular", {4, {4, 2, 0, 3}}}};
    for (int i = 0; i < 5; i++)
        if (has(k, kinds[i].mode))
            golden_out(k, "y0", bp_pad(in(k, "x"), kinds[i].padding, WITH(pad, i < 2 ? "constant" : kinds[i].mode, i ? 0 : 1.5)));
}

OWN(take_along, bp_take_along(in(k, "x"), in(k, "t_index"), whole(k, 0)))
OWN(index_select, bp_index_select(in(k, "x"), in(k, "t_index"), whole(k, 0)))
OWN(index_add, bp_index_add(in(k, "x"), in(k, "t_index"), in(k, "source"), whole(k, 0), WITH(index_add, setting(k, 1))))
OWN(scatter_add, bp_scatter_add(in(k, "x"), in(k, "t_index"), whole(k, 0), 5))
OWN(embedding_padding, bp_embedding(in(k, "weight"), in(k, "t_index"), WITH(embedding, whole(k, 0))))

/* Steps as they are, truth values as whole numbers. */
OWN(step_floor, bp_floor(in(k, "t_x")))
OWN(step_ceil, bp_ceil(in(k, "t_x")))
OWN(step_round, bp_round(in(k, "t_x")))
OWN(step_trunc, bp_trunc(in(k, "t_x")))
OWN(step_isnan, bp_cast(bp_isnan(in(k, "t_x")), BP_I64))
OWN(step_isfinite, bp_cast(bp_isfinite(in(k, "t_x")), BP_I64))
OWN(step_logical_not, bp_cast(bp_logical_not(in(k, "t_x")), BP_I64))
OWN(truth_eq, bp_cast(bp_eq(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_ne, bp_cast(bp_ne(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_lt, bp_cast(bp_lt(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_le, bp_cast(bp_le(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_gt, bp_cast(bp_gt(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_ge, bp_cast(bp_ge(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_logical_and, bp_cast(bp_logical_and(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_logical_or, bp_cast(bp_logical_or(in(k, "t_a"), in(k, "t_b")), BP_I64))
OWN(truth_logical_xor, bp_cast(bp_logical_xor(in(k, "t_a"), in(k, "t_b")), BP_I64))

OWN(max, OVER(max, .axes = numbers(k)))
OWN(min, OVER(min, .axes = numbers(k)))
OWN(amin, OVER(amin, .axes = numbers(k)))
static int64_t axis_or_none(const golden *k) { return has(k, "_flat") ? BP_UNSET : whole(k, 0); }
OWN(argmax_axis, OVER(argmax, .axis = axis_or_none(k)))
OWN(argmin, OVER(argmin, .axis = axis_or_none(k)))
OWN(prod, OVER(prod, .axes = numbers(k)))
OWN(var, has(k, "keep") ? OVER(var, .axes = numbers(k), .correction = 1)
                        : OVER(var, .axes = bp_shape(1, whole(k, 0)), .correction = setting(k, 1)))
OWN(std, has(k, "all") ? bp_std(in(k, "x"), NULL) : OVER(std, .axes = bp_shape(1, whole(k, 0)), .correction = setting(k, 1)))
OWN(norm, has(k, "all") ? bp_norm(in(k, "x"), NULL) : OVER(norm, .p = setting(k, 0), .axes = bp_shape(1, 1)))
OWN(all, bp_cast(OVER(all, .axes = numbers(k)), BP_I64))
OWN(any, bp_cast(OVER(any, .axes = numbers(k)), BP_I64))
OWN(median, OVER(median, .axes = numbers(k)))
static void own_quantile(golden *k) {
    static const char *const kinds[] = {"linear", "lower", "higher", "midpoint", "nearest"};
    for (int i = 0; i < 5; i++)
        if (has(k, kinds[i])) {
            bp_quantile_options o = {sizeof o, has(k, "_all") ? (bp_dims){.n = -1} : bp_shape(1, 1), 0, kinds[i]};
            golden_out(k, "y0", bp_quantile(first_in(k), setting(k, 0), &o));
        }
}
OWN(cumsum, bp_cumsum(in(k, "x"), whole(k, 0)))
OWN(cumprod, bp_cumprod(in(k, "x"), whole(k, 0)))
static void own_cummax(golden *k) { two_out(k, bp_cummax(first_in(k), whole(k, 0))); }
static void own_cummin(golden *k) { two_out(k, bp_cummin(first_in(k), whole(k, 0))); }
static void own_sort(golden *k) { two_out(k, bp_sort(first_in(k), WITH(sort, whole(k, 0), has(k, "_down")))); }
OWN(argsort, bp_argsort(in(k, "t_x"), WITH(argsort, whole(k, 0), has(k, "_down"))))
static void own_topk_axis(golden *k) { two_out(k, bp_topk(in(k, "x"), whole(k, 0), WITH(topk, 1, whole(k, 1)))); }
OWN(softmin, bp_softmin(in(k, "x"), whole(k, 0)))
OWN(sparsemax, bp_sparsemax(in(k, "x"), WITH(sparsemax, whole(k, 0))))
OWN(entmax15, bp_entmax15(in(k, "x"), WITH(entmax15, whole(k, 0))))

static const golden_case golden_shape[] = {
    {"own", "transpose_*", own_transpose},
    {"own", "squeeze_*", own_squeeze},
    {"own", "unsqueeze_*", own_unsqueeze},
    {"own", "flatten_*", own_flatten},
    {"own", "stack_*", own_stack},
    {"own", "chunk_*", own_chunk},
    {"own", "split_*", own_split},
    {"own", "pad_*", own_pad},
    {"own", "flip_*", own_flip},
    {"own", "step_floor", own_step_floor},
    {"own", "step_ceil", own_step_ceil},
    {"own", "step_round", own_step_round},
    {"own", "step_trunc", own_step_trunc},
    {"own", "step_isnan", own_step_isnan},
    {"own", "step_isfinite", own_step_isfinite},
    {"own", "step_logical_not", own_step_logical_not},
    {"own", "truth_eq", own_truth_eq},
    {"own", "truth_ne", own_truth_ne},
    {"own", "truth_lt", own_truth_lt},
    {"own", "truth_le", own_truth_le},
    {"own", "truth_gt", own_truth_gt},
    {"own", "truth_ge", own_truth_ge},
    {"own", "truth_logical_and", own_truth_logical_and},
    {"own", "truth_logical_or", own_truth_logical_or},
    {"own", "truth_logical_xor", own_truth_logical_xor},
    {"own", "flat_roll_*", own_flat_roll},
    {"own", "roll_*", own_roll},
    {"own", "rolls_*", own_rolls},
    {"own", "nan_to_num", own_nan_to_num},
    {"own", "nan_to_num_to_*", own_nan_to_num_to},
    {"own", "logsumexp_over_*", own_logsumexp_over},
    {"own", "repeat_*", own_repeat},
    {"own", "tile_*", own_tile},
    {"own", "tril_*", own_tril},
    {"own", "triu_*", own_triu},
    {"own", "diag_*", own_diag},
    {"own", "arange_*", own_arange},
    {"own", "linspace_*", own_linspace},
    {"own", "unfold_*", own_unfold},
    {"own", "fold_*", own_fold},
    {"own", "take_along_*", own_take_along},
    {"own", "index_select_*", own_index_select},
    {"own", "index_add_*", own_index_add},
    {"own", "scatter_add_*", own_scatter_add},
    {"own", "embedding_padding_*", own_embedding_padding},
    {"own", "max_*", own_max},
    {"own", "min_*", own_min},
    {"own", "amin_*", own_amin},
    {"own", "argmax_*", own_argmax_axis},
    {"own", "argmin_*", own_argmin},
    {"own", "prod_*", own_prod},
    {"own", "var_*", own_var},
    {"own", "std_*", own_std},
    {"own", "norm_*", own_norm},
    {"own", "all_*", own_all},
    {"own", "any_*", own_any},
    {"own", "median_*", own_median},
    {"own", "quantile_*", own_quantile},
    {"own", "cumsum_*", own_cumsum},
    {"own", "cumprod_*", own_cumprod},
    {"own", "cummax_*", own_cummax},
    {"own", "cummin_*", own_cummin},
    {"own", "sort_*", own_sort},
    {"own", "argsort_*", own_argsort},
    {"own", "topk_axis_*", own_topk_axis},
    {"own", "softmin_*", own_softmin},
    {"own", "sparsemax_*", own_sparsemax},
    {"own", "entmax15_*", own_entmax15},
};
#endif
