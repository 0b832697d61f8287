/* backprop: train neural networks from C. The only installed header, in stages:
     1  train a model from data           2  graphs: formulas that differentiate themselves
     3  operations (generated)            4  experimental
   Rules. Every fallible function returns a bp_status; results come through the first argument; the sentence that explains a
   failure is bp_context_error(). *owns*: you free it. *borrows*: it must outlive the call (or the object, where said).
   *copies*: yours again after the call. The library never prints, exits or aborts. A context is used by one thread at a time;
   two contexts never meet. */
#ifndef BACKPROP_H
#define BACKPROP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_VERSION_MAJOR 0
#define BP_VERSION_MINOR 1
#define BP_VERSION_PATCH 0
#define BP_VERSION "0.1.0"

#if defined(__GNUC__)
#define BP_API __attribute__((visibility("default")))
#else
#define BP_API
#endif

BP_API const char *bp_version(void);

/* ---- Status ------------------------------------------------------------------------------------------------------- */

/* X(NAME, number, "sentence") */
#define BP_STATUS_MAP(X)                                       \
    X(OK, 0, "no error")                                       \
    X(INVALID, 1, "an argument is invalid")                    \
    X(CONFIG, 2, "the configuration or command line is wrong") \
    X(MEMORY, 3, "out of memory")                              \
    X(SHAPE, 4, "shapes do not fit")                           \
    X(TYPE, 5, "data types do not fit")                        \
    X(NOT_FOUND, 6, "not found")                               \
    X(IO, 7, "reading or writing failed")                      \
    X(DATA, 8, "the data is bad")                              \
    X(FORMAT, 9, "the file's format is wrong")                 \
    X(UNSUPPORTED, 10, "not supported")                        \
    X(DIVERGED, 11, "training diverged")                       \
    X(STOPPED, 12, "stopped by a callback or signal")          \
    X(CHECK, 13, "a check failed")                             \
    X(INTERNAL, 14, "a mistake inside backprop")

typedef enum bp_status {
#define BP__STATUS_ENUM(name, number, text) BP_##name = number,
    BP_STATUS_MAP(BP__STATUS_ENUM)
#undef BP__STATUS_ENUM
} bp_status;

/* The general sentence of a status, and its name ("NOT_FOUND"); work without a context. Never NULL. */
BP_API const char *bp_status_text(bp_status status);
BP_API const char *bp_status_name(bp_status status);

/* Returns from the enclosing function (which returns bp_status) on failure. */
#define BP_TRY(expression)                                  \
    do {                                                    \
        bp_status bp_try_status_ = (expression);            \
        if (bp_try_status_ != BP_OK) return bp_try_status_; \
    } while (0)

/* ---- Context ------------------------------------------------------------------------------------------------------ */

typedef struct bp_context bp_context;
typedef enum bp_log_level { BP_LOG_DEBUG = 0, BP_LOG_INFO = 1, BP_LOG_WARNING = 2 } bp_log_level;

typedef struct bp_context_options {
    size_t size; /* sizeof(bp_context_options) */
    /* Allocator hooks: all three or none. `resize` is realloc. Called from the thread that uses the context. */
    void *(*allocate)(size_t bytes, void *user);
    void *(*resize)(void *p, size_t bytes, void *user);
    void (*release)(void *p, void *user);
    void (*log)(bp_log_level level, const char *message, void *user);
    void *user;
    int threads;  /* 0: BP_THREADS, else all cores */
    int has_seed; /* non-zero: `seed` holds; else 0 */
    uint64_t seed;
    const char *isa; /* "scalar", "avx2", "avx512", "neon"; NULL: BP_ISA, else the best of this machine */
    int no_passes;   /* non-zero: compile without optimising passes (also BP_PASSES=none) */
} bp_context_options;

/* Owns. NULL options: all defaults. Fails with BP_INVALID on an unknown or unusable isa, BP_MEMORY. On failure *out is NULL. */
BP_API bp_status bp_context_new(bp_context **out, const bp_context_options *options);
BP_API void bp_context_free(bp_context *ctx);
/* The sentence of the first failure since the last clear; "" when none. Borrowed until the next call with this context. */
BP_API const char *bp_context_error(const bp_context *ctx);
typedef struct bp_error {
    size_t size; /* sizeof(bp_error), set by the caller */
    bp_status status;
    const char *code, *message, *file, *hint; /* borrowed until the next call; file and hint may be NULL */
    int64_t line;                             /* 0: none */
} bp_error;
BP_API void bp_context_get_error(const bp_context *ctx, bp_error *out);
BP_API void bp_context_clear_error(bp_context *ctx);
BP_API int bp_context_threads(const bp_context *ctx);
BP_API const char *bp_context_isa(const bp_context *ctx); /* the one in use */
BP_API const char *bp_isa_usable(int index);              /* the usable ones, best first; NULL after the last */
BP_API void bp_free(bp_context *ctx, void *p);            /* frees what the library gave (texts, arrays); NULL is fine */
BP_API void bp_context_set_log(bp_context *ctx, void (*log)(bp_log_level, const char *, void *), void *user);

/* ---- Types -------------------------------------------------------------------------------------------------------- */

typedef enum bp_dtype { BP_F32 = 0, BP_F64 = 1, BP_I32 = 2, BP_I64 = 3, BP_U8 = 4 } bp_dtype;
BP_API const char *bp_dtype_name(bp_dtype dtype); /* "f32" … */
BP_API size_t bp_dtype_size(bp_dtype dtype);

/* ==== Stage 1: train a model from data ============================================================================= */

/* Everything a training does is said by a configuration: its keys as YAML or JSON text, from a file, or set one by one.
   What is left unset is inferred from the data, each with its reason. Texts that functions give through `char **` are yours
   (bp_free); where a function gives both `text` (for people) and `json` (one object), either may be NULL. */
typedef struct bp_config bp_config;
typedef struct bp_model bp_model;
typedef struct bp_run bp_run;

BP_API bp_status bp_config_new(bp_config **out, bp_context *ctx); /* owns; empty. The context must outlive it. */
BP_API bp_status bp_config_parse(bp_config **out, bp_context *ctx, const char *text);
/* A configuration file, a run directory, or a model file (whose own configuration it is). Relative paths in it are taken from the
   folder it lies in; those set later from the working directory. */
BP_API bp_status bp_config_open(bp_config **out, bp_context *ctx, const char *path);
BP_API void bp_config_free(bp_config *cfg);
/* Sets one key ("train.epochs", "model.0.linear") to a YAML value. Mappings are merged, lists and choices replaced. The key
   "optimizer.lr" is the rate of the chosen optimiser, whichever it is. */
BP_API bp_status bp_config_set(bp_config *cfg, const char *key, const char *value);
BP_API bp_status bp_config_set_text(bp_config *cfg, const char *key,
                                    const char *text);                     /* as it stands, never a number or a list */
BP_API bp_status bp_config_assign(bp_config *cfg, const char *assignment); /* "key.path=value" */
/* The short form of "model" ("linear 128, relu, linear"), "loss", "optimizer" or "schedule" ("sgd lr=0.1"); replaces the whole.
 */
BP_API bp_status bp_config_choose(bp_config *cfg, const char *key, const char *text);
/* Where a run writes, and from which weights it starts. Copied; call it once, with all members. */
typedef struct bp_run_options {
    size_t size;
    const char *out;            /* the run directory; "": runs/NAME-0001 counted up; NULL: no files are written */
    int force;                  /* replace the files of a finished run in `out` */
    const char *from;           /* a model file whose names and shapes must fit, or NULL */
    const char *const *command; /* the command line, kept in the record; or NULL */
    int n_command;
    const char *resume; /* an interrupted run's directory: goes on with it, to the bits it would have had; then `out` and `from`
                           are not used, and the configuration is the run's own (bp_config_open) but for threads, epochs, steps,
                           max_time and checkpoint, and what bp_config_assign named. NULL: a new run */
} bp_run_options;
BP_API bp_status bp_config_set_run(bp_config *cfg, const bp_run_options *options);
/* Names, types and bounds of all sections, without reading data: BP_CONFIG with line and nearest name. bp_train does it too. */
BP_API bp_status bp_config_check(bp_config *cfg);
/* Reads the data and decides what was left open. text: the complete configuration as YAML, reasons as comments; json: the same.
 */
BP_API bp_status bp_config_resolve(bp_config *cfg, char **text, char **json);

typedef struct bp_progress {
    size_t size;
    int64_t epoch, epochs;         /* from 1; epochs 0: not known (steps or time bound the run) */
    int64_t step, steps_per_epoch; /* steps done in the whole run */
    double loss;                   /* mean of this epoch's batches so far */
    const char *metric;            /* "accuracy", "rmse" …; a borrowed text */
    double train_metric;           /* of this epoch's batches so far */
    int has_validation;            /* on_epoch: there is a validation set, and these hold */
    double validation_loss, validation_metric;
    int best;                                    /* on_epoch: the best epoch so far */
    double lr, samples_per_second, seconds, eta; /* eta: seconds to go, < 0 unknown */
} bp_progress;
typedef struct bp_callbacks { /* any may be NULL; non-zero stops the training: it finishes as "interrupted", the files are written
                               */
    size_t size;
    void *user;
    int (*on_start)(const char *text, const char *run, void *user); /* what was decided, a line each; the run directory or NULL */
    int (*on_batch)(const bp_progress *progress, void *user);       /* at most ten times a second */
    int (*on_epoch)(const bp_progress *progress, void *user);
    int (*interrupted)(void *user); /* asked before every step: has a signal come? */
} bp_callbacks;
/* Trains. Owns *run, which is given also with BP_DIVERGED and BP_STOPPED (its record says so); on other failures it is NULL.
   BP_CONFIG is found before data is read. callbacks may be NULL. */
BP_API bp_status bp_train(bp_run **run, bp_config *cfg, const bp_callbacks *callbacks);
BP_API void bp_run_free(bp_run *run);
/* One batch through everything: decides as bp_train does, puts the first batch forward, backward and through the update of a
   network that is then thrown away, and writes nothing. text, json: the configuration, as bp_config_resolve gives it.
   BP_DIVERGED: the loss is not finite. */
typedef struct bp_trial {
    size_t size;                /* sizeof(bp_trial), set by the caller */
    int64_t rows;               /* of one step */
    double loss, gradient_norm; /* of the first step */
    int updated;                /* both were finite, so the update was made */
    double seconds;             /* of one step, the fastest of three */
    int64_t parameters;
    int64_t arena_bytes, state_bytes; /* of what a step computes; of weights, optimiser and buffers */
} bp_trial;
BP_API bp_status bp_train_try(bp_trial *out, bp_config *cfg, char **text, char **json);
/* A number of the record: "test.accuracy", "epochs", "parameters", "samples_per_second". BP_NOT_FOUND names the nearest. */
BP_API bp_status bp_run_number(const bp_run *run, const char *name, double *x);
BP_API bp_status bp_run_json(const bp_run *run, char **json); /* the whole record, as in record.json */
BP_API const char *bp_run_path(const bp_run *run);            /* borrowed; NULL: no files were written */
/* What the curves of a run that is over say: overfitting, nothing learnt; a sentence a line, "" where nothing is to be said.
   Borrowed. */
