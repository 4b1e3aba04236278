/* SPDX-License-Identifier: MPL-2.0
 * Metrics in the text format that Prometheus reads (its version 0.0.4): counters that only grow
 * until the coordinator starts anew, gauges, and histograms; in seconds and bytes. */
#include "nodes/coordinator/stats.h"

#include <inttypes.h>

#include "core/durations.h"
#include "nodes/coordinator/phrase.h"

/* Functions that are shown, so that a page holds them: each takes 4 KiB at most. */
#define FUNCTIONS_MOST 100u
#define FUNCTIONS_COUNTED 10000u /* beyond those: at most so many are counted */

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

static void head(struct buffer *out, const char *name, enum metric_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    phrase(out, "# HELP grove_%s %s\n# TYPE grove_%s %s\n", name, help, name, types[type]);
}

/* A family of one value. */
static void put(struct buffer *out, const char *name, enum metric_type type, const char *help,
                uint64_t value)
{
    head(out, name, type, help);
    phrase(out, "grove_%s %" PRIu64 "\n", name, value);
}

/* A value with a label, whose words need no escape: states, kinds, reasons, functions. */
static void put_labelled(struct buffer *out, const char *name, const char *label, const char *word,
                         uint64_t value)
{
    phrase(out, "grove_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word, value);
}

/* ---- the forest */

static void put_tasks(const struct forest_counters *counters, struct buffer *out)
{
    head(out, "tasks", GAUGE, "Tasks in each state that are kept.");
    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        put_labelled(out, "tasks", "state", task_state_name((enum task_state)i),
                     counters->state[i]);
    }
    put(out, "tasks_submitted_total", COUNTER, "Tasks accepted.", counters->submitted);
    head(out, "tasks_ended_total", COUNTER, "Tasks that have ended, by how.");
    put_labelled(out, "tasks_ended_total", "state", "succeeded", counters->succeeded);
    put_labelled(out, "tasks_ended_total", "state", "failed", counters->failed);
    put_labelled(out, "tasks_ended_total", "state", "cancelled", counters->cancelled);
    put(out, "attempts_total", COUNTER, "Attempts assigned to workers.", counters->attempts);
    put(out, "retries_total", COUNTER, "Attempts that failed and are tried again.",
        counters->retries);
    put(out, "losses_total", COUNTER, "Attempts whose worker was lost.", counters->losses);
    put(out, "roots", GAUGE, "Root trees that are kept.", counters->roots);
    put(out, "roots_open", GAUGE, "Root trees with a task that has not ended.",
        counters->open_roots);
    put(out, "body_bytes", GAUGE, "Signed items of open tasks.", counters->body_size);
    put(out, "settled_bytes", GAUGE, "Trees that are kept after their end.",
        counters->settled_size);
    put(out, "remembered_bytes", GAUGE, "Ids remembered, of forgotten roots.",
        counters->remembered_size);
}

static void put_joins(const struct forest_counters *counters, struct buffer *out)
{
    head(out, "joins_open", GAUGE, "Joins that have not ended, by kind.");
    put_labelled(out, "joins_open", "kind", "gather", counters->open_joins[JOIN_GATHER]);
    put_labelled(out, "joins_open", "kind", "race", counters->open_joins[JOIN_RACE]);
    put_labelled(out, "joins_open", "kind", "map", counters->open_joins[JOIN_MAP]);
}

static void put_refusals(const struct stats *stats, struct buffer *out)
{
    const struct forest_counters *counters = forest_counters(stats->egress->forest);

    head(out, "refusals_total", COUNTER, "What was refused, by reason.");
    for (unsigned i = 1; i < REFUSED_COUNT; i++) {
        if (strcmp(refusal_name((enum refusal)i), "unknown") == 0) {
            continue; /* a number that is not given out */
        }
        put_labelled(out, "refusals_total", "reason", refusal_name((enum refusal)i),
                     counters->refused[i] + stats->egress->counters.refused[i]);
    }
}

