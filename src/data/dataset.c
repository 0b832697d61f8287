/* From DATA to a data set: open the pieces (training, validation, test), decide, split, fit, apply. */
#include "data/target.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One file (and, for arrays, its labels). */
typedef struct piece {
    bp__source *source, *label_source;
    bp__table *label_table; /* owned: made from an array of labels */
    bp__target_view view;   /* n = 0: no targets */
    int64_t target_columns[BP__MAX_TARGETS];
    int64_t weight; /* column, or -1 */
    int64_t n_rows, first;
    bp__set *set; /* where its rows go; of the training piece three sets may share them */
    const char *labels_hint;
} piece;

static void piece_close(piece *p) {
    bp__table_free(p->label_table);
    bp__source_free(p->label_source);
    bp__source_free(p->source);
    *p = (piece){0};
}

static bp_status copy_text(char **out, bp_context *ctx, const char *s) {
    *out = bp__strdup(ctx, s);
    return *out ? BP_OK : bp__out_of_memory(ctx, strlen(s) + 1);
}

static bp_status add_note(bp__dataset *d, const char *file, const char *note) {
    if (!note) return BP_OK;
    bp__buffer b;
    bp__buffer_init(&b, d->ctx);
    if (d->notes) bp__buffer_printf(&b, "%s\n", d->notes);
    bp__buffer_printf(&b, "%s: %s", file, note);
    char *text = NULL;
    BP_TRY(bp__buffer_take(&b, &text));
    bp__free(d->ctx, d->notes);
    d->notes = text;
    return BP_OK;
}

/* ---- Pieces ---- */

static bp_status target_column(int64_t *out, bp_context *ctx, const bp__source *s, const char *name) {
    *out = bp__table_find(s->table, name);
    int64_t number;
    if (*out < 0 && bp__parse_i64(name, strlen(name), &number) && number >= 1 && number <= s->table->n_columns) *out = number - 1;
    return *out < 0 ? bp__no_column(ctx, s->table, name, s->path) : BP_OK;
}

/* The targets of a table: as named, else those of the model, else those the data brings along. */
static bp_status table_targets(piece *p, bp_context *ctx, const bp__data_spec *spec, const bp__prep *model) {
    bp__source *s = p->source;
    const char *file = s->path;
    p->view = (bp__target_view){.table = s->table, .columns = p->target_columns, .file = file};
    if (spec->n_targets) {
        for (int64_t i = 0; i < spec->n_targets; i++) BP_TRY(target_column(&p->target_columns[i], ctx, s, spec->targets[i]));
        p->view.n = spec->n_targets;
    } else if (model) {
        for (int64_t i = 0; i < model->n_targets; i++) {
            p->target_columns[i] = model->targets[i].position;
            if (model->header && s->table->header) {
                p->target_columns[i] = bp__table_find(s->table, model->targets[i].name);
                if (p->target_columns[i] < 0) return bp__no_column(ctx, s->table, model->targets[i].name, file);
            } else if (s->table->n_columns != model->n_columns)
                return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "columns", .file = file},
                                   "%s has %lld columns, and the data with targets that the model knows has %lld", file,
                                   (long long)s->table->n_columns, (long long)model->n_columns);
        }
        p->view.n = model->n_targets;
    } else if (s->default_target) {
        p->target_columns[0] = bp__table_find(s->table, s->default_target);
        p->view.n = 1;
    } else
        return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "no_target", .file = file, .hint = "name a column with --target"},
                           "what to learn from %s is not said; its last column is %s", file,
                           s->table->columns[s->table->n_columns - 1].name);
    for (int64_t i = 0; i < p->view.n; i++)
        for (int64_t k = 0; k < i; k++)
            if (p->target_columns[i] == p->target_columns[k])
                return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "targets", .file = file}, "the target %s is given twice",
                                   s->table->columns[p->target_columns[i]].name);
    return BP_OK;
}

