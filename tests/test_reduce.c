/* Reductions, softmax, order and moving against plain loops that state the rule, bit for bit, on every usable instruction set
   and for 1, 2 and 3 threads. */
#include "kernel/isa.h"
#include "core/rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t seed;
static int64_t below(int64_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(seed >> 33) % n;
}
static double number(void) { return (double)(float)((double)below(1 << 24) / 8388608.0 - 1.0); }

static bp_context *ctx;
static bp__team *team[4];
static const bp__isa *isas[5]; /* usable ones, then NULL: asked once, the question is slow in a virtual machine */

static void *get(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    assert_non_null(p);
    memset(p, 0x5a, (bytes + 127) / 64 * 64);
    return p;
}
static double read(const bp__tensor *t, int64_t at) {
    switch (t->dtype) {
    case BP_F32: return ((float *)t->data)[at];
    case BP_F64: return ((double *)t->data)[at];
    case BP_I32: return ((int32_t *)t->data)[at];
    case BP_I64: return (double)((int64_t *)t->data)[at];
    default: return ((uint8_t *)t->data)[at];
    }
}
static void write(const bp__tensor *t, int64_t at, double x) {
    switch (t->dtype) {
    case BP_F32: ((float *)t->data)[at] = (float)x; return;
    case BP_F64: ((double *)t->data)[at] = x; return;
    case BP_I32: ((int32_t *)t->data)[at] = (int32_t)x; return;
    case BP_I64: ((int64_t *)t->data)[at] = (int64_t)x; return;
    default: ((uint8_t *)t->data)[at] = (uint8_t)x; return;
    }
}
static int64_t storage(const bp__tensor *t) {
    if (t->panels == 1) return (t->dim[0] + 31) / 32 * 32 * t->dim[1];
    if (t->panels == 2) return (t->dim[1] + 31) / 32 * 32 * t->dim[0];
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n += BP__MAX(t->dim[i] - 1, 0) * t->stride[i];
    return n;
}
/* Offset of a multi-index given as row-major number. */
static int64_t at(const bp__tensor *t, int64_t index) {
    int64_t i[BP__MAX_DIMS], offset = 0;
    for (int d = t->n_dims - 1; d >= 0; d--) i[d] = index % t->dim[d], index /= t->dim[d];
    if (t->panels == 1) return (i[0] / 32 * t->dim[1] + i[1]) * 32 + i[0] % 32;
    if (t->panels == 2) return (i[1] / 32 * t->dim[0] + i[0]) * 32 + i[1] % 32;
    for (int d = 0; d < t->n_dims; d++) offset += i[d] * t->stride[d];
    return offset;
}
/* A tensor with its memory; order: a permutation number, spread: gaps between elements. */
static bp__tensor make(bp_dtype type, int n_dims, const int64_t *dim, bool shuffle, int64_t spread) {
    bp__tensor t = {.n_dims = n_dims, .dtype = (uint8_t)type};
    int order[BP__MAX_DIMS];
    for (int i = 0; i < n_dims; i++) t.dim[i] = dim[i], order[i] = i;
    for (int i = n_dims - 1; i > 0 && shuffle; i--) {
        int j = (int)below(i + 1), x = order[i];
        order[i] = order[j], order[j] = x;
    }
    int64_t step = spread;
    for (int i = n_dims - 1; i >= 0; i--) t.stride[order[i]] = step, step *= BP__MAX(dim[order[i]], 1);
    t.data = get((size_t)storage(&t) * bp_dtype_size(type));
    return t;
}
static void randomise(const bp__tensor *t, double scale) {
    int64_t n = storage(t);
    for (int64_t i = 0; i < n; i++) write(t, i, number() * scale);
    if (t->panels) { /* pads are zero; they are what no element is at */
        bp__tensor copy = *t;
        copy.data = get((size_t)n * bp_dtype_size((bp_dtype)t->dtype));
        memset(copy.data, 0, (size_t)n * bp_dtype_size((bp_dtype)t->dtype));
        for (int64_t i = 0; i < bp__tensor_count(t); i++) write(&copy, at(t, i), read(t, at(t, i)));
        memcpy(t->data, copy.data, (size_t)n * bp_dtype_size((bp_dtype)t->dtype));
        free(copy.data);
    }
}

