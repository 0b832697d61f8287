/* The layers of the reference set, said with operations. Included by golden_cases.h. */

static bp_value reshaped(bp_value x, bp_dims shape) { return bp_reshape(x, shape); }
static bp_value column_of(bp_value x, int64_t axes) { /* weight [c] as [c, 1, …] for what has `axes` axes behind c */
    bp_dims d = {.n = 1 + axes, .dim = {size_of(x, 0), 1, 1, 1}};
    return bp_reshape(x, d);
}

/* ---- Products -------------------------------------------------------------------------------------------------------------- */

static void layer_linear(golden *k) { golden_out(k, "y", bp_linear(in(k, "x0"), in(k, "weight"), in(k, "bias"))); }
static void layer_bilinear(golden *k) {
    bp_value a = in(k, "x0"), b = in(k, "x1");
    a = reshaped(a, bp_shape(4, size_of(a, 0), 1, size_of(a, 1), 1));
    b = reshaped(b, bp_shape(4, size_of(b, 0), 1, 1, size_of(b, 1)));
    bp_value y = sum_over(bp_mul(bp_mul(a, in(k, "weight")), b), bp_shape(2, 2, 3), 0);
    golden_out(k, "y", bp_add(y, in(k, "bias")));
}
static void layer_embedding(golden *k) {
    bp_value w = in(k, "weight");
    bp_embedding_options o = {sizeof o, (int64_t)attr(k, "padding_idx", (double)BP_UNSET)};
    golden_out(k, "y", bp_embedding(w, in(k, "x0"), &o));
}
static void layer_embedding_bag(golden *k) {
    golden_out(k, "y", mean_over(bp_embedding(in(k, "weight"), in(k, "x0"), NULL), bp_shape(1, 1), 0));
}

/* ---- Convolutions and pools --------------------------------------------------------------------------------------------------
 */

