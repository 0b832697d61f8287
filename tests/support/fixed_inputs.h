#ifndef BP__FIXED_INPUTS_H
#define BP__FIXED_INPUTS_H
#include <string.h>

#include "op/op.h"

/* Inputs that enter as numbers, not as variables: PyTorch has no gradient for them either. */
static const char *const fixed_inputs[][2] = {{"dropout", "p"},   {"dropout1d", "p"},     {"dropout2d", "p"},
                                              {"dropout3d", "p"}, {"alpha_dropout", "p"}, {"feature_alpha_dropout", "p"}};

static inline bool is_fixed(const bp__op *op, int32_t input) {
    const char *name = op->in_names[op->n_in < 0 ? 0 : input];
    if (*name == '?' || *name == '*') name++;
    for (size_t i = 0; i < sizeof fixed_inputs / sizeof fixed_inputs[0]; i++)
        if (!strcmp(fixed_inputs[i][0], op->name) && !strcmp(fixed_inputs[i][1], name)) return true;
    return false;
}

#endif
