/* Softmax, its logarithm and cross-entropy over short rows, W of them at once: a tile [columns, W] in L1 holds column c of W
   neighbouring rows as one vector, so that 10 classes waste no lanes and a logarithm serves W rows. The sums have the order of
   the row-wise kernel: lane c mod 16, then the tree; a lane that no column reaches would add +0 (maximum: -inf) and is left
   out. For one instruction set and one type, part of reduce_body.h. */

/* The reduction of each of the W rows: sum, or else maximum. Column numbers are lane numbers mod 16. */
BP__INLINE V BP__TN(bp__fold_tile)(const T *tile, int64_t n, bool sum) {
    V lane[BP__LANES];
    const int64_t n_lanes = n < BP__LANES ? n : BP__LANES;
    for (int64_t l = 0; l < n_lanes; l++) {
        V acc = v_load(tile + l * W);
        for (int64_t c = l + BP__LANES; c < n; c += BP__LANES)
            acc = sum ? v_add(acc, v_load(tile + c * W)) : v_max(acc, v_load(tile + c * W));
        lane[l] = acc;
    }
    for (int64_t h = BP__LANES / 2; h > 0; h /= 2)
        for (int64_t l = 0; l < h && l + h < n_lanes; l++)
            lane[l] = sum ? v_add(lane[l], lane[l + h]) : v_max(lane[l], lane[l + h]);
    return lane[0];
}

/* m rows (at most W) from row `first` on, as columns of the tile; lanes without a row hold zeros. */
static void BP__TN(bp__rows_to_tile)(const bp__softmax_rows *r, int64_t first, int64_t m, T *tile) {
    const T *x = (const T *)r->x + first * r->x_row;
    if (m < W) memset(tile, 0, (size_t)(r->n * W) * sizeof(T));
    if (r->x_stride == 1) {
        BP__TN(bp__transpose)(tile, W, x, r->x_row, m, r->n);
        return;
    }
    for (int64_t c = 0; c < r->n; c++)
        for (int64_t i = 0; i < m; i++) tile[c * W + i] = x[i * r->x_row + c * r->x_stride];
}
static void BP__TN(bp__tile_to_rows)(const bp__softmax_rows *r, int64_t first, int64_t m, const T *tile) {
    T *out = (T *)r->out + first * r->out_row;
    if (r->out_stride == 1) {
        BP__TN(bp__transpose)(out, r->out_row, tile, W, r->n, m);
        return;
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = 0; c < r->n; c++) out[i * r->out_row + c * r->out_stride] = tile[c * W + i];
}

static void BP__TN(bp__softmax_tile)(const bp__softmax_rows *r, int64_t first, int64_t m) {
    T x[BP__SHORT_ROW * W], power[BP__SHORT_ROW * W], label[W], at_label[W], g[W], loss[W];
    const int64_t n = r->n;
    BP__TN(bp__rows_to_tile)(r, first, m, x);
    V largest = BP__TN(bp__fold_tile)(x, n, false), log_total = v_set(0);
    for (int64_t c = 0; c < n; c++) v_store(power + c * W, v_exp(v_sub(v_load(x + c * W), largest)));
    V total = BP__TN(bp__fold_tile)(power, n, true);
    if (r->log_softmax || r->loss) log_total = v_log(total);
    if (r->label) {
        for (int64_t i = 0; i < W; i++) {
            int64_t l = i < m ? r->label[(first + i) * r->label_row] : -1;
            bool counts = l >= 0 && l < n;
            label[i] = counts ? (T)l : (T)-1;
            at_label[i] = x[counts ? l * W + i : i];
            g[i] = r->g && i < m ? ((const T *)r->g)[(first + i) * r->g_row] : 0;
        }
        if (r->loss) {
            V y = v_neg(v_sub(v_sub(v_load(at_label), largest), log_total));
            v_store(loss, v_select(v_ge(v_load(label), v_set(0)), y, v_set(0)));
            for (int64_t i = 0; i < m; i++) ((T *)r->loss)[(first + i) * r->loss_row] = loss[i];
        }
    }
    if (!r->out) return;
    for (int64_t c = 0; c < n; c++) {
        V y = r->log_softmax ? v_sub(v_sub(v_load(x + c * W), largest), log_total) : v_div(v_load(power + c * W), total);
        if (r->label) {
            V l = v_load(label);
            y = v_mul(v_load(g), v_select(v_eq(l, v_set((double)c)), v_sub(y, v_set(1)), y));
            y = v_select(v_ge(l, v_set(0)), y, v_set(0));
        }
        v_store(power + c * W, y);
    }
    BP__TN(bp__tile_to_rows)(r, first, m, power);
}

static void BP__TN(bp__softmax_rows_run)(const bp__softmax_rows *r) {
    for (int64_t i = 0; i < r->n_rows; i += W) BP__TN(bp__softmax_tile)(r, i, r->n_rows - i < W ? r->n_rows - i : W);
}
