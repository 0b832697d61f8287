/* One thread team per context: created once, spins briefly, then sleeps. Work is cut into pieces by shape alone, so
   results never depend on the number of threads. */
#ifndef BP__THREADS_H
#define BP__THREADS_H
#include "core/core.h"

typedef struct bp__team bp__team;
/* n_threads counts the caller; 0 = all cores. The team's helpers start at the first bp__team_run that needs them. */
bp_status bp__team_new(bp__team **out, bp_context *ctx, int n_threads);
void bp__team_free(bp__team *team);
int bp__team_size(const bp__team *team);
typedef void (*bp__piece)(void *arg, int64_t piece, int thread); /* thread in [0, size): index of per-thread scratch */
/* Runs piece(arg, 0 … n-1); returns when all are done. n == 1 or size 1: on the caller, without waking anybody. Only
   one run at a time per team (a second caller runs its pieces alone, as thread 0 of its own). */
void bp__team_run(bp__team *team, int64_t n, bp__piece piece, void *arg);
#endif