BP_API const char *bp_run_notes(const bp_run *run);
BP_API bp_model *bp_run_model(bp_run *run); /* borrows from the run */
/* Of the test set, else of the validation set: counts[true * n + predicted]; borrowed from the run. NULL: no classification. */
BP_API const int64_t *bp_run_confusion(const bp_run *run, int64_t *n_classes);
/* The rows of "train", "validation" or "test" of a classification: x [n, bp_model_inputs] as bp_model_predict takes them, and the
   numbers of their classes, label [n] (-1: a label not seen in training). Both are yours (bp_free). BP_NOT_FOUND: no such set;
   BP_UNSUPPORTED: no classification, or an input column is no number. */
BP_API bp_status bp_run_rows(bp_run *run, const char *set, float **x, int64_t **label, int64_t *n);

/* A trained model: weights and preprocessing. `path` is a model file or a run directory. */
BP_API bp_status bp_model_open(bp_model **out, bp_context *ctx, const char *path); /* owns; needs no data */
BP_API bp_status bp_model_save(const bp_model *model, const char *path);
BP_API void bp_model_free(bp_model *model);
BP_API int64_t bp_model_inputs(const bp_model *model);  /* numbers of one row of bp_model_predict */
BP_API int64_t bp_model_outputs(const bp_model *model); /* classes, or targets */
BP_API const char *bp_model_output_name(const bp_model *model,
                                        int64_t k);      /* class label or target; borrowed; NULL: out of range */
BP_API const char *bp_model_task(const bp_model *model); /* "classification", "regression" */
/* Rows in memory: x [rows, inputs] as in the data, before any preprocessing (a table's number columns, an array's elements);
   y [rows, outputs]: probabilities of the classes, or targets in their own unit. Both are f32, y is yours. BP_UNSUPPORTED where
   an input column is no number. */
BP_API bp_status bp_model_predict(bp_model *model, const float *x, int64_t rows, float *y);

typedef struct bp_data { /* a table, an array or builtin:NAME; start from {.size = sizeof(bp_data)} */
    size_t size;
    const char *path;   /* "-": standard input */
    const char *target; /* NULL: by the model's own name */
    const char *input;  /* member of an NPZ, or NULL */
    int no_header;
} bp_data;
/* The predictions of a file, as "csv", "jsonl" or "npy" bytes (NUL behind them). Missing and unseen values are counted through
   the context's log as warnings; `strict`: they are an error instead. Owns *out (bp_free). */
BP_API bp_status bp_model_predict_file(bp_model *model, const bp_data *data, const char *format, int strict, char **out,
                                       size_t *n);
/* The metrics that the model was trained with, on other data; the report's text also has a line per class (up to 20). json
   carries classes and confusion matrix either way. Both may be NULL. */
BP_API bp_status bp_model_evaluate(bp_model *model, const bp_data *data, char **text, char **json);
BP_API bp_status bp_model_report(bp_model *model, const bp_data *data, char **text, char **json);
/* Layers, shapes, parameters, FLOPs and the plan: of a run directory, a model file or a configuration file; of a configuration.
 */
BP_API bp_status bp_inspect(bp_context *ctx, const char *path, char **text, char **json);
BP_API bp_status bp_config_inspect(bp_config *cfg, char **text, char **json);
/* Analytic against numeric gradients of the configured model in double precision, per parameter. BP_CHECK when one disagrees
   (text and json are given then too). */
BP_API bp_status bp_config_gradcheck(bp_config *cfg, char **text, char **json);
/* The learning rate in use at tick 0 … n-1, into lr [n]; *per is "step" or "epoch". Where a length follows the run's and neither
   epochs nor steps are set, n is the length. Reads no data unless steps per epoch matter. */
BP_API bp_status bp_config_rates(bp_config *cfg, int64_t n, double *lr, const char **per);
/* How many ticks the run has; 0: the configuration does not say (epochs need the data to become steps: without data, too). */
BP_API bp_status bp_config_ticks(bp_config *cfg, int64_t *n);
/* The range test for a learning rate (Smith 2017; smoothing and suggestions are fastai's): trains the configured model from its
   start for `steps` steps while the rate grows from `first` to `last` by the same factor each step, until the smoothed loss is
   above four times its lowest. The configuration's schedule, length and early stopping do not count; nothing is kept or written.
 */
typedef struct bp_lr_range {
    size_t size;                /* sizeof(bp_lr_range), set by the caller */
    int64_t n;                  /* steps done */
    double *lr, *loss, *smooth; /* [n] */
    double valley;              /* half-way down the longest fall of the smoothed loss: a good rate. NaN: too few steps to say */
    double steepest;            /* where the smoothed loss falls fastest */
    double minimum;             /* a tenth of the rate with the lowest smoothed loss: an upper end */
    int exploded;               /* it ended before `last` */
} bp_lr_range;
/* Give it to bp_lr_range_free. Of the callbacks only `interrupted` is used: BP_STOPPED. BP_DIVERGED: the very first loss is not
 * finite. */
BP_API bp_status bp_lr_find(bp_lr_range *out, bp_config *cfg, double first, double last, int64_t steps,
                            const bp_callbacks *callbacks);
BP_API void bp_lr_range_free(bp_context *ctx, bp_lr_range *range);
/* The JSON Schema (draft 2020-12) of a configuration, made from the tables of layers, losses, optimisers, schedules,
 * initialisers. */
BP_API bp_status bp_config_schema(bp_context *ctx, char **json);
BP_API bp_status bp_data_describe(bp_context *ctx, const bp_data *data, char **text, char **json);

/* What there is, for help: kinds of "layer", "loss", "optimizer", "schedule", "metric", "initializer"; NULL after the last. help
 * may be NULL. */
BP_API const char *bp_kind(const char *what, int index, const char **help);
/* The operations of stage 3; NULL after the last. The others may be NULL. */
BP_API const char *bp_operation(int index, const char **formula, int *differentiable, int *n_samples);
BP_API const char *bp_operation_family(int index); /* "element-wise", "reductions", …; NULL after the last */
/* Other names, as isnan for is_nan: of `operation`; where `note` is not NULL, of a function that builds several. NULL after the
   last. */
BP_API const char *bp_operation_alias(int index, const char **operation, const char **note);
/* One of them in words: formula, inputs, attributes with their defaults, shapes, the gradient rule as the graph that it builds,
   an example in C. *text is yours (bp_free). BP_NOT_FOUND. */
BP_API bp_status bp_operation_describe(bp_context *ctx, const char *name, char **text);

/* ==== Stage 2: graphs ============================================================================================== */

/* A dimension is a number >= 0 or the negative name of an integer expression over symbols. BP_BATCH and BP_TIME are symbols
   of every graph; bp_symbol makes more. Sizes are given when a session runs, and differ from run to run. */
#define BP_MAX_DIMS 8
#define BP_INFER ((int64_t)-1) /* reshape: the one dimension that follows from the others */
#define BP_UNSET INT64_MIN     /* a whole number among options that is left out */
#define BP_BATCH ((int64_t)-2)
#define BP_TIME ((int64_t)-3)
typedef struct bp_dims {
    int64_t n;
    int64_t dim[BP_MAX_DIMS];
} bp_dims;
#ifdef __cplusplus
#define bp_shape(...) (bp_dims{__VA_ARGS__})
#else
#define BP__SHAPE_REST(n, ...) ((bp_dims){(n), {__VA_ARGS__}})
#define bp_shape(...) BP__SHAPE_REST(__VA_ARGS__, 0) /* bp_shape(2, BP_BATCH, 784); bp_shape(0): a scalar */
#endif

typedef struct bp_graph bp_graph;
/* One output of one node. Small, passed by value, valid as long as its graph. After an error every constructor returns a bad
   value and passes bad values on; the first sentence stays in the context, and compiling returns it. */
typedef struct bp_value {
    bp_graph *graph;
    int32_t node, output;
} bp_value;
#ifdef __cplusplus
#define BP_NONE (bp_value{nullptr, -1, 0})
#else
#define BP_NONE ((bp_value){NULL, -1, 0}) /* an optional input left out */
#endif

BP_API bp_status bp_graph_new(bp_graph **out, bp_context *ctx); /* owns */
BP_API void bp_graph_free(bp_graph *g);
BP_API bp_status bp_graph_status(const bp_graph *g); /* the sticky building error */
BP_API int64_t bp_symbol(bp_graph *g, const char *name);
BP_API bp_dims bp_value_dims(bp_value x);
BP_API bp_dtype bp_value_dtype(bp_value x);
BP_API int bp_is_bad(bp_value x);

/* How a variable starts. Make one with the functions below: formulas and names are those of torch.nn.init. Random ones draw from
   the seed and the variable's name alone. fan_in is the product of all sizes but the first, fan_out of all but the second. */
typedef enum bp_init_kind {
    BP_INIT_ZEROS,
    BP_INIT_CONSTANT,
    BP_INIT_UNIFORM,
    BP_INIT_NORMAL,
    BP_INIT_TRUNC_NORMAL,
    BP_INIT_SCALED,
    BP_INIT_EYE,
    BP_INIT_DIRAC,
    BP_INIT_ORTHOGONAL,
    BP_INIT_SPARSE
} bp_init_kind;
typedef enum bp_fan { BP_FAN_IN, BP_FAN_OUT, BP_FAN_AVG } bp_fan;
typedef enum bp_spread { BP_SPREAD_UNIFORM, BP_SPREAD_NORMAL, BP_SPREAD_TRUNC_NORMAL } bp_spread;
typedef struct bp_init {
    bp_init_kind kind;
    double a, b, c, d; /* the numbers of the functions below, in their order */
    bp_fan fan;
    bp_spread spread;
    int fit; /* 0; a configuration's initialiser that is finished with data has its number here */
} bp_init;
BP_API bp_init bp_zeros(void);
BP_API bp_init bp_filled(double value);
BP_API bp_init bp_uniform_init(double low, double high);
BP_API bp_init bp_normal_init(double mean, double deviation);
BP_API bp_init bp_trunc_normal_init(double mean, double deviation, double low, double high);
/* Mean 0, variance scale / fan; uniform: within sqrt(3 scale / fan); trunc_normal: cut at two deviations and widened so that the
   variance holds after the cut (Keras). At least two axes. */
BP_API bp_init bp_variance_scaling(double scale, bp_fan fan, bp_spread spread);
BP_API bp_init bp_kaiming_uniform(void); /* as torch.nn.Linear starts: within 1 / sqrt(fan_in) */
BP_API bp_init bp_kaiming_init(double gain, bp_fan fan, bp_spread spread); /* variance gain² / fan (He 2015) */
BP_API bp_init bp_xavier_init(double gain, bp_spread spread); /* variance 2 gain² / (fan_in + fan_out) (Glorot, Bengio 2010) */
BP_API bp_init bp_lecun_init(bp_spread spread);               /* variance 1 / fan_in (LeCun 1998) */
BP_API bp_init bp_eye_init(void);                             /* ones on the diagonal of a matrix */
/* Weights of a convolution [out, in / groups, …] that let the first channels of each group through as they are. */
BP_API bp_init bp_dirac_init(int64_t groups);
/* Orthonormal rows or columns, whichever are fewer, times gain (Saxe 2013); axes beyond the first count as one. */
BP_API bp_init bp_orthogonal_init(double gain);
/* A matrix of normals with the given deviation; in every column that part of the rows, rounded up, is 0 (Martens 2010). */
BP_API bp_init bp_sparse_init(double sparsity, double deviation);
/* torch's calculate_gain: linear, conv1d, conv2d, sigmoid 1; tanh 5/3; relu sqrt 2; leaky_relu sqrt(2 / (1 + slope²)); selu 3/4.
   Not a number for another name. */
