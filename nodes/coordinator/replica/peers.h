/* SPDX-License-Identifier: MPL-2.0
 * The other coordinators: messages of consensus over CURVE sockets, one ROUTER that only receives
 * and, to each peer, one DEALER that only sends. ZAP lets in coordinators' keys alone; who sent a
 * message is then taken from the key of its connection, and a message that says otherwise is
 * dropped and counted.
 *
 * Nothing here waits: what a peer does not take now is lost, and libraft sends it again. */
#ifndef GROVE_COORDINATOR_REPLICA_PEERS_H
#define GROVE_COORDINATOR_REPLICA_PEERS_H

#include "nodes/coordinator/replica/peer_address.h"
#include "nodes/coordinator/replica/peer_sum.h"
#include "nodes/coordinator/replica/transport.h"
#include "nodes/host/bus.h"

struct peers; /* opaque */

struct peers_options {
    struct bus *bus;  /* borrowed, as all here, until peers_destroy */
    struct zap **zap; /* started before peers_bind */
    const struct link_pair *link;
    const char *listen;  /* HOST:PORT; of the peers' socket */
    uint64_t id;         /* ours */
    const char *address; /* ours, as the ledger has it */
    void *context;       /* of what follows */

    /* The link key of a coordinator, by its certificate; false: it has none that is good. */
    bool (*link_of)(void *context, const struct key *identity, struct key *link);

    /* As replica_receive, replica_transferred, replica_snapshot_file, replica_incoming_file. */
    void (*receive)(void *context, struct raft_message *message);
    void (*transferred)(void *context, uint64_t peer, bool arrived);
    enum grove_status (*snapshot_file)(void *context, uint64_t index, int *fd);
    enum grove_status (*incoming_file)(void *context, uint64_t index, int *fd);

    /* Somebody waits to be added to the ledger. */
    void (*knocked)(void *context, uint64_t id, const char *address);

    /* A coordinator has summed up a stretch of the ledger. */
    void (*told)(void *context, uint64_t id, const struct peer_sum *sum);

    /* Another ledger than ours counts our key among its members. */
    void (*claimed)(void *context);
};

struct peers_counters {
    uint64_t sent, received; /* messages */
    uint64_t unsent;         /* the peer was not there, or did not keep up */
    uint64_t malformed;      /* dropped: no frame of ours, or of another version */
    uint64_t forged;         /* dropped: it says that another sent it */
    uint64_t misdirected;    /* dropped: for another than us, or of another ledger */
    uint64_t snapshots_sent, snapshots_received;
    uint64_t snapshots_failed; /* either way */
};

/* Peers that nobody can reach yet; a replica may be opened over them. */
struct peers *peers_create(const struct peers_options *options);

/* Binds the socket: from now on the replica hears what they say.
 *
 *   errors    those of bus_bind */
enum grove_status peers_bind(struct peers *peers) GROVE_CHECKED;

/* NULL is fine. */
void peers_destroy(struct peers *peers);

/* What a replica sends through; good until peers_destroy. */
const struct replica_transport *peers_transport(const struct peers *peers);

/* Which ledger this is, once that is known: messages of another are dropped. */
void peers_set_ledger(struct peers *peers, const struct id *ledger);

/* Tells a coordinator, which may or may not be of the ledger, that we wait to be added to it. */
void peers_knock(struct peers *peers, const struct peer_address *at);

/* Tells a member what we have made of a stretch of the ledger. */
void peers_tell(struct peers *peers, uint64_t id, const struct peer_address *at,
                const struct peer_sum *sum);

/* Lets time pass: transfers that stand still, connections that nobody uses. Every heartbeat. */
void peers_tick(struct peers *peers);

/* How the connection to a peer stands; BUS_UNANSWERED also when there is none. */
enum bus_handshake peers_handshake(struct peers *peers, uint64_t id);

void peers_read_counters(const struct peers *peers, struct peers_counters *counters);

#endif
