/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/outgoing.h"

#include "nodes/coordinator/replica/configuration.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW (4 * PEER_CHUNK_SIZE) /* bytes under way: a fast network is kept busy by as much */
#define AGAIN_MS UINT64_C(1000)
#define GIVE_UP_MS UINT64_C(10000)

void outgoing_init(struct outgoing *outgoing)
{
    *outgoing = (struct outgoing){.fd = -1};
}

void outgoing_end(struct outgoing *outgoing)
{
    if (outgoing->fd < 0) {
        return;
    }
    close(outgoing->fd);
    raft_configuration_close(&outgoing->install.conf);
    free(outgoing->chunk);
    outgoing_init(outgoing);
}

bool outgoing_begin(struct outgoing *outgoing, int fd, uint64_t index,
                    const struct raft_install_snapshot *install)
{
    struct stat about;

    outgoing_end(outgoing);
    if (fstat(fd, &about) != 0) {
        close(fd);
        return false;
    }
    outgoing->fd = fd;
    outgoing->index = index;
    outgoing->size = (uint64_t)about.st_size;
    outgoing->install = *install;
    configuration_copy(&install->conf, &outgoing->install.conf);
    outgoing->chunk = malloc(PEER_CHUNK_SIZE);
    if (outgoing->chunk == NULL) {
        abort();
    }
    return true;
}

static bool next_chunk(struct outgoing *outgoing, struct peer_message *message)
{
    const uint64_t left = outgoing->size - outgoing->sent;
    const size_t size = left < PEER_CHUNK_SIZE ? (size_t)left : PEER_CHUNK_SIZE;

    if (size == 0 || outgoing->sent - outgoing->taken >= WINDOW ||
        pread(outgoing->fd, outgoing->chunk, size, (off_t)outgoing->sent) != (ssize_t)size) {
        return false; /* what cannot be read does not move, and is given up */
    }
    *message = (struct peer_message){
        .type = PEER_CHUNK,
        .chunk = {.index = outgoing->index,
                  .offset = outgoing->sent,
                  .bytes = bytes_of(outgoing->chunk, size)},
    };
    return true;
}

bool outgoing_next(struct outgoing *outgoing, struct peer_message *message)
{
    if (outgoing->fd < 0) {
        return false;
    }
    if (outgoing->is_announced) {
        return next_chunk(outgoing, message);
    }
    *message = (struct peer_message){
        .type = PEER_INSTALL,
        .raft = {.type = RAFT_IO_INSTALL_SNAPSHOT, .install_snapshot = outgoing->install},
        .snapshot_size = outgoing->size,
    };
    return true;
}

void outgoing_sent(struct outgoing *outgoing, const struct peer_message *message)
{
    outgoing->is_announced = true;
    outgoing->sent += message->chunk.bytes.size;
}

enum outgoing_state outgoing_taken(struct outgoing *outgoing, const struct peer_chunk *taken,
                                   uint64_t now_ms)
{
    if (outgoing->fd < 0 || taken->index != outgoing->index) {
        return OUTGOING_NONE;
    }
    if (taken->offset == outgoing->size) {
        return OUTGOING_ARRIVED;
    }
    if (taken->offset > outgoing->size) {
        return OUTGOING_REFUSED;
    }
    if (taken->offset > outgoing->taken) {
        outgoing->moved_ms = now_ms;
    }
    outgoing->taken = taken->offset;
    if (outgoing->sent < outgoing->taken) {
        outgoing->sent = outgoing->taken; /* it had that much of an earlier try */
    }
    return OUTGOING_RUNS;
}

enum outgoing_state outgoing_tick(struct outgoing *outgoing, uint64_t now_ms)
{
    if (outgoing->fd < 0) {
        return OUTGOING_NONE;
    }
    if (outgoing->moved_ms == 0) {
        outgoing->moved_ms = now_ms;
        outgoing->asked_ms = now_ms;
    }
    if (now_ms - outgoing->moved_ms > GIVE_UP_MS) {
        return OUTGOING_REFUSED;
    }
    if (now_ms - outgoing->moved_ms > AGAIN_MS && now_ms - outgoing->asked_ms > AGAIN_MS) {
        outgoing->asked_ms = now_ms;
        outgoing->is_announced = false; /* the answer says where the peer is */
        outgoing->sent = outgoing->taken;
    }
    return OUTGOING_RUNS;
}
