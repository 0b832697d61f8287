/* What a layer's file sees: the call, its parameters, and how it builds what is nested inside. */
#ifndef BP__LAYERS_H
#define BP__LAYERS_H
#include "core/choice.h"
#include "nn/nn.h"
#include "op/build.h"

typedef struct bp__nn_scope bp__nn_scope; /* the names that `from:` can say */

typedef struct bp__layer_call {
    bp__nn *nn;
    bp_graph *g;
    const bp__nn_options *o;
    const bp__choice *choice;
    const bp__choice_reader *reader; /* for bp__choice_fail */
    const bp__tree *tree;            /* the entry */
    const char *path;                /* "2.0" */
    const bp_value *in;              /* what goes in; several only after `from: [a, b]` */
    int64_t n_in;
    const bp__nn_scope *scope;
    int depth;
    bool from;   /* `from:` was given */
    bool frozen; /* here or around */
    bool last;   /* nothing follows that changes the shape: what it makes is as large as the model's output */
} bp__layer_call;

typedef bp_status bp__layer_build(const bp__layer_call *c, bp_value *y);

/* The parameter PATH.role, made at the first call, found at the next. Bad when its shape has changed. */
bp_value bp__layer_parameter(const bp__layer_call *c, const char *role, bp_dims dims, bp_init init);
/* A variable that no gradient moves, such as running statistics: f32 or f64 as the parameters are. */
bp_value bp__layer_buffer(const bp__layer_call *c, const char *role, bp_dims dims, bp_init init);
bp_value bp__layer_counter(const bp__layer_call *c, const char *role); /* a buffer of one whole number (i64), from 0 */
/* Builds a list of layers; *y is what its last layer makes. The path of an entry is `path` and its number or name. */
bp_status bp__layer_list(const bp__layer_call *c, const bp__tree *layers, const char *path, bp_value x, bool last, bp_value *y);
/* Notes an inserted layer for `inspect`. */
bp_status bp__layer_note(const bp__layer_call *c, const char *kind, bp_value in, bp_value out);
/* PATH + suffix in the graph's pool; NULL: out of memory, said already. */
const char *bp__layer_text(const bp__layer_call *c, const char *path, const char *suffix);
/* Fails with BP_SHAPE: "model.2 (linear): …". */
bp_status bp__layer_shape_fail(const bp__layer_call *c, const char *format, ...) BP__PRINTF(2, 3);
/* A tensor's initialiser: from the layer's `init: {ROLE: kaiming_uniform}`, else from the configuration's patterns, else
 * `standard`. */
bp_status bp__layer_init(const bp__layer_call *c, const char *role, bp_init standard, bp_init *out);
void bp__nn_init_used(bp__nn *nn, int64_t index); /* the pattern of that number has found a tensor */
/* Axis `axis` (negative counts from the end) of x, non-negative. */
bp_status bp__layer_axis(const bp__layer_call *c, const char *key, bp_value x, int64_t *axis);
const char *bp__layer_shape(const bp__layer_call *c, bp_value x, char *out, size_t size);

bp_status bp__layer_flat(const bp__layer_call *c, bp_value x, int64_t first, int64_t last, bp_value *y); /* axes made one */

#define LAYER(name, main, build, help, ...) bp__layer_build build;
#include "nn/layers.def"
#undef LAYER
bp__layer_build bp__layer_activation; /* any unary element-wise operation, with its numbers */

/* The table: the lines of layers.def, then the activations. */
const bp__kind *bp__layer_kinds(int64_t *n);
bp__layer_build *bp__layer_builder(int64_t index);
#endif