static void layer_pad(golden *k) {
    const bp__tree *by = bp__tree_get(k->about, "pad_lrtb");
    bp_dims padding = {.n = bp__tree_count(by)};
    for (int64_t i = 0; i < padding.n; i++) padding.dim[i] = bp__tree_at(by, i)->integer;
    const char *mode = strstr(k->name, "reflection") ? "reflect" : "replicate";
    golden_out(k, "y", bp_pad(in(k, "x0"), padding, WITH(pad, mode, 0)));
}
static void layer_conv2d(golden *k) {
    bp_value w = in(k, "weight");
    bp_conv2d_options o = bp_conv2d_defaults();
    const bp__tree *padding = bp__tree_get(k->about, "padding");
    o.stride = attr_dims(k, "stride", 1);
    o.dilation = attr_dims(k, "dilation", 1);
    o.padding = attr_dims(k, "padding", 0);
    o.groups = (int64_t)attr(k, "groups", 1);
    if (padding && padding->kind == BP__TEXT)
        o.padding = bp_shape(2, size_of(w, 2) / 2, size_of(w, 3) / 2); /* same, odd kernel */
    golden_out(k, "y", bp_conv2d(in(k, "x0"), w, in(k, "bias"), &o));
}
static void layer_conv1d(golden *k) {
    bp_conv1d_options o = bp_conv1d_defaults();
    o.stride = (int64_t)attr(k, "stride", 1);
    o.padding = (int64_t)attr(k, "padding", 0);
    o.dilation = (int64_t)attr(k, "dilation", 1);
    golden_out(k, "y", bp_conv1d(in(k, "x0"), in(k, "weight"), in(k, "bias"), &o));
}
static void layer_conv_transposed(golden *k) { /* what conv2d's gradient for its input does */
    bp_value x = in(k, "x0"), w = in(k, "weight"), y;
    bool line = bp_value_dims(x).n == 3;
    int64_t stride = (int64_t)attr(k, "stride", 1), pad = (int64_t)attr(k, "padding", 0),
            more = (int64_t)attr(k, "output_padding", 0);
    if (line) {
        x = reshaped(x, bp_shape(4, size_of(x, 0), size_of(x, 1), 1, size_of(x, 2)));
        w = reshaped(w, bp_shape(4, size_of(w, 0), size_of(w, 1), 1, size_of(w, 2)));
    }
    bp_dims size = bp_shape(2, 1, (size_of(x, 3) - 1) * stride - 2 * pad + size_of(w, 3) + more);
    if (!line) size.dim[0] = (size_of(x, 2) - 1) * stride - 2 * pad + size_of(w, 2) + more;
    y = bp_conv2d_grad_input(
        x, w, size,
        WITH(conv2d_grad_input, bp_shape(2, line ? 1 : stride, stride), bp_shape(2, line ? 0 : pad, pad), bp_shape(2, 1, 1), 1));
    y = bp_add(y, column_of(in(k, "bias"), 2));
    golden_out(k, "y", line ? reshaped(y, bp_shape(3, size_of(y, 0), size_of(y, 1), size_of(y, 3))) : y);
}
static void layer_pool_all(golden *k) { golden_out(k, "y", mean_over(in(k, "x0"), bp_shape(2, 2, 3), 1)); }
static void layer_pool_2(golden *k) {
    bp_value x = part(in(k, "x0"), 2, 0, 6);
    x = reshaped(x, bp_shape(6, 2, 3, 3, 2, 4, 2));
    golden_out(k, "y", bp_max(x, WITH(max, bp_shape(2, 3, 5), 0)));
}
static void layer_upsample(golden *k) {
    bp_value x = reshaped(in(k, "x0"), bp_shape(6, 2, 3, 4, 1, 3, 1));
    golden_out(k, "y", reshaped(bp_broadcast_to(x, bp_shape(6, 2, 3, 4, 2, 3, 2)), bp_shape(4, 2, 3, 8, 6)));
}
static void layer_pixel_shuffle(golden *k) {
    bp_value x = bp_permute(reshaped(in(k, "x0"), bp_shape(6, 2, 2, 2, 2, 3, 4)), bp_shape(6, 0, 1, 4, 2, 5, 3));
    golden_out(k, "y", reshaped(x, bp_shape(4, 2, 2, 6, 8)));
}

/* ---- Normalisation ---- */

static bp_value normalised(golden *k, bp_value x, bp_dims axes) {
    bp_value d = bp_sub(x, mean_over(x, axes, 1)), v = mean_over(bp_square(d), axes, 1);
    return bp_mul(d, bp_rsqrt(plus(k, v, attr(k, "eps", 1e-5))));
}
static bp_value scaled(golden *k, bp_value x, int64_t axes) {
    bp_value w = in(k, "weight"), b = in(k, "bias");
    if (axes > 0) w = column_of(w, axes), b = column_of(b, axes);
    return bp_add(bp_mul(x, w), b);
}
static void layer_layer_norm(golden *k) {
    bp_value x = in(k, "x0");
    bp_dims axes = bp_value_dims(in(k, "weight")).n == 2 ? bp_shape(2, 1, 2) : bp_shape(1, 2);
    golden_out(k, "y", scaled(k, normalised(k, x, axes), 0));
}
static void layer_batch_norm(golden *k) {
    bp_value x = in(k, "x0");
    int64_t behind = bp_value_dims(x).n - 2;
    bp_dims axes = {.n = 1 + behind, .dim = {0, 2, 3}};
    const bp__tree *train = bp__tree_get(k->about, "train");
    if (train && train->boolean) {
        x = normalised(k, x, axes);
    } else {
        bp_value m = column_of(in(k, "running_mean"), behind), v = column_of(in(k, "running_var"), behind);
        x = bp_mul(bp_sub(x, m), bp_rsqrt(plus(k, v, attr(k, "eps", 1e-5))));
    }
    golden_out(k, "y", scaled(k, x, behind));
}
static void layer_group_norm(golden *k) {
    bp_value x = in(k, "x0");
    bp_dims d = bp_value_dims(x);
    x = reshaped(x, bp_shape(3, d.dim[0], (int64_t)attr(k, "groups", 1), BP_INFER));
    golden_out(k, "y", scaled(k, reshaped(normalised(k, x, bp_shape(1, 2)), d), 2));
}
static void layer_instance_norm(golden *k) { golden_out(k, "y", scaled(k, normalised(k, in(k, "x0"), bp_shape(2, 2, 3)), 2)); }
static void layer_lrn(golden *k) {
    bp_value x = in(k, "x0"), padded = bp_unslice(bp_square(x), 1, 2, 12, NULL), sum = part(padded, 1, 0, 8);
    for (int64_t i = 1; i < 5; i++) sum = bp_add(sum, part(padded, 1, i, 8));
    bp_value base = plus(k, times(k, sum, attr(k, "alpha", 0) / 5), attr(k, "k", 0));
    golden_out(k, "y", bp_div(x, bp_pow(base, num(k, attr(k, "beta", 0)))));
}