static bp_status array_targets(piece *p, bp_context *ctx, const bp__data_spec *spec, const bp__read_options *read) {
    const bp__array *labels = &p->source->labels;
    const char *file = p->source->path;
    if (spec->n_targets > 1)
        return bp__fail_at(
            ctx, BP_CONFIG,
            (bp__where){.code = "targets", .file = file, .hint = "save several targets as one array [rows, targets]"},
            "%s is an array, whose targets are one file", file);
    if (spec->n_targets == 1 && !labels->data) {
        bp__read_options plain = *read;
        plain.member = NULL;
        plain.labels = NULL;
        BP_TRY(bp__source_open(&p->label_source, ctx, spec->targets[0], &plain));
        labels = &p->label_source->array;
        file = p->label_source->path;
        p->view = (bp__target_view){.table = p->label_source->table, .file = file};
    }
    int64_t n = labels->data ? labels->shape[0] : p->view.table ? p->view.table->n_rows : 0;
    if (n == 0)
        return bp__fail_at(ctx, BP_CONFIG, (bp__where){.code = "no_target", .file = file, .hint = p->labels_hint},
                           "%s is an array without labels", file);
    if (n != p->n_rows)
        return bp__fail_at(ctx, BP_SHAPE, (bp__where){.code = "rows", .file = file}, "%s has %lld labels for the %lld rows of %s",
                           file, (long long)n, (long long)p->n_rows, p->source->path);
    if (labels->data) {
        BP_TRY(bp__target_table(&p->label_table, ctx, labels, file));
        p->view = (bp__target_view){
            .table = p->label_table, .file = file, .whole_array = labels->dtype == BP_I64 || labels->dtype == BP_U8};
    }
    p->view.n = p->view.table->n_columns;
    p->view.columns = p->target_columns;
    if (p->view.n > BP__MAX_TARGETS)
        return bp__fail_at(ctx, BP_SHAPE, (bp__where){.code = "targets", .file = file}, "%s has more than %d columns of labels",
                           file, BP__MAX_TARGETS);
    for (int64_t i = 0; i < p->view.n; i++) p->target_columns[i] = i;
    return BP_OK;
}

static bp_status piece_open(piece *p, bp__dataset *d, const bp__data_spec *spec, const bp__read_options *read,
                            const bp__prep *model, bool targets, const char *weight) {
    bp__read_options options = *read;
    options.member = spec->input;
    if (targets && spec->n_targets == 1 && access(spec->targets[0], R_OK) != 0) options.labels = spec->targets[0];
    p->weight = -1;
    BP_TRY(bp__source_open(&p->source, d->ctx, spec->path, &options));
    p->n_rows = bp__source_rows(p->source);
    bp__table *t = p->source->table;
    if (t) BP_TRY(add_note(d, spec->path, t->note));
    if (model && model->table != (t != NULL))
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "kind", .file = spec->path},
                           "%s is %s, and the model was trained on %s", spec->path, t ? "a table" : "an array",
                           model->table ? "a table" : "arrays");
    if (weight && !t)
        return bp__fail_at(d->ctx, BP_CONFIG, (bp__where){.code = "no_such_column", .file = spec->path},
                           "%s is an array and has no column %s of weights", spec->path, weight);
    if (weight) BP_TRY(target_column(&p->weight, d->ctx, p->source, weight));
    if (!targets) return BP_OK;
    return t ? table_targets(p, d->ctx, spec, model) : array_targets(p, d->ctx, spec, &options);
}

static bp_status piece_file(bp__set *set, bp_context *ctx, const piece *p) {
    BP_TRY(copy_text(&set->path, ctx, p->source->path));
    memcpy(set->sha256, p->source->sha256, sizeof set->sha256);
    set->first_row = p->first;
    return BP_OK;
}

/* ---- Targets of all pieces ---- */

/* Fills label or values (raw numbers) for the rows of one piece. */
static bp_status read_targets(bp__dataset *d, double *values, const piece *p) {
    if (p->view.n == 0) return BP_OK;
    if (p->view.n != d->prep->n_targets)
        return bp__fail_at(d->ctx, BP_SHAPE, (bp__where){.code = "targets", .file = p->view.file},
                           "%s has %lld targets, and the model %lld", p->view.file, (long long)p->view.n,
                           (long long)d->prep->n_targets);
    if (d->label) return bp__target_classes(d->label + p->first, d->prep, &p->view);
    return bp__target_numbers(values + p->first * d->n_targets, d->prep, &p->view);
}

