/* SPDX-License-Identifier: MPL-2.0
 * ROUTER and DEALER sockets under CURVE, and the loop that serves them: the seam between everything
 * above and the network. Readers drain up to BUS_DRAIN messages a turn; then the end of the turn
 * flushes what it produced. One thread runs a bus; only bus_signal_raise, bus_stop,
 * bus_frame_retain and bus_frame_release may be called from others. */
#ifndef GROVE_NODES_HOST_BUS_H
#define GROVE_NODES_HOST_BUS_H

#include "core/bytes.h"
#include "core/status.h"

#define BUS_DRAIN 256 /* messages a reader takes in one turn */

struct bus;
struct bus_socket;
struct zap;

/* The X25519 pair of this node; zeroed with the credential that owns it. */
struct link_pair {
    struct key public_key;
    uint8_t secret[32];
};

/* Which peer of a ROUTER: a session handle, never an identity. */
struct route {
    uint8_t size;
    uint8_t byte[255];
};

/* What a REQ put before its body, to be repeated in the reply. Zeroed: a plain DEALER. */
struct envelope {
    bool has_delimiter;
    bool has_request_id; /* only with a delimiter */
    uint8_t request_id[4];
};

/* The bytes of one received message, shared by reference so that a pool may read them. */
struct bus_frame;
struct bytes bus_frame_bytes(const struct bus_frame *frame);
struct bus_frame *bus_frame_retain(struct bus_frame *frame);
void bus_frame_release(struct bus_frame *frame); /* NULL is fine */

struct bus_message {
    struct route route;       /* of a ROUTER */
    struct envelope envelope; /* of a ROUTER */
    bool has_user;            /* false: a DEALER's own peer, pinned by its key; one that left */
    struct key user;          /* the identity that ZAP gave to this connection */
    enum grove_status status; /* GROVE_OK; GROVE_MALFORMED: not one body frame; GROVE_BUSY: one
                                 caller too many (frame is NULL) */
    struct bus_frame *frame;  /* retain it to keep it */
};

typedef void bus_receive(void *context, const struct bus_message *message);
typedef void bus_handler(void *context);

/* A loop. The first of the process makes the ZeroMQ context, the last to go ends it.
 *
 *   spin_us   how long to poll before sleeping after something happened; 0: sleep at once */
struct bus *bus_create(uint32_t spin_us);

/* Closes what is left open, sockets too. NULL is fine. */
void bus_destroy(struct bus *bus);

/* What a socket carries: PEERS has larger frames, and notices a dead host within a second. */
enum bus_traffic { BUS_SESSIONS, BUS_PEERS };

struct bus_bind_options {
    const char *address;    /* HOST:PORT, [IPV6]:PORT or *:PORT; port 0 takes a free one */
    const char *zap_domain; /* one of zap.h */
    struct zap *zap;        /* who guards it; outlives the socket */
    const struct link_pair *link;
    enum bus_traffic traffic;
    unsigned rest;    /* takes a message a turn, and the next only when so many times as long as it
                         took has passed; 0: as many as there are */
    unsigned callers; /* connections that may have sent something, at a time; 0: any number */
};

/* A ROUTER that ZAP guards. There is no other way to bind one: every option that matters is read
 * back and zap_self_test passes before the socket is bound to its address.
 *
 *   errors    GROVE_INVALID: an address we do not take; GROVE_IN_USE; GROVE_PERMISSION: a port for
 *             root; GROVE_IO: an option did not hold; GROVE_DENIED: the self-test failed */
enum grove_status bus_bind(struct bus *bus, const struct bus_bind_options *options,
                           bus_receive *receive, void *context, struct bus_socket **socket)
    GROVE_CHECKED;

/* An XPUB that ZAP guards like a ROUTER; a new connection is not sent anything. What its peers
 * subscribe to comes to `receive`: a byte, 1 or 0, and a topic; of one that left, without a user.
 *
 *   errors    those of bus_bind */
enum grove_status bus_bind_publisher(struct bus *bus, const struct bus_bind_options *options,
                                     bus_receive *receive, void *context,
                                     struct bus_socket **socket) GROVE_CHECKED;

/* In `receive` of a publisher: whoever asked gets all that is sent from now on. To one that does
 * not take it as fast, what is over is not sent. */
void bus_admit(struct bus_socket *publisher);

/* The port a socket is bound to. */
uint16_t bus_port(const struct bus_socket *socket);

/* A DEALER to one server whose public link key is pinned. It reconnects by itself; while it is not
 * connected, bus_send answers GROVE_BUSY.
 *
 *   endpoint  tcp://HOST:PORT or tcp://[IPV6]:PORT
 *   errors    GROVE_INVALID: an endpoint we do not take; GROVE_IO: an option did not hold */
enum grove_status bus_connect(struct bus *bus, const char *endpoint, const struct key *server,
                              const struct link_pair *link, bus_receive *receive, void *context,
                              struct bus_socket **socket) GROVE_CHECKED;

/* A DEALER to another coordinator, as bus_connect, that only sends: whatever is said to it is
 * dropped. */
enum grove_status bus_connect_peer(struct bus *bus, const char *endpoint, const struct key *server,
                                   const struct link_pair *link, struct bus_socket **socket)
    GROVE_CHECKED;

/* How the connection of a DEALER stands. */
enum bus_handshake {
    BUS_UNANSWERED, /* nobody takes it */
    BUS_UNDECIDED,  /* taken, and the handshake is not over */
    BUS_SHUT_OUT,   /* ended in the handshake, without a word */
    BUS_REFUSED,    /* known there, and not let in */
    BUS_CONNECTED
};

enum bus_handshake bus_handshake(struct bus_socket *socket);

/* How many connections a DEALER has had: after another one, its peer does not know it any more. */
uint64_t bus_connections(struct bus_socket *socket);

/* Drops what was not sent yet. A receive function may close its own socket; NULL is fine. */
void bus_close(struct bus *bus, struct bus_socket *socket);

/* Sends one frame, copying it; never waits.
 *
 *   route     of a ROUTER; NULL for a DEALER, and for a publisher
 *   envelope  of the message that is answered; NULL: none
 *   errors    GROVE_BUSY: the pipe is full; GROVE_NOT_FOUND: the peer is gone */
enum grove_status bus_send(struct bus_socket *socket, const struct route *route,
                           const struct envelope *envelope, struct bytes frame) GROVE_CHECKED;

/* Calls `handler` on the loop: when fd is readable; every `ms`; at the end of each turn that did
 * anything. A handler may unwatch any fd.
 *
 *   errors    GROVE_IO: an fd that cannot be polled, or no memory for another */
enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
    GROVE_CHECKED;
void bus_unwatch(struct bus *bus, int fd);
enum grove_status bus_every(struct bus *bus, uint32_t ms, bus_handler *handler, void *context)
    GROVE_CHECKED;
void bus_at_turn_end(struct bus *bus, bus_handler *handler, void *context);

/* A wake-up from other threads: raising it, however often, calls its handler once on the loop. Its
 * handler may destroy it, but no other signal. */
struct bus_signal;
struct bus_signal *bus_signal_create(struct bus *bus, bus_handler *handler, void *context);
void bus_signal_destroy(struct bus_signal *signal);
void bus_signal_raise(struct bus_signal *signal); /* any thread; cheap when already raised */

/* Serves until bus_stop, then ends the turn. Messages wait between calls to it. */
void bus_run(struct bus *bus);

/* Ends this run of the bus, or else the next. Any thread, and signal handlers. */
void bus_stop(struct bus *bus);

#endif