/* ---- Gates ---- */

static void layer_prelu(golden *k) {
    bp_value x = in(k, "x0"), w = column_of(in(k, "weight"), 1);
    golden_out(k, "y", bp_where(bp_gt(x, num(k, 0)), x, bp_mul(x, w)));
}
static void layer_glu(golden *k) {
    bp_value x = in(k, "x0");
    golden_out(k, "y", bp_mul(part(x, 1, 0, 3), bp_sigmoid(part(x, 1, 3, 3))));
}

/* ---- Recurrent layers, unrolled ---- */

typedef struct cell {
    golden *k;
    bp_value w_ih, w_hh, b_ih, b_hh, h, c;
    int64_t hidden;
    char kind; /* 'r', 'l', 'g' */
} cell;

static bp_value gate(bp_value x, const cell *s, int64_t i) { return part(x, 1, i * s->hidden, s->hidden); }

static void cell_step(cell *s, bp_value x) {
    bp_value a = bp_linear(x, s->w_ih, s->b_ih), b = bp_linear(s->h, s->w_hh, s->b_hh);
    if (s->kind == 'r') {
        bp_value z = bp_add(a, b);
        s->h = strstr(s->k->name, "relu") ? bp_relu(z) : bp_tanh(z);
    } else if (s->kind == 'l') {
        bp_value z = bp_add(a, b);
        s->c = bp_add(bp_mul(bp_sigmoid(gate(z, s, 1)), s->c), bp_mul(bp_sigmoid(gate(z, s, 0)), bp_tanh(gate(z, s, 2))));
        s->h = bp_mul(bp_sigmoid(gate(z, s, 3)), bp_tanh(s->c));
    } else {
        bp_value r = bp_sigmoid(bp_add(gate(a, s, 0), gate(b, s, 0))), z = bp_sigmoid(bp_add(gate(a, s, 1), gate(b, s, 1)));
        bp_value n = bp_tanh(bp_add(gate(a, s, 2), bp_mul(r, gate(b, s, 2))));
        s->h = bp_add(bp_mul(bp_sub(num(s->k, 1), z), n), bp_mul(z, s->h));
    }
}

static bp_value parameter(golden *k, const char *stem, int64_t layer, bool back) {
    char name[64];
    snprintf(name, sizeof name, "%s_l%d%s", stem, (int)layer, back ? "_reverse" : "");
    return in(k, name);
}

/* One layer in one direction over x [batch, time, features]; the states at all times, and the last ones. */
static bp_value cell_run(golden *k, bp_value x, int64_t layer, bool back, bp_value *h, bp_value *c) {
    cell s = {.k = k,
              .kind = k->name[0],
              .w_ih = parameter(k, "weight_ih", layer, back),
              .w_hh = parameter(k, "weight_hh", layer, back),
              .b_ih = parameter(k, "bias_ih", layer, back),
              .b_hh = parameter(k, "bias_hh", layer, back),
              .h = *h,
              .c = *c};
    int64_t n = size_of(x, 0), length = size_of(x, 1);
    bp_value y[16];
    s.hidden = size_of(s.w_hh, 1);
    for (int64_t i = 0; i < length; i++) {
        int64_t t = back ? length - 1 - i : i;
        cell_step(&s, reshaped(part(x, 1, t, 1), bp_shape(2, n, size_of(x, 2))));
        y[t] = reshaped(s.h, bp_shape(3, n, 1, s.hidden));
    }
    *h = reshaped(s.h, bp_shape(3, 1, n, s.hidden));
    *c = s.kind == 'l' ? reshaped(s.c, bp_shape(3, 1, n, s.hidden)) : s.c;
    return bp_concat(y, (int)length, 1);
}

