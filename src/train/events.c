/* Lines of decisions.jsonl: what was decided or happened, with its evidence. */
#include <stdio.h>
#include <string.h>

#include "io/json.h"
#include "train/train.h"

bp_status bp__event_begin(bp_run *run, const char *event, bp__tree **t) {
    *t = bp__tree_new(run->ctx, BP__MAP);
    if (!*t) return bp__out_of_memory(run->ctx, 0);
    bp_status status = bp__put_text(run->ctx, *t, "event", event);
    return status == BP_OK ? bp__put_int(run->ctx, *t, "step", run->steps) : status;
}

bp_status bp__event_end(bp_run *run, bp__tree *t, bp_status status) {
    if (status == BP_OK) {
        bp__json_add(&run->events, t, 0);
        bp__buffer_text(&run->events, "\n");
    }
    bp__tree_free(run->ctx, t);
    return status;
}

bp_status bp__event_line(bp_run *run, const char *event, const char *text) {
    bp__tree *t = NULL;
    bp_status status = bp__event_begin(run, event, &t);
    if (status == BP_OK) status = bp__put_text(run->ctx, t, "why", text);
    return bp__event_end(run, t, status);
}

bp_status bp__event(bp_run *run, const char *event, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return bp__event_line(run, event, text);
}

bp_status bp__tell_decisions(bp_run *run, const bp__tree *t, const char *path) {
    for (const bp__tree *c = t->kind == BP__MAP ? t->child : NULL; c; c = c->next) {
        char where[300], text[700];
        snprintf(where, sizeof where, "%.200s%s%.90s", path, path[0] ? "." : "", c->key);
        if (c->comment) {
            char *value = NULL;
            BP_TRY(bp__json_write(run->ctx, c, 0, &value));
            snprintf(text, sizeof text, "%s = %.200s: %.180s", where, value, c->comment);
            bp__free(run->ctx, value);
            BP_TRY(bp__event_line(run, "decision", text));
        }
        BP_TRY(bp__tell_decisions(run, c, where));
    }
    return BP_OK;
}