static double combine(bp__reduce_op op, bool f32, double a, double b) {
    switch (op) {
    case BP__SUM: return f32 ? (double)((float)a + (float)b) : a + b;
    case BP__PROD: return f32 ? (double)((float)a * (float)b) : a * b;
    case BP__MAX: return isnan(a) ? a : a > b ? a : b;
    case BP__MIN: return isnan(a) ? a : a < b ? a : b;
    case BP__ALL: return a != 0 && b != 0;
    default: return a != 0 || b != 0;
    }
}
static void naive(bp__reduce_op op, uint32_t axes, const bp__tensor *out, const bp__tensor *in) {
    static const double start[] = {0, -(double)INFINITY, (double)INFINITY, 1, 1, 0};
    int64_t n_out = bp__tensor_count(out), n_in = bp__tensor_count(in);
    double *lane = get((size_t)n_out * 16 * sizeof *lane);
    int64_t *count = get((size_t)n_out * sizeof *count);
    for (int64_t o = 0; o < n_out; o++) {
        count[o] = 0;
        for (int l = 0; l < 16; l++) lane[o * 16 + l] = start[op];
    }
    for (int64_t i = 0; i < n_in; i++) { /* to which o does element i belong? */
        int64_t rest = i, o = 0, step = 1;
        for (int d = in->n_dims - 1; d >= 0; d--) {
            if (!(axes >> d & 1)) o += rest % in->dim[d] * step, step *= in->dim[d];
            rest /= in->dim[d];
        }
        double *l = &lane[o * 16 + count[o]++ % 16];
        *l = combine(op, in->dtype == BP_F32, *l, read(in, at(in, i)));
    }
    for (int64_t o = 0; o < n_out; o++) {
        double *l = &lane[o * 16];
        for (int h = 8; h > 0; h /= 2)
            for (int j = 0; j < h; j++) l[j] = combine(op, in->dtype == BP_F32, l[j], l[j + h]);
        write(out, at(out, o), l[0]);
    }
    free(lane), free(count);
}

/* For every instruction set and number of threads: env is ready, have is to be compared with want. */
#define EVERYWHERE(env)                                                                                                     \
    for (int isa_ = 0; isas[isa_]; isa_++)                                                                                  \
        for (int n_ = 1; n_ <= 3; n_++)                                                                                     \
            for (bp__env env = {.isa = isas[isa_], .team = team[n_], .seed = 99, .step = 7, .first_row = 5}, *once_ = &env; \
                 once_; once_ = NULL)

static void same(const bp__tensor *want, const bp__tensor *have, const char *what) {
    size_t size = bp_dtype_size((bp_dtype)want->dtype);
    if (!memcmp(want->data, have->data, (size_t)storage(want) * size + 8)) return;
    int64_t n = storage(want);
    for (int64_t i = 0; i < n; i++)
        if (memcmp((char *)want->data + (size_t)i * size, (char *)have->data + (size_t)i * size, size))
            fail_msg("%s: element %ld of storage is %.17g, must be %.17g", what, (long)i, read(have, i), read(want, i));
    fail_msg("%s: wrote behind the result", what);
}
static bp__tensor like(const bp__tensor *t) {
    bp__tensor x = *t;
    x.data = get((size_t)storage(t) * bp_dtype_size((bp_dtype)t->dtype));
    return x;
}
static void again(const bp__tensor *t) { memset(t->data, 0x5a, (size_t)storage(t) * bp_dtype_size((bp_dtype)t->dtype) + 8); }