BP_API double bp_init_gain(const char *nonlinearity, double slope);

/* Leaves. Names are unique within a graph and name the random stream of the initialiser ("NAME/init"). */
BP_API bp_value bp_input(bp_graph *g, const char *name, bp_dtype dtype, bp_dims dims);
BP_API bp_value bp_parameter(bp_graph *g, const char *name, bp_dims dims,
                             bp_init init); /* trainable, bp_graph_set_dtype's type */
BP_API bp_value bp_variable(bp_graph *g, const char *name, bp_dtype dtype, bp_dims dims, bp_init init);
BP_API bp_value bp_constant(bp_graph *g, bp_dtype dtype, bp_dims dims, const void *data); /* copies */
BP_API bp_value bp_number(bp_graph *g, bp_dtype dtype, double v);                         /* a scalar constant */
BP_API void bp_graph_set_dtype(bp_graph *g, bp_dtype dtype); /* of parameters made from now on: BP_F32 (default) or BP_F64 */
/* Mixed precision, as PyTorch's autocast: non-zero: products of F32 matrices (matmul, linear; not convolutions) round what they
   multiply to bfloat16 (8 bits of the fraction), to nearest; sums, results and variables stay F32. To be set before g is built.
   Fast where the processor has AVX512_BF16: bp_context_bfloat16 is non-zero. Elsewhere the same products of rounded numbers are
   made in F32 and take longer than those of unrounded ones. */
BP_API void bp_graph_set_bfloat16(bp_graph *g, int on);
BP_API int bp_context_bfloat16(const bp_context *ctx);
/* After a run that commits, `variable` holds `value`. All reads in a step see the old state. Once per variable. */
BP_API void bp_assign(bp_value variable, bp_value value);
/* The update of an optimiser as part of the graph: its state as variables "optimizer/NAME/…", and the assignments of params [n],
   which a commit then makes. `text` is as in a configuration or on the command line: "adam", "sgd lr=0.1 momentum=0.9",
   "{adam: {lr: 0.01}}" (docs/optimizers.md). grads[i] belongs to params[i]. lr: an f64 scalar, for a rate that is fed
   in; BP_NONE: the variable "optimizer/lr", which starts as the rate of the text. Once in a graph. BP_CONFIG for a text that is
   no optimiser; otherwise the graph's building status. */
BP_API bp_status bp_optimizer(bp_graph *g, const char *text, bp_value lr, const bp_value *params, const bp_value *grads, int n);

/* The chain rule: builds the gradient in the same graph. bp_gradient: of a scalar (or of the sum of a tensor) `y` for `x`; zeros
   where y does not depend on x. Any order. */
BP_API bp_value bp_gradient(bp_value y, bp_value x);
/* d[j] = Σ_i cotangents[i] · ∂values[i]/∂wrt[j]; one backward graph for all. cotangents NULL: ones. */
BP_API void bp_gradients(bp_value *d, const bp_value *values, const bp_value *cotangents, int n, const bp_value *wrt, int m);
/* Forward mode: d[i] = Σ_j ∂values[i]/∂wrt[j] · tangents[j], the derivative along the tangents, which have wrt's types and
 * shapes. */
BP_API void bp_jvp(bp_value *d, const bp_value *values, int n, const bp_value *wrt, const bp_value *tangents, int m);
/* d[j] = Σ_k ∂²y/∂wrt[j]∂wrt[k] · tangents[k]: the Hessian of y (or of the sum of a tensor) times a vector, without the Hessian.
 */
BP_API void bp_hvp(bp_value *d, bp_value y, const bp_value *wrt, const bp_value *tangents, int m);
/* y as it would be with to[i] in the place of from[i], which it depends on: the loss at other weights. The operations in between
   are built once more; random numbers (masks of dropout) are the same in both. Types and shapes of from[i] and to[i] are equal.
 */
BP_API bp_value bp_substitute(bp_value y, const bp_value *from, const bp_value *to, int n);
/* Sharpness-aware minimisation (Foret et al., 2021): grads[j], the gradients of the scalar `loss` for params[j], become those at
   the worst point within rho: params + rho·grads / |grads|; adaptive (Kwon et al., 2021): the step is scaled by params². Ready
   for bp_optimizer; a step costs two forward and two backward passes. */
BP_API void bp_sharpen(bp_value *grads, bp_value loss, const bp_value *params, int n, double rho, int adaptive);

/* A formula as text: "mean(w * huber(y - p, 0))". names [n] are what it may call values [n], which belong to g. Numbers,
   + - * / ^, comparisons, and, or, not, and every operation of stage 3 by its name: inputs and required attributes in order,
   others as key=value. docs/formulas.md has the grammar. On failure the bad value; the sentence says the column: BP_INVALID for
   what is no formula, BP_NOT_FOUND for a name that is unknown (and the nearest), otherwise what the operation there says. */
BP_API bp_value bp_parse(bp_graph *g, const char *text, const char *const *names, const bp_value *values, int n);

/* scan: runs a graph of its own once per turn, like a loop over time. The body is built once, by `body`, in its own graph: it may
   use the values it is given (what it needs from outside comes in as `captured`) and symbols by name, makes no variables and
   assigns nothing, and sets next_carry [n_carry], of the same types and shapes as carry, and out [n_stacked]. finals: the carried
   values after the last turn (the initial ones when there is no turn); stacked: every turn's out along the time axis. Random
   operations in a body draw other numbers in every turn. Differentiates to any order. */
typedef struct bp_scan_spec {
    size_t size;           /* sizeof(bp_scan_spec) */
    const bp_value *inits; /* carried values before the first turn */
    int n_carry;
    const bp_value *xs; /* per-turn inputs: the body sees one slice of each, without the time axis */
    int n_x;
    const bp_value *captured; /* the same in every turn */
    int n_captured;
    int n_stacked;
    int64_t axis; /* where time lies in xs and stacked: 1 [batch, time, …] or 0 [time, …]; numbers are always stacked along 0 */
    int64_t turns;    /* how many, a dimension; only when n_x is 0 */
    int reverse;      /* the last turn of the time axis runs first; stacked[t] still belongs to x[t] */
    bp_value lengths; /* BP_NONE, or i64 [batch]: from turn lengths[row] on, a row keeps its state and its outputs are 0 */
    void (*body)(bp_graph *body, const bp_value *carry, const bp_value *x, const bp_value *captured, bp_value *next_carry,
                 bp_value *out, void *user);
    void *user;
} bp_scan_spec;
BP_API void bp_scan(bp_value *finals, bp_value *stacked, const bp_scan_spec *spec);

/* custom: an operation written in C by the caller. `forward` computes its outputs from its inputs, always as it stands: no pass
   looks into it, though equal nodes (the same functions, user pointer and inputs) may be computed once. It has to be a function
   of its inputs alone. It runs in the thread that runs the session, with subnormal numbers counting as zero; sessions of
   different contexts may run in different threads at once, and then call it at once.
   The functions and `user` are borrowed: they must outlive the graph and its programs and sessions; `name` is copied.
   A function that fails sets `error` to one sentence (copied at once) and returns another status than BP_OK. The shape rule's
   becomes the graph's building error; forward's ends bp_session_run, which returns the status: nothing is committed. */
typedef struct bp_array { /* numbers in row-major order, borrowed for the call */
    void *data;           /* NULL while shapes are asked for */
    bp_dtype dtype;
    bp_dims dims; /* numbers in forward; in shape they may be symbols, which outputs may take over */
} bp_array;
typedef struct bp_custom_call {
    size_t size;
    const bp_array *in;
    bp_array *out; /* shape: fill dtype and dims; forward: fill the numbers at data */
    int n_in, n_out;
    void *user;
    const char *error;
} bp_custom_call;
typedef struct bp_custom_gradient { /* build graph: d_in[i], where wanted[i], from the others, by the operations of stage 3 */
    size_t size;
    bp_graph *graph;
    const bp_value *in, *out, *d_out; /* d_out: BP_NONE where nothing flows back */
    const int *wanted;
    bp_value *d_in; /* of the input's type, and its shape or one that was broadcast from it; BP_NONE, as it comes: zero */
    int n_in, n_out;
    void *user;
} bp_custom_gradient;
typedef struct bp_custom_spec {
    size_t size;      /* sizeof(bp_custom_spec) */
    const char *name; /* for messages and plans */
    int n_outputs;
    bp_status (*shape)(bp_custom_call *call); /* NULL: every output is as the first input */
    bp_status (*forward)(bp_custom_call *call);
    void (*gradient)(bp_custom_gradient *g); /* NULL: differentiating through it is an error */
    void *user;
} bp_custom_spec;
/* Output 0; output k is the same value with member output = k. At most 16 inputs and 16 outputs; at least one of each. */
BP_API bp_value bp_custom(const bp_value *in, int n_in, const bp_custom_spec *spec);

/* The state block: every variable of a graph, initialised from the context's seed. */
typedef struct bp_state bp_state;
BP_API bp_status bp_state_new(bp_state **out, bp_graph *g); /* owns; the graph may go on growing, new variables are not in it */
BP_API void bp_state_free(bp_state *state);
BP_API int bp_state_count(const bp_state *state);
BP_API const char *bp_state_name(const bp_state *state, int index);
/* Plain row-major copies in and out, whatever the inner layout. bytes must be the variable's size. */
BP_API bp_status bp_state_get(bp_state *state, const char *name, void *data, size_t bytes);
BP_API bp_status bp_state_set(bp_state *state, const char *name, const void *data, size_t bytes);
BP_API bp_status bp_state_describe(const bp_state *state, const char *name, bp_dtype *dtype, bp_dims *dims);

