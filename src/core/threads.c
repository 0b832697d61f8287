/* The thread team.

   Pieces are claimed from one atomic counter, so a thread that the system holds up delays at most the piece it is in.
   Everything that decides who takes part is in one atomic word, `state`:

      | number of the run (48 bits) | waiting (1) | open (1) | helpers inside (14) |

   A run is published by storing its number with `open` set. A helper enters by adding one to "helpers inside" while the
   run is open, and leaves by taking it off again. The caller works too; when no piece is left it closes the run and waits
   until nobody is inside. A helper that wakes too late finds the run closed and has cost nothing: small runs never wait
   for a sleeper. `piece`, `arg` and `n` change only while the run is closed and nobody is inside. */
#include "core/threads.h"
#include "core/cpu.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define INSIDE_MASK UINT64_C(0x3fff)
#define OPEN UINT64_C(0x4000)
#define WAITING UINT64_C(0x8000)
#define RUN_SHIFT 16

enum { SPIN_NANOSECONDS = 20000, LINE = 64, PAUSES_PER_LOOK = 32 };

typedef struct helper {
    bp__team *team;
    pthread_t thread;
    int index; /* from 1: the caller is 0 */
} helper;

struct bp__team {
    bp_context *ctx;
    helper *helpers;
    int size, n_helpers; /* n_helpers: running ones, 0 before the first run that needs them */
    bool started, spin;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;

    /* Written by every claim, entry or sleep: each on a cache line of its own. */
    _Alignas(LINE) _Atomic uint64_t state;
    _Alignas(LINE) _Atomic int64_t next;
    _Alignas(LINE) _Atomic int n_sleeping;
    _Atomic bool stop;
    _Alignas(LINE) atomic_flag busy;

    _Alignas(LINE) bp__piece piece;
    void *arg;
    int64_t n;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Work for a helper that has last been in run `seen`: a newer run that is open, or the end. */
static bool has_work(bp__team *team, uint64_t seen) {
    uint64_t state = atomic_load(&team->state);
    return ((state & OPEN) && state >> RUN_SHIFT != seen) || atomic_load(&team->stop);
}

/* Every use of the pause instruction differs in length between processors, so the clock bounds the spinning. */
static bool spin_for_work(bp__team *team, uint64_t seen) {
    if (has_work(team, seen)) return true;
    if (!team->spin) return false;
    int64_t end = now_ns() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            pause_briefly();
            if (has_work(team, seen)) return true;
        }
    } while (now_ns() < end);
    return false;
}

static void sleep_for_work(bp__team *team, uint64_t seen) {
    pthread_mutex_lock(&team->mutex);
    /* Announced before looking again, as the caller publishes before looking for sleepers: one of the two sees the other
       (both are sequentially consistent), so no wake-up is lost. */
    atomic_fetch_add(&team->n_sleeping, 1);
    while (!has_work(team, seen)) pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->n_sleeping, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void work(bp__team *team, int thread) {
    int64_t n = team->n;
    bp__piece piece = team->piece;
    void *arg = team->arg;
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (i >= n) return;
        piece(arg, i, thread);
    }
}

/* Enters the open run if there is still one; returns the number of the run that was seen. */
static uint64_t join_run(bp__team *team, int thread) {
    uint64_t state = atomic_load(&team->state);
    do {
        if (!(state & OPEN)) return state >> RUN_SHIFT;
    } while (!atomic_compare_exchange_weak(&team->state, &state, state + 1));
    uint64_t run = state >> RUN_SHIFT;
    work(team, thread);
    uint64_t before = atomic_fetch_sub(&team->state, 1);
    if ((before & INSIDE_MASK) == 1 && (before & WAITING)) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->mutex);
    }
    return run;
}

static void *helper_main(void *p) {
    helper *me = p;
    bp__team *team = me->team;
    bp__fpenv_enter(); /* for the life of the thread */
    uint64_t seen = 0;
    for (;;) {
        if (!spin_for_work(team, seen)) sleep_for_work(team, seen);
        if (atomic_load(&team->stop)) return NULL;
        seen = join_run(team, me->index);
    }
}

/* A thread that the system refuses is done without: the results are the same, only later. */
static void start_helpers(bp__team *team) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the application's own threads */
    int n = 0;
    for (; n < team->size - 1; n++) {
        team->helpers[n] = (helper){.team = team, .index = n + 1};
        if (pthread_create(&team->helpers[n].thread, NULL, helper_main, &team->helpers[n]) != 0) break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    team->n_helpers = n;
    team->started = true;
    if (n < team->size - 1)
        bp__log(team->ctx, BP_LOG_WARNING, "the system gave %d of %d threads; going on with these, slower", n + 1, team->size);
}

