/* SPDX-License-Identifier: MPL-2.0
 * A node's session with the mesh, for clients and workers alike: connects, says Hello until it is
 * welcomed, keeps ledger time and the certificates it was shown, notices silence and says Hello
 * again. Everything here runs on the thread that runs the bus, but for session_ledger_ms. */
#ifndef GROVE_NODES_CLIENT_SESSION_H
#define GROVE_NODES_CLIENT_SESSION_H

#include <stdatomic.h>

#include "core/trust.h"
#include "core/wire.h"
#include "nodes/client/places.h"
#include "nodes/host/bus.h"
#include "nodes/host/credential.h"

#define SESSION_TICK_MS 100u    /* between two calls of session_tick */
#define SESSION_HELLO_MS 250u   /* between two Hellos */
#define SESSION_AGAIN_MS 50u    /* ... to one that does not lead, and knows nobody who does */
#define SESSION_MOVE_MS 20u     /* between two connections, lest two send us to and fro */
#define SESSION_HURRY_MS 2u     /* between two tries to say the first one: connecting takes a few */
#define SESSION_ERROR_SIZE 1024 /* bytes of session_complaint's text, as GROVE_ERROR_SIZE */
#define SESSION_TRY_MS 150u     /* not connected for so long: it tries the next coordinator, ... */
#define SESSION_GIVE_UP_MS 600u /* ... or not welcome */

/* What the owner of a session hears; slices are borrowed for the call. */
struct session_events {
    void *context;

    /* A Welcome has come: to a Hello (session 0), after which everything unanswered is to be sent
     * again, or to an Enlist. */
    void (*welcomed)(void *context, const struct message *message, const struct welcome *welcome);

    /* Any other message than those the session itself answers to. */
    void (*received)(void *context, const struct message *message);
};

struct session {
    struct bus *bus;
    struct bus_socket *socket;
    int hurry;                           /* timerfd, until the first Hello is said; then -1 */
    const struct credential *credential; /* taken; the owner's */
    struct session_events events;
    struct trust trust; /* every certificate seen, verified */
    struct id boot;
    bool has_ledger;
    struct id ledger;
    bool is_welcome;
    struct places places;
    unsigned coordinator; /* of the places */
    uint64_t lost_ms;     /* monotonic; since when it is not welcome */
    uint64_t connections; /* of the socket, when it was welcomed */
    uint32_t heartbeat_ms, silence_ms;
    uint64_t connected_ms, hello_ms, heard_ms, beat_ms; /* monotonic; of the last one */
    uint64_t correlation;                               /* the last one given out */
    atomic_int_least64_t offset_ms;                     /* ledger time less the local clock */
    enum grove_status refusal; /* why the last Hello was refused for good */
    char refusal_text[256];
    struct buffer scratch;
};

/* Connects to the first coordinator of the credential, and learns its certificates.
 *
 *   errors    GROVE_NOT_FOUND: the credential names no coordinator; those of bus_connect */
enum grove_status session_open(struct session *session, struct bus *bus,
                               const struct credential *credential,
                               const struct session_events *events) GROVE_CHECKED;

/* Accepts a zeroed session. */
void session_close(struct session *session);

/* To be called every SESSION_TICK_MS: says Hello, notices silence, moves on to the next
 * coordinator. Where there are several, it looks for the leader as soon as its own is gone. */
void session_tick(struct session *session, uint64_t now_ms);

/* Whether a heartbeat is due; once true, the next is due heartbeat_ms later. */
bool session_beat(struct session *session, uint64_t now_ms);

/* Begins anew with Hello: this coordinator does not know us any more. */
void session_restart(struct session *session);

/* Sends one frame, copied; never before the Welcome.
 *
 *   errors    GROVE_BUSY, GROVE_NOT_FOUND: not now; the caller keeps it */
enum grove_status session_send(struct session *session, struct bytes frame) GROVE_CHECKED;

uint64_t session_correlation(struct session *session);

/* Ledger time as far as we know it; any thread. */
uint64_t session_ledger_ms(const struct session *session);
void session_set_stamp(struct session *session, uint64_t stamp_ms);

/* Admits certificates that came beside what they signed; drops those that do not verify. */
void session_learn(struct session *session, struct wire_list certificates);

/* Why nobody answers, by how the connection stands; as session_complaint. */
enum grove_status session_why(enum bus_handshake handshake, const char *endpoint, const char *path,
                              char *error);

/* Why there is no Welcome, for people, with what to do about it; returns the status to report.
 *
 *   path      of the credential file
 *   error     out: SESSION_ERROR_SIZE bytes */
enum grove_status session_complaint(const struct session *session, const char *path, char *error);

#endif
