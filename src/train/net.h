/* The network of a run: its loss, and one graph from which training, evaluation and prediction are compiled. */
#ifndef BP__NET_H
#define BP__NET_H
#include "data/data.h"
#include "nn/nn.h"
#include "optim/optim.h"

/* ---- Losses ---- */

typedef struct bp__loss {
    int kind;
    double label_smoothing, delta;
} bp__loss;
enum { BP__LOSS_CROSS_ENTROPY, BP__LOSS_BCE, BP__LOSS_MSE, BP__LOSS_L1, BP__LOSS_HUBER };
const char *bp__loss_kind(int index, const char **help); /* NULL after the last */
bp_status bp__loss_read(bp__loss *out, bp_context *ctx, const char *file, const bp__tree *tree);
bool bp__loss_fits(const bp__loss *l, bp__task task);
int64_t bp__loss_outputs(const bp__loss *l, const bp__prep *prep);
/* y [batch, outputs]; target: labels i64 [batch] or numbers [batch, targets]. weight: [batch] or BP_NONE. *rows [batch]: the
   losses of the rows, an unknown label's 0; *mean: their (weighted) mean. */
void bp__loss_build(const bp__loss *l, bp_value y, bp_value target, bp_value weight, bp_value *rows, bp_value *mean);

/* ---- The network with its programs ---- */

typedef struct bp__net_spec {
    const bp__tree *model, *optimizer;
    const bp__tree *init; /* the patterns of `init:`, or NULL */
    const char *file;
    bp__loss loss;
    const bp__prep *prep; /* borrowed while it is made */
    bp_dtype dtype;
    double clip_norm, clip_value;
    bool training, weighted;
    uint64_t seed;
} bp__net_spec;

typedef struct bp__batch { /* borrowed while a session runs */
    int64_t n;
    const void *x;        /* [n, sample] */
    const int64_t *label; /* [n], or */
    const void *y;        /* [n, targets] */
    const float *weight;  /* [n] or NULL */
} bp__batch;

typedef struct bp__net {
    bp_context *ctx;
    bp_graph *g;
    bp__nn *nn;
    bp_state *state;
    bp_program *train, *eval, *predict;
    bp_session *train_session, *eval_session, *predict_session;
    bp_dtype dtype, x_dtype;
    bp_dims x_dims;
    int64_t n_outputs, n_targets, n_parameters; /* n_parameters: numbers that are trained or frozen, buffers not */
    bool classification, binary, weighted;
    uint64_t seed;
    bp__loss loss;
    double lr;
} bp__net;
bp_status bp__net_new(bp__net **out, bp_context *ctx, const bp__net_spec *spec);
void bp__net_free(bp__net *net);
typedef struct bp__step {
    double loss, norm;
    const void *y;  /* [n, outputs] of the net's dtype: before any softmax */
    bool committed; /* loss and gradients were finite */
} bp__step;
bp_status bp__net_train(bp__net *net, const bp__batch *b, double lr, int64_t step, bp__step *out);
/* p [n, columns]: probabilities of all classes, or the targets as trained on; rows [n]: losses, NULL: not wanted (no target is
   needed then). columns = max(outputs, 2 for a binary net). */
bp_status bp__net_eval(bp__net *net, const bp__batch *b, double *p, double *rows);
/* Finishes the initialisers that look at data on a batch (its x alone). Once, before the first step of a new training. */
bp_status bp__init_from_data(bp__net *net, const bp__batch *b);
double bp__net_number(const bp__net *net, const void *values, int64_t i); /* element i of values of the net's dtype */
int64_t bp__net_columns(const bp__net *net);
bp_status bp__net_describe(bp__net *net, int64_t batch, bool training, char **text);

#endif