bp_status bp__team_new(bp__team **out, bp_context *ctx, int n_threads) {
    *out = NULL;
    int n_cores = bp__cpu_detect().n_cores;
    if (n_threads < 0 || (uint64_t)n_threads > INSIDE_MASK)
        return bp__fail(ctx, BP_INVALID, "a thread team of %d threads was asked for; give 0 (all cores) or more", n_threads);
    if (n_threads == 0) n_threads = n_cores;
    bp__team *team = bp__alloc(ctx, sizeof *team);
    if (!team) return bp__out_of_memory(ctx, sizeof *team);
    *team = (bp__team){.ctx = ctx, .size = n_threads, .spin = n_threads <= n_cores};
    atomic_flag_clear(&team->busy);
    team->helpers = bp__zalloc(ctx, (size_t)n_threads * sizeof *team->helpers);
    if (!team->helpers) {
        bp__free(ctx, team);
        return bp__out_of_memory(ctx, (size_t)n_threads * sizeof *team->helpers);
    }
    int failed = pthread_mutex_init(&team->mutex, NULL);
    if (!failed && (failed = pthread_cond_init(&team->wake, NULL)) != 0) pthread_mutex_destroy(&team->mutex);
    if (!failed && (failed = pthread_cond_init(&team->done, NULL)) != 0) {
        pthread_cond_destroy(&team->wake);
        pthread_mutex_destroy(&team->mutex);
    }
    if (failed) {
        bp__free(ctx, team->helpers);
        bp__free(ctx, team);
        return bp__fail(ctx, BP_MEMORY, "the system refused a lock for the thread team; close other programs and try again");
    }
    *out = team;
    return BP_OK;
}

void bp__team_free(bp__team *team) {
    if (!team) return;
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->stop, true);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (int i = 0; i < team->n_helpers; i++) pthread_join(team->helpers[i].thread, NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    bp_context *ctx = team->ctx;
    bp__free(ctx, team->helpers);
    bp__free(ctx, team);
}

int bp__team_size(const bp__team *team) { return team->size; }

static void run_alone(int64_t n, bp__piece piece, void *arg) {
    for (int64_t i = 0; i < n; i++) piece(arg, i, 0);
}

static void wake_sleepers(bp__team *team, int64_t n_wanted) {
    if (atomic_load(&team->n_sleeping) == 0) return;
    pthread_mutex_lock(&team->mutex);
    int n = atomic_load(&team->n_sleeping);
    if (n_wanted >= n)
        pthread_cond_broadcast(&team->wake);
    else
        for (int64_t i = 0; i < n_wanted; i++) pthread_cond_signal(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* Closes the run and waits until the last helper has left it. */
static void close_run(bp__team *team) {
    uint64_t state = atomic_fetch_and(&team->state, ~OPEN);
    if (!(state & INSIDE_MASK)) return;
    if (team->spin) {
        int64_t end = now_ns() + SPIN_NANOSECONDS;
        do {
            for (int i = 0; i < PAUSES_PER_LOOK; i++) {
                pause_briefly();
                if (!(atomic_load(&team->state) & INSIDE_MASK)) return;
            }
        } while (now_ns() < end);
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_or(&team->state, WAITING);
    while (atomic_load(&team->state) & INSIDE_MASK) pthread_cond_wait(&team->done, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

void bp__team_run(bp__team *team, int64_t n, bp__piece piece, void *arg) {
    if (n <= 0) return;
    /* The caller computes as its helpers do, whether or not it has entered the environment itself. */
    bp__fpenv e = bp__fpenv_enter();
    if (n == 1 || team->size == 1 || atomic_flag_test_and_set_explicit(&team->busy, memory_order_acquire)) {
        run_alone(n, piece, arg);
        bp__fpenv_leave(e);
        return;
    }
    if (!team->started) start_helpers(team);
    team->piece = piece;
    team->arg = arg;
    team->n = n;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    uint64_t run = (atomic_load_explicit(&team->state, memory_order_relaxed) >> RUN_SHIFT) + 1;
    atomic_store(&team->state, run << RUN_SHIFT | OPEN);
    wake_sleepers(team, n - 1);
    work(team, 0);
    close_run(team);
    atomic_flag_clear_explicit(&team->busy, memory_order_release);
    bp__fpenv_leave(e);
}