static bool has_target(const bp__dataset *d, const double *values, int64_t row) {
    if (d->label) return d->label[row] != -2;
    for (int64_t k = 0; k < d->n_targets; k++)
        if (isnan(values[row * d->n_targets + k])) return false;
    return true;
}

static bp_status no_targets(const bp__dataset *d, const piece *p) {
    const bp__column *c = &p->view.table->columns[p->view.columns[0]];
    char scratch[40];
    if (bp__cell_is_missing(c->cells[0]) || d->label)
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "no_rows", .file = p->view.file},
                           "no row of %s has a target: every cell of %s is missing", p->view.file, c->name);
    return bp__fail_at(
        d->ctx, BP_DATA,
        (bp__where){.code = "no_rows", .file = p->view.file, .hint = "if they are classes, say task: classification"},
        "the task is %s, and no target %s in %s is a number: the first is %.40s", bp__task_name(d->task), c->name, p->view.file,
        bp__cell_words(c, c->cells[0], scratch));
}

/* The rows of a piece that have a target (or all of them, where none is read). */
static bp_status usable_rows(bp__set *set, bp__dataset *d, const double *values, const piece *p) {
    set->rows = bp__alloc(d->ctx, (size_t)p->n_rows * sizeof *set->rows);
    if (!set->rows) return bp__out_of_memory(d->ctx, (size_t)p->n_rows * sizeof *set->rows);
    char scratch[40];
    for (int64_t r = p->first; r < p->first + p->n_rows; r++) {
        if (p->view.n && !has_target(d, values, r)) {
            set->dropped++;
            continue;
        }
        set->rows[set->n_rows++] = r;
        if (!p->view.n || !d->label || d->label[r] != -1) continue;
        const bp__column *c = &p->view.table->columns[p->view.columns[0]];
        if (set->unknown_labels++ == 0)
            BP_TRY(copy_text(&set->unknown_label, d->ctx, bp__cell_words(c, c->cells[r - p->first], scratch)));
    }
    if (set->n_rows == 0) return no_targets(d, p);
    if (set->dropped) {
        char note[80];
        snprintf(note, sizeof note, "%lld row%s without a target that can be read %s left out", (long long)set->dropped,
                 set->dropped == 1 ? "" : "s", set->dropped == 1 ? "was" : "were");
        BP_TRY(add_note(d, p->source->path, note));
    }
    return BP_OK;
}

static bp_status read_weights(bp__dataset *d, const piece *p) {
    if (!d->weight) return BP_OK;
    for (int64_t r = 0; r < p->n_rows; r++) {
        double w = 1;
        if (p->weight >= 0) {
            const bp__column *c = &p->source->table->columns[p->weight];
            if (!bp__cell_number(c, c->cells[r], &w) || !(w >= 0) || !isfinite((double)(float)w))
                return bp__fail_at(d->ctx, BP_DATA,
                                   (bp__where){.code = "bad_weight", .file = p->source->path, .line = p->source->table->lines[r]},
                                   "the weight in line %lld of %s is not a number of 0 or more",
                                   (long long)p->source->table->lines[r], p->source->path);
        }
        d->weight[p->first + r] = (float)w;
    }
    return BP_OK;
}

/* ---- Arrays of the whole set ---- */

static bp_status allocate_targets(bp__dataset *d, double **values) {
    d->n_targets = d->prep->n_targets;
    size_t n = (size_t)d->n_rows;
    if (d->task == BP__CLASSIFICATION) {
        d->n_classes = d->prep->n_classes;
        d->class_names = d->prep->classes;
        d->label = bp__alloc(d->ctx, n * sizeof *d->label);
        return d->label ? BP_OK : bp__out_of_memory(d->ctx, n * sizeof *d->label);
    }
    size_t bytes = n * (size_t)d->n_targets * sizeof **values;
    *values = bp__alloc(d->ctx, bytes);
    d->y_dtype = d->prep->input_dtype == BP_F64 ? BP_F64 : BP_F32;
    return *values ? BP_OK : bp__out_of_memory(d->ctx, bytes);
}

