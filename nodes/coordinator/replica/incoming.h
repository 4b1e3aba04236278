/* SPDX-License-Identifier: MPL-2.0
 * A snapshot that the leader sends: its chunks go, in order, into a file of their own, which is
 * handed over when it is whole and its digest is right.
 *
 * Meanwhile a leader sends no AppendEntries, in which libraft would see its life, and in whose
 * answers the leader sees that of its followers. So a chunk stands for an empty one. */
#ifndef GROVE_COORDINATOR_REPLICA_INCOMING_H
#define GROVE_COORDINATOR_REPLICA_INCOMING_H

#include "nodes/coordinator/replica/peer_message.h"

#include <sodium.h>

/* As the offset of a PEER_CHUNK_TAKEN: it cannot be taken, begin anew. */
#define PEER_CHUNK_REFUSED UINT64_MAX

enum incoming_state {
    INCOMING_NONE,  /* none was announced */
    INCOMING_RUNS,  /* `offset` bytes are there */
    INCOMING_WHOLE, /* ... all of them: incoming_take */
    INCOMING_BROKEN /* the digest is wrong, or it cannot be written */
};

struct incoming {
    enum incoming_state state;
    int fd;
    uint64_t index, size, offset;
    struct raft_message message; /* of the announcement, whole but for its data */
    crypto_generichash_state hash;
    uint8_t tail[40]; /* the end of the file: its size before, and the digest of that */
    uint64_t beat_ms;
};

void incoming_init(struct incoming *incoming);

/* Gives up what is under way. */
void incoming_clear(struct incoming *incoming);

/* True when this announcement is of what is under way: it goes on where it is. */
bool incoming_goes_on(const struct incoming *incoming, const struct peer_message *message);

/* Begins with what was announced, in place of another.
 *
 *   message   PEER_INSTALL; its configuration is taken
 *   fd        an empty file, taken; -1 for none: it is broken from the start */
void incoming_begin(struct incoming *incoming, struct peer_message *message, int fd);

/* Writes a chunk that is the next one of the sender's snapshot; ignores all others. */
void incoming_chunk(struct incoming *incoming, const struct peer_message *message);

enum incoming_state incoming_state(const struct incoming *incoming);

/* The empty AppendEntries that a chunk stands for, if one is due. */
bool incoming_heartbeat(struct incoming *incoming, uint64_t now_ms, struct raft_message *message);

/* Hands over a whole snapshot: InstallSnapshot with a token (voter.h), its file written and not
 * synced. */
void incoming_take(struct incoming *incoming, struct raft_message *message);

#endif
