/* SPDX-License-Identifier: MPL-2.0
 * Signals are waited for, not caught, so that no handler needs a global. */
#include "nodes/programs/signals.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define OVER SIGUSR1 /* tells the watching thread to look at is_over */

void signals_block(sigset_t *stops)
{
    sigemptyset(stops);
    sigaddset(stops, SIGINT);
    sigaddset(stops, SIGTERM);
    sigaddset(stops, SIGHUP);
    pthread_sigmask(SIG_BLOCK, stops, NULL);
}

static void *watch(void *context)
{
    struct signals *signals = context;
    int number;

    sigwait(&signals->stops, &number);
    if (!atomic_load(&signals->is_over)) {
        signals->stop(signals->context);
        sigwait(&signals->stops, &number);
    }
    if (!atomic_load(&signals->is_over)) {
        _exit(128 + number);
    }
    return NULL;
}

void signals_watch(struct signals *signals, void (*stop)(void *context), void *context)
{
    signals->stop = stop;
    signals->context = context;
    atomic_init(&signals->is_over, false);
    signals_block(&signals->stops);
    sigaddset(&signals->stops, OVER);
    pthread_sigmask(SIG_BLOCK, &signals->stops, NULL);
    if (pthread_create(&signals->thread, NULL, watch, signals) != 0) {
        abort();
    }
}

void signals_unwatch(struct signals *signals)
{
    atomic_store(&signals->is_over, true);
    pthread_kill(signals->thread, OVER);
    pthread_join(signals->thread, NULL);
}
