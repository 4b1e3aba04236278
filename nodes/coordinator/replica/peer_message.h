/* SPDX-License-Identifier: MPL-2.0
 * What coordinators say to each other, as frames: the six messages of libraft, and the pieces of a
 * snapshot's file. All integers are little-endian words of 8 bytes; the layout is drawn in the .c.
 *
 * Decoding is strict: every length is checked before it is used, a word that means nothing is
 * refused, and nothing may be left over. */
#ifndef GROVE_COORDINATOR_REPLICA_PEER_MESSAGE_H
#define GROVE_COORDINATOR_REPLICA_PEER_MESSAGE_H

#include "core/buffer.h"
#include "core/status.h"
#include "nodes/coordinator/replica/peer_sum.h"

#include <raft.h>
#include <stdbool.h>

enum peer_type {
    PEER_REQUEST_VOTE = 1,
    PEER_VOTE,     /* its result */
    PEER_APPEND,   /* AppendEntries */
    PEER_APPENDED, /* its result */
    PEER_INSTALL,  /* InstallSnapshot, but for the state, whose chunks follow */
    PEER_TIMEOUT_NOW,
    PEER_CHUNK,       /* bytes of the snapshot's file */
    PEER_CHUNK_TAKEN, /* the file has been written up to `offset` */
    PEER_KNOCK,       /* the sender waits to be added to the ledger */
    PEER_SUM          /* what the sender made of a stretch of the ledger */
};

#define PEER_CHUNK_SIZE ((size_t)256 << 10) /* bytes */
#define PEER_ENTRIES 65536u                 /* of one AppendEntries; a sender cuts it */

/* A piece of the file of a snapshot. */
struct peer_chunk {
    uint64_t index;  /* of the snapshot */
    uint64_t offset; /* in its file; PEER_CHUNK_TAKEN: where the next chunk is expected */
    struct bytes bytes;
};

struct peer_message {
    enum peer_type type;
    raft_id from, to;
    struct bytes address;     /* of the sender, as the ledger has it; 1 to 255 bytes, no NUL */
    struct id ledger;         /* zero: the sender has none yet */
    struct raft_message raft; /* of the first six; server_address is left NULL */
    uint64_t snapshot_size;   /* PEER_INSTALL: bytes of the file; its data is left empty */
    struct peer_chunk chunk;  /* of PEER_CHUNK and its answer */
    struct peer_sum sum;      /* of PEER_SUM */
};

/* Appends a frame, copying everything.
 *
 *   message   of the six: what libraft gave to send; server_id is `to` */
void peer_message_encode(struct buffer *frame, const struct peer_message *message);

/* The type that a message of libraft travels as; 0: it has no such message. */
enum peer_type peer_type_of(const struct raft_message *message);

/* Reads a frame. What it points to is as libraft wants to own it: the entries in one raft_malloc
 * array, their payloads in one block, each at a multiple of 8 bytes, which every `batch` points to;
 * the address and a chunk's bytes borrow from the frame. raft.server_id is `from`.
 *
 *   frame     hostile
 *   message   for peer_message_clear; untouched on failure
 *   errors    GROVE_MALFORMED, GROVE_TOO_LARGE; GROVE_VERSION: of another version of this format */
enum grove_status peer_message_decode(struct bytes frame, struct peer_message *message)
    GROVE_CHECKED;

/* Releases what decoding made, if libraft has not taken it. */
void peer_message_clear(struct peer_message *message);

#endif
