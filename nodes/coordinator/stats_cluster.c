/* SPDX-License-Identifier: MPL-2.0
 * Who takes part in the ledger, and how this coordinator stands. */
#include "nodes/coordinator/stats.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "nodes/coordinator/members.h"

static const char *role_name(enum replica_role role)
{
    switch (role) {
    case REPLICA_SPARE:
        return "spare";
    case REPLICA_STANDBY:
        return "standby";
    case REPLICA_VOTER:
        return "voter";
    }
    return "";
}

static json_t *hex_of(uint64_t id)
{
    char text[17];

    snprintf(text, sizeof(text), "%016" PRIx64, id);
    return json_string(text);
}

/* By name, where it is, and the link key at which its stats socket is asked. */
static void put_address(const struct stats *stats, const struct peer_address *address, json_t *to)
{
    const struct certificate *certificate =
        forest_certificate(stats->egress->forest, &address->identity, NULL);
    char link[2 * sizeof(struct key) + 1];

    json_object_set_new(to, "endpoint", json_string(address->endpoint));
    if (certificate != NULL) {
        sodium_bin2hex(link, sizeof(link), certificate->link_key.byte, sizeof(struct key));
        json_object_set_new(to, "name", json_string(certificate->name));
        json_object_set_new(to, "link_key", json_string(link));
    }
}

static json_t *member_of(const struct stats *stats, const struct member *member)
{
    json_t *made =
        json_pack("{s:o, s:s, s:b}", "id", hex_of(member->id), "role", role_name(member->role),
                  "leads", member->id == stats->members->leader);

    if (stats->members->leader == stats->members->id) {
        json_object_set_new(made, "match", json_integer((json_int_t)member->match));
    }
    if (member->has_address) {
        put_address(stats, &member->address, made);
    }
    return made;
}

/* By our own ledger. One that is removed may never hear so: then it keeps its role here, and it is
 * by `stale_ms` that this is known to be old. */
static const char *own_role(const struct stats *stats, const struct replica_status *status)
{
    const struct id none = {{0}};
    const struct member *self;

    if (stats->members == NULL) {
        return role_name(REPLICA_VOTER);
    }
    self = members_find(stats->members, status->id);
    if (self != NULL) {
        return role_name(self->role);
    }
    return id_equal(&status->ledger, &none) ? "waiting" : "removed";
}

static json_t *ourselves(const struct stats *stats, const struct replica_status *status)
{
    return json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I}", "name",
                     stats->egress->credential->certificate.name, "id", hex_of(status->id), "role",
                     own_role(stats, status), "pid", (json_int_t)getpid(), "term",
                     (json_int_t)status->term, "index", (json_int_t)status->index, "log_size",
                     (json_int_t)status->log_size);
}

json_t *stats_cluster(struct stats *stats, const char **error)
{
    const struct replica_status status = replica_status(stats->replica);
    const struct members *members = stats->members;
    json_t *list = json_array();
    json_t *waiting = json_array();

    (void)error;
    for (size_t i = 0; members != NULL && i < members->count; i++) {
        json_array_append_new(list, member_of(stats, &members->list[i]));
    }
    for (size_t i = 0; members != NULL && i < members->waiting_count; i++) {
        json_t *one = json_pack("{s:o}", "id", hex_of(members->waiting[i].id));

        put_address(stats, &members->waiting[i].address, one);
        json_array_append_new(waiting, one);
    }
    return json_pack("{s:o, s:o, s:o}", "self", ourselves(stats, &status), "members", list,
                     "waiting", waiting);
}
