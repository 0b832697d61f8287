/* The network of a run: its loss, and one graph from which training, evaluation and prediction are compiled. */
#ifndef BP__NET_H
#define BP__NET_H
#include "data/data.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "optim/solver.h"
#include "train/shards.h"

/* ---- Losses ---- */

typedef struct bp__loss {
    int kind;
    double value[4];     /* of the kind's keys, in their order */
    const char *formula; /* of kind formula; borrowed from the configuration's tree */
} bp__loss;
enum { BP__LOSS_CROSS_ENTROPY, BP__LOSS_BCE, BP__LOSS_MSE }; /* the others are known by name only */
/* How the network's outputs become predictions. */
typedef enum bp__link { BP__LINK_NONE, BP__LINK_SOFTMAX, BP__LINK_SIGMOID, BP__LINK_PROBABILITY, BP__LINK_EXP } bp__link;
const char *bp__loss_kind(int index, const char **help); /* NULL after the last */
const bp__kind *bp__loss_row(int index);                 /* the same with its keys */
bp_status bp__loss_read(bp__loss *out, bp_context *ctx, const char *file, const bp__tree *tree);
bp__task bp__loss_task(const bp__loss *l);  /* BP__TASK_AUTO: of classes and of numbers */
bool bp__loss_is_binary(const bp__loss *l); /* two classes, one output */
bp__link bp__loss_link(const bp__loss *l);
bp_value bp__loss_prediction(const bp__loss *l, bp_value y);
int64_t bp__loss_outputs(const bp__loss *l, const bp__prep *prep);
/* y [batch, outputs]; target: labels i64 [batch] or numbers [batch, targets]. weight: [batch] or BP_NONE. *rows [batch]: the
   losses of the rows, an unknown label's 0; *mean: their (weighted) mean. */
void bp__loss_build(const bp__loss *l, bp_value y, bp_value target, bp_value weight, bp_value *rows, bp_value *mean);

/* Is it a formula, as far as that can be said without sizes? BP_CONFIG with the line and the column. */
bp_status bp__formula_check(bp_context *ctx, const char *file, int line, const char *formula);
void bp__formula_loss(const char *formula, bp_value p, bp_value y, bp_value weight, bp_value *rows, bp_value *mean);

/* ---- An average of the weights ---- */

typedef struct bp__average {
    int kind; /* -1: none */
    double decay, part;
    int64_t first, every; /* steps */
} bp__average;
bp_status bp__average_read(bp__average *out, bp_context *ctx, const char *file, const bp__tree *tree);
bool bp__average_needs_length(const bp__average *a);
void bp__average_set_length(bp__average *a, int64_t n_steps, int64_t steps_per_epoch);
double bp__average_weight(const bp__average *a, int64_t step); /* what the step's weights get in it; 0: they are left out */

/* ---- The network with its programs ---- */

enum { BP__CLIP_MODEL, BP__CLIP_LAYER, BP__CLIP_PARAMETER };

typedef struct bp__net_spec {
    const bp__tree *model, *optimizer;
    const bp__tree *init; /* the patterns of `init:`, or NULL */
    const char *file;
    bp__loss loss;
    const bp__prep *prep; /* borrowed while it is made */
    bp_dtype dtype;
    bool bfloat16;                                             /* F32 matrices are multiplied rounded to it */
    double clip_norm, clip_value, clip_adaptive;               /* <= 0: none */
    int clip_per;                                              /* whose norm clip_norm is: of the model, a layer, a parameter */
    const bp__tree *regularize;                                /* or NULL */
    bool moves_momentum, moves_decay, moves_dropout, averages; /* by schedules; by an average of the weights */
    int64_t accumulate; /* shards of a step; 0 or 1: the step is one batch and one program */
    bool training, weighted;
    uint64_t seed;
} bp__net_spec;

