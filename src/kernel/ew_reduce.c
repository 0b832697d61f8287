/* Reductions of what an element-wise program computes: tile by tile, so that it never reaches memory. The order of operations is
   that of reduce.c. */
#include "kernel/ew_move.h"
#include <math.h>
#include <string.h>

/* Columns at once, in bytes of a row: as many as their lanes fit into the second cache, since memory is fast only where long
   stretches are read. */
enum { MOST_BYTES = 16384, LEAST_BYTES = 2048, SMALL = 32768 };

typedef struct job {
    const bp__env *env;
    const bp__ew_program *program;
    const bp__tensor *tensors;
    const bp__reduce_kernels *kernels;
    bp__reduce_op op;
    char *out;
    char *lanes; /* of all threads: BP__LANES * MOST_BYTES each */
    int64_t rows, columns, per_piece, item;
} job;

static void start_lanes(const job *j, void *lanes, int64_t n) {
    static const double start[] = {[BP__SUM] = 0, [BP__MAX] = -(double)INFINITY, [BP__MIN] = (double)INFINITY, [BP__PROD] = 1};
    bp__ew_fill(lanes, j->program->type, start[j->op], n);
}

static bp__ew_state begin(const job *j, int thread) {
    bp__ew_state s = bp__ew_state_at(j->env, j->program, thread);
    bp__ew_begin(&s, j->tensors, j->rows * j->columns);
    return s;
}

/* One result for each column: lanes are row numbers mod 16, per_piece columns at once. */
static void columns_piece(void *arg, int64_t piece, int thread) {
    const job *j = arg;
    double tile[BP__TILE];
    char *lanes = j->lanes + (int64_t)thread * BP__LANES * MOST_BYTES;
    const int64_t first = piece * j->per_piece, width = BP__MIN(j->per_piece, j->columns - first), bytes = width * j->item;
    const int64_t at_once = width == j->columns && width < BP__TILE ? BP__TILE / width : 1; /* rows behind one another */
    bp__ew_state s = begin(j, thread);
    start_lanes(j, lanes, BP__LANES * width);
    for (int64_t row = 0; row < j->rows; row += at_once) {
        int64_t rows = BP__MIN(at_once, j->rows - row);
        for (int64_t at = 0; at < width; at += BP__TILE) {
            int64_t n = BP__MIN(BP__TILE, width - at);
            bp__ew_tile_run(&s, row * j->columns + first + at, rows * n, tile);
            for (int64_t r = 0; r < rows; r++)
                j->kernels->join(j->op, lanes + (row + r) % BP__LANES * bytes + at * j->item, (char *)tile + r * bytes, n);
        }
    }
    for (int64_t h = BP__LANES / 2; h > 0; h /= 2)
        for (int64_t l = 0; l < h; l++) j->kernels->join(j->op, lanes + l * bytes, lanes + (l + h) * bytes, width);
    memcpy(j->out + first * j->item, lanes, (size_t)bytes);
}

/* One result for each row: lanes are column numbers mod 16. */
static void rows_piece(void *arg, int64_t piece, int thread) {
    const job *j = arg;
    double lanes[BP__LANES], tile[BP__TILE];
    const int64_t end = BP__MIN((piece + 1) * j->per_piece, j->rows), columns = j->columns;
    bp__ew_state s = begin(j, thread);
    if (columns > 0 && columns <= BP__TILE / 2) { /* several rows in a tile */
        const int64_t at_once = BP__TILE / columns;
        for (int64_t row = piece * j->per_piece; row < end; row += at_once) {
            int64_t n = BP__MIN(at_once, end - row);
            bp__ew_tile_run(&s, row * columns, n * columns, tile);
            for (int64_t r = 0; r < n; r++) {
                start_lanes(j, lanes, BP__LANES);
                j->kernels->accumulate(j->op, lanes, (char *)tile + r * columns * j->item, 1, columns, 0);
                j->kernels->fold(j->op, j->out + (row + r) * j->item, lanes);
            }
        }
        return;
    }
    for (int64_t row = piece * j->per_piece; row < end; row++) {
        start_lanes(j, lanes, BP__LANES);
        for (int64_t at = 0; at < columns; at += BP__TILE) {
            int64_t n = BP__MIN(BP__TILE, columns - at);
            bp__ew_tile_run(&s, row * columns + at, n, tile);
            j->kernels->accumulate(j->op, lanes, tile, 1, n, 0);
        }
        j->kernels->fold(j->op, j->out + row * j->item, lanes);
    }
}

size_t bp__reduce_program_scratch(const bp__ew_program *program, int n_threads) {
    return (bp__ew_scratch(program, n_threads) + 63) / 64 * 64 + (size_t)n_threads * BP__LANES * MOST_BYTES;
}

/* So many columns at once that every thread has some. */
static int64_t block(const job *j, int n_threads) {
    int64_t share = ((j->columns + n_threads - 1) / n_threads + 63) / 64 * 64;
    return BP__MAX(BP__MIN(share, MOST_BYTES / j->item), LEAST_BYTES / j->item);
}

void bp__reduce_program(const bp__env *env, bp__reduce_op op, uint32_t axes, void *out, const bp__ew_program *program,
                        const bp__tensor *tensors) {
    const bp__tensor *shape = &tensors[program->n_in];
    job j = {.env = env, .program = program, .tensors = tensors, .op = op, .out = out, .rows = 1, .columns = 1};
    j.kernels = (program->type == BP_F32 ? &env->isa->f32 : &env->isa->f64)->reduce;
    j.item = (int64_t)bp__ew_item(program->type);
    const bool first = shape->n_dims > 1 && axes == 1, last = shape->n_dims > 1 && axes == 1u << (shape->n_dims - 1);
    for (int i = 0; i < shape->n_dims; i++)
        *((first && i == 0) || (last && i < shape->n_dims - 1) ? &j.rows : &j.columns) *= shape->dim[i];
    int64_t n = first ? j.columns : j.rows;
    const int n_threads = env->team ? bp__team_size(env->team) : 1;
    j.lanes = (char *)env->scratch + (bp__ew_scratch(program, n_threads) + 63) / 64 * 64;
    j.per_piece = first ? block(&j, n_threads) : BP__MAX(SMALL / BP__MAX(j.columns, 1), 1);
    int64_t n_pieces = (n + j.per_piece - 1) / j.per_piece;
    if (env->team && j.rows * j.columns >= SMALL)
        bp__team_run(env->team, n_pieces, first ? columns_piece : rows_piece, &j);
    else
        for (int64_t i = 0; i < n_pieces; i++) (first ? columns_piece : rows_piece)(&j, i, 0);
}
