/* SPDX-License-Identifier: MPL-2.0
 * How messages of consensus reach the other replicas: peers.c over CURVE sockets, and the simulator
 * over a network that loses them. What arrives goes to replica_receive. */
#ifndef GROVE_COORDINATOR_REPLICA_TRANSPORT_H
#define GROVE_COORDINATOR_REPLICA_TRANSPORT_H

#include <raft.h>
#include <stdbool.h>

struct replica_transport {
    void *context;

    /* Sends to the replica of message->server_id, which is reached as message->server_address says.
     * Never blocks, never calls back. Encodes or copies what it keeps: nothing that `message`
     * points to may be used after this returns.
     *
     * An InstallSnapshot carries no state but a token of its index (voter.h): the transport
     * streams the file, and says how that ended with replica_transferred.
     *
     *   returns   false when the peer cannot be reached now; libraft tries again by itself */
    bool (*send)(void *context, const struct raft_message *message);
};

#endif