static void check_reduce(bp__reduce_op op, uint32_t axes, const bp__tensor *in) {
    bp__tensor shape = {.n_dims = in->n_dims};
    for (int i = 0; i < in->n_dims; i++) shape.dim[i] = axes >> i & 1 ? 1 : in->dim[i];
    bp_dtype type = op >= BP__ALL ? BP_U8 : (bp_dtype)in->dtype;
    bp__tensor want = make(type, in->n_dims, shape.dim, false, 1), have = like(&want);
    naive(op, axes, &want, in);
    char what[160];
    EVERYWHERE(env) {
        again(&have);
        bp__reduce(&env, op, axes, &have, in);
        snprintf(what, sizeof what, "%s reduce op %d axes %u of [%ld %ld %ld] %s strides %ld %ld %ld panels %d", isas[isa_]->name,
                 op, axes, (long)in->dim[0], (long)in->dim[1], (long)in->dim[2], bp_dtype_name((bp_dtype)in->dtype),
                 (long)in->stride[0], (long)in->stride[1], (long)in->stride[2], in->panels);
        same(&want, &have, what);
    }
    free(want.data), free(have.data);
}

static void reductions(void **state) {
    (void)state;
    seed = 1;
    for (int i = 0; i < 300; i++) {
        int64_t dim[3] = {1 + below(20), 1 + below(40), 1 + below(50)};
        if (i % 20 == 0) dim[below(3)] = 0;
        if (i % 5 == 0) dim[2] = 32;
        bp_dtype type = i % 7 == 0 ? BP_I64 : i % 3 == 0 ? BP_F64 : BP_F32;
        bp__tensor in = make(type, 3, dim, below(2), below(4) ? 1 : 2);
        randomise(&in, type == BP_I64 ? 5 : 2);
        bp__reduce_op op = (bp__reduce_op)(below(2) ? BP__SUM : below(6));
        if (type == BP_I64 && bp__tensor_count(&in) == 0 && (op == BP__MAX || op == BP__MIN)) op = BP__SUM;
        if (i % 11 == 0 && type != BP_I64) write(&in, below(storage(&in)), NAN);
        if (i % 11 != 0 || op == BP__ALL || op == BP__ANY || type == BP_I64) check_reduce(op, (uint32_t)below(8), &in);
        free(in.data);
    }
    for (int i = 0; i < 30; i++) { /* matrices in panels */
        int64_t dim[2] = {1 + below(100), 1 + below(90)};
        if (i % 3 == 0) dim[0] = 64, dim[1] = 48;
        if (i == 7) dim[1] = 4500, dim[0] = 3;
        bp__tensor in = {.n_dims = 2, .dtype = i % 4 ? BP_F32 : BP_F64, .panels = 1, .dim = {dim[0], dim[1]}};
        in.data = get((size_t)storage(&in) * 8);
        randomise(&in, 1);
        check_reduce(i % 2 ? BP__SUM : (bp__reduce_op)below(6), (uint32_t)(1 + below(3)), &in);
        free(in.data);
    }
    int64_t big[2] = {700, 300}; /* enough for threads */
    bp__tensor in = make(BP_F32, 2, big, false, 1);
    randomise(&in, 1);
    bp__tensor out = make(BP_F32, 2, (int64_t[]){1, 300}, false, 1), have = like(&out);
    for (int64_t c = 0; c < 300; c++) {
        float lane[16] = {0};
        for (int64_t r = 0; r < 700; r++) lane[r % 16] += ((float *)in.data)[r * 300 + c];
        for (int h = 8; h > 0; h /= 2)
            for (int l = 0; l < h; l++) lane[l] += lane[l + h];
        ((float *)out.data)[c] = lane[0];
    }
    EVERYWHERE(env) {
        again(&have);
        bp__reduce(&env, BP__SUM, 1, &have, &in);
        same(&out, &have, "columns");
    }
    free(in.data), free(out.data), free(have.data);
}

