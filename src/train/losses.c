/* The losses of a configuration: a row each. The row's name is the operation's, its keys are the operation's attributes; `form`
   says what the target looks like, `link` how outputs become predictions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/choice.h"
#include "op/build.h"
#include "train/train.h"

typedef enum form {
    LABELS,  /* a class number for each row; one output per class */
    YES_NO,  /* two classes, one output: 0 and 1 */
    SIGNS,   /* two classes, one output: -1 and 1 */
    NUMBERS, /* one output per target */
    FORMULA, /* a text: as LABELS for classes, as NUMBERS for numbers */
} form;

typedef struct row {
    bp__kind kind;
    form form;
    bp__link link;
} row;

#define KEYS(...) .keys = (const bp__key[]){__VA_ARGS__}, .n_keys = (int)BP__COUNT(((const bp__key[]){__VA_ARGS__}))
static const row rows[] = {
    [BP__LOSS_CROSS_ENTROPY] = {{"cross_entropy", "label_smoothing",
                                 "classes, one output each: -log of the right class's probability",
                                 KEYS(BP__K_NUMBER("label_smoothing", 0, 0, 1))},
                                LABELS,
                                BP__LINK_SOFTMAX},
    [BP__LOSS_BCE] = {{"bce_with_logits", NULL, "two classes, one output: binary cross entropy of its sigmoid", NULL, 0},
                      YES_NO,
                      BP__LINK_SIGMOID},
    [BP__LOSS_MSE] = {{"mse", NULL, "numbers: mean of the squared errors", NULL, 0}, NUMBERS, BP__LINK_NONE},
    {{"l1", NULL, "numbers: mean of the absolute errors", NULL, 0}, NUMBERS, BP__LINK_NONE},
    {{"huber", "delta", "numbers: squared below delta, linear above", KEYS(BP__K_POSITIVE("delta", 1))}, NUMBERS, BP__LINK_NONE},
    {{"smooth_l1", "beta", "numbers: huber divided by beta; beta 0 is l1", KEYS(BP__K_NUMBER("beta", 1, 0, HUGE_VAL))},
     NUMBERS,
     BP__LINK_NONE},
    {{"log_cosh", NULL, "numbers: log of the error's cosh, half squared when small, linear when large", NULL, 0},
     NUMBERS,
     BP__LINK_NONE},
    {{"quantile", "q", "numbers: learns the q-quantile (pinball loss)", KEYS(BP__K_NUMBER("q", 0.5, 0, 1))},
     NUMBERS,
     BP__LINK_NONE},
    {{"expectile", "tau", "numbers: learns the tau-expectile", KEYS(BP__K_NUMBER("tau", 0.5, 0, 1))}, NUMBERS, BP__LINK_NONE},
    {{"mape", NULL, "numbers: errors in percent of the target", KEYS(BP__K_POSITIVE("eps", 1e-7))}, NUMBERS, BP__LINK_NONE},
    {{"msle", NULL, "numbers from 0: squared errors of log(1 + x)", KEYS(BP__K_POSITIVE("eps", 1e-7))}, NUMBERS, BP__LINK_NONE},
    {{"poisson_nll", NULL, "counts: Poisson likelihood, the output is the rate's logarithm", KEYS(BP__K_BOOL("full", 0))},
     NUMBERS,
     BP__LINK_EXP},
    {{"nll", NULL, "classes, one output each that is a log-probability: end the model with log_softmax", NULL, 0},
     LABELS,
     BP__LINK_SOFTMAX},
    {{"focal", "gamma", "classes, one output each: cross entropy with little weight on what is sure; alpha < 0: no factor",
      KEYS(BP__K_NUMBER("gamma", 2, 0, HUGE_VAL), BP__K_NUMBER("alpha", 0.25, -HUGE_VAL, 1))},
     LABELS,
     BP__LINK_SOFTMAX},
    {{"multi_margin", "margin", "classes, one output each: the right one above all others by a margin",
      KEYS(BP__K_ANY_NUMBER("margin", 1), BP__K_INT("p", 1, 1, 2))},
     LABELS,
     BP__LINK_SOFTMAX},
    {{"bce", NULL, "two classes, one output that is a probability: end the model with sigmoid", NULL, 0},
     YES_NO,
     BP__LINK_PROBABILITY},
    {{"hinge", NULL, "two classes, one output: max(1 - t x, 0) with t -1 or 1", NULL, 0}, SIGNS, BP__LINK_SIGMOID},
    {{"squared_hinge", NULL, "two classes, one output: the square of hinge", NULL, 0}, SIGNS, BP__LINK_SIGMOID},
    {{"soft_margin", NULL, "two classes, one output: log(1 + e^(-t x)) with t -1 or 1", NULL, 0}, SIGNS, BP__LINK_SIGMOID},
    {{"formula", "text", "\"mean(square(y - p))\": of the target y and the output p (docs/formulas.md)",
      KEYS({.name = "text", .type = BP__KEY_TEXT, .required = true})},
     FORMULA,
     BP__LINK_NONE},
};

const bp__kind *bp__loss_row(int index) { return index >= 0 && index < (int)BP__COUNT(rows) ? &rows[index].kind : NULL; }

const char *bp__loss_kind(int index, const char **help) {
    if (index < 0 || index >= (int)BP__COUNT(rows)) return NULL;
    if (help) *help = rows[index].kind.help;
    return rows[index].kind.name;
}