/* A program: the graph's entry points, compiled once for all sizes. */
typedef struct bp_program bp_program;
typedef struct bp_program_options {
    size_t size;
    int commit;                /* non-zero: the assignments of the graph are part of it */
    bp_value ok;               /* scalar; assignments happen only when it is non-zero. BP_NONE: always */
    const bp_value *variables; /* [n_variables] with commit: only these are assigned; NULL: all that the graph assigns */
    int n_variables;
    int plain; /* non-zero: operations stay as they were built, whatever the context says; slower */
} bp_program_options;
BP_API bp_status bp_program_new(bp_program **out, bp_graph *g, const bp_value *outputs, int n, const bp_program_options *options);
BP_API void bp_program_free(bp_program *program);
/* The plan for given sizes as text: kernels, shapes, FLOPs, bytes, arena. Owns *text (bp_free). */
typedef struct bp_session bp_session;
BP_API bp_status bp_session_new(bp_session **out, bp_program *program, bp_state *state); /* borrows both */
BP_API void bp_session_free(bp_session *session);
/* Data for an input: borrowed until the run is over; row-major; dims may be NULL where the declared ones are numbers. */
BP_API bp_status bp_session_set(bp_session *session, const char *input, const void *data, const bp_dims *dims);
BP_API void bp_session_set_step(bp_session *session, uint64_t seed, uint32_t step, int64_t first_row); /* keys random numbers */
BP_API bp_status bp_session_run(bp_session *session);
/* Output k after a run; borrowed until the next run. Row-major. dims, dtype may be NULL. */
BP_API bp_status bp_session_output(bp_session *session, int k, const void **data, bp_dtype *dtype, bp_dims *dims);
BP_API int bp_session_committed(const bp_session *session);             /* 0: `ok` was zero in the last run */
BP_API bp_status bp_session_describe(bp_session *session, char **text); /* the plan of the last run's sizes; owns (bp_free) */
BP_API size_t bp_session_arena_bytes(const bp_session *session);

/* Cuts x along an axis into n parts of the given sizes (numbers; the last may be BP_INFER: the rest), which lie one behind the
   other and fill the axis. bp_chunk: into at most `chunks` parts of equal size, the last may be smaller, as PyTorch's: parts has
   room for `chunks`, the number made is returned (0: failed; x's axis must be a number). */
BP_API void bp_split(bp_value *parts, bp_value x, const int64_t *sizes, int n, int64_t axis);
BP_API int bp_chunk(bp_value *parts, bp_value x, int chunks, int64_t axis);

/* ==== Stage 3: operations (generated from src/op/ops.def and src/kernel/elementwise.def by gen_ops) ================== */
/*@OPERATIONS@*/
/* clang-format off */
/* Options: start from bp_NAME_defaults() and change members; NULL means the defaults. Texts are copied. Values that are
   bad are passed on. Optional inputs are BP_NONE when left out. docs/operations.md describes every operation. */

/* stop_gradient: y = x, a constant for the chain rule */
BP_API bp_value bp_stop_gradient(bp_value x);

/* cast: y = (to)x */
BP_API bp_value bp_cast(bp_value x, bp_dtype to);

/* size: y = size of axis `axis` of x */
BP_API bp_value bp_size(bp_value x, int64_t axis);

/* fill: y[...] = x */
BP_API bp_value bp_fill(bp_value x, bp_dims shape);

/* reshape: y = x in another shape, row-major order kept */
BP_API bp_value bp_reshape(bp_value x, bp_dims shape);

/* permute: axis j of y is axis axes[j] of x */
BP_API bp_value bp_permute(bp_value x, bp_dims axes);

/* broadcast_to: y = x repeated along new axes and axes of size 1 */
BP_API bp_value bp_broadcast_to(bp_value x, bp_dims shape);

/* slice: y[i] = x[start + i * step] along `axis`, 0 <= i < length */
typedef struct bp_slice_options {
    size_t size;
    int64_t step; /* 1 */
} bp_slice_options;
BP_API bp_slice_options bp_slice_defaults(void);
BP_API bp_value bp_slice(bp_value x, int64_t axis, int64_t start, int64_t length, const bp_slice_options *options);

/* unslice: y[start + i * step] = x[i] along `axis`, 0 elsewhere */
typedef struct bp_unslice_options {
    size_t size;
    int64_t step; /* 1 */
} bp_unslice_options;
BP_API bp_unslice_options bp_unslice_defaults(void);
BP_API bp_value bp_unslice(bp_value x, int64_t axis, int64_t start, int64_t size, const bp_unslice_options *options);

/* concat: y = inputs one after the other along `axis` */
BP_API bp_value bp_concat(const bp_value *x, int n_x, int64_t axis);

/* masked_fill: y = mask ? value : x */
BP_API bp_value bp_masked_fill(bp_value x, bp_value mask, double value);

/* nan_to_num: y = x with `nan` for NaN, `posinf` for infinity and `neginf` for -infinity (left out: the largest finite numbers) */
typedef struct bp_nan_to_num_options {
    size_t size;
    double nan; /* 0.0 */
    double posinf; /* NaN: left out */
    double neginf; /* NaN: left out */
} bp_nan_to_num_options;
BP_API bp_nan_to_num_options bp_nan_to_num_defaults(void);
BP_API bp_value bp_nan_to_num(bp_value x, const bp_nan_to_num_options *options);

/* glu: a sigmoid(b), a and b the halves of x along `axis` */
typedef struct bp_glu_options {
    size_t size;
    int64_t axis; /* -1 */
} bp_glu_options;
BP_API bp_glu_options bp_glu_defaults(void);
BP_API bp_value bp_glu(bp_value x, const bp_glu_options *options);

/* swiglu: silu(a) b, a and b the halves of x along `axis` */
typedef struct bp_swiglu_options {
    size_t size;
    int64_t axis; /* -1 */
} bp_swiglu_options;
BP_API bp_swiglu_options bp_swiglu_defaults(void);
BP_API bp_value bp_swiglu(bp_value x, const bp_swiglu_options *options);

/* geglu: gelu(a) b, a and b the halves of x along `axis` */
typedef struct bp_geglu_options {
    size_t size;
    int64_t axis; /* -1 */
} bp_geglu_options;
BP_API bp_geglu_options bp_geglu_defaults(void);
BP_API bp_value bp_geglu(bp_value x, const bp_geglu_options *options);

/* transpose: y = x with axes `axis0` and `axis1` exchanged */
BP_API bp_value bp_transpose(bp_value x, int64_t axis0, int64_t axis1);

/* squeeze: y = x without those of `axes` that have size 1 */
typedef struct bp_squeeze_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
} bp_squeeze_options;
BP_API bp_squeeze_options bp_squeeze_defaults(void);
BP_API bp_value bp_squeeze(bp_value x, const bp_squeeze_options *options);

/* unsqueeze: y = x with a new axis `axis` of size 1 */
BP_API bp_value bp_unsqueeze(bp_value x, int64_t axis);

/* flatten: y = x with axes `start_axis` to `end_axis` joined */
typedef struct bp_flatten_options {
    size_t size;
    int64_t start_axis; /* 0 */
    int64_t end_axis; /* -1 */
} bp_flatten_options;
BP_API bp_flatten_options bp_flatten_defaults(void);
BP_API bp_value bp_flatten(bp_value x, const bp_flatten_options *options);

/* stack: y = inputs side by side along a new axis `axis` */
typedef struct bp_stack_options {
    size_t size;
    int64_t axis; /* 0 */
} bp_stack_options;
BP_API bp_stack_options bp_stack_defaults(void);
BP_API bp_value bp_stack(const bp_value *x, int n_x, const bp_stack_options *options);

/* pad: y = x with a border: constant, reflect, replicate or circular */
typedef struct bp_pad_options {
    size_t size;
    const char *mode; /* "constant" */
    double value; /* 0.0 */
} bp_pad_options;
BP_API bp_pad_options bp_pad_defaults(void);
BP_API bp_value bp_pad(bp_value x, bp_dims padding, const bp_pad_options *options);

/* flip: y = x in reverse order along `axes` */
BP_API bp_value bp_flip(bp_value x, bp_dims axes);

/* roll: y[(i + shift) mod n] = x[i] along each of `axes`, n its size, shift its number of `shifts`; no axes: all in order */
BP_API bp_value bp_roll(bp_value x, bp_dims shifts, bp_dims axes);

/* repeat: y = x put side by side repeats[i] times along axis i */
BP_API bp_value bp_repeat(bp_value x, bp_dims repeats);

/* tile: y = x put side by side; missing numbers of `repeats` are leading ones */
BP_API bp_value bp_tile(bp_value x, bp_dims repeats);

/* tril: y[i, j] = j - i <= diagonal ? x[i, j] : 0 */
typedef struct bp_tril_options {
    size_t size;
    int64_t diagonal; /* 0 */
} bp_tril_options;
BP_API bp_tril_options bp_tril_defaults(void);
BP_API bp_value bp_tril(bp_value x, const bp_tril_options *options);

/* triu: y[i, j] = j - i >= diagonal ? x[i, j] : 0 */
typedef struct bp_triu_options {
    size_t size;
    int64_t diagonal; /* 0 */
} bp_triu_options;
BP_API bp_triu_options bp_triu_defaults(void);
BP_API bp_value bp_triu(bp_value x, const bp_triu_options *options);

/* diag: a vector on diagonal `diagonal` of a square matrix, or that diagonal of a matrix */
typedef struct bp_diag_options {
    size_t size;
    int64_t diagonal; /* 0 */
} bp_diag_options;
BP_API bp_diag_options bp_diag_defaults(void);
BP_API bp_value bp_diag(bp_value x, const bp_diag_options *options);

/* arange: y[i] = start + i * step, 0 <= i < size */
BP_API bp_value bp_arange(bp_value start, bp_value step, int64_t size);

/* linspace: y[i] = start + i * (end - start) / (size - 1), 0 <= i < size */
BP_API bp_value bp_linspace(bp_value start, bp_value end, int64_t size);

/* unfold: y[b, (c, i, j), place] = x[b, c, pixel under element i, j of the kernel at place] */
typedef struct bp_unfold_options {
    size_t size;
    bp_dims dilation; /* 1 on every axis */
    bp_dims padding; /* 0 on every axis */
    bp_dims stride; /* 1 on every axis */
} bp_unfold_options;
BP_API bp_unfold_options bp_unfold_defaults(void);
BP_API bp_value bp_unfold(bp_value x, bp_dims kernel, const bp_unfold_options *options);

/* fold: y[b, c, pixel under element i, j of the kernel at place] += x[b, (c, i, j), place] */
typedef struct bp_fold_options {
    size_t size;
    bp_dims dilation; /* 1 on every axis */
    bp_dims padding; /* 0 on every axis */
    bp_dims stride; /* 1 on every axis */
} bp_fold_options;
BP_API bp_fold_options bp_fold_defaults(void);
BP_API bp_value bp_fold(bp_value x, bp_dims output_size, bp_dims kernel, const bp_fold_options *options);

/* matmul: y[i, j] = sum_k a[i, k] * b[k, j]; leading dimensions broadcast; vectors are a row, a column */
BP_API bp_value bp_matmul(bp_value a, bp_value b);

/* linear: y = x W^T + b, weight [out, in]; bias is optional */
BP_API bp_value bp_linear(bp_value x, bp_value weight, bp_value bias);

/* bilinear: y[o] = sum_ij x1[i] * weight[o, i, j] * x2[j] + bias[o]; bias is optional */
BP_API bp_value bp_bilinear(bp_value x1, bp_value x2, bp_value weight, bp_value bias);

/* dot: y = sum_i a[i] * b[i], of two vectors */
BP_API bp_value bp_dot(bp_value a, bp_value b);

/* outer: y[i, j] = a[i] * b[j], of two vectors */
BP_API bp_value bp_outer(bp_value a, bp_value b);

/* einsum: y[output's axes] = sum over all other axes of the product of the inputs */
BP_API bp_value bp_einsum(const bp_value *x, int n_x, const char *equation);