static void nans(void **state) {
    (void)state;
    for (int64_t where = 0; where < 40; where++) {
        float x[40];
        for (int i = 0; i < 40; i++) x[i] = (float)i;
        x[where] = NAN;
        bp__tensor in = {.data = x, .n_dims = 1, .dim = {40}, .stride = {1}, .dtype = BP_F32};
        float y;
        int64_t k;
        bp__tensor out = {.data = &y, .n_dims = 1, .dim = {1}, .stride = {1}, .dtype = BP_F32}, arg = out;
        arg.data = &k, arg.dtype = BP_I64;
        EVERYWHERE(env) {
            bp__reduce(&env, BP__MAX, 1, &out, &in);
            assert_true(isnan(y));
            bp__reduce(&env, BP__MIN, 1, &out, &in);
            assert_true(isnan(y));
            bp__arg_reduce(&env, true, 0, &arg, &in);
            assert_int_equal(k, where);
            bp__arg_reduce(&env, false, 0, &arg, &in);
            assert_int_equal(k, where);
        }
    }
}

/* y = one formula of elementwise.def on one number, by the plain instruction set */
static double formula(bool f32, int op, double a, double b) {
    const bp__isa *isa = bp__isa_find("scalar");
    if (f32) {
        float x = (float)a, y = (float)b, z;
        isa->f32.ew[op](&z, &x, &y, NULL, 0, 0, 1);
        return z;
    }
    double z;
    isa->f64.ew[op](&z, &a, &b, NULL, 0, 0, 1);
    return z;
}

static void softmax(void **state) {
    (void)state;
    seed = 3;
    for (int i = 0; i < 60; i++) {
        const bool f32 = i % 3 != 0;
        int64_t dim[2] = {1 + below(i % 10 ? 20 : 300), 1 + below(i % 4 ? 40 : 700)}, n = dim[1];
        bp_dtype type = f32 ? BP_F32 : BP_F64;
        bp__tensor x = make(type, 2, dim, below(2), 1 + below(2)), soft = make(type, 2, dim, below(2), 1), logs = like(&soft),
                   d = like(&soft);
        bp__tensor loss = make(type, 1, dim, false, 1), g = make(type, 1, dim, false, 1), label = make(BP_I64, 1, dim, false, 1);
        randomise(&x, 9), randomise(&g, 1);
        for (int64_t r = 0; r < dim[0]; r++) {
            int64_t l = below(n + 2) - 1;
            ((int64_t *)label.data)[r] = l;
            double lane[16], sum[16] = {0};
            for (int j = 0; j < 16; j++) lane[j] = -(double)INFINITY;
            for (int64_t c = 0; c < n; c++) lane[c % 16] = combine(BP__MAX, f32, lane[c % 16], read(&x, at(&x, r * n + c)));
            for (int h = 8; h > 0; h /= 2)
                for (int j = 0; j < h; j++) lane[j] = combine(BP__MAX, f32, lane[j], lane[j + h]);
            for (int64_t c = 0; c < n; c++)
                sum[c % 16] =
                    combine(BP__SUM, f32, sum[c % 16],
                            formula(f32, BP__EW_exp, formula(f32, BP__EW_sub, read(&x, at(&x, r * n + c)), lane[0]), 0));
            for (int h = 8; h > 0; h /= 2)
                for (int j = 0; j < h; j++) sum[j] = combine(BP__SUM, f32, sum[j], sum[j + h]);
            double log_sum = formula(f32, BP__EW_log, sum[0], 0);
            write(&loss, r, 0);
            for (int64_t c = 0; c < n; c++) {
                int64_t to = at(&soft, r * n + c);
                double low = formula(f32, BP__EW_sub, read(&x, at(&x, r * n + c)), lane[0]);
                double y = formula(f32, BP__EW_div, formula(f32, BP__EW_exp, low, 0), sum[0]);
                write(&soft, to, y);
                write(&logs, to, formula(f32, BP__EW_sub, low, log_sum));
                if (c == l) write(&loss, r, -formula(f32, BP__EW_sub, low, log_sum));
                write(&d, to, l < 0 || l >= n ? 0 : formula(f32, BP__EW_mul, read(&g, r), formula(f32, BP__EW_sub, y, c == l)));
            }
        }
        bp__tensor have = like(&soft), have_loss = like(&loss);
        EVERYWHERE(env) {
            again(&have), bp__softmax(&env, false, &have, &x), same(&soft, &have, "softmax");
            again(&have), bp__softmax(&env, true, &have, &x), same(&logs, &have, "log_softmax");
            again(&have_loss), bp__softmax_xent(&env, &have_loss, NULL, &x, &label, &g), same(&loss, &have_loss, "xent loss");
            again(&have_loss), again(&have), bp__softmax_xent(&env, &have_loss, &have, &x, &label, &g);
            same(&loss, &have_loss, "xent loss"), same(&d, &have, "xent gradient");
        }
        bp__tensor *all[] = {&x, &soft, &logs, &d, &loss, &g, &label, &have, &have_loss};
        for (int j = 0; j < 9; j++) free(all[j]->data);
    }
}

