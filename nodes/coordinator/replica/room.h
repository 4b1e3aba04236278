/* SPDX-License-Identifier: MPL-2.0
 * How much room the disk has, judged before it is full: work that cannot be ended for want of room
 * should not have begun. */
#ifndef GROVE_COORDINATOR_REPLICA_ROOM_H
#define GROVE_COORDINATOR_REPLICA_ROOM_H

#include <stdint.h>

/* LOW: for less than two segments and a snapshot like the last. What has begun can end; nothing new
 * should begin. NONE: for less than one: the next segment may not be there when it is needed. */
enum replica_room { REPLICA_ROOM_ENOUGH, REPLICA_ROOM_LOW, REPLICA_ROOM_NONE };

/* All in bytes.
 *
 *   size      what the log may still take, a segment made ahead included
 *   snapshot  the last one's size; 0 while one is being written, which takes its part already */
enum replica_room room_of(uint64_t size, uint64_t segment, uint64_t snapshot);

const char *room_name(enum replica_room room); /* "low" */

#endif
