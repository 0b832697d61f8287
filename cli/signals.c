/* The first signal asks the training to finish its step and to save; the second leaves at once. */
#include "cli.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t first_signal; /* a handler has no other way to tell anybody */

static void note(int number) {
    if (first_signal) _exit(128 + number);
    first_signal = number;
}

void cli_signals_catch(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++) {
        struct sigaction old, action = {.sa_handler = note, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue; /* nohup */
        sigaction(numbers[i], &action, NULL);
    }
}

int cli_signal(void) { return first_signal; }