/* Rows that are short and equally spaced are done several at once; one by one, the bits are the same. */
static void short_rows(void **state) {
    (void)state;
    seed = 9;
    for (int i = 0; i < 66; i++) {
        int64_t n = 1 + i, dim[3] = {1 + below(4), 1 + below(20), n}, rows = dim[0] * dim[1];
        bp_dtype type = i % 3 ? BP_F32 : BP_F64;
        bp__tensor x = make(type, 3, dim, i % 4 == 0, 1 + i % 2), soft = make(type, 3, dim, i % 5 == 0, 1), d = like(&soft),
                   logs = like(&soft), loss = make(type, 2, dim, false, 2), g = make(type, 2, dim, false, 1),
                   label = make(BP_I64, 2, dim, i % 7 == 0, 1);
        if (i % 6 == 0) g.stride[0] = g.stride[1] = 0; /* one number for all rows */
        randomise(&x, 90), randomise(&g, 1);
        for (int64_t r = 0; r < rows; r++) ((int64_t *)label.data)[r] = below(n + 2) - 1;
        if (n > 2) write(&x, at(&x, below(rows * n)), -INFINITY);
        bp__tensor have = like(&soft), have_loss = like(&loss);
        bp__env alone = {.isa = bp__isa_find("scalar")};
        again(&soft), again(&logs), again(&d), again(&loss);
        for (int64_t r = 0; r < rows; r++) {
            bp__tensor x1 = x, soft1 = soft, logs1 = logs, d1 = d, loss1 = loss, g1 = g, label1 = label;
            bp__tensor *all[] = {&x1, &soft1, &logs1, &d1, &loss1, &g1, &label1};
            for (int j = 0; j < 7; j++) {
                bp__tensor *t = all[j];
                int64_t from = r / dim[1] * t->stride[0] + r % dim[1] * t->stride[1];
                t->data = (char *)t->data + from * (int64_t)bp_dtype_size((bp_dtype)t->dtype);
                t->dim[0] = t->dim[1] = 1;
            }
            bp__softmax(&alone, false, &soft1, &x1), bp__softmax(&alone, true, &logs1, &x1);
            bp__softmax_xent(&alone, &loss1, &d1, &x1, &label1, &g1);
        }
        EVERYWHERE(env) {
            again(&have), bp__softmax(&env, false, &have, &x), same(&soft, &have, "softmax");
            again(&have), bp__softmax(&env, true, &have, &x), same(&logs, &have, "log_softmax");
            again(&have_loss), again(&have), bp__softmax_xent(&env, &have_loss, &have, &x, &label, &g);
            same(&loss, &have_loss, "xent loss"), same(&d, &have, "xent gradient");
            again(&have), bp__softmax_xent(&env, NULL, &have, &x, &label, &g), same(&d, &have, "xent gradient alone");
        }
        bp__tensor *all[] = {&x, &soft, &logs, &d, &loss, &g, &label, &have, &have_loss};
        for (int j = 0; j < 9; j++) free(all[j]->data);
    }
}

