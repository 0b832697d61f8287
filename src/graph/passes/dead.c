/* What nothing uses is dropped. */
#include "graph/plan.h"

bp_status bp__pass_dead(bp_program *p) {
    bp__rewrite w;
    BP_TRY(bp__rewrite_begin(&w, p));
    bool *live = bp__zalloc(p->ctx, (size_t)w.n_old + 1);
    bp_status status = live ? BP_OK : bp__out_of_memory(p->ctx, 0);
    if (live) {
        for (int64_t i = 0; i < p->n_outputs; i++) live[p->outputs[i].node] = true;
        for (int64_t i = 0; i < p->n_assigns; i++) live[p->assigns[i].value.node] = true;
        if (p->ok.node >= 0) live[p->ok.node] = true;
        for (int64_t i = w.n_old - 1; i >= 0; i--)
            for (int32_t k = 0; live[i] && k < w.old[i].n_in; k++)
                if (w.old[i].in[k].node >= 0) live[w.old[i].in[k].node] = true;
    }
    for (int64_t i = 0; i < w.n_old && status == BP_OK; i++)
        if (live[i]) status = bp__rewrite_keep(&w, i);
    bp__free(p->ctx, live);
    if (status == BP_OK) return bp__rewrite_end(&w);
    bp__rewrite_abandon(&w);
    return status;
}