static void layer_recurrent(golden *k) {
    bp_value x = in(k, "x0"), h0, c0, h[8], c[8], y[2];
    if (!x.graph) x = in(k, "x");
    const bp__tree *both = bp__tree_get(k->about, "bidirectional");
    int64_t n_layers = (int64_t)attr(k, "num_layers", 1), directions = both && both->boolean ? 2 : 1;
    int n = 0;
    h0 = in(k, "h0"), c0 = in(k, "c0");
    bp_dims state = bp_shape(2, size_of(x, 0), 4);
    for (int64_t layer = 0; layer < n_layers; layer++) {
        for (int64_t d = 0; d < directions; d++, n++) {
            h[n] = h0.graph ? reshaped(h0, state) : bp_fill(num(k, 0), state);
            c[n] = c0.graph ? reshaped(c0, state) : bp_fill(num(k, 0), state);
            y[d] = cell_run(k, x, layer, d == 1, &h[n], &c[n]);
        }
        x = bp_concat(y, (int)directions, 2);
    }
    golden_out(k, "y0", x);
    golden_out(k, k->name[0] == 'l' ? "y10" : "y1", bp_concat(h, n, 0));
    if (k->name[0] == 'l') golden_out(k, "y11", bp_concat(c, n, 0));
}

/* ---- Attention ---- */

static bp_value heads_of(bp_value x, int64_t heads) { /* [n, t, e] as [n, heads, t, e / heads] */
    return bp_permute(reshaped(x, bp_shape(4, size_of(x, 0), size_of(x, 1), heads, BP_INFER)), bp_shape(4, 0, 2, 1, 3));
}

/* What a query must not see, as -inf; [batch, 1, query, key] or what broadcasts to it. */
static bp_value mask_of(golden *k, int64_t n, int64_t t) {
    double m[2 * 8 * 8] = {0};
    const bp__tree *lengths = bp__tree_get(k->about, "key_lengths"), *causal = bp__tree_get(k->about, "causal");
    if (!lengths && !causal) return BP_NONE;
    for (int64_t b = 0; b < n; b++)
        for (int64_t q = 0; q < t; q++)
            for (int64_t j = 0; j < t; j++)
                if (causal ? j > q : j >= bp__tree_at(lengths, b)->integer) m[(b * t + q) * t + j] = -(double)INFINITY;
    return bp_constant(k->g, BP_F64, bp_shape(4, n, 1, t, t), m);
}

static bp_value attention(golden *k, bp_value query, bp_value key, const char *prefix, int64_t heads, bp_value *weights) {
    char names[4][64];
    static const char *const stems[] = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"};
    for (int i = 0; i < 4; i++) snprintf(names[i], sizeof names[i], "%s%s", prefix, stems[i]);
    bp_value w = in(k, names[0]), b = in(k, names[1]), x[3];
    int64_t e = size_of(query, 2);
    for (int i = 0; i < 3; i++) x[i] = heads_of(bp_linear(i ? key : query, part(w, 0, i * e, e), part(b, 0, i * e, e)), heads);
    bp_value score = bp_matmul(times(k, x[0], 1 / sqrt((double)e / (double)heads)), transposed(x[1])),
             mask = mask_of(k, size_of(query, 0), size_of(query, 1));
    if (mask.graph) score = bp_add(score, mask);
    score = bp_softmax(score, -1);
    *weights = mean_over(score, bp_shape(1, 1), 0);
    bp_value y = reshaped(bp_permute(bp_matmul(score, x[2]), bp_shape(4, 0, 2, 1, 3)), bp_value_dims(query));
    return bp_linear(y, in(k, names[2]), in(k, names[3]));
}