static bp_status store_targets(bp__dataset *d, const double *values) {
    if (!values) return BP_OK;
    int64_t n = d->n_rows * d->n_targets;
    d->y = bp__alloc(d->ctx, (size_t)n * bp_dtype_size(d->y_dtype));
    if (!d->y) return bp__out_of_memory(d->ctx, (size_t)n * bp_dtype_size(d->y_dtype));
    for (int64_t i = 0; i < n; i++) {
        double v = bp__target_normalize(d->prep, i % d->n_targets, values[i]);
        if (d->y_dtype == BP_F64)
            ((double *)d->y)[i] = v;
        else
            ((float *)d->y)[i] = (float)v;
    }
    return BP_OK;
}

static bp_status apply_table(bp__dataset *d, const piece *p, void *x, bool report) {
    const bp__prep *prep = d->prep;
    int64_t *at = bp__alloc(d->ctx, (size_t)prep->n_inputs * sizeof *at);
    if (!at) return bp__out_of_memory(d->ctx, (size_t)prep->n_inputs * sizeof *at);
    bp_status status = bp__prep_match(at, prep, p->source->table, p->source->path);
    if (status == BP_OK) status = bp__prep_apply(x, prep, p->source->table, at, report ? d->reports : NULL);
    bp__free(d->ctx, at);
    return status;
}

/* Makes x. Where the first array is stored as it is wanted, it grows to hold the others rather than being copied. */
static bp_status apply_pieces(bp__dataset *d, piece *pieces, int n_pieces, int64_t n_trained) {
    const bp__prep *p = d->prep;
    d->rank = p->rank;
    memcpy(d->shape, p->shape, sizeof d->shape);
    d->sample_size = p->sample_size;
    d->x_dtype = p->input_dtype;
    size_t item = bp_dtype_size(d->x_dtype) * (size_t)d->sample_size;
    if (d->n_rows > INT64_MAX / 16 / BP__MAX(d->sample_size, 1)) return bp__out_of_memory(d->ctx, SIZE_MAX / 2);
    bp__array *first = &pieces[0].source->array;
    int done = 0;
    if (!p->table && first->dtype == p->input_dtype && !p->center) {
        BP_TRY(bp__array_apply(first->data, p, pieces[0].source));
        d->x = first->data;
        first->data = NULL;
        done = 1;
    }
    if (done < n_pieces) {
        void *x = bp__resize(d->ctx, d->x, item * (size_t)pieces[0].n_rows, item * (size_t)d->n_rows);
        if (!x) return bp__out_of_memory(d->ctx, item * (size_t)d->n_rows);
        d->x = x;
    }
    if (p->table) {
        d->reports = bp__zalloc(d->ctx, (size_t)p->n_inputs * sizeof *d->reports);
        if (!d->reports) return bp__out_of_memory(d->ctx, (size_t)p->n_inputs * sizeof *d->reports);
    }
    for (int i = done; i < n_pieces; i++) {
        void *x = (char *)d->x + item * (size_t)pieces[i].first;
        BP_TRY(p->table ? apply_table(d, &pieces[i], x, i >= n_trained) : bp__array_apply(x, p, pieces[i].source));
    }
    return BP_OK;
}

/* ---- Loading ---- */

/* Divides the training piece's usable rows among the sets that weren't given as data. */
static bp_status split_rows(bp__dataset *d, const piece *train, const double *values, const bp__data_options *o) {
    bp__set all = {0};
    bp_status status = usable_rows(&all, d, values, train);
    bp__rows parts[3] = {{0}};
    int64_t *classes = NULL;
    if (status == BP_OK && d->label && o->stratify) {
        classes = bp__alloc(d->ctx, (size_t)all.n_rows * sizeof *classes);
        if (!classes) status = bp__out_of_memory(d->ctx, (size_t)all.n_rows * sizeof *classes);
        for (int64_t i = 0; classes && i < all.n_rows; i++) classes[i] = d->label[all.rows[i]];
    }
    bp__split_options split = {.validation = o->validation.path ? 0 : o->validation_fraction,
                               .test = o->test.path ? 0 : o->test_fraction,
                               .seed = o->split_seed,
                               .classes = classes};
    if (status == BP_OK) status = bp__split(parts, d->ctx, all.rows, all.n_rows, &split);
    bp__set *sets[] = {&d->train, &d->validation, &d->test};
    for (int i = 0; i < 3 && status == BP_OK; i++) {
        if (parts[i].n == 0) continue;
        sets[i]->rows = parts[i].rows;
        sets[i]->n_rows = parts[i].n;
        parts[i] = (bp__rows){0};
        status = piece_file(sets[i], d->ctx, train);
    }
    d->train.dropped = all.dropped;
    for (int i = 0; i < 3; i++) bp__rows_free(d->ctx, &parts[i]);
    bp__free(d->ctx, classes);
    bp__free(d->ctx, all.rows);
    bp__free(d->ctx, all.unknown_label);
    return status;
}

