/* How element-wise programs see their tensors: one flat walk over the output, every tensor a view of that walk. */
#ifndef BP__EW_MOVE_H
#define BP__EW_MOVE_H
#include "kernel/isa.h"

enum {
    BP__EW_FLAT,   /* element i of the walk is element i of the memory */
    BP__EW_ONE,    /* one element for all */
    BP__EW_STRIDED /* dim, stride: the walk's dimensions, merged where the view allows it */
    ,
    BP__EW_PANELS /* the walk is over panels or the view is in panels, and the two differ */
};
typedef struct bp__ew_view {
    char *data;
    size_t bytes; /* of the memory it may touch, from data: to see overlaps */
    int64_t dim[BP__MAX_DIMS], stride[BP__MAX_DIMS];
    int64_t columns, rows; /* of panels, the walk's or the view's */
    int32_t n_dims;
    uint8_t dtype, kind, walk_panels, panels;
    bool direct; /* outputs: written in place by the program */
} bp__ew_view;

/* A program at work on one thread. */
typedef struct bp__ew_state {
    const bp__ew_program *program;
    const bp__isa_type *kernels; /* NULL: integers */
    char *tile;                  /* [n_reg + n_out] tiles of BP__TILE * 8 bytes */
    void **reg;                  /* [n_reg]: where each register is during a tile */
    void **out;                  /* [n_out]: where a chain puts its outputs */
    bp__ew_view *view;           /* [n_in + n_out] */
    uint8_t *one;                /* [n_in]: the input is one element everywhere */
    size_t item;                 /* bytes of an element of the program's type */
    bool whole;                  /* nothing passes through a tile: a compiled chain may run over any length */
} bp__ew_state;
bp__ew_state bp__ew_state_at(const bp__env *env, const bp__ew_program *program, int thread);
/* What holds for a whole segment of `count` elements: views, single numbers and constants as tiles. */
void bp__ew_begin(bp__ew_state *s, const bp__tensor *group, int64_t count);
/* Elements [start, start + n) of the walk, n ≤ BP__TILE unless `whole`. `to`: where they go, for a program of one output in place
   of where its tensor lies (which may have no data); NULL: there. */
void bp__ew_tile_run(const bp__ew_state *s, int64_t start, int64_t n, void *to);

int bp__ew_arity(int op);
size_t bp__ew_item(bp_dtype dtype);
/* Elements of the walk over a tensor: panels count with their padding. */
int64_t bp__ew_flat_count(const bp__tensor *t);
bp__ew_view bp__ew_view_of(const bp__tensor *t, const bp__tensor *shape);
/* Where elements [start, start + n) lie as a plain array of that type, or NULL. */
void *bp__ew_in_place(const bp__ew_view *v, bp_dtype type, int64_t start, int64_t n);
void bp__ew_gather(void *to, bp_dtype type, const bp__ew_view *v, int64_t start, int64_t n);
void bp__ew_scatter(const bp__ew_view *v, bp_dtype type, const void *from, int64_t start, int64_t n);
void bp__ew_clear_padding(const bp__ew_view *v, int64_t start, int64_t n);
void bp__ew_fill(void *to, bp_dtype type, double value, int64_t n);
/* to[i * to_stride] = from[i * from_stride], converted (strides in elements). Real to whole: towards 0, NaN gives 0, what does
   not fit the nearest that does. */
void bp__ew_convert(void *to, bp_dtype to_type, int64_t to_stride, const void *from, bp_dtype from_type, int64_t from_stride,
                    int64_t n);
/* The reference of integer programs: formula `op` over n 64-bit integers; formulas that have no meaning there give 0. */
void bp__ew_integer(int op, int64_t *y, const int64_t *a, const int64_t *b, const int64_t *c, double p, double q, int64_t n);
bool bp__ew_integer_has(int op);
#endif
