/* Walking over strided arrays in plain C: offsets by row-major index, and the cutting of loops into pieces. */
#ifndef BP__WALK_H
#define BP__WALK_H
#include "kernel/kernel.h"

enum { BP__PIECE_WORK = 32768 }; /* elements: less than this stays on the caller's thread */

/* Offset in t of the index-th element (row-major) of t with `axis` left out (axis -1: of all), elsewhere at index 0. The sizes
   are those of `shape`. */
static inline int64_t bp__walk_offset(const bp__tensor *t, const bp__tensor *shape, int axis, int64_t index) {
    int64_t at = 0;
    for (int i = shape->n_dims - 1; i >= 0; i--) {
        if (i == axis) continue;
        at += index % shape->dim[i] * t->stride[i];
        index /= shape->dim[i];
    }
    return at;
}

/* n independent items of `work` elements each: calls piece for groups of per_piece (set here) items. */
static inline void bp__walk_run(const bp__env *env, int64_t n, int64_t work, int64_t *per_piece, bp__piece piece, void *arg) {
    *per_piece = BP__MAX(BP__PIECE_WORK / BP__MAX(work, 1), 1);
    int64_t n_pieces = (n + *per_piece - 1) / *per_piece;
    if (!env->team || n_pieces < 2)
        for (int64_t i = 0; i < n_pieces; i++) piece(arg, i, 0);
    else
        bp__team_run(env->team, n_pieces, piece, arg);
}

static inline void *bp__at(const bp__tensor *t, int64_t offset) {
    return (char *)t->data + offset * (int64_t)bp_dtype_size((bp_dtype)t->dtype);
}
#endif