static void order(void **state) {
    (void)state;
    seed = 4;
    for (int i = 0; i < 60; i++) {
        int64_t dim[3] = {1 + below(6), 1 + below(7), 1 + below(40)};
        bp_dtype type = i % 3 == 0 ? BP_I64 : i % 3 == 1 ? BP_F64 : BP_F32;
        bp__tensor in = make(type, 3, dim, below(2), 1);
        randomise(&in, type == BP_I64 ? 6 : 3);
        for (int64_t e = 0; e < storage(&in); e++) write(&in, e, floor(read(&in, e) * 2) / 2); /* ties */
        if (type != BP_I64) write(&in, below(storage(&in)), NAN);
        const bool largest = below(2);
        int64_t k = 1 + below(dim[2]), small[3] = {dim[0], dim[1], k};
        bp__tensor values = make(type, 3, small, false, 1), index = make(BP_I64, 3, small, false, 1),
                   cum = make(type, 3, dim, false, 1);
        int64_t rows = dim[0] * dim[1], n = dim[2];
        EVERYWHERE(env) {
            again(&values), again(&index), again(&cum);
            bp__topk(&env, k, largest, &values, &index, &in);
            bp__cumulative(&env, BP__SUM, 2, &cum, &in);
            for (int64_t r = 0; r < rows; r++) {
                bool taken[64] = {false};
                double sum = 0;
                for (int64_t e = 0; e < k; e++) { /* the best that is not taken */
                    int64_t best = -1;
                    for (int64_t c = 0; c < n; c++) {
                        if (taken[c]) continue;
                        if (best < 0) {
                            best = c;
                            continue;
                        }
                        double a = read(&in, at(&in, r * n + c)), b = read(&in, at(&in, r * n + best));
                        bool wins = largest ? (isnan(a) && !isnan(b)) || a > b : (!isnan(a) && isnan(b)) || a < b;
                        if (wins) best = c;
                    }
                    taken[best] = true;
                    assert_int_equal(((int64_t *)index.data)[r * k + e], best);
                    double want = read(&in, at(&in, r * n + best)), have = read(&values, r * k + e);
                    assert_true(want == have || (isnan(want) && isnan(have)));
                }
                for (int64_t c = 0; c < n; c++) {
                    double x = read(&in, at(&in, r * n + c));
                    sum = c == 0 ? x : combine(BP__SUM, type == BP_F32, sum, x);
                    double have = read(&cum, r * n + c);
                    assert_true(sum == have || (isnan(sum) && isnan(have)));
                }
            }
        }
        free(in.data), free(values.data), free(index.data), free(cum.data);
    }
}

