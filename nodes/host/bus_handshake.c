/* SPDX-License-Identifier: MPL-2.0
 * Events of one socket, over a PAIR of its own. */
#include "nodes/host/bus_handshake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define EVENTS                                                                                     \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |                             \
     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |                             \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

void handshake_end(struct handshake *handshake, struct bus *bus, void *socket)
{
    if (handshake->events != NULL) {
        bus_unwatch(bus, handshake->fd);
        zmq_socket_monitor(socket, NULL, 0);
        zmq_close(handshake->events);
        *handshake = (struct handshake){.events = NULL};
    }
}

/* A server that says nothing to strangers ends their handshake after a while, and they try again:
 * that they were shut out before is what matters, until somebody else is there or nobody. A refusal
 * may be overtaken by the end of its connection, and still is one. */
static void take(struct handshake *handshake, unsigned event)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        if (handshake->state == BUS_UNANSWERED) {
            handshake->state = BUS_UNDECIDED;
        }
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        handshake->state = BUS_CONNECTED;
        handshake->connections++;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        handshake->state = BUS_REFUSED;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        if (handshake->state != BUS_REFUSED) {
            handshake->state = BUS_SHUT_OUT;
        }
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (handshake->state == BUS_CONNECTED) {
            handshake->state = BUS_UNANSWERED;
        }
        break;
    default: /* closed before it was connected */
        handshake->state = BUS_UNANSWERED;
        break;
    }
}

/* An event is two parts: its number in 16 bits and a value; the address. */
enum bus_handshake handshake_look(struct handshake *handshake)
{
    uint8_t part[8];
    uint16_t event;

    while (handshake->events != NULL &&
           zmq_recv(handshake->events, part, sizeof(part), ZMQ_DONTWAIT) >= (int)sizeof(event)) {
        memcpy(&event, part, sizeof(event));
        const int rc = zmq_recv(handshake->events, part, sizeof(part), ZMQ_DONTWAIT);
        assert(rc >= 0);
        take(handshake, event);
    }
    return handshake->state;
}

static void on_events(void *context)
{
    handshake_look(context);
}

/* Either names the address of `socket`, which no other has as long as it is open. Without a bound
 * on what waits there: libzmq's own thread would stand still at it, and all of its sockets with it.
 * A server that is away makes 25 events a second and more, and so each is taken as it comes. */
enum grove_status handshake_watch(struct handshake *handshake, struct bus *bus, void *context,
                                  void *socket)
{
    const int none = 0;
    char endpoint[64];
    size_t size = sizeof(handshake->fd);

    snprintf(endpoint, sizeof(endpoint), "inproc://grove-handshake-%p", socket);
    handshake->events = zmq_socket(context, ZMQ_PAIR);
    if (handshake->events == NULL || zmq_socket_monitor(socket, endpoint, EVENTS) != 0) {
        abort();
    }
    zmq_setsockopt(handshake->events, ZMQ_LINGER, &none, sizeof(none));
    zmq_setsockopt(handshake->events, ZMQ_RCVHWM, &none, sizeof(none));
    int rc = zmq_connect(handshake->events, endpoint);
    assert(rc == 0);
    rc = zmq_getsockopt(handshake->events, ZMQ_FD, &handshake->fd, &size);
    assert(rc == 0);
    handshake_look(handshake); /* libzmq makes the fd readable only after a look found nothing */
    return bus_watch(bus, handshake->fd, on_events, handshake);
}