/* cholesky: l lower triangular with l l^T = (a + a^T) / 2; upper: l^T */
typedef struct bp_cholesky_options {
    size_t size;
    int upper; /* 0 */
} bp_cholesky_options;
BP_API bp_cholesky_options bp_cholesky_defaults(void);
BP_API bp_value bp_cholesky(bp_value a, const bp_cholesky_options *options);

/* triangular_solve: x with a x = b, a triangular; transpose: a^T x = b */
typedef struct bp_triangular_solve_options {
    size_t size;
    int transpose; /* 0 */
    int unitriangular; /* 0 */
} bp_triangular_solve_options;
BP_API bp_triangular_solve_options bp_triangular_solve_defaults(void);
BP_API bp_value bp_triangular_solve(bp_value a, bp_value b, int upper, const bp_triangular_solve_options *options);

/* solve: x with a x = b; b is a matrix, or one vector */
BP_API bp_value bp_solve(bp_value a, bp_value b);

/* inverse: y a = identity */
BP_API bp_value bp_inverse(bp_value a);

/* det: determinant of a */
BP_API bp_value bp_det(bp_value a);

/* slogdet: sign and log(|det(a)|). Also makes logabsdet: the same value with member output = 1 */
BP_API bp_value bp_slogdet(bp_value a);

/* logdet: log(det(a)); NaN where the determinant is negative */
BP_API bp_value bp_logdet(bp_value a);

/* eigh: w ascending, v with v diag(w) v^T = (a + a^T) / 2. Also makes v: the same value with member output = 1 */
BP_API bp_value bp_eigh(bp_value a);

/* qr: a = q r, q^T q = identity, r upper triangular; reduced. Also makes r: the same value with member output = 1 */
BP_API bp_value bp_qr(bp_value a);

/* conv2d: y[n, o] = bias[o] + sum over kernel and channels of weight[o] * x[n], zeros around x; bias is optional */
typedef struct bp_conv2d_options {
    size_t size;
    bp_dims stride; /* 1 on every axis */
    bp_dims padding; /* 0 on every axis */
    bp_dims dilation; /* 1 on every axis */
    int64_t groups; /* 1 */
} bp_conv2d_options;
BP_API bp_conv2d_options bp_conv2d_defaults(void);
BP_API bp_value bp_conv2d(bp_value x, bp_value weight, bp_value bias, const bp_conv2d_options *options);

/* conv2d_grad_input: the gradient of conv2d for x of height and width `size` */
typedef struct bp_conv2d_grad_input_options {
    size_t size;
    bp_dims stride; /* 1 on every axis */
    bp_dims padding; /* 0 on every axis */
    bp_dims dilation; /* 1 on every axis */
    int64_t groups; /* 1 */
} bp_conv2d_grad_input_options;
BP_API bp_conv2d_grad_input_options bp_conv2d_grad_input_defaults(void);
BP_API bp_value bp_conv2d_grad_input(bp_value d_y, bp_value weight, bp_dims size, const bp_conv2d_grad_input_options *options);

/* conv2d_grad_weight: the gradient of conv2d for a weight of height and width `size` */
typedef struct bp_conv2d_grad_weight_options {
    size_t size;
    bp_dims stride; /* 1 on every axis */
    bp_dims padding; /* 0 on every axis */
    bp_dims dilation; /* 1 on every axis */
    int64_t groups; /* 1 */
} bp_conv2d_grad_weight_options;
BP_API bp_conv2d_grad_weight_options bp_conv2d_grad_weight_defaults(void);
BP_API bp_value bp_conv2d_grad_weight(bp_value d_y, bp_value x, bp_dims size, const bp_conv2d_grad_weight_options *options);

/* conv1d: conv2d on the one axis of x [batch, channels, length]; bias is optional */
typedef struct bp_conv1d_options {
    size_t size;
    int64_t stride; /* 1 */
    int64_t padding; /* 0 */
    int64_t dilation; /* 1 */
    int64_t groups; /* 1 */
} bp_conv1d_options;
BP_API bp_conv1d_options bp_conv1d_defaults(void);
BP_API bp_value bp_conv1d(bp_value x, bp_value weight, bp_value bias, const bp_conv1d_options *options);

/* sum: y = sum of x over `axes` */
typedef struct bp_sum_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_sum_options;
BP_API bp_sum_options bp_sum_defaults(void);
BP_API bp_value bp_sum(bp_value x, const bp_sum_options *options);

/* mean: y = mean of x over `axes` */
typedef struct bp_mean_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_mean_options;
BP_API bp_mean_options bp_mean_defaults(void);
BP_API bp_value bp_mean(bp_value x, const bp_mean_options *options);

/* max: y = largest of x over `axes`; its gradient over one axis goes to the first */
typedef struct bp_max_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_max_options;
BP_API bp_max_options bp_max_defaults(void);
BP_API bp_value bp_max(bp_value x, const bp_max_options *options);

/* min: y = smallest of x over `axes`; its gradient over one axis goes to the first */
typedef struct bp_min_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_min_options;
BP_API bp_min_options bp_min_defaults(void);
BP_API bp_value bp_min(bp_value x, const bp_min_options *options);

/* amax: y = largest of x over `axes`; its gradient is shared among equal ones */
typedef struct bp_amax_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_amax_options;
BP_API bp_amax_options bp_amax_defaults(void);
BP_API bp_value bp_amax(bp_value x, const bp_amax_options *options);

/* amin: y = smallest of x over `axes`; its gradient is shared among equal ones */
typedef struct bp_amin_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_amin_options;
BP_API bp_amin_options bp_amin_defaults(void);
BP_API bp_value bp_amin(bp_value x, const bp_amin_options *options);

/* prod: y = product of x over `axes` */
typedef struct bp_prod_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_prod_options;
BP_API bp_prod_options bp_prod_defaults(void);
BP_API bp_value bp_prod(bp_value x, const bp_prod_options *options);

/* var: y = sum((x - mean)^2) / max(0, n - correction) over `axes` */
typedef struct bp_var_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
    double correction; /* 1.0 */
} bp_var_options;
BP_API bp_var_options bp_var_defaults(void);
BP_API bp_value bp_var(bp_value x, const bp_var_options *options);

/* std: y = sqrt(sum((x - mean)^2) / max(0, n - correction)) over `axes` */
typedef struct bp_std_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
    double correction; /* 1.0 */
} bp_std_options;
BP_API bp_std_options bp_std_defaults(void);
BP_API bp_value bp_std(bp_value x, const bp_std_options *options);

/* norm: y = sum(|x|^p)^(1/p) over `axes` */
typedef struct bp_norm_options {
    size_t size;
    double p; /* 2.0 */
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_norm_options;
BP_API bp_norm_options bp_norm_defaults(void);
BP_API bp_value bp_norm(bp_value x, const bp_norm_options *options);

/* all: y = no element over `axes` is 0 */
typedef struct bp_all_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_all_options;
BP_API bp_all_options bp_all_defaults(void);
BP_API bp_value bp_all(bp_value x, const bp_all_options *options);

/* any: y = an element over `axes` is not 0 */
typedef struct bp_any_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_any_options;
BP_API bp_any_options bp_any_defaults(void);
BP_API bp_value bp_any(bp_value x, const bp_any_options *options);

/* median: y = middle of sorted(x) over `axes`, the lower of two */
typedef struct bp_median_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_median_options;
BP_API bp_median_options bp_median_defaults(void);
BP_API bp_value bp_median(bp_value x, const bp_median_options *options);

/* quantile: y = sorted(x)[q * (n - 1)] over `axes`, interpolated */
typedef struct bp_quantile_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
    const char *interpolation; /* "linear" */
} bp_quantile_options;
BP_API bp_quantile_options bp_quantile_defaults(void);
BP_API bp_value bp_quantile(bp_value x, double q, const bp_quantile_options *options);

/* argmax: y = first index of the largest element along `axis`; no axis: of all, counted in order */
typedef struct bp_argmax_options {
    size_t size;
    int64_t axis; /* BP_UNSET */
    int keepdim; /* 0 */
} bp_argmax_options;
BP_API bp_argmax_options bp_argmax_defaults(void);
BP_API bp_value bp_argmax(bp_value x, const bp_argmax_options *options);

/* argmin: y = first index of the smallest element along `axis`; no axis: of all, counted in order */
typedef struct bp_argmin_options {
    size_t size;
    int64_t axis; /* BP_UNSET */
    int keepdim; /* 0 */
} bp_argmin_options;
BP_API bp_argmin_options bp_argmin_defaults(void);
BP_API bp_value bp_argmin(bp_value x, const bp_argmin_options *options);

/* logsumexp: y = log(sum(exp(x))) over `axes` */
typedef struct bp_logsumexp_options {
    size_t size;
    bp_dims axes; /* n = -1: all */
    int keepdim; /* 0 */
} bp_logsumexp_options;
BP_API bp_logsumexp_options bp_logsumexp_defaults(void);
BP_API bp_value bp_logsumexp(bp_value x, const bp_logsumexp_options *options);

/* softmax: y = exp(x) / sum(exp(x)) along `axis` */
BP_API bp_value bp_softmax(bp_value x, int64_t axis);

/* log_softmax: y = x - log(sum(exp(x))) along `axis` */
BP_API bp_value bp_log_softmax(bp_value x, int64_t axis);

/* softmin: y = exp(-x) / sum(exp(-x)) along `axis` */
BP_API bp_value bp_softmin(bp_value x, int64_t axis);

/* sparsemax: y = max(x - tau, 0) with sum(y) = 1 along `axis` */
typedef struct bp_sparsemax_options {
    size_t size;
    int64_t axis; /* -1 */
} bp_sparsemax_options;
BP_API bp_sparsemax_options bp_sparsemax_defaults(void);
BP_API bp_value bp_sparsemax(bp_value x, const bp_sparsemax_options *options);

/* entmax15: y = max(x / 2 - tau, 0)^2 with sum(y) = 1 along `axis` */
typedef struct bp_entmax15_options {
    size_t size;
    int64_t axis; /* -1 */
} bp_entmax15_options;
BP_API bp_entmax15_options bp_entmax15_defaults(void);
BP_API bp_value bp_entmax15(bp_value x, const bp_entmax15_options *options);

/* cumsum: y[i] = x[0] + ... + x[i] along `axis` */
BP_API bp_value bp_cumsum(bp_value x, int64_t axis);

/* cumprod: y[i] = x[0] * ... * x[i] along `axis` */
BP_API bp_value bp_cumprod(bp_value x, int64_t axis);

/* cummax: values, indices = the largest of x[0] ... x[i] along `axis`. Also makes indices: the same value with member output = 1 */
BP_API bp_value bp_cummax(bp_value x, int64_t axis);

/* cummin: values, indices = the smallest of x[0] ... x[i] along `axis`. Also makes indices: the same value with member output = 1 */
BP_API bp_value bp_cummin(bp_value x, int64_t axis);

/* linear_recurrence: y[0] = b[0], y[i] = a[i] * y[i-1] + b[i] along `axis` */
BP_API bp_value bp_linear_recurrence(bp_value a, bp_value b, int64_t axis);