static bp_status place_pieces(bp__dataset *d, piece *pieces, int n, const char *weight) {
    for (int i = 0; i < n; i++) {
        pieces[i].first = d->n_rows;
        d->n_rows += pieces[i].n_rows;
    }
    if (!weight) return BP_OK;
    d->weight = bp__alloc(d->ctx, (size_t)d->n_rows * sizeof *d->weight);
    if (!d->weight) return bp__out_of_memory(d->ctx, (size_t)d->n_rows * sizeof *d->weight);
    for (int i = 0; i < n; i++) BP_TRY(read_weights(d, &pieces[i]));
    return BP_OK;
}

static bp_status choose(bp__dataset *d, const piece *train, const bp__data_options *o) {
    bp__prep *p = d->prep = bp__zalloc(d->ctx, sizeof *d->prep);
    if (!p) return bp__out_of_memory(d->ctx, sizeof *p);
    d->owns_prep = true;
    p->ctx = d->ctx;
    if (o->weight_column) BP_TRY(copy_text(&p->weight, d->ctx, train->source->table->columns[train->weight].name));
    if (train->source->table)
        BP_TRY(bp__prep_choose(p, train->source->table, train->target_columns, train->view.n, train->weight, o,
                               train->source->path));
    else
        BP_TRY(bp__array_choose(p, train->source, o));
    BP_TRY(bp__target_choose(p, &train->view, o));
    d->task = p->task;
    return BP_OK;
}

static bp_status load(bp__dataset *d, piece pieces[3], int *n_pieces, double **values, const bp__data_options *o) {
    const bp__data_spec *specs[] = {&o->train, &o->validation, &o->test};
    bp__set *sets[] = {&d->train, &d->validation, &d->test};
    static const char *const hints[] = {"give the file of labels with --target",
                                        "give the file of labels with --validation-target",
                                        "give the file of labels with --test-target"};
    bp__read_options read = {.no_header = o->no_header, .delimiter = o->delimiter};
    if (!o->train.path)
        return bp__fail_at(d->ctx, BP_CONFIG, (bp__where){.code = "no_data", .hint = "give DATA, or data.path"},
                           "no data to train on is given");
    for (int i = 0; i < 3; i++) {
        if (!specs[i]->path) continue;
        piece *p = &pieces[(*n_pieces)++];
        p->set = sets[i];
        p->labels_hint = hints[i];
        BP_TRY(piece_open(p, d, specs[i], &read, i ? d->prep : NULL, true, o->weight_column));
        if (i == 0) BP_TRY(choose(d, p, o));
    }
    BP_TRY(place_pieces(d, pieces, *n_pieces, o->weight_column));
    BP_TRY(allocate_targets(d, values));
    for (int i = 0; i < *n_pieces; i++) BP_TRY(read_targets(d, *values, &pieces[i]));
    BP_TRY(split_rows(d, &pieces[0], *values, o));
    for (int i = 1; i < *n_pieces; i++) {
        BP_TRY(usable_rows(pieces[i].set, d, *values, &pieces[i]));
        BP_TRY(piece_file(pieces[i].set, d->ctx, &pieces[i]));
    }
    if (d->train.n_rows == 0)
        return bp__fail_at(d->ctx, BP_DATA, (bp__where){.code = "no_rows", .file = o->train.path},
                           "%s leaves no row for training", o->train.path);
    if (pieces[0].source->table)
        BP_TRY(bp__prep_fit(d->prep, pieces[0].source->table, d->train.rows, d->train.n_rows));
    else
        BP_TRY(bp__array_fit(d->prep, pieces[0].source, d->train.rows, d->train.n_rows));
    if (*values) BP_TRY(bp__target_fit(d->prep, *values, d->train.rows, d->train.n_rows, pieces[0].view.file, o));
    BP_TRY(store_targets(d, *values));
    return apply_pieces(d, pieces, *n_pieces, 1);
}

