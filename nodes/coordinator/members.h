/* SPDX-License-Identifier: MPL-2.0
 * Who takes part in the ledger, where they are, who leads, and who waits to be added: as this
 * coordinator knows it. */
#ifndef GROVE_COORDINATOR_MEMBERS_H
#define GROVE_COORDINATOR_MEMBERS_H

#include "core/forest.h"
#include "core/message.h"
#include "nodes/coordinator/replica/peer_address.h"

#define MEMBERS_MOST 64u
#define MEMBERS_WAITING 16u
#define MEMBERS_WAIT_MS UINT64_C(5000) /* one that waits says so every second */

struct member {
    uint64_t id;
    enum replica_role role;
    uint64_t match;   /* up to where its log is the leader's, by the leader */
    bool has_address; /* else it can have no peers */
    struct peer_address address;
};

/* One that said it waits. */
struct waiting {
    uint64_t id;
    char text[REPLICA_ADDRESS_SIZE];
    struct peer_address address;
    uint64_t heard_ms;
};

struct members {
    uint64_t id;     /* ours */
    uint64_t leader; /* 0: nobody is known to lead */
    struct member list[MEMBERS_MOST];
    size_t count;
    struct waiting waiting[MEMBERS_WAITING];
    size_t waiting_count;
};

/* Takes anew who takes part; forgets who waits no more.
 *
 *   read   `count` of them */
void members_set(struct members *members, const struct replica_status *status,
                 const struct replica_member *read, size_t count, uint64_t now_ms);

/* NULL when it does not take part. */
const struct member *members_find(const struct members *members, uint64_t id);

/* Whether we are of the ledger. */
bool members_has_us(const struct members *members);

/* Somebody says that it waits. */
void members_hear(struct members *members, uint64_t id, const char *address, uint64_t now_ms);

/* The name in the certificate of this key; "" when there is none. */
const char *members_name(const struct forest *forest, const struct key *identity);

/* By the name in its certificate; NULL: there is none. */
const struct member *members_named(const struct members *members, const struct forest *forest,
                                   struct bytes name);
const struct waiting *members_waiting(const struct members *members, const struct forest *forest,
                                      struct bytes name);

/* Where a member is, with its certificate; false when either is not known.
 *
 *   location  borrows from both */
bool members_locate(const struct forest *forest, const struct member *member,
                    struct location *location);

#endif