/* ---- workers: sessions are few, LIMIT_SESSIONS at most */

static void put_workers(const struct stats *stats, struct buffer *out)
{
    struct session_view view = {.session = 0};
    uint64_t count = 0, slots = 0, busy = 0, waiting = 0, stopping = 0;

    while (forest_session(stats->egress->forest, view.session, &view)) {
        count++;
        slots += view.slots;
        busy +=
            view.assigned - view.waiting < view.slots ? view.assigned - view.waiting : view.slots;
        waiting += view.waiting;
        stopping += view.stopping;
    }
    put(out, "workers", GAUGE, "Sessions of workers.", count);
    put(out, "worker_slots", GAUGE, "Slots that workers have.", slots);
    put(out, "worker_slots_busy", GAUGE, "Slots in which an attempt runs.", busy);
    put(out, "worker_attempts_waiting", GAUGE, "Attempts that wait for children, without a slot.",
        waiting);
    put(out, "worker_attempts_stopping", GAUGE, "Attempts told to stop that have not answered.",
        stopping);
}

/* ---- functions: family by family, so each is walked again */

typedef void put_function(const struct function_view *view, struct buffer *out);

static void put_queued(const struct function_view *view, struct buffer *out)
{
    static const enum task_state queued[] = {TASK_DELAYED, TASK_HELD, TASK_READY};

    for (size_t i = 0; i < sizeof(queued) / sizeof(queued[0]); i++) {
        phrase(out, "grove_function_queued{function=\"%s\",state=\"%s\"} %" PRIu64 "\n",
               view->function, task_state_name(queued[i]), view->state[queued[i]]);
    }
}

static void put_running(const struct function_view *view, struct buffer *out)
{
    put_labelled(out, "function_running", "function", view->function, view->state[TASK_RUNNING]);
}

static void put_waiting(const struct function_view *view, struct buffer *out)
{
    put_labelled(out, "function_waiting", "function", view->function, view->state[TASK_WAITING]);
}

static void put_ended(const struct function_view *view, struct buffer *out)
{
    static const char *const states[] = {"succeeded", "failed", "cancelled"};
    const uint64_t counts[] = {view->succeeded, view->failed, view->cancelled};

    for (size_t i = 0; i < 3; i++) {
        phrase(out, "grove_function_ended_total{function=\"%s\",state=\"%s\"} %" PRIu64 "\n",
               view->function, states[i], counts[i]);
    }
}

static void put_offered(const struct function_view *view, struct buffer *out)
{
    put_labelled(out, "function_workers", "function", view->function, view->sessions);
}

static void put_limit(const struct function_view *view, struct buffer *out)
{
    if (view->limit.running > 0 || view->limit.paused) {
        put_labelled(out, "function_limit_running", "function", view->function,
                     view->limit.paused ? 0 : view->limit.running);
    }
}

/* The bounds are ends of buckets, so the counts are exact; in ms: 1, 7, 31, 127, 511 ...
 * 134,217,727.
 */
static void put_runs(const struct function_view *view, struct buffer *out)
{
    const struct durations *runs = view->runs;

    if (runs == NULL) {
        return;
    }
    for (unsigned bits = 1; bits <= 27; bits += 2) {
        const uint64_t ms = (UINT64_C(1) << bits) - 1;

        phrase(out,
               "grove_run_seconds_bucket{function=\"%s\",le=\"%" PRIu64 ".%03" PRIu64 "\"} %" PRIu64
               "\n",
               view->function, ms / 1000, ms % 1000, durations_up_to(runs, ms));
    }
    phrase(out, "grove_run_seconds_bucket{function=\"%s\",le=\"+Inf\"} %" PRIu64 "\n",
           view->function, runs->total);
    phrase(out, "grove_run_seconds_sum{function=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n",
           view->function, runs->sum_ms / 1000, runs->sum_ms % 1000);
    phrase(out, "grove_run_seconds_count{function=\"%s\"} %" PRIu64 "\n", view->function,
           runs->total);
}