/* sort: values, indices = x in ascending (descending) order along `axis`, stable. Also makes indices: the same value with member output = 1 */
typedef struct bp_sort_options {
    size_t size;
    int64_t axis; /* -1 */
    int descending; /* 0 */
} bp_sort_options;
BP_API bp_sort_options bp_sort_defaults(void);
BP_API bp_value bp_sort(bp_value x, const bp_sort_options *options);

/* argsort: indices that put x in ascending (descending) order along `axis`, stable */
typedef struct bp_argsort_options {
    size_t size;
    int64_t axis; /* -1 */
    int descending; /* 0 */
} bp_argsort_options;
BP_API bp_argsort_options bp_argsort_defaults(void);
BP_API bp_value bp_argsort(bp_value x, const bp_argsort_options *options);

/* topk: values, indices = the k largest (smallest) along `axis`. Also makes indices: the same value with member output = 1 */
typedef struct bp_topk_options {
    size_t size;
    int largest; /* 1 */
    int64_t axis; /* -1 */
} bp_topk_options;
BP_API bp_topk_options bp_topk_defaults(void);
BP_API bp_value bp_topk(bp_value x, int64_t k, const bp_topk_options *options);

/* gather: y[..., j, ...] = x[..., index[..., j, ...], ...] along `axis` */
BP_API bp_value bp_gather(bp_value x, bp_value index, int64_t axis);

/* scatter_add: y[..., index[..., j, ...], ...] += x[..., j, ...] along `axis` */
BP_API bp_value bp_scatter_add(bp_value x, bp_value index, int64_t axis, int64_t size);

/* take_along: y[..., j, ...] = x[..., index[..., j, ...], ...], broadcast outside `axis` */
BP_API bp_value bp_take_along(bp_value x, bp_value index, int64_t axis);

/* index_select: y[..., j, ...] = x[..., index[j], ...] along `axis` */
BP_API bp_value bp_index_select(bp_value x, bp_value index, int64_t axis);

/* index_add: y = x; y[..., index[j], ...] += alpha * source[..., j, ...] along `axis` */
typedef struct bp_index_add_options {
    size_t size;
    double alpha; /* 1.0 */
} bp_index_add_options;
BP_API bp_index_add_options bp_index_add_defaults(void);
BP_API bp_value bp_index_add(bp_value x, bp_value index, bp_value source, int64_t axis, const bp_index_add_options *options);

/* embedding: y[i, :] = weight[index[i], :] */
typedef struct bp_embedding_options {
    size_t size;
    int64_t padding_idx; /* BP_UNSET */
} bp_embedding_options;
BP_API bp_embedding_options bp_embedding_defaults(void);
BP_API bp_value bp_embedding(bp_value weight, bp_value index, const bp_embedding_options *options);

/* embedding_grad: d_weight[index[i], :] += d_y[i, :] */
BP_API bp_value bp_embedding_grad(bp_value d_y, bp_value index, int64_t rows);

/* one_hot: y[i, c] = (c == index[i]) */
typedef struct bp_one_hot_options {
    size_t size;
    bp_dtype to; /* F32 */
} bp_one_hot_options;
BP_API bp_one_hot_options bp_one_hot_defaults(void);
BP_API bp_value bp_one_hot(bp_value index, int64_t classes, const bp_one_hot_options *options);

/* random_uniform: y = uniform in [0, 1), of x's shape */
BP_API bp_value bp_random_uniform(bp_value x, const char *stream);

/* random_normal: y = standard normal, of x's shape */
BP_API bp_value bp_random_normal(bp_value x, const char *stream);

/* random_permutation: y = each row of the last axis a permutation of 0 ... n-1, of x's shape */
BP_API bp_value bp_random_permutation(bp_value x, const char *stream);

/* bernoulli: y = u < p, u uniform in [0, 1) */
BP_API bp_value bp_bernoulli(bp_value p, const char *stream);

/* multinomial: index = n draws of places of the last axis, with weights p */
typedef struct bp_multinomial_options {
    size_t size;
    int replacement; /* 0 */
} bp_multinomial_options;
BP_API bp_multinomial_options bp_multinomial_defaults(void);
BP_API bp_value bp_multinomial(bp_value p, int64_t n, const char *stream, const bp_multinomial_options *options);

/* gumbel_softmax: y = softmax((x + gumbel noise) / tau) along `axis` */
typedef struct bp_gumbel_softmax_options {
    size_t size;
    double tau; /* 1.0 */
    int hard; /* 0 */
    int64_t axis; /* -1 */
} bp_gumbel_softmax_options;
BP_API bp_gumbel_softmax_options bp_gumbel_softmax_defaults(void);
BP_API bp_value bp_gumbel_softmax(bp_value x, const char *stream, const bp_gumbel_softmax_options *options);

/* dropout: y = u >= p ? x / (1 - p) : 0, u uniform in [0, 1) */
BP_API bp_value bp_dropout(bp_value x, bp_value p, const char *stream);

/* rrelu: y = x > 0 ? x : r x, r uniform in [lower, upper) */
typedef struct bp_rrelu_options {
    size_t size;
    double lower; /* 0.125 */
    double upper; /* 0.3333333333333333 */
} bp_rrelu_options;
BP_API bp_rrelu_options bp_rrelu_defaults(void);
BP_API bp_value bp_rrelu(bp_value x, const char *stream, const bp_rrelu_options *options);

/* dropout1d: dropout of whole channels of x [batch, channels, length] */
BP_API bp_value bp_dropout1d(bp_value x, bp_value p, const char *stream);

/* dropout2d: dropout of whole channels of x [batch, channels, height, width] */
BP_API bp_value bp_dropout2d(bp_value x, bp_value p, const char *stream);

/* dropout3d: dropout of whole channels of x [batch, channels, depth, height, width] */
BP_API bp_value bp_dropout3d(bp_value x, bp_value p, const char *stream);

/* alpha_dropout: y = a * (u >= p ? x : -1.758) + b, mean and variance kept */
BP_API bp_value bp_alpha_dropout(bp_value x, bp_value p, const char *stream);

/* feature_alpha_dropout: alpha_dropout of whole channels of x [batch, channels, ...] */
BP_API bp_value bp_feature_alpha_dropout(bp_value x, bp_value p, const char *stream);

/* mse: (x - target)^2, reduced */
typedef struct bp_mse_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_mse_options;
BP_API bp_mse_options bp_mse_defaults(void);
BP_API bp_value bp_mse(bp_value x, bp_value target, const bp_mse_options *options);

/* l1: |x - target|, reduced */
typedef struct bp_l1_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_l1_options;
BP_API bp_l1_options bp_l1_defaults(void);
BP_API bp_value bp_l1(bp_value x, bp_value target, const bp_l1_options *options);

/* huber: d = x - target; |d| < delta ? d^2 / 2 : delta (|d| - delta / 2), reduced */
typedef struct bp_huber_options {
    size_t size;
    const char *reduction; /* "mean" */
    double delta; /* 1.0 */
} bp_huber_options;
BP_API bp_huber_options bp_huber_defaults(void);
BP_API bp_value bp_huber(bp_value x, bp_value target, const bp_huber_options *options);

/* smooth_l1: d = x - target; |d| < beta ? d^2 / (2 beta) : |d| - beta / 2, reduced */
typedef struct bp_smooth_l1_options {
    size_t size;
    const char *reduction; /* "mean" */
    double beta; /* 1.0 */
} bp_smooth_l1_options;
BP_API bp_smooth_l1_options bp_smooth_l1_defaults(void);
BP_API bp_value bp_smooth_l1(bp_value x, bp_value target, const bp_smooth_l1_options *options);

/* log_cosh: log(cosh(x - target)), reduced */
typedef struct bp_log_cosh_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_log_cosh_options;
BP_API bp_log_cosh_options bp_log_cosh_defaults(void);
BP_API bp_value bp_log_cosh(bp_value x, bp_value target, const bp_log_cosh_options *options);

/* quantile_loss: e = target - x; e >= 0 ? q e : (q - 1) e, reduced */
typedef struct bp_quantile_loss_options {
    size_t size;
    const char *reduction; /* "mean" */
    double q; /* 0.5 */
} bp_quantile_loss_options;
BP_API bp_quantile_loss_options bp_quantile_loss_defaults(void);
BP_API bp_value bp_quantile_loss(bp_value x, bp_value target, const bp_quantile_loss_options *options);

/* expectile: e = target - x; (e >= 0 ? tau : 1 - tau) e^2, reduced */
typedef struct bp_expectile_options {
    size_t size;
    const char *reduction; /* "mean" */
    double tau; /* 0.5 */
} bp_expectile_options;
BP_API bp_expectile_options bp_expectile_defaults(void);
BP_API bp_value bp_expectile(bp_value x, bp_value target, const bp_expectile_options *options);

/* mape: 100 |target - x| / max(|target|, eps), reduced */
typedef struct bp_mape_options {
    size_t size;
    const char *reduction; /* "mean" */
    double eps; /* 1e-7 */
} bp_mape_options;
BP_API bp_mape_options bp_mape_defaults(void);
BP_API bp_value bp_mape(bp_value x, bp_value target, const bp_mape_options *options);

/* msle: (log(1 + max(x, eps)) - log(1 + max(target, eps)))^2, reduced */
typedef struct bp_msle_options {
    size_t size;
    const char *reduction; /* "mean" */
    double eps; /* 1e-7 */
} bp_msle_options;
BP_API bp_msle_options bp_msle_defaults(void);
BP_API bp_value bp_msle(bp_value x, bp_value target, const bp_msle_options *options);

/* poisson_nll: log_input ? e^x - target x : x - target log(x + eps), with `full` plus log(target!) by Stirling, reduced */
typedef struct bp_poisson_nll_options {
    size_t size;
    const char *reduction; /* "mean" */
    int log_input; /* 1 */
    int full; /* 0 */
    double eps; /* 1e-8 */
} bp_poisson_nll_options;
BP_API bp_poisson_nll_options bp_poisson_nll_defaults(void);
BP_API bp_value bp_poisson_nll(bp_value x, bp_value target, const bp_poisson_nll_options *options);

/* gaussian_nll: v = max(var, eps); (log(v) + (x - target)^2 / v) / 2, with `full` plus log(2 pi) / 2, reduced */
typedef struct bp_gaussian_nll_options {
    size_t size;
    const char *reduction; /* "mean" */
    int full; /* 0 */
    double eps; /* 1e-6 */
} bp_gaussian_nll_options;
BP_API bp_gaussian_nll_options bp_gaussian_nll_defaults(void);
BP_API bp_value bp_gaussian_nll(bp_value x, bp_value target, bp_value var, const bp_gaussian_nll_options *options);

/* cross_entropy: -weight[t] log(softmax(x)[t]) of labels t, or -sum of weight q log(softmax(x)) of probabilities q; reduced; weight is optional */
typedef struct bp_cross_entropy_options {
    size_t size;
    const char *reduction; /* "mean" */
    int64_t ignore_index; /* -100 */
    double label_smoothing; /* 0.0 */
} bp_cross_entropy_options;
BP_API bp_cross_entropy_options bp_cross_entropy_defaults(void);
BP_API bp_value bp_cross_entropy(bp_value x, bp_value target, bp_value weight, const bp_cross_entropy_options *options);