static void layer_attention(golden *k) {
    bp_value x = in(k, "x0"), other = in(k, "x1"), weights;
    bp_value y = attention(k, x, other.graph ? other : x, "", (int64_t)attr(k, "heads", 1), &weights);
    bool self = strcmp(k->name, "mha_self") == 0;
    golden_out(k, self ? "y0" : "y", y);
    if (self) golden_out(k, "y1", weights);
}

static bp_value norm_named(golden *k, bp_value x, const char *weight, const char *bias) {
    return bp_add(bp_mul(normalised(k, x, bp_shape(1, 2)), in(k, weight)), in(k, bias));
}
static bp_value feed_forward(golden *k, bp_value x) {
    bp_value h = bp_linear(x, in(k, "linear1.weight"), in(k, "linear1.bias"));
    h = strstr(k->name, "gelu") ? bp_gelu(h) : bp_relu(h);
    return bp_linear(h, in(k, "linear2.weight"), in(k, "linear2.bias"));
}
static void layer_encoder(golden *k) {
    bp_value x = in(k, "x0"), unused;
    int64_t heads = (int64_t)attr(k, "heads", 1);
    if (strstr(k->name, "_pre")) {
        bp_value y = norm_named(k, x, "norm1.weight", "norm1.bias");
        x = bp_add(x, attention(k, y, y, "self_attn.", heads, &unused));
        x = bp_add(x, feed_forward(k, norm_named(k, x, "norm2.weight", "norm2.bias")));
    } else {
        x = norm_named(k, bp_add(x, attention(k, x, x, "self_attn.", heads, &unused)), "norm1.weight", "norm1.bias");
        x = norm_named(k, bp_add(x, feed_forward(k, x)), "norm2.weight", "norm2.bias");
    }
    golden_out(k, "y", x);
}

static const golden_case golden_layers[] = {
    {"layers", "linear*", layer_linear},
    {"layers", "bilinear", layer_bilinear},
    {"layers", "embedding", layer_embedding},
    {"layers", "embedding_padidx", layer_embedding},
    {"layers", "embeddingbag_mean", layer_embedding_bag},
    {"layers", "reflectionpad2d", layer_pad},
    {"layers", "replicationpad2d", layer_pad},
    {"layers", "conv2d_*", layer_conv2d},
    {"layers", "conv1d_*", layer_conv1d},
    {"layers", "convtranspose*", layer_conv_transposed},
    {"layers", "adaptiveavgpool2d_1", layer_pool_all},
    {"layers", "maxpool2d_k2", layer_pool_2},
    {"layers", "upsample_nearest", layer_upsample},
    {"layers", "pixelshuffle", layer_pixel_shuffle},
    {"layers", "layernorm*", layer_layer_norm},
    {"layers", "batchnorm*", layer_batch_norm},
    {"layers", "groupnorm", layer_group_norm},
    {"layers", "instancenorm2d", layer_instance_norm},
    {"layers", "lrn", layer_lrn},
    {"layers", "prelu", layer_prelu},
    {"layers", "glu", layer_glu},
    {"layers", "rnn_*", layer_recurrent},
    {"layers", "lstm_1l", layer_recurrent},
    {"layers", "lstm_2l*", layer_recurrent},
    {"layers", "lstm_bi", layer_recurrent},
    {"layers", "lstm_h0c0", layer_recurrent},
    {"layers", "gru_1l", layer_recurrent},
    {"layers", "gru_2l*", layer_recurrent},
    {"layers", "gru_bi", layer_recurrent},
    {"layers", "gru_h0", layer_recurrent},
    {"layers", "mha_*", layer_attention},
    {"layers", "encoderlayer_*", layer_encoder},
};
