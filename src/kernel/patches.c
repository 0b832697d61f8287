/* Patches of images as columns, and back (im2col and col2im; PyTorch's unfold and fold). Plain C. Threads share planes of the
   output, so sums have one order. */
#include "kernel/kernel.h"
#include "kernel/walk.h"
#include <string.h>

typedef struct job {
    const bp__window *w;
    const bp__tensor *columns, *images;
    int64_t places[2]; /* windows down and across */
    int64_t n_items, per_piece;
} job;

static int64_t places_of(const bp__window *w, const bp__tensor *images, int d) {
    int64_t room = images->dim[2 + d] + 2 * w->padding[d] - w->dilation[d] * (w->kernel[d] - 1) - 1;
    return room < 0 ? 0 : room / w->stride[d] + 1;
}

/* The windows along one direction whose element k falls inside the image: [first, end). */
static void inside(const bp__window *w, int d, int64_t k, int64_t size, int64_t places, int64_t *first, int64_t *end) {
    const int64_t offset = k * w->dilation[d] - w->padding[d], step = w->stride[d];
    *first = offset < 0 ? (-offset + step - 1) / step : 0;
    *end = offset >= size ? 0 : (size - 1 - offset) / step + 1;
    *first = BP__MIN(*first, places);
    *end = BP__MIN(BP__MAX(*end, *first), places);
}

#define COPY(type)                                                                                              \
    {                                                                                                           \
        const type *from = (const type *)j->images->data + plane * height * width;                              \
        type *to = (type *)j->columns->data + i * j->places[0] * j->places[1];                                  \
        for (int64_t r = r0; r < r1; r++)                                                                       \
            for (int64_t c = c0; c < c1; c++)                                                                   \
                to[r * j->places[1] + c] = from[(r * w->stride[0] + down) * width + c * w->stride[1] + across]; \
    }
static void patches_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const bp__window *w = j->w;
    const int64_t height = j->images->dim[2], width = j->images->dim[3], length = j->places[0] * j->places[1];
    const size_t size = bp_dtype_size((bp_dtype)j->images->dtype);
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        int64_t k = i % (w->kernel[0] * w->kernel[1]), plane = i / (w->kernel[0] * w->kernel[1]), r0, r1, c0, c1;
        int64_t down = k / w->kernel[1] * w->dilation[0] - w->padding[0],
                across = k % w->kernel[1] * w->dilation[1] - w->padding[1];
        inside(w, 0, k / w->kernel[1], height, j->places[0], &r0, &r1);
        inside(w, 1, k % w->kernel[1], width, j->places[1], &c0, &c1);
        memset(bp__at(j->columns, i * length), 0, (size_t)length * size);
        if (size == 4)
            COPY(float)
        else
            COPY(double)
    }
}
#undef COPY

void bp__patches(const bp__env *env, const bp__window *w, const bp__tensor *columns, const bp__tensor *images) {
    if (bp__tensor_count(columns) == 0) return;
    job j = {.w = w, .columns = columns, .images = images, .n_items = columns->dim[0] * columns->dim[1]};
    for (int d = 0; d < 2; d++) j.places[d] = places_of(w, images, d);
    bp__walk_run(env, j.n_items, columns->dim[2], &j.per_piece, patches_piece, &j);
}

#define ADD(type)                                                                                                \
    {                                                                                                            \
        type *to = (type *)j->images->data + i * height * width;                                                 \
        const type *from = (const type *)j->columns->data + (i * n_k + k) * j->places[0] * j->places[1];         \
        for (int64_t r = r0; r < r1; r++)                                                                        \
            for (int64_t c = c0; c < c1; c++)                                                                    \
                to[(r * w->stride[0] + down) * width + c * w->stride[1] + across] += from[r * j->places[1] + c]; \
    }
static void patches_add_piece(void *arg, int64_t piece, int thread) {
    (void)thread;
    const job *j = arg;
    const bp__window *w = j->w;
    const int64_t height = j->images->dim[2], width = j->images->dim[3], n_k = w->kernel[0] * w->kernel[1];
    const size_t size = bp_dtype_size((bp_dtype)j->images->dtype);
    for (int64_t i = piece * j->per_piece; i < BP__MIN((piece + 1) * j->per_piece, j->n_items); i++) {
        memset(bp__at(j->images, i * height * width), 0, (size_t)(height * width) * size);
        for (int64_t k = 0; k < n_k; k++) {
            int64_t r0, r1, c0, c1;
            int64_t down = k / w->kernel[1] * w->dilation[0] - w->padding[0],
                    across = k % w->kernel[1] * w->dilation[1] - w->padding[1];
            inside(w, 0, k / w->kernel[1], height, j->places[0], &r0, &r1);
            inside(w, 1, k % w->kernel[1], width, j->places[1], &c0, &c1);
            if (size == 4)
                ADD(float)
            else
                ADD(double)
        }
    }
}
#undef ADD

void bp__patches_add(const bp__env *env, const bp__window *w, const bp__tensor *images, const bp__tensor *columns) {
    if (bp__tensor_count(images) == 0) return;
    job j = {.w = w, .columns = columns, .images = images, .n_items = images->dim[0] * images->dim[1]};
    for (int d = 0; d < 2; d++) j.places[d] = places_of(w, images, d);
    bp__walk_run(env, j.n_items, images->dim[2] * images->dim[3], &j.per_piece, patches_add_piece, &j);
}