static bp_status dataset_new(bp__dataset **out, bp_context *ctx) {
    *out = bp__zalloc(ctx, sizeof **out);
    if (!*out) return bp__out_of_memory(ctx, sizeof **out);
    (*out)->ctx = ctx;
    return BP_OK;
}

bp_status bp__dataset_load(bp__dataset **out, bp_context *ctx, const bp__data_options *options) {
    BP_TRY(dataset_new(out, ctx));
    piece pieces[3] = {{0}};
    int n_pieces = 0;
    double *values = NULL;
    bp_status status = load(*out, pieces, &n_pieces, &values, options);
    bp__free(ctx, values);
    for (int i = 0; i < n_pieces; i++) piece_close(&pieces[i]);
    if (status != BP_OK) {
        bp__dataset_free(*out);
        *out = NULL;
    }
    return status;
}

static bp_status apply(bp__dataset *d, piece *p, double **values, const bp__data_spec *spec, bool no_header, bool targets) {
    bp__read_options read = {.no_header = no_header || (d->prep->table && !d->prep->header)};
    BP_TRY(piece_open(p, d, spec, &read, d->prep, targets, NULL));
    /* a model's weights of rows are for training; they needn't be there now */
    if (spec->weights && d->prep->weight && p->source->table) p->weight = bp__table_find(p->source->table, d->prep->weight);
    BP_TRY(place_pieces(d, p, 1, p->weight >= 0 ? d->prep->weight : NULL));
    if (targets) {
        BP_TRY(allocate_targets(d, values));
        BP_TRY(read_targets(d, *values, p));
        BP_TRY(store_targets(d, *values));
    } else {
        d->n_targets = d->prep->n_targets;
        d->n_classes = d->prep->n_classes;
        d->class_names = d->prep->classes;
    }
    BP_TRY(piece_file(&d->test, d->ctx, p));
    BP_TRY(usable_rows(&d->test, d, *values, p));
    return apply_pieces(d, p, 1, 0);
}

bp_status bp__dataset_apply(bp__dataset **out, bp_context *ctx, bp__prep *prep, const bp__data_spec *spec, bool no_header,
                            bool targets) {
    BP_TRY(dataset_new(out, ctx));
    (*out)->prep = prep;
    (*out)->task = prep->task;
    piece p = {.labels_hint = "give the file of labels with --target"};
    double *values = NULL;
    bp_status status = apply(*out, &p, &values, spec, no_header, targets);
    bp__free(ctx, values);
    piece_close(&p);
    if (status != BP_OK) {
        bp__dataset_free(*out);
        *out = NULL;
    }
    return status;
}

void bp__dataset_free(bp__dataset *d) {
    if (!d) return;
    bp__set *sets[] = {&d->train, &d->validation, &d->test};
    for (int i = 0; i < 3; i++) {
        bp__free(d->ctx, sets[i]->path);
        bp__free(d->ctx, sets[i]->rows);
        bp__free(d->ctx, sets[i]->unknown_label);
    }
    if (d->owns_prep) bp__prep_free(d->prep);
    bp__free(d->ctx, d->x);
    bp__free(d->ctx, d->y);
    bp__free(d->ctx, d->label);
    bp__free(d->ctx, d->weight);
    bp__free(d->ctx, d->reports);
    bp__free(d->ctx, d->notes);
    bp__free(d->ctx, d);
}

double bp__dataset_target(const bp__dataset *d, int64_t row, int64_t k) {
    int64_t i = row * d->n_targets + k;
    return bp__target_restore(d->prep, k, d->y_dtype == BP_F64 ? ((const double *)d->y)[i] : (double)((const float *)d->y)[i]);
}
