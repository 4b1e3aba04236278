/* SPDX-License-Identifier: MPL-2.0
 * Counters: of the forest, its functions, the ledger, seals, handshakes, refusals. */
#include "nodes/coordinator/stats.h"

#include "core/notice.h"
#include "nodes/host/clock.h"

/* Functions listed in one answer; the rest is only counted. */
#define FUNCTIONS_MOST 1000u

static void put(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *functions(const struct forest *forest)
{
    json_t *object = json_object();
    const char *after = NULL;
    struct function_view view;

    for (unsigned i = 0; i < FUNCTIONS_MOST && forest_function(forest, after, &view); i++) {
        json_object_set_new(object, view.function, stats_function(&view));
        after = view.function;
    }
    return object;
}

/* By reason: what the forest refused item by item, and what never came so far. */
static json_t *refusals(const struct stats *stats)
{
    const struct forest_counters *counters = forest_counters(stats->egress->forest);
    json_t *object = json_object();

    for (unsigned i = 1; i < REFUSED_COUNT; i++) {
        const uint64_t count = counters->refused[i] + stats->egress->counters.refused[i];

        if (count > 0) {
            put(object, refusal_name((enum refusal)i), count);
        }
    }
    return object;
}

static json_t *ledger(const struct stats *stats)
{
    const struct replica_status status = replica_status(stats->replica);
    json_t *object = json_object();

    json_object_set_new(object, "id", stats_id(&status.ledger));
    put(object, "index", status.index);
    put(object, "term", status.term);
    put(object, "groups", status.groups);
    put(object, "commands", stats->proposals->commands);
    put(object, "syncs", status.syncs);
    put(object, "sync_us", status.sync_ns / 1000);
    put(object, "journal_size", status.journal_size);
    put(object, "journal_written", status.journal_written);
    put(object, "log_size", status.log_size);
    put(object, "snapshot_index", status.snapshot_index);
    put(object, "snapshot_size", status.snapshot_size);
    put(object, "snapshots", status.snapshots);
    put(object, "snapshot_failures", status.snapshot_failures);
    json_object_set_new(object, "snapshotting", json_boolean(status.snapshotting));
    put(object, "malformed", stats->machine->malformed);
    return object;
}

static json_t *handshakes(const struct zap *zap)
{
    struct zap_counters counters = {.accepted = 0};
    json_t *object = json_object();

    if (zap != NULL) {
        zap_read_counters(zap, &counters);
    }
    put(object, "accepted", counters.accepted);
    put(object, "unknown_key", counters.unknown_key);
    put(object, "wrong_mechanism", counters.wrong_mechanism);
    put(object, "wrong_domain", counters.wrong_domain);
    put(object, "wrong_role", counters.wrong_role);
    put(object, "revoked", counters.revoked);
    put(object, "over_rate", counters.over_rate);
    return object;
}

static json_t *messages(const struct stats *stats)
{
    const struct egress *egress = stats->egress;
    json_t *object = json_object();

    put(object, "received", stats->ingress->counters.messages);
    put(object, "received_size", stats->ingress->counters.size);
    put(object, "dropped", stats->ingress->counters.dropped);
    put(object, "sent", egress->counters.sent);
    put(object, "sent_size", egress->counters.sent_size);
    put(object, "full", egress->counters.full);
    put(object, "gone", egress->counters.gone);
    put(object, "assigned", egress->counters.assigned);
    put(object, "notified", egress->counters.notified);
    put(object, "paged", egress->counters.paged);
    put(object, "recalled", egress->counters.recalled);
    put(object, "resent", egress->counters.resent);
    put(object, "sessions", egress->sessions->count);
    put(object, "waiters", egress->waiters->count);
    put(object, "watchers", egress->watchers->count);
    put(object, "uncommitted", egress->jobs->count);
    put(object, "held_off", stats->ingress->counters.held_off);
    return object;
}

static json_t *seals(const struct stats *stats)
{
    json_t *object = json_object();

    put(object, "made",
        stats->egress->verdicts.signatures + stats->egress->paged_verdicts.signatures);
    put(object, "verified", stats->ingress->counters.verified);
    put(object, "bad", stats->egress->counters.refused[REFUSED_BAD_SIGNATURE]);
    return object;
}

static json_t *totals(const struct forest_counters *counters)
{
    json_t *object = json_object();

    put(object, "submitted", counters->submitted);
    put(object, "succeeded", counters->succeeded);
    put(object, "failed", counters->failed);
    put(object, "cancelled", counters->cancelled);
    put(object, "attempts", counters->attempts);
    put(object, "losses", counters->losses);
    put(object, "retries", counters->retries);
    put(object, "roots", counters->roots);
    put(object, "open_roots", counters->open_roots);
    put(object, "body_size", counters->body_size);
    put(object, "settled_size", counters->settled_size);
    put(object, "remembered_size", counters->remembered_size);
    return object;
}

/* Those that are open. */
static json_t *joins(const struct forest_counters *counters)
{
    json_t *object = json_object();

    put(object, "gather", counters->open_joins[JOIN_GATHER]);
    put(object, "race", counters->open_joins[JOIN_RACE]);
    put(object, "map", counters->open_joins[JOIN_MAP]);
    return object;
}

/* Ledger time keeps to this clock. */
static json_t *backlog(const struct forest *forest)
{
    const uint64_t now_ms = clock_unix_ms();
    struct backlog_view view;

    forest_backlog(forest, &view);
    return json_pack(
        "{s:I, s:I}", "tasks", (json_int_t)view.tasks, "oldest_ms",
        (json_int_t)(view.oldest_ms != 0 && view.oldest_ms < now_ms ? now_ms - view.oldest_ms : 0));
}

static json_t *watching(const struct stats *stats)
{
    json_t *object = json_object();

    put(object, "requests", stats->requests);
    put(object, "subscribers", stats->subscribers);
    put(object, "published", stats->published);
    put(object, "newest_event", notices_last(stats->machine->effects.notices));
    return object;
}

json_t *stats_counts(struct stats *stats, const char **error)
{
    const struct forest_counters *counters = forest_counters(stats->egress->forest);
    json_t *answer = json_object();

    (void)error;
    json_object_set_new(answer, "states", stats_states(counters->state));
    json_object_set_new(answer, "functions", functions(stats->egress->forest));
    json_object_set_new(answer, "backlog", backlog(stats->egress->forest));
    put(answer, "workers", counters->sessions);
    json_object_set_new(answer, "joins", joins(counters));
    json_object_set_new(answer, "totals", totals(counters));
    json_object_set_new(answer, "refusals", refusals(stats));
    json_object_set_new(answer, "ledger", ledger(stats));
    json_object_set_new(answer, "seals", seals(stats));
    json_object_set_new(answer, "handshakes", handshakes(stats->zap));
    json_object_set_new(answer, "messages", messages(stats));
    json_object_set_new(answer, "watching", watching(stats));
    return answer;
}
