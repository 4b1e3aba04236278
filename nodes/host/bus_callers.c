/* SPDX-License-Identifier: MPL-2.0
 * Places for callers, by file descriptor. */
#include "nodes/host/bus_callers.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a bound on what waits there: libzmq's own thread would stand still at it. It is read with
 * each new caller. */
void callers_watch(struct callers *callers, void *context, void *socket, unsigned most)
{
    const int none = 0;
    char endpoint[64];

    assert(most <= CALLERS_MOST);
    callers->most = most;
    snprintf(endpoint, sizeof(endpoint), "inproc://grove-callers-%p", socket);
    callers->events = zmq_socket(context, ZMQ_PAIR);
    if (callers->events == NULL ||
        zmq_socket_monitor(socket, endpoint, ZMQ_EVENT_DISCONNECTED) != 0) {
        abort();
    }
    zmq_setsockopt(callers->events, ZMQ_LINGER, &none, sizeof(none));
    zmq_setsockopt(callers->events, ZMQ_RCVHWM, &none, sizeof(none));
    const int rc = zmq_connect(callers->events, endpoint);
    assert(rc == 0);
}

void callers_end(struct callers *callers, void *socket)
{
    if (callers->events != NULL) {
        zmq_socket_monitor(socket, NULL, 0);
        zmq_close(callers->events);
        *callers = (struct callers){.events = NULL};
    }
}

static bool has(const struct callers *callers, int fd, unsigned *at)
{
    for (*at = 0; *at < callers->count; ++*at) {
        if (callers->fd[*at] == fd) {
            return true;
        }
    }
    return false;
}

/* An event is two parts: its number in 16 bits and the descriptor in 32; the address. */
static void forget_those_gone(struct callers *callers)
{
    uint8_t part[8];
    int32_t fd;
    unsigned at;

    while (zmq_recv(callers->events, part, sizeof(part), ZMQ_DONTWAIT) >=
           (int)(sizeof(uint16_t) + sizeof(fd))) {
        memcpy(&fd, part + sizeof(uint16_t), sizeof(fd));
        const int rc = zmq_recv(callers->events, part, sizeof(part), ZMQ_DONTWAIT);
        assert(rc >= 0);
        if (has(callers, fd, &at)) {
            callers->fd[at] = callers->fd[--callers->count];
        }
    }
}

bool callers_admit(struct callers *callers, zmq_msg_t *message)
{
    unsigned at;

    if (callers->events == NULL) {
        return true;
    }
    const int fd = zmq_msg_get(message, ZMQ_SRCFD);

    if (has(callers, fd, &at)) {
        return true;
    }
    forget_those_gone(callers);
    if (callers->count == callers->most) {
        return false;
    }
    callers->fd[callers->count++] = fd;
    return true;
}