typedef struct bp__numbers { /* of one step: entries of the input block, never constants */
    double lr;
    double rows; /* of the step */
    double
        normalizer; /* what the step's sum of losses is divided by: the number of its known labels, or the sum of its weights */
    double norm_limit;                      /* with a larger gradient norm the step is not committed */
    double momentum, weight_decay, dropout; /* where a schedule moves them; dropout: a factor of every p */
    double average;                         /* the weight of this step in the average */
} bp__numbers;

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
    bp_program *plain; /* the training without rewriting, made when a step goes wrong */
    bp_session *plain_session;
    bp_value *plain_outputs;
    int n_plain_outputs;
    bp_program *train, *update, *eval, *predict; /* update: of a step that is made of shards; else NULL, train does all */
    bp_session *train_session, *update_session, *eval_session, *predict_session;
    bp__shards *shards;     /* with update */
    const void **gradients; /* [n_gradients]: of a shard, and their sums */
    const char **gradient_names;
    int n_gradients;
    bool shard_assigns; /* a shard changes state itself (running statistics): taken back when the step is not committed */
    unsigned char *before;
    bp_dtype dtype, x_dtype;
    bool bfloat16;
    bp_dims x_dims;
    int64_t n_outputs, n_targets, n_parameters; /* n_parameters: numbers that are trained or frozen, buffers not */
    bool classification, binary, weighted;
    uint64_t seed;
    bp__loss loss;
    bp__numbers standard, now; /* without a schedule; of the step that runs */
    double step_loss, share;
    /* An optimiser that takes several looks at all rows (solve.c): no update is in the graph, train gives a shard's gradients. */
    const bp__solver *solver; /* or NULL */
    bp__choice choice;        /* its options */
    bp_value *products;       /* the Gauss-Newton matrix times "direction/NAME", where the solver asks for it; owned */
    bp_program *product;
    bp_session *product_session;
    double plain_loss; /* of the look, without penalties */
    int64_t step;
    /* What is evaluated and kept in place of the trained weights, where there is an average: made by a program of its own. */
    bp_program *average;
    bp_session *average_session;
    unsigned char *trained; /* the state while the average stands in for it */
    bool average_always;    /* the optimiser's own (schedule_free_*): the trained weights are no result */
} bp__net;
bp_status bp__net_new(bp__net **out, bp_context *ctx, const bp__net_spec *spec);
void bp__net_free(bp__net *net);
typedef struct bp__step {
    double loss, norm;
    bool committed; /* loss and gradients were finite, the norm within the limit */
    bool converged; /* a solver has nothing more to do (bp__solved) */
} bp__step;
/* One step: begin, its shards in order of index, end. first_row: the shard's first row within the step; the last shard of a step
   may be smaller. *y [n, outputs] of the net's dtype, before any softmax; borrowed until the next call. */
void bp__net_begin(bp__net *net, int64_t step, const bp__numbers *numbers);
bp_status bp__net_shard(bp__net *net, const bp__batch *b, int64_t first_row, const void **y);
bp_status bp__net_end(bp__net *net, bp__step *out);
bp_status bp__net_start_average(bp__net *net); /* an average starts as the weights: before the first step of a new training */
/* Puts the average in the place of the weights, and the weights back: for evaluating, saving. Nothing where there is none. */
bp_status bp__net_use_average(bp__net *net);
void bp__net_use_trained(bp__net *net);
/* ---- Solvers: solve.c ---- */

/* Its state, and products with the Gauss-Newton matrix of the outputs y, into the graph; refuses what does not fit. */
bp_status bp__net_add_solver(bp__net *net, const bp__net_spec *spec, bp_value y, bp_value mean, bp_value penalty);
bp_status bp__net_product_shard(bp__net *net, const bp__batch *b, int64_t first_row); /* in place of bp__net_shard */
/* A look's sums as one step: net->step_loss is the loss with penalties, net->gradients are its gradients. */
bp_status bp__net_looked(bp__net *net, bp__step *out);
int64_t bp__net_trained(const bp__net *net); /* numbers that are trained */

/* A step of one batch: begin, shard, end, whatever the gradient's norm. */
bp_status bp__net_train(bp__net *net, const bp__batch *b, double lr, int64_t step, bp__step *out);
/* Where a shard of the step that has just ended goes wrong: runs it again, operation by operation, from the unchanged state.
   Members are NULL where every value is finite. Borrowed from the net. */
typedef struct bp__blame {
    const char *operation, *layer;
} bp__blame;
bp_status bp__net_diagnose(bp__net *net, const bp__batch *b, int64_t first_row, bp__blame *out);
/* p [n, columns]: probabilities of all classes, or the targets as trained on; rows [n]: losses, NULL: not wanted (no target is
   needed then). columns = max(outputs, 2 for a binary net). */
bp_status bp__net_eval(bp__net *net, const bp__batch *b, double *p, double *rows);
/* Finishes the initialisers that look at data on a batch (its x alone). Once, before the first step of a new training. */
bp_status bp__init_from_data(bp__net *net, const bp__batch *b);
const char *bp__precision(bp_dtype dtype, bool bfloat16);                 /* the word of train.dtype */
double bp__net_number(const bp__net *net, const void *values, int64_t i); /* element i of values of the net's dtype */
int64_t bp__net_columns(const bp__net *net);
bp_status bp__net_describe(bp__net *net, int64_t batch, bool training, char **text);

#endif
