/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/room.h"

enum replica_room room_of(uint64_t size, uint64_t segment, uint64_t snapshot)
{
    if (size < segment) {
        return REPLICA_ROOM_NONE;
    }
    return size < 2 * segment + snapshot ? REPLICA_ROOM_LOW : REPLICA_ROOM_ENOUGH;
}

const char *room_name(enum replica_room room)
{
    static const char *const names[] = {"enough", "low", "none"};

    return names[room];
}