static void copies(void **state) {
    (void)state;
    seed = 5;
    for (int i = 0; i < 200; i++) {
        int64_t dim[3] = {1 + below(9), 1 + below(70), 1 + below(80)};
        if (i == 20) dim[0] = 64, dim[1] = 64, dim[2] = 32;
        bp_dtype from = (bp_dtype)below(5), to = below(2) ? from : (bp_dtype)below(5);
        bp__tensor in = make(from, 3, dim, i % 3, below(3) ? 1 : 2), want = make(to, 3, dim, i % 4 == 0, 1), have = like(&want);
        for (int64_t e = 0; e < storage(&in); e++) write(&in, e, (double)below(100) + (from <= BP_F64 ? 0.375 : 0));
        if (i % 9 == 0) in.stride[below(3)] = 0;
        for (int64_t e = 0; e < bp__tensor_count(&in); e++) write(&want, at(&want, e), read(&in, at(&in, e)));
        EVERYWHERE(env) again(&have), bp__copy(&env, &have, &in), same(&want, &have, "copy");
        free(in.data), free(want.data), free(have.data);
    }
    for (int i = 0; i < 120; i++) { /* panels: 0 plain, 1 panels of the transpose, 2 of the matrix itself */
        int64_t dim[2] = {1 + below(100), 1 + below(100)};
        if (i % 10 == 0) dim[0] = 320, dim[1] = 256;
        bp_dtype type = i % 3 ? BP_F32 : BP_F64;
        bp__tensor in = make(type, 2, dim, below(2), 1), want = make(type, 2, dim, below(2), 1);
        int kinds = i % 9;
        in.panels = (uint8_t)(kinds % 3), want.panels = (uint8_t)(kinds / 3);
        if (!in.panels && !want.panels) want.panels = 1;
        free(in.data), free(want.data);
        in.data = get((size_t)storage(&in) * 8), want.data = get((size_t)storage(&want) * 8);
        randomise(&in, 1);
        bp__tensor have = like(&want);
        memset(want.data, 0, (size_t)storage(&want) * bp_dtype_size(type));
        for (int64_t e = 0; e < bp__tensor_count(&in); e++) write(&want, at(&want, e), read(&in, at(&in, e)));
        memset((char *)want.data + (size_t)storage(&want) * bp_dtype_size(type), 0x5a, 8);
        EVERYWHERE(env) again(&have), bp__relayout(&env, &have, &in), same(&want, &have, "relayout");
        free(in.data), free(want.data), free(have.data);
    }
}

static void gathers(void **state) {
    (void)state;
    seed = 6;
    for (int i = 0; i < 80; i++) {
        int64_t n = 1 + below(30), row = 1 + below(i % 8 ? 20 : 4000), m = 1 + below(40);
        bp_dtype type = i % 3 == 0 ? BP_I64 : i % 3 == 1 ? BP_F64 : BP_F32;
        int64_t d_in[2] = {n, row}, d_out[3] = {m, 2, row}, d_index[2] = {m, 2};
        bp__tensor table = make(type, 2, d_in, i % 4 == 0, 1), want = make(type, 3, d_out, i % 4 == 1, 1),
                   index = make(BP_I64, 2, d_index, false, 1);
        randomise(&table, 7);
        for (int64_t e = 0; e < 2 * m; e++) ((int64_t *)index.data)[e] = below(n + 2) - 1;
        bp__tensor have = like(&want), sum = like(&table), have_sum = like(&table);
        for (int64_t e = 0; e < 2 * m * row; e++) {
            int64_t r = ((int64_t *)index.data)[e / row];
            write(&want, at(&want, e), r < 0 || r >= n ? 0 : read(&table, at(&table, r * row + e % row)));
        }
        for (int64_t e = 0; e < n * row; e++) write(&sum, at(&sum, e), 0);
        for (int64_t e = 0; e < 2 * m * row; e++) {
            int64_t r = ((int64_t *)index.data)[e / row];
            if (r < 0 || r >= n) continue;
            int64_t to = at(&sum, r * row + e % row);
            write(&sum, to, combine(BP__SUM, type == BP_F32, read(&sum, to), read(&want, at(&want, e))));
        }
        EVERYWHERE(env) {
            again(&have), bp__gather_rows(&env, &have, &table, &index), same(&want, &have, "gather_rows");
            again(&have_sum), bp__scatter_add_rows(&env, &have_sum, &want, &index), same(&sum, &have_sum, "scatter_add_rows");
        }
        bp__tensor *all[] = {&table, &want, &index, &have, &sum, &have_sum};
        for (int j = 0; j < 6; j++) free(all[j]->data);
    }
    for (int i = 0; i < 60; i++) { /* along an axis */
        int64_t dim[3] = {1 + below(8), 1 + below(9), 1 + below(i % 6 ? 10 : 900)}, taken[3] = {dim[0], dim[1], dim[2]};
        int axis = (int)below(3);
        taken[axis] = 1 + below(20);
        bp_dtype type = i % 2 ? BP_F32 : BP_F64;
        bp__tensor in = make(type, 3, dim, below(2), 1), want = make(type, 3, taken, below(2), 1),
                   index = make(BP_I64, 3, taken, below(2), 1);
        randomise(&in, 1);
        for (int64_t e = 0; e < storage(&index); e++) ((int64_t *)index.data)[e] = below(dim[axis] + 1);
        bp__tensor have = like(&want), sum = like(&in), have_sum = like(&in);
        for (int64_t e = 0; e < storage(&in); e++) write(&sum, e, 0);
        for (int64_t e = 0; e < bp__tensor_count(&want); e++) {
            int64_t c[3] = {e / taken[2] / taken[1], e / taken[2] % taken[1], e % taken[2]},
                    l = read(&index, at(&index, e)) < 0 ? 0 : (int64_t)read(&index, at(&index, e));
            c[axis] = l;
            int64_t from = (c[0] * dim[1] + c[1]) * dim[2] + c[2];
            write(&want, at(&want, e), l >= dim[axis] ? 0 : read(&in, at(&in, from)));
            if (l < dim[axis])
                write(&sum, at(&sum, from),
                      combine(BP__SUM, type == BP_F32, read(&sum, at(&sum, from)), read(&want, at(&want, e))));
        }
        EVERYWHERE(env) {
            again(&have), bp__take_along(&env, axis, &have, &in, &index), same(&want, &have, "take_along");
            again(&have_sum), bp__scatter_add(&env, axis, &have_sum, &want, &index), same(&sum, &have_sum, "scatter_add");
        }
        bp__tensor *all[] = {&in, &want, &index, &have, &sum, &have_sum};
        for (int j = 0; j < 6; j++) free(all[j]->data);
    }
}