static const struct {
    const char *name;
    const char *help;
    put_function *put;
    enum metric_type type;
} function_families[] = {
    {"function_queued", "Tasks that wait for their turn.", put_queued, GAUGE},
    {"function_running", "Tasks assigned to workers.", put_running, GAUGE},
    {"function_waiting", "Tasks that wait for children.", put_waiting, GAUGE},
    {"function_ended_total", "Tasks that have ended, by how.", put_ended, COUNTER},
    {"function_workers", "Workers that offer it.", put_offered, GAUGE},
    {"function_limit_running", "Attempts that may run at a time, where that is limited.", put_limit,
     GAUGE},
    {"run_seconds", "Time that attempts with a result ran, by their workers.", put_runs, HISTOGRAM},
};

#define FUNCTION_FAMILIES (sizeof(function_families) / sizeof(function_families[0]))

/* All families show the same functions, so that what is shown of one is whole. Returns how many are
 * shown. */
static unsigned put_functions(const struct stats *stats, struct buffer *out)
{
    unsigned shown = FUNCTIONS_MOST;

    for (size_t i = 0; i < FUNCTION_FAMILIES; i++) {
        struct function_view view;
        const char *after = NULL;
        unsigned count = 0;

        head(out, function_families[i].name, function_families[i].type, function_families[i].help);
        while (count < shown && forest_function(stats->egress->forest, after, &view)) {
            function_families[i].put(&view, out);
            after = view.function;
            count++;
        }
        shown = count;
    }
    return shown;
}

/* How many they do not show: without it nobody could tell that a sum over them is none over all. */
static unsigned count_rest(const struct stats *stats)
{
    struct function_view view;
    const char *after = NULL;
    unsigned count = 0;

    while (count < FUNCTIONS_MOST + FUNCTIONS_COUNTED &&
           forest_function(stats->egress->forest, after, &view)) {
        after = view.function;
        count++;
    }
    return count > FUNCTIONS_MOST ? count - FUNCTIONS_MOST : 0;
}

/* ---- the coordinator */

static void put_seconds(struct buffer *out, const char *name, enum metric_type type,
                        const char *help, uint64_t us)
{
    head(out, name, type, help);
    phrase(out, "grove_%s %" PRIu64 ".%06" PRIu64 "\n", name, us / 1000000, us % 1000000);
}

static void put_raft(const struct stats *stats, const struct replica_status *status,
                     struct buffer *out)
{
    put(out, "leader", GAUGE, "Whether this coordinator leads.",
        replica_is_leader(stats->replica) ? 1 : 0);
    put(out, "raft_term", GAUGE, "Term of the ledger.", status->term);
    put(out, "applied_index", GAUGE, "Entry of the ledger that was applied last.",
        stats->machine->index);
    if (stats->leader_heard_ms != NULL && !replica_is_leader(stats->replica)) {
        put_seconds(out, "stale_seconds", GAUGE, "Since this follower heard its leader.",
                    (stats->egress->now_ms - *stats->leader_heard_ms) * 1000);
    } else {
        put_seconds(out, "stale_seconds", GAUGE, "Since this follower heard its leader.", 0);
    }
    put(out, "raft_groups_total", COUNTER, "Groups of commands applied.", status->groups);
    put(out, "raft_commands_total", COUNTER, "Commands proposed.", stats->proposals->commands);
    put(out, "raft_uncommitted", GAUGE, "Requests that wait for their commit.",
        stats->egress->jobs->count);
}