/* nll: -weight[t] x[t] of labels t, x = log of probabilities; reduced; weight is optional */
typedef struct bp_nll_options {
    size_t size;
    const char *reduction; /* "mean" */
    int64_t ignore_index; /* -100 */
} bp_nll_options;
BP_API bp_nll_options bp_nll_defaults(void);
BP_API bp_value bp_nll(bp_value x, bp_value target, bp_value weight, const bp_nll_options *options);

/* softmax_cross_entropy: y[n] = -log_softmax(x[n])[label[n]] */
BP_API bp_value bp_softmax_cross_entropy(bp_value x, bp_value label);

/* softmax_cross_entropy_grad: d_x[n, c] = d_y[n] (softmax(x[n])[c] - (c == label[n])) */
BP_API bp_value bp_softmax_cross_entropy_grad(bp_value x, bp_value label, bp_value d_y);

/* bce: -weight (target log(x) + (1 - target) log(1 - x)), logarithms at least -100, reduced; weight is optional */
typedef struct bp_bce_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_bce_options;
BP_API bp_bce_options bp_bce_defaults(void);
BP_API bp_value bp_bce(bp_value x, bp_value target, bp_value weight, const bp_bce_options *options);

/* bce_with_logits: weight ((1 - t) x - (1 + (pos_weight - 1) t) log(sigmoid(x))), reduced; weight is optional; pos_weight is optional */
typedef struct bp_bce_with_logits_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_bce_with_logits_options;
BP_API bp_bce_with_logits_options bp_bce_with_logits_defaults(void);
BP_API bp_value bp_bce_with_logits(bp_value x, bp_value target, bp_value weight, bp_value pos_weight, const bp_bce_with_logits_options *options);

/* kl_div: target (log(target) - x), with `log_target` e^target (target - x); reduced, "batchmean" too */
typedef struct bp_kl_div_options {
    size_t size;
    const char *reduction; /* "mean" */
    int log_target; /* 0 */
} bp_kl_div_options;
BP_API bp_kl_div_options bp_kl_div_defaults(void);
BP_API bp_value bp_kl_div(bp_value x, bp_value target, const bp_kl_div_options *options);

/* focal: -alpha_t (1 - p_t)^gamma log(p_t), p_t the probability of the truth: by sigmoid(x) for targets of x's shape, by softmax(x) for labels; alpha < 0: none; reduced */
typedef struct bp_focal_options {
    size_t size;
    const char *reduction; /* "mean" */
    double alpha; /* 0.25 */
    double gamma; /* 2.0 */
} bp_focal_options;
BP_API bp_focal_options bp_focal_defaults(void);
BP_API bp_value bp_focal(bp_value x, bp_value target, const bp_focal_options *options);

/* dice: 1 - 2 sum(x target) / (sum(x) + sum(target) + eps) over `axes`, reduced */
typedef struct bp_dice_options {
    size_t size;
    const char *reduction; /* "mean" */
    bp_dims axes; /* n = -1: all */
    double eps; /* 1e-7 */
} bp_dice_options;
BP_API bp_dice_options bp_dice_defaults(void);
BP_API bp_value bp_dice(bp_value x, bp_value target, const bp_dice_options *options);

/* tversky: 1 - s / (s + alpha sum(x (1 - target)) + beta sum((1 - x) target) + eps), s = sum(x target) over `axes`, reduced */
typedef struct bp_tversky_options {
    size_t size;
    const char *reduction; /* "mean" */
    bp_dims axes; /* n = -1: all */
    double alpha; /* 0.5 */
    double beta; /* 0.5 */
    double eps; /* 1e-7 */
} bp_tversky_options;
BP_API bp_tversky_options bp_tversky_defaults(void);
BP_API bp_value bp_tversky(bp_value x, bp_value target, const bp_tversky_options *options);

/* corn: sum over k <= target of -log(sigmoid(x[k])) if k < target, else -log(sigmoid(-x[k])), reduced */
typedef struct bp_corn_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_corn_options;
BP_API bp_corn_options bp_corn_defaults(void);
BP_API bp_value bp_corn(bp_value x, bp_value target, const bp_corn_options *options);

/* hinge: max(1 - target x, 0), reduced */
typedef struct bp_hinge_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_hinge_options;
BP_API bp_hinge_options bp_hinge_defaults(void);
BP_API bp_value bp_hinge(bp_value x, bp_value target, const bp_hinge_options *options);

/* squared_hinge: max(1 - target x, 0)^2, reduced */
typedef struct bp_squared_hinge_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_squared_hinge_options;
BP_API bp_squared_hinge_options bp_squared_hinge_defaults(void);
BP_API bp_value bp_squared_hinge(bp_value x, bp_value target, const bp_squared_hinge_options *options);

/* soft_margin: log(1 + e^(-target x)), reduced */
typedef struct bp_soft_margin_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_soft_margin_options;
BP_API bp_soft_margin_options bp_soft_margin_defaults(void);
BP_API bp_value bp_soft_margin(bp_value x, bp_value target, const bp_soft_margin_options *options);

/* hinge_embedding: target 1: x; target -1: max(margin - x, 0); reduced */
typedef struct bp_hinge_embedding_options {
    size_t size;
    const char *reduction; /* "mean" */
    double margin; /* 1.0 */
} bp_hinge_embedding_options;
BP_API bp_hinge_embedding_options bp_hinge_embedding_defaults(void);
BP_API bp_value bp_hinge_embedding(bp_value x, bp_value target, const bp_hinge_embedding_options *options);

/* margin_ranking: max(margin - target (x1 - x2), 0), reduced */
typedef struct bp_margin_ranking_options {
    size_t size;
    const char *reduction; /* "mean" */
    double margin; /* 0.0 */
} bp_margin_ranking_options;
BP_API bp_margin_ranking_options bp_margin_ranking_defaults(void);
BP_API bp_value bp_margin_ranking(bp_value x1, bp_value x2, bp_value target, const bp_margin_ranking_options *options);

/* multi_margin: weight[t] sum over i != t of max(margin - x[t] + x[i], 0)^p / classes, reduced; weight is optional */
typedef struct bp_multi_margin_options {
    size_t size;
    const char *reduction; /* "mean" */
    int64_t p; /* 1 */
    double margin; /* 1.0 */
} bp_multi_margin_options;
BP_API bp_multi_margin_options bp_multi_margin_defaults(void);
BP_API bp_value bp_multi_margin(bp_value x, bp_value target, bp_value weight, const bp_multi_margin_options *options);

/* multilabel_margin: sum over targets j and other classes i of max(1 - x[j] + x[i], 0) / classes; a row's targets end at -1; reduced */
typedef struct bp_multilabel_margin_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_multilabel_margin_options;
BP_API bp_multilabel_margin_options bp_multilabel_margin_defaults(void);
BP_API bp_value bp_multilabel_margin(bp_value x, bp_value target, const bp_multilabel_margin_options *options);

/* multilabel_soft_margin: mean over classes of -weight (t log(sigmoid(x)) + (1 - t) log(sigmoid(-x))), reduced; weight is optional */
typedef struct bp_multilabel_soft_margin_options {
    size_t size;
    const char *reduction; /* "mean" */
} bp_multilabel_soft_margin_options;
BP_API bp_multilabel_soft_margin_options bp_multilabel_soft_margin_defaults(void);
BP_API bp_value bp_multilabel_soft_margin(bp_value x, bp_value target, bp_value weight, const bp_multilabel_soft_margin_options *options);

/* cosine_embedding: c = cosine of x1 and x2; target 1: 1 - c; target -1: max(c - margin, 0); reduced */
typedef struct bp_cosine_embedding_options {
    size_t size;
    const char *reduction; /* "mean" */
    double margin; /* 0.0 */
} bp_cosine_embedding_options;
BP_API bp_cosine_embedding_options bp_cosine_embedding_defaults(void);
BP_API bp_value bp_cosine_embedding(bp_value x1, bp_value x2, bp_value target, const bp_cosine_embedding_options *options);

/* triplet_margin: max(|anchor - positive + eps|_p - |anchor - negative + eps|_p + margin, 0); `swap`: the nearer of anchor and positive counts; reduced */
typedef struct bp_triplet_margin_options {
    size_t size;
    const char *reduction; /* "mean" */
    double margin; /* 1.0 */
    double p; /* 2.0 */
    double eps; /* 1e-6 */
    int swap; /* 0 */
} bp_triplet_margin_options;
BP_API bp_triplet_margin_options bp_triplet_margin_defaults(void);
BP_API bp_value bp_triplet_margin(bp_value anchor, bp_value positive, bp_value negative, const bp_triplet_margin_options *options);

/* nt_xent: cross entropy of cosine similarities / temperature: each of the 2 n vectors has to find its partner; reduced */
typedef struct bp_nt_xent_options {
    size_t size;
    const char *reduction; /* "mean" */
    double temperature; /* 0.5 */
} bp_nt_xent_options;
BP_API bp_nt_xent_options bp_nt_xent_defaults(void);
BP_API bp_value bp_nt_xent(bp_value x1, bp_value x2, const bp_nt_xent_options *options);

/* add: a + b */
BP_API bp_value bp_add(bp_value a, bp_value b);

/* sub: a - b */
BP_API bp_value bp_sub(bp_value a, bp_value b);

/* mul: a * b */
BP_API bp_value bp_mul(bp_value a, bp_value b);

/* div: a / b */
BP_API bp_value bp_div(bp_value a, bp_value b);

/* pow: a to the power b */
BP_API bp_value bp_pow(bp_value a, bp_value b);

/* atan2: the angle of the point (b, a) */
BP_API bp_value bp_atan2(bp_value a, bp_value b);

/* hypot: sqrt(a^2 + b^2) */
BP_API bp_value bp_hypot(bp_value a, bp_value b);

/* fmod: a - trunc(a / b) * b */
BP_API bp_value bp_fmod(bp_value a, bp_value b);

/* remainder: a - floor(a / b) * b */
BP_API bp_value bp_remainder(bp_value a, bp_value b);

/* minimum: min(a, b) */
BP_API bp_value bp_minimum(bp_value a, bp_value b);

/* maximum: max(a, b) */
BP_API bp_value bp_maximum(bp_value a, bp_value b);

/* fma: a * b + c, rounded once */
BP_API bp_value bp_fma(bp_value a, bp_value b, bp_value c);

/* lerp: a + c * (b - a) */
BP_API bp_value bp_lerp(bp_value a, bp_value b, bp_value c);

/* addcmul: a + value * b * c */
typedef struct bp_addcmul_options {
    size_t size;
    double value; /* 1 */
} bp_addcmul_options;
BP_API bp_addcmul_options bp_addcmul_defaults(void);
BP_API bp_value bp_addcmul(bp_value a, bp_value b, bp_value c, const bp_addcmul_options *options);

