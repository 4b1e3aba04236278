/* SPDX-License-Identifier: MPL-2.0
 * The one ZeroMQ context of the process: inproc, and so ZAP, works only within one; and libzmq
 * 4.3.4 closes libsodium's randomness whenever a context ends. */
#ifndef GROVE_NODES_HOST_BUS_CONTEXT_H
#define GROVE_NODES_HOST_BUS_CONTEXT_H

#include <stdbool.h>

/* Its I/O threads. A crowd that comes keeps one at handshakes for seconds, and would cost a leader
 * its office: coordinators, who take each other for dead sooner, talk on one of their own. */
enum bus_thread {
    BUS_THREAD_MAIN,
    BUS_THREAD_PEERS,
    BUS_THREAD_COUNT,
};

/* Makes the context if there is none; any thread. Out of memory aborts. */
void *bus_context_retain(void);

/* The last one ends it; all sockets are closed by then. */
void bus_context_release(void);

/* Whether libzmq is the version we know, or newer, and speaks CURVE. */
bool bus_context_has_curve(void);

/* libzmq's version, "4.3.4". */
#define BUS_VERSION_SIZE 40
void bus_context_version(char text[BUS_VERSION_SIZE]);

#endif
