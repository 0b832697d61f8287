/* The losses of a configuration: each a row of the table and a case below that builds it from the operation of the same name. */
#include <math.h>

#include "core/choice.h"
#include "op/build.h"
#include "train/train.h"

static const bp__key smoothing_keys[] = {BP__K_NUMBER("label_smoothing", 0, 0, 1)};
static const bp__key huber_keys[] = {BP__K_POSITIVE("delta", 1)};
static const bp__key formula_keys[] = {{.name = "text", .type = BP__KEY_TEXT, .required = true}};
static const bp__kind kinds[] = {
    [BP__LOSS_CROSS_ENTROPY] = {"cross_entropy", "label_smoothing",
                                "classes, one output each: -log of the right class's probability", smoothing_keys, 1},
    [BP__LOSS_BCE] = {"bce_with_logits", NULL, "two classes, one output: binary cross entropy of its sigmoid", NULL, 0},
    [BP__LOSS_MSE] = {"mse", NULL, "numbers: mean of the squared errors", NULL, 0},
    [BP__LOSS_L1] = {"l1", NULL, "numbers: mean of the absolute errors", NULL, 0},
    [BP__LOSS_HUBER] = {"huber", "delta", "numbers: squared below delta, linear above", huber_keys, 1},
    [BP__LOSS_FORMULA] = {"formula", "text", "\"mean(square(y - p))\": of the target y and the output p (docs/formulas.md)",
                          formula_keys, 1},
};

const char *bp__loss_kind(int index, const char **help) {
    if (index < 0 || index >= (int)BP__COUNT(kinds)) return NULL;
    if (help) *help = kinds[index].help;
    return kinds[index].name;
}

bp_status bp__loss_read(bp__loss *out, bp_context *ctx, const char *file, const bp__tree *tree) {
    bp__choice_reader r = {
        .ctx = ctx, .file = file, .what = "loss", .where = "loss", .kinds = kinds, .n_kinds = BP__COUNT(kinds)};
    bp__choice c;
    BP_TRY(bp__choice_read(&r, tree, &c));
    *out = (bp__loss){.kind = c.index, .delta = 1};
    if (c.index == BP__LOSS_CROSS_ENTROPY) out->label_smoothing = bp__choice_option(&c, "label_smoothing")->number;
    if (c.index == BP__LOSS_HUBER) out->delta = bp__choice_option(&c, "delta")->number;
    if (c.index == BP__LOSS_FORMULA) {
        out->formula = bp__choice_option(&c, "text")->text;
        BP_TRY(bp__formula_check(ctx, file, c.line, out->formula));
    }
    return BP_OK;
}

bool bp__loss_fits(const bp__loss *l, bp__task task) {
    if (l->kind == BP__LOSS_FORMULA) return task == BP__CLASSIFICATION || task == BP__REGRESSION;
    bool classes = l->kind == BP__LOSS_CROSS_ENTROPY || l->kind == BP__LOSS_BCE;
    return classes == (task == BP__CLASSIFICATION);
}

int64_t bp__loss_outputs(const bp__loss *l, const bp__prep *prep) {
    if (l->kind == BP__LOSS_CROSS_ENTROPY || (l->kind == BP__LOSS_FORMULA && prep->task == BP__CLASSIFICATION))
        return prep->n_classes;
    return l->kind == BP__LOSS_BCE ? 1 : prep->n_targets;
}

/* The loss of every row, or of every element where there are several targets. */
static bp_value build(const bp__loss *l, bp_value y, bp_value target, const char *reduction) {
    switch (l->kind) {
    case BP__LOSS_CROSS_ENTROPY: {
        bp_cross_entropy_options o = bp_cross_entropy_defaults();
        o.reduction = reduction;
        o.ignore_index = -1;
        o.label_smoothing = l->label_smoothing;
        return bp_cross_entropy(y, target, BP_NONE, &o);
    }
    case BP__LOSS_BCE: {
        bp_bce_with_logits_options o = bp_bce_with_logits_defaults();
        o.reduction = reduction;
        return bp_bce_with_logits(y, target, BP_NONE, BP_NONE, &o);
    }
    case BP__LOSS_MSE: {
        bp_mse_options o = bp_mse_defaults();
        o.reduction = reduction;
        return bp_mse(y, target, &o);
    }
    case BP__LOSS_L1: {
        bp_l1_options o = bp_l1_defaults();
        o.reduction = reduction;
        return bp_l1(y, target, &o);
    }
    default: {
        bp_huber_options o = bp_huber_defaults();
        o.reduction = reduction;
        o.delta = l->delta;
        return bp_huber(y, target, &o);
    }
    }
}

void bp__loss_build(const bp__loss *l, bp_value y, bp_value target, bp_value weight, bp_value *rows, bp_value *mean) {
    bp_value known = BP_NONE;
    if (l->kind == BP__LOSS_FORMULA) {
        bp__formula_loss(l->formula, y, target, weight, rows, mean);
        return;
    }
    if (l->kind == BP__LOSS_BCE) { /* labels as one column of 0 and 1; an unknown one is -1 and has no loss */
        bp_value label = bp_reshape(target, bp_shape(2, BP_BATCH, 1));
        known = bp_ge(label, bp__k_like(label, 0));
        target = bp_cast(bp_maximum(label, bp__k_like(label, 0)), bp_value_dtype(y));
    }
    bp_value each = build(l, y, target, "none");
    if (l->kind == BP__LOSS_BCE) each = bp_where(bp_cast(known, bp_value_dtype(y)), each, bp__k_like(each, 0));
    if (bp_value_dims(each).n > 1) {
        bp_mean_options o = bp_mean_defaults();
        o.axes = (bp_dims){1, {1}};
        each = bp_mean(each, &o);
    }
    *rows = each;
    if (!weight.graph)
        *mean = build(l, y, target, "mean");
    else
        *mean = bp_div(bp__sum_all(bp_mul(each, weight)), bp__sum_all(weight));
}
