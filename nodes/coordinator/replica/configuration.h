/* SPDX-License-Identifier: MPL-2.0
 * Who takes part, as bytes: in the head of a snapshot, and in libraft's own entries, which the
 * library writes and does not let anyone read. */
#ifndef GROVE_COORDINATOR_REPLICA_CONFIGURATION_H
#define GROVE_COORDINATOR_REPLICA_CONFIGURATION_H

#include "core/buffer.h"

#include <raft.h>

#define CONFIGURATION_ADDRESS_SIZE 256u /* bytes, with the NUL */

/* Appends count, then {id, role, length, address} each. */
void configuration_encode(const struct raft_configuration *configuration, struct buffer *buffer);

/* Reads what configuration_encode wrote.
 *
 *   configuration   the caller closes it; closed when this returns false */
bool configuration_decode(struct bytes bytes, struct raft_configuration *configuration);

/* Reads the payload of an entry of type RAFT_CHANGE; what follows the configuration is not read. */
bool configuration_of_entry(const struct raft_buffer *payload,
                            struct raft_configuration *configuration);

/* A copy that the caller closes. */
void configuration_copy(const struct raft_configuration *from, struct raft_configuration *to);

/* NULL when it does not take part. */
const struct raft_server *configuration_server(const struct raft_configuration *configuration,
                                               raft_id id);

#endif