static void put_journal(const struct replica_status *status, struct buffer *out)
{
    put(out, "journal_syncs_total", COUNTER, "Syncs of the journal.", status->syncs);
    put_seconds(out, "journal_sync_seconds_total", COUNTER, "Time spent in syncs of the journal.",
                status->sync_ns / 1000);
    put(out, "journal_written_bytes_total", COUNTER, "Bytes written to the journal.",
        status->journal_written);
    put(out, "journal_bytes", GAUGE, "Bytes of the journal on disk.", status->journal_size);
    put(out, "journal_room_bytes", GAUGE, "Bytes that the journal may still take.", status->free);
    put(out, "log_bytes", GAUGE, "Bytes of log since the newest snapshot.", status->log_size);
    put(out, "snapshots_total", COUNTER, "Snapshots written.", status->snapshots);
    put(out, "snapshot_failures_total", COUNTER, "Snapshots that could not be written.",
        status->snapshot_failures);
    put(out, "snapshot_bytes", GAUGE, "Bytes of the newest snapshot.", status->snapshot_size);
}

static void put_messages(const struct stats *stats, struct buffer *out)
{
    const struct ingress_counters *in = &stats->ingress->counters;
    const struct egress *egress = stats->egress;

    put(out, "messages_received_total", COUNTER, "Messages of nodes.", in->messages);
    put(out, "received_bytes_total", COUNTER, "Bytes of messages of nodes.", in->size);
    put(out, "messages_dropped_total", COUNTER, "Messages dropped without an answer.", in->dropped);
    put(out, "messages_sent_total", COUNTER, "Messages to nodes.", egress->counters.sent);
    put(out, "sent_bytes_total", COUNTER, "Bytes of messages to nodes.",
        egress->counters.sent_size);
    put(out, "sessions", GAUGE, "Nodes that are connected and have said Hello.",
        egress->sessions->count);
    put(out, "signatures_verified_total", COUNTER, "Seals that were verified.", in->verified);
    put(out, "signatures_bad_total", COUNTER, "Seals that were not good.",
        egress->counters.refused[REFUSED_BAD_SIGNATURE]);
    put(out, "signatures_made_total", COUNTER, "Seals made, of verdicts.",
        egress->verdicts.signatures + egress->paged_verdicts.signatures);
    put(out, "stats_requests_total", COUNTER, "Requests to the stats socket.", stats->requests);
    put(out, "event_subscribers", GAUGE, "Subscribers to events.", stats->subscribers);
}

static void put_handshakes(const struct zap *zap, struct buffer *out)
{
    struct zap_counters counters = {.accepted = 0};

    if (zap != NULL) {
        zap_read_counters(zap, &counters);
    }
    head(out, "handshakes_total", COUNTER, "Handshakes, by how they were decided.");
    put_labelled(out, "handshakes_total", "decision", "accepted", counters.accepted);
    put_labelled(out, "handshakes_total", "decision", "unknown-key", counters.unknown_key);
    put_labelled(out, "handshakes_total", "decision", "wrong-mechanism", counters.wrong_mechanism);
    put_labelled(out, "handshakes_total", "decision", "wrong-domain", counters.wrong_domain);
    put_labelled(out, "handshakes_total", "decision", "wrong-role", counters.wrong_role);
    put_labelled(out, "handshakes_total", "decision", "revoked", counters.revoked);
    put_labelled(out, "handshakes_total", "decision", "over-rate", counters.over_rate);
}

void stats_put_metrics(struct stats *stats, struct buffer *out)
{
    const struct forest_counters *counters = forest_counters(stats->egress->forest);
    const struct replica_status status = replica_status(stats->replica);

    put_tasks(counters, out);
    put_joins(counters, out);
    put_refusals(stats, out);
    put_workers(stats, out);
    put_raft(stats, &status, out);
    put_journal(&status, out);
    put_messages(stats, out);
    put_handshakes(stats->zap, out);
    put(out, "functions_shown", GAUGE, "Functions that the families by function show.",
        put_functions(stats, out));
    put(out, "functions_not_shown", GAUGE,
        "Functions that the families by function leave out; 10,000 are that many or more.",
        count_rest(stats));
}