bp_status bp__loss_read(bp__loss *out, bp_context *ctx, const char *file, const bp__tree *tree) {
    bp__kind kinds[BP__COUNT(rows)];
    for (size_t i = 0; i < BP__COUNT(rows); i++) kinds[i] = rows[i].kind;
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "loss", .where = "loss", .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    bp__choice c;
    BP_TRY(bp__choice_read(&r, tree, &c));
    *out = (bp__loss){.kind = c.index};
    for (int i = 0; i < c.kind->n_keys; i++) {
        const bp__key *key = &c.kind->keys[i];
        const bp__option *o = bp__choice_option(&c, key->name);
        if (key->type == BP__KEY_TEXT) {
            out->formula = o->text;
            BP_TRY(bp__formula_check(ctx, file, c.line, out->formula));
            continue;
        }
        out->value[i] = key->type == BP__KEY_BOOL ? o->boolean : key->type == BP__KEY_INT ? (double)o->integer : o->number;
    }
    return BP_OK;
}

bp__task bp__loss_task(const bp__loss *l) {
    form f = rows[l->kind].form;
    return f == FORMULA ? BP__TASK_AUTO : f == NUMBERS ? BP__REGRESSION : BP__CLASSIFICATION;
}

bool bp__loss_is_binary(const bp__loss *l) { return rows[l->kind].form == YES_NO || rows[l->kind].form == SIGNS; }

bp__link bp__loss_link(const bp__loss *l) { return rows[l->kind].link; }

int64_t bp__loss_outputs(const bp__loss *l, const bp__prep *prep) {
    if (bp__loss_is_binary(l)) return 1;
    form f = rows[l->kind].form;
    bool classes = f == LABELS || (f == FORMULA && prep->task == BP__CLASSIFICATION);
    return classes ? prep->n_classes : prep->n_targets;
}

static double number_of(const bp__loss *l, const char *key, double standard) {
    const bp__kind *k = &rows[l->kind].kind;
    for (int i = 0; i < k->n_keys; i++)
        if (strcmp(k->keys[i].name, key) == 0) return l->value[i];
    return strcmp(key, "ignore_index") == 0 ? -1 : standard; /* an unknown label */
}

/* The operation of the row's name (quantile_loss for quantile, which is a reduction), with its attributes from the keys. */
static bp_value build(const bp__loss *l, bp_value y, bp_value target, const char *reduction) {
    char name[80];
    snprintf(name, sizeof name, "%s_loss", rows[l->kind].kind.name);
    const bp__op *op = bp__op_find(name);
    if (!op) op = bp__op_find(rows[l->kind].kind.name);
    union {
        double align;
        char bytes[256];
    } attrs;
    bp_value in[6] = {y, target, BP_NONE, BP_NONE, BP_NONE, BP_NONE};
    if (!op || op->attrs_size > sizeof attrs) return bp__graph_fail(y.graph, BP_INTERNAL, "the loss has no operation");
    memcpy(&attrs, op->attr_defaults, op->attrs_size);
    for (int32_t i = 0; i < op->n_attrs; i++) {
        void *at = attrs.bytes + op->attrs[i].offset;
        const char *key = op->attrs[i].name;
        switch (op->attrs[i].type) {
        case BP__ATTR_F64: *(double *)at = number_of(l, key, *(double *)at); break;
        case BP__ATTR_I64: *(int64_t *)at = (int64_t)number_of(l, key, (double)*(int64_t *)at); break;
        case BP__ATTR_BOOL: *(int32_t *)at = (int32_t)number_of(l, key, *(int32_t *)at); break;
        case BP__ATTR_TEXT: *(const char **)at = reduction; break; /* the only text that a loss has */
        default: break;
        }
    }
    return bp__graph_add(y.graph, op, &attrs, in, op->n_in);
}

void bp__loss_build(const bp__loss *l, bp_value y, bp_value target, bp_value weight, bp_value *each_row, bp_value *mean) {
    form f = rows[l->kind].form;
    if (f == FORMULA) {
        bp__formula_loss(l->formula, y, target, weight, each_row, mean);
        return;
    }
    bp_value label = target, known = BP_NONE; /* an unknown label is -1 and has no loss */
    if (bp__loss_is_binary(l)) {
        label = bp_reshape(target, bp_shape(2, BP_BATCH, 1));
        target = bp_maximum(label, bp__k_like(label, 0));
        if (f == SIGNS) target = bp__add_k(bp__mul_k(target, 2), -1);
        target = bp_cast(target, bp_value_dtype(y));
    }
    if (f != NUMBERS) known = bp_ge(label, bp__k_like(label, 0));
    bp_value each = build(l, y, target, "none");
    if (f != NUMBERS) each = bp_where(known, each, bp__k_like(each, 0));
    if (bp_value_dims(each).n > 1) {
        bp_mean_options o = bp_mean_defaults();
        o.axes = (bp_dims){1, {1}};
        each = bp_mean(each, &o);
    }
    *each_row = each;
    if (!weight.graph)
        *mean = build(l, y, target, "mean");
    else
        *mean = bp_div(bp__sum_all(bp_mul(each, weight)), bp__sum_all(weight));
}

bp_value bp__loss_prediction(const bp__loss *l, bp_value y) {
    switch (bp__loss_link(l)) {
    case BP__LINK_SOFTMAX: return bp_softmax(y, 1);
    case BP__LINK_SIGMOID: return bp_sigmoid(y);
    case BP__LINK_EXP: return bp_exp(y);
    default: return y;
    }
}
