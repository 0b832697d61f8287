/* A recipe built in a context and running: its graph, program, state, session, and the numbers of its inputs. */
#ifndef BP__RANDOM_GRAPH_RUN_H
#define BP__RANDOM_GRAPH_RUN_H
#include "support/random_graph.h"

typedef struct running {
    bp_graph *g;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    void *data[MAX_STEPS];
} running;

/* Hands over the numbers of all inputs; they stay where they are until close_running. */
static inline bp_status feed(const recipe *r, running *run, bp_dtype type, int round, int64_t batch) {
    for (int i = 0; i < r->n_steps; i++) {
        const step *s = &r->steps[i];
        if (s->kind != INPUT) continue;
        bp_dims d = s->dims;
        int64_t symbols[2] = {batch, 1};
        for (int64_t k = 0; k < d.n; k++) d.dim[k] = bp__dim_eval(r->g->dims, d.dim[k], symbols);
        int64_t n = elements(r->g, &s->dims, batch);
        free(run->data[i]);
        run->data[i] = malloc((size_t)n * 8 + 1);
        if (!run->data[i]) abort();
        fill_leaf(r, i, round, type, n, run->data[i]);
        char name[32];
        snprintf(name, sizeof name, "x%d", i);
        BP_TRY(bp_session_set(run->session, name, run->data[i], &d));
    }
    return BP_OK;
}

static inline void close_running(const recipe *r, running *run) {
    bp_session_free(run->session);
    bp_program_free(run->program);
    bp_state_free(run->state);
    bp_graph_free(run->g);
    for (int i = 0; i < r->n_steps; i++) free(run->data[i]);
}
#endif
