/* Scalars for TensorBoard: a file of records, each with a masked CRC-32C of its length and of its content, which is an Event
   message of protocol buffers. */
#ifndef BP__IO_TFEVENTS_H
#define BP__IO_TFEVENTS_H
#include "core/core.h"

uint32_t bp__crc32c(const void *data, size_t n); /* Castagnoli */

/* Makes `dir`/events.out.tfevents.SECONDS.backprop.K (K: the first free number) with the record that names the format's
   version. *path is freed with bp__free. `wall_time` is in seconds since 1970. */
bp_status bp__tfevents_new(bp_context *ctx, const char *dir, double wall_time, char **path);
/* Adds the record of one event with n values to `out`, which is then to be appended to the file. */
void bp__tfevents_put(bp__buffer *out, double wall_time, int64_t step, const char *const *tags, const double *values, int64_t n);
/* The record that a program goes on at `step`: what other files of the folder say of this and later steps is void. */
void bp__tfevents_restart(bp__buffer *out, double wall_time, int64_t step);
/* Appends one event with n values. */
bp_status bp__tfevents_add(bp_context *ctx, const char *path, double wall_time, int64_t step, const char *const *tags,
                           const double *values, int64_t n);

#endif
