/* SPDX-License-Identifier: MPL-2.0
 * Requests to the stats socket of a harness. To be included after it, by one file a program. */
#ifndef GROVE_TESTS_COORDINATOR_ASKING_H
#define GROVE_TESTS_COORDINATOR_ASKING_H

#include <jansson.h>

#include "nodes/coordinator/stats.h"

static enum replica_room asked_room;

/* The ledger, as far as statistics ask for it. */
bool replica_is_leader(const struct replica *replica)
{
    (void)replica;
    return true;
}

struct replica_status replica_status(struct replica *replica)
{
    (void)replica;
    return (struct replica_status){.index = 5, .syncs = 3, .room = asked_room, .free = 77};
}

static inline struct stats stats_of(struct harness *h)
{
    return (struct stats){.ingress = &h->ingress,
                          .egress = &h->egress,
                          .proposals = &h->proposals,
                          .machine = &h->machine};
}

static inline json_t *ask(struct harness *h, const char *request)
{
    struct stats stats = stats_of(h);
    struct buffer out = {.size = 0};
    json_t *answer;

    stats_answer(&stats, bytes_of_text(request), &out);
    assert_true(out.size <= LIMIT_STATS_PAGE);
    answer = json_loadb((const char *)out.data, out.size, 0, NULL);
    assert_non_null(answer);
    assert_non_null(json_object_get(answer, "schema"));
    assert_non_null(json_object_get(answer, "leader"));
    assert_non_null(json_object_get(answer, "applied"));
    assert_non_null(json_object_get(answer, "stale_ms"));
    buffer_clear(&out);
    return answer;
}

static inline json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static inline const char *word(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

#endif
