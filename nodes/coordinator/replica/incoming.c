/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/incoming.h"

#include "nodes/coordinator/replica/file.h"
#include "nodes/coordinator/replica/voter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BEAT_MS UINT64_C(30)

void incoming_init(struct incoming *incoming)
{
    *incoming = (struct incoming){.state = INCOMING_NONE, .fd = -1};
}

void incoming_clear(struct incoming *incoming)
{
    if (incoming->state == INCOMING_NONE) {
        return;
    }
    if (incoming->fd >= 0) {
        close(incoming->fd);
    }
    raft_configuration_close(&incoming->message.install_snapshot.conf);
    incoming_init(incoming);
}

bool incoming_goes_on(const struct incoming *incoming, const struct peer_message *message)
{
    return incoming->state == INCOMING_RUNS && incoming->message.server_id == message->from &&
           incoming->message.install_snapshot.term == message->raft.install_snapshot.term &&
           incoming->index == message->raft.install_snapshot.last_index &&
           incoming->size == message->snapshot_size;
}

/* The disk may not turn out to be full at the end of it. */
static bool reserve(int fd, off_t size)
{
    return fallocate(fd, 0, 0, size) == 0 || errno == EOPNOTSUPP;
}

void incoming_begin(struct incoming *incoming, struct peer_message *message, int fd)
{
    incoming_clear(incoming);
    incoming->message = message->raft;
    incoming->index = message->raft.install_snapshot.last_index;
    incoming->size = message->snapshot_size;
    crypto_generichash_init(&incoming->hash, NULL, 0, crypto_generichash_BYTES_MAX);
    incoming->fd = fd;
    incoming->state = INCOMING_RUNS;
    if (incoming->fd < 0 || incoming->size <= sizeof(incoming->tail) ||
        incoming->size > INT64_MAX || !reserve(incoming->fd, (off_t)incoming->size)) {
        incoming->state = INCOMING_BROKEN;
    }
}

/* The digest is of all but the tail, which says how much that is. */
static bool is_sound(struct incoming *incoming)
{
    uint8_t full[crypto_generichash_BYTES_MAX];
    uint64_t size;

    crypto_generichash_final(&incoming->hash, full, sizeof(full));
    memcpy(&size, incoming->tail, sizeof(size));
    return size == incoming->size - sizeof(incoming->tail) &&
           memcmp(full, incoming->tail + sizeof(size), sizeof(incoming->tail) - sizeof(size)) == 0;
}

static void digest(struct incoming *incoming, struct bytes bytes)
{
    const uint64_t body = incoming->size - sizeof(incoming->tail);
    size_t before = 0; /* bytes of the chunk that lie before the tail */

    if (incoming->offset < body) {
        const uint64_t left = body - incoming->offset;
        before = left < bytes.size ? (size_t)left : bytes.size;
        crypto_generichash_update(&incoming->hash, bytes.data, before);
    }
    if (before < bytes.size) {
        memcpy(incoming->tail + (incoming->offset + before - body), bytes.data + before,
               bytes.size - before);
    }
}

void incoming_chunk(struct incoming *incoming, const struct peer_message *message)
{
    const struct peer_chunk *chunk = &message->chunk;

    if (incoming->state != INCOMING_RUNS || incoming->message.server_id != message->from ||
        incoming->index != chunk->index || incoming->offset != chunk->offset) {
        return;
    }
    if (chunk->bytes.size > incoming->size - incoming->offset ||
        file_write(incoming->fd, chunk->bytes.data, chunk->bytes.size, (size_t)chunk->offset) !=
            0) {
        incoming->state = INCOMING_BROKEN;
        return;
    }
    /* Begins to write them now, so that little is left to wait for at the end. */
    sync_file_range(incoming->fd, (off_t)chunk->offset, (off_t)chunk->bytes.size,
                    SYNC_FILE_RANGE_WRITE);
    digest(incoming, chunk->bytes);
    incoming->offset += chunk->bytes.size;
    if (incoming->offset == incoming->size) {
        incoming->state = is_sound(incoming) ? INCOMING_WHOLE : INCOMING_BROKEN;
    }
}

enum incoming_state incoming_state(const struct incoming *incoming)
{
    return incoming->state;
}

bool incoming_heartbeat(struct incoming *incoming, uint64_t now_ms, struct raft_message *message)
{
    if (now_ms - incoming->beat_ms < BEAT_MS) {
        return false;
    }
    incoming->beat_ms = now_ms;
    *message = (struct raft_message){
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = incoming->message.server_id,
        .append_entries = {.term = incoming->message.install_snapshot.term},
    };
    return true;
}

void incoming_take(struct incoming *incoming, struct raft_message *message)
{
    *message = incoming->message;
    message->install_snapshot.data = voter_token(incoming->index);
    close(incoming->fd);
    incoming_init(incoming);
}