/* addcdiv: a + value * b / c */
typedef struct bp_addcdiv_options {
    size_t size;
    double value; /* 1 */
} bp_addcdiv_options;
BP_API bp_addcdiv_options bp_addcdiv_defaults(void);
BP_API bp_value bp_addcdiv(bp_value a, bp_value b, bp_value c, const bp_addcdiv_options *options);

/* neg: -a */
BP_API bp_value bp_neg(bp_value a);

/* abs: |a| */
BP_API bp_value bp_abs(bp_value a);

/* square: a^2 */
BP_API bp_value bp_square(bp_value a);

/* reciprocal: 1 / a */
BP_API bp_value bp_reciprocal(bp_value a);

/* sqrt: sqrt(a) */
BP_API bp_value bp_sqrt(bp_value a);

/* rsqrt: 1 / sqrt(a) */
BP_API bp_value bp_rsqrt(bp_value a);

/* eq: a == b */
BP_API bp_value bp_eq(bp_value a, bp_value b);

/* ne: a != b */
BP_API bp_value bp_ne(bp_value a, bp_value b);

/* lt: a < b */
BP_API bp_value bp_lt(bp_value a, bp_value b);

/* le: a <= b */
BP_API bp_value bp_le(bp_value a, bp_value b);

/* gt: a > b */
BP_API bp_value bp_gt(bp_value a, bp_value b);

/* ge: a >= b */
BP_API bp_value bp_ge(bp_value a, bp_value b);

/* logical_and: a and b */
BP_API bp_value bp_logical_and(bp_value a, bp_value b);

/* logical_or: a or b */
BP_API bp_value bp_logical_or(bp_value a, bp_value b);

/* logical_xor: either a or b */
BP_API bp_value bp_logical_xor(bp_value a, bp_value b);

/* logical_not: not a */
BP_API bp_value bp_logical_not(bp_value a);

/* is_nan: a is NaN */
BP_API bp_value bp_is_nan(bp_value a);

/* is_finite: a is finite */
BP_API bp_value bp_is_finite(bp_value a);

/* where: a != 0 ? b : c */
BP_API bp_value bp_where(bp_value a, bp_value b, bp_value c);

/* sign: -1, 0 or 1 */
BP_API bp_value bp_sign(bp_value a);

/* floor: the whole number below */
BP_API bp_value bp_floor(bp_value a);

/* ceil: the whole number above */
BP_API bp_value bp_ceil(bp_value a);

/* round: the nearest whole number, ties to even */
BP_API bp_value bp_round(bp_value a);

/* trunc: the whole number towards 0 */
BP_API bp_value bp_trunc(bp_value a);

/* clamp: min(max(a, min), max) */
typedef struct bp_clamp_options {
    size_t size;
    double min; /* -1 */
    double max; /* 1 */
} bp_clamp_options;
BP_API bp_clamp_options bp_clamp_defaults(void);
BP_API bp_value bp_clamp(bp_value a, const bp_clamp_options *options);

/* exp: e^a */
BP_API bp_value bp_exp(bp_value a);

/* exp2: 2^a */
BP_API bp_value bp_exp2(bp_value a);

/* expm1: e^a - 1 */
BP_API bp_value bp_expm1(bp_value a);

/* log: log(a) */
BP_API bp_value bp_log(bp_value a);

/* log2: log(a) to the base 2 */
BP_API bp_value bp_log2(bp_value a);

/* log10: log(a) to the base 10 */
BP_API bp_value bp_log10(bp_value a);

/* logit: log(z / (1 - z)), z = eps < 0 ? a : min(max(a, eps), 1 - eps) */
typedef struct bp_logit_options {
    size_t size;
    double eps; /* -1 */
} bp_logit_options;
BP_API bp_logit_options bp_logit_defaults(void);
BP_API bp_value bp_logit(bp_value a, const bp_logit_options *options);

/* log1p: log(1 + a) */
BP_API bp_value bp_log1p(bp_value a);

/* sin: sin(a) */
BP_API bp_value bp_sin(bp_value a);

/* cos: cos(a) */
BP_API bp_value bp_cos(bp_value a);

/* tan: tan(a) */
BP_API bp_value bp_tan(bp_value a);

/* asin: arc sine */
BP_API bp_value bp_asin(bp_value a);

/* acos: arc cosine */
BP_API bp_value bp_acos(bp_value a);

/* atan: arc tangent */
BP_API bp_value bp_atan(bp_value a);

/* sinh: sinh(a) */
BP_API bp_value bp_sinh(bp_value a);

/* cosh: cosh(a) */
BP_API bp_value bp_cosh(bp_value a);

/* tanh: tanh(a) */
BP_API bp_value bp_tanh(bp_value a);

/* asinh: inverse of sinh */
BP_API bp_value bp_asinh(bp_value a);

/* acosh: inverse of cosh */
BP_API bp_value bp_acosh(bp_value a);

/* atanh: inverse of tanh */
BP_API bp_value bp_atanh(bp_value a);

/* sinc: sin(pi a) / (pi a), 1 at 0 */
BP_API bp_value bp_sinc(bp_value a);

/* erf: error function */
BP_API bp_value bp_erf(bp_value a);

/* erfc: 1 - erf(a) */
BP_API bp_value bp_erfc(bp_value a);

/* lgamma: log of |gamma function| */
BP_API bp_value bp_lgamma(bp_value a);

/* digamma: derivative of lgamma */
BP_API bp_value bp_digamma(bp_value a);

/* polygamma: derivative number n of digamma, n from 0 to 20 (beyond: NaN) */
typedef struct bp_polygamma_options {
    size_t size;
    double n; /* 1 */
} bp_polygamma_options;
BP_API bp_polygamma_options bp_polygamma_defaults(void);
BP_API bp_value bp_polygamma(bp_value a, const bp_polygamma_options *options);

/* relu: max(a, 0) */
BP_API bp_value bp_relu(bp_value a);

/* relu6: min(max(a, 0), 6) */
BP_API bp_value bp_relu6(bp_value a);

/* leaky_relu: a > 0 ? a : negative_slope * a */
typedef struct bp_leaky_relu_options {
    size_t size;
    double negative_slope; /* 0.01 */
} bp_leaky_relu_options;
BP_API bp_leaky_relu_options bp_leaky_relu_defaults(void);
BP_API bp_value bp_leaky_relu(bp_value a, const bp_leaky_relu_options *options);

/* prelu: a > 0 ? a : b * a */
BP_API bp_value bp_prelu(bp_value a, bp_value b);

/* elu: a > 0 ? a : alpha * (e^a - 1) */
typedef struct bp_elu_options {
    size_t size;
    double alpha; /* 1 */
} bp_elu_options;
BP_API bp_elu_options bp_elu_defaults(void);
BP_API bp_value bp_elu(bp_value a, const bp_elu_options *options);

/* selu: 1.0507 * elu(a, 1.6733) */
BP_API bp_value bp_selu(bp_value a);

/* celu: a > 0 ? a : alpha * (e^(a / alpha) - 1) */
typedef struct bp_celu_options {
    size_t size;
    double alpha; /* 1 */
} bp_celu_options;
BP_API bp_celu_options bp_celu_defaults(void);
BP_API bp_value bp_celu(bp_value a, const bp_celu_options *options);

/* gelu: a / 2 * (1 + erf(a / sqrt(2))) */
BP_API bp_value bp_gelu(bp_value a);

/* gelu_tanh: a / 2 * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 a^3))) */
BP_API bp_value bp_gelu_tanh(bp_value a);

/* sigmoid: 1 / (1 + e^-a) */
BP_API bp_value bp_sigmoid(bp_value a);

/* log_sigmoid: log(sigmoid(a)) */
BP_API bp_value bp_log_sigmoid(bp_value a);

/* silu: a * sigmoid(a) */
BP_API bp_value bp_silu(bp_value a);

/* mish: a * tanh(softplus(a)) */
BP_API bp_value bp_mish(bp_value a);

/* softplus: beta a > threshold ? a : log(1 + e^(beta a)) / beta */
typedef struct bp_softplus_options {
    size_t size;
    double beta; /* 1 */
    double threshold; /* 20 */
} bp_softplus_options;
BP_API bp_softplus_options bp_softplus_defaults(void);
BP_API bp_value bp_softplus(bp_value a, const bp_softplus_options *options);

/* softsign: a / (1 + |a|) */
BP_API bp_value bp_softsign(bp_value a);

/* softshrink: a moved towards 0 by lambda */
typedef struct bp_softshrink_options {
    size_t size;
    double lambda; /* 0.5 */
} bp_softshrink_options;
BP_API bp_softshrink_options bp_softshrink_defaults(void);
BP_API bp_value bp_softshrink(bp_value a, const bp_softshrink_options *options);

/* hardshrink: |a| > lambda ? a : 0 */
typedef struct bp_hardshrink_options {
    size_t size;
    double lambda; /* 0.5 */
} bp_hardshrink_options;
BP_API bp_hardshrink_options bp_hardshrink_defaults(void);
BP_API bp_value bp_hardshrink(bp_value a, const bp_hardshrink_options *options);

/* tanhshrink: a - tanh(a) */
BP_API bp_value bp_tanhshrink(bp_value a);

/* threshold: a > threshold ? a : value */
typedef struct bp_threshold_options {
    size_t size;
    double threshold; /* 0 */
    double value; /* 0 */
} bp_threshold_options;
BP_API bp_threshold_options bp_threshold_defaults(void);
BP_API bp_value bp_threshold(bp_value a, const bp_threshold_options *options);

/* hardtanh: min(max(a, min), max) */
typedef struct bp_hardtanh_options {
    size_t size;
    double min; /* -1 */
    double max; /* 1 */
} bp_hardtanh_options;
BP_API bp_hardtanh_options bp_hardtanh_defaults(void);
BP_API bp_value bp_hardtanh(bp_value a, const bp_hardtanh_options *options);

/* hardsigmoid: min(max(a + 3, 0), 6) / 6 */
BP_API bp_value bp_hardsigmoid(bp_value a);

/* hardswish: a * min(max(a + 3, 0), 6) / 6 */
BP_API bp_value bp_hardswish(bp_value a);

/* squareplus: (a + sqrt(a^2 + b)) / 2 */
typedef struct bp_squareplus_options {
    size_t size;
    double b; /* 4 */
} bp_squareplus_options;
BP_API bp_squareplus_options bp_squareplus_defaults(void);
BP_API bp_value bp_squareplus(bp_value a, const bp_squareplus_options *options);

/* elliot: a / (2 (1 + |a|)) + 1/2 */
BP_API bp_value bp_elliot(bp_value a);

/* gaussian: e^(-a^2) */
BP_API bp_value bp_gaussian(bp_value a);

/* Other names of operations above. */
BP_API bp_value bp_isnan(bp_value a); /* is_nan */
BP_API bp_value bp_isfinite(bp_value a); /* is_finite */
BP_API bp_value bp_uniform(bp_value x, const char *stream); /* random_uniform */
BP_API bp_value bp_normal(bp_value x, const char *stream); /* random_normal */
BP_API bp_value bp_permutation(bp_value x, const char *stream); /* random_permutation */
/* clang-format on */
/*@END@*/

/*@STAGES@*/

#ifdef __cplusplus
}
#endif
#endif
