/* SPDX-License-Identifier: MPL-2.0
 * A snapshot on its way to a peer: its file, in chunks, of which a few are under way at a time, so
 * that neither the loop nor what else the peer is sent has to wait for them. */
#ifndef GROVE_COORDINATOR_REPLICA_OUTGOING_H
#define GROVE_COORDINATOR_REPLICA_OUTGOING_H

#include "nodes/coordinator/replica/peer_message.h"

enum outgoing_state { OUTGOING_NONE, OUTGOING_RUNS, OUTGOING_ARRIVED, OUTGOING_REFUSED };

struct outgoing {
    int fd; /* -1: none is under way */
    uint64_t index, size;
    uint64_t sent, taken; /* bytes */
    bool is_announced;
    uint64_t moved_ms, asked_ms;          /* 0: not yet */
    struct raft_install_snapshot install; /* with a configuration of its own */
    uint8_t *chunk;
};

void outgoing_init(struct outgoing *outgoing);

/* Gives up what is under way, if there is anything. */
void outgoing_end(struct outgoing *outgoing);

/* Begins with the snapshot of this index, in place of another. False when its file cannot be read.
 *
 *   fd        of the file; taken
 *   install   borrowed */
bool outgoing_begin(struct outgoing *outgoing, int fd, uint64_t index,
                    const struct raft_install_snapshot *install);

/* What to send next, if anything: the announcement, then chunks; good until the next call. Nothing
 * has been sent before outgoing_sent says so. */
bool outgoing_next(struct outgoing *outgoing, struct peer_message *message);
void outgoing_sent(struct outgoing *outgoing, const struct peer_message *message);

/* Hears how far the peer is, and says how the transfer stands. */
enum outgoing_state outgoing_taken(struct outgoing *outgoing, const struct peer_chunk *taken,
                                   uint64_t now_ms);

/* Begins again where the peer is when nothing has moved for a second; OUTGOING_REFUSED after ten.
 */
enum outgoing_state outgoing_tick(struct outgoing *outgoing, uint64_t now_ms);

#endif