static void uniforms(void **state) {
    (void)state;
    seed = 8;
    for (int i = 0; i < 30; i++) {
        int64_t dim[2] = {1 + below(40), 1 + below(i % 5 ? 200 : 3000)};
        bp__tensor want = make(i % 3 ? BP_F32 : BP_F64, 2, dim, false, 1), have = like(&want);
        bp__stream s = {.seed = 99, .stream = 1234567, .step = 7};
        for (int64_t r = 0; r < dim[0]; r++) {
            if (i % 3)
                bp__uniform_f32((float *)want.data + r * dim[1], s, (uint32_t)(5 + r), 0, dim[1]);
            else
                bp__uniform_f64((double *)want.data + r * dim[1], s, (uint32_t)(5 + r), 0, dim[1]);
        }
        EVERYWHERE(env) again(&have), bp__fill_uniform(&env, 1234567, &have), same(&want, &have, "fill_uniform");
        free(want.data), free(have.data);
    }
}

static int start(void **state) {
    (void)state;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    for (int i = 0; i < 4 && bp__isa_list(i); i++) isas[i] = bp__isa_find(bp__isa_list(i));
    for (int i = 1; i <= 3; i++)
        if (bp__team_new(&team[i], ctx, i) != BP_OK) return 1;
    return 0;
}
static int stop(void **state) {
    (void)state;
    for (int i = 1; i <= 3; i++) bp__team_free(team[i]);
    bp_context_free(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reductions), cmocka_unit_test(nans),    cmocka_unit_test(softmax),
                                       cmocka_unit_test(short_rows), cmocka_unit_test(order),   cmocka_unit_test(copies),
                                       cmocka_unit_test(gathers),    cmocka_unit_test(uniforms)};
    return cmocka_run_group_tests(tests, start, stop);
}
