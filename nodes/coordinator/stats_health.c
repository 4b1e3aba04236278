/* SPDX-License-Identifier: MPL-2.0
 * Is it well: leadership, room on the disk, snapshots, and certificates that end soon. */
#include "nodes/coordinator/stats.h"

#include "nodes/coordinator/members.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define WARN_MS (30 * DAY_MS)
#define WARNINGS_MOST 100u

static json_t *expiring(const struct stats *stats)
{
    json_t *list = json_array();
    const struct certificate *certificate;
    struct bytes signed_form;

    for (size_t i = 0; json_array_size(list) < WARNINGS_MOST &&
                       forest_certificate_at(stats->egress->forest, i, &certificate, &signed_form);
         i++) {
        if (certificate->not_after_ms < stats->egress->stamp_ms + WARN_MS) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:I}", "name", certificate->name, "not_after_ms",
                                            (json_int_t)certificate->not_after_ms));
        }
    }
    return list;
}

static const char *judge(const struct replica_status *status, bool has_leader)
{
    if (!has_leader) {
        return "no leader";
    }
    return status->room == REPLICA_ROOM_ENOUGH ? "ok" : "disk nearly full";
}

json_t *stats_health(struct stats *stats, const char **error)
{
    const struct replica_status status = replica_status(stats->replica);
    const bool is_leader = replica_is_leader(stats->replica);
    const bool follows = stats->members != NULL && stats->members->leader != 0;
    json_t *answer = json_object();

    (void)error;
    json_object_set_new(answer, "status", json_string(judge(&status, is_leader || follows)));
    json_object_set_new(answer, "room", json_string(room_name(status.room)));
    json_object_set_new(answer, "room_size", json_integer((json_int_t)status.free));
    json_object_set_new(answer, "snapshotting", json_boolean(status.snapshotting));
    json_object_set_new(answer, "snapshot_failures",
                        json_integer((json_int_t)status.snapshot_failures));
    json_object_set_new(answer, "expiring", expiring(stats));
    return answer;
}
