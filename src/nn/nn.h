/* Networks: the `model:` section of a configuration as values of a graph. */
#ifndef BP__NN_H
#define BP__NN_H
#include "core/tree.h"
#include "graph/graph.h"

/* The parameters and layers of one network. Building it twice onto one graph (the training and the evaluation path) shares
   the parameters by name. */
typedef struct bp__nn bp__nn;

typedef struct bp__nn_parameter {
    const char *name; /* "0.weight", as in an nn.Sequential of the same layers */
    bp_value value;
    bool trainable; /* false: frozen, or a buffer such as running statistics */
    bool buffer;
    bp_init init;
    bp_value output; /* of its layer, on the path that was built first */
    bool channels;   /* the layer's units are axis 1 of it, else the last */
} bp__nn_parameter;

/* How an initialiser is finished with data: bp_init's `fit`. */
typedef enum bp__fit { BP__FIT_NONE, BP__FIT_LSUV, BP__FIT_UNIT, BP__FIT_HE } bp__fit;

typedef struct bp__nn_layer { /* for `inspect` */
    const char *path, *kind;  /* "2.0", "linear" */
    int depth;                /* 0: an entry of the model's own list */
    int line;
    bool inserted; /* a flatten that the configuration does not name; it has the path of the layer behind it */
    bp_dims in, out;
    int64_t n_parameters; /* of this layer and those within it */
} bp__nn_layer;

bp_status bp__nn_new(bp__nn **out, bp_graph *g); /* owns; borrows the graph */
void bp__nn_free(bp__nn *nn);                    /* NULL is fine */
int64_t bp__nn_n_parameters(const bp__nn *nn);   /* tensors, in the order of making; buffers and frozen ones too */
const bp__nn_parameter *bp__nn_parameter_at(const bp__nn *nn, int64_t index);
int64_t bp__nn_n_layers(const bp__nn *nn); /* in order; those within a layer come behind it */
const bp__nn_layer *bp__nn_layer_at(const bp__nn *nn, int64_t index);

typedef struct bp__nn_options {
    bp__nn *nn;
    const bp__tree *layers;                              /* the list; also one layer alone */
    const char *file;                                    /* the configuration, named in errors; or NULL */
    const bp__tree *init;                                /* the configuration's `init:`, checked; or NULL */
    const char *prefix;                                  /* put before every name ("member.0."), or NULL */
    int64_t n_outputs;                                   /* for a last linear without a size; 0: it must have one */
    bool training;                                       /* dropout works, batch_norm uses the batch's statistics */
    bp_value (*disturb)(void *user, bp_value parameter); /* what the layers use in a trained parameter's place; NULL: itself */
    void *user;
    bp_value dropout_scale; /* f64 scalar that every dropout's p is multiplied with; BP_NONE: 1 */
} bp__nn_options;

/* Builds the layers onto x [batch, …]. BP_CONFIG for what is wrong with the text, BP_SHAPE and BP_TYPE for what does not fit;
   the sentence names the layer. */
bp_status bp__nn_build(bp_graph *g, const bp__nn_options *o, bp_value x, bp_value *y);
/* Checks names, keys, types and bounds without a graph: what can be said before data is read. */
bp_status bp__nn_check(bp_context *ctx, const char *file, const bp__tree *layers);
/* Checks the list of patterns `init: [{match: "*.weight", orthogonal}]` in the same way. */
bp_status bp__nn_check_init(bp_context *ctx, const char *file, const bp__tree *list);
/* The initialisers there are; NULL after the last. */
const char *bp__initializer_kind(int index, const char **help);
const struct bp__kind *bp__initializer_row(int index); /* its keys too */

/* Finishes the initialisers that look at data (lsuv, unit_variance, he+5) on one batch: x for the graph's input of this name. To
   be called once, after bp_state_new and before the first step, not after weights were loaded; needs no target. Nothing happens
   where there is none (bp__nn_needs_data). */
bool bp__nn_needs_data(const bp__nn *nn);
bp_status bp__nn_init_from_data(bp__nn *nn, bp_state *state, const char *input, const void *x, const bp_dims *dims,
                                uint64_t seed);

/* The layers there are: name, main key (or NULL), one line of help; NULL after the last. For `help` and the schema. */
const char *bp__nn_kind(int index, const char **main_key, const char **help);
#endif
