/* bp_split, bp_chunk: a tensor cut along an axis into as many values as the caller asks for: slices, no operation of their own.
 */
#include "op/make.h"

void bp_split(bp_value *parts, bp_value x, const int64_t *sizes, int n, int64_t axis) {
    for (int i = 0; i < n; i++) parts[i] = (bp_value){x.graph, -1, 0};
    if (!x.graph || bp_is_bad(x)) return;
    bp_dims d = bp_value_dims(x);
    int64_t given = axis, start = 0;
    char text[256];
    if (!bp__infer_axis(&axis, d.n)) {
        bp__graph_fail(x.graph, BP_SHAPE, "split: axis %lld is not an axis of %s", (long long)given,
                       bp__dims_text(x.graph->dims, &d, text, sizeof text));
        return;
    }
    for (int i = 0; i < n; i++) {
        bool rest = sizes[i] == BP_INFER && i == n - 1;
        if (sizes[i] < 0 && !rest) {
            bp__graph_fail(x.graph, BP_SHAPE, "split: size %d of %d must be a number from 0 (the last may be BP_INFER), not %lld",
                           i + 1, n, (long long)sizes[i]);
            return;
        }
        parts[i] = bp__slice_axis(x, axis, start, sizes[i], 1);
        start += rest ? 0 : sizes[i];
        if (rest || i < n - 1 || d.dim[axis] < 0 || start == d.dim[axis]) continue;
        bp__graph_fail(x.graph, BP_SHAPE, "split: the sizes add up to %lld, but axis %lld of %s has %lld", (long long)start,
                       (long long)axis, bp__dims_text(x.graph->dims, &d, text, sizeof text), (long long)d.dim[axis]);
    }
    for (int i = 0; i < n && x.graph->status != BP_OK; i++) parts[i] = (bp_value){x.graph, -1, 0};
}

int bp_chunk(bp_value *parts, bp_value x, int chunks, int64_t axis) {
    if (!x.graph || bp_is_bad(x)) return 0;
    bp_dims d = bp_value_dims(x);
    char text[256];
    const char *shape = bp__dims_text(x.graph->dims, &d, text, sizeof text);
    int64_t given = axis;
    if (!bp__infer_axis(&axis, d.n) || d.dim[axis] < 0 || chunks < 1) {
        bp__graph_fail(x.graph, BP_SHAPE,
                       "chunk: axis %lld of %s can't be cut into %d parts: give an axis whose size is a number", (long long)given,
                       shape, chunks);
        return 0;
    }
    int64_t size = (d.dim[axis] + chunks - 1) / chunks, start = 0;
    int n = 0;
    do {
        int64_t length = BP__MIN(size, d.dim[axis] - start);
        parts[n++] = bp__slice_axis(x, axis, start, length, 1);
        start += length;
    } while (start < d.dim[axis]);
    return x.graph->status == BP_OK ? n : 0;
}
