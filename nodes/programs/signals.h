/* SPDX-License-Identifier: MPL-2.0
 * SIGINT, SIGTERM and SIGHUP for programs that serve: the first asks to stop, the second insists.
 */
#ifndef GROVE_NODES_PROGRAMS_SIGNALS_H
#define GROVE_NODES_PROGRAMS_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Keeps them from every thread that is made from now on. Call it before the first. */
void signals_block(sigset_t *stops);

struct signals {
    sigset_t stops;
    void (*stop)(void *context);
    void *context;
    atomic_bool is_over;
    pthread_t thread;
};

/* Calls `stop` on a thread of its own for the first signal; the second ends the process. After
 * signals_block. */
void signals_watch(struct signals *signals, void (*stop)(void *context), void *context);
void signals_unwatch(struct signals *signals);

#endif
