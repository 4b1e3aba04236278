/* SPDX-License-Identifier: MPL-2.0
 * How a coordinator is named in the ledger: an address that says where it is and by which key it is
 * recognized, and an id that no other key and no earlier life of its disk can have. */
#ifndef GROVE_COORDINATOR_REPLICA_PEER_ADDRESS_H
#define GROVE_COORDINATOR_REPLICA_PEER_ADDRESS_H

#include "core/bytes.h"
#include "nodes/coordinator/replica/replica.h"

#include <stdbool.h>

#define PEER_ENDPOINT_SIZE 128u /* bytes, with the NUL */

struct peer_address {
    struct key identity;               /* Ed25519: what its certificate says */
    char endpoint[PEER_ENDPOINT_SIZE]; /* tcp://HOST:PORT of its task socket */
};

/* 64 hex digits, a blank, the endpoint. */
void peer_address_write(const struct peer_address *address, char text[REPLICA_ADDRESS_SIZE]);

/* False when it was not written by peer_address_write. */
bool peer_address_read(const char *text, struct peer_address *address);

/* The endpoint of the socket `offset` ports after the task socket; false when there is none. */
bool peer_endpoint(const char *tasks, unsigned offset, char endpoint[PEER_ENDPOINT_SIZE]);

/* 32 bits of the key's hash, then those of `birth`; never 0, nor 1, which one voter alone has.
 *
 *   birth   differs each time that an empty disk begins under this key; 0: of no disk */
uint64_t peer_id(const struct key *identity, uint32_t birth);
bool peer_id_is_of(uint64_t id, const struct key *identity);

#endif
