#include "io/tfevents.h"

#include "io/files.h"

#include <stdio.h>
#include <string.h>

uint32_t bp__crc32c(const void *data, size_t n) {
    const unsigned char *p = data;
    uint32_t crc = 0xFFFFFFFFu;
    /* Records are tens of bytes: going bit by bit needs no table and takes no time worth saving. */
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return crc ^ 0xFFFFFFFFu;
}

/* The format masks its sums, because a sum over data with a sum in it says little. */
static uint32_t masked_crc(const void *data, size_t n) {
    uint32_t crc = bp__crc32c(data, n);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

static void add_le(bp__buffer *b, uint64_t v, int bytes) {
    unsigned char out[8];
    for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(v >> (8 * i));
    bp__buffer_add(b, out, (size_t)bytes);
}

/* ---- Protocol buffers: a field is its number and wire type, then its value ---------------------------------------- */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void add_varint(bp__buffer *b, uint64_t v) {
    while (v >= 0x80) {
        add_le(b, (v & 0x7F) | 0x80, 1);
        v >>= 7;
    }
    add_le(b, v, 1);
}

static void add_field(bp__buffer *b, unsigned number, unsigned wire) { add_varint(b, (uint64_t)number << 3 | wire); }

static void add_bytes(bp__buffer *b, unsigned number, const void *data, size_t n) {
    add_field(b, number, BYTES);
    add_varint(b, n);
    bp__buffer_add(b, data, n);
}

/* Event.wall_time = 1 (double), Event.step = 2 (int64). */
static void start_event(bp__buffer *b, double wall_time, int64_t step) {
    uint64_t bits;
    memcpy(&bits, &wall_time, sizeof bits);
    add_field(b, 1, FIXED64);
    add_le(b, bits, 8);
    add_field(b, 2, VARINT);
    add_varint(b, (uint64_t)step);
}

/* Summary.Value: tag = 1 (string), simple_value = 2 (float), within Summary.value = 1. */
static void add_value(bp__buffer *summary, bp__buffer *scratch, const char *tag, double value) {
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    scratch->size = 0;
    add_bytes(scratch, 1, tag, strlen(tag));
    add_field(scratch, 2, FIXED32);
    add_le(scratch, bits, 4);
    if (scratch->failed)
        summary->failed = true;
    else
        add_bytes(summary, 1, scratch->data, scratch->size);
}

static void add_record(bp__buffer *b, const bp__buffer *event) {
    bp__buffer length;
    bp__buffer_init(&length, event->ctx);
    add_le(&length, event->size, 8);
    if (event->failed || length.failed) {
        b->failed = true;
    } else {
        bp__buffer_add(b, length.data, 8);
        add_le(b, masked_crc(length.data, 8), 4);
        bp__buffer_add(b, event->data, event->size);
        add_le(b, masked_crc(event->data, event->size), 4);
    }
    bp__buffer_free(&length);
}

bp_status bp__tfevents_new(bp_context *ctx, const char *dir, double wall_time, char **path) {
    static const char version[] = "brain.Event:2";
    *path = NULL;
    for (int k = 0; k < 100000; k++) {
        char name[96];
        (void)snprintf(name, sizeof name, "events.out.tfevents.%010lld.backprop.%d", (long long)wall_time, k);
        bp__free(ctx, *path);
        *path = bp__path_join(ctx, dir, name);
        if (*path == NULL) return bp__out_of_memory(ctx, strlen(dir) + sizeof name);
        if (!bp__file_exists(*path)) break;
    }
    bp__buffer event, record;
    bp__buffer_init(&event, ctx);
    bp__buffer_init(&record, ctx);
    start_event(&event, wall_time, 0);
    add_bytes(&event, 3, version, sizeof version - 1); /* Event.file_version = 3 */
    add_record(&record, &event);
    bp_status status =
        record.failed ? bp__out_of_memory(ctx, record.size) : bp__file_write_atomic(ctx, *path, record.data, record.size);
    bp__buffer_free(&event);
    bp__buffer_free(&record);
    if (status != BP_OK) {
        bp__free(ctx, *path);
        *path = NULL;
    }
    return status;
}

void bp__tfevents_put(bp__buffer *out, double wall_time, int64_t step, const char *const *tags, const double *values, int64_t n) {
    bp__buffer scratch, summary, event;
    bp__buffer_init(&scratch, out->ctx);
    bp__buffer_init(&summary, out->ctx);
    bp__buffer_init(&event, out->ctx);
    for (int64_t i = 0; i < n; i++) add_value(&summary, &scratch, tags[i], values[i]);
    start_event(&event, wall_time, step);
    if (summary.failed)
        event.failed = true;
    else if (n > 0)
        add_bytes(&event, 5, summary.data, summary.size); /* Event.summary = 5 */
    add_record(out, &event);
    bp__buffer_free(&scratch);
    bp__buffer_free(&summary);
    bp__buffer_free(&event);
}

void bp__tfevents_restart(bp__buffer *out, double wall_time, int64_t step) {
    static const unsigned char start[] = {1 << 3 | VARINT, 1}; /* SessionLog.status = 1: START = 1 */
    bp__buffer event;
    bp__buffer_init(&event, out->ctx);
    start_event(&event, wall_time, step);
    add_bytes(&event, 7, start, sizeof start); /* Event.session_log = 7 */
    add_record(out, &event);
    bp__buffer_free(&event);
}

bp_status bp__tfevents_add(bp_context *ctx, const char *path, double wall_time, int64_t step, const char *const *tags,
                           const double *values, int64_t n) {
    bp__buffer record;
    bp__buffer_init(&record, ctx);
    bp__tfevents_put(&record, wall_time, step, tags, values, n);
    bp_status status = record.failed ? bp__out_of_memory(ctx, record.size) : bp__file_append(ctx, path, record.data, record.size);
    bp__buffer_free(&record);
    return status;
}
