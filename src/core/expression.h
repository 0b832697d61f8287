/* Formulas in numbers, as users write them: "lr * 0.95 ^ epoch", "step < 100 ? step / 100 : 1". Operators by rising strength:
   ?: || && (< <= > >= == !=) (+ -) (* / %) (unary - + !) ^ (also **, from the right). Functions: min max pow exp log sqrt sin cos
   tanh abs floor ceil; the constant pi. Numbers are f64, truth is 1 or 0. The value is the same bits on every machine. */
#ifndef BP__EXPRESSION_H
#define BP__EXPRESSION_H
#include "core/core.h"

typedef struct bp__expression bp__expression;

/* `names` are the variables, in the order of bp__expression_value's `values`. BP_CONFIG for what is wrong with the text: then
   `why` says it, with the number of the character (from 1), and the context has no error yet: the caller knows the place. Owns.
 */
bp_status bp__expression_new(bp__expression **out, bp_context *ctx, const char *text, const char *const *names, int n_names,
                             char *why, size_t size);
void bp__expression_free(bp__expression *e); /* NULL is fine */
double bp__expression_value(const bp__expression *e, const double *values);
bool bp__expression_uses(const bp__expression *e, int variable);
#endif
