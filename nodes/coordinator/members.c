/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/members.h"

#include <stdio.h>

void members_set(struct members *members, const struct replica_status *status,
                 const struct replica_member *read, size_t count, uint64_t now_ms)
{
    members->id = status->id;
    members->leader = status->leader;
    members->count = count < MEMBERS_MOST ? count : MEMBERS_MOST;
    for (size_t i = 0; i < members->count; i++) {
        struct member *member = &members->list[i];

        *member = (struct member){.id = read[i].id, .role = read[i].role, .match = read[i].match};
        member->has_address = peer_address_read(read[i].address, &member->address);
    }
    for (size_t i = members->waiting_count; i-- > 0;) {
        const struct waiting *waiting = &members->waiting[i];

        if (now_ms - waiting->heard_ms > MEMBERS_WAIT_MS ||
            members_find(members, waiting->id) != NULL) {
            members->waiting[i] = members->waiting[--members->waiting_count];
        }
    }
}

const struct member *members_find(const struct members *members, uint64_t id)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->list[i].id == id) {
            return &members->list[i];
        }
    }
    return NULL;
}

bool members_has_us(const struct members *members)
{
    return members_find(members, members->id) != NULL;
}

static struct waiting *take_waiting(struct members *members, uint64_t id)
{
    for (size_t i = 0; i < members->waiting_count; i++) {
        if (members->waiting[i].id == id) {
            return &members->waiting[i];
        }
    }
    return members->waiting_count < MEMBERS_WAITING ? &members->waiting[members->waiting_count++]
                                                    : NULL;
}

void members_hear(struct members *members, uint64_t id, const char *address, uint64_t now_ms)
{
    struct peer_address read;
    struct waiting *waiting;

    if (members_find(members, id) != NULL || !peer_address_read(address, &read)) {
        return;
    }
    waiting = take_waiting(members, id);
    if (waiting != NULL) {
        waiting->id = id;
        waiting->address = read;
        waiting->heard_ms = now_ms;
        snprintf(waiting->text, sizeof(waiting->text), "%s", address);
    }
}

const char *members_name(const struct forest *forest, const struct key *identity)
{
    const struct certificate *certificate = forest_certificate(forest, identity, NULL);

    return certificate != NULL ? certificate->name : "";
}

static bool is_named(const struct forest *forest, const struct key *identity, struct bytes name)
{
    return name.size > 0 && bytes_equal(bytes_of_text(members_name(forest, identity)), name);
}

const struct member *members_named(const struct members *members, const struct forest *forest,
                                   struct bytes name)
{
    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->list[i];

        if (member->has_address && is_named(forest, &member->address.identity, name)) {
            return member;
        }
    }
    return NULL;
}

const struct waiting *members_waiting(const struct members *members, const struct forest *forest,
                                      struct bytes name)
{
    for (size_t i = 0; i < members->waiting_count; i++) {
        if (is_named(forest, &members->waiting[i].address.identity, name)) {
            return &members->waiting[i];
        }
    }
    return NULL;
}

bool members_locate(const struct forest *forest, const struct member *member,
                    struct location *location)
{
    if (!member->has_address || !forest_trusts(forest, &member->address.identity) ||
        forest_certificate(forest, &member->address.identity, &location->certificate) == NULL) {
        return false;
    }
    location->endpoint = bytes_of_text(member->address.endpoint);
    return true;
}
